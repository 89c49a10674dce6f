//! The service unit, and what a service manager hears of the program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use crate::cli_node::{Folder, Node, PATIENCE, output, said, wvgate};
use crate::packaging::{read, root};

/// What one datagram says, by name.
type Told = BTreeMap<String, String>;

/// A manager that hears at once, as a real one: what it is told is taken in a thread of its own.
struct Manager(Receiver<Told>);

impl Manager {
    fn at(socket: &Path) -> Self {
        let socket = UnixDatagram::bind(socket).unwrap();
        let (tells, told) = channel();
        std::thread::spawn(move || {
            let mut text = [0; 4096];
            while let Ok(length) = socket.recv(&mut text) {
                let text = std::str::from_utf8(&text[..length]).unwrap();
                let lines = text.lines().map(|line| line.split_once('=').unwrap());
                let lines = lines.map(|(name, value)| (name.to_owned(), value.to_owned()));
                if tells.send(lines.collect()).is_err() {
                    return;
                }
            }
        });
        Self(told)
    }

    /// The next, of those that have this name, or of those that are no sign of life.
    fn hears(&self, name: Option<&str>) -> Told {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.0.recv_timeout(PATIENCE).unwrap();
            let wanted = name.map_or(!told.contains_key("WATCHDOG"), |name| {
                told.contains_key(name)
            });
            if wanted {
                return told;
            }
            assert!(Instant::now() < until, "only signs of life");
        }
    }
}

#[test]
fn a_service_manager_hears_of_start_life_reload_and_end_in_order() {
    let folder = Folder::new();
    let socket = folder.0.join("notify");
    let manager = Manager::at(&socket);
    let text = |domain: &str, drain: u32| {
        let data = folder.0.join("data");
        format!(
            "[node]\ndomain = \"{domain}\"\ndata = {data:?}\ndrain_timeout = \"{drain}s\"\n\
             [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
             [[peer]]\ndomain = \"away.test\"\nurl = \"http://127.0.0.1:1/\"\nallow_plain = true\n"
        )
    };
    let config = folder.file("node.toml", &text("village.test", 600));
    let mut node = wvgate(&config)
        .arg("run")
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "20000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = manager.hears(None);
    assert_eq!(ready["READY"], "1");
    assert_eq!(ready["MAINPID"], node.id().to_string());
    assert_eq!(ready["STATUS"], "village.test: 0 of 1 peers up, 0 queued");
    // Whoever heard that it is ready finds it.
    said(&config, &["status"]);
    manager.hears(Some("WATCHDOG"));
    manager.hears(Some("WATCHDOG"));

    fs::write(&config, text("village.test", 300)).unwrap();
    said(&config, &["reload"]);
    let reloading = manager.hears(None);
    assert_eq!(reloading["RELOADING"], "1");
    assert!(reloading["MONOTONIC_USEC"].parse::<u64>().unwrap() > 0);
    let again = manager.hears(None);
    assert_eq!(
        (&again["READY"], &again["STATUS"]),
        (&ready["READY"], &ready["STATUS"])
    );

    fs::write(&config, text("oldtown.test", 20)).unwrap();
    assert_eq!(output(&config, &["reload"]).status.code(), Some(1));
    assert_eq!(manager.hears(None)["RELOADING"], "1");
    let refused = manager.hears(None);
    assert_eq!(refused["READY"], "1");
    assert!(
        refused["STATUS"].contains("the old one stays"),
        "{refused:?}"
    );
    fs::write(&config, text("village.test", 20)).unwrap();

    said(&config, &["stop"]);
    let stopping = manager.hears(None);
    assert_eq!(stopping["STOPPING"], "1");
    // As it was read last.
    assert_eq!(stopping["EXTEND_TIMEOUT_USEC"], "330000000");
    assert_eq!(node.wait().unwrap().code(), Some(0));
}

#[test]
fn the_unit_starts_what_is_installed_and_its_manager_takes_it() {
    let unit = read("packaging/wvgate.service");
    let keys: Vec<(&str, &str)> = unit
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '[']))
        .map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line}")))
        .collect();
    let value = |wanted: &str| {
        let found = keys.iter().find(|(key, _)| *key == wanted);
        found.unwrap_or_else(|| panic!("{wanted} is missing")).1
    };
    let file = "/etc/wvgate/wvgate.toml";
    let command = |words: &str| format!("/usr/bin/wvgate {words} --config {file}");
    assert_eq!(value("ExecStart"), command("run"));
    assert_eq!(value("ExecStartPre"), command("check --offline --no-store"));
    assert_eq!(value("ExecReload"), command("reload"));
    assert_eq!(value("ConditionPathExists"), file);
    assert_eq!(value("KillSignal"), "SIGTERM");
    for (key, expected) in [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("WatchdogSec", "30s"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", "64"),
    ] {
        assert_eq!(value(key), expected, "{key}");
    }
    // The one place that is writable is where the example configurations keep their data.
    let state = format!("/var/lib/{}", value("StateDirectory"));
    assert_eq!(value("ProtectSystem"), "strict");
    for role in ["home", "relay", "gateway"] {
        let text = read(&format!("config/{role}.toml"));
        assert!(text.contains(&format!("data = \"{state}\"")), "{role}");
    }

    is_taken(&["wvgate.service"]);
}

/// The manager takes these units; it looks whether the programs are there, and the units that they
/// name.
fn is_taken(units: &[&str]) {
    let folder = Folder::new();
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["verify", "--man=no"]);
    for name in units {
        let unit = read(&format!("packaging/{name}"));
        let here = unit.replace("/usr/bin/wvgate", env!("CARGO_BIN_EXE_wvgate"));
        analyze.arg(folder.file(name, &here));
    }
    let verified = analyze.output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(
        verified.status.success() && said.trim().is_empty(),
        "{said}"
    );
}

#[test]
fn backups_are_made_by_a_timer_that_is_off_at_first() {
    is_taken(&["wvgate-backup.service", "wvgate-backup.timer"]);
    let unit = read("packaging/wvgate-backup.service");
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let words: Vec<&str> = start.unwrap().split(' ').collect();
    // As the service does, with a store that is here.
    let folder = Folder::new();
    let (data, backups) = (folder.0.join("data"), folder.0.join("backups"));
    let text = format!(
        "[node]\ndomain = \"village.test\"\ndata = {data:?}\n\
         [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n"
    );
    let config = folder.file("wvgate.toml", &text);
    let node = Node::start_on(Folder::new(), config.clone());
    fs::create_dir(&backups).unwrap();
    let here = |word: &&str| match *word {
        "/var/lib/wvgate-backups" => backups.display().to_string(),
        "/etc/wvgate/wvgate.toml" => config.display().to_string(),
        word => word.to_owned(),
    };
    let here: Vec<String> = words[1..].iter().map(here).collect();
    let here: Vec<&str> = here.iter().map(String::as_str).collect();
    said(&config, &here);
    let first = fs::read_dir(&backups).unwrap().next().unwrap().unwrap();
    let name = first.file_name().into_string().unwrap();
    assert!(
        name.starts_with("wvgate-2") && name.contains("Z.db"),
        "{name}"
    );
    drop(node);
}

#[test]
fn the_units_expose_little() {
    for unit in ["wvgate.service", "wvgate-backup.service"] {
        exposes_little(unit);
    }
}

fn exposes_little(unit: &str) {
    let looked = Command::new("systemd-analyze")
        // In tenths.
        .args(["security", "--offline=yes", "--no-pager", "--threshold=15"])
        .arg(root().join("packaging").join(unit))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&looked.stdout);
    let exposure = said.lines().find(|line| line.contains("Overall exposure"));
    assert!(exposure.is_some(), "{looked:?}");
    assert!(looked.status.success(), "{exposure:?}");
}
