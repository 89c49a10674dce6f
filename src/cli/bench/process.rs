//! One node process under measurement.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::super::Failure;
use crate::node::process::Stat;

/// A process; killed when the value is dropped.
pub(super) struct Watched {
    pub(super) name: &'static str,
    child: Child,
}

/// A node that runs as a process of its own, and ends with this value.
pub(super) struct Node {
    pub(super) socket: PathBuf,
    process: Watched,
}

impl Watched {
    /// Watches a child of this process.
    pub(super) fn new(name: &'static str, child: Child) -> Self {
        Self { name, child }
    }

    /// What it said, if it has ended by itself.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let words = last_words(&mut self.child);
        Some(format!("{} has ended ({status}): {words}", self.name))
    }

    /// CPU seconds used so far, user and system.
    pub(super) fn cpu(&self) -> f64 {
        let stat = Stat::of(&self.child.id().to_string());
        stat.map_or(0.0, |stat| stat.cpu.as_secs_f64())
    }

    pub(super) fn rss_kib(&self) -> u64 {
        rss_kib(&self.child.id().to_string())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Node {
    /// Starts this program with a configuration and waits until it runs.
    pub(super) fn start(
        role: &'static str,
        config: &Path,
        socket: PathBuf,
    ) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::Failed(format!("cannot start the {role}: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut child = Command::new(program)
            .args(["run", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let output = child.stdout.take();
        let node = Self {
            socket,
            process: Watched::new(role, child),
        };
        let mut lines = output
            .map(|output| BufReader::new(output).lines())
            .into_iter()
            .flatten();
        if lines.any(|line| line.is_ok_and(|line| line == "running")) {
            return Ok(node);
        }
        Err(Failure::Failed(format!(
            "the {role} did not start; try: wvgate run --config {}",
            config.display()
        )))
    }

    pub(super) fn process(&self) -> &Watched {
        &self.process
    }
}

/// Resident memory of a process, by its name in /proc.
pub(super) fn rss_kib(process: &str) -> u64 {
    Stat::of(process).map_or(0, |stat| stat.resident_bytes / 1024)
}

/// What an ended child has said.
fn last_words(child: &mut Child) -> String {
    let mut words = String::new();
    if let Some(errors) = &mut child.stderr {
        let _ = errors.take(4096).read_to_string(&mut words);
    }
    words
}
