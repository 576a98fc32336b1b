//! What RFC 7643 says of schemas and of the values under them, broken: definitions at /Schemas (§7, §8.7), data types (§2.3),
//! what every resource has (§3), users, groups and the enterprise extension (§4), and the documents of discovery (§5, §6).

use axum::http::header::ETAG;
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{FaultEntry, Rewrite, Seen};
use super::super::message::{Answer, Request};
use super::super::rewrite::{
    count_rows, each_attribute, each_member, each_resource_type, each_schema, each_user, list,
    service_config, without,
};
use super::{SHOW, each_resource, fault, refuse, rewrite_body};
use crate::scim::error::ScimError;
use crate::scim::names;
use Rewrite::{Answer as At, Change as Written, Request as Before};

pub(super) const FAULTS: &[FaultEntry] = &[
    // --- definitions -------------------------------------------------------------------------------------------
    fault(
        "schema-simple-with-sub-attributes",
        &[],
        "/Schemas gives nickName, a string, sub-attributes.",
        "schema-driven clients, which send an object",
        &["RFC7643-1.2-02"],
        &[At(|seen, answer| {
            define(seen, answer, names::USER, "nickName", |it| {
                set(it, "subAttributes", json!([{ "name": "value", "type": "string" }]));
            });
        })],
    ),
    fault(
        "schema-nested-complex",
        &[],
        "/Schemas has a complex attribute within a complex one.",
        "schema-driven clients, which know one level",
        &["RFC7643-1.2-03", "RFC7643-2.3.8-02"],
        &[At(|seen, answer| {
            define(seen, answer, names::ENTERPRISE_USER, "manager", |it| {
                let inner = json!([{ "name": "building", "type": "string" }]);
                let subs = it.get_mut("subAttributes").and_then(Value::as_array_mut);
                subs.into_iter().for_each(|subs| {
                    subs.push(json!({ "name": "office", "type": "complex", "subAttributes": inner }));
                });
            });
        })],
    ),
    fault(
        "schema-attribute-name-with-blank",
        &[],
        "/Schemas has an attribute whose name holds a blank.",
        "clients, whose filters cannot name it",
        &["RFC7643-2.1-02"],
        &[At(|seen, answer| {
            add_to_extension(seen, answer, json!({ "name": "cost unit", "type": "string" }))
        })],
    ),
    fault(
        "schema-characteristics-left-out",
        &[],
        "/Schemas leaves required of userName and returned of password to their defaults, which are others.",
        "schema-driven clients, which leave the name out and ask for the password",
        &["RFC7643-2.2-01", "RFC7643-4.1.1-25"],
        &[At(|seen, answer| {
            define(seen, answer, names::USER, "userName", |it| without(Some(it), &["required"]));
            define(seen, answer, names::USER, "password", |it| without(Some(it), &["returned"]));
        })],
    ),
    fault(
        "schema-extension-of-own-type",
        &[],
        "/Schemas gives an attribute of the extension the type text.",
        "typed clients",
        &["RFC7643-2.3-01", "RFC7643-7-10"],
        &[At(|seen, answer| add_to_extension(seen, answer, json!({ "name": "costUnit", "type": "text" })))],
    ),
    fault(
        "schema-boolean-unique",
        &[],
        "/Schemas says that no two users have the same active.",
        "schema-driven clients, which can have two users",
        &["RFC7643-2.3.2-02"],
        &[At(|seen, answer| define(seen, answer, names::USER, "active", unique))],
    ),
    fault(
        "schema-date-time-unique",
        &[],
        "/Schemas says that a dateTime is unique.",
        "schema-driven clients",
        &["RFC7643-2.3.5-03"],
        &[At(|seen, answer| {
            let definition = json!({ "name": "lastLogin", "type": "dateTime", "uniqueness": "server" });
            add_to_extension(seen, answer, definition);
        })],
    ),
    fault(
        "schema-binary-unique",
        &[],
        "/Schemas says that a binary is unique.",
        "schema-driven clients",
        &["RFC7643-2.3.6-04"],
        &[At(|seen, answer| define_sub(seen, answer, "x509Certificates", "value", unique))],
    ),
    fault(
        "schema-complex-unique",
        &[],
        "/Schemas says that no two users have the same name.",
        "schema-driven clients, which refuse the second Ann Archer",
        &["RFC7643-2.3.8-03"],
        &[At(|seen, answer| define(seen, answer, names::USER, "name", unique))],
    ),
    fault(
        "schema-reference-types-missing",
        &[],
        "/Schemas does not say what profileUrl can refer to.",
        "schema-driven clients",
        &["RFC7643-2.3.7-07"],
        &[At(|seen, answer| {
            define(seen, answer, names::USER, "profileUrl", |it| without(Some(it), &["referenceTypes"]));
        })],
    ),
    fault(
        "schema-reference-types-on-text",
        &[],
        "/Schemas says what nickName, a string, refers to.",
        "schema-driven clients",
        &["RFC7643-7-35"],
        &[At(|seen, answer| {
            define(seen, answer, names::USER, "nickName", |it| set(it, "referenceTypes", json!(["User"])));
        })],
    ),
    fault(
        "schema-lists-writable-id",
        &[],
        "/Schemas lists id as readWrite and returned by default.",
        "schema-driven clients, which send one",
        &["RFC7643-3.1-04"],
        &[At(|seen, answer| {
            each_schema(seen, answer, |schema| {
                let attributes = schema.get_mut("attributes").and_then(Value::as_array_mut);
                attributes.into_iter().for_each(|all| {
                    all.push(json!({ "name": "id", "type": "string", "mutability": "readWrite" }));
                });
            });
        })],
    ),
    fault(
        "schema-name-as-text",
        &[],
        "/Schemas says that the name of a user is a string.",
        "schema-driven clients, which send one text",
        &["RFC7643-4.1.1-06"],
        &[At(|seen, answer| define(seen, answer, names::USER, "name", text))],
    ),
    fault(
        "schema-profile-url-as-object",
        &[],
        "/Schemas says that profileUrl is complex.",
        "schema-driven clients",
        &["RFC7643-4.1.1-10"],
        &[At(|seen, answer| {
            define(seen, answer, names::USER, "profileUrl", |it| set(it, "type", "complex".into()));
        })],
    ),
    fault(
        "schema-addresses-as-texts",
        &[],
        "/Schemas says that addresses are strings.",
        "schema-driven clients, which send one text for each address",
        &["RFC7643-4.1.2-16"],
        &[At(|seen, answer| define(seen, answer, names::USER, "addresses", text))],
    ),
    fault(
        "schema-department-plural",
        &[],
        "/Schemas says that a user has several departments.",
        "schema-driven clients, which send an array",
        &["RFC7643-4.3-02"],
        &[At(|seen, answer| define(seen, answer, names::ENTERPRISE_USER, "department", plural))],
    ),
    fault(
        "schema-manager-plural",
        &[],
        "/Schemas says that a user has several managers.",
        "schema-driven clients, which send an array",
        &["RFC7643-4.3-03"],
        &[At(|seen, answer| define(seen, answer, names::ENTERPRISE_USER, "manager", plural))],
    ),
    fault(
        "schemas-without-attributes",
        &[],
        "The schema of the enterprise extension has no attributes member.",
        "schema-driven clients",
        &["RFC7643-7-05", "RFC7643-7-09"],
        &[At(|seen, answer| {
            each_schema(seen, answer, |schema| {
                if schema.get("id").is_some_and(|id| id == names::ENTERPRISE_USER) {
                    schema.shift_remove("attributes");
                }
            });
        })],
    ),
    fault(
        "schema-id-short",
        &[],
        "The id of each schema is its name, and not its URI.",
        "schema-driven clients, which do not find the schema of a resource",
        &["RFC7643-7-06"],
        &[At(|seen, answer| {
            each_schema(seen, answer, |schema| {
                let name = schema.get("name").cloned().unwrap_or_default();
                schema.insert("id".to_owned(), name);
            });
        })],
    ),
    fault(
        "schema-texts-as-numbers",
        &[],
        "Names and descriptions in /Schemas are numbers.",
        "typed clients",
        &["RFC7643-7-07", "RFC7643-7-08", "RFC7643-7-14"],
        &[At(|seen, answer| {
            each_schema(seen, answer, |schema| {
                set(schema, "name", 1.into());
                set(schema, "description", 2.into());
                let attributes = schema.get_mut("attributes").and_then(Value::as_array_mut);
                for attribute in attributes.into_iter().flatten().filter_map(Value::as_object_mut) {
                    set(attribute, "description", 3.into());
                }
            });
        })],
    ),
    fault(
        "schema-complex-without-sub-attributes",
        &[],
        "/Schemas does not say what a name is made of.",
        "schema-driven clients",
        &["RFC7643-7-11"],
        &[At(|seen, answer| {
            define(seen, answer, names::USER, "name", |it| without(Some(it), &["subAttributes"]));
        })],
    ),
    fault(
        "schema-sub-attributes-without-names",
        &[],
        "A sub-attribute in /Schemas has no name.",
        "schema-driven clients",
        &["RFC7643-7-12"],
        &[At(|seen, answer| {
            define_sub(seen, answer, "emails", "display", |it| without(Some(it), &["name"]))
        })],
    ),
    fault(
        "schema-multi-valued-as-text",
        &[],
        "multiValued in /Schemas is a text.",
        "typed clients",
        &["RFC7643-7-13"],
        &[At(|seen, answer| {
            define(seen, answer, names::USER, "emails", |it| set(it, "multiValued", "true".into()));
        })],
    ),
    fault(
        "schema-required-as-text",
        &[],
        "required in /Schemas is a text.",
        "typed clients",
        &["RFC7643-7-15"],
        &[At(|seen, answer| {
            define(seen, answer, names::USER, "title", |it| set(it, "required", "false".into()));
        })],
    ),
    fault(
        "schema-urn-malformed",
        &[],
        "/Schemas has a schema in the namespace of SCIM that is none of its kinds.",
        "clients that take URNs apart",
        &["RFC7643-10.2.1-01"],
        &[At(|seen, answer| {
            if let Some(schemas) = list(seen, answer, &Endpoint::Schemas) {
                let mut fleet = schemas.first().cloned().unwrap_or_default();
                fleet["id"] = "urn:ietf:params:scim:Fleet".into();
                schemas.push(fleet);
                count_rows(answer);
            }
        })],
    ),
    fault(
        "schema-of-configuration-plural",
        &[],
        "/Schemas says that the configuration holds several documentationUri, patch and bulk.",
        "typed clients",
        &["RFC7643-8.7.2-01", "RFC7643-8.7.2-02", "RFC7643-8.7.2-03"],
        &[At(|seen, answer| {
            define_otherwise(
                seen,
                answer,
                names::SERVICE_PROVIDER_CONFIG,
                &["documentationUri", "patch", "bulk"],
            );
        })],
    ),
    fault(
        "schema-of-features-plural",
        &[],
        "/Schemas says that the configuration holds several filter, changePassword and sort.",
        "typed clients",
        &["RFC7643-8.7.2-04", "RFC7643-8.7.2-05", "RFC7643-8.7.2-06"],
        &[At(|seen, answer| {
            define_otherwise(
                seen,
                answer,
                names::SERVICE_PROVIDER_CONFIG,
                &["filter", "changePassword", "sort"],
            );
        })],
    ),
    fault(
        "schema-of-authentication-singular",
        &[],
        "/Schemas says that there is one authentication scheme, and several names of a resource type.",
        "typed clients",
        &["RFC7643-8.7.2-07", "RFC7643-8.7.2-08", "RFC7643-8.7.2-09"],
        &[At(|seen, answer| {
            define_otherwise(seen, answer, names::SERVICE_PROVIDER_CONFIG, &["authenticationSchemes"]);
            define_otherwise(seen, answer, names::RESOURCE_TYPE, &["id", "name"]);
        })],
    ),
    fault(
        "schema-of-resource-types-plural",
        &[],
        "/Schemas says that a resource type has several descriptions, endpoints and schemas.",
        "typed clients",
        &["RFC7643-8.7.2-10", "RFC7643-8.7.2-11", "RFC7643-8.7.2-12"],
        &[At(|seen, answer| {
            define_otherwise(seen, answer, names::RESOURCE_TYPE, &["description", "endpoint", "schema"]);
        })],
    ),
    fault(
        "schema-of-extensions-as-text",
        &[],
        "/Schemas says that the extensions of a resource type are a text.",
        "typed clients",
        &["RFC7643-8.7.2-13"],
        &[At(|seen, answer| define(seen, answer, names::RESOURCE_TYPE, "schemaExtensions", text))],
    ),
    fault(
        "schema-of-schemas-plural",
        &[],
        "/Schemas says that a schema has several ids and names.",
        "typed clients",
        &["RFC7643-8.7.2-14", "RFC7643-8.7.2-15"],
        &[At(|seen, answer| define_otherwise(seen, answer, names::SCHEMA, &["id", "name"]))],
    ),
    fault(
        "schema-of-attributes-singular",
        &[],
        "/Schemas says that a schema has several descriptions, and one attribute.",
        "typed clients",
        &["RFC7643-8.7.2-16", "RFC7643-8.7.2-17"],
        &[At(|seen, answer| define_otherwise(seen, answer, names::SCHEMA, &["description", "attributes"]))],
    ),
    // --- data types --------------------------------------------------------------------------------------------
    fault(
        "decimal-as-text",
        &[],
        "A decimal of an extension is shown as a text.",
        "typed clients",
        &["RFC7643-2.3.3-01"],
        &[
            At(|seen, answer| {
                add_to_extension(seen, answer, json!({ "name": "workload", "type": "decimal" }))
            }),
            At(|seen, answer| {
                each_user(seen, answer, |user| {
                    if let Some(extension) =
                        user.get_mut(names::ENTERPRISE_USER).and_then(Value::as_object_mut)
                    {
                        extension.insert("workload".to_owned(), "0.8".into());
                    }
                });
            }),
        ],
    ),
    fault(
        "service-config-limits-with-fraction",
        &[],
        "The limits in /ServiceProviderConfig are written with a fraction.",
        "typed clients",
        &["RFC7643-2.3.4-01"],
        &[At(|seen, answer| {
            for (feature, limit) in
                [("bulk", "maxOperations"), ("bulk", "maxPayloadSize"), ("filter", "maxResults")]
            {
                let limit = service_config(seen, answer)
                    .and_then(|config| config.get_mut(feature))
                    .and_then(|feature| feature.get_mut(limit));
                if let Some(value) = limit
                    && let Some(number) = value.as_f64()
                {
                    *value = number.into();
                }
            }
        })],
    ),
    fault(
        "certificates-as-pem",
        &[],
        "Certificates are shown in the PEM form, and not as base64 alone.",
        "clients that decode them",
        &["RFC7643-2.3.6-01", "RFC7643-4.1.2-29"],
        &[At(|seen, answer| {
            each_value(seen, answer, "x509Certificates", |it| {
                let base64 = it.get("value").and_then(Value::as_str).unwrap_or_default();
                let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
                set(it, "value", pem.into());
            });
        })],
    ),
    fault(
        "certificates-in-one-value",
        &[],
        "All certificates of a user are shown as one value.",
        "clients, which read the first",
        &["RFC7643-4.1.2-30"],
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                if let Some(Value::Array(values)) = user.get_mut("x509Certificates") {
                    let texts = values.iter().filter_map(|it| it.get("value")?.as_str());
                    let joined: String = texts.map(|it| it.trim_end_matches('=')).collect();
                    *values = vec![json!({ "value": joined })];
                }
            });
        })],
    ),
    fault(
        "references-without-endpoint",
        &[],
        "$ref of a member is its id alone.",
        "clients that follow it",
        &["RFC7643-2.3.7-02"],
        &[At(|seen, answer| {
            each_member(seen, answer, |member| {
                let id = member.get("value").cloned().unwrap_or_default();
                set(member, "$ref", id);
            });
        })],
    ),
    fault(
        "references-as-urn",
        &[],
        "$ref of a member is a URN.",
        "clients that follow it",
        &["RFC7643-2.3.7-03"],
        &[At(|seen, answer| {
            each_member(seen, answer, |member| {
                let id = member.get("value").and_then(Value::as_str).unwrap_or_default();
                let urn = format!("urn:uuid:{id}");
                set(member, "$ref", urn.into());
            });
        })],
    ),
    fault(
        "references-not-canonical",
        &[],
        "$ref of a member has a path with dots, which lead back.",
        "clients that compare it",
        &["RFC7643-2.4-08"],
        &[At(|seen, answer| {
            let base = seen.base;
            each_member(seen, answer, |member| {
                let id = member.get("value").and_then(Value::as_str).unwrap_or_default();
                let reference = format!("{base}/Groups/../Users/{id}");
                set(member, "$ref", reference.into());
            });
        })],
    ),
    fault(
        "order-of-members-matters",
        &[],
        "A create is refused unless schemas is the first member of the body.",
        "clients whose JSON library sorts members",
        &["RFC7643-2.3.8-01"],
        &[At(|seen, answer| {
            let body: Option<Value> = serde_json::from_slice(&seen.request.body).ok();
            let first = body.as_ref().and_then(Value::as_object).and_then(|body| body.keys().next());
            if is_create(seen) && first.is_some_and(|name| name != "schemas") {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidSyntax"), "schemas has to come first");
            }
        })],
    ),
    fault(
        "order-of-sub-attributes-matters",
        &[],
        "An e-mail address is dropped unless value is its first member.",
        "clients whose JSON library sorts members",
        &["RFC7643-2.4-02"],
        &[Before(|request| {
            on_create(request, |body| {
                if let Some(emails) = body.get_mut("emails").and_then(Value::as_array_mut) {
                    emails.retain(|it| {
                        it.as_object().and_then(|it| it.keys().next()).is_none_or(|name| name == "value")
                    });
                }
            });
        })],
    ),
    fault(
        "primary-made-up",
        &[],
        "An e-mail address that was sent without primary is shown as primary.",
        "clients, which write to the wrong address",
        &["RFC7643-2.4-05"],
        &[At(|seen, answer| {
            each_value(seen, answer, "emails", |it| {
                let is_primary = it.get("primary").cloned().unwrap_or(Value::Null) != Value::Bool(true);
                set(it, "primary", is_primary.into());
            });
        })],
    ),
    fault(
        "emails-shown-twice",
        &[],
        "The first e-mail address of a user is shown twice.",
        "clients that mirror what they see",
        &["RFC7643-2.4-11"],
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                if let Some(Value::Array(emails)) = user.get_mut("emails") {
                    let again: Vec<Value> = emails
                        .first()
                        .cloned()
                        .into_iter()
                        .map(|mut it| {
                            without(it.as_object_mut(), &["primary"]);
                            it
                        })
                        .collect();
                    emails.extend(again);
                }
            });
        })],
    ),
    // --- what every resource has -------------------------------------------------------------------------------
    fault(
        "schemas-of-resources-quoted",
        &[],
        "The URIs in schemas stand in quotation marks, as in the text of the RFC.",
        "clients that tell resources by their URN",
        &["RFC7643-1.1-01"],
        &[At(|seen, answer| each_urn(seen, answer, |urn| format!("\"{urn}\"")))],
    ),
    fault(
        "schemas-of-resources-short",
        &[],
        "schemas holds the names of schemas, and not their URIs.",
        "clients that tell resources by their URN",
        &["RFC7643-3-06"],
        &[At(|seen, answer| {
            each_urn(seen, answer, |urn| urn.rsplit(':').next().unwrap_or_default().to_owned());
        })],
    ),
    fault(
        "schemas-without-base",
        &[],
        "schemas of a user with the enterprise extension holds the extension's URN only.",
        "clients that tell users by the URN of the core schema",
        &["RFC7643-3.3-03"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(Value::Array(schemas)) = resource.get_mut("schemas")
                    && schemas.len() > 1
                {
                    schemas.retain(|urn| urn != names::USER);
                }
            });
        })],
    ),
    fault(
        "schemas-order-matters",
        &[],
        "A create whose schemas names the extension first loses the extension.",
        "clients that sort the URNs another way",
        &["RFC7643-3-05"],
        &[Before(|request| {
            on_create(request, |body| {
                if body["schemas"].get(0).is_some_and(|urn| urn == names::ENTERPRISE_USER) {
                    without(body.as_object_mut(), &[names::ENTERPRISE_USER]);
                    body["schemas"] = json!([names::USER]);
                }
            });
        })],
    ),
    fault(
        "meta-missing-with-extension",
        &[],
        "Users with the enterprise extension are shown without meta.",
        "clients that follow meta.location",
        &["RFC7643-3-07"],
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                if user.contains_key(names::ENTERPRISE_USER) {
                    user.shift_remove("meta");
                }
            });
        })],
    ),
    fault(
        "core-attributes-in-a-container",
        &[],
        "Users are shown with an object named by the URN of the core schema, as if that were an extension.",
        "clients, which look for displayName at the top",
        &["RFC7643-3-08"],
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                if let Some(name) = user.shift_remove("displayName") {
                    user.insert(names::USER.to_owned(), json!({ "displayName": name }));
                }
            });
        })],
    ),
    fault(
        "extension-replaces-core",
        &[],
        "Users with the enterprise extension are shown without their name and other attributes of the core schema.",
        "clients that read both",
        &["RFC7643-3.3-01"],
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                if user.contains_key(names::ENTERPRISE_USER) {
                    without(Some(user), &["name", "displayName", "emails", "active"]);
                }
            });
        })],
    ),
    fault(
        "id-contains-bulk-id",
        &[],
        "The ids that the server gives contain the word bulkId.",
        "clients of bulk, whose references are taken for ids",
        &["RFC7643-3.1-11"],
        &[Written(|change| {
            if *change.method == Method::POST && change.before.is_none() {
                change.id = format!("bulkId-{}", change.id);
            }
        })],
    ),
    fault(
        "id-given-again",
        &[],
        "The id of a deleted resource is given to the next one.",
        "clients, which take the new person for the old one",
        &["RFC7643-3.1-08"],
        &[
            Written(|change| {
                if *change.method == Method::DELETE
                    && let Some(before) = change.before
                {
                    change.memory.deleted.push(before.clone());
                }
            }),
            Written(|change| {
                if *change.method == Method::POST
                    && change.before.is_none()
                    && change.after.is_some()
                    && let Some(id) =
                        change.memory.deleted.pop().and_then(|it| it["id"].as_str().map(str::to_owned))
                {
                    change.id = id;
                }
            }),
        ],
    ),
    fault(
        "external-id-in-small-letters",
        &[],
        "externalId is shown in small letters.",
        "identity providers, which look for their own spelling",
        &["RFC7643-7-18"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(Value::String(text)) = resource.get_mut("externalId") {
                    *text = text.to_lowercase();
                }
            });
        })],
    ),
    fault(
        "etag-weak-prefix-small",
        &[],
        "Weak entity tags begin with a small w.",
        "clients, which take it for no tag at all",
        &["RFC7643-3.1-28"],
        &[At(|_, answer| {
            let tag = answer.headers.get(ETAG).and_then(|it| it.to_str().ok()).map(str::to_owned);
            if let Some(rest) = tag.as_deref().and_then(|tag| tag.strip_prefix("W/")) {
                answer.set_header(ETAG, &format!("w/{rest}"));
            }
        })],
    ),
    // --- users, groups, the enterprise extension ---------------------------------------------------------------
    fault(
        "user-type-restricted",
        &[],
        "A userType is dropped unless it is Employee, Contractor, Intern or Temp.",
        "organizations with other words",
        &["RFC7643-4.1.1-11"],
        &[Before(|request| {
            on_create(request, |body| {
                let is_known = body
                    .get("userType")
                    .and_then(Value::as_str)
                    .is_some_and(|it| ["Employee", "Contractor", "Intern", "Temp"].contains(&it));
                if !is_known {
                    without(body.as_object_mut(), &["userType"]);
                }
            });
        })],
    ),
    fault(
        "preferred-language-as-words",
        &[],
        "preferredLanguage is shown in words.",
        "applications that choose a language by it",
        &["RFC7643-4.1.1-12"],
        &[At(|seen, answer| show(seen, answer, "preferredLanguage", "British English"))],
    ),
    fault(
        "locale-with-blank",
        &[],
        "locale is shown with a blank between language and country.",
        "applications that choose formats by it",
        &["RFC7643-4.1.1-13"],
        &[At(|seen, answer| show(seen, answer, "locale", "en GB"))],
    ),
    fault(
        "timezone-as-offset",
        &[],
        "timezone is shown as an offset.",
        "calendars, which are an hour off in summer",
        &["RFC7643-4.1.1-15"],
        &[At(|seen, answer| show(seen, answer, "timezone", "UTC+01:00"))],
    ),
    fault(
        "country-as-words",
        &[],
        "The country of an address is shown by its name.",
        "applications that compare codes",
        &["RFC7643-4.1.2-18"],
        &[At(|seen, answer| {
            each_value(seen, answer, "addresses", |it| {
                if it.contains_key("country") {
                    set(it, "country", "United Kingdom".into());
                }
            });
        })],
    ),
    fault(
        "formatted-name-of-somebody-else",
        &[],
        "name.formatted is a placeholder, whatever the parts of the name are.",
        "applications that show it",
        &["RFC7643-4.1.1-05"],
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                if let Some(name) = user.get_mut("name").and_then(Value::as_object_mut)
                    && name.contains_key("formatted")
                {
                    set(name, "formatted", "New User".into());
                }
            });
        })],
    ),
    fault(
        "email-values-with-name",
        &[],
        "The value of an e-mail address is shown with a name and angle brackets.",
        "applications that write to it",
        &["RFC7643-4.1.2-01"],
        &[At(|seen, answer| {
            each_value(seen, answer, "emails", |it| {
                let address = it.get("value").and_then(Value::as_str).unwrap_or_default();
                let shown = format!("Mail <{address}>");
                set(it, "value", shown.into());
            });
        })],
    ),
    fault(
        "phone-numbers-without-tel",
        &[],
        "A telephone number that was sent as a tel URI is shown in groups of digits.",
        "applications that dial it",
        &["RFC7643-4.1.2-05"],
        &[At(|seen, answer| {
            each_value(seen, answer, "phoneNumbers", |it| set(it, "value", "(020) 7946 01 01".into()));
        })],
    ),
    fault(
        "newlines-in-addresses-lost",
        &[],
        "Line breaks in a formatted address are shown as blanks.",
        "people who print labels",
        &["RFC7643-4.1.2-17"],
        &[At(|seen, answer| {
            each_value(seen, answer, "addresses", |it| {
                if let Some(Value::String(text)) = it.get_mut("formatted") {
                    *text = text.replace('\n', " ");
                }
            });
        })],
    ),
    fault(
        "photo-types-of-its-own",
        &[],
        "photo and thumbnail are shown as large and small.",
        "applications that look for the thumbnail",
        &["RFC7643-4.1.2-15"],
        &[At(|seen, answer| {
            each_value(seen, answer, "photos", |it| {
                let is_small = it.get("type").is_some_and(|it| it == "thumbnail");
                set(it, "type", if is_small { "small" } else { "large" }.into());
            });
        })],
    ),
    fault(
        "im-types-of-its-own",
        &[],
        "The type of an instant messaging address is shown by a name of the server's own.",
        "applications that look for one service",
        &["RFC7643-4.1.2-10"],
        &[At(|seen, answer| each_value(seen, answer, "ims", |it| set(it, "type", "Messenger No. 4".into())))],
    ),
    fault(
        "group-types-of-its-own",
        &[],
        "The type of a user's membership is neither direct nor indirect.",
        "clients that change direct memberships only",
        &["RFC7643-4.1.2-20"],
        &[At(|seen, answer| each_value(seen, answer, "groups", |it| set(it, "type", "static".into())))],
    ),
    fault(
        "groups-shown-as-indirect",
        &[],
        "A direct membership is shown as indirect.",
        "clients, which think that they cannot end it",
        &["RFC7643-4.1.2-21"],
        &[At(|seen, answer| each_value(seen, answer, "groups", |it| set(it, "type", "indirect".into())))],
    ),
    fault(
        "group-references-lead-to-users",
        &[],
        "$ref of a user's group leads to /Users.",
        "clients that follow it",
        &["RFC7643-4.1.2-24"],
        &[At(|seen, answer| {
            let base = seen.base;
            each_value(seen, answer, "groups", |it| {
                let id = it.get("value").and_then(Value::as_str).unwrap_or_default();
                let reference = format!("{base}/Users/{id}");
                set(it, "$ref", reference.into());
            });
        })],
    ),
    fault(
        "roles-and-entitlements-restricted",
        &[],
        "Roles and entitlements are dropped unless they are admin or user.",
        "applications with roles of their own",
        &["RFC7643-4.1.2-27", "RFC7643-4.1.2-28"],
        &[Before(|request| {
            on_create(request, |body| {
                for name in ["roles", "entitlements"] {
                    if let Some(values) = body.get_mut(name).and_then(Value::as_array_mut) {
                        values.retain(|it| it["value"] == "admin" || it["value"] == "user");
                    }
                }
            });
        })],
    ),
    fault(
        "manager-value-hidden",
        &[],
        "A manager is shown without value.",
        "clients that look the manager up",
        &["RFC7643-4.3-04"],
        &[At(|seen, answer| each_manager(seen, answer, |manager| without(Some(manager), &["value"])))],
    ),
    fault(
        "manager-display-name-written",
        &[],
        "The displayName of a manager is what the client wrote, and not the manager's.",
        "whoever reads it: a client can make it up",
        &["RFC7643-4.3-05"],
        &[
            Written(|change| {
                let extension = change.sent.get(names::ENTERPRISE_USER);
                let is_named = extension.and_then(|it| it.get("manager")?.get("displayName")).is_some();
                if let (true, Some(extension)) = (is_named && *change.method == Method::POST, extension) {
                    let shown = change.memory.shown.entry(change.id.clone()).or_default();
                    set(shown, names::ENTERPRISE_USER, extension.clone());
                }
            }),
            SHOW,
        ],
    ),
    fault(
        "member-edited-to-nobody",
        &[],
        "A PATCH of the value of a member is taken, and the group then has neither the old nor the new member.",
        "whoever was a member",
        &["RFC7643-4.2-04"],
        &[Written(|change| {
            let is_edit = change
                .operations
                .iter()
                .any(|it| it.path.as_ref().is_some_and(|path| path.to_string().ends_with("].value")));
            if change.kind == Kind::Group && is_edit {
                change.refusal = None;
                change.after = change.before.cloned().map(|mut group| {
                    group["members"] = json!([]);
                    group
                });
            }
        })],
    ),
    fault(
        "nested-groups-refused",
        &[],
        "A group that is a member of another group is refused.",
        "directories with groups within groups",
        &["RFC7643-4.2-07"],
        &[Written(|change| {
            let members = change.sent.get("members").and_then(Value::as_array);
            let is_group = |id: &str| change.store.get(id).is_some_and(|record| record.kind == Kind::Group);
            let mut ids = members.into_iter().flatten().filter_map(|it| it.get("value")?.as_str());
            if ids.any(is_group) {
                change.after = None;
                change.refusal = Some(ScimError::invalid_value("members are users"));
            }
        })],
    ),
    fault(
        "password-change-refused",
        &[],
        "A change of the password is refused, though changePassword.supported is true.",
        "identity providers that keep passwords in step",
        &["RFC7643-5-13", "RFC7643-7-24"],
        &[Written(|change| {
            let is_password = |it: &crate::scim::patch::PatchOperation| {
                it.path.as_ref().is_some_and(|path| path.to_string().eq_ignore_ascii_case("password"))
            };
            if change.operations.iter().any(is_password) {
                change.after = None;
                change.refusal = Some(ScimError::mutability("passwords are changed elsewhere"));
            }
        })],
    ),
    // --- the documents of discovery ----------------------------------------------------------------------------
    fault(
        "service-config-writable",
        &[],
        "PUT to /ServiceProviderConfig is answered with 200.",
        "everybody: the configuration is no client's",
        &["RFC7643-5-02"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::ServiceProviderConfig && seen.request.method == Method::PUT {
                *answer = Answer::json(StatusCode::OK, json!({}));
            }
        })],
    ),
    fault(
        "service-config-bulk-without-limits",
        &[],
        "/ServiceProviderConfig does not say how large a bulk job may be.",
        "clients of bulk",
        &["RFC7643-5-07", "RFC7643-5-08"],
        &[At(|seen, answer| {
            let bulk = service_config(seen, answer).and_then(|config| config.get_mut("bulk"));
            without(bulk.and_then(Value::as_object_mut), &["maxOperations", "maxPayloadSize"]);
        })],
    ),
    fault(
        "service-config-filter-says-nothing",
        &[],
        "/ServiceProviderConfig does not say whether filters are supported.",
        "clients that ask before they filter",
        &["RFC7643-5-09"],
        &[At(|seen, answer| {
            let filter = service_config(seen, answer).and_then(|config| config.get_mut("filter"));
            without(filter.and_then(Value::as_object_mut), &["supported"]);
        })],
    ),
    fault(
        "service-config-authentication-scheme-unnamed",
        &[],
        "An authentication scheme has no name.",
        "people who choose one",
        &["RFC7643-5-19"],
        &[At(|seen, answer| each_scheme(seen, answer, |scheme| without(Some(scheme), &["name"])))],
    ),
    fault(
        "service-config-authentication-scheme-undescribed",
        &[],
        "An authentication scheme has no description.",
        "people who choose one",
        &["RFC7643-5-20"],
        &[At(|seen, answer| each_scheme(seen, answer, |scheme| without(Some(scheme), &["description"])))],
    ),
    fault(
        "service-config-two-primary-schemes",
        &[],
        "Two authentication schemes are primary.",
        "clients that take the primary one",
        &["RFC7643-5-23"],
        &[At(|seen, answer| {
            let schemes = service_config(seen, answer).and_then(|it| it.get_mut("authenticationSchemes"));
            if let Some(Value::Array(schemes)) = schemes {
                let mut basic = schemes.first().cloned().unwrap_or_default();
                basic["type"] = "httpbasic".into();
                schemes.push(basic);
            }
        })],
    ),
    fault(
        "service-config-documents-no-uri",
        &[],
        "The URIs of documents in /ServiceProviderConfig are titles.",
        "people who follow them",
        &["RFC7643-5-04", "RFC7643-5-21", "RFC7643-5-22"],
        &[At(|seen, answer| {
            if let Some(config) = service_config(seen, answer) {
                set(config, "documentationUri", "The SCIM handbook".into());
            }
            each_scheme(seen, answer, |scheme| {
                set(scheme, "specUri", "OAuth 2.0 Bearer Tokens".into());
                set(scheme, "documentationUri", "The SCIM handbook".into());
            });
        })],
    ),
    fault(
        "resource-types-without-schemas",
        &[],
        "The resource types have no schemas member.",
        "clients that tell documents by their URN",
        &["RFC7643-6-01"],
        &[At(|seen, answer| each_resource_type(seen, answer, |it| without(Some(it), &["schemas"])))],
    ),
    fault(
        "resource-types-without-endpoint",
        &[],
        "A resource type does not say where its resources are.",
        "clients, which cannot find them",
        &["RFC7643-6-06", "RFC7643-8.6-01"],
        &[At(|seen, answer| {
            each_resource_type(seen, answer, |it| {
                if it.get("name").is_some_and(|name| name == "Group") {
                    it.shift_remove("endpoint");
                }
            });
        })],
    ),
    fault(
        "resource-types-description-as-object",
        &[],
        "The description of a resource type is an object.",
        "typed clients",
        &["RFC7643-6-05"],
        &[At(|seen, answer| {
            each_resource_type(seen, answer, |it| set(it, "description", json!({ "en": "An account" })));
        })],
    ),
    fault(
        "resource-types-required-as-text",
        &[],
        "Whether an extension is required is a text.",
        "typed clients",
        &["RFC7643-6-10"],
        &[At(|seen, answer| each_extension(seen, answer, |it| set(it, "required", "false".into())))],
    ),
    fault(
        "extension-declared-required",
        &[],
        "/ResourceTypes says that every user has the enterprise extension, and users are shown without it.",
        "typed clients, which look into it",
        &["RFC7643-6-11"],
        &[
            At(|seen, answer| each_extension(seen, answer, |it| set(it, "required", true.into()))),
            At(|seen, answer| {
                each_user(seen, answer, |user| {
                    user.shift_remove(names::ENTERPRISE_USER);
                    if let Some(Value::Array(schemas)) = user.get_mut("schemas") {
                        schemas.retain(|urn| urn != names::ENTERPRISE_USER);
                    }
                });
            }),
        ],
    ),
    fault(
        "resource-type-without-schema-resource",
        &[],
        "/ResourceTypes has a type of the server's own, whose schema /Schemas does not have.",
        "schema-driven clients",
        &["RFC7643-3.2-01"],
        &[At(|seen, answer| {
            if let Some(types) = list(seen, answer, &Endpoint::ResourceTypes) {
                types.push(json!({
                    "schemas": [names::RESOURCE_TYPE],
                    "id": "Device",
                    "name": "Device",
                    "endpoint": "/Devices",
                    "description": "A device",
                    "schema": "urn:example:params:scim:schemas:core:2.0:Device",
                }));
                count_rows(answer);
            }
        })],
    ),
    fault(
        "extension-id-unknown",
        &[],
        "/ResourceTypes names an extension that /Schemas does not have.",
        "schema-driven clients",
        &["RFC7643-6-09"],
        &[At(|seen, answer| {
            each_extension(seen, answer, |it| {
                set(it, "schema", format!("{}Account", names::ENTERPRISE_USER).into())
            });
        })],
    ),
];

fn set(object: &mut Map<String, Value>, name: &str, value: Value) {
    object.insert(name.to_owned(), value);
}

fn unique(definition: &mut Map<String, Value>) {
    set(definition, "uniqueness", "server".into());
}

fn plural(definition: &mut Map<String, Value>) {
    set(definition, "multiValued", true.into());
}

fn text(definition: &mut Map<String, Value>) {
    set(definition, "type", "string".into());
    without(Some(definition), &["subAttributes"]);
}

/// Changes the definition of an attribute of one schema.
fn define(
    seen: &Seen<'_>,
    answer: &mut Answer,
    urn: &str,
    name: &str,
    change: impl Fn(&mut Map<String, Value>),
) {
    each_schema(seen, answer, |schema| {
        if schema.get("id").is_some_and(|id| id == urn) {
            let attributes = schema.get_mut("attributes").and_then(Value::as_array_mut);
            for attribute in attributes.into_iter().flatten().filter_map(Value::as_object_mut) {
                if attribute.get("name").is_some_and(|it| it == name) {
                    change(attribute);
                }
            }
        }
    });
}

/// Says multiValued of these attributes the other way round.
fn define_otherwise(seen: &Seen<'_>, answer: &mut Answer, urn: &str, attributes: &[&str]) {
    for name in attributes {
        define(seen, answer, urn, name, |it| {
            let is_plural = it.get("multiValued").and_then(Value::as_bool).unwrap_or_default();
            set(it, "multiValued", (!is_plural).into());
        });
    }
}

/// Changes the definition of a sub-attribute, in whichever schema it is.
fn define_sub(
    seen: &Seen<'_>,
    answer: &mut Answer,
    attribute: &str,
    name: &str,
    change: impl Fn(&mut Map<String, Value>),
) {
    each_attribute(seen, answer, attribute, |it| {
        let subs = it.get_mut("subAttributes").and_then(Value::as_array_mut);
        for sub in subs.into_iter().flatten().filter_map(Value::as_object_mut) {
            if sub.get("name").is_some_and(|it| it == name) {
                change(sub);
            }
        }
    });
}

/// Adds a definition to the enterprise extension.
fn add_to_extension(seen: &Seen<'_>, answer: &mut Answer, definition: Value) {
    each_schema(seen, answer, |schema| {
        if schema.get("id").is_some_and(|id| id == names::ENTERPRISE_USER)
            && let Some(attributes) = schema.get_mut("attributes").and_then(Value::as_array_mut)
        {
            attributes.push(definition.clone());
        }
    });
}

fn each_urn(seen: &Seen<'_>, answer: &mut Answer, change: impl Fn(&str) -> String) {
    each_resource(seen, answer, |resource| {
        if let Some(Value::Array(schemas)) = resource.get_mut("schemas") {
            for urn in schemas {
                *urn = change(urn.as_str().unwrap_or_default()).into();
            }
        }
    });
}

/// Changes each value of a multi-valued attribute of users.
fn each_value(seen: &Seen<'_>, answer: &mut Answer, name: &str, change: impl Fn(&mut Map<String, Value>)) {
    each_user(seen, answer, |user| {
        let values = user.get_mut(name).and_then(Value::as_array_mut);
        values.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&change);
    });
}

/// Shows a text for an attribute of users that has a value.
fn show(seen: &Seen<'_>, answer: &mut Answer, name: &str, text: &str) {
    each_user(seen, answer, |user| {
        if user.contains_key(name) {
            set(user, name, text.into());
        }
    });
}

fn each_manager(seen: &Seen<'_>, answer: &mut Answer, change: impl Fn(&mut Map<String, Value>)) {
    each_user(seen, answer, |user| {
        let extension = user.get_mut(names::ENTERPRISE_USER);
        let manager = extension.and_then(|it| it.get_mut("manager")).and_then(Value::as_object_mut);
        manager.into_iter().for_each(&change);
    });
}

fn each_scheme(seen: &Seen<'_>, answer: &mut Answer, change: impl Fn(&mut Map<String, Value>)) {
    let schemes = service_config(seen, answer).and_then(|config| config.get_mut("authenticationSchemes"));
    let schemes = schemes.and_then(Value::as_array_mut);
    schemes.into_iter().flatten().filter_map(Value::as_object_mut).for_each(change);
}

fn each_extension(seen: &Seen<'_>, answer: &mut Answer, change: impl Fn(&mut Map<String, Value>)) {
    each_resource_type(seen, answer, |resource_type| {
        let extensions = resource_type.get_mut("schemaExtensions").and_then(Value::as_array_mut);
        extensions.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&change);
    });
}

fn is_create(seen: &Seen<'_>) -> bool {
    seen.request.method == Method::POST && matches!(seen.endpoint, Endpoint::Resources(_))
}

/// Changes the body of a create.
fn on_create(request: &mut Request, change: impl FnOnce(&mut Value)) {
    let is_search = request.path_below().ends_with(".search");
    if request.method == Method::POST && !is_search && request.path_below() != "Bulk" {
        rewrite_body(request, change);
    }
}
