//! For each rule, alterations of what it is about: on every green exchange that one of them applies to, the rule has
//! to break.

use std::collections::BTreeMap;

use scimspec::judge::rules::{RULES, RuleContext, RuleVerdict, View};
use scimspec::scim::resource::{get, member, set_member};
use scimspec::target::exchange::Exchange;
use serde_json::{Map, Value, json};

use super::alter;

/// Alters an exchange that a rule was judged on; `None` where the alteration has no meaning there.
type Alteration = fn(&Exchange) -> Option<Exchange>;

/// An alteration with what it does, in words.
type Named = (&'static str, Alteration);

/// What came of altering the exchanges of a run for one rule.
#[derive(Debug, Default)]
pub struct Tried {
    /// How many altered exchanges broke the rule, by alteration.
    pub killed: BTreeMap<&'static str, u32>,
    /// Alterations that did not, with the exchange.
    pub survivors: Vec<String>,
}

/// Tries the rule of that name on all exchanges of a green run.
pub fn try_rule(name: &str, exchanges: &[impl AsRef<Exchange>], context: &RuleContext<'_>) -> Tried {
    let rule = RULES.iter().find(|rule| rule.name == name).expect("a rule of that name");
    let view = View::of(context);
    let mut tried = Tried::default();
    tried.killed.extend(alterations(name).iter().map(|(what, _)| (*what, 0)));
    let muted = context.mutes.get(name);
    for exchange in exchanges.iter().map(AsRef::as_ref) {
        if muted.is_some_and(|muted| muted.contains(&exchange.id)) {
            continue;
        }
        // Where the rule is silent on the exchange as it came, the alteration may still bring up its subject.
        let is_eligible = (rule.judge)(exchange, &view) == RuleVerdict::Held;
        let brings_up = ["charset-is-utf-8", "cookies-end-with-the-session", "accepted-is-asynchronous"];
        if !is_eligible && !brings_up.contains(&name) {
            continue;
        }
        for (what, alter) in alterations(name) {
            let Some(altered) = alter(exchange) else { continue };
            match (rule.judge)(&altered, &view) {
                RuleVerdict::Broke(_) | RuleVerdict::BrokeBeside { .. } => {
                    *tried.killed.entry(what).or_default() += 1
                }
                RuleVerdict::NotEligible if !is_eligible => {}
                silent => tried.survivors.push(format!(
                    "{name}: {what}: {} {} {}: {silent:?}",
                    exchange.id, exchange.request.method, exchange.request.path
                )),
            }
        }
    }
    tried
}

fn alterations(rule: &str) -> &'static [Named] {
    match rule {
        "no-server-error" => &[("status 500", |it| Some(alter::status(it, 500)))],
        "content-type" => &[
            ("none", |it| Some(alter::header(it, "content-type", None))),
            ("HTML", |it| Some(alter::header(it, "content-type", Some("text/html")))),
            ("other JSON", |it| Some(alter::header(it, "content-type", Some("application/problem+json")))),
        ],
        "charset-is-utf-8" => &[("latin-1", |it| {
            alter::has_header(it, "content-type")
                .then(|| alter::header(it, "content-type", Some("application/scim+json; charset=iso-8859-1")))
        })],
        "json-well-formed" => &[
            ("cut off", |it| {
                let text = it.response()?.body.text();
                Some(alter::text(it, text.trim_end().strip_suffix(['}', ']'])?))
            }),
            ("byte order mark", |it| {
                Some(alter::text(it, &format!("\u{feff}{}", it.response()?.body.text())))
            }),
        ],
        "member-names-unique" => &[("schemas twice", |it| {
            let text = it.response()?.body.text();
            let rest = text.trim_start().strip_prefix('{')?;
            let name = it.json()?.as_object()?.keys().next()?;
            Some(alter::text(it, &format!("{{{}:[],{rest}", json!(name))))
        })],
        "body-present" => &[("no body", |it| Some(alter::text(it, "")))],
        "no-content" => &[
            ("a body", |it| Some(alter::text(it, "{}"))),
            ("a length", |it| Some(alter::header(it, "content-length", Some("2")))),
        ],
        "unauthorized-challenge" => {
            &[("no challenge", |it| Some(alter::header(it, "www-authenticate", None)))]
        }
        "allow-on-405" => &[("no Allow", |it| Some(alter::header(it, "allow", None)))],
        "no-stack-trace" => &[
            ("Java", |it| set(it, "detail", json!("java.lang.NullPointerException\n\tat Users.get"))),
            ("Python", |it| set(it, "detail", json!("Traceback (most recent call last):"))),
        ],
        "etag-on-304" => &[("no ETag", |it| Some(alter::header(it, "etag", None)))],
        "cookies-end-with-the-session" => &[
            ("a year", |it| Some(alter::header(it, "set-cookie", Some("id=7; Path=/; Max-Age=31536000")))),
            ("a far day", |it| {
                Some(alter::header(it, "set-cookie", Some("id=7; Expires=Wed, 01 Jan 2098 00:00:00 GMT")))
            }),
        ],
        "credentials-not-repeated" => {
            &[("the token", |it| Some(alter::answer(it, |response| response.repeats_secret = true)))]
        }
        "resources-are-private" => &[
            ("a public cache", |it| Some(alter::header(it, "cache-control", Some("public, max-age=600")))),
            ("every page", |it| {
                let open = alter::header(it, "access-control-allow-origin", Some("*"));
                Some(alter::header(&open, "access-control-allow-credentials", Some("true")))
            }),
        ],
        "accepted-is-asynchronous" => &[
            ("nothing but 202", |it| (it.status() == Some(204)).then(|| alter::status(it, 202))),
            ("a body", |it| (it.status() == Some(201)).then(|| alter::status(it, 202))),
        ],
        "error-is-no-success" => &[("an error with 200", |it| {
            set(it, "schemas", json!(["urn:ietf:params:scim:api:messages:2.0:Error"]))
        })],
        "location-is-address" => &[
            ("a query", |it| {
                each_meta(it, |meta| {
                    set_member(meta, "location", json!("http://127.0.0.1/scim/v2/Users/7?x=1"))
                })
            }),
            ("a blank", |it| {
                each_meta(it, |meta| {
                    set_member(meta, "location", json!("http://127.0.0.1/scim/v2/Users/a b"))
                })
            }),
            ("the version elsewhere", |it| {
                each_meta(it, |meta| set_member(meta, "location", json!("http://127.0.0.1/v2/scim/Users/7")))
            }),
        ],
        "error-shape" => &[
            ("no body", |it| Some(alter::text(it, ""))),
            ("HTML", |it| Some(alter::text(it, "<html></html>"))),
            ("no schemas", |it| without(it, "schemas")),
            ("other schemas", |it| set(it, "schemas", json!(["urn:scim:schemas:core:1.0"]))),
            ("detail as an object", |it| set(it, "detail", json!({"message": "altered"}))),
        ],
        "error-status-matches" => &[
            ("no status", |it| without(it, "status")),
            ("number", |it| set(it, "status", json!(it.status()))),
            ("other", |it| set(it, "status", json!("418"))),
        ],
        "scim-type-registered" => &[
            ("unknown", |it| set(it, "scimType", json!("altered"))),
            ("number", |it| set(it, "scimType", json!(7))),
        ],
        "list-shape" => &[
            ("array", |it| alter::json(it, |body| *body = json!([]))),
            ("no schemas", |it| without(it, "schemas")),
            ("other schemas", |it| set(it, "schemas", json!(["urn:scim:schemas:core:1.0"]))),
            // By cursor the total may be unknown (RFC 9865 section 2).
            ("no totalResults", |it| (!goes_by_cursor(it)).then(|| without(it, "totalResults")).flatten()),
            ("totalResults as text", |it| set(it, "totalResults", json!("1"))),
            ("startIndex as text", |it| set(it, "startIndex", json!("1"))),
            ("itemsPerPage below zero", |it| set(it, "itemsPerPage", json!(-1))),
            ("Resources null", |it| set(it, "Resources", Value::Null)),
            ("Resources an object", |it| set(it, "Resources", json!({}))),
            ("a text for a row", |it| set(it, "Resources", json!(["altered"]))),
            ("no Resources", |it| (rows(it) > 0).then(|| without(it, "Resources")).flatten()),
        ],
        "list-arithmetic" => &[
            ("total below the page", |it| {
                (rows(it) > 0).then(|| set(it, "totalResults", json!(rows(it) - 1))).flatten()
            }),
            ("itemsPerPage too many", |it| set_counter(it, "itemsPerPage")),
            ("startIndex of another page", |it| {
                let is_discovery =
                    ["/Schemas", "/ResourceTypes"].iter().any(|it_is| it.request.path.starts_with(it_is));
                (rows(it) > 0 && !is_discovery).then(|| set_counter(it, "startIndex")).flatten()
            }),
        ],
        "list-no-repeats" => &[("the first row again", |it| {
            alter::rows(it, |rows| {
                if let Some(last) = rows.len().checked_sub(1) {
                    rows[last] = rows[0].clone();
                }
            })
        })],
        "list-within-limit" => {
            &[("a thousand and one", |it| alter::rows(it, |rows| rows.resize(1001, json!({}))))]
        }
        "filter-rows-match" => &[("rows of somebody else", |it| {
            // Only where the whole filter is this one comparison is every other name none that matches.
            let (_, filter) = it.request.path.split_once("filter=userName%20eq%20%22")?;
            // A projection is judged by what was read before.
            let filter = filter.strip_suffix("%22").filter(|rest| !rest.contains('&'))?;
            (rows(it) > 0 && !filter.contains("%20"))
                .then(|| each(it, |resource| set_member(resource, "userName", json!("altered"))))
                .flatten()
        })],
        "sorted-in-order" => &[("the other way round", |it| {
            // Only where each row has a value of its own is every other order wrong.
            let is_by_name = it.request.path.contains("sortBy=userName");
            (is_by_name && rows(it) > 1).then(|| alter::rows(it, |rows| rows.reverse())).flatten()
        })],
        "row-is-the-resource" => &[("another userName", |it| {
            each_named(it, |resource| set_member(resource, "userName", json!("altered")))
        })],
        "projection-keeps-values" => &[("another userName", |it| {
            each_named(it, |resource| set_member(resource, "userName", json!("altered")))
        })],
        "total-is-stable" => &[("one more", |it| {
            // Of a search that shows one page, the total is sure only beside a list that is whole.
            if it.request.method != "GET" {
                return None;
            }
            let total = get(it.json()?, "totalResults")?.as_u64()?;
            set(it, "totalResults", json!(total + 1))
        })],
        "filter-finds-all" => &[("nothing found", |it| alter::rows(it, Vec::clear))],
        "schemas-present" => &[
            ("no schemas", |it| each(it, |resource| drop(resource.shift_remove("schemas")))),
            ("empty", |it| each(it, |resource| set_member(resource, "schemas", json!([])))),
            ("one twice", |it| {
                each(it, |resource| {
                    if let Some(Value::Array(urns)) = resource.get_mut("schemas") {
                        urns.extend(urns.first().cloned());
                    }
                })
            }),
        ],
        "id-present" => &[
            ("no id", |it| each(it, |resource| drop(resource.shift_remove("id")))),
            ("number", |it| each(it, |resource| set_member(resource, "id", json!(7)))),
            ("empty", |it| each(it, |resource| set_member(resource, "id", json!("")))),
            ("bulkId", |it| each(it, |resource| set_member(resource, "id", json!("bulkId:1")))),
        ],
        "id-stable" => &[("other id", |it| set(it, "id", json!("altered")))],
        "meta-complete" => &[
            ("no meta", |it| each(it, |resource| drop(resource.shift_remove("meta")))),
            ("no resourceType", |it| each_meta(it, |meta| drop(meta.shift_remove("resourceType")))),
            ("no location", |it| each_meta(it, |meta| drop(meta.shift_remove("location")))),
            ("no created", |it| each_meta(it, |meta| drop(meta.shift_remove("created")))),
            ("no lastModified", |it| each_meta(it, |meta| drop(meta.shift_remove("lastModified")))),
        ],
        "meta-resource-type" => {
            &[("other", |it| each_meta(it, |meta| set_member(meta, "resourceType", json!("altered"))))]
        }
        "location-on-create" => &[
            ("none", |it| Some(alter::header(it, "location", None))),
            ("other id", |it| Some(alter::header(it, "location", Some("/scim/v2/Users/altered")))),
        ],
        "location-equals-meta" => &[
            ("other header", |it| {
                let name = if alter::has_header(it, "location") { "location" } else { "content-location" };
                Some(alter::header(it, name, Some("/scim/v2/Users/altered")))
            }),
            ("other meta.location", |it| {
                each_meta(it, |meta| set_member(meta, "location", json!("http://127.0.0.1/altered")))
            }),
        ],
        "etag-syntax" => &[("without quotes", |it| Some(alter::header(it, "etag", Some("altered"))))],
        "etag-equals-version" => &[
            ("other tag", |it| Some(alter::header(it, "etag", Some("W/\"altered\"")))),
            ("other version", |it| each_meta(it, |meta| set_member(meta, "version", json!("W/\"altered\"")))),
            ("no version", |it| {
                (!it.request.path.contains("ttributes="))
                    .then(|| each_meta(it, |meta| drop(meta.shift_remove("version"))))
                    .flatten()
            }),
        ],
        "password-never-returned" => &[
            ("clear", |it| each(it, |resource| set_member(resource, "password", json!("t1meMa$heen")))),
            ("elsewhere", |it| {
                let sent = it.request.json()?;
                let password = get(&sent, "password").filter(|password| password.is_string())?.clone();
                set(it, "title", password)
            }),
        ],
        "created-equals-modified" => &[("an hour later", |it| {
            each_meta(it, |meta| set_member(meta, "lastModified", json!("2099-01-01T00:00:00Z")))
        })],
        "date-time-format" => &[
            ("a date", |it| {
                each_meta(it, |meta| {
                    for name in ["created", "lastModified"] {
                        if member(meta, name).is_some() {
                            set_member(meta, name, json!("2026-11-22"));
                        }
                    }
                })
            }),
            ("a number", |it| {
                each_meta(it, |meta| {
                    for name in ["created", "lastModified"] {
                        if member(meta, name).is_some() {
                            set_member(meta, name, json!(1_700_000_000));
                        }
                    }
                })
            }),
        ],
        "reference-syntax" => &[("a sentence", |it| {
            each_meta(it, |meta| {
                if member(meta, "location").is_some() {
                    set_member(meta, "location", json!("no URI at all"));
                }
            })
        })],
        "attribute-types" => &[
            ("meta as text", |it| {
                each(it, |resource| {
                    if member(resource, "meta").is_some() {
                        set_member(resource, "meta", json!("altered"));
                    }
                })
            }),
            ("userName as a number", |it| {
                each(it, |resource| {
                    if member(resource, "userName").is_some() {
                        set_member(resource, "userName", json!(7));
                    }
                })
            }),
            ("active as text", |it| {
                each(it, |resource| {
                    if member(resource, "active").is_some() {
                        set_member(resource, "active", json!("true"));
                    }
                })
            }),
            ("emails as an object", |it| {
                each(it, |resource| {
                    if let Some(first) = resource.get("emails").and_then(|emails| emails.get(0)).cloned() {
                        set_member(resource, "emails", first);
                    }
                })
            }),
        ],
        "one-primary" => &[("two", |it| {
            each(it, |resource| {
                if member(resource, "emails").is_some() {
                    let two = json!([{"value": "a@example.com", "primary": true}, {"value": "b@example.com", "primary": true}]);
                    set_member(resource, "emails", two);
                }
            })
        })],
        "schemas-match" => &[
            ("an unknown URN", |it| {
                each(it, |resource| {
                    if let Some(Value::Array(urns)) = resource.get_mut("schemas") {
                        urns.push(json!("urn:altered:2.0:Altered"));
                    }
                })
            }),
            ("an extension that is not named", |it| {
                each(it, |resource| {
                    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
                    if resource.contains_key(ENTERPRISE)
                        && let Some(Value::Array(urns)) = resource.get_mut("schemas")
                    {
                        urns.retain(|urn| urn != ENTERPRISE);
                    }
                })
            }),
        ],
        "never-returned" => &[("password", |it| {
            each(it, |resource| {
                if member(resource, "userName").is_some() {
                    set_member(resource, "password", json!("t1meMa$heen"));
                }
            })
        })],
        "required-present" => &[("no userName or displayName", |it| {
            each(it, |resource| {
                if resource.shift_remove("userName").is_none() {
                    resource.shift_remove("displayName");
                }
            })
        })],
        "written-is-read" => &[
            ("another userName or displayName", |it| {
                let name = if it.request.path.starts_with("/Groups") { "displayName" } else { "userName" };
                set(it, name, json!("altered"))
            }),
            ("one more email", more_emails),
        ],
        "refused-changes-nothing" => &[
            ("another userName or displayName", |it| {
                let name = if it.request.path.starts_with("/Groups") { "displayName" } else { "userName" };
                set(it, name, json!("altered"))
            }),
            ("a title", |it| {
                it.request.path.starts_with("/Users").then(|| set(it, "title", json!("altered"))).flatten()
            }),
            ("gone", |it| it.reason.is_some().then(|| alter::status(it, 404))),
        ],
        "write-answer-is-read" => &[
            ("another userName or displayName", |it| {
                let name = if it.request.path.starts_with("/Groups") { "displayName" } else { "userName" };
                set(it, name, json!("altered"))
            }),
            ("another version", |it| {
                each_meta(it, |meta| set_member(meta, "version", json!("W/\"altered\"")))
            }),
        ],
        "created-stays" => &[("another time", |it| {
            each_meta(it, |meta| set_member(meta, "created", json!("2001-02-03T04:05:06.789Z")))
        })],
        "version-follows-writes" => &[("another tag", |it| {
            let altered = each_meta(it, |meta| set_member(meta, "version", json!("\"altered\"")))
                .unwrap_or_else(|| it.clone());
            Some(alter::header(&altered, "etag", Some("\"altered\"")))
        })],
        "modified-never-back" => &[("long ago", |it| {
            each_meta(it, |meta| set_member(meta, "lastModified", json!("1999-12-31T23:59:59Z")))
        })],
        "deleted-is-gone" => &[("still there", |it| Some(alter::status(it, 200)))],
        "values-differ" => &[("the first value again", |it| {
            each(it, |resource| {
                if let Some(Value::Array(emails)) = resource.get_mut("emails") {
                    emails.extend(emails.first().cloned());
                }
            })
            .filter(|altered| altered.json() != it.json())
        })],
        "core-definitions" => &[
            ("userName of another type", |it| {
                each_definition(it, "userName", |it| set_member(it, "type", json!("boolean")))
            }),
            ("many userNames", |it| {
                each_definition(it, "userName", |it| set_member(it, "multiValued", json!(true)))
            }),
            ("a password that is returned", |it| {
                each_definition(it, "password", |it| set_member(it, "returned", json!("default")))
            }),
            ("a URN of another kind", |it| {
                each(it, |schema| set_member(schema, "id", json!("urn:ietf:params:scim:Altered")))
                    .filter(|_| it.request.path.starts_with("/Schemas"))
            }),
            ("one member", |it| {
                each_definition(it, "members", |it| set_member(it, "multiValued", json!(false)))
            }),
        ],
        "resource-types-defined" => &[
            ("another schema", |it| {
                each(it, |resource| set_member(resource, "schema", json!("urn:altered:2.0:Altered")))
            }),
            ("one more extension", |it| {
                each(it, |resource| {
                    let extension = json!([{"schema": "urn:altered:2.0:Altered", "required": false}]);
                    set_member(resource, "schemaExtensions", extension);
                })
            }),
        ],
        "attributes-declared" => {
            &[("a stranger", |it| each(it, |resource| set_member(resource, "altered", json!("altered"))))]
        }
        _ => &[],
    }
}

fn set(exchange: &Exchange, name: &str, value: Value) -> Option<Exchange> {
    alter::object(exchange, |body| set_member(body, name, value))
}

fn without(exchange: &Exchange, name: &str) -> Option<Exchange> {
    alter::without(exchange, &[name.to_owned()])
}

fn goes_by_cursor(exchange: &Exchange) -> bool {
    let sent = exchange.request.json();
    exchange.request.path.contains("cursor=") || sent.is_some_and(|sent| get(&sent, "cursor").is_some())
}

fn rows(exchange: &Exchange) -> usize {
    exchange.json().and_then(|body| get(body, "Resources")).and_then(Value::as_array).map_or(0, Vec::len)
}

/// Makes a counter one more, where there is one.
fn set_counter(exchange: &Exchange, name: &str) -> Option<Exchange> {
    let count = exchange.json().and_then(|body| get(body, name)).and_then(Value::as_u64)?;
    set(exchange, name, json!(count + 1))
}

/// Changes each resource of the answer: the body, or the rows of a list.
fn each(exchange: &Exchange, change: impl Fn(&mut Map<String, Value>)) -> Option<Exchange> {
    alter::object(exchange, |body| match body.get_mut("Resources") {
        Some(Value::Array(rows)) => rows.iter_mut().filter_map(Value::as_object_mut).for_each(change),
        _ => change(body),
    })
}

/// Changes the definitions of an attribute in the schemas of an answer; `None` where no schema defines it.
fn each_definition(
    exchange: &Exchange,
    name: &str,
    change: impl Fn(&mut Map<String, Value>),
) -> Option<Exchange> {
    let altered = each(exchange, |schema| {
        let attributes = schema.get_mut("attributes").and_then(Value::as_array_mut);
        attributes
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
            .filter(|it| it.get("name").is_some_and(|it| it == name))
            .for_each(&change);
    })?;
    (altered.json() != exchange.json()).then_some(altered)
}

/// Changes the resources that have a userName; `None` where there is none.
fn each_named(exchange: &Exchange, change: impl Fn(&mut Map<String, Value>)) -> Option<Exchange> {
    let altered = each(exchange, |resource| {
        if resource.contains_key("userName") {
            change(resource);
        }
    })?;
    (altered.json() != exchange.json()).then_some(altered)
}

fn each_meta(exchange: &Exchange, change: impl Fn(&mut Map<String, Value>)) -> Option<Exchange> {
    each(exchange, |resource| {
        if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
            change(meta);
        }
    })
}

/// One more value in a list that is there; a list that was not sent may hold defaults.
fn more_emails(exchange: &Exchange) -> Option<Exchange> {
    exchange.json()?.get("emails")?.as_array().filter(|list| !list.is_empty())?;
    alter::object(exchange, |body| {
        if let Some(Value::Array(list)) = body.get_mut("emails") {
            list.push(json!({"value": "altered@example.com", "type": "other"}));
        }
    })
}
