//! A running node: opens the store, restores the core, binds, starts all tasks;
//! drains and stops them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::build::{HomePlan, Plan};
use super::carrier::Carrier;
use super::clock::Watch;
use super::closed::Closed;
use super::core::Core;
use super::files::open_files;
use super::inbox::{Door, Input, NodeHandle};
use super::links::Links;
use super::outlet::Outlet;
use super::owner::Owner;
use super::passwords::Passwords;
use super::receiver::{MISHAPS, NodeReceiver};
use super::releaser::{Component, Neighbour, Releaser};
use super::restore::{maker, restore_all};
use super::shards;
use super::told::Telling;
use super::turn::Turn;
use super::wished::Wished;
use crate::content::Web;
use crate::element::Time;
use crate::gateway::Gateway;
use crate::http::link::LinkSettings;
use crate::http::server;
use crate::sap::{PeerView, Settings, Shards};
use crate::store::{Store, StoreError};
use crate::xmpp::link as xmpp_link;

/// Inputs that may wait for the owner.
pub(super) const INBOX: usize = 4096;
/// Wishes of elements that may wait for the process around the node.
const WISHES: usize = 16;
/// For a logout at the end; the SAP gives up a little earlier.
const FAREWELL: Duration = Duration::from_millis(2_500);
/// For the ends of the XMPP streams; the links give up a little earlier.
const XMPP_FAREWELL: Duration = Duration::from_secs(5);
/// What peers are told then.
const REASON: &str = "the server stops";

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened or read.
    #[error("the store in {0} cannot be used: {1}")]
    Store(String, StoreError),
    /// The SSP port cannot be bound.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The port for shared files cannot be bound.
    #[error("cannot listen on {0}: {1}")]
    Content(SocketAddr, std::io::Error),
    /// The folder of shared files cannot be used.
    #[error("the folder of shared files cannot be used: {0}")]
    Folder(std::io::Error),
    /// A first password cannot be hashed.
    #[error("the password of user {0} cannot be hashed")]
    Password(String),
    /// The store has another number of shards than the configuration wants.
    #[error("the store in {data} was made with {kept} shards, not with {wanted}")]
    Shards {
        /// The folder of the store.
        data: String,
        /// Shards that it has.
        kept: u16,
        /// Shards that are wanted.
        wanted: u16,
    },
}

/// A running node: the handle by which it is asked and stopped.
pub struct Node {
    handle: NodeHandle,
    local_addr: SocketAddr,
    content_addr: Option<SocketAddr>,
    tracker: TaskTracker,
    /// Stops accepting; what is under way is finished.
    soft: CancellationToken,
    /// Stops everything.
    hard: CancellationToken,
    /// Ends the XMPP links, in peace.
    xmpp: Ending,
    settings: Arc<RwLock<Arc<Settings>>>,
    wished: mpsc::Receiver<Wished>,
    tls: server::TlsSwitch,
    content_tls: Option<server::TlsSwitch>,
    owners: JoinSet<Result<(), StoreError>>,
}

impl Node {
    /// Starts a node.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(plan: Plan) -> Result<Self, StartError> {
        let stores = shards::open(&plan.data, plan.shards).await?;
        Self::start_on_all(plan, stores).await
    }

    /// Starts a node of one shard on a store that is open already.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_on(plan: Plan, store: Arc<dyn Store>) -> Result<Self, StartError> {
        Self::start_on_all(plan, vec![store]).await
    }

    /// Starts a node with a shard on each of these stores, which are open already.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_on_all(plan: Plan, stores: Vec<Arc<dyn Store>>) -> Result<Self, StartError> {
        let seal = plan.home.as_ref().and_then(HomePlan::seal);
        let passwords = Arc::new(Passwords::new(seal));
        let (cores, clock) = restore_all(&plan, &stores, &passwords).await?;
        let (traces, _) = broadcast::channel(1024);
        let (doors, inboxes): (Vec<_>, Vec<_>) = stores
            .iter()
            .map(|store| {
                let (inbox, inputs) = mpsc::channel(INBOX);
                let store = Arc::clone(store);
                (Door { inbox, store }, inputs)
            })
            .unzip();
        let files = open_files(&plan, clock).await?;
        let contents = files.as_ref().map(|files| files.contents.clone());
        let handle = NodeHandle {
            doors: doors.into(),
            traces: traces.clone(),
            clients: Arc::new(AtomicU64::new(1)),
            contents: contents.clone(),
            passwords,
            clock,
            gauges: Arc::default(),
        };
        handle.gauges.show(plan.certificates.clone());
        let inbox = handle.doors[0].inbox.clone();
        let (tracker, soft, hard) = (
            TaskTracker::new(),
            CancellationToken::new(),
            CancellationToken::new(),
        );
        let settings = Arc::new(RwLock::new(plan.settings.clone()));

        let listen = plan.server.listen;
        let known = plan.server.known.clone().unwrap_or_default();
        let server = server::bind(plan.server.clone()).await;
        let server = server.map_err(|error| StartError::Listen(listen, error))?;
        let (local_addr, tls) = (server.local_addr(), server.tls_switch());
        let receiver = NodeReceiver {
            handle: handle.clone(),
            limits: plan.limits,
            settings: settings.clone(),
            shares: Arc::default(),
            mishaps: Arc::new(tokio::sync::Semaphore::new(MISHAPS)),
            known: known.clone(),
        };
        tracker.spawn(server.run(Arc::new(receiver), soft.clone(), hard.clone()));

        let mut content_addr = None;
        let mut content_tls = None;
        if let Some(files) = files {
            content_addr = Some(files.server.local_addr());
            content_tls = Some(files.server.tls_switch());
            let web = Arc::new(Web::of(files.contents.clone()));
            tracker.spawn(files.server.serve(web, soft.clone(), hard.clone()));
            tracker.spawn(files.contents.sweep(hard.clone()));
        }
        let mut components = HashMap::new();
        let xmpp = Ending::new();
        if let Some(gateway) = &plan.gateway {
            let events = forward_xmpp(&inbox, &xmpp.tracker);
            for component in &gateway.components {
                let (outgoing, receiver) = mpsc::channel(1024);
                let link = Component {
                    outgoing,
                    connection: 0,
                    newest: 0,
                };
                components.insert(component.domain.clone(), link);
                xmpp_link::spawn(
                    component.clone(),
                    receiver,
                    events.clone(),
                    &xmpp.tracker,
                    xmpp.stop.clone(),
                );
            }
        }
        xmpp.tracker.close();
        let mut owners = JoinSet::new();
        let (wishes, wished) = mpsc::channel(WISHES);
        for (core, inputs) in cores.into_iter().zip(inboxes) {
            let shard = core.sap.settings().shards;
            let door = &handle.doors[usize::from(shard.own())];
            let (back, told) = mpsc::unbounded_channel();
            let links = Links::new(
                links_of(&plan.links, shard),
                (known.clone(), Arc::clone(&handle.gauges.peers)),
                door.inbox.clone(),
                tracker.clone(),
                hard.clone(),
            );
            let releaser = Releaser {
                store: door.store.clone(),
                back,
                traces: traces.clone(),
                links,
                // The gateway is in the first shard.
                components: std::mem::take(&mut components),
                neighbours: neighbours(&handle, shard, &tracker, &hard),
                clients: HashMap::new(),
                contents: contents.clone(),
                carrier: Carrier::new(contents.clone(), plan.upload_tls.clone(), hard.clone()),
                wishes: wishes.clone(),
                gauges: Arc::clone(&handle.gauges),
                failed: false,
            };
            let owner = Owner {
                core,
                clock,
                watch: Watch::default(),
                store: door.store.clone(),
                inbox: inputs,
                back: told,
                outlet: Outlet::new(releaser),
                fresh: Box::new(maker(&plan)),
                traces: traces.clone(),
                stop: hard.clone(),
                closed: Closed::default(),
            };
            owners.spawn(owner.run());
        }
        tracker.close();
        Ok(Self {
            handle,
            local_addr,
            content_addr,
            tracker,
            soft,
            hard,
            xmpp,
            settings,
            wished,
            tls,
            content_tls,
            owners,
        })
    }

    /// To talk to the node.
    pub fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// Where SSP is served.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where shared files are served, if they are.
    pub fn content_addr(&self) -> Option<SocketAddr> {
        self.content_addr
    }

    /// Takes nothing new, gives what is under way until `grace` has passed, logs out
    /// from the peers that understand it, ends the XMPP streams, and stops everything. With a `grace` of zero
    /// at once: then sessions stay as they are. All that was acknowledged is on disk
    /// either way.
    pub async fn stop(mut self, grace: Duration) {
        if !grace.is_zero() {
            let _ = self.handle.ask_all(|core, _, _| core.sap.drain()).await;
            // A peer that does not answer anyway is not waited for.
            self.until(grace, |core| {
                let peers = core.sap.peer_views();
                let done = |p: &PeerView| p.posting == 0 || p.last_error.is_some();
                peers.iter().all(done) && core.sap.has_handed_all()
            })
            .await;
        }
        // Before peers are told: between that and the end of the listener nobody may log in again.
        let away = |core: &mut Core, now: Time, turn: &mut Turn| {
            core.administer(now, turn, |gateway: &mut Gateway| gateway.farewell());
        };
        self.released(away).await;
        if !grace.is_zero() {
            let leave = |core: &mut Core, now, _: &mut _| core.sap.log_out_everywhere(REASON, now);
            let _ = self.handle.ask_all(leave).await;
            self.until(FAREWELL, |core| !core.sap.is_leaving()).await;
        }
        self.soft.cancel();
        // While the owner still takes what the XMPP server has under way to us.
        self.xmpp.stop.cancel();
        let _ = tokio::time::timeout(XMPP_FAREWELL, self.xmpp.tracker.wait()).await;
        // What became of the last messages; if the store does not take it, nothing waits for it.
        let last = self.handle.ask_all(|core, now, turn| {
            let writes = core.history.flush(now);
            turn.writes.extend(writes);
        });
        let _ = last.await;
        self.hard.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(5), self.tracker.wait()).await;
        while self.owners.join_next().await.is_some() {}
    }

    /// Has the owner of the first shard do something, and waits until the links have been given
    /// what follows from it, or the time is over.
    async fn released(&self, work: impl FnOnce(&mut Core, Time, &mut Turn) + Send + 'static) {
        let released = async {
            let _ = self.handle.change(work).await;
            // A turn is released as a whole before the next.
            let _ = self.handle.change(|_, _, _| ()).await;
        };
        let _ = tokio::time::timeout(FAREWELL, released).await;
    }

    /// Waits until the core is as wanted, or the time is over.
    async fn until(&self, limit: Duration, wanted: fn(&Core) -> bool) {
        let reached = async {
            let all = || self.handle.ask_all(move |core, _, _| wanted(core));
            while all().await.is_ok_and(|reached| reached.contains(&false)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(limit, reached).await;
    }

    /// What an element of the node wants next of the process around it.
    ///
    /// # Errors
    /// The owner has ended by itself: a defect or a store that cannot be read any more. The process
    /// should end with a failing code.
    pub async fn wished(&mut self) -> Result<Wished, String> {
        let ended = tokio::select! {
            Some(wished) = self.wished.recv() => return Ok(wished),
            ended = self.owners.join_next() => ended,
        };
        Err(match ended {
            Some(Ok(Ok(()))) | None => "the owner task has ended".to_owned(),
            Some(Ok(Err(error))) => format!("the store failed: {error}"),
            Some(Err(error)) => format!("the owner task crashed: {error}"),
        })
    }

    /// Takes over changed peers, dialects, routes, certificates, and what peers and domains of XMPP
    /// may do. Listeners, the home domain's and the gateway's settings need a restart.
    pub async fn reload(&self, plan: Plan) {
        match self.settings.write() {
            Ok(mut settings) => *settings = plan.settings.clone(),
            Err(poisoned) => *poisoned.into_inner() = plan.settings.clone(),
        }
        self.handle.gauges.show(plan.certificates.clone());
        let peers: HashSet<&str> = plan.links.iter().map(|link| link.peer.as_str()).collect();
        self.handle.gauges.peers.retain(|peer| peers.contains(peer));
        self.tls.replace(plan.server.tls.clone());
        if let (Some(switch), Some(content)) = (&self.content_tls, &plan.content) {
            switch.replace(content.server.tls.clone());
        }
        for (own, door) in (0..).zip(self.handle.doors.iter()) {
            let shard = Shards::new(own, self.handle.shards());
            let links = Input::Links(links_of(&plan.links, shard));
            let _ = door.inbox.send(links).await;
            let settings = plan.settings_of(shard);
            let policies = plan.gateway.as_ref().map(|g| g.settings.policies.clone());
            let reload = move |core: &mut Core, now, turn: &mut Turn| {
                core.sap.reload(settings, now);
                if let Some(policies) = policies {
                    core.set_policies(policies, now, turn);
                }
            };
            let _ = self.handle.ask_in(own, reload).await;
        }
    }
}

/// The links that a shard needs.
fn links_of(links: &[LinkSettings], shard: Shards) -> Vec<LinkSettings> {
    let own = links.iter().filter(|link| shard.has_peer(&link.peer));
    own.cloned().collect()
}

/// The ways from a shard to the others.
fn neighbours(
    handle: &NodeHandle,
    shard: Shards,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> BTreeMap<u16, Neighbour> {
    let others = (0..).zip(handle.doors.iter());
    let others = others.filter(|(other, _)| *other != shard.own());
    let way = |(other, door): (u16, &Door)| {
        let (inbox, telling) = (door.inbox.clone(), Telling::default());
        let carry = telling.clone();
        tracker.spawn(carry.carry(shard.own(), inbox.clone(), stop.clone()));
        (other, Neighbour { inbox, telling })
    };
    others.map(way).collect()
}

/// Some tasks that end before others.
struct Ending {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Ending {
    fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }
}

fn forward_xmpp(
    inbox: &mpsc::Sender<Input>,
    tracker: &TaskTracker,
) -> mpsc::Sender<xmpp_link::LinkEvent> {
    let (sender, mut receiver) = mpsc::channel(256);
    let inbox = inbox.clone();
    tracker.spawn(async move {
        while let Some(event) = receiver.recv().await {
            if inbox.send(Input::Xmpp(Box::new(event))).await.is_err() {
                return;
            }
        }
    });
    sender
}
