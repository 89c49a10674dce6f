//! A message on its way to XMPP, and what became of it so far.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::shared::Shared;
use crate::element::{Degraded, Outcome, RequestId, Time};
use crate::imps::common::{ClientId, User};
use crate::imps::datetime::DateTime;
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::{Address, Code, Status};
use crate::translate::Translator;
use crate::translate::receipt::{About, report};

/// A message to XMPP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    /// To answer; `None` when answered.
    pub(super) request: Option<RequestId>,
    /// When the answer must be given.
    pub(super) answer_by: Time,
    pub(super) message_id: String,
    pub(super) stanza_id: String,
    pub(super) sender: Address,
    /// Whether delivery reports are wanted.
    pub(super) report: bool,
    pub(super) until: Time,
    /// 0 full, 1 plain text, 2 reference.
    pub(super) form: u8,
    /// Seconds since 1970.
    pub(super) date_time: Option<i64>,
    pub(super) content_type: Option<String>,
    pub(super) content_size: Option<u64>,
    pub(super) targets: Vec<Target>,
    /// Recipients refused at once, each with a code.
    pub(super) refused: Vec<(u16, Address)>,
    /// Whether the outcome was told.
    pub(super) concluded: bool,
}

/// One recipient of a message to XMPP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) address: Address,
    pub(super) client: Option<String>,
    /// The bare JID of the user.
    pub(super) jid: String,
    /// Number of its stanza in the outbox.
    pub(super) out: u64,
    pub(super) state: TargetState,
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TargetState {
    /// The stanza is in the outbox.
    Waiting,
    /// The server has it since.
    Confirmed(Time),
    /// The recipient's client has it.
    Received,
    /// The stanza came back as an error.
    Failed(u16),
    /// Nothing more to tell.
    Done,
}

impl Sent {
    /// What it takes, roughly; the same as long as it is kept.
    pub(super) fn bytes(&self) -> usize {
        let content_type = self.content_type.as_ref().map_or(0, String::len);
        let own = self.message_id.len() + self.stanza_id.len() + content_type;
        let targets = self.targets.iter().map(|target| {
            // The bare JID stands in the index too.
            let client = target.client.as_ref().map_or(0, String::len);
            size_of::<Target>() + target.address.as_str().len() + client + 2 * target.jid.len()
        });
        let refused = self.refused.iter().map(|(_, who)| who.as_str().len());
        size_of::<Self>() + own + targets.sum::<usize>() + refused.sum::<usize>()
    }

    /// Copies: one for each recipient.
    pub(super) fn copies(&self) -> usize {
        self.targets.len() + self.refused.len()
    }

    /// Does what has become possible or due.
    pub(super) fn advance(&mut self, now: Time, shared: &mut Shared) {
        if now >= self.until {
            self.expire(shared);
        }
        if self.is_settled(now, shared.settings.settle) && !self.concluded {
            self.conclude(shared);
        } else if self.request.is_some() && now >= self.answer_by {
            self.answer(shared);
        }
        if self.concluded {
            self.tell_reports(now, shared);
        }
    }

    /// Whether nothing more is to come of it.
    pub(super) fn is_over(&self) -> bool {
        let is_done = |target: &Target| target.state == TargetState::Done;
        self.concluded && (!self.report || self.targets.iter().all(is_done))
    }

    fn is_settled(&self, now: Time, settle: Duration) -> bool {
        self.targets.iter().all(|target| match target.state {
            TargetState::Waiting => false,
            TargetState::Confirmed(at) => now >= at.plus(settle),
            _ => true,
        })
    }

    /// What still waits for the link is of no use any more.
    fn expire(&mut self, shared: &mut Shared) {
        for target in &mut self.targets {
            if target.state == TargetState::Waiting {
                shared.links.remove(target.out);
                target.state = TargetState::Failed(Code::EXPIRED.0);
            }
        }
    }

    /// Answers, and tells how the message ended.
    fn conclude(&mut self, shared: &mut Shared) {
        let failed = self.failures();
        let is_answered = self.request.is_none();
        self.answer(shared);
        // A failure that is in the answer needs no report.
        if !is_answered {
            for target in &mut self.targets {
                if matches!(target.state, TargetState::Failed(_)) {
                    target.state = TargetState::Done;
                }
            }
        }
        let arrived = match self.form {
            1 => Outcome::Degraded(Degraded::PlainText),
            2 => Outcome::Degraded(Degraded::Reference),
            _ => Outcome::Delivered,
        };
        // Each copy of the message ends by itself.
        let ends = failed.iter().map(|(code, _)| match *code {
            Code::EXPIRED => Outcome::Expired,
            code => Outcome::Refused(code.0),
        });
        for outcome in ends.chain(std::iter::repeat(arrived)).take(self.copies()) {
            shared.outcome(&self.message_id, outcome);
        }
        self.concluded = true;
    }

    /// Answers its request, unless that was done.
    fn answer(&mut self, shared: &mut Shared) {
        if let Some(to) = self.request.take() {
            let response = SendMessageResponse {
                message_id: self.message_id.clone(),
                status: self.status(&shared.translator),
            };
            shared.respond(to, response);
        }
    }

    /// Sends the reports that are due.
    fn tell_reports(&mut self, now: Time, shared: &mut Shared) {
        if !self.report {
            return;
        }
        for at in 0..self.targets.len() {
            let Some(code) = self.news_of(&self.targets[at], now, shared) else {
                continue;
            };
            self.targets[at].state = TargetState::Done;
            let about = self.about(&self.targets[at]);
            let date = shared.skew.wall(now).0;
            let report = report(&shared.translator.mappings.status, &about, code, date);
            shared.tell(report, now);
        }
    }

    /// What is to be reported of a recipient by now.
    fn news_of(&self, target: &Target, now: Time, shared: &Shared) -> Option<Code> {
        let settings = &shared.settings;
        match target.state {
            TargetState::Received => Some(Code::OK),
            TargetState::Failed(code) => Some(Code(code)),
            TargetState::Confirmed(_) if settings.strict_receipts => {
                (now >= self.until).then_some(Code::EXPIRED)
            }
            // Delivered means: to the client, or to the server for it.
            TargetState::Confirmed(at) => (now >= at.plus(settings.handover)).then_some(Code::OK),
            TargetState::Waiting | TargetState::Done => None,
        }
    }

    fn about(&self, target: &Target) -> About {
        let mut recipient = User::new(target.address.clone());
        recipient.client = target.client.clone().map(|url| ClientId {
            url,
            application: None,
        });
        About {
            message_id: self.message_id.clone(),
            sender: self.sender.clone(),
            recipient,
            date_time: self.date_time.map(DateTime),
            content_type: self.content_type.clone(),
            content_size: self.content_size,
        }
    }

    /// When something may be due next, besides events.
    pub(super) fn next_look(&self, now: Time, shared: &Shared) -> Option<Time> {
        let settings = &shared.settings;
        let answer = self.request.map(|_| self.answer_by);
        let of_targets = self.targets.iter().filter_map(|target| match target.state {
            TargetState::Waiting => Some(self.until),
            TargetState::Confirmed(at) if !self.concluded => Some(at.plus(settings.settle)),
            TargetState::Confirmed(_) if settings.strict_receipts => Some(self.until),
            TargetState::Confirmed(at) => Some(at.plus(settings.handover)),
            _ => None,
        });
        let times = answer.into_iter().chain(of_targets);
        times.filter(|at| *at > now).min()
    }

    /// Who does not get the message, and why.
    fn failures(&self) -> Vec<(Code, Address)> {
        let refused = self
            .refused
            .iter()
            .map(|(code, who)| (Code(*code), who.clone()));
        let failed = self.targets.iter().filter_map(|target| match target.state {
            TargetState::Failed(code) => Some((Code(code), target.address.clone())),
            _ => None,
        });
        refused.chain(failed).collect()
    }

    fn status(&self, translator: &Translator) -> Status {
        let status = Status::of_users(self.copies(), self.failures());
        if status.code == Code::OK {
            return status;
        }
        let means = translator.mappings.status.means(status.code).to_owned();
        status.because(means)
    }
}
