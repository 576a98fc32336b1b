//! Families of faults: one defect of many attributes of User, EnterpriseUser and Group, each with one of them. A fault
//! of a family is called `family:attribute`, as in `create-drops:User.name.givenName`.
//!
//! Which attributes a family is about follows from their definitions ([`Family::applies`]); where no case can see the
//! defect yet, the family leaves them out by name ([`Family::scope`]).

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::super::attribute::CoreAttribute;
use super::super::fault::{
    AttributeRewrite, Change, Characteristic, FamilyMember, FaultEntry, ParsedFilter, Rewrite, Seen,
};
use super::super::message::Answer;
use super::super::rewrite::{each_resource, each_schema};
use crate::requirement::definitions::of_definition;
use crate::scim::error::ScimError;
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::patch::PatchOp;
use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, AttributeType, Mutability, Uniqueness};
use AttributeRewrite::{Answer as At, Change as Written, Filter as Parsed, Query as Asked};

/// A defect that any of several attributes can have.
struct Family {
    /// Its name, in kebab-case, permanent.
    name: &'static str,
    characteristic: Characteristic,
    /// What a client sees; `{}` is the attribute.
    client_sees: &'static str,
    hurts: &'static str,
    requirements: &'static [&'static str],
    /// Whether an attribute can have the defect, by its definition.
    applies: fn(&CoreAttribute) -> bool,
    scope: Scope,
    rewrites: &'static [AttributeRewrite],
}

/// Which of the attributes that can have a defect are in the catalogue: those of which a case sees it. A name that
/// ends with a dot stands for all sub-attributes.
enum Scope {
    AllBut(&'static [&'static str]),
    Only(&'static [&'static str]),
}

impl Scope {
    fn has(&self, name: &str) -> bool {
        let is_one = |names: &[&str]| {
            names.iter().any(|it| *it == name || (it.ends_with('.') && name.starts_with(it)))
        };
        match self {
            Self::AllBut(names) => !is_one(names),
            Self::Only(names) => is_one(names),
        }
    }
}

const FAMILIES: &[Family] = &[
    Family {
        name: "create-drops",
        characteristic: Characteristic::Storage,
        client_sees: "{} is not stored when the resource is created.",
        hurts: "everybody: what was provisioned is not there",
        requirements: &["RFC7644-3.3-01"],
        applies: |it| it.is_writable() && !it.leaf().required,
        scope: Scope::AllBut(&[
            "User.ims",
            "User.ims.",
            "User.photos",
            "User.photos.",
            "User.x509Certificates",
            "User.x509Certificates.",
            "User.name.formatted",
            "User.emails.display",
            "User.phoneNumbers.display",
            "User.phoneNumbers.primary",
            "User.addresses.formatted",
            "User.addresses.primary",
            "User.entitlements.display",
            "User.entitlements.type",
            "User.entitlements.primary",
            "User.roles.display",
            "User.roles.type",
            "User.roles.primary",
            "EnterpriseUser.manager.$ref",
            "Group.members.$ref",
            "Group.members.type",
            "Group.members.display",
        ]),
        rewrites: &[Written(|attribute, change| {
            if *change.method == Method::POST
                && let Some(after) = after(attribute, change)
            {
                remove(attribute, after);
            }
        })],
    },
    Family {
        name: "create-cuts",
        characteristic: Characteristic::Storage,
        client_sees: "Of {} no more than three characters are stored.",
        hurts: "people with longer values, which are wrong from then on",
        requirements: &["RFC7644-3.3-01", "RFC7643-2.3.1-01"],
        applies: |it| {
            it.is_writable()
                && it.leaf().kind == AttributeType::String
                && it.leaf().uniqueness == Uniqueness::None
        },
        scope: Scope::Only(&[
            "EnterpriseUser.department",
            "Group.displayName",
            "User.displayName",
            "User.emails.value",
            "User.name.familyName",
            "User.title",
        ]),
        rewrites: &[Written(|attribute, change| {
            if *change.method == Method::POST
                && let Some(after) = after(attribute, change)
            {
                attribute.each_holder(after, |holder, name| {
                    if let Some(Value::String(text)) = holder.get_mut(name) {
                        *text = text.chars().take(3).collect();
                    }
                });
            }
        })],
    },
    Family {
        name: "keeps-one-value",
        characteristic: Characteristic::MultiValued,
        client_sees: "Of several values of {} only the first is stored.",
        hurts: "people with a second address, and groups with more than one member",
        requirements: &["RFC7643-2.4-01", "RFC7644-3.3-01"],
        applies: |it| it.is_writable() && it.leaf().multi_valued,
        scope: Scope::AllBut(&["User.ims", "User.photos", "User.x509Certificates"]),
        rewrites: &[Written(|attribute, change| {
            if let Some(after) = after(attribute, change) {
                attribute.each_holder(after, |holder, name| {
                    if let Some(Value::Array(values)) = holder.get_mut(name) {
                        values.truncate(1);
                    }
                });
            }
        })],
    },
    Family {
        name: "put-ignores",
        characteristic: Characteristic::Mutability,
        client_sees: "A PUT leaves {} as it is.",
        hurts: "identity providers that replace: the change is lost, and the answer says 200",
        requirements: &["RFC7644-3.5.1-01", "RFC7644-3.5.1-04"],
        applies: |it| it.is_writable() && it.is_singular_or_whole(),
        scope: Scope::Only(&[
            "EnterpriseUser.costCenter",
            "EnterpriseUser.department",
            "EnterpriseUser.employeeNumber",
            "Group.displayName",
            "Group.members",
            "User.active",
            "User.emails",
            "User.phoneNumbers",
            "User.title",
        ]),
        rewrites: &[Written(|attribute, change| {
            if *change.method == Method::PUT {
                keep_as_before(attribute, change);
            }
        })],
    },
    Family {
        name: "patch-replace-ignores",
        characteristic: Characteristic::Mutability,
        client_sees: "A PATCH with replace leaves {} as it is.",
        hurts: "Okta and Entra: the change is lost, and the answer says success",
        requirements: &["RFC7644-3.5.2.3-01", "RFC7644-3.5.2-17"],
        applies: |it| it.is_writable() && it.is_singular_or_whole(),
        scope: Scope::Only(&[
            "EnterpriseUser.department",
            "Group.displayName",
            "Group.members",
            "User.active",
            "User.addresses",
            "User.emails",
            "User.name",
            "User.name.familyName",
            "User.nickName",
            "User.title",
            "User.userName",
        ]),
        rewrites: &[Written(|attribute, change| patch_ignores(PatchOp::Replace, attribute, change))],
    },
    Family {
        name: "patch-add-ignores",
        characteristic: Characteristic::Mutability,
        client_sees: "A PATCH with add leaves {} as it is.",
        hurts: "Entra, which adds what was empty: the change is lost, and the answer says success",
        requirements: &["RFC7644-3.5.2.1-01", "RFC7644-3.5.2-17"],
        applies: |it| it.is_writable() && it.is_singular_or_whole(),
        scope: Scope::Only(&[
            "EnterpriseUser.department",
            "Group.members",
            "User.emails",
            "User.name",
            "User.nickName",
            "User.title",
        ]),
        rewrites: &[Written(|attribute, change| patch_ignores(PatchOp::Add, attribute, change))],
    },
    Family {
        name: "patch-remove-ignores",
        characteristic: Characteristic::Mutability,
        client_sees: "A PATCH with remove leaves {} as it is.",
        hurts: "people whose data should be gone",
        requirements: &["RFC7644-3.5.2.2-01", "RFC7644-3.5.2-17"],
        applies: |it| it.is_writable() && it.is_singular_or_whole() && !it.leaf().required,
        scope: Scope::Only(&[
            "EnterpriseUser.department",
            "Group.members",
            "User.emails",
            "User.name.middleName",
            "User.phoneNumbers",
            "User.title",
        ]),
        rewrites: &[Written(|attribute, change| patch_ignores(PatchOp::Remove, attribute, change))],
    },
    Family {
        name: "patch-drops",
        characteristic: Characteristic::Storage,
        client_sees: "A PATCH of something else drops {}.",
        hurts: "everybody: a rename empties the rest",
        requirements: &["RFC7644-3.5.2-17"],
        applies: |it| it.is_writable() && it.is_singular_or_whole() && !it.leaf().required,
        scope: Scope::Only(&[
            "Group.members",
            "User.active",
            "User.displayName",
            "User.emails",
            "User.name",
            "User.name.familyName",
            "User.name.givenName",
            "User.title",
        ]),
        rewrites: &[Written(|attribute, change| {
            let (store, is_patch) = (change.store, *change.method == Method::PATCH);
            let stored = store.get(&change.id).and_then(|record| attribute.value(&record.attributes));
            if let Some(after) = after(attribute, change)
                && is_patch
                && attribute.value(after) == stored
            {
                remove(attribute, after);
            }
        })],
    },
    Family {
        name: "unique",
        characteristic: Characteristic::Uniqueness,
        client_sees: "No two resources can have the same {}, though /Schemas says uniqueness none.",
        hurts: "whoever shares the value with somebody: the second cannot be provisioned",
        requirements: &["RFC7643-7-32", "RFC7643-2.2-02"],
        applies: |it| {
            it.is_writable()
                && it.is_singular()
                && it.leaf().kind == AttributeType::String
                && it.leaf().uniqueness == Uniqueness::None
        },
        scope: Scope::Only(&["User.name.familyName"]),
        rewrites: &[Written(demand_unique)],
    },
    Family {
        name: "shown-as-another-type",
        characteristic: Characteristic::Type,
        client_sees: "{} is shown with another JSON type than it has.",
        hurts: "typed clients, which cannot read the resource at all",
        requirements: &["RFC7643-2.3-02", "RFC7643-2.2-02"],
        applies: |it| {
            it.leaf().mutability != Mutability::WriteOnly && it.sub.is_none_or(|sub| sub.name == "value")
        },
        scope: Scope::AllBut(&[
            "User.ims",
            "User.ims.",
            "User.photos",
            "User.photos.",
            "User.x509Certificates",
            "User.x509Certificates.",
            "User.emails.display",
            "User.addresses.",
            "User.entitlements.",
            "User.roles.",
            "User.phoneNumbers.",
            "User.groups.",
            "EnterpriseUser.manager.",
            "Group.members.",
        ]),
        rewrites: &[At(|attribute, seen, answer| {
            each_value(attribute, seen, answer, |value| *value = of_another_type(value, attribute.leaf()));
        })],
    },
    Family {
        name: "shown-as-one-value",
        characteristic: Characteristic::MultiValued,
        client_sees: "{} is shown as its first value, and not as an array.",
        hurts: "typed clients, which cannot read the resource at all",
        requirements: &["RFC7643-2.4-01", "RFC7643-2.2-02"],
        applies: |it| it.leaf().multi_valued,
        scope: Scope::AllBut(&["User.ims", "User.photos", "User.x509Certificates"]),
        rewrites: &[At(|attribute, seen, answer| {
            each_value(attribute, seen, answer, |value| {
                if let Some(first) = value.as_array().and_then(|values| values.first()).cloned() {
                    *value = first;
                }
            });
        })],
    },
    Family {
        name: "shown-as-list",
        characteristic: Characteristic::MultiValued,
        client_sees: "{} is shown as an array with one value.",
        hurts: "typed clients, which cannot read the resource at all",
        requirements: &["RFC7643-2.3-02", "RFC7643-2.2-02"],
        applies: |it| !it.leaf().multi_valued && it.leaf().mutability != Mutability::WriteOnly,
        scope: Scope::Only(&[
            "EnterpriseUser.department",
            "Group.displayName",
            "User.active",
            "User.name",
            "User.name.familyName",
            "User.title",
            "User.userName",
        ]),
        rewrites: &[At(|attribute, seen, answer| {
            each_value(attribute, seen, answer, |value| *value = Value::Array(vec![value.take()]));
        })],
    },
    Family {
        name: "hidden",
        characteristic: Characteristic::Returned,
        client_sees: "{} is stored, and never shown.",
        hurts: "clients that compare what they wrote: they write it again each time",
        requirements: &["RFC7643-7-29", "RFC7644-3.9-01"],
        applies: |it| it.is_writable(),
        scope: Scope::Only(&[
            "EnterpriseUser.department",
            "Group.members",
            "User.active",
            "User.emails",
            "User.emails.type",
            "User.name.givenName",
            "User.phoneNumbers",
            "User.roles",
            "User.title",
        ]),
        rewrites: &[At(|attribute, seen, answer| {
            each_of_kind(attribute, seen, answer, |resource, _| remove(attribute, resource));
        })],
    },
    Family {
        name: "hidden-when-asked-for",
        characteristic: Characteristic::Returned,
        client_sees: "{} is missing where the attributes parameter names it.",
        hurts: "clients that read only what they need",
        requirements: &["RFC7644-3.9-05", "RFC7644-3.4.2.5-02"],
        applies: |it| it.is_writable(),
        scope: Scope::Only(&[
            "EnterpriseUser.department",
            "User.active",
            "User.name.familyName",
            "User.userName",
        ]),
        rewrites: &[At(|attribute, seen, answer| {
            if seen.request.parameter("attributes").is_some_and(|list| attribute.is_in_list(list)) {
                each_of_kind(attribute, seen, answer, |resource, _| remove(attribute, resource));
            }
        })],
    },
    Family {
        name: "shown-though-excluded",
        characteristic: Characteristic::Returned,
        client_sees: "{} is shown though excludedAttributes names it.",
        hurts: "clients that spare themselves long lists",
        requirements: &["RFC7644-3.9-08", "RFC7644-3.4.2.5-04"],
        applies: |it| it.is_writable() && it.is_singular_or_whole(),
        scope: Scope::Only(&["Group.members", "User.emails", "User.name"]),
        rewrites: &[At(|attribute, seen, answer| {
            if seen.request.parameter("excludedAttributes").is_some_and(|list| attribute.is_in_list(list)) {
                show_stored(attribute, seen, answer);
            }
        })],
    },
    Family {
        name: "shown-though-not-asked-for",
        characteristic: Characteristic::Returned,
        client_sees: "{} is shown though the attributes parameter names only others.",
        hurts: "clients that spare themselves long lists",
        requirements: &["RFC7644-3.9-05", "RFC7644-3.4.2.5-02"],
        applies: |it| it.is_writable() && it.sub.is_none(),
        scope: Scope::Only(&["User.active", "User.emails", "User.name"]),
        rewrites: &[At(|attribute, seen, answer| {
            if seen.request.parameter("attributes").is_some_and(|list| !attribute.is_in_list(list)) {
                show_stored(attribute, seen, answer);
            }
        })],
    },
    Family {
        name: "filter-eq-finds-nothing",
        characteristic: Characteristic::Filter,
        client_sees: "A filter {} eq finds nothing.",
        hurts: "identity providers, which create what is there already",
        requirements: &["RFC7644-3.4.2.2-06"],
        applies: |it| it.is_writable() && it.is_simple(),
        scope: Scope::Only(&[
            "EnterpriseUser.employeeNumber",
            "Group.displayName",
            "Group.members.value",
            "User.active",
            "User.displayName",
            "User.emails.value",
            "User.name.familyName",
            "User.title",
            "User.userName",
        ]),
        rewrites: &[Parsed(|attribute, filter| {
            each_term(attribute, filter, |term| {
                if matches!(term, Filter::Compare { operator: CompareOperator::Equal, .. }) {
                    *term = Filter::Not(Box::new(Filter::Present(AttributePath::of("id"))));
                }
            });
        })],
    },
    Family {
        name: "filter-pr-finds-nothing",
        characteristic: Characteristic::Filter,
        client_sees: "A filter {} pr finds nothing.",
        hurts: "clients that look for what is filled in",
        requirements: &["RFC7644-3.4.2.2-11"],
        applies: |it| it.is_writable(),
        scope: Scope::Only(&["User.active", "User.emails", "User.name", "User.title"]),
        rewrites: &[Parsed(|attribute, filter| {
            each_term(attribute, filter, |term| {
                if matches!(term, Filter::Present(_)) {
                    *term = Filter::Not(Box::new(Filter::Present(AttributePath::of("id"))));
                }
            });
        })],
    },
    Family {
        name: "filter-refused",
        characteristic: Characteristic::Filter,
        client_sees: "A filter on {} is refused as invalid.",
        hurts: "identity providers that match by it",
        requirements: &["RFC7644-3.4.2.2-06", "RFC7644-3.4.2.2-25"],
        applies: |it| it.is_writable(),
        scope: Scope::Only(&["Group.displayName", "User.userName"]),
        rewrites: &[Parsed(|attribute, filter| {
            let mut is_about_it = false;
            each_term(attribute, filter, |_| is_about_it = true);
            if is_about_it {
                filter.parsed = Err(ScimError::invalid_filter("this attribute cannot be filtered by"));
            }
        })],
    },
    Family {
        name: "filter-regards-case",
        characteristic: Characteristic::CaseExact,
        client_sees: "A filter {} eq compares with regard to case, though /Schemas says caseExact false.",
        hurts: "identity providers, which create a second one for another spelling",
        requirements: &["RFC7643-7-17", "RFC7644-3.4.2.2-37"],
        applies: |it| {
            let leaf = it.leaf();
            it.is_writable() && it.is_singular() && leaf.kind == AttributeType::String && !leaf.case_exact
        },
        scope: Scope::Only(&["User.title", "User.userName"]),
        rewrites: &[AttributeRewrite::Rows(|attribute, rows| {
            if let Some(Filter::Compare {
                path,
                operator: CompareOperator::Equal,
                value: FilterValue::String(text),
            }) = rows.filter
                && attribute.is_in_list(&path.to_string())
            {
                rows.rows.retain(|row| {
                    let value = row.as_object().and_then(|row| attribute.value(row));
                    value.and_then(Value::as_str).is_none_or(|value| value == text)
                });
            }
        })],
    },
    Family {
        name: "sort-ignores",
        characteristic: Characteristic::Sort,
        client_sees: "sortBy={} is ignored.",
        hurts: "people who look through a list",
        requirements: &["RFC7644-3.4.2.3-02", "RFC7644-3.4.2.3-03"],
        applies: |it| it.is_writable() && it.is_simple(),
        scope: Scope::Only(&["User.name.familyName", "User.title", "User.userName"]),
        rewrites: &[Asked(|attribute, query| {
            if query.sort_by.as_deref().is_some_and(|path| attribute.is_in_list(path)) {
                query.sort_by = None;
            }
        })],
    },
    Family {
        name: "not-declared",
        characteristic: Characteristic::Type,
        client_sees: "/Schemas does not have {}, though resources do.",
        hurts: "schema-driven clients, which never write it",
        requirements: &["RFC7643-2.2-02", "RFC7644-3.4-02"],
        applies: |it| it.is_writable(),
        scope: Scope::Only(&["User.userName"]),
        rewrites: &[At(|attribute, seen, answer| {
            each_schema(seen, answer, |schema| {
                if attribute.declaration(schema).is_some() {
                    let attributes = schema.get_mut("attributes").and_then(Value::as_array_mut);
                    let Some(attributes) = attributes else { return };
                    let is_called = |it: &Value, name: &str| it.get("name").is_some_and(|it| it == name);
                    match attribute.sub {
                        None => attributes.retain(|it| !is_called(it, &attribute.attribute.name)),
                        Some(sub) => attributes
                            .iter_mut()
                            .filter(|it| is_called(it, &attribute.attribute.name))
                            .filter_map(|it| it.get_mut("subAttributes")?.as_array_mut())
                            .for_each(|subs| subs.retain(|it| !is_called(it, &sub.name))),
                    }
                }
            });
        })],
    },
    Family {
        name: "declared-of-another-type",
        characteristic: Characteristic::Type,
        client_sees: "/Schemas gives {} another type than its values have.",
        hurts: "schema-driven clients, which send what is refused and cannot read what they get",
        requirements: &["RFC7643-2.2-02", "RFC7643-2.3-02"],
        applies: |it| it.is_simple() && (it.is_writable() || it.sub.is_none()),
        scope: Scope::Only(&[
            "EnterpriseUser.costCenter",
            "EnterpriseUser.department",
            "EnterpriseUser.division",
            "EnterpriseUser.employeeNumber",
            "EnterpriseUser.organization",
            "Group.displayName",
            "Group.members.value",
            "User.active",
            "User.displayName",
            "User.emails.value",
            "User.locale",
            "User.name.familyName",
            "User.nickName",
            "User.password",
            "User.preferredLanguage",
            "User.profileUrl",
            "User.timezone",
            "User.title",
            "User.userName",
            "User.userType",
        ]),
        rewrites: &[At(|attribute, seen, answer| {
            let kind = if attribute.leaf().kind == AttributeType::Boolean { "string" } else { "boolean" };
            declare(attribute, seen, answer, "type", kind.into());
        })],
    },
    Family {
        name: "declared-otherwise-plural",
        characteristic: Characteristic::MultiValued,
        client_sees: "/Schemas says multiValued of {} the other way round.",
        hurts: "schema-driven clients, which send an array for an object, or an object for an array",
        requirements: &["RFC7643-2.4-01", "RFC7643-2.2-02"],
        applies: |it| it.is_writable() || it.sub.is_none(),
        scope: Scope::Only(&[
            "EnterpriseUser.costCenter",
            "EnterpriseUser.department",
            "EnterpriseUser.division",
            "EnterpriseUser.employeeNumber",
            "EnterpriseUser.manager",
            "EnterpriseUser.organization",
            "Group.displayName",
            "Group.members",
            "User.active",
            "User.addresses",
            "User.displayName",
            "User.emails",
            "User.entitlements",
            "User.groups",
            "User.ims",
            "User.locale",
            "User.name",
            "User.name.familyName",
            "User.nickName",
            "User.password",
            "User.phoneNumbers",
            "User.photos",
            "User.preferredLanguage",
            "User.profileUrl",
            "User.roles",
            "User.timezone",
            "User.title",
            "User.userName",
            "User.userType",
            "User.x509Certificates",
        ]),
        rewrites: &[At(|attribute, seen, answer| {
            declare(attribute, seen, answer, "multiValued", (!attribute.leaf().multi_valued).into());
        })],
    },
    Family {
        name: "declared-required",
        characteristic: Characteristic::Required,
        client_sees: "/Schemas says that {} is required, which it is not.",
        hurts: "schema-driven clients, which refuse to provision whoever has no value",
        requirements: &["RFC7643-7-15", "RFC7643-2.2-02"],
        applies: |it| it.is_writable() && !it.leaf().required,
        scope: Scope::Only(&["Group.members", "User.nickName", "User.title"]),
        rewrites: &[At(|attribute, seen, answer| declare(attribute, seen, answer, "required", true.into()))],
    },
    Family {
        name: "declared-never-returned",
        characteristic: Characteristic::Returned,
        client_sees: "/Schemas says that {} is never returned, which it is.",
        hurts: "clients that trust it to be kept secret",
        requirements: &["RFC7643-7-27", "RFC7643-2.2-02"],
        applies: |it| it.is_writable(),
        scope: Scope::Only(&[
            "EnterpriseUser.department",
            "Group.displayName",
            "Group.members",
            "User.active",
            "User.emails",
            "User.emails.value",
            "User.name",
            "User.name.familyName",
            "User.title",
            "User.userName",
        ]),
        rewrites: &[At(|attribute, seen, answer| {
            declare(attribute, seen, answer, "returned", "never".into())
        })],
    },
    Family {
        name: "declared-returned-on-request",
        characteristic: Characteristic::Returned,
        client_sees: "/Schemas says that {} is returned on request, and it is always there.",
        hurts: "clients that trust lists to be short",
        requirements: &["RFC7643-7-30", "RFC7643-2.2-02"],
        applies: |it| it.is_writable() && it.sub.is_none(),
        scope: Scope::Only(&["EnterpriseUser.department", "Group.members", "User.emails", "User.title"]),
        rewrites: &[At(|attribute, seen, answer| {
            declare(attribute, seen, answer, "returned", "request".into());
        })],
    },
    Family {
        name: "declared-unique",
        characteristic: Characteristic::Uniqueness,
        client_sees: "/Schemas says that no two resources have the same {}, and they can have.",
        hurts: "clients that look an account up by it, and take the first",
        requirements: &["RFC7643-7-33"],
        applies: |it| it.is_writable() && it.is_singular() && it.is_simple(),
        scope: Scope::Only(&["User.nickName"]),
        rewrites: &[At(|attribute, seen, answer| {
            declare(attribute, seen, answer, "uniqueness", "server".into());
        })],
    },
    Family {
        name: "declared-read-only",
        characteristic: Characteristic::Mutability,
        client_sees: "/Schemas says that {} is readOnly, and what a client sends is stored.",
        hurts: "clients that trust it to be the server's own",
        requirements: &["RFC7643-7-20", "RFC7643-2.2-02"],
        applies: |it| it.is_writable() && it.is_singular() && it.is_simple(),
        scope: Scope::Only(&["User.nickName"]),
        rewrites: &[At(|attribute, seen, answer| {
            declare(attribute, seen, answer, "mutability", "readOnly".into());
        })],
    },
    Family {
        name: "declared-immutable",
        characteristic: Characteristic::Mutability,
        client_sees: "/Schemas says that {} is immutable, and it changes.",
        hurts: "schema-driven clients, which make a new resource for each change",
        requirements: &["RFC7643-7-23", "RFC7643-2.2-02"],
        applies: |it| it.is_writable() && it.leaf().mutability == Mutability::ReadWrite,
        scope: Scope::Only(&["Group.displayName", "User.emails", "User.nickName", "User.title"]),
        rewrites: &[At(|attribute, seen, answer| {
            declare(attribute, seen, answer, "mutability", "immutable".into());
        })],
    },
    Family {
        name: "declared-case-exact",
        characteristic: Characteristic::CaseExact,
        client_sees: "/Schemas says caseExact of {} the other way round.",
        hurts: "clients that match by it",
        requirements: &["RFC7643-7-17", "RFC7643-2.2-02"],
        applies: |it| it.is_writable() && it.leaf().kind == AttributeType::String,
        scope: Scope::Only(&["User.nickName", "User.userName"]),
        rewrites: &[At(|attribute, seen, answer| {
            declare(attribute, seen, answer, "caseExact", (!attribute.leaf().case_exact).into());
        })],
    },
];

/// One fault for each family and each attribute that it is about. To be called once: entries live as long as the
/// process.
pub(super) fn faults() -> Vec<FaultEntry> {
    let attributes: &'static [CoreAttribute] = CoreAttribute::all().leak();
    FAMILIES
        .iter()
        .flat_map(|family| {
            let applies = |it: &&CoreAttribute| (family.applies)(it) && family.scope.has(&it.name);
            attributes.iter().filter(applies).map(|attribute| entry(family, attribute))
        })
        .collect()
}

/// Families that contradict the printed definition of the attribute: their faults break the requirement about it, too.
const OF_DEFINITIONS: &[&str] = &["declared-otherwise-plural", "declared-of-another-type"];

fn entry(family: &'static Family, attribute: &'static CoreAttribute) -> FaultEntry {
    let of_definition = of_definition(&attribute.schema.id, &attribute.attribute.name)
        .filter(|_| OF_DEFINITIONS.contains(&family.name))
        .and_then(<[_]>::first);
    let requirements: Vec<&'static str> = family.requirements.iter().chain(of_definition).copied().collect();
    let rewrites: Vec<Rewrite> = family.rewrites.iter().map(|it| Rewrite::Of(attribute, *it)).collect();
    FaultEntry {
        name: format!("{}:{}", family.name, attribute.name).leak(),
        defects: &[],
        client_sees: family.client_sees.replace("{}", &attribute.name).leak(),
        hurts: family.hurts,
        requirements: requirements.leak(),
        family: Some(FamilyMember {
            family: family.name,
            characteristic: family.characteristic,
            attribute: &attribute.name,
        }),
        settle: None,
        rewrites: rewrites.leak(),
    }
}

/// How a resource is to look after a write, if it can have the attribute.
fn after<'a>(attribute: &CoreAttribute, change: &'a mut Change<'_>) -> Option<&'a mut Map<String, Value>> {
    if change.kind != attribute.kind() {
        return None;
    }
    change.after.as_mut()?.as_object_mut()
}

fn remove(attribute: &CoreAttribute, resource: &mut Map<String, Value>) {
    attribute.set(resource, None);
}

fn keep_as_before(attribute: &CoreAttribute, change: &mut Change<'_>) {
    let before = change.before.and_then(Value::as_object).and_then(|before| attribute.value(before));
    if let Some(after) = after(attribute, change) {
        attribute.set(after, before);
    }
}

fn patch_ignores(op: PatchOp, attribute: &CoreAttribute, change: &mut Change<'_>) {
    if *change.method == Method::PATCH && change.operations.iter().any(|operation| operation.op == op) {
        keep_as_before(attribute, change);
    }
}

/// Refuses a new value that another resource of the type has.
fn demand_unique(attribute: &CoreAttribute, change: &mut Change<'_>) {
    let before = change.before.and_then(Value::as_object).and_then(|before| attribute.value(before)).cloned();
    let (store, id) = (change.store, change.id.clone());
    let Some(value) = after(attribute, change).and_then(|after| attribute.value(after)).cloned() else {
        return;
    };
    let is_taken = store.all().any(|record| {
        record.kind == attribute.kind()
            && record.id != id
            && attribute.value(&record.attributes) == Some(&value)
    });
    if is_taken && before != Some(value) {
        change.after = None;
        change.refusal = Some(ScimError::uniqueness(format!("{}: the value is in use", attribute.name)));
    }
}

/// Changes each resource of an answer that can have the attribute; `change` gets it with its id.
fn each_of_kind(
    attribute: &CoreAttribute,
    seen: &Seen<'_>,
    answer: &mut Answer,
    mut change: impl FnMut(&mut Map<String, Value>, &str),
) {
    each_resource(seen, answer, |resource| {
        if attribute.is_of(resource) {
            let id = resource.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            change(resource, &id);
        }
    });
}

/// Changes each value of the attribute in an answer.
fn each_value(
    attribute: &CoreAttribute,
    seen: &Seen<'_>,
    answer: &mut Answer,
    mut change: impl FnMut(&mut Value),
) {
    each_of_kind(attribute, seen, answer, |resource, _| {
        attribute.each_holder(resource, |holder, name| {
            if let Some(value) = holder.get_mut(name) {
                change(value);
            }
        });
    });
}

/// Shows the attribute as it is stored.
fn show_stored(attribute: &CoreAttribute, seen: &Seen<'_>, answer: &mut Answer) {
    let store = seen.store;
    each_of_kind(attribute, seen, answer, |resource, id| {
        if let Some(value) = store.get(id).and_then(|record| attribute.value(&record.attributes)) {
            attribute.set(resource, Some(value));
        }
    });
}

fn of_another_type(value: &Value, definition: &Attribute) -> Value {
    match (value, definition.kind) {
        (Value::String(text), AttributeType::Reference) => serde_json::json!({ "href": text }),
        (Value::String(text), _) => text.chars().count().into(),
        (Value::Bool(is_so), _) => is_so.to_string().into(),
        (Value::Array(values), _) => {
            let text = |it: &Value| it.get("value").and_then(Value::as_str).unwrap_or_default().into();
            values.iter().map(text).collect::<Vec<Value>>().into()
        }
        (other, _) => other.to_string().into(),
    }
}

/// Changes each comparison of a filter that is about the attribute, but for those between brackets. A parsed filter
/// nests no deeper than the parser allows.
fn each_term(attribute: &CoreAttribute, filter: &mut ParsedFilter<'_>, mut change: impl FnMut(&mut Filter)) {
    fn walk(
        filter: &mut Filter,
        is_about_it: &impl Fn(&AttributePath) -> bool,
        change: &mut impl FnMut(&mut Filter),
    ) {
        match filter {
            Filter::And(operands) | Filter::Or(operands) => {
                operands.iter_mut().for_each(|operand| walk(operand, is_about_it, change));
            }
            Filter::Not(operand) => walk(operand, is_about_it, change),
            Filter::Compare { path, .. } | Filter::Present(path) | Filter::ValuePath { path, .. } => {
                if is_about_it(path) {
                    change(filter);
                }
            }
        }
    }
    let definition = filter.definition;
    let is_about_it = |path: &AttributePath| attribute.is_named_by(path, definition);
    if let Ok(Some(parsed)) = &mut filter.parsed {
        walk(parsed, &is_about_it, &mut change);
    }
}

/// Has /Schemas say something of the attribute.
fn declare(
    attribute: &CoreAttribute,
    seen: &Seen<'_>,
    answer: &mut Answer,
    characteristic: &str,
    value: Value,
) {
    if answer.status != StatusCode::OK {
        return;
    }
    each_schema(seen, answer, |schema| {
        if let Some(declaration) = attribute.declaration(schema) {
            declaration.insert(characteristic.to_owned(), value.clone());
        }
    });
}
