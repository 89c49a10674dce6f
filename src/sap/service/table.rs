//! The Service Table: what each peer offers, what was agreed in each direction,
//! and what the SAP has asked and not yet heard.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::tree::ServiceSet;
use crate::sap::Peer;
use crate::sap::element::Time;
use crate::ssp::primitive::service::GetServiceResponse;
use crate::store::Write;

/// Prefix of all agreements: `sap/agreement/<peer>/<direction>`.
pub const PREFIX: &str = "sap/agreement/";
/// What a peer said about its services holds for an hour: our choice.
const KNOWN_FOR: u64 = 3_600_000;
/// Domains remembered per peer, at most.
const MAX_DOMAINS: usize = 1024;
/// After a refused or unanswered negotiation the next one comes in an hour.
const RETRY: u64 = 3_600_000;

/// Who may use what was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The peer, here.
    Granted,
    /// We, at the peer.
    Obtained,
}

/// A service agreement; it covers one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The provider's id for it.
    pub id: String,
    /// What was agreed.
    pub functions: ServiceSet,
    /// Home domains whose requests will come, as the requestor said.
    pub served: Vec<String>,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub expires: Time,
}

impl Agreement {
    /// When a renewal is due: after nine tenths of its life.
    fn renew_at(&self) -> Time {
        let life = self.expires.since(self.since);
        self.since.plus_millis(life / 10 * 9)
    }
}

/// Where knowledge of a peer's services comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The peer said so.
    Discovered,
    /// Its dialect says so: such peers cannot be asked.
    Dialect,
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
    pub fn is_fresh(&self, now: Time) -> bool {
        now.since(self.at) < KNOWN_FOR
    }
}

/// A request of the SAP itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// `GetServiceRequest`.
    Discovery,
    /// `ServiceRequest` for functions we want.
    Agreement,
    /// `ServiceRequest` that only tells: a reduction, a cancellation.
    Told,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub what: What,
    pub until: Time,
}

/// One peer's part of the table.
#[derive(Debug, Default)]
struct Row {
    offered: BTreeMap<String, Offered>,
    granted: Option<Agreement>,
    obtained: Option<Agreement>,
    /// What we asked for when the agreement was reached.
    wanted: ServiceSet,
    /// No negotiation of ours before.
    not_before: Option<Time>,
}

/// The table.
#[derive(Debug, Default)]
pub(in crate::sap) struct ServiceTable {
    rows: BTreeMap<String, Row>,
    asked: HashMap<(String, String), Asked>,
}

/// A row of the Service Table as an operator sees it: one domain a peer serves or
/// reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceView {
    /// The peer: the next hop.
    pub peer: String,
    /// The domain, the peer's own or one behind it.
    pub domain: String,
    /// What the domain offers, in the fewest names of the service tree; `None`
    /// while that is not known.
    pub offers: Option<Vec<String>>,
    /// Who says so.
    pub source: Option<Source>,
    /// When it was said. Milliseconds since the epoch.
    pub seen: Option<Time>,
    /// What the peer may use here now, by agreement or by its record.
    pub usable: Vec<String>,
    /// What was agreed that the peer may use here.
    pub granted: Option<AgreementView>,
    /// What was agreed that we may use at the peer.
    pub obtained: Option<AgreementView>,
}

/// An agreement as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgreementView {
    /// Its id.
    pub id: String,
    /// What was agreed, in the fewest names.
    pub functions: Vec<String>,
    /// Home domains it was concluded for.
    pub served: Vec<String>,
    /// Milliseconds since the epoch.
    pub expires: Time,
}

impl From<&Agreement> for AgreementView {
    fn from(agreement: &Agreement) -> Self {
        Self {
            id: agreement.id.clone(),
            functions: agreement.functions.names(),
            served: agreement.served.clone(),
            expires: agreement.expires,
        }
    }
}

impl ServiceTable {
    /// Takes back an agreement written before a restart; `rest` is the key without
    /// [`PREFIX`].
    pub fn restore(&mut self, rest: &str, agreement: Agreement) -> Result<(), String> {
        let (peer, direction) = match rest.rsplit_once('/') {
            Some((peer, "granted")) => (peer, Direction::Granted),
            Some((peer, "obtained")) => (peer, Direction::Obtained),
            _ => return Err(format!("record {PREFIX}{rest} names no direction")),
        };
        // Another set may be wanted by now: what was asked for is found out anew.
        let row = self.row(peer);
        row.wanted = match direction {
            Direction::Obtained => agreement.functions,
            Direction::Granted => row.wanted,
        };
        *row.side(direction) = Some(agreement);
        Ok(())
    }

    /// The agreement in force.
    pub fn agreement(&self, peer: &str, direction: Direction, now: Time) -> Option<&Agreement> {
        let row = self.rows.get(peer)?;
        let agreement = match direction {
            Direction::Granted => row.granted.as_ref(),
            Direction::Obtained => row.obtained.as_ref(),
        };
        agreement.filter(|agreement| agreement.expires > now)
    }

    /// Concludes or changes an agreement.
    pub fn agree(&mut self, peer: &str, direction: Direction, agreement: Agreement) -> Write {
        let write = Write::put_json(key(peer, direction), &agreement);
        *self.row(peer).side(direction) = Some(agreement);
        write
    }

    /// Ends an agreement.
    pub fn end(&mut self, peer: &str, direction: Direction) -> Option<Write> {
        let ended = self.rows.get_mut(peer)?.side(direction).take();
        ended.map(|_| Write::delete(key(peer, direction)))
    }

    /// Ends agreements whose time is over.
    pub fn expire(&mut self, peer: &str, now: Time) -> Vec<Write> {
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
    pub fn is_negotiation_due(&self, peer: &str, wants: ServiceSet, now: Time) -> bool {
        let Some(row) = self.rows.get(peer) else {
            return !wants.is_empty();
        };
        if row.not_before.is_some_and(|at| at > now) {
            return false;
        }
        match &row.obtained {
            Some(agreement) => agreement.renew_at() <= now || row.wanted != wants,
            None => !wants.is_empty(),
        }
    }

    /// A negotiation begins; another one comes only after an hour, unless this one
    /// ends well.
    pub fn negotiating(&mut self, peer: &str, wants: ServiceSet, now: Time) {
        let row = self.row(peer);
        row.not_before = Some(now.plus_millis(RETRY));
        row.wanted = wants;
    }

    /// A negotiation ended well.
    pub fn settled(&mut self, peer: &str) {
        self.row(peer).not_before = None;
    }

    /// When something is to be done about the agreements with a peer.
    pub fn next_due(&self, peer: &str) -> Option<Time> {
        let row = self.rows.get(peer)?;
        let ends = row.granted.as_ref().map(|agreement| agreement.expires);
        let renewal = row.obtained.as_ref().map(Agreement::renew_at);
        // A renewal that failed is tried again later, or the agreement ends.
        let renewal = match (renewal, row.not_before) {
            (Some(renewal), Some(retry)) => Some(renewal.max(retry)),
            (renewal, retry) => renewal.or(retry),
        };
        let over = row.obtained.as_ref().map(|agreement| agreement.expires);
        [ends, renewal, over].into_iter().flatten().min()
    }

    /// What is known of a domain from a peer.
    pub fn offered(&self, peer: &str, domain: &str) -> Option<&Offered> {
        self.rows.get(peer)?.offered.get(domain)
    }

    /// Takes in what a peer says.
    pub fn learn(&mut self, peer: &str, response: &GetServiceResponse, now: Time) {
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
            row.offered.insert(domain.to_owned(), offered);
        }
    }

    pub(super) fn ask(&mut self, peer: &str, id: &str, asked: Asked) {
        let key = (peer.to_owned(), id.to_owned());
        self.asked.insert(key, asked);
    }

    pub(super) fn is_asking(&self, peer: &str, what: What, now: Time) -> bool {
        self.asked
            .iter()
            .any(|((to, _), asked)| to == peer && asked.what == what && asked.until > now)
    }

    pub(super) fn answered(&mut self, peer: &str, id: &str) -> Option<What> {
        if self.asked.is_empty() {
            return None;
        }
        let key = (peer.to_owned(), id.to_owned());
        self.asked.remove(&key).map(|asked| asked.what)
    }

    pub(super) fn forget_asked(&mut self, now: Time) {
        self.asked.retain(|_, asked| asked.until > now);
    }

    pub(super) fn views(&self, peer: &Peer, usable: &[String], now: Time) -> Vec<ServiceView> {
        let agreement = |direction| {
            self.agreement(&peer.domain, direction, now)
                .map(AgreementView::from)
        };
        let view = |domain: &str, offers, source, seen| ServiceView {
            peer: peer.domain.clone(),
            domain: domain.to_owned(),
            offers,
            source,
            seen,
            usable: usable.to_vec(),
            granted: agreement(Direction::Granted),
            obtained: agreement(Direction::Obtained),
        };
        let mut views = Vec::new();
        if self.offered(&peer.domain, &peer.domain).is_none() {
            let built_in = peer.dialect.service_set();
            let source = built_in.map(|_| Source::Dialect);
            views.push(view(
                &peer.domain,
                built_in.map(ServiceSet::names),
                source,
                None,
            ));
        }
        let row = self.rows.get(&peer.domain);
        for (domain, offered) in row.into_iter().flat_map(|row| &row.offered) {
            let names = Some(offered.functions.names());
            views.push(view(
                domain,
                names,
                Some(Source::Discovered),
                Some(offered.at),
            ));
        }
        views
    }

    fn row(&mut self, peer: &str) -> &mut Row {
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
