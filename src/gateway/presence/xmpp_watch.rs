//! A WV user's subscription to an XMPP user, and what is seen of that user.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use xmpp_parsers::jid::Jid;
use xmpp_parsers::presence::Presence;

use super::super::records::Pair;
use super::super::shared::Shared;
use super::super::shares::domain_of;
use crate::element::{AttributeSet, Time};
use crate::imps::Address;
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::translate::Translator;
use crate::translate::presence::avatar::{self, Told};
use crate::translate::presence::{Seen, withdrawn};

/// Changes within this are told together (presence-attributes, 5).
const MERGE: Duration = Duration::from_secs(2);
/// How long an approved watcher waits for presence before it is asked for, and
/// then for the answer.
const PROBE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));

/// What is kept of it over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) active: bool,
    /// Names of the attributes wanted; none means all.
    pub(super) requested: Vec<String>,
}

/// A subscription of a WV user to an XMPP user.
#[derive(Debug)]
pub(super) struct XmppWatch {
    pub(super) record: Record,
    pub(super) seen: Seen,
    /// What was told last.
    told: Option<PresenceSubList>,
    told_at: Option<Time>,
    /// When to ask for presence.
    probe: Option<Time>,
    /// When to take silence for absence.
    silence: Option<Time>,
}

impl XmppWatch {
    pub(super) fn restored(record: Record) -> Self {
        Self {
            record,
            seen: Seen::default(),
            told: None,
            told_at: None,
            probe: None,
            silence: None,
        }
    }

    pub(super) fn requested(&self) -> Vec<AttributeName> {
        let names = self.record.requested.iter();
        names.map(|name| AttributeName::from_name(name)).collect()
    }

    /// Takes note of presence; whether it was about availability.
    pub(super) fn take(&mut self, presence: &Presence, now: Time) -> bool {
        let is_news = self.seen.presence(presence, now.0);
        if is_news {
            self.probe = None;
            self.silence = None;
        }
        is_news
    }

    /// When presence is asked for, if the user's server does not send it by itself, as it does as a
    /// rule.
    pub(super) fn probe_at(&mut self, now: Time) -> Time {
        let at = now.plus(PROBE.0);
        self.probe = Some(at);
        at
    }

    /// When a change is told if it is to be told later, together with what follows soon.
    pub(super) fn later(&self, now: Time) -> Option<Time> {
        let at = self.told_at.map(|at| at.plus(MERGE));
        at.filter(|at| *at > now)
    }

    /// Whether presence is to be asked for now.
    pub(super) fn is_to_probe(&self, now: Time) -> bool {
        self.probe.is_some_and(|at| at <= now) && !self.seen.known
    }

    /// Asks for presence that may be seen, which comes as presence; when silence is taken for absence.
    /// `None` if it is not asked: to ask while the user has not let themselves be watched ends that wish,
    /// and there may be no link.
    pub(super) fn probe(&mut self, pair: &Pair, now: Time, shared: &mut Shared) -> Option<Time> {
        self.probe = None;
        let component = shared.component_of(pair)?;
        let may_see = self.record.active && shared.gate.may_see(domain_of(&pair.xmpp));
        if !may_see || !shared.links.is_up(&component) {
            return None;
        }
        let at = now.plus(PROBE.1);
        self.silence = Some(at);
        if let (Ok(from), Ok(to)) = (shared.translator.jid(&pair.wv), Jid::new(&pair.xmpp)) {
            let probe = Presence::probe().with_from(Jid::from(from)).with_to(to);
            shared.hand(&component, probe);
        }
        Some(at)
    }

    /// A server with nobody online need not answer.
    pub(super) fn hear_silence(&mut self, now: Time) {
        if self.silence.is_some_and(|at| at <= now) {
            self.silence = None;
            self.seen.known = true;
        }
    }

    /// The picture that is to be fetched for the watcher, and for whom.
    pub(super) fn picture(&self, pair: &Pair) -> Option<(Pair, Told)> {
        let requested = &self.record.requested;
        let name = AttributeName::StatusContent;
        let is_wanted =
            requested.is_empty() || requested.iter().any(|asked| asked == name.as_str());
        let told = self
            .seen
            .wanted()
            .filter(|_| is_wanted && self.record.active);
        Some((pair.clone(), told?.clone()))
    }

    /// What of the user the watcher sees and was not told yet, unless that is nothing; it counts as told.
    /// `visible` is what attribute lists of the user let them see, if those concern them.
    pub(super) fn news(
        &mut self,
        publisher: &Address,
        translator: &Translator,
        visible: Option<AttributeSet>,
        now: Time,
    ) -> Option<PresenceSubList> {
        if !self.record.active || !self.seen.known && self.told.is_none() {
            return None;
        }
        let requested = self.requested();
        let table = &translator.mappings.presence;
        let names = within(&requested, visible);
        let mut list = if names.as_ref().is_some_and(Vec::is_empty) {
            PresenceSubList::default()
        } else if self.seen.known {
            let names = names.as_ref().unwrap_or(&requested);
            self.seen.to_ssp(table, publisher, names, None)
        } else {
            withdrawn(table, &requested)
        };
        // A picture is told once: what is not mentioned stays as it is.
        let picture = AttributeName::StatusContent;
        let key = avatar::named(&list, self.seen.told.as_ref());
        // Who sees nothing hears not even that there was something.
        if self.told.as_ref().unwrap_or(&PresenceSubList::default()) == &key {
            return None;
        }
        let before = self.told.iter().flat_map(|told| &told.attributes);
        let hidden = before.filter(|attribute| {
            let name = &attribute.name;
            attribute.is_valid() && *name != picture && key.get(name).is_none()
        });
        let hidden = hidden.map(|attribute| Attribute::unknown(attribute.name.clone()));
        let hidden: Vec<Attribute> = hidden.collect();
        if !hidden.is_empty() {
            list.attributes.extend(hidden);
            list.sort();
        }
        let told = self.told.as_ref().and_then(|told| told.get(&picture));
        if told.is_some() && told == key.get(&picture) {
            list.attributes
                .retain(|attribute| attribute.name != picture);
        } else if told.is_some_and(Attribute::is_valid) && key.get(&picture).is_none() {
            list.attributes.push(Attribute::unknown(picture));
            list.sort();
        }
        self.told = Some(key);
        self.told_at = Some(now);
        Some(list)
    }

    /// The watcher is to be told everything again.
    pub(super) fn forget_told(&mut self) {
        self.told = None;
    }

    /// Nothing is known of the user any more; what the watcher is to hear, which counts as told.
    pub(super) fn lose(&mut self, now: Time) -> Option<PresenceSubList> {
        // Silence says nothing any more.
        self.probe = None;
        self.silence = None;
        if !self.record.active || !self.seen.known {
            return None;
        }
        self.seen = Seen::default();
        let list = PresenceSubList {
            attributes: vec![Attribute::unknown(AttributeName::OnlineStatus)],
        };
        self.told = Some(list.clone());
        self.told_at = Some(now);
        Some(list)
    }
}

/// What of the attributes wanted (none: all) may be seen; `None` if that is all of them.
pub(in crate::gateway) fn within(
    requested: &[AttributeName],
    visible: Option<AttributeSet>,
) -> Option<Vec<AttributeName>> {
    let is_less = |visible: &AttributeSet| visible.names().count() < AttributeName::KNOWN.len();
    let seen = visible.filter(is_less)?.names();
    let seen = seen.filter(|name| requested.is_empty() || requested.contains(name));
    Some(seen.cloned().collect())
}
