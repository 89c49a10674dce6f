//! Commands that need no node, and mistakes that keep one from running.

use std::path::Path;
use std::time::{Duration, SystemTime};

use wvgate::http::devcerts::{self, Wanted};

use crate::cli_node::{Folder, Node, free_port, output, said, with_input, wvgate};

/// The one line that a run with this configuration says, and its exit code.
fn complaint(config: &Path) -> (String, Option<i32>) {
    let output = output(config, &["run"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(output.stdout.is_empty());
    (text.trim_end().to_owned(), output.status.code())
}

fn base(folder: &Folder) -> String {
    format!(
        "[node]\ndomain = \"village.test\"\ndata = {:?}\n[ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n",
        folder.0.join("data")
    )
}

#[test]
fn a_wrong_key_is_one_line_with_its_place_and_remedy() {
    let folder = Folder::new();
    let text = base(&folder).replace("listen =", "lisen =");
    let config = folder.file("a.toml", &text);
    let (line, code) = complaint(&config);
    let place = format!(
        "{}:5: ssp.lisen: unknown key; did you mean \"listen\"?",
        config.display()
    );
    assert_eq!((line.as_str(), code), (place.as_str(), Some(64)));
}

#[test]
fn a_missing_file_is_one_line() {
    let (line, code) = complaint(Path::new("/nowhere/at/all.toml"));
    assert!(
        line.starts_with("/nowhere/at/all.toml: cannot be read"),
        "{line}"
    );
    assert!(line.contains("wvgate init"), "{line}");
    assert_eq!(code, Some(64));
}

#[test]
fn an_expired_certificate_is_one_line() {
    let folder = Folder::new();
    let wanted = [Wanted::parse("village.test").unwrap()];
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    devcerts::generate(&folder.0, &wanted, false, long_ago).unwrap();
    let text = format!(
        "{}certificate = {:?}\nkey = {:?}\n",
        base(&folder),
        folder.0.join("village.test.pem"),
        folder.0.join("village.test.key")
    );
    let (line, code) = complaint(&folder.file("a.toml", &text));
    assert!(line.contains("a.toml:7: ssp.certificate: "), "{line}");
    assert!(
        line.contains("expired") && line.contains("wvgate certs"),
        "{line}"
    );
    assert_eq!(code, Some(64));
}

#[test]
fn what_only_looks_right_is_one_line_with_a_fitting_remedy() {
    let folder = Folder::new();
    let peer = "[[peer]]\ndomain = \"b.test\"\nallow_plain = true\n";
    let text = format!("{}max_queue = 99999999999999999999999\n", base(&folder));
    let (line, code) = complaint(&folder.file("a.toml", &text));
    assert!(line.contains("a.toml:7: ssp.max_queue: "), "{line}");
    assert!(
        line.ends_with("the number is too large; write a smaller one"),
        "{line}"
    );
    assert_eq!(code, Some(64));

    let secret = folder.file("b.secret", "one\ntwo\n");
    let text = format!(
        "{}{peer}password = {{ file = {secret:?} }}\n",
        base(&folder)
    );
    let (line, _) = complaint(&folder.file("a.toml", &text));
    assert!(line.contains("a.toml:10: peer.password: "), "{line}");
    assert!(
        line.contains("has several lines; a secret is one; leave"),
        "{line}"
    );

    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let wanted = [Wanted::parse("village.test").unwrap()];
    devcerts::generate(&folder.0, &wanted, false, long_ago).unwrap();
    let text = format!(
        "{}{peer}client_certificate = {:?}\nclient_key = {:?}\n",
        base(&folder),
        folder.0.join("village.test.pem"),
        folder.0.join("village.test.key")
    );
    let (line, _) = complaint(&folder.file("a.toml", &text));
    assert!(
        line.contains("a.toml:10: peer.client_certificate: "),
        "{line}"
    );
    assert!(line.contains("expired"), "{line}");
}

#[test]
fn two_roles_on_one_port_are_one_line() {
    let folder = Folder::new();
    let port = free_port();
    let text = base(&folder).replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let text = format!("{text}[admin]\nlisten = \"127.0.0.1:{port}\"\n");
    let (line, code) = complaint(&folder.file("a.toml", &text));
    assert!(line.contains("a.toml:8: admin.listen: "), "{line}");
    assert!(line.contains("another port"), "{line}");
    assert_eq!(code, Some(64));
}

#[test]
fn a_port_in_use_names_its_key() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ssp = base(&folder).replace("127.0.0.1:0", &address) + "[log]\nlevel = \"off\"\n";
    let (line, code) = complaint(&folder.file("a.toml", &ssp));
    assert!(
        line.contains("a.toml:5: ssp.listen: cannot listen on "),
        "{line}"
    );
    assert_eq!(code, Some(1));
    let admin =
        base(&folder) + &format!("[admin]\nlisten = \"{address}\"\n[log]\nlevel = \"off\"\n");
    let (line, code) = complaint(&folder.file("b.toml", &admin));
    assert!(
        line.contains("b.toml:8: admin.listen: cannot listen on "),
        "{line}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn a_second_node_on_the_same_data_is_refused() {
    let node = Node::start();
    let (line, code) = complaint(&node.config);
    assert!(line.contains("node.data: "), "{line}");
    assert!(line.contains("directory of its own"), "{line}");
    assert_eq!(code, Some(1));
    said(&node.config, &["status"]);
}

#[test]
fn usage_mistakes_end_with_64_and_help_with_0() {
    let config = Path::new("unused.toml");
    for args in [
        &["--no-such-option"][..],
        &["run", "x"],
        &["dance"],
        &[],
        &["send", "hi"],
    ] {
        assert_eq!(output(config, args).status.code(), Some(64), "{args:?}");
    }
    assert_eq!(output(config, &["--version"]).status.code(), Some(0));
}

#[test]
fn every_subcommand_helps() {
    let config = Path::new("unused.toml");
    let help = said(config, &["--help"]);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .collect();
    assert!(
        commands.contains(&"explain") && commands.len() > 15,
        "{commands:?}"
    );
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(
            said(config, &[command, "--help"]).contains("Usage:"),
            "{command}"
        );
    }
}

#[test]
fn completions_and_the_manual_page_are_written() {
    let config = Path::new("unused.toml");
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            said(config, &["completions", shell]).contains("transactions"),
            "{shell}"
        );
    }
    let page = said(config, &["man"]);
    assert!(page.contains(".TH wvgate 1") && page.contains("WVGATE EXPLAIN"));
}

#[test]
fn init_writes_what_runs_and_overwrites_nothing() {
    for role in ["home", "relay", "gateway"] {
        let folder = Folder::new();
        let dir = folder.0.join("new");
        let dir = dir.to_str().unwrap();
        let args = ["init", "village.test", "--dir", dir, "--role", role];
        said(Path::new("unused.toml"), &args);
        let config = folder.0.join("new/wvgate.toml");
        let report = said(&config, &["check", "--offline"]);
        assert!(!report.contains("FAIL  "), "{report}");
        let again = output(Path::new("unused.toml"), &args);
        assert_eq!(again.status.code(), Some(64));
    }
    let bad = output(Path::new("unused.toml"), &["init", "not a domain"]);
    assert_eq!(bad.status.code(), Some(64));
}

#[test]
fn nodes_made_beside_each_other_run_from_anywhere_trust_each_other_and_share_no_port() {
    let folder = Folder::new();
    let init = |domain: &str| {
        let mut command = wvgate(Path::new("unused.toml"));
        let output = command
            .args(["init", domain])
            .current_dir(&folder.0)
            .output();
        let output = output.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    init("a.test");
    let said = init("b.test");
    assert!(said.contains("that of a.test"), "{said}");
    assert!(said.contains("the usual ports are taken"), "{said}");
    let read = |path: &str| std::fs::read_to_string(folder.0.join(path)).unwrap();
    assert_eq!(read("a.test/certs/ca.pem"), read("b.test/certs/ca.pem"));
    let port = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("listen = "));
        line.unwrap().split('"').nth(1).unwrap().to_owned()
    };
    let (a, b) = (read("a.test/wvgate.toml"), read("b.test/wvgate.toml"));
    assert_ne!(port(&a), port(&b));
    assert!(b.contains("#domain = \"a.test\""), "{b}");
    // Switched on, it is a good configuration, and found and usable from within.
    let peers = b.replace(
        "#[[peer]]\n#domain = \"a.test\"",
        "[[peer]]\ndomain = \"a.test\"",
    );
    let peers = peers.replace("#url = \"https://127", "url = \"https://127");
    let peers = peers.replace("#ca = ", "ca = ");
    std::fs::write(folder.0.join("b.test/wvgate.toml"), peers).unwrap();
    for domain in ["a.test", "b.test"] {
        let mut command = wvgate(Path::new("unused.toml"));
        command
            .env_remove("WVGATE_CONFIG")
            .args(["check", "--offline"]);
        let output = command.current_dir(folder.0.join(domain)).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        assert!(text.contains("configuration"), "{text}");
    }
}

#[test]
fn check_gives_one_verdict_per_item() {
    let folder = Folder::new();
    let nobody = free_port();
    let text = format!(
        "{}[[peer]]\ndomain = \"other.test\"\nurl = \"http://127.0.0.1:{nobody}/\"\nallow_plain = true\n",
        base(&folder)
    );
    let config = folder.file("a.toml", &text);
    let result = output(&config, &["check"]);
    assert_eq!(result.status.code(), Some(1));
    let report = String::from_utf8(result.stdout).unwrap();
    assert!(report.contains("ok    configuration"), "{report}");
    assert!(report.contains("FAIL  peer other.test: "), "{report}");
    assert!(report.contains("is the peer running?"), "{report}");

    let wrong = folder.file("b.toml", &text.replace("listen", "lisen"));
    let result = output(&wrong, &["check"]);
    assert_eq!(result.status.code(), Some(64));
    let report = String::from_utf8(result.stdout).unwrap();
    assert!(
        report.contains("FAIL  ") && report.contains("did you mean"),
        "{report}"
    );
}

#[test]
fn check_explains_a_broken_dialect_by_file_and_line() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.0.join("mappings/dialects")).unwrap();
    let file = folder.file("mappings/dialects/old.toml", "posts = 2\nbach = 1\n");
    let node = format!("mappings = {:?}\n[ssp]", folder.0.join("mappings"));
    let peer = "[[peer]]\ndomain = \"other.test\"\ndialect = \"old\"\nallow_plain = true\n";
    let text = format!("{}{peer}", base(&folder).replace("[ssp]", &node));
    let config = folder.file("a.toml", &text);
    let result = output(&config, &["check", "--offline"]);
    let report = String::from_utf8(result.stdout).unwrap();
    let line = format!(
        "{}:2: bach: unknown key; did you mean \"batch\"?",
        file.display()
    );
    assert!(
        report.contains("FAIL  ") && report.contains(&line),
        "{report}"
    );
    // The peer that names it is not blamed as well.
    assert!(!report.contains("there is no dialect"), "{report}");
    assert_ne!(result.status.code(), Some(0));
}

#[test]
fn check_asks_a_running_node() {
    let node = Node::start();
    let report = said(&node.config, &["check"]);
    assert!(report.contains("ok    the node runs"), "{report}");
}

#[test]
fn certificates_are_made_and_kept() {
    let folder = Folder::new();
    let dir = folder.0.to_str().unwrap();
    let config = Path::new("unused.toml");
    let args = ["certs", dir, "a.test,localhost", "b.test"];
    assert_eq!(said(config, &args).matches("made").count(), 6);
    assert_eq!(said(config, &args).matches("kept").count(), 6);
    assert_eq!(
        output(config, &["certs", dir, "../x"]).status.code(),
        Some(64)
    );
}

#[test]
fn a_message_is_translated_there_and_back() {
    let translate = |input: &str| {
        let mut command = wvgate(Path::new("unused.toml"));
        command.args([
            "translate",
            "--domain",
            "xmpp.test",
            "--component",
            "village.test",
        ]);
        let output = with_input(command, input);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let stanza = "<message from='romeo@xmpp.test/a' to='alice@village.test' type='chat' id='m1'>\
                  <body>hello &amp; good night</body></message>";
    let (code, ssp, _) = translate(stanza);
    assert_eq!(code, Some(0));
    assert!(
        ssp.contains("<SendMessage-Request") || ssp.contains("<SendMessageRequest"),
        "{ssp}"
    );
    assert!(ssp.contains("wv:romeo@xmpp.test"), "{ssp}");

    let answer = ssp
        .replace("wv:romeo@xmpp.test", "wv:x")
        .replace("wv:alice@village.test", "wv:romeo@xmpp.test")
        .replace("wv:x", "wv:alice@village.test")
        .replace("wv:@xmpp.test", "wv:@village.test");
    let (code, back, why) = translate(&answer);
    assert_eq!(code, Some(0), "{why}");
    assert!(
        back.contains("<body>hello &amp; good night</body>"),
        "{back}"
    );
    assert!(back.contains("romeo@xmpp.test"), "{back}");

    for nonsense in [
        "",
        "hello",
        "<a/>",
        "<iq type='get' id='1'/>",
        "<WV-SSP-Message/>",
    ] {
        let (code, out, why) = translate(nonsense);
        assert_eq!(code, Some(1), "{nonsense}");
        assert!(out.is_empty() && !why.is_empty(), "{nonsense}");
    }
}

#[test]
fn presence_is_translated_there_and_back() {
    let translate = |input: &str| {
        let mut command = wvgate(Path::new("unused.toml"));
        command.args([
            "translate",
            "--domain",
            "xmpp.test",
            "--component",
            "village.test",
        ]);
        let output = with_input(command, input);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let ssp = translate(
        "<presence from='romeo@xmpp.test/a' to='alice@village.test'><show>away</show></presence>",
    );
    assert!(ssp.contains("NOT_AVAILABLE"), "{ssp}");
    let ssp =
        translate("<presence type='subscribe' from='romeo@xmpp.test' to='alice@village.test'/>");
    let back = translate(&ssp);
    assert!(
        back.contains("subscribe") && back.contains("alice@village.test"),
        "{back}"
    );
}
