//! A store with hardly any room: requests are refused, what is under way goes on.

use wvgate::sap::Verdict;
use wvgate::ssp::Mode;

use super::{answered, log_in, message, relay, say, sessions, subscribe, taken, to, write};
use crate::support::alone::only;

#[test]
fn without_room_requests_come_later_and_sessions_and_answers_go_on() {
    let mut node = relay();
    let passed_on = write(&mut node, "m1", 3600);
    node.sap.set_crowded(true);
    for request in [message("m2", 3600), subscribe()] {
        let verdict = say(&mut node, "a.test", Mode::Request, "2", &request);
        assert!(matches!(verdict, Verdict::Busy(Some(_))), "{verdict:?}");
    }
    assert!(node.posts.is_empty() && node.delivered.is_empty());
    // What it has ends, and nobody loses the session.
    let answer = taken("m1", 200, "");
    let verdict = say(&mut node, "b.test", Mode::Response, &passed_on.id, &answer);
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(answered(&mut node), ("m1".to_owned(), 200));
    let keep_alive = "<KeepAliveRequest/>";
    let verdict = say(&mut node, "a.test", Mode::Request, "3", keep_alive);
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(only(&to(&mut node, "a.test")).name, "KeepAliveResponse");
    log_in(&mut node, "2", "b.test");
    assert_eq!(sessions(&node, "b.test").len(), 2);

    node.sap.set_crowded(false);
    write(&mut node, "m2", 3600);
}
