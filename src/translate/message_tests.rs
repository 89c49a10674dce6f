use super::super::Mode;
use super::super::stanza::child_text;
use super::*;
use crate::imps::common::{ClientId, Display};

const NOW: u64 = 1_714_570_800_000;

fn translator() -> Translator {
    Translator::new("home.example", &["village.example"])
}

fn user(address: &str) -> User {
    User::new(Address::new(address))
}

fn request(
    recipients: Vec<Recipient>,
    content: impl Into<Option<ContentData>>,
) -> SendMessageRequest {
    let content = content.into();
    let bob = Address::new("wv:bob@village.example");
    SendMessageRequest {
        delivery_report: true,
        meta: Some(MetaInfo::of_user("village.example", bob.clone())),
        info: MessageInfo {
            message_id: Some("m-20040522-0017".to_owned()),
            uri: None,
            content_type: content.as_ref().map(|c| c.content_type.clone()),
            content_name: None,
            content_size: None,
            validity: Some(600),
            recipients,
            recipient_display: None,
            sender: Some(Sender::user(User::new(bob))),
            date_time: Some(DateTime::from_millis(NOW)),
        },
        content,
    }
}

fn to_alice() -> Vec<Recipient> {
    vec![Recipient::User(user("wv:alice@home.example"))]
}

fn text(text: &str) -> ContentData {
    ContentData::text(text)
}

fn first(request: &SendMessageRequest) -> Message {
    let mut translated = to_xmpp(&translator(), request, "m-1", NOW).unwrap();
    translated.stanzas.remove(0).1.unwrap()
}

fn stanza(attributes: &str, inner: &str) -> Message {
    let xml = format!(
        "<message xmlns='{}' from='alice@home.example/laptop' to='bob@village.example' {attributes}>{inner}</message>",
        ns::DEFAULT_NS
    );
    xml.parse::<Element>().unwrap().try_into().unwrap()
}

fn to_ssp(message: &Message) -> ToSsp {
    super::to_ssp(&translator(), message, "m-1", 86_400, None, NOW).unwrap()
}

fn sent(attributes: &str, inner: &str) -> SendMessageRequest {
    match to_ssp(&stanza(attributes, inner)) {
        ToSsp::Message(request) => *request,
        other => panic!("{other:?}"),
    }
}

fn body(request: &SendMessageRequest) -> String {
    String::from_utf8(request.content.clone().unwrap().bytes).unwrap()
}

#[test]
fn the_example_of_section_4_1() {
    let message = first(&request(
        to_alice(),
        text("Hurry up, they are ringing the bells"),
    ));
    assert_eq!(
        message.from.as_ref().unwrap().as_str(),
        "bob@village.example/imps"
    );
    assert_eq!(message.to.as_ref().unwrap().as_str(), "alice@home.example");
    assert_eq!(message.type_, MessageType::Chat);
    assert_eq!(message.id.as_ref().unwrap().0, "m-1");
    assert_eq!(message.bodies[""], "Hurry up, they are ringing the bells");
    assert!(payload(&message.payloads, "request", ns::RECEIPTS).is_some());
    assert!(payload(&message.payloads, "delay", ns::DELAY).is_none());
}

#[test]
fn each_recipient_gets_a_stanza_or_a_refusal() {
    let screen_name = |name: &str| ScreenName {
        group: Address::new("wv:alice/club@home.example"),
        name: name.to_owned(),
    };
    let mut at_client = user("wv:carol@home.example");
    at_client.client = Some(ClientId {
        url: "laptop".to_owned(),
        application: None,
    });
    let recipients = vec![
        Recipient::User(at_client),
        Recipient::User(user("wv:no-domain")),
        Recipient::Group(GroupId {
            group: Address::new("wv:alice/club@home.example"),
        }),
        Recipient::ScreenName(screen_name("Ali")),
    ];
    let request = request(recipients, text("hi"));
    let all = to_xmpp(&translator(), &request, "m-1", NOW).unwrap();
    let seen: Vec<_> = all
        .stanzas
        .iter()
        .map(|(_, result)| match result {
            Ok(message) => Ok((
                message.to.clone().unwrap().to_string(),
                message.type_.clone(),
            )),
            Err(code) => Err(*code),
        })
        .collect();
    assert_eq!(
        seen,
        [
            Ok(("carol@home.example/laptop".to_owned(), MessageType::Chat)),
            Err(Code::ADDRESS),
            Ok((
                r"alice\2fclub@conference.home.example".to_owned(),
                MessageType::Groupchat
            )),
            Ok((
                r"alice\2fclub@conference.home.example/Ali".to_owned(),
                MessageType::Chat
            )),
        ]
    );
    let group = all.stanzas[2].1.as_ref().unwrap();
    assert!(payload(&group.payloads, "request", ns::RECEIPTS).is_none());
    let private = all.stanzas[3].1.as_ref().unwrap();
    assert!(payload(&private.payloads, "x", ns::MUC_USER).is_some());
}

#[test]
fn a_group_speaks_as_its_participant() {
    let group = Address::new("wv:bob/party@village.example");
    let mut request = request(to_alice(), text("Hello"));
    request.info.sender = Some(Sender {
        user: None,
        group: Some(GroupId {
            group: group.clone(),
        }),
        screen_name: None,
        display: Some(Display {
            user: None,
            group: None,
            name: None,
            screen_name: Some(ScreenName {
                group,
                name: "Wicked Vicky".to_owned(),
            }),
        }),
    });
    let message = first(&request);
    let from = message.from.unwrap();
    assert_eq!(from.as_str(), r"bob\2fparty@village.example/Wicked Vicky");
    assert_eq!(message.type_, MessageType::Groupchat);
}

#[test]
fn old_messages_say_when_they_were_sent() {
    let delay = |age: i64| {
        let mut request = request(to_alice(), text("x"));
        request.info.date_time = Some(DateTime(DateTime::from_millis(NOW).0 - age));
        payload(&first(&request).payloads, "delay", ns::DELAY)
            .map(|d| d.attr("stamp").unwrap().to_owned())
    };
    assert_eq!(delay(60), None);
    assert_eq!(delay(3600).as_deref(), Some("2024-05-01T12:40:00Z"));
    assert_eq!(delay(-3600), None);
    assert_eq!(delay(DateTime::from_millis(NOW).0), None);
}

#[test]
fn content_is_shown_or_refused() {
    let with = |content_type: &str, bytes: &[u8]| {
        let content = ContentData {
            content_type: content_type.to_owned(),
            bytes: bytes.to_vec(),
        };
        to_xmpp(
            &translator(),
            &request(to_alice(), Some(content)),
            "m-1",
            NOW,
        )
        .map(|t| (t.stanzas[0].1.as_ref().unwrap().bodies[""].clone(), t.form))
    };
    let full = |text: &str| Ok((text.to_owned(), Form::Full));
    let plain = |text: &str| Ok((text.to_owned(), Form::PlainText));
    assert_eq!(
        with("text/plain; charset=iso-8859-1", b"caf\xe9"),
        full("café")
    );
    assert_eq!(with("text/plain", b"a\x07b"), full("ab"));
    assert_eq!(with("text/html", b"<b>hi</b>"), plain("hi"));
    assert_eq!(with("text/x-vCard", b"BEGIN:VCARD"), plain("BEGIN:VCARD"));
    assert_eq!(with("image/png", b"\x89PNG"), Err(Code::MEDIA_TYPE));
    assert_eq!(with("text/plain", b" \n"), Err(Code::BAD_REQUEST));

    let mut by_reference = request(to_alice(), None);
    assert_eq!(
        to_xmpp(&translator(), &by_reference, "m-1", NOW),
        Err(Code::BAD_REQUEST)
    );
    by_reference.info.uri = Some("http://v.example/1".to_owned());
    by_reference.info.content_name = Some("cat".to_owned());
    let message = first(&by_reference);
    assert_eq!(message.bodies[""], "http://v.example/1");
    let link = payload(&message.payloads, "x", ns::OOB).unwrap();
    assert_eq!(
        child_text(link, "url").as_deref(),
        Some("http://v.example/1")
    );
    assert_eq!(child_text(link, "desc").as_deref(), Some("cat"));
}

#[test]
fn a_chat_message_is_a_request_of_its_sender() {
    let inner = "<body>Hi</body><request xmlns='urn:xmpp:receipts'/><thread>t</thread>";
    for kind in ["type='chat'", "type='normal'", "", "type='headline'"] {
        let request = sent(kind, inner);
        assert!(request.delivery_report);
        let meta = request.meta.as_ref().unwrap();
        assert_eq!(meta.requestor.service.as_str(), "wv:@home.example");
        assert_eq!(meta.user().unwrap().user.as_str(), "wv:alice@home.example");
        assert_eq!(meta.user().unwrap().client, None);
        let sender = request.info.sender.as_ref().unwrap().user.as_ref().unwrap();
        assert_eq!(sender.client.as_ref().unwrap().url, "laptop");
        assert_eq!(
            request.info.recipients,
            vec![Recipient::User(user("wv:bob@village.example"))]
        );
        assert_eq!(request.info.message_id.as_deref(), Some("m-1"));
        assert_eq!(request.info.validity, Some(86_400));
        assert_eq!(
            request.info.content_type.as_deref(),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(request.info.content_size, Some(2));
        assert_eq!(
            request.info.date_time.unwrap().to_string(),
            "2024-05-01T13:40:00Z"
        );
        assert_eq!(body(&request), "Hi");
    }
}

#[test]
fn extensions_change_text_time_and_validity() {
    let oob = "<x xmlns='jabber:x:oob'><url>http://a/b</url></x>";
    for (inner, text) in [
        (
            "<subject>News</subject><body>Hi</body>".to_owned(),
            "Subject: News\n\nHi",
        ),
        (format!("<body>see</body>{oob}"), "see\nhttp://a/b"),
        (
            format!("<body>see http://a/b</body>{oob}"),
            "see http://a/b",
        ),
        (
            "<body>Hi</body><replace xmlns='urn:xmpp:message-correct:0' id='x'/>".to_owned(),
            "* Hi",
        ),
        (
            "<body xml:lang='de'>Hallo</body><body>Hi</body>".to_owned(),
            "Hi",
        ),
        (
            "<body>fallback</body><encrypted xmlns='eu.siacs.conversations.axolotl'/>".to_owned(),
            "fallback",
        ),
    ] {
        assert_eq!(body(&sent("type='chat'", &inner)), text);
    }
    let german = super::to_ssp(
        &translator(),
        &stanza("", "<body xml:lang='de'>Hallo</body><body>Hi</body>"),
        "m",
        1,
        Some("de"),
        NOW,
    )
    .unwrap();
    let ToSsp::Message(german) = german else {
        panic!("a message");
    };
    assert_eq!(body(&german), "Hallo");

    let request = sent(
        "",
        "<body>x</body><delay xmlns='urn:xmpp:delay' stamp='2024-05-01T10:00:00Z'/>\
         <amp xmlns='http://jabber.org/protocol/amp'><rule action='drop' condition='expire-at' value='2024-05-01T13:50:00Z'/></amp>",
    );
    assert_eq!(
        request.info.date_time.unwrap().to_string(),
        "2024-05-01T10:00:00Z"
    );
    assert_eq!(request.info.validity, Some(600));
}

#[test]
fn a_message_whose_time_is_over_has_expired_and_its_sender_hears_it_unless_he_wants_it_dropped() {
    let amp = |action: &str, at: &str| {
        format!(
            "<body>x</body><amp xmlns='http://jabber.org/protocol/amp'>\
             <rule action='{action}' condition='expire-at' value='{at}'/></amp>"
        )
    };
    let past = "2024-05-01T13:30:00Z";
    for (action, is_told) in [("error", true), ("notify", true), ("drop", false)] {
        let read = to_ssp(&stanza("", &amp(action, past)));
        assert_eq!(read, ToSsp::Expired(is_told), "{action}");
    }
    // Now is too late, a second later is not.
    let read = to_ssp(&stanza("", &amp("drop", "2024-05-01T13:40:00Z")));
    assert_eq!(read, ToSsp::Expired(false));
    let read = sent("", &amp("drop", "2024-05-01T13:40:01Z"));
    assert_eq!(read.info.validity, Some(1));
    let read = sent("", &amp("drop", "some day"));
    assert_eq!(read.info.validity, Some(86_400));
}

#[test]
fn the_gateway_itself_gets_no_messages() {
    let mut message = stanza("", "<body>x</body>");
    message.to = Some(Jid::new("village.example").unwrap());
    let read = super::to_ssp(&translator(), &message, "m-1", 600, None, NOW);
    assert_eq!(read.unwrap_err().code(), Code::UNKNOWN_USER);
}

#[test]
fn an_occupant_whose_name_preparation_changes_is_nobody() {
    for (name, fits) in [
        ("Ali", true),
        ("\u{fb01}", false),
        ("a\u{202e}b", false),
        ("a\u{200b}", false),
    ] {
        let name = ScreenName {
            group: Address::new("wv:bob/party@village.example"),
            name: name.to_owned(),
        };
        assert_eq!(translator().occupant(&name).is_ok(), fits, "{name:?}");
    }
}

#[test]
fn what_has_no_counterpart_is_nothing() {
    for inner in [
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>",
        "<reactions xmlns='urn:xmpp:reactions:0' id='m'/>",
        "<event xmlns='http://jabber.org/protocol/pubsub#event'/>",
        "<body> </body>",
        "<sent xmlns='urn:xmpp:carbons:2'/>",
        "<result xmlns='urn:xmpp:mam:2'/>",
        "",
    ] {
        let read = to_ssp(&stanza("type='chat'", inner));
        assert!(matches!(read, ToSsp::Nothing(_)), "{inner}: {read:?}");
    }
    assert_eq!(
        to_ssp(&stanza("type='error'", "<body>x</body>")),
        ToSsp::Nothing("error")
    );
    let encrypted = stanza("", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>");
    let ToSsp::Refuse(error) = to_ssp(&encrypted) else {
        panic!("refused");
    };
    assert_eq!(
        error.defined_condition,
        xmpp_parsers::stanza_error::DefinedCondition::NotAcceptable
    );
    let refused = refusal(&encrypted, *error);
    assert_eq!(refused.to, encrypted.from);
    assert_eq!(refused.from, encrypted.to);
}

#[test]
fn rooms_are_groups_and_their_occupants_screen_names() {
    let to = |to: &str, kind: &str| {
        let mut message = stanza(&format!("type='{kind}'"), "<body>x</body>");
        message.to = Some(Jid::new(to).unwrap());
        match to_ssp(&message) {
            ToSsp::Message(request) => *request,
            other => panic!("{other:?}"),
        }
    };
    let group = to(r"bob\2fparty@village.example", "groupchat");
    let party = Address::new("wv:bob/party@village.example");
    let expected = Recipient::Group(GroupId {
        group: party.clone(),
    });
    assert_eq!(group.info.recipients, vec![expected]);
    assert_eq!(group.info.sender.unwrap().user.unwrap().client, None);
    let private = to(r"bob\2fparty@village.example/Wicked Vicky", "chat");
    let expected = Recipient::ScreenName(ScreenName {
        group: party,
        name: "Wicked Vicky".to_owned(),
    });
    assert_eq!(private.info.recipients, vec![expected]);
    let client = to("bob@village.example/phone", "chat");
    let Recipient::User(bob) = &client.info.recipients[0] else {
        panic!("a user");
    };
    assert_eq!(bob.client.as_ref().unwrap().url, "phone");
    let nobody = to("bob@village.example/imps", "chat");
    assert_eq!(
        nobody.info.recipients,
        vec![Recipient::User(user("wv:bob@village.example"))]
    );
}

#[test]
fn the_gateway_s_own_names_work_both_ways() {
    let translator = Translator::new("home.example", &["imps.home.example"]).in_mode(Mode::Gateway);
    let mut message = stanza("type='chat'", "<body>x</body>");
    message.from = Some(Jid::new("carol@other.example/x").unwrap());
    message.to = Some(Jid::new(r"bob\40village.example@imps.home.example").unwrap());
    let ToSsp::Message(request) = super::to_ssp(&translator, &message, "m", 1, None, NOW).unwrap()
    else {
        panic!("a message");
    };
    assert_eq!(
        sender_of(&request).unwrap().as_str(),
        "wv:carol%25other.example@imps.home.example"
    );
    assert_eq!(
        request.meta.unwrap().requestor.service.as_str(),
        "wv:@imps.home.example"
    );
}

#[test]
fn ids_are_plain_or_not() {
    for (id, plain) in [
        ("m-1.a:b_C", true),
        ("", false),
        ("a b", false),
        (&"x".repeat(65), false),
    ] {
        assert_eq!(is_plain_id(id), plain);
    }
}
