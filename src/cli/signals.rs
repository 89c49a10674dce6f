//! Signals to the node's process.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// The signals that a node listens to.
pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGHUP: the configuration is to be read again.
    Reload,
    /// SIGTERM or SIGINT: the node is to end.
    End,
}

impl Signals {
    /// From now on they do not end the process by themselves.
    pub(super) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::Failed(format!("cannot take signals: {error}")))
        };
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// What the next one asks for.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
        }
    }

    /// Waits until the operator ends the node.
    pub(super) async fn end(&mut self) {
        while self.next().await != Asked::End {}
    }
}
