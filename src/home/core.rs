//! What all users of the home domain share: settings, randomness, client sessions, timers, and
//! the ways out (acts and events).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::element::{Act, RequestId, Skew, Time, Token};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::status::Code;
use crate::text::Seldom;

use super::addresses::Addresses;
use super::at_rest::AtRest;
use super::client::{ClientKey, Method, ToClient};
use super::contact_list::Expansion;
use super::echo::Rate;
use super::fetches::Fetches;
use super::random::Random;
use super::reach::Away;
use super::reads::Reads;
use super::records;
use super::remote::is_remote;
use super::settings::HomeSettings;

/// Everything that does not belong to one user.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) settings: HomeSettings,
    /// Whose session each client is.
    pub(super) clients: BTreeMap<ClientKey, String>,
    /// What is to be done, not yet taken by the joint.
    acts: VecDeque<Act>,
    /// What is due when. Entries may outlive what they are about.
    pub(super) timers: BTreeSet<(Time, Timer)>,
    /// Requests of our users that wait for their answer.
    pub(super) requests: BTreeMap<Token, Pending>,
    /// Domains that cannot be reached.
    pub(super) away: Away,
    /// How much the echo user may say.
    pub(super) echoes: Rate,
    /// Messages that wait, of all users.
    pub(super) waiting: usize,
    /// Bytes of what waits for all users.
    pub(super) waiting_bytes: usize,
    /// Reports and refusals that wait, of all users.
    pub(super) notices: usize,
    /// Bytes of invitations, of all users.
    pub(super) invitation_bytes: usize,
    /// Bytes of what users have told of their presence, besides what stands in accounts.
    pub(super) told_bytes: usize,
    /// Bytes of contents in memory, of all users.
    pub(super) held_bytes: usize,
    /// Lines of the log that can repeat.
    pub(super) seldom: Seldom,
    /// Questions that clients were asked so far.
    pub(super) questions: u64,
    /// Reads of contents.
    pub(super) reads: Reads,
    /// Who waits for one of these.
    pub(super) fetches: Fetches,
    /// What home domains are told as clients of guests, until it is handed over.
    pub(super) handed_over: VecDeque<(ClientKey, ToClient)>,
    /// How the wall clock stands, for dates that others see.
    pub(super) skew: Skew,
    /// Users who are awake and have not changed since: their rows are together in one record.
    pub(super) whole: BTreeMap<String, AtRest>,
    random: Random,
}

/// What is due at a deadline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// An arrival in a user's inbox ends.
    Arrival(String, u64),
    /// A kept event of a user ends.
    Notice(String, u64),
    /// An invitation that a user has sent or received ends.
    Invitation(String, u64),
    /// What a withdrawn invitation of a user has shared is shared no more.
    Unshare(String, u64),
    /// What waits for a user could not be read, and is tried again.
    Read(String),
    /// A request should have been answered.
    Request(Token),
    /// Watchers of a user who are not authorized are forgotten.
    Watchers(String),
    /// A user's subscription is to be tried again.
    Retry(String, Address),
    /// Users of a domain to which no session came back are shown as unknown.
    Away(String),
}

/// A request of a user of ours that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Pending {
    /// The user whose request it is.
    pub(super) user: String,
    /// The client that asked; does not survive a restart.
    #[serde(skip)]
    pub(super) asker: Option<Asker>,
    /// When the answer is no longer waited for.
    pub(super) until: Time,
    /// What the request asks for.
    pub(super) what: Asked,
}

/// A client that waits for an answer, and what it calls its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) client: ClientKey,
    pub(super) id: String,
}

/// What a request of a user asks for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Asked {
    /// To take a message.
    Message {
        id: String,
        /// As the client has named them.
        to: Addresses,
        /// Whether contact lists are among them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lists: bool,
    },
    /// To subscribe to presence.
    Subscribe { to: Addresses },
    /// A group of this domain, whether the user may invite into it.
    Admission {
        /// The invitation that follows.
        #[serde(with = "crate::element::xml")]
        invitation: Box<Primitive>,
    },
    /// To take the invitation that is kept under this number.
    Invitation { number: u64 },
    /// To give a client another delivery method, or for messages of a group.
    Delivery {
        method: Method,
        most: Option<u64>,
        group: Option<Address>,
    },
    /// To take a message that is forwarded.
    Forward {
        /// Of the message that waits.
        at: u64,
        id: String,
        /// To answer with, until it is taken over; does not survive a restart.
        #[serde(skip)]
        caller: Option<RequestId>,
    },
    /// Who is on contact lists that a request of a client is for; not kept.
    #[serde(skip)]
    Members(Box<Expansion>),
    /// The home domain of a guest, to take what the guest is told under a number; not kept.
    #[serde(skip)]
    HandedOver { client: ClientKey, number: u64 },
    /// For a message that a group has kept: nothing waits here until it is acknowledged.
    History,
    /// Anything else that a client wanted.
    Other,
}

impl Asked {
    /// Whether it is a message that is forwarded, and nobody waits for the answer but the message.
    pub(super) fn is_taken_over(&self) -> bool {
        matches!(self, Self::Forward { caller: None, .. })
    }

    /// Whether the answer still means something after a restart.
    pub(super) fn is_durable(&self) -> bool {
        matches!(
            self,
            Self::Message { .. }
                | Self::Subscribe { .. }
                | Self::Invitation { .. }
                | Self::Forward { .. }
        )
    }
}

impl Core {
    pub(super) fn new(settings: HomeSettings, seed: u64) -> Self {
        Self {
            settings,
            clients: BTreeMap::new(),
            acts: VecDeque::new(),
            timers: BTreeSet::new(),
            requests: BTreeMap::new(),
            away: Away::default(),
            echoes: Rate::default(),
            waiting: 0,
            waiting_bytes: 0,
            notices: 0,
            invitation_bytes: 0,
            told_bytes: 0,
            held_bytes: 0,
            seldom: Seldom::default(),
            questions: 0,
            reads: Reads::default(),
            fetches: Fetches::default(),
            handed_over: VecDeque::new(),
            skew: Skew::default(),
            whole: BTreeMap::new(),
            random: Random::new(seed),
        }
    }

    pub(super) fn domain(&self) -> &str {
        &self.settings.domain
    }

    /// The address with our domain where it has none.
    pub(super) fn at_home(&self, address: &Address) -> Address {
        address.clone().or_domain(&self.settings.domain)
    }

    /// The name of the user of ours that an address names, or why it names none.
    pub(super) fn local_name<'a>(&self, address: &'a Address) -> Result<&'a str, Code> {
        if address.domain() != self.settings.domain {
            return Err(Code::DOMAIN_NOT_SUPPORTED);
        }
        Ok(address.local())
    }

    /// Wants something done. The first change of a user whose rows are together in the record of a
    /// user at rest takes that apart.
    pub(super) fn act(&mut self, act: Act) {
        if !self.whole.is_empty()
            && let Act::Write(write) = &act
            && let Some(name) = records::user_of(write.key())
            && let Some((name, record)) = self.whole.remove_entry(name)
        {
            let apart = record.apart(&name, &self.settings.domain);
            self.acts.extend(apart);
        }
        self.acts.push_back(act);
    }

    /// Wants several things done.
    pub(super) fn acts(&mut self, acts: impl IntoIterator<Item = Act>) {
        for act in acts {
            self.act(act);
        }
    }

    /// What is to be done next.
    pub(super) fn next_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// Answers a request; a notice (without id) is not answered.
    pub(super) fn respond(&mut self, to: Option<RequestId>, primitive: impl Into<Primitive>) {
        if let Some(to) = to {
            self.act(Act::Respond {
                to,
                primitive: primitive.into(),
            });
        }
    }

    /// Tells a client something.
    pub(super) fn tell(&mut self, client: ClientKey, told: ToClient) {
        if is_remote(client) {
            self.handed_over.push_back((client, told));
        } else {
            self.act(Act::Tell(client, told));
        }
    }

    /// Answers a request of a client.
    pub(super) fn answer(&mut self, asker: Asker, primitive: impl Into<Primitive>) {
        let Asker { client, id } = asker;
        self.tell(client, ToClient::answer(id, primitive));
    }

    /// A token no waiting request has.
    pub(super) fn token(&mut self) -> Token {
        loop {
            let token = Token(self.random.next());
            if !self.requests.contains_key(&token) {
                return token;
            }
        }
    }

    /// A number for a read.
    pub(super) fn read_number(&mut self) -> u64 {
        self.random.next()
    }

    /// A message id that nobody has used.
    pub(super) fn message_id(&mut self) -> String {
        self.random.message_id()
    }

    /// Sends a notice, or a request whose answer does not matter.
    pub(super) fn send(&mut self, primitive: impl Into<Primitive>, now: Time) {
        let token = self.token();
        self.act(Act::Request {
            token,
            primitive: primitive.into(),
            expires: now.plus(self.settings.request_validity),
        });
    }
}
