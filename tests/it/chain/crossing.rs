//! Everything crosses between processes as it does in pretend time.

use std::collections::BTreeMap;

use wvgate::imps::Primitive;

use super::{name_of, split_chain};
use crate::support::chain::{Chain, Received};
use crate::support::samples::{HOME, Sample, answer_to, answers, samples};
use crate::support::split::{self, ASIDE, ENDS, ONE};

/// Primitives by hop: from, to, whether it asks, name; with their number.
type Hops = BTreeMap<(String, String, bool, String), usize>;

/// What SAPs tell each other without being asked for it.
const OF_SAPS: [&str; 2] = ["GetServiceRequest", "GetServiceResponse"];

fn hops(chain: &Chain) -> Hops {
    let mut hops = Hops::new();
    for (from, to, way) in chain.ways() {
        for (asks, _, name) in way.sent() {
            if !OF_SAPS.contains(&name.as_str()) {
                let hop = (from.to_owned(), to.to_owned(), asks, name);
                *hops.entry(hop).or_default() += 1;
            }
        }
    }
    hops
}

fn note(hops: &mut Hops, way: Vec<(String, String)>, asks: bool, name: &str) {
    for (from, to) in way {
        *hops.entry((from, to, asks, name.to_owned())).or_default() += 1;
    }
}

#[test]
fn between_processes_each_service_crosses_in_both_directions_and_results_return_on_the_way_they_came()
 {
    let mut chain = split_chain(false, "30s");
    let mut expected_hops = Hops::new();
    let mut expected: BTreeMap<&str, Vec<Received>> = BTreeMap::new();
    let mut results: BTreeMap<&str, Vec<(u64, String)>> = BTreeMap::new();
    // Whoever asks is answered alike.
    let answers = answers(&samples(false));
    for exchanged in [false, true] {
        let samples = split::samples(exchanged);
        for sample in samples.iter().filter(|s| s.is_request() || s.is_notice()) {
            let from = split::sender(sample);
            let from = ENDS.into_iter().find(|end| *end == from).unwrap();
            let to = split::provider(sample);
            let to = ENDS.into_iter().find(|end| *end == to).unwrap();
            let token = chain.token();
            chain.send(from, token, &sample.primitive);
            expected.entry(to).or_default().push(Received {
                name: sample.name().to_owned(),
                xml: sample.primitive.to_xml(None),
            });
            note(
                &mut expected_hops,
                split::way(from, to),
                true,
                sample.name(),
            );
            if sample.is_request() {
                let answer = answer_to(&sample.primitive, &answers);
                note(
                    &mut expected_hops,
                    split::way(to, from),
                    false,
                    answer.name(),
                );
                let result = (token, answer.to_xml(None));
                results.entry(from).or_default().push(result);
            }
        }
    }
    chain.until(|chain| {
        ENDS.into_iter().find_map(|end| {
            let log = chain.log(end);
            let wanted = (expected[end].len(), results.get(end).map_or(0, Vec::len));
            let got = (log.received.len(), log.results.len());
            (got.0 < wanted.0 || got.1 < wanted.1)
                .then(|| format!("{end} has {got:?} of {wanted:?}"))
        })
    });
    for end in ENDS {
        let log = chain.log(end);
        let sorted = |list: &[Received]| {
            let mut list = list.to_vec();
            list.sort();
            list
        };
        assert_eq!(sorted(&log.received), sorted(&expected[end]), "{end}");
        let mut got = log.results.clone();
        got.sort();
        assert_eq!(got, results.remove(end).unwrap_or_default(), "{end}");
        assert_eq!(log.open, 0, "{end} waits for answers");
    }
    assert_eq!(hops(&chain), expected_hops);
    assert_eq!(chain.way(ONE, ASIDE).accepted(), 0);

    // Discovery is answered by whoever knows, about the domain asked for.
    let discovery = split::sample("055", false, |text| text);
    let token = chain.token();
    chain.send(HOME, token, &discovery.primitive);
    chain.until(|chain| {
        let mut results = chain.log(HOME).results.iter();
        let answer = results.find(|(to, _)| *to == token);
        answer.is_none().then(|| "the services".to_owned())
    });
    let (_, answer) = chain.log(HOME).results.last().unwrap();
    assert_eq!(name_of(answer), "GetServiceResponse", "{answer}");
    assert!(answer.contains(&asked(&discovery)), "{answer}");
}

fn asked(discovery: &Sample) -> String {
    let Primitive::GetServiceRequest(request) = &discovery.primitive else {
        panic!("{discovery:?}");
    };
    request.service.as_ref().unwrap().to_string()
}
