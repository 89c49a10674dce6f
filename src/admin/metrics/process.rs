//! What the system says of this process.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::text::Text;
use crate::node::clock::Clock;

/// What the system says of this process; nothing where it does not say it.
pub(super) struct Process {
    cpu: Option<f64>,
    threads: Option<u64>,
    virtual_bytes: Option<u64>,
    resident_bytes: Option<u64>,
    open_files: Option<usize>,
    most_files: Option<u64>,
    started: f64,
}

impl Process {
    /// Of this process now, which began to work so long ago.
    pub(super) fn look(uptime: Duration) -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name in parentheses may hold anything; what follows begins with the third field.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let files = std::fs::read_dir("/proc/self/fd");
        let now = Clock::wall().duration_since(std::time::UNIX_EPOCH);
        let ticks = rustix::param::clock_ticks_per_second();
        Self {
            cpu: field(14).zip(field(15)).map(|(user, system)| {
                (Duration::from_secs(user + system) / ticks_of(ticks)).as_secs_f64()
            }),
            threads: field(20),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages * rustix::param::page_size() as u64),
            // Without the one by which they are counted.
            open_files: files.ok().map(|files| files.count().saturating_sub(1)),
            most_files: getrlimit(Resource::Nofile).current,
            started: now.unwrap_or_default().saturating_sub(uptime).as_secs_f64(),
        }
    }

    /// Writes it as other programs do.
    pub(super) fn write(&self, text: &mut Text) {
        let mut tell = |name: &str, kind: &str, help: &str, value: Option<String>| {
            if let Some(value) = value {
                text.one(name, kind, help, value);
            }
        };
        tell(
            "process_cpu_seconds_total",
            "counter",
            "User and system time of the process.",
            self.cpu.map(|cpu| cpu.to_string()),
        );
        tell(
            "process_threads",
            "gauge",
            "Threads of the process.",
            self.threads.map(|n| n.to_string()),
        );
        tell(
            "process_virtual_memory_bytes",
            "gauge",
            "Address space of the process.",
            self.virtual_bytes.map(|n| n.to_string()),
        );
        tell(
            "process_resident_memory_bytes",
            "gauge",
            "Memory that the process has.",
            self.resident_bytes.map(|n| n.to_string()),
        );
        tell(
            "process_open_fds",
            "gauge",
            "Open files and connections.",
            self.open_files.map(|n| n.to_string()),
        );
        tell(
            "process_max_fds",
            "gauge",
            "How many files and connections may be open.",
            self.most_files.map(|n| n.to_string()),
        );
        tell(
            "process_start_time_seconds",
            "gauge",
            "When the node began to work, since the epoch.",
            Some(self.started.to_string()),
        );
    }
}

fn ticks_of(per_second: u64) -> u32 {
    u32::try_from(per_second).unwrap_or(100).max(1)
}
