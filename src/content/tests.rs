//! The store in a folder of its own, with a clock that stands still, and its port.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::element::Time;
use crate::http::server::{self, ServerSettings};

const START: u64 = 1_700_000_000_000;
static NUMBER: AtomicU64 = AtomicU64::new(0);

struct World {
    folder: PathBuf,
    now: Arc<AtomicU64>,
    contents: Contents,
    address: Option<SocketAddr>,
    stop: CancellationToken,
}

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

fn settings(folder: &std::path::Path) -> ContentSettings {
    ContentSettings {
        folder: folder.to_owned(),
        url: "https://files.test/".to_owned(),
        max_size: 100_000,
        max_files: 3,
        max_user_bytes: 150_000,
        max_bytes: 200_000,
        keep: Duration::from_secs(3600),
        slot_life: Duration::from_secs(300),
        types: vec!["image/*".to_owned(), "application/pdf".to_owned()],
    }
}

/// Of this type any bytes are taken.
const RAW: &str = "image/x-raw";
/// As what each picture of that type begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

fn wanted(name: &str, content_type: &str, size: u64) -> Wanted {
    Wanted {
        name: name.to_owned(),
        content_type: content_type.to_owned(),
        size,
    }
}

impl World {
    fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("wvgate-content-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let now = Arc::new(AtomicU64::new(START));
        let contents = open(&folder, &now);
        Self {
            folder,
            now,
            contents,
            address: None,
            stop: CancellationToken::new(),
        }
    }

    async fn serving(settings: ServerSettings) -> Self {
        let mut world = Self::new();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = ServerSettings { listen, ..settings };
        let server = server::bind(settings).await.unwrap();
        world.address = Some(server.local_addr());
        let web = Arc::new(Web::of(world.contents.clone()));
        tokio::spawn(server.serve(web, world.stop.clone(), world.stop.clone()));
        world
    }

    fn restart(&mut self) {
        self.contents = open(&self.folder, &self.now);
    }

    fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    fn slot(&self, user: &str, size: u64) -> Result<Slot, Refusal> {
        self.contents.slot(user, &wanted("a.raw", RAW, size))
    }

    /// A file of a user that is there; the path of its URL.
    async fn shared(&self, user: &str, bytes: &[u8]) -> String {
        let slot = self.slot(user, bytes.len() as u64).unwrap();
        let reply = self.put(&slot, bytes).await;
        assert_eq!(reply.status, 201);
        path(&slot.get)
    }

    async fn put(&self, slot: &Slot, bytes: &[u8]) -> Reply {
        let head = format!(
            "PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            path(&slot.put),
            bytes.len()
        );
        self.say(&[head.as_bytes(), bytes].concat()).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).await
    }

    async fn ask(&self, method: &str, path: &str) -> Reply {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        self.say(head.as_bytes()).await
    }

    async fn say(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address.unwrap()).await.unwrap();
        // It may answer and close before it has read all.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.expect("an answer");
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        Reply {
            status: head[9..12].parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: answer[end + 4..].to_vec(),
        }
    }

    /// Files below the folder.
    fn files(&self) -> Vec<PathBuf> {
        let list = |folder: &PathBuf| {
            let all = std::fs::read_dir(folder).unwrap();
            all.map(|file| file.unwrap().path()).collect::<Vec<_>>()
        };
        let mut files = list(&self.folder);
        files.extend(list(&self.folder.join("incoming")));
        files.retain(|file| file.is_file());
        files
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn open(folder: &std::path::Path, now: &Arc<AtomicU64>) -> Contents {
    let now = Arc::clone(now);
    let now = Arc::new(move || Time(now.load(Ordering::Relaxed)));
    Contents::open(settings(folder), now).unwrap()
}

fn path(url: &str) -> String {
    url.strip_prefix("https://files.test").unwrap().to_owned()
}

#[tokio::test]
async fn a_file_is_uploaded_once_and_fetched_by_whoever_has_its_url() {
    let world = World::serving(ServerSettings::default()).await;
    let mut bytes: Vec<u8> = (0..90_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    bytes[..8].copy_from_slice(PNG);
    let slot = world
        .contents
        .slot("alice", &wanted("my cät.png", "Image/PNG", 90_000))
        .unwrap();
    assert!(slot.get.ends_with("/my%20c%C3%A4t.png"), "{}", slot.get);
    assert_eq!(world.get(&path(&slot.get)).await.status, 404);
    assert_eq!(world.put(&slot, &bytes).await.status, 201);
    let reply = world.get(&path(&slot.get)).await;
    assert_eq!((reply.status, reply.body == bytes), (200, true));
    for field in [
        "content-type: image/png",
        "content-length: 90000",
        "content-disposition: inline; filename*=utf-8''my%20c%c3%a4t.png",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'; sandbox",
        "referrer-policy: no-referrer",
    ] {
        assert!(reply.head.contains(field), "{field}: {}", reply.head);
    }
    let head = world.ask("HEAD", &path(&slot.get)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.head.contains("content-length: 90000"), "{}", head.head);
    // The name is only for people.
    let short = path(&slot.get);
    let short = short.rsplit_once('/').unwrap().0;
    assert_eq!(world.get(short).await.status, 200);
    // Neither again nor elsewhere.
    assert_eq!(world.put(&slot, &bytes).await.status, 404);
    let other = Slot {
        put: slot.get.clone(),
        ..slot.clone()
    };
    assert_eq!(world.put(&other, &bytes).await.status, 404);
    assert_eq!(world.get(&path(&slot.put)).await.status, 404);
    // What is not shown in place is saved.
    let slot = world
        .contents
        .slot("alice", &wanted("a.pdf", "application/pdf", 3));
    let slot = slot.unwrap();
    assert_eq!(world.put(&slot, b"pdf").await.status, 201);
    let reply = world.get(&path(&slot.get)).await;
    assert!(
        reply.head.contains("content-disposition: attachment"),
        "{}",
        reply.head
    );
}

#[tokio::test]
async fn an_upload_is_what_its_slot_says_or_nothing() {
    let world = World::serving(ServerSettings::default()).await;
    let slot = world.slot("alice", 10).unwrap();
    let to = path(&slot.put);
    let with = |fields: &str, body: &str| {
        format!("PUT {to} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n{body}")
    };
    for (request, expected) in [
        (with("Content-Length: 11\r\n", "01234567890"), 413),
        (with("Content-Length: 9\r\n", "012345678"), 400),
        (with("Content-Length: 0\r\n", ""), 400),
        (
            with(
                "Transfer-Encoding: chunked\r\n",
                "b\r\n01234567890\r\n0\r\n\r\n",
            ),
            413,
        ),
        (
            with("Transfer-Encoding: chunked\r\n", "3\r\n012\r\n0\r\n\r\n"),
            400,
        ),
        (
            with(
                "Content-Type: text/html\r\nContent-Length: 10\r\n",
                "0123456789",
            ),
            415,
        ),
        (
            with(
                "Content-Encoding: gzip\r\nContent-Length: 10\r\n",
                "0123456789",
            ),
            400,
        ),
        (
            with(
                "Content-Range: bytes 0-9/20\r\nContent-Length: 10\r\n",
                "0123456789",
            ),
            400,
        ),
    ] {
        assert_eq!(
            world.say(request.as_bytes()).await.status,
            expected,
            "{request}"
        );
        assert_eq!(world.get(&path(&slot.get)).await.status, 404);
    }
    assert_eq!(world.files(), Vec::<PathBuf>::new());
    // What was refused has not used the slot up.
    let chunked = with(
        "Content-Type: image/x-raw\r\nTransfer-Encoding: chunked\r\n",
        "4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
    );
    assert_eq!(world.say(chunked.as_bytes()).await.status, 201);
    assert_eq!(world.get(&path(&slot.get)).await.body, b"0123456789");
}

#[tokio::test]
async fn a_picture_is_one_by_its_bytes_too_or_nothing() {
    let world = World::serving(ServerSettings::default()).await;
    let picture = [PNG, b"and so on"].concat();
    let size = picture.len() as u64;
    let slot = |kind| world.contents.slot("alice", &wanted("a", kind, size));
    let page = b"<script>x</script>".to_vec();
    assert_eq!(page.len(), picture.len() + 1);
    for (kind, bytes, status) in [
        ("image/png", &page[..page.len() - 1], 415),
        ("image/jpeg", &picture, 415),
        ("image/png", &picture, 201),
    ] {
        let slot = slot(kind).unwrap();
        assert_eq!(world.put(&slot, bytes).await.status, status, "{kind}");
        let got = world.get(&path(&slot.get)).await;
        assert_eq!(got.status, if status == 201 { 200 } else { 404 });
        // What was refused has not used the slot up.
        if kind == "image/png" && status == 415 {
            assert_eq!(world.put(&slot, &picture).await.status, 201);
        }
    }
    assert_eq!(world.contents.used().0, 2);
}

#[tokio::test]
async fn nothing_else_is_served() {
    let world = World::serving(ServerSettings::default()).await;
    let file = world.shared("alice", b"abc").await;
    std::fs::write(world.folder.join("secret"), "secret").unwrap();
    let token = "x".repeat(43);
    for (method, path, expected) in [
        ("GET", "/".to_owned(), 404),
        ("GET", "/secret".to_owned(), 404),
        ("GET", format!("/{token}"), 404),
        ("GET", format!("/{}/..%2f..%2fsecret", &token[..40]), 404),
        ("GET", "/incoming".to_owned(), 404),
        (
            "GET",
            format!("{}.json", file.trim_end_matches("/a.raw")),
            404,
        ),
        ("GET", format!("{file}/more"), 404),
        ("HEAD", format!("/{token}"), 404),
        ("POST", file.clone(), 405),
        ("DELETE", file.clone(), 405),
        ("OPTIONS", file.clone(), 405),
    ] {
        let reply = world.ask(method, &path).await;
        assert_eq!(reply.status, expected, "{method} {path}");
        assert!(reply.head.contains("nosniff"), "{method} {path}");
    }
    assert_eq!(world.get(&file).await.body, b"abc");
}

#[tokio::test]
async fn a_file_survives_a_restart_and_what_a_crash_has_left_is_swept() {
    let mut world = World::serving(ServerSettings::default()).await;
    let file = world.shared("alice", b"abc").await;
    let open = world.slot("alice", 5).unwrap();
    let whole: Vec<PathBuf> = world.files();
    assert_eq!(whole.len(), 2);
    // Killed at each step of an upload.
    let token = |letter: &str| world.folder.join(letter.repeat(43));
    std::fs::write(world.folder.join("incoming").join("u".repeat(43)), "ab").unwrap();
    std::fs::write(token("b"), "no description").unwrap();
    let description = std::fs::read(whole.iter().find(|f| f.extension().is_some()).unwrap());
    let description = description.unwrap();
    std::fs::write(token("c").with_extension("json"), &description).unwrap();
    std::fs::write(token("d").with_extension("json"), &description).unwrap();
    std::fs::write(token("d"), "too long").unwrap();
    std::fs::write(token("e").with_extension("json"), "{").unwrap();
    std::fs::write(world.folder.join("README"), "the operator's own").unwrap();
    world.restart();
    let mut left = world.files();
    left.retain(|file| !file.ends_with("README"));
    left.sort();
    let mut expected = whole;
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(world.contents.used(), (1, 3));
    let (entry, _) = world.contents.read(&file[1..44]).await.unwrap();
    assert_eq!(entry.what, wanted("a.raw", RAW, 3));
    // A slot was in memory alone.
    assert!(world.contents.upload(&path(&open.put)[1..]).await.is_none());
}

#[tokio::test]
async fn a_file_expires_and_a_slot_does() {
    let world = World::serving(ServerSettings::default()).await;
    let file = world.shared("alice", b"abc").await;
    let slot = world.slot("alice", 3).unwrap();
    world.wait(301);
    assert_eq!(world.put(&slot, b"abc").await.status, 404);
    assert_eq!(world.get(&file).await.status, 200);
    world.wait(3300);
    assert_eq!(world.get(&file).await.status, 404);
    world.contents.expire().await;
    assert_eq!(world.contents.used(), (0, 0));
    assert_eq!(world.files(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_is_not_shared_any_more_is_deleted_and_only_by_its_owner() {
    let world = World::serving(ServerSettings::default()).await;
    let (first, second) = (
        world.shared("alice", b"abc").await,
        world.shared("alice", b"def").await,
    );
    let others = world.shared("bob", b"ghi").await;
    let url = |path: &str| format!("https://files.test{path}");
    let named = [url(&first), url(&others), "https://else.test/x".to_owned()];
    world.contents.discard("alice", Some(&named));
    assert_eq!(world.get(&first).await.status, 404);
    assert_eq!(world.get(&second).await.status, 200);
    assert_eq!(world.get(&others).await.status, 200);
    // A user who is removed leaves neither files nor slots.
    let slot = world.slot("alice", 3).unwrap();
    world.contents.discard("alice", None);
    assert_eq!(world.put(&slot, b"abc").await.status, 404);
    assert_eq!(world.get(&second).await.status, 404);
    assert_eq!(world.contents.used(), (1, 3));
}

#[test]
fn what_may_be_shared_is_bounded_for_a_file_a_user_and_all() {
    let world = World::new();
    let ask = |name: &str, kind: &str, size| world.contents.slot("x", &wanted(name, kind, size));
    let long = "x".repeat(201);
    for (name, kind, size, expected) in [
        ("a", "image/png", 0, Refusal::Size(100_000)),
        ("a", "image/png", 100_001, Refusal::Size(100_000)),
        ("a", "text/plain", 1, Refusal::Type("text/plain".to_owned())),
        (
            "a",
            "image/svg+xml",
            1,
            Refusal::Type("image/svg+xml".to_owned()),
        ),
        ("a", "png", 1, Refusal::Type("png".to_owned())),
        ("", "image/png", 1, Refusal::Name),
        ("../a", "image/png", 1, Refusal::Name),
        ("a\r\nb", "image/png", 1, Refusal::Name),
        (&long, "image/png", 1, Refusal::Name),
    ] {
        assert_eq!(
            ask(name, kind, size).unwrap_err(),
            expected,
            "{name} {kind}"
        );
    }
    let slot = |user, size| world.slot(user, size).map(|_| ());
    assert_eq!(slot("alice", 100_000), Ok(()));
    assert_eq!(slot("alice", 50_001), Err(Refusal::Bytes(150_000)));
    assert_eq!(slot("alice", 1), Ok(()));
    assert_eq!(slot("alice", 1), Ok(()));
    assert_eq!(slot("alice", 1), Err(Refusal::Files(3)));
    assert_eq!(slot("bob", 99_999), Err(Refusal::Full));
    // What was never uploaded gives its room back.
    world.wait(301);
    assert_eq!(slot("bob", 99_999), Ok(()));
    assert_eq!(slot("alice", 100_000), Ok(()));
}

#[tokio::test]
async fn a_slot_is_of_one_upload_at_a_time() {
    let world = World::new();
    let slot = world.slot("alice", 50_000).unwrap();
    let upload = world.contents.upload(&path(&slot.put)[1..]).await;
    let upload = upload.unwrap().unwrap();
    // Nobody else may use the slot meanwhile; when it has broken off, they may.
    assert!(world.contents.upload(&path(&slot.put)[1..]).await.is_none());
    drop(upload);
    assert!(world.contents.upload(&path(&slot.put)[1..]).await.is_some());
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let settings = ServerSettings {
        max_of_one_address: 1,
        ..ServerSettings::default()
    };
    let world = World::serving(settings).await;
    let mut first = TcpStream::connect(world.address.unwrap()).await.unwrap();
    first
        .write_all(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 12];
    first.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"HTTP/1.1 404");
    assert_eq!(world.get("/x").await.status, 503);
}
