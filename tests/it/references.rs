//! Every reference in sources and documents leads somewhere: to a section, a row or an advice of
//! the notes in `docs/spec`, to a quirk, to a file, to a heading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How the notes are called in the sources, and their files in `docs/spec`. A name that ends with
/// another one stands before it.
const NOTES: &[(&str, &str)] = &[
    ("CSP wire profile", "csp/csp-wire-profile.md"),
    ("CSP client quirks", "csp/csp-client-quirks.md"),
    ("CSP summary", "csp-summary.md"),
    ("wire profile", "ssp-wire-profile.md"),
    ("deployed-server", "deployed-server.md"),
    ("status-codes", "status-codes.md"),
    ("presence-attributes", "presence-attributes.md"),
    ("xmpp-mapping", "xmpp-mapping.md"),
    ("ssp-syntax-facts", "ssp-syntax-facts.md"),
];

/// Where references are looked for.
const FOLDERS: &[&str] = &[
    "benches",
    "certs",
    "config",
    "crates",
    "docs",
    "mappings",
    "packaging",
    "scripts",
    "src",
    "tests",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files below a folder, except recordings and test data that nobody wrote.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["captures", "certificates", "corpus", "target"].contains(&name.as_str()) {
                files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// All texts that may refer to something, by path below the root.
fn texts() -> BTreeMap<String, String> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        files(&root().join(folder), &mut found);
    }
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    let kinds = ["lua", "md", "py", "rs", "sh", "toml", "txt"];
    found
        .into_iter()
        .filter(|path| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| kinds.contains(&ending))
        })
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The text as one line, without the signs that begin a line of comment.
fn joined(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim();
        let signs = ["//!", "///", "//", "#"];
        let sign = signs.iter().find_map(|sign| line.strip_prefix(sign));
        sign.unwrap_or(line).trim()
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// The lines of a Markdown text outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return false;
        }
        !fenced
    })
}

/// A heading without its signs.
fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    ((1..=6).contains(&level) && rest.starts_with(' ')).then(|| rest.trim())
}

/// `A-12`: a row of the quirks, at the beginning of the text.
fn row(text: &str) -> Option<&str> {
    let mut chars = text.char_indices();
    let is_row = chars.next().is_some_and(|(_, c)| "ABCDEO".contains(c))
        && chars.next().is_some_and(|(_, c)| c == '-');
    let digits = text.get(2..)?.chars().take_while(char::is_ascii_digit);
    let end = 2 + digits.count();
    (is_row && end > 2).then(|| &text[..end])
}

/// `9.3.1`, `6`: the number of a section, at the beginning of the text.
fn number(text: &str) -> Option<&str> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let found = text[..end].trim_end_matches('.');
    found
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(found)
}

/// What one can refer to in a note: `6.8`, `A-3`, `D` (a group of rows), `advice 7`, `I1` (a
/// state), `rules` (a heading without number).
fn targets(note: &str) -> BTreeSet<String> {
    let text = read(&format!("docs/spec/{note}"));
    let mut found = BTreeSet::new();
    let mut in_advice = false;
    for line in prose(&text) {
        if let Some(title) = heading(line) {
            in_advice = title.contains("Advice");
            let first = title.split(' ').next().unwrap();
            found.insert(first.trim_end_matches('.').to_owned());
            found.insert(title.to_lowercase());
        } else if let Some(cells) = line.strip_prefix("| ") {
            let first = cells.split([' ', '|']).next().unwrap();
            let is_state = first.len() == 2 && first.starts_with(['I', 'R']);
            if row(first) == Some(first) || is_state {
                found.insert(first.to_owned());
            }
        } else if in_advice && let Some(item) = number(line) {
            found.insert(format!("advice {item}"));
        }
    }
    found
}

/// Takes one target from the beginning of the text: what it is called, and the rest.
fn target(text: &str) -> Option<(String, &str)> {
    if let Some(rest) = text.strip_prefix("advice ") {
        let item = number(rest)?;
        return Some((format!("advice {item}"), &rest[item.len()..]));
    }
    if let Some(found) = row(text).or_else(|| number(text)) {
        return Some((found.to_owned(), &text[found.len()..]));
    }
    let word = text.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    let is_name = word == "rules"
        || (word.len() == 1 && "ABCDE".contains(word))
        || (word.len() == 2 && word.starts_with(['I', 'R']) && word.as_bytes()[1].is_ascii_digit());
    is_name.then(|| (word.to_owned(), &text[word.len()..]))
}

/// The targets that are named behind the name of a note: `, 6.5 to 6.9 and 11.1`.
fn targets_named(after: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = after.strip_prefix(',').unwrap_or(after);
    let mut is_advice = false;
    loop {
        rest = rest.trim_start();
        for word in ["sections ", "section ", "quirks ", "quirk "] {
            rest = rest.strip_prefix(word).unwrap_or(rest);
        }
        let Some((mut name, behind)) = target(rest) else {
            return found;
        };
        // "advice 7 and 8"
        if is_advice && number(&name).is_some() {
            name = format!("advice {name}");
        }
        is_advice = name.starts_with("advice ");
        found.push(name);
        let next = [", ", " and ", " to "]
            .iter()
            .find_map(|between| behind.strip_prefix(between));
        match next {
            Some(next) => rest = next,
            None => return found,
        }
    }
}

/// Where a name stands as words of its own.
fn places<'t>(text: &'t str, name: &str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let length = name.len();
    let places: Vec<usize> = text.match_indices(name).map(|(at, _)| at).collect();
    places.into_iter().filter_map(move |at| {
        let (before, after) = (&text[..at], &text[at + length..]);
        let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '/';
        let is_word = !before.ends_with(is_part)
            && !after.starts_with(|c: char| is_part(c) || c == '.' && after.starts_with(".md"));
        is_word.then_some((before, after))
    })
}

#[test]
fn references_to_the_notes_resolve() {
    let known: BTreeMap<&str, BTreeSet<String>> = NOTES
        .iter()
        .map(|(_, file)| (*file, targets(file)))
        .collect();
    let mut seen = 0;
    let mut broken = Vec::new();
    for (path, text) in texts() {
        let text = joined(&text);
        for (name, file) in NOTES {
            for (before, after) in places(&text, name) {
                if *name == "wire profile" && before.ends_with("CSP ") {
                    continue;
                }
                for target in targets_named(after) {
                    seen += 1;
                    if !known[file].contains(&target) {
                        broken.push(format!("{path}: {name}, {target}"));
                    }
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(seen > 150, "{seen}");
}

#[test]
fn quirks_that_are_named_exist() {
    let mut known = targets("ssp-wire-profile.md");
    known.extend(targets("deployed-server.md"));
    let mut seen = 0;
    let mut broken = Vec::new();
    for (path, text) in texts() {
        let text = joined(&text);
        for (at, _) in text.match_indices('-') {
            let Some(start) = at.checked_sub(1).filter(|at| text.is_char_boundary(*at)) else {
                continue;
            };
            let Some(found) = row(&text[start..]) else {
                continue;
            };
            let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
            let after = &text[start + found.len()..];
            if text[..start].ends_with(is_part) || after.starts_with(is_part) {
                continue;
            }
            seen += 1;
            if !known.contains(found) {
                broken.push(format!("{path}: {found}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(seen > 150, "{seen}");
}

#[test]
fn references_are_read_in_all_their_forms() {
    let cases: &[(&str, &[&str])] = &[
        (", 7.2).", &["7.2"]),
        (" 2.1: the", &["2.1"]),
        (", 6.5 to 6.9 and 11.1): ours", &["6.5", "6.9", "11.1"]),
        (", sections 4.2, 7.2, 8).", &["4.2", "7.2", "8"]),
        (", section 8 and advice 7; wire", &["8", "advice 7"]),
        (", advice 7 and 8).", &["advice 7", "advice 8"]),
        (", A-2 to A-4).", &["A-2", "A-4"]),
        (", quirks B-5 and B-6", &["B-5", "B-6"]),
        (", rules).", &["rules"]),
        (", 6.6, I1): two", &["6.6", "I1"]),
        ("'s samples", &[]),
        (", and nothing", &[]),
    ];
    for (after, named) in cases {
        assert_eq!(targets_named(after), *named, "{after}");
    }
}

/// What a heading is called in links, as GitHub has it.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for title in prose(text).filter_map(heading) {
        let title = title.to_lowercase().replace(' ', "-");
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c));
        let anchor: String = kept.collect();
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let all = std::iter::once(anchor.clone()).chain(again);
        let free = all.into_iter().find(|name| !found.contains(name)).unwrap();
        found.insert(free);
    }
    found
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let mut seen = 0;
    for (path, text) in texts() {
        if !path.ends_with(".md") {
            continue;
        }
        let outside_code: String = prose(&text)
            .map(|line| line.split('`').step_by(2).collect::<String>() + "\n")
            .collect();
        for link in outside_code.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = match file {
                "" => root().join(&path),
                file => root().join(&path).parent().unwrap().join(file),
            };
            assert!(file.exists(), "{path} names {link}");
            if !anchor.is_empty() {
                let known = anchors(&fs::read_to_string(&file).unwrap());
                assert!(known.contains(anchor), "{path} names {link}");
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn documents_that_the_sources_name_exist() {
    let mut seen = 0;
    for (path, text) in texts() {
        for (at, _) in text.match_indices("docs/") {
            if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '/' || c == '.') {
                continue;
            }
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-_/.".contains(c);
            let end = text[at..].find(|c| !is_name(c)).unwrap_or(text.len() - at);
            let name = text[at..at + end].trim_end_matches('.');
            seen += 1;
            assert!(root().join(name).exists(), "{path} names {name}");
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn every_document_can_be_found() {
    let readme = read("README.md");
    let list = read("docs/spec/README.md");
    let guides = read("docs/xmpp/README.md");
    for path in texts().keys() {
        if let Some(name) = path.strip_prefix("docs/spec/") {
            assert!(
                list.contains(&format!("({name})")) || name == "README.md",
                "{path}"
            );
        } else if let Some(name) = path.strip_prefix("docs/xmpp/")
            && name != "README.md"
        {
            assert!(guides.contains(&format!("({name})")), "{path}");
        } else if path.starts_with("docs/") {
            assert!(readme.contains(&format!("]({path})")), "{path}");
        }
    }
    for data in ["csp-grammar", "csp-wbxml-tokens", "plain-text-codes"] {
        assert!(list.contains(&format!("`csp/{data}.tsv`")));
        read(&format!("docs/spec/csp/{data}.tsv"));
    }
}

#[test]
fn samples_of_the_wire_profile_are_the_fixtures() {
    let profile = read("docs/spec/ssp-wire-profile.md");
    let samples = profile.split("```xml\n").skip(1);
    let samples: Vec<&str> = samples
        .map(|sample| sample.split("```").next().unwrap())
        .filter(|sample| sample.starts_with("<?xml"))
        .collect();
    let mut fixtures = Vec::new();
    files(&root().join("tests/fixtures/profile"), &mut fixtures);
    fixtures.sort();
    assert_eq!(samples.len(), fixtures.len());
    for (sample, fixture) in samples.iter().zip(&fixtures) {
        let text = fs::read_to_string(fixture).unwrap();
        assert_eq!(sample.trim(), text.trim(), "{}", fixture.display());
    }
}

#[test]
fn the_glossary_names_each_term_once_and_only_types_that_exist() {
    let sources: Vec<String> = texts()
        .into_iter()
        .filter(|(path, _)| path.starts_with("src/") || path.starts_with("crates/"))
        .map(|(_, text)| text)
        .collect();
    let mut terms = BTreeSet::new();
    let glossary = read("docs/glossary.md");
    for line in glossary.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [term, meaning, place] = cells[..] else {
            panic!("not three cells: {line}");
        };
        if term == "term" {
            continue;
        }
        assert!(terms.insert(term), "{term} stands twice");
        assert!(!meaning.is_empty(), "{term}");
        for name in place.split('`').skip(1).step_by(2) {
            let kinds = ["struct", "enum", "trait"].map(|kind| format!("{kind} {name}"));
            let exists = sources
                .iter()
                .any(|text| kinds.iter().any(|kind| places(text, kind).next().is_some()));
            assert!(exists, "{term}: no type {name}");
        }
    }
    assert!(terms.len() > 50, "{}", terms.len());
}
