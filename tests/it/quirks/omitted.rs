//! Group B: what the deployed server leaves out.

use wvgate::sap::Peer;
use wvgate::ssp::{Address, Code, Mode, Primitive};

use super::{ALICE, Between, ROB, ROOM, about_group, asks, message, user};
use crate::support::alone::dialect;

const RAY: &str = "wv:ray@r.test";
const JOINED: &str = "<JoinGroupResponse><Status code=\"200\"/></JoinGroupResponse>";
const LEFT: &str = "<LeaveGroupIndication><Status code=\"200\"/></LeaveGroupIndication>";

fn notice(publisher: &str, watchers: &[&str]) -> String {
    let watchers: String = watchers.iter().map(|watcher| user(watcher)).collect();
    format!(
        "<PresenceNotification>{watchers}<PresenceValue userID=\"{publisher}\"><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus></PresenceSubList></PresenceValue></PresenceNotification>"
    )
}

fn subscribe(between: &mut Between, watcher: &str, publishers: &[&str]) {
    let users: String = publishers
        .iter()
        .map(|user| format!("<UserID userID=\"{user}\"/>"))
        .collect();
    let request = format!(
        "<SubscribeRequest>{}{users}</SubscribeRequest>",
        asks(watcher)
    );
    between.answered(&request, "<Status code=\"200\"/>");
}

/// The users whom the next transaction for r.test is for.
fn told(between: &mut Between) -> Vec<Address> {
    match between.sent("r.test").primitive().unwrap() {
        Primitive::LeaveGroupIndication(notice) => notice.users,
        Primitive::PresenceNotification(notice) => notice.watchers,
        other => panic!("{other:?}"),
    }
    .into_iter()
    .map(|user| user.user)
    .collect()
}

#[test]
fn presence_without_requestor_is_known_by_its_publisher() {
    let mut between = Between::new();
    let relayed = between.relayed_from_it(&notice(ALICE, &[ROB]));
    assert_eq!(relayed.peek.publishers, [Address::new(ALICE)]);
    between.say(
        "a.test",
        Mode::Request,
        "f1",
        &notice("wv:eve@c.test", &[ROB]),
    );
    assert!(between.is_quiet(), "of a domain that is not the peer's");
}

#[tokio::test]
async fn presence_without_value_shows_nothing() {
    use crate::support::peer::{Deployed, node};
    let mut peer = Deployed::listen().await;
    let store = std::sync::Arc::new(wvgate::store::MemoryStore::new());
    let node = node(&peer, &store, "").await;
    peer.talk_to(node.local_addr());
    peer.log_in().await;
    let mut bob = node.handle().client_open("bob").await.unwrap().unwrap();
    let command = wvgate::home::Command::Subscribe {
        user: Address::new(ALICE),
    };
    bob.command(command).await.unwrap();
    let asked = peer.expect(&["<SubscribeRequest"]).await;
    let id = asked.attribute("transactionID");
    assert_eq!(
        peer.replay("13/0066", &[("\"u1\"", &format!("\"{id}\""))])
            .await,
        Some(200)
    );
    // Nothing is authorised, then something is.
    assert_eq!(peer.replay("13/0017", &[]).await, Some(200));
    let other = [("0000002001-3001", "0000002001-3002")];
    assert_eq!(peer.replay("13/0068", &other).await, Some(200));
    let first = async {
        loop {
            if let Some(wvgate::home::Event::Presence { user, presence }) = bob.event().await {
                return (user, presence);
            }
        }
    };
    let first = tokio::time::timeout(std::time::Duration::from_secs(10), first);
    let (user, presence) = first.await.expect("presence");
    assert_eq!(user, Address::new(ALICE));
    // The first that is told is not the one without value.
    assert_ne!(presence, Default::default());
}

#[test]
fn an_invite_response_without_requestor_is_known_by_its_invitation() {
    let mut between = Between::new();
    let invite = format!(
        "<InviteRequest inviteID=\"i1\" inviteType=\"IM\">{}<Inviting>{}</Inviting><Invited>{}</Invited></InviteRequest>",
        asks(ROB),
        user(ROB),
        user(ALICE)
    );
    between.answered(&invite, "<Status code=\"200\"/>");
    // The recorded response to it: no MetaInfo, the parties exchanged.
    between.replay("10/0045", &[("bob@b.test", "rob@r.test")]);
    let Ok(Primitive::InviteResponse(response)) = between.sent("r.test").primitive() else {
        panic!("no response")
    };
    assert_eq!(response.invite_id, "i1");
    assert_eq!(response.inviting.unwrap().address(), &Address::new(ROB));
}

#[test]
fn an_answer_about_presence_without_status_is_a_success() {
    // Such a request is never sent to it; some other peer might answer so.
    let mut between = Between::with(Peer::new("a.test", crate::support::alone::quiet()));
    let request = format!(
        "<GetPresenceRequest>{}<VerUserID userID=\"{ALICE}\"/></GetPresenceRequest>",
        asks(ROB)
    );
    let Primitive::GetPresenceResponse(heard) =
        between.answered(&request, "<GetPresenceResponse>\n</GetPresenceResponse>")
    else {
        panic!("no answer")
    };
    assert_eq!(heard.status.unwrap().code, Code::OK);
}

#[test]
fn a_deleted_group_is_told_to_all_of_our_side_who_joined_it() {
    let mut between = Between::new();
    for who in [ROB, RAY] {
        between.answered(&about_group("JoinGroupRequest", who, ROOM), JOINED);
    }
    let other = "wv:alice/other@a.test";
    between.answered(&about_group("JoinGroupRequest", ROB, other), JOINED);
    // What was learned is on disk.
    between.alone.restart();
    let recorded = [("501@b.test", "101@a.test"), ("wv:bob/room1@b.test", ROOM)];
    between.replay("01/0153", &recorded);
    let mut all = told(&mut between);
    all.sort();
    assert_eq!(all, [Address::new(RAY), Address::new(ROB)]);
    // They have left: nobody is told twice.
    between.replay(
        "01/0153",
        &[recorded[0], recorded[1], ("0000007010", "0000007011")],
    );
    assert!(between.is_quiet());
}

#[test]
fn a_leave_that_does_not_say_who_concerns_the_only_member_or_nobody() {
    let mut between = Between::new();
    for who in [ROB, RAY] {
        between.answered(&about_group("JoinGroupRequest", who, ROOM), JOINED);
    }
    let ejected = format!(
        "<LeaveGroupIndication groupID=\"{ROOM}\"><Status code=\"824\"/></LeaveGroupIndication>"
    );
    between.say("a.test", Mode::Request, "1-1", &ejected);
    assert!(between.is_quiet(), "one of two, but which?");
    between.answered(&about_group("LeaveGroupRequest", RAY, ROOM), LEFT);
    between.say("a.test", Mode::Request, "2-1", &ejected);
    assert_eq!(told(&mut between), [Address::new(ROB)]);
    // A join that was refused counts for nothing.
    let refused = "<Status code=\"816\"/>";
    between.answered(&about_group("JoinGroupRequest", RAY, ROOM), refused);
    between.say("a.test", Mode::Request, "3-1", &ejected);
    assert!(between.is_quiet());
    assert!(
        between
            .alone
            .disk
            .keys()
            .all(|key| !key.contains("standing"))
    );
}

#[test]
fn presence_that_names_no_watcher_goes_to_all_who_watch() {
    let mut between = Between::new();
    subscribe(&mut between, ROB, &[ALICE, "wv:anna@a.test"]);
    subscribe(&mut between, RAY, &[ALICE]);
    between.say("a.test", Mode::Request, "1-1", &notice(ALICE, &[]));
    let mut all = told(&mut between);
    all.sort();
    assert_eq!(all, [Address::new(RAY), Address::new(ROB)]);
    between.say(
        "a.test",
        Mode::Request,
        "2-1",
        &notice("wv:anna@a.test", &[]),
    );
    assert_eq!(told(&mut between), [Address::new(ROB)]);
    let leave = format!(
        "<UnsubscribeRequest>{}<UserID userID=\"{ALICE}\"/></UnsubscribeRequest>",
        asks(ROB)
    );
    between.answered(&leave, "<Status code=\"200\"/>");
    between.say("a.test", Mode::Request, "3-1", &notice(ALICE, &[]));
    assert_eq!(told(&mut between), [Address::new(RAY)]);
    // Nobody watches him.
    between.say(
        "a.test",
        Mode::Request,
        "4-1",
        &notice("wv:zoe@a.test", &[]),
    );
    assert!(between.is_quiet());
}

#[test]
fn whom_a_detail_is_about_is_read_from_its_text() {
    let mut between = Between::with(Peer::new("a.test", dialect("baraza")));
    let to = format!("{}{}", user(ALICE), user("wv:nobody@a.test"));
    let to = to.replace("/><User", "/></Recipient><Recipient><User");
    // As recorded (01/0057), for a message.
    let answer = "<SendMessageResponse messageID=\"m1\"><Status code=\"201\"><StatusDescription>Complete</StatusDescription><DetailedResult code=\"531\"><StatusDescription>Unknown UserID: wv:nobody@a.test</StatusDescription></DetailedResult></Status></SendMessageResponse>";
    let Primitive::SendMessageResponse(heard) = between.answered(&message(ROB, &to), answer) else {
        panic!("no answer")
    };
    let details = &heard.status.details;
    assert_eq!(heard.status.code, Code::PARTIAL);
    assert_eq!(details[0].users[0].user, Address::new("wv:nobody@a.test"));
    // A text that ends otherwise is about the whole request.
    let answer = answer.replace(": wv:nobody@a.test", " somewhere");
    let again = message(ROB, &to).replace("m1", "m2");
    let Primitive::SendMessageResponse(heard) = between.answered(&again, &answer) else {
        panic!("no answer")
    };
    assert!(heard.status.details[0].users.is_empty());
}
