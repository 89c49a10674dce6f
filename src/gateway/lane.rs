//! The link of one component, as far as stanzas wait for it.

use super::link_view::LinkView;
use crate::element::Spans;
use crate::xmpp::link::Blame;

/// Suspicion at which a stanza is given up.
const GUILTY: u8 = 6;

/// How far the link of a component may be used.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    #[default]
    Down,
    /// For refusals alone: what waits has not begun to go out, and would be overtaken.
    Refusals,
    Up,
}

/// The link of one component.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) link: Use,
    /// The largest number handed out on this link.
    pub(super) handed: u64,
    /// Entries up to this one go out one by one.
    pub(super) suspects: u64,
    /// The one of them that is under way.
    pub(super) alone: Option<u64>,
    /// How suspect the oldest entry is.
    suspicion: (u64, u8),
    /// The most bytes of a stanza.
    pub(super) most: usize,
    /// How long stanzas waited until the server had confirmed them.
    pub(super) confirmed: Spans,
}

impl Lane {
    /// Of a link that takes stanzas of `most` bytes.
    pub(super) fn of(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// As an operator sees it, with nothing that waits.
    pub(super) fn view(&self) -> LinkView {
        LinkView {
            confirmed: self.confirmed.clone(),
            ..LinkView::default()
        }
    }

    /// Whether the oldest entry, at which the stream has ended, has become too suspect.
    pub(super) fn is_guilty(&mut self, number: u64, blame: Blame) -> bool {
        if self.suspicion.0 != number {
            self.suspicion = (number, 0);
        }
        self.suspicion.1 += suspicion(blame);
        self.suspicion.1 >= GUILTY
    }
}

/// How much an end of the stream makes a stanza suspect that was under way alone: two ends with a
/// reason, or three without.
fn suspicion(blame: Blame) -> u8 {
    match blame {
        Blame::Nobody => 0,
        Blame::Perhaps => 2,
        Blame::Content | Blame::Size => 3,
    }
}
