//! What the SAP sees of the gateway: a service element behind it.

use std::collections::BTreeSet;

use super::ids::Numbers;
use super::watch_wv::WatchWv;
use super::watch_xmpp::WatchXmpp;
use super::{Asked, Gateway, Timer, records, respond};
use crate::element::{
    Act, Delivered, Edge, Element, FromXmpp, Input, ServiceElement, Skew, Time, ToXmpp, Token,
};
use crate::ssp::primitive::{self, Kind, Primitive};
use crate::ssp::{Code, Status};
use crate::text::Shown;

/// The name of the gateway's service element.
pub const ELEMENT: Element = Element::named("Gateway");
/// What the gateway serves.
pub const SERVES: &[&str] = &["SUBPR", "GETPR", "SENDM", "MDELIV", "VRID"];

impl ServiceElement for Gateway {
    fn name(&self) -> Element {
        ELEMENT
    }

    fn serves(&self) -> &'static [&'static str] {
        SERVES
    }

    fn is_at(&self, edge: Edge) -> bool {
        edge == Edge::Xmpp
    }

    fn prefix(&self) -> &'static str {
        "gateway/"
    }

    fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        use records::{number_of, pair_of, value as read};
        if key == Numbers::KEY {
            return self.numbers.restore(value);
        }
        if let Some(rest) = key.strip_prefix(records::OUT) {
            let entry: records::Entry = read(value)?;
            self.timers.by(entry.until, Timer::Outbox);
            self.outbox.restore(number_of(rest)?, entry);
        } else if let Some(rest) = key.strip_prefix(records::SENT) {
            self.restore_sent(number_of(rest)?, read(value)?);
        } else if let Some(rest) = key.strip_prefix(records::RECEIVED) {
            let received = read(value)?;
            self.keep_received(number_of(rest)?, received);
        } else if let Some(rest) = key.strip_prefix(records::WATCH_WV) {
            let watch = WatchWv::restored(read(value)?);
            let pair = pair_of(rest)?;
            self.timers.by(watch.since(), Timer::WatchWv(pair.clone()));
            self.keep_wv(pair, watch);
        } else if let Some(rest) = key.strip_prefix(records::WATCH_XMPP) {
            let watch = WatchXmpp::restored(read(value)?);
            self.watch_xmpp.insert(pair_of(rest)?, watch);
        } else {
            return Err(format!("{key} is no record of the gateway"));
        }
        Ok(())
    }

    fn take(&mut self, input: Input, now: Time) {
        let mut out = Vec::new();
        match input {
            Input::Deliver(delivered) => self.deliver(delivered, now, &mut out),
            Input::Answer(token, answer) => self.answer(token, &answer, now, &mut out),
            Input::Reached(domains) => {
                for domain in domains {
                    self.peer_up(&domain, now, &mut out);
                }
            }
            Input::Lost(domains) => {
                for domain in domains {
                    self.peer_down(&domain, now, &mut out);
                }
            }
            Input::Xmpp(component, from) => self.take_xmpp(&component, from, now, &mut out),
            Input::Client(..) => {}
        }
        self.queue(out);
    }

    fn timeout(&mut self, now: Time) {
        let mut out = Vec::new();
        self.is_due(now, &mut out);
        self.queue(out);
    }

    fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    fn next_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn set_skew(&mut self, skew: Skew) {
        self.skew = skew;
    }

    fn concerned(&self) -> BTreeSet<String> {
        let pairs = self.watch_wv.keys().chain(self.watch_xmpp.keys());
        pairs.map(|pair| pair.wv.domain().to_owned()).collect()
    }

    fn messages_open(&self) -> u64 {
        let open = self.sent.values().filter(|sent| !sent.concluded);
        open.map(|sent| (sent.targets.len() + sent.refused.len()) as u64)
            .sum()
    }
}

impl Gateway {
    /// What is to be done, and then what is to be written to links.
    fn queue(&mut self, out: Vec<Act>) {
        self.acts.extend(out);
        for out in self.take_stanzas() {
            self.acts.push_back(Act::Stanza(Box::new(ToXmpp {
                component: out.component,
                stanza: out.stanza,
                mark: out.mark,
            })));
        }
    }

    fn take_xmpp(&mut self, component: &str, from: FromXmpp, now: Time, out: &mut Vec<Act>) {
        match from {
            FromXmpp::Stanza(stanza) => self.stanza(component, stanza, now, out),
            FromXmpp::Refuse(stanza) => self.refuse_for_now(component, stanza),
            FromXmpp::MayRefuse(up) => self.may_refuse(component, up),
            FromXmpp::Up => self.link_up(component, now, out),
            FromXmpp::Down(blame) => self.link_down(component, blame, now, out),
            FromXmpp::Confirmed(mark) => self.confirmed(component, mark, now, out),
            FromXmpp::Unsent(stanza) => self.unsent(&stanza, now, out),
            FromXmpp::Limit(bytes) => self.limit(component, bytes, now, out),
        }
    }

    pub(super) fn deliver(&mut self, delivered: Delivered, now: Time, out: &mut Vec<Act>) {
        let Delivered {
            id,
            user,
            primitive,
            expires,
            ..
        } = delivered;
        self.outbox.at(now);
        match (primitive, id) {
            (Primitive::SendMessageRequest(request), id) => {
                self.send_message(&request, id, expires, now, out);
            }
            (Primitive::DeliveryStatusReport(report), _) => self.report_in(&report, now, out),
            (Primitive::PresenceNotification(notice), _) => self.notified(&notice, now, out),
            (Primitive::SubscribeRequest(request), Some(id)) => {
                let status = match user {
                    Some(user) => self.subscribe_xmpp(&request, &user, now, out),
                    None => Status::new(Code::BAD_REQUEST),
                };
                respond(id, status, out);
            }
            (Primitive::UnsubscribeRequest(request), Some(id)) => {
                let status = match user {
                    Some(user) => self.unsubscribe_xmpp(&request, &user, now, out),
                    None => Status::new(Code::BAD_REQUEST),
                };
                respond(id, status, out);
            }
            (Primitive::GetPresenceRequest(request), Some(id)) => match user {
                Some(user) => self.get_presence(&request, &user, id, expires, now, out),
                None => respond(id, Status::new(Code::BAD_REQUEST), out),
            },
            (Primitive::VerifyIDRequest(request), Some(id)) => {
                self.verify(&request, id, expires, now, out);
            }
            (Primitive::Unknown(_), Some(id)) => {
                respond(id, Status::new(Code::NOT_SUPPORTED), out);
            }
            (other, Some(id)) => {
                let is_request =
                    primitive::facts(other.name()).is_some_and(|facts| facts.kind == Kind::Request);
                let code = if is_request {
                    Code::NOT_IMPLEMENTED
                } else {
                    Code::NOT_SUPPORTED
                };
                respond(id, Status::new(code), out);
            }
            (other, None) => {
                tracing::debug!(ssp.primitive = %Shown(other.name()), "a notice has no counterpart");
            }
        }
    }

    pub(super) fn answer(
        &mut self,
        token: Token,
        answer: &Primitive,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        if self.received.contains_key(&token.0) {
            self.message_answered(token.0, answer, now, out);
            return;
        }
        match self.asked.remove(&token.0) {
            Some(Asked::Subscribe(pair)) => self.subscribed_wv(&pair, answer, now, out),
            Some(Asked::Presence(pair, to)) => self.got_presence(&pair, &to, answer, now, out),
            Some(Asked::Nothing) | None => {}
        }
    }

    pub(super) fn is_due(&mut self, now: Time, out: &mut Vec<Act>) {
        self.outbox.at(now);
        let mut due = Vec::new();
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Sent(number) => self.check_sent(number, now, out),
                Timer::Received(number) => self.forget_received(number, now, out),
                Timer::WatchWv(pair) => self.check_wv(&pair, now, out),
                Timer::WatchXmpp(pair) => due.push(pair),
                Timer::Query(number) => self.query_over(number, out),
                Timer::Peer(domain) => self.peer_lost(&domain, now),
                Timer::Link(component) => self.link_lost(&component, now, out),
                Timer::Outbox => self.outbox.expire(now, out),
                Timer::Forget => {
                    self.nobody.retain(|_, until| *until > now);
                    self.used_ids.retain(|_, until| *until > now);
                }
            }
        }
        self.check_xmpp(&due, now, out);
    }
}
