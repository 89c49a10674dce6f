//! The floors of the house: each part stands only on those below it. The arrows are read from
//! the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the part may use of the crate.
const ARROWS: &[(&str, &[&str])] = &[
    // Ground: they know nothing of each other.
    ("imps", &[]),
    ("ssp", &[]),
    ("csp", &[]),
    ("http", &[]),
    ("xmpp", &[]),
    ("store", &[]),
    ("config", &[]),
    // Core and meaning.
    ("element", &["imps", "ssp", "store", "xmpp"]),
    ("content", &["element", "http"]),
    ("sap", &["element", "imps", "ssp", "store"]),
    ("translate", &["imps", "xmpp"]),
    // Service elements.
    (
        "home",
        &["element", "imps", "sap", "ssp", "store", "translate"],
    ),
    (
        "gateway",
        &["element", "imps", "store", "translate", "xmpp"],
    ),
    ("client", &["csp", "element", "imps", "ssp", "translate"]),
    // Shell.
    (
        "node",
        &[
            "client",
            "config",
            "content",
            "element",
            "gateway",
            "home",
            "http",
            "imps",
            "sap",
            "ssp",
            "store",
            "translate",
            "xmpp",
        ],
    ),
    (
        "access",
        &[
            "client", "csp", "element", "home", "http", "imps", "node", "sap", "ssp", "store",
        ],
    ),
    (
        "admin",
        &[
            "access",
            "config",
            "content",
            "element",
            "gateway",
            "home",
            "http",
            "imps",
            "node",
            "sap",
            "store",
            "translate",
            "xmpp",
        ],
    ),
    (
        "cli",
        &[
            "access",
            "admin",
            "config",
            "content",
            "csp",
            "element",
            "gateway",
            "home",
            "http",
            "imps",
            "node",
            "sap",
            "ssp",
            "store",
            "translate",
            "xmpp",
        ],
    ),
];

/// The sources of the wire, a crate of its own: `imps` and `ssp` of the list above, and `csp`.
const WIRE: &str = "crates/wvgate-wire/src";

/// What a part of the wire may use of it.
const ARROWS_OF_THE_WIRE: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("imps", &["text"]),
    ("ssp", &["imps", "text"]),
    ("csp", &["imps", "text"]),
];

/// Beneath all floors: what every part may use. It uses none.
const BEDROCK: &[&str] = &["text"];

/// Of the store the parts with pure state may use only what they hand to it.
const PURE: &[&str] = &["element", "sap", "home", "gateway", "client"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The part of the crate that a source belongs to.
fn part(root: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(root).unwrap();
    let first = inside.iter().next().unwrap().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// What follows each `crate::` in the text: the part, and what is named of it. Braces are
/// followed one level deep: `crate::{a::B, c::D}` names a and c.
fn uses(text: &str) -> BTreeSet<(String, String)> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` in a macro counts as well; `xcrate::` is another word.
        let before = code[..at].chars().next_back().unwrap_or(' ');
        if before.is_alphanumeric() || before == '_' {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let paths: Vec<String> = match rest.strip_prefix('{') {
            Some(list) => split_list(list),
            None => vec![rest.chars().take_while(|c| *c != ';').collect()],
        };
        for path in paths {
            let path = path.trim_start();
            let word: String = path.chars().take_while(|c| is_word(*c)).collect();
            let named = path[word.len()..].trim_start_matches("::");
            let named: String = if named.starts_with('{') {
                named.chars().take_while(|c| *c != '}').collect()
            } else {
                named.chars().take_while(|c| is_word(*c)).collect()
            };
            found.insert((word, named));
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The members of a brace list, which ends where its brace is closed.
fn split_list(list: &str) -> Vec<String> {
    let (mut depth, mut members) = (0, vec![String::new()]);
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => {
                members.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        members.last_mut().unwrap().push(c);
    }
    members.retain(|member| !member.trim().is_empty());
    members
}

#[test]
fn every_part_stands_only_on_those_below_it() {
    check_arrows(
        "src",
        ARROWS,
        BEDROCK,
        &["http", "store", "config", "sap", "home", "node"],
    );
    check_arrows(WIRE, ARROWS_OF_THE_WIRE, &[], &["text", "imps", "ssp"]);
}

/// Checks the sources in `folder`, which has at least the parts `expected`.
fn check_arrows(
    folder: &str,
    arrows: &[(&'static str, &'static [&'static str])],
    bedrock: &[&str],
    expected: &[&str],
) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let arrows: BTreeMap<&str, &[&str]> = arrows.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for file in sources(&root) {
        let part = part(&root, &file);
        if part == "lib" || part == "main" {
            continue;
        }
        met.insert(part.clone());
        let bedrock = bedrock.contains(&part.as_str());
        let allowed = arrows
            .get(part.as_str())
            .or(bedrock.then_some(&(&[] as &[&str])));
        let Some(allowed) = allowed else {
            wrong.push(format!("{part} has no floor"));
            continue;
        };
        for (used, _) in uses(&std::fs::read_to_string(&file).unwrap()) {
            // What is not a part is a macro or an item of the crate's root.
            let is_part = arrows.contains_key(used.as_str());
            if is_part && used != part && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for part in expected {
        assert!(met.contains(*part), "no sources of {part} were read");
    }
}

/// Parts whose rooms are looked at: the files and folders inside.
const OF_ROOMS: &[&str] = &["element", "home", "node"];

/// Which files of a part each file imports. What is imported of a folder is its `mod.rs`, or the
/// file of that name.
fn imports_within(root: &Path, part: &str) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let folder = root.join(part);
    let files: BTreeSet<PathBuf> = sources(&folder).into_iter().collect();
    let module = |path: &[&str]| -> Option<PathBuf> {
        let mut found = None;
        let mut at = folder.clone();
        for name in path {
            at = at.join(name);
            let (file, with_folder) = (at.with_extension("rs"), at.join("mod.rs"));
            let next = [file, with_folder].into_iter().find(|f| files.contains(f));
            let Some(next) = next else { break };
            found = Some(next);
        }
        found
    };
    let mut imports = BTreeMap::new();
    for file in &files {
        let inside = file.strip_prefix(&folder).unwrap().with_extension("");
        let mut here: Vec<String> = inside
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        if here.last().is_some_and(|name| name == "mod") {
            here.pop();
        }
        let text = std::fs::read_to_string(file).unwrap();
        let mut used = BTreeSet::new();
        for line in text.lines().map(str::trim) {
            let Some(path) = line.split_once("use ").map(|(_, path)| path) else {
                continue;
            };
            let mut path: Vec<&str> = path
                .split("::")
                .map(|name| name.trim_end_matches(';'))
                .collect();
            let mut from: Vec<&str> = here.iter().map(String::as_str).collect();
            match path.first() {
                Some(&"crate") if path.get(1) == Some(&part) => {
                    from.clear();
                    path.drain(..2);
                }
                Some(&"super") => {
                    while path.first() == Some(&"super") {
                        from.pop();
                        path.remove(0);
                    }
                }
                _ => continue,
            }
            from.extend(path);
            used.extend(module(&from).filter(|other| other != file));
        }
        imports.insert(file.clone(), used);
    }
    imports
}

/// Everything that is reached from a file.
fn reached(imports: &BTreeMap<PathBuf, BTreeSet<PathBuf>>, file: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut open) = (BTreeSet::new(), vec![file.to_path_buf()]);
    while let Some(next) = open.pop() {
        for other in imports.get(&next).into_iter().flatten() {
            if found.insert(other.clone()) {
                open.push(other.clone());
            }
        }
    }
    found
}

#[test]
fn only_siblings_of_one_folder_import_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut arrows = 0;
    for part in OF_ROOMS {
        let mut imports = imports_within(&root, part);
        // Tests know everything.
        let is_test = |file: &Path| {
            file.iter()
                .any(|name| name == "tests" || name == "tests.rs")
        };
        imports.retain(|file, _| !is_test(file));
        arrows += imports.values().map(BTreeSet::len).sum::<usize>();
        for file in imports.keys() {
            for other in reached(&imports, file) {
                let circle = reached(&imports, &other).contains(file);
                assert!(
                    !circle || file.parent() == other.parent(),
                    "{} and {} import each other",
                    file.display(),
                    other.display()
                );
            }
        }
    }
    assert!(arrows > 60, "{arrows}");
}

#[test]
fn pure_parts_use_nothing_of_the_store_but_what_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&root) {
        if !PURE.contains(&part(&root, &file).as_str()) {
            continue;
        }
        for (used, named) in uses(&std::fs::read_to_string(&file).unwrap()) {
            assert!(
                used != "store" || ["Write", "described", "packed"].contains(&named.as_str()),
                "{} uses store::{named}",
                file.display()
            );
        }
    }
}

#[test]
fn the_arrows_point_downwards_only() {
    for arrows in [ARROWS, ARROWS_OF_THE_WIRE] {
        let mut below = BTreeSet::new();
        for (part, uses) in arrows {
            for used in *uses {
                assert!(below.contains(used), "{part} -> {used}");
            }
            below.insert(*part);
        }
    }
}

#[test]
fn the_wire_knows_no_clock_no_files_and_no_network() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(WIRE);
    // Tests may run programs of others.
    let is_test = |file: &PathBuf| file.iter().any(|part| part == "tests");
    for file in sources(&root).into_iter().filter(|file| !is_test(file)) {
        let text = std::fs::read_to_string(&file).unwrap();
        for outside in [
            "std::fs",
            "std::io",
            "std::net",
            "std::time",
            "std::thread",
            "std::env",
            "tokio",
            "tracing",
        ] {
            assert!(!text.contains(outside), "{} has {outside}", file.display());
        }
    }
}

#[test]
fn uses_are_found_in_all_their_forms() {
    let text = "use crate::ssp::{Code, Mode};\nuse crate::{sap::Time, store::Write};\n// crate::http\nfn f(x: crate::home::Home) {}";
    let found: Vec<String> = uses(text)
        .into_iter()
        .map(|(part, named)| format!("{part} {named}"))
        .collect();
    assert_eq!(
        found,
        ["home Home", "sap Time", "ssp {Code, Mode", "store Write"]
    );
}
