//! What a service manager hears of the process: the protocol of
//! [sd_notify](https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html), datagrams of
//! `NAME=value` lines to the socket that the environment names.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::node::clock::Clock;

/// How often the status is looked at where no watchdog wants to hear more often; our choice.
const LOOK: Duration = Duration::from_secs(15);
/// A manager that takes nothing for so long is not waited for; our choice.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to the service manager. Without one, all it is told is dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct Manager {
    way: Option<Arc<Way>>,
    /// A sign of life is wanted within this time; `None`: no watchdog.
    watchdog: Option<Duration>,
}

#[derive(Debug)]
struct Way {
    socket: UnixDatagram,
    to: SocketAddr,
    /// What was last told of the node at work.
    status: Mutex<String>,
    stops: AtomicBool,
}

impl Manager {
    /// The manager that started this process, by `NOTIFY_SOCKET`, `WATCHDOG_USEC` and
    /// `WATCHDOG_PID`. One that cannot be reached is told of in the log.
    pub(super) fn of_environment() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let other = number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| !other && *micros > 0);
        Self::at(&address, watchdog.map(Duration::from_micros)).unwrap_or_else(|error| {
            tracing::warn!("NOTIFY_SOCKET={address:?} cannot be used: {error}");
            Self::default()
        })
    }

    /// The manager at this address: a path, or a name in the abstract namespace after an `@`.
    fn at(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let to = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => return Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let (status, stops) = (Mutex::default(), AtomicBool::new(false));
        let way = Way {
            socket,
            to,
            status,
            stops,
        };
        Ok(Self {
            way: Some(Arc::new(way)),
            watchdog,
        })
    }

    /// The node works, as `status` says in a line.
    pub(super) fn ready(&self, status: String) {
        let Some(way) = &self.way else { return };
        let pid = std::process::id();
        way.tell(&format!("READY=1\nMAINPID={pid}\n{}", line(&status)));
        *way.status() = status;
    }

    /// The configuration is being read again.
    pub(super) fn reloading(&self) {
        let micros = Clock::monotonic().as_micros();
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The configuration was read again; or it has so many problems that the old one stays.
    pub(super) fn reloaded(&self, problems: Option<usize>) {
        let Some(way) = &self.way else { return };
        let status = match problems {
            None => way.status().clone(),
            Some(problems) => format!(
                "the new configuration has {problems} problems, the old one stays; see: wvgate check"
            ),
        };
        way.tell(&format!("READY=1\n{}", line(&status)));
    }

    /// The process is about to end, says why or how, and asks for the time that it takes at most.
    pub(super) fn stopping(&self, status: &str, most: Option<Duration>) {
        let Some(way) = &self.way else { return };
        way.stops.store(true, Ordering::Relaxed);
        let most = most.map(|most| format!("EXTEND_TIMEOUT_USEC={}\n", most.as_micros()));
        let most = most.unwrap_or_default();
        way.tell(&format!("STOPPING=1\n{most}{}", line(status)));
    }

    /// Gives a sign of life twice in the time of the watchdog, each after a turn of the node that
    /// has brought its status; a changed status is told with it. Ends when there is none, as the
    /// node has ended.
    pub(super) async fn watch<F>(self, turn: impl Fn() -> F)
    where
        F: Future<Output = Option<String>>,
    {
        let Some(way) = &self.way else { return };
        let period = self.watchdog.map_or(LOOK, |watchdog| watchdog / 2);
        let mut ticks = tokio::time::interval(period.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(status) = turn().await else { return };
            let mut told = String::new();
            if self.watchdog.is_some() {
                told.push_str("WATCHDOG=1\n");
            }
            if *way.status() != status && !way.stops.load(Ordering::Relaxed) {
                told += &line(&status);
                *way.status() = status;
            }
            if !told.is_empty() {
                way.tell(&told);
            }
        }
    }

    fn tell(&self, text: &str) {
        if let Some(way) = &self.way {
            way.tell(text);
        }
    }
}

impl Way {
    fn tell(&self, text: &str) {
        if let Err(error) = self.socket.send_to_addr(text.as_bytes(), &self.to) {
            tracing::warn!("the service manager cannot be told: {error}");
        }
    }

    fn status(&self) -> std::sync::MutexGuard<'_, String> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A status as a line of the protocol.
fn line(status: &str) -> String {
    format!("STATUS={}\n", status.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn manager(watchdog: Option<Duration>) -> (Manager, UnixDatagram) {
        let name = crate::node::clock::random().hex(16);
        let name = OsString::from(format!("@wvgate-{name}"));
        let at = SocketAddr::from_abstract_name(&name.as_bytes()[1..]).unwrap();
        let listener = UnixDatagram::bind_addr(&at).unwrap();
        listener
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        (Manager::at(&name, watchdog).unwrap(), listener)
    }

    fn heard(listener: &UnixDatagram) -> String {
        let mut text = [0; 1024];
        let length = listener.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    #[test]
    fn a_service_manager_hears_of_a_start_of_reloads_and_of_the_end() {
        let (manager, listener) = manager(None);
        manager.ready("a.test: no\npeers".to_owned());
        let pid = std::process::id();
        let ready = format!("READY=1\nMAINPID={pid}\nSTATUS=a.test: no peers\n");
        assert_eq!(heard(&listener), ready);
        let before = Clock::monotonic().as_micros();
        manager.reloading();
        let reloading = heard(&listener);
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let micros: u128 = micros.unwrap().parse().unwrap();
        assert!(before <= micros && micros <= Clock::monotonic().as_micros());
        manager.reloaded(Some(2));
        assert!(
            heard(&listener).starts_with("READY=1\nSTATUS=the new configuration has 2 problems")
        );
        manager.reloaded(None);
        assert_eq!(heard(&listener), "READY=1\nSTATUS=a.test: no peers\n");
        manager.stopping("stops", Some(Duration::from_secs(40)));
        let stopping = "STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000\nSTATUS=stops\n";
        assert_eq!(heard(&listener), stopping);
    }

    #[test]
    fn what_is_no_address_is_refused_and_without_a_manager_nothing_happens() {
        for address in ["", "relative", "vsock:2:1"] {
            assert!(Manager::at(OsStr::new(address), None).is_err(), "{address}");
        }
        let nobody = Manager::default();
        nobody.ready(String::new());
        nobody.reloading();
        nobody.reloaded(None);
        nobody.stopping("", None);
    }

    #[tokio::test]
    async fn a_sign_of_life_follows_a_turn_of_the_node_and_a_stuck_node_gives_none() {
        let (manager, listener) = manager(Some(Duration::from_millis(2)));
        manager.ready("a".to_owned());
        heard(&listener);
        let (asks, mut asked) = tokio::sync::mpsc::unbounded_channel();
        let turn = move || {
            let (answer, answered) = tokio::sync::oneshot::channel::<Option<String>>();
            asks.send(answer).unwrap();
            async { answered.await.unwrap() }
        };
        let watch = tokio::spawn(manager.clone().watch(turn));
        let mut turn = asked.recv().await.unwrap();
        for (status, expected) in [
            ("a", "WATCHDOG=1\n"),
            ("b", "WATCHDOG=1\nSTATUS=b\n"),
            ("b", "WATCHDOG=1\n"),
        ] {
            turn.send(Some(status.to_owned())).unwrap();
            // The next turn is asked for when all that follows from this one was told.
            turn = asked.recv().await.unwrap();
            assert_eq!(heard(&listener), expected);
            listener.set_nonblocking(true).unwrap();
            assert!(listener.recv(&mut [0; 16]).is_err(), "told without a turn");
            listener.set_nonblocking(false).unwrap();
        }
        // A node that stops lives, and the word of its end stays.
        manager.stopping("stops", None);
        assert_eq!(heard(&listener), "STOPPING=1\nSTATUS=stops\n");
        turn.send(Some("c".to_owned())).unwrap();
        turn = asked.recv().await.unwrap();
        assert_eq!(heard(&listener), "WATCHDOG=1\n");
        turn.send(None).unwrap();
        watch.await.unwrap();
    }
}
