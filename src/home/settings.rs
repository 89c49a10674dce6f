//! What an operator decides about the home domain.

use std::collections::BTreeSet;
use std::time::Duration;

use super::group::GroupSettings;
use crate::imps::primitive::common::Logo;
use crate::imps::primitive::profile::ProfileService;
use crate::sap::profile::services_of;
use crate::sap::{PseTable, ServiceSet};

/// Who may see a user's presence without having been told by the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authorization {
    /// Members of the contact list; everybody else is put to the user as a question.
    #[default]
    Ask,
    /// Members of the contact list; nobody else, and the user is not asked.
    Contacts,
}

/// Settings of a home domain. Every number bounds a table or a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeSettings {
    /// The domain whose users live here, in lower case.
    pub domain: String,
    /// Name of the provider, for `GetSPInfoResponse`.
    pub name: Option<String>,
    /// The provider in words.
    pub description: Option<String>,
    /// The provider's site.
    pub url: Option<String>,
    /// The provider's logo.
    pub logo: Option<Logo>,
    /// Whether `echo@domain` exists and answers every message with itself.
    pub echo: bool,
    /// Services of a user whose profile says nothing else, with those who provide them; no
    /// other can be active.
    pub services: Vec<ProfileService>,
    /// Which domain provides what to whose users: what others provide to ours, and this domain to
    /// those of others.
    pub pse: PseTable,
    /// Whether another domain is the provider to be told of changed profiles.
    pub tells_profiles: bool,
    /// Whether there are other users. Without them this is no home domain, but what the
    /// echo user of a relay or gateway lives in.
    pub users: bool,
    /// What users who say nothing else are found by: names of criteria, as `USER_ALIAS`.
    pub found_by: BTreeSet<String>,
    /// Who may see presence.
    pub default_authorization: Authorization,
    /// How long a message waits at most for its recipient; also the validity given to messages
    /// of our users.
    pub offline_validity: Duration,
    /// After so long a subscription, a presence query or a notice is given up.
    pub request_validity: Duration,
    /// After so long without a way to a domain its users are shown as unknown.
    pub peer_grace: Duration,
    /// After so long without a client, and without anything that waits, a user is at rest: on disk
    /// only. `None`: users stay in memory.
    pub rest_after: Option<Duration>,
    /// What groups of this domain may be and may hold.
    pub groups: GroupSettings,
    /// Users of the domain.
    pub max_users: usize,
    /// Clients of one user at the same time.
    pub max_clients: usize,
    /// Addresses about which a user keeps something: contacts, decisions, subscriptions.
    pub max_contacts: usize,
    /// Entries of one user's block list and grant list together.
    pub max_access: usize,
    /// Contact lists of one user.
    pub max_lists: usize,
    /// Bytes of what one user tells of their presence, besides text, mood and alias.
    pub max_presence_bytes: usize,
    /// The same of all users together.
    pub max_all_presence_bytes: usize,
    /// Watchers of one user.
    pub max_watchers: usize,
    /// Messages that wait for one user until a client has taken them. Domains of senders that
    /// have only a small part of it may go beyond by an eighth; so with the bytes.
    pub max_offline: usize,
    /// Bytes of messages that wait for one user.
    pub max_offline_bytes: usize,
    /// Bytes of messages that wait for all users together.
    pub max_waiting_bytes: usize,
    /// Messages that wait for all users together.
    pub max_waiting: usize,
    /// Bytes of what waits for one user that are in memory; all of it is on disk.
    pub max_held_bytes: usize,
    /// The same of all users together.
    pub max_all_held_bytes: usize,
    /// Bytes that are read of it at once, for all users together.
    pub max_read_bytes: usize,
    /// What a client is told ahead of its acknowledgements.
    pub max_unacknowledged: usize,
    /// Bytes of it; what is begun with is told whole.
    pub max_unacknowledged_bytes: usize,
    /// Messages of which one user's inbox remembers that they were delivered, to recognise
    /// duplicates.
    pub max_remembered: usize,
    /// Reports and refusals that wait for one user; beyond it the oldest goes.
    pub max_notices: usize,
    /// Bytes of these reports and refusals.
    pub max_notice_bytes: usize,
    /// Reports and refusals that wait for all users together; beyond it the oldest of whoever gets
    /// one more goes.
    pub max_all_notices: usize,
    /// Invitations that one user has sent, and received; users of one other domain may send half
    /// of these.
    pub max_invitations: usize,
    /// Bytes of the invitations of one user.
    pub max_invitation_bytes: usize,
    /// Bytes of the invitations of all users together.
    pub max_all_invitation_bytes: usize,
    /// Requests of one user that wait for their answer.
    pub max_requests: usize,
    /// Searches that are open, of all users together; beyond it the oldest ends.
    pub max_searches: usize,
    /// Bytes of content in a message that a client of ours sends.
    pub max_content: usize,
}

impl HomeSettings {
    /// The defaults for a domain.
    pub fn new(domain: &str) -> Self {
        let own = ServiceSet::of_element(super::SERVES_OWN);
        let served = ServiceSet::of_element(super::SERVES).union(own);
        Self {
            services: services_of(served, &PseTable::default(), domain),
            pse: PseTable::default(),
            tells_profiles: false,
            domain: domain.to_ascii_lowercase(),
            name: None,
            description: None,
            url: None,
            logo: None,
            echo: false,
            users: true,
            found_by: BTreeSet::new(),
            default_authorization: Authorization::Ask,
            offline_validity: Duration::from_secs(7 * 86_400),
            request_validity: Duration::from_secs(120),
            peer_grace: Duration::from_secs(60),
            rest_after: None,
            groups: GroupSettings::default(),
            max_users: 100_000,
            max_clients: 8,
            max_contacts: 1000,
            max_access: 1000,
            max_lists: 32,
            max_presence_bytes: 64 * 1024,
            max_all_presence_bytes: 64 * 1024 * 1024,
            max_watchers: 1000,
            max_offline: 5000,
            max_offline_bytes: 16 * 1024 * 1024,
            max_waiting_bytes: 256 * 1024 * 1024,
            max_waiting: 500_000,
            max_held_bytes: 1024 * 1024,
            max_all_held_bytes: 32 * 1024 * 1024,
            max_read_bytes: 16 * 1024 * 1024,
            max_unacknowledged: 128,
            max_unacknowledged_bytes: 1024 * 1024,
            max_remembered: 1000,
            max_notices: 1000,
            max_notice_bytes: 256 * 1024,
            max_all_notices: 500_000,
            max_invitations: 200,
            max_invitation_bytes: 256 * 1024,
            max_all_invitation_bytes: 64 * 1024 * 1024,
            max_requests: 500,
            max_searches: 1000,
            max_content: 256 * 1024,
        }
    }

    /// Those of one shard of so many: of what is bounded for all users or groups together it has
    /// an equal part, rounded up.
    #[must_use]
    pub fn of_shard(&self, shards: u16) -> Self {
        let share = |all: usize| all.div_ceil(usize::from(shards.max(1)));
        Self {
            groups: GroupSettings {
                max_groups: share(self.groups.max_groups),
                max_outgoing_bytes: share(self.groups.max_outgoing_bytes),
                max_asked: share(self.groups.max_asked),
                ..self.groups.clone()
            },
            max_users: share(self.max_users),
            max_all_presence_bytes: share(self.max_all_presence_bytes),
            max_waiting_bytes: share(self.max_waiting_bytes),
            max_waiting: share(self.max_waiting),
            max_all_held_bytes: share(self.max_all_held_bytes),
            max_all_notices: share(self.max_all_notices),
            max_all_invitation_bytes: share(self.max_all_invitation_bytes),
            max_searches: share(self.max_searches),
            ..self.clone()
        }
    }

    /// Whether this domain provides a function (a leaf's name) to users of another home domain.
    pub(super) fn provides(&self, leaf: &str, home: &str) -> bool {
        home != self.domain && self.pse.find(leaf, home) == Some(&self.domain)
    }

    /// Whether another domain provides a function to our users.
    pub(super) fn is_elsewhere(&self, leaf: &str) -> bool {
        let pse = self.pse.find(leaf, &self.domain);
        pse.is_some_and(|pse| pse != self.domain)
    }

    /// Those who provide something to our users.
    pub(super) fn providers(&self) -> impl Iterator<Item = &str> {
        let ours =
            |(_, home, pse): &(ServiceSet, &str, &str)| *home == self.domain && *pse != self.domain;
        self.pse.iter().filter(ours).map(|(_, _, pse)| pse)
    }

    /// What groups are to know of it.
    pub(super) fn group_settings(&self) -> GroupSettings {
        GroupSettings {
            domain: self.domain.clone(),
            validity: self.offline_validity,
            request_validity: self.request_validity,
            ..self.groups.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_of_a_node_have_together_what_is_for_all_users() {
        let node = HomeSettings::new("home.test");
        assert_eq!(node.of_shard(1), node);
        for shards in [2, 3, 7, 64] {
            let shard = node.of_shard(shards);
            let parts = [
                (node.max_users, shard.max_users),
                (node.groups.max_groups, shard.groups.max_groups),
                (node.groups.max_asked, shard.groups.max_asked),
                (node.max_waiting, shard.max_waiting),
                (node.max_waiting_bytes, shard.max_waiting_bytes),
                (node.max_all_notices, shard.max_all_notices),
                (node.max_searches, shard.max_searches),
                (node.max_all_presence_bytes, shard.max_all_presence_bytes),
                (node.max_all_held_bytes, shard.max_all_held_bytes),
                (
                    node.max_all_invitation_bytes,
                    shard.max_all_invitation_bytes,
                ),
                (
                    node.groups.max_outgoing_bytes,
                    shard.groups.max_outgoing_bytes,
                ),
            ];
            for (all, part) in parts {
                let together = part * usize::from(shards);
                assert!(
                    all <= together && together < all + usize::from(shards),
                    "{part} in each of {shards} for {all}"
                );
            }
            // What one user may have is the same everywhere.
            assert_eq!(shard.max_offline, node.max_offline);
            assert_eq!(shard.groups.max_owned, node.groups.max_owned);
        }
    }
}
