//! `[admin]`: looking into the running node.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::report::Report;
use super::units;

/// Longest path of a unix socket, in bytes, that every system takes.
const MAX_SOCKET_PATH: usize = 103;

/// More connections than any system lets a process have files.
const MAX_CONNECTIONS: usize = 1_000_000;

/// The control socket and the HTTP listener for health and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSection {
    /// Unix socket for `wvgate status`, `wvgate chat` and the like; who can open it
    /// controls the node. Default: `wvgate.sock` in `node.data`.
    pub socket: Option<PathBuf>,
    /// Most connections to it at once, those of `wvgate chat` among them; each holds an open file
    /// and at most 96 KiB of what was said. Default 256.
    pub max_connections: usize,
    /// IP address and port for `/live`, `/ready` and `/metrics`. Default: none.
    #[serde(deserialize_with = "units::optional_address")]
    pub listen: Option<SocketAddr>,
    /// Allow `listen` on an address that other machines reach. Default `false`.
    pub public: bool,
    /// Which peers must have a session, and be reached, for `/ready`: `none`, `any` or `all`.
    /// Default `none`.
    pub ready_peers: ReadyPeers,
}

/// How the peers count for a node to be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyPeers {
    /// They do not count.
    #[default]
    None,
    /// At least one must be up.
    Any,
    /// Ready only while every peer and every XMPP link is up.
    All,
}

impl Default for AdminSection {
    fn default() -> Self {
        Self {
            socket: None,
            max_connections: 256,
            listen: None,
            public: false,
            ready_peers: ReadyPeers::default(),
        }
    }
}

impl AdminSection {
    pub(super) fn check(&self, report: &mut Report<'_>) {
        report.at_least("admin", &[("max_connections", self.max_connections, 1)]);
        if self.max_connections > MAX_CONNECTIONS {
            let message = format!("{} is too large", self.max_connections);
            let fix = format!("write {MAX_CONNECTIONS} or fewer");
            report.error("admin.max_connections", message, fix);
        }
        if let Some(socket) = &self.socket {
            let length = socket.as_os_str().len();
            if length == 0 || length > MAX_SOCKET_PATH {
                let fix = format!("write a path of 1 to {MAX_SOCKET_PATH} bytes");
                report.error("admin.socket", "cannot be a socket's path", fix);
            }
        }
        match self.listen {
            Some(listen) if !listen.ip().is_loopback() && !self.public => {
                let fix = format!(
                    "write \"127.0.0.1:{}\", or add public = true",
                    listen.port()
                );
                report.error(
                    "admin.listen",
                    format!("\"{listen}\" can be reached from other machines"),
                    fix,
                );
            }
            None if self.public => {
                report.warn(
                    "admin.public",
                    "changes nothing without listen",
                    "add listen, or remove public",
                );
            }
            _ => {}
        }
    }
}
