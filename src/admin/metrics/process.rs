//! What the system says of this process.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::text::Text;
use crate::node::clock::Clock;
use crate::node::process::Stat;

/// Writes it as other programs do, without what the system does not say. The node began to work so
/// long ago.
pub(super) fn write(text: &mut Text, uptime: Duration) {
    let stat = Stat::of("self");
    let of_stat = |value: fn(&Stat) -> String| stat.as_ref().map(value);
    let files = std::fs::read_dir("/proc/self/fd");
    // Without the one by which they are counted.
    let open = files.map(|files| files.count().saturating_sub(1).to_string());
    let now = Clock::wall().duration_since(std::time::UNIX_EPOCH);
    let started = now.unwrap_or_default().saturating_sub(uptime);
    let most = getrlimit(Resource::Nofile).current;
    let rows = [
        (
            "process_cpu_seconds_total",
            "counter",
            "User and system time of the process.",
            of_stat(|stat| stat.cpu.as_secs_f64().to_string()),
        ),
        (
            "process_threads",
            "gauge",
            "Threads of the process.",
            of_stat(|stat| stat.threads.to_string()),
        ),
        (
            "process_virtual_memory_bytes",
            "gauge",
            "Address space of the process.",
            of_stat(|stat| stat.virtual_bytes.to_string()),
        ),
        (
            "process_resident_memory_bytes",
            "gauge",
            "Memory that the process has.",
            of_stat(|stat| stat.resident_bytes.to_string()),
        ),
        (
            "process_open_fds",
            "gauge",
            "Open files and connections.",
            open.ok(),
        ),
        (
            "process_max_fds",
            "gauge",
            "How many files and connections may be open.",
            most.map(|most| most.to_string()),
        ),
        (
            "process_start_time_seconds",
            "gauge",
            "When the node began to work, since the epoch.",
            Some(started.as_secs_f64().to_string()),
        ),
    ];
    for (name, kind, help, value) in rows {
        if let Some(value) = value {
            text.one(name, kind, help, value);
        }
    }
}
