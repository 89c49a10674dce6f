//! Every deviation of a peer from what is agreed (wire profile, 10;
//! `docs/dialects.md`, Quirks). What comes in is read ([`inbound`]) and what goes out is
//! written ([`outbound`], [`requestor`]) in the peer's dialect; what must be remembered for
//! that is held here: who of our side stands at a peer ([`memberships`], [`group_copies`]),
//! which message ids it has seen ([`message_ids`]), and whom its notices are about
//! ([`unnamed_leave`]).

mod group_copies;
mod inbound;
pub mod memberships;
pub(super) mod message_ids;
pub(super) mod outbound;
mod requestor;
pub(super) mod unnamed_leave;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::presented_as::domain_of;
use super::settings::{Peer, Settings};
use crate::element::{Skew, Time};
use crate::imps::primitive::Name;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::{Address, Code, Primitive};
use crate::ssp::envelope::Transaction;
use crate::store::Write;

pub use group_copies::Circle;
pub use memberships::Asker;
pub use unnamed_leave::Waiting;

use group_copies::Groups;
use inbound::Reader;
use memberships::{Memberships, Named};
use message_ids::{MessageIds, Use};
use unnamed_leave::{Next, Questions};

/// What a peer was asked, and whom it concerns there.
pub(super) struct Asked<'a> {
    /// The request's name, if it is known.
    pub(super) request: Option<Name>,
    /// The message's id.
    pub(super) message: Option<&'a str>,
    pub(super) asker: Option<&'a Asker>,
    pub(super) circle: Option<&'a Circle>,
    /// The message, if members of its group are to get it from us, and have not yet.
    pub(super) kept: Option<&'a str>,
    /// Whom this transaction was for.
    pub(super) targets: &'a [Address],
    /// All at the peer whom the request was for.
    pub(super) there: &'a [&'a Address],
}

/// What is remembered because of the ways of some peers.
#[derive(Debug)]
pub(super) struct Deviations {
    settings: Arc<Settings>,
    skew: Skew,
    memberships: Memberships,
    message_ids: MessageIds,
    questions: Questions,
    writes: VecDeque<Write>,
}

impl Deviations {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            skew: Skew::default(),
            memberships: Memberships::default(),
            message_ids: MessageIds::default(),
            questions: Questions::default(),
            writes: VecDeque::new(),
        }
    }

    /// Takes back a membership; that of a peer which is none any more is forgotten.
    pub(super) fn restore(&mut self, named: Named) {
        if self.settings.peers.contains_key(&named.membership.peer) {
            self.memberships.restore(named);
        } else {
            let forgotten = memberships::forget(&named.membership);
            self.writes.push_back(forgotten);
        }
    }

    pub(super) fn configure(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    pub(super) fn set_skew(&mut self, skew: Skew) {
        self.skew = skew;
    }

    /// A record that is to be kept or forgotten.
    pub(super) fn next_event(&mut self) -> Option<Write> {
        self.writes.pop_front()
    }

    /// A transaction of a peer as we mean it.
    pub(super) fn inbound<'t>(
        &self,
        peer: &Peer,
        transaction: &'t Transaction,
        now: Time,
    ) -> Cow<'t, Transaction> {
        let reader = Reader {
            settings: &self.settings,
            memberships: &self.memberships,
            questions: &self.questions,
            skew: self.skew,
            now,
        };
        reader.read(peer, transaction)
    }

    /// The same of an answer; what it says of memberships is learnt, and if the peer's
    /// group has taken a message, its copies for the members on our side are made.
    pub(super) fn answer_inbound<'t>(
        &mut self,
        peer: &Peer,
        asked: &Asked<'_>,
        answer: &'t Transaction,
        now: Time,
    ) -> (Cow<'t, Transaction>, Vec<SendMessageRequest>) {
        let mut answer = self.inbound(peer, answer, now);
        if answer.name == Name::SendMessageResponse {
            let groups = self.groups(peer);
            let served = || asked.circle.is_some_and(|circle| groups.serves(circle));
            answer = inbound::answer_to_message(asked.message, asked.targets, served, answer);
        }
        if peer.dialect.wants_memberships()
            && let Some(asker) = asked.asker
        {
            let learnt = self
                .memberships
                .learn(peer, asked.request, asker, asked.there, &answer);
            self.writes.extend(learnt);
        }
        let kept = asked.kept;
        let copies = kept.map(|kept| self.groups(peer).copies(kept, &answer));
        (answer, copies.unwrap_or_default())
    }

    /// What must be known of a message that goes to these peers when it is answered: whom
    /// it is for in groups whose members are left to us, and the message, if there are
    /// some who will have to get it.
    pub(super) fn circle<'p>(
        &self,
        transaction: &Transaction,
        mut parts: impl Iterator<Item = (&'p str, &'p [Address])>,
    ) -> (Option<Circle>, Option<String>) {
        if transaction.name != Name::SendMessageRequest {
            return (None, None);
        }
        let Some(peer) = parts.find_map(|(peer, targets)| {
            let peer = self.settings.peers.get(peer)?;
            group_copies::leaves_members(peer, targets).then_some(peer)
        }) else {
            return (None, None);
        };
        let Ok(Primitive::SendMessageRequest(message)) = transaction.primitive() else {
            return (None, None);
        };
        let Some(circle) = Circle::of(&message, peer) else {
            return (None, None);
        };
        let has_members = !self.groups(peer).members(&circle).is_empty();
        let raw = std::str::from_utf8(&transaction.raw).ok();
        let raw = raw.filter(|_| has_members).map(str::to_owned);
        (Some(circle), raw)
    }

    /// Who asks, where the answer of one of these peers will say whether they then stand
    /// there and that has to be remembered.
    pub(super) fn asker<'p>(
        &self,
        transaction: &Transaction,
        peers: impl Iterator<Item = &'p str>,
    ) -> Option<Asker> {
        let peers = peers.filter_map(|peer| self.settings.peers.get(peer));
        Asker::of(transaction, peers.map(Arc::as_ref))
    }

    /// Forgets those whom a peer tells that they have left its group.
    pub(super) fn left(&mut self, peer: &Peer, notice: &Transaction) {
        let writes = self.memberships.left(peer, notice);
        self.writes.extend(writes);
    }

    /// What is to be done about a notice that does not say whom it is about; `None` for
    /// all others.
    pub(super) fn unnamed_leave(
        &mut self,
        peer: &Peer,
        transaction: &Transaction,
        now: Time,
    ) -> Option<Next> {
        let own = &self.settings.domain;
        self.questions
            .notice(peer, transaction, own, &self.memberships, now)
    }

    /// A question about who has left waits for its answer, as this row.
    pub(super) fn who_left_asked(&mut self, waiting: &Waiting, number: u64) {
        self.questions.asked(waiting, number);
    }

    /// The answer to such a question.
    pub(super) fn who_left_answered(
        &self,
        waiting: Waiting,
        answer: &Primitive,
        code: Code,
    ) -> Next {
        let own = &self.settings.domain;
        waiting.answered(answer, code, own, &self.memberships)
    }

    /// Who left is told: the notice as if it had named them, if anybody is known; and the
    /// one after it.
    pub(super) fn who_left_told(
        &mut self,
        waiting: Waiting,
        gone: Vec<Address>,
        now: Time,
    ) -> (Option<Transaction>, Option<Waiting>) {
        self.questions.answered(&waiting, now);
        waiting.addressed(gone)
    }

    /// What is to be done about a notice whose turn it is.
    pub(super) fn ask_who_left(&self, waiting: Waiting) -> Next {
        waiting.ask(&self.settings.domain, &self.memberships)
    }

    /// What a message is that is to be sent to a peer as `transaction` of ours.
    pub(super) fn use_of_id(
        &mut self,
        peer: &Peer,
        message: &Transaction,
        transaction: &str,
        now: Time,
    ) -> Use {
        let id = message.peek.message_id.as_ref();
        match id.filter(|_| minds_id(peer, message)) {
            Some(id) => {
                let content = message_ids::content_of(message);
                self.message_ids
                    .next(peer.real(), id, content, transaction, now)
            }
            None => Use::Fresh,
        }
    }

    /// What is to be kept of a message's content with its row: nothing unless it goes to a
    /// peer whose ids are minded.
    pub(super) fn content_to_remember<'p>(
        &self,
        transaction: &Transaction,
        mut peers: impl Iterator<Item = &'p str>,
    ) -> u64 {
        if transaction.name == Name::SendMessageRequest && peers.any(|peer| self.minds_ids_of(peer))
        {
            message_ids::content_of(transaction)
        } else {
            0
        }
    }

    /// A message went to a peer, before a restart.
    pub(super) fn was_sent(&mut self, peer: &str, id: &str, content: u64, at: Time) {
        if self.minds_ids_of(peer) {
            self.message_ids.remember(domain_of(peer), id, content, at);
        }
    }

    /// A message was refused, so it is not there: who sends it again wants to.
    pub(super) fn was_refused(&mut self, peer: &str, id: &str, content: u64) {
        self.message_ids.release(domain_of(peer), id, content);
    }

    /// A message that was to go to a peer could not be written.
    pub(super) fn not_sent(&mut self, peer: &Peer, message: &Transaction) {
        if minds_id(peer, message)
            && let Some(id) = &message.peek.message_id
        {
            let content = message_ids::content_of(message);
            self.message_ids.release(peer.real(), id, content);
        }
    }

    /// Whether the ids of messages are minded at a peer.
    pub(super) fn minds_ids_of(&self, peer: &str) -> bool {
        let peer = self.settings.peers.get(peer);
        peer.is_some_and(|peer| peer.dialect.unique_message_ids)
    }

    fn groups<'m>(&'m self, peer: &'m Peer) -> Groups<'m> {
        Groups {
            peer,
            memberships: &self.memberships,
        }
    }
}

fn minds_id(peer: &Peer, transaction: &Transaction) -> bool {
    peer.dialect.unique_message_ids && transaction.name == Name::SendMessageRequest
}
