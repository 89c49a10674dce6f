//! `wvgate bench clients`: what an access point takes, with many phones.

mod domain;
mod load;
mod phone;

use std::fmt::Write as _;

use clap::Args;
use clap::builder::TypedValueParser as _;
use serde::Serialize;

use super::super::output::{self, Format};
use super::super::{Failure, open_files};
use super::chain::Folder;
use load::{Idle, Logins, Sent};

#[derive(Args)]
#[command(after_help = "\
Starts a home domain with an access point, and lets phones log in, first some by password, which
costs what checking it against its hash costs, then all by a digest. They stay, and open the channel
on which they are woken: shown is the node's memory for each, by its growth from half of them to all.
Then pairs of them write to each other,
in XML and in WBXML, the recipients woken on the channel, or polling. Figures of one machine and one
moment: compare only what was measured in the same run.

Examples:
  wvgate bench clients
  wvgate bench clients --phones 10000 --messages 20000 --format json")]
pub(super) struct Clients {
    /// Users, each with a phone
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(2..).map(usize::from))]
    phones: usize,
    /// Messages of each measurement
    #[arg(long, default_value_t = 5_000)]
    messages: u64,
    /// Messages under way at once, each of another pair of phones
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000).map(usize::from))]
    pairs: usize,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Report {
    phones: usize,
    logins: Vec<Logins>,
    idle: Idle,
    sent: Vec<Sent>,
}

pub(super) async fn clients(mut args: Clients) -> Result<(), Failure> {
    open_files::allow_most();
    args.phones = args.phones.max(2 * args.pairs);
    let folder = Folder::make("clients")?;
    let domain = domain::start(&folder, args.phones).await?;
    let mut logins = vec![load::by_password(&domain, args.phones).await?];
    let (by_digest, idle, phones) = load::all(&domain, args.phones).await?;
    logins.push(by_digest);
    let sent = load::send(&domain, phones, args.pairs, args.messages).await?;
    let report = Report {
        phones: args.phones,
        logins,
        idle,
        sent,
    };
    output::report(&report, text, args.format)
}

/// KiB of a phone that does nothing, of so many, and of its channel.
pub(super) async fn idle(phones: usize) -> Result<(f64, f64), Failure> {
    let folder = Folder::make("clients")?;
    let domain = domain::start(&folder, phones).await?;
    let (_, idle, _) = load::all(&domain, phones).await?;
    Ok((idle.kib_per_phone, idle.kib_per_channel))
}

fn text(report: &Report) -> String {
    let mut text = format!("{} phones", report.phones);
    for logins in &report.logins {
        let _ = write!(
            text,
            "\nby {:<8} {:>7.0} logins/s, {:.2} CPU s per 1000",
            logins.by, logins.per_second, logins.cpu_seconds_per_1k
        );
    }
    let _ = write!(
        text,
        "\nidle: {:.1} KiB for a phone that is logged in, {:.1} KiB for its channel",
        report.idle.kib_per_phone, report.idle.kib_per_channel
    );
    for sent in &report.sent {
        let _ = write!(
            text,
            "\n{:<5} {:<7} {:>7.0} messages/s, {:.2} CPU s per 10 000",
            sent.encoding, sent.way, sent.messages_per_second, sent.cpu_seconds_per_10k
        );
    }
    text
}
