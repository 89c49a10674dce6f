//! What is said in a text session before and after its user has logged in.

use crate::access::line::{self, Action, Codec, screen};
use crate::element::{FromClient, ToClient};
use crate::imps::{Address, Primitive, Status};

/// Lines that may wait for their answers; our choice. Further ones are not read until then.
const UNDER_WAY: usize = 16;
/// The longest name or password that is looked at, in bytes.
const MAX_WORD: usize = 256;

/// The commands that matter, in one short message.
const BRIEF: &str = "/login /logout /to WHO /send WHO TEXT /read /who /add WHO /status TEXT /away /back /help all. A line without slash goes to whom you write to.";
const LOG_IN: &str = "* log in first: /login NAME, and then the password; /quit ends";
const LOG_IN_BY_NUMBER: &str = "* log in first: /login";
const MISSED: &str = "* something was not answered and may not be done; look, and ask again";
const NO_FILES: &str = "* files are not shared here";

/// How users show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By a password.
    Password,
    /// By the number from which they write; what they hear is short.
    Number,
}

/// What to do with a line.
#[derive(PartialEq)]
pub(super) enum Step {
    Nothing,
    /// Tell the user.
    Show(String),
    /// Somebody says to be a user.
    LogIn {
        user: String,
        password: String,
    },
    /// The user of the number comes.
    Enter,
    /// Requests for the user's domain.
    Say(Vec<FromClient>),
    LogOut,
}

/// Without the password.
impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Show(text) => f.debug_tuple("Show").field(text).finish(),
            Self::LogIn { user, .. } => f.debug_tuple("LogIn").field(user).finish(),
            Self::Enter => f.write_str("Enter"),
            Self::Say(requests) => f.debug_tuple("Say").field(requests).finish(),
            Self::LogOut => f.write_str("LogOut"),
        }
    }
}

/// What follows from what is told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    /// For the user.
    pub(super) text: Option<String>,
    /// To be acknowledged when the user has it.
    pub(super) number: Option<u64>,
    /// Requests that follow.
    pub(super) further: Vec<FromClient>,
}

/// One text session.
pub(super) struct Talk {
    way: Way,
    /// Since somebody has logged in.
    codec: Option<Codec>,
    /// Whose password comes next.
    asked: Option<String>,
    /// To whom the user wrote before a restart, until the session is open again.
    partner: Option<(Address, bool)>,
}

impl Talk {
    pub(super) fn new(way: Way) -> Self {
        Self {
            way,
            codec: None,
            asked: None,
            partner: None,
        }
    }

    /// One that goes on after a restart, in which lines without slash went to somebody, or to a
    /// contact list.
    pub(super) fn with(way: Way, partner: Option<(Address, bool)>) -> Self {
        Self {
            partner,
            ..Self::new(way)
        }
    }

    /// Whether one more line may be read.
    pub(super) fn has_room(&self) -> bool {
        self.under_way() < UNDER_WAY
    }

    /// Lines that wait for their answers.
    pub(super) fn under_way(&self) -> usize {
        self.codec.as_ref().map_or(0, Codec::under_way)
    }

    /// What a line means.
    pub(super) fn line(&mut self, line: &str) -> Step {
        if let Some(user) = self.asked.take() {
            let password = line.to_owned();
            return Step::LogIn { user, password };
        }
        let line = line.trim();
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default().to_ascii_lowercase();
        match (&mut self.codec, &*first) {
            (_, "") => Step::Nothing,
            (Some(_), "/login") => Step::Show("* you are logged in".to_owned()),
            (Some(_), "/help" | "/?") if self.way == Way::Number => {
                let what = words.next().unwrap_or_default();
                Step::Show(match what {
                    "all" => line::commands(),
                    name => line::help_on(name).unwrap_or_else(|| BRIEF.to_owned()),
                })
            }
            (Some(codec), _) => match codec.understand(line) {
                Action::Say(requests) => Step::Say(requests),
                Action::Show(text) => Step::Show(text),
                Action::Share { .. } => Step::Show(NO_FILES.to_owned()),
                Action::Quit => Step::LogOut,
            },
            (None, "/login") => self.login(line),
            (None, "/help" | "/?") => Step::Show(BRIEF.to_owned()),
            (None, "/quit" | "/exit" | "/logout") => Step::LogOut,
            (None, _) => Step::Show(
                match self.way {
                    Way::Password => LOG_IN,
                    Way::Number => LOG_IN_BY_NUMBER,
                }
                .to_owned(),
            ),
        }
    }

    /// `/login`, and what follows it. A password may have blanks.
    fn login(&mut self, line: &str) -> Step {
        if self.way == Way::Number {
            return Step::Enter;
        }
        let rest = line.split_once(char::is_whitespace);
        let rest = rest.map(|(_, rest)| rest.trim_start()).unwrap_or_default();
        let (user, password) = match rest.split_once(char::is_whitespace) {
            Some((user, password)) => (user, Some(password)),
            None => (rest, None),
        };
        if user.is_empty() || user.len() > MAX_WORD {
            return Step::Show(LOG_IN.to_owned());
        }
        let user = user.to_owned();
        let Some(password) = password else {
            self.asked = Some(user);
            return Step::Show("* password?".to_owned());
        };
        let password = password.to_owned();
        Step::LogIn { user, password }
    }

    /// What is told of the session or its user.
    pub(super) fn heard(&mut self, told: &ToClient) -> Heard {
        if let ToClient::Opened {
            user,
            waiting,
            watched,
        } = told
        {
            let mut codec = Codec::new(user.clone(), *waiting, watched.as_deref());
            if let Some((partner, is_list)) = self.partner.take() {
                codec.choose(partner, is_list);
            }
            self.codec = Some(codec);
        }
        let Some(codec) = &mut self.codec else {
            return Heard {
                number: told.number(),
                ..Heard::default()
            };
        };
        let text = codec.hear(told);
        Heard {
            text: text.filter(|_| self.way == Way::Password || is_worth_a_message(told)),
            number: told.number(),
            further: codec.further(),
        }
    }

    /// The session was lost and is open again. Only who misses an answer hears of that.
    pub(super) fn again(&mut self, opened: &ToClient) -> Option<String> {
        let ToClient::Opened {
            waiting, watched, ..
        } = opened
        else {
            return None;
        };
        match &mut self.codec {
            Some(codec) => {
                // A short message whose outcome is not kept comes again.
                let is_missed = codec.under_way() > 0 && self.way == Way::Password;
                codec.again(*waiting, watched.as_deref());
                is_missed.then(|| MISSED.to_owned())
            }
            None => {
                self.heard(opened);
                None
            }
        }
    }

    /// Whom a line without slash goes to, and whether that is a contact list.
    pub(super) fn partner(&self) -> Option<(&Address, bool)> {
        self.codec.as_ref()?.partner()
    }

    /// The request that ends a message which cannot be brought to the user.
    pub(super) fn reject(&self, message: String) -> Option<Primitive> {
        Some(self.codec.as_ref()?.reject(message))
    }

    /// The session has ended: somebody may log in again.
    pub(super) fn ended(&mut self) {
        self.codec = None;
    }

    /// Said to whom may not log in.
    pub(super) fn refused(status: &Status) -> String {
        screen::failed("login", None, status)
    }
}

/// Whether something is to be told by a short message, which costs: presence and what goes on in
/// groups is told to who asks.
fn is_worth_a_message(told: &ToClient) -> bool {
    let ToClient::Now { primitive } = told else {
        return true;
    };
    !matches!(
        primitive.as_ref(),
        Primitive::PresenceNotification(_) | Primitive::GroupChangeNotice(_)
    )
}

#[cfg(test)]
mod tests {
    use super::super::pieces;
    use super::*;
    use crate::ssp::envelope::decode_fragment;

    fn opened() -> ToClient {
        ToClient::Opened {
            user: Address::new("alice@home.test"),
            waiting: 0,
            watched: None,
        }
    }

    fn show(step: &Step) -> &str {
        match step {
            Step::Show(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_is_not_logged_in_can_log_in_and_nothing_else() {
        let mut talk = Talk::new(Way::Password);
        for line in ["hello", "/who", "/to bob hi", "/login", "/login  "] {
            assert_eq!(show(&talk.line(line)), LOG_IN, "{line}");
        }
        assert_eq!(talk.line("  "), Step::Nothing);
        assert_eq!(talk.line("/quit"), Step::LogOut);
        assert_eq!(show(&talk.line("/help")), BRIEF);
        let long = format!("/login {}", "x".repeat(MAX_WORD + 1));
        assert_eq!(show(&talk.line(&long)), LOG_IN);
    }

    #[test]
    fn a_password_comes_in_the_same_line_or_the_next_and_is_not_shown() {
        let step = |user: &str, password: &str| Step::LogIn {
            user: user.to_owned(),
            password: password.to_owned(),
        };
        let mut talk = Talk::new(Way::Password);
        assert_eq!(
            talk.line("/Login alice two words"),
            step("alice", "two words")
        );
        assert_eq!(show(&talk.line("/login alice")), "* password?");
        // Whatever it looks like.
        let next = talk.line(" /quit ");
        assert_eq!(next, step("alice", " /quit "));
        assert!(!format!("{next:?}").contains("quit"), "{next:?}");
        assert_eq!(show(&talk.line("x")), LOG_IN);
    }

    #[test]
    fn a_number_needs_no_password() {
        let mut talk = Talk::new(Way::Number);
        assert_eq!(show(&talk.line("hi")), LOG_IN_BY_NUMBER);
        assert_eq!(talk.line("/login whoever"), Step::Enter);
        talk.heard(&opened());
        assert_eq!(show(&talk.line("/login")), "* you are logged in");
        assert_eq!(show(&talk.line("/HELP")), BRIEF);
        // All commands come whole, however short the messages are.
        let Step::Show(all) = talk.line("/help all") else {
            panic!("no help");
        };
        let parts = pieces::of(&all);
        let told: usize = parts.iter().map(|part| part.len() - "(1/9) ".len()).sum();
        assert_eq!(told + parts.len() - 1, all.len(), "{parts:#?}");
        for command in ["/to", "/reject", "/busy", "/unban", "/group", "/logout"] {
            let is_there = all.split(' ').any(|word| word == command);
            assert_eq!(is_there, command != "/unban", "{command}: {all}");
        }
        assert_eq!(
            show(&talk.line("/help read")),
            line::help_on("/READ").unwrap()
        );
        let told = talk.line("/help reject");
        assert!(show(&told).starts_with("/get N fetch one of them; /reject N"));
        assert_eq!(show(&talk.line("/help nothing")), BRIEF);
        assert!(BRIEF.chars().count() <= 160);
    }

    #[test]
    fn a_session_that_is_open_again_has_its_partner_and_no_line_under_way() {
        for (way, missed) in [(Way::Password, Some(MISSED)), (Way::Number, None)] {
            let mut talk = Talk::new(way);
            talk.heard(&opened());
            assert_eq!(show(&talk.line("/to carol")), "you write to carol");
            assert!(matches!(talk.line("hi"), Step::Say(_)));
            assert_eq!(talk.under_way(), 1);
            assert_eq!(talk.again(&opened()).as_deref(), missed);
            assert_eq!(talk.under_way(), 0);
            let carol = Address::new("carol@home.test");
            assert_eq!(talk.partner(), Some((&carol, false)));
            assert!(matches!(talk.line("hi"), Step::Say(_)));
            // What was asked before is not taken for the answer.
            let old = ToClient::answer("1.0".to_owned(), Status::ok());
            assert_eq!(talk.heard(&old).text, None);
            assert_eq!(talk.under_way(), 1);
        }
    }

    #[test]
    fn a_session_that_goes_on_after_a_restart_has_its_partner() {
        let carol = Address::new("carol@home.test");
        let mut talk = Talk::with(Way::Number, Some((carol.clone(), false)));
        assert_eq!(talk.partner(), None);
        assert_eq!(talk.again(&opened()), None);
        assert_eq!(talk.partner(), Some((&carol, false)));
        // Whoever logs out and in chooses anew.
        talk.ended();
        talk.heard(&opened());
        assert_eq!(talk.partner(), None);
    }

    #[test]
    fn lines_wait_for_those_before_them_when_too_many_are_under_way() {
        let mut talk = Talk::new(Way::Password);
        assert!(
            talk.heard(&opened())
                .text
                .unwrap()
                .starts_with("* you are alice@home.test")
        );
        for number in 0..UNDER_WAY {
            assert!(talk.has_room(), "{number}");
            assert!(matches!(talk.line("/send bob hi"), Step::Say(_)));
        }
        assert!(!talk.has_room());
        let answer = ToClient::answer("1.0".to_owned(), Status::ok());
        assert!(talk.heard(&answer).text.is_some());
        assert!(talk.has_room());
        assert_eq!(show(&talk.line("/share cat.png bob")), NO_FILES);
        assert_eq!(talk.line("/logout"), Step::LogOut);
    }

    #[test]
    fn presence_is_told_by_a_short_message_to_nobody_who_does_not_ask() {
        let xml = r#"<PresenceNotification><User userID="wv:alice@home.test"/><PresenceValue userID="wv:bob@b.test"><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus></PresenceSubList></PresenceValue></PresenceNotification>"#;
        let told = ToClient::now(decode_fragment(xml.as_bytes()).unwrap());
        for (way, is_told) in [(Way::Number, false), (Way::Password, true)] {
            let mut talk = Talk::new(way);
            talk.heard(&opened());
            assert_eq!(talk.heard(&told).text.is_some(), is_told);
        }
    }
}
