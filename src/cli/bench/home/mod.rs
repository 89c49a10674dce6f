//! `wvgate bench home`: what a home domain with many users takes.

mod domain;
mod load;
mod user;

use std::fmt::Write as _;

use clap::Args;
use clap::builder::TypedValueParser as _;
use serde::Serialize;

use super::super::output::{self, Format};
use super::super::{Failure, open_files};
use super::chain::Folder;
use super::xmpp_server::{Server, Work};
use domain::fill;
pub(super) use load::Figures;
use load::{Load, measure};

#[derive(Args)]
#[command(after_help = "\
Makes a home domain whose users have contacts, watch them, and are all offline. A node is started
on it: shown are the time until it serves, and its memory for a user. Then pairs of users log in
and write to each other, and one user's status goes to many who watch; the same in a domain that has
no more users than these, so that the price of the others is seen, and by as many users of an XMPP
server. Figures of one machine and one moment: compare only what was measured in the same run.

Examples:
  wvgate bench home
  wvgate bench home --users 1000000 --contacts 10 --online 10000 --format json
  wvgate bench home --beside prosody,ejabberd    the price of a message, side by side

scripts/install-bench-tools.sh installs the XMPP servers.")]
pub(super) struct Home {
    /// Users of the domain
    #[arg(long, default_value_t = 100_000)]
    users: usize,
    /// Contacts of each
    #[arg(long, default_value_t = 10)]
    contacts: usize,
    /// Users of the large domain who are there besides, and do nothing
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).map(usize::from))]
    online: usize,
    /// Messages of each measurement
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// Messages under way at once, each of another pair of users
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000).map(usize::from))]
    pairs: usize,
    /// Users who watch one, at most 1000
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=1000).map(usize::from))]
    watchers: usize,
    /// Changes of that one's status
    #[arg(long, default_value_t = 50)]
    changes: u64,
    /// XMPP servers whose users do the same afterwards
    #[arg(long, value_enum, value_delimiter = ',')]
    beside: Vec<Server>,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Home {
    /// What users of an XMPP server do.
    fn work(&self) -> Work {
        Work {
            messages: self.messages,
            pairs: self.pairs,
            watchers: self.watchers,
            changes: self.changes,
        }
    }

    /// Users of the small domain: as many as take part.
    fn least(&self) -> usize {
        let active = (2 * self.pairs).max(self.watchers + 1);
        active.max(self.contacts + 1)
    }
}

#[derive(Serialize)]
struct Report {
    users: usize,
    contacts: usize,
    online: usize,
    store_kib: u64,
    start_seconds: f64,
    start_cpu_seconds: f64,
    rss_kib: u64,
    /// Above what the small domain takes.
    bytes_per_user: f64,
    many: Load,
    /// In a domain of no more users than take part.
    few: Load,
    /// XMPP servers with as many users as the small domain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    beside: Vec<Beside>,
}

#[derive(Serialize)]
struct Beside {
    name: &'static str,
    #[serde(flatten)]
    figures: Figures,
    /// CPU time of the small domain as a multiple of the server's, for a message.
    few_over_this_messages: f64,
    /// For a notification.
    few_over_this_notifications: f64,
}

pub(super) async fn home(args: Home) -> Result<(), Failure> {
    open_files::allow_most();
    let few = args.least();
    let small = Folder::make("home-small")?;
    fill(&small, &args, few).await?;
    let (started, small_load) = measure(&small, &args, few).await?;
    let mut beside = Vec::new();
    for server in &args.beside {
        let figures = server.measure(small.path(), &args.work()).await?;
        let own = &small_load.figures;
        beside.push(Beside {
            name: server.name(),
            few_over_this_messages: own.cpu_seconds_per_10k_messages
                / figures.cpu_seconds_per_10k_messages,
            few_over_this_notifications: own.cpu_seconds_per_10k_notifications
                / figures.cpu_seconds_per_10k_notifications,
            figures,
        });
    }
    drop(small);
    let users = args.users.max(few);
    let large = Folder::make("home")?;
    fill(&large, &args, users).await?;
    let store_kib = large.data_kib();
    let (start, load) = measure(&large, &args, users).await?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let bytes_per_user = start.rss_kib.saturating_sub(started.rss_kib) as f64 * 1024.0
        / (users.saturating_sub(few)).max(1) as f64;
    let report = Report {
        users,
        contacts: args.contacts,
        online: args.online,
        store_kib,
        start_seconds: start.seconds,
        start_cpu_seconds: start.cpu,
        rss_kib: start.rss_kib,
        bytes_per_user,
        many: load,
        few: small_load,
        beside,
    };
    output::report(&report, text, args.format)
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{} users with {} contacts each, {} KiB on disk\nserves after {:.2} s, {:.2} CPU s; {} KiB resident, {:.0} bytes for a user who is offline",
        report.users,
        report.contacts,
        report.store_kib,
        report.start_seconds,
        report.start_cpu_seconds,
        report.rss_kib,
        report.bytes_per_user
    );
    if let Some(kib) = report.many.kib_per_user_online {
        let _ = write!(
            text,
            "\n{} users are there: {kib:.1} KiB for each",
            report.online
        );
    }
    for (which, load) in [("all", &report.many), ("few", &report.few)] {
        let _ = write!(
            text,
            "\nof {which} users: login {:.1} ms; {}",
            load.login_ms, load.figures
        );
    }
    for beside in &report.beside {
        let _ = write!(
            text,
            "\n{:<8} with few users: {}; the domain of few users takes {:.2} times its CPU time for a message, {:.2} for a notification",
            beside.name,
            beside.figures,
            beside.few_over_this_messages,
            beside.few_over_this_notifications
        );
    }
    text
}
