//! One user of the home domain, and their administration.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::element::access::AccessLists;
use crate::element::{Act, Time, Token};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::profile::{ProfileService, UpdateUserProfileRequest, UserProfile};

use super::authorization::{AttributeSet, Authority};
use super::client::{ClientKey, ToClient};
use super::contact_list::{Lists, name_within};
use super::core::{Asked, Asker, Core, Pending, Timer};
use super::credentials::Credentials;
use super::feed::Feed;
use super::held::{Content, Held};
use super::inbox::{Arrival, Inbox, Letter};
use super::invitation::Invitations;
use super::known::Availability;
use super::message::{Message, SMALL};
use super::notice::Notice;
use super::presence::{ClientValues, Told};
use super::profile::{self, OwnProfile};
use super::records;
use super::relation::{Relation, Shown, Watcher};
use super::sent::Sent;

pub use crate::sap::ECHO;

/// What is kept of the user as such; one record.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Account {
    /// As a PHC string: algorithm, parameters, salt, hash.
    pub(super) password_hash: String,
    /// The password, encrypted; if digests of it can be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sealed: Option<String>,
    /// When the account was made.
    pub(super) created: Time,
    /// It was disabled: the user cannot log in, and what is for them waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) disabled: bool,
    /// Whether watchers were told that the user is online.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) online: bool,
    /// Status text, if ever set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// One of the values of `StatusMood`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mood: Option<String>,
    /// The name to show for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alias: Option<String>,
}

impl Account {
    /// Puts another password in the place of the old one.
    pub(super) fn set_password(&mut self, password: Credentials) {
        self.password_hash = password.hash;
        self.sealed = password.sealed;
    }
}

/// A user of the home domain, with all that is kept for them.
#[derive(Debug, Default)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) account: Account,
    /// The parts of the profile that were changed.
    pub(super) profile: Option<Box<UserProfile>>,
    /// The echo user: no account record, always online, authorizes everybody.
    pub(super) builtin: bool,
    /// Those that are logged in, with what each was told of the queue.
    pub(super) clients: BTreeMap<ClientKey, Box<Feed>>,
    pub(super) availability: Availability,
    /// What they have told of their presence besides what stands in the account.
    pub(super) told: Option<Box<Told>>,
    /// What each of their clients has told of itself.
    pub(super) client_values: ClientValues,
    /// Their contact lists; none of it kept if they never changed any.
    pub(super) lists: Option<Box<Lists>>,
    pub(super) relations: BTreeMap<Address, Relation>,
    /// Who may reach the user.
    pub(super) access: AccessLists,
    /// How many relations have a watcher; bounded.
    pub(super) watchers: usize,
    pub(super) inbox: Inbox,
    /// What they have invited others to, and others them.
    pub(super) invitations: Invitations,
    pub(super) notices: BTreeMap<u64, Notice>,
    pub(super) notice_bytes: usize,
    /// Contents of what waits that are in memory.
    pub(super) held: Held,
    /// The last number given in the queue since the start.
    pub(super) numbered: Option<u64>,
    /// Requests that wait for their answer.
    pub(super) in_flight: usize,
    /// Messages that are forwarded and were taken over.
    pub(super) forwarded: usize,
    /// Messages of their own, as they are known to be repeated by.
    pub(super) sent: Sent,
    pub(super) idle_since: Option<Time>,
}

impl User {
    /// A user without account.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn address(&self, core: &Core) -> Address {
        Address::user(self.local(), self.home(core))
    }

    /// Whether the user has a client here. Of guests their home domain says it.
    pub(super) fn is_online(&self) -> bool {
        self.builtin || !self.clients.is_empty() && !self.is_guest()
    }

    /// Tells the clients of the user that take what comes for the user.
    pub(super) fn tell(&self, core: &mut Core, told: &ToClient) {
        let clients = self.clients.iter();
        for (client, _) in clients.filter(|(_, feed)| feed.takes_everything()) {
            core.tell(*client, told.clone());
        }
    }

    /// Writes the account.
    pub(super) fn save(&self, core: &mut Core) {
        if !self.builtin {
            core.act(records::put_account(&self.name, &self.account));
        }
    }

    /// Changes what is between the user and somebody, and writes it.
    pub(super) fn relate(
        &mut self,
        core: &mut Core,
        other: &Address,
        change: impl FnOnce(&mut Relation),
    ) {
        let relation = self.relations.entry(other.clone()).or_default();
        let before = relation.clone();
        change(relation);
        let (had, has) = (before.watcher.is_some(), relation.watcher.is_some());
        self.watchers = self.watchers + usize::from(has) - usize::from(had);
        if relation.is_empty() {
            self.relations.remove(other);
            if !before.is_empty() {
                core.act(records::delete_relation(&self.name, other));
            }
        } else if *relation != before {
            core.act(records::put_relation(&self.name, other, relation));
        }
    }

    /// Whether the user may make something of `other`.
    pub(super) fn has_room_for(&self, other: &Address, core: &Core) -> bool {
        let is_new = !self.relations.get(other).is_some_and(Relation::is_own);
        self.has_room_for_more(usize::from(is_new), core)
    }

    /// Whether the user may make something of so many others.
    pub(super) fn has_room_for_more(&self, new: usize, core: &Core) -> bool {
        let own = || self.relations.values().filter(|r| r.is_own()).count();
        new == 0 || own() + new <= core.settings.max_contacts
    }

    /// Sends a request of the user and remembers what it was about.
    pub(super) fn ask(
        &mut self,
        core: &mut Core,
        asker: Option<Asker>,
        what: Asked,
        primitive: impl Into<Primitive>,
        expires: Time,
    ) {
        let token = core.token();
        let pending = Pending {
            user: self.name.clone(),
            asker,
            // The SAP answers every request; it gets a little longer than the request.
            until: expires.plus(std::time::Duration::from_secs(60)),
            what,
        };
        if pending.what.is_durable() {
            core.act(records::new_request(&self.name, token, &pending));
        }
        core.act(Act::Request {
            token,
            primitive: primitive.into(),
            expires,
        });
        self.expect(core, token, pending);
    }

    /// Waits for the answer to a request.
    pub(super) fn expect(&mut self, core: &mut Core, token: Token, pending: Pending) {
        if pending.what.is_taken_over() {
            self.forwarded += 1;
        } else {
            self.in_flight += 1;
        }
        if let Asked::Message { id, to, .. } = &pending.what {
            self.sent.wait(id, to, token);
        }
        core.timers.insert((pending.until, Timer::Request(token)));
        core.requests.insert(token, pending);
    }

    /// The user's contact lists.
    pub(super) fn contact_lists(&self) -> Cow<'_, Lists> {
        match &self.lists {
            Some(lists) => Cow::Borrowed(lists),
            None => Cow::Owned(Lists::default()),
        }
    }

    /// Changes the contact lists, and writes them if they are others than before.
    pub(super) fn keep_contact_lists(&mut self, core: &mut Core, lists: Lists) {
        if *self.contact_lists() != lists {
            core.act(records::put_lists(&self.name, &lists));
            self.lists = Some(Box::new(lists));
        }
    }

    /// The address of a contact list.
    pub(super) fn list_address(&self, core: &Core, name: &str) -> Address {
        Address::resource_of(self.local(), name, self.home(core))
    }

    /// What decides what `other` may see.
    pub(super) fn authority(&self, core: &Core, other: &Address) -> Authority {
        let is_himself = other.local() == self.local() && other.domain() == self.home(core);
        if self.builtin || is_himself {
            return Authority::FULL;
        }
        let Some(relation) = self.relations.get(other) else {
            return Authority::default();
        };
        let mut on = relation
            .contacts
            .iter()
            .map(|contact| contact.list.as_str());
        let contact_lists = match &self.lists {
            Some(lists) => lists.authorized(on),
            None if on.next().is_some() => AttributeSet::ALL,
            None => AttributeSet::NONE,
        };
        Authority {
            individual: relation.attributes,
            contact_lists,
            granted: relation.granted,
            denied: relation.denied,
        }
    }

    /// What `other` may see.
    pub(super) fn may_see(&self, core: &Core, other: &Address) -> AttributeSet {
        self.visible(core, self.authority(core, other))
    }

    /// What may be seen by that: nothing of a user without presence.
    pub(super) fn visible(&self, core: &Core, authority: Authority) -> AttributeSet {
        if authority == Authority::FULL || self.may_use(core, profile::PRESENCE) {
            authority.visible()
        } else {
            AttributeSet::NONE
        }
    }

    /// Whether a watcher may see anything of what they want.
    pub(super) fn shows(&self, core: &Core, other: &Address) -> bool {
        let wanted = self.watcher(other).map(|watcher| watcher.attributes);
        let seen = self.may_see(core, other);
        !seen.and(wanted.unwrap_or(AttributeSet::ALL)).is_empty()
    }

    /// About which attributes the user was asked for `other`, and has not decided.
    pub(super) fn pending(&self, core: &Core, other: &Address) -> AttributeSet {
        match self.watcher(other) {
            Some(watcher) if watcher.asked => {
                self.authority(core, other).undecided(watcher.attributes)
            }
            _ => AttributeSet::NONE,
        }
    }

    /// Whether `sender` may reach the user with a message or an invitation (WVFF, 6.3): a user, or a
    /// group, by which somebody writes whom it calls `name`.
    pub(super) fn admits(&self, core: &Core, sender: &Address, name: Option<&str>) -> bool {
        let has = |list: &Address, user: &Address| {
            let relation = self.relations.get(user);
            let name = name_within(self, core, list);
            relation.is_some_and(|r| name.is_some_and(|name| r.contact(name).is_some()))
        };
        self.access.admit(sender, name, has)
    }

    /// Whether there is a contact list of the user's of that name.
    pub(super) fn has_contact_list(&self, list: &Address, core: &Core) -> bool {
        let name = name_within(self, core, list);
        name.is_some_and(|name| self.contact_lists().get(name).is_some())
    }

    /// Forgets what the watchers of some domains were shown. Says whether there are any.
    pub(super) fn forget_shown(&mut self, behind: &impl Fn(&str) -> bool) -> bool {
        let mut any = false;
        for (other, relation) in &mut self.relations {
            if let Some(watcher) = &mut relation.watcher
                && behind(other.domain())
            {
                watcher.shown = Shown::Unsure;
                any = true;
            }
        }
        any
    }

    pub(super) fn watcher(&self, other: &Address) -> Option<&Watcher> {
        self.relations.get(other)?.watcher.as_ref()
    }

    /// Notes what a watcher is shown, and that it has a value if they had never seen one.
    pub(super) fn now_shown(
        &mut self,
        core: &mut Core,
        other: &Address,
        shown: &Shown,
        has_value: bool,
    ) {
        let Some(watcher) = self
            .relations
            .get_mut(other)
            .and_then(|r| r.watcher.as_mut())
        else {
            return;
        };
        watcher.shown = shown.clone();
        if has_value && !watcher.seen {
            self.relate(core, other, |relation| {
                if let Some(watcher) = &mut relation.watcher {
                    watcher.seen = true;
                }
            });
        }
    }

    /// Domains of those whom the user watches or who watch the user.
    pub(super) fn concerned(&self, domains: &mut BTreeSet<String>) {
        for (other, relation) in &self.relations {
            let concerned = relation.subscription.is_some() || relation.watcher.is_some();
            if concerned && !domains.contains(other.domain()) {
                domains.insert(other.domain().to_owned());
            }
        }
    }

    /// Whom the user watches in these domains.
    pub(super) fn watched(&self, behind: impl Fn(&str) -> bool) -> Vec<Address> {
        self.relations
            .iter()
            .filter(|(other, relation)| relation.subscription.is_some() && behind(other.domain()))
            .map(|(other, _)| other.clone())
            .collect()
    }

    /// Those who wait for a decision.
    pub(super) fn undecided(&self, core: &Core) -> Vec<Address> {
        let asked = self.relations.iter().filter(|(_, r)| r.is_asked());
        let asked = asked.map(|(other, _)| other.clone());
        asked
            .filter(|other| !self.pending(core, other).is_empty())
            .collect()
    }

    /// A number for something that comes now: higher than all before, also if the queue is empty.
    pub(super) fn new_number(&mut self, now: Time) -> u64 {
        // So many a millisecond without running ahead; all stay exact as a double.
        let by_time = now.0.saturating_mul(256);
        let notice = self.notices.last_key_value().map(|(last, _)| *last);
        let last = self.numbered.max(self.inbox.last()).max(notice);
        let last = last.max(self.invitations.last());
        let number = last.map_or(by_time, |last| by_time.max(last + 1));
        self.numbered = Some(number);
        number
    }

    /// Puts what is kept at its number.
    pub(super) fn insert_notice(&mut self, core: &mut Core, number: u64, notice: Notice) {
        self.notice_bytes += notice.bytes;
        core.notices += 1;
        self.notices.insert(number, notice);
    }

    /// Puts an arrival at its number.
    pub(super) fn put_arrival(&mut self, core: &mut Core, number: u64, arrival: Arrival) {
        core.timers
            .insert((arrival.until, Timer::Arrival(self.name.clone(), number)));
        core.waiting_bytes += arrival.bytes();
        core.waiting += usize::from(arrival.waiting.is_some());
        self.inbox.insert(number, arrival);
    }

    /// Forgets an arrival.
    pub(super) fn remove_arrival(&mut self, core: &mut Core, number: u64) -> Option<Arrival> {
        let arrival = self.inbox.remove(number)?;
        core.waiting_bytes -= arrival.bytes();
        core.waiting -= usize::from(arrival.waiting.is_some());
        let timer = Timer::Arrival(self.name.clone(), number);
        core.timers.remove(&(arrival.until, timer));
        Some(arrival)
    }

    /// Takes the message out of an arrival, which stays remembered.
    pub(super) fn take_letter(&mut self, core: &mut Core, number: u64) -> Option<Letter> {
        let before = self.inbox.bytes();
        let letter = self.inbox.take(number);
        core.waiting_bytes -= before - self.inbox.bytes();
        core.waiting -= usize::from(letter.is_some());
        letter
    }

    /// Puts a content in memory, under the number by which clients know it.
    pub(super) fn hold(&mut self, core: &mut Core, number: u64, content: Content) {
        let before = self.held.bytes();
        self.held.insert(number, content);
        core.held_bytes = core.held_bytes + self.held.bytes() - before;
    }

    /// The content has no business in memory any more.
    pub(super) fn let_go(&mut self, core: &mut Core, number: u64) {
        let before = self.held.bytes();
        self.held.remove(number);
        core.held_bytes -= before - self.held.bytes();
    }

    /// Whether one more message may wait. What the sender's domain has a small part of is refused
    /// later than the rest: a flood of one domain does not shut out the others.
    pub(super) fn has_room_for_message(&self, core: &Core, message: &Message) -> bool {
        let settings = &core.settings;
        let named = message.id.len() + message.sender.as_str().len();
        let more = message.letter.bytes + named;
        let (own, own_bytes) = self.inbox.waiting_of(message.sender.domain());
        let (most, most_bytes) = (settings.max_offline, settings.max_offline_bytes);
        let is_small = own < most / SMALL && own_bytes + more <= most_bytes / SMALL;
        let beyond = |bound: usize| {
            if is_small {
                bound + bound / SMALL
            } else {
                bound
            }
        };
        self.inbox.waiting() < beyond(most)
            && core.waiting < beyond(settings.max_waiting)
            && self.inbox.bytes() + more <= beyond(most_bytes)
            && core.waiting_bytes + more <= beyond(settings.max_waiting_bytes)
    }

    /// Whether the user has a service, and it is active.
    pub(super) fn may_use(&self, core: &Core, service: &str) -> bool {
        let own = self.profile.as_ref().and_then(|p| p.services.as_ref());
        let services = own.unwrap_or(&core.settings.services);
        let is_active = |entry: &ProfileService| entry.status.as_deref() != Some("Inactive");
        self.builtin
            || services
                .iter()
                .any(|entry| entry.name == service && is_active(entry))
    }

    /// Tells the provider of the domain's profiles, if there is one, how the user's is now.
    pub(super) fn tell_profile(&self, core: &mut Core, now: Time) {
        if core.settings.tells_profiles && self.has_account() {
            let request = UpdateUserProfileRequest {
                user: self.address(core),
                mode: Some("Replace".to_owned()),
                meta: Some(MetaInfo::of_server(core.domain())),
                profile: Some(OwnProfile { user: self, core }.whole_profile()),
            };
            core.send(request, now);
        }
    }

    /// Whether the user may ask something more.
    pub(super) fn may_ask(&self, core: &Core) -> bool {
        self.in_flight < core.settings.max_requests
    }
}
