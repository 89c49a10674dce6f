//! A peer says that somebody has left its group, but not who (quirk B-5).
//! Where several of our side can be meant, one of them asks who is joined, and those no
//! longer listed get the notice on.
//!
//! The notice waits in the Transaction Table with the question, so a restart loses
//! neither.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::sap::element::{Time, Token};
use crate::sap::transaction::recipients;
use crate::sap::transaction::{Origin, Record, State};
use crate::sap::{OWN, Peer, Sap};
use crate::ssp::common::{MetaInfo, User};
use crate::ssp::envelope::{Transaction, decode_fragment};
use crate::ssp::primitive::group::{GetJoinedUsersRequest, GetJoinedUsersResponse};
use crate::ssp::{Address, Code, Mode, Primitive};
use crate::text::Shown;

use crate::sap::dialect::memberships::Seat;

/// Questions under way, or answered lately, of all peers together; one a group. Our choice.
const MOST: usize = 1_000;
/// Members who ask one after the other about one notice, at most. Our choice.
const MOST_ASKERS: usize = 8;
/// Notices about those whom one answer told are still on their way for so long:
/// milliseconds, the life of a notice in the deployed server's queue (quirk E-15).
const LATELY: u64 = 120_000;

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
    /// Askers who were told that they are not in the group.
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

impl Questions {
    /// Takes back a record written before a restart.
    pub(in crate::sap) fn restore(&mut self, number: u64, record: &Record) {
        if let Some(waiting) = record.waiting.as_ref().filter(|_| is_open(record)) {
            self.0.insert(key(waiting), Question::UnderWay(number));
        }
    }

    /// Whether who has left a group is asked for, or was a moment ago: then it cannot
    /// be told from how many are left.
    pub(in crate::sap) fn concern(&self, peer: &str, group: &Address, now: Time) -> bool {
        match self.0.get(&(peer.to_owned(), group.clone())) {
            Some(Question::UnderWay(_)) => true,
            Some(Question::Answered(at)) => now.since(*at) < LATELY,
            None => false,
        }
    }
}

fn key(waiting: &Waiting) -> (String, Address) {
    (waiting.peer.clone(), waiting.group.clone())
}

fn is_open(record: &Record) -> bool {
    record.state == State::Pending
}

impl Sap {
    /// Takes a notice that does not say whom it is about, if members can be asked.
    pub(in crate::sap) fn asks_who_left(
        &mut self,
        peer: &Peer,
        transaction: &Transaction,
        now: Time,
    ) -> bool {
        let peek = &transaction.peek;
        if transaction.name != "LeaveGroupIndication"
            || !(peek.users.is_empty() && peek.recipients.is_empty())
            || !peer.dialect.unaddressed_notices
        {
            return false;
        }
        let (Some(group), Ok(xml)) = (&peek.group, std::str::from_utf8(&transaction.raw)) else {
            return false;
        };
        let waiting = Waiting {
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
        };
        let at = key(&waiting);
        if self.standing.who(peer.real(), group).is_empty() {
            self.nobody_knows(&waiting);
            return true;
        }
        if let Some(Question::UnderWay(number)) = self.questions.0.get(&at) {
            let write = self.table.update(*number, |record| {
                if let Some(before) = &mut record.waiting
                    && before.notice.id != waiting.notice.id
                {
                    before.next = Some(waiting.notice);
                }
            });
            self.write(write);
            return true;
        }
        if self.questions.0.len() >= MOST {
            self.questions.0.retain(|_, question| match question {
                Question::UnderWay(_) => true,
                Question::Answered(at) => now.since(*at) < LATELY,
            });
        }
        if self.questions.0.len() >= MOST {
            self.nobody_knows(&waiting);
        } else {
            self.ask_who_left(waiting, now);
        }
        true
    }

    /// The next member asks; if there is none, what is known by then is told.
    fn ask_who_left(&mut self, mut waiting: Waiting, now: Time) {
        let own = &self.settings.domain;
        let mut members = self.standing.who(&waiting.peer, &waiting.group);
        members.retain(|member| !waiting.askers.contains(member));
        // Peers that take users of our own domain only are not rare (quirk E-2).
        members.sort_by_key(|member| member.domain() != own);
        let asker = members.into_iter().next();
        let Some(asker) = asker.filter(|_| waiting.askers.len() < MOST_ASKERS) else {
            let gone = std::mem::take(&mut waiting.gone);
            return self.tell_who_left(waiting, gone, now);
        };
        let request = GetJoinedUsersRequest {
            group: waiting.group.clone(),
            meta: Some(MetaInfo::of_user(asker.domain(), asker.clone())),
        };
        waiting.askers.push(asker);
        let expires = now.plus_millis(self.settings.response_timeout);
        let (element, token) = (OWN, Token(self.table.next_number(now)));
        self.request(element, token, &request.into(), expires, now);
        let number = self.table.by_origin(&Origin::Element { element, token });
        let open = number.filter(|number| self.table.get(*number).is_some_and(is_open));
        let Some(number) = open else {
            // It was refused here and now, and so will the others be.
            let gone = std::mem::take(&mut waiting.gone);
            return self.tell_who_left(waiting, gone, now);
        };
        self.questions
            .0
            .insert(key(&waiting), Question::UnderWay(number));
        let write = self
            .table
            .update(number, |record| record.waiting = Some(waiting));
        self.write(write);
    }

    /// The answer to a question, of whatever kind.
    pub(in crate::sap) fn told_who_is_joined(
        &mut self,
        mut waiting: Waiting,
        answer: &str,
        now: Time,
    ) {
        let answer = decode_fragment(answer.as_bytes());
        let joined = match &answer {
            Ok(Primitive::GetJoinedUsersResponse(joined)) => Some(&**joined),
            _ => None,
        };
        let code = match (&answer, joined) {
            (_, Some(joined)) => joined.status.code,
            (Ok(answer), None) => {
                recipients::status_of(answer).map_or(Code::INTERNAL, |status| status.code)
            }
            (Err(_), None) => Code::INTERNAL,
        };
        let mut gone = std::mem::take(&mut waiting.gone);
        match joined {
            Some(joined) if code.is_success() => {
                gone.extend(self.not_listed(&waiting, joined));
            }
            _ if code == Code::NO_GROUP => {
                gone = self.standing.who(&waiting.peer, &waiting.group);
            }
            _ if code == Code::TIMEOUT => {}
            _ => {
                if code == Code::NOT_JOINED {
                    gone.extend(waiting.askers.last().cloned());
                }
                waiting.gone = gone;
                return self.ask_who_left(waiting, now);
            }
        }
        self.tell_who_left(waiting, gone, now);
    }

    /// Members on our side who are not in a list of who is joined. Who may stand there
    /// under a name that we do not know is not taken for gone.
    fn not_listed(&self, waiting: &Waiting, joined: &GetJoinedUsersResponse) -> Vec<Address> {
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
        let members = self.standing.who(&waiting.peer, &waiting.group);
        let mut nameless = Vec::new();
        let mut gone = Vec::new();
        for who in members.into_iter().filter(|who| !users.contains(who)) {
            let seat = Seat {
                peer: waiting.peer.clone(),
                at: waiting.group.clone(),
                who,
            };
            match self.standing.name(&seat) {
                Some(name) if names.remove(&name.to_lowercase()) => {}
                Some(_) => gone.push(seat.who),
                None => nameless.push(seat.who),
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

    /// The notice goes on to those who have left, as if it had named them.
    fn tell_who_left(&mut self, mut waiting: Waiting, mut gone: Vec<Address>, now: Time) {
        gone.sort();
        gone.dedup();
        let at = key(&waiting);
        self.questions.0.insert(at, Question::Answered(now));
        let notice = decode_fragment(waiting.notice.xml.as_bytes());
        if let (false, Some(peer), Ok(Primitive::LeaveGroupIndication(mut notice))) =
            (gone.is_empty(), self.peer_settings(&waiting.peer), notice)
        {
            notice.users = gone.into_iter().map(User::new).collect();
            let notice = Primitive::LeaveGroupIndication(notice);
            let mut told = Transaction::new(Mode::Request, waiting.notice.id.clone(), &notice);
            told.via.clone_from(&waiting.notice.via);
            self.peer_request(&peer, "", &told, now);
        } else {
            self.nobody_knows(&waiting);
        }
        if let Some(next) = waiting.next.take() {
            waiting.notice = next;
            waiting.askers.clear();
            self.ask_who_left(waiting, now);
        }
    }

    fn nobody_knows(&mut self, waiting: &Waiting) {
        tracing::warn!(
            ssp.peer = waiting.peer,
            ssp.transaction = %Shown(&waiting.notice.id),
            ssp.primitive = "LeaveGroupIndication",
            "nobody knows for whom this is; dropped"
        );
        self.count_refusal(Code::BAD_PARAMETER.0);
    }
}
