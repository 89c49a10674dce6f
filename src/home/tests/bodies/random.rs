//! Random messages, reads and restarts against a small model of who gets what.

use proptest::prelude::*;

use super::*;

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    Send(usize),
    Open,
    Close(usize),
    /// A client acknowledges what it was told first.
    Acknowledge(usize),
    Read,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..3_usize).prop_map(Step::Send),
        2 => Just(Step::Open),
        1 => (0..3_usize).prop_map(Step::Close),
        6 => (0..3_usize).prop_map(Step::Acknowledge),
        4 => Just(Step::Read),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whenever_bodies_are_read_all_is_told_in_order_and_ends_once(
        steps in prop::collection::vec(step(), 1..80),
        held in prop_oneof![Just(0), Just(400), Just(100_000)],
        crowded in any::<bool>(),
    ) {
        let mut world = world(|settings| {
            settings.max_unacknowledged = 3;
            settings.max_unacknowledged_bytes = 1500;
            settings.max_held_bytes = held;
            if crowded {
                settings.max_all_held_bytes = 0;
                settings.max_read_bytes = 1;
            }
        });
        world.reads = false;
        // Of each client what it was told and has not acknowledged, and the last it was told.
        let mut clients: Vec<(u64, Vec<u64>, u64)> = Vec::new();
        let (mut opened, mut sent) = (0, 0);
        for step in steps {
            match step {
                Step::Send(size) => {
                    sent += 1;
                    let body = format!("{sent} {}", "x".repeat(size * 300));
                    send(&mut world, &sent.to_string(), &body);
                }
                Step::Open if clients.len() < 3 => {
                    opened += 1;
                    world.open(opened, "bob");
                    clients.push((opened, Vec::new(), 0));
                }
                Step::Close(at) if at < clients.len() => {
                    let (client, ..) = clients.remove(at);
                    world.close(client);
                }
                Step::Acknowledge(at) => {
                    if let Some((client, told, _)) = clients.get_mut(at) && !told.is_empty() {
                        let number = told.remove(0);
                        world.acknowledge(*client, number);
                    }
                }
                Step::Read => world.read(),
                Step::Restart => {
                    world.loads.clear();
                    world.restart();
                    clients.clear();
                }
                _ => {}
            }
            for (client, told, last) in &mut clients {
                for (number, id, text) in messages(&world.heard(*client)) {
                    prop_assert!(number > *last);
                    prop_assert_eq!(text.split(' ').next(), Some(&*id));
                    *last = number;
                    told.push(number);
                }
            }
        }
        world.reads = true;
        world.read();
        for (client, ..) in clients {
            world.close(client);
        }
        world.open(1_000, "bob");
        drain(&mut world, 1_000);
        let mut ended: Vec<usize> = world.outcomes.iter().map(|(id, _)| id.parse().unwrap()).collect();
        ended.sort_unstable();
        prop_assert_eq!(ended, (1..=sent).collect::<Vec<_>>());
        let core = &world.home.core;
        prop_assert_eq!((core.waiting, core.waiting_bytes, core.held_bytes), (0, 0, 0));
        prop_assert_eq!(bodies(&world), 0);
    }
}
