//! Group E: limitations that are planned for.

use wvgate::imps::common::Party;
use wvgate::imps::{Address, Code, Primitive};
use wvgate::sap::{Peer, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::{decode_fragment, print_session};

use super::{ALICE, Between, ROB, ROOM, about_group, asks, code, message, read, text, user};
use crate::support::alone::{dialect, quiet};
use crate::support::client::Client;
use crate::support::talk::Command;

fn taken(code: u16, details: &str) -> String {
    format!(
        "<SendMessageResponse messageID=\"m1\"><Status code=\"{code}\">{details}</Status></SendMessageResponse>"
    )
}

/// As recorded (01/0071).
const FOREIGN: &str = "<DetailedResult code=\"516\"><StatusDescription>Forwarding to domain b.test is not supported!</StatusDescription></DetailedResult>";

fn to_group() -> String {
    message(ROB, &format!("<GroupID groupID=\"{ROOM}\"/>"))
}

#[test]
fn a_third_domain_behind_it_is_answered_516_to_who_asks() {
    let mut between = Between::new();
    let heard = between.answered(&message(ROB, &user(ALICE)), &taken(516, ""));
    assert_eq!(code(&heard), 516);
}

#[test]
fn members_of_other_domains_are_no_failures_of_a_group_message() {
    for verdict in [201, 900] {
        let mut between = Between::new();
        let answer = taken(verdict, &FOREIGN.repeat(3));
        let Primitive::SendMessageResponse(heard) = between.answered(&to_group(), &answer) else {
            panic!("no answer")
        };
        assert_eq!(heard.status.code, Code::OK, "{verdict}");
        assert!(heard.status.details.is_empty());
    }
    // As it was recorded.
    let (message, _) = read("10/0063", &[]);
    let transactions = crate::codec_fixtures::transactions(&message).1;
    let mut between = Between::new();
    let heard = between.answered(&to_group(), text(transactions[0]));
    assert_eq!(code(&heard), 200);
}

#[test]
fn members_on_our_side_get_a_group_message_from_us() {
    let mut between = Between::new();
    let joined = "<JoinGroupResponse><Status code=\"200\"/></JoinGroupResponse>";
    let named = format!("<ScreenName groupID=\"{ROOM}\">Robby</ScreenName></JoinGroupRequest>");
    let join = about_group("JoinGroupRequest", ROB, ROOM).replace("</JoinGroupRequest>", &named);
    between.answered(&join, joined);
    for who in ["wv:ray@r.test", "wv:cleo@c.test"] {
        between.answered(&about_group("JoinGroupRequest", who, ROOM), joined);
    }
    between.alone.restart();
    // A message that the group refuses goes to nobody.
    assert_eq!(code(&between.answered(&to_group(), &taken(808, ""))), 808);
    assert!(between.is_quiet());

    let asked = between.relayed_to_it(&to_group().replace("m1", "m2"));
    between.alone.restart();
    between.say("a.test", Mode::Response, &asked.id, &taken(201, FOREIGN));
    let copy = between.sent("r.test");
    let Ok(Primitive::SendMessageRequest(message)) = copy.primitive() else {
        panic!("{copy:?}")
    };
    assert_eq!(copy.mode, Mode::Request);
    // Both are reached by r.test; who wrote it has it already.
    let others = ["wv:cleo@c.test", "wv:ray@r.test"].map(Address::new);
    let to: Vec<_> = message
        .info
        .recipients
        .iter()
        .map(|r| r.address())
        .collect();
    assert_eq!(to, others.iter().collect::<Vec<_>>());
    let name = message.info.sender.unwrap().screen_name.unwrap();
    assert_eq!(
        (name.group, name.name.as_str()),
        (Address::new(ROOM), "Robby")
    );
    assert_eq!(message.content.unwrap().bytes, b"hi");
    let answer = between.sent("r.test");
    assert_eq!(code(&answer.primitive().unwrap()), 200);
    // What becomes of the copy is nobody's business.
    between.say("r.test", Mode::Response, &copy.id, &taken(200, ""));
    assert!(between.is_quiet());
    // Nor does a second answer make a second copy.
    between.say("a.test", Mode::Response, &asked.id, &taken(201, FOREIGN));
    assert!(between.is_quiet());

    // Who is no member reaches nobody through us.
    let stranger = to_group().replace(ROB, "wv:eve@r.test").replace("m1", "m3");
    between.answered(&stranger, &taken(200, ""));
    assert!(between.is_quiet());
}

/// Robby, Ray and Cleo (who has no name) join through us.
fn with_members() -> Between {
    let mut between = Between::new();
    let joined = "<JoinGroupResponse><Status code=\"200\"/></JoinGroupResponse>";
    for (who, name) in [(ROB, Some("Robby")), (RAY, Some("Ray")), (CLEO, None)] {
        let name = name.map_or_else(String::new, participant);
        let end = format!("{name}</JoinGroupRequest>");
        let join = about_group("JoinGroupRequest", who, ROOM).replace("</JoinGroupRequest>", &end);
        between.answered(&join, joined);
    }
    between
}

fn participant(name: &str) -> String {
    format!("<ScreenName groupID=\"{ROOM}\">{name}</ScreenName>")
}

/// To whom the next message to r.test goes.
fn copied(between: &mut Between) -> Vec<Address> {
    let copy = between.sent("r.test");
    let Ok(Primitive::SendMessageRequest(message)) = copy.primitive() else {
        panic!("{copy:?}")
    };
    let to = message.info.recipients.iter();
    to.map(|recipient| recipient.address().clone()).collect()
}

const RAY: &str = "wv:ray@r.test";
const CLEO: &str = "wv:cleo@c.test";

#[test]
fn a_message_to_one_participant_goes_to_that_member_alone() {
    let mut between = with_members();
    // A user of the group's own server has it from there: nobody here gets it.
    let to_gina = message(ROB, &participant("Gina"));
    let heard = between.answered(&to_gina, &taken(200, ""));
    assert_eq!(code(&heard), 200);
    assert!(between.is_quiet());
    // A member of ours gets it from us, whatever the group's server makes of that.
    for (n, (name, who)) in [(" Ray\n", RAY), ("cleo", CLEO), (CLEO, CLEO)]
        .into_iter()
        .enumerate()
    {
        for verdict in [200, 900] {
            let id = format!("p{n}-{verdict}");
            let xml = message(ROB, &participant(name)).replace("m1", &id);
            let asked = between.relayed_to_it(&xml);
            let details = if verdict == 200 { "" } else { FOREIGN };
            between.alone.restart();
            between.say(
                "a.test",
                Mode::Response,
                &asked.id,
                &taken(verdict, details),
            );
            assert_eq!(copied(&mut between), [Address::new(who)], "{name}");
            assert_eq!(code(&between.sent("r.test").primitive().unwrap()), 200);
            assert!(between.is_quiet());
        }
    }
}

#[test]
fn a_participant_who_is_not_known_here_is_a_failure() {
    let mut between = with_members();
    // Not even to who has the same name in another group, or writes to themselves.
    for (n, name) in ["Joe", "ray", "", "Robby"].into_iter().enumerate() {
        let xml = message(ROB, &participant(name)).replace("m1", &format!("q{n}"));
        let heard = between.answered(&xml, &taken(900, FOREIGN));
        assert_eq!(code(&heard), 900, "{name}");
        assert!(between.is_quiet(), "{name}");
    }
    // Who is no member reaches no participant through us.
    let stranger = message("wv:eve@r.test", &participant("Ray"));
    let heard = between.answered(&stranger, &taken(900, FOREIGN));
    assert_eq!(code(&heard), 900);
    assert!(between.is_quiet());
    // With one who is known it goes to them, and the failure stays.
    let both = format!(
        "{}</Recipient><Recipient>{}",
        participant("Joe"),
        participant("Ray")
    );
    let xml = message(ROB, &both).replace("m1", "q9");
    let asked = between.relayed_to_it(&xml);
    between.say(
        "a.test",
        Mode::Response,
        &asked.id,
        &taken(900, &FOREIGN.repeat(2)),
    );
    assert_eq!(copied(&mut between), [Address::new(RAY)]);
    assert_eq!(code(&between.sent("r.test").primitive().unwrap()), 900);
    // A name that two have is nobody's.
    let named = format!("{}</JoinGroupRequest>", participant("Ray"));
    let join = about_group("JoinGroupRequest", "wv:ray@c.test", ROOM);
    let joined = "<JoinGroupResponse><Status code=\"200\"/></JoinGroupResponse>";
    between.answered(&join.replace("</JoinGroupRequest>", &named), joined);
    let xml = message(ROB, &participant("Ray")).replace("m1", "q10");
    assert_eq!(code(&between.answered(&xml, &taken(900, FOREIGN))), 900);
    assert!(between.is_quiet());
}

#[test]
fn members_get_what_is_for_their_group_and_nothing_else() {
    let group = format!("<GroupID groupID=\"{ROOM}\"/>");
    let as_user = user(ROOM);
    let list = "<ContactList contactListID=\"wv:alice/den@a.test\"/>".to_owned();
    let all = [CLEO, RAY].map(Address::new);
    let private = format!("{group}</Recipient><Recipient>{}", participant("Ray"));
    let cases: [(&str, &str, u16, &[Address]); 6] = [
        (&group, "the group", 200, &all),
        (&as_user, "the group where a user should stand", 200, &all),
        (&private, "the group and one of it", 200, &all),
        (&participant("Ray"), "a participant", 200, &all[1..]),
        (&user(ALICE), "a user", 900, &[]),
        (&list, "a contact list", 900, &[]),
    ];
    for (to, what, verdict, got) in cases {
        let mut between = with_members();
        let asked = between.relayed_to_it(&message(ROB, to));
        between.say("a.test", Mode::Response, &asked.id, &taken(900, FOREIGN));
        if !got.is_empty() {
            assert_eq!(copied(&mut between), got, "{what}");
        }
        let heard = between.sent("r.test").primitive().unwrap();
        assert_eq!(code(&heard), verdict, "{what}");
        assert!(between.is_quiet(), "{what}");
    }
}

#[test]
fn other_failures_of_a_group_message_stay() {
    let mut between = Between::new();
    let blocked = "<DetailedResult code=\"532\"><StatusDescription>Blocked by wv:anna@a.test</StatusDescription></DetailedResult>";
    let answer = taken(201, &format!("{FOREIGN}{blocked}"));
    let Primitive::SendMessageResponse(heard) = between.answered(&to_group(), &answer) else {
        panic!("no answer")
    };
    assert_eq!(heard.status.code, Code::PARTIAL);
    let [detail] = heard.status.details.as_slice() else {
        panic!("{heard:?}")
    };
    assert_eq!(detail.code, Code::BLOCKED);
    // To a user, 516 is what it says.
    let xml = message(ROB, &user(ALICE)).replace("m1", "m2");
    let answer = taken(900, FOREIGN);
    assert_eq!(code(&between.answered(&xml, &answer)), 900);
    // And a server that serves all members says so of its own members.
    let mut between = Between::with(Peer::new("a.test", quiet()));
    let answer = taken(201, FOREIGN);
    assert_eq!(code(&between.answered(&to_group(), &answer)), 201);
}

#[test]
fn addresses_are_written_in_lower_case_and_one_form() {
    let mut between = Between::new();
    let sent = between.relayed_to_it(&message("Rob@R.Test", &user("WV:Alice@A.TEST")));
    let raw = text(&sent);
    assert!(raw.contains(ROB) && raw.contains(ALICE), "{raw}");
    assert!(!raw.contains("Rob") && !raw.contains("Alice"), "{raw}");
}

#[test]
fn groups_are_written_in_lower_case() {
    let mut between = Between::new();
    let sent = between.relayed_to_it(&about_group("JoinGroupRequest", ROB, "wv:Alice/Den@A.test"));
    assert!(
        text(&sent).contains("groupID=\"wv:alice/den@a.test\""),
        "{sent:?}"
    );
}

#[test]
fn no_client_is_named_in_group_primitives() {
    let mut between = Between::new();
    for name in [
        "JoinGroupRequest",
        "LeaveGroupRequest",
        "GetJoinedUsersRequest",
    ] {
        let client = format!("<User userID=\"{ROB}\"><ClientID url=\"c1\"/></User>");
        let xml = about_group(name, ROB, ROOM).replace(&user(ROB), &client);
        assert!(xml.contains("ClientID"));
        let sent = between.relayed_to_it(&xml);
        assert!(!text(&sent).contains("ClientID"), "{sent:?}");
    }
}

#[test]
fn who_writes_to_its_groups_or_invites_to_them_is_a_user() {
    let mut between = Between::new();
    let name = format!("<ScreenName groupID=\"{ROOM}\">Robby</ScreenName>");
    let xml = to_group().replace(
        &format!("<Sender>{}", user(ROB)),
        &format!("<Sender>{name}"),
    );
    let Ok(Primitive::SendMessageRequest(sent)) = between.relayed_to_it(&xml).primitive() else {
        panic!("no message")
    };
    let sender = sent.info.sender.unwrap();
    assert_eq!(sender.user.unwrap().user, Address::new(ROB));
    assert!(sender.screen_name.is_none());
    let xml = format!(
        "<InviteRequest inviteID=\"i1\" inviteType=\"GR\">{}<Inviting>{name}</Inviting><Invited>{}</Invited><GroupID groupID=\"{ROOM}\"/></InviteRequest>",
        asks(ROB),
        user(ALICE)
    );
    let Ok(Primitive::InviteRequest(sent)) = between.relayed_to_it(&xml).primitive() else {
        panic!("no invitation")
    };
    assert!(matches!(sent.inviting, Some(Party::User(user)) if user.user == Address::new(ROB)));
}

#[test]
fn what_it_does_not_know_is_answered_405_to_who_asks() {
    let mut between = Between::new();
    let create = about_group("CreateGroupRequest", ROB, ROOM);
    assert_eq!(
        code(&between.answered(&create, "<Status code=\"405\"/>")),
        405
    );
    let set = dialect("baraza").service_set().unwrap();
    let unknown = wvgate::sap::ServiceSet::named("CREAG").unwrap();
    assert_eq!(set.difference(unknown), set, "the service table says so");
}

#[test]
fn every_mapping_is_read() {
    let list: String = ["A", "B", "C"]
        .map(|n| format!("<Mapping><SName>{n}</SName></Mapping>"))
        .concat();
    let xml = format!(
        "<GetJoinedUsersResponse><Status code=\"200\"/><JoinedUsers> <UserMapList><UserMapping>{list}</UserMapping></UserMapList></JoinedUsers></GetJoinedUsersResponse>"
    );
    let Ok(Primitive::GetJoinedUsersResponse(read)) = decode_fragment(xml.as_bytes()) else {
        panic!("{xml}")
    };
    assert_eq!(read.users.unwrap().map.unwrap().mappings.unwrap().len(), 3);
}

#[test]
fn both_names_of_screen_names_in_a_failure_are_read() {
    for name in ["ScreenName", "ScreenNames"] {
        let xml = format!(
            "<Status code=\"201\"><DetailedResult code=\"532\"><{name} groupID=\"{ROOM}\">Boss</{name}></DetailedResult></Status>"
        );
        let Ok(Primitive::Status(status)) = decode_fragment(xml.as_bytes()) else {
            panic!("{xml}")
        };
        assert_eq!(status.details[0].screen_names[0].name, "Boss");
    }
}

#[test]
fn a_message_to_an_offline_user_is_a_success() {
    let mut between = Between::new();
    let heard = between.answered(&message(ROB, &user(ALICE)), &taken(200, ""));
    assert_eq!(code(&heard), 200);
}

#[test]
fn each_question_about_a_groups_properties_is_asked() {
    let mut between = Between::new();
    let answer = "<GetGroupPropsResponse><Status code=\"200\"/></GetGroupPropsResponse>";
    for _ in 0..2 {
        let heard = between.answered(&about_group("GetGroupPropsRequest", ROB, ROOM), answer);
        assert!(
            matches!(heard, Primitive::GetGroupPropsResponse(_)),
            "{heard:?}"
        );
    }
}

#[test]
fn presence_comes_in_the_older_form_and_goes_on_as_it_is() {
    let mut between = Between::new();
    between.replay("13/0068", &[("bob@b.test", "rob@r.test")]);
    let relayed = between.sent("r.test");
    let Ok(Primitive::PresenceNotification(notice)) = relayed.primitive() else {
        panic!("{relayed:?}")
    };
    let list = notice.values[0].presence.as_ref().unwrap();
    assert_eq!(list.attributes.len(), 2);
}

#[test]
fn what_it_never_answers_is_answered_504_in_time() {
    let mut between = Between::new();
    between.relayed_to_it(&about_group("GetGroupPropsRequest", ROB, ROOM));
    between.alone.pass(19_000);
    assert!(between.is_quiet());
    between.alone.pass(2_000);
    let answer = between.sent("r.test");
    assert_eq!(code(&answer.primitive().unwrap()), 504);
}

#[test]
fn its_other_domains_are_taken_for_itself() {
    let mut peer = Peer::new("a.test", dialect("baraza"));
    peer.aliases = vec!["a2.test".to_owned()];
    let mut between = Between::with(peer);
    let relayed = between.relayed_from_it(&message("wv:anna@a2.test", &user(ROB)));
    assert_eq!(relayed.peek.user, Some(Address::new("wv:anna@a2.test")));
    // Presence of the other domain comes over the session of the main one.
    let (message, _) = read(
        "13/0068",
        &[
            ("bob@b.test", "rob@r.test"),
            ("wv:alice@a.test", "wv:anna@a2.test"),
        ],
    );
    let facts = wvgate::sap::Facts::default();
    let now = between.alone.now;
    assert_eq!(
        between.alone.sap.receive(&message, &facts, now),
        Verdict::Accepted
    );
    between.alone.drain();
    let relayed = between.sent("r.test");
    assert_eq!(relayed.peek.publishers, [Address::new("wv:anna@a2.test")]);
    // A domain that is none of its own is not.
    let stranger = super::message("wv:eve@c.test", &user(ROB));
    let body = print_session(
        "x",
        "101@a.test",
        [(Mode::Request, "e-1", stranger.as_str())],
    );
    assert_eq!(between.alone.say(&body), Verdict::Accepted);
    let refusal = between.sent("a.test");
    assert_eq!(code(&refusal.primitive().unwrap()), 901);
}

#[tokio::test]
async fn who_is_watched_at_home_is_asked_for_anew_when_a_session_comes_back() {
    use crate::support::peer::{Deployed, node};
    let mut peer = Deployed::listen().await;
    let store = std::sync::Arc::new(wvgate::store::MemoryStore::new());
    let node = node(&peer, &store, "").await;
    peer.talk_to(node.local_addr());
    peer.log_in().await;
    let bob = Client::open(node.handle(), "bob").await.unwrap().unwrap();
    let command = Command::Subscribe {
        user: Address::new(ALICE),
    };
    bob.command(command).await.unwrap();
    let asked = peer.expect(&["<SubscribeRequest"]).await;
    let id = asked.attribute("transactionID");
    let answer = [("\"u1\"", &*format!("\"{id}\""))];
    assert_eq!(peer.replay("13/0066", &answer).await, Some(200));
    // The session is gone, and with it perhaps what was to be told.
    let lose =
        |core: &mut wvgate::node::Core, now, _: &mut _| core.sap.drop_sessions("a.test", now);
    let lost = node.handle().ask_for_peer("a.test", lose).await;
    assert_eq!(lost.unwrap(), 1);
    peer.log_in().await;
    let again = peer.expect(&["<SubscribeRequest"]).await;
    assert_ne!(again.attribute("transactionID"), id);
    assert!(again.body.contains(ALICE), "{}", again.body);
}
