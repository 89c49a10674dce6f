//! What a client can take decides what it gets.

use super::{dialogue, ssp, terms, written};
use crate::client::meaning::{Asked, Capacity, Heard, Interpreter, Terms};
use crate::csp::Version;
use crate::csp::primitive::capability::{AcceptedContentType, Capabilities};
use crate::element::Method;

fn capabilities() -> Capabilities {
    Capabilities {
        client_type: None,
        delivery: None,
        content_types: Vec::new(),
        any_content: None,
        charsets: Vec::new(),
        pull_length: None,
        push_length: None,
        content_length: None,
        text_length: None,
        encodings: Vec::new(),
        bearers: Vec::new(),
        offline_bearers: Vec::new(),
        transactions: None,
        transactions_per_message: None,
        parser_size: None,
        cir_methods: Vec::new(),
        udp_port: None,
        udp_address: None,
        tcp_address: None,
        tcp_port: None,
        cir_url: None,
        cir_sms: None,
        poll_min: None,
        language: None,
        online_handling: None,
        offline_handling: None,
        priority: None,
        session_limit: None,
    }
}

fn types(names: &[&str]) -> Capabilities {
    let names = names.iter().copied();
    Capabilities {
        content_types: names.map(AcceptedContentType::new).collect(),
        ..capabilities()
    }
}

fn with(list: &Capabilities) -> Terms {
    Terms {
        capacity: Capacity::of(list),
        ..terms(Version::V1_2)
    }
}

/// What the client gets of a message with this content.
fn content(terms: Terms, content_type: &str, bytes: &str) -> String {
    let version = terms.version;
    let new = format!(
        r#"<NewMessage><MessageInfo messageID="m" contentType="{content_type}"/><ContentData contentType="{content_type}" encoding="base64">{bytes}</ContentData></NewMessage>"#
    );
    let told = Interpreter::new(terms).tell(&ssp(&new)).unwrap();
    let told = written(version, &told);
    let kind = told.split("<ContentType>").nth(1).unwrap();
    let (kind, _) = kind.split_once("</ContentType>").unwrap();
    let encoding = told.contains("<ContentEncoding>BASE64<");
    let (_, data) = told.split_once("<ContentData>").unwrap();
    let (data, _) = data.split_once("</ContentData>").unwrap();
    format!(
        "{kind} {} {data}",
        if encoding { "base64" } else { "plain" }
    )
}

/// `<p>hi</p>`
const PAGE: &str = "PHA+aGk8L3A+";

#[test]
fn html_is_text_for_who_takes_no_html() {
    let page = "text/html; charset=utf-8";
    assert_eq!(
        content(with(&types(&["text/plain"])), page, PAGE),
        "text/plain plain hi"
    );
    let all = content(with(&types(&[])), page, PAGE);
    assert_eq!(all, "text/html plain &lt;p&gt;hi&lt;/p&gt;");
    let both = content(with(&types(&["text/plain", "text/html"])), page, PAGE);
    assert_eq!(both, all);
    let mut plain = with(&types(&[]));
    plain.switches.plain_text = true;
    assert_eq!(content(plain, page, PAGE), "text/plain plain hi");
}

#[test]
fn text_of_any_charset_is_text_of_the_message() {
    // "\u{fc}" in ISO 8859-1, and in UTF-16.
    for (kind, bytes) in [
        ("text/plain; charset=iso-8859-1", "/A=="),
        ("text/plain; charset=utf-16be", "APw="),
        ("text/plain; charset=utf-8; format=flowed", "w7w="),
    ] {
        let told = content(with(&types(&[])), kind, bytes);
        let flowed = if kind.contains("format") {
            "; format=flowed"
        } else {
            ""
        };
        assert_eq!(told, format!("text/plain{flowed} plain \u{fc}"));
    }
    // What XML has no form for is left out.
    let told = content(with(&types(&[])), "text/plain", "YQFi");
    assert_eq!(told, "text/plain plain ab");
}

#[test]
fn what_is_no_text_is_base64_in_xml_and_octets_in_wbxml() {
    let told = content(with(&types(&[])), "image/png", "iVBORw==");
    assert_eq!(told, "image/png base64 iVBORw==");
    let terms = Terms {
        wbxml: true,
        ..with(&types(&[]))
    };
    let new = r#"<NewMessage><MessageInfo messageID="m"/><ContentData contentType="image/png" encoding="base64">iVBORw==</ContentData></NewMessage>"#;
    let crate::csp::Primitive::NewMessage(told) = Interpreter::new(terms).tell(&ssp(new)).unwrap()
    else {
        panic!("no message");
    };
    assert_eq!(told.content.unwrap().0, [0x89, b'P', b'N', b'G']);
    assert_eq!(told.info.message.content_size, Some(4));
}

#[test]
fn what_the_client_cannot_show_is_not_pushed_to_it() {
    let pushes = |terms: &Terms, kind: &str, bytes| terms.delivery().pushes(kind, bytes);
    let text = with(&types(&["text/plain"]));
    assert!(pushes(&text, "text/plain", 1) && pushes(&text, "text/html", 1));
    assert!(!pushes(&text, "image/png", 1));
    let any = with(&types(&[]));
    assert!(pushes(&any, "image/png", 1 << 20));
    let any = with(&Capabilities {
        any_content: Some(true),
        ..types(&["text/plain"])
    });
    assert!(pushes(&any, "image/png", 1));
    // Without base64, XML can only carry text.
    let no_base64 = Capabilities {
        encodings: vec!["None".to_owned()],
        ..types(&[])
    };
    let mut terms = with(&no_base64);
    assert!(pushes(&terms, "text/x-other", 1) && !pushes(&terms, "image/png", 1));
    terms.wbxml = true;
    assert!(pushes(&terms, "image/png", 1));
    let mut pictures = with(&Capabilities {
        encodings: vec!["None".to_owned()],
        ..types(&["image/png"])
    });
    assert!(!pushes(&pictures, "image/png", 1));
    pictures.wbxml = true;
    assert!(pushes(&pictures, "image/png", 1));
    let small = with(&Capabilities {
        content_length: Some(10),
        delivery: Some("N".to_owned()),
        ..types(&[])
    });
    assert_eq!(small.delivery().method, Method::Notify);
    assert_eq!(small.delivery().max_bytes, Some(10));
    let new = with(&Capabilities {
        push_length: Some(5),
        pull_length: Some(50),
        ..types(&[])
    });
    assert_eq!(new.delivery().max_bytes, Some(5));
    assert_eq!(new.capacity.pull_bytes, Some(50));
}

#[test]
fn what_the_client_could_not_show_even_if_it_fetched_it_is_known() {
    let shows = |terms: &Terms, kind: &str, bytes| terms.delivery().shows(kind, bytes);
    let text = with(&types(&["text/plain"]));
    assert!(shows(&text, "text/html", 1) && !shows(&text, "image/png", 1));
    let any = with(&types(&[]));
    assert!(shows(&any, "image/png", 1 << 20));
    let new = with(&Capabilities {
        push_length: Some(5),
        pull_length: Some(50),
        ..types(&[])
    });
    assert!(shows(&new, "text/plain", 50) && !shows(&new, "text/plain", 51));
}

#[test]
fn what_is_fetched_and_cannot_be_taken_is_refused_with_its_reason() {
    let fetch = |terms: Terms, kind: &str| {
        let answer = format!(
            r#"<GetMessageResponse><Status code="200"/><MessageInfo messageID="m"/><ContentData contentType="{kind}" encoding="base64">iVBORw==</ContentData></GetMessageResponse>"#
        );
        let request = "<GetMessage-Request><MessageID>m</MessageID></GetMessage-Request>";
        dialogue(&mut Interpreter::new(terms), request, &[&answer]).1
    };
    let told = fetch(with(&types(&["text/plain"])), "image/png");
    assert!(told.contains("<Code>415</Code>"), "{told}");
    let short = Capabilities {
        content_length: Some(3),
        ..types(&[])
    };
    let told = fetch(with(&short), "image/png");
    assert!(told.contains("<Code>432</Code>"), "{told}");
    let told = fetch(with(&types(&["image/png"])), "image/png");
    assert!(told.starts_with("<GetMessage-Response>"), "{told}");
}

#[test]
fn what_is_refused_to_the_client_has_not_come_to_it() {
    let heard = |kind: &str| {
        let mut interpreter = Interpreter::new(with(&types(&["text/plain"])));
        let request = "<GetMessage-Request><MessageID>m</MessageID></GetMessage-Request>";
        let request = super::read(Version::V1_2, request);
        let Asked::User(mut exchange, _) = interpreter.ask(request) else {
            panic!("not asked");
        };
        let answer = format!(
            r#"<GetMessageResponse><Status code="200"/><MessageInfo messageID="m"/><ContentData contentType="{kind}" encoding="base64">aGk=</ContentData></GetMessageResponse>"#
        );
        interpreter.hear(&mut exchange, ssp(&answer))
    };
    assert!(matches!(heard("image/png"), Heard::Refused(_)));
    assert!(matches!(heard("text/plain"), Heard::Answer(_)));
}

#[test]
fn the_types_that_are_kept_of_a_client_are_bounded() {
    let names: Vec<String> = (0..100).map(|n| format!("x/{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let terms = with(&types(&names));
    assert!(terms.delivery().is_possible());
    let long = "x/".to_owned() + &"y".repeat(1000);
    assert_eq!(with(&types(&[&long])).capacity.types, None);
}

#[test]
fn terms_are_a_record_that_is_read_back() {
    let mut terms = with(&types(&["text/plain"]));
    terms.recognize(
        &crate::client::meaning::ClientKind::built_in().unwrap(),
        Some("android"),
    );
    let text = serde_json::to_string(&terms).unwrap();
    assert_eq!(serde_json::from_str::<Terms>(&text).unwrap(), terms);
    let old = r#"{"user":"wv:ann@home.test","version":"1.1"}"#;
    let read: Terms = serde_json::from_str(old).unwrap();
    assert_eq!(read, super::terms(Version::V1_1));
    assert!(serde_json::from_str::<Terms>(&old.replace("1.1", "9.9")).is_err());
}
