//! How lists and times are printed.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::Failure;
use crate::imps::datetime::DateTime;
use crate::sap::{ServiceSet, Time};

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// Aligned columns.
    #[default]
    Text,
    /// JSON.
    Json,
}

/// Prints a text as it is.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::Unread,
        _ => Failure::Failed(format!("cannot write: {error}")),
    })
}

/// Says something on standard error. What happens to that is no reason to fail.
pub(super) fn complain(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Says something on standard error without an end of line.
pub(super) fn ask(text: &str) {
    let mut errors = std::io::stderr();
    let _ = errors.write_all(text.as_bytes());
    let _ = errors.flush();
}

/// Prints a line; fails if nobody reads any more.
pub(super) fn line(text: impl std::fmt::Display) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

/// Prints JSON, a list one element a line.
pub(super) fn json(value: &Value) -> Result<(), Failure> {
    let Value::Array(rows) = value else {
        return line(value);
    };
    if rows.is_empty() {
        return line("[]");
    }
    let rows: Vec<String> = rows.iter().map(|row| format!("  {row}")).collect();
    line(format!("[\n{}\n]", rows.join(",\n")))
}

/// Prints what was found as lines for people, or as JSON.
pub(super) fn report<R: Serialize>(
    report: &R,
    text: impl FnOnce(&R) -> String,
    format: Format,
) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let value = serde_json::to_value(report);
            json(&value.map_err(|error| Failure::Failed(error.to_string()))?)
        }
        Format::Text => line(text(report)),
    }
}

/// A column: heading and what stands in it.
pub(super) type Column = (&'static str, fn(&Value) -> String);

/// Prints a list of objects as aligned columns, or as JSON.
pub(super) fn list(rows: &Value, columns: &[Column], format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        return json(rows);
    }
    let heading = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut table = vec![heading];
    for row in rows.as_array().into_iter().flatten() {
        table.push(columns.iter().map(|(_, cell)| cell(row)).collect());
    }
    print(&aligned(&table))
}

/// Rows as aligned columns.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Nothing from outside may move the cursor.
            let cell = cell.replace(|c: char| c.is_control(), " ");
            // Writing into a String cannot fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A field as text; `-` for none.
pub(super) fn field(row: &Value, name: &str) -> String {
    match &row[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| {
                    item.as_str()
                        .map_or_else(|| item.to_string(), str::to_owned)
                })
                .collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

/// A field with names of the service tree; `everything` for all of it, `-` for nothing.
pub(super) fn functions(row: &Value, name: &str) -> String {
    match set(row, name) {
        set if set == ServiceSet::ALL => "everything".to_owned(),
        _ => field(row, name),
    }
}

/// The functions that a field names.
pub(super) fn set(row: &Value, name: &str) -> ServiceSet {
    let names = row[name].as_array().into_iter().flatten();
    let names = names.filter_map(Value::as_str);
    names
        .filter_map(ServiceSet::named)
        .fold(ServiceSet::NONE, ServiceSet::union)
}

/// A field that holds milliseconds since the epoch, as a date.
pub(super) fn time_field(row: &Value, name: &str) -> String {
    row[name]
        .as_u64()
        .map_or_else(|| "-".to_owned(), |at| date(Time(at)))
}

/// `2026-01-02 03:04:05`, in UTC.
pub(super) fn date(time: Time) -> String {
    let text = DateTime::from_millis(time.0).to_string();
    text.trim_end_matches('Z').replace('T', " ")
}

/// A duration in its two largest units.
pub(super) fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(
            aligned(&[row("PEER", "STATE"), row("village.test", "up\u{1b}")]),
            "PEER          STATE\nvillage.test  up\n"
        );
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(date(Time(86_399_000)), "1970-01-01 23:59:59");
        assert_eq!(duration(59_999), "59s");
        assert_eq!(duration(3_600_000 * 25), "1d 1h");
    }
}
