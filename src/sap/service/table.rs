//! The Service Table: what each peer offers, what was agreed in each direction,
//! and what the SAP has asked and not yet heard.
//!
//! Agreements are kept on disk. What a peer offers is not: it is asked again when
//! its session is restored, and it may have changed meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::element::Time;
use crate::imps::primitive::service::GetServiceResponse;
use crate::sap::settings::ServiceSet;
use crate::store::Write;

/// Prefix of all agreements: `sap/agreement/<peer>/<direction>`.
pub const PREFIX: &str = "sap/agreement/";
/// What a peer said about its services holds for an hour: our choice.
pub(super) const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// A peer is asked anew up to so much earlier, so that not all are asked at once.
pub(super) const SPREAD: Duration = Duration::from_secs(360);
/// Domains remembered per peer, at most.
const MAX_DOMAINS: usize = 1024;
/// After a refused or unanswered negotiation the next one comes in an hour.
const RETRY: Duration = Duration::from_secs(3_600);

/// Who may use what was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// What the peer may use here.
    Granted,
    /// What this node may use at the peer.
    Obtained,
}

/// A service agreement; it covers one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The provider's id for it.
    pub id: String,
    /// The functions that were agreed.
    pub functions: ServiceSet,
    /// Home domains whose requests will come, as the requestor said.
    pub served: Vec<String>,
    /// When it was agreed.
    pub since: Time,
    /// When it ends, unless it is renewed.
    pub expires: Time,
}

impl Agreement {
    /// When a renewal is due: after nine tenths of its life.
    pub fn renew_at(&self) -> Time {
        let life = self.expires.after(self.since);
        self.since.plus(life / 10 * 9)
    }
}

/// What one domain offers, as one peer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sap) struct Offered {
    pub functions: ServiceSet,
    /// Reached through the peer, not served by it.
    pub relay: bool,
    pub at: Time,
}

impl Offered {
    pub(crate) fn is_fresh(&self, now: Time) -> bool {
        now.after(self.at) < KNOWN_FOR
    }
}

/// How the last question to a peer about its services ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// When the peer said so.
    pub at: Time,
    /// Why nothing was learnt; `None` if something was.
    pub problem: Option<String>,
}

/// A request of the SAP itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// `GetServiceRequest` about the peer itself.
    Discovery,
    /// `GetServiceRequest` about a domain reached through it.
    About(u64),
    /// `ServiceRequest` for functions we want.
    Agreement,
    /// `ServiceRequest` that only tells: a reduction, a cancellation.
    Told,
    /// A question to see whether the peer answers.
    Probe(u64),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub what: What,
    pub until: Time,
}

/// One peer's part of the table, as other shards of this node know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known(Row);

/// One peer's part of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    offered: BTreeMap<String, Offered>,
    /// Functions answered 405 or 501, by the domain they were meant for, and since when.
    refused: BTreeMap<String, (ServiceSet, Time)>,
    /// When the peer is to be asked what it offers; `None`: it was not asked yet.
    refresh: Option<Time>,
    heard: Option<Heard>,
    granted: Option<Agreement>,
    obtained: Option<Agreement>,
    /// What we asked for when the agreement was reached.
    wanted: ServiceSet,
    /// No negotiation of ours before.
    not_before: Option<Time>,
}

/// The Service Table: offers of peers, and agreements with them.
#[derive(Debug, Default)]
pub(in crate::sap) struct ServiceTable {
    rows: BTreeMap<String, Row>,
    asked: HashMap<(String, String), Question>,
    /// The number in the id of the last agreement.
    last: u64,
    /// Peers of whom something else is known than other shards of this node were told.
    changed: BTreeSet<String>,
}

impl ServiceTable {
    /// A peer of whom something else is known than when this was last asked.
    pub(super) fn take_changed(&mut self) -> Option<String> {
        self.changed.pop_first()
    }

    /// What is known of a peer.
    pub(super) fn known(&self, peer: &str) -> Option<Known> {
        self.rows.get(peer).cloned().map(Known)
    }

    /// Takes in what another shard of this node, whose peer it is, knows of it.
    pub(super) fn told(&mut self, peer: String, known: Known) {
        self.rows.insert(peer, known.0);
    }

    /// Takes back an agreement written before a restart; `rest` is the key without
    /// [`PREFIX`].
    pub(crate) fn restore(&mut self, rest: &str, agreement: Agreement) -> Result<(), String> {
        let (peer, direction) = match rest.rsplit_once('/') {
            Some((peer, "granted")) => (peer, Direction::Granted),
            Some((peer, "obtained")) => (peer, Direction::Obtained),
            _ => return Err(format!("record {PREFIX}{rest} names no direction")),
        };
        let number = agreement.id.strip_prefix("agr-");
        let number = number.and_then(|rest| rest.split('@').next()?.parse().ok());
        self.last = self.last.max(number.unwrap_or_default());
        // Another set may be wanted by now: what was asked for is found out anew.
        let row = self.row(peer);
        row.wanted = match direction {
            Direction::Obtained => agreement.functions,
            Direction::Granted => row.wanted,
        };
        *row.side(direction) = Some(agreement);
        Ok(())
    }

    /// A number that no agreement has had, even before a restart.
    pub(crate) fn next_agreement(&mut self, now: Time) -> u64 {
        self.last = (self.last + 1).max(now.0 << 20);
        self.last
    }

    /// The agreement in force.
    pub(crate) fn agreement(
        &self,
        peer: &str,
        direction: Direction,
        now: Time,
    ) -> Option<&Agreement> {
        let row = self.rows.get(peer)?;
        let agreement = match direction {
            Direction::Granted => row.granted.as_ref(),
            Direction::Obtained => row.obtained.as_ref(),
        };
        agreement.filter(|agreement| agreement.expires > now)
    }

    /// Peers to whom something is granted.
    pub(crate) fn granted(&self) -> Vec<String> {
        let rows = self.rows.iter().filter(|(_, row)| row.granted.is_some());
        rows.map(|(peer, _)| peer.clone()).collect()
    }

    /// Concludes or changes an agreement.
    pub(crate) fn agree(
        &mut self,
        peer: &str,
        direction: Direction,
        agreement: Agreement,
    ) -> Write {
        let write = Write::put_json(key(peer, direction), &agreement);
        *self.row(peer).side(direction) = Some(agreement);
        write
    }

    /// Ends an agreement.
    pub(crate) fn end(&mut self, peer: &str, direction: Direction) -> Option<Write> {
        let ended = self.rows.get_mut(peer)?.side(direction).take();
        if ended.is_some() {
            self.changed.insert(peer.to_owned());
        }
        ended.map(|_| Write::delete(key(peer, direction)))
    }

    /// Ends agreements whose time is over.
    pub(crate) fn expire(&mut self, peer: &str, now: Time) -> Vec<Write> {
        let over = |agreement: &Option<Agreement>| {
            agreement
                .as_ref()
                .is_some_and(|agreement| agreement.expires <= now)
        };
        let Some(row) = self.rows.get(peer) else {
            return Vec::new();
        };
        let ended = [
            (over(&row.granted), Direction::Granted),
            (over(&row.obtained), Direction::Obtained),
        ];
        ended
            .into_iter()
            .filter(|(over, _)| *over)
            .filter_map(|(_, direction)| self.end(peer, direction))
            .collect()
    }

    /// Whether `wants` is to be negotiated now: not agreed yet, changed, or to be
    /// renewed.
    pub(crate) fn is_negotiation_due(&self, peer: &str, wants: ServiceSet, now: Time) -> bool {
        let Some(row) = self.rows.get(peer) else {
            return !wants.is_empty();
        };
        if row.wanted == wants && row.not_before.is_some_and(|at| at > now) {
            return false;
        }
        match &row.obtained {
            Some(agreement) => {
                agreement.renew_at() <= now
                    || row.wanted != wants
                    || !agreement.functions.includes(wants)
            }
            None => !wants.is_empty(),
        }
    }

    /// A negotiation begins; another one comes only after an hour, unless this one
    /// ends well.
    pub(crate) fn negotiating(&mut self, peer: &str, wants: ServiceSet, now: Time) {
        let row = self.row(peer);
        row.not_before = Some(now.plus(RETRY));
        row.wanted = wants;
    }

    /// A negotiation ended well.
    pub(crate) fn settled(&mut self, peer: &str) {
        self.row(peer).not_before = None;
    }

    /// When something is to be done about a peer. Nothing is asked without a session
    /// (`up`); when it comes up, what is due is done then.
    pub(crate) fn next_due(&self, peer: &str, up: bool) -> Option<Time> {
        let row = self.rows.get(peer)?;
        let ends = row.granted.as_ref().map(|agreement| agreement.expires);
        let is_part = |agreement: &&Agreement| !agreement.functions.includes(row.wanted);
        let renewal = row.obtained.as_ref().map(|agreement| {
            let part = row.not_before.filter(|_| is_part(&agreement));
            part.unwrap_or_else(|| agreement.renew_at())
        });
        // A renewal that failed is tried again later, or the agreement ends.
        let renewal = match (renewal, row.not_before) {
            (Some(renewal), Some(retry)) => Some(renewal.max(retry)),
            (renewal, retry) => renewal.or(retry),
        };
        let over = row.obtained.as_ref().map(|agreement| agreement.expires);
        let asked = [renewal, row.refresh].map(|at| at.filter(|_| up));
        [ends, over].into_iter().chain(asked).flatten().min()
    }

    /// What is known of a domain from a peer.
    pub(crate) fn offered(&self, peer: &str, domain: &str) -> Option<&Offered> {
        self.rows.get(peer)?.offered.get(domain)
    }

    /// All that a peer has told of, itself among it.
    pub(crate) fn told_by(&self, peer: &str) -> impl Iterator<Item = (&str, &Offered)> {
        let row = self.rows.get(peer).into_iter();
        row.flat_map(|row| &row.offered)
            .map(|(domain, offered)| (domain.as_str(), offered))
    }

    /// What of a domain's functions a peer has answered 405 lately.
    pub(crate) fn refused(&self, peer: &str, domain: &str, now: Time) -> ServiceSet {
        let refused = self.rows.get(peer).and_then(|row| row.refused.get(domain));
        refused.map_or(ServiceSet::NONE, |(functions, since)| {
            if now.after(*since) < KNOWN_FOR {
                *functions
            } else {
                ServiceSet::NONE
            }
        })
    }

    /// A peer has answered 405: the domain does not have these functions.
    pub(crate) fn refuse(&mut self, peer: &str, domain: &str, functions: ServiceSet, now: Time) {
        let before = self.refused(peer, domain, now);
        let row = self.row(peer);
        if let Some(offered) = row.offered.get_mut(domain) {
            offered.functions = offered.functions.difference(functions);
        }
        if row.refused.contains_key(domain) || row.refused.len() < MAX_DOMAINS {
            let refused = (before.union(functions), now);
            row.refused.insert(domain.to_owned(), refused);
        }
    }

    /// Whether a peer is to be asked what it offers.
    pub(crate) fn is_discovery_due(&self, peer: &str, now: Time) -> bool {
        let refresh = self.rows.get(peer).and_then(|row| row.refresh);
        refresh.is_none_or(|at| at <= now)
    }

    /// A peer is to be asked what it offers at this time.
    pub(crate) fn refresh_at(&mut self, peer: &str, at: Time) {
        self.row(peer).refresh = Some(at);
    }

    /// How the last question ended.
    pub(crate) fn heard(&self, peer: &str) -> Option<&Heard> {
        self.rows.get(peer)?.heard.as_ref()
    }

    /// A question ended.
    pub(crate) fn hear(&mut self, peer: &str, problem: Option<String>, now: Time) {
        self.row(peer).heard = Some(Heard { at: now, problem });
    }

    /// Until when nothing is negotiated.
    pub(crate) fn not_before(&self, peer: &str) -> Option<Time> {
        self.rows.get(peer)?.not_before
    }

    /// Takes in what a peer says of itself and of those behind it: what it does not
    /// mention any more is gone.
    pub(crate) fn learn_all(&mut self, peer: &str, response: &GetServiceResponse, now: Time) {
        self.row(peer).offered.clear();
        self.learn(peer, response, now);
    }

    /// Takes in what a peer says.
    pub(crate) fn learn(&mut self, peer: &str, response: &GetServiceResponse, now: Time) {
        let row = self.row(peer);
        for tree in &response.trees {
            let domain = tree.service.domain();
            let is_new = !row.offered.contains_key(domain);
            if domain.is_empty() || is_new && row.offered.len() >= MAX_DOMAINS {
                continue;
            }
            let Some(features) = &tree.features else {
                continue;
            };
            let offered = Offered {
                functions: ServiceSet::of_features(features),
                relay: tree.relay.unwrap_or(false),
                at: now,
            };
            // What it says now counts, whatever it did before.
            row.refused.remove(domain);
            row.offered.insert(domain.to_owned(), offered);
        }
    }

    pub(super) fn ask(&mut self, peer: &str, id: &str, asked: Question) {
        let key = (peer.to_owned(), id.to_owned());
        self.asked.insert(key, asked);
    }

    pub(super) fn is_asking(&self, peer: &str, what: What, now: Time) -> bool {
        self.asked
            .iter()
            .any(|((to, _), asked)| to == peer && asked.what == what && asked.until > now)
    }

    /// Whether an id is that of a question not answered yet.
    pub(in crate::sap) fn has_asked(&self, peer: &str, id: &str) -> bool {
        self.asked
            .keys()
            .any(|(to, asked)| to == peer && asked == id)
    }

    /// Takes the question an answer belongs to.
    pub(super) fn answered(&mut self, peer: &str, id: &str) -> Option<What> {
        if self.asked.is_empty() {
            return None;
        }
        let key = (peer.to_owned(), id.to_owned());
        self.asked.remove(&key).map(|asked| asked.what)
    }

    /// Gives up questions that were not answered in time.
    pub(super) fn forget_asked(&mut self, now: Time) {
        let mut silent = Vec::new();
        self.asked.retain(|(peer, _), asked| {
            let waits = asked.until > now;
            if !waits && asked.what == What::Discovery {
                silent.push(peer.clone());
            }
            waits
        });
        for peer in silent {
            self.hear(&peer, Some("no answer in time".to_owned()), now);
        }
    }

    fn row(&mut self, peer: &str) -> &mut Row {
        self.changed.insert(peer.to_owned());
        self.rows.entry(peer.to_owned()).or_default()
    }
}

impl Row {
    fn side(&mut self, direction: Direction) -> &mut Option<Agreement> {
        match direction {
            Direction::Granted => &mut self.granted,
            Direction::Obtained => &mut self.obtained,
        }
    }
}

fn key(peer: &str, direction: Direction) -> String {
    let direction = match direction {
        Direction::Granted => "granted",
        Direction::Obtained => "obtained",
    };
    format!("{PREFIX}{peer}/{direction}")
}
