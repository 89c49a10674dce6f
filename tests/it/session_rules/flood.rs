//! More than there is room for: requests are refused, what is under way goes on.

use std::sync::Arc;

use wvgate::sap::Verdict;
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::print_session;
use wvgate::store::MemoryStore;

use super::{answered, log_in, message, relay, say, sessions, subscribe, taken, to, write};
use crate::support::alone::only;
use crate::support::peer::{self, Deployed, exchange, post};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_floods_is_told_to_come_later_and_the_node_goes_on() {
    let mut flooding = Deployed::listen().await;
    let store = Arc::new(MemoryStore::new());
    let node = peer::node(&flooding, &store, "max_rate = 5").await;
    flooding.talk_to(node.local_addr());
    flooding.log_in().await;
    let (mut taken, mut refused) = (0, 0);
    for n in 0..60 {
        let ids: Vec<String> = (0..5).map(|k| format!("{n}-{k}")).collect();
        let parts = ids
            .iter()
            .map(|id| (Mode::Request, id.as_str(), "<GetSPInfoRequest/>"));
        let body = print_session("x", "101@a.test", parts);
        match flooding.post(&post(&body)).await {
            Some(200) => taken += 1,
            Some(503) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(
        taken > 0 && refused > taken,
        "{taken} taken, {refused} refused"
    );
    // Somebody else is heard: he is no peer, which only the owner can tell.
    let stranger = print_session(
        "x",
        "1@c.test",
        [(Mode::Request, "1", "<GetSPInfoRequest/>")],
    );
    assert_eq!(
        exchange(node.local_addr(), &post(&stranger)).await,
        Some(403)
    );
    node.stop(std::time::Duration::from_secs(1)).await;
}
