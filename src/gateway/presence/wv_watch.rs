//! An XMPP user's subscription to a WV user, and what that watcher is shown: changes within two
//! seconds together, nothing twice (presence-attributes, 5).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::{Presence, Type};

use super::super::records::Pair;
use super::super::shared::Shared;
use super::introduction::Introduction;
use crate::element::Time;
use crate::imps::presence::{Attribute, AttributeName, Item, PresenceSubList};
use crate::text::cut;
use crate::translate::Translator;
use crate::translate::card::MAX_PHOTO;
use crate::translate::presence::to_xmpp;

/// What is known is asked for again when it is older.
const FRESH: Duration = Duration::from_secs(300);
/// First and longest pause before a subscription is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));
/// A subscription that cannot be placed is given up after this.
const GIVE_UP: Duration = Duration::from_secs(3_600);
/// Changes within this are shown together.
const MERGE: Duration = Duration::from_secs(2);
/// Clients of one user that are shown at the same time.
const MAX_SHOWN: usize = 16;
/// Bytes of one value of a presence attribute; one with parts has four times that.
pub(in super::super) const MAX_VALUE: usize = 2048;
/// Bytes of a picture, as it stands in an attribute.
const MAX_PICTURE: usize = MAX_PHOTO / 2 * 3;
/// Values of one presence attribute.
const MAX_VALUES: usize = 32;

/// What is kept of it over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) active: bool,
    /// Whether the watcher was told `subscribed`.
    pub(super) told: bool,
    pub(super) since: Time,
    /// Whether the watcher was told that the publisher has denied it.
    #[serde(default)]
    pub(super) denied: bool,
    #[serde(default)]
    pub(super) introduction: Introduction,
}

/// A subscription of an XMPP user to a WV user.
#[derive(Debug)]
pub(super) struct WvWatch {
    pub(super) record: Record,
    /// Bytes with which it counts among all.
    pub(super) weight: usize,
    /// All that is known of the publisher.
    values: PresenceSubList,
    /// Bytes of it; what is shown of it takes as much again.
    bytes: usize,
    known_at: Option<Time>,
    /// When to try again, and how often it was tried.
    retry: Option<Time>,
    tries: u32,
    shown_at: Option<Time>,
    changed: bool,
    /// The presence last sent, by sender's full JID.
    shown: BTreeMap<String, Presence>,
    /// The PEP events last sent, by node.
    events: BTreeMap<String, Message>,
}

/// What is due for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// To place it (again).
    Place,
    /// To show what has changed.
    Show,
    Nothing,
}

impl WvWatch {
    pub(super) fn new(introduction: Introduction, now: Time) -> Self {
        Self::restored(Record {
            active: false,
            told: false,
            since: now,
            denied: false,
            introduction,
        })
    }

    pub(super) fn restored(record: Record) -> Self {
        Self {
            weight: record.introduction.bytes(),
            record,
            values: PresenceSubList::default(),
            bytes: 0,
            known_at: None,
            retry: None,
            tries: 0,
            shown_at: None,
            changed: false,
            shown: BTreeMap::new(),
            events: BTreeMap::new(),
        }
    }

    pub(super) fn values(&self) -> &PresenceSubList {
        &self.values
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether what is known is still worth showing.
    pub(super) fn is_fresh(&self, now: Time) -> bool {
        self.known_at.is_some_and(|at| now.after(at) < FRESH)
    }

    /// Whether anything may be seen of the publisher.
    pub(super) fn is_authorized(&self) -> bool {
        self.values.attributes.iter().any(Attribute::is_valid)
    }

    pub(super) fn is_shown(&self) -> bool {
        !self.shown.is_empty()
    }

    /// The watcher is to be shown everything again.
    pub(super) fn forget_shown(&mut self) {
        self.shown.clear();
        self.events.clear();
    }

    /// It is placed at the publisher now.
    pub(super) fn placing(&mut self) {
        self.retry = None;
    }

    /// The publisher's side has taken it.
    pub(super) fn placed(&mut self) {
        self.tries = 0;
    }

    /// Whether a failure that may pass is worth another try.
    pub(super) fn may_try_again(&self, now: Time) -> bool {
        self.record.active || now.after(self.record.since) < GIVE_UP
    }

    /// When it is placed again: later each time.
    pub(super) fn retry_at(&mut self, now: Time) -> Time {
        let pause = RETRY.0.saturating_mul(1 << self.tries.min(8));
        let at = now.plus(pause.min(RETRY.1));
        self.tries += 1;
        self.retry = Some(at);
        at
    }

    pub(super) fn due(&self, now: Time) -> Due {
        if self.retry.is_some_and(|at| at <= now) {
            Due::Place
        } else if self.changed {
            Due::Show
        } else if self.known_at.is_none() && self.tries == 0 && self.retry.is_none() {
            // After a restart nothing is known.
            Due::Place
        } else {
            Due::Nothing
        }
    }

    /// Notes a change; when it is to be shown if it is to be shown later, together with what follows
    /// soon.
    pub(super) fn note_change(&mut self, now: Time) -> Option<Time> {
        let at = self.shown_at.map(|at| at.plus(MERGE));
        let later = at.filter(|at| *at > now);
        self.changed = later.is_some();
        later
    }

    /// Leaves it with what was shown.
    pub(super) fn skip_change(&mut self) {
        self.changed = false;
    }

    /// Shows the watcher what was not shown yet.
    pub(super) fn show(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        self.changed = false;
        let Some(component) = shared.component_of(pair) else {
            return;
        };
        if !self.record.active || self.known_at.is_none() || !shared.links.is_up(&component) {
            return;
        }
        let Ok(to) = Jid::new(&pair.xmpp) else {
            return;
        };
        let Ok(shown) = to_xmpp(&shared.translator, &pair.wv, &self.values, &to) else {
            return;
        };
        let mut stanzas: Vec<Stanza> = Vec::new();
        // Clients that are no longer mentioned are gone.
        let current: Vec<String> = shown.presences.iter().filter_map(sender).collect();
        let gone: Vec<String> = self
            .shown
            .keys()
            .filter(|name| !current.contains(name))
            .cloned()
            .collect();
        for name in gone {
            self.shown.remove(&name);
            if let Ok(from) = Jid::new(&name) {
                let away = Presence::unavailable().with_from(from).with_to(to.clone());
                stanzas.push(away.into());
            }
        }
        for presence in shown.presences.into_iter().take(MAX_SHOWN) {
            let name = sender(&presence).unwrap_or_default();
            let mut presence = presence;
            let translator = &shared.translator;
            shared
                .capabilities
                .mark(&mut presence, &self.values, translator);
            if self.shown.get(&name) != Some(&presence) {
                self.shown.insert(name, presence.clone());
                stanzas.push(presence.into());
            }
        }
        for event in shown.events {
            let node = event_node(&event).unwrap_or_default();
            if self.events.get(&node) != Some(&event) {
                self.events.insert(node, event.clone());
                stanzas.push(event.into());
            }
        }
        if !stanzas.is_empty() {
            self.shown_at = Some(now);
        }
        for stanza in stanzas {
            shared.hand(&component, stanza);
        }
    }

    /// Shows the watcher that the publisher is away.
    pub(super) fn hide(&mut self, pair: &Pair, shared: &mut Shared) {
        let Some(component) = shared.component_of(pair) else {
            return;
        };
        let shown = std::mem::take(&mut self.shown);
        let Ok(to) = Jid::new(&pair.xmpp) else {
            return;
        };
        self.events.clear();
        for presence in shown.into_values() {
            if let Some(from) = presence.from.filter(|_| presence.type_ == Type::None) {
                let away = Presence::unavailable().with_from(from).with_to(to.clone());
                shared.hand(&component, away);
            }
        }
    }

    /// Takes over the attributes of a notification; what it does not mention stays.
    pub(super) fn merge(&mut self, list: &PresenceSubList, now: Time) {
        self.known_at = Some(now);
        let names = || list.attributes.iter().map(|a| (&a.name, a.client()));
        self.values.attributes.retain(|old| {
            !names().any(|(name, client)| {
                *name == old.name
                    && (client == old.client() || old.client().is_none() || client.is_none())
            })
        });
        self.values
            .attributes
            .extend(list.attributes.iter().map(shortened));
        self.values.sort();
        self.values.attributes.truncate(18 * MAX_SHOWN);
        self.bytes = self.values.attributes.iter().map(Attribute::bytes).sum();
    }

    /// Whether a list is the publisher's no, of which the watcher has not heard: everything that was
    /// asked for is said to be unknown before anything was seen.
    pub(super) fn is_denied_by(&self, list: &PresenceSubList, translator: &Translator) -> bool {
        let asked = translator.mappings.presence.subscribed();
        let mut asked = asked.attributes.iter();
        let is_unknown = |asked: &Attribute| {
            let said = list.get(&asked.name);
            said.is_some_and(|said| said.qualifier == Some(false))
        };
        !self.record.told && !self.record.denied && asked.all(is_unknown)
    }

    /// Leaves out the picture, which can take more than all else.
    pub(super) fn forget_picture(&mut self) {
        for attribute in &mut self.values.attributes {
            if attribute.name == AttributeName::StatusContent {
                attribute.fields.retain(|item| item.bytes() <= MAX_VALUE);
            }
        }
        self.bytes = self.values.attributes.iter().map(Attribute::bytes).sum();
    }

    /// Forgets all but whether the publisher is there.
    pub(super) fn forget_texts(&mut self) {
        self.values.attributes.retain(|attribute| {
            matches!(
                attribute.name,
                AttributeName::OnlineStatus | AttributeName::UserAvailability
            ) && attribute.bytes() <= MAX_VALUE
        });
        self.values.attributes.truncate(2 * MAX_SHOWN);
        self.bytes = self.values.attributes.iter().map(Attribute::bytes).sum();
    }
}

/// The attribute with its long texts cut, and without its long parts.
fn shortened(attribute: &Attribute) -> Attribute {
    let fields = attribute.fields.iter().take(MAX_VALUES);
    let is_picture = attribute.name == AttributeName::StatusContent;
    let fields = fields.filter_map(|item| {
        // A part of a picture is none.
        if is_picture && item.name == "DirectContent" {
            return (item.text.len() <= MAX_PICTURE)
                .then(|| Item::text(&item.name, item.text.as_str()));
        }
        if item.children.is_empty() && item.attributes.is_empty() {
            return Some(Item::text(&item.name, cut(&item.text, MAX_VALUE)));
        }
        (item.bytes() <= 4 * MAX_VALUE).then(|| item.clone())
    });
    Attribute {
        name: attribute.name.clone(),
        qualifier: attribute.qualifier,
        fields: fields.collect(),
    }
}

fn sender(presence: &Presence) -> Option<String> {
    presence.from.as_ref().map(Jid::to_string)
}

fn event_node(event: &Message) -> Option<String> {
    let items = event.payloads.first()?.children().next()?;
    items.attr("node").map(str::to_owned)
}
