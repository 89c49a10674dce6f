//! Contents on their way between the forms of both protocols, and what a client can take.

use crate::csp::primitive::content::{ContentBlock, Data, Encoding};
use crate::imps::common::{ContentData, encode_base64};
use crate::imps::status::{Code, Status};
use crate::text::charset::{self, Charset, Reading};
use crate::text::media;
use crate::translate::tables::text_of_html;

use super::terms::Terms;

const HTML: &str = "text/html";
const PLAIN: &str = "text/plain";

/// A content as a client gets it.
pub(super) struct Shown {
    /// Its media type.
    pub(super) content_type: String,
    /// How it is written.
    pub(super) encoding: Encoding,
    /// As it stands in the message.
    pub(super) data: Data,
    /// Bytes of the content itself.
    pub(super) size: u64,
}

/// The content that a client has written, whose type it says beside it.
///
/// # Errors
/// It says base64, and it is none: the status.
pub(super) fn read(
    data: &Data,
    encoding: Option<Encoding>,
    content_type: Option<&str>,
) -> Result<ContentData, Status> {
    let bytes = data.decoded(encoding).ok_or_else(|| {
        Status::new(Code::BAD_REQUEST).because("The content is not the base64 that it says.")
    })?;
    let content_type = content_type.map(str::trim).filter(|one| !one.is_empty());
    let content_type = content_type.unwrap_or(PLAIN);
    // Characters that stood in the message were read with it, whatever they say of themselves.
    let stood_there = encoding != Some(Encoding::Base64);
    let is_text = is_text(content_type) && std::str::from_utf8(&bytes).is_ok();
    let content_type = if is_text && (stood_there || charset_of(content_type).is_none()) {
        media::with_charset(content_type, "utf-8")
    } else {
        content_type.to_owned()
    };
    Ok(ContentData {
        content_type,
        bytes: bytes.into_owned(),
    })
}

/// A content as the client can take it: text is text of the message itself, HTML for who takes
/// none is the text a person would read of it. `about`: what is said of its type elsewhere.
pub(super) fn show(content: &ContentData, about: Option<&str>, terms: &Terms) -> Shown {
    let declared = declared(content, about);
    let named = charset_of(declared).or_else(|| charset_of(about?));
    if is_text(declared)
        && let Some(text) = text(named, &content.bytes)
    {
        let is_html = media::essence(declared) == HTML;
        let plain = is_html
            && (terms.switches.plain_text
                || !terms.capacity.takes(HTML) && terms.capacity.takes(PLAIN));
        let (content_type, text) = if plain {
            (PLAIN.to_owned(), text_of_html(&text))
        } else {
            (without_charset(declared), text)
        };
        return Shown {
            content_type,
            encoding: Encoding::None,
            size: length(text.len()),
            data: Data(text.into_bytes()),
        };
    }
    let size = length(content.bytes.len());
    let content_type = declared.to_owned();
    if terms.wbxml {
        return Shown {
            content_type,
            encoding: Encoding::None,
            data: Data(content.bytes.clone()),
            size,
        };
    }
    Shown {
        content_type,
        encoding: Encoding::Base64,
        data: Data(encode_base64(&content.bytes).into_bytes()),
        size,
    }
}

/// The type that a client is told of a content it does not get yet, and its size.
pub(super) fn announced(content_type: &str, terms: &Terms) -> String {
    let is_html = media::essence(content_type) == HTML;
    if is_html && !terms.capacity.takes(HTML) && terms.capacity.takes(PLAIN) {
        return PLAIN.to_owned();
    }
    if is_text(content_type) {
        return without_charset(content_type);
    }
    content_type.to_owned()
}

/// A welcome note as a client gets it.
pub(super) fn block(content: &ContentData, terms: &Terms) -> ContentBlock {
    let shown = show(content, None, terms);
    ContentBlock {
        content_type: Some(shown.content_type),
        size: Some(shown.size),
        encoding: Some(shown.encoding),
        data: Some(shown.data),
    }
}

/// A welcome note as a client writes it; nothing if it is empty.
///
/// # Errors
/// As [`read`].
pub(super) fn of_block(block: &ContentBlock) -> Result<Option<ContentData>, Status> {
    let Some(data) = &block.data else {
        return Ok(None);
    };
    read(data, block.encoding, block.content_type.as_deref()).map(Some)
}

/// Whether the client can take a content that it fetches.
///
/// # Errors
/// It is too long, or of a type it does not take: the status.
pub(super) fn may_fetch(content: &ContentData, terms: &Terms) -> Result<(), Status> {
    let capacity = &terms.capacity;
    let shown = show(content, None, terms);
    if !capacity.takes(&shown.content_type) {
        let why = "The client takes no content of this type.";
        return Err(Status::new(Code::MEDIA_TYPE).because(why));
    }
    if capacity.pull_bytes.is_some_and(|most| shown.size > most) {
        let why = "The content is longer than the client takes.";
        return Err(Status::new(TOO_LARGE).because(why));
    }
    Ok(())
}

/// The answer does not fit into what the client takes.
const TOO_LARGE: Code = Code(432);

/// The type of a content: what it says itself, else what is said of it.
fn declared<'s>(content: &'s ContentData, about: Option<&'s str>) -> &'s str {
    let own = content.content_type.trim();
    if own.is_empty() {
        about.unwrap_or(PLAIN)
    } else {
        own
    }
}

fn charset_of(content_type: &str) -> Option<&str> {
    media::parameter(content_type, "charset")
}

fn is_text(content_type: &str) -> bool {
    media::essence(content_type).starts_with("text/")
}

/// The text of bytes, without what no message can say; `None` if it cannot be read.
fn text(named: Option<&str>, bytes: &[u8]) -> Option<String> {
    match charset::read(named.and_then(Charset::named), bytes) {
        Reading::Text(text) if text.chars().all(is_sayable) => Some(text),
        Reading::Text(text) => Some(text.chars().filter(|c| is_sayable(*c)).collect()),
        Reading::Unreadable => None,
    }
}

/// Whether XML has the character.
fn is_sayable(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// The type without the charset, which is that of the message.
fn without_charset(content_type: &str) -> String {
    let is_charset = |part: &&str| {
        let key = part.split('=').next().unwrap_or_default();
        key.trim().eq_ignore_ascii_case("charset")
    };
    let parts = content_type.split(';').map(str::trim);
    let parts: Vec<&str> = parts
        .filter(|part| !part.is_empty() && !is_charset(part))
        .collect();
    if parts.is_empty() {
        return PLAIN.to_owned();
    }
    parts.join("; ")
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
