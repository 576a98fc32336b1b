//! The answers of a run of every case against the reference server, each judged with something altered; the bytes say
//! which, and what.

#![no_main]

use std::sync::LazyLock;

#[path = "../../tests/properties/answers.rs"]
mod answers;
#[path = "../../tests/properties/choices.rs"]
mod choices;
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/properties/reports.rs"]
mod reports;

static RECORDED: LazyLock<answers::Recorded> = LazyLock::new(|| answers::Recorded::of(&[]));

libfuzzer_sys::fuzz_target!(
    init: { LazyLock::force(&RECORDED); },
    |bytes: &[u8]| RECORDED.check(bytes)
);
