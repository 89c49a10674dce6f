//! How many rows of the Transaction Table are kept: in number and in bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::table::{Sum, Table};
use crate::element::Time;
use crate::sap::settings::Shards;

/// Answered requests remembered at most, whatever the duplicate window, by all shards together.
/// Our choice.
const REMEMBERED: Sum = Sum {
    number: 250_000,
    bytes: 256 * 1024 * 1024,
};

/// Rows of the table that may be forgotten before their time, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Forgettable {
    /// Answered requests, in the order in which they are forgotten.
    lines: Vec<Line>,
    /// By origin, the lines of those that are remembered as long as usual, and of those that are
    /// remembered longer.
    of: HashMap<String, [usize; 2]>,
    /// Of each line that is not empty: when its first row is forgotten, that row, the line.
    first: BTreeSet<(Time, u64, usize)>,
    /// Taken over, and the next hop has them; with their bytes.
    lingering: BTreeMap<u64, usize>,
    lingering_bytes: usize,
}

/// Answered requests of one origin that are remembered equally long, and until when.
type Line = VecDeque<(u64, Time)>;

impl Forgettable {
    /// A row that was taken over is answered, or gone.
    pub(super) fn gone(&mut self, number: u64) {
        self.lingering_bytes -= self.lingering.remove(&number).unwrap_or_default();
    }

    /// A row was answered and is remembered until then, or until those are forgotten that were
    /// answered before it.
    pub(super) fn answered(&mut self, origin: &str, number: u64, until: Time, is_longer: bool) {
        let lines = match self.of.get(origin) {
            Some(lines) => *lines,
            None => {
                let next = self.lines.len();
                self.lines.extend([Line::new(), Line::new()]);
                self.of.insert(origin.to_owned(), [next, next + 1]);
                [next, next + 1]
            }
        };
        let line = lines[usize::from(is_longer)];
        let Some(rows) = self.lines.get_mut(line) else {
            return;
        };
        let until = rows.back().map_or(until, |(_, last)| until.max(*last));
        if rows.is_empty() {
            self.first.insert((until, number, line));
        }
        rows.push_back((number, until));
    }

    /// When the next answered row is forgotten.
    pub(super) fn next(&self) -> Option<Time> {
        self.first.first().map(|(until, ..)| *until)
    }

    /// Takes an answered row whose time has come.
    pub(super) fn due(&mut self, now: Time) -> Option<u64> {
        let (until, _, line) = *self.first.first()?;
        (until <= now).then(|| self.take_first(line))?
    }

    /// Takes the oldest answered row that has to go for others.
    pub(super) fn too_old(&mut self, table: &Table, shards: Shards) -> Option<u64> {
        let origin = table.remembers_too_much(Sum {
            number: shards.share(REMEMBERED.number),
            bytes: shards.share(REMEMBERED.bytes),
        })?;
        let lines = self.of.get(origin)?.iter();
        let oldest = lines.filter_map(|line| Some((self.lines.get(*line)?.front()?.0, *line)));
        let (_, line) = oldest.min()?;
        self.take_first(line)
    }

    fn take_first(&mut self, line: usize) -> Option<u64> {
        let rows = self.lines.get_mut(line)?;
        let (number, until) = rows.pop_front()?;
        self.first.remove(&(until, number, line));
        match rows.front() {
            Some((next, until)) => {
                self.first.insert((*until, *next, line));
                if rows.len() < rows.capacity() / 4 {
                    rows.shrink_to(rows.len() * 2);
                }
            }
            None => *rows = Line::new(),
        }
        Some(number)
    }

    /// A row of so many bytes was taken over, and the next hop has it.
    pub(super) fn lingers(&mut self, number: u64, bytes: usize) {
        let before = self.lingering.insert(number, bytes);
        self.lingering_bytes += bytes;
        self.lingering_bytes -= before.unwrap_or_default();
    }

    /// The oldest of these, if it has to go for others.
    pub(super) fn lingers_too_long(&self, most: Sum) -> Option<u64> {
        let too_many = self.lingering.len() > most.number || self.lingering_bytes > most.bytes;
        let oldest = self.lingering.first_key_value();
        oldest.map(|(number, _)| *number).filter(|_| too_many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answered_rows_are_forgotten_in_time_and_in_order() {
        let mut rows = Forgettable::default();
        for (origin, number, until, is_longer) in [
            ("a", 1, 50, false),
            ("b", 2, 40, false),
            ("a", 3, 90, true),
            ("a", 4, 60, false),
            // The clock was put back.
            ("b", 5, 30, false),
        ] {
            rows.answered(origin, number, Time(until), is_longer);
        }
        let mut forgotten = Vec::new();
        while let Some(at) = rows.next() {
            assert_eq!(rows.due(Time(at.0 - 1)), None);
            forgotten.push((at.0, rows.due(at).unwrap()));
        }
        assert_eq!(forgotten, [(40, 2), (40, 5), (50, 1), (60, 4), (90, 3)]);
    }

    #[test]
    fn room_is_given_back_as_rows_are_forgotten() {
        let mut rows = Forgettable::default();
        for number in 0..10_000 {
            rows.answered("a", number, Time(number), false);
        }
        for number in 0..9_990 {
            assert_eq!(rows.due(Time(10_000)), Some(number));
        }
        assert!(rows.lines.iter().all(|line| line.capacity() <= 64));
    }
}
