//! Moves files for service elements, each beside the node's own work.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::content::{Contents, Refusal, Wanted};
use crate::element::{Carried, Errand, Fault, FetchTerms, Transfer};
use crate::http::fetch::{self, FetchFault};
use crate::http::tls::ClientTls;
use crate::http::upload::{PutFault, put_bytes};
use crate::text::Shown;

/// Files that are moved at once; our choice.
const AT_ONCE: usize = 16;
/// For an upload: this, and a second for so many bytes; our choice.
const GRACE: Duration = Duration::from_secs(30);
const PACE: u64 = 32 * 1024;

/// Moves files.
#[derive(Clone)]
pub(super) struct Carrier {
    shared: Arc<Shared>,
}

struct Shared {
    contents: Option<Contents>,
    /// For uploads.
    tls: ClientTls,
    places: Semaphore,
    stop: CancellationToken,
}

impl Carrier {
    pub(super) fn new(contents: Option<Contents>, tls: ClientTls, stop: CancellationToken) -> Self {
        let places = Semaphore::new(AT_ONCE);
        let shared = Shared {
            contents,
            tls,
            places,
            stop,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Moves a file, and says what has become of it, unless the node stops before.
    pub(super) fn carry(
        &self,
        transfer: Transfer,
        told: impl FnOnce(u64, Carried) + Send + 'static,
    ) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let moved = async {
                let _place = shared.places.acquire().await;
                shared.perform(transfer.errand).await
            };
            tokio::select! {
                () = shared.stop.cancelled() => {}
                carried = moved => told(transfer.number, carried),
            }
        });
    }
}

impl Shared {
    async fn perform(&self, errand: Errand) -> Carried {
        match errand {
            Errand::Put {
                url,
                headers,
                content_type,
                bytes,
            } => self.put(&url, &headers, &content_type, bytes).await,
            Errand::Keep {
                owner,
                name,
                content_type,
                bytes,
            } => {
                let wanted = Wanted {
                    name,
                    content_type,
                    size: bytes.len() as u64,
                };
                self.keep(&owner, &wanted, &bytes).await
            }
            Errand::Fetch { url, terms } => get(&url, &terms).await,
        }
    }

    async fn put(
        &self,
        url: &str,
        headers: &[(String, String)],
        content_type: &str,
        bytes: Bytes,
    ) -> Carried {
        let limit = GRACE + Duration::from_secs(bytes.len() as u64 / PACE);
        let file = (content_type, bytes);
        let Err(fault) = put_bytes(url, headers, file, &self.tls, limit).await else {
            return Carried::Put;
        };
        // The URL is a secret.
        tracing::warn!("a file was not uploaded to the XMPP server's service: {fault}");
        Carried::Failed(match fault {
            PutFault::Status(StatusCode::PAYLOAD_TOO_LARGE) => Fault::TooLarge,
            PutFault::Status(StatusCode::UNSUPPORTED_MEDIA_TYPE) => Fault::Type,
            PutFault::Status(StatusCode::INSUFFICIENT_STORAGE) => Fault::Full,
            PutFault::Status(status)
                if status.is_server_error()
                    || status == StatusCode::TOO_MANY_REQUESTS
                    || status == StatusCode::REQUEST_TIMEOUT =>
            {
                Fault::Passing
            }
            PutFault::Status(_) | PutFault::Url(_) => Fault::Refused,
            PutFault::Unreached(_) => Fault::Passing,
        })
    }

    async fn keep(&self, owner: &str, wanted: &Wanted, bytes: &Bytes) -> Carried {
        let Some(contents) = &self.contents else {
            return Carried::Failed(Fault::Refused);
        };
        match contents.keep(owner, wanted, bytes).await {
            Ok(url) => Carried::Kept { url },
            Err(refusal) => {
                tracing::info!(owner, "a file is not kept for a message: {refusal}");
                Carried::Failed(match refusal {
                    Refusal::Size(_) => Fault::TooLarge,
                    Refusal::Type(_) => Fault::Type,
                    Refusal::Files(_) | Refusal::Bytes(_) | Refusal::Full => Fault::Full,
                    Refusal::Disk => Fault::Passing,
                    Refusal::Off | Refusal::Name => Fault::Refused,
                })
            }
        }
    }
}

async fn get(url: &str, terms: &FetchTerms) -> Carried {
    let takes = |kind: &str| terms.takes(kind);
    let of = fetch::Terms {
        takes: &takes,
        most: terms.most,
        limit: terms.limit,
        inside: &terms.inside,
    };
    match fetch::get(url, &of).await {
        Ok(fetched) => Carried::Fetched {
            content_type: fetched.content_type,
            bytes: fetched.bytes,
        },
        Err(fault) => {
            let why = fault.to_string();
            tracing::debug!(
                "what a link of a message leads to is not fetched: {}",
                Shown(&why)
            );
            Carried::Failed(match fault {
                FetchFault::TooLarge => Fault::TooLarge,
                FetchFault::Type => Fault::Type,
                FetchFault::Forbidden(_) | FetchFault::Status(_) => Fault::Refused,
                FetchFault::Unreached(_) => Fault::Passing,
            })
        }
    }
}
