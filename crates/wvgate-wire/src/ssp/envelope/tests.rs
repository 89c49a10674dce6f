use super::*;

fn session(body: &str) -> Session {
    match scan(&Bytes::copy_from_slice(body.as_bytes()), &Limits::default()).unwrap() {
        Message::Session(session) => session,
        Message::Setup(_) => panic!("a setup message"),
    }
}

const MESSAGE: &str = r#"<?xml version='1.0'?>
<WV-SSP-Message xmlns="http://www.openmobilealliance.org/DTD/WV-SSP1.3"><Session sessionID="41@home.example">
<Transaction mode="Request" transactionID="7">
<SendMessageRequest deliveryReport="Yes"><MetaInfo clientOriginated="Yes"><Requestor serviceID="wv:@home.example">
<User userID="wv:Alice@home.example"/></Requestor></MetaInfo>
<MessageInfo messageID="m1" contentType="text/plain"><Recipient><User userID="bob@village.example"/></Recipient>
<Sender><User userID="wv:alice@home.example"/></Sender></MessageInfo>
<ContentData contentType="text/plain" encoding="base64">aGk=
</ContentData></SendMessageRequest></Transaction><Transaction transactionID="8"><Status code="200"/></Transaction>
</Session></WV-SSP-Message>"#;

#[test]
fn addresses_are_noted_and_the_primitive_stays_a_slice() {
    let session = session(MESSAGE);
    let [request, answer] = session.transactions.as_slice() else {
        panic!()
    };
    assert_eq!(
        (request.mode, request.id.as_str(), request.name.as_ref()),
        (Mode::Request, "7", "SendMessageRequest")
    );
    assert_eq!(request.peek.user, Some(Address::new("alice@home.example")));
    assert_eq!(
        request.peek.recipients,
        [Address::new("bob@village.example")]
    );
    assert_eq!(
        request.peek.sender,
        Some(Address::new("alice@home.example"))
    );
    assert_eq!(request.peek.message_id.as_deref(), Some("m1"));
    assert!(
        request.raw.starts_with(b"<SendMessageRequest ")
            && request.raw.ends_with(b"</SendMessageRequest>")
    );
    assert_eq!(
        (answer.mode, answer.raw.as_ref()),
        (Mode::Response, b"<Status code=\"200\"/>".as_slice())
    );
    assert!(
        matches!(request.primitive(), Ok(Primitive::SendMessageRequest(m)) if m.delivery_report)
    );
}

#[test]
fn what_is_printed_scans_to_the_same_transactions() {
    let read = session(MESSAGE);
    let printed = print_session(
        NAMESPACE,
        &read.session,
        read.transactions
            .iter()
            .map(|t| (t.mode, t.id.as_str(), std::str::from_utf8(&t.raw).unwrap())),
    );
    assert_eq!(session(&printed), read);
}

#[test]
fn yes_is_read_in_all_forms_by_whoever_reads_it() {
    for (written, expected) in [
        ("deliveryReport=\"Yes\"", true),
        ("deliveryReport = \"Yes\"", true),
        ("deliveryReport\n=\t' yes '", true),
        ("x:deliveryReport=\"YES\"", true),
        ("deliveryReport=\"&#89;es\"", true),
        ("id='>' deliveryReport='Yes'", true),
        ("deliveryReport=\"No\" x='deliveryReport=\"Yes\"'", false),
        ("deliveryReport=\"true\"", false),
        ("", false),
    ] {
        let read = session(&MESSAGE.replace("deliveryReport=\"Yes\"", written));
        let request = &read.transactions[0];
        assert_eq!(request.peek.report, expected, "{written}");
        let typed = request.primitive().unwrap();
        assert!(
            matches!(&typed, Primitive::SendMessageRequest(m) if m.delivery_report == expected),
            "{written}"
        );
        let asked = MESSAGE.replace(
            "clientOriginated=\"Yes\"",
            &written.replace("deliveryReport", "clientOriginated"),
        );
        let by_server = session(&asked).transactions[0].peek.by_server;
        assert_eq!(by_server, !expected && !written.is_empty(), "{written}");
    }
}

#[test]
fn prefixed_fragments_are_written_anew() {
    let body = MESSAGE
        .replace("<SendMessageRequest ", "<s:SendMessageRequest xmlns:s='x' ")
        .replace("</SendMessageRequest", "</s:SendMessageRequest");
    let read = session(&body);
    assert!(
        read.transactions[0]
            .raw
            .starts_with(b"<SendMessageRequest deliveryReport")
    );
}

#[test]
fn bodies_that_are_no_envelope_are_refused() {
    for (body, limit) in [
        ("", Malformed::Empty),
        (
            "<a/>",
            Malformed::Envelope("the root is not WV-SSP-Message"),
        ),
        (
            "<WV-SSP-Message/>",
            Malformed::Envelope("WV-SSP-Message is empty"),
        ),
        (
            "<WV-SSP-Message></WV-SSP-Message>",
            Malformed::Envelope("WV-SSP-Message is empty"),
        ),
        (
            "<WV-SSP-Message><Session/></WV-SSP-Message>",
            Malformed::Envelope("neither a SetupTransaction nor a Session with content"),
        ),
        (
            "<!DOCTYPE x [<!ENTITY a 'b'>]><WV-SSP-Message/>",
            Malformed::Doctype,
        ),
        (
            "<WV-SSP-Message><Session><Transaction><x>\u{1}</x></Transaction></Session></WV-SSP-Message>",
            Malformed::Control(1),
        ),
    ] {
        assert_eq!(
            scan(&Bytes::from_static(body.as_bytes()), &Limits::default()),
            Err(limit),
            "{body}"
        );
    }
    let unclosed = &MESSAGE[..MESSAGE.len() - 20];
    assert!(matches!(
        scan(
            &Bytes::copy_from_slice(unclosed.as_bytes()),
            &Limits::default()
        ),
        Err(Malformed::Syntax { .. } | Malformed::Unclosed(_))
    ));
    let twice = format!("{MESSAGE}<WV-SSP-Message/>");
    assert_eq!(
        scan(&Bytes::from(twice), &Limits::default()),
        Err(Malformed::Trailing)
    );
    let deep = format!(
        "<WV-SSP-Message><Session><Transaction transactionID='1'>{}{}</Transaction></Session></WV-SSP-Message>",
        "<a>".repeat(40),
        "</a>".repeat(40)
    );
    assert_eq!(
        scan(&Bytes::from(deep), &Limits::default()),
        Err(Malformed::Depth(32))
    );
    let entity = MESSAGE.replace("aGk=", "&eacute;");
    assert_eq!(
        scan(&Bytes::from(entity), &Limits::default()),
        Err(Malformed::Entity("eacute".into()))
    );
}
