use super::{ALL, DONE, FROM_1_2, OK, TO_1_2, dialogue, is, refused, terms, told};
use crate::client::meaning::Interpreter;
use crate::csp::Version;

const SHOWN: &str = "<PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T\
    </PresenceValue></OnlineStatus></PresenceSubList>";
const VALUE: &str = r#"<PresenceValue userID="wv:bob@b.test"><PresenceSubList xmlns="http://www.openmobilealliance.org/DTD/IMPS-PA1.3"><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus></PresenceSubList></PresenceValue>"#;

#[test]
fn presence_is_asked_for_of_users_and_lists() {
    let old = "<GetPresence-Request><User><UserID>bob@b.test</UserID></User><ContactList>\
         wv:ann/friends@home.test</ContactList><PresenceSubList><OnlineStatus/></PresenceSubList>\
         </GetPresence-Request>";
    let new = "<GetPresence-Request><UserIDList><UserID>bob@b.test</UserID></UserIDList>\
         <ContactListIDList><ContactList>friends</ContactList></ContactListIDList>\
         <PresenceSubList><OnlineStatus/></PresenceSubList></GetPresence-Request>";
    let asked = r#"<GetPresenceRequest>META<VerUserID userID="wv:bob@b.test"/><VerUserID userID="wv:ann/friends@home.test"/><AttributeList><PresenceSubList xmlns="http://www.openmobilealliance.org/DTD/IMPS-PA1.3"><OnlineStatus/></PresenceSubList></AttributeList></GetPresenceRequest>"#;
    let answer =
        format!(r#"<GetPresenceResponse><Status code="200"/>{VALUE}</GetPresenceResponse>"#);
    let heard = format!(
        "<GetPresence-Response><Result><Code>200</Code></Result><Presence><UserID>wv:bob@b.test\
         </UserID>{SHOWN}</Presence></GetPresence-Response>"
    );
    for request in [old, new] {
        is(&ALL, request, asked, &answer, &heard);
    }
}

#[test]
fn of_who_shows_nothing_it_is_said_that_nothing_is_known() {
    let request = "<GetPresence-Request><User><UserID>wv:ann@home.test</UserID></User>\
        </GetPresence-Request>";
    let asked =
        r#"<GetPresenceRequest>META<VerUserID userID="wv:ann@home.test"/></GetPresenceRequest>"#;
    let heard = "<GetPresence-Response><Result><Code>200</Code></Result><Presence><UserID>\
         wv:ann@home.test</UserID><PresenceSubList><OnlineStatus><Qualifier>F</Qualifier>\
         </OnlineStatus></PresenceSubList></Presence></GetPresence-Response>";
    for answer in [
        "<GetPresenceResponse/>",
        r#"<GetPresenceResponse><Status code="200"/><PresenceValue userID="wv:ann@home.test"/></GetPresenceResponse>"#,
    ] {
        is(&ALL, request, asked, answer, heard);
    }
    is(
        &ALL,
        request,
        asked,
        r#"<Status code="531"/>"#,
        "<Status><Result><Code>531</Code></Result></Status>",
    );
}

#[test]
fn the_users_own_presence_is_changed() {
    is(
        &ALL,
        "<UpdatePresence-Request><PresenceSubList><UserAvailability><Qualifier>T</Qualifier>\
         <PresenceValue>DISCREET</PresenceValue></UserAvailability></PresenceSubList>\
         </UpdatePresence-Request>",
        r#"<UpdatePresenceRequest>META<PresenceValue userID="wv:ann@home.test"><PresenceSubList xmlns="http://www.openmobilealliance.org/DTD/IMPS-PA1.3"><UserAvailability><Qualifier>T</Qualifier><PresenceValue>DISCREET</PresenceValue></UserAvailability></PresenceSubList></PresenceValue></UpdatePresenceRequest>"#,
        r#"<Status code="751"/>"#,
        "<Status><Result><Code>751</Code></Result></Status>",
    );
}

#[test]
fn that_a_user_is_online_the_session_says_and_an_update_need_not() {
    let online = "<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue>\
                  </OnlineStatus>";
    let text = "<StatusText><Qualifier>T</Qualifier><PresenceValue>hi</PresenceValue></StatusText>";
    let update = |attributes: &str| {
        format!(
            "<UpdatePresence-Request><PresenceSubList>{attributes}</PresenceSubList>\
             </UpdatePresence-Request>"
        )
    };
    let asked = |attributes: &str| {
        format!(
            r#"<UpdatePresenceRequest>META<PresenceValue userID="wv:ann@home.test"><PresenceSubList xmlns="http://www.openmobilealliance.org/DTD/IMPS-PA1.3">{attributes}</PresenceSubList></PresenceValue></UpdatePresenceRequest>"#
        )
    };
    is(
        &ALL,
        &update(&format!("{online}{text}")),
        &asked(text),
        DONE,
        OK,
    );
    refused(Version::V1_2, &update(online), OK);
    // That they are not is for the domain to take or to refuse.
    let offline = online.replace("<PresenceValue>T", "<PresenceValue>F");
    is(&ALL, &update(&offline), &asked(&offline), DONE, OK);
}

#[test]
fn who_is_watched_is_watched_by_address_or_by_list_and_all_attributes_unless_they_are_named() {
    let subscribe = "<SubscribePresence-Request><User><UserID>bob@b.test</UserID></User>\
         <ContactList>wv:ann/friends@home.test</ContactList><AutoSubscribe>T</AutoSubscribe>\
         </SubscribePresence-Request>";
    let asked = r#"<SubscribeRequest>META<UserID userID="wv:bob@b.test"/><UserID userID="wv:ann/friends@home.test"/></SubscribeRequest>"#;
    is(&ALL, subscribe, asked, DONE, OK);
    is(&ALL, subscribe, asked, r#"<Status code="202"/>"#, OK);
    is(
        &ALL,
        subscribe,
        asked,
        r#"<Status code="700"/>"#,
        "<Status><Result><Code>700</Code></Result></Status>",
    );
    is(
        &ALL,
        "<UnsubscribePresence-Request><User><UserID>bob@b.test</UserID></User>\
         </UnsubscribePresence-Request>",
        r#"<UnsubscribeRequest>META<UserID userID="wv:bob@b.test"/></UnsubscribeRequest>"#,
        DONE,
        OK,
    );
    refused(
        Version::V1_1,
        "<SubscribePresence-Request/>",
        "<Status><Result><Code>402</Code><Description>The request names nobody.</Description>\
         </Result></Status>",
    );
}

#[test]
fn presence_of_those_who_are_watched_comes_in_the_words_of_the_version() {
    let notification = format!(
        r#"<PresenceNotification><User userID="wv:ann@home.test"/>{VALUE}<PresenceValue userID="wv:carl@c.test"/></PresenceNotification>"#
    );
    for version in ALL {
        assert_eq!(
            told(version, &notification).unwrap(),
            format!(
                "<PresenceNotification-Request><Presence><UserID>wv:bob@b.test</UserID>{SHOWN}\
                 </Presence><Presence><UserID>wv:carl@c.test</UserID><PresenceSubList>\
                 <OnlineStatus><Qualifier>F</Qualifier></OnlineStatus></PresenceSubList></Presence>\
                 </PresenceNotification-Request>"
            )
        );
        assert_eq!(told(version, "<PresenceNotification/>"), None);
    }
}

#[test]
fn a_subscription_that_fails_in_the_end_shows_that_nothing_is_known() {
    let failed = r#"<Status code="504"><DetailedResult code="504"><UserID userID="wv:bob@b.test"/></DetailedResult></Status>"#;
    for version in ALL {
        let heard = told(version, failed).unwrap();
        assert!(heard.contains("<UserID>wv:bob@b.test</UserID>"), "{heard}");
        assert!(heard.contains("<Qualifier>F</Qualifier>"), "{heard}");
        assert_eq!(told(version, DONE), None);
        assert_eq!(told(version, r#"<Status code="504"/>"#), None);
    }
}

#[test]
fn attributes_that_the_version_cannot_write_are_left_out_and_the_others_come() {
    let notification = r#"<PresenceNotification><PresenceValue userID="wv:bob@b.test"><PresenceSubList><StatusText><Qualifier>T</Qualifier><PresenceValue>hi</PresenceValue></StatusText><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue><ClientID url="http://a.test"/></OnlineStatus><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>F</PresenceValue></OnlineStatus><CommCap><Qualifier>T</Qualifier><CommC><Cap>IM</Cap></CommC><CommC><Cap>SMS</Cap><Status>OPEN</Status><Note> </Note></CommC></CommCap><Odd><Qualifier>T</Qualifier></Odd></PresenceSubList></PresenceValue></PresenceNotification>"#;
    let common = "<CommC><Cap>SMS</Cap><Status>OPEN</Status></CommC></CommCap><StatusText><Qualifier>T</Qualifier><PresenceValue>hi</PresenceValue>\
         </StatusText></PresenceSubList>";
    for version in ALL {
        let heard = told(version, notification).unwrap();
        assert!(heard.contains(common), "{version} {heard}");
        let online = heard.matches("<OnlineStatus>").count();
        let is_1_3 = version == Version::V1_3;
        assert_eq!(online, if is_1_3 { 2 } else { 1 });
        // 1.3 says of nothing that it must be there.
        assert_eq!(heard.contains("<CommC><Cap>IM</Cap></CommC>"), is_1_3);
        let client = "<ClientID><URL>http://a.test</URL></ClientID>";
        assert_eq!(heard.contains(client), is_1_3, "{heard}");
    }
}

#[test]
fn who_watches_is_listed_and_before_1_2_only_who_does_so_now() {
    let answer = r#"<GetWatcherListResponse historyPeriod="60" watcherCount="2"><Status code="200"/><Watcher userID="wv:bob@b.test" status="CURRENT_SUBSCRIBER"/><Watcher userID="wv:carl@c.test" status="FORMER_SUBSCRIBER"/></GetWatcherListResponse>"#;
    is(
        &[Version::V1_1],
        "<GetWatcherList-Request/>",
        "<GetWatcherListRequest>META</GetWatcherListRequest>",
        answer,
        "<GetWatcherList-Response><User><UserID>wv:bob@b.test</UserID></User>\
         </GetWatcherList-Response>",
    );
    for version in FROM_1_2 {
        let count = if version == Version::V1_3 {
            "<WatcherCount>2</WatcherCount>"
        } else {
            ""
        };
        is(
            &[version],
            "<GetWatcherList-Request><HistoryPeriod>60</HistoryPeriod><MaxWatcherList>9\
             </MaxWatcherList></GetWatcherList-Request>",
            r#"<GetWatcherListRequest historyPeriod="60" maxWatcherList="9">META</GetWatcherListRequest>"#,
            answer,
            &format!(
                "<GetWatcherList-Response><HistoryPeriod>60</HistoryPeriod>{count}<Watcher><User>\
                 <UserID>wv:bob@b.test</UserID></User><WatcherStatus>CURRENT_SUBSCRIBER\
                 </WatcherStatus></Watcher><Watcher><User><UserID>wv:carl@c.test</UserID></User>\
                 <WatcherStatus>FORMER_SUBSCRIBER</WatcherStatus></Watcher></GetWatcherList-Response>"
            ),
        );
    }
}

#[test]
fn who_wants_to_see_the_user_is_put_to_them_and_they_decide() {
    let question = r#"<PresenceAuthRequest userID="wv:bob@b.test"><User userID="wv:ann@home.test"/><AttributeList><PresenceSubList><OnlineStatus/></PresenceSubList></AttributeList></PresenceAuthRequest>"#;
    let asked = "<PresenceSubList><OnlineStatus/></PresenceSubList>";
    for version in TO_1_2 {
        assert_eq!(
            told(version, question).unwrap(),
            format!(
                "<PresenceAuth-Request><UserID>wv:bob@b.test</UserID>{asked}</PresenceAuth-Request>"
            )
        );
    }
    assert_eq!(
        told(Version::V1_3, question).unwrap(),
        format!(
            "<Notification-Request><NotificationType>ANU</NotificationType>{asked}<UserIDList>\
             <UserID>wv:bob@b.test</UserID></UserIDList></Notification-Request>"
        )
    );
    for (acceptance, said) in [("T", "Yes"), ("F", "No")] {
        is(
            &ALL,
            &format!(
                "<PresenceAuth-User><UserID>wv:bob@b.test</UserID><Acceptance>{acceptance}\
                 </Acceptance></PresenceAuth-User>"
            ),
            &format!(
                r#"<PresenceAuthUserRequest userID="wv:bob@b.test" acceptance="{said}">META</PresenceAuthUserRequest>"#
            ),
            DONE,
            OK,
        );
    }
    is(
        &ALL,
        "<CancelAuth-Request><UserID>wv:bob@b.test</UserID></CancelAuth-Request>",
        r#"<CancelAuthRequest userID="wv:bob@b.test">META</CancelAuthRequest>"#,
        DONE,
        OK,
    );
    is(
        &[Version::V1_2],
        "<GetReactiveAuthStatus-Request><UserID>wv:bob@b.test</UserID>\
         </GetReactiveAuthStatus-Request>",
        r#"<GetReactiveAuthStatusRequest>META<UserID userID="wv:bob@b.test"/></GetReactiveAuthStatusRequest>"#,
        r#"<GetReactiveAuthStatusResponse><Status code="200"/><ReactiveAuthStatus userID="wv:bob@b.test" state="GRANTED"/></GetReactiveAuthStatusResponse>"#,
        "<GetReactiveAuthStatus-Response><ReactiveAuthStatusList><ReactiveAuthStatus><UserID>\
         wv:bob@b.test</UserID><ReactiveAuthState>GRANTED</ReactiveAuthState></ReactiveAuthStatus>\
         </ReactiveAuthStatusList></GetReactiveAuthStatus-Response>",
    );
}

#[test]
fn attribute_lists_are_attached_shown_and_detached() {
    let presence = r#"<PresenceSubList xmlns="http://www.openmobilealliance.org/DTD/IMPS-PA1.3">"#;
    let old = "<CreateAttributeList-Request><PresenceSubList><Alias/></PresenceSubList><UserID>\
         wv:bob@b.test</UserID><ContactList>wv:ann/friends@home.test</ContactList><DefaultList>T\
         </DefaultList></CreateAttributeList-Request>";
    let new = "<CreateAttributeList-Request><PresenceSubList><Alias/></PresenceSubList>\
         <UserIDList><UserID>wv:bob@b.test</UserID></UserIDList><ContactListIDList><ContactList>\
         wv:ann/friends@home.test</ContactList></ContactListIDList><DefaultList>T</DefaultList>\
         <DefaultNotify>T</DefaultNotify></CreateAttributeList-Request>";
    let asked = format!(
        r#"<CreateAttributeListRequest defaultList="Yes">META<AttributeList>{presence}<Alias/></PresenceSubList></AttributeList><UserID userID="wv:bob@b.test"/><ContactList contactListID="wv:ann/friends@home.test"/></CreateAttributeListRequest>"#
    );
    for request in [old, new] {
        is(&ALL, request, &asked, DONE, OK);
    }
    // An empty list authorizes nothing, and stays empty.
    let empty = presence.replace('>', "/>");
    is(
        &ALL,
        "<CreateAttributeList-Request><PresenceSubList/><DefaultList>T</DefaultList>\
         </CreateAttributeList-Request>",
        &format!(
            r#"<CreateAttributeListRequest defaultList="Yes">META<AttributeList>{empty}</AttributeList></CreateAttributeListRequest>"#
        ),
        DONE,
        OK,
    );
    is(
        &ALL,
        "<DeleteAttributeList-Request><UserID>wv:bob@b.test</UserID><DefaultList>F</DefaultList>\
         </DeleteAttributeList-Request>",
        r#"<DeleteAttributeListRequest defaultList="No">META<UserID userID="wv:bob@b.test"/></DeleteAttributeListRequest>"#,
        DONE,
        OK,
    );
    is(
        &ALL,
        "<GetAttributeList-Request><DefaultList>T</DefaultList><User><UserID>wv:bob@b.test\
         </UserID></User></GetAttributeList-Request>",
        r#"<GetAttributeListRequest defaultList="Yes">META<UserID userID="wv:bob@b.test"/></GetAttributeListRequest>"#,
        &format!(
            r#"<GetAttributeListResponse><Status code="200"/><DefaultAttributeList>{presence}<Alias/></PresenceSubList></DefaultAttributeList><Presence><UserID userID="wv:bob@b.test"/>{presence}</PresenceSubList></Presence><Presence/></GetAttributeListResponse>"#
        ),
        "<GetAttributeList-Response><Result><Code>200</Code></Result><DefaultAttributeList>\
         <PresenceSubList><Alias/></PresenceSubList></DefaultAttributeList><Presence>\
         <UserID>wv:bob@b.test</UserID><PresenceSubList/></Presence>\
         </GetAttributeList-Response>",
    );
}

#[test]
fn a_request_whose_answer_the_version_does_not_have_is_not_supported() {
    for (version, request) in [
        (Version::V1_1, "<GetReactiveAuthStatus-Request/>"),
        (Version::V1_3, "<GetReactiveAuthStatus-Request/>"),
        (
            Version::V1_1,
            "<GetJoinedUsers-Request><GroupID>wv:a/b@c.test</GroupID></GetJoinedUsers-Request>",
        ),
    ] {
        let mut interpreter = Interpreter::new(terms(version));
        let (asked, heard) = dialogue(&mut interpreter, request, &[]);
        assert!(
            asked.is_empty() && heard.contains("<Code>405</Code>"),
            "{heard}"
        );
    }
}
