//! What keeps groups in step with who exists and who is reached: users who are no more, domains to
//! which no way leads for long.

use std::collections::BTreeMap;

use crate::element::{Act, Time, Token};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::{MetaInfo, UserId};
use crate::imps::primitive::common::{Id, IdList, VerifyIDRequest};
use crate::imps::status::{Code, Status};

use super::again::Repetition;
use super::core::{Asked, Core, Timer};
use super::joining::Joining;
use super::outgoing::recipients;
use super::person::Person;
use super::{Group, forget_if_over, records};

/// The member's side has left for them, or is gone.
const GONE: Code = Code(824);

/// All groups, at one time.
pub(in crate::home) struct Healing<'a> {
    pub(super) all: &'a mut BTreeMap<String, Group>,
    pub(super) core: &'a mut Core,
    pub(super) now: Time,
}

impl Healing<'_> {
    /// The answer to a request of a group. Says whether it was one.
    pub(in crate::home) fn answer(&mut self, token: Token, answer: &Primitive) -> bool {
        let Some(asked) = self.core.answered(token) else {
            return false;
        };
        if let Some(status) = answer.verdict() {
            self.hear(asked, status);
        }
        true
    }

    /// A message of a group was taken over, and this is known of it: those who are known not to get
    /// it need not wait for what becomes of the others. Says whether it is one of a group.
    pub(in crate::home) fn taken_over(&mut self, token: Token, known: &Primitive) -> bool {
        if !self.core.has_asked(token) {
            return false;
        }
        if let Some(status) = known.verdict().filter(|known| !known.details.is_empty())
            && let Some(asked) = self.core.answered(token)
        {
            let left = match &asked {
                Asked::Message(group, Some(sent)) => {
                    sent.without(status).map(|left| (group.clone(), left))
                }
                _ => None,
            };
            self.hear(asked, status);
            if let Some((group, left)) = left {
                self.core.act(records::put_sent(&group, token, &left));
                self.core.await_answer(&group, token, left);
            }
        }
        self.core.is_taken_over(token);
        true
    }

    /// Takes what was answered to a request of a group.
    fn hear(&mut self, asked: Asked, status: &Status) {
        let is_unknown = |code: Code| matches!(code, Code::UNKNOWN_USER | Code::INVALID_USER);
        let details = status.details.iter();
        let mut details = details.filter(|detail| is_unknown(detail.code));
        match asked {
            Asked::Message(name, sent) => {
                let to = sent
                    .as_ref()
                    .map_or_else(Vec::new, |sent| recipients(&sent.primitive));
                let only = match &to[..] {
                    [only] => Some(only.clone()),
                    _ => None,
                };
                let said = details.flat_map(|detail| detail.users.iter().map(|id| id.user.clone()));
                let only = only.filter(|_| is_unknown(status.code));
                let unknown: Vec<Address> = said.chain(only).collect();
                self.ask_whether_they_exist(&name, unknown);
                if let (Some(sent), Some(group)) = (sent, self.all.get_mut(&name)) {
                    Repetition::of(group, self.core, self.now).answered(sent, status);
                }
            }
            Asked::Exists(name, user) => {
                let is_gone = is_unknown(status.code) || details.next().is_some();
                if is_gone && let Some(group) = self.all.get_mut(&name) {
                    if let Some(left_out) = self.core.seldom.may("no more", self.now.0) {
                        tracing::info!(group = name, user = %user, left_out, "a user of a group is no more");
                    }
                    Joining::of(group, self.core, self.now)
                        .expel(std::slice::from_ref(&user), GONE);
                    forget_if_over(self.all, &name);
                }
            }
        }
    }

    /// Somebody said that these do not exist: only their own domain is believed.
    fn ask_whether_they_exist(&mut self, name: &str, users: Vec<Address>) {
        let Some(group) = self.all.get(name) else {
            return;
        };
        for user in users {
            if !group.is_joined(&user) {
                continue;
            }
            let Some(token) = self.core.ask_about(name, &user) else {
                continue;
            };
            let request = VerifyIDRequest {
                meta: Some(MetaInfo::of_server(self.core.domain())),
                ids: IdList {
                    ids: vec![Id::User(UserId { user })],
                },
            };
            self.core.act(Act::Request {
                token,
                primitive: request.into(),
                expires: self.now.plus(self.core.settings.request_validity),
            });
        }
    }

    /// A user is no more.
    pub(in crate::home) fn user_removed(&mut self, user: &Address) {
        for group in self.all.values_mut() {
            if group.owns(user) {
                group.sheet.owner = None;
                group.save(self.core);
                self.core.owns_less(user);
            }
            if group.people.contains_key(user) {
                Joining::of(group, self.core, self.now).expel(std::slice::from_ref(user), GONE);
                group.change(self.core, user, |person| *person = Person::default());
            }
        }
        self.all.retain(|_, group| !group.is_over);
    }

    /// The way to some domains was lost.
    pub(in crate::home) fn lost(&mut self, domains: &[String]) {
        for domain in domains {
            if self.core.away.contains_key(domain) || !self.concerns(domain) {
                continue;
            }
            self.core.act(records::put_away(domain, self.now));
            is_away(self.core, domain, self.now);
        }
    }

    /// The way to some domains is there again.
    pub(in crate::home) fn reached(&mut self, domains: &[String]) {
        for domain in domains {
            if self.core.away.remove(domain).is_some() {
                self.core.act(records::delete_away(domain));
            }
        }
    }

    /// A domain was not reached for long: its users have left.
    pub(super) fn is_away_for_long(&mut self, domain: &str) {
        let since = self.core.away.get(domain);
        let long = self.core.settings.away;
        if since.is_none_or(|since| self.now < since.plus(long)) {
            return;
        }
        self.core.away.remove(domain);
        self.core.act(records::delete_away(domain));
        for group in self.all.values_mut() {
            let users = group.users_of(domain);
            if !users.is_empty() {
                tracing::info!(
                    group = group.name,
                    users = users.len(),
                    domain,
                    "users of a domain that is not reached have left a group"
                );
                Joining::of(group, self.core, self.now).expel(&users, GONE);
            }
        }
        self.all.retain(|_, group| !group.is_over);
    }

    fn concerns(&self, domain: &str) -> bool {
        let mut groups = self.all.values();
        groups.any(|group| !group.users_of(domain).is_empty())
    }
}

/// Users of a domain are not reached since then.
pub(super) fn is_away(core: &mut Core, domain: &str, since: Time) {
    core.away.insert(domain.to_owned(), since);
    let at = since.plus(core.settings.away);
    let timer = Timer::Away(domain.to_owned());
    core.timers.insert((at, timer));
}
