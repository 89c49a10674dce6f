//! Asks something of a service of the operator's by a request without a body.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, StatusCode, header};

use super::endpoint::Endpoint;
use super::tls::ClientTls;
use super::upload::{connect, exchange};

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

/// Asks an endpoint with these parameters, besides those it has. They are in no error.
///
/// # Errors
/// See [`AskFault`]; also if it takes longer than `limit`.
pub async fn get(
    endpoint: &Endpoint,
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
        let wire = connect(endpoint, &ClientTls::default()).await?;
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
