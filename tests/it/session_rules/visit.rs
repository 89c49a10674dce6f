//! A node that is there to try one peer.

use wvgate::imps::Primitive;
use wvgate::sap::Verdict;
use wvgate::sap::service::Probe;
use wvgate::ssp::Mode;

use super::{log_in, message, say, say_in, sessions, settings, subscribe, to, token};
use crate::support::alone::{Alone, only};

const LATER: Verdict = Verdict::Busy(Some(std::time::Duration::from_secs(1)));
const OK: &str = "<Status code=\"200\"/>";

#[test]
fn a_visit_takes_what_is_its_own_and_tells_all_else_to_come_later() {
    let mut settings = settings(&["a.test", "b.test"]);
    settings.visiting = Some("a.test".to_owned());
    let mut node = Alone::new(settings);
    log_in(&mut node, "1", "a.test");
    // Others, and sessions of the real node.
    assert_eq!(node.say(&token(Mode::Request, "1", "b.test")), LATER);
    assert_eq!(node.say(&token(Mode::Request, "1", "c.test")), LATER);
    for session in ["9@a.test", "1@b.test", "1@c.test"] {
        let verdict = say_in(
            &mut node,
            session,
            Mode::Request,
            "1",
            "<KeepAliveRequest/>",
        );
        assert_eq!(verdict, LATER, "{session}");
    }
    // What would have to be kept, or is about something that the real node has done.
    let other = "<GetServiceRequest serviceID=\"wv:@b.test\"/>";
    for (mode, content) in [
        (Mode::Request, message("m1", 600).as_str()),
        (Mode::Request, subscribe().as_str()),
        (Mode::Request, other),
        (Mode::Request, "<SomethingNew/>"),
        (Mode::Response, OK),
    ] {
        assert_eq!(
            say(&mut node, "a.test", mode, "7", content),
            LATER,
            "{content}"
        );
    }
    assert_eq!(node.sap.turned_away(), 10);
    assert!(
        node.posts.is_empty(),
        "nobody is answered: {:?}",
        node.posts
    );
    // Its own.
    for (id, content) in [("2", "<KeepAliveRequest/>"), ("3", "<GetServiceRequest/>")] {
        let verdict = say(&mut node, "a.test", Mode::Request, id, content);
        assert_eq!(verdict, Verdict::Accepted, "{content}");
        assert_eq!(only(&to(&mut node, "a.test")).id, id);
    }
    let number = node.sap.probe("a.test", Probe::Echo, node.now).unwrap();
    node.drain();
    let written = only(&to(&mut node, "a.test"));
    let Ok(Primitive::SendMessageRequest(sent)) = written.primitive() else {
        panic!("{written:?}")
    };
    let sender = sent.info.sender.unwrap().user.unwrap().user;
    let taken = "<SendMessageResponse messageID=\"x\"><Status code=\"200\"/></SendMessageResponse>";
    let verdict = say(&mut node, "a.test", Mode::Response, &written.id, taken);
    assert_eq!(verdict, Verdict::Accepted);
    let echo = message("m2", 600)
        .replace("wv:bob@b.test", sender.as_str())
        .replace("alice@a.test", "echo@a.test");
    let verdict = say(&mut node, "a.test", Mode::Request, "8", &echo);
    assert_eq!(verdict, Verdict::Accepted);
    assert!(
        node.sap
            .services()
            .probe_view(number)
            .unwrap()
            .echoed
            .is_some()
    );
    assert_eq!(node.sap.turned_away(), 10);
    assert_eq!(sessions(&node, "a.test"), ["1@a.test"]);
}
