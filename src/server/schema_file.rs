//! `--schemas FILE`: resource types and extensions of the user's own, read as the discovery endpoints of a service
//! provider print them, and checked so strictly that every type which passes can be served.
//!
//! ```json
//! {"schemas": [{"id": "urn:…", "name": "…", "attributes": […]}], "resourceTypes": [{"name": "…", …}]}
//! ```
//!
//! Either member may be the list itself or the ListResponse around it. What the core has already (RFC 7643 §8.7) is
//! the server's own, and stays so: of the resource types User and Group, only further extensions are taken.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::kind::Kind;
use crate::scim::names;
use crate::scim::problem::{Problem, join, json_type};
use crate::scim::resource::{get, member};
use crate::scim::schema::{
    Attribute, AttributeType, Mutability, ResourceType, Returned, Schema, SchemaExtension, SchemaSet,
    Uniqueness,
};
use crate::suite::nearest;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The segments below the base URL that are not free, beside the types' own.
const RESERVED: [&str; 6] = ["Me", "Bulk", "Schemas", "ResourceTypes", "ServiceProviderConfig", ".search"];

/// The names of the resource types of discovery itself.
const DISCOVERY_TYPES: [&str; 3] = ["ServiceProviderConfig", "ResourceType", "Schema"];

/// The schemas that describe discovery. No resource type can stand on them.
const DISCOVERY_SCHEMAS: [&str; 3] = [names::SERVICE_PROVIDER_CONFIG, names::RESOURCE_TYPE, names::SCHEMA];

/// Resource types and extensions beside the core ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaFile {
    /// Schemas that the core does not have.
    schemas: Vec<Schema>,
    /// Resource types that the core does not have.
    resource_types: Vec<ResourceType>,
    /// Extensions of the resource types of the core, by their names.
    extensions: Vec<(String, SchemaExtension)>,
    notes: Vec<String>,
}

/// Why a schema file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaFileError {
    /// It cannot be read.
    #[error("cannot read the schemas in {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is too large to be one.
    #[error("{} is larger than {MAX_FILE} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no JSON.
    #[error("{file}:{line}:{column}: this is not JSON: {message}")]
    Syntax {
        /// What the file is called.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// It does not describe what can be served.
    #[error("{file} holds no schemas and resource types that can be served:{problems}")]
    Contents {
        /// What the file is called.
        file: String,
        /// Each thing that is wrong, with its place.
        problems: Problems,
    },
}

/// Things that are wrong with a file, each with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl SchemaFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is no JSON, or describes something that cannot be served; each spot is named.
    pub fn read(path: &Path) -> Result<SchemaFile, SchemaFileError> {
        use std::io::Read;
        let unreadable = |source| SchemaFileError::Unreadable { path: path.to_owned(), source };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let read = file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
        if read as u64 > MAX_FILE {
            return Err(SchemaFileError::TooLarge { path: path.to_owned() });
        }
        SchemaFile::parse(&text, &path.display().to_string())
    }

    /// Understands the text of a file; `name` is what messages call it.
    ///
    /// # Errors
    /// If it is no JSON, or describes something that cannot be served; each spot is named.
    pub fn parse(text: &str, name: &str) -> Result<SchemaFile, SchemaFileError> {
        let document: Value = serde_json::from_str(text).map_err(|error| SchemaFileError::Syntax {
            file: name.to_owned(),
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        })?;
        let mut reader = Reader::default();
        reader.document(&document);
        if reader.problems.is_empty() {
            Ok(reader.file)
        } else {
            Err(SchemaFileError::Contents { file: name.to_owned(), problems: Problems(reader.problems) })
        }
    }

    /// What is not wrong, but may not be meant: what the server keeps as its own, and what is of no use.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds everything to the core's set.
    pub(crate) fn add_to(&self, set: &mut SchemaSet) {
        set.schemas.extend(self.schemas.iter().cloned());
        for (name, extension) in &self.extensions {
            if let Some(core) = set.resource_types.iter_mut().find(|core| core.name == *name) {
                core.extensions.push(extension.clone());
            }
        }
        set.resource_types.extend(self.resource_types.iter().cloned());
    }

    /// The kinds of the further resource types.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.resource_types.iter().map(|it| Kind::custom(&it.name, it.endpoint_name(), &it.schema))
    }
}

#[derive(Default)]
struct Reader {
    file: SchemaFile,
    problems: Vec<Problem>,
}

impl Reader {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(document: Value) -> Result<SchemaFile, SchemaFileError> {
        SchemaFile::parse(&document.to_string(), "f.json")
    }

    fn device() -> Value {
        json!({"id": "urn:x:Device", "name": "Device", "attributes": [{"name": "serial", "type": "string"}]})
    }

    fn device_type() -> Value {
        json!({"name": "Device", "endpoint": "/Devices", "schema": "urn:x:Device"})
    }

    fn file(schemas: Value, resource_types: Value) -> Value {
        json!({"schemas": schemas, "resourceTypes": resource_types})
    }

    #[test]
    fn lists_and_list_responses_are_read() {
        let listed =
            |rows: Value| json!({"schemas": [names::LIST_RESPONSE], "totalResults": 1, "Resources": rows});
        let plain = parse(file(json!([device()]), json!([device_type()]))).unwrap();
        let wrapped = parse(file(listed(json!([device()])), listed(json!([device_type()])))).unwrap();
        assert_eq!(plain, wrapped);
        assert_eq!(plain.notes(), [""; 0]);
        let kinds: Vec<_> = plain.kinds().map(|kind| (kind.name(), kind.segment(), kind.schema())).collect();
        assert_eq!(kinds, [("Device", "Devices", "urn:x:Device")]);
    }

    #[test]
    fn what_the_server_itself_prints_adds_nothing() {
        let core = SchemaSet::core();
        let schemas: Vec<Value> = core.schemas.iter().map(Schema::to_json).collect();
        let types: Vec<Value> = core.resource_types.iter().map(ResourceType::to_json).collect();
        assert_eq!(parse(file(schemas.into(), types.into())).unwrap(), SchemaFile::default());
    }

    #[test]
    fn an_extension_of_user_is_taken_and_the_core_stays() {
        let user = json!({"name": "User", "endpoint": "/Users", "schema": names::USER, "schemaExtensions": [
            {"schema": names::ENTERPRISE_USER, "required": true}, {"schema": "URN:X:device", "required": true}
        ]});
        let schemas = json!([device(), {"id": names::USER, "attributes": []}, {"id": "urn:x:Spare", "attributes": [
            {"name": "a", "type": "string"}
        ]}]);
        let read = parse(file(schemas, json!([user]))).unwrap();
        assert_eq!(read.notes().len(), 2, "{:?}", read.notes());
        let mut set = SchemaSet::core().clone();
        read.add_to(&mut set);
        let extensions = &set.resource_type("User").unwrap().extensions;
        let shown: Vec<_> = extensions.iter().map(|it| (it.schema.as_str(), it.required)).collect();
        assert_eq!(shown, [(names::ENTERPRISE_USER, false), ("urn:x:Device", true)]);
    }

    #[test]
    fn each_slip_is_named_with_its_place() {
        let with = |member: &str, value: Value| {
            let mut changed = device_type();
            changed[member] = value;
            file(json!([device()]), json!([changed]))
        };
        let attribute =
            |attribute: Value| file(json!([{"id": "urn:x:D", "attributes": [attribute]}]), json!([]));
        let cases = [
            (json!([]), "the file holds an array, expected an object"),
            (json!({"schema": []}), "schema: is no member of a schema file; did you mean `schemas`?"),
            (json!({"schemas": 7}), "schemas: is a number, expected an array, or a ListResponse"),
            (
                with("endpoint", json!("/users")),
                "resourceTypes[Device].endpoint: is \"/users\", which a type",
            ),
            (
                with("endpoint", json!("/bulk/")),
                "resourceTypes[Device].endpoint: is \"/bulk/\", which SCIM reserves",
            ),
            (
                with("endpoint", json!("/a/b")),
                "resourceTypes[Device].endpoint: is \"/a/b\", expected one segment",
            ),
            (
                with("schema", json!("urn:x:Devise")),
                "resourceTypes[Device].schema: is \"urn:x:Devise\", which is no schema of this file; did you mean `urn:x:Device`?",
            ),
            (with("schema", json!(names::SCHEMA)), "which is no schema of this file"),
            (with("schema", Value::Null), "resourceTypes[Device].schema: is missing"),
            (with("name", json!("schema")), "resourceTypes[schema].name: is \"schema\", which discovery"),
            (
                with("name", json!("User")),
                "resourceTypes[User].endpoint: is \"Devices\", but User is a type of the core",
            ),
            (
                with("schemaExtensions", json!([{"schema": "urn:x:Device", "required": false}])),
                "schemaExtensions[0].schema: is \"urn:x:Device\", which the type has already",
            ),
            (
                with("schemaExtensions", json!([{"schema": "urn:y"}])),
                "schemaExtensions[0].required: is missing",
            ),
            (file(json!([device(), device()]), json!([])), "schemas[urn:x:Device]: is there more than once"),
            (
                file(json!([device()]), json!([device_type(), device_type()])),
                "resourceTypes[Device]: is there more than once",
            ),
            (
                file(json!([{"id": "Device", "attributes": []}]), json!([])),
                "schemas[Device].id: is \"Device\", expected a URN",
            ),
            (file(json!([{"attributes": []}]), json!([])), "schemas[0].id: is missing"),
            (file(json!([{"id": "urn:x:D"}]), json!([])), "schemas[urn:x:D].attributes: is missing"),
            (attribute(json!({"type": "string"})), "attributes[0].name: is missing"),
            (
                attribute(json!({"name": "a b", "type": "string"})),
                "attributes[a b].name: is \"a b\", expected a letter",
            ),
            (
                attribute(json!({"name": "a", "type": "strng"})),
                "attributes[a].type: is \"strng\", expected one of string",
            ),
            (
                attribute(json!({"name": "a", "type": "string", "mutability": "once"})),
                "attributes[a].mutability: is \"once\", expected one of readOnly",
            ),
            (
                attribute(json!({"name": "a", "type": "string", "required": "yes"})),
                "attributes[a].required: is \"yes\", expected true or false",
            ),
            (attribute(json!({"name": "a", "type": "complex"})), "attributes[a].subAttributes: is missing"),
            (
                attribute(json!({"name": "a", "type": "boolean", "uniqueness": "server"})),
                "attributes[a].uniqueness: is server",
            ),
            (
                attribute(
                    json!({"name": "a", "type": "complex", "subAttributes": [{"name": "b", "type": "complex", "subAttributes": [{"name": "c", "type": "string"}]}]}),
                ),
                "attributes[a].subAttributes[b].type: is complex",
            ),
        ];
        for (document, expected) in cases {
            let error = parse(document.clone()).expect_err(&document.to_string()).to_string();
            assert!(error.contains(expected), "{error}\nlacks {expected}");
        }
        let error = SchemaFile::parse("{\n  \"schemas\": [,]}", "f.json").unwrap_err();
        assert!(error.to_string().starts_with("f.json:2:15: this is not JSON"), "{error}");
    }

    #[test]
    fn what_is_write_only_is_never_returned() {
        let attribute = json!({"name": "pin", "type": "string", "mutability": "writeOnly"});
        let read = parse(file(json!([{"id": "urn:x:D", "attributes": [attribute]}]), json!([]))).unwrap();
        assert_eq!(read.schemas[0].attributes[0].returned, Returned::Never);
    }
}
