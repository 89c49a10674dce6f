//! Contact lists, attribute lists, block lists and grant lists of XMPP users, for who has them as a
//! service of this domain (xmpp-mapping, 3.3 and 10).
//!
//! ```text
//!  SSP ── GetListRequest, … ─▶ gateway ── roster (XEP-0356) ─▶ the user's server, where it grants that
//!                                 └─────── else what is kept here
//! ```
//!
//! A request that needs a roster reads it, is done on what was read, and sets each contact that has
//! changed; it is answered when the server has said so of all of them.
//!
//! | file | what |
//! |---|---|
//! | `order` | a request, and how far it is done |
//! | `granted` | what the server lets us do |
//! | `relays` | requests that went on with those on lists |

mod granted;
mod order;
mod relays;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use minidom::Element;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;

use super::kept::Book;
use super::reply::Reply;
use super::shared::{Ask, Shared};
use super::timers::Timers;
use crate::element::{RequestId, Time};
use crate::imps::address::Kind;
use crate::imps::primitive::Primitive;
use crate::imps::{Address, Code, Status};
use crate::translate::Context;
use crate::translate::block_list;
use crate::translate::privilege::{Privileges, answer_within, in_the_name_of};
use crate::translate::roster::{self, Contacts};
use crate::translate::stanza::ns;
use granted::Granted;
use order::{Done, Order, Owner, Step};
use relays::Relays;

/// How long a server has for its answers; our choice.
const WAIT: Duration = Duration::from_secs(10);
/// Questions of one request that are under way; our choice: a request that would need more is refused.
const MAX_CHANGES: usize = 200;

/// Who may do what at the user's server, and requests that wait for it.
#[derive(Debug, Default)]
pub(super) struct Rosters {
    /// What the server has granted, by component.
    granted: Granted,
    open: BTreeMap<u64, Order>,
    /// What was asked in XMPP, by the id of the stanza, which nobody can guess.
    asked: BTreeMap<String, u64>,
    /// Requests that went on with the members of lists.
    relays: Relays,
    /// Users whose watchers may see something else now.
    changed: VecDeque<String>,
    timers: Timers<u64>,
}

impl Rosters {
    /// A message of the server that says what it grants; whether it was one about that.
    pub(super) fn granted(
        &mut self,
        component: &str,
        message: &Message,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        let Some(may_read) = self.granted.take(component, message, shared) else {
            return false;
        };
        if may_read {
            let owners = shared.accounts.granting_lists();
            let owners: Vec<String> = owners.map(str::to_owned).collect();
            for owner in owners {
                self.look(&owner, now, shared);
            }
        }
        true
    }

    /// Reads a roster anew, because attribute lists need it.
    fn look(&mut self, jid: &str, now: Time, shared: &mut Shared) {
        let address = Jid::new(jid).ok();
        let address = address.and_then(|jid| shared.translator.address(&jid).ok());
        let owner = address.and_then(|address| Owner::new(&address, &shared.translator).ok());
        if let (Some(owner), Some((component, true))) = (owner, self.granted.reader(shared)) {
            let order = Order::new(owner, None, now.plus(WAIT));
            self.read(order, &component, now, shared);
        }
    }

    /// A request about lists of an XMPP user, or one that names some of them.
    pub(super) fn request(
        &mut self,
        request: Primitive,
        user: &Address,
        (to, expires): (Option<RequestId>, Time),
        now: Time,
        shared: &mut Shared,
    ) {
        // Who is at home elsewhere has no lists here.
        let is_own = user.domain() == shared.translator.own_ssp_domain();
        let owner = if is_own && user.kind() == Kind::User {
            Owner::new(user, &shared.translator)
        } else {
            Err(Code::NOT_IMPLEMENTED)
        };
        let owner = match owner {
            Ok(owner) => owner,
            Err(code) => return refuse(&request, to, &Status::new(code), shared),
        };
        if !shared.gate.may_talk(owner.jid.domain().as_str()) {
            return refuse(&request, to, &Status::new(Code::FORBIDDEN), shared);
        }
        if self.open.len() >= shared.settings.max_queries {
            return refuse(&request, to, &Status::new(Code::UNAVAILABLE), shared);
        }
        let mut order = Order::new(owner, Some(request), expires);
        order.to = to;
        if order.is_about_access() {
            return self.access(order, now, shared);
        }
        match self.granted.reader(shared) {
            Some((component, true)) => self.read(order, &component, now, shared),
            Some((_, false)) => order.refuse(&Status::new(Code::UNAVAILABLE), shared),
            None => {
                let contacts = shared.accounts.of(&order.owner.jid()).contacts;
                self.apply(order, contacts, None, now, shared);
            }
        }
    }

    /// Asks for the roster that a request needs.
    fn read(&mut self, order: Order, component: &str, now: Time, shared: &mut Shared) {
        let number = self.keep(order, now, shared);
        self.put(number, component, roster::question(), false, shared);
    }

    /// Asks the user's server for something, or tells it to change something.
    fn put(
        &mut self,
        number: u64,
        component: &str,
        payload: Element,
        is_change: bool,
        shared: &mut Shared,
    ) {
        let Some(order) = self.open.get(&number) else {
            return;
        };
        let to = Jid::from(order.owner.jid.clone());
        let Ok(from) = Jid::new(component) else {
            return;
        };
        let id = shared.ask(component, (from, to), Ask::new(payload, is_change));
        self.asked.extend(id.map(|id| (id, number)));
    }

    fn keep(&mut self, order: Order, now: Time, shared: &mut Shared) -> u64 {
        let number = shared.number();
        self.timers
            .by(now.plus(WAIT).min(order.expires).max(now), number);
        self.open.insert(number, order);
        number
    }

    /// Does what is wanted with the contacts of the owner: those of the roster that this component may
    /// read, or those kept here.
    fn apply(
        &mut self,
        mut order: Order,
        contacts: Contacts,
        component: Option<&str>,
        now: Time,
        shared: &mut Shared,
    ) {
        let jid = order.owner.jid();
        let before = shared.accounts.of(&jid);
        let mut account = before.clone();
        let was = contacts.clone();
        let mut book = Book::new(order.owner.address.clone(), &account.lists, contacts);
        let done = order.apply(&mut book, &mut account, component.is_some());
        let changes: Vec<Element> = match component {
            Some(_) => order::changes(&was, book.contacts(), &shared.translator),
            None => Vec::new(),
        };
        let may_set = component
            .and_then(|component| self.granted.of(component))
            .is_some_and(|granted| granted.roster.set);
        if !changes.is_empty() && !may_set {
            let why = "The user's server lets rosters be read only.";
            return order.refuse(&Status::new(Code::FORBIDDEN).because(why), shared);
        }
        if changes.len() > MAX_CHANGES {
            let why = "Too many contacts would change at once.";
            return order.refuse(&Status::new(Code::UNAVAILABLE).because(why), shared);
        }
        account.lists = book.named();
        account.contacts = if component.is_none() || account.grants.names_lists() {
            book.contacts().clone()
        } else {
            Contacts::new()
        };
        if account != before && !shared.keep_account(&jid, account) {
            let why = "There is no room for more of this user.";
            return order.refuse(&Status::new(Code::QUEUE_FULL).because(why), shared);
        }
        if order.concerns_watchers() {
            self.changed.push_back(jid);
        }
        let answer = match done {
            Done::Answer(answer) => answer,
            Done::Refused(status) => return order.refuse(&status, shared),
            Done::GoesOn(request) => return self.relays.send(&order, *request, shared),
            Done::Nothing => return,
        };
        match component {
            Some(component) if !changes.is_empty() => {
                order.step = Step::Write {
                    waits: changes.len(),
                    answer,
                    failure: None,
                };
                let number = self.keep(order, now, shared);
                for payload in changes {
                    self.put(number, component, payload, true, shared);
                }
            }
            _ => order.respond(answer, shared),
        }
    }

    /// A request about who may write, at the user's server too where it lets us ask.
    fn access(&mut self, mut order: Order, now: Time, shared: &mut Shared) {
        let blocking = |granted: &Privileges| granted.questions(ns::BLOCKING);
        let is_question = matches!(order.request, Some(Primitive::GetBlockedListRequest(_)));
        let component = self.granted.component(
            |granted| {
                if is_question {
                    blocking(granted).get
                } else {
                    blocking(granted).set
                }
            },
            shared,
        );
        let component = match component {
            Some((component, true)) => Some(component),
            Some((_, false)) => {
                return order.refuse(&Status::new(Code::UNAVAILABLE), shared);
            }
            None => None,
        };
        let jid = order.owner.jid();
        let before = shared.accounts.of(&jid);
        let mut account = before.clone();
        let (answer, changes) = order.access(&mut account.access, &shared.translator);
        if account != before && !shared.keep_account(&jid, account) {
            let why = "There is no room for more of this user.";
            return order.refuse(&Status::new(Code::QUEUE_FULL).because(why), shared);
        }
        let Some(component) = component else {
            return order.respond(answer, shared);
        };
        let (questions, kind) = if is_question {
            (vec![block_list::question()], "get")
        } else {
            (changes, "set")
        };
        if questions.is_empty() {
            return order.respond(answer, shared);
        }
        order.step = Step::Write {
            waits: questions.len(),
            answer,
            failure: None,
        };
        let user = order.owner.jid.clone();
        let number = self.keep(order, now, shared);
        for question in questions {
            let payload = in_the_name_of(&user, kind, &shared.id(), question);
            self.put(number, &component, payload, !is_question, shared);
        }
    }

    fn awaits(&self, id: &str, from: &Jid) -> bool {
        let order = self.asked.get(id).and_then(|number| self.open.get(number));
        order.is_some_and(|order| from.resource().is_none() && order.owner.jid == from.to_bare())
    }

    /// An answer to a question of ours, or news of a roster; gives back what is neither.
    pub(super) fn iq(
        &mut self,
        component: &str,
        iq: Iq,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Iq> {
        if let Iq::Set {
            from: Some(from),
            to,
            id,
            payload,
        } = &iq
            && payload.is("query", ns::ROSTER)
            && from.domain().as_str() == shared.translator.domain
            && self
                .granted
                .of(component)
                .is_some_and(|granted| granted.roster.get)
        {
            let result = Iq::Result {
                from: to.clone(),
                to: Some(from.clone()),
                id: id.clone(),
                payload: None,
            };
            shared.hand(component, result);
            let owner = from.to_bare().to_string();
            if shared.accounts.granting_lists().any(|jid| jid == owner) {
                self.look(&owner, now, shared);
            }
            return None;
        }
        match Reply::of(iq, Context::Other, |id, from| self.awaits(id, from), shared) {
            Ok(Reply { id, answer, .. }) => {
                self.heard(component, &id, answer, now, shared);
                None
            }
            Err(iq) => Some(*iq),
        }
    }

    /// A question of ours that its link cannot write.
    pub(super) fn unsent(
        &mut self,
        component: &str,
        (id, to): (&str, &Jid),
        now: Time,
        shared: &mut Shared,
    ) {
        if self.awaits(id, to) {
            self.heard(component, id, Err(Code::UNAVAILABLE), now, shared);
        }
    }

    fn heard(
        &mut self,
        component: &str,
        id: &str,
        answer: Result<Option<Element>, Code>,
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(number) = self.asked.remove(id) else {
            return;
        };
        let Some(order) = self.open.get_mut(&number) else {
            return;
        };
        let is_wrapped = order.is_about_access();
        if let Step::Write {
            waits,
            answer: told,
            failure,
        } = &mut order.step
        {
            *waits = waits.saturating_sub(1);
            let answer = answer.and_then(|payload| {
                if is_wrapped {
                    {
                        let table = &shared.translator.mappings.status;
                        answer_within(payload.as_ref(), table, Context::Other)
                    }
                } else {
                    Ok(payload)
                }
            });
            match answer {
                Ok(Some(list)) => order::add_blocked(told, &list, &shared.translator),
                Ok(None) => {}
                Err(code) => *failure = Some(code),
            }
            if *waits == 0 {
                self.close(number, shared);
            }
            return;
        }
        let Some(order) = self.open.remove(&number) else {
            return;
        };
        match answer {
            Ok(query) => {
                let contacts = query.map(|query| roster::contacts(&query, &shared.translator));
                let contacts = contacts.unwrap_or_default();
                self.apply(order, contacts, Some(component), now, shared);
            }
            Err(code) => {
                if code == Code::FORBIDDEN {
                    // It was granted once.
                    self.granted.refused(component);
                }
                order.refuse(&Status::new(of_user(code)), shared);
            }
        }
    }

    /// Answers what is done, as far as it is.
    fn close(&mut self, number: u64, shared: &mut Shared) {
        self.asked.retain(|_, of| *of != number);
        let Some(order) = self.open.remove(&number) else {
            return;
        };
        match order.step {
            Step::Write {
                failure: Some(code),
                ..
            } => order.refuse(&Status::new(of_user(code)), shared),
            Step::Write {
                waits: 0,
                ref answer,
                ..
            } => {
                let answer = answer.clone();
                order.respond(answer, shared);
            }
            _ => order.refuse(&Status::new(Code::TIMEOUT), shared),
        }
    }

    /// Whether the token is of a request that went on.
    pub(super) fn relays(&self, token: u64) -> bool {
        self.relays.has(token)
    }

    /// The answer to a request that went on.
    pub(super) fn answered(&mut self, token: u64, answer: Primitive, shared: &mut Shared) {
        self.relays.answered(token, answer, shared);
    }

    /// A user whose watchers may see something else now.
    pub(super) fn next_changed(&mut self) -> Option<String> {
        self.changed.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            self.close(number, shared);
        }
    }

    /// Messages to contact lists that have not ended.
    pub(super) fn messages_open(&self) -> u64 {
        let is_message =
            |order: &&Order| matches!(order.request, Some(Primitive::SendMessageRequest(_)));
        (self.open.values().filter(is_message).count() + self.relays.messages()) as u64
    }
}

/// What is said of a user whose server does not do what is wanted.
fn of_user(code: Code) -> Code {
    match code {
        Code::NOT_FOUND => Code::UNKNOWN_USER,
        code => code,
    }
}

fn refuse(request: &Primitive, to: Option<RequestId>, status: &Status, shared: &mut Shared) {
    order::refuse(Some(request), to, status, shared);
}
