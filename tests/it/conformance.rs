//! `docs/conformance.md` is complete, and what it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Requirements that concern a relay SAP, by number.
const REQUIREMENTS: &[u16] = &[
    1, 3, 5, 6, 7, 9, 10, 12, 22, 23, 24, 25, 26, 27, 28, 29, 34, 36, 38, 42, 43, 44, 45, 46, 47,
    48, 50, 51, 56, 59, 60, 64, 67, 68, 69, 71, 72, 73, 74, 76, 78, 79, 81, 82, 83, 84, 87, 88, 89,
    90, 91, 92, 98, 99, 100, 103, 104, 105, 106, 107, 108, 109, 111, 113, 114, 115, 116, 119, 121,
    122, 124, 125, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142,
    143, 144, 145, 146, 147, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174,
    175, 176, 177, 178, 179, 180, 181, 182, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193,
    194, 195, 196, 197, 198, 199, 200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212,
    213, 214, 215, 216, 217, 218, 219, 220, 221, 222, 223, 224, 225, 226, 227,
];

/// Requirements that concern a home domain, by number.
const AT_HOME: &[u16] = &[
    1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
    28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75,
    76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99,
    100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118,
    119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137,
    138, 139, 140, 141, 142, 143, 144, 145, 146, 152, 159, 161, 162, 163, 164, 165, 166, 167, 168,
    169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 179, 181, 182, 184, 185, 216, 217, 218, 219,
    220, 221,
];

/// Requirements that concern the translation to XMPP, by number.
const IN_XMPP: &[u16] = &[
    1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16, 18, 19, 28, 29, 34, 45, 46, 47, 50, 51, 56, 59,
    60, 67, 68, 69, 70, 71, 72, 73, 74, 76, 78, 79, 81, 82, 83, 85, 90, 91, 92, 93, 94, 99, 100,
    101, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121,
    122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140,
    141, 142, 143, 144, 145, 146, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173,
    174, 175, 176, 177, 178, 179, 183, 220, 221, 222, 223, 224, 225, 226, 227,
];

/// Requirements that concern clients, by number.
const OF_CLIENTS: &[u16] = &[
    5, 6, 9, 10, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 30, 31, 33, 36, 38, 42,
    43, 44, 46, 47, 48, 50, 51, 59, 60, 64, 67, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83,
    84, 85, 86, 87, 88, 89, 90, 91, 97, 98, 99, 100, 103, 104, 105, 106, 107, 108, 109, 111, 113,
    114, 115, 116, 117, 119, 121, 122, 124, 125, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136,
    137, 138, 139, 140, 141, 142, 143, 144, 145, 146, 148, 149, 150, 151, 152, 153, 154, 155, 156,
    157, 158, 159, 160, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175,
    176, 177, 178, 179, 181, 201, 202, 219,
];

/// Heads the tables about the home domain.
const HOME: &str = "\n# At the home domain\n";

/// Heads the table about XMPP.
const XMPP: &str = "\n# In translation to XMPP\n";

/// Heads the table about clients.
const CLIENTS: &str = "\n# For clients of the Client-Server Protocol\n";

/// One row of the tables.
struct Row {
    number: u16,
    verdict: String,
    tests: Vec<String>,
    remark: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows about the relay, about the home domain, about XMPP, and about clients.
fn tables() -> [Vec<Row>; 4] {
    let text = fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let (relay, home) = text.split_once(HOME).unwrap();
    let (home, xmpp) = home.split_once(XMPP).unwrap();
    let (xmpp, clients) = xmpp.split_once(CLIENTS).unwrap();
    [rows(relay), rows(home), rows(xmpp), rows(clients)]
}

fn rows(text: &str) -> Vec<Row> {
    let rows = text.lines().filter(|line| line.starts_with("| F"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, wording, verdict, tests, remark] = cells[..] else {
            panic!("not five cells: {line}");
        };
        assert!(!wording.is_empty(), "{line}");
        Row {
            number: number[1..].parse().unwrap(),
            verdict: verdict.to_owned(),
            tests: quoted(tests),
            remark: remark.to_owned(),
        }
    })
    .collect()
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Names of all tests below `folder`: functions under a test attribute.
pub(crate) fn tests_in(folder: PathBuf, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if line == "#[test]" || line.starts_with("#[tokio::test") {
                    is_test = true;
                } else if let Some((_, rest)) = line.split_once("fn ") {
                    let name = rest.split('(').next().unwrap_or_default();
                    if std::mem::take(&mut is_test) {
                        names.insert(name.to_owned());
                    }
                }
            }
        }
    }
}

#[test]
fn every_requirement_has_exactly_one_row() {
    let [relay, home, xmpp, clients] = tables();
    let numbers = |rows: Vec<Row>| rows.iter().map(|row| row.number).collect::<Vec<u16>>();
    assert_eq!(numbers(relay), REQUIREMENTS);
    assert_eq!(numbers(home), AT_HOME);
    assert_eq!(numbers(xmpp), IN_XMPP);
    assert_eq!(numbers(clients), OF_CLIENTS);
}

#[test]
fn every_verdict_rests_on_tests_that_exist_or_has_a_reason() {
    let mut names = BTreeSet::new();
    tests_in(root().join("src"), &mut names);
    tests_in(root().join("crates"), &mut names);
    tests_in(root().join("tests/it"), &mut names);
    for row in tables().into_iter().flatten() {
        match row.verdict.as_str() {
            "yes" => assert!(!row.tests.is_empty(), "F{:03} names no test", row.number),
            "no need" => assert!(
                row.remark.contains(": F"),
                "F{:03} names no row",
                row.number
            ),
            "not yet" => assert!(!row.remark.is_empty(), "F{:03} has no reason", row.number),
            other => panic!("F{:03}: what does \"{other}\" mean?", row.number),
        }
        for test in row.tests.iter().chain(&quoted(&row.remark)) {
            assert!(names.contains(test), "F{:03}: no test {test}", row.number);
        }
    }
}
