//! Discovery: what the service provider says of itself (RFC 7643 §5–7, RFC 7644 §4), and what it leaves out.

use axum::http::header::ALLOW;
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{Rewrite, Seen};
use super::super::message::{Answer, Request};
use super::super::represent::Representer;
use super::super::rewrite::{
    count_rows, each_resource_type, each_schema, list, object, refuse, service_config, without,
};
use super::super::variant::VariantEntry;
use super::{choice, rewriting};
use crate::scim::list::ListResponse;
use crate::scim::names;
use crate::scim::schema::{
    Attribute, AttributeType, Mutability, Returned, Schema, SchemaExtension, SchemaSet,
};
use Rewrite::{Answer as At, Request as Before};

/// The schema of a resource type that no client here knows.
const DEVICE: &str = "urn:example:params:scim:schemas:fleet:2.0:Device";
/// An extension of Group that no client here knows.
const TEAM: &str = "urn:example:params:scim:schemas:extension:2.0:Team";
/// An extension of User that no client here knows.
const BADGE: &str = "urn:example:params:scim:schemas:extension:badge:2.0:User";

pub(super) const VARIANTS: &[VariantEntry] = &[
    // --- the documents -----------------------------------------------------------------------------------------
    rewriting(
        "service-config-without-meta",
        &["AMB-12"],
        "/ServiceProviderConfig has no meta.",
        "RFC 7643 section 3.1: the common attributes are not demanded of it",
        &[At(|seen, answer| without(service_config(seen, answer), &["meta"]))],
    ),
    rewriting(
        "resource-types-without-meta",
        &["AMB-12"],
        "The resource types have no meta.",
        "RFC 7643 section 3.1: the common attributes are not demanded of them",
        &[At(|seen, answer| each_resource_type(seen, answer, |it| without(Some(it), &["meta"])))],
    ),
    rewriting(
        "schemas-without-meta",
        &["AMB-12"],
        "The schemas have no meta.",
        "RFC 7643 section 7: the representation printed in section 8.7 has it, and no sentence demands it; a warning",
        &[At(|seen, answer| each_schema(seen, answer, |it| without(Some(it), &["meta"])))],
    ),
    rewriting(
        "discovery-without-times",
        &["AMB-12"],
        "meta of the discovery documents has resourceType and location only.",
        "RFC 7643 section 8.7: the printed documents have no times",
        &[At(|seen, answer| {
            without(meta(service_config(seen, answer)), &["created", "lastModified"]);
            each_schema(seen, answer, |it| without(meta(Some(it)), &["created", "lastModified"]));
            each_resource_type(seen, answer, |it| without(meta(Some(it)), &["created", "lastModified"]));
        })],
    ),
    rewriting(
        "discovery-with-relative-locations",
        &["AMB-13"],
        "meta.location of the discovery documents is /v2/Schemas/…, without a host.",
        "RFC 7643 section 8.7 prints them so",
        &[At(|seen, answer| {
            let base = seen.base.to_owned();
            let shorten = |document: Option<&mut Map<String, Value>>| {
                if let Some(Value::String(location)) =
                    meta(document).and_then(|meta| meta.get_mut("location"))
                {
                    *location = location.replace(&base, "/v2");
                }
            };
            shorten(service_config(seen, answer));
            each_schema(seen, answer, |it| shorten(Some(it)));
            each_resource_type(seen, answer, |it| shorten(Some(it)));
        })],
    ),
    rewriting(
        "resource-types-without-id",
        &["AMB-44"],
        "The resource types have no id; they are looked up by name.",
        "RFC 7643 section 6: id is optional",
        &[At(|seen, answer| each_resource_type(seen, answer, |it| without(Some(it), &["id"])))],
    ),
    rewriting(
        "resource-type-ids-of-their-own",
        &["AMB-44"],
        "The id of a resource type is not its name, and it is looked up by the id alone.",
        "RFC 7643 section 6: id is the service provider's choice; RFC 7644 section 3.4.1: a resource is read by its id",
        &[
            Before(|request| {
                let wanted = match Endpoint::of(request.base_path, &request.path, &[]) {
                    Endpoint::ResourceType(id) => id,
                    _ => return,
                };
                let name = wanted.strip_prefix("type-").and_then(|name| match name {
                    "user" => Some("User"),
                    "group" => Some("Group"),
                    _ => None,
                });
                let base = request.path.trim_end_matches(&wanted).to_owned();
                request.path = base + name.unwrap_or("none");
            }),
            At(|seen, answer| {
                each_resource_type(seen, answer, |it| {
                    let name = it.get("name").and_then(Value::as_str).unwrap_or_default();
                    let id = format!("type-{}", name.to_lowercase());
                    if let Some(Value::String(location)) =
                        meta(Some(it)).and_then(|it| it.get_mut("location"))
                        && let Some((base, _)) = location.rsplit_once('/')
                    {
                        *location = format!("{base}/{id}");
                    }
                    it.insert("id".to_owned(), id.into());
                });
            }),
        ],
    ),
    rewriting(
        "endpoints-without-slash",
        &["AMB-44"],
        "The endpoint of a resource type is Users, not /Users.",
        "RFC 7643 section 6: its own example is Users",
        &[At(|seen, answer| {
            each_endpoint(seen, answer, |endpoint| endpoint.trim_start_matches('/').to_owned());
        })],
    ),
    rewriting(
        "endpoints-with-slash-at-the-end",
        &["AMB-44"],
        "The endpoint of a resource type is /Users/.",
        "RFC 7643 section 6: endpoint is a URI relative to the base URL, in no fixed form",
        &[At(|seen, answer| each_endpoint(seen, answer, |endpoint| format!("{endpoint}/")))],
    ),
    rewriting(
        "endpoints-with-host",
        &["AMB-44"],
        "The endpoint of a resource type is an absolute URL.",
        "RFC 7643 section 6: a reference of type uri; a warning at most",
        &[At(|seen, answer| {
            let base = seen.base.to_owned();
            each_endpoint(seen, answer, |endpoint| format!("{base}{endpoint}"));
        })],
    ),
    rewriting(
        "schemas-of-resources-only",
        &["AMB-43"],
        "/Schemas lists User, Group and the extension, but not the schemas of discovery itself.",
        "RFC 7644 section 4: whether those are listed is left open",
        &[At(|seen, answer| {
            const OF_DISCOVERY: [&str; 3] =
                [names::SERVICE_PROVIDER_CONFIG, names::RESOURCE_TYPE, names::SCHEMA];
            if let Endpoint::Schema(id) = seen.endpoint
                && OF_DISCOVERY.contains(&id.as_str())
                && answer.status == StatusCode::OK
            {
                refuse(answer, StatusCode::NOT_FOUND, None, "there is no such schema");
            }
            if let Some(schemas) = list(seen, answer, &Endpoint::Schemas) {
                schemas.retain(|schema| {
                    schema.get("id").and_then(Value::as_str).is_none_or(|id| !OF_DISCOVERY.contains(&id))
                });
                count_rows(answer);
            }
        })],
    ),
    rewriting(
        "discovery-without-descriptions",
        &[],
        "Schemas and resource types have no description, and schemas no name.",
        "RFC 7643 sections 6 and 7: description is optional, and so is the name of a schema",
        &[At(|seen, answer| {
            each_schema(seen, answer, |schema| {
                without(Some(schema), &["name", "description"]);
                each_declared(schema, |attribute| without(Some(attribute), &["description"]));
            });
            each_resource_type(seen, answer, |it| without(Some(it), &["description"]));
        })],
    ),
    rewriting(
        "characteristics-by-default",
        &["AMB-29"],
        "Schemas leave out each characteristic that has its default value.",
        "RFC 7643 section 2.2: what is not specified has the default",
        &[At(|seen, answer| {
            each_schema(seen, answer, |schema| {
                each_declared(schema, |attribute| {
                    let defaults = [
                        ("multiValued", json!(false)),
                        ("required", json!(false)),
                        ("caseExact", json!(false)),
                        ("mutability", json!("readWrite")),
                        ("returned", json!("default")),
                        ("uniqueness", json!("none")),
                    ];
                    for (name, default) in defaults {
                        if attribute.get(name) == Some(&default) {
                            attribute.shift_remove(name);
                        }
                    }
                });
            });
        })],
    ),
    rewriting(
        "references-declared-case-exact",
        &["AMB-28"],
        "Schemas declare references case-exact.",
        "RFC 7643 section 2.3.7: references are case-exact, whatever the printed schemas say",
        &[At(|seen, answer| {
            each_schema(seen, answer, |schema| {
                each_declared(schema, |attribute| {
                    if attribute.get("type").and_then(Value::as_str) == Some("reference") {
                        attribute.insert("caseExact".to_owned(), true.into());
                    }
                });
            });
        })],
    ),
    rewriting(
        "documentation-given",
        &[],
        "/ServiceProviderConfig names its documentation, and two ways to authenticate.",
        "RFC 7643 section 5: documentationUri and several authentication schemes are allowed",
        &[At(|seen, answer| {
            if let Some(config) = service_config(seen, answer) {
                config.insert("documentationUri".to_owned(), "https://docs.example.com/scim".into());
                if let Some(Value::Array(schemes)) = config.get_mut("authenticationSchemes") {
                    schemes.push(json!({
                        "type": "httpbasic",
                        "name": "HTTP Basic",
                        "description": "A name and a password",
                        "documentationUri": "https://docs.example.com/basic",
                    }));
                }
            }
        })],
    ),
    rewriting(
        "authentication-of-another-kind",
        &["AMB-46"],
        "The only authentication scheme is of type tls-client-certificate.",
        "RFC 7643 section 5: the types named there are defined, and no others excluded; a warning",
        &[At(|seen, answer| {
            if let Some(config) = service_config(seen, answer) {
                config.insert(
                    "authenticationSchemes".to_owned(),
                    json!([{ "type": "tls-client-certificate", "name": "TLS", "description": "A certificate" }]),
                );
            }
        })],
    ),
    rewriting(
        "authentication-not-said",
        &["AMB-46"],
        "authenticationSchemes is an empty list.",
        "RFC 7643 section 5: the attribute is required, a scheme in it is not; a warning",
        &[At(|seen, answer| {
            if let Some(config) = service_config(seen, answer) {
                config.insert("authenticationSchemes".to_owned(), json!([]));
            }
        })],
    ),
    rewriting(
        "paging-not-said",
        &[],
        "/ServiceProviderConfig has no pagination.",
        "RFC 9865 section 4: the attribute is for those that support its RFC; RFC 7643 section 5 has none",
        &[At(|seen, answer| without(service_config(seen, answer), &["pagination"]))],
    ),
    // --- parameters of discovery -------------------------------------------------------------------------------
    rewriting(
        "discovery-filter-ignored",
        &["AMB-41"],
        "A filter on a discovery endpoint is ignored.",
        "RFC 7644 section 4: query parameters are to be ignored there; the 403 is a SHOULD; a warning",
        &[Before(without_filter)],
    ),
    rewriting(
        "discovery-filter-applied",
        &["AMB-41"],
        "A filter on a discovery endpoint finds nothing, and an empty list is the answer.",
        "RFC 7644 section 4: the 403 is a SHOULD; a warning",
        &[At(|seen, answer| {
            let is_list = matches!(seen.endpoint, Endpoint::Schemas | Endpoint::ResourceTypes);
            if is_list && seen.request.parameter("filter").is_some() && answer.status == StatusCode::FORBIDDEN
            {
                *answer = Answer::json(StatusCode::OK, ListResponse::complete(Vec::new()).to_json());
            }
        })],
    ),
    rewriting(
        "discovery-filter-as-bad-request",
        &["AMB-41"],
        "A filter on a discovery endpoint is answered with 400 invalidFilter.",
        "RFC 7644 section 4: the 403 is a SHOULD; section 3.4.2.2; a warning",
        &[At(|seen, answer| {
            let has_filter = seen.endpoint.is_discovery() && seen.request.parameter("filter").is_some();
            if has_filter && answer.status == StatusCode::FORBIDDEN {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidFilter"), "no filter here");
            }
        })],
    ),
    rewriting(
        "discovery-lists-without-numbers",
        &["AMB-51"],
        "The lists of discovery have neither startIndex nor itemsPerPage.",
        "RFC 7644 section 3.4.2: the two are demanded of partial lists only",
        &[At(|seen, answer| {
            if seen.endpoint.is_discovery()
                && let Some(body) = object(answer)
                && body.contains_key("Resources")
            {
                without(Some(body), &["startIndex", "itemsPerPage"]);
            }
        })],
    ),
    // --- what is not supported ---------------------------------------------------------------------------------
    rewriting(
        "patch-unsupported",
        &["AMB-04"],
        "patch.supported is false, and PATCH is answered with 501.",
        "RFC 7643 section 5 and RFC 7644 section 3.5.2: PATCH is optional",
        &[Before(no_patch), At(|seen, answer| refuse_patch(seen, answer, StatusCode::NOT_IMPLEMENTED))],
    ),
    rewriting(
        "patch-unsupported-not-allowed",
        &["AMB-04"],
        "patch.supported is false, and PATCH is answered with 405.",
        "RFC 7644 section 3.5.2: PATCH is optional; RFC 9110 section 15.5.6; a warning",
        &[
            Before(no_patch),
            At(|seen, answer| {
                refuse_patch(seen, answer, StatusCode::METHOD_NOT_ALLOWED);
                if answer.status == StatusCode::METHOD_NOT_ALLOWED {
                    answer.set_header(ALLOW, "GET, PUT, DELETE");
                }
            }),
        ],
    ),
    rewriting(
        "patch-unsupported-yet-works",
        &["AMB-04"],
        "patch.supported is false, yet PATCH works.",
        "RFC 7643 section 5: no sentence forbids to do more than is claimed",
        &[At(|seen, answer| claim_no(seen, answer, "patch"))],
    ),
    rewriting(
        "bulk-unsupported",
        &["AMB-04"],
        "bulk.supported is false, and a bulk job is answered with 501.",
        "RFC 7643 section 5 and RFC 7644 section 3.7: bulk operations are optional; section 3.12 table 8",
        &[
            Before(no_bulk),
            At(|seen, answer| {
                claim_no(seen, answer, "bulk");
                if seen.request.path.ends_with(NO_BULK) && answer.status == StatusCode::NOT_FOUND {
                    refuse(answer, StatusCode::NOT_IMPLEMENTED, None, "there are no bulk operations");
                }
            }),
        ],
    ),
    rewriting(
        "bulk-unsupported-not-found",
        &["AMB-04"],
        "bulk.supported is false, and there is no endpoint for bulk jobs.",
        "RFC 7644 section 3.7: bulk operations are optional; RFC 9110 section 15.5.5; a warning",
        &[Before(no_bulk), At(|seen, answer| claim_no(seen, answer, "bulk"))],
    ),
    rewriting(
        "sort-unsupported",
        &["AMB-04"],
        "sort.supported is false, and sortBy is ignored.",
        "RFC 7643 section 5 and RFC 7644 section 3.4.2.3: sorting is optional",
        &[Rewrite::Query(|query| query.sort_by = None), At(|seen, answer| claim_no(seen, answer, "sort"))],
    ),
    rewriting(
        "sort-unsupported-refused",
        &["AMB-04"],
        "sort.supported is false, and a request with sortBy is refused with 400.",
        "RFC 7643 section 5: sorting is optional; RFC 7644 section 3.4.2.3 does not say how it is declined",
        &[At(|seen, answer| {
            claim_no(seen, answer, "sort");
            let asks = seen.request.parameter("sortBy").is_some();
            if asks && !seen.endpoint.is_discovery() && answer.status.is_success() {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "there is no sorting");
            }
        })],
    ),
    rewriting(
        "filter-unsupported",
        &["AMB-04"],
        "filter.supported is false, and a request with a filter is refused with 400 invalidFilter.",
        "RFC 7643 section 5 and RFC 7644 section 3.4.2.2: filtering is optional",
        &[
            Rewrite::Filter(|filter| {
                filter.parsed = Err(crate::scim::error::ScimError::invalid_filter("there is no filtering"));
            }),
            At(|seen, answer| {
                if let Some(config) = service_config(seen, answer) {
                    config.insert("filter".to_owned(), json!({ "supported": false, "maxResults": 0 }));
                }
            }),
        ],
    ),
    rewriting(
        "filter-unsupported-yet-works",
        &["AMB-04", "AMB-61"],
        "filter.supported is false, yet filters work.",
        "RFC 7643 section 5: no sentence forbids to do more than is claimed",
        &[At(|seen, answer| claim_no(seen, answer, "filter"))],
    ),
    rewriting(
        "change-password-unsupported",
        &["AMB-33"],
        "changePassword.supported is false.",
        "RFC 7643 section 5: changing passwords is optional",
        &[At(|seen, answer| claim_no(seen, answer, "changePassword"))],
    ),
    rewriting(
        "groups-unsupported",
        &["AMB-34", "AMB-35"],
        "There are users only: no /Groups, no type Group, no schema for it, and users have no groups.",
        "RFC 7643 section 6: the resource types are the service provider's choice; RFC 7644 section 3.2",
        &[
            Before(|request| request.path = request.path.replace("/Groups", "/Nowhere")),
            At(|seen, answer| {
                let is_group = |row: &Value| {
                    row.get("name").and_then(Value::as_str) == Some("Group")
                        || row.get("id").and_then(Value::as_str) == Some(names::GROUP)
                };
                for endpoint in [Endpoint::Schemas, Endpoint::ResourceTypes] {
                    if let Some(rows) = list(seen, answer, &endpoint) {
                        rows.retain(|row| !is_group(row));
                        count_rows(answer);
                    }
                }
                if seen.endpoint.is_discovery() && answer.body().is_some_and(is_group) {
                    refuse(answer, StatusCode::NOT_FOUND, None, "there are users only");
                }
                each_schema(seen, answer, |schema| {
                    if let Some(Value::Array(attributes)) = schema.get_mut("attributes") {
                        attributes.retain(|it| it.get("name").and_then(Value::as_str) != Some("groups"));
                    }
                });
            }),
        ],
    ),
    // --- other attributes --------------------------------------------------------------------------------------
    choice(
        "enterprise-extension-unsupported",
        &["AMB-29"],
        "There is no enterprise extension; its attributes are ignored.",
        "RFC 7643 section 4.3: the extension is optional",
        |behaviour| {
            behaviour.schemas.push(|set| {
                set.schemas.retain(|schema| schema.id != names::ENTERPRISE_USER);
                for kind in &mut set.resource_types {
                    kind.extensions.clear();
                }
            });
        },
    ),
    choice(
        "few-attributes",
        &["AMB-29"],
        "A user has userName, name, displayName, active, emails and a password, and nothing else.",
        "RFC 7643 section 4.1: all attributes but userName are optional; section 8.7.1: the schemas may change",
        |behaviour| {
            behaviour.schemas.push(|set| {
                keep(set, &["userName", "name", "displayName", "active", "emails", "groups", "password"]);
            });
        },
    ),
    choice(
        "fewest-attributes",
        &["AMB-29"],
        "A user has userName, active and groups, and nothing else.",
        "RFC 7643 section 4.1: all attributes but userName are optional; section 8.7.1: the schemas may change",
        |behaviour| behaviour.schemas.push(|set| keep(set, &["userName", "active", "groups"])),
    ),
    choice(
        "no-active",
        &["AMB-29"],
        "A user has no active.",
        "RFC 7643 section 4.1.1: active is optional; section 8.7.1: the schemas may change",
        |behaviour| behaviour.schemas.push(|set| drop_attributes(set, names::USER, &["active"])),
    ),
    choice(
        "passwords-unsupported",
        &["AMB-29", "AMB-33"],
        "A user has no password.",
        "RFC 7643 section 4.1.1: password is optional",
        |behaviour| behaviour.schemas.push(|set| drop_attributes(set, names::USER, &["password"])),
    ),
    choice(
        "names-undivided",
        &["AMB-29"],
        "name has formatted only, and emails have value, type and primary.",
        "RFC 7643 section 4.1: sub-attributes are optional; section 8.7.1: the schemas may change",
        |behaviour| {
            behaviour.schemas.push(|set| {
                drop_parts(set, names::USER, "name", |part| part != "formatted");
                drop_parts(set, names::USER, "emails", |part| part == "display");
            });
        },
    ),
    choice(
        "emails-without-type",
        &["AMB-29"],
        "emails have a value and primary, as /Schemas says, and the type that a client sends is dropped.",
        "RFC 7643 section 2.4: the sub-attributes named there are those of an attribute that does not define its own",
        |behaviour| {
            behaviour.schemas.push(|set| {
                drop_parts(set, names::USER, "emails", |part| !matches!(part, "value" | "primary"));
            });
        },
    ),
    choice(
        "members-without-display-declared",
        &["AMB-26"],
        "Schemas declare members without display and addresses without primary.",
        "RFC 7643 section 8.7.1 as printed; errata 6005 and 6011 add them",
        |behaviour| {
            behaviour.schemas.push(|set| {
                drop_parts(set, names::GROUP, "members", |part| part == "display");
                drop_parts(set, names::USER, "addresses", |part| part == "primary");
            });
        },
    ),
    choice(
        "display-name-required",
        &["AMB-29", "AMB-38"],
        "A user must have a displayName, as /Schemas says.",
        "RFC 7643 section 8.7.1: the characteristics may change; section 7: required",
        |behaviour| behaviour.demands.required.push("displayName".to_owned()),
    ),
    choice(
        "names-and-addresses-required",
        &["AMB-29", "AMB-38"],
        "A user must have name.familyName, name.givenName and emails, as /Schemas says.",
        "RFC 7643 section 8.7.1: the characteristics may change; section 7: required",
        |behaviour| {
            behaviour
                .demands
                .required
                .extend(["name.familyName", "name.givenName", "emails", "emails.value"].map(str::to_owned));
        },
    ),
    VariantEntry {
        settle: Some(|behaviour| {
            behaviour.schemas.push(|set| {
                declare(set, names::GROUP, "members", |attribute| attribute.returned = Returned::Request);
            });
        }),
        ..rewriting(
            "members-on-request",
            &["AMB-29", "AMB-37"],
            "A group shows its members only where attributes names them, and where a write named them, as /Schemas says.",
            "RFC 7643 section 8.7.1: the characteristics may change; section 7: returned, request",
            &[At(|seen, answer| {
                let is_write = matches!(seen.request.method, Method::POST | Method::PUT | Method::PATCH);
                let is_projected = ["attributes", "excludedAttributes"]
                    .iter()
                    .any(|parameter| seen.request.parameter(parameter).is_some());
                let names_them = String::from_utf8_lossy(&seen.request.body).contains("members");
                if !(is_write && answer.status.is_success() && names_them) || is_projected {
                    return;
                }
                if let Some(body) = object(answer)
                    && let Some(record) =
                        body.get("id").and_then(Value::as_str).and_then(|id| seen.store.get(id))
                    && record.kind == Kind::Group
                {
                    let mut group = Representer { store: seen.store, base: seen.base }.resource(record);
                    if let Some(members) = group.get_mut("members") {
                        body.insert("members".to_owned(), members.take());
                    }
                }
            })],
        )
    },
    choice(
        "groups-of-users-on-request",
        &["AMB-29", "AMB-34", "AMB-37"],
        "A user shows its groups only where attributes names them, as /Schemas says.",
        "RFC 7643 section 8.7.1: the characteristics may change; section 7: returned, request",
        |behaviour| {
            behaviour.schemas.push(|set| {
                declare(set, names::USER, "groups", |attribute| attribute.returned = Returned::Request);
            });
        },
    ),
    choice(
        "user-name-immutable",
        &["AMB-29", "AMB-94"],
        "A userName stays as it is, as /Schemas says: another one is answered with 400 mutability.",
        "RFC 7643 section 8.7.1: the characteristics may change; section 7: mutability, immutable",
        |behaviour| {
            behaviour.schemas.push(|set| {
                declare(set, names::USER, "userName", |attribute| {
                    attribute.mutability = Mutability::Immutable
                });
            });
        },
    ),
    choice(
        "extensions-of-its-own",
        &["AMB-43"],
        "User and Group have extensions that nobody else knows, and users show theirs.",
        "RFC 7643 section 3.3: a service provider may extend its resource types",
        |behaviour| {
            behaviour.schemas.push(|set| {
                for (kind, urn, attribute) in [("Group", TEAM, "costCode"), ("User", BADGE, "badge")] {
                    set.schemas.push(schema(urn, attribute));
                    for it in set.resource_types.iter_mut().filter(|it| it.name == kind) {
                        it.extensions.push(SchemaExtension { schema: urn.to_owned(), required: false });
                    }
                }
            });
        },
    ),
    rewriting(
        "another-resource-type",
        &["AMB-43", "AMB-44"],
        "There is a resource type Device at /Devices too, with no resource in it.",
        "RFC 7643 section 6: the resource types are the service provider's choice",
        &[At(|seen, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                return;
            }
            let path = seen.request.path.trim_end_matches('/');
            if *seen.endpoint == Endpoint::Unknown && path.ends_with("/scim/v2/Devices") {
                *answer = match seen.request.method {
                    Method::GET => Answer::json(StatusCode::OK, ListResponse::complete(Vec::new()).to_json()),
                    _ => Answer::empty(StatusCode::FORBIDDEN),
                };
                if answer.status == StatusCode::FORBIDDEN {
                    refuse(answer, StatusCode::FORBIDDEN, None, "devices are not made by clients");
                }
            }
            let mut device = schema(DEVICE, "serial").to_json();
            device["meta"] = json!({
                "resourceType": "Schema", "location": format!("{}/Schemas/{DEVICE}", seen.base),
            });
            let kind = json!({
                "schemas": [names::RESOURCE_TYPE],
                "id": "Device",
                "name": "Device",
                "endpoint": "/Devices",
                "schema": DEVICE,
                "meta": {
                    "resourceType": "ResourceType", "location": format!("{}/ResourceTypes/Device", seen.base),
                },
            });
            match seen.endpoint {
                Endpoint::Schema(id) if id == DEVICE => *answer = Answer::json(StatusCode::OK, device),
                Endpoint::ResourceType(id) if id == "Device" => *answer = Answer::json(StatusCode::OK, kind),
                _ => {
                    for (endpoint, document) in [(Endpoint::Schemas, device), (Endpoint::ResourceTypes, kind)]
                    {
                        if let Some(rows) = list(seen, answer, &endpoint) {
                            rows.push(document);
                            count_rows(answer);
                        }
                    }
                }
            }
        })],
    ),
    // The last, since pages are cut from lists that are whole.
    rewriting(
        "discovery-in-pages",
        &["AMB-41"],
        "startIndex and count are obeyed at /Schemas and /ResourceTypes.",
        "RFC 7644 section 4: the parameters are to be ignored there; a warning, because the pages are right",
        &[At(|seen, answer| {
            let number = |name| seen.request.parameter(name).and_then(|text| text.parse::<usize>().ok());
            let (start, count) = (number("startIndex"), number("count"));
            if !matches!(seen.endpoint, Endpoint::Schemas | Endpoint::ResourceTypes)
                || (start.is_none() && count.is_none())
            {
                return;
            }
            let start = start.unwrap_or(1).max(1);
            let Some(body) = object(answer) else { return };
            if let Some(Value::Array(rows)) = body.get_mut("Resources") {
                *rows = rows.iter().skip(start - 1).take(count.unwrap_or(usize::MAX)).cloned().collect();
                let length = rows.len();
                body.insert("itemsPerPage".to_owned(), length.into());
                body.insert("startIndex".to_owned(), start.into());
            }
        })],
    ),
];

fn meta(document: Option<&mut Map<String, Value>>) -> Option<&mut Map<String, Value>> {
    document?.get_mut("meta")?.as_object_mut()
}

fn each_endpoint(seen: &Seen<'_>, answer: &mut Answer, change: impl Fn(&str) -> String) {
    each_resource_type(seen, answer, |it| {
        if let Some(Value::String(endpoint)) = it.get_mut("endpoint") {
            *endpoint = change(endpoint);
        }
    });
}

/// Changes each attribute and sub-attribute that a schema declares.
fn each_declared(schema: &mut Map<String, Value>, change: impl Fn(&mut Map<String, Value>)) {
    let attributes = schema.get_mut("attributes").and_then(Value::as_array_mut);
    for attribute in attributes.into_iter().flatten().filter_map(Value::as_object_mut) {
        change(attribute);
        let parts = attribute.get_mut("subAttributes").and_then(Value::as_array_mut);
        parts.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&change);
    }
}

fn without_filter(request: &mut Request) {
    if Endpoint::of(request.base_path, &request.path, &[]).is_discovery() {
        request.query.retain(|(name, _)| name != "filter");
    }
}

fn claim_no(seen: &Seen<'_>, answer: &mut Answer, feature: &str) {
    if let Some(config) = service_config(seen, answer) {
        config.insert(feature.to_owned(), json!({ "supported": false }));
    }
}

/// A method in the place of PATCH that reaches no stage that could change anything.
const UNKNOWN_METHOD: &[u8] = b"X-PATCH";

/// Where a bulk job ends that reaches no operation.
const NO_BULK: &str = "/NoBulk";

/// Stops a bulk job before any of its operations.
fn no_bulk(request: &mut Request) {
    if let Some(base) = request.path.strip_suffix("/Bulk") {
        request.path = format!("{base}{NO_BULK}");
    }
}

/// Stops a PATCH before it reaches the store.
fn no_patch(request: &mut Request) {
    if request.method == Method::PATCH
        && let Ok(method) = Method::from_bytes(UNKNOWN_METHOD)
    {
        request.method = method;
    }
}

fn refuse_patch(seen: &Seen<'_>, answer: &mut Answer, status: StatusCode) {
    claim_no(seen, answer, "patch");
    let is_patch = seen.request.method.as_str().as_bytes() == UNKNOWN_METHOD;
    if is_patch && answer.status == StatusCode::NOT_IMPLEMENTED {
        refuse(answer, status, None, "there is no PATCH");
    }
}

/// A schema of one optional text.
fn schema(urn: &str, attribute: &str) -> Schema {
    Schema {
        id: urn.to_owned(),
        name: "Example".to_owned(),
        description: "A schema that is this server's own".to_owned(),
        attributes: vec![Attribute::new(attribute, AttributeType::String)],
    }
}

/// Leaves these attributes of User, and of the extension none.
fn keep(set: &mut SchemaSet, names: &[&str]) {
    set.schemas.retain(|schema| schema.id != names::ENTERPRISE_USER);
    for kind in &mut set.resource_types {
        kind.extensions.clear();
    }
    for schema in set.schemas.iter_mut().filter(|schema| schema.id == names::USER) {
        schema.attributes.retain(|attribute| names.contains(&attribute.name.as_str()));
    }
}

fn drop_attributes(set: &mut SchemaSet, urn: &str, names: &[&str]) {
    for schema in set.schemas.iter_mut().filter(|schema| schema.id == urn) {
        schema.attributes.retain(|attribute| !names.contains(&attribute.name.as_str()));
    }
}

/// Declares an attribute otherwise.
pub(super) fn declare(set: &mut SchemaSet, urn: &str, name: &str, change: fn(&mut Attribute)) {
    for schema in set.schemas.iter_mut().filter(|schema| schema.id == urn) {
        schema.attributes.iter_mut().filter(|attribute| attribute.name == name).for_each(change);
    }
}

fn drop_parts(set: &mut SchemaSet, urn: &str, attribute: &str, is_dropped: fn(&str) -> bool) {
    for schema in set.schemas.iter_mut().filter(|schema| schema.id == urn) {
        for attribute in schema.attributes.iter_mut().filter(|it| it.name == attribute) {
            attribute.sub_attributes.retain(|part| !is_dropped(&part.name));
        }
    }
}
