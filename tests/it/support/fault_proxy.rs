//! A TCP way to one listener that fails as told, and remembers what was sent over it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use bytes::Bytes;
use wvgate::imps::xml::Limits;
use wvgate::ssp::envelope::scan;
use wvgate::ssp::{Message, Mode};

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Connections pass.
    None,
    /// Every connection is closed, new ones at once.
    Refused,
    /// Connections are taken, and nothing goes either way; when it is over, they are reset.
    BlackHole,
    /// They wait, in both directions, until it is over.
    Held,
    /// What is sent passes; of the answer half comes, and the connection ends.
    AnswerCut,
}

/// A transaction that was sent: whether it asks, its id and its primitive.
pub(crate) type Sent = (bool, String, String);

/// The way, which ends with the value.
pub(crate) struct FaultProxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    fault: Fault,
    ended: bool,
    /// Both ends of every connection.
    open: Vec<TcpStream>,
    accepted: usize,
    cut: usize,
    /// What clients sent and was let through, by connection.
    sent: Vec<Vec<u8>>,
}

impl FaultProxy {
    /// A way to where somebody will listen.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            fault: Fault::None,
            ended: false,
            open: Vec::new(),
            accepted: 0,
            cut: 0,
            sent: Vec::new(),
        };
        let shared = Arc::new(Shared {
            target,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let listening = shared.clone();
        std::thread::spawn(move || listening.listen(&listener));
        Self { port, shared }
    }

    /// Sets what happens from now on.
    pub(crate) fn set(&self, fault: Fault) {
        let mut state = self.shared.lock();
        if state.fault == Fault::BlackHole || fault == Fault::Refused {
            state.close_all();
        }
        state.fault = fault;
        self.shared.changed.notify_all();
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.lock().accepted
    }

    /// Answers cut so far.
    pub(crate) fn cut(&self) -> usize {
        self.shared.lock().cut
    }

    /// All transactions that were sent, those repeated under their id once.
    pub(crate) fn sent(&self) -> BTreeSet<Sent> {
        let mut sent = BTreeSet::new();
        for bytes in &self.shared.lock().sent {
            for body in bodies(bytes) {
                let Ok(Message::Session(session)) = scan(&body, &Limits::default()) else {
                    continue;
                };
                for transaction in session.transactions {
                    let asks = transaction.mode == Mode::Request;
                    sent.insert((asks, transaction.id, transaction.name.to_string()));
                }
            }
        }
        sent
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.close_all();
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn close_all(&mut self) {
        for socket in self.open.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn listen(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            let mut state = self.lock();
            if state.ended {
                return;
            }
            state.accepted += 1;
            let Ok(client) = client else { continue };
            if state.fault == Fault::Refused {
                continue;
            }
            // Nobody there: the connection ends at once.
            let Ok(server) = TcpStream::connect(self.target) else {
                continue;
            };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let number = state.sent.len();
            state.sent.push(Vec::new());
            for socket in [&client, &server] {
                state.open.push(socket.try_clone().unwrap());
            }
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let shared = self.clone();
            std::thread::spawn(move || shared.copy(from, to, Some(number)));
            let shared = self.clone();
            std::thread::spawn(move || shared.copy(server, client, None));
        }
    }

    /// Copies one direction, and ends the connection when it ends. `connection` numbers what a
    /// client sends.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, connection: Option<usize>) {
        let mut part = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut part) {
            let bytes = &part[..count];
            let mut state = self.lock();
            while state.fault == Fault::Held && !state.ended {
                state = self.changed.wait(state).unwrap();
            }
            match (state.fault, connection) {
                (Fault::BlackHole, _) => continue,
                (Fault::AnswerCut, None) => {
                    state.cut += 1;
                    let _ = to.write_all(&bytes[..count / 2]);
                    break;
                }
                (_, Some(number)) => state.sent[number].extend_from_slice(bytes),
                (_, None) => {}
            }
            drop(state);
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

/// Bodies of complete HTTP messages.
fn bodies(mut bytes: &[u8]) -> Vec<Bytes> {
    let mut bodies = Vec::new();
    while let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let length = String::from_utf8_lossy(&bytes[..head])
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        let rest = &bytes[head + 4..];
        if rest.len() < length {
            break;
        }
        bodies.push(Bytes::copy_from_slice(&rest[..length]));
        bytes = &rest[length..];
    }
    bodies
}
