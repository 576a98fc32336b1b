//! Outcomes and exchanges made of the bytes, written as JUnit, as run.json and for a terminal.

#![no_main]

#[path = "../../tests/properties/choices.rs"]
mod choices;
#[path = "../../tests/properties/reports.rs"]
mod reports;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reports::check_bytes(bytes));
