//! Others' subscriptions to our users' presence (wire profile, 9.2.1, 9.2.2, 9.2.4).

use crate::sap::element::{Act, Time};
use crate::ssp::address::Address;
use crate::ssp::common::{AttributeList, PresenceValue};
use crate::ssp::primitive::presence::{
    GetPresenceRequest, GetPresenceResponse, SubscribeRequest, UnsubscribeRequest,
};
use crate::ssp::status::{Code, Status};

use super::client::{Event, Standing};
use super::core::respond;
use super::profile;
use super::relation::{Shown, Watcher};
use super::settings::Authorization;
use super::{Caller, Home};

/// Attributes of one subscription; those beyond have no meaning to us anyway.
const MAX_ATTRIBUTES: usize = 64;
/// Characters of a name that are kept.
const MAX_NAME: usize = 64;

impl Home {
    /// Puts the requestor on the watcher lists, answers, and shows him what he may see.
    pub(super) fn serve_subscribe(
        &mut self,
        caller: &Caller,
        request: &SubscribeRequest,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let Some(watcher) = Self::requestor(caller, out) else {
            return;
        };
        let attributes = names(request.attributes.as_ref());
        let mut failures = Vec::new();
        let mut subscribed: Vec<String> = Vec::new();
        for id in &request.users {
            let publisher = self.core.at_home(&id.user);
            match self.add_watcher(&watcher, &publisher, &attributes, out) {
                Ok(name) if subscribed.contains(&name) => {}
                Ok(name) => subscribed.push(name),
                Err(code) => failures.push((code, publisher)),
            }
        }
        let status = Status::of_users(request.users.len(), failures);
        respond(caller.id, status, out);
        for name in subscribed {
            if let Some(user) = self.users.get_mut(&name) {
                user.show(&mut self.core, &watcher, true, now, out);
            }
        }
    }

    /// Takes the requestor off the watcher lists.
    pub(super) fn serve_unsubscribe(
        &mut self,
        caller: &Caller,
        request: &UnsubscribeRequest,
        out: &mut Vec<Act>,
    ) {
        let Some(watcher) = Self::requestor(caller, out) else {
            return;
        };
        let mut failures = Vec::new();
        for id in &request.users {
            let publisher = self.core.at_home(&id.user);
            match self.known_user(&publisher) {
                Ok(name) => {
                    if let Some(user) = self.users.get_mut(&name)
                        && user.relations.contains_key(&watcher)
                    {
                        user.relate(&watcher, out, |relation| relation.watcher = None);
                    }
                }
                Err(code) => failures.push((code, publisher)),
            }
        }
        let status = Status::of_users(request.users.len(), failures);
        respond(caller.id, status, out);
    }

    /// Answers with what the requestor may see now. He does not become a watcher, and nobody is
    /// asked.
    pub(super) fn serve_get_presence(
        &self,
        caller: &Caller,
        request: &GetPresenceRequest,
        out: &mut Vec<Act>,
    ) {
        let Some(watcher) = Self::requestor(caller, out) else {
            return;
        };
        let attributes = names(request.attributes.as_ref());
        let mut failures = Vec::new();
        let mut values = Vec::new();
        for id in &request.users {
            let publisher = self.core.at_home(&id.user);
            let name = match self.known_user(&publisher) {
                Ok(name) => name,
                Err(code) => {
                    failures.push((code, publisher));
                    continue;
                }
            };
            let user = self.users.get(&name);
            if !user.is_none_or(|user| user.may_use(&self.core, profile::PRESENCE)) {
                failures.push((Code::UNAUTHORIZED_RECIPIENT, publisher));
            } else if let Some(user) = user
                && user.standing(&self.core, &watcher) == Standing::Authorized
            {
                values.push(PresenceValue {
                    user: publisher,
                    presence: Some(user.values(&self.core, &attributes)),
                });
            }
        }
        let response = GetPresenceResponse {
            status: Some(Status::of_users(request.users.len(), failures)),
            values,
        };
        respond(caller.id, response, out);
    }

    /// The name of a user of ours, or why there is none.
    pub(super) fn known_user(&self, address: &Address) -> Result<String, Code> {
        let name = self.core.local_name(address)?;
        match self.users.get(name) {
            Some(user) => Ok(user.name.clone()),
            None => Err(Code::UNKNOWN_USER),
        }
    }

    fn add_watcher(
        &mut self,
        watcher: &Address,
        publisher: &Address,
        attributes: &[String],
        out: &mut Vec<Act>,
    ) -> Result<String, Code> {
        let name = self.known_user(publisher)?;
        let core = &mut self.core;
        let user = self.users.get_mut(&name).ok_or(Code::UNKNOWN_USER)?;
        if !user.may_use(core, profile::PRESENCE) {
            return Err(Code::UNAUTHORIZED_RECIPIENT);
        }
        let before = user.relations.get(watcher).and_then(|r| r.watcher.as_ref());
        if before.is_none() && user.watchers >= core.settings.max_watchers {
            return Err(Code::UNAVAILABLE);
        }
        let was_asked = before.is_some_and(|before| before.asked);
        let asks = user.standing(core, watcher) == Standing::Unknown
            && core.settings.default_authorization == Authorization::Ask;
        user.relate(watcher, out, |relation| {
            relation.watcher = Some(Watcher {
                attributes: attributes.to_vec(),
                asked: was_asked || asks,
                shown: Shown::Unsure,
            });
        });
        if asks {
            let user_asking = watcher.clone();
            user.tell(core, &Event::AuthorizationRequest { user: user_asking });
        }
        Ok(name)
    }
}

/// Names of the attributes asked for, sorted; none means all.
fn names(list: Option<&AttributeList>) -> Vec<String> {
    let mut names: Vec<String> = list
        .and_then(|list| list.presence.as_ref())
        .map(|list| {
            list.attributes
                .iter()
                .take(MAX_ATTRIBUTES)
                .map(|attribute| attribute.name.as_str().chars().take(MAX_NAME).collect())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names.dedup();
    names
}
