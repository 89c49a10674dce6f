//! Between what a client says and hears and the primitives of its user.

use std::collections::VecDeque;

use crate::csp;
use crate::csp::Grammar;
use crate::imps::Primitive;
use crate::imps::status::{Code, Status};

use super::client_kind::ClientKind;
use super::exchange::{Asked, Exchange, Heard};
use super::facts::{What, what};
use super::memory::Memory;
use super::requests;
use super::terms::Terms;
use super::told;

/// Says in the terms of one session what its client means, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    terms: Terms,
    memory: Memory,
}

impl Interpreter {
    /// For a session.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            memory: Memory::default(),
        }
    }

    /// What the session has agreed.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// For what the session agrees anew.
    pub fn terms_mut(&mut self) -> &mut Terms {
        &mut self.terms
    }

    /// What a client's primitive is. A request of the user is to be handed over; its answer goes
    /// to [`Self::hear`].
    pub fn ask(&mut self, request: csp::Primitive) -> Asked {
        let refused = |code, why: &str| {
            Asked::Answered(csp::Primitive::status(Status::new(code).because(why)))
        };
        let leaf = match what(&request) {
            What::Session => return Asked::Session,
            What::Reply => return Asked::Reply,
            What::Unreadable => {
                return refused(Code::BAD_REQUEST, "The primitive lacks what it must have.");
            }
            What::Unknown => {
                return refused(Code::NOT_SUPPORTED, "This is no request of a client.");
            }
            What::Request(leaf) => leaf,
        };
        let answer = request.facts().map_or("", |facts| facts.answer);
        if !answer.is_empty() && !Grammar::of(self.terms.version).has(answer) {
            return refused(Code::NOT_SUPPORTED, "The version has no answer to that.");
        }
        if let csp::Primitive::UpdatePresenceRequest(update) = &request {
            self.terms.identity.learn(&update.presence);
        }
        let services = self.terms.services.as_ref();
        if !leaf.is_empty() && services.is_some_and(|services| !services.has(leaf)) {
            return refused(Code::NOT_AGREED, "The service was not agreed.");
        }
        let mut rest = match requests::of(&request, &self.terms, &self.memory) {
            Ok(steps) => VecDeque::from(steps),
            Err(status) => return Asked::Answered(requests::refused(&request, status)),
        };
        let Some(first) = rest.pop_front() else {
            return Asked::Answered(csp::Primitive::status(Status::ok()));
        };
        let exchange = Exchange {
            request,
            rest,
            answers: Vec::new(),
        };
        Asked::User(Box::new(exchange), Box::new(first))
    }

    /// The same; with it the client may tell which of these kinds it is of. `configured`: the kind
    /// that the configuration names for its user.
    pub fn ask_as(
        &mut self,
        request: csp::Primitive,
        kinds: &[ClientKind],
        configured: Option<&str>,
    ) -> Asked {
        let tells = matches!(request, csp::Primitive::UpdatePresenceRequest(_));
        let asked = self.ask(request);
        if tells {
            self.terms.recognize(kinds, configured);
        }
        asked
    }

    /// The user's domain has answered what was asked last of this exchange.
    pub fn hear(&mut self, exchange: &mut Exchange, answer: Primitive) -> Heard {
        let is_done = answer
            .verdict()
            .is_none_or(|status| status.code.is_success());
        exchange.answers.push(answer);
        if (is_done || requests::goes_on(&exchange.request))
            && let Some(next) = exchange.rest.pop_front()
        {
            return Heard::Ask(Box::new(next));
        }
        let Exchange {
            request, answers, ..
        } = exchange;
        let answer = requests::answer(request, answers, &self.terms, &mut self.memory);
        let fetched = matches!(answers[..], [Primitive::GetMessageResponse(_)]);
        if fetched && matches!(answer, csp::Primitive::Status(_)) {
            return Heard::Refused(answer);
        }
        Heard::Answer(answer)
    }

    /// What the client is told of a primitive for its user; nothing if its version has no word for
    /// it.
    pub fn tell(&self, primitive: &Primitive) -> Option<csp::Primitive> {
        told::of(primitive, &self.terms)
    }
}
