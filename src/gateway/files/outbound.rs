//! Messages of the SSP side whose content becomes a file, and they a link to it.
//!
//! ```text
//!  Looking ──service──▶ Asking ──slot──▶ Moving ──there──▶ goes on as a link
//!     │                   │  error         │  fault
//!     └──no service───────┴───▶ own store ─┴──▶ Pausing ─▶ Looking, a few times
//!                                  └─ none, or it fails: refused, or the text as it is
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use xmpp_parsers::jid::{BareJid, Jid};

use super::super::records::{file_key, number_of};
use super::super::reply::Reply;
use super::super::shared::{Ask, Shared};
use super::super::timers::Timers;
use super::held::{Held, Step, code_of, fault_of, rendering};
use super::services::{Look, Service, Services};
use super::{Ordered, Ready};
use crate::element::{Act, Carried, Errand, Fault, Time, Transfer};
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::{Code, Status};
use crate::store::Write;
use crate::translate::file::{Slot, slot, slot_request};
use crate::translate::message::sender_of;
use crate::translate::tables::Rendering;

/// How long a service has for its answer; our choice.
const WAIT: Duration = Duration::from_secs(20);
/// Until what has failed is tried again, and then twice as long; our choice.
const PAUSE: Duration = Duration::from_secs(5);
/// How often a file is tried; our choice.
const MAX_TRIES: u32 = 4;
/// What is shared with [`super::Files`].
type With<'a> = (&'a mut Services, &'a mut VecDeque<Ready>);

/// All messages that wait for their files.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    held: BTreeMap<u64, Held>,
    /// Bytes of their contents.
    bytes: usize,
    timers: Timers<u64>,
}

impl Outbound {
    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        let number = number_of(rest)?;
        let held = Held::restored(value)?;
        self.keep(number, held);
        self.timers.by(Time(0), number);
        Ok(())
    }

    /// Copies of messages that wait.
    pub(super) fn open(&self) -> u64 {
        let copies = self.held.values().map(|held| held.ordered.copies());
        copies.sum::<usize>() as u64
    }

    fn keep(&mut self, number: u64, held: Held) {
        self.bytes += held.size();
        self.held.insert(number, held);
    }

    fn take(&mut self, number: u64, shared: &mut Shared) -> Option<Held> {
        let held = self.held.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(held.size());
        shared.write(Write::delete(file_key(number)));
        Some(held)
    }

    /// Holds a message whose content becomes a file; gives it back if it does not.
    pub(super) fn hold(
        &mut self,
        ordered: Ordered,
        with: With<'_>,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Ordered> {
        let request = &ordered.request;
        let settings = &shared.settings;
        let has_content = request
            .content
            .as_ref()
            .is_some_and(|c| !c.bytes.is_empty());
        let kind = rendering(request, shared);
        if !has_content || !matches!(kind, Rendering::File | Rendering::FileOrPlain) {
            return Some(ordered);
        }
        // Who speaks for nobody here, or to nobody, hears so at once.
        let component =
            sender_of(request).and_then(|sender| shared.translator.component_of(sender));
        let mut recipients = request.info.recipients.iter();
        let is_for_xmpp = recipients.any(|to| {
            let jid = shared.translator.jid(to.address());
            let may_talk = |jid: BareJid| shared.gate.may_talk(jid.domain().as_str());
            shared.translator.is_xmpp(to.address()) && jid.is_ok_and(may_talk)
        });
        let Some(component) = component.filter(|_| is_for_xmpp).map(str::to_owned) else {
            return Some(ordered);
        };
        let size = request.content.as_ref().map_or(0, |c| c.bytes.len());
        let is_full = self.held.len() >= settings.files.max_held
            || self.bytes + size > settings.files.max_held_bytes;
        if is_full {
            with.1.push_back(Ready::Failed(ordered, Code::QUEUE_FULL));
            return None;
        }
        let validity = request.info.validity.filter(|seconds| *seconds > 0);
        let validity = validity.map_or(settings.default_validity, Duration::from_secs);
        let until = now.plus(validity.min(settings.max_validity));
        let number = shared.number();
        let held = Held::new(ordered, until, component);
        shared.write(held.write(number));
        self.keep(number, held);
        self.proceed(number, with, now, shared);
        None
    }

    /// What was asked of the services of a component is not answered any more.
    pub(super) fn link_down(&mut self, component: &str) {
        for held in self.held.values_mut() {
            if held.component == component && matches!(held.step, Step::Asking { .. }) {
                held.step = Step::Looking;
            }
        }
    }

    /// Goes on with what waited for the service of a component.
    pub(super) fn go_on(
        &mut self,
        component: &str,
        (services, ready): With<'_>,
        now: Time,
        shared: &mut Shared,
    ) {
        let waits = |held: &Held| held.component == component && held.step == Step::Looking;
        let waiting = self.held.iter().filter(|(_, held)| waits(held));
        let waiting: Vec<u64> = waiting.map(|(number, _)| *number).collect();
        for number in waiting {
            let with = (&mut *services, &mut *ready);
            self.proceed(number, with, now, shared);
        }
    }

    /// Does what is next for a message that looks for a place.
    fn proceed(&mut self, number: u64, with: With<'_>, now: Time, shared: &mut Shared) {
        let Some(held) = self.held.get_mut(&number) else {
            return;
        };
        let sender = sender_of(&held.ordered.request);
        let component = sender.and_then(|sender| shared.translator.component_of(sender));
        component
            .unwrap_or_default()
            .clone_into(&mut held.component);
        held.step = Step::Looking;
        let size = held.size() as u64;
        let component = held.component.clone();
        match with.0.look(&component, now, shared) {
            Look::Wait => {}
            Look::At(service) if service.most.is_none_or(|most| size <= most) => {
                let has_asked = self.ask(number, &service, now, shared);
                if !has_asked && shared.links.is_up(&component) {
                    // It can't be asked, or not with so many bytes: no link will change that.
                    self.failed(number, Code::UNDELIVERABLE);
                    self.otherwise(number, true, with, now, shared);
                }
            }
            Look::At(_) => {
                held.fault = Some(Code::MEDIA_TYPE);
                self.otherwise(number, false, with, now, shared);
            }
            Look::None => self.otherwise(number, false, with, now, shared),
        }
        self.arrange(number, now, shared);
    }

    /// Asks a service for a place, in the name of the sender: what one uploads counts as theirs.
    /// Whether the question has gone.
    fn ask(&mut self, number: u64, service: &Service, now: Time, shared: &mut Shared) -> bool {
        let Some(held) = self.held.get_mut(&number) else {
            return false;
        };
        let sender = sender_of(&held.ordered.request);
        let from = sender.and_then(|sender| shared.translator.jid(sender).ok());
        let (Some(from), Ok(to)) = (from, Jid::new(&service.jid)) else {
            return false;
        };
        let question = Ask::Get(slot_request(&held.name, held.size(), &held.content_type()));
        let component = held.component.clone();
        let id = shared.ask(&component, (from.into(), to), question);
        let until = now.plus(WAIT);
        let has_asked = id.is_some();
        held.step = match id {
            Some(id) => Step::Asking {
                id,
                jid: service.jid.clone(),
                until,
            },
            None => Step::Pausing(until),
        };
        has_asked
    }

    /// The message for which an answer is awaited under that id, from whom it comes.
    pub(super) fn awaits(&self, answer: &str, from: &Jid) -> Option<u64> {
        let mut held = self.held.iter();
        held.find_map(|(number, held)| match &held.step {
            Step::Asking { id, jid, .. } if id == answer && jid == from.as_str() => Some(*number),
            _ => None,
        })
    }

    /// An answer of a service.
    pub(super) fn answered(
        &mut self,
        reply: Reply,
        with: With<'_>,
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(number) = self.awaits(&reply.id, &reply.from) else {
            return;
        };
        let payload = reply.answer.ok().flatten();
        match payload.as_ref().and_then(slot) {
            Some(slot) => self.upload(number, slot, shared),
            None => {
                let nothing = (Code::UNDELIVERABLE, false);
                let (code, is_passing) = reply.error.as_ref().map_or(nothing, fault_of);
                self.failed(number, code);
                self.otherwise(number, is_passing, with, now, shared);
            }
        }
        self.arrange(number, now, shared);
    }

    fn upload(&mut self, number: u64, slot: Slot, shared: &mut Shared) {
        let transfer = shared.number();
        let Some(held) = self.held.get_mut(&number) else {
            return;
        };
        held.step = Step::Moving {
            number: transfer,
            get: Some(slot.get),
        };
        let errand = Errand::Put {
            url: slot.put,
            headers: slot.headers,
            content_type: held.content_type(),
            bytes: Bytes::copy_from_slice(held.content()),
        };
        let number = transfer;
        shared.act(Act::Carry(Box::new(Transfer { number, errand })));
    }

    fn failed(&mut self, number: u64, code: Code) {
        if let Some(held) = self.held.get_mut(&number) {
            held.fault = Some(code);
        }
    }

    /// The server has no place: into the own store, if there is one, or later again if that may help.
    fn otherwise(
        &mut self,
        number: u64,
        is_passing: bool,
        with: With<'_>,
        now: Time,
        shared: &mut Shared,
    ) {
        let transfer = shared.number();
        let Some(held) = self.held.get_mut(&number) else {
            return;
        };
        if shared.settings.files.keeps {
            let sender = sender_of(&held.ordered.request);
            let errand = Errand::Keep {
                owner: sender.map(ToString::to_string).unwrap_or_default(),
                name: held.name.clone(),
                content_type: held.content_type(),
                bytes: Bytes::copy_from_slice(held.content()),
            };
            held.step = Step::Moving {
                number: transfer,
                get: None,
            };
            let number = transfer;
            return shared.act(Act::Carry(Box::new(Transfer { number, errand })));
        }
        self.give_up_or_pause(number, is_passing, with, now, shared);
    }

    fn give_up_or_pause(
        &mut self,
        number: u64,
        is_passing: bool,
        (services, ready): With<'_>,
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(held) = self.held.get_mut(&number) else {
            return;
        };
        held.tries += 1;
        if is_passing && held.tries < MAX_TRIES {
            // The service itself may be gone.
            services.forget(&held.component);
            held.step = Step::Pausing(now.plus(PAUSE * (1 << held.tries)));
            return;
        }
        let code = held.fault.unwrap_or(Code::MEDIA_TYPE);
        self.fail(number, code, ready, shared);
    }

    /// The message goes on without a file: as text if it can be, or back.
    fn fail(&mut self, number: u64, code: Code, ready: &mut VecDeque<Ready>, shared: &mut Shared) {
        let Some(held) = self.take(number, shared) else {
            return;
        };
        let kind = rendering(&held.ordered.request, shared);
        let is_text = kind == Rendering::FileOrPlain && code != Code::EXPIRED;
        ready.push_back(if is_text {
            Ready::Message(held.ordered)
        } else {
            Ready::Failed(held.ordered, code)
        });
    }

    /// What became of a transfer.
    pub(super) fn carried(
        &mut self,
        (transfer, carried): (u64, Carried),
        with: With<'_>,
        now: Time,
        shared: &mut Shared,
    ) {
        let mut held = self.held.iter();
        let found = held.find_map(|(number, held)| match &held.step {
            Step::Moving { number: own, get } if *own == transfer => Some((*number, get.clone())),
            _ => None,
        });
        // Of before the state was made anew.
        let Some((number, get)) = found else { return };
        let url = match (carried, &get) {
            (Carried::Put, Some(get)) => Ok(get.clone()),
            (Carried::Kept { url }, _) => Ok(url),
            (Carried::Failed(fault), _) => Err(fault),
            (Carried::Put | Carried::Fetched { .. }, _) => Err(Fault::Refused),
        };
        match url {
            Ok(url) => {
                if let Some(held) = self.take(number, shared) {
                    with.1.push_back(Ready::Message(held.linked(&url)));
                }
            }
            Err(fault) => {
                let (code, is_passing) = code_of(fault);
                self.failed(number, code);
                if get.is_some() {
                    self.otherwise(number, is_passing, with, now, shared);
                } else {
                    self.give_up_or_pause(number, is_passing, with, now, shared);
                }
            }
        }
        self.arrange(number, now, shared);
    }

    /// Sees to it that what is next for a message is done in time.
    fn arrange(&mut self, number: u64, now: Time, shared: &Shared) {
        let Some(held) = self.held.get(&number) else {
            return;
        };
        let ordered = &held.ordered;
        let answer = ordered
            .id
            .map(|_| ordered.expires.minus(shared.settings.answer_margin));
        let step = match &held.step {
            Step::Asking { until, .. } => Some(*until),
            Step::Pausing(at) => Some(*at),
            Step::Looking | Step::Moving { .. } => None,
        };
        let times = [answer, step, Some(held.until)];
        if let Some(at) = times.into_iter().flatten().min() {
            self.timers.put_off(at.max(now), number);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, (services, ready): With<'_>, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            let with = (&mut *services, &mut *ready);
            self.due(number, with, now, shared);
        }
    }

    fn due(&mut self, number: u64, with: With<'_>, now: Time, shared: &mut Shared) {
        let Some(held) = self.held.get_mut(&number) else {
            return;
        };
        if now >= held.until {
            return self.fail(number, Code::EXPIRED, with.1, shared);
        }
        let ordered = &mut held.ordered;
        // It is in the store, and will be sent within its validity.
        if now >= ordered.expires.minus(shared.settings.answer_margin)
            && let Some(to) = ordered.id.take()
        {
            let message_id = ordered.request.info.message_id.clone();
            let response = SendMessageResponse {
                message_id: message_id.unwrap_or_default(),
                status: Status::ok(),
            };
            shared.respond(to, response);
            shared.write(held.write(number));
        }
        match &held.step {
            Step::Pausing(at) if *at > now => {}
            Step::Looking | Step::Pausing(_) => return self.proceed(number, with, now, shared),
            Step::Asking { until, .. } if *until <= now => {
                self.failed(number, Code::TIMEOUT);
                self.otherwise(number, true, with, now, shared);
            }
            Step::Asking { .. } | Step::Moving { .. } => {}
        }
        self.arrange(number, now, shared);
    }
}
