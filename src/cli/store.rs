//! `wvgate store`: a store that no node uses is checked and repaired; any is backed up.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::backups::Backups;
use super::output::{self, Format};
use super::{Failure, Global, remedy};
use crate::node::clock::Clock;
use crate::node::shards::folders;
use crate::node::{Plan, reader};
use crate::sap::Shards;
use crate::store::StoreError;
use crate::store::backup::backup;
use crate::store::check::{self, Report};
use crate::store::repair::{Repaired, repair};
use crate::text::Shown;

/// So many damaged records are named.
const NAMED: usize = 50;

#[derive(Args)]
#[command(after_help = "\
The store is the folder node.data of the configuration, or the one that --data names. check and
repair are for a node that does not run; a backup may be made of a running one. repair deletes
nothing: files as they were found go to set-aside-DATE/ in the folder, damaged records to the
section aside of the new database.

Examples:
  wvgate store check
  wvgate store repair
  wvgate store backup /backup/wvgate-monday.db
  wvgate store backup --into /backup --keep 14
  wvgate store check --data /backup/copy            no configuration is read")]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Read everything and say what is there, what is damaged and whether a node would start on it
    Check {
        /// The folder of the store [default: node.data of the configuration]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Lines for people, or JSON for programs
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Go on with what is whole; what is not is kept aside
    Repair {
        /// The folder of the store [default: node.data of the configuration]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Take the database alone, and leave what only the journal has
        #[arg(long)]
        without_journal: bool,
    },
    /// Write a copy of everything to a new file of mode 600; the node may run
    Backup {
        /// The file to make
        #[arg(required_unless_present = "into")]
        file: Option<PathBuf>,
        /// A folder instead, in which the file is named after its time
        #[arg(long, value_name = "DIR", conflicts_with = "file")]
        into: Option<PathBuf>,
        /// So many backups stay in that folder, the newest; without, all of them
        #[arg(long, value_name = "NUMBER", requires = "into",
            value_parser = clap::value_parser!(u16).range(1..))]
        keep: Option<u16>,
        /// The folder of the store [default: node.data of the configuration]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

pub(super) fn store(global: &Global, args: &StoreArgs) -> Result<(), Failure> {
    match &args.order {
        Order::Check { data, format } => checked(global, data.as_deref(), *format),
        Order::Repair {
            data,
            without_journal,
        } => {
            for data in folders(&folder(global, data.as_deref())?) {
                let done = repair(&data, !without_journal);
                told(&data, &done.map_err(|error| failure(&data, &error))?)?;
            }
            Ok(())
        }
        Order::Backup {
            file,
            into,
            keep,
            data,
        } => {
            let data = folder(global, data.as_deref())?;
            let backups = into.as_deref().map(Backups);
            let file = match (file, &backups) {
                (Some(file), _) => file.clone(),
                (None, Some(backups)) => backups.file(Clock::wall()),
                // The command line is not read without one of them.
                (None, None) => return Err(Failure::Usage("wvgate: name a file".to_owned())),
            };
            for (shard, data) in folders(&data).iter().enumerate() {
                let mut file = file.clone();
                if shard > 0 {
                    file.as_mut_os_string().push(format!(".shard-{shard}"));
                }
                let entries = backup(data, &file).map_err(|error| failure(data, &error))?;
                output::line(format!(
                    "{} holds everything, {entries} entries of the journal among it; to restore it, see \
                     docs/operating.md",
                    file.display()
                ))?;
            }
            if let (Some(backups), Some(keep)) = (backups, keep) {
                let gone = backups.thin_out(usize::from(*keep)).map_err(|error| {
                    let folder = backups.0.display();
                    Failure::Failed(format!(
                        "{folder}: an old backup cannot be removed: {error}"
                    ))
                })?;
                for file in gone {
                    output::line(format!("{} is removed, as it is old", file.display()))?;
                }
            }
            Ok(())
        }
    }
}

fn folder(global: &Global, named: Option<&Path>) -> Result<PathBuf, Failure> {
    match named {
        Some(data) => Ok(data.to_owned()),
        None => Ok(global.load()?.config.node.data),
    }
}

fn failure(data: &Path, error: &StoreError) -> Failure {
    let remedy = match error {
        StoreError::Locked(_) => "stop that node first (wvgate stop)",
        // Of a file that was named here.
        StoreError::Io(why) if why.contains("exists already") => "",
        other => remedy::of_store(other),
    };
    let end = if remedy.is_empty() { "" } else { "; " };
    Failure::Failed(format!("{}: {error}{end}{remedy}", data.display()))
}

/// What a node would say to the store in this folder; records are read as that of the plan would.
pub(super) fn look(data: &Path, plan: Option<&Plan>) -> Result<Vec<Report>, (PathBuf, StoreError)> {
    let folders = folders(data);
    let count = u16::try_from(folders.len()).unwrap_or(Shards::MOST);
    let looked = (0..count).zip(folders).map(|(own, folder)| {
        let report = match plan {
            Some(plan) => check::check(&folder, reader(plan, Shards::new(own, count))),
            None => check::check(&folder, |_, _| Ok(())),
        };
        report.map_err(|error| (folder, error))
    });
    looked.collect()
}

fn checked(global: &Global, named: Option<&Path>, format: Format) -> Result<(), Failure> {
    let (data, plan) = match named {
        Some(data) => (data.to_owned(), None),
        None => {
            let loaded = global.load()?;
            let plan = Plan::new(&loaded.config, &loaded.located)?;
            (loaded.config.node.data, Some(plan))
        }
    };
    let reports = look(&data, plan.as_ref());
    let reports = reports.map_err(|(folder, error)| failure(&folder, &error))?;
    for report in &reports {
        if format == Format::Json {
            output::json(&as_json(report))?;
        } else {
            if reports.len() > 1 {
                output::line(format!("{}:", report.database.display()))?;
            }
            output::print(&as_text(report))?;
        }
    }
    let is_whole = |report: &Report| {
        report.problems.is_empty() && report.damaged.is_empty() && report.partly.is_empty()
    };
    if reports.iter().all(is_whole) {
        return Ok(());
    }
    Err(Failure::Silent)
}

fn as_text(report: &Report) -> String {
    let mut lines = Vec::new();
    if report.is_new {
        lines.push(format!(
            "{}: there is none yet; a node begins an empty one",
            report.database.display()
        ));
    }
    let mut rows = Vec::new();
    for (section, found) in &report.sections {
        rows.push(vec![
            section.clone(),
            format!("{} records", found.records),
            format!("{} bytes", found.bytes),
        ]);
    }
    lines.extend(output::aligned(&rows).lines().map(str::to_owned));
    match report.journal {
        Some((entries, records)) => lines.push(format!(
            "journal: {entries} entries with {records} records that the database does not have yet; \
             they are counted above"
        )),
        None if report.is_new => {}
        None => lines.push("journal: none, the node was stopped".to_owned()),
    }
    let aside = report
        .aside
        .iter()
        .map(|note| format!("set aside earlier: {}: {}", Shown(&note.key), note.why));
    lines.extend(aside.take(NAMED));
    if report.aside.len() > NAMED {
        lines.push(format!("set aside earlier: {} in all", report.aside.len()));
    }
    lines.extend(
        report
            .remarks
            .iter()
            .map(|remark| format!("note: {remark}")),
    );
    for (key, why) in report.damaged.iter().take(NAMED) {
        lines.push(format!("DAMAGED  {}: {why}", Shown(key)));
    }
    for (key, why) in report.partly.iter().take(NAMED) {
        lines.push(format!("IN PART  {}: {}", Shown(key), Shown(why)));
    }
    lines.extend(
        report
            .problems
            .iter()
            .map(|problem| format!("FAIL     {problem}")),
    );
    if !report.partly.is_empty() {
        lines.push(format!(
            "{} records are damaged in part: a node starts with them, and uses what is whole of them",
            report.partly.len()
        ));
    }
    lines.push(match (report.problems.is_empty(), report.damaged.len()) {
        (true, 0) if !report.partly.is_empty() => "the rest is whole".to_owned(),
        (true, 0) => "all of it is whole".to_owned(),
        (true, damaged) => {
            format!("{damaged} damaged records: a node starts without them and sets them aside")
        }
        (false, _) => {
            "a node does not start on it: wvgate store repair, or restore a backup".to_owned()
        }
    });
    lines.join("\n") + "\n"
}

fn as_json(report: &Report) -> serde_json::Value {
    let sections = report.sections.iter().map(
        |(name, found)| json!({"section": name, "records": found.records, "bytes": found.bytes}),
    );
    let pairs = |pairs: &[(String, String)]| {
        let pairs = pairs
            .iter()
            .map(|(key, why)| json!({"key": key, "why": why}));
        pairs.collect::<Vec<_>>()
    };
    let aside = report
        .aside
        .iter()
        .map(|note| json!({"key": note.key, "why": note.why, "at": note.at}));
    json!({
        "database": report.database,
        "new": report.is_new,
        "sections": sections.collect::<Vec<_>>(),
        "journal": report.journal.map(|(entries, records)| {
            json!({"entries": entries, "records": records})
        }),
        "damaged": pairs(&report.damaged),
        "partly_damaged": pairs(&report.partly),
        "aside": aside.collect::<Vec<_>>(),
        "remarks": report.remarks,
        "problems": report.problems,
    })
}

fn told(data: &Path, repaired: &Repaired) -> Result<(), Failure> {
    let mut lines = vec![format!("taken: {} records", repaired.taken)];
    let (entries, behind) = repaired.journal;
    if entries > 0 {
        lines.push(format!(
            "of the journal: {entries} entries, {behind} of them from behind a gap"
        ));
    }
    for (key, why) in repaired.aside.iter().take(NAMED) {
        lines.push(format!("set aside: {}: {why}", Shown(key)));
    }
    if repaired.aside.len() > NAMED {
        lines.push(format!("set aside: {} in all", repaired.aside.len()));
    }
    lines.extend(
        repaired
            .remarks
            .iter()
            .map(|remark| format!("note: {remark}")),
    );
    lines.push(format!(
        "the files as they were found are in {}; {} can be used",
        repaired.folder.display(),
        data.display()
    ));
    output::line(lines.join("\n"))
}
