//! Accounts: moved in and out, changed, disabled.

use super::*;
use crate::imps::common::VerUserId;
use crate::imps::primitive::presence::GetPresenceRequest;

const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo";

fn record(user: &str) -> UserRecord {
    UserRecord {
        user: user.to_owned(),
        password_hash: Some(HASH.to_owned()),
        ..UserRecord::default()
    }
}

fn pairs(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    let all = all.iter();
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn import(world: &mut World, record: &UserRecord) -> Result<(), UserError> {
    let made = world.home.operator(world.now).import(record);
    world.settle();
    made
}

fn change(world: &mut World, record: &UserRecord) -> Result<(), UserError> {
    let changed = world.home.operator(world.now).change(record);
    world.settle();
    changed
}

fn disable(world: &mut World, user: &str, disabled: bool) {
    let record = UserRecord {
        user: user.to_owned(),
        disabled: Some(disabled),
        ..UserRecord::default()
    };
    change(world, &record).unwrap();
}

#[test]
fn a_user_goes_out_and_comes_in_elsewhere_as_they_were() {
    let mut world = World::new();
    let dora = UserRecord {
        alias: Some("Dora the first".to_owned()),
        disabled: Some(true),
        services: pairs(&[("Presence", "Inactive")]),
        privacy: pairs(&[("USER_ALIAS", "Allowed"), ("UserLocation", "Ask")]),
        properties: pairs(&[("PP_CITY", "Oslo")]),
        ..record("Dora")
    };
    import(&mut world, &dora).unwrap();
    import(&mut world, &record("carl")).unwrap();
    let all = world.home.operator(world.now).export("", 10);
    assert_eq!(all[0], record("carl"));
    assert_eq!(all[1].user, "dora");
    assert_eq!(all[1].password_hash.as_deref(), Some(HASH));
    assert_eq!(all[1].services["Presence"], "Inactive");
    // What was not said is as the domain is, and that is told.
    assert_eq!(all[1].services["IM"], "Active");
    let mut other = World::new();
    for user in &all {
        import(&mut other, user).unwrap();
    }
    other.restart();
    let again = other.home.operator(other.now).export("", 10);
    assert_eq!(again, all);
    // In pieces.
    let mut operator = other.home.operator(other.now);
    assert_eq!(operator.export("", 1), all[..1]);
    assert_eq!(operator.export("carl", 5), all[1..]);
    assert_eq!(operator.export("dora", 5), []);
    assert!(matches!(
        operator.import(&record("carl")),
        Err(UserError::Exists(_))
    ));
}

#[test]
fn a_user_who_cannot_be_is_refused_and_leaves_nothing() {
    let mut world = World::with(|settings| settings.max_users = 1);
    let long = "x".repeat(1025);
    let refused = [
        record("a b"),
        record(""),
        UserRecord {
            password_hash: None,
            ..record("dora")
        },
        UserRecord {
            password_hash: Some("secret".to_owned()),
            ..record("dora")
        },
        UserRecord {
            password_hash: Some("$scrypt$ln=1,r=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo".to_owned()),
            ..record("dora")
        },
        UserRecord {
            password_hash: Some(format!("{HASH}{}", "a".repeat(512))),
            ..record("dora")
        },
        UserRecord {
            alias: Some(long.clone()),
            ..record("dora")
        },
        UserRecord {
            services: pairs(&[("Telex", "Active")]),
            ..record("dora")
        },
        UserRecord {
            services: pairs(&[("IM", "Sometimes")]),
            ..record("dora")
        },
        UserRecord {
            privacy: pairs(&[("USER_ALIAS", "Maybe")]),
            ..record("dora")
        },
        UserRecord {
            properties: pairs(&[("PP_CITY", "Oslo"), ("PP_FREE_TEXT", &long)]),
            ..record("dora")
        },
    ];
    for user in &refused {
        assert!(import(&mut world, user).is_err(), "{user:?}");
        assert_eq!(world.store, BTreeMap::new(), "{user:?}");
    }
    import(&mut world, &record("dora")).unwrap();
    assert_eq!(
        import(&mut world, &record("carl")),
        Err(UserError::Full("user"))
    );
    assert_eq!(world.home.names().all().collect::<Vec<_>>(), ["dora"]);
}

#[test]
fn a_user_is_changed_in_what_is_named_or_not_at_all() {
    let mut world = World::new();
    let dora = UserRecord {
        alias: Some("Dora".to_owned()),
        properties: pairs(&[("PP_CITY", "Oslo"), ("PP_AGE", "33")]),
        ..record("dora")
    };
    import(&mut world, &dora).unwrap();
    let bad = UserRecord {
        user: "dora".to_owned(),
        alias: Some("Other".to_owned()),
        privacy: pairs(&[("USER_ALIAS", "Maybe")]),
        ..UserRecord::default()
    };
    assert!(matches!(
        change(&mut world, &bad),
        Err(UserError::Refused(..))
    ));
    let of = |world: &mut World| world.home.operator(START).export("", 1).remove(0);
    assert_eq!(of(&mut world), dora);
    let moved = UserRecord {
        user: "DORA".to_owned(),
        alias: Some(String::new()),
        properties: pairs(&[("PP_CITY", "Rome")]),
        ..UserRecord::default()
    };
    change(&mut world, &moved).unwrap();
    world.restart();
    let expected = UserRecord {
        properties: pairs(&[("PP_CITY", "Rome"), ("PP_AGE", "33")]),
        ..record("dora")
    };
    assert_eq!(of(&mut world), expected);
    assert!(matches!(
        change(&mut world, &record("nobody")),
        Err(UserError::Unknown(_))
    ));
}

#[test]
fn who_is_disabled_is_logged_out_and_comes_back_to_what_has_waited() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.open(2, "alice");
    disable(&mut world, "alice", true);
    for client in [1, 2] {
        let heard = world.heard(client);
        let last = heard.last().unwrap();
        assert!(matches!(last, Event::Error { status: 403, .. }), "{last:?}");
    }
    assert!(!world.home.is_online("alice"));
    let try_open = |world: &mut World| {
        world.home.clients(START).open(
            ClientKey(3),
            "alice",
            Takes::Everything,
            Delivery::default(),
        )
    };
    assert_eq!(
        try_open(&mut world),
        Err(UserError::Disabled("alice".to_owned()))
    );
    world.restart();
    assert!(world.home.is_disabled("alice"));
    assert!(try_open(&mut world).is_err());
    // What is for them waits, and others see them offline.
    let message = text("m1", "zoe@far.test", &["alice@home.test"], "hello");
    let answer = world.deliver("far.test", Some("zoe@far.test"), message);
    assert_eq!(answer.unwrap().verdict().unwrap().code.0, 200);
    let request = GetPresenceRequest {
        meta: None,
        users: vec![VerUserId {
            user: address("alice@home.test"),
            version: None,
        }],
        attributes: None,
    };
    let asked = world.deliver("far.test", Some("zoe@far.test"), request);
    assert!(matches!(asked, Some(Primitive::GetPresenceResponse(_))));
    disable(&mut world, "alice", false);
    world.restart();
    world.open(3, "alice");
    let heard = world.heard(3);
    assert_eq!(
        texts(&heard),
        [("zoe@far.test".to_owned(), "hello".to_owned())]
    );
}

#[test]
fn watchers_see_a_disabled_user_offline() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.open(2, "carol");
    world.say(1, r#"{"do":"add_contact","user":"carol"}"#);
    world.say(2, r#"{"do":"subscribe","user":"alice"}"#);
    world.heard(2);
    disable(&mut world, "alice", true);
    let heard = world.heard(2);
    let offline = heard.iter().any(|event| match event {
        Event::Presence { presence, .. } => presence.online == Some(false),
        _ => false,
    });
    assert!(offline, "{heard:?}");
}
