//! Two home domains of several shards, one of which is killed at each of its commits while their
//! users use every service: contact and attribute lists, presence, groups, invitations, messages,
//! access lists. What was acknowledged is kept, nothing comes twice, and both domains agree in the
//! end, as if nothing had happened.
//!
//! alice and carol are in different shards of a.test.

use std::collections::BTreeMap;

use crate::support::homes::{Homes, Kill};

const USERS: [&str; 3] = ["alice@a.test", "bob@b.test", "carol@a.test"];
const SHARDS: u16 = 3;
/// Each so many commits are taken, and others by each test.
const SELDOM: usize = 12;

const ALICE: &str = USERS[0];
const BOB: &str = USERS[1];
const CAROL: &str = USERS[2];

/// What each asks, one after the other. `META` is who asks.
const STEPS: &[(&str, &str)] = &[
    (
        ALICE,
        r#"<CreateListRequest contactListID="wv:alice/friends@a.test">META<NickList><NickName name="Bob" userID="wv:bob@b.test"/></NickList></CreateListRequest>"#,
    ),
    (
        ALICE,
        r#"<ListManageRequest contactListID="wv:alice/friends@a.test" receiveList="No">META<AddNickList><NickName name="Carol" userID="wv:carol@a.test"/></AddNickList></ListManageRequest>"#,
    ),
    (
        ALICE,
        r#"<CreateAttributeListRequest defaultList="No">META<AttributeList><PresenceSubList xmlns="http://www.openmobilealliance.org/DTD/IMPS-PA1.3"><UserAvailability/><StatusText/></PresenceSubList></AttributeList><ContactList contactListID="wv:alice/friends@a.test"/></CreateAttributeListRequest>"#,
    ),
    (
        BOB,
        r#"<SubscribeRequest>META<UserID userID="wv:alice@a.test"/></SubscribeRequest>"#,
    ),
    (
        CAROL,
        r#"<SubscribeRequest>META<UserID userID="wv:alice@a.test"/></SubscribeRequest>"#,
    ),
    (
        ALICE,
        r#"<UpdatePresenceRequest>META<PresenceValue userID="wv:alice@a.test"><PresenceSubList xmlns="http://www.openmobilealliance.org/DTD/IMPS-PA1.3"><StatusText><Qualifier>T</Qualifier><PresenceValue>on the way</PresenceValue></StatusText></PresenceSubList></PresenceValue></UpdatePresenceRequest>"#,
    ),
    (
        ALICE,
        r#"<SubscribeRequest>META<UserID userID="wv:bob@b.test"/></SubscribeRequest>"#,
    ),
    (
        BOB,
        r#"<PresenceAuthUserRequest userID="wv:alice@a.test" acceptance="Yes">META</PresenceAuthUserRequest>"#,
    ),
    (
        CAROL,
        r#"<SubscribeRequest>META<UserID userID="wv:bob@b.test"/></SubscribeRequest>"#,
    ),
    (
        BOB,
        r#"<PresenceAuthUserRequest userID="wv:carol@a.test" acceptance="No">META</PresenceAuthUserRequest>"#,
    ),
    (
        BOB,
        r#"<UpdatePresenceRequest>META<PresenceValue userID="wv:bob@b.test"><PresenceSubList xmlns="http://www.openmobilealliance.org/DTD/IMPS-PA1.3"><StatusText><Qualifier>T</Qualifier><PresenceValue>at home</PresenceValue></StatusText></PresenceSubList></PresenceValue></UpdatePresenceRequest>"#,
    ),
    (
        ALICE,
        r#"<CreateGroupRequest groupID="wv:alice/club@a.test" joinGroup="Yes" subscribeNotif="Yes">META<GroupProperties><Property><Name>Topic</Name><Value>Books</Value></Property></GroupProperties><ScreenName groupID="wv:alice/club@a.test">Ali</ScreenName></CreateGroupRequest>"#,
    ),
    (
        BOB,
        r#"<JoinGroupRequest groupID="wv:alice/club@a.test" joinedListRequest="Yes" subscribeNotif="Yes">META<ScreenName groupID="wv:alice/club@a.test">Bobby</ScreenName></JoinGroupRequest>"#,
    ),
    (
        CAROL,
        r#"<JoinGroupRequest groupID="wv:alice/club@a.test" joinedListRequest="Yes" subscribeNotif="Yes">META<ScreenName groupID="wv:alice/club@a.test">Caro</ScreenName></JoinGroupRequest>"#,
    ),
    (
        ALICE,
        r#"<SendMessageRequest deliveryReport="Yes">META<MessageInfo messageID="g1" contentType="text/plain"><Recipient><GroupID groupID="wv:alice/club@a.test"/></Recipient></MessageInfo><ContentData contentType="text/plain">welcome all</ContentData></SendMessageRequest>"#,
    ),
    (
        BOB,
        r#"<SendMessageRequest deliveryReport="Yes">META<MessageInfo messageID="g2" contentType="text/plain"><Recipient><GroupID groupID="wv:alice/club@a.test"/></Recipient></MessageInfo><ContentData contentType="text/plain">thank you</ContentData></SendMessageRequest>"#,
    ),
    (
        ALICE,
        r#"<SetGroupPropsRequest groupID="wv:alice/club@a.test">META<GroupProperties><Property><Name>Topic</Name><Value>Films</Value></Property></GroupProperties></SetGroupPropsRequest>"#,
    ),
    (
        ALICE,
        r#"<MemberAccessRequest groupID="wv:alice/club@a.test">META<Moderators><UserID userID="wv:bob@b.test"/></Moderators></MemberAccessRequest>"#,
    ),
    (
        BOB,
        r#"<InviteRequest inviteID="inv-1" inviteType="IM" validity="86400">META<Inviting><User userID="wv:bob@b.test"/></Inviting><Invited><User userID="wv:alice@a.test"/></Invited><InviteNote>a word?</InviteNote></InviteRequest>"#,
    ),
    (
        ALICE,
        r#"<InviteResponse inviteID="inv-1" acceptance="Yes">META<Status code="200"/><Inviting><User userID="wv:bob@b.test"/></Inviting><Responding><User userID="wv:alice@a.test"/></Responding></InviteResponse>"#,
    ),
    (
        ALICE,
        r#"<InviteRequest inviteID="inv-2" inviteType="IM" validity="86400">META<Inviting><User userID="wv:alice@a.test"/></Inviting><Invited><User userID="wv:bob@b.test"/></Invited></InviteRequest>"#,
    ),
    (
        ALICE,
        r#"<CancelInviteRequest inviteID="inv-2">META<Canceling><User userID="wv:alice@a.test"/></Canceling><Canceled><User userID="wv:bob@b.test"/></Canceled></CancelInviteRequest>"#,
    ),
    (
        ALICE,
        r#"<SendMessageRequest deliveryReport="Yes">META<MessageInfo messageID="m1" contentType="text/plain"><Recipient><User userID="wv:bob@b.test"/></Recipient></MessageInfo><ContentData contentType="text/plain">to bob</ContentData></SendMessageRequest>"#,
    ),
    (
        BOB,
        r#"<SendMessageRequest deliveryReport="Yes">META<MessageInfo messageID="m2" contentType="text/plain"><Recipient><User userID="wv:alice@a.test"/></Recipient><Recipient><User userID="wv:carol@a.test"/></Recipient></MessageInfo><ContentData contentType="text/plain">to both</ContentData></SendMessageRequest>"#,
    ),
    (
        ALICE,
        r#"<SendMessageRequest deliveryReport="Yes">META<MessageInfo messageID="m3" contentType="text/plain"><Recipient><ContactList contactListID="wv:alice/friends@a.test"/></Recipient></MessageInfo><ContentData contentType="text/plain">to friends</ContentData></SendMessageRequest>"#,
    ),
    (
        BOB,
        r#"<BlockEntityRequest>META<BlockList inUse="Yes"><AddList><UserID userID="wv:carol@a.test"/></AddList></BlockList></BlockEntityRequest>"#,
    ),
    (
        CAROL,
        r#"<SendMessageRequest deliveryReport="No">META<MessageInfo messageID="m4" contentType="text/plain"><Recipient><User userID="wv:bob@b.test"/></Recipient></MessageInfo><ContentData contentType="text/plain">not heard</ContentData></SendMessageRequest>"#,
    ),
    (
        CAROL,
        r#"<LeaveGroupRequest groupID="wv:alice/club@a.test">META</LeaveGroupRequest>"#,
    ),
    (
        ALICE,
        r#"<RejectListRequest groupID="wv:alice/club@a.test">META<AddUsers><UserID userID="wv:carol@a.test"/></AddUsers></RejectListRequest>"#,
    ),
    (
        ALICE,
        r#"<CreateGroupRequest groupID="wv:alice/other@a.test" joinGroup="Yes" subscribeNotif="Yes">META<ScreenName groupID="wv:alice/other@a.test">Ali</ScreenName></CreateGroupRequest>"#,
    ),
    (
        BOB,
        r#"<JoinGroupRequest groupID="wv:alice/other@a.test" joinedListRequest="Yes" subscribeNotif="Yes">META<ScreenName groupID="wv:alice/other@a.test">Bobby</ScreenName></JoinGroupRequest>"#,
    ),
    (
        ALICE,
        r#"<DeleteGroupRequest groupID="wv:alice/other@a.test">META</DeleteGroupRequest>"#,
    ),
    (
        CAROL,
        r#"<UnsubscribeRequest>META<UserID userID="wv:alice@a.test"/></UnsubscribeRequest>"#,
    ),
    (
        CAROL,
        r#"<CreateListRequest contactListID="wv:carol/few@a.test">META<NickList><NickName name="B" userID="wv:bob@b.test"/></NickList></CreateListRequest>"#,
    ),
    (
        CAROL,
        r#"<DeleteListRequest contactListID="wv:carol/few@a.test">META</DeleteListRequest>"#,
    ),
];

/// What is asked in the end.
const QUESTIONS: &[(&str, &str)] = &[
    (ALICE, "<GetListRequest>META</GetListRequest>"),
    (
        ALICE,
        r#"<ListManageRequest contactListID="wv:alice/friends@a.test" receiveList="Yes">META</ListManageRequest>"#,
    ),
    (
        ALICE,
        r#"<GetAttributeListRequest defaultList="Yes">META</GetAttributeListRequest>"#,
    ),
    (ALICE, "<GetWatcherListRequest>META</GetWatcherListRequest>"),
    (
        ALICE,
        r#"<GetJoinedUsersRequest groupID="wv:alice/club@a.test">META</GetJoinedUsersRequest>"#,
    ),
    (
        ALICE,
        r#"<GetGroupPropsRequest groupID="wv:alice/club@a.test">META</GetGroupPropsRequest>"#,
    ),
    (
        ALICE,
        r#"<RejectListRequest groupID="wv:alice/club@a.test">META</RejectListRequest>"#,
    ),
    (
        BOB,
        r#"<GetJoinedUsersRequest groupID="wv:alice/other@a.test">META</GetJoinedUsersRequest>"#,
    ),
    (BOB, "<GetWatcherListRequest>META</GetWatcherListRequest>"),
    (
        BOB,
        "<GetReactiveAuthStatusRequest>META</GetReactiveAuthStatusRequest>",
    ),
    (BOB, "<GetBlockedListRequest>META</GetBlockedListRequest>"),
    (CAROL, "<GetListRequest>META</GetListRequest>"),
    (CAROL, "<GetWatcherListRequest>META</GetWatcherListRequest>"),
];

/// What there is in the end: what each came to hear, and what is answered to the questions.
type End = BTreeMap<String, Vec<String>>;

fn play(kill: Option<(&'static str, usize, Kill)>) -> (End, Homes) {
    let mut homes = Homes::new(&USERS, SHARDS);
    homes.run(5_000);
    if let Some((domain, commit, kill)) = kill {
        homes.kill_at(domain, commit, kill);
    }
    for (user, xml) in STEPS {
        homes.does(user, xml);
        // What follows from it reaches everybody, also when a way has to be found again.
        homes.run(120_000);
    }
    homes.run(600_000);
    let mut end = End::new();
    for (user, xml) in QUESTIONS {
        let answer = homes.ask(user, xml);
        end.insert(format!("{user} {xml}"), vec![format!("{answer:#?}")]);
    }
    for (user, person) in &homes.people {
        let mut texts = person.texts.clone();
        texts.sort();
        end.insert(format!("{user} read"), texts);
        let invitations = person.invitations.iter().cloned().collect();
        end.insert(format!("{user} was invited"), invitations);
        let seen = person.seen.iter();
        let seen = seen.map(|(of, value)| format!("{of}: {value}"));
        end.insert(format!("{user} sees"), seen.collect());
    }
    assert_eq!(homes.under_way(), (0, true), "{kill:?}");
    (end, homes)
}

/// Kills a domain at every so many of its commits, or at each as the environment says.
fn kill_everywhere(domain: &'static str, kill: Kill, first: usize) {
    let every = std::env::var("KILL_EVERY").ok();
    let every = every.map_or(SELDOM, |every| every.parse().unwrap());
    let (expected, homes) = play(None);
    let commits = homes.commits(domain);
    assert!(commits > STEPS.len(), "{commits}");
    let mut killed = 0;
    let mut differ = Vec::new();
    for commit in (first.min(every)..=commits).step_by(every) {
        let (end, homes) = play(Some((domain, commit, kill)));
        killed += usize::from(homes.was_killed);
        let others = expected
            .iter()
            .filter(|(what, there)| &end[*what] != *there);
        differ.extend(others.map(|(what, there)| {
            let is = &end[what];
            format!("killed {kill:?} commit {commit}: {what}\n    is {is:?}\n    not {there:?}")
        }));
    }
    assert!(
        differ.is_empty(),
        "{} of {commits}\n{}",
        differ.len(),
        differ.join("\n")
    );
    assert!(killed > 10, "{killed} of {commits}");
}

#[test]
fn a_domain_killed_before_what_it_did_was_kept_agrees_with_the_other_afterwards() {
    kill_everywhere("a.test", Kill::Before, 1);
}

#[test]
fn a_domain_killed_before_what_it_kept_was_told_agrees_with_the_other_afterwards() {
    kill_everywhere("a.test", Kill::After, 4);
}

#[test]
fn a_domain_of_guests_killed_before_what_it_did_was_kept_agrees_with_the_other_afterwards() {
    kill_everywhere("b.test", Kill::Before, 7);
}

#[test]
fn a_domain_of_guests_killed_before_what_it_kept_was_told_agrees_with_the_other_afterwards() {
    kill_everywhere("b.test", Kill::After, 10);
}
