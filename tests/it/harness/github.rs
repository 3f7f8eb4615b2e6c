//! A server that is shaped like GitHub: OAuth 2 without ID tokens, and the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{RawQuery, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use gatelodge::protocol::S256Challenge;
use gatelodge::secret::random;
use serde_json::{Value, json};
use url::form_urlencoded;

/// What the API says of whoever signs in.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// `/user`.
    pub(crate) user: Value,
    /// `/user/emails`.
    pub(crate) emails: Value,
    /// `/user/orgs`.
    pub(crate) orgs: Vec<Value>,
    /// `/user/teams`.
    pub(crate) teams: Vec<Value>,
}

impl Account {
    /// A member of the organisation `acme` (4711) and its team `platform` (815).
    pub(crate) fn new(id: u64, login: &str) -> Self {
        let acme = json!({"login": "acme", "id": 4711});
        Self {
            user: json!({"login": login, "id": id, "name": "The Octocat", "email": "profile@example.com"}),
            emails: json!([
                {"email": "old@example.com", "primary": false, "verified": true, "visibility": null},
                {"email": format!("{login}@example.com"), "primary": true, "verified": true, "visibility": "private"}
            ]),
            orgs: vec![acme.clone()],
            teams: vec![json!({"id": 815, "slug": "platform", "name": "Platform", "organization": acme})],
        }
    }
}

#[derive(Debug)]
struct Shared {
    origin: String,
    state: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    account: Account,
    codes: BTreeMap<String, BTreeMap<String, String>>,
    asked: Vec<BTreeMap<String, String>>,
    calls: Vec<String>,
    refuses_codes: bool,
    /// The access token that the API knows.
    token: String,
    /// Of a GitHub App, whose access tokens expire: how many it has given out.
    app_tokens: Option<usize>,
    /// What the API answers to every call, if not what was asked.
    trouble: Option<StatusCode>,
}

/// The server; it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct GitHub {
    shared: Arc<Shared>,
    server: tokio::task::AbortHandle,
}

impl GitHub {
    /// Listens on a port that the kernel chooses.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let inside = Inside {
            account: Account::new(1, "alice"),
            codes: BTreeMap::new(),
            asked: Vec::new(),
            calls: Vec::new(),
            refuses_codes: false,
            token: "gho_test".into(),
            app_tokens: None,
            trouble: None,
        };
        let shared = Arc::new(Shared { origin, state: Mutex::new(inside) });
        let router = axum::Router::new()
            .route("/login/oauth/authorize", get(authorize))
            .route("/login/oauth/access_token", post(token))
            .route("/api/v3/user", get(api))
            .route("/api/v3/user/{list}", get(api))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { shared, server }
    }

    /// Where it is.
    pub(crate) fn origin(&self) -> &str {
        &self.shared.origin
    }

    /// From now on this account signs in.
    pub(crate) fn sign_in_as(&self, account: Account) {
        self.shared.state().account = account;
    }

    /// From now on codes are refused as GitHub refuses them.
    pub(crate) fn refuse_codes(&self) {
        self.shared.state().refuses_codes = true;
    }

    /// From now on it is a GitHub App, whose users' access tokens expire and are refreshed.
    pub(crate) fn become_app(&self) {
        self.shared.state().app_tokens = Some(0);
    }

    /// From now on the API answers every call with this status; with none, as it should.
    pub(crate) fn answer_with(&self, trouble: Option<StatusCode>) {
        self.shared.state().trouble = trouble;
    }

    /// The query of every authorization request so far.
    pub(crate) fn authorize_requests(&self) -> Vec<BTreeMap<String, String>> {
        self.shared.state().asked.clone()
    }

    /// The path and query of every API call so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.shared.state().calls.clone()
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Inside> {
        self.state.lock().expect("no test panics while it holds the server")
    }
}

impl Inside {
    /// An OAuth App's token stays; a GitHub App's are new ones each time.
    fn tokens(&mut self) -> Value {
        let mut answer = json!({"token_type": "bearer", "scope": "read:org,user:email"});
        if let Some(number) = &mut self.app_tokens {
            *number += 1;
            self.token = format!("ghu_{number}");
            answer["refresh_token"] = json!(format!("ghr_{number}"));
        }
        answer["access_token"] = json!(self.token);
        answer
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn json_answer(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn authorize(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let query = pairs(&query.unwrap_or_default());
    let mut state = shared.state();
    state.asked.push(query.clone());
    let code = format!("github-code-{}", random::id());
    let answer = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", &query["state"])
        .finish();
    let location = format!("{}?{answer}", query["redirect_uri"]);
    state.codes.insert(code, query);
    (StatusCode::FOUND, [(LOCATION, location)]).into_response()
}

/// GitHub says with 200 that it refuses, and in JSON only to those who ask for it.
async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    let form = pairs(&body);
    let mut state = shared.state();
    if form["grant_type"] == "refresh_token" {
        let last = format!("ghr_{}", state.app_tokens.unwrap_or_default());
        return if form["refresh_token"] == last {
            json_answer(&state.tokens())
        } else {
            json_answer(
                &json!({"error": "bad_refresh_token", "error_description": "The refresh token passed is incorrect or expired."}),
            )
        };
    }
    let asked = state.codes.remove(&form["code"]).filter(|_| !state.refuses_codes);
    let is_json = headers.get("accept").is_some_and(|accept| accept == "application/json");
    let good = asked.is_some_and(|asked| {
        let challenge = S256Challenge::parse(&asked["code_challenge"]).expect("a challenge");
        challenge.is_answered_by(&form["code_verifier"])
            && form["redirect_uri"] == asked["redirect_uri"]
            && form["client_secret"] == "github-secret"
    });
    match (is_json, good) {
        (false, _) => "access_token=for-browsers-only".into_response(),
        (true, false) => json_answer(
            &json!({"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."}),
        ),
        (true, true) => json_answer(&state.tokens()),
    }
}

async fn api(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: axum::http::Uri) -> Response {
    let mut state = shared.state();
    let own = format!("Bearer {}", state.token);
    if headers.get(AUTHORIZATION).is_none_or(|value| value != own.as_str()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if let Some(status) = state.trouble {
        return status.into_response();
    }
    state.calls.push(uri.to_string());
    let account = &state.account;
    let page = |list: &[Value]| {
        let query = pairs(uri.query().unwrap_or_default());
        let number = |name: &str| query[name].parse::<usize>().expect("a number");
        let size = number("per_page").min(100);
        let items = list.iter().skip((number("page") - 1) * size).take(size);
        Value::Array(items.cloned().collect())
    };
    match uri.path() {
        "/api/v3/user" => json_answer(&account.user),
        "/api/v3/user/emails" => json_answer(&account.emails),
        "/api/v3/user/orgs" => json_answer(&page(&account.orgs)),
        "/api/v3/user/teams" => json_answer(&page(&account.teams)),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
