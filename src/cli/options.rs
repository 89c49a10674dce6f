//! Mistakes of the configuration that were made on the command line.

use crate::config::Problem;

/// The option that sets this key of a peer.
fn option(key: &str) -> Option<&'static str> {
    Some(match key {
        "peer.domain" | "route.via" => "DOMAIN",
        "peer.url" => "--url",
        "peer.ca" => "--ca",
        "peer.speaks_for" | "route.domain" => "--serves",
        "peer.allow_plain" => "--plain",
        _ => return None,
    })
}

/// The same problem, told by the option instead of by file and line.
pub(super) fn problem(problem: &Problem) -> Problem {
    let key = option(&problem.key).unwrap_or(&problem.key);
    let (message, fix) = (problem.message.as_str(), problem.fix.as_str());
    Problem::new("wvgate", None, key, message, fix)
}
