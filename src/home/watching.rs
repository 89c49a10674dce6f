//! Other users' presence as our users see it: subscriptions of ours, and what comes of them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use super::addresses::Addresses;
use super::session::too_many;
use crate::element::Time;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{AttributeList, MetaInfo, PresenceValue, User as UserElement, UserId};
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::imps::primitive::presence::{
    PresenceNotification, SubscribeRequest, UnsubscribeRequest,
};
use crate::imps::status::{Code, DetailedResult, Status};

use super::Home;
use super::client::{ClientKey, ToClient};
use super::core::{Asked, Asker, Core, Timer};
use super::known::Known;
use super::relation::{Subscription, SubscriptionState};
use super::user::User;

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

/// A subscription that fails for reasons that may pass is tried again after so long, twice as
/// long after each further failure ...
const RETRY: Duration = Duration::from_secs(30);
/// ... but never longer than this,
const MAX_RETRY: Duration = Duration::from_secs(3600);
/// and given up after so many failures (about two days).
const MAX_FAILURES: u32 = 50;

/// It was taken over, and there is no result yet.
const ACCEPTED: Code = Code(202);

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
                Watching::of(user, core, now).hear(&value.user, list);
            }
        }
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

    /// Starts watching, because a client wants it. All that may be wanted is asked for: there is
    /// one subscription for all clients of the user.
    /// `by_list`: they are on contact lists that the user watches.
    pub(super) fn subscribe(&mut self, asker: Asker, request: &SubscribeRequest, by_list: bool) {
        let to = match self.publishers(&request.users) {
            Ok(to) => to,
            Err(status) => return self.core.answer(asker, status),
        };
        if !to.iter().all(|one| self.user.has_room_for(one, self.core)) {
            let status = Status::new(Code::TOO_MANY_CONTACTS)
                .because("There is no room for another contact.");
            return self.core.answer(asker, status);
        }
        if !self.user.may_ask(self.core) {
            return self.core.answer(asker, too_many());
        }
        for one in &to {
            self.user.relate(self.core, one, |relation| {
                let is_new = relation.subscription.is_none();
                let subscription = relation.subscription.get_or_insert_with(Subscription::new);
                subscription.by_list = by_list && (is_new || subscription.by_list);
                // Who asks may be new, and has not heard what is told once and not kept.
                subscription.more = 0;
                subscription.failures = 0;
                subscription.retry = None;
            });
        }
        self.request_subscription(Some(asker), to);
    }

    /// Stops watching, whatever the other side says.
    pub(super) fn unsubscribe(&mut self, asker: Asker, request: &UnsubscribeRequest) {
        let to = match self.publishers(&request.users) {
            Ok(to) => to,
            Err(status) => return self.core.answer(asker, status),
        };
        for one in &to {
            self.user
                .relate(self.core, one, |relation| relation.subscription = None);
        }
        self.core.send(self.end_of(to), self.now);
        self.core.answer(asker, Status::ok());
    }

    /// The users that a request names.
    fn publishers(&self, users: &[UserId]) -> Result<Vec<Address>, Status> {
        if users.is_empty() {
            let why = "A request names a user, and at most a hundred.";
            return Err(Status::new(Code::BAD_PARAMETER).because(why));
        }
        let users = users.iter().map(|id| self.core.at_home(&id.user));
        let users: Vec<Address> = users.collect();
        if users
            .iter()
            .all(|user| user.is_valid() && user.kind() == Kind::User)
        {
            Ok(users)
        } else {
            Err(Status::new(Code::ADDRESS).because("The address names no user."))
        }
    }

    /// What is known of all whom the user watches.
    pub(super) fn all(&self) -> Option<PresenceNotification> {
        let relations = self.user.relations.iter();
        let values = relations.filter_map(|(publisher, relation)| {
            let known = &relation.subscription.as_ref()?.presence;
            Some(value_of(publisher, &self.core.away.shown(publisher, known)))
        });
        let values: Vec<PresenceValue> = values.collect();
        (!values.is_empty()).then(|| self.notification(values))
    }

    fn notification(&self, values: Vec<PresenceValue>) -> PresenceNotification {
        PresenceNotification {
            meta: Some(MetaInfo::of_server(self.core.domain())),
            watchers: vec![UserElement::new(self.user.address(self.core))],
            values,
        }
    }

    /// Watches somebody who has come to a list that the user watches.
    pub(super) fn watch_member(&mut self, member: &Address) {
        let is_watched = self.subscription(member).is_some();
        let is_own = *member == self.user.address(self.core);
        if is_watched || is_own {
            return;
        }
        self.user.relate(self.core, member, |relation| {
            relation.subscription = Some(Subscription {
                by_list: true,
                ..Subscription::new()
            });
        });
        self.request_subscription(None, vec![member.clone()]);
    }

    /// Stops watching somebody who is on no list any more that the user watches, unless the user
    /// watches them for themself.
    pub(super) fn unwatch_member(&mut self, member: &Address) {
        let Some(relation) = self.user.relations.get(member) else {
            return;
        };
        let lists = self.user.contact_lists();
        let is_watched = |list: &str| lists.get(list).is_some_and(|list| list.watched);
        let is_listed = relation.contacts.iter().any(|c| is_watched(&c.list));
        let by_list = relation.subscription.as_ref().is_some_and(|s| s.by_list);
        if by_list && !is_listed {
            self.end_subscription(member);
        }
    }

    fn end_of(&self, to: Vec<Address>) -> UnsubscribeRequest {
        UnsubscribeRequest {
            meta: Some(MetaInfo::of_user(
                self.core.domain(),
                self.user.address(self.core),
            )),
            users: to.into_iter().map(|user| UserId { user }).collect(),
        }
    }

    /// Asks again for what the user watches already.
    pub(super) fn subscribe_anew(&mut self, to: &Address) {
        self.user.relate(self.core, to, |relation| {
            if let Some(subscription) = &mut relation.subscription {
                subscription.retry = None;
            }
        });
        self.request_subscription(None, vec![to.clone()]);
    }

    /// Stops watching somebody, whatever the other side says.
    pub(super) fn end_subscription(&mut self, to: &Address) {
        self.user
            .relate(self.core, to, |relation| relation.subscription = None);
        self.core.send(self.end_of(vec![to.clone()]), self.now);
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
            self.request_subscription(None, vec![to.clone()]);
        }
    }

    /// The publishers' side has answered to a subscription. What may pass is tried again, and
    /// the client hears 202; what ends later than that all clients hear.
    pub(super) fn subscribe_answered(
        &mut self,
        asker: Option<Asker>,
        to: &Addresses,
        status: &Status,
    ) {
        let mut failures = Vec::new();
        let mut waits = false;
        for one in &to.0 {
            let verdict = verdict_on(one, &to.0, status);
            let Some(tried) = self.subscription(one).map(|s| s.failures) else {
                continue;
            };
            if verdict.is_success() {
                continue;
            }
            if verdict.is_transient() && tried < MAX_FAILURES {
                waits = true;
                self.try_again(one);
            } else {
                self.user
                    .relate(self.core, one, |relation| relation.subscription = None);
                failures.push((verdict, one.clone()));
            }
        }
        let verdict = Status::of_users(to.0.len(), failures.clone());
        let verdict = match status.words() {
            _ if failures.is_empty() && waits => {
                Status::new(ACCEPTED).because("The way there is shut; it is tried again.")
            }
            Some(words) if !failures.is_empty() => verdict.because(words),
            _ => verdict,
        };
        let here = |asker: &Asker| self.user.clients.contains_key(&asker.client);
        if let Some(asker) = asker.filter(here) {
            let client = asker.client;
            self.core.answer(asker, verdict);
            self.show_known(client, &to.0);
        } else {
            for (code, user) in failures {
                let detail = DetailedResult {
                    users: vec![UserId { user }],
                    ..DetailedResult::new(code)
                };
                let failed = Status {
                    details: vec![detail],
                    ..Status::new(code).because("The subscription has ended.")
                };
                self.user.tell(self.core, &ToClient::now(failed));
            }
        }
    }

    fn subscription(&self, to: &Address) -> Option<&Subscription> {
        self.user.relations.get(to)?.subscription.as_ref()
    }

    /// Tries a subscription again after a while.
    fn try_again(&mut self, to: &Address) {
        let before = self.subscription(to).map_or(0, |s| s.failures);
        let failures = before + 1;
        let pause = RETRY * (1 << failures.min(16).saturating_sub(1));
        let at = self.now.plus(pause.min(MAX_RETRY));
        self.core
            .timers
            .insert((at, Timer::Retry(self.user.name.clone(), to.clone())));
        self.user.relate(self.core, to, |relation| {
            if let Some(subscription) = &mut relation.subscription {
                subscription.failures = failures;
                subscription.retry = Some(at);
            }
        });
    }

    /// Tells a client what is known already of those it has asked to watch.
    fn show_known(&mut self, client: ClientKey, of: &[Address]) {
        let known = of.iter().filter_map(|publisher| {
            let known = &self.subscription(publisher)?.presence;
            let shown = self.core.away.shown(publisher, known);
            (*known != Known::default()).then(|| value_of(publisher, &shown))
        });
        let values: Vec<PresenceValue> = known.collect();
        if !values.is_empty() {
            let notification = self.notification(values);
            self.core.tell(client, ToClient::now(notification));
        }
    }

    /// Takes in what an answer tells of those whom the user watches.
    pub(super) fn learn_all(&mut self, values: &[PresenceValue]) {
        for value in values {
            if let Some(list) = &value.presence {
                self.learn(&value.user, list);
            }
        }
    }

    /// Takes in what was notified. The clients are told, if it is news.
    fn hear(&mut self, publisher: &Address, list: &PresenceSubList) {
        let is_news = self.learn(publisher, list);
        if self.has_more(publisher, list) || is_news {
            let value = PresenceValue {
                user: publisher.clone(),
                presence: Some(list.clone()),
            };
            let notification = self.notification(vec![value]);
            self.user.tell(self.core, &ToClient::now(notification));
        }
    }

    /// Whether a notification of somebody the user watches has values, besides those that are kept,
    /// which the last one that had such did not have.
    fn has_more(&mut self, publisher: &Address, list: &PresenceSubList) -> bool {
        let relation = self.user.relations.get_mut(publisher);
        let Some(subscription) = relation.and_then(|r| r.subscription.as_mut()) else {
            return false;
        };
        let attributes = list.attributes.iter();
        let more: Vec<&Attribute> = attributes.filter(|a| !Known::has(&a.name)).collect();
        if more.is_empty() {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        format!("{more:?}").hash(&mut hasher);
        let last = std::mem::replace(&mut subscription.more, hasher.finish());
        last != subscription.more
    }

    fn request_subscription(&mut self, asker: Option<Asker>, to: Vec<Address>) {
        let users = to.iter().map(|user| UserId { user: user.clone() });
        let request = SubscribeRequest {
            meta: Some(MetaInfo::of_user(
                self.core.domain(),
                self.user.address(self.core),
            )),
            users: users.collect(),
            attributes: Some(wanted()),
        };
        let expires = self.now.plus(self.core.settings.request_validity);
        let to = Addresses(to);
        let asked = Asked::Subscribe { to };
        self.user.ask(self.core, asker, asked, request, expires);
    }

    /// Takes in values of somebody the user watches. Says whether that is news.
    fn learn(&mut self, publisher: &Address, list: &PresenceSubList) -> bool {
        let Some(before) = self.subscription(publisher).map(|s| &s.presence) else {
            return false;
        };
        let mut known = before.clone();
        known.merge(list);
        if known == *before {
            return false;
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
        true
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
        let shown = self.core.away.shown(publisher, &subscription.presence);
        let notification = self.notification(vec![value_of(publisher, &shown)]);
        self.user.tell(self.core, &ToClient::now(notification));
    }
}

fn wanted() -> AttributeList {
    AttributeList {
        presence: Some(PresenceSubList::request(WANTED)),
    }
}

/// What is shown of somebody; without attributes if nothing ever was.
fn value_of(publisher: &Address, shown: &Known) -> PresenceValue {
    PresenceValue {
        user: publisher.clone(),
        presence: (*shown != Known::default()).then(|| shown.to_list()),
    }
}

/// What an answer says of one of those who were asked.
fn verdict_on(one: &Address, all: &[Address], status: &Status) -> Code {
    if all.len() == 1 || status.details.is_empty() {
        return status.effective();
    }
    let mut details = status.details.iter();
    let own = details.find(|detail| detail.users.iter().any(|id| id.user == *one));
    match own {
        Some(detail) => detail.code,
        None if status.code.is_success() => Code::OK,
        None => status.code,
    }
}
