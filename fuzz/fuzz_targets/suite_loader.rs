//! Any text as a suite, a profile, a population, a file of vectors or a fixture; the first byte says as which.

#![no_main]

#[path = "../../tests/properties/choices.rs"]
mod choices;
#[path = "../../tests/properties/suites.rs"]
mod suites;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| suites::check_bytes(bytes));
