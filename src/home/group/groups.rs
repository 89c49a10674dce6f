//! All groups of the home domain: which of them a primitive is for.

use std::collections::{BTreeMap, BTreeSet};

use crate::element::{Act, RequestId, Skew, Time, Token};
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{MetaInfo, Property, Recipient, UserId};
use crate::imps::primitive::common::{Id, IdList, VerifyIDRequest};
use crate::imps::primitive::group::GroupProperties;
use crate::imps::primitive::group_admin::CreateGroupRequest;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::status::{Code, Status};

use super::administration::Administration;
use super::changes::Changes;
use super::core::Asked;
use super::core::{Core, Timer};
use super::joining::{Joining, TOO_MANY_GROUPS, left};
use super::messages::{Messages, Target};
use super::outgoing::{Distribution, Outgoing};
use super::person::{Person, Role};
use super::posts::Post;
use super::properties::Properties;
use super::records;
use super::search::Searches;
use super::settings::GroupSettings;
use super::{Asker, Group, INVALID_PROPERTIES, Sheet};

/// There is such a group.
const GROUP_EXISTS: Code = Code(801);
/// The domain has too many groups.
const DOMAIN_FULL: Code = Code(815);
/// The member's side has left for them, or is gone.
const GONE: Code = Code(824);
/// Answers waited for; beyond it who does not exist is found out later. Our choice.
const MAX_ASKED: usize = 100_000;

/// Why an operator cannot change groups so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The name cannot stand in an address.
    #[error("{0:?} is not a possible name of a group of the provider")]
    Name(String),
    /// The address names no user.
    #[error("{0} is not the address of a user")]
    User(Address),
    /// A property that there is not, or not with this value.
    #[error("a property is unknown, or its value is impossible")]
    Properties,
    /// There is one of that name.
    #[error("the group {0} exists already")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no group {0}")]
    Unknown(String),
    /// The bound of the settings is reached.
    #[error("there is no room for another group")]
    Full,
}

/// All groups.
#[derive(Debug)]
pub(in crate::home) struct Groups {
    /// By name, as in [`Group`].
    all: BTreeMap<String, Group>,
    searches: Searches,
    core: Core,
}

/// Who asks, and to whom the answer goes.
#[derive(Debug, Clone, Copy)]
pub(in crate::home) struct From<'a> {
    /// To answer with; `None` for a notice.
    pub(in crate::home) id: Option<RequestId>,
    /// The requesting home domain.
    pub(in crate::home) domain: &'a str,
    /// The requesting user, if a user asks.
    pub(in crate::home) user: Option<&'a Address>,
}

/// A message for a group, and what is to be done with it.
#[derive(Debug)]
pub(in crate::home) struct ForGroup {
    /// The group, as it was named.
    pub(in crate::home) address: Address,
    /// Whom it is for; or why it is for nobody.
    verdict: Result<Target, Code>,
}

/// A group as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GroupView {
    /// Its address.
    pub group: Address,
    /// Who owns it; nobody owns a group of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Address>,
    /// The properties, as on the wire.
    pub properties: BTreeMap<String, String>,
    /// Members with their roles.
    pub members: BTreeMap<Address, &'static str>,
    /// Those who are joined, with the names they are shown by.
    pub joined: BTreeMap<Address, String>,
    /// Those on the reject list.
    pub rejected: Vec<Address>,
    /// What is still to be handed on.
    pub outgoing: usize,
}

impl ForGroup {
    /// It is refused with the rest of its message.
    pub(in crate::home) fn refuse(&mut self, code: Code) {
        self.verdict = Err(code);
    }

    /// Why the group does not take it.
    pub(in crate::home) fn failure(&self) -> Option<Code> {
        self.verdict.as_ref().err().copied()
    }
}

impl Groups {
    /// No groups yet. `seed` must be random and fresh at every start.
    pub(in crate::home) fn new(settings: GroupSettings, seed: u64) -> Self {
        Self {
            all: BTreeMap::new(),
            searches: Searches::default(),
            core: Core::new(settings, seed),
        }
    }

    /// The next thing that is to be done.
    pub(in crate::home) fn next_act(&mut self) -> Option<Act> {
        self.core.next_act()
    }

    /// When [`Groups::timeout`] wants to be called.
    pub(in crate::home) fn next_timeout(&self) -> Option<Time> {
        self.core.timers.first().map(|(at, _)| *at)
    }

    /// Does what is due.
    pub(in crate::home) fn timeout(&mut self, now: Time) {
        while let Some((at, _)) = self.core.timers.first()
            && *at <= now
            && let Some((_, timer)) = self.core.timers.pop_first()
        {
            match timer {
                Timer::Group(name) => self.is_due(&name, now),
                Timer::Away(domain) => self.is_away_for_long(&domain, now),
            }
        }
    }

    /// Says how the wall clock stands.
    pub(in crate::home) fn set_skew(&mut self, skew: Skew) {
        self.core.skew = skew;
    }

    /// Serves a request about a group, or a search for groups.
    pub(in crate::home) fn serve(&mut self, caller: From<'_>, primitive: Primitive, now: Time) {
        let about = group_of(&primitive).map(|address| self.core.at_home(address));
        if about.is_none() && !is_search(&primitive) {
            return self
                .core
                .respond(caller.id, Status::new(Code::NOT_IMPLEMENTED));
        }
        let Some(user) = caller.user.cloned() else {
            let status = Status::new(Code::BAD_PARAMETER).because("No user is asking.");
            return self.core.respond(caller.id, status);
        };
        if user.kind() != Kind::User {
            return self.core.respond(caller.id, Status::new(Code::ADDRESS));
        }
        let asker = Asker {
            id: caller.id,
            user,
        };
        let Some(address) = about else {
            return self.search(&asker, &primitive, now);
        };
        if let Primitive::CreateGroupRequest(request) = primitive {
            return self.create(&asker, &address, &request, now);
        }
        let Some(group) = find(&mut self.all, self.core.domain(), &address) else {
            let status = Status::new(Code::NO_GROUP);
            return match primitive {
                Primitive::LeaveGroupRequest(_) => {
                    self.core.respond(asker.id, left(&address, Code::NO_GROUP));
                }
                _ => self.core.respond(asker.id, status),
            };
        };
        match primitive {
            Primitive::JoinGroupRequest(request) => {
                Joining::of(group, &mut self.core, now).join(&asker, &request);
            }
            Primitive::LeaveGroupRequest(_) => {
                Joining::of(group, &mut self.core, now).leave(&asker);
            }
            Primitive::SubscribeGroupChangeRequest(_) => {
                Changes::of(group, &mut self.core, now).subscribe(&asker, true);
            }
            Primitive::UnsubscribeGroupChangeRequest(_) => {
                Changes::of(group, &mut self.core, now).subscribe(&asker, false);
            }
            Primitive::GetGroupSubStatusRequest(_) => {
                Changes::of(group, &mut self.core, now).status(&asker);
            }
            other => administer(group, &mut self.core, &asker, other, now),
        }
        self.forget_if_over(&address);
    }

    fn search(&mut self, asker: &Asker, primitive: &Primitive, now: Time) {
        let (searches, core) = (&mut self.searches, &mut self.core);
        match primitive {
            Primitive::SearchRequest(request) => {
                searches.search(&self.all, core, asker, request, now);
            }
            Primitive::StopSearchRequest(request) => {
                searches.stop(core, asker, &request.search_id, now);
            }
            _ => {}
        }
    }

    fn create(
        &mut self,
        asker: &Asker,
        address: &Address,
        request: &CreateGroupRequest,
        now: Time,
    ) {
        let (name, user) = (address.local(), &asker.user);
        let made = self.may_create(user, address).and_then(|()| {
            let empty = GroupProperties {
                properties: Vec::new(),
                welcome: None,
            };
            let given = request.properties.as_ref().unwrap_or(&empty);
            let sheet = Sheet {
                owner: Some(user.clone()),
                created: now,
                properties: Properties::default().with(given, &self.core.settings)?,
                closing: false,
            };
            let mut group = Group::new(name, sheet);
            let screen_name = request.screen_name.as_ref();
            let seat = Joining::of(&mut group, &mut self.core, now).seat(
                user,
                screen_name,
                request.own.as_deref(),
            );
            let seat = request.join.then_some(seat).transpose()?;
            if seat.is_some() && self.core.joined_by(user) >= self.core.settings.max_joined {
                return Err(TOO_MANY_GROUPS);
            }
            Ok((group, seat))
        });
        let (mut group, seat) = match made {
            Ok(made) => made,
            Err(code) => return self.core.respond(asker.id, Status::new(code)),
        };
        group.save(&mut self.core);
        self.core.owns(user);
        if let Some(seat) = seat {
            Joining::of(&mut group, &mut self.core, now).sit(user, seat, request.subscribe);
        }
        end_in_time(&group, &mut self.core);
        self.core.respond(asker.id, Status::ok());
        self.all.insert(name.to_owned(), group);
    }

    fn may_create(&self, user: &Address, address: &Address) -> Result<(), Code> {
        let settings = &self.core.settings;
        let is_own = user.domain() == self.core.domain() || settings.homes.contains(user.domain());
        if address.domain() != self.core.domain() {
            Err(Code::DOMAIN_NOT_SUPPORTED)
        } else if !settings.private || !is_own {
            Err(Code::FORBIDDEN)
        } else if !address.is_valid()
            || address.kind() != Kind::Resource
            || address.user_part() != user.local()
        {
            Err(INVALID_PROPERTIES)
        } else if self.all.contains_key(address.local()) {
            Err(GROUP_EXISTS)
        } else if self.all.len() >= settings.max_groups {
            Err(DOMAIN_FULL)
        } else if self.core.owned_by(user) >= settings.max_owned {
            Err(TOO_MANY_GROUPS)
        } else {
            Ok(())
        }
    }

    /// Takes the recipients that are groups out of a message, with what is to be done.
    pub(in crate::home) fn take_out(
        &self,
        caller: From<'_>,
        request: &mut SendMessageRequest,
    ) -> Vec<ForGroup> {
        let is_group = |to: &Recipient| match to {
            Recipient::Group(_) | Recipient::ScreenName(_) => true,
            // Quirk A-14: a group can stand where a user should.
            Recipient::User(user) => user.user.kind() == Kind::Resource,
            Recipient::ContactList(_) => false,
        };
        if !request.info.recipients.iter().any(is_group) {
            return Vec::new();
        }
        let (of_groups, others) = std::mem::take(&mut request.info.recipients)
            .into_iter()
            .partition::<Vec<_>, _>(is_group);
        request.info.recipients = others;
        let mut seen = BTreeSet::new();
        let verdicts = of_groups.iter().map(|to| {
            let address = self.core.at_home(to.address());
            let name = match to {
                Recipient::ScreenName(name) => name.name.as_str(),
                _ => "",
            };
            let verdict = if seen.insert((address.clone(), name)) {
                self.verdict(caller, request, (&address, to))
            } else {
                Ok(Target::Nobody)
            };
            ForGroup { address, verdict }
        });
        verdicts.collect()
    }

    fn verdict(
        &self,
        caller: From<'_>,
        request: &SendMessageRequest,
        (address, to): (&Address, &Recipient),
    ) -> Result<Target, Code> {
        let user = caller.user.ok_or(Code::INVALID_USER)?;
        let sender = request.info.sender.as_ref();
        let sender = sender.and_then(|sender| sender.user.as_ref());
        if sender.is_some_and(|sender| sender.user.clone().or_domain(caller.domain) != *user) {
            return Err(Code::INVALID_USER);
        }
        if address.domain() != self.core.domain() {
            return Err(Code::DOMAIN_NOT_SUPPORTED);
        }
        let group = self.all.get(address.local());
        let group = group.filter(|group| !group.sheet.closing);
        let group = group.ok_or(Code::NO_GROUP)?;
        Target::of(group, &self.core, user, request, to)
    }

    /// Hands a message to its groups, after it was answered.
    pub(in crate::home) fn take_messages(
        &mut self,
        caller: From<'_>,
        request: &SendMessageRequest,
        messages: Vec<ForGroup>,
        now: Time,
    ) {
        for message in messages {
            let id = request.info.message_id.clone().unwrap_or_default();
            match (message.verdict, caller.user) {
                (Ok(target), Some(user)) => {
                    if let Some(group) = self.all.get_mut(message.address.local()) {
                        Messages::of(group, &mut self.core, now).take(user, request, &target);
                    }
                }
                (Err(code), _) => self.core.act(super::messages::refused(id, code)),
                (Ok(_), None) => {}
            }
        }
    }

    /// Whether there is such a group, or such a participant of one.
    pub(in crate::home) fn has(&self, address: &Address, name: Option<&str>) -> bool {
        let address = self.core.at_home(address);
        let group = self.all.get(address.local());
        let group =
            group.filter(|group| address.domain() == self.core.domain() && !group.sheet.closing);
        group.is_some_and(|group| name.is_none_or(|name| group.named(name).is_some()))
    }

    /// The answer to a request of a group. Says whether it was one.
    pub(in crate::home) fn answer(&mut self, token: Token, answer: &Primitive, now: Time) -> bool {
        let Some(asked) = self.core.asked.remove(&token) else {
            return false;
        };
        let Some(status) = answer.verdict() else {
            return true;
        };
        let is_unknown = |code: Code| matches!(code, Code::UNKNOWN_USER | Code::INVALID_USER);
        match asked {
            Asked::Message(name, only) => {
                let details = status.details.iter();
                let details = details.filter(|detail| is_unknown(detail.code));
                let said = details.flat_map(|detail| detail.users.iter().map(|id| id.user.clone()));
                let only = only.filter(|_| is_unknown(status.code));
                let unknown: Vec<Address> = said.chain(only).collect();
                self.ask_whether_they_exist(&name, unknown, now);
            }
            Asked::Exists(name, user) => {
                let mut details = status.details.iter();
                let is_gone =
                    is_unknown(status.code) || details.any(|detail| is_unknown(detail.code));
                if is_gone && let Some(group) = self.all.get_mut(&name) {
                    tracing::info!(group = name, user = %user, "a user of a group is no more");
                    Joining::of(group, &mut self.core, now)
                        .expel(std::slice::from_ref(&user), GONE);
                    forget_if_over(&mut self.all, &name);
                }
            }
        }
        true
    }

    /// Somebody said that these do not exist: only their own domain is believed.
    fn ask_whether_they_exist(&mut self, name: &str, users: Vec<Address>, now: Time) {
        let Some(group) = self.all.get(name) else {
            return;
        };
        for user in users {
            if !group.is_joined(&user) || self.core.asked.len() >= MAX_ASKED {
                continue;
            }
            let token = self.core.token();
            let asked = Asked::Exists(name.to_owned(), user.clone());
            if self.core.asked.values().any(|known| *known == asked) {
                continue;
            }
            self.core.asked.insert(token, asked);
            let request = VerifyIDRequest {
                meta: Some(MetaInfo::of_server(self.core.domain())),
                ids: IdList {
                    ids: vec![Id::User(UserId { user })],
                },
            };
            self.core.act(Act::Request {
                token,
                primitive: request.into(),
                expires: now.plus_seconds(self.core.settings.request_validity),
            });
        }
    }

    /// Something of a group is due.
    fn is_due(&mut self, name: &str, now: Time) {
        let Some(group) = self.all.get_mut(name) else {
            return;
        };
        Distribution::of(group, &mut self.core, now).go_on();
        if group.ends().is_some_and(|ends| ends <= now) {
            Joining::of(group, &mut self.core, now).end();
        }
        Joining::of(group, &mut self.core, now).forget_if_told();
        forget_if_over(&mut self.all, name);
    }

    /// A user is no more.
    pub(in crate::home) fn user_removed(&mut self, user: &Address, now: Time) {
        for group in self.all.values_mut() {
            if group.owns(user) {
                group.sheet.owner = None;
                group.save(&mut self.core);
                self.core.owns_less(user);
            }
            if group.people.contains_key(user) {
                Joining::of(group, &mut self.core, now).expel(std::slice::from_ref(user), GONE);
                group.change(&mut self.core, user, |person| *person = Person::default());
            }
        }
        self.all.retain(|_, group| !group.is_over);
    }

    /// The way to some domains was lost.
    pub(in crate::home) fn lost(&mut self, domains: &[String], now: Time) {
        for domain in domains {
            if self.core.away.contains_key(domain) || !self.concerns(domain) {
                continue;
            }
            self.core.act(records::put_away(domain, now));
            is_away(&mut self.core, domain, now);
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
    fn is_away_for_long(&mut self, domain: &str, now: Time) {
        let since = self.core.away.get(domain);
        let long = self.core.settings.away;
        if since.is_none_or(|since| now < since.plus_seconds(long)) {
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
                Joining::of(group, &mut self.core, now).expel(&users, GONE);
            }
        }
        self.all.retain(|_, group| !group.is_over);
    }

    /// Domains whose users are joined, and those that are not reached.
    pub(in crate::home) fn concerned(&self, domains: &mut BTreeSet<String>) {
        domains.extend(self.core.away.keys().cloned());
        for group in self.all.values() {
            for place in group.joined.keys() {
                if !domains.contains(&place.domain) {
                    domains.insert(place.domain.clone());
                }
            }
        }
    }

    fn concerns(&self, domain: &str) -> bool {
        let mut groups = self.all.values();
        groups.any(|group| !group.users_of(domain).is_empty())
    }

    /// Takes back one record.
    pub(in crate::home) fn take_back(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let unknown = || format!("{key} is not a record of the home domain");
        if let Some(domain) = key.strip_prefix(records::AWAY) {
            let since = records::read::<Time>(key, value)?;
            is_away(&mut self.core, domain, since);
            return Ok(());
        }
        let (name, of_it) = records::parts(key).ok_or_else(unknown)?;
        let Some((section, rest)) = of_it else {
            let sheet: Sheet = records::read(key, value)?;
            let group = Group::new(name, sheet);
            if let Some(owner) = &group.sheet.owner {
                self.core.owns(owner);
            }
            if group.sheet.closing {
                let timer = Timer::Group(name.to_owned());
                self.core.timers.insert((Time(0), timer));
            }
            end_in_time(&group, &mut self.core);
            self.all.insert(name.to_owned(), group);
            return Ok(());
        };
        let Some(group) = self.all.get_mut(name) else {
            return Ok(());
        };
        let number = || rest.parse::<u64>().map_err(|_| unknown());
        match section {
            "person" => {
                let person: Person = records::read(key, value)?;
                group.put(&mut self.core, &Address::new(rest), person);
            }
            "post" => {
                let (number, post) = (number()?, records::read::<Post>(key, value)?);
                group.numbered = group.numbered.max(number);
                group.posts.insert(number, post);
            }
            "outgoing" => {
                let number = number()?;
                let outgoing: Outgoing = records::read(key, value)?;
                Distribution::of(group, &mut self.core, Time(0)).restore(number, outgoing);
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// Makes a group of the provider, or changes its properties: names and values as on the wire.
    pub(in crate::home) fn provide(
        &mut self,
        name: &str,
        properties: &[(String, String)],
        now: Time,
    ) -> Result<(), GroupError> {
        let (key, _) = provided(&self.core, name)?;
        let given = GroupProperties {
            properties: properties
                .iter()
                .map(|(name, value)| Property {
                    name: name.clone(),
                    value: Some(value.clone()),
                })
                .collect(),
            welcome: None,
        };
        let settings = &self.core.settings;
        let old = Properties::default();
        let properties = old
            .with(&given, settings)
            .map_err(|_| GroupError::Properties)?;
        if self.all.contains_key(&key) {
            return Err(GroupError::Exists(key));
        }
        if self.all.len() >= settings.max_groups {
            return Err(GroupError::Full);
        }
        let sheet = Sheet {
            owner: None,
            created: now,
            properties,
            closing: false,
        };
        let group = Group::new(&key, sheet);
        group.save(&mut self.core);
        end_in_time(&group, &mut self.core);
        self.all.insert(key, group);
        Ok(())
    }

    /// Gives somebody a role in a group, as an operator can; without one they are no member.
    pub(in crate::home) fn appoint(
        &mut self,
        name: &str,
        user: &Address,
        role: Option<Role>,
    ) -> Result<(), GroupError> {
        let key = key_of(&self.core, name);
        let group = self.all.get_mut(&key);
        let group = group.filter(|group| !group.sheet.closing);
        let group = group.ok_or(GroupError::Unknown(key))?;
        if !user.is_valid() || user.kind() != Kind::User {
            return Err(GroupError::User(user.clone()));
        }
        group.change(&mut self.core, user, |person| person.role = role);
        Ok(())
    }

    /// Ends a group, whoever owns it.
    pub(in crate::home) fn withdraw(&mut self, name: &str, now: Time) -> Result<(), GroupError> {
        let key = key_of(&self.core, name);
        let group = self.all.get_mut(&key);
        let group = group.filter(|group| !group.sheet.closing);
        let Some(group) = group else {
            return Err(GroupError::Unknown(key));
        };
        Joining::of(group, &mut self.core, now).end();
        forget_if_over(&mut self.all, &key);
        Ok(())
    }

    /// All groups, as an operator sees them.
    pub(in crate::home) fn views(&self) -> impl Iterator<Item = GroupView> + '_ {
        let groups = self.all.values().filter(|group| !group.sheet.closing);
        groups.map(|group| view(group, &self.core))
    }

    /// One group, as an operator sees it.
    pub(in crate::home) fn view_of(&self, name: &str) -> Option<GroupView> {
        let group = self.all.get(&key_of(&self.core, name));
        let group = group.filter(|group| !group.sheet.closing);
        group.map(|group| view(group, &self.core))
    }

    fn forget_if_over(&mut self, address: &Address) {
        if address.domain() == self.core.domain() {
            forget_if_over(&mut self.all, address.local());
        }
    }
}

fn find<'g>(
    all: &'g mut BTreeMap<String, Group>,
    domain: &str,
    address: &Address,
) -> Option<&'g mut Group> {
    let group = all.get_mut(address.local());
    group.filter(|group| address.domain() == domain && !group.sheet.closing)
}

fn forget_if_over(all: &mut BTreeMap<String, Group>, name: &str) {
    if all.get(name).is_some_and(|group| group.is_over) {
        all.remove(name);
    }
}

/// Serves what concerns members, roles and properties.
fn administer(group: &mut Group, core: &mut Core, asker: &Asker, primitive: Primitive, now: Time) {
    let mut administration = Administration::of(group, core, now);
    match primitive {
        Primitive::DeleteGroupRequest(_) => administration.delete(asker),
        Primitive::GetGroupMemberRequest(_) => administration.members(asker),
        Primitive::AddGroupMemberRequest(request) => administration.add(asker, &request.users),
        Primitive::RemoveGroupMemberRequest(request) => {
            administration.remove(asker, &request.users);
        }
        Primitive::MemberAccessRequest(request) => administration.access(asker, &request),
        Primitive::RejectListRequest(request) => administration.reject(asker, &request),
        Primitive::GetJoinedUsersRequest(_) => administration.joined(asker),
        Primitive::GetGroupPropsRequest(_) => administration.properties(asker),
        Primitive::SetGroupPropsRequest(request) => administration.set_properties(asker, &request),
        _ => core.respond(asker.id, Status::new(Code::NOT_IMPLEMENTED)),
    }
}

/// The group that a request is for.
fn group_of(primitive: &Primitive) -> Option<&Address> {
    Some(match primitive {
        Primitive::CreateGroupRequest(p) => &p.group,
        Primitive::DeleteGroupRequest(p) => &p.group,
        Primitive::GetGroupPropsRequest(p) => &p.group,
        Primitive::SetGroupPropsRequest(p) => &p.group,
        Primitive::GetGroupMemberRequest(p) => &p.group,
        Primitive::AddGroupMemberRequest(p) => &p.group,
        Primitive::RemoveGroupMemberRequest(p) => &p.group,
        Primitive::MemberAccessRequest(p) => &p.group,
        Primitive::RejectListRequest(p) => &p.group,
        Primitive::JoinGroupRequest(p) => &p.group,
        Primitive::LeaveGroupRequest(p) => &p.group,
        Primitive::GetJoinedUsersRequest(p) => &p.group,
        Primitive::SubscribeGroupChangeRequest(p) => &p.group,
        Primitive::UnsubscribeGroupChangeRequest(p) => &p.group,
        Primitive::GetGroupSubStatusRequest(p) => &p.group,
        _ => return None,
    })
}

/// Users of a domain are not reached since then.
fn is_away(core: &mut Core, domain: &str, since: Time) {
    core.away.insert(domain.to_owned(), since);
    let at = since.plus_seconds(core.settings.away);
    let timer = Timer::Away(domain.to_owned());
    core.timers.insert((at, timer));
}

fn is_search(primitive: &Primitive) -> bool {
    matches!(
        primitive,
        Primitive::SearchRequest(_) | Primitive::StopSearchRequest(_)
    )
}

/// Sets the timer for the end of a group's lifetime.
fn end_in_time(group: &Group, core: &mut Core) {
    if let Some(at) = group.ends() {
        core.timers.insert((at, Timer::Group(group.name.clone())));
    }
}

/// A group's key, by its name or address; a bare name is a provider's.
fn key_of(core: &Core, name: &str) -> String {
    let address = core.at_home(&Address::new(name));
    match address.resource_part() {
        Some(_) => address.local().to_owned(),
        None => format!("/{}", address.local()),
    }
}

/// The key and address of a group that the provider may make.
fn provided(core: &Core, name: &str) -> Result<(String, Address), GroupError> {
    let key = key_of(core, name);
    let address = Address::new(&format!("{key}@{}", core.domain()));
    let is_ours = core.at_home(&Address::new(name)).domain() == core.domain();
    let is_possible = is_ours && key.starts_with('/') && address.is_valid() && key.len() <= 64;
    if is_possible {
        Ok((key, address))
    } else {
        Err(GroupError::Name(name.to_owned()))
    }
}

fn view(group: &Group, core: &Core) -> GroupView {
    let listed = &group.sheet.properties;
    let listed = listed.listed(group.is_public(), group.joined.len());
    let properties = listed.properties.into_iter();
    let with_role = |(user, person): (&Address, &Person)| {
        Some((user.clone(), super::person::privilege(Some(person.role?))))
    };
    let rejected = group.people.iter().filter(|(_, person)| person.rejected);
    GroupView {
        group: group.address(core),
        owner: group.sheet.owner.clone(),
        properties: properties
            .map(|property| (property.name, property.value.unwrap_or_default()))
            .collect(),
        members: group.people.iter().filter_map(with_role).collect(),
        joined: group
            .joined
            .keys()
            .map(|place| (place.user.clone(), group.shown(&place.user)))
            .collect(),
        rejected: rejected.map(|(user, _)| user.clone()).collect(),
        outgoing: group.outgoing.len(),
    }
}
