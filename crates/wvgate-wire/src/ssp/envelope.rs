//! The message envelope (wire profile, 5): `WV-SSP-Message` holding a
//! `SetupTransaction`, or a `Session` of one or more `Transaction`s.
//!
//! [`scan`] reads the envelope in one pass. The primitive inside a transaction
//! stays a slice of the body, checked for form and limits, with just the
//! addresses noted that a relay needs ([`Peek`]); [`Transaction::primitive`]
//! decodes it where somebody has to look inside.

#[cfg(test)]
mod tests;

use crate::imps::address::{Address, Kind};
use crate::imps::primitive::{self, AnyName, Place, Primitive};
use crate::imps::xml::tokens::MAX_DEPTH;
use crate::imps::xml::{
    self, DecodeError, Forms, Limits, Malformed, Names, Node, Style, Texts, Writer,
};
use bytes::Bytes;

mod glance;
mod scan;

pub use scan::{scan, scan_lenient, scan_of_peers};

/// The namespace of version 1.3 as the deployed server writes it; our default.
pub const NAMESPACE: &str = "http://www.openmobilealliance.org/DTD/WV-SSP1.3";

/// Which way a transaction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Mode {
    /// A request, or a notice.
    Request,
    /// An answer. Also what an absent or unknown mode means.
    Response,
}

impl Mode {
    /// Compared without regard to case; anything but "Request" is a response.
    pub fn read(text: &str) -> Self {
        if text.trim().eq_ignore_ascii_case("request") {
            Self::Request
        } else {
            Self::Response
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::Response => "Response",
        }
    }
}

/// A `WV-SSP-Message`: the body of one POST.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant)] // taken apart at once, never stored
pub enum Message {
    /// Before a session exists.
    Setup(Transaction),
    /// Everything afterwards.
    Session(Session),
}

/// The content of a session's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The sender's own session id.
    pub session: String,
    /// In order of execution. Those without id or content were skipped.
    pub transactions: Vec<Transaction>,
}

/// One transaction, its primitive still in XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Whether it asks or answers.
    pub mode: Mode,
    /// Chosen by the requestor, echoed verbatim.
    pub id: String,
    /// The primitive's element name as this crate spells it, or as it came if unknown.
    pub name: AnyName,
    /// The primitive as XML that stands on its own.
    pub raw: Bytes,
    /// What routing needs to know.
    pub peek: Peek,
    /// Domains the transaction has passed, separated by spaces: an extension of
    /// ours that keeps relays from running in circles.
    pub via: Option<String>,
}

/// Addresses found on the way through a primitive: those that the typed
/// primitive holds, so where an element may stand once the first one counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peek {
    /// Domain of `MetaInfo/Requestor@serviceID`.
    pub service: Option<Address>,
    /// `MetaInfo/Requestor/User@userID`.
    pub user: Option<Address>,
    /// `MetaInfo@clientOriginated` is No.
    pub by_server: bool,
    /// `@groupID` of the primitive.
    pub group: Option<Address>,
    /// `@userID` of the primitive.
    pub subject: Option<Address>,
    /// `@serviceID` of the primitive.
    pub about: Option<Address>,
    /// `@deliveryReport` of the primitive is Yes.
    pub report: bool,
    /// `@messageID` of the primitive is there and not empty.
    pub names_message: bool,
    /// A `Status` stands directly in the primitive.
    pub has_status: bool,
    /// Users and lists standing directly in the primitive.
    pub users: Vec<Address>,
    /// To whom the primitive goes: below `Recipient`, `Invited`, `Canceled`, `IDList`, and in an
    /// `InviteResponse` below `Inviting`.
    pub recipients: Vec<Address>,
    /// `MessageInfo/Sender/User@userID`.
    pub sender: Option<Address>,
    /// Users whose presence is told: `PresenceValue@userID`.
    pub publishers: Vec<Address>,
    /// `MessageInfo@messageID`.
    pub message_id: Option<String>,
    /// `MessageInfo@validity`, seconds.
    pub validity: Option<u64>,
    /// All addresses that the sender must be entitled to name.
    pub claims: Vec<Claim>,
}

/// An address in a place where it does something; see [`Place`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Where in the primitive the address stands.
    pub place: &'static Place,
    /// The address that stands there.
    pub address: Address,
}

impl Peek {
    /// What is to be known of a primitive of this node. It is printed only where what is written
    /// may be read as something else.
    pub fn of(primitive: &Primitive) -> Self {
        let printed = || Transaction::new(Mode::Request, "", primitive).peek;
        glance::look(primitive).unwrap_or_else(printed)
    }

    /// The first address noted that is none, of those who ask, send, publish, or are the
    /// subject; and which rule it breaks. Those who are addressed are judged one by one.
    pub fn ill_formed(&self) -> Option<(&Address, &'static str)> {
        let asking = self.user.as_ref().filter(|_| !self.by_server);
        let mut asking = asking.into_iter().chain(&self.sender);
        if let Some(nobody) = asking.find(|address| address.kind() == Kind::Service) {
            return Some((nobody, "it names nobody"));
        }
        let users = [&self.user, &self.sender, &self.subject, &self.group];
        let users = users.into_iter().flatten().chain(&self.publishers);
        let services = [&self.service, &self.about].into_iter().flatten();
        let claims = self.claims.iter().map(|claim| &claim.address);
        let claims = claims.filter(|address| address.kind() != Kind::Service);
        users
            .chain(claims)
            // One without a domain is that of the peer (quirk A-8).
            .chain(services.filter(|service| !matches!(service.bare(), "" | "@")))
            .find_map(|address| Some((address, address.fault_in_context()?)))
    }
}

impl Transaction {
    /// A transaction around a typed primitive.
    pub fn new(mode: Mode, id: impl Into<String>, primitive: &Primitive) -> Self {
        let (xml, peek) = glance::print(primitive);
        let raw = Bytes::from(xml);
        let read = || scan::fragment(&raw, &STANDING_ALONE).unwrap_or_default();
        let peek = peek.unwrap_or_else(read);
        Self {
            mode,
            id: id.into(),
            name: primitive.any_name(),
            raw,
            peek,
            via: None,
        }
    }

    /// A transaction around a primitive that was scanned before and kept.
    ///
    /// # Errors
    /// It is no primitive any more.
    pub fn kept(
        mode: Mode,
        id: String,
        name: AnyName,
        raw: Bytes,
        via: Option<String>,
    ) -> Result<Self, Malformed> {
        Ok(Self {
            mode,
            id,
            name,
            peek: scan::fragment(&raw, &STANDING_ALONE)?,
            raw,
            via,
        })
    }

    /// The typed primitive.
    ///
    /// # Errors
    /// Something required is missing or unusable: status 400.
    pub fn primitive(&self) -> Result<Primitive, DecodeError> {
        decode_fragment(&self.raw)
    }

    /// The same with the profile's names and forms, from a peer that uses others; `None` if it
    /// used none of them.
    ///
    /// # Errors
    /// With the profile's names it has something twice that may stand once.
    pub fn renamed(&self, names: &Names, forms: &Forms) -> Result<Option<Self>, Malformed> {
        if !names.may_occur(&self.raw) && !forms.may_occur(&self.raw) {
            return Ok(None);
        }
        let mut node = xml::parse(&self.raw, &STANDING_ALONE)?;
        names.read(&mut node);
        forms.read(&mut node);
        let mut out = Writer::new();
        node.write(&mut out);
        let raw = Bytes::from(out.finish());
        Ok(Some(Self {
            mode: self.mode,
            id: self.id.clone(),
            name: AnyName::new(node.name),
            peek: scan::fragment(&raw, &STANDING_ALONE)?,
            raw,
            via: self.via.clone(),
        }))
    }

    /// The same with `domain` wherever an address that speaks has none: it belongs to
    /// whose primitive it is.
    pub fn completed(&self, domain: &str) -> Option<Self> {
        let mut node = xml::parse(&self.raw, &STANDING_ALONE).ok()?;
        let places: Vec<_> = primitive::speaking(&self.name).collect();
        complete(&mut node, &mut Vec::new(), &places, domain);
        let mut out = Writer::new();
        node.write(&mut out);
        let raw = Bytes::from(out.finish());
        Some(Self {
            peek: scan::fragment(&raw, &STANDING_ALONE).ok()?,
            raw,
            ..self.clone()
        })
    }
}

/// Puts `domain` where an address that speaks has none (quirk A-8).
fn complete(node: &mut Node<'_>, path: &mut Vec<String>, places: &[&Place], domain: &str) {
    let at: Vec<&str> = path.iter().map(String::as_str).collect();
    for place in places.iter().filter(|place| place.is_at(&at)) {
        let mut attributes = node.attributes.iter_mut();
        let Some((name, value)) = attributes.find(|(name, _)| *name == place.attribute) else {
            continue;
        };
        let address = Address::new(value);
        let bare = address.bare();
        let completed = match bare.strip_suffix('@').unwrap_or(bare) {
            "" if *name == "serviceID" => Address::service(domain),
            // A user without a name is nobody, in whatever domain.
            "" => continue,
            bare => Address::new(bare).or_domain(domain),
        };
        *value = completed.as_str().to_owned().into();
    }
    for child in &mut node.children {
        path.push(child.name.to_owned());
        complete(child, path, places, domain);
        path.pop();
    }
}

/// Limits of a fragment: it was bounded when it was scanned, or is our own.
const STANDING_ALONE: Limits = Limits {
    depth: MAX_DEPTH,
    elements: usize::MAX,
    attributes: usize::MAX,
    bytes: usize::MAX,
    transactions: usize::MAX,
    entries: usize::MAX,
    texts: Texts::UNLIMITED,
};

/// Decodes a fragment that has passed [`scan`] before.
///
/// # Errors
/// As [`Transaction::primitive`].
pub fn decode_fragment(raw: &[u8]) -> Result<Primitive, DecodeError> {
    let node = xml::parse(raw, &STANDING_ALONE).map_err(|_| DecodeError::Invalid {
        element: "Transaction",
        what: "content",
    })?;
    Primitive::read(&node)
}

/// Prints a primitive in a peer's style, and where the peer builds something otherwise, so.
pub fn print_primitive(primitive: &Primitive, style: &Style, forms: &Forms) -> String {
    if forms.is_empty() {
        return primitive.to_xml(Some(style));
    }
    let ours = primitive.to_xml(None);
    let concerned = forms.may_occur(ours.as_bytes());
    let node = concerned.then(|| xml::parse(ours.as_bytes(), &STANDING_ALONE).ok());
    let Some(mut node) = node.flatten() else {
        return primitive.to_xml(Some(style));
    };
    forms.write(&mut node);
    let mut out = Writer::styled(style);
    node.write(&mut out);
    out.finish()
}

/// Prints a message of one or more transactions for `session`.
pub fn print_session<'t>(
    namespace: &str,
    session: &str,
    transactions: impl IntoIterator<Item = (Mode, &'t str, &'t str)>,
) -> String {
    let mut out = Writer::document();
    out.element("WV-SSP-Message", |out| {
        out.attribute("WV-SSP-Message", "xmlns", namespace);
        out.element("Session", |out| {
            out.attribute("Session", "sessionID", session);
            for (mode, id, raw) in transactions {
                out.element("Transaction", |out| {
                    transaction(out, "Transaction", mode, id, raw);
                });
            }
        });
    });
    out.finish()
}

/// Prints a setup message.
pub fn print_setup(namespace: &str, mode: Mode, id: &str, raw: &str) -> String {
    print_styled_setup(&Style::default(), namespace, mode, id, raw)
}

/// Prints a setup message in a peer's style.
pub fn print_styled_setup(
    style: &Style,
    namespace: &str,
    mode: Mode,
    id: &str,
    raw: &str,
) -> String {
    let mut out = Writer::styled_document(style);
    out.element("WV-SSP-Message", |out| {
        out.attribute("WV-SSP-Message", "xmlns", namespace);
        out.element("SetupTransaction", |out| {
            transaction(out, "SetupTransaction", mode, id, raw);
        });
    });
    out.finish()
}

/// The bytes that [`print_session`] adds around one fragment, at most; used to
/// bound a batch before it is printed.
pub const TRANSACTION_OVERHEAD: usize = 80;

fn transaction(out: &mut Writer<'_>, element: &str, mode: Mode, id: &str, raw: &str) {
    out.attribute(element, "mode", mode.as_str());
    out.attribute(element, "transactionID", id);
    out.raw(raw);
}
