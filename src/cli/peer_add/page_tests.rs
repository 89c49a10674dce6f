//! What pages are refused for, and what is shown of the others.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair};

use super::page::Page;
use crate::config::Problem;

const HEAD: &str = "invitation = 1\n[peer]\ndomain = \"a.test\"\n";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// An authority of this name, in PEM.
fn authority(name: &str) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_after = rcgen::date_time_ymd(2030, 1, 2);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().pem()
}

fn page(more: &str) -> Page {
    match Page::parse("a.toml", &format!("{HEAD}{more}"), now()) {
        Ok(page) => page,
        Err(error) => panic!("{error}"),
    }
}

fn complaint(more: &str, now: SystemTime) -> String {
    match Page::parse("a.toml", &format!("{HEAD}{more}"), now) {
        Ok(_) => panic!("{more}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_page_is_told_from_a_domain() {
    for word in ["-", "a.toml", "./a", "/tmp/a.test"] {
        assert!(Page::is_meant(word), "{word}");
    }
    for word in ["a.test", "relay.example", "toml"] {
        assert!(!Page::is_meant(word), "{word}");
    }
}

#[test]
fn who_decides_sees_what_will_be_trusted() {
    let pem = authority("Root of A");
    let ca = format!("ca = \"\"\"\n{pem}\"\"\"\n");
    let page = page(&format!(
        "url = \"https://192.0.2.7:5280/\"\nserver_name = \"a.test\"\n\
         speaks_for = [\"b.test\", \"*\"]\nwants_certificate = true\n{ca}"
    ));
    let shown = page.shown();
    for expected in [
        "a.test asks to be a peer, by a.toml:\n",
        "  reached at  https://192.0.2.7:5280/\n",
        "good for a.test\n",
        "  trusted     what is signed by CN=Root of A, until 2030-01-02\n",
        "SHA-256 ",
        "  speaks for  users of a.test, b.test, every domain that has no other way\n",
        "  wants       a certificate of this node",
        "Compare the fingerprint",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    assert!(!shown.contains("plain HTTP"), "{shown}");
    assert_eq!(page.pem().unwrap(), pem.replace("\r\n", "\n"));
    assert_eq!(page.entry().speaks_for, ["b.test", "*"]);
}

#[test]
fn a_page_without_certificates_says_on_whom_it_rests() {
    let shown = page("").shown();
    assert!(
        shown.contains("trusted     the authorities of this system"),
        "{shown}"
    );
    assert!(
        shown.contains("where the SRV records of its domain say"),
        "{shown}"
    );
    let plain = page("url = \"http://a.test/\"\nallow_plain = true\n").shown();
    assert!(
        plain.contains("everybody on the way can read and forge"),
        "{plain}"
    );
    assert!(!plain.contains("trusted"), "{plain}");
}

#[test]
fn certificates_that_cannot_be_trusted_are_refused_at_their_line() {
    let pem = authority("Root of A");
    let ca = |pem: &str| format!("ca = \"\"\"\n{pem}\"\"\"\n");
    let key = format!("{pem}{}", KeyPair::generate().unwrap().serialize_pem());
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let late = UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    for (more, at, start) in [
        (ca(&key), now(), "a.toml:4: peer.ca: holds a private key"),
        (ca("hello\n"), now(), "a.toml:4: peer.ca: is no certificate"),
        (ca(junk), now(), "a.toml:4: peer.ca: is no certificate"),
        (
            ca(&pem.repeat(9)),
            now(),
            "a.toml:4: peer.ca: has more than 8",
        ),
        (ca(&pem), late, "a.toml:4: peer.ca: is not valid"),
        (
            format!("fingerprint = \"AB:CD\"\n{}", ca(&pem)),
            now(),
            "a.toml:4: peer.fingerprint: is not that of ca, which is ",
        ),
        (
            "fingerprint = \"AB:CD\"\n".to_owned(),
            now(),
            "a.toml:4: peer.fingerprint: is of a certificate that is not there",
        ),
    ] {
        let said = complaint(&more, at);
        assert!(said.starts_with(start), "{start} in {said}");
        assert!(!said.contains("PRIVATE"), "{said}");
    }
    // Right, however it is written.
    let shown = page(&ca(&pem)).shown();
    let print = shown
        .lines()
        .find_map(|line| line.trim().strip_prefix("SHA-256 "));
    let print = print.unwrap().replace(':', "").to_lowercase();
    page(&format!("fingerprint = \"{print}\"\n{}", ca(&pem)));
}

#[test]
fn what_the_configuration_has_against_it_is_told_by_the_line_of_the_page() {
    let page = page("speaks_for = [\"b.test\"]\n");
    for (key, line) in [
        ("peer.domain", 3),
        ("peer.speaks_for", 4),
        ("route.domain", 4),
        ("peer.ca", 2),
    ] {
        let problem = Problem::new("wvgate.toml", Some(70), key, "wrong", "mend it");
        let there = page.problem(&problem);
        assert_eq!(
            (there.file.as_str(), there.line),
            ("a.toml", Some(line)),
            "{key}"
        );
    }
}

#[test]
fn what_a_page_says_cannot_be_made_to_look_like_something_else() {
    let pem = authority("a.test\u{202e}tset.b\u{7}");
    let shown = page(&format!("ca = \"\"\"\n{pem}\"\"\"\n")).shown();
    assert!(shown.contains("a.test tset.b "), "{shown}");
    assert!(!shown.contains(['\u{202e}', '\u{7}']), "{shown}");
}
