//! The reading side of a connection: stanzas for the owner, answers to bad ones, pings where the
//! server is silent.

use std::sync::atomic::Ordering;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;
use tokio_xmpp::Stanza;
use tracing::{debug, info};

use super::{ALIVE, BARRIER, LAST, Pinged, READ_SIZE, Shared, closed, lost};
use crate::text::Shown;
use crate::xmpp::element::Element;
use crate::xmpp::link::{DownReason, LinkEvent, Over};
use crate::xmpp::siblings::Pong;
use crate::xmpp::stream::{Item, StreamReader};
use crate::xmpp::{names, reply};

pub(super) struct Reading<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) read: OwnedReadHalf,
    pub(super) reader: StreamReader,
    pub(super) input: BytesMut,
    /// Pings of its own so far.
    pub(super) pings: u64,
}

impl Reading<'_> {
    pub(super) async fn run(mut self) -> Result<DownReason, Over> {
        loop {
            match self.reader.next(&mut self.input) {
                Ok(Some(item)) => {
                    if let Some(reason) = self.handle(item).await? {
                        return Ok(reason);
                    }
                }
                Ok(None) => {
                    if let Some(reason) = self.fill().await {
                        return Ok(reason);
                    }
                }
                Err(e) => return Ok(lost(&e)),
            }
        }
    }

    /// Reads more bytes; pings when there are none for long, and gives up when that does not
    /// help.
    async fn fill(&mut self) -> Option<DownReason> {
        let settings = self.shared.settings;
        self.input.reserve(READ_SIZE);
        let mut pinged = false;
        loop {
            let patience = if pinged {
                settings.ping_timeout
            } else {
                self.shared.silence()
            };
            match timeout(patience, self.read.read_buf(&mut self.input)).await {
                Ok(Ok(0)) => return Some(closed(&"the server closed the connection")),
                Ok(Ok(_)) => return None,
                Ok(Err(e)) => return Some(closed(&e)),
                Err(_) if pinged => {
                    return Some(lost(&format!("no answer to a ping within {patience:?}")));
                }
                Err(_) => {
                    pinged = true;
                    self.pings += 1;
                    if let Some(ping) = self.shared.ping(ALIVE, self.pings) {
                        self.shared.write_later(ping);
                    }
                }
            }
        }
    }

    /// A ping has come home.
    async fn pong(&self, pong: Pong<'_>) -> Result<(), Over> {
        if pong.strayed {
            self.shared.has_strayed().await?;
        }
        let sibling = pong.sibling;
        match pong.what {
            BARRIER => {
                let (domain, mark) = (sibling.domain.clone(), pong.number);
                let confirmed = LinkEvent::Confirmed { domain, mark };
                self.shared.tell(confirmed).await?;
                sibling.answered.notify_one();
            }
            LAST => sibling.drained.notify_one(),
            // That it came is all there is to it.
            _ => {}
        }
        Ok(())
    }

    async fn handle(&mut self, item: Item) -> Result<Option<DownReason>, Over> {
        let settings = self.shared.settings;
        match item {
            Item::Element(Element::Stanza(mut stanza)) => {
                names::rename(&mut stanza, &self.shared.wire, &settings.domain);
                let pinged = match &stanza {
                    Stanza::Iq(iq) => self.shared.pinged(iq),
                    _ => None,
                };
                match pinged {
                    Some(Pinged::Own(pong)) => self.pong(pong).await?,
                    Some(Pinged::Stray(stray)) => {
                        let is_sign = stray.is_fresh;
                        self.shared.send_on(stray);
                        if is_sign {
                            self.shared.has_strayed().await?;
                        }
                    }
                    None => {
                        self.shared.came.fetch_add(1, Ordering::Relaxed);
                        let domain = settings.domain.clone();
                        self.shared
                            .tell(LinkEvent::Stanza { domain, stanza })
                            .await?;
                    }
                }
            }
            Item::Element(Element::Features { max_bytes }) => {
                if let Some(bytes) = max_bytes {
                    self.shared.limited(bytes).await?;
                }
            }
            Item::Element(Element::BadStanza(bad)) => {
                if let Some(more) = self.shared.may_log("bad stanza") {
                    info!(
                        domain = %settings.domain,
                        xmpp.stanza_id = %Shown(bad.id.as_deref().unwrap_or_default()),
                        kind = ?bad.kind,
                        more,
                        "a bad stanza came in and was refused: {}",
                        Shown(&bad.wrong.to_string())
                    );
                }
                if let Some(answer) = reply::to_bad_stanza(&self.shared.settings.domain, &bad) {
                    self.shared.write_later(answer);
                }
            }
            Item::Element(Element::Unknown(name)) => {
                debug!(domain = %settings.domain, name = %Shown(&name), "skipped an unknown element");
            }
            Item::Element(Element::StreamError { condition, text }) => {
                return Ok(Some(DownReason::StreamError { condition, text }));
            }
            Item::Closed => return Ok(Some(closed(&"the server closed the stream"))),
            Item::Opened { .. } | Item::Element(Element::Handshake) => {}
        }
        Ok(None)
    }
}
