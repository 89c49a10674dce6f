//! What to do about what keeps a node from starting.

use std::io::{self, ErrorKind};

use crate::store::StoreError;

/// About a store that cannot be used.
pub(super) fn of_store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Locked(_) => "stop the other node, or give this one a directory of its own",
        StoreError::Full(_) => "make room on that disk",
        StoreError::Corrupt(_) => {
            "nothing was changed: `wvgate store check` shows what is damaged, `wvgate store repair` \
             goes on with what is whole and keeps the rest; or restore a backup"
        }
        StoreError::Foreign(_) => {
            "name the folder of this node, or an empty one; the version that wrote it can read it"
        }
        StoreError::Io(why) if why.contains("os error 5)") => {
            "the disk fails: see the log of the kernel, and restore a backup on another one"
        }
        StoreError::Io(_) | StoreError::Conflict { .. } | StoreError::Closed => {
            "let the user that runs the node own the folder and all in it, on a disk that can be \
             written (ls -la, mount)"
        }
    }
}

/// About an address that cannot be listened on.
pub(super) fn of_listening(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "stop the program that uses it (ss -ltnp shows which), or choose another port"
        }
        ErrorKind::AddrNotAvailable => {
            "no interface of this machine has that address: name one that has it (ip address), or \
             0.0.0.0 for all"
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 are for root, or for a service with CAP_NET_BIND_SERVICE: choose \
             another port"
        }
        _ => "choose another address",
    }
}
