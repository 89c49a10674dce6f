//! Asks something of a service of the operator's by a request without a body.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, StatusCode, header};

use super::dial;
use super::endpoint::Endpoint;
use super::stream::Wire;
use super::upload::exchange;

/// For each step of making the connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskFault {
    /// The answer had this status.
    #[error("answered {0}")]
    Status(StatusCode),
    /// There was none, in words; the request may have been heard all the same.
    #[error("{0}")]
    Unreached(String),
}

impl AskFault {
    /// Whether the same is refused whenever it is asked. That who asks is not known (401, 403), that
    /// nobody is there (404, 405, 410), or that it is not the moment (408, 425, 429) is no fault of
    /// what was asked.
    pub fn is_for_good(&self) -> bool {
        const OTHERS: [u16; 13] = [
            401, 402, 403, 404, 405, 407, 408, 410, 421, 423, 425, 426, 429,
        ];
        match self {
            Self::Status(status) => status.is_client_error() && !OTHERS.contains(&status.as_u16()),
            Self::Unreached(_) => false,
        }
    }
}

/// Asks an endpoint with these parameters, besides those it has. They are in no error. `tls` is for
/// an endpoint of https.
///
/// # Errors
/// See [`AskFault`]; also if it takes longer than `limit`.
pub async fn get(
    (endpoint, tls): (&Endpoint, Option<&Arc<rustls::ClientConfig>>),
    parameters: &[(&str, &str)],
    limit: Duration,
) -> Result<(), AskFault> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let joint = if endpoint.path.contains('?') {
        '&'
    } else {
        '?'
    };
    let request = Request::get(format!("{}{joint}{query}", endpoint.path))
        .header(header::HOST, endpoint.authority())
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|_| AskFault::Unreached("no request can be made".to_owned()))?;
    let asked = async {
        let wire = match (endpoint.tls, tls) {
            (true, Some(tls)) => dial::connect(endpoint, tls, CONNECT).await?,
            (true, None) => return Err("there is no TLS for it".to_owned()),
            (false, _) => Wire::Plain(dial::tcp(endpoint, CONNECT).await?),
        };
        exchange(wire, request).await
    };
    let answer = match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer.map_err(AskFault::Unreached)?,
        Err(_) => return Err(AskFault::Unreached("it took too long".to_owned())),
    };
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(AskFault::Status(answer.status()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_with_the_request_itself_is_refused_for_good() {
        let of = |code: u16| AskFault::Status(StatusCode::from_u16(code).unwrap());
        for code in [400, 406, 413, 414, 422, 451] {
            assert!(of(code).is_for_good(), "{code}");
        }
        for code in [301, 401, 403, 404, 405, 408, 429, 500, 503] {
            assert!(!of(code).is_for_good(), "{code}");
        }
        assert!(!AskFault::Unreached("it took too long".to_owned()).is_for_good());
    }
}
