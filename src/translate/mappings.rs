//! The tables of `mappings/`: built in, or an operator's own.
//!
//! A table must be complete and name nothing that does not exist: each mistake
//! is reported with its file and line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml_edit::{ImDocument, Item, TableLike};

use super::content::ContentTable;
use super::presence::PresenceTable;
use super::status::StatusTable;

/// A mistake in a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct MappingError {
    /// The file, as its name in the folder of tables.
    pub file: String,
    /// Line, from 1; 0 if the file as a whole is meant.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

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
}

/// `addresses.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressTable {
    /// Resource of a user who named no client.
    pub default_resource: String,
    /// Begins the resource of an application.
    pub application_prefix: String,
    /// Longest nickname, bytes.
    pub nickname_bytes: usize,
    /// Removed from phone numbers.
    pub phone_separators: Vec<char>,
    /// Stand for `/` in the local part of a room.
    pub group_separators: Vec<char>,
    /// Percent-coded in WV addresses.
    pub percent_encode: Vec<char>,
    /// XEP-0106.
    pub escape: BTreeMap<char, String>,
}

const STATUS: &str = include_str!("../../mappings/status.toml");
const PRESENCE: &str = include_str!("../../mappings/presence.toml");
const CONTENT: &str = include_str!("../../mappings/content.toml");
const ADDRESSES: &str = include_str!("../../mappings/addresses.toml");

impl Mappings {
    /// The files of a folder of tables, with the text of the built-in ones.
    pub const FILES: [(&'static str, &'static str); 4] = [
        ("status.toml", STATUS),
        ("presence.toml", PRESENCE),
        ("content.toml", CONTENT),
        ("addresses.toml", ADDRESSES),
    ];

    /// The tables this program was built with.
    ///
    /// # Panics
    /// Never: a test reads them.
    pub fn built_in() -> Self {
        match Self::read(STATUS, PRESENCE, CONTENT, ADDRESSES) {
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
        let [status, presence, content, addresses] =
            Self::FILES.map(|(name, built_in)| text(name, built_in));
        Self::read(&status?, &presence?, &content?, &addresses?)
    }

    /// The tables from their texts.
    ///
    /// # Errors
    /// A text holds a mistake.
    pub fn read(
        status: &str,
        presence: &str,
        content: &str,
        addresses: &str,
    ) -> Result<Self, MappingError> {
        Ok(Self {
            status: File::new("status.toml", status).read(StatusTable::read)?,
            presence: File::new("presence.toml", presence).read(PresenceTable::read)?,
            content: File::new("content.toml", content).read(ContentTable::read)?,
            addresses: File::new("addresses.toml", addresses).read(AddressTable::read)?,
        })
    }
}

impl AddressTable {
    fn read(root: &Rows<'_>) -> Result<Self, MappingError> {
        root.only(&[
            "default-resource",
            "application-prefix",
            "nickname-bytes",
            "phone-separators",
            "group-separators",
            "percent-encode",
            "escape",
        ])?;
        let mut escape = BTreeMap::new();
        let rows = root.table("escape")?;
        for key in rows.keys() {
            let plain = rows.one_char(&key, &key)?;
            let code = rows.text(&key)?;
            if !(code.len() == 3 && code.starts_with('\\')) {
                return Err(rows.wrong(&key, "an escape is a backslash and two hex digits"));
            }
            escape.insert(plain, code);
        }
        rows.needs(
            [" ", "\"", "&", "'", "/", ":", "<", ">", "@", "\\"],
            "XEP-0106",
        )?;
        let percent_encode: Vec<char> = root.text("percent-encode")?.chars().collect();
        for needed in ['%', '/', '@', '+'] {
            if !percent_encode.contains(&needed) {
                let what = format!("\"{needed}\" may not stand in a WV address and must be listed");
                return Err(root.wrong("percent-encode", what));
            }
        }
        let separators = root
            .texts("group-separators")?
            .iter()
            .map(|text| root.one_char("group-separators", text))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            default_resource: root.filled("default-resource")?,
            application_prefix: root.filled("application-prefix")?,
            nickname_bytes: usize::from(root.number("nickname-bytes")?).max(1),
            phone_separators: root.text("phone-separators")?.chars().collect(),
            group_separators: separators,
            percent_encode,
            escape,
        })
    }
}

/// One file of tables.
struct File<'t> {
    name: &'static str,
    text: &'t str,
}

impl<'t> File<'t> {
    fn new(name: &'static str, text: &'t str) -> Self {
        Self { name, text }
    }

    fn read<T>(
        &self,
        reader: impl FnOnce(&Rows<'_>) -> Result<T, MappingError>,
    ) -> Result<T, MappingError> {
        let document = ImDocument::parse(self.text).map_err(|error| MappingError {
            file: self.name.to_owned(),
            line: error.span().map_or(0, |span| self.line(span.start)),
            what: error.message().to_owned(),
        })?;
        reader(&Rows {
            file: self,
            table: document.as_table(),
            line: 0,
        })
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or(self.text);
        before.bytes().filter(|b| *b == b'\n').count() + 1
    }
}

/// A table within a file, for its reader.
pub(super) struct Rows<'a> {
    file: &'a File<'a>,
    table: &'a dyn TableLike,
    line: usize,
}

impl<'a> Rows<'a> {
    /// The names of the rows, in order.
    pub(super) fn keys(&self) -> Vec<String> {
        self.table.iter().map(|(key, _)| key.to_owned()).collect()
    }

    /// A mistake in the row called `key`, or in the table if there is none.
    pub(super) fn wrong(&self, key: &str, what: impl Into<String>) -> MappingError {
        let line = self.table.get_key_value(key).and_then(|(key, item)| {
            key.span()
                .or_else(|| item.span())
                .map(|span| self.file.line(span.start))
        });
        MappingError {
            file: self.file.name.to_owned(),
            line: line.unwrap_or(self.line),
            what: what.into(),
        }
    }

    /// Refuses rows of other names.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), MappingError> {
        match self
            .keys()
            .iter()
            .find(|key| !known.contains(&key.as_str()))
        {
            None => Ok(()),
            Some(key) => {
                let what = format!(
                    "\"{key}\" is not known here; known are {}",
                    known.join(", ")
                );
                Err(self.wrong(key, what))
            }
        }
    }

    /// Requires a row for each name of a list, called `list` in the complaint.
    pub(super) fn needs<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        list: &str,
    ) -> Result<(), MappingError> {
        let have: BTreeSet<String> = self.keys().into_iter().collect();
        match names.into_iter().find(|name| !have.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(self.wrong("", format!("no row for \"{name}\" ({list})"))),
        }
    }

    fn item(&self, key: &str) -> Option<&'a Item> {
        self.table.get(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.item(key).is_some()
    }

    /// The table or inline table of that name.
    pub(super) fn table(&self, key: &str) -> Result<Rows<'a>, MappingError> {
        let Some(item) = self.item(key) else {
            return Err(self.wrong("", format!("the table \"{key}\" is missing")));
        };
        let Some(table) = item.as_table_like() else {
            return Err(self.wrong(key, format!("\"{key}\" must be a table")));
        };
        let line = match item.span() {
            Some(span) => self.file.line(span.start),
            None => self.wrong(key, "").line,
        };
        Ok(Rows {
            file: self.file,
            table,
            line,
        })
    }

    pub(super) fn text(&self, key: &str) -> Result<String, MappingError> {
        match self.item(key).map(|item| item.as_str()) {
            Some(Some(text)) => Ok(text.to_owned()),
            Some(None) => Err(self.wrong(key, format!("\"{key}\" must be a text in quotes"))),
            None => Err(self.wrong("", format!("\"{key}\" is missing"))),
        }
    }

    fn filled(&self, key: &str) -> Result<String, MappingError> {
        let text = self.text(key)?;
        if text.is_empty() {
            return Err(self.wrong(key, format!("\"{key}\" may not be empty")));
        }
        Ok(text)
    }

    pub(super) fn truth(&self, key: &str) -> Result<bool, MappingError> {
        match self.item(key).map(toml_edit::Item::as_bool) {
            Some(Some(truth)) => Ok(truth),
            Some(None) => Err(self.wrong(key, format!("\"{key}\" must be true or false"))),
            None => Err(self.wrong("", format!("\"{key}\" is missing"))),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<u16, MappingError> {
        let number = self.item(key).map(|item| {
            item.as_integer()
                .and_then(|number| u16::try_from(number).ok())
        });
        match number {
            Some(Some(number)) => Ok(number),
            Some(None) => Err(self.wrong(key, format!("\"{key}\" must be a number, 0 to 65535"))),
            None => Err(self.wrong("", format!("\"{key}\" is missing"))),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, MappingError> {
        let texts = self.item(key).and_then(Item::as_array).and_then(|array| {
            array
                .iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        texts.ok_or_else(|| self.wrong(key, format!("\"{key}\" must be a list of texts")))
    }

    fn one_char(&self, key: &str, text: &str) -> Result<char, MappingError> {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(self.wrong(key, format!("\"{text}\" must be one character"))),
        }
    }

    /// The text of a row, which must be one of a list.
    pub(super) fn one_of(&self, key: &str, known: &[&str]) -> Result<String, MappingError> {
        let text = self.text(key)?;
        if known.contains(&text.as_str()) {
            return Ok(text);
        }
        let what = format!("\"{text}\" is not known; one of {}", known.join(", "));
        Err(self.wrong(key, what))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn with(file: usize, change: impl Fn(&str) -> String) -> Result<(), MappingError> {
        let (name, text) = Mappings::FILES[file];
        let text = change(text);
        let file_read = File::new(name, &text);
        match file {
            0 => file_read.read(StatusTable::read).map(drop),
            1 => file_read.read(PresenceTable::read).map(drop),
            2 => file_read.read(ContentTable::read).map(drop),
            _ => file_read.read(AddressTable::read).map(drop),
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
