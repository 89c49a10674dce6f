//! Groups and search for users of b.test, which a.test provides; invitations between all.

use super::*;

#[test]
fn a_group_kept_elsewhere_has_its_owner_and_members_on_three_domains() {
    let domains = Domains::start();
    let (mut bob, mut alice) = (domains.enter("bob"), domains.enter("alice"));
    let mut carol = domains.enter("carol");
    bob.types("/group create club@a.test Books");
    bob.sees("* bob/club@a.test is there");
    bob.asks("/group list", &["* yours: bob/club@a.test", "* you are in"]);
    carol.types("/group join bob/club@a.test Caro");
    carol.sees("* you are in bob/club@a.test");
    bob.sees("Caro joined");
    alice.types("/group join bob/club@a.test");
    alice.sees("* you are in bob/club@a.test");
    carol.types("hello club");
    bob.sees("Caro in bob/club@a.test: hello club");
    alice.sees("Caro in bob/club@a.test: hello club");
    bob.types("hello Caro");
    carol.sees("bob@b.test in bob/club@a.test: hello Caro");
    bob.types("/group tell bob/club@a.test Caro psst");
    carol.sees("psst");
    bob.does("/group set bob/club@a.test Topic=Tea");
    carol.sees("* bob/club@a.test: its properties have changed");
    carol.types("/group info bob/club@a.test");
    carol.sees("Topic: Tea");
    bob.does("/group kick bob/club@a.test carol@c.test");
    carol.sees("* you are no longer in bob/club@a.test");
    bob.does("/group delete bob/club@a.test");
    let rest = alice.leaves();
    let private = rest.iter().filter(|line| line.contains("psst"));
    assert_eq!(private.count(), 0, "{rest:?}");
}

#[test]
fn a_group_kept_elsewhere_lets_in_whom_its_moderator_invites() {
    let domains = Domains::start();
    let (mut bob, mut ben) = (domains.enter("bob"), domains.enter("ben"));
    bob.types("/group create club@a.test");
    bob.sees("* bob/club@a.test is there");
    bob.does("/group set bob/club@a.test RequireInvitation=T");
    ben.asks(
        "/group join bob/club@a.test",
        &["* join bob/club@a.test failed: 816"],
    );
    bob.does("/invite ben bob/club@a.test come in");
    ben.sees("* bob@b.test invites you into the group bob/club@a.test (come in)");
    ben.does("/accept bob thanks");
    bob.sees("* ben@b.test accepts your invitation into the group bob/club@a.test (thanks)");
    let mut carol = domains.enter("carol");
    bob.does("/invite carol@c.test bob/club@a.test");
    carol.sees("* bob@b.test invites you into the group bob/club@a.test");
    bob.does("/withdraw carol@c.test not today");
    carol.sees(
        "* bob@b.test has withdrawn the invitation into the group bob/club@a.test (not today)",
    );
    carol.asks(
        "/group join bob/club@a.test",
        &["* join bob/club@a.test failed: 816"],
    );
}

#[test]
fn invitations_of_all_kinds_cross_three_domains_are_answered_and_withdrawn() {
    let domains = Domains::start();
    let (mut alice, mut bob) = (domains.enter("alice"), domains.enter("bob"));
    let mut carol = domains.enter("carol");
    // To talk.
    alice.does("/invite bob@b.test a word?");
    bob.sees("* alice@a.test invites you to talk (a word?)");
    bob.does("/decline alice@a.test later");
    alice.sees("* bob@b.test declines your invitation to talk (later)");
    // To see presence.
    alice.does("/offer bob@b.test have a look");
    bob.sees("* alice@a.test invites you to watch their presence (have a look)");
    bob.does("/accept alice@a.test");
    alice.sees("* bob@b.test accepts your invitation to watch their presence");
    bob.sees("* alice@a.test is online");
    // Into a group.
    alice.types("/group create tea");
    alice.sees("* alice/tea@a.test is there");
    alice.does("/invite bob@b.test alice/tea join us");
    bob.sees("* alice@a.test invites you into the group alice/tea@a.test (join us)");
    bob.does("/accept alice@a.test");
    alice.sees("* bob@b.test accepts your invitation into the group alice/tea@a.test");
    alice.sees("* alice/tea@a.test: bob@b.test joined");
    // It waits for who is away, until it is withdrawn.
    carol.does("/invite ben@b.test one");
    carol.does("/withdraw ben@b.test");
    carol.does("/invite ben@b.test two");
    let mut ben = domains.enter("ben");
    ben.sees("* carol@c.test invites you to talk (two)");
    let rest = ben.leaves();
    let first = rest.iter().filter(|line| line.contains("talk (one)"));
    assert_eq!(first.count(), 0, "{rest:?}");
}

#[test]
fn an_invitation_lapses_when_its_validity_is_over() {
    let domains = Domains::start();
    let mut carol = domains.nodes["c.test"].chat("carol");
    let mut invite = |id: &str, validity: u32| {
        carol.request(&format!(
            "<InviteRequest inviteID=\"{id}\" inviteType=\"IM\" validity=\"{validity}\">\
             <MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@c.test\">\
             <User userID=\"wv:carol@c.test\"/></Requestor></MetaInfo>\
             <Inviting><User userID=\"wv:carol@c.test\"/></Inviting>\
             <Invited><User userID=\"wv:bob@b.test\"/></Invited>\
             <InviteNote>{id}</InviteNote></InviteRequest>"
        ));
        carol.wait("answer", |_| true);
    };
    invite("short", 1);
    invite("long", 600);
    // However slow the machine is, the short one is over by then.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let mut bob = domains.enter("bob");
    bob.sees("* carol@c.test invites you to talk (long)");
    let rest = bob.leaves();
    let lapsed = rest.iter().filter(|line| line.contains("short"));
    assert_eq!(lapsed.count(), 0, "{rest:?}");
    carol.tell(&json!({"do": "contacts"}));
    carol.wait("contacts", |_| true);
}

#[test]
fn users_and_groups_of_the_provider_are_found_and_profiles_are_shown() {
    let domains = Domains::start();
    let (mut bob, mut alice) = (domains.enter("bob"), domains.enter("alice"));
    alice.types("/group create tea Leaves");
    alice.sees("* alice/tea@a.test is there");
    alice.does("/group set alice/tea Searchable=T");
    bob.asks("/find ali", &["* alice@a.test"]);
    bob.asks("/find group Leaves", &["* alice/tea@a.test"]);
    bob.asks("/find carol", &["* nobody is found by that"]);
    bob.types("/profile city Oslo");
    bob.asks(
        "/profile",
        &["* service Presence: Active", "* service IM: Active", "Oslo"],
    );
}
