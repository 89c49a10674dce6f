//! Groups of a roster as contact lists.

use super::*;
use crate::imps::common::UserId;

fn owner() -> Address {
    Address::new("alice@home.example")
}

fn user(name: &str) -> Address {
    Address::new(&format!("{name}@village.example"))
}

fn contact(groups: &[&str], subscription: Subscription) -> Contact {
    Contact {
        name: None,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        subscription,
    }
}

fn book() -> Book {
    let contacts = [
        (
            user("bob"),
            contact(&["Friends", "Work"], Subscription::Both),
        ),
        (user("vic"), contact(&["Friends"], Subscription::Both)),
        (user("zoe"), contact(&["friends"], Subscription::None)),
        (user("tim"), contact(&[], Subscription::To)),
    ];
    let lists = Lists {
        named: Vec::new(),
        contacts: contacts.into_iter().collect(),
    };
    Book::new(owner(), lists)
}

fn on(book: &Book, list: &str) -> Vec<String> {
    let members = book.members(list).into_iter();
    members
        .map(|member| member.user.user_part().to_owned())
        .collect()
}

fn request(list: &str, add: &[&str], remove: &[&str]) -> ListManageRequest {
    let member = |name: &&str| NickName {
        name: None,
        user: user(name),
    };
    let id = |name: &&str| UserId { user: user(name) };
    ListManageRequest {
        list: Address::resource_of("alice", list, "home.example"),
        receive: true,
        meta: None,
        add: Some(add.iter().map(member).collect()),
        remove: Some(remove.iter().map(id).collect()),
        properties: None,
    }
}

#[test]
fn groups_of_a_roster_are_lists_and_those_in_none_are_on_the_default_one() {
    let book = book();
    let lists: Vec<String> = book
        .all()
        .lists
        .iter()
        .map(|id| id.list.to_string())
        .collect();
    let expected = ["contacts", "friends", "work", "friends-2"];
    let expected = expected.map(|name| format!("wv:alice/{name}@home.example"));
    let mut sorted = lists.clone();
    sorted.sort();
    let mut wanted = expected.to_vec();
    wanted.sort();
    assert_eq!(sorted, wanted);
    assert_eq!(book.all().default.unwrap().list.to_string(), lists[0]);
    assert_eq!(on(&book, "contacts"), ["tim"]);
    assert_eq!(on(&book, "friends"), ["bob", "vic"]);
    assert_eq!(on(&book, "friends-2"), ["zoe"]);
    assert_eq!(on(&book, "work"), ["bob"]);
    assert_eq!(book.kept().named, [book.find("friends-2").unwrap().clone()]);
}

#[test]
fn who_is_taken_off_the_last_list_stays_a_contact_as_long_as_presence_is_shared() {
    let mut book = book();
    book.manage(&request("friends", &["new"], &["bob", "vic"]))
        .unwrap();
    assert_eq!(on(&book, "friends"), ["new"]);
    assert_eq!(on(&book, "work"), ["bob"]);
    assert_eq!(on(&book, "contacts"), ["tim", "vic"]);
    book.manage(&request("friends-2", &[], &["zoe"])).unwrap();
    assert!(!book.contacts().contains_key(&user("zoe")));
    book.manage(&request("contacts", &[], &["tim", "bob"]))
        .unwrap();
    assert!(!book.contacts().contains_key(&user("tim")));
    assert_eq!(on(&book, "work"), ["bob"], "bob was not on that list");
}

#[test]
fn lists_are_made_renamed_and_ended() {
    let mut book = book();
    let list = Address::resource_of("alice", "team", "home.example");
    let property = |name: &str, value: &str| Property {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    let create = |list: &Address, display: &str| CreateListRequest {
        list: list.clone(),
        meta: None,
        members: None,
        properties: Some(vec![property("DisplayName", display)]),
    };
    book.create(&create(&list, "The Team")).unwrap();
    assert_eq!(book.kept().named.last().unwrap().group, "The Team");
    assert_eq!(
        book.create(&create(&list, "Other")).unwrap_err().0,
        Code::CONTACT_LIST_EXISTS
    );
    let other = Address::resource_of("alice", "other", "home.example");
    assert_eq!(
        book.create(&create(&other, "Work")).unwrap_err().0,
        Code::CONTACT_LIST_EXISTS
    );
    let foreign = Address::resource_of("bob", "other", "home.example");
    assert_eq!(
        book.create(&create(&foreign, "X")).unwrap_err().0,
        Code::ADDRESS
    );

    let mut rename = request("friends", &[], &[]);
    rename.properties = Some(vec![property("DisplayName", "Pals")]);
    book.manage(&rename).unwrap();
    assert!(book.contacts()[&user("bob")].groups.contains("Pals"));
    assert_eq!(on(&book, "friends"), ["bob", "vic"]);
    // Read again, it has the name that it had.
    let again = Book::new(owner(), book.kept());
    assert_eq!(on(&again, "friends"), ["bob", "vic"]);
    assert_eq!(
        again.properties("friends")[0].value.as_deref(),
        Some("Pals")
    );

    book.delete(&Address::resource_of("alice", "friends", "home.example"))
        .unwrap();
    assert!(book.find("friends").is_none());
    assert_eq!(on(&book, "contacts"), ["tim", "vic"]);
    let first = Address::resource_of("alice", "contacts", "home.example");
    assert_eq!(book.delete(&first).unwrap_err().0, Code::FORBIDDEN);
}
