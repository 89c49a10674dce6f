//! XMPP users ask for the card of a user of the SSP side.

use std::collections::BTreeMap;
use std::time::Duration;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;

use crate::element::Time;
use crate::gateway::presence::Watches;
use crate::gateway::shared::{Shared, verdict};
use crate::gateway::shares::{Most, Shares};
use crate::imps::Code;
use crate::imps::address::Kind;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::profile::{GetUserProfileRequest, ProfileParts};
use crate::imps::xml::element::Empty;
use crate::translate::Context;
use crate::translate::card::{Card, profile};
use crate::translate::presence::card_of;
use crate::translate::stanza::ns;

/// How long the SSP side has for its answer; our choice.
const WAIT: Duration = Duration::from_secs(30);
/// What a question takes, roughly, bytes.
const BYTES: usize = 512;

/// Questions of XMPP users that wait for their answers, by token.
#[derive(Debug)]
pub(super) struct Inbound {
    asked: BTreeMap<u64, Asker>,
    shares: Shares,
}

/// Who wants to know of whom.
#[derive(Debug)]
struct Asker {
    component: String,
    from: Jid,
    to: Jid,
    id: String,
}

impl Inbound {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            asked: BTreeMap::new(),
            shares: Shares::new(own),
        }
    }

    /// A question of an XMPP user; gives it back if it is for no user's card.
    pub(super) fn ask(
        &mut self,
        component: &str,
        iq: Iq,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Iq> {
        let Iq::Get {
            from: Some(from),
            to: Some(to),
            id,
            payload,
        } = &iq
        else {
            return Some(iq);
        };
        if to.node().is_none() || !payload.is("vCard", ns::VCARD) {
            return Some(iq);
        }
        let translator = shared.translator.clone();
        let (user, asker) = (translator.address(to), translator.address(from));
        let (Ok(user), Ok(asker)) = (user, asker) else {
            return Some(iq);
        };
        if user.kind() != Kind::User {
            return Some(iq);
        }
        let most = Most {
            items: shared.settings.max_queries,
            bytes: shared.settings.max_queries.saturating_mul(BYTES),
        };
        let of = from.domain().as_str();
        if !self.shares.have_room(of, BYTES, most) {
            shared.refuse(component, iq, Code::QUEUE_FULL);
            return None;
        }
        self.shares.add(of, BYTES);
        let request = GetUserProfileRequest {
            user,
            meta: Some(MetaInfo::of_user(asker.domain(), asker.clone())),
            parts: Some(ProfileParts {
                services: None,
                privacy: None,
                terminals: None,
                properties: Some(Empty),
            }),
        };
        let token = shared.number();
        let asker = Asker {
            component: component.to_owned(),
            from: from.clone(),
            to: to.clone(),
            id: id.clone(),
        };
        self.asked.insert(token, asker);
        shared.request(token, request.into(), now.plus(WAIT));
        None
    }

    pub(super) fn asked(&self, token: u64) -> bool {
        self.asked.contains_key(&token)
    }

    /// The user's domain has answered. What it does not tell may be seen by who watches the user.
    pub(super) fn answered(
        &mut self,
        token: u64,
        answer: &Primitive,
        watches: &Watches,
        shared: &mut Shared,
    ) {
        let Some(asker) = self.asked.remove(&token) else {
            return;
        };
        self.shares.remove(asker.from.domain().as_str(), BYTES);
        let (mut card, code) = match answer {
            Primitive::GetUserProfileResponse(response) if response.status.code.is_success() => {
                let profile = response.profile.as_ref();
                let properties = profile.and_then(|profile| profile.properties.as_deref());
                (profile::card(properties.unwrap_or_default()), Code::OK)
            }
            other => (Card::default(), verdict(other)),
        };
        if let Some(values) = watches.known(&asker.from, &asker.to, shared) {
            card = card.or(card_of(values));
        }
        let is_told = code.is_success() || !card.is_empty() && code != Code::UNKNOWN_USER;
        let Asker {
            component,
            from,
            to,
            id,
        } = asker;
        if is_told {
            let result = Iq::Result {
                from: Some(to),
                to: Some(from),
                id,
                payload: Some(card.to_temp()),
            };
            return shared.answer(&component, result);
        }
        // Cards are nothing that this domain has, for all that is told.
        let code = match code.0 {
            403 | 405 | 501 | 506 | 532 | 534 => Code::UNAUTHORIZED_RECIPIENT,
            _ => code,
        };
        shared.refuse_question(&component, (from, to, id), code, Context::Other);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.asked.len()
    }
}
