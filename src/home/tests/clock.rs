//! Dates follow the wall clock; deadlines do not.

use super::*;
use crate::imps::datetime::DateTime;
use crate::sap::Skew;

const HOUR: u64 = 3_600_000;

/// The date in the message that left last.
fn dated(world: &mut World) -> Option<DateTime> {
    let (_, primitive) = world.outbox.pop().unwrap();
    match primitive {
        Primitive::SendMessageRequest(message) => message.info.date_time,
        other => panic!("{other:?}"),
    }
}

#[test]
fn dates_are_right_after_the_clock_is_put_right_and_no_message_expires_for_it() {
    let mut world = World::peopled();
    // The machine believes that it is 1970.
    world
        .home
        .set_skew(Skew(60_000 - i64::try_from(START.0).unwrap()));
    world.open(1, "alice");
    let send = r#"{"do":"message","to":"zoe@far.test","text":"x"}"#;
    world.say(1, send);
    assert_eq!(dated(&mut world), Some(DateTime::from_millis(60_000)));
    // A message for bob, who is away, is valid for an hour.
    let mut request = text("m", "zoe@far.test", &["bob@home.test"], "hello");
    request.info.validity = Some(3_600);
    world.deliver("far.test", Some("zoe@far.test"), request);
    // The clock is put right, by fifty years.
    world.home.set_skew(Skew(i64::try_from(HOUR).unwrap()));
    world.say(1, send);
    let right = DateTime::from_millis(START.0 + HOUR);
    assert_eq!(dated(&mut world), Some(right));
    world.wait(1_800);
    assert_eq!(world.outcomes, []);
    world.wait(1_801);
    assert_eq!(world.outcomes, [("m".to_owned(), Outcome::Expired)]);
}
