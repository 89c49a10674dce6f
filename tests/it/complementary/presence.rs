//! Presence, authorization, watcher list, contact lists and attribute lists of users of b.test, which
//! a.test provides.

use super::*;

#[test]
fn presence_kept_elsewhere_is_seen_in_all_domains_by_whom_its_user_allows() {
    let domains = Domains::start();
    let mut bob = domains.enter("bob");
    let (mut alice, mut carol) = (domains.enter("alice"), domains.enter("carol"));
    for watcher in [&mut alice, &mut carol] {
        watcher.does("/subscribe bob@b.test");
    }
    bob.sees("* alice@a.test wants to see your presence");
    bob.sees("* carol@c.test wants to see your presence");
    bob.asks(
        "/watchers",
        &[
            "* alice@a.test waits for your decision",
            "* carol@c.test waits for your decision",
        ],
    );
    bob.does("/status at sea");
    bob.does("/allow carol@c.test");
    carol.sees("* bob@b.test is online \"at sea\"");
    bob.does("/allow alice@a.test online");
    alice.sees("* bob@b.test is online");
    bob.does("/away lunch");
    carol.sees("* bob@b.test is away \"lunch\"");
    // What alice does not see is told her by nobody.
    bob.does("/deny carol@c.test");
    carol.sees("* bob@b.test is not shown to you");
    bob.does("/forget carol@c.test");
    carol.does("/unsubscribe bob@b.test");
    carol.does("/subscribe bob@b.test");
    bob.sees("* carol@c.test wants to see your presence");
    bob.asks("/watchers", &["* alice@a.test sees your presence"]);
    bob.leaves();
    alice.sees("* bob@b.test is offline");
    alice.asks("/presence bob@b.test", &["* bob@b.test is offline"]);
    let rest = alice.leaves();
    assert!(!rest.iter().any(|line| line.contains("lunch")), "{rest:?}");
}

#[test]
fn who_comes_back_is_asked_again_by_the_provider_and_by_the_home_domain() {
    let domains = Domains::start();
    // Their provider knows bob from when he first came.
    domains.enter("bob").leaves();
    let mut carol = domains.enter("carol");
    carol.does("/subscribe bob@b.test");
    let mut bob = domains.enter("bob");
    bob.sees("* carol@c.test wants to see your presence");
    bob.does("/allow carol@c.test");
    carol.sees("* bob@b.test is online");
    // And others are seen by users whose presence is elsewhere.
    bob.does("/subscribe carol@c.test");
    carol.sees("* bob@b.test wants to see your presence");
    carol.does("/allow bob@b.test");
    bob.sees("* carol@c.test is online");
    let mut ben = domains.enter("ben");
    ben.does("/subscribe bob");
    bob.sees("* ben@b.test wants to see your presence");
    bob.does("/allow ben");
    ben.sees("* bob@b.test is online");
}

#[test]
fn contact_lists_kept_elsewhere_are_managed_written_to_watched_and_decide_on_presence() {
    let domains = Domains::start();
    let (mut bob, mut carol) = (domains.enter("bob"), domains.enter("carol"));
    let mut alice = domains.enter("alice");
    bob.asks("/list", &["* contacts (default)"]);
    bob.does("/list new friends My friends");
    bob.does("/list add friends carol@c.test Caro");
    bob.does("/list add friends alice@a.test");
    bob.asks(
        "/list friends",
        &[
            "* friends \"My friends\"",
            "*   alice@a.test",
            "*   carol@c.test \"Caro\"",
        ],
    );
    bob.does("/list default friends");
    bob.asks("/list", &["* friends (default)"]);
    bob.asks(
        "/list new friends",
        &["* create list bob/friends@b.test failed: 701"],
    );
    // As those whom a message is for.
    bob.asks("/list to friends hello all", &["* taken"]);
    carol.sees("bob@b.test: hello all");
    alice.sees("bob@b.test: hello all");
    // As those who may see, and what.
    carol.does("/subscribe bob@b.test");
    carol.sees("* bob@b.test is online");
    bob.does("/status at sea");
    carol.sees("* bob@b.test is online \"at sea\"");
    bob.does("/show list friends status");
    carol.sees("* bob@b.test is of unknown presence \"at sea\"");
    bob.asks("/show", &["* list friends: StatusText"]);
    bob.does("/show carol@c.test online");
    carol.sees("* bob@b.test is online");
    bob.does("/show carol@c.test as-others");
    carol.sees("* bob@b.test is of unknown presence \"at sea\"");
    // As those who are watched.
    carol.does("/allow bob@b.test");
    bob.does("/list watch friends");
    bob.sees("* carol@c.test is online");
    bob.does("/list remove friends carol@c.test");
    carol.sees("* bob@b.test is not shown to you");
    bob.does("/list delete friends");
    bob.asks("/list", &["* contacts (default)"]);
    bob.asks(
        "/list friends",
        &["* contact list bob/friends@b.test failed: 700"],
    );
}

#[test]
fn contact_lists_and_presence_kept_elsewhere_survive_a_crash_of_the_provider() {
    let mut domains = Domains::start();
    let (mut bob, mut carol) = (domains.enter("bob"), domains.enter("carol"));
    bob.does("/list new friends");
    bob.does("/list add friends carol@c.test");
    bob.does("/status at sea");
    carol.does("/subscribe bob@b.test");
    carol.sees("* bob@b.test is online \"at sea\"");
    domains.crash("a.test");
    // Said again by itself: that bob is there.
    bob.asks("/list friends", &["*   carol@c.test"]);
    bob.does("/status on land");
    carol.sees("\"on land\"");
    domains.crash("b.test");
    carol.sees("* bob@b.test is offline");
    let mut bob = domains.enter("bob");
    carol.sees("* bob@b.test is online \"on land\"");
    bob.asks("/list friends", &["*   carol@c.test"]);
}
