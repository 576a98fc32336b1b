//! The pages about the servers: what each gets wrong, told to those who maintain it. They are made from the lists that
//! the interop tests hold true, so that they say nothing that was not seen.
//!
//! `UPDATE_SERVERS=1 cargo test --test interop` writes `docs/servers/` anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use super::expectations::{Expectations, Expected, Fault};
use super::server::PRODUCTS;

#[test]
fn the_pages_say_what_the_lists_say() {
    let mut pages = BTreeMap::new();
    let mut rows = String::new();
    for product in PRODUCTS {
        let list = Expectations::read(product.name);
        pages.insert(format!("{}.md", product.name), page(&list));
        let count = |verdict| list.faults.iter().filter(|fault| fault.verdict() == verdict).count();
        let (failed, warned) = (count(Expected::Failed), count(Expected::Warned));
        writeln!(rows, "| [{}]({}.md) | {failed} | {warned} |", list.server, product.name).unwrap();
    }
    pages.insert(
        "README.md".to_owned(),
        format!(
            "# What scimspec finds on servers of others\n\n\
             Each server is installed at a pinned version, started empty on the loopback address, and tested with the profiles \
             `rfc` and `okta` by `cargo test --test interop -- --ignored`. Whatever a run finds was looked at by hand: what was \
             scimspec's own mistake was mended, and what is the server's stands here, with a command that shows it without \
             scimspec. The tests run these commands, too.\n\n\
             | server | requirements broken | recommendations not kept, or disputed |\n|---|---:|---:|\n{rows}\n\
             The directory sync of @boxyhq/saml-jackson is left out: it has no discovery at all, so that scimspec has to \
             assume what it offers, and its 420 packages take most of a minute to install.\n"
        ),
    );
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/servers"));
    if std::env::var_os("UPDATE_SERVERS").is_some() {
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        for (name, page) in &pages {
            std::fs::write(folder.join(name), page).expect("the page can be written");
        }
    }
    for (name, page) in &pages {
        let committed = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            &committed == page,
            "docs/servers/{name} is stale: UPDATE_SERVERS=1 cargo test --test interop"
        );
    }
}

fn page(list: &Expectations) -> String {
    let (broken, weak): (Vec<&Fault>, Vec<&Fault>) =
        list.faults.iter().partition(|fault| fault.verdict() == Expected::Failed);
    let mut page = format!(
        "# {}\n\n\
         What scimspec finds, by cause: requirements broken: {}; recommendations not kept, or breaches in one reading of the \
         RFCs: {}. \
         Each command below shows one of them; `$BASE` is the base URL and `$TOKEN` the bearer token of a fresh server.\n",
        list.server,
        broken.len(),
        weak.len(),
    );
    for (title, faults) in [("Requirements broken", broken), ("Recommendations, and disputes", weak)] {
        if faults.is_empty() {
            continue;
        }
        write!(page, "\n## {title}\n").unwrap();
        for fault in faults {
            page.push_str(&section(fault));
        }
    }
    page
}

fn section(fault: &Fault) -> String {
    let mut name = fault.name.clone();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let seen = fault.evidence.seen.trim();
    let prints = fault.evidence.prints.trim();
    // A fence longer than any within.
    let fence = "````";
    let mut section = format!(
        "\n### {name}\n\n{}\n\n{fence}sh\n{seen}\n{fence}\n\nprints, among other things\n\n{fence}\n{prints}\n{fence}\n",
        fault.evidence.why.trim(),
    );
    let mut profiles: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for known in &fault.findings {
        for profile in &known.profiles {
            profiles.entry(profile).or_default().insert(&known.id);
        }
    }
    for (profile, cases) in profiles {
        let cases: Vec<String> = cases.into_iter().map(|case| format!("`{case}`")).collect();
        write!(section, "\nSeen in profile `{profile}` by {}.\n", cases.join(", ")).unwrap();
    }
    section
}
