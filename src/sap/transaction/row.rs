//! How a row of the Transaction Table is kept.

use serde::{Deserialize, Serialize};

use super::record::{Origin, Part, Place, Record, State};
use super::sent::SentTo;
use crate::element::{Element, RequestId, Time, Token};
use crate::imps::address::Address;
use crate::imps::primitive::AnyName;
use crate::sap::body::Body;
use crate::sap::dialect::{Asker, Circle, Waiting};
use crate::sap::presented_as::PeerId;
use crate::store::described;
use crate::store::packed::{self, Packer, Unfit, Unpacker};

/// The form of its record.
const FORM: u8 = 1;
/// Room for a row without its answers, usually.
const ROOM: usize = 384;

/// What few rows have, as JSON.
#[derive(Default, Serialize, Deserialize)]
struct Rare {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asker: Option<Box<Asker>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    circle: Option<Box<Circle>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sent: Vec<SentTo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting: Option<Box<Waiting>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asking: Option<String>,
}

/// A row as it is kept. The answer that was given stands at its end.
pub(super) fn written(record: &Record) -> Vec<u8> {
    let answer = match &record.state {
        State::Answered(answer) => answer.as_ref().map(Body::xml),
        State::Pending | State::TakenOver => None,
    };
    let mut row = Packer::new(FORM, ROOM + answer.map_or(0, str::len));
    match &record.origin {
        Origin::Peer { peer, id } => {
            row.number(0);
            row.text(peer);
            row.text(id);
        }
        Origin::Element { element, token } => {
            row.number(1);
            row.text(element.as_str());
            row.number(token.0);
        }
    }
    row.text(&record.name);
    row.number(record.received.0);
    row.number(record.expires.0);
    row.number(record.parts.len() as u64);
    for part in &record.parts {
        pack_part(&mut row, part);
    }
    row.maybe(record.message.as_deref());
    row.maybe(record.report_to.as_ref().map(Address::as_str));
    row.number(record.fingerprint);
    row.number(record.content);
    row.maybe(rare(record).as_deref());
    row.number(match &record.state {
        State::Pending => 0,
        State::TakenOver => 1,
        State::Answered(None) => 2,
        State::Answered(Some(_)) => 3,
    });
    row.rest(answer.unwrap_or_default().as_bytes())
}

/// Reads what [`written`] gave, or JSON of an earlier version.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Record, String> {
    if packed::form(bytes) == Some(FORM) {
        return unpack(Unpacker::new(bytes));
    }
    if packed::form(bytes).is_some() {
        return Err("its form is that of a newer version".to_owned());
    }
    // Without answer, or all in JSON as the oldest versions wrote it.
    let (head, answer) = described::parts(bytes);
    let mut record: Record = serde_json::from_slice(head).map_err(|error| error.to_string())?;
    if let Some(answer) = answer {
        let answer = std::str::from_utf8(answer).map_err(|error| error.to_string())?;
        record.state = State::Answered(Some(Body::raw(answer)));
    }
    Ok(record)
}

fn pack_part(row: &mut Packer, part: &Part) {
    match &part.place {
        Place::Peer { peer, id } => {
            row.number(0);
            row.text(peer);
            row.text(id);
        }
        Place::Element { element, request } => {
            row.number(1);
            row.text(element.as_str());
            row.number(request.0);
        }
        Place::Here => row.number(2),
    }
    row.number(part.targets.len() as u64);
    for target in &part.targets {
        row.text(target.as_str());
    }
    row.maybe(part.answer.as_ref().map(Body::xml));
}

fn rare(record: &Record) -> Option<String> {
    let Record {
        asker,
        kept,
        circle,
        sent,
        waiting,
        asking,
        ..
    } = record;
    let none = asker.is_none()
        && kept.is_none()
        && circle.is_none()
        && sent.is_empty()
        && waiting.is_none()
        && asking.is_none();
    if none {
        return None;
    }
    let rare = Rare {
        asker: asker.clone(),
        kept: kept.clone(),
        circle: circle.clone(),
        sent: sent.clone(),
        waiting: waiting.clone(),
        asking: asking.clone(),
    };
    // Texts and numbers are always written.
    serde_json::to_string(&rare).ok()
}

fn unpack(mut row: Unpacker<'_>) -> Result<Record, String> {
    let origin = match row.number()? {
        0 => Origin::Peer {
            peer: PeerId::new(row.text()?),
            id: row.text()?.into(),
        },
        1 => Origin::Element {
            element: Element::read(row.text()?).ok_or(Unfit)?,
            token: Token(row.number()?),
        },
        _ => return Err(Unfit.into()),
    };
    let name = AnyName::new(row.text()?);
    let (received, expires) = (Time(row.number()?), Time(row.number()?));
    let mut parts = Vec::new();
    for _ in 0..row.count()? {
        parts.push(unpack_part(&mut row)?);
    }
    let message = row.maybe()?.map(str::to_owned);
    let report_to = row.maybe()?.map(Address::new);
    let (fingerprint, content) = (row.number()?, row.number()?);
    let rare = row.maybe()?.map(serde_json::from_str).transpose();
    let rare = rare.map_err(|error: serde_json::Error| error.to_string())?;
    let rare: Rare = rare.unwrap_or_default();
    let state = row.number()?;
    let state = match (state, row.rest()?) {
        (0, "") => State::Pending,
        (1, "") => State::TakenOver,
        (2, "") => State::Answered(None),
        (3, answer) => State::Answered(Some(Body::raw(answer))),
        _ => return Err(Unfit.into()),
    };
    Ok(Record {
        origin,
        name,
        received,
        expires,
        parts,
        state,
        message,
        report_to,
        asker: rare.asker,
        kept: rare.kept,
        circle: rare.circle,
        sent: rare.sent,
        waiting: rare.waiting,
        fingerprint,
        content,
        asking: rare.asking,
    })
}

fn unpack_part(row: &mut Unpacker<'_>) -> Result<Part, Unfit> {
    let place = match row.number()? {
        0 => Place::Peer {
            peer: PeerId::new(row.text()?),
            id: row.text()?.into(),
        },
        1 => Place::Element {
            element: Element::read(row.text()?).ok_or(Unfit)?,
            request: RequestId(row.number()?),
        },
        2 => Place::Here,
        _ => return Err(Unfit),
    };
    let mut targets = Vec::new();
    for _ in 0..row.count()? {
        targets.push(Address::new(row.text()?));
    }
    Ok(Part {
        place,
        targets,
        answer: row.maybe()?.map(Body::raw),
        acknowledged: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::{Code, Primitive};

    const HOME: Element = Element::named("home");

    fn of_json<T: serde::de::DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).unwrap()
    }

    fn records() -> Vec<Record> {
        let answer = || Some(Body::typed(Primitive::status(Code::OK)));
        let at_peer = Part {
            place: Place::Peer {
                peer: PeerId::presenting("b.test", "r.test"),
                id: "t\t7".into(),
            },
            targets: vec![
                Address::new("wv:bob@b.test"),
                Address::new("zo\u{eb}@b.test"),
            ],
            answer: None,
            acknowledged: None,
        };
        let here = Part {
            place: Place::Here,
            targets: Vec::new(),
            answer: answer(),
            acknowledged: None,
        };
        let inside = Part {
            place: Place::Element {
                element: HOME,
                request: RequestId(u64::MAX),
            },
            ..here.clone()
        };
        let origin = Origin::Peer {
            peer: PeerId::new("a.test"),
            id: "t1".into(),
        };
        let name = AnyName::new("SendMessageRequest");
        let times = (Time(1_700_000_000_000), Time(1_700_000_060_000));
        let plain = Record {
            parts: vec![at_peer],
            message: Some("m1".to_owned()),
            report_to: Some(Address::new("wv:alice@a.test")),
            fingerprint: u64::MAX,
            ..Record::waiting(origin, name, times)
        };
        let rare = Record {
            origin: Origin::Element {
                element: HOME,
                token: Token(3),
            },
            name: AnyName::new("Strange"),
            parts: vec![here, inside],
            state: State::TakenOver,
            message: None,
            report_to: None,
            kept: Some("<x>\n</x>".to_owned()),
            asker: Some(Box::new(of_json(
                r#"{"user":"wv:alice@a.test","name":"Al"}"#,
            ))),
            circle: Some(Box::new(of_json(
                r#"{"from":"wv:alice@a.test","groups":["wv:al/g@b.test"],"participants":[]}"#,
            ))),
            waiting: Some(Box::new(of_json(
                r#"{"peer":"b.test","group":"wv:al/g@b.test","notice":{"id":"n","xml":"<x/>"},"askers":[]}"#,
            ))),
            sent: vec![SentTo {
                peer: Some(PeerId::new("b.test")),
                domains: vec!["b.test".to_owned()],
            }],
            content: 7,
            asking: Some("a.test".to_owned()),
            ..plain.clone()
        };
        let answered = Record {
            state: State::Answered(answer()),
            parts: Vec::new(),
            ..plain.clone()
        };
        let notice = Record {
            state: State::Answered(None),
            ..rare.clone()
        };
        vec![plain, rare, answered, notice]
    }

    #[test]
    fn a_row_is_read_as_it_was_written_and_as_earlier_versions_wrote_it() {
        for record in records() {
            assert_eq!(read(&written(&record)).as_ref(), Ok(&record));
            let json = serde_json::to_vec(&record).unwrap();
            assert_eq!(read(&json).as_ref(), Ok(&record));
            if let State::Answered(Some(answer)) = &record.state {
                let head = Record {
                    state: State::Answered(None),
                    ..record.clone()
                };
                let described = described::written(&head, answer.xml().as_bytes());
                assert_eq!(read(&described), Ok(record));
            }
        }
    }

    #[test]
    fn a_row_that_is_cut_or_changed_is_refused_or_read_but_harms_nobody() {
        for record in records() {
            let bytes = written(&record);
            let answer = match &record.state {
                State::Answered(Some(answer)) => answer.xml().len(),
                _ => 0,
            };
            for end in 0..bytes.len() - answer {
                assert!(read(&bytes[..end]).is_err(), "{end}");
            }
            for at in 1..bytes.len() {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] = value;
                    let _ = read(&changed);
                }
            }
        }
    }
}
