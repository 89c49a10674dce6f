//! The encoding of a document: what comes in another one than UTF-8 is written anew before it
//! is read (XML 1.0, 4.3.3 and appendix F).

use bytes::Bytes;
use memchr::memmem;

use super::reader::Malformed;
use crate::text::charset::Charset;

/// Bytes in which an XML declaration ends, if it is one.
const DECLARATION: usize = 256;
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The document in UTF-8, without white space before its XML declaration and zero bytes behind
/// its end. A byte order mark counts most, then what the declaration says; without either it is
/// UTF-8. A name of an encoding that is not known is passed over.
///
/// # Errors
/// The bytes are not of the encoding that they are said to be.
pub fn utf_8(body: &Bytes) -> Result<Bytes, Malformed> {
    let charset = match body.get(..4) {
        Some([0xff, 0xfe, ..] | [b'<', 0, _, 0]) => Charset::named("utf-16le"),
        Some([0xfe, 0xff, ..] | [0, b'<', 0, _]) => Charset::named("utf-16be"),
        _ => {
            let trimmed = trimmed(body);
            match declared(&trimmed) {
                Some(charset) if charset.is_bytewise() => Some(charset),
                _ => return Ok(trimmed),
            }
        }
    };
    let text = charset.and_then(|charset| charset.strict(body));
    let text = text.ok_or(Malformed::Encoding(0))?;
    Ok(trimmed(&Bytes::from(text.into_owned())))
}

/// The charset that an XML declaration names.
fn declared(body: &[u8]) -> Option<Charset> {
    let rest = body.strip_prefix(UTF_8_MARK).map_or(body, |_| &[]);
    let rest = rest.strip_prefix(b"<?xml")?;
    let declaration = &rest[..memmem::find(&rest[..rest.len().min(DECLARATION)], b"?>")?];
    let at = memmem::find(declaration, b"encoding")?;
    let value = declaration[at + 8..].trim_ascii_start();
    let value = value.strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    let end = value.iter().position(|byte| byte == quote)?;
    Charset::named(std::str::from_utf8(&value[..end]).ok()?)
}

fn trimmed(body: &Bytes) -> Bytes {
    let end = body
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    let mark = if body.starts_with(UTF_8_MARK) { 3 } else { 0 };
    let rest = &body[mark.min(end)..end];
    let space = rest.len() - rest.trim_ascii_start().len();
    if space > 0 && rest[space..].starts_with(b"<?xml") {
        body.slice(mark + space..end)
    } else {
        body.slice(..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Result<String, Malformed> {
        let body = utf_8(&Bytes::copy_from_slice(body))?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    fn latin_1(encoding: &str, text: &[u8]) -> Vec<u8> {
        let declaration = format!("<?xml version=\"1.0\" encoding={encoding}?>");
        [declaration.as_bytes(), b"<a>", text, b"</a>"].concat()
    }

    #[test]
    fn the_declared_encoding_counts() {
        for (encoding, text, expected) in [
            ("\"ISO-8859-1\"", &b"\xe9"[..], "é"),
            ("'iso-8859-1' ", b"\xc3\xa9", "Ã©"),
            ("\"windows-1251\"", b"\xcf", "П"),
            ("\"Shift_JIS\"", b"\x93\xfa", "日"),
            ("\"UTF-8\"", "é".as_bytes(), "é"),
            ("\"us-ascii\"", "é".as_bytes(), "é"),
            ("\"klingon\"", "é".as_bytes(), "é"),
            // It would have to be UTF-16 to be read that far.
            ("\"UTF-16\"", "é".as_bytes(), "é"),
        ] {
            let found = read(&latin_1(encoding, text)).unwrap_or_default();
            assert!(
                found.ends_with(&format!("<a>{expected}</a>")),
                "{encoding}: {found}"
            );
        }
        assert_eq!(
            read(&latin_1("\"Shift_JIS\"", b"\x93")),
            Err(Malformed::Encoding(0))
        );
    }

    #[test]
    fn utf_16_is_read_with_and_without_a_mark() {
        let text = "<?xml version='1.0' encoding='UTF-16'?><a>é\u{1f600}</a>";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            little.clone(),
            big.clone(),
            [b"\xff\xfe".to_vec(), little.clone()].concat(),
            [b"\xfe\xff".to_vec(), big, vec![0, 0]].concat(),
        ] {
            assert_eq!(read(&bytes).as_deref(), Ok(text));
        }
        assert_eq!(
            read(&little[..little.len() - 1]),
            Err(Malformed::Encoding(0))
        );
        assert_eq!(read(b"<\0a\0>\0\0\xd8"), Err(Malformed::Encoding(0)));
    }

    #[test]
    fn what_stands_around_a_document_is_left_out() {
        for body in [
            &b"<?xml version='1.0'?><a/>\0"[..],
            b"\r\n<?xml version='1.0'?><a/>",
            b"\xef\xbb\xbf\r\n <?xml version='1.0'?><a/>\0\0",
        ] {
            assert_eq!(read(body).as_deref(), Ok("<?xml version='1.0'?><a/>"));
        }
        assert_eq!(read(b"").as_deref(), Ok(""));
        assert_eq!(read(b"\0").as_deref(), Ok(""));
        assert_eq!(read(b" <a/>").as_deref(), Ok(" <a/>"));
        assert_eq!(read(b"<a>\0</a>").as_deref(), Ok("<a>\0</a>"));
    }
}
