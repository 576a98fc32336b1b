//! A PATCH request that is read is applied or refused whole.

#![no_main]

#[path = "../../tests/properties/messages.rs"]
mod messages;

libfuzzer_sys::fuzz_target!(|body: &[u8]| messages::patch(body));
