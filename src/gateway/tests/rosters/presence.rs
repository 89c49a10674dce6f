//! What attribute lists of XMPP users let others see.

use super::*;

/// bob, an XMPP user and one who is in no group are contacts who see nothing yet.
const UNSEEN: &str = "<query xmlns='jabber:iq:roster'>\
    <item jid='bob@village.example' subscription='to'><group>Friends</group></item>\
    <item jid='vic@home.example' subscription='to'><group>Friends</group></item>\
    <item jid='zoe@village.example' subscription='none'><group>Others</group></item></query>";

fn of_list(attributes: &str) -> String {
    format!(
        "<CreateAttributeListRequest><AttributeList><PresenceSubList>{attributes}\
         </PresenceSubList></AttributeList>\
         <ContactList contactListID='wv:alice/friends@home.example'/>\
         <UserID userID='wv:stranger@village.example'/></CreateAttributeListRequest>"
    )
}

#[test]
fn nobody_is_let_see_more_than_an_attribute_list_has() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    // Nobody leaves out what is not on a list for who sees presence by XMPP alone, and an empty list
    // has nothing; who is no contact does not become one.
    let id = world.ssp(Some(ALICE), &of_list(""));
    reply(&mut world, UNSEEN);
    assert_eq!(world.code(id), Some(200));
    assert!(world.out().is_empty(), "{:?}", world.out());
    let id = world.ssp(Some(ALICE), &of_list("<OnlineStatus/>"));
    reply(&mut world, UNSEEN);
    let out = world.out();
    assert!(
        out.len() == 1 && out[0].contains("bob@village.example"),
        "{out:?}"
    );
    // It is in force whether the server lets bob see presence in advance or not.
    deny(&mut world, "not-allowed");
    assert_eq!(world.code(id), Some(200));
    watched(&mut world);
    let sent = world.sent();
    assert!(
        sent.iter().any(|text| text.contains("<OnlineStatus>")),
        "{sent:?}"
    );
    assert!(!sent.iter().any(|text| text.contains("lunch")), "{sent:?}");
}

#[test]
fn who_was_let_see_presence_for_a_list_alone_sees_nothing_without_it() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    let id = world.ssp(Some(ALICE), &of_list("<OnlineStatus/>"));
    reply(&mut world, UNSEEN);
    reply(&mut world, "");
    assert_eq!(world.code(id), Some(200));
    watched(&mut world);
    let delete = "<DeleteAttributeListRequest>\
        <ContactList contactListID='wv:alice/friends@home.example'/></DeleteAttributeListRequest>";
    let seen = UNSEEN.replacen("'to'", "'both'", 1);
    // As long as the server lets them, they see what is on the list.
    let id = world.ssp(Some(ALICE), delete);
    reply(&mut world, &seen);
    let set = world.out();
    assert!(
        set.len() == 1 && set[0].contains("bob@") && set[0].contains("'to'"),
        "{set:?}"
    );
    deny(&mut world, "not-allowed");
    assert_eq!(world.code(id), Some(403));
    world.pass(5_000);
    assert!(!presence(&mut world).contains("lunch"));
    assert!(presence(&mut world).contains("OnlineStatus"));
    let id = world.ssp(Some(ALICE), delete);
    reply(&mut world, &seen);
    reply(&mut world, "");
    assert_eq!(world.code(id), Some(200));
    let sent = world.sent();
    let gone = "<OnlineStatus><Qualifier>F</Qualifier></OnlineStatus>";
    assert!(sent.iter().any(|text| text.contains(gone)), "{sent:?}");
    world.xmpp(
        "<presence from='alice@home.example/a' to='bob@village.example'><status>back</status></presence>",
    );
    world.pass(5_000);
    assert!(!presence(&mut world).contains("alice"));
}

/// What bob is told when asking for the presence of alice.
fn presence(world: &mut World) -> String {
    let get = "<GetPresenceRequest><User userID='wv:alice@home.example'/>\
        <VerUserID userID='wv:alice@home.example'/></GetPresenceRequest>";
    let id = world.ssp(Some(BOB), get);
    if !world
        .acts
        .iter()
        .any(|act| matches!(act, Act::Respond { .. }))
    {
        world.pass(10_000);
    }
    answer(world, id)
}

#[test]
fn attribute_lists_are_kept_where_rosters_may_be_read_only() {
    let mut world = World::up(GatewaySettings::default());
    let read_only = "<perm access='roster' type='get'/>";
    grant(&mut world, "home.example", 2, read_only);
    let id = world.ssp(Some(ALICE), &of_list("<OnlineStatus/>"));
    reply(&mut world, UNSEEN);
    assert_eq!(world.code(id), Some(200));
    assert!(world.out().is_empty(), "{:?}", world.out());
    watched(&mut world);
    assert!(!world.sent().iter().any(|text| text.contains("lunch")));
}

#[test]
fn who_is_taken_out_of_the_roster_sees_presence_no_more() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    watched(&mut world);
    assert!(presence(&mut world).contains("lunch"));
    let remove = "<ListManageRequest contactListID='wv:alice/contacts@home.example'>\
        <RemoveNickList><UserID userID='wv:bob@village.example'/></RemoveNickList></ListManageRequest>";
    let roster = ROSTER.replace("<group>Friends</group>", "");
    let id = world.ssp(Some(ALICE), remove);
    reply(&mut world, &roster);
    assert!(world.out()[0].contains("'remove'"), "{:?}", world.out());
    // Not before the server has agreed.
    deny(&mut world, "not-allowed");
    assert!(answer(&world, id).contains("403"));
    assert!(presence(&mut world).contains("lunch"));
    let id = world.ssp(Some(ALICE), remove);
    reply(&mut world, &roster);
    reply(&mut world, "");
    assert!(answer(&world, id).contains("200"));
    let sent = world.sent();
    let gone = "<OnlineStatus><Qualifier>F</Qualifier></OnlineStatus>";
    assert!(sent.iter().any(|text| text.contains(gone)), "{sent:?}");
    assert!(!presence(&mut world).contains("lunch"));
    assert_eq!(world.gateway.watches(), (0, 0));
}

#[test]
fn who_sees_nothing_by_an_attribute_list_hears_not_even_that_there_was_something() {
    let mut world = World::settled(GatewaySettings::default());
    let nothing = GRANT.replace("<OnlineStatus/><UserAvailability/>", "");
    assert!(ask(&mut world, &nothing).contains("200"));
    watched(&mut world);
    let mut sent = world.sent();
    world.pass(5_000);
    sent.extend(world.sent());
    assert!(sent.is_empty(), "{sent:?}");
    assert!(!presence(&mut world).contains("alice"));
}

#[test]
fn searches_and_profiles_tell_no_more_than_attribute_lists_do() {
    for (attributes, is_there) in [
        ("<OnlineStatus/><ClientInfo/>", true),
        ("<StatusText/>", false),
    ] {
        let mut world = World::settled(GatewaySettings::default());
        let list = GRANT.replace("<OnlineStatus/><UserAvailability/>", attributes);
        assert!(ask(&mut world, &list).contains("200"));
        watched(&mut world);
        let (bob, alice) = (Address::new(BOB), Address::new(ALICE));
        let (watches, shared) = (&world.gateway.watches, &world.gateway.shared);
        let online = watches.is_online(&alice, &bob, shared);
        assert_eq!(online, is_there.then_some(true), "{attributes}");
        let clients = watches.clients(&alice, &bob, shared);
        assert_eq!(clients.len(), usize::from(is_there), "{attributes}");
    }
}

#[test]
fn what_the_server_may_have_done_unheard_is_taken_back_with_the_list() {
    let delete = "<DeleteAttributeListRequest>\
        <ContactList contactListID='wv:alice/friends@home.example'/></DeleteAttributeListRequest>";
    for is_done in [true, false] {
        let mut world = World::up(GatewaySettings::default());
        grant(&mut world, "home.example", 2, ROSTERS);
        world.ssp(Some(ALICE), &of_list("<OnlineStatus/>"));
        reply(&mut world, UNSEEN);
        assert_eq!(ids(&world).len(), 1, "{:?}", world.out());
        // Killed before the server has said that it let bob see presence.
        again(&mut world, Some(ROSTERS));
        let roster = if is_done {
            UNSEEN.replacen("'to'", "'both'", 1)
        } else {
            UNSEEN.to_owned()
        };
        reply(&mut world, &roster);
        let id = world.ssp(Some(ALICE), delete);
        reply(&mut world, &roster);
        let set = world.out();
        assert_eq!(set.len(), usize::from(is_done), "{set:?}");
        if is_done {
            assert!(
                set[0].contains("bob@") && set[0].contains("'to'"),
                "{set:?}"
            );
            reply(&mut world, "");
        }
        assert_eq!(world.code(id), Some(200));
    }
}

#[test]
fn who_is_let_see_presence_by_the_user_is_not_taken_for_one_let_by_the_list() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    world.ssp(Some(ALICE), &of_list("<OnlineStatus/>"));
    reply(&mut world, UNSEEN);
    reply(&mut world, "");
    // The user takes it back with another client, and lets bob see it for good later.
    push(&mut world);
    let question = ids(&world).pop().unwrap();
    reply_to(&mut world, &question, UNSEEN);
    let id = world.ssp(
        Some(ALICE),
        "<DeleteAttributeListRequest><ContactList contactListID='wv:alice/friends@home.example'/>\
         </DeleteAttributeListRequest>",
    );
    reply(&mut world, &UNSEEN.replacen("'to'", "'both'", 1));
    assert!(world.out().is_empty(), "{:?}", world.out());
    assert_eq!(world.code(id), Some(200));
}
