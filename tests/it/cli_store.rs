//! `wvgate store`, and what a node says to a store that it cannot use.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;

use crate::cli_node::{
    AS_WRITTEN, Folder, Node, UNDIVIDED, free_port, json as ask, output, said, wvgate,
};

/// A node that was killed while messages for carol were in its journal at the latest.
fn killed(messages: usize) -> Node {
    let mut node = Node::start_with(UNDIVIDED);
    let mut alice = node.chat("alice");
    for n in 0..messages {
        let id = format!("m-{n}");
        alice.tell(&json!({"do": "message", "to": "carol", "text": "later", "id": id}));
        assert_eq!(alice.wait("sent", |sent| sent["id"] == id)["status"], 200);
    }
    node.child.kill().unwrap();
    node.child.wait().unwrap();
    node
}

fn data(node: &Node) -> PathBuf {
    node.folder.0.join("data")
}

/// What `wvgate run` says when it does not start.
fn refusal(node: &Node) -> String {
    let output = wvgate(&node.config).arg("run").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_lost_journal_is_told_and_the_node_goes_on_after_a_repair() {
    let node = killed(5);
    let file = data(&node).join("wvgate.journal.1");
    let away = node.folder.0.join("away");
    fs::rename(&file, &away).unwrap();

    let said_no = refusal(&node);
    for word in [
        "wvgate.journal.1 is missing",
        "wvgate store repair",
        "wvgate store check",
    ] {
        assert!(said_no.contains(word), "{said_no}");
    }
    let checked = output(&node.config, &["store", "check"]);
    assert_eq!(checked.status.code(), Some(1));
    let text = String::from_utf8(checked.stdout).unwrap();
    assert!(
        text.contains("FAIL") && text.contains("wvgate.journal.1 is missing"),
        "{text}"
    );
    let checked = output(&node.config, &["check"]);
    assert_eq!(checked.status.code(), Some(1));
    let text = String::from_utf8(checked.stdout).unwrap();
    assert!(text.contains("FAIL  store: "), "{text}");

    // With the file back nothing is missing.
    fs::rename(&away, &file).unwrap();
    let whole = ask(&node.config, &["store", "check", "--format", "json"]);
    assert_eq!(
        (&whole["problems"], &whole["damaged"]),
        (&json!([]), &json!([]))
    );
    let sections = whole["sections"].as_array().unwrap();
    assert!(
        sections.iter().any(|found| found["section"] == "home/user"),
        "{whole}"
    );

    fs::rename(&file, &away).unwrap();
    let repaired = said(&node.config, &["store", "repair"]);
    let folder = repaired
        .split_whitespace()
        .find(|word| word.contains("set-aside-"));
    let folder = PathBuf::from(folder.unwrap().trim_end_matches(';'));
    assert!(folder.join("wvgate.db").is_file(), "{repaired}");
    assert!(folder.join("wvgate.journal.2").is_file(), "{repaired}");
    let mut node = node;
    node.crash_and_restart();
    assert_eq!(node.metric("wvgate_store_damaged_total"), 0);
}

#[test]
fn a_record_that_cannot_be_understood_is_set_aside_told_and_counted() {
    let mut node = killed(1);
    let data = data(&node);
    // Good in itself, and nothing that a node of any version has written.
    std::thread::scope(|scope| {
        let write = || {
            let store = wvgate::store::open(&data).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let odd = vec![
                wvgate::store::Write::put("home/user/mallory", "{"),
                wvgate::store::Write::put("sap/session/x", "{}"),
            ];
            let commit = wvgate::store::Store::commit(&store, odd);
            runtime.block_on(commit).unwrap();
        };
        scope.spawn(write).join().unwrap();
    });
    let checked = output(&node.config, &["store", "check"]);
    assert_eq!(checked.status.code(), Some(1));
    let text = String::from_utf8(checked.stdout).unwrap();
    assert!(text.contains("DAMAGED  home/user/mallory"), "{text}");

    let mut child = wvgate(&node.config)
        .arg("run")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut bound = String::new();
    let mut stdout = child.stdout.take().unwrap();
    while !bound.ends_with("running\n") {
        let mut byte = [0];
        assert_eq!(stdout.read(&mut byte).unwrap(), 1, "{bound}");
        bound.push(char::from(byte[0]));
    }
    node.bound = bound.lines().map(str::to_owned).collect();
    assert_eq!(node.get("/ready").0, 200);
    let mut damaged = 0;
    for _ in 0..600 {
        damaged = node.metric("wvgate_store_damaged_total");
        if damaged == 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(damaged, 2);
    // The message that waited is not harmed.
    assert_eq!(node.chat("carol").wait("message", |_| true)["id"], "m-0");
    said(&node.config, &["stop"]);
    let ended = child.wait_with_output().unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    for key in ["home/user/mallory", "sap/session/x"] {
        let lines = log.lines().filter(|line| line.contains(key));
        assert_eq!(lines.count(), 1, "{log}");
    }
    let text = said(&node.config, &["store", "check"]);
    assert!(
        text.contains("set aside earlier: home/user/mallory"),
        "{text}"
    );
    // A repair leaves them in the old files.
    let text = said(&node.config, &["store", "repair"]);
    assert!(text.contains("2 records set aside earlier"), "{text}");
    let text = said(&node.config, &["store", "check"]);
    assert!(
        text.contains("all of it is whole") && !text.contains("mallory"),
        "{text}"
    );
}

/// Whatever a record says, another one may count on it that it is there.
#[test]
fn a_node_starts_without_any_one_of_its_records() {
    let more = "[[peer]]\ndomain = \"relay.test\"\nurl = \"http://127.0.0.1:1/\"\nallow_plain = true\n\
                [[route]]\ndomain = \"*\"\nvia = \"relay.test\"\n";
    let mut node = Node::start_with(&format!("{UNDIVIDED}{more}"));
    let mut alice = node.chat("alice");
    alice.tell(&json!({"do": "message", "to": "carol", "text": "waits", "id": "m-1"}));
    alice.wait("sent", |sent| sent["id"] == "m-1");
    for id in ["m-2", "m-3"] {
        let message = json!({"do": "message", "to": "wv:bob@far.test", "text": "far", "id": id});
        alice.tell(&message);
    }
    alice.tell(&json!({"do": "subscribe", "user": "wv:bob@far.test"}));
    alice.tell(&json!({"do": "subscribe", "user": "carol"}));
    // Answered when all before it is done.
    alice.tell(&json!({"do": "message", "to": "carol", "text": "last", "id": "m-4"}));
    alice.wait("sent", |sent| sent["id"] == "m-4");
    node.child.kill().unwrap();
    node.child.wait().unwrap();

    let loaded = wvgate::config::Config::load(&node.config, Vec::new()).unwrap();
    let plan = wvgate::node::Plan::new(&loaded.config, &loaded.located).unwrap();
    let work = async {
        let mut records = Vec::new();
        {
            let data = data(&node);
            let store = tokio::task::spawn_blocking(move || wvgate::store::open(&data).unwrap());
            let store = store.await.unwrap();
            let each = |key, value| {
                records.push(wvgate::store::Write::put(key, value));
                Ok(())
            };
            wvgate::store::load_all(&store, "", each).await.unwrap();
            tokio::task::spawn_blocking(move || drop(store))
                .await
                .unwrap();
        }
        assert!(records.len() > 10, "{records:?}");
        for (number, missing) in records.iter().enumerate() {
            let mut rest = records.clone();
            rest.remove(number);
            let store = wvgate::store::MemoryStore::new();
            wvgate::store::Store::commit(&store, rest).await.unwrap();
            let store = std::sync::Arc::new(store);
            let started = wvgate::node::Node::start_on(plan.clone(), store).await;
            let started = started.unwrap_or_else(|error| panic!("{}: {error}", missing.key()));
            // All its clocks have run out, and it still answers.
            let timeout = |core: &mut wvgate::node::Core, now: wvgate::sap::Time, turn: &mut _| {
                core.timeout(now.plus_millis(30 * 86_400_000), turn);
            };
            let answered = started.handle().ask(timeout).await;
            assert!(answered.is_ok(), "without {}", missing.key());
            started.stop(std::time::Duration::ZERO).await;
        }
    };
    tokio::runtime::Runtime::new().unwrap().block_on(work);
}

#[test]
fn a_backup_of_a_running_node_is_private_whole_and_starts_as_it_is() {
    let mut node = Node::start_with(UNDIVIDED);
    let mut alice = node.chat("alice");
    for n in 0..20 {
        let id = format!("m-{n}");
        alice.tell(&json!({"do": "message", "to": "carol", "text": "kept", "id": id}));
        assert_eq!(alice.wait("sent", |sent| sent["id"] == id)["status"], 200);
    }
    let file = node.folder.0.join("backup.db");
    let path = file.to_str().unwrap();
    said(&node.config, &["store", "backup", path]);
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    // Nothing is overwritten.
    let again = output(&node.config, &["store", "backup", path]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
    // A running node's store is not checked, and above all not repaired.
    for order in ["check", "repair"] {
        let refused = output(&node.config, &["store", order]);
        assert_eq!(refused.status.code(), Some(1));
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(text.contains("stop that node first"), "{text}");
    }
    drop(alice);
    node.child.kill().unwrap();
    node.child.wait().unwrap();
    fs::remove_dir_all(data(&node)).unwrap();
    fs::create_dir(data(&node)).unwrap();
    fs::rename(&file, data(&node).join("wvgate.db")).unwrap();
    node.crash_and_restart();
    let mut carol = node.chat("carol");
    for n in 0..20 {
        carol.wait("message", |message| message["id"] == format!("m-{n}"));
    }
}

#[test]
fn the_store_of_another_domain_is_told_as_that() {
    let node = killed(0);
    let config = fs::read_to_string(&node.config).unwrap();
    fs::write(&node.config, config.replace("village.test", "oldtown.test")).unwrap();
    let text = refusal(&node);
    for word in [
        "that of village.test",
        "oldtown.test",
        "name the folder of this node",
    ] {
        assert!(text.contains(word), "{text}");
    }
    assert!(!text.contains("stop the other node"), "{text}");
}

#[test]
fn each_reason_not_to_start_has_its_own_remedy() {
    let mut node = killed(1);
    let database = data(&node).join("wvgate.db");

    // A node that runs.
    node.crash_and_restart();
    assert!(refusal(&node).contains("stop the other node"));
    said(&node.config, &["stop"]);
    assert_eq!(node.wait(), Some(0));

    // The version of the database, far in the future.
    let file = fs::File::options().write(true).open(&database).unwrap();
    file.write_all_at(&[0, 0, 1, 0], 60).unwrap();
    let text = refusal(&node);
    assert!(
        text.contains("newer wvgate") && !text.contains("other node"),
        "{text}"
    );

    // No database at all.
    fs::write(
        &database,
        "nothing of the kind, but long enough to be looked at",
    )
    .unwrap();
    let text = refusal(&node);
    assert!(text.contains("wvgate store repair"), "{text}");
    assert!(text.contains("wvgate.db"), "{text}");

    // A folder that cannot be made, not even by root.
    let config = fs::read_to_string(&node.config).unwrap();
    let config = config.replace(data(&node).to_str().unwrap(), "/proc/nowhere/data");
    fs::write(&node.config, config).unwrap();
    let text = refusal(&node);
    assert!(
        text.contains("own the folder") && !text.contains("other node"),
        "{text}"
    );
    let checked = output(&node.config, &["check"]);
    assert_eq!(checked.status.code(), Some(1));
    let text = String::from_utf8(checked.stdout).unwrap();
    assert!(text.contains("FAIL  folder "), "{text}");
}

#[test]
fn check_looks_at_the_addresses_that_a_start_needs() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let write = |listen: &str| {
        let data = folder.0.join("data");
        folder.file(
            "node.toml",
            &format!(
                "[node]\ndomain = \"village.test\"\ndata = {data:?}\n\
                 [ssp]\nlisten = \"{listen}\"\nplain = true\n"
            ),
        )
    };
    let checked = |listen: &str| {
        let output = output(&write(listen), &["check", "--offline"]);
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    let (code, text) = checked(&taken.local_addr().unwrap().to_string());
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("FAIL  ssp.listen") && text.contains("ss -ltnp"),
        "{text}"
    );
    // Of a net for examples: no machine has it.
    let (code, text) = checked("192.0.2.1:15280");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("no interface of this machine has that address"),
        "{text}"
    );
    let (code, text) = checked(&format!("127.0.0.1:{}", free_port()));
    assert_eq!(code, Some(0), "{text}");
    for word in ["can be written", "room: ", "store: none yet", "is free"] {
        assert!(text.contains(word), "{text}");
    }
    // Nothing was made for the look.
    assert!(!folder.0.join("data").exists());
}

#[test]
fn the_number_of_shards_is_that_of_the_store_and_another_one_is_refused() {
    let folder = Folder::new();
    let config = folder.file(
        "node.toml",
        &format!(
            "{AS_WRITTEN}[node]\ndomain = \"village.test\"\ndata = {:?}\nshards = 3\n\
             [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
             [home]\n[[home.user]]\nname = \"alice\"\npassword = \"alice\"\n\
             [[home.user]]\nname = \"dora\"\npassword = \"dora\"\n",
            folder.0.join("data"),
        ),
    );
    let mut node = Node::start_on(folder, config);
    // Of two shards.
    let mut alice = node.chat("alice");
    alice.tell(&json!({"do": "message", "to": "dora", "text": "waits", "id": "m-1"}));
    assert_eq!(
        alice.wait("sent", |sent| sent["id"] == "m-1")["status"],
        200
    );
    node.signal("TERM");
    node.wait();
    for shard in ["shard-1", "shard-2"] {
        assert!(data(&node).join(shard).join("wvgate.db").is_file());
    }
    let text = fs::read_to_string(&node.config).unwrap();
    fs::write(&node.config, text.replace("shards = 3", "shards = 2")).unwrap();
    let refused = refusal(&node);
    for word in [
        "node.toml:5: node.shards",
        "with 3 shards, not with 2",
        "leave the key out",
    ] {
        assert!(refused.contains(word), "{refused}");
    }
    fs::write(&node.config, &text).unwrap();
    // All folders are looked at, and go into a backup.
    let checked = said(&node.config, &["store", "check"]);
    assert_eq!(
        checked.matches("all of it is whole").count(),
        3,
        "{checked}"
    );
    let backup = node.folder.0.join("backup.db");
    said(&node.config, &["store", "backup", backup.to_str().unwrap()]);
    for name in ["backup.db", "backup.db.shard-1", "backup.db.shard-2"] {
        assert!(node.folder.0.join(name).is_file(), "{name}");
    }
    // Without the key it is as it was made, and what waited is there.
    fs::write(&node.config, text.replace("shards = 3\n", "")).unwrap();
    node.crash_and_restart();
    let mut dora = node.chat("dora");
    assert_eq!(dora.wait("message", |_| true)["text"], "waits");
    node.signal("TERM");
    node.wait();
    // A store that is missing is no empty one.
    fs::remove_dir_all(data(&node).join("shard-2")).unwrap();
    let refused = refusal(&node);
    assert!(refused.contains("shard-2"), "{refused}");
}
