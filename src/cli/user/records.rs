//! Users in a file, one after the other: CSV, or a JSON object a line.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use clap::ValueEnum;
use serde_json::Value;
use tokio::io::AsyncRead;

use super::csv;
use crate::admin::{LineError, Lines};
use crate::home::UserRecord;

/// Bytes of one user.
const MAX_RECORD: usize = 32 * 1024;

/// Columns that are no property of the profile.
const COLUMNS: [&str; 8] = [
    "user",
    "password",
    "password_hash",
    "alias",
    "disabled",
    "services",
    "privacy",
    "properties",
];

/// How users stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FileFormat {
    /// A header, then a line for each user
    Csv,
    /// A JSON object on each line
    Json,
}

impl FileFormat {
    /// By the end of a file's name.
    pub(super) fn of(file: &Path) -> Self {
        let end = file.extension().unwrap_or_default();
        if end.eq_ignore_ascii_case("csv") {
            Self::Csv
        } else {
            Self::Json
        }
    }

    /// What stands before the first user.
    pub(super) fn header(self) -> Option<String> {
        let named = COLUMNS.iter().filter(|name| **name != "password");
        let named: Vec<&str> = named.copied().collect();
        (self == Self::Csv).then(|| named.join(","))
    }

    /// A user as a line, or several if a text has several.
    pub(super) fn line(self, user: &Value) -> String {
        if self == Self::Json {
            return user.to_string();
        }
        let named = COLUMNS.iter().filter(|name| **name != "password");
        let cells = named.map(|name| match &user[*name] {
            Value::Null => String::new(),
            Value::String(text) => csv::cell(text),
            other => csv::cell(&other.to_string()),
        });
        cells.collect::<Vec<_>>().join(",")
    }
}

pub(super) struct Records<R> {
    lines: Lines<R>,
    format: FileFormat,
    /// Names of the columns.
    header: Vec<String>,
    /// Lines that were read and are still to be understood.
    ahead: VecDeque<(u64, Result<String, String>)>,
    /// How many lines were read.
    number: u64,
}

/// A user, or what is wrong; and the number of the line, from 1, at which it begins.
pub(super) type Numbered = (u64, Result<UserRecord, String>);

impl<R: AsyncRead + Unpin> Records<R> {
    pub(super) fn new(reader: R, format: FileFormat) -> Self {
        Self {
            lines: Lines::new(reader, MAX_RECORD),
            format,
            header: Vec::new(),
            ahead: VecDeque::new(),
            number: 0,
        }
    }

    /// The next user; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or its header is not one.
    pub(super) async fn next(&mut self) -> Result<Option<Numbered>, String> {
        if self.format == FileFormat::Csv && self.header.is_empty() {
            self.read_header().await?;
        }
        while let Some((number, line)) = self.line().await? {
            let user = match line {
                Err(why) => Err(why),
                Ok(line) if line.trim().is_empty() => continue,
                Ok(line) => match self.format {
                    FileFormat::Json => {
                        serde_json::from_str(&line).map_err(|error| error.to_string())
                    }
                    FileFormat::Csv => self.row(line).await?,
                },
            };
            return Ok(Some((number, user)));
        }
        Ok(None)
    }

    async fn read_header(&mut self) -> Result<(), String> {
        let first = self.line().await?.map(|(_, line)| line);
        let line = first.unwrap_or_else(|| Err("there is no header".to_owned()))?;
        let line = line.trim_start_matches('\u{feff}');
        let cells = csv::cells(line).map_err(|_| "the header has no end".to_owned())?;
        self.header = cells.iter().map(|cell| cell.trim().to_owned()).collect();
        let is_known = |name: &&String| COLUMNS.contains(&name.as_str()) || is_property(name);
        if let Some(odd) = self.header.iter().find(|name| !is_known(name)) {
            let known = COLUMNS.join(", ");
            return Err(format!(
                "line 1: there is no column {odd}; columns are {known}, and properties as PP_CITY"
            ));
        }
        if !self.header.iter().any(|name| name == "user") {
            return Err("line 1: there is no column user".to_owned());
        }
        Ok(())
    }

    /// The user of a row that begins with this line. If a quotation in it has no end, it alone is
    /// bad, and the lines after it are read on their own.
    async fn row(&mut self, line: String) -> Result<Result<UserRecord, String>, String> {
        let mut record = line;
        let mut taken = VecDeque::new();
        loop {
            if let Ok(cells) = csv::cells(&record) {
                return Ok(user_of(&self.header, &cells));
            }
            match self.line().await? {
                Some((number, Ok(line))) if record.len() + line.len() < MAX_RECORD => {
                    record.push('\n');
                    record.push_str(&line);
                    taken.push_back((number, Ok(line)));
                }
                last => {
                    taken.extend(last);
                    taken.append(&mut self.ahead);
                    self.ahead = taken;
                    return Ok(Err("a quotation has no end".to_owned()));
                }
            }
        }
    }

    async fn line(&mut self) -> Result<Option<(u64, Result<String, String>)>, String> {
        if let Some(next) = self.ahead.pop_front() {
            return Ok(Some(next));
        }
        let line = match self.lines.next().await {
            Ok(None) => return Ok(None),
            Ok(Some(line)) => Ok(line),
            Err(LineError::Io(error)) => return Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.number += 1;
        Ok(Some((self.number, line)))
    }
}

fn is_property(name: &str) -> bool {
    name.starts_with("PP_")
}

fn user_of(header: &[String], cells: &[String]) -> Result<UserRecord, String> {
    if cells.len() != header.len() {
        let (found, wanted) = (cells.len(), header.len());
        return Err(format!("{found} cells instead of {wanted}"));
    }
    let mut user = UserRecord::default();
    for (name, cell) in header.iter().zip(cells) {
        let filled = || Some(cell.clone()).filter(|cell| !cell.is_empty());
        let object = || match cell.trim() {
            "" => Ok(BTreeMap::default()),
            text => serde_json::from_str(text)
                .map_err(|error| format!("{name} is no JSON object of texts: {error}")),
        };
        match name.as_str() {
            "user" => cell.trim().clone_into(&mut user.user),
            "password" => user.password = filled(),
            "password_hash" => user.password_hash = filled(),
            "alias" => user.alias = filled(),
            "disabled" => {
                user.disabled = match cell.trim().to_ascii_lowercase().as_str() {
                    "" => None,
                    "true" | "yes" | "1" => Some(true),
                    "false" | "no" | "0" => Some(false),
                    _ => return Err("disabled is neither true nor false".to_owned()),
                }
            }
            "services" => user.services = object()?,
            "privacy" => user.privacy = object()?,
            "properties" => user.properties.extend(object()?),
            property => {
                let value = filled().map(|value| (property.to_owned(), value));
                user.properties.extend(value);
            }
        }
    }
    Ok(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str, format: FileFormat) -> Result<Vec<Numbered>, String> {
        let mut records = Records::new(text.as_bytes(), format);
        let mut all = Vec::new();
        while let Some(next) = records.next().await? {
            all.push(next);
        }
        Ok(all)
    }

    fn names(all: &[Numbered]) -> Vec<(u64, Result<&str, &str>)> {
        let all = all.iter();
        all.map(|(number, user)| match user {
            Ok(user) => (*number, Ok(user.user.as_str())),
            Err(why) => (*number, Err(why.as_str())),
        })
        .collect()
    }

    #[tokio::test]
    async fn a_bad_line_is_told_with_its_number_and_the_others_are_read() {
        let text = "user,alias,PP_CITY\n\
                    bob,Bob,Oslo\n\
                    dora,\"Dora\nthe first\",\n\
                    \n\
                    carl,Carl\n\
                    eve,\"no end,Rome\n\
                    fred,Fred,Rome\n";
        let all = read(text, FileFormat::Csv).await.unwrap();
        assert_eq!(
            names(&all),
            [
                (2, Ok("bob")),
                (3, Ok("dora")),
                (6, Err("2 cells instead of 3")),
                (7, Err("a quotation has no end")),
                (8, Ok("fred")),
            ]
        );
        let bob = all[0].1.as_ref().unwrap();
        assert_eq!(bob.properties["PP_CITY"], "Oslo");
        let dora = all[1].1.as_ref().unwrap();
        assert_eq!(dora.alias.as_deref(), Some("Dora\nthe first"));
        assert!(dora.properties.is_empty());
    }

    #[tokio::test]
    async fn json_lines_are_read_one_by_one() {
        let long = "x".repeat(MAX_RECORD);
        let text = format!(
            "{{\"user\":\"bob\",\"disabled\":true}}\n{{\"user\":\"a\",\"colour\":\"red\"}}\n{long}\n\n{{\"user\":\"dora\"}}"
        );
        let all = read(&text, FileFormat::Json).await.unwrap();
        assert_eq!(all.len(), 4);
        assert_eq!(names(&all)[0], (1, Ok("bob")));
        assert!(all[1].1.as_ref().unwrap_err().contains("colour"));
        assert!(all[2].1.as_ref().unwrap_err().contains("longer"));
        assert_eq!(names(&all)[3], (5, Ok("dora")));
    }

    #[tokio::test]
    async fn a_header_with_an_unknown_column_or_without_users_is_refused() {
        for (text, why) in [
            ("user,colour\n", "there is no column colour"),
            ("alias\n", "there is no column user"),
            ("", "there is no header"),
        ] {
            let refused = read(text, FileFormat::Csv).await.unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[tokio::test]
    async fn what_is_written_is_read_again() {
        let user = UserRecord {
            user: "bob".to_owned(),
            password_hash: Some("$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA".to_owned()),
            alias: Some("Bob, \"the\nfirst\"".to_owned()),
            disabled: Some(true),
            services: [("IM".to_owned(), "Inactive".to_owned())].into(),
            privacy: [("USER_ALIAS".to_owned(), "Allowed".to_owned())].into(),
            properties: [("PP_CITY".to_owned(), "Oslo; Bergen".to_owned())].into(),
            ..UserRecord::default()
        };
        let value = serde_json::to_value(&user).unwrap();
        for format in [FileFormat::Csv, FileFormat::Json] {
            let mut lines: Vec<String> = format.header().into_iter().collect();
            lines.push(format.line(&value));
            let again = read(&lines.join("\n"), format).await.unwrap();
            assert_eq!(again[0].1, Ok(user.clone()), "{format:?}");
        }
    }
}
