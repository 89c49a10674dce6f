//! Lines of bounded length from a stream.

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Longer than allowed. It was passed over; the next line can be read.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    /// Not UTF-8. The next line can be read.
    #[error("the line is not UTF-8 text")]
    NotText,
    /// The stream is broken.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads lines. [`Lines::next`] may be cancelled without loss.
#[derive(Debug)]
pub struct Lines<R> {
    reader: BufReader<R>,
    begun: Vec<u8>,
    /// The line that was begun is longer than allowed.
    passed_over: bool,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes.
    pub fn new(reader: R, limit: usize) -> Self {
        Self {
            reader: BufReader::new(reader),
            begun: Vec::new(),
            passed_over: false,
            limit,
        }
    }

    /// The next line without its end; `None` at the end of the stream.
    ///
    /// # Errors
    /// See [`LineError`]; after `Io` the stream is of no further use.
    pub async fn next(&mut self) -> Result<Option<String>, LineError> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            let (used, ended) = match memchr::memchr(b'\n', chunk) {
                Some(at) => (at + 1, true),
                None => (chunk.len(), chunk.is_empty()),
            };
            if self.passed_over || self.begun.len() + used > self.limit {
                self.passed_over = true;
                self.begun = Vec::new();
            } else {
                self.begun.extend_from_slice(&chunk[..used]);
            }
            self.reader.consume(used);
            if !ended {
                continue;
            }
            if std::mem::take(&mut self.passed_over) {
                return Err(LineError::TooLong(self.limit));
            }
            if self.begun.is_empty() {
                return Ok(None);
            }
            let line = String::from_utf8(std::mem::take(&mut self.begun));
            let line = line.map_err(|_| LineError::NotText)?;
            return Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_one_by_one_and_the_last_needs_no_end() {
        let mut lines = Lines::new(&b"one\r\n\ntwo"[..], 10);
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("one"));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some(""));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("two"));
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_without_end_is_not_kept() {
        let mut lines = Lines::new(&b"0123456789"[..], 5);
        assert!(matches!(lines.next().await, Err(LineError::TooLong(5))));
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_or_no_text_is_refused_and_the_next_is_read() {
        let long = format!("{}\nnext\n", "x".repeat(100_000));
        let mut lines = Lines::new(long.as_bytes(), 5);
        assert!(matches!(lines.next().await, Err(LineError::TooLong(5))));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("next"));
        let mut lines = Lines::new(&b"\xff\nnext"[..], 5);
        assert!(matches!(lines.next().await, Err(LineError::NotText)));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("next"));
    }
}
