//! The layers below SSP, one by one, from this process: DNS, TCP, TLS.

use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::http::endpoint::Endpoint;
use crate::http::link::LinkSettings;
use crate::http::tls::{self, CertificateFacts, ClientTls};

/// How long each step may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A TLS connection that was made.
pub(super) struct Tls {
    /// As rustls names it: `TLSv1.3`.
    pub(super) version: String,
    /// The name the certificate was checked for.
    pub(super) name: String,
    /// What the peer has shown.
    pub(super) certificate: Option<CertificateFacts>,
}

/// Where a peer is to be reached, in order; or why that is not known and what to do.
pub(super) async fn endpoints(link: &LinkSettings) -> Result<Vec<Endpoint>, String> {
    if link.urls.is_empty() {
        let targets = link.srv.targets(&link.peer).await;
        let targets = targets.map_err(|error| format!("{error}; or give it a url"))?;
        let name = link.server_name.as_ref().unwrap_or(&link.peer);
        let mut endpoints = Vec::new();
        for (host, port) in targets {
            let found = |tls| Endpoint::new(tls, &host, port).known_as(name);
            endpoints.push(found(true));
            if link.allow_plain {
                endpoints.push(found(false));
            }
        }
        return Ok(endpoints);
    }
    let endpoint = |url: &String| {
        let endpoint = Endpoint::parse(url).map_err(|error| error.to_string())?;
        Ok(match &link.server_name {
            Some(name) => endpoint.known_as(name),
            None => endpoint,
        })
    };
    link.urls.iter().map(endpoint).collect()
}

/// The addresses of an endpoint; never none.
pub(super) async fn lookup(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, String> {
    let found = timeout(
        PATIENCE,
        lookup_host((endpoint.host.as_str(), endpoint.port)),
    );
    let addresses: Vec<_> = match found.await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(format!("{error}; check the name")),
        Err(_) => return Err("no answer; does this machine's resolver work?".to_owned()),
    };
    if addresses.is_empty() {
        return Err("the name has no address; check it".to_owned());
    }
    Ok(addresses)
}

/// A connection to the first address that takes one.
pub(super) async fn open(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), String> {
    let mut problem = "there is no address".to_owned();
    for address in addresses {
        problem = match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, *address)),
            Ok(Err(error)) => format!("{address}: {error}; is the peer running?"),
            Err(_) => format!("{address}: no answer; is a firewall between?"),
        };
    }
    Err(problem)
}

/// TLS as the node would do it.
pub(super) async fn secure(
    link: &LinkSettings,
    endpoint: &Endpoint,
    stream: TcpStream,
) -> Result<Tls, String> {
    let connector = TlsConnector::from(link.tls.clone());
    shake(connector, endpoint.identity(), stream).await
}

/// What an endpoint shows whose certificate was refused.
pub(super) async fn unchecked(
    link: &LinkSettings,
    endpoint: &Endpoint,
    stream: TcpStream,
) -> Option<CertificateFacts> {
    let files = ClientTls {
        ca: None,
        certificate: None,
        key: None,
        verify: false,
    };
    let config = tls::client_config(&files, &link.peer).ok()?;
    let made = shake(TlsConnector::from(config), endpoint.identity(), stream).await;
    made.ok()?.certificate
}

async fn shake(connector: TlsConnector, name: &str, stream: TcpStream) -> Result<Tls, String> {
    let server = ServerName::try_from(name.to_owned())
        .map_err(|error| format!("\"{name}\" cannot stand in a certificate: {error}"))?;
    let stream = match timeout(PATIENCE, connector.connect(server, stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let fix = "check ca, server_name and the peer's certificate";
            return Err(format!("{error}; {fix}"));
        }
        Err(_) => return Err("no handshake; does it speak TLS on this port?".to_owned()),
    };
    let (_, connection) = stream.get_ref();
    let version = connection.protocol_version();
    let first = connection.peer_certificates().and_then(<[_]>::first);
    Ok(Tls {
        version: version
            .and_then(|version| version.as_str())
            .unwrap_or("TLS")
            .to_owned(),
        name: name.to_owned(),
        certificate: first.and_then(tls::shown_certificate_facts),
    })
}
