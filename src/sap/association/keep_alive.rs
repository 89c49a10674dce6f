//! Idle sessions are kept alive, and times to live agreed (wire profile, 6.9 and 11.1).

use std::time::Duration;

use crate::element::{Time, seconds};
use crate::imps::common::MetaInfo;
use crate::imps::primitive::Name;
use crate::imps::primitive::session::{KeepAliveRequest, KeepAliveResponse};
use crate::imps::{Code, Primitive, Status};
use crate::sap::association::outbox::Item;
use crate::sap::association::record::SessionRecord;
use crate::sap::association::session::Session;
use crate::sap::settings::{Peer, Settings};
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::store::Write;

/// The shortest time to live: primitives carry whole seconds, and 0 says nothing.
const SHORTEST: Duration = Duration::from_secs(1);

/// A `KeepAliveRequest` of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepAlive {
    pub(super) id: String,
    /// The new time to live it asks for.
    asked: Option<Duration>,
}

/// What the peer said to a [`KeepAlive`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It does not know the session.
    UnknownSession,
    /// The record has changed.
    Changed(Write),
    /// All stays as it was.
    Nothing,
}

impl KeepAlive {
    /// Asks for a session to be kept alive when it is idle, and for our time to live when that
    /// has changed. Nothing if neither is the case.
    pub(super) fn due(
        peer: &Peer,
        settings: &Settings,
        session: &mut Session,
        id: impl FnOnce() -> String,
        now: Time,
    ) -> Option<Item> {
        let ours = settings.session_ttl;
        let lives = session.ends_at() > now || !peer.dialect.sessions_expire;
        let idle = session.keep_alive_at() <= now && lives;
        let announced = session.record.own_ttl;
        let differs = !announced.is_zero() && announced != ours;
        let asked = (differs && ours >= SHORTEST).then_some(ours);
        if !idle && (asked.is_none() || session.keep_alive.is_some()) {
            return None;
        }
        let request = KeepAliveRequest {
            time_to_live: asked.map(seconds),
            meta: Some(MetaInfo::of_server(peer.presented(&settings.domain))),
        };
        let id = id();
        let item = Item {
            mode: Mode::Request,
            id: id.as_str().into(),
            name: Name::KeepAliveRequest.into(),
            raw: peer.dialect.print(&request.into()),
            conversation: None,
            expires: now.plus(settings.response_timeout),
            message: None,
            via: None,
        };
        session.record.last_out = now;
        session.keep_alive = Some(Self { id, asked });
        Some(item)
    }

    /// The peer has answered.
    pub(super) fn answered(self, answer: &Transaction, record: &mut SessionRecord) -> Heard {
        let (code, granted) = match answer.primitive() {
            Ok(Primitive::KeepAliveResponse(answer)) => (answer.status.code, answer.time_to_live),
            Ok(Primitive::Status(status)) => (status.code, None),
            _ => return Heard::Nothing,
        };
        let granted = granted.filter(|seconds| *seconds > 0);
        let granted = granted.map(|seconds| Duration::from_secs(seconds.into()));
        match (code, self.asked) {
            (Code::INVALID_SESSION, _) => Heard::UnknownSession,
            (Code::NOT_ACCEPTED, Some(asked)) => {
                // The old value stays, and we do not ask for this one again.
                record.own_ttl = asked;
                Heard::Changed(record.put())
            }
            (code, asked) if code.is_success() => {
                let ours = asked.unwrap_or(record.ttl);
                let ttl = granted.map_or(ours, |granted| granted.min(ours));
                if asked.is_none() && ttl == record.ttl {
                    return Heard::Nothing;
                }
                record.own_ttl = asked.unwrap_or(record.own_ttl);
                record.ttl = ttl;
                Heard::Changed(record.put())
            }
            _ => Heard::Nothing,
        }
    }
}

/// The answer to a peer's `KeepAliveRequest`: a new value is taken if it is not
/// longer than what we announce.
pub(super) fn grant(
    record: &mut SessionRecord,
    request: &KeepAliveRequest,
    longest: Duration,
) -> (KeepAliveResponse, Option<Write>) {
    let wanted = request.time_to_live;
    let wanted = wanted.map(|seconds| Duration::from_secs(seconds.into()));
    let (mut code, mut changed) = (Code::OK, None);
    match wanted {
        Some(wanted) if wanted == record.ttl => {}
        Some(wanted) if wanted >= SHORTEST && wanted <= longest => {
            record.ttl = wanted;
            changed = Some(record.put());
        }
        Some(_) => code = Code::NOT_ACCEPTED,
        None => {}
    }
    let answer = KeepAliveResponse {
        time_to_live: Some(seconds(record.ttl)),
        status: Status::new(code),
    };
    (answer, changed)
}
