//! Which media types may be served, and how.

/// Types that a browser shows and that can do nothing.
const SHOWN: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "audio/*",
    "video/*",
    "text/plain",
];

/// Types that a browser may carry out, or from which it learns what to carry out. What ends in
/// `+xml` is one too.
const ACTIVE: &[&str] = &[
    "text/html",
    "text/xml",
    "text/css",
    "text/javascript",
    "text/ecmascript",
    "text/cache-manifest",
    "text/xsl",
    "application/xml",
    "application/javascript",
    "application/x-javascript",
    "application/ecmascript",
    "application/wasm",
    "application/x-shockwave-flash",
    "application/java-archive",
    "application/manifest+json",
    "multipart/*",
    "message/*",
];

/// As what files of pictures begin; what stands for any byte is 0. Of types that are not here nothing is
/// known.
const BEGINNINGS: &[(&str, &[u8])] = &[
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/jpg", b"\xff\xd8\xff"),
    ("image/pjpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF87a"),
    ("image/gif", b"GIF89a"),
    ("image/webp", b"RIFF\0\0\0\0WEBP"),
    ("image/bmp", b"BM"),
    ("image/tiff", b"II*\0"),
    ("image/tiff", b"MM\0*"),
];
/// Bytes of a file by which [`is_begun_as`] decides.
pub(super) const BEGINNING: usize = 12;

/// Whether files of a type could act in the name of who serves them. They are never served.
pub fn is_active(kind: &str) -> bool {
    let kind = essence(kind);
    kind.ends_with("+xml") || ACTIVE.iter().any(|pattern| matches(pattern, &kind))
}

/// Whether a type is one of those in a list.
pub(super) fn is_one_of(kind: &str, types: &[String]) -> bool {
    let kind = essence(kind);
    types.iter().any(|pattern| matches(pattern, &kind))
}

/// Whether it is shown in place, rather than saved.
pub(super) fn is_shown(kind: &str) -> bool {
    let kind = essence(kind);
    SHOWN.iter().any(|pattern| matches(pattern, &kind))
}

/// Whether a file that begins so can be of a type: a picture is not called another kind of picture, nor
/// something else a picture.
pub(super) fn is_begun_as(kind: &str, beginning: &[u8]) -> bool {
    let kind = essence(kind);
    let fits = |pattern: &[u8]| {
        let same = |(wanted, byte): (&u8, &u8)| *wanted == 0 || wanted == byte;
        beginning.len() >= pattern.len() && pattern.iter().zip(beginning).all(same)
    };
    let mut known = BEGINNINGS
        .iter()
        .filter(|(name, _)| *name == kind)
        .peekable();
    known.peek().is_none() || known.any(|(_, pattern)| fits(pattern))
}

/// Type and subtype in lower case; `None` if it is no media type.
pub(super) fn checked(kind: &str) -> Option<String> {
    let kind = essence(kind);
    let is_token = |part: &str| {
        let is_of_it = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        (1..=127).contains(&part.len()) && part.bytes().all(is_of_it)
    };
    let (first, second) = kind.split_once('/')?;
    (is_token(first) && is_token(second)).then_some(kind)
}

fn essence(kind: &str) -> String {
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => pattern == kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_act_is_known_in_all_its_forms() {
        for kind in [
            "text/html",
            "TEXT/HTML; charset=utf-8",
            "image/svg+xml",
            "application/xhtml+xml",
            "application/rss+xml",
            " text/javascript ",
            "multipart/related",
        ] {
            assert!(is_active(kind), "{kind}");
            assert!(!is_shown(kind), "{kind}");
        }
        for kind in ["image/png", "text/plain; charset=utf-8", "application/pdf"] {
            assert!(!is_active(kind), "{kind}");
        }
        assert!(is_shown("Image/PNG") && !is_shown("application/pdf"));
    }

    #[test]
    fn a_picture_begins_as_its_type_does() {
        let files: [(&str, &[u8]); 7] = [
            ("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
            ("IMAGE/JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF"),
            ("image/gif", b"GIF89a\x01\0"),
            ("image/gif", b"GIF87a\x01\0"),
            ("image/webp", b"RIFF\x24\x01\0\0WEBPVP8 "),
            ("image/bmp", b"BM\x36\0"),
            ("image/tiff", b"II*\0\x08"),
        ];
        let essences: Vec<String> = files.iter().map(|(kind, _)| essence(kind)).collect();
        for (kind, bytes) in &files {
            for (of, (other, _)) in essences.iter().zip(&files) {
                assert_eq!(
                    is_begun_as(other, bytes),
                    *of == essence(kind),
                    "{kind} {of}"
                );
            }
            assert!(!is_begun_as(kind, &bytes[..1]), "{kind}");
            assert!(!is_begun_as(kind, b"<svg onload='x'/>") && !is_begun_as(kind, b""));
        }
        // Of others nothing is known.
        assert!(is_begun_as("image/x-own", b"x") && is_begun_as("text/plain", b""));
        let longest = BEGINNINGS.iter().map(|(_, pattern)| pattern.len()).max();
        assert_eq!(longest, Some(BEGINNING));
    }

    #[test]
    fn a_type_is_two_words() {
        assert_eq!(checked("Image/PNG; x=y").as_deref(), Some("image/png"));
        for kind in [
            "",
            "image",
            "/png",
            "image/",
            "image/p ng",
            "a/b/c",
            "a/b\r\nX: y",
        ] {
            assert_eq!(checked(kind), None, "{kind}");
        }
    }
}
