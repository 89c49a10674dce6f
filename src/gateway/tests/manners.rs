//! What the gateway answers to people.

use super::*;

#[test]
fn a_typed_address_becomes_a_jid() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp("<iq type='get' from='alice@home.example/x' to='village.example' id='g'><query xmlns='jabber:iq:gateway'/></iq>");
    assert!(world.out()[0].contains("<prompt>name@domain</prompt>"));
    for (typed, part) in [
        ("Bob@village.example", "<jid>bob@village.example</jid>"),
        (
            "wv:bob/party@village.example",
            "<jid>bob\\2fparty@village.example</jid>",
        ),
        ("alice@home.example", "not-acceptable"),
        ("bob@other.example", "not-acceptable"),
        ("", "not-acceptable"),
    ] {
        world.xmpp(&format!("<iq type='set' from='alice@home.example/x' to='village.example' id='g'><query xmlns='jabber:iq:gateway'><prompt>{typed}</prompt></query></iq>"));
        assert!(world.out()[0].contains(part), "{typed}: {:?}", world.out());
    }
}

#[test]
fn the_gateway_itself_answers_a_few_words_and_refuses_others() {
    let mut world = World::up(GatewaySettings::default());
    for (said, part) in [
        ("help", "is a gateway to Wireless Village"),
        (" WhoAmI ", "wv:alice@home.example"),
        ("is a gateway to Wireless Village", "type='error'"),
    ] {
        world.xmpp(&format!("<message type='chat' from='alice@home.example/x' to='village.example' id='m'><body>{said}</body></message>"));
        assert!(world.out()[0].contains(part), "{said}: {:?}", world.out());
        assert!(world.sent().is_empty());
    }
}

#[test]
fn the_domain_says_that_it_has_rooms() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp("<iq type='get' from='alice@home.example/x' to='village.example' id='d'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    world.answer("<Status code='405'/>");
    for part in [
        "category='conference'",
        "'http://jabber.org/protocol/muc'",
        "'jabber:iq:gateway'",
    ] {
        assert!(world.out()[0].contains(part), "{part} in {:?}", world.out());
    }
}
