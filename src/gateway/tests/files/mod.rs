//! Files that messages bring.

mod links;

use super::*;
use crate::element::{Carried, Degraded, Errand, Fault, Transfer};
use crate::imps::common::{ContentData, MessageInfo, Recipient, Sender, User};
use crate::imps::primitive::message::SendMessageRequest;

const UPLOAD: &str = "upload.home.example";
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

fn file(id: &str, kind: &str, bytes: &[u8], report: bool) -> Primitive {
    SendMessageRequest {
        delivery_report: report,
        meta: Some(meta(BOB)),
        info: MessageInfo {
            message_id: Some(id.to_owned()),
            uri: None,
            content_type: Some(kind.to_owned()),
            content_name: Some("cat.png".to_owned()),
            content_size: None,
            validity: Some(600),
            recipients: vec![Recipient::User(User::new(Address::new(ALICE)))],
            recipient_display: None,
            sender: Some(Sender::user(User::new(Address::new(BOB)))),
            date_time: None,
        },
        content: Some(ContentData {
            content_type: kind.to_owned(),
            bytes: bytes.to_vec(),
        }),
    }
    .into()
}

fn keeping() -> GatewaySettings {
    let files = FileSettings {
        keeps: true,
        ..FileSettings::default()
    };
    GatewaySettings {
        files: Box::new(files),
        ..GatewaySettings::default()
    }
}

impl World {
    fn picture(&mut self) -> RequestId {
        self.primitive(Some(BOB), file("m-1", "image/png", PICTURE, true))
    }

    fn transfer(&self) -> Option<Transfer> {
        let mut transfers = self.acts.iter().filter_map(|act| match act {
            Act::Carry(transfer) => Some(transfer.as_ref().clone()),
            _ => None,
        });
        transfers.next()
    }

    fn carried(&mut self, carried: Carried) {
        let number = self.transfer().expect("a transfer").number;
        self.take(Input::Carried(number, carried));
    }

    /// Answers the only question among the last stanzas, as the one who was asked.
    fn iq_says(&mut self, to: &str, answer: &str) {
        let asked = self.out();
        let asked = asked
            .iter()
            .find(|text| text.starts_with("<iq") && text.contains(to));
        let asked = asked
            .unwrap_or_else(|| panic!("a question to {to}"))
            .clone();
        let (id, from) = (
            super::invitation::value(&asked, "id"),
            super::invitation::value(&asked, "from"),
        );
        let kind = if answer.contains("<error") {
            "error"
        } else {
            "result"
        };
        self.xmpp(&format!(
            "<iq type='{kind}' id='{id}' from='{to}' to='{from}'>{answer}</iq>"
        ));
    }

    /// The server says that it has an upload service.
    fn offers(&mut self, most: &str) {
        self.iq_says(
            "home.example",
            &format!(
                "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='{UPLOAD}'/></query>"
            ),
        );
        self.iq_says(
            UPLOAD,
            &format!(
                "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='urn:xmpp:http:upload:0'/>\
                 <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>urn:xmpp:http:upload:0</value></field>\
                 <field var='max-file-size'><value>{most}</value></field></x></query>"
            ),
        );
    }

    fn offers_nothing(&mut self) {
        self.iq_says(
            "home.example",
            "<query xmlns='http://jabber.org/protocol/disco#items'/>",
        );
    }

    fn slot(&mut self) {
        self.iq_says(
            UPLOAD,
            "<slot xmlns='urn:xmpp:http:upload:0'><put url='https://up.example/1'>\
             <header name='Authorization'>Basic x</header></put><get url='https://down.example/1/cat.png'/></slot>",
        );
    }

    fn message_out(&self) -> String {
        let out = self.out();
        let message = out.iter().find(|text| text.starts_with("<message"));
        message
            .unwrap_or_else(|| panic!("no message in {out:?}"))
            .clone()
    }
}

#[test]
fn a_picture_goes_to_the_servers_upload_service_and_its_link_to_the_recipient() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.picture();
    assert_eq!(world.gateway.messages_open(), 1);
    let [asked] = &world.out()[..] else {
        panic!("{:?}", world.out())
    };
    for part in [
        "type='get'",
        "from='village.example'",
        "to='home.example'",
        "disco#items",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    world.offers("1000");
    let [asked] = &world.out()[..] else {
        panic!("{:?}", world.out())
    };
    // In the name of the sender, so that what one uploads counts as theirs.
    for part in [
        "from='bob@village.example'",
        "to='upload.home.example'",
        "filename='cat.png'",
        &format!("size='{}'", PICTURE.len()),
        "content-type='image/png'",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    world.slot();
    let Errand::Put {
        url,
        headers,
        content_type,
        bytes,
    } = world.transfer().unwrap().errand
    else {
        panic!("an upload")
    };
    assert_eq!(
        (url.as_str(), content_type.as_str()),
        ("https://up.example/1", "image/png")
    );
    assert_eq!(
        headers,
        [("authorization".to_owned(), "Basic x".to_owned())]
    );
    assert_eq!(bytes, PICTURE);
    assert_eq!(world.kept().len(), 1);
    world.carried(Carried::Put);
    let message = world.message_out();
    for part in [
        "id='m-1'",
        "from='bob@village.example/imps'",
        "<body>https://down.example/1/cat.png</body>",
        "<x xmlns='jabber:x:oob'><url>https://down.example/1/cat.png</url><desc>cat.png</desc></x>",
        "<media-type>image/png</media-type>",
        "target='https://down.example/1/cat.png'",
        "<request xmlns='urn:xmpp:receipts'/>",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(!world.kept().iter().any(|key| key.contains("/file/")));
    let mark = world.marks()[0];
    world.confirm(mark);
    world.pass(2_000);
    assert_eq!(world.code(id), Some(200));
    assert_eq!(world.outcomes(), [Outcome::Degraded(Degraded::Reference)]);
    assert_eq!(world.gateway.messages_open(), 0);
    // The next one goes there at once.
    world.primitive(Some(BOB), file("m-2", "image/png", PICTURE, false));
    assert!(world.out()[0].contains("to='upload.home.example'"));
}

#[test]
fn without_a_service_it_goes_into_the_store_of_this_node() {
    let mut world = World::up(keeping());
    world.picture();
    world.offers_nothing();
    let Errand::Keep {
        owner,
        name,
        content_type,
        ..
    } = world.transfer().unwrap().errand
    else {
        panic!("kept here")
    };
    assert_eq!((owner.as_str(), name.as_str()), (BOB, "cat.png"));
    assert_eq!(content_type, "image/png");
    let url = "https://files.example/t/cat.png".to_owned();
    world.carried(Carried::Kept { url });
    let message = world.message_out();
    assert!(
        message.contains("<body>https://files.example/t/cat.png</body>"),
        "{message}"
    );
    // So does what is too large for the service, or is refused by it.
    let mut world = World::up(keeping());
    world.picture();
    world.offers("5");
    assert!(matches!(
        world.transfer().unwrap().errand,
        Errand::Keep { .. }
    ));
    let mut world = World::up(keeping());
    world.picture();
    world.offers("1000");
    world.slot();
    world.carried(Carried::Failed(Fault::Refused));
    assert!(matches!(
        world.transfer().unwrap().errand,
        Errand::Keep { .. }
    ));
    world.carried(Carried::Failed(Fault::Full));
    assert_eq!(world.code(RequestId(1)), Some(507));
    assert_eq!(world.outcomes(), [Outcome::Refused(507)]);
}

#[test]
fn where_there_is_no_place_the_sender_is_told_and_a_card_goes_as_text() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.picture();
    world.offers_nothing();
    assert_eq!(world.code(id), Some(415));
    assert_eq!(world.outcomes(), [Outcome::Refused(415)]);
    assert!(world.kept().is_empty());
    let card = b"BEGIN:VCARD\r\nFN:Bob\r\nEND:VCARD";
    world.primitive(Some(BOB), file("m-2", "text/x-vCard", card, false));
    assert!(world.message_out().contains("BEGIN:VCARD"));
}

#[test]
fn the_sender_is_told_why_a_service_does_not_take_a_file() {
    let error = |kind: &str, condition: &str| {
        format!(
            "<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        )
    };
    for (kind, condition, code) in [
        ("modify", "not-acceptable", 415),
        ("wait", "resource-constraint", 507),
        ("auth", "forbidden", 410),
    ] {
        let mut world = World::up(GatewaySettings::default());
        let id = world.picture();
        world.offers("1000");
        world.iq_says(UPLOAD, &error(kind, condition));
        assert_eq!(world.code(id), Some(code), "{condition}");
    }
    let mut world = World::up(GatewaySettings::default());
    let id = world.picture();
    world.offers("5");
    assert_eq!(world.code(id), Some(415));
    for (fault, code) in [
        (Fault::TooLarge, 415),
        (Fault::Full, 507),
        (Fault::Refused, 410),
    ] {
        let mut world = World::up(GatewaySettings::default());
        let id = world.picture();
        world.offers("1000");
        world.slot();
        world.carried(Carried::Failed(fault));
        assert_eq!(world.code(id), Some(code), "{fault:?}");
    }
}

#[test]
fn a_slow_service_is_tried_again_and_a_failure_after_the_answer_is_reported() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.picture();
    world.offers("1000");
    world.slot();
    world.carried(Carried::Failed(Fault::Passing));
    assert_eq!(world.code(id), None);
    // The service is looked for anew.
    world.pass(10_000);
    world.offers("1000");
    // It says nothing.
    let mut answered = None;
    let mut told = Vec::new();
    for _ in 0..300 {
        world.pass(1_000);
        answered = answered.or_else(|| world.code(id));
        told.extend(world.sent());
        if !told.is_empty() {
            break;
        }
        if world.out().iter().any(|text| text.contains("disco#items")) {
            world.offers("1000");
        }
    }
    assert_eq!(answered, Some(200));
    let [report] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(
        report.contains("<DeliveryStatusReport") && report.contains("code=\"504\""),
        "{report}"
    );
    assert!(world.kept().is_empty());
}

#[test]
fn a_message_whose_upload_is_under_way_at_a_kill_is_sent_once() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.picture();
    world.offers("1000");
    world.slot();
    let old = world.transfer().unwrap().number;
    world.restart();
    assert_eq!(world.gateway.messages_open(), 1);
    world.link_up();
    world.pass(0);
    world.offers("1000");
    world.slot();
    // What was asked before the kill says nothing any more.
    let new = world.transfer().unwrap().number;
    world.take(Input::Carried(old, Carried::Put));
    assert!(world.out().is_empty());
    world.take(Input::Carried(new, Carried::Put));
    assert!(world.message_out().contains("id='m-1'"));
    world.take(Input::Carried(new, Carried::Put));
    assert!(world.out().is_empty());
    world.restart();
    world.link_up();
    assert!(world.message_out().contains("id='m-1'"));
    let mark = world.marks()[0];
    world.confirm(mark);
    world.pass(2_000);
    assert_eq!(world.code(id), Some(200));
    assert_eq!(world.outcomes(), [Outcome::Degraded(Degraded::Reference)]);
}

#[test]
fn only_who_was_asked_says_where_a_file_goes() {
    let mut world = World::up(GatewaySettings::default());
    world.picture();
    world.offers("1000");
    let asked = world.out()[0].clone();
    let id = super::invitation::value(&asked, "id");
    world.xmpp(&format!(
        "<iq type='result' id='{id}' from='mallory@home.example' to='bob@village.example'>\
         <slot xmlns='urn:xmpp:http:upload:0'><put url='https://evil.example/'/><get url='https://evil.example/'/></slot></iq>"
    ));
    assert_eq!(world.transfer(), None);
    // Nor does a place elsewhere than on the web.
    world.xmpp(&format!(
        "<iq type='result' id='{id}' from='{UPLOAD}' to='bob@village.example'>\
         <slot xmlns='urn:xmpp:http:upload:0'><put url='file:///etc/x'/><get url='https://x/'/></slot></iq>"
    ));
    assert_eq!(world.transfer(), None);
    assert_eq!(world.code(RequestId(1)), Some(410));
}

#[test]
fn a_file_waits_for_the_link_and_ends_with_its_validity() {
    let mut world = World::with(GatewaySettings::default());
    let id = world.picture();
    assert!(world.out().is_empty());
    world.pass(55_000);
    assert_eq!(world.code(id), Some(200));
    world.link_up();
    assert!(world.out()[0].contains("disco#items"));
    world.link_down();
    world.pass(545_000);
    assert_eq!(world.outcomes(), [Outcome::Expired]);
    let [report] = &world.sent()[..] else {
        panic!("{:?}", world.sent())
    };
    assert!(report.contains("code=\"542\""), "{report}");
}

#[test]
fn files_that_wait_are_bounded() {
    let files = FileSettings {
        max_held: 1,
        ..FileSettings::default()
    };
    let mut world = World::up(GatewaySettings {
        files: Box::new(files),
        ..GatewaySettings::default()
    });
    world.picture();
    let id = world.primitive(Some(BOB), file("m-2", "image/png", PICTURE, false));
    assert_eq!(world.code(id), Some(507));
}

#[test]
fn whatever_is_no_text_becomes_a_file() {
    for (kind, ending) in [
        ("image/jpeg", "jpg"),
        ("audio/amr", "amr"),
        ("video/3gpp", "3gp"),
        ("text/x-vCard", "vcf"),
        ("text/x-vCalendar", "vcs"),
        ("application/vnd.wap.mms-message", "mms"),
        ("application/vnd.3gpp.sms", "sms"),
    ] {
        let mut world = World::up(keeping());
        let Primitive::SendMessageRequest(mut request) = file("m-1", kind, b"octets", false) else {
            panic!("a message")
        };
        request.info.content_name = None;
        world.primitive(Some(BOB), Primitive::SendMessageRequest(request));
        world.offers_nothing();
        let Errand::Keep { name, bytes, .. } = world.transfer().unwrap().errand else {
            panic!("{kind}")
        };
        assert!(name.ends_with(&format!(".{ending}")), "{kind}: {name}");
        assert_eq!(bytes, &b"octets"[..]);
    }
}

#[test]
fn an_announcement_that_says_where_is_told_as_a_link() {
    let mut world = World::up(GatewaySettings::default());
    let announce = |uri: &str| {
        format!(
            "<MessageNotification><MessageInfo messageID='m-1' contentType='image/png'{uri}><Recipient>\
             <User userID='{ALICE}'/></Recipient><Sender><User userID='{BOB}'/></Sender></MessageInfo></MessageNotification>"
        )
    };
    let id = world.ssp(None, &announce(" messageURI='https://v.example/m-1'"));
    assert_eq!(world.code(id), Some(200));
    let message = world.message_out();
    for part in [
        "from='bob@village.example/imps'",
        "to='alice@home.example'",
        "<body>https://v.example/m-1</body>",
        "<x xmlns='jabber:x:oob'><url>https://v.example/m-1</url></x>",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let id = world.ssp(None, &announce(""));
    assert_eq!(world.code(id), Some(501));
}

#[test]
fn a_picture_whose_service_may_not_be_asked_any_more_does_not_wait_for_it_until_it_is_too_old() {
    let mut world = World::up(GatewaySettings::default());
    let send = |world: &mut World, id| {
        world.primitive(Some(BOB), file(id, "image/png", PICTURE, false));
    };
    send(&mut world, "m-1");
    world.offers("1000000");
    world.slot();
    let open = world.gateway.messages_open();
    let denied = Policy {
        allowed: false,
        ..Policy::default()
    };
    let policies = Policies {
        named: BTreeMap::from([(UPLOAD.to_owned(), denied)]),
        others: Policy::default(),
    };
    world.run(|gateway, now| gateway.set_policies(policies, now));
    send(&mut world, "m-2");
    assert!(world.out().is_empty(), "{:?}", world.out());
    assert_eq!(world.gateway.messages_open(), open + 1);
    world.pass(300_000);
    assert_eq!(world.gateway.messages_open(), open);
}
