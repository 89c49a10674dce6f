//! Whether the XMPP server takes a component, and whether nobody else has its name.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::message::MessageType;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::reach::PATIENCE;
use crate::node::twins::BEHIND;
use crate::translate::message::refusal;
use crate::xmpp::link::{self, ComponentSettings, DownReason, LinkEvent, Outgoing, Siblings};

/// Pings by which it shows whether the server shares the traffic with another process: of two it
/// chooses one each time, so all of them come home once in 65 000 times.
const PINGS: u64 = 16;
/// How long a ping may take that comes home.
const HOME: Duration = PATIENCE;

/// What a visit has shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// The server takes the component, and all that is for it comes here.
    Alone,
    /// The server takes it, and another process has the name too.
    Shared,
}

/// Connects as a component for a moment (XEP-0114), as the node would.
///
/// # Errors
/// Why the server does not take it.
pub(super) async fn visit(settings: &ComponentSettings) -> Result<Visit, String> {
    visit_within(settings, HOME).await
}

async fn visit_within(settings: &ComponentSettings, home: Duration) -> Result<Visit, String> {
    let (outgoing, receiver) = mpsc::channel(16);
    let (sender, mut events) = mpsc::channel(16);
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let settings = ComponentSettings {
        connect_timeout: PATIENCE,
        siblings: Siblings::default(),
        ..settings.clone()
    };
    link::spawn(settings.clone(), receiver, sender, &tracker, stop.clone());
    tracker.close();
    let visit = look(&settings, home, &outgoing, &mut events).await;
    stop.cancel();
    // What the server still has is refused as well.
    let rest = async {
        while let Some(event) = events.recv().await {
            if let (LinkEvent::Stanza { stanza, .. }, Ok(Visit::Alone | Visit::Shared)) =
                (event, &visit)
            {
                refuse(stanza, &outgoing).await;
            }
        }
    };
    let _ = timeout(PATIENCE, async { tokio::join!(rest, tracker.wait()) }).await;
    visit
}

async fn look(
    settings: &ComponentSettings,
    home: Duration,
    outgoing: &mpsc::Sender<Outgoing>,
    events: &mut mpsc::Receiver<LinkEvent>,
) -> Result<Visit, String> {
    match events.recv().await {
        Some(LinkEvent::Up { .. }) => {}
        Some(LinkEvent::Down { reason, .. }) => return Err(words(settings, &reason)),
        _ => return Err("the link ended".to_owned()),
    }
    let mut pings = Pings {
        settings,
        outgoing,
        events,
        sent: 0,
    };
    if !pings.stray(home).await? {
        return Ok(Visit::Alone);
    }
    // It may have just ended, and have left pings behind.
    tokio::time::sleep(BEHIND).await;
    Ok(if pings.stray(home).await? {
        Visit::Shared
    } else {
        Visit::Alone
    })
}

/// Pings that show where the server hands what is for the component.
struct Pings<'a> {
    settings: &'a ComponentSettings,
    outgoing: &'a mpsc::Sender<Outgoing>,
    events: &'a mut mpsc::Receiver<LinkEvent>,
    sent: u64,
}

impl Pings<'_> {
    /// Whether one of some goes to another process, or one of that process comes here; `home` is how
    /// long each may take.
    ///
    /// # Errors
    /// The link ends, or a ping does not come home: that says nothing of another process.
    async fn stray(&mut self, home: Duration) -> Result<bool, String> {
        while let Ok(event) = self.events.try_recv() {
            self.take(event).await?;
        }
        for _ in 0..PINGS {
            self.sent += 1;
            let ping = Outgoing {
                connection: FIRST,
                stanzas: Vec::new(),
                mark: Some(self.sent),
            };
            let _ = self.outgoing.send(ping).await;
            let ComponentSettings { domain, server, .. } = self.settings;
            let silent = |_| {
                format!(
                    "{server} does not hand a ping to {domain} back within {home:?}: it is slow, or \
                     another program that is connected as {domain} has it"
                )
            };
            let comes_home = timeout(home, self.comes_home()).await;
            if !comes_home.map_err(silent)?? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits for the last ping; `false`: there is a sign of another process.
    async fn comes_home(&mut self) -> Result<bool, String> {
        while let Some(event) = self.events.recv().await {
            match event {
                LinkEvent::Confirmed { mark, .. } if mark == self.sent => return Ok(true),
                LinkEvent::Stray { .. } => return Ok(false),
                event => self.take(event).await?,
            }
        }
        Err("the link ended".to_owned())
    }

    /// Anything else that the link tells.
    async fn take(&self, event: LinkEvent) -> Result<(), String> {
        match event {
            LinkEvent::Down { reason, .. } => Err(words(self.settings, &reason)),
            LinkEvent::Stanza { stanza, .. } => {
                refuse(stanza, self.outgoing).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Number of the only connection of a visit.
const FIRST: u64 = 1;

fn words(settings: &ComponentSettings, reason: &DownReason) -> String {
    let server = &settings.server;
    match reason {
        DownReason::Refused { .. } => reason.to_string(),
        DownReason::Unreachable(why) if why.starts_with("no answer") => {
            format!("{server} does not answer; is that its component port?")
        }
        DownReason::Unreachable(why) => format!("{server}: {why}; is the server running?"),
        other => format!("{server}: {other}"),
    }
}

/// What comes for the component meanwhile is not for this process.
async fn refuse(stanza: Stanza, outgoing: &mpsc::Sender<Outgoing>) {
    let error = StanzaError::new(
        ErrorType::Wait,
        DefinedCondition::ServiceUnavailable,
        "en",
        "the gateway does not run",
    );
    let refusal = match stanza {
        Stanza::Message(message) if message.type_ != MessageType::Error => {
            Stanza::Message(refusal(&message, error))
        }
        Stanza::Iq(Iq::Get { from, to, id, .. } | Iq::Set { from, to, id, .. }) => {
            Stanza::Iq(Iq::Error {
                from: to,
                to: from,
                id,
                payload: None,
                error,
            })
        }
        _ => return,
    };
    let refusal = Outgoing {
        connection: FIRST,
        stanzas: vec![refusal],
        mark: None,
    };
    let _ = outgoing.send(refusal).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::xmpp::Secret;
    use crate::xmpp::link::Backoff;

    #[tokio::test]
    async fn a_server_that_is_silent_shows_no_other_process() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = [0; 4096];
            assert!(stream.read(&mut read).await.unwrap() > 0);
            let header = "<stream:stream xmlns='jabber:component:accept' \
                 xmlns:stream='http://etherx.jabber.org/streams' id='1' from='village.test'>";
            stream.write_all(header.as_bytes()).await.unwrap();
            assert!(stream.read(&mut read).await.unwrap() > 0);
            stream.write_all(b"<handshake/>").await.unwrap();
            while stream.read(&mut read).await.is_ok_and(|bytes| bytes > 0) {}
        };
        let settings = ComponentSettings {
            domain: "village.test".to_owned(),
            secret: Secret::new("secret"),
            server,
            connect_timeout: PATIENCE,
            ping_interval: PATIENCE,
            ping_timeout: PATIENCE,
            backoff: Backoff {
                first: PATIENCE,
                max: PATIENCE,
            },
            queue: 16,
            barrier_to: None,
            max_stanza: 10_000,
            siblings: Siblings::default(),
        };
        let visit = visit_within(&settings, Duration::from_millis(100));
        let (visit, ()) = tokio::join!(visit, serve);
        let why = visit.unwrap_err();
        assert!(why.contains("does not hand a ping"), "{why}");
    }
}
