//! The configurations of `deploy/forward-auth` in real proxies, in front of a server that tells what it got.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use gatelodge::store::faulty::Operation;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::TestClient;
use crate::harness::redis_server::free_port;
use crate::harness::reverse_proxy::{Kind, ReverseProxy};

/// Most attempts to find a port that nobody takes in between.
const ATTEMPTS: usize = 20;

/// A credential that may come so many times in a minute.
const JOB: &str = "a-static-token-of-the-nightly-job-0123456789";
const QUOTA: u64 = 60;

/// Where the server notes which path it was asked for.
const PATH: &str = "path-asked-for";

/// And how many bytes came.
const BODY: &str = "bytes-of-body";

/// A page elsewhere that asks.
const ORIGIN: (&str, &str) = ("origin", "https://app.example");

type Seen = Arc<Mutex<Vec<axum::http::HeaderMap>>>;

/// A proxy of this kind in front of a server, and the broker that it asks.
struct Scene {
    broker: TestBroker,
    origin: String,
    seen: Seen,
    server: tokio::task::AbortHandle,
    _proxy: ReverseProxy,
}

impl Scene {
    async fn of(kind: Kind) -> Option<Self> {
        if !kind.is_installed() {
            return None;
        }
        let seen = Seen::default();
        let (address, server) = serve(Arc::clone(&seen)).await;
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let origin = format!("http://127.0.0.1:{port}");
            let resources = format!(
                "  - url: {origin}/mcp\n    name: Notes\n    scopes: {{ mcp:read: Read, mcp:write: Write }}\n    \
                 required_scopes: [mcp:read]\n    accepts: [access_token, job]\n    \
                 limits: {{ per_credential: {QUOTA} }}\n  - url: http://wiki.example/mcp\n    name: Wiki\n    scopes: {{ mcp:write: Write }}\n"
            );
            let credentials =
                format!("- {{ id: job, type: static, token: {JOB}, subject: job, scopes: [mcp:read] }}");
            let extra =
                format!("trusted_proxies: [127.0.0.1]\nforward_auth: true\ncredentials:\n  {credentials}\n");
            let access = "  default_scopes: [mcp:read, mcp:write]\n".to_owned();
            let broker = TestBroker::with(Setup { access, extra, resources, ..Setup::default() }).await;
            let at = broker.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
            if let Some(proxy) = kind.start(port, &at, address) {
                return Some(Self { broker, origin, seen, server, _proxy: proxy });
            }
        }
        panic!("no port is free");
    }

    /// Asks the server through the proxy.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Page {
        let url = format!("{}{path}", self.origin);
        let mut request = Browser::new().http().request(method.parse().expect("a method"), &url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Page::of(&url, request.body("{}").send().await.expect("an answer")).await
    }

    /// Sends a message of so many bytes; gives back the status.
    async fn send(&self, bearer: &str, bytes: usize) -> u16 {
        let request =
            Browser::new().http().post(format!("{}/mcp", self.origin)).header("authorization", bearer);
        request.body("x".repeat(bytes)).send().await.expect("an answer").status().as_u16()
    }

    /// The same with a path as it stands here, which a client's library would bring into shape; gives
    /// back the status.
    fn ask_exactly(&self, path: &str, bearer: &str) -> u16 {
        let authority = self.origin.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(authority).expect("a connection");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    /// What the server got since it was last asked.
    fn arrived(&self) -> Vec<axum::http::HeaderMap> {
        std::mem::take(&mut self.seen.lock().expect("no panic"))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A server that answers everybody, and keeps the headers.
async fn serve(seen: Seen) -> (SocketAddr, tokio::task::AbortHandle) {
    async fn answer(State(seen): State<Seen>, request: Request) -> &'static str {
        let mut headers = request.headers().clone();
        headers.insert(PATH, request.uri().path().parse().expect("a header"));
        let body = to_bytes(request.into_body(), usize::MAX).await.expect("the whole body");
        headers.insert(BODY, body.len().into());
        seen.lock().expect("no panic").push(headers);
        "served"
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(answer).with_state(seen);
    (address, tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle())
}

/// What is meant for another server, or for somebody else, arrives nowhere.
async fn another_server(scene: &Scene, kind: Kind, client: &TestClient, bearer: &str) {
    // SEC-157: a token for another server passes here under no Host.
    let wiki = [("resource", "http://wiki.example/mcp"), ("scope", "mcp:write")];
    let url = crate::harness::client::authorize_url(&scene.broker, &client.request_with(&wiki));
    let code = client.sign_in_at(&scene.broker, &Browser::new(), &url).await["code"].clone();
    let theirs = client.redeem_with(&scene.broker, &code, &[("resource", "http://wiki.example/mcp")]).await;
    let theirs = format!("Bearer {}", theirs.json()["access_token"].as_str().unwrap());
    scene.ask("POST", "/mcp", &[("authorization", &theirs), ("host", "wiki.example")]).await;
    assert!(scene.arrived().is_empty(), "{kind:?}: another server's token has passed");
    // SEC-152: what some servers take for our headers.
    let disguised = [("authorization", bearer), ("x_auth_user", "root")];
    let page = scene.ask("POST", "/mcp", &disguised).await;
    let arrived = scene.arrived();
    assert!(
        page.status >= 400 || arrived.iter().all(|headers| !headers.contains_key("x_auth_user")),
        "{kind:?}: {arrived:?}"
    );
}

/// One request too many is told so, and so is the way there.
async fn too_many(kind: Kind) {
    let Some(scene) = Scene::of(kind).await else { return };
    let bearer = format!("Bearer {JOB}");
    let ask = async || scene.ask("POST", "/mcp", &[("authorization", bearer.as_str())]).await;
    for left in (0..QUOTA).rev() {
        let page = ask().await;
        assert_eq!(page.status, 200, "{kind:?}");
        let told = page.header("ratelimit");
        assert!(
            matches!(kind, Kind::Caddy) || told.starts_with(&format!("\"credential\";r={left};")),
            "{kind:?}: {told}"
        );
    }
    let page = ask().await;
    assert_eq!((page.status, page.json()["error"].as_str()), (429, Some("slow_down")), "{kind:?}");
    assert!(page.header("ratelimit").starts_with("\"credential\";r=0;"), "{kind:?}");
    assert_ne!(page.header("retry-after"), "", "{kind:?}");
    assert_eq!(scene.arrived().len() as u64, QUOTA, "{kind:?}");
}

/// Nothing that the client says changes what is asked about.
async fn says_what_it_wants(scene: &Scene, kind: Kind, bearer: &str) {
    // SEC-151, SEC-152.
    for (name, value) in
        [("x-forwarded-uri", "/mcp"), ("x-forwarded-host", "evil.example"), ("x-original-url", "/mcp")]
    {
        let page = scene.ask("POST", "/mcp", &[(name, value)]).await;
        assert!(page.status >= 400, "{kind:?}: {name}: {}", page.status);
    }
    // SEC-153.
    for path in ["/mcp/../x", "/mcp%2f..%2fx", "//mcp", "/mcp/..;/x", "/x/%2e%2e/mcp", "/mcp;a"] {
        let status = scene.ask_exactly(path, bearer);
        // Traefik tidies a path before it asks, and passes on what it asked about.
        let tidied = matches!(kind, Kind::Traefik) && status == 200;
        let arrived = scene.arrived();
        assert!(tidied || (400..500).contains(&status), "{kind:?}: {path}: {status}");
        assert!(
            arrived.iter().all(|headers| tidied && headers[PATH] == "/mcp"),
            "{kind:?}: {path}: {arrived:?}"
        );
    }
}

/// SEC-145, INT-18 to INT-21: the challenge arrives as it was, and nothing behind is asked.
async fn is_told_what_is_missing(scene: &Scene, kind: Kind, (client, refresh): (&TestClient, &str)) {
    let resource = format!("{}/mcp", scene.origin);
    let page = scene.ask("POST", "/mcp", &[("x-auth-user", "root"), ORIGIN]).await;
    assert_eq!(page.status, 401, "{kind:?}");
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", scene.origin);
    assert_eq!(
        page.header("www-authenticate"),
        format!("Bearer resource_metadata=\"{metadata}\", scope=\"mcp:read mcp:write\""),
        "{kind:?}"
    );
    let open_to = page.header("access-control-allow-origin");
    assert!(["*", ORIGIN.1].contains(&open_to), "{kind:?}: INT-69: {open_to}");
    let told = Browser::new().get(&metadata).await;
    assert_eq!(
        (told.status, told.json()["resource"].as_str().unwrap()),
        (200, resource.as_str()),
        "{kind:?}"
    );
    let page = scene.ask("POST", "/mcp", &[("authorization", "Bearer x")]).await;
    assert!(page.status == 401 && page.header("www-authenticate").contains("invalid_token"), "{kind:?}");
    let narrow = client.refresh_with(&scene.broker, refresh, &[("scope", "mcp:write")]).await.json();
    let write = format!("Bearer {}", narrow["access_token"].as_str().unwrap());
    let page = scene.ask("POST", "/mcp", &[("authorization", &write)]).await;
    assert_eq!(page.status, 403, "{kind:?}");
    assert!(page.header("www-authenticate").contains("insufficient_scope"), "{kind:?}: {:?}", page.headers);
}

async fn goes_through(kind: Kind) {
    let Some(scene) = Scene::of(kind).await else { return };
    let client = TestClient::register(&scene.broker).await;
    let resource = format!("{}/mcp", scene.origin);
    let code = {
        let request = client.request_with(&[("resource", &resource), ("scope", "mcp:read mcp:write")]);
        let url = crate::harness::client::authorize_url(&scene.broker, &request);
        client.sign_in_at(&scene.broker, &Browser::new(), &url).await["code"].clone()
    };
    let tokens = client.redeem_with(&scene.broker, &code, &[("resource", &resource)]).await.json();
    let (access, refresh) =
        (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let bearer = format!("Bearer {access}");

    // SEC-154, SEC-155, SEC-147: who it is, by our word alone, and no token.
    let forged = [
        ("authorization", bearer.as_str()),
        ("x-auth-user", "root"),
        ("X-Auth-Scopes", "all"),
        ("x-auth-email", "root@example.com"),
        ("connection", "x-auth-user, x-auth-email"),
    ];
    for method in ["POST", "GET", "DELETE"] {
        let page = scene.ask(method, "/mcp", &forged).await;
        assert_eq!((page.status, page.body.as_str()), (200, "served"), "{kind:?} {method}");
        let arrived = scene.arrived();
        let [headers] = arrived.as_slice() else { panic!("{kind:?}: {arrived:?}") };
        let all = |name: &str| headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(all("x-auth-email"), ["alice@example.com"], "{kind:?}");
        assert_eq!(all("x-auth-scopes"), ["mcp:read mcp:write"], "{kind:?}");
        assert_eq!(all("x-auth-client"), [client.id.as_str()], "{kind:?}");
        assert!(all("x-auth-user")[0].starts_with("p_") && all("x-auth-user").len() == 1, "{kind:?}");
        assert!(!headers.contains_key("authorization"), "{kind:?}: the token went on");
    }

    // Also a long message comes through whole, whether the proxy sends it along with its question or not.
    for bytes in [0, 100_000, 1_000_000] {
        assert_eq!(scene.send(&bearer, bytes).await, 200, "{kind:?}: {bytes}");
        assert_eq!(scene.arrived()[0][BODY], bytes.to_string(), "{kind:?}");
    }

    is_told_what_is_missing(&scene, kind, (&client, refresh)).await;

    another_server(&scene, kind, &client, &bearer).await;

    says_what_it_wants(&scene, kind, &bearer).await;
    // INT-68: a browser asks first, without a token.
    let page = scene.ask("OPTIONS", "/mcp", &[ORIGIN, ("access-control-request-method", "POST")]).await;
    assert!([200, 204].contains(&page.status), "{kind:?}: {}", page.status);
    assert!(page.header("access-control-allow-headers").contains("Authorization"), "{kind:?}");
    assert!(scene.arrived().is_empty(), "{kind:?}: something that may not pass has passed");

    // SEC-156, PRIN-5: what cannot be decided does not pass, and is not the client's fault.
    scene.broker.clock.advance(std::time::Duration::from_secs(1));
    scene.broker.store.fail(Operation::Grant);
    let page = scene.ask("POST", "/mcp", &[("authorization", &bearer)]).await;
    assert_eq!(page.status, 503, "{kind:?}: {}", page.body);
    // Envoy takes nothing of an answer that decides nothing.
    assert!(matches!(kind, Kind::Envoy) || page.header("retry-after") == "5", "{kind:?}: {:?}", page.headers);
    assert!(scene.arrived().is_empty(), "{kind:?}");
    scene.broker.store.heal();
    assert_eq!(scene.ask("POST", "/mcp", &[("authorization", &bearer)]).await.status, 200, "{kind:?}");
}

/// SEC-147, SEC-151 to SEC-156 with `deploy/forward-auth/nginx.conf`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_155_nginx_passes_on_what_we_say_and_nothing_else() {
    goes_through(Kind::Nginx).await;
}

/// SEC-147, SEC-151 to SEC-156 with `deploy/forward-auth/Caddyfile`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_155_caddy_passes_on_what_we_say_and_nothing_else() {
    goes_through(Kind::Caddy).await;
}

/// A quota is told of by `deploy/forward-auth/nginx.conf`, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_tells_of_a_quota() {
    too_many(Kind::Nginx).await;
}

/// A quota is told of by `deploy/forward-auth/Caddyfile`, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caddy_tells_of_a_quota() {
    too_many(Kind::Caddy).await;
}

/// SEC-147, SEC-151 to SEC-156 with `deploy/forward-auth/traefik.yaml`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_155_traefik_passes_on_what_we_say_and_nothing_else() {
    goes_through(Kind::Traefik).await;
}

/// SEC-147, SEC-151 to SEC-156 with `deploy/forward-auth/envoy.yaml`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_155_envoy_passes_on_what_we_say_and_nothing_else() {
    goes_through(Kind::Envoy).await;
}
