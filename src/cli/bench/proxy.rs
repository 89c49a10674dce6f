//! Reverse proxies that carry the same bodies: what an HTTP hop costs here and now.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::super::Failure;
use super::chain::free_port;
use super::posts::{self, Driver, Safe};
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
    /// What one body after the other took, once all of them; sorted.
    pub(super) rounds: Vec<Duration>,
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
    fn config(self, folder: &Path, listen: u16, behind: u16, tls: bool) -> String {
        let folder = folder.display();
        let (front, back) = (posts::FRONT, posts::BEHIND);
        match self {
            Self::Nginx => {
                let (scheme, ssl, safe) = if tls {
                    (
                        "https",
                        " ssl",
                        format!(
                            " ssl_certificate {folder}/{front}.pem;\n ssl_certificate_key {folder}/{front}.key;\n \
                             proxy_ssl_trusted_certificate {folder}/ca.pem;\n proxy_ssl_verify on;\n \
                             proxy_ssl_name {back};\n proxy_ssl_server_name on;\n"
                        ),
                    )
                } else {
                    ("http", "", String::new())
                };
                format!(
                    "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr crit;\n\
                 events {{ worker_connections 4096; }}\n\
                 http {{\n access_log off;\n client_body_temp_path {folder}/nginx-body;\n \
                 proxy_temp_path {folder}/nginx-proxy;\n fastcgi_temp_path {folder}/nginx-1;\n \
                 uwsgi_temp_path {folder}/nginx-2;\n scgi_temp_path {folder}/nginx-3;\n \
                 keepalive_requests 100000000;\n keepalive_timeout 600s;\n \
                 upstream behind {{ server 127.0.0.1:{behind}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 600s; }}\n \
                 proxy_http_version 1.1;\n proxy_set_header Connection \"\";\n \
                 server {{ listen 127.0.0.1:{listen} backlog=4096{ssl}; location / {{ proxy_pass {scheme}://behind; }} }}\n{safe}}}\n"
                )
            }
            Self::Haproxy => {
                let (bind, server) = if tls {
                    (
                        format!(" ssl crt {folder}/{front}.both"),
                        format!(" ssl verify required ca-file {folder}/ca.pem sni str({back})"),
                    )
                } else {
                    (String::new(), String::new())
                };
                format!(
                    "global\n nbthread 1\n maxconn 4000\ndefaults\n mode http\n timeout connect 5s\n \
                 timeout client 600s\n timeout server 600s\n timeout http-keep-alive 600s\n \
                 option http-keep-alive\n http-reuse always\nfrontend f\n \
                 bind 127.0.0.1:{listen} backlog 4096{bind}\n default_backend b\nbackend b\n \
                 server s 127.0.0.1:{behind} pool-max-conn -1{server}\n"
                )
            }
        }
    }

    fn start(self, folder: &Path, listen: u16, behind: u16, tls: bool) -> Result<Child, Failure> {
        let file = folder.join(format!("{}.conf", self.name()));
        let failed = |error: std::io::Error| {
            Failure::Failed(format!(
                "cannot start {}: {error}; scripts/install-bench-tools.sh installs it",
                self.name()
            ))
        };
        let mut out = std::fs::File::create(&file).map_err(failed)?;
        out.write_all(self.config(folder, listen, behind, tls).as_bytes())
            .map_err(failed)?;
        if tls && self == Self::Haproxy {
            join_certificate(folder).map_err(failed)?;
        }
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

    /// Lets the proxy carry all of `bodies`, one a request, `rounds` times, over `connections` kept
    /// open. With TLS certificates are in the folder.
    pub(super) async fn carry(
        self,
        folder: &Path,
        bodies: &[Vec<u8>],
        rounds: u64,
        connections: u64,
        tls: bool,
    ) -> Result<Carried, Failure> {
        let safe = if tls { Some(Safe::of(folder)?) } else { None };
        let behind = posts::sink(safe.as_ref()).await?;
        let listen = free_port()?;
        let child = self.start(folder, listen, behind.port(), tls)?;
        let mut watched = Watched::new(self.name(), child);
        let proxy = SocketAddr::from((Ipv4Addr::LOCALHOST, listen));
        wait_for(proxy, &mut watched).await?;
        let mut driver = Driver::connect(proxy, bodies, connections, safe.as_ref()).await?;
        // Connections are made and buffers found before the clock starts.
        driver.carry(connections * 10).await?;
        let (cpu, start) = (watched.cpu(), Instant::now());
        let rounds = driver.carry(rounds).await?;
        Ok(Carried {
            name: self.name(),
            cpu: watched.cpu() - cpu,
            seconds: start.elapsed().as_secs_f64(),
            rss_kib: watched.rss_kib(),
            rounds,
        })
    }
}

/// A certificate and its key in one file, as `HAProxy` wants them.
fn join_certificate(folder: &Path) -> std::io::Result<()> {
    let name = posts::FRONT;
    let mut both = std::fs::read(folder.join(format!("{name}.pem")))?;
    both.extend(std::fs::read(folder.join(format!("{name}.key")))?);
    std::fs::write(folder.join(format!("{name}.both")), both)
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
