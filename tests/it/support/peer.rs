//! The deployed server, played by something that knows only bytes: a listener that answers, a
//! client that posts recorded messages, and the habits of the original.
//!
//! It answers every POST with an empty 200 that has two `Connection` headers, posts each message
//! on a connection of its own, never repeats one, and has the original's race: what refers to a
//! handshake whose row it has not committed yet is met with a closed connection.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use md5::{Digest as _, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use wvgate::config::Config;
use wvgate::node::{Node, Plan};
use wvgate::store::MemoryStore;

use super::divided::stores;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the original answers, as recorded (01/0004).
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: Kannel/1.4.5\r\nDate: Sun, 22 Nov 2026 07:59:36 GMT\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\nConnection: keep-alive\r\n\r\n";

/// A message that came to the peer.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    /// Start line and headers.
    pub head: String,
    /// The body.
    pub body: String,
    /// False if the connection was closed without an answer.
    pub answered: bool,
}

impl Arrived {
    /// The value of the first attribute of this name in the body.
    pub(crate) fn attribute(&self, name: &str) -> String {
        between(&self.body, &format!("{name}=\""), "\"")
    }

    /// The trimmed text of the first element of this name.
    pub(crate) fn text(&self, element: &str) -> String {
        let rest = between(&self.body, &format!("<{element}"), &format!("</{element}>"));
        rest.split_once('>')
            .map_or_else(String::new, |(_, text)| text.trim().to_owned())
    }
}

fn between(text: &str, before: &str, after: &str) -> String {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after)
        .map_or("", |(value, _)| value)
        .to_owned()
}

/// What the peer does with what comes.
#[derive(Debug, Default)]
struct Habits {
    /// Its row is committed so long after its own token was acknowledged.
    commit: Option<Duration>,
    committed_at: Option<Instant>,
    /// Statuses for the next POSTs, in place of 200; 0 closes without an answer.
    answers: Vec<u16>,
}

/// A peer that behaves as the deployed server.
pub(crate) struct Deployed {
    pub address: SocketAddr,
    /// Where the node under test listens.
    node: Option<SocketAddr>,
    habits: Arc<Mutex<Habits>>,
    arrived: mpsc::UnboundedReceiver<Arrived>,
    seen: Vec<Arrived>,
}

impl Deployed {
    /// Listens on a free port.
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let habits = Arc::new(Mutex::new(Habits::default()));
        let (sender, arrived) = mpsc::unbounded_channel();
        let shared = habits.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, shared.clone(), sender.clone()));
            }
        });
        Self {
            address,
            node: None,
            habits,
            arrived,
            seen: Vec::new(),
        }
    }

    /// From now on it has the race: rows are committed `millis` after the acknowledgement of its
    /// own token.
    pub(crate) fn with_race(&self, millis: u64) {
        let mut habits = self.habits.lock().unwrap();
        habits.commit = Some(Duration::from_millis(millis));
        habits.committed_at = None;
    }

    /// Statuses for the next POSTs; 0 closes without an answer.
    pub(crate) fn answer_next(&self, statuses: &[u16]) {
        self.habits.lock().unwrap().answers = statuses.to_vec();
    }

    /// Tells it where the node is.
    pub(crate) fn talk_to(&mut self, node: SocketAddr) {
        self.node = Some(node);
    }

    /// Waits for the next POST whose body has all of `needles`. What came before stays for later.
    pub(crate) async fn expect(&mut self, needles: &[&str]) -> Arrived {
        let fits = |message: &Arrived| needles.iter().all(|needle| message.body.contains(needle));
        if let Some(at) = self.seen.iter().position(fits) {
            return self.seen.remove(at);
        }
        loop {
            let next = tokio::time::timeout(PATIENCE, self.arrived.recv()).await;
            let Ok(Some(message)) = next else {
                panic!("no {needles:?} came; came: {:#?}", self.seen)
            };
            if fits(&message) {
                return message;
            }
            self.seen.push(message);
        }
    }

    /// Everything that came and was not expected, after a while without anything new.
    pub(crate) async fn rest(&mut self, quiet: Duration) -> Vec<Arrived> {
        while let Ok(Some(message)) = tokio::time::timeout(quiet, self.arrived.recv()).await {
            self.seen.push(message);
        }
        std::mem::take(&mut self.seen)
    }

    /// Posts bytes on a connection of their own. The status; `None` if it was closed without one.
    pub(crate) async fn post(&self, bytes: &[u8]) -> Option<u16> {
        let status = exchange(self.node.unwrap(), bytes).await;
        let mut habits = self.habits.lock().unwrap();
        if String::from_utf8_lossy(bytes).contains("<SendSecretToken") && status == Some(200) {
            let wait = habits.commit.unwrap_or_default();
            habits.committed_at = Some(Instant::now() + wait);
        }
        status
    }

    /// Posts a recorded message as it is, but for these replacements.
    pub(crate) async fn replay(&self, number: &str, replaced: &[(&str, &str)]) -> Option<u16> {
        self.post(&recorded(number, replaced)).await
    }

    /// What the original does first on every new contact: TLS. What came back.
    pub(crate) async fn client_hello(&self) -> String {
        let mut socket = TcpStream::connect(self.node.unwrap()).await.unwrap();
        let hello = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03";
        socket.write_all(hello).await.unwrap();
        let mut answer = Vec::new();
        let read = socket.read_to_end(&mut answer);
        let _ = tokio::time::timeout(PATIENCE, read).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Opens the session as recorded in set 13 and 01: it is a.test, the node b.test. The node's
    /// session id.
    pub(crate) async fn log_in(&mut self) -> String {
        assert_eq!(self.replay("01/0003", &[]).await, Some(200));
        let token = loop {
            let step2 = self
                .expect(&["<SendSecretToken", "mode=\"Response\""])
                .await;
            if step2.answered {
                break step2.text("SecretToken");
            }
        };
        self.replay("01/0009", &[("cR/VW2S1eIbySwCQlR+yfQ==", &digest(&token))])
            .await
            .unwrap();
        let step4 = self.expect(&["<LoginRequest", "mode=\"Response\""]).await;
        assert_eq!(step4.attribute("transactionID"), "101");
        assert_eq!(
            step4.text("PasswordDigest"),
            digest("48406d74545dda1838edc3b20c9e8e99")
        );
        self.replay("01/0013", &[]).await.unwrap();
        let step6 = self.expect(&["<LoginResponse", "mode=\"Response\""]).await;
        assert_eq!(step6.attribute("transactionID"), "101");
        step6.attribute("sessionID")
    }

    /// Answers a login that the node opens, as recorded in set 13. The node's session id.
    pub(crate) async fn be_logged_in(&mut self) -> String {
        let step1 = self.expect(&["<SendSecretToken", "mode=\"Request\""]).await;
        let (id, token) = (step1.attribute("transactionID"), step1.text("SecretToken"));
        assert_eq!(self.replay("13/0003", &[]).await, Some(200));
        let step3 = loop {
            let step3 = self.expect(&["<LoginRequest", "mode=\"Request\""]).await;
            if step3.answered {
                break step3;
            }
        };
        assert_eq!(step3.attribute("transactionID"), id);
        assert_eq!(
            step3.text("PasswordDigest"),
            digest("bc638a0ec8fc8d0ef0dc92f6a1895412")
        );
        let own = digest(&token);
        self.replay(
            "13/0006",
            &[("g14", &id), ("kRrKhqmgL8/Iabp+Prgk4Q==", &own)],
        )
        .await
        .unwrap();
        let step5 = self.expect(&["<LoginResponse", "mode=\"Request\""]).await;
        self.replay("13/0010", &[("g14", &id)]).await.unwrap();
        step5.attribute("sessionID")
    }
}

async fn serve(
    mut socket: TcpStream,
    habits: Arc<Mutex<Habits>>,
    arrived: mpsc::UnboundedSender<Arrived>,
) {
    let mut bytes = Vec::new();
    loop {
        let Some((head, body)) = request(&mut socket, &mut bytes).await else {
            return;
        };
        let status = {
            let mut habits = habits.lock().unwrap();
            let about_handshake = (body.contains("<SendSecretToken")
                && body.contains("mode=\"Response\""))
                || (body.contains("<LoginRequest") && body.contains("mode=\"Request\""));
            let committed = habits.committed_at.is_some_and(|at| at <= Instant::now());
            if about_handshake && habits.commit.is_some() && !committed {
                0
            } else if habits.answers.is_empty() {
                200
            } else {
                habits.answers.remove(0)
            }
        };
        let message = Arrived {
            head,
            body,
            answered: status != 0,
        };
        let _ = arrived.send(message);
        let answer = match status {
            0 => return,
            200 => OK.to_vec(),
            other => {
                format!("HTTP/1.1 {other} So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .into_bytes()
            }
        };
        if socket.write_all(&answer).await.is_err() || status != 200 {
            return;
        }
    }
}

/// Reads one request; `None` at the end.
async fn request(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .to_ascii_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0usize);
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
                bytes.drain(..end + 4 + length);
                return Some((head, body));
            }
        }
        let mut part = [0; 8192];
        match socket.read(&mut part).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&part[..n]),
            _ => return None,
        }
    }
}

/// Writes bytes, reads the status of what comes back.
pub(crate) async fn exchange(to: SocketAddr, bytes: &[u8]) -> Option<u16> {
    let mut socket = TcpStream::connect(to).await.unwrap();
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    loop {
        if answer.windows(4).any(|w| w == b"\r\n\r\n") {
            let line = String::from_utf8_lossy(&answer).into_owned();
            return line.split(' ').nth(1)?.parse().ok();
        }
        match tokio::time::timeout(PATIENCE, socket.read(&mut part)).await {
            Ok(Ok(n)) if n > 0 => answer.extend_from_slice(&part[..n]),
            _ => return None,
        }
    }
}

/// A POST as the original writes it.
pub(crate) fn post(body: &str) -> Vec<u8> {
    typed_post(body.as_bytes(), "application/vnd.wv.ssp+xml")
}

/// A POST of any content type.
pub(crate) fn typed_post(body: &[u8], content_type: &str) -> Vec<u8> {
    let mut bytes = format!(
        "POST / HTTP/1.1\r\nConnection: keep-alive\r\nUser-Agent: Baraza IMPS -- http://www.baraza.im\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nHost: imps.b.test:9001\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A recorded message, whole, with replacements in its body and the length made right.
pub(crate) fn recorded(number: &str, replaced: &[(&str, &str)]) -> Vec<u8> {
    let whole = std::fs::read(recording(number)).unwrap();
    if replaced.is_empty() {
        return whole;
    }
    let text = String::from_utf8(whole).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let before = format!("Content-Length: {}", body.len());
    assert!(head.contains(&before), "{number}");
    let mut body = body.to_owned();
    for (old, new) in replaced {
        assert!(body.contains(old), "{number} has no {old}");
        body = body.replace(old, new);
    }
    let head = head.replace(&before, &format!("Content-Length: {}", body.len()));
    format!("{head}\r\n\r\n{body}").into_bytes()
}

/// "01/0003" to its file.
fn recording(number: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures");
    let (set, file) = number.split_once('/').unwrap();
    let found = |folder: &Path, prefix: &str| {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with(prefix)
            })
            .unwrap_or_else(|| panic!("no recording {number}"))
    };
    found(&found(&root, &format!("{set}-")), &format!("{file}-"))
}

/// The digest over a token: of its characters, without a password.
pub(crate) fn digest(token: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(Md5::digest(token.as_bytes()))
}

/// A node for b.test with the user bob, whose peer a.test is the deployed server.
pub(crate) async fn node(peer: &Deployed, store: &Arc<MemoryStore>, extra: &str) -> Node {
    Node::start_on_all(plan(peer, extra), stores(store))
        .await
        .unwrap()
}

/// The configuration of a node that has this peer.
pub(crate) fn plan(peer: &Deployed, extra: &str) -> Plan {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let path = std::env::temp_dir().join(format!(
        "wvgate-deployed-{}-{}.toml",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ));
    let text = format!(
        "[node]\ndomain = \"b.test\"\ndata = \"/nonexistent\"\n\
         [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
         [[peer]]\ndomain = \"a.test\"\nurl = \"http://{}/\"\nallow_plain = true\ndialect = \"baraza\"\n\
         {extra}\n\
         [home]\n[[home.user]]\nname = \"bob\"\npassword = \"bob\"\n",
        peer.address
    );
    std::fs::write(&path, text).unwrap();
    let loaded = Config::load(path.clone(), std::iter::empty::<(String, String)>());
    let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
    let plan = Plan::new(&loaded.config, &loaded.located).unwrap_or_else(|error| panic!("{error}"));
    std::fs::remove_file(path).unwrap();
    plan
}
