//! What the system says of processes.

use std::time::Duration;

/// What `/proc` says of a process (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// User and system time.
    pub cpu: Duration,
    /// Threads.
    pub threads: u64,
    /// Bytes of its address space.
    pub virtual_bytes: u64,
    /// Bytes that it has in memory.
    pub resident_bytes: u64,
}

impl Stat {
    /// Of a process, by its number, or of this one (`self`). `None`: there is none, or the system
    /// does not say it.
    pub fn of(process: &str) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let ticks = rustix::param::clock_ticks_per_second();
        Self::read(&text, ticks, rustix::param::page_size() as u64)
    }

    /// Reads the line, with so many ticks a second and so many bytes of a page.
    fn read(line: &str, ticks: u64, page: u64) -> Option<Self> {
        // The name in parentheses may hold anything; what follows begins with the third field.
        let (_, rest) = line.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = u32::try_from(ticks).ok().filter(|ticks| *ticks > 0)?;
        Some(Self {
            cpu: Duration::from_secs(field(14)? + field(15)?) / ticks,
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * page,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_process_is_read_whatever_its_name_holds() {
        let line =
            "42 (a) R 1 (b)) S 1 42 42 0 -1 4194304 10 0 0 0 150 50 0 0 20 0 7 0 99 4096 3 18";
        let stat = Stat::read(line, 100, 1024).unwrap();
        assert_eq!(stat.cpu, Duration::from_secs(2));
        assert_eq!((stat.threads, stat.virtual_bytes), (7, 4096));
        assert_eq!(stat.resident_bytes, 3 * 1024);
        assert_eq!(Stat::read("42 (a) S 1", 100, 1024), None);
        assert!(Stat::of("self").unwrap().resident_bytes > 0);
        assert_eq!(Stat::of("nobody"), None);
    }
}
