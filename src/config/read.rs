//! From a file and the environment to a [`Config`], with every mistake in its shape (syntax,
//! unknown keys, wrong types) turned into a line that helps.

use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::{Format, Serialized, Toml};
use figment::value::Value;
use toml_edit::ImDocument;

use super::Config;
use super::locate::{Located, Variable, line_of, shown};
use super::problem::{ConfigError, Problem};
use super::source::Source;
use super::suggest;

/// Start of the names of environment variables that override keys.
pub(super) const PREFIX: &str = "WVGATE_CONFIG_";

/// Most mistakes looked for in one run.
const MOST_PROBLEMS: usize = 100;

/// A configuration whose shape was read; keys in `problems` hold their defaults.
pub(super) struct Draft {
    pub config: Config,
    pub located: Located,
    pub problems: Vec<Problem>,
}

/// Lays the environment over the text. Fails where there is nothing to go on with, as it is not
/// TOML.
pub(super) fn read(source: &Source) -> Result<Draft, ConfigError> {
    let file = source.path().display().to_string();
    let one = |problem| ConfigError::new(vec![problem]);
    let text = source.text();
    let document =
        ImDocument::parse(text.to_owned()).map_err(|error| one(syntax(&file, text, &error)))?;
    let variables = variables(source.env().iter().cloned());
    let located = Located::new(file.clone(), Some(document), variables);
    let value = merged(text, &located)
        .map_err(|error| one(Problem::new(&file, None, "", error.to_string(), "")))?;
    Ok(shape(value, located))
}

/// The variables that override keys, sorted by name.
fn variables(env: impl IntoIterator<Item = (String, String)>) -> Vec<Variable> {
    let mut variables: Vec<Variable> = env
        .into_iter()
        .filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX).filter(|key| !key.is_empty())?;
            let path = key.to_lowercase().replace("__", ".");
            Some(Variable { name, path, value })
        })
        .collect();
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    variables
}

fn merged(text: &str, located: &Located) -> Result<Value, Box<figment::Error>> {
    let mut figment = Figment::from(Toml::string(text));
    for variable in located.variables() {
        if !reaches_into_list(&variable.path) {
            figment = figment.merge(Serialized::default(&variable.path, guess(&variable.value)));
        }
    }
    figment.extract().map_err(Box::new)
}

/// A variable's value in TOML syntax, or as plain text where it is not.
fn guess(text: &str) -> Value {
    // Parsing cannot fail: what is no other value is a string.
    text.parse().unwrap_or_else(|_| Value::from(text))
}

fn reaches_into_list(path: &str) -> bool {
    path.split('.').any(|part| part.parse::<usize>().is_ok())
}

/// Deserializes; at each error notes the problem, takes the key out and tries again, so
/// that all are found.
fn shape(mut value: Value, located: Located) -> Draft {
    let mut problems = Vec::new();
    for variable in located.variables() {
        if reaches_into_list(&variable.path) {
            if let Some(slot) = slot(&mut value, &variable.path) {
                *slot = guess(&variable.value);
            } else {
                let fix = "number the elements of a list from 0, as they stand in the file";
                problems.push(located.problem(&variable.path, "there is no such element", fix));
            }
        }
    }
    for section in [
        "node", "ssp", "home", "clients", "content", "xmpp", "admin", "trace", "log",
    ] {
        // A struct could be read from a list as well, in the order of its fields.
        if matches!(value.find_ref(section), Some(Value::Array(..))) {
            let fix = format!("write [{section}] instead of [[{section}]]");
            problems.push(located.problem(section, "must be one table, not a list", fix));
            remove(&mut value, &[section.to_string()]);
        }
    }
    let mut as_text: Vec<String> = Vec::new();
    let mut reported: Vec<String> = Vec::new();
    while problems.len() < MOST_PROBLEMS {
        let error = match value.deserialize::<Config>() {
            Ok(config) => {
                return Draft {
                    config,
                    located,
                    problems,
                };
            }
            Err(error) => error,
        };
        let path = error.path.join(".");
        // A number or list from the environment may have been meant as text.
        let variable = located
            .variable(&path)
            .filter(|variable| variable.path == path);
        if let (Kind::InvalidType(..), Some(variable)) = (&error.kind, variable)
            && !as_text.contains(&path)
            && let Some(slot) = slot(&mut value, &path)
        {
            *slot = Value::from(variable.value.as_str());
            as_text.push(path);
            continue;
        }
        // A key missing beside an unknown one is most likely that one.
        let is_explained = matches!(error.kind, Kind::MissingField(_))
            && reported
                .iter()
                .any(|earlier| earlier.starts_with(&format!("{path}.")));
        if !is_explained {
            let (message, fix) = explain(&error.kind, &path);
            problems.push(located.problem(&path, message, fix));
            reported.push(path);
        }
        if !remove(&mut value, &error.path) {
            break;
        }
    }
    Draft {
        config: Config::default(),
        located,
        problems,
    }
}

/// The place of a path in the value; the last part of it may be new to its table.
fn slot<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let mut parts = path.split('.').peekable();
    let mut at = value;
    while let Some(part) = parts.next() {
        at = match at {
            Value::Dict(_, dict) => {
                if parts.peek().is_none() && !dict.contains_key(part) {
                    dict.insert(part.to_string(), Value::from(""));
                }
                dict.get_mut(part)?
            }
            Value::Array(_, array) => array.get_mut(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(at)
}

/// Takes out the key at this path; for an element of a list the whole list, so that the
/// numbers of the others stay true.
pub(super) fn remove(value: &mut Value, path: &[String]) -> bool {
    let is_name = |part: &String| part.parse::<usize>().is_err();
    let Some(last) = path.iter().rposition(is_name) else {
        return false;
    };
    let table = if last == 0 {
        Some(value)
    } else {
        slot(value, &path[..last].join("."))
    };
    match table {
        Some(Value::Dict(_, dict)) => dict.remove(&path[last]).is_some(),
        _ => false,
    }
}

/// Message and remedy for an error in the shape of the key at `path`.
pub(super) fn explain(kind: &Kind, path: &str) -> (String, String) {
    let key = path
        .rsplit('.')
        .find(|part| part.parse::<usize>().is_err())
        .unwrap_or(path);
    match kind {
        Kind::UnknownField(name, _) if path == "home.echo" => {
            let message = "every node has this user now, not only home domains";
            (message.to_string(), format!("write {name} in [node]"))
        }
        Kind::UnknownField(name, known) => {
            let fix = match suggest::nearest(name, known) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("known keys here: {}", known.join(", ")),
            };
            ("unknown key".to_string(), fix)
        }
        Kind::UnknownVariant(found, known) => {
            let choice: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
            let message = format!("\"{found}\" is not known");
            (message, format!("write {}", choice.join(" or ")))
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            let (what, fix) = wanted(expected, found, key, path);
            if expected.starts_with("a secret") {
                return (format!("must be {what}"), fix);
            }
            (format!("must be {what}, not {}", described(found)), fix)
        }
        Kind::Message(text) => match text.rsplit_once("; ") {
            Some((message, fix)) => (message.to_string(), fix.to_string()),
            None => (text.clone(), String::new()),
        },
        Kind::MissingField(name) => (format!("has no {name}"), format!("add {name} = \"...\"")),
        other => (other.to_string(), String::new()),
    }
}

/// What the key takes, and how to write it.
fn wanted(expected: &str, found: &Actual, key: &str, path: &str) -> (String, String) {
    let table = shown(path);
    let number = match found {
        Actual::Unsigned(number) => Some(number.to_string()),
        Actual::Signed(number) => Some(number.to_string()),
        _ => None,
    };
    let quoted = || "put it in double quotes".to_string();
    let with_unit = |unit| {
        number
            .as_ref()
            .map(|number| format!("write {key} = \"{number}{unit}\""))
    };
    let (what, fix) = match expected {
        "a boolean" => (
            "true or false",
            format!("write {key} = true or {key} = false"),
        ),
        "a string" | "path string" => ("text", quoted()),
        "a sequence" if matches!(found, Actual::Map) => (
            "a list of tables",
            format!("write [[{table}]] instead of [{table}]"),
        ),
        "a sequence" => ("a list", format!("write {key} = [\"...\"]")),
        "u16" | "u32" | "u64" | "usize" => (
            "a whole number from 0 upwards",
            format!("write {key} = 100, without quotes"),
        ),
        _ if expected.starts_with("struct ") => {
            ("a table", format!("write [{table}] and its keys below"))
        }
        _ if expected.contains("enum ") => ("text", quoted()),
        time if time.starts_with("a time") => (time, with_unit("s").unwrap_or_else(quoted)),
        size if size.starts_with("a size") => (size, with_unit("B").unwrap_or_else(quoted)),
        other => (other, quoted()),
    };
    (what.to_string(), fix)
}

fn described(found: &Actual) -> String {
    match found {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(value) => format!("\"{value}\""),
        Actual::Seq => "a list".to_string(),
        Actual::Map => "a table".to_string(),
        other => other.to_string(),
    }
}

/// A syntax error, at the line where the parser gave up.
pub(super) fn syntax(file: &str, text: &str, error: &toml_edit::TomlError) -> Problem {
    let offset = error.span().map(|span| span.start);
    let line = offset.map(|offset| line_of(text, offset));
    let content = line
        .and_then(|line| text.lines().nth(line - 1))
        .unwrap_or_default();
    let is_key = |key: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        !key.is_empty() && key.chars().all(plain)
    };
    let key = content
        .split_once('=')
        .map(|(key, _)| key.trim())
        .filter(is_key);
    let key = match (key, section_of(text, line.unwrap_or(1))) {
        (Some(key), Some(section)) => format!("{section}.{key}"),
        (Some(key), None) => key.to_string(),
        (None, _) => "syntax".to_string(),
    };
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    let value = content
        .split_once('=')
        .map_or("", |(_, value)| value.trim());
    let number = value.trim_start_matches(['-', '+']);
    let number = number.split('#').next().unwrap_or_default().trim();
    let digits = |c: char| c.is_ascii_digit() || c == '_';
    let fix = if message.contains("duplicate key") {
        "remove one of them"
    } else if number.len() > 18 && number.chars().all(digits) {
        "the number is too large; write a smaller one"
    } else if value.starts_with(|c: char| c.is_alphanumeric() || c == '/')
        || value.matches('"').count() == 1
    {
        "put text in double quotes"
    } else {
        "write key = value, or a [section]"
    };
    Problem::new(file, line, key, message, fix)
}

/// The name in the last header above this line.
fn section_of(text: &str, line: usize) -> Option<String> {
    let above: Vec<&str> = text.lines().take(line.saturating_sub(1)).collect();
    let header = above
        .iter()
        .rev()
        .find(|line| line.trim_start().starts_with('['))?;
    let name = header
        .split('#')
        .next()?
        .trim()
        .trim_matches(['[', ']'])
        .trim();
    (!name.is_empty()).then(|| name.to_string())
}
