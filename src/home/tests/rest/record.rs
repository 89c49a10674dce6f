//! The record of a user at rest: of an older version, or damaged.

use super::*;
use crate::home::authorization::AttributeSet;
use crate::home::relation::Relation;

#[test]
fn a_record_of_an_older_version_is_read() {
    let names: Vec<&str> = AttributeName::KNOWN
        .iter()
        .map(AttributeName::as_str)
        .collect();
    let names = serde_json::to_string(&names).unwrap();
    let older = format!(
        r#"{{"domains":["far.test"],"unsure":["wv:zoe@far.test"]}}
	{{"password_hash":"hash","created":1700000000000,"online":false,"text":"here"}}
/relation/wv:carol@home.test	{{"contacts":[{{"list":"contacts"}}],"subscription":{{"state":"active","presence":{{"authorized":true,"online":false,"availability":"not_available","text":"out"}},"failures":0}}}}
/relation/wv:zoe@far.test	{{"contacts":[{{"list":"contacts","name":"Zoë"}}],"granted":[],"watcher":{{"attributes":{names},"asked":false,"until":1702592000000,"seen":true}},"subscription":{{"state":"pending","presence":{{"authorized":false}},"failures":0}}}}
"#
    );
    let mut world = World::new();
    world
        .store
        .insert(AT_REST.to_owned(), older.clone().into_bytes());
    world.restart();
    // Who is looked at is left as they are.
    world.wake(&["bob"]);
    let bob = world.home.users["bob"].relations.clone();
    let zoe = bob[&address(ZOE)].watcher.as_ref().unwrap();
    let known = AttributeSet::known(&crate::imps::presence::PresenceSubList::request(
        AttributeName::KNOWN.iter().cloned(),
    ));
    assert_eq!((zoe.attributes, zoe.asked, zoe.seen), (known, false, true));
    assert_eq!(bob[&address(ZOE)].granted, AttributeSet::ALL);
    assert_eq!(bob[&address(ZOE)].contacts[0].name.as_deref(), Some("Zoë"));
    world.put_to_rest();
    assert_eq!(world.store[AT_REST], older.into_bytes());
    // Who changes anything is written as all are now, in less than half of it, and is the same.
    world.open(1, "bob");
    world.close(1);
    world.sent();
    world.put_to_rest();
    let record = String::from_utf8(world.store[AT_REST].clone()).unwrap();
    assert!(
        record.contains("\ncarol@\t{\"on\":[\"contacts\"],\"of\":{\"are\":{\"online\":false,\"free\":\"no\",\"text\":\"out\"}}}\n"),
        "{record}"
    );
    world.restart();
    world.wake(&["bob"]);
    let now = |(other, relation): (&Address, &Relation)| {
        let record = serde_json::to_string(relation).unwrap();
        (other.clone(), record)
    };
    let again = world.home.users["bob"].relations.iter().map(now);
    assert!(again.eq(bob.iter().map(now)));
}

#[test]
fn a_record_that_is_damaged_refuses_for_now_and_holds_up_nobody() {
    let mut world = at_rest();
    world.add("carol");
    let record = world.store.remove(AT_REST).unwrap();
    assert_eq!(send(&mut world, "m2", &["bob@home.test"]), 503);
    assert_eq!(send(&mut world, "m3", &["carol@home.test"]), 200);
    // Nor does an operator wait for what does not come.
    assert!(world.home.wake(&["bob".to_owned()], world.now));
    // Who logs in hears that it is for now, and so does the operator.
    world.open_with(1, "bob", "{}");
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Error { status: 503, .. }, ..]
    ),);
    let unavailable = || UserError::Unavailable("bob".to_owned());
    assert_eq!(world.home.not_awake("Bob"), unavailable());
    assert_eq!(
        world.home.not_awake("zoe"),
        UserError::Unknown("zoe".to_owned())
    );
    let passwd = world.home.set_password_hash("bob", "new".to_owned());
    assert_eq!(passwd, Err(unavailable()));
    assert_eq!(world.home.contact_lists("bob").err(), Some(unavailable()));
    world.settle();
    // Nor is anybody let in whose account is what is damaged.
    let text = String::from_utf8(record.clone()).unwrap();
    for (from, to) in [("password_hash", "passwort_hash"), ("\n\t", "\neve@\t")] {
        assert!(text.contains(from), "{text}");
        let damaged = text.replacen(from, to, 1).into_bytes();
        world.store.insert(AT_REST.to_owned(), damaged.clone());
        world.open_with(1, "bob", "{}");
        assert!(matches!(
            &world.heard(1)[..],
            [Event::Error { status: 503, .. }, ..]
        ),);
        assert_eq!(world.home.password_hash("bob"), None);
        assert_eq!(world.store[AT_REST], damaged);
    }
    // Put back by a repair, it is read.
    world.store.insert(AT_REST.to_owned(), record);
    assert_eq!(send(&mut world, "m2", &["bob@home.test"]), 200);
}

#[test]
fn an_operator_removes_somebody_whose_record_cannot_be_read_and_makes_them_anew() {
    let mut world = at_rest();
    let text = String::from_utf8(world.store[AT_REST].clone()).unwrap();
    let damaged = text.replacen("password_hash", "passwort_hash", 1);
    world.store.insert(AT_REST.to_owned(), damaged.into_bytes());
    // Nobody knows yet that it cannot be read.
    let asleep = Err(UserError::Unavailable("bob".to_owned()));
    assert_eq!(world.home.remove_user("bob", world.now), asleep);
    assert_eq!(send(&mut world, "m2", &["bob@home.test"]), 503);
    assert_eq!(world.home.remove_user("Bob", world.now), Ok(()));
    world.settle();
    assert!(!world.store.contains_key(AT_REST));
    assert_eq!(send(&mut world, "m3", &["bob@home.test"]), 531);
    world.restart();
    assert_eq!(send(&mut world, "m4", &["bob@home.test"]), 531);
    world.add("bob");
    assert_eq!(send(&mut world, "m5", &["bob@home.test"]), 200);
}

#[test]
fn what_is_damaged_in_a_record_at_rest_is_seen_by_whoever_looks_into_it() {
    let world = at_rest();
    let record = String::from_utf8(world.store[AT_REST].clone()).unwrap();
    let look = |record: &str| {
        let mut other = World::new();
        other.home.restore(AT_REST, record.as_bytes()).unwrap();
        other.home.look_into(AT_REST, record.as_bytes())
    };
    assert_eq!(look(&record), Ok(()));
    for (from, to, part) in [
        (
            r#"{"on":"#,
            r#"{"on":7,"x":"#,
            "home/user/bob/relation/wv:zoe@far.test: ",
        ),
        ("\n/access", "\n/excess", "home/user/bob/excess"),
        ("zoe@far.test\t", "zoe@far.test ", "a line without key"),
        ("\n\t", "\neve@\t", "it has no account"),
    ] {
        assert!(record.contains(from), "{from}: {record}");
        let why = look(&record.replacen(from, to, 1)).unwrap_err();
        assert!(why.contains(part), "{why}");
    }
}
