//! What the service provider claims, each claim with its evidence. Pure: it reads the answers that the probe
//! brought.
//!
//! A service provider without discovery, or with broken discovery, is tested all the same: what it does not say
//! is assumed, and the evidence says so.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::judge::Claims;
use crate::profile::PageSize;
use crate::scim::names;
use crate::scim::path::AttributePath;
use crate::scim::schema::{Mutability, ResourceType, SchemaSet};
use crate::suite::model::{CAPABILITIES, Capability, Requires};

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Whether the feature is there.
    pub supported: bool,
    /// Whether nobody claimed it, so that it is assumed.
    pub assumed: bool,
    /// Where that was read: `ServiceProviderConfig.sort.supported = false`.
    pub evidence: String,
}

/// An answer of discovery, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The status, if an answer came.
    pub status: Option<u16>,
    /// The body, if it is JSON.
    pub json: Option<Value>,
    /// What came, in words: `answered 404`, `answered 200 with text/html`.
    pub summary: String,
}

/// Limits of Bulk beyond these are left alone: the request that exceeds them would be a burden.
const HUGE_OPERATIONS: u64 = 10_000;
const HUGE_PAYLOAD: u64 = 10 << 20;

impl Answer {
    /// The JSON of a 200.
    pub fn success(&self) -> Option<&Value> {
        self.json.as_ref().filter(|json| self.status == Some(200) && (json.is_object() || json.is_array()))
    }
}

/// Everything that the probe asked.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// `/ServiceProviderConfig`.
    pub config: Answer,
    /// `/ResourceTypes`.
    pub resource_types: Answer,
    /// `/Schemas`.
    pub schemas: Answer,
    /// A query of the users' endpoint for one row.
    pub users: Option<Answer>,
    /// The same for groups; asked only where /ResourceTypes does not say.
    pub groups: Option<Answer>,
    /// The query of users without credentials, where there are credentials to leave out.
    pub anonymous: Option<Answer>,
    /// Whether credentials of a second tenant are configured.
    pub second: bool,
    /// The version of the protocol that the base URL ends in, where it does.
    pub version: Option<String>,
}

/// What the service provider claims.
#[derive(Debug, Clone)]
pub struct Capabilities {
    claims: BTreeMap<Capability, Claim>,
    schemas: SchemaSet,
    schemas_read: bool,
    schemas_summary: String,
    second: bool,
    /// The most rows of a list, where `filter.maxResults` says.
    pub max_results: Option<u64>,
    /// The most operations of a Bulk request, where `bulk.maxOperations` says.
    pub max_operations: Option<u64>,
    /// The largest Bulk request in bytes, where `bulk.maxPayloadSize` says.
    pub max_payload_size: Option<u64>,
    /// The types of its authentication schemes, the primary one first.
    pub authentication_schemes: Vec<String>,
    /// Where its documentation is, where `documentationUri` says.
    pub documentation: Option<String>,
    /// How pages are asked for and how long they are, where the profile says.
    pub page_size: Option<PageSize>,
    /// The hooks that the operator has configured.
    pub hooks: BTreeSet<String>,
}

impl Capabilities {
    /// Reads the answers. `schemas` are the service provider's own, completed from the core ones. The second value
    /// names what is wrong with the configuration.
    pub fn new(discovery: &Discovery, schemas: SchemaSet) -> (Capabilities, Vec<String>) {
        let mut problems = Vec::new();
        let config = discovery.config.success().filter(|config| config.is_object());
        if config.is_none() {
            problems.push(format!("/ServiceProviderConfig {}", discovery.config.summary));
        }
        let mut claims = BTreeMap::new();
        for &(_, capability) in CAPABILITIES {
            let claim = match feature(capability) {
                Some((member, default)) => {
                    configured(config, &discovery.config, member, default, &mut problems)
                }
                None => other(capability, config, discovery, &schemas),
            };
            claims.insert(capability, claim);
        }
        let number =
            |pointer: &str| config.and_then(|config| config.pointer(pointer)).and_then(Value::as_u64);
        let schemes = config.and_then(|config| config.get("authenticationSchemes")).and_then(Value::as_array);
        let mut schemes: Vec<&Value> = schemes.into_iter().flatten().collect();
        schemes.sort_by_key(|scheme| scheme.get("primary").and_then(Value::as_bool) != Some(true));
        let capabilities = Capabilities {
            claims,
            schemas_read: discovery.schemas.success().is_some(),
            schemas_summary: discovery.schemas.summary.clone(),
            second: discovery.second,
            // Who supports no filters says nothing by it.
            max_results: number("/filter/maxResults").filter(|_| {
                let filters = config.and_then(|config| config.pointer("/filter/supported"));
                filters != Some(&Value::Bool(false))
            }),
            max_operations: number("/bulk/maxOperations"),
            max_payload_size: number("/bulk/maxPayloadSize"),
            authentication_schemes: schemes
                .into_iter()
                .filter_map(|scheme| scheme.get("type")?.as_str().map(str::to_owned))
                .collect(),
            documentation: config
                .and_then(|config| config.get("documentationUri")?.as_str())
                .map(str::to_owned),
            schemas,
            page_size: None,
            hooks: BTreeSet::new(),
        };
        (capabilities, problems)
    }

    /// Whether what a suite requires is claimed.
    ///
    /// # Errors
    /// The evidence that it is not: `ServiceProviderConfig.sort.supported = false`.
    pub fn check(&self, requires: &Requires) -> Result<(), String> {
        self.evidence(requires).map(|_| ())
    }

    /// The claim about one feature.
    pub fn claim(&self, capability: Capability) -> Option<&Claim> {
        self.claims.get(&capability)
    }

    /// All claims, in the order of their names' table.
    pub fn claims(&self) -> impl Iterator<Item = (&'static str, &Claim)> {
        CAPABILITIES.iter().filter_map(|(name, capability)| Some((*name, self.claims.get(capability)?)))
    }

    /// The endpoint of the resource type with that core schema, such as `/Users`.
    pub fn endpoint(&self, resource_type: &str) -> Option<&str> {
        self.schemas.resource_type(resource_type).map(|found| found.endpoint.as_str())
    }

    /// The evidence for what is required, or against it.
    fn evidence(&self, requires: &Requires) -> Result<String, String> {
        match requires {
            Requires::Capability(capability) => match self.claims.get(capability) {
                Some(claim) if claim.supported => Ok(claim.evidence.clone()),
                Some(claim) => Err(claim.evidence.clone()),
                None => Err(format!("nothing is known about {}", capability.name())),
            },
            Requires::Attribute(path) => self.attribute(path),
            Requires::Writable(path) => self.writable(path),
            Requires::Schema(urn) => self.schema(urn),
            Requires::Principal(name) if name == "second" && self.second => {
                Ok("a second tenant's credentials are configured".to_owned())
            }
            Requires::Principal(name) => Err(format!("no credentials '{name}' are configured")),
            Requires::Hook(name) if self.hooks.contains(name) => {
                Ok(format!("the hook '{name}' is configured"))
            }
            Requires::Hook(name) => Err(missing_hook(name)),
            Requires::Not(inner) => match self.evidence(inner) {
                Ok(evidence) => Err(evidence),
                Err(evidence) => Ok(evidence),
            },
        }
    }

    /// As an attribute, whose mutability allows a change.
    fn writable(&self, text: &str) -> Result<String, String> {
        let evidence = self.attribute(text)?;
        let declared = text.split_once('.').and_then(|(kind, path)| {
            let path = AttributePath::parse(path).ok()?;
            Some(self.schemas.definition(kind)?.attribute(&path)?.mutability)
        });
        match declared {
            Some(Mutability::ReadOnly | Mutability::Immutable) => {
                let mutability = declared.map(|it| it.to_string()).unwrap_or_default();
                Err(format!("/Schemas declares {text} with mutability {mutability}"))
            }
            _ => Ok(evidence),
        }
    }

    /// `User.title`, `User.emails.type`, `User.urn:…:User:manager.value`.
    fn attribute(&self, text: &str) -> Result<String, String> {
        let Some((kind, path)) = text.split_once('.') else {
            return Err(format!("'{text}' names no attribute; write it like User.title"));
        };
        let Some(definition) = self.schemas.definition(kind) else {
            return Err(format!("/ResourceTypes lists no {kind}"));
        };
        let path =
            AttributePath::parse(path).map_err(|error| format!("'{path}' is no attribute: {error}"))?;
        // A part that a list has by default is not there where its declaration names others (RFC 7643 section 2.4).
        let whole = AttributePath { sub: None, ..path.clone() };
        let is_left_out = path.sub.as_ref().is_some_and(|part| {
            definition.attribute(&whole).is_some_and(|attribute| {
                !attribute.sub_attributes.is_empty() && attribute.sub_attribute(part).is_none()
            })
        });
        match definition.attribute(&path).filter(|_| !is_left_out) {
            Some(_) if self.schemas_read => Ok(format!("/Schemas defines {text}")),
            Some(_) => Ok(format!("{text} is assumed, since /Schemas {}", self.schemas_summary)),
            None => Err(format!("/Schemas defines no {text}")),
        }
    }

    fn schema(&self, urn: &str) -> Result<String, String> {
        let has = |kind: &ResourceType| {
            kind.schema.eq_ignore_ascii_case(urn)
                || kind.extensions.iter().any(|extension| extension.schema.eq_ignore_ascii_case(urn))
        };
        match self.schemas.resource_types.iter().find(|kind| has(kind)) {
            Some(kind) => Ok(format!("/ResourceTypes has it for {}", kind.name)),
            None => Err(format!("no resource type has the schema {urn}")),
        }
    }
}

impl Claims for Capabilities {
    fn check(&self, requires: &Requires) -> Result<(), String> {
        Capabilities::check(self, requires)
    }

    fn max_results(&self) -> Option<u64> {
        self.max_results
    }

    fn page_size(&self) -> Option<&PageSize> {
        self.page_size.as_ref()
    }
}

/// What is missing where a hook is, and where to put it.
pub fn missing_hook(name: &str) -> String {
    format!("the hook '{name}'; give it a command under [hooks.{name}] in scimspec.toml")
}

/// The member of ServiceProviderConfig that claims a feature, and what is assumed where nothing is said: what
/// nearly every service provider can do.
fn feature(capability: Capability) -> Option<(&'static str, bool)> {
    match capability {
        Capability::Patch => Some(("patch", true)),
        Capability::Filter => Some(("filter", true)),
        Capability::Bulk => Some(("bulk", false)),
        Capability::ChangePassword => Some(("changePassword", false)),
        Capability::Sort => Some(("sort", false)),
        Capability::Etag => Some(("etag", false)),
        _ => None,
    }
}

fn configured(
    config: Option<&Value>,
    answer: &Answer,
    member: &str,
    default: bool,
    problems: &mut Vec<String>,
) -> Claim {
    let assumed = |why: String| Claim {
        supported: default,
        assumed: true,
        evidence: format!("assumed {}, since {why}", if default { "supported" } else { "unsupported" }),
    };
    let Some(config) = config else {
        return assumed(format!("/ServiceProviderConfig {}", answer.summary));
    };
    let path = format!("ServiceProviderConfig.{member}.supported");
    match config.get(member).map(|feature| feature.get("supported").unwrap_or(feature)) {
        Some(Value::Bool(supported)) => {
            Claim { supported: *supported, assumed: false, evidence: format!("{path} = {supported}") }
        }
        Some(Value::String(text)) if matches!(text.to_ascii_lowercase().as_str(), "true" | "false") => {
            problems.push(format!("{path} is the text \"{text}\", no boolean"));
            let supported = text.eq_ignore_ascii_case("true");
            Claim { supported, assumed: false, evidence: format!("{path} = \"{text}\"") }
        }
        Some(_) => {
            problems.push(format!("{path} is no boolean"));
            assumed(format!("{path} is no boolean"))
        }
        None => {
            problems.push(format!("ServiceProviderConfig has no {member}"));
            assumed(format!("ServiceProviderConfig has no {member}"))
        }
    }
}

fn other(
    capability: Capability,
    config: Option<&Value>,
    discovery: &Discovery,
    schemas: &SchemaSet,
) -> Claim {
    let claim = |supported: bool, evidence: String| Claim { supported, assumed: false, evidence };
    let readable =
        |name: &str, answer: &Answer| claim(answer.success().is_some(), format!("{name} {}", answer.summary));
    match capability {
        Capability::ServiceProviderConfig => readable("/ServiceProviderConfig", &discovery.config),
        Capability::ResourceTypes => readable("/ResourceTypes", &discovery.resource_types),
        Capability::Schemas => readable("/Schemas", &discovery.schemas),
        Capability::Users => endpoint("User", names::USER, discovery, discovery.users.as_ref(), schemas),
        Capability::Groups => endpoint("Group", names::GROUP, discovery, discovery.groups.as_ref(), schemas),
        Capability::BulkMaxOperations => bulk_limit(config, "maxOperations", HUGE_OPERATIONS),
        Capability::BulkMaxPayloadSize => bulk_limit(config, "maxPayloadSize", HUGE_PAYLOAD),
        Capability::PageCursor | Capability::PageIndex => {
            let member = if capability == Capability::PageCursor { "cursor" } else { "index" };
            // RFC 9865 section 4: absent, paging is by index, as RFC 7644 has it.
            match config
                .and_then(|config| config.pointer(&format!("/pagination/{member}")))
                .and_then(Value::as_bool)
            {
                Some(supported) => {
                    claim(supported, format!("ServiceProviderConfig.pagination.{member} = {supported}"))
                }
                None => Claim {
                    supported: capability == Capability::PageIndex,
                    assumed: true,
                    evidence: format!("ServiceProviderConfig has no pagination.{member}"),
                },
            }
        }
        Capability::VersionedUrl => match &discovery.version {
            Some(version) => claim(true, format!("the base URL ends in /{version}")),
            None => claim(false, "the base URL ends in no version".to_owned()),
        },
        Capability::Authentication => match &discovery.anonymous {
            None => claim(false, "no credentials are configured".to_owned()),
            Some(answer) => {
                // Where credentials are configured, an answer without them is for the cases to judge.
                claim(true, format!("a query without credentials {}", answer.summary))
            }
        },
        // The rest are features of the configuration, which `feature` has taken.
        _ => claim(false, "nothing is known about it".to_owned()),
    }
}

/// A limit of Bulk, where Bulk is supported and the limit is known and not too large to be exceeded.
fn bulk_limit(config: Option<&Value>, name: &str, huge: u64) -> Claim {
    let claim = |supported: bool, evidence: String| Claim { supported, assumed: false, evidence };
    let bulk = config.and_then(|config| config.get("bulk"));
    if bulk.and_then(|bulk| bulk.get("supported")).and_then(Value::as_bool) != Some(true) {
        return claim(false, "bulk is not supported".to_owned());
    }
    let path = format!("ServiceProviderConfig.bulk.{name}");
    match bulk.and_then(|bulk| bulk.get(name)).and_then(Value::as_u64) {
        None | Some(0) => claim(false, format!("{path} says no limit")),
        Some(limit) if limit > huge => claim(false, format!("{path} = {limit}, too much to be exceeded")),
        Some(limit) => claim(true, format!("{path} = {limit}")),
    }
}

fn endpoint(
    name: &str,
    urn: &str,
    discovery: &Discovery,
    tried: Option<&Answer>,
    schemas: &SchemaSet,
) -> Claim {
    if discovery.resource_types.success().is_some() && !schemas.resource_types.is_empty() {
        let found = schemas
            .resource_types
            .iter()
            .find(|kind| kind.schema.eq_ignore_ascii_case(urn) || kind.name.eq_ignore_ascii_case(name));
        return match found {
            Some(kind) => Claim {
                supported: true,
                assumed: false,
                evidence: format!("/ResourceTypes lists {} at {}", kind.name, kind.endpoint),
            },
            None => Claim {
                supported: false,
                assumed: false,
                evidence: format!("/ResourceTypes lists no {name}"),
            },
        };
    }
    let path = format!("/{name}s");
    match tried {
        Some(answer) => {
            let absent = matches!(answer.status, None | Some(404 | 405 | 410 | 501));
            Claim {
                supported: !absent,
                assumed: true,
                evidence: format!("a query of {path} {}", answer.summary),
            }
        }
        None => Claim {
            supported: true,
            assumed: true,
            evidence: format!("assumed; nothing was asked of {path}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ok(json: Value) -> Answer {
        Answer { status: Some(200), json: Some(json), summary: "answered 200".to_owned() }
    }

    fn status(status: u16) -> Answer {
        Answer { status: Some(status), json: None, summary: format!("answered {status}") }
    }

    fn list(rows: Value) -> Value {
        json!({"schemas": [names::LIST_RESPONSE], "totalResults": 1, "Resources": rows})
    }

    fn discovery() -> Discovery {
        Discovery {
            config: ok(json!({
                "schemas": [names::SERVICE_PROVIDER_CONFIG], "patch": {"supported": true},
                "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
                "filter": {"supported": true, "maxResults": 200}, "changePassword": {"supported": false},
                "sort": {"supported": "false"}, "etag": {"supported": 1},
                "authenticationSchemes": [{"type": "httpbasic"}, {"type": "oauthbearertoken", "primary": true}]})),
            resource_types: ok(list(json!([{"name": "User", "endpoint": "/Users", "schema": names::USER,
                "schemaExtensions": [{"schema": names::ENTERPRISE_USER, "required": false}]}]))),
            schemas: ok(list(json!([{"id": names::USER, "name": "User", "attributes": [
                {"name": "userName", "type": "string"}, {"name": "emails", "type": "complex", "multiValued": true,
                "subAttributes": [{"name": "value", "type": "string"}]}]}]))),
            users: Some(status(200)),
            groups: None,
            anonymous: Some(status(401)),
            second: false,
            version: Some("v2".to_owned()),
        }
    }

    fn capabilities(discovery: &Discovery) -> (Capabilities, Vec<String>) {
        let set = SchemaSet::from_discovery(discovery.schemas.success(), discovery.resource_types.success());
        Capabilities::new(discovery, set.value.unwrap_or_default().or_core())
    }

    fn requires(capability: Capability) -> Requires {
        Requires::Capability(capability)
    }

    #[test]
    fn claims_carry_their_evidence() {
        let (capabilities, problems) = capabilities(&discovery());
        assert_eq!(capabilities.check(&requires(Capability::Patch)), Ok(()));
        for (capability, evidence) in [
            (Capability::Bulk, "ServiceProviderConfig.bulk.supported = false"),
            (Capability::Sort, "ServiceProviderConfig.sort.supported = \"false\""),
            (
                Capability::Etag,
                "assumed unsupported, since ServiceProviderConfig.etag.supported is no boolean",
            ),
            (Capability::Groups, "/ResourceTypes lists no Group"),
            (Capability::PageCursor, "ServiceProviderConfig has no pagination.cursor"),
        ] {
            assert_eq!(capabilities.check(&requires(capability)), Err(evidence.to_owned()));
        }
        for capability in
            [Capability::PageIndex, Capability::Users, Capability::Schemas, Capability::Authentication]
        {
            assert_eq!(capabilities.check(&requires(capability)), Ok(()), "{}", capability.name());
        }
        assert_eq!(capabilities.max_results, Some(200));
        assert_eq!(capabilities.authentication_schemes, ["oauthbearertoken", "httpbasic"]);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(capabilities.claims().count(), CAPABILITIES.len());
    }

    #[test]
    fn who_supports_no_filters_limits_none() {
        let limit = |supported: bool| {
            let config = ok(json!({"filter": {"supported": supported, "maxResults": 50}}));
            capabilities(&Discovery { config, ..discovery() }).0.max_results
        };
        assert_eq!((limit(true), limit(false)), (Some(50), None));
    }

    #[test]
    fn without_discovery_it_is_tested_all_the_same() {
        let none = Discovery {
            config: status(404),
            resource_types: status(404),
            schemas: status(404),
            users: Some(status(200)),
            groups: Some(status(404)),
            ..Discovery::default()
        };
        let (capabilities, problems) = capabilities(&none);
        let patch = capabilities.claim(Capability::Patch).unwrap();
        assert!(patch.supported && patch.assumed);
        assert_eq!(patch.evidence, "assumed supported, since /ServiceProviderConfig answered 404");
        assert!(capabilities.check(&requires(Capability::Users)).is_ok());
        assert_eq!(
            capabilities.check(&requires(Capability::Groups)),
            Err("a query of /Groups answered 404".to_owned())
        );
        assert_eq!(
            capabilities.check(&requires(Capability::Schemas)),
            Err("/Schemas answered 404".to_owned())
        );
        assert!(capabilities.check(&Requires::Attribute("User.title".to_owned())).is_ok());
        assert_eq!(problems, ["/ServiceProviderConfig answered 404"]);
    }

    #[test]
    fn attributes_schemas_principals_and_their_opposites() {
        let (capabilities, _) = capabilities(&discovery());
        let attribute = |path: &str| capabilities.check(&Requires::Attribute(path.to_owned()));
        assert_eq!(attribute("User.emails.value"), Ok(()));
        assert_eq!(attribute("User.emails.type"), Err("/Schemas defines no User.emails.type".to_owned()));
        assert_eq!(attribute("User.title"), Err("/Schemas defines no User.title".to_owned()));
        let writable = |path: &str| capabilities.check(&Requires::Writable(path.to_owned()));
        assert_eq!(writable("User.emails.value"), Ok(()));
        assert_eq!(writable("User.title"), Err("/Schemas defines no User.title".to_owned()));
        assert_eq!(writable("User.id"), Err("/Schemas declares User.id with mutability readOnly".to_owned()));
        assert_eq!(attribute("Device.x"), Err("/ResourceTypes lists no Device".to_owned()));
        assert!(attribute("title").is_err());
        let schema = |urn: &str| capabilities.check(&Requires::Schema(urn.to_owned()));
        assert_eq!(schema(names::ENTERPRISE_USER), Ok(()));
        assert!(schema(names::GROUP).is_err());
        let second = Requires::Principal("second".to_owned());
        assert_eq!(capabilities.check(&second), Err("no credentials 'second' are configured".to_owned()));
        assert_eq!(capabilities.check(&Requires::Not(Box::new(second))), Ok(()));
        assert_eq!(
            capabilities.check(&Requires::Not(Box::new(requires(Capability::Patch)))),
            Err("ServiceProviderConfig.patch.supported = true".to_owned())
        );
    }

    #[test]
    fn pages_by_cursor_when_it_says_so() {
        let mut discovery = discovery();
        if let Some(config) = discovery.config.json.as_mut() {
            config["pagination"] = json!({"cursor": true, "index": false});
        }
        let (capabilities, _) = capabilities(&discovery);
        assert!(capabilities.check(&requires(Capability::PageCursor)).is_ok());
        assert!(capabilities.check(&requires(Capability::PageIndex)).is_err());
    }

    #[test]
    fn authentication_is_what_credentials_are_for() {
        for (anonymous, supported) in [(Some(status(401)), true), (Some(status(200)), true), (None, false)] {
            let (capabilities, _) = capabilities(&Discovery { anonymous, ..discovery() });
            assert_eq!(capabilities.check(&requires(Capability::Authentication)).is_ok(), supported);
        }
    }
}
