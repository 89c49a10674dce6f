//! Health and metrics by HTTP: `/live`, `/ready`, `/metrics`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Shared;
use super::metrics::Snapshot;

/// Connections at a time; our choice.
const CONNECTIONS: usize = 64;
/// The owner answers within this time, or the node does not live; our choice.
const PATIENCE: Duration = Duration::from_secs(5);
/// For a request's head, and between requests; our choice.
const HEAD: Duration = Duration::from_secs(30);

pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    tracker: TaskTracker,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let (shared, stop) = (shared.clone(), stop.clone());
        tracker.spawn(async move {
            tokio::select! {
                () = connection(stream, shared) => {}
                () = stop.cancelled() => {}
            }
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(&request, &shared).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!("an admin connection broke: {error}");
    }
}

async fn answer(request: &Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    match request.uri().path() {
        "/live" => live(shared).await,
        "/ready" => ready(shared).await,
        "/metrics" => metrics(shared).await,
        _ => text(StatusCode::NOT_FOUND, "try /live, /ready or /metrics\n"),
    }
}

async fn live(shared: &Shared) -> Response<Full<Bytes>> {
    let answer = tokio::time::timeout(PATIENCE, shared.node.ask(|_, _, _| ())).await;
    match answer {
        Ok(Ok(())) => text(StatusCode::OK, "ok\n"),
        Ok(Err(gone)) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{gone}\n")),
        Err(_) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the owner does not answer\n",
        ),
    }
}

async fn ready(shared: &Shared) -> Response<Full<Bytes>> {
    let mut reasons = Vec::new();
    if let Err(error) = shared.node.store().health() {
        reasons.push(format!("store: {error}"));
    } else if !shared.node.store().has_room() {
        reasons.push("store: hardly any room left".to_owned());
    }
    let look = shared.node.ask(|core, _, _| core.components.clone());
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(up)) => {
            for component in &shared.settings.components {
                if up.get(component) != Some(&true) {
                    reasons.push(format!("xmpp: component {component} is not connected"));
                }
            }
        }
        Ok(Err(gone)) => reasons.push(gone.to_string()),
        Err(_) => reasons.push("the owner does not answer".to_owned()),
    }
    if reasons.is_empty() {
        return text(StatusCode::OK, "ok\n");
    }
    text(StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
}

async fn metrics(shared: &Shared) -> Response<Full<Bytes>> {
    let (started, expected) = (shared.started, shared.settings.components.clone());
    let look = shared
        .node
        .ask(move |core, now, _| Snapshot::of(core, &expected, started, now));
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(snapshot)) => {
            let store = shared.node.store();
            let body = snapshot.text(store.stats(), store.health().is_ok(), store.has_room());
            let mut response = text(StatusCode::OK, body);
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        _ => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the owner does not answer\n",
        ),
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.into())));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
