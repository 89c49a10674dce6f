//! What phones ask of a home domain, service by service, in every version and encoding, and what
//! they hear of it.

use std::time::Duration;

use wvgate::csp::primitive::message::MessageDelivered;
use wvgate::csp::version::Scope;
use wvgate::csp::{Body, Encoding, Message, Mode, Primitive, Session, Transaction, Version};
use wvgate::imps::Status;
use wvgate::imps::xml::Limits;

use super::phone::Phone;
use super::{ALL, CLIENTS, bound};
use crate::cli_node::{Node, PATIENCE};

/// The primitive of this XML.
pub(super) fn read(version: Version, content: &str) -> Primitive {
    let xml = format!(
        "<WV-CSP-Message xmlns='{}'><Session><Transaction><TransactionContent>{content}\
         </TransactionContent></Transaction></Session></WV-CSP-Message>",
        version.namespace(Scope::Message)
    );
    let message = Message::read(xml.as_bytes(), Encoding::Xml, &Limits::STANDARD).unwrap();
    match message.body {
        Body::Session(mut session) => session.transactions.remove(0).primitive,
        other => panic!("{other:?}"),
    }
}

/// The XML of a primitive.
fn printed(version: Version, primitive: &Primitive) -> String {
    let transaction = Transaction::new(Mode::Response, "1", primitive.clone());
    let message = Message {
        version,
        body: Body::Session(Session::new(None, vec![transaction])),
    };
    let xml = String::from_utf8(message.write(Encoding::Xml).unwrap()).unwrap();
    let (_, behind) = xml.split_once("<TransactionContent").unwrap();
    let (content, _) = behind.split_once("</TransactionContent>").unwrap();
    content.split_once('>').unwrap().1.to_owned()
}

/// A phone asks; the answer has all of this in it.
pub(super) fn asks(phone: &mut Phone, request: &str, expected: &[&str]) {
    let answer = phone.ask(read(phone.version, request));
    let answer = printed(phone.version, &answer);
    for part in expected {
        assert!(
            answer.contains(part),
            "{} {request}: {answer}",
            phone.version
        );
    }
}

/// What a phone is told in which all of this stands. It takes everything on the way there.
pub(super) fn hears(phone: &mut Phone, expected: &[&str]) {
    let mut heard = Vec::new();
    for _ in 0..PATIENCE.as_millis() / 50 {
        let Some(told) = phone.poll() else {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        let id = told.id.clone().unwrap_or_default();
        let answer = match &told.primitive {
            Primitive::NewMessage(message) => {
                let message = message.info.message.message_id.clone().unwrap();
                Primitive::MessageDelivered(Box::new(MessageDelivered { message }))
            }
            _ => Primitive::status(Status::ok()),
        };
        let _ = phone.respond(&id, answer);
        let text = printed(phone.version, &told.primitive);
        if expected.iter().all(|part| text.contains(part)) {
            return;
        }
        heard.push(text);
    }
    panic!("{} {expected:?} is not among {heard:?}", phone.version);
}

fn with_phones(mut play: impl FnMut(usize, &mut Phone, &mut Phone)) {
    let often = format!("{CLIENTS}poll_interval = \"1s\"\n");
    let node = Node::start_with(&often);
    for (number, (version, encoding)) in ALL.into_iter().enumerate() {
        let phone = |user| Phone::new(&bound(&node, "clients"), user, version, encoding);
        let (mut alice, mut carol) = (phone("alice"), phone("carol"));
        alice.log_in("alice");
        carol.log_in("carol");
        play(number, &mut alice, &mut carol);
        alice.log_out();
        carol.log_out();
    }
}

const OK: &str = "<Code>200</Code>";

#[test]
fn phones_keep_contact_lists_and_watch_those_on_them_who_allow_it() {
    with_phones(|number, alice, carol| {
        let version = alice.version;
        asks(
            alice,
            "<GetPresence-Request><User><UserID>wv:alice@village.test</UserID></User>\
             </GetPresence-Request>",
            &[
                OK,
                "wv:alice@village.test",
                "<PresenceSubList",
                "<OnlineStatus>",
            ],
        );
        asks(
            alice,
            "<GetList-Request/>",
            &["<DefaultContactList>wv:alice/contacts@village.test</DefaultContactList>"],
        );
        let list = format!("<ContactList>wv:alice/work{number}@village.test</ContactList>");
        let create = format!(
            "<CreateList-Request>{list}<NickList><NickName><Name>Caro</Name><UserID>carol</UserID>\
             </NickName></NickList></CreateList-Request>"
        );
        let made = if version == Version::V1_3 { &list } else { OK };
        asks(alice, &create, &[made]);
        asks(alice, &create, &["<Code>701</Code>"]);
        asks(
            alice,
            &format!("<ListManage-Request>{list}<ReceiveList>T</ReceiveList></ListManage-Request>"),
            &[
                OK,
                "<Name>Caro</Name><UserID>wv:carol@village.test</UserID>",
            ],
        );
        asks(
            alice,
            &format!(
                "<SubscribePresence-Request>{list}<AutoSubscribe>T</AutoSubscribe>\
                 </SubscribePresence-Request>"
            ),
            &[OK],
        );
        let question = if version == Version::V1_3 {
            "<NotificationType>ANU</NotificationType>"
        } else {
            "<PresenceAuth-Request>"
        };
        hears(carol, &[question, "<UserID>wv:alice@village.test</UserID>"]);
        asks(
            carol,
            "<CreateAttributeList-Request><PresenceSubList><StatusText/></PresenceSubList><UserID>\
             wv:alice@village.test</UserID><DefaultList>F</DefaultList>\
             </CreateAttributeList-Request>",
            &[OK],
        );
        asks(
            carol,
            &format!(
                "<UpdatePresence-Request><PresenceSubList><StatusText><Qualifier>T</Qualifier>\
                 <PresenceValue>here {number}</PresenceValue></StatusText></PresenceSubList>\
                 </UpdatePresence-Request>"
            ),
            &[OK],
        );
        let value = format!("<PresenceValue>here {number}</PresenceValue>");
        hears(
            alice,
            &["<PresenceNotification-Request>", "wv:carol@", &value],
        );
        asks(
            carol,
            "<GetWatcherList-Request/>",
            &["wv:alice@village.test"],
        );
        // As if nothing had been.
        for request in [
            format!("<UnsubscribePresence-Request>{list}</UnsubscribePresence-Request>"),
            format!("<DeleteList-Request>{list}</DeleteList-Request>"),
        ] {
            asks(alice, &request, &[OK]);
        }
        asks(
            carol,
            "<DeleteAttributeList-Request><UserID>wv:alice@village.test</UserID><DefaultList>F\
             </DefaultList></DeleteAttributeList-Request>",
            &[OK],
        );
    });
}

#[test]
fn phones_make_groups_join_and_talk_in_them() {
    with_phones(|number, alice, carol| {
        let group = format!("<GroupID>wv:alice/tea{number}@village.test</GroupID>");
        asks(
            alice,
            &format!(
                "<CreateGroup-Request>{group}<GroupProperties><Property><Name>Accesstype</Name>\
                 <Value>Open</Value></Property><Property><Name>Topic</Name><Value>tea</Value>\
                 </Property></GroupProperties><JoinGroup>T</JoinGroup><ScreenName><SName>Al</SName>\
                 {group}</ScreenName><SubscribeNotification>T</SubscribeNotification>\
                 </CreateGroup-Request>"
            ),
            &[OK],
        );
        asks(
            carol,
            &format!(
                "<JoinGroup-Request>{group}<ScreenName><SName>Ca</SName>{group}</ScreenName>\
                 <JoinedRequest>T</JoinedRequest><SubscribeNotification>F</SubscribeNotification>\
                 </JoinGroup-Request>"
            ),
            &["<JoinGroup-Response>", "<SName>Al</SName>"],
        );
        hears(
            alice,
            &["<GroupChangeNotice>", "<Joined>", "<SName>Ca</SName>"],
        );
        asks(
            carol,
            &format!(
                "<SendMessage-Request><DeliveryReport>F</DeliveryReport><MessageInfo><ContentSize>5\
                 </ContentSize><Recipient><Group>{group}</Group></Recipient><Sender><User><UserID>carol\
                 </UserID></User></Sender></MessageInfo><ContentData>milk?</ContentData>\
                 </SendMessage-Request>"
            ),
            &[OK],
        );
        hears(
            alice,
            &[
                "<NewMessage>",
                "<SName>Ca</SName>",
                "<ContentData>milk?</ContentData>",
            ],
        );
        asks(
            alice,
            &format!("<GetGroupProps-Request>{group}</GetGroupProps-Request>"),
            &["<Name>Topic</Name><Value>tea</Value>", "<OwnProperties>"],
        );
        asks(
            alice,
            &format!("<GetGroupMembers-Request>{group}</GetGroupMembers-Request>"),
            &["<GetGroupMembers-Response>"],
        );
        asks(
            carol,
            &format!("<LeaveGroup-Request>{group}</LeaveGroup-Request>"),
            &["<LeaveGroup-Response>", OK],
        );
        asks(
            alice,
            &format!("<DeleteGroup-Request>{group}</DeleteGroup-Request>"),
            &[OK],
        );
    });
}

#[test]
fn phones_invite_block_search_and_fetch_what_waits() {
    with_phones(|number, alice, carol| {
        asks(
            alice,
            &format!(
                "<Invite-Request><InviteID>i{number}</InviteID><InviteType>IM</InviteType>\
                 <Recipient><User><UserID>carol</UserID></User></Recipient><InviteNote>tea?\
                 </InviteNote><Validity>600</Validity></Invite-Request>"
            ),
            &[OK],
        );
        let id = format!("<InviteID>i{number}</InviteID>");
        hears(
            carol,
            &["<InviteUser-Request>", &id, "wv:alice@village.test", "tea?"],
        );
        asks(
            carol,
            &format!(
                "<InviteUser-Response>{id}<Acceptance>T</Acceptance><Sender><User><UserID>\
                 wv:alice@village.test</UserID></User></Sender></InviteUser-Response>"
            ),
            &[OK],
        );
        hears(
            alice,
            &["<Invite-Response>", &id, "<Acceptance>T</Acceptance>"],
        );

        let block = |change: &str| {
            format!(
                "<BlockEntity-Request><BlockList><{change}><UserID>wv:eve@village.test</UserID>\
                 </{change}></BlockList></BlockEntity-Request>"
            )
        };
        asks(alice, &block("AddList"), &[OK]);
        asks(
            alice,
            "<GetBlockedList-Request/>",
            &["<EntityList><UserID>wv:eve@village.test</UserID></EntityList>"],
        );
        asks(alice, &block("RemoveList"), &[OK]);

        asks(
            alice,
            "<Search-Request><SearchPairList><SearchElement>GROUP_ID</SearchElement>\
             <SearchString>nobody knows</SearchString></SearchPairList><SearchLimit>5</SearchLimit>\
             </Search-Request>",
            &[
                "<SearchFindings>0</SearchFindings>",
                "<CompletionFlag>T</CompletionFlag>",
            ],
        );
        asks(
            alice,
            "<GetSPInfo-Request/>",
            &["<GetSPInfo-Response><Name>"],
        );

        asks(
            carol,
            "<SetDeliveryMethod-Request><DeliveryMethod>N</DeliveryMethod>\
             </SetDeliveryMethod-Request>",
            &[OK],
        );
        assert_eq!(alice.send("wv:carol@village.test", "wait"), 200);
        let told = loop {
            let told = carol.wait();
            if let Primitive::MessageNotification(told) = told.primitive {
                break told;
            }
        };
        let id = told.info.message.message_id.clone().unwrap();
        asks(
            carol,
            &format!("<GetMessage-Request><MessageID>{id}</MessageID></GetMessage-Request>"),
            &["<ContentData>wait</ContentData>"],
        );
        carol.delivered("0", &id);
        asks(
            carol,
            &format!("<GetMessage-Request><MessageID>{id}</MessageID></GetMessage-Request>"),
            &["<Code>426</Code>"],
        );
    });
}
