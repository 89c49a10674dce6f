//! What the gateway writes down, and under which keys.
//!
//! | key | what |
//! |---|---|
//! | `gateway/next` | numbers reserved |
//! | `gateway/out/N` | a stanza the XMPP server has not confirmed |
//! | `gateway/received/N` | a message from XMPP whose answer or report is awaited |
//! | `gateway/sent/N` | a message to XMPP whose outcome is awaited |
//! | `gateway/watch-wv/X W` | an XMPP user X watches W |
//! | `gateway/watch-xmpp/X W` | W watches an XMPP user X |

use serde::{Deserialize, Serialize};

use crate::sap::{RequestId, Time};
use crate::ssp::Address;

/// `gateway/out/`, 20 digits: key order is the order of sending.
pub(super) const OUT: &str = "gateway/out/";
/// Messages from XMPP.
pub(super) const RECEIVED: &str = "gateway/received/";
/// Messages to XMPP.
pub(super) const SENT: &str = "gateway/sent/";
/// Subscriptions of XMPP users.
pub(super) const WATCH_WV: &str = "gateway/watch-wv/";
/// Subscriptions of WV users.
pub(super) const WATCH_XMPP: &str = "gateway/watch-xmpp/";

pub(super) fn out_key(number: u64) -> String {
    format!("{OUT}{number:020}")
}

pub(super) fn received_key(number: u64) -> String {
    format!("{RECEIVED}{number:020}")
}

pub(super) fn sent_key(number: u64) -> String {
    format!("{SENT}{number:020}")
}

/// One who watches and one who is watched; the XMPP one as bare JID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) xmpp: String,
    pub(super) wv: Address,
}

impl Pair {
    /// What it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.xmpp.len() + self.wv.as_str().len()
    }

    pub(super) fn wv_key(&self) -> String {
        format!("{WATCH_WV}{} {}", self.xmpp, self.wv)
    }

    pub(super) fn xmpp_key(&self) -> String {
        format!("{WATCH_XMPP}{} {}", self.xmpp, self.wv)
    }
}

/// A stanza the server has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) component: String,
    pub(super) stanza: String,
    /// The message in `gateway/sent/` it belongs to.
    pub(super) message: Option<u64>,
    /// Of no use after this.
    pub(super) until: Time,
}

/// A message to XMPP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    /// To answer; `None` when answered.
    pub(super) request: Option<RequestId>,
    /// When the answer must be given.
    pub(super) answer_by: Time,
    pub(super) message_id: String,
    pub(super) stanza_id: String,
    pub(super) sender: Address,
    /// Whether delivery reports are wanted.
    pub(super) report: bool,
    pub(super) until: Time,
    /// 0 full, 1 plain text, 2 reference.
    pub(super) form: u8,
    /// Seconds since 1970.
    pub(super) date_time: Option<i64>,
    pub(super) content_type: Option<String>,
    pub(super) content_size: Option<u64>,
    pub(super) targets: Vec<Target>,
    /// Recipients refused at once, each with a code.
    pub(super) refused: Vec<(u16, Address)>,
    /// Whether the outcome was told.
    pub(super) concluded: bool,
}

impl Sent {
    /// What it takes, roughly; the same as long as it is kept.
    pub(super) fn bytes(&self) -> usize {
        let content_type = self.content_type.as_ref().map_or(0, String::len);
        let own = self.message_id.len() + self.stanza_id.len() + content_type;
        let targets = self.targets.iter().map(|target| {
            // The bare JID stands in the index too.
            let client = target.client.as_ref().map_or(0, String::len);
            size_of::<Target>() + target.address.as_str().len() + client + 2 * target.jid.len()
        });
        let refused = self.refused.iter().map(|(_, who)| who.as_str().len());
        size_of::<Self>() + own + targets.sum::<usize>() + refused.sum::<usize>()
    }
}

/// One recipient of a message to XMPP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) address: Address,
    pub(super) client: Option<String>,
    /// Bare JID.
    pub(super) jid: String,
    /// Number of its stanza in the outbox.
    pub(super) out: u64,
    pub(super) state: TargetState,
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TargetState {
    /// In the outbox.
    Waiting,
    /// The server has it since.
    Confirmed(Time),
    /// The recipient's client has it.
    Received,
    /// It came back.
    Failed(u16),
    /// Nothing more to tell.
    Done,
}

/// A message from XMPP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Received {
    /// Its id in SSP.
    pub(super) message_id: String,
    /// Its id in XMPP, if it had one.
    pub(super) stanza_id: Option<String>,
    /// Full JID.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) component: String,
    /// Whether a report is awaited.
    pub(super) report: bool,
    pub(super) groupchat: bool,
    pub(super) answered: bool,
    pub(super) until: Time,
}

impl Received {
    /// What it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let id = self.stanza_id.as_ref().map_or(0, String::len);
        self.from.len() + self.to.len() + id
    }
}

/// A subscription of an XMPP user to a WV user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WatchWvRecord {
    pub(super) active: bool,
    /// Whether the watcher was told `subscribed`.
    pub(super) told: bool,
    pub(super) since: Time,
}

/// A subscription of a WV user to an XMPP user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WatchXmppRecord {
    pub(super) active: bool,
    /// Names of the attributes wanted; none means all.
    pub(super) requested: Vec<String>,
}

/// The number at the end of a key.
pub(super) fn number_of(rest: &str) -> Result<u64, String> {
    rest.parse().map_err(|_| format!("\"{rest}\" is no number"))
}

/// The pair at the end of a key. A bare JID has no space.
pub(super) fn pair_of(rest: &str) -> Result<Pair, String> {
    let (xmpp, wv) = rest
        .split_once(' ')
        .ok_or_else(|| format!("\"{rest}\" names no pair"))?;
    Ok(Pair {
        xmpp: xmpp.to_owned(),
        wv: Address::new(wv),
    })
}

/// A record's value.
pub(super) fn value<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}
