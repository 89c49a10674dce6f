//! The tables of `mappings/`: built in, or an operator's own.
//!
//! A table must be complete and name nothing that does not exist: each mistake
//! is reported with its file and line.

mod addresses;
mod content;
mod presence;
mod rows;
mod status;
mod words;

use std::path::Path;

pub use addresses::AddressTable;
pub use content::{ContentTable, Rendering, text_of_html};
pub use presence::PresenceTable;
#[cfg(test)]
pub(super) use presence::XMPP_MOODS;
use rows::File;
pub use rows::MappingError;
pub use status::{Context, StatusTable};
pub use words::WordsTable;

/// All tables of the translator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mappings {
    /// `status.toml`: codes and errors (section 12).
    pub status: StatusTable,
    /// `presence.toml`: presence attributes.
    pub presence: PresenceTable,
    /// `content.toml`: media types and charsets.
    pub content: ContentTable,
    /// `addresses.toml`: characters and names (section 2).
    pub addresses: AddressTable,
    /// `words.toml`: messages from XMPP with more than a text (section 4.2).
    pub words: WordsTable,
}

const STATUS: &str = include_str!("../../../mappings/status.toml");
const PRESENCE: &str = include_str!("../../../mappings/presence.toml");
const CONTENT: &str = include_str!("../../../mappings/content.toml");
const ADDRESSES: &str = include_str!("../../../mappings/addresses.toml");
const WORDS: &str = include_str!("../../../mappings/words.toml");

impl Mappings {
    /// The files of a folder of tables, with the text of the built-in ones.
    pub const FILES: [(&'static str, &'static str); 5] = [
        ("status.toml", STATUS),
        ("presence.toml", PRESENCE),
        ("content.toml", CONTENT),
        ("addresses.toml", ADDRESSES),
        ("words.toml", WORDS),
    ];

    /// The tables this program was built with.
    ///
    /// # Panics
    /// Never: a test reads them.
    pub fn built_in() -> Self {
        match Self::read([STATUS, PRESENCE, CONTENT, ADDRESSES, WORDS]) {
            Ok(mappings) => mappings,
            Err(error) => panic!("built-in table: {error}"),
        }
    }

    /// The tables of a folder; a file that is not there is the built-in one.
    ///
    /// # Errors
    /// A file cannot be read, or holds a mistake.
    pub fn load(folder: &Path) -> Result<Self, MappingError> {
        let text = |name: &str, built_in: &str| match std::fs::read_to_string(folder.join(name)) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => {
                Ok(built_in.to_owned())
            }
            Err(error) => Err(MappingError {
                file: name.to_owned(),
                line: 0,
                what: format!("cannot be read: {error}"),
            }),
        };
        let [status, presence, content, addresses, words] =
            Self::FILES.map(|(name, built_in)| text(name, built_in));
        Self::read([&status?, &presence?, &content?, &addresses?, &words?])
    }

    /// The tables from their texts, in the order of [`Mappings::FILES`].
    ///
    /// # Errors
    /// A text holds a mistake.
    pub fn read(texts: [&str; 5]) -> Result<Self, MappingError> {
        let [status, presence, content, addresses, words] = texts;
        Ok(Self {
            status: File::new("status.toml", status).read(StatusTable::read)?,
            presence: File::new("presence.toml", presence).read(PresenceTable::read)?,
            content: File::new("content.toml", content).read(ContentTable::read)?,
            addresses: File::new("addresses.toml", addresses).read(AddressTable::read)?,
            words: File::new("words.toml", words).read(WordsTable::read)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(file: usize, change: impl Fn(&str) -> String) -> Result<(), MappingError> {
        let (name, text) = Mappings::FILES[file];
        let text = change(text);
        let file_read = File::new(name, &text);
        match file {
            0 => file_read.read(StatusTable::read).map(drop),
            1 => file_read.read(PresenceTable::read).map(drop),
            2 => file_read.read(ContentTable::read).map(drop),
            3 => file_read.read(AddressTable::read).map(drop),
            _ => file_read.read(WordsTable::read).map(drop),
        }
    }

    #[test]
    fn the_built_in_tables_have_no_mistake() {
        let _ = Mappings::built_in();
    }

    #[test]
    fn every_row_is_missed_when_it_is_taken_away() {
        // Rows that only add to what is covered otherwise.
        let optional = [
            "text/",
            "image/",
            "audio/",
            "video/",
            "application/",
            "iso-",
            "latin1",
            "utf8",
            "ascii",
            "windows",
            "utf-16",
            "utf-8",
            "us-ascii",
            "106",
            "3\"",
            "4\"",
            "1000",
            "1015",
        ];
        let optional = |file: usize, line: &str| match file {
            1 => line.len() > 3 && line.as_bytes()[3] == b' ' && line.ends_with('"'),
            2 => optional
                .iter()
                .any(|o| line.trim_start_matches('"').starts_with(o)),
            _ => false,
        };
        for (file, (name, text)) in Mappings::FILES.iter().enumerate() {
            for (at, line) in text.lines().enumerate() {
                let row = line.contains(" = ") && !line.starts_with('#');
                if !row || optional(file, line) {
                    continue;
                }
                let without: Vec<&str> = text
                    .lines()
                    .enumerate()
                    .filter(|(other, _)| *other != at)
                    .map(|(_, line)| line)
                    .collect();
                let result = with(file, |_| without.join("\n"));
                assert!(result.is_err(), "{name}: nobody misses {line}");
            }
        }
    }

    #[test]
    fn a_mistake_is_named_with_file_and_line() {
        let error = with(0, |text| text.replace("item-not-found\" }", "no-such\" }")).unwrap_err();
        assert_eq!(error.file, "status.toml");
        let line = STATUS
            .lines()
            .position(|l| l.contains("item-not-found\" }"));
        assert_eq!(error.line, line.unwrap() + 1);
        assert!(error.what.contains("no-such"), "{error}");

        let error = with(1, |text| text.replace("\nhappy =", "\nhapy =")).unwrap_err();
        assert_eq!(error.file, "presence.toml");
        assert_eq!(
            error.line,
            PRESENCE
                .lines()
                .position(|l| l.starts_with("happy ="))
                .unwrap()
                + 1
        );

        let error = with(2, |text| text.replace("\"html\"", "\"hmtl\"")).unwrap_err();
        assert!(error.to_string().starts_with("content.toml:"), "{error}");

        let error = with(3, |text| format!("{text}\nthis is no toml")).unwrap_err();
        assert_eq!(error.line, ADDRESSES.lines().count() + 2);
    }

    #[test]
    fn a_folder_overrides_single_files() {
        let folder = std::env::temp_dir().join(format!("wvgate-mappings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let changed = ADDRESSES.replace("\"imps\"", "\"phone\"");
        std::fs::write(folder.join("addresses.toml"), changed).unwrap();
        let loaded = Mappings::load(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let loaded = loaded.unwrap();
        assert_eq!(loaded.addresses.default_resource, "phone");
        assert_eq!(loaded.status, Mappings::built_in().status);
        assert!(Mappings::load(&folder).is_err());
    }
}
