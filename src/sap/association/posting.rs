//! From the outbox to the wire: batches, and what becomes of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::element::{Time, millis};
use crate::imps::primitive::Name;
use crate::imps::xml::Writer;
use crate::imps::{Code, Primitive};
use crate::sap::association::Shared;
use crate::sap::association::event::Event;
use crate::sap::association::outbox::{Item, Outbox, Pace, Setback, Totals, Why};
use crate::sap::association::quiet::Quiet;
use crate::sap::association::session::Session;
use crate::sap::association::traffic::Traffic;
use crate::sap::note::{About, Note};
use crate::sap::post::{Loaded, Post, Posted};
use crate::sap::presented_as::PeerId;
use crate::sap::session_id::SessionId;
use crate::sap::settings::Peer;
use crate::sap::settings::dialect::Dialect;
use crate::sap::watch::{Count, Direction};
use crate::ssp::Mode;
use crate::ssp::envelope::TRANSACTION_OVERHEAD;
use crate::text::Shown;

/// So long after the store could not be read it is tried again; our choice.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// And the same body of all of them: others go on meanwhile.
const SAME_AGAIN: Duration = Duration::from_secs(10);

/// What the end of a post says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// The peer answered 200.
    Taken,
    /// It was refused or has failed, for this reason.
    Failed(String),
    /// The peer does not know the session.
    UnknownSession,
    /// It has failed, for this reason, and so often that the session must be lost.
    LostSession(String),
    /// Nothing: the peer is none any more.
    Nothing,
}

/// The queue of one peer, and its posts.
#[derive(Debug)]
pub(super) struct Posting {
    id: PeerId,
    outbox: Outbox,
    /// By the number of the post: our id of the session used, and since when it is under way.
    flights: HashMap<u64, (SessionId, Time)>,
    /// Expiry of the queue's first item to expire.
    next_expiry: Option<Time>,
    /// Connections closed without an answer in a row.
    closed: u32,
    /// What the log says of bodies that cannot be read.
    quiet: Quiet,
    events: VecDeque<Event>,
}

impl Posting {
    pub(super) fn new(id: PeerId, totals: &Arc<Totals>) -> Self {
        Self {
            outbox: Outbox::new(id.as_str()).sharing(totals),
            id,
            flights: HashMap::new(),
            next_expiry: None,
            closed: 0,
            quiet: Quiet::default(),
            events: VecDeque::new(),
        }
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(super) fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// What is to be reported, all at once.
    pub(super) fn events(&mut self) -> &mut VecDeque<Event> {
        &mut self.events
    }

    /// Adds a transaction, to be posted not before a time if one is given. Whether it is the
    /// only one.
    pub(super) fn push(&mut self, item: Item, not_before: Option<Time>, now: Time) -> bool {
        let expires = item.expires;
        let (number, write) = self.outbox.push(item, now);
        if let Some(at) = not_before {
            self.outbox.delay(number, at);
        }
        self.next_expiry = Some(self.next_expiry.map_or(expires, |next| next.min(expires)));
        self.events.push_back(Event::Write(write));
        self.outbox.len() == 1
    }

    /// The peer does well again, as far as one knows.
    pub(super) fn begin_anew(&mut self) {
        self.closed = 0;
        self.outbox.health_mut().forgive();
    }

    /// When there is something to do if nothing comes.
    pub(super) fn due(&self, now: Time) -> Option<Time> {
        let not_before = self.outbox.health().not_before();
        let waits = !self.outbox.is_empty() && not_before > now;
        let delayed = self.outbox.next_delayed(now);
        let due = waits.then_some(not_before).into_iter();
        due.chain(self.next_expiry).chain(delayed).min()
    }

    /// Looks again when something expires.
    pub(super) fn set_right(&mut self) {
        self.next_expiry = self.outbox.next_expiry();
    }

    /// What has expired is lost.
    pub(super) fn expire(&mut self, now: Time) {
        if self.next_expiry.is_none_or(|expiry| expiry > now) {
            return;
        }
        let (items, writes) = self.outbox.expire(now);
        self.set_right();
        self.events.extend(writes.into_iter().map(Event::Write));
        for item in items {
            let code = if item.name == Name::SendMessageRequest {
                Code::EXPIRED
            } else {
                Code::TIMEOUT
            };
            self.events.push_back(Event::Lost(item, code));
        }
    }

    /// Posts what may be posted in a session.
    pub(super) fn post(
        &mut self,
        peer: &Peer,
        shared: &Shared,
        session: &mut Session,
        traffic: &mut Traffic,
        now: Time,
    ) {
        let (count, bytes) = (shared.settings.batch_count, shared.settings.batch_bytes);
        loop {
            let mut numbers = self.outbox.next_post(&peer.dialect, count, bytes, now);
            if numbers.is_empty() {
                return;
            }
            let number = shared.numbers.next();
            // What follows is read while this is under way.
            let load = self.outbox.load(&numbers, number);
            self.outbox.keep_readable(&mut numbers);
            self.events.extend(load.map(Event::Load));
            if numbers.is_empty() {
                return;
            }
            let own_id = &session.record.own_id;
            let items = self.outbox.get(&numbers);
            let body = print_batch(&peer.dialect, own_id, &items);
            traffic.posted(body.len());
            let transactions = items.len();
            let first = items.first().filter(|item| item.mode == Mode::Request);
            let transaction = first.map(|item| item.id.to_string());
            for item in items {
                let note = sent(&self.id, own_id, item, now);
                self.events.push_back(Event::Note(note));
            }
            self.outbox.fly(number, numbers, now);
            self.flights.insert(number, (own_id.clone(), now));
            self.events.push_back(Event::Post(Post {
                peer: self.id.real().to_owned(),
                number,
                body: body.into(),
                session: Some(own_id.clone()),
                transaction,
                url: session.record.address(now).map(str::to_owned),
                transactions,
            }));
            session.record.last_out = now;
        }
    }

    /// A post has ended: in which session of ours it was, and what that says. `None` if it is
    /// none of these.
    pub(super) fn posted(
        &mut self,
        number: u64,
        outcome: &Posted,
        peer: Option<&Peer>,
        shared: &Shared,
        traffic: &mut Traffic,
        now: Time,
    ) -> Option<(SessionId, Fate)> {
        let (session, since) = self.flights.remove(&number)?;
        let fate = match peer {
            Some(_) if *outcome == Posted::Acknowledged => {
                let count = self.acknowledged(number);
                traffic.acknowledged(count, now.after(since));
                Fate::Taken
            }
            Some(peer) => self.batch_posted(number, &session, outcome, peer, shared, now),
            None => {
                // It was taken out of the configuration meanwhile; its queue stays.
                let writes = self.outbox.returned(number);
                self.events.extend(writes.into_iter().map(Event::Write));
                Fate::Nothing
            }
        };
        // What came back may have expired meanwhile.
        self.set_right();
        Some((session, fate))
    }

    /// The peer has what was in a post: how many transactions.
    fn acknowledged(&mut self, number: u64) -> usize {
        self.closed = 0;
        let (items, writes) = self.outbox.acknowledged(number);
        let count = items.len();
        self.events.extend(writes.into_iter().map(Event::Write));
        self.events
            .extend(items.into_iter().map(Event::Acknowledged));
        count
    }

    /// A post has ended without an acknowledgement.
    fn batch_posted(
        &mut self,
        number: u64,
        session: &SessionId,
        outcome: &Posted,
        peer: &Peer,
        shared: &Shared,
        now: Time,
    ) -> Fate {
        if matches!(outcome, Posted::Refused { .. }) {
            self.closed = 0;
        }
        let (why, what) = match outcome {
            Posted::Acknowledged => return Fate::Taken,
            Posted::Refused { status: 403, .. } => {
                let writes = self.outbox.returned(number);
                self.outbox.health_mut().forgive();
                self.events.extend(writes.into_iter().map(Event::Write));
                return Fate::UnknownSession;
            }
            Posted::Refused {
                status: status @ (400 | 413 | 415),
                ..
            } => {
                self.refused_for_form(number, *status);
                return Fate::Failed(format!("a message was refused with HTTP {status}"));
            }
            Posted::Refused {
                status: 503,
                retry_after,
            } => (Why::Busy(*retry_after), "HTTP 503".to_owned()),
            Posted::Refused { status, .. } => (Why::Refused, format!("HTTP {status}")),
            Posted::Closed => (
                Why::Closed,
                "connection closed without an answer".to_owned(),
            ),
            Posted::TimedOut => (Why::Silent, "no answer in time".to_owned()),
            Posted::Failed(what) => (Why::Away, what.clone()),
        };
        self.failed(number, peer, why, &what, shared, now);
        // Some servers close what comes in a session that they have forgotten.
        let limit = peer.dialect.closed_means_lost;
        if why == Why::Closed && limit > 0 && self.closed >= limit {
            self.closed = 0;
            tracing::warn!(
                ssp.peer = self.id.as_str(),
                ssp.session = %session.shown(),
                "closed without an answer again and again; logging in anew"
            );
            return Fate::LostSession(what);
        }
        Fate::Failed(what)
    }

    fn refused_for_form(&mut self, number: u64, status: u16) {
        let (items, writes) = self.outbox.refused(number);
        self.events.extend(writes.into_iter().map(Event::Write));
        for item in items {
            tracing::warn!(
                ssp.peer = self.id.as_str(),
                ssp.transaction = item.id.as_str(),
                ssp.primitive = %item.name,
                status,
                "the peer refuses the message for its form"
            );
            self.events.push_back(Event::Lost(item, Code::BAD_REQUEST));
        }
    }

    /// A post is to be repeated.
    fn failed(
        &mut self,
        number: u64,
        peer: &Peer,
        why: Why,
        what: &str,
        shared: &Shared,
        now: Time,
    ) {
        let pace = Pace {
            step: Duration::from_millis(peer.dialect.retry_step),
            jitter: u8::try_from(shared.random.below(256)).unwrap_or(0),
        };
        let (setback, writes) = self.outbox.failed(number, why, pace, now);
        if why == Why::Closed && matches!(setback, Setback::Peer(_) | Setback::Item { .. }) {
            self.closed += 1;
        }
        self.events.extend(writes.into_iter().map(Event::Write));
        let domain = self.id.as_str();
        match setback {
            Setback::Peer(wait) if self.outbox.failures() == 1 => tracing::warn!(
                ssp.peer = domain,
                wait_ms = millis::of(wait),
                "post failed, trying again: {what}"
            ),
            Setback::Peer(wait) => tracing::debug!(
                ssp.peer = domain,
                wait_ms = millis::of(wait),
                "post failed again: {what}"
            ),
            Setback::Known => {}
            Setback::Item { id, wait } => tracing::debug!(
                ssp.peer = domain,
                ssp.transaction = %Shown(&id),
                wait_ms = millis::of(wait),
                "failed again while others pass, waits alone: {what}"
            ),
            Setback::Ended(item) => {
                tracing::warn!(
                    ssp.peer = domain,
                    ssp.transaction = %Shown(&item.id),
                    ssp.primitive = %item.name,
                    message = %Shown(item.message.as_deref().unwrap_or_default()),
                    "refused again and again while others pass, given up: {what}"
                );
                return self.events.push_back(Event::Lost(*item, Code::INTERNAL));
            }
        }
        self.events.push_back(Event::Count(Count::Retried));
    }

    /// Bodies came from the store. What can't be read any more has ended; the others go on.
    /// False if they were not asked for.
    pub(super) fn loaded(&mut self, loaded: Loaded, now: Time) -> bool {
        let Some(filled) = self.outbox.loaded(loaded) else {
            return false;
        };
        if let Some((number, why)) = &filled.later {
            if let Some(left_out) = self.quiet.due("unread", now) {
                tracing::warn!(
                    ssp.peer = self.id.as_str(),
                    left_out,
                    "what waits cannot be read now: {why}"
                );
            }
            self.outbox.delay(*number, now.plus(SAME_AGAIN));
            if !filled.any {
                self.outbox.health_mut().pause(now.plus(READ_AGAIN));
            }
        }
        self.events
            .extend(filled.writes.into_iter().map(Event::Write));
        for (item, why) in filled.damaged {
            tracing::error!(
                ssp.peer = self.id.as_str(),
                ssp.transaction = %Shown(&item.id),
                ssp.primitive = %item.name,
                message = %Shown(item.message.as_deref().unwrap_or_default()),
                "what waited for the peer is damaged in the store, given up: {why}"
            );
            self.events.push_back(Event::Lost(item, Code::INTERNAL));
        }
        true
    }
}

/// One transaction, posted in exactly this session, past the queue: what is told of it, and the
/// post.
pub(super) fn in_session(
    id: &PeerId,
    peer: &Peer,
    (session, url): (&SessionId, Option<&str>),
    (mode, transaction, primitive): (Mode, &str, &Primitive),
    number: u64,
    now: Time,
) -> (Note, Post) {
    let item = Item {
        mode,
        id: transaction.into(),
        name: primitive.any_name(),
        raw: peer.dialect.print(primitive),
        conversation: None,
        expires: now,
        message: None,
        via: None,
    };
    let body = print_batch(&peer.dialect, session, &[&item]);
    let note = sent(id, session, &item, now);
    let post = Post {
        peer: id.real().to_owned(),
        number,
        body: body.into(),
        session: Some(session.clone()),
        transaction: (mode == Mode::Request).then(|| item.id.to_string()),
        url: url.map(str::to_owned),
        transactions: 1,
    };
    (note, post)
}

/// Prints a batch; as `print_session`, with the trace of hops.
fn print_batch(dialect: &Dialect, session: &SessionId, items: &[&Item]) -> String {
    let mut writer = Writer::styled_document(dialect.style());
    let sizes = items
        .iter()
        .map(|item| item.raw.len() + TRANSACTION_OVERHEAD);
    writer.reserve(sizes.sum());
    writer.element("WV-SSP-Message", |out| {
        out.attribute("WV-SSP-Message", "xmlns", &dialect.namespace);
        out.element("Session", |out| {
            out.attribute("Session", "sessionID", session.as_str());
            for item in items {
                out.element("Transaction", |out| {
                    out.attribute("Transaction", "mode", item.mode.as_str());
                    out.attribute("Transaction", "transactionID", &item.id);
                    if let Some(via) = &item.via {
                        out.attribute("Transaction", "via", via);
                    }
                    out.raw(&item.raw);
                });
            }
        });
    });
    writer.finish()
}

/// What is told of a transaction that is posted.
fn sent(id: &PeerId, session: &SessionId, item: &Item, now: Time) -> Note {
    let parties = item.conversation.as_deref();
    let parties = parties.and_then(|parties| parties.split_once(' '));
    let about = About {
        peer: Some(id.real()),
        session: Some(session.as_str()),
        transaction: Some(&item.id),
        message: item.message.as_deref(),
        user: parties.map(|(from, _)| from),
    };
    let what = match item.mode {
        Mode::Request => "posted as Request",
        Mode::Response => "posted as Response",
    };
    let at = (now, Direction::Out);
    Note::new(
        at,
        item.name.clone(),
        what,
        about,
        parties.map(|(_, to)| to),
    )
}
