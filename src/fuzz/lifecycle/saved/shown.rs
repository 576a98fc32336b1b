//! What has to be seen after the last step, by what differed when it was found.

use serde_json::{Value, json};

use super::{Line, Role, Writer, status};
use crate::fuzz::cause::Harm;
use crate::fuzz::lifecycle::problem::Signature;
use crate::fuzz::lifecycle::step::{Attributes, Kind, Step, Var};

impl Writer<'_> {
    /// The version in the answer to a write, where that is the point.
    pub(super) fn capture_answer(&self, is_last: bool) -> Option<(&'static str, String)> {
        let is_it = is_last && self.signature.differs == "answer version";
        is_it.then(|| ("capture", "{answered: {header: ETag}}".to_owned()))
    }

    /// What the answer to a create has to show, where that is the point.
    pub(super) fn of_create(&self) -> Option<String> {
        let checks = match self.signature.differs.as_str() {
            "Location" => {
                "{header: Location, nonempty: true}, {path: $.meta.location, same-as: header Location}"
                    .to_owned()
            }
            "no answer" => "{path: $.id, nonempty: true}".to_owned(),
            "answer meta" => "{path: $.meta.location, nonempty: true}".to_owned(),
            "answer ETag" => "{header: ETag, nonempty: true}".to_owned(),
            "echo" => format!("{{path: $.{}, empty: true}}", self.top()?),
            _ => return None,
        };
        Some(format!("{{status: 201, checks: [{checks}]}}"))
    }

    /// The name of the attribute that differs; none of an extension's.
    pub(super) fn top(&self) -> Option<&str> {
        let name = self.path.split(['.', '[']).next().unwrap_or_default();
        (!name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric())).then_some(name)
    }

    /// What a read has to show of a resource beside what was written, where that is the point.
    pub(super) fn of_read(&self, who: Var) -> Option<String> {
        let has = |role: &Role| role.alive && role.members.contains(&who);
        let ids = |wanted: bool| -> Vec<String> {
            let groups =
                self.roles.iter().filter(|(group, role)| group.kind == Kind::Group && wanted == has(role));
            let handles = groups.filter_map(|(group, _)| self.handle(*group));
            handles.map(|handle| format!("\"${{{handle}.id}}\"")).collect()
        };
        Some(match self.signature.differs.as_str() {
            "groups" | "no groups" => {
                let (has, lacks) = (ids(true), ids(false));
                let mut checks = Vec::new();
                if !has.is_empty() {
                    checks.push(format!("{{values: \"$.groups[*].value\", includes: [{}]}}", has.join(", ")));
                }
                if !lacks.is_empty() {
                    checks
                        .push(format!("{{values: \"$.groups[*].value\", excludes: [{}]}}", lacks.join(", ")));
                }
                checks.join(", ")
            }
            "groups.type" => "{values: \"$.groups[*].type\", set: [direct]}".to_owned(),
            "groups.$ref" => "{each: \"$.groups[*]['$ref']\", matches: \"/Groups/\"}".to_owned(),
            "no version" => "{path: $.meta.version, nonempty: true}".to_owned(),
            "no userName" => "{path: $.userName, nonempty: true}".to_owned(),
            "members twice" => {
                format!("{{path: $.members, length: {}}}", self.roles.get(&who)?.members.len())
            }
            "kept" => format!("{{path: $.{}, empty: true}}", self.top()?),
            _ => return None,
        })
    }

    /// With what the answer has to show, where that is the point.
    pub(super) fn with_answer(&self, expect: String, who: Var, body: &Attributes, is_last: bool) -> String {
        let Some(path) = self.signature.differs.strip_prefix("answer ").filter(|_| is_last) else {
            return expect;
        };
        match self.part(who, path, body) {
            Some(part) => {
                let status = expect.trim_start_matches('{').trim_end_matches('}');
                let status = if status.contains("204") { "status: 200" } else { status };
                format!("{{{status}, body: {part}}}")
            }
            None => expect,
        }
    }

    /// The part of a resource that a path is about, as it was written.
    pub(super) fn part(&self, who: Var, path: &str, body: &Attributes) -> Option<Value> {
        let top = path.split('.').next().unwrap_or_default();
        let role = self.roles.get(&who)?;
        if top == "members" {
            return Some(json!({"members": self.references(&role.members)}));
        }
        let found =
            body.iter().find(|(name, _)| name.eq_ignore_ascii_case(top) || name.starts_with("urn:"))?;
        let one = Attributes::from([(found.0.clone(), found.1.clone())]);
        Some(Value::Object(self.values(who, role.life, &one)))
    }

    /// What has to be seen after the last write.
    pub(super) fn closing(&mut self, step: &Step, who: Var, body: &Attributes, is_last: bool) -> Option<()> {
        if !is_last {
            return Some(());
        }
        let Signature { harm, differs, .. } = self.signature;
        let handle = self.handle(who)?;
        let get = format!("GET {}", self.path(who)?);
        if *harm != Harm::Wrong
            || differs.starts_with("status ")
            || matches!(
                differs.as_str(),
                "keyword" | "answer" | "no answer" | "answer meta" | "answer ETag" | "echo"
            )
        {
            return Some(());
        }
        if let Some(checks) = self.of_read(who) {
            self.add(vec![("send", get), ("expect", format!("{{status: 200, checks: [{checks}]}}"))]);
            return Some(());
        }
        let line: Line = match differs.as_str() {
            "answer version" => {
                let checks = "[{header: ETag, equals: \"${answered}\"}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "meta.lastModified as before" => {
                let checks = "[{path: $.meta.lastModified, differs: \"${modified}\"}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "lastModified before created" => {
                let checks = "[{path: $.meta.lastModified, after: \"${created}\"}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "still there" => vec![("send", get), ("expect", status(&[404, 410]))],
            "gone" | "id" | "no resource" => {
                let checks = format!("[{{path: $.id, equals: \"${{{handle}.id}}\"}}]");
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "meta.created" => {
                let checks = "[{path: $.meta.created, equals: \"${created}\"}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "version" => {
                let tag = self.roles.get(&who)?.tags.last()?.clone();
                let checks = format!("[{{header: ETag, differs: \"${{{tag}}}\"}}]");
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "ETag of version" => {
                let checks = "[{path: $.meta.version, same-as: header ETag}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "ETag" => vec![
                ("send", get),
                ("expect", "{status: 200, checks: [{header: ETag, is: etag}]}".to_owned()),
            ],
            "Location" => return Some(()),
            "meta.lastModified" | "lastModified after created" | "no id" | "another id" | "used id" => {
                return None;
            }
            other if other.starts_with("answer ") => {
                return self.part(who, other.trim_start_matches("answer "), body).map(drop);
            }
            other if other.ends_with(" despite the refusal") => vec![("unchanged", format!("[{handle}]"))],
            path => match (self.part(who, path, body), step) {
                (Some(part), _) => {
                    vec![("send", get), ("expect", format!("{{status: 200, body: {part}}}"))]
                }
                // What the operations say nothing of is as it was.
                (None, Step::Patch { .. }) => {
                    let (_, change) = self.lines.last()?.first()?.clone();
                    let becomes = format!("{{from: {handle}, patched-by: {change}}}");
                    vec![("send", get), ("expect", format!("{{status: 200, becomes: {becomes}}}"))]
                }
                (None, _) => return None,
            },
        };
        self.add(line);
        Some(())
    }
}
