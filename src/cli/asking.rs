//! Questions to who sits at the terminal. What is piped in is never taken for an answer.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use super::{Failure, output};

/// Bytes of an answer.
const MOST: u64 = 1024;

/// Whether there is somebody to ask.
pub(super) fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// What is answered, without spaces around it.
pub(super) fn answer(question: &str) -> Result<String, Failure> {
    output::ask(question);
    let mut line = String::new();
    let read = std::io::stdin().lock().take(MOST).read_line(&mut line);
    match read {
        Ok(0) => Err(Failure::Failed("no answer: nothing was written".to_owned())),
        Ok(_) => Ok(line.trim().to_owned()),
        Err(error) => Err(Failure::Failed(format!("no answer: {error}"))),
    }
}
