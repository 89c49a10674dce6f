//! A client as tests write it: short commands, which become requests of its user, and flat events,
//! which are read from what the node tells. The tests of the home domain and those of whole nodes
//! share it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wvgate::element::Time;
use wvgate::home::{Availability, FromClient, Known, ToClient};
use wvgate::imps::address::Kind;
use wvgate::imps::common::{
    ContentData, GroupId, MessageInfo, MetaInfo, PresenceValue, Recipient, User, UserId, VerUserId,
    encode_base64,
};
use wvgate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use wvgate::imps::primitive::access::{
    BlockEntityRequest, EntityChanges, EntityList, GetBlockedListRequest,
};
use wvgate::imps::primitive::common::{Id, IdList, VerifyIDRequest};
use wvgate::imps::primitive::contact_list::{ListManageRequest, NickName};
use wvgate::imps::primitive::message::SendMessageRequest;
use wvgate::imps::primitive::message_store::NewMessage;
use wvgate::imps::primitive::presence::{GetPresenceRequest, SubscribeRequest, UnsubscribeRequest};
use wvgate::imps::primitive::presence_admin::{
    CancelAuthRequest, GetReactiveAuthStatusRequest, GetWatcherListRequest,
    PresenceAuthUserRequest, UpdatePresenceRequest,
};
use wvgate::imps::{Address, Primitive, Status};
use wvgate::text::charset::{self, Charset, Reading};
use wvgate::text::media;

/// What a test lets a client do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Command {
    Message {
        to: Address,
        text: String,
        #[serde(default)]
        report: bool,
        #[serde(default)]
        id: Option<String>,
    },
    Ack {
        number: u64,
    },
    Presence {
        availability: Option<Availability>,
        text: Option<String>,
        mood: Option<String>,
        alias: Option<String>,
    },
    Subscribe {
        user: Address,
    },
    Unsubscribe {
        user: Address,
    },
    Authorize {
        user: Address,
        accept: bool,
    },
    CancelAuthorization {
        user: Address,
    },
    Contacts,
    AddContact {
        user: Address,
        name: Option<String>,
    },
    RemoveContact {
        user: Address,
    },
    Watchers,
    GetPresence {
        user: Address,
    },
    Block {
        user: Address,
    },
    Unblock {
        user: Address,
    },
    Verify {
        user: Address,
    },
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    Ready {
        user: Address,
        waiting: usize,
    },
    Message {
        number: Option<u64>,
        id: String,
        from: Address,
        name: Option<String>,
        text: String,
        content_type: String,
        data: Option<String>,
        uri: Option<String>,
        /// When it came, if it had to wait.
        delayed: Option<Time>,
    },
    /// The answer to a message.
    Sent {
        number: Option<u64>,
        id: String,
        to: Address,
        status: u16,
        description: Option<String>,
        details: Vec<u16>,
    },
    Report {
        number: Option<u64>,
        id: String,
        status: u16,
        description: Option<String>,
        to: Option<Address>,
    },
    /// All that was told of somebody's presence.
    Presence {
        user: Address,
        #[serde(flatten)]
        presence: Known,
    },
    AuthorizationRequest {
        number: Option<u64>,
        user: Address,
    },
    Contacts {
        contacts: Vec<ContactEntry>,
    },
    Watchers {
        watchers: Vec<WatcherEntry>,
    },
    Verified {
        user: Address,
        status: u16,
    },
    /// A message waits.
    Notification {
        number: Option<u64>,
        #[serde(skip)]
        primitive: Box<Primitive>,
    },
    /// A group has told something.
    Group {
        #[serde(skip)]
        primitive: Box<Primitive>,
    },
    /// Something about an invitation.
    Invitation {
        number: Option<u64>,
        xml: String,
        #[serde(skip)]
        primitive: Box<Primitive>,
    },
    /// The answer to a request that the test wrote itself.
    Answer {
        id: String,
        #[serde(skip)]
        primitive: Box<Primitive>,
    },
    Done {
        command: String,
        user: Option<Address>,
    },
    Error {
        command: String,
        user: Option<Address>,
        status: u16,
        description: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ContactEntry {
    pub user: Address,
    pub name: Option<String>,
    pub contact: bool,
    pub blocked: bool,
    pub subscription: Option<SubscriptionState>,
    #[serde(flatten)]
    pub presence: Known,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SubscriptionState {
    Pending,
    Active,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WatcherEntry {
    pub user: Address,
    pub state: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    Authorized,
    Denied,
    Pending,
    Unknown,
}

/// What one client has asked and heard.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    user: Option<Address>,
    asked: u64,
    questions: BTreeMap<u64, (Command, Vec<Option<Primitive>>)>,
    watched: BTreeMap<Address, Known>,
    /// Messages that have waited and are still to come.
    waited: usize,
}

impl Command {
    fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap();
        value["do"].as_str().unwrap().to_owned()
    }

    fn user(&self) -> Option<&Address> {
        match self {
            Self::Message { to: user, .. }
            | Self::Subscribe { user }
            | Self::Unsubscribe { user }
            | Self::Authorize { user, .. }
            | Self::CancelAuthorization { user }
            | Self::AddContact { user, .. }
            | Self::RemoveContact { user }
            | Self::GetPresence { user }
            | Self::Block { user }
            | Self::Unblock { user }
            | Self::Verify { user } => Some(user),
            _ => None,
        }
    }
}

impl Event {
    /// The number to acknowledge it with.
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Message { number, .. }
            | Self::Notification { number, .. }
            | Self::Sent { number, .. }
            | Self::Report { number, .. }
            | Self::Invitation { number, .. }
            | Self::AuthorizationRequest { number, .. } => *number,
            _ => None,
        }
    }
}

impl Talk {
    /// What the client says for a command.
    pub(crate) fn say(&mut self, command: Command) -> Vec<FromClient> {
        if let Command::Ack { number } = command {
            return vec![FromClient::Ack { number }];
        }
        let requests = self.requests(&command);
        self.asked += 1;
        let answers = vec![None; requests.len()];
        self.questions.insert(self.asked, (command, answers));
        let requests = requests.into_iter().enumerate();
        let requests = requests.map(|(part, primitive)| FromClient::Request {
            id: format!("talk {}.{part}", self.asked),
            primitive: Box::new(primitive),
        });
        requests.collect()
    }

    fn own(&self) -> Address {
        let user = self.user.clone();
        user.unwrap_or_else(|| Address::new("wv:nobody@home.test"))
    }

    fn requests(&self, command: &Command) -> Vec<Primitive> {
        let own = self.own();
        let at_home = |user: &Address| user.clone().or_domain(own.domain());
        let meta = || Some(MetaInfo::of_user(own.domain(), own.clone()));
        let user = command.user().map(at_home);
        let user = || user.clone().unwrap();
        let id = || UserId { user: user() };
        let manage = |add, remove, receive| ListManageRequest {
            list: Address::resource_of(own.user_part(), "contacts", own.domain()),
            receive,
            meta: meta(),
            add,
            remove,
            properties: None,
        };
        let block = |add, remove| BlockEntityRequest {
            meta: meta(),
            blocked: Some(EntityChanges {
                in_use: None,
                add,
                remove,
            }),
            granted: None,
        };
        let entities = || {
            Some(EntityList {
                in_use: None,
                users: vec![id()],
                screen_names: Vec::new(),
                groups: Vec::new(),
                lists: Vec::new(),
            })
        };
        vec![match command {
            Command::Ack { .. } => return Vec::new(),
            Command::Message {
                text, report, id, ..
            } => SendMessageRequest {
                delivery_report: *report,
                meta: meta(),
                info: MessageInfo {
                    message_id: id.clone(),
                    uri: None,
                    content_type: None,
                    content_name: None,
                    content_size: None,
                    validity: None,
                    recipients: vec![if user().kind() == Kind::Resource {
                        Recipient::Group(GroupId { group: user() })
                    } else {
                        Recipient::User(User::new(user()))
                    }],
                    recipient_display: None,
                    sender: None,
                    date_time: None,
                },
                content: Some(ContentData::text(text)),
            }
            .into(),
            Command::Presence {
                availability,
                text,
                mood,
                alias,
            } => {
                let availability = availability.map(|value| value.as_wire().to_owned());
                let mood = mood.as_ref().map(|mood| mood.to_uppercase());
                let values = [
                    (AttributeName::UserAvailability, availability),
                    (AttributeName::StatusText, text.clone()),
                    (AttributeName::StatusMood, mood),
                    (AttributeName::Alias, alias.clone()),
                ];
                let values = values.into_iter();
                let values =
                    values.filter_map(|(name, value)| Some(Attribute::value(name, value?)));
                UpdatePresenceRequest {
                    meta: meta(),
                    value: PresenceValue {
                        user: own.clone(),
                        presence: Some(PresenceSubList {
                            attributes: values.collect(),
                        }),
                    },
                }
                .into()
            }
            Command::Subscribe { .. } => SubscribeRequest {
                meta: meta(),
                users: vec![id()],
                attributes: None,
            }
            .into(),
            Command::Unsubscribe { .. } => UnsubscribeRequest {
                meta: meta(),
                users: vec![id()],
            }
            .into(),
            Command::Authorize { accept, .. } => PresenceAuthUserRequest {
                watcher: user(),
                acceptance: *accept,
                meta: meta(),
                attributes: None,
            }
            .into(),
            Command::CancelAuthorization { .. } => CancelAuthRequest {
                watcher: user(),
                meta: meta(),
            }
            .into(),
            Command::Contacts => {
                let blocked = GetBlockedListRequest { meta: meta() };
                return vec![manage(None, None, true).into(), blocked.into()];
            }
            Command::AddContact { name, .. } => {
                let (user, name) = (user(), name.clone());
                manage(Some(vec![NickName { name, user }]), None, false).into()
            }
            Command::RemoveContact { .. } => manage(None, Some(vec![id()]), false).into(),
            Command::Watchers => {
                let watchers = GetWatcherListRequest {
                    history: None,
                    max: None,
                    meta: meta(),
                };
                let decisions = GetReactiveAuthStatusRequest {
                    meta: meta(),
                    users: Vec::new(),
                };
                let list = manage(None, None, true);
                return vec![watchers.into(), decisions.into(), list.into()];
            }
            Command::GetPresence { .. } => GetPresenceRequest {
                meta: meta(),
                users: vec![VerUserId {
                    user: user(),
                    version: None,
                }],
                attributes: None,
            }
            .into(),
            Command::Block { .. } => block(entities(), None).into(),
            Command::Unblock { .. } => block(None, entities()).into(),
            Command::Verify { .. } => VerifyIDRequest {
                meta: meta(),
                ids: IdList {
                    ids: vec![Id::User(id())],
                },
            }
            .into(),
        }]
    }

    /// What the client hears.
    pub(crate) fn hear(&mut self, told: ToClient) -> Vec<Event> {
        match told {
            ToClient::Opened {
                user,
                waiting,
                watched,
            } => {
                self.user = Some(user.clone());
                self.waited = waiting;
                if let Some(Primitive::PresenceNotification(known)) = watched.as_deref() {
                    self.see(&known.values);
                }
                vec![Event::Ready { user, waiting }]
            }
            ToClient::Answer {
                id,
                number,
                primitive,
            } => self.answered(id, number, primitive),
            ToClient::Take { number, primitive } => vec![self.taken(number, *primitive)],
            ToClient::Now { primitive } => match *primitive {
                Primitive::PresenceNotification(notice) => self.see(&notice.values),
                Primitive::Status(status) => {
                    let users = status.details.iter().flat_map(|detail| &detail.users);
                    let failed = users.map(|id| error("subscribe", Some(&id.user), &status));
                    failed.collect()
                }
                told @ (Primitive::GroupChangeNotice(_) | Primitive::LeaveGroupIndication(_)) => {
                    let primitive = Box::new(told);
                    vec![Event::Group { primitive }]
                }
                other => panic!("{other:?}"),
            },
            ToClient::Over { why } => vec![error("login", None, &why.status())],
        }
    }

    fn see(&mut self, values: &[PresenceValue]) -> Vec<Event> {
        let known = values.iter().map(|value| {
            let known = self.watched.entry(value.user.clone()).or_default();
            if let Some(list) = &value.presence {
                known.merge(list);
            }
            Event::Presence {
                user: value.user.clone(),
                presence: known.clone(),
            }
        });
        known.collect()
    }

    fn taken(&mut self, number: u64, primitive: Primitive) -> Event {
        let number = Some(number);
        match primitive {
            Primitive::NewMessage(message) => {
                let has_waited = self.waited > 0;
                self.waited = self.waited.saturating_sub(1);
                message_event(*message, number, has_waited)
            }
            Primitive::DeliveryStatusReport(report) => {
                let status = report.result.status;
                let sender = report.info.sender.as_ref();
                Event::Report {
                    number,
                    id: report.info.message_id.unwrap(),
                    status: status.code.0,
                    description: status.words().map(str::to_owned),
                    to: sender.and_then(|s| Some(s.user.as_ref()?.user.clone())),
                }
            }
            told @ Primitive::MessageNotification(_) => Event::Notification {
                number,
                primitive: Box::new(told),
            },
            Primitive::PresenceAuthRequest(question) => Event::AuthorizationRequest {
                number,
                user: question.requesting,
            },
            told @ (Primitive::InviteRequest(_)
            | Primitive::InviteResponse(_)
            | Primitive::CancelInviteRequest(_)) => Event::Invitation {
                number,
                xml: told.to_xml(None),
                primitive: Box::new(told),
            },
            other => panic!("{other:?}"),
        }
    }

    fn answered(
        &mut self,
        id: String,
        number: Option<u64>,
        primitive: Box<Primitive>,
    ) -> Vec<Event> {
        let parts = id.strip_prefix("talk ").and_then(|id| id.split_once('.'));
        let Some((question, part)) = parts else {
            if id.is_empty() {
                return vec![error("unknown", None, primitive.verdict().unwrap())];
            }
            return vec![Event::Answer { id, primitive }];
        };
        let question: u64 = question.parse().unwrap();
        let part: usize = part.parse().unwrap();
        let (_, answers) = self.questions.get_mut(&question).unwrap();
        answers[part] = Some(*primitive);
        if answers.iter().any(Option::is_none) {
            return Vec::new();
        }
        let (command, answers) = self.questions.remove(&question).unwrap();
        let answers: Vec<Primitive> = answers.into_iter().flatten().collect();
        vec![self.tell(&command, number, &answers)]
    }

    fn tell(&mut self, command: &Command, number: Option<u64>, answers: &[Primitive]) -> Event {
        let own = self.own();
        let user = command
            .user()
            .map(|user| user.clone().or_domain(own.domain()));
        let name = command.name();
        let failed = |answer: &&Primitive| !answer.verdict().unwrap().code.is_success();
        let verdict = answers.iter().find(failed).unwrap_or(&answers[0]);
        let verdict = verdict.verdict().unwrap();
        let detail = verdict.details.first().map_or(verdict.code, |d| d.code);
        match (command, answers) {
            (Command::Message { .. }, [Primitive::SendMessageResponse(response)]) => {
                let status = &response.status;
                return Event::Sent {
                    number,
                    id: response.message_id.clone(),
                    to: user.unwrap(),
                    status: status.code.0,
                    description: status.words().map(str::to_owned),
                    details: status.details.iter().map(|d| d.code.0).collect(),
                };
            }
            (Command::Verify { .. }, [Primitive::Status(_)]) => {
                return Event::Verified {
                    user: user.unwrap(),
                    status: detail.0,
                };
            }
            _ => {}
        }
        if !detail.is_success() {
            let status = Status {
                code: detail,
                ..verdict.clone()
            };
            return error(&name, user.as_ref(), &status);
        }
        match command {
            Command::GetPresence { .. } => {
                let user = user.unwrap();
                let mut presence = Known::default();
                if let [Primitive::GetPresenceResponse(response)] = answers {
                    let value = response.values.iter().find(|value| value.user == user);
                    if let Some(list) = value.and_then(|value| value.presence.as_ref()) {
                        presence.merge(list);
                    }
                }
                Event::Presence { user, presence }
            }
            Command::Contacts => self.contacts(answers),
            Command::Watchers => watchers(answers),
            Command::Subscribe { .. } => {
                self.watched.entry(user.clone().unwrap()).or_default();
                let command = name;
                Event::Done { command, user }
            }
            _ => {
                if matches!(command, Command::Unsubscribe { .. }) {
                    self.watched.remove(user.as_ref().unwrap());
                }
                let command = name;
                Event::Done { command, user }
            }
        }
    }

    fn contacts(&self, answers: &[Primitive]) -> Event {
        let mut contacts: BTreeMap<Address, ContactEntry> = BTreeMap::new();
        let entry = |user: &Address| ContactEntry {
            user: user.clone(),
            name: None,
            contact: false,
            blocked: false,
            subscription: None,
            presence: Known::default(),
        };
        for answer in answers {
            match answer {
                Primitive::ListManageResponse(list) => {
                    for member in list.members.iter().flatten() {
                        let found = contacts.entry(member.user.clone());
                        let found = found.or_insert_with_key(entry);
                        (found.contact, found.name) = (true, member.name.clone());
                    }
                }
                Primitive::GetBlockedListResponse(lists) => {
                    for id in &lists.blocked.as_ref().unwrap().users {
                        let found = contacts.entry(id.user.clone());
                        found.or_insert_with_key(entry).blocked = true;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        for (user, known) in &self.watched {
            let found = contacts.entry(user.clone()).or_insert_with_key(entry);
            found.presence = known.clone();
            found.subscription = Some(if known.authorized {
                SubscriptionState::Active
            } else {
                SubscriptionState::Pending
            });
        }
        Event::Contacts {
            contacts: contacts.into_values().collect(),
        }
    }
}

fn watchers(answers: &[Primitive]) -> Event {
    let [
        Primitive::GetWatcherListResponse(list),
        Primitive::GetReactiveAuthStatusResponse(decisions),
        Primitive::ListManageResponse(contacts),
    ] = answers
    else {
        panic!("{answers:?}");
    };
    let state = |user: &Address| {
        let mut members = contacts.members.iter().flatten();
        if members.any(|member| member.user == *user) {
            return Standing::Authorized;
        }
        let decision = decisions.states.iter().find(|state| state.user == *user);
        match decision.and_then(|decision| decision.state.as_deref()) {
            Some("GRANTED") => Standing::Authorized,
            Some("DENIED") => Standing::Denied,
            Some("PENDING") => Standing::Pending,
            _ => Standing::Unknown,
        }
    };
    let entry = |user: &Address| WatcherEntry {
        user: user.clone(),
        state: state(user),
    };
    Event::Watchers {
        watchers: list.watchers.iter().map(|w| entry(&w.user)).collect(),
    }
}

fn message_event(message: NewMessage, number: Option<u64>, has_waited: bool) -> Event {
    let info = message.info;
    let sender = info.sender.unwrap();
    let user = sender.user.map(|user| user.user);
    let from = user.or(sender.group.map(|group| group.group)).unwrap();
    let shown = sender.display.and_then(|display| display.screen_name);
    let content = message.content;
    let is_text = |content: &&ContentData| content.content_type.starts_with("text/");
    let text = content.as_ref().filter(is_text);
    let data = content.as_ref().filter(|content| !is_text(content));
    Event::Message {
        number,
        id: info.message_id.unwrap(),
        from,
        name: shown.map(|shown| shown.name),
        text: text.map_or_else(String::new, text_of),
        content_type: info.content_type.unwrap(),
        data: data.map(|content| encode_base64(&content.bytes)),
        uri: info.uri,
        delayed: info
            .date_time
            .filter(|_| has_waited)
            .map(|at| Time(u64::try_from(at.0).unwrap() * 1000)),
    }
}

fn text_of(content: &ContentData) -> String {
    let name = media::parameter(&content.content_type, "charset");
    match charset::read(name.and_then(Charset::named), &content.bytes) {
        Reading::Text(text) => text,
        Reading::Unreadable => charset::notice(name, content.bytes.len()),
    }
}

fn error(command: &str, user: Option<&Address>, status: &Status) -> Event {
    Event::Error {
        command: command.to_owned(),
        user: user.cloned(),
        status: status.code.0,
        description: status.words().map(str::to_owned),
    }
}
