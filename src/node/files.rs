//! The store for shared files, as a node opens it.

use std::sync::Arc;

use super::build::Plan;
use super::clock::Clock;
use super::run::StartError;
use crate::content::Contents;
use crate::http::server;

/// The store for shared files, and its port.
pub(super) struct Files {
    pub(super) contents: Contents,
    pub(super) server: server::Server,
}

/// Opens it, if the plan has one.
pub(super) async fn open_files(plan: &Plan, clock: Clock) -> Result<Option<Files>, StartError> {
    let Some(content) = &plan.content else {
        return Ok(None);
    };
    let now = Arc::new(move || clock.now());
    let contents = Contents::open(content.settings.clone(), now).map_err(StartError::Folder)?;
    let listen = content.server.listen;
    let server = server::bind(content.server.clone()).await;
    let server = server.map_err(|error| StartError::Content(listen, error))?;
    Ok(Some(Files { contents, server }))
}
