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
