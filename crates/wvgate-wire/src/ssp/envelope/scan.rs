//! The one pass over a body that finds transactions and addresses.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Claim, Message, Mode, Peek, Session, Transaction};
use crate::imps::Address;
use crate::imps::primitive::{self, AnyName, Info, Noted, Outline, Role, Walk};
use crate::imps::xml::encoding;
use crate::imps::xml::names::{NO_NAMES, Names};
use crate::imps::xml::repair::{self, Repair};
use crate::imps::xml::tokens::{Attribute, Token, Tokens};
use crate::imps::xml::{self, Field, Limits, Malformed, Writer};

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
        Some((name, at)) => Ok(scanner.primitive(at, primitive::outline(name).1)?.1),
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
                // Without an id there is nothing to answer to (deployed-server, 5).
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
        let (facts, outline) = primitive::outline(name);
        let (raw, peek) = self.primitive(at, outline)?;
        if self.child()?.is_some() {
            return Err(Malformed::Envelope(
                "more than one primitive in a transaction",
            ));
        }
        Ok(Some(Transaction {
            mode,
            id,
            name: facts.map_or_else(|| AnyName::new(name), |facts| facts.is.into()),
            raw,
            peek,
            via,
        }))
    }

    /// Reads a primitive to its end, noting addresses; gives it as XML of its own.
    fn primitive(
        &mut self,
        at: usize,
        outline: &'static Outline,
    ) -> Result<(Bytes, Peek), Malformed> {
        let mut peek = Peek::default();
        peek.note_head(|name| self.attribute(name));
        self.note(outline, &mut peek)?;
        let mut walk = Walk::new(outline);
        let depth = self.tokens.depth();
        loop {
            match self.tokens.next()? {
                Token::Start { name, .. } => {
                    let level = self.tokens.depth() - depth;
                    if let Some(outline) = walk.child(level, name).map_err(Malformed::Twice)? {
                        self.note(outline, &mut peek)?;
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
        Ok((raw, peek))
    }

    /// Notes what is minded in the last start tag.
    fn note(&self, outline: &'static Outline, peek: &mut Peek) -> Result<(), Malformed> {
        for names in &outline.twins {
            self.no_twins(names)?;
        }
        peek.note_tag(outline, |name| self.attribute(name));
        Ok(())
    }

    /// A fragment whose prefixes are declared outside is written anew without them.
    fn without_prefixes(&self, slice: &str) -> Result<Bytes, Malformed> {
        let node = xml::parse(slice.as_bytes(), self.limits)?;
        let mut out = Writer::new();
        node.write(&mut out);
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
    fn no_twins(&self, names: &[&'static str]) -> Result<(), Malformed> {
        let mut values = names.iter().filter_map(|name| self.attribute(name));
        let differs = values
            .next()
            .is_some_and(|first| values.any(|other| other != first));
        if differs {
            return Err(Malformed::Twice(names[0]));
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
}

impl Peek {
    /// Notes what is minded in the start tag of the primitive itself.
    pub(super) fn note_head<'v>(&mut self, attribute: impl Fn(&str) -> Option<Cow<'v, str>>) {
        self.report = attribute("deliveryReport").is_some_and(|v| is_yes(&v));
        self.names_message = attribute("messageID").is_some_and(|id| !id.is_empty());
    }

    /// Notes what is minded in a start tag.
    pub(super) fn note_tag<'v>(
        &mut self,
        outline: &'static Outline,
        attribute: impl Fn(&str) -> Option<Cow<'v, str>>,
    ) {
        let mut noted = None;
        for place in &outline.places {
            let Some(address) = attribute(place.attribute) else {
                continue;
            };
            let address = Address::new(&address);
            // Once, in whichever spellings.
            if place.noted != noted {
                noted = place.noted;
                self.note(noted, &address);
            }
            if place.role != Role::Named {
                self.claims.push(Claim { place, address });
            }
        }
        match outline.info {
            Some(Info::Meta) => {
                let asked = attribute("clientOriginated");
                self.by_server = asked.is_some_and(|value| !is_yes(&value));
            }
            Some(Info::Status) => self.has_status = true,
            Some(Info::Message) if self.message_id.is_none() => {
                self.message_id = attribute("messageID").map(Cow::into_owned);
                let validity = attribute("validity");
                let validity = validity.or_else(|| attribute("validlity"));
                self.validity = validity.and_then(|seconds| seconds.trim().parse().ok());
            }
            _ => {}
        }
    }

    /// Puts an address where it belongs; where one belongs, the first one counts.
    fn note(&mut self, noted: Option<Noted>, address: &Address) {
        let one = match noted {
            None => return,
            Some(Noted::Users) => return self.users.push(address.clone()),
            Some(Noted::Publishers) => return self.publishers.push(address.clone()),
            Some(Noted::Recipients) => return self.recipients.push(address.clone()),
            Some(Noted::Service) => &mut self.service,
            Some(Noted::User) => &mut self.user,
            Some(Noted::Group) => &mut self.group,
            Some(Noted::Subject) => &mut self.subject,
            Some(Noted::About) => &mut self.about,
            Some(Noted::Sender) => &mut self.sender,
        };
        one.get_or_insert_with(|| address.clone());
    }
}

/// What an attribute that is `Yes` or `No` says; the one reader of such values.
fn is_yes(value: &str) -> bool {
    bool::parse(value).unwrap_or_default()
}
