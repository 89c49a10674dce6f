use super::*;
use crate::imps::common::{ContentData, MessageInfo, Recipient, Sender, User};
use crate::imps::primitive::message::SendMessageRequest;

pub(super) fn text(id: &str, text: &str) -> Primitive {
    match message(id, false, &[ALICE]) {
        Primitive::SendMessageRequest(mut request) => {
            request.content = Some(ContentData::text(text));
            Primitive::SendMessageRequest(request)
        }
        other => other,
    }
}

fn message(id: &str, report: bool, to: &[&str]) -> Primitive {
    let recipients = to
        .iter()
        .map(|to| Recipient::User(User::new(Address::new(to))));
    SendMessageRequest {
        delivery_report: report,
        meta: Some(meta(BOB)),
        info: MessageInfo {
            message_id: Some(id.to_owned()),
            uri: None,
            content_type: Some("text/plain".to_owned()),
            content_name: None,
            content_size: None,
            validity: Some(600),
            recipients: recipients.collect(),
            recipient_display: None,
            sender: Some(Sender::user(User::new(Address::new(BOB)))),
            date_time: None,
        },
        content: Some(ContentData::text("Hurry up")),
    }
    .into()
}

pub(super) fn send(world: &mut World, id: &str, report: bool) -> RequestId {
    world.primitive(Some(BOB), message(id, report, &[ALICE]))
}

pub(super) const BACK: &str = "<message type='error' id='m-1' from='alice@home.example' to='bob@village.example/imps'>\
    <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
const RECEIPT: &str = "<message from='alice@home.example/x' to='bob@village.example/imps' id='r'>\
    <received xmlns='urn:xmpp:receipts' id='m-1'/></message>";

#[test]
fn a_message_is_written_down_before_it_is_sent_and_answered_when_it_has_settled() {
    let mut world = World::up(GatewaySettings::default());
    let id = send(&mut world, "m-1", false);
    assert_eq!(
        world.kept(),
        [
            "gateway/out/00000000000000000002",
            "gateway/sent/00000000000000000001"
        ]
    );
    assert_eq!(world.code(id), None);
    let [text] = &world.out()[..] else {
        panic!("one stanza")
    };
    for part in [
        "from='bob@village.example/imps'",
        "to='alice@home.example'",
        "type='chat'",
        "id='m-1'",
        "<body>Hurry up</body>",
        "<origin-id",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let mark = world.marks()[0];
    world.confirm(mark);
    assert_eq!(world.kept(), ["gateway/sent/00000000000000000001"]);
    world.pass(1_999);
    assert_eq!(world.code(id), None);
    world.pass(1);
    assert_eq!(world.code(id), Some(200));
    assert_eq!(world.outcomes(), [Outcome::Delivered]);
    assert!(world.kept().is_empty());
    world.pass(100_000_000);
    assert!(world.acts.is_empty() && world.gateway.next_timeout().is_none());
}

#[test]
fn without_settling_the_answer_comes_with_the_confirmation() {
    let mut world = World::up(GatewaySettings {
        settle: std::time::Duration::ZERO,
        ..GatewaySettings::default()
    });
    let id = send(&mut world, "m-1", false);
    world.confirm(world.marks()[0]);
    assert_eq!(world.code(id), Some(200));
}

#[test]
fn an_error_while_settling_is_the_answer() {
    let mut world = World::up(GatewaySettings::default());
    let id = send(&mut world, "m-1", true);
    world.confirm(world.marks()[0]);
    world.xmpp(BACK);
    assert_eq!(world.code(id), Some(533));
    assert_eq!(world.outcomes(), [Outcome::Refused(533)]);
    assert!(world.sent().is_empty() && world.kept().is_empty());

    // Also when it overtakes the confirmation.
    let id = send(&mut world, "m-1", false);
    world.xmpp(BACK);
    assert_eq!(world.code(id), Some(533));
    assert!(world.kept().is_empty());
}

#[test]
fn a_later_error_is_a_report_if_one_was_asked_for() {
    let mut world = World::up(GatewaySettings::default());
    send(&mut world, "m-1", true);
    world.confirm(world.marks()[0]);
    world.pass(2_000);
    assert_eq!(world.outcomes(), [Outcome::Delivered]);
    world.xmpp(BACK);
    let [report] = &world.sent()[..] else {
        panic!("a report")
    };
    assert!(
        report.contains("code=\"533\"") && report.contains("messageID=\"m-1\""),
        "{report}"
    );
    assert!(world.kept().is_empty());

    send(&mut world, "m-1", false);
    world.confirm(world.marks()[0]);
    world.pass(2_000);
    world.xmpp(BACK);
    assert!(world.acts.is_empty());
}

#[test]
fn a_receipt_is_a_report_of_delivery() {
    let mut world = World::up(GatewaySettings::default());
    let id = send(&mut world, "m-1", true);
    assert!(world.out()[0].contains("<request xmlns='urn:xmpp:receipts'"));
    // From somebody else, or to somebody else: no.
    world.xmpp(&RECEIPT.replace("alice", "eve"));
    world.xmpp(&RECEIPT.replace("bob", "eve"));
    assert!(world.acts.is_empty());
    world.xmpp(RECEIPT);
    assert_eq!(world.code(id), Some(200));
    let [report] = &world.sent()[..] else {
        panic!("a report")
    };
    for part in [
        "code=\"200\"",
        "<Sender><User userID=\"wv:alice@home.example\"",
        "<Recipient><User userID=\"wv:bob@village.example\"",
        "serviceID=\"wv:@home.example\"",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert!(world.kept().is_empty());
    world.xmpp(RECEIPT);
    assert!(world.acts.is_empty());
}

#[test]
fn without_a_receipt_the_message_counts_as_handed_over_unless_receipts_are_strict() {
    let mut world = World::up(GatewaySettings::default());
    send(&mut world, "m-1", true);
    world.confirm(world.marks()[0]);
    world.pass(59_999);
    assert!(world.sent().is_empty());
    world.pass(1);
    assert!(world.sent()[0].contains("code=\"200\""));
    assert!(world.kept().is_empty());

    let mut world = World::up(GatewaySettings {
        strict_receipts: true,
        ..GatewaySettings::default()
    });
    send(&mut world, "m-1", true);
    world.confirm(world.marks()[0]);
    world.pass(599_999);
    assert!(world.sent().is_empty());
    world.pass(1);
    assert!(world.sent()[0].contains("code=\"542\""));
}

#[test]
fn while_the_link_is_down_messages_wait_and_are_answered_in_time() {
    let mut world = World::new();
    let id = send(&mut world, "m-1", true);
    assert!(world.out().is_empty());
    world.pass(54_999);
    assert_eq!(world.code(id), None);
    world.pass(1);
    assert_eq!(world.code(id), Some(200));
    assert!(world.outcomes().is_empty());
    world.link_up();
    assert_eq!(world.out().len(), 1);
    world.confirm(world.marks()[0]);
    world.pass(2_000);
    assert_eq!(world.outcomes(), [Outcome::Delivered]);
    world.xmpp(RECEIPT);
    assert!(world.sent()[0].contains("code=\"200\""));
}

#[test]
fn a_message_that_waited_too_long_is_reported_as_expired() {
    let mut world = World::new();
    let id = send(&mut world, "m-1", true);
    world.pass(600_000);
    assert_eq!(world.code(id), Some(200));
    assert_eq!(world.outcomes(), [Outcome::Expired]);
    assert!(world.sent()[0].contains("code=\"542\""));
    assert!(world.kept().is_empty());
    world.link_up();
    assert!(world.out().is_empty());
}

#[test]
fn an_unconfirmed_message_goes_out_again_with_the_same_id_after_a_restart() {
    let mut world = World::up(GatewaySettings::default());
    let first = send(&mut world, "m-1", true);
    let text = world.out();
    send(&mut world, "m-2", false);
    let mark = world.marks()[0];
    world.link_down();
    world.restart();
    world.link_up();
    assert_eq!(world.out()[..1], text);
    assert!(world.out()[1].contains("id='m-2'"));
    let marks = world.marks();
    assert_eq!(marks[1], mark);
    // The first is confirmed, the second is lost with the next link.
    world.confirm(marks[0]);
    world.link_down();
    world.restart();
    world.link_up();
    assert_eq!(world.marks(), [mark]);
    world.confirm(mark);
    world.pass(2_000);
    assert_eq!(world.code(first), Some(200));
    assert_eq!(world.outcomes(), [Outcome::Delivered, Outcome::Delivered]);
    world.restart();
    world.xmpp(RECEIPT);
    assert!(world.sent()[0].contains("DeliveryStatusReport"));
    assert!(world.kept().is_empty());
}

#[test]
fn every_recipient_counts() {
    let mut world = World::up(GatewaySettings::default());
    let to = [ALICE, "wv:carol@home.example", "wv:dave@third.example"];
    let id = world.primitive(Some(BOB), message("m-1", true, &to));
    assert_eq!(world.out().len(), 2);
    world.confirm(*world.marks().last().unwrap());
    world.xmpp(BACK);
    world.pass(2_000);
    assert_eq!(world.code(id), Some(201));
    let Some(Act::Respond {
        primitive: Primitive::SendMessageResponse(response),
        ..
    }) = world.acts.first()
    else {
        panic!("an answer");
    };
    let details: Vec<_> = response
        .status
        .details
        .iter()
        .map(|d| (d.code.0, d.users[0].user.as_str()))
        .collect();
    assert_eq!(details, [(516, "wv:dave@third.example"), (533, ALICE)]);
    let ends = [
        Outcome::Refused(516),
        Outcome::Refused(533),
        Outcome::Delivered,
    ];
    assert_eq!(world.outcomes(), ends);
    world.xmpp(&RECEIPT.replace("alice", "carol"));
    assert_eq!(world.sent().len(), 1);
    assert!(world.kept().is_empty());
}

#[test]
fn what_cannot_be_sent_is_refused_at_once() {
    let mut world = World::up(GatewaySettings {
        max_queue: 1,
        ..GatewaySettings::default()
    });
    let mut refused = |primitive: Primitive, code: u16| {
        let id = world.primitive(Some(BOB), primitive);
        assert_eq!(world.code(id), Some(code));
        let outcomes = world.outcomes();
        assert!(!outcomes.is_empty() && outcomes.iter().all(|end| *end == Outcome::Refused(code)));
        assert!(world.stanzas.is_empty());
    };
    refused(message("m", false, &["wv:x@third.example"]), 516);
    refused(message("m", false, &["wv:%20x@home.example"]), 901);
    refused(message("m", false, &[ALICE, ALICE]), 507);
    let Primitive::SendMessageRequest(mut stranger) = message("m", false, &[ALICE]) else {
        panic!("a message");
    };
    stranger.info.sender = Some(Sender::user(User::new(Address::new("wv:x@third.example"))));
    refused(Primitive::SendMessageRequest(stranger), 516);
    let Primitive::SendMessageRequest(mut group) = message("m", false, &[ALICE]) else {
        panic!("a message");
    };
    group.info.recipients = vec![Recipient::Group(crate::imps::common::GroupId {
        group: Address::new("wv:/club@home.example"),
    })];
    refused(Primitive::SendMessageRequest(group), 808);
    assert_eq!(world.kept(), Vec::<&str>::new());
    send(&mut world, "m-1", false);
    let id = send(&mut world, "m-2", false);
    assert_eq!(world.code(id), Some(507));
}

#[test]
fn plain_text_of_other_content_counts_as_degraded() {
    let mut world = World::up(GatewaySettings {
        settle: std::time::Duration::ZERO,
        ..GatewaySettings::default()
    });
    let Primitive::SendMessageRequest(mut source) = message("m", false, &[ALICE]) else {
        panic!("a message");
    };
    source.info.content_type = Some("text/x-source".to_owned());
    world.primitive(Some(BOB), Primitive::SendMessageRequest(source));
    world.confirm(world.marks()[0]);
    let degraded = Outcome::Degraded(crate::element::Degraded::PlainText);
    assert_eq!(world.outcomes(), [degraded]);
}

#[test]
fn words_beside_a_receipt_arrive_and_the_receipt_counts() {
    let mut world = World::up(GatewaySettings::default());
    send(&mut world, "m-1", true);
    world.xmpp(&RECEIPT.replace("<received", "<body>Thanks</body><received"));
    let sent = world.sent();
    assert!(
        sent.iter()
            .any(|text| text.starts_with("<SendMessageRequest")),
        "{sent:?}"
    );
    assert!(
        sent.iter()
            .any(|text| text.contains("DeliveryStatusReport") && text.contains("code=\"200\""))
    );
}

#[test]
fn a_receipt_of_the_old_form_names_the_message_by_the_stanza_s_id() {
    let mut world = World::up(GatewaySettings::default());
    send(&mut world, "m-1", true);
    world.xmpp("<message from='alice@home.example/x' to='bob@village.example/imps' id='m-1'><received xmlns='urn:xmpp:receipts'/></message>");
    assert!(world.sent()[0].contains("code=\"200\""));
}

#[test]
fn a_bounce_without_a_reason_is_a_failure() {
    let mut world = World::up(GatewaySettings::default());
    let id = send(&mut world, "m-1", false);
    world.xmpp(
        "<message type='error' id='m-1' from='alice@home.example' to='bob@village.example/imps'/>",
    );
    assert_eq!(world.code(id), Some(500));
    assert_eq!(world.outcomes(), [Outcome::Refused(500)]);
}

#[test]
fn a_message_that_waited_says_so_when_it_leaves() {
    let mut world = World::with(GatewaySettings::default());
    send(&mut world, "m-1", false);
    assert!(world.out().is_empty());
    world.pass(59_000);
    world.link_up();
    assert!(!world.out()[0].contains("<delay"), "{:?}", world.out());
    world.link_down();
    world.pass(300_000);
    world.restart();
    world.link_up();
    let message = world.out().remove(0);
    assert!(
        message.contains("<delay xmlns='urn:xmpp:delay' stamp='2024-05-01T13:40:00Z'/>"),
        "{message}"
    );
}

#[test]
fn a_contact_list_of_an_xmpp_user_is_not_there() {
    let mut world = World::up(GatewaySettings::default());
    let mut primitive = message("m", false, &[ALICE]);
    if let Primitive::SendMessageRequest(request) = &mut primitive {
        let list = Address::new("wv:alice/friends@home.example");
        let list = crate::imps::common::ContactList { list };
        request.info.recipients.push(Recipient::ContactList(list));
    }
    let id = world.primitive(Some(BOB), primitive);
    assert_eq!(world.out().len(), 1);
    world.confirm(world.marks()[0]);
    world.pass(5_000);
    assert_eq!(world.code(id), Some(201));
    let details = world.acts.iter().find_map(|act| match act {
        Act::Respond {
            primitive: Primitive::SendMessageResponse(response),
            ..
        } => response.status.details.first().map(|detail| detail.code.0),
        _ => None,
    });
    assert_eq!(details, Some(700));
}
