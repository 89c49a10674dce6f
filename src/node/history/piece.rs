//! What is known of one message: a piece of its history, written down as a line.

use serde::{Deserialize, Serialize};

use crate::sap::{Skew, Time};
use crate::text::cut;

/// Longest text kept, in bytes; our choice.
const LONGEST: usize = 256;
/// Parts, ends and reports kept of one message, each; our choice.
const MOST: usize = 16;

/// What happened to one message in a while. Pieces of the same message, put together in order of
/// time, are its history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The message's id.
    #[serde(rename = "i")]
    pub id: String,
    /// From which peer or element it came.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its transaction there.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The user who sent it.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// When the node received it.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Time>,
    /// Until when it is valid.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// When its sender's side was told 202.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub taken_over: Option<Time>,
    /// Its parts, each for recipients reached in the same way.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<Leg>,
    /// Delivery reports about it.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Report>,
}

/// A part of a message: for recipients who are reached in the same way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// A peer, `local`, `xmpp`, or `here` for what went nowhere.
    #[serde(rename = "p")]
    pub place: String,
    /// Our transaction there.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// For whom, the first of many.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// When it went there.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When the next hop took it by HTTP.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Time>,
    /// What was answered.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// How its copies ended in an element of this node.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<End>,
}

/// What was answered to a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// When it happened.
    #[serde(rename = "t")]
    pub time: Time,
    /// The status code.
    #[serde(rename = "c")]
    pub code: u16,
    /// What was said with it.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether this node said so, not the other side.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    pub here: bool,
}

/// How one copy ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When it happened.
    #[serde(rename = "t")]
    pub time: Time,
    /// In one word or a few.
    #[serde(rename = "w")]
    pub what: String,
    /// The code of a refusal.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

/// A delivery report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it came through.
    #[serde(rename = "t")]
    pub time: Time,
    /// The user who reports.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The status code.
    #[serde(rename = "c")]
    pub code: u16,
    /// What was said with it.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Piece {
    /// A piece about nothing yet.
    pub fn new(id: &str) -> Self {
        Self {
            id: short(id),
            ..Self::default()
        }
    }

    /// Adds what happened later.
    pub fn merge(&mut self, later: Self) {
        fn fill<T>(into: &mut Option<T>, from: Option<T>) {
            if into.is_none() {
                *into = from;
            }
        }
        fill(&mut self.from, later.from);
        fill(&mut self.transaction, later.transaction);
        fill(&mut self.sender, later.sender);
        fill(&mut self.received, later.received);
        fill(&mut self.expires, later.expires);
        fill(&mut self.taken_over, later.taken_over);
        for leg in later.legs {
            let Some(known) = self.leg(&leg.place, leg.transaction.as_deref()) else {
                continue;
            };
            if known.to.is_empty() {
                known.to = leg.to;
            }
            fill(&mut known.since, leg.since);
            fill(&mut known.taken, leg.taken);
            fill(&mut known.answer, leg.answer);
            let room = MOST.saturating_sub(known.ends.len());
            known.ends.extend(leg.ends.into_iter().take(room));
        }
        let room = MOST.saturating_sub(self.reports.len());
        self.reports.extend(later.reports.into_iter().take(room));
    }

    /// The part that went there, made if need be; none if there are too many.
    pub fn leg(&mut self, place: &str, transaction: Option<&str>) -> Option<&mut Leg> {
        let transaction = transaction.map(short);
        let is = |leg: &Leg| leg.place == place && leg.transaction == transaction;
        let at = match self.legs.iter().position(is) {
            Some(at) => at,
            None if self.legs.len() < MOST => {
                self.legs.push(Leg {
                    place: short(place),
                    transaction,
                    ..Leg::default()
                });
                self.legs.len() - 1
            }
            None => return None,
        };
        self.legs.get_mut(at)
    }

    /// Makes its times those of the wall clock as it is now, for an operator.
    pub fn by_wall_clock(&mut self, skew: Skew) {
        let legs = self.legs.iter_mut().flat_map(|leg| {
            let ends = leg.ends.iter_mut().map(|end| &mut end.time);
            let answer = leg.answer.as_mut().map(|answer| &mut answer.time);
            let own = [leg.since.as_mut(), leg.taken.as_mut(), answer];
            own.into_iter().flatten().chain(ends)
        });
        let own = [
            self.received.as_mut(),
            self.expires.as_mut(),
            self.taken_over.as_mut(),
        ];
        let reports = self.reports.iter_mut().map(|report| &mut report.time);
        for time in own.into_iter().flatten().chain(legs).chain(reports) {
            *time = skew.wall(*time);
        }
    }

    /// Whether it is about this user, whose address is in lower case and without `wv:`.
    pub fn concerns(&self, user: &str) -> bool {
        let mut named = self.legs.iter().flat_map(|leg| &leg.to).chain(&self.sender);
        named.any(|address| plain(address) == user)
    }

    /// About so many bytes in memory, and more than on disk.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let leg = |leg: &Leg| {
            let answer = leg.answer.as_ref().map_or(0, |answer| text(&answer.reason));
            let to: usize = leg.to.iter().map(|to| to.len() + 24).sum();
            let ends: usize = leg.ends.iter().map(|end| end.what.len() + 48).sum();
            200 + leg.place.len() + text(&leg.transaction) + to + answer + ends
        };
        let report = |report: &Report| 80 + text(&report.by) + text(&report.reason);
        let own = text(&self.from) + text(&self.transaction) + text(&self.sender);
        200 + 2 * self.id.len()
            + own
            + self.legs.iter().map(leg).sum::<usize>()
            + self.reports.iter().map(report).sum::<usize>()
    }
}

/// A text as it is kept.
pub fn short(text: &str) -> String {
    cut(text, LONGEST).to_owned()
}

/// A text of one's own as it is kept.
pub(super) fn shortened(text: String) -> String {
    // What is cut gives its room back.
    if text.len() > LONGEST {
        return short(&text);
    }
    text
}

/// An address as users are compared: in lower case, without `wv:`, resource and query.
pub fn plain(address: &str) -> String {
    let lower = address.trim().to_lowercase();
    let bare = lower.strip_prefix("wv:").unwrap_or(&lower);
    let end = bare.find(['/', '?']).unwrap_or(bare.len());
    bare[..end].to_owned()
}
