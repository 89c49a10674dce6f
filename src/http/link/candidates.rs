//! Where a POST may go: candidates in order, and which exact addresses and redirects are the peer's.

use std::sync::Arc;

use super::{LinkSettings, Target};
use crate::http::answer::Answered;
use crate::http::endpoint::{Endpoint, EndpointError};
use crate::http::srv::SrvResolver;

/// The addresses of one peer, as its [`LinkSettings`] tell them.
pub(super) struct Candidates {
    peer: String,
    /// `None`: SRV.
    configured: Option<Result<Vec<Endpoint>, EndpointError>>,
    redirects: Vec<String>,
    allow_plain: bool,
    server_name: Option<String>,
    srv: Arc<SrvResolver>,
}

impl Candidates {
    pub(super) fn new(settings: &LinkSettings) -> Self {
        let configured = settings.urls.iter().map(|url| {
            let endpoint = Endpoint::parse(url)?;
            Ok(match &settings.server_name {
                Some(name) => endpoint.known_as(name),
                None => endpoint,
            })
        });
        Self {
            peer: settings.peer.clone(),
            configured: (!settings.urls.is_empty()).then(|| configured.collect()),
            redirects: settings.redirects.clone(),
            allow_plain: settings.allow_plain,
            server_name: settings.server_name.clone(),
            srv: Arc::clone(&settings.srv),
        }
    }

    /// What to try for a target, in order, first the one that was `good` last.
    pub(super) async fn of(
        &self,
        target: &Target,
        good: Option<&Endpoint>,
    ) -> Result<Vec<Endpoint>, String> {
        let mut candidates = match target {
            Target::Url(url) => {
                let endpoint = self.allowed(url)?;
                self.is_of_the_peer(&endpoint).await?;
                return Ok(vec![endpoint]);
            }
            Target::Usual => match &self.configured {
                Some(configured) => configured.clone().map_err(|error| error.to_string())?,
                None => self.by_srv().await?,
            },
        };
        if let Some(good) = good {
            // Stable: the others keep their order.
            candidates.sort_by_key(|candidate| candidate != good);
        }
        Ok(candidates)
    }

    async fn by_srv(&self) -> Result<Vec<Endpoint>, String> {
        let targets = self.srv.targets(&self.peer).await;
        let mut candidates = Vec::new();
        for (host, port) in targets.map_err(|error| format!("dns: {error}"))? {
            let found = |tls| self.identified(Endpoint::new(tls, &host, port));
            candidates.push(found(true));
            if self.allow_plain {
                candidates.push(found(false));
            }
        }
        Ok(candidates)
    }

    /// The endpoint of an exact URL.
    pub(super) fn allowed(&self, url: &str) -> Result<Endpoint, String> {
        let endpoint = Endpoint::parse(url).map_err(|error| error.to_string())?;
        let endpoint = self.identified(endpoint);
        let known = self.configured.iter().flatten().flatten();
        let is_configured = known.into_iter().any(|known| known.same_origin(&endpoint));
        if endpoint.tls || self.allow_plain || is_configured {
            Ok(endpoint)
        } else {
            Err(format!(
                "{endpoint}: plain http is not allowed for this peer (allow_plain)"
            ))
        }
    }

    /// An endpoint with the name that its certificate must have: that of the settings; else the
    /// host, where the settings name it; else the peer's. Whoever answers DNS for the peer may
    /// lead us anywhere, and must not be able to be taken for it (RFC 6125, 1.8).
    fn identified(&self, endpoint: Endpoint) -> Endpoint {
        let named = |host: &String| host.eq_ignore_ascii_case(&endpoint.host);
        match &self.server_name {
            Some(name) => endpoint.known_as(name),
            None if self.configured.is_none() && !self.redirects.iter().any(named) => {
                endpoint.known_as(&self.peer)
            }
            None => endpoint,
        }
    }

    /// Where the peer's addresses come from SRV records, an exact URL must lead to one of
    /// their hosts, or to one that the settings name (wire profile, 6.8). Else whoever
    /// gave the URL has compared.
    async fn is_of_the_peer(&self, endpoint: &Endpoint) -> Result<(), String> {
        let named = |host: &String| host.eq_ignore_ascii_case(&endpoint.host);
        if self.configured.is_some() || self.redirects.iter().any(named) {
            return Ok(());
        }
        let targets = self.srv.targets(&self.peer).await;
        let targets = targets.map_err(|error| format!("dns: {error}"))?;
        if targets.iter().any(|(host, _)| named(host)) {
            return Ok(());
        }
        Err(format!("{endpoint} is not an address of the peer"))
    }

    /// Where a redirect leads, if it is one that is followed: to the same host, and not from TLS
    /// to plain http (wire profile, 2.1).
    pub(super) fn followed(&self, from: &Endpoint, answered: &Answered) -> Option<Endpoint> {
        let to = from.redirected(answered.redirect()?).ok()?;
        (to.host == from.host && (to.tls || !from.tls || self.allow_plain)).then_some(to)
    }
}
