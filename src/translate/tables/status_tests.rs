use super::super::Mappings;
use super::*;

fn table() -> StatusTable {
    Mappings::built_in().status
}

fn printed(code: u16, context: Context) -> (String, String) {
    let error = table().error(Code(code), context, None).unwrap();
    let element: Element = error.into();
    let condition = element
        .children()
        .find(|c| c.has_ns(ns::XMPP_STANZAS) && c.name() != "text")
        .unwrap();
    (
        element.attr("type").unwrap().to_owned(),
        condition.name().to_owned(),
    )
}

fn error(condition: &str, more: &str) -> Element {
    format!(
        "<error xmlns='{}' type='cancel'><{condition} xmlns='{}'/>{more}</error>",
        ns::DEFAULT_NS,
        ns::XMPP_STANZAS
    )
    .parse()
    .unwrap()
}

#[test]
fn codes_become_errors_as_in_section_12_1() {
    let rows: &[(&[u16], &str, &str)] = &[
        (&[400, 402], "cancel", "bad-request"),
        (&[405], "cancel", "feature-not-implemented"),
        (&[401, 409], "auth", "not-authorized"),
        (&[403, 902, 903], "auth", "forbidden"),
        (
            &[404, 423, 424, 425, 426, 700, 800],
            "cancel",
            "item-not-found",
        ),
        (&[408, 504, 535], "wait", "remote-server-timeout"),
        (&[410], "cancel", "service-unavailable"),
        (&[415, 432, 540], "modify", "not-acceptable"),
        (&[427, 531], "cancel", "item-not-found"),
        (&[429, 901], "modify", "jid-malformed"),
        (&[500], "wait", "internal-server-error"),
        (&[501, 506, 760, 821], "cancel", "feature-not-implemented"),
        (&[503, 600, 604], "wait", "service-unavailable"),
        (&[505, 516], "cancel", "remote-server-not-found"),
        (&[507], "wait", "resource-constraint"),
        (&[521, 522, 533], "wait", "recipient-unavailable"),
        (&[532, 534], "cancel", "service-unavailable"),
        (&[536, 537], "modify", "policy-violation"),
        (&[562], "modify", "bad-request"),
        (&[538], "cancel", "not-acceptable"),
        (&[542], "wait", "remote-server-timeout"),
        (&[701, 801, 807, 811], "cancel", "conflict"),
        (&[702, 750, 751, 752, 806, 822], "modify", "not-acceptable"),
        (
            &[753, 754, 755, 814, 815, 817],
            "wait",
            "resource-constraint",
        ),
        (&[808, 810], "auth", "not-allowed"),
        (&[803, 809, 812, 813, 816, 431], "auth", "forbidden"),
        (&[900], "cancel", "undefined-condition"),
        // By class, known to the list and not.
        (&[406, 450, 499], "cancel", "bad-request"),
        (&[502, 543, 599], "wait", "internal-server-error"),
        (&[601, 699], "wait", "service-unavailable"),
        (&[799, 802, 899], "cancel", "item-not-found"),
        (&[920, 999], "cancel", "undefined-condition"),
    ];
    for (codes, kind, condition) in rows {
        for code in *codes {
            let expected = ((*kind).to_owned(), (*condition).to_owned());
            assert_eq!(printed(*code, Context::Other), expected, "{code}");
        }
    }
    for (code, context, kind, condition) in [
        (808, Context::Message, "cancel", "not-acceptable"),
        (810, Context::Groupchat, "cancel", "not-acceptable"),
        (817, Context::Join, "wait", "service-unavailable"),
        (809, Context::Join, "auth", "forbidden"),
        (816, Context::Join, "auth", "registration-required"),
    ] {
        let expected = (kind.to_owned(), condition.to_owned());
        assert_eq!(printed(code, context), expected, "{code}");
    }
    for success in [100, 200, 201, 202, 541] {
        assert_eq!(table().error(Code(success), Context::Other, None), None);
    }
}

#[test]
fn errors_become_codes_as_in_section_12_2() {
    use Context::{Create, Group, Groupchat, Join, Message, Nick, Other, Presence};
    let rows: &[(&str, [u16; 4])] = &[
        ("bad-request", [400, 400, 400, 400]),
        ("feature-not-implemented", [405, 405, 501, 405]),
        ("gone", [531, 531, 800, 404]),
        ("redirect", [531, 531, 800, 404]),
        ("internal-server-error", [500, 500, 500, 500]),
        ("item-not-found", [531, 531, 800, 404]),
        ("jid-malformed", [901, 901, 901, 901]),
        ("not-acceptable", [415, 750, 806, 402]),
        ("not-allowed", [403, 403, 816, 403]),
        ("not-authorized", [401, 403, 816, 401]),
        ("policy-violation", [403, 403, 816, 537]),
        ("recipient-unavailable", [533, 533, 410, 533]),
        ("registration-required", [403, 403, 816, 403]),
        ("remote-server-not-found", [516, 516, 516, 516]),
        ("remote-server-timeout", [504, 504, 504, 504]),
        ("resource-constraint", [507, 503, 817, 503]),
        ("service-unavailable", [533, 531, 800, 503]),
        ("subscription-required", [534, 534, 816, 403]),
        ("undefined-condition", [500, 500, 500, 500]),
        ("unexpected-request", [500, 500, 500, 500]),
        ("no-such-condition", [500, 500, 500, 500]),
    ];
    let table = table();
    for (condition, codes) in rows {
        for (context, code) in [Message, Presence, Group, Other].into_iter().zip(codes) {
            let found = table.code(&error(condition, ""), context);
            assert_eq!(found, Code(*code), "{condition} {context:?}");
        }
    }
    for (condition, context, code) in [
        ("conflict", Message, 500),
        ("conflict", Join, 811),
        ("conflict", Create, 801),
        ("conflict", Other, 402),
        ("forbidden", Join, 809),
        ("forbidden", Group, 816),
        ("item-not-found", Nick, 410),
        ("not-acceptable", Groupchat, 808),
        ("service-unavailable", Join, 817),
    ] {
        let found = table.code(&error(condition, ""), context);
        assert_eq!(found, Code(code), "{condition} {context:?}");
    }
}

#[test]
fn blocked_restored_and_legacy_codes_are_seen() {
    let table = table();
    let blocked = error(
        "not-acceptable",
        "<blocked xmlns='urn:xmpp:blocking:errors'/>",
    );
    assert_eq!(table.code(&blocked, Context::Message), Code(415));
    let blocked = error(
        "service-unavailable",
        "<blocked xmlns='urn:xmpp:blocking:errors'/>",
    );
    assert_eq!(table.code(&blocked, Context::Message), Code::BLOCKED);
    let restored = error(
        "service-unavailable",
        "<imps-status xmlns='urn:x-imps:status' code='538'/>",
    );
    assert_eq!(table.code(&restored, Context::Presence), Code(538));
    for (legacy, code) in [("404", 531), ("503", 533), ("408", 504), ("777", 500)] {
        let error: Element = format!("<error xmlns='{}' code='{legacy}'/>", ns::DEFAULT_NS)
            .parse()
            .unwrap();
        assert_eq!(table.code(&error, Context::Message), Code(code));
    }
}

#[test]
fn a_code_survives_the_way_there_and_back() {
    let table = table();
    // But for those that must not be told.
    let told = |code: &u16| !matches!(code, 532 | 534);
    for code in CODES.into_iter().chain([499, 777]).filter(told) {
        if let Some(error) = table.error(Code(code), Context::Message, None) {
            let element: Element = error.into();
            assert_eq!(table.code(&element, Context::Message), Code(code));
        }
    }
}

#[test]
fn the_text_names_code_and_meaning() {
    let error = table().error(Code(531), Context::Message, None).unwrap();
    assert_eq!(error.texts["en"], "IMPS 531: Unknown user");
    let error = table()
        .error(Code(427), Context::Message, Some("no bob"))
        .unwrap();
    assert_eq!(error.texts["en"], "IMPS 427: no bob");
}

#[test]
fn an_error_has_the_text_of_its_code_where_the_description_has_none() {
    let table = table();
    let text = |code: u16, description: Option<&str>| {
        let error = table
            .error(Code(code), Context::Message, description)
            .unwrap();
        error.texts.values().next().unwrap().clone()
    };
    for nothing in [
        None,
        Some(""),
        Some(" "),
        Some("Complete"),
        Some("success!"),
        Some("OK"),
    ] {
        assert_eq!(text(531, nothing), "IMPS 531: Unknown user", "{nothing:?}");
    }
    assert_eq!(
        text(531, Some("no nobody here")),
        "IMPS 531: no nobody here"
    );
    assert_eq!(Code::OK.said(Some("Complete")), Some("Complete"));
    for code in 200..1000 {
        if let Some(error) = table.error(Code(code), Context::Message, Some("Complete")) {
            let text = error.texts.values().next().unwrap();
            // A code that must not be told is shown as another one.
            let shown = table.codes.get(&code).and_then(|row| row.shown_as);
            let shown = shown.unwrap_or(code);
            assert_eq!(*text, format!("IMPS {shown}: {}", table.means(Code(shown))));
        }
    }
}

#[test]
fn nothing_tells_that_a_sender_is_blocked() {
    let table = Mappings::built_in().status;
    for context in [Context::Message, Context::Presence, Context::Other] {
        let unreachable = table.error(Code::UNDELIVERABLE, context, None).unwrap();
        for code in [532, 534] {
            for description in [None, Some("Recipient blocked the sender")] {
                let told = table.error(Code(code), context, description).unwrap();
                assert_eq!(told, unreachable, "{code}");
            }
        }
    }
}
