//! scimspec against servers that others wrote.
//!
//! These tests install and start a real server, so they are ignored by default:
//! `cargo test --test interop -- --ignored`. Each run is compared with a committed list of findings, each
//! explained and shown by a curl command. A finding that is not in the list fails, because it may be a false
//! alarm; an entry that is not found any more fails, because then a check
//! has gone blind; and a resource that was there before must be there afterwards, unchanged, and nothing else.

mod expectations;
mod pages;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use expectations::{Evidence, Expectations};
use reqwest::{Client, Method};
use scimspec::report::model::RunReport;
use serde_json::{Value, json};
use server::{BETTER_AUTH, DJANGO_SCIM2, DJANGO_SCIM2_SERVER, Product, SCIM2_SERVER, SCIMMY, Server, TOKEN};
use tokio::process::Command;
use tokio::time::timeout;

/// The most that one run may take. It takes some seconds.
const RUN_WITHIN: Duration = Duration::from_secs(120);
/// The most that one command of the list may take.
const EVIDENCE_WITHIN: Duration = Duration::from_secs(20);
/// Fewer judged cases than this mean that the run did not test the server.
const LEAST_JUDGED: u32 = 10;

#[tokio::test]
#[ignore = "installs and starts scim2-server"]
async fn scim2_server_with_profile_rfc() {
    agrees(SCIM2_SERVER, "rfc").await;
}

#[tokio::test]
#[ignore = "installs and starts scim2-server"]
async fn scim2_server_with_profile_okta() {
    agrees(SCIM2_SERVER, "okta").await;
}

#[tokio::test]
#[ignore = "installs and starts scim2-server"]
async fn scim2_server_shows_what_the_list_says() {
    shows_what_the_list_says(SCIM2_SERVER).await;
}

#[tokio::test]
#[ignore = "installs and starts scimmy"]
async fn scimmy_with_profile_rfc() {
    agrees(SCIMMY, "rfc").await;
}

#[tokio::test]
#[ignore = "installs and starts scimmy"]
async fn scimmy_with_profile_okta() {
    agrees(SCIMMY, "okta").await;
}

#[tokio::test]
#[ignore = "installs and starts scimmy"]
async fn scimmy_shows_what_the_list_says() {
    shows_what_the_list_says(SCIMMY).await;
}

#[tokio::test]
#[ignore = "installs and starts django-scim2"]
async fn django_scim2_with_profile_rfc() {
    agrees(DJANGO_SCIM2, "rfc").await;
}

#[tokio::test]
#[ignore = "installs and starts django-scim2"]
async fn django_scim2_with_profile_okta() {
    agrees(DJANGO_SCIM2, "okta").await;
}

#[tokio::test]
#[ignore = "installs and starts django-scim2"]
async fn django_scim2_shows_what_the_list_says() {
    shows_what_the_list_says(DJANGO_SCIM2).await;
}

#[tokio::test]
#[ignore = "installs and starts better-auth"]
async fn better_auth_with_profile_rfc() {
    agrees(BETTER_AUTH, "rfc").await;
}

#[tokio::test]
#[ignore = "installs and starts better-auth"]
async fn better_auth_with_profile_okta() {
    agrees(BETTER_AUTH, "okta").await;
}

#[tokio::test]
#[ignore = "installs and starts better-auth"]
async fn better_auth_shows_what_the_list_says() {
    shows_what_the_list_says(BETTER_AUTH).await;
}

#[tokio::test]
#[ignore = "installs and starts django-scim2-server"]
async fn django_scim2_server_with_profile_rfc() {
    agrees(DJANGO_SCIM2_SERVER, "rfc").await;
}

#[tokio::test]
#[ignore = "installs and starts django-scim2-server"]
async fn django_scim2_server_with_profile_okta() {
    agrees(DJANGO_SCIM2_SERVER, "okta").await;
}

#[tokio::test]
#[ignore = "installs and starts django-scim2-server"]
async fn django_scim2_server_shows_what_the_list_says() {
    shows_what_the_list_says(DJANGO_SCIM2_SERVER).await;
}

/// What the list says of the server is true without scimspec, too.
async fn shows_what_the_list_says(product: Product) {
    let list = Expectations::read(product.name);
    let server = Server::start(product, "evidence").await;
    for (name, Evidence { seen, prints, .. }) in list.evidence() {
        let shell = Command::new("bash")
            .args(["-euo", "pipefail", "-c", seen])
            .env("BASE", &server.base_url)
            .env("TOKEN", TOKEN)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(EVIDENCE_WITHIN, shell)
            .await
            .unwrap_or_else(|_| panic!("{name}: its command did not end"))
            .expect("bash can be run");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && printed.contains(prints.trim()),
            "{name}: {seen}\nprinted\n{printed}{}\nwithout\n{prints}",
            String::from_utf8_lossy(&output.stderr),
        );
    }
}

/// A run with this profile finds what the list says, and leaves nothing behind.
async fn agrees(product: Product, profile: &str) {
    let list = Expectations::read(product.name);
    let server = Server::start(product, profile).await;
    let strangers = Strangers::settle(&server).await;

    let run = scimspec_run(&server, product, profile).await;

    let RunReport { outcomes, summary, .. } = &run.report;
    if let Some(disagreement) = list.disagreement(profile, outcomes) {
        panic!("{}, profile {profile}: {disagreement}", list.server);
    }
    let exit = summary.verdicts.exit(false).code();
    assert_eq!(run.exit, Some(i32::from(exit)), "the exit code contradicts the verdicts\n{}", run.terminal);
    let judged = summary.verdicts.judged();
    assert!(judged >= LEAST_JUDGED, "only {judged} cases were judged\n{}", run.terminal);
    assert!(!run.terminal.contains(TOKEN) && !run.files.contains(TOKEN), "the token stands in an output");
    let left: BTreeSet<&str> = summary.clean_up.left_behind.iter().map(|left| left.path.as_str()).collect();
    let found = strangers.are_as_before(&server).await;
    if product.keeps_deleted {
        let inactive = found.values().all(|user| user["active"] == json!(false));
        assert!(inactive && !found.is_empty(), "resources of ours were never deleted: {found:#?}");
        let found: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(left, found, "the run says something else of what it left behind");
    } else {
        assert!(left.is_empty(), "the run says that it left resources behind: {left:?}");
        assert!(found.is_empty(), "resources of ours were left behind: {found:#?}");
    }
}

/// What a run left to look at.
struct Run {
    report: RunReport,
    exit: Option<i32>,
    terminal: String,
    /// `run.json` and the JUnit file, as text.
    files: String,
}

/// Runs scimspec with this profile against the server.
async fn scimspec_run(server: &Server, product: Product, profile: &str) -> Run {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
    let json: PathBuf = directory.join(format!("{}-{profile}.json", product.name));
    let junit: PathBuf = directory.join(format!("{}-{profile}.xml", product.name));
    let work = tempfile::tempdir_in(&directory).expect("a working directory can be made");
    let run = Command::new(env!("CARGO_BIN_EXE_scimspec"))
        .args(["run", &server.base_url, "--token-env", "INTEROP_TOKEN", "--profile", profile])
        .arg("--json")
        .arg(&json)
        .arg("--junit")
        .arg(&junit)
        .env("INTEROP_TOKEN", TOKEN)
        .env("XDG_STATE_HOME", work.path())
        .current_dir(&work)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output: Output = timeout(RUN_WITHIN, run)
        .await
        .unwrap_or_else(|_| panic!("the run did not end within {RUN_WITHIN:?}\n{}", server.log()))
        .expect("scimspec can be run");
    let terminal =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}\n{terminal}", path.display()))
    };
    let text = read(&json);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", json.display()));
    Run { report, exit: output.status.code(), files: text + &read(&junit), terminal }
}

/// Resources that are none of scimspec's business.
struct Strangers {
    /// Every resource by its place, whole.
    resources: BTreeMap<String, Value>,
}

impl Strangers {
    /// Puts users and a group on the empty server, as a tenant has them.
    async fn settle(server: &Server) -> Strangers {
        let mut members = Vec::new();
        for name in ["stranger.one", "stranger.two", "stranger.three"] {
            let user = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": format!("{name}@example.com"),
                "name": {"givenName": "Strange", "familyName": name},
                "displayName": name,
                "title": "Director",
                "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
                "active": true
            });
            let created = ask(server, Method::POST, "/Users", Some(&user)).await;
            members.push(json!({"value": created["id"]}));
        }
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "Strangers",
            "members": members
        });
        ask(server, Method::POST, "/Groups", Some(&group)).await;
        let settled = Strangers { resources: everything(server).await };
        assert_eq!(settled.resources.len(), 4, "{:?}", settled.resources);
        settled
    }

    /// Finds them untouched, and gives whatever else is there.
    async fn are_as_before(&self, server: &Server) -> BTreeMap<String, Value> {
        let mut now = everything(server).await;
        for (place, before) in &self.resources {
            assert_eq!(now.get(place), Some(before), "{place} was touched");
        }
        now.retain(|place, _| !self.resources.contains_key(place));
        now
    }
}

/// Every user and group of the server, by its place.
async fn everything(server: &Server) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for endpoint in ["/Users", "/Groups"] {
        let list = ask(server, Method::GET, &format!("{endpoint}?count=1000"), None).await;
        let resources = list["Resources"].as_array().cloned().unwrap_or_default();
        assert_eq!(list["totalResults"], json!(resources.len()), "{endpoint} fits one page");
        for resource in resources {
            let id = resource["id"].as_str().expect("a resource has an id").to_owned();
            all.insert(format!("{endpoint}/{id}"), resource);
        }
    }
    all
}

/// One request that must succeed.
async fn ask(server: &Server, method: Method, path: &str, body: Option<&Value>) -> Value {
    let mut request = Client::new()
        .request(method, format!("{}{path}", server.base_url))
        .timeout(Duration::from_secs(10))
        .bearer_auth(TOKEN);
    if let Some(body) = body {
        request = request.header("Content-Type", "application/scim+json").body(body.to_string());
    }
    let answer = request.send().await.expect("the server answers");
    let status = answer.status();
    let text = answer.text().await.expect("the answer has a body");
    assert!(status.is_success(), "{path}: {status}\n{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}\n{text}"))
}
