//! Reading the answer to a POST: its status, the two headers that matter, and nothing of its body.

use std::error::Error;
use std::io;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header;
use hyper::http::response::Parts;

/// Bytes of an answer's body that are read and forgotten; a connection with more to come is
/// closed instead. Answers never carry SSP (wire profile, 2.2).
const MAX_DISCARDED: usize = 16 * 1024;
/// How long the rest of an answer may take.
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// What an HTTP answer said.
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// `Retry-After`: in seconds, or as a date against the answer's own `Date`.
    pub(crate) retry_after: Option<Duration>,
    location: Option<String>,
}

impl Answered {
    pub(crate) fn read(head: &Parts) -> Self {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        Answered {
            status: head.status.as_u16(),
            retry_after: text(header::RETRY_AFTER)
                .and_then(|wait| retry_after(wait, text(header::DATE))),
            location: text(header::LOCATION).map(str::to_owned),
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The location of a redirect that keeps the method, or did so with deployed clients.
    pub(crate) fn redirect(&self) -> Option<&str> {
        matches!(self.status, 301 | 302 | 307 | 308)
            .then_some(self.location.as_deref())
            .flatten()
    }
}

/// The wait that a `Retry-After` means (RFC 9110, 10.2.3). A date in any of the three forms counts
/// from the answer's `Date`, whose clock it is by; without one it means nothing.
fn retry_after(wait: &str, date: Option<&str>) -> Option<Duration> {
    let wait = wait.trim();
    if let Ok(seconds) = wait.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(wait).ok()?;
    let now = httpdate::parse_http_date(date?.trim()).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

/// Reads and forgets the rest of an answer. Whether the connection is clean afterwards.
pub(crate) async fn discard(mut body: Incoming) -> bool {
    if body.is_end_stream() {
        return true;
    }
    let reading = async {
        let mut seen = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            seen += frame.data_ref().map_or(0, bytes::Bytes::len);
            if seen > MAX_DISCARDED {
                return false;
            }
        }
        true
    };
    let read = tokio::time::timeout(DISCARD_TIME, reading).await;
    read.unwrap_or(false)
}

/// Why there was no answer to a request that was (partly) written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ended.
    Closed,
    /// TLS failed; with TLS 1.3 a peer that refuses our certificate says so only now.
    Tls,
    /// Something answered that does not speak HTTP.
    NotHttp,
}

/// Which fault a client error is.
pub(crate) fn fault(error: &hyper::Error) -> Fault {
    if error.is_parse() {
        return Fault::NotHttp;
    }
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let wrapped = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if cause.is::<rustls::Error>()
            || wrapped.is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>)
        {
            return Fault::Tls;
        }
        next = cause.source();
    }
    Fault::Closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_in_seconds_and_as_a_date_of_each_form() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let seconds = |wait| retry_after(wait, now).map(|wait| wait.as_secs());
        assert_eq!(seconds(" 120 "), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(seconds("Sunday, 06-Nov-94 08:50:07 GMT"), Some(30));
        assert_eq!(seconds("Sun Nov  6 08:50:07 1994"), Some(30));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:07 GMT", None), None);
    }
}
