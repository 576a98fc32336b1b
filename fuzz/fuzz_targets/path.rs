//! A path or projection that is read prints as it was read.

#![no_main]

#[path = "../../tests/properties/messages.rs"]
mod messages;

libfuzzer_sys::fuzz_target!(|text: &str| messages::path(text));
