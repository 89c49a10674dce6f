//! What a client and its domain agree while the session goes on.

use crate::client::meaning::{Capacity, Services, Terms};
use crate::client::settings::Settings;
use crate::csp::primitive::capability::{Capabilities, ClientCapabilityResponse};
use crate::csp::primitive::service::{Functions, ServiceRequest, ServiceResponse};
use crate::csp::primitive::session::{KeepAliveResponse, LoginRequest};
use crate::csp::{Primitive, Version};
use crate::element::seconds;
use crate::imps::{Code, Status};

use super::capabilities;
use super::post::refusal;
use super::record::Record;

/// The shortest time for which a client is let say nothing, in seconds.
const SHORTEST: u32 = 30;

/// What one session agrees.
pub(super) struct Negotiation<'a> {
    record: &'a mut Record,
    terms: &'a mut Terms,
    settings: &'a Settings,
    has_changed: bool,
}

impl<'a> Negotiation<'a> {
    /// Of this session.
    pub(super) fn of(record: &'a mut Record, terms: &'a mut Terms, settings: &'a Settings) -> Self {
        Self {
            record,
            terms,
            settings,
            has_changed: false,
        }
    }

    /// Whether something is to be kept.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// What the client says of itself with its login, from 1.3 on; each part of the answer as the
    /// response has it, absent if nothing was said of that.
    pub(super) fn login(
        &mut self,
        request: &LoginRequest,
    ) -> (Option<Functions>, Option<Capabilities>) {
        let version = self.terms.version;
        if version < Version::V1_3 {
            return (None, None);
        }
        let functions = request.functions.clone().and_then(|functions| {
            let request = ServiceRequest {
                client: None,
                functions: Some(functions),
                wants_all: false,
            };
            match self.services(&request, version) {
                Primitive::ServiceResponse(answer) => answer.functions,
                _ => None,
            }
        });
        let capabilities = request.capabilities.clone().and_then(|asked| {
            match self.capabilities(Some(asked), version) {
                Primitive::ClientCapabilityResponse(answer) => answer.agreed,
                _ => None,
            }
        });
        (functions, capabilities)
    }

    /// Answers a request to negotiate something.
    pub(super) fn answer(&mut self, request: Primitive, version: Version) -> Primitive {
        match request {
            Primitive::KeepAliveRequest(request) => self.keep_alive(request.time_to_live),
            Primitive::ClientCapabilityRequest(request) => {
                self.capabilities(request.capabilities, version)
            }
            Primitive::ServiceRequest(request) => self.services(&request, version),
            _ => refusal(Code::NOT_IMPLEMENTED, "This is not negotiated."),
        }
    }

    /// For how long the client may say nothing.
    fn keep_alive(&mut self, asked: Option<u32>) -> Primitive {
        let mut status = Status::ok();
        match asked {
            Some(asked) if asked < SHORTEST => {
                status = Status::new(Code(605)).because("The time is too short.");
            }
            Some(asked) => {
                let agreed = asked.min(seconds(self.settings.keep_alive).max(SHORTEST));
                self.has_changed |= agreed != self.record.keep_alive;
                self.record.keep_alive = agreed;
            }
            None => {}
        }
        Primitive::KeepAliveResponse(Box::new(KeepAliveResponse {
            result: status.into(),
            keep_alive: Some(self.record.keep_alive),
        }))
    }

    /// What the client can take.
    fn capabilities(&mut self, asked: Option<Capabilities>, version: Version) -> Primitive {
        let Some(asked) = asked else {
            return refusal(Code::BAD_PARAMETER, "There are no capabilities.");
        };
        self.terms.capacity = Capacity::of(&asked);
        let offer = &self.settings.offer;
        self.record.wake = offer.agree(&asked.cir_methods, asked.udp_port.is_some());
        self.record.udp_port = asked.udp_port;
        let transactions = asked.transactions_per_message.or(asked.transactions);
        let transactions = transactions.unwrap_or(1);
        let transactions = transactions.clamp(1, capabilities::MAX_TRANSACTIONS);
        self.record.transactions = usize::try_from(transactions).unwrap_or(1);
        self.record.parser_size = asked.parser_size.filter(|size| *size > 0);
        self.has_changed = true;
        let agreed = capabilities::agreed(&asked, version, self.record, self.settings);
        Primitive::ClientCapabilityResponse(Box::new(ClientCapabilityResponse {
            client: self.terms.client.clone(),
            agreed: Some(agreed),
        }))
    }

    /// Which services the client may use. What there is at all is always told: some clients fail
    /// without.
    fn services(&mut self, request: &ServiceRequest, version: Version) -> Primitive {
        let asked = request.functions.clone().unwrap_or_default();
        let asked = Services::asked(&asked, version);
        let served = Services::served(version);
        let missing = asked.without(&served);
        self.terms.services = Some(asked.both(&served));
        self.has_changed = true;
        Primitive::ServiceResponse(Box::new(ServiceResponse {
            client: self.terms.client.clone(),
            functions: (!missing.is_empty()).then(|| missing.tree(version)),
            all: Some(served.tree(version)),
        }))
    }
}
