//! How invitations end without an answer.

use super::*;

#[test]
fn an_invitation_that_is_withdrawn_is_told_and_cannot_be_answered() {
    let mut world = world();
    world.open(3, "carol");
    let mut request = invite("i1", ALICE, CAROL);
    request.invite_type = "SC".to_owned();
    request.contents = Some(vec![content("https://home.test/a.png")]);
    assert_eq!(world.client_asks(1, request), Some(200));
    world.invitation(3);
    world.client_asks(3, respond("i1", ALICE, CAROL, true));
    world.close(3);
    // One that was accepted too: sharing ends.
    assert_eq!(world.client_asks(1, cancel("i1", ALICE, CAROL)), Some(200));
    world.restart();
    world.open(3, "carol");
    let told = world.invitations(3);
    let [Primitive::CancelInviteRequest(told)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(told.note.as_deref(), Some("Too late"));
    assert_eq!(
        told.contents,
        Some(vec![content("https://home.test/a.png")])
    );
    assert_eq!(
        world.client_asks(3, respond("i1", ALICE, CAROL, true)),
        Some(423)
    );
    // Again: the other side does not know it any more.
    world.open(1, "alice");
    assert_eq!(world.client_asks(1, cancel("i1", ALICE, CAROL)), Some(423));
    assert_eq!(world.client_asks(1, cancel("i2", ALICE, CAROL)), Some(423));
    assert_eq!(world.outside(ZOE, cancel("i1", ZOE, CAROL)), 423);
    let mut nobody = cancel("i1", ZOE, CAROL);
    nobody.canceled = None;
    assert_eq!(world.outside(ZOE, nobody), 402);
    // An answer that was under way is too late.
    world.client_asks(1, invite("i3", ALICE, ZOE));
    world.answer("InviteRequest", Status::ok());
    world.client_asks(1, cancel("i3", ALICE, ZOE));
    world.answer("CancelInviteRequest", Status::ok());
    world.heard(1);
    world.notice(Some(ZOE), respond("i3", ALICE, ZOE, true));
    assert_eq!(world.invitations(1), []);
}

#[test]
fn an_invitation_ends_with_its_validity_on_both_sides() {
    let mut world = world();
    let short = InviteRequest {
        validity: 600,
        ..invite("i1", ALICE, CAROL)
    };
    world.client_asks(1, short);
    world.wait(100);
    world.restart();
    world.open(3, "carol");
    assert_eq!(world.invitation(3).validity, 500);
    world.wait(500);
    assert_eq!(world.invites_kept(), 0);
    assert_eq!(
        world.client_asks(3, respond("i1", ALICE, CAROL, true)),
        Some(423)
    );
    world.open(4, "carol");
    assert_eq!(world.invitations(4), []);
    // One without an end has that of a message.
    world.open(1, "alice");
    world.client_asks(1, invite("i2", ALICE, CAROL));
    world.wait(7 * 86_400 + 1);
    assert_eq!(world.invites_kept(), 0);
}

#[test]
fn who_is_removed_has_declined_and_withdrawn_everything() {
    let mut world = world();
    world.client_asks(1, invite("i1", ALICE, ZOE));
    world.answer("InviteRequest", Status::ok());
    world.client_asks(1, invite("i2", ALICE, CAROL));
    world.outside(ZOE, invite("z1", ZOE, ALICE));
    world.remove("alice").unwrap();
    world.settle();
    let sent = world.sent();
    let is_canceled =
        |p: &Primitive| matches!(p, Primitive::CancelInviteRequest(c) if c.invite_id == "i1");
    let is_declined = |p: &Primitive| matches!(p, Primitive::InviteResponse(r) if r.invite_id == "z1" && !r.acceptance);
    assert!(
        sent.iter().any(is_canceled) && sent.iter().any(is_declined),
        "{sent:?}"
    );
    assert_eq!(world.invites_kept(), 0);
    world.open(3, "carol");
    let told = world.invitations(3);
    assert!(
        matches!(&told[..], [Primitive::CancelInviteRequest(_)]),
        "{told:?}"
    );
}

#[test]
fn what_was_shared_is_deleted_with_the_last_invitation_to_it() {
    let mut world = world();
    let share = |id: &str, to: &str| InviteRequest {
        invite_type: "SC".to_owned(),
        contents: Some(vec![
            content("https://home.test/a"),
            content("https://home.test/b"),
        ]),
        ..invite(id, ALICE, to)
    };
    world.client_asks(1, share("i1", CAROL));
    world.client_asks(1, share("i2", "bob@home.test"));
    world.client_asks(1, cancel("i1", ALICE, CAROL));
    assert_eq!(world.unshared, []);
    world.client_asks(1, cancel("i2", ALICE, "bob@home.test"));
    let urls = ["https://home.test/a", "https://home.test/b"].map(str::to_owned);
    let expected = ("alice".to_owned(), Some(urls.to_vec()));
    let unshared = std::mem::take(&mut world.unshared);
    assert_eq!(unshared, std::slice::from_ref(&expected));
    // A process that was killed before it did so does it at the next start.
    world.restart();
    world.wait(1);
    assert!(world.unshared.contains(&expected));
    world.unshared.clear();
    world.remove("alice").unwrap();
    world.settle();
    assert_eq!(world.unshared, [("alice".to_owned(), None)]);
}
