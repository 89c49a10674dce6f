//! The home domain in a pretended world: a store, a clock, clients, and a SAP that knows only
//! this domain and notes what leaves it.

mod access;
mod accounts;
mod authorization;
mod bodies;
mod clock;
mod contact_list;
mod echo;
mod envelope;
mod faulty;
mod forwarding;
mod group;
mod guests;
mod handed;
mod invitations;
mod message_store;
mod messages;
mod own_presence;
mod presence;
mod profiles;
mod queue;
mod reach;
mod requests;
mod rest;
mod restart;
mod search;
mod sent;
mod showing;
#[path = "../../../tests/support/talk.rs"]
mod talk;
mod users;
mod watchers;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::element::{Act, Found, Input, Load, Loaded, Outcome, RequestId, ServiceElement, Token};
use crate::imps::common::{
    ContentData, MessageInfo, MetaInfo, Recipient, Sender, User as UserElement,
};
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::primitive::{Facts, Routing};
use crate::ssp::Mode;
use crate::ssp::envelope::{Transaction, decode_fragment};
use envelope::{divided, envelope};
use talk::{Command, Event, Standing, SubscriptionState, Talk};

pub(super) const HOME: &str = "home.test";
pub(super) const START: Time = Time(1_700_000_000_000);

pub(super) struct World {
    pub(super) home: Home,
    settings: HomeSettings,
    pub(super) store: BTreeMap<String, Vec<u8>>,
    pub(super) now: Time,
    /// What left the domain and waits there for an answer.
    pub(super) outbox: Vec<(Token, Primitive)>,
    /// Answers to requests from outside.
    pub(super) answers: BTreeMap<RequestId, Primitive>,
    pub(super) events: BTreeMap<ClientKey, Vec<Event>>,
    talks: BTreeMap<ClientKey, Talk>,
    pub(super) outcomes: Vec<(String, Outcome)>,
    /// Reads under way.
    pub(super) loads: Vec<Load>,
    /// Whether reads end at once.
    pub(super) reads: bool,
    /// Whether clients acknowledge what they hear, at once.
    pub(super) acknowledges: bool,
    /// Files that are shared no more.
    pub(super) unshared: Vec<(String, Option<Vec<String>>)>,
    ours: BTreeMap<RequestId, Token>,
    requests: u64,
    starts: u64,
}

pub(super) fn address(text: &str) -> Address {
    Address::new(text)
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut HomeSettings)) -> Self {
        let mut settings = HomeSettings::new(HOME);
        change(&mut settings);
        Self {
            home: Home::new(settings.clone(), 0),
            settings,
            store: BTreeMap::new(),
            now: START,
            outbox: Vec::new(),
            answers: BTreeMap::new(),
            events: BTreeMap::new(),
            talks: BTreeMap::new(),
            outcomes: Vec::new(),
            loads: Vec::new(),
            reads: true,
            acknowledges: true,
            unshared: Vec::new(),
            ours: BTreeMap::new(),
            requests: 0,
            starts: 0,
        }
    }

    /// With users alice, bob and carol.
    pub(super) fn peopled() -> Self {
        let mut world = Self::new();
        for name in ["alice", "bob", "carol"] {
            world.add(name);
        }
        world
    }

    pub(super) fn add(&mut self, name: &str) {
        self.home
            .add_user(name, "hash".to_owned(), self.now)
            .unwrap();
        self.settle();
    }

    pub(super) fn open(&mut self, client: u64, user: &str) {
        self.open_for(client, user, Takes::Everything);
    }

    pub(super) fn open_for(&mut self, client: u64, user: &str, takes: Takes) {
        self.wake(&[user]);
        self.home
            .clients(self.now)
            .open(ClientKey(client), user, takes, Delivery::default())
            .unwrap();
        self.settle();
    }

    /// Opens a session with a delivery method, as JSON.
    pub(super) fn open_with(&mut self, client: u64, user: &str, delivery: &str) {
        let open = FromClient::Open {
            user: user.to_owned(),
            takes: Takes::Everything,
            delivery: serde_json::from_str(delivery).unwrap(),
        };
        self.home
            .take(Input::Client(ClientKey(client), open), self.now);
        self.settle();
    }

    pub(super) fn acknowledge(&mut self, client: u64, number: u64) {
        self.say(client, &format!(r#"{{"do":"ack","number":{number}}}"#));
    }

    pub(super) fn close(&mut self, client: u64) {
        self.home.clients(self.now).close(ClientKey(client));
        self.settle();
    }

    /// A client does something, written as [`Command`].
    pub(super) fn say(&mut self, client: u64, command: &str) {
        let command: Command = serde_json::from_str(command).unwrap();
        let said = self
            .talks
            .entry(ClientKey(client))
            .or_default()
            .say(command);
        for said in said {
            self.client(client, &said);
        }
    }

    /// A client says something; it is told in a line of JSON as all of what clients say.
    pub(super) fn client(&mut self, client: u64, said: &FromClient) {
        let line = serde_json::to_string(said).unwrap();
        let said = serde_json::from_str(&line).unwrap();
        self.home
            .take(Input::Client(ClientKey(client), said), self.now);
        self.settle();
    }

    /// A client of a user of ours asks, in XML with `META` for who asks. Its answer.
    pub(super) fn ask_xml(&mut self, client: u64, user: &str, xml: &str) -> Primitive {
        self.request_xml(client, user, xml);
        let heard = self.heard(client).into_iter();
        let mut answers = heard.filter_map(|event| match event {
            Event::Answer { id, primitive } if id == "asked" => Some(*primitive),
            _ => None,
        });
        answers
            .next()
            .unwrap_or_else(|| panic!("no answer to {xml}"))
    }

    /// The same without waiting for the answer.
    pub(super) fn request_xml(&mut self, client: u64, user: &str, xml: &str) {
        let meta = format!(
            r#"<MetaInfo><Requestor serviceID="wv:@{HOME}"><User userID="wv:{user}@{HOME}"/></Requestor></MetaInfo>"#
        );
        let primitive = decode_fragment(xml.replace("META", &meta).as_bytes()).unwrap();
        let request = FromClient::Request {
            id: "asked".to_owned(),
            primitive: Box::new(primitive),
        };
        self.client(client, &request);
    }

    /// A request or notice from outside; its answer, if it is answered.
    pub(super) fn deliver(
        &mut self,
        from: &str,
        user: Option<&str>,
        primitive: impl Into<Primitive>,
    ) -> Option<Primitive> {
        self.requests += 1;
        let id = RequestId(self.requests);
        let delivered = Delivered {
            id: Some(id),
            from_domain: from.to_owned(),
            user: user.map(address),
            primitive: primitive.into(),
            expires: self.now.plus_seconds(20),
        };
        self.home.take(Input::Deliver(delivered), self.now);
        self.settle();
        self.answers.remove(&id)
    }

    /// Answers the oldest thing in the outbox that is called `name`.
    pub(super) fn answer(&mut self, name: &str, answer: impl Into<Primitive>) {
        let at = self
            .outbox
            .iter()
            .position(|(_, primitive)| primitive.name() == name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.outbox));
        let (token, _) = self.outbox.remove(at);
        self.home
            .take(Input::Answer(token, answer.into()), self.now);
        self.settle();
    }

    /// Says of the oldest message in the outbox what is known of it, now that it was taken over.
    pub(super) fn take_over(&mut self, known: impl Into<Primitive>) {
        let mut outbox = self.outbox.iter();
        let message = outbox.find(|(_, primitive)| primitive.name() == "SendMessageRequest");
        let token = message.expect("a message").0;
        let input = Input::TakenOver(token, known.into());
        self.home.take(input, self.now);
        self.settle();
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        let end = self.now.plus_seconds(seconds);
        while let Some(at) = self.home.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.home.timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// Ends the process and starts it anew on the same store. Clients are gone.
    pub(super) fn restart(&mut self) {
        self.starts += 1;
        self.home = Home::new(self.settings.clone(), self.starts << 32);
        for (key, value) in &self.store {
            assert!(key.starts_with(records::PREFIX));
            self.home.restore(key, value).unwrap();
        }
    }

    /// What a client was told since it was last asked.
    pub(super) fn heard(&mut self, client: u64) -> Vec<Event> {
        self.events.remove(&ClientKey(client)).unwrap_or_default()
    }

    /// What left the domain since it was last asked.
    pub(super) fn sent(&mut self) -> Vec<Primitive> {
        self.outbox
            .drain(..)
            .map(|(_, primitive)| primitive)
            .collect()
    }

    /// Ends the reads that are under way.
    pub(super) fn read(&mut self) {
        self.read_now();
        self.settle();
    }

    fn read_now(&mut self) {
        for load in std::mem::take(&mut self.loads) {
            let found = |key: String| Found::in_memory(&self.store, &key);
            let records = load.keys.into_iter().map(|(n, key)| (n, found(key)));
            let loaded = Loaded {
                number: load.number,
                records: records.collect(),
            };
            self.home.take(Input::Loaded(loaded), self.now);
        }
        self.perform();
    }

    /// Does what the domain wants done, until nothing moves.
    fn settle(&mut self) {
        self.perform();
        if self.reads && !self.loads.is_empty() {
            self.read();
        }
    }

    /// Puts everybody to rest who can.
    pub(super) fn put_to_rest(&mut self) {
        Rest::of(&mut self.home, self.now).all();
        self.perform();
    }

    /// Removes a user.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), UserError> {
        self.wake(&[name]);
        self.home.remove_user(name, self.now)
    }

    /// Wakes users, as an operator does before they look at them.
    pub(super) fn wake(&mut self, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        if self.home.wake(&names, self.now) {
            return;
        }
        self.home.wake(&names, self.now);
        self.perform();
        while !self.loads.is_empty() {
            self.read_now();
        }
        assert!(self.home.wake(&names, self.now));
    }

    fn perform(&mut self) {
        while let Some(act) = self.home.next_act() {
            match act {
                Act::Write(write) => write.apply(&mut self.store),
                Act::Outcome { message, outcome } => self.outcomes.push((message, outcome)),
                Act::Unshare { user, urls } => self.unshared.push((user, urls)),
                Act::Accepted => {}
                Act::Respond { to, primitive } => match self.ours.remove(&to) {
                    Some(token) => self.home.take(Input::Answer(token, primitive), self.now),
                    None => assert!(self.answers.insert(to, primitive).is_none()),
                },
                Act::Request {
                    token,
                    primitive,
                    expires,
                } => self.request(token, primitive, expires),
                Act::Tell(client, told) => {
                    let number = told.number().filter(|_| self.acknowledges);
                    let heard = self.talks.entry(client).or_default().hear(told);
                    self.events.entry(client).or_default().extend(heard);
                    if let Some(number) = number {
                        let ack = FromClient::Ack { number };
                        self.home.take(Input::Client(client, ack), self.now);
                    }
                }
                Act::Load(load) => self.loads.push(load),
                Act::Stanza(out) => panic!("{out:?}"),
                Act::Carry(transfer) => panic!("{transfer:?}"),
                Act::RequestAt { to, .. } => panic!("{to:?}"),
                Act::Wish(_, wish) => panic!("{wish:?}"),
            }
        }
    }

    /// What the domain asks: of itself, or of others.
    fn request(&mut self, token: Token, primitive: Primitive, expires: Time) {
        let facts = crate::imps::primitive::facts(primitive.name());
        let is_own = |facts: &&Facts| facts.routing == Routing::Requestor;
        let leaf = facts.filter(is_own).map_or("", |facts| facts.leaf);
        if self.settings.is_elsewhere(leaf) {
            return self.outbox.push((token, primitive));
        }
        let (target, meta) = envelope(&primitive);
        if let Some((ours, others)) = divided(&primitive) {
            self.request(token, ours, expires);
            self.request(token, others, expires);
        } else if target.domain() == HOME {
            self.requests += 1;
            let id = RequestId(self.requests);
            self.ours.insert(id, token);
            let delivered = Delivered {
                id: Some(id),
                from_domain: HOME.to_owned(),
                user: meta.user().map(|user| user.user.clone()),
                primitive,
                expires,
            };
            self.home.take(Input::Deliver(delivered), self.now);
        } else {
            self.outbox.push((token, primitive));
        }
    }
}

/// A text message as another domain sends it.
pub(super) fn text(id: &str, from: &str, to: &[&str], text: &str) -> SendMessageRequest {
    let from = address(from);
    SendMessageRequest {
        delivery_report: false,
        meta: Some(MetaInfo::of_user(from.domain(), from.clone())),
        info: MessageInfo {
            message_id: Some(id.to_owned()),
            uri: None,
            content_type: Some("text/plain".to_owned()),
            content_name: None,
            content_size: None,
            validity: None,
            recipients: to
                .iter()
                .map(|to| Recipient::User(UserElement::new(address(to))))
                .collect(),
            recipient_display: None,
            sender: Some(Sender::user(UserElement::new(from))),
            date_time: None,
        },
        content: Some(ContentData::text(text)),
    }
}

/// The texts among events, with their senders.
pub(super) fn texts(events: &[Event]) -> Vec<(String, String)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Message { from, text, .. } => Some((from.bare().to_owned(), text.clone())),
            _ => None,
        })
        .collect()
}
