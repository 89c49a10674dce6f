//! Group C: what the deployed server means otherwise than it says.

use wvgate::imps::{Address, Primitive};
use wvgate::sap::Verdict;
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::print_session;

use super::{ALICE, Between, ROB, ROOM, about_group, asks, code, message, primitive, user};
use crate::support::client::Client;
use crate::support::talk::Event;

fn crossed() -> String {
    format!(
        "<InviteResponse inviteID=\"i7\"  acceptance=\"Yes\"><Status code=\"200\"/><Inviting>{}</Inviting><Responding>{}</Responding></InviteResponse>",
        user(ALICE),
        user(ROB)
    )
}

#[test]
fn exchanged_parties_of_an_invite_response_are_put_right() {
    let Primitive::InviteResponse(raw) = primitive("10/0045") else {
        panic!("no response")
    };
    // As recorded, its own user comes first.
    assert_eq!(raw.inviting.unwrap().address().domain(), "a.test");
    let mut between = Between::new();
    let relayed = between.relayed_from_it(&crossed());
    let Ok(Primitive::InviteResponse(response)) = relayed.primitive() else {
        panic!("{relayed:?}")
    };
    assert_eq!(response.inviting.unwrap().address(), &Address::new(ROB));
    assert_eq!(response.responding.unwrap().address(), &Address::new(ALICE));
    // One that is right stays so.
    let right = crossed()
        .replace(ALICE, "x")
        .replace(ROB, ALICE)
        .replace("\"x\"", &format!("\"{ROB}\""));
    let relayed = between.relayed_from_it(&right.replace("i7", "i8"));
    let Ok(Primitive::InviteResponse(response)) = relayed.primitive() else {
        panic!("{relayed:?}")
    };
    assert_eq!(response.inviting.unwrap().address(), &Address::new(ROB));
}

#[test]
fn reports_and_invite_responses_that_come_as_requests_go_on_by_their_ids() {
    let mut between = Between::new();
    between.replay("10/0069", &[("bob@b.test", "rob@r.test")]);
    let report = between.sent("r.test");
    assert_eq!(
        (report.mode, report.name.as_ref()),
        (Mode::Request, "DeliveryStatusReport")
    );
    assert_eq!(report.peek.message_id.as_deref(), Some("md1"));
    let response = between.relayed_from_it(&crossed());
    assert_eq!(
        (response.mode, response.name.as_ref()),
        (Mode::Request, "InviteResponse")
    );
}

#[test]
fn every_session_it_ever_had_is_taken() {
    let mut between = Between::new();
    for (n, session) in ["101@a.test", "95@a.test", "101@a.test"].iter().enumerate() {
        let xml = message(ALICE, &user(ROB)).replace("m1", &format!("m{n}"));
        let id = format!("{n}-0");
        let body = print_session("x", session, [(Mode::Request, id.as_str(), xml.as_str())]);
        assert_eq!(between.alone.say(&body), Verdict::Accepted, "{session}");
        between.sent("r.test");
    }
    // Also after a year of silence, and a restart.
    between.alone.pass(365 * 86_400_000);
    between.alone.posts.clear();
    between.alone.restart();
    let xml = message(ALICE, &user(ROB));
    let body = print_session("x", "95@a.test", [(Mode::Request, "9-0", xml.as_str())]);
    assert_eq!(between.alone.say(&body), Verdict::Accepted);
}

#[test]
fn a_second_join_is_answered_as_the_first() {
    let mut between = Between::new();
    let joined = "<JoinGroupResponse><Status code=\"200\"/></JoinGroupResponse>";
    for _ in 0..2 {
        let heard = between.answered(&about_group("JoinGroupRequest", ROB, ROOM), joined);
        assert_eq!(code(&heard), 200);
    }
    let seats = between
        .alone
        .disk
        .keys()
        .filter(|key| key.contains("standing"));
    assert_eq!(seats.count(), 1);
}

#[test]
fn a_subscription_puts_nothing_to_the_publisher_but_itself() {
    let mut between = Between::new();
    let request = format!(
        "<SubscribeRequest>{}<UserID userID=\"{ALICE}\"/></SubscribeRequest>",
        asks(ROB)
    );
    let heard = between.answered(&request, "<Status code=\"200\"/>");
    assert_eq!(code(&heard), 200);
    between.alone.pass(600_000);
    assert!(between.is_quiet(), "no invitation of our own");
}

#[tokio::test]
async fn notifications_that_nobody_asked_for_are_taken_and_not_shown() {
    use crate::support::peer::{Deployed, node};
    let mut peer = Deployed::listen().await;
    let store = std::sync::Arc::new(wvgate::store::MemoryStore::new());
    let node = node(&peer, &store, "").await;
    peer.talk_to(node.local_addr());
    peer.log_in().await;
    let mut bob = Client::open(node.handle(), "bob").await.unwrap().unwrap();
    assert_eq!(peer.replay("13/0068", &[]).await, Some(200));
    // What comes next shows that the notification would have been here by now.
    assert_eq!(peer.replay("01/0017", &[]).await, Some(200));
    let shown = async {
        loop {
            match bob.take().await {
                Some(Event::Presence { .. }) => return true,
                Some(Event::Message { .. }) => return false,
                _ => {}
            }
        }
    };
    let shown = tokio::time::timeout(std::time::Duration::from_secs(10), shown);
    assert!(!shown.await.expect("a message"));
    // Nothing is answered to it either.
    let rest = peer.rest(std::time::Duration::from_millis(200)).await;
    assert!(
        rest.iter().all(|m| !m.body.contains("0000002001-3001")),
        "{rest:?}"
    );
}
