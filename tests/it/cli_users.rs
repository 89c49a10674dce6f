//! Users in bulk, disabled accounts, and who finds whom, by the commands of a running node.

use std::process::Output;

use crate::cli_node::{Folder, Node, json as ask, output, said, with_input, wvgate};

/// A hash of "secret", with little work.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$qmUFnP0i2nYGZz0jkAySLsmxIFtUCc4N+BUhBFKu6yY";

fn chat(node: &Node, user: &str, password: &str, lines: &str) -> Output {
    let mut command = wvgate(&node.config);
    command
        .args(["chat", user])
        .env("WVGATE_PASSWORD", password);
    with_input(command, lines)
}

fn shown(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|out| String::from_utf8_lossy(out));
    text.concat()
}

#[test]
fn many_users_are_imported_bad_ones_told_by_line_and_all_exported_as_they_are() {
    let mut node = Node::start();
    let folder = Folder::new();
    let mut csv = "user,password,password_hash,alias,PP_CITY\n".to_owned();
    csv.push_str("bob,secret,,Bobby,Oslo\n");
    csv.push_str("a b,secret,,,\n");
    csv.push_str("alice,secret,,,\n");
    csv.push_str("dora,,no hash,,\n");
    csv.push_str("eve,secret\n");
    for number in 0..1000 {
        csv.push_str(&format!("user{number},,\"{HASH}\",,\n"));
    }
    let file = folder.file("users.csv", &csv);
    let file = file.to_str().unwrap();
    let imported = output(&node.config, &["user", "import", file]);
    assert_eq!(imported.status.code(), Some(1));
    let text = shown(&imported);
    for line in [
        &format!("{file}:3: \"a b\" is not a possible user name"),
        &format!("{file}:4: the user alice exists already"),
        &format!("{file}:5: dora: the password hash is no PHC string"),
        &format!("{file}:6: 2 cells instead of 5"),
        "1001 users were imported, 4 refused",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    // It is on disk.
    node.crash_and_restart();
    assert!(chat(&node, "bob", "secret", "").status.success());
    let export = said(&node.config, &["user", "export"]);
    assert_eq!(export.lines().count(), 1003);
    assert!(!export.contains("secret"));

    // What goes out comes in at another node.
    let other = Node::start();
    for format in ["json", "csv"] {
        let export = said(&node.config, &["user", "export", "--format", format]);
        let mut import = wvgate(&other.config);
        import.args(["user", "import", "-", "--update", "--format", format]);
        let imported = with_input(import, &export);
        assert!(imported.status.success(), "{}", shown(&imported));
        assert!(shown(&imported).contains("1003 users were imported, 0 refused"));
        let again = said(&other.config, &["user", "export", "--format", format]);
        assert_eq!(again, export, "{format}");
    }
    assert!(chat(&other, "bob", "secret", "").status.success());
}

#[test]
fn a_disabled_account_does_not_log_in_until_it_is_enabled() {
    let mut node = Node::start();
    said(&node.config, &["user", "disable", "carol"]);
    node.crash_and_restart();
    let refused = chat(&node, "carol", "carol", "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(shown(&refused).contains("disabled"), "{}", shown(&refused));
    // Who does not know the password is not told.
    assert!(!shown(&chat(&node, "carol", "wrong", "")).contains("disabled"));
    let users = ask(&node.config, &["user", "list", "--format", "json"]);
    assert_eq!(users[1]["disabled"], true);
    let sent = chat(&node, "alice", "alice", "/to carol hello\n");
    assert!(
        shown(&sent).contains("* taken by village.test"),
        "{}",
        shown(&sent)
    );
    said(&node.config, &["user", "enable", "carol"]);
    let back = chat(&node, "carol", "carol", "/who\n");
    assert!(shown(&back).contains("hello"), "{}", shown(&back));
    let nobody = output(&node.config, &["user", "disable", "nobody"]);
    assert_eq!(nobody.status.code(), Some(1));
}

#[test]
fn a_user_fills_in_their_profile_is_found_by_it_and_makes_a_group() {
    let node = Node::start();
    let lines = "/profile first-name Alice\n/profile found-by first-name on\n/profile\n\
                 /group create club Tea and cakes\n/group set club Searchable=T\n/group info club\n";
    let told = shown(&chat(&node, "alice", "alice", lines));
    for line in [
        "* PP_FIRST_NAME: Alice",
        "* privacy USER_FIRST_NAME: Allowed",
        "* alice/club@village.test is there",
        "* Topic: Tea and cakes",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    let lines = "/find first-name=ali\n/find group cakes\n/find alice\n\
                 /group join alice/club Vicky\n/group who alice/club\n/verify alice\n";
    let told = shown(&chat(&node, "carol", "carol", lines));
    for line in [
        "* alice@village.test",
        "* alice/club@village.test",
        "* nobody is found by that",
        "* you are in alice/club@village.test",
        "there: ",
        "* alice@village.test exists",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    // Somebody else's profile is none of hers.
    let request = "<UpdateUserProfileRequest userID=\\\"wv:alice@village.test\\\"><MetaInfo>\
        <Requestor serviceID=\\\"wv:@village.test\\\"><User userID=\\\"wv:carol@village.test\\\"/>\
        </Requestor></MetaInfo><UserProfile/></UpdateUserProfileRequest>";
    let line = format!("{{\"do\":\"request\",\"id\":\"1\",\"primitive\":\"{request}\"}}\n");
    let mut command = wvgate(&node.config);
    command
        .args(["chat", "carol", "--json"])
        .env("WVGATE_PASSWORD", "carol");
    let told = shown(&with_input(command, &line));
    assert!(told.contains("code=\\\"403\\\""), "{told}");
}

#[test]
fn the_provider_has_a_logo_from_a_file() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let logo = folder.file("logo.png", "not much of a picture");
    let config = |logo: &std::path::Path| {
        format!(
            "[node]\ndomain = \"village.test\"\ndata = {data:?}\nlogo = {logo:?}\n\
             [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n\
             [home]\n[[home.user]]\nname = \"alice\"\npassword = \"alice\"\n"
        )
    };
    let big = folder.file("big.png", &"x".repeat(64 * 1024 + 1));
    for (logo, why) in [
        (folder.0.join("nowhere.png"), "cannot be read"),
        (folder.file("logo.svg", ""), "is no picture by its name"),
        (big, "has 65537 bytes"),
    ] {
        let refused = output(&folder.file("bad.toml", &config(&logo)), &["run"]);
        assert_eq!(refused.status.code(), Some(64), "{}", shown(&refused));
        let text = shown(&refused);
        assert!(text.contains("node.logo") && text.contains(why), "{text}");
    }
    let file = folder.file("node.toml", &config(&logo));
    let node = Node::start_on(folder, file);
    let request = "<GetSPInfoRequest serviceID=\\\"wv:@village.test\\\"><MetaInfo>\
        <Requestor serviceID=\\\"wv:@village.test\\\"><User userID=\\\"wv:alice@village.test\\\"/>\
        </Requestor></MetaInfo></GetSPInfoRequest>";
    let line = format!("{{\"do\":\"request\",\"id\":\"1\",\"primitive\":\"{request}\"}}\n");
    let mut command = wvgate(&node.config);
    command
        .args(["chat", "alice", "--json"])
        .env("WVGATE_PASSWORD", "alice");
    let told = shown(&with_input(command, &line));
    assert!(told.contains("image/png"), "{told}");
    assert!(told.contains("bm90IG11Y2ggb2YgYSBwaWN0dXJl"), "{told}");
}

#[test]
fn the_operator_shows_and_changes_the_contact_lists_of_a_user() {
    let mut node = Node::start();
    let config = node.config.clone();
    let list = |args: &[&str]| said(&config, &[&["list"], args].concat());
    assert_eq!(
        list(&["show", "alice"]),
        "list  contacts  Contacts, default\n"
    );
    let made = list(&["create", "alice", "friends", "--name", "My friends"]);
    assert_eq!(made, "contact list friends of alice was made\n");
    list(&["add", "alice", "friends", "carol", "--nick", "Caro"]);
    list(&["add", "Alice", "friends", "bob@far.test"]);
    let friends = list(&["show", "alice", "friends"]);
    for part in [
        "friends",
        "My friends",
        "wv:carol@village.test",
        "Caro",
        "wv:bob@far.test",
    ] {
        assert!(friends.contains(part), "{part} in {friends}");
    }
    // Carol is on a list, and sees alice's presence by that.
    let mut carol = node.chat("carol");
    carol.tell(&serde_json::json!({"do": "subscribe", "user": "alice"}));
    carol.wait("presence", |event| event["online"] == false);
    let mut alice = node.chat("alice");
    carol.wait("presence", |event| event["online"] == true);
    list(&["remove", "alice", "friends", "carol"]);
    carol.wait("presence", |event| event["online"] != true);
    alice.tell(&serde_json::json!({"do": "contacts"}));
    alice.wait("contacts", |_| true);
    drop((alice, carol));
    node.crash_and_restart();
    let lists = ask(&node.config, &["list", "show", "alice", "--format", "json"]);
    assert_eq!(lists[0]["list"], "contacts");
    assert_eq!(lists[0]["default"], true);
    assert_eq!(lists[1]["display"], "My friends");
    assert_eq!(
        lists[1]["members"],
        serde_json::json!({"wv:bob@far.test": ""})
    );
    list(&["delete", "alice", "friends"]);
    assert!(!list(&["show", "alice"]).contains("friends"));
    for (args, why) in [
        (&["show", "nobody"][..], "there is no user nobody"),
        (&["show", "alice", "friends"], "has no contact list friends"),
        (&["create", "alice", "contacts"], "alice: "),
        (
            &["add", "alice", "friends", "carol"],
            "no such contact list",
        ),
        (&["add", "alice", "contacts", "@far.test"], "names no user"),
        (
            &["delete", "alice@far.test", "contacts"],
            "is not the domain",
        ),
    ] {
        let refused = output(&node.config, &[&["list"], args].concat());
        assert_eq!(refused.status.code(), Some(1), "{args:?}");
        assert!(
            shown(&refused).contains(why),
            "{args:?}: {}",
            shown(&refused)
        );
    }
}
