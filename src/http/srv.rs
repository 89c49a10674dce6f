//! Finding a domain's SSP servers by DNS: `_imps-server._tcp.<domain>` (wire profile, 2.4).
//!
//! The answers come from an [`SrvSource`], which is the system's DNS or a test's. Their order is
//! the pure function [`order`]. A domain without such a record does not speak SSP; that is kept
//! apart from DNS not working, which says nothing about the domain.

mod dns;

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use self::dns::Dns;
use super::endpoint::wire_name;

/// Bounds of the time an answer is kept, whatever its TTL says. Our choice: long enough to spare
/// DNS, short enough to follow a move within the hour.
const KEEP: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(30)..=Duration::from_secs(3600);
/// Most domains whose answers are kept.
const MAX_KEPT: usize = 4096;

/// One SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvRecord {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among records of the same priority.
    pub weight: u16,
    /// TCP port.
    pub port: u16,
    /// Host name without the final dot; empty for the target "." (not offered).
    pub target: String,
}

/// What DNS said, unordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvAnswer {
    /// The records, in the order of the answer.
    pub records: Vec<SrvRecord>,
    /// The smallest TTL among them.
    pub ttl: Duration,
}

/// Why a domain has no SSP server to try.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrvError {
    /// NXDOMAIN.
    #[error(
        "there is no DNS name {name}, so the domain does not offer SSP (publish the SRV record or configure the peer's url)"
    )]
    NoSuchName {
        /// The name asked for.
        name: String,
    },
    /// The name exists and has no SRV record.
    #[error(
        "{name} has no SRV record, so the domain does not offer SSP (publish the SRV record or configure the peer's url)"
    )]
    NoRecords {
        /// The name asked for.
        name: String,
    },
    /// The only target is ".".
    #[error("the SRV record of {name} says that SSP is not offered (its target is \".\")")]
    NotOffered {
        /// The name asked for.
        name: String,
    },
    /// DNS itself did not work (SERVFAIL, no answer, no resolver): says nothing about the domain.
    #[error("DNS did not answer for {name}: {reason}")]
    Broken {
        /// The name asked for.
        name: String,
        /// The resolver's words.
        reason: String,
    },
}

/// A future that a trait object can return.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = Result<SrvAnswer, SrvError>> + Send + 'a>>;

/// Where SRV answers come from.
pub trait SrvSource: Send + Sync + 'static {
    /// Asks for the SRV records of `name`, which is complete and ends with a dot.
    fn lookup<'a>(&'a self, name: &'a str) -> Lookup<'a>;
}

/// Looks up and orders a domain's SSP servers, and keeps the answers for their time. One is shared
/// by all links.
pub struct SrvResolver {
    source: Box<dyn SrvSource>,
    kept: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    until: Instant,
    records: Vec<SrvRecord>,
}

impl SrvResolver {
    /// One that asks the system's DNS servers (`/etc/resolv.conf`, read at the first lookup, and
    /// anew whenever it has changed or its servers have not answered).
    pub fn system() -> Arc<Self> {
        Self::configured_by(Path::new("/etc/resolv.conf"))
    }

    /// As [`SrvResolver::system`], with another file of the same form.
    pub fn configured_by(file: &Path) -> Arc<Self> {
        Self::with_source(Dns::configured_by(file))
    }

    /// One that asks these DNS servers (by UDP) instead of the system's.
    pub fn asking(servers: &[SocketAddr]) -> Arc<Self> {
        Self::with_source(Dns::asking(servers))
    }

    /// A resolver that asks `source`.
    pub fn with_source(source: impl SrvSource) -> Arc<Self> {
        Arc::new(SrvResolver {
            source: Box::new(source),
            kept: Mutex::default(),
        })
    }

    /// The servers of `domain` as host and port, in the order in which to try them. Never empty.
    ///
    /// # Errors
    /// [`SrvError`] says whether the domain offers no SSP or DNS did not work.
    pub async fn targets(&self, domain: &str) -> Result<Vec<(String, u16)>, SrvError> {
        self.targets_at(domain, Instant::now()).await
    }

    async fn targets_at(&self, domain: &str, now: Instant) -> Result<Vec<(String, u16)>, SrvError> {
        let domain = wire_name(domain.trim_end_matches('.'));
        let name = format!("_imps-server._tcp.{domain}.");
        let kept = self.kept(&name, now);
        let records = if let Some(records) = kept {
            records
        } else {
            let answer = self.source.lookup(&name).await?;
            self.keep(&name, &answer, now);
            answer.records
        };
        if records.is_empty() {
            return Err(SrvError::NoRecords { name });
        }
        let offered: Vec<SrvRecord> = records
            .into_iter()
            .filter(|record| !record.target.is_empty())
            .collect();
        if offered.is_empty() {
            return Err(SrvError::NotOffered { name });
        }
        let ordered = order(offered, &mut draw);
        Ok(ordered
            .into_iter()
            .map(|record| (record.target, record.port))
            .collect())
    }

    fn kept(&self, name: &str, now: Instant) -> Option<Vec<SrvRecord>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.get(name)?;
        (entry.until > now).then(|| entry.records.clone())
    }

    fn keep(&self, name: &str, answer: &SrvAnswer, now: Instant) {
        let until = now + answer.ttl.clamp(*KEEP.start(), *KEEP.end());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, entry| entry.until > now);
        }
        if kept.len() < MAX_KEPT || kept.contains_key(name) {
            kept.insert(
                name.to_owned(),
                Kept {
                    until,
                    records: answer.records.clone(),
                },
            );
        }
    }
}

/// Orders records as RFC 2782 wants: by priority, and within one priority by a weighted draw.
/// `draw(bound)` gives a number from 0 to `bound`, both included.
pub fn order(mut records: Vec<SrvRecord>, draw: &mut dyn FnMut(u32) -> u32) -> Vec<SrvRecord> {
    // Within a priority, weight 0 goes first in the list, so that it is drawn rarely, not never.
    records.sort_by_key(|record| (record.priority, record.weight > 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let same = records
            .iter()
            .take_while(|record| record.priority == first.priority);
        let weights: Vec<u32> = same.map(|record| u32::from(record.weight)).collect();
        let drawn = draw(weights.iter().sum());
        let mut sum = 0;
        let chosen = weights.iter().position(|weight| {
            sum += weight;
            sum >= drawn
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

/// A fair enough number from 0 to `bound`. When the system gives no randomness the first record
/// is drawn, which is only unfair.
fn draw(bound: u32) -> u32 {
    let random = getrandom::u32().unwrap_or(0);
    let scaled = (u64::from(random) * (u64::from(bound) + 1)) >> 32;
    u32::try_from(scaled).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn record(priority: u16, weight: u16, target: &str) -> SrvRecord {
        SrvRecord {
            priority,
            weight,
            port: 5280,
            target: target.into(),
        }
    }

    fn names(records: &[SrvRecord]) -> Vec<&str> {
        records
            .iter()
            .map(|record| record.target.as_str())
            .collect()
    }

    #[test]
    fn a_lower_priority_is_tried_first_whatever_the_weights() {
        let records = vec![
            record(20, 60000, "c"),
            record(10, 1, "b"),
            record(0, 0, "a"),
        ];
        assert_eq!(names(&order(records, &mut |bound| bound)), ["a", "b", "c"]);
    }

    #[test]
    fn the_draw_follows_the_running_sum_of_the_weights() {
        let records = || {
            vec![
                record(1, 10, "ten"),
                record(1, 0, "zero"),
                record(1, 30, "thirty"),
            ]
        };
        // The list stands as zero, ten, thirty with the sums 0, 10, 40.
        for (drawn, first) in [
            (0, "zero"),
            (1, "ten"),
            (10, "ten"),
            (11, "thirty"),
            (40, "thirty"),
        ] {
            let mut draws = vec![drawn].into_iter();
            let ordered = order(records(), &mut |bound| draws.next().unwrap_or(bound));
            assert_eq!(ordered[0].target, first, "drawn {drawn}");
            assert_eq!(ordered.len(), 3);
        }
    }

    #[test]
    fn the_draw_is_bounded_by_the_weights_that_are_left() {
        let mut bounds = Vec::new();
        order(
            vec![record(1, 10, "a"), record(1, 30, "b"), record(2, 5, "c")],
            &mut |bound| {
                bounds.push(bound);
                0
            },
        );
        assert_eq!(bounds, [40, 30, 5]);
    }

    #[test]
    fn a_random_draw_stays_within_its_bound() {
        for bound in [0, 1, 7, 65535, u32::MAX] {
            for _ in 0..200 {
                assert!(draw(bound) <= bound);
            }
        }
    }

    struct Canned {
        answer: Result<SrvAnswer, SrvError>,
        asked: Arc<AtomicUsize>,
    }

    impl SrvSource for Canned {
        fn lookup<'a>(&'a self, name: &'a str) -> Lookup<'a> {
            assert_eq!(name, "_imps-server._tcp.village.example.");
            self.asked.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer.clone();
            Box::pin(async move { answer })
        }
    }

    fn canned(records: Vec<SrvRecord>, ttl: u64) -> (Arc<SrvResolver>, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = Ok(SrvAnswer {
            records,
            ttl: Duration::from_secs(ttl),
        });
        (
            SrvResolver::with_source(Canned {
                answer,
                asked: Arc::clone(&asked),
            }),
            asked,
        )
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_its_time_within_bounds() {
        for (ttl, kept) in [(0, 30), (300, 300), (86400, 3600)] {
            let (resolver, asked) = canned(vec![record(1, 1, "a")], ttl);
            let start = Instant::now();
            resolver.targets_at("village.example", start).await.unwrap();
            let before = start + Duration::from_secs(kept - 1);
            resolver
                .targets_at("village.example.", before)
                .await
                .unwrap();
            assert_eq!(asked.load(Ordering::SeqCst), 1);
            let after = start + Duration::from_secs(kept + 1);
            resolver.targets_at("village.example", after).await.unwrap();
            assert_eq!(asked.load(Ordering::SeqCst), 2);
        }
    }

    #[tokio::test]
    async fn a_dot_as_target_means_not_offered() {
        let (resolver, _) = canned(vec![record(0, 0, "")], 60);
        let error = resolver.targets("village.example").await.unwrap_err();
        assert!(matches!(error, SrvError::NotOffered { .. }), "{error}");
    }

    #[tokio::test]
    async fn an_answer_without_records_means_no_ssp() {
        let (resolver, _) = canned(vec![], 60);
        let error = resolver.targets("village.example").await.unwrap_err();
        assert!(matches!(error, SrvError::NoRecords { .. }), "{error}");
    }
}
