//! Answers that say no more than a status.

use crate::csp;
use crate::imps::Primitive;
use crate::imps::status::{Code, Status};

/// The status inside an answer. One that has none and is no status is a success, as it is in SSP.
pub(super) fn status_of(answer: &Primitive) -> Status {
    match answer {
        Primitive::Unknown(_) => Status::new(Code::NOT_SUPPORTED),
        other => other.verdict().cloned().unwrap_or_else(Status::ok),
    }
}

/// The answer to a request that was done, or not, and that has nothing else to say.
pub(super) fn done(answer: &Primitive) -> csp::Primitive {
    csp::Primitive::status(status_of(answer))
}

/// The answer to a request that should have brought something. A success that brings nothing is
/// none.
pub(super) fn failure(answer: &Primitive) -> csp::Primitive {
    let status = status_of(answer);
    if status.code.is_success() {
        let why = "The service has answered something else.";
        return csp::Primitive::status(Status::new(Code::INTERNAL).because(why));
    }
    csp::Primitive::status(status)
}
