//! What a request comes to, before the user's server has agreed.

use minidom::Element;

use crate::gateway::kept::Account;
use crate::imps::primitive::Primitive;
use crate::imps::{Address, Code, Status};
use crate::translate::Translator;
use crate::translate::roster::{self, Contacts, Subscription};

/// What is to be done for a request.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) done: Done,
    /// What is kept of the user when the server has agreed.
    pub(super) account: Account,
    /// What the server is told.
    pub(super) changes: Vec<Change>,
    /// It is done whether the server agrees or not, and before it is asked.
    pub(super) is_sure: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    /// Its answer, if the server does not say otherwise.
    Answer(Primitive),
    /// It is not done.
    Refused(Status),
    /// It goes on, with the members of lists in their place.
    GoesOn(Box<Primitive>),
    /// Nobody waits for anything.
    Nothing,
}

/// One thing that the server is told.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) payload: Element,
    pub(super) effect: Effect,
}

/// What is so once the server has done it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing but that.
    Plain,
    /// Somebody is no contact any more.
    Removed(Address),
    /// A contact sees presence for an attribute list alone.
    Approved(Address),
    /// A contact does so no more.
    Withdrawn(Address),
}

/// What the server is being told.
#[derive(Debug)]
pub(super) struct Writing {
    plan: Plan,
    /// Answers that are to come.
    waits: usize,
    failure: Option<Code>,
    /// What is so by now.
    effects: Vec<Effect>,
    /// Who was counted as approved, and is not.
    unapproved: Vec<Address>,
}

/// What is so when the server has said what it has to say.
#[derive(Debug)]
pub(super) struct Written {
    /// What is kept of the user.
    pub(super) account: Account,
    /// Who sees the user no more, and whether they are no contact any more.
    pub(super) ended: Vec<(Address, bool)>,
    /// What came of the request, or why it is not done.
    pub(super) done: Result<Done, Code>,
}

impl Writing {
    /// All changes are being told.
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            waits: plan.changes.len(),
            plan,
            failure: None,
            effects: Vec::new(),
            unapproved: Vec::new(),
        }
    }

    /// Takes what the server says of the change of that number; whether it is the last that it says.
    pub(super) fn hear(&mut self, change: usize, answer: Result<(), Code>) -> bool {
        self.waits = self.waits.saturating_sub(1);
        let effect = self.plan.changes.get(change);
        let effect = effect.map(|change| change.effect.clone());
        match answer {
            Ok(()) => self.effects.extend(effect),
            Err(code) => {
                self.failure = Some(code);
                if let Some(Effect::Approved(user)) = effect {
                    self.unapproved.push(user);
                }
            }
        }
        self.waits == 0
    }

    /// What is so by now, of a user of whom this is kept: all that is wanted if the server has agreed to
    /// all of it, and what it has done in any case.
    pub(super) fn settle(self, current: Account) -> Written {
        let late = (self.waits > 0).then_some(Code::TIMEOUT);
        let failure = self.failure.or(late).filter(|_| !self.plan.is_sure);
        let (mut account, done) = match failure {
            None => (self.plan.account, Ok(self.plan.done)),
            Some(code) => (current, Err(code)),
        };
        for user in self.unapproved {
            account.grants.approve(&user, false);
        }
        let mut ended = Vec::new();
        for effect in self.effects {
            match effect {
                Effect::Plain => {}
                Effect::Approved(user) => account.grants.approve(&user, true),
                Effect::Withdrawn(user) => {
                    account.grants.approve(&user, false);
                    ended.push((user, false));
                }
                Effect::Removed(user) => {
                    account.grants.approve(&user, false);
                    ended.push((user, true));
                }
            }
        }
        Written {
            account,
            ended,
            done,
        }
    }
}

impl Effect {
    /// That of a contact who was like that, and is like this.
    fn of(user: &Address, was: Subscription, is: Subscription) -> Self {
        match (was.is_seen(), is.is_seen()) {
            (false, true) => Self::Approved(user.clone()),
            (true, false) => Self::Withdrawn(user.clone()),
            _ => Self::Plain,
        }
    }
}

/// What the roster is to be told.
pub(super) fn changes(before: &Contacts, after: &Contacts, translator: &Translator) -> Vec<Change> {
    let gone = before.keys().filter(|user| !after.contains_key(*user));
    let gone = gone.filter_map(|user| {
        let payload = roster::change(user, (None, Subscription::None), translator)?;
        let effect = Effect::Removed(user.clone());
        Some(Change { payload, effect })
    });
    let new = after
        .iter()
        .filter(|(user, contact)| before.get(*user) != Some(*contact));
    let new = new.filter_map(|(user, contact)| {
        let was = before.get(user);
        let was = was.map_or(Subscription::None, |contact| contact.subscription);
        let payload = roster::change(user, (Some(contact), was), translator)?;
        let effect = Effect::of(user, was, contact.subscription);
        Some(Change { payload, effect })
    });
    gone.chain(new).collect()
}
