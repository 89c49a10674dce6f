//! Who asks the home domain for something.

use crate::element::RequestId;
use crate::imps::address::Address;
use crate::imps::status::{Code, Status};

use super::core::Core;
use super::group;

/// Who asks, and is answered.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// To answer with; `None` for a notice.
    pub(super) id: Option<RequestId>,
    /// The requesting home domain.
    pub(super) domain: String,
    /// The requesting user, if a user asks.
    pub(super) user: Option<Address>,
}

impl Caller {
    /// As groups know it.
    pub(super) fn from(&self) -> group::From<'_> {
        group::From {
            id: self.id,
            domain: &self.domain,
            user: self.user.as_ref(),
        }
    }

    /// The requestor, where the request makes no sense without one; else answered.
    pub(super) fn requestor(&self, core: &mut Core) -> Option<Address> {
        if self.user.is_none() {
            let status = Status::new(Code::BAD_PARAMETER).because("No user is asking.");
            core.respond(self.id, status);
        }
        self.user.clone()
    }
}
