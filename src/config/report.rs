//! Collects what the checks find, and the checks that several sections share.

use super::domain;
use super::locate::Located;
use super::problem::Problem;
use super::secret::Secret;
use super::units::{Duration, Size};

/// The shortest secret that nobody guesses, in characters.
const SECRET: usize = 16;

/// What was found so far.
pub(super) struct Report<'a> {
    at: &'a Located,
    /// Sections of which some keys could not be read.
    incomplete: Vec<String>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(super) fn new(at: &'a Located) -> Self {
        Self {
            at,
            incomplete: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The same, but silent about keys that are absent from the sections of these problems:
    /// they may be there under a wrong name, or be wanted because of one.
    pub(super) fn after(at: &'a Located, problems: &[Problem]) -> Self {
        let section = |problem: &Problem| problem.key.split('.').next().map(str::to_string);
        let mut report = Self::new(at);
        report.incomplete = problems.iter().filter_map(section).collect();
        report
    }

    /// The line of a key, for messages that refer to another place.
    pub(super) fn line(&self, path: &str) -> String {
        let line = self.at.locate(path);
        line.map_or_else(String::new, |line| format!(" (line {line})"))
    }

    pub(super) fn error(&mut self, path: &str, message: impl Into<String>, fix: impl Into<String>) {
        let section = path.split('.').next().unwrap_or(path);
        let is_incomplete = self.incomplete.iter().any(|name| name == section);
        if !is_incomplete || self.at.is_in_file(path) {
            self.problems.push(self.at.problem(path, message, fix));
        }
    }

    pub(super) fn warn(&mut self, path: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.warnings.push(self.at.problem(path, message, fix));
    }

    /// A required domain in its proper form.
    pub(super) fn domain(&mut self, path: &str, domain: &str) {
        if domain.is_empty() {
            let key = path.rsplit('.').next().unwrap_or(path);
            self.error(path, "missing", format!("add {key} = \"...\""));
        } else if let Some((message, fix)) = domain::complaint(domain) {
            self.error(path, message, fix);
        }
    }

    /// Durations of which none may be zero: `(key, value)` within `section`.
    pub(super) fn not_zero(&mut self, section: &str, durations: &[(&str, Duration)]) {
        for (key, duration) in durations {
            if duration.is_zero() {
                self.error(
                    &format!("{section}.{key}"),
                    "must be longer than nothing",
                    "write it like \"30s\"",
                );
            }
        }
    }

    /// Counts with their lower bounds: `(key, value, least)` within `section`.
    pub(super) fn at_least(&mut self, section: &str, counts: &[(&str, usize, usize)]) {
        for (key, count, least) in counts {
            if count < least {
                let message = format!("{count} is too small");
                self.error(
                    &format!("{section}.{key}"),
                    message,
                    format!("write {least} or more"),
                );
            }
        }
    }

    /// Sizes with their lower bounds: `(key, value, least)` within `section`.
    pub(super) fn size_at_least(&mut self, section: &str, sizes: &[(&str, Size, Size)]) {
        for (key, size, least) in sizes {
            if size < least {
                let message = format!("\"{size}\" is too small");
                self.error(
                    &format!("{section}.{key}"),
                    message,
                    format!("write \"{least}\" or more"),
                );
            }
        }
    }

    /// A secret that must not be guessed. One in a file is looked at when the file was read.
    pub(super) fn long_secret(&mut self, path: &str, secret: &Secret) {
        let is_read = secret.file().is_none() || !secret.expose().is_empty();
        if is_read && secret.expose().chars().count() < SECRET {
            let message = format!("is shorter than {SECRET} characters");
            self.error(path, message, "make one with: openssl rand -hex 16");
        }
    }

    /// Of two keys that only make sense together, both or none must be there.
    pub(super) fn both_or_none(&mut self, section: &str, a: (&str, bool), b: (&str, bool)) {
        let (there, lacking) = match (a.1, b.1) {
            (true, false) => (a.0, b.0),
            (false, true) => (b.0, a.0),
            _ => return,
        };
        let path = format!("{section}.{there}");
        self.error(
            &path,
            format!("needs {lacking} as well"),
            format!("add {lacking} = \"...\""),
        );
    }
}
