//! How long the texts of a message may be: each text of each primitive with the longest that is
//! allowed and with the shortest that is not.

use std::collections::BTreeMap;

use bytes::Bytes;
use wvgate::imps::Primitive;
use wvgate::imps::xml::{self, Limits, Malformed, Texts};
use wvgate::ssp::Message;
use wvgate::ssp::envelope::scan;

use super::codec_fixtures::{samples, transactions};

/// The sample of each primitive, as text.
fn sample_of_each() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (_, body) in samples() {
        let message = scan(&body, &Limits::default()).unwrap();
        let name = transactions(&message).1[0].name.to_string();
        let text = String::from_utf8(body.to_vec()).unwrap();
        found.entry(name).or_insert(text);
    }
    for name in Primitive::NAMES {
        assert!(found.contains_key(*name), "no sample of {name}");
    }
    found
}

fn both(text: String) -> (Option<Malformed>, Option<Malformed>) {
    let limits = Limits::default();
    let parsed = xml::parse(text.as_bytes(), &limits).err();
    (scan(&Bytes::from(text), &limits).err(), parsed)
}

/// `text` with `from..to` replaced by what `fill` makes of a length.
fn with(text: &str, (from, to): (usize, usize), filling: &str) -> String {
    format!("{}{filling}{}", &text[..from], &text[to..])
}

/// Name and place of the value of each attribute.
fn attributes(text: &str) -> Vec<(String, (usize, usize))> {
    text.match_indices("=\"")
        .filter(|(at, _)| text[..*at].rfind('<') > text[..*at].rfind('>'))
        .map(|(at, _)| {
            let name = text[..at].rsplit([' ', '\n', '\t']).next().unwrap();
            let start = at + 2;
            (
                name.to_owned(),
                (start, start + text[start..].find('"').unwrap()),
            )
        })
        .collect()
}

/// Name and place of the text of each element that has no children.
fn leaves(text: &str) -> Vec<(String, (usize, usize))> {
    text.match_indices("</")
        .filter_map(|(end, _)| {
            let start = text[..end].rfind('>')? + 1;
            let open = text[..start].rfind('<')?;
            let tag = &text[open + 1..start - 1];
            let name = tag.split_whitespace().next()?;
            let closes = text[end + 2..].starts_with(name);
            (closes && !tag.starts_with('/') && !tag.ends_with('/'))
                .then(|| (name.to_owned(), (start, end)))
        })
        .collect()
}

#[test]
fn each_attribute_of_each_primitive_ends_at_its_bound() {
    let texts = Texts::default();
    let mut tried = BTreeMap::<&str, usize>::new();
    for (primitive, text) in sample_of_each() {
        let root = text.find("<WV-SSP-Message").unwrap();
        for (name, place) in attributes(&text)
            .into_iter()
            .filter(|(_, place)| place.0 > root)
        {
            let (what, limit) = texts.of_attribute(&name);
            let longest = with(&text, place, &"7".repeat(limit));
            assert_eq!(both(longest), (None, None), "{name} in {primitive}");
            let fault = Some(Malformed::Long { what, limit });
            for filling in [
                "7".repeat(limit + 1),
                " ".repeat(limit + 1),
                "7".repeat(100_000),
            ] {
                let longer = with(&text, place, &filling);
                assert_eq!(
                    both(longer),
                    (fault.clone(), fault.clone()),
                    "{name} in {primitive}"
                );
            }
            *tried.entry(what).or_default() += 1;
        }
    }
    for (what, least) in [("an id", 150), ("an address", 200), ("an attribute", 200)] {
        assert!(tried[what] >= least, "{tried:?}");
    }
}

fn long(what: &'static str, limit: usize) -> Option<Malformed> {
    Some(Malformed::Long { what, limit })
}

#[test]
fn each_name_in_words_ends_at_its_bound() {
    let limit = Texts::default().label;
    let mut labels = 0;
    for (primitive, text) in sample_of_each() {
        let is_label = |(name, _): &(String, _)| Texts::is_label(name);
        for (name, place) in leaves(&text).into_iter().filter(is_label) {
            assert_eq!(both(with(&text, place, &"7".repeat(limit))), (None, None));
            for filling in [
                "7".repeat(limit + 1),
                // In pieces.
                format!("{0}<!-- -->{0}", "7".repeat(limit / 2)),
                "<x/>7".repeat(limit / 4),
            ] {
                let fault = long("a name", limit);
                let found = both(with(&text, place, &filling));
                assert_eq!(found, (fault.clone(), fault), "{name} in {primitive}");
            }
            labels += 1;
        }
    }
    assert!(labels >= 20, "{labels}");
}

#[test]
fn each_text_that_is_no_content_ends_at_its_bound() {
    let limit = Texts::default().text;
    let mut tried = BTreeMap::<String, usize>::new();
    for (primitive, text) in sample_of_each() {
        for (name, place) in leaves(&text) {
            if Texts::is_label(&name) || Texts::is_content(&name) {
                continue;
            }
            for filling in [
                "7".repeat(limit),
                "&lt;".repeat(limit / 4),
                format!("{0}<!-- -->{0}", "7".repeat(limit / 2)),
                format!("<![CDATA[{}]]>", "<".repeat(limit)),
                format!("{}<x/>{}", " ".repeat(3 * limit), "7".repeat(limit)),
                // Between elements stands nothing.
                "<x>7</x>\n    ".repeat(limit / 2),
            ] {
                let found = both(with(&text, place, &filling));
                assert_eq!(found, (None, None), "{name} in {primitive}: {filling:.20}");
            }
            for filling in [
                "7".repeat(limit + 1),
                "&lt;".repeat(limit / 4 + 1),
                format!("{0}<!-- -->{0}", "7".repeat(limit / 2 + 1)),
                format!("<![CDATA[{}]]>", "<".repeat(limit + 1)),
                "7<x/>".repeat(limit + 1),
                format!("7<x/>{}", " ".repeat(limit)),
                format!("<x>{}</x>", "7".repeat(limit + 1)),
            ] {
                let fault = long("a text", limit);
                let found = both(with(&text, place, &filling));
                assert_eq!(
                    found,
                    (fault.clone(), fault),
                    "{name} in {primitive}: {filling:.20}"
                );
            }
            *tried.entry(name).or_default() += 1;
        }
    }
    for name in [
        "StatusDescription",
        "PresenceValue",
        "InviteNote",
        "Description",
        "Value",
    ] {
        assert!(tried.contains_key(name), "{name}: {tried:?}");
    }
    assert!(tried.len() >= 15, "{tried:?}");
}

#[test]
fn content_ends_only_with_the_body() {
    let limits = Limits::default();
    let mut contents = 0;
    for (primitive, text) in sample_of_each() {
        let is_content = |(name, _): &(String, _)| Texts::is_content(name);
        for (name, place) in leaves(&text).into_iter().filter(is_content) {
            let room = limits.bytes - (text.len() - (place.1 - place.0));
            let largest = both(with(&text, place, &"7".repeat(room)));
            assert_eq!(largest, (None, None), "{name} in {primitive}");
            let fault = Some(Malformed::Size(limits.bytes));
            let longer = with(&text, place, &"7".repeat(room + 1));
            assert_eq!(both(longer), (fault.clone(), fault));
            contents += 1;
        }
    }
    assert!(contents >= 7, "{contents}");
}

#[test]
fn each_list_ends_at_its_bound_in_number() {
    let limit = Limits::default().entries;
    let what = "elements within one";
    let fault = Some(Malformed::Count { what, limit });
    let mut lists = 0;
    for (primitive, text) in sample_of_each() {
        for (name, place) in leaves(&text) {
            if Texts::is_label(&name) {
                continue;
            }
            let full = with(&text, place, &"<x/>".repeat(limit));
            assert_eq!(both(full), (None, None), "{name} in {primitive}");
            let over = with(&text, place, &"<x/>".repeat(limit + 1));
            assert_eq!(both(over), (fault.clone(), fault.clone()), "{name}");
            lists += 1;
        }
        if let Some(end) = text.rfind(&format!("</{primitive}>")) {
            let over = with(&text, (end, end), &"<x/>".repeat(limit + 1));
            assert_eq!(both(over), (fault.clone(), fault.clone()), "{primitive}");
        }
    }
    assert!(lists >= 60, "{lists}");
}

#[test]
fn names_of_elements_and_attributes_end_at_their_bound() {
    let limit = Texts::default().name;
    let what = "a name of an element or attribute";
    let fault = Some(Malformed::Long { what, limit });
    let around = |inner: &str| {
        format!(
            "<WV-SSP-Message><Session sessionID='1'><Transaction transactionID='1'>{inner}</Transaction></Session></WV-SSP-Message>"
        )
    };
    for (before, after) in [
        ("<", "/>"),
        ("<p:", "/>"),
        ("<Status ", "='1'/>"),
        ("<a>\n<", "/></a>"),
    ] {
        let prefix = if before == "<p:" { 2 } else { 0 };
        let allowed = around(&format!("{before}{}{after}", "n".repeat(limit - prefix)));
        assert_eq!(both(allowed), (None, None));
        for length in [limit + 1 - prefix, 300_000] {
            let longer = around(&format!("{before}{}{after}", "n".repeat(length)));
            assert_eq!(both(longer), (fault.clone(), fault.clone()), "{before}");
        }
    }
}

#[test]
fn what_is_told_of_a_text_that_is_too_long_has_nothing_of_it() {
    let body = format!(
        "<WV-SSP-Message><Session sessionID='{}'/></WV-SSP-Message>",
        "s".repeat(9000)
    );
    let told = scan(&body.into(), &Limits::default())
        .unwrap_err()
        .to_string();
    assert_eq!(told, "an id longer than 256 bytes");
}

#[test]
fn the_longest_texts_come_out_whole() {
    let limits = Limits::default();
    let id = "i".repeat(limits.texts.id);
    let user = format!("wv:{}@b.test", "u".repeat(limits.texts.address - 10));
    let body = format!(
        "<WV-SSP-Message><Session sessionID='{id}'><Transaction mode='Request' transactionID='{id}'><SendMessageRequest><MessageInfo messageID='{id}'><Recipient><User userID='{user}'/></Recipient></MessageInfo></SendMessageRequest></Transaction></Session></WV-SSP-Message>"
    );
    let Message::Session(session) = scan(&body.into(), &limits).unwrap() else {
        panic!("a setup message")
    };
    let transaction = &session.transactions[0];
    assert_eq!((&session.session, &transaction.id), (&id, &id));
    assert_eq!(transaction.peek.message_id.as_ref(), Some(&id));
    assert_eq!(transaction.peek.recipients[0].as_str(), user);
}
