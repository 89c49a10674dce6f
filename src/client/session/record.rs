//! What is kept of a session over a restart.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::negotiation::Negotiation;
use crate::client::meaning::Terms;
use crate::client::settings::Settings;
use crate::client::wake::Method;
use crate::csp::primitive::capability::Capabilities;
use crate::csp::primitive::service::Functions;
use crate::csp::primitive::session::LoginRequest;
use crate::element::Time;
use crate::imps::primitive::profile::Terminal;

/// A session, as it is kept. Its id is not: who has the store has no session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The local part of the user's address.
    pub user: String,
    /// What was agreed.
    pub terms: Terms,
    /// As the client named itself with, to be woken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// Seconds for which the client may say nothing.
    pub keep_alive: u32,
    /// When the client logged in.
    pub begun: Time,
    /// From where.
    pub address: IpAddr,
    /// How the client is woken, the best way first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wake: Vec<Method>,
    /// The client's port for datagrams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udp_port: Option<u16>,
    /// What stands behind the URL at which the client asks whether something waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_token: Option<String>,
    /// Transactions that one message to the client may have.
    #[serde(default = "one")]
    pub transactions: usize,
    /// Bytes of a message that the client can read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser_size: Option<u32>,
}

fn one() -> usize {
    1
}

/// What a client may be late; our choice.
const GRACE: Duration = Duration::from_secs(30);

impl Record {
    /// When the session ends by itself if the client said something last then.
    pub(super) fn expires(&self, seen: Time) -> Time {
        let keep = Duration::from_secs(self.keep_alive.into());
        seen.plus(keep).plus(GRACE)
    }

    /// Takes what the client says of itself with its login, from 1.3 on; what the response says to
    /// that: of services, and of capabilities.
    pub fn agree(
        &mut self,
        request: &LoginRequest,
        settings: &Settings,
    ) -> (Option<Functions>, Option<Capabilities>) {
        let mut terms = self.terms.clone();
        let agreed = Negotiation::of(self, &mut terms, settings).login(request);
        self.terms = terms;
        agreed
    }

    /// The client as a terminal in the profile of its user.
    pub(super) fn terminal(&self, terms: &Terms) -> Terminal {
        let wake: Vec<&str> = self.wake.iter().map(|method| method.as_str()).collect();
        terms.terminal(&wake)
    }

    /// Whether the client is woken so.
    pub fn is_woken_by(&self, method: Method) -> bool {
        self.wake.contains(&method)
    }
}
