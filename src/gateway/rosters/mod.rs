//! Contact lists, attribute lists, block lists and grant lists of XMPP users, for who has them as a
//! service of this domain (xmpp-mapping, 3.3 and 10).
//!
//! ```text
//!  SSP ── GetListRequest, … ─▶ gateway ── roster (XEP-0356) ─▶ the user's server, where it grants that
//!                                 └─────── else what is kept here
//! ```
//!
//! A request that needs a roster reads it, is done on what was read, and sets each contact that has
//! changed; it is answered, and what it changes is kept, when the server has said so of all of them.
//! Requests of one user go one after another.
//!
//! | file | what |
//! |---|---|
//! | `desk` | requests under way |
//! | `order` | a request, and how far it is done |
//! | `plan` | what it comes to, and what the server is told |
//! | `blocking` | the same of block list and grant list |
//! | `turns` | whose turn it is |
//! | `looks` | rosters that are to be read anew |
//! | `granted` | what the server lets us do |
//! | `relays` | requests that went on with those on lists |
//! | `record` | what is kept of messages among them |

mod blocking;
mod desk;
mod granted;
mod looks;
mod order;
mod plan;
mod record;
mod relays;
mod turns;

use std::collections::VecDeque;
use std::time::Duration;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;

use super::records::{Pair, number_of, read};
use super::reply::Reply;
use super::shared::Shared;
use super::timers::Timers;
use crate::element::{RequestId, Time};
use crate::imps::address::Kind;
use crate::imps::primitive::Primitive;
use crate::imps::{Address, Code, Status};
use crate::translate::Context;
use crate::translate::stanza::ns;
use desk::{Desk, WAIT};
use looks::Looks;
use order::{Order, Owner};
use record::Record;

/// After so long rosters are read anew, as long as other lists name contact lists; our choice: a server
/// need not tell us what other clients change, and Prosody does not.
const AGAIN: Duration = Duration::from_secs(600);

/// What is to be looked after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The server of this component, which has said nothing of what it grants.
    Silence(String),
    /// Rosters that were read a while ago.
    Again,
}

/// Who may do what at the user's server, and requests that wait for it.
#[derive(Debug, Default)]
pub(super) struct Rosters {
    desk: Desk,
    looks: Looks,
    /// Users whose watchers may see something else now.
    changed: VecDeque<String>,
    timers: Timers<Due>,
}

impl Rosters {
    /// Takes back a message to contact lists; `rest` is what follows the prefix of its key.
    pub(super) fn restore(
        &mut self,
        rest: &str,
        value: &[u8],
        shared: &Shared,
    ) -> Result<(), String> {
        let number = number_of(rest)?;
        match read(value)? {
            Record::Held(held) => {
                let order = Order::restored(&held, &shared.translator)?;
                self.desk.restore(number, order);
            }
            Record::Relayed(relayed) => self.desk.relays.restore(number, relayed),
        }
        Ok(())
    }

    /// The link of a component is there: its server says anew what it grants.
    pub(super) fn link_up(&mut self, component: &str, now: Time) {
        let until = self.desk.granted.link_up(component, now);
        let silence = Due::Silence(component.to_owned());
        self.timers.put_off(until, silence);
    }

    /// The link of a component is down: what its server does not say meanwhile says nothing.
    pub(super) fn link_down(&mut self, component: &str) {
        self.desk.granted.link_down(component);
    }

    /// A message of the server that says what it grants; whether it was one about that.
    pub(super) fn granted(
        &mut self,
        component: &str,
        message: &Message,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        match self.desk.granted.take(component, message, shared) {
            None => return false,
            Some(false) => {}
            Some(true) => {
                self.look_at_all(now, shared);
                self.desk.begin_patient(now, shared);
                self.look(now, shared);
            }
        }
        true
    }

    /// Reads all rosters anew of which something must be known.
    fn look_at_all(&mut self, now: Time, shared: &mut Shared) {
        let needing = shared.accounts.needing();
        if needing.is_empty() {
            return;
        }
        if self.desk.granted.lets_rosters_be_read() {
            for user in needing {
                self.looks.want(user);
            }
        }
        self.timers.by(now.plus(AGAIN), Due::Again);
        self.look(now, shared);
    }

    /// Reads the rosters whose turn it is, and notes what has come of requests.
    fn look(&mut self, now: Time, shared: &mut Shared) {
        loop {
            while let Some(number) = self.desk.next_over() {
                self.looks.end(number);
            }
            while let Some(kept) = self.desk.next_kept() {
                if shared.accounts.needing().contains(&kept.user) {
                    self.timers.by(now.plus(AGAIN), Due::Again);
                }
                if kept.is_seen {
                    self.changed.push_back(kept.user);
                }
            }
            let Some(user) = self.looks.next() else {
                return;
            };
            let address = Jid::new(&user).ok();
            let address = address.and_then(|jid| shared.translator.address(&jid).ok());
            let owner = address.and_then(|address| Owner::new(&address, &shared.translator).ok());
            if let Some(owner) = owner {
                let order = Order::new(owner, None, now.plus(WAIT));
                let number = shared.number();
                self.looks.begin(number);
                self.desk.enter(number, order, now, shared);
            }
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
            Ok(owner) if !shared.gate.may_talk(owner.jid.domain().as_str()) => Err(Code::FORBIDDEN),
            Ok(_) if self.desk.len() >= shared.settings.max_queries => Err(Code::UNAVAILABLE),
            owner => owner,
        };
        match owner {
            Ok(owner) => {
                let mut order = Order::new(owner, Some(request), expires);
                order.to = to;
                let number = shared.number();
                self.desk.enter(number, order, now, shared);
                self.look(now, shared);
            }
            Err(code) => order::refuse(Some(&request), to, &Status::new(code), shared),
        }
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
                .desk
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
            if shared.accounts.needing().contains(&owner) {
                self.looks.want(&owner);
                self.look(now, shared);
            }
            return None;
        }
        let awaits = |id: &str, from: &Jid| self.desk.awaits(id, from);
        match Reply::of(iq, Context::Other, awaits, shared) {
            Ok(reply) => {
                let Reply {
                    id, answer, error, ..
                } = reply;
                if error.is_some_and(|error| error.has_child("forbidden", ns::XMPP_STANZAS)) {
                    self.desk.refused(component, &id);
                }
                self.desk.heard(component, &id, answer, now, shared);
                self.look(now, shared);
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
        if self.desk.awaits(id, to) {
            let answer = Err(Code::UNAVAILABLE);
            self.desk.heard(component, id, answer, now, shared);
            self.look(now, shared);
        }
    }

    /// Whether the token is of a request that went on.
    pub(super) fn relays(&self, token: u64) -> bool {
        self.desk.relays.has(token)
    }

    /// The answer to a request that went on.
    pub(super) fn answered(&mut self, token: u64, answer: Primitive, shared: &mut Shared) {
        self.desk.relays.answered(token, answer, shared);
    }

    /// A user whose watchers may see something else now.
    pub(super) fn next_changed(&mut self) -> Option<String> {
        self.changed.pop_front()
    }

    /// A WV user who sees an XMPP user no more, and whether they are no contact of theirs any more.
    pub(super) fn next_ended(&mut self) -> Option<(Pair, bool)> {
        self.desk.next_ended()
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let times = [self.timers.next(), self.desk.next_timeout()];
        times.into_iter().flatten().min()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(due) = self.timers.pop(now) {
            match due {
                Due::Silence(component) => {
                    self.desk.granted.hear_silence(&component, now);
                    self.desk.begin_patient(now, shared);
                }
                Due::Again => self.look_at_all(now, shared),
            }
        }
        self.desk.timeout(now, shared);
        self.look(now, shared);
    }

    /// Copies of messages to contact lists that have not ended.
    pub(super) fn messages_open(&self) -> u64 {
        self.desk.copies() as u64
    }
}
