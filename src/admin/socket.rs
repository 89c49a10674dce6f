//! The control socket: made, guarded, served.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::{AdminError, Shared};

/// Makes the socket; one that is left over from before, and where nobody answers, is
/// replaced.
pub(super) async fn bind(path: &Path) -> Result<UnixListener, AdminError> {
    let failed = |error| AdminError::Socket(path.to_owned(), error);
    if path.exists() {
        if UnixStream::connect(path).await.is_ok() {
            return Err(AdminError::Taken(path.to_owned()));
        }
        let kind = std::fs::symlink_metadata(path).map_err(failed)?.file_type();
        if !kind.is_socket() {
            let error = std::io::Error::other("a file that is no socket is in its place");
            return Err(failed(error));
        }
        std::fs::remove_file(path).map_err(failed)?;
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).map_err(failed)?;
    Ok(listener)
}

/// Serves connections until stopped.
pub(super) async fn serve(
    listener: UnixListener,
    shared: Arc<Shared>,
    tracker: TaskTracker,
    stop: CancellationToken,
) {
    // Between bind and chmod somebody else may have slipped in: only the owner and root
    // are served.
    let owner = std::fs::metadata(&shared.settings.socket).map(|file| file.uid());
    let places = Arc::new(Semaphore::new(shared.settings.max_connections));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("a control connection was not accepted: {error}");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stop.cancelled() => return,
        };
        let who = stream.peer_cred().map(|who| who.uid());
        let allowed = match (&owner, &who) {
            (Ok(owner), Ok(who)) => who == owner || *who == 0,
            _ => false,
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!("too many control connections, one more is refused");
            continue;
        };
        if !allowed {
            tracing::warn!(?who, "a control connection of another user is refused");
            continue;
        }
        let connection = Connection::new(stream, shared.clone());
        let stop = stop.clone();
        tracker.spawn(async move {
            tokio::select! {
                () = connection.run() => {}
                () = stop.cancelled() => {}
            }
            drop(place);
        });
    }
}
