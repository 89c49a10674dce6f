//! Trying whether a peer answers: a keep-alive, or a message to its echo user from a
//! sender who exists for that message only. For an operator; nothing here is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::element::Time;
use crate::imps::address::Kind;
use crate::imps::common::{ContentData, MessageInfo, MetaInfo, Recipient, Sender, User};
use crate::imps::datetime::DateTime;
use crate::imps::primitive::Name;
use crate::imps::primitive::message::{SendMessageRequest, SendMessageResponse};
use crate::imps::primitive::session::KeepAliveRequest;
use crate::imps::{Address, Primitive, Status};
use crate::sap::settings::Settings;
use crate::ssp::envelope::Transaction;

/// Probes remembered, and for how long; our choice.
const MAX: usize = 64;
const REMEMBERED: Duration = Duration::from_secs(600);
const TEXT: &str = "wvgate check";

/// How a peer is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// `KeepAliveRequest` (wire profile, 11.1).
    KeepAlive,
    /// A message to the peer's echo user.
    Echo,
}

/// How far a probe has come. Times in milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeView {
    /// When it was begun.
    pub asked: Time,
    /// When the peer answered.
    pub answered: Option<Time>,
    /// What it answered.
    pub status: Option<u16>,
    /// The description of its status, if it gave one.
    pub description: Option<String>,
    /// When the echo was back.
    pub echoed: Option<Time>,
}

/// Probes under way or ended lately.
#[derive(Debug, Default)]
pub(super) struct Probes(BTreeMap<u64, Running>);

#[derive(Debug)]
struct Running {
    /// The echo user, and who wrote to it.
    echo: Option<(Address, Address)>,
    view: ProbeView,
}

/// The question whether a peer is there.
pub(super) fn keep_alive(meta: MetaInfo) -> Primitive {
    KeepAliveRequest {
        time_to_live: None,
        meta: Some(meta),
    }
    .into()
}

/// A message to a peer's echo user.
pub(super) fn message(
    settings: &Settings,
    echo: &Address,
    sender: &Address,
    date: DateTime,
) -> Primitive {
    let content_type = "text/plain".to_owned();
    let user = |address: &Address| User::new(address.clone());
    SendMessageRequest {
        delivery_report: false,
        meta: Some(MetaInfo::of_user(&settings.domain, sender.clone())),
        info: MessageInfo {
            message_id: Some(sender.as_str().trim_start_matches("wv:").to_owned()),
            uri: None,
            content_type: Some(content_type.clone()),
            content_name: None,
            content_size: Some(TEXT.len() as u64),
            validity: Some(settings.response_timeout.as_secs().max(1)),
            recipients: vec![Recipient::User(user(echo))],
            recipient_display: None,
            sender: Some(Sender::user(user(sender))),
            date_time: Some(date),
        },
        content: Some(ContentData {
            content_type,
            bytes: TEXT.into(),
        }),
    }
    .into()
}

impl Probes {
    pub(super) fn begin(&mut self, number: u64, echo: Option<(Address, Address)>, now: Time) {
        let is_recent = |running: &Running| now.after(running.view.asked) < REMEMBERED;
        self.0.retain(|_, running| is_recent(running));
        while self.0.len() >= MAX {
            self.0.pop_first();
        }
        let view = ProbeView {
            asked: now,
            answered: None,
            status: None,
            description: None,
            echoed: None,
        };
        self.0.insert(number, Running { echo, view });
    }

    pub(super) fn view(&self, number: u64) -> Option<&ProbeView> {
        self.0.get(&number).map(|running| &running.view)
    }

    /// Takes a peer's message that is the echo to a probe, and answers it.
    pub(super) fn take_echo(&mut self, transaction: &Transaction, now: Time) -> Option<Primitive> {
        if self.0.is_empty() || transaction.name != Name::SendMessageRequest {
            return None;
        }
        let [to] = &transaction.peek.recipients[..] else {
            return None;
        };
        let from = transaction.peek.sender.as_ref()?;
        self.echoed(from, to, now)?;
        let response = SendMessageResponse {
            message_id: transaction.peek.message_id.clone().unwrap_or_default(),
            status: Status::ok(),
        };
        Some(response.into())
    }

    /// The peer's answer to the request itself.
    pub(super) fn answered(&mut self, number: u64, answer: &Primitive, now: Time) {
        let Some(running) = self.0.get_mut(&number) else {
            return;
        };
        let status = answer.verdict();
        // Of several statuses the one about the recipient says more.
        let detail = status.and_then(|status| status.details.first());
        let code = detail.map(|detail| detail.code);
        running.view.answered = Some(now);
        running.view.status = code.or(status.map(|status| status.code)).map(|code| code.0);
        running.view.description = detail
            .and_then(|detail| detail.description.clone())
            .or_else(|| status.and_then(|status| status.description.clone()));
    }

    /// Whether this is the echo to a probe.
    pub(super) fn awaits(&self, from: &Address, to: &Address) -> bool {
        let mut echoes = self.0.values().filter_map(|running| running.echo.as_ref());
        echoes.any(|(echo, sender)| echo == from && sender == to)
    }

    fn echoed(&mut self, from: &Address, to: &Address, now: Time) -> Option<()> {
        if to.kind() != Kind::User {
            return None;
        }
        let waits = |running: &&mut Running| {
            running
                .echo
                .as_ref()
                .is_some_and(|(echo, sender)| echo == from && sender == to)
        };
        let running = self.0.values_mut().find(waits)?;
        running.view.echoed.get_or_insert(now);
        Some(())
    }
}
