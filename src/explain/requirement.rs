//! A requirement of an RFC, a vendor's statement, a dispute.

use std::collections::BTreeSet;

use super::about::{self, find};
use super::{Card, Line, Sources};
use crate::coverage::{Citation, State, state};
use crate::dispute::Ruling;
use crate::requirement::{Actor, Observable};
use crate::server::variants;

/// How many cases are named.
const CASES: usize = 12;
/// How many faults are named.
const FAULTS: usize = 6;
/// How many cases lend what they say of why and how.
const VOICES: usize = 2;

/// The requirement of that id.
pub fn requirement(id: &str, sources: Sources<'_>) -> Option<Card> {
    let one = sources.catalogue.get(&id.to_uppercase())?;
    let mut card =
        Card::new("requirement", &one.id, Some(one.level), format!("{}: {}", one.keyword, one.sentence));
    card.text("where", one.condition.as_deref());
    let title = sources.catalogue.section_title(&one.document, &one.section).unwrap_or_default();
    let section = format!("{} section {} {title}", one.document.replacen("RFC", "RFC ", 1), one.section);
    card.lines("stands in", [Line::Said(section), Line::Aside(one.link())]);
    card.text(
        "binds",
        match one.actor {
            Actor::Server => None,
            Actor::Client => Some("the client: no test of a server can tell"),
            Actor::Both => Some("the service provider and the client"),
        },
    );
    card.text(
        "seen",
        match one.observable {
            Observable::Fully => None,
            Observable::Partly => Some("only in part, or with an operator's help"),
            Observable::Not => Some("not at all by a client"),
        },
    );
    let citations = &standards_first(sources.citations.of_id(&one.id), sources);
    voices(&mut card, citations, sources);
    tested(&mut card, citations, sources);
    if one.actor != Actor::Client {
        let proofs = sources.proofs.of(&one.id);
        let state = State::of(one, citations, proofs);
        let (because, reason) = state::reason(one, state);
        let because = because.map(|because| format!(": {because}")).unwrap_or_default();
        let reason = reason.map(|reason| format!(". {reason}")).unwrap_or_default();
        card.text("coverage", Some(&format!("{}{because}{reason}", state.words())));
        let pairs = proofs.iter().map(|proof| proof.fault.as_str());
        let faults: BTreeSet<&str> = pairs.collect();
        card.some("broken by", about::faults(faults), FAULTS);
    }
    card.lines("disputed", one.ambiguity.iter().map(|id| dispute_line(id)));
    card.text("errata", (!one.errata.is_empty()).then(|| one.errata.join(", ")).as_deref());
    run(&mut card, citations, sources);
    Some(card)
}

/// The vendor's statement of that id.
pub fn source(id: &str, sources: Sources<'_>) -> Option<Card> {
    let one = sources.catalogue.source(&id.to_uppercase())?;
    let mut card = Card::new("source", &one.id, Some(one.level), &one.title);
    card.text("documented", Some(&one.sentence));
    card.lines(
        "stands in",
        [Some(Line::Said(one.document.clone())), one.link.clone().map(Line::Aside)].into_iter().flatten(),
    );
    let citations = sources.citations.of_id(&one.id);
    voices(&mut card, citations, sources);
    tested(&mut card, citations, sources);
    let deviations = sources.library.profiles().values().flat_map(|profile| {
        let citing = profile.deviations.iter().filter(|deviation| deviation.cite.contains(&one.id));
        citing.map(|it| Line::Named(it.label(), format!("{} (profile {})", it.why, profile.name)))
    });
    card.lines("deviates", deviations);
    run(&mut card, citations, sources);
    Some(card)
}

/// The dispute of that id, as `AMB-98` or `AMB-098`.
pub fn dispute(id: &str, sources: Sources<'_>) -> Option<Card> {
    let number: u32 = id.to_uppercase().strip_prefix("AMB-")?.parse().ok()?;
    let is_it =
        |other: &str| other.strip_prefix("AMB-").and_then(|rest| rest.parse::<u32>().ok()) == Some(number);
    let about: Vec<&str> = sources
        .catalogue
        .requirements()
        .filter(|one| one.ambiguity.iter().any(|id| is_it(id)))
        .map(|one| one.id.as_str())
        .collect();
    let citing: BTreeSet<String> = sources
        .citations
        .ids()
        .filter(|id| is_it(id))
        .flat_map(|id| sources.citations.of_id(id).iter().map(Citation::id))
        .collect();
    let sides: Vec<Line> = variants::catalogue()
        .iter()
        .filter(|entry| entry.disputes.iter().any(|id| is_it(id)))
        .map(|entry| {
            Line::Named(entry.name.to_owned(), format!("{} ({})", entry.client_sees, entry.allowed_by))
        })
        .collect();
    if about.is_empty() && citing.is_empty() && sides.is_empty() {
        return None;
    }
    let id = format!("AMB-{number:02}");
    let told = crate::dispute::get(&id);
    let title = told.map_or("Careful readers of the RFCs disagree here.", |told| told.title.as_str());
    let mut card = Card::new("dispute", id, None, title);
    if let Some(told) = told {
        card.text("texts", Some(&told.texts));
        card.text("lenient", Some(&told.lenient));
        card.text("strict", Some(&told.strict));
        card.lines("verdicts", told.rulings.iter().filter_map(ruling_line));
        card.text("because", told.because.as_deref());
    }
    card.lines("about", about::requirements(about, sources));
    card.some("decided in", about::cases(citing.iter().map(String::as_str), sources), CASES);
    card.lines("also legal", sides);
    card.text(
        "readings",
        Some("--reading lenient accepts what a careful reader can defend, --reading strict the letter"),
    );
    Some(card)
}

/// What a case makes of one kind of server; nothing of a server that there is not, which a test forbids.
fn ruling_line(ruling: &Ruling) -> Option<Line> {
    let (lenient, strict) = (ruling.lenient.word(), ruling.strict.word());
    let verdict = if lenient == strict { lenient.to_owned() } else { format!("{lenient}, strict {strict}") };
    let does = ruling.what_it_does().ok()?;
    Some(Line::Named(verdict, format!("{does} ({})", ruling.case)))
}

fn dispute_line(id: &str) -> Line {
    Line::Named(id.to_owned(), format!("scimspec explain {id}"))
}

/// The cases that run anyway before those of vendors and clients.
fn standards_first(citations: &[Citation], sources: Sources<'_>) -> Vec<Citation> {
    let mut citations = citations.to_vec();
    citations.sort_by_key(|citation| {
        let found = find(&citation.case, sources);
        found.is_none_or(|(file, _, case)| about::profile_of(file, case, sources).is_some())
    });
    citations
}

/// What the cases about it say of why it matters, what a client does, and how to mend it: those that cite it and
/// little else first.
fn voices(card: &mut Card, citations: &[Citation], sources: Sources<'_>) {
    let mut found: Vec<_> = citations
        .iter()
        .filter_map(|citation| find(&citation.case, sources).map(|(file, _, case)| (file, case)))
        .collect();
    found.sort_by_key(|(file, case)| {
        let vendors = about::profile_of(file, case, sources).is_some();
        (vendors, if case.spec.is_empty() { usize::MAX } else { case.spec.len() })
    });
    let mut say = |label, what: &dyn Fn(usize) -> Option<String>| {
        let mut texts: Vec<String> = Vec::new();
        for text in (0..found.len()).filter_map(what) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        card.lines(label, texts.into_iter().take(VOICES).map(Line::Said));
    };
    let case = |at: usize| found.get(at).map(|(_, case)| *case);
    say("why", &|at| case(at)?.why.clone());
    say("if it fails", &|at| {
        let (file, case) = found.get(at)?;
        case.consequence.clone().or_else(|| file.suite.consequence.clone())
    });
    say("how to mend", &|at| case(at)?.hint.clone());
}

/// Who tests it, and which clients hang on that.
fn tested(card: &mut Card, citations: &[Citation], sources: Sources<'_>) {
    let ids: Vec<String> = citations.iter().map(Citation::id).collect();
    card.some("tested by", about::cases(ids.iter().map(String::as_str), sources), CASES);
    let cases: BTreeSet<&str> =
        citations.iter().filter(|it| !it.rule).map(|citation| citation.case.as_str()).collect();
    card.lines("trips", about::clients(&cases, sources));
}

/// How to run just that: the cases, or where there are only rules, all that they look at.
fn run(card: &mut Card, citations: &[Citation], sources: Sources<'_>) {
    let found = |citation: &&Citation| find(&citation.case, sources);
    let in_profile = |citation: &&Citation| {
        found(citation).map(|(file, _, case)| about::profile_of(file, case, sources).map(|it| &it.name))
    };
    let Some(first) = citations.first() else { return };
    let same: BTreeSet<&str> = citations
        .iter()
        .filter(|citation| in_profile(citation) == in_profile(&first))
        .take(CASES / 3)
        .map(|citation| citation.case.as_str())
        .collect();
    let mut same: Vec<&str> = same.into_iter().collect();
    if same.iter().all(|id| id.starts_with("rules/")) {
        same.push("create/*");
    }
    let profile = found(&first).and_then(|(file, _, case)| about::profile_of(file, case, sources));
    card.lines("run", [about::run(profile, "--case", &same)]);
}
