//! Waking by datagrams.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::net::UdpSocket;

/// Sends datagrams.
#[derive(Debug)]
pub(super) struct Datagrams(UdpSocket);

impl Datagrams {
    /// From an address of the same kind as that of the listener.
    pub(super) async fn bind(like: IpAddr) -> io::Result<Self> {
        let any: IpAddr = match like {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Ok(Self(UdpSocket::bind((any, 0)).await?))
    }

    /// Sends a line to a client. Whether it arrives nobody knows.
    pub(super) async fn send(&self, line: &str, to: (IpAddr, u16)) {
        if let Err(error) = self.0.send_to(line.as_bytes(), to).await {
            tracing::debug!(%error, "a client cannot be woken");
        }
    }
}
