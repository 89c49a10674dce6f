//! What clients say as primitives of their user, and what they are told.

mod adaptation;
mod common;
mod groups;
mod kinds;
mod lists;
mod messages;
mod presence;
mod writable;

use super::{Asked, Heard, Interpreter, Terms};
use crate::csp::version::Scope;
use crate::csp::{
    Body, Encoding, Message, Mode, Primitive as Csp, Session, Style, Transaction, Version,
};
use crate::imps::xml::Limits;
use crate::imps::{Address, Primitive};
use crate::ssp::envelope::decode_fragment;

/// Who asks, in every request.
const META: &str = r#"<MetaInfo clientOriginated="Yes"><Requestor serviceID="wv:@home.test"><User userID="wv:ann@home.test"/></Requestor></MetaInfo>"#;

const ALL: [Version; 3] = Version::ALL;
const TO_1_2: [Version; 2] = [Version::V1_1, Version::V1_2];
const FROM_1_2: [Version; 2] = [Version::V1_2, Version::V1_3];

fn terms(version: Version) -> Terms {
    Terms::new(Address::new("wv:ann@home.test"), version)
}

/// A primitive of a client, as it stands in a message of this version.
fn read(version: Version, content: &str) -> Csp {
    let xml = format!(
        "<WV-CSP-Message xmlns='{}'><Session><Transaction><TransactionDescriptor><TransactionID>1\
         </TransactionID></TransactionDescriptor><TransactionContent>{content}\
         </TransactionContent></Transaction></Session></WV-CSP-Message>",
        version.namespace(Scope::Message)
    );
    let message = Message::read(xml.as_bytes(), Encoding::Xml, &Limits::STANDARD).unwrap();
    let Body::Session(session) = message.body else {
        panic!("no session");
    };
    session.transactions.into_iter().next().unwrap().primitive
}

/// What is written of a primitive. It keeps the grammar of the version, in XML and in WBXML.
fn written(version: Version, primitive: &Csp) -> String {
    written_in(version, primitive, &Style::default())
}

fn message(version: Version, primitive: &Csp) -> Message {
    let transaction = Transaction::new(Mode::Response, "1", primitive.clone());
    Message {
        version,
        body: Body::Session(Session::new(Some("s".to_owned()), vec![transaction])),
    }
}

/// What is written of a primitive in WBXML can be read.
fn octets(version: Version, primitive: &Csp) {
    let message = message(version, primitive);
    let octets = message.write(Encoding::Wbxml).unwrap();
    Message::read(&octets, Encoding::Wbxml, &Limits::STANDARD).unwrap();
}

fn written_in(version: Version, primitive: &Csp, style: &Style) -> String {
    let message = message(version, primitive);
    let octets = message.write_in(Encoding::Wbxml, style).unwrap();
    Message::read(&octets, Encoding::Wbxml, &Limits::STANDARD).unwrap();
    let xml = String::from_utf8(message.write_in(Encoding::Xml, style).unwrap()).unwrap();
    let (_, behind) = xml.split_once("<TransactionContent").unwrap();
    let (content, _) = behind.split_once("</TransactionContent>").unwrap();
    let content = content.split_once('>').unwrap().1;
    let presence = format!(" xmlns=\"{}\"", version.namespace(Scope::Presence));
    content.replace(&presence, "")
}

/// A primitive of the other protocol, by its XML; `META` stands for who asks.
fn ssp(xml: &str) -> Primitive {
    let xml = xml.replace("META", META);
    *Box::new(decode_fragment(xml.as_bytes()).unwrap())
}

fn printed(primitive: &Primitive) -> String {
    primitive.to_xml(None).replace(META, "META")
}

/// A client asks; what it asks of the domain is answered step by step. The requests, and what the
/// client hears in the end.
fn dialogue(
    interpreter: &mut Interpreter,
    request: &str,
    answers: &[&str],
) -> (Vec<String>, String) {
    let version = interpreter.terms().version;
    let mut asked = Vec::new();
    let (mut exchange, mut next) = match interpreter.ask(read(version, request)) {
        Asked::User(exchange, first) => (exchange, first),
        Asked::Answered(answer) => return (asked, written(version, &answer)),
        other => panic!("{request}: {other:?}"),
    };
    let mut answers = answers.iter();
    loop {
        asked.push(printed(&next));
        let answer = ssp(answers
            .next()
            .unwrap_or_else(|| panic!("unanswered: {asked:?}")));
        match interpreter.hear(&mut exchange, answer) {
            Heard::Ask(more) => next = more,
            Heard::Answer(answer) | Heard::Refused(answer) => {
                assert_eq!(answers.next(), None, "{request}");
                return (asked, written(version, &answer));
            }
        }
    }
}

/// One request is one primitive, and its answer one answer, in these versions.
fn is(versions: &[Version], request: &str, asked: &str, answer: &str, heard: &str) {
    for version in versions {
        let mut interpreter = Interpreter::new(terms(*version));
        let (requests, told) = dialogue(&mut interpreter, request, &[answer]);
        assert_eq!(requests, [asked], "{version}");
        assert_eq!(told, heard, "{version}");
    }
}

/// A request is answered at once.
fn refused(version: Version, request: &str, heard: &str) {
    let mut interpreter = Interpreter::new(terms(version));
    let (requests, told) = dialogue(&mut interpreter, request, &[]);
    assert_eq!(requests, [""; 0], "{version}");
    assert_eq!(told, heard, "{version}");
}

/// What a client is told of a primitive.
fn told(version: Version, primitive: &str) -> Option<String> {
    let interpreter = Interpreter::new(terms(version));
    let told = interpreter.tell(&ssp(primitive))?;
    Some(written(version, &told))
}

const OK: &str = "<Status><Result><Code>200</Code></Result></Status>";
const DONE: &str = r#"<Status code="200"/>"#;
