//! XMPP users' messages on their way to SSP.

use super::messages::send;
use super::*;

const CHAT: &str = "<message type='chat' id='c-1' from='alice@home.example/laptop' to='bob@village.example'>\
    <body>Hi</body><request xmlns='urn:xmpp:receipts'/></message>";

#[test]
fn what_was_no_person_s_words_is_counted_by_kind() {
    let mut world = World::up(GatewaySettings::default());
    let typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    for _ in 0..2 {
        world.xmpp(&CHAT.replace(
            "<body>Hi</body><request xmlns='urn:xmpp:receipts'/>",
            typing,
        ));
        assert_eq!(world.outcomes(), [Outcome::Untranslatable]);
    }
    assert_eq!(world.gateway.silent()["chat state"], 2);
}

#[test]
fn only_the_recipient_reports_about_a_message() {
    let report = |user: &str| {
        format!(
            "<DeliveryStatusReport><DeliveryResult><Status code='200'/></DeliveryResult><MessageInfo messageID='c-1'><Recipient><User userID='wv:alice@home.example'/></Recipient><Sender><User userID='{user}'/></Sender></MessageInfo></DeliveryStatusReport>"
        )
    };
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(CHAT);
    world.answer("<SendMessageResponse messageID='c-1'><Status code='200'/></SendMessageResponse>");
    world.ssp(None, &report("wv:eve@village.example"));
    assert!(world.out().is_empty());
    world.ssp(None, &report(BOB));
    assert!(world.out()[0].contains("<received"));
}

#[test]
fn a_message_to_the_gateway_itself_or_in_a_wrong_form_comes_back() {
    let mut world = World::up(GatewaySettings::default());
    for (text, condition) in [
        (
            CHAT.replace("bob@village.example", VILLAGE),
            "item-not-found",
        ),
        (CHAT.replace("bob@", r"a\5cb@"), "jid-malformed"),
        (
            CHAT.replace("<body>Hi</body>", "<poll xmlns='urn:example:poll'/>"),
            "feature-not-implemented",
        ),
    ] {
        world.xmpp(&text);
        let [error] = &world.out()[..] else {
            panic!("an error")
        };
        assert!(error.contains(condition), "{error}");
        assert!(world.sent().is_empty());
    }
}

#[test]
fn a_message_from_xmpp_is_a_request_and_its_failure_an_error() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(CHAT);
    let [request] = &world.sent()[..] else {
        panic!("a request")
    };
    for part in [
        "<SendMessageRequest deliveryReport=\"Yes\"",
        "messageID=\"c-1\"",
        "serviceID=\"wv:@home.example\"",
        "<Recipient><User userID=\"wv:bob@village.example\"/>",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    world.answer("<SendMessageResponse messageID='c-1'><Status code='200'/></SendMessageResponse>");
    assert_eq!(world.outcomes(), [Outcome::Relayed]);
    assert!(world.out().is_empty());

    for (answer, code, condition) in [
        (
            "<SendMessageResponse messageID=''><Status code='900'><DetailedResult code='427'/></Status></SendMessageResponse>",
            427,
            "item-not-found",
        ),
        (
            "<SendMessageResponse messageID='c'><Status code='532'/></SendMessageResponse>",
            532,
            "service-unavailable",
        ),
        ("<Status code='504'/>", 504, "remote-server-timeout"),
    ] {
        world.xmpp(&CHAT.replace("c-1", &format!("c-{code}")));
        world.answer(answer);
        assert_eq!(world.outcomes(), [Outcome::Refused(code)]);
        // Nobody hears of being blocked.
        let told = if code == 532 { 410 } else { code };
        let [error] = &world.out()[..] else {
            panic!("an error")
        };
        for part in [
            "to='alice@home.example/laptop'",
            "from='bob@village.example'",
            "type='error'",
            condition,
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert!(
            error.contains(&format!("id='c-{code}'")) && error.contains(&format!("IMPS {told}: "))
        );
        // The sender must learn it even if the link fails now.
        assert_eq!(world.marks().len(), 1);
    }
}

#[test]
fn a_message_without_report_that_fails_after_it_was_taken_over_comes_back() {
    for restarts in [false, true] {
        let mut world = World::up(GatewaySettings::default());
        world.xmpp(&CHAT.replace("<request xmlns='urn:xmpp:receipts'/>", ""));
        let token = world.requests()[0].0;
        world.take_over(token);
        assert!(world.out().is_empty());
        if restarts {
            world.restart();
            world.link_up();
        }
        world.answer_to(
            token,
            "<SendMessageResponse messageID='c-1'><Status code='542'/></SendMessageResponse>",
        );
        let [error] = &world.out()[..] else {
            panic!("an error")
        };
        assert!(error.contains("type='error'") && error.contains("id='c-1'"));
        assert!(
            !world
                .kept()
                .iter()
                .any(|key| key.starts_with(records::RECEIVED))
        );
    }
    // What arrives after all is no news.
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(&CHAT.replace("<request xmlns='urn:xmpp:receipts'/>", ""));
    let token = world.requests()[0].0;
    world.take_over(token);
    world.answer_to(
        token,
        "<SendMessageResponse messageID='c-1'><Status code='200'/></SendMessageResponse>",
    );
    assert!(world.out().is_empty());
    assert_eq!(world.kept(), [""; 0]);
}

#[test]
fn a_report_is_a_receipt_for_the_stanza_it_is_about_even_after_a_restart() {
    let mut world = World::up(GatewaySettings::default());
    // An id that SSP cannot have.
    world.xmpp(&CHAT.replace("c-1", "c 1"));
    let request = world.sent().remove(0);
    let at = request.find("messageID=\"").unwrap() + 11;
    let id = request[at..at + 16].to_owned();
    assert!(!request.contains("c 1"));
    world.answer("<SendMessageResponse messageID='x'><Status code='200'/></SendMessageResponse>");
    assert_eq!(world.kept().len(), 1);
    world.restart();
    world.link_up();
    let report = |code: u16, id: &str| {
        format!(
            "<DeliveryStatusReport><DeliveryResult><Status code='{code}'/></DeliveryResult><MessageInfo messageID='{id}'>\
            <Recipient><User userID='alice@home.example'/></Recipient><Sender><User userID='wv:bob@village.example'/></Sender></MessageInfo></DeliveryStatusReport>"
        )
    };
    world.ssp(None, &report(541, &id));
    assert!(world.out().is_empty());
    world.ssp(None, &report(200, &id));
    let [receipt] = &world.out()[..] else {
        panic!("a receipt")
    };
    for part in [
        "to='alice@home.example/laptop'",
        "from='bob@village.example/imps'",
        "<received xmlns='urn:xmpp:receipts' id='c 1'",
    ] {
        assert!(receipt.contains(part), "{part} in {receipt}");
    }
    world.confirm(world.marks()[0]);
    assert!(world.kept().is_empty());
    // An unknown message: by its own id, to the bare JID.
    world.ssp(None, &report(538, "old-1"));
    let [error] = &world.out()[..] else {
        panic!("an error")
    };
    assert!(
        error.contains("id='old-1'")
            && error.contains("to='alice@home.example'")
            && error.contains("not-acceptable")
    );
}

#[test]
fn an_id_in_use_is_not_used_twice() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(CHAT);
    world.answer("<SendMessageResponse messageID='c-1'><Status code='200'/></SendMessageResponse>");
    world.xmpp(&CHAT.replace("alice", "carol"));
    assert!(!world.sent()[0].contains("messageID=\"c-1\""));
    world.xmpp(&CHAT.replace(" id='c-1'", ""));
    assert!(world.sent()[0].contains("messageID=\""));
    // The other way round.
    send(&mut world, "m-1", false);
    send(&mut world, "m-1", false);
    assert!(!world.out()[0].contains(" id='m-1'"), "{:?}", world.out());
}

#[test]
fn what_has_no_counterpart_is_counted_and_dropped() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp("<message from='alice@home.example/x' to='bob@village.example'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
    assert_eq!(world.outcomes(), [Outcome::Untranslatable]);
    assert!(world.sent().is_empty() && world.out().is_empty());
    world.xmpp("<message id='e' from='alice@home.example/x' to='bob@village.example'><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>");
    assert!(world.out()[0].contains("not-acceptable"));
    world.xmpp("<message id='e' from='alice@home.example/x' to='bob@other.example'><body>x</body></message>");
    assert!(world.out()[0].contains("remote-server-not-found"));
    world.xmpp("<message type='error' from='alice@home.example/x' to='bob@other.example'><body>x</body></message>");
    assert!(world.out().is_empty());
}

#[test]
fn the_sender_of_encrypted_messages_hears_once_a_day_that_nobody_can_read_them() {
    let mut world = World::up(GatewaySettings::default());
    let message = |inner: &str| {
        format!(
            "<message id='e' type='chat' from='alice@home.example/x' to='bob@village.example/imps'>\
            <encrypted xmlns='eu.siacs.conversations.axolotl'><header/>{inner}</message>"
        )
    };
    let sealed = message("<payload>x</payload></encrypted>");
    let with_text =
        message("<payload>x</payload></encrypted><body>I sent you an encrypted message</body>");
    world.xmpp(&message("</encrypted>"));
    assert!(world.out().is_empty() && world.sent().is_empty());
    world.xmpp(&sealed);
    let [refusal, hint] = &world.out()[..] else {
        panic!("a refusal and a hint, not {:?}", world.out());
    };
    for part in [
        "from='bob@village.example'",
        "to='alice@home.example/x'",
        "type='chat'",
        "switch encryption off",
    ] {
        assert!(hint.contains(part), "{part} in {hint}");
    }
    assert!(refusal.contains("not-acceptable") && refusal.contains("id='e'"));
    world.xmpp(&sealed);
    assert_eq!(world.out().len(), 1);
    // What stands in for it arrives.
    world.xmpp(&with_text);
    assert!(world.out().is_empty());
    assert_eq!(world.sent().len(), 1);
    world.pass(86_400_000);
    world.xmpp(&with_text);
    assert_eq!(world.out().len(), 1);
}
