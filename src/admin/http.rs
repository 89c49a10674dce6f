//! Health and metrics by HTTP: `/live`, `/ready`, `/metrics`.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::metrics::Snapshot;
use super::ready::PATIENCE;
use super::seats::{Seat, Seats};
use super::{Shared, ready};
use crate::access::Clients;
use crate::store::Stats;

/// Connections at a time; our choice.
const CONNECTIONS: usize = 64;
/// For a request's head; our choice.
const HEAD: Duration = Duration::from_secs(5);
/// For a whole connection, which carries one request; our choice.
const WHOLE: Duration = Duration::from_secs(30);
/// Bytes of a request's head, and of what waits to be written; our choice.
const BUFFER: usize = 16 * 1024;

pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    tracker: TaskTracker,
    stop: CancellationToken,
) {
    let seats = Seats::new(CONNECTIONS);
    // Else a page of somebody else's could read it through a browser on this machine, by a name
    // of its own that leads here.
    let names = listener
        .local_addr()
        .is_ok_and(|address| address.ip().is_loopback());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(seat) = seats.take() else {
            continue;
        };
        let (shared, stop, seats) = (shared.clone(), stop.clone(), seats.clone());
        tracker.spawn(async move {
            tokio::select! {
                () = connection(stream, shared, seat.clone(), names) => {}
                () = seat.gone.cancelled() => {}
                () = tokio::time::sleep(WHOLE) => {}
                () = stop.cancelled() => {}
            }
            seats.leave(&seat);
        });
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, seat: Seat, names: bool) {
    let service = service_fn(move |request| {
        let (shared, seat) = (shared.clone(), seat.clone());
        async move {
            seat.set_busy(true);
            if names && !is_of_this_machine(&request) {
                let why = "this port is served under localhost or an address only\n";
                return Ok(text(StatusCode::MISDIRECTED_REQUEST, why));
            }
            Ok::<_, Infallible>(answer(&request, &shared).await)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!("an admin connection broke: {error}");
    }
}

/// Whether a request names its host by an address or as `localhost`, if at all: every other name
/// can be made to lead here by whoever has it.
fn is_of_this_machine<B>(request: &Request<B>) -> bool {
    let named = request.headers().get(HOST).map(|host| host.to_str());
    let host = match (named, request.uri().authority()) {
        (_, Some(authority)) => authority.as_str(),
        (Some(Ok(host)), None) => host,
        (Some(Err(_)), None) => return false,
        (None, None) => return true,
    };
    let name = match host.strip_prefix('[') {
        Some(ip6) => ip6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
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
    let answer = tokio::time::timeout(PATIENCE, shared.node.ask_all(|_, _, _| ())).await;
    match answer {
        Ok(Ok(_)) => text(StatusCode::OK, "ok\n"),
        Ok(Err(gone)) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{gone}\n")),
        Err(_) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the owner does not answer\n",
        ),
    }
}

async fn ready(shared: &Shared) -> Response<Full<Bytes>> {
    let reasons = ready::reasons(shared).await;
    if reasons.is_empty() {
        return text(StatusCode::OK, "ok\n");
    }
    text(StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
}

async fn metrics(shared: &Shared) -> Response<Full<Bytes>> {
    let (started, expected) = (shared.started, shared.settings.components.clone());
    let look = shared
        .node
        .ask_all(move |core, now, _| Snapshot::of(core, &expected, started, now));
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(shards)) => {
            let all = shards.into_iter().reduce(Snapshot::with);
            let stores = || shared.node.stores();
            let stats = stores().map(|store| store.stats());
            let stats = stats.reduce(Stats::with).unwrap_or_default();
            let healthy = stores().all(|store| store.health().is_ok());
            let room = stores().all(|store| store.has_room());
            let clients = shared.settings.clients.as_ref().map(Clients::count);
            let (gauges, now) = (shared.node.gauges(), shared.node.clock().now());
            let body = all.map_or_else(String::new, |all| {
                all.text(stats, healthy, room, clients, gauges, now)
            });
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
