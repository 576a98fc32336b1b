//! Writes that break one sentence of RFC 7644 §3.3 to §3.7 each, where the faults beside this module break several at
//! once or none of that sentence: what `add`, `remove` and `replace` do to a target that is there or is not, immutable
//! attributes, versions after a write, the members of a bulk job.

use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{Change, FaultEntry, PatchOperations, Rewrite, Seen};
use super::super::message::Answer;
use super::super::rewrite::{each_attribute, each_resource, service_config};
use super::bulk::each_result;
use super::patches::keep_before;
use super::writes::remember;
use super::{body_of, fault, object, refuse};
use crate::scim::bulk::REFERENCE;
use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::error::ScimError;
use crate::scim::filter::{CompareOperator, Filter, FilterValue, matches};
use crate::scim::names;
use crate::scim::patch::{PatchOp, PatchOperation};
use crate::scim::path::{AttributePath, PatchPath};
use crate::scim::resource::{elements, get, is_unassigned};
use crate::scim::schema::Attribute;
use Rewrite::{Answer as At, Bulk as Job, BulkStep as Step, Change as Written, Operations as Ops};

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "create-needs-a-name",
        &[],
        "A user without name is refused with 400, although no schema requires one.",
        "clients that know no more of an account than its login",
        &["RFC7644-3.3-03"],
        &[Written(|change| {
            let lacks = change.sent.get("name").is_none_or(is_unassigned);
            if change.method == Method::POST && change.kind == Kind::User && lacks && change.after.is_some() {
                change.after = None;
                change.refusal = Some(ScimError::invalid_value("name: is missing"));
            }
        })],
    ),
    fault(
        "create-fills-in-a-user-type",
        &[],
        "A user who is created without userType is an Employee.",
        "directories, which see a change that nobody made",
        &["RFC7644-3.3-04"],
        &[Written(|change| {
            if let (&Method::POST, Kind::User, Some(after)) =
                (change.method, change.kind, change.after.as_mut().and_then(Value::as_object_mut))
            {
                after.entry("userType").or_insert_with(|| "Employee".into());
            }
        })],
    ),
    fault(
        "create-refused-and-stored",
        &["DEF-091"],
        "A create whose userName is in use is answered with 409, and stored all the same.",
        "everybody: two accounts share a login",
        &["RFC7644-3.3-13"],
        &[Written(|change| {
            let is_conflict = change.refusal.as_ref().is_some_and(|refusal| refusal.status == 409);
            if change.method == Method::POST && change.kind == Kind::User && is_conflict {
                change.after = Some(change.sent.clone());
            }
        })],
    ),
    fault(
        "patch-not-advertised",
        &[],
        "patch.supported is false, although PATCH works.",
        "clients, which then update with PUT and erase what they do not know",
        &["RFC7644-3.5-02"],
        &[At(|seen, answer| {
            if let Some(config) = service_config(seen, answer) {
                config.insert("patch".to_owned(), json!({ "supported": false }));
            }
        })],
    ),
    fault(
        "put-merges",
        &["DEF-236"],
        "A PUT keeps what it leaves out.",
        "clients that take a value away by leaving it out",
        &["RFC7644-3.5.1-05"],
        &[Written(|change| {
            if let (&Method::PUT, Some(before), Some(after)) = (
                change.method,
                change.before.and_then(Value::as_object),
                change.after.as_mut().and_then(Value::as_object_mut),
            ) {
                for (name, value) in before {
                    let is_sent = change
                        .sent
                        .as_object()
                        .is_some_and(|sent| sent.keys().any(|other| other.eq_ignore_ascii_case(name)));
                    if !is_sent && !name.starts_with("urn:") {
                        after.entry(name).or_insert_with(|| value.clone());
                    }
                }
            }
        })],
    ),
    fault(
        "immutable-attribute-replaced",
        &[],
        "title is declared immutable, and a PUT changes it.",
        "clients that rely on it",
        &["RFC7644-3.5.1-08", "RFC7643-7-23"],
        &[TITLE_IS_IMMUTABLE],
    ),
    fault(
        "immutable-mismatch-ignored",
        &[],
        "title is declared immutable, and a PUT with another one is answered with 200 and leaves it.",
        "clients, which believe in a change that never was",
        &["RFC7644-3.5.1-09"],
        &[
            TITLE_IS_IMMUTABLE,
            Written(|change| {
                let before = change.before.and_then(|before| before.get("title")).cloned();
                if let (&Method::PUT, Some(before), Some(after)) =
                    (change.method, before, change.after.as_mut().and_then(Value::as_object_mut))
                {
                    after.insert("title".to_owned(), before);
                }
            }),
        ],
    ),
    fault(
        "immutable-value-not-taken",
        &[],
        "title is declared immutable, and a PUT cannot even give the first one.",
        "people, who never get a title",
        &["RFC7644-3.5.1-10"],
        &[
            TITLE_IS_IMMUTABLE,
            Written(|change| {
                let had = change.before.is_some_and(|before| before.get("title").is_some());
                if let (&Method::PUT, false, Some(after)) =
                    (change.method, had, change.after.as_mut().and_then(Value::as_object_mut))
                {
                    after.shift_remove("title");
                }
            }),
        ],
    ),
    fault(
        "put-answers-old-version",
        &["DEF-066"],
        "The answer to a PUT shows the version from before.",
        "clients, whose next write is refused",
        &["RFC7644-3.5.1-14"],
        &[Written(|change| remember(change, &Method::PUT)), At(old_version)],
    ),
    fault(
        "last-modified-goes-back",
        &[],
        "A PUT and a PATCH set meta.lastModified to a time before the resource was made.",
        "clients that ask for what has changed since",
        &["RFC7643-3.1-22", "RFC7644-3.5.1-18"],
        &[
            Written(|change| {
                let is_change = [Method::PUT, Method::PATCH].contains(change.method);
                if is_change && change.after.is_some() {
                    change.memory.previous.insert(change.id.clone(), Value::Null);
                }
            }),
            At(|seen, answer| {
                let changed = std::mem::take(&mut seen.memory.previous);
                each_resource(seen, answer, |resource| {
                    let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
                    if changed.contains_key(id)
                        && let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut)
                    {
                        meta.insert("lastModified".to_owned(), "2001-02-03T04:05:06Z".into());
                    }
                });
                seen.memory.previous = changed;
            }),
        ],
    ),
    fault(
        "delete-ignores-if-match",
        &["DEF-214"],
        "A DELETE with a stale If-Match is carried out.",
        "people who were changed in the meantime",
        &["RFC7644-3.6-08"],
        &[Rewrite::Request(|request| {
            if request.method == Method::DELETE {
                request.headers.remove(IF_MATCH);
            }
        })],
    ),
    fault(
        "group-breaks-with-deleted-member",
        &["DEF-123"],
        "A group one of whose members was deleted is answered with 500.",
        "everybody: nobody can manage the group any more",
        &["RFC7644-3.6-09"],
        &[
            Written(|change| {
                if let (&Method::DELETE, None, Some(before)) = (change.method, &change.after, change.before) {
                    let groups = before.get("groups").map(elements).unwrap_or_default();
                    let ids = groups.iter().filter_map(|group| group.get("value")?.as_str());
                    for id in ids {
                        change.memory.shown.entry(format!("broken {id}")).or_default();
                    }
                }
            }),
            At(|seen, answer| {
                let Endpoint::Resource(_, id) = seen.endpoint else { return };
                if seen.request.method == Method::GET
                    && seen.memory.shown.contains_key(&format!("broken {id}"))
                {
                    refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "no such user");
                }
            }),
        ],
    ),
    fault(
        "patch-path-demanded",
        &["DEF-067", "DEF-070"],
        "add and replace without a path are refused with 400.",
        "Okta, which deactivates so",
        &["RFC7644-3.5.2-06"],
        &[Written(|change| {
            let lacks = change.operations.iter().any(|it| it.path.is_none());
            if change.method == Method::PATCH && lacks {
                change.after = None;
                change.refusal = Some(ScimError::no_target("an operation without path"));
            }
        })],
    ),
    fault(
        "patch-path-of-any-type-accepted",
        &[],
        "An operation whose path is no text is answered with 204 and has no effect.",
        "clients with a mistake, which do not learn of it",
        &["RFC7644-3.5.2-06"],
        &[At(|seen, answer| {
            let is_text = |it: &Value| it.get("path").is_none_or(Value::is_string);
            accept(seen, answer, |operations| !operations.iter().all(is_text));
        })],
    ),
    fault(
        "patch-op-schema-unknown",
        &[],
        "A PATCH that says it is a PatchOp is refused with 400.",
        "clients that follow the RFC",
        &["RFC7644-3.5.2-03"],
        &[Written(|change| {
            let says = change.sent.get("schemas").map(elements).unwrap_or_default();
            if change.method == Method::PATCH && says.iter().any(|urn| urn == names::PATCH_OP) {
                change.after = None;
                change.refusal = Some(ScimError::invalid_syntax("schemas: this is no PATCH"));
            }
        })],
    ),
    fault(
        "patch-needs-urn-in-path",
        &[],
        "A path without the URN of its schema is refused with 400.",
        "every client: none writes it",
        &["RFC7644-3.5.2-14"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                if let Some(path) = &mut operation.path
                    && path.attribute.urn.is_none()
                {
                    path.attribute.name = format!("unqualified{}", path.attribute.name);
                }
            }
        })],
    ),
    fault(
        "patch-new-schemas-forgotten",
        &["DEF-079"],
        "What a PATCH adds to an extension that it has just put into schemas is lost.",
        "clients that declare an extension before they use it",
        &["RFC7644-3.5.2-15"],
        &[Written(|change| {
            let is_schemas = |it: &PatchOperation| names_attribute(it, "schemas");
            if change.operations.iter().any(is_schemas) {
                keep_before(change, &[names::ENTERPRISE_USER]);
            }
        })],
    ),
    fault(
        "patch-wrong-value-answers-plain-text",
        &["DEF-222"],
        "A PATCH with a value of the wrong type is answered with 400 and a line of text.",
        "administrators, who learn nothing of the cause",
        &["RFC7644-3.5.2-12", "RFC7644-3.5.2-22"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH && answer.status == StatusCode::BAD_REQUEST {
                super::set_raw(answer, "text/plain", "Bad Request");
            }
        })],
    ),
    fault(
        "patch-add-without-value-accepted",
        &["DEF-208"],
        "add without a value is answered with 204.",
        "clients with a mistake, which do not learn of it",
        &["RFC7644-3.5.2.1-02"],
        &[At(|seen, answer| {
            accept(seen, answer, |operations| {
                operations.iter().any(|it| is_op(it, "add") && it.get("value").is_none())
            });
        })],
    ),
    fault(
        "patch-add-keeps-old-value",
        &[],
        "add to a single-valued attribute that has a value leaves the old one.",
        "Entra, which updates by add",
        &["RFC7644-3.5.2.1-08"],
        &[Ops(|operations| {
            let before = operations.before;
            each_plain(operations, |it, attribute| {
                let has = before.get(&attribute.name).is_some_and(|value| !is_unassigned(value));
                !(it.op == PatchOp::Add && is_simple(it, attribute) && has)
            });
        })],
    ),
    fault(
        "patch-add-needs-old-value",
        &[],
        "add to an attribute that has no value does nothing.",
        "people, whose first title never arrives",
        &["RFC7644-3.5.2.1-09"],
        &[Ops(|operations| {
            let before = operations.before;
            each_plain(operations, |it, attribute| {
                let has = before.get(&attribute.name).is_some_and(|value| !is_unassigned(value));
                it.op != PatchOp::Add || has
            });
        })],
    ),
    fault(
        "patch-filtered-add-appends",
        &["DEF-072", "DEF-108"],
        "add with a filter that matches appends another value instead of changing the one that is there.",
        "Entra: after each cycle a user has one more address",
        &["RFC7644-3.5.2.1-10"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                let Some(path) = operation.path.as_mut().filter(|_| operation.op == PatchOp::Add) else {
                    continue;
                };
                if let (Some(_), Some(sub), Some(value)) = (&path.filter, &path.sub, &operation.value) {
                    operation.value = Some(json!([{ sub.as_str(): value }]));
                    *path = PatchPath { attribute: path.attribute.clone(), filter: None, sub: None };
                }
            }
        })],
    ),
    fault(
        "patch-filtered-part-removal-takes-the-value",
        &["DEF-093"],
        "remove of a part of a filtered value removes the whole value.",
        "people, who lose an address for its postal code",
        &["RFC7644-3.5.2.2-07"],
        &[Ops(|operations| {
            for operation in operations.list.iter_mut().filter(|it| it.op == PatchOp::Remove) {
                if let Some(path) = operation.path.as_mut().filter(|path| path.filter.is_some()) {
                    path.sub = None;
                }
            }
        })],
    ),
    fault(
        "patch-filtered-part-removal-ignored",
        &["DEF-118"],
        "remove of a part of a filtered value does nothing.",
        "people, whose old postal code stays",
        &["RFC7644-3.5.2.2-07"],
        &[Ops(|operations| {
            operations.list.retain(|it| {
                let is_part = it.path.as_ref().is_some_and(|it| it.filter.is_some() && it.sub.is_some());
                it.op != PatchOp::Remove || !is_part
            });
        })],
    ),
    fault(
        "patch-filtered-remove-takes-the-first-only",
        &["DEF-075"],
        "remove with a filter removes the first value that matches, and no other.",
        "people, of whose two addresses at work one stays",
        &["RFC7644-3.5.2.2-06"],
        &[Written(|change| {
            let Some((name, kept)) = spared(change) else { return };
            if let Some(after) = change.after.as_mut().and_then(Value::as_object_mut) {
                let values = after.entry(name).or_insert_with(|| json!([]));
                values.as_array_mut().into_iter().for_each(|values| values.extend(kept.clone()));
            }
        })],
    ),
    fault(
        "patch-filtered-replace-hits-first-match-only",
        &["DEF-075"],
        "replace with a filter and a part changes the first value that matches, and no other.",
        "people, of whose two addresses one keeps its old type",
        &["RFC7644-3.5.2.3-08"],
        &[Ops(|operations| {
            let (before, definition) = (operations.before, operations.definition);
            for operation in operations.list.iter_mut().filter(|it| it.op == PatchOp::Replace) {
                let Some(path) = operation.path.as_mut().filter(|path| path.sub.is_some()) else { continue };
                if let Some(first) = first_match(path, before, definition) {
                    path.filter = Some(first);
                }
            }
        })],
    ),
    fault(
        "patch-complex-not-removable",
        &[],
        "remove of a whole complex attribute, such as name, does nothing.",
        "people, who keep a name that is not theirs",
        &["RFC7644-3.5.2.2-03"],
        &[Ops(|operations| {
            each_plain(operations, |it, attribute| {
                let is_whole = it.path.as_ref().is_some_and(|path| path.attribute.sub.is_none());
                let is_complex = !attribute.multi_valued && !attribute.sub_attributes.is_empty();
                !(it.op == PatchOp::Remove && is_whole && is_complex)
            });
        })],
    ),
    fault(
        "patch-members-not-emptied",
        &["DEF-118"],
        "remove with the path members leaves all members in the group.",
        "everybody: access is never taken away",
        &["RFC7644-3.5.2.2-10"],
        &[Ops(|operations| {
            each_plain(operations, |it, attribute| it.op != PatchOp::Remove || attribute.name != "members");
        })],
    ),
    fault(
        "patch-one-kind-of-operation",
        &["DEF-092"],
        "Of several operations only those count whose op is that of the first.",
        "clients that exchange one member for another",
        &["RFC7644-3.5.2.2-11"],
        &[Ops(|operations| {
            let first = operations.list.first().map(|it| it.op);
            operations.list.retain(|it| Some(it.op) == first);
        })],
    ),
    fault(
        "patch-operations-on-the-original",
        &["DEF-092"],
        "Each operation sees the resource as it was before the request.",
        "clients whose second operation stands on the first",
        &["RFC7644-3.5.2-17"],
        &[Ops(|operations| {
            let (before, definition) = (operations.before, operations.definition);
            operations.list.retain(|it| {
                let Some(path) = it.path.as_ref().filter(|path| path.filter.is_some()) else { return true };
                first_match(path, before, definition).is_some()
            });
        })],
    ),
    fault(
        "patch-replace-of-nothing-refused",
        &["DEF-101"],
        "replace of an attribute that has no value is refused with 400 and noTarget.",
        "Entra and Okta, which replace whatever they want to set",
        &["RFC7644-3.5.2.3-05"],
        &[Written(|change| {
            let Some(before) = change.before.filter(|_| change.method == Method::PATCH) else { return };
            let lacks = change.operations.iter().any(|it| {
                let plain =
                    it.path.as_ref().filter(|path| path.filter.is_none() && path.attribute.urn.is_none());
                it.op == PatchOp::Replace
                    && plain.is_some_and(|path| get(before, &path.attribute.name).is_none_or(is_unassigned))
            });
            if lacks && change.after.is_some() {
                change.after = None;
                change.refusal = Some(ScimError::no_target("there is nothing to replace"));
            }
        })],
    ),
    fault(
        "patch-member-identity-replaced",
        &[],
        "A PATCH of a member's value is answered with 200 and takes the member away.",
        "people, who lose access without a word",
        &["RFC7644-3.5.2-09"],
        &[Written(|change| {
            let is_of_member = |it: &PatchOperation| {
                it.op == PatchOp::Replace
                    && it.path.as_ref().is_some_and(|path| {
                        path.attribute.name == "members" && path.sub.as_deref() == Some("value")
                    })
            };
            if change.method == Method::PATCH && change.operations.iter().any(is_of_member) {
                let mut after = change.before.cloned().unwrap_or_default();
                if let Some(members) = after.get_mut("members").and_then(Value::as_array_mut) {
                    members.remove(0);
                }
                change.after = Some(after);
                change.refusal = None;
            }
        })],
    ),
    fault(
        "patch-schemas-removable",
        &[],
        "A PATCH removes schemas, and the resource has none from then on.",
        "every client: none can tell what it reads",
        &["RFC7644-3.5.2.2-08"],
        &[
            Ops(|operations| {
                let removes =
                    |it: &PatchOperation| it.op == PatchOp::Remove && names_attribute(it, "schemas");
                if operations.list.iter().any(removes) {
                    operations.list.retain(|it| !removes(it));
                    let shown = operations.memory.shown.entry(operations.id.to_owned()).or_default();
                    shown.insert("schemas".to_owned(), Value::Null);
                }
            }),
            At(|seen, answer| {
                let shown = std::mem::take(&mut seen.memory.shown);
                each_resource(seen, answer, |resource| {
                    let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
                    if shown.get(id).is_some_and(|members| members.contains_key("schemas")) {
                        resource.shift_remove("schemas");
                    }
                });
                seen.memory.shown = shown;
            }),
        ],
    ),
    fault(
        "patch-display-dropped",
        &["DEF-041"],
        "A PATCH of whatever drops the display of e-mail addresses.",
        "people, whose labels go with every change",
        &["RFC7644-3.5.2-17"],
        &[Written(|change| {
            let emails = change.after.as_mut().and_then(|after| after.get_mut("emails"));
            if change.method == Method::PATCH {
                let emails = emails.and_then(Value::as_array_mut).into_iter().flatten();
                emails.filter_map(Value::as_object_mut).for_each(|email| {
                    email.shift_remove("display");
                });
            }
        })],
    ),
    fault(
        "patch-password-stays",
        &["DEF-116"],
        "A PATCH of password is answered with 501, although changePassword.supported is true.",
        "people, who cannot change it",
        &["RFC7643-5-13"],
        &[Written(|change| {
            if change.method == Method::PATCH
                && change.operations.iter().any(|it| names_attribute(it, "password"))
            {
                change.after = None;
                change.refusal = Some(ScimError::new(501, "passwords are changed elsewhere"));
            }
        })],
    ),
    fault(
        "bulk-unadvertised-job-swallowed",
        &["DEF-208"],
        "bulk.supported is false, and a job is answered with 200 and no results.",
        "clients whose job is lost",
        &["RFC7644-3.7-01"],
        &[
            Job(|job| job.groups.clear()),
            At(|seen, answer| {
                if let Some(config) = service_config(seen, answer) {
                    config.insert(
                        "bulk".to_owned(),
                        json!({ "supported": false, "maxOperations": 0, "maxPayloadSize": 0 }),
                    );
                }
            }),
        ],
    ),
    fault(
        "bulk-limits-undeclared",
        &["DEF-213"],
        "bulk.supported is true, and neither maxOperations nor maxPayloadSize is said.",
        "clients, which cannot tell how much to send at once",
        &["RFC7644-3.7.4-01"],
        &[At(|seen, answer| {
            if let Some(config) = service_config(seen, answer) {
                config.insert("bulk".to_owned(), json!({ "supported": true }));
            }
        })],
    ),
    fault(
        "bulk-request-schema-unknown",
        &[],
        "A job that says it is a BulkRequest is refused with 400.",
        "clients that follow the RFC",
        &["RFC7644-3.7-03"],
        &[Job(|job| {
            if job.refusal.is_none() {
                job.groups.clear();
                job.refusal = Some(ScimError::invalid_syntax("schemas: this is no bulk request"));
            }
        })],
    ),
    fault(
        "bulk-ids-are-numbers",
        &[],
        "A job whose bulkIds are no numbers is refused with 400.",
        "clients that choose other names",
        &["RFC7644-3.7-09"],
        &[Job(|job| {
            let is_name = |text: &String| text.parse::<u64>().is_err();
            if job.refusal.is_none()
                && job.request.operations.iter().any(|it| it.bulk_id.as_ref().is_some_and(is_name))
            {
                job.groups.clear();
                job.refusal = Some(ScimError::invalid_value("bulkId: is no number"));
            }
        })],
    ),
    fault(
        "bulk-path-reference-changes-nothing",
        &[],
        "An operation whose path has a bulkId is answered with 200, and nothing is done.",
        "clients that change what they have just made",
        &["RFC7644-3.7.2-06"],
        &[Step(|step| {
            let refers = step.sent.path.as_ref().is_some_and(|path| path.contains(REFERENCE));
            if refers && step.answer.is_none() {
                step.answer = Some(Answer::empty(StatusCode::OK));
            }
        })],
    ),
    fault(
        "bulk-data-ignored",
        &[],
        "A PUT and a PATCH in a job are answered with 200 without a look at their data.",
        "people whose changes never arrive",
        &["RFC7644-3.7-12"],
        &[Step(|step| {
            let method = step.sent.method.as_deref().unwrap_or_default();
            if ["PUT", "PATCH"].contains(&method) && step.answer.is_none() {
                step.answer = Some(Answer::empty(StatusCode::OK));
            }
        })],
    ),
    fault(
        "bulk-success-answered-with-text",
        &[],
        "The result of an operation that succeeded has a text as its response.",
        "clients that expect a resource there, or nothing",
        &["RFC7644-3.7-15"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                result.entry("response").or_insert_with(|| "Done".into());
            });
        })],
    ),
    fault(
        "bulk-circle-refused-with-400",
        &[],
        "Of resources that refer to each other each is refused with 400.",
        "clients, which take their own message for malformed",
        &["RFC7644-3.7.1-02"],
        &[
            Job(|job| job.groups = (0..job.request.operations.len()).map(|index| vec![index]).collect()),
            Step(|step| {
                if step.answer.is_some() && !step.sent.references().is_empty() {
                    step.answer = Some(refusal(StatusCode::BAD_REQUEST, "there is no such resource"));
                }
            }),
        ],
    ),
    fault(
        "bulk-failures-left-out",
        &["DEF-208"],
        "A job is answered with the results of what succeeded only.",
        "clients, which do not learn what failed",
        &["RFC7644-3.7.3-01"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Bulk
                && let Some(Value::Array(results)) = object(answer).and_then(|it| it.get_mut("Operations"))
            {
                results.retain(|result| result.get("response").is_none());
            }
        })],
    ),
];

/// What `/Schemas` says of `title` in the faults about immutable attributes.
const TITLE_IS_IMMUTABLE: Rewrite = At(|seen, answer| {
    each_attribute(seen, answer, "title", |attribute| {
        attribute.insert("mutability".to_owned(), "immutable".into());
    });
});

/// Whether an operation is about an attribute of that name.
fn names_attribute(operation: &PatchOperation, name: &str) -> bool {
    match (&operation.path, &operation.value) {
        (Some(path), _) => path.attribute.name.eq_ignore_ascii_case(name),
        (None, Some(value)) => get(value, name).is_some(),
        (None, None) => false,
    }
}

fn is_op(operation: &Value, name: &str) -> bool {
    operation.get("op").and_then(Value::as_str).is_some_and(|op| op.eq_ignore_ascii_case(name))
}

/// Turns the refusal of a PATCH with such operations into a success.
fn accept(seen: &Seen<'_>, answer: &mut Answer, is_meant: impl Fn(&[Value]) -> bool) {
    if seen.request.method != Method::PATCH || answer.status != StatusCode::BAD_REQUEST {
        return;
    }
    let body = body_of(seen.request).unwrap_or_default();
    if is_meant(body.get("Operations").map(elements).unwrap_or_default()) {
        *answer = Answer::empty(StatusCode::NO_CONTENT);
    }
}

/// Keeps the operations that a check wants, of those that have a path without a filter.
fn each_plain(operations: &mut PatchOperations<'_>, keeps: impl Fn(&PatchOperation, &Attribute) -> bool) {
    let definition = operations.definition;
    operations.list.retain(|it| {
        let Some(path) = it.path.as_ref().filter(|path| path.filter.is_none()) else { return true };
        match definition.resolve(&path.attribute) {
            Some(Resolved::Attribute { attribute, .. }) => keeps(it, attribute),
            _ => true,
        }
    });
}

/// Whether an operation is about a single value without parts.
fn is_simple(operation: &PatchOperation, attribute: &Attribute) -> bool {
    let is_whole = operation.path.as_ref().is_some_and(|path| path.attribute.sub.is_none());
    is_whole && !attribute.multi_valued && attribute.sub_attributes.is_empty()
}

/// The values that a filter takes, without the first: with the name of their attribute.
fn spared(change: &Change<'_>) -> Option<(String, Vec<Value>)> {
    let before = change.before.filter(|_| change.method == Method::PATCH)?;
    let path = change.operations.iter().find_map(|it| {
        it.path
            .as_ref()
            .filter(|path| it.op == PatchOp::Remove && path.filter.is_some() && path.sub.is_none())
    })?;
    let name = path.attribute.name.clone();
    let after = change.after.as_ref().and_then(|after| after.get(&name)).map(elements).unwrap_or_default();
    let taken = before.get(&name).map(elements)?.iter().filter(|it| !after.contains(it));
    Some((name, taken.skip(1).cloned().collect()))
}

/// A filter for the first value alone that the one of a path matches.
fn first_match(path: &PatchPath, before: &Value, definition: &ResourceDefinition) -> Option<Filter> {
    let filter = path.filter.as_ref()?;
    let name = &path.attribute.name;
    let whole = Filter::ValuePath { path: path.attribute.clone(), filter: Box::new(filter.clone()) };
    let first = before.get(name).map(elements)?.iter().find(|value| {
        let mut alone = Map::new();
        alone.insert(name.clone(), json!([value]));
        matches(&whole, &Value::Object(alone), definition).unwrap_or(false)
    })?;
    Some(Filter::Compare {
        path: AttributePath::of("value"),
        operator: CompareOperator::Equal,
        value: FilterValue::String(first.get("value")?.as_str()?.to_owned()),
    })
}

/// Shows, in the answer to a PUT, the version that the resource had.
fn old_version(seen: &mut Seen<'_>, answer: &mut Answer) {
    let Endpoint::Resource(_, id) = seen.endpoint else { return };
    if seen.request.method != Method::PUT || answer.status != StatusCode::OK {
        return;
    }
    let version = seen.memory.previous.get(id).and_then(|before| before.pointer("/meta/version")).cloned();
    let Some(Value::String(version)) = version else { return };
    answer.set_header(ETAG, &version);
    if let Some(meta) = object(answer).and_then(|it| it.get_mut("meta")).and_then(Value::as_object_mut) {
        meta.insert("version".to_owned(), version.into());
    }
}

fn refusal(status: StatusCode, detail: &str) -> Answer {
    let mut answer = Answer::empty(status);
    refuse(&mut answer, status, None, detail);
    answer
}
