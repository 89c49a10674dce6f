//! Block lists and grant lists of XMPP users.

use super::*;

/// What the server of alice says of her block list.
const NOBODY: &str = "type='result'><blocklist xmlns='urn:xmpp:blocking'/>";

/// As it says it to a component that asks in her name.
fn wrapped(inner: &str) -> String {
    format!(
        "<privilege xmlns='urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'>\
         <iq xmlns='jabber:client' from='alice@home.example' to='alice@home.example' id='x' \
         {inner}</iq></forwarded></privilege>"
    )
}

/// Both lists of alice, which her server is asked for.
fn lists(world: &mut World, server: &str) -> String {
    let id = world.ssp(Some(ALICE), "<GetBlockedListRequest/>");
    reply(world, &wrapped(server));
    answer(world, id)
}

#[test]
fn who_is_blocked_neither_writes_nor_invites() {
    let mut world = World::settled(GatewaySettings::default());
    assert!(ask(&mut world, BLOCK).contains("200"));
    again(&mut world, None);
    let invite = "<InviteRequest inviteID='i1' inviteType='IM'>\
        <Inviting><User userID='wv:bob@village.example'/></Inviting>\
        <Invited><User userID='wv:alice@home.example'/></Invited></InviteRequest>";
    let id = world.ssp(Some(BOB), TEXT);
    assert_eq!(world.code(id), Some(532));
    assert_eq!(world.outcomes(), [Outcome::Refused(532)]);
    let id = world.ssp(Some(BOB), invite);
    assert_eq!(world.code(id), Some(532));
    let lists = ask(&mut world, "<GetBlockedListRequest/>");
    assert!(lists.contains("wv:bob@village.example"), "{lists}");
    // Not in use, the list stays.
    let off = "<BlockEntityRequest><BlockList inUse='No'/></BlockEntityRequest>";
    assert!(ask(&mut world, off).contains("200"));
    world.ssp(Some(BOB), TEXT);
    assert_eq!(world.stanzas.len(), 1);
    // Only who is granted.
    let granted = "<BlockEntityRequest><GrantList inUse='Yes'><AddList>\
        <ContactList contactListID='wv:alice/contacts@home.example'/></AddList></GrantList>\
        </BlockEntityRequest>";
    assert!(ask(&mut world, granted).contains("200"));
    let id = world.ssp(Some(BOB), &TEXT.replace("m1", "m2"));
    assert_eq!(world.code(id), Some(532));
    let contact = "<ListManageRequest contactListID='wv:alice/contacts@home.example'>\
        <AddNickList><NickName userID='wv:bob@village.example'/></AddNickList></ListManageRequest>";
    ask(&mut world, contact);
    world.ssp(Some(BOB), &TEXT.replace("m1", "m3"));
    assert_eq!(world.stanzas.len(), 1);
}

#[test]
fn who_is_blocked_is_blocked_at_the_users_server_where_it_grants_that() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, BLOCKING);
    let id = world.ssp(Some(ALICE), BLOCK);
    reply(&mut world, &wrapped(NOBODY));
    let out = world.out();
    assert_eq!(out.len(), 1);
    for part in [
        "to='alice@home.example'",
        "<privileged_iq xmlns='urn:xmpp:privilege:2'>",
        "from='alice@home.example'",
        "<block xmlns='urn:xmpp:blocking'><item jid='bob@village.example'/></block>",
    ] {
        assert!(out[0].contains(part), "{part} in {}", out[0]);
    }
    reply(&mut world, &wrapped("type='result'>"));
    assert_eq!(world.code(id), Some(200));

    let id = world.ssp(Some(ALICE), "<GetBlockedListRequest/>");
    let list = "type='result'><blocklist xmlns='urn:xmpp:blocking'><item jid='bob@village.example'/>\
        <item jid='mallory@village.example'/></blocklist>";
    reply(&mut world, &wrapped(list));
    let lists = answer(&world, id);
    assert!(lists.contains("wv:mallory@village.example"), "{lists}");
    assert_eq!(
        lists.matches("wv:bob@village.example").count(),
        1,
        "{lists}"
    );

    // Whom the server alone has blocked is let in again as well.
    let off = "<BlockEntityRequest><BlockList><RemoveList><UserID userID='wv:mallory@village.example'/>\
        </RemoveList></BlockList></BlockEntityRequest>";
    let id = world.ssp(Some(ALICE), off);
    reply(&mut world, &wrapped(list));
    assert!(world.out()[0].contains("<unblock xmlns='urn:xmpp:blocking'><item jid='mallory"));
    let refused = "type='error'><error type='auth'>\
        <not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    reply(&mut world, &wrapped(refused));
    assert_eq!(world.code(id), Some(403));
}

#[test]
fn a_contact_list_blocks_and_lets_in_those_whom_the_roster_has_on_it() {
    let friends = "<AddList><ContactList contactListID='wv:alice/friends@home.example'/></AddList>";
    let lists = |name: &str| {
        format!("<BlockEntityRequest><{name} inUse='Yes'>{friends}</{name}></BlockEntityRequest>")
    };
    for (list, bob, zoe) in [
        ("BlockList", Some(532), None),
        ("GrantList", None, Some(532)),
    ] {
        let mut world = World::up(GatewaySettings::default());
        grant(&mut world, "home.example", 2, ROSTERS);
        let id = world.ssp(Some(ALICE), &lists(list));
        reply(&mut world, ROSTER);
        assert_eq!(world.code(id), Some(200), "{list}");
        let write = |world: &mut World, from: &str| {
            let id = world.ssp(Some(from), &TEXT.replace(BOB, from));
            world.code(id)
        };
        let zoe_is = "wv:zoe@village.example";
        assert_eq!(write(&mut world, BOB), bob, "{list}");
        assert_eq!(write(&mut world, zoe_is), zoe, "{list}");
        // The same after a restart, before the server can be asked.
        world.restart();
        world.link_up();
        assert_eq!(write(&mut world, BOB), bob, "{list}");
        assert_eq!(write(&mut world, zoe_is), zoe, "{list}");
        // The roster is read when the server lets it be, and zoe is on the list in place of bob.
        grant(&mut world, "home.example", 2, ROSTERS);
        reply(&mut world, &ROSTER.replace("bob@", "zoe@"));
        assert_eq!(write(&mut world, BOB), zoe, "{list}");
        assert_eq!(write(&mut world, zoe_is), bob, "{list}");
    }
}

#[test]
fn only_contact_lists_that_the_user_has_are_on_the_lists() {
    for perms in [None, Some(ROSTERS)] {
        let mut world = World::settled(GatewaySettings::default());
        if let Some(perms) = perms {
            grant(&mut world, "home.example", 2, perms);
        }
        for list in [
            "wv:alice/none@home.example",
            "wv:bob/contacts@village.example",
        ] {
            let add = format!(
                "<BlockEntityRequest><GrantList inUse='Yes'><AddList><ContactList \
                 contactListID='{list}'/></AddList></GrantList></BlockEntityRequest>"
            );
            let id = world.ssp(Some(ALICE), &add);
            if perms.is_some() {
                reply(&mut world, ROSTER);
            }
            let told = answer(&world, id);
            assert!(told.contains("700") && told.contains(list), "{told}");
        }
        let lists = ask(&mut world, "<GetBlockedListRequest/>");
        assert!(!lists.contains("contactListID"), "{lists}");
    }
}

#[test]
fn whom_the_server_does_not_agree_to_block_is_not_blocked() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, BLOCKING);
    let id = world.ssp(Some(ALICE), BLOCK);
    reply(&mut world, &wrapped(NOBODY));
    let refused = "type='error'><error type='wait'>\
        <internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    reply(&mut world, &wrapped(refused));
    assert_eq!(world.code(id), Some(500));
    assert!(world.kept().is_empty(), "{:?}", world.kept());
    world.ssp(Some(BOB), TEXT);
    assert_eq!(world.stanzas.len(), 1);
    // Nor who is not answered about.
    let id = world.ssp(Some(ALICE), BLOCK);
    reply(&mut world, &wrapped(NOBODY));
    world.pass(10_000);
    assert_eq!(world.code(id), Some(504));
    assert!(!lists(&mut world, NOBODY).contains("bob"));
}

/// What the server says of a block list with these on it.
fn of(jids: &[&str]) -> String {
    let items = jids.iter().map(|jid| format!("<item jid='{jid}'/>"));
    let items: String = items.collect();
    format!("type='result'><blocklist xmlns='urn:xmpp:blocking'>{items}</blocklist>")
}

#[test]
fn whom_another_client_blocks_and_lets_in_again_is_let_in_here_too() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, BLOCKING);
    let blocked = of(&["bob@village.example"]);
    assert!(lists(&mut world, &blocked).contains("bob"));
    let id = world.ssp(Some(BOB), TEXT);
    assert_eq!(world.code(id), Some(532));
    assert!(!lists(&mut world, NOBODY).contains("bob"));
    world.ssp(Some(BOB), &TEXT.replace("m1", "m2"));
    assert_eq!(world.stanzas.len(), 1);
    assert!(
        !world.kept().iter().any(|key| key.contains("account")),
        "{:?}",
        world.kept()
    );
}

#[test]
fn the_block_list_is_that_of_the_server_whatever_other_clients_change() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, BLOCKING);
    let id = world.ssp(Some(ALICE), BLOCK);
    reply(&mut world, &wrapped(NOBODY));
    reply(&mut world, &wrapped("type='result'>"));
    assert_eq!(world.code(id), Some(200));
    let id = world.ssp(Some(BOB), TEXT);
    assert_eq!(world.code(id), Some(532));
    // Another client lets bob in and blocks mallory.
    let told = lists(&mut world, &of(&["mallory@village.example"]));
    assert!(told.contains("mallory") && !told.contains("bob"), "{told}");
    world.ssp(Some(BOB), &TEXT.replace("m1", "m2"));
    assert_eq!(world.stanzas.len(), 1);
    let mallory = TEXT.replace("wv:bob", "wv:mallory");
    let id = world.ssp(Some("wv:mallory@village.example"), &mallory);
    assert_eq!(world.code(id), Some(532));
    // Who is blocked here and not there is told to the server again.
    let id = world.ssp(Some(ALICE), BLOCK);
    reply(&mut world, &wrapped(&of(&["mallory@village.example"])));
    let out = world.out();
    assert!(
        out[0].contains("<block ") && out[0].contains("bob@"),
        "{out:?}"
    );
    assert!(!out[0].contains("mallory"), "{out:?}");
    reply(&mut world, &wrapped("type='result'>"));
    assert_eq!(world.code(id), Some(200));
    // Not in use, nobody is blocked there; in use again, all of them.
    let both = of(&["mallory@village.example", "bob@village.example"]);
    for (in_use, before, word) in [
        ("No", both.as_str(), "<unblock "),
        ("Yes", NOBODY, "<block "),
    ] {
        let change =
            format!("<BlockEntityRequest><BlockList inUse='{in_use}'/></BlockEntityRequest>");
        let id = world.ssp(Some(ALICE), &change);
        reply(&mut world, &wrapped(before));
        let out = world.out();
        assert!(out[0].contains(word), "{out:?}");
        assert!(
            out[0].contains("mallory") && out[0].contains("bob"),
            "{out:?}"
        );
        reply(&mut world, &wrapped("type='result'>"));
        assert_eq!(world.code(id), Some(200));
    }
}

#[test]
fn who_was_blocked_before_the_server_granted_that_stays_blocked() {
    let mut world = World::settled(GatewaySettings::default());
    assert!(ask(&mut world, BLOCK).contains("200"));
    grant(&mut world, "home.example", 2, BLOCKING);
    assert!(lists(&mut world, NOBODY).contains("bob"));
    let more = BLOCK.replace("wv:bob", "wv:mallory");
    let id = world.ssp(Some(ALICE), &more);
    reply(&mut world, &wrapped(NOBODY));
    let out = world.out();
    assert!(
        out[0].contains("bob@") && out[0].contains("mallory@"),
        "{out:?}"
    );
    reply(&mut world, &wrapped("type='result'>"));
    assert_eq!(world.code(id), Some(200));
}
