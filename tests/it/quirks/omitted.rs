//! Group B: what the deployed server leaves out.

use wvgate::imps::{Address, Code, Primitive};
use wvgate::sap::Peer;
use wvgate::ssp::Mode;

use super::{ALICE, Between, ROB, ROOM, about_group, asks, message, user};
use crate::support::alone::dialect;
use crate::support::client::Client;
use crate::support::talk::{Command, Event};

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
    let mut bob = Client::open(node.handle(), "bob").await.unwrap().unwrap();
    let command = Command::Subscribe {
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
            if let Some(Event::Presence { user, presence }) = bob.take().await {
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
    // Names that begin like it are no status.
    let text = format!(
        "<PresenceValue userID=\"{ALICE}\"><PresenceSubList><StatusText><Qualifier>T</Qualifier></StatusText></PresenceSubList></PresenceValue>"
    );
    for inner in ["\n", &text] {
        let answer = format!("<GetPresenceResponse>{inner}</GetPresenceResponse>");
        let Primitive::GetPresenceResponse(heard) = between.answered(&request, &answer) else {
            panic!("no answer")
        };
        assert_eq!(heard.status.unwrap().code, Code::OK, "{inner}");
    }
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

/// A join under this screen name.
fn join(between: &mut Between, who: &str, name: &str) {
    let join = format!(
        "<JoinGroupRequest groupID=\"{ROOM}\" joinedListRequest=\"No\" subscribeNotif=\"No\">{}<ScreenName groupID=\"{ROOM}\">{name}</ScreenName></JoinGroupRequest>",
        asks(who)
    );
    between.answered(&join, JOINED);
}

/// That somebody had to leave the group.
fn ejected(between: &mut Between, id: &str) {
    let notice = format!(
        "<LeaveGroupIndication groupID=\"{ROOM}\"><Status code=\"809\"/><ReasonText>Enough</ReasonText></LeaveGroupIndication>"
    );
    between.say("a.test", Mode::Request, id, &notice);
}

/// Who asks the group's server for who is joined, and under which id.
fn question(between: &mut Between) -> (String, Address) {
    let asked = between.sent("a.test");
    let Primitive::GetJoinedUsersRequest(question) = asked.primitive().unwrap() else {
        panic!("{asked:?}")
    };
    assert_eq!(question.group, Address::new(ROOM));
    let asker = question.meta.unwrap().user().unwrap().user.clone();
    (asked.id, asker)
}

/// The deployed server's list of these screen names.
fn joined(between: &mut Between, id: &str, names: &[&str]) {
    let names: String = names
        .iter()
        .map(|name| format!("<Mapping><SName>{name}</SName></Mapping>"))
        .collect();
    let list = format!(
        "<GetJoinedUsersResponse><Status code=\"200\"/><JoinedUser><UserMapList><UserMapping>{names}<Mapping><SName>Host</SName><UserID userid=\"{ALICE}\"/></Mapping></UserMapping></UserMapList></JoinedUser></GetJoinedUsersResponse>"
    );
    between.say("a.test", Mode::Response, id, &list);
}

#[test]
fn a_leave_that_does_not_say_who_concerns_the_only_member() {
    let mut between = Between::new();
    ejected(&mut between, "0-1");
    assert!(between.is_quiet(), "nobody of our side is there");
    for who in [ROB, RAY] {
        between.answered(&about_group("JoinGroupRequest", who, ROOM), JOINED);
    }
    between.answered(&about_group("LeaveGroupRequest", RAY, ROOM), LEFT);
    ejected(&mut between, "2-1");
    assert_eq!(told(&mut between), [Address::new(ROB)]);
    // A join that was refused counts for nothing.
    let refused = "<Status code=\"816\"/>";
    between.answered(&about_group("JoinGroupRequest", RAY, ROOM), refused);
    ejected(&mut between, "3-1");
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
fn a_member_asks_who_is_joined_and_those_no_longer_listed_hear_that_they_left() {
    let mut between = Between::new();
    for (who, name) in [(ROB, "Robin"), (RAY, "Ray & Co"), ("wv:sue@r.test", "Sue")] {
        join(&mut between, who, &name.replace('&', "&amp;"));
    }
    ejected(&mut between, "1-1");
    let (id, asker) = question(&mut between);
    assert_eq!(asker, Address::new(RAY), "a user asks");
    // It is said again, and of another: one question at a time.
    ejected(&mut between, "1-1");
    ejected(&mut between, "2-1");
    assert!(between.is_quiet());
    // Neither is lost in a restart.
    between.alone.restart();
    joined(&mut between, &id, &["robin", "Stranger"]);
    // The second notice was about one of these: who is left is asked, and still there.
    let (id, asker) = question(&mut between);
    assert_eq!(asker, Address::new(ROB));
    let notice = between.sent("r.test");
    let Ok(Primitive::LeaveGroupIndication(said)) = notice.primitive() else {
        panic!("{notice:?}")
    };
    assert_eq!(said.status.code, Code(809));
    assert_eq!(said.reason.as_deref(), Some("Enough"));
    let left: Vec<Address> = said.users.into_iter().map(|user| user.user).collect();
    assert_eq!(left, [Address::new(RAY), Address::new("wv:sue@r.test")]);
    joined(&mut between, &id, &["Robin"]);
    assert!(between.is_quiet());
    // A third comes a moment later. The only one left need not be whom it is about.
    ejected(&mut between, "3-1");
    let (id, _) = question(&mut between);
    joined(&mut between, &id, &["Robin"]);
    assert!(between.is_quiet());
    between.alone.pass(120_000);
    ejected(&mut between, "4-1");
    assert_eq!(told(&mut between), [Address::new(ROB)]);
}

#[test]
fn a_member_who_may_not_ask_any_more_is_the_one_who_left() {
    let mut between = Between::new();
    join(&mut between, ROB, "Robin");
    // Without a name the id serves.
    between.answered(&about_group("JoinGroupRequest", RAY, ROOM), JOINED);
    ejected(&mut between, "1-1");
    let (id, asker) = question(&mut between);
    assert_eq!(asker, Address::new(RAY));
    let not_joined = "<Status code=\"808\"/>";
    between.say("a.test", Mode::Response, &id, not_joined);
    let (id, asker) = question(&mut between);
    assert_eq!(asker, Address::new(ROB));
    joined(&mut between, &id, &["Robin"]);
    assert_eq!(told(&mut between), [Address::new(RAY)]);
}

#[test]
fn a_member_who_may_stand_under_an_unknown_name_is_not_told_that_he_left() {
    let mut between = Between::new();
    join(&mut between, ROB, "Robin");
    between.answered(&about_group("JoinGroupRequest", RAY, ROOM), JOINED);
    for (id, names) in [("1-1", ["Stranger", "Robin"]), ("2-1", ["ray", "Robin"])] {
        ejected(&mut between, id);
        let (id, _) = question(&mut between);
        joined(&mut between, &id, &names);
        assert!(between.is_quiet(), "{names:?}");
    }
    ejected(&mut between, "3-1");
    let (id, _) = question(&mut between);
    joined(&mut between, &id, &["Robin"]);
    assert_eq!(told(&mut between), [Address::new(RAY)]);
}

#[test]
fn a_question_about_who_left_that_is_not_answered_ends_with_the_notice() {
    let mut between = Between::new();
    for (who, name) in [(ROB, "Robin"), (RAY, "Ray")] {
        join(&mut between, who, name);
    }
    ejected(&mut between, "1-1");
    let (id, _) = question(&mut between);
    between.alone.pass(21_000);
    joined(&mut between, &id, &["Robin"]);
    assert!(between.is_quiet(), "too late");
    // Both refuse to tell: nobody is told.
    ejected(&mut between, "2-1");
    for asker in [RAY, ROB] {
        let (id, who) = question(&mut between);
        assert_eq!(who, Address::new(asker));
        between.say("a.test", Mode::Response, &id, "<Status code=\"816\"/>");
    }
    assert!(between.is_quiet());
    // They are still taken for members: the group's end concerns both.
    let gone = format!(
        "<LeaveGroupIndication groupID=\"{ROOM}\"><Status code=\"800\"/></LeaveGroupIndication>"
    );
    between.say("a.test", Mode::Request, "3-1", &gone);
    assert_eq!(told(&mut between).len(), 2);
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
    // Nobody watches them.
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
    // Case does not count in names.
    let lower = answer.replace("DetailedResult", "detailedresult");
    let again = message(ROB, &to).replace("m1", "m3");
    let Primitive::SendMessageResponse(heard) = between.answered(&again, &lower) else {
        panic!("no answer")
    };
    let details = &heard.status.details;
    assert_eq!(details[0].users[0].user, Address::new("wv:nobody@a.test"));
    // A text that ends otherwise is about the whole request.
    let answer = answer.replace(": wv:nobody@a.test", " somewhere");
    let again = message(ROB, &to).replace("m1", "m2");
    let Primitive::SendMessageResponse(heard) = between.answered(&again, &answer) else {
        panic!("no answer")
    };
    assert!(heard.status.details[0].users.is_empty());
}
