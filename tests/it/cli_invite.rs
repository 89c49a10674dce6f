//! How two nodes become neighbours: each invites, and each adds the page of the other.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use serde_json::json;

use wvgate::http::chain::Chain;
use wvgate::http::devcerts::{self, Wanted};

use crate::cli_node::{Folder, Node, free_port, json as ask, output, said, with_input, wvgate};
use crate::cli_partner::{config as plain, layer};
use crate::spine::python;

/// A home domain with one user, whose certificate is good for its domain alone and signed by an
/// authority of its own.
pub(crate) fn home(folder: &Folder, domain: &str, user: &str) -> PathBuf {
    let certs = folder.0.join("certs");
    let wanted = [Wanted::parse(domain).unwrap()];
    devcerts::generate(&certs, &wanted, false, SystemTime::now()).unwrap();
    let file = |ending: &str| certs.join(format!("{domain}.{ending}"));
    folder.file(
        "node.toml",
        &format!(
            "[node]\ndomain = \"{domain}\"\ndata = {:?}\n[ssp]\nlisten = \"127.0.0.1:{}\"\n\
             certificate = {:?}\nkey = {:?}\n\
             [home]\n[[home.user]]\nname = \"{user}\"\npassword = \"{user}\"\n",
            folder.0.join("data"),
            free_port(),
            file("pem"),
            file("key"),
        ),
    )
}

/// The value of a key of a page.
fn value(page: &str, key: &str) -> String {
    let page: toml_edit::DocumentMut = page.parse().unwrap();
    page["peer"][key].as_str().unwrap().to_owned()
}

/// Runs the program at a terminal at which this is typed.
fn at_terminal(config: &Path, folder: &Path, args: &[&str], typed: &str) -> Output {
    let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut command = Command::new(python());
    command
        .args(["-c", spawn, env!("CARGO_BIN_EXE_wvgate")])
        .args(args)
        .current_dir(folder)
        .env_remove("WVGATE_SOCKET")
        .env("WVGATE_CONFIG", config);
    with_input(command, typed)
}

/// The exit code and what was said on standard error.
fn refused(config: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = output(config, args);
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), errors)
}

#[test]
fn two_nodes_that_invite_each_other_trust_each_other_and_a_message_goes_over() {
    let start = |domain: &str, user: &str| {
        let folder = Folder::new();
        let config = home(&folder, domain, user);
        Node::start_on(folder, config)
    };
    let (a, b) = (start("a.test", "alice"), start("b.test", "bob"));
    let page = said(&a.config, &["invite"]);
    assert!(!page.contains("PRIVATE KEY"), "{page}");
    assert_eq!(value(&page, "domain"), "a.test");
    assert!(value(&page, "url").starts_with("https://127.0.0.1:"));
    assert_eq!(value(&page, "server_name"), "a.test");
    let authority = Chain::read(&a.folder.0.join("certs/ca.pem")).unwrap();
    let fingerprint = authority.certificates()[0].fingerprint();
    assert_eq!(value(&page, "fingerprint"), fingerprint);

    // One by a file, the other by the input.
    let file = b.folder.file("a.toml", &page);
    let told = said(&b.config, &["peer", "add", file.to_str().unwrap(), "--yes"]);
    for expected in [
        "a.test asks to be a peer",
        &format!("SHA-256 {fingerprint}\n"),
        "the node has taken it over\n",
        "next: wvgate check peer a.test\n",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    let mut command = wvgate(&a.config);
    command.args(["peer", "add", "-", "--yes"]);
    let added = with_input(command, &said(&b.config, &["invite"]));
    assert!(added.status.success(), "{added:?}");

    let kept = b.folder.0.join("peers/a.test.pem");
    assert_eq!(Chain::read(&kept).unwrap(), authority);
    let mode = std::fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);

    let mut bob = b.chat("bob");
    let mut alice = a.chat("alice");
    alice.tell(&json!({"do": "message", "to": "bob@b.test", "text": "hello", "report": true}));
    let message = bob.wait("message", |_| true);
    assert_eq!(message["text"], "hello");
    assert_eq!(message["from"], "wv:alice@a.test");
    assert_eq!(alice.wait("report", |_| true)["status"], 200);
    for (node, peer) in [(&a, "b.test"), (&b, "a.test")] {
        let findings = ask(&node.config, &["check", "peer", peer, "--format", "json"]);
        for name in ["tls", "handshake", "echo"] {
            assert_eq!(layer(&findings, name)["verdict"], "ok", "{findings:#}");
        }
    }
}

#[test]
fn a_page_is_added_only_when_who_sits_there_agrees() {
    let (theirs, ours) = (Folder::new(), Folder::new());
    let page = said(&home(&theirs, "a.test", "alice"), &["invite"]);
    let page = ours.file("a.toml", &page);
    let config = home(&ours, "b.test", "bob");
    let before = std::fs::read_to_string(&config).unwrap();
    let unchanged = || {
        assert_eq!(std::fs::read_to_string(&config).unwrap(), before);
        assert!(!ours.0.join("peers/a.test.pem").exists());
    };
    // Without a terminal it is only shown.
    let add = ["peer", "add", page.to_str().unwrap()];
    let shown = output(&config, &add);
    assert_eq!(shown.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&shown.stdout).contains("a.test asks to be a peer"));
    assert!(String::from_utf8_lossy(&shown.stderr).contains("say --yes"));
    unchanged();
    let no = at_terminal(&config, &ours.0, &["peer", "add", "a.toml"], "\n");
    assert_eq!(no.status.code(), Some(1), "{no:?}");
    unchanged();
    let yes = at_terminal(&config, &ours.0, &["peer", "add", "a.toml"], "y\n");
    let text = String::from_utf8_lossy(&yes.stdout);
    assert_eq!(yes.status.code(), Some(0), "{text}");
    assert!(text.contains("Add it? [y/N]"), "{text}");
    let report = said(&config, &["check", "--offline"]);
    assert!(!report.contains("FAIL  "), "{report}");
    assert!(ours.0.join("peers/a.test.pem").exists());
}

#[test]
fn a_page_that_cannot_be_used_is_refused_by_its_lines_and_nothing_is_written() {
    let (theirs, ours) = (Folder::new(), Folder::new());
    let good = said(&home(&theirs, "a.test", "alice"), &["invite"]);
    let config = home(&ours, "b.test", "bob");
    let with_peer = std::fs::read_to_string(&config).unwrap()
        + "[[peer]]\ndomain = \"c.test\"\nurl = \"https://127.0.0.1:1/\"\n";
    std::fs::write(&config, &with_peer).unwrap();
    let line = |page: &str, start: &str| {
        let at = page.lines().position(|line| line.starts_with(start));
        at.unwrap() + 1
    };
    let add = |page: &str, more: &[&str]| {
        let file = ours.file("page.toml", page);
        let name = file.to_str().unwrap().to_owned();
        let args = [&["peer", "add", &name, "--yes"], more].concat();
        let (code, why) = refused(&config, &args);
        assert_eq!(code, Some(64), "{why}");
        assert_eq!(std::fs::read_to_string(&config).unwrap(), with_peer);
        assert!(!ours.0.join("peers").exists(), "{why}");
        why.replace(&name, "PAGE")
            .replace(config.to_str().unwrap(), "CONFIG")
    };
    let told = |page: &str, key: &str, rest: &str| {
        let why = add(page, &[]);
        let place = format!("PAGE:{}: peer.{key}: {rest}", line(page, key));
        assert!(why.contains(&place), "{place} in {why}");
    };
    let renamed =
        |domain: &str| good.replace("\ndomain = \"a.test\"", &format!("\ndomain = \"{domain}\""));
    // Wrong by itself.
    told(
        &good.replace("url =", "ulr ="),
        "ulr",
        "unknown key; did you mean \"url\"?",
    );
    let broken = good.replacen("-----BEGIN", "----BEGIN", 1);
    told(
        &broken,
        "ca",
        "is no certificate in PEM; paste it as it was sent",
    );
    told(
        &good.replace("fingerprint = \"", "fingerprint = \"0"),
        "fingerprint",
        "is not that of ca",
    );
    // Wrong for this node: what is there already is named by its own place.
    told(
        &renamed("b.test"),
        "domain",
        "\"b.test\" is this node's own domain",
    );
    let known = with_peer
        .lines()
        .position(|line| line.starts_with("domain = \"c.test\""));
    let known = format!(
        "\"c.test\" is a peer already (CONFIG:{})",
        known.unwrap() + 1
    );
    told(&renamed("c.test"), "domain", &known);
    let greedy = good.replace("fingerprint =", "speaks_for = [\"b.test\"]\nfingerprint =");
    told(
        &greedy,
        "speaks_for",
        "\"b.test\" is this node's own domain; remove it",
    );
    // What is no page.
    let why = add(&good, &["--serves", "*"]);
    assert!(why.contains("--serves: goes with a domain"), "{why}");
    let why = add(&"#".repeat(70_000), &[]);
    assert!(why.contains("PAGE: is longer than 64 KiB"), "{why}");
    let (code, why) = refused(&config, &["peer", "add", "nowhere.toml"]);
    assert_eq!(code, Some(64));
    assert!(why.starts_with("nowhere.toml: cannot be read"), "{why}");
    // Without a page the option is named.
    let (_, why) = refused(&config, &["peer", "add", "d.test", "--url", "d.test"]);
    assert!(
        why.starts_with("wvgate: --url: \"d.test\" is not an http"),
        "{why}"
    );
}

#[test]
fn an_invitation_names_who_vouches_for_the_node_and_how_it_is_reached() {
    let folder = Folder::new();
    let config = home(&folder, "a.test", "alice");
    let certs = folder.0.join("certs");
    let print = |file: &Path| Chain::read(file).unwrap().certificates()[0].fingerprint();
    let by_srv = said(&config, &["invite", "--srv", "--serves", "*"]);
    assert!(
        !by_srv.contains("url =") && !by_srv.contains("server_name"),
        "{by_srv}"
    );
    assert!(by_srv.contains("speaks_for = [\"*\"]"), "{by_srv}");
    let elsewhere = said(&config, &["invite", "--url", "https://a.test:5280/"]);
    assert!(!elsewhere.contains("server_name"), "{elsewhere}");

    // What signs others and what does not, each by its own.
    let stranger = folder.0.join("stranger");
    let wanted = [Wanted::parse("a.test").unwrap()];
    devcerts::generate(&stranger, &wanted, false, SystemTime::now()).unwrap();
    let stranger = stranger.join("ca.pem");
    let (code, why) = refused(&config, &["invite", "--ca", stranger.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(why.contains("vouches for"), "{why}");
    std::fs::rename(certs.join("ca.pem"), certs.join("root.pem")).unwrap();
    let alone = output(&config, &["invite"]);
    let page = String::from_utf8(alone.stdout).unwrap();
    assert_eq!(
        value(&page, "fingerprint"),
        print(&certs.join("a.test.pem"))
    );
    let notes = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(
        notes.contains("itself: send a new page before it is renewed"),
        "{notes}"
    );
    assert!(notes.contains("127.0.0.1 is this machine"), "{notes}");
    let root = certs.join("root.pem");
    let named = said(&config, &["invite", "--ca", root.to_str().unwrap()]);
    assert_eq!(value(&named, "fingerprint"), print(&root));

    for (args, start) in [
        (
            ["--url", "a.test"],
            "wvgate: --url: \"a.test\" is not an http",
        ),
        (
            ["--url", "http://a.test/"],
            "wvgate: --url: is plain HTTP, which",
        ),
        (
            ["--url", "https://u:p@a.test/"],
            "wvgate: --url: holds a user",
        ),
        (
            ["--serves", "A.test"],
            "wvgate: --serves: \"A.test\" has capital",
        ),
    ] {
        let (code, why) = refused(&config, &[&["invite"], &args[..]].concat());
        assert_eq!(code, Some(64), "{why}");
        assert!(why.contains(start), "{start} in {why}");
        assert!(!why.contains("u:p"), "{why}");
    }
}

#[test]
fn an_invitation_of_a_gateway_brings_what_is_behind_it() {
    let folder = Folder::new();
    let more = "[xmpp]\nserver = \"127.0.0.1:1\"\ndomain = \"xmpp.test\"\n\
                [[xmpp.component]]\ndomain = \"far.test\"\nsecret = \"not told to anybody\"\n\
                [[peer]]\ndomain = \"far.test\"\nurl = \"http://127.0.0.1:1/\"\nallow_plain = true\n\
                password = \"nor is this\"\n";
    let config = plain(&folder, "relay.test", free_port(), more);
    let output = output(&config, &["invite"]);
    let page = String::from_utf8(output.stdout).unwrap();
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{notes}");
    assert!(
        page.contains("speaks_for = [\"xmpp.test\"]\nallow_plain = true\n"),
        "{page}"
    );
    assert!(page.contains("XMPP users of xmpp.test"), "{page}");
    for kept in ["not told", "nor is this", "far.test"] {
        assert!(!page.contains(kept), "{page}");
    }
    assert!(notes.contains("--serves"), "{notes}");
    let config = plain(&folder, "relay.test", 0, "");
    let (code, why) = refused(&config, &["invite"]);
    assert_eq!(code, Some(64));
    assert!(why.contains("--url"), "{why}");
}

#[test]
fn init_asks_at_a_terminal_and_nowhere_else() {
    let folder = Folder::new();
    let unused = folder.0.join("unused.toml");
    let (code, why) = refused(&unused, &["init"]);
    assert_eq!(code, Some(64));
    assert!(why.contains("say: wvgate init DOMAIN"), "{why}");
    // What is wrong is asked for again.
    let asked = at_terminal(
        &unused,
        &folder.0,
        &["init"],
        "no domain\nvillage.test\nrely\nrelay\n",
    );
    let text = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert_eq!(asked.status.code(), Some(0), "{text}");
    assert!(text.contains("\"no domain\" is not a domain"), "{text}");
    assert!(text.contains("\"rely\" is none of the three"), "{text}");
    let made = std::fs::read_to_string(folder.0.join("village.test/wvgate.toml")).unwrap();
    assert!(made.contains("domain = \"village.test\""), "{made}");
    assert!(
        made.contains("The domains this node stands between"),
        "{made}"
    );
    let quick = at_terminal(&unused, &folder.0, &["init"], "home.test\n\n");
    assert_eq!(quick.status.code(), Some(0), "{quick:?}");
    assert!(folder.0.join("home.test/certs").is_dir());
}
