//! XMPP servers whose users do the same as ours: what a message costs there, here and now.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::super::Failure;
use super::chain::free_port;
use super::gateway::SECRET;
use super::home::Figures;
use super::process::Watched;
use super::xmpp_user::{DOMAIN, PASSWORD, XmppUser, name};

/// A started server is waited for so long.
const PATIENCE: Duration = Duration::from_secs(180);
/// And so long for all of what its users do.
const ALL: Duration = Duration::from_secs(600);

/// A server that can be measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Server {
    /// Prosody
    Prosody,
    /// ejabberd
    Ejabberd,
}

/// What a server is to have.
pub(super) struct Needs<'n> {
    /// Port for its users.
    pub(super) c2s: u16,
    pub(super) users: usize,
    /// Port for components, and their names; their secret is one.
    pub(super) components: Option<(u16, &'n [&'n str])>,
}

/// What its users do.
pub(super) struct Work {
    pub(super) messages: u64,
    pub(super) pairs: usize,
    pub(super) watchers: usize,
    pub(super) changes: u64,
}

impl Server {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Prosody => "prosody",
            Self::Ejabberd => "ejabberd",
        }
    }

    /// Starts one in a folder, with as many users as are needed, and lets them work.
    pub(super) async fn measure(self, folder: &Path, work: &Work) -> Result<Figures, Failure> {
        let port = free_port()?;
        let needs = Needs {
            c2s: port,
            users: (2 * work.pairs).max(work.watchers + 1),
            components: None,
        };
        let process = self.serve(folder, &needs).await?;
        let done = tokio::time::timeout(ALL, work.all(port, &process)).await;
        done.map_err(|_| {
            let name = self.name();
            Failure::Failed(format!("the users of {name} do not come to an end"))
        })?
    }

    /// Starts one in a folder of a folder, and waits until it serves.
    pub(super) async fn serve(self, folder: &Path, needs: &Needs<'_>) -> Result<Watched, Failure> {
        let folder = folder.join(self.name());
        let child = self.start(&folder, needs).map_err(|error| {
            Failure::Failed(format!(
                "cannot start {}: {error}; scripts/install-bench-tools.sh installs it",
                self.name()
            ))
        })?;
        let mut process = Watched::new(self.name(), child);
        let components = needs.components.map(|(port, _)| port);
        for port in std::iter::once(needs.c2s).chain(components) {
            wait_for(port, &folder.join("ready"), &mut process).await?;
        }
        Ok(process)
    }

    fn start(self, folder: &Path, needs: &Needs<'_>) -> std::io::Result<Child> {
        std::fs::create_dir_all(folder)?;
        let mut command = match self {
            Self::Prosody => prosody(folder, needs)?,
            Self::Ejabberd => ejabberd(folder, needs)?,
        };
        command
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// As Debian has it, with what messages and presence need, and without TLS.
fn prosody(folder: &Path, needs: &Needs<'_>) -> std::io::Result<Command> {
    let (port, users) = (needs.c2s, needs.users);
    let (mut components, mut component_port) = (String::new(), 0);
    if let Some((port, names)) = needs.components {
        component_port = port;
        for name in names {
            let _ = write!(
                components,
                "Component \"{name}\"\n  component_secret = \"{SECRET}\"\n"
            );
        }
    }
    let config = folder.join("prosody.cfg.lua");
    let place = folder.display();
    std::fs::write(
        &config,
        format!(
            "run_as_root = true\npidfile = \"{place}/prosody.pid\"\ndata_path = \"{place}/data\"\n\
             log = {{ error = \"{place}/prosody.log\" }}\ninterfaces = {{ \"127.0.0.1\" }}\n\
             local_interfaces = {{ \"127.0.0.1\" }}\nc2s_ports = {{ {port} }}\n\
             c2s_direct_tls_ports = {{}}\nlegacy_ssl_ports = {{}}\ns2s_ports = {{}}\ncomponent_ports = {{ {component_port} }}\nhttp_ports = {{}}\n\
             https_ports = {{}}\nc2s_require_encryption = false\nallow_unencrypted_plain_auth = true\n\
             authentication = \"internal_plain\"\nstorage = \"internal\"\n\
             modules_enabled = {{ \"roster\", \"saslauth\", \"presence\", \"message\", \"iq\", \"offline\", \"posix\" }}\n\
             modules_disabled = {{ \"s2s\", \"tls\" }}\nVirtualHost \"{DOMAIN}\"\n{components}"
        ),
    )?;
    // File names have all but letters and digits as %xx.
    let accounts = folder
        .join("data")
        .join(DOMAIN.replace('.', "%2e"))
        .join("accounts");
    std::fs::create_dir_all(&accounts)?;
    for number in 0..users {
        let file = accounts.join(format!("{}.dat", name(number)));
        std::fs::write(
            file,
            format!("return {{ [\"password\"] = \"{PASSWORD}\" }};\n"),
        )?;
    }
    std::fs::write(folder.join("ready"), "")?;
    let mut command = Command::new("prosody");
    command.arg("-F").arg("--config").arg(config);
    Ok(command)
}

/// The same of ejabberd. Its schedulers do not spin while they wait, as they would by default: that
/// is counted as CPU time, and serves nobody.
fn ejabberd(folder: &Path, needs: &Needs<'_>) -> std::io::Result<Command> {
    let (port, users) = (needs.c2s, needs.users);
    let mut components = String::new();
    if let Some((port, names)) = needs.components {
        let _ = write!(
            components,
            "  -\n    port: {port}\n    ip: \"127.0.0.1\"\n    module: ejabberd_service\n    \
             global_routes: false\n    hosts:\n"
        );
        for name in names {
            let _ = writeln!(components, "      {name}:\n        password: \"{SECRET}\"");
        }
    }
    let config = folder.join("ejabberd.yml");
    std::fs::write(
        &config,
        format!(
            "hosts: [\"{DOMAIN}\"]\nloglevel: error\nauth_method: internal\nauth_password_format: plain\n\
             listen:\n  -\n    port: {port}\n    ip: \"127.0.0.1\"\n    module: ejabberd_c2s\n    \
             starttls: false\n{components}shaper_rules: {{}}\nacl: {{}}\naccess_rules: {{}}\nmodules:\n  \
             mod_roster: {{}}\n  mod_offline: {{}}\n"
        ),
    )?;
    let start = format!(
        "{{ok, _}} = application:ensure_all_started(ejabberd), \
         [ok = ejabberd_auth:try_register(iolist_to_binary(io_lib:format(\"u~8..0b\", [N])), \
         <<\"{DOMAIN}\">>, <<\"{PASSWORD}\">>) || N <- lists:seq(0, {})], \
         ok = file:write_file(\"{}\", <<>>).",
        users.saturating_sub(1),
        folder.join("ready").display()
    );
    let text = |path: PathBuf| format!("\"{}\"", path.display());
    let mut command = Command::new("erl");
    command
        .args(["+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"])
        .args(["+K", "true", "+P", "250000"])
        .args(["-noinput", "-boot", "start_sasl", "-pa"])
        .arg(libraries()?)
        .args(["-mnesia", "dir"])
        .arg(text(folder.join("database")))
        .args(["-ejabberd", "config"])
        .arg(text(config))
        .args(["-ejabberd", "log_path"])
        .arg(text(folder.join("ejabberd.log")))
        .args(["-sasl", "sasl_error_logger", "false", "-eval", &start])
        .env("ERL_CRASH_DUMP", "/dev/null");
    Ok(command)
}

/// Where Debian has ejabberd's own modules; its libraries are where Erlang looks by itself.
fn libraries() -> std::io::Result<PathBuf> {
    let roots = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ];
    let found = roots.iter().flat_map(std::fs::read_dir).flatten().flatten();
    let mut folders = found.map(|entry| entry.path());
    let own = folders.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("ejabberd-") && path.join("ebin").exists()
    });
    own.map(|path| path.join("ebin"))
        .ok_or_else(|| std::io::Error::other("it is not installed"))
}

/// Waits until its users are made and it listens.
async fn wait_for(port: u16, ready: &Path, process: &mut Watched) -> Result<(), Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let begun = Instant::now();
    while !ready.exists() || TcpStream::connect(address).await.is_err() {
        if let Some(words) = process.ended() {
            return Err(Failure::Failed(words));
        }
        if begun.elapsed() > PATIENCE {
            let why = format!("{} does not listen", process.name);
            return Err(Failure::Failed(why));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

impl Work {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    async fn all(&self, port: u16, process: &Watched) -> Result<Figures, Failure> {
        let mut pairs = Vec::new();
        for pair in 0..self.pairs {
            let sender = XmppUser::login(port, 2 * pair).await?;
            let recipient = XmppUser::login(port, 2 * pair + 1).await?;
            pairs.push((sender, recipient));
        }
        let pairs = carry(pairs, self.pairs as u64 * 4).await?;
        let (cpu, begun) = (process.cpu(), Instant::now());
        drop(carry(pairs, self.messages).await?);
        let (seconds, used) = (begun.elapsed().as_secs_f64(), process.cpu() - cpu);
        let mut publisher = XmppUser::login(port, 0).await?;
        let mut watchers = Vec::new();
        for number in 1..=self.watchers {
            let mut watcher = XmppUser::login(port, number).await?;
            watcher.watch(&mut publisher).await?;
            watchers.push(watcher);
        }
        let last = format!(">status {}<", self.changes);
        let mut reading = tokio::task::JoinSet::new();
        for mut watcher in watchers {
            let last = last.clone();
            reading.spawn(async move { watcher.until(&last).await });
        }
        let (cpu, begun) = (process.cpu(), Instant::now());
        for number in 1..=self.changes {
            let change = format!("<presence><status>status {number}</status></presence>");
            publisher.say(&change).await?;
        }
        let heard: Result<Vec<()>, Failure> = reading.join_all().await.into_iter().collect();
        heard?;
        let (telling, told_cpu) = (begun.elapsed().as_secs_f64(), process.cpu() - cpu);
        let (sent, told) = (
            self.messages as f64,
            (self.changes * self.watchers as u64) as f64,
        );
        Ok(Figures {
            messages_per_second: sent / seconds,
            cpu_seconds_per_10k_messages: used / sent * 10_000.0,
            notifications_per_second: told / telling,
            cpu_seconds_per_10k_notifications: told_cpu / told * 10_000.0,
        })
    }
}

/// Has each sender write to its recipient, one message at a time.
async fn carry(
    pairs: Vec<(XmppUser, XmppUser)>,
    messages: u64,
) -> Result<Vec<(XmppUser, XmppUser)>, Failure> {
    let share = messages / (pairs.len() as u64).max(1);
    let mut running = tokio::task::JoinSet::new();
    for (mut sender, mut recipient) in pairs {
        running.spawn(async move {
            for number in 0..share {
                let message = format!(
                    "<message to='{}@{DOMAIN}' type='chat' id='m{number}'><body>a message of about \
                     the length of a short message</body></message>",
                    name(recipient.number)
                );
                sender.say(&message).await?;
                recipient.until("</message>").await?;
            }
            Ok::<_, Failure>((sender, recipient))
        });
    }
    running.join_all().await.into_iter().collect()
}
