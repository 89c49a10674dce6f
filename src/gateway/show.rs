//! What XMPP users are shown of the WV users they watch: changes within two
//! seconds together, nothing twice (presence-attributes, 5).

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::{Presence, Type};

use super::records::Pair;
use super::watch_wv::MAX_SHOWN;
use super::{Gateway, Timer, peer_name};
use crate::sap::{Act, Time};

/// Changes within this are shown together, milliseconds.
const MERGE_MILLIS: u64 = 2_000;

impl Gateway {
    pub(super) fn show_later(&mut self, pair: &Pair, now: Time, out: &mut Vec<Act>) {
        let Some(watch) = self.watch_wv.get_mut(pair) else {
            return;
        };
        match watch.shown_at.map(|at| at.plus_millis(MERGE_MILLIS)) {
            Some(at) if at > now => {
                watch.changed = true;
                self.timers.by(at, Timer::WatchWv(pair.clone()));
            }
            _ => self.show_wv(pair, now, out),
        }
    }

    /// Shows the watcher what they have not seen yet.
    pub(super) fn show_wv(&mut self, pair: &Pair, now: Time, _out: &mut Vec<Act>) {
        let Some(component) = self.component_of(pair) else {
            return;
        };
        let is_up = self.outbox.is_up(&component);
        let Some(watch) = self.watch_wv.get_mut(pair) else {
            return;
        };
        watch.changed = false;
        let lost = self.told.contains(&peer_name(pair.wv.domain()));
        if !watch.record.active || watch.known_at.is_none() || !is_up || lost {
            return;
        }
        let Ok(to) = Jid::new(&pair.xmpp) else {
            return;
        };
        let Ok(shown) = self
            .translator
            .presence_to_xmpp(&pair.wv, &watch.values, &to)
        else {
            return;
        };
        let mut stanzas: Vec<Stanza> = Vec::new();
        // Clients that are no longer mentioned are gone.
        let current: Vec<String> = shown.presences.iter().filter_map(sender).collect();
        let gone: Vec<String> = watch
            .shown
            .keys()
            .filter(|name| !current.contains(name))
            .cloned()
            .collect();
        for name in gone {
            watch.shown.remove(&name);
            if let Ok(from) = Jid::new(&name) {
                let away = Presence::unavailable().with_from(from).with_to(to.clone());
                stanzas.push(away.into());
            }
        }
        for presence in shown.presences.into_iter().take(MAX_SHOWN) {
            let name = sender(&presence).unwrap_or_default();
            if watch.shown.get(&name) != Some(&presence) {
                watch.shown.insert(name, presence.clone());
                stanzas.push(presence.into());
            }
        }
        for event in shown.events {
            let node = event_node(&event).unwrap_or_default();
            if watch.events.get(&node) != Some(&event) {
                watch.events.insert(node, event.clone());
                stanzas.push(event.into());
            }
        }
        if !stanzas.is_empty() {
            watch.shown_at = Some(now);
        }
        for stanza in stanzas {
            self.outbox.volatile(&component, stanza);
        }
    }

    /// Shows the watcher that the publisher is away.
    pub(super) fn hide_wv(&mut self, pair: &Pair) {
        let Some(component) = self.component_of(pair) else {
            return;
        };
        let Some(watch) = self.watch_wv.get_mut(pair) else {
            return;
        };
        let shown = std::mem::take(&mut watch.shown);
        let Ok(to) = Jid::new(&pair.xmpp) else {
            return;
        };
        watch.events.clear();
        for presence in shown.into_values() {
            if let Some(from) = presence.from.filter(|_| presence.type_ == Type::None) {
                let away = Presence::unavailable().with_from(from).with_to(to.clone());
                self.outbox.volatile(&component, away);
            }
        }
    }

    /// A new link: its watchers may have lost what they saw.
    pub(super) fn show_all_wv(&mut self, component: &str, now: Time, out: &mut Vec<Act>) {
        for pair in self.pairs_of(component) {
            if let Some(watch) = self.watch_wv.get_mut(&pair) {
                watch.forget_shown();
            }
            self.show_wv(&pair, now, out);
        }
    }

    fn pairs_of(&self, component: &str) -> Vec<Pair> {
        let of = |pair: &&Pair| self.translator.component_of(&pair.wv) == Some(component);
        self.watch_wv.keys().filter(of).cloned().collect()
    }

    /// No session came back in time.
    pub(super) fn peer_lost(&mut self, domain: &str, now: Time) {
        let grace = self.settings.peer_grace_millis;
        let lost = self.lost_peers.get(domain).copied();
        if lost.is_none_or(|since| now < since.plus_millis(grace)) {
            return;
        }
        self.told.insert(peer_name(domain));
        let pairs: Vec<Pair> = self
            .watch_wv
            .keys()
            .filter(|pair| pair.wv.domain() == domain)
            .cloned()
            .collect();
        for pair in pairs {
            self.hide_wv(&pair);
        }
    }
}

fn sender(presence: &Presence) -> Option<String> {
    presence.from.as_ref().map(Jid::to_string)
}

fn event_node(event: &Message) -> Option<String> {
    let items = event.payloads.first()?.children().next()?;
    items.attr("node").map(str::to_owned)
}
