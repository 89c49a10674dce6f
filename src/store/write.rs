//! One change of a record, and what is known of several that are committed together.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

/// One change of a batch.
///
/// Keys are text, ordered bytewise, of the form `section/rest` (`sap/session/…`); values are
/// opaque bytes: JSON, alone or before a body ([`super::described`]), or what is packed
/// ([`super::packed`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Creates the record or replaces its value.
    Put {
        /// The record's key.
        key: String,
        /// Its new value; may be empty.
        value: Vec<u8>,
        /// No record has had this key, or it is deleted. If such a record is deleted before it came
        /// to the engine behind the journal, that never hears of it; so it must be true.
        new: bool,
    },
    /// Removes the record; no error if there is none.
    Delete {
        /// The record's key.
        key: String,
    },
}

/// Bytes for which there is room before a record as JSON grows; most are no longer.
const ROOM: usize = 384;

impl Write {
    /// The key of a record that has a number: all of a prefix stand in the order of their numbers.
    pub fn numbered(prefix: &str, mut number: u64) -> String {
        // By hand, because each relayed message has several.
        let mut digits = [b'0'; 20];
        for digit in digits.iter_mut().rev() {
            if number == 0 {
                break;
            }
            *digit += (number % 10) as u8;
            number /= 10;
        }
        let mut key = String::with_capacity(prefix.len() + digits.len());
        key.push_str(prefix);
        // Digits are text.
        key.push_str(std::str::from_utf8(&digits).unwrap_or_default());
        key
    }

    /// What counts of writes that are committed together: the last one for each key, and nothing of
    /// a record that was made and deleted.
    #[must_use]
    pub fn last_of_each(writes: Vec<Self>) -> Vec<Self> {
        // For each key its last write, and whether the first one made the record.
        let mut ends = HashMap::with_capacity(writes.len());
        for (at, write) in writes.iter().enumerate() {
            let end = ends.entry(write.key()).or_insert((at, write.is_new()));
            end.0 = at;
        }
        if ends.len() == writes.len() {
            return writes;
        }
        let mut kept: Vec<(usize, bool)> = ends.into_values().collect();
        kept.sort_unstable();
        let mut kept = kept.into_iter().peekable();
        let counts = |(at, mut write): (usize, Self)| {
            let (_, made) = kept.next_if(|(last, _)| *last == at)?;
            match &mut write {
                Self::Delete { .. } if made => return None,
                Self::Delete { .. } => {}
                Self::Put { new, .. } => *new = made,
            }
            Some(write)
        };
        writes.into_iter().enumerate().filter_map(counts).collect()
    }

    /// Puts bytes as they are; whatever the key held is gone.
    pub fn put(key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self::Put {
            key: key.into(),
            value: value.into(),
            new: false,
        }
    }

    /// Says that there is no record of its key: that it makes one.
    #[must_use]
    pub fn as_new(mut self) -> Self {
        if let Self::Put { new, .. } = &mut self {
            *new = true;
        }
        self
    }

    fn is_new(&self) -> bool {
        matches!(self, Self::Put { new: true, .. })
    }

    /// Carries it out on records in memory.
    ///
    /// # Panics
    ///
    /// If a record that is said to be new is there: a mistake of who made the write. Release builds
    /// do not look.
    pub fn apply(self, records: &mut BTreeMap<String, Vec<u8>>) {
        match self {
            Self::Put { key, value, new } => {
                debug_assert!(!new || !records.contains_key(&key), "{key} is not new");
                records.insert(key, value);
            }
            Self::Delete { key } => drop(records.remove(&key)),
        }
    }

    /// Puts a value as JSON.
    ///
    /// # Panics
    ///
    /// If `T` cannot be written as JSON at all (a map whose keys are not text, a `Serialize` that
    /// fails by itself). That is a mistake in the type, never in the data.
    pub fn put_json<T: Serialize + ?Sized>(key: impl Into<String>, value: &T) -> Self {
        let mut written = Vec::with_capacity(ROOM);
        match serde_json::to_writer(&mut written, value) {
            Ok(()) => Self::put(key, written),
            Err(error) => panic!(
                "{} cannot be stored as JSON: {error}",
                std::any::type_name::<T>()
            ),
        }
    }

    /// Deletes a record.
    pub fn delete(key: impl Into<String>) -> Self {
        Self::Delete { key: key.into() }
    }

    /// The key that this change is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    /// Bytes of key and value together.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Put { key, value, .. } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_writes_that_are_committed_together_the_last_one_for_each_key_counts() {
        let (put, delete) = (
            |key: &str, value: &str| Write::put(key, value),
            Write::delete,
        );
        let writes = vec![
            put("a", "1"),
            put("b", "1"),
            put("a", "2"),
            delete("b"),
            put("c", "1"),
            delete("d"),
            put("d", "2"),
        ];
        let last = vec![put("a", "2"), delete("b"), put("c", "1"), put("d", "2")];
        assert_eq!(Write::last_of_each(writes), last);
        assert_eq!(Write::last_of_each(last.clone()), last);
        assert_eq!(Write::last_of_each(Vec::new()), []);
    }

    #[test]
    fn of_records_made_in_a_batch_what_is_left_is_new() {
        let put = |key: &str, value: &str| Write::put(key, value);
        let delete = |key: &str| Write::delete(key);
        let made = put("a", "1").as_new();
        let writes = vec![
            made.clone(),
            put("b", "1").as_new(),
            put("a", "2"),
            delete("b"),
        ];
        assert_eq!(Write::last_of_each(writes), [put("a", "2").as_new()]);
        // There was one before.
        let writes = vec![delete("a"), made.clone()];
        assert_eq!(Write::last_of_each(writes), [put("a", "1")]);
        let writes = vec![delete("a"), made, delete("a")];
        assert_eq!(Write::last_of_each(writes), [delete("a")]);
    }

    #[test]
    fn json_writes_carry_the_json() {
        assert_eq!(
            Write::put_json("a/1", &["x", "y"]),
            Write::Put {
                key: "a/1".to_owned(),
                value: br#"["x","y"]"#.to_vec(),
                new: false,
            }
        );
        assert_eq!(Write::delete("a/1").key(), "a/1");
    }

    #[test]
    fn keys_with_numbers_are_in_their_order() {
        let numbers = [0, 1, 9, 10, 4096, u64::from(u32::MAX), u64::MAX];
        for number in numbers {
            assert_eq!(Write::numbered("a/", number), format!("a/{number:020}"));
        }
        assert!(
            numbers
                .map(|number| Write::numbered("a/", number))
                .is_sorted()
        );
    }
}
