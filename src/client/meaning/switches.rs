//! What is done otherwise for a client than its version says.

use serde::{Deserialize, Serialize};

/// Switches of one client; each is off unless a table of `mappings/clients` turns it on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// HTML comes as the text that a person would read of it.
    #[serde(skip_serializing_if = "is_off")]
    pub plain_text: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "so serde calls it")]
fn is_off(switch: &bool) -> bool {
    !switch
}
