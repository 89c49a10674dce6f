//! The writing side of a connection: stanzas in batches, a ping behind those that must arrive.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_xmpp::{Stanza, jid::Jid};
use tracing::{debug, warn};

use super::{BARRIER, LAST, Shared, WRITE_SIZE, closed, lost};
use crate::xmpp::link::{DownReason, LinkEvent, Outgoing, Over};
use crate::xmpp::reply::Unsendable;
use crate::xmpp::{names, stream, text};

pub(super) struct Writing<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) number: u64,
    pub(super) write: OwnedWriteHalf,
    pub(super) buffer: BytesMut,
    pub(super) outgoing: &'a mut mpsc::Receiver<Outgoing>,
    pub(super) own: mpsc::Receiver<Stanza>,
    /// The newest mark that no ping has been written for.
    pub(super) unconfirmed: Option<u64>,
    /// The ping under way: by when its answer is due, and the stall count when that was set.
    pub(super) barrier: Option<(Instant, u64)>,
}

impl Writing<'_> {
    pub(super) async fn run(&mut self) -> Result<DownReason, Over> {
        let mut batch = Vec::new();
        let batch_size = self.shared.settings.queue.max(1);
        loop {
            let due = self.barrier.map(|(due, _)| due);
            tokio::select! {
                taken = self.outgoing.recv_many(&mut batch, batch_size) => {
                    if taken == 0 {
                        return Err(Over);
                    }
                }
                Some(stanza) = self.own.recv() => {
                    if let Err(why) = self.encode(&stanza) {
                        debug!(domain = %self.shared.settings.domain, "own answer not sent: {why}");
                    }
                }
                () = self.shared.answered.notified() => self.barrier = None,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if let Some(reason) = self.overdue() {
                        return Ok(reason);
                    }
                }
            }
            if let Some(reason) = self.write_batch(&mut batch).await? {
                return Ok(reason);
            }
        }
    }

    /// Encodes a batch, sees to the ping behind its marks, and writes all in as few writes as
    /// the buffer's size allows.
    async fn write_batch(&mut self, batch: &mut Vec<Outgoing>) -> Result<Option<DownReason>, Over> {
        for outgoing in batch.drain(..) {
            if outgoing.connection != self.number {
                debug!(domain = %self.shared.settings.domain, "discarded stanzas of an earlier connection");
                continue;
            }
            let mut stanzas = VecDeque::from(outgoing.stanzas);
            while let Some(stanza) = stanzas.pop_front() {
                self.add(stanza).await?;
                if self.buffer.len() >= WRITE_SIZE
                    && let Some(reason) = self.flush().await
                {
                    return Ok(Some(reason));
                }
            }
            self.unconfirmed = outgoing.mark.or(self.unconfirmed);
        }
        if self.barrier.is_none()
            && let Some(mark) = self.unconfirmed.take()
        {
            match self.shared.ping(BARRIER, mark).map(|p| self.encode(&p)) {
                Some(Ok(())) => {
                    let due = Instant::now() + self.shared.patience();
                    self.barrier = Some((due, self.shared.stalls()));
                }
                Some(Err(_)) | None => {
                    return Ok(Some(lost(&"the address for pings is not a valid JID")));
                }
            }
        }
        Ok(self.flush().await)
    }

    /// Adds a stanza to the buffer, or gives it back to the owner.
    async fn add(&mut self, mut stanza: Stanza) -> Result<(), Over> {
        let settings = self.shared.settings;
        let outcome = address(&settings.domain, &mut stanza).and_then(|()| {
            names::rename(&mut stanza, &settings.domain, &self.shared.wire);
            self.encode(&stanza)
        });
        let Err(why) = outcome else {
            return Ok(());
        };
        if let Some(more) = self.shared.may_log("unsent") {
            warn!(domain = %settings.domain, more, "a stanza was not sent: {why}");
        }
        names::rename(&mut stanza, &self.shared.wire, &settings.domain);
        let event = LinkEvent::Unsent {
            domain: settings.domain.clone(),
            stanza,
        };
        self.shared.tell(event).await
    }

    fn encode(&mut self, stanza: &Stanza) -> Result<(), Unsendable> {
        let most = self.shared.most.load(Ordering::Relaxed);
        Ok(text::write_to_stream(stanza, most, &mut self.buffer)?)
    }

    /// Writes the buffer. Gives up when the server takes nothing for long, unless that is
    /// because we do not read ourselves.
    async fn flush(&mut self) -> Option<DownReason> {
        let patience = self.shared.patience();
        while !self.buffer.is_empty() {
            let before = self.shared.stalls();
            match timeout(patience, self.write.write_buf(&mut self.buffer)).await {
                Ok(Ok(0)) => return Some(closed(&"the connection takes no more bytes")),
                Ok(Ok(_)) => {}
                Ok(Err(e)) => return Some(closed(&e)),
                Err(_) if self.shared.stalled_since(before) => {}
                Err(_) => {
                    return Some(lost(&format!("the server took nothing for {patience:?}")));
                }
            }
        }
        None
    }

    /// The answer to the ping behind a mark did not come in time.
    fn overdue(&mut self) -> Option<DownReason> {
        let (_, before) = self.barrier?;
        let patience = self.shared.patience();
        if self.shared.stalled_since(before) {
            self.barrier = Some((Instant::now() + patience, self.shared.stalls()));
            return None;
        }
        let settings = self.shared.settings;
        let to = settings.barrier_to.as_ref().unwrap_or(&settings.domain);
        Some(lost(&format!(
            "{to} did not answer a ping within {patience:?}"
        )))
    }

    /// Writes what is queued, and waits until the server has nothing under way to us, as far as
    /// can be seen: until no stanza comes in between a ping and its answer. A server such as
    /// ejabberd throws away what waits for a component whose stream ends.
    pub(super) async fn drain(&mut self) {
        for number in 1.. {
            let before = self.shared.came.load(Ordering::Relaxed);
            self.add_queued();
            let Some(ping) = self.shared.ping(LAST, number) else {
                return;
            };
            if self.encode(&ping).is_err() || self.flush().await.is_some() {
                return;
            }
            self.shared.drained.notified().await;
            if self.shared.came.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }

    /// Writes what is queued, a ping behind it, and the end of the stream. The connection stays
    /// open for what the server has still to say.
    pub(super) async fn say_goodbye(&mut self) {
        self.add_queued();
        self.buffer.extend_from_slice(stream::FOOTER);
        let _ = self.write.write_all_buf(&mut self.buffer).await;
    }

    /// Adds what is queued to the buffer, a ping behind it where it carries a mark.
    fn add_queued(&mut self) {
        while let Ok(outgoing) = self.outgoing.try_recv() {
            if outgoing.connection != self.number {
                continue;
            }
            for mut stanza in outgoing.stanzas {
                if address(&self.shared.settings.domain, &mut stanza).is_ok() {
                    names::rename(&mut stanza, &self.shared.settings.domain, &self.shared.wire);
                    let _ = self.encode(&stanza);
                }
            }
            self.unconfirmed = outgoing.mark.or(self.unconfirmed);
        }
        while let Ok(stanza) = self.own.try_recv() {
            let _ = self.encode(&stanza);
        }
        if let Some(mark) = self.unconfirmed.take()
            && let Some(ping) = self.shared.ping(BARRIER, mark)
        {
            let _ = self.encode(&ping);
        }
    }
}

/// Checks the addresses of a stanza of ours, and completes a missing sender.
fn address(domain: &str, stanza: &mut Stanza) -> Result<(), Unsendable> {
    let (from, to) = match stanza {
        Stanza::Message(message) => (&mut message.from, message.to.is_some()),
        Stanza::Presence(presence) => (&mut presence.from, presence.to.is_some()),
        Stanza::Iq(iq) => {
            let to = iq.to().is_some();
            (iq.from_mut(), to)
        }
    };
    if !to {
        return Err(Unsendable::NoRecipient);
    }
    match from {
        Some(jid) if jid.domain().as_str() == domain => Ok(()),
        Some(_) => Err(Unsendable::ForeignSender),
        None => {
            *from = Some(Jid::new(domain).map_err(|_| Unsendable::ForeignSender)?);
            Ok(())
        }
    }
}
