//! A case, a rule, a row, a checkpoint; a suite.

use std::collections::BTreeSet;

use serde_json::Value;

use super::about::{self, bare, find};
use super::trial::{self, Trial};
use super::{Card, Line, Sources};
use crate::outcome::Level;
use crate::suite::load::SuiteFile;
use crate::suite::model::{Action, By, Case, Requires, Step};

/// How many faults are named.
const FAULTS: usize = 8;
/// How many other cases are named.
const CASES: usize = 6;

/// The case, rule, row, form or checkpoint of that id.
pub fn case(id: &str, sources: Sources<'_>) -> Option<Card> {
    let (file, index, case) = find(id, sources)?;
    let trial = match id.split_once('[') {
        Some((_, name)) => Some(Trial::of(case, name.strip_suffix(']')?)?),
        None => None,
    };
    let form = id.split_once('@').map(|(_, form)| form.split('[').next().unwrap_or(form));
    let forms: Vec<(Option<&str>, &Case)> =
        file.forms_of(index).into_iter().filter(|(own, _)| form.is_none() || *own == form).collect();
    if forms.is_empty() {
        return None;
    }
    let name = bare(id).split_once('/').map(|(_, name)| name).unwrap_or_default();
    let checkpoint = case.steps.iter().find(|step| step.checkpoint.as_deref() == Some(name));
    let own = file.case_id(case);

    let title = trial.as_ref().and_then(|trial| trial.title);
    let title = title.or(checkpoint.and_then(|step| step.title.as_deref())).unwrap_or(&case.title);
    let level = trial
        .as_ref()
        .and_then(|trial| trial.level)
        .or(checkpoint.and_then(|step| step.level))
        .unwrap_or_else(|| sources.catalogue.level_of(&file.suite, case));
    let kind = if case.rule.is_some() { "rule" } else { "case" };
    let mut card = Card::new(kind, id, Some(level), title);
    if own != bare(id) {
        card.lines("part of", [Line::Named(own.clone(), case.title.clone())]);
    }
    card.text("why", case.why.as_deref());
    card.text("since", trial.as_ref().and_then(Trial::reasoning));
    let consequence = checkpoint.and_then(|step| step.consequence.as_ref());
    let consequence = consequence.or(case.consequence.as_ref()).or(file.suite.consequence.as_ref());
    card.text("if it fails", consequence.map(String::as_str));
    card.text("how to mend", case.hint.as_deref());

    let cited = cited(&own, trial.as_ref().map(|trial| trial.id), checkpoint, sources);
    card.lines("asks", about::requirements(cited.iter().copied(), sources));
    card.text("disputed", joined(cited.iter().copied().filter(|id| id.starts_with("AMB-"))).as_deref());
    let needs =
        file.suite.requires.iter().chain(&case.requires).chain(trial.iter().flat_map(|trial| trial.requires));
    card.text("needs", joined(unique(needs.map(Requires::to_string)).iter().map(String::as_str)).as_deref());
    if trial.is_none() {
        card.text("rows", joined(case.trial_ids()).as_deref());
    }
    card.lines("for each", case.for_each.iter().flat_map(trial::range));
    let mut asked = requests(&forms, file, sources);
    if let Some(trial) = &trial {
        asked.extend(trial.data());
        asked.extend(trial.request());
    }
    card.lines("requests", asked);
    for (label, said) in trial.iter().flat_map(Trial::outcomes) {
        card.lines(label, said);
    }
    if case.rule.is_some() {
        card.text("requests", Some("none: it looks at every exchange that the run makes anyway"));
    }

    let ids = BTreeSet::from([own.as_str()]);
    card.lines("decides on", about::clients(&ids, sources));
    let takers = about::takers(file, case, sources).into_iter();
    card.lines("trips", takers.chain(trips(&own, &cited, sources)));
    card.lines("vendors", about::deviations(&own, sources));
    // What other trials of the case have caught says nothing of this one.
    let faults = sources.proofs.faults_of(if trial.is_some() { id } else { bare(id) });
    card.some("has caught", about::faults(faults), FAULTS);
    let place = file.place(&format!("cases[{index}].id"));
    card.text("stands in", Some(&format!("{}:{}", place.file, place.line)));
    let profile = about::profile_of(file, case, sources);
    card.lines(
        "run",
        [match case.rule {
            // A rule alone would have nothing to look at.
            Some(_) => about::run(profile, "--case", &[id, "create/*"]),
            None => about::run(profile, "--case", &[id]),
        }],
    );
    Some(card)
}

/// What a case cites, or one row of it, or one of its checkpoints.
fn cited<'s>(
    case: &str,
    row: Option<&str>,
    checkpoint: Option<&'s Step>,
    sources: Sources<'s>,
) -> Vec<&'s str> {
    if let Some(step) = checkpoint
        && !(step.spec.is_empty() && step.source.is_empty())
    {
        return step.spec.iter().chain(&step.source).map(String::as_str).collect();
    }
    let ids = sources.citations.ids().filter(|id| {
        sources.citations.of_id(id).iter().any(|citation| {
            citation.case == case
                && (row.is_none() || citation.row.is_none() || citation.row.as_deref() == row)
        })
    });
    ids.collect()
}

fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for text in texts {
        if !unique.contains(&text) {
            unique.push(text);
        }
    }
    unique
}

fn joined<'t>(texts: impl Iterator<Item = &'t str>) -> Option<String> {
    let texts: Vec<&str> = texts.collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// The cases of clients' suites that ask the same.
fn trips(own: &str, cited: &[&str], sources: Sources<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    for profile in sources.library.profiles().values() {
        let Some(client) = &profile.client else { continue };
        let mut asking: BTreeSet<&str> = BTreeSet::new();
        for id in cited.iter().filter(|id| id.starts_with("RFC")) {
            let citations = sources.citations.of_id(id);
            asking.extend(citations.iter().filter(|it| !it.rule).map(|it| it.case.as_str()));
        }
        asking.retain(|id| {
            let found = find(id, sources);
            *id != own
                && found.is_some_and(|(file, _, case)| {
                    profile.includes(file, case) && about::profile_of(file, case, sources).is_some()
                })
        });
        if !asking.is_empty() {
            let mut said = asking.iter().take(CASES).copied().collect::<Vec<_>>().join(", ");
            if asking.len() > CASES {
                said.push_str(&format!(" and {} more", asking.len() - CASES));
            }
            lines.push(Line::Named(client.clone(), format!("asks for the same in {said}")));
        }
    }
    lines
}

/// The requests of a case, form by form, in order.
fn requests(forms: &[(Option<&str>, &Case)], file: &SuiteFile, sources: Sources<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (form, case) in forms {
        if let (Some(form), true) = (form, forms.len() > 1) {
            lines.push(Line::Aside(format!("as @{form}:")));
        }
        for (name, given) in &case.given {
            let times = given.times.map(|times| format!(", {times} times")).unwrap_or_default();
            let endpoint = endpoint(case, name, sources).unwrap_or("/…");
            lines.push(Line::Named(format!("POST {endpoint}"), format!("{name}, given{times}")));
        }
        if let Some(population) = &case.population {
            lines.push(Line::Aside(format!("the population {population}, made once for all its cases")));
        }
        let headers = !file.suite.defaults.headers.is_empty();
        for step in case.setup.iter().chain(&case.steps) {
            lines.extend(request(step, case, sources));
        }
        if headers {
            let names: Vec<&str> = file.suite.defaults.headers.keys().map(String::as_str).collect();
            lines.push(Line::Aside(format!("each with {}", names.join(", "))));
        }
    }
    lines
}

fn request(step: &Step, case: &Case, sources: Sources<'_>) -> Option<Line> {
    let read = |name: &str| match endpoint(case, name, sources) {
        Some(endpoint) => format!("GET {endpoint}/${{{name}.id}}"),
        None => format!("GET ${{{name}.meta.location}}"),
    };
    let (line, said) = match step.action().ok()? {
        Action::Send { line, .. } => (line.to_owned(), String::new()),
        Action::Query(query) => {
            let mut parameters: Vec<String> = Vec::new();
            parameters.extend(query.filter.as_ref().map(|filter| format!("filter={filter}")));
            parameters.extend(query.sort_by.as_ref().map(|by| format!("sortBy={by}")));
            parameters.extend(query.sort_order.as_ref().map(|order| format!("sortOrder={order}")));
            parameters.extend(query.start_index.map(|index| format!("startIndex={index}")));
            parameters.extend(query.count.map(|count| format!("count={count}")));
            parameters.extend(query.cursor.as_ref().map(|cursor| format!("cursor={cursor}")));
            for (name, list) in
                [("attributes", &query.attributes), ("excludedAttributes", &query.excluded_attributes)]
            {
                parameters.extend((!list.is_empty()).then(|| format!("{name}={}", list.join(","))));
            }
            let mark = if parameters.is_empty() { "" } else { "?" };
            let get = format!("GET {}{mark}{}", query.endpoint, parameters.join("&"));
            let search = format!("POST {}/.search", query.endpoint.trim_end_matches('/'));
            let asked = if parameters.is_empty() {
                String::new()
            } else {
                format!("with {} in its body", parameters.join(", "))
            };
            match query.by.as_slice() {
                [By::Search] => (search, asked),
                by if by.contains(&By::Search) => (get, format!("and the same by {search}")),
                _ => (get, String::new()),
            }
        }
        Action::Read(name) => (read(name), String::new()),
        Action::Unchanged(names) => {
            (names.iter().map(|name| read(name)).collect::<Vec<_>>().join(", "), "as before".to_owned())
        }
        Action::Paginate(paginate) => (
            format!("GET {}?startIndex=…&count={}", paginate.endpoint, paginate.size),
            format!("up to {} pages and one beyond the end", paginate.most_pages()),
        ),
        Action::Hook(name) => (format!("the hook {name}"), "a command of the operator's".to_owned()),
        Action::Burst(burst) => {
            (burst.send.clone(), format!("up to {} times, as fast as it is answered", burst.at_most))
        }
        Action::Parallel(parallel) => {
            let sent: Vec<String> = parallel.steps().into_iter().filter_map(|step| step.send).collect();
            let said = match (&parallel.over, parallel.times) {
                (Some(over), _) => format!("for each of {over}, at once"),
                (None, Some(times)) => format!("{times} times at once"),
                (None, None) => "at once".to_owned(),
            };
            (sent.join(", "), said)
        }
        Action::Wait(_) | Action::Do(_) => return None,
    };
    Some(Line::Named(line, said))
}

/// The endpoint of a resource of a case: where a step makes it, or where a fixture belongs.
fn endpoint<'c>(case: &'c Case, name: &str, sources: Sources<'c>) -> Option<&'c str> {
    let steps = case.setup.iter().chain(&case.steps).filter(|step| step.id.as_deref() == Some(name));
    let sent =
        steps.filter_map(|step| step.send.as_deref()?.split_once(' ')).find(|(method, _)| *method == "POST");
    if let Some((_, path)) = sent {
        return Some(path);
    }
    let given = case.given.get(name)?;
    let resource = match (&given.fixture, &given.inline) {
        (Some(fixture), _) => sources.library.fixture(fixture)?,
        (None, inline) => inline.as_ref()?,
    };
    let schemas = resource.get("schemas").and_then(Value::as_array)?;
    let has = |urn: &str| schemas.iter().any(|schema| schema.as_str().is_some_and(|it| it.ends_with(urn)));
    match () {
        () if has("core:2.0:User") => Some("/Users"),
        () if has("core:2.0:Group") => Some("/Groups"),
        () => None,
    }
}

/// The suite of that name.
pub fn suite(id: &str, sources: Sources<'_>) -> Vec<Card> {
    let named = sources.library.suites().iter().filter(|file| file.suite.suite == id);
    named
        .map(|file| {
            let suite = &file.suite;
            let mut card = Card::new("suite", id, suite.level, &suite.title);
            card.text("if it fails", suite.consequence.as_deref());
            card.lines("asks", about::requirements(suite.spec.iter().map(String::as_str), sources));
            let needs = unique(suite.requires.iter().map(Requires::to_string));
            card.text("needs", joined(needs.iter().map(String::as_str)).as_deref());
            let levels = |level: Level| {
                suite.cases.iter().filter(|case| sources.catalogue.level_of(suite, case) == level).count()
            };
            let counts =
                [Level::Must, Level::Should, Level::May].map(|level| format!("{} {level}", levels(level)));
            card.text("binds", Some(&counts.join(", ")));
            card.lines(
                "cases",
                suite.cases.iter().map(|case| Line::Named(file.case_id(case), case.title.clone())),
            );
            card.text("stands in", Some(&file.file));
            let profile = suite.cases.first().and_then(|case| about::profile_of(file, case, sources));
            card.lines("run", [about::run(profile, "--case", &[&format!("{id}/*")])]);
            card
        })
        .collect()
}
