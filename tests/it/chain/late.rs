//! What comes too late, in pretend time.

use wvgate::imps::primitive::message::SendMessageResponse;
use wvgate::imps::{Code, Primitive, Status};
use wvgate::sap::{Route, Settings};

use crate::support::samples::{HOME, Sample, VILLAGE, text};
use crate::support::world::{World, peer};

fn home(own: &str, other: &str) -> Settings {
    Settings::new(own)
        .with_peer(peer(other, &[]))
        .with_route(own, Route::Local(wvgate::home::ELEMENT))
}

fn code(answer: &Primitive) -> u16 {
    match answer {
        Primitive::Status(status) => status.code.0,
        Primitive::SendMessageResponse(response) => response.status.code.0,
        Primitive::DeliveryStatusReport(report) => report.result.status.code.0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_wakes_up_late_says_of_a_message_that_it_expired_and_of_anything_else_that_it_has_no_answer()
{
    for (file, wanted) in [("015", 504), ("020", 542)] {
        // The village is not there: what waits for it waits for the next login, too.
        let mut world = World::new([home(HOME, VILLAGE)]);
        let sample = Sample::read(file, text(file, false));
        world.request(HOME, &sample.primitive);
        world.run(4_000);
        assert!(world.node(HOME).answers.is_empty());
        world.now = world.now.plus_seconds(100);
        let now = world.now;
        world.node(HOME).sap.timeout(now);
        world.run(0);
        let answers = &world.node(HOME).answers;
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(code(&answers[0].1), wanted, "{file}");
    }
}

#[test]
fn a_message_taken_over_is_reported_as_failed_only_if_somebody_knows_that_it_has() {
    for (late, reported) in [(531, vec![531]), (504, vec![]), (200, vec![])] {
        let mut world = World::new([home(HOME, VILLAGE), home(VILLAGE, HOME)]);
        let mut village = world.nodes.remove(VILLAGE).unwrap();
        let message = Sample::read("020", text("020", false)).primitive;
        world.request(HOME, &message);
        world.run(16_000);
        let answer = SendMessageResponse {
            message_id: "m-20040522-0017".to_owned(),
            status: Status::new(Code(late)),
        };
        village.answer = Some(answer.into());
        world.nodes.insert(VILLAGE.to_owned(), village);
        world.run(40_000);
        assert_eq!(world.node(VILLAGE).delivered.len(), 1);
        let node = world.node(HOME);
        let answers: Vec<u16> = node.answers.iter().map(|(_, a)| code(a)).collect();
        assert_eq!(answers, [202]);
        let reports: Vec<u16> = node.delivered.iter().map(|d| code(&d.primitive)).collect();
        assert_eq!(reports, reported, "{late}");
    }
}
