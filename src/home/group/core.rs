//! What all groups of the home domain share: settings, counts, timers, questions, and the way out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::again::Sent;
use super::records;
use super::settings::GroupSettings;
use crate::element::{Act, RequestId, Skew, Time, Token};
use crate::home::random::Random;
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::text::Seldom;

/// Everything that does not belong to one group.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) settings: GroupSettings,
    /// What is to be done, not yet taken by the home domain.
    acts: VecDeque<Act>,
    /// What is due when. Entries may outlive what they are about.
    pub(super) timers: BTreeSet<(Time, Timer)>,
    /// How many groups each user is joined to.
    joined: HashMap<Address, usize>,
    /// How many groups each user owns.
    owned: HashMap<Address, usize>,
    /// Bytes of what groups have still to hand on.
    pub(super) outgoing_bytes: usize,
    /// Bytes of messages that are remembered until they are answered.
    sent_bytes: usize,
    /// Those of them that were taken over, by the time when they expire, and their bytes.
    taken_over: BTreeSet<(Time, Token)>,
    taken_over_bytes: usize,
    /// What waits for its answer.
    asked: HashMap<Token, Asked>,
    /// Users whose domains are asked whether they exist, each for a group.
    asked_about: HashSet<(String, Address)>,
    /// Domains of users that are not reached, since when; records.
    pub(super) away: BTreeMap<String, Time>,
    /// How the wall clock stands, for dates that others see.
    pub(super) skew: Skew,
    /// Lines of the log that others can make repeat.
    pub(super) seldom: Seldom,
    random: Random,
}

/// What is due at a deadline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Something of the group with this name is to be handed on, or its lifetime is over.
    Group(String),
    /// What has this number in the group with this name is to be handed on again.
    Again(String, u64),
    /// Users of a domain to which no session came back have left their groups.
    Away(String),
}

/// What a group has asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// To take a message of the group with this name, which is remembered as long as there is room.
    Message(String, Option<Sent>),
    /// Whether a user of the group with this name exists, of whom somebody said that they do not.
    Exists(String, Address),
}

impl Core {
    pub(super) fn new(settings: GroupSettings, seed: u64) -> Self {
        Self {
            settings,
            acts: VecDeque::new(),
            timers: BTreeSet::new(),
            joined: HashMap::new(),
            owned: HashMap::new(),
            outgoing_bytes: 0,
            sent_bytes: 0,
            taken_over: BTreeSet::new(),
            taken_over_bytes: 0,
            asked: HashMap::new(),
            asked_about: HashSet::new(),
            away: BTreeMap::new(),
            skew: Skew::default(),
            seldom: Seldom::default(),
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

    /// Wants something done.
    pub(super) fn act(&mut self, act: Act) {
        self.acts.push_back(act);
    }

    /// Wants several things done.
    pub(super) fn acts(&mut self, acts: impl IntoIterator<Item = Act>) {
        self.acts.extend(acts);
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

    /// A token no waiting request of a group has.
    pub(super) fn token(&mut self) -> Token {
        loop {
            let token = Token(self.random.next());
            if !self.asked.contains_key(&token) {
                return token;
            }
        }
    }

    /// The token for a message of a group, which is kept until the answer if there is room.
    pub(super) fn ask_to_take(&mut self, group: &str, sent: &Sent) -> Token {
        let token = self.token();
        if self.make_room(sent.bytes()) {
            self.act(records::put_sent(group, token, sent));
            self.await_answer(group, token, sent.clone());
        } else {
            let asked = Asked::Message(group.to_owned(), None);
            self.asked.insert(token, asked);
        }
        token
    }

    /// Whether a message of so many bytes can be remembered. Messages that were taken over go for
    /// it, those first that expire first: that one of them fails is less likely.
    fn make_room(&mut self, bytes: usize) -> bool {
        let most = self.settings.max_outgoing_bytes;
        if self.sent_bytes - self.taken_over_bytes + bytes > most {
            return false;
        }
        while self.sent_bytes + bytes > most
            && let Some((_, token)) = self.taken_over.first().copied()
        {
            self.answered(token);
        }
        true
    }

    /// A message of a group is on its way, perhaps since before a restart.
    pub(super) fn await_answer(&mut self, group: &str, token: Token, sent: Sent) {
        self.sent_bytes += sent.bytes();
        let asked = Asked::Message(group.to_owned(), Some(sent));
        self.asked.insert(token, asked);
    }

    /// Whether something was asked with this token, and is not answered.
    pub(super) fn has_asked(&self, token: Token) -> bool {
        self.asked.contains_key(&token)
    }

    /// A message of a group was taken over: from now on it is remembered as long as there is room.
    pub(super) fn is_taken_over(&mut self, token: Token) {
        let Some(Asked::Message(_, sent)) = self.asked.get(&token) else {
            return;
        };
        match sent {
            Some(sent) if self.taken_over.insert((sent.expires, token)) => {
                self.taken_over_bytes += sent.bytes();
            }
            Some(_) => {}
            None => {
                self.asked.remove(&token);
            }
        }
    }

    /// A group is no more: nobody waits for answers to its messages.
    pub(super) fn forget_messages(&mut self, group: &str) {
        let asked = self.asked.iter();
        let of_it =
            asked.filter(|(_, asked)| matches!(asked, Asked::Message(name, _) if name == group));
        let of_it: Vec<Token> = of_it.map(|(token, _)| *token).collect();
        for token in of_it {
            self.answered(token);
        }
    }

    /// The token for a question whether a user of a group exists; `None` if that is asked already,
    /// or too much is.
    pub(super) fn ask_about(&mut self, group: &str, user: &Address) -> Option<Token> {
        let about = (group.to_owned(), user.clone());
        if self.asked_about.len() >= self.settings.max_asked || !self.asked_about.insert(about) {
            return None;
        }
        let token = self.token();
        let asked = Asked::Exists(group.to_owned(), user.clone());
        self.asked.insert(token, asked);
        Some(token)
    }

    /// What was asked with this token, which is answered now.
    pub(super) fn answered(&mut self, token: Token) -> Option<Asked> {
        let asked = self.asked.remove(&token)?;
        if let Asked::Message(group, Some(sent)) = &asked {
            self.sent_bytes -= sent.bytes();
            if self.taken_over.remove(&(sent.expires, token)) {
                self.taken_over_bytes -= sent.bytes();
            }
            self.act(records::delete_sent(group, token));
        }
        if let Asked::Exists(group, user) = &asked {
            self.asked_about.remove(&(group.clone(), user.clone()));
        }
        Some(asked)
    }

    /// A message id that nobody has used.
    pub(super) fn message_id(&mut self) -> String {
        self.random.message_id()
    }

    /// How many groups a user is joined to.
    pub(super) fn joined_by(&self, user: &Address) -> usize {
        self.joined.get(user).copied().unwrap_or_default()
    }

    /// How many groups a user owns.
    pub(super) fn owned_by(&self, user: &Address) -> usize {
        self.owned.get(user).copied().unwrap_or_default()
    }

    pub(super) fn joins(&mut self, user: &Address) {
        *self.joined.entry(user.clone()).or_default() += 1;
    }

    pub(super) fn leaves(&mut self, user: &Address) {
        less(&mut self.joined, user);
    }

    pub(super) fn owns(&mut self, user: &Address) {
        *self.owned.entry(user.clone()).or_default() += 1;
    }

    pub(super) fn owns_less(&mut self, user: &Address) {
        less(&mut self.owned, user);
    }
}

fn less(counts: &mut HashMap<Address, usize>, user: &Address) {
    if let Some(count) = counts.get_mut(user) {
        *count -= 1;
        if *count == 0 {
            counts.remove(user);
        }
    }
}
