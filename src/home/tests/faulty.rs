//! Every request of the wire profile with something in it that is missing, doubled, too long, of
//! nobody or of somebody else: it is answered, and what is refused changes nothing.

use super::group::{CLUB, create, join};
use super::*;
use crate::imps::primitive::Kind;
use crate::imps::xml::{Limits, Node, Writer, parse};

const PROFILE: &str = include_str!("../../../docs/spec/ssp-wire-profile.md");

/// The samples of requests to a service element, among people of this domain and another.
fn samples() -> Vec<String> {
    let blocks = PROFILE.split("```xml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let said = blocks.filter_map(|block| {
        let block = block
            .replace("wv:bob/party@village.example", CLUB)
            .replace("home.example", HOME);
        let node = parse(block.as_bytes(), &Limits::default()).ok()?;
        let transaction = node.child("Session")?.child("Transaction")?;
        let primitive = transaction.children.first()?;
        let facts = crate::imps::primitive::facts(primitive.name)?;
        let is_served = facts.kind == Kind::Request && facts.routing != Routing::Hop;
        is_served.then(|| xml(primitive))
    });
    said.collect()
}

fn xml(node: &Node<'_>) -> String {
    let mut out = Writer::new();
    node.write(&mut out);
    out.finish()
}

/// What is wrong with one element.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Missing,
    Doubled,
    Without(usize),
    /// An attribute with another value.
    With(usize, &'static str),
    Text(&'static str),
}

const VALUES: &[&str] = &[
    "",
    "wv:nobody@home.test",
    "wv:carol@home.test",
    "wv:eve@far.test",
    "wv:alice/nothing@home.test",
    "wv:@",
    "99999999999999999999",
    LONG,
];
const LONG: &str = "wv:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@home.test";

/// All faults of an element, without those within.
fn faults(node: &Node<'_>) -> Vec<Fault> {
    let mut all = vec![Fault::Missing, Fault::Doubled];
    for n in 0..node.attributes.len() {
        all.push(Fault::Without(n));
        all.extend(VALUES.iter().map(|value| Fault::With(n, value)));
    }
    if !node.text.is_empty() {
        all.extend(VALUES.iter().map(|value| Fault::Text(value)));
    }
    all
}

/// Puts a fault into the element that is reached by these numbers of children.
fn spoil(node: &mut Node<'_>, path: &[usize], fault: Fault) {
    let [at, rest @ ..] = path else {
        match fault {
            Fault::Without(n) => {
                node.attributes.remove(n);
            }
            Fault::With(n, value) => node.attributes[n].1 = value.into(),
            Fault::Text(value) => node.text = value.into(),
            Fault::Missing | Fault::Doubled => {}
        }
        return;
    };
    match fault {
        Fault::Missing if rest.is_empty() => {
            node.children.remove(*at);
        }
        Fault::Doubled if rest.is_empty() => {
            let twin = node.children[*at].clone();
            node.children.insert(*at, twin);
        }
        _ => spoil(&mut node.children[*at], rest, fault),
    }
}

/// The ways to all elements outside of what says who asks.
fn paths(node: &Node<'_>, path: &mut Vec<usize>, all: &mut Vec<(Vec<usize>, Vec<Fault>)>) {
    all.push((path.clone(), faults(node)));
    for (n, child) in node.children.iter().enumerate() {
        if child.name != "MetaInfo" {
            path.push(n);
            paths(child, path, all);
            path.pop();
        }
    }
}

fn world() -> World {
    let mut world = World::peopled();
    world.does("alice@home.test", create(CLUB, &[("History", "T")]));
    world.does("bob@village.example", join(CLUB, "Bobby"));
    world.sent();
    world
}

/// What has become of all.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    refused: usize,
    unreadable: usize,
    wrong: Vec<String>,
}

/// Delivers it in a world of its own, if it can be read at all: else the SAP answers that.
fn check(spoilt: &str, tally: &mut Tally) {
    let Ok(primitive) = decode_fragment(spoilt.as_bytes()) else {
        tally.unreadable += 1;
        return;
    };
    let transaction = Transaction::new(Mode::Request, "1", &primitive);
    let user = transaction.peek.user.clone();
    let asks = user.as_ref().or(transaction.peek.service.as_ref());
    let from = asks.map_or("far.test", Address::domain).to_owned();
    let mut world = world();
    let before = world.store.clone();
    let user = user.map(|user| user.to_string());
    let Some(answer) = world.deliver(&from, user.as_deref(), primitive) else {
        return tally.wrong.push(format!("no answer to {spoilt}"));
    };
    let is_done = answer
        .verdict()
        .is_none_or(|status| status.effective().is_success() || matches!(status.code.0, 201 | 202));
    if is_done {
        tally.done += 1;
        return;
    }
    tally.refused += 1;
    if world.store != before {
        let what = format!("{answer:?}\n  has changed something: {spoilt}");
        tally.wrong.push(what);
    }
}

#[test]
fn a_faulty_request_is_answered_and_what_is_refused_changes_nothing() {
    let samples = samples();
    assert!(samples.len() >= 40, "{}", samples.len());
    let mut tally = Tally::default();
    for sample in &samples {
        let node = parse(sample.as_bytes(), &Limits::default()).unwrap();
        check(sample, &mut tally);
        let mut all = Vec::new();
        paths(&node, &mut Vec::new(), &mut all);
        for (path, faults) in all {
            for fault in faults {
                let mut node = node.clone();
                spoil(&mut node, &path, fault);
                check(&xml(&node), &mut tally);
            }
        }
    }
    let wrong = &tally.wrong;
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // Each of the three is seen often enough to mean something.
    let least = tally.done.min(tally.refused).min(tally.unreadable);
    assert!(least >= 50, "{tally:?}");
}
