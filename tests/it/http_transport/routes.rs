//! Where the calling side goes: SRV targets, https and http, certificates, exact URLs, redirects.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use wvgate::http::link::{LinkSettings, PostOutcome};
use wvgate::http::server::{ServerSettings, Verdict};
use wvgate::http::srv::{SrvAnswer, SrvError, SrvRecord, SrvResolver};
use wvgate::http::tls::{ClientCertificates, ClientTls, ServerTls, client_config, server_config};

use super::link::{Dns, Reply, dead_port, link, ok, peer, reason, settings, srv_of};
use super::{certificates_for, client_tls, serve, server_tls, settings as server_settings};

#[tokio::test]
async fn srv_targets_are_tried_by_https_and_then_by_http_if_allowed() {
    // A plain port of ours answers the ClientHello with 400, so the fallback is quick.
    let server = serve(server_settings(), Verdict::Accepted).await;
    let srv = || srv_of(&[("localhost", server.addr.port())]);
    let mut open = link(LinkSettings {
        allow_plain: true,
        srv: srv(),
        ..settings(&[])
    });
    let posted = open.post(1).await;
    assert_eq!(posted.outcome, PostOutcome::Acknowledged);
    assert_eq!(
        posted.url(),
        Some(format!("http://localhost:{}/", server.addr.port()))
    );

    let mut strict = link(LinkSettings {
        srv: srv(),
        ..settings(&[])
    });
    let posted = strict.post(1).await;
    let reason = reason(&posted);
    assert!(
        reason.contains("https://localhost:") && reason.contains(": tls: "),
        "{reason}"
    );
    assert!(!reason.contains("http://"), "{reason}");
}

#[tokio::test]
async fn a_tls_target_is_reached_by_srv_without_falling_back() {
    let folder = certificates_for(&["village.example"]);
    let tls = Some(server_tls(&folder, "village.example"));
    let mut server = serve(
        ServerSettings {
            tls,
            ..server_settings()
        },
        Verdict::Accepted,
    )
    .await;
    let port = server.addr.port();
    let mut link = link(LinkSettings {
        allow_plain: true,
        tls: client_tls(&folder.path("ca.pem")),
        srv: srv_of(&[("localhost", dead_port().await), ("localhost", port)]),
        ..settings(&[])
    });
    assert_eq!(
        link.post(1).await.url(),
        Some(format!("https://localhost:{port}/"))
    );
    assert!(server.seen.recv().await.unwrap().tls);
}

#[tokio::test]
async fn a_host_named_by_dns_must_show_the_certificate_of_the_peer() {
    let folder = certificates_for(&["localhost"]);
    let tls = Some(server_tls(&folder, "localhost"));
    let server = serve(
        ServerSettings {
            tls,
            ..server_settings()
        },
        Verdict::Accepted,
    )
    .await;
    let found = LinkSettings {
        tls: client_tls(&folder.path("ca.pem")),
        srv: srv_of(&[("localhost", server.addr.port())]),
        ..settings(&[])
    };
    // Whoever answers DNS for the peer has a good certificate, of their own.
    let posted = link(found.clone()).post(1).await;
    assert!(reason(&posted).contains("village.example"), "{posted:?}");
    // Where the operator has named the host, it is the operator's word that counts.
    let named = LinkSettings {
        server_name: Some("localhost".to_owned()),
        ..found
    };
    let posted = link(named).post(1).await;
    assert_eq!(posted.outcome, PostOutcome::Acknowledged);
}

fn fixture(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/fixtures/certificates").join(name)
}

#[tokio::test]
async fn a_certificate_that_stands_in_the_file_itself_is_taken_for_what_it_is() {
    let show = |name: &str| {
        let chain = CertificateDer::from_pem_file(fixture(&format!("{name}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(fixture(&format!("{name}.key"))).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let key = provider.key_provider.load_private_key(key).unwrap();
        // Past the check of rustls, which makes nothing of version 1 itself.
        let shown = rustls::sign::CertifiedKey::new(vec![chain], key);
        let config = rustls::ServerConfig::builder_with_provider(provider.into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let shown = rustls::sign::SingleCertAndKey::from(shown);
        let config = config
            .with_no_client_auth()
            .with_cert_resolver(std::sync::Arc::new(shown));
        std::sync::Arc::new(config)
    };
    for (name, other) in [("self-signed", "v1"), ("v1", "self-signed")] {
        let running = ServerSettings {
            tls: Some(show(name)),
            ..server_settings()
        };
        let server = serve(running, Verdict::Accepted).await;
        let url = [format!("https://localhost:{}/", server.addr.port())];
        let trusting = |ca: &str| LinkSettings {
            tls: client_tls(&fixture(&format!("{ca}.pem"))),
            ..settings(&url)
        };
        let posted = link(trusting(name)).post(1).await;
        assert_eq!(posted.outcome, PostOutcome::Acknowledged, "{name}");
        // Another one in the file vouches for nothing.
        let posted = link(trusting(other)).post(1).await;
        assert!(reason(&posted).contains("tls: "), "{name}: {posted:?}");
    }
}

#[tokio::test]
async fn a_caller_is_known_by_a_certificate_that_signs_itself() {
    let folder = certificates_for(&["localhost"]);
    let tls = server_config(&ServerTls {
        certificate: folder.path("localhost.pem"),
        key: folder.path("localhost.key"),
        client_ca: Some(fixture("self-signed.pem")),
        client_certificates: ClientCertificates::Require,
    })
    .unwrap();
    let running = ServerSettings {
        tls: Some(tls),
        ..server_settings()
    };
    let server = serve(running, Verdict::Accepted).await;
    let files = ClientTls {
        ca: Some(folder.path("ca.pem")),
        certificate: Some(fixture("self-signed.pem")),
        key: Some(fixture("self-signed.key")),
        verify: true,
    };
    let ours = LinkSettings {
        tls: client_config(&files, "village.example").unwrap(),
        ..settings(&[format!("https://localhost:{}/", server.addr.port())])
    };
    let posted = link(ours).post(1).await;
    assert_eq!(posted.outcome, PostOutcome::Acknowledged);
}

#[tokio::test]
async fn a_caller_whose_own_certificate_is_in_the_file_cannot_sign_the_name_of_another() {
    let folder = certificates_for(&["localhost", "one.example"]);
    let read = |name: &str| fs::read_to_string(folder.path(name)).unwrap();
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = DistinguishedName::new();
    issuer
        .distinguished_name
        .push(DnType::CommonName, "one.example");
    let issuer = Issuer::new(issuer, KeyPair::from_pem(&read("one.example.key")).unwrap());
    let key = KeyPair::generate().unwrap();
    let forged = CertificateParams::new(vec!["two.example".to_owned()]).unwrap();
    let forged = forged.signed_by(&key, &issuer).unwrap();
    fs::write(folder.path("two.pem"), forged.pem()).unwrap();
    fs::write(folder.path("two.key"), key.serialize_pem()).unwrap();

    let tls = server_config(&ServerTls {
        certificate: folder.path("localhost.pem"),
        key: folder.path("localhost.key"),
        client_ca: Some(folder.path("one.example.pem")),
        client_certificates: ClientCertificates::Require,
    });
    let running = ServerSettings {
        tls: Some(tls.unwrap()),
        ..server_settings()
    };
    let mut server = serve(running, Verdict::Accepted).await;
    let url = [format!("https://localhost:{}/", server.addr.port())];
    for (name, taken) in [("one.example", true), ("two", false)] {
        let files = ClientTls {
            ca: Some(folder.path("ca.pem")),
            certificate: Some(folder.path(&format!("{name}.pem"))),
            key: Some(folder.path(&format!("{name}.key"))),
            verify: true,
        };
        let ours = LinkSettings {
            tls: client_config(&files, "village.example").unwrap(),
            ..settings(&url)
        };
        let posted = link(ours).post(1).await;
        assert_eq!(posted.outcome == PostOutcome::Acknowledged, taken, "{name}");
    }
    assert_eq!(
        server.seen.recv().await.unwrap().client_names,
        ["one.example"]
    );
    assert!(server.seen.try_recv().is_err());
}

#[tokio::test]
async fn what_dns_says_is_in_the_reason() {
    let name = || "_imps-server._tcp.village.example.".to_owned();
    let not_offered = SrvAnswer {
        records: vec![SrvRecord {
            priority: 0,
            weight: 0,
            port: 0,
            target: String::new(),
        }],
        ttl: Duration::from_secs(60),
    };
    for (answer, part) in [
        (
            Err(SrvError::NoSuchName { name: name() }),
            "there is no DNS name",
        ),
        (
            Err(SrvError::NoRecords { name: name() }),
            "has no SRV record",
        ),
        (
            Err(SrvError::Broken {
                name: name(),
                reason: "SERVFAIL".into(),
            }),
            "DNS did not answer",
        ),
        (Ok(not_offered), "not offered"),
    ] {
        let srv = SrvResolver::with_source(Dns(answer));
        let posted = link(LinkSettings {
            srv,
            ..settings(&[])
        })
        .post(1)
        .await;
        assert!(reason(&posted).contains(part), "{posted:?}");
    }
}

#[tokio::test]
async fn certificates_are_checked_and_the_causes_reported() {
    let folder = certificates_for(&["localhost", "elsewhere.example"]);
    let stranger = certificates_for(&["localhost"]);
    let tls = Some(server_tls(&folder, "localhost"));
    let server = serve(
        ServerSettings {
            tls,
            ..server_settings()
        },
        Verdict::Accepted,
    )
    .await;
    let url = [format!("https://localhost:{}/", server.addr.port())];

    let unknown = LinkSettings {
        tls: client_tls(&stranger.path("ca.pem")),
        ..settings(&url)
    };
    let posted = link(unknown).post(1).await;
    assert!(
        reason(&posted).contains("tls: invalid peer certificate"),
        "{posted:?}"
    );

    let known = LinkSettings {
        tls: client_tls(&folder.path("ca.pem")),
        ..settings(&url)
    };
    let other_name = Some("elsewhere.example".to_owned());
    let posted = link(LinkSettings {
        server_name: other_name,
        ..known.clone()
    })
    .post(1)
    .await;
    assert!(reason(&posted).contains("elsewhere.example"), "{posted:?}");

    assert_eq!(link(known).post(1).await.outcome, PostOutcome::Acknowledged);
    assert_eq!(
        link(settings(&url)).post(1).await.outcome,
        PostOutcome::Acknowledged
    );
}

#[tokio::test]
async fn a_peer_that_wants_a_certificate_gets_ours_or_is_reported() {
    let folder = certificates_for(&["localhost", "home.example"]);
    let tls = server_config(&ServerTls {
        certificate: folder.path("localhost.pem"),
        key: folder.path("localhost.key"),
        client_ca: Some(folder.path("ca.pem")),
        client_certificates: ClientCertificates::Require,
    })
    .unwrap();
    let running = ServerSettings {
        tls: Some(tls),
        ..server_settings()
    };
    let mut server = serve(running, Verdict::Accepted).await;
    let url = [format!("https://localhost:{}/", server.addr.port())];
    let ours = ClientTls {
        ca: Some(folder.path("ca.pem")),
        certificate: Some(folder.path("home.example.pem")),
        key: Some(folder.path("home.example.key")),
        verify: true,
    };
    let tls = client_config(&ours, "village.example").unwrap();
    let posted = link(LinkSettings {
        tls,
        ..settings(&url)
    })
    .post(1)
    .await;
    assert_eq!(posted.outcome, PostOutcome::Acknowledged);
    assert_eq!(
        server.seen.recv().await.unwrap().client_names,
        ["home.example"]
    );

    let tls = client_tls(&folder.path("ca.pem"));
    let posted = link(LinkSettings {
        tls,
        ..settings(&url)
    })
    .post(2)
    .await;
    // The refusal may overtake or follow the request; it never acknowledges.
    match &posted.outcome {
        PostOutcome::Unreachable { reason } => assert!(reason.contains("tls: "), "{reason}"),
        other => assert_eq!(*other, PostOutcome::Closed),
    }
}

#[tokio::test]
async fn an_exact_url_may_be_plain_only_if_plain_is_allowed_or_configured() {
    let (known, other) = (peer(|_| ok()).await, peer(|_| ok()).await);
    let mut strict = link(settings(&[known.url()]));
    assert_eq!(
        strict.post_to(&known.url()).await.outcome,
        PostOutcome::Acknowledged
    );
    let posted = strict.post_to(&other.url()).await;
    assert!(
        reason(&posted).contains("plain http is not allowed"),
        "{posted:?}"
    );
    let posted = strict.post_to("gopher://village.example/").await;
    assert!(reason(&posted).contains("must begin with"), "{posted:?}");
    let mut open = link(LinkSettings {
        allow_plain: true,
        ..settings(&[known.url()])
    });
    assert_eq!(open.post_to(&other.url()).await.url(), Some(other.url()));
}

fn moved(status: u16, location: &str) -> Reply {
    Reply::Say(format!(
        "HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    ))
}

#[tokio::test]
async fn a_redirect_is_followed_once_on_the_same_host() {
    for status in [301, 302, 307, 308] {
        let peer = peer(move |number| {
            if number == 0 {
                moved(status, "/new")
            } else {
                ok()
            }
        })
        .await;
        let posted = link(settings(&[peer.url()])).post(1).await;
        assert_eq!(posted.outcome, PostOutcome::Acknowledged);
        assert_eq!(posted.url(), Some(format!("{}new", peer.url())));
        assert!(peer.requests()[1].starts_with("POST /new HTTP/1.1"));
        assert!(peer.requests()[1].ends_with("<m n=\"1\"/>"));
        assert_eq!(peer.connections(), 1);
    }
    let next = peer(|_| ok()).await;
    let url = next.url();
    let first = peer(move |_| moved(307, &url)).await;
    assert_eq!(
        link(settings(&[first.url()])).post(1).await.url(),
        Some(next.url())
    );
}

#[tokio::test]
async fn a_redirect_to_another_host_or_a_second_one_is_a_refusal() {
    let target = peer(|_| ok()).await;
    let elsewhere = format!("http://localhost:{}/", target.addr.port());
    for location in [elsewhere.as_str(), "//localhost/", "nonsense"] {
        let location = location.to_owned();
        let peer = peer(move |_| moved(302, &location)).await;
        let posted = link(settings(&[peer.url()])).post(1).await;
        assert_eq!(
            posted.outcome,
            PostOutcome::Refused {
                status: 302,
                retry_after: None
            }
        );
    }
    assert_eq!(target.connections(), 0);
    let circle = peer(|_| moved(301, "/again")).await;
    let posted = link(settings(&[circle.url()])).post(1).await;
    assert_eq!(
        posted.outcome,
        PostOutcome::Refused {
            status: 301,
            retry_after: None
        }
    );
    assert_eq!(circle.requests().len(), 2);
}

#[tokio::test]
async fn a_redirect_leads_to_srv_targets_and_to_hosts_the_record_names_only() {
    let server = serve(server_settings(), Verdict::Accepted).await;
    let port = server.addr.port();
    let by_srv = LinkSettings {
        allow_plain: true,
        srv: srv_of(&[("localhost", port)]),
        ..settings(&[])
    };
    let elsewhere = format!("http://127.0.0.1:{port}/");
    let posted = link(by_srv.clone()).post_to(&elsewhere).await;
    assert!(
        reason(&posted).contains("not an address of the peer"),
        "{posted:?}"
    );
    let target = format!("http://LOCALHOST:{port}/");
    let posted = link(by_srv.clone()).post_to(&target).await;
    assert_eq!(posted.outcome, PostOutcome::Acknowledged);
    let named = LinkSettings {
        redirects: vec!["127.0.0.1".to_owned()],
        ..by_srv
    };
    let posted = link(named).post_to(&elsewhere).await;
    assert_eq!(posted.outcome, PostOutcome::Acknowledged);
}
