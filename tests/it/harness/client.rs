//! An MCP client as the broker sees one: it registers, sends a browser, redeems and refreshes.

use std::sync::Arc;

use gatelodge::protocol::S256Challenge;
use serde_json::{Value, json};

use super::broker::{RESOURCE, TestBroker};
use super::browser::{Browser, Page, query};

/// Where clients of the tests get their answers; nothing listens there.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:39999/callback";

/// A verifier with every kind of unreserved character (RFC 7636 section 4.1).
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk.~";

/// A broker that can be reached: in process, or a program of its own.
pub(crate) trait Reached {
    /// The URL of a path below the issuer.
    fn url(&self, path: &str) -> String;
}

impl Reached for TestBroker {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }
}

impl<T: Reached> Reached for Arc<T> {
    fn url(&self, path: &str) -> String {
        (**self).url(path)
    }
}

/// A registered client.
#[derive(Debug, Clone)]
pub(crate) struct TestClient {
    /// Its identifier.
    pub(crate) id: String,
    /// Its secret, if it has one.
    pub(crate) secret: Option<String>,
    /// Where its answers go.
    pub(crate) redirect: String,
}

/// Tokens as they were answered.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    /// The access token.
    pub(crate) access: String,
    /// The refresh token.
    pub(crate) refresh: String,
    /// The whole answer.
    pub(crate) answer: Value,
}

impl TestClient {
    /// A public client that registered itself.
    pub(crate) async fn register(broker: &impl Reached) -> Self {
        Self::register_with(broker, json!({ "client_name": "Test client", "redirect_uris": [REDIRECT] }))
            .await
    }

    /// A client that registered itself like this.
    pub(crate) async fn register_with(broker: &impl Reached, metadata: Value) -> Self {
        let page = register(broker, &metadata).await;
        assert_eq!(page.status, 201, "{}", page.body);
        let answer = page.json();
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Self {
            id: text("client_id").expect("an id"),
            secret: text("client_secret"),
            redirect: answer["redirect_uris"][0].as_str().expect("a redirect").to_owned(),
        }
    }

    /// The usual authorization request.
    pub(crate) fn request(&self) -> Vec<(String, String)> {
        let challenge = S256Challenge::of_verifier(VERIFIER);
        [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect),
            ("state", "st/ate=="),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("resource", RESOURCE),
            ("scope", "mcp:read mcp:write mcp:admin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The usual request with parameters replaced; an empty value leaves one out.
    pub(crate) fn request_with(&self, changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut request = self.request();
        for (name, value) in changes {
            request.retain(|(own, _)| own != name);
            if !value.is_empty() {
                request.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        request
    }

    /// The usual authorization URL.
    pub(crate) fn authorize_url(&self, broker: &impl Reached) -> String {
        authorize_url(broker, &self.request())
    }

    /// Sends a browser through consent and sign-in; gives back the answer's parameters.
    pub(crate) async fn sign_in(
        &self,
        broker: &impl Reached,
        browser: &Browser,
    ) -> std::collections::BTreeMap<String, String> {
        self.sign_in_at(broker, browser, &self.authorize_url(broker)).await
    }

    /// The same from a given authorization URL.
    pub(crate) async fn sign_in_at(
        &self,
        _broker: &impl Reached,
        browser: &Browser,
        url: &str,
    ) -> std::collections::BTreeMap<String, String> {
        let consent = browser.get(url).await;
        assert_eq!(consent.status, 200, "{}", consent.body);
        let away = browser.press(&consent, "upstream", "idp").await;
        assert_eq!(away.status, 303, "{}", away.body);
        let back = browser.follow(away, &self.redirect).await;
        query(&back.location().unwrap_or_else(|| panic!("no redirect: {}", back.body)))
    }

    /// A code, by the whole way.
    pub(crate) async fn code(&self, broker: &impl Reached) -> String {
        let browser = Browser::new();
        let answer = self.sign_in(broker, &browser).await;
        answer.get("code").unwrap_or_else(|| panic!("no code: {answer:?}")).clone()
    }

    /// Tokens, by the whole way.
    pub(crate) async fn tokens(&self, broker: &impl Reached) -> Tokens {
        let code = self.code(broker).await;
        Tokens::of(&self.redeem(broker, &code).await)
    }

    /// Redeems a code as usual.
    pub(crate) async fn redeem(&self, broker: &impl Reached, code: &str) -> Page {
        self.redeem_with(broker, code, &[]).await
    }

    /// Redeems a code with parameters replaced; an empty value leaves one out.
    pub(crate) async fn redeem_with(
        &self,
        broker: &impl Reached,
        code: &str,
        changes: &[(&str, &str)],
    ) -> Page {
        let usual = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", &self.redirect),
        ];
        self.token(broker, &changed(&usual, changes)).await
    }

    /// Refreshes as usual.
    pub(crate) async fn refresh(&self, broker: &impl Reached, token: &str) -> Page {
        self.refresh_with(broker, token, &[]).await
    }

    /// Refreshes at this URL of a token endpoint.
    pub(crate) async fn refresh_at(&self, url: &str, token: &str) -> Page {
        self.post(url, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Refreshes with parameters replaced; an empty value leaves one out.
    pub(crate) async fn refresh_with(
        &self,
        broker: &impl Reached,
        token: &str,
        changes: &[(&str, &str)],
    ) -> Page {
        let usual = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token(broker, &changed(&usual, changes)).await
    }

    /// Revokes a token.
    pub(crate) async fn revoke(&self, broker: &impl Reached, token: &str) -> Page {
        self.post(&broker.url("/oauth/revoke"), &[("token", token)]).await
    }

    /// Revokes a token, and says what it may be.
    pub(crate) async fn revoke_with(&self, broker: &TestBroker, token: &str, hint: &str) -> Page {
        self.post(&broker.url("/oauth/revoke"), &[("token", token), ("token_type_hint", hint)]).await
    }

    /// A token request in the client's name, authenticated by its usual method.
    pub(crate) async fn token(&self, broker: &impl Reached, form: &[(&str, &str)]) -> Page {
        self.post(&broker.url("/oauth/token"), form).await
    }

    async fn post(&self, url: &str, form: &[(&str, &str)]) -> Page {
        let browser = Browser::new();
        let mut form = form.to_vec();
        let mut request = browser.http().post(url);
        match &self.secret {
            Some(secret) => request = request.basic_auth(&self.id, Some(secret)),
            None => form.push(("client_id", &self.id)),
        }
        Page::of(url, request.form(&form).send().await.expect("an answer")).await
    }
}

impl Tokens {
    /// The tokens of a successful answer.
    pub(crate) fn of(page: &Page) -> Self {
        assert_eq!(page.status, 200, "{}", page.body);
        let answer = page.json();
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token"), answer: answer.clone() }
    }

    /// The claims of the access token, unverified: for what a test wants to see in them.
    pub(crate) fn claims(&self) -> Value {
        use base64::Engine as _;
        let payload = self.access.split('.').nth(1).expect("a JWT");
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

/// Sends a registration.
pub(crate) async fn register(broker: &impl Reached, metadata: &Value) -> Page {
    let url = broker.url("/oauth/register");
    let response = Browser::new().http().post(&url).json(metadata).send().await.expect("an answer");
    Page::of(&url, response).await
}

/// The authorization URL of a request.
pub(crate) fn authorize_url(broker: &impl Reached, request: &[(String, String)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(request).finish();
    format!("{}?{query}", broker.url("/oauth/authorize"))
}

fn changed<'a>(usual: &[(&'a str, &'a str)], changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut form: Vec<_> =
        usual.iter().filter(|(name, _)| !changes.iter().any(|(other, _)| other == name)).copied().collect();
    form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    form
}
