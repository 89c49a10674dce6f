//! From an endpoint to an open connection: name lookup, TCP, TLS. Every failure says at which of
//! the three it happened, with the whole chain of causes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::cause_chain;
use super::endpoint::Endpoint;
use super::stream::Wire;

/// Addresses of one host that are tried, one after the other.
const MAX_ADDRESSES: usize = 4;

/// Opens a connection. `limit` holds for each step by itself: the lookup, each address, the
/// handshake.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    tls: &Arc<rustls::ClientConfig>,
    limit: Duration,
) -> Result<Wire, String> {
    let stream = tcp(endpoint, limit).await?;
    let _ = stream.set_nodelay(true);
    if !endpoint.tls {
        return Ok(Wire::Plain(stream));
    }
    let name = endpoint.identity();
    let name = ServerName::try_from(name.to_owned())
        .map_err(|error| format!("tls: `{name}` cannot stand in a certificate: {error}"))?;
    let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    match timeout(limit, handshake).await {
        Ok(Ok(stream)) => Ok(Wire::Tls(Box::new(stream.into()))),
        Ok(Err(error)) => Err(format!("tls: {}", cause_chain(&error))),
        Err(_) => Err(format!("tls: no handshake within {limit:?}")),
    }
}

/// The first address of an endpoint that takes a connection.
pub(crate) async fn tcp(endpoint: &Endpoint, limit: Duration) -> Result<TcpStream, String> {
    let host = endpoint.host.as_str();
    let addresses: Vec<SocketAddr> = match timeout(limit, lookup_host((host, endpoint.port))).await
    {
        Ok(Ok(found)) => found.take(MAX_ADDRESSES).collect(),
        Ok(Err(error)) => return Err(format!("dns: {host}: {}", cause_chain(&error))),
        Err(_) => return Err(format!("dns: no answer for {host} within {limit:?}")),
    };
    let mut reasons = Vec::new();
    for address in addresses {
        let error = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::Error::new(io::ErrorKind::TimedOut, format!("nothing in {limit:?}")),
        };
        reasons.push(format!("connect: {address}: {}", cause_chain(&error)));
    }
    if reasons.is_empty() {
        return Err(format!("dns: {host} has no address"));
    }
    Err(reasons.join(", "))
}
