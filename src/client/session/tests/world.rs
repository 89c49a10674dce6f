//! A session in a pretended time, and what comes out of it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;

use crate::client::meaning::Terms;
use crate::client::session::{Effect, Record, Said, Session};
use crate::client::settings::Settings;
use crate::client::tests::settings;
use crate::client::wake::Method;
use crate::csp::primitive::message::MessageDelivered;
use crate::csp::primitive::session::PollingRequest;
use crate::csp::{Body, Encoding, Message, Mode, Primitive, Transaction, Version};
use crate::element::{Delivery, FromClient, Time, ToClient};
use crate::imps::Address;
use crate::imps::common::ClientId;
use crate::imps::xml::Limits;

pub(super) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A session, and what came out of it.
pub(super) struct World {
    pub(super) session: Session,
    pub(super) now: Time,
    pub(super) posts: u64,
    pub(super) id: Option<String>,
    pub(super) version: Version,
    pub(super) said: Vec<FromClient>,
    /// How much of it is on disk.
    pub(super) settled: usize,
    pub(super) woken: Vec<String>,
    pub(super) kept: Vec<Record>,
    pub(super) reopened: Vec<Delivery>,
    pub(super) answers: Vec<(Vec<u64>, Option<Bytes>)>,
    pub(super) left: bool,
    pub(super) ended: bool,
}

pub(super) fn record() -> Record {
    let mut terms = Terms::new(Address::new("wv:alice@village.test"), Version::V1_2);
    terms.client = Some(ClientId {
        url: "phone".to_owned(),
        application: None,
    });
    Record {
        user: "alice".to_owned(),
        terms,
        cookie: Some("cookie".to_owned()),
        keep_alive: 600,
        begun: Time(1),
        address: HERE,
        wake: vec![Method::Tcp],
        udp_port: None,
        wake_token: None,
        transactions: 1,
        parser_size: None,
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(settings(), record())
    }

    pub(super) fn with(settings: Settings, record: Record) -> Self {
        let now = Time(1_700_000_000_000);
        Self {
            session: Session::new(Arc::new(settings), record, now),
            now,
            posts: 0,
            id: Some("s".to_owned()),
            version: Version::V1_2,
            said: Vec::new(),
            settled: 0,
            woken: Vec::new(),
            kept: Vec::new(),
            reopened: Vec::new(),
            answers: Vec::new(),
            left: false,
            ended: false,
        }
    }

    pub(super) fn drain(&mut self) {
        while let Some(effect) = self.session.next_effect() {
            match effect {
                Effect::Keep(record) => self.kept.push(*record),
                Effect::Say(said) => self.said.push(said),
                Effect::Settle => self.settled = self.said.len(),
                Effect::Reopen(delivery) => self.reopened.push(delivery),
                Effect::Answer { posts, body } => self.answers.push((posts, body)),
                Effect::Wake(line) => self.woken.push(line),
                Effect::Leave => self.left = true,
                Effect::End => self.ended = true,
            }
        }
    }

    /// Posts transactions, and takes what that is answered at once.
    pub(super) fn post_from(
        &mut self,
        transactions: Vec<Transaction>,
        address: IpAddr,
    ) -> Option<crate::csp::Session> {
        let session = crate::csp::Session::new(self.id.clone(), transactions);
        let mark = format!("{session:?}").bytes().fold(7, |mark: u64, byte| {
            mark.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let said = Said {
            session,
            version: self.version,
            encoding: Encoding::Xml,
            mark,
            address,
        };
        let post = self.posts;
        self.posts += 1;
        self.session.post(post, said, self.now);
        self.answer_to(post)
    }

    pub(super) fn post(&mut self, transactions: Vec<Transaction>) -> Option<crate::csp::Session> {
        self.post_from(transactions, HERE)
    }

    pub(super) fn answer_to(&mut self, post: u64) -> Option<crate::csp::Session> {
        self.drain();
        let at = self
            .answers
            .iter()
            .position(|(posts, _)| posts.contains(&post))?;
        let body = self.answers[at].1.clone()?;
        let message = Message::read(&body, Encoding::Xml, &Limits::STANDARD).unwrap();
        match message.body {
            Body::Session(session) => Some(session),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn ask(&mut self, id: &str, request: Primitive) -> Option<Primitive> {
        let answer = self.post(vec![Transaction::new(Mode::Request, id, request)])?;
        let first = answer.transactions.into_iter().next().unwrap();
        assert_eq!(first.id.as_deref(), Some(id));
        Some(first.primitive)
    }

    pub(super) fn poll(&mut self) -> Option<crate::csp::Session> {
        self.post(vec![Transaction {
            mode: Mode::Request,
            id: None,
            segment: None,
            primitive: Primitive::Polling(Box::new(PollingRequest {})),
        }])
    }

    /// The domain hands over a message.
    pub(super) fn message(&mut self, number: u64, id: &str) {
        let xml = format!(
            "<NewMessage><MessageInfo messageID=\"{id}\" contentType=\"text/plain\" \
             contentSize=\"2\"><Recipient><User userID=\"wv:alice@village.test\"/></Recipient>\
             <Sender><User userID=\"wv:bob@village.test\"/></Sender></MessageInfo>\
             <ContentData contentType=\"text/plain\">hi</ContentData></NewMessage>"
        );
        let told = serde_json::json!({"event": "take", "number": number, "primitive": xml});
        self.told(serde_json::from_value(told).unwrap());
    }

    pub(super) fn told(&mut self, told: ToClient) {
        self.session.told(told, self.now);
        self.drain();
    }

    pub(super) fn delivered(
        &mut self,
        transaction: &str,
        message: &str,
    ) -> Option<crate::csp::Session> {
        let message = message.to_owned();
        let delivered = Primitive::MessageDelivered(Box::new(MessageDelivered { message }));
        self.post(vec![Transaction::new(
            Mode::Response,
            transaction,
            delivered,
        )])
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus_seconds(seconds);
        self.session.timeout(self.now);
        self.drain();
    }

    pub(super) fn acknowledged(&self) -> Vec<u64> {
        let numbers = self.said.iter().filter_map(|said| match said {
            FromClient::Ack { number } => Some(*number),
            _ => None,
        });
        numbers.collect()
    }

    /// The ids of requests that the domain has been asked.
    pub(super) fn asked(&self) -> Vec<String> {
        let ids = self.said.iter().filter_map(|said| match said {
            FromClient::Request { id, .. } => Some(id.clone()),
            _ => None,
        });
        ids.collect()
    }
}
