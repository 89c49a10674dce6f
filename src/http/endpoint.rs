//! Where a POST goes: `http://host:port/path` or `https://...`, and nothing else.

use std::fmt;

use hyper::Uri;

/// A peer's URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// https.
    pub tls: bool,
    /// Name or address, lower case; an IPv6 address without brackets.
    pub host: String,
    /// TCP port; 80 or 443 when the URL names none.
    pub port: u16,
    /// Request target with its query, beginning with `/`.
    pub path: String,
}

/// Why a text is not a usable URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL.
    #[error("`{0}` is not a URL; write https://host:port/ or http://host:port/")]
    NotAUrl(String),
    /// Another scheme.
    #[error("`{0}` must begin with https:// or http://")]
    Scheme(String),
    /// User and password in front of the host.
    #[error("the URL of {0} carries a user name; SSP has no HTTP authentication")]
    UserInfo(String),
}

impl Endpoint {
    /// An endpoint with the path `/`.
    pub fn new(tls: bool, host: &str, port: u16) -> Self {
        Endpoint {
            tls,
            host: host.to_ascii_lowercase(),
            port,
            path: "/".into(),
        }
    }

    /// Parses an absolute URL.
    ///
    /// # Errors
    /// [`EndpointError`], naming the text.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let not_a_url = || EndpointError::NotAUrl(text.to_owned());
        let uri: Uri = text.trim().parse().map_err(|_| not_a_url())?;
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
    /// # Errors
    /// [`EndpointError`] when it is neither an absolute URL nor an absolute path.
    pub fn redirected(&self, location: &str) -> Result<Self, EndpointError> {
        let location = location.trim();
        if location.starts_with('/') && !location.starts_with("//") {
            let path: Uri = location
                .parse()
                .map_err(|_| EndpointError::NotAUrl(location.to_owned()))?;
            return Ok(Endpoint {
                path: path.to_string(),
                ..self.clone()
            });
        }
        Endpoint::parse(location)
    }

    /// Whether a connection to one serves the other.
    pub fn same_origin(&self, other: &Endpoint) -> bool {
        self.tls == other.tls && self.port == other.port && self.host == other.host
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
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
        assert_eq!(
            here.redirected("/other").unwrap().to_string(),
            "https://village.example:5280/other"
        );
        assert_eq!(
            here.redirected("http://elsewhere.example/x")
                .unwrap()
                .to_string(),
            "http://elsewhere.example:80/x"
        );
        assert!(here.redirected("//elsewhere.example/x").is_err());
        assert!(here.redirected("other").is_err());
    }
}
