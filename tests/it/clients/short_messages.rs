//! Text sessions by short messages, through a real gateway: Kannel, with a pretended network.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use wvgate::csp::{Encoding, Version};

use super::{bound, phone};
use crate::cli_node::{Folder, Node, PATIENCE, free_port};

const SECRET: &str = "the secret of the gateway";
const INSTALL: &str = "run scripts/install-test-tools.sh first";

/// Bearerbox and smsbox, and the network behind them.
struct Kannel {
    boxes: Vec<Child>,
    network: Option<BufReader<TcpStream>>,
    sendsms: u16,
    folder: Folder,
}

impl Drop for Kannel {
    fn drop(&mut self) {
        for child in self.boxes.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Kannel {
    fn new() -> Self {
        Self {
            boxes: Vec::new(),
            network: None,
            sendsms: free_port(),
            folder: Folder::new(),
        }
    }

    /// Starts it, with this as the place where messages go.
    fn start(&mut self, clients: &str) {
        let (admin, between, network) = (free_port(), free_port(), free_port());
        let sendsms = self.sendsms;
        let url = format!(
            "http://{clients}/sms?secret={}&from=%p&id=%I&charset=%C&text=%b",
            SECRET.replace(' ', "+")
        );
        let config = self.folder.file(
            "kannel.conf",
            &format!(
                "group = core\nadmin-port = {admin}\nadmin-password = x\n\
                 admin-interface = 127.0.0.1\nsmsbox-port = {between}\n\
                 smsbox-interface = 127.0.0.1\nbox-allow-ip = \"127.0.0.1\"\n\n\
                 group = smsc\nsmsc = fake\nsmsc-id = fake\nport = {network}\n\
                 connect-allow-ip = 127.0.0.1\n\n\
                 group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {sendsms}\n\
                 sendsms-interface = 127.0.0.1\nglobal-sender = 15550000\n\
                 http-request-retry = 100\nhttp-queue-delay = 1\n\n\
                 group = sendsms-user\nusername = wvgate\npassword = letmein\n\
                 max-messages = 1\n\n\
                 group = sms-service\nkeyword = default\nget-url = \"{url}\"\n\
                 omit-empty = true\nmax-messages = 0\n"
            ),
        );
        let mut start = |name: &str, port: u16| {
            let child = Command::new(format!("/usr/sbin/{name}"))
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let child = child.unwrap_or_else(|error| panic!("{name}: {error}; {INSTALL}"));
            self.boxes.push(child);
            reached(port)
        };
        let network = start("bearerbox", network);
        network.set_read_timeout(Some(PATIENCE)).unwrap();
        self.network = Some(BufReader::new(network));
        reached(between);
        start("smsbox", sendsms);
    }

    /// A phone sends a short message.
    fn send(&mut self, number: &str, text: &str) {
        let network = self.network.as_mut().unwrap().get_mut();
        writeln!(network, "{number} 15550000 text {text}").unwrap();
    }

    /// The next message that comes out: to whom, and its text.
    fn get(&mut self) -> (String, String) {
        let mut line = String::new();
        let network = self.network.as_mut().unwrap();
        network.read_line(&mut line).unwrap();
        let mut words = line.trim_end_matches('\n').splitn(4, ' ');
        let (from, to) = (words.next().unwrap(), words.next().unwrap());
        assert_eq!(from, "15550000", "{line}");
        let kind = words.next().unwrap();
        let text = words.next().unwrap_or_default();
        let text = match kind {
            "text" => text.to_owned(),
            _ => format!("{kind} {text}"),
        };
        (to.to_owned(), text)
    }

    /// What comes next to this number.
    fn hear(&mut self, number: &str) -> String {
        let (to, text) = self.get();
        assert_eq!(to, number, "{text}");
        text
    }
}

/// A connection to something that is being started.
fn reached(port: u16) -> TcpStream {
    let begun = std::time::Instant::now();
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "port {port}: {error}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn configuration(sendsms: u16, clients: u16) -> String {
    format!(
        "[clients]\nlisten = \"127.0.0.1:{clients}\"\nplain_login = \"always\"\n\
         [[clients.user]]\nname = \"alice\"\nnumber = \"15550100\"\n\
         [[clients.sms]]\nname = \"kannel\"\nfrom = [\"127.0.0.1\"]\nsecret = \"{SECRET}\"\n\
         url = \"http://127.0.0.1:{sendsms}/cgi-bin/sendsms\"\nusername = \"wvgate\"\n\
         password = \"letmein\"\nsender = \"15550000\"\n"
    )
}

/// The status with which something is answered on the port of clients.
fn get(node: &Node, path: &str) -> u16 {
    get_from(&bound(node, "clients"), path)
}

/// The same at an address.
pub(super) fn get_from(address: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: wv\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_phone_that_has_only_short_messages_talks_through_kannel() {
    const ALICE: &str = "+15550100";
    let mut kannel = Kannel::new();
    let mut node = Node::start_with(&configuration(kannel.sendsms, free_port()));
    kannel.start(&bound(&node, "clients"));
    kannel.send(ALICE, "hello?");
    assert_eq!(kannel.hear(ALICE), "* log in first: /login");
    kannel.send(ALICE, "/Login");
    let told = kannel.hear(ALICE);
    assert!(told.starts_with("* you are alice@village.test"), "{told}");
    let mut carol = phone(&node, "carol", Version::V1_2, Encoding::Xml);
    carol.log_in("carol");
    kannel.send(ALICE, "/send carol good morning");
    let told = kannel.hear(ALICE);
    assert_eq!(told, "* taken by village.test for carol@village.test");
    let (id, info, text) = carol.wait_message();
    assert_eq!(text, "good morning");
    carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    // A longer message goes on in the next one.
    let long = "all work and no play ".repeat(10);
    assert_eq!(carol.send("wv:alice@village.test", &long), 200);
    let (first, second) = (kannel.hear(ALICE), kannel.hear(ALICE));
    assert!(
        first.starts_with("(1/2) carol@village.test: all work"),
        "{first}"
    );
    assert!(
        second.starts_with("(2/2) ") && first.len() <= 160,
        "{second}"
    );
    assert_eq!(carol.send("wv:alice@village.test", "привет"), 200);
    let (to, text) = kannel.get();
    assert!(to == ALICE && text.starts_with("ucs-2 "), "{to} {text}");
    kannel.send(ALICE, "/who");
    assert!(kannel.hear(ALICE).starts_with("* "));
    // The session is there after a crash, and so is what comes.
    node.crash_and_restart();
    carol.keeps = false;
    assert_eq!(carol.send("wv:alice@village.test", "still there?"), 200);
    assert_eq!(kannel.hear(ALICE), "carol@village.test: still there?");
    // The phone may have it before the node has heard from Kannel that it was taken.
    let begun = std::time::Instant::now();
    while node.metric("wvgate_messages_offline") > 0 {
        assert!(begun.elapsed() < PATIENCE, "it is never taken");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    kannel.send(ALICE, "/logout");
    assert_eq!(kannel.hear(ALICE), "* you are logged out");
    assert_eq!(carol.send("wv:alice@village.test", "for later"), 200);
    kannel.send(ALICE, "/login");
    let told = kannel.hear(ALICE);
    assert!(told.contains("one message has waited"), "{told}");
    let told = kannel.hear(ALICE);
    assert!(told.contains("): for later"), "{told}");
}

#[test]
fn only_a_gateway_that_is_known_hands_over_messages_and_each_counts_once() {
    let node = Node::start_with(&configuration(free_port(), 0));
    let with = |secret: &str, from: &str, text: &str, id: &str| {
        let secret = secret.replace(' ', "%20");
        get(
            &node,
            &format!("/sms?secret={secret}&from={from}&text={text}&id={id}"),
        )
    };
    assert_eq!(with("another secret", "15550100", "/login", "0"), 403);
    assert_eq!(get(&node, "/sms?from=15550100&text=x"), 400);
    assert_eq!(get(&node, "/sms"), 400);
    // Lines of one message make no lines of the language.
    assert_eq!(with(SECRET, "15550100", "x%0A/login%0A/login", "x"), 200);
    // A number of nobody's is answered as any other.
    assert_eq!(with(SECRET, "15550199", "/login", "1"), 200);
    assert_eq!(with(SECRET, "15550100", "/login", "2"), 200);
    for id in ["3", "3", "4"] {
        let text = format!("/send%20carol%20number%20{id}");
        assert_eq!(with(SECRET, "%2B15550100", &text, id), 200);
    }
    // The gateway takes nothing, so what waits for the user stays until it does.
    let mut carol = node.chat("carol");
    for expected in ["number 3", "number 4"] {
        let message = carol.wait("message", |_| true);
        assert_eq!(message["text"], expected);
    }
    assert!(carol.quit().iter().all(|event| event["event"] != "message"));
    let elsewhere = configuration(free_port(), 0).replace("\"127.0.0.1\"]", "\"192.0.2.1\"]");
    let node = Node::start_with(&elsewhere);
    let path = format!(
        "/sms?secret={}&from=15550100&text=x",
        SECRET.replace(' ', "+")
    );
    assert_eq!(get(&node, &path), 403);
}
