//! `docs/matrix.md`: every fault with every suite.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use scimspec::server::faults;

use super::matrix::Matrix;

/// What a suite made of a fault.
#[derive(Default)]
struct Cell {
    count: usize,
    /// The strongest verdict first: failed, warned, noted.
    rank: usize,
}

/// The page.
pub fn page(matrix: &Matrix) -> String {
    let rows: BTreeMap<&str, BTreeMap<String, Cell>> =
        matrix.faults.iter().map(|(fault, row)| (fault.as_str(), cells(&row.cells()))).collect();
    let sights: usize = rows.values().flat_map(BTreeMap::values).map(|cell| cell.count).sum();
    let mut page = format!(
        "# The matrix\n\
         \n\
         Every fault of the embedded server with every case and rule: {} faults, {} cases, {sights} times a case turned\n\
         red. `tests/matrix.toml` names each of them. The faults stand below the suite that sees them best: one that fails\n\
         rather than warns, and that few other faults turn red. A cell is the number of cases of a suite that see the\n\
         fault; with **w** none of them does more than warn, with **n** none more than take note.\n\
         \n\
         `UPDATE_PROOFS=1 cargo test --test proofs` writes this page, `UPDATE_PROOFS=stale cargo test --test proofs` tries\n\
         only what was changed since; `cargo test --test proofs` fails when a fault or case is not as it was when the\n\
         matrix was made. Digest of what it was made of: `{}`.\n",
        matrix.faults.len(),
        matrix.cases.len(),
        matrix.digest(),
    );
    let mut breadth: BTreeMap<&str, usize> = BTreeMap::new();
    for suite in rows.values().flat_map(BTreeMap::keys) {
        *breadth.entry(suite).or_default() += 1;
    }
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in faults::catalogue() {
        let Some(row) = rows.get(entry.name) else { continue };
        let best =
            row.iter().min_by_key(|(suite, cell)| (cell.rank, breadth[suite.as_str()], suite.as_str()));
        let group = best.map_or("nobody", |(suite, _)| suite.as_str());
        groups.entry(group).or_default().push(entry.name);
    }
    for (group, faults) in groups {
        let mut suites: BTreeSet<&str> =
            faults.iter().flat_map(|fault| rows[fault].keys()).map(String::as_str).collect();
        suites.remove(group);
        let columns: Vec<&str> =
            std::iter::once(group).filter(|group| *group != "nobody").chain(suites).collect();
        let _ = write!(
            page,
            "\n## {group}\n\n| fault | {} |\n|---|{}\n",
            columns.join(" | "),
            "---|".repeat(columns.len())
        );
        for fault in faults {
            let shown = columns.iter().map(|suite| match rows[fault].get(*suite) {
                None => " |".to_owned(),
                Some(Cell { count, rank }) => format!(" {count}{} |", ["", "w", "n"][*rank]),
            });
            let _ = writeln!(page, "| `{fault}` |{}", shown.collect::<String>());
        }
    }
    page
}

fn cells(seen: &BTreeMap<String, &'static str>) -> BTreeMap<String, Cell> {
    let mut cells: BTreeMap<String, Cell> = BTreeMap::new();
    for (case, verdict) in seen {
        let suite = case.split_once('/').map_or(case.as_str(), |(suite, _)| suite);
        let rank = match *verdict {
            "failed" => 0,
            "warned" => 1,
            _ => 2,
        };
        let cell = cells.entry(suite.to_owned()).or_insert(Cell { count: 0, rank });
        cell.count += 1;
        cell.rank = cell.rank.min(rank);
    }
    cells
}
