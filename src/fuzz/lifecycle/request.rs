//! What a step sends: the request for it, with bodies marked for the resources of this run.

use serde_json::{Map, Value, json};

use super::model::Known;
use super::play::Play;
use super::step::{Attributes, Change, Condition, Kind, Step, Var};
use crate::fuzz::strategy::data::marked;
use crate::scim::names;
use crate::scim::resource::set_member;
use crate::target::{RequestPlan, needs, resource_path};

impl Play<'_> {
    /// The values of a body, marked for this resource.
    pub(super) fn attributes(&self, who: Var, life: usize, attributes: &Attributes) -> Map<String, Value> {
        let word = format!("{}{}{who}{life}", self.stage.generator.mark(), self.word);
        attributes.iter().map(|(name, value)| (name.clone(), marked(value, &word))).collect()
    }

    pub(super) fn references<'v>(&self, members: impl IntoIterator<Item = &'v Var>) -> Value {
        let living = members.into_iter().filter_map(|member| self.model.living(*member));
        Value::Array(living.map(|known| json!({"value": known.id})).collect())
    }

    /// A whole resource, with what the service provider demands of each.
    pub(super) fn body(
        &self,
        who: Var,
        name: &str,
        attributes: Map<String, Value>,
        members: Option<Value>,
    ) -> Option<Value> {
        let definition = self.stage.ground.definition(who.kind)?;
        let mut urns = vec![Value::from(definition.schema.id.as_str())];
        urns.extend(
            attributes
                .keys()
                .filter(|name| definition.extension(name).is_some())
                .map(|it| it.as_str().into()),
        );
        let mut whole = Map::from_iter([("schemas".to_owned(), Value::Array(urns))]);
        whole.insert(who.kind.name_attribute().to_owned(), name.into());
        whole.extend(attributes);
        if let Some(members) = members.filter(|it| it.as_array().is_some_and(|it| !it.is_empty())) {
            whole.insert("members".to_owned(), members);
        }
        let template = match who.kind {
            Kind::User => &self.stage.templates.user,
            Kind::Group => &self.stage.templates.group,
        };
        let mut whole = needs::fill(Value::Object(whole), definition, template, self.stage.generator);
        without_name(&mut whole, who.kind);
        Some(whole)
    }

    /// The request of a write with its body; none where nothing is left of it.
    pub fn request(&self, step: &Step) -> Option<(RequestPlan, Value)> {
        let ground = self.stage.ground;
        let path = |who: Var, known: &Known| resource_path(ground.endpoint(who.kind), &known.id);
        let conditional = |mut plan: RequestPlan, known: &Known, condition: Condition| {
            if let Some(version) = known.version(condition) {
                plan.headers.push(("If-Match".to_owned(), Some(version.to_owned())));
            }
            plan
        };
        match step {
            Step::Create { who, key, body, members } => {
                let attributes = self.attributes(*who, self.model.next_life(*who), body);
                let members = (who.kind == Kind::Group).then(|| self.references(members));
                let body = self.body(*who, &self.name(who.kind, *key), attributes, members)?;
                Some((RequestPlan::new("POST", ground.endpoint(who.kind), "").json(&body), body))
            }
            Step::Replace { who, key, body, members, whole, condition } => {
                let known = self.model.get(*who)?;
                let attributes = self.attributes(*who, known.life, body);
                let name = self.name(who.kind, key.unwrap_or(known.key));
                let is_said = members.is_some();
                let members = (who.kind == Kind::Group).then(|| match members {
                    Some(members) => self.references(members),
                    None => self.references(&self.model.members(known)),
                });
                let body = if *whole {
                    let mut body = known.state.clone();
                    let object = body.as_object_mut()?;
                    for (name, value) in attributes {
                        if ground.definition(who.kind)?.extension(&name).is_some() {
                            declare(object, &name);
                        }
                        set_member(object, &name, value);
                    }
                    if key.is_some() {
                        set_member(object, who.kind.name_attribute(), name.into());
                    }
                    match members {
                        // What nobody asked for is left out where there is none of it.
                        Some(Value::Array(members)) if members.is_empty() && !is_said => {
                            object.retain(|name, _| !name.eq_ignore_ascii_case("members"));
                        }
                        Some(members) => set_member(object, "members", members),
                        None => {}
                    }
                    without_name(&mut body, who.kind);
                    body
                } else {
                    self.body(*who, &name, attributes, members)?
                };
                let plan = RequestPlan::new("PUT", path(*who, known), "").json(&body);
                Some((conditional(plan, known, *condition), body))
            }
            Step::Patch { who, changes, condition } => {
                let known = self.model.get(*who)?;
                let operations: Vec<Value> =
                    changes.iter().filter_map(|change| self.operation(*who, known, change)).collect();
                if operations.is_empty() {
                    return None;
                }
                let body = json!({"schemas": [names::PATCH_OP], "Operations": operations});
                let plan = RequestPlan::new("PATCH", path(*who, known), "").json(&body);
                Some((conditional(plan, known, *condition), body))
            }
            Step::Delete { who, condition } => {
                let known = self.model.get(*who)?;
                let plan = RequestPlan::new("DELETE", path(*who, known), "");
                Some((conditional(plan, known, *condition), Value::Null))
            }
            _ => None,
        }
    }

    pub(super) fn operation(&self, who: Var, known: &Known, change: &Change) -> Option<Value> {
        let value = |name: &str, value: &Value| {
            let one = Attributes::from([(name.to_owned(), value.clone())]);
            self.attributes(who, known.life, &one).remove(name).unwrap_or_default()
        };
        Some(match change {
            Change::Set(path, new) => json!({"op": "replace", "path": path, "value": value(path, new)}),
            Change::Add(path, new) => json!({"op": "add", "path": path, "value": value(path, new)}),
            Change::Remove(path) => json!({"op": "remove", "path": path}),
            Change::SetAll(all) => json!({"op": "replace", "value": self.attributes(who, known.life, all)}),
            Change::Rename(key) => {
                let name = self.name(who.kind, *key);
                json!({"op": "replace", "path": who.kind.name_attribute(), "value": name})
            }
            Change::AddMember(member) => {
                let id = &self.model.living(*member)?.id;
                json!({"op": "add", "path": "members", "value": [{"value": id}]})
            }
            Change::AddMembers(members) => {
                let members = self.references(members);
                if members.as_array().is_none_or(Vec::is_empty) {
                    return None;
                }
                json!({"op": "add", "path": "members", "value": members})
            }
            Change::RemoveMember(member) => {
                let id = &self.model.living(*member)?.id;
                json!({"op": "remove", "path": format!("members[value eq {}]", Value::from(id.as_str()))})
            }
            Change::Spoil => json!({"op": "remove", "path": who.kind.name_attribute()}),
        })
    }
}

/// Lists a schema among those of a resource, whose attributes it has from now on.
fn declare(resource: &mut Map<String, Value>, urn: &str) {
    let Some(Value::Array(urns)) = resource.get_mut("schemas") else { return };
    if !urns.iter().filter_map(Value::as_str).any(|known| known.eq_ignore_ascii_case(urn)) {
        urns.push(urn.into());
    }
}

/// Where a body says that there is no name, it does not name it at all.
fn without_name(body: &mut Value, kind: Kind) {
    let Some(object) = body.as_object_mut() else { return };
    object.retain(|name, value| !(value.is_null() && name.eq_ignore_ascii_case(kind.name_attribute())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_listed_once_and_a_name_that_is_null_is_left_out() {
        let mut body = json!({"schemas": ["urn:a"], "userName": null, "title": null});
        for urn in ["urn:A", "urn:b", "urn:b"] {
            declare(body.as_object_mut().unwrap(), urn);
        }
        without_name(&mut body, Kind::User);
        assert_eq!(body, json!({"schemas": ["urn:a", "urn:b"], "title": null}));
        without_name(&mut body, Kind::Group);
        assert_eq!(body["title"], Value::Null);
    }
}
