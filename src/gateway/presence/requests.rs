//! Requests to the SSP side for XMPP users who watch.

use std::collections::BTreeMap;
use std::time::Duration;

use xmpp_parsers::jid::Jid;

use super::super::records::Pair;
use super::super::shared::Shared;
use crate::element::Time;
use crate::imps::common::{AttributeList, MetaInfo, UserId, VerUserId};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::presence::{GetPresenceRequest, SubscribeRequest, UnsubscribeRequest};
use crate::translate::Translator;

/// How long a request may take.
const LONGEST: Duration = Duration::from_secs(60);

/// What a request was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The subscription of an XMPP user.
    Subscribe(Pair),
    /// The presence of a WV user for one who has, or has no, subscription.
    Presence(Pair, String),
    /// Nothing depends on the answer.
    Nothing,
}

/// Requests under way that nobody in XMPP waits for, by their token.
#[derive(Debug, Default)]
pub(super) struct Requests(BTreeMap<u64, Asked>);

impl Requests {
    /// What the request of this token was for; it is over.
    pub(super) fn answered(&mut self, token: u64) -> Option<Asked> {
        self.0.remove(&token)
    }

    /// Asks for the subscription of the pair; false if it must be tried again.
    pub(super) fn subscribe(
        &mut self,
        pair: &Pair,
        nick: Option<&str>,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        let Some(mut meta) = meta_of(pair, &shared.translator) else {
            return true;
        };
        if let Some(user) = &mut meta.requestor.user {
            user.friendly_name = nick.map(str::to_owned);
        }
        let request = SubscribeRequest {
            meta: Some(meta),
            users: vec![UserId {
                user: pair.wv.clone(),
            }],
            attributes: Some(attributes(&shared.translator)),
        };
        self.send(Asked::Subscribe(pair.clone()), request, now, shared)
    }

    /// Ends the subscription of the pair.
    pub(super) fn unsubscribe(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        if let Some(meta) = meta_of(pair, &shared.translator) {
            let request = UnsubscribeRequest {
                meta: Some(meta),
                users: vec![UserId {
                    user: pair.wv.clone(),
                }],
            };
            self.send(Asked::Nothing, request, now, shared);
        }
    }

    /// Asks for the presence of the pair's WV user, for the client `from`.
    pub(super) fn presence(&mut self, pair: Pair, from: &Jid, now: Time, shared: &mut Shared) {
        let Some(meta) = meta_of(&pair, &shared.translator) else {
            return;
        };
        let request = GetPresenceRequest {
            meta: Some(meta),
            users: vec![VerUserId {
                user: pair.wv.clone(),
                version: None,
            }],
            attributes: Some(attributes(&shared.translator)),
        };
        let asked = Asked::Presence(pair, from.to_string());
        self.send(asked, request, now, shared);
    }

    /// False if too many wait for their answers.
    fn send(
        &mut self,
        asked: Asked,
        request: impl Into<Primitive>,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        if self.0.len() >= shared.settings.max_queries {
            if let Some(more) = shared.seldom.may("asked", now.0) {
                tracing::warn!(
                    more,
                    "a request was not sent: too many wait for their answers"
                );
            }
            return false;
        }
        let token = shared.number();
        self.0.insert(token, asked);
        shared.request(token, request.into(), now.plus(LONGEST));
        true
    }
}

fn meta_of(pair: &Pair, translator: &Translator) -> Option<MetaInfo> {
    let watcher = translator.address(&Jid::new(&pair.xmpp).ok()?).ok()?;
    Some(MetaInfo::of_user(watcher.domain(), watcher.clone()))
}

/// The attributes that are asked for.
fn attributes(translator: &Translator) -> AttributeList {
    AttributeList {
        presence: Some(translator.mappings.presence.subscribed()),
    }
}
