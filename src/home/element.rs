//! The home domain as the joint drives it.

use std::collections::BTreeSet;

use crate::element::{Act, Edge, Element, Input, ServiceElement, Skew, Time};

use super::at_rest::AtRest;
use super::due::Due;
use super::remote::Remote;
use super::resting::Rest;
use super::served::ECHO_SERVES;
use super::{ELEMENT, Home, SERVES, records};

impl ServiceElement for Home {
    fn name(&self) -> Element {
        ELEMENT
    }

    fn serves(&self) -> &'static [&'static str] {
        if self.has_users() {
            SERVES
        } else {
            ECHO_SERVES
        }
    }

    fn is_at(&self, edge: Edge) -> bool {
        edge == Edge::Clients
    }

    fn prefix(&self) -> &'static str {
        records::PREFIX
    }

    fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.take_back(key, value)
    }

    fn look_into(&self, key: &str, value: &[u8]) -> Result<(), String> {
        match records::name_at_rest(key) {
            Some(name) if self.has_users() => AtRest::look_into(value, name, &self.core.settings),
            _ => Ok(()),
        }
    }

    fn take(&mut self, input: Input, now: Time) {
        if let Some(input) = Rest::of(self, now).admit(input) {
            serve(self, input, now);
        }
        Remote::hand_over(&mut self.users, &mut self.core, now);
        Rest::of(self, now).read();
    }

    fn timeout(&mut self, now: Time) {
        Due::of(self, now).all();
        Remote::hand_over(&mut self.users, &mut self.core, now);
        self.groups.timeout(now);
        let (users, resting) = (&self.users, &mut self.resting);
        self.searches.go_on(users, resting, &mut self.core, now);
        Rest::of(self, now).timeout();
    }

    fn next_timeout(&self) -> Option<Time> {
        if !self.stale.is_empty() {
            return Some(Time(0));
        }
        let own = self.core.timers.first().map(|(at, _)| *at);
        let passes = self.core.settings.rest_after.is_some();
        let others = [
            self.groups.next_timeout(),
            self.searches.next_timeout(),
            self.resting.next_timeout(passes),
        ];
        own.into_iter().chain(others.into_iter().flatten()).min()
    }

    fn next_act(&mut self) -> Option<Act> {
        self.core.next_act().or_else(|| self.groups.next_act())
    }

    fn set_skew(&mut self, skew: Skew) {
        self.core.skew = skew;
        self.groups.set_skew(skew);
    }

    fn concerned(&self) -> BTreeSet<String> {
        let mut domains = self.core.away.domains();
        domains.extend(self.core.settings.providers().map(str::to_owned));
        for user in self.users.values() {
            user.concerned(&mut domains);
        }
        domains.extend(self.resting.sleepers().domains().map(str::to_owned));
        self.groups.concerned(&mut domains);
        domains
    }

    fn messages_open(&self) -> u64 {
        let waiting = self.users.values().map(|user| user.inbox.waiting() as u64);
        waiting.sum()
    }
}

/// Takes what concerns only users who are awake.
fn serve(home: &mut Home, input: Input, now: Time) {
    match input {
        Input::Deliver(delivered) => home.deliver(delivered, now),
        Input::Answer(token, answer) => match home.searches.answered(token, &answer) {
            Some((to, page)) => home.core.respond(to, page),
            None => home.answers(now).take(token, answer),
        },
        Input::TakenOver(token, known) => home.answers(now).taken_over(token, known),
        Input::Reached(domains) => {
            home.groups.healing(now).reached(&domains);
            home.reached(&domains, now);
            Rest::of(home, now).reached(&domains);
        }
        Input::Lost(domains) => {
            home.groups.healing(now).lost(&domains);
            home.lost(&domains, now);
        }
        Input::Loaded(loaded) => match Rest::of(home, now).loaded(&loaded) {
            Some(inputs) => {
                home.searches.resume();
                for input in inputs {
                    serve(home, input, now);
                }
            }
            None => home.clients(now).loaded(loaded),
        },
        Input::Client(client, what) => home.clients(now).take(client, what),
        Input::Xmpp(..) | Input::Carried(..) | Input::Granted(..) => {}
    }
}
