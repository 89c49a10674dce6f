//! Where a key stands: file and line, or the environment variable that set it.

use toml_edit::{ImDocument, Item};

use super::problem::Problem;

/// The places of a configuration's keys. Paths are dotted, with the index (from 0) of an
/// element of a list: `ssp.listen`, `peer.0.url`, `xmpp.component.1.secret`.
#[derive(Debug, Clone, Default)]
pub struct Located {
    file: String,
    document: Option<ImDocument<String>>,
    variables: Vec<Variable>,
}

/// A value given by the environment.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    /// The variable's whole name.
    pub name: String,
    /// The key it sets, as a dotted path.
    pub path: String,
    /// Its value, as given.
    pub value: String,
}

impl Located {
    /// The places of `document`, which was read from `file`, under `variables`.
    pub(super) fn new(
        file: String,
        document: Option<ImDocument<String>>,
        variables: Vec<Variable>,
    ) -> Self {
        Self {
            file,
            document,
            variables,
        }
    }

    /// The line, from 1, of this key; where it is not in the file, the line of the table
    /// that would hold it; nothing where that is not there either.
    pub fn locate(&self, path: &str) -> Option<usize> {
        let document = self.document.as_ref()?;
        let mut item = document.as_item().clone();
        let mut found = None;
        for part in path.split('.') {
            let (offset, next) = step(&item, part);
            found = offset.or(found);
            match next {
                Some(next) => item = next,
                None => break,
            }
        }
        found.map(|offset| line_of(document.raw(), offset))
    }

    /// A problem with this key, at its place.
    pub fn problem(
        &self,
        path: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        let beneath = || {
            self.variables
                .iter()
                .find(|variable| is_within(&variable.path, path))
        };
        let variable = self.variable(path).or_else(|| {
            // A table that only the environment knows.
            if self.is_in_file(path) {
                None
            } else {
                beneath()
            }
        });
        match variable {
            Some(variable) => Problem::new("environment", None, &variable.name, message, fix),
            None => Problem::new(&self.file, self.locate(path), shown(path), message, fix),
        }
    }

    /// The variable that set this key or a table around it.
    pub(super) fn variable(&self, path: &str) -> Option<&Variable> {
        self.variables
            .iter()
            .find(|variable| is_within(path, &variable.path))
    }

    /// All values given by the environment.
    pub(super) fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The file's name, as the operator gave it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether the key is given in the file.
    pub(super) fn is_in_file(&self, path: &str) -> bool {
        let top = self
            .document
            .as_ref()
            .map(|document| document.as_item().clone());
        path.split('.')
            .fold(top, |item, part| step(&item?, part).1)
            .is_some()
    }
}

/// Whether `path` is `outer` or a key within it.
fn is_within(path: &str, outer: &str) -> bool {
    let rest = path.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The line, from 1, of a byte offset.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.matches('\n').count() + 1
}

/// A path as it is shown: without indices, for the line tells which element is meant.
pub(super) fn shown(path: &str) -> String {
    let is_name = |part: &&str| part.parse::<usize>().is_err();
    let names: Vec<&str> = path.split('.').filter(is_name).collect();
    names.join(".")
}

/// One step down: where the part stands (byte offset), and what it holds.
fn step(item: &Item, part: &str) -> (Option<usize>, Option<Item>) {
    if let Some(table) = item.as_table() {
        let Some((key, value)) = table.get_key_value(part) else {
            return (None, None);
        };
        // A table with a header of its own stands at that header.
        let header = value
            .as_table()
            .filter(|t| !t.is_dotted())
            .and_then(toml_edit::Table::span);
        let span = header.or_else(|| key.span()).or_else(|| value.span());
        return (span.map(|span| span.start), Some(value.clone()));
    }
    if let Some(table) = item.as_inline_table() {
        let found = table.get_key_value(part);
        let span = found.and_then(|(key, value)| key.span().or_else(|| value.span()));
        return (
            span.map(|span| span.start),
            found.map(|(_, value)| value.clone()),
        );
    }
    let Ok(index) = part.parse::<usize>() else {
        return (None, None);
    };
    if let Some(table) = item
        .as_array_of_tables()
        .and_then(|tables| tables.get(index))
    {
        return (
            table.span().map(|span| span.start),
            Some(Item::Table(table.clone())),
        );
    }
    let value = item.as_array().and_then(|array| array.get(index));
    let span = value.and_then(toml_edit::Value::span);
    (
        span.map(|span| span.start),
        value.map(|value| Item::Value(value.clone())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# a comment
[node]
domain = "a.test"

[[peer]]
domain = "b.test"
[[peer]]
domain = "c.test"
speaks_for = [
  "d.test",
  "e.test",
]
password = { file = "x" }
[xmpp]
[[xmpp.component]]
domain = "v.test"
[admin]
socket.path = 1
"#;

    fn located() -> Located {
        let document = ImDocument::parse(TEXT.to_string()).unwrap();
        let variable = Variable {
            name: "WVGATE_CONFIG_ADMIN".into(),
            path: "admin".into(),
            value: String::new(),
        };
        Located::new("a.toml".into(), Some(document), vec![variable])
    }

    #[test]
    fn keys_are_found_on_their_lines() {
        for (path, line) in [
            ("node", 2),
            ("node.domain", 3),
            ("peer.0", 5),
            ("peer.0.domain", 6),
            ("peer.1", 7),
            ("peer.1.speaks_for", 9),
            ("peer.1.speaks_for.1", 11),
            ("peer.1.password.file", 13),
            ("xmpp.component.0", 15),
            ("xmpp.component.0.domain", 16),
            ("admin.socket.path", 18),
        ] {
            assert_eq!(located().locate(path), Some(line), "{path}");
        }
    }

    #[test]
    fn a_missing_key_is_placed_at_its_table() {
        assert_eq!(located().locate("node.url"), Some(2));
        assert_eq!(located().locate("peer.1.url"), Some(7));
        assert_eq!(located().locate("home.user.0.name"), None);
    }

    #[test]
    fn a_key_set_by_the_environment_is_placed_there() {
        let problem = located().problem("admin.socket", "wrong", "");
        assert_eq!(
            problem.to_string(),
            "environment: WVGATE_CONFIG_ADMIN: wrong"
        );
        let problem = located().problem("peer.1.speaks_for.1", "wrong", "");
        assert_eq!(problem.to_string(), "a.toml:11: peer.speaks_for: wrong");
    }
}
