mod bounds;
mod cards;
mod commands;
mod files;
mod groups;
mod inbound;
mod invitation;
mod loss;
mod manners;
mod messages;
mod pictures;
mod policies;
mod presence;
mod questions;
mod rooms;
mod rosters;
mod search;
mod trouble;
mod watching;

use super::numbers::Numbers;
use super::*;
use crate::element::{
    Act, Delivered, FromXmpp, Input, Outcome, RequestId, ServiceElement, ToXmpp, Token,
};
use crate::imps::Address;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::{self, Kind, Primitive};
use crate::imps::xml::{Limits, Texts, parse};
use crate::translate::stanza::{self, ns};
use crate::xmpp::link::Blame;

const VILLAGE: &str = "village.example";
const ALICE: &str = "wv:alice@home.example";
const BOB: &str = "wv:bob@village.example";

/// A gateway, the store behind it and the clock.
struct World {
    gateway: Gateway,
    store: BTreeMap<String, Vec<u8>>,
    now: Time,
    next: u64,
    /// Acts of the last input, without writes.
    acts: Vec<Act>,
    /// Stanzas of the last input.
    stanzas: Vec<ToXmpp>,
    settings: GatewaySettings,
}

/// What an operator may allow at most, so that the gateway's own bounds are reached.
const WIDE: Limits = Limits {
    texts: Texts::UNLIMITED,
    ..Limits::STANDARD
};

impl World {
    fn new() -> Self {
        Self::with(GatewaySettings::default())
    }

    fn with(settings: GatewaySettings) -> Self {
        Self {
            gateway: Self::gateway(&settings),
            store: BTreeMap::new(),
            now: Time(1_714_570_800_000),
            next: 1,
            acts: Vec::new(),
            stanzas: Vec::new(),
            settings,
        }
    }

    fn up(settings: GatewaySettings) -> Self {
        let mut world = Self::with(settings);
        world.link_up();
        world
    }

    /// A world whose server has been silent of what it grants, and grants nothing.
    fn settled(settings: GatewaySettings) -> Self {
        let mut world = Self::up(settings);
        world.pass(10_000);
        world
    }

    fn gateway(settings: &GatewaySettings) -> Gateway {
        let translator = Translator::new("home.example", &[VILLAGE]);
        Gateway::new(settings.clone(), Arc::new(translator), 7)
    }

    fn run(&mut self, input: impl FnOnce(&mut Gateway, Time)) {
        input(&mut self.gateway, self.now);
        self.acts.clear();
        self.stanzas.clear();
        while let Some(act) = self.gateway.next_act() {
            match act {
                Act::Write(write) => write.apply(&mut self.store),
                Act::Stanza(stanza) => self.stanzas.push(*stanza),
                act => self.acts.push(act),
            }
        }
    }

    fn take(&mut self, input: Input) {
        self.run(|gateway, now| gateway.take(input, now));
    }

    fn link(&mut self, from: FromXmpp) {
        self.take(Input::Xmpp(VILLAGE.to_owned(), from));
    }

    fn link_up(&mut self) {
        self.link(FromXmpp::Up);
    }

    fn link_down(&mut self) {
        self.link_ends(Blame::Nobody);
    }

    fn link_ends(&mut self, blame: Blame) {
        self.link(FromXmpp::Down(blame));
    }

    fn confirm(&mut self, mark: u64) {
        self.link(FromXmpp::Confirmed(mark));
    }

    /// Lets time pass; what is due in between happens at its time.
    fn pass(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        let (mut acts, mut stanzas) = (Vec::new(), Vec::new());
        while let Some(at) = self.gateway.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.run(Gateway::timeout);
            acts.append(&mut self.acts);
            stanzas.append(&mut self.stanzas);
        }
        self.now = end;
        self.acts = acts;
        self.stanzas = stanzas;
    }

    /// A new process on the same store, links down.
    fn restart(&mut self) {
        let mut gateway = Self::gateway(&self.settings);
        for (key, value) in &self.store {
            gateway.restore(key, value).unwrap();
        }
        self.gateway = gateway;
    }

    /// A stanza from XMPP.
    fn xmpp(&mut self, text: &str) {
        let open = text.find([' ', '>', '/']).unwrap();
        let text = format!(
            "{} xmlns='{}'{}",
            &text[..open],
            ns::DEFAULT_NS,
            &text[open..]
        );
        let stanza = stanza::parse(&text).unwrap();
        self.link(FromXmpp::Stanza(stanza));
    }

    /// A primitive from the SSP side, as text without `MetaInfo`.
    fn ssp(&mut self, user: Option<&str>, text: &str) -> RequestId {
        let primitive = Primitive::read(&parse(text.as_bytes(), &WIDE).unwrap());
        self.primitive(user, primitive.unwrap())
    }

    fn primitive(&mut self, user: Option<&str>, primitive: Primitive) -> RequestId {
        let id = RequestId(self.next);
        self.next += 1;
        let notice = primitive::facts(primitive.name()).is_some_and(|f| f.kind == Kind::Notice);
        let delivered = Delivered {
            id: (!notice).then_some(id),
            from_domain: VILLAGE.to_owned(),
            user: user.map(Address::new),
            primitive,
            expires: self.now.plus_seconds(60),
        };
        self.take(Input::Deliver(delivered));
        id
    }

    /// Answers the only request among the last acts.
    fn answer(&mut self, text: &str) {
        let token = match self.requests().as_slice() {
            [(token, _)] => *token,
            other => panic!("one request, not {other:?}"),
        };
        self.answer_to(token, text);
    }

    fn answer_to(&mut self, token: Token, text: &str) {
        let answer = Primitive::read(&parse(text.as_bytes(), &Limits::default()).unwrap()).unwrap();
        self.take(Input::Answer(token, answer));
    }

    /// A message was taken over on its way.
    fn take_over(&mut self, token: Token) {
        let known = "<SendMessageResponse messageID='m'><Status code='202'/></SendMessageResponse>";
        let known = Primitive::read(&parse(known.as_bytes(), &Limits::default()).unwrap()).unwrap();
        self.take(Input::TakenOver(token, known));
    }

    fn requests(&self) -> Vec<(Token, String)> {
        let requests = self.acts.iter().filter_map(|act| match act {
            Act::Request {
                token, primitive, ..
            }
            | Act::RequestAt {
                token, primitive, ..
            } => Some((*token, primitive.to_xml(None))),
            _ => None,
        });
        requests.collect()
    }

    /// Primitives sent, as text.
    fn sent(&self) -> Vec<String> {
        self.requests().into_iter().map(|(_, text)| text).collect()
    }

    /// The code of the answer to a request, if it was given.
    fn code(&self, id: RequestId) -> Option<u16> {
        self.acts.iter().find_map(|act| match act {
            Act::Respond { to, primitive } if *to == id => Some(match primitive {
                Primitive::Status(status) => status.code.0,
                Primitive::SendMessageResponse(response) => response.status.code.0,
                Primitive::GetPresenceResponse(response) => {
                    response.status.as_ref().unwrap().code.0
                }
                other => panic!("{other:?}"),
            }),
            _ => None,
        })
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let outcomes = self.acts.iter().filter_map(|act| match act {
            Act::Outcome { outcome, .. } => Some(*outcome),
            _ => None,
        });
        outcomes.collect()
    }

    /// Stanzas handed out, as text of clients.
    fn out(&self) -> Vec<String> {
        let texts = self.stanzas.iter().map(|out| {
            stanza::print(&out.stanza)
                .replace(" xmlns='jabber:component:accept'", "")
                .replace(" xmlns=\"jabber:component:accept\"", "")
                .replace("<priority>0</priority>", "")
                .replace('"', "'")
        });
        texts.collect()
    }

    fn marks(&self) -> Vec<u64> {
        self.stanzas.iter().filter_map(|out| out.mark).collect()
    }

    /// Keys of the records, without the counter.
    fn kept(&self) -> Vec<&str> {
        let keys = self.store.keys().map(String::as_str);
        keys.filter(|key| *key != Numbers::KEY).collect()
    }
}

fn meta(user: &str) -> MetaInfo {
    let user = Address::new(user);
    MetaInfo::of_user(user.domain(), user.clone())
}
