//! The command line: one file per subcommand.
//!
//! Exit codes: 0 fine, 1 failed, 64 usage or configuration. Nothing is coloured; lists are
//! aligned columns, or JSON with `--format json`.

mod after_restart;
mod asking;
mod backups;
mod bench;
mod certs;
mod chat;
mod check;
mod client;
mod completions;
mod explain;
mod group;
mod init;
mod invite;
mod list;
mod log;
mod logging;
mod look;
mod man;
mod node;
mod notify;
mod open_files;
mod options;
mod output;
mod peer_add;
mod remedy;
mod renewals;
mod run;
mod send;
mod services;
mod signals;
mod start_failure;
mod store;
mod trace;
mod translate;
mod user;

pub use bench::pretend;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::admin::{Client, ClientError};
use crate::config::{self, Config, Glance, Loaded};

/// Relay, translator and home domain for OMA IMPS (Wireless Village) and XMPP
#[derive(Parser)]
#[command(
    name = "wvgate",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = "\
Try it:
  wvgate run --config config/quickstart.toml      a home domain on this machine
  wvgate chat alice --config config/quickstart.toml   in a second terminal (password: alice)

Exit codes: 0 fine, 1 failed, 64 usage or configuration")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args)]
struct Global {
    /// The configuration file [default: wvgate.toml here, else /etc/wvgate/wvgate.toml]
    #[arg(long, short, global = true, env = "WVGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The control socket of the running node [default: as the configuration says]
    #[arg(long, global = true, env = "WVGATE_SOCKET", value_name = "PATH")]
    socket: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the node
    Run(run::Run),
    /// Check configuration, certificates, mappings, peers and the XMPP server; or one peer
    Check(check::Check),
    /// Write a commented first configuration, with development certificates
    Init(init::Init),
    /// Write the page by which a neighbour makes this node a peer
    Invite(invite::Invite),
    /// Show the running node in a few lines
    Status(look::StatusArgs),
    /// List the peers of the running node
    Peers(look::List),
    /// List the sessions with peers
    Sessions(look::List),
    /// List the routes: which domain is reached over whom
    Routes(look::List),
    /// List who provides what, what peers offer and what was agreed; ask a peer
    Services(services::Services),
    /// List requests, newest first, with where they came from and went
    Transactions(look::Transactions),
    /// List what waits to be sent to peers
    Queue(look::Queue),
    /// Follow what happens in the running node
    Trace(trace::TraceArgs),
    /// Show what became of messages: where each is, or how it ended, by whom and why
    Explain(explain::Explain),
    /// Add a peer to the configuration; log in to one now, or out
    Peer(node::PeerArgs),
    /// Show or change what the running node logs
    Log(log::LogArgs),
    /// Let the running node read its configuration again
    Reload,
    /// Stop the running node after what is under way
    Stop,
    /// Check, repair or back up the store
    Store(store::StoreArgs),
    /// Manage the users of the home domain
    User(user::UserArgs),
    /// Manage the groups of the home domain
    Group(group::GroupArgs),
    /// Work the phones and other clients that are logged in
    Client(client::ClientArgs),
    /// Manage the contact lists of users of the home domain
    List(list::ListArgs),
    /// Be a user of the home domain, in this terminal
    Chat(chat::Chat),
    /// Send one message as a user of the home domain
    Send(send::Send),
    /// Translate XMPP stanzas to SSP messages and back, as the node would
    Translate(translate::Translate),
    /// Measure what this machine carries
    Bench(bench::Bench),
    /// Make development certificates
    Certs(certs::Certs),
    /// Write completions for a shell
    Completions(completions::Completions),
    /// Write the manual pages
    Man(man::Pages),
}

/// Why a command ends with another code than 0.
#[derive(Debug)]
enum Failure {
    /// Wrong usage or configuration: 64.
    Usage(String),
    /// The command failed, and this says why: exit code 1.
    Failed(String),
    /// The command failed, and has said why already: exit code 1.
    Silent,
    /// All was said already: this code.
    Said(u8),
    /// Nobody reads our output any more: 0.
    Unread,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let hint = match error {
            ClientError::NoNode(..) => "; is it running? start it with: wvgate run",
            _ => "",
        };
        Self::Failed(format!("{error}{hint}"))
    }
}

impl From<config::ConfigError> for Failure {
    fn from(error: config::ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Parses the command line, does what it says, and returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no reason to fail.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(64),
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(dispatch(cli));
            // A thread may still wait for a line from the terminal.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Failure::Failed(format!("cannot start threads: {error}"))),
    };
    match outcome {
        Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(Failure::Silent) => ExitCode::FAILURE,
        Err(Failure::Said(code)) => ExitCode::from(code),
        Err(Failure::Failed(why)) => {
            output::complain(format!("wvgate: {why}"));
            ExitCode::FAILURE
        }
        Err(Failure::Usage(why)) => {
            output::complain(why);
            ExitCode::from(64)
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), Failure> {
    let global = cli.global;
    match cli.command {
        Command::Run(run) => Box::pin(run::run(&global, &run)).await,
        Command::Check(check) => Box::pin(check::check(&global, &check)).await,
        Command::Init(init) => init::init(&init),
        Command::Invite(args) => invite::invite(&global, &args),
        Command::Status(args) => look::status(&global, &args).await,
        Command::Peers(list) => look::peers(&global, list.format).await,
        Command::Sessions(list) => look::sessions(&global, list.format).await,
        Command::Routes(list) => look::routes(&global, list.format).await,
        Command::Services(args) => services::services(&global, args).await,
        Command::Transactions(args) => look::transactions(&global, &args).await,
        Command::Queue(args) => look::queue(&global, args).await,
        Command::Trace(args) => trace::trace(&global, args).await,
        Command::Explain(args) => explain::explain(&global, args).await,
        Command::Peer(args) => node::peer(&global, args).await,
        Command::Log(args) => log::log(&global, args).await,
        Command::Reload => node::reload(&global).await,
        Command::Stop => node::stop(&global).await,
        Command::Store(args) => store::store(&global, &args),
        Command::User(args) => user::user(&global, args).await,
        Command::Group(args) => group::group(&global, args).await,
        Command::Client(args) => client::client(&global, args).await,
        Command::List(args) => list::list(&global, args).await,
        Command::Chat(args) => chat::chat(&global, args).await,
        Command::Send(args) => send::send(&global, args).await,
        Command::Translate(args) => translate::translate(&global, &args),
        Command::Bench(args) => bench::bench(args).await,
        Command::Certs(args) => certs::certs(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    }
}

impl Global {
    /// The configuration file: as named, else the first of the usual places.
    fn config_file(&self) -> PathBuf {
        if let Some(file) = &self.config {
            return file.clone();
        }
        let here = PathBuf::from("wvgate.toml");
        let system = Path::new("/etc/wvgate/wvgate.toml");
        if !here.exists() && system.exists() {
            return system.to_owned();
        }
        here
    }

    /// The configuration, checked.
    fn load(&self) -> Result<Loaded, Failure> {
        Ok(Config::load(self.config_file(), config::environment())?)
    }

    /// What can be told of the configuration even if it has mistakes.
    fn glance(&self) -> Option<Glance> {
        Glance::at(&self.config_file(), config::environment())
    }

    /// A connection to the running node. A mistake in the configuration, made since the node
    /// started, does not hide it.
    async fn connect(&self) -> Result<Client, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(Client::connect(socket).await?);
        }
        let mistakes = match self.load() {
            Ok(loaded) => return Ok(Client::connect(&loaded.config.admin_socket()).await?),
            Err(mistakes) => mistakes,
        };
        let Some(seen) = self.glance() else {
            return Err(mistakes);
        };
        match Client::connect(&seen.socket).await {
            Ok(client) => {
                let file = self.config_file();
                output::complain(format!(
                    "wvgate: {} has mistakes; see: wvgate check",
                    file.display()
                ));
                Ok(client)
            }
            Err(_) => Err(mistakes),
        }
    }
}
