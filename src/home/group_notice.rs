//! What groups, of whatever domain, tell our users: who came and went, what changed, and that they
//! have to leave. Told to the clients that are there; what a group is like can be asked.

use std::collections::BTreeMap;

use crate::imps::Primitive;
use crate::imps::primitive::group::{GroupChangeNotice, LeaveGroupIndication};

use super::client::ToClient;
use super::core::Core;
use super::user::User;

/// A notice about a group. Each user hears of no others to whom it is told.
#[derive(Debug)]
pub(super) enum GroupNotice {
    Change(Box<GroupChangeNotice>),
    Leave(Box<LeaveGroupIndication>),
}

impl GroupNotice {
    /// Tells those of our users whom it is for.
    pub(super) fn tell(mut self, users: &BTreeMap<String, Box<User>>, core: &mut Core) {
        let addressed = match &mut self {
            Self::Change(notice) => &mut notice.users,
            Self::Leave(notice) => &mut notice.users,
        };
        for one in std::mem::take(addressed) {
            let address = core.at_home(&one.user);
            let name = core.local_name(&address);
            let user = name.ok().and_then(|name| users.get(name));
            let Some(user) = user.filter(|user| !user.clients.is_empty()) else {
                continue;
            };
            let told: Primitive = match &self {
                Self::Change(notice) => {
                    let users = vec![one];
                    let notice = GroupChangeNotice::clone(notice);
                    GroupChangeNotice { users, ..notice }.into()
                }
                Self::Leave(notice) => {
                    let users = vec![one];
                    let notice = LeaveGroupIndication::clone(notice);
                    LeaveGroupIndication { users, ..notice }.into()
                }
            };
            user.tell(core, &ToClient::now(told));
        }
    }
}
