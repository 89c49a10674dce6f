//! What is done otherwise for which clients.

use super::{dialogue, read, ssp, terms, written_in};
use crate::client::meaning::{Asked, ClientKind, Heard, Interpreter, Terms};
use crate::csp::Version;
use crate::imps::common::ClientId;

fn kinds() -> Vec<ClientKind> {
    ClientKind::built_in().unwrap()
}

fn of(name: &str, version: Version) -> Interpreter {
    let mut terms = terms(version);
    terms.recognize(&kinds(), Some(name));
    Interpreter::new(terms)
}

/// What a client of this kind reads of the answer to its request.
fn heard(name: &str, version: Version, request: &str, answer: &str) -> String {
    let mut interpreter = of(name, version);
    let Asked::User(mut exchange, _) = interpreter.ask(read(version, request)) else {
        panic!("not asked");
    };
    let Heard::Answer(told) = interpreter.hear(&mut exchange, ssp(answer)) else {
        panic!("not answered");
    };
    written_in(version, &told, &interpreter.terms().switches.style)
}

#[test]
fn android_reads_users_of_a_group_only_without_a_wrapper() {
    let join = "<JoinGroup-Request><GroupID>wv:a/b@c.test</GroupID><JoinedRequest>T</JoinedRequest>\
        </JoinGroup-Request>";
    let joined = r#"<JoinGroupResponse><Status code="200"/><JoinedList><Name>Bo</Name></JoinedList></JoinGroupResponse>"#;
    let told = heard("android", Version::V1_2, join, joined);
    assert_eq!(
        told,
        "<JoinGroup-Response><UserMapList><Mapping><SName>Bo</SName></Mapping></UserMapList>\
         </JoinGroup-Response>"
    );
    let other = heard("nokia", Version::V1_2, join, joined);
    assert!(other.contains("<UserMapping>"), "{other}");
    let interpreter = of("android", Version::V1_2);
    let notice = r#"<GroupChangeNotice groupID="wv:a/b@c.test"><Joined><Name>Bo</Name></Joined></GroupChangeNotice>"#;
    let told = interpreter.tell(&ssp(notice)).unwrap();
    let told = written_in(Version::V1_2, &told, &interpreter.terms().switches.style);
    assert!(told.contains("<Joined><UserMapList><Mapping>"), "{told}");
}

#[test]
fn android_finds_contact_lists_of_1_3_where_they_were_before() {
    let lists = r#"<GetListResponse><Status code="200"/><ContactList contactListID="wv:ann/a@home.test"/><DefaultContactList contactListID="wv:ann/b@home.test"/></GetListResponse>"#;
    let told = heard("android", Version::V1_3, "<GetList-Request/>", lists);
    assert!(
        told.starts_with("<GetList-Response><ContactList>wv:ann/a@"),
        "{told}"
    );
    assert!(told.contains("<ContactListIDList>"), "{told}");
    let told = heard("android", Version::V1_2, "<GetList-Request/>", lists);
    assert_eq!(told.matches("<ContactList>").count(), 1);
}

#[test]
fn android_gets_the_list_of_capabilities_first() {
    let read = read(
        Version::V1_1,
        "<ClientCapability-Response><ClientID><URL>u</URL></ClientID><CapabilityList><ClientType>PDA\
         </ClientType><InitialDeliveryMethod>P</InitialDeliveryMethod><AcceptedContentLength>1\
         </AcceptedContentLength><MultiTrans>1</MultiTrans><ParserSize>1</ParserSize>\
         </CapabilityList></ClientCapability-Response>",
    );
    for (name, first) in [("android", "<CapabilityList>"), ("nokia", "<ClientID>")] {
        let style = of(name, Version::V1_1).terms().switches.style;
        let told = written_in(Version::V1_1, &read, &style);
        let expected = format!("<ClientCapability-Response>{first}");
        assert!(told.starts_with(&expected), "{told}");
    }
}

#[test]
fn android_never_answers_two_primitives() {
    let interpreter = of("android", Version::V1_1);
    let switches = &interpreter.terms().switches;
    assert!(switches.is_unanswered("MessageNotification"));
    assert!(switches.is_unanswered("CancelInviteUser-Request"));
    assert!(!switches.is_unanswered("NewMessage"));
}

#[test]
fn nokia_sees_ways_to_reach_and_a_client_of_everybody_who_is_online() {
    let presence = |truth: &str| {
        ssp(&format!(
            r#"<PresenceNotification><PresenceValue userID="wv:bob@b.test"><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>{truth}</PresenceValue></OnlineStatus></PresenceSubList></PresenceValue></PresenceNotification>"#
        ))
    };
    for version in Version::ALL {
        let interpreter = of("nokia", version);
        let style = interpreter.terms().switches.style;
        let told = |truth| {
            written_in(
                version,
                &interpreter.tell(&presence(truth)).unwrap(),
                &style,
            )
        };
        let online = told("T");
        assert!(
            online.contains(
                "<CommCap><Qualifier>T</Qualifier><CommC><Cap>IM</Cap><Status>OPEN</Status>\
                 </CommC></CommCap>"
            ),
            "{online}"
        );
        assert!(
            online.contains("<ClientInfo><Qualifier>T</Qualifier>"),
            "{online}"
        );
        assert!(!told("F").contains("<CommCap>"));
        let other = of("android", version);
        let other = written_in(version, &other.tell(&presence("T")).unwrap(), &style);
        assert!(!other.contains("<CommCap>"));
    }
}

#[test]
fn colibria_gets_text_in_place_of_html() {
    let page = ssp(
        r#"<NewMessage><MessageInfo messageID="m"/><ContentData contentType="text/html" encoding="base64">PHA+aGk8L3A+</ContentData></NewMessage>"#,
    );
    let interpreter = of("colibria", Version::V1_2);
    let told = interpreter.tell(&page).unwrap();
    let told = written_in(Version::V1_2, &told, &interpreter.terms().switches.style);
    assert!(told.contains("<ContentData>hi</ContentData>"), "{told}");
}

#[test]
fn a_client_is_known_by_its_id_at_once_and_by_its_presence_later() {
    let recognized = |terms: &mut Terms| {
        terms.recognize(&kinds(), None);
        (
            terms.switches.style.flat_mappings,
            terms.switches.full_presence,
        )
    };
    let client = ClientId {
        url: "jimmy9n/Test".to_owned(),
        application: None,
    };
    let mut known = Terms {
        client: Some(client),
        ..terms(Version::V1_1)
    };
    assert_eq!(recognized(&mut known), (true, false));
    let mut interpreter = Interpreter::new(terms(Version::V1_1));
    assert_eq!(recognized(interpreter.terms_mut()), (false, false));
    let update = "<UpdatePresence-Request><PresenceSubList><ClientInfo><Qualifier>T</Qualifier>\
        <DevManufacturer>Nokia</DevManufacturer></ClientInfo></PresenceSubList>\
        </UpdatePresence-Request>";
    dialogue(&mut interpreter, update, &[r#"<Status code="200"/>"#]);
    assert_eq!(recognized(interpreter.terms_mut()), (false, true));
    // What the configuration says goes before what the client says.
    interpreter.terms_mut().recognize(&kinds(), Some("android"));
    assert!(interpreter.terms().switches.style.flat_mappings);
}
