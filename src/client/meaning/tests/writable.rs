//! Whatever a domain answers and tells, every version can write what is made of it.

use proptest::prelude::*;

use super::{Asked, Heard, Interpreter, read, terms, written};
use crate::client::meaning::ClientKind;
use crate::csp::Version;
use crate::imps::Primitive;
use crate::imps::presence::AttributeName;
use crate::imps::primitive::{Facts, Name};
use crate::imps::xml::Shape;
use crate::ssp::envelope::decode_fragment;

/// Requests of clients, each in its shortest form.
const REQUESTS: &[&str] = &[
    "<GetSPInfo-Request/>",
    "<Search-Request><SearchID>7</SearchID></Search-Request>",
    "<StopSearch-Request><SearchID>7</SearchID></StopSearch-Request>",
    "<VerifyID-Request><IDList/></VerifyID-Request>",
    "<Invite-Request><InviteID>i</InviteID><InviteType>IM</InviteType><Recipient><User><UserID>b\
     </UserID></User><User><UserID>c</UserID></User></Recipient></Invite-Request>",
    "<InviteUser-Response><InviteID>i</InviteID></InviteUser-Response>",
    "<CancelInvite-Request><InviteID>i</InviteID></CancelInvite-Request>",
    "<SubscribeNotification-Request/>",
    "<UnsubscribeNotification-Request/>",
    "<GetPublicProfile-Request><UserID>b</UserID><UserID>c</UserID></GetPublicProfile-Request>",
    "<UpdatePublicProfile-Request/>",
    "<GetMap-Request/>",
    "<GetList-Request/>",
    "<CreateList-Request><ContactList>l</ContactList></CreateList-Request>",
    "<DeleteList-Request><ContactList>l</ContactList></DeleteList-Request>",
    "<ListManage-Request><ContactList>l</ContactList><AddNickList><UserID>b</UserID></AddNickList>\
     <AuthorizeAndGrant>T</AuthorizeAndGrant></ListManage-Request>",
    "<GetPresence-Request><User><UserID>b</UserID></User></GetPresence-Request>",
    "<UpdatePresence-Request><PresenceSubList/></UpdatePresence-Request>",
    "<SubscribePresence-Request><User><UserID>b</UserID></User></SubscribePresence-Request>",
    "<UnsubscribePresence-Request><User><UserID>b</UserID></User></UnsubscribePresence-Request>",
    "<GetWatcherList-Request/>",
    "<PresenceAuth-User><UserID>b</UserID></PresenceAuth-User>",
    "<CancelAuth-Request><UserID>b</UserID></CancelAuth-Request>",
    "<GetReactiveAuthStatus-Request/>",
    "<CreateAttributeList-Request/>",
    "<DeleteAttributeList-Request/>",
    "<GetAttributeList-Request/>",
    "<SendMessage-Request><MessageInfo><Recipient><User><UserID>b</UserID></User></Recipient>\
     </MessageInfo></SendMessage-Request>",
    "<GetMessageList-Request><GroupID>wv:a/g@b.test</GroupID></GetMessageList-Request>",
    "<GetMessage-Request><MessageID>m</MessageID></GetMessage-Request>",
    "<RejectMessage-Request><MessageID>m</MessageID></RejectMessage-Request>",
    "<ForwardMessage-Request><MessageID>m</MessageID><Recipient><User><UserID>b</UserID></User>\
     </Recipient></ForwardMessage-Request>",
    "<MessageDelivered><MessageID>m</MessageID></MessageDelivered>",
    "<SetDeliveryMethod-Request><DeliveryMethod>P</DeliveryMethod></SetDeliveryMethod-Request>",
    "<GetBlockedList-Request/>",
    "<BlockEntity-Request/>",
    "<CreateGroup-Request><GroupID>g</GroupID></CreateGroup-Request>",
    "<DeleteGroup-Request><GroupID>g</GroupID></DeleteGroup-Request>",
    "<JoinGroup-Request><GroupID>wv:a/g@b.test</GroupID><JoinedRequest>T</JoinedRequest>\
     </JoinGroup-Request>",
    "<LeaveGroup-Request><GroupID>g</GroupID></LeaveGroup-Request>",
    "<GetJoinedUsers-Request><GroupID>g</GroupID></GetJoinedUsers-Request>",
    "<SubscribeGroupNotice-Request><GroupID>g</GroupID><SubscribeType>G</SubscribeType>\
     </SubscribeGroupNotice-Request>",
    "<GetGroupMembers-Request><GroupID>g</GroupID></GetGroupMembers-Request>",
    "<AddGroupMembers-Request><GroupID>g</GroupID><UserList/></AddGroupMembers-Request>",
    "<RemoveGroupMembers-Request><GroupID>g</GroupID><UserList/></RemoveGroupMembers-Request>",
    "<MemberAccess-Request><GroupID>g</GroupID></MemberAccess-Request>",
    "<GetGroupProps-Request><GroupID>g</GroupID></GetGroupProps-Request>",
    "<SetGroupProps-Request><GroupID>g</GroupID></SetGroupProps-Request>",
    "<RejectList-Request><GroupID>g</GroupID></RejectList-Request>",
    "<ExtendConversation-Request/>",
];

/// Attributes of all elements; those behind the first are numbers, or words of their own.
const TEXTS: &[&str] = &[
    "userID",
    "groupID",
    "contactListID",
    "messageID",
    "inviteID",
    "inviteType",
    "searchID",
    "serviceID",
    "contentType",
    "messageURI",
    "contentName",
    "name",
    "url",
    "state",
    "status",
    "friendlyName",
    "applicationID",
    "deliveryMethod",
    "element",
    "string",
];
const NUMBERS: &[&str] = &[
    "searchIndex",
    "searchFindings",
    "contentSize",
    "validity",
    "historyPeriod",
    "watcherCount",
    "messageTotalCount",
];
const TRUTHS: &[&str] = &["completion", "subscribed", "acceptance", "inUse"];

const WORDS: &[&str] = &[
    "",
    " ",
    "T",
    "7",
    "x",
    "wv:bob@b.test",
    "wv:a/g@b.test",
    "Bo",
    "\u{dc}",
    "&lt;a&gt; &amp;",
    "text/html",
    "text/plain; charset=utf-16",
    "image/png",
    "CURRENT_SUBSCRIBER",
    "GM",
    "aGk=",
    "2026-01-31T23:59:59Z",
];

/// Draws from numbers.
struct Tape<'t>(std::slice::Iter<'t, u16>);

impl Tape<'_> {
    fn draw(&mut self, sides: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % sides.max(1)
    }

    fn pick<'p>(&mut self, of: &[&'p str]) -> &'p str {
        of[self.draw(of.len())]
    }

    /// An element of this shape, with any attributes.
    fn element(&mut self, name: &str, shape: &Shape, depth: usize) -> String {
        let code = self.pick(&["200", "200", "200", "201", "404", "531", "900", "x"]);
        let mut attributes = format!(r#" code="{code}""#);
        for name in TEXTS {
            if self.draw(40) > 0 {
                attributes += &format!(r#" {name}="{}""#, self.pick(WORDS));
            }
        }
        for name in NUMBERS {
            if self.draw(3) > 0 {
                attributes += &format!(r#" {name}="{}""#, self.pick(&["0", "1", "70000"]));
            }
        }
        for name in TRUTHS {
            attributes += &format!(r#" {name}="{}""#, self.pick(&["Yes", "No"]));
        }
        let mut inner = String::new();
        if name == "PresenceSubList" {
            inner = self.presence();
        } else if name == "ContentData" && self.draw(2) == 0 {
            attributes += r#" encoding="base64""#;
            inner = self.pick(&["aGk=", "iVBORw==", "", "/P8A"]).to_owned();
        } else if depth < 6 {
            for part in shape.parts() {
                let drawn = self.draw(4);
                let times = if part.once { drawn.min(1) } else { drawn };
                for _ in 0..times {
                    let known = &part.elements[self.draw(part.elements.len())];
                    inner += &self.element(known.names[0], known.shape, depth + 1);
                }
            }
        }
        if inner.is_empty() && name != "PresenceSubList" {
            inner = self.pick(WORDS).to_owned();
        }
        format!("<{name}{attributes}>{inner}</{name}>")
    }

    fn presence(&mut self) -> String {
        let mut all = String::new();
        for _ in 0..self.draw(6) {
            let known = AttributeName::KNOWN;
            let name = match self.draw(known.len() + 1) {
                at if at < known.len() => known[at].as_str(),
                _ => "Odd",
            };
            let mut fields = String::new();
            for _ in 0..self.draw(5) {
                let word = self.pick(WORDS);
                fields += &match self.pick(&[
                    "Qualifier",
                    "PresenceValue",
                    "ClientID",
                    "CommC",
                    "AddrPref",
                    "Inf_link",
                    "ClientContentLimit",
                    "Zone",
                    "ClientType",
                    "Note",
                    "DirectContent",
                    "ReferredContent",
                    "ClientIMPriority",
                    "Accuracy",
                    "ContentType",
                ]) {
                    "ClientID" => format!(r#"<ClientID url="{word}"/>"#),
                    "CommC" => format!("<CommC><Cap>IM</Cap><Status>{word}</Status></CommC>"),
                    "AddrPref" => format!("<AddrPref><PrefC>{word}</PrefC></AddrPref>"),
                    "Inf_link" => format!("<Inf_link><Text>{word}</Text></Inf_link>"),
                    "ClientContentLimit" => format!(
                        "<ClientContentLimit><MaxPullLength>{word}</MaxPullLength>\
                         </ClientContentLimit>"
                    ),
                    "Qualifier" => {
                        format!("<Qualifier>{}</Qualifier>", self.pick(&["T", "F", "x"]))
                    }
                    field => format!("<{field}>{word}</{field}>"),
                };
            }
            all += &format!("<{name}>{fields}</{name}>");
        }
        all
    }

    /// A primitive; `None` if what was drawn is none.
    fn primitive(&mut self, facts: &Facts) -> Option<Primitive> {
        let xml = self.element(facts.name, facts.shape, 0);
        decode_fragment(xml.as_bytes()).ok()
    }
}

fn interpreter(version: Version, wbxml: bool, kind: usize) -> Interpreter {
    let kinds = ClientKind::built_in().unwrap();
    let name = kinds.get(kind).map(|kind| kind.name.clone());
    let mut terms = terms(version);
    terms.wbxml = wbxml;
    terms.recognize(&kinds, name.as_deref());
    Interpreter::new(terms)
}

/// The primitive that answers a request, by name.
fn answer_to(request: &Primitive) -> Name {
    let name = request.name().replace("Request", "Response");
    Name::parse(&name).unwrap_or(Name::Status)
}

#[test]
fn every_request_of_a_client_is_among_those_that_are_tried() {
    let tried = |name: &str| {
        REQUESTS
            .iter()
            .any(|xml| xml.starts_with(&format!("<{name}")))
    };
    for facts in crate::csp::primitive::FACTS {
        let primitive = read(Version::V1_3, &format!("<{}/>", facts.name));
        let is_asked = match super::super::facts::what(&primitive) {
            super::super::facts::What::Request(_) => true,
            // It lacks something; its name says enough.
            super::super::facts::What::Unreadable => facts.name.ends_with("-Request"),
            _ => false,
        };
        let is_told = matches!(
            facts.name,
            "PresenceNotification-Request"
                | "InviteUser-Request"
                | "CancelInviteUser-Request"
                | "PresenceAuth-Request"
                | "DeliveryReport-Request"
                | "Notification-Request"
                | "SystemMessage-Request"
                | "Login-Request"
        );
        assert!(!is_asked || is_told || tried(facts.name), "{}", facts.name);
    }
}

proptest! {
    #[test]
    fn every_answer_can_be_written_in_its_version(
        at in any::<prop::sample::Index>(),
        version in prop::sample::select(Version::ALL.to_vec()),
        other in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        tape in prop::collection::vec(any::<u16>(), 0..400),
        wbxml in any::<bool>(),
        kind in 0..4usize,
    ) {
        let mut interpreter = interpreter(version, wbxml, kind);
        let request = REQUESTS[at.index(REQUESTS.len())];
        let mut tape = Tape(tape.iter());
        let mut asked = interpreter.ask(read(version, request));
        loop {
            let (mut exchange, next) = match asked {
                Asked::Answered(answer) => {
                    written(version, &answer);
                    break;
                }
                Asked::User(exchange, next) => (exchange, next),
                Asked::Session | Asked::Reply => panic!("{request}"),
            };
            let name = match &other {
                Some(other) => Name::ALL[other.index(Name::ALL.len())],
                None => answer_to(&next),
            };
            let Some(answer) = tape.primitive(name.facts()) else {
                return Ok(());
            };
            match interpreter.hear(&mut exchange, answer) {
                Heard::Ask(next) => asked = Asked::User(exchange, next),
                Heard::Answer(answer) | Heard::Refused(answer) => {
                    check(version, wbxml, &answer);
                    break;
                }
            }
        }
    }

    #[test]
    fn everything_a_client_is_told_can_be_written_in_its_version(
        name in prop::sample::select(vec![
            Name::NewMessage, Name::MessageNotification, Name::DeliveryStatusReport,
            Name::PresenceNotification, Name::PresenceAuthRequest, Name::InviteRequest,
            Name::InviteResponse, Name::CancelInviteRequest, Name::GroupChangeNotice,
            Name::LeaveGroupIndication, Name::Status,
        ]),
        version in prop::sample::select(Version::ALL.to_vec()),
        tape in prop::collection::vec(any::<u16>(), 0..400),
        wbxml in any::<bool>(),
        kind in 0..4usize,
    ) {
        let Some(primitive) = Tape(tape.iter()).primitive(name.facts()) else {
            return Ok(());
        };
        if let Some(told) = interpreter(version, wbxml, kind).tell(&primitive) {
            check(version, wbxml, &told);
        }
    }
}

/// Writes it as the session does: octets that are no text are for WBXML alone.
fn check(version: Version, wbxml: bool, primitive: &crate::csp::Primitive) {
    if wbxml {
        super::octets(version, primitive);
    } else {
        written(version, primitive);
    }
}
