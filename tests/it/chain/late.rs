//! A process that slept through its deadlines.

use wvgate::sap::{Element, Route, Settings};
use wvgate::ssp::Primitive;

use crate::support::samples::{HOME, Sample, VILLAGE, text};
use crate::support::world::{World, peer};

#[test]
fn who_wakes_up_late_says_of_a_message_that_it_expired_and_of_anything_else_that_it_has_no_answer()
{
    let settings = Settings::new(HOME)
        .with_peer(peer(VILLAGE, &[]))
        .with_route(HOME, Route::Local(Element::Home));
    for (file, wanted) in [("015", 504), ("020", 542)] {
        // The village is not there: what waits for it waits for the next login, too.
        let mut world = World::new([settings.clone()]);
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
        let code = match &answers[0].1 {
            Primitive::Status(status) => status.code.0,
            Primitive::SendMessageResponse(response) => response.status.code.0,
            other => panic!("{other:?}"),
        };
        assert_eq!(code, wanted, "{file}");
    }
}
