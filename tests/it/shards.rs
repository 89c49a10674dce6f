//! A node of several shards, in pretended time: what goes from one to another arrives once and in
//! order, whoever dies meanwhile, and the books of all shards together close.
//!
//! Of three shards, c.test and bob are in the first, dora is in the second, a.test and b.test are in
//! the third.

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
