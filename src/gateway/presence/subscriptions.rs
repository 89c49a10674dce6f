//! The table of XMPP users' subscriptions to WV users, within its bounds.

use std::collections::BTreeMap;

use super::super::records::{Pair, pair_of, read};
use super::super::shared::Shared;
use super::super::shares::{Most, Shares, domain_of};
use super::wv_watch::WvWatch;
use crate::imps::common::PresenceValue;
use crate::imps::primitive::presence::PresenceNotification;
use crate::store::Write;
use crate::translate::Translator;

/// Subscriptions, each with its record.
#[derive(Debug)]
pub(super) struct Subscriptions {
    watches: BTreeMap<Pair, WvWatch>,
    shares: Shares,
    /// Bytes of what their watchers are shown.
    bytes: usize,
}

impl Subscriptions {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            watches: BTreeMap::new(),
            shares: Shares::new(own),
            bytes: 0,
        }
    }

    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<Pair, String> {
        let watch = WvWatch::restored(read(value)?);
        let pair = pair_of(rest)?;
        self.keep(pair.clone(), watch);
        Ok(pair)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.watches.len()
    }

    /// Bytes of what watchers are shown.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.watches.keys()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Pair, &mut WvWatch)> {
        self.watches.iter_mut()
    }

    pub(super) fn contains(&self, pair: &Pair) -> bool {
        self.watches.contains_key(pair)
    }

    pub(super) fn get(&self, pair: &Pair) -> Option<&WvWatch> {
        self.watches.get(pair)
    }

    pub(super) fn get_mut(&mut self, pair: &Pair) -> Option<&mut WvWatch> {
        self.watches.get_mut(pair)
    }

    /// Keeps a new one and its record, if there is room for it.
    pub(super) fn add(&mut self, pair: &Pair, watch: WvWatch, shared: &mut Shared) -> bool {
        let most = Most {
            items: shared.settings.max_watches,
            bytes: shared.settings.max_watch_bytes,
        };
        let domain = domain_of(&pair.xmpp);
        let bytes = pair.bytes() + watch.weight;
        if !self.shares.have_room(domain, bytes, most) {
            return false;
        }
        self.keep(pair.clone(), watch);
        self.put(pair, shared);
        true
    }

    fn keep(&mut self, pair: Pair, watch: WvWatch) {
        let bytes = pair.bytes() + watch.weight;
        self.shares.add(domain_of(&pair.xmpp), bytes);
        self.watches.insert(pair, watch);
    }

    /// Writes the record of one.
    pub(super) fn put(&self, pair: &Pair, shared: &mut Shared) {
        if let Some(watch) = self.watches.get(pair) {
            shared.write(Write::put_json(pair.wv_key(), &watch.record));
        }
    }

    pub(super) fn forget(&mut self, pair: &Pair, shared: &mut Shared) {
        let Some(watch) = self.watches.remove(pair) else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(watch.bytes());
        let bytes = pair.bytes() + watch.weight;
        self.shares.remove(domain_of(&pair.xmpp), bytes);
        shared.write(Write::delete(pair.wv_key()));
    }

    /// Accounts for what is shown of one, which took `before` bytes; the texts of it are forgotten if
    /// all together are too many.
    pub(super) fn weigh(&mut self, pair: &Pair, before: usize, shared: &mut Shared) -> bool {
        let Some(watch) = self.watches.get_mut(pair) else {
            return true;
        };
        let others = self.bytes.saturating_sub(before);
        if others + watch.bytes() > shared.settings.max_seen_bytes {
            watch.forget_picture();
        }
        let fits = others + watch.bytes() <= shared.settings.max_seen_bytes;
        if !fits {
            watch.forget_texts();
        }
        self.bytes = others + watch.bytes();
        fits
    }

    /// Those who watch whom a part of a notification is about, as far as it is for them.
    pub(super) fn watchers_of(
        &self,
        notice: &PresenceNotification,
        value: &PresenceValue,
        translator: &Translator,
    ) -> Vec<Pair> {
        if notice.watchers.is_empty() {
            // Quirk B-6: everybody who is known to watch.
            let all = self.pairs().filter(|pair| pair.wv == value.user);
            return all.cloned().collect();
        }
        let pairs = notice.watchers.iter().filter_map(|watcher| {
            let domain = translator.own_ssp_domain();
            let address = watcher.user.clone().or_domain(&domain);
            let pair = Pair {
                xmpp: translator.jid(&address).ok()?.to_string(),
                wv: value.user.clone(),
            };
            // Notifications that nobody asked for are dropped (E-11).
            self.contains(&pair).then_some(pair)
        });
        pairs.collect()
    }
}
