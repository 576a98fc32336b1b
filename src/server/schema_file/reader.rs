//! From the JSON of a schema file to types that can be served. What the tolerant readers of
//! [`schema`](crate::scim::schema) let pass is refused here: a slip in one's own file should not be served.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::SchemaFile;
use crate::scim::names;
use crate::scim::problem::{Problem, join, json_type};
use crate::scim::resource::{get, member};
use crate::scim::schema::{
    Attribute, AttributeType, Mutability, ResourceType, Returned, Schema, SchemaExtension, SchemaSet,
    Uniqueness,
};
use crate::suite::nearest;

/// The segments below the base URL that are not free, beside the types' own.
const RESERVED: [&str; 6] = ["Me", "Bulk", "Schemas", "ResourceTypes", "ServiceProviderConfig", ".search"];

/// The names of the resource types of discovery itself.
const DISCOVERY_TYPES: [&str; 3] = ["ServiceProviderConfig", "ResourceType", "Schema"];

/// The schemas that describe discovery. No resource type can stand on them.
const DISCOVERY_SCHEMAS: [&str; 3] = [names::SERVICE_PROVIDER_CONFIG, names::RESOURCE_TYPE, names::SCHEMA];

/// Reads a document, and gathers what is wrong with it.
#[derive(Default)]
pub(super) struct Reader {
    file: SchemaFile,
    problems: Vec<Problem>,
}

impl Reader {
    /// The contents of a document.
    ///
    /// # Errors
    /// Each thing that is wrong, with its place; at least one.
    pub(super) fn read(document: &Value) -> Result<SchemaFile, Vec<Problem>> {
        let mut reader = Self::default();
        reader.document(document);
        if reader.problems.is_empty() { Ok(reader.file) } else { Err(reader.problems) }
    }

    fn report(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(place, message));
    }

    fn document(&mut self, document: &Value) {
        let Some(members) = document.as_object() else {
            let is = json_type(document);
            let form = r#"expected an object {"schemas": […], "resourceTypes": […]}"#;
            return self.report("", format!("the file holds {is}, {form}"));
        };
        for name in members.keys() {
            let known = ["schemas", "resourceTypes"];
            if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                let hint = nearest::suggestion(name, known).unwrap_or_default();
                self.report(name.as_str(), format!("is no member of a schema file; {hint}"));
            }
        }
        for (place, schema) in self.rows(members, "schemas", "id") {
            self.schema(&place, &schema);
        }
        for (place, resource_type) in self.rows(members, "resourceTypes", "name") {
            self.resource_type(&place, &resource_type);
        }
        if self.problems.is_empty() {
            self.note_unused();
        }
    }

    /// The elements of a member, each with its place: by a name that it has, else by its index.
    fn rows(&mut self, members: &Map<String, Value>, name: &str, called: &str) -> Vec<(String, Value)> {
        let list = match member(members, name) {
            None | Some(Value::Null) => return Vec::new(),
            Some(list @ Value::Array(_)) => list,
            Some(list @ Value::Object(_)) if get(list, "Resources").is_some_and(Value::is_array) => {
                get(list, "Resources").unwrap_or(list)
            }
            Some(other) => {
                let message =
                    format!("is {}, expected an array, or a ListResponse of them", json_type(other));
                self.report(name, message);
                return Vec::new();
            }
        };
        let place = |index: usize, row: &Value| match get(row, called).and_then(Value::as_str) {
            Some(text) => format!("{name}[{text}]"),
            None => format!("{name}[{index}]"),
        };
        let rows = list.as_array().into_iter().flatten().enumerate();
        rows.map(|(index, row)| (place(index, row), row.clone())).collect()
    }

    fn schema(&mut self, place: &str, value: &Value) {
        let id = get(value, "id").and_then(Value::as_str).unwrap_or_default();
        let parsed = Schema::from_json(value);
        if let Some(own) = SchemaSet::core().schema(id) {
            if parsed.value.is_none_or(|schema| schema.attributes != own.attributes) {
                let note = format!("{place} differs from the server's own schema, which stays as it is");
                self.file.notes.push(note);
            }
            return;
        }
        self.take(place, parsed.problems);
        let Some(mut schema) = parsed.value else { return };
        if !is_urn(&schema.id) {
            let message = format!("is {:?}, expected a URN such as urn:example:2.0:Device", schema.id);
            self.report(join(place, "id"), message);
        }
        if self.file.schemas.iter().any(|known| known.id.eq_ignore_ascii_case(&schema.id)) {
            return self.report(place, "is there more than once");
        }
        if schema.name.is_empty() {
            schema.name = schema.id.rsplit(':').next().unwrap_or_default().to_owned();
        }
        if schema.attributes.is_empty() {
            self.report(join(place, "attributes"), "is empty, expected at least one attribute");
        }
        for attribute in &mut schema.attributes {
            self.attribute(&format!("{place}.attributes[{}]", attribute.name), attribute, false);
        }
        self.file.schemas.push(schema);
    }

    fn take(&mut self, place: &str, problems: Vec<Problem>) {
        let placed = problems.into_iter().map(|it| Problem::new(join(place, &it.path), it.message));
        self.problems.extend(placed);
    }

    /// Checks that an attribute is one that can be kept to.
    fn attribute(&mut self, place: &str, attribute: &mut Attribute, is_sub: bool) {
        if !is_attribute_name(&attribute.name, is_sub) {
            let expected = "expected a letter, then letters, digits, - and _ (RFC 7643 section 2.1)";
            self.report(join(place, "name"), format!("is {:?}, {expected}", attribute.name));
        }
        let is_complex = attribute.kind == AttributeType::Complex;
        if is_complex && is_sub {
            let message =
                "is complex, but a complex attribute holds simple ones only (RFC 7643 section 2.3.8)";
            self.report(join(place, "type"), message);
        }
        if is_complex && attribute.sub_attributes.is_empty() {
            let message = "is missing: a complex attribute needs at least one (or was another type meant?)";
            self.report(join(place, "subAttributes"), message);
        }
        let has_values_to_share = is_complex || attribute.kind == AttributeType::Boolean;
        if has_values_to_share && attribute.uniqueness != Uniqueness::None {
            let message = format!(
                "is {}, but values of type {} cannot be unique; expected none",
                attribute.uniqueness, attribute.kind
            );
            self.report(join(place, "uniqueness"), message);
        }
        // Whatever the schema says: such values shall not be returned (RFC 7643 §7).
        if attribute.mutability == Mutability::WriteOnly {
            attribute.returned = Returned::Never;
        }
        for sub in &mut attribute.sub_attributes {
            self.attribute(&format!("{place}.subAttributes[{}]", sub.name), sub, true);
        }
    }

    fn resource_type(&mut self, place: &str, value: &Value) {
        let parsed = ResourceType::from_json(value);
        self.take(place, parsed.problems);
        let Some(mut read) = parsed.value else { return };
        if DISCOVERY_TYPES.iter().any(|name| name.eq_ignore_ascii_case(&read.name)) {
            let message = format!("is {:?}, which discovery itself uses; choose another name", read.name);
            return self.report(join(place, "name"), message);
        }
        let core = SchemaSet::core();
        let own = core.resource_types.iter().find(|own| own.name.eq_ignore_ascii_case(&read.name));
        match own {
            Some(own) => self.core_type(place, own, read),
            None => {
                let name = read.name.clone();
                if self.file.resource_types.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
                    return self.report(place, "is there more than once");
                }
                self.endpoint(place, &read.endpoint);
                if let Some(urn) = self.known_schema(&join(place, "schema"), &read.schema) {
                    read.schema = urn;
                }
                read.extensions = self.extensions(place, &read, &[]);
                // The id is what the documents' addresses end in, and the name is as good as any.
                read.id = Some(read.name.clone());
                read.endpoint = format!("/{}", read.endpoint.trim_matches('/'));
                self.file.resource_types.push(read);
            }
        }
    }

    /// User or Group: only further extensions are taken.
    fn core_type(&mut self, place: &str, own: &ResourceType, read: ResourceType) {
        for (member, own, read) in
            [("endpoint", own.endpoint_name(), read.endpoint_name()), ("schema", &own.schema, &read.schema)]
        {
            if !own.eq_ignore_ascii_case(read) {
                let name = &place[place.find('[').map_or(0, |at| at + 1)..].trim_end_matches(']');
                let message = format!("is {read:?}, but {name} is a type of the core, with {own:?}");
                self.report(join(place, member), format!("{message}; call yours otherwise"));
            }
        }
        for extension in self.extensions(place, &read, &own.extensions) {
            self.file.extensions.push((own.name.clone(), extension));
        }
    }

    fn endpoint(&mut self, place: &str, endpoint: &str) {
        let place = join(place, "endpoint");
        let segment = endpoint.strip_prefix('/').unwrap_or(endpoint);
        let segment = segment.strip_suffix('/').unwrap_or(segment);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if segment.is_empty() || !segment.bytes().all(fits) || segment.bytes().all(|byte| byte == b'.') {
            let message =
                format!("is {endpoint:?}, expected one segment below the base URL, such as /Devices");
            return self.report(place, message);
        }
        let is = |name: &str| name.eq_ignore_ascii_case(segment);
        if RESERVED.into_iter().any(is) {
            let message =
                format!("is {endpoint:?}, which SCIM reserves (RFC 7644 section 3.2); choose another");
            return self.report(place, message);
        }
        if SchemaSet::core().resource_types.iter().any(|own| is(own.endpoint_name())) {
            let message = format!("is {endpoint:?}, which a type of the core has; choose another");
            return self.report(place, message);
        }
        if self.file.resource_types.iter().any(|known| is(known.endpoint_name())) {
            self.report(place, format!("is {endpoint:?}, which another type has; choose another"));
        }
    }

    /// The URI of a schema that a resource can be made of, in the spelling of that schema.
    fn known_schema(&mut self, place: &str, urn: &str) -> Option<String> {
        let core = SchemaSet::core().schemas.iter();
        let known: Vec<String> = self
            .file
            .schemas
            .iter()
            .chain(core.filter(|schema| !DISCOVERY_SCHEMAS.contains(&schema.id.as_str())))
            .map(|schema| schema.id.clone())
            .collect();
        let found = known.iter().find(|known| known.eq_ignore_ascii_case(urn)).cloned();
        if found.is_none() {
            let hint = match nearest::suggestion(urn, known.iter().map(String::as_str)) {
                Some(hint) => hint,
                None => "add it to \"schemas\"".to_owned(),
            };
            self.report(place, format!("is {urn:?}, which is no schema of this file; {hint}"));
        }
        found
    }

    /// The extensions of a resource type that it does not have already.
    fn extensions(
        &mut self,
        place: &str,
        of: &ResourceType,
        present: &[SchemaExtension],
    ) -> Vec<SchemaExtension> {
        let mut seen: HashSet<String> = HashSet::from([of.schema.to_ascii_lowercase()]);
        let mut taken = Vec::new();
        for (index, extension) in of.extensions.iter().enumerate() {
            let place = format!("{place}.schemaExtensions[{index}].schema");
            if present.iter().any(|known| known.schema.eq_ignore_ascii_case(&extension.schema)) {
                continue;
            }
            let Some(schema) = self.known_schema(&place, &extension.schema) else { continue };
            if !seen.insert(schema.to_ascii_lowercase()) {
                self.report(place, format!("is {schema:?}, which the type has already"));
                continue;
            }
            taken.push(SchemaExtension { schema, required: extension.required });
        }
        taken
    }

    /// Notes schemas that nothing uses: somebody forgot to say where they belong.
    fn note_unused(&mut self) {
        let types = &self.file.resource_types;
        let extensions = types.iter().flat_map(|it| &it.extensions);
        let added = self.file.extensions.iter().map(|(_, extension)| extension);
        let used: HashSet<&str> = types
            .iter()
            .map(|it| it.schema.as_str())
            .chain(extensions.chain(added).map(|it| it.schema.as_str()))
            .collect();
        for schema in self.file.schemas.iter().filter(|schema| !used.contains(schema.id.as_str())) {
            let note = format!("schemas[{}] is listed, but no resource type uses it", schema.id);
            self.file.notes.push(note);
        }
    }
}

/// Whether a text has the form that references to a schema need: `urn:`, a namespace, and a name.
fn is_urn(text: &str) -> bool {
    let mut parts = text.split(':');
    parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn"))
        && parts.clone().count() >= 2
        && parts.all(|part| !part.is_empty())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\[]()<>".contains(&byte))
}

/// Whether a text is a name by the grammar of RFC 7643 §2.1; `$ref` is a sub-attribute's only.
fn is_attribute_name(name: &str, is_sub: bool) -> bool {
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (is_sub && name == "$ref")
        || (name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(rest))
}
