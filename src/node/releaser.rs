//! Commits batches and lets their effects out once their writes are on disk, in
//! order.
//!
//! One commit is under way at a time; what the owner has handed over meanwhile
//! goes into the next one together (the [outlet](super::outlet) sees to that). When a commit fails, everything computed since
//! then stands on what is not kept: it is given up, and nothing of it is written
//! or let out, until the owner has made its core anew ([`Release::Reset`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;
use tokio_xmpp::Stanza;

use super::carrier::Carrier;
use super::client::EventSender;
use super::core::Turn;
use super::gauges::Gauges;
use super::inbox::Input;
use super::links::Links;
use super::told::Telling;
use super::wished::Wished;
use crate::content::Contents;
use crate::element::{self, Carried, ClientKey, Element, ToXmpp, Wish};
use crate::http::link::{LinkSettings, Post as HttpPost, Target};
use crate::sap::{Found, Hand, Load, Loaded, Post, Posted, Trace, Verdict};
use crate::store::{CommitFuture, Store, StoreError, Write};
use crate::xmpp::link::Outgoing;

/// After that a sender that was refused may come again.
pub(super) const BUSY: Duration = Duration::from_secs(1);

/// One step of the releaser.
pub(super) enum Release {
    /// The effects of a turn, to be let out when its commit is on disk.
    Batch(Box<Batch>),
    /// A client of the home domain has come.
    Client(ClientKey, EventSender),
    /// A client of the home domain has gone.
    ClientGone(ClientKey),
    /// New settings of the links to peers.
    Links(Vec<LinkSettings>),
    /// An XMPP link came up with this connection number.
    Connection(String, u64),
    /// The core was made anew from the disk after a failed commit. Its clients are
    /// gone: their sessions end, and they come again.
    Reset,
}

/// What a batch of inputs has led to.
pub(super) struct Batch {
    pub(super) turn: Turn,
    pub(super) verdicts: Vec<(oneshot::Sender<Verdict>, Verdict)>,
    /// What XMPP links brought: if the batch is given up nobody repeats it.
    pub(super) taken: Vec<Taken>,
    /// Whether its effects wait until its writes are on disk, or only until they are safe from the
    /// death of this process.
    pub(super) strict: bool,
}

/// Something an XMPP link brought.
pub(super) enum Taken {
    /// A stanza to this component.
    Stanza(String, Box<Stanza>),
    /// The component's server has processed everything up to this mark.
    Confirmed(String, u64),
    /// A stanza of ours that this component's link could not write.
    Unsent(String, Box<Stanza>),
}

/// What the releaser tells the owner. Goes by a channel without bound, because
/// neither may wait for the other; what is in it is bounded by the posts under way
/// by the peers, for each of which one read is under way, by what elements read and move at once, by the
/// other shards, to each of which one batch is under way, and by the batches handed over.
pub(super) enum Back {
    /// A post did not even leave.
    Posted(u64, Posted),
    /// What the store has of bodies that wait for a peer.
    Loaded(Loaded),
    /// What the store has of records that an element wanted.
    Read(Element, element::Loaded),
    /// What became of a file that was moved for an element.
    Carried(Element, u64, Carried),
    /// What came of a wish of an element.
    Granted(Element, u64, Vec<String>),
    /// Whether a batch for another shard was taken over.
    Handed(u64, bool),
    /// A client does not read.
    ClientClose(ClientKey),
    /// A commit failed, in words: what the core thinks is on disk is not.
    Failed(String),
    /// What a batch had taken that was given up.
    GivenUp(Vec<Taken>),
}

/// The way to another shard.
pub(super) struct Neighbour {
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) telling: Telling,
}

/// A component's link.
pub(super) struct Component {
    pub(super) outgoing: mpsc::Sender<Outgoing>,
    pub(super) connection: u64,
    /// The newest mark handed over on this connection. Marks grow, so what is not
    /// newer was handed over already: a core made anew does not know.
    pub(super) newest: u64,
}

/// Owns the ends of all channels outwards.
pub(super) struct Releaser {
    pub(super) store: Arc<dyn Store>,
    pub(super) back: mpsc::UnboundedSender<Back>,
    pub(super) traces: broadcast::Sender<Arc<Trace>>,
    pub(super) links: Links,
    pub(super) components: HashMap<String, Component>,
    /// The other shards of this node.
    pub(super) neighbours: BTreeMap<u16, Neighbour>,
    pub(super) clients: HashMap<ClientKey, EventSender>,
    /// The files that users share.
    pub(super) contents: Option<Contents>,
    /// Moves files for elements.
    pub(super) carrier: Carrier,
    /// To the process around the node.
    pub(super) wishes: mpsc::Sender<Wished>,
    pub(super) gauges: Arc<Gauges>,
    /// After a failed commit everything is given up until the core is made anew.
    pub(super) failed: bool,
}

impl Releaser {
    /// Does some steps in order: one commit for all up to a [`Release::Reset`].
    pub(super) async fn take(&mut self, steps: Vec<Release>) {
        let mut together = Vec::with_capacity(steps.len());
        for step in steps {
            if matches!(step, Release::Reset) {
                self.commit(std::mem::take(&mut together)).await;
                self.failed = false;
                self.clients.clear();
            } else {
                together.push(step);
            }
        }
        self.commit(together).await;
    }

    /// Writes what some steps need written in one commit, then does them in order.
    async fn commit(&mut self, mut steps: Vec<Release>) {
        let (mut writes, mut strict) = (Vec::new(), false);
        for step in &mut steps {
            if let Release::Batch(batch) = step {
                writes.append(&mut batch.turn.writes);
                strict |= batch.strict;
            }
        }
        if !self.failed
            && !writes.is_empty()
            && let Err(error) = self.keep_timed(writes, strict).await
        {
            self.failed = true;
            let _ = self.back.send(Back::Failed(error.to_string()));
        }
        for step in steps {
            match step {
                Release::Batch(batch) if self.failed => self.give_up(*batch),
                Release::Batch(batch) => self.release(*batch).await,
                Release::Client(client, events) => {
                    self.clients.insert(client, events);
                }
                Release::ClientGone(client) => {
                    self.clients.remove(&client);
                }
                Release::Links(settings) => self.links.replace(settings),
                Release::Connection(domain, number) => {
                    if let Some(component) = self.components.get_mut(&domain) {
                        component.connection = number;
                        component.newest = 0;
                    }
                }
                Release::Reset => {}
            }
        }
    }

    /// Writes, and says how long it took.
    async fn keep_timed(&self, writes: Vec<Write>, strict: bool) -> Result<(), StoreError> {
        let begun = Instant::now();
        let kept = self.keep(writes, strict).await;
        self.gauges.committed(begun.elapsed());
        kept
    }

    fn keep(&self, writes: Vec<Write>, strict: bool) -> CommitFuture {
        let writes = Write::last_of_each(writes);
        if strict {
            self.store.commit(writes)
        } else {
            self.store.commit_soon(writes)
        }
    }

    fn give_up(&mut self, batch: Batch) {
        for (reply, _) in batch.verdicts {
            let _ = reply.send(Verdict::Busy(Some(BUSY)));
        }
        if !batch.taken.is_empty() {
            let _ = self.back.send(Back::GivenUp(batch.taken));
        }
    }

    async fn release(&mut self, batch: Batch) {
        for (reply, verdict) in batch.verdicts {
            let _ = reply.send(verdict);
        }
        for answer in batch.turn.answers {
            (answer.0)();
        }
        for post in batch.turn.posts {
            self.post(post);
        }
        for knock in batch.turn.knocks {
            self.post(Post::knock(knock));
        }
        for hand in batch.turn.hands {
            self.hand(hand);
        }
        for (to, told) in batch.turn.told {
            for (shard, neighbour) in &self.neighbours {
                if to.is_none_or(|to| to == *shard) {
                    neighbour.telling.tell(told.clone());
                }
            }
        }
        for load in batch.turn.loads {
            self.load(load);
        }
        for (by, load) in batch.turn.reads {
            self.read(by, load);
        }
        self.stanzas(batch.turn.stanzas).await;
        for (client, event) in batch.turn.events {
            let full = self
                .clients
                .get(&client)
                .is_some_and(|events| !events.send(event));
            if full {
                // Its session ends when the channel's end is dropped.
                self.clients.remove(&client);
                let _ = self.back.send(Back::ClientClose(client));
            }
        }
        for (client, _) in batch.turn.ended {
            self.clients.remove(&client);
        }
        for (user, urls) in batch.turn.unshared {
            if let Some(contents) = &self.contents {
                contents.discard(&user, urls.as_deref());
            }
        }
        for (by, transfer) in batch.turn.transfers {
            let back = self.back.clone();
            self.carrier.carry(transfer, move |number, what| {
                let _ = back.send(Back::Carried(by, number, what));
            });
        }
        for (by, number, wish) in batch.turn.wishes {
            self.wish(by, number, wish);
        }
        for trace in batch.turn.traces {
            let _ = self.traces.send(trace);
        }
    }

    /// Reads beside the releaser; what is read was committed before.
    fn load(&self, load: Load) {
        let (store, back) = (Arc::clone(&self.store), self.back.clone());
        tokio::spawn(async move {
            let _ = back.send(Back::Loaded(Loaded {
                peer: load.peer,
                number: load.number,
                records: read(store.as_ref(), load.keys).await,
            }));
        });
    }

    /// As [`Releaser::load`], for an element.
    fn read(&self, by: Element, load: element::Load) {
        let (store, back) = (Arc::clone(&self.store), self.back.clone());
        tokio::spawn(async move {
            let loaded = element::Loaded {
                number: load.number,
                records: read(store.as_ref(), load.keys).await,
            };
            let _ = back.send(Back::Read(by, loaded));
        });
    }

    /// Puts a batch into the inbox of another shard, and waits beside the releaser until that has
    /// committed it. A full inbox is a busy neighbour: it is tried again.
    fn hand(&self, hand: Hand) {
        let number = hand.number;
        let (reply, verdict) = oneshot::channel();
        let handed = self.neighbours.get(&hand.to).is_some_and(|neighbour| {
            let input = Input::Handed { hand, reply };
            neighbour.inbox.try_send(input).is_ok()
        });
        if !handed {
            let _ = self.back.send(Back::Handed(number, false));
            return;
        }
        let back = self.back.clone();
        tokio::spawn(async move {
            let taken = matches!(verdict.await, Ok(Verdict::Accepted));
            let _ = back.send(Back::Handed(number, taken));
        });
    }

    /// Hands a wish on; one that nobody takes comes back without a word.
    fn wish(&self, by: Element, number: u64, wish: Wish) {
        let wished = Wished::new(wish, by, number, self.back.clone());
        let _ = self.wishes.try_send(wished);
    }

    fn post(&mut self, post: Post) {
        let number = post.number;
        let mut headers = Vec::new();
        headers.extend(post.transaction.map(|id| ("x-wv-transactionid", id)));
        let session = post.session.as_ref();
        headers.extend(session.map(|id| ("x-wv-sessionid", id.as_str().to_owned())));
        let http = HttpPost {
            id: number,
            body: post.body,
            headers,
            target: post.url.map_or(Target::Usual, Target::Url),
        };
        if let Err(why) = self.links.post(&post.peer, http) {
            let failed = Posted::Failed(why.to_owned());
            let _ = self.back.send(Back::Posted(number, failed));
        }
    }

    /// Stanzas of one component go out together, with their newest mark.
    async fn stanzas(&mut self, stanzas: Vec<ToXmpp>) {
        let mut by_component: HashMap<String, (Vec<_>, Option<u64>)> = HashMap::new();
        for out in stanzas {
            if let (Some(component), Some(mark)) =
                (self.components.get_mut(&out.component), out.mark)
            {
                if mark <= component.newest {
                    continue;
                }
                component.newest = mark;
            }
            let entry = by_component.entry(out.component).or_default();
            entry.0.push(out.stanza);
            entry.1 = entry.1.max(out.mark);
        }
        for (component, (stanzas, mark)) in by_component {
            if let Some(link) = self.components.get(&component) {
                let outgoing_message = Outgoing {
                    connection: link.connection,
                    stanzas,
                    mark,
                };
                // A link that takes nothing more slows the node down until its own
                // time-outs have made it anew: nothing may be left out.
                if link.outgoing.send(outgoing_message).await.is_err() {
                    tracing::debug!(component, "the XMPP link has ended");
                }
            }
        }
    }
}

/// Reads one record after the other.
async fn read(store: &dyn Store, keys: Vec<(u64, String)>) -> Vec<(u64, Found)> {
    let mut records = Vec::with_capacity(keys.len());
    for (number, key) in keys {
        let found = found(&key, store.get(&key).await);
        records.push((number, found));
    }
    records
}

/// What was read of one record. A store that is damaged as a whole says nothing of the record: it
/// may be had again after a repair.
fn found(key: &str, read: Result<Option<Vec<u8>>, StoreError>) -> Found {
    match read {
        Ok(Some(record)) => Found::Record(record),
        Ok(None) => Found::Damaged("there is no such record".to_owned()),
        Err(StoreError::Corrupt(why)) if why.contains(key) => Found::Damaged(why),
        Err(error) => Found::Later(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_with_the_record_itself_ends_it() {
        let of = |read| match found("sap/out/p/1", read) {
            Found::Record(_) => "record",
            Found::Damaged(_) => "damaged",
            Found::Later(_) => "later",
        };
        let text = |text: &str| text.to_owned();
        assert_eq!(of(Ok(Some(Vec::new()))), "record");
        assert_eq!(of(Ok(None)), "damaged");
        let record = StoreError::Corrupt(text("the record sap/out/p/1: its checksum is wrong"));
        assert_eq!(of(Err(record)), "damaged");
        let all = StoreError::Corrupt(text("database disk image is malformed"));
        assert_eq!(of(Err(all)), "later");
        assert_eq!(of(Err(StoreError::Io(text("a bad sector")))), "later");
    }
}
