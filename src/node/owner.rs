//! The owner task: drains the inbox in batches, computes, hands each batch to
//! its outlet, where it is committed and let out, and goes on with the next.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use xmpp_parsers::message::MessageType;

use super::clock::{Clock, Seen, Watch};
use super::closed::Closed;
use super::core::{Core, Turn};
use super::fair::take_turns;
use super::inbox::Input;
use super::outlet::Outlet;
use super::releaser::{BUSY, Back, Batch, Release, Taken};
use super::restore::restore;
use super::told::Told;
use crate::element;
use crate::element::{ClientKey, Edge, FromClient, FromXmpp, Over, Time};
use crate::gateway::Policies;
use crate::sap::{Settings, Trace, Verdict};
use crate::store::{Store, StoreError, Write};
use crate::xmpp::link::{Blame, LinkEvent, Stanza};

/// Inputs taken in one batch; bounds the time until the first of them is answered.
const BATCH: usize = 512;

/// At the end, for what has been handed over.
const FINISH: Duration = Duration::from_secs(5);

/// Makes a core under these settings and policies of XMPP domains.
type Fresh = dyn FnMut(Arc<Settings>, Option<&Policies>) -> Core + Send;

pub(super) struct Owner {
    pub(super) core: Core,
    pub(super) clock: Clock,
    pub(super) watch: Watch,
    pub(super) store: Arc<dyn Store>,
    pub(super) inbox: mpsc::Receiver<Input>,
    pub(super) back: mpsc::UnboundedReceiver<Back>,
    pub(super) outlet: Outlet,
    /// Makes an empty core, for a new start from the disk.
    pub(super) fresh: Box<Fresh>,
    /// Somebody may watch what happens.
    pub(super) traces: broadcast::Sender<Arc<Trace>>,
    pub(super) stop: CancellationToken,
    pub(super) closed: Closed,
}

impl Owner {
    pub(super) async fn run(mut self) -> Result<(), StoreError> {
        let ended = self.work().await;
        // All that was handed over, unless somebody outside takes nothing more.
        let _ = tokio::time::timeout(FINISH, self.outlet.finish()).await;
        ended
    }

    async fn work(&mut self) -> Result<(), StoreError> {
        let mut inputs = Vec::with_capacity(BATCH);
        let mut first = Batch::empty();
        let now = self.clock.now();
        self.mind_wall_clock(now, &mut first);
        self.core.start(now, &mut first.turn);
        self.hand_over(first);
        loop {
            let due = self.closed.until.or_else(|| {
                let next = self.core.next_timeout().into_iter();
                next.chain(self.core.history.next()).min()
            });
            let wake = due.map(|at| self.clock.instant(at));
            let mut back = None;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                told = self.back.recv() => match told {
                    Some(told) => back = Some(told),
                    // The outlet holds its other end as long as there is an owner.
                    None => return Err(StoreError::Closed),
                },
                () = self.outlet.goes_on() => continue,
                count = self.inbox.recv_many(&mut inputs, BATCH), if !self.outlet.is_full() => {
                    if count == 0 {
                        return Ok(());
                    }
                    // What other tasks have ready comes along: one commit for all of it.
                    tokio::task::yield_now().await;
                    while inputs.len() < BATCH && let Ok(more) = self.inbox.try_recv() {
                        inputs.push(more);
                    }
                }
                () = sleep_until(wake) => {}
            }
            let now = self.clock.now();
            let mut batch = Batch::empty();
            self.mind_wall_clock(now, &mut batch);
            self.core.sap.set_crowded(!self.store.has_room());
            self.core.watched = self.traces.receiver_count() > 0;
            self.core.sap.hold();
            match back {
                Some(Back::Failed(why)) => self.recover(&why, now).await?,
                Some(Back::GivenUp(taken)) => self.take_again(taken, now, &mut batch),
                Some(Back::Posted(number, outcome)) => {
                    self.core.posted(number, &outcome, now, &mut batch.turn);
                }
                Some(Back::Loaded(loaded)) => {
                    self.core.loaded(loaded, now, &mut batch.turn);
                }
                Some(Back::Read(by, loaded)) => {
                    self.core.read(by, loaded, now, &mut batch.turn);
                }
                Some(Back::Carried(by, number, what)) => {
                    batch.strict = true;
                    let carried = element::Input::Carried(number, what);
                    self.core.came(by, carried, now, &mut batch.turn);
                }
                Some(Back::Granted(by, number, lines)) => {
                    let granted = element::Input::Granted(number, lines);
                    self.core.came(by, granted, now, &mut batch.turn);
                }
                Some(Back::Handed(number, taken)) => {
                    self.core.handed(number, taken, now, &mut batch.turn);
                }
                Some(Back::ClientClose(client)) => {
                    self.client(client, FromClient::Close, now, &mut batch.turn);
                }
                None => {}
            }
            take_turns(&mut inputs, Input::session_domain);
            for input in inputs.drain(..) {
                self.take(input, now, &mut batch);
            }
            if self.closed.is_due(now) {
                self.try_to_open(now, &mut batch).await;
            }
            let due = self.core.next_timeout().is_some_and(|at| at <= now);
            if due && self.closed.until.is_none() {
                let before = batch.turn.writes.len();
                self.core.timeout(now, &mut batch.turn);
                // Forgetting something can wait; that this node answers for a message cannot.
                let mut writes = batch.turn.writes[before..].iter();
                batch.strict |= writes.any(|write| matches!(write, Write::Put { .. }));
            }
            self.core.sap.release();
            self.core.settle(now, &mut batch.turn);
            self.write_history(now, &mut batch);
            self.hand_over(batch);
        }
    }

    /// Dates are by the wall clock as it is now; where it stands is kept as soon as it has moved.
    fn mind_wall_clock(&mut self, now: Time, batch: &mut Batch) {
        match self.watch.look(now) {
            Seen::Same => {}
            Seen::Moved(skew) => self.core.set_skew(skew),
            Seen::Jumped(skew, by) => {
                tracing::warn!(
                    by_ms = by,
                    "the wall clock has jumped (it was set, or the machine slept); no deadline moves, dates follow it"
                );
                self.core.set_skew(skew);
            }
        }
        if self.watch.must_write() && self.closed.until.is_none() {
            batch.turn.writes.extend(self.watch.take_write(now));
        }
    }

    /// What became of messages is written now and then, and never in the way of what must be: not
    /// while the store fails, nor into its last room.
    fn write_history(&mut self, now: Time, batch: &mut Batch) {
        let due = self.core.history.next().is_some_and(|at| at <= now);
        if due && self.closed.until.is_none() && self.store.has_room() {
            batch.turn.writes.extend(self.core.history.flush(now));
        } else if due {
            self.core.history.wait(now);
        }
    }

    fn hand_over(&mut self, mut batch: Batch) {
        if !batch.turn.writes.is_empty() {
            batch.turn.writes.extend(self.core.metrics.take_write());
            let now = self.clock.now();
            batch.turn.writes.extend(self.watch.take_write(now));
        }
        if !batch.is_empty() {
            self.outlet.hand_over(Release::Batch(Box::new(batch)));
        }
    }

    fn take(&mut self, input: Input, now: Time, batch: &mut Batch) {
        batch.strict |= is_strict(&input);
        let turn = &mut batch.turn;
        match input {
            Input::Message { reply, .. } if self.closed.until.is_some() => {
                let _ = reply.send(Verdict::Busy(Some(BUSY)));
            }
            Input::Message {
                message,
                facts,
                reply,
                ..
            } => {
                let verdict = self.core.receive(&message, &facts, now, turn);
                batch.verdicts.push((reply, verdict));
            }
            Input::Posted(number, outcome) => self.core.posted(number, &outcome, now, turn),
            Input::Handed { reply, .. } if self.closed.until.is_some() => {
                let _ = reply.send(Verdict::Busy(Some(BUSY)));
            }
            Input::Handed { hand, reply } => {
                batch.strict |= self.core.sap.settings().is_strict();
                self.core.take_handed(&hand, now, turn);
                batch.verdicts.push((reply, Verdict::Accepted));
            }
            Input::Xmpp(event) => self.xmpp(*event, now, batch),
            // Its reply is dropped: it may come again. What is told is told again when the core begins.
            Input::ClientOpen { .. } | Input::Told(..) if self.closed.until.is_some() => {}
            Input::Told(from, told) => self.core.told(from, told, now, turn),
            Input::ClientOpen {
                client,
                user,
                takes,
                delivery,
                events,
                reply,
            } => {
                self.outlet.hand_over(Release::Client(client, events));
                let open = FromClient::Open {
                    user,
                    takes,
                    delivery,
                };
                let known = self.client(client, open, now, turn)
                    && !turn.ended.contains(&(client, Over::Unknown));
                if !known {
                    self.outlet.hand_over(Release::ClientGone(client));
                }
                let _ = reply.send(known);
            }
            Input::Client(client, said) => match said.no_room() {
                Some(refusal) if !self.store.has_room() => turn.tell(client, refusal),
                _ => {
                    self.client(client, said, now, turn);
                }
            },
            Input::ClientClose(client) => {
                self.outlet.hand_over(Release::ClientGone(client));
                self.client(client, FromClient::Close, now, turn);
            }
            Input::Links(settings) => self.outlet.hand_over(Release::Links(settings)),
            Input::Ask(question) => {
                question(&mut self.core, now, turn);
                self.core.settle(now, turn);
            }
        }
    }

    /// Whether there is somebody for clients.
    fn client(&mut self, client: ClientKey, from: FromClient, now: Time, turn: &mut Turn) -> bool {
        let input = element::Input::Client(client, from);
        self.core.take(Edge::Clients, input, now, turn)
    }

    fn xmpp(&mut self, event: LinkEvent, now: Time, batch: &mut Batch) {
        let turn = &mut batch.turn;
        match event {
            LinkEvent::Up { domain, connection } => {
                // What was meant for the connection before goes out anew, in order.
                turn.stanzas.retain(|out| out.component != domain);
                self.outlet
                    .hand_over(Release::Connection(domain.clone(), connection));
                self.core.twins.let_in(&domain);
                self.link(&domain, None, now, turn);
            }
            LinkEvent::Stray { domain } => self.core.twins.stray(&domain, now),
            LinkEvent::Down { domain, reason, .. } => {
                if reason.is_taken() {
                    self.core.twins.taken(&domain, now);
                }
                self.link(&domain, Some(reason.blame()), now, turn);
            }
            LinkEvent::Unsent { domain, stanza } => {
                let kept = Taken::Unsent(domain.clone(), Box::new(copy(&stanza)));
                batch.taken.push(kept);
                self.unsent(&domain, stanza, now, turn);
            }
            LinkEvent::Limit { domain, bytes } => {
                self.core.xmpp(&domain, FromXmpp::Limit(bytes), now, turn);
            }
            LinkEvent::Stanza { domain, stanza } => {
                let kept = Taken::Stanza(domain.clone(), Box::new(copy(&stanza)));
                batch.taken.push(kept);
                let brings_more = matches!(stanza, Stanza::Message(_)) && !self.store.has_room();
                if self.closed.until.is_some() || brings_more {
                    self.core.xmpp(&domain, FromXmpp::Refuse(stanza), now, turn);
                } else {
                    self.core.xmpp(&domain, FromXmpp::Stanza(stanza), now, turn);
                }
            }
            LinkEvent::Confirmed { domain, mark } => {
                batch.taken.push(Taken::Confirmed(domain.clone(), mark));
                self.confirmed(domain, mark, now, turn);
            }
        }
    }

    /// What XMPP links brought to a core that was given up. Nobody repeats it: the
    /// senders of stanzas are told, and what the server has it has.
    fn take_again(&mut self, taken: Vec<Taken>, now: Time, batch: &mut Batch) {
        let turn = &mut batch.turn;
        for taken in taken {
            match &taken {
                Taken::Stanza(domain, stanza) => {
                    let refuse = FromXmpp::Refuse(copy(stanza));
                    self.core.xmpp(domain, refuse, now, turn);
                }
                Taken::Confirmed(domain, mark) => {
                    self.confirmed(domain.clone(), *mark, now, turn);
                }
                Taken::Unsent(domain, stanza) => self.unsent(domain, copy(stanza), now, turn),
            }
            // This batch may be given up as well.
            batch.taken.push(taken);
        }
    }

    fn link(&mut self, component: &str, down: Option<Blame>, now: Time, turn: &mut Turn) {
        let from = match down {
            // The core is told when it begins.
            _ if self.closed.until.is_some() => FromXmpp::MayRefuse(down.is_none()),
            None => FromXmpp::Up,
            Some(blame) => FromXmpp::Down(blame),
        };
        self.core.xmpp(component, from, now, turn);
    }

    fn confirmed(&mut self, component: String, mark: u64, now: Time, turn: &mut Turn) {
        if self.closed.until.is_some() {
            self.closed.confirm(component, mark);
        } else {
            self.core
                .xmpp(&component, FromXmpp::Confirmed(mark), now, turn);
        }
    }

    fn unsent(&mut self, component: &str, stanza: Stanza, now: Time, turn: &mut Turn) {
        if self.closed.until.is_none() {
            self.core
                .xmpp(component, FromXmpp::Unsent(stanza), now, turn);
        } else if matches!(&stanza, Stanza::Message(message) if message.type_ != MessageType::Error)
        {
            // The rest is told to nobody.
            self.closed.unsent.push((component.to_owned(), stanza));
        }
    }

    /// Makes the core anew from the disk after a commit has failed, so that it
    /// never acts on what is not kept. Peers were told to come again, and the
    /// sessions of clients end. Posts under way are forgotten and repeated under
    /// their ids; stanzas that a link has already are not repeated (the releaser
    /// sees to that). It begins when the store takes records again.
    async fn recover(&mut self, why: &str, now: Time) -> Result<(), StoreError> {
        if self.closed.until.is_none() {
            tracing::error!("the store does not take records, requests are refused: {why}");
        }
        self.closed.close(now);
        // Under the settings in force, which may be newer than those of the start.
        let settings = self.core.sap.settings().clone();
        let mut core = (self.fresh)(settings, self.core.policies());
        restore(self.store.as_ref(), &mut core).await?;
        core.go_on_from(&mut self.core);
        let mut nothing = Turn::default();
        for (component, up) in std::mem::take(&mut self.core.components) {
            core.xmpp(&component, FromXmpp::MayRefuse(up), now, &mut nothing);
        }
        self.core = core;
        self.watch = Watch::default();
        self.mind_wall_clock(now, &mut Batch::empty());
        self.outlet.hand_over(Release::Reset);
        Ok(())
    }

    /// Whether the store takes records again shows by writing one; then the core begins.
    async fn try_to_open(&mut self, now: Time, batch: &mut Batch) {
        let record = self.core.metrics.write();
        if let Err(error) = self.store.commit(vec![record]).await {
            tracing::debug!("the store still does not take records: {error}");
            return self.closed.wait(now);
        }
        tracing::info!("the store takes records again");
        self.closed.until = None;
        self.closed.opened = Some(now);
        let turn = &mut batch.turn;
        self.core.start(now, turn);
        if !self.core.sap.settings().shards.is_single() {
            turn.told.push((None, Told::Begins));
        }
        // Before what the server has processed, as links say it.
        for (component, stanza) in std::mem::take(&mut self.closed.unsent) {
            let unsent = FromXmpp::Unsent(copy(&stanza));
            self.core.xmpp(&component, unsent, now, turn);
            let kept = Taken::Unsent(component, Box::new(stanza));
            batch.taken.push(kept);
        }
        for (component, mark) in std::mem::take(&mut self.closed.confirmed) {
            self.core
                .xmpp(&component, FromXmpp::Confirmed(mark), now, turn);
            batch.taken.push(Taken::Confirmed(component, mark));
        }
        for (component, up) in self.core.components.clone() {
            let from = if up {
                FromXmpp::Up
            } else {
                FromXmpp::Down(Blame::Nobody)
            };
            self.core.xmpp(&component, from, now, turn);
        }
    }
}

impl Batch {
    fn empty() -> Self {
        Self {
            turn: Turn::default(),
            verdicts: Vec::new(),
            taken: Vec::new(),
            strict: false,
        }
    }

    fn is_empty(&self) -> bool {
        self.turn.is_empty() && self.verdicts.is_empty() && self.taken.is_empty()
    }
}

/// Whether somebody was or will be told that what came in is safe from a power cut. A POST whose
/// end is forgotten is repeated under its ids, and for a message the peer's durability decides.
fn is_strict(input: &Input) -> bool {
    match input {
        Input::Message { strict, .. } => *strict,
        // What was acknowledged and forgotten is told again.
        // What is handed over is as strict as the peers are, and repeated if its end is forgotten.
        Input::Posted(..)
        | Input::Client(_, FromClient::Ack { .. })
        | Input::Handed { .. }
        | Input::Told(..) => false,
        _ => true,
    }
}

fn copy(stanza: &Stanza) -> Stanza {
    match stanza {
        Stanza::Message(message) => Stanza::Message(message.clone()),
        Stanza::Presence(presence) => Stanza::Presence(presence.clone()),
        Stanza::Iq(iq) => Stanza::Iq(iq.clone()),
    }
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
