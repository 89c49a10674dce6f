//! Invitations as they are typed and shown.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::super::tests::{answer, codec, now, said};
use super::super::{Action, Codec};
use crate::imps::Address;

const TO_TALK: &str = r#"<InviteRequest inviteID="i-1" inviteType="IM" validity="60"><Inviting><User userID="wv:bob@b.test"/></Inviting><Invited><User userID="wv:alice@home.test"/></Invited><InviteNote>tea?</InviteNote></InviteRequest>"#;
const INTO_GROUP: &str = r#"<InviteRequest inviteID="i-2" inviteType="GR" validity="60"><Inviting><User userID="wv:bob@b.test"/></Inviting><Invited><User userID="wv:alice@home.test"/></Invited><GroupID groupID="wv:bob/club@b.test"/></InviteRequest>"#;
const TO_WATCH: &str = r#"<InviteRequest inviteID="i-3" inviteType="PR" validity="60"><Inviting><User userID="wv:bob@b.test"/></Inviting><Invited><User userID="wv:alice@home.test"/></Invited></InviteRequest>"#;

/// The requests of a line, as XML.
fn asked(codec: &mut Codec, line: &str) -> Vec<String> {
    let requests = said(codec, line).into_iter();
    requests.map(|(_, request)| request.to_xml(None)).collect()
}

fn only_shows(codec: &mut Codec, line: &str) {
    let action = codec.understand(line);
    assert!(matches!(action, Action::Show(_)), "{line}: {action:?}");
}

#[test]
fn what_somebody_is_invited_to_is_typed() {
    for (line, kind, parts) in [
        (
            "/invite bob@b.test tea at five?",
            "IM",
            vec!["<InviteNote>tea at five?</InviteNote>"],
        ),
        (
            "/invite bob@b.test alice/club come in",
            "GR",
            vec![
                r#"<GroupID groupID="wv:alice/club@home.test"/>"#,
                "<InviteNote>come in</InviteNote>",
            ],
        ),
        ("/offer bob@b.test", "PR", vec![]),
    ] {
        let requests = asked(&mut codec(), line);
        let invitation = requests.last().unwrap();
        let is_so = invitation.contains(&format!("inviteType=\"{kind}\""));
        assert!(is_so, "{line}: {invitation}");
        for part in parts {
            assert!(invitation.contains(part), "{line}: {invitation}");
        }
    }
    // Who is offered presence may see it from then on.
    let requests = asked(&mut codec(), "/offer bob@b.test");
    assert!(requests[0].starts_with("<PresenceAuthUserRequest"));
    let mut codec = codec();
    for line in [
        "/invite",
        "/offer",
        "/accept",
        "/withdraw",
        "/share",
        "/share cat.png",
        "/accept bob@b.test",
        "/withdraw bob@b.test",
    ] {
        only_shows(&mut codec, line);
    }
}

#[test]
fn a_file_is_told_of_by_an_invitation_and_in_a_group_by_a_message() {
    let url = "https://home.test/f/cat.png";
    for (to, name) in [
        ("bob@b.test", "<InviteRequest"),
        ("bob/club@b.test", "<SendMessageRequest"),
    ] {
        let mut codec = codec();
        let action = codec.understand(&format!("/share cat.png {to} look here"));
        let Action::Share { file, to, note } = action else {
            panic!("{action:?}");
        };
        assert_eq!((&*file, &*note), ("cat.png", "look here"));
        assert_eq!(to, Address::new(to.as_str()));
        let Action::Say(requests) = codec.uploaded(to, url.to_owned(), &note) else {
            panic!("{name}");
        };
        let crate::home::FromClient::Request { primitive, .. } = &requests[0] else {
            panic!("{requests:?}");
        };
        assert!(primitive.to_xml(None).starts_with(name), "{primitive:?}");
    }
}

#[test]
fn what_the_user_is_invited_to_is_accepted_with_what_follows_or_declined() {
    for (invitation, to, line, names) in [
        (
            TO_TALK,
            "to talk (tea?)",
            "/accept bob@b.test gladly",
            vec!["<InviteResponse"],
        ),
        (
            INTO_GROUP,
            "into the group bob/club@b.test",
            "/accept bob@b.test",
            vec!["<InviteResponse", "<JoinGroupRequest"],
        ),
        (
            TO_WATCH,
            "to watch their presence",
            "/accept bob@b.test",
            vec!["<InviteResponse", "<SubscribeRequest"],
        ),
        (
            INTO_GROUP,
            "into the group bob/club@b.test",
            "/decline bob@b.test not today",
            vec!["<InviteResponse"],
        ),
    ] {
        let mut codec = codec();
        let shown =
            format!("* bob@b.test invites you {to}: /accept bob@b.test or /decline bob@b.test");
        assert_eq!(now(&mut codec, invitation), Some(shown));
        let requests = said(&mut codec, line);
        assert_eq!(requests.len(), names.len(), "{line}");
        for ((_, request), name) in requests.iter().zip(names) {
            let xml = request.to_xml(None);
            assert!(xml.starts_with(name), "{line}: {xml}");
        }
        let accepts = requests[0].1.to_xml(None).contains("acceptance=\"Yes\"");
        assert_eq!(accepts, line.starts_with("/accept"), "{line}");
        for (id, _) in &requests {
            answer(&mut codec, id, r#"<Status code="200"/>"#);
        }
        // It is answered: nothing is left to be said.
        only_shows(&mut codec, line);
    }
}

#[test]
fn an_answer_that_did_not_arrive_can_be_given_again() {
    let mut codec = codec();
    now(&mut codec, TO_TALK);
    let (id, _) = said(&mut codec, "/accept bob@b.test").remove(0);
    let told = answer(&mut codec, &id, r#"<Status code="504"/>"#).unwrap();
    assert!(
        told.starts_with("* accept bob@b.test failed: 504"),
        "{told}"
    );
    assert_eq!(said(&mut codec, "/decline bob@b.test").len(), 1);
}

#[test]
fn an_invitation_is_answered_and_withdrawn_once() {
    let mut codec = codec();
    let (id, request) = said(&mut codec, "/invite bob@b.test alice/club").remove(0);
    answer(&mut codec, &id, r#"<Status code="200"/>"#);
    let xml = request.to_xml(None);
    let invite = xml.split("inviteID=\"").nth(1).unwrap();
    let invite = invite.split('"').next().unwrap();
    let told = now(
        &mut codec,
        &format!(
            r#"<InviteResponse inviteID="{invite}" acceptance="Yes"><Responding><User userID="wv:bob@b.test"/></Responding><ResponseNote>gladly</ResponseNote></InviteResponse>"#
        ),
    );
    let line = "* bob@b.test accepts your invitation into the group alice/club@home.test (gladly)";
    assert_eq!(told.as_deref(), Some(line));
    let withdrawal = asked(&mut codec, "/withdraw bob@b.test enough").remove(0);
    assert!(
        withdrawal.starts_with("<CancelInviteRequest"),
        "{withdrawal}"
    );
    assert!(withdrawal.contains(invite), "{withdrawal}");
    only_shows(&mut codec, "/withdraw bob@b.test");
    // One that was refused is none.
    let (id, _) = said(&mut codec, "/invite zoe@far.test").remove(0);
    let told = answer(&mut codec, &id, r#"<Status code="531"/>"#).unwrap();
    assert!(
        told.starts_with("* invite zoe@far.test failed: 531"),
        "{told}"
    );
    only_shows(&mut codec, "/withdraw zoe@far.test");
}

#[test]
fn what_somebody_withdraws_cannot_be_accepted_any_more() {
    let mut codec = codec();
    now(&mut codec, INTO_GROUP);
    let withdrawn = r#"<CancelInviteRequest inviteID="i-2"><Canceling><User userID="wv:bob@b.test"/></Canceling><Canceled><User userID="wv:alice@home.test"/></Canceled><GroupID groupID="wv:bob/club@b.test"/></CancelInviteRequest>"#;
    let told = now(&mut codec, withdrawn);
    let line = "* bob@b.test has withdrawn the invitation into the group bob/club@b.test";
    assert_eq!(told.as_deref(), Some(line));
    only_shows(&mut codec, "/accept bob@b.test");
}
