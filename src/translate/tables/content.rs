//! Content of messages: media types, charsets, text from HTML (xmpp-mapping,
//! 4.1).

use std::collections::BTreeMap;

use super::rows::{MappingError, Rows};
use crate::text::charset::{self, Charset, Reading};
use crate::text::media::essence;
use crate::translate::stanza::clean;

/// What becomes of content in XMPP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendering {
    /// The text is the body.
    Body,
    /// The text rendering of HTML is the body.
    Html,
    /// The source text is the body.
    Plain,
    /// It becomes a file, and the message a link to it. Where there is no place for files, the
    /// message is refused with 415.
    File,
    /// The same; where there is no place for files, the source text is the body.
    FileOrPlain,
    /// The message is refused with 415.
    Refuse,
}

/// The table `content.toml`: how each content type is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTable {
    types: BTreeMap<String, Rendering>,
    charsets: BTreeMap<String, Charset>,
}

impl ContentTable {
    pub(super) fn read(root: &Rows<'_>) -> Result<Self, MappingError> {
        root.only(&["types", "charsets"])?;
        let rows = root.table("types")?;
        rows.needs(["text/plain", "text/html", "*"], "media types")?;
        let mut types = BTreeMap::new();
        for key in rows.keys() {
            let rendering = match rows
                .one_of(
                    &key,
                    &["body", "html", "plain", "file", "file-or-plain", "refuse"],
                )?
                .as_str()
            {
                "body" => Rendering::Body,
                "html" => Rendering::Html,
                "plain" => Rendering::Plain,
                "file" => Rendering::File,
                "file-or-plain" => Rendering::FileOrPlain,
                _ => Rendering::Refuse,
            };
            types.insert(key.to_ascii_lowercase(), rendering);
        }
        let rows = root.table("charsets")?;
        let mut charsets = BTreeMap::new();
        for key in rows.keys() {
            let name = rows.text(&key)?;
            let Some(charset) = Charset::named(&name) else {
                return Err(rows.wrong(&key, format!("no charset is called \"{name}\"")));
            };
            charsets.insert(key.to_ascii_lowercase(), charset);
        }
        Ok(Self { types, charsets })
    }

    /// What becomes of a content type, parameters allowed.
    pub fn rendering(&self, content_type: &str) -> Rendering {
        let essence = essence(content_type);
        let family = essence.split('/').next().unwrap_or_default();
        self.types
            .get(&essence)
            .or_else(|| self.types.get(&format!("{family}/*")))
            .or_else(|| self.types.get("*"))
            .copied()
            .unwrap_or(Rendering::Refuse)
    }

    /// Text of bytes in the charset of this name, or a notice where they cannot be read; without
    /// the characters XML does not have.
    pub fn decode(&self, name: Option<&str>, bytes: &[u8]) -> String {
        let own = name.and_then(|name| self.charsets.get(&name.to_ascii_lowercase()).copied());
        let known = own.or_else(|| Charset::named(name?));
        match charset::read(known, bytes) {
            Reading::Text(text) => clean(&text).replace("\r\n", "\n").replace('\r', "\n"),
            Reading::Unreadable => charset::notice(name, bytes.len()),
        }
    }
}

/// What a person would read of an HTML page: no tags, no scripts, blocks on
/// lines of their own.
pub fn text_of_html(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        push_text(&mut out, &rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let Some(end) = rest.find('>') else {
            push_text(&mut out, rest);
            rest = "";
            break;
        };
        let tag = rest[1..end].trim_start_matches('/');
        let name: String = tag
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let closing = rest[1..].starts_with('/');
        rest = &rest[end + 1..];
        match name.as_str() {
            "script" | "style" | "head" | "title" if !closing => {
                let close = format!("</{name}");
                let at = rest.to_ascii_lowercase().find(&close);
                rest = at.map_or("", |at| {
                    rest[at..].find('>').map_or("", |end| &rest[at + end + 1..])
                });
            }
            "br" | "p" | "div" | "li" | "tr" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6"
            | "blockquote" | "pre" => {
                while out.ends_with(' ') {
                    out.pop();
                }
                if name == "br" || !out.is_empty() && !out.ends_with('\n') {
                    out.push('\n');
                }
            }
            _ => {}
        }
    }
    push_text(&mut out, rest);
    out.trim().to_owned()
}

fn push_text(out: &mut String, text: &str) {
    let text = unentity(text);
    for c in text.chars() {
        let space = c.is_ascii_whitespace();
        if !space {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
    }
}

fn unentity(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let decoded = rest.find(';').filter(|end| *end <= 10).and_then(|end| {
            let name = &rest[1..end];
            let number = name.strip_prefix('#').and_then(|number| {
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)
            });
            let c = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => '\u{a0}',
                _ => number?,
            };
            Some((c, end + 1))
        });
        if let Some((c, length)) = decoded {
            out.push(c);
            rest = &rest[length..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    clean(&out)
}

#[cfg(test)]
mod tests {
    use super::super::Mappings;
    use super::*;
    use crate::text::media::parameter;
    use proptest::prelude::*;

    #[test]
    fn charsets_are_honoured() {
        let table = Mappings::built_in().content;
        for (content_type, bytes, text) in [
            ("text/plain; charset=utf-8", "é".as_bytes(), "é"),
            ("text/plain", "é".as_bytes(), "é"),
            ("text/plain; charset=ISO-8859-1", b"caf\xe9", "café"),
            ("text/plain; charset=\"us-ascii\"", b"abc", "abc"),
            ("text/plain; charset=klingon", b"caf\xe9", "café"),
            ("text/plain; charset=klingon", "é".as_bytes(), "é"),
            ("text/plain; charset=utf-8", b"abc\xffd", "abc\u{fffd}d"),
            (
                "text/plain; charset=windows-1252",
                b"h\xe9\x80",
                "h\u{e9}\u{20ac}",
            ),
            ("text/plain", b"a\xed\xa0\xbd\xed\xb8\x80b", "a\u{1f600}b"),
            (
                "text/plain; charset=utf-8",
                b"\xff\xfa\x80",
                "[a text of 3 bytes in charset utf-8 that cannot be read]",
            ),
            ("text/plain;charset=utf-16", b"\0a\0\xe9", "aé"),
            (
                "text/plain;charset=106",
                b"\xef\xbb\xbfa\0\x01b\r\nc",
                "ab\nc",
            ),
        ] {
            let charset = parameter(content_type, "charset");
            assert_eq!(table.decode(charset, bytes), text, "{content_type}");
        }
    }

    #[test]
    fn types_have_a_row_or_the_family_s() {
        let table = Mappings::built_in().content;
        for (content_type, rendering) in [
            ("text/plain; charset=utf-8", Rendering::Body),
            ("", Rendering::Body),
            ("Text/HTML", Rendering::Html),
            ("application/xhtml+xml", Rendering::Html),
            ("text/x-vCard", Rendering::FileOrPlain),
            ("text/x-vCalendar", Rendering::FileOrPlain),
            ("text/x-new", Rendering::Plain),
            ("image/png", Rendering::File),
            ("audio/amr", Rendering::File),
            ("application/vnd.wap.mms-message", Rendering::File),
            ("application/vnd.3gpp.sms", Rendering::File),
            ("nonsense", Rendering::File),
        ] {
            assert_eq!(table.rendering(content_type), rendering, "{content_type}");
        }
    }

    #[test]
    fn html_is_read_as_a_person_would() {
        for (html, text) in [
            (
                "<p>Hello <b>Bob</b></p><p>1 &lt; 2 &amp;&#233;</p>",
                "Hello Bob\n1 < 2 &é",
            ),
            ("<html><head><title>x</title></head>a<br/>b", "a\nb"),
            ("a<script>alert('<b>')</script>b<!-- c -->d", "abd"),
            ("1 < 2", "1 < 2"),
            ("a &unknown; b", "a &unknown; b"),
        ] {
            assert_eq!(text_of_html(html), text);
        }
    }

    proptest! {
        #[test]
        fn html_never_panics(html in "[<>a-z/!&;# é-]{0,60}") {
            let _ = text_of_html(&html);
        }
    }
}
