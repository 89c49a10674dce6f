//! What else was seen on the wire (deployed-server, 7), beyond groups A to E.

use wvgate::imps::presence::AttributeName;
use wvgate::imps::{Address, Primitive};

use super::{ALICE, Between, ROB, message, primitive, user};

#[test]
fn the_month_of_a_recorded_time_is_not_believed() {
    let mut between = Between::new();
    let Primitive::SendMessageRequest(raw) = primitive("01/0017") else {
        panic!("no message")
    };
    between.replay("01/0017", &[("bob@b.test", "rob@r.test")]);
    let Ok(Primitive::SendMessageRequest(sent)) = between.sent("r.test").primitive() else {
        panic!("no message")
    };
    let now = i64::try_from(between.alone.now.0 / 1000).unwrap();
    assert_eq!(sent.info.date_time.map(|time| time.0), Some(now));
    assert_ne!(raw.info.date_time, sent.info.date_time);
    assert_eq!(raw.content, sent.content);
}

#[test]
fn an_invitation_without_end_has_validity_0() {
    let xml = "<InviteRequest inviteID=\"i\" inviteType=\"IM\" validity=\"0\"/>";
    let Ok(Primitive::InviteRequest(request)) =
        wvgate::ssp::envelope::decode_fragment(xml.as_bytes())
    else {
        panic!("{xml}")
    };
    assert_eq!(request.validity, 0);
    assert!(matches!(primitive("11/0013"), Primitive::InviteRequest(r) if r.validity == 600));
}

#[test]
fn a_report_is_from_who_reports_to_who_sent() {
    let mut between = Between::new();
    between.replay("10/0069", &[("bob@b.test", "rob@r.test")]);
    let Ok(Primitive::DeliveryStatusReport(report)) = between.sent("r.test").primitive() else {
        panic!("no report")
    };
    assert_eq!(report.info.recipients[0].address(), &Address::new(ROB));
    let sender = report.info.sender.unwrap().user.unwrap();
    assert_eq!(sender.user, Address::new(ALICE));
    assert_eq!(report.result.status.description.as_deref(), Some("Fetched"));
}

#[test]
fn a_welcome_of_stray_bytes_is_carried_as_bytes() {
    let Primitive::JoinGroupResponse(joined) = primitive("01/0066") else {
        panic!("no answer")
    };
    let content = joined.welcome.unwrap().content.unwrap();
    assert_eq!(
        content.bytes,
        [0xC0, 0x45, 0, 0x58, 0x9E, 0x7F, 0, 0, 0x0A, 0]
    );
}

#[test]
fn sizes_and_types_of_content_are_not_checked() {
    let mut between = Between::new();
    let wrong = [
        ("bob@b.test", "rob@r.test"),
        ("contentSize=\"8\"", "contentSize=\"999999\""),
        ("\"image/png\"", "\"whatever it is\""),
    ];
    between.replay("11/0031", &wrong);
    let Ok(Primitive::SendMessageRequest(sent)) = between.sent("r.test").primitive() else {
        panic!("no message")
    };
    assert_eq!(sent.content.unwrap().content_type, "whatever it is");
}

#[test]
fn an_answer_without_message_id_is_about_the_message_asked() {
    let mut between = Between::new();
    let answer = "<SendMessageResponse messageID=\"\"><Status code=\"900\"/></SendMessageResponse>";
    let Primitive::SendMessageResponse(heard) =
        between.answered(&message(ROB, &user(ALICE)), answer)
    else {
        panic!("no answer")
    };
    assert_eq!(
        (heard.message_id.as_str(), heard.status.code.0),
        ("m1", 900)
    );
}

#[test]
fn a_recipients_domain_in_capitals_is_routed() {
    let mut between = Between::new();
    between.replay("11/0025", &[("bob@B.TEST", "rob@R.TEST")]);
    assert_eq!(between.sent("r.test").peek.recipients, [Address::new(ROB)]);
}

#[test]
fn presence_without_namespace_and_with_more_than_asked_is_read() {
    let Primitive::PresenceNotification(notice) = primitive("01/0046") else {
        panic!("no presence")
    };
    let list = notice.values[0].presence.as_ref().unwrap();
    let names: Vec<&AttributeName> = list.attributes.iter().map(|a| &a.name).collect();
    let all = [
        &AttributeName::OnlineStatus,
        &AttributeName::ClientInfo,
        &AttributeName::CommCap,
    ];
    assert_eq!(names, all);
}
