//! What all rooms share.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use sha1::{Digest, Sha1};
use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::Presence;

use super::questions::Question;
use super::records::SALT;
use crate::element::Time;
use crate::gateway::records::read;
use crate::gateway::shared::Shared;
use crate::gateway::shares::{Most, Shares, domain_of};
use crate::gateway::timers::Timers;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::group::LeaveGroupRequest;
use crate::imps::{Address, Code};
use crate::store::Write;
use crate::translate::Context;

/// Until it is asked again whether a group and its occupants agree.
pub(super) const LOOK: Duration = Duration::from_secs(1800);
/// Until what did not work is tried again.
pub(super) const AGAIN: Duration = Duration::from_secs(60);
/// How long a group may take to answer.
const WAIT: Duration = Duration::from_secs(60);

/// Somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) group: Address,
    /// The XMPP user, as bare JID.
    pub(super) user: String,
}

/// What a group was asked.
#[derive(Debug)]
pub(super) enum Asked {
    /// About an occupant.
    Occupant(Who, About),
    /// To talk about something else, as this message says.
    Topic(Who, Box<Message>),
    /// On behalf of an XMPP user who asks.
    Question(Box<Question>),
}

/// What a group was asked about an occupant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Join,
    /// To be made, for one who comes in.
    Create,
    Leave,
    /// What it is, and what the user is in it.
    Properties,
    /// Who is there.
    Joined,
    /// Whether somebody is still there.
    Still,
}

/// What is to be looked after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A room: whether the group and its occupants agree.
    Room(Address),
    /// A message that should have been answered.
    Said(u64),
}

/// What all rooms share.
#[derive(Debug)]
pub(super) struct Core {
    asked: BTreeMap<u64, Asked>,
    pub(super) timers: Timers<Due>,
    /// Occupants, by the domain of the user.
    pub(super) shares: Shares,
    /// Bytes of names that are shown, in all rooms.
    pub(super) name_bytes: usize,
    /// Clients that are asked whether they are there: by the id of the question.
    pub(super) pings: BTreeMap<String, (Who, String)>,
    /// Users who have come into a group: which, who, and under which name.
    pub(super) came: VecDeque<(Address, Address, String)>,
    salt: String,
}

impl Core {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            asked: BTreeMap::new(),
            timers: Timers::default(),
            shares: Shares::new(own),
            name_bytes: 0,
            pings: BTreeMap::new(),
            came: VecDeque::new(),
            salt: String::new(),
        }
    }

    /// Takes back what ids are made with.
    pub(super) fn restore_salt(&mut self, value: &[u8]) -> Result<(), String> {
        self.salt = read(value)?;
        Ok(())
    }

    /// Makes sure that ids can be made.
    pub(super) fn begin(&mut self, shared: &mut Shared) {
        if self.salt.is_empty() {
            self.salt = shared.id();
            shared.write(Write::put_json(SALT, &self.salt));
        }
    }

    /// Asks a group something.
    pub(super) fn ask(
        &mut self,
        asked: Asked,
        primitive: impl Into<Primitive>,
        now: Time,
        shared: &mut Shared,
    ) -> u64 {
        let token = shared.number();
        self.asked.insert(token, asked);
        shared.request(token, primitive.into(), now.plus(WAIT));
        token
    }

    /// Asks a domain something that does not say itself where it goes.
    pub(super) fn ask_at(
        &mut self,
        asked: Asked,
        to: Address,
        primitive: impl Into<Primitive>,
        now: Time,
        shared: &mut Shared,
    ) {
        let token = shared.number();
        self.asked.insert(token, asked);
        shared.request_at(token, to, primitive, now.plus(WAIT));
    }

    /// What was asked under a token.
    pub(super) fn answered(&mut self, token: u64) -> Option<Asked> {
        self.asked.remove(&token)
    }

    /// Whether the token is of a question to a group.
    pub(super) fn has_asked(&self, token: u64) -> bool {
        self.asked.contains_key(&token)
    }

    /// How many questions wait for an answer.
    pub(super) fn open(&self) -> usize {
        self.asked.len()
    }

    /// Whether one more user can be in a group.
    pub(super) fn has_room_for(&self, user: &str, group: &Address, shared: &Shared) -> bool {
        let bounds = &shared.settings.rooms;
        let most = Most {
            items: bounds.max_occupants,
            bytes: bounds.max_occupant_bytes,
        };
        let bytes = bytes_of(user, group);
        self.shares.have_room(domain_of(user), bytes, most)
    }

    /// An id made of these texts, which says nothing of them.
    pub(super) fn digest(&self, texts: &[&str]) -> String {
        let mut hash = Sha1::new();
        hash.update(self.salt.as_bytes());
        for text in texts {
            hash.update([0]);
            hash.update(text.as_bytes());
        }
        let mut id = String::with_capacity(24);
        for byte in &hash.finalize()[..12] {
            let _ = write!(id, "{byte:02x}");
        }
        id
    }
}

/// What an occupant takes, roughly.
pub(super) fn bytes_of(user: &str, group: &Address) -> usize {
    2 * user.len() + group.as_str().len() + 256
}

/// Of a request of a user.
pub(super) fn meta(user: &Address) -> MetaInfo {
    MetaInfo::of_user(user.domain(), user.clone())
}

/// To leave a group.
pub(super) fn leave_request(group: &Address, user: &Address) -> LeaveGroupRequest {
    LeaveGroupRequest {
        group: group.clone(),
        meta: Some(meta(user)),
    }
}

/// Whether it may be otherwise in a while.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(
        code.0,
        408 | 500 | 503 | 504 | 507 | 516 | 521 | 522 | 535 | 600..=604
    )
}

/// Answers the wish of a client, whose stanza came from `to`, with an error.
pub(super) fn refuse_entry(
    component: &str,
    (from, to): (Jid, Jid),
    id: Option<String>,
    code: Code,
    shared: &mut Shared,
) {
    let table = &shared.translator.mappings.status;
    let Some(error) = table.error(code, Context::Join, None) else {
        return;
    };
    let mut refusal = Presence::error().with_from(from).with_to(to);
    refusal.id = id;
    let x = crate::translate::stanza::element("x", crate::translate::room::ns::MUC);
    refusal.payloads.push(x.build());
    refusal.payloads.push(error.into());
    shared.hand(component, Stanza::Presence(refusal));
}
