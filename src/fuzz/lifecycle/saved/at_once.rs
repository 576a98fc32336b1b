//! Several clients at once in a suite: one request of each.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Writer, endpoint};
use crate::fuzz::lifecycle::step::{Attributes, Change, Condition, Kind, Step, Var};

impl Writer<'_> {
    /// Several clients at once: one request of each.
    pub(super) fn race(&mut self, lanes: &[Vec<Step>]) -> Option<()> {
        let steps: Vec<&Step> = lanes.iter().map(|lane| lane.first()).collect::<Option<_>>()?;
        if lanes.iter().any(|lane| lane.len() > 1) {
            return None;
        }
        let id = "atonce".to_owned();
        if let Some(Step::Create { who, key, .. }) = steps.first() {
            let make = self.make(*who, 1, *key, &Attributes::new(), &BTreeSet::new());
            let parallel =
                format!("{{times: {}, send: POST {}, make: {make}}}", steps.len(), endpoint(who.kind));
            let tally = "{tally: [{name: created, status: 201, exactly: 1}, {name: refused, error: {status: 409}, rest: true}]}";
            self.add(vec![("id", id), ("parallel", parallel), ("expect", tally.to_owned())]);
            return Some(());
        }
        let vars: BTreeSet<Var> = steps
            .iter()
            .flat_map(|step| match step {
                Step::Replace { who, .. } | Step::Patch { who, .. } | Step::Delete { who, .. } => Some(*who),
                _ => None,
            })
            .collect();
        let who = *vars.first().filter(|_| vars.len() == 1)?;
        let (path, handle) = (self.path(who)?, self.handle(who)?);
        if steps.iter().all(|step| matches!(step, Step::Delete { condition: Condition::None, .. })) {
            let parallel = format!("{{times: {}, send: \"DELETE {path}\"}}", steps.len());
            let tally = "{tally: [{name: done, status: 204, exactly: 1}, {name: not found, error: {status: [404, 410]}, rest: true}]}";
            self.add(vec![("id", id), ("parallel", parallel), ("expect", tally.to_owned())]);
            return Some(());
        }
        if self.has_conditions {
            self.capture(who)?;
            let headers = self.header(who, Condition::Fresh)??;
            let mut requests = Vec::new();
            for step in &steps {
                match step {
                    Step::Replace { body, condition: Condition::Fresh, .. } => {
                        let set = Value::Object(self.values(who, 1, body));
                        requests
                            .push(format!("{{send: \"PUT {path}\", make: {{from: {handle}, set: {set}}}}}"));
                    }
                    Step::Patch { changes, condition: Condition::Fresh, .. } => {
                        let operations = self.operations(who, changes)?;
                        requests.push(format!("{{send: \"PATCH {path}\", operations: {operations}}}"));
                    }
                    _ => return None,
                }
            }
            let tally = "{tally: [{name: carried out, status: [200, 204], at-most: 1}, {name: refused, error: {status: [409, 412]}, rest: true}]}";
            self.add(vec![
                ("id", id),
                ("headers", headers),
                ("parallel", format!("{{requests: [{}]}}", requests.join(", "))),
                ("expect", tally.to_owned()),
            ]);
            return Some(());
        }
        let mut requests = Vec::new();
        let mut body = Attributes::new();
        let mut members = self.roles.get(&who)?.members.clone();
        for step in &steps {
            let Step::Patch { changes, .. } = step else { return None };
            let operations = self.operations(who, changes)?;
            requests.push(format!("{{send: \"PATCH {path}\", operations: {operations}}}"));
            for change in changes {
                match change {
                    Change::AddMember(member) => drop(members.insert(*member)),
                    Change::RemoveMember(member) => drop(members.remove(member)),
                    // Who of two that set one attribute comes last is open.
                    Change::Set(name, _) if body.contains_key(name) => return None,
                    Change::Set(name, value) => drop(body.insert(name.clone(), value.clone())),
                    _ => return None,
                }
            }
        }
        self.requires.insert("patch");
        let tally = "{tally: [{name: done, status: [200, 204], exactly: COUNT}]}"
            .replace("COUNT", &steps.len().to_string());
        self.add(vec![
            ("id", id),
            ("parallel", format!("{{requests: [{}]}}", requests.join(", "))),
            ("expect", tally),
        ]);
        let mut expected = self.values(who, 1, &body);
        if who.kind == Kind::Group {
            expected.insert("members".to_owned(), self.references(&members));
        }
        let get = format!("GET {path}");
        self.add(vec![
            ("send", get),
            ("expect", format!("{{status: 200, body: {}}}", Value::Object(expected))),
        ]);
        Some(())
    }
}
