//! The real program as a child process, for the suites `cli_*`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::talk::Talk;

pub(crate) use crate::support::cluster::free_port;
use crate::support::divided::{divide, divide_into};

/// No test depends on how long something takes; one that hangs fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that goes away with the test.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("wvgate-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// In a configuration: the node has the shards that stand there.
pub(crate) const AS_WRITTEN: &str = "# shards as written\n";

/// In a configuration: a node of one shard, however many the others have.
pub(crate) const UNDIVIDED: &str = "# of one shard\n";

/// The program with a clean environment.
pub(crate) fn wvgate(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wvgate"));
    command
        .env_remove("WVGATE_SOCKET")
        .env_remove("WVGATE_PASSWORD")
        .env_remove("RUST_LOG")
        .env("WVGATE_CONFIG", config)
        .stdin(Stdio::null());
    let text = std::fs::read_to_string(config).unwrap_or_default();
    if text.contains(UNDIVIDED) {
        divide_into(&mut command, 1);
    } else if !text.contains(AS_WRITTEN) {
        divide(&mut command);
    }
    command
}

/// Runs a command to its end.
pub(crate) fn output(config: &Path, args: &[&str]) -> Output {
    wvgate(config).args(args).output().unwrap()
}

/// What a command that must work has written.
pub(crate) fn said(config: &Path, args: &[&str]) -> String {
    let output = output(config, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that must work has written, as JSON.
pub(crate) fn json(config: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&said(config, args)).unwrap()
}

/// Runs a command with this input.
pub(crate) fn with_input(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// A node like that of the quickstart.
pub(crate) struct Node {
    pub folder: Folder,
    pub config: PathBuf,
    pub child: Child,
    /// What it has said is bound.
    pub bound: Vec<String>,
}

impl Node {
    /// Starts one with the users alice and carol.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with more configuration.
    pub(crate) fn start_with(more: &str) -> Self {
        let folder = Folder::new();
        let data = folder.0.join("data");
        let config = folder.file(
            "node.toml",
            &format!(
                "[node]\ndomain = \"village.test\"\ndata = {data:?}\n\
                 [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
                 [admin]\nlisten = \"127.0.0.1:0\"\n\
                 [home]\n\
                 [[home.user]]\nname = \"alice\"\npassword = \"alice\"\n\
                 [[home.user]]\nname = \"carol\"\npassword = \"carol\"\n{more}"
            ),
        );
        Self::start_on(folder, config)
    }

    /// Starts one on a configuration of its own.
    pub(crate) fn start_on(folder: Folder, config: PathBuf) -> Self {
        let (child, bound) = spawn(&config);
        Self {
            folder,
            config,
            child,
            bound,
        }
    }

    /// Ends the process as a crash would, and starts it again.
    pub(crate) fn crash_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.bound) = spawn(&self.config);
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// The exit code, when it has ended.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        for _ in 0..PATIENCE.as_millis() / 20 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the node does not end");
    }

    /// Status line and body of a GET on the admin port.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let line = self.bound.iter().find(|line| line.starts_with("admin"));
        let address = line.unwrap().split("http://").nth(1).unwrap();
        let address = address.split('/').next().unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// A metric's value; 0 if it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics");
        let mut values = text.lines().filter_map(|line| {
            let (found, value) = line.rsplit_once(' ')?;
            (found == name).then(|| value.parse().unwrap())
        });
        values.next().unwrap_or(0)
    }

    /// A client session in JSON.
    pub(crate) fn chat(&self, user: &str) -> ChatUser {
        ChatUser::open(&self.config, user)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a node and waits until it runs.
fn spawn(config: &Path) -> (Child, Vec<String>) {
    let mut child = wvgate(config)
        .arg("run")
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut bound = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == "running" {
            return (child, bound);
        }
        bound.push(line);
    }
    let _ = child.wait();
    panic!("the node did not start: {bound:?}");
}

/// `wvgate chat USER --json`: what is written and read by tests is in
/// [`crate::support::talk`], as JSON.
pub(crate) struct ChatUser {
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    talk: Talk,
    seen: Vec<Value>,
    child: Child,
}

impl ChatUser {
    /// Logs in with the user's name as password, and waits until that has worked.
    fn open(config: &Path, user: &str) -> Self {
        let mut child = wvgate(config)
            .args(["chat", user, "--json"])
            .env("WVGATE_PASSWORD", user)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("a line of JSON");
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut user = Self {
            stdin: child.stdin.take(),
            lines,
            talk: Talk::default(),
            seen: Vec::new(),
            child,
        };
        user.wait("ready", |_| true);
        user
    }

    /// Gives a command.
    pub(crate) fn tell(&mut self, command: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        let command = serde_json::from_value(command.clone()).unwrap();
        for said in self.talk.say(command) {
            writeln!(stdin, "{}", serde_json::json!(said)).unwrap();
        }
    }

    /// Hands over a request as it stands.
    pub(crate) fn request(&mut self, primitive: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        let said = serde_json::json!({"do": "request", "id": "raw", "primitive": primitive});
        writeln!(stdin, "{said}").unwrap();
    }

    fn hear(&mut self, line: Value) {
        let told = serde_json::from_value(line).expect("something that clients are told");
        let events = self.talk.hear(told).into_iter();
        self.seen
            .extend(events.map(|event| serde_json::json!(event)));
    }

    /// The first event of that name, past or coming, that `wanted` accepts.
    pub(crate) fn wait(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let fits = |event: &Value| event["event"] == name && wanted(event);
        loop {
            if let Some(at) = self.seen.iter().position(fits) {
                return self.seen.remove(at);
            }
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.hear(line),
                Err(error) => panic!("no {name} ({error}); saw {:#?}", self.seen),
            }
        }
    }

    /// Logs out, and returns all that came and was not waited for.
    pub(crate) fn quit(mut self) -> Vec<Value> {
        drop(self.stdin.take());
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.hear(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("chat does not end"),
            }
        }
        std::mem::take(&mut self.seen)
    }
}

impl Drop for ChatUser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
