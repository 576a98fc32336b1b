//! Tells cargo that suites, fixtures and payloads are part of the binary. `include_dir!` notices when an embedded file
//! changes, but not when a file is added; without this a new suite would stay invisible until the next edit.

fn main() {
    println!("cargo::rerun-if-changed=suites");
    println!("cargo::rerun-if-changed=fixtures");
    println!("cargo::rerun-if-changed=snapshots");
    println!("cargo::rerun-if-changed=build.rs");
}
