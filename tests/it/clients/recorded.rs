//! The client's side of recorded conversations, played message by message against the real program:
//! in each version, with both ways to log in, in XML and in WBXML. Each answer is held against the
//! grammar of its version, and all WBXML against other decoders.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use md5::Digest as _;
use wvgate::csp::{
    Body, Encoding, Grammar, Message, Mode, Primitive, Session, Transaction, Version, wbxml, xml,
};
use wvgate::imps::xml::Limits;

use super::phone::Phone;
use super::services::{asks, hears};
use super::{ALL, CLIENTS, bound, decoders, line};
use crate::cli_node::{Node, PATIENCE};

/// What the recorded client calls itself, by which its kind is known; and what no kind does.
const MARKS: [(&str, &str); 2] = [("jimmy9n/Test", "plain/1"), ("MOKIA", "ACME")];

/// Their password is their name. The users who play the recorded client are `ann0` and so on.
const OTHERS: [&str; 5] = ["bob", "dan", "club", "eve", "carl"];

/// One recorded line: the way to log in to which it belongs, or `both`; and the message.
fn recording(version: Version) -> Vec<(&'static str, &'static str)> {
    let text = match version {
        Version::V1_1 => include_str!("../../fixtures/phones/android-1.1.txt"),
        Version::V1_2 => include_str!("../../fixtures/phones/android-1.2.txt"),
        Version::V1_3 => include_str!("../../fixtures/phones/android-1.3.txt"),
    };
    let split = |line: &'static str| line.split_once(' ').unwrap();
    text.lines().map(split).collect()
}

/// The name of the primitive of a recorded message.
fn name(message: &str) -> &str {
    let (_, behind) = message.split_once("<TransactionContent ").unwrap();
    let primitive = behind.split('<').nth(1).unwrap();
    primitive.split(['>', '/']).next().unwrap()
}

/// The text of the first element of that name.
fn text<'m>(message: &'m str, element: &str) -> Option<&'m str> {
    let (_, behind) = message.split_once(&format!("<{element}>"))?;
    Some(behind.split_once("</").unwrap().0)
}

/// How one conversation is played.
#[derive(Debug, Clone, Copy)]
struct Way {
    version: Version,
    encoding: Encoding,
    login: &'static str,
    /// The client says who it is, and gets the forms of its kind.
    says_its_kind: bool,
}

/// The recorded client, and whom it talks to.
struct Player {
    way: Way,
    phone: Phone,
    recording: Vec<(&'static str, &'static str)>,
    nonce: String,
    /// Where it is woken: the port is the system's choice, and not what the client is told.
    wake: String,
    channel: Option<TcpStream>,
    bob: Phone,
    dan: Phone,
    /// Names of what it was told.
    told: BTreeSet<String>,
    /// Where an answer was not as the grammar of the version has it.
    breaches: BTreeSet<String>,
    /// All that the node has written.
    written: Vec<Vec<u8>>,
}

impl Player {
    /// A recorded message as this player says it.
    fn filled(&self, message: &str) -> String {
        let mut message = message.replace("@wv.example", "@village.test");
        for end in ['@', '/'] {
            let own = format!("wv:{}{end}", self.phone.user);
            message = message.replace(&format!("wv:ann{end}"), &own);
        }
        message = message.replace("<SName>ann<", &format!("<SName>{}<", self.phone.user));
        if !self.way.says_its_kind {
            for (theirs, other) in MARKS {
                message = message.replace(theirs, other);
            }
        }
        message = message.replace("sess-1", self.phone.session.as_deref().unwrap_or_default());
        if let Some(digest) = text(&message, "DigestBytes") {
            let right = md5::Md5::digest(format!("{}secret", self.nonce));
            let right = base64::engine::general_purpose::STANDARD.encode(right);
            message = message.replace(digest, &right);
        }
        message
    }

    /// Says a message, and takes what comes back.
    fn say(&mut self, message: &str) -> Option<Session> {
        let message = self.filled(message);
        let body = match self.way.encoding {
            Encoding::Xml => message.into_bytes(),
            Encoding::Wbxml => {
                let element = xml::read(message.as_bytes(), &Limits::STANDARD).unwrap();
                wbxml::write(&element, self.way.version)
            }
        };
        let answer = self.phone.post_raw(self.phone.content_type(), &body);
        assert_eq!(answer.status, 200, "{:?} {}", self.way, answer.head);
        if answer.body.is_empty() {
            return None;
        }
        let session = self.check(&answer.body);
        self.written.push(answer.body);
        Some(session)
    }

    /// Holds an answer against the grammar, and reads it.
    fn check(&mut self, body: &[u8]) -> Session {
        let element = match self.way.encoding {
            Encoding::Xml => xml::read(body, &Limits::STANDARD).unwrap(),
            Encoding::Wbxml => wbxml::read(body, &Limits::STANDARD).unwrap().1,
        };
        if let Err(breach) = Grammar::of(self.way.version).check(&element) {
            assert!(self.way.says_its_kind, "{:?} {breach}", self.way);
            self.breaches.insert(breach.element);
        }
        let message = Message::read(body, self.way.encoding, &Limits::STANDARD).unwrap();
        assert_eq!(message.version, self.way.version);
        match message.body {
            Body::Session(session) => session,
            other => panic!("{other:?}"),
        }
    }

    /// Asks, and takes the one answer.
    fn ask(&mut self, message: &str) -> Primitive {
        let answer = self.say(message).expect("an answer to a request");
        let [first]: [Transaction; 1] = answer.transactions.try_into().unwrap();
        let id = text(message, "TransactionID");
        assert_eq!((first.mode, first.id.as_deref()), (Mode::Response, id));
        first.primitive
    }

    /// The first recorded message of that name and mode.
    fn recorded(&self, primitive: &str, mode: &str) -> &'static str {
        let mut all = self.recording.iter().map(|(_, message)| *message);
        all.find(|message| {
            name(message) == primitive && text(message, "TransactionMode") == Some(mode)
        })
        .unwrap()
    }

    /// Looks whether something waits, and answers it as the recorded client did; whether there was
    /// something.
    fn look(&mut self) -> bool {
        let mut session = self.say(self.recorded("Polling-Request", "Request"));
        let found = session.is_some();
        while let Some(told) = session {
            let [told]: [Transaction; 1] = told.transactions.try_into().unwrap();
            let id = told.id.clone().unwrap();
            self.told.insert(told.primitive.name().to_owned());
            let answer = match &told.primitive {
                Primitive::NewMessage(message) => {
                    let id = message.info.message.message_id.as_deref().unwrap();
                    let delivered = self.recorded("MessageDelivered", "Response");
                    delivered.replace("<MessageID>m1<", &format!("<MessageID>{id}<"))
                }
                _ => self.recorded("Status", "Response").to_owned(),
            };
            let recorded = text(&answer, "TransactionID").unwrap();
            session = self.say(&answer.replace(recorded, &id));
        }
        found
    }

    /// Looks until it has been told this.
    fn hear(&mut self, primitive: &str) {
        for _ in 0..PATIENCE.as_millis() / 50 {
            if self.told.contains(primitive) {
                return;
            }
            if !self.look() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("{:?}: no {primitive} among {:?}", self.way, self.told);
    }

    /// What a user is asked if somebody wants to watch them.
    fn question(&self) -> &'static str {
        match self.way.version {
            Version::V1_3 => "Notification-Request",
            _ => "PresenceAuth-Request",
        }
    }

    /// Says a recorded request, sees to it that the answer is as the client needs it, and does what
    /// the others did at that point.
    fn request(&mut self, message: &str) {
        let answer = self.ask(message);
        let way = self.way;
        let code = |primitive: &Primitive| match primitive {
            Primitive::Status(status) => status.result.status.code.0,
            Primitive::Disconnect(over) => over.result.status.code.0,
            other => panic!("{way:?} {}: {other:?}", name(message)),
        };
        match (name(message), &answer) {
            ("Login-Request", Primitive::LoginResponse(answer)) => {
                let code = answer.result.status.code.0;
                let nonce = answer.nonce.clone();
                if message.contains("<DigestSchema>") {
                    assert!(code == 200 || code == 401, "{way:?} {code}");
                    assert_eq!(answer.schema.as_deref(), Some("MD5"));
                    self.nonce = nonce.unwrap();
                } else {
                    assert_eq!((code, nonce), (200, None), "{way:?}");
                    assert!(answer.keep_alive.is_some_and(|seconds| seconds > 30));
                    self.phone.session.clone_from(&answer.session);
                }
            }
            ("ClientCapability-Request", Primitive::ClientCapabilityResponse(answer)) => {
                let agreed = answer.agreed.as_ref().unwrap();
                assert_eq!(agreed.cir_methods, ["STCP"]);
                assert_eq!(agreed.tcp_address.as_deref(), Some("127.0.0.1"));
                assert!(agreed.tcp_port.is_some());
                let channel = TcpStream::connect(&self.wake).unwrap();
                channel.set_read_timeout(Some(PATIENCE)).unwrap();
                let session = self.phone.session.as_deref().unwrap();
                write!(&channel, "HELO {session}\r\n").unwrap();
                let mut channel = channel;
                assert_eq!(line(&mut channel), "OK");
                self.channel = Some(channel);
            }
            ("Service-Request", Primitive::ServiceResponse(answer)) => {
                let all = answer.all.as_ref().unwrap();
                assert!(!all.0.is_empty(), "{way:?}");
            }
            ("GetPresence-Request", Primitive::GetPresenceResponse(answer)) => {
                assert_eq!(answer.presences.len(), 1, "{way:?}");
            }
            ("GetBlockedList-Request", Primitive::GetBlockedListResponse(_)) => {}
            ("GetList-Request", Primitive::GetListResponse(answer)) => {
                assert!(answer.default.is_some(), "{way:?}");
            }
            ("ListManage-Request", Primitive::ListManageResponse(answer)) => {
                assert_eq!(answer.result.status.code.0, 200, "{way:?}");
            }
            ("CreateList-Request", Primitive::CreateListResponse(_)) => {}
            ("SendMessage-Request", Primitive::SendMessageResponse(answer)) => {
                assert_eq!(answer.result.status.code.0, 200, "{way:?}");
                assert!(answer.message.is_some());
                self.others_speak();
            }
            ("JoinGroup-Request", Primitive::JoinGroupResponse(_)) => {}
            _ => assert_eq!(code(&answer), 200, "{way:?} {}", name(message)),
        }
    }

    /// Bob answers, and Dan wants to see the client's user.
    fn others_speak(&mut self) {
        let (id, info, got) = self.bob.wait_message();
        assert_eq!(got, "hi <b> & ü");
        let message = info.message.message_id.as_deref().unwrap();
        self.bob.delivered(&id, message);
        while self.look() {}
        let ann = format!("wv:{}@village.test", self.phone.user);
        assert_eq!(self.bob.send(&ann, "yo <i> & hey"), 200);
        let woken = line(self.channel.as_mut().unwrap());
        let version = self.way.version;
        assert!(
            woken.starts_with(&format!("WVCI {version} 1795")),
            "{woken}"
        );
        self.hear("NewMessage");
        asks(
            &mut self.dan,
            &format!(
                "<SubscribePresence-Request><User><UserID>{ann}</UserID></User>\
                 </SubscribePresence-Request>"
            ),
            &["<Code>200</Code>"],
        );
        self.hear(self.question());
    }

    /// Plays the whole conversation.
    fn play(&mut self) {
        for (login, message) in self.recording.clone() {
            if login != "both" && login != self.way.login {
                continue;
            }
            match (text(message, "TransactionMode").unwrap(), name(message)) {
                // What it is told decides which of these it says.
                ("Response", _) => {}
                (_, "Polling-Request") => while self.look() {},
                _ => self.request(message),
            }
            if name(message) == "SubscribePresence-Request" {
                self.hear("PresenceNotification-Request");
            }
        }
        if self.way.version != Version::V1_3 {
            // Who may see the user now, does.
            let ann = format!("<UserID>wv:{}@village.test</UserID>", self.phone.user);
            hears(&mut self.dan, &["<PresenceNotification-Request>", &ann]);
        }
        self.dan.log_out();
        // The channel ends with the session.
        let channel = self.channel.as_mut().unwrap();
        while !line(channel).is_empty() {}
    }
}

/// A node on which those whom the recorded client talks to are as it expects them.
fn node(players: usize) -> Node {
    let user = |name: &str, password: &str| {
        format!("[[home.user]]\nname = \"{name}\"\npassword = \"{password}\"\n")
    };
    let mut more: String = OTHERS.iter().map(|name| user(name, name)).collect();
    for number in 0..players {
        more += &user(&format!("ann{number}"), "secret");
    }
    let node = Node::start_with(&format!("{more}{CLIENTS}poll_interval = \"1s\"\n"));
    let address = bound(&node, "clients");
    let phone = |user: &str| Phone::new(&address, user, Version::V1_2, Encoding::Xml);
    let ok = &["<Code>200</Code>"];
    let mut bob = phone("bob");
    bob.log_in("bob");
    for number in 0..players {
        asks(
            &mut bob,
            &format!(
                "<CreateAttributeList-Request><PresenceSubList><OnlineStatus/></PresenceSubList>\
                 <UserID>wv:ann{number}@village.test</UserID><DefaultList>F</DefaultList>\
                 </CreateAttributeList-Request>"
            ),
            ok,
        );
    }
    bob.log_out();
    let mut club = phone("club");
    club.log_in("club");
    let group = "<GroupID>wv:club/tea@village.test</GroupID>";
    asks(
        &mut club,
        &format!(
            "<CreateGroup-Request>{group}<GroupProperties><Property><Name>Accesstype</Name>\
             <Value>Open</Value></Property></GroupProperties><JoinGroup>T</JoinGroup><ScreenName>\
             <SName>host</SName>{group}</ScreenName><SubscribeNotification>F\
             </SubscribeNotification></CreateGroup-Request>"
        ),
        ok,
    );
    for number in 0..players {
        let user = format!("ann{number}");
        let mut ann = phone(&user);
        ann.log_in("secret");
        for (list, contact) in [("friends", "bob"), ("main", "eve")] {
            asks(
                &mut ann,
                &format!(
                    "<CreateList-Request><ContactList>wv:{user}/{list}@village.test</ContactList>\
                     <NickList><NickName><Name>{contact}</Name><UserID>wv:{contact}@village.test\
                     </UserID></NickName></NickList></CreateList-Request>"
                ),
                ok,
            );
        }
        ann.log_out();
    }
    // The host stays in the group.
    node
}

#[test]
fn the_recorded_client_is_served_in_every_version_encoding_and_way_to_log_in() {
    let mut ways = Vec::new();
    for (version, encoding) in ALL {
        for login in ["two-way", "four-way"] {
            ways.extend([false, true].map(|says_its_kind| Way {
                version,
                encoding,
                login,
                says_its_kind,
            }));
        }
    }
    let node = node(ways.len());
    let mut binary: Vec<(Version, Vec<u8>)> = Vec::new();
    for (number, way) in ways.into_iter().enumerate() {
        let phone = |user: &str| {
            let address = bound(&node, "clients");
            Phone::new(&address, user, way.version, way.encoding)
        };
        let (mut bob, mut dan) = (phone("bob"), phone("dan"));
        bob.log_in("bob");
        dan.log_in("dan");
        let mut player = Player {
            way,
            phone: phone(&format!("ann{number}")),
            recording: recording(way.version),
            nonce: String::new(),
            wake: bound(&node, "wake"),
            channel: None,
            bob,
            dan,
            told: BTreeSet::new(),
            breaches: BTreeSet::new(),
            written: Vec::new(),
        };
        player.play();
        // Where a kind has its own form, and nowhere else.
        let own: &[&str] = match (way.says_its_kind, way.version) {
            (false, _) => &[],
            (true, Version::V1_1) => &["ClientCapability-Response"],
            (true, Version::V1_2) => &["UserMapList"],
            (true, Version::V1_3) => &["GetList-Response", "UserMapList"],
        };
        let own: BTreeSet<String> = own.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(player.breaches, own, "{way:?}");
        if way.encoding == Encoding::Wbxml {
            let written = player.written.into_iter();
            binary.extend(written.map(|body| (way.version, body)));
        }
    }
    for version in Version::ALL {
        let own = binary.iter().filter(|(of, _)| *of == version);
        let bodies: Vec<Vec<u8>> = own.map(|(_, body)| body.clone()).collect();
        assert!(bodies.len() > 60, "{version}: {}", bodies.len());
        decoders::dissected(version, &bodies);
        if version == Version::V1_1 {
            decoders::read_and_written(&bodies);
        }
    }
}
