//! Laws of the codec, over values made from the grammar: every primitive of every version.

use proptest::prelude::*;

use super::grammar::tests_only::{Made, Tape, make};
use super::primitive::FACTS;
use super::{
    Body, Element, Encoding, Grammar, Message, Mode, Primitive, Session, Transaction, Unfit,
    Version,
};
use crate::imps::xml::Limits;

fn message(version: Version, primitive: Primitive) -> Message {
    let transaction = Transaction::new(Mode::Request, "t-1", primitive);
    Message {
        version,
        body: Body::Session(Session::new(Some("s-1".into()), vec![transaction])),
    }
}

fn bare(element: &Element<'_>) -> Element<'static> {
    // Everything but the namespaces.
    Element {
        name: String::leak(element.name.to_owned()),
        namespace: None,
        text: element.text.clone().into_owned().into(),
        data: element.data.clone().map(|data| data.into_owned().into()),
        children: element.children.iter().map(bare).collect(),
    }
}

/// The primitive of the first transaction.
fn written(message: &Message) -> Element<'static> {
    let root = message.element().unwrap();
    let transaction = root.children[0].child("Transaction").unwrap();
    bare(&transaction.child("TransactionContent").unwrap().children[0])
}

fn primitives(version: Version) -> Vec<&'static str> {
    let names = FACTS.iter().map(|facts| facts.name);
    names
        .filter(|name| Grammar::of(version).has(name))
        .collect()
}

fn holds(version: Version, name: &'static str, tape: &[u32]) {
    let made: Made = make(version, name, &mut Tape::new(tape));
    let grammar = Grammar::of(version);
    assert_eq!(
        grammar.check(&made),
        Ok(()),
        "what is made keeps the grammar"
    );
    let primitive = Primitive::read(&made);
    assert!(
        !matches!(primitive, Primitive::Unreadable(_) | Primitive::Unknown(_)),
        "{version} {primitive:?} from {made:?}"
    );
    let message = message(version, primitive);
    assert_eq!(written(&message), bare(&made), "{version}: nothing is lost");
    let mut seen = Vec::new();
    for encoding in [Encoding::Xml, Encoding::Wbxml] {
        let bytes = message.write(encoding).unwrap();
        let back = Message::read(&bytes, encoding, &Limits::STANDARD).unwrap();
        assert_eq!(back, message, "{version} {encoding:?}");
        seen.push(back);
    }
    assert_eq!(
        seen[0].write(Encoding::Wbxml),
        seen[1].write(Encoding::Wbxml)
    );
    assert_eq!(seen[1].write(Encoding::Xml), seen[0].write(Encoding::Xml));
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same_in_xml_and_wbxml_and_across(
        at in any::<prop::sample::Index>(),
        version in prop::sample::select(Version::ALL.to_vec()),
        tape in prop::collection::vec(any::<u32>(), 0..200),
    ) {
        let names = primitives(version);
        holds(version, names[at.index(names.len())], &tape);
    }

    #[test]
    fn damaged_messages_are_refused_or_read_and_never_more(
        at in any::<prop::sample::Index>(),
        version in prop::sample::select(Version::ALL.to_vec()),
        tape in prop::collection::vec(any::<u32>(), 0..60),
        is_cut in any::<bool>(),
        place in any::<prop::sample::Index>(),
        flip in any::<u8>(),
    ) {
        let names = primitives(version);
        let name = names[at.index(names.len())];
        let made = make(version, name, &mut Tape::new(&tape));
        let message = message(version, Primitive::read(&made));
        for encoding in [Encoding::Xml, Encoding::Wbxml] {
            let mut bytes = message.write(encoding).unwrap();
            let place = place.index(bytes.len());
            if is_cut {
                bytes.truncate(place);
            } else {
                bytes[place] ^= flip;
            }
            match encoding {
                Encoding::Xml => super::check::xml(&bytes),
                Encoding::Wbxml => super::check::wbxml(&bytes),
            }
            if is_cut && encoding == Encoding::Wbxml {
                prop_assert!(Message::read(&bytes, encoding, &Limits::STANDARD).is_err());
            }
        }
    }

    #[test]
    fn any_octets_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        super::check::wbxml(&bytes);
        super::check::xml(&bytes);
        let head = [&[3, 0x12, 0x6A, 4, b'a', 0, b'b', 0][..], &bytes].concat();
        super::check::wbxml(&head);
    }
}

#[test]
fn every_primitive_of_every_version_holds_the_laws_full_and_bare() {
    for version in Version::ALL {
        let names = primitives(version);
        assert!(names.len() > 75, "{version}: {}", names.len());
        for name in names {
            holds(version, name, &[]);
            holds(version, name, &[1; 400]);
            holds(version, name, &[3; 400]);
        }
    }
}

#[test]
fn every_primitive_of_the_grammar_is_known() {
    for version in Version::ALL {
        for name in Grammar::of(version).names() {
            let is_primitive = name.contains('-')
                && !name.starts_with("WV-CSP")
                && !matches!(name, "BlockUser-Request");
            if is_primitive {
                assert!(FACTS.iter().any(|f| f.name == name), "{version} {name}");
            }
        }
    }
    for facts in FACTS {
        let is_there = |name| Version::ALL.iter().any(|v| Grammar::of(*v).has(name));
        assert!(is_there(facts.name), "{}", facts.name);
        assert!(facts.answer.is_empty() || is_there(facts.answer));
    }
}

#[test]
fn what_a_version_has_no_form_for_is_not_written() {
    let primitive = Primitive::read(&make(Version::V1_3, "GetMap-Request", &mut Tape::new(&[])));
    let newer = message(Version::V1_2, primitive);
    assert!(matches!(
        newer.write(Encoding::Xml),
        Err(Unfit::Unknown { .. })
    ));
    // 1.1 needs what 1.3 may leave out.
    let made = make(Version::V1_3, "Invite-Request", &mut Tape::new(&[]));
    let older = message(Version::V1_1, Primitive::read(&made));
    assert!(matches!(
        older.write(Encoding::Wbxml),
        Err(Unfit::Grammar { .. })
    ));
}
