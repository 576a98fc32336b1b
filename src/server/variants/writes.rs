//! POST, PUT and DELETE where the RFC leaves the choice (RFC 7644 §3.3, §3.5.1, §3.6).

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::behaviour::UnknownMembers;
use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{Change, Rewrite};
use super::super::message::{Answer, Content, Request};
use super::super::rewrite::{each_resource, refuse, rewrite_body};
use super::super::variant::VariantEntry;
use super::{choice, rewriting};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::names;
use crate::scim::resource::{elements, is_unassigned, member, member_name, remove_member};
use crate::scim::schema::SchemaSet;
use crate::scim::validate::{ValidationPurpose, ViolationKind, validate};
use Rewrite::{Answer as At, Change as Written, Conflicts as Unique, Request as Before};

pub(super) const VARIANTS: &[VariantEntry] = &[
    rewriting(
        "unknown-attribute-refused",
        &["AMB-18"],
        "A POST or PUT with an attribute that no schema defines is answered with 400 invalidSyntax.",
        "RFC 7644 Table 9: invalidSyntax where a body does not conform to the request schema",
        &[Written(|change| {
            if is_whole(change) && change.after.is_some() {
                let violations = validate(change.sent, change.definition, ValidationPurpose::CreateRequest);
                if violations.iter().any(|violation| violation.kind == ViolationKind::Unknown) {
                    refused(change, ScimError::invalid_syntax("there is no such attribute"));
                }
            }
        })],
    ),
    rewriting(
        "unknown-attribute-kept",
        &["AMB-18"],
        "An attribute that no schema defines is kept and returned.",
        "RFC 7644 section 3.3 has a server free to ignore or alter what is posted, and says nothing of keeping it",
        &[Written(|change| {
            let definition = change.definition;
            let is_unknown =
                |name: &str| definition.top_attribute(name).is_none() && definition.extension(name).is_none();
            let unknown: Vec<(String, Value)> = change
                .sent
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(name, value)| is_unknown(name) && !is_unassigned(value))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if is_whole(change) {
                edit(change, |after| after.extend(unknown));
            }
        })],
    ),
    rewriting(
        "schemas-missing-accepted",
        &["AMB-19"],
        "A User or Group without schemas is taken for one of its endpoint's type.",
        "RFC 7643 section 3 binds the client; no sentence has the server refuse",
        &[Before(|request| {
            let urn = if request.path.contains("/Groups") { names::GROUP } else { names::USER };
            if is_write(request) {
                rewrite_object(request, |body| {
                    if member(body, "schemas").is_none_or(is_unassigned) {
                        body.insert("schemas".to_owned(), json!([urn]));
                    }
                });
            }
        })],
    ),
    rewriting(
        "wrong-types-converted",
        &["AMB-20"],
        "A value of the wrong JSON type is converted where that is possible, and ignored where not.",
        "RFC 7644 section 3.3: a server is free to alter what is posted; Table 9 has invalidValue, which is warned of",
        &[Before(|request| {
            rewrite_object(request, |body| {
                convert(body);
                if let Some(Value::Array(operations)) = body.get_mut("Operations") {
                    for operation in operations.iter_mut().filter_map(Value::as_object_mut) {
                        if operation.get("path").is_some_and(|path| path == "active") {
                            if let Some(value) = operation.get_mut("value") {
                                to_boolean(value);
                            }
                        } else if let Some(Value::Object(members)) = operation.get_mut("value") {
                            convert(members);
                        }
                    }
                }
            });
        })],
    ),
    rewriting(
        "first-primary-wins",
        &["AMB-23"],
        "Of several values that are marked as primary in a POST or PUT, the first stays so.",
        "RFC 7643 section 2.4: primary is true no more than once; no sentence has several refused",
        &[Before(|request| {
            if is_write(request) {
                rewrite_object(request, |body| {
                    for list in body.values_mut().filter_map(Value::as_array_mut) {
                        let primary = list.iter_mut().filter_map(|element| element.get_mut("primary"));
                        for again in primary.filter(|primary| **primary == true).skip(1) {
                            *again = false.into();
                        }
                    }
                });
            }
        })],
    ),
    rewriting(
        "altered-case-names-ignored",
        &["AMB-25"],
        "In the body of a POST or PUT, an attribute whose name has another case than in its schema is ignored.",
        "RFC 8259 has JSON names differ by case; RFC 7643 section 2.1 does not, which is warned of",
        &[Before(|request| {
            if is_write(request) {
                rewrite_object(request, |body| {
                    body.retain(|name, _| {
                        let known = KIND_NAMES
                            .iter()
                            .filter_map(|kind| SchemaSet::core().definition(kind))
                            .find_map(|definition| Some(definition.top_attribute(name)?.name.clone()));
                        known.is_none_or(|known| known == *name)
                    });
                });
            }
        })],
    ),
    rewriting(
        "user-name-in-lower-case",
        &["AMB-30"],
        "userName is kept and returned in lower case.",
        "RFC 7644 section 5 has userName prepared by a PRECIS profile, one of which maps case; RFC 7643 section 4.1.1 has it case-insensitive",
        &[Written(|change| {
            edit(change, |after| {
                if let Some(Value::String(name)) = after.get_mut("userName") {
                    *name = name.to_lowercase();
                }
            });
        })],
    ),
    rewriting(
        "external-id-not-kept",
        &["AMB-31"],
        "externalId is dropped from every write.",
        "RFC 7643 section 3.1 has externalId optional",
        &[Written(|change| {
            edit(change, |after| {
                after.shift_remove("externalId");
            });
        })],
    ),
    rewriting(
        "external-id-unique",
        &["AMB-31"],
        "An externalId that another resource of the type has is answered with 409 uniqueness.",
        "RFC 7643 section 3.1 leaves its uniqueness to clients; many servers see to it themselves, which is warned of",
        &[Written(|change| refuse_taken(change, None, "externalId", |left, right| left == right))],
    ),
    rewriting(
        "group-name-unique",
        &[],
        "A displayName that another group has is answered with 409 uniqueness.",
        "RFC 7644 section 3.3 has 409 for what is in use; RFC 7643 section 7 lets a server decide what is unique",
        &[Written(|change| {
            let is_same = |left: &str, right: &str| left.to_lowercase() == right.to_lowercase();
            refuse_taken(change, Some(Kind::Group), "displayName", is_same);
        })],
    ),
    rewriting(
        "conflict-on-change-is-400",
        &["AMB-03"],
        "A PUT or PATCH to a userName in use is answered with 400 uniqueness.",
        "RFC 7643 section 7: a server may reject with 400; RFC 7644 Table 9 lists uniqueness under 400",
        &[Written(|change| {
            if let (true, Some(refusal)) = (change.before.is_some(), &mut change.refusal)
                && refusal.status == 409
            {
                refusal.status = 400;
            }
        })],
    ),
    rewriting(
        "read-only-values-refused",
        &["AMB-92"],
        "A POST with id, meta or groups, and a PUT that would change id, the type or time of creation, or groups, is answered with 400 mutability.",
        "RFC 7644 section 3.12 shows a PUT with an id refused so; section 3.5.1 has readOnly values ignored, which is warned of",
        &[Written(|change| {
            let differs = |pointer: &str| match (change.sent.pointer(pointer), change.before) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(sent), Some(before)) => before.pointer(pointer) != Some(sent),
            };
            let of_whole = ["/id", "/meta/resourceType", "/meta/created"];
            let groups =
                change.before.is_none() && change.sent.get("groups").is_some_and(|it| !is_unassigned(it));
            if is_whole(change) && (groups || of_whole.into_iter().any(differs)) {
                refused(change, ScimError::mutability("id, meta and groups are readOnly"));
            }
        })],
    ),
    rewriting(
        "put-keeps-what-is-left-out",
        &["AMB-91"],
        "A PUT leaves attributes that it does not mention as they were.",
        "RFC 7644 section 3.5.1: what is left out may be assumed not asserted, and the server may take the old values into account",
        &[Written(|change| {
            if change.method != Method::PUT {
                return;
            }
            if let (Some(before), Some(sent)) =
                (change.before.and_then(Value::as_object), change.sent.as_object())
            {
                let kept: Vec<(String, Value)> = before
                    .iter()
                    .filter(|(name, _)| member(sent, name).is_none())
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                let urns = before.get("schemas").cloned();
                edit(change, |after| {
                    after.extend(kept);
                    let all: Vec<Value> =
                        after.get("schemas").into_iter().chain(&urns).flat_map(elements).fold(
                            Vec::new(),
                            |mut all, urn| {
                                if !all.contains(urn) {
                                    all.push(urn.clone());
                                }
                                all
                            },
                        );
                    let is_used = |urn: &Value| {
                        let urn = urn.as_str().unwrap_or_default();
                        !urn.contains(":extension:") || after.contains_key(urn)
                    };
                    let all: Vec<Value> = all.into_iter().filter(is_used).collect();
                    after.insert("schemas".to_owned(), all.into());
                });
            }
        })],
    ),
    rewriting(
        "put-keeps-a-required-value",
        &["AMB-95"],
        "A PUT without userName keeps the old one.",
        "RFC 7644 section 3.5.1 has the client specify required attributes, and no error where it does not",
        &[Written(|change| {
            let lacks = change.sent.get("userName").is_none_or(is_unassigned);
            if let (&Method::PUT, Kind::User, true, Some(before)) =
                (change.method, change.kind, lacks, change.before)
                && change.refusal.is_some()
            {
                let mut after = change.sent.clone();
                after["userName"] = before["userName"].clone();
                change.after = Some(after);
                change.refusal = None;
            }
        })],
    ),
    rewriting(
        "put-no-content",
        &["AMB-134"],
        "A successful PUT is answered with 204.",
        "RFC 9110 section 9.3.4 has 204 for PUT; RFC 7644 section 3.5.1 has 200, which is warned of",
        &[At(|seen, answer| {
            if seen.request.method == Method::PUT && answer.status == StatusCode::OK {
                empty(answer, StatusCode::NO_CONTENT);
            }
        })],
    ),
    rewriting(
        "put-to-unknown-id-is-400",
        &["AMB-93"],
        "A PUT to an id that nobody has is answered with 400 invalidValue.",
        "RFC 7644 section 3.5.1: PUT must not create; no sentence of it has the status",
        &[At(|seen, answer| {
            if seen.request.method == Method::PUT && answer.status == StatusCode::NOT_FOUND {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "there is no such resource");
            }
        })],
    ),
    rewriting(
        "put-to-unknown-id-is-409",
        &["AMB-93"],
        "A PUT to an id that nobody has is answered with 409.",
        "RFC 7644 section 3.5.1: PUT must not create; no sentence of it has the status",
        &[At(|seen, answer| {
            if seen.request.method == Method::PUT && answer.status == StatusCode::NOT_FOUND {
                refuse(answer, StatusCode::CONFLICT, None, "there is no such resource");
            }
        })],
    ),
    rewriting(
        "deleted-is-410",
        &["AMB-115"],
        "Every request for a deleted resource is answered with 410.",
        "RFC 9110 section 15.5.11 has 410 for what was there and will not be again; RFC 7644 section 3.6 has 404, which is warned of",
        &[
            Written(bury),
            At(|seen, answer| {
                if answer.status == StatusCode::NOT_FOUND
                    && let Endpoint::Resource(_, id) = seen.endpoint
                    && seen.memory.deleted.iter().any(|gone| gone["id"] == **id)
                {
                    refuse(answer, StatusCode::GONE, None, "the resource was deleted");
                }
            }),
        ],
    ),
    rewriting(
        "second-delete-succeeds",
        &["AMB-115"],
        "DELETE of a deleted resource is answered with 204 again.",
        "RFC 9110 section 9.2.2 has DELETE idempotent; RFC 7644 section 3.6 has 404, which is warned of",
        &[
            Written(bury),
            At(|seen, answer| {
                if answer.status == StatusCode::NOT_FOUND
                    && seen.request.method == Method::DELETE
                    && let Endpoint::Resource(_, id) = seen.endpoint
                    && seen.memory.deleted.iter().any(|gone| gone["id"] == **id)
                {
                    *answer = Answer::empty(StatusCode::NO_CONTENT);
                }
            }),
        ],
    ),
    rewriting(
        "deleted-user-name-kept-back",
        &["AMB-115"],
        "The userName of a deleted user stays taken: 409 uniqueness.",
        "RFC 7644 section 3.6: a deleted resource should not be considered in conflict calculation",
        &[
            Written(bury),
            Unique(|conflicts| {
                let is_same = |gone: &Value| {
                    let name = gone.get("userName").and_then(Value::as_str).unwrap_or_default();
                    name.to_lowercase() == conflicts.user_name.to_lowercase()
                };
                if conflicts.memory.deleted.iter().any(is_same) {
                    conflicts.ids.push("deleted".to_owned());
                }
            }),
        ],
    ),
    rewriting(
        "deleted-members-stay-listed",
        &["AMB-34"],
        "A group goes on listing a member that was deleted.",
        "RFC 7643 section 2.3.7: referential integrity may be enforced",
        &[
            Written(bury),
            At(|seen, answer| {
                let deleted = std::mem::take(&mut seen.memory.deleted);
                each_resource(seen, answer, |resource| {
                    let id = resource.get("id").cloned().unwrap_or_default();
                    let was_member = |gone: &&Value| {
                        gone.get("groups")
                            .map(elements)
                            .unwrap_or_default()
                            .iter()
                            .any(|it| it["value"] == id)
                    };
                    let stale: Vec<Value> = deleted
                        .iter()
                        .filter(was_member)
                        .map(|gone| json!({ "value": gone["id"] }))
                        .collect();
                    if stale.is_empty() || resource.get("displayName").is_none() {
                        return;
                    }
                    if let Some(members) =
                        resource.entry("members").or_insert_with(|| json!([])).as_array_mut()
                    {
                        members.extend(stale);
                    }
                });
                seen.memory.deleted = deleted;
            }),
        ],
    ),
    choice(
        "unknown-members-accepted",
        &["AMB-34"],
        "A group takes members that do not exist.",
        "RFC 7643 section 2.3.7: referential integrity may be enforced",
        |behaviour| behaviour.unknown_members = UnknownMembers::Taken,
    ),
    choice(
        "unknown-members-dropped",
        &["AMB-34"],
        "A group leaves out members that do not exist, and says nothing of it.",
        "RFC 7644 section 3.3: the server may ignore what was sent; RFC 7643 section 2.3.7: no rule for references to \
         nothing",
        |behaviour| behaviour.unknown_members = UnknownMembers::Dropped,
    ),
    rewriting(
        "groups-in-groups-refused",
        &[],
        "A group with a group among its members is answered with 400 invalidValue.",
        "RFC 7643 section 4.2: the values of members may be users or groups; servers need not nest",
        &[Written(|change| {
            let members = change.after.as_ref().and_then(|after| after.get("members")).map(elements);
            let is_group = |element: &Value| {
                let id = element.get("value").and_then(Value::as_str).unwrap_or_default();
                change.store.get(id).is_some_and(|record| record.kind == Kind::Group)
            };
            if members.unwrap_or_default().iter().any(is_group) {
                refused(change, ScimError::invalid_value("groups within groups are not supported"));
            }
        })],
    ),
    choice(
        "both-names-required",
        &["AMB-38"],
        "/Schemas declares name.givenName and name.familyName required, and a User without them is answered with 400.",
        "RFC 7643 section 7: a service provider declares what it requires",
        |behaviour| {
            behaviour.demands.required.extend(["name.givenName".to_owned(), "name.familyName".to_owned()]);
        },
    ),
    choice(
        "emails-required",
        &["AMB-38"],
        "/Schemas declares emails required, and a User without one is answered with 400.",
        "RFC 7643 section 7: a service provider declares what it requires",
        |behaviour| behaviour.demands.required.push("emails.value".to_owned()),
    ),
    rewriting(
        "extension-without-urn-refused",
        &["AMB-16"],
        "A POST or PUT with the attributes of an extension whose URN is not in schemas is answered with 400 invalidSyntax.",
        "RFC 7643 section 3: schemas indicates the schemas of the attributes in a resource",
        &[Written(|change| {
            let Some(sent) = change.sent.as_object() else { return };
            let urns = member(sent, "schemas").map(elements).unwrap_or_default();
            let is_listed =
                |name: &str| urns.iter().filter_map(Value::as_str).any(|urn| urn.eq_ignore_ascii_case(name));
            let is_missing = sent
                .iter()
                .any(|(name, value)| name.starts_with("urn:") && !is_unassigned(value) && !is_listed(name));
            if is_whole(change) && is_missing {
                refused(change, ScimError::invalid_syntax("schemas lacks the URN of an extension"));
            }
        })],
    ),
    rewriting(
        "extension-urn-always-listed",
        &["AMB-16"],
        "Every User names the enterprise extension in schemas, also where it has none of its attributes.",
        "RFC 7643 section 3: schemas indicates schemas whose attributes may exist in the resource",
        &[Written(|change| {
            if change.kind == Kind::User {
                edit(change, |after| {
                    let urns = after.entry("schemas").or_insert_with(|| json!([]));
                    if let Value::Array(urns) = urns
                        && !urns.iter().any(|urn| urn == names::ENTERPRISE_USER)
                    {
                        urns.push(names::ENTERPRISE_USER.into());
                    }
                });
            }
        })],
    ),
    rewriting(
        "display-name-by-default",
        &["AMB-77"],
        "A User written without displayName gets its names, or its userName, for one.",
        "RFC 7644 section 3.3: a server may set defaults for what is not asserted",
        &[Written(|change| {
            if change.kind == Kind::User && is_whole(change) {
                edit(change, |after| {
                    if after.contains_key("displayName") {
                        return;
                    }
                    let names = after.get("name").and_then(in_full);
                    let user_name = after.get("userName").and_then(Value::as_str).map(str::to_owned);
                    if let Some(name) = names.or(user_name) {
                        after.insert("displayName".to_owned(), name.into());
                    }
                });
            }
        })],
    ),
    rewriting(
        "formatted-name-derived",
        &["AMB-77"],
        "name.formatted is made of the other parts of the name with every write that does not set it.",
        "RFC 7644 section 3.3: a server may set defaults and derive values",
        &[Written(|change| {
            let old = change.before.and_then(|before| before.pointer("/name/formatted")).cloned();
            let derived = change.before.and_then(|before| before.get("name")).and_then(in_full);
            edit(change, |after| {
                let Some(name) = after.get_mut("name") else { return };
                let is_set = name.get("formatted").is_some_and(|formatted| {
                    old.as_ref() != Some(formatted) || derived.as_deref() != formatted.as_str()
                });
                if let (false, Some(full), Some(name)) = (is_set, in_full(name), name.as_object_mut()) {
                    name.insert("formatted".to_owned(), full.into());
                }
            });
        })],
    ),
    rewriting(
        "active-by-default",
        &["AMB-77"],
        "A User written without active is active.",
        "RFC 7644 section 3.3 and section 3.5.1: a server may set defaults for what is not asserted",
        &[Written(|change| default_active(change, true))],
    ),
    rewriting(
        "inactive-by-default",
        &["AMB-77"],
        "A User written without active is inactive.",
        "RFC 7644 section 3.3 and section 3.5.1: a server may set defaults for what is not asserted",
        &[Written(|change| default_active(change, false))],
    ),
    rewriting(
        "create-without-body",
        &["AMB-90"],
        "A create is answered with 201, Location and no body.",
        "RFC 7644 section 3.3: the answer should contain the representation",
        &[At(|_, answer| {
            if answer.status == StatusCode::CREATED {
                empty(answer, StatusCode::CREATED);
            }
        })],
    ),
    rewriting(
        "every-write-moves-last-modified",
        &["AMB-104"],
        "A PUT or PATCH that changes nothing moves meta.lastModified.",
        "RFC 7644 section 3.5.2.1 has it stay for add of a value that is there, which is warned of, and is silent on the rest",
        &[Written(|change| change.touch = true)],
    ),
    rewriting(
        "null-refused",
        &["AMB-108"],
        "null for an attribute is answered with 400 invalidValue.",
        "RFC 7643 section 2.5 has null mean unassigned, and no sentence has servers take it",
        &[Written(|change| refuse_unassigned(change, Value::is_null))],
    ),
    rewriting(
        "empty-array-refused",
        &["AMB-108"],
        "An empty array for an attribute is answered with 400 invalidValue.",
        "RFC 7643 section 2.5 has an empty array mean unassigned, and no sentence has servers take it",
        &[Written(|change| refuse_unassigned(change, |value| value.as_array().is_some_and(Vec::is_empty)))],
    ),
    rewriting(
        "primary-false-spelt-out",
        &["AMB-66"],
        "A value of emails or phoneNumbers that is not primary says primary false.",
        "RFC 7643 section 2.4: a primary that is not specified is assumed to be false",
        &[Written(|change| {
            each_value(change, &["emails", "phoneNumbers"], |element| {
                element.entry("primary").or_insert(Value::Bool(false));
            });
        })],
    ),
    rewriting(
        "primary-false-left-out",
        &["AMB-66"],
        "A value that is not primary has no primary, also where false was sent.",
        "RFC 7643 section 2.4: a primary that is not specified is assumed to be false",
        &[Written(|change| {
            each_value(change, &["emails", "phoneNumbers", "addresses"], |element| {
                if element.get("primary") == Some(&Value::Bool(false)) {
                    element.shift_remove("primary");
                }
            });
        })],
    ),
    rewriting(
        "only-email-is-primary",
        &[],
        "The e-mail address of a User that has but one is primary.",
        "RFC 7644 section 3.3: a server may set defaults for what is not asserted",
        &[Written(|change| {
            let count = |change: &Change<'_>| {
                let after = change.after.as_ref().and_then(|after| after.get("emails"));
                after.map(elements).unwrap_or_default().len()
            };
            if count(change) == 1 {
                each_value(change, &["emails"], |element| {
                    element.entry("primary").or_insert(Value::Bool(true));
                });
            }
        })],
    ),
    rewriting(
        "telephone-numbers-canonicalised",
        &["AMB-22"],
        "Telephone numbers are kept without hyphens.",
        "RFC 7643 section 4.1.2: phone numbers should be canonicalised",
        &[Written(|change| {
            each_value(change, &["phoneNumbers"], |element| {
                if let Some(Value::String(number)) = element.get_mut("value") {
                    number.retain(|letter| letter != '-');
                }
            });
        })],
    ),
    rewriting(
        "e-mail-addresses-in-lower-case",
        &["AMB-22"],
        "E-mail addresses are kept in lower case.",
        "RFC 7643 section 4.1.2: e-mail addresses should be canonicalised by the service provider",
        &[Written(|change| {
            each_value(change, &["emails"], |element| {
                if let Some(Value::String(address)) = element.get_mut("value") {
                    *address = address.to_lowercase();
                }
            });
        })],
    ),
    rewriting(
        "odd-values-refused",
        &["AMB-21", "AMB-22"],
        "A telephone number of a type that the schema does not suggest, or without a digit, is answered with 400 invalidValue.",
        "RFC 7643 section 2.3.1: what is taken may be restricted to the canonical values; section 4.1.2 says how numbers should be written",
        &[Written(|change| {
            let odd = |number: &Value| {
                let text = |name: &str| number.get(name).and_then(Value::as_str);
                text("type").is_some_and(|kind| !TELEPHONES.contains(&kind))
                    || text("value").is_some_and(|value| !value.bytes().any(|byte| byte.is_ascii_digit()))
            };
            let after = change.after.as_ref().and_then(|after| after.get("phoneNumbers"));
            if after.is_some_and(|numbers| elements(numbers).iter().any(odd)) {
                refused(change, ScimError::invalid_value("this is no telephone number that is known here"));
            }
        })],
    ),
    rewriting(
        "odd-types-dropped",
        &["AMB-21"],
        "The type of a telephone number that the schema does not suggest is dropped.",
        "RFC 7643 section 7: unsupported values may be ignored where canonicalValues are declared",
        &[Written(|change| {
            each_value(change, &["phoneNumbers"], |number| {
                let kind = number.get("type").and_then(Value::as_str);
                if kind.is_some_and(|kind| !TELEPHONES.contains(&kind)) {
                    number.shift_remove("type");
                }
            });
        })],
    ),
];

/// The types of telephone numbers that RFC 7643 section 8.7.1 suggests.
const TELEPHONES: [&str; 6] = ["work", "home", "mobile", "fax", "pager", "other"];

const KIND_NAMES: [&str; 2] = ["User", "Group"];

/// Whether a request carries a whole resource.
fn is_write(request: &Request) -> bool {
    let is_message = request.path.ends_with("/.search") || request.path.ends_with("/Bulk");
    (request.method == Method::POST || request.method == Method::PUT) && !is_message
}

/// Whether a change is made by a whole resource.
fn is_whole(change: &Change<'_>) -> bool {
    change.method == Method::POST || change.method == Method::PUT
}

/// Changes what is stored, if the write is not refused.
fn edit(change: &mut Change<'_>, edit: impl FnOnce(&mut Map<String, Value>)) {
    if change.method != Method::DELETE
        && let Some(after) = change.after.as_mut().and_then(Value::as_object_mut)
    {
        edit(after);
    }
}

/// Refuses a write, unless it is refused already.
fn refused(change: &mut Change<'_>, refusal: ScimError) {
    if change.refusal.is_none() {
        change.after = None;
        change.refusal = Some(refusal);
    }
}

/// Rewrites a message, but for a bulk job, whose size counts: its operations are made one by one and come here then.
fn rewrite_object(request: &mut Request, rewrite: impl FnOnce(&mut Map<String, Value>)) {
    if request.path.ends_with("/Bulk") {
        return;
    }
    rewrite_body(request, |body| {
        if let Some(body) = body.as_object_mut() {
            rewrite(body);
        }
    });
}

/// Takes the content out of an answer.
fn empty(answer: &mut Answer, status: StatusCode) {
    answer.status = status;
    answer.content = Content::Empty;
    answer.headers.remove(CONTENT_TYPE);
    answer.headers.remove(CONTENT_LENGTH);
}

/// Brings the members that the suites get wrong to their types.
fn convert(members: &mut Map<String, Value>) {
    if let Some(active) = members.get_mut("active") {
        to_boolean(active);
    }
    if let Some(name) = members.get_mut("name")
        && let Value::String(text) = name
    {
        *name = json!({ "formatted": text });
    }
    for name in ["displayName", "title", "nickName"] {
        if members.get(name).is_some_and(|value| value.is_object() || value.is_array()) {
            remove_member(members, name);
        }
    }
}

/// A text as a boolean, as many languages see it.
fn to_boolean(value: &mut Value) {
    if let Value::String(text) = value {
        *value = (!text.is_empty() && !text.eq_ignore_ascii_case("false")).into();
    }
}

fn refuse_taken(
    change: &mut Change<'_>,
    kind: Option<Kind>,
    name: &str,
    is_same: impl Fn(&str, &str) -> bool,
) {
    if kind.is_some_and(|kind| kind != change.kind) || change.method == Method::DELETE {
        return;
    }
    let wanted = change.after.as_ref().and_then(|after| after.get(name)).and_then(Value::as_str);
    let is_taken = wanted.is_some_and(|wanted| {
        let others = change.store.all().filter(|record| record.kind == change.kind && record.id != change.id);
        others.filter_map(|record| record.text(name)).any(|other| is_same(other, wanted))
    });
    if is_taken {
        refused(change, ScimError::with_type(409, ScimType::Uniqueness, format!("{name} is in use")));
    }
}

/// Remembers a resource that is deleted.
fn bury(change: &mut Change<'_>) {
    if let (&Method::DELETE, None, Some(before)) = (change.method, &change.after, change.before) {
        let mut before = before.clone();
        if let Some(before) = before.as_object_mut() {
            before.shift_remove("password");
        }
        let is_known = change.memory.deleted.iter().any(|gone| gone["id"] == before["id"]);
        if !is_known {
            change.memory.deleted.push(before);
        }
    }
}

/// The parts of a name in one text.
fn in_full(name: &Value) -> Option<String> {
    let part = |part: &str| name.get(part).and_then(Value::as_str).filter(|part| !part.is_empty());
    let parts: Vec<&str> = ["givenName", "middleName", "familyName"].into_iter().filter_map(part).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn default_active(change: &mut Change<'_>, active: bool) {
    if change.kind == Kind::User && is_whole(change) {
        edit(change, |after| {
            after.entry("active").or_insert(Value::Bool(active));
        });
    }
}

/// Refuses a write in which an attribute is unassigned in one of the ways.
fn refuse_unassigned(change: &mut Change<'_>, is: impl Fn(&Value) -> bool) {
    let is_in = |value: &Value| value.as_object().is_some_and(|members| members.values().any(&is));
    let is_sent = if is_whole(change) {
        is_in(change.sent)
    } else {
        change.operations.iter().any(|operation| {
            let value = operation.value.as_ref();
            value.is_some_and(|value| if operation.path.is_some() { is(value) } else { is_in(value) })
        })
    };
    if is_sent {
        refused(change, ScimError::invalid_value("a value is needed; to take it away, use PATCH remove"));
    }
}

/// Changes each element of multi-valued attributes that are stored.
fn each_value(change: &mut Change<'_>, names: &[&str], mut each: impl FnMut(&mut Map<String, Value>)) {
    edit(change, |after| {
        for name in names {
            let list = member_name(after, name).map(str::to_owned).and_then(|name| after.get_mut(&name));
            let list = list.and_then(Value::as_array_mut).into_iter().flatten();
            list.filter_map(Value::as_object_mut).for_each(&mut each);
        }
    });
}
