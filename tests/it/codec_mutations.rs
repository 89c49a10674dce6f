//! A walk over everything that was ever recorded or found by fuzzing, each body damaged in the ways
//! in which lines and buffers damage them. Bounded and repeatable; the same properties as under
//! libFuzzer (`tests/fuzz`).

use wvgate::imps::xml::Repair;
use wvgate::ssp::check;

use super::codec_captures::emitted;
use super::codec_properties::{Dice, corpus, families, seeds};

/// A way to damage a message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Damage {
    /// Some bits are flipped.
    Bits,
    /// The end is missing.
    Cut,
    /// A span comes twice.
    Twice,
    /// A span is missing.
    Gap,
}

pub(crate) const DAMAGES: [Damage; 4] = [Damage::Bits, Damage::Cut, Damage::Twice, Damage::Gap];

/// The same bytes, damaged.
pub(crate) fn damaged(data: &[u8], damage: Damage, dice: &mut Dice) -> Vec<u8> {
    let mut data = data.to_vec();
    if data.is_empty() {
        return data;
    }
    let at = dice.roll(data.len());
    let end = (at + 1 + dice.roll(400)).min(data.len());
    match damage {
        Damage::Bits => {
            for _ in 0..=dice.roll(4) {
                let at = dice.roll(data.len());
                data[at] ^= 1 << dice.roll(8);
            }
        }
        Damage::Cut => data.truncate(at),
        Damage::Twice => {
            let span = data[at..end].to_vec();
            let to = dice.roll(data.len());
            drop(data.splice(to..to, span));
        }
        Damage::Gap => drop(data.drain(at..end)),
    }
    data
}

#[test]
fn everything_known_survives_damage() {
    let mut dice = Dice(0x57_5647_4154_4541);
    let mut all = seeds();
    all.extend(corpus("envelope"));
    all.extend(corpus("repair"));
    let mut looked_at = 0;
    for seed in &all {
        for damage in DAMAGES {
            for _ in 0..4 {
                let data = damaged(seed, damage, &mut dice);
                check::envelope(&data);
                check::repair(&data);
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 4000, "{looked_at}");
}

#[test]
fn each_repair_alone_survives_damaged_recordings() {
    let mut dice = Dice(0x57_5647_4154_4542);
    // Those that need a repair undamaged come more often.
    let recordings = emitted().into_values().map(|(_, body)| body);
    for body in recordings {
        let broken = wvgate::ssp::envelope::scan(&body, &wvgate::imps::xml::Limits::default());
        for repair in Repair::ALL {
            for damage in DAMAGES {
                for _ in 0..if broken.is_err() { 20 } else { 1 } {
                    check::repair_with(&damaged(&body, damage, &mut dice), &[*repair]);
                }
            }
        }
    }
}

#[test]
fn each_family_survives_damage() {
    let mut dice = Dice(0x57_5647_4154_4543);
    for family in families() {
        let seeds = corpus(family);
        assert!(!seeds.is_empty(), "{family}");
        for n in 0..400 {
            let seed = &seeds[dice.roll(seeds.len())];
            check::family(&damaged(seed, DAMAGES[n % 4], &mut dice), family);
        }
    }
}
