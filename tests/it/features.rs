//! `docs/xmpp/wvgate.doap` says what `docs/xmpp/features.toml` says, and each row there names tests
//! that exist.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use figment::Figment;
use figment::providers::{Format as _, Toml};
use serde::Deserialize;

use crate::conformance::tests_in;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Features {
    feature: Vec<Feature>,
}

/// What of XMPP is supported.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    rfc: Option<u16>,
    xep: Option<String>,
    name: String,
    status: String,
    since: String,
    note: Option<String>,
    tests: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn features() -> Vec<Feature> {
    let file = root().join("docs/xmpp/features.toml");
    let read = Figment::from(Toml::file_exact(file)).extract::<Features>();
    read.unwrap().feature
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The description of the project (DOAP), with XEPs as their authors' own list writes them.
fn doap(features: &[Feature]) -> String {
    let mut text = String::from(
        "<?xml version='1.0' encoding='UTF-8'?>\n\
         <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'\n         \
         xmlns='http://usefulinc.com/ns/doap#'\n         \
         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>\n  <Project>\n    \
         <name>wvgate</name>\n    \
         <shortdesc xml:lang='en'>Relay and gateway between Wireless Village (OMA IMPS) and XMPP</shortdesc>\n    \
         <programming-language>Rust</programming-language>\n    <os>Linux</os>\n",
    );
    for number in features.iter().filter_map(|feature| feature.rfc) {
        let _ = writeln!(
            text,
            "    <implements rdf:resource='https://www.rfc-editor.org/info/rfc{number}'/>"
        );
    }
    for feature in features {
        let Some(number) = &feature.xep else { continue };
        let _ = write!(
            text,
            "    <implements>\n      <xmpp:SupportedXep>\n        \
             <xmpp:xep rdf:resource='https://xmpp.org/extensions/xep-{number}.html'/>\n        \
             <xmpp:status>{}</xmpp:status>\n        \
             <xmpp:since>{}</xmpp:since>\n",
            feature.status, feature.since
        );
        if let Some(note) = &feature.note {
            let _ = writeln!(
                text,
                "        <xmpp:note xml:lang='en'>{}</xmpp:note>",
                escaped(note)
            );
        }
        text += "      </xmpp:SupportedXep>\n    </implements>\n";
    }
    text += "  </Project>\n</rdf:RDF>\n";
    text
}

fn version(text: &str) -> [u32; 3] {
    let numbers = text.split('.').map(|number| number.parse().unwrap());
    let numbers: Vec<u32> = numbers.collect();
    numbers.try_into().unwrap()
}

#[test]
fn each_feature_names_tests_that_show_it_and_stands_once() {
    let mut tests = BTreeSet::new();
    tests_in(root().join("tests"), &mut tests);
    tests_in(root().join("src"), &mut tests);
    let features = features();
    let mut before = String::new();
    for feature in &features {
        let name = &feature.name;
        let key = match (feature.rfc, &feature.xep) {
            (Some(number), None) => format!("rfc {number:05}"),
            (None, Some(number)) => format!("xep {number}"),
            _ => panic!("{name}: one number"),
        };
        assert!(before < key, "{key} stands behind {before}");
        before = key;
        assert!(
            ["complete", "partial"].contains(&feature.status.as_str()),
            "{name}"
        );
        assert!(
            version(&feature.since) <= version(env!("CARGO_PKG_VERSION")),
            "{name}"
        );
        let explains = feature.status == "complete" || feature.note.is_some();
        assert!(explains, "{name}: what is left out?");
        assert!(!feature.tests.is_empty(), "{name}");
        for test in &feature.tests {
            assert!(tests.contains(test), "{name}: there is no test {test}");
        }
    }
}

#[test]
fn the_description_of_the_project_says_the_same() {
    let file = root().join("docs/xmpp/wvgate.doap");
    let made = doap(&features());
    if std::env::var_os("WVGATE_MAKE_DOAP").is_some() {
        fs::write(&file, &made).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "docs/xmpp/wvgate.doap is old: make doap");
    minidom::Element::from_reader(kept.as_bytes()).unwrap();
}
