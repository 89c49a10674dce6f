//! A flood over real sockets.

use std::sync::Arc;

use wvgate::ssp::Mode;
use wvgate::ssp::envelope::print_session;
use wvgate::store::MemoryStore;

use crate::support::peer::{self, Deployed, exchange, post};

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
