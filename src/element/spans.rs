//! How long things took, counted.

use std::time::Duration;

/// Upper ends of the buckets, in microseconds: half a millisecond to a minute. Our choice.
const ENDS: [u64; 16] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// How many things took how long, as a histogram of Prometheus tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans {
    /// By the first end that is not exceeded.
    buckets: [u64; ENDS.len()],
    /// All of them, those beyond the last end too.
    count: u64,
    /// Of all, in microseconds.
    sum: u64,
}

impl Spans {
    /// Counts one more.
    pub fn note(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = ENDS.partition_point(|end| *end < micros);
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(micros);
    }

    /// Adds those that were counted elsewhere.
    pub fn add(&mut self, others: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(others.buckets) {
            *bucket += more;
        }
        self.count += others.count;
        self.sum = self.sum.saturating_add(others.sum);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long they took together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum)
    }

    /// How many took at most so long, for each end.
    pub fn up_to(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut all = 0;
        ENDS.iter().zip(self.buckets).map(move |(end, more)| {
            all += more;
            (Duration::from_micros(*end), all)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_in_every_bucket_that_does_not_end_before_it() {
        let mut spans = Spans::default();
        for micros in [0, 500, 501, 60_000_000, 60_000_001] {
            spans.note(Duration::from_micros(micros));
        }
        let mut more = Spans::default();
        more.note(Duration::MAX);
        spans.add(&more);
        let up_to: Vec<u64> = spans.up_to().map(|(_, count)| count).collect();
        assert_eq!(up_to[..3], [2, 3, 3]);
        assert_eq!(up_to.last(), Some(&4));
        assert_eq!(spans.count(), 6);
        assert_eq!(spans.sum(), Duration::from_micros(u64::MAX));
    }
}
