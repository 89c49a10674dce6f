//! How a table is read: rows by name, and each mistake with its file and line.

use std::collections::BTreeSet;

use toml_edit::{ImDocument, Item, TableLike};

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

/// One file of tables.
pub(super) struct File<'t> {
    name: &'static str,
    text: &'t str,
}

impl<'t> File<'t> {
    pub(super) fn new(name: &'static str, text: &'t str) -> Self {
        Self { name, text }
    }

    pub(super) fn read<T>(
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

    pub(super) fn filled(&self, key: &str) -> Result<String, MappingError> {
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

    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, MappingError> {
        let texts = self.item(key).and_then(Item::as_array).and_then(|array| {
            array
                .iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        texts.ok_or_else(|| self.wrong(key, format!("\"{key}\" must be a list of texts")))
    }

    pub(super) fn one_char(&self, key: &str, text: &str) -> Result<char, MappingError> {
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
