//! `wvgate init`: a first configuration, commented, and certificates to try it with.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Failure;
use super::output;
use crate::config::{self, Config};
use crate::http::devcerts::{self, Wanted};
use crate::node::clock::{self, Clock};

#[derive(Args)]
#[command(after_help = "\
Writes DIR/wvgate.toml and DIR/certs; nothing that is there already is overwritten.

Examples:
  wvgate init village.test
  wvgate init xmpp.test --role gateway --dir gateway
  wvgate run --config village.test/wvgate.toml")]
pub(super) struct Init {
    /// The node's own domain
    domain: String,
    /// Where to [default: a directory named as the domain]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// What the node is for
    #[arg(long, value_enum, default_value_t = Role::Home)]
    role: Role,
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
    let dir = args
        .dir
        .clone()
        .unwrap_or_else(|| PathBuf::from(&args.domain));
    let file = dir.join("wvgate.toml");
    if file.exists() {
        let why = "is there already; choose another --dir, or remove it";
        return Err(Failure::Usage(format!("{}: {why}", file.display())));
    }
    let mut probe = Config::example();
    probe.node.domain.clone_from(&args.domain);
    let (problems, _) = probe.validate(&config::Located::default());
    if let Some(problem) = problems.iter().find(|problem| problem.key == "node.domain") {
        return Err(Failure::Usage(format!("wvgate: {}", problem.message)));
    }
    let failed = |path: &Path, error: std::io::Error| {
        Failure::Failed(format!("{} cannot be written: {error}", path.display()))
    };
    let certs = dir.join("certs");
    let names = format!("{},localhost,127.0.0.1", args.domain);
    let wanted = Wanted::parse(&names).map_err(|error| Failure::Usage(error.to_string()))?;
    devcerts::generate(&certs, &[wanted], false, Clock::wall())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    if args.role == Role::Gateway {
        let secret = dir.join("component.secret");
        if !secret.exists() {
            let text = clock::random().hex(16) + "\n";
            write_new(&secret, &text, 0o600).map_err(|error| failed(&secret, error))?;
        }
    }
    let text = configuration(&args.domain, &dir, args.role);
    write_new(&file, &text, 0o644).map_err(|error| failed(&file, error))?;
    // What is written must be usable as it is.
    Config::load(&file, config::environment())?;
    output::line(format!("wrote {}", file.display()))?;
    output::line(format!("wrote {} (for development only)", certs.display()))?;
    output::line(format!("next: wvgate run --config {}", file.display()))
}

fn write_new(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

fn configuration(domain: &str, dir: &Path, role: Role) -> String {
    let dir = dir.display();
    let role_part = match role {
        Role::Home => HOME,
        Role::Relay => RELAY,
        Role::Gateway => GATEWAY,
    };
    let text = format!("{HEAD}{role_part}{TAIL}");
    text.replace("@DOMAIN@", domain)
        .replace("@DIR@", &dir.to_string())
}

const HEAD: &str = r#"# The node @DOMAIN@. Written by wvgate init; all keys are explained in
# config/reference.toml of the source. Paths are relative to the working directory.

[node]
domain = "@DOMAIN@"
data = "@DIR@/data"         # the durable store; back it up
#name = "..."               # what peers are told about this provider

[ssp]
listen = "0.0.0.0:5280"     # peers find the port by the domain's SRV record
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
listen = "127.0.0.1:9280"   # /live, /ready, /metrics

[log]
level = "info"
"#;
