//! Contact lists, attribute lists and block lists of XMPP users (xmpp-mapping, 3.3 and 10).

mod blocking;
mod keeping;
mod presence;

use super::*;

const ROSTER: &str = "<query xmlns='jabber:iq:roster'>\
    <item jid='bob@village.example' name='Bob' subscription='both'><group>Friends</group></item>\
    <item jid='vic@home.example' subscription='to'/><item jid='conference.home.example'/></query>";

/// What the server of alice grants to the component.
fn grant(world: &mut World, from: &str, version: u8, perms: &str) {
    world.xmpp(&format!(
        "<message from='{from}' to='{VILLAGE}'>\
         <privilege xmlns='urn:xmpp:privilege:{version}'>{perms}</privilege></message>"
    ));
}

const ROSTERS: &str = "<perm access='roster' type='both'/>";
const BLOCKING: &str = "<perm access='iq'><namespace ns='urn:xmpp:blocking' type='both'/></perm>";

/// Ids of the questions among the stanzas handed out last.
fn ids(world: &World) -> Vec<String> {
    let out = world.out();
    let id = |text: &String| Some(text.split_once(" id='")?.1.split_once('\'')?.0.to_owned());
    out.iter()
        .filter(|text| text.starts_with("<iq"))
        .filter_map(id)
        .collect()
}

/// Answers the only question handed out last.
fn reply(world: &mut World, payload: &str) {
    let ids = ids(world);
    assert_eq!(ids.len(), 1, "{:?}", world.out());
    world.xmpp(&format!(
        "<iq type='result' from='alice@home.example' to='{VILLAGE}' id='{}'>{payload}</iq>",
        ids[0]
    ));
}

/// Says what the server of alice says when it refuses the only question handed out last.
fn deny(world: &mut World, condition: &str) {
    let ids = ids(world);
    assert_eq!(ids.len(), 1, "{:?}", world.out());
    world.xmpp(&format!(
        "<iq type='error' from='alice@home.example' to='{VILLAGE}' id='{}'><error type='auth'>\
         <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        ids[0]
    ));
}

/// A new process on the same store; alice's server has said what it grants, or been silent.
fn again(world: &mut World, perms: Option<&str>) {
    world.restart();
    world.pass(0);
    world.link_up();
    match perms {
        Some(perms) => grant(world, "home.example", 2, perms),
        None => world.pass(10_000),
    }
}

/// The answer to a request, as text.
fn answer(world: &World, id: RequestId) -> String {
    let mut acts = world.acts.iter();
    let answer = acts.find_map(|act| match act {
        Act::Respond { to, primitive } if *to == id => Some(primitive.to_xml(None)),
        _ => None,
    });
    answer.unwrap_or_else(|| panic!("no answer among {:?}", world.acts))
}

fn ask(world: &mut World, text: &str) -> String {
    let id = world.ssp(Some(ALICE), text);
    answer(world, id)
}

const CREATE: &str = "<CreateListRequest contactListID='wv:alice/friends@home.example'>\
    <NickList><NickName name='Bob' userID='wv:bob@village.example'/></NickList>\
    <ContactListProperties><Property><Name>DisplayName</Name><Value>Friends</Value></Property>\
    </ContactListProperties></CreateListRequest>";
const MANAGE: &str = "<ListManageRequest contactListID='wv:alice/friends@home.example' receiveList='Yes'>\
    <AddNickList><NickName userID='wv:zoe@village.example'/></AddNickList></ListManageRequest>";
const READ: &str =
    "<ListManageRequest contactListID='wv:alice/friends@home.example' receiveList='Yes'/>";

#[test]
fn contact_lists_are_kept_here_where_the_server_grants_no_roster() {
    let mut world = World::settled(GatewaySettings::default());
    let lists = ask(&mut world, "<GetListRequest/>");
    assert!(lists.contains("wv:alice/contacts@home.example"), "{lists}");
    assert!(ask(&mut world, CREATE).contains("200"));
    assert!(ask(&mut world, CREATE).contains("701"));
    again(&mut world, None);
    let lists = ask(&mut world, "<GetListRequest/>");
    assert!(lists.contains("wv:alice/friends@home.example"), "{lists}");
    let list = ask(&mut world, MANAGE);
    assert!(
        list.contains("wv:zoe@village.example") && list.contains("name=\"Bob\""),
        "{list}"
    );
    assert!(world.out().is_empty(), "{:?}", world.out());
    let delete = "<DeleteListRequest contactListID='wv:alice/friends@home.example'/>";
    assert!(ask(&mut world, delete).contains("200"));
    assert!(ask(&mut world, delete).contains("700"));
    assert!(world.kept().is_empty(), "{:?}", world.kept());
}

#[test]
fn contact_lists_are_groups_of_the_roster_where_the_server_grants_it() {
    for version in [1, 2] {
        let mut world = World::up(GatewaySettings::default());
        grant(&mut world, "home.example", version, ROSTERS);
        let id = world.ssp(Some(ALICE), "<GetListRequest/>");
        let question = &world.out()[0];
        assert!(question.contains("to='alice@home.example'"), "{question}");
        assert!(question.contains("from='village.example'"), "{question}");
        reply(&mut world, ROSTER);
        let lists = answer(&world, id);
        for list in ["contacts", "friends"] {
            assert!(
                lists.contains(&format!("wv:alice/{list}@home.example")),
                "{lists}"
            );
        }
        // A change is answered when the server has it.
        let id = world.ssp(Some(ALICE), MANAGE);
        reply(&mut world, ROSTER);
        let set = world.out();
        assert_eq!(set.len(), 1);
        assert!(
            set[0].contains("type='set'")
                && set[0].contains("jid='zoe@village.example'")
                && set[0].contains("<group>Friends</group>"),
            "{set:?}"
        );
        assert!(world.acts.is_empty());
        reply(&mut world, "");
        let list = answer(&world, id);
        assert!(list.contains("wv:zoe@village.example"), "{list}");
        assert!(
            world.kept().is_empty(),
            "the roster has it: {:?}",
            world.kept()
        );
    }
}

#[test]
fn a_server_that_does_not_answer_refuses_or_lets_rosters_be_read_only_is_heard() {
    let mut world = World::up(GatewaySettings::default());
    grant(
        &mut world,
        "home.example",
        2,
        "<perm access='roster' type='get'/>",
    );
    let id = world.ssp(Some(ALICE), CREATE.replace("friends", "pals").as_str());
    reply(&mut world, ROSTER);
    assert_eq!(
        world.code(id),
        Some(701),
        "there is a group that is shown so"
    );
    let id = world.ssp(Some(ALICE), READ);
    reply(&mut world, ROSTER);
    assert!(answer(&world, id).contains("wv:bob@village.example"));
    let id = world.ssp(Some(ALICE), MANAGE);
    reply(&mut world, ROSTER);
    assert_eq!(world.code(id), Some(403));

    let id = world.ssp(Some(ALICE), READ);
    world.pass(60_000);
    assert_eq!(world.code(id), Some(504));

    // Only the user's own server answers, from the bare JID of the user.
    let id = world.ssp(Some(ALICE), READ);
    let question = ids(&world)[0].clone();
    for from in [
        "mallory@evil.test",
        "home.example",
        "alice@home.example/phone",
    ] {
        world.xmpp(&format!(
            "<iq type='result' from='{from}' to='{VILLAGE}' id='{question}'>{ROSTER}</iq>"
        ));
        assert_eq!(world.code(id), None, "{from}");
    }
    world.xmpp(&format!(
        "<iq type='error' from='alice@home.example' to='{VILLAGE}' id='{question}'>\
         <error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
    assert_eq!(world.code(id), Some(403));
    // It grants rosters no more, so lists are kept here.
    assert!(ask(&mut world, "<GetListRequest/>").contains("wv:alice/contacts@home.example"));

    grant(&mut world, "home.example", 2, ROSTERS);
    world.link_down();
    let id = world.ssp(Some(ALICE), READ);
    assert_eq!(world.code(id), Some(503));
}

#[test]
fn only_the_users_server_grants_and_only_its_users_have_lists_here() {
    let mut world = World::settled(GatewaySettings::default());
    for stranger in ["evil.test", "alice@home.example", "mallory@home.example/x"] {
        grant(&mut world, stranger, 2, ROSTERS);
        let lists = ask(&mut world, "<GetListRequest/>");
        assert!(lists.contains("contacts"), "{lists}");
    }
    let id = world.ssp(Some(BOB), "<GetListRequest/>");
    assert_eq!(world.code(id), Some(501));
    let foreign = CREATE.replace("wv:alice/", "wv:carol/");
    let id = world.ssp(Some(ALICE), &foreign);
    assert_eq!(world.code(id), Some(901));
}

#[test]
fn those_on_a_list_get_what_is_for_the_list() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 1, ROSTERS);
    let message = "<SendMessageRequest deliveryReport='No'><MessageInfo messageID='m1' \
        contentType='text/plain'><Recipient><ContactList contactListID='wv:alice/friends@home.example'/>\
        </Recipient><Sender><User userID='wv:alice@home.example'/></Sender></MessageInfo>\
        <ContentData contentType='text/plain'>Hi</ContentData></SendMessageRequest>";
    let id = world.ssp(Some(ALICE), message);
    assert_eq!(world.gateway.messages_open(), 1);
    reply(&mut world, ROSTER);
    let sent = world.sent();
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].contains("wv:bob@village.example") && !sent[0].contains("friends"),
        "{sent:?}"
    );
    world.answer("<SendMessageResponse messageID='m1'><Status code='200'/></SendMessageResponse>");
    assert_eq!(world.code(id), Some(200));
    assert_eq!(world.outcomes(), [Outcome::Relayed]);
    assert_eq!(world.gateway.messages_open(), 0);

    let id = world.ssp(Some(ALICE), &message.replace("/friends@", "/nobody@"));
    reply(&mut world, ROSTER);
    assert_eq!(world.code(id), Some(700));
    assert_eq!(world.outcomes(), [Outcome::Refused(700)]);

    // Nobody is on it, and more lists than a request may name.
    let empty = "<query xmlns='jabber:iq:roster'/>";
    let id = world.ssp(Some(ALICE), &message.replace("/friends@", "/contacts@"));
    reply(&mut world, empty);
    assert_eq!(world.code(id), Some(402));
    assert_eq!(world.outcomes(), [Outcome::Refused(402)]);
    let one = "<Recipient><ContactList contactListID='wv:alice/friends@home.example'/></Recipient>";
    let many = (0..17).map(|n| one.replace("friends", &format!("friends{n}")));
    let id = world.ssp(
        Some(ALICE),
        &message.replace(one, &many.collect::<String>()),
    );
    reply(&mut world, ROSTER);
    assert_eq!(world.code(id), Some(402));
    assert_eq!(world.outcomes().last(), Some(&Outcome::Refused(402)));

    // What is watched.
    let subscribe = "<SubscribeRequest><UserID userID='wv:alice/friends@home.example'/>\
        <UserID userID='wv:zoe@village.example'/></SubscribeRequest>";
    let id = world.ssp(Some(ALICE), subscribe);
    reply(&mut world, ROSTER);
    let sent = world.sent();
    assert!(
        sent[0].contains("wv:bob@village.example") && sent[0].contains("wv:zoe@village.example"),
        "{sent:?}"
    );
    world.answer("<Status code='200'/>");
    assert_eq!(world.code(id), Some(200));
}

/// bob watches alice, who is online and says something.
fn watched(world: &mut World) {
    let subscribe = "<SubscribeRequest><UserID userID='wv:alice@home.example'/></SubscribeRequest>";
    world.ssp(Some(BOB), subscribe);
    world.xmpp("<presence type='subscribed' from='alice@home.example' to='bob@village.example'/>");
    world.xmpp(
        "<presence from='alice@home.example/a' to='bob@village.example'><status>lunch</status></presence>",
    );
}

const GRANT: &str = "<CreateAttributeListRequest><AttributeList><PresenceSubList>\
    <OnlineStatus/><UserAvailability/></PresenceSubList></AttributeList>\
    <UserID userID='wv:bob@village.example'/></CreateAttributeListRequest>";

#[test]
fn a_watcher_sees_what_is_on_the_attribute_list_for_them() {
    let mut world = World::settled(GatewaySettings::default());
    assert!(ask(&mut world, GRANT).contains("200"));
    watched(&mut world);
    let sent = world.sent();
    assert!(
        sent.iter().any(|text| text.contains("<OnlineStatus>")),
        "{sent:?}"
    );
    assert!(!sent.iter().any(|text| text.contains("lunch")), "{sent:?}");
    let get = "<GetPresenceRequest><User userID='wv:alice@home.example'/>\
        <VerUserID userID='wv:alice@home.example'/></GetPresenceRequest>";
    let id = world.ssp(Some(BOB), get);
    assert!(!answer(&world, id).contains("lunch"));
    let lists = ask(&mut world, "<GetAttributeListRequest defaultList='Yes'/>");
    assert!(lists.contains("wv:bob@village.example"), "{lists}");

    // Without the list it is seen, and with it hidden again, over a restart too.
    let delete = "<DeleteAttributeListRequest><UserID userID='wv:bob@village.example'/>\
        </DeleteAttributeListRequest>";
    world.ssp(Some(ALICE), delete);
    world.pass(5_000);
    let id = world.ssp(Some(BOB), get);
    assert!(answer(&world, id).contains("lunch"));
    world.ssp(Some(ALICE), GRANT);
    let mut sent = world.sent();
    world.pass(5_000);
    sent.extend(world.sent());
    let hidden = "<StatusText><Qualifier>F</Qualifier></StatusText>";
    assert!(sent.iter().any(|text| text.contains(hidden)), "{sent:?}");
    world.restart();
    world.link_up();
    world.xmpp(
        "<presence from='alice@home.example/a' to='bob@village.example'><status>back</status></presence>",
    );
    world.pass(5_000);
    let sent = world.sent();
    assert!(!sent.iter().any(|text| text.contains("back")), "{sent:?}");
}

#[test]
fn who_comes_on_a_contact_list_sees_what_its_attribute_list_has() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    let of_list = GRANT.replace(
        "<UserID userID='wv:bob@village.example'/>",
        "<ContactList contactListID='wv:alice/friends@home.example'/>",
    );
    let id = world.ssp(Some(ALICE), &of_list);
    reply(&mut world, &ROSTER.replace("'both'", "'to'"));
    // In advance: who is on it need not be asked about.
    let set = world.out();
    assert!(
        set.len() == 1 && set[0].contains("bob@village.example") && set[0].contains("'both'"),
        "{set:?}"
    );
    reply(&mut world, "");
    assert_eq!(world.code(id), Some(200));
    watched(&mut world);
    assert!(
        !world.sent().iter().any(|text| text.contains("lunch")),
        "{:?}",
        world.sent()
    );
    // The user takes bob off the list with another client: bob was let in for the list alone.
    push(&mut world);
    let question = ids(&world).pop().unwrap();
    let elsewhere = ROSTER.replace("<group>Friends</group>", "<group>Others</group>");
    reply_to(&mut world, &question, &elsewhere);
    let set = world.out();
    assert!(
        set.len() == 1 && set[0].contains("bob@village.example") && set[0].contains("'to'"),
        "{set:?}"
    );
    reply(&mut world, "");
    let mut sent = world.sent();
    world.pass(5_000);
    sent.extend(world.sent());
    let gone = "<OnlineStatus><Qualifier>F</Qualifier></OnlineStatus>";
    assert!(sent.iter().any(|text| text.contains(gone)), "{sent:?}");
    assert!(!sent.iter().any(|text| text.contains("lunch")), "{sent:?}");
}

/// The server of alice says that her roster is another now.
fn push(world: &mut World) {
    world.xmpp(&format!(
        "<iq type='set' from='alice@home.example' to='{VILLAGE}' id='push'>\
         <query xmlns='jabber:iq:roster'><item jid='bob@village.example'/></query></iq>"
    ));
    let out = world.out();
    assert!(out[0].contains("type='result'"), "{out:?}");
}

/// Answers one question.
fn reply_to(world: &mut World, id: &str, payload: &str) {
    world.xmpp(&format!(
        "<iq type='result' from='alice@home.example' to='{VILLAGE}' id='{id}'>{payload}</iq>"
    ));
}

#[test]
fn whom_the_user_lets_see_presence_sees_it_off_the_list_as_xmpp_has_it() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    let of_list = GRANT.replace(
        "<UserID userID='wv:bob@village.example'/>",
        "<ContactList contactListID='wv:alice/friends@home.example'/>",
    );
    let id = world.ssp(Some(ALICE), &of_list);
    reply(&mut world, ROSTER);
    assert_eq!(world.code(id), Some(200));
    watched(&mut world);
    push(&mut world);
    let question = ids(&world).pop().unwrap();
    let elsewhere = ROSTER.replace("<group>Friends</group>", "<group>Others</group>");
    reply_to(&mut world, &question, &elsewhere);
    assert!(world.out().is_empty(), "{:?}", world.out());
    let mut sent = world.sent();
    world.pass(5_000);
    sent.extend(world.sent());
    assert!(sent.iter().any(|text| text.contains("lunch")), "{sent:?}");
}

const BLOCK: &str = "<BlockEntityRequest><BlockList inUse='Yes'><AddList>\
    <UserID userID='wv:bob@village.example'/></AddList></BlockList></BlockEntityRequest>";
const TEXT: &str = "<SendMessageRequest deliveryReport='No'><MessageInfo messageID='m1' \
    contentType='text/plain'><Recipient><User userID='wv:alice@home.example'/></Recipient>\
    <Sender><User userID='wv:bob@village.example'/></Sender></MessageInfo>\
    <ContentData contentType='text/plain'>Hi</ContentData></SendMessageRequest>";
