//! Senders of encrypted messages who were told that nobody can read them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Lang, Message, MessageType};

use super::super::records::bare;
use super::super::shared::Shared;
use crate::element::Time;
use crate::translate::stanza::{element, ns};

/// A conversation gets one hint in this time; our choice.
const EVERY: Duration = Duration::from_secs(86_400);
/// Conversations that are remembered; our choice.
pub(in super::super) const MAX_HINTED: usize = 1_000;

/// Conversations that were told, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Hints {
    told: BTreeMap<(String, String), Time>,
    order: VecDeque<(String, String)>,
}

impl Hints {
    /// Tells the sender of an encrypted message, unless they know.
    pub(super) fn tell(
        &mut self,
        component: &str,
        message: &Message,
        now: Time,
        shared: &mut Shared,
    ) {
        let hint = &shared.translator.mappings.words.hint;
        let (Some(from), Some(to)) = (&message.from, &message.to) else {
            return;
        };
        let pair = (bare(from), bare(to));
        let is_told = self
            .told
            .get(&pair)
            .is_some_and(|at| now.after(*at) < EVERY);
        let is_wanted = shared.preferences.of(&pair.0).hints;
        if hint.is_empty() || is_told || !is_wanted {
            return;
        }
        let mut notice = Message::new_with_type(MessageType::Chat, from.clone());
        notice.from = Some(Jid::from(to.to_bare()));
        notice.bodies.insert(Lang::from("en"), hint.clone());
        notice.payloads.push(element("no-store", ns::HINTS).build());
        shared.hand(component, notice);
        if self.told.insert(pair.clone(), now).is_some() {
            self.order.retain(|known| *known != pair);
        } else if self.order.len() >= MAX_HINTED
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
        self.order.push_back(pair);
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.told.len()
    }
}
