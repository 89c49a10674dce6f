//! Three relays that take each other for the way to somewhere.

use crate::support::chain::{Chain, Picture};
use crate::support::samples::{HOME, Sample, text};
use crate::support::split;

const L: &str = "l.test";
const M: &str = "m.test";
const N: &str = "n.test";
/// Whom the samples address.
const NOWHERE: &str = split::VILLAGE;

/// Sends requests into the circle: each goes round once and is answered once.
fn cut(dialect: &'static str) {
    let mut chain = Chain::start(Picture {
        relays: &[L, M, N],
        ends: &[HOME],
        links: &[
            (HOME, L, &[NOWHERE]),
            (L, HOME, &[]),
            (L, M, &[HOME]),
            (L, N, &[HOME]),
            (M, L, &[HOME]),
            (M, N, &[HOME]),
            (N, M, &[HOME]),
            (N, L, &[HOME]),
        ],
        routes: &[
            (HOME, "*", L),
            (L, NOWHERE, M),
            (M, NOWHERE, N),
            (N, NOWHERE, L),
        ],
        services: &[],
        acts: false,
        response_timeout: "30s",
        dialect,
    });
    let requests = ["015", "020", "012", "059"];
    let mut tokens = Vec::new();
    for file in requests {
        let sample = Sample::read(file, text(file, false));
        let token = chain.token();
        chain.send(HOME, token, &sample.primitive);
        tokens.push((token, sample.name().to_owned()));
    }
    chain.until(|chain| {
        let got = chain.log(HOME).results.len();
        (got < requests.len()).then(|| format!("answers, there are {got}"))
    });
    for (token, name) in &tokens {
        let results = chain.log(HOME).results.iter();
        let results: Vec<_> = results.filter(|(to, _)| to == token).collect();
        assert_eq!(results.len(), 1, "{name}");
        let (_, answer) = results[0];
        assert!(answer.contains("code=\"516\""), "{name}: {answer}");
        // Once round, and the result back the same way.
        for (from, to) in [(HOME, L), (L, M), (M, N), (N, L)] {
            let sent = chain.way(from, to).sent();
            let asked = sent.iter().filter(|(asks, _, what)| *asks && what == name);
            assert_eq!(asked.count(), 1, "{name} from {from} to {to}");
        }
    }
    for (from, to) in [(L, N), (N, M), (M, L), (L, HOME)] {
        let sent = chain.way(from, to).sent();
        let mut answers: Vec<&str> = sent
            .iter()
            .filter(|(asks, _, name)| !asks && name != "GetServiceResponse")
            .map(|(_, _, name)| name.as_str())
            .collect();
        answers.sort_unstable();
        let wanted = ["SendMessageResponse", "Status", "Status", "Status"];
        assert_eq!(answers, wanted, "from {from} to {to}");
    }
    assert_eq!(chain.log(HOME).results.len(), tokens.len());
    assert!(chain.log(HOME).received.is_empty());
    assert_eq!(chain.log(HOME).open, 0);
}

#[test]
fn a_circle_of_relays_is_noticed_by_the_trace_of_hops_and_answered_once() {
    cut("");
}

#[test]
fn a_circle_of_relays_is_noticed_without_a_trace_of_hops_too() {
    cut("via = false");
}
