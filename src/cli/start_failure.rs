//! Why a node does not start: the key of the configuration, and what to do.

use super::{Failure, remedy};
use crate::access::AccessError;
use crate::admin::AdminError;
use crate::config::Located;
use crate::node::StartError;

/// Of the node itself.
pub(super) fn start_failure(error: &StartError, at: &Located) -> Failure {
    let (key, fix) = match error {
        StartError::Listen(_, why) => ("ssp.listen", remedy::of_listening(why)),
        StartError::Content(_, why) => ("content.listen", remedy::of_listening(why)),
        StartError::Folder(_) => ("node.data", "let the node write there"),
        StartError::Store(_, why) => ("node.data", remedy::of_store(why)),
        StartError::Shards { .. } => (
            "node.shards",
            "the number of a store never changes: leave the key out, or begin a new store",
        ),
        StartError::Password(_) => ("home.user", "give the user another password"),
    };
    Failure::Failed(at.problem(key, error.to_string(), fix).to_string())
}

/// Of the access point for clients.
pub(super) fn access_failure(error: &AccessError, at: &Located) -> Failure {
    let (key, fix) = match error {
        AccessError::Listen(_, why) => ("clients.listen", remedy::of_listening(why)),
        AccessError::Wake(_, why) => ("clients.wake_listen", remedy::of_listening(why)),
        AccessError::Text(_, why) => ("clients.clp.listen", remedy::of_listening(why)),
        AccessError::Store(why) => ("node.data", remedy::of_store(why)),
    };
    Failure::Failed(at.problem(key, error.to_string(), fix).to_string())
}

/// Of what looks into the node.
pub(super) fn admin_failure(error: &AdminError, at: &Located) -> Failure {
    let (key, fix) = match error {
        AdminError::Taken(_) => ("admin.socket", "give each node a socket of its own"),
        AdminError::Socket(..) => ("admin.socket", "name a path that can be written"),
        AdminError::Listen(_, why) => ("admin.listen", remedy::of_listening(why)),
    };
    Failure::Failed(at.problem(key, error.to_string(), fix).to_string())
}
