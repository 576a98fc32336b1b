//! What operations make of a resource.

use serde_json::{Map, Value};

use super::select::{check_filter, for_each_object, put, write_each, write_filtered};
use super::write::{read_only, unassign, unknown, write};
use super::{PatchOp, PatchOperation, PatchOptions, numbered};
use crate::scim::compare::contains_value;
use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::error::ScimError;
use crate::scim::filter::element_matches;
use crate::scim::path::PatchPath;
use crate::scim::problem::json_type;
use crate::scim::resource::{elements, is_unassigned, member, member_mut, remove_member, set_member};
use crate::scim::schema::{Mutability, Schema};

/// The resource after all operations, in their order; the given one is left as it is.
///
/// # Errors
/// The first operation that cannot be done, with status and keyword of RFC 7644 §3.5.2 and Table 9.
pub fn apply(
    operations: &[PatchOperation],
    resource: &Value,
    definition: &ResourceDefinition,
    options: PatchOptions,
) -> Result<Value, ScimError> {
    let Some(members) = resource.as_object() else {
        return Err(ScimError::invalid_value(format!(
            "the resource is {}, expected an object",
            json_type(resource)
        )));
    };
    let mut patch = Patch { members: members.clone(), definition, options };
    for (index, operation) in operations.iter().enumerate() {
        patch.operate(operation).map_err(|error| numbered(index, error))?;
    }
    Ok(Value::Object(patch.members))
}

struct Patch<'a> {
    members: Map<String, Value>,
    definition: &'a ResourceDefinition,
    options: PatchOptions,
}

impl Patch<'_> {
    fn operate(&mut self, operation: &PatchOperation) -> Result<(), ScimError> {
        let before = self.listed_schemas();
        let null = Value::Null;
        let value = operation.value.as_ref();
        match (&operation.path, operation.op) {
            (None, PatchOp::Remove) => return Err(ScimError::no_target("a remove needs a path")),
            (None, op) => self.pathless(op, value.unwrap_or(&null))?,
            (Some(path), PatchOp::Remove) => self.remove(path, value)?,
            (Some(path), op) => self.write_path(path, op, value.unwrap_or(&null))?,
        }
        self.settle_schemas(&before)
    }

    /// The value names the attributes.
    fn pathless(&mut self, op: PatchOp, value: &Value) -> Result<(), ScimError> {
        let Value::Object(members) = value else {
            let detail = format!("value is {}, expected an object of attributes", json_type(value));
            return Err(ScimError::invalid_value(detail));
        };
        let definition = self.definition;
        for (name, value) in members {
            if let Some(extension) = definition.extension(name) {
                self.write_extension(&extension.schema, op, value)?;
            } else if let Some(attribute) = definition.top_attribute(name) {
                match write(&mut self.members, attribute, op, value, self.options) {
                    Err(_)
                        if self.options.ignore_read_only_members
                            && attribute.mutability == Mutability::ReadOnly => {}
                    done => done?,
                }
            } else if self.options.path_keys
                && let Ok(path) = PatchPath::parse(name)
                && (self.options.ignore_unknown || definition.resolve(&path.attribute).is_some())
            {
                self.write_path(&path, op, value)?;
            } else if !self.options.ignore_unknown {
                return Err(unknown(name));
            }
        }
        Ok(())
    }

    /// Writes the members of an extension's container.
    fn write_extension(&mut self, schema: &Schema, op: PatchOp, value: &Value) -> Result<(), ScimError> {
        let members = match value {
            Value::Object(members) => members,
            Value::Null if op == PatchOp::Add => return Ok(()),
            Value::Null => return self.remove_extension(schema),
            other => {
                let detail = format!("{} is {}, expected an object", schema.id, json_type(other));
                return Err(ScimError::invalid_value(detail));
            }
        };
        let had_container = self.has_container(Some(schema));
        for (name, value) in members {
            match schema.attribute(name) {
                Some(attribute) => {
                    let options = self.options;
                    let container = self.container(Some(schema))?;
                    write(container, attribute, op, value, options)?;
                }
                None if self.options.ignore_unknown => {}
                None => return Err(unknown(&format!("{}:{name}", schema.id))),
            }
        }
        self.drop_empty(Some(schema), had_container);
        Ok(())
    }

    fn remove_extension(&mut self, schema: &Schema) -> Result<(), ScimError> {
        if self.definition.extension(&schema.id).is_some_and(|it| it.required) {
            return Err(ScimError::mutability(format!("{} is a required extension", schema.id)));
        }
        for attribute in &schema.attributes {
            if let Some(container) = member_mut(&mut self.members, &schema.id).and_then(Value::as_object_mut)
                && member(container, &attribute.name).is_some_and(|it| !is_unassigned(it))
            {
                unassign(container, attribute, ScimError::mutability)?;
            }
        }
        self.drop_container(&schema.id);
        Ok(())
    }

    /// `add` or `replace` at a path.
    fn write_path(&mut self, path: &PatchPath, op: PatchOp, value: &Value) -> Result<(), ScimError> {
        let definition = self.definition;
        let options = self.options;
        let (attribute, sub, extension) = match definition.resolve(&path.attribute) {
            Some(Resolved::Attribute { attribute, sub, extension }) => (attribute, sub, extension),
            Some(Resolved::Extension(schema)) if options.extension_paths && path.filter.is_none() => {
                return self.write_extension(schema, op, value);
            }
            Some(_) => return Err(ScimError::invalid_path(format!("{path} is a schema, not an attribute"))),
            None if options.ignore_unknown => return Ok(()),
            None => return Err(unknown(&path.to_string())),
        };
        let had_container = self.has_container(extension);
        let container = self.container(extension)?;
        match &path.filter {
            Some(filter) => {
                write_filtered(container, attribute, filter, path.sub.as_deref(), op, value, options)?;
            }
            None => match sub {
                None => write(container, attribute, op, value, options)?,
                Some(sub) if attribute.multi_valued => {
                    write_each(container, attribute, sub, op, value, options)?
                }
                Some(sub) => {
                    if attribute.mutability == Mutability::ReadOnly && sub.mutability != Mutability::ReadOnly
                    {
                        return Err(read_only(&attribute.name));
                    }
                    let mut object = member(container, &attribute.name)
                        .and_then(Value::as_object)
                        .cloned()
                        .unwrap_or_default();
                    write(&mut object, sub, op, value, options)?;
                    put(container, attribute, Value::Object(object))?;
                }
            },
        }
        self.drop_empty(extension, had_container);
        Ok(())
    }

    fn remove(&mut self, path: &PatchPath, value: Option<&Value>) -> Result<(), ScimError> {
        let definition = self.definition;
        let options = self.options;
        let (attribute, sub, extension) = match definition.resolve(&path.attribute) {
            Some(Resolved::Attribute { attribute, sub, extension }) => (attribute, sub, extension),
            Some(Resolved::Extension(schema)) if options.extension_paths && path.filter.is_none() => {
                return self.remove_extension(schema);
            }
            Some(_) => return Err(ScimError::invalid_path(format!("{path} is a schema, not an attribute"))),
            None if options.ignore_unknown => return Ok(()),
            None => return Err(unknown(&path.to_string())),
        };
        if attribute.mutability == Mutability::ReadOnly {
            return Err(read_only(&attribute.name));
        }
        let had_container = self.has_container(extension);
        let container = self.container(extension)?;
        let Some(current) = member(container, &attribute.name).cloned() else {
            // There is nothing to remove, but a bad filter is still one.
            if let Some(filter) = &path.filter {
                check_filter(attribute, filter, path.sub.as_deref())?;
            }
            if attribute.required {
                return Err(ScimError::mutability(format!("{} is required", attribute.name)));
            }
            self.drop_empty(extension, had_container);
            return Ok(());
        };
        let listed = value.filter(|value| {
            options.remove_listed_values && attribute.multi_valued && sub.is_none() && !is_unassigned(value)
        });
        match (&path.filter, sub) {
            (None, None) => match listed {
                None => unassign(container, attribute, ScimError::mutability)?,
                Some(listed) => {
                    let kept = elements(&current)
                        .iter()
                        .filter(|it| {
                            !elements(listed).iter().any(|gone| contains_value(gone, it, Some(attribute)))
                        })
                        .cloned()
                        .collect();
                    put(container, attribute, Value::Array(kept))?;
                }
            },
            (None, Some(sub)) => {
                let mut changed = current;
                for_each_object(&mut changed, |members| unassign(members, sub, ScimError::mutability))?;
                put(container, attribute, changed)?;
            }
            (Some(filter), _) => {
                let sub = check_filter(attribute, filter, path.sub.as_deref())?;
                let mut kept = Vec::new();
                for element in elements(&current) {
                    if !element_matches(filter, element, attribute)? {
                        kept.push(element.clone());
                        continue;
                    }
                    let Some(sub) = sub else { continue };
                    let mut changed = element.clone();
                    for_each_object(&mut changed, |members| unassign(members, sub, ScimError::mutability))?;
                    if !is_unassigned(&changed) {
                        kept.push(changed);
                    }
                }
                let changed = if attribute.multi_valued {
                    Value::Array(kept)
                } else {
                    kept.into_iter().next().unwrap_or(Value::Null)
                };
                put(container, attribute, changed)?;
            }
        }
        self.drop_empty(extension, had_container);
        Ok(())
    }

    /// The members of the resource, or of an extension's container, which is created if need be.
    fn container(&mut self, extension: Option<&Schema>) -> Result<&mut Map<String, Value>, ScimError> {
        let Some(schema) = extension else { return Ok(&mut self.members) };
        if !self.has_container(extension) {
            set_member(&mut self.members, &schema.id, Value::Object(Map::new()));
        }
        member_mut(&mut self.members, &schema.id)
            .and_then(Value::as_object_mut)
            .ok_or_else(|| ScimError::new(500, format!("{} is no object", schema.id)))
    }

    fn has_container(&self, extension: Option<&Schema>) -> bool {
        extension.is_some_and(|schema| member(&self.members, &schema.id).is_some_and(Value::is_object))
    }

    /// Drops an extension's container if it holds nothing; from `schemas` too, if the operation emptied it.
    fn drop_empty(&mut self, extension: Option<&Schema>, had_container: bool) {
        let Some(schema) = extension.filter(|it| member(&self.members, &it.id).is_some_and(is_unassigned))
        else {
            return;
        };
        if had_container {
            self.drop_container(&schema.id);
        } else {
            remove_member(&mut self.members, &schema.id);
        }
    }

    fn drop_container(&mut self, urn: &str) {
        remove_member(&mut self.members, urn);
        let is_required = self.definition.extension(urn).is_some_and(|it| it.required);
        if !is_required && let Some(Value::Array(urns)) = member_mut(&mut self.members, "schemas") {
            urns.retain(|it| !it.as_str().is_some_and(|it| it.eq_ignore_ascii_case(urn)));
        }
    }

    /// The URIs that `schemas` lists.
    fn listed_schemas(&self) -> Vec<String> {
        let listed = member(&self.members, "schemas").map(elements).unwrap_or_default();
        listed.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Brings `schemas` and the containers of extensions together again after an operation: an extension that was
    /// taken out of `schemas` loses its container, one whose container came is listed.
    fn settle_schemas(&mut self, before: &[String]) -> Result<(), ScimError> {
        let listed = self.listed_schemas();
        let is_listed = |urn: &str| listed.iter().any(|it| it.eq_ignore_ascii_case(urn));
        let was_listed = |urn: &str| before.iter().any(|it| it.eq_ignore_ascii_case(urn));
        if let Some(strange) =
            listed.iter().find(|urn| !was_listed(urn) && !self.definition.knows_schema(urn))
        {
            return Err(ScimError::invalid_value(format!(
                "{strange} is no schema of {}",
                self.definition.name
            )));
        }
        if let Some(lost) = self.definition.required_schemas().find(|urn| was_listed(urn) && !is_listed(urn))
        {
            return Err(ScimError::mutability(format!("schemas must contain {lost}")));
        }
        for extension in &self.definition.extensions {
            let urn = extension.schema.id.as_str();
            let has_container = member(&self.members, urn).is_some_and(|it| !is_unassigned(it));
            if !has_container || is_listed(urn) {
                continue;
            }
            if was_listed(urn) {
                self.remove_extension(&extension.schema)?;
            } else if let Some(Value::Array(urns)) = member_mut(&mut self.members, "schemas") {
                urns.push(urn.into());
            }
        }
        Ok(())
    }
}
