//! Properties of the codec over mutated fixtures and generated values. The
//! mutations are deterministic, so a failure repeats; the same properties run
//! under libFuzzer in `tests/fuzz`.

use bytes::Bytes;
use proptest::prelude::*;
use quick_xml::events::Event;
use wvgate::ssp::common::{
    ContentData, GroupId, MessageInfo, MetaInfo, PresenceValue, Recipient, ScreenName, Sender,
    User, UserId, VerUserId,
};
use wvgate::ssp::datetime::DateTime;
use wvgate::ssp::envelope::{Transaction, decode_fragment, scan};
use wvgate::ssp::presence::{Attribute, AttributeName, Item, PresenceSubList};
use wvgate::ssp::primitive::{Facts, facts, message, presence, session};
use wvgate::ssp::xml::{self, Limits, Malformed, Node};
use wvgate::ssp::{Address, Code, Mode, Primitive, Status, check};

use super::codec_captures::emitted;
use super::codec_fixtures::{fixtures, transactions};

/// A small generator of numbers: xorshift.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % sides.max(1)
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let samples = fixtures("profile")
        .into_iter()
        .map(|path| std::fs::read(path).unwrap());
    samples
        .chain(emitted().into_values().map(|(_, body)| body.to_vec()))
        .collect()
}

/// Pieces that matter to a reader of XML.
const PIECES: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "\"",
    "'",
    "=",
    "&",
    ";",
    "&amp;",
    "&#38;",
    "&#0;",
    "&#x1F;",
    "&eacute;",
    "&#xFFFE;",
    "]]>",
    "<![CDATA[",
    "<![CDATA[ x ]]>",
    "<!--",
    "-->",
    "<!-- x -->",
    "<?x y?>",
    "<?xml version='1.0'?>",
    "<!DOCTYPE a>",
    "<!DOCTYPE a [",
    " a='1' a='2'",
    " x:a='1'",
    "x:",
    "xmlns:x='y' ",
    "\u{1}",
    "\u{fffe}",
    "\u{feff}",
    "é",
    "\u{2028}",
    "\r\n",
    "\t",
    " ",
    "-",
    ":",
    "1",
    "<User userID='a@b'/>",
    "<Canceled/>",
    "<a>",
    "</a>",
];

fn mutated(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[dice.roll(seeds.len())].clone();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(data.len() + 1);
        match dice.roll(7) {
            0 => drop(data.splice(at..at, PIECES[dice.roll(PIECES.len())].bytes())),
            1 => drop(data.drain(at..(at + dice.roll(9)).min(data.len()))),
            2 if at < data.len() => data[at] = u8::try_from(dice.roll(256)).unwrap(),
            3 => data.truncate(at),
            4 => {
                let copy = data[at..(at + dice.roll(80)).min(data.len())].to_vec();
                drop(data.splice(at..at, copy));
            }
            5 => {
                let other = &seeds[dice.roll(seeds.len())];
                let from = dice.roll(other.len());
                let part = other[from..(from + dice.roll(200)).min(other.len())].to_vec();
                drop(data.splice(at..at, part));
            }
            _ => {
                // Between two tags, where a mutation has a chance to be accepted.
                let tags: Vec<usize> = (0..data.len()).filter(|i| data[*i] == b'<').collect();
                if let Some(tag) = tags.get(dice.roll(tags.len())) {
                    let piece = PIECES[dice.roll(PIECES.len())];
                    drop(data.splice(tag..tag, piece.bytes()));
                }
            }
        }
    }
    data
}

pub fn families() -> Vec<&'static str> {
    let mut families: Vec<_> = Primitive::NAMES
        .iter()
        .filter_map(|name| facts(name))
        .map(|facts: &Facts| facts.family)
        .collect();
    families.sort_unstable();
    families.dedup();
    families
}

/// What the fuzz target `target` starts from.
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    fixtures(&format!("../fuzz/corpus/{target}"))
        .into_iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

#[test]
fn every_property_holds_for_the_fixtures() {
    for seed in seeds().iter().chain(&corpus("")) {
        check::envelope(seed);
        check::repair(seed);
        for family in families() {
            check::family(seed, family);
        }
    }
}

#[test]
fn family_properties_hold_for_mutated_bytes() {
    let mut dice = Dice(0x57_5647_4154_4536);
    for family in families() {
        let seeds = corpus(family);
        for _ in 0..400 {
            check::family(&mutated(&mut dice, &seeds), family);
        }
    }
}

#[test]
fn envelope_properties_hold_for_mutated_bytes() {
    let (mut dice, seeds) = (Dice(0x57_5647_4154_4531), seeds());
    for _ in 0..4000 {
        check::envelope(&mutated(&mut dice, &seeds));
    }
}

#[test]
fn repair_properties_hold_for_mutated_bytes() {
    let (mut dice, seeds) = (Dice(0x57_5647_4154_4532), seeds());
    for _ in 0..3000 {
        check::repair(&mutated(&mut dice, &seeds));
    }
}

#[test]
fn what_is_accepted_is_what_another_reader_sees() {
    let (mut dice, seeds) = (Dice(0x57_5647_4154_4533), seeds());
    let mut accepted = 0;
    for _ in 0..4000 {
        let data = mutated(&mut dice, &seeds);
        if let Ok(node) = xml::parse(&data, &Limits::default()) {
            accepted += 1;
            let text = std::str::from_utf8(&data).unwrap();
            let mut theirs = Vec::new();
            other_reader(text.trim_start_matches('\u{feff}'), &mut theirs);
            let mut ours = Vec::new();
            events(&node, &mut ours);
            assert_eq!(ours, theirs, "{text}");
        }
    }
    assert!(accepted > 400, "only {accepted} were accepted at all");
}

/// An element's name, attributes and text.
type Seen = (String, Vec<(String, String)>, String);

/// Elements in order of start tags, by our reader.
fn events(node: &Node<'_>, out: &mut Vec<Seen>) {
    let attributes = node
        .attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_string()))
        .collect();
    out.push((node.name.to_owned(), attributes, node.text.to_string()));
    for child in &node.children {
        events(child, out);
    }
}

/// The same by quick-xml.
fn other_reader(text: &str, out: &mut Vec<Seen>) {
    let local = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<usize> = Vec::new();
    loop {
        let mut add = |piece: &str, open: &[usize]| {
            if let Some(innermost) = open.last() {
                out[*innermost].2.push_str(piece);
            }
        };
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                let mut attributes: Vec<(String, String)> = Vec::new();
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    let key: &str = attribute.key.as_ref();
                    if key == "xmlns" || key.starts_with("xmlns:") {
                        continue;
                    }
                    let value = attribute
                        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                        .unwrap();
                    if attributes.iter().all(|(other, _)| *other != local(key)) {
                        attributes.push((local(key), value.into_owned()));
                    }
                }
                open.push(out.len());
                out.push((local(tag.name().as_ref()), attributes, String::new()));
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => add(&text.xml10_content(), &open),
            Event::CData(data) => add(&data.xml10_content(), &open),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().unwrap() {
                Some(c) => add(&c.to_string(), &open),
                None => add(
                    quick_xml::escape::resolve_xml_entity(&reference).unwrap(),
                    &open,
                ),
            },
            Event::Eof => break,
            _ => {}
        }
    }
    for (_, _, text) in out {
        *text = text.trim_matches([' ', '\t', '\r', '\n']).to_owned();
    }
}

/// A tree that can be changed and printed.
#[derive(Clone)]
struct Tree {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Tree>,
}

impl Tree {
    fn of(node: &Node<'_>) -> Self {
        Self {
            name: node.name.to_owned(),
            attributes: node
                .attributes
                .iter()
                .map(|(k, v)| ((*k).to_owned(), v.to_string()))
                .collect(),
            text: node.text.to_string(),
            children: node.children.iter().map(Self::of).collect(),
        }
    }

    fn print(&self, out: &mut String) {
        let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
        out.push_str(&format!("<{}", self.name));
        for (name, value) in &self.attributes {
            out.push_str(&format!(" {name}=\"{}\"", escape(value)));
        }
        out.push_str(&format!(">{}", escape(&self.text)));
        for child in &self.children {
            child.print(out);
        }
        out.push_str(&format!("</{}>", self.name));
    }

    fn mutate(&mut self, dice: &mut Dice, donors: &[Tree]) {
        const TEXTS: &[&str] = &[
            "",
            " x ",
            "Yes",
            "no",
            "T",
            "0",
            "-1",
            "99999999999999",
            "wv:Bob@B.test",
            "a/b@c",
            "a b\n",
            "é\u{a0}",
            "<&>\"'",
            "]]>",
            "aGk=",
            "a=b",
            "2024-05-01T13:40:00Z",
            "200",
        ];
        if !self.children.is_empty() && dice.roll(4) > 0 {
            let child = dice.roll(self.children.len());
            return self.children[child].mutate(dice, donors);
        }
        let text = TEXTS[dice.roll(TEXTS.len())].to_owned();
        match dice.roll(8) {
            0 => self.text = text,
            1 => self.name = self.name.to_ascii_uppercase(),
            2 if !self.name.contains(':') => self.name = format!("p:{}", self.name),
            3 if !self.attributes.is_empty() => {
                let at = dice.roll(self.attributes.len());
                self.attributes[at].1 = text;
            }
            4 if !self.attributes.is_empty() => {
                let at = dice.roll(self.attributes.len());
                drop(self.attributes.remove(at));
            }
            5 => {
                let donor = &donors[dice.roll(donors.len())];
                if self.attributes.is_empty() {
                    self.attributes.clone_from(&donor.attributes);
                }
                let at = dice.roll(self.children.len() + 1);
                self.children.insert(at, donor.clone());
            }
            6 if !self.children.is_empty() => {
                let at = dice.roll(self.children.len());
                drop(self.children.remove(at));
            }
            _ => {
                let twins = self.children.clone();
                self.children.extend(twins);
            }
        }
    }
}

#[test]
fn typed_properties_hold_for_mutated_trees() {
    let mut trees = Vec::new();
    for path in fixtures("profile") {
        let body = Bytes::from(std::fs::read(path).unwrap());
        let message = scan(&body, &Limits::default()).unwrap();
        for part in transactions(&message).1 {
            trees.push(Tree::of(
                &xml::parse(&part.raw, &Limits::default()).unwrap(),
            ));
        }
    }
    let donors: Vec<Tree> = trees
        .iter()
        .flat_map(|tree| tree.children.clone())
        .collect();
    let mut dice = Dice(0x57_5647_4154_4534);
    let mut typed = 0;
    for round in 0..5000 {
        let mut tree = trees[round % trees.len()].clone();
        for _ in 0..=dice.roll(3) {
            tree.mutate(&mut dice, &donors);
        }
        let mut text = String::from(
            "<WV-SSP-Message xmlns:p='p'><Session sessionID='1@a'><Transaction transactionID='7'>",
        );
        tree.print(&mut text);
        text.push_str("</Transaction></Session></WV-SSP-Message>");
        check::envelope(text.as_bytes());
        let message = scan(&Bytes::from(text), &Limits::default()).unwrap();
        typed += usize::from(transactions(&message).1[0].primitive().is_ok());
    }
    assert!(typed > 2500, "only {typed} could be decoded");
}

#[test]
fn limits_are_kept_whatever_comes() {
    let limits = Limits {
        depth: 6,
        elements: 20,
        attributes: 3,
        bytes: 4000,
        transactions: 2,
    };
    let (mut dice, seeds) = (Dice(0x57_5647_4154_4535), seeds());
    let mut faults = [0; 5];
    for _ in 0..2000 {
        let data = mutated(&mut dice, &seeds);
        let scanned = scan(&Bytes::copy_from_slice(&data), &limits);
        let parsed = xml::parse(&data, &limits);
        if let Ok(node) = &parsed {
            check::within(node, &limits);
        }
        for fault in [scanned.err(), parsed.err()].into_iter().flatten() {
            match fault {
                Malformed::Depth(6) => faults[0] += 1,
                Malformed::Count {
                    what: "elements",
                    limit: 20,
                } => faults[1] += 1,
                Malformed::Count {
                    what: "attributes",
                    limit: 3,
                } => faults[2] += 1,
                Malformed::Size(4000) => faults[3] += 1,
                _ => faults[4] += 1,
            }
        }
    }
    assert!(
        faults[..4].iter().filter(|n| **n > 0).count() >= 3,
        "{faults:?}"
    );
}

#[test]
fn floods_are_refused_by_their_own_limit() {
    let limits = Limits::default();
    let attributes: String = (0..100).map(|n| format!(" a{n}='1'")).collect();
    let session = |inner: &str| {
        format!("<WV-SSP-Message><Session sessionID='1'>{inner}</Session></WV-SSP-Message>")
    };
    let deep = |n| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    for (body, fault) in [
        (
            session(&format!("<a{attributes}/>")),
            Malformed::Count {
                what: "attributes",
                limit: 32,
            },
        ),
        (
            session(&"<a/>".repeat(60_000)),
            Malformed::Count {
                what: "elements",
                limit: 50_000,
            },
        ),
        (session(&deep(100_000)), Malformed::Depth(32)),
        (session(&"x".repeat(1 << 20)), Malformed::Size(1 << 20)),
    ] {
        assert_eq!(
            xml::parse(body.as_bytes(), &limits).err(),
            Some(fault.clone())
        );
        assert_eq!(scan(&Bytes::from(body), &limits), Err(fault));
    }
    let many = session(&"<Transaction transactionID='1'><a/></Transaction>".repeat(257));
    assert_eq!(
        scan(&Bytes::from(many), &limits),
        Err(Malformed::Count {
            what: "transactions",
            limit: 256
        })
    );
    let unlimited = Limits {
        depth: usize::MAX,
        bytes: usize::MAX,
        elements: usize::MAX,
        ..limits
    };
    assert_eq!(
        xml::parse(deep(100_000).as_bytes(), &unlimited).err(),
        Some(Malformed::Depth(256)),
        "recursion is bounded whatever is configured"
    );
}

fn text() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        1 => proptest::sample::select(vec![
            '<', '>', '&', '"', '\'', ']', '\r', '\n', '\t', '\u{1}', '\u{fffe}', '\u{ffff}',
            '\u{7f}', '\u{85}', '\u{a0}', '\u{2028}', '\u{feff}', 'é', '日', '\u{1f600}',
        ]),
        1 => any::<char>(),
    ];
    proptest::collection::vec(c, 0..24).prop_map(|chars| chars.into_iter().collect())
}

/// What arrives of an attribute's value: all but the characters XML cannot carry.
fn carried(text: &str) -> String {
    text.chars()
        .filter(|c| {
            (*c >= ' ' || matches!(c, '\t' | '\n' | '\r')) && !matches!(c, '\u{fffe}' | '\u{ffff}')
        })
        .collect()
}

/// What arrives of a text: the same, without white space at its ends.
fn trimmed(text: &str) -> String {
    carried(text)
        .trim_matches([' ', '\t', '\n', '\r'])
        .to_owned()
}

/// Generated values are made of texts as they arrive, so that the comparison
/// can be exact; `texts_arrive_but_for_…` holds for all others.
fn attribute() -> impl Strategy<Value = String> {
    text().prop_map(|text| carried(&text))
}

fn content() -> impl Strategy<Value = String> {
    text().prop_map(|text| trimmed(&text))
}

fn address() -> impl Strategy<Value = Address> {
    text().prop_map(|text| Address::new(&carried(&text)))
}

fn user() -> impl Strategy<Value = User> {
    (address(), proptest::option::of(attribute())).prop_map(|(user, friendly_name)| User {
        friendly_name,
        ..User::new(user)
    })
}

fn meta() -> impl Strategy<Value = Option<MetaInfo>> {
    let meta = (
        any::<Option<bool>>(),
        address(),
        proptest::option::of(user()),
    )
        .prop_map(|(client_originated, service, user)| MetaInfo {
            client_originated,
            requestor: wvgate::ssp::common::Requestor { service, user },
        });
    proptest::option::of(meta)
}

fn status() -> impl Strategy<Value = Status> {
    (
        any::<u16>(),
        proptest::option::of(content()),
        proptest::collection::vec(address(), 0..3),
    )
        .prop_map(|(code, description, users)| Status {
            description,
            ..Status::of_users(3, users.into_iter().map(|u| (Code(code), u)).collect())
        })
}

fn time() -> impl Strategy<Value = DateTime> {
    // The years 0 to 9999, which the form can tell.
    (-62_167_219_200_i64..253_402_300_800).prop_map(DateTime)
}

fn screen_name() -> impl Strategy<Value = ScreenName> {
    (address(), content()).prop_map(|(group, name)| ScreenName { group, name })
}

fn info() -> impl Strategy<Value = MessageInfo> {
    let recipient = prop_oneof![
        user().prop_map(Recipient::User),
        address().prop_map(|group| Recipient::Group(GroupId { group })),
        screen_name().prop_map(Recipient::ScreenName),
    ];
    let recipients = proptest::collection::vec(recipient, 0..4);
    let sender = user().prop_map(Sender::user);
    (
        proptest::option::of(attribute()),
        proptest::option::of(attribute()),
        any::<Option<u64>>(),
        recipients,
        proptest::option::of(sender),
        proptest::option::of(time()),
    )
        .prop_map(
            |(message_id, content_type, size, recipients, sender, date_time)| MessageInfo {
                message_id,
                uri: None,
                content_type,
                content_name: None,
                content_size: size,
                validity: size,
                recipients,
                recipient_display: None,
                sender,
                date_time,
            },
        )
}

fn presence_list() -> impl Strategy<Value = PresenceSubList> {
    let name = proptest::sample::select(vec![
        AttributeName::OnlineStatus,
        AttributeName::StatusText,
        AttributeName::Other("Weather".into()),
    ]);
    let field = ("[A-Za-z_][A-Za-z0-9._-]{0,8}", content(), attribute())
        .prop_filter("the qualifier is no field", |(name, ..)| {
            name != "Qualifier"
        })
        .prop_map(|(name, text, value)| Item {
            attributes: vec![("x".into(), value)],
            children: vec![Item::text("Inner", text.clone())],
            ..Item::text(&name, text)
        });
    let attribute = (
        name,
        any::<Option<bool>>(),
        proptest::collection::vec(field, 0..3),
    )
        .prop_map(|(name, qualifier, fields)| Attribute {
            name,
            qualifier,
            fields,
        });
    proptest::collection::vec(attribute, 0..4).prop_map(|attributes| PresenceSubList { attributes })
}

fn values() -> impl Strategy<Value = Vec<PresenceValue>> {
    let value = (address(), proptest::option::of(presence_list()))
        .prop_map(|(user, presence)| PresenceValue { user, presence });
    proptest::collection::vec(value, 0..3)
}

fn primitives() -> impl Strategy<Value = Primitive> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let users = || proptest::collection::vec(address().prop_map(|user| UserId { user }), 0..4);
    let data = (attribute(), bytes()).prop_map(|(content_type, bytes)| ContentData {
        content_type,
        bytes,
    });
    prop_oneof![
        (any::<bool>(), meta(), info(), proptest::option::of(data)).prop_map(
            |(delivery_report, meta, info, content)| {
                message::SendMessageRequest {
                    delivery_report,
                    meta,
                    info,
                    content,
                }
                .into()
            }
        ),
        (attribute(), status()).prop_map(|(message_id, status)| {
            message::SendMessageResponse { message_id, status }.into()
        }),
        (meta(), status(), proptest::option::of(time()), info()).prop_map(
            |(meta, status, time, info)| {
                let result = message::DeliveryResult { status };
                message::DeliveryStatusReport {
                    meta,
                    result,
                    time,
                    info,
                }
                .into()
            }
        ),
        (meta(), users()).prop_map(|(meta, users)| {
            presence::SubscribeRequest {
                meta,
                users,
                attributes: None,
            }
            .into()
        }),
        (meta(), users())
            .prop_map(|(meta, users)| presence::UnsubscribeRequest { meta, users }.into()),
        (meta(), proptest::collection::vec(user(), 0..3), values()).prop_map(
            |(meta, watchers, values)| {
                presence::PresenceNotification {
                    meta,
                    watchers,
                    values,
                }
                .into()
            }
        ),
        (meta(), address(), proptest::option::of(attribute())).prop_map(|(meta, user, version)| {
            let users = vec![VerUserId { user, version }];
            presence::GetPresenceRequest {
                meta,
                users,
                attributes: None,
            }
            .into()
        }),
        (proptest::option::of(status()), values()).prop_map(|(status, values)| {
            presence::GetPresenceResponse { status, values }.into()
        }),
        (address(), bytes()).prop_map(|(service, mut token)| {
            token.push(b'x');
            let token = session::Token(token);
            session::SendSecretToken {
                service,
                protocol: None,
                version: None,
                token,
            }
            .into()
        }),
        (address(), any::<Option<u32>>(), bytes()).prop_map(|(service, time_to_live, digest)| {
            let digest = session::Digest(digest);
            session::LoginRequest {
                service,
                time_to_live,
                digest,
            }
            .into()
        }),
        (
            proptest::option::of(attribute()),
            any::<Option<u32>>(),
            status()
        )
            .prop_map(|(session, time_to_live, status)| {
                session::LoginResponse {
                    session,
                    time_to_live,
                    status,
                    redirects: None,
                }
                .into()
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn typed_primitives_arrive_as_they_were(value in primitives(), id in attribute()) {
        let sent = Transaction::new(Mode::Request, id, &value);
        prop_assert_eq!(&decode_fragment(&sent.raw).unwrap(), &value);
        let raw = std::str::from_utf8(&sent.raw).unwrap();
        let printed = wvgate::ssp::envelope::print_session(
            "ns", "1@a", [(sent.mode, sent.id.as_str(), raw)],
        );
        // Setup primitives have no business in a session, but the same envelope around them.
        let message = scan(&Bytes::from(printed), &Limits::default()).unwrap();
        let (session, parts) = transactions(&message);
        prop_assert_eq!(session, Some("1@a"));
        if sent.id.is_empty() {
            prop_assert!(parts.is_empty());
        } else {
            prop_assert_eq!(parts, vec![&sent]);
        }
    }

    #[test]
    fn texts_arrive_but_for_outer_white_space_and_characters_xml_lacks(
        id in text(), description in text(),
    ) {
        let status = Status::new(Code::OK).because(description.clone());
        let value = message::SendMessageResponse { message_id: id.clone(), status };
        let printed = Primitive::from(value).to_xml(None);
        let Primitive::SendMessageResponse(read) = decode_fragment(printed.as_bytes()).unwrap()
        else { panic!("another primitive") };
        prop_assert_eq!(read.message_id, carried(&id));
        prop_assert_eq!(read.status.description, Some(trimmed(&description)));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        check::envelope(&data);
        check::repair(&data);
    }
}
