//! Several tenants behind one server: a header names one, and scopes decide who may.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::{future, stream};
use gatelodge::access::{ChangedBy, WantedApiKey};
use gatelodge::domain::{ApiKeyLifetime, PersonId};
use gatelodge::protocol::{Jws, KeySet, ResourceUri};
use gatelodge::telemetry::LogStyle;
use serde_json::{Value, json};

use super::{HOST, RESOURCE, page, token_for};
use crate::harness::backend::{Arrived, Backend};
use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{TestClient, authorize_url};
use crate::harness::provider::Person;

const ALL: &str = "mcp:read mcp:write tenant:acme tenant:globex";
const OFFICE: &str = "a-static-token-of-the-back-office-0123456789abcd";

/// A broker in front of three servers: of nobody in particular, of acme, and of globex.
struct House {
    broker: TestBroker,
    common: Backend,
    acme: Backend,
    globex: Backend,
    client: TestClient,
}

impl House {
    async fn with(default: bool, more: &[&str]) -> Self {
        Self::of(Backend::plain().await, default, more).await
    }

    async fn of(acme: Backend, default: bool, more: &[&str]) -> Self {
        let (common, globex) = (Backend::plain().await, Backend::plain().await);
        let own = if default { format!("    upstream_url: {}\n", common.url("/mcp")) } else { String::new() };
        let mut resources = format!(
            "  - url: {RESOURCE}\n    name: Example tools\n    scopes:\n      mcp:read: Read notes\n      \
             mcp:write: Write notes\n      tenant:acme: Work for Acme\n      tenant:globex: Work for Globex\n    \
             required_scopes: [mcp:read]\n    accepts: [access_token, api_key, office]\n{own}    tenants:\n      \
             acme: {{ upstream_url: '{}', required_scopes: 'tenant:acme' }}\n      \
             globex: {{ upstream_url: '{}', required_scopes: 'tenant:globex' }}\n",
            acme.url("/acme"),
            globex.url("/globex"),
        );
        for line in more {
            resources = format!("{resources}    {line}\n");
        }
        let access = "  rules:\n    - { groups: [staff], scopes: [mcp:read, mcp:write] }\n    \
                      - { groups: [acme], scopes: ['tenant:acme'] }\n    \
                      - { groups: [globex], scopes: ['tenant:globex'] }\n";
        let extra = format!(
            "admin_api: true\nforward_auth: true\ntrusted_proxies: [127.0.0.1]\ncredentials:\n  - {{ id: office, type: static, \
             token: {OFFICE}, subject: office, scopes: [mcp:read, 'tenant:acme', 'tenant:globex'] }}\n"
        );
        let setup = Setup { resources, access: access.into(), extra, ..Setup::default() };
        let broker = TestBroker::with(setup).await;
        let client = TestClient::register(&broker).await;
        Self { broker, common, acme, globex, client }
    }

    /// A token of somebody in these groups, who asks for everything.
    async fn token(&self, groups: &[&str]) -> String {
        let name = groups.join("-");
        let person = Person::new(&name, &format!("{name}@example.com")).in_groups(groups);
        self.broker.provider.sign_in_as(person);
        token_for(&self.broker, &self.client, RESOURCE, ALL).await
    }

    fn request(&self, bearer: &str, said: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let request = Browser::new().http().post(self.broker.url("/mcp")).header("host", HOST);
        let request = if bearer.is_empty() { request } else { request.header("authorization", bearer) };
        let request = request.header("content-type", "application/json").body("{}");
        said.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    async fn ask(&self, bearer: &str, said: &[(&str, &str)]) -> Page {
        page(self.request(bearer, said)).await
    }

    async fn to(&self, bearer: &str, tenant: &str) -> Page {
        self.ask(bearer, &[("x-tenant-id", tenant)]).await
    }

    fn arrived(&self) -> [Vec<Arrived>; 3] {
        [self.common.arrived(), self.acme.arrived(), self.globex.arrived()]
    }

    fn nothing_arrived(&self) -> bool {
        self.arrived().iter().all(Vec::is_empty)
    }
}

fn is_challenge(answer: &Page, status: u16, scope: &str) {
    let metadata = "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"";
    let expected = match status {
        401 => format!("Bearer {metadata}, scope=\"{scope}\""),
        _ => format!("Bearer error=\"insufficient_scope\", {metadata}, scope=\"{scope}\""),
    };
    assert_eq!((answer.status, answer.header("www-authenticate")), (status, expected.as_str()));
}

/// What two answers have in common but the id and the time.
fn alike(one: &Page, other: &Page) {
    let of = |page: &Page| {
        let mut headers: Vec<_> = page.headers.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
        headers.retain(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"));
        headers.sort_by(|a, b| a.0.cmp(&b.0));
        (page.status, headers, page.body.clone())
    };
    assert_eq!(of(one), of(other));
}

/// Each tenant's people reach its server, which is told whose request it is, and no other's; without the header
/// the request goes to the common one.
#[tokio::test]
async fn int_25_a_tenant_s_people_reach_its_server() {
    let house = House::with(true, &[]).await;
    let acme = house.token(&["staff", "acme"]).await;
    assert_eq!(house.to(&acme, "acme").await.status, 200);
    let [common, at_acme, globex] = house.arrived();
    assert!(common.is_empty() && globex.is_empty());
    let [arrived] = at_acme.as_slice() else { panic!("{at_acme:?}") };
    assert_eq!((arrived.uri.as_str(), arrived.all("x-tenant-id")), ("/acme", vec!["acme"]));
    assert_eq!(arrived.all("x-auth-tenant"), ["acme"]);

    let answer = house.to(&acme, "globex").await;
    is_challenge(&answer, 403, "mcp:read mcp:write tenant:acme tenant:globex");
    assert!(house.nothing_arrived());

    let answer = house.ask(&acme, &[]).await;
    assert_eq!((answer.status, answer.header("vary")), (200, "x-tenant-id"));
    let arrived = house.common.only();
    assert_eq!((arrived.all("x-auth-tenant"), arrived.all("x-tenant-id").len()), (vec![""], 0));
    let office = format!("Bearer {OFFICE}");
    assert_eq!(house.to(&office, "globex").await.status, 200);
    assert_eq!(house.globex.only().all("x-auth-user"), ["office"]);
}

/// SEC-145: nobody learns which tenants there are before the server itself lets them in: not by a request, and
/// not by what anybody may read.
#[tokio::test]
async fn sec_145_strangers_learn_of_no_tenant() {
    let house = House::with(true, &[]).await;
    let nobody = house.to("", "acme").await;
    is_challenge(&nobody, 401, "mcp:read mcp:write");
    for other in ["nobody", "a,b", "", "acme/"] {
        alike(&nobody, &house.to("", other).await);
    }
    alike(&nobody, &house.ask("", &[("x-tenant-id", "acme"), ("x-tenant-id", "acme")]).await);
    alike(&house.to("Bearer x", "acme").await, &house.to("Bearer x", "nobody").await);
    // Whom policy gives something, but not the server.
    let half = house.token(&["acme"]).await;
    let refused = house.to(&half, "acme").await;
    is_challenge(&refused, 403, "mcp:read tenant:acme");
    for other in ["globex", "nobody", "a,b"] {
        alike(&refused, &house.to(&half, other).await);
    }
    assert!(house.nothing_arrived());

    let browser = Browser::new();
    let resource = browser.http().get(house.broker.url("/.well-known/oauth-protected-resource/mcp"));
    let resource = page(resource.header("host", HOST)).await;
    assert_eq!(resource.json()["scopes_supported"], json!(["mcp:read", "mcp:write"]));
    let server = browser.get(&house.broker.url("/.well-known/oauth-authorization-server")).await;
    let ours = ["gatelodge:admin", "gatelodge:keys", "mcp:read", "mcp:write"];
    assert_eq!(server.json()["scopes_supported"], json!(ours));
    let description = browser.get(&house.broker.url("/admin/api/openapi.json")).await;
    assert!(description.body.contains("mcp:write") && !description.body.contains("acme"));
    let begin = |scope: &str| {
        let request = house.client.request_with(&[("scope", scope)]);
        authorize_url(&house.broker, &request)
    };
    let consent = browser.get(&begin("")).await;
    assert!(consent.body.contains("Write notes") && !consent.body.contains("Acme"), "{}", consent.body);
    // Who knows the name can ask for it.
    let consent = browser.get(&begin("tenant:acme")).await;
    assert!(consent.body.contains("Work for Acme"), "{}", consent.body);
    let unknown = browser.get(&begin("tenant:nobody")).await;
    let told = unknown.location().map_or(unknown.body, |to| query(&to)["error_description"].clone());
    assert!(!told.contains("acme") && told.contains("mcp:read mcp:write"), "{told}");
}

/// Who may use the server is told that a tenant is not theirs, without a list of those that there are.
#[tokio::test]
async fn an_unknown_tenant_is_refused_without_a_word_about_others() {
    let house = House::with(true, &[]).await;
    let acme = house.token(&["staff", "acme"]).await;
    for unknown in ["nobody", "ACME", "acme2", "acm"] {
        let answer = house.to(&acme, unknown).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "access_denied"), "{unknown}");
        assert!(!answer.headers.contains_key("www-authenticate"));
        assert!(!answer.body.contains("globex") && !answer.body.contains(unknown), "{}", answer.body);
    }
    assert!(house.nothing_arrived());
}

/// SEC-152: one header, said once, that can be a name: else 400, and never the common server.
#[tokio::test]
async fn sec_152_a_tenant_is_named_once_and_plainly() {
    let house = House::with(true, &[]).await;
    let acme = house.token(&["staff", "acme"]).await;
    let mut bad: Vec<Vec<(&str, &str)>> =
        ["", "acme,globex", "acme globex", "acme;", "../acme", ".", "acme%20", "ac\tme", "\"acme\"", "acmé"]
            .map(|value| vec![("x-tenant-id", value)])
            .into();
    bad.push(vec![("x-tenant-id", "acme"), ("x-tenant-id", "acme")]);
    bad.push(vec![("x-tenant-id", "acme"), ("X-Tenant-Id", "globex")]);
    bad.push(vec![("x-tenant-id", ""), ("x-tenant-id", "acme")]);
    for said in bad {
        let answer = house.ask(&acme, &said).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{said:?}");
        assert!(answer.body.contains("x-tenant-id"), "{}", answer.body);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
    assert!(house.nothing_arrived());
}

/// Without a common server every request names a tenant, and is told how.
#[tokio::test]
async fn without_a_common_server_every_request_names_a_tenant() {
    let house = House::with(false, &["tenant_header: X-Customer"]).await;
    is_challenge(&house.ask("", &[]).await, 401, "mcp:read mcp:write");
    let acme = house.token(&["staff", "acme"]).await;
    for said in [&[][..], &[("x-tenant-id", "acme")], &[("x_customer", "acme")]] {
        let answer = house.ask(&acme, said).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{said:?}");
        let told = answer.json()["error_description"].clone();
        assert_eq!(told, "the header x-customer must name a tenant");
    }
    assert!(house.nothing_arrived());
    assert_eq!(house.ask(&acme, &[("X-Customer", "acme")]).await.status, 200);
    assert_eq!(house.acme.only().all("x-customer"), ["acme"]);
}

/// SEC-154, SEC-155: the server hears of the tenant from us alone, however the client writes it.
#[tokio::test]
async fn sec_154_a_client_cannot_name_another_tenant_to_the_server() {
    for (identity, told) in [("headers", Some("acme")), ("none", None), ("jwt", None)] {
        let house = House::with(true, &[&format!("identity: {identity}")]).await;
        let acme = house.token(&["staff", "acme"]).await;
        let forged = [
            ("x-tenant-id", "acme"),
            ("x-tenant_id", "globex"),
            ("x_tenant_id", "globex"),
            ("x-auth-tenant", "globex"),
            ("x_auth_tenant", "globex"),
            ("connection", "x-tenant-id, x-auth-tenant"),
        ];
        assert_eq!(house.ask(&acme, &forged).await.status, 200);
        let arrived = house.acme.only();
        assert_eq!(arrived.all("x-tenant-id"), ["acme"]);
        assert_eq!(arrived.headers.get("x-auth-tenant").map(|value| value.to_str().unwrap()), told);
        assert!(!format!("{arrived:?}").contains("globex"), "{arrived:?}");
        // Nor where no tenant is asked for.
        assert_eq!(house.ask(&acme, &forged[1..]).await.status, 200);
        assert!(!format!("{:?}", house.common.only()).contains("globex"));
    }
}

/// SEC-157: one caller's identity token for one tenant is none for another.
#[tokio::test]
async fn sec_157_an_identity_token_is_for_one_tenant() {
    let house = House::with(true, &["identity: jwt"]).await;
    let both = house.token(&["staff", "acme", "globex"]).await;
    let keys = Browser::new().get(&house.broker.url("/.well-known/jwks.json")).await.json();
    let keys = KeySet::from_jwks(&keys);
    let told = |arrived: &Arrived| {
        let token = arrived.all("x-gatelodge-identity")[0].to_owned();
        Jws::parse(&token).unwrap().verify(&keys).unwrap().get("tenant").cloned()
    };
    for _ in 0..2 {
        assert_eq!(house.to(&both, "acme").await.status, 200);
        assert_eq!(told(&house.acme.only()), Some(json!("acme")));
        assert_eq!(house.to(&both, "globex").await.status, 200);
        assert_eq!(told(&house.globex.only()), Some(json!("globex")));
        assert_eq!(house.ask(&both, &[]).await.status, 200);
        assert_eq!(told(&house.common.only()), None::<Value>);
    }
}

/// INT-25: what a tool needs adds up with what its tenant needs.
#[tokio::test]
async fn int_25_what_a_tool_needs_is_needed_besides() {
    let house = House::with(true, &["tools: { write_note: mcp:write }"]).await;
    house.token(&["staff", "acme"]).await;
    let narrow = token_for(&house.broker, &house.client, RESOURCE, "mcp:read tenant:acme").await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "write_note"}});
    let ask = |bearer: &str| page(house.request(bearer, &[("x-tenant-id", "acme")]).body(call.to_string()));
    assert_eq!(house.to(&narrow, "acme").await.status, 200);
    house.arrived();
    is_challenge(&ask(&narrow).await, 403, "mcp:read mcp:write tenant:acme");
    let write = token_for(&house.broker, &house.client, RESOURCE, "mcp:read mcp:write").await;
    is_challenge(&ask(&write).await, 403, "mcp:read mcp:write tenant:acme");
    assert!(house.nothing_arrived());
    let enough = token_for(&house.broker, &house.client, RESOURCE, ALL).await;
    assert_eq!(ask(&enough).await.status, 200);
    assert_eq!(house.acme.only().body, call.to_string());
}

/// SEC-134: who listens to a tenant's stream hears nothing any more once they may not act for it.
#[tokio::test]
async fn sec_134_a_tenant_s_stream_ends_with_its_scope() {
    let (sender, _) = tokio::sync::broadcast::channel::<&'static str>(8);
    let speaker = sender.clone();
    let speak = move |_: Request| {
        let pieces = stream::unfold(speaker.subscribe(), |mut heard| async move {
            let piece = heard.recv().await.ok()?;
            Some((Ok::<_, Infallible>(piece), heard))
        });
        let events = Response::builder().header("content-type", "text/event-stream");
        future::ready(events.body(Body::from_stream(pieces)).expect("a response"))
    };
    let acme = Backend::serving(Router::new().fallback(speak)).await;
    let house = House::of(acme, true, &[]).await;
    house.broker.provider.offer_refresh(true);
    let person = |groups: &[&str]| Person::new("ann", "ann@example.com").in_groups(groups);
    house.broker.provider.sign_in_as(person(&["staff", "acme"]));
    let tokens = house.client.tokens(&house.broker).await;
    let owner = PersonId::parse(tokens.claims()["sub"].as_str().expect("a subject")).expect("a person");
    let wanted = WantedApiKey {
        name: "listener".into(),
        resources: vec![ResourceUri::parse(RESOURCE).unwrap()],
        scopes: ["mcp:read", "tenant:acme"].map(str::to_owned).into(),
        lifetime: ApiKeyLifetime::Never,
    };
    let (_, key) =
        house.broker.parts.api_keys.create(&owner, &wanted, &ChangedBy::Command).await.expect("a key");
    let listen = |bearer: &str| {
        let request = Browser::new().http().get(house.broker.url("/mcp")).header("host", HOST);
        request.header("authorization", bearer).header("x-tenant-id", "acme").send()
    };
    let bearer = format!("Bearer {}", key.expose());
    let mut anns = listen(&bearer).await.expect("an answer");
    let mut office = listen(&format!("Bearer {OFFICE}")).await.expect("an answer");
    async fn hears(answer: &mut reqwest::Response) -> Option<Bytes> {
        tokio::time::timeout(Duration::from_secs(20), answer.chunk()).await.expect("in time").ok().flatten()
    }
    for said in ["data: 1\n\n", "data: 2\n\n"] {
        sender.send(said).expect("listeners");
        assert_eq!(hears(&mut anns).await.expect("it may"), said);
        assert_eq!(hears(&mut office).await.expect("it may"), said);
        house.broker.clock.advance(Duration::from_secs(60));
    }
    house.broker.provider.change(person(&["staff"]));
    house.broker.clock.advance(Duration::from_secs(60));
    sender.send("data: 3\n\n").expect("listeners");
    assert_eq!(hears(&mut anns).await, None);
    assert_eq!(hears(&mut office).await.expect("it may"), "data: 3\n\n");
    assert_eq!(house.ask(&bearer, &[]).await.status, 200, "the server itself still lets her in");
    is_challenge(&house.to(&bearer, "acme").await, 403, "mcp:read tenant:acme");
}

/// However many tenants somebody may act for, they have as many streams at once as anybody.
#[tokio::test]
async fn the_streams_of_all_tenants_are_counted_together() {
    let speak = |_: Request| {
        let events = Response::builder().header("content-type", "text/event-stream");
        let hello = stream::once(future::ready(Ok::<_, Infallible>("data: 1\n\n")));
        let body = Body::from_stream(futures::StreamExt::chain(hello, stream::pending()));
        future::ready(events.body(body).expect("a response"))
    };
    let acme = Backend::serving(Router::new().fallback(speak)).await;
    let house = House::of(acme, true, &["streams: 1"]).await;
    let listen = |tenant: &str| {
        let request = Browser::new().http().get(house.broker.url("/mcp")).header("host", HOST);
        request.header("authorization", format!("Bearer {OFFICE}")).header("x-tenant-id", tenant).send()
    };
    let open = listen("acme").await.expect("an answer");
    assert_eq!(
        (open.status(), listen("globex").await.expect("an answer").status().as_u16()),
        (http::StatusCode::OK, 429)
    );
    assert_eq!(house.to(&format!("Bearer {OFFICE}"), "globex").await.status, 200, "calls are counted apart");
}

/// INT-69: programs in a browser may send the header.
#[tokio::test]
async fn int_69_browsers_may_send_the_header() {
    let house = House::with(true, &["tenant_header: Acme-Tenant"]).await;
    let preflight = Browser::new().http().request(http::Method::OPTIONS, house.broker.url("/mcp"));
    let answer = page(preflight.header("host", HOST).header("origin", "https://a.example")).await;
    let allowed: Vec<&str> = answer.header("access-control-allow-headers").split(", ").collect();
    assert!(allowed.contains(&"acme-tenant") && allowed.contains(&"Authorization"), "{allowed:?}");
    assert!(!answer.headers.iter().any(|(_, value)| value.to_str().unwrap_or_default().contains("globex")));
}

/// SEC-151: what a proxy asks about is not what the server would see: no proxy lets anybody in here.
#[tokio::test]
async fn sec_151_no_proxy_decides_about_tenants() {
    let house = House::with(true, &[]).await;
    let acme = house.token(&["staff", "acme"]).await;
    let request = Browser::new().http().get(house.broker.url("/verify")).header("authorization", &acme);
    let request = request
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", HOST)
        .header("x-forwarded-uri", "/mcp")
        .header("x-tenant-id", "acme");
    let answer = page(request).await;
    assert_eq!((answer.status, answer.error().as_str()), (403, "invalid_request"), "{}", answer.body);
    assert!(answer.body.contains("several tenants"), "{}", answer.body);
    assert_eq!((answer.header("x-auth-user"), answer.header("x-auth-tenant")), ("", ""));
}

/// The line of a request says which tenant it was for, once that is decided; what a stranger wrote is not there.
#[tokio::test]
async fn the_log_says_which_tenant_it_was() {
    let log = crate::logs::Capture::begin(LogStyle::Json);
    let house = House::with(true, &[]).await;
    let acme = house.token(&["staff", "acme"]).await;
    assert_eq!(house.to(&acme, "acme").await.status, 200);
    assert_eq!(house.to(&acme, "forged-name").await.status, 403);
    let text = log.text();
    let lines = text.lines().filter(|line| line.contains("\"answered\"") && line.contains("\"/mcp\""));
    let lines: Vec<&str> = lines.filter(|line| line.contains("POST")).collect();
    let [good, bad] = lines.as_slice() else { panic!("{text}") };
    assert!(good.contains("\"tenant\":\"acme\""), "{good}");
    assert!(!bad.contains("tenant\"") && !bad.contains("forged-name"), "{bad}");
}
