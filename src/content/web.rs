//! Upload and download by HTTP.
//!
//! `PUT` to the token of a slot, once; `GET` and `HEAD` of the token of a file, whatever follows it.
//! Both are streamed. A file is what its uploader said it is and nothing else: its type is one of
//! those that are taken, a browser neither guesses another one nor carries anything out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};

use super::contents::{Contents, Upload};
use super::folder::is_token;
use super::kinds;
use super::shelf::{Entry, escaped};
use crate::http::exchange::{Answers, Dropped, Exchange};
use crate::http::hold::Hold;
use crate::http::upload::FileBytes;

/// Bytes a second that an upload or a download must make, after its first seconds; our choice.
const PACE: u64 = 8 * 1024;
/// The time that either has besides.
const GRACE: Duration = Duration::from_secs(15);

/// Answers the requests for shared files.
#[derive(Clone)]
pub struct Web(Contents);

impl Web {
    /// Of this store.
    pub fn of(contents: Contents) -> Self {
        Self(contents)
    }

    async fn put(&self, token: &str, head: &HeaderMap, body: Incoming) -> Response<FileBody> {
        let upload = match self.0.upload(token).await {
            Some(Ok(upload)) => upload,
            Some(Err(error)) => {
                tracing::warn!("an upload cannot be kept: {error}");
                return closing(StatusCode::SERVICE_UNAVAILABLE);
            }
            None => return closing(StatusCode::NOT_FOUND),
        };
        if !is_of_type(head, &upload.entry.what.content_type) {
            return closing(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        if head.contains_key(header::CONTENT_ENCODING) || head.contains_key(header::CONTENT_RANGE) {
            return closing(StatusCode::BAD_REQUEST);
        }
        let limit = Instant::now() + time_for(upload.entry.what.size);
        match timeout_at(limit, receive(upload, body)).await {
            Ok(Ok(())) => answer(StatusCode::CREATED),
            Ok(Err(status)) => closing(status),
            Err(_) => closing(StatusCode::REQUEST_TIMEOUT),
        }
    }

    async fn get(&self, token: &str, wants_body: bool, exchange: &Exchange) -> Response<FileBody> {
        let Some((entry, file)) = self.0.read(token).await else {
            return answer(StatusCode::NOT_FOUND);
        };
        let size = entry.what.size;
        let body = wants_body.then(|| (FileBytes::of(file, size), exchange.hold(time_for(size))));
        let body = FileBody(body);
        let mut response = Response::new(body);
        describe(response.headers_mut(), &entry);
        response
    }
}

impl Answers for Web {
    type Body = FileBody;

    async fn answer(
        &self,
        request: Request<Incoming>,
        exchange: &Exchange,
    ) -> Result<Response<FileBody>, Dropped> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().trim_start_matches('/');
        let mut parts = path.splitn(3, '/');
        let token = parts.next().filter(|token| is_token(token));
        let has_more = parts.nth(1).is_some();
        let mut response = match (&head.method, token) {
            (_, None) => unread(&body, StatusCode::NOT_FOUND),
            (&Method::PUT, Some(token)) if !has_more => self.put(token, &head.headers, body).await,
            (&Method::GET | &Method::HEAD, Some(_)) if !body.is_end_stream() => {
                closing(StatusCode::BAD_REQUEST)
            }
            (&Method::GET, Some(token)) if !has_more => self.get(token, true, exchange).await,
            (&Method::HEAD, Some(token)) if !has_more => self.get(token, false, exchange).await,
            (&Method::PUT | &Method::GET | &Method::HEAD, _) => {
                unread(&body, StatusCode::NOT_FOUND)
            }
            _ => {
                let mut response = unread(&body, StatusCode::METHOD_NOT_ALLOWED);
                let allow = HeaderValue::from_static("GET, HEAD, PUT");
                response.headers_mut().insert(header::ALLOW, allow);
                response
            }
        };
        guard(response.headers_mut());
        Ok(response)
    }
}

/// Takes the bytes of an upload: as many as were said, no more and no fewer.
async fn receive(mut upload: Upload, mut body: Incoming) -> Result<(), StatusCode> {
    let size = upload.entry.what.size;
    let declared = body.size_hint();
    if declared.lower() > size {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    if declared.upper().is_some_and(|upper| upper < size) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let (start, mut taken) = (Instant::now(), 0_u64);
    let mut beginning = Vec::with_capacity(kinds::BEGINNING);
    loop {
        let until = start + time_for(taken);
        let frame = timeout_at(until, body.frame()).await;
        let frame = frame.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        taken += data.len() as u64;
        if taken > size {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let missing = kinds::BEGINNING.saturating_sub(beginning.len());
        beginning.extend(data.iter().take(missing));
        let Some(file) = upload.file() else { break };
        file.write_all(&data)
            .await
            .map_err(|error| failed(&error))?;
    }
    if taken < size {
        return Err(StatusCode::BAD_REQUEST);
    }
    if !kinds::is_begun_as(&upload.entry.what.content_type, &beginning) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    upload.finish().await.map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> StatusCode {
    tracing::warn!("an upload cannot be kept: {error}");
    StatusCode::INSUFFICIENT_STORAGE
}

/// The time for so many bytes.
fn time_for(bytes: u64) -> Duration {
    GRACE + Duration::from_secs(bytes / PACE)
}

/// Whether an upload says nothing else of its type than its slot.
fn is_of_type(head: &HeaderMap, expected: &str) -> bool {
    head.get_all(header::CONTENT_TYPE).iter().all(|value| {
        let kind = value.to_str().ok().and_then(kinds::checked);
        kind.as_deref() == Some(expected)
    })
}

/// What a file is, to a browser.
fn describe(headers: &mut HeaderMap, entry: &Entry) {
    let what = &entry.what;
    let mut kind = what.content_type.clone();
    if kind.starts_with("text/") {
        kind.push_str("; charset=utf-8");
    }
    let way = if kinds::is_shown(&what.content_type) {
        "inline"
    } else {
        "attachment"
    };
    let disposition = format!("{way}; filename*=UTF-8''{}", escaped(&what.name));
    let texts = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CONTENT_LENGTH, what.size.to_string()),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// What every answer says, so that nothing that is served acts.
fn guard(headers: &mut HeaderMap) {
    let fixed = [
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        ),
        ("referrer-policy", "no-referrer"),
        // What was deleted is not shown out of somebody's memory.
        ("cache-control", "private, no-cache"),
        ("x-robots-tag", "noindex"),
    ];
    for (name, value) in fixed {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
}

fn answer(status: StatusCode) -> Response<FileBody> {
    let mut response = Response::new(FileBody::empty());
    *response.status_mut() = status;
    response
}

/// An answer after which the connection is closed: a body may not have been read to its end.
fn closing(status: StatusCode) -> Response<FileBody> {
    let mut response = answer(status);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

fn unread(body: &Incoming, status: StatusCode) -> Response<FileBody> {
    if body.is_end_stream() {
        answer(status)
    } else {
        closing(status)
    }
}

/// The bytes of a file, or none.
pub struct FileBody(Option<(FileBytes, Hold)>);

impl FileBody {
    fn empty() -> Self {
        Self(None)
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.get_mut().0 {
            Some((file, _)) => Pin::new(file).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(file, _)| file.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let file = self.0.as_ref().map(|(file, _)| file.size_hint());
        file.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}
