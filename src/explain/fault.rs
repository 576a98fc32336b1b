//! A fault of the reference server, and a legal answer that it can give.

use super::about;
use super::{Card, Line, Sources};
use crate::report::curl::quote;
use crate::server::{Fault, profiles, variants};

/// How many cases are named.
const CASES: usize = 8;
/// How many cases a command names.
const TRIED: usize = 3;

/// The fault of that name.
pub fn fault(id: &str, sources: Sources<'_>) -> Option<Card> {
    let entry = Fault::from_name(id).ok()?.entry();
    let mut card = Card::new("fault", id, None, entry.client_sees);
    card.text("hurts", Some(entry.hurts));
    card.lines("breaks", about::requirements(entry.requirements.iter().copied(), sources));
    let cases = sources.proofs.cases_of(id);
    card.some("caught by", about::cases(cases.iter().copied(), sources), CASES);
    let owner = profiles::catalogue().iter().find(|profile| profile.faults().any(|own| own.name == id));
    let profile = owner.map(|profile| format!(" --profile {}", profile.name)).unwrap_or_default();
    let (rules, own): (Vec<&str>, Vec<&str>) = cases.into_iter().partition(|case| case.starts_with("rules/"));
    // A rule sees only what other cases exchange.
    let tried: Vec<&str> = match own.as_slice() {
        [] => {
            let beside = sources.proofs.beside(id).iter().map(String::as_str);
            rules.into_iter().take(1).chain(beside).collect()
        }
        own => own.iter().take(TRIED).copied().collect(),
    };
    let tried = if tried.len() == 1 && tried[0].starts_with("rules/") { Vec::new() } else { tried };
    let serve = Line::Command(format!("scimspec serve --port 8080{profile} --fault {}", quote(id)));
    card.lines("try", [serve, about::run(None, "--case", &tried)]);
    Some(card)
}

/// The variant of that name.
pub fn variant(id: &str) -> Option<Card> {
    let entry = variants::catalogue().iter().find(|entry| entry.name == id)?;
    let mut card = Card::new("variant", id, None, entry.client_sees);
    card.text("legal since", Some(entry.allowed_by));
    card.lines(
        "disputed",
        entry.disputes.iter().map(|id| Line::Named((*id).to_owned(), format!("scimspec explain {id}"))),
    );
    card.lines("try", [Line::Command(format!("scimspec serve --port 8080 --variant {}", quote(id)))]);
    Some(card)
}
