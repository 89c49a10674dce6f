//! The store for what users share, and its listener.

use std::time::Duration;

use super::transport::public_tls;
use crate::config::{Config, Located, Problem};
use crate::content::{ContentSettings, is_active};
use crate::http::server::ServerSettings;

/// Within so long an upload begins; our choice.
const SLOT_LIFE: Duration = Duration::from_secs(300);

/// What is needed to keep and serve files.
#[derive(Clone)]
pub struct ContentPlan {
    /// Settings of the store.
    pub settings: ContentSettings,
    /// Where files are uploaded and fetched.
    pub server: ServerSettings,
}

pub(super) fn plan(
    config: &Config,
    at: &Located,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Option<ContentPlan> {
    let content = &config.content;
    let url = content.base()?;
    for (index, kind) in content.types.iter().enumerate() {
        let probe = kind.replace('*', "html");
        if is_active(kind) || is_active(&probe) {
            problems.push(at.problem(
                &format!("content.types.{index}"),
                format!("\"{kind}\" is carried out by browsers, in the name of this host"),
                "remove it; such a file can be shared in an archive",
            ));
        }
    }
    let (certificate, key) = (content.certificate.as_ref(), content.key.as_ref());
    let tls = public_tls("content", certificate, key, at, problems, warnings);
    let bytes = |size: crate::config::Size| size.0;
    Some(ContentPlan {
        settings: ContentSettings {
            folder: config.node.data.join("content"),
            url,
            max_size: bytes(content.max_size),
            max_files: content.max_files,
            max_user_bytes: bytes(content.max_user_bytes),
            max_bytes: bytes(content.max_bytes),
            keep: content.keep.get(),
            slot_life: SLOT_LIFE,
            types: content.types.clone(),
        },
        server: ServerSettings {
            listen: content.listen,
            plain: tls.is_none(),
            tls,
            max_connections: content.max_connections,
            max_of_one_address: content.max_connections_per_address,
            header_timeout: config.ssp.header_timeout.get(),
            idle_timeout: config.ssp.idle_timeout.get(),
            tls_handshake_timeout: config.ssp.header_timeout.get(),
            known: None,
            ..ServerSettings::default()
        },
    })
}
