//! Makes a sequence smaller: only the steps on the resources and names that the problem is about, then without steps, by
//! halves and one by one, then with less in each step. Pure: it proposes, and is told what still shows the problem.

use std::collections::{BTreeSet, HashSet};

use super::problem::Problem;
use super::step::{Condition, Sequence, Step, Var};

/// What is tried next.
#[derive(Debug)]
enum Stage {
    /// The steps that the problem is about, with or without reads.
    Slice(u8),
    /// Without so many steps from there on.
    Steps { length: usize, from: usize },
    /// All steps with only what differs in them, or nothing.
    Bodies(u8),
    /// Each step with less in it.
    Payload(usize),
    /// Nothing is left to try.
    Done,
}

/// Makes a sequence smaller.
#[derive(Debug)]
pub struct Shrinker {
    best: Sequence,
    stage: Stage,
    tried: HashSet<String>,
    vars: BTreeSet<Var>,
    keys: BTreeSet<(super::step::Kind, super::step::Key)>,
    /// What differs: with that attribute alone it may show, too.
    differs: String,
    /// Whether less in a step was enough since steps were last tried without: then others may go, too.
    is_lighter: bool,
}

impl Shrinker {
    /// For a sequence whose last step shows a problem.
    pub fn new(steps: Sequence, problem: &Problem) -> Shrinker {
        let mut vars = problem.vars.clone();
        vars.extend(steps.last().map(Step::vars).unwrap_or_default());
        let mut keys = problem.keys.clone();
        keys.extend(steps.last().map(Step::keys).unwrap_or_default());
        let stage = if steps.len() > 3 { Stage::Slice(0) } else { steps_stage(&steps) };
        let differs = problem.signature.differs.to_ascii_lowercase();
        Shrinker { best: steps, stage, tried: HashSet::new(), vars, keys, differs, is_lighter: false }
    }

    /// The next smaller sequence that was not tried yet.
    pub fn candidate(&mut self) -> Option<Sequence> {
        loop {
            let proposal = match self.stage {
                Stage::Done => return None,
                Stage::Slice(round) => self.slice(round),
                Stage::Bodies(round) => Some(self.bodies(round)),
                Stage::Steps { length, from } => self.without(from, length),
                Stage::Payload(at) => self.lighter(at),
            };
            match proposal {
                Some(candidate) if !candidate.is_empty() && self.is_new(&candidate) => {
                    return Some(candidate);
                }
                _ => self.reject(),
            }
        }
    }

    /// The candidate shows it, and is cut to these steps.
    pub fn accept(&mut self, steps: Sequence) {
        self.best = steps;
        self.stage = match self.stage {
            Stage::Slice(_) => steps_stage(&self.best),
            // The same place has other steps now.
            Stage::Steps { length, from } => {
                Stage::Steps { length: length.min(self.best.len()).max(1), from }
            }
            Stage::Bodies(_) | Stage::Payload(_) => {
                self.is_lighter = true;
                Stage::Payload(0)
            }
            Stage::Done => Stage::Done,
        };
    }

    /// The candidate does not show it.
    pub fn reject(&mut self) {
        self.stage = match self.stage {
            Stage::Slice(round) if round < 2 => Stage::Slice(round + 1),
            Stage::Slice(_) => steps_stage(&self.best),
            Stage::Steps { length, from } if from + length < self.best.len() => {
                Stage::Steps { length, from: from + length }
            }
            Stage::Steps { length, .. } if length > 1 => Stage::Steps { length: length / 2, from: 0 },
            Stage::Steps { .. } => Stage::Bodies(0),
            Stage::Bodies(round) if round < 2 => Stage::Bodies(round + 1),
            Stage::Bodies(_) => Stage::Payload(0),
            Stage::Payload(at) if at < PAYLOADS => Stage::Payload(at + 1),
            Stage::Payload(_) if self.is_lighter && self.best.len() > 1 => {
                self.is_lighter = false;
                steps_stage(&self.best)
            }
            Stage::Payload(_) | Stage::Done => Stage::Done,
        };
    }

    fn is_new(&mut self, candidate: &Sequence) -> bool {
        let size = |steps: &Sequence| steps.iter().map(|step| 1 + step.size()).sum::<usize>();
        let text = serde_json::to_string(candidate).unwrap_or_default();
        size(candidate) < size(&self.best) && self.tried.insert(text)
    }

    /// The steps on what the problem is about: first without reads, then with the creates of everybody, then with reads.
    fn slice(&self, round: u8) -> Option<Sequence> {
        let last = self.best.len().checked_sub(1)?;
        let is_about = |step: &Step| match step {
            Step::Create { who, key, .. } => {
                self.vars.contains(who) || self.keys.contains(&(who.kind, *key)) || round > 0
            }
            _ => {
                step.vars().iter().any(|who| self.vars.contains(who))
                    || step.keys().iter().any(|key| self.keys.contains(key))
            }
        };
        let kept = self
            .best
            .iter()
            .enumerate()
            .filter(|(at, step)| *at == last || (is_about(step) && (round > 1 || !step.only_reads())));
        Some(kept.map(|(_, step)| step.clone()).collect())
    }

    /// Without some steps. The last one shows it, and stays.
    fn without(&self, from: usize, length: usize) -> Option<Sequence> {
        let last = self.best.len().checked_sub(1)?;
        let until = (from + length).min(last);
        if from >= until {
            return None;
        }
        Some(
            self.best
                .iter()
                .enumerate()
                .filter(|(at, _)| *at < from || *at >= until)
                .map(|(_, it)| it.clone())
                .collect(),
        )
    }

    /// With nothing in the bodies, with what differs alone, and with the first steps bare.
    fn bodies(&self, round: u8) -> Sequence {
        let last = self.best.len().saturating_sub(1);
        let is_about = |name: &String| self.differs.contains(&name.to_ascii_lowercase());
        let mut all = self.best.clone();
        for (at, step) in all.iter_mut().enumerate() {
            let (Step::Create { body, .. } | Step::Replace { body, .. }) = step else { continue };
            match round {
                0 => body.clear(),
                1 => body.retain(|name, _| is_about(name)),
                _ if at < last => body.clear(),
                _ => {}
            }
        }
        all
    }

    /// With less in one step: the proposal of that number.
    fn lighter(&self, number: usize) -> Option<Sequence> {
        let mut number = number;
        for (at, step) in self.best.iter().enumerate() {
            let all = lighter(step);
            if let Some(step) = all.get(number) {
                let mut candidate = self.best.clone();
                candidate[at] = step.clone();
                return Some(candidate);
            }
            number -= all.len();
        }
        None
    }
}

/// The most payloads that are looked at of one sequence.
const PAYLOADS: usize = 120;

/// The first removal: half of the steps.
fn steps_stage(steps: &Sequence) -> Stage {
    Stage::Steps { length: (steps.len() / 2).max(1), from: 0 }
}

/// Both halves of many attributes.
fn halves(body: &super::step::Attributes) -> Vec<super::step::Attributes> {
    if body.len() < 4 {
        return Vec::new();
    }
    let half = body.len() / 2;
    let part = |skip: usize, take: usize| {
        body.iter().skip(skip).take(take).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    vec![part(0, half), part(half, body.len())]
}

/// The same step with less in it.
fn lighter(step: &Step) -> Vec<Step> {
    let mut all = Vec::new();
    match step {
        Step::Create { who, key, body, members } => {
            let with = |body: &super::step::Attributes, members: &BTreeSet<Var>| Step::Create {
                who: *who,
                key: *key,
                body: body.clone(),
                members: members.clone(),
            };
            if body.len() > 1 {
                all.push(with(&Default::default(), members));
            }
            all.extend(halves(body).iter().map(|half| with(half, members)));
            for name in body.keys() {
                let mut less = body.clone();
                less.remove(name);
                all.push(with(&less, members));
            }
            for member in members {
                let less = members.iter().filter(|it| *it != member).copied().collect();
                all.push(with(body, &less));
            }
        }
        Step::Replace { who, key, body, members, whole, condition } => {
            let plain = Step::Replace {
                who: *who,
                key: None,
                body: body.clone(),
                members: members.clone(),
                whole: false,
                condition: Condition::None,
            };
            let full = |key, body, members, whole, condition| Step::Replace {
                who: *who,
                key,
                body,
                members,
                whole,
                condition,
            };
            if key.is_some() || *whole || *condition != Condition::None {
                all.push(plain);
            }
            if key.is_some() {
                all.push(full(None, body.clone(), members.clone(), *whole, *condition));
            }
            if *whole {
                all.push(full(*key, body.clone(), members.clone(), false, *condition));
            }
            if *condition != Condition::None {
                all.push(full(*key, body.clone(), members.clone(), *whole, Condition::None));
            }
            if members.is_some() {
                all.push(full(*key, body.clone(), None, *whole, *condition));
            }
            if body.len() > 1 {
                all.push(full(*key, Default::default(), members.clone(), *whole, *condition));
            }
            for half in halves(body) {
                all.push(full(*key, half, members.clone(), *whole, *condition));
            }
            for name in body.keys() {
                let mut less = body.clone();
                less.remove(name);
                all.push(full(*key, less, members.clone(), *whole, *condition));
            }
            for member in members.iter().flatten() {
                let less = members.iter().flatten().filter(|it| *it != member).copied().collect();
                all.push(full(*key, body.clone(), Some(less), *whole, *condition));
            }
        }
        Step::Patch { who, changes, condition } => {
            let full = |changes, condition| Step::Patch { who: *who, changes, condition };
            if *condition != Condition::None {
                all.push(full(changes.clone(), Condition::None));
            }
            if changes.len() > 1 {
                for at in 0..changes.len() {
                    let mut less = changes.clone();
                    less.remove(at);
                    all.push(full(less, *condition));
                }
            }
            for (at, change) in changes.iter().enumerate() {
                if let super::step::Change::AddMembers(members) = change {
                    for member in members.iter().filter(|_| members.len() > 1) {
                        let less = members.iter().filter(|it| *it != member).copied().collect();
                        let mut changes = changes.clone();
                        changes[at] = super::step::Change::AddMembers(less);
                        all.push(full(changes, *condition));
                    }
                }
                let super::step::Change::SetAll(attributes) = change else { continue };
                for name in attributes.keys().filter(|_| attributes.len() > 1) {
                    let mut less = attributes.clone();
                    less.remove(name);
                    let mut changes = changes.clone();
                    changes[at] = super::step::Change::SetAll(less);
                    all.push(full(changes, *condition));
                }
            }
        }
        Step::Delete { who, condition } if *condition != Condition::None => {
            all.push(Step::Delete { who: *who, condition: Condition::None });
        }
        Step::AtOnce { lanes } => {
            for at in (0..lanes.len()).filter(|_| lanes.len() > 2) {
                let mut less = lanes.clone();
                less.remove(at);
                all.push(Step::AtOnce { lanes: less });
            }
            for (at, lane) in lanes.iter().enumerate() {
                for number in (0..lane.len()).filter(|_| lane.len() > 1) {
                    let mut less = lanes.clone();
                    less[at].remove(number);
                    all.push(Step::AtOnce { lanes: less });
                }
                for (number, step) in lane.iter().enumerate() {
                    for step in lighter(step) {
                        let mut less = lanes.clone();
                        less[at][number] = step;
                        all.push(Step::AtOnce { lanes: less });
                    }
                }
            }
        }
        _ => {}
    }
    all
}

/// Whether the last step has next to nothing in it, so that any of its kind would show the same.
pub fn is_bare(steps: &[Step]) -> bool {
    steps.len() <= 2
        && steps.last().is_some_and(|step| match step {
            Step::Replace { key, body, condition, .. } => {
                key.is_none() && body.is_empty() && *condition == Condition::None
            }
            Step::Patch { changes, condition, .. } => changes.len() == 1 && *condition == Condition::None,
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::step::{Attributes, Change};
    use super::*;
    use crate::fuzz::cause::Harm;

    fn shrunk(steps: Sequence, shows: &dyn Fn(&Sequence) -> bool) -> (Sequence, usize) {
        let last = steps.last().unwrap().clone();
        let problem = Problem::of(&last, Harm::Wrong, "x", "x");
        let mut shrinker = Shrinker::new(steps.clone(), &problem);
        let (mut best, mut tries) = (steps, 0);
        while let Some(candidate) = shrinker.candidate() {
            tries += 1;
            match shows(&candidate) {
                true => {
                    best = candidate.clone();
                    shrinker.accept(candidate);
                }
                false => shrinker.reject(),
            }
        }
        (best, tries)
    }

    #[test]
    fn forty_steps_become_two_with_nothing_in_them() {
        let create = |number: u8| Step::Create {
            who: Var::user(number),
            key: number,
            body: Attributes::from([("title".to_owned(), json!("x")), ("nickName".to_owned(), json!("y"))]),
            members: BTreeSet::new(),
        };
        let mut steps: Sequence = (0..3).map(create).collect();
        for number in 0..36_u8 {
            let who = Var::user(number % 3);
            steps.push(match number % 2 {
                0 => Step::Read { who },
                _ => Step::Patch {
                    who,
                    changes: vec![Change::Set("title".to_owned(), json!("z"))],
                    condition: Condition::None,
                },
            });
        }
        steps.push(Step::Delete { who: Var::user(1), condition: Condition::Fresh });
        let shows = |steps: &Sequence| {
            let is_made =
                steps.iter().any(|step| matches!(step, Step::Create { who, .. } if who.number == 1));
            is_made && matches!(steps.last(), Some(Step::Delete { .. }))
        };
        let (best, tries) = shrunk(steps, &shows);
        assert_eq!(best.len(), 2, "{best:?}");
        assert!(matches!(&best[0], Step::Create { body, .. } if body.is_empty()), "{best:?}");
        assert!(matches!(&best[1], Step::Delete { condition: Condition::None, .. }), "{best:?}");
        assert!(tries < 30, "{tries}");
    }

    #[test]
    fn lanes_go_too() {
        let set = |name: &str| {
            vec![Step::Patch {
                who: Var::user(0),
                changes: vec![Change::Set(name.to_owned(), json!("x"))],
                condition: Condition::None,
            }]
        };
        let race = Step::AtOnce { lanes: vec![set("a"), set("b"), set("c"), set("d")] };
        let (best, _) = shrunk(
            vec![race],
            &|steps| matches!(&steps[0], Step::AtOnce { lanes } if lanes.contains(&set("c"))),
        );
        assert!(matches!(&best[0], Step::AtOnce { lanes } if lanes.len() == 2), "{best:?}");
    }
}
