//! A short message, as a gateway hands it over by HTTP.

use crate::text::charset::{self, Charset, Reading};

/// Bytes of a query; our choice: more than the longest chain of short messages takes.
const MAX_QUERY: usize = 16 * 1024;
/// Bytes of a message.
const MAX_TEXT: usize = 4096;
/// Bytes of a number as it is written, and of the id that a gateway gives.
const MAX_NAME: usize = 64;
/// Digits of a number (E.164).
const DIGITS: std::ops::RangeInclusive<usize> = 3..=15;

/// What a gateway says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Incoming {
    /// What the gateway shows that it is one with.
    pub(super) secret: String,
    /// The number of the phone, in digits.
    pub(super) number: String,
    /// The same as the gateway writes it.
    pub(super) from: String,
    /// How the gateway calls the message; the same message again has the same.
    pub(super) id: Option<String>,
    pub(super) text: String,
}

/// Without the secret and the text.
impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("number", &self.number)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Incoming {
    /// Reads a query with `secret`, `from` and `text`, and perhaps `id` and `charset`; each once.
    /// `None` if it is none.
    pub(super) fn read(query: &str) -> Option<Self> {
        if query.len() > MAX_QUERY {
            return None;
        }
        let mut parts: [Option<Vec<u8>>; 5] = Default::default();
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let at = match name {
                "secret" => 0,
                "from" => 1,
                "text" => 2,
                "id" => 3,
                "charset" => 4,
                _ => continue,
            };
            let slot = parts.get_mut(at)?;
            if slot.replace(decoded(value)?).is_some() {
                return None;
            }
        }
        let [secret, from, text, id, charset] = parts;
        let named = |bytes: Option<Vec<u8>>| {
            let text = String::from_utf8(bytes?).ok()?;
            Some(text.trim().to_owned()).filter(|text| text.len() <= MAX_NAME)
        };
        let from = named(from)?;
        let number = from.trim_start_matches('+').to_owned();
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || !DIGITS.contains(&number.len()) {
            return None;
        }
        let charset = named(charset).and_then(|name| Charset::named(&name));
        let text = match charset::read(charset, &text?) {
            Reading::Text(text) if text.len() <= MAX_TEXT => text,
            Reading::Text(_) | Reading::Unreadable => return None,
        };
        Some(Self {
            secret: String::from_utf8(secret?).ok()?,
            number,
            from,
            id: named(id).filter(|id| !id.is_empty()),
            text,
        })
    }
}

/// The bytes of a value of a query; `None` if they are not written as they must be.
fn decoded(value: &str) -> Option<Vec<u8>> {
    let mut bytes = value.bytes();
    let mut decoded = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<(String, String)> {
        let incoming = Incoming::read(query)?;
        assert!(!format!("{incoming:?}").contains(&incoming.secret));
        Some((incoming.number, incoming.text))
    }

    #[test]
    fn a_message_is_read_in_its_charset() {
        let hello = Some(("15550100".to_owned(), "héllo you".to_owned()));
        for query in [
            "secret=s3cr3ts&from=%2B15550100&text=h%C3%A9llo+you&charset=UTF-8&id=7",
            "secret=s3cr3ts&from=15550100&text=h%E9llo%20you&charset=ISO-8859-1",
            "secret=s3cr3ts&to=1&from=15550100&text=%00h%00%E9%00l%00l%00o%00+%00y%00o%00u&charset=UTF-16BE",
            "text=h%c3%a9llo%20you&from=15550100&secret=s3cr3ts&more",
        ] {
            assert_eq!(read(query), hello, "{query}");
        }
        let id = |query| Incoming::read(query).unwrap().id;
        assert_eq!(
            id("secret=s&from=123&text=x&id=a%20b"),
            Some("a b".to_owned())
        );
        assert_eq!(id("secret=s&from=123&text=x&id="), None);
    }

    #[test]
    fn what_is_no_message_is_none() {
        let long = format!("secret=s&from=123&text={}", "x".repeat(MAX_TEXT + 1));
        let longer = format!("secret=s&from=123&text=x&y={}", "x".repeat(MAX_QUERY));
        for query in [
            "",
            "secret=s&from=123",
            "from=123&text=x",
            "secret=s&text=x",
            "secret=s&from=bob&text=x",
            "secret=s&from=12&text=x",
            "secret=s&from=1234567890123456&text=x",
            "secret=s&from=123&from=124&text=x",
            "secret=s&from=123&text=%4",
            "secret=s&from=123&text=%zz",
            "secret=%ff&from=123&text=x",
            &long,
            &longer,
        ] {
            assert_eq!(read(query), None, "{query}");
        }
    }
}
