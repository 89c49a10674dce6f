//! Making, changing, reading and deleting lists.

use super::*;

fn all(world: &mut World) -> (Vec<String>, Option<String>) {
    match ask(world, "alice", "<GetListRequest>META</GetListRequest>") {
        Primitive::GetListResponse(response) => {
            let name =
                |id: &crate::imps::common::ContactList| id.list.resource_part().unwrap().to_owned();
            let default = response.default.as_ref().map(name);
            (response.lists.iter().map(name).collect(), default)
        }
        other => panic!("{other:?}"),
    }
}

fn property(name: &str, value: &str) -> String {
    format!(
        "<ContactListProperties><Property><Name>{name}</Name><Value>{value}</Value></Property></ContactListProperties>"
    )
}

#[test]
fn a_user_has_several_lists_and_one_of_them_is_the_default() {
    let mut world = World::peopled();
    let named = |names: &[&str], default: &str| {
        let names = names.iter().map(|name| (*name).to_owned());
        (names.collect::<Vec<_>>(), Some(default.to_owned()))
    };
    make(&mut world, "friends", &["bob@home.test", "zoe@far.test"]);
    make(&mut world, "work", &["zoe@far.test"]);
    assert_eq!(
        all(&mut world),
        named(&["contacts", "friends", "work"], "contacts")
    );
    assert_eq!(
        code(
            &mut world,
            "alice",
            &manage("work", &property("Default", "T"))
        ),
        200
    );
    assert_eq!(
        all(&mut world),
        named(&["contacts", "friends", "work"], "work")
    );
    // Deleting the default list makes another one the default.
    assert_eq!(code(&mut world, "alice", &delete("work")), 200);
    assert_eq!(all(&mut world), named(&["contacts", "friends"], "contacts"));
    world.restart();
    assert_eq!(all(&mut world), named(&["contacts", "friends"], "contacts"));
    assert_eq!(
        members(&mut world, "friends"),
        ["bob@home.test", "zoe@far.test"]
    );
    for name in ["contacts", "friends"] {
        assert_eq!(code(&mut world, "alice", &delete(name)), 200);
    }
    assert_eq!(all(&mut world), (Vec::new(), None));
    let kept = |world: &World| {
        world
            .store
            .keys()
            .filter(|k| k.contains("/relation/"))
            .count()
    };
    assert_eq!(kept(&world), 0);
    // The first list becomes the default, whatever is said of it.
    let create = format!(
        r#"<CreateListRequest contactListID="wv:alice/new@home.test">META{}</CreateListRequest>"#,
        property("Default", "F")
    );
    assert_eq!(code(&mut world, "alice", &create), 200);
    world.restart();
    assert_eq!(all(&mut world), named(&["new"], "new"));
}

#[test]
fn members_have_a_nickname_on_each_list_and_properties_are_edited() {
    let mut world = World::peopled();
    make(&mut world, "friends", &[]);
    for (list, nick) in [("friends", "Zoë"), ("contacts", "Ms Z")] {
        let add = format!(
            r#"<AddNickList><NickName name="{nick}" userID="wv:zoe@far.test"/></AddNickList>"#
        );
        assert_eq!(code(&mut world, "alice", &manage(list, &add)), 200);
    }
    let rename = manage("friends", &property("DisplayName", "My friends"));
    assert_eq!(code(&mut world, "alice", &rename), 200);
    world.restart();
    let read = ask(&mut world, "alice", &manage("friends", "")).to_xml(None);
    for part in [
        r#"<NickName name="Zoë" userID="wv:zoe@far.test"/>"#,
        "<Name>DisplayName</Name><Value>My friends</Value>",
        "<Name>Default</Name><Value>F</Value>",
    ] {
        assert!(read.contains(part), "{read}");
    }
    let remove = r#"<RemoveNickList><UserID userID="wv:zoe@far.test"/></RemoveNickList>"#;
    assert_eq!(code(&mut world, "alice", &manage("friends", remove)), 200);
    assert_eq!(members(&mut world, "friends"), [""; 0]);
    assert_eq!(members(&mut world, "contacts"), ["zoe@far.test"]);
    // A name that is given empty is none.
    let clear = manage("friends", &property("DisplayName", ""));
    let read = ask(&mut world, "alice", &clear).to_xml(None);
    assert!(!read.contains("DisplayName"), "{read}");
}

#[test]
fn what_cannot_be_is_refused_and_nothing_of_it_is_done() {
    let mut world = World::with(|settings| {
        settings.max_lists = 2;
        settings.max_contacts = 2;
    });
    world.add("alice");
    make(&mut world, "friends", &["zoe@far.test"]);
    let create = |list: &str, inside: &str| {
        format!(r#"<CreateListRequest contactListID="{list}">META{inside}</CreateListRequest>"#)
    };
    let nicks = |wrap: &str, users: &[&str]| {
        let users = users.iter().map(|u| format!(r#"<NickName userID="{u}"/>"#));
        format!("<{wrap}>{}</{wrap}>", users.collect::<String>())
    };
    let long = "n".repeat(65);
    let wide = "w".repeat(257);
    let twice = property("Default", "T")
        .replace("<ContactListProperties>", "")
        .replace("</ContactListProperties>", "");
    let twice = format!("<ContactListProperties>{twice}{twice}</ContactListProperties>");
    let named =
        format!(r#"<AddNickList><NickName name="{wide}" userID="wv:yan@far.test"/></AddNickList>"#);
    let cases: Vec<(String, u16)> = vec![
        (create("wv:alice/friends@home.test", ""), 701),
        (create("wv:alice/third@home.test", ""), 753),
        (create("wv:bob/friends@home.test", ""), 901),
        (create("wv:alice@home.test", ""), 901),
        (create("wv:alice/friends@far.test", ""), 901),
        (create(&format!("wv:alice/{long}@home.test"), ""), 402),
        (delete("nothing"), 700),
        (manage("nothing", ""), 700),
        (manage("friends", &property("Colour", "blue")), 752),
        (manage("friends", &property("Default", "perhaps")), 752),
        (manage("contacts", &property("Default", "F")), 752),
        (manage("friends", &property("DisplayName", &wide)), 752),
        (manage("friends", &twice), 752),
        (
            manage(
                "friends",
                &nicks("AddNickList", &["wv:yan@far.test", "wv:@far.test"]),
            ),
            901,
        ),
        (
            manage(
                "friends",
                &nicks("AddNickList", &["wv:alice/friends@home.test"]),
            ),
            901,
        ),
        (
            manage(
                "friends",
                r#"<RemoveNickList><UserID userID="wv:@far.test"/></RemoveNickList>"#,
            ),
            901,
        ),
        (manage("friends", &named), 402),
        (
            manage(
                "friends",
                &nicks("AddNickList", &["wv:yan@far.test", "wv:xan@far.test"]),
            ),
            754,
        ),
    ];
    let before = world.store.clone();
    for (request, expected) in cases {
        assert_eq!(code(&mut world, "alice", &request), expected, "{request}");
        assert_eq!(world.store, before, "{request}");
    }
    // Who is not there, or not of this domain, has no lists.
    let list = "<GetListRequest>META</GetListRequest>";
    assert_eq!(code(&mut world, "nobody", list), 531);
    let list = decode_fragment(b"<GetListRequest></GetListRequest>").unwrap();
    let answer = world.deliver("far.test", Some("zoe@far.test"), list.clone());
    assert_eq!(answer.unwrap().verdict().unwrap().code.0, 501);
    let answer = world.deliver("far.test", None, list);
    assert_eq!(answer.unwrap().verdict().unwrap().code.0, 402);
}

#[test]
fn a_record_of_when_there_was_one_list_is_read() {
    let mut world = World::peopled();
    for (other, record) in [
        ("zoe@far.test", r#"{"contact":{"name":"Zoë"}}"#),
        ("yan@far.test", r#"{"contact":{},"blocked":true}"#),
        (
            "xan@far.test",
            r#"{"decision":true,"watcher":{"attributes":[],"asked":false}}"#,
        ),
        ("wim@far.test", r#"{"decision":false}"#),
    ] {
        let key = format!("home/user/alice/relation/wv:{other}");
        world.store.insert(key, record.as_bytes().to_vec());
    }
    world.restart();
    let read = ask(&mut world, "alice", &manage("contacts", "")).to_xml(None);
    assert!(
        read.contains(
            r#"<NickName userID="wv:yan@far.test"/><NickName name="Zoë" userID="wv:zoe@far.test"/>"#
        ),
        "{read}"
    );
    let states = "<GetReactiveAuthStatusRequest>META</GetReactiveAuthStatusRequest>";
    let states = ask(&mut world, "alice", states).to_xml(None);
    for part in [
        r#"<ReactiveAuthStatus userID="wv:xan@far.test" state="GRANTED"/>"#,
        r#"<ReactiveAuthStatus userID="wv:wim@far.test" state="DENIED"/>"#,
    ] {
        assert!(states.contains(part), "{states}");
    }
    // What is changed is written as it is now.
    let nick = r#"<AddNickList><NickName name="Y" userID="wv:yan@far.test"/></AddNickList>"#;
    assert_eq!(code(&mut world, "alice", &manage("contacts", nick)), 200);
    world.restart();
    assert_eq!(
        members(&mut world, "contacts"),
        ["yan@far.test", "zoe@far.test"]
    );
}

#[test]
fn a_removed_user_leaves_no_list_behind() {
    let mut world = World::peopled();
    make(&mut world, "friends", &["zoe@far.test"]);
    world.remove("alice").unwrap();
    world.settle();
    let left = world
        .store
        .keys()
        .filter(|key| key.starts_with("home/user/alice"));
    assert_eq!(left.count(), 0);
}
