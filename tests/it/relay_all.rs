//! Every request primitive crosses two intermediate domains in both directions,
//! and its result comes back the way the request went, past nobody else.
//!
//! ```text
//! home.example — one.test — two.test — village.example
//!                    \
//!                     aside.test      (where everything unknown would go)
//! ```

use std::collections::BTreeSet;

use bytes::Bytes;
use wvgate::imps::common::{ContentData, MessageInfo, MetaInfo, Recipient, Sender, User};
use wvgate::imps::primitive::message::SendMessageRequest;
use wvgate::imps::primitive::message_store::MessageDelivered;
use wvgate::imps::primitive::{self, Kind, Routing};
use wvgate::imps::xml::Limits;
use wvgate::imps::{Address, Code, Primitive};
use wvgate::sap::PseTable;
use wvgate::sap::{Route, ServiceSet, Settings};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::scan;

use crate::codec_fixtures::{fixtures, transactions};
use crate::support::samples::{HOME, VILLAGE, answers, origin, samples};
use crate::support::split;
use crate::support::world::{Hop, World, peer, set};

const WAY: [&str; 4] = [HOME, "one.test", "two.test", VILLAGE];

fn chain() -> World {
    // Each home domain's users have their contact lists, messages, ... at the other.
    let mut pse = PseTable::default();
    pse.add(ServiceSet::ALL, HOME, VILLAGE);
    pse.add(ServiceSet::ALL, VILLAGE, HOME);
    // Others ask about their presence at home.
    let presence = set(&["SUBPR", "GETPR"]);
    pse.add(presence, HOME, HOME);
    pse.add(presence, VILLAGE, VILLAGE);
    let end = |own: &str, next: &str, other: &str| {
        let mut settings = Settings::new(own)
            .with_peer(peer(next, &[other]))
            .with_route(own, Route::Local(wvgate::home::ELEMENT))
            .with_route("*", Route::Peer(next.into()));
        // At home one asks the PSE; the PSE of the other's users is here.
        settings.pse.add(ServiceSet::ALL, own, other);
        settings.pse.add(presence, own, own);
        settings
    };
    let mut one = Settings::new("one.test")
        .with_peer(peer(HOME, &[]))
        .with_peer(peer("two.test", &[VILLAGE]))
        .with_peer(peer("aside.test", &[]))
        .with_route(VILLAGE, Route::Peer("two.test".into()))
        .with_route("*", Route::Peer("aside.test".into()));
    let mut two = Settings::new("two.test")
        .with_peer(peer("one.test", &[HOME]))
        .with_peer(peer(VILLAGE, &[]))
        .with_route(HOME, Route::Peer("one.test".into()));
    one.pse = pse.clone();
    two.pse = pse;
    let aside = Settings::new("aside.test").with_peer(peer("one.test", &[HOME, VILLAGE]));
    World::new([
        end(HOME, "one.test", VILLAGE),
        end(VILLAGE, "two.test", HOME),
        one,
        two,
        aside,
    ])
}

/// The hops between the two ends, in this direction.
fn way(from: &str) -> Vec<(String, String)> {
    let mut way = WAY.to_vec();
    if from == VILLAGE {
        way.reverse();
    }
    let hops = way.windows(2);
    hops.map(|hop| (hop[0].to_owned(), hop[1].to_owned()))
        .collect()
}

fn seen(hops: &[Hop], mode: Mode, name: &str) -> Vec<(String, String)> {
    let hops = hops
        .iter()
        .filter(|hop| hop.mode == mode && hop.name == name);
    hops.map(|hop| (hop.from.clone(), hop.to.clone())).collect()
}

fn other(domain: &str) -> &'static str {
    if domain == HOME { VILLAGE } else { HOME }
}

/// Sends every sample of a request, and gives the names of those that crossed.
fn cross(exchanged: bool) -> BTreeSet<String> {
    let samples = samples(exchanged);
    let answers = answers(&samples);
    let mut world = chain();
    let mut crossed = BTreeSet::new();
    for sample in &samples {
        let name = sample.name();
        if !sample.is_request() {
            continue;
        }
        let to = other(&sample.from);
        let answer = answers.get(name).cloned();
        let answer = answer.unwrap_or(Primitive::status(Code::OK));
        world.node(to).answer = Some(answer.clone());
        world.node(to).delivered.clear();
        world.hops.clear();
        let got = world.ask(&sample.from, &sample.primitive);
        let file = &sample.file;
        let delivered = &world.node(to).delivered;
        assert_eq!(delivered.len(), 1, "{file}: {got:?}");
        assert_eq!(delivered[0].primitive, sample.primitive, "{file}");
        assert_eq!(delivered[0].from_domain, sample.from, "{file}");
        assert_eq!(got, answer, "{file}");
        let hops = &world.hops;
        assert_eq!(seen(hops, Mode::Request, name), way(&sample.from), "{file}");
        assert_eq!(seen(hops, Mode::Response, answer.name()), way(to), "{file}");
        let aside = |hop: &&Hop| hop.to == "aside.test";
        assert!(!hops.iter().any(|hop| aside(&hop)), "{file}");
        crossed.insert(name.to_owned());
    }
    for domain in WAY {
        let table = world.node(domain).sap.transactions();
        let all = table.newest(usize::MAX);
        let open = all.iter().filter(|(_, record)| !record.parts.is_empty());
        assert_eq!(open.count(), 0, "{domain}");
    }
    crossed
}

/// A report is about a message: it is sent before, from `domain`.
fn sends_before(world: &mut World, domain: &str, notice: &Primitive) {
    let Primitive::DeliveryStatusReport(report) = notice else {
        return;
    };
    let user = |address: &Address| User::new(address.clone());
    let sender = report.info.recipients[0].address();
    let recipient = report.info.sender.as_ref().unwrap().user.clone().unwrap();
    let message = SendMessageRequest {
        delivery_report: true,
        meta: Some(MetaInfo::of_user(sender.domain(), sender.clone())),
        info: MessageInfo {
            recipients: vec![Recipient::User(recipient)],
            sender: Some(Sender::user(user(sender))),
            ..report.info.clone()
        },
        content: Some(ContentData::text("hi")),
    };
    world.request(domain, &message.into());
    world.run(30_000);
}

/// All requests that are passed on, by name.
fn passed_on() -> BTreeSet<String> {
    let facts = Primitive::NAMES
        .iter()
        .filter_map(|name| primitive::facts(name));
    facts
        .filter(|facts| facts.kind == Kind::Request && facts.routing != Routing::Hop)
        .map(|facts| facts.name.to_owned())
        // The SAP of the domain asked about answers this one itself.
        .filter(|name| name != "GetServiceRequest")
        .collect()
}

#[test]
fn every_request_crosses_two_intermediate_domains_and_its_result_comes_back_the_same_way() {
    assert_eq!(cross(false), passed_on());
}

#[test]
fn every_request_crosses_in_the_opposite_direction_too() {
    assert_eq!(cross(true), passed_on());
}

#[test]
fn that_a_message_was_delivered_crosses_as_a_request_too() {
    let mut world = chain();
    world.node(VILLAGE).answer = Some(Primitive::status(Code::OK));
    let alice = Address::new("wv:alice@home.example");
    let delivered = Primitive::from(MessageDelivered {
        message_id: "0x0000f133".to_owned(),
        meta: Some(MetaInfo::of_user(HOME, alice.clone())),
    });
    assert_eq!(world.ask(HOME, &delivered), Primitive::status(Code::OK));
    let seen_at = seen(&world.hops, Mode::Request, "MessageDelivered");
    assert_eq!(seen_at, way(HOME));
    let at = &world.node(VILLAGE).delivered[..];
    assert_eq!(at.len(), 1);
    assert_eq!((&at[0].primitive, &at[0].user), (&delivered, &Some(alice)));
}

#[test]
fn every_notice_crosses_in_both_directions() {
    for exchanged in [false, true] {
        let mut world = chain();
        let mut crossed = BTreeSet::new();
        for sample in samples(exchanged) {
            let (name, from) = (sample.name(), &sample.from);
            if !sample.is_notice() {
                continue;
            }
            let to = other(from);
            sends_before(&mut world, to, &sample.primitive);
            world.node(to).delivered.clear();
            world.hops.clear();
            world.request(from, &sample.primitive);
            world.run(30_000);
            let delivered = &world.node(to).delivered;
            assert_eq!(delivered.len(), 1, "{}", sample.file);
            assert_eq!(delivered[0].primitive, sample.primitive, "{}", sample.file);
            let hops = seen(&world.hops, Mode::Request, name);
            assert_eq!(hops, way(from), "{}", sample.file);
            crossed.insert(name.to_owned());
        }
        assert_eq!(crossed, NOTICES.map(str::to_owned).into());
    }
}

/// The chain whose services are split between the domains behind it, and what crossed it: the
/// names of requests and notices, each seen at its provider only.
fn cross_split(exchanged: bool) -> BTreeSet<String> {
    let samples = split::samples(exchanged);
    let answers = answers(&samples);
    let domains = split::ENDS.into_iter().chain(split::RELAYS);
    let aside = Settings::new(split::ASIDE).with_peer(peer(split::ONE, &[HOME, VILLAGE]));
    let mut world = World::new(domains.map(split::settings).chain([aside]));
    let mut crossed = BTreeSet::new();
    for sample in samples.iter().filter(|s| s.is_request() || s.is_notice()) {
        let (file, name) = (&sample.file, sample.name());
        let (from, to) = (split::sender(sample), split::provider(sample));
        let answer = answers.get(name).cloned();
        let answer = answer.unwrap_or(Primitive::status(Code::OK));
        for end in split::ENDS {
            world.node(end).answer = None;
        }
        world.node(&to).answer = Some(answer.clone());
        sends_before(&mut world, &to, &sample.primitive);
        for end in split::ENDS {
            world.node(end).delivered.clear();
        }
        world.hops.clear();
        if sample.is_request() {
            assert_eq!(world.ask(from, &sample.primitive), answer, "{file}");
        } else {
            world.request(from, &sample.primitive);
            world.run(30_000);
        }
        for end in split::ENDS {
            let delivered = world.node(end).delivered.iter();
            let primitives: Vec<_> = delivered.map(|d| d.primitive.clone()).collect();
            let wanted = (end == to).then(|| sample.primitive.clone());
            assert_eq!(primitives, Vec::from_iter(wanted), "{file} at {end}");
        }
        let there = split::way(from, &to);
        assert_eq!(seen(&world.hops, Mode::Request, name), there, "{file}");
        if sample.is_request() {
            let back = seen(&world.hops, Mode::Response, answer.name());
            assert_eq!(back, split::way(&to, from), "{file}");
        }
        let strayed = world.hops.iter().any(|hop| hop.to == split::ASIDE);
        assert!(!strayed, "{file}");
        if from != to {
            crossed.insert(name.to_owned());
        }
    }
    crossed
}

const NOTICES: [&str; 5] = [
    "DeliveryStatusReport",
    "GroupChangeNotice",
    "InviteResponse",
    "LeaveGroupIndication",
    "PresenceNotification",
];

#[test]
fn with_services_split_between_domains_each_request_finds_its_provider_and_its_result_the_way_back()
{
    let all: BTreeSet<String> = passed_on()
        .into_iter()
        .chain(NOTICES.map(str::to_owned))
        .collect();
    assert_eq!(cross_split(false), all);
    // In the opposite direction what the village provides to its own users stays there.
    let stays = [
        "BlockEntityRequest",
        "ForwardMessageRequest",
        "GetBlockedListRequest",
        "GetMessageListRequest",
        "GetMessageRequest",
        "RejectMessageRequest",
        "SetDeliveryMethodRequest",
    ];
    let crossed = cross_split(true);
    let stayed: Vec<&String> = all.difference(&crossed).collect();
    assert_eq!(stayed, stays);
}

#[test]
fn discovery_crosses_and_is_answered_by_the_domain_asked_about() {
    let mut world = chain();
    let request = samples(false)
        .into_iter()
        .find(|sample| sample.primitive.name() == "GetServiceRequest")
        .unwrap();
    let answer = world.ask(HOME, &request.primitive);
    let Primitive::GetServiceResponse(response) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(response.service, Some(Address::service(VILLAGE)));
    let tree = &response.trees[0];
    assert_eq!(tree.service, Address::service(VILLAGE));
    let functions = ServiceSet::of_features(tree.features.as_ref().unwrap());
    assert!(functions.includes(ServiceSet::named("SENDM").unwrap()));
    assert!(!functions.includes(ServiceSet::named("REDIR").unwrap()));
}

/// The first sample of a request, changed, as it arrives at the other end.
fn changed(file: &str, change: impl Fn(&str) -> String) -> (Primitive, Primitive) {
    let path = fixtures("profile")
        .into_iter()
        .find(|path| path.to_string_lossy().contains(file))
        .unwrap();
    let text = change(&std::fs::read_to_string(path).unwrap());
    let message = scan(&Bytes::from(text), &Limits::default()).unwrap();
    let (_, parts) = transactions(&message);
    let primitive = parts[0].primitive().unwrap();
    let from = origin(parts[0]);
    let mut world = chain();
    world.request(&from, &primitive);
    world.run(1000);
    let mut delivered = std::mem::take(&mut world.node(other(&from)).delivered);
    (primitive, delivered.remove(0).primitive)
}

#[test]
fn content_of_any_type_and_any_letters_cross_unchanged() {
    let glyphs: String = ('\u{a0}'..='\u{ff}').collect();
    for content_type in [
        "application/vnd.wap.mms-message",
        "application/vnd.3gpp.sms",
        "text/x-vCard; charset=utf-8",
        "text/x-vCalendar",
        "image/png",
        "application/x-nobody-knows",
    ] {
        let (sent, arrived) = changed("021-SendMessageRequest", |text| {
            let (head, rest) = text.split_once("<ContentData").unwrap();
            let (_, tail) = rest.split_once("</ContentData>").unwrap();
            format!(
                r#"{head}<ContentData contentType="{content_type}">{glyphs} Ω 文 &amp; 🙂</ContentData>{tail}"#
            )
        });
        assert_eq!(arrived, sent, "{content_type}");
        let Primitive::SendMessageRequest(message) = arrived else {
            panic!("{arrived:?}");
        };
        let content = message.content.unwrap();
        assert_eq!(content.content_type, content_type);
        let text = String::from_utf8(content.bytes).unwrap();
        assert!(text.contains(&glyphs[2..]), "{text}");
    }
}

#[test]
fn presence_attributes_nobody_knows_cross_unchanged() {
    let (sent, arrived) = changed("017-PresenceNotification", |text| {
        text.replacen(
            "<UserAvailability>",
            "<ShoeSize><Qualifier>T</Qualifier><PresenceValue>45</PresenceValue></ShoeSize>\
             <UserAvailability>",
            1,
        )
    });
    assert_eq!(arrived, sent);
    assert!(arrived.to_xml(None).contains("<ShoeSize>"));
}

#[test]
fn a_message_to_several_users_of_a_domain_crosses_as_one() {
    let (sent, arrived) = changed("020-SendMessageRequest", |text| {
        let (head, rest) = text.split_once("<Recipient>").unwrap();
        let (bob, tail) = rest.split_once("</Recipient>").unwrap();
        let carol = bob.replace("bob", "carol");
        format!("{head}<Recipient>{bob}</Recipient><Recipient>{carol}</Recipient>{tail}")
    });
    assert_eq!(arrived, sent);
    let Primitive::SendMessageRequest(message) = arrived else {
        panic!("{arrived:?}");
    };
    assert_eq!(message.info.recipients.len(), 2);
}
