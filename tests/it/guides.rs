//! What the README and the guide to operating tell operators to type, as it stands there, between
//! two home domains that become neighbours by it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use serde_json::json;

use crate::cli_invite::home;
use crate::cli_node::{Folder, Node, PATIENCE, with_input};
use crate::spine::python;
use crate::support::divided::divide;

/// The commands of the first block of a chapter, without the words about them.
fn commands(file: &str, chapter: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let after = text.split(&format!("\n## {chapter}\n")).nth(1).unwrap();
    let block = after.split("\n```sh\n").nth(1).unwrap();
    let lines = block.split("\n```").next().unwrap().lines();
    let lines = lines.map(|line| line.split(" #").next().unwrap().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// A shell in this folder that finds the program, and in which the node is this one.
fn shell(program: &str, folder: &Path, config: &Path) -> Command {
    let built = Path::new(env!("CARGO_BIN_EXE_wvgate")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new(program);
    shell
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", built.display()))
        .env("WVGATE_CONFIG", config)
        .env("WVGATE_PASSWORD", "alice")
        .env_remove("WVGATE_SOCKET")
        .stdin(Stdio::null());
    divide(&mut shell);
    shell
}

/// Types a line that must work; what it says.
fn typed(line: &str, folder: &Path, config: &Path) -> String {
    let output = shell("sh", folder, config).args(["-c", line]).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}{errors}");
    said
}

/// Types a line at a terminal, and says yes to what it asks.
fn agreed(line: &str, folder: &Path, config: &Path) {
    let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut shell = shell(python().to_str().unwrap(), folder, config);
    shell.args(["-c", spawn, "sh", "-c", line]);
    let output = with_input(shell, "y\n");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{line}: {said}");
}

fn swapped(line: &str) -> String {
    line.replace("village", "oldtown")
}

#[test]
fn the_commands_for_operators_work_as_they_are_written() {
    let start = |domain: &str, user: &str| {
        let folder = Folder::new();
        let config = home(&folder, domain, user);
        Node::start_on(folder, config)
    };
    let mut village = start("village.example", "carol");
    let oldtown = start("oldtown.example", "bob");
    let desk = Folder::new();
    let here = |line: &str| typed(line, &desk.0, &village.config);
    let there = |line: &str| typed(line, &desk.0, &oldtown.config);

    // They become neighbours.
    let lines = commands("README.md", "A neighbour");
    assert_eq!(lines, commands("docs/operating.md", "Configure"));
    let [invite, add, check] = &lines[..] else {
        panic!("{lines:?}");
    };
    here(invite);
    agreed(add, &desk.0, &oldtown.config);
    there(&swapped(invite));
    agreed(&swapped(add), &desk.0, &village.config);
    for said in [there(check), here(&swapped(check))] {
        assert!(!said.contains("failed"), "{said}");
    }

    // Users come, go, and write to each other.
    desk.file("users.csv", "user,password\nalice,alice\n");
    let mut bob = oldtown.chat("bob");
    let lines = commands("docs/operating.md", "Users of the home domain");
    assert!(lines.len() >= 12, "{lines:?}");
    for line in &lines {
        let said = here(line);
        if line.contains("user list") {
            assert!(said.contains("wv:alice@village.example"), "{said}");
        }
    }
    let message = bob.wait("message", |_| true);
    assert_eq!(message["from"], "wv:alice@village.example");
    assert_eq!(message["text"], "hello");

    // What the node tells of it.
    let mut alice = village.chat("alice");
    alice
        .tell(&json!({"do": "message", "to": "bob@oldtown.example", "text": "again", "id": "m-1"}));
    alice.wait("sent", |sent| sent["id"] == "m-1");
    bob.wait("message", |message| message["text"] == "again");
    let mut lines = commands("README.md", "Day to day");
    assert!(lines.len() >= 4, "{lines:?}");
    lines.extend(commands("docs/operating.md", "Look in"));
    lines.extend(commands("docs/operating.md", "Back up"));
    let backup = desk.0.join("monday.db");
    for line in &lines {
        let line = line
            .replace(" ID", " m-1")
            .replace("ADDRESS", "alice@village.example")
            .replace("/backup/wvgate-monday.db", backup.to_str().unwrap())
            .replace(" FILE", " readme.db");
        if line != "wvgate trace" {
            let said = here(&line);
            if line.contains("explain") {
                assert!(said.contains("m-1") && said.contains("delivered"), "{said}");
            }
            continue;
        }
        let mut trace = shell("sh", &desk.0, &village.config)
            .args(["-c", &format!("exec {line}")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(trace.stdout.take().unwrap()).lines();
        let (sender, shown) = channel();
        std::thread::spawn(move || sender.send(lines.next()));
        // What happens before it listens is not shown.
        let wait = std::time::Duration::from_millis(100);
        let mut tries = PATIENCE.as_millis() / wait.as_millis();
        while shown.recv_timeout(wait).is_err() {
            tries -= 1;
            assert!(tries > 0, "nothing is shown");
            alice.tell(&json!({"do": "message", "to": "bob@oldtown.example", "text": "x"}));
            alice.wait("sent", |_| true);
        }
        let _ = trace.kill();
        let _ = trace.wait();
    }
    assert!(backup.exists() && desk.0.join("readme.db").exists());

    // The store of a node that does not run.
    typed("wvgate stop", &desk.0, &village.config);
    assert_eq!(village.wait(), Some(0));
    let lines = commands("docs/operating.md", "When the store is damaged");
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in &lines {
        typed(line, &desk.0, &village.config);
    }
}
