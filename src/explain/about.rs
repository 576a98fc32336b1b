//! What several kinds of explanation say: requirements with their links, faults, clients, commands.

use std::collections::BTreeSet;

use super::trial::Trial;
use super::{Line, Sources};
use crate::profile::{Kind, Profile};
use crate::report::curl::quote;
use crate::server::Fault;
use crate::suite::load::SuiteFile;
use crate::suite::model::Case;

/// The id of a case without form and row.
pub fn bare(id: &str) -> &str {
    id.split(['@', '[']).next().unwrap_or(id)
}

/// A case by its full id, its row and form left aside; also by the name of one of its checkpoints.
pub fn find<'s>(id: &str, sources: Sources<'s>) -> Option<(&'s SuiteFile, usize, &'s Case)> {
    let (suite, name) = bare(id).split_once('/')?;
    sources.library.suites().iter().filter(|file| file.suite.suite == suite).find_map(|file| {
        let is_it = |case: &&Case| {
            case.id == name || case.steps.iter().any(|step| step.checkpoint.as_deref() == Some(name))
        };
        let index = file.suite.cases.iter().position(|case| is_it(&case))?;
        Some((file, index, file.suite.cases.get(index)?))
    })
}

/// What is asked, each with its sentence, and with its link where the next one stands elsewhere.
pub fn requirements<'i>(ids: impl IntoIterator<Item = &'i str>, sources: Sources<'_>) -> Vec<Line> {
    let mut asked: Vec<(Line, Option<String>)> = Vec::new();
    for id in ids {
        if let Some(one) = sources.catalogue.get(id) {
            let said = format!("{}: {}", one.keyword, one.sentence);
            asked.push((Line::Named(one.id.clone(), said), Some(one.link())));
        } else if let Some(one) = sources.catalogue.source(id) {
            let said = format!("{}: {}", one.title, one.sentence);
            asked.push((Line::Named(one.id.clone(), said), one.link.clone()));
        }
    }
    let mut lines = Vec::new();
    let mut rest = asked.into_iter().peekable();
    while let Some((line, link)) = rest.next() {
        lines.push(line);
        if rest.peek().is_none_or(|(_, next)| *next != link) {
            lines.extend(link.map(Line::Aside));
        }
    }
    lines
}

/// Faults, each with what a client sees of it and whom that hurts.
pub fn faults<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<Line> {
    names
        .into_iter()
        .map(|name| match Fault::from_name(name) {
            Ok(fault) => Line::Named(
                name.to_owned(),
                format!("{} It hurts {}.", fault.entry().client_sees, trimmed(fault.entry().hurts)),
            ),
            Err(_) => Line::Named(name.to_owned(), String::new()),
        })
        .collect()
}

fn trimmed(text: &str) -> &str {
    text.trim_end_matches('.')
}

/// Cases, each with its title.
pub fn cases<'i>(ids: impl IntoIterator<Item = &'i str>, sources: Sources<'_>) -> Vec<Line> {
    ids.into_iter()
        .map(|id| {
            let title = find(id, sources).map(|(_, _, case)| {
                let row = id.split_once('[').and_then(|(_, row)| Trial::of(case, row.strip_suffix(']')?));
                row.and_then(|row| row.title).unwrap_or(&case.title).to_owned()
            });
            Line::Named(id.to_owned(), title.unwrap_or_default())
        })
        .collect()
}

/// The features of clients' profiles that hang on one of these cases, each with the client.
pub fn clients(ids: &BTreeSet<&str>, sources: Sources<'_>) -> Vec<Line> {
    let cases: Vec<_> = ids.iter().filter_map(|id| find(id, sources)).collect();
    let mut lines = Vec::new();
    for profile in sources.library.profiles().values() {
        let Some(client) = &profile.client else { continue };
        let own: Vec<_> = cases.iter().filter(|(file, _, case)| profile.includes(file, case)).collect();
        for (name, feature) in &profile.features {
            let decides = own.iter().any(|(file, _, case)| {
                feature.tags.iter().any(|tag| case.tags.contains(tag) || file.suite.tags.contains(tag))
            });
            if decides {
                let core = if feature.core { ", which it is not served without" } else { "" };
                lines.push(Line::Named(
                    client.clone(),
                    format!("{}{core} ({}.{name})", feature.title, profile.name),
                ));
            }
        }
    }
    lines
}

/// The clients whose profile takes a case in that no feature hangs on: a rule that they trip over.
pub fn takers(file: &SuiteFile, case: &Case, sources: Sources<'_>) -> Vec<Line> {
    let profiles = sources.library.profiles().values();
    profiles
        // A suite of the user's runs in every profile, which says nothing of the client.
        .filter(|profile| profile.takes(&file.path) && profile.includes(file, case))
        .filter(|profile| {
            let tagged = |tag: &String| case.tags.contains(tag) || file.suite.tags.contains(tag);
            !profile.features.values().any(|feature| feature.tags.iter().any(tagged))
        })
        .filter_map(|profile| {
            let client = profile.client.clone()?;
            Some(Line::Named(client, format!("needs it (profile {})", profile.name)))
        })
        .collect()
}

/// What vendors document otherwise about a case or rule.
pub fn deviations(id: &str, sources: Sources<'_>) -> Vec<Line> {
    let profiles = sources.library.profiles().values();
    profiles
        .flat_map(|profile| profile.deviations.iter().map(move |deviation| (profile, deviation)))
        .filter(|(_, deviation)| {
            let about = deviation.case.as_deref().or(deviation.rule.as_deref()).unwrap_or_default();
            about == id || bare(about) == id
        })
        .map(|(profile, deviation)| {
            let said = format!("documents otherwise ({}): {}", deviation.cite.join(", "), deviation.why);
            Line::Named(profile.name.clone(), said)
        })
        .collect()
}

/// The profile to run a case with: none where it belongs to what runs anyway, else the first that has it.
pub fn profile_of<'s>(file: &SuiteFile, case: &Case, sources: Sources<'s>) -> Option<&'s Profile> {
    let has = |profile: &&Profile| profile.includes(file, case);
    let profiles = sources.library.profiles();
    match profiles.values().find(|profile| profile.kind == Kind::Standard).filter(has) {
        Some(_) => None,
        None => profiles.values().find(has),
    }
}

/// The command that runs some cases, in a profile if that is another than the one taken anyway.
pub fn run(profile: Option<&Profile>, selection: &str, what: &[&str]) -> Line {
    let profile = profile.map(|profile| format!(" --profile {}", quote(&profile.name))).unwrap_or_default();
    let what: String = what.iter().map(|one| format!(" {selection} {}", quote(one))).collect();
    Line::Command(format!("scimspec run URL{profile}{what}"))
}
