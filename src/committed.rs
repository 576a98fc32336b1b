//! For tests: files that are generated, and committed so that editors and readers have them.

use std::path::Path;

/// Holds `schema/KIND.schema.json` equal to what is generated now; `UPDATE_SCHEMAS=1` writes it anew.
pub fn hold_schema(kind: &str, generated: &str) {
    let name = format!("schema/{kind}.schema.json");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&file, generated).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == generated,
        "{name} is out of date: run `scimspec schema {kind} > {name}`, or `UPDATE_SCHEMAS=1 cargo test schema`"
    );
}

/// Holds a generated page equal to what a command prints now; `UPDATE_PAGES=1` writes it anew.
pub fn hold_page(name: &str, generated: &str, command: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&file, generated).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == generated,
        "{name} is out of date: run `{command} > {name}`, or `UPDATE_PAGES=1 cargo test --lib coverage`"
    );
}
