//! A running node: opens the store, restores the core, binds, starts all tasks;
//! drains and stops them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::build::Plan;
use super::clock::{self, Clock, Watch};
use super::core::Core;
use super::history::History;
use super::inbox::{Input, NodeHandle};
use super::links::Links;
use super::owner::{Closed, Owner};
use super::receiver::{MISHAPS, NodeReceiver};
use super::releaser::{Component, Release, Releaser};
use super::restore::{claim, restore};
use crate::element::ServiceElement;
use crate::gateway::Gateway;
use crate::home::Home;
use crate::http::link::{self, PostOutcome};
use crate::http::server;
use crate::sap::{PeerView, Posted, Sap, Settings};
use crate::store::{self, Store, StoreError};
use crate::xmpp::link as xmpp_link;

/// Inputs that may wait for the owner.
pub(super) const INBOX: usize = 4096;
/// Batches that may wait for their commit.
const RELEASES: usize = 8;
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
    /// A first password cannot be hashed.
    #[error("the password of user {0} cannot be hashed")]
    Password(String),
}

/// A running node: the handle by which it is asked and stopped.
pub struct Node {
    handle: NodeHandle,
    local_addr: SocketAddr,
    tracker: TaskTracker,
    /// Stops accepting; what is under way is finished.
    soft: CancellationToken,
    /// Stops everything.
    hard: CancellationToken,
    /// Ends the XMPP links, in peace.
    xmpp: Ending,
    settings: Arc<RwLock<Arc<Settings>>>,
    release: mpsc::Sender<Release>,
    tls: server::TlsSwitch,
    owner: tokio::task::JoinHandle<Result<(), StoreError>>,
}

impl Node {
    /// Starts a node.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(plan: Plan) -> Result<Self, StartError> {
        let data = plan.data.clone();
        let store = tokio::task::spawn_blocking(move || store::open(&data))
            .await
            .unwrap_or(Err(StoreError::Closed))
            .map_err(|error| StartError::Store(plan.data.display().to_string(), error))?;
        Self::start_on(plan, Arc::new(store)).await
    }

    /// Starts a node on a store that is open already.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_on(plan: Plan, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let mut fresh = maker(&plan);
        let mut core = fresh(plan.settings.clone());
        let failed = |error| StartError::Store(plan.data.display().to_string(), error);
        let claimed = claim(store.as_ref(), &plan.settings.domain).await;
        claimed.map_err(failed)?;
        let restored = restore(store.as_ref(), &mut core).await.map_err(failed)?;
        if restored.aside > 0 {
            tracing::warn!(
                records = restored.aside,
                "records were set aside earlier; see: wvgate store check"
            );
        }
        let records = restored.records;
        tracing::info!(records, data = %plan.data.display(), "state restored");
        let clock = Clock::resume(core.kept_clock);
        create_users(&plan, &mut core, &store, &clock).await?;

        let (inbox, inputs) = mpsc::channel(INBOX);
        let (release, releases) = mpsc::channel(RELEASES);
        let (traces, _) = broadcast::channel(1024);
        let handle = NodeHandle {
            inbox: inbox.clone(),
            traces: traces.clone(),
            store: store.clone(),
            clients: Arc::new(AtomicU64::new(1)),
        };
        let (tracker, soft, hard) = (
            TaskTracker::new(),
            CancellationToken::new(),
            CancellationToken::new(),
        );
        let settings = Arc::new(RwLock::new(plan.settings.clone()));

        let listen = plan.server.listen;
        let server = server::bind(plan.server.clone())
            .await
            .map_err(|error| StartError::Listen(listen, error))?;
        let (local_addr, tls) = (server.local_addr(), server.tls_switch());
        let receiver = NodeReceiver {
            handle: handle.clone(),
            limits: plan.limits,
            settings: settings.clone(),
            shares: Arc::default(),
            mishaps: Arc::new(tokio::sync::Semaphore::new(MISHAPS)),
            known: plan.server.known.clone(),
        };
        tracker.spawn(server.run(Arc::new(receiver), soft.clone(), hard.clone()));

        let done = forward_posts(&inbox, &tracker);
        let links = Links::new(
            plan.links,
            plan.server.known,
            done,
            tracker.clone(),
            hard.clone(),
        );
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
        let (back, told) = mpsc::unbounded_channel();
        let releaser = Releaser {
            store: store.clone(),
            back,
            traces,
            links,
            components,
            clients: HashMap::new(),
            failed: false,
        };
        let handed_over = CancellationToken::new();
        tracker.spawn(releaser.run(releases, RELEASES, handed_over.clone()));
        let owner = Owner {
            core,
            clock,
            watch: Watch::default(),
            store,
            inbox: inputs,
            back: told,
            release: release.clone(),
            fresh: Box::new(fresh),
            traces: handle.traces.clone(),
            stop: hard.clone(),
            closed: Closed::default(),
        };
        let owner = tokio::spawn(async move {
            let ended = owner.run().await;
            handed_over.cancel();
            ended
        });
        tracker.close();
        Ok(Self {
            handle,
            local_addr,
            tracker,
            soft,
            hard,
            xmpp,
            settings,
            release,
            tls,
            owner,
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

    /// Takes nothing new, gives what is under way until `grace` has passed, logs out
    /// from the peers that understand it, ends the XMPP streams, and stops everything. With a `grace` of zero
    /// at once: then sessions stay as they are. All that was acknowledged is on disk
    /// either way.
    pub async fn stop(self, grace: Duration) {
        if !grace.is_zero() {
            let _ = self.handle.ask(|core, _, _| core.sap.drain()).await;
            // A peer that does not answer anyway is not waited for.
            self.until(grace, |core| {
                let peers = core.sap.peer_views();
                let done = |p: &PeerView| p.posting == 0 || p.last_error.is_some();
                peers.iter().all(done)
            })
            .await;
            let leave = |core: &mut Core, now, _: &mut _| core.sap.log_out_everywhere(REASON, now);
            let _ = self.handle.ask(leave).await;
            self.until(FAREWELL, |core| !core.sap.is_leaving()).await;
        }
        self.soft.cancel();
        // While the owner still takes what the XMPP server has under way to us.
        self.xmpp.stop.cancel();
        let _ = tokio::time::timeout(XMPP_FAREWELL, self.xmpp.tracker.wait()).await;
        // What became of the last messages; if the store does not take it, nothing waits for it.
        let last = self.handle.ask(|core, now, turn| {
            let writes = core.history.flush(now);
            turn.writes.extend(writes);
        });
        let _ = last.await;
        self.hard.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(5), self.tracker.wait()).await;
        let _ = self.owner.await;
    }

    /// Waits until the core is as wanted, or the time is over.
    async fn until(&self, limit: Duration, wanted: fn(&Core) -> bool) {
        let reached = async {
            while !self
                .handle
                .ask(move |core, _, _| wanted(core))
                .await
                .unwrap_or(true)
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(limit, reached).await;
    }

    /// Resolves when the owner has ended by itself: a defect or a store that
    /// cannot be read any more. The process should end with a failing code.
    pub async fn failed(&mut self) -> String {
        match (&mut self.owner).await {
            Ok(Ok(())) => "the owner task has ended".to_owned(),
            Ok(Err(error)) => format!("the store failed: {error}"),
            Err(error) => format!("the owner task crashed: {error}"),
        }
    }

    /// Takes over changed peers, policies, dialects, routes and certificates.
    /// Listeners, the home domain's and the gateway's settings need a restart.
    pub async fn reload(&self, plan: Plan) {
        match self.settings.write() {
            Ok(mut settings) => *settings = plan.settings.clone(),
            Err(poisoned) => *poisoned.into_inner() = plan.settings.clone(),
        }
        self.tls.replace(plan.server.tls);
        let links = Release::Links(plan.links);
        let _ = self.release.send(links).await;
        let settings = plan.settings;
        let _ = self
            .handle
            .ask(move |core, now, _| core.sap.reload(settings, now))
            .await;
    }
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

/// Makes cores without records.
pub(super) fn maker(plan: &Plan) -> impl FnMut(Arc<Settings>) -> Core + Send + use<> {
    let (home, gateway) = (plan.home.clone(), plan.gateway.clone());
    let keep = plan.history;
    move |settings| {
        let random = clock::random();
        let mut elements: Vec<Box<dyn ServiceElement>> = Vec::new();
        if let Some(home) = &home {
            let home = Home::new(home.settings.clone(), random.below(u64::MAX));
            elements.push(Box::new(home));
        }
        if let Some(gateway) = &gateway {
            let (settings, translator) = (gateway.settings.clone(), gateway.translator.clone());
            let gateway = Gateway::new(settings, translator, random.below(u64::MAX));
            elements.push(Box::new(gateway));
        }
        let mut core = Core::new(Sap::new(settings, clock::random()), elements);
        core.history = History::new(keep);
        core
    }
}

/// Creates the configured users that do not exist yet.
async fn create_users(
    plan: &Plan,
    core: &mut Core,
    store: &Arc<dyn Store>,
    clock: &Clock,
) -> Result<(), StartError> {
    let Some(home) = &plan.home else {
        return Ok(());
    };
    for (name, password) in &home.users {
        if core
            .element()
            .is_some_and(|home: &Home| home.users().any(|user| user == name))
        {
            continue;
        }
        let (password, salt) = (password.expose().to_owned(), salt());
        let hash =
            tokio::task::spawn_blocking(move || crate::home::password::hash(&password, &salt))
                .await;
        let Ok(Ok(hash)) = hash else {
            return Err(StartError::Password(name.clone()));
        };
        let mut turn = super::core::Turn::default();
        let now = clock.now();
        let add = |home: &mut Home| home.add_user(name, hash, now);
        let added = core.administer(now, &mut turn, add);
        match added {
            Some(Err(error)) => tracing::warn!(user = name, "user not created: {error}"),
            _ => tracing::info!(user = name, "user created"),
        }
        let kept = store.commit(turn.writes).await;
        kept.map_err(|error| StartError::Store(plan.data.display().to_string(), error))?;
    }
    Ok(())
}

/// A fresh salt for a password.
pub fn salt() -> [u8; 16] {
    let random = clock::random();
    let mut salt = [0; 16];
    for byte in &mut salt {
        *byte = u8::try_from(random.below(256)).unwrap_or(0);
    }
    salt
}

fn forward_posts(inbox: &mpsc::Sender<Input>, tracker: &TaskTracker) -> mpsc::Sender<link::Posted> {
    let (sender, mut receiver) = mpsc::channel::<link::Posted>(256);
    let inbox = inbox.clone();
    tracker.spawn(async move {
        while let Some(posted) = receiver.recv().await {
            let outcome = match posted.outcome {
                PostOutcome::Acknowledged => Posted::Acknowledged,
                PostOutcome::Refused {
                    status,
                    retry_after,
                } => Posted::Refused {
                    status,
                    retry_after: retry_after
                        .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
                },
                PostOutcome::Closed => Posted::Closed,
                PostOutcome::Unreachable { reason } => Posted::Failed(reason),
                PostOutcome::TimedOut => Posted::TimedOut,
            };
            if inbox.send(Input::Posted(posted.id, outcome)).await.is_err() {
                return;
            }
        }
    });
    sender
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
