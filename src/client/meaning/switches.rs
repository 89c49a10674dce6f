//! What is done otherwise for a client than its version says.

use serde::{Deserialize, Serialize};

use crate::csp::Style;

/// Switches of one client; each is off unless a table of `mappings/clients` turns it on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Elements that are written in another form.
    pub style: Style,
    /// HTML comes as the text that a person would read of it, also if the client says it takes it.
    #[serde(skip_serializing_if = "is_off")]
    pub plain_text: bool,
    /// Presence of who is online always has `CommCap` and `ClientInfo`.
    #[serde(skip_serializing_if = "is_off")]
    pub full_presence: bool,
    /// A message with the recipients and the content of one of the last minute is that one: the
    /// client repeats what was not answered under another id.
    #[serde(skip_serializing_if = "is_off")]
    pub repeats: bool,
    /// Names of primitives that the client never answers: they are done when they were told once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<String>,
}

impl Switches {
    /// Whether the client never answers a primitive of this name.
    pub fn is_unanswered(&self, name: &str) -> bool {
        self.unanswered.iter().any(|one| one == name)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "so serde calls it")]
fn is_off(switch: &bool) -> bool {
    !switch
}
