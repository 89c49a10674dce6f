//! All groups of the home domain: which of them a primitive is for.

use std::collections::{BTreeMap, BTreeSet};

use crate::element::{Act, RequestId, Skew, Time, Token};
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{GroupId, Recipient};
use crate::imps::primitive::group::GroupProperties;
use crate::imps::primitive::group_admin::CreateGroupRequest;
use crate::imps::primitive::invitation::InviteResponse;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::status::{Code, Status};

use super::about::group_of;
use super::administration::Administration;
use super::again::{Again, Repetition, Sent};
use super::changes::Changes;
use super::core::{Core, Timer};
use super::healing::{Healing, is_away};
use super::history::History;
use super::invites::Invites;
use super::joining::{Joining, TOO_MANY_GROUPS, left};
use super::messages::{ForGroup, Messages, Target};
use super::outgoing::{Distribution, Outgoing};
use super::person::Person;
use super::posts::Post;
use super::properties::Properties;
use super::provision::{GroupView, Provision, key_of};
use super::records;
use super::search::GroupCriterion;
use super::settings::GroupSettings;
use super::{Asker, Group, INVALID_PROPERTIES, Sheet, forget_if_over};

/// There is such a group.
const GROUP_EXISTS: Code = Code(801);
/// The domain has too many groups.
const DOMAIN_FULL: Code = Code(815);
/// All groups of this shard.
#[derive(Debug)]
pub(in crate::home) struct Groups {
    /// By name, as in [`Group`].
    all: BTreeMap<String, Group>,
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

impl Groups {
    /// No groups yet. `seed` must be random and fresh at every start.
    pub(in crate::home) fn new(settings: GroupSettings, seed: u64) -> Self {
        Self {
            all: BTreeMap::new(),
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
                Timer::Again(name, number) => {
                    if let Some(group) = self.all.get_mut(&name) {
                        Repetition::of(group, &mut self.core, now).hand_on(number);
                    }
                }
                Timer::Away(domain) => self.healing(now).is_away_for_long(&domain),
            }
        }
    }

    /// Says how the wall clock stands.
    pub(in crate::home) fn set_skew(&mut self, skew: Skew) {
        self.core.skew = skew;
    }

    /// Serves a request about a group.
    pub(in crate::home) fn serve(&mut self, caller: From<'_>, primitive: Primitive, now: Time) {
        let about = group_of(&primitive).map(|address| self.core.at_home(address));
        let Some(address) = about else {
            let status = Status::new(Code::NOT_IMPLEMENTED);
            return self.core.respond(caller.id, status);
        };
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
            Primitive::InviteRequest(request) => {
                Invites::of(group, &mut self.core, now).invite(&asker, &request);
            }
            Primitive::CancelInviteRequest(request) => {
                Invites::of(group, &mut self.core, now).withdraw(&asker, &request);
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
            Primitive::GetMessageListRequest(request) => {
                History::of(group, &mut self.core, now).list(&asker, request.count);
            }
            Primitive::GetMessageRequest(request) => {
                History::of(group, &mut self.core, now).get(&asker, &request.message_id);
            }
            other => administer(group, &mut self.core, &asker, other, now),
        }
        self.forget_if_over(&address);
    }

    /// Somebody has answered an invitation. Says whether it is one between participants of a group.
    pub(in crate::home) fn invitation_answered(
        &mut self,
        responder: &Address,
        response: &InviteResponse,
        now: Time,
    ) -> bool {
        let parties = response.inviting.iter().chain(&response.responding);
        let mut named = parties.map(|party| self.core.at_home(party.address()));
        let named = named.find(|address| address.kind() == Kind::Resource);
        let group = named.and_then(|at| find(&mut self.all, self.core.domain(), &at));
        group.is_some_and(|it| Invites::of(it, &mut self.core, now).answered(responder, response))
    }

    /// Groups that are like that, as far as `asker` finds them.
    pub(in crate::home) fn find(
        &self,
        criteria: &[GroupCriterion],
        asker: &Address,
    ) -> Result<Vec<GroupId>, Code> {
        super::search::find(&self.all, &self.core, criteria, asker)
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
        group.end_in_time(&mut self.core);
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

    /// What keeps groups in step with who exists and is reached.
    pub(in crate::home) fn healing(&mut self, now: Time) -> Healing<'_> {
        Healing {
            all: &mut self.all,
            core: &mut self.core,
            now,
        }
    }

    /// What an operator can do.
    pub(in crate::home) fn operator(&mut self) -> Provision<'_> {
        Provision {
            all: &mut self.all,
            core: &mut self.core,
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
            group.end_in_time(&mut self.core);
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
            "again" => {
                let (number, again) = (number()?, records::read::<Again>(key, value)?);
                Repetition::of(group, &mut self.core, Time(0)).put(number, again);
            }
            "sent" => {
                let token = Token(number()?);
                let sent: Sent = records::read(key, value)?;
                self.core.await_answer(name, token, sent);
                self.core.is_taken_over(token);
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

    /// All groups, as an operator sees them.
    pub(in crate::home) fn views(&self) -> impl Iterator<Item = GroupView> + '_ {
        let groups = self.all.values().filter(|group| !group.sheet.closing);
        groups.map(|group| GroupView::of(group, &self.core))
    }

    /// One group, as an operator sees it.
    pub(in crate::home) fn view_of(&self, name: &str) -> Option<GroupView> {
        let group = self.all.get(&key_of(&self.core, name));
        let group = group.filter(|group| !group.sheet.closing);
        group.map(|group| GroupView::of(group, &self.core))
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
