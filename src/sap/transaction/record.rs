//! One row of the Transaction Table: a request, where it came from, where its parts went, and how
//! far it is.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::recipients;
use super::sent::SentTo;
use crate::element::{Element, RequestId, Time, Token};
use crate::imps::address::Address;
use crate::imps::primitive::{AnyName, Name};
use crate::imps::{Code, Primitive, Status};
use crate::sap::body::Body;
use crate::sap::dialect::{Asker, Circle, Waiting};
use crate::sap::neighbour;
use crate::sap::presented_as::PeerId;
use crate::sap::transaction_id::TransactionId;

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A peer's transaction.
    Peer {
        /// The peer, in its identity.
        peer: PeerId,
        /// Its transaction id.
        id: TransactionId,
    },
    /// A service element of this node.
    Element {
        /// The service element.
        element: Element,
        /// Its own name for the request.
        token: Token,
    },
}

/// Where a part of a request went.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Place {
    /// To a peer, under our transaction id.
    Peer {
        /// The peer, in its identity.
        peer: PeerId,
        /// Our transaction id.
        id: TransactionId,
    },
    /// To a service element of this node.
    Element {
        /// The service element.
        element: Element,
        /// The number that the element knows it by.
        request: RequestId,
    },
    /// Nowhere: answered by the SAP itself.
    Here,
}

/// A part of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it went.
    pub place: Place,
    /// Whom it concerns.
    pub targets: Vec<Address>,
    /// The answer, once it is there.
    pub answer: Option<Body>,
    /// When the peer acknowledged it. Known in this run only.
    #[serde(skip)]
    pub acknowledged: Option<Time>,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Waits for answers.
    Pending,
    /// Answered with 202: this node took over the delivery.
    TakenOver,
    /// Over. The answer that was given; `None` for a notice.
    Answered(Option<Body>),
}

/// One accepted request: a row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it came from.
    pub origin: Origin,
    /// The primitive's name.
    pub name: AnyName,
    /// When it was accepted.
    pub received: Time,
    /// When it is given up.
    pub expires: Time,
    /// Where it went.
    pub parts: Vec<Part>,
    /// What it waits for, or that it is answered.
    pub state: State,
    /// The message's id.
    pub message: Option<String>,
    /// Who sent the message, if a report was asked for.
    pub report_to: Option<Address>,
    /// Who asks, where the answer says whether they then stand at a peer (`dialect::memberships`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<Box<Asker>>,
    /// The message, as XML, where members of its group are to get it from us (`dialect::group_copies`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Whom the message is for in groups of a peer that leaves members to us (`dialect::group_copies`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circle: Option<Box<Circle>>,
    /// Where the message went, once it is answered, if a report was asked for (`sent`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<SentTo>,
    /// The notice that waits for the answer (`dialect::unnamed_leave`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Box<Waiting>>,
    /// Of requestor and content, to notice a loop.
    #[serde(default)]
    pub fingerprint: u64,
    /// Of sender, recipients and content of a message, to notice a repetition under another
    /// transaction id (`dialect::message_ids`).
    #[serde(default)]
    pub content: u64,
    /// The peer that asked, in another shard of this node, in its identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asking: Option<String>,
}

impl Part {
    /// The peer it went to.
    pub(super) fn peer(&self) -> Option<&str> {
        self.place.at_peer().map(|(peer, _)| peer.as_str())
    }
}

impl Record {
    /// A request that waits, of which nothing else is known: where it came from, what it is, when it
    /// was accepted and until when it holds.
    pub(super) fn waiting(
        origin: Origin,
        name: AnyName,
        (received, expires): (Time, Time),
    ) -> Self {
        Self {
            origin,
            name,
            received,
            expires,
            parts: Vec::new(),
            state: State::Pending,
            message: None,
            report_to: None,
            asker: None,
            kept: None,
            circle: None,
            sent: Vec::new(),
            waiting: None,
            fingerprint: 0,
            content: 0,
            asking: None,
        }
    }

    /// Whether it is a message.
    pub(super) fn is_message(&self) -> bool {
        self.name == Name::SendMessageRequest
    }

    /// Whether who sent the message hears what becomes of it after 202: a service element of this
    /// node, here or in another shard, that has asked for no report.
    pub(super) fn is_followed(&self) -> bool {
        let by_element = match &self.origin {
            Origin::Element { .. } => true,
            Origin::Peer { peer, .. } => neighbour::is_shard(peer) && self.asking.is_none(),
        };
        by_element && self.is_message() && self.report_to.is_none()
    }

    /// What is known of a message; those of whom nothing is heard have this status.
    pub(super) fn known(&self, open: &Status) -> Primitive {
        let (name, message) = (self.name.known(), self.message.as_deref());
        let taken = || Cow::Owned(recipients::answer(name, message, open.clone()));
        let answers = self.parts.iter().map(|part| {
            let answer = part.answer.as_ref().map(Body::primitive);
            let unread = |_| Cow::Owned(Primitive::status(Code::INTERNAL));
            let answer = answer.map_or_else(taken, |answer| answer.unwrap_or_else(unread));
            (part.targets.as_slice(), answer)
        });
        let answers: Vec<(&[Address], Cow<'_, Primitive>)> = answers.collect();
        if let [(_, answer)] = &answers[..] {
            return answer.clone().into_owned();
        }
        let joined = recipients::join(name, message, &answers);
        let is_open = self.parts.iter().any(|part| part.answer.is_none());
        let all_well = joined.verdict().is_some_and(|all| all.code == Code::OK);
        if is_open && all_well {
            return taken().into_owned();
        }
        joined
    }

    /// Whether nobody can ask for it once it is answered: elements of this node repeat nothing, no
    /// report is to come, and it went nowhere where `keep` says that somebody asks later.
    pub(super) fn is_forgotten_at_once(&self, keep: impl Fn(&Place) -> bool) -> bool {
        matches!(self.origin, Origin::Element { .. })
            && self.report_to.is_none()
            && !self.parts.iter().any(|part| keep(&part.place))
    }

    /// Whether it was answered with a failure. Who has no answer does not know.
    pub(super) fn has_failed(&self) -> bool {
        matches!(&self.state, State::Answered(Some(answer)) if answer.has_failed())
    }

    /// It is of no time that is yet to come.
    pub(super) fn set_right(&mut self, now: Time) {
        let ahead = self.received.since(now);
        self.received = Time(self.received.0 - ahead);
        self.expires = Time(self.expires.0.saturating_sub(ahead));
    }

    /// Its transactions with peers: the peer, and our id.
    pub(super) fn at_peers(&self) -> impl Iterator<Item = (&PeerId, &TransactionId)> {
        self.parts.iter().filter_map(|part| part.place.at_peer())
    }

    /// Those that are not answered.
    pub(super) fn at_peers_open(&self) -> impl Iterator<Item = (&PeerId, &TransactionId)> {
        let open = self.parts.iter().filter(|part| part.answer.is_none());
        open.filter_map(|part| part.place.at_peer())
    }

    /// The part that went there.
    pub(super) fn part_at(&self, place: &Place) -> Option<&Part> {
        self.parts.iter().find(|part| part.place == *place)
    }
}

impl Place {
    /// A transaction with a peer, under our id.
    pub(in crate::sap) fn at(peer: &PeerId, id: &TransactionId) -> Self {
        Self::Peer {
            peer: peer.clone(),
            id: id.clone(),
        }
    }

    pub(super) fn at_peer(&self) -> Option<(&PeerId, &TransactionId)> {
        match self {
            Self::Peer { peer, id } => Some((peer, id)),
            _ => None,
        }
    }
}

impl Origin {
    /// The peer, or what stands for all elements of ours.
    pub fn name(&self) -> &str {
        match self {
            Self::Peer { peer, .. } => peer.as_str(),
            Self::Element { .. } => "",
        }
    }

    /// Whether a peer has posted it, in whatever identity.
    pub(in crate::sap) fn is_of(&self, domain: &str) -> bool {
        matches!(self, Self::Peer { peer, .. } if peer.real() == domain)
    }
}

impl State {
    /// The state without its answer.
    pub(super) fn clone_kind(&self) -> Self {
        match self {
            Self::Pending => Self::Pending,
            Self::TakenOver => Self::TakenOver,
            Self::Answered(_) => Self::Answered(None),
        }
    }
}
