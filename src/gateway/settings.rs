//! What an operator decides about the gateway.

use std::collections::BTreeMap;

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
    /// Milliseconds in which an error of the XMPP side becomes the answer to the
    /// message; 0 answers as soon as the XMPP server has it.
    pub settle_millis: u64,
    /// Milliseconds after which a message that no client confirmed is reported as
    /// handed over, unless receipts are strict.
    pub handover_millis: u64,
    /// Milliseconds before a request ends at which a message that still waits
    /// for the link is answered: it is safely queued.
    pub answer_margin_millis: u64,
    /// Seconds a message may wait that does not say itself.
    pub default_validity: u64,
    /// Most seconds any message may wait.
    pub max_validity: u64,
    /// Milliseconds without the link after which watchers are told.
    pub link_grace_millis: u64,
    /// Milliseconds without a session after which watchers are told.
    pub peer_grace_millis: u64,
    /// Stanzas that may wait for the link; more are refused with 507.
    pub max_queue: usize,
    /// Bytes of the stanzas that may wait for the link.
    pub max_queue_bytes: usize,
    /// The most bytes of a stanza that the XMPP server takes, by component; for those
    /// that are not named what servers take as a rule.
    pub max_stanza: BTreeMap<String, usize>,
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
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            auto_subscribed: false,
            strict_receipts: false,
            get_presence: false,
            settle_millis: 2_000,
            handover_millis: 60_000,
            answer_margin_millis: 5_000,
            default_validity: 86_400,
            max_validity: 7 * 86_400,
            link_grace_millis: 10_000,
            peer_grace_millis: 60_000,
            max_queue: 20_000,
            max_queue_bytes: 64 << 20,
            max_stanza: BTreeMap::new(),
            max_watches: 100_000,
            max_watch_bytes: 32 << 20,
            max_seen_bytes: 64 << 20,
            max_messages: 50_000,
            max_message_bytes: 32 << 20,
            max_queries: 10_000,
        }
    }
}
