//! XMPP users ask who runs a domain of the SSP side: that is asked for there, and remembered.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use xmpp_parsers::iq::Iq;

use crate::element::Time;
use crate::gateway::shared::Shared;
use crate::gateway::timers::Timers;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::common::GetSPInfoRequest;
use crate::translate::card::provider::Provider;
use crate::translate::stanza::ns;

/// How long a question waits for what the domain tells of itself; our choice: people look on.
const WAIT: Duration = Duration::from_secs(2);
/// So long it is remembered; and that it tells nothing. Our choice.
const LASTS: Duration = Duration::from_secs(3600);
const AGAIN: Duration = Duration::from_secs(300);
/// Questions that wait; others are answered with what is known. Our choice.
const MAX_HELD: usize = 256;

/// What domains tell of themselves, by component.
#[derive(Debug, Default)]
pub(super) struct Providers {
    known: BTreeMap<String, (Provider, Time)>,
    asked: BTreeMap<u64, String>,
    held: BTreeMap<String, Vec<Iq>>,
    ready: VecDeque<(String, Iq)>,
    timers: Timers<String>,
}

impl Providers {
    /// A question of an XMPP user; gives it back if it is not about a domain, or if what there is to
    /// say is known.
    pub(super) fn hold(
        &mut self,
        component: &str,
        iq: Iq,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Iq> {
        let Iq::Get {
            to: Some(to),
            payload,
            ..
        } = &iq
        else {
            return Some(iq);
        };
        let is_about_it = to.node().is_none()
            && to.resource().is_none()
            && payload.attr("node").is_none()
            && (payload.is("query", ns::DISCO_INFO) || payload.is("vCard", ns::VCARD));
        let known = self.known.get(component);
        if !is_about_it || known.is_some_and(|(_, until)| *until > now) {
            return Some(iq);
        }
        let domain = shared.translator.address(to).ok();
        let domain = domain.filter(|domain| !shared.translator.is_xmpp(domain));
        let count: usize = self.held.values().map(Vec::len).sum();
        let Some(domain) = domain.filter(|_| count < MAX_HELD) else {
            return Some(iq);
        };
        let held = self.held.entry(component.to_owned()).or_default();
        held.push(iq);
        if held.len() == 1 {
            let token = shared.number();
            let own = shared.translator.own_ssp_domain();
            let request = GetSPInfoRequest {
                service: Some(domain),
                meta: Some(MetaInfo::of_server(&own)),
            };
            self.asked.insert(token, component.to_owned());
            self.timers.put_off(now.plus(WAIT), component.to_owned());
            shared.request(token, request.into(), now.plus(WAIT));
        }
        None
    }

    pub(super) fn asked(&self, token: u64) -> bool {
        self.asked.contains_key(&token)
    }

    /// The domain has answered, or somebody for it.
    pub(super) fn answered(&mut self, token: u64, answer: &Primitive, now: Time) {
        let Some(component) = self.asked.remove(&token) else {
            return;
        };
        let told = match answer {
            Primitive::GetSPInfoResponse(response) if response.status.code.is_success() => {
                (Provider::of_ssp(response), now.plus(LASTS))
            }
            _ => (
                self.of(&component).cloned().unwrap_or_default(),
                now.plus(AGAIN),
            ),
        };
        self.known.insert(component.clone(), told);
        self.release(&component);
    }

    /// What is known of who runs the domain of a component.
    pub(super) fn of(&self, component: &str) -> Option<&Provider> {
        self.known.get(component).map(|(provider, _)| provider)
    }

    fn release(&mut self, component: &str) {
        let held = self.held.remove(component).unwrap_or_default();
        let held = held.into_iter().map(|iq| (component.to_owned(), iq));
        self.ready.extend(held);
    }

    /// A question that can be answered by now, and the component it came by.
    pub(super) fn next_ready(&mut self) -> Option<(String, Iq)> {
        self.ready.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time) {
        while let Some(component) = self.timers.pop(now) {
            if self.held.contains_key(&component) {
                let told = self.of(&component).cloned().unwrap_or_default();
                self.known
                    .insert(component.clone(), (told, now.plus(AGAIN)));
                self.release(&component);
            }
        }
    }
}
