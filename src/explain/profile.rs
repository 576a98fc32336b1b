//! A profile, and a feature of a client's readiness.

use super::about;
use super::{Card, Line, Sources};
use crate::profile::{Feature, Profile};

/// How many cases are named.
const CASES: usize = 24;

/// The profile of that name.
pub fn profile(id: &str, sources: Sources<'_>) -> Option<Card> {
    let profile = sources.library.profiles().get(id)?;
    let mut card = Card::new("profile", id, None, &profile.title);
    card.lines("stands on", profile.documents.iter().cloned().map(Line::Aside));
    card.text("cases", Some(&profile.cases(sources.library).count().to_string()));
    card.lines(
        "features",
        profile.features.iter().map(|(name, feature)| {
            let core = if feature.core { " (core)" } else { "" };
            Line::Named(format!("{id}.{name}"), format!("{}{core}", feature.title))
        }),
    );
    card.lines(
        "deviates",
        profile
            .deviations
            .iter()
            .map(|one| Line::Named(one.label(), format!("{} ({})", one.why, one.cite.join(", ")))),
    );
    let server =
        profile.server.as_ref().map(|name| Line::Command(format!("scimspec serve --profile {name}")));
    card.lines("run", [about::run(Some(profile), "--case", &[])].into_iter().chain(server));
    Some(card)
}

/// The features of that name, `okta.create`, or that a tag of that name decides on.
pub fn features(id: &str, sources: Sources<'_>) -> Vec<Card> {
    let mut cards = Vec::new();
    for profile in sources.library.profiles().values() {
        for (name, one) in &profile.features {
            let named = id.strip_prefix(&profile.name).and_then(|rest| rest.strip_prefix(['.', '/']));
            if named == Some(name.as_str()) || one.tags.iter().any(|tag| tag == id) {
                cards.push(feature(name, one, profile, sources));
            }
        }
    }
    cards
}

fn feature(name: &str, feature: &Feature, profile: &Profile, sources: Sources<'_>) -> Card {
    let mut card = Card::new("feature", format!("{}.{name}", profile.name), None, &feature.title);
    let core =
        format!("yes: without it {} is not served", profile.client.as_deref().unwrap_or(&profile.name));
    card.text("core", feature.core.then_some(core.as_str()));
    let decide: Vec<(_, _)> = profile
        .cases(sources.library)
        .filter(|(file, case)| {
            feature.tags.iter().any(|tag| case.tags.contains(tag) || file.suite.tags.contains(tag))
        })
        .collect();
    let cases: Vec<Line> =
        decide.iter().map(|(file, case)| Line::Named(file.case_id(case), case.title.clone())).collect();
    let mut consequences: Vec<&str> = Vec::new();
    for (file, case) in &decide {
        let said = case.consequence.as_deref().or(file.suite.consequence.as_deref());
        if let Some(said) = said.filter(|said| !consequences.contains(said)) {
            consequences.push(said);
        }
    }
    card.some("if it fails", consequences.iter().map(|said| Line::Said((*said).to_owned())).collect(), 3);
    card.some("decided by", cases, CASES);
    let tags: Vec<&str> = feature.tags.iter().map(String::as_str).collect();
    card.lines("run", [about::run(Some(profile), "--tag", &tags)]);
    card
}
