use super::*;

fn parsed(text: &str) -> Element {
    text.parse().unwrap()
}

fn message(attributes: &str, inner: &str) -> Message {
    let text = format!(
        "<message xmlns='{}' from='a@home.example/x' to='b@v.example' {attributes}>{inner}</message>",
        ns::DEFAULT_NS
    );
    parsed(&text).try_into().unwrap()
}

#[test]
fn a_place_is_taken_with_the_headers_that_may_come_with_one() {
    let of = |inner: &str| {
        slot(&parsed(&format!(
            "<slot xmlns='urn:xmpp:http:upload:0'>{inner}</slot>"
        )))
    };
    let found = of(
        "<put url='https://up.example/1'><header name='Authorization'>Basic a\nb</header>\
         <header name='Host'>elsewhere</header><header name='cookie'>x</header></put>\
         <get url='https://down.example/1/a.png'/>",
    );
    let headers = [("authorization", "Basic ab"), ("cookie", "x")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        found,
        Some(Slot {
            put: "https://up.example/1".to_owned(),
            headers: headers.to_vec(),
            get: "https://down.example/1/a.png".to_owned(),
        })
    );
    for inner in [
        "",
        "<put url='https://u/'/>",
        "<put url='file:///etc/x'/><get url='https://u/'/>",
        "<put url='https://u/ HTTP/1.1'/><get url='https://u/'/>",
        "<put url='https://u/'/><get url='javascript:x'/>",
    ] {
        assert_eq!(of(inner), None, "{inner}");
    }
    assert_eq!(slot(&parsed("<slot xmlns='urn:test'/>")), None);
}

#[test]
fn a_service_says_how_much_it_takes() {
    let of = |inner: &str| {
        upload_limit(&parsed(&format!(
            "<query xmlns='http://jabber.org/protocol/disco#info'>{inner}</query>"
        )))
    };
    let feature = "<feature var='urn:xmpp:http:upload:0'/>";
    let form = |kind: &str, size: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>{kind}</value></field>\
             <field var='max-file-size'><value>{size}</value></field></x>"
        )
    };
    assert_eq!(of("<feature var='urn:test'/>"), None);
    assert_eq!(of(feature), Some(None));
    let ours = form("urn:xmpp:http:upload:0", "5242880");
    assert_eq!(of(&format!("{feature}{ours}")), Some(Some(5_242_880)));
    let other = form("urn:test", "1");
    assert_eq!(
        of(&format!("{feature}{other}{ours}")),
        Some(Some(5_242_880))
    );
    let wrong = form("urn:xmpp:http:upload:0", "much");
    assert_eq!(of(&format!("{feature}{wrong}")), Some(None));
}

#[test]
fn the_link_that_is_all_of_a_message_is_found() {
    let oob = "<x xmlns='jabber:x:oob'><url>https://f.example/a.png</url></x>";
    let sharing = "<file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'>\
         <media-type>image/png</media-type><name>a.png</name><size>17</size></file><sources>\
         <url-data xmlns='http://jabber.org/protocol/url-data' target='https://f.example/a.png'/>\
         </sources></file-sharing>";
    let url = |inner: &str| shared(&message("type='chat'", inner)).map(|found| found.url);
    let there = Some("https://f.example/a.png".to_owned());
    assert_eq!(
        url(&format!("<body>https://f.example/a.png</body>{oob}")),
        there
    );
    assert_eq!(url(oob), there);
    assert_eq!(url(sharing), there);
    let found = shared(&message("", &format!("{oob}{sharing}"))).unwrap();
    assert_eq!(found.content_type.as_deref(), Some("image/png"));
    assert_eq!(
        (found.name.as_deref(), found.size),
        (Some("a.png"), Some(17))
    );
    for inner in [
        "<body>https://f.example/a.png</body>".to_owned(),
        format!("<body>Look: https://f.example/a.png</body>{oob}"),
        format!("{oob}{oob}"),
        format!("<subject>Cats</subject>{oob}"),
        "<x xmlns='jabber:x:oob'><url>aesgcm://f.example/a.png#00</url></x>".to_owned(),
        "<x xmlns='jabber:x:oob'><url>file:///etc/passwd</url></x>".to_owned(),
        format!("{oob}<encryption xmlns='urn:xmpp:eme:0' namespace='x'/>"),
    ] {
        assert_eq!(url(&inner), None, "{inner}");
    }
    assert_eq!(shared(&message("type='groupchat'", oob)), None);
}

#[test]
fn names_of_files_are_names_and_say_what_they_are() {
    for (given, kind, name) in [
        (Some("cat.png"), "image/png", "cat.png"),
        (Some("cat"), "image/png; q=1", "cat.png"),
        (Some("../../etc/passwd"), "text/x-vCard", "passwd.vcf"),
        (Some("C:\\cats\\a.gif"), "image/gif", "a.gif"),
        (Some(".htaccess"), "x/y", "htaccess"),
        (Some("a\r\nb"), "x/y", "ab"),
        (Some("  "), "image/jpeg", "image.jpg"),
        (None, "application/vnd.wap.mms-message", "file.mms"),
        (None, "audio/x-new", "audio"),
    ] {
        assert_eq!(name_of(given, kind), name, "{given:?}");
    }
    assert_eq!(
        name_in("https://f/x/a%20b.png?c=d/e").as_deref(),
        Some("a b.png")
    );
    assert_eq!(name_in("https://f/x/%2e%2e%2fa").as_deref(), Some("a"));
    assert_eq!(name_in("https://f"), None);
    assert_eq!(name_in("https://f/x/"), None);
}

#[test]
fn a_link_is_told_to_clients_of_all_ages() {
    let nothing = MessageInfo {
        message_id: None,
        uri: None,
        content_type: None,
        content_name: None,
        content_size: None,
        validity: None,
        recipients: Vec::new(),
        recipient_display: None,
        sender: None,
        date_time: None,
    };
    let plain = sharing("https://f/a", &nothing);
    assert_eq!(plain.len(), 1);
    let info = MessageInfo {
        content_type: Some("Image/PNG; q=1".to_owned()),
        content_name: Some("a.png".to_owned()),
        content_size: Some(17),
        ..nothing
    };
    let elements = sharing("https://f/a.png", &info);
    let texts: Vec<String> = elements.iter().map(String::from).collect();
    let texts = texts.join("").replace('"', "'");
    for part in [
        "<x xmlns='jabber:x:oob'><url>https://f/a.png</url><desc>a.png</desc></x>",
        "<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'>",
        "<media-type>image/png</media-type><name>a.png</name><size>17</size>",
        "<url-data xmlns='http://jabber.org/protocol/url-data' target='https://f/a.png'/>",
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body/></fallback>",
    ] {
        assert!(texts.contains(part), "{part} in {texts}");
    }
    // What we write is read as what it is.
    let inner = format!("<body>https://f/a.png</body>{texts}");
    let found = shared(&message("type='chat'", &inner)).unwrap();
    assert_eq!(found.content_type.as_deref(), Some("image/png"));
}
