//! Each hop of the chain killed, paused, cut off, and cut in the middle of answers while every
//! service is in use; then several hops at once.

use std::time::Duration;

use super::story::{SERVICES, Story};
use crate::support::chain::Chain;
use crate::support::fault_proxy::Fault;
use crate::support::split::{HOME, ONE, PSE, TWO, VILLAGE};

/// A hop, and the one before it.
const HOPS: [(&str, &str); 5] = [
    (ONE, HOME),
    (TWO, ONE),
    (VILLAGE, TWO),
    (PSE, TWO),
    (HOME, ONE),
];

/// Everything that goes through a hop.
fn through(hop: &str) -> impl Fn(&(String, String)) -> bool {
    move |(from, to)| from == hop || to == hop
}

#[test]
fn each_hop_of_the_chain_killed_in_turn_loses_and_doubles_nothing() {
    let mut story = Story::begin();
    for (hop, _) in HOPS {
        story.suffers(
            |chain| chain.kill(hop),
            |chain| chain.spawn(hop),
            through(hop),
        );
    }
    story.end_of_failures();
}

#[test]
fn each_hop_of_the_chain_paused_in_turn_loses_and_doubles_nothing() {
    let mut story = Story::begin();
    for (hop, _) in HOPS {
        story.suffers(
            |chain| chain.pause(hop),
            |chain| chain.resume(hop),
            through(hop),
        );
    }
    story.end_of_failures();
}

#[test]
fn each_hop_of_the_chain_cut_off_in_turn_loses_and_doubles_nothing() {
    between_hops(Fault::BlackHole).end_of_failures();
}

#[test]
fn each_hop_of_the_chain_whose_acknowledgements_are_lost_doubles_nothing() {
    let story = between_hops(Fault::AnswerCut);
    for (hop, before) in &HOPS[..4] {
        assert!(story.chain.way(before, hop).cut() > 0);
        assert!(story.chain.way(hop, before).cut() > 0);
    }
    story.end();
}

/// Something is wrong between each hop and the one before it.
fn between_hops(fault: Fault) -> Story {
    let mut story = Story::begin();
    // The way to the home domain is the one between it and the first relay.
    for (hop, before) in &HOPS[..4] {
        // Where only acknowledgements are lost, everything arrives.
        let blocks = fault != Fault::AnswerCut;
        let between = |(from, to): &(String, String)| {
            blocks && [(*hop, *before), (*before, *hop)].contains(&(from, to))
        };
        story.suffers(
            |chain| between_set(chain, hop, before, fault),
            |chain| between_set(chain, hop, before, Fault::None),
            between,
        );
    }
    story
}

fn between_set(chain: &Chain, hop: &str, before: &str, fault: Fault) {
    chain.way(before, hop).set(fault);
    chain.way(hop, before).set(fault);
}

/// What happens to a hop in a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Killed,
    Paused,
    Between(Fault),
}

const BLOWS: [Blow; 6] = [
    Blow::Killed,
    Blow::Paused,
    Blow::Between(Fault::BlackHole),
    Blow::Between(Fault::Held),
    Blow::Between(Fault::Refused),
    Blow::Between(Fault::AnswerCut),
];

/// `WVGATE_TEST_SEED` makes another storm.
#[test]
fn several_hops_that_fail_at_once_lose_and_double_nothing() {
    let seed = std::env::var("WVGATE_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut chance = Chance(seed);
    let mut story = Story::begin();
    for _ in 0..4 {
        let mut suffering: Vec<(&str, &str, Blow)> = Vec::new();
        for _ in 0..=chance.below(3) {
            let some = SERVICES.iter().filter(|_| chance.below(2) == 0);
            story.send(&some.copied().collect::<Vec<_>>());
            let (hop, before) = HOPS[chance.below(4)];
            let blow = BLOWS[chance.below(BLOWS.len())];
            if suffering.iter().any(|(other, ..)| *other == hop) {
                continue;
            }
            match blow {
                Blow::Killed => story.chain.kill(hop),
                Blow::Paused => story.chain.pause(hop),
                Blow::Between(fault) => between_set(&story.chain, hop, before, fault),
            }
            suffering.push((hop, before, blow));
            std::thread::sleep(Duration::from_millis(chance.below(700) as u64));
        }
        story.send(SERVICES);
        std::thread::sleep(Duration::from_millis(chance.below(2500) as u64));
        for (hop, before, blow) in suffering {
            match blow {
                Blow::Killed => story.chain.spawn(hop),
                Blow::Paused => story.chain.resume(hop),
                Blow::Between(_) => between_set(&story.chain, hop, before, Fault::None),
            }
            std::thread::sleep(Duration::from_millis(chance.below(500) as u64));
        }
        story.settled();
        story.is_exact();
    }
    story.end();
}

/// Chance that is the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}
