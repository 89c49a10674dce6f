//! `[[service]]`: which domain provides a service to the users of a home domain.

use serde::{Deserialize, Serialize};

use super::report::Report;

/// One entry: requests of users of `home` about what they keep at their provider
/// (contact lists, attribute lists, waiting messages, ...) go towards `pse`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceSection {
    /// A feature of the service tree, such as `Presence`, a function group or a single
    /// function; `*` for everything. Required.
    pub name: String,
    /// The home domain whose users are served. Required.
    pub home: String,
    /// The domain of the Primary Service Element; a route must lead there. Required.
    pub pse: String,
}

impl ServiceSection {
    pub(super) fn check(&self, path: &str, report: &mut Report<'_>) {
        if self.name.is_empty() {
            let fix = "add name = \"Presence\", another feature, or \"*\"";
            report.error(&format!("{path}.name"), "missing", fix);
        }
        report.domain(&format!("{path}.home"), &self.home);
        report.domain(&format!("{path}.pse"), &self.pse);
    }
}
