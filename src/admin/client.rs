//! The other end of the control socket, for the command line.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::request::{Line, Request};
use super::{LineError, Lines};

/// Bytes of an answer, at most: the longest lists of a big node.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens at the socket.
    #[error("no node answers on {path}: {1}", path = .0.display())]
    NoNode(PathBuf, std::io::Error),
    /// The connection ended before the answer.
    #[error("the node has ended the connection")]
    Ended,
    /// The connection broke.
    #[error("the connection to the node broke: {0}")]
    Broken(#[from] LineError),
    /// The node sent something that is no answer.
    #[error("the node's answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The node refused the request, and said why.
    #[error("{0}")]
    Refused(String),
}

/// A connection to a running node.
#[derive(Debug)]
pub struct Client {
    lines: Lines<OwnedReadHalf>,
    out: OwnedWriteHalf,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// [`ClientError::NoNode`].
    pub async fn connect(socket: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(socket).await;
        let stream = stream.map_err(|error| ClientError::NoNode(socket.to_owned(), error))?;
        let (read, out) = stream.into_split();
        let lines = Lines::new(read, MAX_ANSWER);
        Ok(Self { lines, out })
    }

    /// Says something: a [`Request`], or within a chat a command.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn say(&mut self, what: &impl Serialize) -> Result<(), ClientError> {
        let mut text = serde_json::to_string(what)?;
        text.push('\n');
        let written = self.out.write_all(text.as_bytes()).await;
        written.map_err(|_| ClientError::Ended)
    }

    /// The next line as it came; `None` at the end. May be cancelled without loss.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn line(&mut self) -> Result<Option<String>, ClientError> {
        Ok(self.lines.next().await?)
    }

    /// The next line, understood.
    ///
    /// # Errors
    /// The connection ended or broke, or the node said no.
    pub async fn next(&mut self) -> Result<Line, ClientError> {
        let line = self.line().await?.ok_or(ClientError::Ended)?;
        match serde_json::from_str(&line)? {
            Line::Error { error } => Err(ClientError::Refused(error)),
            other => Ok(other),
        }
    }

    /// Asks, and waits for the answer; lines before it are passed over.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ask(&mut self, request: &Request) -> Result<Value, ClientError> {
        self.say(request).await?;
        loop {
            if let Line::Result { result } = self.next().await? {
                return Ok(result);
            }
        }
    }
}
