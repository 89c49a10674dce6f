//! What an operator sees of the core.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::request::Line;
use crate::node::{Core, Gone};
use crate::sap::outbox::{self, Item};
use crate::sap::transaction::State;
use crate::sap::{Element, Origin, Place, Route, SessionView, Time};

/// The node in one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// The node's own domain.
    pub domain: String,
    /// Milliseconds since the epoch.
    pub started: Time,
    /// Milliseconds.
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
    /// What is wrong with the store, if anything.
    pub store: Option<String>,
    /// Why the node is not ready; nothing if it is.
    #[serde(default)]
    pub not_ready: Vec<String>,
}

/// A row of the Transaction Table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransactionRow {
    /// Our number.
    pub number: u64,
    /// The primitive.
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
    /// The message's id.
    pub message: Option<String>,
}

/// Something that waits for a peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueRow {
    /// For whom.
    pub peer: String,
    /// `Request` or `Response`.
    pub mode: String,
    /// The primitive.
    pub primitive: String,
    /// The transaction id.
    pub transaction: String,
    /// When it is of no use any more, milliseconds since the epoch.
    pub expires: Time,
    /// The message's id.
    pub message: Option<String>,
    /// Bytes of the primitive.
    pub bytes: usize,
}

/// A session.
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
    let row = |session: SessionView| {
        let idle = now.since(session.last_in.max(session.last_out));
        let peer = core.sap.settings().peers.get(&session.peer);
        let ends = peer.is_some_and(|peer| peer.dialect.sessions_expire);
        let ends_in = ends.then(|| session.ttl.saturating_sub(idle));
        SessionRow {
            session,
            idle,
            ends_in,
        }
    };
    core.sap.session_views().into_iter().map(row).collect()
}

pub(super) async fn status(shared: &Shared) -> Result<Line, Gone> {
    let store = shared.node.store();
    let mut trouble = store.health().err().map(|error| error.to_string());
    if trouble.is_none() && !store.has_room() {
        trouble = Some("there is hardly any room left; new requests are refused".to_owned());
    }
    let (started, domain) = (shared.started, shared.settings.domain.clone());
    let expected = shared.settings.components.clone();
    let look = move |core: &mut Core, now: Time, _: &mut _| {
        let peers = core.sap.peer_views();
        let mut components: BTreeMap<String, bool> =
            expected.into_iter().map(|name| (name, false)).collect();
        components.extend(core.components.clone());
        let home = core.home_domain();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            domain,
            started,
            uptime: now.since(started),
            peers: peers.len(),
            peers_up: peers.iter().filter(|peer| peer.state == "up").count(),
            sessions: peers.iter().map(|peer| peer.sessions).sum(),
            queued: peers.iter().map(|peer| peer.queued).sum(),
            pending: pending(core),
            accepted: core.metrics.accepted(),
            ended: core.metrics.ended(),
            users: home.map(|home| home.users().count()),
            online: home.map(|home| home.users().filter(|name| home.is_online(name)).count()),
            components,
            store: trouble,
            not_ready: Vec::new(),
        }
    };
    let mut status = shared.node.ask(look).await?;
    status.not_ready = super::ready::reasons(shared).await;
    Ok(Line::result(&status))
}

pub(super) fn pending(core: &Core) -> usize {
    let table = core.sap.transactions().iter();
    table
        .filter(|(_, record)| record.state == State::Pending)
        .count()
}

pub(super) fn routes(core: &Core) -> Vec<Value> {
    let routes = core.sap.settings().routes.iter();
    let row = |(domain, route): (&str, &Route)| {
        let via = match route {
            Route::Local(Element::Home) => "local",
            Route::Local(Element::Gateway) => "xmpp",
            Route::Peer(peer) => peer,
        };
        json!({"domain": domain, "via": via})
    };
    routes.map(row).collect()
}

pub(super) fn transactions(core: &Core, limit: usize) -> Vec<TransactionRow> {
    let mut rows: Vec<_> = core.sap.transactions().iter().collect();
    rows.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
    rows.truncate(limit);
    let row = |(number, record): (u64, &crate::sap::Record)| TransactionRow {
        number,
        primitive: record.name.clone(),
        received: record.received,
        expires: record.expires,
        from: match &record.origin {
            Origin::Peer { peer, id } => format!("{peer} {id}"),
            Origin::Element { element, .. } => element_name(*element).to_owned(),
        },
        to: record.parts.iter().map(|part| place(&part.place)).collect(),
        state: match record.state {
            State::Pending => "pending",
            State::TakenOver => "taken over",
            State::Answered(_) => "answered",
        }
        .to_owned(),
        message: record.message.clone(),
    };
    rows.into_iter().map(row).collect()
}

fn place(place: &Place) -> String {
    match place {
        Place::Peer { peer, id } => format!("{peer} {id}"),
        Place::Element { element, .. } => element_name(*element).to_owned(),
        Place::Here => "here".to_owned(),
    }
}

fn element_name(element: Element) -> &'static str {
    match element {
        Element::Home => "local",
        Element::Gateway => "xmpp",
    }
}

/// Read from the store, which has what survives a restart.
pub(super) async fn queue(shared: &Shared, peer: Option<&str>, limit: usize) -> Result<Line, Gone> {
    let prefix = match peer {
        Some(peer) => format!("{}{peer}/", outbox::PREFIX),
        None => outbox::PREFIX.to_owned(),
    };
    let limit = limit.min(10_000);
    let records = match shared.node.store().scan(&prefix, None, limit).await {
        Ok(records) => records,
        Err(error) => return Ok(Line::error(error)),
    };
    let row = |(key, value): (String, Vec<u8>)| {
        let rest = key.strip_prefix(outbox::PREFIX)?;
        let (peer, _) = rest.rsplit_once('/')?;
        let item = Item::from_record(&value).ok()?;
        Some(QueueRow {
            peer: peer.to_owned(),
            mode: item.mode.as_str().to_owned(),
            primitive: item.name,
            transaction: item.id,
            expires: item.expires,
            message: item.message,
            bytes: item.raw.len(),
        })
    };
    let rows: Vec<QueueRow> = records.into_iter().filter_map(row).collect();
    Ok(Line::result(&rows))
}
