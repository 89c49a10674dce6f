//! Home domains, relays between them and a provider at a third domain, each a process of its own
//! (see `support/split.rs` for the picture), with every way between two of them able to fail.

mod crossing;
mod faults;
mod late;
mod loops;
mod story;

use crate::support::chain::{Chain, Picture};
use crate::support::end;
use crate::support::split::{ENDS, LINKS, RELAYS, ROUTES, SERVICE_TABLE};

/// Not a test: a domain that the tests here start and kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a domain in a process of its own, for the tests of the chain"]
async fn end_process() {
    end::serve().await;
}

/// The chain with split services. Its service elements may act upon what they get.
fn split_chain(acts: bool, response_timeout: &'static str) -> Chain {
    Chain::start(Picture {
        relays: &RELAYS,
        ends: &ENDS,
        links: LINKS,
        routes: ROUTES,
        services: SERVICE_TABLE,
        acts,
        response_timeout,
        dialect: "",
    })
}

/// The name of the primitive in this XML.
fn name_of(xml: &str) -> &str {
    let name = xml.trim_start_matches('<');
    name.split([' ', '>', '/']).next().unwrap()
}
