//! Other users' presence as our users see it: subscriptions of ours, and what comes of them.

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::{AttributeList, MetaInfo, UserId, VerUserId};
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::imps::primitive::presence::{
    GetPresenceRequest, PresenceNotification, SubscribeRequest, UnsubscribeRequest,
};
use crate::imps::status::{Code, Status};
use crate::text::cut;

use super::client::{Availability, ClientKey, Event, Known, SubscriptionState};
use super::core::{Asked, Core, Timer};
use super::relation::Subscription;
use super::user::User;
use super::{Home, effective};

/// What we ask for (xmpp-mapping, 3.1).
const WANTED: [AttributeName; 14] = [
    AttributeName::OnlineStatus,
    AttributeName::ClientInfo,
    AttributeName::TimeZone,
    AttributeName::GeoLocation,
    AttributeName::Address,
    AttributeName::FreeTextLocation,
    AttributeName::CommCap,
    AttributeName::UserAvailability,
    AttributeName::PreferredLanguage,
    AttributeName::StatusText,
    AttributeName::StatusMood,
    AttributeName::Alias,
    AttributeName::StatusContent,
    AttributeName::InfoLink,
];

/// Bytes of a text value that are kept.
const MAX_VALUE: usize = 1024;

/// A subscription that fails for reasons that may pass is tried again after so many seconds,
/// twice as many after each further failure ...
const RETRY_SECONDS: u64 = 30;
/// ... but never more than so many,
const MAX_RETRY_SECONDS: u64 = 3600;
/// and given up after so many failures (about two days).
const MAX_FAILURES: u32 = 50;

impl Home {
    /// A notification for users of ours. What nobody subscribed to is dropped.
    pub(super) fn take_presence(&mut self, notice: &PresenceNotification, now: Time) {
        let Self { users, core, .. } = self;
        for watcher in &notice.watchers {
            let watcher = core.at_home(&watcher.user);
            let Ok(name) = core.local_name(&watcher) else {
                continue;
            };
            let Some(user) = users.get_mut(name) else {
                continue;
            };
            for value in &notice.values {
                let Some(list) = &value.presence else {
                    continue;
                };
                if let Some(presence) = Watching::of(user, core, now).learn(&value.user, list) {
                    let publisher = value.user.clone();
                    user.tell(
                        core,
                        &Event::Presence {
                            user: publisher,
                            presence,
                        },
                    );
                }
            }
        }
    }
}

impl Known {
    /// Takes in new values (presence-attributes, 1): what is absent stays, what has qualifier F
    /// is forgotten.
    fn merge(&mut self, list: &PresenceSubList) {
        let text = |name: &AttributeName, old: &mut Option<String>| {
            if let Some(attribute) = list.get(name) {
                *old = attribute
                    .simple()
                    .filter(|text| !text.is_empty())
                    .map(|text| cut(text, MAX_VALUE).to_owned());
            }
        };
        text(&AttributeName::StatusText, &mut self.text);
        text(&AttributeName::StatusMood, &mut self.mood);
        text(&AttributeName::Alias, &mut self.alias);
        if let Some(attribute) = list.get(&AttributeName::UserAvailability) {
            self.availability = attribute.simple().and_then(Availability::from_wire);
        }
        // One instance per client from version 1.3: one that is online suffices.
        let mut instances = list.all(&AttributeName::OnlineStatus).peekable();
        if instances.peek().is_some() {
            let values: Vec<bool> = instances.filter_map(Attribute::truth).collect();
            self.online = (!values.is_empty()).then(|| values.contains(&true));
        }
        self.authorized = if list.attributes.iter().any(Attribute::is_valid) {
            true
        } else {
            self.authorized
                && (self.online.is_some()
                    || self.availability.is_some()
                    || self.text.is_some()
                    || self.mood.is_some()
                    || self.alias.is_some())
        };
    }
}

/// Others' presence as a user sees it.
pub(super) struct Watching<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Watching<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Starts watching somebody.
    pub(super) fn subscribe(&mut self, to: &Address) {
        self.user.relate(self.core, to, |relation| {
            let subscription = relation.subscription.get_or_insert_with(Subscription::new);
            subscription.failures = 0;
            subscription.retry = None;
        });
        self.request_subscription(to, false);
    }

    /// Asks again for what the user watches already.
    pub(super) fn subscribe_anew(&mut self, to: &Address) {
        self.user.relate(self.core, to, |relation| {
            if let Some(subscription) = &mut relation.subscription {
                subscription.retry = None;
            }
        });
        self.request_subscription(to, true);
    }

    /// Stops watching somebody, whatever the other side says.
    pub(super) fn end_subscription(&mut self, to: &Address) {
        self.user
            .relate(self.core, to, |relation| relation.subscription = None);
        let request = UnsubscribeRequest {
            meta: Some(MetaInfo::of_user(
                self.core.domain(),
                self.user.address(self.core),
            )),
            users: vec![UserId { user: to.clone() }],
        };
        self.core.send(request, self.now);
    }

    /// Tries a subscription again, if it is still wanted and due.
    pub(super) fn retry_subscription(&mut self, to: &Address) {
        let due = self
            .user
            .relations
            .get(to)
            .and_then(|relation| relation.subscription.as_ref()?.retry)
            .is_some_and(|at| at <= self.now);
        if due {
            self.user.relate(self.core, to, |relation| {
                if let Some(subscription) = &mut relation.subscription {
                    subscription.retry = None;
                }
            });
            self.request_subscription(to, false);
        }
    }

    /// The publisher's side has answered to a subscription.
    pub(super) fn subscribe_answered(&mut self, to: &Address, anew: bool, status: &Status) {
        let Some(relation) = self.user.relations.get(to) else {
            return;
        };
        let Some(subscription) = &relation.subscription else {
            return;
        };
        let verdict = effective(status);
        if verdict.is_success() {
            if !anew {
                self.user
                    .tell(self.core, &Event::done("subscribe", Some(to)));
            }
        } else if verdict.is_transient() && subscription.failures < MAX_FAILURES {
            let failures = subscription.failures + 1;
            let pause =
                (RETRY_SECONDS << failures.min(16).saturating_sub(1)).min(MAX_RETRY_SECONDS);
            let at = self.now.plus_seconds(pause);
            self.core
                .timers
                .insert((at, Timer::Retry(self.user.name.clone(), to.clone())));
            self.user.relate(self.core, to, |relation| {
                if let Some(subscription) = &mut relation.subscription {
                    subscription.failures = failures;
                    subscription.retry = Some(at);
                }
            });
        } else {
            self.user
                .relate(self.core, to, |relation| relation.subscription = None);
            let description = status.words().unwrap_or_default().to_owned();
            let event = Event::error("subscribe", Some(to), verdict, description);
            self.user.tell(self.core, &event);
        }
    }

    /// Asks for somebody's presence once.
    pub(super) fn get_presence(&mut self, client: ClientKey, of: &Address) {
        let request = GetPresenceRequest {
            meta: Some(MetaInfo::of_user(
                self.core.domain(),
                self.user.address(self.core),
            )),
            users: vec![VerUserId {
                user: of.clone(),
                version: None,
            }],
            attributes: Some(wanted()),
        };
        let expires = self.now.plus_seconds(self.core.settings.request_validity);
        let asked = Asked::Presence { of: of.clone() };
        self.user
            .ask(self.core, Some(client), asked, request, expires);
    }

    /// The publisher's side has answered to a query.
    pub(super) fn presence_answered(
        &mut self,
        client: Option<ClientKey>,
        of: &Address,
        status: &Status,
        answer: &Primitive,
    ) {
        let verdict = effective(status);
        let user = of.clone();
        let event = match answer {
            Primitive::GetPresenceResponse(response) if verdict.is_success() => {
                let list = response
                    .values
                    .iter()
                    .find(|value| value.user == *of)
                    .and_then(|value| value.presence.as_ref());
                let mut presence = Known::default();
                if let Some(list) = list {
                    presence.merge(list);
                    self.learn(of, list);
                }
                Event::Presence { user, presence }
            }
            _ => Event::error(
                "get_presence",
                Some(of),
                verdict,
                status.words().unwrap_or_default().to_owned(),
            ),
        };
        if let Some(client) = client {
            self.core.tell(client, event);
        }
    }

    fn request_subscription(&mut self, to: &Address, anew: bool) {
        let request = SubscribeRequest {
            meta: Some(MetaInfo::of_user(
                self.core.domain(),
                self.user.address(self.core),
            )),
            users: vec![UserId { user: to.clone() }],
            attributes: Some(wanted()),
        };
        let expires = self.now.plus_seconds(self.core.settings.request_validity);
        let to = to.clone();
        let asked = Asked::Subscribe { to, anew };
        self.user.ask(self.core, None, asked, request, expires);
    }

    /// Takes in values of somebody the user watches. Says what is known now, if that is news.
    fn learn(&mut self, publisher: &Address, list: &PresenceSubList) -> Option<Known> {
        let mut known = {
            let relation = self.user.relations.get(publisher)?;
            relation.subscription.as_ref()?.presence.clone()
        };
        let before = known.clone();
        known.merge(list);
        if known == before {
            return None;
        }
        let state = if known.authorized {
            SubscriptionState::Active
        } else {
            SubscriptionState::Pending
        };
        self.user.relate(self.core, publisher, |relation| {
            if let Some(subscription) = &mut relation.subscription {
                subscription.state = state;
                subscription.presence = known.clone();
                subscription.failures = 0;
                subscription.retry = None;
            }
        });
        Some(known)
    }

    /// Tells the clients what is to be shown of somebody of whom anything is known.
    pub(super) fn show_as_is(&mut self, publisher: &Address) {
        let relation = self.user.relations.get(publisher);
        let Some(subscription) = relation.and_then(|relation| relation.subscription.as_ref())
        else {
            return;
        };
        if subscription.presence == Known::default() {
            return;
        }
        let event = Event::Presence {
            user: publisher.clone(),
            presence: self.core.away.shown(publisher, &subscription.presence),
        };
        self.user.tell(self.core, &event);
    }
}

fn wanted() -> AttributeList {
    AttributeList {
        presence: Some(PresenceSubList::request(WANTED)),
    }
}

/// What cannot be asked because too much is waiting.
pub(super) fn too_many_requests(command: &str, about: &Address) -> Event {
    Event::error(
        command,
        Some(about),
        Code::QUEUE_FULL,
        "Too many requests wait for their answer.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(attributes: Vec<Attribute>) -> PresenceSubList {
        PresenceSubList { attributes }
    }

    #[test]
    fn absent_stays_and_unknown_is_forgotten() {
        let mut known = Known::default();
        known.merge(&list(vec![
            Attribute::value(AttributeName::OnlineStatus, "T"),
            Attribute::value(AttributeName::StatusText, "here"),
        ]));
        assert!(known.authorized);
        known.merge(&list(vec![Attribute::value(
            AttributeName::OnlineStatus,
            "F",
        )]));
        assert_eq!(known.online, Some(false));
        assert_eq!(known.text.as_deref(), Some("here"));
        known.merge(&list(vec![
            Attribute::unknown(AttributeName::OnlineStatus),
            Attribute::unknown(AttributeName::StatusText),
        ]));
        assert_eq!(known, Known::default());
    }

    #[test]
    fn one_client_online_is_online() {
        let mut known = Known::default();
        known.merge(&list(vec![
            Attribute::value(AttributeName::OnlineStatus, "F"),
            Attribute::value(AttributeName::OnlineStatus, "t"),
        ]));
        assert_eq!(known.online, Some(true));
    }
}
