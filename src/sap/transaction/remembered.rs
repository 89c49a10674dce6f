//! Answered rows of the Transaction Table. There are very many of them, and hardly any is looked at
//! again, so each is a few numbers and texts one after the other, names and the words of answers are
//! numbers, and a row is made of it when somebody asks.

use rustc_hash::FxHashMap;

use super::names::Names;
use super::record::{Origin, Part, Place, Record, State};
use super::row;
use super::sent::SentTo;
use super::shapes::Shapes;
use crate::element::{Element, RequestId, Time, Token};
use crate::imps::Address;
use crate::imps::primitive::{AnyName, Name};
use crate::sap::body::Body;
use crate::sap::presented_as::PeerId;
use crate::store::packed::{self, Packer, Unfit, Unpacker};

/// First bytes: what follows is a row without an answer, one with its answer at the end, or one with
/// the number of its answer's shape. Others are rows as the store keeps them.
const SILENT: u8 = 0x10;
const WHOLE: u8 = 0x11;
const SHAPED: u8 = 0x12;

/// Room for a row, usually.
const ROOM: usize = 128;

/// What a row takes besides its bytes, about: places in the table, in the index and in the order in
/// which rows are forgotten.
const OVERHEAD: usize = 96;

/// Answered rows by their numbers.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    rows: FxHashMap<u64, Box<[u8]>>,
    pub(super) names: Names,
    shapes: Shapes,
}

impl Remembered {
    /// Keeps a row; its bytes, about. Its fingerprint is not kept, which only open rows are found by.
    pub(super) fn keep(&mut self, number: u64, record: &Record) -> usize {
        let packed = if is_plain(record) {
            self.pack(record)
        } else {
            row::written(record)
        };
        let size = packed.len() + OVERHEAD;
        self.rows.insert(number, packed.into_boxed_slice());
        size
    }

    /// The row of a number.
    pub(super) fn get(&self, number: u64) -> Option<Record> {
        let packed = self.rows.get(&number)?;
        self.unpack(packed).ok()
    }

    /// Takes a row out, with its bytes, about.
    pub(super) fn take(&mut self, number: u64) -> Option<(Record, usize)> {
        let packed = self.rows.remove(&number)?;
        let record = self.unpack(&packed).ok()?;
        if packed.first() == Some(&SHAPED)
            && let Ok(shape) = Unpacker::new(&packed).number()
        {
            self.shapes.give_back(shape);
        }
        Some((record, packed.len() + OVERHEAD))
    }

    /// Whether there is a row of this number.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.rows.contains_key(&number)
    }

    /// Whether a row of this number came from there.
    pub(super) fn is_from(&self, number: u64, origin: &Origin) -> bool {
        let packed = self.rows.get(&number);
        packed.is_some_and(|packed| self.has_origin(packed, origin) == Ok(true))
    }

    /// Numbers of all rows, in no order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.rows.keys().copied()
    }

    fn has_origin(&self, packed: &[u8], origin: &Origin) -> Result<bool, String> {
        let Some(mut row) = of_ours(packed) else {
            return Ok(row::read(packed)?.origin == *origin);
        };
        if packed.first() == Some(&SHAPED) {
            row.number()?;
        }
        let (name, is_element) = self.owner(&mut row)?;
        Ok(match origin {
            Origin::Peer { peer, id } => !is_element && name == peer && row.text()? == id.as_str(),
            Origin::Element { element, token } => {
                is_element && name.as_str() == element.as_str() && row.number()? == token.0
            }
        })
    }

    fn owner(&self, row: &mut Unpacker<'_>) -> Result<(&PeerId, bool), Unfit> {
        let owner = row.number()?;
        Ok((self.names.name(owner >> 1).ok_or(Unfit)?, owner & 1 == 1))
    }

    fn pack(&mut self, record: &Record) -> Vec<u8> {
        let answer = match &record.state {
            State::Answered(Some(answer)) => Some(answer.xml()),
            _ => None,
        };
        let message = record.message.as_deref();
        let shape = answer.and_then(|answer| self.shapes.take(answer, message));
        let whole = answer.filter(|_| shape.is_none());
        let form = match (answer, shape) {
            (None, _) => SILENT,
            (Some(_), None) => WHOLE,
            (Some(_), Some(_)) => SHAPED,
        };
        let mut row = Packer::new(form, ROOM + whole.map_or(0, str::len));
        if let Some(shape) = shape {
            row.number(shape);
        }
        match &record.origin {
            Origin::Peer { peer, id } => {
                row.number(self.names.number(peer) << 1);
                row.text(id);
            }
            Origin::Element { element, token } => {
                row.number((self.names.number_of(element.as_str()) << 1) | 1);
                row.number(token.0);
            }
        }
        match record.name.known() {
            Some(name) => row.number(name as u64 + 1),
            None => {
                row.number(0);
                row.text(&record.name);
            }
        }
        row.number(record.received.0);
        row.number(record.expires.0.wrapping_sub(record.received.0));
        row.number(record.parts.len() as u64);
        for part in &record.parts {
            self.pack_part(&mut row, part);
        }
        row.maybe(message);
        row.maybe(record.report_to.as_ref().map(Address::as_str));
        row.number(record.content);
        let asking = record.asking.as_deref();
        row.number(asking.map_or(0, |asking| self.names.number_of(asking) + 1));
        row.number(record.sent.len() as u64);
        for sent in &record.sent {
            let peer = sent.peer.as_ref();
            row.number(peer.map_or(0, |peer| self.names.number(peer) + 1));
            row.number(sent.domains.len() as u64);
            for domain in &sent.domains {
                let is_its_own = peer.is_some_and(|peer| peer.real() == domain);
                row.maybe(Some(domain.as_str()).filter(|_| !is_its_own));
            }
        }
        row.rest(whole.unwrap_or_default().as_bytes())
    }

    fn pack_part(&mut self, row: &mut Packer, part: &Part) {
        match &part.place {
            Place::Here => row.number(0),
            Place::Peer { peer, id } => {
                row.number((self.names.number(peer) << 1) + 1);
                row.text(id);
            }
            Place::Element { element, request } => {
                row.number((self.names.number_of(element.as_str()) << 1) + 2);
                row.number(request.0);
            }
        }
        row.number(part.targets.len() as u64);
        for target in &part.targets {
            row.text(target.as_str());
        }
    }

    fn unpack(&self, packed: &[u8]) -> Result<Record, String> {
        let Some(mut row) = of_ours(packed) else {
            return row::read(packed);
        };
        let form = packed.first().copied().unwrap_or_default();
        let shape = (form == SHAPED).then(|| row.number()).transpose()?;
        let (name, is_element) = self.owner(&mut row)?;
        let origin = if is_element {
            Origin::Element {
                element: Element::read(name).ok_or(Unfit)?,
                token: Token(row.number()?),
            }
        } else {
            Origin::Peer {
                peer: name.clone(),
                id: row.text()?.into(),
            }
        };
        let name = match row.number()? {
            0 => AnyName::new(row.text()?),
            known => {
                let known = usize::try_from(known - 1).map_err(|_| Unfit)?;
                AnyName::from(*Name::ALL.get(known).ok_or(Unfit)?)
            }
        };
        let received = row.number()?;
        let expires = received.wrapping_add(row.number()?);
        let mut parts = Vec::new();
        for _ in 0..row.count()? {
            parts.push(self.unpack_part(&mut row)?);
        }
        let message = row.maybe()?.map(str::to_owned);
        let report_to = row.maybe()?.map(Address::new);
        let content = row.number()?;
        let asking = self.maybe_name(row.number()?)?;
        let asking = asking.map(|name| name.as_str().to_owned());
        let mut sent = Vec::new();
        for _ in 0..row.count()? {
            let peer = self.maybe_name(row.number()?)?.cloned();
            let mut domains = Vec::new();
            for _ in 0..row.count()? {
                let own = || peer.as_ref().map(PeerId::real);
                domains.push(row.maybe()?.or_else(own).ok_or(Unfit)?.to_owned());
            }
            sent.push(SentTo { peer, domains });
        }
        let whole = row.rest()?;
        let answer = match (form, shape) {
            (WHOLE, _) => Some(Body::raw(whole)),
            (_, Some(shape)) => {
                let answer = self.shapes.answer(shape, message.as_deref());
                Some(Body::raw(&answer.ok_or(Unfit)?))
            }
            _ => None,
        };
        Ok(Record {
            parts,
            state: State::Answered(answer),
            message,
            report_to,
            sent,
            content,
            asking,
            ..Record::waiting(origin, name, (Time(received), Time(expires)))
        })
    }

    fn unpack_part(&self, row: &mut Unpacker<'_>) -> Result<Part, Unfit> {
        let place = match row.number()? {
            0 => Place::Here,
            place => {
                let name = self.names.name((place - 1) >> 1).ok_or(Unfit)?;
                if place & 1 == 1 {
                    Place::Peer {
                        peer: name.clone(),
                        id: row.text()?.into(),
                    }
                } else {
                    Place::Element {
                        element: Element::read(name).ok_or(Unfit)?,
                        request: RequestId(row.number()?),
                    }
                }
            }
        };
        let mut targets = Vec::new();
        for _ in 0..row.count()? {
            targets.push(Address::new(row.text()?));
        }
        Ok(Part {
            place,
            targets,
            answer: None,
            acknowledged: None,
        })
    }

    fn maybe_name(&self, number: u64) -> Result<Option<&PeerId>, Unfit> {
        match number {
            0 => Ok(None),
            more => self.names.name(more - 1).map(Some).ok_or(Unfit),
        }
    }
}

/// What follows the first byte of a row in the form of this table.
fn of_ours(packed: &[u8]) -> Option<Unpacker<'_>> {
    let form = packed::form(packed)?;
    [SILENT, WHOLE, SHAPED]
        .contains(&form)
        .then(|| Unpacker::new(packed))
}

/// Whether a row has nothing that only few have.
fn is_plain(record: &Record) -> bool {
    record.asker.is_none()
        && record.kept.is_none()
        && record.circle.is_none()
        && record.waiting.is_none()
        && record.parts.iter().all(|part| part.answer.is_none())
}

#[cfg(test)]
impl Remembered {
    /// Bytes that all rows take here, with the room that the table keeps free.
    pub(super) fn bytes(&self) -> usize {
        // One byte of control and an entry for each bucket, of which seven of eight are used.
        let buckets = self.rows.capacity() / 7 * 8;
        let table = buckets * (size_of::<(u64, Box<[u8]>)>() + 1);
        // Allocators round up.
        let rows = self.rows.values().map(|row| row.len().next_multiple_of(16));
        table + rows.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answer: Option<&str>) -> Record {
        let origin = Origin::Peer {
            peer: PeerId::presenting("a.test", "r.test"),
            id: "t\t1".into(),
        };
        let name = AnyName::new("SendMessageRequest");
        let times = (Time(1_700_000_000_000), Time(1_700_000_060_000));
        Record {
            state: State::Answered(answer.map(Body::raw)),
            message: Some("m1".to_owned()),
            ..Record::waiting(origin, name, times)
        }
    }

    fn records() -> Vec<Record> {
        let part = |place: Place, targets: &[&str]| Part {
            place,
            targets: targets.iter().map(|target| Address::new(target)).collect(),
            answer: None,
            acknowledged: None,
        };
        let (peer, element) = (PeerId::new("b.test"), Element::named("home"));
        let request = RequestId(u64::MAX);
        let message = answered(Some("<SendMessageResponse messageID='m1'/>"));
        let reported = Record {
            report_to: Some(Address::new("wv:alice@a.test")),
            sent: vec![
                SentTo {
                    peer: Some(peer.clone()),
                    domains: vec!["b.test".to_owned(), "c.test".to_owned()],
                },
                SentTo {
                    peer: None,
                    domains: Vec::new(),
                },
            ],
            content: u64::MAX,
            asking: Some("b.test".to_owned()),
            ..message.clone()
        };
        let notice = Record {
            origin: Origin::Element {
                element,
                token: Token(7),
            },
            name: AnyName::new("Strange"),
            received: Time(9),
            expires: Time(3),
            parts: vec![
                part(Place::Here, &[]),
                part(
                    Place::Peer {
                        peer,
                        id: "9".into(),
                    },
                    &["wv:zo\u{eb}@b.test", "c"],
                ),
                part(Place::Element { element, request }, &["wv:x@a.test"]),
            ],
            message: None,
            ..answered(None)
        };
        // What few rows have.
        let refused = Part {
            answer: Some(Body::raw("<Status/>")),
            ..part(Place::Here, &["wv:x@a.test"])
        };
        let rare = Record {
            kept: Some("<x/>".to_owned()),
            parts: vec![refused],
            ..reported.clone()
        };
        let long = answered(Some(&format!("<Status>{}</Status>", "x".repeat(2_000))));
        vec![message, reported, notice, rare, long, answered(Some(""))]
    }

    #[test]
    fn a_row_is_given_back_as_it_was() {
        let mut rows = Remembered::default();
        for (number, record) in (0..).zip(records()) {
            let size = rows.keep(number, &record);
            assert_eq!(rows.get(number).as_ref(), Some(&record));
            assert!(rows.is_from(number, &record.origin) && rows.contains(number));
            for other in records() {
                let same = other.origin == record.origin;
                assert_eq!(rows.is_from(number, &other.origin), same);
            }
            let other = Origin::Peer {
                peer: PeerId::new("a.test"),
                id: "t\t1".into(),
            };
            assert!(!rows.is_from(number, &other));
            assert_eq!(rows.take(number), Some((record, size)));
            assert!(rows.get(number).is_none() && !rows.contains(number));
            assert!(!rows.is_from(number, &other));
        }
    }

    #[test]
    fn a_row_that_is_cut_or_changed_is_refused_or_read_but_harms_nobody() {
        for record in records() {
            let mut rows = Remembered::default();
            rows.keep(1, &record);
            let packed = rows.rows.get(&1).cloned().unwrap_or_default();
            for at in 0..packed.len().min(200) {
                let cut = rows.unpack(&packed[..at]);
                assert!(cut.is_err() || packed[0] == WHOLE);
                for value in [0, 1, 0x7f, 0xff] {
                    let mut changed = packed.clone();
                    changed[at] = value;
                    let _ = rows.unpack(&changed);
                    let _ = rows.has_origin(&changed, &record.origin);
                }
            }
        }
    }
}
