//! `docs/dialects.md` is complete, and what it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use wvgate::sap::Dialect;

/// Rows of the quirks (wire profile, 10; deployed-server, 7: O).
const ROWS: &[(&str, usize)] = &[
    ("A", 15),
    ("B", 7),
    ("C", 6),
    ("D", 16),
    ("E", 18),
    ("O", 18),
];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap()
}

/// The table below this heading, cell by cell, without its two head lines.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = read("docs/dialects.md");
    let (_, part) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let lines = part.lines().filter(|line| line.starts_with('|'));
    lines
        .skip(2)
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// All keys of a dialect, those of `[emit]`, `[accept]` and `[forms]` with their table.
fn keys() -> BTreeSet<String> {
    let Value::Object(all) = serde_json::to_value(Dialect::default()).unwrap() else {
        panic!("no table")
    };
    let mut keys = BTreeSet::new();
    for (key, value) in all {
        match value {
            Value::Object(inner) if ["emit", "accept", "forms"].contains(&key.as_str()) => {
                keys.extend(inner.keys().map(|inner| format!("{key}.{inner}")));
            }
            _ => {
                keys.insert(key);
            }
        }
    }
    keys
}

fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    crate::conformance::tests_in(root.join("src"), &mut names);
    crate::conformance::tests_in(root.join("crates"), &mut names);
    crate::conformance::tests_in(root.join("tests/it"), &mut names);
    names
}

#[test]
fn every_quirk_has_exactly_one_row() {
    let expected: Vec<String> = ROWS
        .iter()
        .flat_map(|(group, last)| (1..=*last).map(move |n| format!("{group}-{n}")))
        .collect();
    let found: Vec<String> = table("Quirks")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_quirk_names_keys_and_tests_that_exist_or_says_not_yet() {
    let (keys, tests) = (keys(), tests());
    for row in table("Quirks") {
        let [id, what, names, shown] = row.as_slice() else {
            panic!("not four cells: {row:?}")
        };
        assert!(!what.is_empty(), "{id}");
        for key in quoted(names) {
            assert!(keys.contains(&key), "{id}: no key {key}");
        }
        let shown = quoted(shown);
        assert!(
            !shown.is_empty() || what.contains("not yet: "),
            "{id} names no test"
        );
        for test in shown {
            assert!(tests.contains(&test), "{id}: no test {test}");
        }
    }
}

#[test]
fn every_key_is_explained_shown_and_in_the_template_with_its_default() {
    let tests = tests();
    let mut explained = BTreeSet::new();
    for row in table("Keys") {
        let [names, what, shown] = row.as_slice() else {
            panic!("not three cells: {row:?}")
        };
        assert!(!what.is_empty());
        for key in quoted(names) {
            assert!(explained.insert(key), "twice: {names}");
        }
        for test in quoted(shown) {
            assert!(tests.contains(&test), "{names}: no test {test}");
        }
    }
    assert_eq!(explained, keys());

    let text = read("mappings/dialects/template.toml");
    let template = Dialect::from_toml(&text).unwrap();
    let own = Dialect {
        name: template.name.clone(),
        ..Dialect::default()
    };
    assert_eq!(template, own);
    let document: toml_edit::ImDocument<String> = toml_edit::ImDocument::parse(text).unwrap();
    for key in keys() {
        let mut item = Some(document.as_item());
        for part in key.split('.') {
            item = item.and_then(|item| item.get(part));
        }
        assert!(item.is_some(), "the template lacks {key}");
    }
}
