//! The layers from the login on, done by the running node, or a temporary one, which is asked
//! over its control socket.

use serde_json::Value;

use super::super::Failure;
use super::super::output::{duration, field, functions, set, time_field};
use super::findings::{Finding, Findings, Verdict, finding};
use crate::admin::{Client, ClientError, ProbeKind, Request};
use crate::node::NodeHandle;

/// The layers that the running node does.
pub(super) struct Asking {
    pub(super) node: Client,
    pub(super) peer: String,
    /// Seconds to wait for each answer.
    pub(super) timeout: u64,
    /// Whether an address of the peer was reached from here.
    pub(super) reached: bool,
    /// The node, if it is a temporary one.
    pub(super) visit: Option<NodeHandle>,
}

impl Asking {
    /// Layer by layer; without a session the rest is skipped.
    pub(super) async fn all(&mut self, findings: &mut Findings) -> Result<(), Failure> {
        if !self.handshake(findings).await? {
            for layer in ["keep-alive", "discovery", "agreement", "echo"] {
                findings.skipped(layer, "no session")?;
            }
            return Ok(());
        }
        self.keep_alive(findings).await?;
        self.services(findings).await?;
        self.echo(findings).await
    }

    /// What the node says; its refusal as text.
    async fn ask(&mut self, request: &Request) -> Result<Result<Value, String>, Failure> {
        match self.node.ask(request).await {
            Ok(value) => Ok(Ok(value)),
            Err(ClientError::Refused(why)) => Ok(Err(why)),
            Err(other) => Err(other.into()),
        }
    }

    async fn handshake(&mut self, findings: &mut Findings) -> Result<bool, Failure> {
        let (layer, peer) = ("handshake", self.peer.clone());
        let login = match self.ask(&Request::Connect { peer: peer.clone() }).await? {
            Ok(login) => login,
            Err(why) => {
                let fix = "the node runs on another configuration: wvgate reload";
                findings.fail(layer, why, fix)?;
                return Ok(false);
            }
        };
        match super::session(&login) {
            Ok(()) => {
                let sessions = self.node.ask(&Request::Sessions).await?;
                let mut rows = sessions.as_array().into_iter().flatten();
                let newest = rows.rfind(|row| row["peer"] == peer.as_str());
                let since = newest.map(|row| {
                    let (since, last) =
                        (time_field(row, "established"), time_field(row, "last_in"));
                    format!(", since {since}, last heard {last}")
                });
                let what = format!("session stands{}", since.unwrap_or_default());
                findings.ok(layer, what)?;
                Ok(true)
            }
            Err(why) => {
                let fix = if self.reached {
                    "is this domain a peer of the peer, with the same password, reached under \
                     the address it has for us? its log says more"
                } else {
                    "mend what failed above first"
                };
                findings.fail(layer, format!("no session: {why}"), fix)?;
                Ok(false)
            }
        }
    }

    async fn probe(&mut self, probe: ProbeKind) -> Result<Result<Value, String>, Failure> {
        let request = Request::Probe {
            peer: self.peer.clone(),
            probe,
            timeout: self.timeout,
        };
        self.ask(&request).await
    }

    async fn keep_alive(&mut self, findings: &mut Findings) -> Result<(), Failure> {
        let layer = "keep-alive";
        let view = match self.probe(ProbeKind::KeepAlive).await? {
            Ok(Value::Null) => {
                return findings.skipped(layer, "the peer's dialect has no keep-alive");
            }
            Ok(view) => view,
            Err(why) => return findings.fail(layer, why, ""),
        };
        match view["status"].as_u64() {
            Some(200..300 | 605) => findings.add(timed(layer, "answered", &view, "answered")),
            Some(405 | 501) => {
                let fix = "set keep_alive = false in its dialect";
                findings.warn(layer, reason(&view), fix)
            }
            Some(_) => findings.fail(layer, reason(&view), "the peer's log says why"),
            None => self.silence(layer, findings).await,
        }
    }

    async fn services(&mut self, findings: &mut Findings) -> Result<(), Failure> {
        let peer = Some(self.peer.clone());
        let own = |table: &Value, peer: &str| -> Value {
            let rows = table["peers"].as_array().cloned().unwrap_or_default();
            let is_own = |row: &Value| row["domain"] == peer;
            rows.into_iter().find(is_own).unwrap_or_default()
        };
        let table = self.node.ask(&Request::Services { peer }).await?;
        let mut row = own(&table, &self.peer);
        if row["source"] == "dialect" {
            let why = "such peers cannot be asked; built-in tree of the dialect: ";
            findings.skipped("discovery", format!("{why}{}", functions(&row, "offers")))?;
            return agreement(&row, findings);
        }
        let request = Request::Discover {
            peer: self.peer.clone(),
            of: None,
            timeout: self.timeout,
        };
        match self.ask(&request).await? {
            Ok(table) => {
                row = own(&table, &self.peer);
                let offers = format!("it offers {}", functions(&row, "offers"));
                findings.ok("discovery", offers)?;
            }
            Err(why) if why.contains("cannot be asked") => {
                findings.skipped("discovery", why)?;
            }
            Err(why) => {
                let fix = "if it never answers, set discovery = false in its dialect";
                findings.warn("discovery", why, fix)?;
            }
        }
        agreement(&row, findings)
    }

    async fn echo(&mut self, findings: &mut Findings) -> Result<(), Failure> {
        let layer = "echo";
        let view = match self.probe(ProbeKind::Echo).await? {
            Ok(Value::Null) => {
                return findings.skipped(layer, "such peers have no echo user, says their dialect");
            }
            Ok(view) => view,
            Err(why) => return findings.fail(layer, why, ""),
        };
        if view["echoed"].is_u64() {
            return findings.add(timed(layer, "there and back", &view, "echoed"));
        }
        match view["status"].as_u64() {
            Some(427 | 531) => {
                let fix = "a wvgate has one unless node.echo = false; other servers have none";
                findings.warn(layer, format!("no echo user: {}", reason(&view)), fix)
            }
            Some(506) => {
                let fix = "its `offers`, or the agreement, leave out SENDM";
                findings.warn(layer, reason(&view), fix)
            }
            Some(200..300) => {
                let what = "the message was taken, but did not come back";
                let fix = "the peer must reach this domain: its routes, and its `wvgate queue`";
                findings.fail(layer, what, fix)
            }
            Some(901) => {
                let fix = "the peer does not let us speak for our own domain: is it its [[peer]]?";
                findings.fail(layer, reason(&view), fix)
            }
            Some(_) => findings.fail(layer, reason(&view), "the peer's log says why"),
            None => self.silence(layer, findings).await,
        }
    }

    /// There was no answer. It may come in one post with messages for this domain, which
    /// a temporary node does not take.
    async fn silence(&self, layer: &'static str, findings: &mut Findings) -> Result<(), Failure> {
        let what = format!("no answer within {} s", self.timeout);
        if self.turned_away().await > 0 {
            let why = "the peer has messages for this domain, which only the node itself takes";
            return findings.skipped(layer, format!("{what}: {why}; start it: wvgate run"));
        }
        findings.fail(layer, what, "see wvgate queue and the peer's log")
    }

    async fn turned_away(&self) -> u64 {
        let Some(node) = &self.visit else {
            return 0;
        };
        let count = node.ask(|core, _, _| core.sap.turned_away()).await;
        count.unwrap_or_default()
    }
}

/// What was agreed, of what is wanted.
fn agreement(row: &Value, findings: &mut Findings) -> Result<(), Failure> {
    let layer = "agreement";
    let here = match &row["granted"] {
        Value::Null => format!("it may use here: {}", functions(row, "usable")),
        granted => format!(
            "it may use here: {} until {}",
            functions(granted, "functions"),
            time_field(granted, "expires")
        ),
    };
    let nothing = row["wants"].as_array().is_none_or(Vec::is_empty);
    match &row["obtained"] {
        Value::Null if nothing => findings.ok(layer, format!("none wanted; {here}")),
        Value::Null => {
            let what = format!(
                "the peer grants nothing of {}; {here}",
                functions(row, "wants")
            );
            let fix = "its `offers` for this domain must include it";
            findings.warn(layer, what, fix)
        }
        obtained => {
            let until = time_field(obtained, "expires");
            let got = functions(obtained, "functions");
            let what = format!("we may use there: {got} until {until}; {here}");
            let missing = set(row, "wants").difference(set(obtained, "functions"));
            if missing.is_empty() {
                findings.ok(layer, what)
            } else {
                let what = format!("{what}; not granted: {}", missing.names().join(", "));
                findings.warn(layer, what, "the peer's `offers` say less")
            }
        }
    }
}

/// The code of a refusal and, if there is one, its description.
fn reason(view: &Value) -> String {
    match view["description"].as_str() {
        Some(description) => format!("{} {description}", field(view, "status")),
        None => field(view, "status"),
    }
}

/// It went well, in the time from the question to this moment.
fn timed(layer: &'static str, what: &str, view: &Value, until: &str) -> Finding {
    let time = |field: &str| view[field].as_u64().unwrap_or_default();
    let millis = time(until).saturating_sub(time("asked"));
    let took = if millis < 1000 {
        format!("{millis} ms")
    } else {
        duration(millis)
    };
    let mut finding = finding(layer, Verdict::Ok, format!("{what} in {took}"), None);
    finding.millis = Some(millis);
    finding
}
