//! What a start needs of this machine: the folder of the store, room, the store itself, addresses.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Verdicts;
use crate::cli::{Failure, remedy, store};
use crate::config::Config;
use crate::node::Plan;
use crate::store::{StoreError, room_beside};

/// With less than this there is no journal.
const JOURNAL_MIB: u64 = 64;
/// With less than this nothing new is accepted.
const LEAST_MIB: u64 = 32;

/// Looks at all of it, for a node that does not run; at the store only if that is wanted, as every
/// record of it is read.
pub(super) fn check(
    config: &Config,
    plan: &Plan,
    store: bool,
    verdicts: &mut Verdicts,
) -> Result<(), Failure> {
    let data = &plan.data;
    match writable(data) {
        Ok(()) => verdicts.ok(format!("folder {} can be written", data.display()))?,
        Err(error) => {
            let why = remedy::of_store(&StoreError::Io(error.to_string()));
            verdicts.fail(format!("folder {}: {error}; {why}", data.display()))?;
        }
    }
    let there = existing(data);
    if let Some(room) = room_beside(&there.join("wvgate.db")) {
        let (mib, place) = (room >> 20, there.display());
        if mib < LEAST_MIB {
            verdicts.fail(format!(
                "room: {mib} MiB beside {place}, nothing new is accepted with less than \
                 {LEAST_MIB}; make room on that disk"
            ))?;
        } else if mib < JOURNAL_MIB {
            verdicts.warn(format!(
                "room: {mib} MiB beside {place}, the node is slow with less than {JOURNAL_MIB}"
            ))?;
        } else {
            verdicts.ok(format!("room: {mib} MiB beside {place}"))?;
        }
    }
    if store {
        store_of(plan, verdicts)?;
    }
    listen("ssp.listen", plan.listen(), verdicts)?;
    if let Some(content) = &plan.content {
        listen("content.listen", content.server.listen, verdicts)?;
    }
    if let Some(clients) = &plan.clients {
        listen("clients.listen", clients.server.listen, verdicts)?;
        if let Some(address) = clients.wake_listen {
            listen("clients.wake_listen", address, verdicts)?;
        }
        if let Some(text) = &clients.text {
            listen("clients.clp.listen", text.listen, verdicts)?;
        }
    }
    if let Some(address) = config.admin.listen {
        listen("admin.listen", address, verdicts)?;
    }
    Ok(())
}

fn store_of(plan: &Plan, verdicts: &mut Verdicts) -> Result<(), Failure> {
    let reports = match store::look(&plan.data, Some(plan)) {
        Ok(reports) => reports,
        Err((_, error)) => {
            return verdicts.fail(format!("store: {error}; {}", remedy::of_store(&error)));
        }
    };
    if reports.first().is_some_and(|report| report.is_new) {
        return verdicts.ok("store: none yet, an empty one is begun");
    }
    if let Some(wanted) = plan
        .shards
        .filter(|wanted| usize::from(*wanted) != reports.len())
    {
        verdicts.fail(format!(
            "store: it was made with {} shards, and node.shards is {wanted}; leave the key out, or \
             begin a new store",
            reports.len()
        ))?;
    }
    let mut records = 0;
    for report in &reports {
        for problem in &report.problems {
            let error = StoreError::Corrupt(problem.clone());
            verdicts.fail(format!("store: {error}; {}", remedy::of_store(&error)))?;
        }
        for remark in &report.remarks {
            verdicts.warn(format!("store: {remark}"))?;
        }
        if !report.damaged.is_empty() {
            verdicts.warn(format!(
                "store: {} damaged records are set aside at the start; wvgate store check \
                 names them",
                report.damaged.len()
            ))?;
        }
        records += report
            .sections
            .values()
            .map(|found| found.records)
            .sum::<u64>();
    }
    if reports.iter().all(|report| report.problems.is_empty()) {
        verdicts.ok(format!("store: {records} records"))?;
    }
    Ok(())
}

fn listen(key: &str, address: SocketAddr, verdicts: &mut Verdicts) -> Result<(), Failure> {
    match TcpListener::bind(address) {
        Ok(_) => verdicts.ok(format!("{key}: {address} is free")),
        Err(error) => {
            let fix = remedy::of_listening(&error);
            verdicts.fail(format!("{key}: cannot listen on {address}: {error}; {fix}"))
        }
    }
}

/// The folder, or the nearest one above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let found = folder.ancestors().find(|folder| folder.is_dir());
    match found {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a file there, or above where the folder will be made, and removes it.
fn writable(folder: &Path) -> io::Result<()> {
    if folder.exists() && !folder.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    let probe = existing(folder).join(format!(".wvgate-check-{}", std::process::id()));
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&probe);
    made.and_then(|_| fs::remove_file(&probe))
}
