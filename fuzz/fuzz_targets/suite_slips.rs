//! The files inside scimspec with slips in them; the bytes say which.

#![no_main]

#[path = "../../tests/properties/choices.rs"]
mod choices;
#[path = "../../tests/properties/suites.rs"]
mod suites;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| suites::check_slips(bytes));
