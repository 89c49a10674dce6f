//! `[node]`: who this node is and where it keeps what it must not lose.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::report::Report;
use super::units::Duration;

/// The most shards that a node can have.
const MOST_SHARDS: u16 = 64;

/// The longest time an end may take; our choice.
const LONGEST_DRAIN: Duration = Duration::from_secs(3_600);

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSection {
    /// The node's own SSP domain, in lower-case ASCII (A-labels). Its service id is
    /// `wv:@` and this domain. Required.
    pub domain: String,
    /// Directory of the durable store; created if absent. Relative to the working
    /// directory, like all paths of the configuration. Default `run/data`.
    pub data: PathBuf,
    /// Shards of the node, 1 to 64: parts that each have peers and users, a store and a commit of
    /// their own, and work at the same time. Fixed when the store is made. Default: as many as the
    /// store has; a new one gets one for two cores, at least one.
    pub shards: Option<u16>,
    /// A directory with mapping files that take the place of the built-in ones of the same
    /// name. Default: the built-in mappings alone.
    pub mappings: Option<PathBuf>,
    /// Name of this service provider, as told to peers. Default: none.
    pub name: Option<String>,
    /// Description of this service provider, as told to peers. Default: none.
    pub description: Option<String>,
    /// Web page of this service provider, as told to peers. Default: none.
    pub url: Option<String>,
    /// Logo of this service provider, as told to peers: a web address, or a file of at most 64 KiB
    /// that ends in `.png`, `.jpg`, `.jpeg` or `.gif`. Default: none.
    pub logo: Option<String>,
    /// Keep a user `echo` of `domain` who answers each message with the same text, so that
    /// peers can try the way there and back. Default `true`.
    pub echo: bool,
    /// Time that an end gives to what is under way, at most 1 h; with nothing the node ends at once,
    /// and its sessions stay. A reload takes it over. Default 10 s.
    pub drain_timeout: Duration,
}

impl Default for NodeSection {
    fn default() -> Self {
        Self {
            domain: String::new(),
            data: PathBuf::from("run/data"),
            shards: None,
            mappings: None,
            name: None,
            description: None,
            url: None,
            logo: None,
            echo: true,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl NodeSection {
    pub(super) fn check(&self, report: &mut Report<'_>) {
        report.domain("node.domain", &self.domain);
        if self.data.as_os_str().is_empty() {
            report.error(
                "node.data",
                "names no directory",
                "write it like \"run/data\"",
            );
        }
        if self.drain_timeout > LONGEST_DRAIN {
            let message = format!("\"{}\" is too long to wait for an end", self.drain_timeout);
            let fix = format!("write \"{LONGEST_DRAIN}\" or less");
            report.error("node.drain_timeout", message, fix);
        }
        if self
            .shards
            .is_some_and(|shards| !(1..=MOST_SHARDS).contains(&shards))
        {
            report.error(
                "node.shards",
                "is no number of shards that a node can have",
                "write a number from 1 to 64, or leave it out",
            );
        }
    }
}
