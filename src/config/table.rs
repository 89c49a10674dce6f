//! Files beside the configuration, such as dialects: read with the same care, their
//! mistakes told in the same way.

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::Value;
use serde::de::DeserializeOwned;
use toml_edit::ImDocument;

use super::locate::Located;
use super::problem::Problem;
use super::{read, suggest};

/// Most mistakes looked for in one file.
const MOST_PROBLEMS: usize = 100;

/// A file that was read as far as it could be.
pub struct Table<T> {
    /// Its value; `None` if it is not TOML.
    pub value: Option<T>,
    /// Where its keys stand.
    pub located: Located,
    /// Mistakes of shape: syntax, unknown keys, wrong types. Keys with a mistake
    /// have their defaults in `value`.
    pub problems: Vec<Problem>,
}

/// Reads `text`, the content of `file`.
pub fn read_table<T: DeserializeOwned>(file: &str, text: &str) -> Table<T> {
    let document = match ImDocument::parse(text.to_owned()) {
        Ok(document) => document,
        Err(error) => {
            return Table {
                value: None,
                located: Located::new(file.to_owned(), None, Vec::new()),
                problems: vec![read::syntax(file, text, &error)],
            };
        }
    };
    let located = Located::new(file.to_owned(), Some(document), Vec::new());
    let mut problems = Vec::new();
    let mut value: Value = match Figment::from(Toml::string(text)).extract() {
        Ok(value) => value,
        Err(error) => {
            problems.push(Problem::new(file, None, "", error.to_string(), ""));
            return Table {
                value: None,
                located,
                problems,
            };
        }
    };
    while problems.len() < MOST_PROBLEMS {
        let error = match value.deserialize::<T>() {
            Ok(read) => {
                return Table {
                    value: Some(read),
                    located,
                    problems,
                };
            }
            Err(error) => error,
        };
        let path = error.path.join(".");
        let (message, fix) = read::explain(&error.kind, &path);
        problems.push(located.problem(&path, message, fix));
        if !read::remove(&mut value, &error.path) {
            break;
        }
    }
    Table {
        value: None,
        located,
        problems,
    }
}

/// What to do about a word that is none of the `known` ones; there are some.
pub fn did_you_mean(word: &str, known: &[&str]) -> String {
    match suggest::nearest(word, known) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None if known.len() <= 12 => format!("write one of {}", known.join(", ")),
        None => String::new(),
    }
}
