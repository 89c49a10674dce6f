//! Answers that say no more than a status.

use crate::csp;
use crate::imps::common::UserId;
use crate::imps::status::{Code, DetailedResult, Status};
use crate::imps::{Address, Primitive};

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

/// One status of what was asked about each of these: 201 if some of it was done, 900 if nothing
/// was; the status itself if there was but one.
pub(super) fn combined<'u>(
    about: impl Iterator<Item = &'u Address>,
    answers: &[Primitive],
) -> Status {
    let mut statuses = answers.iter().map(status_of);
    if answers.len() == 1 {
        return statuses.next().unwrap_or_else(Status::ok);
    }
    let mut details: Vec<DetailedResult> = Vec::new();
    let mut failed = 0;
    for (user, status) in about.zip(statuses) {
        if status.code.is_success() {
            continue;
        }
        failed += 1;
        let code = status.effective();
        let user = UserId { user: user.clone() };
        match details.iter_mut().find(|detail| detail.code == code) {
            Some(detail) => detail.users.push(user),
            None => details.push(DetailedResult {
                users: vec![user],
                ..DetailedResult::new(code)
            }),
        }
    }
    let code = match failed {
        0 => Code::OK,
        failed if failed < answers.len() => Code::PARTIAL,
        _ => Code::MULTIPLE,
    };
    Status {
        details,
        ..Status::new(code)
    }
}
