//! Reverse proxies that carry the same bodies: what an HTTP hop costs here and now.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Port};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::super::Failure;
use super::process::Watched;

/// A proxy that can be measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Proxy {
    /// nginx
    Nginx,
    /// `HAProxy`
    Haproxy,
}

/// What a proxy used for what it carried.
pub(super) struct Carried {
    pub(super) name: &'static str,
    /// CPU seconds for all exchanges.
    pub(super) cpu: f64,
    pub(super) seconds: f64,
    pub(super) rss_kib: u64,
}

/// A started proxy is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);

impl Proxy {
    fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// One process, one thread, no log, connections kept on both sides.
    fn config(self, folder: &Path, listen: u16, behind: u16) -> String {
        let folder = folder.display();
        match self {
            Self::Nginx => format!(
                "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr crit;\n\
                 events {{ worker_connections 4096; }}\n\
                 http {{\n access_log off;\n client_body_temp_path {folder}/nginx-body;\n \
                 proxy_temp_path {folder}/nginx-proxy;\n fastcgi_temp_path {folder}/nginx-1;\n \
                 uwsgi_temp_path {folder}/nginx-2;\n scgi_temp_path {folder}/nginx-3;\n \
                 keepalive_requests 100000000;\n keepalive_timeout 600s;\n \
                 upstream behind {{ server 127.0.0.1:{behind}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 600s; }}\n \
                 proxy_http_version 1.1;\n proxy_set_header Connection \"\";\n \
                 server {{ listen 127.0.0.1:{listen} backlog=4096; location / {{ proxy_pass http://behind; }} }}\n}}\n"
            ),
            Self::Haproxy => format!(
                "global\n nbthread 1\n maxconn 4000\ndefaults\n mode http\n timeout connect 5s\n \
                 timeout client 600s\n timeout server 600s\n timeout http-keep-alive 600s\n \
                 option http-keep-alive\n http-reuse always\nfrontend f\n \
                 bind 127.0.0.1:{listen} backlog 4096\n default_backend b\nbackend b\n \
                 server s 127.0.0.1:{behind} pool-max-conn -1\n"
            ),
        }
    }

    fn start(self, folder: &Path, listen: u16, behind: u16) -> Result<Child, Failure> {
        let file = folder.join(format!("{}.conf", self.name()));
        let failed = |error: std::io::Error| {
            Failure::Failed(format!(
                "cannot start {}: {error}; scripts/install-bench-tools.sh installs it",
                self.name()
            ))
        };
        let mut out = std::fs::File::create(&file).map_err(failed)?;
        out.write_all(self.config(folder, listen, behind).as_bytes())
            .map_err(failed)?;
        let mut command = match self {
            Self::Nginx => {
                let mut command = Command::new("nginx");
                command.arg("-p").arg(folder).arg("-c").arg(&file);
                command
            }
            Self::Haproxy => {
                let mut command = Command::new("haproxy");
                command.arg("-db").arg("-f").arg(&file);
                command
            }
        };
        // Debian keeps both where users' shells do not look.
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)
    }

    /// Lets the proxy carry each of `bodies` in turn, one a request, over `connections` kept open,
    /// `count` of them in all.
    pub(super) async fn carry(
        self,
        folder: &Path,
        bodies: &[Vec<u8>],
        count: u64,
        connections: u64,
    ) -> Result<Carried, Failure> {
        let behind = sink().await?;
        let listen = free_port()?;
        let child = self.start(folder, listen, behind.port())?;
        let mut watched = Watched::new(self.name(), child);
        let proxy = SocketAddr::from((Ipv4Addr::LOCALHOST, listen));
        wait_for(proxy, &mut watched).await?;
        let requests: Vec<Vec<u8>> = bodies.iter().map(|body| request(body)).collect();
        // Connections are made and buffers found before the clock starts.
        drive(proxy, &requests, connections * 20, connections).await?;
        let (cpu, start) = (watched.cpu(), Instant::now());
        drive(proxy, &requests, count, connections).await?;
        Ok(Carried {
            name: self.name(),
            cpu: watched.cpu() - cpu,
            seconds: start.elapsed().as_secs_f64(),
            rss_kib: watched.rss_kib(),
        })
    }
}

fn request(body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST / HTTP/1.1\r\nHost: relay.test\r\nConnection: keep-alive\r\n\
         Content-Type: application/vnd.wv.ssp+xml\r\nUser-Agent: wvgate\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

async fn drive(
    proxy: SocketAddr,
    requests: &[Vec<u8>],
    count: u64,
    connections: u64,
) -> Result<(), Failure> {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..connections {
        let share = count / connections + u64::from(number < count % connections);
        let requests = requests.to_vec();
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(proxy).await?;
            stream.set_nodelay(true)?;
            let mut buffer = Vec::with_capacity(4096);
            for request in requests
                .iter()
                .cycle()
                .take(usize::try_from(share).unwrap_or(0))
            {
                stream.write_all(request).await?;
                let head = read_head(&mut stream, &mut buffer).await?;
                if !head.starts_with("HTTP/1.1 200") {
                    return Err(std::io::Error::other(head));
                }
            }
            Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        let done = done.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        done.map_err(|error| Failure::Failed(format!("a request failed: {error}")))?;
    }
    Ok(())
}

/// Reads up to the end of a head and takes it out; answers have no body here.
async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = buffer.drain(..end + 4).collect::<Vec<u8>>();
            return Ok(String::from_utf8_lossy(&head).into_owned());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Answers every request 200 without a body.
async fn sink() -> Result<SocketAddr, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("cannot listen: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(swallow(stream));
        }
    });
    Ok(address)
}

async fn swallow(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let head = read_head(&mut stream, &mut buffer).await?;
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse::<usize>().ok())
            .unwrap_or(0);
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        buffer.drain(..length);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await?;
    }
}

async fn wait_for(proxy: SocketAddr, watched: &mut Watched) -> Result<(), Failure> {
    let start = Instant::now();
    loop {
        if TcpStream::connect(proxy).await.is_ok() {
            return Ok(());
        }
        if let Some(why) = watched.ended() {
            return Err(Failure::Failed(why));
        }
        if start.elapsed() > PATIENCE {
            return Err(Failure::Failed(format!("{} does not listen", watched.name)));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn free_port() -> Result<u16, Failure> {
    Port::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|port| port.local_addr())
        .map(|address| address.port())
        .map_err(|error| Failure::Failed(format!("cannot find a free port: {error}")))
}
