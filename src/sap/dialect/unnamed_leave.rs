//! A peer says that somebody has left its group, but not who (quirk B-5).
//! Where several of our side can be meant, one of them asks who is joined, and those no
//! longer listed get the notice on.
//!
//! The notice waits in the Transaction Table with the question, so a restart loses
//! neither.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::memberships::{Membership, Memberships};
use crate::element::Time;
use crate::imps::common::{MetaInfo, User};
use crate::imps::primitive::Name;
use crate::imps::primitive::group::{GetJoinedUsersRequest, GetJoinedUsersResponse};
use crate::imps::{Address, Code, Primitive};
use crate::sap::settings::Peer;
use crate::ssp::Mode;
use crate::ssp::envelope::{Transaction, decode_fragment};

/// Questions under way, or answered lately, of all peers together; one a group. Our choice.
const MOST: usize = 1_000;
/// Members who ask one after the other about one notice, at most. Our choice.
const MOST_ASKERS: usize = 8;
/// Notices about those whom one answer told are still on their way for so long, the life of a
/// notice in the queue of the deployed server (quirk E-15).
const LATELY: Duration = Duration::from_secs(120);

/// A notice as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Notice {
    id: String,
    xml: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    via: Option<String>,
}

/// A notice that waits for the answer to a question; kept with the question's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    peer: String,
    group: Address,
    notice: Notice,
    /// Came while the question was under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Notice>,
    /// Who has asked, the last of them now.
    askers: Vec<Address>,
    /// Who was told that they are not in the group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<Address>,
}

#[derive(Debug)]
enum Question {
    /// The row of the question.
    UnderWay(u64),
    Answered(Time),
}

/// The questions by peer and group.
#[derive(Debug, Default)]
pub(in crate::sap) struct Questions(BTreeMap<(String, Address), Question>);

/// What is to be done about a notice.
#[derive(Debug)]
pub(in crate::sap) enum Next {
    /// A member asks who is joined; the notice waits with the question.
    Ask(Waiting, GetJoinedUsersRequest),
    /// The notice comes after the one that waits with the question of this row.
    Follow(u64, Waiting),
    /// It is about these, as far as is known.
    Tell(Waiting, Vec<Address>),
    /// Nobody knows for whom it is.
    Drop(Waiting),
}

impl Waiting {
    /// A notice that does not say whom it is about, though it should.
    fn of(peer: &Peer, transaction: &Transaction) -> Option<Self> {
        let peek = &transaction.peek;
        if transaction.name != Name::LeaveGroupIndication
            || !(peek.users.is_empty() && peek.recipients.is_empty())
            || !peer.dialect.unaddressed_notices
        {
            return None;
        }
        let (Some(group), Ok(xml)) = (&peek.group, std::str::from_utf8(&transaction.raw)) else {
            return None;
        };
        Some(Self {
            peer: peer.real().to_owned(),
            group: group.clone(),
            notice: Notice {
                id: transaction.id.clone(),
                xml: xml.to_owned(),
                via: transaction.via.clone(),
            },
            next: None,
            askers: Vec::new(),
            gone: Vec::new(),
        })
    }

    /// The peer it came from.
    pub(in crate::sap) fn peer(&self) -> &str {
        &self.peer
    }

    /// The notice's transaction id.
    pub(in crate::sap) fn id(&self) -> &str {
        &self.notice.id
    }

    /// Another notice about the same group, which is to be told after this one.
    pub(in crate::sap) fn follow(&mut self, next: Self) {
        if self.notice.id != next.notice.id {
            self.next = Some(next.notice);
        }
    }

    /// The next member asks; if there is none, what is known by then is told.
    pub(in crate::sap) fn ask(mut self, own: &str, memberships: &Memberships) -> Next {
        let mut members = memberships.who(&self.peer, &self.group);
        members.retain(|member| !self.askers.contains(member));
        // Peers that take users of our own domain only are not rare (quirk E-2).
        members.sort_by_key(|member| member.domain() != own);
        let asker = members.into_iter().next();
        let Some(asker) = asker.filter(|_| self.askers.len() < MOST_ASKERS) else {
            return self.tell();
        };
        let request = GetJoinedUsersRequest {
            group: self.group.clone(),
            meta: Some(MetaInfo::of_user(asker.domain(), asker.clone())),
        };
        self.askers.push(asker);
        Next::Ask(self, request)
    }

    /// What is known by now is told.
    pub(in crate::sap) fn tell(mut self) -> Next {
        let gone = std::mem::take(&mut self.gone);
        Next::Tell(self, gone)
    }

    /// The answer to a question, of whatever kind, with its code.
    pub(in crate::sap) fn answered(
        mut self,
        answer: &Primitive,
        code: Code,
        own: &str,
        memberships: &Memberships,
    ) -> Next {
        match answer {
            Primitive::GetJoinedUsersResponse(joined) if code.is_success() => {
                let gone = self.not_listed(joined, memberships);
                self.gone.extend(gone);
            }
            _ if code == Code::NO_GROUP => {
                self.gone = memberships.who(&self.peer, &self.group);
            }
            _ if code == Code::TIMEOUT => {}
            _ => {
                if code == Code::NOT_JOINED {
                    self.gone.extend(self.askers.last().cloned());
                }
                return self.ask(own, memberships);
            }
        }
        self.tell()
    }

    /// Members on our side who are not in a list of who is joined. Who may stand there
    /// under a name that we do not know is not taken for gone.
    fn not_listed(
        &self,
        joined: &GetJoinedUsersResponse,
        memberships: &Memberships,
    ) -> Vec<Address> {
        let lists = [
            &joined.admins,
            &joined.moderators,
            &joined.users,
            &joined.blocked,
        ];
        let lists = lists.into_iter().flatten().flat_map(|list| &list.map);
        let mut users = BTreeSet::new();
        let mut names = BTreeSet::new();
        for mapping in lists.flat_map(|map| map.mappings.iter().flatten()) {
            if let Some(user) = &mapping.user {
                users.insert(user.user.clone());
            } else if let Some(name) = &mapping.screen_name {
                names.insert(name.to_lowercase());
            }
        }
        let members = memberships.who(&self.peer, &self.group);
        let mut nameless = Vec::new();
        let mut gone = Vec::new();
        for who in members.into_iter().filter(|who| !users.contains(who)) {
            let membership = Membership::new(&self.peer, &self.group, &who);
            match memberships.name(&membership) {
                Some(name) if names.remove(&name.to_lowercase()) => {}
                Some(_) => gone.push(who),
                None => nameless.push(who),
            }
        }
        // Without a name the id serves (9.4.1), in one form or another.
        nameless.retain(|who| {
            let forms = [who.user_part(), who.bare(), who.as_str()];
            !forms.iter().any(|form| names.remove(*form))
        });
        if names.is_empty() {
            gone.extend(nameless);
        }
        gone
    }

    /// The notice as if it had named those whom it is about; and the one after it.
    pub(in crate::sap) fn addressed(
        mut self,
        mut gone: Vec<Address>,
    ) -> (Option<Transaction>, Option<Self>) {
        gone.sort();
        gone.dedup();
        let told = match decode_fragment(self.notice.xml.as_bytes()) {
            Ok(Primitive::LeaveGroupIndication(mut notice)) if !gone.is_empty() => {
                notice.users = gone.into_iter().map(User::new).collect();
                let notice = Primitive::LeaveGroupIndication(notice);
                let mut told = Transaction::new(Mode::Request, self.notice.id.clone(), &notice);
                told.via.clone_from(&self.notice.via);
                Some(told)
            }
            _ => None,
        };
        let next = self.next.take().map(|next| {
            self.notice = next;
            self.askers.clear();
            self
        });
        (told, next)
    }
}

impl Questions {
    /// A question waits for its answer, as this row.
    pub(in crate::sap) fn asked(&mut self, waiting: &Waiting, number: u64) {
        self.0.insert(key(waiting), Question::UnderWay(number));
    }

    /// A question has its answer.
    pub(in crate::sap) fn answered(&mut self, waiting: &Waiting, now: Time) {
        self.0.insert(key(waiting), Question::Answered(now));
    }

    /// Whether who has left a group is asked for, or was a moment ago: then it cannot
    /// be told from how many are left.
    pub(in crate::sap) fn concern(&self, peer: &str, group: &Address, now: Time) -> bool {
        match self.0.get(&(peer.to_owned(), group.clone())) {
            Some(Question::UnderWay(_)) => true,
            Some(Question::Answered(at)) => now.after(*at) < LATELY,
            None => false,
        }
    }

    /// What is to be done about a notice that does not say whom it is about; `None` for
    /// all others.
    pub(in crate::sap) fn notice(
        &mut self,
        peer: &Peer,
        transaction: &Transaction,
        own: &str,
        memberships: &Memberships,
        now: Time,
    ) -> Option<Next> {
        let waiting = Waiting::of(peer, transaction)?;
        if memberships.who(&waiting.peer, &waiting.group).is_empty() {
            return Some(Next::Drop(waiting));
        }
        if let Some(Question::UnderWay(number)) = self.0.get(&key(&waiting)) {
            return Some(Next::Follow(*number, waiting));
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, question| match question {
                Question::UnderWay(_) => true,
                Question::Answered(at) => now.after(*at) < LATELY,
            });
        }
        if self.0.len() >= MOST {
            return Some(Next::Drop(waiting));
        }
        Some(waiting.ask(own, memberships))
    }
}

fn key(waiting: &Waiting) -> (String, Address) {
    (waiting.peer.clone(), waiting.group.clone())
}
