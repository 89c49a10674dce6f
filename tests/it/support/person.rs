//! Somebody in the chat as people use it: `wvgate chat USER`, lines that are typed and shown.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use crate::cli_node::{PATIENCE, wvgate};

/// Somebody in the chat.
pub(crate) struct Person {
    name: String,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What was shown and not waited for.
    seen: Vec<String>,
    child: Child,
}

impl Person {
    /// Enters with the user's name as password, and is in when this returns.
    pub(crate) fn enter(config: &Path, user: &str) -> Self {
        let mut child = wvgate(config)
            .args(["chat", user])
            .env("WVGATE_PASSWORD", user)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut person = Self {
            name: user.to_owned(),
            stdin: child.stdin.take(),
            lines,
            seen: Vec::new(),
            child,
        };
        person.sees("* you are ");
        person
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    /// Types a command, and sees that it was done.
    pub(crate) fn does(&mut self, line: &str) {
        self.types(line);
        self.sees("* done: ");
    }

    /// Types a line, and sees an answer of these lines, one after the other.
    pub(crate) fn asks(&mut self, line: &str, answer: &[&str]) {
        self.types(line);
        for line in answer {
            self.sees(line);
        }
    }

    /// The first line, shown already or coming, in which that stands.
    pub(crate) fn sees(&mut self, what: &str) -> String {
        loop {
            if let Some(at) = self.seen.iter().position(|line| line.contains(what)) {
                return self.seen.remove(at);
            }
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(error) => panic!(
                    "{} does not see {what:?} ({error}), but {:#?}",
                    self.name, self.seen
                ),
            }
        }
    }

    /// Leaves. What was shown and not waited for.
    pub(crate) fn leaves(mut self) -> Vec<String> {
        drop(self.stdin.take());
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the chat of {} does not end", self.name),
            }
        }
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
