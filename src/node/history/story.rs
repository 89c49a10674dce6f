//! A message's history in words: where it is, or how it ended.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::piece::{Answer, Leg, Piece, plain};
use crate::imps::Code;
use crate::imps::datetime::DateTime;
use crate::sap::Time;
use crate::sap::Wait;
use crate::text::Shown;
use crate::translate::Mappings;

/// The built-in words, whatever the gateway says to XMPP users.
static STATUS: LazyLock<Mappings> = LazyLock::new(Mappings::built_in);

/// A message as an operator is told of it. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The message's id.
    pub message: String,
    /// Whom it came from: a peer, `local` or `xmpp`.
    pub from: Option<String>,
    /// Its transaction there.
    pub transaction: Option<String>,
    /// The user who sent it.
    pub sender: Option<String>,
    /// When the node received it.
    pub received: Option<Time>,
    /// Until when it is valid.
    pub expires: Option<Time>,
    /// When its sender's side was told 202: this node answers for it.
    pub taken_over: Option<Time>,
    /// Its parts, one for recipients who are reached in the same way.
    pub parts: Vec<Part>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// For whom, the first of many.
    pub to: Vec<String>,
    /// Where it is or went: a peer, `local`, `xmpp`, or `here` for what went nowhere.
    pub at: String,
    /// Our transaction there.
    pub transaction: Option<String>,
    /// `waiting` (here), `passed` (the next hop has it, the end is not known), `delivered`,
    /// `refused`, `expired` or `ended`.
    pub state: String,
    /// In one line: where it is, or how it ended, by whom, with code and reason.
    pub what: String,
    /// The code, where one was said.
    pub code: Option<u16>,
    /// What was said with it.
    pub reason: Option<String>,
    /// Who said it: a peer, a user, `local`, `xmpp` or `here`.
    pub by: Option<String>,
    /// Since when it waits, or when it ended.
    pub since: Option<Time>,
    /// When it is tried again.
    pub next_try: Option<Time>,
}

/// What the node knows of the present.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// What each peer's outbox waits for.
    pub waits: BTreeMap<String, Wait>,
    /// Whether the XMPP components are connected.
    pub xmpp_up: bool,
    /// The time at which the story is told.
    pub now: Time,
}

/// What a code means, in words.
pub fn means(code: u16) -> &'static str {
    STATUS.status.means(Code(code))
}

impl Story {
    /// Tells a message's history.
    pub fn of(piece: &Piece, present: &Present) -> Self {
        Self {
            message: piece.id.clone(),
            from: piece.from.clone(),
            transaction: piece.transaction.clone(),
            sender: piece.sender.clone(),
            received: piece.received,
            expires: piece.expires,
            taken_over: piece.taken_over,
            parts: piece
                .legs
                .iter()
                .map(|leg| Part::of(piece, leg, present))
                .collect(),
        }
    }
}

impl Part {
    fn of(piece: &Piece, leg: &Leg, present: &Present) -> Self {
        let mut part = Self {
            to: leg.to.clone(),
            at: leg.place.clone(),
            transaction: leg.transaction.clone(),
            state: String::new(),
            what: String::new(),
            code: None,
            reason: None,
            by: None,
            since: leg.since.or(piece.received),
            next_try: None,
        };
        if let Some(report) = reported(piece, leg) {
            let by = report.by.clone().unwrap_or_else(|| leg.place.clone());
            let state = state_of(report.code);
            let how = format!("{state}, as {} reports", Shown(&by));
            part.said(
                state,
                &how,
                report.code,
                report.reason.as_deref(),
                &by,
                report.time,
            );
        } else if !leg.ends.is_empty() {
            part.ended(leg);
        } else if let Some(answer) = &leg.answer {
            part.answered(piece, leg, answer, present);
        } else {
            part.waits(piece, leg, present);
        }
        if let (Some(taken_over), "waiting" | "passed") = (piece.taken_over, part.state.as_str()) {
            part.what += &format!("; its sender was told 202 at {}", date(taken_over));
        }
        part
    }

    /// How its copies ended in an element of this node.
    fn ended(&mut self, leg: &Leg) {
        let where_to = match leg.place.as_str() {
            "local" => "to the user's client",
            "xmpp" => "to the XMPP server",
            _ => "",
        };
        // The failures first: who asks wants to know of those.
        let last = leg.ends.iter().rev();
        let failed = last.clone().find(|end| end.code.is_some());
        let Some(end) = failed.or_else(|| leg.ends.last()) else {
            return;
        };
        let answer = leg
            .answer
            .as_ref()
            .filter(|answer| Some(answer.code) == end.code);
        let reason = answer.and_then(|answer| answer.reason.clone());
        let (by, at) = (leg.place.clone(), end.time);
        match end.code {
            Some(code) => {
                let state = state_of(code);
                let how = format!("{state} by {}", element(&by));
                self.said(state, &how, code, reason.as_deref(), &by, at);
            }
            None => {
                let delivered = end.what.starts_with("delivered");
                self.state = if delivered { "delivered" } else { "ended" }.into();
                let how = if delivered {
                    format!("{} {where_to}", end.what)
                } else {
                    end.what.clone()
                };
                self.what = format!("{} at {}", how.trim_end(), date(at));
                self.by = Some(by);
                self.since = Some(at);
            }
        }
        let others = leg.ends.len() - 1;
        if others > 0 {
            self.what += &format!(" (and {others} more)");
        }
    }

    fn answered(&mut self, piece: &Piece, leg: &Leg, answer: &Answer, present: &Present) {
        let by = if answer.here {
            "here"
        } else {
            leg.place.as_str()
        };
        let code = answer.code;
        let success = code / 100 == 2;
        let (state, how) = match leg.place.as_str() {
            "local" if success => {
                // Taken into the user's inbox, and not yet by a client of theirs.
                let whom = leg.to.first().map_or("the user", String::as_str);
                self.state = "waiting".into();
                self.by = Some("local".to_owned());
                self.since = Some(answer.time);
                self.what = format!(
                    "waits for a client of {} since {}{}",
                    Shown(whom),
                    date(answer.time),
                    until(piece)
                );
                return;
            }
            "xmpp" if success => return self.waits(piece, leg, present),
            _ if code == 202 => (
                "passed",
                format!("taken over by {by}, which will deliver it when it can"),
            ),
            _ if code == 201 => ("delivered", format!("delivered in part, as {by} says")),
            _ if success => ("delivered", format!("delivered, as {by} says")),
            peer if answer.here && leg.taken.is_some() && code == 504 => (
                "passed",
                format!("{peer} has it and did not answer in time: it may have arrived"),
            ),
            place if answer.here && place != "here" => match state_of(code) {
                "expired" => ("expired", format!("expired while it waited for {place}")),
                state => (state, format!("given up here, on its way to {place}")),
            },
            _ => match (state_of(code), by) {
                (state, "here") => (state, format!("{state} here")),
                (state, by) => (state, format!("{state} by {}", element(by))),
            },
        };
        let reason = answer.reason.as_deref();
        self.said(state, &how, code, reason, by, answer.time);
    }

    /// It is somewhere, and nothing was said yet.
    fn waits(&mut self, piece: &Piece, leg: &Leg, present: &Present) {
        let since = leg.since.or(piece.received);
        self.state = "waiting".into();
        let over = piece.expires.is_some_and(|expires| expires <= present.now);
        match (leg.place.as_str(), leg.taken) {
            (_, Some(taken)) => {
                self.state = "passed".into();
                self.since = Some(taken);
                self.what = format!(
                    "{} took it at {} and has not answered yet",
                    leg.place,
                    date(taken)
                );
            }
            ("local", None) => {
                self.what = format!("is with the home domain{}{}", from(since), until(piece));
            }
            ("xmpp", None) if present.xmpp_up => {
                let what = "waits for the XMPP server to confirm it";
                self.what = format!("{what}{}{}", from(since), until(piece));
            }
            ("xmpp", None) => {
                let what = "waits for the XMPP server, whose component link is down";
                self.what = format!("{what}{}{}", from(since), until(piece));
            }
            (peer, None) => match present.waits.get(peer) {
                Some(_) if over => {
                    self.state = "expired".into();
                    self.what = format!(
                        "expired at {} while it waited for {peer}",
                        opt(piece.expires)
                    );
                }
                Some(wait) => {
                    self.next_try = wait.next_try;
                    self.what = format!(
                        "waits for {peer}{}{}: {}",
                        from(since),
                        until(piece),
                        in_words(wait)
                    );
                }
                None => {
                    self.what =
                        format!("waits for {peer}, which is no peer any more{}", from(since));
                }
            },
        }
    }

    fn said(
        &mut self,
        state: &str,
        how: &str,
        code: u16,
        reason: Option<&str>,
        by: &str,
        at: Time,
    ) {
        self.state = state.into();
        self.what = format!("{how}: {}, at {}", status(code, reason), date(at));
        self.code = Some(code);
        self.reason = reason.map(str::to_owned);
        self.by = Some(by.to_owned());
        self.since = Some(at);
    }
}

/// A code with its meaning, and what else was said.
pub fn status(code: u16, reason: Option<&str>) -> String {
    let means = means(code);
    match reason.filter(|reason| !reason.is_empty() && !reason.eq_ignore_ascii_case(means)) {
        Some(reason) => format!("{code} {means} ({})", Shown(reason)),
        None => format!("{code} {means}"),
    }
}

/// What a peer's outbox waits for.
pub fn in_words(wait: &Wait) -> String {
    let why = wait
        .because
        .as_deref()
        .map(|why| format!(" ({})", Shown(why)));
    let why = why.unwrap_or_default();
    match (wait.session, wait.next_try) {
        (true, Some(at)) => format!("the last post failed{why}, next try at {}", date(at)),
        (true, None) => format!("{} in its outbox, being posted{why}", wait.queued),
        (false, _) if wait.logging_in => format!("no session, a login is under way{why}"),
        (false, Some(at)) => format!("no session{why}, next login at {}", date(at)),
        (false, None) => format!("no session{why}"),
    }
}

/// The report of a recipient of this part; any, where there is one part only.
fn reported<'p>(piece: &'p Piece, leg: &Leg) -> Option<&'p super::Report> {
    let of_leg = |report: &&super::Report| {
        let by = report.by.as_deref().map(plain);
        piece.legs.len() == 1 || by.is_some_and(|by| leg.to.iter().any(|to| plain(to) == by))
    };
    piece.reports.iter().rev().find(of_leg)
}

fn state_of(code: u16) -> &'static str {
    match code {
        542 => "expired",
        200..300 => "delivered",
        _ => "refused",
    }
}

fn element(place: &str) -> &str {
    match place {
        "local" => "the home domain",
        "xmpp" => "the XMPP side",
        peer => peer,
    }
}

fn from(since: Option<Time>) -> String {
    since.map_or_else(String::new, |since| format!(" since {}", date(since)))
}

fn until(piece: &Piece) -> String {
    let expires = piece.expires;
    expires.map_or_else(String::new, |at| format!(", valid until {}", date(at)))
}

fn opt(time: Option<Time>) -> String {
    time.map_or_else(|| "-".to_owned(), date)
}

/// `2026-01-02 03:04:05`, in UTC.
fn date(time: Time) -> String {
    let text = DateTime::from_millis(time.0).to_string();
    text.trim_end_matches('Z').replace('T', " ")
}
