//! The message: `WV-CSP-Message` around the transactions of a session, or version discovery.

use bytes::Bytes;

use super::discovery::{DiscoveryRequest, DiscoveryResponse};
use super::element::Element;
use super::fault::Unfit;
use super::grammar::Grammar;
use super::style::Style;
use super::transaction::Transaction;
use super::typed::Content;
use super::version::{Scope, Version};
use super::{wbxml, xml};
use crate::imps::xml::encoding::utf_8;
use crate::imps::xml::{DecodeError, Limits, Malformed};

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// XML 1.0, in the character set of the content type.
    Xml,
    /// WAP binary XML, with the token table of the version.
    Wbxml,
}

/// A `WV-CSP-Message`: the body of one POST or of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The version it is written in.
    pub version: Version,
    /// A session's transactions, or versions.
    pub body: Body,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Transactions of a session, or of a client that has none yet.
    Session(Session),
    /// Asks for versions.
    DiscoveryRequest(DiscoveryRequest),
    /// The versions that the server speaks, for a client that asked.
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
        if bytes.len() > limits.bytes {
            return Err(Malformed::Size(limits.bytes));
        }
        match encoding {
            Encoding::Xml => {
                // In whatever encoding the text declares.
                let text = utf_8(&Bytes::copy_from_slice(bytes))?;
                Self::of(&xml::read(&text, limits)?, None, limits)
            }
            Encoding::Wbxml => {
                let (named, root) = wbxml::read(bytes, limits)?;
                Self::of(&root, named, limits)
            }
        }
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
        self.write_in(encoding, &Style::default())
    }

    /// Writes the message for a client that reads only another form of some elements.
    ///
    /// # Errors
    /// As [`Message::write`].
    pub fn write_in(&self, encoding: Encoding, style: &Style) -> Result<Vec<u8>, Unfit> {
        let mut root = self.element()?;
        style.apply(&mut root);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csp::{Mode, Primitive};
    use crate::imps::Status;

    fn read(xml: &str) -> Result<Message, Malformed> {
        Message::read(xml.as_bytes(), Encoding::Xml, &Limits::STANDARD)
    }

    fn session(message: Message) -> Session {
        match message.body {
            Body::Session(session) => session,
            other => panic!("{other:?}"),
        }
    }

    const POLL: &str = "<TransactionContent><Polling-Request/></TransactionContent>";

    #[test]
    fn a_message_is_read_whatever_the_order_and_the_prefix() {
        let message = read(&format!(
            "<?xml version='1.0' encoding='ISO-8859-1'?><!DOCTYPE x SYSTEM 'y'>\
             <c:WV-CSP-Message xmlns:c='http://www.wireless-village.org/CSP1.1' \
             xmlns:xsd='http://www.w3.org/2001/XMLSchema'><Session><Vendor><Deep>x</Deep></Vendor>\
             <Transaction>{POLL}<TransactionDescriptor><Poll>T</Poll><TransactionMode>Request\
             </TransactionMode></TransactionDescriptor></Transaction><SessionDescriptor>\
             <SessionID> s-1 </SessionID><SessionType>Inband</SessionType></SessionDescriptor>\
             </Session></c:WV-CSP-Message>"
        ));
        let message = message.unwrap();
        assert_eq!(message.version, Version::V1_1);
        let session = session(message);
        assert_eq!(
            (session.id.as_deref(), session.poll),
            (Some("s-1"), Some(true))
        );
        let transaction = &session.transactions[0];
        assert_eq!((transaction.mode, &transaction.id), (Mode::Request, &None));
        assert_eq!(transaction.primitive.name(), "Polling-Request");
    }

    #[test]
    fn the_version_may_stand_on_the_content_alone() {
        let namespace = "xmlns='http://www.openmobilealliance.org/DTD/WV-TRC1.2'";
        let content = POLL.replacen("Content>", &format!("Content {namespace}>"), 1);
        let message = read(&format!(
            "<WV-CSP-Message><Session><Transaction>{content}</Transaction></Session></WV-CSP-Message>"
        ));
        assert_eq!(message.unwrap().version, Version::V1_2);
    }

    #[test]
    fn what_is_no_message_of_a_known_version_is_refused() {
        let root = "<WV-CSP-Message xmlns='http://www.wireless-village.org/CSP1.1'>";
        for (xml, size) in [
            (format!("{root}</WV-CSP-Message>"), false),
            (format!("{root}<Session/></WV-CSP-Message>"), false),
            (
                format!(
                    "<WV-CSP-Message><Session><Transaction>{POLL}</Transaction></Session></WV-CSP-Message>"
                ),
                false,
            ),
            ("<WV-SSP-Message/>".to_owned(), false),
            (" ".repeat(Limits::STANDARD.bytes + 1), true),
        ] {
            let fault = read(&xml).unwrap_err();
            assert_eq!(fault.is_size(), size, "{fault}");
        }
        let many = format!("<Transaction>{POLL}</Transaction>").repeat(257);
        let fault = read(&format!("{root}<Session>{many}</Session></WV-CSP-Message>"));
        assert!(matches!(
            fault,
            Err(Malformed::Count {
                what: "transactions",
                ..
            })
        ));
    }

    #[test]
    fn an_id_is_bounded_whatever_stands_in_it() {
        for inside in ["", "<Odd/>", "<CancelAuth-Request/>"] {
            let of = |length| {
                let id = format!("s{inside}{}", "x".repeat(length - 1));
                read(&format!(
                    "<WV-CSP-Message xmlns='http://www.wireless-village.org/CSP1.1'><Session>\
                     <SessionDescriptor><SessionID>{id}</SessionID></SessionDescriptor>\
                     <Transaction>{POLL}</Transaction></Session></WV-CSP-Message>"
                ))
            };
            let most = Limits::STANDARD.texts.id;
            assert!(of(most).is_ok(), "{inside}");
            let fault = of(most + 1).unwrap_err();
            assert!(
                matches!(fault, Malformed::Long { what: "an id", limit } if limit == most),
                "{inside}: {fault}"
            );
        }
    }

    #[test]
    fn a_primitive_that_lacks_something_does_not_hide_its_transaction() {
        let message = read(
            "<WV-CSP-Message xmlns='http://www.openmobilealliance.org/DTD/IMPS-CSP1.3'><Session>\
             <Transaction><TransactionDescriptor><TransactionID>7</TransactionID>\
             </TransactionDescriptor><TransactionContent><GetMessage-Request/></TransactionContent>\
             </Transaction><Transaction><TransactionContent><Odd/></TransactionContent></Transaction>\
             </Session></WV-CSP-Message>",
        );
        let session = session(message.unwrap());
        assert_eq!(session.transactions[0].id.as_deref(), Some("7"));
        assert!(matches!(
            session.transactions[0].primitive,
            Primitive::Unreadable(_)
        ));
        assert_eq!(
            session.transactions[1].primitive,
            Primitive::Unknown("Odd".into())
        );
    }

    #[test]
    fn the_flag_that_more_waits_stands_where_the_version_has_it() {
        for version in Version::ALL {
            let status = Primitive::status(Status::ok());
            let transaction = Transaction::new(Mode::Response, "1", status);
            let message = Message {
                version,
                body: Body::Session(Session {
                    poll: Some(true),
                    ..Session::new(Some("s".into()), vec![transaction])
                }),
            };
            let root = message.element().unwrap();
            let outside = root.children[0].child("Poll").is_some();
            assert_eq!(outside, version > Version::V1_1);
            for encoding in [Encoding::Xml, Encoding::Wbxml] {
                let bytes = message.write(encoding).unwrap();
                let back = Message::read(&bytes, encoding, &Limits::STANDARD);
                assert_eq!(back, Ok(message.clone()));
            }
        }
    }

    #[test]
    fn versions_are_discovered_without_a_session() {
        for name in [
            "WV-CSP-VersionDiscovery-Request",
            "WV-CSP-NSDiscovery-Request",
        ] {
            let message = read(&format!(
                "<{name}><VersionList><SessionNSName>http://www.wireless-village.org/CSP1.1\
                 </SessionNSName></VersionList></{name}>"
            ));
            let message = message.unwrap();
            let Body::DiscoveryRequest(request) = &message.body else {
                panic!("{message:?}");
            };
            assert_eq!(request.versions.as_ref().unwrap().sessions.len(), 1);
            for encoding in [Encoding::Xml, Encoding::Wbxml] {
                let bytes = message.write(encoding).unwrap();
                let back = Message::read(&bytes, encoding, &Limits::STANDARD);
                assert_eq!(back, Ok(message.clone()));
            }
        }
    }
}
