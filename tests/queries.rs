//! Queries of the reference server over HTTP: paging by index and by cursor (RFC 9865), and what indexes find.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use scimspec::server::{Fault, RunningServer, ServerOptions, start};
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// A server with a client for it.
struct Bench {
    server: RunningServer,
    client: reqwest::Client,
}

struct Reply {
    status: u16,
    body: Value,
}

impl Reply {
    /// The userNames of a list, in its order.
    fn names(&self) -> Vec<String> {
        let rows = self.body["Resources"].as_array().unwrap_or_else(|| panic!("{}", self.body));
        rows.iter().map(|row| row["userName"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn cursor(&self, name: &str) -> Option<String> {
        self.body.get(name).map(|cursor| cursor.as_str().unwrap().to_owned())
    }

    #[track_caller]
    fn refused(&self, scim_type: &str) {
        assert_eq!((self.status, self.body["scimType"].as_str()), (400, Some(scim_type)), "{}", self.body);
    }
}

impl Bench {
    async fn new(options: ServerOptions) -> Self {
        Self { server: start(options).await.unwrap(), client: reqwest::Client::new() }
    }

    async fn plain() -> Self {
        Self::new(ServerOptions::default()).await
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Reply {
        let url = format!("{}{path}", self.server.base_url());
        let mut request = self.client.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null);
        Reply { status, body }
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, self.server.token(), Some(body)).await
    }

    async fn delete(&self, path: &str) {
        assert_eq!(self.send(Method::DELETE, path, self.server.token(), None).await.status, 204);
    }

    /// A query of users, by its parameters.
    async fn users(&self, parameters: &[(&str, &str)]) -> Reply {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.send(Method::GET, &format!("/Users?{query}"), self.server.token(), None).await
    }

    /// Creates a user; its id.
    async fn user(&self, name: &str, more: Value) -> String {
        let mut body = json!({ "schemas": [USER], "userName": name });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = self.post("/Users", body).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.body["id"].as_str().unwrap().to_owned()
    }

    /// Users named by single letters, out of order; their ids.
    async fn letters(&self, letters: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for letter in letters.chars() {
            ids.push(self.user(&letter.to_string(), json!({})).await);
        }
        ids
    }

    /// Walks a query by its next cursors; the userNames of each page.
    async fn walk(&self, parameters: &[(&str, &str)]) -> Vec<Vec<String>> {
        let (mut pages, mut cursor, mut seen) = (Vec::new(), String::new(), BTreeSet::new());
        loop {
            let page = self.users(&[parameters, &[("cursor", cursor.as_str())]].concat()).await;
            assert_eq!(page.status, 200, "{}", page.body);
            assert_eq!(page.body.get("startIndex"), None);
            pages.push(page.names());
            match page.cursor("nextCursor") {
                Some(next) => cursor = next,
                None => return pages,
            }
            assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
            assert!(seen.insert(cursor.clone()), "a cursor comes again");
        }
    }
}

#[tokio::test]
async fn pages_are_turned_by_cursor() {
    let bench = Bench::plain().await;
    bench.letters("cabed").await;
    assert_eq!(bench.walk(&[("count", "2")]).await, [vec!["c", "a"], vec!["b", "e"], vec!["d"]]);
    let sorted = [("count", "2"), ("sortBy", "userName")];
    assert_eq!(bench.walk(&sorted).await, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    let descending = [("count", "3"), ("sortBy", "userName"), ("sortOrder", "descending")];
    assert_eq!(bench.walk(&descending).await, [vec!["e", "d", "c"], vec!["b", "a"]]);
    let filtered = [("count", "2"), ("filter", r#"userName gt "a" and userName lt "e""#)];
    assert_eq!(bench.walk(&filtered).await, [vec!["c", "b"], vec!["d"]]);
    // All in one page: nothing more to fetch. RFC 9865 section 2.
    assert_eq!(bench.walk(&[("count", "5")]).await.len(), 1);
    assert_eq!(bench.walk(&[]).await.len(), 1);
    assert_eq!(bench.walk(&[("filter", r#"userName eq "none""#)]).await, [Vec::<String>::new()]);

    let first = bench.users(&[("cursor", ""), ("count", "2")]).await;
    assert_eq!((&first.body["totalResults"], &first.body["itemsPerPage"]), (&json!(5), &json!(2)));
    assert_eq!(first.cursor("previousCursor"), None);
    let none = bench.users(&[("cursor", ""), ("count", "0")]).await;
    assert_eq!((none.names().len(), &none.body["totalResults"]), (0, &json!(5)));
    assert_eq!(none.cursor("nextCursor"), None);
    // Without a cursor pages have numbers.
    let numbered = bench.users(&[("count", "2"), ("startIndex", "4")]).await;
    assert_eq!((numbered.names(), &numbered.body["startIndex"]), (vec!["e".into(), "d".into()], &json!(4)));
    assert_eq!(numbered.cursor("nextCursor"), None);
    assert_eq!(numbered.cursor("previousCursor"), None);
}

#[tokio::test]
async fn pages_are_turned_back() {
    let bench = Bench::plain().await;
    bench.letters("cabed").await;
    for sorted in
        [[].as_slice(), &[("sortBy", "userName")], &[("sortBy", "userName"), ("sortOrder", "descending")]]
    {
        let page =
            async |cursor: &str| bench.users(&[sorted, &[("count", "2"), ("cursor", cursor)]].concat()).await;
        let first = page("").await;
        let second = page(&first.cursor("nextCursor").unwrap()).await;
        let third = page(&second.cursor("nextCursor").unwrap()).await;
        assert_eq!(third.cursor("nextCursor"), None);
        let back = page(&third.cursor("previousCursor").unwrap()).await;
        assert_eq!(back.names(), second.names());
        let again = page(&back.cursor("nextCursor").unwrap()).await;
        assert_eq!(again.names(), third.names());
        let start = page(&back.cursor("previousCursor").unwrap()).await;
        assert_eq!(start.names(), first.names());
        assert_eq!(start.cursor("previousCursor"), None);
        assert_eq!(page(&start.cursor("nextCursor").unwrap()).await.names(), second.names());
    }
}

#[tokio::test]
async fn nobody_is_missed_or_met_twice_when_others_come_and_go() {
    let bench = Bench::plain().await;
    let ids = bench.letters("abcdefgh").await;
    for sorted in [[].as_slice(), &[("sortBy", "userName")]] {
        let query = [sorted, &[("count", "3")]].concat();
        let first = bench.users(&[query.as_slice(), &[("cursor", "")]].concat()).await;
        assert_eq!(first.names(), ["a", "b", "c"]);
        let extra = bench.user("aa", json!({})).await;
        let next = first.cursor("nextCursor").unwrap();
        let second = bench.users(&[query.as_slice(), &[("cursor", &next)]].concat()).await;
        assert_eq!(second.names(), ["d", "e", "f"]);
        bench.delete(&format!("/Users/{extra}")).await;
    }
    // The row at which the page ended goes, and one before it.
    let first = bench.users(&[("count", "3"), ("cursor", "")]).await;
    bench.delete(&format!("/Users/{}", ids[2])).await;
    bench.delete(&format!("/Users/{}", ids[0])).await;
    let next = first.cursor("nextCursor").unwrap();
    let second = bench.users(&[("count", "3"), ("cursor", &next)]).await;
    assert_eq!(second.names(), ["d", "e", "f"]);
    assert_eq!(second.body["totalResults"], 6);
}

#[tokio::test]
async fn rows_that_are_sorted_alike_are_all_met() {
    let bench = Bench::plain().await;
    let long = "x".repeat(2000);
    for number in 0..7 {
        let title = if number % 2 == 0 { long.clone() } else { format!("{long}y") };
        bench.user(&format!("u{number}"), json!({ "title": title })).await;
    }
    for order in ["ascending", "descending"] {
        let pages = bench.walk(&[("count", "2"), ("sortBy", "title"), ("sortOrder", order)]).await;
        let met: BTreeSet<&String> = pages.iter().flatten().collect();
        assert_eq!((pages.len(), pages.concat().len(), met.len()), (4, 7, 7), "{pages:?}");
    }
    let unsortable = bench.walk(&[("count", "3"), ("sortBy", "nickName")]).await;
    assert_eq!(unsortable.concat(), ["u0", "u1", "u2", "u3", "u4", "u5", "u6"]);
}

#[tokio::test]
async fn a_cursor_belongs_to_its_query_and_its_tenant() {
    let bench = Bench::plain().await;
    bench.letters("abcd").await;
    let query = [("count", "2"), ("sortBy", "userName")];
    let next =
        bench.users(&[query.as_slice(), &[("cursor", "")]].concat()).await.cursor("nextCursor").unwrap();
    let follow = async |parameters: &[(&str, &str)]| {
        bench.users(&[parameters, &[("cursor", next.as_str())]].concat()).await
    };
    assert_eq!(follow(&query).await.names(), ["c", "d"]);
    follow(&[("count", "3"), ("sortBy", "userName")]).await.refused("invalidCount");
    for other in [
        vec![("count", "2")],
        vec![("count", "2"), ("sortBy", "displayName")],
        vec![("count", "2"), ("sortBy", "userName"), ("sortOrder", "descending")],
        vec![("count", "2"), ("sortBy", "userName"), ("filter", "userName pr")],
        vec![("count", "2"), ("sortBy", "userName"), ("attributes", "userName")],
    ] {
        follow(&other).await.refused("invalidCursor");
    }
    let groups = format!("/Groups?count=2&sortBy=userName&cursor={next}");
    bench.send(Method::GET, &groups, bench.server.token(), None).await.refused("invalidCursor");
    let users = format!("/Users?count=2&sortBy=userName&cursor={next}");
    bench.send(Method::GET, &users, bench.server.second_token(), None).await.refused("invalidCursor");
    assert_eq!(bench.send(Method::GET, &users, "wrong", None).await.status, 401);

    let mut forged = next.clone().into_bytes();
    forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let mut details = BTreeSet::new();
    for bogus in [forged.as_str(), "bogus", "~~", &"A".repeat(5000)] {
        let reply = bench.users(&[query.as_slice(), &[("cursor", bogus)]].concat()).await;
        reply.refused("invalidCursor");
        details.insert(reply.body["detail"].to_string());
    }
    assert_eq!(details.len(), 1, "what is wrong with a cursor is nobody's business");
    bench.users(&[("cursor", ""), ("count", "many")]).await.refused("invalidCount");
    bench.users(&[("count", "many")]).await.refused("invalidValue");
}

#[tokio::test]
async fn a_cursor_expires() {
    let options = ServerOptions { cursor_timeout: Duration::ZERO, ..ServerOptions::default() };
    let bench = Bench::new(options).await;
    bench.letters("abc").await;
    let next = bench.users(&[("count", "1"), ("cursor", "")]).await.cursor("nextCursor").unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.users(&[("count", "1"), ("cursor", next.as_str())]).await.refused("expiredCursor");
}

#[tokio::test]
async fn a_search_request_turns_pages_too() {
    let bench = Bench::new(ServerOptions { max_results: 3, ..ServerOptions::default() }).await;
    bench.letters("abcde").await;
    bench.post("/Groups", json!({ "schemas": [GROUP], "displayName": "G" })).await;
    for (endpoint, sizes) in [("/Users/.search", vec![3, 2]), ("/.search", vec![3, 3])] {
        let (mut cursor, mut ids, mut pages) = (Some(String::new()), BTreeSet::new(), Vec::new());
        while let Some(token) = cursor {
            let reply =
                bench.post(endpoint, json!({ "schemas": [SEARCH], "cursor": token, "count": 10 })).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let rows = reply.body["Resources"].as_array().unwrap();
            pages.push(rows.len());
            ids.extend(rows.iter().map(|row| row["id"].to_string()));
            cursor = reply.cursor("nextCursor");
        }
        assert_eq!(pages, sizes, "{endpoint}");
        assert_eq!(ids.len(), sizes.iter().sum::<usize>());
    }
    bench
        .post("/Users/.search", json!({ "schemas": [SEARCH], "cursor": "x" }))
        .await
        .refused("invalidCursor");
    bench.post("/Users/.search", json!({ "schemas": [SEARCH], "cursor": 1 })).await.refused("invalidSyntax");
}

#[tokio::test]
async fn paging_is_advertised() {
    let bench = Bench::plain().await;
    let config = bench.send(Method::GET, "/ServiceProviderConfig", bench.server.token(), None).await;
    assert_eq!(
        config.body["pagination"],
        json!({
            "cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 200,
            "maxPageSize": 200, "cursorTimeout": 600,
        })
    );
}

/// What a fault does to the rows shows in pages by cursor as in others, and the walk ends.
#[tokio::test]
async fn rows_that_a_fault_rewrites_are_paged_too() {
    for (fault, expected) in [
        ("list-repeats-rows", vec!["a", "a", "b", "b", "c", "c"]),
        ("list-empty", vec![]),
        ("filter-finds-nothing", vec!["a", "b", "c"]),
    ] {
        let faults = vec![Fault::from_name(fault).unwrap()];
        let bench = Bench::new(ServerOptions { faults, ..ServerOptions::default() }).await;
        bench.letters("abc").await;
        assert_eq!(bench.walk(&[]).await.concat(), expected, "{fault}");
        assert!(bench.walk(&[("count", "2")]).await.len() <= 4, "{fault}");
    }
}

/// Whatever finds the rows, the version that a list shows is the one that a GET shows, and changes with what is seen.
#[tokio::test]
async fn versions_follow_what_is_derived() {
    let bench = Bench::plain().await;
    let ann = bench.user("ann", json!({ "displayName": "Ann" })).await;
    let version = async |path: &str| {
        bench.send(Method::GET, path, bench.server.token(), None).await.body["meta"]["version"].clone()
    };
    let path = format!("/Users/{ann}");
    let alone = version(&path).await;
    assert_eq!(
        bench.users(&[("filter", r#"userName eq "ann""#)]).await.body["Resources"][0]["meta"]["version"],
        alone
    );
    let group = json!({ "schemas": [GROUP], "displayName": "G", "members": [{ "value": ann }] });
    let group = bench.post("/Groups", group).await.body["id"].as_str().unwrap().to_owned();
    let member = version(&path).await;
    assert_ne!(alone, member);
    let group_path = format!("/Groups/{group}");
    let listing = version(&group_path).await;
    let rename = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "displayName", "value": "Anne" }],
    });
    bench.send(Method::PATCH, &path, bench.server.token(), Some(rename)).await;
    assert_ne!(version(&group_path).await, listing);
    let filter = format!(r#"meta.version eq {}"#, version(&path).await);
    assert_eq!(bench.users(&[("filter", &filter)]).await.names(), ["ann"]);
    bench.delete(&group_path).await;
    assert_ne!(version(&path).await, member);
}
