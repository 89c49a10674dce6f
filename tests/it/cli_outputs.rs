//! What a node writes to, and reads at a start: nothing that happens to an output ends or delays
//! it, and what it says is in the format that was asked for.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli_node::{Folder, PATIENCE, free_port, output, said, wvgate};

/// A configuration in a folder of its own.
fn configuration(more: &str) -> (Folder, std::path::PathBuf) {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let port = free_port();
    let text = format!(
        "[node]\ndomain = \"village.test\"\ndata = {data:?}\n\
         [ssp]\nlisten = \"127.0.0.1:{port}\"\nplain = true\n\
         [home]\n[[home.user]]\nname = \"alice\"\npassword = \"alice\"\n{more}"
    );
    let file = folder.file("node.toml", &text);
    (folder, file)
}

/// Starts a node that logs everything to where it is told.
fn start(config: &Path, stdout: Stdio, stderr: Stdio) -> Child {
    let mut command = wvgate(config);
    command.arg("run").env("RUST_LOG", "trace");
    command.stdout(stdout).stderr(stderr).spawn().unwrap()
}

/// Waits until it answers.
fn wait_until_it_answers(config: &Path, child: &mut Child) {
    let start = Instant::now();
    while !output(config, &["status"]).status.success() {
        assert!(start.elapsed() < PATIENCE, "it does not answer");
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Takes messages, answers, and ends when it is asked to.
fn works(config: &Path, mut child: Child) {
    wait_until_it_answers(config, &mut child);
    for text in 0..30 {
        let text = format!("message {text}");
        let args = ["send", "--from", "alice", "--to", "echo", "--report", &text];
        said(config, &args);
    }
    assert!(child.try_wait().unwrap().is_none(), "it has ended");
    said(config, &["stop"]);
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return assert_eq!(status.code(), Some(0));
        }
        assert!(start.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_log_that_nobody_reads_neither_ends_nor_delays_the_node() {
    let (_folder, config) = configuration("");
    let mut child = start(&config, Stdio::piped(), Stdio::piped());
    // Both ends of the pipes stay open, and both fill up.
    let _held = (child.stdout.take(), child.stderr.take());
    works(&config, child);
}

#[test]
fn a_log_whose_reader_is_gone_neither_ends_nor_delays_the_node() {
    let (_folder, config) = configuration("");
    let mut child = start(&config, Stdio::piped(), Stdio::piped());
    drop((child.stdout.take(), child.stderr.take()));
    works(&config, child);
}

#[test]
fn a_log_on_a_full_disk_neither_ends_nor_delays_the_node() {
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (_folder, config) = configuration("");
    let child = start(&config, full().into(), full().into());
    works(&config, child);
}

/// Each line that a node says until it has ended, all of it JSON.
fn json_lines(mut command: std::process::Command) -> (Vec<Value>, Option<i32>) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let line =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (text.lines().map(line).collect(), output.status.code())
}

#[test]
fn a_log_in_json_is_json_only_mistakes_at_the_start_included() {
    let json = "[log]\nformat = \"json\"\n";
    let message = |line: &Value| line["fields"]["message"].as_str().unwrap().to_owned();
    for mistake in ["levle = \"info\"\n", "level = \"loud\"\n", "level = [\n"] {
        let (_folder, config) = configuration(&format!("{json}{mistake}"));
        let mut command = wvgate(&config);
        command.arg("run");
        let (lines, code) = json_lines(command);
        assert_eq!(code, Some(64), "{mistake}");
        assert!(!lines.is_empty(), "{mistake}");
        for line in &lines {
            assert_eq!(line["level"], "ERROR");
            assert!(message(line).contains("node.toml:"), "{line}");
        }
    }
    // A port in use, and a whole life with a warning.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (_folder, config) = configuration(json);
    let mut command = wvgate(&config);
    let address = taken.local_addr().unwrap().to_string();
    command.arg("run").env("WVGATE_CONFIG_SSP__LISTEN", address);
    let (lines, code) = json_lines(command);
    assert_eq!(code, Some(1));
    let last = message(lines.last().unwrap());
    assert!(last.contains("cannot listen on"), "{last}");

    let (_folder, config) = configuration(json);
    let path = config.clone();
    let stopper = std::thread::spawn(move || {
        let start = Instant::now();
        while !output(&path, &["stop"]).status.success() {
            assert!(start.elapsed() < PATIENCE, "it cannot be stopped");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let mut command = wvgate(&config);
    command.arg("run").env("RUST_LOG", "info,wvgate=debg");
    let (lines, code) = json_lines(command);
    stopper.join().unwrap();
    assert_eq!(code, Some(0));
    let said: Vec<String> = lines.iter().map(message).collect();
    for wanted in ["running: ", "RUST_LOG is not a filter", "stopping"] {
        assert!(
            said.iter().any(|line| line.contains(wanted)),
            "{wanted}: {said:?}"
        );
    }
}

#[test]
fn a_mistake_made_in_the_file_meanwhile_does_not_hide_the_node() {
    let (_folder, config) = configuration("");
    let mut child = start(&config, Stdio::null(), Stdio::null());
    wait_until_it_answers(&config, &mut child);
    let good = std::fs::read_to_string(&config).unwrap();
    for mistake in ["[log]\nlevel = \"loud\"\n", "[unknown]\n", "[log\n"] {
        std::fs::write(&config, format!("{good}{mistake}")).unwrap();
        for command in ["status", "peers"] {
            let output = output(&config, &[command]);
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{mistake} {command}: {errors}");
            assert!(
                errors.contains("has mistakes; see: wvgate check"),
                "{errors}"
            );
        }
    }
    assert!(output(&config, &["stop"]).status.success());
    child.wait().unwrap();
    // Without a node the mistakes are what there is to say.
    let output = output(&config, &["status"]);
    assert_eq!(output.status.code(), Some(64));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("node.toml:"), "{errors}");
}
