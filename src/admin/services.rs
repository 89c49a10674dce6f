//! The Service Table, asking a peer for its services, and trying whether it answers.

use std::time::Duration;

use serde_json::json;

use super::Shared;
use super::connection::no_peer;
use super::request::{Line, ProbeKind};
use crate::node::{Core, Gone};
use crate::sap::Time;
use crate::sap::service::{Heard, Probe, ProbeView, ProviderView, ServiceView};

/// Between two looks at whether an answer has come; our choice.
const LOOK: Duration = Duration::from_millis(25);

/// The whole table, or one peer's part of it.
pub(super) async fn table(shared: &Shared, peer: Option<String>) -> Result<Line, Gone> {
    let of = peer.clone();
    let unknown = move |core: &mut Core, _, _: &mut _| {
        let stranger = of.filter(|peer| !is_peer(core, peer));
        stranger.map(|peer| no_peer(core, &peer))
    };
    if let Some(refusal) = shared.node.ask(unknown).await? {
        return Ok(refusal);
    }
    view(shared, peer).await
}

enum Question {
    /// What the peer itself offers.
    Itself,
    /// What another domain offers: the question of this number.
    Number(u64),
}

/// What became of it.
enum Fate {
    Waits,
    Learnt,
    Refused(String),
}

/// Asks a peer what it offers, or what a domain behind it does, and waits for the answer.
pub(super) async fn discover(
    shared: &Shared,
    peer: String,
    of: Option<String>,
    patience: Duration,
) -> Result<Line, Gone> {
    let to = peer.clone();
    let begin = move |core: &mut Core, now: Time, _: &mut _| {
        if !is_peer(core, &to) {
            return (Some(no_peer(core, &to)), None);
        }
        let asked = match &of {
            Some(domain) => core
                .sap
                .discover_behind(&to, domain, now)
                .map(Question::Number),
            None => core.sap.discover(&to, now).then_some(Question::Itself),
        };
        (None, asked)
    };
    let question = match shared.node.ask_for_peer(&peer, begin).await? {
        (Some(refusal), _) => return Ok(refusal),
        (None, Some(question)) => question,
        (None, None) => {
            let why = "its dialect has no service discovery; without --discover and --of the \
                       dialect's own list is shown";
            return Ok(Line::error(format!("{peer} cannot be asked: {why}")));
        }
    };
    match tokio::time::timeout(patience, answer(shared, &peer, &question)).await {
        Ok(line) => line,
        Err(_) => {
            let why = "has not answered in time; see `wvgate peers`, or wvgate check peer";
            Ok(Line::error(format!("{peer} {why} {peer}")))
        }
    }
}

/// Waits for the answer to a question that was asked.
async fn answer(shared: &Shared, peer: &str, question: &Question) -> Result<Line, Gone> {
    loop {
        let (to, number) = match question {
            Question::Itself => (peer.to_owned(), None),
            Question::Number(number) => (peer.to_owned(), Some(*number)),
        };
        let look = move |core: &mut Core, now: Time, _: &mut _| {
            let fate = match number {
                Some(number) => fate_of(core, number),
                None => match core.sap.services().heard(&to, now) {
                    (true, _) => Fate::Waits,
                    (false, Some(Heard { problem: None, .. })) => Fate::Learnt,
                    (false, heard) => Fate::Refused(
                        heard
                            .and_then(|heard| heard.problem)
                            .unwrap_or_else(|| "no answer in time".to_owned()),
                    ),
                },
            };
            match fate {
                Fate::Waits => None,
                Fate::Learnt => Some(None),
                Fate::Refused(why) => Some(Some(Line::error(format!("{to} does not say: {why}")))),
            }
        };
        match shared.node.ask_for_peer(peer, look).await? {
            None => {}
            Some(None) => return view(shared, Some(peer.to_owned())).await,
            Some(Some(refusal)) => return Ok(refusal),
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn fate_of(core: &Core, number: u64) -> Fate {
    let view = core.sap.services().probe_view(number);
    let Some((status, view)) = view.and_then(|view| Some((view.status?, view))) else {
        return Fate::Waits;
    };
    if (200..300).contains(&status) {
        return Fate::Learnt;
    }
    let words = view.description.as_deref().unwrap_or_default();
    Fate::Refused(format!("{status} {words}").trim_end().to_owned())
}

/// Tries a peer and waits until it is known how that ended, or for so long. `null` if such
/// a peer would not understand.
pub(super) async fn probe(
    shared: &Shared,
    peer: String,
    kind: ProbeKind,
    patience: Duration,
) -> Result<Line, Gone> {
    let probe = match kind {
        ProbeKind::KeepAlive => Probe::KeepAlive,
        ProbeKind::Echo => Probe::Echo,
    };
    let of = peer.clone();
    let begin = move |core: &mut Core, now: Time, _: &mut _| {
        let known = is_peer(core, &peer);
        let refusal = (!known).then(|| no_peer(core, &peer));
        (refusal, core.sap.probe(&peer, probe, now))
    };
    let number = match shared.node.ask_for_peer(&of, begin).await? {
        (Some(refusal), _) => return Ok(refusal),
        (None, None) => return Ok(Line::result(&json!(null))),
        (None, Some(number)) => number,
    };
    let look = move |core: &mut Core, _, _: &mut _| core.sap.services().probe_view(number).cloned();
    let ended = async {
        loop {
            let view = shared.node.ask_for_peer(&of, look).await?;
            if view.as_ref().is_none_or(|view| is_over(view, probe)) {
                return Ok(view);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let view = match tokio::time::timeout(patience, ended).await {
        Ok(view) => view?,
        // As far as it has come.
        Err(_) => shared.node.ask_for_peer(&of, look).await?,
    };
    Ok(Line::result(&view))
}

fn is_over(view: &ProbeView, probe: Probe) -> bool {
    let good = view
        .status
        .is_some_and(|status| (200..300).contains(&status));
    view.answered.is_some() && (probe == Probe::KeepAlive || !good || view.echoed.is_some())
}

fn is_peer(core: &Core, peer: &str) -> bool {
    core.sap.settings().peers.contains_key(peer)
}

/// Each peer's rows are those of the shard that has it.
async fn view(shared: &Shared, peer: Option<String>) -> Result<Line, Gone> {
    let look = move |core: &mut Core, now: Time, _: &mut _| rows(core, peer.as_deref(), now);
    let (mut providers, mut peers) = (Vec::new(), Vec::new());
    for (of_shard, rows) in shared.node.ask_all(look).await? {
        providers = of_shard;
        peers.extend(rows);
    }
    peers.sort_by(|a, b| a.peer.cmp(&b.peer));
    Ok(Line::result(
        &json!({"providers": providers, "peers": peers}),
    ))
}

fn rows(core: &Core, peer: Option<&str>, now: Time) -> (Vec<ProviderView>, Vec<ServiceView>) {
    let shards = core.sap.settings().shards;
    let rows = core.sap.services().views(now).into_iter();
    let rows = rows.filter(|row| shards.has_peer(&row.peer));
    let wall = |time: &mut Time| *time = core.wall(*time);
    let peers = rows
        .filter(|row| peer.is_none_or(|peer| row.peer == peer))
        .map(|mut row| {
            let agreements = [row.granted.as_mut(), row.obtained.as_mut()];
            for agreement in agreements.into_iter().flatten() {
                wall(&mut agreement.since);
                wall(&mut agreement.expires);
            }
            let times = [&mut row.seen, &mut row.known_until, &mut row.next_try];
            times.into_iter().flatten().for_each(wall);
            row
        })
        .collect();
    let providers: Vec<_> = core
        .sap
        .services()
        .providers()
        .into_iter()
        .filter(|row| peer.is_none_or(|peer| row.via.as_deref() == Some(peer)))
        .collect();
    (providers, peers)
}
