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
    /// `text` for people, `json` or `logfmt` for machines. Default `text`.
    pub format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
    /// Keys and values.
    Logfmt,
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
        for (message, fix) in Self::mistakes_in(&self.level) {
            report.error("log.level", message, fix);
        }
    }

    /// What is wrong with directives for the log, and what to write instead, for each mistake.
    pub fn mistakes_in(directives: &str) -> Vec<(String, String)> {
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(directives) {
            let message = format!("\"{directives}\" is not a filter: {error}");
            let fix = "write it like \"info,wvgate::sap=debug\"".to_owned();
            return vec![(message, fix)];
        }
        let mut mistakes = Vec::new();
        // A bare word that is no level would be taken for the name of a module, and nothing
        // would be logged at all.
        for word in outside_brackets(directives) {
            let level = word.rsplit('=').next().unwrap_or_default().trim();
            let known = LEVELS.contains(&level.to_lowercase().as_str());
            let module = !word.contains('=') && level.contains("::");
            if known || module || level.is_empty() || level.ends_with(']') {
                continue;
            }
            let message = format!("\"{level}\" is not a level");
            let fix = match meant(level) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("write one of {}", LEVELS.join(", ")),
            };
            mistakes.push((message, fix));
        }
        mistakes
    }
}

/// The directives of a filter: parts between commas, except those in `[span{field=value}]`.
fn outside_brackets(filter: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0_i32, 0, Vec::new());
    for (at, c) in filter.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(filter[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(filter[from..].trim());
    parts
}

/// What other programs call a level, or a slip of the pen.
fn meant(word: &str) -> Option<&'static str> {
    match word.to_lowercase().as_str() {
        "fatal" | "critical" | "crit" | "alert" | "emerg" | "emergency" | "err" => Some("error"),
        "warning" => Some("warn"),
        "notice" | "normal" => Some("info"),
        "verbose" | "fine" => Some("debug"),
        "all" | "finest" | "loud" => Some("trace"),
        "none" | "quiet" | "silent" => Some("off"),
        other => suggest::nearest(other, &LEVELS),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Located};

    fn complaint(level: &str) -> Option<String> {
        let mut config = Config::example();
        config.log.level = level.to_owned();
        let (problems, _) = config.validate(&Located::default());
        let found = problems.iter().find(|problem| problem.key == "log.level");
        found.map(ToString::to_string)
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_with_those_that_exist() {
        for (word, meant) in [
            ("loud", "trace"),
            ("notice", "info"),
            ("verbose", "debug"),
            ("fatal", "error"),
            ("critical", "error"),
            ("warning", "warn"),
            ("infoo", "info"),
            ("info,wvgate::sap=verbose", "debug"),
        ] {
            let complaint = complaint(word).unwrap();
            assert!(complaint.contains(&format!("\"{meant}\"")), "{complaint}");
        }
        let unknown = complaint("wvgate").unwrap();
        assert!(
            unknown.contains("error, warn, info, debug, trace, off"),
            "{unknown}"
        );
    }

    #[test]
    fn levels_and_filters_are_taken() {
        for level in [
            "info",
            "WARN",
            "off",
            "info,wvgate::sap=debug",
            "wvgate::sap",
            "warn,hyper=off",
            "wvgate[post{peer=b.test}]=trace",
        ] {
            assert_eq!(complaint(level), None, "{level}");
        }
    }
}
