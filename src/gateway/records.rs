//! What the gateway writes down, and under which keys.
//!
//! | key | what |
//! |---|---|
//! | `gateway/next` | numbers reserved |
//! | `gateway/out/N` | a stanza the XMPP server has not confirmed |
//! | `gateway/account/X` | contact, attribute, block and grant lists of the XMPP user X |
//! | `gateway/preference/X` | what the XMPP user X has chosen |
//! | `gateway/received/N` | a message from XMPP whose answer or report is awaited |
//! | `gateway/sent/N` | a message to XMPP whose outcome is awaited |
//! | `gateway/file/N` | a message to XMPP whose content becomes a file |
//! | `gateway/fetch/N` | a message from XMPP whose link is fetched |
//! | `gateway/list/N` | a message to contact lists of an XMPP user, until all on them have it |
//! | `gateway/invitation/N` | an invitation whose answer may come |
//! | `gateway/visit/W G` | the WV user W is in the room G of XMPP |
//! | `gateway/watch-wv/X W` | an XMPP user X watches W |
//! | `gateway/watch-xmpp/X W` | W watches an XMPP user X |

use serde::Deserialize;
use xmpp_parsers::jid::Jid;

use crate::imps::Address;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::xml::{Limits, Texts, parse};
use crate::store::Write;

/// Begins every key.
pub(super) const PREFIX: &str = "gateway/";
/// `gateway/out/`, 20 digits: key order is the order of sending.
pub(super) const OUT: &str = "gateway/out/";
/// Messages from XMPP.
pub(super) const RECEIVED: &str = "gateway/received/";
/// Messages to XMPP.
pub(super) const SENT: &str = "gateway/sent/";
/// Messages to XMPP that wait for their files.
pub(super) const FILE: &str = "gateway/file/";
/// Messages from XMPP whose links are fetched.
pub(super) const FETCH: &str = "gateway/fetch/";
/// Messages to contact lists of XMPP users.
pub(super) const LIST: &str = "gateway/list/";
/// What is kept for XMPP users.
pub(super) const ACCOUNT: &str = "gateway/account/";
/// What XMPP users have chosen.
pub(super) const PREFERENCE: &str = "gateway/preference/";
/// Invitations.
pub(super) const INVITATION: &str = "gateway/invitation/";
/// WV users in rooms of XMPP.
pub(super) const VISIT: &str = "gateway/visit/";
/// Subscriptions of XMPP users.
pub(super) const WATCH_WV: &str = "gateway/watch-wv/";
/// Subscriptions of WV users.
pub(super) const WATCH_XMPP: &str = "gateway/watch-xmpp/";

pub(super) fn out_key(number: u64) -> String {
    Write::numbered(OUT, number)
}

pub(super) fn received_key(number: u64) -> String {
    Write::numbered(RECEIVED, number)
}

pub(super) fn sent_key(number: u64) -> String {
    Write::numbered(SENT, number)
}

pub(super) fn file_key(number: u64) -> String {
    Write::numbered(FILE, number)
}

pub(super) fn fetch_key(number: u64) -> String {
    Write::numbered(FETCH, number)
}

pub(super) fn list_key(number: u64) -> String {
    Write::numbered(LIST, number)
}

pub(super) fn invitation_key(number: u64) -> String {
    Write::numbered(INVITATION, number)
}

/// One who watches and one who is watched; the XMPP one as bare JID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) xmpp: String,
    pub(super) wv: Address,
}

impl Pair {
    /// What stands before all pairs of an XMPP user, in their order.
    pub(super) fn first_of(xmpp: &str) -> Self {
        Self {
            xmpp: xmpp.to_owned(),
            wv: Address::new(""),
        }
    }

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

pub(super) fn visit_key(user: &Address, group: &Address) -> String {
    format!("{VISIT}{user} {group}")
}

/// A WV user in a room of XMPP.
pub(super) struct Member {
    pub(super) user: Address,
    pub(super) group: Address,
}

/// The user and the room at the end of a key. Addresses have no space.
pub(super) fn member_of(rest: &str) -> Result<Member, String> {
    let (user, group) = rest
        .split_once(' ')
        .ok_or_else(|| format!("\"{rest}\" names no room"))?;
    Ok(Member {
        user: Address::new(user),
        group: Address::new(group),
    })
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
pub(super) fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// As what was kept is read again: it was within bounds when it came.
const WIDE: Limits = Limits {
    texts: Texts::UNLIMITED,
    bytes: usize::MAX,
    ..Limits::STANDARD
};

/// A message as it stands in a record: as SSP writes it.
pub(super) fn message_of(text: &str) -> Result<Box<SendMessageRequest>, String> {
    let node = parse(text.as_bytes(), &WIDE).map_err(|error| error.to_string())?;
    match Primitive::read(&node).map_err(|error| error.to_string())? {
        Primitive::SendMessageRequest(request) => Ok(request),
        _ => Err("it is no message".to_owned()),
    }
}

/// The bare form of a JID in text form.
pub(super) fn bare(jid: &Jid) -> String {
    jid.to_bare().to_string()
}
