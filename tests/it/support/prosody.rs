//! A private Prosody on loopback: own configuration, own data, own free ports.
//!
//! Ports and data survive [`Prosody::kill`] and [`Prosody::start`], so a restart is seen by
//! clients as the same server. Everything is removed when the value is dropped; set
//! `KEEP_PROSODY` in the environment to keep the folder (its path is printed).

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::cluster::free_port;

const INSTALL: &str = "run scripts/install-test-tools.sh first";
const START_TIME: Duration = Duration::from_secs(30);

/// What the server is to offer.
#[derive(Default)]
pub(crate) struct Builder {
    hosts: String,
    users: Vec<(String, String, String)>,
}

/// A running (or killed) server.
pub(crate) struct Prosody {
    dir: PathBuf,
    /// Port for clients.
    pub c2s_port: u16,
    /// Port for components.
    pub component_port: u16,
    child: Option<Child>,
}

impl Builder {
    /// A virtual host.
    pub(crate) fn host(mut self, host: &str) -> Self {
        let _ = writeln!(self.hosts, "VirtualHost \"{host}\"");
        self
    }

    /// A user of a virtual host.
    pub(crate) fn user(mut self, user: &str, host: &str, password: &str) -> Self {
        self.users.push((user.into(), host.into(), password.into()));
        self
    }

    /// An external component with its secret.
    pub(crate) fn component(mut self, domain: &str, secret: &str) -> Self {
        let _ = writeln!(
            self.hosts,
            "Component \"{domain}\"\n\tcomponent_secret = \"{secret}\""
        );
        self
    }

    /// Hosts and components as somebody has written them down.
    pub(crate) fn lines(mut self, lines: &str) -> Self {
        self.hosts.push_str(lines);
        self
    }

    /// A setting of the whole server.
    pub(crate) fn setting(mut self, line: &str) -> Self {
        self.hosts = format!("{line}\n{}", self.hosts);
        self
    }

    /// An upload service on a port of this machine, for files of up to 55 kB.
    pub(crate) fn file_share(mut self, domain: &str, port: u16) -> Self {
        let _ = writeln!(
            self.hosts,
            "Component \"{domain}\" \"http_file_share\"\n\thttp_file_share_size_limit = 55000"
        );
        self.setting(&format!(
            "http_ports = {{ {port} }}\nhttp_interfaces = {{ \"127.0.0.1\" }}\n\
             http_default_host = \"{domain}\"\nhttp_external_url = \"http://127.0.0.1:{port}/\""
        ))
    }

    /// A chat room service.
    pub(crate) fn muc(mut self, domain: &str) -> Self {
        let _ = writeln!(self.hosts, "Component \"{domain}\" \"muc\"");
        self
    }

    /// Writes configuration and users, starts the server and waits until it answers.
    pub(crate) fn start(self) -> Prosody {
        let dir = fresh_dir();
        let (c2s_port, component_port) = (free_port(), free_port());
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let config = fs::read_to_string(root.join("config/prosody/prosody.cfg.lua.in"))
            .expect("the configuration template")
            .replace("@DIR@", &dir.display().to_string())
            .replace("@C2S_PORT@", &c2s_port.to_string())
            .replace("@COMPONENT_PORT@", &component_port.to_string());
        fs::write(dir.join("prosody.cfg.lua"), config).expect("write the configuration");
        fs::write(dir.join("hosts.cfg.lua"), &self.hosts).expect("write the hosts");
        for (user, host, password) in &self.users {
            let folder = dir.join("data").join(encode(host)).join("accounts");
            fs::create_dir_all(&folder).expect("create the accounts folder");
            let account = format!("return {{ [\"password\"] = \"{password}\" }};\n");
            fs::write(folder.join(format!("{}.dat", encode(user))), account)
                .expect("write an account");
        }
        let mut prosody = Prosody {
            dir,
            c2s_port,
            component_port,
            child: None,
        };
        prosody.start();
        prosody
    }
}

impl Prosody {
    /// Begins the description of a server.
    pub(crate) fn build() -> Builder {
        Builder::default()
    }

    /// Starts the server (again) and waits until it answers.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "Prosody runs already");
        let _ = fs::remove_file(self.dir.join("prosody.pid"));
        let child = Command::new("prosody")
            .arg("-F")
            .arg("--config")
            .arg(self.dir.join("prosody.cfg.lua"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start prosody ({e}): {INSTALL}"));
        self.child = Some(child);
        let deadline = Instant::now() + START_TIME;
        for port in [self.c2s_port, self.component_port] {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            while TcpStream::connect(address).is_err() {
                let ended = self
                    .child
                    .as_mut()
                    .and_then(|c| c.try_wait().ok().flatten());
                assert!(
                    ended.is_none() && Instant::now() < deadline,
                    "prosody does not listen on {port} ({ended:?}); its log:\n{}",
                    self.log()
                );
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// `host:port` for components.
    pub(crate) fn component_address(&self) -> String {
        format!("127.0.0.1:{}", self.component_port)
    }

    /// The server's log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("prosody.log")).unwrap_or_default()
    }
}

impl Drop for Prosody {
    fn drop(&mut self) {
        self.kill();
        if std::env::var_os("KEEP_PROSODY").is_some() {
            println!("kept {}", self.dir.display());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

fn fresh_dir() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "wvgate-prosody-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let dir = std::env::temp_dir().join(name);
    fs::create_dir_all(&dir).expect("create a temporary folder");
    dir
}

/// File names as Prosody's internal storage makes them.
fn encode(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}
