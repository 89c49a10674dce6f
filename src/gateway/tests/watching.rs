//! What XMPP users who watch say, see and hear.

use super::presence::{
    AVAILABLE, SUBSCRIBE, SUBSCRIBED, notification, status, subscribe, types, watching,
};
use super::*;

#[test]
fn a_strangers_probe_asks_nobody_and_finds_a_lost_subscription_again() {
    let probe = "<presence type='probe' from='alice@home.example' to='bob@village.example'/>";
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(probe);
    assert!(world.sent()[0].contains("<GetPresenceRequest>"));
    assert_eq!(world.gateway.watches(), (0, 0));
    // Nothing is authorized, or nobody can be asked now.
    for answer in [
        "<GetPresenceResponse><Status code='200'/></GetPresenceResponse>",
        "<Status code='503'/>",
    ] {
        world.xmpp(probe);
        world.answer(answer);
        assert!(
            world.out().is_empty() && world.sent().is_empty(),
            "{answer}"
        );
    }
    // A peer that may not be asked: the watcher's server hears how it is.
    world.xmpp(probe);
    world.answer("<Status code='405'/>");
    assert_eq!(types(&world), ["unsubscribed"]);
    // What is authorized was subscribed once: it is again, and `subscribed` was said then.
    world.xmpp(probe);
    world.answer("<GetPresenceResponse><Status code='200'/><PresenceValue userID='wv:bob@village.example'><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus></PresenceSubList></PresenceValue></GetPresenceResponse>");
    assert_eq!(types(&world), ["available"]);
    assert!(world.sent()[0].contains("<SubscribeRequest>"));
    assert_eq!(world.gateway.watches(), (1, 0));
    world.answer("<Status code='200'/>");
    world.pass(10_000);
    world.ssp(None, &status("back"));
    assert_eq!(types(&world), ["available"]);
}

#[test]
fn a_denial_is_told_once_and_a_new_question_is_asked_anew() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(SUBSCRIBE);
    world.answer("<Status code='200'/>");
    let asked = Translator::new("home.example", &[VILLAGE]);
    let asked = asked.mappings.presence.subscribed();
    let all: Vec<String> = asked
        .attributes
        .iter()
        .map(|a| format!("<{0}><Qualifier>F</Qualifier></{0}>", a.name.as_str()))
        .collect();
    let denial = notification(&all.concat());
    world.ssp(None, &denial);
    assert_eq!(types(&world), ["unsubscribed"]);
    world.confirm(u64::MAX);
    world.ssp(None, &denial);
    assert!(world.out().is_empty());
    world.restart();
    world.link_up();
    world.ssp(None, &denial);
    assert!(world.out().is_empty());
    world.xmpp(SUBSCRIBE);
    world.ssp(None, &denial);
    assert_eq!(types(&world), ["unsubscribed"]);
    world.confirm(u64::MAX);
    // The publisher thinks better of it.
    world.ssp(None, &status("here"));
    assert_eq!(types(&world)[..2], ["subscribed", "available"]);
}

#[test]
fn name_and_words_of_a_request_reach_the_one_who_is_asked() {
    let mut world = World::up(GatewaySettings::default());
    let ask = SUBSCRIBE.replace(
        "/>",
        "><status>It is me, from the mill</status><nick xmlns='http://jabber.org/protocol/nick'>Ali</nick></presence>",
    );
    world.xmpp(&ask);
    let request = world.sent().remove(0);
    assert!(request.contains("friendlyName=\"Ali\""), "{request}");
    // A request that waits for its peer keeps both, over a restart too.
    world.restart();
    world.link_up();
    world.pass(0);
    assert!(world.sent()[0].contains("friendlyName=\"Ali\""));
    world.answer("<Status code='200'/>");
    let [message] = &world.sent()[..] else {
        panic!("one message, not {:?}", world.sent());
    };
    for part in [
        "<SendMessageRequest",
        "wv:alice@home.example",
        "wv:bob@village.example",
        &crate::imps::common::encode_base64("It is me, from the mill".as_bytes()),
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    // Told once, however often they ask.
    world.xmpp(&ask);
    world.answer("<Status code='200'/>");
    assert!(world.sent().is_empty());
}

#[test]
fn who_stops_says_so_for_everybody_it_shows() {
    let mut world = watching(GatewaySettings::default());
    world.run(|gateway, _| gateway.farewell());
    assert_eq!(types(&world), ["unavailable"]);
    assert!(world.out()[0].contains("from='bob@village.example/imps'"));
    // And shows nobody again.
    world.ssp(None, &status("still here"));
    world.pass(60_000);
    assert!(world.out().is_empty());
    world.restart();
    world.pass(0);
    world.answer("<Status code='200'/>");
    world.link_up();
    world.ssp(None, &status("back"));
    assert_eq!(types(&world), ["available"]);
}

#[test]
fn what_is_shown_names_what_its_client_can_do_and_whoever_knows_the_hash_may_ask() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(SUBSCRIBE);
    world.answer("<Status code='200'/>");
    world.ssp(
        None,
        &notification(
            "<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus>\
        <ClientInfo><Qualifier>T</Qualifier><ClientType>MOBILE_PHONE</ClientType></ClientInfo>",
        ),
    );
    let shown = world.out().remove(1);
    let hash = shown
        .split_once("ver='")
        .unwrap()
        .1
        .split('\'')
        .next()
        .unwrap();
    let ask = |node: &str| {
        format!(
            "<iq type='get' id='q' from='home.example' to='bob@village.example/imps'>\
            <query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/></iq>"
        )
    };
    let node = format!("urn:x-imps:gateway#{hash}");
    world.xmpp(&ask(&node));
    let answer = world.out().remove(0);
    for part in [
        format!("node='{node}'").as_str(),
        "type='phone'",
        "http://jabber.org/protocol/mood+notify",
        "http://jabber.org/protocol/activity+notify",
        "http://jabber.org/protocol/geoloc+notify",
        "http://jabber.org/protocol/nick+notify",
        "urn:xmpp:avatar:metadata+notify",
    ] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    for other in ["urn:x-imps:gateway#none", "urn:odd#x", ""] {
        world.xmpp(&ask(other));
        assert!(world.out()[0].contains("item-not-found"), "{other}");
    }
    // Absence has no client.
    world.pass(10_000);
    world.ssp(
        None,
        &notification(
            "<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>F</PresenceValue></OnlineStatus>",
        ),
    );
    assert!(world.out()[0].contains("type='unavailable'") && !world.out()[0].contains("ver="));
}

#[test]
fn what_a_user_has_published_ends_and_that_is_told() {
    let mood = "<mood xmlns='http://jabber.org/protocol/mood'><grumpy/></mood>";
    let nick = "<nick xmlns='http://jabber.org/protocol/nick'>Ally</nick>";
    let items = |node: &str, inner: &str| format!("<items node='{node}'>{inner}</items>");
    for attributes in ["", "<Alias/><StatusMood/>"] {
        let mut world = World::up(GatewaySettings::default());
        subscribe(&mut world, attributes);
        world.xmpp(SUBSCRIBED);
        world.xmpp(AVAILABLE);
        world.pass(10_000);
        let mut event = |inner: &str| {
            world.xmpp(&format!(
                "<message type='headline' from='alice@home.example' to='bob@village.example'>\
                 <event xmlns='http://jabber.org/protocol/pubsub#event'>{inner}</event></message>"
            ));
            let mut told = world.sent();
            world.pass(10_000);
            told.extend(world.sent());
            assert_eq!(told.len(), 1, "{inner}: {told:#?}");
            told.remove(0)
        };
        for (node, published, empty, name, value) in [
            (
                ns::MOOD,
                mood,
                "<mood xmlns='http://jabber.org/protocol/mood'/>",
                "StatusMood",
                "ANGRY",
            ),
            (
                ns::NICK,
                nick,
                "<nick xmlns='http://jabber.org/protocol/nick'/>",
                "Alias",
                "Ally",
            ),
        ] {
            for end in [
                items(node, "<retract id='1'/>"),
                items(node, "<item id='2'/>"),
                items(node, &format!("<item id='2'>{empty}</item>")),
                format!("<purge node='{node}'/>"),
                format!("<delete node='{node}'/>"),
            ] {
                let told = event(&items(node, &format!("<item id='1'>{published}</item>")));
                assert!(told.contains(value), "{told}");
                let told = event(&end);
                let gone = format!("<{name}><Qualifier>F</Qualifier>");
                assert!(
                    told.contains(&gone) && !told.contains(value),
                    "{end}: {told}"
                );
            }
        }
    }
}

#[test]
fn what_a_user_still_publishes_stays_whatever_else_happens_to_its_node() {
    let mood = |id: &str, word: &str| {
        format!(
            "<items node='{}'><item id='{id}'><mood xmlns='{0}'><{word}/></mood></item></items>",
            ns::MOOD
        )
    };
    let mut world = World::up(GatewaySettings::default());
    subscribe(&mut world, "<StatusMood/>");
    world.xmpp(SUBSCRIBED);
    world.xmpp(AVAILABLE);
    world.pass(10_000);
    let mut event = |inner: &str| {
        world.xmpp(&format!(
            "<message type='headline' from='alice@home.example' to='bob@village.example'>\
             <event xmlns='http://jabber.org/protocol/pubsub#event'>{inner}</event></message>"
        ));
        let mut told = world.sent();
        world.pass(10_000);
        told.extend(world.sent());
        told
    };
    event(&mood("1", "sad"));
    assert!(event(&mood("2", "grumpy"))[0].contains("ANGRY"));
    for other in [
        format!("<items node='{}'><retract id='1'/></items>", ns::MOOD),
        format!("<items node='{}'/>", ns::MOOD),
        format!("<configuration node='{}'/>", ns::MOOD),
        format!("<collection node='{}'/>", ns::MOOD),
        format!("<subscription node='{}' subscription='none'/>", ns::MOOD),
    ] {
        assert_eq!(event(&other), [""; 0], "{other}");
    }
    let told = event(&format!(
        "<items node='{}'><retract id='1'/><retract id='2'/></items>",
        ns::MOOD
    ));
    assert!(
        told[0].contains("<StatusMood><Qualifier>F</Qualifier>"),
        "{told:?}"
    );
}
