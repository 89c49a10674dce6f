//! Messages for users of a.test, which b.test keeps; who may reach them; and files.

use super::*;
use crate::cli_sharing::fetch;

#[test]
fn messages_kept_elsewhere_reach_their_user_from_all_domains_and_are_reported() {
    let domains = Domains::start();
    let (mut alice, mut ann) = (domains.enter("alice"), domains.enter("ann"));
    let mut senders = ["bob", "carol"].map(|user| domains.enter(user));
    for sender in &mut senders {
        sender.types("/report on");
        sender.types("/to alice@a.test how are you");
        sender.sees("* delivered to alice@a.test");
    }
    alice.sees("bob@b.test: how are you");
    alice.sees("carol@c.test: how are you");
    alice.types("/to carol@c.test fine");
    senders[1].sees("alice@a.test: fine");
    ann.types("/to alice from next door");
    alice.sees("ann@a.test: from next door");
}

#[test]
fn messages_for_who_is_away_wait_at_the_provider_over_a_crash_of_each_domain_and_come_once() {
    let mut domains = Domains::start();
    let alice = domains.enter("alice");
    let mut carol = domains.enter("carol");
    carol.types("/report on");
    alice.leaves();
    for text in ["one", "two", "three"] {
        carol.asks(&format!("/to alice@a.test {text}"), &["* taken"]);
    }
    domains.crash("b.test");
    domains.crash("a.test");
    let mut alice = domains.enter("alice");
    for text in ["one", "two", "three"] {
        alice.sees(&format!(": {text}"));
        carol.sees("* delivered to alice@a.test");
    }
    let rest = alice.leaves();
    let is_text = |line: &&String| line.starts_with("carol@c.test");
    assert_eq!(rest.iter().filter(is_text).count(), 0, "{rest:?}");
    let rest = domains.enter("alice").leaves();
    assert_eq!(rest.iter().filter(is_text).count(), 0, "{rest:?}");
}

#[test]
fn messages_kept_elsewhere_are_announced_listed_fetched_rejected_and_forwarded() {
    let domains = Domains::start();
    let (mut alice, mut carol) = (domains.enter("alice"), domains.enter("carol"));
    let mut bob = domains.enter("bob");
    alice.does("/notify");
    carol.types("/report on");
    for (number, text) in ["first", "second", "third"].iter().enumerate() {
        carol.asks(&format!("/to alice@a.test {text}"), &["* taken"]);
        alice.sees(&format!("* [{}] carol@c.test", number + 1));
    }
    alice.asks("/inbox", &["* [1] carol@c.test", "* [2]", "* [3]"]);
    alice.types("/get 1");
    alice.sees(": first");
    carol.sees("* delivered to alice@a.test");
    alice.does("/reject 2");
    carol.sees("* NOT delivered to alice@a.test: 538");
    alice.does("/forward 3 bob@b.test");
    bob.sees("alice@a.test: third");
    carol.sees("541");
    alice.asks("/inbox", &["* no message waits"]);
    alice.does("/push");
    carol.types("/to alice@a.test at once");
    alice.sees("carol@c.test: at once");
}

#[test]
fn who_is_blocked_at_the_provider_does_not_reach_the_user() {
    let domains = Domains::start();
    let (mut alice, mut carol) = (domains.enter("alice"), domains.enter("carol"));
    let mut bob = domains.enter("bob");
    alice.does("/block carol@c.test");
    alice.asks("/blocked", &["* blocked: carol@c.test"]);
    carol.asks("/to alice@a.test psst", &["* taken"]);
    bob.asks("/to alice@a.test hello", &["* taken"]);
    alice.sees("bob@b.test: hello");
    alice.does("/grant carol@c.test");
    alice.does("/unblock carol@c.test");
    alice.does("/grant on");
    bob.asks("/to alice@a.test and now", &["* taken"]);
    carol.asks("/to alice@a.test here I am", &["* taken"]);
    alice.sees("carol@c.test: here I am");
    let rest = alice.leaves();
    let is_text = |line: &String| line.contains("psst") || line.contains("and now");
    assert!(!rest.iter().any(is_text), "{rest:?}");
}

#[test]
fn a_picture_is_shared_with_a_user_two_domains_away_until_it_is_withdrawn() {
    let domains = Domains::start();
    let (mut bob, mut alice) = (domains.enter("bob"), domains.enter("alice"));
    let file = domains.nodes["b.test"]
        .folder
        .file("cat.gif", "GIF89a meow");
    bob.does(&format!("/share {} alice@a.test look", file.display()));
    let invited = alice.sees("* bob@b.test invites you to fetch ");
    let url = invited
        .split_whitespace()
        .find(|word| word.starts_with("http"));
    let url = url.unwrap().to_owned();
    assert_eq!(
        fetch(domains.files, &url),
        ("200".to_owned(), b"GIF89a meow".to_vec())
    );
    alice.does("/accept bob@b.test");
    bob.sees("* alice@a.test accepts your invitation to fetch");
    bob.does("/withdraw alice@a.test");
    alice.sees("* bob@b.test has withdrawn the invitation");
    assert_eq!(fetch(domains.files, &url).0, "404");
}
