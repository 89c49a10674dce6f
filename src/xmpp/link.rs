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
//! component domain in several processes. Links of one process that share
//! [`ComponentSettings::siblings`] hand such pings to each other: ejabberd, unless told
//! `global_routes: false`, gives each connection the routes of all components of its listener. A
//! ping of another process, or an own one that such a process had first, is a sign that two have the
//! component's name: [`LinkEvent::Stray`].

use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use crate::text::Shown;

pub use tokio_xmpp::Stanza;

pub use super::siblings::Siblings;
use super::{Secret, connection, names};

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
    /// The most bytes of a stanza that the server takes. A smaller number that it announces itself
    /// (XEP-0478) counts instead.
    pub max_stanza: usize,
    /// The other links of this process to the same server, which share the event channel.
    pub siblings: Siblings,
}

/// Pauses between attempts to connect: the n-th is drawn evenly between nothing and
/// `first * 2^n`, at most `max`. A connection that lasted longer than `max` starts over.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Upper bound of the first pause.
    pub first: Duration,
    /// Upper bound of all pauses. After a refusal the pause lies in its upper half, unless another
    /// connection has the name: that may be about to end. Who was put out by another waits as long.
    pub max: Duration,
}

/// What the link tells its owner.
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
        /// What went wrong, or that the server ended it.
        reason: DownReason,
        /// When the next attempt will be made.
        retry_in: Duration,
    },
    /// A stanza from the server.
    Stanza {
        /// The component's domain.
        domain: String,
        /// The stanza, in the namespace of components.
        stanza: Stanza,
    },
    /// A stanza of ours that cannot be written; it was not sent, and never can be.
    Unsent {
        /// The component's domain.
        domain: String,
        /// The stanza, as it was handed over.
        stanza: Stanza,
    },
    /// The server says how large a stanza may be.
    Limit {
        /// The component's domain.
        domain: String,
        /// Bytes of the largest stanza that it takes.
        bytes: usize,
    },
    /// A ping of this component went to another process, or one of that process came here: the
    /// server has connections of both under this name, or had until a moment ago.
    Stray {
        /// The component's domain.
        domain: String,
    },
    /// Everything sent on this connection up to and including this mark has been processed by
    /// the server. May come by the link of another component ([`ComponentSettings::siblings`]).
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
    /// The connection fell silent, or broke before the server had accepted the component.
    #[error("the connection to the XMPP server was lost: {0}")]
    Lost(String),
    /// The server closed the connection without a reason.
    #[error("the connection to the XMPP server was lost: {0}")]
    Closed(String),
    /// The server ended the stream and said why.
    #[error("the XMPP server ended the stream with {}: {}", Shown(.condition), Shown(.text))]
    StreamError {
        /// The condition's name (RFC 6120, 4.9.3).
        condition: String,
        /// The server's words, may be empty.
        text: String,
    },
}

/// Whether a stanza that was under way alone may be why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// No: the server went, the network broke, another took the component's place.
    Nobody,
    /// The server said nothing: it may have been the stanza.
    Perhaps,
    /// The server said that it does not like what it read.
    Content,
    /// The server said that a rule of its own was broken: as a rule the size.
    Size,
}

impl DownReason {
    /// Whether another connection has the component's name: the server takes one alone.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Refused { condition, .. } | Self::StreamError { condition, .. }
            if condition == "conflict")
    }

    /// Whether to try again soon is of no use. One that has the name already may just be ending; but
    /// who was put out by another does not put that out in turn.
    fn waits_long(&self) -> bool {
        match self {
            Self::Refused { condition, .. } => condition != "conflict",
            Self::StreamError { condition, .. } => condition == "conflict",
            Self::Unreachable(_) | Self::Lost(_) | Self::Closed(_) => false,
        }
    }

    /// Whether a stanza may be to blame.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Refused { .. } | Self::Unreachable(_) | Self::Lost(_) => Blame::Nobody,
            Self::Closed(_) => Blame::Perhaps,
            Self::StreamError { condition, .. } => match condition.as_str() {
                // What is written is well-formed: Prosody says so when it stops reading at a size.
                "policy-violation" | "not-well-formed" => Blame::Size,
                "bad-format"
                | "bad-namespace-prefix"
                | "improper-addressing"
                | "invalid-from"
                | "invalid-namespace"
                | "invalid-xml"
                | "restricted-xml"
                | "unsupported-encoding"
                | "unsupported-feature"
                | "unsupported-stanza-type"
                | "internal-server-error"
                | "undefined-condition" => Blame::Content,
                _ => Blame::Nobody,
            },
        }
    }
}

/// Stanzas to write, in order, in one piece.
#[derive(Debug)]
pub struct Outgoing {
    /// The number from the last [`LinkEvent::Up`].
    pub connection: u64,
    /// The stanzas. Each needs a recipient; the sender's domain must be the component's (a
    /// missing sender becomes the bare domain). What cannot be sent comes back as
    /// [`LinkEvent::Unsent`] and does not hold up the rest.
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
        forms: names::forms(&settings.domain),
        settings,
        outgoing,
        events,
        stop,
        told: None,
    };
    tracker.spawn(link.run());
}

struct Link {
    settings: ComponentSettings,
    outgoing: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<LinkEvent>,
    stop: CancellationToken,
    /// How the server may write the domain; the form that it took last comes first.
    forms: Vec<String>,
    /// Why the link is down, as it was logged last.
    told: Option<String>,
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
            let retry_in = pause(
                self.settings.backoff,
                attempt,
                reason.waits_long(),
                random(),
            );
            attempt = attempt.saturating_add(1);
            self.log_down(&reason, retry_in);
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

    /// One line per change: attempts that fail as the one before did are not worth one each.
    fn log_down(&mut self, reason: &DownReason, retry_in: Duration) {
        let text = reason.to_string();
        if self.told.as_ref() == Some(&text) {
            debug!(domain = %self.settings.domain, "component link is still down: {text}");
            return;
        }
        warn!(
            domain = %self.settings.domain,
            server = %self.settings.server,
            retry_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
            "component link is down: {}", Shown(&text)
        );
        self.told = Some(text);
    }

    /// One connection from dialling to its end; tells why it ended and how long it was up.
    async fn connect_once(&mut self, number: u64) -> Result<(DownReason, Duration), Over> {
        let settings = self.settings.clone();
        let opened = match self.dial(&settings).await? {
            Ok(opened) => opened,
            Err(reason) => return Ok((reason, Duration::ZERO)),
        };
        self.told = None;
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

    /// Dials as the one form of the domain, and as the other if the server does not know that.
    async fn dial(
        &mut self,
        settings: &ComponentSettings,
    ) -> Result<Result<connection::Opened, DownReason>, Over> {
        let mut refused = None;
        for at in 0..self.forms.len() {
            let wire = self.forms[at].clone();
            let dial = timeout(settings.connect_timeout, connection::open(settings, &wire));
            match self.while_down(dial).await? {
                Ok(Ok(opened)) => {
                    self.forms.swap(0, at);
                    return Ok(Ok(opened));
                }
                Ok(Err(DownReason::Refused { condition, advice }))
                    if condition == "host-unknown" =>
                {
                    refused.get_or_insert(DownReason::Refused { condition, advice });
                }
                Ok(Err(reason)) => return Ok(Err(reason)),
                Err(_) => {
                    let waited = settings.connect_timeout;
                    let reason = DownReason::Unreachable(format!("no answer within {waited:?}"));
                    return Ok(Err(reason));
                }
            }
        }
        let nothing = || DownReason::Unreachable("the component has no domain".to_owned());
        Ok(Err(refused.unwrap_or_else(nothing)))
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
fn pause(backoff: Backoff, attempt: u32, waits_long: bool, random: u32) -> Duration {
    let share = f64::from(random) / f64::from(u32::MAX);
    if waits_long {
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

    #[test]
    fn a_name_that_another_has_is_tried_soon_and_who_was_put_out_waits() {
        let refused = |condition: &str| DownReason::Refused {
            condition: condition.to_owned(),
            advice: String::new(),
        };
        let ended = |condition: &str| DownReason::StreamError {
            condition: condition.to_owned(),
            text: String::new(),
        };
        for (reason, is_taken, waits_long) in [
            (refused("not-authorized"), false, true),
            (refused("conflict"), true, false),
            (ended("conflict"), true, true),
            (ended("system-shutdown"), false, false),
            (DownReason::Lost(String::new()), false, false),
        ] {
            assert_eq!(reason.is_taken(), is_taken, "{reason}");
            assert_eq!(reason.waits_long(), waits_long, "{reason}");
        }
    }
}
