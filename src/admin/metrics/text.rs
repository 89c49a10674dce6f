//! The text format of Prometheus.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::element::Spans;

/// A family's name, what it means, and its value for one of some things.
pub(super) type Row<T> = (&'static str, &'static str, fn(&T) -> u64);

/// Metrics, written one family after the other.
pub(super) struct Text(String);

impl Text {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.0
    }

    /// Begins a family.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One value of the family.
    pub(super) fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// One value of the family, with a label.
    pub(super) fn labelled(
        &mut self,
        name: &str,
        (label, of): (&str, &str),
        value: impl std::fmt::Display,
    ) {
        let of = escape(of);
        self.line(&format!("{name}{{{label}=\"{of}\"}}"), value);
    }

    /// A family with one value.
    pub(super) fn one(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        value: impl std::fmt::Display,
    ) {
        self.family(name, kind, help);
        self.line(name, value);
    }

    /// A family with one value for each of some things.
    pub(super) fn each<'a, T: 'a, V: std::fmt::Display>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        label: &str,
        all: impl IntoIterator<Item = (&'a str, &'a T)>,
        value: impl Fn(&T) -> V,
    ) {
        self.family(name, kind, help);
        for (of, thing) in all {
            self.labelled(name, (label, of), value(thing));
        }
    }

    /// A family of moments at which things end, in seconds since the epoch.
    pub(super) fn ends(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        all: impl IntoIterator<Item = (String, SystemTime)>,
    ) {
        self.family(name, "gauge", help);
        for (of, ends) in all {
            let since = ends.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.labelled(name, (label, of.as_str()), since.as_secs());
        }
    }

    /// The values of a histogram, of which the family has one for each of some things, or one.
    pub(super) fn spans(&mut self, name: &str, of: Option<(&str, &str)>, spans: &Spans) {
        let label = of.map(|(label, of)| format!("{label}=\"{}\"", escape(of)));
        let with = label
            .as_ref()
            .map_or_else(String::new, |label| format!("{label},"));
        for (end, count) in spans.up_to() {
            let end = end.as_secs_f64();
            self.line(&format!("{name}_bucket{{{with}le=\"{end}\"}}"), count);
        }
        self.line(
            &format!("{name}_bucket{{{with}le=\"+Inf\"}}"),
            spans.count(),
        );
        let alone = label.map_or_else(String::new, |label| format!("{{{label}}}"));
        self.line(&format!("{name}_sum{alone}"), spans.sum().as_secs_f64());
        self.line(&format!("{name}_count{alone}"), spans.count());
    }
}

fn escape(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_histogram_has_buckets_sum_and_count_and_labels_are_escaped() {
        let mut spans = Spans::default();
        spans.note(Duration::from_millis(2));
        spans.note(Duration::from_secs(90));
        let mut text = Text::new();
        text.spans("a_seconds", Some(("peer", "a\"b")), &spans);
        text.spans("b_seconds", None, &spans);
        let text = text.finish();
        for line in [
            "a_seconds_bucket{peer=\"a\\\"b\",le=\"0.001\"} 0",
            "a_seconds_bucket{peer=\"a\\\"b\",le=\"0.0025\"} 1",
            "a_seconds_bucket{peer=\"a\\\"b\",le=\"60\"} 1",
            "a_seconds_bucket{peer=\"a\\\"b\",le=\"+Inf\"} 2",
            "a_seconds_sum{peer=\"a\\\"b\"} 90.002",
            "a_seconds_count{peer=\"a\\\"b\"} 2",
            "b_seconds_bucket{le=\"+Inf\"} 2",
            "b_seconds_count 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }
}
