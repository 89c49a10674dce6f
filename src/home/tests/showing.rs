//! Contents that no client of the recipient can show.

use super::*;

#[test]
fn what_no_client_of_the_user_can_show_is_refused_to_the_sender_with_its_reason() {
    const TEXT: &str =
        r#"{"types":["text/plain"],"no_other_types":true,"max_bytes":4,"max_fetched":4}"#;
    let said = |world: &mut World, id: &str, kind: &str, uri: Option<&str>| {
        let mut request = text(id, "zoe@far.test", &["bob@home.test"], "");
        request.info.uri = uri.map(str::to_owned);
        request.content = Some(ContentData {
            content_type: kind.to_owned(),
            bytes: b"12345".to_vec(),
        });
        let answer = world.deliver("far.test", Some("zoe@far.test"), request);
        answer.unwrap().verdict().unwrap().effective().0
    };
    let mut world = World::peopled();
    // Who has no client may come with one that shows it.
    assert_eq!(said(&mut world, "m1", "image/png", None), 200);
    world.open_with(1, "bob", TEXT);
    assert!(matches!(
        &world.heard(1)[..],
        [.., Event::Notification { .. }]
    ));
    assert_eq!(said(&mut world, "m2", "image/png", None), 415);
    assert_eq!(said(&mut world, "m3", "text/plain", None), 432);
    // A link is shown as such, and what was taken is taken again.
    assert_eq!(
        said(&mut world, "m4", "image/png", Some("http://a.test/")),
        200
    );
    assert_eq!(said(&mut world, "m1", "image/png", None), 200);
    // One client that can show it is enough.
    world.open_with(2, "bob", r#"{"method":"notify"}"#);
    assert_eq!(said(&mut world, "m2", "image/png", None), 200);
    world.close(2);
    // Who is not admitted is told nothing of it.
    let block = r#"<BlockEntityRequest>META<BlockList><AddList><UserID userID="wv:zoe@far.test"/></AddList></BlockList></BlockEntityRequest>"#;
    let answer = world.ask_xml(1, "bob", block);
    assert_eq!(answer.verdict().unwrap().code, Code::OK);
    assert_eq!(said(&mut world, "m5", "image/png", None), 200);
}
