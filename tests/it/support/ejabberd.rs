//! A private ejabberd on loopback: own configuration, own database, own free ports, no distribution.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::cluster::{Folder, free_port};

const INSTALL: &str = "run scripts/install-test-tools.sh first";
const START_TIME: Duration = Duration::from_secs(120);

/// A running server; it ends with the value.
pub(crate) struct Ejabberd {
    folder: Folder,
    /// Port for clients.
    pub c2s_port: u16,
    /// Port for components.
    pub component_port: u16,
    /// Port of the upload service, for files of up to 55 kB.
    pub http_port: u16,
    child: Child,
}

impl Ejabberd {
    /// Starts a server for `host` with users and components (each with its secret), and waits until
    /// it answers. All components share a listener; with `global_routes` each connection gets the
    /// stanzas of all of them.
    pub(crate) fn start(
        host: &str,
        users: &[(&str, &str)],
        components: &[(&str, &str)],
        global_routes: bool,
    ) -> Self {
        let mut listener = format!(
            "  -\n    port: 5347\n    ip: \"127.0.0.1\"\n    module: ejabberd_service\n    \
             global_routes: {global_routes}\n    hosts:\n"
        );
        for (domain, secret) in components {
            let _ = writeln!(listener, "      {domain}:\n        password: \"{secret}\"");
        }
        let modules = "  mod_disco: {}\n  mod_http_upload:\n    access: all\n    \
             put_url: \"https://@HOST@:5443/upload\"\n    max_size: 55000\n";
        Self::start_with(host, users, &listener, modules)
    }

    /// Starts one with a listener for components on port 5347, and modules, as somebody has written
    /// them down; ports are replaced by free ones.
    pub(crate) fn start_with(
        host: &str,
        users: &[(&str, &str)],
        listener: &str,
        modules: &str,
    ) -> Self {
        let folder = Folder::new("ejabberd");
        let (c2s_port, component_port, http_port) = (free_port(), free_port(), free_port());
        let listener = listener.replace("5347", &component_port.to_string());
        let uploads = format!("http://127.0.0.1:{http_port}/upload");
        let modules = modules.replace("https://@HOST@:5443/upload", &uploads);
        let config = format!(
            "hosts: [\"{host}\"]\nloglevel: info\nauth_method: internal\nauth_password_format: plain\n\
             listen:\n  -\n    port: {c2s_port}\n    ip: \"127.0.0.1\"\n    module: ejabberd_c2s\n    \
             starttls: false\n  -\n    port: {http_port}\n    ip: \"127.0.0.1\"\n    module: \
             ejabberd_http\n    request_handlers:\n      /upload: mod_http_upload\n{listener}\
             shaper_rules: {{}}\nacl: {{}}\naccess_rules: {{}}\nmodules:\n{modules}    docroot: \"{}\"\n  \
             mod_roster: {{}}\n  mod_muc: {{}}\n  mod_ping: {{}}\n  mod_offline: {{}}\n  mod_caps: {{}}\n  \
             mod_vcard:\n    search: true\n    hosts: [\"vjud.@HOST@\"]\n  mod_vcard_xupdate: {{}}\n  \
             mod_pubsub:\n    plugins:\n      - flat\n      - pep\n",
            folder.0.join("uploads").display()
        );
        let path = |name: &str| folder.0.join(name);
        fs::write(path("ejabberd.yml"), config).expect("write the configuration");
        let child = Self::boot(&folder.0, host, users);
        let mut server = Self {
            folder,
            c2s_port,
            component_port,
            http_port,
            child,
        };
        server.wait();
        server
    }

    fn boot(folder: &Path, host: &str, users: &[(&str, &str)]) -> Child {
        let mut register = String::new();
        for (user, password) in users {
            let _ = write!(
                register,
                "ok = ejabberd_auth:try_register(<<\"{user}\">>, <<\"{host}\">>, <<\"{password}\">>), "
            );
        }
        let start = format!(
            "{{ok, _}} = application:ensure_all_started(ejabberd), {register}\
             ok = file:write_file(\"{}\", <<>>).",
            folder.join("ready").display()
        );
        let text = |path: PathBuf| format!("\"{}\"", path.display());
        Command::new("erl")
            .args(["-noinput", "-boot", "start_sasl", "-pa"])
            .arg(libraries())
            .args(["-mnesia", "dir"])
            .arg(text(folder.join("database")))
            .args(["-ejabberd", "config"])
            .arg(text(folder.join("ejabberd.yml")))
            .args(["-ejabberd", "log_path"])
            .arg(text(folder.join("ejabberd.log")))
            .args(["-sasl", "sasl_error_logger", "false", "-eval", &start])
            .env("HOME", folder)
            .env("ERL_CRASH_DUMP", "/dev/null")
            .stdin(Stdio::null())
            .stdout(fs::File::create(folder.join("out.log")).expect("a log"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start ejabberd ({e}): {INSTALL}"))
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + START_TIME;
        let listens =
            |port: u16| TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok();
        while !(self.folder.0.join("ready").exists()
            && listens(self.c2s_port)
            && listens(self.component_port))
        {
            let ended = self.child.try_wait().ok().flatten();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "ejabberd does not start ({ended:?}); {}\n{}",
                self.log("out.log"),
                self.log("ejabberd.log")
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.0.join(name)).unwrap_or_default()
    }

    /// `host:port` for components.
    pub(crate) fn component_address(&self) -> String {
        format!("127.0.0.1:{}", self.component_port)
    }
}

impl Drop for Ejabberd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where Debian has ejabberd's own modules; its libraries are where Erlang looks by itself.
fn libraries() -> PathBuf {
    let roots = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ];
    let found = roots.iter().flat_map(fs::read_dir).flatten().flatten();
    found
        .map(|entry| entry.path())
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("ejabberd-") && path.join("ebin").exists()
        })
        .map(|path| path.join("ebin"))
        .unwrap_or_else(|| panic!("ejabberd is not installed: {INSTALL}"))
}
