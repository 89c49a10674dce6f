//! Fetches a file from a URL that a stranger has named, and trusts nobody in it: not the URL, not the
//! names in it, not the server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::cause_chain;
use super::endpoint::Endpoint;
use super::stream::Wire;
use super::tls::public_client_config;

/// Redirections that are followed; our choice.
const MAX_REDIRECTS: usize = 3;
/// Addresses of one host that are looked at; our choice.
const MAX_ADDRESSES: usize = 16;
/// Bytes of a URL; our choice.
const MAX_URL: usize = 2048;

/// What is taken, and from where.
pub struct Terms<'t> {
    /// Whether files of a type are taken; it may have parameters.
    pub takes: &'t (dyn Fn(&str) -> bool + Send + Sync),
    /// The most bytes.
    pub most: u64,
    /// For all of it.
    pub limit: Duration,
    /// Hosts that are asked although they are within private networks, and by whatever port.
    pub inside: &'t [String],
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its type, as its server has it, with its parameters.
    pub content_type: String,
    /// The file.
    pub bytes: Bytes,
}

/// Why a file was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchFault {
    /// The URL leads to where nothing is asked, or is none.
    #[error("{0}")]
    Forbidden(String),
    /// The file has more bytes than are taken.
    #[error("it has more bytes than are taken")]
    TooLarge,
    /// Files of its type are not taken, or it has none.
    #[error("files of its type are not taken")]
    Type,
    /// The server has answered something else than the file.
    #[error("answered {0}")]
    Status(StatusCode),
    /// There was no answer, in words.
    #[error("{0}")]
    Unreached(String),
}

/// Fetches what is at a URL.
///
/// # Errors
/// See [`FetchFault`].
pub async fn get(url: &str, terms: &Terms<'_>) -> Result<Fetched, FetchFault> {
    let all = async {
        let mut endpoint = parsed(url)?;
        for _ in 0..=MAX_REDIRECTS {
            match once(&endpoint, terms).await? {
                Step::There(fetched) => return Ok(fetched),
                Step::Elsewhere(next) => endpoint = next,
            }
        }
        let why = "it is redirected too often".to_owned();
        Err(FetchFault::Forbidden(why))
    };
    match tokio::time::timeout(terms.limit, all).await {
        Ok(done) => done,
        Err(_) => Err(FetchFault::Unreached("it took too long".to_owned())),
    }
}

enum Step {
    There(Fetched),
    Elsewhere(Endpoint),
}

fn parsed(url: &str) -> Result<Endpoint, FetchFault> {
    let forbidden = |why: String| FetchFault::Forbidden(why);
    if url.len() > MAX_URL {
        return Err(forbidden("the URL is too long".to_owned()));
    }
    Endpoint::parse(url).map_err(|error| forbidden(error.to_string()))
}

/// One request, on a connection of its own.
async fn once(endpoint: &Endpoint, terms: &Terms<'_>) -> Result<Step, FetchFault> {
    let wire = connect(endpoint, terms).await?;
    let request = Request::get(&endpoint.path)
        .header(header::HOST, host_of(endpoint))
        .header(header::ACCEPT_ENCODING, "identity")
        .body(Empty::<Bytes>::new())
        .map_err(|error| FetchFault::Forbidden(error.to_string()))?;
    let unreached = |error: hyper::Error| FetchFault::Unreached(cause_chain(&error));
    let connection = http1::Builder::new()
        .max_headers(100)
        .max_buf_size(64 * 1024)
        .handshake(TokioIo::new(wire))
        .await;
    let (mut sender, connection) = connection.map_err(unreached)?;
    let reading = async {
        let answer = sender.send_request(request).await.map_err(unreached)?;
        let (head, body) = answer.into_parts();
        if head.status.is_redirection() {
            return redirected(endpoint, &head.headers).map(Step::Elsewhere);
        }
        if head.status != StatusCode::OK {
            return Err(FetchFault::Status(head.status));
        }
        let content_type = described(&head.headers, terms)?;
        let most = usize::try_from(terms.most).unwrap_or(usize::MAX);
        let read = Limited::new(body, most).collect().await;
        let bytes = read.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                FetchFault::TooLarge
            } else {
                FetchFault::Unreached(error.to_string())
            }
        })?;
        let bytes = bytes.to_bytes();
        Ok(Step::There(Fetched {
            content_type,
            bytes,
        }))
    };
    tokio::pin!(reading);
    tokio::select! {
        biased;
        done = &mut reading => done,
        _ = connection => reading.await,
    }
}

/// The type of a file that is taken, by what its server says of it.
fn described(headers: &HeaderMap, terms: &Terms<'_>) -> Result<String, FetchFault> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // What is packed has another length than is said.
    if text(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(FetchFault::Type);
    }
    let kind = text(header::CONTENT_TYPE).ok_or(FetchFault::Type)?;
    if !(terms.takes)(kind) {
        return Err(FetchFault::Type);
    }
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > terms.most) {
        return Err(FetchFault::TooLarge);
    }
    Ok(kind.to_owned())
}

/// Where an answer leads instead: never from a protected connection to one that is not.
fn redirected(from: &Endpoint, headers: &HeaderMap) -> Result<Endpoint, FetchFault> {
    let location = headers.get(header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    let location = location.filter(|location| location.len() <= MAX_URL);
    let next = location.and_then(|location| from.redirected(location).ok());
    let next = next.filter(|next| next.tls || !from.tls);
    let why = || FetchFault::Forbidden("it is redirected to where nothing is asked".to_owned());
    next.ok_or_else(why)
}

/// As others write it: without the port that goes without saying.
fn host_of(endpoint: &Endpoint) -> String {
    let usual = if endpoint.tls { ":443" } else { ":80" };
    let authority = endpoint.authority();
    let short = authority.strip_suffix(usual).map(str::to_owned);
    short.unwrap_or(authority)
}

async fn connect(endpoint: &Endpoint, terms: &Terms<'_>) -> Result<Wire, FetchFault> {
    let host = endpoint.host.as_str();
    let is_inside = terms.inside.iter().any(|known| known == host);
    let is_usual = matches!(endpoint.port, 80 | 443) || endpoint.port >= 1024;
    if !is_inside && !is_usual {
        let why = format!("port {} is not asked", endpoint.port);
        return Err(FetchFault::Forbidden(why));
    }
    let found = lookup_host((host, endpoint.port)).await;
    let found = found.map_err(|error| FetchFault::Unreached(cause_chain(&error)))?;
    let addresses: Vec<SocketAddr> = found.take(MAX_ADDRESSES).collect();
    // One that leads inside makes all of them doubtful.
    let leads_inside = addresses.iter().any(|address| !is_public(address.ip()));
    if leads_inside && !is_inside {
        return Err(FetchFault::Forbidden(format!(
            "{host} is within a private network"
        )));
    }
    // Connected by the address that was looked at: the name may lead elsewhere the next time.
    let mut why = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return secured(endpoint, stream).await,
            Err(error) => why = format!("{host}: {}", cause_chain(&error)),
        }
    }
    Err(FetchFault::Unreached(why))
}

async fn secured(endpoint: &Endpoint, stream: TcpStream) -> Result<Wire, FetchFault> {
    if !endpoint.tls {
        return Ok(Wire::Plain(stream));
    }
    let unreached = |error: &(dyn std::error::Error + 'static)| {
        FetchFault::Unreached(format!("tls: {}", cause_chain(error)))
    };
    let config = public_client_config();
    let config = config.map_err(|error| unreached(&error))?;
    let name = ServerName::try_from(endpoint.host.clone());
    let name = name.map_err(|error| unreached(&error))?;
    let stream = TlsConnector::from(config).connect(name, stream).await;
    let stream = stream.map_err(|error| unreached(&error))?;
    Ok(Wire::Tls(Box::new(stream.into())))
}

/// Whether an address is on the open Internet, as the registries of special addresses have it
/// (RFC 6890).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        // This network, private, loopback, multicast, and what is kept for later.
        (0 | 10 | 127 | 224.., ..)
            | (172, 16..=31, _)
            | (192, 168, _)
            // Shared, link-local.
            | (100, 64..=127, _)
            | (169, 254, _)
            // Protocol assignments, 6to4 relays, benchmarks, documentation.
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // What is outside of it is link-local, local, mapped, translated, multicast or unassigned.
    let is_global = first & 0xe000 == 0x2000;
    let is_special = match first {
        // Assignments for protocols, such as tunnels; documentation.
        0x2001 => second < 0x0200 || second == 0x0db8,
        // 6to4: what is inside stands for an address of the other kind.
        0x2002 => true,
        0x3fff => second < 0x1000,
        _ => false,
    };
    is_global && !is_special
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
