//! A node for as long as one peer is tried, where none runs: the configured listener, a store
//! in memory, that peer alone. It takes no message that would have to be kept.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::Failure;
use super::findings::Findings;
use super::session::Asking;
use crate::admin::{self, Admin, Client};
use crate::node::clock;
use crate::node::{Core, Node, Plan};
use crate::sap::{Peer, Settings};
use crate::store::MemoryStore;

/// For what is under way at the end; our choice.
const GRACE: Duration = Duration::from_secs(2);
/// The reason in the logout.
const REASON: Option<&str> = Some("the check is over");

/// A temporary node.
pub(super) struct Visit {
    peer: String,
    node: Node,
    client: Client,
    stop: CancellationToken,
    tracker: TaskTracker,
    _folder: Folder,
}

impl Visit {
    /// Starts the temporary node that visits the peer.
    pub(super) async fn begin(plan: &Plan, peer: &str) -> Result<Self, String> {
        let folder = Folder::new().map_err(|error| error.to_string())?;
        let plan = visiting(plan, peer);
        let domain = plan.settings.domain.clone();
        let node = Node::start_on(plan, Arc::new(MemoryStore::new())).await;
        let node = node.map_err(|error| error.to_string())?;
        let settings = admin::Settings {
            socket: folder.0.join("control.sock"),
            max_connections: 4,
            listen: None,
            ready_peers: crate::config::ReadyPeers::None,
            components: Vec::new(),
            open_registration: false,
            domain,
            clients: None,
            levels: None,
        };
        let socket = settings.socket.clone();
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        // Nobody else knows the socket, so nobody gives orders.
        let (control, _) = mpsc::channel(1);
        let handle = node.handle().clone();
        let made = match Admin::start(settings, handle, control, &tracker, &stop).await {
            Ok(_) => Client::connect(&socket).await.map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match made {
            Ok(client) => Ok(Self {
                peer: peer.to_owned(),
                node,
                client,
                stop,
                tracker,
                _folder: folder,
            }),
            Err(why) => {
                node.stop(Duration::ZERO).await;
                Err(why)
            }
        }
    }

    /// All layers from the login on, and the logout, whatever happens before.
    pub(super) async fn all(
        self,
        timeout: u64,
        logout: bool,
        findings: &mut Findings,
    ) -> Result<(), Failure> {
        let at = self.node.local_addr();
        let what = format!("none runs: a temporary one on {at}, which keeps nothing");
        findings.ok("node", what)?;
        let mut asking = Asking {
            node: self.client,
            peer: self.peer.clone(),
            timeout,
            reached: true,
            visit: Some(self.node.handle().clone()),
        };
        let outcome = tokio::select! {
            outcome = asking.all(findings) => outcome,
            () = interrupted() => Err(Failure::Silent),
        };
        let peer = self.peer;
        let leave = move |core: &mut Core, now, _: &mut _| core.sap.log_out(&peer, REASON, now);
        let left = self.node.handle().ask(leave).await;
        let sessions = left.map_or(0, |left| left.sessions);
        self.node.stop(GRACE).await;
        self.stop.cancel();
        self.tracker.close();
        let _ = tokio::time::timeout(GRACE, self.tracker.wait()).await;
        outcome?;
        match (sessions, logout) {
            (0, _) => Ok(()),
            (_, true) => findings.ok("logout", "logged out; the temporary node has ended"),
            (_, false) => {
                let what = "the peer keeps its session with the temporary node, which has ended";
                findings.warn("logout", what, "start the node: wvgate run")
            }
        }
    }
}

/// The plan of a node that tries `peer` and nothing else.
fn visiting(plan: &Plan, peer: &str) -> Plan {
    let mut plan = plan.clone();
    let mut settings = Settings::clone(&plan.settings);
    settings.visiting = Some(peer.to_owned());
    for other in settings.peers.values_mut() {
        *other = Arc::new(Peer {
            connect_always: false,
            ..Peer::clone(other)
        });
    }
    plan.settings = Arc::new(settings);
    plan.links.retain(|link| link.peer == peer);
    plan.gateway = None;
    if let Some(home) = &mut plan.home {
        home.users.clear();
    }
    plan
}

/// Somebody wants an end: the peer must be told for all that.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// A folder of its own for the control socket.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let name = format!("wvgate-check-{}", clock::random().hex(8));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in a folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
