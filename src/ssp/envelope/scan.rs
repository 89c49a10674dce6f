//! The one pass over a body that finds transactions and addresses.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Claim, Message, Mode, Peek, Session, Transaction};
use crate::ssp::Address;
use crate::ssp::primitive::{self, Place};
use crate::ssp::xml::encoding;
use crate::ssp::xml::names::{NO_NAMES, Names};
use crate::ssp::xml::repair::{self, Repair};
use crate::ssp::xml::shape::Watch;
use crate::ssp::xml::tokens::{Attribute, Token, Tokens};
use crate::ssp::xml::{self, Field, Limits, Malformed, Node, Shape, Writer};

/// Reads an envelope.
///
/// # Errors
/// The body is not XML within `limits`, or not an SSP envelope: HTTP 400 or 413.
pub fn scan(body: &Bytes, limits: &Limits) -> Result<Message, Malformed> {
    scan_named(&in_utf_8(body, limits)?, limits, &NO_NAMES)
}

fn in_utf_8(body: &Bytes, limits: &Limits) -> Result<Bytes, Malformed> {
    if body.len() > limits.bytes {
        return Err(Malformed::Size(limits.bytes));
    }
    encoding::utf_8(body)
}

fn scan_named(body: &Bytes, limits: &Limits, names: &Names) -> Result<Message, Malformed> {
    Scanner {
        body,
        limits,
        names,
        tokens: Tokens::new(body, limits)?,
    }
    .message()
}

/// Reads an envelope; one that is not well-formed once more after the `allowed`
/// repairs. Tells which of them were needed.
///
/// # Errors
/// As [`scan`]; where repairs were not enough, what they have left as well.
pub fn scan_lenient(
    body: &Bytes,
    limits: &Limits,
    allowed: &[Repair],
) -> Result<(Message, Vec<Repair>), Malformed> {
    scan_of_peers(body, limits, allowed, &NO_NAMES)
}

/// As [`scan_lenient`], from peers that may write the envelope with other `names`.
/// What is inside of the transactions stays as it came, see
/// [`Transaction::renamed`].
///
/// # Errors
/// As [`scan_lenient`].
pub fn scan_of_peers(
    body: &Bytes,
    limits: &Limits,
    allowed: &[Repair],
    names: &Names,
) -> Result<(Message, Vec<Repair>), Malformed> {
    let body = &in_utf_8(body, limits)?;
    let fault = match scan_named(body, limits, names) {
        Ok(message) => return Ok((message, Vec::new())),
        Err(fault) => fault,
    };
    if !may_be_repaired(&fault) {
        return Err(fault);
    }
    let Some((mended, done)) = repair::repair(body, allowed) else {
        return Err(fault);
    };
    match scan_named(&Bytes::from(mended), limits, names) {
        Ok(message) => Ok((message, done)),
        Err(left) => Err(Malformed::Beyond {
            first: Box::new(fault),
            left: Box::new(left),
        }),
    }
}

/// What [`scan`] would note about a primitive that stands alone.
pub(super) fn fragment(raw: &Bytes, limits: &Limits) -> Result<Peek, Malformed> {
    let mut scanner = Scanner {
        body: raw,
        limits,
        names: &NO_NAMES,
        tokens: Tokens::new(raw, limits)?,
    };
    match scanner.child()? {
        Some((name, at)) => Ok(scanner.primitive(name, at, primitive::facts(name))?.1),
        None => Err(Malformed::Empty),
    }
}

fn may_be_repaired(fault: &Malformed) -> bool {
    matches!(
        fault,
        Malformed::Encoding(_)
            | Malformed::Syntax { .. }
            | Malformed::Entity(_)
            | Malformed::Unclosed(_)
            | Malformed::Trailing
            // What stands behind a tag that was never closed stands within it.
            | Malformed::Twice(_)
            // Half of a character beyond U+FFFF, as a reference.
            | Malformed::Control(0xD800..=0xDFFF)
    )
}

struct Scanner<'a> {
    body: &'a Bytes,
    limits: &'a Limits,
    /// Of the envelope's parts, where peers write them otherwise.
    names: &'a Names,
    tokens: Tokens<'a>,
}

impl<'a> Scanner<'a> {
    fn message(mut self) -> Result<Message, Malformed> {
        match self.child()? {
            Some((name, _)) if self.is(name, "WV-SSP-Message") => {}
            _ => return Err(Malformed::Envelope("the root is not WV-SSP-Message")),
        }
        let Some((name, _)) = self.child()? else {
            return Err(Malformed::Envelope("WV-SSP-Message is empty"));
        };
        let message = if self.is(name, "Session") {
            self.session()?.map(Message::Session)
        } else if self.is(name, "SetupTransaction") {
            self.transaction("SetupTransaction")?.map(Message::Setup)
        } else {
            None
        };
        let Some(message) = message else {
            return Err(Malformed::Envelope(
                "neither a SetupTransaction nor a Session with content",
            ));
        };
        if self.child()?.is_some() {
            return Err(Malformed::Envelope(
                "more than one element in WV-SSP-Message",
            ));
        }
        while self.tokens.next()? != Token::Eof {}
        Ok(message)
    }

    /// The next child's name and place; `None` when its parent ends instead.
    fn child(&mut self) -> Result<Option<(&'a str, usize)>, Malformed> {
        loop {
            match self.tokens.next()? {
                Token::Start { name, at } => return Ok(Some((name, at))),
                Token::End | Token::Eof => return Ok(None),
                Token::Text(_) | Token::Data(_) => {}
            }
        }
    }

    /// Reads on until only `depth` elements are open.
    fn close_to(&mut self, depth: usize) -> Result<(), Malformed> {
        while self.tokens.depth() > depth {
            self.tokens.next()?;
        }
        Ok(())
    }

    fn session(&mut self) -> Result<Option<Session>, Malformed> {
        let session = self.own_id("Session", "sessionID")?;
        let depth = self.tokens.depth();
        let mut transactions = Vec::new();
        let (mut empty, mut seen) = (true, 0);
        while let Some((name, _)) = self.child()? {
            empty = false;
            if self.is(name, "Transaction") {
                seen += 1;
                if seen > self.limits.transactions {
                    return Err(Malformed::Count {
                        what: "transactions",
                        limit: self.limits.transactions,
                    });
                }
                // Without an id there is nothing to answer to (deployed-server, section 5).
                let transaction = self.transaction("Transaction")?;
                transactions.extend(transaction.filter(|t| !t.id.is_empty()));
            }
            self.close_to(depth)?;
        }
        Ok((!empty).then_some(Session {
            session,
            transactions,
        }))
    }

    /// Reads a `Transaction` or `SetupTransaction` to its end; `None` if it has no
    /// primitive.
    fn transaction(&mut self, element: &str) -> Result<Option<Transaction>, Malformed> {
        let mode = self
            .own(element, "mode")
            .map_or(Mode::Response, |mode| Mode::read(&mode));
        let id = self.own_id(element, "transactionID")?;
        let via = self.attribute("via").map(Cow::into_owned);
        self.tokens.forget_prefixes();
        let Some((name, at)) = self.child()? else {
            return Ok(None);
        };
        let facts = primitive::facts(name);
        let (raw, peek) = self.primitive(name, at, facts)?;
        if self.child()?.is_some() {
            return Err(Malformed::Envelope(
                "more than one primitive in a transaction",
            ));
        }
        Ok(Some(Transaction {
            mode,
            id,
            name: facts.map_or_else(|| Cow::Owned(name.to_owned()), |facts| facts.name.into()),
            raw,
            peek,
            via,
        }))
    }

    /// Reads a primitive to its end, noting addresses; gives it as XML of its own.
    fn primitive(
        &mut self,
        name: &'a str,
        at: usize,
        facts: Option<&primitive::Facts>,
    ) -> Result<(Bytes, Peek), Malformed> {
        let mut notes = Notes::new(name);
        let mut watch = Watch::new(facts.map_or(primitive::UNKNOWN, |facts| facts.shape));
        for attribute in self.tokens.attributes() {
            notes.attribute(attribute);
        }
        let places = facts.map_or(&[][..], |facts| primitive::speaking(facts.name));
        let mut path: Vec<&str> = Vec::with_capacity(primitive::DEEPEST);
        self.claims(places, &path, &mut notes.peek);
        let depth = self.tokens.depth();
        loop {
            match self.tokens.next()? {
                Token::Start { name, .. } => {
                    let level = self.tokens.depth() - depth;
                    if let Some(shape) = watch.child(level, name).map_err(Malformed::Twice)? {
                        self.no_twins(shape)?;
                    }
                    if level <= primitive::DEEPEST {
                        path.truncate(level - 1);
                        path.push(name);
                        self.claims(places, &path, &mut notes.peek);
                    }
                    if level <= 3 {
                        notes.take(level, name, self);
                    }
                }
                Token::End if self.tokens.depth() < depth => break,
                _ => {}
            }
        }
        let slice = self
            .tokens
            .input()
            .get(at..self.tokens.position())
            .unwrap_or_default();
        let raw = if self.tokens.prefixes_seen() {
            self.without_prefixes(slice)?
        } else {
            self.body.slice_ref(slice.as_bytes())
        };
        Ok((raw, notes.peek))
    }

    /// Notes the addresses that the last start tag has in one of these `places`.
    fn claims(&self, places: &'static [Place], path: &[&str], peek: &mut Peek) {
        for place in places.iter().filter(|place| place.is_at(path)) {
            let address = self.address(place.attribute);
            peek.claims
                .extend(address.map(|address| Claim { place, address }));
        }
    }

    /// A fragment whose prefixes are declared outside is written anew without them.
    fn without_prefixes(&self, slice: &str) -> Result<Bytes, Malformed> {
        let node = xml::parse(slice.as_bytes(), self.limits)?;
        let mut out = Writer::new();
        write_node(&node, &mut out);
        Ok(out.finish().into())
    }

    /// An attribute of the last start tag, by local name.
    fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        self.tokens
            .attributes()
            .iter()
            .find(|a| a.local == name && !a.is_declaration())
            .map(Attribute::value)
    }

    /// Refuses a start tag whose spellings of one attribute do not say the same.
    fn no_twins(&self, shape: &Shape) -> Result<(), Malformed> {
        for names in shape.twins() {
            let mut values = names.iter().filter_map(|name| self.attribute(name));
            if values
                .next()
                .is_some_and(|first| values.any(|other| other != first))
            {
                return Err(Malformed::Twice(names[0]));
            }
        }
        Ok(())
    }

    /// Whether `written` is the envelope's element `name`.
    fn is(&self, written: &str, name: &str) -> bool {
        written.eq_ignore_ascii_case(name) || self.names.element(written) == Some(name)
    }

    /// An attribute of an element of the envelope.
    fn own(&self, element: &str, name: &str) -> Option<Cow<'a, str>> {
        self.attribute(name).or_else(|| {
            if self.names.is_empty() {
                return None;
            }
            let other = |a: &&Attribute<'_>| self.names.attribute(element, a.local) == Some(name);
            let attributes = self.tokens.attributes().iter();
            attributes.copied().find(|a| other(&a)).map(|a| a.value())
        })
    }

    /// An id of the envelope; empty where there is none.
    fn own_id(&self, element: &str, name: &str) -> Result<String, Malformed> {
        let id = self.own(element, name).unwrap_or_default();
        // Under its usual name it has been measured before.
        self.limits.texts.check_id(&id)?;
        Ok(id.into_owned())
    }

    fn address(&self, name: &str) -> Option<Address> {
        self.attribute(name).map(|text| Address::new(&text))
    }

    /// The address that an alternative of a recipient or party gives.
    fn party(&self, name: &str, lists: bool) -> Option<Address> {
        if name.eq_ignore_ascii_case("User") {
            self.address("userID")
        } else {
            self.group_or_list(name, lists)
        }
    }

    /// The address that an alternative of an `IDList` gives.
    fn id(&self, name: &str) -> Option<Address> {
        if name.eq_ignore_ascii_case("UserID") {
            self.user_id()
        } else {
            self.group_or_list(name, true)
        }
    }

    fn group_or_list(&self, name: &str, lists: bool) -> Option<Address> {
        if name.eq_ignore_ascii_case("GroupID") || name.eq_ignore_ascii_case("ScreenName") {
            self.address("groupID")
        } else if lists && name.eq_ignore_ascii_case("ContactList") {
            self.address("contactListID")
        } else {
            None
        }
    }

    fn user_id(&self) -> Option<Address> {
        self.address("userID").or_else(|| self.address("userid"))
    }
}

/// What has been noted about a primitive so far, and the last two elements
/// met on the way down.
struct Notes {
    peek: Peek,
    /// `Inviting` says to whom the primitive goes.
    is_invite_response: bool,
    child: Child,
    grandchild: Grandchild,
    /// Kinds of children that count once and have been met.
    met: Met,
}

#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // one per kind
struct Met {
    meta: bool,
    requestor: bool,
    user: bool,
    info: bool,
    sender: bool,
    sender_user: bool,
    inviting: bool,
    invited: bool,
    canceled: bool,
    ids: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Child {
    MetaInfo,
    MessageInfo,
    /// Holds one recipient.
    Recipient,
    /// Holds one party to an invitation.
    Party,
    /// Holds any number of ids.
    Ids,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grandchild {
    Requestor,
    Recipient,
    Sender,
    Other,
}

impl Notes {
    fn new(primitive: &str) -> Self {
        Self {
            peek: Peek::default(),
            is_invite_response: primitive.eq_ignore_ascii_case("InviteResponse"),
            child: Child::Other,
            grandchild: Grandchild::Other,
            met: Met::default(),
        }
    }

    /// Takes note of an attribute of the primitive itself.
    fn attribute(&mut self, attribute: &Attribute<'_>) {
        if attribute.is_declaration() {
            return;
        }
        let peek = &mut self.peek;
        let address = || Address::new(&attribute.value());
        match attribute.local {
            "groupID" => drop(peek.group.get_or_insert_with(address)),
            "userID" => drop(peek.subject.get_or_insert_with(address)),
            "serviceID" => drop(peek.about.get_or_insert_with(address)),
            "contactListID" => peek.users.push(address()),
            "deliveryReport" => peek.report = is_yes(&attribute.value()),
            "messageID" => peek.names_message = !attribute.raw.is_empty(),
            _ => {}
        }
    }

    /// Takes note of the element `name`, whose tag has just been read, `level`
    /// levels below the primitive.
    fn take(&mut self, level: usize, name: &str, tag: &Scanner<'_>) {
        match level {
            1 => self.child = self.child(name, tag),
            2 => self.grandchild = self.grandchild(name, tag),
            _ => self.great_grandchild(name, tag),
        }
    }

    fn child(&mut self, name: &str, tag: &Scanner<'_>) -> Child {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let first = |met: &mut bool| !std::mem::replace(met, true);
        if is("MetaInfo") {
            if first(&mut self.met.meta) {
                self.peek.by_server = tag
                    .attribute("clientOriginated")
                    .is_some_and(|value| !is_yes(&value));
                return Child::MetaInfo;
            }
        } else if is("MessageInfo") {
            if first(&mut self.met.info) {
                self.peek.message_id = tag.attribute("messageID").map(Cow::into_owned);
                let validity = tag
                    .attribute("validity")
                    .or_else(|| tag.attribute("validlity"));
                self.peek.validity = validity.and_then(|seconds| seconds.trim().parse().ok());
            }
            return Child::MessageInfo;
        } else if is("PresenceValue") {
            self.peek.publishers.extend(tag.address("userID"));
        } else if is("User") || is("VerUserID") {
            self.peek.users.extend(tag.address("userID"));
        } else if is("UserID") {
            self.peek.users.extend(tag.user_id());
        } else if is("ContactList") {
            self.peek.users.extend(tag.address("contactListID"));
        } else if is("Recipient") {
            return Child::Recipient;
        } else if (is("Invited") && first(&mut self.met.invited))
            || (is("Canceled") && first(&mut self.met.canceled))
            || (self.is_invite_response && is("Inviting") && first(&mut self.met.inviting))
        {
            return Child::Party;
        } else if is("IDList") && first(&mut self.met.ids) {
            return Child::Ids;
        }
        Child::Other
    }

    fn grandchild(&mut self, name: &str, tag: &Scanner<'_>) -> Grandchild {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let first = |met: &mut bool| !std::mem::replace(met, true);
        match self.child {
            Child::MetaInfo if is("Requestor") && first(&mut self.met.requestor) => {
                self.peek.service = tag.address("serviceID");
                Grandchild::Requestor
            }
            Child::MessageInfo if is("Recipient") => Grandchild::Recipient,
            Child::MessageInfo if is("Sender") && first(&mut self.met.sender) => Grandchild::Sender,
            Child::Party | Child::Recipient => {
                if let Some(address) = tag.party(name, self.child == Child::Recipient) {
                    self.peek.recipients.push(address);
                    self.child = Child::Other;
                }
                Grandchild::Other
            }
            Child::Ids => {
                self.peek.recipients.extend(tag.id(name));
                Grandchild::Other
            }
            _ => Grandchild::Other,
        }
    }

    fn great_grandchild(&mut self, name: &str, tag: &Scanner<'_>) {
        let is_user = name.eq_ignore_ascii_case("User");
        let first = |met: &mut bool| !std::mem::replace(met, true);
        match self.grandchild {
            Grandchild::Requestor if is_user && first(&mut self.met.user) => {
                self.peek.user = tag.address("userID");
            }
            Grandchild::Recipient => {
                if let Some(address) = tag.party(name, true) {
                    self.peek.recipients.push(address);
                    self.grandchild = Grandchild::Other;
                }
            }
            Grandchild::Sender if is_user && first(&mut self.met.sender_user) => {
                self.peek.sender = tag.address("userID");
            }
            _ => {}
        }
    }
}

/// What an attribute that is `Yes` or `No` says; the one reader of such values.
fn is_yes(value: &str) -> bool {
    bool::parse(value).unwrap_or_default()
}

pub(super) fn write_node(node: &Node<'_>, out: &mut Writer<'_>) {
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
