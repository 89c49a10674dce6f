//! Where a POST may go: candidates in order, and which exact addresses and redirects are the peer's.

use super::{Link, Target};
use crate::http::answer::Answered;
use crate::http::endpoint::Endpoint;

impl Link {
    /// What to try for a target, in order, the last good one first.
    pub(super) async fn candidates(&self, target: &Target) -> Result<Vec<Endpoint>, String> {
        let mut candidates = match target {
            Target::Url(url) => {
                let endpoint = self.allowed(url)?;
                self.is_of_the_peer(&endpoint).await?;
                return Ok(vec![endpoint]);
            }
            Target::Usual if self.settings.urls.is_empty() => {
                let targets = self.settings.srv.targets(&self.settings.peer).await;
                let mut candidates = Vec::new();
                for (host, port) in targets.map_err(|error| format!("dns: {error}"))? {
                    let found = |tls| self.identified(Endpoint::new(tls, &host, port));
                    candidates.push(found(true));
                    if self.settings.allow_plain {
                        candidates.push(found(false));
                    }
                }
                candidates
            }
            Target::Usual => self.configured.clone().map_err(|error| error.to_string())?,
        };
        if let Some(good) = self.pool.good() {
            // Stable: the others keep their order.
            candidates.sort_by_key(|candidate| *candidate != good);
        }
        Ok(candidates)
    }

    pub(super) fn allowed(&self, url: &str) -> Result<Endpoint, String> {
        let endpoint = Endpoint::parse(url).map_err(|error| error.to_string())?;
        let endpoint = self.identified(endpoint);
        let configured = self
            .configured
            .iter()
            .flatten()
            .any(|known| known.same_origin(&endpoint));
        if endpoint.tls || self.settings.allow_plain || configured {
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
        let settings = &self.settings;
        let named = |host: &String| host.eq_ignore_ascii_case(&endpoint.host);
        match &settings.server_name {
            Some(name) => endpoint.known_as(name),
            None if settings.urls.is_empty() && !settings.redirects.iter().any(named) => {
                endpoint.known_as(&settings.peer)
            }
            None => endpoint,
        }
    }

    /// Where the peer's addresses come from SRV records, an exact URL must lead to one of
    /// their hosts, or to one that the settings name (wire profile, 6.8). Else whoever
    /// gave the URL has compared.
    async fn is_of_the_peer(&self, endpoint: &Endpoint) -> Result<(), String> {
        let settings = &self.settings;
        let named = |host: &String| host.eq_ignore_ascii_case(&endpoint.host);
        if !settings.urls.is_empty() || settings.redirects.iter().any(named) {
            return Ok(());
        }
        let targets = settings.srv.targets(&settings.peer).await;
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
        (to.host == from.host && (to.tls || !from.tls || self.settings.allow_plain)).then_some(to)
    }
}
