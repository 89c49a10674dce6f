//! Instructions of the relay core on messages with their answers, in a pretend world: no sockets, no disk,
//! no clock. The allocator is the system's; the program has another one.
//!
//! Instructions for one relayed message are those of `replay` without those of `record`, by the number of
//! messages: `valgrind --tool=callgrind target/release/deps/core-… record 1000 64`, the same with `replay`.
//! Arguments: what to do, how many messages, how many in one POST.
#![expect(clippy::unwrap_used)]

use wvgate::cli::pretend::{Plan, record};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    let messages = number(2).unwrap_or(1_000);
    let plan = Plan {
        shards: 1,
        is_handed: false,
        messages,
        batch: number(3).unwrap_or(64),
    };
    let tapes = record(plan).unwrap();
    if arguments.get(1).is_some_and(|what| what == "replay") {
        let replayed = tapes.iter().map(|tape| tape.replay(|_| ()).unwrap().1);
        let posted: usize = replayed.sum();
        // Each of them went on, and its answer back.
        assert!(posted >= 2 * messages, "{posted} of {messages} messages");
    }
}
