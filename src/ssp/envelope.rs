//! The message envelope (wire profile, section 5): `WV-SSP-Message` holding a
//! `SetupTransaction`, or a `Session` of one or more `Transaction`s.
//!
//! [`scan`] reads the envelope in one pass. The primitive inside a transaction
//! stays a slice of the body, checked for form and limits, with just the
//! addresses noted that a relay needs ([`Peek`]); [`Transaction::primitive`]
//! decodes it where somebody has to look inside.

use std::borrow::Cow;

use bytes::Bytes;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::address::Address;
use super::primitive::{self, Primitive};
use super::xml::reader::{self, Limits, Malformed, Node};
use super::xml::{DecodeError, Writer};

/// The namespace of version 1.3 as the deployed server writes it; our default.
pub const NAMESPACE: &str = "http://www.openmobilealliance.org/DTD/WV-SSP1.3";

/// Which way a transaction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Mode {
    /// Asks.
    Request,
    /// Answers. Also what an absent or unknown mode means.
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

    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::Response => "Response",
        }
    }
}

/// One SSP message.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Which way.
    pub mode: Mode,
    /// Chosen by the requestor, echoed verbatim.
    pub id: String,
    /// The primitive's element name as this crate spells it, or as it came if unknown.
    pub name: Cow<'static, str>,
    /// The primitive as XML that stands on its own.
    pub raw: Bytes,
    /// What routing needs to know.
    pub peek: Peek,
    /// Domains the transaction has passed, separated by spaces: an extension of
    /// ours that keeps relays from running in circles.
    pub via: Option<String>,
}

/// Addresses found on the way through a primitive.
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
    /// Users and lists standing directly in the primitive.
    pub users: Vec<Address>,
    /// Below `Recipient`, `Invited`, `Canceled`, `Inviting`, `IDList`.
    pub recipients: Vec<Address>,
    /// `MessageInfo/Sender/User@userID`.
    pub sender: Option<Address>,
    /// Users whose presence is told: `PresenceValue@userID`.
    pub publishers: Vec<Address>,
    /// `MessageInfo@messageID`.
    pub message_id: Option<String>,
    /// `MessageInfo@validity`, seconds.
    pub validity: Option<u64>,
}

impl Transaction {
    /// A transaction around a typed primitive.
    pub fn new(mode: Mode, id: impl Into<String>, primitive: &Primitive) -> Self {
        let raw = primitive.to_xml(None);
        let peek = scan_fragment(&raw).unwrap_or_default();
        Self {
            mode,
            id: id.into(),
            name: primitive.name().to_owned().into(),
            raw: raw.into(),
            peek,
            via: None,
        }
    }

    /// The typed primitive.
    ///
    /// # Errors
    /// Something required is missing or unusable: status 400.
    pub fn primitive(&self) -> Result<Primitive, DecodeError> {
        decode_fragment(&self.raw)
    }
}

/// Decodes a fragment that has passed [`scan`] before.
///
/// # Errors
/// As [`Transaction::primitive`].
pub fn decode_fragment(raw: &[u8]) -> Result<Primitive, DecodeError> {
    let limits = Limits {
        depth: 64,
        ..Limits::default()
    };
    let node = reader::parse(raw, &limits).map_err(|_| DecodeError::Invalid {
        element: "Transaction",
        what: "content",
    })?;
    Primitive::read(&node)
}

/// Reads an envelope.
///
/// # Errors
/// The body is not XML within `limits`, or not an SSP envelope: HTTP 400 or 413.
pub fn scan(body: &Bytes, limits: &Limits) -> Result<Message, Malformed> {
    let text = reader::decode(body, limits)?;
    let mut scanner = Scanner {
        text,
        body,
        limits,
        reader: reader::reader(text),
        elements: 0,
    };
    let root = scanner.open_root()?;
    if !reader::local(&root).eq_ignore_ascii_case("WV-SSP-Message") {
        return Err(Malformed::Envelope("the root is not WV-SSP-Message"));
    }
    let Some((child, empty)) = scanner.open_child()? else {
        return Err(Malformed::Envelope("WV-SSP-Message is empty"));
    };
    let name = reader::local(child.name().as_ref()).to_ascii_lowercase();
    let message = match name.as_str() {
        "setuptransaction" => scanner.transaction(&child, empty)?.map(Message::Setup),
        "session" => scanner.session(&child, empty)?.map(Message::Session),
        _ => None,
    };
    let Some(message) = message else {
        return Err(Malformed::Envelope(
            "neither a SetupTransaction nor a Session with content",
        ));
    };
    scanner.rest(1)?;
    Ok(message)
}

/// What [`scan`] would note about a fragment that stands alone.
pub(crate) fn scan_fragment(raw: &str) -> Option<Peek> {
    let limits = Limits {
        depth: 64,
        ..Limits::default()
    };
    let body = Bytes::copy_from_slice(raw.as_bytes());
    let text = std::str::from_utf8(&body).ok()?;
    let mut scanner = Scanner {
        text,
        body: &body,
        limits: &limits,
        reader: reader::reader(text),
        elements: 0,
    };
    let (tag, empty) = scanner.open_child().ok()??;
    scanner.primitive(&tag, empty).ok().map(|(_, peek)| peek)
}

/// Prints a message of one or more transactions for `session`.
pub fn print_session<'t>(
    namespace: &str,
    session: &str,
    transactions: impl IntoIterator<Item = (Mode, &'t str, &'t str)>,
) -> String {
    let mut out = Writer::new();
    out.element("WV-SSP-Message", |out| {
        out.attribute("WV-SSP-Message", "xmlns", namespace);
        out.element("Session", |out| {
            out.attribute("Session", "sessionID", session);
            for (mode, id, raw) in transactions {
                out.element("Transaction", |out| {
                    transaction(out, "Transaction", mode, id, raw)
                });
            }
        });
    });
    declared(out)
}

/// Prints a setup message.
pub fn print_setup(namespace: &str, mode: Mode, id: &str, raw: &str) -> String {
    let mut out = Writer::new();
    out.element("WV-SSP-Message", |out| {
        out.attribute("WV-SSP-Message", "xmlns", namespace);
        out.element("SetupTransaction", |out| {
            transaction(out, "SetupTransaction", mode, id, raw)
        });
    });
    declared(out)
}

/// The bytes that [`print_session`] adds around one fragment, at most; used to
/// bound a batch before it is printed.
pub const TRANSACTION_OVERHEAD: usize = 80;

fn transaction(out: &mut Writer<'_>, element: &str, mode: Mode, id: &str, raw: &str) {
    out.attribute(element, "mode", mode.as_str());
    out.attribute(element, "transactionID", id);
    out.raw(raw);
}

fn declared(out: Writer<'_>) -> String {
    let mut text = out.finish();
    text.insert_str(0, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text
}

struct Scanner<'a> {
    text: &'a str,
    body: &'a Bytes,
    limits: &'a Limits,
    reader: quick_xml::Reader<&'a [u8]>,
    elements: usize,
}

impl<'a> Scanner<'a> {
    /// Reads up to the root's start tag.
    fn open_root(&mut self) -> Result<String, Malformed> {
        loop {
            match reader::next(&mut self.reader)? {
                Event::Start(tag) => {
                    self.check(&tag, 0)?;
                    return Ok(tag.name().as_ref().to_owned());
                }
                Event::Empty(_) => return Err(Malformed::Envelope("WV-SSP-Message is empty")),
                Event::Eof => return Err(Malformed::Empty),
                Event::End(_) => return Err(Malformed::Trailing),
                other => reader::character_data(other, None, false)?,
            }
        }
    }

    /// The next child's start tag and whether it is empty; `None` at the
    /// parent's end tag.
    fn open_child(&mut self) -> Result<Option<(BytesStart<'a>, bool)>, Malformed> {
        loop {
            match reader::next(&mut self.reader)? {
                Event::Start(tag) => {
                    self.check(&tag, 1)?;
                    return Ok(Some((tag, false)));
                }
                Event::Empty(tag) => {
                    self.check(&tag, 1)?;
                    return Ok(Some((tag, true)));
                }
                Event::End(_) => return Ok(None),
                Event::Eof => return Err(Malformed::Unclosed("WV-SSP-Message".to_owned())),
                other => reader::character_data(other, Some(&mut reader::Text::default()), false)?,
            }
        }
    }

    /// Reads on to the end of `depth` open elements, then to the end of the document.
    fn rest(&mut self, mut depth: usize) -> Result<(), Malformed> {
        loop {
            match reader::next(&mut self.reader)? {
                Event::Start(tag) => {
                    if depth == 0 {
                        return Err(Malformed::Trailing);
                    }
                    self.check(&tag, depth)?;
                    depth += 1;
                }
                Event::Empty(tag) if depth > 0 => self.check(&tag, depth)?,
                Event::Empty(_) => return Err(Malformed::Trailing),
                Event::End(_) => depth -= 1,
                Event::Eof if depth == 0 => return Ok(()),
                Event::Eof => return Err(Malformed::Unclosed("WV-SSP-Message".to_owned())),
                other => {
                    let mut ignored = reader::Text::default();
                    reader::character_data(other, (depth > 0).then_some(&mut ignored), depth == 0)?;
                }
            }
        }
    }

    /// Skips what is left of an open element.
    fn skip(&mut self) -> Result<(), Malformed> {
        let mut depth = 1;
        while depth > 0 {
            match reader::next(&mut self.reader)? {
                Event::Start(tag) => {
                    self.check(&tag, depth)?;
                    depth += 1;
                }
                Event::Empty(tag) => self.check(&tag, depth)?,
                Event::End(_) => depth -= 1,
                Event::Eof => return Err(Malformed::Unclosed("WV-SSP-Message".to_owned())),
                other => reader::character_data(other, Some(&mut reader::Text::default()), false)?,
            }
        }
        Ok(())
    }

    fn session(&mut self, tag: &BytesStart<'_>, empty: bool) -> Result<Option<Session>, Malformed> {
        let session = self.attribute(tag, "sessionID")?.unwrap_or_default();
        if empty {
            return Ok(None);
        }
        let mut transactions = Vec::new();
        let (mut children, mut seen) = (0, 0);
        while let Some((child, empty)) = self.open_child()? {
            children += 1;
            if !reader::local(child.name().as_ref()).eq_ignore_ascii_case("Transaction") {
                if !empty {
                    self.skip()?;
                }
                continue;
            }
            reader::count(&mut seen, self.limits.transactions, "transactions")?;
            if let Some(transaction) = self.transaction(&child, empty)? {
                // Without an id there is nothing to answer to (deployed-server, section 5).
                if !transaction.id.is_empty() {
                    transactions.push(transaction);
                }
            }
        }
        Ok((children > 0).then_some(Session {
            session,
            transactions,
        }))
    }

    /// Reads a `Transaction` or `SetupTransaction`; `None` if it has no content.
    fn transaction(
        &mut self,
        tag: &BytesStart<'_>,
        empty: bool,
    ) -> Result<Option<Transaction>, Malformed> {
        let mode = self
            .attribute(tag, "mode")?
            .map_or(Mode::Response, |mode| Mode::read(&mode));
        let id = self.attribute(tag, "transactionID")?.unwrap_or_default();
        let via = self.attribute(tag, "via")?;
        if empty {
            return Ok(None);
        }
        let Some((child, empty)) = self.open_child()? else {
            return Ok(None);
        };
        let name = primitive::canonical_name(reader::local(child.name().as_ref()));
        let (raw, peek) = self.primitive(&child, empty)?;
        self.skip()?;
        Ok(Some(Transaction {
            mode,
            id,
            name,
            raw,
            peek,
            via,
        }))
    }

    /// Reads a primitive to its end, noting addresses; gives it as XML of its own.
    fn primitive(&mut self, tag: &BytesStart<'a>, empty: bool) -> Result<(Bytes, Peek), Malformed> {
        let mut peek = Peek::default();
        let mut prefixed = tag.name().as_ref().contains(':');
        peek.group = self.address(tag, "groupID")?;
        peek.subject = self.address(tag, "userID")?;
        peek.about = self.address(tag, "serviceID")?;
        if let Some(list) = self.address(tag, "contactListID")? {
            peek.users.push(list);
        }
        // The tag's text starts right behind its `<`.
        let start = offset_in(self.text, tag.name().as_ref()).saturating_sub(1);
        let mut path = Path::default();
        if !empty {
            loop {
                match reader::next(&mut self.reader)? {
                    Event::Start(tag) => {
                        self.check(&tag, path.depth + 4)?;
                        prefixed |= tag.name().as_ref().contains(':');
                        self.note(&mut peek, &path, &tag)?;
                        path.push(&tag);
                    }
                    Event::Empty(tag) => {
                        self.check(&tag, path.depth + 4)?;
                        prefixed |= tag.name().as_ref().contains(':');
                        self.note(&mut peek, &path, &tag)?;
                    }
                    Event::End(_) if path.depth == 0 => break,
                    Event::End(_) => path.pop(),
                    Event::Eof => return Err(Malformed::Unclosed("Transaction".to_owned())),
                    other => {
                        reader::character_data(other, Some(&mut reader::Text::default()), false)?
                    }
                }
            }
        }
        let end = usize::try_from(self.reader.buffer_position()).unwrap_or(self.text.len());
        let slice = self.text.get(start..end).unwrap_or_default();
        let raw = if prefixed {
            self.without_prefixes(slice)?
        } else {
            self.body.slice_ref(slice.as_bytes())
        };
        Ok((raw, peek))
    }

    /// A fragment whose prefixes are declared outside is written anew without them.
    fn without_prefixes(&self, slice: &str) -> Result<Bytes, Malformed> {
        let node = reader::parse(slice.as_bytes(), self.limits)?;
        let mut out = Writer::new();
        write_node(&node, &mut out);
        Ok(out.finish().into())
    }

    /// Notes the addresses of one element inside a primitive.
    fn note(&self, peek: &mut Peek, path: &Path, tag: &BytesStart<'_>) -> Result<(), Malformed> {
        let name = tag.name();
        let name = reader::local(name.as_ref());
        match (path.depth, path.first) {
            (0, _) if name == "MetaInfo" => {
                peek.by_server = self
                    .attribute(tag, "clientOriginated")?
                    .is_some_and(|value| !value.trim().eq_ignore_ascii_case("yes"));
            }
            (0, _) if name == "MessageInfo" => {
                peek.message_id = self.attribute(tag, "messageID")?
            }
            (0, _) if name == "PresenceValue" => {
                peek.publishers.extend(self.address(tag, "userID")?)
            }
            (0, _) if matches!(name, "UserID" | "VerUserID" | "User") => {
                peek.users.extend(self.address(tag, "userID")?);
            }
            (0, _) if name == "ContactList" => {
                peek.users.extend(self.address(tag, "contactListID")?)
            }
            (1, First::MetaInfo) if name == "Requestor" => {
                peek.service = self.address(tag, "serviceID")?
            }
            (2, First::MetaInfo) if name == "User" => peek.user = self.address(tag, "userID")?,
            (1, First::Parties) => peek.recipients.extend(self.any_address(tag)?),
            (2, First::MessageInfo) if path.recipient => {
                peek.recipients.extend(self.any_address(tag)?)
            }
            (2, First::MessageInfo) if path.sender && name == "User" => {
                peek.sender = self.address(tag, "userID")?
            }
            _ => {}
        }
        Ok(())
    }

    fn any_address(&self, tag: &BytesStart<'_>) -> Result<Option<Address>, Malformed> {
        for name in ["userID", "groupID", "contactListID"] {
            if let Some(address) = self.address(tag, name)? {
                return Ok(Some(address));
            }
        }
        Ok(None)
    }

    fn address(&self, tag: &BytesStart<'_>, name: &str) -> Result<Option<Address>, Malformed> {
        Ok(self.attribute(tag, name)?.map(|text| Address::new(&text)))
    }

    fn attribute(&self, tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, Malformed> {
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|e| self.syntax(&e))?;
            if reader::local(attribute.key.as_ref()) == name {
                let value = attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|e| self.syntax(&e))?;
                return Ok(Some(value.into_owned()));
            }
        }
        Ok(None)
    }

    /// Limits and attribute syntax of one tag.
    fn check(&mut self, tag: &BytesStart<'_>, depth: usize) -> Result<(), Malformed> {
        reader::count(&mut self.elements, self.limits.elements, "elements")?;
        if depth >= self.limits.depth {
            return Err(Malformed::Depth(self.limits.depth));
        }
        let mut attributes = 0;
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|e| self.syntax(&e))?;
            reader::count(&mut attributes, self.limits.attributes, "attributes")?;
            if attribute.value.contains(['&', '<']) {
                attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|e| self.syntax(&e))?;
                if attribute.value.contains('<') {
                    return Err(self.syntax(&"'<' in an attribute value"));
                }
            }
        }
        Ok(())
    }

    fn syntax(&self, why: &dyn std::fmt::Display) -> Malformed {
        Malformed::Syntax {
            at: usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX),
            why: why.to_string(),
        }
    }
}

/// Where in a primitive the scan is, as far as [`Scanner::note`] asks.
#[derive(Debug, Default)]
struct Path {
    depth: usize,
    first: First,
    recipient: bool,
    sender: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum First {
    MetaInfo,
    MessageInfo,
    Parties,
    #[default]
    Other,
}

impl Path {
    fn push(&mut self, tag: &BytesStart<'_>) {
        let name = tag.name();
        let name = reader::local(name.as_ref());
        if self.depth == 0 {
            self.first = match name {
                "MetaInfo" => First::MetaInfo,
                "MessageInfo" => First::MessageInfo,
                "Invited" | "Canceled" | "Inviting" | "Recipient" | "IDList" => First::Parties,
                _ => First::Other,
            };
        } else if self.depth == 1 {
            self.recipient = name == "Recipient";
            self.sender = name == "Sender";
        }
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        if self.depth <= 1 {
            self.recipient = false;
            self.sender = false;
        }
    }
}

fn offset_in(input: &str, part: &str) -> usize {
    (part.as_ptr() as usize).wrapping_sub(input.as_ptr() as usize)
}

fn write_node(node: &Node<'_>, out: &mut Writer<'_>) {
    out.element(node.name, |out| {
        for (name, value) in &node.attributes {
            out.attribute(node.name, name, value);
        }
        out.text(&node.text);
        for child in &node.children {
            write_node(child, out);
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn session(body: &str) -> Session {
        match scan(&Bytes::copy_from_slice(body.as_bytes()), &Limits::default()).unwrap() {
            Message::Session(session) => session,
            Message::Setup(_) => panic!("a setup message"),
        }
    }

    const MESSAGE: &str = r#"<?xml version='1.0'?>
<WV-SSP-Message xmlns="http://www.openmobilealliance.org/DTD/WV-SSP1.3"><Session sessionID="41@home.example">
<Transaction mode="Request" transactionID="7">
<SendMessageRequest deliveryReport="Yes"><MetaInfo clientOriginated="Yes"><Requestor serviceID="wv:@home.example">
<User userID="wv:Alice@home.example"/></Requestor></MetaInfo>
<MessageInfo messageID="m1" contentType="text/plain"><Recipient><User userID="bob@village.example"/></Recipient>
<Sender><User userID="wv:alice@home.example"/></Sender></MessageInfo>
<ContentData contentType="text/plain" encoding="base64">aGk=
</ContentData></SendMessageRequest></Transaction><Transaction transactionID="8"><Status code="200"/></Transaction>
</Session></WV-SSP-Message>"#;

    #[test]
    fn addresses_are_noted_and_the_primitive_stays_a_slice() {
        let session = session(MESSAGE);
        let [request, answer] = session.transactions.as_slice() else {
            panic!()
        };
        assert_eq!(
            (request.mode, request.id.as_str(), request.name.as_ref()),
            (Mode::Request, "7", "SendMessageRequest")
        );
        assert_eq!(request.peek.user, Some(Address::new("alice@home.example")));
        assert_eq!(
            request.peek.recipients,
            [Address::new("bob@village.example")]
        );
        assert_eq!(
            request.peek.sender,
            Some(Address::new("alice@home.example"))
        );
        assert_eq!(request.peek.message_id.as_deref(), Some("m1"));
        assert!(
            request.raw.starts_with(b"<SendMessageRequest ")
                && request.raw.ends_with(b"</SendMessageRequest>")
        );
        assert_eq!(
            (answer.mode, answer.raw.as_ref()),
            (Mode::Response, b"<Status code=\"200\"/>".as_slice())
        );
        assert!(
            matches!(request.primitive(), Ok(Primitive::SendMessageRequest(m)) if m.delivery_report)
        );
    }

    #[test]
    fn what_is_printed_scans_to_the_same_transactions() {
        let read = session(MESSAGE);
        let printed = print_session(
            NAMESPACE,
            &read.session,
            read.transactions
                .iter()
                .map(|t| (t.mode, t.id.as_str(), std::str::from_utf8(&t.raw).unwrap())),
        );
        assert_eq!(session(&printed), read);
    }

    #[test]
    fn prefixed_fragments_are_written_anew() {
        let body = MESSAGE
            .replace("<SendMessageRequest ", "<s:SendMessageRequest xmlns:s='x' ")
            .replace("</SendMessageRequest", "</s:SendMessageRequest");
        let read = session(&body);
        assert!(
            read.transactions[0]
                .raw
                .starts_with(b"<SendMessageRequest deliveryReport")
        );
    }

    #[test]
    fn bodies_that_are_no_envelope_are_refused() {
        for (body, limit) in [
            ("", Malformed::Empty),
            ("<a/>", Malformed::Envelope("WV-SSP-Message is empty")),
            (
                "<WV-SSP-Message/>",
                Malformed::Envelope("WV-SSP-Message is empty"),
            ),
            (
                "<WV-SSP-Message></WV-SSP-Message>",
                Malformed::Envelope("WV-SSP-Message is empty"),
            ),
            (
                "<WV-SSP-Message><Session/></WV-SSP-Message>",
                Malformed::Envelope("neither a SetupTransaction nor a Session with content"),
            ),
            (
                "<!DOCTYPE x [<!ENTITY a 'b'>]><WV-SSP-Message/>",
                Malformed::Doctype,
            ),
            (
                "<WV-SSP-Message><Session><Transaction><x>\u{1}</x></Transaction></Session></WV-SSP-Message>",
                Malformed::Control(1),
            ),
        ] {
            assert_eq!(
                scan(&Bytes::from_static(body.as_bytes()), &Limits::default()),
                Err(limit),
                "{body}"
            );
        }
        let unclosed = &MESSAGE[..MESSAGE.len() - 20];
        assert!(matches!(
            scan(
                &Bytes::copy_from_slice(unclosed.as_bytes()),
                &Limits::default()
            ),
            Err(Malformed::Syntax { .. } | Malformed::Unclosed(_))
        ));
        let twice = format!("{MESSAGE}<WV-SSP-Message/>");
        assert_eq!(
            scan(&Bytes::from(twice), &Limits::default()),
            Err(Malformed::Trailing)
        );
        let deep = format!(
            "<WV-SSP-Message><Session><Transaction transactionID='1'>{}{}</Transaction></Session></WV-SSP-Message>",
            "<a>".repeat(40),
            "</a>".repeat(40)
        );
        assert_eq!(
            scan(&Bytes::from(deep), &Limits::default()),
            Err(Malformed::Depth(32))
        );
        let entity = MESSAGE.replace("aGk=", "&eacute;");
        assert_eq!(
            scan(&Bytes::from(entity), &Limits::default()),
            Err(Malformed::Entity("eacute".into()))
        );
    }
}
