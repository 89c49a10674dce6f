//! Users of a peer that goes away without a word, as those see it who watch them, over real
//! processes.

use serde_json::{Value, json};

use crate::cli_node::{ChatUser, Folder, Node, free_port};
use crate::cli_partner::{config, peer};

/// A home domain with one user, who has the name of the domain's first part.
fn home(domain: &str, port: u16, other: &str, other_port: u16) -> Node {
    let folder = Folder::new();
    let user = domain.split('.').next().unwrap();
    let text = "peer_silence = \"300ms\"\npeer_grace = \"300ms\"\n".to_owned()
        + &peer(other, other_port, "")
        + &format!("[home]\n[[home.user]]\nname = \"{user}\"\npassword = \"{user}\"\n");
    let config = config(&folder, domain, port, &text);
    Node::start_on(folder, config)
}

fn says(user: &mut ChatUser, command: &Value) {
    user.tell(command);
    user.wait("done", |done| done["command"] == command["do"]);
}

/// Waits until bob is shown so.
fn sees(alice: &mut ChatUser, wanted: impl Fn(&Value) -> bool) {
    let bob = "wv:bob@bob.test";
    alice.wait("presence", |event| event["user"] == bob && wanted(event));
}

#[test]
fn users_of_a_peer_that_goes_without_a_word_are_unknown_until_it_is_back() {
    let (here, there) = (free_port(), free_port());
    let alices = home("alice.test", here, "bob.test", there);
    let mut bobs = home("bob.test", there, "alice.test", here);
    let mut alice = alices.chat("alice");
    let mut bob = bobs.chat("bob");
    says(
        &mut bob,
        &json!({"do": "add_contact", "user": "alice@alice.test"}),
    );
    says(&mut bob, &json!({"do": "presence", "text": "first"}));
    alice.tell(&json!({"do": "subscribe", "user": "bob@bob.test"}));
    sees(&mut alice, |bob| {
        bob["online"] == true && bob["text"] == "first"
    });
    // Neither side ends its session: they last for a day.
    bobs.child.kill().unwrap();
    bobs.child.wait().unwrap();
    sees(&mut alice, |bob| bob["online"].is_null());
    bobs.crash_and_restart();
    let mut bob = bobs.chat("bob");
    says(&mut bob, &json!({"do": "presence", "text": "second"}));
    sees(&mut alice, |bob| {
        bob["online"] == true && bob["text"] == "second"
    });
}
