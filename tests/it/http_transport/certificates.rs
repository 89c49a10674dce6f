//! Development certificates and what is read from certificate files.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use wvgate::http::devcerts::{DevFile, Wanted, generate};
use wvgate::http::tls::{
    ClientCertificates, ClientTls, ServerTls, Validity, certificate_facts, client_config,
    server_config,
};

use super::{Folder, certificates_for};

#[test]
fn a_certificate_tells_its_names_and_its_time() {
    let folder = certificates_for(&["village.example,localhost,127.0.0.1,::1"]);
    let facts = certificate_facts(&folder.path("village.example.pem")).unwrap();
    assert_eq!(
        facts.dns_names,
        ["village.example", "localhost", "127.0.0.1", "::1"]
    );
    assert_eq!(facts.subject, "CN=village.example");
    let now = SystemTime::now();
    let year = Duration::from_secs(365 * 24 * 3600);
    assert!(matches!(facts.validity(now), Validity::Valid(left) if left > year));
    assert!(matches!(
        facts.validity(now + year * 3),
        Validity::Expired(_)
    ));
    assert!(matches!(facts.validity(now - year), Validity::NotYet(_)));
}

#[test]
fn keys_are_readable_by_their_owner_only() {
    let folder = certificates_for(&["a.test"]);
    for key in ["ca.key", "a.test.key"] {
        let mode = std::fs::metadata(folder.path(key))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[test]
fn what_exists_is_kept_unless_told_otherwise_and_the_authority_always() {
    let folder = certificates_for(&["a.test"]);
    let read = |name: &str| std::fs::read(folder.path(name)).unwrap();
    let (authority, first) = (read("ca.pem"), read("a.test.pem"));
    let wanted = [
        Wanted::parse("a.test").unwrap(),
        Wanted::parse("b.test").unwrap(),
    ];
    let now = SystemTime::now();

    let files = generate(&folder.0, &wanted, false, now).unwrap();
    let written: Vec<_> = files
        .iter()
        .filter(|file| matches!(file, DevFile::Written(_)))
        .collect();
    assert_eq!(written.len(), 2, "{files:?}");
    assert_eq!(
        (read("ca.pem"), read("a.test.pem")),
        (authority.clone(), first.clone())
    );

    generate(&folder.0, &wanted, true, now).unwrap();
    assert_eq!(read("ca.pem"), authority);
    assert_ne!(read("a.test.pem"), first);
}

#[test]
fn half_an_authority_is_not_used() {
    let folder = certificates_for(&[]);
    let other = certificates_for(&[]);
    std::fs::copy(other.path("ca.key"), folder.path("ca.key")).unwrap();
    let now = SystemTime::now();
    let wanted = [Wanted::parse("a.test").unwrap()];
    let error = generate(&folder.0, &wanted, false, now).unwrap_err();
    assert!(error.to_string().contains("not a pair"), "{error}");
    std::fs::remove_file(folder.path("ca.key")).unwrap();
    assert!(generate(&folder.0, &wanted, false, now).is_err());
}

#[test]
fn a_name_that_is_a_path_or_nothing_is_refused() {
    for text in ["", "a/b", "../a", "a,,b", "a b", "ca", ".hidden"] {
        assert!(Wanted::parse(text).is_err(), "{text}");
    }
    assert_eq!(Wanted::parse("*.a.test, b.test").unwrap().file, "_.a.test");
}

#[test]
fn wrong_files_are_named_in_the_error() {
    let folder = certificates_for(&["a.test", "b.test"]);
    std::fs::write(folder.path("empty.pem"), "nothing here").unwrap();
    let build = |certificate: &str, key: &str, ca: Option<&str>| {
        server_config(&ServerTls {
            certificate: folder.path(certificate),
            key: folder.path(key),
            client_ca: ca.map(|ca| folder.path(ca)),
            client_certificates: ClientCertificates::Require,
        })
        .unwrap_err()
        .to_string()
    };
    let ca = Some("ca.pem");
    for (error, part) in [
        (build("absent.pem", "a.test.key", ca), "absent.pem"),
        (
            build("empty.pem", "a.test.key", ca),
            "empty.pem has no certificate",
        ),
        (
            build("a.test.pem", "empty.pem", ca),
            "empty.pem has no private key",
        ),
        (
            build("a.test.pem", "b.test.key", ca),
            "do not work together",
        ),
        (
            build("a.test.pem", "a.test.key", Some("empty.pem")),
            "empty.pem",
        ),
        (
            build("a.test.pem", "a.test.key", None),
            "no file of client authorities",
        ),
    ] {
        assert!(error.contains(part), "{error}");
    }
    let half = ClientTls {
        ca: Some(folder.path("ca.pem")),
        certificate: Some(folder.path("a.test.pem")),
        ..ClientTls::default()
    };
    assert!(client_config(&half, "village.example").is_err());
    let empty = Folder::new();
    assert!(certificate_facts(&empty.path("none.pem")).is_err());
}
