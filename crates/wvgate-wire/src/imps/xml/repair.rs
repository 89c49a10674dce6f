//! Repairs of what peers are known to get wrong, for bodies that are not
//! well-formed (quirks ).
//!
//! Nothing here is applied to a body that can be read as it is. Every repair is
//! one pass over the bytes and leaves a body alone that does not show its fault.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};

use super::surrogates;

/// A fault that can be mended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Repair {
    /// Text escaped byte by byte with the names HTML has for Latin-1, other
    /// bytes raw: each name becomes its byte, what is no UTF-8 then is Latin-1.
    HtmlEntities,
    /// Bytes that are no UTF-8 are Latin-1.
    Latin1,
    /// `<Canceled>` closed by `<Canceled/>`.
    CanceledEndTag,
    /// `&#xD83D;&#xDE34;`: a character as two references, one for each half that it
    /// has in UTF-16. A half alone becomes U+FFFD.
    SurrogateReferences,
    /// `&` that starts no reference.
    BareAmpersand,
    /// `<` behind which no tag can begin, or none that ends before the next one does:
    /// `I <3 you`.
    BareLessThan,
    /// `"` and `<` inside a value in double quotes: the value ends at a quote
    /// behind which the tag goes on as a tag must. A guess, if a good one.
    AttributeQuote,
}

impl Repair {
    /// All repairs, in the order in which they are tried.
    pub const ALL: &[Repair] = &[
        Self::HtmlEntities,
        Self::Latin1,
        Self::CanceledEndTag,
        Self::SurrogateReferences,
        Self::BareAmpersand,
        Self::BareLessThan,
        Self::AttributeQuote,
    ];

    /// The name by which a dialect allows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HtmlEntities => "html-entities",
            Self::Latin1 => "latin1",
            Self::CanceledEndTag => "canceled-end-tag",
            Self::SurrogateReferences => "surrogate-references",
            Self::BareAmpersand => "bare-ampersand",
            Self::BareLessThan => "bare-less-than",
            Self::AttributeQuote => "attribute-quote",
        }
    }

    fn apply(self, body: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::HtmlEntities => html_entities(body),
            Self::Latin1 => latin1(body),
            Self::CanceledEndTag => canceled_end_tag(body),
            Self::SurrogateReferences => surrogates::join(body),
            Self::BareAmpersand => bare_ampersands(body),
            Self::BareLessThan => bare_less_thans(body),
            Self::AttributeQuote => attribute_quotes(body),
        }
    }
}

/// Mends what the `allowed` repairs can mend; gives the new body and what was
/// done, or `None` if nothing was. The new body is at most six times as long
/// and may still be malformed.
pub fn repair(body: &[u8], allowed: &[Repair]) -> Option<(Vec<u8>, Vec<Repair>)> {
    let mut mended = Cow::Borrowed(body);
    let mut done = Vec::new();
    for repair in Repair::ALL.iter().filter(|r| allowed.contains(r)) {
        if let Some(better) = repair.apply(&mended) {
            mended = Cow::Owned(better);
            done.push(*repair);
        }
    }
    (!done.is_empty()).then(|| (mended.into_owned(), done))
}

fn html_entities(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let mut found = false;
    let mut rest = body;
    while let Some(at) = memchr(b'&', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (byte, length) = match html_entity(rest) {
            Some(entity) => {
                found = true;
                entity
            }
            None => (b'&', 1),
        };
        out.push(byte);
        rest = &rest[length..];
    }
    if !found {
        return None;
    }
    out.extend_from_slice(rest);
    Some(latin1(&out).unwrap_or(out))
}

/// The Latin-1 byte and the length of the entity that `text` starts with.
fn html_entity(text: &[u8]) -> Option<(u8, usize)> {
    let window = &text[..text.len().min(10)];
    let end = memchr(b';', window)?;
    let name = std::str::from_utf8(&window[1..end]).ok()?;
    let index = LATIN_1_NAMES.iter().position(|known| *known == name)?;
    Some((u8::try_from(0xA0 + index).ok()?, end + 1))
}

fn latin1(body: &[u8]) -> Option<Vec<u8>> {
    if std::str::from_utf8(body).is_ok() {
        return None;
    }
    let mut out = Vec::with_capacity(body.len() + 16);
    for chunk in body.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        for byte in chunk.invalid() {
            let mut buffer = [0; 2];
            out.extend_from_slice(char::from(*byte).encode_utf8(&mut buffer).as_bytes());
        }
    }
    Some(out)
}

fn canceled_end_tag(body: &[u8]) -> Option<Vec<u8>> {
    const OPEN: &[u8] = b"<Canceled>";
    const WRONG: &[u8] = b"<Canceled/>";
    const CLOSE: &[u8] = b"</Canceled>";
    let request = memmem::find(body, b"<CancelInviteRequest")?;
    let open = request + memmem::find(&body[request..], OPEN)? + OPEN.len();
    let wrong = open + memmem::find(&body[open..], WRONG)?;
    if memmem::find(&body[open..wrong], CLOSE).is_some() {
        return None;
    }
    let mut out = body.to_vec();
    out[wrong..wrong + WRONG.len()].copy_from_slice(CLOSE);
    Some(out)
}

fn bare_ampersands(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len() + 16);
    let mut found = false;
    let mut at = 0;
    while let Some(step) = memchr2(b'&', b'<', &body[at..]) {
        out.extend_from_slice(&body[at..at + step]);
        at += step;
        let verbatim = if body[at] == b'<' {
            literal(&body[at..]).unwrap_or(1)
        } else {
            1
        };
        out.extend_from_slice(&body[at..at + verbatim]);
        if body[at] == b'&' && !starts_reference(&body[at..]) {
            found = true;
            out.extend_from_slice(b"amp;");
        }
        at += verbatim;
    }
    out.extend_from_slice(&body[at..]);
    found.then_some(out)
}

/// Whether `text`, which starts with `&`, is a reference: one of the five
/// entities of XML, a number, or a name that HTML knows (which is another
/// repair's business).
fn starts_reference(text: &[u8]) -> bool {
    let window = &text[..text.len().min(40)];
    let Some(end) = memchr(b';', window) else {
        return false;
    };
    match &window[1..end] {
        b"amp" | b"lt" | b"gt" | b"quot" | b"apos" => true,
        [b'#', b'x', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit),
        [b'#', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => html_entity(text).is_some(),
    }
}

fn bare_less_thans(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len() + 16);
    let mut found = false;
    let mut at = 0;
    while let Some(step) = memchr(b'<', &body[at..]) {
        out.extend_from_slice(&body[at..at + step]);
        at += step;
        let rest = &body[at..];
        let length = literal(rest).unwrap_or(1);
        if length == 1 && !may_be_tag(&rest[1..]) {
            found = true;
            out.extend_from_slice(b"&lt;");
        } else {
            out.extend_from_slice(&rest[..length]);
        }
        at += length;
    }
    out.extend_from_slice(&body[at..]);
    found.then_some(out)
}

/// Whether what follows a `<` may be a tag or a declaration.
fn may_be_tag(text: &[u8]) -> bool {
    let name = text.strip_prefix(b"/").unwrap_or(text);
    let begins = match name.first() {
        Some(b'!') => name.len() == text.len(),
        Some(first) => first.is_ascii_alphabetic() || *first == b'_' || !first.is_ascii(),
        None => true,
    };
    // In quotes anything may follow, and behind an equals sign quotes.
    let end = name
        .iter()
        .find(|b| matches!(b, b'<' | b'>' | b'"' | b'\'' | b'='));
    begins && end != Some(&b'<')
}

fn attribute_quotes(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len() + 16);
    let mut found = false;
    let mut at = 0;
    while let Some(step) = memchr(b'<', &body[at..]) {
        let tag = at + step;
        out.extend_from_slice(&body[at..tag]);
        at = tag;
        if let Some(length) = literal(&body[tag..]) {
            at += length;
            out.extend_from_slice(&body[tag..at]);
        } else {
            at += start_tag(&body[tag..], &mut out, &mut found);
        }
    }
    out.extend_from_slice(&body[at..]);
    found.then_some(out)
}

/// Copies the tag that `text` starts with, mending its values; gives its length.
fn start_tag(text: &[u8], out: &mut Vec<u8>, found: &mut bool) -> usize {
    let mut at = 1;
    out.push(b'<');
    while let Some(byte) = text.get(at) {
        match byte {
            // The next tag: this one was none.
            b'<' => return at,
            b'>' => {
                out.push(b'>');
                return at + 1;
            }
            b'\'' => {
                let length = memchr(b'\'', &text[at + 1..]).map_or(text.len() - at, |n| n + 2);
                out.extend_from_slice(&text[at..at + length]);
                at += length;
            }
            b'"' => {
                out.push(b'"');
                at += 1;
                while let Some(byte) = text.get(at) {
                    at += 1;
                    match byte {
                        b'"' if ends_value(&text[at..]) => {
                            out.push(b'"');
                            break;
                        }
                        b'"' => {
                            *found = true;
                            out.extend_from_slice(b"&quot;");
                        }
                        b'<' => {
                            *found = true;
                            out.extend_from_slice(b"&lt;");
                        }
                        byte => out.push(*byte),
                    }
                }
            }
            byte => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    at
}

/// Whether a tag can go on like this behind a value: it ends, or another
/// attribute follows.
fn ends_value(text: &[u8]) -> bool {
    let space = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let text = &text[space..];
    if matches!(text, [b'>', ..] | [b'/' | b'?', b'>', ..]) {
        return true;
    }
    let name = text
        .iter()
        .take_while(|b| {
            b.is_ascii_alphanumeric() || !b.is_ascii() || matches!(b, b':' | b'_' | b'-' | b'.')
        })
        .count();
    let rest = text[name..].trim_ascii_start();
    space > 0
        && name > 0
        && rest.first() == Some(&b'=')
        && matches!(rest[1..].trim_ascii_start(), [b'"' | b'\'', ..])
}

/// The length of what `text` starts with if it has to be taken as it is: a
/// CDATA section, a comment, or a processing instruction. One without end
/// reaches to the end of the text.
pub(super) fn literal(text: &[u8]) -> Option<usize> {
    let pairs: [(&[u8], &[u8]); 3] = [(b"<![CDATA[", b"]]>"), (b"<!--", b"-->"), (b"<?", b"?>")];
    let (start, end) = pairs.iter().find(|(start, _)| text.starts_with(start))?;
    let body = &text[start.len()..];
    Some(start.len() + memmem::find(body, end).map_or(body.len(), |at| at + end.len()))
}

/// Names that HTML gives to the characters U+00A0 to U+00FF.
const LATIN_1_NAMES: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf",
    "laquo", "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro",
    "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest",
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute",
    "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute",
    "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute",
    "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
    "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde",
    "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
    "uuml", "yacute", "thorn", "yuml",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(body: &str, with: Repair) -> Option<String> {
        let (mended, done) = repair(body.as_bytes(), &[with])?;
        assert_eq!(done, [with]);
        Some(String::from_utf8(mended).unwrap())
    }

    #[test]
    fn names_of_html_become_bytes_and_those_utf_8() {
        let (mended, done) = repair(
            b"caf&Atilde;&copy; &aelig;\x97&yen; &eacute; &amp;lt; &x;",
            Repair::ALL,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(mended).unwrap(),
            "café 日 é &amp;lt; &amp;x;"
        );
        assert_eq!(done, [Repair::HtmlEntities, Repair::BareAmpersand]);
        assert_eq!(html_entity(b"&nbsp;"), Some((0xA0, 6)));
        assert_eq!(html_entity(b"&yuml;x"), Some((0xFF, 6)));
        assert_eq!(html_entity(b"&times;"), Some((0xD7, 7)));
        assert_eq!(mend("&amp; &lt; &euro;", Repair::HtmlEntities), None);
    }

    #[test]
    fn stray_bytes_are_latin_1() {
        assert_eq!(repair("café".as_bytes(), &[Repair::Latin1]), None);
        let (mended, done) = repair(b"\xe9 \xc3\xa9 \xff", &[Repair::Latin1]).unwrap();
        assert_eq!(
            (mended.as_slice(), done.as_slice()),
            ("é é ÿ".as_bytes(), [Repair::Latin1].as_slice())
        );
    }

    #[test]
    fn the_wrong_end_tag_is_replaced_once() {
        let body = "<CancelInviteRequest><Canceled><User/>\n<Canceled/><GroupID/>";
        assert_eq!(
            mend(body, Repair::CanceledEndTag).unwrap(),
            "<CancelInviteRequest><Canceled><User/>\n</Canceled><GroupID/>"
        );
        for good in [
            "<Canceled><Canceled/>",
            "<CancelInviteRequest><Canceled></Canceled><Canceled/>",
            "<CancelInviteRequest><Canceled/>",
        ] {
            assert_eq!(mend(good, Repair::CanceledEndTag), None, "{good}");
        }
    }

    #[test]
    fn only_ampersands_that_start_nothing_are_escaped() {
        let good = "<a b='&quot;'>&amp;&#38;&#x26;&eacute;<![CDATA[&]]><!-- & --></a>";
        assert_eq!(mend(good, Repair::BareAmpersand), None);
        assert_eq!(
            mend("<a b='x&y'>R&D; & &amp;&#q; &</a>", Repair::BareAmpersand).unwrap(),
            "<a b='x&amp;y'>R&amp;D; &amp; &amp;&amp;#q; &amp;</a>"
        );
    }

    #[test]
    fn a_less_than_that_begins_no_tag_is_escaped() {
        let good = "<?xml version='1.0'?><!DOCTYPE a><a b='>'><![CDATA[<3]]><!-- <3 --><é/></a>";
        assert_eq!(mend(good, Repair::BareLessThan), None);
        assert_eq!(
            mend(
                "<a b=\"<3\">I <3 you, 1 < 2 <y but </3</a>",
                Repair::BareLessThan
            )
            .unwrap(),
            "<a b=\"&lt;3\">I &lt;3 you, 1 &lt; 2 &lt;y but &lt;/3</a>"
        );
        // What looks like a tag is left to the reader.
        assert_eq!(mend("<a>x <b> y</a>", Repair::BareLessThan), None);
    }

    #[test]
    fn values_end_where_the_tag_can_go_on() {
        assert_eq!(
            mend(
                "<U id=\"bo\"b<x@b\" n='\"' m = \"a\"/><V w=\"\"\"></V>",
                Repair::AttributeQuote
            )
            .unwrap(),
            "<U id=\"bo&quot;b&lt;x@b\" n='\"' m = \"a\"/><V w=\"&quot;\"></V>"
        );
        let good = "<?xml version=\"1.0\"?><a b=\"1\" é = '\"<'><![CDATA[ <a b=\"\"\"> ]]></a>";
        assert_eq!(mend(good, Repair::AttributeQuote), None);
    }
}
