//! Alterations of a green exchange, made from what its expectation asserts: each has to turn the judgement red.
//!
//! The status is judged with the whole expectation. Everything else is judged twice: with the whole, and, since another
//! alternative may rightly take the altered answer, with nothing but the block that asserts it.

use scimspec::judge::{self, Context, Handle, Judgement};
use scimspec::run::Observed;
use scimspec::scim::at;
use scimspec::scim::path::PatchPath;
use scimspec::scim::resource::{elements, get, is_unassigned, member, set_member};
use scimspec::scim::schema::{Mutability, SchemaSet};
use scimspec::suite::block::Block;
use scimspec::suite::model::{
    Alternative, Becomes, Check, ErrorExpect, Expect, Foreign, Format, JsonType, ListExpect, Never, Ours,
    Requires, StatusPattern, StatusSet,
};
use scimspec::suite::template::Escape;
use scimspec::target::exchange::Exchange;
use serde_json::{Map, Value, json};

use super::alter;

/// What came of altering one exchange.
#[derive(Debug, Default)]
pub struct Tried {
    /// How many alterations turned red.
    pub killed: u32,
    /// Those that did not, in words: `any[1] body userName: removed`.
    pub survivors: Vec<String>,
}

impl Tried {
    fn note(&mut self, what: &str, is_red: bool) {
        if is_red {
            self.killed += 1;
        } else {
            self.survivors.push(what.to_owned());
        }
    }
}

/// Alters a green exchange in every way that its expectation forbids.
pub fn try_all(observed: &Observed<'_>) -> Tried {
    let mut tried = Tried::default();
    let Observed { expect, exchange, context, .. } = *observed;
    if exchange.answer.is_err() || !met(&expect.requires, context) {
        return tried;
    }
    let bench = Bench { expect, exchange, context };
    bench.statuses(&mut tried);
    for (index, never) in expect.never.iter().enumerate() {
        bench.never(index, never, &mut tried);
    }
    bench.block("", expect.block(), true, &mut tried);
    if let Some((index, alternative)) = bench.taken() {
        bench.block(&format!("any[{index}] "), alternative.block(), false, &mut tried);
    }
    for (index, also) in expect.also.iter().enumerate() {
        if met(&also.requires, context) {
            bench.block(&format!("also[{index}] "), also.block(), true, &mut tried);
        }
    }
    tried
}

fn met(requires: &[Requires], context: &Context<'_>) -> bool {
    requires.iter().all(|each| context.capabilities.check(each).is_ok())
}

struct Bench<'b> {
    expect: &'b Expect,
    exchange: &'b Exchange,
    context: &'b Context<'b>,
}

impl Bench<'_> {
    fn judge(&self, expect: &Expect, exchange: &Exchange) -> Judgement {
        judge::judge(expect, exchange, self.context)
    }

    /// Judges an altered exchange by the part of a block and, where no alternative can save it, by the whole.
    fn demand(&self, part: &Expect, is_sole: bool, what: &str, altered: Option<Exchange>, tried: &mut Tried) {
        let Some(altered) = altered else { return };
        let is_red =
            is_red(&self.judge(part, &altered)) && (!is_sole || is_red(&self.judge(self.expect, &altered)));
        tried.note(what, is_red);
    }

    fn code(&self) -> u16 {
        self.exchange.status().unwrap_or_default()
    }

    /// A part of a block alone, with the status that came.
    fn alone(&self, part: Expect) -> Expect {
        Expect { status: Some(StatusSet(vec![StatusPattern::Code(self.code())])), ..part }
    }

    /// The alternative that the answer was taken for.
    fn taken(&self) -> Option<(usize, &Alternative)> {
        self.expect.any.iter().enumerate().find(|(_, alternative)| {
            let is_right_status = match (&alternative.status, &alternative.error) {
                (Some(set), _) => set.contains(self.code()),
                (None, Some(error)) => error.status.contains(self.code()),
                (None, None) => self.writes_status() || (200..300).contains(&self.code()),
            };
            let alone = self.alone(Expect {
                error: alternative.error.clone(),
                body: alternative.body.clone(),
                becomes: alternative.becomes.clone(),
                list: alternative.list.clone(),
                resource: alternative.resource.clone(),
                checks: alternative.checks.clone(),
                ..Expect::default()
            });
            is_right_status
                && met(&alternative.requires, self.context)
                && !is_red(&self.judge(&alone, self.exchange))
        })
    }

    fn writes_status(&self) -> bool {
        self.expect.status.is_some() || self.expect.error.is_some()
    }

    /// Whether some part of the expectation could take that status.
    fn accepts(&self, status: u16) -> bool {
        let expect = self.expect;
        let written = expect.status.as_ref().or(expect.error.as_ref().map(|error| &error.status));
        if written.is_some_and(|set| !set.contains(status)) {
            return false;
        }
        if expect.any.is_empty() {
            let looks = expect.body.is_some()
                || expect.becomes.is_some()
                || expect.list.is_some()
                || expect.resource.is_some();
            return written.is_some() || if looks { status / 100 == 2 } else { status < 500 };
        }
        expect.any.iter().filter(|it| met(&it.requires, self.context)).any(|alternative| {
            match (&alternative.status, &alternative.error) {
                (Some(set), _) => set.contains(status),
                (None, Some(error)) => error.status.contains(status),
                (None, None) => written.is_some() || status / 100 == 2,
            }
        })
    }

    /// A server error, and the two nearest statuses that are wrong.
    fn statuses(&self, tried: &mut Tried) {
        let near: &[u16] = match self.code() {
            200 => &[201, 204, 202, 400, 404],
            201 => &[200, 202, 409, 400],
            204 => &[200, 202, 404, 400],
            304 => &[200, 412],
            400 => &[200, 201, 204, 404, 409, 403, 501, 422],
            401 => &[200, 201, 204, 403, 404],
            404 => &[200, 204, 400, 410, 403],
            409 => &[200, 201, 400, 412],
            412 => &[200, 204, 400, 409],
            _ => &[200, 201, 204, 400, 404, 403],
        };
        let wrong = near.iter().filter(|status| !self.accepts(**status)).take(2);
        for status in wrong.chain([500].iter().filter(|status| !self.accepts(**status))) {
            // An error says its status in the body too; it is the status that has to be seen.
            let altered = alter::status(self.exchange, *status);
            let altered = alter::object(&altered, |body| {
                if get(&Value::Object(body.clone()), "schemas").is_some() && member(body, "status").is_some()
                {
                    set_member(body, "status", Value::from(status.to_string()));
                }
            })
            .unwrap_or(altered);
            tried.note(&format!("status {status}"), is_red(&self.judge(self.expect, &altered)));
        }
    }

    /// Builds the answer that must not come.
    fn never(&self, index: usize, never: &Never, tried: &mut Tried) {
        let status =
            never.status.as_ref().and_then(|set| set.0.first()).map_or(200, |pattern| match pattern {
                StatusPattern::Code(code) => *code,
                StatusPattern::Class(class) => u16::from(*class) * 100,
            });
        let mut altered = alter::status(self.exchange, status);
        if never.list.is_some() {
            let ours = self.context.ours.named().find_map(|(_, handle)| Some(row(handle.id.as_deref()?)));
            altered = alter::text(&altered, &list(ours.into_iter().collect()).to_string());
        }
        if let Some(body) = &never.body {
            let Ok(body) = self.context.scope.resolve(body) else {
                return tried.note(&format!("never[{index}]: its body does not resolve"), false);
            };
            altered = alter::text(&altered, &body.to_string());
        }
        let judgement = self.judge(self.expect, &altered);
        let at = format!("never[{index}]");
        tried.note(&at, judgement.findings.iter().any(|finding| finding.check == at));
    }

    fn block(&self, name: &str, block: Block<'_>, is_sole: bool, tried: &mut Tried) {
        if let Some(error) = block.error {
            let part = Expect { error: Some(error.clone()), ..Expect::default() };
            self.error(name, &part, error, is_sole, tried);
        }
        if let Some(body) = block.body {
            let part = self.alone(Expect { body: Some(body.clone()), ..Expect::default() });
            self.body(name, &part, body, is_sole, tried);
        }
        if let Some(becomes) = block.becomes {
            let part = self.alone(Expect { becomes: Some(becomes.clone()), ..Expect::default() });
            self.becomes(name, &part, becomes, is_sole, tried);
        }
        if let Some(wanted) = block.list {
            let part = self.alone(Expect { list: Some(wanted.clone()), ..Expect::default() });
            self.list(name, &part, wanted, is_sole, tried);
        }
        if let Some(kind) = block.resource {
            let part = self.alone(Expect { resource: Some(kind.to_owned()), ..Expect::default() });
            self.resource(name, &part, is_sole, tried);
        }
        for (index, check) in block.checks.iter().enumerate() {
            if met(&check.requires, self.context) {
                let part = self.alone(Expect { checks: vec![check.clone()], ..Expect::default() });
                let at = format!("{name}checks[{index}]");
                let before = (tried.killed, tried.survivors.len());
                self.check(&at, &part, check, is_sole, tried);
                if before == (tried.killed, tried.survivors.len()) {
                    tried.note(&format!("{at} no way to break it"), false);
                }
            }
        }
    }

    fn error(&self, name: &str, part: &Expect, error: &ErrorExpect, is_sole: bool, tried: &mut Tried) {
        if self.exchange.request.method == "HEAD" {
            return;
        }
        let mut demand = |what: &str, altered| {
            self.demand(part, is_sole, &format!("{name}error {what}"), altered, tried);
        };
        let exchange = self.exchange;
        let set = |name: &str, value: Value| alter::object(exchange, |body| set_member(body, name, value));
        let without = |name: &str| alter::without(exchange, &[name.to_owned()]);
        demand("without a body", Some(alter::text(exchange, "")));
        demand("as HTML", Some(alter::text(exchange, "<html><body>Error</body></html>")));
        demand("as a text", Some(alter::text(exchange, "\"error\"")));
        demand("without schemas", without("schemas"));
        demand("of other schemas", set("schemas", json!(["urn:scim:schemas:core:1.0"])));
        demand("without status", without("status"));
        demand("with another status", set("status", json!("418")));
        demand("with a number for a status", set("status", json!(self.code())));
        if !error.scim_type.is_empty() || !error.usual_scim_type.is_empty() {
            demand("without scimType", without("scimType"));
            // One that is none of those that the expectation knows.
            let known = |keyword: &&str| {
                error.scim_type.iter().chain(&error.usual_scim_type).any(|known| known == keyword)
            };
            let other = ["sensitive", "tooMany", "noTarget"].into_iter().find(|keyword| !known(keyword));
            demand("with another scimType", other.and_then(|other| set("scimType", json!(other))));
        }
    }

    fn body(&self, name: &str, part: &Expect, body: &Value, is_sole: bool, tried: &mut Tried) {
        let Ok(expected) = self.context.scope.resolve(body) else {
            return tried.note(&format!("{name}body does not resolve"), false);
        };
        let mut alterations = vec![("empty".to_owned(), Some(alter::text(self.exchange, "")))];
        self.members(&expected, &mut Vec::new(), &mut alterations);
        for (what, altered) in alterations {
            self.demand(part, is_sole, &format!("{name}body {what}"), altered, tried);
        }
    }

    /// Removes and alters every member that is written, on every level.
    fn members(
        &self,
        expected: &Value,
        path: &mut Vec<String>,
        alterations: &mut Vec<(String, Option<Exchange>)>,
    ) {
        match expected {
            Value::Object(members) => {
                for (name, expected) in members {
                    path.push(name.clone());
                    let at = path.join(".");
                    if is_unassigned(expected) {
                        let there = alter::with(self.exchange, path, &json!("altered"));
                        alterations.push((format!("{at}: there"), there));
                    } else {
                        let removed = alter::without(self.exchange, path);
                        alterations.push((format!("{at}: removed"), removed));
                        let altered = alter::changed(self.exchange, path, &alter::other);
                        alterations.push((format!("{at}: altered"), altered));
                        self.members(expected, path, alterations);
                    }
                    path.pop();
                }
            }
            Value::Array(all) => {
                for expected in all.iter().filter(|expected| expected.is_object()) {
                    self.members(expected, path, alterations);
                }
            }
            _ => {}
        }
    }

    fn becomes(&self, name: &str, part: &Expect, becomes: &Becomes, is_sole: bool, tried: &mut Tried) {
        let Some(Value::Object(actual)) = self.exchange.json() else { return };
        let sent = becomes.sent.as_ref().and_then(|step| self.context.sent.get(step));
        let is_told = |attribute: &str| {
            let is_set = becomes.set.keys().any(|name| name.eq_ignore_ascii_case(attribute));
            is_set || sent.is_none_or(|sent| get(sent, attribute).is_some())
        };
        let mut alterations = vec![("empty".to_owned(), Some(alter::text(self.exchange, "")))];
        for (attribute, value) in actual {
            let is_derived = matches!(attribute.to_ascii_lowercase().as_str(), "id" | "meta" | "schemas");
            if is_derived
                || !is_told(attribute)
                || is_read_only(self.context.schemas, self.exchange, attribute)
            {
                continue;
            }
            let path = [attribute.clone()];
            alterations.push((format!("{attribute}: removed"), alter::without(self.exchange, &path)));
            match value {
                Value::Array(all) if all.iter().all(Value::is_object) => {
                    let fewer = |value: &Value| Value::Array(elements(value)[1..].to_vec());
                    let more = |value: &Value| {
                        let mut all = elements(value).to_vec();
                        all.push(json!({"value": "altered"}));
                        Value::Array(all)
                    };
                    if all.len() > 1 {
                        alterations.push((
                            format!("{attribute}: one fewer"),
                            alter::changed(self.exchange, &path, &fewer),
                        ));
                    }
                    alterations.push((
                        format!("{attribute}: one more"),
                        alter::changed(self.exchange, &path, &more),
                    ));
                    let at = [attribute.clone(), "value".to_owned()];
                    alterations.push((
                        format!("{attribute}.value: altered"),
                        alter::changed(self.exchange, &at, &alter::other),
                    ));
                }
                _ => alterations.push((
                    format!("{attribute}: altered"),
                    alter::changed(self.exchange, &path, &alter::other),
                )),
            }
        }
        if becomes.from.is_some() {
            for attribute in ["userType", "title"] {
                if member(actual, attribute).is_none() {
                    let added = alter::with(self.exchange, &[attribute.to_owned()], &json!("altered"));
                    alterations.push((format!("{attribute}: there"), added));
                    break;
                }
            }
            let renamed = alter::with(self.exchange, &["id".to_owned()], &json!("altered"));
            alterations.push(("id: altered".to_owned(), renamed));
        }
        let gone = becomes.set.iter().filter(|(_, value)| is_unassigned(value)).map(|(name, _)| name);
        for attribute in gone.chain(&becomes.without) {
            let there = alter::with(self.exchange, std::slice::from_ref(attribute), &json!("altered"));
            alterations.push((format!("{attribute}: there"), there));
        }
        for (what, altered) in alterations {
            self.demand(part, is_sole, &format!("{name}becomes {what}"), altered, tried);
        }
    }

    fn list(&self, name: &str, part: &Expect, wanted: &ListExpect, is_sole: bool, tried: &mut Tried) {
        let exchange = self.exchange;
        let mut alterations = vec![
            ("empty".to_owned(), Some(alter::text(exchange, ""))),
            ("without schemas".to_owned(), alter::without(exchange, &["schemas".to_owned()])),
            (
                "as an array".to_owned(),
                alter::json(exchange, |body| {
                    *body = get(body, "Resources").cloned().unwrap_or_else(|| json!([]));
                }),
            ),
            ("with a text for a row".to_owned(), alter::rows(exchange, |rows| rows.push(json!("altered")))),
        ];
        let id_of = |row: &Value| get(row, "id").and_then(Value::as_str).map(str::to_owned);
        match &wanted.ours {
            Some(Ours::Some) => alterations.push((
                "ours: none".to_owned(),
                alter::rows(exchange, |rows| {
                    rows.retain(|row| id_of(row).is_none_or(|id| !self.context.ours.created(&id)));
                }),
            )),
            Some(Ours::Exactly(names)) => {
                let expected: Vec<&Handle> =
                    names.iter().flat_map(|name| self.context.ours.handles(name)).collect();
                for handle in &expected {
                    alterations.push((
                        "ours: one missing".to_owned(),
                        alter::rows(exchange, |rows| rows.retain(|row| id_of(row) != handle.id)),
                    ));
                }
                let another =
                    self.context.ours.named().find(|(_, handle)| {
                        handle.id.is_some() && !expected.iter().any(|it| it.id == handle.id)
                    });
                if let Some((_, another)) = another {
                    let stranger = row(another.id.as_deref().unwrap_or_default());
                    alterations.push((
                        "ours: one too many".to_owned(),
                        alter::rows(exchange, |rows| rows.push(stranger)),
                    ));
                }
                if !expected.is_empty() {
                    let twice = |rows: &mut Vec<Value>| {
                        let first = rows.iter().find(|row| expected.iter().any(|it| it.id == id_of(row)));
                        rows.extend(first.cloned());
                    };
                    alterations.push(("ours: one twice".to_owned(), alter::rows(exchange, twice)));
                }
                if wanted.ordered {
                    alterations
                        .push(("ours: reversed".to_owned(), alter::rows(exchange, |rows| rows.reverse())));
                }
            }
            None => {}
        }
        for (what, altered) in alterations {
            self.demand(part, is_sole, &format!("{name}list {what}"), altered, tried);
        }
        if wanted.foreign != Foreign::Any && self.strangers_count(wanted.foreign) {
            // One of them does not match, whatever the filter is.
            let strangers = ["altered", "", "bjensen@example.com"].map(|name| {
                let mut stranger = row("altered");
                stranger["userName"] = json!(name);
                stranger["active"] = json!(name.is_empty());
                alter::rows(exchange, |rows| rows.push(stranger))
            });
            let is_seen = strangers.into_iter().flatten().any(|altered| {
                is_red(&self.judge(part, &altered))
                    && (!is_sole || is_red(&self.judge(self.expect, &altered)))
            });
            tried.note(&format!("{name}list foreign: a stranger"), is_seen);
        }
    }

    /// Whether a stranger can be told for one: not where there is no filter to match, or where the rows do not show
    /// what it looks at.
    fn strangers_count(&self, foreign: Foreign) -> bool {
        if foreign == Foreign::None {
            return true;
        }
        let asks = |name: &str| {
            let query = self.exchange.request.path.split_once('?').map_or("", |(_, query)| query);
            let is_in_query = query.split('&').any(|pair| pair.split('=').next() == Some(name));
            is_in_query || self.exchange.request.json().is_some_and(|body| get(&body, name).is_some())
        };
        self.context.filter.is_some() && !asks("attributes") && !asks("excludedAttributes")
    }

    fn resource(&self, name: &str, part: &Expect, is_sole: bool, tried: &mut Tried) {
        let exchange = self.exchange;
        let mut alterations = vec![
            ("empty".to_owned(), Some(alter::text(exchange, ""))),
            ("without schemas".to_owned(), alter::without(exchange, &["schemas".to_owned()])),
            (
                "with another resourceType".to_owned(),
                alter::changed(exchange, &["meta".to_owned(), "resourceType".to_owned()], &alter::other),
            ),
        ];
        if let Some(Value::Object(actual)) = exchange.json() {
            for (attribute, value) in actual.iter().filter(|(name, _)| !name.contains(':')) {
                let wrong = |_: &Value| match value {
                    Value::String(_) => json!({"altered": true}),
                    _ => json!("altered"),
                };
                let altered = alter::changed(exchange, std::slice::from_ref(attribute), &wrong);
                alterations.push((format!("{attribute}: of another type"), altered));
            }
        }
        for (what, altered) in alterations {
            self.demand(part, is_sole, &format!("{name}resource {what}"), altered, tried);
        }
    }

    fn check(&self, name: &str, part: &Expect, check: &Check, is_sole: bool, tried: &mut Tried) {
        let mut demand = |what: &str, altered| {
            self.demand(part, is_sole, &format!("{name} {what}"), altered, tried);
        };
        if check.elapsed {
            let mut slow = self.exchange.clone();
            slow.elapsed = check.at_most.unwrap_or_default() + std::time::Duration::from_secs(1);
            return demand("elapsed: longer", Some(slow));
        }
        let contrary = |node: Option<&Value>| self.contrary(check, node);
        if let Some(written) = &check.attribute {
            let Ok(path) = self.context.scope.text(written, Escape::None) else {
                return demand("does not resolve", Some(self.exchange.clone()));
            };
            let path = PatchPath::parse(&path).expect("the judge has read it");
            let Some(body) = self.exchange.json() else { return };
            let other =
                contrary(at::values(body, &path).first().copied()).unwrap_or_else(|| json!("altered"));
            let altered = alter::json(self.exchange, |body| {
                at::set(body, &path, other.clone()).expect("what was found can be set");
            });
            return demand("attribute: altered", altered);
        }
        if let Some(header) = &check.header {
            let is_absence = check.absent || check.empty;
            if is_absence {
                return demand("header: there", Some(alter::header(self.exchange, header, Some("altered"))));
            }
            let value =
                self.exchange.response().and_then(|response| response.header(header)).map(Value::from);
            if check.excludes.is_none() && check.differs.is_none() {
                demand("header: removed", Some(alter::header(self.exchange, header, None)));
            }
            if let Some(Value::String(text)) = contrary(value.as_ref()) {
                demand("header: altered", Some(alter::header(self.exchange, header, Some(&text))));
            }
            return;
        }
        let Some(written) = check.path.as_ref().or(check.each.as_ref()).or(check.values.as_ref()) else {
            return;
        };
        let Ok(path) = self.context.scope.text(written, Escape::JsonString) else {
            return demand("does not resolve", Some(self.exchange.clone()));
        };
        let path = serde_json_path::JsonPath::parse(&path).expect("the judge has read it");
        let Some(body) = self.exchange.json() else { return };
        let pointers: Vec<String> = path
            .query_located(body)
            .locations()
            .map(serde_json_path::NormalizedPath::to_json_pointer)
            .collect();
        if pointers.is_empty() {
            // Nothing may be there: put something there.
            return match singular(written) {
                Some(names) => {
                    let forbidden = check.excludes.as_ref().or(check.differs.as_ref());
                    let value = forbidden.cloned().unwrap_or_else(|| json!("altered"));
                    let value = self.context.scope.resolve(&value).unwrap_or(value);
                    let value = if check.excludes.is_some() { json!([value]) } else { value };
                    demand("there", alter::json(self.exchange, |body| put(body, &names, &value)));
                }
                None => self.fill(check, written, &mut demand),
            };
        }
        let allows_none = check.or_none
            || check.absent
            || check.empty
            || check.excludes.is_some()
            || check.length == Some(0)
            || check.max.is_some() && check.values.is_some();
        if !allows_none {
            let removed = alter::json(self.exchange, |body| {
                // From the back, so that indexes stay true.
                for pointer in pointers.iter().rev() {
                    remove(body, pointer);
                }
            });
            demand("removed", removed);
        }
        let altered = alter::json(self.exchange, |body| {
            for pointer in &pointers {
                if let Some(node) = body.pointer_mut(pointer)
                    && let Some(value) = contrary(Some(&*node))
                {
                    *node = value;
                }
            }
        });
        demand("altered", altered);
    }

    /// A check of many nodes that found none, as it should: puts one there by way of its parents.
    fn fill(&self, check: &Check, written: &str, demand: &mut dyn FnMut(&str, Option<Exchange>)) {
        // `[?!@.name]` selects what has no such member.
        if let Some((parent, name)) = written.strip_suffix(']').and_then(|path| path.rsplit_once("[?!@.")) {
            let Some(names) = singular(&parent.replace("[*]", "")) else { return };
            let path: Vec<String> = names.into_iter().chain([name.to_owned()]).collect();
            return demand("there", alter::without(self.exchange, &path));
        }
        // `[?@.type == 'complex' && !@.name]` selects what is of that kind and has no such member.
        if let Some((kind, name)) = written.strip_suffix(']').and_then(|path| path.rsplit_once(" && !@.")) {
            return demand("not there", self.without_in(&format!("{kind}]"), name));
        }
        let Some((parent, last)) = written.rsplit_once(['.', '[']) else { return };
        // `[?!@.meta].id` where each has one.
        if let Some((list, name)) = parent.strip_suffix(']').and_then(|path| path.rsplit_once("[?!@.")) {
            let Some(names) = singular(&list.replace("[*]", "")) else { return };
            let path: Vec<String> = names.into_iter().chain([name.to_owned()]).collect();
            return demand("not there", alter::without(self.exchange, &path));
        }
        // `[?@.type == 'dateTime'].uniqueness` where nothing is of that kind.
        if let Some((list, kind)) = parent.strip_suffix("']").and_then(|it| it.rsplit_once("[?@."))
            && let Some((key, kind)) = kind.split_once(" == '")
            && !self.has_any(parent)
        {
            let element = json!({ "name": "altered", key: kind, last: "altered" });
            return demand("of that kind", self.with_element(list, &element));
        }
        let parent = parent.trim_end_matches('.');
        let value = match check.excludes.as_ref().or(check.differs.as_ref()) {
            Some(value) => self.context.scope.resolve(value).unwrap_or_default(),
            None => json!("altered"),
        };
        let value = elements(&value).first().cloned().unwrap_or_default();
        let name = last.trim_end_matches(']').trim_matches(['\'', '"']);
        // `$.groups[*].value` where there are no groups.
        if let Some(names) = parent.strip_suffix("[*]").and_then(singular) {
            let rows = json!([{name: value}]);
            return demand("there", alter::json(self.exchange, |body| put(body, &names, &rows)));
        }
        let Ok(parent) = self.context.scope.text(parent, Escape::JsonString) else { return };
        let Ok(parent) = serde_json_path::JsonPath::parse(&parent) else { return };
        let Some(body) = self.exchange.json() else { return };
        let pointers: Vec<String> = parent
            .query_located(body)
            .locations()
            .map(serde_json_path::NormalizedPath::to_json_pointer)
            .collect();
        if pointers.is_empty()
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '$' || c == ':' || c == '.')
        {
            return;
        }
        let there = alter::json(self.exchange, |body| {
            for pointer in &pointers {
                if let Some(Value::Object(members)) = body.pointer_mut(pointer) {
                    members.insert(name.to_owned(), value.clone());
                }
            }
        });
        demand("there", there);
    }

    /// Where a query leads in the answer.
    fn places(&self, query: &str) -> Vec<String> {
        let path = serde_json_path::JsonPath::parse(query);
        let (Ok(path), Some(body)) = (path, self.exchange.json()) else { return Vec::new() };
        path.query_located(body).locations().map(serde_json_path::NormalizedPath::to_json_pointer).collect()
    }

    fn has_any(&self, query: &str) -> bool {
        !self.places(query).is_empty()
    }

    /// The answer without a member of the objects that a query selects.
    fn without_in(&self, query: &str, name: &str) -> Option<Exchange> {
        let places = self.places(query);
        let altered = alter::json(self.exchange, |body| {
            for place in &places {
                if let Some(Value::Object(members)) = body.pointer_mut(place) {
                    members.shift_remove(name);
                }
            }
        });
        altered.filter(|_| !places.is_empty())
    }

    /// The answer with one more element in the lists that a query selects.
    fn with_element(&self, query: &str, element: &Value) -> Option<Exchange> {
        let places = self.places(query);
        let altered = alter::json(self.exchange, |body| {
            for place in &places {
                if let Some(Value::Array(list)) = body.pointer_mut(place) {
                    list.push(element.clone());
                }
            }
        });
        altered.filter(|_| !places.is_empty())
    }

    /// A value that the check must not take.
    fn contrary(&self, check: &Check, node: Option<&Value>) -> Option<Value> {
        let resolve = |value: &Value| self.context.scope.resolve(value).ok();
        let node = node?;
        if check.nonempty {
            return Some(match node {
                Value::Array(_) => json!([]),
                Value::String(_) => json!(""),
                _ => Value::Null,
            });
        }
        if check.present || check.absent || check.empty {
            return (check.empty).then(|| json!("altered"));
        }
        if let Some(value) = &check.differs {
            return resolve(value);
        }
        if let Some(value) = &check.excludes {
            let value = resolve(value)?;
            let first = elements(&value).first().cloned()?;
            return Some(match node {
                _ if check.values.is_some() => first,
                Value::Array(all) => all.iter().cloned().chain([first]).collect(),
                Value::String(text) => json!(format!("{text}{}", first.as_str()?)),
                _ => first,
            });
        }
        if let Some(kind) = check.kind {
            return Some(if kind == JsonType::String { json!({"altered": true}) } else { json!("altered") });
        }
        if let Some(format) = check.is {
            return Some(json!(if format == Format::Urn { "http://altered" } else { "not a \u{7f} thing" }));
        }
        if let Some(min) = check.min {
            return if check.values.is_some() { None } else { Some(json!(min - 1.0)) };
        }
        if let Some(max) = check.max {
            return if check.values.is_some() { None } else { Some(json!(max + 1.0)) };
        }
        if check.before.is_some() {
            return Some(json!("9999-01-01T00:00:00Z"));
        }
        if check.after.is_some() {
            return Some(json!("1970-01-01T00:00:00Z"));
        }
        if check.matches.is_some() {
            return Some(json!("\u{1}\u{1}"));
        }
        if check.length.is_some() {
            return match node {
                Value::Array(all) => Some(all.iter().cloned().chain([json!("altered")]).collect()),
                Value::String(text) => Some(json!(format!("{text}x"))),
                _ => None,
            };
        }
        if check.includes.is_some() {
            return Some(if node.is_array() { json!([]) } else { json!("\u{1}") });
        }
        Some(alter::other(node))
    }
}

/// Whether a judgement has found something.
pub fn is_red(judgement: &Judgement) -> bool {
    judgement.error.is_none() && !judgement.findings.is_empty()
}

fn is_read_only(schemas: &SchemaSet, exchange: &Exchange, attribute: &str) -> bool {
    let endpoint = exchange.request.endpoint.trim_start_matches('/');
    let endpoint = endpoint.split(['/', '?']).next().unwrap_or_default();
    schemas
        .definition_by_endpoint(endpoint)
        .and_then(|definition| {
            definition.top_attribute(attribute).map(|it| it.mutability == Mutability::ReadOnly)
        })
        .unwrap_or(false)
}

/// A User that shows little more than an id.
fn row(id: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": id, "userName": "altered"})
}

fn list(rows: Vec<Value>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": rows.len(),
        "Resources": rows,
    })
}

/// The member names of a JSONPath that is nothing but names: `$.meta.version`.
fn singular(path: &str) -> Option<Vec<String>> {
    let rest = path.strip_prefix('$')?;
    let mut names = Vec::new();
    let mut rest = rest;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("['").or_else(|| rest.strip_prefix("[\"")) {
            let end = quoted.find(['\'', '"'])?;
            names.push(quoted[..end].to_owned());
            rest = quoted.get(end + 2..)?;
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let name = &after[..end];
            if name.is_empty() || name == "*" {
                return None;
            }
            names.push(name.to_owned());
            rest = &after[end..];
        }
    }
    (!names.is_empty()).then_some(names)
}

fn put(body: &mut Value, names: &[String], value: &Value) {
    let Some(members) = body.as_object_mut() else { return };
    match names {
        [] => {}
        [last] => set_member(members, last, value.clone()),
        [first, rest @ ..] => {
            let inner = members.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            put(inner, rest, value);
        }
    }
}

fn remove(body: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    let last = last.replace("~1", "/").replace("~0", "~");
    match body.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.shift_remove(&last);
        }
        Some(Value::Array(elements)) => {
            if let Ok(index) = last.parse::<usize>()
                && index < elements.len()
            {
                elements.remove(index);
            }
        }
        _ => {}
    }
}
