use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that gives each connection the next of some answers, and says what it was asked.
async fn server(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let base = url.clone();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            asked.push(String::from_utf8(head).unwrap());
            let answer = answer.replace("HERE", &base);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        asked
    });
    (url, asked)
}

fn file(kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

async fn fetch(url: &str, most: u64, inside: &[String]) -> Result<Fetched, FetchFault> {
    let takes = |kind: &str| kind.starts_with("image/");
    let terms = Terms {
        takes: &takes,
        most,
        limit: Duration::from_secs(60),
        inside,
    };
    get(url, &terms).await
}

async fn from_inside(answers: Vec<String>, most: u64) -> Result<Fetched, FetchFault> {
    let (url, _asked) = server(answers).await;
    fetch(&format!("{url}/a.png"), most, &["127.0.0.1".to_owned()]).await
}

#[test]
fn only_addresses_of_the_open_internet_are_public() {
    for (address, public) in [
        ("9.9.9.9", true),
        ("172.15.0.1", true),
        ("172.32.0.1", true),
        ("100.63.0.1", true),
        ("2620:fe::fe", true),
        ("2001:4860::1", true),
        ("127.0.0.1", false),
        ("127.1.2.3", false),
        ("0.0.0.0", false),
        ("10.0.0.1", false),
        ("172.16.0.1", false),
        ("172.31.255.255", false),
        ("192.168.1.1", false),
        ("169.254.169.254", false),
        ("100.64.0.1", false),
        ("192.0.2.1", false),
        ("198.18.0.1", false),
        ("198.51.100.1", false),
        ("203.0.113.1", false),
        ("224.0.0.1", false),
        ("255.255.255.255", false),
        ("::1", false),
        ("::", false),
        ("::ffff:10.0.0.1", false),
        ("::ffff:9.9.9.9", false),
        ("64:ff9b::a00:1", false),
        ("fe80::1", false),
        ("fc00::1", false),
        ("fd12::1", false),
        ("ff02::1", false),
        ("2001:db8::1", false),
        ("2001::1", false),
        ("2002:a00:1::", false),
        ("3fff::1", false),
    ] {
        let parsed: IpAddr = address.parse().unwrap();
        assert_eq!(is_public(parsed), public, "{address}");
    }
}

#[tokio::test]
async fn nothing_is_asked_of_private_networks_whatever_they_are_called() {
    let (url, asked) = server(vec![file("image/png", "x")]).await;
    let port = url.rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"] {
        let outcome = fetch(&format!("http://{host}:{port}/a.png"), 100, &[]).await;
        assert!(
            matches!(
                outcome,
                Err(FetchFault::Forbidden(_) | FetchFault::Unreached(_))
            ),
            "{host}: {outcome:?}"
        );
    }
    for url in [
        "ftp://example.org/a.png",
        "file:///etc/passwd",
        "http://user@example.org/",
        "http://9.9.9.9:25/",
    ] {
        let outcome = fetch(url, 100, &[]).await;
        assert!(matches!(outcome, Err(FetchFault::Forbidden(_))), "{url}");
    }
    assert!(!asked.is_finished());
    asked.abort();
}

#[tokio::test]
async fn a_file_is_fetched_with_its_type() {
    let (url, asked) = server(vec![file("image/png", "picture")]).await;
    let fetched = fetch(&format!("{url}/a.png?x=1"), 7, &["127.0.0.1".to_owned()]).await;
    let fetched = fetched.unwrap();
    assert_eq!(fetched.content_type, "image/png");
    assert_eq!(fetched.bytes, "picture");
    let asked = asked.await.unwrap();
    assert!(
        asked[0].starts_with("GET /a.png?x=1 HTTP/1.1\r\n"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_is_too_large_or_of_another_type_is_not_taken() {
    let large = from_inside(vec![file("image/png", "pictures")], 7).await;
    assert_eq!(large, Err(FetchFault::TooLarge));
    let unsaid = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n\
                  8\r\npictures\r\n0\r\n\r\n";
    let large = from_inside(vec![unsaid.to_owned()], 7).await;
    assert_eq!(large, Err(FetchFault::TooLarge));
    let other = from_inside(vec![file("text/html", "<a/>")], 7).await;
    assert_eq!(other, Err(FetchFault::Type));
    let none = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".to_owned();
    assert_eq!(from_inside(vec![none], 7).await, Err(FetchFault::Type));
    let packed = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Encoding: gzip\r\n\
                  Content-Length: 1\r\n\r\nx";
    let packed = from_inside(vec![packed.to_owned()], 7).await;
    assert_eq!(packed, Err(FetchFault::Type));
    let gone = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
    let gone = from_inside(vec![gone], 7).await;
    assert_eq!(gone, Err(FetchFault::Status(StatusCode::NOT_FOUND)));
}

#[tokio::test]
async fn redirections_are_looked_at_like_the_first_url() {
    let there = vec![to("/b.png"), file("image/png", "x")];
    assert!(from_inside(there, 7).await.is_ok());
    for location in [
        "http://localhost:1/",
        "http://169.254.169.254/x",
        "ftp://x/",
    ] {
        let outcome = from_inside(vec![to(location)], 7).await;
        assert!(
            matches!(outcome, Err(FetchFault::Forbidden(_))),
            "{location}: {outcome:?}"
        );
    }
    let round = vec![to("/"); MAX_REDIRECTS + 1];
    let outcome = from_inside(round, 7).await;
    assert!(matches!(outcome, Err(FetchFault::Forbidden(_))));
}
