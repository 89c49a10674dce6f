#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wvgate::ssp::check::family(data, "invitation"));
