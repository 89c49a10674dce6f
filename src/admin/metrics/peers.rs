//! What is measured of each peer.

use super::text::{Row, Text};
use crate::sap::{PeerView, Time, Traffic};

/// Sessions, queues and traffic of these peers, at this time.
pub(super) fn write(text: &mut Text, all: &[PeerView], now: Time) {
    let peers = || all.iter().map(|peer| (peer.domain.as_str(), peer));
    let gauges: [Row<PeerView>; 5] = [
        (
            "wvgate_peer_up",
            "Whether there is a session to send on.",
            |peer| u64::from(peer.state == "up"),
        ),
        ("wvgate_peer_sessions", "Sessions with the peer.", |peer| {
            peer.sessions as u64
        }),
        (
            "wvgate_peer_outbox",
            "Transactions waiting for the peer.",
            |peer| peer.queued as u64,
        ),
        (
            "wvgate_peer_pending",
            "Unanswered requests of the peer.",
            |peer| peer.pending as u64,
        ),
        (
            "wvgate_peer_bodies_too_large",
            "Bodies of the peer above max_message since the start.",
            |peer| peer.too_large,
        ),
    ];
    for (name, help, value) in gauges {
        text.each((name, "gauge", help), "peer", peers(), value);
    }
    let (name, help) = (
        "wvgate_peer_outbox_oldest_seconds",
        "How long the oldest of them waits.",
    );
    text.each((name, "gauge", help), "peer", peers(), |peer| {
        peer.oldest
            .map_or(0.0, |since| now.after(since).as_secs_f64())
    });
    let counters: [Row<Traffic>; 4] = [
        (
            "wvgate_peer_received_transactions_total",
            "Transactions that came from the peer in sessions.",
            |traffic| traffic.received,
        ),
        (
            "wvgate_peer_received_bytes_total",
            "Bytes of the messages that brought them.",
            |traffic| traffic.received_bytes,
        ),
        (
            "wvgate_peer_sent_transactions_total",
            "Transactions that the peer has acknowledged.",
            |traffic| traffic.sent,
        ),
        (
            "wvgate_peer_posted_bytes_total",
            "Bytes of what was posted to the peer in sessions, repetitions included.",
            |traffic| traffic.posted_bytes,
        ),
    ];
    for (name, help, value) in counters {
        text.each((name, "counter", help), "peer", peers(), |peer| {
            value(&peer.traffic)
        });
    }
    let name = "wvgate_peer_post_seconds";
    let help = "How long the peer took to acknowledge a post.";
    text.family(name, "histogram", help);
    for (domain, peer) in peers() {
        text.spans(name, Some(("peer", domain)), &peer.traffic.posts);
    }
    let name = "wvgate_peer_answer_seconds";
    let help =
        "How long requests were here until the peer they were handed on to had answered them.";
    text.family(name, "histogram", help);
    for (domain, peer) in peers() {
        text.spans(name, Some(("peer", domain)), &peer.answers);
    }
}
