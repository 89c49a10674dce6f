//! Text sessions over connections, plain and over TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::SystemTime;

use wvgate::csp::Encoding;
use wvgate::csp::Version;
use wvgate::http::devcerts::{self, Wanted};
use wvgate::http::tls::{ClientTls, client_config};

use super::{bound, phone};
use crate::cli_node::{Folder, Node, PATIENCE, output};

/// In the configuration: clients that may log in by plain passwords, and text sessions.
const TEXT: &str = "[clients]\nlisten = \"127.0.0.1:0\"\nplain_login = \"always\"\n\
     max_failures = 3\n[clients.clp]\nlisten = \"127.0.0.1:0\"\nmax_connections_per_address = 8\n";

/// Somebody at a terminal.
pub(super) struct Terminal<S> {
    stream: BufReader<S>,
}

impl Terminal<TcpStream> {
    fn open(node: &Node) -> Self {
        Self::at(bound(node, "text"))
    }

    /// One who connects until there is a place.
    fn open_at_last(node: &Node) -> Self {
        for _ in 0..PATIENCE.as_millis() / 20 {
            let mut terminal = Self::of(TcpStream::connect(bound(node, "text")).unwrap());
            let mut line = String::new();
            if terminal.stream.read_line(&mut line).is_ok() && line.starts_with("* wvgate") {
                return terminal;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("there is no place");
    }

    /// One who has connected and was greeted.
    pub(super) fn at(address: impl std::net::ToSocketAddrs) -> Self {
        let mut terminal = Self::of(TcpStream::connect(address).unwrap());
        terminal.wait("* wvgate");
        terminal
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// One who has logged in.
    fn user(node: &Node, user: &str) -> Self {
        let mut terminal = Self::open(node);
        terminal.type_line(&format!("/login {user} {user}"));
        terminal.wait(&format!("* you are {user}@village.test"));
        terminal
    }
}

impl<S: Read + Write> Terminal<S> {
    pub(super) fn type_line(&mut self, line: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        stream.flush().unwrap();
    }

    /// The next line; empty at the end.
    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.is_empty() || line.ends_with("\r\n"), "{line:?}");
        line.trim_end().to_owned()
    }

    /// The next line that begins so.
    pub(super) fn wait(&mut self, start: &str) -> String {
        let mut seen = Vec::new();
        loop {
            let line = self.line();
            if line.starts_with(start) {
                return line;
            }
            assert!(!line.is_empty(), "no {start:?} in {seen:#?}");
            seen.push(line);
        }
    }

    /// What a line is answered first.
    pub(super) fn ask(&mut self, line: &str) -> String {
        self.type_line(line);
        self.line()
    }
}

#[test]
fn users_talk_in_lines_and_with_phones_and_what_they_did_not_read_waits() {
    let mut node = Node::start_with(TEXT);
    let mut alice = Terminal::user(&node, "alice");
    let mut carol = phone(&node, "carol", Version::V1_2, Encoding::Xml);
    carol.log_in("carol");
    let told = alice.ask("/send carol hello from a terminal");
    assert_eq!(told, "* taken by village.test for carol@village.test");
    let (id, info, text) = carol.wait_message();
    assert_eq!(text, "hello from a terminal");
    carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    assert_eq!(
        carol.send("wv:alice@village.test", "hello from a phone"),
        200
    );
    assert_eq!(alice.line(), "carol@village.test: hello from a phone");
    assert!(alice.ask("/who").starts_with("* "));
    assert_eq!(
        alice.ask("/add carol Carol"),
        "* done: add contact carol@village.test"
    );
    assert!(alice.ask("/who").contains("Carol"));
    assert_eq!(alice.ask("/status at the terminal"), "* done: presence");
    assert_eq!(alice.ask("/read"), "* no message waits");
    alice.type_line("/help");
    assert!(alice.wait("/quit").ends_with("/logout"));
    assert_eq!(alice.ask("/logout"), "* good bye");
    assert_eq!(alice.line(), "");
    // What came meanwhile waits, and comes again as long as it was not written to somebody.
    assert_eq!(carol.send("wv:alice@village.test", "for later"), 200);
    node.crash_and_restart();
    let mut alice = Terminal::open(&node);
    alice.type_line("/login alice alice");
    alice.wait("* you are alice@village.test; one message has waited");
    assert!(alice.line().ends_with("): for later"));
    alice.type_line("/logout");
    alice.wait("* good bye");
    let mut alice = Terminal::open(&node);
    alice.type_line("/login alice alice");
    let welcome = alice.wait("* you are alice@village.test");
    assert!(!welcome.contains("waited"), "{welcome}");
}

#[test]
fn who_does_not_know_the_password_is_locked_out_of_every_way_in() {
    let node = Node::start_with(TEXT);
    let mut stranger = Terminal::open(&node);
    assert!(stranger.ask("hello").starts_with("* log in first"));
    for _ in 0..3 {
        assert_eq!(stranger.ask("/login alice"), "* password?");
        let told = stranger.ask("something secret");
        assert!(told.starts_with("* login failed: 409"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    let told = stranger.ask("/login alice alice");
    assert!(told.starts_with("* login failed: 403"), "{told}");
    // The same for who comes as a phone.
    let mut alice = phone(&node, "alice", Version::V1_2, Encoding::Xml);
    let request = wvgate::csp::primitive::session::LoginRequest {
        password: Some("alice".to_owned()),
        ..alice.login_request()
    };
    assert_eq!(super::code(&alice.try_login(request)), 403);
    // Somebody else gets in, in the same connection.
    assert!(
        stranger
            .ask("/login carol carol")
            .starts_with("* you are carol")
    );
}

#[test]
fn lines_and_connections_are_bounded_and_the_operator_ends_sessions() {
    let node = Node::start_with(TEXT);
    let mut alice = Terminal::user(&node, "alice");
    let told = alice.ask(&"x".repeat(5000));
    assert!(
        told.starts_with("* not understood: the line is longer than"),
        "{told}"
    );
    // One line after the other is answered, however many are sent at once.
    let many = "/read\r\n".repeat(100);
    alice.stream.get_mut().write_all(many.as_bytes()).unwrap();
    for _ in 0..100 {
        assert_eq!(alice.line(), "* no message waits");
    }
    // Who never logs in is not listened to for long.
    let mut stranger = Terminal::open(&node);
    for _ in 0..20 {
        assert!(stranger.ask("hello").starts_with("* log in first"));
    }
    stranger.type_line("hello");
    assert_eq!(stranger.line(), "");
    // The place of who was cut off is free in a moment.
    let held: Vec<_> = (0..7).map(|_| Terminal::open_at_last(&node)).collect();
    let mut more = Terminal::of(TcpStream::connect(bound(&node, "text")).unwrap());
    let mut nothing = Vec::new();
    let _ = more.stream.read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    drop(held);
    let ended = output(&node.config, &["client", "disconnect", "alice"]);
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(said.contains("that were ended: 1"), "{said}");
    let told = alice.line();
    assert!(told.starts_with("* session failed: 601"), "{told}");
    assert_eq!(alice.line(), "");
}

#[test]
fn text_sessions_over_tls_take_passwords_and_the_port_takes_nothing_else() {
    let certs = Folder::new();
    let wanted = [Wanted::parse("localhost").unwrap()];
    devcerts::generate(&certs.0, &wanted, false, SystemTime::now()).unwrap();
    let (certificate, key) = (certs.0.join("localhost.pem"), certs.0.join("localhost.key"));
    let node = Node::start_with(&format!(
        "[clients]\nlisten = \"127.0.0.1:0\"\ndigest_secret = \"a secret of these tests\"\n\
         [clients.clp]\nlisten = \"127.0.0.1:0\"\ncertificate = {certificate:?}\nkey = {key:?}\n"
    ));
    let mut plain = Terminal::of(TcpStream::connect(bound(&node, "text")).unwrap());
    plain.type_line("/login alice alice");
    let mut answer = Vec::new();
    let _ = plain.stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(!answer.contains("alice"), "{answer}");
    let files = ClientTls {
        ca: Some(certs.0.join("ca.pem")),
        ..ClientTls::default()
    };
    let config = client_config(&files, "localhost").unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
    let stream = TcpStream::connect(bound(&node, "text")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut alice = Terminal {
        stream: BufReader::new(rustls::StreamOwned::new(connection, stream)),
    };
    assert!(alice.line().starts_with("* wvgate"));
    let told = alice.ask("/login alice alice");
    assert!(told.starts_with("* you are alice@village.test"), "{told}");
    assert_eq!(alice.ask("/quit"), "* good bye");
}
