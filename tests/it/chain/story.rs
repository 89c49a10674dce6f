//! Every service in use in the chain with split services, while something happens to it.
//!
//! Whatever happens, a request ends in one result at its requestor: the provider's, or the word
//! of a SAP on the way that it has no answer. No provider gets anything twice. What is stored
//! and forwarded (messages, notices, reports) arrives once and in order when it is over, and then
//! everything works again.

use std::collections::{BTreeMap, BTreeSet};

use wvgate::imps::Primitive;
use wvgate::ssp::envelope::decode_fragment;

use super::split_chain;
use crate::support::chain::Chain;
use crate::support::end::OWN_TOKENS;
use crate::support::samples::{HOME, Sample, VILLAGE, answer_to, answers, samples};
use crate::support::split::{self, ENDS, provider, sender};

/// From whose view a sample is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum View {
    /// The home domain's users, as in the samples.
    Home,
    /// The village's users, who ask at the home domain.
    Village,
    /// A user of the village who asks at the provider of its presence and groups.
    Inside,
}

/// What is sent again and again. Those told twice keep their order.
pub(super) const SERVICES: &[(&str, View)] = &[
    // Presence: a subscription, which is followed by a notification; a look; more notifications.
    ("015", View::Home),
    ("015", View::Village),
    ("015", View::Inside),
    ("018", View::Home),
    ("018", View::Village),
    ("082", View::Home),
    ("017", View::Home),
    ("017", View::Home),
    // Contact lists.
    ("069", View::Home),
    ("069", View::Village),
    // Messages, with reports; what is stored, and who may write.
    ("020", View::Home),
    ("020", View::Home),
    ("020", View::Village),
    ("020", View::Village),
    ("091", View::Home),
    ("098", View::Home),
    ("088", View::Home),
    // Groups: joining, which is followed by news and a message; a message; news.
    ("026", View::Home),
    ("026", View::Village),
    ("026", View::Inside),
    ("021", View::Home),
    ("021", View::Home),
    ("021", View::Inside),
    ("038", View::Home),
    ("038", View::Home),
    // Invitations, to content and to a group, which are accepted.
    ("012", View::Home),
    ("012", View::Village),
    ("010", View::Home),
    ("010", View::Village),
    // Search, and its next page.
    ("064", View::Home),
    ("064", View::Village),
    ("066", View::Home),
    // Profiles and addresses.
    ("059", View::Home),
    ("059", View::Village),
    ("068", View::Home),
    ("068", View::Village),
];

/// One request or notice that was sent.
#[derive(Debug)]
pub(super) struct Sent {
    token: u64,
    service: (&'static str, View),
    sample: Sample,
    from: &'static str,
    to: &'static str,
}

impl Sent {
    /// What the provider does besides answering: names of what comes to the requestor.
    fn followed_by(&self) -> &'static [&'static str] {
        match self.service.0 {
            "015" => &["PresenceNotification"],
            "020" => &["DeliveryStatusReport"],
            "026" => &["GroupChangeNotice", "SendMessageRequest"],
            "010" | "012" => &["InviteResponse"],
            _ => &[],
        }
    }

    fn is_message(&self) -> bool {
        self.sample.name() == "SendMessageRequest"
    }
}

/// The chain, everything that was ever sent in it, and what is to be answered.
pub(super) struct Story {
    pub(super) chain: Chain,
    sent: Vec<Sent>,
    answers: BTreeMap<String, Primitive>,
    /// What was sent while something was wrong, and heard so.
    pub(super) taken_over: usize,
    pub(super) failed: usize,
}

/// What became of something that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The provider's own answer; of a notice: it arrived.
    Done,
    /// 202: a SAP on the way answers for it.
    TakenOver,
    /// Answered 503 or 504.
    Failed,
}

impl Story {
    pub(super) fn begin() -> Self {
        let mut story = Self {
            chain: split_chain(true, "1200ms"),
            sent: Vec::new(),
            answers: answers(&samples(false)),
            taken_over: 0,
            failed: 0,
        };
        story.all_works();
        story
    }

    /// Sends these, as far as their senders are awake; which.
    pub(super) fn send(&mut self, services: &[(&'static str, View)]) -> Vec<usize> {
        let awake = self.chain.awake();
        let mut sent = Vec::new();
        for service in services {
            let token = self.chain.token();
            let sample = sample(*service, token);
            let end = |domain: &str| ENDS.into_iter().find(|end| *end == domain).unwrap();
            let (from, to) = (end(sender(&sample)), end(&provider(&sample)));
            if !awake.contains(&from) {
                continue;
            }
            self.chain.send(from, token, &sample.primitive);
            sent.push(self.sent.len());
            self.sent.push(Sent {
                token,
                service: *service,
                sample,
                from,
                to,
            });
        }
        sent
    }

    /// Waits until each request of an end that is awake has its result.
    fn answered(&mut self) {
        let (sent, answers) = (&self.sent, &self.answers);
        self.chain.until(|chain| {
            let awake = chain.awake();
            let mut requests = sent
                .iter()
                .filter(|sent| sent.sample.is_request() && awake.contains(&sent.from));
            let open = requests.find(|sent| outcome(chain, sent, answers).is_none());
            open.map(|open| format!("the result of {open:?}"))
        });
    }

    /// Waits until everything that must arrive has arrived.
    pub(super) fn settled(&mut self) {
        self.answered();
        let (sent, answers) = (&self.sent, &self.answers);
        self.chain.until(|chain| {
            let arrived: BTreeMap<&str, Vec<(&str, u64)>> =
                ENDS.map(|end| (end, arrived(chain, end))).into();
            let has = |end: &str, name: &str, token| arrived[end].contains(&(name, token));
            sent.iter().find_map(|sent| {
                let name = sent.sample.name();
                let there = has(sent.to, name, sent.token);
                let outcome = outcome(chain, sent, answers);
                let must = match outcome {
                    Some(Outcome::Done | Outcome::TakenOver) => true,
                    Some(Outcome::Failed) => false,
                    None => sent.sample.is_notice(),
                };
                if must && !there {
                    return Some(format!("at {}: {sent:?}", sent.to));
                }
                let mut followed_by = sent.followed_by().iter();
                let open =
                    followed_by.find(|follows| there && !has(sent.from, follows, sent.token))?;
                Some(format!("{open} at {} after {sent:?}", sent.from))
            })
        });
    }

    /// Nobody got anything twice, or what was not for them; each request has one result.
    pub(super) fn is_exact(&self) {
        let mut allowed: BTreeMap<&str, BTreeSet<(&str, u64)>> = BTreeMap::new();
        for sent in &self.sent {
            let at_provider = (sent.sample.name(), sent.token);
            allowed.entry(sent.to).or_default().insert(at_provider);
            let follows = sent.followed_by().iter().map(|name| (*name, sent.token));
            allowed.entry(sent.from).or_default().extend(follows);
        }
        for end in ENDS {
            let mut once = BTreeSet::new();
            for arrived in arrived(&self.chain, end) {
                assert!(allowed[end].contains(&arrived), "{arrived:?} at {end}");
                if !once.insert(arrived) {
                    let mark = format!("zq{}qz", arrived.1);
                    let all = self.chain.log(end).received.iter();
                    let all: Vec<_> = all.filter(|r| r.xml.contains(&mark)).collect();
                    panic!("{arrived:?} came twice to {end}: {all:#?}");
                }
            }
            let mut results = BTreeSet::new();
            for (token, result) in &self.chain.log(end).results {
                assert!(results.insert(token), "a second result at {end}: {result}");
                let of_this_end = |sent: &Sent| sent.token == *token && sent.from == end;
                let is_own = *token >= OWN_TOKENS;
                assert!(is_own || self.sent.iter().any(of_this_end), "{result}");
            }
        }
        self.is_in_order();
    }

    /// Messages of one user to another or to a group, their reports, and what is told by one
    /// publisher or group to one user arrive in the order in which they were sent.
    fn is_in_order(&self) {
        let mut conversations: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        let mut reports: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for sent in &self.sent {
            if matches!(sent.service.0, "017" | "020" | "021" | "038") {
                let key = (sent.to, sent.sample.name(), sent.service);
                conversations.entry(key).or_default().push(sent.token);
            }
            if sent.service.0 == "020" {
                let key = (sent.from, "DeliveryStatusReport", sent.service);
                reports.entry(key).or_default().push(sent.token);
            }
        }
        for ((end, name, service), sent) in conversations.into_iter().chain(reports) {
            let came: Vec<u64> = arrived(&self.chain, end)
                .into_iter()
                .filter(|(other, token)| *other == name && sent.contains(token))
                .map(|(_, token)| token)
                .collect();
            assert!(came.is_sorted(), "{name} of {service:?} at {end}: {came:?}");
        }
    }

    /// Everything is done when it is asked for anew, if not at once then soon.
    pub(super) fn all_works(&mut self) {
        let mut open = SERVICES.to_vec();
        for _ in 0..20 {
            let sent = self.send(&open);
            self.settled();
            open = sent
                .into_iter()
                .map(|sent| &self.sent[sent])
                .filter(|sent| {
                    let outcome = outcome(&self.chain, sent, &self.answers);
                    sent.sample.is_request() && outcome != Some(Outcome::Done)
                })
                .map(|sent| sent.service)
                .collect();
            if open.is_empty() {
                return self.is_exact();
            }
        }
        panic!("these do not work any more: {open:?}");
    }

    /// Something happens to a hop while everything is in use, and passes. What is sent meanwhile
    /// over a way that is `blocked` cannot have been done: so says its result.
    pub(super) fn suffers(
        &mut self,
        begin: impl Fn(&mut Chain),
        end: impl Fn(&mut Chain),
        blocked: impl Fn(&(String, String)) -> bool,
    ) {
        self.send(SERVICES);
        begin(&mut self.chain);
        let meanwhile = self.send(SERVICES);
        self.answered();
        for sent in meanwhile.iter().map(|sent| &self.sent[*sent]) {
            let is_blocked = split::way(sent.from, sent.to).iter().any(&blocked);
            let outcome = outcome(&self.chain, sent, &self.answers);
            if is_blocked && sent.sample.is_request() {
                assert_ne!(outcome, Some(Outcome::Done), "{sent:?}");
            }
            self.taken_over += usize::from(outcome == Some(Outcome::TakenOver));
            self.failed += usize::from(outcome == Some(Outcome::Failed));
        }
        end(&mut self.chain);
        self.settled();
        self.is_exact();
        self.all_works();
    }

    /// It is all over. What came late would show by now, and who was cut off has heard so.
    pub(super) fn end_of_failures(self) {
        assert!(self.taken_over > 0 && self.failed > 0);
        self.end();
    }

    /// It is all over. What came late would show by now.
    pub(super) fn end(mut self) {
        self.all_works();
        for end in ENDS {
            assert_eq!(self.chain.log(end).open, 0, "{end} waits for answers");
        }
    }
}

/// A sample that carries its token, so that it is known again wherever it comes.
fn sample((file, view): (&str, View), token: u64) -> Sample {
    let mark = format!("zq{token}qz");
    split::sample(file, view == View::Village, |text| {
        let text = match file {
            "017" => text.replace("In a meeting", &mark),
            "020" | "021" => text
                .replace("m-20040522-0017", &mark)
                .replace("m-20040522-0018", &mark),
            "038" => text.replace("Randall", &mark),
            "059" => text.replace("bob@", &format!("bob-{mark}@")),
            "082" => text.replace("matthias@", &format!("matthias-{mark}@")),
            "088" => text.replace("0x0000f132", &mark),
            _ => text.replace("alice@", &format!("alice-{mark}@")),
        };
        match view {
            View::Inside => text.replace(&format!("@{HOME}"), &format!("@{VILLAGE}")),
            _ => text,
        }
    })
}

/// What came to an end, in order: names with their tokens.
fn arrived<'c>(chain: &'c Chain, end: &str) -> Vec<(&'c str, u64)> {
    let received = chain.log(end).received.iter();
    received
        .map(|received| {
            let token = received.xml.split_once("zq");
            let token = token.and_then(|(_, rest)| rest.split_once("qz"));
            let token = token.and_then(|(token, _)| token.parse().ok());
            let token = token.unwrap_or_else(|| panic!("no mark: {received:?}"));
            (received.name.as_str(), token)
        })
        .collect()
}

/// The result of a request; `None` as long as there is none.
fn outcome(chain: &Chain, sent: &Sent, answers: &BTreeMap<String, Primitive>) -> Option<Outcome> {
    let mut results = chain.log(sent.from).results.iter();
    let (_, result) = results.find(|(token, _)| *token == sent.token)?;
    let answer = decode_fragment(result.as_bytes()).unwrap();
    if answer == answer_to(&sent.sample.primitive, answers) {
        return Some(Outcome::Done);
    }
    let code = match &answer {
        Primitive::Status(status) => status.code.0,
        Primitive::SendMessageResponse(response) => response.status.code.0,
        other => panic!("{other:?} answers {sent:?}"),
    };
    match code {
        202 if sent.is_message() => Some(Outcome::TakenOver),
        503 | 504 => Some(Outcome::Failed),
        _ => panic!("{answer:?} answers {sent:?}"),
    }
}
