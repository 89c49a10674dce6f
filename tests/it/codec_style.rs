//! A peer's style changes names on output only, and what it writes is still
//! read as the same value.

use std::collections::BTreeMap;

use wvgate::imps::common::{ContentData, MessageInfo};
use wvgate::imps::primitive::message::SendMessageRequest;
use wvgate::imps::primitive::session::{SendSecretToken, Token};
use wvgate::imps::xml::{Limits, Style, parse};
use wvgate::imps::{Address, Primitive};
use wvgate::ssp::envelope::decode_fragment;

use super::codec_fixtures::deployed_style;

fn one(from: &str, to: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(from.to_owned(), to.to_owned())])
}

fn message() -> Primitive {
    SendMessageRequest {
        delivery_report: false,
        meta: None,
        info: MessageInfo {
            message_id: Some("m1".into()),
            uri: Some("http://h.example/?a=1&b=2".into()),
            content_type: None,
            content_name: Some("a \"b\"".into()),
            content_size: None,
            validity: Some(600),
            recipients: Vec::new(),
            recipient_display: None,
            sender: None,
            date_time: None,
        },
        content: Some(ContentData::text("hi")),
    }
    .into()
}

#[test]
fn twins_are_written_beside_the_attribute_and_read_as_one() {
    let printed = message().to_xml(Some(&deployed_style()));
    for twins in [
        r#" validity="600" validlity="600""#,
        r#" messageURI="http://h.example/?a=1&amp;b=2" MessageURI="http://h.example/?a=1&amp;b=2""#,
        r#" contentName="a &quot;b&quot;" ContentName="a &quot;b&quot;""#,
    ] {
        assert!(printed.contains(twins), "{twins} in {printed}");
    }
    assert_eq!(decode_fragment(printed.as_bytes()).unwrap(), message());
}

#[test]
fn attributes_are_renamed_in_one_element_or_in_all() {
    let token = Primitive::from(SendSecretToken {
        service: Address::service("a.example"),
        protocol: Some("WV-SSP".into()),
        version: Some("1.3".into()),
        token: Token(b"secret".to_vec()),
    });
    for key in ["SendSecretToken@protocolVersion", "@protocolVersion"] {
        let style = Style {
            attributes: one(key, "procotolVersion"),
            ..Style::default()
        };
        let printed = token.to_xml(Some(&style));
        assert!(printed.contains(r#" procotolVersion="1.3""#), "{printed}");
        assert!(!printed.contains("protocolVersion"), "{printed}");
        assert_eq!(decode_fragment(printed.as_bytes()).unwrap(), token);
    }
    let elsewhere = Style {
        attributes: one("LoginRequest@protocolVersion", "x"),
        ..Style::default()
    };
    assert_eq!(token.to_xml(Some(&elsewhere)), token.to_xml(None));
}

#[test]
fn the_rule_of_one_element_goes_before_the_general_one() {
    let mut style = Style {
        twins: one("@validity", "general"),
        ..Style::default()
    };
    style
        .twins
        .insert("MessageInfo@validity".into(), "special".into());
    let printed = message().to_xml(Some(&style));
    assert!(
        printed.contains(r#"validity="600" special="600""#),
        "{printed}"
    );
    assert!(!printed.contains("general"), "{printed}");
}

#[test]
fn both_tags_of_an_element_are_renamed() {
    let style = Style {
        elements: one("ContentData", "Content"),
        ..Style::default()
    };
    let printed = message().to_xml(Some(&style));
    assert!(
        printed.contains("<Content ") && printed.contains("</Content>"),
        "{printed}"
    );
    assert!(parse(printed.as_bytes(), &Limits::default()).is_ok());
}

#[test]
fn an_empty_style_changes_nothing() {
    assert!(Style::default().is_plain());
    assert!(!deployed_style().is_plain());
    assert_eq!(
        message().to_xml(Some(&Style::default())),
        message().to_xml(None)
    );
}
