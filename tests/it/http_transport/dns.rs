//! SRV lookup against a DNS server that knows only bytes.

use wvgate::http::srv::{SrvError, SrvResolver};

use super::soon;
use crate::support::dns::dns;

#[tokio::test]
async fn srv_records_come_in_the_order_of_their_priority() {
    let server = dns(
        0,
        &[(20, 5281, &["two", "test"]), (10, 5280, &["one", "test"])],
    );
    let targets = soon(SrvResolver::asking(&[server]).targets("village.example"))
        .await
        .unwrap();
    assert_eq!(
        targets,
        [("one.test".to_owned(), 5280), ("two.test".to_owned(), 5281)]
    );
}

#[tokio::test]
async fn absence_refusal_and_failure_are_told_apart() {
    let ask = |server| async move {
        soon(SrvResolver::asking(&[server]).targets("village.example"))
            .await
            .unwrap_err()
    };
    let name = "_imps-server._tcp.village.example.".to_owned();
    assert_eq!(
        ask(dns(3, &[])).await,
        SrvError::NoSuchName { name: name.clone() }
    );
    assert_eq!(
        ask(dns(0, &[])).await,
        SrvError::NoRecords { name: name.clone() }
    );
    assert_eq!(
        ask(dns(0, &[(0, 0, &[])])).await,
        SrvError::NotOffered { name }
    );
    let failed = ask(dns(2, &[])).await;
    assert!(matches!(failed, SrvError::Broken { .. }), "{failed}");
}

#[tokio::test]
async fn the_servers_of_the_system_are_read_anew_when_they_have_changed() {
    let folder = super::Folder::new();
    let file = folder.path("resolv.conf");
    std::fs::write(&file, "# nothing yet\n").unwrap();
    let resolver = SrvResolver::configured_by(&file);
    let error = soon(resolver.targets("village.example")).await.unwrap_err();
    assert!(matches!(&error, SrvError::Broken { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("DNS did not answer"), "{text}");
    assert!(text.contains("resolv.conf: "), "{text}");

    // Nobody answers there, and that is another reason.
    let servers = "nameserver 127.0.0.77\noptions timeout:1 attempts:1\n";
    std::fs::write(&file, servers).unwrap();
    let error = soon(resolver.targets("village.example")).await.unwrap_err();
    assert!(!error.to_string().contains("resolv.conf"), "{error}");
}

#[tokio::test]
async fn an_alias_in_dns_is_followed() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0u8; 1500];
        while let Ok((_, from)) = socket.recv_from(&mut query).await {
            let mut end = 12;
            while query[end] != 0 {
                end += usize::from(query[end]) + 1;
            }
            // The name asked for is an alias of alias.test, which has the SRV record.
            let alias = b"\x05alias\x04test\x00";
            let at_alias = query[12..].starts_with(alias);
            let mut answer = query[..2].to_vec();
            answer.extend([
                0x85,
                0x80,
                0,
                1,
                0,
                if at_alias { 1 } else { 2 },
                0,
                0,
                0,
                0,
            ]);
            answer.extend(&query[12..end + 5]);
            if at_alias {
                answer.extend([0xc0, 12]);
            } else {
                answer.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 12]);
                answer.extend(alias);
                answer.extend(alias);
            }
            answer.extend([0, 33, 0, 1, 0, 0, 0, 60, 0, 16, 0, 1, 0, 5, 20, 160]);
            answer.extend(b"\x03ssp\x04test\x00");
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    let resolver = SrvResolver::asking(&[server]);
    let targets = soon(resolver.targets("village.example")).await.unwrap();
    assert_eq!(targets, [("ssp.test".to_owned(), 5280)]);
}
