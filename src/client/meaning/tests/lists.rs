use super::{ALL, DONE, OK, TO_1_2, dialogue, is, terms};
use crate::client::meaning::Interpreter;
use crate::csp::Version;

#[test]
fn contact_lists_are_listed_with_the_default_one_apart() {
    let answer = r#"<GetListResponse><Status code="200"/><ContactList contactListID="wv:ann/friends@home.test"/><ContactList contactListID="wv:ann/work@home.test"/><DefaultContactList contactListID="wv:ann/friends@home.test"/></GetListResponse>"#;
    for (versions, lists) in [
        (
            &TO_1_2[..],
            "<ContactList>wv:ann/work@home.test</ContactList>",
        ),
        (
            &[Version::V1_3][..],
            "<ContactListIDList><ContactList>wv:ann/work@home.test</ContactList>\
             </ContactListIDList>",
        ),
    ] {
        is(
            versions,
            "<GetList-Request/>",
            "<GetListRequest>META</GetListRequest>",
            answer,
            &format!(
                "<GetList-Response>{lists}<DefaultContactList>wv:ann/friends@home.test\
                 </DefaultContactList></GetList-Response>"
            ),
        );
    }
}

#[test]
fn a_contact_list_is_made_and_ended() {
    let create = "<CreateList-Request><ContactList>wv:ann/work@home.test</ContactList><NickList>\
         <NickName><Name>Bo</Name><UserID>bob@b.test</UserID></NickName><NickName><Name>C</Name>\
         <User><UserID>carl@c.test</UserID></User></NickName><UserID>dan@d.test</UserID></NickList>\
         <ContactListProperties><Property><Name>DisplayName</Name><Value>Work</Value></Property>\
         </ContactListProperties></CreateList-Request>";
    let asked = r#"<CreateListRequest contactListID="wv:ann/work@home.test">META<NickList><NickName name="Bo" userID="wv:bob@b.test"/><NickName name="C" userID="wv:carl@c.test"/><NickName userID="wv:dan@d.test"/></NickList><ContactListProperties><Property><Name>DisplayName</Name><Value>Work</Value></Property></ContactListProperties></CreateListRequest>"#;
    is(&TO_1_2, create, asked, DONE, OK);
    is(
        &[Version::V1_3],
        create,
        asked,
        DONE,
        "<CreateList-Response><ContactList>wv:ann/work@home.test</ContactList>\
         <ContactListProperties><Property><Name>DisplayName</Name><Value>Work</Value></Property>\
         </ContactListProperties></CreateList-Response>",
    );
    // A client that makes its list at each login goes on.
    is(
        &ALL,
        create,
        asked,
        r#"<Status code="701"/>"#,
        "<Status><Result><Code>701</Code></Result></Status>",
    );
    is(
        &ALL,
        "<DeleteList-Request><ContactList>~Pep1.0_Subscriptions</ContactList></DeleteList-Request>",
        r#"<DeleteListRequest contactListID="wv:ann/~pep1.0_subscriptions@home.test">META</DeleteListRequest>"#,
        DONE,
        OK,
    );
}

const READ: &str = "<ListManage-Request><ContactList>wv:ann/work@home.test</ContactList>\
    <ReceiveList>T</ReceiveList></ListManage-Request>";

#[test]
fn a_contact_list_is_read_and_who_has_no_name_has_none() {
    is(
        &ALL,
        READ,
        r#"<ListManageRequest contactListID="wv:ann/work@home.test" receiveList="Yes">META</ListManageRequest>"#,
        r#"<ListManageResponse><Status code="200"/><NickList><NickName name="Bo" userID="wv:bob@b.test"/><NickName name="" userID="wv:carl@c.test"/></NickList><ContactListProperties><Property><Name>Default</Name><Value>F</Value></Property></ContactListProperties></ListManageResponse>"#,
        "<ListManage-Response><Result><Code>200</Code></Result><NickList><NickName><Name>Bo</Name>\
         <UserID>wv:bob@b.test</UserID></NickName><UserID>wv:carl@c.test</UserID></NickList>\
         <ContactListProperties><Property><Name>Default</Name><Value>F</Value></Property>\
         </ContactListProperties></ListManage-Response>",
    );
}

#[test]
fn a_contact_list_is_changed_and_comes_back_where_the_version_always_has_it() {
    let change = "<ListManage-Request><ContactList>wv:ann/work@home.test</ContactList>\
         <RemoveNickList><UserID>bob@b.test</UserID></RemoveNickList></ListManage-Request>";
    for version in ALL {
        let receive = if version == Version::V1_1 {
            "Yes"
        } else {
            "No"
        };
        is(
            &[version],
            change,
            &format!(
                r#"<ListManageRequest contactListID="wv:ann/work@home.test" receiveList="{receive}">META<RemoveNickList><UserID userID="wv:bob@b.test"/></RemoveNickList></ListManageRequest>"#
            ),
            r#"<ListManageResponse><Status code="700"/></ListManageResponse>"#,
            "<ListManage-Response><Result><Code>700</Code></Result></ListManage-Response>",
        );
    }
}

#[test]
fn who_is_put_on_a_list_may_be_authorized_with_that() {
    let request = "<ListManage-Request><ContactList>wv:ann/work@home.test</ContactList>\
         <AddNickList><UserID>bob@b.test</UserID></AddNickList><AuthorizeAndGrant>T\
         </AuthorizeAndGrant></ListManage-Request>";
    let managed = r#"<ListManageResponse><Status code="200"/></ListManageResponse>"#;
    let grant = r#"<PresenceAuthUserRequest userID="wv:bob@b.test" acceptance="Yes">META</PresenceAuthUserRequest>"#;
    for (answers, steps, code) in [
        (&[managed, DONE][..], 2, 200),
        (&[managed, r#"<Status code="531"/>"#][..], 2, 531),
        (&[r#"<Status code="700"/>"#][..], 1, 700),
    ] {
        let mut interpreter = Interpreter::new(terms(Version::V1_3));
        let (asked, heard) = dialogue(&mut interpreter, request, answers);
        assert_eq!(asked.len(), steps);
        assert!(steps == 1 || asked[1] == grant, "{asked:?}");
        assert!(heard.contains(&format!("<Code>{code}</Code>")), "{heard}");
    }
}
