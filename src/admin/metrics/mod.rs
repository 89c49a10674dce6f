//! Counters and gauges in the text format of Prometheus.

mod links;
mod peers;
mod process;
mod text;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use self::text::Text;
use super::views;
use crate::access::ClientCount;
use crate::element::ServiceElement;
use crate::gateway::{Gateway, LinkView, RoomCount};
use crate::home::{Home, UserCount};
use crate::node::{Core, Gauges, log};
use crate::sap::{PeerView, Skew, Time};
use crate::store::Stats;

/// What the counters of [`Metrics`](crate::node::Metrics) mean.
const HELP: &[(&str, &str)] = &[
    (
        "wvgate_messages_accepted_total",
        "Messages accepted, one per recipient reached in the same way.",
    ),
    (
        "wvgate_messages_ended_total",
        "Accepted messages that came to an end, by outcome.",
    ),
    (
        "wvgate_transactions_received_total",
        "Transactions received from peers.",
    ),
    (
        "wvgate_transactions_sent_total",
        "Transactions posted to peers and acknowledged.",
    ),
    (
        "wvgate_transactions_duplicate_total",
        "Repeated transactions that were recognised.",
    ),
    (
        "wvgate_responses_unasked_total",
        "Responses that nobody had asked for.",
    ),
    (
        "wvgate_requests_refused_total",
        "Requests refused, by status code.",
    ),
    (
        "wvgate_posts_retried_total",
        "Posts that failed and are tried again.",
    ),
    ("wvgate_handshakes_total", "Logins with peers, by result."),
    (
        "wvgate_loops_cut_total",
        "Requests that had gone in a circle.",
    ),
    (
        "wvgate_bodies_unreadable_total",
        "Bodies that could not be read.",
    ),
    (
        "wvgate_bodies_too_large_total",
        "Bodies above max_message, of whomever.",
    ),
];

/// What is measured at a moment.
pub(super) struct Snapshot {
    counters: BTreeMap<String, u64>,
    open: u64,
    offline: u64,
    history: usize,
    history_lost: u64,
    skew: Skew,
    silent: Option<BTreeMap<&'static str, u64>>,
    links: BTreeMap<String, LinkView>,
    rooms: RoomCount,
    pending: usize,
    peers: Vec<PeerView>,
    components: BTreeMap<String, bool>,
    users: Option<UserCount>,
    uptime: u64,
}

impl Snapshot {
    /// Of this core, whose components should be these.
    pub(super) fn of(core: &Core, expected: &[String], started: Time, now: Time) -> Self {
        let mut components: BTreeMap<String, bool> =
            expected.iter().map(|name| (name.clone(), false)).collect();
        components.extend(core.components.clone());
        let offline = core
            .element::<Home>()
            .map_or(0, ServiceElement::messages_open);
        Self {
            counters: core.metrics.all().into_iter().collect(),
            open: core.messages_open().saturating_sub(offline),
            offline,
            history: core.history.bytes(),
            history_lost: core.history.lost,
            skew: core.skew(),
            silent: core.element().map(Gateway::silent),
            links: core.element().map(Gateway::links).unwrap_or_default(),
            rooms: core
                .element()
                .map_or_else(RoomCount::default, |g: &Gateway| g.rooms()),
            pending: views::pending(core),
            peers: core.sap.peer_views(),
            components,
            users: super::users::home_of(core).map(|home| home.names().count()),
            uptime: now.since(started),
        }
    }

    /// The same with another shard of the node.
    pub(super) fn with(mut self, other: Self) -> Self {
        for (name, value) in other.counters {
            *self.counters.entry(name).or_default() += value;
        }
        // The gateway is in one of them.
        self.silent = self.silent.or(other.silent);
        self.links.extend(other.links);
        for (component, up) in other.components {
            *self.components.entry(component).or_default() |= up;
        }
        self.rooms.rooms += other.rooms.rooms;
        self.rooms.occupants += other.rooms.occupants;
        self.rooms.visitors += other.rooms.visitors;
        self.rooms.unsettled += other.rooms.unsettled;
        self.open += other.open;
        self.offline += other.offline;
        self.history += other.history;
        self.history_lost += other.history_lost;
        self.pending += other.pending;
        self.peers.extend(other.peers);
        self.peers.sort_by(|a, b| a.domain.cmp(&b.domain));
        self.users = match (self.users, other.users) {
            (Some(users), Some(more)) => Some(users + more),
            (users, more) => users.or(more),
        };
        self
    }

    /// All metrics, in the text format of Prometheus.
    pub(super) fn text(
        &self,
        store: Stats,
        healthy: bool,
        room: bool,
        clients: Option<ClientCount>,
        gauges: &Gauges,
        now: Time,
    ) -> String {
        let mut text = Text::new();
        text.family("wvgate_build_info", "gauge", "Which version this is.");
        text.labelled(
            "wvgate_build_info",
            ("version", env!("CARGO_PKG_VERSION")),
            1,
        );
        process::write(&mut text, Duration::from_millis(self.uptime));
        self.counters(&mut text);
        peers::write(&mut text, &self.peers, now);
        if self.silent.is_some() {
            let now = self.skew.wall(now).0;
            links::write(&mut text, &self.components, &self.links, now);
        }
        self.others(&mut text);
        certificate_lines(&mut text, gauges, &self.peers);
        if let Some(clients) = clients {
            client_lines(&mut text, clients);
        }
        store_lines(&mut text, store, healthy, room);
        let name = "wvgate_store_commit_seconds";
        text.family(name, "histogram", "How long commits took.");
        text.spans(name, None, &gauges.commits());
        text.finish()
    }

    fn counters(&self, text: &mut Text) {
        let mut last = "";
        for (name, value) in &self.counters {
            let family = name.split('{').next().unwrap_or(name);
            if family != last {
                let known = HELP.iter().find(|(name, _)| *name == family);
                text.family(
                    family,
                    "counter",
                    known.map_or("A counter.", |(_, help)| help),
                );
                last = family;
            }
            text.line(name, value);
        }
        text.one(
            "wvgate_messages_queued",
            "gauge",
            "Messages accepted and not yet ended, except those in inboxes.",
            self.open,
        );
        if let Some(silent) = &self.silent {
            let name = "wvgate_xmpp_silent_total";
            let help =
                "What the gateway dropped: no person's words, and without counterpart; by kind.";
            text.each(
                (name, "counter", help),
                "kind",
                silent.iter().map(|(k, n)| (*k, n)),
                |n| *n,
            );
        }
        text.one(
            "wvgate_xmpp_room_occupants",
            "gauge",
            "XMPP users in groups, each counted once for each group.",
            self.rooms.occupants,
        );
        text.one(
            "wvgate_xmpp_room_occupants_unsettled",
            "gauge",
            "Those, and SSP users in rooms of XMPP, of whom both sides may think differently.",
            self.rooms.unsettled,
        );
        text.one(
            "wvgate_xmpp_room_visitors",
            "gauge",
            "SSP users in rooms of XMPP, each counted once for each room.",
            self.rooms.visitors,
        );
        text.one(
            "wvgate_messages_offline",
            "gauge",
            "Messages in the inboxes of this node's users, until a client takes them.",
            self.offline,
        );
        text.one(
            "wvgate_transactions_pending",
            "gauge",
            "Requests that wait for an answer.",
            self.pending,
        );
    }

    fn others(&self, text: &mut Text) {
        if let Some(users) = self.users {
            let (all, online) = (users.all, users.online);
            text.one("wvgate_users", "gauge", "Users of the home domain.", all);
            text.one(
                "wvgate_users_at_rest",
                "gauge",
                "Those of them who are on disk alone.",
                users.at_rest,
            );
            text.one(
                "wvgate_users_online",
                "gauge",
                "Users with a client session.",
                online,
            );
        }
        text.one(
            "wvgate_history_bytes",
            "gauge",
            "What became of messages, in the store.",
            self.history,
        );
        text.one(
            "wvgate_history_lost_total",
            "counter",
            "Steps of messages that were not kept because the store took none.",
            self.history_lost,
        );
        text.one(
            "wvgate_log_lines_lost_total",
            "counter",
            "Lines of the log that its output did not take.",
            log::lost(),
        );
        text.one(
            "wvgate_clock_skew_seconds",
            "gauge",
            "How far the wall clock is ahead of the node's own time.",
            seconds(self.skew.0),
        );
        text.one(
            "wvgate_uptime_seconds",
            "gauge",
            "Time since the start.",
            self.uptime / 1000,
        );
    }
}

fn seconds(millis: i64) -> f64 {
    std::time::Duration::from_millis(millis.unsigned_abs()).as_secs_f64()
        * if millis < 0 { -1.0 } else { 1.0 }
}

/// Of the node, and of these peers of it.
fn certificate_lines(text: &mut Text, gauges: &Gauges, peers: &[PeerView]) {
    let own = gauges.certificates().into_iter();
    let own = own.map(|(file, ends)| (file.display().to_string(), ends));
    text.ends(
        "wvgate_certificate_not_after_seconds",
        "When the certificate ends that the node shows, since the epoch, by file.",
        "file",
        own,
    );
    // As long as the other metrics of a peer are, which may still be told that it was taken out.
    let peers: HashSet<&str> = peers.iter().map(|peer| peer.domain.as_str()).collect();
    let shown = gauges.peers.all().into_iter();
    text.ends(
        "wvgate_peer_certificate_not_after_seconds",
        "When the certificate ends that a peer has shown last, since the epoch.",
        "peer",
        shown.filter(|(domain, _)| peers.contains(domain.as_str())),
    );
}

fn client_lines(text: &mut Text, clients: ClientCount) {
    text.one(
        "wvgate_clients",
        "gauge",
        "Sessions of phones and other clients, those in lines of text included.",
        clients.sessions,
    );
    text.one(
        "wvgate_client_channels",
        "gauge",
        "Connections by which clients are woken.",
        clients.channels,
    );
    text.family(
        "wvgate_client_logins_total",
        "counter",
        "Logins of clients, by result.",
    );
    for (result, count) in [("ok", clients.logins), ("refused", clients.refused)] {
        text.line(
            &format!("wvgate_client_logins_total{{result=\"{result}\"}}"),
            count,
        );
    }
    text.one(
        "wvgate_client_posts_total",
        "counter",
        "Messages of clients, polls included.",
        clients.posts,
    );
    text.one(
        "wvgate_client_wakes_total",
        "counter",
        "Times that a client was woken.",
        clients.woken,
    );
    text.one(
        "wvgate_short_messages_refused_total",
        "counter",
        "Short messages that a gateway has refused for good, and that were given up.",
        clients.short_messages_refused,
    );
}

fn store_lines(text: &mut Text, store: Stats, healthy: bool, room: bool) {
    text.one(
        "wvgate_store_healthy",
        "gauge",
        "Whether the last commit succeeded.",
        u8::from(healthy),
    );
    text.one(
        "wvgate_store_room",
        "gauge",
        "Whether there is room for new requests.",
        u8::from(room),
    );
    text.one(
        "wvgate_store_commits_total",
        "counter",
        "Batches on disk.",
        store.commits,
    );
    text.one(
        "wvgate_store_transactions_total",
        "counter",
        "Disk transactions that carried them.",
        store.transactions,
    );
    text.one(
        "wvgate_store_records_total",
        "counter",
        "Records written or deleted.",
        store.records,
    );
    text.one(
        "wvgate_store_failed_total",
        "counter",
        "Batches that failed.",
        store.failed,
    );
    text.one(
        "wvgate_store_damaged_total",
        "counter",
        "Records found damaged or unreadable and set aside, and torn ends of files.",
        store.damaged,
    );
}
