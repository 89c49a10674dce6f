//! One control connection: reads requests, answers them.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{broadcast, oneshot};

use super::filter::Filter;
use super::request::{Line, Request};
use super::{
    Control, LineError, Lines, Shared, accounts, clients, explain, groups, lists, services,
    session, users, views,
};
use crate::config::LogSection;
use crate::node::{Core, Gone};
use crate::sap::Login;

/// Bytes of a request or command, at most; our choice: the longest text of a message,
/// with room for escapes.
const MAX_REQUEST: usize = 96 * 1024;
/// A connection that asks nothing for so long is closed; our choice.
const IDLE: Duration = Duration::from_secs(300);
/// A client that takes nothing for so long is cut off; our choice.
const SLOW: Duration = Duration::from_secs(30);

/// A client of the control socket: one request a line.
pub(super) struct Connection {
    pub(super) lines: Lines<OwnedReadHalf>,
    out: OwnedWriteHalf,
    pub(super) shared: Arc<Shared>,
}

/// The client has gone, or is of no use any more.
#[derive(Debug)]
pub(super) struct Hangup;

impl Connection {
    pub(super) fn new(stream: UnixStream, shared: Arc<Shared>) -> Self {
        let (read, out) = stream.into_split();
        Self {
            lines: Lines::new(read, MAX_REQUEST),
            out,
            shared,
        }
    }

    pub(super) async fn run(mut self) {
        while let Ok(Some(request)) = self.next_request().await {
            // A line that could not be read has been answered.
            if let Some(line) = request
                && self.serve(&line).await.is_err()
            {
                return;
            }
        }
    }

    async fn next_request(&mut self) -> Result<Option<Option<String>>, Hangup> {
        match tokio::time::timeout(IDLE, self.lines.next()).await {
            Ok(Ok(line)) => Ok(line.map(Some)),
            Ok(Err(error @ (LineError::TooLong(_) | LineError::NotText))) => {
                self.say(&Line::error(error)).await?;
                Ok(Some(None))
            }
            _ => Err(Hangup),
        }
    }

    pub(super) async fn say(&mut self, line: &Line) -> Result<(), Hangup> {
        let mut text = serde_json::to_vec(line).map_err(|_| Hangup)?;
        text.push(b'\n');
        match tokio::time::timeout(SLOW, self.out.write_all(&text)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Hangup),
        }
    }

    async fn serve(&mut self, line: &str) -> Result<(), Hangup> {
        let request = match serde_json::from_str(line) {
            Ok(request) => request,
            Err(error) => {
                // The error quotes no values, so no password either.
                let why = format!("the request cannot be understood: {error}");
                return self.say(&Line::error(why)).await;
            }
        };
        let shared = self.shared.clone();
        let answer = match request {
            Request::Trace {
                peer,
                user,
                transaction,
            } => {
                if let Some(refusal) = unknown_peer(&shared, peer.clone()).await {
                    return self.say(&refusal).await;
                }
                let filter = Filter::new(peer, user.as_deref(), transaction);
                return self.trace(filter).await;
            }
            Request::Chat {
                user,
                password,
                takes,
                delivery,
            } => {
                return session::chat(self, &user, password, (takes, delivery)).await;
            }
            Request::Status => views::status(&shared).await,
            Request::Peers => views::peers(&shared).await,
            Request::Sessions => {
                let look = |core: &mut Core, now, _: &mut _| views::sessions(core, now);
                let shards = shared.node.ask_all(look).await;
                shards.map(|rows| {
                    let mut rows: Vec<_> = rows.into_iter().flatten().collect();
                    rows.sort_by(|a, b| a.session.peer.cmp(&b.session.peer));
                    Line::result(&rows)
                })
            }
            Request::Services { peer } => services::table(&shared, peer).await,
            Request::Discover { peer, of, timeout } => {
                services::discover(&shared, peer, of, seconds(timeout)).await
            }
            Request::Probe {
                peer,
                probe,
                timeout,
            } => services::probe(&shared, peer, probe, seconds(timeout)).await,
            Request::Routes => ask(&shared, |core| Line::result(&views::routes(core))).await,
            Request::Transactions { limit } => {
                let look = move |core: &mut Core, now, _: &mut _| {
                    views::transactions(core, limit.saturating_mul(3), now)
                };
                let shards = shared.node.ask_all(look).await;
                shards.map(|rows| Line::result(&views::together(rows, limit)))
            }
            Request::Queue { peer, limit } => views::queue(&shared, peer.as_deref(), limit).await,
            Request::Explain {
                id,
                user,
                since,
                limit,
            } => {
                let limit = limit.min(explain::MOST);
                let wanted = explain::Wanted {
                    id,
                    user,
                    since,
                    limit,
                };
                explain::explain(&shared, wanted).await
            }
            Request::UserAdd { user, password } => users::add(&shared, user, password).await,
            Request::UserImport { users, update } => accounts::import(&shared, users, update).await,
            Request::UserExport { after, limit } => accounts::export(&shared, after, limit).await,
            Request::UserSet { user } => accounts::set(&shared, user).await,
            Request::UserList => users::list(&shared).await,
            Request::UserShow { user } => users::show(&shared, user).await,
            Request::UserRemove { user } => users::remove(&shared, user).await,
            Request::UserPasswd { user, password } => users::passwd(&shared, user, password).await,
            Request::ClientDisconnect { user } => Ok(clients::disconnect(&shared, &user).await),
            Request::GroupAdd {
                group,
                properties,
                admins,
            } => groups::add(&shared, group, properties, admins).await,
            Request::GroupList => groups::list(&shared).await,
            Request::GroupShow { group } => groups::show(&shared, group).await,
            Request::GroupRemove { group } => groups::remove(&shared, group).await,
            Request::ListShow { user, list } => lists::show(&shared, user, list).await,
            Request::ListCreate {
                user,
                list,
                display,
            } => lists::create(&shared, user, list, display).await,
            Request::ListDelete { user, list } => lists::delete(&shared, user, list).await,
            Request::ListAdd {
                user,
                list,
                member,
                nick,
            } => lists::add(&shared, user, list, member, nick).await,
            Request::ListRemove { user, list, member } => {
                lists::remove(&shared, user, list, member).await
            }
            Request::Logout { peer, reason } => logout(&shared, peer, reason).await,
            Request::Connect { peer } => connect(&shared, peer).await,
            Request::Log {
                set,
                seconds,
                reset,
            } => Ok(log(&shared, set.as_deref(), seconds, reset)),
            Request::Reload => reload(&shared).await,
            Request::Stop => {
                let Ok(order) = shared.control.reserve().await else {
                    return self.say(&Line::error(Gone)).await;
                };
                // The stop ends this connection: its answer goes out before.
                let said = self.say(&Line::result(&"stopping")).await;
                order.send(Control::Stop);
                return said;
            }
        };
        self.say(&answer.unwrap_or_else(Line::error)).await
    }

    async fn trace(&mut self, mut filter: Filter) -> Result<(), Hangup> {
        let mut traces = self.shared.node.traces();
        loop {
            let trace = tokio::select! {
                trace = traces.recv() => trace,
                // Anything said now, or nothing any more, ends the stream.
                _ = self.lines.next() => return Err(Hangup),
            };
            match trace {
                Ok(trace) if filter.lets(&trace) => {
                    let trace = serde_json::to_value(trace.as_ref()).map_err(|_| Hangup)?;
                    self.say(&Line::Trace { trace }).await?;
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(lagged)) => {
                    self.say(&Line::Lagged { lagged }).await?;
                }
                Err(broadcast::error::RecvError::Closed) => return Err(Hangup),
            }
        }
    }
}

/// Asks the owner to look at the core between two turns.
async fn ask(
    shared: &Shared,
    look: impl FnOnce(&Core) -> Line + Send + 'static,
) -> Result<Line, Gone> {
    shared.node.ask(move |core, _, _| look(core)).await
}

async fn logout(shared: &Shared, peer: String, reason: Option<String>) -> Result<Line, Gone> {
    let of = peer.clone();
    let work = move |core: &mut Core, now, _: &mut _| {
        if core.sap.settings().peers.contains_key(&peer) {
            Line::result(&core.sap.log_out(&peer, reason.as_deref(), now))
        } else {
            no_peer(core, &peer)
        }
    };
    let answer = shared.node.ask_for_peer(&of, work).await?;
    // The SAP itself ends it after two seconds.
    let is_leaving = |core: &mut Core, _, _: &mut _| core.sap.is_leaving();
    while shared.node.ask_for_peer(&of, is_leaving).await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(answer)
}

async fn connect(shared: &Shared, peer: String) -> Result<Line, Gone> {
    let asked = peer.clone();
    let work = move |core: &mut Core, now, _: &mut _| {
        if !core.sap.settings().peers.contains_key(&peer) {
            return no_peer(core, &peer);
        }
        core.sap.connect_now(&peer, now);
        Line::result(&())
    };
    let refused = shared.node.ask_for_peer(&asked, work).await?;
    if matches!(refused, Line::Error { .. }) {
        return Ok(refused);
    }
    // The SAP itself ends a login that takes too long, at each address of a list.
    loop {
        let peer = asked.clone();
        let look = move |core: &mut Core, _, _: &mut _| match core.sap.login(&peer) {
            Login::UnderWay => None,
            Login::Stands => Some(Connected {
                state: "up",
                error: None,
            }),
            Login::Failed(why) => Some(Connected {
                state: "down",
                error: Some(why),
            }),
        };
        if let Some(connected) = shared.node.ask_for_peer(&asked, look).await? {
            return Ok(Line::result(&connected));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What became of a login.
#[derive(serde::Serialize)]
struct Connected {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The refusal if a trace is wanted with somebody who is no peer.
async fn unknown_peer(shared: &Shared, peer: Option<String>) -> Option<Line> {
    let peer = peer?.to_ascii_lowercase();
    let look = move |core: &mut Core, _, _: &mut _| {
        let known = peer == "xmpp" || core.sap.settings().peers.contains_key(&peer);
        (!known).then(|| no_peer(core, &peer))
    };
    shared.node.ask(look).await.ok().flatten()
}

pub(super) fn no_peer(core: &Core, peer: &str) -> Line {
    let settings = core.sap.settings();
    let peers: Vec<&str> = settings.peers.keys().map(String::as_str).collect();
    let hint = match settings.routes.find_exact(peer) {
        _ if peers.is_empty() => "none is configured".to_owned(),
        Some(crate::sap::Route::Peer(via)) => format!("{peer} is reached through {via}"),
        _ => format!("the peers are: {}", peers.join(", ")),
    };
    Line::error(format!("there is no peer {peer}; {hint}"))
}

/// Patience of a client, within bounds.
fn seconds(timeout: u64) -> Duration {
    Duration::from_secs(timeout.clamp(1, 86_400))
}

/// Says what is logged, after it was changed, if that is wanted.
fn log(shared: &Shared, set: Option<&str>, seconds: Option<u64>, reset: bool) -> Line {
    let Some(levels) = &shared.settings.levels else {
        return Line::error("this node has no log of its own");
    };
    if reset {
        levels.reset();
    }
    if let Some(directives) = set {
        if let Some((message, fix)) = LogSection::mistakes_in(directives).into_iter().next() {
            return Line::error(format!("{message}; {fix}"));
        }
        if let Err(why) = levels.set(directives, seconds.map(Duration::from_secs)) {
            return Line::error(why);
        }
    }
    if reset || set.is_some() {
        let view = levels.view();
        tracing::warn!(now = view.now, "what is logged was changed by an operator");
    }
    Line::result(&levels.view())
}

async fn reload(shared: &Shared) -> Result<Line, Gone> {
    let (reply, answer) = oneshot::channel();
    let asked = shared.control.send(Control::Reload(reply)).await;
    asked.map_err(|_| Gone)?;
    Ok(match answer.await.map_err(|_| Gone)? {
        Ok(remarks) => Line::result(&remarks),
        Err(problems) => Line::error(problems.join("\n")),
    })
}
