//! Links that come from XMPP.

use super::*;
use crate::element::FetchTerms;

fn fetching() -> GatewaySettings {
    let fetch = FetchTerms {
        types: vec!["image/*".to_owned()],
        most: 1000,
        limit: std::time::Duration::from_secs(10),
        inside: Vec::new(),
    };
    let files = FileSettings {
        fetch,
        ..FileSettings::default()
    };
    GatewaySettings {
        files: Box::new(files),
        ..GatewaySettings::default()
    }
}

const LINK: &str = "<message type='chat' id='x-1' from='alice@home.example/pc' to='bob@village.example'>\
    <body>https://f.example/cat.png</body><x xmlns='jabber:x:oob'><url>https://f.example/cat.png</url></x></message>";

#[test]
fn a_link_alone_is_text_unless_the_operator_wants_it_fetched() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(LINK);
    assert_eq!(world.transfer(), None);
    assert!(world.sent()[0].contains("SendMessageRequest"));
}

#[test]
fn what_is_at_a_link_arrives_as_content() {
    let mut world = World::up(fetching());
    world.xmpp(LINK);
    assert!(world.sent().is_empty());
    let Errand::Fetch { url, terms } = world.transfer().unwrap().errand else {
        panic!("to be fetched")
    };
    assert_eq!(url, "https://f.example/cat.png");
    assert_eq!(terms, fetching().files.fetch);
    let fetched = Carried::Fetched {
        content_type: "image/png".to_owned(),
        bytes: PICTURE.into(),
    };
    world.carried(fetched);
    let [request] = &world.sent()[..] else {
        panic!("{:?}", world.sent())
    };
    for part in [
        "contentType=\"image/png\"",
        "contentName=\"cat.png\"",
        "messageID=\"x-1\"",
        "userID=\"wv:bob@village.example\"",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    assert!(!world.kept().iter().any(|key| key.contains("/fetch/")));
    // The terminal does not take it: the link goes, once.
    world.answer("<SendMessageResponse messageID='x-1'><Status code='415'/></SendMessageResponse>");
    let [request] = &world.sent()[..] else {
        panic!("{:?}", world.sent())
    };
    assert!(request.contains("text/plain"), "{request}");
    world.answer("<SendMessageResponse messageID='x-2'><Status code='415'/></SendMessageResponse>");
    assert!(world.sent().is_empty());
    assert!(world.message_out().contains("not-acceptable"));
}

#[test]
fn what_cannot_be_fetched_is_told_as_the_link_that_it_is() {
    for fault in [Fault::TooLarge, Fault::Type, Fault::Refused, Fault::Passing] {
        let mut world = World::up(fetching());
        world.xmpp(LINK);
        world.carried(Carried::Failed(fault));
        assert!(world.sent()[0].contains("text/plain"), "{fault:?}");
    }
    // A restart begins anew; silence ends it.
    let mut world = World::up(fetching());
    world.xmpp(LINK);
    world.restart();
    world.pass(0);
    assert!(world.transfer().is_some());
    world.pass(60_000);
    assert!(world.sent()[0].contains("text/plain"));
    assert!(!world.kept().iter().any(|key| key.contains("/fetch/")));
    // What says that it is too large, or of another type, is not asked for.
    for file in [
        "<media-type>image/png</media-type><size>5000</size>",
        "<media-type>text/html</media-type>",
    ] {
        let mut world = World::up(fetching());
        world.xmpp(&format!(
            "<message id='x-1' from='alice@home.example/pc' to='bob@village.example'>\
             <file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'>{file}</file><sources>\
             <url-data xmlns='http://jabber.org/protocol/url-data' target='https://f.example/a'/></sources></file-sharing></message>"
        ));
        assert_eq!(world.transfer(), None, "{file}");
        assert_eq!(world.sent().len(), 1);
    }
}
