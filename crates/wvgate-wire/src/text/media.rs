//! Media types with parameters, as senders write them.

/// `type/subtype` in lower case; `text/plain` if there is none.
pub fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    if essence.is_empty() {
        "text/plain".to_owned()
    } else {
        essence
    }
}

/// A parameter of a content type, without quotes.
pub fn parameter<'t>(content_type: &'t str, name: &str) -> Option<&'t str> {
    content_type.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches(['"', '\'']).trim())
    })
}

/// The content type with another charset.
pub fn with_charset(content_type: &str, charset: &str) -> String {
    let is_charset = |part: &&str| {
        let key = part.split('=').next().unwrap_or_default();
        key.trim().eq_ignore_ascii_case("charset")
    };
    let others: Vec<&str> = content_type
        .split(';')
        .filter(|part| !is_charset(part))
        .collect();
    format!("{}; charset={charset}", others.join(";").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_is_read_in_its_forms() {
        let html = "Text/HTML ; Charset = \"UTF-8\"; q=1";
        assert_eq!(essence(html), "text/html");
        assert_eq!(essence(" ; charset=x"), "text/plain");
        assert_eq!(parameter(html, "charset"), Some("UTF-8"));
        assert_eq!(parameter("text/plain", "charset"), None);
        assert_eq!(with_charset(html, "big5"), "Text/HTML ; q=1; charset=big5");
        assert_eq!(
            with_charset("text/plain", "big5"),
            "text/plain; charset=big5"
        );
    }
}
