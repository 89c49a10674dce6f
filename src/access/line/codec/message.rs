//! Messages: `/to`, `/send`, `/report`, and lines without slash.

use super::super::screen;
use super::family::{Command, Family, Heard, Meaning, verdict};
use super::memory::Memory;
use crate::imps::{Address, Primitive};

pub(super) const FAMILY: Family = Family {
    help: "\
a line without slash    send it to the current partner
/to ADDRESS [TEXT]      choose the partner; carol, or carol@other.domain
/send ADDRESS TEXT      send one message to somebody, and keep the partner
/report on|off          ask for delivery reports",
    understand,
    hear,
};

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    match command.name {
        "to" => Some(choose(memory, command)),
        "send" => Some(send_once(memory, command)),
        "report" => Some(reports(memory, command.rest)),
        _ => None,
    }
}

/// Sends a text to the current partner.
pub(super) fn send(memory: &mut Memory, text: &str) -> Meaning {
    let Some(partner) = memory.partner.clone() else {
        return Meaning::Show("to whom? choose with /to ADDRESS".to_owned());
    };
    let report = memory.report;
    let (to, requests) = (partner.clone(), &memory.requests);
    let request = if memory.to_list {
        requests.message_to_list(to, text, report)
    } else {
        requests.message(to, text, report, None)
    };
    sending(partner, request)
}

/// Sends a text to somebody who does not become the partner.
fn send_once(memory: &mut Memory, command: &Command<'_>) -> Meaning {
    let (to, text) = command.split();
    if to.is_empty() || text.is_empty() {
        return Meaning::Show("/send needs an address and a text".to_owned());
    }
    let to = memory.requests.address(to);
    let report = memory.report;
    let request = memory.requests.message(to.clone(), text, report, None);
    sending(to, request)
}

/// A message, and what is said of its answer.
fn sending(to: Address, request: Primitive) -> Meaning {
    Meaning::ask(vec![request], move |_, answers| match answers {
        [Primitive::SendMessageResponse(response)] => screen::sent(&to, &response.status),
        _ => screen::failed("message", Some(&to), &verdict(answers)),
    })
}

fn choose(memory: &mut Memory, command: &Command<'_>) -> Meaning {
    let (to, text) = command.split();
    if to.is_empty() {
        return match &memory.partner {
            Some(partner) => Meaning::Show(format!("you write to {}", partner.bare())),
            None => command.needs_address(),
        };
    }
    memory.choose(memory.requests.address(to), false);
    match text {
        "" => Meaning::Show(format!("you write to {to}")),
        text => send(memory, text),
    }
}

fn reports(memory: &mut Memory, rest: &str) -> Meaning {
    memory.report = match rest {
        "on" => true,
        "off" => false,
        _ => return Meaning::Show("write /report on or /report off".to_owned()),
    };
    Meaning::Show(format!("delivery reports are {rest}"))
}

fn hear(memory: &mut Memory, primitive: &Primitive) -> Option<Heard> {
    match primitive {
        Primitive::NewMessage(message) => {
            let has_waited = memory.waited > 0;
            memory.waited = memory.waited.saturating_sub(1);
            // Who writes first becomes the partner.
            if memory.partner.is_none() {
                memory.partner = screen::sender(&message.info).cloned();
            }
            Some(Some(screen::message(message, has_waited)))
        }
        Primitive::DeliveryStatusReport(report) => Some(Some(screen::report(report))),
        _ => None,
    }
}
