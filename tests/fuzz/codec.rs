//! All fuzz targets in one program: `FUZZ_TARGET` says which property is looked at.
//!
//! The codec is compiled in from its sources, not linked: so it and nothing else is
//! instrumented, and the rest of the program need not be built.

#![no_main]

use std::sync::OnceLock;

#[path = "../../src/ssp/mod.rs"]
#[allow(dead_code, unused_imports)]
mod ssp;
#[path = "../../src/text/mod.rs"]
#[allow(dead_code, unused_imports)]
mod text;

use ssp::{check, primitive};

/// A property of [`check`].
enum Target {
    Envelope,
    Repair,
    Family(String),
}

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    match name.as_str() {
        "envelope" => Target::Envelope,
        "repair" => Target::Repair,
        _ => {
            let known = primitive::family(&name).next().is_some();
            assert!(known, "FUZZ_TARGET: there is no family {name}");
            Target::Family(name)
        }
    }
}

libfuzzer_sys::fuzz_target!(init: { TARGET.get_or_init(target); }, |data: &[u8]| {
    match TARGET.get_or_init(target) {
        Target::Envelope => check::envelope(data),
        Target::Repair => check::repair(data),
        Target::Family(family) => check::family(data, family),
    }
});
