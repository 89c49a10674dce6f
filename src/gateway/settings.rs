//! What an operator decides about the gateway.

use std::collections::BTreeMap;
use std::time::Duration;

use super::policy::Policies;
use crate::element::FetchTerms;

/// Policies and bounds. Names, mode and components are the
/// [`Translator`](crate::translate::Translator)'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Tell an XMPP watcher `subscribed` as soon as the subscription is taken,
    /// not when the publisher authorizes it.
    pub auto_subscribed: bool,
    /// Report a message as delivered only when the recipient's client said so;
    /// without that it is reported as expired.
    pub strict_receipts: bool,
    /// Ask for presence by `GetPresenceRequest` instead of a repeated
    /// `SubscribeRequest`. The deployed server dies of the former when nothing is
    /// authorized.
    pub get_presence: bool,
    /// For so long an error of the XMPP side becomes the answer to the message; nothing:
    /// it is answered as soon as the XMPP server has it.
    pub settle: Duration,
    /// After that a message that no client confirmed is reported as handed over, unless
    /// receipts are strict.
    pub handover: Duration,
    /// So long before a request ends a message that still waits for the link is answered:
    /// it is safely queued.
    pub answer_margin: Duration,
    /// How long a message may wait that does not say itself.
    pub default_validity: Duration,
    /// The longest that any message may wait.
    pub max_validity: Duration,
    /// How long the link may be away before watchers are told.
    pub link_grace: Duration,
    /// How long there may be no session before watchers are told.
    pub peer_grace: Duration,
    /// Stanzas that may wait for the link; more are refused with 507.
    pub max_queue: usize,
    /// Bytes of the stanzas that may wait for the link.
    pub max_queue_bytes: usize,
    /// The most bytes of a stanza that the XMPP server takes, by component; for those
    /// that are not named what servers take as a rule.
    pub max_stanza: BTreeMap<String, usize>,
    /// The server that each component is at, by component; those that are not named are at one.
    pub servers: BTreeMap<String, String>,
    /// Subscriptions kept, in each direction.
    pub max_watches: usize,
    /// Bytes of the addresses in them, of XMPP users who watch.
    pub max_watch_bytes: usize,
    /// Bytes of what is known of watched users, in each direction; beyond them without their texts.
    pub max_seen_bytes: usize,
    /// Messages whose outcome is awaited, in each direction.
    pub max_messages: usize,
    /// Bytes of what is kept of them, in each direction.
    pub max_message_bytes: usize,
    /// Questions to XMPP that may be open.
    pub max_queries: usize,
    /// Invitations whose answers may come.
    pub max_invitations: usize,
    /// Bytes of what is kept of them.
    pub max_invitation_bytes: usize,
    /// Bare JIDs of those who may command the node.
    pub operators: Vec<String>,
    /// What domains of XMPP may do at first.
    pub policies: Policies,
    /// What becomes of files; apart, since few messages bring one.
    pub files: Box<FileSettings>,
    /// Searches under way, in each direction, and those of SSP users whose further pages are kept.
    pub max_searches: usize,
    /// Bytes of what is kept of them, in each direction.
    pub max_search_bytes: usize,
    /// Bounds of rooms; apart, since few look at them.
    pub rooms: Box<RoomBounds>,
}

impl GatewaySettings {
    /// Whether two components are at the same server.
    pub(super) fn is_one_server(&self, one: &str, other: &str) -> bool {
        self.servers.get(one) == self.servers.get(other)
    }
}

/// Where files that messages bring are put, and what of XMPP's links is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// The upload service of the XMPP server; nothing: the one that its server names.
    pub upload: Option<String>,
    /// Whether this node has a store for files, for where the server has no service.
    pub keeps: bool,
    /// Messages that wait for their files, in each direction.
    pub max_held: usize,
    /// Bytes of them.
    pub max_held_bytes: usize,
    /// What is fetched of links in messages from XMPP.
    pub fetch: FetchTerms,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            upload: None,
            keeps: false,
            max_held: 1000,
            max_held_bytes: 64 << 20,
            fetch: FetchTerms::default(),
        }
    }
}

/// How much XMPP users may make grow by entering groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomBounds {
    /// Users in groups, each counted once for each group.
    pub max_occupants: usize,
    /// Bytes of what is kept of them.
    pub max_occupant_bytes: usize,
    /// Clients of one user in one group.
    pub max_sessions: usize,
    /// Names that one room shows.
    pub max_names: usize,
    /// Bytes of the names that all rooms show.
    pub max_name_bytes: usize,
    /// WV users in rooms of XMPP, each counted once for each room.
    pub max_visits: usize,
    /// Questions to groups that may be open.
    pub max_questions: usize,
    /// Messages to groups that are not answered.
    pub max_said: usize,
    /// Bytes of them, all rooms together.
    pub max_said_bytes: usize,
}

impl Default for RoomBounds {
    fn default() -> Self {
        Self {
            max_occupants: 20_000,
            max_occupant_bytes: 16 << 20,
            max_sessions: 16,
            max_names: 10_000,
            max_name_bytes: 32 << 20,
            max_visits: 20_000,
            max_questions: 10_000,
            max_said: 10_000,
            max_said_bytes: 32 << 20,
        }
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            auto_subscribed: false,
            strict_receipts: false,
            get_presence: false,
            settle: Duration::from_secs(2),
            handover: Duration::from_secs(60),
            answer_margin: Duration::from_secs(5),
            default_validity: Duration::from_secs(86_400),
            max_validity: Duration::from_secs(7 * 86_400),
            link_grace: Duration::from_secs(10),
            peer_grace: Duration::from_secs(60),
            max_queue: 20_000,
            max_queue_bytes: 64 << 20,
            max_stanza: BTreeMap::new(),
            servers: BTreeMap::new(),
            max_watches: 100_000,
            max_watch_bytes: 32 << 20,
            max_seen_bytes: 64 << 20,
            max_messages: 50_000,
            max_message_bytes: 32 << 20,
            max_queries: 10_000,
            max_invitations: 20_000,
            max_invitation_bytes: 16 << 20,
            operators: Vec::new(),
            policies: Policies::default(),
            files: Box::default(),
            max_searches: 1_000,
            max_search_bytes: 8 << 20,
            rooms: Box::default(),
        }
    }
}
