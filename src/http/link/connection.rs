//! One connection to a peer: an exchange on it, and the rest between two.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};

use crate::http::cause_chain;
use crate::http::endpoint::Endpoint;
use crate::http::stream::Wire;

/// The body of every request.
pub(super) type Body = Full<Bytes>;

/// Bytes that hyper may hold per connection and direction.
const MAX_BUFFER: usize = 16 * 1024;

/// An open connection. Who has it drives it, there is no other task.
pub(super) struct Connection {
    endpoint: Arc<Endpoint>,
    state: State,
}

enum State {
    /// With HTTP's buffers.
    Speaks(Box<Speaker>),
    /// Without.
    Rests(Wire),
    Ended,
}

struct Speaker {
    sender: SendRequest<Body>,
    /// `None`: the connection has ended.
    driver: Option<http1::Connection<TokioIo<Wire>, Body>>,
}

impl Connection {
    pub(super) fn new(endpoint: Arc<Endpoint>, wire: Wire) -> Self {
        Self {
            endpoint,
            state: State::Rests(wire),
        }
    }

    /// Where it leads.
    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// In words, if nothing can be sent; hyper's, which says whether something was.
    pub(super) async fn ask(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let speaker = match self.speaker().await {
            Ok(speaker) => speaker,
            Err(why) => return Err(Unanswered::NotSent(why)),
        };
        let sending = speaker.sender.try_send_request(request);
        drive(&mut speaker.driver, sending)
            .await
            .map_err(|error| Unanswered::Sent(Box::new(error)))
    }

    /// Does this to the rest of an answer, then waits until the next request can be sent. Whether it
    /// can.
    pub(super) async fn finish(&mut self, rest: impl Future<Output = bool>) -> bool {
        let State::Speaks(speaker) = &mut self.state else {
            return false;
        };
        if !drive(&mut speaker.driver, rest).await {
            return false;
        }
        let ready = speaker.sender.ready();
        drive(&mut speaker.driver, ready).await.is_ok() && speaker.driver.is_some()
    }

    /// Gives back the buffers, between two exchanges.
    pub(super) fn rest(&mut self) {
        let State::Speaks(speaker) = std::mem::replace(&mut self.state, State::Ended) else {
            return;
        };
        if let Some(driver) = speaker.driver {
            let parts = driver.into_parts();
            // What comes unasked is no answer.
            if parts.read_buf.is_empty() {
                self.state = State::Rests(parts.io.into_inner());
            }
        }
    }

    /// Ready when the other side has ended it, between two exchanges.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Ended => Poll::Ready(()),
            State::Speaks(speaker) => match &mut speaker.driver {
                Some(driver) => Pin::new(driver).poll(context).map(drop),
                None => Poll::Ready(()),
            },
            State::Rests(wire) => {
                let mut scrap = [0; 1];
                let mut scrap = ReadBuf::new(&mut scrap);
                Pin::new(wire).poll_read(context, &mut scrap).map(drop)
            }
        }
    }

    /// What speaks HTTP on it.
    async fn speaker(&mut self) -> Result<&mut Speaker, String> {
        if matches!(self.state, State::Rests(_))
            && let State::Rests(wire) = std::mem::replace(&mut self.state, State::Ended)
        {
            let speaking = http1::Builder::new()
                .max_buf_size(MAX_BUFFER)
                .handshake(TokioIo::new(wire))
                .await;
            let (sender, driver) = speaking.map_err(|error| cause_chain(&error))?;
            self.state = State::Speaks(Box::new(Speaker {
                sender,
                driver: Some(driver),
            }));
        }
        match &mut self.state {
            State::Speaks(speaker) => Ok(speaker),
            State::Rests(_) | State::Ended => Err("the connection has ended".to_owned()),
        }
    }
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// In words. The peer has nothing of it.
    NotSent(String),
    /// It has what hyper says.
    Sent(Box<TrySendError<Request<Body>>>),
}

/// Waits for `work`, which ends only while the connection is driven.
async fn drive<F: Future>(
    driver: &mut Option<http1::Connection<TokioIo<Wire>, Body>>,
    work: F,
) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|context| {
        if let Some(driven) = driver
            && Pin::new(driven).poll(context).is_ready()
        {
            // What waits for it learns that it has ended.
            *driver = None;
        }
        work.as_mut().poll(context)
    })
    .await
}
