//! The echo user's bounds, and the echo user of a node without home domain.

use super::*;

fn send(world: &mut World, request: SendMessageRequest) -> Code {
    match world.deliver("far.test", Some("zoe@far.test"), request) {
        Some(Primitive::SendMessageResponse(response)) => response.status.effective(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_echo_is_worth_as_long_as_what_it_echoes() {
    let mut world = World::with(|settings| settings.echo = true);
    let mut request = text("m1", "zoe@far.test", &["echo@home.test"], "hello?");
    request.info.validity = Some(60);
    send(&mut world, request);
    let sent = world.sent();
    let [Primitive::SendMessageRequest(back)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(back.info.validity, Some(60));
}

#[test]
fn who_writes_to_echo_without_end_is_refused_for_a_while() {
    let mut world = World::with(|settings| settings.echo = true);
    let write = |world: &mut World, number: u32| {
        let id = format!("m{number}");
        send(
            world,
            text(&id, "zoe@far.test", &["echo@home.test"], "hello?"),
        )
    };
    let codes: Vec<Code> = (0..40).map(|number| write(&mut world, number)).collect();
    assert_eq!(world.sent().len(), 30);
    assert!(codes[..30].iter().all(|code| *code == Code::OK));
    assert!(codes[30..].iter().all(|code| *code == Code::UNAVAILABLE));
    world.now = world.now.plus_seconds(1);
    assert_eq!(write(&mut world, 40), Code::OK);
}

#[test]
fn without_other_users_there_is_echo_and_nobody_else() {
    let mut world = World::with(|settings| (settings.echo, settings.users) = (true, false));
    assert!(!world.home.has_users());
    let to = |user: &str| text("m1", "zoe@far.test", &[user], "hello?");
    assert_eq!(send(&mut world, to("alice@home.test")), Code::UNKNOWN_USER);
    assert_eq!(send(&mut world, to("echo@home.test")), Code::OK);
    assert_eq!(world.sent().len(), 1);
}

#[test]
fn users_of_a_former_home_domain_are_kept_and_not_served() {
    let mut world = World::peopled();
    let kept = world.store.clone();
    (world.settings.echo, world.settings.users) = (true, false);
    world.restart();
    assert_eq!(world.home.names().all().count(), 0);
    assert_eq!(world.store, kept);
    (world.settings.echo, world.settings.users) = (false, true);
    world.restart();
    assert_eq!(world.home.names().all().count(), 3);
}
