//! The ways to wake that there are, and which of them a client gets.

use serde::{Deserialize, Serialize};

/// A way to wake a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Over a TCP connection that the client opens and keeps (`STCP`).
    Tcp,
    /// By datagrams to a port of the client (`SUDP`).
    Udp,
    /// The client asks by HTTP whether something waits (`SHTTP`).
    Http,
}

/// The ways that are configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// Host and port of the TCP channel.
    pub tcp: Option<(String, u16)>,
    /// Whether datagrams are sent.
    pub udp: bool,
    /// How URLs begin at which clients ask; with a slash at the end.
    pub http: Option<String>,
}

impl Method {
    /// All, the best first.
    const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Http];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "STCP",
            Self::Udp => "SUDP",
            Self::Http => "SHTTP",
        }
    }

    /// By its name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::ALL
            .into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(text))
    }
}

impl Offer {
    /// Those of the ways that a client names and there are, the best first. `udp`: whether the
    /// client named a port.
    pub fn agree(&self, named: &[String], udp: bool) -> Vec<Method> {
        let named: Vec<Method> = named
            .iter()
            .filter_map(|name| Method::parse(name))
            .collect();
        let has = |method: &Method| match method {
            Method::Tcp => self.tcp.is_some(),
            Method::Udp => self.udp && udp,
            Method::Http => self.http.is_some(),
        };
        let mut all = Method::ALL.to_vec();
        all.retain(|method| named.contains(method) && has(method));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_have_is_agreed_and_the_best_comes_first() {
        let offer = Offer {
            tcp: Some(("wv.test".to_owned(), 3171)),
            udp: true,
            http: None,
        };
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let agree = |named: &[&str], udp| offer.agree(&names(named), udp);
        assert_eq!(
            agree(&["SHTTP", "SUDP", "stcp", "WAPSMS"], true),
            [Method::Tcp, Method::Udp]
        );
        assert_eq!(agree(&["SUDP"], false), []);
        assert_eq!(agree(&[], true), []);
    }
}
