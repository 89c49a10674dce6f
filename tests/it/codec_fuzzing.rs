//! What `scripts/fuzz.sh` stands on: a corpus for each target, the dictionary, and the lock of the
//! fuzz program, a workspace of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use wvgate::imps::Primitive;
use wvgate::imps::presence::AttributeName;

use super::codec_properties::families;

/// What no table of elements says.
const MARKUP: &str = r#"# Pieces of XML and of SSP, for libFuzzer. Made from the tables of elements in the wire:
#
#     WVGATE_WRITE_DICT=1 cargo test --locked --test it the_dictionary_names

"<!-- -->"
"<![CDATA[x]]>"
"<!DOCTYPE a>"
"<?xml version='1.0' encoding='UTF-8'?>"
"&amp;"
"&#65;"
"&#x1F;"
"xmlns=\"x\""
"x:"
"<WV-SSP-Message>"
"<Session sessionID=\"1@a.test\">"
"<SetupTransaction mode=\"Request\" transactionID=\"1@a.test\">"
"<Transaction mode=\"Request\" transactionID=\"1@a.test\">"
"mode=\"Response\""
"wv:user@a.test"
"Yes"
"20010925T134005Z"
"#;

#[test]
fn the_dictionary_names_all_elements_and_attributes() {
    let path = root().join("tests/fuzz/wv.dict");
    let (elements, attributes) = names();
    assert!(elements.len() > 200, "{}", elements.len());
    assert!(attributes.len() > 60, "{}", attributes.len());
    for known in ["SendMessageRequest", "OnlineStatus", "JoinedUsers", "User"] {
        assert!(elements.contains(known), "{known}");
    }
    let mut expected = format!("{MARKUP}\n# Elements.\n");
    for name in &elements {
        expected.push_str(&format!("\"<{name}/>\"\n"));
    }
    expected.push_str("\n# Attributes.\n");
    for name in &attributes {
        expected.push_str(&format!("\" {name}=\\\"1\\\"\"\n"));
    }
    if std::env::var_os("WVGATE_WRITE_DICT").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert!(found == expected, "{} is out of date", path.display());
}

#[test]
fn there_is_a_corpus_for_each_family_and_for_the_envelope() {
    let folders = fs::read_dir(root().join("tests/fuzz/corpus")).unwrap();
    let found: BTreeSet<String> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut targets: BTreeSet<String> = families().into_iter().map(str::to_owned).collect();
    targets.extend(["csp_wbxml", "csp_xml", "envelope", "repair"].map(str::to_owned));
    assert_eq!(found, targets);
}

#[test]
fn the_codec_is_fuzzed_with_the_dependencies_it_is_shipped_with() {
    let shipped = locked("Cargo.lock");
    let fuzzed = locked("tests/fuzz/Cargo.lock");
    for (name, versions) in &fuzzed {
        if let Some(ours) = shipped.get(name) {
            assert!(versions.is_subset(ours), "{name}: {versions:?}, {ours:?}");
        }
    }
    for name in [
        "base64",
        "bytes",
        "encoding_rs",
        "memchr",
        "quick-xml",
        "serde",
        "thiserror",
    ] {
        assert!(fuzzed.contains_key(name), "{name}");
    }
}

/// The names in all tables of elements: `attr one "x"`, `child opt "X" | "Y"`,
/// `list of "X" / "Y"`, and `"X" => Variant(…)` of a choice.
fn names() -> (BTreeSet<String>, BTreeSet<String>) {
    let mut elements: BTreeSet<String> = Primitive::NAMES.iter().map(|&n| n.to_owned()).collect();
    elements.extend(AttributeName::KNOWN.iter().map(|n| n.as_str().to_owned()));
    let mut attributes = BTreeSet::new();
    for file in sources(&root().join("crates/wvgate-wire/src")) {
        let text = fs::read_to_string(file).unwrap();
        for line in text.lines().map(str::trim) {
            let mut words = line.split(' ');
            let names = match (words.next(), words.next()) {
                (Some("attr"), Some("one" | "opt" | "def")) => &mut attributes,
                (Some("child"), Some("one" | "opt" | "many"))
                | (Some("list"), Some("of" | "many")) => &mut elements,
                (Some(name), Some("=>")) if name.starts_with('"') && line.ends_with("),") => {
                    &mut elements
                }
                _ => continue,
            };
            let quoted = line.split('"').skip(1).step_by(2);
            names.extend(quoted.filter(|name| is_name(name)).map(str::to_owned));
        }
    }
    (elements, attributes)
}

fn is_name(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// The versions of each package in a lock.
fn locked(file: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let lock: toml_edit::DocumentMut = text.parse().unwrap();
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock["package"].as_array_of_tables().unwrap() {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        packages
            .entry(text("name"))
            .or_default()
            .insert(text("version"));
    }
    packages
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
