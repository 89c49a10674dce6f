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
use crate::translate::message::refusal;
use crate::xmpp::link::{self, ComponentSettings, DownReason, LinkEvent, Outgoing, Siblings};

/// Pings by which it shows whether the server shares the traffic with another process: of two it
/// chooses one each time, so all of them come home once in 65 000 times.
const PINGS: u64 = 16;
/// A ping that has not come home by then has gone elsewhere; our choice.
const HOME: Duration = Duration::from_secs(2);

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
    let visit = look(&settings, &outgoing, &mut events).await;
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
    outgoing: &mpsc::Sender<Outgoing>,
    events: &mut mpsc::Receiver<LinkEvent>,
) -> Result<Visit, String> {
    match events.recv().await {
        Some(LinkEvent::Up { .. }) => {}
        Some(LinkEvent::Down { reason, .. }) => return Err(words(settings, &reason)),
        _ => return Err("the link ended".to_owned()),
    }
    for mark in 1..=PINGS {
        let ping = Outgoing {
            connection: FIRST,
            stanzas: Vec::new(),
            mark: Some(mark),
        };
        let _ = outgoing.send(ping).await;
        let home = async {
            while let Some(event) = events.recv().await {
                match event {
                    LinkEvent::Confirmed { mark: came, .. } if came == mark => return Ok(true),
                    LinkEvent::Twin { .. } => return Ok(false),
                    LinkEvent::Down { reason, .. } => return Err(words(settings, &reason)),
                    LinkEvent::Stanza { stanza, .. } => refuse(stanza, outgoing).await,
                    _ => {}
                }
            }
            Err("the link ended".to_owned())
        };
        if !timeout(HOME, home).await.unwrap_or(Ok(false))? {
            return Ok(Visit::Shared);
        }
    }
    Ok(Visit::Alone)
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
