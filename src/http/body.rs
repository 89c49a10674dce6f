//! Reading the body of a request, within bounds of size, pace and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout, timeout_at};

use super::places;
use super::server::ServerSettings;

/// Bytes set aside for a body before any of it has come, whatever its declared length.
const FIRST_RESERVE: usize = 16 * 1024;
/// How long a body may take before it is held to the least pace.
const GRACE: Duration = Duration::from_secs(5);

/// Why a body was not read to its end.
pub(crate) enum BodyFault {
    /// It has more than `max_body`.
    TooLarge,
    /// The connection ended within it.
    Broken,
    /// It comes at less than the least pace, or takes too long in all.
    Slow,
    /// Too much of other bodies is under way.
    NoRoom,
}

/// Reads a body in the time that the settings give it.
pub(crate) async fn collect(
    body: Incoming,
    limits: &ServerSettings,
    room: &mut places::Bytes<'_>,
) -> Result<Bytes, BodyFault> {
    let reading = timeout(limits.body_timeout, read(body, limits, room)).await;
    reading.unwrap_or(Err(BodyFault::Slow))
}

/// Reads a body of at most `max_body` bytes. A body that declares more is not read at all.
async fn read(
    mut body: Incoming,
    limits: &ServerSettings,
    room: &mut places::Bytes<'_>,
) -> Result<Bytes, BodyFault> {
    let max = limits.max_body;
    let declared = body.size_hint().lower();
    if declared > max as u64 {
        return Err(BodyFault::TooLarge);
    }
    // Copied out of hyper's buffer, which so serves the next request too, and which a message
    // that waits somewhere would otherwise keep alive.
    let expected = usize::try_from(declared).unwrap_or(max).min(FIRST_RESERVE);
    let mut whole = BytesMut::with_capacity(expected);
    let start = Instant::now();
    loop {
        let seconds = whole.len() as u64 / limits.body_pace.max(1);
        let until = start + GRACE + Duration::from_secs(seconds);
        let frame = match limits.body_pace {
            0 => body.frame().await,
            _ => timeout_at(until, body.frame())
                .await
                .map_err(|_| BodyFault::Slow)?,
        };
        let Some(frame) = frame else {
            return Ok(whole.freeze());
        };
        let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > max {
            return Err(BodyFault::TooLarge);
        }
        if !room.take(data.len()) {
            return Err(BodyFault::NoRoom);
        }
        whole.extend_from_slice(&data);
    }
}
