//! Service Discovery, asking (wire profile, 11.2); what is answered to others who ask
//! stands in [`super::offers`].

use std::borrow::Cow;

use super::Services;
use super::table::{Heard, KNOWN_FOR, SPREAD, What};
use crate::element::Time;
use crate::imps::primitive::Name;
use crate::imps::primitive::service::GetServiceRequest;
use crate::imps::xml::DecodeError;
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::settings::{Peer, ServiceSet};
use crate::ssp::envelope::Transaction;
use crate::text::Shown;

impl Services {
    /// Asks a peer what it offers; the answer will stand in [`Services::views`], and
    /// that there was one in [`Services::heard`]. False if there is no such peer, or none that
    /// could answer.
    pub(in crate::sap) fn discover(&mut self, peer: &str, now: Time) -> bool {
        let Some(peer) = self.settings.peers.get(peer).cloned() else {
            return false;
        };
        if !peer.dialect.discovery {
            return false;
        }
        if !self.table.is_asking(peer.real(), What::Discovery, now) {
            // Again in an hour, whatever comes of it.
            self.refresh_later(peer.real(), now);
            let request = GetServiceRequest {
                service: None,
                meta: Some(self.own_meta()),
            };
            self.ask(&peer, What::Discovery, &request.into(), now);
        }
        true
    }

    /// Asks a peer what a domain offers that is reached through it; the number of the
    /// question, for [`Services::probe_view`]. `None` if there is no such peer, or none that
    /// could answer.
    pub(in crate::sap) fn discover_behind(
        &mut self,
        peer: &str,
        domain: &str,
        now: Time,
    ) -> Option<u64> {
        let peer = self.settings.peers.get(peer).cloned()?;
        if !peer.dialect.discovery {
            return None;
        }
        let request = GetServiceRequest {
            service: Some(Address::service(domain)),
            meta: Some(self.own_meta()),
        };
        let number = self.numbers.next();
        self.probes.begin(number, None, now);
        self.ask(&peer, What::About(number), &request.into(), now);
        Some(number)
    }

    /// Whether a peer is being asked about itself, and how that ended the last time.
    pub fn heard(&self, peer: &str, now: Time) -> (bool, Option<Heard>) {
        let asking = self.table.is_asking(peer, What::Discovery, now);
        (asking, self.table.heard(peer).cloned())
    }

    /// The answer about the peer itself, and all those behind it.
    pub(super) fn discovered(
        &mut self,
        peer: &Peer,
        answer: Result<Primitive, DecodeError>,
        now: Time,
    ) {
        let problem = match answer {
            Ok(Primitive::GetServiceResponse(response)) if response.status.code.is_success() => {
                self.table.learn_all(peer.real(), &response, now);
                self.refresh_later(peer.real(), now);
                None
            }
            Ok(Primitive::GetServiceResponse(response)) => Some(said(&response.status)),
            Ok(Primitive::Status(status)) => {
                if status.code == Code::NOT_SUPPORTED {
                    self.not_supported(
                        peer.real(),
                        Some(Name::GetServiceRequest),
                        peer.real(),
                        now,
                    );
                }
                Some(said(&status))
            }
            Ok(other) => Some(format!("a {} is no answer", other.name())),
            Err(error) => Some(format!("the answer cannot be read: {error}")),
        };
        if let Some(problem) = &problem {
            tracing::debug!(
                ssp.peer = peer.domain,
                problem = %Shown(problem),
                "the peer does not say what it offers"
            );
        }
        self.table.hear(peer.real(), problem, now);
    }

    fn refresh_later(&mut self, domain: &str, now: Time) {
        let early = self.random.shorter(SPREAD);
        let at = now.plus(KNOWN_FOR.saturating_sub(early));
        self.table.refresh_at(domain, at);
    }

    /// Takes in the answer to a discovery that is passed on, and leaves of it what
    /// the asking peer may use through us; `None`: all of it.
    pub(in crate::sap) fn discovered_for<'t>(
        &mut self,
        peer: &Peer,
        asking: Option<&str>,
        transaction: Cow<'t, Transaction>,
        now: Time,
    ) -> Cow<'t, Transaction> {
        let Ok(Primitive::GetServiceResponse(mut answer)) = transaction.primitive() else {
            return transaction;
        };
        self.table.learn(peer.real(), &answer, now);
        let offers = self.offers(now);
        let asking = asking.and_then(|peer| self.settings.peers.get(peer));
        let usable = asking.map_or(ServiceSet::ALL, |asking| offers.usable_by(asking));
        if offers.through(peer, ServiceSet::ALL, usable) == ServiceSet::ALL {
            return transaction;
        }
        for tree in &mut answer.trees {
            if let Some(features) = &mut tree.features {
                let functions = ServiceSet::of_features(features);
                *features = offers.through(peer, functions, usable).features();
            }
        }
        Cow::Owned(Transaction::new(
            transaction.mode,
            transaction.id.clone(),
            &Primitive::GetServiceResponse(answer),
        ))
    }
}

/// A refusal in words.
fn said(status: &Status) -> String {
    let code = status.code.0;
    match &status.description {
        Some(description) => format!("{code} {description}"),
        None => code.to_string(),
    }
}
