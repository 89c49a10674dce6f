//! SSP's transport over real sockets: the listening side, the calling side, TLS between them.

mod certificates;
mod dns;
mod link;
mod routes;
mod server;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wvgate::http::devcerts::{self, Wanted};
use wvgate::http::server::{Inbound, Receiver, ServerSettings, TlsSwitch, Verdict, bind};
use wvgate::http::tls::{ClientTls, ServerTls, client_config, server_config};

/// Fails a test that hangs; no test depends on how long something takes.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("the test hangs")
}

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let path =
            std::env::temp_dir().join(format!("wvgate-http-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A folder with an authority and certificates for these names.
fn certificates_for(names: &[&str]) -> Folder {
    let folder = Folder::new();
    let wanted: Vec<Wanted> = names
        .iter()
        .map(|name| Wanted::parse(name).unwrap())
        .collect();
    devcerts::generate(&folder.0, &wanted, false, SystemTime::now()).unwrap();
    folder
}

fn server_tls(folder: &Folder, name: &str) -> Arc<rustls::ServerConfig> {
    server_config(&ServerTls {
        certificate: folder.path(&format!("{name}.pem")),
        key: folder.path(&format!("{name}.key")),
        client_ca: None,
        client_certificates: wvgate::http::tls::ClientCertificates::None,
    })
    .unwrap()
}

fn client_tls(ca: &Path) -> Arc<rustls::ClientConfig> {
    client_config(
        &ClientTls {
            ca: Some(ca.to_owned()),
            ..ClientTls::default()
        },
        "test",
    )
    .unwrap()
}

/// The floor above the server: one verdict for all, everything seen is passed on, and nothing is
/// decided before the gate gives a permit.
struct Desk {
    verdict: Verdict,
    seen: mpsc::UnboundedSender<Inbound>,
    gate: Arc<Semaphore>,
}

impl Receiver for Desk {
    async fn receive(&self, inbound: Inbound) -> Verdict {
        self.seen.send(inbound).ok();
        self.gate.acquire().await.unwrap().forget();
        self.verdict
    }
}

/// A running server and the hands on it.
struct Running {
    addr: SocketAddr,
    seen: mpsc::UnboundedReceiver<Inbound>,
    gate: Arc<Semaphore>,
    soft: CancellationToken,
    hard: CancellationToken,
    task: JoinHandle<()>,
    tls: TlsSwitch,
}

fn settings() -> ServerSettings {
    ServerSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        max_body: 64 * 1024,
        ..ServerSettings::default()
    }
}

async fn serve(settings: ServerSettings, verdict: Verdict) -> Running {
    let running = serve_gated(settings, verdict).await;
    running.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    running
}

async fn serve_gated(settings: ServerSettings, verdict: Verdict) -> Running {
    let server = bind(settings).await.unwrap();
    let addr = server.local_addr();
    let tls = server.tls_switch();
    let (seen_in, seen) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let desk = Desk {
        verdict,
        seen: seen_in,
        gate: Arc::clone(&gate),
    };
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let task = tokio::spawn(server.run(Arc::new(desk), soft.clone(), hard.clone()));
    Running {
        addr,
        seen,
        gate,
        soft,
        hard,
        task,
        tls,
    }
}

/// Reads one head (an answer without a body, or a request's head) up to the empty line, or what
/// there is before the end of the stream.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let mut byte = [0u8; 1];
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => text.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Everything up to the end of the stream.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}
