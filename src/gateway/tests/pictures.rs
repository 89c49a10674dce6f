//! Pictures that people show of themselves.

use super::*;

/// A PNG as far as its head goes, and what SHA-1 says of it.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAg";

fn id() -> String {
    let bytes = crate::imps::common::decode_base64(PNG).unwrap();
    crate::translate::presence::avatar::hash(&bytes)
}

fn attribute<'t>(text: &'t str, name: &str) -> &'t str {
    let rest = text.split(&format!(" {name}='")).nth(1).unwrap();
    rest.split('\'').next().unwrap()
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// Bob watches Alice, who is there.
fn watching() -> World {
    let mut world = World::up(GatewaySettings::default());
    world.ssp(
        Some(BOB),
        "<SubscribeRequest><UserID userID='wv:alice@home.example'/></SubscribeRequest>",
    );
    world.xmpp("<presence type='subscribed' from='alice@home.example' to='bob@village.example'/>");
    world.xmpp("<presence from='alice@home.example/x' to='bob@village.example'/>");
    world.pass(10_000);
    world
}

fn event(inner: &str) -> String {
    format!(
        "<message type='headline' from='alice@home.example' to='bob@village.example'><event xmlns='http://jabber.org/protocol/pubsub#event'>\
         <items node='urn:xmpp:avatar:metadata'><item id='i'><metadata xmlns='urn:xmpp:avatar:metadata'>{inner}</metadata></item></items></event></message>"
    )
}

fn data(bytes: &str) -> String {
    format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:data'><item id='i'><data xmlns='urn:xmpp:avatar:data'>{bytes}</data></item></items></pubsub>"
    )
}

fn replies(world: &mut World, question: &str, inner: &str) {
    let (id, from, to) = (
        attribute(question, "id"),
        attribute(question, "to"),
        attribute(question, "from"),
    );
    world.xmpp(&format!(
        "<iq type='result' id='{id}' from='{from}' to='{to}'>{inner}</iq>"
    ));
}

#[test]
fn the_picture_of_an_xmpp_user_is_fetched_once_and_told_once() {
    let mut world = watching();
    let metadata = event(&format!(
        "<info id='{}' bytes='24' type='image/png'/>",
        id()
    ));
    world.xmpp(&metadata);
    let question = world.out().remove(0);
    has(
        &question,
        &["urn:xmpp:avatar:data", &id(), "to='alice@home.example'"],
    );
    world.pass(5_000);
    replies(&mut world, &question, &data(PNG));
    let told = world.sent().remove(0);
    has(
        &told,
        &[
            "<StatusContent>",
            PNG,
            "<ContentType>image/png</ContentType>",
        ],
    );
    world.pass(10_000);
    // Another change does not bring it again, nor is it asked for again.
    world.xmpp("<presence from='alice@home.example/x' to='bob@village.example'><show>away</show></presence>");
    let told = world.sent().remove(0);
    assert!(!told.contains("StatusContent"), "{told}");
    world.pass(10_000);
    world.xmpp(&metadata);
    assert!(world.out().is_empty() && world.sent().is_empty());
    // There is none any more.
    world.xmpp(&event(""));
    has(
        &world.sent()[0],
        &["<StatusContent><Qualifier>F</Qualifier>"],
    );
}

#[test]
fn only_the_picture_that_was_told_of_counts_and_a_large_one_is_left_out() {
    let mut world = watching();
    let x = format!("<x xmlns='vcard-temp:x:update'><photo>{}</photo></x>", id());
    let presence =
        format!("<presence from='alice@home.example/x' to='bob@village.example'>{x}</presence>");
    world.xmpp(&presence);
    let question = world.out().remove(0);
    has(&question, &["vcard-temp"]);
    let card = "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO></vCard>";
    replies(&mut world, &question, card);
    assert!(
        world
            .sent()
            .iter()
            .all(|text| !text.contains("DirectContent"))
    );
    // It is not asked for again at once.
    world.xmpp(&presence);
    assert!(world.out().is_empty());
    world.pass(3_600_000);
    world.xmpp(&presence);
    let question = world.out().remove(0);
    let card = card.replace("iVBORw0KGgo=", PNG);
    let from_other = question.replace("to='alice@home.example'", "to='mallory@home.example'");
    replies(&mut world, &from_other, &card);
    assert!(world.sent().is_empty());
    replies(&mut world, &question, &card);
    has(&world.sent()[0], &["<DirectContent>"]);
    let mut world = watching();
    world.xmpp(&event(&format!(
        "<info id='{}' bytes='40000' type='image/png'/>",
        id()
    )));
    assert!(world.out().is_empty());
}

#[test]
fn the_picture_of_an_ssp_user_is_marked_announced_and_given_to_watchers() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp("<presence type='subscribe' from='alice@home.example' to='bob@village.example'/>");
    world.answer("<Status code='200'/>");
    let shown = |content: &str| {
        format!(
            "<PresenceNotification><User userID='alice@home.example'/><PresenceValue userID='wv:bob@village.example'><PresenceSubList>\
             <OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus><StatusContent>{content}</StatusContent>\
             </PresenceSubList></PresenceValue></PresenceNotification>"
        )
    };
    let picture = format!(
        "<Qualifier>T</Qualifier><DirectContent>{PNG}</DirectContent><ContentType>image/png</ContentType>"
    );
    world.ssp(None, &shown(&picture));
    let out = world.out().concat();
    has(
        &out,
        &[
            &format!("<photo>{}</photo>", id()),
            "urn:xmpp:avatar:metadata",
            "width='16'",
            "height='32'",
            "bytes='24'",
        ],
    );
    let ask = |who: &str, id: &str| {
        format!(
            "<iq type='get' id='q' from='{who}@home.example/x' to='bob@village.example'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
             <items node='urn:xmpp:avatar:data'><item id='{id}'/></items></pubsub></iq>"
        )
    };
    world.xmpp(&ask("alice", &id()));
    has(&world.out()[0], &["type='result'", PNG]);
    world.xmpp(&ask("eve", &id()));
    has(&world.out()[0], &["item-not-found"]);
    world.xmpp(&ask("alice", "other"));
    has(&world.out()[0], &["item-not-found"]);
    world.pass(5_000);
    world.ssp(None, &shown("<Qualifier>F</Qualifier>"));
    let out = world.out().concat();
    assert!(!out.contains(&id()), "{out}");
    has(&out, &["<photo", "<metadata"]);
}
