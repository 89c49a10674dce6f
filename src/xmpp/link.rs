//! The component link: one domain, one connection to the XMPP server, kept up for ever.
//!
//! # For the owner
//!
//! - [`spawn`] starts the link. It dials, emits [`LinkEvent::Up`] and from then on turns
//!   [`Outgoing`] into bytes and bytes into [`LinkEvent::Stanza`]. When the connection goes, or a
//!   dial fails, it emits [`LinkEvent::Down`] and tries again by itself.
//! - Each connection has a number, which `Up` tells and every `Outgoing` must carry. Messages
//!   that carry another number, and all that arrive while the link is down, are discarded. So an
//!   owner that keeps what matters in a durable queue does two things only: send with the number
//!   of the last `Up` it has seen, and after each `Up` send again all that is unconfirmed. Then
//!   nothing is written twice within one connection, whatever the timing. (Across connections a
//!   stanza can be delivered twice: the server may have taken it before its confirmation got
//!   lost. XEP-0114 gives no way to know.)
//! - Events come in the order of the stream and none is ever dropped: when the event channel is
//!   full the link stops reading from the server. The owner must therefore never *wait* for room
//!   in the outgoing channel without also draining events.
//!
//! # Marks: knowing that the server took it
//!
//! XEP-0114 has no acknowledgements, but a server works through a stream in order. Behind the
//! stanzas of an `Outgoing` with a mark the link writes a ping (XEP-0199); when that comes back,
//! everything before it has been routed, and the link emits [`LinkEvent::Confirmed`]. At most
//! one such ping is under way; it stands for the newest mark written before it, so marks must
//! grow, and under load one ping confirms many. An invalid stanza of ours that the server
//! bounces counts as processed: the error comes as a `Stanza` before the `Confirmed`.
//!
//! By default the ping goes to the component's **own domain**: the server routes it straight
//! back and the link swallows it. That needs no knowledge of the server's other domains and no
//! ping module, and proves the same order. With Prosody 0.12 this and every other local address
//! works (a virtual host, a user, a user that does not exist, another component that is away;
//! there is a test), since a result and an error count alike. An address that the server does
//! not host is a bad choice: the ping leaves for another server. Set
//! [`ComponentSettings::barrier_to`] to a host of the server where several connections share one
//! component domain: ejabberd, by its documentation, spreads stanzas over them, so a ping to the
//! own domain may come back to another connection. (ejabberd has not been tried here.)

use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use crate::text::Shown;

pub use tokio_xmpp::Stanza;

use super::{Secret, connection};

/// What a link needs to know.
#[derive(Debug, Clone)]
pub struct ComponentSettings {
    /// The component's domain; all addresses we send from lie in it.
    pub domain: String,
    /// The secret shared with the XMPP server for this domain.
    pub secret: Secret,
    /// `host:port` of the server's component listener; names are resolved at each dial.
    pub server: String,
    /// Bound on dialling and handshake together.
    pub connect_timeout: Duration,
    /// Silence from the server after which it is pinged.
    pub ping_interval: Duration,
    /// Silence after that ping which counts as loss of the connection.
    pub ping_timeout: Duration,
    /// Pauses between attempts.
    pub backoff: Backoff,
    /// How many [`Outgoing`] may go into one write, and how many answers of the link's own
    /// (errors, pings) may wait for writing; at least 1.
    pub queue: usize,
    /// Address of the ping behind a mark; `None` for the component's own domain.
    pub barrier_to: Option<String>,
}

/// Pauses between attempts to connect: the n-th is drawn evenly between nothing and
/// `first * 2^n`, at most `max`. A connection that lasted longer than `max` starts over.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Upper bound of the first pause.
    pub first: Duration,
    /// Upper bound of all pauses. After a refusal the pause lies in its upper half.
    pub max: Duration,
}

/// What the link tells its owner.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all values are stanzas; boxing each would cost more than it saves"
)]
#[derive(Debug)]
pub enum LinkEvent {
    /// The server has accepted the component.
    Up {
        /// The component's domain.
        domain: String,
        /// Number of this connection, from 1; for [`Outgoing::connection`].
        connection: u64,
    },
    /// The connection is gone, or could not be made. Comes for every failed attempt.
    Down {
        /// The component's domain.
        domain: String,
        /// Why.
        reason: DownReason,
        /// When the next attempt will be made.
        retry_in: Duration,
    },
    /// A stanza from the server, or the bounce of one of ours that could not be written.
    Stanza {
        /// The component's domain.
        domain: String,
        /// The stanza, in the namespace of components.
        stanza: Stanza,
    },
    /// Everything sent on this connection up to and including this mark has been processed by
    /// the server.
    Confirmed {
        /// The component's domain.
        domain: String,
        /// The newest mark that this covers.
        mark: u64,
    },
}

/// Why a link is down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownReason {
    /// The server does not accept this component with this secret.
    #[error("the XMPP server refused the component ({condition}): {advice}")]
    Refused {
        /// The server's stream error condition.
        condition: String,
        /// What to do about it.
        advice: String,
    },
    /// The server could not be dialled, or did not answer in time.
    #[error("the XMPP server cannot be reached: {0}")]
    Unreachable(String),
    /// The connection ended or fell silent.
    #[error("the connection to the XMPP server was lost: {0}")]
    Lost(String),
    /// The server ended the stream and said why.
    #[error("the XMPP server ended the stream with {}: {}", Shown(.condition), Shown(.text))]
    StreamError {
        /// The condition's name (RFC 6120, 4.9.3).
        condition: String,
        /// The server's words, may be empty.
        text: String,
    },
}

/// Stanzas to write, in order, in one piece.
#[derive(Debug)]
pub struct Outgoing {
    /// The number from the last [`LinkEvent::Up`].
    pub connection: u64,
    /// The stanzas. Each needs a recipient; the sender's domain must be the component's (a
    /// missing sender becomes the bare domain). What cannot be sent comes back as an error
    /// stanza and does not hold up the rest.
    pub stanzas: Vec<Stanza>,
    /// Asks for [`LinkEvent::Confirmed`] when the server has processed these stanzas. Must be
    /// larger than all marks before it on the same connection.
    pub mark: Option<u64>,
}

/// Starts the link as a task of `tracker`. It ends when `stop` is cancelled (after writing what
/// is queued and closing the stream), or when the owner has dropped its ends of the channels.
pub fn spawn(
    settings: ComponentSettings,
    outgoing: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<LinkEvent>,
    tracker: &TaskTracker,
    stop: CancellationToken,
) {
    let link = Link {
        settings,
        outgoing,
        events,
        stop,
    };
    tracker.spawn(link.run());
}

struct Link {
    settings: ComponentSettings,
    outgoing: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<LinkEvent>,
    stop: CancellationToken,
}

/// The link's work is over: it was stopped, or nobody listens any more.
pub(super) struct Over;

impl Link {
    async fn run(mut self) {
        let domain = self.settings.domain.clone();
        let _ = self.keep_connected().await;
        debug!(%domain, "component link ended");
    }

    async fn keep_connected(&mut self) -> Result<(), Over> {
        let mut attempt = 0;
        let mut connection = 0;
        loop {
            connection += 1;
            let (reason, lasted) = self.connect_once(connection).await?;
            if lasted > self.settings.backoff.max {
                attempt = 0;
            }
            let refused = matches!(reason, DownReason::Refused { .. });
            let retry_in = pause(self.settings.backoff, attempt, refused, random());
            attempt = attempt.saturating_add(1);
            warn!(
                domain = %self.settings.domain,
                server = %self.settings.server,
                retry_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
                "component link is down: {reason}"
            );
            let domain = self.settings.domain.clone();
            self.tell(LinkEvent::Down {
                domain,
                reason,
                retry_in,
            })
            .await?;
            self.while_down(sleep(retry_in)).await?;
        }
    }

    /// One connection from dialling to its end; tells why it ended and how long it was up.
    async fn connect_once(&mut self, number: u64) -> Result<(DownReason, Duration), Over> {
        let settings = self.settings.clone();
        let dial = timeout(settings.connect_timeout, connection::open(&settings));
        let opened = match self.while_down(dial).await? {
            Ok(Ok(opened)) => opened,
            Ok(Err(reason)) => return Ok((reason, Duration::ZERO)),
            Err(_) => {
                let reason = DownReason::Unreachable(format!(
                    "no answer within {:?}",
                    settings.connect_timeout
                ));
                return Ok((reason, Duration::ZERO));
            }
        };
        info!(domain = %settings.domain, server = %settings.server, "component link is up");
        let since = Instant::now();
        self.tell(LinkEvent::Up {
            domain: settings.domain.clone(),
            connection: number,
        })
        .await?;
        let reason = opened
            .serve(
                &settings,
                number,
                &mut self.outgoing,
                &self.events,
                &self.stop,
            )
            .await?;
        Ok((reason, since.elapsed()))
    }

    async fn tell(&mut self, event: LinkEvent) -> Result<(), Over> {
        let events = self.events.clone();
        self.while_down(events.send(event)).await?.map_err(|_| Over)
    }

    /// Waits for `work` and meanwhile discards what arrives for sending.
    async fn while_down<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Over> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Over),
                done = &mut work => return Ok(done),
                outgoing = self.outgoing.recv() => match outgoing {
                    Some(late) => debug!(
                        domain = %self.settings.domain,
                        stanzas = late.stanzas.len(),
                        "discarded stanzas that came while the link was down"
                    ),
                    None => return Err(Over),
                },
            }
        }
    }
}

/// The pause before the next attempt; `random` is drawn evenly from all values.
fn pause(backoff: Backoff, attempt: u32, refused: bool, random: u32) -> Duration {
    let share = f64::from(random) / f64::from(u32::MAX);
    if refused {
        return backoff.max.mul_f64(0.5 + share / 2.0);
    }
    backoff
        .first
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(backoff.max)
        .mul_f64(share)
}

fn random() -> u32 {
    // Without randomness the pause is the middle one.
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_and_a_refusal_waits_long() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
        };
        let longest = |attempt, refused| pause(backoff, attempt, refused, u32::MAX);
        assert_eq!(longest(0, false), Duration::from_secs(1));
        assert_eq!(longest(3, false), Duration::from_secs(8));
        assert_eq!(longest(900, false), Duration::from_secs(60));
        assert_eq!(pause(backoff, 5, false, 0), Duration::ZERO);
        assert_eq!(pause(backoff, 0, true, 0), Duration::from_secs(30));
        assert_eq!(longest(0, true), Duration::from_secs(60));
    }
}
