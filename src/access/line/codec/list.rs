//! Contact lists: `/list`, and what those on them may see: `/show`.

use super::super::screen;
use super::family::{Command, Family, Meaning, filled, hears_nothing, verdict};
use super::memory::Memory;
use super::message;
use crate::imps::presence::AttributeName;
use crate::imps::primitive::contact_list::NickName;
use crate::imps::{Address, Primitive};

pub(super) const FAMILY: Family = Family {
    help: "\
/list                   your contact lists; /list NAME: who is on one
/list new NAME [DISPLAY NAME]   make one; /list delete NAME, /list default NAME, /list name NAME TEXT
/list add NAME ADDRESS [NICK]   put somebody on one; /list remove NAME ADDRESS
/list to NAME [TEXT]    write to all on one; /list watch NAME watches them, /list unwatch NAME
/show                   what those on your lists may see of your presence
/show ADDRESS|list NAME|default ATTRIBUTE...   change it: online, status, mood, ..., all, nothing, as-others",
    understand,
    hear: hears_nothing,
};

/// Shorter words for attributes.
const WORDS: [(&str, AttributeName); 5] = [
    ("online", AttributeName::OnlineStatus),
    ("availability", AttributeName::UserAvailability),
    ("status", AttributeName::StatusText),
    ("mood", AttributeName::StatusMood),
    ("alias", AttributeName::Alias),
];

/// The words that may follow `/list`; any other is the name of a list.
const COMMANDS: [&str; 9] = [
    "new", "delete", "name", "default", "add", "remove", "to", "watch", "unwatch",
];

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    match command.name {
        "list" => Some(list(memory, command)),
        "show" => Some(show(memory, command.rest)),
        _ => None,
    }
}

fn list(memory: &mut Memory, command: &Command<'_>) -> Meaning {
    let (word, rest) = command.split();
    let requests = &memory.requests;
    if word.is_empty() {
        return Meaning::ask(vec![requests.lists()], |_, answers| match answers {
            [Primitive::GetListResponse(response)] if response.status.code.is_success() => {
                screen::lists(response)
            }
            _ => screen::failed("contact lists", None, &verdict(answers)),
        });
    }
    if !COMMANDS.contains(&word) {
        let list = requests.contact_list(word);
        return Meaning::ask(
            vec![requests.members(list.clone())],
            move |_, answers| match answers {
                [Primitive::ListManageResponse(response)] if response.status.code.is_success() => {
                    screen::members(&list, response)
                }
                _ => screen::failed("contact list", Some(&list), &verdict(answers)),
            },
        );
    }
    let (name, given) = rest.split_once(' ').unwrap_or((rest, ""));
    let given = given.trim();
    if name.is_empty() {
        return Meaning::Show(format!("/list {word} needs the name of a list"));
    }
    let list = requests.contact_list(name);
    match (word, given) {
        ("to", text) => write_to(memory, list, text),
        ("add" | "remove", "") => Meaning::Show(format!("/list {word} {name} needs an address")),
        _ => change(memory, word, list, given),
    }
}

/// Does something with a list.
fn change(memory: &Memory, word: &str, list: Address, given: &str) -> Meaning {
    let (requests, to) = (&memory.requests, list.clone());
    let (what, request) = match word {
        "new" => ("create list", requests.new_list(to, filled(given))),
        "delete" => ("delete list", requests.delete_list(to)),
        "name" => {
            let request = requests.list_property(to, "DisplayName", given);
            ("name list", request)
        }
        "default" => {
            let request = requests.list_property(to, "Default", "T");
            ("make default list", request)
        }
        "watch" => ("watch list", requests.subscribe(to)),
        "unwatch" => ("stop watching list", requests.unsubscribe(to)),
        "add" => {
            let (user, name) = given.split_once(' ').unwrap_or((given, ""));
            let member = NickName {
                name: filled(name.trim()),
                user: requests.address(user),
            };
            let request = requests.change_members(to, Some(member), None);
            ("add to list", request)
        }
        _ => {
            let user = requests.address(given);
            let request = requests.change_members(to, None, Some(user));
            ("remove from list", request)
        }
    };
    Meaning::done(what, Some(list), request)
}

/// All on a list become the partner.
fn write_to(memory: &mut Memory, list: Address, text: &str) -> Meaning {
    let chosen = format!("you write to all on {}", list.bare());
    memory.choose(list, true);
    match text {
        "" => Meaning::Show(chosen),
        text => message::send(memory, text),
    }
}

fn show(memory: &Memory, rest: &str) -> Meaning {
    let requests = &memory.requests;
    let mut words = rest.split_whitespace();
    let (user, list) = match words.next() {
        None => {
            let request = requests.attribute_lists();
            return Meaning::ask(vec![request], |_, answers| match answers {
                [Primitive::GetAttributeListResponse(response)]
                    if response.status.code.is_success() =>
                {
                    screen::attribute_lists(response)
                }
                _ => screen::failed("attribute lists", None, &verdict(answers)),
            });
        }
        Some("default") => (None, None),
        Some("list") => match words.next() {
            Some(name) => (None, Some(requests.contact_list(name))),
            None => return Meaning::Show("/show list needs the name of a list".to_owned()),
        },
        Some(user) => (Some(requests.address(user)), None),
    };
    let about = user.clone().or(list.clone());
    let words: Vec<&str> = words.collect();
    match &words[..] {
        [] => Meaning::Show("/show needs attributes, or: all, nothing, as-others".to_owned()),
        ["as-others"] => {
            let request = requests.detach(user, list);
            Meaning::done("detach attribute list", about, request)
        }
        words => match attributes(words) {
            Ok(names) => {
                let names = names.unwrap_or_else(|| AttributeName::KNOWN.to_vec());
                let request = requests.attach(names, user, list);
                Meaning::done("attach attribute list", about, request)
            }
            Err(why) => Meaning::Show(why),
        },
    }
}

/// Attributes by their words; `None` for all of them.
pub(super) fn attributes(words: &[&str]) -> Result<Option<Vec<AttributeName>>, String> {
    match words {
        ["all"] => return Ok(None),
        ["nothing"] => return Ok(Some(Vec::new())),
        _ => {}
    }
    let name = |word: &&str| {
        let mut short = WORDS
            .iter()
            .filter(|(short, _)| short.eq_ignore_ascii_case(word));
        let mut known = AttributeName::KNOWN.iter();
        let known = known.find(|name| name.as_str().eq_ignore_ascii_case(word));
        let name = known.or_else(|| short.next().map(|(_, name)| name));
        name.cloned().ok_or_else(|| screen::no_attribute(word))
    };
    words.iter().map(name).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::super::tests::{answer, codec, said};

    /// The one request of a line, as XML.
    fn asked(line: &str) -> String {
        let mut requests = said(&mut codec(), line);
        assert_eq!(requests.len(), 1, "{line}");
        requests.remove(0).1.to_xml(None)
    }

    #[test]
    fn every_command_is_the_primitive_it_says() {
        for (line, name) in [
            ("/list", "GetListRequest"),
            ("/list friends", "ListManageRequest"),
            ("/list new friends My friends", "CreateListRequest"),
            ("/list delete friends", "DeleteListRequest"),
            ("/list name friends Old friends", "ListManageRequest"),
            ("/list default friends", "ListManageRequest"),
            ("/list add friends bob Bobby", "ListManageRequest"),
            ("/list remove friends bob", "ListManageRequest"),
            ("/list to friends hi all", "SendMessageRequest"),
            ("/list watch friends", "SubscribeRequest"),
            ("/list unwatch friends", "UnsubscribeRequest"),
            ("/show", "GetAttributeListRequest"),
            ("/show bob mood", "CreateAttributeListRequest"),
            ("/show bob as-others", "DeleteAttributeListRequest"),
            ("/allow bob mood", "PresenceAuthUserRequest"),
            ("/forget bob", "CancelAuthRequest"),
            ("/tell plmn Sonera", "UpdatePresenceRequest"),
        ] {
            assert!(asked(line).starts_with(&format!("<{name}")), "{line}");
        }
        for line in [
            "/list new",
            "/list add friends",
            "/list remove friends",
            "/list to",
            "/show bob",
            "/show bob shoe",
            "/show list",
            "/allow bob shoe",
            "/forget",
            "/tell shoe size",
        ] {
            let action = codec().understand(line);
            assert!(matches!(action, Action::Show(_)), "{line}");
        }
    }

    #[test]
    fn attributes_are_named_by_words_and_lists_by_their_names() {
        let list = r#"<ContactList contactListID="wv:alice/friends@home.test"/>"#;
        for (line, parts) in [
            (
                "/show list friends mood StatusText",
                vec!["<StatusMood/>", "<StatusText/>", list],
            ),
            (
                "/show bob nothing",
                vec![r#"<UserID userID="wv:bob@home.test"/>"#, "<PresenceSubList"],
            ),
            (
                "/show default all",
                vec![r#"defaultList="Yes""#, "<InfoLink/>"],
            ),
            (
                "/deny bob online",
                vec![r#"acceptance="No""#, "<OnlineStatus/>"],
            ),
            ("/list to friends hi", vec![list]),
            (
                "/list name friends Old friends",
                vec!["<Value>Old friends</Value>"],
            ),
            (
                "/list add friends carol Caro of work",
                vec![r#"name="Caro of work" userID="wv:carol@home.test""#],
            ),
        ] {
            let xml = asked(line);
            for part in parts {
                assert!(xml.contains(part), "{line}: {xml}");
            }
        }
        // A line without slash goes to all on the list, until there is another partner.
        let mut codec = codec();
        codec.understand("/list to friends");
        let (_, primitive) = said(&mut codec, "hello").remove(0);
        assert!(primitive.to_xml(None).contains(list));
        codec.understand("/to bob");
        let (_, primitive) = said(&mut codec, "hello").remove(0);
        assert!(!primitive.to_xml(None).contains("ContactList"));
    }

    #[test]
    fn answers_are_lines() {
        let mut codec = codec();
        let mut told = |line: &str, xml: &str| {
            let (id, _) = said(&mut codec, line).remove(0);
            answer(&mut codec, &id, xml).unwrap()
        };
        let lists = r#"<GetListResponse><Status code="200"/><ContactList contactListID="wv:alice/contacts@home.test"/><ContactList contactListID="wv:alice/work@home.test"/><DefaultContactList contactListID="wv:alice/work@home.test"/></GetListResponse>"#;
        assert_eq!(told("/list", lists), "* contacts\n* work (default)");
        let members = r#"<ListManageResponse><Status code="200"/><NickList><NickName name="Bobby" userID="wv:bob@b.test"/><NickName userID="wv:c@b.test"/></NickList><ContactListProperties><Property><Name>DisplayName</Name><Value>My work</Value></Property></ContactListProperties></ListManageResponse>"#;
        assert_eq!(
            told("/list work", members),
            "* work \"My work\"\n*   bob@b.test \"Bobby\"\n*   c@b.test"
        );
        let none = r#"<ListManageResponse><Status code="700"/></ListManageResponse>"#;
        assert!(
            told("/list shoes", none)
                .starts_with("* contact list alice/shoes@home.test failed: 700")
        );
        let shown = r#"<GetAttributeListResponse><Status code="200"/><DefaultAttributeList><PresenceSubList><OnlineStatus/></PresenceSubList></DefaultAttributeList><Presence><UserID userID="wv:bob@b.test"/><PresenceSubList/></Presence><Presence><ContactList contactListID="wv:alice/work@home.test"/><PresenceSubList><StatusText/><StatusMood/></PresenceSubList></Presence></GetAttributeListResponse>"#;
        assert_eq!(
            told("/show", shown),
            "* default, of lists without one of their own: OnlineStatus\n* bob@b.test: nothing\n* list work: StatusText, StatusMood"
        );
        let presence = r#"<GetPresenceResponse><Status code="200"/><PresenceValue userID="wv:bob@b.test"><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus><TimeZone><Qualifier>T</Qualifier><Zone>+02</Zone></TimeZone><PLMN><Qualifier>F</Qualifier></PLMN></PresenceSubList></PresenceValue></GetPresenceResponse>"#;
        assert_eq!(
            told("/presence bob@b.test", presence),
            "* bob@b.test is online\n*   TimeZone: +02"
        );
    }
}
