//! Who may speak for whom: every place of an address in every primitive, with an address that is
//! the sender's own, foreign, missing, doubled, without a domain, or nobody's.
//!
//! r.test stands between p.test, which speaks for itself alone, and q.test, where everything goes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use wvgate::imps::Primitive;
use wvgate::imps::primitive::{self, Kind, Place, Role, Routing};
use wvgate::imps::xml::Limits;
use wvgate::sap::PseTable;
use wvgate::sap::settings::Access;
use wvgate::sap::{Count, Peer, ServiceSet, SessionRecord, Settings, Time, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::{Transaction, print_session, scan};
use wvgate::store::Write;

use crate::support::alone::{Alone, quiet, transactions};

/// An element with addresses, made from the places where they stand.
#[derive(Clone, Default)]
struct Xml {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Xml>,
}

impl Xml {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Puts an attribute where `path` leads, making elements that are not there.
    fn put(&mut self, path: &[&str], attribute: &str, value: &str) {
        let Some((first, rest)) = path.split_first() else {
            self.attributes.retain(|(name, _)| name != attribute);
            return self
                .attributes
                .push((attribute.to_owned(), value.to_owned()));
        };
        let at = self.children.iter().rposition(|child| child.name == *first);
        let at = at.unwrap_or_else(|| {
            self.children.push(Self::new(first));
            self.children.len() - 1
        });
        self.children[at].put(rest, attribute, value);
    }

    /// The same as one more element beside those that are there.
    fn put_beside(&mut self, path: &[&str], attribute: &str, value: &str) {
        match path {
            [] => unreachable!("a primitive stands alone"),
            [last] => {
                let mut beside = Self::new(last);
                beside.put(&[], attribute, value);
                self.children.push(beside);
            }
            [first, rest @ ..] => {
                let child = self.children.iter_mut().find(|child| child.name == *first);
                child.unwrap().put_beside(rest, attribute, value);
            }
        }
    }

    /// Takes an attribute away.
    fn take(&mut self, path: &[&str], attribute: &str) {
        match path {
            [] => self.attributes.retain(|(name, _)| name != attribute),
            [first, rest @ ..] => {
                for child in self.children.iter_mut().filter(|c| c.name == *first) {
                    child.take(rest, attribute);
                }
            }
        }
    }

    fn print(&self) -> String {
        let mut out = format!("<{}", self.name);
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{value}\"");
        }
        out.push('>');
        for child in &self.children {
            out.push_str(&child.print());
        }
        let _ = write!(out, "</{}>", self.name);
        out
    }
}

/// What became of a primitive.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It was passed on, as this.
    On(Box<Transaction>),
    /// It was answered with this code.
    Answered(u16),
    /// It went nowhere. Whether it was counted as refused with 901.
    Dropped(bool),
    /// The post was refused.
    Malformed,
}

impl Fate {
    fn is_refused(&self) -> bool {
        matches!(self, Self::Answered(901) | Self::Dropped(true))
    }
}

fn relay() -> Alone {
    let mut asking = Peer::new("p.test", quiet());
    // Whose profile it is decides what else may be done with it.
    asking.profiles = Access::Write;
    let mut settings = Settings::new("r.test")
        .with_peer(asking)
        .with_peer(Peer::new("q.test", quiet()));
    let mut pse = PseTable::default();
    pse.add(ServiceSet::ALL, "p.test", "q.test");
    settings.pse = pse;
    let mut alone = Alone::new(settings);
    for peer in ["p.test", "q.test"] {
        let record = SessionRecord {
            peer: peer.to_owned(),
            own_id: format!("own-{peer}@r.test").into(),
            peer_id: format!("1@{peer}").into(),
            established: Time(1),
            ttl: Duration::from_secs(86_400),
            opened_by_us: false,
            own_ttl: Duration::ZERO,
            url: None,
            url_until: None,
            last_in: alone.now,
            last_out: alone.now,
            from: None,
        };
        let Write::Put { key, value, .. } = record.put() else {
            panic!("a record is put")
        };
        alone.disk.insert(key, value);
    }
    alone.restart();
    alone
}

/// What becomes of a primitive of p.test.
fn fate(xml: &str) -> Fate {
    let mut alone = relay();
    let body = print_session("x", "1@p.test", [(Mode::Request, "t1", xml)]);
    let body = bytes::Bytes::from(body);
    let Ok(message) = scan(&body, &Limits::default()) else {
        return Fate::Malformed;
    };
    let facts = wvgate::sap::Facts::default();
    let verdict = alone.sap.receive(&message, &facts, alone.now);
    assert_eq!(verdict, Verdict::Accepted, "{xml}");
    alone.drain();
    let mut answered = None;
    while !alone.posts.is_empty() {
        let post = alone.acknowledged_post();
        for transaction in transactions(&post) {
            if post.peer == "q.test" {
                return Fate::On(Box::new(transaction));
            }
            if transaction.mode == Mode::Response {
                let text = String::from_utf8(transaction.raw.to_vec()).unwrap();
                let code = text.split("code=\"").nth(1).unwrap_or("0");
                answered = code.split('"').next().unwrap().parse().ok();
            }
        }
    }
    let refused = alone.counts.contains(&Count::Refused(901));
    answered.map_or(Fate::Dropped(refused), Fate::Answered)
}

/// Pat of p.test, Bob of q.test, Eve of a third domain; each at such a place.
fn somebody(place: &Place, user: &str, domain: &str) -> String {
    match place.attribute {
        "serviceID" | "pse" => format!("wv:@{domain}"),
        "groupID" => format!("wv:{user}/room@{domain}"),
        "contactListID" => format!("wv:{user}/friends@{domain}"),
        _ => format!("wv:{user}@{domain}"),
    }
}

/// Where the recipient of a primitive stands.
const TO: [&str; 8] = [
    "MessageInfo/Recipient/User@userID",
    "Invited/User@userID",
    "Canceled/User@userID",
    "IDList/UserID@userID",
    "Inviting/User@userID",
    "User@userID",
    "UserID@userID",
    "VerUserID@userID",
];

/// The least that makes a primitive of Pat go on to q.test.
fn least(name: &str) -> Xml {
    let facts = primitive::facts(name).unwrap();
    let mut xml = Xml::new(name);
    let places = primitive::places(name);
    let has = |text: &str| places.iter().find(|place| place.to_string() == text);
    for (text, value) in [
        ("MetaInfo/Requestor@serviceID", "wv:@p.test"),
        ("MetaInfo/Requestor/User@userID", "wv:pat@p.test"),
    ] {
        if let Some(place) = has(text) {
            xml.put(&place.path, place.attribute, value);
        }
    }
    let to = match facts.routing {
        Routing::Recipients => TO
            .iter()
            .find_map(|text| has(text).filter(|place| place.role == Role::Named)),
        Routing::Group => has("@groupID"),
        Routing::Subject => has("@userID"),
        _ => None,
    };
    if let Some(to) = to {
        xml.put(&to.path, to.attribute, &somebody(to, "bob", "q.test"));
    }
    if name == "DeliveryStatusReport" {
        xml.put(&["MessageInfo"], "messageID", "m1");
        xml.put(
            &["MessageInfo", "Sender", "User"],
            "userID",
            "wv:pat@p.test",
        );
    }
    xml
}

/// Whether this kind of primitive is passed on.
fn goes_on(name: &str) -> bool {
    let facts = primitive::facts(name).unwrap();
    let is_asked = matches!(facts.kind, Kind::Request | Kind::Notice);
    (is_asked || name == "MessageDelivered")
        && !matches!(facts.routing, Routing::Hop | Routing::Service)
}

/// All places of requests and notices whose addresses must be the sender's.
fn speaking() -> Vec<(&'static str, &'static Place)> {
    let of = |name: &&'static str| {
        let name = *name;
        primitive::speaking(name).map(move |place| (name, place))
    };
    Primitive::NAMES.iter().flat_map(of).collect()
}

#[test]
fn every_place_of_an_address_in_every_primitive_has_a_role() {
    let mut table = String::new();
    for name in Primitive::NAMES {
        for place in primitive::places(name) {
            let role = format!("{:?}", place.role).to_lowercase();
            let _ = writeln!(table, "{name} {place} {role}");
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/places.txt");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    if kept != table {
        let new = std::env::temp_dir().join("wvgate-places.txt");
        std::fs::write(&new, &table).unwrap();
        panic!(
            "the places of addresses have changed: compare {path} with {}",
            new.display()
        );
    }
    let answers = primitive::facts("GetPresenceResponse").unwrap();
    assert_eq!(answers.kind, Kind::Response);
    assert_eq!(primitive::speaking("GetPresenceResponse").count(), 0);
    assert!(speaking().len() > 150, "{}", speaking().len());
}

#[test]
fn the_least_of_every_primitive_goes_on() {
    for name in Primitive::NAMES.iter().filter(|name| goes_on(name)) {
        let fate = fate(&least(name).print());
        assert!(matches!(fate, Fate::On(_)), "{name}: {fate:?}");
    }
}

#[test]
fn an_own_address_may_stand_in_every_place() {
    for (name, place) in speaking() {
        let mut xml = least(name);
        let own = somebody(place, "pat", "p.test");
        xml.put(&place.path, place.attribute, &own);
        let fate = fate(&xml.print());
        assert!(!fate.is_refused(), "{name} {place}: {fate:?}");
        assert!(
            !goes_on(name) || matches!(fate, Fate::On(_)),
            "{name} {place}: {fate:?}"
        );
    }
}

#[test]
fn a_foreign_address_that_speaks_is_refused_with_901_and_a_notice_dropped() {
    let mut refused = BTreeMap::new();
    for (name, place) in speaking() {
        // Of a third domain, of the one addressed, of the relay itself.
        for domain in ["victim.test", "q.test", "r.test", "p.test.evil.test"] {
            // A participant may write to its group.
            if place.role == Role::Participates && domain == "q.test" {
                continue;
            }
            let mut xml = least(name);
            xml.put(
                &place.path,
                place.attribute,
                &somebody(place, "eve", domain),
            );
            let fate = fate(&xml.print());
            let notice = primitive::facts(name).unwrap().kind == Kind::Notice;
            let right = if notice {
                Fate::Dropped(true)
            } else {
                Fate::Answered(901)
            };
            assert_eq!(fate, right, "{name} {place} {domain}");
            *refused.entry(notice).or_insert(0) += 1;
        }
    }
    assert!(refused[&false] > 400 && refused[&true] > 50, "{refused:?}");
}

#[test]
fn a_foreign_address_that_is_only_named_goes_on() {
    for name in Primitive::NAMES.iter().filter(|name| goes_on(name)) {
        for place in primitive::places(name)
            .iter()
            .filter(|place| place.role == Role::Named)
        {
            let mut xml = least(name);
            xml.put(
                &place.path,
                place.attribute,
                &somebody(place, "eve", "victim.test"),
            );
            let fate = fate(&xml.print());
            assert!(!fate.is_refused(), "{name} {place}: {fate:?}");
        }
    }
}

/// Whether the last element of `path` may stand there once.
fn stands_once(name: &str, path: &[&str]) -> bool {
    let mut shape = primitive::facts(name).unwrap().shape;
    let mut once = false;
    for element in path {
        let mut parts = shape.parts();
        let found = parts.find_map(|part| {
            let mut known = part.elements.iter();
            known
                .find(|known| known.names.contains(element))
                .map(|known| (part.once, known.shape))
        });
        (once, shape) = found.unwrap();
    }
    once
}

#[test]
fn a_foreign_address_beside_an_own_one_never_goes_on() {
    let mut seen = [0, 0];
    for (name, place) in speaking() {
        if place.path.is_empty() {
            continue;
        }
        let own = somebody(place, "pat", "p.test");
        let foreign = somebody(place, "eve", "victim.test");
        let once = stands_once(name, &place.path);
        seen[usize::from(once)] += 1;
        let right = if once {
            Fate::Malformed
        } else if primitive::facts(name).unwrap().kind == Kind::Notice {
            Fate::Dropped(true)
        } else {
            Fate::Answered(901)
        };
        for both in [[&own, &foreign], [&foreign, &own]] {
            let mut xml = least(name);
            xml.put(&place.path, place.attribute, both[0]);
            xml.put_beside(&place.path, place.attribute, both[1]);
            let fate = fate(&xml.print());
            assert_eq!(fate, right, "{name} {place} {both:?}");
        }
    }
    assert!(seen[0] > 3 && seen[1] > 150, "{seen:?}");
}

#[test]
fn what_is_missing_speaks_for_nobody() {
    for (name, place) in speaking() {
        let mut xml = least(name);
        xml.take(&place.path, place.attribute);
        let fate = fate(&xml.print());
        let sender_of_report =
            name == "DeliveryStatusReport" && place.path == ["MessageInfo", "Sender", "User"];
        assert_eq!(
            fate.is_refused(),
            sender_of_report,
            "{name} {place}: {fate:?}"
        );
    }
}

#[test]
fn an_address_without_domain_is_completed_with_the_peers_own() {
    for (name, place) in speaking() {
        let own = somebody(place, "pat", "p.test");
        let bare = own.rsplit_once('@').unwrap().0;
        for bare in [bare.to_owned(), format!("{bare}@")] {
            let mut xml = least(name);
            xml.put(&place.path, place.attribute, &bare);
            let got = fate(&xml.print());
            assert!(!got.is_refused(), "{name} {place} {bare}: {got:?}");
            if let Fate::On(transaction) = got {
                let here = |claim: &&wvgate::ssp::envelope::Claim| claim.place == place;
                let claim = transaction.peek.claims.iter().find(here).unwrap();
                assert_eq!(claim.address.as_str(), own, "{name} {place} {bare}");
            }
        }
        // A server is its domain; but nobody is a user without a name.
        for nobody in ["wv:", "", "wv:@", "@", "wv:pat@@"] {
            if place.attribute == "serviceID" {
                continue;
            }
            let mut xml = least(name);
            xml.put(&place.path, place.attribute, nobody);
            let fate = fate(&xml.print());
            assert!(fate.is_refused(), "{name} {place} {nobody:?}: {fate:?}");
        }
    }
}

#[test]
fn a_foreign_user_is_refused_whoever_is_said_to_have_originated_it() {
    for (name, place) in speaking() {
        if place.to_string() != "MetaInfo/Requestor/User@userID" {
            continue;
        }
        for word in ["Yes", "No", "no", "perhaps", ""] {
            let mut xml = least(name);
            xml.put(&["MetaInfo"], "clientOriginated", word);
            let own = fate(&xml.print());
            assert!(!own.is_refused(), "{name} {word:?}: {own:?}");
            xml.put(&place.path, place.attribute, "wv:eve@victim.test");
            let fate = fate(&xml.print());
            assert!(fate.is_refused(), "{name} {word:?}: {fate:?}");
        }
    }
}

#[test]
fn a_participant_speaks_to_its_group_and_to_nobody_else() {
    let room = "wv:q/room@q.test";
    let message = |to: &str, by: &str| {
        format!(
            "<SendMessageRequest><MetaInfo{by}><Requestor serviceID=\"wv:@p.test\"><User userID=\"wv:pat@p.test\"/></Requestor></MetaInfo><MessageInfo messageID=\"m1\"><Recipient>{to}</Recipient><Sender><ScreenName groupID=\"{room}\">Pat</ScreenName></Sender></MessageInfo></SendMessageRequest>"
        )
    };
    let group = format!("<GroupID groupID=\"{room}\"/>");
    assert!(matches!(fate(&message(&group, "")), Fate::On(_)));
    let server = " clientOriginated=\"No\"";
    assert_eq!(fate(&message(&group, server)), Fate::Answered(901));
    for other in [
        "<User userID=\"wv:bob@r.test\"/>".to_owned(),
        format!("{group}</Recipient><Recipient><User userID=\"wv:bob@r.test\"/>"),
    ] {
        assert_eq!(fate(&message(&other, "")), Fate::Answered(901), "{other}");
    }
}
