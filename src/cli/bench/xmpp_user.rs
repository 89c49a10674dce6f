//! A user of an XMPP server under measurement: as much of a client as that takes.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::Failure;

pub(super) const DOMAIN: &str = "xmpp.test";
pub(super) const PASSWORD: &str = "bench";

/// An XMPP user's session by TCP, without TLS: what is measured is the server.
pub(super) struct XmppUser {
    pub(super) number: usize,
    stream: TcpStream,
    /// What has come and was not looked at.
    heard: Vec<u8>,
}

pub(super) fn name(number: usize) -> String {
    format!("u{number:08}")
}

impl XmppUser {
    /// Logs in, and is there.
    pub(super) async fn login(port: u16, number: usize) -> Result<Self, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
        let stream = stream.map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let mut user = Self {
            number,
            stream,
            heard: Vec::new(),
        };
        let begin = format!(
            "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        );
        let secret = STANDARD.encode(format!("\0{}\0{PASSWORD}", name(number)));
        for (said, answer) in [
            (begin.clone(), "</stream:features>"),
            (
                format!(
                    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
                ),
                "<success",
            ),
            (begin, "</stream:features>"),
            (
                "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                 <resource>r</resource></bind></iq>"
                    .to_owned(),
                "</iq>",
            ),
            // What comes for them is there when what was asked behind it is answered.
            (
                "<presence/><iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"
                    .to_owned(),
                "jabber:iq:roster",
            ),
        ] {
            user.say(&said).await?;
            user.until(answer).await?;
        }
        Ok(user)
    }

    /// Watches somebody, who lets them.
    pub(super) async fn watch(&mut self, publisher: &mut Self) -> Result<(), Failure> {
        let to = |number, kind| format!("<presence to='{}@{DOMAIN}' type='{kind}'/>", name(number));
        self.say(&to(publisher.number, "subscribe")).await?;
        publisher.until("subscribe").await?;
        publisher.say(&to(self.number, "subscribed")).await?;
        self.until("subscribed").await
    }

    pub(super) async fn say(&mut self, xml: &str) -> Result<(), Failure> {
        let written = self.stream.write_all(xml.as_bytes()).await;
        written.map_err(|error| failed(&error))
    }

    /// Passes over everything up to a text.
    pub(super) async fn until(&mut self, text: &str) -> Result<(), Failure> {
        let mut looked_at = 0;
        loop {
            let from = &self.heard[looked_at..];
            if let Some(at) = memchr::memmem::find(from, text.as_bytes()) {
                self.heard.drain(..looked_at + at + text.len());
                return Ok(());
            }
            looked_at = self.heard.len().saturating_sub(text.len());
            let read = self.stream.read_buf(&mut self.heard).await;
            if read.map_err(|error| failed(&error))? == 0 {
                let heard = String::from_utf8_lossy(&self.heard);
                let why = format!(
                    "the server ended the session: {}",
                    crate::text::cut(&heard, 500)
                );
                return Err(Failure::Failed(why));
            }
        }
    }
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::Failed(format!("a session with the XMPP server broke: {error}"))
}
