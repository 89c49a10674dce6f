//! What is wrong with a configuration, one line per mistake: file, line, key and what to do.

use std::fmt;

use crate::text::shown::steers;

/// One mistake (or doubtful choice) in the configuration. Prints as one line:
/// `config/relay.toml:12: ssp.lisen: unknown key; did you mean "listen"?`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file it stands in, as the operator named it; `environment` for a variable.
    pub file: String,
    /// Line in that file, counted from 1; absent where there is no line to point at.
    pub line: Option<usize>,
    /// The key with its section, such as `ssp.listen`; the variable's name for the
    /// environment; empty where the file as a whole is meant.
    pub key: String,
    /// One sentence for the operator, without file and line.
    pub message: String,
    /// What to do about it; may be empty.
    pub fix: String,
}

impl Problem {
    /// A problem at a known place. Where only the key is known, use
    /// [`Located::problem`](super::Located::problem), which finds the line.
    pub fn new(
        file: impl Into<String>,
        line: Option<usize>,
        key: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line,
            key: key.into(),
            message: message.into(),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        };
        for part in [&self.key, &self.message] {
            if !part.is_empty() {
                text.push_str(": ");
                text.push_str(part);
            }
        }
        if !self.fix.is_empty() {
            text.push_str("; ");
            text.push_str(&self.fix);
        }
        // One problem is one line whatever was quoted from the file.
        f.write_str(&text.replace(steers, " "))
    }
}

/// The configuration cannot be used. Prints one line per problem, in the order of the
/// file's lines. The command line exits with code 64 on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct ConfigError {
    /// All that was found, at least one, sorted by file and line.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// An error of these problems, sorted by file and line.
    pub fn new(mut problems: Vec<Problem>) -> Self {
        sort(&mut problems);
        Self { problems }
    }
}

/// Sorts by file and line; problems without a line come first in their file.
pub(super) fn sort(problems: &mut [Problem]) {
    problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_prints_as_one_line() {
        let problem = Problem::new(
            "a.toml",
            Some(3),
            "ssp.listen",
            "bad\nva\u{202e}lue",
            "mend it",
        );
        assert_eq!(
            problem.to_string(),
            "a.toml:3: ssp.listen: bad va lue; mend it"
        );
        assert_eq!(
            Problem::new("a.toml", None, "", "no such file", "").to_string(),
            "a.toml: no such file"
        );
    }

    #[test]
    fn an_error_lists_its_problems_by_line() {
        let at = |line| Problem::new("a.toml", Some(line), "k", "m", "");
        let error = ConfigError::new(vec![at(9), at(2)]);
        assert_eq!(error.to_string(), "a.toml:2: k: m\na.toml:9: k: m");
    }
}
