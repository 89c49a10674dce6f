//! The channel that wakes over TCP: a client connects, says `HELO` with its session, and keeps the
//! connection. `WVCI` on it means that something waits.
//!
//! A connection that is idle costs a task of a few hundred bytes, and no buffer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::accept::{Terms, accept};
use super::key::Key;
use super::sessions::{Handle, Order, Sessions};
use super::wake_line::{Line, Lines};

/// For `HELO`; our choice.
const HELLO: Duration = Duration::from_secs(30);
/// A client that says nothing for so long is gone; clients ping every 20 minutes.
const IDLE: Duration = Duration::from_secs(3600);
/// Lines that a client may say at once, and the pause in which it may say one more; our choice.
const BURST: u32 = 10;
const PAUSE: Duration = Duration::from_secs(10);
/// Bytes that are read at once.
const CHUNK: usize = 64;

/// For how long a client may say nothing: before it has said whose connection it is, and then.
#[derive(Debug, Clone, Copy)]
struct Silence {
    hello: Duration,
    idle: Duration,
}

impl Silence {
    const ALLOWED: Self = Self {
        hello: HELLO,
        idle: IDLE,
    };
}

/// A connection that wakes is counted as long as it lives.
struct Counted(Arc<Sessions>);

impl Counted {
    fn of(sessions: Arc<Sessions>) -> Self {
        sessions.tally.channel_opened();
        Self(sessions)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.tally.channel_closed();
    }
}

/// Serves the channel until it is stopped.
pub(super) async fn serve(sessions: Arc<Sessions>, listener: TcpListener, terms: Terms) {
    accept(listener, &sessions, terms, |stream, _| {
        let connection = Connection::new(stream, Silence::ALLOWED);
        let counted = Counted::of(Arc::clone(&sessions));
        async move { connection.serve(&counted.0).await }
    })
    .await;
}

/// One connection.
struct Connection {
    stream: TcpStream,
    lines: Lines,
    /// Lines that may still be said.
    left: u32,
    since: Instant,
    silence: Silence,
}

impl Connection {
    fn new(stream: TcpStream, silence: Silence) -> Self {
        Self {
            stream,
            lines: Lines::default(),
            left: BURST,
            since: Instant::now(),
            silence,
        }
    }

    async fn serve(mut self, sessions: &Sessions) {
        let Some(id) = self.greeted().await else {
            return;
        };
        let Some(handle) = sessions.find(Key::of(&id)) else {
            return;
        };
        let (wake, mut alarms) = mpsc::channel(1);
        if !self.say("OK") {
            return;
        }
        let up = Order::Channel(wake.clone());
        if !handle.order(up).await {
            return;
        }
        self.stand(&handle, &mut alarms).await;
        handle.order(Order::ChannelGone(wake)).await;
    }

    /// The id of the session; `None` if it does not come in time.
    async fn greeted(&mut self) -> Option<String> {
        let hello = self.silence.hello;
        tokio::time::timeout(hello, self.hello()).await.ok()?
    }

    /// The id of the session; `None` if the client says something else.
    async fn hello(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.lines.next() {
                match line {
                    Line::Hello(id) => return Some(id),
                    Line::Ping | Line::Other => return None,
                }
            }
            self.stream.readable().await.ok()?;
            self.read()?;
        }
    }

    /// Passes on alarms, and answers pings, until one side ends it.
    async fn stand(&mut self, handle: &Handle, alarms: &mut mpsc::Receiver<String>) {
        loop {
            tokio::select! {
                biased;
                () = handle.orders.closed() => return,
                alarm = alarms.recv() => match alarm {
                    Some(line) if self.say(&line) => {}
                    // It reads nothing, or another connection has taken its place.
                    _ => return,
                },
                ready = tokio::time::timeout(self.silence.idle, self.stream.readable()) => {
                    if !matches!(ready, Ok(Ok(()))) || self.read().is_none() || !self.answer() {
                        return;
                    }
                }
            }
        }
    }

    /// Answers what was said; whether the connection goes on.
    fn answer(&mut self) -> bool {
        while let Some(line) = self.lines.next() {
            let earned = self.since.elapsed().as_secs() / PAUSE.as_secs();
            let earned = u32::try_from(earned).unwrap_or(BURST).min(BURST);
            if earned > 0 {
                self.since = Instant::now();
            }
            self.left = self.left.saturating_add(earned).min(BURST);
            let Some(left) = self.left.checked_sub(1) else {
                tracing::debug!("a client pings too often; its connection is closed");
                return false;
            };
            self.left = left;
            if line == Line::Other || !self.say("OK") {
                return false;
            }
        }
        true
    }

    /// Takes what has come; `None` at the end.
    fn read(&mut self) -> Option<()> {
        let mut chunk = [0; CHUNK];
        match self.stream.try_read(&mut chunk) {
            Ok(0) => None,
            Ok(count) => self.lines.push(&chunk[..count]).ok(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(()),
            Err(_) => None,
        }
    }

    /// Says a line; false if the client does not read.
    fn say(&self, line: &str) -> bool {
        let line = format!("{line}\r\n");
        let written = self.stream.try_write(line.as_bytes());
        written.is_ok_and(|count| count == line.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Both ends of a connection on which so much silence is allowed.
    async fn pair(silence: Silence) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (stream, _) = listener.accept().await.unwrap();
        (Connection::new(stream, silence), client.unwrap())
    }

    fn handle() -> (Handle, mpsc::Receiver<Box<Order>>) {
        let (orders, from) = mpsc::channel(1);
        let handle = Handle {
            key: Key::of("s"),
            user: "alice".to_owned(),
            client: None,
            orders,
            is_waiting: AtomicBool::new(false),
        };
        (handle, from)
    }

    #[tokio::test]
    async fn who_does_not_say_whose_connection_it_is_is_not_waited_for() {
        let short = Silence {
            hello: Duration::from_millis(20),
            ..Silence::ALLOWED
        };
        let (mut connection, client) = pair(short).await;
        assert_eq!(connection.greeted().await, None);
        client.try_write(b"HELO").unwrap();
        assert_eq!(connection.greeted().await, None);
    }

    #[tokio::test]
    async fn who_says_nothing_for_too_long_is_gone() {
        let short = Silence {
            idle: Duration::from_millis(20),
            ..Silence::ALLOWED
        };
        let (mut connection, client) = pair(short).await;
        client.try_write(b"HELO s\r\n").unwrap();
        assert_eq!(connection.greeted().await.as_deref(), Some("s"));
        let (handle, _orders) = handle();
        let (_wake, mut alarms) = mpsc::channel(1);
        connection.stand(&handle, &mut alarms).await;
    }

    #[tokio::test]
    async fn who_reads_nothing_is_given_up_and_not_waited_for() {
        let (mut connection, client) = pair(Silence::ALLOWED).await;
        while connection.say("WVCI 1.2 cookie") {}
        let (handle, _orders) = handle();
        let (wake, mut alarms) = mpsc::channel(1);
        wake.try_send("WVCI 1.2 cookie".to_owned()).unwrap();
        connection.stand(&handle, &mut alarms).await;
        drop(client);
    }
}
