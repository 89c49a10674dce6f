//! Contact lists as those whom a request of their owner is for.
//!
//! A list is taken apart where its owner is at home: whoever provides it is asked who is on it, by the
//! SAP, and the request goes on with these in its place. So it is the same whether the lists are here
//! or at another domain, and a list that is deleted in between is one that does not exist.

use crate::element::{Listed, Whole};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::contact_list::ListManageRequest;
use crate::imps::status::{Code, Status};

/// A request that names contact lists of its user, until these are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::home) struct Expansion {
    listed: Listed,
    /// How many of the lists have been read.
    read: usize,
}

impl Expansion {
    /// Of a request of this user, with the lists of theirs that it names; `None` if it names none.
    pub(in crate::home) fn of(request: &Primitive, owner: &Address) -> Option<Self> {
        let listed = Listed::of(request, owner)?;
        Some(Self { listed, read: 0 })
    }

    /// Whether it names more than a request may.
    pub(in crate::home) fn is_too_large(&self) -> bool {
        self.listed.is_too_large()
    }

    /// Asks who is on the next list; `None` if all have been read.
    pub(in crate::home) fn next(&self) -> Option<ListManageRequest> {
        let owner = self.listed.owner();
        Some(ListManageRequest {
            list: self.listed.lists().get(self.read)?.clone(),
            receive: true,
            meta: Some(MetaInfo::of_user(owner.domain(), owner.clone())),
            add: None,
            remove: None,
            properties: None,
        })
    }

    /// Takes the answer to that, or says why the request cannot go on.
    pub(in crate::home) fn take(&mut self, answer: &Primitive) -> Result<(), Status> {
        let list = self.listed.lists().get(self.read).cloned();
        self.read += 1;
        let (code, members) = match answer {
            Primitive::ListManageResponse(response) => {
                (response.status.effective(), response.members.as_deref())
            }
            other => {
                let code = other.verdict().map(Status::effective);
                // A success without a list is none.
                let code = code.filter(|code| !code.is_success());
                (code.unwrap_or(Code::INTERNAL), None)
            }
        };
        if !code.is_success() {
            return Err(Listed::unreadable(list, code));
        }
        let members = members.unwrap_or_default().iter();
        self.listed.add(members.map(|member| member.user.clone()));
        Ok(())
    }

    /// The request as it goes on.
    pub(in crate::home) fn whole(self) -> Whole {
        self.listed.whole()
    }
}
