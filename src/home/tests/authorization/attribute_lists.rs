//! Proactive authorization: attribute lists of users and contact lists, and the default one.

use super::*;

/// Alice with a text and a mood, and Zoe, who watches them, on her list of friends.
fn world() -> World {
    let mut world = World::peopled();
    make(&mut world, "friends", &[ZOE]);
    let values = update(&[("StatusText", "here"), ("StatusMood", "HAPPY")]);
    assert_eq!(code(&mut world, "alice", &values), 200);
    assert_eq!(watch(&mut world, ZOE, &["StatusText", "StatusMood"]), 200);
    let all = [("StatusText", "here"), ("StatusMood", "HAPPY")];
    assert_eq!(told(&mut world), [one(ZOE, &all)]);
    world
}

#[test]
fn the_list_of_a_user_overrides_those_of_contact_lists_and_is_only_theirs() {
    let mut world = world();
    assert_eq!(
        code(
            &mut world,
            "alice",
            &attach("Create", false, &["StatusText"], &list("friends"))
        ),
        200
    );
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusMood", "-")])]);
    let own = attach("Create", false, &["StatusMood"], &user(ZOE));
    assert_eq!(code(&mut world, "alice", &own), 200);
    assert_eq!(
        told(&mut world),
        [one(ZOE, &[("StatusText", "-"), ("StatusMood", "HAPPY")])]
    );
    // Another one of the same list sees what the list says.
    let add = r#"<ListManageRequest contactListID="wv:alice/friends@home.test">META<AddNickList><NickName userID="wv:yan@far.test"/></AddNickList></ListManageRequest>"#;
    assert_eq!(code(&mut world, "alice", add), 200);
    watch(&mut world, "yan@far.test", &["StatusText", "StatusMood"]);
    assert_eq!(
        told(&mut world),
        [one("yan@far.test", &[("StatusText", "here")])]
    );
    // It holds whether they are on a list or not, and survives a restart.
    let remove = r#"<ListManageRequest contactListID="wv:alice/friends@home.test">META<RemoveNickList><UserID userID="wv:zoe@far.test"/></RemoveNickList></ListManageRequest>"#;
    assert_eq!(code(&mut world, "alice", remove), 200);
    assert_eq!(told(&mut world), []);
    world.restart();
    watch(&mut world, ZOE, &["StatusText", "StatusMood"]);
    assert_eq!(
        told(&mut world),
        [one(ZOE, &[("StatusText", "-"), ("StatusMood", "HAPPY")])]
    );
    // Detached, nothing is left.
    assert_eq!(
        code(
            &mut world,
            "alice",
            &attach("Delete", false, &[], &user(ZOE))
        ),
        200
    );
    // After a start those who were told something are told everything anew.
    let yan = one(
        "yan@far.test",
        &[("StatusText", "here"), ("StatusMood", "-")],
    );
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusMood", "-")]), yan]);
}

#[test]
fn lists_of_several_contact_lists_are_combined_and_the_default_stands_for_those_without() {
    let mut world = world();
    make(&mut world, "work", &[ZOE]);
    for (name, attribute) in [("friends", "StatusText"), ("work", "OnlineStatus")] {
        let attach = attach("Create", false, &[attribute], &list(name));
        assert_eq!(code(&mut world, "alice", &attach), 200);
    }
    // While work had no list of its own it had the default one, with everything.
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusMood", "-")])]);
    let default = attach("Create", true, &["StatusMood"], "");
    assert_eq!(code(&mut world, "alice", &default), 200);
    assert_eq!(told(&mut world), []);
    assert_eq!(
        code(
            &mut world,
            "alice",
            &attach("Delete", false, &[], &list("work"))
        ),
        200
    );
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusMood", "HAPPY")])]);
    // Without the default list the list that has none authorizes nothing.
    assert_eq!(
        code(&mut world, "alice", &attach("Delete", true, &[], "")),
        200
    );
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusMood", "-")])]);
    world.restart();
    let delete =
        r#"<DeleteListRequest contactListID="wv:alice/friends@home.test">META</DeleteListRequest>"#;
    assert_eq!(code(&mut world, "alice", delete), 200);
    assert_eq!(
        told(&mut world),
        [one(ZOE, &[("StatusText", "-"), ("StatusMood", "-")])]
    );
}

#[test]
fn lists_are_shown_as_they_are_attached() {
    let mut world = world();
    let get = |default: &str, targets: &str| {
        format!(
            r#"<GetAttributeListRequest defaultList="{default}">META{targets}</GetAttributeListRequest>"#
        )
    };
    let both = user(ZOE) + &list("friends");
    assert_eq!(
        code(
            &mut world,
            "alice",
            &attach("Create", true, &["OnlineStatus"], &both)
        ),
        200
    );
    world.restart();
    let names = r#"<PresenceSubList xmlns="http://www.openmobilealliance.org/DTD/IMPS-PA1.3"><OnlineStatus/></PresenceSubList>"#;
    let default = format!("<DefaultAttributeList>{names}</DefaultAttributeList>");
    let of_list = format!("<Presence>{}{names}</Presence>", list("friends"));
    let of_user = format!("<Presence>{}{names}</Presence>", user(ZOE));
    let whole = |inside: &str| {
        format!(
            r#"<GetAttributeListResponse><Status code="200"/>{inside}</GetAttributeListResponse>"#
        )
    };
    for (request, inside) in [
        (get("Yes", ""), format!("{default}{of_list}{of_user}")),
        (get("No", ""), format!("{of_list}{of_user}")),
        (get("No", &user(ZOE)), of_user.clone()),
        (get("Yes", &list("friends")), format!("{default}{of_list}")),
        // What has none is not there.
        (get("No", &user("yan@far.test")), String::new()),
    ] {
        let answer = ask(&mut world, "alice", &request).to_xml(None);
        assert_eq!(answer, whole(&inside), "{request}");
    }
}

#[test]
fn what_cannot_be_attached_is_named_and_the_rest_is_done() {
    let mut world = world();
    let nothing = list("nothing");
    let service = user("@far.test");
    for (request, code) in [
        // No list, no target.
        (
            format!(
                "<CreateAttributeListRequest>META{}</CreateAttributeListRequest>",
                user(ZOE)
            ),
            402,
        ),
        (attach("Create", false, &["StatusText"], ""), 402),
        (attach("Delete", false, &[], ""), 402),
        (attach("Create", false, &["X-Shoe"], &user(ZOE)), 750),
        (attach("Create", false, &["StatusText"], &nothing), 700),
        (attach("Create", false, &["StatusText"], &service), 901),
        (
            attach(
                "Create",
                false,
                &["StatusText"],
                &format!("{service}{nothing}"),
            ),
            900,
        ),
        (attach("Delete", false, &[], &nothing), 700),
        (
            attach(
                "Create",
                false,
                &["StatusText"],
                r#"<ContactList contactListID="wv:bob/contacts@home.test"/>"#,
            ),
            700,
        ),
    ] {
        let before = world.store.clone();
        assert_eq!(
            super::code(&mut world, "alice", &request),
            code,
            "{request}"
        );
        assert_eq!(world.store, before, "{request}");
    }
    let partly = attach(
        "Create",
        false,
        &["StatusText", "X-Shoe"],
        &format!("{}{nothing}", user(ZOE)),
    );
    let answer = ask(&mut world, "alice", &partly);
    let status = answer.verdict().unwrap();
    let details: Vec<u16> = status.details.iter().map(|detail| detail.code.0).collect();
    assert_eq!((status.code.0, details), (201, vec![700, 750]));
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusMood", "-")])]);
}

#[test]
fn attribute_lists_of_users_are_bounded_as_all_that_a_user_keeps_of_others() {
    let mut world = World::with(|settings| settings.max_contacts = 1);
    world.add("alice");
    let request = attach("Create", false, &["StatusText"], &user(ZOE));
    assert_eq!(code(&mut world, "alice", &request), 200);
    let request = attach("Create", false, &["StatusText"], &user("yan@far.test"));
    assert_eq!(code(&mut world, "alice", &request), 754);
}
