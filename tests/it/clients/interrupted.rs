//! Sessions while the store takes nothing, the gateway of short messages refuses, or the access
//! point stops: nothing that was acknowledged is lost, and nobody has to log in again.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Runtime;
use wvgate::access::AccessPoint;
use wvgate::config::Config;
use wvgate::csp::{Encoding, Version};
use wvgate::http::devcerts::{self, Wanted};
use wvgate::http::tls::{ClientCertificates, ServerTls, server_config};
use wvgate::node::{Core, Node, Plan};
use wvgate::store::{MemoryStore, StoreError, Write as Record};

use super::lines::Terminal;
use super::phone::Phone;
use super::short_messages::get_from;
use crate::cli_node::{Folder, PATIENCE};

const SECRET: &str = "the-secret-of-the-gateway";
const TAKEN: &str = "* taken by village.test for carol@village.test";

/// A gateway of short messages that answers as it is told.
struct Gateway {
    port: u16,
    answers: Arc<Mutex<VecDeque<u16>>>,
    texts: Receiver<String>,
}

impl Gateway {
    fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let (told, texts) = channel();
        let own = Arc::clone(&answers);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let heard = match &tls {
                    None => answer(stream, &own, &told),
                    Some(tls) => {
                        let tls = rustls::ServerConnection::new(Arc::clone(tls)).unwrap();
                        answer(rustls::StreamOwned::new(tls, stream), &own, &told)
                    }
                };
                if heard.is_none() {
                    return;
                }
            }
        });
        Self {
            port,
            answers,
            texts,
        }
    }
}

/// Answers one request with the status that comes next, or 202. Nothing if nobody listens any more.
fn answer(
    mut stream: impl Read + Write,
    answers: &Mutex<VecDeque<u16>>,
    told: &Sender<String>,
) -> Option<()> {
    let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => head.extend(&chunk[..count]),
            // Who has asked has gone.
            Ok(0) | Err(_) => return Some(()),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let query = head.split(' ').nth(1).unwrap().split_once('?').unwrap().1;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, text) = pairs.find(|(name, _)| name == "text").unwrap();
    let status = answers.lock().unwrap().pop_front().unwrap_or(202);
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    match status {
        202 => told.send(text.into_owned()).ok(),
        _ => Some(()),
    }
}

/// A node in this process, and what serves its clients.
struct Here {
    runtime: Runtime,
    node: Option<Node>,
    access: Option<AccessPoint>,
    store: Arc<MemoryStore>,
    gateway: Gateway,
    config: PathBuf,
    _folder: Folder,
}

impl Here {
    fn start() -> Self {
        let gateway = Gateway::start(None);
        let url = format!("http://127.0.0.1:{}/sendsms", gateway.port);
        Self::with(Folder::new(), gateway, &format!("url = \"{url}\"\n"))
    }

    fn with(folder: Folder, gateway: Gateway, sms: &str) -> Self {
        let data = folder.0.join("data");
        let config = folder.file(
            "node.toml",
            &format!(
                "[node]\ndomain = \"village.test\"\ndata = {data:?}\n\
                 [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n[home]\n\
                 [[home.user]]\nname = \"alice\"\npassword = \"alice\"\n\
                 [[home.user]]\nname = \"carol\"\npassword = \"carol\"\n\
                 [clients]\nlisten = \"127.0.0.1:0\"\nplain_login = \"always\"\n\
                 [clients.clp]\nlisten = \"127.0.0.1:0\"\n\
                 [[clients.user]]\nname = \"alice\"\nnumber = \"15550100\"\n\
                 [[clients.sms]]\nname = \"gateway\"\nfrom = [\"127.0.0.1\"]\n\
                 secret = \"{SECRET}\"\nusername = \"wvgate\"\npassword = \"letmein\"\n\
                 sender = \"15550000\"\n{sms}"
            ),
        );
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
        let store = Arc::new(MemoryStore::new());
        let mut here = Self {
            runtime,
            node: None,
            access: None,
            store: Arc::clone(&store),
            gateway,
            config,
            _folder: folder,
        };
        let node = here.runtime.block_on(Node::start_on(here.plan(), store));
        here.node = Some(node.unwrap());
        here.open();
        here
    }

    fn plan(&self) -> Plan {
        let loaded = Config::load(&self.config, Vec::new()).unwrap();
        Plan::new(&loaded.config, &loaded.located).unwrap()
    }

    /// Serves clients.
    fn open(&mut self) {
        let clients = self.plan().clients.unwrap();
        let handle = self.node.as_ref().unwrap().handle().clone();
        let access = self.runtime.block_on(AccessPoint::start(clients, handle));
        self.access = Some(access.unwrap());
    }

    /// Stops to serve clients, in peace.
    fn close(&mut self) {
        let access = self.access.take().unwrap();
        self.runtime.block_on(access.stop(PATIENCE));
    }

    fn access(&self) -> &AccessPoint {
        self.access.as_ref().unwrap()
    }

    fn phone(&self, user: &str) -> Phone {
        let address = self.access().local_addr().to_string();
        let mut phone = Phone::new(&address, user, Version::V1_2, Encoding::Xml);
        phone.log_in(user);
        phone
    }

    fn terminal(&self, user: &str) -> Terminal<TcpStream> {
        let address = self.access().text_addr().unwrap().0;
        let mut terminal = Terminal::at(address);
        terminal.type_line(&format!("/login {user} {user}"));
        terminal.wait(&format!("* you are {user}@village.test"));
        terminal
    }

    /// Alice writes a short message: what her gateway is answered.
    fn sms(&self, text: &str, id: &str) -> u16 {
        let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let path = format!("/sms?secret={SECRET}&from=%2B15550100&text={text}&id={id}");
        get_from(&self.access().local_addr().to_string(), &path)
    }

    /// The same, handed over again until it is taken.
    fn sms_at_last(&self, text: &str, id: &str) {
        until(|| self.sms(text, id) == 200);
    }

    /// What alice hears next.
    fn hear(&self) -> String {
        self.gateway.texts.recv_timeout(PATIENCE).unwrap()
    }

    /// So many commits that come next fail.
    fn fail(&self, times: usize) {
        for _ in 0..times {
            self.store
                .fail_next(StoreError::Full("as arranged".to_owned()));
        }
    }

    /// The store takes nothing from now on, until it was tried so often.
    fn fail_now(&self, times: usize) {
        self.fail(times);
        let handle = self.node.as_ref().unwrap().handle().clone();
        let change = handle.change(|_, _, turn| turn.writes.push(Record::put("test/1", "x")));
        assert_eq!(self.runtime.block_on(change), Ok(None));
    }

    /// Messages that nobody has acknowledged.
    fn messages_open(&self) -> u64 {
        let handle = self.node.as_ref().unwrap().handle().clone();
        let open = handle.ask(|core: &mut Core, _, _| core.messages_open());
        self.runtime.block_on(open).unwrap()
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let (access, node) = (self.access.take(), self.node.take());
        self.runtime.block_on(async {
            if let Some(access) = access {
                access.stop(Duration::ZERO).await;
            }
            if let Some(node) = node {
                node.stop(Duration::ZERO).await;
            }
        });
    }
}

/// Waits until something is so.
fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_short_message_that_is_not_kept_is_not_taken_and_counts_once_when_it_comes_again() {
    let here = Here::start();
    assert_eq!(here.sms("/login", "1"), 200);
    assert!(here.hear().starts_with("* you are alice@village.test"));
    let mut carol = here.phone("carol");
    here.fail(1);
    assert_eq!(here.sms("/send carol hello", "2"), 503);
    here.sms_at_last("/send carol hello", "2");
    // The answer to the first one was lost on its way to the gateway.
    assert_eq!(here.sms("/send carol hello", "2"), 200);
    assert_eq!(here.sms("/send carol bye", "3"), 200);
    for expected in ["hello", "bye"] {
        let (id, info, text) = carol.wait_message();
        assert_eq!(text, expected);
        carol.delivered(&id, info.message.message_id.as_deref().unwrap());
        // Nobody was logged out.
        assert_eq!(here.hear(), TAKEN);
    }
    until(|| here.messages_open() == 0);
}

#[test]
fn who_comes_while_the_store_takes_nothing_waits_for_a_moment_and_gets_in() {
    let here = Here::start();
    here.fail_now(3);
    here.terminal("alice");
    here.fail_now(3);
    here.phone("carol");
    here.fail_now(3);
    assert_eq!(here.sms("/login", "1"), 200);
    assert!(here.hear().starts_with("* you are alice@village.test"));
}

#[test]
fn a_phone_goes_on_after_the_store_has_failed_and_hears_nothing_twice() {
    let here = Here::start();
    let (mut alice, mut carol) = (here.phone("alice"), here.phone("carol"));
    assert_eq!(alice.send("wv:carol@village.test", "one"), 200);
    let (id, info, text) = carol.wait_message();
    assert_eq!(text, "one");
    here.fail(1);
    carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    // What cannot be asked now is said to be so.
    until(|| match alice.send("wv:carol@village.test", "two") {
        200 => true,
        code => {
            assert!(matches!(code, 503 | 504), "{code}");
            false
        }
    });
    let (id, info, text) = carol.wait_message();
    assert_eq!(text, "two");
    carol.delivered(&id, info.message.message_id.as_deref().unwrap());
    until(|| here.messages_open() == 0);
    assert_eq!(here.access().clients().count().logins, 2);
}

#[test]
fn a_terminal_goes_on_after_the_store_has_failed_and_has_its_partner() {
    let here = Here::start();
    let mut carol = here.phone("carol");
    let mut alice = here.terminal("alice");
    assert_eq!(alice.ask("/to carol"), "you write to carol");
    here.fail_now(2);
    let mut told = alice.ask("hello");
    if told.starts_with("* something was not answered") {
        told = alice.ask("hello");
    }
    assert_eq!(told, TAKEN);
    assert_eq!(carol.wait_message().2, "hello");
}

#[test]
fn a_text_that_the_gateway_refuses_for_good_is_given_up_and_its_sender_told() {
    let here = Here::start();
    assert_eq!(here.sms("/login", "1"), 200);
    here.hear();
    let mut carol = here.terminal("carol");
    assert_eq!(carol.ask("/report on"), "delivery reports are on");
    here.gateway.answers.lock().unwrap().push_back(400);
    carol.type_line("/send alice one");
    let told = carol.wait("* NOT delivered");
    assert!(told.contains("alice@village.test"), "{told}");
    carol.type_line("/send alice two");
    assert_eq!(here.hear(), "carol@village.test: two");
    carol.wait("* delivered to alice@village.test");
    let count = here.access().clients().count();
    assert_eq!(count.short_messages_refused, 1);
    until(|| here.messages_open() == 0);
}

#[test]
fn the_operator_ends_a_session_of_short_messages_for_which_nothing_more_may_wait() {
    let here = Here::start();
    let busy = std::iter::repeat_n(503, 1000);
    here.gateway.answers.lock().unwrap().extend(busy);
    for number in 0..32 {
        let text = if number == 0 { "/login" } else { "/help" };
        assert_eq!(here.sms(text, &number.to_string()), 200);
    }
    let clients = here.access().clients();
    let ended = here.runtime.block_on(clients.disconnect("alice"));
    assert_eq!(ended, 1);
    until(|| clients.count().sessions == 0);
}

#[test]
fn the_partner_of_a_session_of_short_messages_is_known_after_a_restart() {
    let mut here = Here::start();
    assert_eq!(here.sms("/login", "1"), 200);
    here.hear();
    assert_eq!(here.sms("/to carol", "2"), 200);
    assert_eq!(here.hear(), "you write to carol");
    here.close();
    here.open();
    let mut carol = here.phone("carol");
    assert_eq!(here.sms("still me", "3"), 200);
    assert_eq!(carol.wait_message().2, "still me");
    assert_eq!(here.hear(), TAKEN);
}

#[test]
fn a_stop_takes_no_more_connections_and_tells_those_at_terminals() {
    let mut here = Here::start();
    let address = here.access().text_addr().unwrap().0;
    let mut alice = here.terminal("alice");
    let mut stranger = Terminal::at(address);
    here.close();
    for terminal in [&mut alice, &mut stranger] {
        terminal.wait("* the server stops; good bye");
        assert_eq!(terminal.line(), "");
    }
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_gateway_over_tls_is_known_by_the_authority_that_is_named_for_it() {
    let folder = Folder::new();
    let wanted = [Wanted::parse("localhost").unwrap()];
    devcerts::generate(&folder.0, &wanted, false, SystemTime::now()).unwrap();
    let files = ServerTls {
        certificate: folder.0.join("localhost.pem"),
        key: folder.0.join("localhost.key"),
        client_ca: None,
        client_certificates: ClientCertificates::None,
    };
    let gateway = Gateway::start(Some(server_config(&files).unwrap()));
    let (port, ca) = (gateway.port, folder.0.join("ca.pem"));
    let sms = format!("url = \"https://localhost:{port}/sendsms\"\nca = {ca:?}\n");
    let here = Here::with(folder, gateway, &sms);
    assert_eq!(here.sms("/login", "1"), 200);
    assert!(here.hear().starts_with("* you are alice@village.test"));
}
