use super::*;
use crate::element::Token;
use crate::imps::Address;
use crate::imps::common::{ContentData, MessageInfo, MetaInfo, Recipient, Sender, User};
use crate::imps::primitive::message::SendMessageRequest;
use crate::sap::{Random, Settings};

#[test]
fn a_message_for_an_element_that_is_not_there_yet_ends_for_each_of_its_recipients() {
    let local = Route::Local(crate::gateway::ELEMENT);
    let settings = Settings::new("a.test").with_route("x.test", local);
    let sap = Sap::new(Arc::new(settings), Random::repeatable(1));
    let mut core = Core::new(sap, Vec::new());
    let (now, mut turn) = (Time(1_000), Turn::default());
    core.start(now, &mut turn);
    let user = |name: &str| User::new(Address::new(name));
    let message = SendMessageRequest {
        delivery_report: false,
        meta: Some(MetaInfo::of_user("a.test", Address::new("alice@a.test"))),
        info: MessageInfo {
            message_id: Some("m1".to_owned()),
            uri: None,
            content_type: None,
            content_name: None,
            content_size: None,
            validity: None,
            recipients: ["bob@x.test", "carol@x.test"]
                .map(user)
                .map(Recipient::User)
                .into(),
            recipient_display: None,
            sender: Some(Sender::user(user("alice@a.test"))),
            date_time: None,
        },
        content: Some(ContentData::text("hi")),
    };
    let expires = now.plus_seconds(60);
    let element = crate::home::ELEMENT;
    core.sap
        .request(element, Token(1), &message.into(), expires, now);
    core.settle(now, &mut turn);
    let counted = |name: &str| core.metrics.get(name);
    assert_eq!(counted("wvgate_messages_accepted_total"), 2);
    assert_eq!(core.metrics.ended(), 2);
    assert_eq!(core.messages_open(), 0);
}
