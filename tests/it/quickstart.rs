//! What the README tells people to type, as it stands there, and the demo when it is interrupted.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::cli_node::free_port;
use crate::spine::python;
use crate::support::cluster::Folder;

const PROGRAM: &str = env!("CARGO_BIN_EXE_wvgate");

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A place like the root of the repository, with the program of this test in it.
fn place(name: &str) -> Folder {
    let folder = Folder::new(name);
    for shared in ["scripts", "mappings"] {
        symlink(root().join(shared), folder.0.join(shared)).unwrap();
    }
    fs::create_dir_all(folder.0.join("target/release")).unwrap();
    symlink(PROGRAM, folder.0.join("target/release/wvgate")).unwrap();
    folder
}

/// The commands of the first block of a chapter of the README.
fn commands(chapter: &str) -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let after = readme.split(&format!("\n## {chapter}\n")).nth(1).unwrap();
    let block = after.split("```sh\n").nth(1).unwrap();
    let lines = block.split("```").next().unwrap().lines();
    let lines = lines.map(|line| line.split(" #").next().unwrap().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

fn shell(place: &Path, command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("exec {command}")])
        .current_dir(place)
        .env_remove("WVGATE_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    shell
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_quickstart_works_as_it_is_written() {
    let place = place("quickstart");
    // Others may have the ports.
    let mut config = fs::read_to_string(root().join("config/quickstart.toml")).unwrap();
    for port in ["5280", "5281"] {
        let free = free_port().to_string();
        config = config.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{free}"));
    }
    fs::create_dir_all(place.0.join("config")).unwrap();
    fs::write(place.0.join("config/quickstart.toml"), config).unwrap();

    let commands = commands("Quickstart");
    let [build, run, chats @ ..] = &commands[..] else {
        panic!("{commands:?}");
    };
    assert_eq!((build.as_str(), chats.len()), ("cargo build --release", 2));
    let mut node = Ended(shell(&place.0, run).spawn().unwrap());
    let said = BufReader::new(node.0.stdout.take().unwrap());
    assert!(said.lines().any(|line| line.unwrap() == "running"));
    for (chat, password) in chats.iter().zip(["alice", "carol"]) {
        assert!(chat.contains(password), "{chat}");
        let mut chat = shell(&place.0, chat)
            .env("WVGATE_PASSWORD", password)
            .spawn()
            .unwrap();
        let mut typed = chat.stdin.take().unwrap();
        typed.write_all(b"/to echo\nis anybody there\n").unwrap();
        let mut heard = BufReader::new(chat.stdout.take().unwrap()).lines();
        let is_echo = |line: &String| line.contains("echo") && line.contains("is anybody there");
        assert!(heard.any(|line| is_echo(&line.unwrap())));
        drop(typed);
        assert!(chat.wait().unwrap().success());
    }
}

#[test]
fn a_demo_that_is_interrupted_ends_cleanly() {
    let place = place("interrupted");
    symlink(root().join("config"), place.0.join("config")).unwrap();
    let mut demo = Command::new(python());
    demo.arg("scripts/demo/world.py")
        .arg(PROGRAM)
        .current_dir(&place.0)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut demo = Ended(demo.spawn().unwrap());
    let mut said = BufReader::new(demo.0.stdout.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    let mut complaints = String::new();
    if first.is_empty() {
        let errors = demo.0.stderr.as_mut().unwrap();
        errors.read_to_string(&mut complaints).unwrap();
        panic!("{complaints}");
    }
    // As a terminal does: to all of the group.
    let group = format!("-{}", demo.0.id());
    let sent = Command::new("kill")
        .args(["-s", "INT", "--", &group])
        .status();
    assert!(sent.unwrap().success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let errors = demo.0.stderr.as_mut().unwrap();
    errors.read_to_string(&mut complaints).unwrap();
    assert_eq!(demo.0.wait().unwrap().code(), Some(130), "{complaints}");
    assert!(!complaints.contains("Traceback"), "{complaints}");
    // Nothing is left behind: nobody holds the pipe any more, so both ends were read.
}
