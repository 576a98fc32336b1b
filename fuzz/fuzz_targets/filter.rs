//! A filter that is read prints as it was read, and `not` gives the opposite of it.

#![no_main]

#[path = "../../tests/properties/messages.rs"]
mod messages;

libfuzzer_sys::fuzz_target!(|text: &str| messages::filter(text));
