//! The repair of references to halves of characters, which old writers of XML make of UTF-16.

use memchr::{memchr, memchr2};

use super::repair::literal;

/// Makes one reference of each pair of halves, and U+FFFD of a half alone; `None` if there are
/// none.
pub(super) fn join(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let mut found = false;
    let mut at = 0;
    while let Some(step) = memchr2(b'&', b'<', &body[at..]) {
        out.extend_from_slice(&body[at..at + step]);
        at += step;
        let rest = &body[at..];
        if let Some((half, length)) = half(rest) {
            found = true;
            let low = half_of(&rest[length..], 0xDC00..=0xDFFF);
            let (code, length) = match low {
                Some((low, more)) if half < 0xDC00 => (
                    0x1_0000 + ((half - 0xD800) << 10) + (low - 0xDC00),
                    length + more,
                ),
                _ => (0xFFFD, length),
            };
            out.extend_from_slice(format!("&#x{code:X};").as_bytes());
            at += length;
        } else {
            // A section that is taken as it is has no references.
            let length = literal(rest).unwrap_or(1);
            out.extend_from_slice(&rest[..length]);
            at += length;
        }
    }
    out.extend_from_slice(&body[at..]);
    found.then_some(out)
}

/// The half that `text` starts with a reference to, and the reference's length.
fn half(text: &[u8]) -> Option<(u32, usize)> {
    half_of(text, 0xD800..=0xDFFF)
}

fn half_of(text: &[u8], range: std::ops::RangeInclusive<u32>) -> Option<(u32, usize)> {
    let number = text.get(..text.len().min(16))?.strip_prefix(b"&#")?;
    let number = &number[..memchr(b';', number)?];
    let length = number.len() + 3;
    let (digits, radix) = match number.strip_prefix(b"x") {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    let is_number = digits.first().is_some_and(|first| *first != b'+');
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    let code = u32::from_str_radix(digits, radix).ok()?;
    range.contains(&code).then_some((code, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_become_the_character_that_was_meant() {
        for (body, mended) in [
            ("a &#xD83D;&#xDE34;", "a &#x1F634;"),
            ("<a b='&#55357;&#56884;'/>", "<a b='&#x1F634;'/>"),
            ("&#xd83d;&#xD83D;&#xDE34;", "&#xFFFD;&#x1F634;"),
            ("&#xDE34;&#xD83D; &#xDE34;", "&#xFFFD;&#xFFFD; &#xFFFD;"),
            (
                "<![CDATA[&#xDE34;]]>&#xDE34;",
                "<![CDATA[&#xDE34;]]>&#xFFFD;",
            ),
        ] {
            let joined = join(body.as_bytes()).unwrap_or_default();
            assert_eq!(String::from_utf8_lossy(&joined), mended);
        }
        for good in [
            "",
            "&",
            "&#",
            "&#x;",
            "&#+55357;",
            "&amp;#xDE34;",
            "&#x1F634;",
            "<a/>",
        ] {
            assert_eq!(join(good.as_bytes()), None, "{good}");
        }
    }
}
