//! The calling side, against scripted peers and against our own listening side.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wvgate::http::link::{self, LinkSettings, Post, PostOutcome, Posted, Target};
use wvgate::http::server::{ServerSettings, Verdict};
use wvgate::http::srv::{Lookup, SrvAnswer, SrvError, SrvRecord, SrvResolver, SrvSource};
use wvgate::http::tls::{ClientTls, client_config};

use super::{head, serve, serve_gated, settings as server_settings, soon};

/// What a scripted peer does with a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Say(String),
    /// Says this and closes.
    Last(String),
    Close,
    Silence,
}

pub(super) fn ok() -> Reply {
    Reply::Say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into())
}

/// A peer that knows only bytes: reads requests and replies by their number.
pub(super) struct Peer {
    pub(super) addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

pub(super) async fn peer(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Peer {
    peer_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), reply)
}

fn peer_on(listener: TcpListener, reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Peer {
    let addr = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (count, log, reply) = (
        Arc::clone(&connections),
        Arc::clone(&requests),
        Arc::new(reply),
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(converse(stream, Arc::clone(&log), Arc::clone(&reply)));
        }
    });
    Peer {
        addr,
        connections,
        requests,
    }
}

async fn converse(
    mut stream: TcpStream,
    log: Arc<Mutex<Vec<String>>>,
    reply: Arc<impl Fn(usize) -> Reply>,
) {
    loop {
        let request = head(&mut stream).await;
        if !request.ends_with("\r\n\r\n") {
            return;
        }
        let length = request
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let number = {
            let mut log = log.lock().unwrap();
            log.push(format!("{request}{}", String::from_utf8(body).unwrap()));
            log.len() - 1
        };
        match reply(number) {
            Reply::Say(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Reply::Last(text) => return stream.write_all(text.as_bytes()).await.unwrap(),
            Reply::Close => return,
            Reply::Silence => std::future::pending().await,
        }
    }
}

/// DNS that knows one answer.
pub(super) struct Dns(pub(super) Result<SrvAnswer, SrvError>);

impl SrvSource for Dns {
    fn lookup<'a>(&'a self, _name: &'a str) -> Lookup<'a> {
        let answer = self.0.clone();
        Box::pin(async move { answer })
    }
}

pub(super) fn srv_of(targets: &[(&str, u16)]) -> Arc<SrvResolver> {
    let records = targets
        .iter()
        .zip(0..)
        .map(|((target, port), priority)| SrvRecord {
            priority,
            weight: 0,
            port: *port,
            target: (*target).to_owned(),
        })
        .collect();
    SrvResolver::with_source(Dns(Ok(SrvAnswer {
        records,
        ttl: Duration::from_secs(60),
    })))
}

pub(super) fn settings(urls: &[String]) -> LinkSettings {
    let unverified = ClientTls {
        verify: false,
        ..ClientTls::default()
    };
    LinkSettings {
        peer: "village.example".into(),
        urls: urls.to_vec(),
        redirects: Vec::new(),
        allow_plain: false,
        tls: client_config(&unverified, "village.example").unwrap(),
        server_name: None,
        connect_timeout: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(30),
        rest_after: Duration::from_secs(1),
        max_connections: 1,
        user_agent: "wvgate test".into(),
        srv: srv_of(&[]),
        known: None,
        shown: None,
    }
}

pub(super) struct Link {
    link: link::Link<mpsc::Sender<Posted>>,
    done: mpsc::Receiver<Posted>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

pub(super) fn link(settings: LinkSettings) -> Link {
    let (done_in, done) = mpsc::channel(64);
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    Link {
        link: link::Link::new(settings, done_in, tracker.clone(), stop.clone()),
        done,
        tracker,
        stop,
    }
}

impl Link {
    pub(super) fn send(&self, id: u64, target: Target) {
        let headers = vec![
            ("x-wv-sessionid", "73@village.example".to_owned()),
            ("x-wv-transactionid", "bad\r\nvalue".to_owned()),
        ];
        let body = Bytes::from(format!("<m n=\"{id}\"/>"));
        let post = Post {
            id,
            body,
            headers,
            target,
        };
        self.link.post(post).unwrap();
    }

    pub(super) async fn next(&mut self) -> Posted {
        soon(self.done.recv()).await.unwrap()
    }

    pub(super) async fn post(&mut self, id: u64) -> Posted {
        self.send(id, Target::Usual);
        self.next().await
    }

    pub(super) async fn post_to(&mut self, url: &str) -> Posted {
        self.send(0, Target::Url(url.into()));
        self.next().await
    }
}

pub(super) fn reason(posted: &Posted) -> &str {
    match &posted.outcome {
        PostOutcome::Unreachable { reason } => reason,
        other => panic!("reached after all: {other:?}"),
    }
}

/// A port on which nobody listens.
pub(super) async fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test]
async fn an_acknowledged_post_says_which_url_took_it_and_carries_the_headers() {
    let peer = peer(|_| ok()).await;
    let mut link = link(settings(&[peer.url()]));
    let posted = link.post(7).await;
    assert_eq!(posted.url(), Some(peer.url()));
    assert_eq!((posted.id, posted.outcome), (7, PostOutcome::Acknowledged));
    let request = peer.requests().remove(0);
    assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
    for line in [
        "content-type: application/vnd.wv.ssp+xml",
        "content-length: 10",
        "connection: keep-alive",
        "user-agent: wvgate test",
        "x-wv-sessionid: 73@village.example",
        &format!("host: {}", peer.addr),
    ] {
        assert!(
            request.contains(&format!("{line}\r\n")),
            "{line} in {request}"
        );
    }
    assert!(!request.contains("x-wv-transactionid"), "{request}");
    assert!(request.ends_with("\r\n\r\n<m n=\"7\"/>"), "{request}");
}

#[tokio::test]
async fn any_2xx_acknowledges_and_a_body_in_the_answer_is_ignored() {
    let answers = [
        "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ];
    let peer = peer(move |number| Reply::Say(answers[number].into())).await;
    let mut link = link(settings(&[peer.url()]));
    for id in 0..4 {
        assert_eq!(
            link.post(id).await.outcome,
            PostOutcome::Acknowledged,
            "answer {id}"
        );
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn another_status_is_a_refusal_with_its_waiting_time() {
    let peer = peer(|_| {
        Reply::Say("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".into())
    })
    .await;
    let posted = link(settings(&[peer.url()])).post(1).await;
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(
        posted.outcome,
        PostOutcome::Refused {
            status: 503,
            retry_after
        }
    );
    assert_eq!(posted.at, None);
}

#[tokio::test]
async fn a_close_without_an_answer_is_reported_and_not_repeated() {
    let peer = peer(|number| if number == 0 { ok() } else { Reply::Close }).await;
    let mut link = link(settings(&[peer.url(), peer.url()]));
    assert_eq!(link.post(1).await.outcome, PostOutcome::Acknowledged);
    // Once on the kept connection, once on a fresh one.
    assert_eq!(link.post(2).await.outcome, PostOutcome::Closed);
    assert_eq!(link.post(3).await.outcome, PostOutcome::Closed);
    assert_eq!(peer.requests().len(), 3);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_timed_out() {
    let peer = peer(|number| if number == 0 { Reply::Silence } else { ok() }).await;
    let patience = Duration::from_millis(100);
    let mut link = link(LinkSettings {
        answer_timeout: patience,
        ..settings(&[peer.url()])
    });
    assert_eq!(link.post(1).await.outcome, PostOutcome::TimedOut);
    assert_eq!(link.post(2).await.outcome, PostOutcome::Acknowledged);
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn what_cannot_be_reached_says_at_which_step() {
    let port = dead_port().await;
    let mut link = link(settings(&[
        format!("http://127.0.0.1:{port}/"),
        format!("https://no-such-host.invalid:{port}/"),
    ]));
    let posted = link.post(1).await;
    let reason = reason(&posted);
    assert!(
        reason.contains(&format!(
            "http://127.0.0.1:{port}/: connect: 127.0.0.1:{port}: "
        )),
        "{reason}"
    );
    assert!(reason.contains("dns: no-such-host.invalid"), "{reason}");
}

#[tokio::test]
async fn something_that_does_not_speak_http_is_not_the_peer() {
    let stranger = peer(|_| Reply::Say("220 mail.example ESMTP\r\n".into())).await;
    let real = peer(|_| ok()).await;
    let mut link = link(settings(&[stranger.url(), real.url()]));
    assert_eq!(link.post(1).await.url(), Some(real.url()));
    let posted = link.post_to(&stranger.url()).await;
    assert!(reason(&posted).contains("not HTTP"), "{posted:?}");
}

#[tokio::test]
async fn one_connection_serves_many_posts() {
    let peer = peer(|_| ok()).await;
    let mut link = link(settings(&[peer.url()]));
    for id in 0..20 {
        assert_eq!(link.post(id).await.outcome, PostOutcome::Acknowledged);
    }
    assert_eq!(
        link.post_to(&format!("{}session", peer.url()))
            .await
            .outcome,
        PostOutcome::Acknowledged
    );
    assert_eq!(peer.connections(), 1);
    assert!(peer.requests()[20].starts_with("POST /session HTTP/1.1"));
}

#[tokio::test]
async fn a_connection_that_rests_is_used_again_and_its_end_is_seen() {
    let peer = peer(|number| match number {
        3 => Reply::Last("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into()),
        _ => ok(),
    })
    .await;
    let mut link = link(LinkSettings {
        rest_after: Duration::from_nanos(1),
        ..settings(&[peer.url()])
    });
    for id in 0..4 {
        // So that it rests in between; if it does not yet, nothing else is expected.
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(link.post(id).await.outcome, PostOutcome::Acknowledged);
        assert_eq!(peer.connections(), 1);
    }
    // What was written before the end is seen may have been taken.
    while link.post(4).await.outcome == PostOutcome::Closed {}
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn an_unused_connection_is_dropped_after_its_time() {
    let peer = peer(|_| ok()).await;
    let mut link = link(LinkSettings {
        idle_timeout: Duration::ZERO,
        ..settings(&[peer.url()])
    });
    for id in 0..3 {
        assert_eq!(link.post(id).await.outcome, PostOutcome::Acknowledged);
    }
    assert_eq!(peer.connections(), 3);
}

#[tokio::test]
async fn posts_start_in_order_and_as_many_at_once_as_allowed() {
    let single = peer(|_| ok()).await;
    let mut one = link(settings(&[single.url()]));
    for id in 0..30 {
        one.send(id, Target::Usual);
    }
    for id in 0..30 {
        assert_eq!(one.next().await.id, id);
    }
    let numbers: Vec<bool> = single
        .requests()
        .iter()
        .zip(0..)
        .map(|(request, id)| request.ends_with(&format!("<m n=\"{id}\"/>")))
        .collect();
    assert_eq!(numbers, vec![true; 30]);

    // The receiver decides nothing before it has seen three posts side by side.
    let mut server = serve_gated(server_settings(), Verdict::Accepted).await;
    let url = format!("http://{}/", server.addr);
    let mut three = link(LinkSettings {
        max_connections: 3,
        ..settings(&[url])
    });
    for id in 0..4 {
        three.send(id, Target::Usual);
    }
    for _ in 0..3 {
        soon(server.seen.recv()).await.unwrap();
    }
    assert!(server.seen.try_recv().is_err());
    server.gate.add_permits(4);
    for _ in 0..4 {
        assert_eq!(three.next().await.outcome, PostOutcome::Acknowledged);
    }
}

#[tokio::test]
async fn candidates_are_tried_in_order_and_the_good_one_is_remembered() {
    let port = dead_port().await;
    let dead = format!("http://127.0.0.1:{port}/");
    let (second, third) = (peer(|_| ok()).await, peer(|_| ok()).await);
    let urls = [dead, second.url(), third.url()];
    let mut link = link(LinkSettings {
        idle_timeout: Duration::ZERO,
        ..settings(&urls)
    });
    assert_eq!(link.post(1).await.url(), Some(second.url()));
    // Someone comes to life on the first, but the second still works.
    let first = peer_on(
        TcpListener::bind(("127.0.0.1", port)).await.unwrap(),
        |_| ok(),
    );
    assert_eq!(link.post(2).await.url(), Some(second.url()));
    assert_eq!((first.connections(), third.connections()), (0, 0));
}

#[tokio::test]
async fn when_the_good_candidate_goes_the_next_takes_over_and_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let spare = peer(|_| ok()).await;
    let mut link = link(settings(&[format!("http://{addr}/"), spare.url()]));
    // The first peer answers once and is gone, connection and port together.
    let once = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let mut body = [0; 10];
        stream.read_exact(&mut body).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    });
    assert_eq!(link.post(1).await.url(), Some(format!("http://{addr}/")));
    once.await.unwrap();
    assert_eq!(link.post(2).await.url(), Some(spare.url()));
}

#[tokio::test]
async fn a_server_restarted_between_posts_is_found_again() {
    let server = serve(server_settings(), Verdict::Accepted).await;
    let url = format!("http://{}/", server.addr);
    let mut link = link(settings(&[url]));
    assert_eq!(link.post(1).await.outcome, PostOutcome::Acknowledged);
    server.hard.cancel();
    soon(server.task).await.unwrap();
    let again = ServerSettings {
        listen: server.addr,
        ..server_settings()
    };
    let _again = serve(again, Verdict::Accepted).await;
    // At worst the close is noticed with the next post, which then says so.
    let mut outcome = link.post(2).await.outcome;
    if outcome == PostOutcome::Closed {
        outcome = link.post(3).await.outcome;
    }
    assert_eq!(outcome, PostOutcome::Acknowledged);
}

#[tokio::test]
async fn an_answer_with_an_endless_body_counts_but_costs_the_connection() {
    let flood = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n{}",
        "z".repeat(100_000)
    );
    let peer = peer(move |_| Reply::Say(flood.clone())).await;
    let mut link = link(settings(&[peer.url()]));
    assert_eq!(link.post(1).await.outcome, PostOutcome::Acknowledged);
    assert_eq!(link.post(2).await.outcome, PostOutcome::Acknowledged);
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn closing_the_queue_ends_the_link_after_what_is_in_flight() {
    let mut server = serve_gated(server_settings(), Verdict::Accepted).await;
    let Link {
        link,
        mut done,
        tracker,
        stop: _stop,
    } = link(settings(&[format!("http://{}/", server.addr)]));
    for id in 0..2 {
        let post = Post {
            id,
            body: Bytes::from_static(b"<x/>"),
            headers: vec![],
            target: Target::Usual,
        };
        link.post(post).unwrap();
    }
    drop(link);
    soon(server.seen.recv()).await.unwrap();
    server.gate.add_permits(2);
    for id in 0..2 {
        let posted = soon(done.recv()).await.unwrap();
        assert_eq!((posted.id, posted.outcome), (id, PostOutcome::Acknowledged));
    }
    assert!(soon(done.recv()).await.is_none());
    tracker.close();
    soon(tracker.wait()).await;
}

#[tokio::test]
async fn the_stop_token_ends_the_link_at_once() {
    let peer = peer(|_| Reply::Silence).await;
    let mut link = link(settings(&[peer.url()]));
    link.send(1, Target::Usual);
    while peer.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    link.stop.cancel();
    link.tracker.close();
    soon(link.tracker.wait()).await;
    drop(link.link);
    assert!(link.done.recv().await.is_none());
}

#[tokio::test]
async fn a_port_that_serves_tls_only_is_named_and_the_message_is_kept() {
    let text = "HTTP/1.1 426 x\r\nUpgrade: TLS/1.2\r\nContent-Length: 0\r\n\r\n";
    let peer = peer(move |_| Reply::Say(text.into())).await;
    let posted = link(settings(&[peer.url()])).post(1).await;
    assert!(reason(&posted).contains("TLS only"), "{posted:?}");
}

#[tokio::test]
async fn a_post_without_a_body_tries_a_connection_and_sends_nothing() {
    let peer = peer(|_| ok()).await;
    let dead = format!("http://127.0.0.1:{}/", dead_port().await);
    let empty = |id| Post {
        id,
        body: Bytes::new(),
        headers: Vec::new(),
        target: Target::Usual,
    };
    let mut reached = link(settings(&[dead.clone(), peer.url()]));
    reached.link.post(empty(1)).unwrap();
    assert_eq!(reached.next().await.outcome, PostOutcome::Acknowledged);
    let mut away = link(settings(&[dead]));
    away.link.post(empty(2)).unwrap();
    assert!(reason(&away.next().await).contains("connect"));
    assert!(peer.requests().is_empty());
}
