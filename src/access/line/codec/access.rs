//! Who may reach the user: `/block`, `/unblock`, `/grant`, `/ungrant`, `/blocked`.

use super::super::requests::Listing;
use super::super::screen;
use super::family::{Command, Family, Meaning, hears_nothing, verdict};
use super::memory::Memory;
use crate::imps::Primitive;

pub(super) const FAMILY: Family = Family {
    help: "\
/block ADDRESS          hear nothing of a user, or of a group; /unblock ends it
/block GROUP NAME       hear nothing of who is called so in a group; /unblock ends it
/grant ADDRESS          let a user or a group reach you; /ungrant ends it
/grant on               be reached by those alone whom you grant; /grant off ends it
/blocked                whom you block and grant; both take list NAME for a contact list",
    understand,
    hear: hears_nothing,
};

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    let (list, what, is_on) = match command.name {
        "block" => (Listing::Block, "block", true),
        "unblock" => (Listing::Block, "unblock", false),
        "grant" => (Listing::Grant, "grant", true),
        "ungrant" => (Listing::Grant, "ungrant", false),
        "blocked" => return Some(lists(memory)),
        _ => return None,
    };
    let requests = &memory.requests;
    let request = match command.rest {
        "on" | "off" if is_on => requests.list_in_use(list, command.rest == "on"),
        typed => match requests.entity(typed) {
            Some(who) => requests.list(list, who, is_on),
            None => return Some(command.needs_address()),
        },
    };
    let typed = command.rest.to_owned();
    Some(Meaning::ask(vec![request], move |_, answers| {
        screen::listed(what, &typed, &verdict(answers))
    }))
}

fn lists(memory: &Memory) -> Meaning {
    Meaning::ask(
        vec![memory.requests.blocked()],
        |_, answers| match answers {
            [Primitive::GetBlockedListResponse(lists)] => screen::access(lists),
            _ => screen::failed("lists", None, &verdict(answers)),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::super::tests::{answer, codec, said};

    #[test]
    fn who_may_reach_the_user_is_typed_and_shown() {
        let mut codec = codec();
        for (line, list) in [
            (
                "/block zoe@far.test",
                r#"<BlockList><AddList><UserID userID="wv:zoe@far.test"/></AddList></BlockList>"#,
            ),
            (
                "/unblock zoe",
                r#"<BlockList><RemoveList><UserID userID="wv:zoe@home.test"/></RemoveList></BlockList>"#,
            ),
            (
                "/block bob/club@b.test",
                r#"<BlockList><AddList><GroupID groupID="wv:bob/club@b.test"/></AddList></BlockList>"#,
            ),
            (
                "/block bob/club@b.test Wicked Vicky",
                r#"<BlockList><AddList><ScreenName groupID="wv:bob/club@b.test">Wicked Vicky</ScreenName></AddList></BlockList>"#,
            ),
            (
                "/grant list contacts",
                r#"<GrantList><AddList><ContactList contactListID="wv:alice/contacts@home.test"/></AddList></GrantList>"#,
            ),
            (
                "/ungrant bob",
                r#"<GrantList><RemoveList><UserID userID="wv:bob@home.test"/></RemoveList></GrantList>"#,
            ),
            ("/grant on", r#"<GrantList inUse="Yes"/>"#),
            ("/block off", r#"<BlockList inUse="No"/>"#),
        ] {
            let (_, request) = said(&mut codec, line).pop().unwrap();
            let written = request.to_xml(None);
            assert!(written.contains(list), "{line}: {written}");
        }
        for line in ["/block", "/grant wv:@b.test", "/block bob too"] {
            assert!(matches!(codec.understand(line), Action::Show(_)), "{line}");
        }
        let (id, _) = said(&mut codec, "/blocked").pop().unwrap();
        let lists = r#"<GetBlockedListResponse><Status code="200"/><BlockList inUse="Yes"><UserID userID="wv:zoe@far.test"/><ScreenName groupID="wv:bob/club@b.test">Tom</ScreenName></BlockList><GrantList inUse="No"/></GetBlockedListResponse>"#;
        assert_eq!(
            answer(&mut codec, &id, lists).as_deref(),
            Some("* blocked: zoe@far.test, Tom in bob/club@b.test\n* granted (not in use): nobody")
        );
        let (id, _) = said(&mut codec, "/block list friends").pop().unwrap();
        let told = answer(&mut codec, &id, r#"<Status code="700"/>"#).unwrap();
        assert!(
            told.starts_with("* block list friends failed: 700"),
            "{told}"
        );
    }
}
