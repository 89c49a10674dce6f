//! `wvgate init`: a first configuration, commented, and certificates to try it with.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::output;
use super::{Failure, asking};
use crate::config::{self, Config};
use crate::http::devcerts::{self, Wanted};
use crate::node::clock::{self, Clock};

#[derive(Args)]
#[command(after_help = "\
Writes DIR/wvgate.toml and DIR/certs; nothing that is there already is overwritten. The node
runs from any directory: paths are written whole. Beside nodes made earlier in the same place
it takes the next free ports and the same development authority, so that they trust each
other, and writes down how to reach them. With --system it is the configuration of the service
that the package for Debian installs; as root, and the service's user may read what was written.
Without DOMAIN a terminal is asked for it, and for what the node is for.

Examples:
  wvgate init village.test
  wvgate init xmpp.test --role gateway --dir gateway
  wvgate run --config village.test/wvgate.toml
  wvgate init village.example --system && systemctl start wvgate")]
pub(super) struct Init {
    /// The node's own domain [default: asked for at a terminal]
    domain: Option<String>,
    /// Where to [default: a directory named as the domain]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// What the node is for [default: home]
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Where the store goes [default: data in that directory]; if the directory is there, its owner
    /// may read what is written
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The same as --dir /etc/wvgate --data /var/lib/wvgate
    #[arg(long, conflicts_with_all = ["dir", "data"])]
    system: bool,
}

impl Init {
    /// Domain and role, asked for where the domain is not said.
    fn answered(&self) -> Result<(String, Role), Failure> {
        if let Some(domain) = &self.domain {
            return Ok((domain.clone(), self.role.unwrap_or(Role::Home)));
        }
        if !asking::is_possible() {
            let why = "wvgate: no domain is named, and there is no terminal to ask on; say: wvgate \
                       init DOMAIN";
            return Err(Failure::Usage(why.to_owned()));
        }
        let domain = loop {
            let domain = asking::answer("The node's own domain, such as village.example: ")?;
            match complaint(&domain) {
                None => break domain,
                Some(why) => output::complain(why),
            }
        };
        if let Some(role) = self.role {
            return Ok((domain, role));
        }
        let question = "What it is for: home (it hosts users), relay (it stands between other domains) \
                        or gateway (it\njoins an XMPP server to the SSP world) [home]: ";
        loop {
            match asking::answer(question)?.as_str() {
                "" => return Ok((domain, Role::Home)),
                role => match Role::from_str(role, true) {
                    Ok(role) => return Ok((domain, role)),
                    Err(_) => output::complain(format!("\"{role}\" is none of the three")),
                },
            }
        }
    }

    /// Where the configuration of this domain goes.
    fn dir(&self, domain: &str) -> PathBuf {
        match &self.dir {
            Some(dir) => dir.clone(),
            None if self.system => PathBuf::from("/etc/wvgate"),
            None => PathBuf::from(domain),
        }
    }

    /// Where the store goes, if not below that.
    fn data(&self) -> Option<PathBuf> {
        let system = || self.system.then(|| PathBuf::from("/var/lib/wvgate"));
        self.data.clone().or_else(system)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// It hosts users
    Home,
    /// It stands between other domains
    Relay,
    /// It joins an XMPP server to the SSP world
    Gateway,
}

pub(super) fn init(args: &Init) -> Result<(), Failure> {
    let (domain, role) = args.answered()?;
    let dir = args.dir(&domain);
    let file = dir.join("wvgate.toml");
    if file.exists() {
        let why = "is there already; choose another --dir, or remove it";
        return Err(Failure::Usage(format!("{}: {why}", file.display())));
    }
    if let Some(why) = complaint(&domain) {
        return Err(Failure::Usage(format!("wvgate: {why}")));
    }
    let data = args.data();
    if let Some(data) = data.iter().find(|data| args.system && !data.is_dir()) {
        let why = "is not there; install the package first, or name --dir and --data";
        return Err(Failure::Failed(format!("{}: {why}", data.display())));
    }
    std::fs::create_dir_all(&dir)
        .map_err(|error| Failure::Failed(format!("{} cannot be made: {error}", dir.display())))?;
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    let file = dir.join("wvgate.toml");
    let neighbours = Neighbour::beside(&dir);
    let failed = |path: &Path, error: std::io::Error| {
        Failure::Failed(format!("{} cannot be written: {error}", path.display()))
    };
    let certs = dir.join("certs");
    let names = format!("{domain},localhost,127.0.0.1");
    let wanted = Wanted::parse(&names).map_err(|error| Failure::Usage(error.to_string()))?;
    let authority = share_authority(&neighbours, &certs);
    devcerts::generate(&certs, &[wanted], false, Clock::wall())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    if role == Role::Gateway {
        let secret = dir.join("component.secret");
        if !secret.exists() {
            let text = clock::random().hex(16) + "\n";
            write_new(&secret, &text, 0o600).map_err(|error| failed(&secret, error))?;
        }
    }
    let ssp = free_port(SSP, &neighbours, |neighbour| neighbour.ssp);
    let admin = free_port(ADMIN, &neighbours, |neighbour| neighbour.admin);
    let text = configuration(&domain, &dir, role, (ssp, admin), &neighbours);
    let text = match &data {
        Some(data) => {
            let data = std::path::absolute(data).unwrap_or_else(|_| data.clone());
            text.replace("@DATA@", &data.display().to_string())
        }
        None => text.replace("@DATA@", &dir.join("data").display().to_string()),
    };
    write_new(&file, &text, 0o644).map_err(|error| failed(&file, error))?;
    if let Some(data) = data.filter(|data| data.is_dir()) {
        hand_over(&dir, &data).map_err(|error| {
            let why = "the owner of the store cannot be given what they must read";
            Failure::Failed(format!("{}: {why}: {error}", dir.display()))
        })?;
    }
    // What is written must be usable as it is.
    Config::load(&file, config::environment())?;
    output::line(format!("wrote {}", file.display()))?;
    output::line(format!("wrote {} (for development only)", certs.display()))?;
    if let Some(with) = authority {
        output::line(format!(
            "its authority is that of {with}: they trust each other"
        ))?;
    }
    if (ssp, admin) != (SSP, ADMIN) {
        output::line(format!(
            "it listens on {ssp} and {admin}: the usual ports are taken"
        ))?;
    }
    if args.system {
        return output::line("next: systemctl start wvgate");
    }
    output::line(format!("next: wvgate run --config {}", file.display()))
}

/// What is wrong with this as the domain of a node.
fn complaint(domain: &str) -> Option<String> {
    let mut probe = Config::example();
    domain.clone_into(&mut probe.node.domain);
    let (problems, _) = probe.validate(&config::Located::default());
    let mut problems = problems.into_iter();
    let problem = problems.find(|problem| problem.key == "node.domain");
    problem.map(|problem| problem.message)
}

/// Lets the owner of the store, where that is somebody else, read what the node needs: the
/// configuration and certificates by their group, keys and secrets as their own. The key of the
/// development authority stays with who made it.
fn hand_over(dir: &Path, data: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    let owner = std::fs::metadata(data)?;
    let (user, group) = (owner.uid(), owner.gid());
    let certs = dir.join("certs");
    if std::fs::metadata(&certs)?.uid() == user {
        return Ok(());
    }
    let readable = |path: &Path, mode: u32| {
        chown(path, None, Some(group))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    };
    readable(&dir.join("wvgate.toml"), 0o640)?;
    readable(&certs, 0o750)?;
    for entry in std::fs::read_dir(&certs)? {
        let path = entry?.path();
        match path.extension().and_then(|kind| kind.to_str()) {
            Some("key") if !path.ends_with("ca.key") => chown(&path, Some(user), Some(group))?,
            Some("pem") => readable(&path, 0o644)?,
            _ => {}
        }
    }
    let secret = dir.join("component.secret");
    if secret.exists() {
        chown(&secret, Some(user), Some(group))?;
    }
    Ok(())
}

fn write_new(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

/// Ports of the first node of a machine.
const SSP: u16 = 5280;
const ADMIN: u16 = 9280;

/// A node that was made beside this one.
struct Neighbour {
    domain: String,
    dir: PathBuf,
    ssp: u16,
    admin: Option<u16>,
}

impl Neighbour {
    /// Those whose directories lie beside this one.
    fn beside(dir: &Path) -> Vec<Self> {
        let around = dir
            .parent()
            .and_then(|parent| std::fs::read_dir(parent).ok());
        let mut found: Vec<Self> = around
            .into_iter()
            .flatten()
            .filter_map(|entry| Self::at(&entry.ok()?.path()))
            .filter(|neighbour| neighbour.dir != dir)
            .collect();
        found.sort_by(|a, b| a.domain.cmp(&b.domain));
        found
    }

    fn at(dir: &Path) -> Option<Self> {
        let loaded = Config::load(dir.join("wvgate.toml"), []).ok()?;
        Some(Self {
            domain: loaded.config.node.domain,
            dir: dir.to_owned(),
            ssp: loaded.config.ssp.listen.port(),
            admin: loaded.config.admin.listen.map(|listen| listen.port()),
        })
    }
}

/// The first port from the usual one on that no neighbour has and nobody listens on.
fn free_port<P: Into<Option<u16>>>(
    usual: u16,
    neighbours: &[Neighbour],
    port_of: impl Fn(&Neighbour) -> P,
) -> u16 {
    let taken: Vec<u16> = neighbours
        .iter()
        .filter_map(|neighbour| port_of(neighbour).into())
        .collect();
    let free = |port: &u16| {
        !taken.contains(port) && std::net::TcpListener::bind(("0.0.0.0", *port)).is_ok()
    };
    (usual..usual.saturating_add(100))
        .find(free)
        .unwrap_or(usual)
}

/// Nodes beside each other have one development authority, so that they trust each other. Says
/// whose it is, if this one has none of its own yet.
fn share_authority(neighbours: &[Neighbour], certs: &Path) -> Option<String> {
    if certs.join("ca.pem").exists() || certs.join("ca.key").exists() {
        return None;
    }
    neighbours.iter().find_map(|neighbour| {
        let theirs = neighbour.dir.join("certs");
        let read = |name: &str| std::fs::read_to_string(theirs.join(name)).ok();
        let (certificate, key) = (read("ca.pem")?, read("ca.key")?);
        std::fs::create_dir_all(certs).ok()?;
        write_new(&certs.join("ca.key"), &key, 0o600).ok()?;
        write_new(&certs.join("ca.pem"), &certificate, 0o644).ok()?;
        Some(neighbour.domain.clone())
    })
}

/// How to reach the neighbours, to be switched on by taking the signs away.
fn neighbours_part(neighbours: &[Neighbour]) -> String {
    if neighbours.is_empty() {
        return String::new();
    }
    let mut text =
        "# Nodes beside this one on this machine; make each a peer of the other:\n".to_owned();
    for Neighbour { domain, ssp, .. } in neighbours {
        text += &format!(
            "#\n#[[peer]]\n#domain = \"{domain}\"\n#url = \"https://127.0.0.1:{ssp}/\"\n\
             #ca = \"@DIR@/certs/ca.pem\"\n"
        );
    }
    text + "\n"
}

fn configuration(
    domain: &str,
    dir: &Path,
    role: Role,
    (ssp, admin): (u16, u16),
    neighbours: &[Neighbour],
) -> String {
    let dir = dir.display();
    let role_part = match role {
        Role::Home => HOME,
        Role::Relay => RELAY,
        Role::Gateway => GATEWAY,
    };
    let neighbours = neighbours_part(neighbours);
    let text = format!("{HEAD}{role_part}{neighbours}{TAIL}");
    text.replace("@DOMAIN@", domain)
        .replace("@SSP@", &ssp.to_string())
        .replace("@ADMIN@", &admin.to_string())
        .replace("@DIR@", &dir.to_string())
}

const HEAD: &str = r#"# The node @DOMAIN@. Written by wvgate init; all keys are explained in wvgate.toml(5), which is
# config/reference.toml of the source. Relative paths would be those of the working directory.

[node]
domain = "@DOMAIN@"
data = "@DATA@"         # the durable store; back it up
#name = "..."               # what peers are told about this provider

[ssp]
listen = "0.0.0.0:@SSP@"     # peers find the port by the domain's SRV record
# Development certificates, which no real peer trusts. Replace them.
certificate = "@DIR@/certs/@DOMAIN@.pem"
key = "@DIR@/certs/@DOMAIN@.key"

"#;

const HOME: &str = r#"# The home domain. Make users with: wvgate user add NAME
[home]
registration = "closed"
default_authorization = "ask"   # nobody sees a user's presence unasked

# Other domains are reached over a relay:
#
#[[peer]]
#domain = "relay.example"
#url = "https://relay.example:5280/"
#speaks_for = ["*"]
#
#[[route]]
#domain = "*"
#via = "relay.example"

"#;

const RELAY: &str = r#"# The domains this node stands between. A peer's own domain needs no route.
#
#[[peer]]
#domain = "village.example"
#url = "https://village.example:5280/"
#ca = "@DIR@/certs/ca.pem"        # who signed its certificate; default: the system's CAs
#
#[[peer]]
#domain = "gateway.example"
#url = "https://gateway.example:5280/"
#speaks_for = ["hamlet.example"]   # further domains whose users it brings
#
#[[route]]
#domain = "hamlet.example"
#via = "gateway.example"

"#;

const GATEWAY: &str = r#"# The XMPP server hands this node what its users send to imps.@DOMAIN@. In Prosody:
#
#   Component "imps.@DOMAIN@"
#     component_secret = "the content of @DIR@/component.secret"
#
[xmpp]
server = "127.0.0.1:5347"
mode = "gateway"            # bob of village.example is bob\40village.example@imps.@DOMAIN@

[[xmpp.component]]
domain = "imps.@DOMAIN@"
secret = { file = "@DIR@/component.secret" }

# The SSP world begins at:
#
#[[peer]]
#domain = "relay.example"
#url = "https://relay.example:5280/"
#speaks_for = ["*"]
#
#[[route]]
#domain = "*"
#via = "relay.example"

"#;

const TAIL: &str = r#"[admin]
listen = "127.0.0.1:@ADMIN@"   # /live, /ready, /metrics

[log]
level = "info"
"#;
