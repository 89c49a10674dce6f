//! The core of a home domain on messages between two of its users who are there, in a pretend world:
//! no sockets, no disk, no clock.
//!
//! A client sends, the other user's client is told and acknowledges, one message after the other.
//! Instructions for one message: `valgrind --tool=callgrind target/release/deps/home-… talk 2048`,
//! less those of `talk 1024`. `home-… show` prints what is written for one message.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;

use wvgate::element::{ClientKey, Delivery, Edge, FromClient, Input, Takes, Time, ToClient};
use wvgate::home::{Home, HomeSettings};
use wvgate::node::Core;
use wvgate::node::core::Turn;
use wvgate::sap::{Random, Route, Sap, Settings};
use wvgate::ssp::envelope;
use wvgate::store::Write;

const DOMAIN: &str = "home.example";
const FROM: ClientKey = ClientKey(1);
const TO: ClientKey = ClientKey(2);

/// A node with two users.
struct World {
    core: Core,
    now: Time,
    /// Of the last message.
    writes: Vec<Vec<Write>>,
}

impl World {
    fn new() -> Self {
        let settings =
            Settings::new(DOMAIN).with_route(DOMAIN, Route::Local(wvgate::home::ELEMENT));
        let sap = Sap::new(Arc::new(settings), Random::repeatable(7));
        let home = Home::new(HomeSettings::new(DOMAIN), 7);
        let now = Time(1_700_000_000_000);
        let mut world = Self {
            core: Core::new(sap, vec![Box::new(home)]),
            now,
            writes: Vec::new(),
        };
        world.core.start(now, &mut Turn::default());
        for (name, client) in [("alice", FROM), ("bob", TO)] {
            let add = |home: &mut Home| home.add_user(name, "a hash".to_owned(), now);
            let mut turn = Turn::default();
            world.core.administer(now, &mut turn, add).unwrap().unwrap();
            world.tell(
                client,
                FromClient::Open {
                    user: name.to_owned(),
                    takes: Takes::Everything,
                    delivery: Delivery::default(),
                },
            );
        }
        world
    }

    fn tell(&mut self, client: ClientKey, said: FromClient) -> Turn {
        self.now = self.now.plus_millis(1);
        let mut turn = Turn::default();
        let input = Input::Client(client, said);
        self.core.take(Edge::Clients, input, self.now, &mut turn);
        self.core.settle(self.now, &mut turn);
        turn
    }

    /// One message, until its sender has the answer and its recipient has acknowledged it.
    fn talk(&mut self, number: usize) {
        self.writes.clear();
        let text = format!(
            r#"<SendMessageRequest deliveryReport="No"><MetaInfo clientOriginated="Yes"><Requestor serviceID="wv:@{DOMAIN}"><User userID="wv:alice@{DOMAIN}"/></Requestor></MetaInfo><MessageInfo messageID="m-{number:08}" contentType="text/plain" contentSize="24"><Recipient><User userID="wv:bob@{DOMAIN}"/></Recipient><Sender><User userID="wv:alice@{DOMAIN}"/></Sender></MessageInfo><ContentData contentType="text/plain">This is what one says...</ContentData></SendMessageRequest>"#
        );
        let primitive = Box::new(envelope::decode_fragment(text.as_bytes()).unwrap());
        let id = format!("r{number}");
        let turn = self.tell(FROM, FromClient::Request { id, primitive });
        let mut take = None;
        let mut is_answered = false;
        for (client, told) in &turn.events {
            match told {
                ToClient::Take { number, .. } if *client == TO => take = Some(*number),
                ToClient::Answer { .. } if *client == FROM => is_answered = true,
                _ => {}
            }
        }
        self.writes.push(turn.writes);
        let number = take.unwrap_or_else(|| panic!("message {number} was not told"));
        let turn = self.tell(TO, FromClient::Ack { number });
        is_answered |= turn
            .events
            .iter()
            .any(|(client, told)| *client == FROM && matches!(told, ToClient::Answer { .. }));
        assert!(is_answered, "message {number} was not answered");
        self.writes.push(black_box(turn).writes);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let messages = arguments.get(2).and_then(|text| text.parse().ok());
    let mut world = World::new();
    for number in 0..messages.unwrap_or(100) {
        world.talk(number);
    }
    if arguments.get(1).is_some_and(|what| what == "show") {
        for (at, writes) in world.writes.iter().enumerate() {
            println!("turn {at}");
            for write in writes {
                match write {
                    Write::Put { key, value, .. } => {
                        println!(
                            "  put {key}: {} bytes {}",
                            value.len(),
                            String::from_utf8_lossy(value)
                        );
                    }
                    Write::Delete { key } => println!("  delete {key}"),
                }
            }
        }
    }
}
