//! Presence on demand (xmpp-mapping, 3.2).

use super::super::presence::{WatchedXmpp, names_of, within};
use super::super::records::Pair;
use super::super::shared::Shared;
use super::super::shares::domain_of;
use crate::element::RequestId;
use crate::imps::common::PresenceValue;
use crate::imps::presence::AttributeName;
use crate::imps::primitive::presence::{GetPresenceRequest, GetPresenceResponse};
use crate::imps::{Address, Code, Status};

/// A question for presence that waits for what probes bring.
#[derive(Debug)]
pub(super) struct PresenceQuery {
    request: RequestId,
    watcher: Address,
    names: Vec<AttributeName>,
    /// In the order asked for.
    users: Vec<Address>,
    failures: Vec<(Code, Address)>,
    /// Whose presence is to be probed for.
    open: Vec<Pair>,
}

impl PresenceQuery {
    pub(super) fn new(
        request: &GetPresenceRequest,
        watcher: &Address,
        id: RequestId,
        users: &WatchedXmpp,
        shared: &Shared,
    ) -> Self {
        let mut query = Self {
            request: id,
            watcher: watcher.clone(),
            names: names_of(request.attributes.as_ref()),
            users: Vec::new(),
            failures: Vec::new(),
            open: Vec::new(),
        };
        for user in request.users.iter().map(|user| &user.user) {
            query.users.push(user.clone());
            match users.pair(user, watcher, &shared.translator) {
                Err(code) => query.failures.push((code, user.clone())),
                Ok(pair) if !shared.gate.may_see(domain_of(&pair.xmpp)) => {
                    query.failures.push((Code::FORBIDDEN, user.clone()));
                }
                Ok(pair) => {
                    if users.seen(&pair).is_some_and(|seen| !seen.known) {
                        query.open.push(pair);
                    }
                }
            }
        }
        query
    }

    /// Whose presence it waits for.
    pub(super) fn open(&self) -> &[Pair] {
        &self.open
    }

    /// Something was heard of the pair; whether it waited for just that.
    pub(super) fn heard(&mut self, pair: &Pair) -> bool {
        let before = self.open.len();
        self.open.retain(|open| open != pair);
        before > 0 && self.open.is_empty()
    }

    /// Answers with what is known by now.
    pub(super) fn answer(&self, users: &WatchedXmpp, shared: &mut Shared) {
        let mut values = Vec::new();
        let has_failed = |user: &&Address| self.failures.iter().any(|(_, failed)| failed == *user);
        for user in self.users.iter().filter(|user| !has_failed(user)) {
            let Ok(pair) = users.pair(user, &self.watcher, &shared.translator) else {
                continue;
            };
            let Some(seen) = users.seen(&pair) else {
                // Not authorized: nothing is said of the user.
                continue;
            };
            let table = &shared.translator.mappings.presence;
            let visible = shared.accounts.visible(&pair);
            let names = within(&self.names, visible);
            if names.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            let names = names.as_ref().unwrap_or(&self.names);
            let list = seen.to_ssp(table, user, names, None);
            values.push(PresenceValue {
                user: user.clone(),
                presence: Some(list),
            });
        }
        let response = GetPresenceResponse {
            status: Some(Status::of_users(self.users.len(), self.failures.clone())),
            values,
        };
        shared.respond(self.request, response);
    }
}
