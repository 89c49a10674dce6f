//! Commands at the gateway's own address.

use super::*;
use crate::element::Wish;

const ADMIN: &str = "admin@home.example/pc";
const USER: &str = "alice@home.example/pc";

fn settings() -> GatewaySettings {
    GatewaySettings {
        operators: vec!["admin@home.example".to_owned()],
        ..GatewaySettings::default()
    }
}

impl World {
    fn commands(&mut self, who: &str, kind: &str, payload: &str) -> String {
        self.xmpp(&format!(
            "<iq type='{kind}' id='c' from='{who}' to='{VILLAGE}'>{payload}</iq>"
        ));
        self.out().first().cloned().unwrap_or_default()
    }

    fn command(&mut self, who: &str, node: &str, inner: &str) -> String {
        self.commands(
            who,
            "set",
            &format!(
                "<command xmlns='http://jabber.org/protocol/commands' node='{node}' action='execute'>{inner}</command>"
            ),
        )
    }

    fn chat(&mut self, who: &str, words: &str) -> String {
        self.xmpp(&format!(
            "<message type='chat' id='m' from='{who}' to='{VILLAGE}'><body>{words}</body></message>"
        ));
        self.out().first().cloned().unwrap_or_default()
    }

    fn wish(&self) -> Option<(u64, Wish)> {
        self.acts.iter().find_map(|act| match act {
            Act::Wish(number, wish) => Some((*number, *wish)),
            _ => None,
        })
    }
}

fn submit(fields: &str) -> String {
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

#[test]
fn everybody_sees_their_commands_and_operators_all() {
    let list = "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>";
    let mut world = World::up(settings());
    let of_user = world.commands(USER, "get", list);
    assert!(
        of_user.contains("node='whoami'") && !of_user.contains("node='drain'"),
        "{of_user}"
    );
    let of_admin = world.commands(ADMIN, "get", list);
    assert!(of_admin.contains("node='drain'"), "{of_admin}");
    let info = "<query xmlns='http://jabber.org/protocol/disco#info' node='whoami'/>";
    let info = world.commands(USER, "get", info);
    assert!(info.contains("type='command-node'"), "{info}");
    let domain = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    assert_eq!(world.commands(USER, "get", domain), "");
    // The domain itself is asked who runs it.
    let [(token, _)] = world.requests()[..] else {
        panic!("one request");
    };
    world.answer_to(token, "<GetSPInfoResponse serviceID='wv:@village.example'><Status code='200'/><Name>Village</Name></GetSPInfoResponse>");
    let domain = world.out().concat();
    assert!(
        domain.contains("var='http://jabber.org/protocol/commands'"),
        "{domain}"
    );
}

#[test]
fn a_command_is_done_at_once_or_asks_for_what_it_needs() {
    let mut world = World::up(settings());
    let said = world.command(USER, "whoami", "");
    assert!(
        said.contains("status='completed'") && said.contains("wv:alice@home.example"),
        "{said}"
    );
    let form = world.command(USER, "address", "");
    assert!(
        form.contains("status='executing'") && form.contains("var='address'"),
        "{form}"
    );
    let filled = submit("<field var='address'><value>wv:bob@village.example</value></field>");
    let said = world.command(USER, "address", &filled);
    assert!(said.contains(">bob@village.example<"), "{said}");
    let left = world.commands(
        USER,
        "set",
        "<command xmlns='http://jabber.org/protocol/commands' node='address' sessionid='s' action='cancel'/>",
    );
    assert!(left.contains("sessionid='s' status='canceled'"), "{left}");
    let unknown = world.command(USER, "make-tea", "");
    assert!(unknown.contains("item-not-found"), "{unknown}");
    // To users nobody gives commands.
    world.xmpp(
        "<iq type='set' id='c' from='alice@home.example/pc' to='bob@village.example'>\
         <command xmlns='http://jabber.org/protocol/commands' node='whoami'/></iq>",
    );
    assert!(
        world.out()[0].contains("type='cancel'"),
        "{:?}",
        world.out()
    );
}

#[test]
fn preferences_are_kept_and_heeded() {
    let mut world = World::up(settings());
    let form = world.command(USER, "preferences", "");
    assert!(form.contains("type='boolean' var='hints'"), "{form}");
    let filled = submit("<field var='hints'><value>0</value></field>");
    world.command(USER, "preferences", &filled);
    assert_eq!(world.kept(), ["gateway/preference/alice@home.example"]);
    world.restart();
    world.link_up();
    let said = world.chat(USER, "preferences");
    assert!(
        said.contains("hints off") && said.contains("files on"),
        "{said}"
    );
    let encrypted = "<message type='chat' id='e' from='alice@home.example/pc' to='bob@village.example'>\
         <body>Please use OMEMO</body><encrypted xmlns='eu.siacs.conversations.axolotl'><header/>\
         <payload>x</payload></encrypted></message>";
    world.xmpp(encrypted);
    assert!(world.out().is_empty(), "{:?}", world.out());
    world.chat(USER, "hints on");
    assert!(!world.kept().iter().any(|key| key.contains("/preference/")));
    world.xmpp(encrypted);
    assert_eq!(world.out().len(), 1);
}

#[test]
fn operators_alone_command_the_node() {
    let mut world = World::up(settings());
    let refused = world.command(USER, "drain", "");
    assert!(refused.contains("forbidden"), "{refused}");
    assert!(world.chat(USER, "drain").contains("type='error'"));
    assert_eq!(world.wish(), None);
    for (node, wish) in [
        ("peers", Wish::Peers),
        ("reload", Wish::Reload),
        ("drain", Wish::Drain),
    ] {
        world.command(ADMIN, node, "");
        let (number, wanted) = world.wish().unwrap();
        assert_eq!(wanted, wish);
        world.take(Input::Granted(number, vec!["Done so.".to_owned()]));
        let said = world.out()[0].clone();
        assert!(
            said.contains("id='c'") && said.contains("Done so."),
            "{said}"
        );
        // Once.
        world.take(Input::Granted(number, vec!["Done so.".to_owned()]));
        assert!(world.out().is_empty());
    }
    world.chat(ADMIN, "peers");
    world.pass(60_000);
    assert!(
        world.out()[0].contains("Nobody was there"),
        "{:?}",
        world.out()
    );
}

#[test]
fn what_an_operator_announces_goes_to_who_is_known() {
    let mut world = World::up(settings());
    world.ssp(
        Some(BOB),
        "<SubscribeRequest><UserID userID='wv:alice@home.example'/></SubscribeRequest>",
    );
    world.chat(ADMIN, "announce Tea at five");
    let out = world.out();
    let told = out
        .iter()
        .find(|text| text.contains("type='headline'"))
        .unwrap();
    for part in [
        "from='village.example'",
        "to='alice@home.example'",
        "<body>Tea at five</body>",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(
        out.iter()
            .any(|text| text.contains("It goes to 1 of 1 users")),
        "{out:?}"
    );
    assert!(world.chat(USER, "announce Tea").contains("type='error'"));
}

#[test]
fn help_names_the_commands_of_who_asks() {
    let mut world = World::up(settings());
    let of_user = world.chat(USER, "Help");
    assert!(
        of_user.contains("whoami") && !of_user.contains("drain"),
        "{of_user}"
    );
    assert!(world.chat(ADMIN, "?").contains("drain"));
    assert!(
        world
            .chat(USER, "address bob@village.example")
            .contains("bob@village.example")
    );
    assert!(world.chat(USER, "address nowhere").contains("no address"));
    assert!(world.chat(USER, "whoami please").contains("type='error'"));
}
