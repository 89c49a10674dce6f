//! `wvgate run`: configuration, logging, plan, start, wait, drain.

use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::after_restart::after_restart;
use super::logging::{self, Level, Voice};
use super::notify::Manager;
use super::renewals::Renewals;
use super::signals::{Asked, Signals};
use super::start_failure::{access_failure, admin_failure, start_failure};
use super::{Failure, Global, open_files};
use crate::access::AccessPoint;
use crate::admin::{self, Admin, Control};
use crate::config::{Config, ConfigError, Loaded, LogFormat, Registration, Source, environment};
use crate::element::Wish;
use crate::node::{Levels, Node, NodeHandle, Plan};
use crate::translate::address::to_xmpp_domain;

/// For what follows when the time of an end is over, goodbyes and the closing of the store; our
/// choice, more than the bounds of each of them together.
const AFTER_DRAIN: Duration = Duration::from_secs(30);
/// What is left of that time for the peers, however long clients took; our choice.
const LEAST_DRAIN: Duration = Duration::from_secs(1);

#[derive(Args)]
#[command(after_help = "\
Stays in the foreground; the log goes to standard error (RUST_LOG overrides log.level).
SIGHUP reads the configuration again: peers, routes, dialects, certificates, policies of XMPP
domains, log.level, node.drain_timeout. SIGTERM and SIGINT let what is under way finish for up to
node.drain_timeout; a second one ends at once. Whatever was acknowledged is on disk either way. A service manager (NOTIFY_SOCKET, as systemd's Type=notify)
hears of start, reload and end, and, while the node turns round, of that (WATCHDOG_USEC).

Examples:
  wvgate run --config config/quickstart.toml
  WVGATE_CONFIG_SSP__LISTEN=127.0.0.1:15280 wvgate run")]
pub(super) struct Run {}

pub(super) async fn run(global: &Global, _: &Run) -> Result<(), Failure> {
    let seen = global.glance();
    let voice = Voice::start(seen.map_or(LogFormat::Text, |seen| seen.log_format))?;
    let outcome = Box::pin(run_node(global, &voice)).await;
    let outcome = outcome.map_err(|failure| voice.last_words(failure));
    voice.flush();
    outcome
}

async fn run_node(global: &Global, voice: &Voice) -> Result<(), Failure> {
    open_files::allow_most();
    let source = Source::read(global.config_file(), environment())?;
    let (renewals, loaded, mut plan) = aside(|| made(&source))?;
    let Loaded {
        config,
        warnings,
        located,
    } = loaded;
    let levels = voice.log(&config.log);
    voice.mind_panics();
    let plan_warnings = plan.warnings.iter().cloned();
    for warning in warnings
        .iter()
        .map(ToString::to_string)
        .chain(plan_warnings)
    {
        voice.say(Level::Warn, &format!("warning: {warning}"));
    }
    let mut signals = Signals::new()?;
    let (tls, plain) = (plan.server.tls.is_some(), plan.server.plain);
    let clients_plan = plan.clients.take();
    let node = Node::start(plan).await;
    let node = node.map_err(|error| start_failure(&error, &located))?;

    let (control, orders) = mpsc::channel(8);
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let mut settings = admin_settings(&config);
    settings.levels.clone_from(&levels);
    let (handle, domain) = (node.handle().clone(), config.node.domain.clone());
    let access = match clients_plan {
        Some(plan) => match AccessPoint::start(plan, handle.clone()).await {
            Ok(access) => Some(access),
            Err(error) => {
                node.stop(Duration::ZERO).await;
                return Err(access_failure(&error, &located));
            }
        },
        None => None,
    };
    settings.clients = access.as_ref().map(AccessPoint::clients);
    let admin = match Admin::start(settings, handle.clone(), control, &tracker, &stop).await {
        Ok(admin) => admin,
        Err(error) => {
            if let Some(access) = access {
                access.stop(Duration::ZERO).await;
            }
            node.stop(Duration::ZERO).await;
            return Err(admin_failure(&error, &located));
        }
    };
    tell_what_is_bound(&config, (tls, plain), &node, access.as_ref(), &admin, voice);
    drop(located);
    tracker.spawn(give_back_memory());
    let manager = Manager::of_environment();
    manager.ready(in_a_line(&handle, &domain).await.unwrap_or_default());
    let (watching, stopped) = (manager.clone(), stop.clone());
    tracker.spawn(async move {
        let watch = watching.watch(|| in_a_line(&handle, &domain));
        let _ = stopped.run_until_cancelled(watch).await;
    });

    let (changed, renewed) = mpsc::channel(1);
    let (watching, stopped) = (renewals.clone(), stop.clone());
    tracker.spawn(async move {
        let _ = stopped.run_until_cancelled(watching.watch(changed)).await;
    });

    let mut running = Running {
        global,
        source,
        renewals,
        renewed,
        voice,
        levels,
        manager: &manager,
        config: without_peers(config),
        node,
        access,
        orders,
    };
    let outcome = running.wait(&mut signals).await;
    if outcome.is_ok() {
        let Running {
            node,
            access,
            config,
            ..
        } = running;
        let grace = config.node.drain_timeout;
        let text = format!("wvgate: stopping, up to {grace} for what is under way");
        voice.say(Level::Info, &text);
        let most = grace.get().saturating_add(AFTER_DRAIN);
        manager.stopping("stopping, after what is under way", Some(most));
        let stopping = async {
            let begun = Instant::now();
            if let Some(access) = access {
                access.stop(grace.get()).await;
            }
            // Peers are told in any case, unless the end is at once.
            let left = grace.get().saturating_sub(begun.elapsed());
            node.stop(left.max(LEAST_DRAIN.min(grace.get()))).await;
        };
        tokio::select! {
            () = stopping => {}
            () = signals.end() => {
                voice.say(Level::Warn, "wvgate: stopped at once");
                admin.remove_socket();
                return Err(Failure::Silent);
            }
        }
    }
    if let Err(Failure::Failed(why)) = &outcome {
        manager.stopping(why, None);
    }
    admin.remove_socket();
    stop.cancel();
    tracker.close();
    let _ = tokio::time::timeout(Duration::from_secs(2), tracker.wait()).await;
    outcome
}

struct Running<'g> {
    global: &'g Global,
    /// What the node runs with.
    source: Source,
    renewals: Renewals,
    /// Says that files of certificates have changed.
    renewed: mpsc::Receiver<()>,
    voice: &'g Voice,
    levels: Option<Levels>,
    manager: &'g Manager,
    /// Without its peers: thousands of them would cost memory, and nothing looks at them again.
    config: Config,
    node: Node,
    access: Option<AccessPoint>,
    orders: mpsc::Receiver<Control>,
}

impl Running<'_> {
    /// Until somebody wants an end, or the node has failed.
    async fn wait(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::End => return Ok(()),
                    Asked::Reload => {
                        for line in self.reload().await.unwrap_or_else(|problems| problems) {
                            self.voice.say(Level::Warn, &line);
                        }
                    }
                },
                Some(()) = self.renewed.recv() => self.renew().await,
                order = self.orders.recv() => match order {
                    Some(Control::Reload(reply)) => {
                        let _ = reply.send(self.reload().await);
                    }
                    Some(Control::Stop) | None => return Ok(()),
                },
                wished = self.node.wished() => {
                    let wished = wished.map_err(Failure::Failed)?;
                    let wish = wished.wish();
                    wished.grant(self.grant(wish).await);
                    if wish == Wish::Drain {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Does what an operator wants who asks through an element of the node.
    async fn grant(&mut self, wish: Wish) -> Vec<String> {
        match wish {
            Wish::Peers => peers(&self.node).await,
            Wish::Reload => match self.reload().await {
                Ok(mut remarks) => {
                    remarks.insert(0, "The configuration was read again.".to_owned());
                    remarks
                }
                Err(mut problems) => {
                    problems.insert(
                        0,
                        "The configuration has problems; nothing has changed.".to_owned(),
                    );
                    problems
                }
            },
            Wish::Drain => vec!["The node delivers what it can, and ends.".to_owned()],
        }
    }

    /// Takes over what can be changed while running; a configuration with problems
    /// changes nothing.
    async fn reload(&mut self) -> Result<Vec<String>, Vec<String>> {
        self.manager.reloading();
        let outcome = self.read_again().await;
        self.manager.reloaded(outcome.as_ref().err().map(Vec::len));
        outcome
    }

    async fn read_again(&mut self) -> Result<Vec<String>, Vec<String>> {
        let made = aside(|| {
            let source = Source::read(self.global.config_file(), environment())?;
            let made = made(&source)?;
            Ok::<_, ConfigError>((source, made))
        });
        let (source, (renewals, loaded, plan)) = match made {
            Ok(made) => made,
            Err(error) => {
                tracing::error!("the new configuration has problems, the old one stays");
                return Err(error.problems.iter().map(ToString::to_string).collect());
            }
        };
        let (old, new) = (&self.config, &loaded.config);
        if old.node.domain != new.node.domain {
            let why = "cannot change while the node runs; restart it";
            return Err(vec![
                loaded.located.problem("node.domain", why, "").to_string(),
            ]);
        }
        let mut remarks: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        remarks.extend(plan.warnings.iter().cloned());
        for key in after_restart(old, new) {
            let why = "was changed; that takes effect after a restart";
            remarks.push(loaded.located.problem(key, why, "").to_string());
        }
        if old.log.level != new.log.level {
            remarks.extend(logging::set_level(&new.log.level, self.levels.as_ref()));
        }
        self.renewals.take(&renewals);
        Box::pin(self.take(plan)).await;
        self.source = source;
        self.config = without_peers(loaded.config);
        tracing::info!("the configuration was read again");
        Ok(remarks)
    }

    /// Takes over files of certificates that have changed, with the configuration that the node
    /// runs with.
    async fn renew(&mut self) {
        match aside(|| made(&self.source)) {
            Ok((renewals, _, plan)) => {
                for warning in &plan.warnings {
                    self.voice.say(Level::Warn, &format!("warning: {warning}"));
                }
                self.renewals.take(&renewals);
                Box::pin(self.take(plan)).await;
                tracing::info!("files of certificates have changed, and are taken over");
            }
            Err(error) => {
                for problem in &error.problems {
                    tracing::error!(%problem, "a changed certificate is not taken, the old one stays");
                }
            }
        }
    }

    /// Has the node and its access point take over what they can while running.
    async fn take(&self, plan: Plan) {
        if let (Some(access), Some(clients)) = (&self.access, &plan.clients) {
            access.reload(clients);
        }
        self.node.reload(plan).await;
    }
}

/// What a node is made of. The files of certificates are noted before they are read.
fn made(source: &Source) -> Result<(Renewals, Loaded, Plan), ConfigError> {
    let loaded = source.load()?;
    let renewals = Renewals::of(&loaded.config);
    let plan = Plan::new(&loaded.config, &loaded.located)?;
    Ok((renewals, loaded, plan))
}

/// The node in a line; `None` when it has ended.
async fn in_a_line(handle: &NodeHandle, domain: &str) -> Option<String> {
    let counted = handle.ask_all(|core, _, _| {
        let views = core.sap.peer_views();
        let up = views.iter().filter(|peer| peer.state == "up").count();
        let queued: usize = views.iter().map(|peer| peer.queued).sum();
        (up, views.len(), queued)
    });
    let (mut up, mut all, mut queued) = (0, 0, 0);
    for (shard_up, shard_all, shard_queued) in counted.await.ok()? {
        up += shard_up;
        all += shard_all;
        queued += shard_queued;
    }
    Some(match all {
        0 => format!("{domain}: no peers"),
        _ => format!("{domain}: {up} of {all} peers up, {queued} queued"),
    })
}

/// A line for each peer.
async fn peers(node: &Node) -> Vec<String> {
    let all = node.handle().ask_all(|core, _, _| core.sap.peer_views());
    let views = all.await.unwrap_or_default().into_iter().flatten();
    let lines = views.map(|peer| {
        format!(
            "{}: {}, {} queued, {} unanswered",
            peer.domain, peer.state, peer.queued, peer.pending
        )
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        vec!["There are no peers.".to_owned()]
    } else {
        lines
    }
}

fn admin_settings(config: &Config) -> admin::Settings {
    let components = config.xmpp.iter().flat_map(|xmpp| &xmpp.component);
    let home = config.home.as_ref();
    admin::Settings {
        socket: config.admin_socket(),
        max_connections: config.admin.max_connections,
        listen: config.admin.listen,
        ready_peers: config.admin.ready_peers,
        components: components
            .map(|component| to_xmpp_domain(&component.domain))
            .collect(),
        open_registration: home.is_some_and(|home| home.registration == Registration::Open),
        domain: config.node.domain.clone(),
        clients: None,
        levels: None,
    }
}

/// Works in a thread that ends: what it has used of memory meanwhile goes back to the system. A
/// configuration with thousands of peers takes tens of megabytes to read.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The allocator gives back memory that was not used for a second, but only when a thread that has
/// used some ends; a node at rest has no such thread.
async fn give_back_memory() {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let _ = std::thread::spawn(|| drop(std::hint::black_box(vec![0_u8; 1 << 10]))).join();
    }
}

fn without_peers(mut config: Config) -> Config {
    config.peer = Vec::new();
    config
}

fn tell_what_is_bound(
    config: &Config,
    (tls, plain): (bool, bool),
    node: &Node,
    access: Option<&AccessPoint>,
    admin: &Admin,
    voice: &Voice,
) {
    let mut rows = vec![(
        "node",
        format!(
            "{}, wvgate {}, data in {}",
            config.node.domain,
            env!("CARGO_PKG_VERSION"),
            config.node.data.display()
        ),
    )];
    let at = node.local_addr();
    if tls {
        rows.push(("SSP", format!("https://{at}/")));
    }
    if plain {
        rows.push(("SSP", format!("http://{at}/")));
    }
    rows.push(("control", config.admin_socket().display().to_string()));
    if let Some(at) = admin.http {
        rows.push(("admin", format!("http://{at}/  (live, ready, metrics)")));
    }
    for peer in &config.peer {
        let mut addresses: Vec<&str> = peer.addresses().collect();
        if addresses.is_empty() {
            addresses.push("found by SRV records");
        }
        rows.push(("peer", format!("{}  {}", peer.domain, addresses.join(" "))));
    }
    if let Some(xmpp) = &config.xmpp {
        for component in &xmpp.component {
            let name = &component.domain;
            let server = component.server.as_ref().unwrap_or(&xmpp.server);
            rows.push(("XMPP", format!("component {name} at {server}")));
        }
    }
    if config.home.is_some() {
        rows.push(("home", format!("users of {}", config.node.domain)));
    }
    if let (Some(clients), Some(access)) = (&config.clients, access) {
        let scheme = match clients.certificate {
            Some(_) => "https",
            None => "http",
        };
        rows.push(("clients", format!("{scheme}://{}/", access.local_addr())));
        if let Some(at) = access.wake_addr() {
            rows.push(("wake", format!("{at}")));
        }
        if let Some((at, has_tls)) = access.text_addr() {
            let how = if has_tls { "over TLS" } else { "plain" };
            rows.push(("text", format!("{at}  ({how})")));
        }
    }
    if let (Some(url), Some(at)) = (config.content.base(), node.content_addr()) {
        rows.push(("files", format!("{url} served on {at}")));
    }
    if config.node.echo {
        let address = format!("echo@{} answers", config.node.domain);
        rows.push(("echo", address));
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    voice.tell(&rows);
}
