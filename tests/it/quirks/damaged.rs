//! Recorded messages that were damaged on the way run through a relay: nothing ends it, what it
//! sends is bounded, and well-formed.

use wvgate::imps::xml::{Limits, Repair};
use wvgate::sap::Facts;
use wvgate::ssp::envelope::{scan, scan_lenient};

use super::{Between, recorded};
use crate::codec_mutations::{DAMAGES, damaged};
use crate::codec_properties::Dice;

/// Bytes sent for one taken, at most: escapes, twins, and the addresses filled in.
const LONGER: usize = 8;
/// Of an envelope, and of an answer.
const AROUND: usize = 2_000;

#[test]
fn damaged_recordings_cross_a_relay_or_are_refused() {
    let mut dice = Dice(0x57_5647_4154_4544);
    let mut between = Between::new();
    let (mut taken, mut sent) = (0, 0);
    for (number, (_, body)) in recorded() {
        for damage in DAMAGES {
            for n in 0..6 {
                // To r.test they go, over a session that there is, from users who may ask.
                let body = match String::from_utf8(body.to_vec()) {
                    Ok(text) => text
                        .replace("b.test", "r.test")
                        .replace("501@r.test", "101@a.test")
                        .replace("ID=\"000", &format!("ID=\"{n}{damage:?}"))
                        .into_bytes(),
                    Err(_) => body.to_vec(),
                };
                let data = damaged(&body, damage, &mut dice);
                let length = data.len();
                let Ok((message, repairs)) =
                    scan_lenient(&data.into(), &Limits::default(), Repair::ALL)
                else {
                    continue;
                };
                let facts = Facts {
                    repairs: repairs.iter().map(|r| r.name().to_owned()).collect(),
                    ..Facts::default()
                };
                let now = between.alone.now;
                between.alone.sap.receive(&message, &facts, now);
                between.alone.drain();
                taken += 1;
                let mut bytes = 0;
                while !between.is_quiet() {
                    let post = between.alone.acknowledged_post();
                    bytes += post.body.len();
                    assert!(
                        scan(&post.body, &Limits::default()).is_ok(),
                        "{number}: {post:?}"
                    );
                    sent += 1;
                }
                assert!(
                    bytes <= length * LONGER + AROUND,
                    "{number}: {length} to {bytes}"
                );
            }
        }
    }
    assert!(taken > 300 && sent > 100, "{taken} taken, {sent} sent");
}
