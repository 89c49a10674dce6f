//! One mistake after the other in a dialect, and what is printed for each.

use std::fs;

use wvgate::node::Plan;

use super::Dir;
use super::mistakes::BASE;

/// The text of `dialects/old.toml`, and what is printed.
const MISTAKES: &[(&str, &str)] = &[
    (
        "posts = 2\nbach = 3\n",
        "old.toml:2: bach: unknown key; did you mean \"batch\"?",
    ),
    (
        "[emit]\ntwin = 1\n",
        "old.toml:2: emit.twin: unknown key; did you mean \"twins\"?",
    ),
    (
        "[acept.elements]\n",
        "old.toml:1: acept: unknown key; did you mean \"accept\"?",
    ),
    (
        "batch = \"3\"\n",
        "old.toml:1: batch: must be a whole number from 0 upwards, not \"3\"; write batch = 100, without quotes",
    ),
    (
        "handshake_retries = [250,\n \"x\"]\n",
        "old.toml:2: handshake_retries: must be a whole number from 0 upwards, not \"x\"; write handshake_retries = 100, without quotes",
    ),
    (
        "via = 1\n",
        "old.toml:1: via: must be true or false, not 1; write via = true or via = false",
    ),
    (
        "repairs = \"latin1\"\n",
        "old.toml:1: repairs: must be a list, not \"latin1\"; write repairs = [\"...\"]",
    ),
    (
        "group_distribution = \"each\"\n",
        "old.toml:1: group_distribution: \"each\" is not known; write \"provider\" or \"members\"",
    ),
    (
        "batch = 0\n",
        "old.toml:1: batch: 0 is too small; write 1 or more",
    ),
    (
        "repairs = [\n \"latin1\",\n \"bare-amprsand\",\n]\n",
        "old.toml:3: repairs: no repair is called \"bare-amprsand\"; did you mean \"bare-ampersand\"?",
    ),
    (
        "repairs = [\"everything\"]\n",
        "old.toml:1: repairs: no repair is called \"everything\"; write one of html-entities, latin1, canceled-end-tag, surrogate-references, bare-ampersand, bare-less-than, attribute-quote",
    ),
    (
        "never_send = [\"GetPresenceRequst\"]\n",
        "old.toml:1: never_send: no primitive is called \"GetPresenceRequst\"; did you mean \"GetPresenceRequest\"?",
    ),
    (
        "services = [\"SUBPR\", \"SENDN\"]\n",
        "old.toml:1: services: the service tree has no \"SENDN\"; did you mean \"SENDM\"?",
    ),
    (
        "[codes]\n2oo = 200\n",
        "old.toml:2: codes.2oo: \"2oo\" is not a status code; write it like 202 = 200",
    ),
    (
        "[emit.attributes]\nvalidity = \"validlity\"\n",
        "old.toml:2: emit.attributes.validity: \"validity\" names no attribute; write \"Element@attribute\", or \"@attribute\" for every element",
    ),
    (
        "[accept.elements]\nRcpt = \"Reci pient\"\n",
        "old.toml:2: accept.elements.Rcpt: \"Reci pient\" is no name of an element; write letters, digits, - . and _ only, a letter first",
    ),
    (
        "[forms.places]\n\"Watcher@status\" = [\"Watcher Status\"]\n",
        "old.toml:2: forms.places.Watcher@status: \"Watcher Status\" names no place; write places as in the template: Element@attribute, Element/Child, Element/List/Item",
    ),
    (
        "posts = 2\n[emit\n",
        "old.toml:2: syntax: invalid table header, expected `.`, `]`; write key = value, or a [section]",
    ),
    (
        "name = old\n",
        "old.toml:1: name: invalid string, expected `\"`, `'`; put text in double quotes",
    ),
    (
        "via = 1\nbach = 3\nrepairs = [\"x\"]\n",
        "old.toml:1: via: must be true or false, not 1; write via = true or via = false\nold.toml:2: bach: unknown key; did you mean \"batch\"?\nold.toml:3: repairs: no repair is called \"x\"; write one of html-entities, latin1, canceled-end-tag, surrogate-references, bare-ampersand, bare-less-than, attribute-quote",
    ),
];

/// What is printed for a peer with this dialect, in a folder that holds `old.toml`.
fn printed(dialect: &str, old: &str) -> String {
    let dir = Dir::new();
    fs::create_dir_all(dir.0.join("m/dialects")).unwrap();
    fs::write(dir.0.join("m/dialects/old.toml"), old).unwrap();
    let mappings = format!("mappings = {:?}\n[ssp]", dir.0.join("m"));
    let peer = format!("allow_plain = true\ndialect = \"{dialect}\"");
    let text = BASE
        .replacen("[ssp]", &mappings, 1)
        .replacen("allow_plain = true", &peer, 1);
    let loaded = dir.load(&text, &[]).unwrap();
    let error = Plan::new(&loaded.config, &loaded.located).err();
    let text = error.map_or_else(String::new, |error| error.to_string());
    dir.shown(&text).replace("m/dialects/", "")
}

#[test]
fn each_mistake_in_a_dialect_is_explained_by_line() {
    let mut wrong = Vec::new();
    for (text, expected) in MISTAKES {
        let printed = printed("old", text);
        if printed != *expected {
            wrong.push(format!(
                "in       {text:?}\nexpected {expected}\nprinted  {printed}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(printed("old", "batch = 1\n"), "");
}

#[test]
fn a_misspelt_dialect_is_told_apart_from_a_missing_one() {
    let near = printed("baraz", "");
    assert!(
        near.ends_with("peer.dialect: there is no dialect \"baraz\"; did you mean \"baraza\"?"),
        "{near}"
    );
    let far = printed("somethingelse", "");
    assert!(
        far.contains("use one of wvgate, oma-1.3, baraza, old, or add"),
        "{far}"
    );
}
