//! `[log]`: what the node writes down.

use serde::{Deserialize, Serialize};

use super::report::Report;
use super::suggest;

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`) or filter directives such
    /// as `info,wvgate::sap=debug`. Default `info`.
    pub level: String,
    /// `text` for people or `json` for machines. Default `text`.
    pub format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            level: "info".to_string(),
            format: LogFormat::Text,
        }
    }
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

impl LogSection {
    pub(super) fn check(&self, report: &mut Report<'_>) {
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.level) {
            let message = format!("\"{}\" is not a filter: {error}", self.level);
            report.error(
                "log.level",
                message,
                "write it like \"info,wvgate::sap=debug\"",
            );
            return;
        }
        // A bare word that is no level would be taken for the name of a module.
        for word in self.level.split(',').map(str::trim) {
            let level = word.rsplit('=').next().unwrap_or(word);
            if LEVELS.contains(&level.to_lowercase().as_str()) {
                continue;
            }
            if let Some(meant) = suggest::nearest(level, &LEVELS) {
                let message = format!("\"{level}\" is not a level");
                report.error("log.level", message, format!("did you mean \"{meant}\"?"));
            }
        }
    }
}
