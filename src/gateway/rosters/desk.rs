//! Requests about lists that are under way.
//!
//! ```text
//!  Waits ─its turn─▶ Roster ─read─▶ BlockList ─read─▶ carried out ─▶ Write ─the server agrees─▶ kept, answered
//!            └─ neither need be asked, or may be ──────────▲    └─ it has no part in it ───────────▲
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use minidom::Element;
use xmpp_parsers::jid::Jid;

use super::granted::{Granted, Way};
use super::order::{Order, Step, of_user};
use super::plan::{Done, Plan, Writing};
use super::record::Record;
use super::relays::Relays;
use super::turns::Turns;
use crate::element::Time;
use crate::gateway::kept::Account;
use crate::gateway::records::{Pair, list_key};
use crate::gateway::shared::{Ask, Shared};
use crate::gateway::timers::Timers;
use crate::imps::{Code, Status};
use crate::store::Write;
use crate::translate::privilege::{Access, answer_within, in_the_name_of};
use crate::translate::stanza::ns;
use crate::translate::{Context, block_list, roster};

/// How long a server has for its answers; our choice.
pub(super) const WAIT: Duration = Duration::from_secs(10);
/// Questions of one request that are under way; our choice: a request that would need more is refused.
const MAX_CHANGES: usize = 200;

/// Requests, and what comes of them.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) granted: Granted,
    open: BTreeMap<u64, Order>,
    /// What was asked in XMPP, by the id of the stanza, which nobody can guess; for which request, and
    /// which of its changes it is.
    asked: BTreeMap<String, (u64, usize)>,
    turns: Turns,
    /// Those whose turn it is.
    ready: VecDeque<u64>,
    /// Messages from before a restart that wait until their server can be asked.
    patient: BTreeSet<u64>,
    /// Requests that went on with the members of lists.
    pub(super) relays: Relays,
    /// Requests at their end.
    over: Vec<u64>,
    /// Users of whom something else is kept now.
    kept: VecDeque<Kept>,
    /// WV users who see an XMPP user no more, and whether they are no contact any more.
    ended: VecDeque<(Pair, bool)>,
    timers: Timers<u64>,
}

/// A user of whom something else is kept now.
#[derive(Debug)]
pub(super) struct Kept {
    /// The bare JID.
    pub(super) user: String,
    /// Whether their watchers may see something else.
    pub(super) is_seen: bool,
}

impl Desk {
    /// Takes back a message that was accepted before a restart.
    pub(super) fn restore(&mut self, number: u64, order: Order) {
        self.open.insert(number, order);
        self.timers.by(Time(0), number);
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// What was not known of servers may be known now.
    pub(super) fn begin_patient(&mut self, now: Time, shared: &mut Shared) {
        for number in std::mem::take(&mut self.patient) {
            self.start(number);
        }
        self.work(now, shared);
    }

    /// A request comes. A message that is not at its end at once is kept.
    pub(super) fn enter(&mut self, number: u64, order: Order, now: Time, shared: &mut Shared) {
        self.timers.by(order.expires.max(now), number);
        self.open.insert(number, order);
        self.start(number);
        self.work(now, shared);
        let held = self.open.get(&number).and_then(Order::held);
        if let Some(held) = held {
            let record = Record::Held(held);
            shared.write(Write::put_json(list_key(number), &record).as_new());
        }
    }

    /// A request takes its turn.
    fn start(&mut self, number: u64) {
        if let Some(order) = self.open.get(&number)
            && self.turns.come(&order.owner.jid(), number)
        {
            self.ready.push_back(number);
        }
    }

    /// Begins the requests whose turn it is.
    fn work(&mut self, now: Time, shared: &mut Shared) {
        while let Some(number) = self.ready.pop_front() {
            self.run(number, now, shared);
        }
    }

    /// Begins a request whose turn it is.
    fn run(&mut self, number: u64, now: Time, shared: &mut Shared) {
        let Some(order) = self.open.get_mut(&number) else {
            return;
        };
        let needs_lists = order.needs_lists();
        let way = if needs_lists {
            self.granted.to_rosters(&order.owner.jid, shared)
        } else {
            Way::Here
        };
        match way {
            Way::Server(component) => {
                order.step = Step::Roster;
                self.put(number, &component, roster::question(), (None, now), shared);
            }
            Way::Later => self.later(number, shared),
            // There is no roster to read anew.
            Way::Here if order.request.is_none() => self.leave(number, shared),
            Way::Here => self.go_on(number, now, shared),
        }
    }

    /// The server cannot be asked now.
    fn later(&mut self, number: u64, shared: &mut Shared) {
        let Some(order) = self.open.get_mut(&number) else {
            return;
        };
        if order.is_patient {
            order.step = Step::Waits;
            self.patient.insert(number);
            let owner = order.owner.jid();
            self.next_turn(&owner, number);
        } else {
            order.refuse(&Status::new(Code::UNAVAILABLE), shared);
            self.leave(number, shared);
        }
    }

    /// The contact lists of a request are known, as far as it needs them.
    fn go_on(&mut self, number: u64, now: Time, shared: &mut Shared) {
        let Some(order) = self.open.get_mut(&number) else {
            return;
        };
        if !order.is_about_access() {
            return self.carry_out(number, now, shared);
        }
        match self.granted.to_read_blocked(&order.owner.jid, shared) {
            Way::Server(component) => {
                order.step = Step::BlockList;
                let user = order.owner.jid.clone();
                let question = block_list::question();
                let payload = in_the_name_of(&user, "get", &shared.id(), question);
                self.put(number, &component, payload, (None, now), shared);
            }
            Way::Later => self.later(number, shared),
            Way::Here => self.carry_out(number, now, shared),
        }
    }

    /// Asks the user's server for something, or tells it to change something: the change of that
    /// number.
    fn put(
        &mut self,
        number: u64,
        component: &str,
        payload: Element,
        (change, now): (Option<usize>, Time),
        shared: &mut Shared,
    ) {
        let Some(order) = self.open.get_mut(&number) else {
            return;
        };
        let until = now.plus(WAIT).min(order.expires).max(now);
        self.timers.put_off(until, number);
        let to = Jid::from(order.owner.jid.clone());
        let question = Ask::new(payload, change.is_some());
        let from = Jid::new(component).ok();
        let id = from.and_then(|from| shared.ask(component, (from, to), question));
        let change = change.unwrap_or_default();
        if let Some(id) = id {
            order.asked.push(id.clone());
            self.asked.insert(id, (number, change));
        } else if let Step::Write(writing) = &mut order.step {
            if writing.hear(change, Err(Code::UNAVAILABLE)) {
                self.written(number, shared);
            }
        } else {
            self.fail(number, Code::UNAVAILABLE, shared);
        }
    }

    /// Does what is wanted, as far as it is a matter of this node, and tells the server the rest.
    fn carry_out(&mut self, number: u64, now: Time, shared: &mut Shared) {
        let Some(order) = self.open.get(&number) else {
            return;
        };
        let jid = order.owner.jid();
        let reader = order
            .roster
            .as_ref()
            .map(|(component, _)| component.clone());
        let writer = if order.is_about_access() {
            match self.granted.to_block(&order.owner.jid, shared) {
                Way::Server(component) => Some(component),
                Way::Later => return self.later(number, shared),
                Way::Here => None,
            }
        } else {
            let may = |component: &String| {
                let granted = self.granted.of(component);
                granted.is_some_and(|granted| granted.roster.set)
            };
            reader.filter(may)
        };
        let account = shared.accounts.of(&jid);
        let mut plan = order.plan(account, writer.is_some(), &shared.translator);
        if order.request.is_none() {
            // The rest follows when the roster is read again.
            plan.changes.truncate(MAX_CHANGES);
        }
        let has_room = shared.accounts.have_room(&jid, &plan.account);
        let refusal = match &plan.done {
            Done::Refused(status) => Some(status.clone()),
            _ if !plan.changes.is_empty() && writer.is_none() => {
                let why = "The user's server lets rosters be read only.";
                Some(Status::new(Code::FORBIDDEN).because(why))
            }
            _ if plan.changes.len() > MAX_CHANGES => {
                let why = "Too many contacts would change at once.";
                Some(Status::new(Code::UNAVAILABLE).because(why))
            }
            _ if !has_room && order.needs_room() => {
                let why = "There is no room for more of this user.";
                Some(Status::new(Code::QUEUE_FULL).because(why))
            }
            _ => None,
        };
        if let Some(status) = refusal {
            order.refuse(&status, shared);
            return self.leave(number, shared);
        }
        if has_room && (plan.is_sure || plan.changes.is_empty()) {
            self.keep(&jid, plan.account.clone(), shared);
        }
        match writer.filter(|_| !plan.changes.is_empty()) {
            Some(writer) => self.write(number, &writer, plan, now, shared),
            None => self.conclude(number, plan.done, shared),
        }
    }

    /// Tells the server what changes.
    fn write(&mut self, number: u64, component: &str, plan: Plan, now: Time, shared: &mut Shared) {
        let Some(order) = self.open.get_mut(&number) else {
            return;
        };
        let user = order.owner.jid.clone();
        let is_wrapped = order.is_about_access();
        let payloads = plan.changes.iter().map(|change| change.payload.clone());
        let payloads: Vec<Element> = payloads.collect();
        order.step = Step::Write(Box::new(Writing::new(plan)));
        for (change, payload) in payloads.into_iter().enumerate() {
            let payload = if is_wrapped {
                in_the_name_of(&user, "set", &shared.id(), payload)
            } else {
                payload
            };
            self.put(number, component, payload, (Some(change), now), shared);
        }
    }

    /// Keeps what is kept of a user.
    fn keep(&mut self, jid: &str, account: Account, shared: &mut Shared) {
        let before = shared.accounts.of(jid);
        if account == before {
            return;
        }
        let is_seen = account.shows_other_than(&before);
        if shared.keep_account(jid, account) {
            let user = jid.to_owned();
            self.kept.push_back(Kept { user, is_seen });
        } else {
            // There was room when the server was asked.
            shared.dropped.count("lists of users without room");
        }
    }

    /// Whether an answer is awaited under that id, from whom it comes.
    pub(super) fn awaits(&self, id: &str, from: &Jid) -> bool {
        let order = self
            .asked
            .get(id)
            .and_then(|(number, _)| self.open.get(number));
        order.is_some_and(|order| from.resource().is_none() && order.owner.jid == from.to_bare())
    }

    /// The server does not let us do what it had granted.
    pub(super) fn refused(&mut self, component: &str, id: &str) {
        let order = self
            .asked
            .get(id)
            .and_then(|(number, _)| self.open.get(number));
        let Some(order) = order else {
            return;
        };
        let (step, is_about_access) = (&order.step, order.is_about_access());
        self.granted.forget(component, |privileges| match step {
            Step::Roster => privileges.roster = Access::default(),
            Step::BlockList => privileges.forget_questions(ns::BLOCKING),
            Step::Write(_) if is_about_access => privileges.forget_questions(ns::BLOCKING),
            Step::Write(_) => privileges.roster.set = false,
            Step::Waits => {}
        });
    }

    /// An answer that is awaited.
    pub(super) fn heard(
        &mut self,
        component: &str,
        id: &str,
        answer: Result<Option<Element>, Code>,
        now: Time,
        shared: &mut Shared,
    ) {
        let Some((number, change)) = self.asked.remove(id) else {
            return;
        };
        let Some(order) = self.open.get_mut(&number) else {
            return;
        };
        order.asked.retain(|asked| asked != id);
        let table = &shared.translator.mappings.status;
        let within = |answer: Result<Option<Element>, Code>| {
            answer.and_then(|payload| answer_within(payload.as_ref(), table, Context::Other))
        };
        let is_wrapped = order.is_about_access();
        match &mut order.step {
            Step::Waits => {}
            Step::Roster => match answer {
                Ok(Some(query)) if query.is("query", ns::ROSTER) => {
                    let contacts = roster::contacts(&query, &shared.translator);
                    order.roster = Some((component.to_owned(), contacts));
                    self.go_on(number, now, shared);
                }
                Ok(_) => self.fail(number, Code::INTERNAL, shared),
                Err(code) => self.fail(number, code, shared),
            },
            Step::BlockList => match within(answer) {
                Ok(Some(list)) if list.is("blocklist", ns::BLOCKING) => {
                    order.blocked = Some(block_list::blocked(&list, &shared.translator));
                    self.carry_out(number, now, shared);
                }
                Ok(_) => self.fail(number, Code::INTERNAL, shared),
                Err(code) => self.fail(number, code, shared),
            },
            Step::Write(writing) => {
                let answer = if is_wrapped { within(answer) } else { answer };
                if writing.hear(change, answer.map(drop)) {
                    self.written(number, shared);
                }
            }
        }
        self.work(now, shared);
    }

    /// The server has not done what is needed.
    fn fail(&mut self, number: u64, code: Code, shared: &mut Shared) {
        if let Some(order) = self.open.get(&number) {
            order.refuse(&Status::new(of_user(code)), shared);
        }
        self.leave(number, shared);
    }

    /// The server has said what it has to say about the changes: what it has done is so.
    fn written(&mut self, number: u64, shared: &mut Shared) {
        let Some(order) = self.open.get_mut(&number) else {
            return;
        };
        let Step::Write(writing) = std::mem::replace(&mut order.step, Step::Waits) else {
            return;
        };
        let jid = order.owner.jid();
        let written = writing.settle(shared.accounts.of(&jid));
        self.keep(&jid, written.account, shared);
        for (wv, is_removed) in written.ended {
            let xmpp = jid.clone();
            self.ended.push_back((Pair { xmpp, wv }, is_removed));
        }
        match written.done {
            Ok(done) => self.conclude(number, done, shared),
            Err(code) => self.fail(number, code, shared),
        }
    }

    /// Answers what is done, or lets it go on.
    fn conclude(&mut self, number: u64, done: Done, shared: &mut Shared) {
        if let Some(order) = self.open.get_mut(&number) {
            match done {
                Done::Answer(answer) => order.respond(answer, shared),
                Done::Refused(status) => order.refuse(&status, shared),
                Done::Nothing => {}
                Done::GoesOn(request) => {
                    self.relays.send(number, order, *request, shared);
                    // Its record is that of what went on.
                    order.request = None;
                }
            }
        }
        self.leave(number, shared);
    }

    /// A request is at its end; the next one of its owner begins.
    fn leave(&mut self, number: u64, shared: &mut Shared) {
        let Some(order) = self.open.remove(&number) else {
            return;
        };
        for id in &order.asked {
            self.asked.remove(id);
        }
        if order.held().is_some() {
            shared.write(Write::delete(list_key(number)));
        }
        self.patient.remove(&number);
        self.over.push(number);
        self.next_turn(&order.owner.jid(), number);
    }

    fn next_turn(&mut self, owner: &str, number: u64) {
        self.ready.extend(self.turns.go(owner, number));
    }

    /// A request at its end.
    pub(super) fn next_over(&mut self) -> Option<u64> {
        self.over.pop()
    }

    /// A user of whom something else is kept now.
    pub(super) fn next_kept(&mut self) -> Option<Kept> {
        self.kept.pop_front()
    }

    /// A WV user who sees an XMPP user no more, and whether they are no contact of theirs any more.
    pub(super) fn next_ended(&mut self) -> Option<(Pair, bool)> {
        self.ended.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            self.overdue(number, now, shared);
            self.work(now, shared);
        }
    }

    /// A request has had its time, or begins after a restart.
    fn overdue(&mut self, number: u64, now: Time, shared: &mut Shared) {
        let Some(order) = self.open.get(&number) else {
            return;
        };
        match order.step {
            Step::Write(_) => self.written(number, shared),
            Step::Waits if now < order.expires => {
                self.timers.by(order.expires, number);
                self.start(number);
            }
            _ => self.fail(number, Code::TIMEOUT, shared),
        }
    }

    /// Copies of messages to contact lists that have not ended.
    pub(super) fn copies(&self) -> usize {
        let open = self.open.values().map(Order::copies).sum::<usize>();
        open + self.relays.copies()
    }
}
