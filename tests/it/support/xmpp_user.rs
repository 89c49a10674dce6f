//! Drives `tests/support/xmpp_user.py`: an XMPP user who does as told and reports what happens.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use super::prosody::Prosody;

const PATIENCE: Duration = Duration::from_secs(60);

/// A logged-in user.
pub(crate) struct XmppUser {
    /// The full address, with the resource that the server gave.
    pub jid: String,
    stdin: ChildStdin,
    events: UnboundedReceiver<Value>,
    /// Events that were not waited for yet.
    seen: Vec<Value>,
    child: Child,
}

impl XmppUser {
    /// Logs in at the given server and waits until that has worked.
    pub(crate) async fn login(prosody: &Prosody, jid: &str, password: &str) -> Self {
        Self::login_at(prosody.c2s_port, jid, password).await
    }

    /// The same at whatever server has this port for clients.
    pub(crate) async fn login_at(port: u16, jid: &str, password: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        let python = target.join("venv/bin/python");
        assert!(
            python.exists(),
            "{} is missing: run scripts/install-test-tools.sh first",
            python.display()
        );
        let mut child = Command::new(python)
            .arg(root.join("tests/support/xmpp_user.py"))
            .args([jid, password, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the XMPP user");
        let stdin = child.stdin.take().expect("its input");
        let stdout = child.stdout.take().expect("its output");
        let (sender, events) = unbounded_channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).expect("a JSON event");
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let mut user = Self {
            jid: jid.to_owned(),
            stdin,
            events,
            seen: Vec::new(),
            child,
        };
        let ready = user
            .wait("the login", |e| {
                e["event"] == "ready" || e["event"] == "failed"
            })
            .await;
        assert_eq!(ready["event"], "ready", "login of {jid} failed: {ready}");
        ready["jid"]
            .as_str()
            .expect("a JID")
            .clone_into(&mut user.jid);
        user
    }

    /// Gives a command; see the script for what there is.
    pub(crate) fn tell(&mut self, command: &Value) {
        let line = format!("{command}\n");
        self.stdin
            .write_all(line.as_bytes())
            .expect("the XMPP user runs");
    }

    /// Sends a chat message.
    pub(crate) fn message(&mut self, to: &str, body: &str, id: &str) {
        self.tell(&json!({"do": "message", "to": to, "body": body, "id": id}));
    }

    /// Writes XML to the stream as it is.
    pub(crate) fn raw(&mut self, xml: &str) {
        self.tell(&json!({"do": "raw", "xml": xml}));
    }

    /// Waits for the first event, past or coming, that `wanted` accepts; others are kept.
    pub(crate) async fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.seen.iter().position(&wanted) {
            return self.seen.remove(at);
        }
        let found = timeout(PATIENCE, async {
            while let Some(event) = self.events.recv().await {
                if wanted(&event) {
                    return Some(event);
                }
                self.seen.push(event);
            }
            None
        })
        .await;
        match found {
            Ok(Some(event)) => event,
            Ok(None) => panic!("{} ended while waiting for {what}", self.jid),
            Err(e) => panic!("{} waited for {what} ({e}); saw {:#?}", self.jid, self.seen),
        }
    }

    /// What has come and was not waited for, as far as `wanted` accepts it.
    pub(crate) fn seen(&self, wanted: impl Fn(&Value) -> bool) -> Vec<&Value> {
        self.seen.iter().filter(|event| wanted(event)).collect()
    }

    /// Waits, for however long it takes, for the next error about a message. Nothing is lost when
    /// the wait is given up.
    pub(crate) async fn next_error(&mut self) -> Value {
        let is_error = |e: &Value| e["event"] == "message" && e["type"] == "error";
        if let Some(at) = self.seen.iter().position(is_error) {
            return self.seen.remove(at);
        }
        loop {
            match self.events.recv().await {
                Some(event) if is_error(&event) => return event,
                Some(event) => self.seen.push(event),
                None => std::future::pending().await,
            }
        }
    }

    /// Waits for a message with this body.
    pub(crate) async fn wait_message(&mut self, body: &str) -> Value {
        self.wait(body, |e| e["event"] == "message" && e["body"] == body)
            .await
    }
}

impl Drop for XmppUser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
