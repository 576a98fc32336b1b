//! Actions: steps under one name, put in the place of each `do`, once for each wire form.
//!
//! A case that does an action becomes one ordinary case a form, its steps knowing where they stand in the file, so that
//! plan, executor and judge need not know of actions. What cannot be put in place is a [`Slip`] for the lint. This
//! module refuses to know what the steps mean.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::model::{Case, Requires, Routine, Step, Suite};
use super::nearest::suggestion;
use super::template::{self, Reference};

/// A case with the steps of its actions in place.
#[derive(Debug, Clone)]
pub struct Formed {
    /// The wire form, where its actions have forms: `put`.
    pub form: Option<String>,
    /// The case.
    pub case: Case,
}

/// What is wrong about an action or about a step that does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slip {
    /// Where, as a path in the file.
    pub path: String,
    /// What.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// Whether the suite still runs.
    pub is_warning: bool,
}

/// What actions make of a suite.
#[derive(Debug, Default)]
pub struct Expansion {
    /// The cases that do actions, by their index in the suite.
    pub cases: BTreeMap<usize, Vec<Formed>>,
    /// What is wrong.
    pub slips: Vec<Slip>,
}

/// Puts the steps of a suite's actions in place. `whole` is the same suite as it is written.
pub fn expand(suite: &Suite, whole: &Value) -> Expansion {
    let mut expansion = Expansion::default();
    let mut done = BTreeSet::new();
    for (index, case) in suite.cases.iter().enumerate() {
        let base = format!("cases[{index}]");
        let calls: Vec<(&str, String)> = steps(case, &base)
            .flat_map(|(step, path)| step.call.keys().map(move |name| (name.as_str(), path.clone())))
            .collect();
        if calls.is_empty() {
            continue;
        }
        done.extend(calls.iter().map(|(name, _)| *name));
        let forms = match forms(suite, &calls) {
            Ok(forms) => forms,
            Err(slip) => {
                expansion.slips.push(slip);
                expansion.cases.insert(index, Vec::new());
                continue;
            }
        };
        let mut formed = Vec::new();
        for form in forms {
            let mut expander = Expander { suite, whole, form, calls: 0, slips: Vec::new() };
            let case = expander.case(case, &base);
            for slip in expander.slips {
                if !expansion.slips.contains(&slip) {
                    expansion.slips.push(slip);
                }
            }
            formed.push(Formed { form: form.map(str::to_owned), case });
        }
        expansion.cases.insert(index, formed);
    }
    for (name, routine) in &suite.actions {
        definition(whole, name, routine, done.contains(name.as_str()), &mut expansion.slips);
    }
    expansion
}

/// The steps of a case with their paths.
fn steps<'c>(case: &'c Case, base: &str) -> impl Iterator<Item = (&'c Step, String)> {
    let setup = case.setup.iter().enumerate().map(move |(index, step)| (step, format!("setup[{index}]")));
    let steps = case.steps.iter().enumerate().map(move |(index, step)| (step, format!("steps[{index}]")));
    let base = base.to_owned();
    setup.chain(steps).map(move |(step, path)| (step, format!("{base}.{path}")))
}

/// The forms that the actions of a case have, or `None` once where they have no forms.
fn forms<'s>(suite: &'s Suite, calls: &[(&str, String)]) -> Result<Vec<Option<&'s str>>, Slip> {
    let mut forms: Option<(&str, Vec<&'s str>)> = None;
    for (name, path) in calls {
        let path = format!("{path}.do.{name}");
        let Some(routine) = suite.actions.get(*name) else {
            let known = suite.actions.keys().map(String::as_str);
            return Err(slip(path, format!("there is no action `{name}`"), suggestion(name, known)));
        };
        if routine.forms.is_empty() {
            continue;
        }
        let own: Vec<&str> = routine.forms.keys().map(String::as_str).collect();
        match &forms {
            None => forms = Some((name, own)),
            Some((other, first)) if !same(first, &own) => {
                let message = format!("`{name}` has other forms than `{other}`, which the case does too");
                let hint = format!("{} and {}", first.join(", "), own.join(", "));
                return Err(slip(path, message, Some(hint)));
            }
            Some(_) => {}
        }
    }
    Ok(forms.map_or(vec![None], |(_, forms)| forms.into_iter().map(Some).collect()))
}

fn same(one: &[&str], other: &[&str]) -> bool {
    one.len() == other.len() && one.iter().all(|form| other.contains(form))
}

/// What is wrong about an action itself.
fn definition(whole: &Value, name: &str, routine: &Routine, is_done: bool, slips: &mut Vec<Slip>) {
    let base = format!("actions.{name}");
    match (routine.steps.is_empty(), routine.forms.is_empty()) {
        (true, true) => {
            slips.push(slip(base.clone(), "an action has `steps`, or `forms` with steps", None));
        }
        (false, false) => slips.push(slip(
            format!("{base}.forms"),
            "steps and forms exclude each other",
            Some("keep one".to_owned()),
        )),
        _ => {}
    }
    for (form, steps) in &routine.forms {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let path = format!("{base}.forms.{form}");
        if form.is_empty() || !form.chars().all(is_word) {
            slips.push(slip(
                path.clone(),
                format!("`{form}` cannot be a form: small letters, digits and - only"),
                None,
            ));
        }
        if steps.is_empty() {
            slips.push(slip(path, "a form without steps does nothing", None));
        }
    }
    for (step, path) in own_steps(routine, &base) {
        if !step.call.is_empty() {
            slips.push(slip(format!("{path}.do"), "an action does no other action", None));
        }
        if step.checkpoint.is_some() {
            let hint = Some("put `checkpoint` on the step that does the action".to_owned());
            slips.push(slip(format!("{path}.checkpoint"), "a step of an action is no checkpoint", hint));
        }
    }
    let written = &whole["actions"][name];
    for (index, param) in routine.params.iter().enumerate() {
        let path = format!("{base}.params[{index}]");
        if routine.params[..index].contains(param) {
            slips.push(slip(path.clone(), format!("the parameter `{param}` is there already"), None));
        }
        if !use_of(written, param).any() {
            let hint = Some("leave it out".to_owned());
            slips.push(Slip {
                is_warning: true,
                ..slip(path, format!("the parameter `{param}` is never used"), hint)
            });
        }
    }
    if !is_done {
        let hint = Some(format!("`do: {{{name}: …}}` in a case does it"));
        slips.push(Slip { is_warning: true, ..slip(base, format!("no case does `{name}`"), hint) });
    }
}

fn own_steps<'r>(routine: &'r Routine, base: &str) -> Vec<(&'r Step, String)> {
    let plain =
        routine.steps.iter().enumerate().map(|(index, step)| (step, format!("{base}.steps[{index}]")));
    let formed = routine.forms.iter().flat_map(|(form, steps)| {
        steps.iter().enumerate().map(move |(index, step)| (step, format!("{base}.forms.{form}[{index}]")))
    });
    plain.chain(formed).collect()
}

fn slip(path: impl Into<String>, message: impl Into<String>, hint: Option<String>) -> Slip {
    Slip { path: path.into(), message: message.into(), hint, is_warning: false }
}

/// How a parameter is used in an action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Use {
    /// As `${a}`.
    value: bool,
    /// Where a name stands, or as `${a.member}`.
    name: bool,
}

impl Use {
    fn any(self) -> bool {
        self.value || self.name
    }
}

/// How an action, as written, uses a parameter.
fn use_of(routine: &Value, param: &str) -> Use {
    let mut found = Use::default();
    let plain = routine.get("steps").and_then(Value::as_array).into_iter().flatten();
    let forms = routine.get("forms").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let formed = forms.filter_map(Value::as_array).flatten();
    for step in plain.chain(formed) {
        let mut step = step.clone();
        rewrite(&mut step, Position::Step, &mut |piece| {
            match piece {
                Piece::Name(name) => found.name |= name == param,
                Piece::Value(value) => {
                    template::each_text(value, &mut |text| {
                        for reference in template::references(text).filter(|it| it.name == param) {
                            found.name |= !reference.path.is_empty();
                            found.value |= reference.path.is_empty();
                        }
                    });
                }
            };
        });
    }
    found
}

/// What a parameter stands for in one call.
#[derive(Debug, Clone, PartialEq)]
enum Bound {
    /// What stands between `${` and `}`: a name, perhaps with a way from there.
    Reference(String),
    /// A value, which may hold references of the case.
    Value(Value),
}

/// One case in one form.
struct Expander<'s> {
    suite: &'s Suite,
    whole: &'s Value,
    form: Option<&'s str>,
    calls: usize,
    slips: Vec<Slip>,
}

impl Expander<'_> {
    fn case(&mut self, case: &Case, base: &str) -> Case {
        let mut needs = Vec::new();
        let setup = self.steps(&case.setup, &format!("{base}.setup"), &mut needs);
        let steps = self.steps(&case.steps, &format!("{base}.steps"), &mut needs);
        let mut requires = case.requires.clone();
        for need in needs {
            if !requires.contains(&need) && !self.suite.requires.contains(&need) {
                requires.push(need);
            }
        }
        Case { setup, steps, requires, ..case.clone() }
    }

    fn steps(&mut self, steps: &[Step], base: &str, needs: &mut Vec<Requires>) -> Vec<Step> {
        let mut all = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let path = format!("{base}[{index}]");
            if step.call.is_empty() {
                all.push(Step { stands_at: Some(path), ..step.clone() });
                continue;
            }
            self.lone(step, &path);
            // More than one action in a step is a slip; with one there is nothing to choose.
            let Some((name, arguments)) = step.call.first() else { continue };
            let mut own = self.call(name, arguments, &path);
            if let Some(first) = own.first_mut() {
                first.checkpoint.clone_from(&step.checkpoint);
                first.title.clone_from(&step.title);
                first.level = step.level;
                first.consequence.clone_from(&step.consequence);
                first.source.clone_from(&step.source);
                first.spec.extend(step.spec.iter().cloned());
            }
            for inner in &mut own {
                if self.form.is_some() {
                    needs.extend(inner.requires.iter().cloned());
                }
                inner.when.extend(step.when.clone());
                inner.requires.extend(step.requires.iter().cloned());
            }
            all.append(&mut own);
        }
        all
    }

    /// What cannot stand beside `do`.
    fn lone(&mut self, step: &Step, path: &str) {
        let idle = [
            ("id", step.id.is_some()),
            ("auth", step.auth.is_some()),
            ("headers", !step.headers.is_empty()),
            ("encode", step.encode.is_some()),
            ("capture", !step.capture.is_empty()),
            ("eventually", step.eventually.is_some()),
            ("expect", step.expect.is_some()),
            ("send", step.send.is_some()),
            ("body", step.body.is_some()),
            ("make", step.make.is_some()),
            ("operations", step.operations.is_some()),
            ("bulk", step.bulk.is_some()),
            ("raw", step.raw.is_some()),
            ("hex", step.hex.is_some()),
            ("query", step.query.is_some()),
            ("read", step.read.is_some()),
            ("unchanged", !step.unchanged.is_empty()),
            ("paginate", step.paginate.is_some()),
            ("hook", step.hook.is_some()),
            ("burst", step.burst.is_some()),
            ("wait", step.wait.is_some()),
            ("parallel", step.parallel.is_some()),
        ];
        for (key, _) in idle.into_iter().filter(|(_, present)| *present) {
            let hint = Some("write it into the action's own steps".to_owned());
            self.slips.push(slip(format!("{path}.{key}"), format!("`{key}` cannot stand beside `do`"), hint));
        }
        for name in step.call.keys().skip(1) {
            let hint = Some("make a step of each".to_owned());
            self.slips.push(slip(format!("{path}.do.{name}"), "a step does one action", hint));
        }
    }

    /// The steps of one call.
    fn call(&mut self, name: &str, arguments: &IndexMap<String, Value>, path: &str) -> Vec<Step> {
        let Some(routine) = self.suite.actions.get(name) else { return Vec::new() };
        self.calls += 1;
        let written = &self.whole["actions"][name];
        let Some(bound) = self.bind(name, routine, arguments, written, path) else { return Vec::new() };
        let (list, place) = match self.form.filter(|form| routine.forms.contains_key(*form)) {
            Some(form) => (&written["forms"][form], format!("actions.{name}.forms.{form}")),
            None => (&written["steps"], format!("actions.{name}.steps")),
        };
        let written: Vec<&Value> = list.as_array().into_iter().flatten().collect();
        let locals = locals(&written, routine, self.calls);
        let mut steps = Vec::new();
        for (index, step) in written.into_iter().enumerate() {
            let stands_at = format!("{place}[{index}]");
            let mut step = step.clone();
            let mut trouble = None;
            rewrite(&mut step, Position::Step, &mut |piece| {
                if let Err(why) = put(piece, &bound, &locals) {
                    trouble.get_or_insert(why);
                }
            });
            let read = match trouble {
                Some(why) => Err(why),
                None => Step::deserialize(&step).map_err(|error| error.to_string()),
            };
            match read {
                Ok(step) => steps.push(Step { stands_at: Some(stands_at), ..step }),
                Err(why) => {
                    let message = format!("with these arguments a step of `{name}` has no meaning: {why}");
                    let line = Some(format!("the step is {stands_at}"));
                    self.slips.push(slip(format!("{path}.do.{name}"), message, line));
                }
            }
        }
        steps
    }

    /// What each parameter stands for; `None` where one of them stands for nothing.
    fn bind(
        &mut self,
        name: &str,
        routine: &Routine,
        arguments: &IndexMap<String, Value>,
        written: &Value,
        path: &str,
    ) -> Option<BTreeMap<String, Bound>> {
        for argument in arguments.keys().filter(|argument| !routine.params.contains(argument)) {
            let hint = suggestion(argument, routine.params.iter().map(String::as_str));
            self.slips.push(slip(
                format!("{path}.do.{name}.{argument}"),
                format!("`{name}` has no parameter `{argument}`"),
                hint,
            ));
        }
        let mut bound = BTreeMap::new();
        for param in &routine.params {
            let Some(argument) = arguments.get(param) else {
                let message = format!("`{name}` needs an argument `{param}`");
                self.slips.push(slip(format!("{path}.do.{name}"), message, None));
                continue;
            };
            let is_name = use_of(written, param).name;
            match bind(argument, is_name) {
                Some(value) => {
                    bound.insert(param.clone(), value);
                }
                None => {
                    let hint = Some("such as the name of a given, or of a step with an answer".to_owned());
                    let message = format!("`{param}` stands for a resource or step, and takes its name");
                    self.slips.push(slip(format!("{path}.do.{name}.{param}"), message, hint));
                }
            }
        }
        (bound.len() == routine.params.len()).then_some(bound)
    }
}

fn bind(argument: &Value, is_name: bool) -> Option<Bound> {
    if let Value::String(text) = argument
        && let Some(reference) = sole(text)
    {
        return Some(Bound::Reference(reference.text()));
    }
    if !is_name {
        return Some(Bound::Value(argument.clone()));
    }
    let text = argument.as_str()?;
    let as_reference = template::parse(&format!("${{{text}}}")).ok()?;
    matches!(as_reference.as_slice(), [one] if one.path.is_empty()).then(|| Bound::Reference(text.to_owned()))
}

/// The one reference that a text is.
fn sole(text: &str) -> Option<Reference> {
    let mut references = template::parse(text).ok()?;
    let only = references.pop().filter(|reference| reference.span == (0..text.len()))?;
    references.is_empty().then_some(only)
}

/// The names that the steps of one call make for themselves, and what they are called in the case.
fn locals(steps: &[&Value], routine: &Routine, call: usize) -> BTreeMap<String, String> {
    let mut names = BTreeSet::new();
    for step in steps {
        names.extend(step.get("id").and_then(Value::as_str));
        for made in NAMES_MADE {
            let made = step.get(made).and_then(Value::as_object);
            names.extend(made.into_iter().flat_map(Map::keys).map(String::as_str));
        }
    }
    names
        .into_iter()
        .filter(|name| !routine.params.iter().any(|param| param == name))
        .map(|name| (name.to_owned(), format!("{name}-{call}")))
        .collect()
}

/// The members of a step whose keys are names that it makes.
const NAMES_MADE: [&str; 2] = ["capture", "gives"];

/// What stands at a place of a step.
enum Piece<'p> {
    /// The name of a resource, step or capture.
    Name(&'p mut String),
    /// Anything, with references in its texts.
    Value(&'p mut Value),
}

/// Where in a step a value stands, as far as names may stand there without `${`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Step,
    Expect,
    Make,
    Bulk,
    List,
}

/// Calls for each name and each value of a step as it is written. The depth is that of the file, which its reader
/// bounds.
fn rewrite(value: &mut Value, position: Position, call: &mut dyn FnMut(Piece<'_>)) {
    let Value::Object(members) = value else { return call(Piece::Value(value)) };
    for (key, member) in members.iter_mut() {
        let below = match (position, key.as_str()) {
            (Position::Step, "make") => Some(Position::Make),
            (Position::Step, "bulk") => Some(Position::Bulk),
            (Position::Step, "expect") | (Position::Expect, "any" | "also" | "never") => {
                Some(Position::Expect)
            }
            (Position::Expect, "becomes") | (Position::Bulk, "make") => Some(Position::Make),
            (Position::Bulk, "operations") => Some(Position::Bulk),
            (Position::Expect, "list") => Some(Position::List),
            _ => None,
        };
        match (position, key.as_str(), below) {
            (_, _, Some(below)) => match member {
                Value::Array(elements) => {
                    elements.iter_mut().for_each(|element| rewrite(element, below, call));
                }
                member => rewrite(member, below, call),
            },
            (Position::Step, "id" | "read" | "unchanged", _)
            | (Position::Make, "from" | "sent" | "patched-by", _)
            | (Position::List, "ours", _) => names(member, call),
            (Position::Step, "when" | "capture" | "gives", _) => {
                if let Value::Object(named) = member {
                    *named = std::mem::take(named)
                        .into_iter()
                        .map(|(mut name, mut value)| {
                            call(Piece::Name(&mut name));
                            call(Piece::Value(&mut value));
                            (name, value)
                        })
                        .collect();
                }
            }
            _ => call(Piece::Value(member)),
        }
    }
}

fn names(value: &mut Value, call: &mut dyn FnMut(Piece<'_>)) {
    match value {
        Value::String(name) => call(Piece::Name(name)),
        Value::Array(elements) => elements.iter_mut().for_each(|element| names(element, call)),
        _ => {}
    }
}

/// Puts what parameters stand for, and what the action's own names are called, into a piece.
fn put(
    piece: Piece<'_>,
    bound: &BTreeMap<String, Bound>,
    locals: &BTreeMap<String, String>,
) -> Result<(), String> {
    match piece {
        Piece::Name(name) => match (bound.get(name), locals.get(name)) {
            (Some(Bound::Reference(reference)), _) => {
                if reference.contains(['.', '[']) {
                    return Err(format!("`{reference}` is a part of something, and a name is needed"));
                }
                name.clone_from(reference);
                Ok(())
            }
            (Some(Bound::Value(_)), _) => Err(format!("`{name}` is a value, and a name is needed")),
            (None, Some(local)) => {
                name.clone_from(local);
                Ok(())
            }
            (None, None) => Ok(()),
        },
        Piece::Value(value) => put_into(value, bound, locals),
    }
}

fn put_into(
    value: &mut Value,
    bound: &BTreeMap<String, Bound>,
    locals: &BTreeMap<String, String>,
) -> Result<(), String> {
    match value {
        Value::String(text) => {
            if let Some(reference) = sole(text)
                && let Some(Bound::Value(whole)) = bound.get(&reference.name)
            {
                if !reference.path.is_empty() {
                    return Err(format!("`{}` is a value without members", reference.name));
                }
                *value = whole.clone();
                return Ok(());
            }
            *text = put_into_text(text, bound, locals)?;
            Ok(())
        }
        Value::Array(elements) => {
            elements.iter_mut().try_for_each(|element| put_into(element, bound, locals))
        }
        Value::Object(members) => members.values_mut().try_for_each(|member| put_into(member, bound, locals)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn put_into_text(
    text: &str,
    bound: &BTreeMap<String, Bound>,
    locals: &BTreeMap<String, String>,
) -> Result<String, String> {
    let mut put = String::with_capacity(text.len());
    let mut from = 0;
    // A malformed reference stays as it is, for the lint to find.
    for reference in template::references(text) {
        put.push_str(&text[from..reference.span.start]);
        from = reference.span.end;
        let way = &reference.text()[reference.name.len()..];
        match (bound.get(&reference.name), locals.get(&reference.name)) {
            (Some(Bound::Reference(name)), _) => put.push_str(&format!("${{{name}{way}}}")),
            (Some(Bound::Value(value)), _) => put.push_str(&inside(&reference.name, value)?),
            (None, Some(local)) => put.push_str(&format!("${{{local}{way}}}")),
            (None, None) => put.push_str(&text[reference.span.clone()]),
        }
    }
    put.push_str(&text[from..]);
    Ok(put)
}

/// A value inside a text. A text that a path or filter would have to escape is refused: only references are escaped.
fn inside(param: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::String(text) if !text.contains(['"', '\\', '%', '#', '?', '&', '/', '+']) => Ok(text.clone()),
        Value::String(_) => Err(format!(
            "the text for `{param}` has characters that would have to be escaped; pass a fresh value or a capture"
        )),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(format!("what is passed for `{param}` cannot stand inside a text"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::model::Capability;
    use crate::suite::yaml;

    const SUITE: &str = r#"
suite: x
title: x
actions:
  deactivate:
    params: [user, mail]
    forms:
      patch:
        - send: PATCH /Users/${user.id}
          requires: [patch]
          operations: [{op: replace, value: {active: false}}]
        - {read: user, expect: {status: 200, body: {userName: "${mail}"}}}
      put:
        - {id: before, read: user}
        - send: PUT /Users/${user.id}
          make: {from: before, set: {active: false}}
          expect: {any: [{status: 200, becomes: {from: before}}]}
        - {query: {endpoint: /Users, filter: 'userName eq "${mail}"'}, expect: {list: {ours: [user]}}}
  look: {params: [what, many], steps: [{send: "GET /Users?count=${many}", expect: {body: "${what}"}}]}
cases:
  - {id: plain, title: t, steps: [{send: GET /Users}]}
  - id: twice
    title: t
    given: {ann: user, bob: user}
    steps:
      - {checkpoint: first, title: The first, do: {deactivate: {user: ann, mail: "${ann.userName}"}}}
      - {when: {a: [b]}, do: {deactivate: {user: bob, mail: "${bob.emails[0].value}"}}}
      - {do: {look: {what: {totalResults: 1}, many: 5}}}
"#;

    fn expanded(source: &str) -> Expansion {
        let suite: Suite = yaml::read("x.yaml", source).unwrap();
        expand(&suite, &yaml::read("x.yaml", source).unwrap())
    }

    fn slips(source: &str) -> Vec<String> {
        expanded(source).slips.into_iter().map(|slip| format!("{}: {}", slip.path, slip.message)).collect()
    }

    #[test]
    fn a_case_is_there_once_for_each_form_with_its_steps_in_place() {
        let expansion = expanded(SUITE);
        assert_eq!(expansion.slips, []);
        assert_eq!(expansion.cases.keys().collect::<Vec<_>>(), [&1]);
        let [patch, put] = expansion.cases[&1].as_slice() else { panic!("two forms") };
        assert_eq!((patch.form.as_deref(), put.form.as_deref()), (Some("patch"), Some("put")));
        assert_eq!(patch.case.requires, [Requires::Capability(Capability::Patch)]);
        assert!(put.case.requires.is_empty());
        assert_eq!((patch.case.steps.len(), put.case.steps.len()), (5, 7));

        let first = &patch.case.steps[0];
        assert_eq!(first.send.as_deref(), Some("PATCH /Users/${ann.id}"));
        assert_eq!(first.checkpoint.as_deref(), Some("first"));
        assert_eq!(first.stands_at.as_deref(), Some("actions.deactivate.forms.patch[0]"));
        assert_eq!(patch.case.steps[1].read.as_deref(), Some("ann"));
        let body = |step: &Step| step.expect.as_ref().unwrap().body.clone().unwrap();
        assert_eq!(body(&patch.case.steps[1])["userName"], "${ann.userName}");
        assert_eq!(body(&patch.case.steps[4])["totalResults"], 1);
        assert_eq!(patch.case.steps[4].send.as_deref(), Some("GET /Users?count=5"));

        let second = &put.case.steps[3];
        assert_eq!((second.id.as_deref(), second.read.as_deref()), (Some("before-2"), Some("bob")));
        assert_eq!(second.when.keys().collect::<Vec<_>>(), ["a"]);
        let write = &put.case.steps[4];
        assert_eq!(write.make.as_ref().unwrap().from.as_deref(), Some("before-2"));
        let becomes = write.expect.as_ref().unwrap().any[0].becomes.as_ref().unwrap();
        assert_eq!(becomes.from.as_deref(), Some("before-2"));
        let query = put.case.steps[5].query.as_ref().unwrap();
        assert_eq!(query.filter.as_deref(), Some(r#"userName eq "${bob.emails[0].value}""#));
    }

    #[test]
    fn a_parameter_in_the_place_of_an_id_names_the_answer_for_the_case() {
        let expansion = expanded(
            "suite: x\ntitle: x\nactions: {create: {params: [as], steps: [{id: as, send: POST /Users, body: {}}]}}\n\
             cases: [{id: a, title: t, steps: [{do: {create: {as: ann}}}, {read: ann}]}]\n",
        );
        assert_eq!(expansion.slips, []);
        let steps = &expansion.cases[&0][0].case.steps;
        assert_eq!(steps[0].id.as_deref(), Some("ann"));
        assert_eq!(steps[1].stands_at.as_deref(), Some("cases[0].steps[1]"));
    }

    #[test]
    fn what_cannot_be_put_in_place_is_said_where_it_stands() {
        let suite = |actions: &str, steps: &str| {
            slips(&format!(
                "suite: x\ntitle: x\nactions: {actions}\ncases: [{{id: a, title: t, steps: [{steps}]}}]\n"
            ))
        };
        let get = "{get: {params: [id], steps: [{send: 'GET /Users/${id}'}]}}";
        let of = "cases[0].steps[0].do";
        assert_eq!(suite(get, "{do: {gat: {}}}")[0], format!("{of}.gat: there is no action `gat`"));
        assert_eq!(suite(get, "{do: {get: {}}}"), [format!("{of}.get: `get` needs an argument `id`")]);
        assert_eq!(
            suite(get, "{do: {get: {id: a, of: b}}}"),
            [format!("{of}.get.of: `get` has no parameter `of`")]
        );
        assert_eq!(
            suite(get, "{do: {get: {id: a}}, read: b}"),
            ["cases[0].steps[0].read: `read` cannot stand beside `do`"]
        );
        assert!(suite(get, "{do: {get: {id: 'a/../b'}}}")[0].contains("would have to be escaped"));
        let named = "{get: {params: [user], steps: [{read: user}]}}";
        assert!(suite(named, "{do: {get: {user: 5}}}")[0].contains("takes its name"));
        let forms = "{one: {forms: {patch: [{send: GET /}]}}, two: {forms: {put: [{send: GET /}]}}}";
        assert_eq!(
            suite(forms, "{do: {one: {}}}, {do: {two: {}}}"),
            ["cases[0].steps[1].do.two: `two` has other forms than `one`, which the case does too"]
        );
        assert_eq!(
            suite("{one: {params: [a], steps: [{do: {one: {}}}]}}", "{send: GET /}"),
            [
                "actions.one.steps[0].do: an action does no other action",
                "actions.one.params[0]: the parameter `a` is never used",
                "actions.one: no case does `one`"
            ]
        );
        assert_eq!(
            suite("{one: {}}", "{do: {one: {}}}"),
            ["actions.one: an action has `steps`, or `forms` with steps"]
        );
    }
}
