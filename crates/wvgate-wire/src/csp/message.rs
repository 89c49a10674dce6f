//! The message: `WV-CSP-Message` around the transactions of a session, or version discovery.

use super::discovery::{DiscoveryRequest, DiscoveryResponse};
use super::element::Element;
use super::fault::Unfit;
use super::grammar::Grammar;
use super::transaction::Transaction;
use super::typed::Content;
use super::version::{Scope, Version};
use super::{wbxml, xml};
use crate::imps::xml::{DecodeError, Limits, Malformed};

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As text.
    Xml,
    /// In tokens.
    Wbxml,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The version it is written in.
    pub version: Version,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Transactions.
    Session(Session),
    /// Asks for versions.
    DiscoveryRequest(DiscoveryRequest),
    /// Tells versions.
    DiscoveryResponse(DiscoveryResponse),
}

/// The transactions of a message, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session; `None` before there is one.
    pub id: Option<String>,
    /// In the order in which they stand; 1.3 has several if that was agreed.
    pub transactions: Vec<Transaction>,
    /// Whether more waits for the client; absent means no.
    pub poll: Option<bool>,
    /// Whether the channel by which the client is woken stands (from 1.2 on).
    pub cir: Option<bool>,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// It is not well-formed, beyond the limits, or no message of a version that is known. What is
    /// wrong inside a primitive is no error: it is read as [`super::Primitive::Unreadable`].
    pub fn read(bytes: &[u8], encoding: Encoding, limits: &Limits) -> Result<Self, Malformed> {
        let (named, root) = match encoding {
            Encoding::Xml => (None, xml::read(bytes, limits)?),
            Encoding::Wbxml => wbxml::read(bytes, limits)?,
        };
        Self::of(&root, named, limits)
    }

    /// The message that an element is; `named`: the version by another mark than its namespaces.
    fn of(root: &Element<'_>, named: Option<Version>, limits: &Limits) -> Result<Self, Malformed> {
        let fault = |_: DecodeError| Malformed::Envelope("it has no meaning in its place");
        match root.name {
            "WV-CSP-Message" => {
                let Some(session) = root.child("Session") else {
                    return Err(Malformed::Envelope("it has no Session"));
                };
                let version = version_of(root, session).or(named);
                Ok(Self {
                    version: version.ok_or(Malformed::Envelope("no version that is known"))?,
                    body: Body::Session(Session::read(session, limits)?),
                })
            }
            "WV-CSP-VersionDiscovery-Request" | "WV-CSP-NSDiscovery-Request" => Ok(Self {
                version: of_namespace(root).or(named).unwrap_or(Version::V1_3),
                body: Body::DiscoveryRequest(DiscoveryRequest::read(root).map_err(fault)?),
            }),
            "WV-CSP-VersionDiscovery-Response" | "WV-CSP-NSDiscovery-Response" => Ok(Self {
                version: of_namespace(root).or(named).unwrap_or(Version::V1_3),
                body: Body::DiscoveryResponse(DiscoveryResponse::read(root).map_err(fault)?),
            }),
            _ => Err(Malformed::Envelope("no WV-CSP-Message")),
        }
    }

    /// Writes the message.
    ///
    /// # Errors
    /// The version or the encoding has no form for it.
    pub fn write(&self, encoding: Encoding) -> Result<Vec<u8>, Unfit> {
        let root = self.element()?;
        match encoding {
            Encoding::Xml => xml::write(&root),
            Encoding::Wbxml => Ok(wbxml::write(&root, self.version)),
        }
    }

    /// The message as an element that keeps the grammar of its version.
    ///
    /// # Errors
    /// As [`Message::write`].
    pub fn element(&self) -> Result<Element<'_>, Unfit> {
        let version = self.version;
        let grammar = Grammar::of(version);
        let mut root = match &self.body {
            Body::Session(session) => {
                let session = session.element(version)?;
                Element::of("WV-CSP-Message", vec![session])
            }
            Body::DiscoveryRequest(request) => {
                request.element("WV-CSP-VersionDiscovery-Request", version)
            }
            Body::DiscoveryResponse(response) => {
                response.element("WV-CSP-VersionDiscovery-Response", version)
            }
        };
        root.namespace = Some(version.namespace(Scope::Message).into());
        // Who asks for versions need not know the one in which it asks.
        if grammar.has(root.name) {
            root.arrange(version);
            let checked = grammar.check(&root);
            checked.map_err(|breach| Unfit::Grammar { version, breach })?;
        }
        Ok(root)
    }
}

impl Session {
    /// The transactions of a session.
    pub fn new(id: Option<String>, transactions: Vec<Transaction>) -> Self {
        Self {
            id,
            transactions,
            poll: None,
            cir: None,
        }
    }

    fn read(element: &Element<'_>, limits: &Limits) -> Result<Self, Malformed> {
        let fault = |_: DecodeError| Malformed::Envelope("its session is not readable");
        let flag = |name| element.child(name).map(bool::read).transpose();
        let descriptor = element.child("SessionDescriptor");
        let id = descriptor.and_then(|d| d.child("SessionID"));
        let id = id.map(|id| id.text.as_ref()).filter(|id| !id.is_empty());
        let mut session = Self {
            id: id.map(str::to_owned),
            transactions: Vec::new(),
            poll: flag("Poll").map_err(fault)?,
            cir: flag("CIR").map_err(fault)?,
        };
        for child in element.named("Transaction") {
            if session.transactions.len() >= limits.transactions {
                return Err(Malformed::Count {
                    what: "transactions",
                    limit: limits.transactions,
                });
            }
            let (transaction, poll) = Transaction::read(child).map_err(fault)?;
            session.transactions.push(transaction);
            session.poll = session.poll.or(poll);
        }
        if session.transactions.is_empty() {
            return Err(Malformed::Envelope("it has no Transaction"));
        }
        Ok(session)
    }

    fn element(&self, version: Version) -> Result<Element<'_>, Unfit> {
        let (kind, id) = match &self.id {
            Some(id) => ("Inband", Some(Element::leaf("SessionID", id.as_str()))),
            None => ("Outband", None),
        };
        let kind = Element::leaf("SessionType", kind);
        let descriptor = [kind].into_iter().chain(id).collect();
        let mut children = vec![Element::of("SessionDescriptor", descriptor)];
        for transaction in &self.transactions {
            let name = transaction.primitive.name();
            let element = transaction.element(version, self.poll);
            let is_known = Grammar::of(version).has(name);
            children.push(element.filter(|_| is_known).ok_or_else(|| Unfit::Unknown {
                version,
                name: name.to_owned(),
            })?);
        }
        let flag = |name, truth: bool| Element::leaf(name, if truth { "T" } else { "F" });
        children.extend(self.poll.map(|poll| flag("Poll", poll)));
        children.extend(self.cir.map(|cir| flag("CIR", cir)));
        Ok(Element::of("Session", children))
    }
}

fn of_namespace(element: &Element<'_>) -> Option<Version> {
    Version::of_namespace(element.namespace.as_deref()?)
}

/// The version by the namespaces of a message: that of the message itself, else of what is in it.
fn version_of(root: &Element<'_>, session: &Element<'_>) -> Option<Version> {
    let transactions = session.named("Transaction");
    let contents = transactions.filter_map(|t| t.child("TransactionContent"));
    let outer = [root, session].into_iter();
    outer.chain(contents).find_map(of_namespace)
}
