//! Restarts at any moment change nothing of what users and watchers finally see.

use proptest::prelude::*;

use super::*;
use crate::imps::common::UserId;
use crate::imps::presence::AttributeName;
use crate::imps::primitive::presence::{SubscribeRequest, UnsubscribeRequest};

const USERS: [&str; 3] = ["alice", "bob", "carol"];
const ZOE: &str = "zoe@far.test";

/// Something that happens; numbers name users.
#[derive(Debug, Clone)]
enum Step {
    Open(usize),
    Close(usize),
    Send(usize, usize),
    Incoming(usize, bool),
    Again,
    Text(usize, u8),
    Watch(usize),
    Unwatch(usize),
    Authorize(usize, bool),
    Contact(usize, bool),
    Subscribe(usize, usize),
    Wait(u64),
    /// Only done in one of the two runs that are compared.
    Restart,
    /// Everybody who can goes to rest; likewise.
    Rest,
}

fn step() -> impl Strategy<Value = Step> {
    let user = || 0..USERS.len();
    prop_oneof![
        3 => user().prop_map(Step::Open),
        2 => user().prop_map(Step::Close),
        4 => (user(), user()).prop_map(|(a, b)| Step::Send(a, b)),
        4 => (user(), any::<bool>()).prop_map(|(a, b)| Step::Incoming(a, b)),
        1 => Just(Step::Again),
        2 => (user(), 0..3_u8).prop_map(|(a, b)| Step::Text(a, b)),
        2 => user().prop_map(Step::Watch),
        1 => user().prop_map(Step::Unwatch),
        2 => (user(), any::<bool>()).prop_map(|(a, b)| Step::Authorize(a, b)),
        2 => (user(), any::<bool>()).prop_map(|(a, b)| Step::Contact(a, b)),
        1 => (user(), user()).prop_map(|(a, b)| Step::Subscribe(a, b)),
        1 => (1..200_u64).prop_map(Step::Wait),
        3 => Just(Step::Restart),
        3 => Just(Step::Rest),
    ]
}

struct Run {
    world: World,
    restarts: bool,
    /// Client of each user that is online.
    clients: [Option<u64>; 3],
    opened: u64,
    sent: usize,
    /// What each user was handed, in order.
    inbox: [Vec<(String, String)>; 3],
    /// What Zoe sees of each user: online and text, by attribute; absent means nothing.
    view: BTreeMap<Address, BTreeMap<String, Option<String>>>,
    reports: Vec<(String, u16)>,
    last: Option<SendMessageRequest>,
}

impl Run {
    fn new(restarts: bool) -> Self {
        Self {
            world: World::peopled(),
            restarts,
            clients: [None; 3],
            opened: 0,
            sent: 0,
            inbox: Default::default(),
            view: BTreeMap::new(),
            reports: Vec::new(),
            last: None,
        }
    }

    fn open(&mut self, user: usize) {
        if self.clients[user].is_none() {
            self.opened += 1;
            self.world.open(self.opened, USERS[user]);
            self.clients[user] = Some(self.opened);
        }
    }

    /// Says something as a user, who goes online for it.
    fn say(&mut self, user: usize, command: &serde_json::Value) {
        self.open(user);
        if let Some(client) = self.clients[user] {
            self.world.say(client, &command.to_string());
        }
    }

    fn zoe(&mut self, primitive: impl Into<Primitive>) -> Option<Primitive> {
        self.world.deliver("far.test", Some(ZOE), primitive)
    }

    fn step(&mut self, step: &Step) {
        use serde_json::json;
        let publisher = |user: usize| UserId {
            user: Address::user(USERS[user], HOME),
        };
        match step {
            Step::Open(user) => self.open(*user),
            Step::Close(user) => {
                if let Some(client) = self.clients[*user] {
                    self.collect();
                    self.clients[*user] = None;
                    self.world.close(client);
                }
            }
            Step::Send(from, to) => {
                self.sent += 1;
                let (to, text) = (USERS[*to], self.sent.to_string());
                self.say(
                    *from,
                    &json!({"do":"message","to":to,"text":text,"id":text}),
                );
            }
            Step::Incoming(to, report) => {
                self.sent += 1;
                let (to, id) = (format!("{}@{HOME}", USERS[*to]), self.sent.to_string());
                let mut request = text(&id, ZOE, &[&to], &id);
                request.delivery_report = *report;
                self.last = Some(request.clone());
                self.zoe(request);
            }
            Step::Again => {
                if let Some(request) = self.last.clone() {
                    self.zoe(request);
                }
            }
            Step::Text(user, text) => {
                self.say(*user, &json!({"do":"presence","text":text.to_string()}));
            }
            Step::Watch(user) => {
                let request = SubscribeRequest {
                    meta: None,
                    users: vec![publisher(*user)],
                    attributes: None,
                };
                self.zoe(request);
            }
            Step::Unwatch(user) => {
                let request = UnsubscribeRequest {
                    meta: None,
                    users: vec![publisher(*user)],
                };
                self.zoe(request);
                self.collect();
                self.view.remove(&publisher(*user).user);
            }
            Step::Authorize(user, accept) => {
                self.say(*user, &json!({"do":"authorize","user":ZOE,"accept":accept}));
            }
            Step::Contact(user, add) => {
                let command = if *add {
                    "add_contact"
                } else {
                    "remove_contact"
                };
                self.say(*user, &json!({"do":command,"user":ZOE}));
            }
            Step::Subscribe(user, to) => {
                self.say(*user, &json!({"do":"subscribe","user":USERS[*to]}));
            }
            Step::Wait(seconds) => self.world.wait(*seconds),
            Step::Rest => {
                if self.restarts {
                    self.world.put_to_rest();
                }
            }
            Step::Restart => {
                if self.restarts {
                    self.restart();
                }
            }
        }
        self.collect();
    }

    /// Restarts; those who were online come back.
    fn restart(&mut self) {
        self.collect();
        self.world.restart();
        let online = self.clients.map(|client| client.is_some());
        self.clients = [None; 3];
        for user in (0..3).filter(|user| online[*user]) {
            self.open(user);
        }
    }

    /// Takes in what clients heard and what left the domain.
    fn collect(&mut self) {
        for user in 0..3 {
            if let Some(client) = self.clients[user] {
                let events = self.world.heard(client);
                self.inbox[user].extend(texts(&events));
            }
        }
        for primitive in self.world.sent() {
            match primitive {
                Primitive::PresenceNotification(notice) => {
                    for value in notice.values {
                        let view = self.view.entry(value.user).or_default();
                        for attribute in value.presence.unwrap_or_default().attributes {
                            let simple = attribute.simple().map(str::to_owned);
                            view.insert(attribute.name.as_str().to_owned(), simple);
                        }
                    }
                }
                Primitive::DeliveryStatusReport(report) => self
                    .reports
                    .push((report.info.message_id.unwrap(), report.result.status.code.0)),
                other => panic!("{other:?}"),
            }
        }
    }

    fn finish(mut self, steps: &[Step]) -> Self {
        for step in steps {
            self.step(step);
        }
        for user in 0..3 {
            self.open(user);
        }
        self.collect();
        self.reports.sort();
        self
    }

    /// What Zoe can tell of a user; nothing where she sees only unknown values.
    fn seen(&self) -> BTreeMap<&Address, Vec<Option<&str>>> {
        let names = [AttributeName::OnlineStatus, AttributeName::StatusText];
        self.view
            .iter()
            .map(|(user, view)| {
                let value = |name: &AttributeName| view.get(name.as_str())?.as_deref();
                (user, names.iter().map(value).collect::<Vec<_>>())
            })
            .filter(|(_, values)| values.iter().any(Option::is_some))
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn restarts_lose_nothing_and_double_nothing(
        steps in proptest::collection::vec(step(), 0..50)
    ) {
        let plain = Run::new(false).finish(&steps);
        let restarted = Run::new(true).finish(&steps);
        prop_assert_eq!(&plain.inbox, &restarted.inbox);
        prop_assert_eq!(&plain.reports, &restarted.reports);
        prop_assert_eq!(plain.seen(), restarted.seen());
        let handed: usize = restarted.inbox.iter().map(Vec::len).sum();
        prop_assert_eq!(handed, restarted.sent);
        let ends = restarted.world.outcomes.iter().map(|(_, outcome)| *outcome);
        let ended = ends.filter(|outcome| *outcome != Outcome::Repeated).count();
        prop_assert_eq!(ended, restarted.sent);
    }

    #[test]
    fn the_records_are_the_whole_state(
        steps in proptest::collection::vec(step(), 0..40)
    ) {
        let mut run = Run::new(false).finish(&steps);
        run.restart();
        run.collect();
        let before = run.world.store.clone();
        run.restart();
        run.collect();
        prop_assert_eq!(before, run.world.store);
    }
}
