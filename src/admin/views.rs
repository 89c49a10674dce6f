//! What an operator sees of the core.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::request::Line;
use crate::element::millis;
use crate::node::elements::word;
use crate::node::{Core, Gone, history};
use crate::sap::outbox::{self, Item};
use crate::sap::transaction::State;
use crate::sap::transaction::history::{domain_of, said_in};
use crate::sap::{Origin, Place, Record, Route, SessionView, Skew, Time, is_shard};

/// The node in one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// The node's own domain.
    pub domain: String,
    /// Milliseconds since the epoch.
    pub started: Time,
    /// Milliseconds since the start.
    pub uptime: u64,
    /// Peers configured.
    pub peers: usize,
    /// Peers with a session.
    pub peers_up: usize,
    /// Sessions with peers.
    pub sessions: usize,
    /// Transactions waiting for peers.
    pub queued: usize,
    /// Requests that wait for an answer.
    pub pending: usize,
    /// Messages accepted since the store was made.
    pub accepted: u64,
    /// Messages that came to an end.
    pub ended: u64,
    /// Users of the home domain; none without one.
    pub users: Option<usize>,
    /// Those of them who are online.
    pub online: Option<usize>,
    /// XMPP components and whether they are up.
    pub components: BTreeMap<String, bool>,
    /// Components as which another process is connected too.
    #[serde(default)]
    pub twins: BTreeSet<String>,
    /// What is wrong with the store, if anything.
    pub store: Option<String>,
    /// Why the node is not ready; nothing if it is.
    #[serde(default)]
    pub not_ready: Vec<String>,
}

impl Status {
    /// The same with another shard of the node.
    fn with(mut self, other: Self) -> Self {
        let sum = |a: Option<usize>, b: Option<usize>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        for (component, up) in other.components {
            *self.components.entry(component).or_default() |= up;
        }
        self.twins.extend(other.twins);
        Self {
            peers: self.peers + other.peers,
            peers_up: self.peers_up + other.peers_up,
            sessions: self.sessions + other.sessions,
            queued: self.queued + other.queued,
            pending: self.pending + other.pending,
            accepted: self.accepted + other.accepted,
            ended: self.ended + other.ended,
            users: sum(self.users, other.users),
            online: sum(self.online, other.online),
            ..self
        }
    }
}

/// A row of the Transaction Table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransactionRow {
    /// The number that this node gave it.
    pub number: u64,
    /// Name of the primitive.
    pub primitive: String,
    /// When it was accepted, milliseconds since the epoch.
    pub received: Time,
    /// When it is given up, milliseconds since the epoch.
    pub expires: Time,
    /// Where it came from.
    pub from: String,
    /// Where its parts went.
    pub to: Vec<String>,
    /// `pending`, `taken over` or `answered`.
    pub state: String,
    /// What was answered, or what it waits for, in words.
    #[serde(default)]
    pub what: String,
    /// The message's id.
    pub message: Option<String>,
}

/// Something that waits for a peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueRow {
    /// The peer it waits for.
    pub peer: String,
    /// `Request` or `Response`.
    pub mode: String,
    /// Name of the primitive.
    pub primitive: String,
    /// The transaction id.
    pub transaction: String,
    /// When it was queued, milliseconds since the epoch; nothing if an earlier version did that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When it is of no use any more, milliseconds since the epoch.
    pub expires: Time,
    /// The message's id.
    pub message: Option<String>,
    /// Bytes of the primitive.
    pub bytes: usize,
    /// What it waits for, in words.
    #[serde(default)]
    pub waits: String,
    /// When it is tried again, if not now: milliseconds since the epoch.
    #[serde(default)]
    pub next_try: Option<Time>,
}

/// A session with a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    /// What the SAP knows of it.
    #[serde(flatten)]
    pub session: SessionView,
    /// Milliseconds since anything came or went in it.
    pub idle: u64,
    /// Milliseconds until it ends if it stays idle; none if it does not.
    pub ends_in: Option<u64>,
}

pub(super) fn sessions(core: &Core, now: Time) -> Vec<SessionRow> {
    let row = |mut session: SessionView| {
        // Whoever knows one whole may speak in the session.
        for id in [&mut session.own_id, &mut session.peer_id] {
            *id = id.shown().to_string().into();
        }
        let idle = now.since(session.last_in.max(session.last_out));
        let peer = core.sap.settings().peers.get(&session.peer);
        let ends = peer.is_some_and(|peer| peer.dialect.sessions_expire);
        let ends_in = ends.then(|| millis::of(session.ttl).saturating_sub(idle));
        SessionRow {
            session: SessionView {
                established: core.wall(session.established),
                last_in: core.wall(session.last_in),
                last_out: core.wall(session.last_out),
                ..session
            },
            idle,
            ends_in,
        }
    };
    core.sap.session_views().into_iter().map(row).collect()
}

/// All peers, each as the shard that has it sees it.
pub(super) async fn peers(shared: &Shared) -> Result<Line, Gone> {
    let look = |core: &mut Core, _, _: &mut _| core.sap.peer_views();
    let shards = shared.node.ask_all(look).await?;
    let mut peers: Vec<_> = shards.into_iter().flatten().collect();
    peers.sort_by(|a, b| a.domain.cmp(&b.domain));
    Ok(Line::result(&peers))
}

pub(super) async fn status(shared: &Shared) -> Result<Line, Gone> {
    let mut unhealthy = shared
        .node
        .stores()
        .filter_map(|store| store.health().err());
    let mut trouble = unhealthy.next().map(|error| error.to_string());
    if trouble.is_none() && !shared.node.stores().all(|store| store.has_room()) {
        trouble = Some("there is hardly any room left; new requests are refused".to_owned());
    }
    let (started, domain) = (shared.started, shared.settings.domain.clone());
    let expected = shared.settings.components.clone();
    let look = move |core: &mut Core, now: Time, _: &mut _| {
        let peers = core.sap.peer_views();
        let mut components: BTreeMap<String, bool> =
            expected.into_iter().map(|name| (name, false)).collect();
        components.extend(core.components.clone());
        let count = super::users::home_of(core).map(|home| home.names().count());
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            domain,
            started: core.wall(started),
            uptime: now.since(started),
            peers: peers.len(),
            peers_up: peers.iter().filter(|peer| peer.state == "up").count(),
            sessions: peers.iter().map(|peer| peer.sessions).sum(),
            queued: peers.iter().map(|peer| peer.queued).sum(),
            pending: pending(core),
            accepted: core.metrics.accepted(),
            ended: core.metrics.ended(),
            users: count.map(|count| count.all),
            online: count.map(|count| count.online),
            components,
            twins: core.twins.lately(now),
            store: trouble,
            not_ready: Vec::new(),
        }
    };
    let shards = shared.node.ask_all(look).await?.into_iter();
    let mut status = shards.reduce(Status::with).ok_or(Gone)?;
    status.not_ready = super::ready::reasons(shared).await;
    Ok(Line::result(&status))
}

pub(super) fn pending(core: &Core) -> usize {
    let table = core.sap.transactions().all_open();
    table
        .filter(|(_, record)| record.state == State::Pending && !is_shard(record.origin.name()))
        .count()
}

pub(super) fn routes(core: &Core) -> Vec<Value> {
    let routes = core.sap.settings().routes.iter();
    let row = |(domain, route): (&str, &Route)| {
        let via = match route {
            Route::Local(element) => word(*element),
            Route::Peer(peer) => peer,
        };
        json!({"domain": domain, "via": via})
    };
    routes.map(row).collect()
}

pub(super) fn transactions(core: &Core, limit: usize, now: Time) -> Vec<TransactionRow> {
    let rows = core.sap.transactions().newest(limit);
    let row = |(number, record): (u64, Cow<'_, Record>)| TransactionRow {
        number,
        primitive: record.name.to_string(),
        received: core.wall(record.received),
        expires: core.wall(record.expires),
        from: match &record.origin {
            Origin::Peer { peer, id } => format!("{peer} {id}"),
            Origin::Element { element, .. } => word(*element).to_owned(),
        },
        to: record.parts.iter().map(|part| place(&part.place)).collect(),
        state: match record.state {
            State::Pending => "pending",
            State::TakenOver => "taken over",
            State::Answered(_) => "answered",
        }
        .to_owned(),
        what: what(core, &record, now),
        message: record.message.clone(),
    };
    rows.into_iter().map(row).collect()
}

/// The newest rows of all shards. What one has handed to another is one row: where it came from, and
/// where it went on.
pub(super) fn together(shards: Vec<Vec<TransactionRow>>, limit: usize) -> Vec<TransactionRow> {
    let mut handed = BTreeMap::new();
    let mut rows = Vec::new();
    for (shard, of_shard) in (0_u16..).zip(shards) {
        for row in of_shard {
            if is_shard(&row.from) {
                handed.insert(format!("{} {shard}", row.from), row);
            } else {
                rows.push((shard, row));
            }
        }
    }
    rows.sort_unstable_by_key(|(_, row)| std::cmp::Reverse(row.number));
    rows.truncate(limit);
    let joined = |(from, mut row): (u16, TransactionRow)| {
        // At most as many hops as a request may take between shards.
        for _ in 0..4 {
            let Some(at) = row.to.iter().position(|to| is_shard(to)) else {
                break;
            };
            let to = row.to.remove(at);
            let further = to.strip_prefix('~').and_then(|to| to.split_once(' '));
            let further = further.and_then(|(to, id)| handed.get(&format!("~{from} {id} {to}")));
            if let Some(further) = further {
                row.to.extend(further.to.iter().cloned());
                if row.what.is_empty() {
                    row.what.clone_from(&further.what);
                }
            }
        }
        // Answered here, because the other shard answers for it: that it waits there.
        let mut further = handed.values();
        let waits = |further: &&TransactionRow| {
            further.message == row.message && further.state != "answered"
        };
        if row.message.is_some()
            && row.state == "answered"
            && let Some(further) = further.find(waits)
        {
            row.state.clone_from(&further.state);
            row.what.clone_from(&further.what);
            row.to.clone_from(&further.to);
        }
        row
    };
    rows.into_iter().map(joined).collect()
}

/// What was answered, or what a request waits for.
fn what(core: &Core, record: &Record, now: Time) -> String {
    if let State::Answered(answer) = &record.state {
        let said = answer.as_ref().map(said_in);
        return said.map_or_else(String::new, |said| {
            history::status(said.code, said.reason.as_deref())
        });
    }
    let waiting = record.parts.iter().filter(|part| part.answer.is_none());
    let waiting =
        waiting.filter(|part| !matches!(&part.place, Place::Peer { peer, .. } if is_shard(peer)));
    let words = waiting.map(|part| match (&part.place, part.acknowledged) {
        (Place::Peer { peer, .. }, Some(_)) => {
            format!("{} has it and has not answered", domain_of(peer))
        }
        (Place::Peer { peer, .. }, None) => match core.wait_of(peer, now) {
            Some(wait) => format!("waits for {}: {}", wait.peer, history::in_words(&wait)),
            None => format!("waits for {peer}, which is no peer any more"),
        },
        (Place::Element { element, .. }, _) => {
            format!("with {}", word(*element))
        }
        (Place::Here, _) => String::new(),
    });
    words.collect::<Vec<_>>().join("; ")
}

fn place(place: &Place) -> String {
    match place {
        Place::Peer { peer, id } => format!("{peer} {id}"),
        Place::Element { element, .. } => word(*element).to_owned(),
        Place::Here => "here".to_owned(),
    }
}

/// Records read at once for [`queue`]: they have their bodies with them.
const QUEUE_PAGE: usize = 32;

/// Read from the store, which has what survives a restart.
pub(super) async fn queue(shared: &Shared, peer: Option<&str>, limit: usize) -> Result<Line, Gone> {
    let prefix = match peer {
        Some(peer) => format!("{}{peer}/", outbox::PREFIX),
        None => outbox::PREFIX.to_owned(),
    };
    let limit = limit.min(10_000);
    let look = |core: &mut Core, now: Time, _: &mut _| {
        let peers = core.sap.peer_views().into_iter();
        let wait = |domain: String| Some((domain.clone(), core.wait_of(&domain, now)?));
        let waits: BTreeMap<_, _> = peers.filter_map(|view| wait(view.domain)).collect();
        (waits, core.skew())
    };
    let (mut waits, mut skew) = (BTreeMap::new(), Skew::default());
    for (of_shard, its_skew) in shared.node.ask_all(look).await? {
        waits.extend(of_shard);
        skew = its_skew;
    }
    let row = |(key, value): (String, Vec<u8>)| {
        let rest = key.strip_prefix(outbox::PREFIX)?;
        let (peer, _) = rest.rsplit_once('/')?;
        let (item, since) = Item::from_record(&value).ok()?;
        let wait = waits.get(peer);
        Some(QueueRow {
            peer: peer.to_owned(),
            mode: item.mode.as_str().to_owned(),
            primitive: item.name.to_string(),
            transaction: item.id.to_string(),
            since: (since > Time::default()).then(|| skew.wall(since)),
            expires: skew.wall(item.expires),
            message: item.message,
            bytes: item.raw.len(),
            waits: wait.map_or_else(|| "no peer any more".to_owned(), history::in_words),
            next_try: wait.and_then(|wait| wait.next_try),
        })
    };
    let mut rows = Vec::<QueueRow>::new();
    for store in shared.node.stores() {
        let (before, mut after) = (rows.len(), None::<String>);
        while rows.len() - before < limit {
            let page = QUEUE_PAGE.min(limit - (rows.len() - before));
            let scan = store.scan(&prefix, after.as_deref(), page);
            let records = match scan.await {
                Ok(records) => records,
                Err(error) => return Ok(Line::error(error)),
            };
            let Some((last, _)) = records.last() else {
                break;
            };
            after = Some(last.clone());
            rows.extend(records.into_iter().filter_map(row));
        }
    }
    rows.sort_by(|a, b| a.peer.cmp(&b.peer));
    rows.truncate(limit);
    Ok(Line::result(&rows))
}
