//! A node of several shards, in pretended time: what goes from one to another arrives once and in
//! order, whoever dies meanwhile, and the books of all shards together close.
//!
//! Of three shards, c.test and bob are in the first, dora is in the second, a.test and b.test are in
//! the third.

use wvgate::home::Home;
use wvgate::imps::common::{GroupId, MetaInfo, UserId};
use wvgate::imps::primitive::common::{
    Id, IdList, SearchPair, SearchRequest, SearchResponse, VerifyIDRequest,
};
use wvgate::imps::primitive::group::JoinGroupRequest;
use wvgate::imps::primitive::service::GetServiceRequest;
use wvgate::imps::{Address, Code, Primitive};
use wvgate::sap::Shards;

use crate::support::divided_world::World;

/// Nothing is under way, and what was accepted has ended.
fn closed(world: &World, messages: u64) {
    let (accepted, ended, open) = world.books();
    assert_eq!((accepted, ended, open), (messages, messages, 0));
    assert!(
        world
            .shards
            .iter()
            .all(|shard| shard.core.sap.has_handed_all())
    );
}

#[test]
fn a_message_between_peers_of_two_shards_arrives_once_and_its_answer_comes_back() {
    let mut world = World::new(3);
    assert_ne!(world.of_peer("a.test"), world.of_peer("c.test"));
    let token = world.send("alice@a.test", &["carol@c.test"], "hi");
    world.run(5_000);
    assert_eq!(world.texts("c.test"), ["hi"]);
    assert_eq!(world.answer("a.test", token), Some(200));
    closed(&world, 1);
    // Each peer is posted to by the shard that has it.
    for shard in &world.shards {
        let views = shard.core.sap.peer_views();
        let own = shard.core.sap.settings().shards;
        assert!(views.iter().all(|view| own.has_peer(&view.domain)));
    }
}

#[test]
fn what_goes_to_several_shards_is_one_request_with_one_answer() {
    let mut world = World::new(3);
    let to = [
        "carol@c.test",
        "bill@b.test",
        "bob@r.test",
        "dora@r.test",
        "nobody@r.test",
    ];
    let token = world.send("alice@a.test", &to, "all");
    world.run(5_000);
    assert_eq!(world.texts("c.test"), ["all"]);
    assert_eq!(world.texts("b.test"), ["all"]);
    // One of them does not exist.
    assert_eq!(world.answer("a.test", token), Some(201));
    let (accepted, ended, open) = world.books();
    // The messages for bob and dora wait for them.
    assert_eq!((accepted, ended, open), (5, 3, 2));
}

#[test]
fn messages_of_a_conversation_stay_in_order_from_shard_to_shard() {
    let mut world = World::new(3);
    let texts: Vec<String> = (0..600).map(|number| number.to_string()).collect();
    for text in &texts {
        world.send("alice@a.test", &["carol@c.test"], text);
    }
    world.run(60_000);
    assert_eq!(world.texts("c.test"), texts);
    closed(&world, 600);
}

#[test]
fn a_node_that_dies_between_two_shards_loses_nothing_and_does_nothing_twice() {
    // Before the other shard has it, after it has it, and before it has it once more.
    for carried in [false, true] {
        let mut world = World::new(3);
        world.by_hand = true;
        world.send("alice@a.test", &["carol@c.test"], "hi");
        world.run(1_000);
        let hand = world.hands.pop_front().unwrap();
        if carried {
            world.carry(&hand, false);
        }
        world.restart();
        world.by_hand = false;
        world.run(60_000);
        assert_eq!(world.texts("c.test"), ["hi"], "carried: {carried}");
        closed(&world, 1);
        // The same way goes on being used.
        world.send("alice@a.test", &["carol@c.test"], "again");
        world.run(5_000);
        assert_eq!(world.texts("c.test"), ["hi", "again"]);
        closed(&world, 2);
    }
}

#[test]
fn a_message_for_a_peer_of_another_shard_that_is_away_is_answered_202_and_arrives_later() {
    let mut world = World::new(3);
    world.end("c.test").away = true;
    let token = world.send("alice@a.test", &["carol@c.test"], "hi");
    world.run(30_000);
    assert_eq!(world.answer("a.test", token), Some(202));
    assert_eq!(world.books(), (1, 0, 1));
    world.end("c.test").away = false;
    world.run(600_000);
    assert_eq!(world.texts("c.test"), ["hi"]);
    closed(&world, 1);
}

#[test]
fn a_commit_that_fails_stops_one_shard_and_the_others_go_on() {
    let mut world = World::new(3);
    // Sessions with all.
    world.send("alice@a.test", &["carol@c.test", "bill@b.test"], "first");
    world.run(5_000);
    let failing = world.of_peer("c.test");
    world.shards[failing].fails = true;
    world.send("alice@a.test", &["carol@c.test"], "waits");
    world.send("alice@a.test", &["bill@b.test"], "goes on");
    world.run(10_000);
    assert_eq!(world.texts("b.test"), ["first", "goes on"]);
    assert_eq!(world.texts("c.test"), ["first"]);
    world.open(failing);
    world.run(60_000);
    assert_eq!(world.texts("c.test"), ["first", "waits"]);
    closed(&world, 4);
}

#[test]
fn what_passes_between_shards_counts_as_no_traffic_with_peers() {
    let counted = |count| {
        let mut world = World::new(count);
        world.send("alice@a.test", &["carol@c.test"], "hi");
        world.run(5_000);
        ["received", "sent", "duplicate"].map(|what| -> u64 {
            let name = format!("wvgate_transactions_{what}_total");
            let counted = world
                .shards
                .iter()
                .map(|shard| shard.core.metrics.get(&name));
            counted.sum()
        })
    };
    let [received, sent, duplicate] = counted(3);
    assert!(received >= 2 && sent >= 2 && duplicate == 0);
    assert_eq!(counted(1), [received, sent, duplicate]);
}

#[test]
fn all_goes_as_well_with_one_shard_and_with_many() {
    for count in [1, 2, 7, 64] {
        let mut world = World::new(count);
        let token = world.send("alice@a.test", &["carol@c.test", "bill@b.test"], "hi");
        world.run(5_000);
        assert_eq!(world.texts("c.test"), ["hi"], "{count} shards");
        assert_eq!(world.texts("b.test"), ["hi"], "{count} shards");
        assert_eq!(world.answer("a.test", token), Some(200), "{count} shards");
        // One for each peer.
        closed(&world, 2);
    }
}

#[test]
fn ids_of_users_in_several_shards_are_verified_as_those_in_one() {
    let verified = |count| {
        let mut world = World::new(count);
        let users = ["bob@r.test", "nobody@r.test", "dora@r.test"];
        let ids = users.map(|user| {
            let user = Address::new(user);
            Id::User(UserId { user })
        });
        let request = VerifyIDRequest {
            meta: Some(MetaInfo::of_user("a.test", Address::new("alice@a.test"))),
            ids: IdList { ids: ids.into() },
        };
        let answer = world.ask("a.test", &request.into());
        let status = answer.verdict().unwrap().clone();
        let details = status.details.into_iter();
        let users = details
            .flat_map(|detail| detail.users)
            .map(|user| user.user);
        (status.code, users.collect::<Vec<_>>())
    };
    assert_eq!(verified(1).1, [Address::new("nobody@r.test")]);
    assert_eq!(verified(3), verified(1));
}

#[test]
fn ids_of_all_kinds_are_verified_each_where_it_would_be() {
    let mut world = World::new(3);
    add_group(&mut world, "tea");
    let user = |user: &str| {
        Id::User(UserId {
            user: Address::new(user),
        })
    };
    let group = |group: &str| {
        Id::Group(GroupId {
            group: Address::new(group),
        })
    };
    let domain = |domain: &str| Id::Domain(domain.to_owned());
    let request = |ids: Vec<Id>| -> Primitive {
        VerifyIDRequest {
            meta: Some(MetaInfo::of_user("a.test", Address::new("alice@a.test"))),
            ids: IdList { ids },
        }
        .into()
    };
    let good = [
        user("bob@r.test"),
        user("dora@r.test"),
        group("wv:/tea@r.test"),
        domain("r.test"),
    ];
    let answer = world.ask("a.test", &request(good.to_vec()));
    assert_eq!(answer.verdict().unwrap().code, Code::OK, "{answer:?}");
    let bad = [
        user("nobody@r.test"),
        group("wv:bob/club@r.test"),
        group("wv:/news@r.test"),
        domain("nowhere.test"),
    ];
    let ids = good.into_iter().chain(bad).collect();
    let status = world
        .ask("a.test", &request(ids))
        .verdict()
        .unwrap()
        .clone();
    assert_eq!(status.code, Code::PARTIAL);
    let named = |code: u16| {
        let details = status.details.iter().filter(|detail| detail.code.0 == code);
        let ids = details.flat_map(|detail| {
            let users = detail.users.iter().map(|id| id.user.to_string());
            let groups = detail.groups.iter().map(|id| id.group.to_string());
            users
                .chain(groups)
                .chain(detail.domains.iter().cloned())
                .collect::<Vec<_>>()
        });
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        ids
    };
    assert_eq!(named(531), ["wv:nobody@r.test"]);
    assert_eq!(named(800), ["wv:/news@r.test", "wv:bob/club@r.test"]);
    assert_eq!(named(404), ["nowhere.test"]);
    assert_eq!(named(200), [""; 0]);
}

#[test]
fn a_search_finds_users_and_groups_of_all_shards_and_goes_on_where_it_was_asked() {
    for count in [1, 3] {
        let mut world = World::new(count);
        // Of three shards, each has one of these.
        for name in NAMES {
            add_group(&mut world, name);
        }
        let search = |element: &str, text: &str| -> Primitive {
            SearchRequest {
                limit: Some(1),
                search_id: None,
                index: None,
                meta: Some(MetaInfo::of_user("a.test", Address::new("alice@a.test"))),
                pairs: Some(vec![SearchPair {
                    element: element.to_owned(),
                    string: text.to_owned(),
                }]),
            }
            .into()
        };
        let page = |answer: Primitive| match answer {
            Primitive::SearchResponse(page) => *page,
            other => panic!("{other:?}"),
        };
        let found = |page: &SearchResponse| -> Vec<String> {
            let result = page.result.as_ref().unwrap();
            let users = result
                .users
                .iter()
                .flatten()
                .map(|user| user.user.to_string());
            let groups = result
                .groups
                .iter()
                .flatten()
                .map(|id| id.group.to_string());
            users.chain(groups).collect()
        };
        for (element, text, expected) in [
            (
                "USER_ID",
                "o",
                vec!["wv:bob@r.test".to_owned(), "wv:dora@r.test".to_owned()],
            ),
            (
                "GROUP_TOPIC",
                "tea",
                NAMES.map(|name| format!("wv:/{name}@r.test")).to_vec(),
            ),
        ] {
            let first = page(world.ask("a.test", &search(element, text)));
            let all = u32::try_from(expected.len()).unwrap();
            assert_eq!(first.findings, Some(all), "{count} shards, {element}");
            assert_eq!(found(&first), expected[..1]);
            let next = SearchRequest {
                limit: None,
                search_id: first.search_id,
                index: first.index,
                meta: Some(MetaInfo::of_user("a.test", Address::new("alice@a.test"))),
                pairs: None,
            };
            let second = page(world.ask("a.test", &next.into()));
            assert_eq!(found(&second), expected[1..2]);
            assert_eq!(second.completion, Some(expected.len() == 2));
        }
        let answer = world.ask("a.test", &search("USER_COLOUR", "red"));
        assert_eq!(answer.verdict().unwrap().code.0, 562);
        closed(&world, 0);
    }
}

/// Groups, one in each of three shards.
const NAMES: [&str; 3] = ["art", "books", "films"];

/// Makes a group of the provider, about tea.
fn add_group(world: &mut World, name: &str) {
    let shards = Shards::new(0, world.shards.len() as u16);
    let shard = usize::from(shards.of_group(&format!("/{name}")));
    world.work(shard, |core, now, turn| {
        let about = [("Topic", "Tea"), ("Searchable", "T")];
        let about = about.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let add = |home: &mut Home| home.add_group(name, &about, now);
        core.administer(now, turn, add).unwrap().unwrap();
    });
}

/// Somebody of a domain comes into a group of the provider.
fn join(world: &mut World, user: &str, group: &str) {
    let user = Address::new(user);
    let request = JoinGroupRequest {
        group: Address::new(&format!("wv:/{group}@r.test")),
        joined_list: false,
        subscribe: false,
        meta: Some(MetaInfo::of_user(user.domain(), user.clone())),
        screen_name: None,
        own: None,
    };
    let answer = world.ask(user.domain(), &request.into());
    assert_eq!(answer.verdict().map(|status| status.code), Some(Code::OK));
}

/// A group with users on three domains, of which c.test is away while alice speaks, for longer than
/// anybody waits for an answer.
fn said_while_one_is_away(shards: u16, group: &str, dies: bool) -> World {
    let mut world = World::new(shards);
    add_group(&mut world, group);
    for user in ["alice@a.test", "bill@b.test", "carol@c.test"] {
        join(&mut world, user, group);
    }
    world.end("c.test").away = true;
    let said = world.say("alice@a.test", &format!("wv:/{group}@r.test"), "hello");
    pass(&mut world, 12, dies);
    assert_eq!(world.answer("a.test", said), Some(200));
    assert_eq!(world.texts("b.test"), ["hello"]);
    world
}

/// Lets time pass, so many times ten seconds, after each of which the node dies.
fn pass(world: &mut World, times: usize, dies: bool) {
    for _ in 0..times {
        world.run(10_000);
        if dies {
            world.restart();
        }
    }
}

/// Messages that groups remember.
fn remembered(world: &World) -> usize {
    let shards = world.shards.iter();
    let keys = shards.flat_map(|shard| shard.disk.keys());
    let of_groups = keys.filter(|key| key.starts_with("home/group/"));
    let is_message = |key: &&String| key.contains("/sent/") || key.contains("/again/");
    of_groups.filter(is_message).count()
}

#[test]
fn a_copy_of_a_group_that_fails_after_202_is_handed_on_again_whoever_dies_meanwhile() {
    let crossed = NAMES.map(|group| (3, group));
    for (shards, group) in crossed.into_iter().chain([(1, "art")]) {
        for dies in [false, true] {
            let mut world = said_while_one_is_away(shards, group, dies);
            assert_eq!(remembered(&world), 1);
            world.end("c.test").verdict = Code::UNAVAILABLE;
            world.end("c.test").away = false;
            for _ in 0..90 {
                if world.texts("c.test").is_empty() {
                    pass(&mut world, 1, dies);
                }
            }
            world.end("c.test").verdict = Code::OK;
            pass(&mut world, 30, dies);
            let case = format!("{shards} shards, {group}, dies: {dies}");
            // Refused, and handed on again.
            assert_eq!(world.texts("c.test"), ["hello", "hello"], "{case}");
            assert_eq!(world.texts("b.test"), ["hello"], "{case}");
            assert_eq!(remembered(&world), 0, "{case}");
        }
    }
}

#[test]
fn a_copy_of_a_group_that_expires_after_202_is_remembered_no_more() {
    for (shards, group) in NAMES.map(|group| (3, group)) {
        let mut world = said_while_one_is_away(shards, group, false);
        world.run(3_400_000);
        assert_eq!(remembered(&world), 1);
        // Another shard says what became of it.
        world.run(600_000);
        assert_eq!(remembered(&world), 0, "{group}");
        world.end("c.test").away = false;
        world.run(600_000);
        assert_eq!(world.texts("c.test"), [""; 0]);
    }
}

#[test]
fn what_a_peer_of_one_shard_offers_is_told_to_those_of_others() {
    let offers = |count| {
        let mut world = World::new(count);
        // All have sessions, and have been asked for their services.
        world.send("alice@a.test", &["carol@c.test", "bill@b.test"], "hi");
        world.send("carol@c.test", &["alice@a.test"], "hi");
        world.run(10_000);
        let request = GetServiceRequest {
            service: Some(Address::service("c.test")),
            meta: Some(MetaInfo::of_server("a.test")),
        };
        let Primitive::GetServiceResponse(answer) = world.ask("a.test", &request.into()) else {
            panic!("an answer about services");
        };
        answer.trees
    };
    let [tree] = &offers(1)[..] else {
        panic!("c.test alone");
    };
    assert_eq!(tree.service, Address::service("c.test"));
    assert_eq!(offers(3), offers(1));
    // After a shard was made anew it knows again what the others know.
    let mut world = World::new(3);
    world.send("alice@a.test", &["carol@c.test"], "hi");
    world.run(10_000);
    let (anew, of_c) = (world.of_peer("a.test"), world.of_peer("c.test"));
    world.shards[anew].fails = true;
    world.send("alice@a.test", &["carol@c.test"], "hi");
    world.run(5_000);
    world.open(anew);
    world.run(60_000);
    let rows = |shard: usize| {
        let rows = world.shards[shard].core.sap.services().views(world.now);
        let mut rows = rows.into_iter();
        rows.find(|row| row.domain == "c.test")
            .map(|row| row.offers)
    };
    assert_eq!(rows(anew), rows(of_c));
}
