//! The links to the XMPP server, and the stanzas on their way to it.
//!
//! What was accepted from the SSP side is written down before it is sent, and
//! forgotten when the server has confirmed it; a new link gets everything that is
//! unconfirmed again, in order and with the same ids. Presence and answers are
//! worth nothing later: they go out while the link is up, else not at all. Those that have more
//! bytes than every server takes are written down too, for a while, so that a server that ends the
//! stream at one does so a few times only; presence of which there is news by then does not go out.
//!
//! A server may end the stream at a stanza it does not like, and XEP-0114 does not
//! say at which. So what was unconfirmed at an end goes out one by one over the
//! next link, each when the one before is confirmed. At which the link ends then
//! is known, and one at which it ends again and again is given up: it must not
//! hold up what is behind it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_xmpp::Stanza;

use super::dropped::kind_without_link;
use super::fate::{Fate, GivenUp};
use super::lane::{Lane, Use};
use super::latest::Latest;
use super::link_view::LinkView;
use super::records::{number_of, out_key, read};
use crate::element::{Time, ToXmpp};
use crate::store::Write;
use crate::translate::message::stamp;
use crate::translate::stanza;
use crate::xmpp::link::Blame;

/// Bytes that every server takes as one stanza (RFC 6120, 13.12). What is not kept has no more: a
/// link that it ended would be ended by it each time it comes back.
pub(super) const SURE: usize = 10_000;

/// Bytes that a word about the delay may take.
const STAMP: usize = 128;

/// A stanza the server has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    component: String,
    stanza: String,
    /// The message in `gateway/sent/` it belongs to.
    message: Option<u64>,
    /// Of no use after this.
    until: Time,
    /// When it was written down, by the wall clock, milliseconds; nothing if that is not known.
    #[serde(default)]
    since: u64,
}

/// What became of a stanza that need not survive.
#[derive(Debug)]
pub(super) enum Volatile {
    /// It goes out.
    Out,
    /// There is no link: it is lost.
    Lost,
    /// It has more bytes than every server takes, so that it may end the link.
    Large(Box<Stanza>),
}

/// The links of all components, and what waits for them.
#[derive(Debug, Default)]
pub(super) struct Links {
    entries: BTreeMap<u64, Entry>,
    /// Bytes of the entries.
    bytes: usize,
    lanes: BTreeMap<String, Lane>,
    /// When entries that belong to no message may be too old, at the earliest.
    expiry: Option<Time>,
    fates: VecDeque<Fate>,
    /// Kinds of what did not go out.
    lost: VecDeque<&'static str>,
    writes: VecDeque<Write>,
    ready: VecDeque<ToXmpp>,
    /// Whether it was told that a link brings what is for another one.
    has_crossed: bool,
    latest: Latest,
    now: Time,
    /// The same by the wall clock.
    wall: u64,
}

impl Links {
    /// Links that take stanzas of `most` bytes.
    pub(super) fn new(components: &[String], most: usize) -> Self {
        let lane = |component: &String| (component.clone(), Lane::of(most));
        Self {
            lanes: components.iter().map(lane).collect(),
            ..Self::default()
        }
    }

    /// The link of `component` takes no stanza of more than `bytes`; those that have more are given
    /// up.
    pub(super) fn limit(&mut self, component: &str, bytes: usize) {
        let Some(lane) = self.lanes.get_mut(component) else {
            return;
        };
        lane.most = lane.most.min(bytes);
        let most = lane.most;
        let large = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.component == component && entry.stanza.len() > most);
        let large: Vec<u64> = large.map(|(number, _)| *number).collect();
        let why = "it has more bytes than the XMPP server takes";
        for number in large {
            self.give_up(number, why);
        }
    }

    /// The most bytes of a stanza that the link of `component` takes.
    pub(super) fn most(&self, component: &str) -> usize {
        self.lanes
            .get(component)
            .map_or(usize::MAX, |lane| lane.most)
    }

    /// Takes back the record of a stanza; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        let entry: Entry = read(value)?;
        let number = number_of(rest)?;
        if entry.message.is_none()
            && entry.stanza.len() > SURE
            && let Ok(stanza) = stanza::parse(&entry.stanza)
        {
            self.latest.put(&stanza, number);
        }
        self.keep(number, entry);
        Ok(())
    }

    fn keep(&mut self, number: u64, entry: Entry) {
        if entry.message.is_none() {
            let until = entry.until;
            self.expiry = Some(self.expiry.map_or(until, |at| at.min(until)));
        }
        self.bytes += entry.stanza.len();
        self.entries.insert(number, entry);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of everything that waits.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn holds(&self, number: u64) -> bool {
        self.entries.contains_key(&number)
    }

    pub(super) fn is_up(&self, component: &str) -> bool {
        self.link(component) == Use::Up
    }

    fn link(&self, component: &str) -> Use {
        self.lanes
            .get(component)
            .map_or(Use::Down, |lane| lane.link)
    }

    /// Hands out a stanza that need not survive, unless it has more bytes than every server takes.
    pub(super) fn volatile(&mut self, component: &str, stanza: Stanza) -> Volatile {
        if self.link(component) == Use::Down {
            self.lost.extend(kind_without_link(&stanza));
            return Volatile::Lost;
        }
        if let Some(older) = self.latest.before(&stanza) {
            // It would come behind this one, and stand for good.
            self.remove(older);
        }
        if stanza::print(&stanza).len() > self.most(component).min(SURE) {
            return Volatile::Large(Box::new(stanza));
        }
        self.ready.push_back(ToXmpp {
            component: component.to_owned(),
            stanza,
            mark: None,
        });
        Volatile::Out
    }

    /// Writes down a stanza that need not survive, for so long at most, and hands it out.
    pub(super) fn kept(&mut self, number: u64, component: &str, stanza: Stanza, most: Duration) {
        self.latest.put(&stanza, number);
        let until = self.now.plus(most);
        self.durable(number, component, stanza, None, until);
    }

    /// The kind of something that did not go out, and of which nobody was told.
    pub(super) fn next_lost(&mut self) -> Option<&'static str> {
        self.lost.pop_front()
    }

    /// Writes a stanza down and hands it out: now, or when the link is up and those
    /// before it are through.
    pub(super) fn durable(
        &mut self,
        number: u64,
        component: &str,
        stanza: Stanza,
        message: Option<u64>,
        until: Time,
    ) {
        let entry = Entry {
            component: component.to_owned(),
            stanza: stanza::print(&stanza),
            message,
            until,
            since: self.wall,
        };
        let write = Write::put_json(out_key(number), &entry).as_new();
        self.writes.push_back(write);
        self.keep(number, entry);
        if let Some(lane) = self.lanes.get_mut(component)
            && lane.link == Use::Up
            && lane.alone.is_none()
        {
            lane.handed = number;
            self.ready.push_back(ToXmpp {
                component: component.to_owned(),
                stanza,
                mark: Some(number),
            });
        }
    }

    /// The link of `component` brings something for `other`, a component of this node as well: it is
    /// taken all the same, and answered by the link of `other`. That is explained once.
    pub(super) fn crossed(&mut self, component: &str, other: &str) {
        if !std::mem::replace(&mut self.has_crossed, true) {
            tracing::warn!(
                component,
                other,
                "the XMPP server hands stanzas for {other} to the link of {component}: it gives each \
                 connection the routes of all components of its listener, as ejabberd does unless \
                 global_routes is false there; they are taken all the same, but two of one sender \
                 may change their order"
            );
        }
    }

    /// Whether a link is there for refusals; nothing else goes over it before
    /// [`Links::up`].
    pub(super) fn may_refuse(&mut self, component: &str, up: bool) {
        let lane = self.lanes.entry(component.to_owned()).or_default();
        lane.link = if up { Use::Refusals } else { Use::Down };
    }

    /// Everything unconfirmed goes out again.
    pub(super) fn up(&mut self, component: &str) {
        self.ready.retain(|ready| ready.component != component);
        let lane = self.lanes.entry(component.to_owned()).or_default();
        lane.link = Use::Up;
        lane.handed = 0;
        lane.alone = None;
        self.hand_out(component);
    }

    /// The link has ended. The stanza at which it ended too often is given up, and those that would
    /// end it like that.
    pub(super) fn down(&mut self, component: &str, blame: Blame) {
        self.ready.retain(|ready| ready.component != component);
        let Some(lane) = self.lanes.get_mut(component) else {
            return;
        };
        if std::mem::take(&mut lane.link) != Use::Up {
            return;
        }
        let handed = lane.handed;
        let under_way = self.entries.range(..=handed);
        let mut under_way = under_way.filter(|(_, entry)| entry.component == component);
        let first = under_way
            .next()
            .map(|(number, entry)| (*number, entry.stanza.len()));
        let is_alone = under_way.next().is_none();
        lane.alone = None;
        let Some((number, bytes)) = first else {
            return;
        };
        lane.suspects = lane.suspects.max(handed);
        if !is_alone {
            return;
        }
        if !lane.is_guilty(number, blame) {
            return;
        }
        self.give_up(number, "the XMPP server ends the stream at it");
        if blame == Blame::Size && bytes > SURE {
            // Others of this size would each end the stream as often.
            self.limit(component, bytes - 1);
        }
    }

    /// Hands out what may go: the next suspect, or all that is left.
    fn hand_out(&mut self, component: &str) {
        let Some(lane) = self.lanes.get_mut(component) else {
            return;
        };
        if lane.link != Use::Up || lane.alone.is_some() {
            return;
        }
        let mut unreadable = Vec::new();
        for (number, entry) in self.entries.range(lane.handed + 1..) {
            if entry.component != component {
                continue;
            }
            let number = *number;
            match stanza::parse(&entry.stanza) {
                Ok(mut stanza) => {
                    if let Stanza::Message(message) = &mut stanza
                        && entry.since > 0
                        && entry.stanza.len() + STAMP <= lane.most
                    {
                        stamp(message, entry.since, self.wall);
                    }
                    lane.handed = number;
                    self.ready.push_back(ToXmpp {
                        component: component.to_owned(),
                        stanza,
                        mark: Some(number),
                    });
                    if number <= lane.suspects {
                        lane.alone = Some(number);
                        break;
                    }
                }
                Err(error) => {
                    tracing::error!(number, error, "a queued stanza cannot be read");
                    unreadable.push(number);
                }
            }
        }
        for number in unreadable {
            self.give_up(number, "its record cannot be read");
        }
    }

    /// What waits for the link of each component.
    pub(super) fn views(&self) -> BTreeMap<String, LinkView> {
        let lanes = self.lanes.iter();
        let mut views: BTreeMap<_, _> = lanes.map(|(at, lane)| (at.clone(), lane.view())).collect();
        for entry in self.entries.values() {
            let view: &mut LinkView = views.entry(entry.component.clone()).or_default();
            view.waiting += 1;
            view.bytes += entry.stanza.len() as u64;
            let since = Some(entry.since).filter(|since| *since > 0);
            view.oldest = view.oldest.into_iter().chain(since).min();
        }
        views
    }

    /// What waits, as XML, by number.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u64, &str)> {
        let entries = self.entries.iter();
        entries.map(|(number, entry)| (*number, entry.stanza.as_str()))
    }

    /// A stanza does not go out, for this reason.
    pub(super) fn give_up(&mut self, number: u64, why: &'static str) {
        let Some(entry) = self.entries.get(&number) else {
            return;
        };
        if entry.message.is_none() {
            self.lost.push_back("stanzas that the server does not take");
        }
        let given_up = GivenUp {
            number,
            message: entry.message,
            component: entry.component.clone(),
            bytes: entry.stanza.len(),
            why,
        };
        self.fates.push_back(Fate::GivenUp(given_up));
        self.remove(number);
    }

    /// Forgets what the server has.
    pub(super) fn confirmed(&mut self, component: &str, mark: u64) {
        let done: Vec<(u64, Option<u64>, u64)> = self
            .entries
            .range(..=mark)
            .filter(|(_, entry)| entry.component == component)
            .map(|(number, entry)| (*number, entry.message, entry.since))
            .collect();
        for (number, message, since) in done {
            if let Some(lane) = self.lanes.get_mut(component).filter(|_| since > 0) {
                let took = Duration::from_millis(self.wall.saturating_sub(since));
                lane.confirmed.note(took);
            }
            self.remove(number);
            let confirmed = message.map(|message| Fate::Confirmed { number, message });
            self.fates.extend(confirmed);
        }
    }

    /// Forgets a stanza: it need not go out (any more).
    pub(super) fn remove(&mut self, number: u64) {
        if let Some(entry) = self.entries.remove(&number) {
            self.latest.forget(number);
            self.bytes = self.bytes.saturating_sub(entry.stanza.len());
            self.ready.retain(|ready| ready.mark != Some(number));
            self.writes.push_back(Write::delete(out_key(number)));
        }
    }

    /// Hands out what waited for one that is through.
    fn go_on(&mut self) {
        let mut free = Vec::new();
        for (component, lane) in &mut self.lanes {
            if lane
                .alone
                .is_some_and(|alone| !self.entries.contains_key(&alone))
            {
                lane.alone = None;
                free.push(component.clone());
            }
        }
        for component in free {
            self.hand_out(&component);
        }
    }

    /// Says what time it is, also by the wall clock (milliseconds).
    pub(super) fn at(&mut self, now: Time, wall: u64) {
        self.now = now;
        self.wall = wall;
    }

    /// The time of the input that is being taken.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.expiry
    }

    /// Forgets entries that belong to no message and are too old to be of use.
    pub(super) fn timeout(&mut self, now: Time) {
        if self.expiry.is_none_or(|at| at > now) {
            return;
        }
        let old: Vec<u64> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.message.is_none() && entry.until <= now)
            .map(|(number, _)| *number)
            .collect();
        for number in old {
            self.lost
                .push_back("stanzas that waited too long for the link");
            self.remove(number);
        }
        let left = self
            .entries
            .values()
            .filter(|entry| entry.message.is_none());
        self.expiry = left.map(|entry| entry.until).min();
    }

    /// What became of a stanza. What waited for one that is through is handed out on the way.
    pub(super) fn next_fate(&mut self) -> Option<Fate> {
        self.go_on();
        self.fates.pop_front()
    }

    /// The next record to keep or forget.
    pub(super) fn next_write(&mut self) -> Option<Write> {
        self.writes.pop_front()
    }

    /// The next stanza for a link.
    pub(super) fn next_stanza(&mut self) -> Option<ToXmpp> {
        self.ready.pop_front()
    }
}
