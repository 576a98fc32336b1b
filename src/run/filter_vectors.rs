//! Filter vectors: many filters, each a trial of its own, asked in few requests.
//!
//! First the members of the population are shown by one list, since what a filter may find is judged by what the service
//! provider shows. Filters that the oracle is sure about are then asked several at a time
//! ([`batch::parity`]). Where such a query is refused, its halves are asked; where it finds something else, each of its
//! filters is asked alone and judged as any step is, so that what fails is one filter with its own exchange. The other
//! filters are asked alone at once. What an answer means is the judge's business and the oracle's.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use super::case::{CaseRun, Flow};
use super::request::{self, Prepared};
use crate::oracle::batch::{self, Member, Outcomes};
use crate::outcome::{SkipReason, Verdict};
use crate::scim::datetime;
use crate::scim::definition::ResourceDefinition;
use crate::scim::filter::Filter;
use crate::scim::list::ListResponse;
use crate::scim::resource::get;
use crate::scim::schema::SchemaSet;
use crate::suite::model::{
    Alternative, AlternativeVerdict, By, Encode, ErrorExpect, Expect, ListExpect, Ours, Query, Requires,
    StatusPattern, StatusSet, Step, Vectors,
};
use crate::suite::template::Escape;
use crate::suite::vectors::{FilterVector, Refused};
use crate::target::exchange::ExchangeId;

/// After so many refusals of several filters at once, the rest is asked one by one.
pub(super) const MOST_REFUSALS: usize = 3;

/// A filter that is going to be asked.
struct Asked {
    /// Its part of the job.
    part: usize,
    endpoint: String,
    /// The filter as written, with its references.
    filter: String,
    /// Whether it is a filter at all.
    is_valid: bool,
    /// What it has to find, where the oracle is sure and it can be asked with others.
    finds: Option<BTreeSet<String>>,
    expect: Expect,
    /// What it needs of the service provider beside plain filters, so that a refusal of it costs no others.
    theme: &'static str,
}

/// The members at an endpoint.
struct Shown {
    name: String,
    state: Value,
    definition: ResourceDefinition,
}

impl CaseRun<'_> {
    /// Asks the filters, and takes note of what each came to.
    pub(super) async fn filter_vectors(&mut self, vectors: &Vectors) {
        let unlisted = match self.show_members().await {
            Ok(unlisted) => unlisted,
            Err(verdict) => {
                self.parts.iter_mut().for_each(|part| part.trouble = Some(verdict.clone()));
                return;
            }
        };
        self.name_instants();
        let mut alone = Vec::new();
        let mut together: BTreeMap<(String, &'static str), Vec<Asked>> = BTreeMap::new();
        for part in 0..self.job.parts.len() {
            self.current = part;
            match self.asked(vectors, part) {
                Ok(asked) if asked.finds.is_some() => {
                    together.entry((asked.endpoint.clone(), asked.theme)).or_default().push(asked);
                }
                Ok(asked) => alone.push(asked),
                Err(verdict) => self.part().trouble = Some(verdict),
            }
        }
        for ((endpoint, _), all) in together {
            // What goes with every filter is to be right about everybody.
            let is_right = unlisted.is_empty();
            alone.extend(if is_right { self.several(&endpoint, all).await } else { all });
        }
        let mut is_crowded = false;
        for asked in alone {
            self.current = asked.part;
            self.one(&asked, &unlisted, &mut is_crowded).await;
        }
    }

    /// What a vector comes to here: its filter with the names in it resolved, and what may come of it.
    ///
    /// # Errors
    /// Why it is not asked.
    fn asked(&self, vectors: &Vectors, part: usize) -> Result<Asked, Verdict> {
        let id = self.job.parts[part].id.as_str();
        let vector = vectors.trial_of(id);
        let read = vector.map(|vector| (vector, FilterVector::read(vector)));
        let Some((vector, Ok(read))) = read else {
            return Err(super::case::precondition(format!("the vector of '{id}' is not there")));
        };
        let needs = |requires: &Requires| match self.shared.claims(requires) {
            Ok(()) => Ok(()),
            Err(evidence) => {
                let needs = requires.to_string();
                Err(Verdict::Skipped { reason: SkipReason::Capability { needs, evidence } })
            }
        };
        vector.requires.iter().try_for_each(needs)?;
        let filter = self.names.scope.text(&read.filter, Escape::JsonString).map_err(|error| {
            // The only names that may be missing are those of what is shown of members.
            let reason =
                SkipReason::Capability { needs: "what members show".into(), evidence: error.to_string() };
            Verdict::Skipped { reason }
        })?;
        let parsed = Filter::parse(&filter).ok();
        for requires in parsed.iter().flat_map(|parsed| attributes(parsed, &read.endpoint)) {
            needs(&requires)?;
        }
        let shown = self.shown(&read.endpoint);
        let members: Vec<Member<'_>> = shown
            .iter()
            .map(|it| Member { name: &it.name, state: &it.state, definition: &it.definition })
            .collect();
        let written: Vec<BTreeSet<String>> = read
            .outcomes()
            .filter_map(|found| found.ids.as_ref())
            .map(|ids| ids.iter().cloned().collect())
            .collect();
        let outcomes = batch::outcomes(&filter, &members, &written, read.expected.ids.is_some());
        let refusals: Vec<&Refused> = read.outcomes().filter_map(|found| found.error.as_ref()).collect();
        // Where so much is open that nothing can be said of what is found, a refusal is not the only answer left.
        if outcomes.sets.is_empty() && (refusals.is_empty() || !written.is_empty()) {
            let what = "members that show enough to judge the filter by".to_owned();
            return Err(Verdict::Skipped { reason: SkipReason::NothingEligible { what } });
        }
        let has_brackets = parsed.as_ref().is_some_and(batch::has_brackets);
        // Of these parentheses are all that matters: among others they would stand in more of them.
        let is_structure = filter.starts_with('(') || parsed.as_ref().is_none_or(batch::is_mixed);
        let can_join =
            outcomes.is_firm && read.expected.ids.is_some() && !is_structure && read.endpoint != "/";
        let theme = match filter.to_ascii_lowercase() {
            _ if has_brackets => "brackets",
            folded if folded.starts_with("urn:") => "schema URIs",
            _ if !refusals.is_empty() => "what may be refused",
            _ => "plain",
        };
        Ok(Asked {
            part,
            finds: outcomes.sets.first().filter(|_| can_join).cloned(),
            expect: expectation(&read, &outcomes, &refusals, has_brackets),
            is_valid: parsed.is_some(),
            endpoint: read.endpoint,
            filter: read.filter,
            theme,
        })
    }

    /// The members at an endpoint (all at the root), as they were last shown.
    fn shown(&self, endpoint: &str) -> Vec<Shown> {
        let at = endpoint.trim_end_matches('/');
        let here =
            |name: &str| at.is_empty() || self.names.whereabouts(name).is_some_and(|(lives, _)| lives == at);
        self.names
            .ours
            .named()
            .filter(|(name, _)| here(name))
            .filter_map(|(name, handle)| {
                let definition = self.shared.probe.schemas.definition(&handle.resource_type)?;
                Some(Shown { name: name.to_owned(), state: handle.state.clone()?, definition })
            })
            .collect()
    }

    /// Asks for the users of the population, and takes note of what is shown of them; also for the groups, where the answers
    /// to their creates showed nothing. Whom a list lacks is judged by the answer to its create, and named.
    ///
    /// # Errors
    /// The verdict where no answer came.
    async fn show_members(&mut self) -> Result<BTreeSet<String>, Verdict> {
        let mut unlisted = self.show_members_at("/Users").await?;
        if self.shown("/Groups").iter().any(|it| get(&it.state, "id").is_none()) {
            unlisted.extend(self.show_members_at("/Groups").await?);
        }
        Ok(unlisted)
    }

    /// Asks for the members at one endpoint, and gives the names of those whom the list lacks.
    ///
    /// # Errors
    /// The verdict where no answer came.
    async fn show_members_at(&mut self, endpoint: &str) -> Result<BTreeSet<String>, Verdict> {
        let Some(term) = self.narrowing(endpoint) else { return Ok(BTreeSet::new()) };
        let (_, rows) = self.list(endpoint, &term).await?;
        let Some(rows) = rows else { return Ok(BTreeSet::new()) };
        let mut unlisted: BTreeSet<String> = self.shown(endpoint).into_iter().map(|it| it.name).collect();
        let known: Vec<(String, String)> = self
            .names
            .ours
            .named()
            .filter_map(|(name, handle)| Some((name.to_owned(), handle.id.clone()?)))
            .collect();
        for row in rows {
            let id = get(&row, "id").and_then(Value::as_str);
            if let Some((name, _)) = known.iter().find(|(_, known)| Some(known.as_str()) == id) {
                unlisted.remove(name);
                self.names.observed(name, row.clone());
            }
        }
        Ok(unlisted)
    }

    /// A filter that finds the members at an endpoint and nobody else, by what their names begin with.
    fn narrowing(&self, endpoint: &str) -> Option<String> {
        if endpoint == "/" {
            let (users, groups) = (self.narrowing("/Users")?, self.narrowing("/Groups")?);
            return Some(format!("({users} or {groups})"));
        }
        let attribute = if endpoint == "/Groups" { "displayName" } else { "userName" };
        let shown = self.shown(endpoint);
        let names = shown.iter().filter_map(|it| get(&it.state, attribute).and_then(Value::as_str));
        let beginning = batch::common_beginning(names);
        let mark = self.names.generator.mark().to_ascii_lowercase();
        let is_ours = beginning.to_ascii_lowercase().contains(&mark);
        is_ours.then(|| format!("{attribute} sw {}", Value::from(beginning)))
    }

    /// `${before}` and `${after}` with other offsets: instants around the time at which the members were created, by the
    /// service provider's own clock.
    fn name_instants(&mut self) {
        let shown = self.shown("/Users");
        let times = |member: &str| -> Vec<DateTime<Utc>> {
            let texts = shown.iter().filter_map(|it| get(&it.state, "meta")?.get(member)?.as_str());
            texts.filter_map(|text| Some(datetime::parse(text)?.utc)).collect()
        };
        let created = times("created").into_iter().min();
        let modified = times("lastModified").into_iter().max();
        let (Some(created), Some(modified)) = (created, modified) else { return };
        let margin = TimeDelta::seconds(2);
        let text = |time: DateTime<Utc>, minutes: i32| {
            let offset = FixedOffset::east_opt(minutes * 60)?;
            Some(time.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, true))
        };
        let named = [
            ("before", text(created - margin, 0)),
            ("before-east", text(created - margin, 330)),
            ("after-west", text(modified + margin, -480)),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                self.names.value(name, Value::from(value));
            }
        }
    }

    /// Asks filters several at a time, and gives those that have to be asked alone.
    async fn several(&mut self, endpoint: &str, all: Vec<Asked>) -> Vec<Asked> {
        let Some(narrowing) = self.narrowing(endpoint) else { return all };
        if !batch::is_crowd(self.job.parts.len()) {
            return all;
        }
        let mut suspects: Vec<usize> = Vec::new();
        let filters: Vec<&str> = all.iter().map(|asked| asked.filter.as_str()).collect();
        let mut open = batch::shares(&filters);
        let mut refusals = 0;
        while let Some(batch) = open.pop() {
            if batch.len() == 1 || refusals >= MOST_REFUSALS {
                suspects.extend(batch);
                continue;
            }
            let asked: Vec<&Asked> = batch.iter().filter_map(|index| all.get(*index)).collect();
            match self.together(endpoint, &narrowing, &asked).await {
                Ok(Answer::Right) => {}
                // What is wrong about one of them may hide what is wrong about another.
                Ok(Answer::Wrong) => suspects.extend(batch),
                Ok(Answer::Refused) => {
                    refusals += 1;
                    let (left, right) = batch.split_at(batch.len() / 2);
                    open.extend([right.to_vec(), left.to_vec()]);
                }
                Err(verdict) => {
                    for asked in asked {
                        self.parts[asked.part].trouble = Some(verdict.clone());
                    }
                }
            }
        }
        let mut index = 0;
        let mut alone = all;
        alone.retain(|_| {
            index += 1;
            suspects.contains(&(index - 1))
        });
        alone
    }

    /// Asks several filters in one request.
    ///
    /// # Errors
    /// The verdict where no answer came.
    async fn together(&mut self, endpoint: &str, narrowing: &str, all: &[&Asked]) -> Result<Answer, Verdict> {
        let filters: Vec<&str> = all.iter().map(|asked| asked.filter.as_str()).collect();
        let filter = format!("{narrowing} and ({})", batch::parity(&filters));
        let wanted = batch::odd(all.iter().filter_map(|asked| asked.finds.as_ref()));
        let expect = finds(&wanted);
        self.current = all.first().map_or(self.current, |asked| asked.part);
        let ((prepared, sent), _) = self.list(endpoint, &filter).await?;
        let place = format!("{}.vectors", self.job.path);
        let mut is_right = true;
        for asked in all {
            self.current = asked.part;
            let judgement = self.judge(&expect, &sent.exchange, &prepared, &Step::default(), &place);
            is_right &= judgement.findings.is_empty() && judgement.error.is_none();
        }
        if !is_right {
            let is_refused = sent.exchange.status() != Some(200);
            return Ok(if is_refused { Answer::Refused } else { Answer::Wrong });
        }
        for asked in all {
            let part = &mut self.parts[asked.part];
            let id: ExchangeId = sent.exchange.id;
            if !part.exchanges.contains(&id) {
                part.exchanges.push(id);
            }
            part.notes.push(format!("asked together with {} others in one request", all.len() - 1));
        }
        Ok(Answer::Right)
    }

    /// Asks one filter alone, and judges the answer as that of any step. Where it has to be narrowed, those whom the
    /// narrowing alone does not find are not missed: that is not this filter's doing.
    async fn one(&mut self, asked: &Asked, unlisted: &BTreeSet<String>, is_crowded: &mut bool) {
        let place = format!("{}.vectors", self.job.path);
        let narrowed = self.narrowing(&asked.endpoint).map(|term| format!("{term} and ({})", asked.filter));
        if !(*is_crowded && asked.is_valid && narrowed.is_some()) {
            let before = self.part().findings.len();
            let flow = self.ask(&asked.endpoint, &asked.filter, &asked.expect, &place).await;
            // Where so many others match that ours stand on a page nobody reads, ours are asked for.
            let is_partial = flow == Flow::On && self.last.as_deref().is_some_and(is_partial);
            if !(is_partial && asked.is_valid && self.part().findings.len() > before) {
                return;
            }
            self.part().findings.truncate(before);
            if narrowed.is_none() {
                let what = "a list short enough to show the members".to_owned();
                let reason = SkipReason::NothingEligible { what };
                self.part().trouble = Some(Verdict::Skipped { reason });
            }
            *is_crowded = true;
        }
        if let Some(narrowed) = narrowed {
            let expect = without(&asked.expect, unlisted);
            self.ask(&asked.endpoint, &narrowed, &expect, &place).await;
        }
    }

    async fn ask(&mut self, endpoint: &str, filter: &str, expect: &Expect, place: &str) -> Flow {
        let (step, way) = query(endpoint, filter);
        let prepared = self.prepared(&step, way);
        self.exchange(&step, prepared, expect, place).await
    }

    /// A list of all pages, with its rows if it is one.
    ///
    /// # Errors
    /// The verdict where no answer came.
    pub(super) async fn list(
        &mut self,
        endpoint: &str,
        filter: &str,
    ) -> Result<((Prepared, crate::target::Sent), Option<Vec<Value>>), Verdict> {
        let trouble = |error: &dyn std::fmt::Display| super::case::precondition(error.to_string());
        let (step, way) = query(endpoint, filter);
        let prepared = self.prepared(&step, way).map_err(|error| trouble(&error))?;
        let plan = self.plan(&prepared, &step).map_err(|error| trouble(&error))?;
        let sent = self.send(plan).await?;
        let sent = self.all_pages(&step, &prepared, sent).await?;
        let body = sent.exchange.json().filter(|_| sent.exchange.status() == Some(200));
        let rows = body.and_then(|body| ListResponse::from_json(body).value).map(|list| list.resources);
        Ok(((prepared, sent), rows))
    }

    fn prepared(&self, step: &Step, way: By) -> Result<Prepared, request::RequestError> {
        let unasked = Query::default();
        let query = step.query.as_ref().unwrap_or(&unasked);
        let page_size = self.shared.page_size_parameter();
        request::query(query, way, Encode::Strict, &self.names.scope, page_size)
    }
}

/// What several filters in one request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Right,
    Wrong,
    Refused,
}

/// The step that asks with a filter, and how: at the root by `.search`, which is where the RFC has it.
fn query(endpoint: &str, filter: &str) -> (Step, By) {
    let way = if endpoint == "/" { By::Search } else { By::Get };
    let filter = Some(filter.to_owned());
    let query = Query { endpoint: endpoint.to_owned(), filter, by: vec![way], ..Query::default() };
    (Step { query: Some(query), ..Step::default() }, way)
}

/// Whether an answer is a list with less than there is.
fn is_partial(exchange: &crate::target::exchange::Exchange) -> bool {
    let list = exchange.json().and_then(|body| ListResponse::from_json(body).value);
    list.is_some_and(|list| list.total_results.is_some_and(|total| total > list.resources.len() as u64))
}

/// The attributes that a filter stands on, as far as the core schemas define them.
fn attributes(filter: &Filter, endpoint: &str) -> Vec<Requires> {
    const COMMON: [&str; 4] = ["id", "schemas", "meta", "externalId"];
    let Some(definition) = SchemaSet::core().definition_by_endpoint(endpoint) else { return Vec::new() };
    batch::paths(filter)
        .into_iter()
        .filter(|path| path.urn.is_some() || !COMMON.iter().any(|name| path.name.eq_ignore_ascii_case(name)))
        .filter(|path| definition.resolve(path).is_some())
        .map(|path| Requires::Attribute(format!("{}.{path}", definition.name)))
        .collect()
}

fn finds(members: &BTreeSet<String>) -> Expect {
    Expect { status: Some(ok()), list: Some(exactly(members)), ..Expect::default() }
}

fn ok() -> StatusSet {
    StatusSet(vec![StatusPattern::Code(200)])
}

fn exactly(members: &BTreeSet<String>) -> ListExpect {
    ListExpect { ours: Some(Ours::Exactly(members.iter().cloned().collect())), ..ListExpect::default() }
}

/// The expectation of a list, without these members.
fn without(expect: &Expect, unlisted: &BTreeSet<String>) -> Expect {
    let mut expect = expect.clone();
    let alternatives = expect.any.iter_mut().map(|it| &mut it.list);
    for list in alternatives.chain([&mut expect.list]).flatten() {
        if let Some(Ours::Exactly(members)) = &mut list.ours {
            members.retain(|member| !unlisted.contains(member));
        }
    }
    expect
}

/// What may come of a filter that is asked alone.
fn expectation(
    vector: &FilterVector,
    outcomes: &Outcomes,
    refusals: &[&Refused],
    has_brackets: bool,
) -> Expect {
    let amb = vector.ambiguity.clone();
    let refused = |refused: &Refused| {
        let status = refused.status.parse().map_or_else(|_| StatusPattern::Class(4), StatusPattern::Code);
        let scim_type: Vec<String> = refused.scim_type.iter().cloned().collect();
        let status = StatusSet(vec![status]);
        if vector.demands_scim_type {
            ErrorExpect { status, scim_type, ..ErrorExpect::default() }
        } else {
            ErrorExpect { status, usual_scim_type: scim_type, ..ErrorExpect::default() }
        }
    };
    if let ([], [only]) = (outcomes.sets.as_slice(), refusals) {
        return Expect { error: Some(refused(only)), amb, ..Expect::default() };
    }
    let mut any: Vec<Alternative> = outcomes
        .sets
        .iter()
        .map(|set| Alternative { status: Some(ok()), list: Some(exactly(set)), ..Alternative::default() })
        .collect();
    any.extend(refusals.iter().map(|it| Alternative { error: Some(refused(it)), ..Alternative::default() }));
    let may_decline = |verdict, strict, why: &str, status, scim_type: &[&str]| Alternative {
        error: Some(ErrorExpect {
            status: StatusSet(vec![StatusPattern::Code(status)]),
            scim_type: scim_type.iter().map(|it| (*it).to_owned()).collect(),
            ..ErrorExpect::default()
        }),
        verdict,
        strict,
        why: Some(why.to_owned()),
        ..Alternative::default()
    };
    // Too many results is no word for a filter that is not supported.
    if refusals.iter().all(|it| it.scim_type.as_deref().is_some_and(|why| why != "invalidFilter")) {
        let (verdict, strict) = if has_brackets {
            (AlternativeVerdict::Note, None)
        } else {
            (AlternativeVerdict::Warn, Some(AlternativeVerdict::Fail))
        };
        let why = "a provider may decline what it does not support, yet clients need this";
        any.push(may_decline(verdict, strict, why, 400, &["invalidFilter"]));
    }
    if vector.endpoint == "/" {
        any.push(Alternative {
            status: Some(StatusSet([403, 404, 405, 501].map(StatusPattern::Code).into())),
            verdict: AlternativeVerdict::Note,
            why: Some("a search at the root is not offered".to_owned()),
            ..Alternative::default()
        });
    }
    Expect { any, amb, ..Expect::default() }
}
