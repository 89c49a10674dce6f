//! The wire profile's samples of every primitive, as requests to send and answers to give.

use std::collections::BTreeMap;

use bytes::Bytes;
use wvgate::imps::Primitive;
use wvgate::imps::primitive::{self, Kind, Routing};
use wvgate::imps::xml::Limits;
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::{Transaction, scan};

use crate::codec_fixtures::{fixtures, transactions};

pub(crate) const HOME: &str = "home.example";
pub(crate) const VILLAGE: &str = "village.example";

/// A sample of a primitive.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// The file's name without its ending.
    pub file: String,
    pub mode: Mode,
    /// The domain that it is sent by.
    pub from: String,
    pub primitive: Primitive,
}

impl Sample {
    /// Reads a whole message.
    pub(crate) fn read(file: &str, text: String) -> Self {
        let message = scan(&Bytes::from(text), &Limits::default()).unwrap();
        let (_, parts) = transactions(&message);
        Self {
            file: file.to_owned(),
            mode: parts[0].mode,
            from: origin(parts[0]),
            primitive: parts[0].primitive().unwrap(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.primitive.name()
    }

    /// Whether it is a request that a relay passes on. Discovery is answered by the SAP of the
    /// domain asked about.
    pub(crate) fn is_request(&self) -> bool {
        let facts = primitive::facts(self.name()).unwrap();
        self.mode == Mode::Request
            && facts.kind == Kind::Request
            && facts.routing != Routing::Hop
            && self.name() != "GetServiceRequest"
    }

    /// Whether it is a notice that is passed on. One sample is the answer to a request: there it
    /// names nobody.
    pub(crate) fn is_notice(&self) -> bool {
        let facts = primitive::facts(self.name()).unwrap();
        facts.kind == Kind::Notice
            && facts.routing != Routing::Hop
            && !self.from.is_empty()
            && self.file != "029-LeaveGroupIndication-Response"
    }
}

/// All samples, as in the wire profile or with both domains exchanged.
pub(crate) fn samples(exchanged: bool) -> Vec<Sample> {
    let mut samples = Vec::new();
    for path in fixtures("profile") {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        samples.push(Sample::read(&file, text(&file, exchanged)));
    }
    samples
}

/// A sample's message. `file` is its name, or how that begins.
pub(crate) fn text(file: &str, exchanged: bool) -> String {
    let path = fixtures("profile")
        .into_iter()
        .find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(file)
        })
        .unwrap_or_else(|| panic!("no sample {file}"));
    let text = std::fs::read_to_string(path).unwrap();
    if !exchanged {
        return text;
    }
    text.replace(HOME, "\u{1}")
        .replace(VILLAGE, HOME)
        .replace('\u{1}', VILLAGE)
}

/// The domain that a transaction is sent by.
pub(crate) fn origin(transaction: &Transaction) -> String {
    let peek = &transaction.peek;
    let publisher = peek.publishers.first();
    let from = peek.service.as_ref().or(publisher).or(peek.group.as_ref());
    from.map_or(String::new(), |address| address.domain().to_owned())
}

/// Samples of answers by the name of the request; a bare status answers the rest.
pub(crate) fn answers(samples: &[Sample]) -> BTreeMap<String, Primitive> {
    let mut answers = BTreeMap::new();
    for sample in samples
        .iter()
        .filter(|sample| sample.mode == Mode::Response)
    {
        let request = match sample.name() {
            "LeaveGroupIndication" => "LeaveGroupRequest".to_owned(),
            "MessageDelivered" => "NewMessage".to_owned(),
            // Comes later, as a notice; the request is answered by a bare status.
            "InviteResponse" => continue,
            name => name.replace("Response", "Request"),
        };
        answers.entry(request).or_insert(sample.primitive.clone());
    }
    answers
}

/// The answer of a service element to this request: presence is that of the user asked about.
pub(crate) fn answer_to(request: &Primitive, answers: &BTreeMap<String, Primitive>) -> Primitive {
    let answer = answers.get(request.name()).cloned();
    let mut answer = answer.unwrap_or(Primitive::status(wvgate::imps::Code::OK));
    if let (Primitive::GetPresenceRequest(request), Primitive::GetPresenceResponse(answer)) =
        (request, &mut answer)
        && let Some(asked) = request.users.first()
    {
        for value in &mut answer.values {
            value.user = asked.user.clone();
        }
    }
    answer
}
