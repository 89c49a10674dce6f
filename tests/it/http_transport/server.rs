//! The listening side, spoken to in raw bytes.

use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use wvgate::http::server::{ServerSettings, Verdict, bind};
use wvgate::http::tls::{ClientCertificates, ClientTls, ServerTls, client_config, server_config};

use super::{
    Running, certificates_for, client_tls, head, rest, serve, serve_gated, server_tls, settings,
    soon,
};

const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03";

fn post(body: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: gw:5280\r\nContent-Type: application/vnd.wv.ssp+xml\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn connected(running: &Running) -> TcpStream {
    TcpStream::connect(running.addr).await.unwrap()
}

/// A connection from the address 127.0.0.`last`.
async fn connected_from(last: u8, server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let address = SocketAddr::from(([127, 0, 0, last], 0));
    socket.bind(address).unwrap();
    socket.connect(server).await.unwrap()
}

/// Sends bytes on a new connection and gives the first answer's head.
async fn said(running: &Running, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = connected(running).await;
    stream.write_all(bytes.as_ref()).await.unwrap();
    soon(head(&mut stream)).await
}

#[tokio::test]
async fn each_verdict_becomes_its_status_with_an_empty_body() {
    let wait = Duration::from_millis(1500);
    for (verdict, status) in [
        (Verdict::Accepted, "200"),
        (Verdict::Malformed, "400"),
        (Verdict::Forbidden, "403"),
        (Verdict::TooLarge, "413"),
        (Verdict::UnsupportedType, "415"),
        (
            Verdict::Busy {
                retry_after: Some(wait),
            },
            "503",
        ),
    ] {
        let running = serve(settings(), verdict).await;
        let answer = said(&running, post("<x/>")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{verdict:?}: {answer}"
        );
        assert!(answer.contains("content-length: 0"), "{answer}");
        assert_eq!(
            answer.contains("retry-after: 2\r\n"),
            status == "503",
            "{answer}"
        );
    }
}

#[tokio::test]
async fn the_verdict_drop_closes_without_an_answer() {
    let running = serve(settings(), Verdict::Drop).await;
    let mut stream = connected(&running).await;
    stream.write_all(post("<x/>").as_bytes()).await.unwrap();
    assert_eq!(soon(rest(&mut stream)).await, "");
}

#[tokio::test]
async fn a_post_arrives_whole_with_its_headers() {
    let mut running = serve(settings(), Verdict::Accepted).await;
    let body = "é".repeat(10_000);
    let request = format!(
        "POST /any/path HTTP/1.1\r\nHost: gw\r\nContent-Type: Application/VND.wv.ssp+XML; charset=utf-8\r\n\
         User-Agent: Old SAP 1.0\r\nx-wv-sessionid: 73@village.example\r\nX-WV-TransactionID: 5\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert!(said(&running, request).await.starts_with("HTTP/1.1 200"));
    let inbound = running.seen.recv().await.unwrap();
    assert_eq!(inbound.body, body.as_bytes());
    assert_eq!(inbound.user_agent.as_deref(), Some("Old SAP 1.0"));
    assert_eq!(
        inbound.session_header.as_deref(),
        Some("73@village.example")
    );
    assert_eq!(inbound.transaction_header.as_deref(), Some("5"));
    assert!(!inbound.tls);
    assert!(inbound.client_names.is_empty());
    assert!(inbound.remote.ip().is_loopback());
}

#[tokio::test]
async fn a_chunked_body_and_http_1_0_are_understood() {
    let mut running = serve(settings(), Verdict::Accepted).await;
    let chunked = "POST / HTTP/1.1\r\nHost: gw\r\nContent-Type: application/vnd.wv.ssp+xml\r\n\
                   Transfer-Encoding: chunked\r\n\r\n3\r\n<x>\r\n4\r\n</x>\r\n0\r\n\r\n";
    assert!(said(&running, chunked).await.starts_with("HTTP/1.1 200"));
    assert_eq!(running.seen.recv().await.unwrap().body, "<x></x>");
    let old = "POST / HTTP/1.0\r\nContent-Type: application/vnd.wv.ssp+xml\r\n\
               Content-Length: 4\r\n\r\n<x/>";
    assert!(said(&running, old).await.starts_with("HTTP/1.0 200"));
}

#[tokio::test]
async fn what_is_no_ssp_post_never_reaches_the_receiver() {
    let mut running = serve(
        ServerSettings {
            path: Some("/ssp".into()),
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    let at = |line: &str, rest: &str| format!("{line} HTTP/1.1\r\nHost: gw\r\n{rest}\r\n");
    let ours = "Content-Type: application/vnd.wv.ssp+xml\r\nContent-Length: 0\r\n";
    for (request, status) in [
        (at("GET /ssp", ""), "405"),
        (at("DELETE /ssp", ""), "405"),
        (at("OPTIONS *", ""), "405"),
        (
            at(
                "POST /ssp",
                "Content-Type: text/xml\r\nContent-Length: 0\r\n",
            ),
            "415",
        ),
        (at("POST /ssp", "Content-Length: 0\r\n"), "415"),
        (at("POST /ssp", ours), "400"),
        (at("POST /other", ours), "404"),
    ] {
        let answer = said(&running, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {answer}"
        );
        assert_eq!(answer.contains("allow: POST\r\n"), status == "405");
    }
    assert!(running.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_body_that_declares_too_much_is_refused_before_it_is_read() {
    let running = serve(
        ServerSettings {
            max_body: 100,
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    let mut stream = connected(&running).await;
    let request = "POST / HTTP/1.1\r\nHost: gw\r\nContent-Type: application/vnd.wv.ssp+xml\r\n\
                   Content-Length: 101\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = soon(rest(&mut stream)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_chunked_body_is_refused_when_it_grows_too_large() {
    let mut running = serve(
        ServerSettings {
            max_body: 100,
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    let mut stream = connected(&running).await;
    let head = "POST / HTTP/1.1\r\nHost: gw\r\nContent-Type: application/vnd.wv.ssp+xml\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("40\r\n{}\r\n", "x".repeat(64));
    let flood = format!("{head}{}", chunk.repeat(1000));
    let _ = stream.write_all(flood.as_bytes()).await;
    let answer = soon(rest(&mut stream)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(running.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_accepted() {
    let running = serve(
        ServerSettings {
            max_body: 100,
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    assert!(
        said(&running, post(&"x".repeat(100)))
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_408_and_closed() {
    let limits = ServerSettings {
        body_timeout: Duration::from_millis(50),
        ..settings()
    };
    let mut running = serve(limits, Verdict::Accepted).await;
    let mut stream = connected(&running).await;
    let whole = post("<x>slow</x>");
    stream
        .write_all(&whole.as_bytes()[..whole.len() - 3])
        .await
        .unwrap();
    assert!(soon(rest(&mut stream)).await.starts_with("HTTP/1.1 408 "));
    assert!(running.seen.try_recv().is_err());
}

#[tokio::test]
async fn headers_that_do_not_end_and_silent_or_idle_connections_are_closed() {
    let limits = ServerSettings {
        header_timeout: Duration::from_millis(50),
        idle_timeout: Duration::from_millis(100),
        ..settings()
    };
    let running = serve(limits, Verdict::Accepted).await;
    for start in ["", "POST / HTTP/1.1\r\nHost: g"] {
        let mut stream = connected(&running).await;
        stream.write_all(start.as_bytes()).await.unwrap();
        assert_eq!(soon(rest(&mut stream)).await, "");
    }
    let mut stream = connected(&running).await;
    stream.write_all(post("<x/>").as_bytes()).await.unwrap();
    assert!(soon(head(&mut stream)).await.starts_with("HTTP/1.1 200"));
    assert_eq!(soon(rest(&mut stream)).await, "");
}

#[tokio::test]
async fn the_beginning_of_a_request_that_came_with_another_must_go_on_as_any() {
    let limits = ServerSettings {
        header_timeout: Duration::from_millis(50),
        idle_timeout: Duration::from_secs(3600),
        rest_after: Duration::ZERO,
        ..settings()
    };
    let running = serve(limits, Verdict::Accepted).await;
    let mut stream = connected(&running).await;
    let text = format!("{}POST / HTTP/1.1\r\nHost: g", post("<x/>"));
    stream.write_all(text.as_bytes()).await.unwrap();
    assert!(soon(head(&mut stream)).await.starts_with("HTTP/1.1 200"));
    assert_eq!(soon(rest(&mut stream)).await, "");
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let running = serve(settings(), Verdict::Accepted).await;
    for header in [
        format!("X-Long: {}\r\n", "y".repeat(1000)),
        "X: y\r\n".to_owned(),
    ] {
        let mut stream = connected(&running).await;
        let flood = format!("POST / HTTP/1.1\r\n{}\r\n", header.repeat(2000));
        let _ = stream.write_all(flood.as_bytes()).await;
        let answer = soon(rest(&mut stream)).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert!(
        said(&running, post("<x/>"))
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn garbage_alone_or_after_a_request_is_answered_400_and_closed() {
    let running = serve(settings(), Verdict::Accepted).await;
    let mut stream = connected(&running).await;
    stream
        .write_all(b"\x00\x01\x02 garbage\r\n\r\n")
        .await
        .unwrap();
    assert!(soon(rest(&mut stream)).await.starts_with("HTTP/1.1 400 "));

    let mut stream = connected(&running).await;
    let pipelined = format!("{}\x01\x02garbage garbage\r\n\r\n", post("<x/>"));
    stream.write_all(pipelined.as_bytes()).await.unwrap();
    let answers = soon(rest(&mut stream)).await;
    assert!(answers.starts_with("HTTP/1.1 200 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 400 "), "{answers}");
    assert!(
        said(&running, post("<x/>"))
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn a_connection_is_kept_and_pipelined_posts_are_answered_in_turn() {
    let mut running = serve(settings(), Verdict::Accepted).await;
    let mut stream = connected(&running).await;
    let three = format!("{}{}{}", post("<a/>"), post("<b/>"), post("<c/>"));
    stream.write_all(three.as_bytes()).await.unwrap();
    for body in ["<a/>", "<b/>", "<c/>"] {
        assert!(soon(head(&mut stream)).await.starts_with("HTTP/1.1 200"));
        assert_eq!(running.seen.recv().await.unwrap().body, body);
    }
}

#[tokio::test]
async fn a_connection_that_rests_goes_on_with_whatever_comes() {
    let mut running = serve(
        ServerSettings {
            rest_after: Duration::ZERO,
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    let mut stream = connected(&running).await;
    let text = post("<a/>");
    // Whole, cut within its head, and with the beginning of the next.
    let (begin, end) = text.split_at(40);
    let more = format!("{text}{begin}");
    for piece in [text.as_str(), begin, end, &more, end] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        if piece != begin {
            assert!(soon(head(&mut stream)).await.starts_with("HTTP/1.1 200"));
            assert_eq!(running.seen.recv().await.unwrap().body, "<a/>");
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    running.soft.cancel();
    assert_eq!(soon(rest(&mut stream)).await, "");
}

#[tokio::test]
async fn one_connection_too_many_is_told_503() {
    let running = serve_gated(
        ServerSettings {
            max_connections: 1,
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    let mut running = running;
    let mut first = connected(&running).await;
    first.write_all(post("<x/>").as_bytes()).await.unwrap();
    running.seen.recv().await.unwrap();
    let mut second = connected(&running).await;
    assert!(soon(rest(&mut second)).await.starts_with("HTTP/1.1 503 "));
    running.gate.add_permits(1);
    assert!(soon(head(&mut first)).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_client_hello_on_a_plain_port_is_answered_at_once() {
    let running = serve(settings(), Verdict::Accepted).await;
    let old_style = b"\x80\x2e\x01\x03\x01\x00\x15";
    for hello in [CLIENT_HELLO, old_style.as_slice()] {
        let mut stream = connected(&running).await;
        stream.write_all(hello).await.unwrap();
        let answer = soon(rest(&mut stream)).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{answer}"
        );
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let folder = certificates_for(&["localhost"]);
    let tls = Some(server_tls(&folder, "localhost"));
    let running = serve(
        ServerSettings {
            plain: false,
            tls,
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    let mut stream = connected(&running).await;
    stream.write_all(post("<x/>").as_bytes()).await.unwrap();
    let answer = soon(rest(&mut stream)).await;
    assert!(
        answer.starts_with("HTTP/1.1 426 This port speaks TLS only\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn one_port_serves_both_and_tls_can_be_switched_off_while_it_runs() {
    let folder = certificates_for(&["localhost"]);
    let tls = Some(server_tls(&folder, "localhost"));
    let mut running = serve(ServerSettings { tls, ..settings() }, Verdict::Accepted).await;
    assert!(
        said(&running, post("<a/>"))
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(!running.seen.recv().await.unwrap().tls);

    let connector = TlsConnector::from(client_tls(&folder.path("ca.pem")));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector
        .connect(name, connected(&running).await)
        .await
        .unwrap();
    stream.write_all(post("<b/>").as_bytes()).await.unwrap();
    assert!(soon(head(&mut stream)).await.starts_with("HTTP/1.1 200"));
    assert!(running.seen.recv().await.unwrap().tls);

    running.tls.replace(None);
    assert!(
        said(&running, CLIENT_HELLO)
            .await
            .starts_with("HTTP/1.1 400")
    );
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_is_ended() {
    let folder = certificates_for(&["localhost"]);
    let limits = ServerSettings {
        tls: Some(server_tls(&folder, "localhost")),
        tls_handshake_timeout: Duration::from_millis(50),
        ..settings()
    };
    let running = serve(limits, Verdict::Accepted).await;
    let mut stream = connected(&running).await;
    stream.write_all(CLIENT_HELLO).await.unwrap();
    assert_eq!(soon(rest(&mut stream)).await, "");
}

#[tokio::test]
async fn the_names_of_a_client_certificate_arrive() {
    let folder = certificates_for(&["localhost", "Village.example,sap.village.example,10.0.0.1"]);
    for (mode, expected) in [
        (ClientCertificates::None, vec![]),
        (
            ClientCertificates::Request,
            vec!["village.example", "sap.village.example"],
        ),
        (
            ClientCertificates::Require,
            vec!["village.example", "sap.village.example"],
        ),
    ] {
        let tls = server_config(&ServerTls {
            certificate: folder.path("localhost.pem"),
            key: folder.path("localhost.key"),
            client_ca: Some(folder.path("ca.pem")),
            client_certificates: mode,
        })
        .unwrap();
        let mut running = serve(
            ServerSettings {
                tls: Some(tls),
                ..settings()
            },
            Verdict::Accepted,
        )
        .await;
        let client = client_config(
            &ClientTls {
                ca: Some(folder.path("ca.pem")),
                certificate: Some(folder.path("Village.example.pem")),
                key: Some(folder.path("Village.example.key")),
                verify: true,
            },
            "test",
        )
        .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connected(&running).await;
        let mut stream = TlsConnector::from(client)
            .connect(name, stream)
            .await
            .unwrap();
        stream.write_all(post("<x/>").as_bytes()).await.unwrap();
        assert!(soon(head(&mut stream)).await.starts_with("HTTP/1.1 200"));
        assert_eq!(
            running.seen.recv().await.unwrap().client_names,
            expected,
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn a_soft_stop_finishes_the_exchange_in_flight_and_takes_no_more() {
    let mut running = serve_gated(settings(), Verdict::Accepted).await;
    let mut busy = connected(&running).await;
    busy.write_all(post("<x/>").as_bytes()).await.unwrap();
    running.seen.recv().await.unwrap();
    let mut idle = connected(&running).await;
    running.soft.cancel();
    assert_eq!(soon(rest(&mut idle)).await, "");
    assert!(!running.task.is_finished());
    running.gate.add_permits(1);
    let answer = soon(rest(&mut busy)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(busy);
    soon(running.task).await.unwrap();
    assert!(TcpStream::connect(running.addr).await.is_err());
}

#[tokio::test]
async fn a_hard_stop_drops_what_is_in_flight() {
    let mut running = serve_gated(settings(), Verdict::Accepted).await;
    let mut busy = connected(&running).await;
    busy.write_all(post("<x/>").as_bytes()).await.unwrap();
    running.seen.recv().await.unwrap();
    running.soft.cancel();
    running.hard.cancel();
    soon(running.task).await.unwrap();
    assert_eq!(soon(rest(&mut busy)).await, "");
}

#[tokio::test]
async fn a_port_that_serves_nothing_is_not_bound() {
    let error = bind(ServerSettings {
        plain: false,
        tls: None,
        ..settings()
    })
    .await
    .err()
    .unwrap();
    assert!(error.to_string().contains("neither plain HTTP nor TLS"));
}

#[tokio::test]
async fn a_stranger_with_many_slow_connections_leaves_room_for_everybody_else() {
    let mut running = serve(
        ServerSettings {
            max_of_one_address: 8,
            body_timeout: Duration::from_secs(600),
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    let from = |last| connected_from(last, running.addr);
    let whole = post("<x>slow</x>");
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut stream = from(9).await;
        let part = &whole.as_bytes()[..whole.len() - 3];
        stream.write_all(part).await.unwrap();
        slow.push(stream);
    }
    let mut more = from(9).await;
    assert!(soon(rest(&mut more)).await.starts_with("HTTP/1.1 503 "));
    let mut other = from(10).await;
    other.write_all(whole.as_bytes()).await.unwrap();
    assert!(soon(head(&mut other)).await.starts_with("HTTP/1.1 200 "));
    running.seen.recv().await.unwrap();
    // One that goes makes room for one that comes.
    drop(slow.pop());
    loop {
        let mut stream = from(9).await;
        let _ = stream.write_all(whole.as_bytes()).await;
        if soon(head(&mut stream)).await.starts_with("HTTP/1.1 200 ") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn strangers_cannot_take_the_last_quarter_of_the_connections() {
    let known = std::sync::Arc::new(wvgate::http::known::KnownAddresses::default());
    known.note([127, 0, 0, 20].into());
    let running = serve(
        ServerSettings {
            max_connections: 4,
            known: Some(known),
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    let from = |last| connected_from(last, running.addr);
    let mut strangers = Vec::new();
    for last in 11..14 {
        let mut stream = from(last).await;
        stream.write_all(b"POST / HT").await.unwrap();
        strangers.push(stream);
    }
    let mut fourth = from(14).await;
    assert!(soon(rest(&mut fourth)).await.starts_with("HTTP/1.1 503 "));
    let mut peer = from(20).await;
    peer.write_all(post("<x/>").as_bytes()).await.unwrap();
    assert!(soon(head(&mut peer)).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_body_slower_than_the_least_pace_is_answered_408_long_before_its_time_is_over() {
    let limits = ServerSettings {
        body_timeout: Duration::from_secs(3600),
        body_pace: 1 << 20,
        ..settings()
    };
    let running = serve(limits, Verdict::Accepted).await;
    let mut stream = connected(&running).await;
    let whole = post(&"x".repeat(1000));
    stream
        .write_all(&whole.as_bytes()[..whole.len() - 3])
        .await
        .unwrap();
    assert!(soon(rest(&mut stream)).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn bodies_under_way_are_bounded_in_bytes_all_together() {
    let mut running = serve_gated(
        ServerSettings {
            max_bytes: 40_000,
            ..settings()
        },
        Verdict::Accepted,
    )
    .await;
    // A stranger may have half of them.
    let body = "x".repeat(15_000);
    let mut first = connected(&running).await;
    first.write_all(post(&body).as_bytes()).await.unwrap();
    running.seen.recv().await.unwrap();
    let answer = said(&running, post(&body)).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    running.gate.add_permits(2);
    assert!(soon(head(&mut first)).await.starts_with("HTTP/1.1 200 "));
    // Given back with the answer.
    assert!(
        said(&running, post(&body))
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn only_ssp_in_no_coding_but_chunked_is_read() {
    let running = serve(settings(), Verdict::Accepted).await;
    let ask = |fields: &str| {
        format!("POST / HTTP/1.1\r\nHost: gw\r\n{fields}\r\n\r\n4\r\n<x/>\r\n0\r\n\r\n")
    };
    let ssp = "Content-Type: application/vnd.wv.ssp+xml";
    for (fields, status) in [
        (format!("{ssp}\r\nTransfer-Encoding: chunked"), 200),
        (format!("{ssp}EVIL\r\nTransfer-Encoding: chunked"), 415),
        (format!("{ssp}\r\nTransfer-Encoding: gzip, chunked"), 501),
        (
            format!("{ssp}\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked"),
            415,
        ),
    ] {
        let answer = said(&running, ask(&fields)).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{fields}: {answer}"
        );
    }
}
