#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dormouse_persistence::fuzzing::meta(bytes));
