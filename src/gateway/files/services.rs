//! Which upload service the server of each component has (XEP-0363), as XEP-0030 says it.

use std::collections::BTreeMap;
use std::time::Duration;

use minidom::Element;
use xmpp_parsers::jid::Jid;

use super::super::reply::Reply;
use super::super::shared::{Ask, Shared};
use super::super::timers::Timers;
use crate::element::Time;
use crate::translate::file::{items, upload_limit};
use crate::translate::stanza::{element, ns};

/// How long a server and its services have for their answers; our choice.
const WAIT: Duration = Duration::from_secs(10);
/// After that a server that had no service is asked again; our choice.
const AGAIN: Duration = Duration::from_secs(600);
/// Services of a server that are asked; our choice.
const MAX_ITEMS: usize = 32;

/// An upload service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) jid: String,
    /// The most bytes of a file, if it says so.
    pub(super) most: Option<u64>,
}

/// What is known of the service of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// It is asked for.
    Wait,
    /// There is none.
    None,
    /// This one.
    At(Service),
}

#[derive(Debug)]
enum State {
    /// What was found so far.
    Asking(Option<Service>),
    Found(Service),
    /// There was none at that time.
    Without(Time),
}

/// A question on the wire.
#[derive(Debug)]
struct Asked {
    component: String,
    /// Who alone may answer.
    jid: String,
    /// Whether it is for what the server has, or else for what that is.
    for_items: bool,
}

/// The upload services of all components.
#[derive(Debug, Default)]
pub(super) struct Services {
    of: BTreeMap<String, State>,
    /// By id, which nobody can guess.
    asked: BTreeMap<String, Asked>,
    timers: Timers<String>,
}

impl Services {
    /// What is known; asks if it is not, and there is a link.
    pub(super) fn look(&mut self, component: &str, now: Time, shared: &mut Shared) -> Look {
        match self.of.get(component) {
            Some(State::Found(service)) => return Look::At(service.clone()),
            Some(State::Without(since)) if now < since.plus(AGAIN) => return Look::None,
            Some(State::Asking(_)) => return Look::Wait,
            _ if !shared.links.is_up(component) => return Look::Wait,
            _ => {}
        }
        self.of.insert(component.to_owned(), State::Asking(None));
        self.timers.put_off(now.plus(WAIT), component.to_owned());
        match shared.settings.files.upload.clone() {
            Some(service) => self.ask(component, &service, false, shared),
            None => {
                let server = shared.translator.domain.clone();
                self.ask(component, &server, true, shared);
            }
        }
        self.close_if_done(component, now);
        match self.of.get(component) {
            Some(State::Without(_)) => Look::None,
            _ => Look::Wait,
        }
    }

    fn ask(&mut self, component: &str, jid: &str, for_items: bool, shared: &mut Shared) {
        let (Ok(to), Ok(from)) = (Jid::new(jid), Jid::new(component)) else {
            return;
        };
        let namespace = if for_items {
            ns::DISCO_ITEMS
        } else {
            ns::DISCO_INFO
        };
        let asked = Asked {
            component: component.to_owned(),
            jid: to.to_string(),
            for_items,
        };
        let question = Ask::Get(element("query", namespace).build());
        let id = shared.ask(component, (from, to), question);
        self.asked.extend(id.map(|id| (id, asked)));
    }

    /// Whether an answer is awaited under that id, from whom it comes.
    pub(super) fn awaits(&self, id: &str, from: &Jid) -> bool {
        let asked = self.asked.get(id);
        asked.is_some_and(|asked| asked.jid == from.as_str())
    }

    /// An answer that is awaited; the component for which the search has ended with it.
    pub(super) fn answered(
        &mut self,
        reply: Reply,
        now: Time,
        shared: &mut Shared,
    ) -> Option<String> {
        let asked = self.asked.remove(&reply.id)?;
        match reply.answer.ok().flatten() {
            Some(answer) if asked.for_items => {
                for item in items(&answer).into_iter().take(MAX_ITEMS) {
                    self.ask(&asked.component, item.as_str(), false, shared);
                }
            }
            Some(answer) => self.heard(&asked, &answer),
            None => {}
        }
        let is_over = self.close_if_done(&asked.component, now);
        is_over.then_some(asked.component)
    }

    /// The first service that is found is taken.
    fn heard(&mut self, asked: &Asked, answer: &Element) {
        let Some(most) = upload_limit(answer) else {
            return;
        };
        if let Some(State::Asking(found)) = self.of.get_mut(&asked.component) {
            let jid = asked.jid.clone();
            found.get_or_insert(Service { jid, most });
        }
    }

    /// Whether nobody is to be waited for any more.
    fn close_if_done(&mut self, component: &str, now: Time) -> bool {
        let waits = |asked: &Asked| asked.component == component;
        let found = match self.of.get_mut(component) {
            Some(State::Asking(found)) if found.is_some() || !self.asked.values().any(waits) => {
                found.take()
            }
            _ => return false,
        };
        self.asked.retain(|_, asked| asked.component != component);
        let state = match found {
            Some(service) => State::Found(service),
            None => State::Without(now),
        };
        self.of.insert(component.to_owned(), state);
        true
    }

    /// The service of a component is looked for anew when it is needed again.
    pub(super) fn forget(&mut self, component: &str) {
        self.asked.retain(|_, asked| asked.component != component);
        self.of.remove(component);
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// The components for which the search has ended now, as far as it came.
    pub(super) fn timeout(&mut self, now: Time) -> Vec<String> {
        let mut over = Vec::new();
        while let Some(component) = self.timers.pop(now) {
            self.asked.retain(|_, asked| asked.component != component);
            if self.close_if_done(&component, now) {
                over.push(component);
            }
        }
        over
    }
}
