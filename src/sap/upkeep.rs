//! The life of a session: kept alive, expired, dropped (wire profile, 6.9 and 11.1).

use super::element::Time;
use super::outbox::Item;
use super::{Effect, Sap};
use crate::ssp::common::MetaInfo;
use crate::ssp::primitive::session::KeepAliveRequest;
use crate::ssp::{Mode, Primitive};

impl Sap {
    /// Keeps idle sessions alive (wire profile, 11.1).
    pub(super) fn keep_alive(&mut self, domain: &str, now: Time) {
        let Some(peer) = self.peer_settings(domain) else {
            return;
        };
        if !peer.dialect.keep_alive {
            return;
        }
        let due = self.peers.get(domain).and_then(|state| {
            let session = state.ready_session()?;
            (session.keep_alive_at() <= now && session.ends_at() > now).then_some(())
        });
        if due.is_none() {
            return;
        }
        let request = KeepAliveRequest {
            time_to_live: None,
            meta: Some(MetaInfo::of_server(&self.settings.domain)),
        };
        self.last += 1;
        let item = Item {
            mode: Mode::Request,
            id: format!("{}-{}", self.run, self.last),
            name: "KeepAliveRequest".to_owned(),
            raw: Primitive::from(request).to_xml(Some(&peer.dialect.style())),
            conversation: None,
            expires: now.plus_millis(self.settings.response_timeout),
            message: None,
            via: None,
        };
        if let Some(session) = self
            .peers
            .get_mut(domain)
            .and_then(|state| state.sessions.last_mut())
        {
            session.record.last_out = now;
        }
        self.enqueue(domain, item, now);
    }

    /// Ends one session, or all of a peer, on this side.
    pub fn drop_sessions(&mut self, domain: &str) -> usize {
        let Some(state) = self.peers.get_mut(domain) else {
            return 0;
        };
        let dropped = std::mem::take(&mut state.sessions);
        self.write(dropped.iter().map(|session| session.record.delete()));
        if !dropped.is_empty() {
            self.effect(Effect::PeerState(domain.to_owned(), false));
        }
        dropped.len()
    }

    pub(super) fn drop_session(&mut self, domain: &str, own_id: &str) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        let Some(at) = state
            .sessions
            .iter()
            .position(|session| session.record.own_id == own_id)
        else {
            return;
        };
        let session = state.sessions.remove(at);
        let none_left = state.ready_session().is_none();
        if none_left {
            let settings = self.settings.peers.get(domain);
            state.wanted |= settings.is_some_and(|peer| peer.connect_always);
        }
        self.effect(Effect::Write(session.record.delete()));
        if none_left {
            self.effect(Effect::PeerState(domain.to_owned(), false));
        }
    }

    pub(super) fn expire_sessions(&mut self, domain: &str, now: Time) {
        if !self
            .settings
            .peers
            .get(domain)
            .is_some_and(|peer| peer.dialect.sessions_expire)
        {
            return;
        }
        let ended: Vec<String> = self.peers.get(domain).map_or_else(Vec::new, |state| {
            state
                .sessions
                .iter()
                .filter(|s| s.ends_at() <= now)
                .map(|s| s.record.own_id.clone())
                .collect()
        });
        for own_id in ended {
            tracing::info!(
                ssp.peer = domain,
                ssp.session = own_id,
                "session was idle for its time to live and ends"
            );
            self.drop_session(domain, &own_id);
        }
    }
}
