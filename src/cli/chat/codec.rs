//! The chat as a codec: lines that are typed to requests, and what is heard to lines.

use std::collections::BTreeMap;

use super::requests::Requests;
use super::screen::{self, Contact, Sees};
use crate::home::{FromClient, Known, ToClient};
use crate::imps::common::PresenceValue;
use crate::imps::presence::AttributeName;
use crate::imps::primitive::contact_list::NickName;
use crate::imps::primitive::presence::PresenceNotification;
use crate::imps::{Address, Code, Primitive, Status};

/// What to do with a line.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// Requests for the node.
    Say(Vec<FromClient>),
    /// A line for the user.
    Show(String),
    /// End the chat.
    Quit,
}

/// What is remembered between lines.
pub(super) struct Codec {
    requests: Requests,
    partner: Option<Address>,
    report: bool,
    /// How many lines became requests.
    asked: u64,
    questions: BTreeMap<u64, Question>,
    /// Those whom the user watches.
    watched: BTreeMap<Address, Known>,
    /// Messages that have waited and are still to come.
    waited: usize,
}

/// A line that became requests.
struct Question {
    about: About,
    /// An answer for each request, as far as they have come.
    answers: Vec<Option<Primitive>>,
}

/// What the answers to a line tell.
enum About {
    /// What became of a message.
    Message(Address),
    /// That something was done.
    Done(&'static str, Option<Address>),
    /// That somebody is watched from now on, or not any more.
    Watched(Address, bool),
    Contacts,
    Watchers,
    Presence(Address),
    Exists(Address),
}

const HELP: &str = "\
a line without slash    send it to the current partner
/to ADDRESS [TEXT]      choose the partner; carol, or carol@other.domain
/who                    contacts and their presence
/add ADDRESS [NAME]     add a contact, who may then see your presence
/remove ADDRESS         remove a contact
/subscribe ADDRESS      watch somebody's presence; /unsubscribe ends it
/presence ADDRESS       ask for somebody's presence once
/allow ADDRESS          let somebody see your presence; /deny forbids it
/watchers               who watches you
/away [TEXT]  /busy [TEXT]  /back    your availability
/status TEXT  /mood WORD  /alias NAME   what others see of you
/block ADDRESS          take no messages from somebody; /unblock ends it
/verify ADDRESS         does this user exist?
/report on|off          ask for delivery reports
/quit";

impl Codec {
    /// For the user of an open session.
    pub(super) fn new(user: Address, waiting: usize, watched: Option<&Primitive>) -> Self {
        let mut codec = Self {
            requests: Requests::of(user),
            partner: None,
            report: false,
            asked: 0,
            questions: BTreeMap::new(),
            watched: BTreeMap::new(),
            waited: waiting,
        };
        if let Some(Primitive::PresenceNotification(notification)) = watched {
            codec.see(notification);
        }
        codec
    }

    /// What a line means.
    pub(super) fn understand(&mut self, line: &str) -> Action {
        let line = line.trim_end();
        let Some(command) = line.strip_prefix('/') else {
            return self.message(line);
        };
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        match name {
            "to" => self.choose(rest),
            "who" => {
                let list = self.requests.contacts(None, None);
                self.ask(About::Contacts, vec![list, self.requests.blocked()])
            }
            "watchers" => {
                let list = self.requests.contacts(None, None);
                let requests = vec![self.requests.watchers(), self.requests.decisions(), list];
                self.ask(About::Watchers, requests)
            }
            "away" => self.available("NOT_AVAILABLE", rest),
            "busy" => self.available("DISCREET", rest),
            "back" => self.available("AVAILABLE", rest),
            "status" => self.own(vec![(AttributeName::StatusText, Some(rest.to_owned()))]),
            "mood" => self.own(vec![(
                AttributeName::StatusMood,
                filled(&rest.to_ascii_uppercase()),
            )]),
            "alias" => self.own(vec![(AttributeName::Alias, filled(rest))]),
            "report" => self.reports(rest),
            "help" | "?" => Action::Show(HELP.to_owned()),
            "quit" | "exit" => Action::Quit,
            _ => self.about(name, rest),
        }
    }

    /// A command about somebody.
    fn about(&mut self, name: &str, rest: &str) -> Action {
        let (typed, given) = match name {
            "add" => rest.split_once(' ').unwrap_or((rest, "")),
            _ => (rest, ""),
        };
        let user = self.requests.address(typed);
        let to = || user.clone();
        let requests = &self.requests;
        let (about, request) = match name {
            "add" => {
                let name = filled(given.trim());
                let member = NickName { name, user: to() };
                let request = requests.contacts(Some(member), None);
                (About::Done("add contact", Some(to())), request)
            }
            "remove" => (
                About::Done("remove contact", Some(to())),
                requests.contacts(None, Some(to())),
            ),
            "subscribe" => (About::Watched(to(), true), requests.subscribe(to())),
            "unsubscribe" => (About::Watched(to(), false), requests.unsubscribe(to())),
            "presence" => (About::Presence(to()), requests.presence_of(to())),
            "allow" | "deny" => (
                About::Done("authorize", Some(to())),
                requests.authorize(to(), name == "allow"),
            ),
            "block" => (About::Done("block", Some(to())), requests.block(to(), true)),
            "unblock" => (
                About::Done("unblock", Some(to())),
                requests.block(to(), false),
            ),
            "verify" => (About::Exists(to()), requests.verify(to())),
            _ => {
                return Action::Show(format!("there is no command /{name}; /help lists them"));
            }
        };
        if typed.is_empty() {
            return Action::Show(format!("/{name} needs an address"));
        }
        self.ask(about, vec![request])
    }

    fn ask(&mut self, about: About, requests: Vec<Primitive>) -> Action {
        self.asked += 1;
        let question = Question {
            about,
            answers: vec![None; requests.len()],
        };
        self.questions.insert(self.asked, question);
        let requests = requests.into_iter().enumerate();
        let requests = requests.map(|(part, primitive)| FromClient::Request {
            id: format!("{}.{part}", self.asked),
            primitive: Box::new(primitive),
        });
        Action::Say(requests.collect())
    }

    fn message(&mut self, text: &str) -> Action {
        let Some(partner) = self.partner.clone() else {
            return Action::Show("to whom? choose with /to ADDRESS".to_owned());
        };
        let request = self
            .requests
            .message(partner.clone(), text, self.report, None);
        self.ask(About::Message(partner), vec![request])
    }

    fn choose(&mut self, rest: &str) -> Action {
        let (to, text) = rest.split_once(' ').unwrap_or((rest, ""));
        if to.is_empty() {
            return Action::Show(match &self.partner {
                Some(partner) => format!("you write to {}", partner.bare()),
                None => "/to needs an address".to_owned(),
            });
        }
        self.partner = Some(self.requests.address(to));
        match text.trim() {
            "" => Action::Show(format!("you write to {to}")),
            text => self.message(text),
        }
    }

    fn reports(&mut self, rest: &str) -> Action {
        self.report = match rest {
            "on" => true,
            "off" => false,
            _ => return Action::Show("write /report on or /report off".to_owned()),
        };
        Action::Show(format!("delivery reports are {rest}"))
    }

    fn available(&mut self, availability: &str, text: &str) -> Action {
        let mut values = vec![(
            AttributeName::UserAvailability,
            Some(availability.to_owned()),
        )];
        if let Some(text) = filled(text) {
            values.push((AttributeName::StatusText, Some(text)));
        }
        self.own(values)
    }

    fn own(&mut self, values: Vec<(AttributeName, Option<String>)>) -> Action {
        let request = self.requests.own_presence(values);
        self.ask(About::Done("presence", None), vec![request])
    }

    /// What is heard, for the user; `None` if it is nothing new to them.
    pub(super) fn hear(&mut self, told: &ToClient) -> Option<String> {
        match told {
            ToClient::Opened { user, waiting, .. } => Some(screen::opened(user, *waiting)),
            ToClient::Answer { id, primitive, .. } => self.answered(id, primitive),
            ToClient::Take { primitive, .. } | ToClient::Now { primitive } => self.told(primitive),
            ToClient::Over { why } => {
                let status = why.status();
                Some(screen::failed("login", None, &status))
            }
        }
    }

    fn told(&mut self, primitive: &Primitive) -> Option<String> {
        match primitive {
            Primitive::NewMessage(message) => {
                let has_waited = self.waited > 0;
                self.waited = self.waited.saturating_sub(1);
                // Who writes first becomes the partner.
                if self.partner.is_none() {
                    self.partner = screen::sender(&message.info).cloned();
                }
                Some(screen::message(message, has_waited))
            }
            Primitive::DeliveryStatusReport(report) => Some(screen::report(report)),
            Primitive::PresenceAuthRequest(question) => {
                Some(screen::question(&question.requesting))
            }
            Primitive::PresenceNotification(notification) => {
                let news = self.see(notification);
                (!news.is_empty()).then(|| news.join("\n"))
            }
            Primitive::GroupChangeNotice(notice) => screen::changed(notice),
            Primitive::LeaveGroupIndication(notice) => Some(screen::has_left(notice)),
            // A subscription that had been accepted.
            Primitive::Status(status) => {
                let users = status.details.iter().flat_map(|detail| &detail.users);
                let lines: Vec<String> = users
                    .map(|id| {
                        self.watched.remove(&id.user);
                        screen::failed("subscribe", Some(&id.user), status)
                    })
                    .collect();
                (!lines.is_empty()).then(|| lines.join("\n"))
            }
            other => Some(format!("* {}", other.name())),
        }
    }

    /// Takes in presence. Says what is new.
    fn see(&mut self, notification: &PresenceNotification) -> Vec<String> {
        let mut news = Vec::new();
        for PresenceValue { user, presence } in &notification.values {
            let before = self.watched.get(user);
            let mut known = before.cloned().unwrap_or_default();
            if let Some(list) = presence {
                known.merge(list);
            }
            if before != Some(&known) {
                news.push(screen::presence(user, &known));
                self.watched.insert(user.clone(), known);
            }
        }
        news
    }

    /// Takes an answer. Says what they tell together when the last has come.
    fn answered(&mut self, id: &str, answer: &Primitive) -> Option<String> {
        let numbers = id.split_once('.');
        let numbers = numbers.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        let (number, part): (u64, usize) = numbers?;
        let question = self.questions.get_mut(&number)?;
        *question.answers.get_mut(part)? = Some(answer.clone());
        if question.answers.iter().any(Option::is_none) {
            return None;
        }
        let Question { about, answers } = self.questions.remove(&number)?;
        let answers: Vec<Primitive> = answers.into_iter().flatten().collect();
        Some(self.tell(about, &answers))
    }

    fn tell(&mut self, about: About, answers: &[Primitive]) -> String {
        let missing = || Status::new(Code::INTERNAL);
        let verdict = answers.iter().find_map(|a| a.verdict().cloned());
        let verdict = verdict.unwrap_or_else(missing);
        let failed = |primitive: &&Primitive| {
            let verdict = primitive.verdict();
            verdict.is_none_or(|status| !status.code.is_success())
        };
        match (about, answers) {
            (About::Message(to), [Primitive::SendMessageResponse(response)]) => {
                screen::sent(&to, &response.status)
            }
            (About::Message(to), _) => screen::failed("message", Some(&to), &verdict),
            (About::Done(what, user), _) => screen::done(what, user.as_ref(), &verdict),
            (About::Watched(user, watched), _) => {
                let what = if watched { "subscribe" } else { "unsubscribe" };
                if !watched {
                    self.watched.remove(&user);
                } else if verdict.code.is_success() && verdict.effective().is_success() {
                    self.watched.entry(user.clone()).or_default();
                }
                screen::done(what, Some(&user), &verdict)
            }
            (About::Exists(user), _) => screen::exists(&user, &verdict),
            (About::Presence(of), [Primitive::GetPresenceResponse(response)])
                if verdict.effective().is_success() =>
            {
                let mut known = Known::default();
                let value = response.values.iter().find(|value| value.user == of);
                if let Some(list) = value.and_then(|value| value.presence.as_ref()) {
                    known.merge(list);
                }
                screen::presence(&of, &known)
            }
            (About::Presence(of), _) => screen::failed("get presence", Some(&of), &verdict),
            (about, answers) => {
                let failure = answers.iter().find(failed).and_then(Primitive::verdict);
                let is_contacts = matches!(about, About::Contacts);
                match failure {
                    Some(status) if is_contacts => screen::failed("contacts", None, status),
                    Some(status) => screen::failed("watchers", None, status),
                    None if is_contacts => self.contacts(answers),
                    None => watchers(answers),
                }
            }
        }
    }

    /// Contacts, and those who are blocked or watched.
    fn contacts(&self, answers: &[Primitive]) -> String {
        let mut contacts: BTreeMap<Address, Contact> = BTreeMap::new();
        for answer in answers {
            match answer {
                Primitive::ListManageResponse(list) => {
                    for member in list.members.iter().flatten() {
                        let contact = contacts.entry(member.user.clone()).or_default();
                        contact.name.clone_from(&member.name);
                    }
                }
                Primitive::GetBlockedListResponse(lists) => {
                    for id in lists.blocked.iter().flat_map(|list| &list.users) {
                        contacts.entry(id.user.clone()).or_default().blocked = true;
                    }
                }
                _ => {}
            }
        }
        for (user, known) in &self.watched {
            contacts.entry(user.clone()).or_default().watched = Some(known.clone());
        }
        screen::contacts(&contacts)
    }
}

/// Who watches, and what each of them sees.
fn watchers(answers: &[Primitive]) -> String {
    let mut sees: BTreeMap<Address, Sees> = BTreeMap::new();
    for answer in answers {
        if let Primitive::GetWatcherListResponse(list) = answer {
            let watchers = list.watchers.iter();
            sees.extend(watchers.map(|watcher| (watcher.user.clone(), Sees::Nothing)));
        }
    }
    let mut note = |user: &Address, what: Sees| {
        if let Some(sees) = sees.get_mut(user) {
            *sees = what;
        }
    };
    for answer in answers {
        if let Primitive::GetReactiveAuthStatusResponse(decisions) = answer {
            for decision in &decisions.states {
                match decision.state.as_deref() {
                    Some("GRANTED") => note(&decision.user, Sees::Presence),
                    Some("DENIED") => note(&decision.user, Sees::Denied),
                    Some("PENDING") => note(&decision.user, Sees::Pending),
                    _ => {}
                }
            }
        }
    }
    for answer in answers {
        if let Primitive::ListManageResponse(list) = answer {
            for member in list.members.iter().flatten() {
                note(&member.user, Sees::Presence);
            }
        }
    }
    screen::watchers(&sees)
}

fn filled(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::imps::primitive::message::SendMessageResponse;
    use crate::ssp::envelope::decode_fragment;

    fn codec() -> Codec {
        Codec::new(Address::new("alice@home.test"), 0, None)
    }

    /// The requests of a line, with their ids.
    fn said(codec: &mut Codec, line: &str) -> Vec<(String, Primitive)> {
        match codec.understand(line) {
            Action::Say(requests) => requests
                .into_iter()
                .map(|request| match request {
                    FromClient::Request { id, primitive } => (id, *primitive),
                    other => panic!("{other:?}"),
                })
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    fn answer(codec: &mut Codec, id: &str, xml: &str) -> Option<String> {
        let primitive = decode_fragment(xml.as_bytes()).unwrap();
        codec.hear(&ToClient::answer(id.to_owned(), primitive))
    }

    fn now(codec: &mut Codec, xml: &str) -> Option<String> {
        let primitive = decode_fragment(xml.as_bytes()).unwrap();
        codec.hear(&ToClient::now(primitive))
    }

    #[test]
    fn a_plain_line_goes_to_the_partner() {
        let mut codec = codec();
        assert!(matches!(codec.understand("hi"), Action::Show(_)));
        assert!(matches!(codec.understand("/to carol"), Action::Show(_)));
        codec.understand("/report on");
        let mut requests = said(&mut codec, "hi there");
        let (id, primitive) = requests.pop().unwrap();
        let Primitive::SendMessageRequest(message) = primitive else {
            panic!("{primitive:?}");
        };
        assert!(message.delivery_report);
        let carol = Address::new("carol@home.test");
        assert_eq!(message.info.recipients[0].address(), &carol);
        assert_eq!(message.content.unwrap().bytes, b"hi there");
        let asking = message.meta.as_ref().unwrap().user().unwrap();
        assert_eq!(asking.user, Address::new("alice@home.test"));
        let taken = SendMessageResponse {
            message_id: "m-1".to_owned(),
            status: Status::ok(),
        };
        let told = codec.hear(&ToClient::answer(id, taken));
        let line = "* taken by home.test for carol@home.test";
        assert_eq!(told.as_deref(), Some(line));
    }

    #[test]
    fn the_partner_may_be_chosen_and_written_to_in_one_line() {
        let requests = said(&mut codec(), "/to bob@b.test hello you");
        assert!(matches!(
            &requests[0].1,
            Primitive::SendMessageRequest(message)
                if message.content.as_ref().unwrap().bytes == b"hello you"
        ));
    }

    #[test]
    fn what_groups_tell_is_shown() {
        let mut codec = codec();
        let change = r#"<GroupChangeNotice groupID="wv:bob/club@b.test"><User userID="wv:alice@home.test"/><Joined><Name>Vicky</Name><Name>wv:carol@b.test</Name></Joined><Left><Name>Tom</Name></Left></GroupChangeNotice>"#;
        let told = now(&mut codec, change);
        let line = "* bob/club@b.test: Vicky, wv:carol@b.test joined; Tom left";
        assert_eq!(told.as_deref(), Some(line));
        let leave = r#"<LeaveGroupIndication groupID="wv:bob/club@b.test"><Status code="809"/><User userID="wv:alice@home.test"/></LeaveGroupIndication>"#;
        let told = now(&mut codec, leave).unwrap();
        assert!(
            told.starts_with("* you are no longer in bob/club@b.test: 809"),
            "{told}"
        );
    }

    #[test]
    fn every_command_of_the_help_is_understood() {
        let words = HELP.split_whitespace();
        for command in words.filter(|word| word.len() > 1 && word.starts_with('/')) {
            let command = command.trim_end_matches(';');
            let action = codec().understand(&format!("{command} x@y.test"));
            assert!(
                !matches!(&action, Action::Show(text) if text.contains("there is no command")),
                "{command}"
            );
        }
    }

    #[test]
    fn contacts_are_told_when_all_answers_are_there() {
        let mut codec = codec();
        let requests = said(&mut codec, "/who");
        let names: Vec<&str> = requests.iter().map(|(_, p)| p.name()).collect();
        assert_eq!(names, ["ListManageRequest", "GetBlockedListRequest"]);
        now(
            &mut codec,
            r#"<PresenceNotification><User userID="wv:alice@home.test"/><PresenceValue userID="wv:eve@b.test"/></PresenceNotification>"#,
        );
        let blocked = r#"<GetBlockedListResponse><Status code="200"/><BlockList inUse="Yes"><UserID userID="wv:zoe@far.test"/></BlockList></GetBlockedListResponse>"#;
        assert_eq!(answer(&mut codec, &requests[1].0, blocked), None);
        let members = r#"<ListManageResponse><Status code="200"/><NickList><NickName name="Bobby" userID="wv:bob@b.test"/></NickList></ListManageResponse>"#;
        let told = answer(&mut codec, &requests[0].0, members);
        assert_eq!(
            told.as_deref(),
            Some(
                "* bob@b.test \"Bobby\" is not watched: /subscribe bob@b.test\n\
                 * eve@b.test has not allowed you to see their presence yet\n\
                 * zoe@far.test (blocked) is not watched: /subscribe zoe@far.test"
            )
        );
    }

    #[test]
    fn watchers_are_told_with_what_they_see() {
        let mut codec = codec();
        let requests = said(&mut codec, "/watchers");
        let list = r#"<GetWatcherListResponse><Status code="200"/><Watcher userID="wv:a@b.test"/><Watcher userID="wv:b@b.test"/><Watcher userID="wv:c@b.test"/></GetWatcherListResponse>"#;
        let decisions = r#"<GetReactiveAuthStatusResponse><Status code="200"/><ReactiveAuthStatus userID="wv:b@b.test" state="PENDING"/><ReactiveAuthStatus userID="wv:z@b.test" state="DENIED"/></GetReactiveAuthStatusResponse>"#;
        let members = r#"<ListManageResponse><Status code="200"/><NickList><NickName userID="wv:c@b.test"/></NickList></ListManageResponse>"#;
        assert_eq!(answer(&mut codec, &requests[0].0, list), None);
        assert_eq!(answer(&mut codec, &requests[1].0, decisions), None);
        assert_eq!(
            answer(&mut codec, &requests[2].0, members).as_deref(),
            Some(
                "* a@b.test sees nothing\n* b@b.test waits for your decision\n* c@b.test sees your presence"
            )
        );
    }

    #[test]
    fn presence_is_told_when_it_is_news() {
        let mut codec = codec();
        let online = r#"<PresenceNotification><User userID="wv:alice@home.test"/><PresenceValue userID="wv:bob@b.test"><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus></PresenceSubList></PresenceValue></PresenceNotification>"#;
        let told = now(&mut codec, online);
        assert_eq!(told.as_deref(), Some("* bob@b.test is online"));
        assert_eq!(now(&mut codec, online), None);
    }

    #[test]
    fn a_request_that_failed_says_why() {
        let mut codec = codec();
        let requests = said(&mut codec, "/subscribe nobody");
        let status = r#"<Status code="531"/>"#;
        let told = answer(&mut codec, &requests[0].0, status).unwrap();
        assert!(
            told.starts_with("* subscribe nobody@home.test failed: 531"),
            "{told}"
        );
    }
}
