//! Where a POST goes: `http://host:port/path` or `https://...`, and nothing else.

use std::borrow::Cow;
use std::fmt;

use hyper::Uri;

/// A peer's URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Whether the scheme is https.
    pub tls: bool,
    /// Name or address, lower case; an IPv6 address without brackets.
    pub host: String,
    /// TCP port; 80 or 443 when the URL names none.
    pub port: u16,
    /// Request target with its query, beginning with `/`.
    pub path: String,
    /// The name for which its certificate must be good; `None`: `host`. What DNS says of a peer
    /// leads to a host, and does not say that the host may speak for the peer.
    pub identity: Option<String>,
}

/// Why a text is not a usable URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is no URL at all.
    #[error("`{0}` is not a URL; write https://host:port/ or http://host:port/")]
    NotAUrl(String),
    /// Its scheme is neither https nor http.
    #[error("`{0}` must begin with https:// or http://")]
    Scheme(String),
    /// User and password in front of the host.
    #[error("the URL of {0} carries a user name; SSP has no HTTP authentication")]
    UserInfo(String),
}

impl Endpoint {
    /// An endpoint with the path `/`. A name with characters beyond ASCII stands in its form for
    /// the wire, `xn--...` (RFC 5891).
    pub fn new(tls: bool, host: &str, port: u16) -> Self {
        Endpoint {
            tls,
            host: wire_name(host),
            port,
            path: "/".into(),
            identity: None,
        }
    }

    /// The same, with a certificate for another name than the host's.
    #[must_use]
    pub fn known_as(self, name: &str) -> Self {
        Endpoint {
            identity: Some(wire_name(name)),
            ..self
        }
    }

    /// The name for which the certificate must be good.
    pub fn identity(&self) -> &str {
        self.identity.as_deref().unwrap_or(&self.host)
    }

    /// Parses an absolute URL.
    ///
    /// # Errors
    /// [`EndpointError`], naming the text.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let not_a_url = || EndpointError::NotAUrl(text.to_owned());
        let uri: Uri = ascii(text.trim()).parse().map_err(|_| not_a_url())?;
        let tls = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => true,
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => false,
            _ => return Err(EndpointError::Scheme(text.to_owned())),
        };
        let authority = uri.authority().ok_or_else(not_a_url)?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if authority.as_str().contains('@') {
            return Err(EndpointError::UserInfo(host.to_owned()));
        }
        let has_port_text = authority
            .as_str()
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.contains(']'));
        let port = match authority.port_u16() {
            Some(0) => return Err(not_a_url()),
            Some(port) => port,
            None if has_port_text => return Err(not_a_url()),
            None if tls => 443,
            None => 80,
        };
        if host.is_empty() {
            return Err(not_a_url());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Endpoint {
            path: path.to_owned(),
            ..Endpoint::new(tls, host, port)
        })
    }

    /// The endpoint that a `Location` header given by this one means.
    ///
    /// In any form of RFC 3986, section 4.2. On the same host the certificate stays that of this
    /// one.
    ///
    /// # Errors
    /// [`EndpointError`] when the location leads to no http or https URL.
    pub fn redirected(&self, location: &str) -> Result<Self, EndpointError> {
        let not_a_url = || EndpointError::NotAUrl(location.to_owned());
        let base = url::Url::parse(&self.to_string()).map_err(|_| not_a_url())?;
        let mut to = base.join(location.trim()).map_err(|_| not_a_url())?;
        to.set_fragment(None);
        let mut to = Endpoint::parse(to.as_str())?;
        if to.host == self.host {
            to.identity.clone_from(&self.identity);
        }
        Ok(to)
    }

    /// Whether a connection to one serves the other.
    pub fn same_origin(&self, other: &Endpoint) -> bool {
        self.tls == other.tls
            && self.port == other.port
            && self.host == other.host
            && self.identity() == other.identity()
    }

    /// `host:port`, as the `Host` header has it; always with the port, as deployed servers do.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A host's name in its form for DNS, TLS and HTTP: lower case, ASCII. What is no name for DNS
/// stays as it is, and will not be found.
pub(crate) fn wire_name(host: &str) -> String {
    if host.is_ascii() {
        return host.to_ascii_lowercase();
    }
    idna::domain_to_ascii(host).unwrap_or_else(|_| host.to_lowercase())
}

/// A URL whose host is ASCII.
fn ascii(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://").filter(|_| !url.is_ascii()) else {
        return Cow::Borrowed(url);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, format!(":{port}")),
        None => (authority, String::new()),
    };
    Cow::Owned(format!("{scheme}://{}{port}{path}", wire_name(host)))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_written_in_full() {
        for (text, written) in [
            ("https://Village.example", "https://village.example:443/"),
            ("http://village.example", "http://village.example:80/"),
            (
                "http://10.0.0.1:5280/ssp?x=1",
                "http://10.0.0.1:5280/ssp?x=1",
            ),
            ("https://[::1]:5280/", "https://[::1]:5280/"),
            ("http://[::1]", "http://[::1]:80/"),
            (
                "https://Bücher.example:5280/ssp",
                "https://xn--bcher-kva.example:5280/ssp",
            ),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.to_string(), written);
            assert_eq!(Endpoint::parse(written).unwrap(), endpoint);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in [
            "",
            "village.example",
            "/path",
            "ftp://village.example/",
            "http://",
            "http://a:0/",
            "http://a:99999/",
            "https://user:secret@village.example/",
            "http://a b/",
        ] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_location_is_read_against_where_it_came_from() {
        let here = Endpoint::parse("https://village.example:5280/").unwrap();
        let there = |location| here.redirected(location).map(|to| to.to_string());
        for (location, url) in [
            ("/other", "https://village.example:5280/other"),
            ("other?x=1", "https://village.example:5280/other?x=1"),
            ("?x=1#part", "https://village.example:5280/?x=1"),
            (
                "http://elsewhere.example/x",
                "http://elsewhere.example:80/x",
            ),
            ("//elsewhere.example/x", "https://elsewhere.example:443/x"),
        ] {
            assert_eq!(there(location).as_deref(), Ok(url), "{location}");
        }
        assert!(there("ftp://elsewhere.example/").is_err());
    }

    #[test]
    fn a_certificate_is_that_of_the_peer_on_its_host_only() {
        let here = Endpoint::new(true, "ssp.host.example", 5280).known_as("Bücher.example");
        assert_eq!(here.identity(), "xn--bcher-kva.example");
        let to = |location| here.redirected(location).unwrap();
        assert_eq!(to("/other").identity(), "xn--bcher-kva.example");
        assert_eq!(to("https://other.example/").identity(), "other.example");
        assert!(!here.same_origin(&Endpoint::new(true, "ssp.host.example", 5280)));
    }
}
