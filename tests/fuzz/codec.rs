//! All fuzz targets in one program: `FUZZ_TARGET` says which property is looked at.
//!
//! The codec is a crate of its own, so nothing else of the program need be built.

#![no_main]

use std::sync::OnceLock;

use wvgate_wire::csp;
use wvgate_wire::imps::primitive;
use wvgate_wire::ssp::check;

/// A property of [`check`], or of [`csp::check`].
enum Target {
    Envelope,
    Repair,
    CspXml,
    CspWbxml,
    Family(String),
}

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    match name.as_str() {
        "envelope" => Target::Envelope,
        "repair" => Target::Repair,
        "csp_xml" => Target::CspXml,
        "csp_wbxml" => Target::CspWbxml,
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
        Target::CspXml => csp::check::xml(data),
        Target::CspWbxml => csp::check::wbxml(data),
        Target::Family(family) => check::family(data, family),
    }
});
