//! Plays a conversation against a broker and a protected MCP server.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatelodge::clock::Clock;
use gatelodge::demo::mcp_server::McpServer;
use gatelodge::protocol::S256Challenge;
use gatelodge::resource_server::ResourceServer;
use gatelodge::secret::random;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::document_host::{Answer as Published, DocumentHost, HOST};
use crate::harness::keys::{TestKey, object};

use super::conversation::{Conversation, Document, Request, Step, Visit};
use super::demands;

/// A conversation on its way.
pub(super) struct Player {
    broker: TestBroker,
    headers: BTreeMap<String, String>,
    values: BTreeMap<String, String>,
    host: DocumentHost,
    key: TestKey,
}

impl Player {
    /// Plays the whole of it.
    pub(super) async fn play(text: &str) {
        let conversation: Conversation = serde_json::from_str(text).expect("a conversation");
        let client = conversation.client.clone();
        let mut player = Self::prepare(&conversation).await;
        for (number, step) in conversation.steps.iter().enumerate() {
            let place = format!("{client}, step {}", number + 1);
            match step {
                Step::Send(request) => player.send(request, &place).await,
                Step::Visit(visit) => player.visit(visit, &place).await,
                Step::Wait(seconds) => {
                    player.broker.clock.advance(std::time::Duration::from_secs(*seconds));
                }
            }
        }
    }

    async fn prepare(conversation: &Conversation) -> Self {
        let host = DocumentHost::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let mcp = format!("{origin}/mcp");
        let allow = conversation.known_as.as_ref().map(|name| format!("clients: {{ allow: [{name}] }}\n"));
        let extra = conversation.configuration.clone() + allow.as_deref().unwrap_or_default();
        let resources = format!(
            "  - url: {mcp}\n    name: Notes\n    scopes:\n      mcp:read: Read notes\n      \
             mcp:write: Write notes\n      mcp:admin: Erase notes\n"
        );
        let documents = Some(host.fetcher(&[HOST]));
        let broker = TestBroker::with(Setup { extra, resources, documents, ..Setup::default() }).await;
        let clock = Arc::clone(&broker.clock) as Arc<dyn Clock>;
        let server =
            McpServer::new(ResourceServer::new(&mcp, &broker.issuer).clock(clock)).expect("a server");
        tokio::spawn(axum::serve(listener, server.router()).into_future());

        let mut values = conversation.values.clone();
        let verifier = values.get("verifier").expect("every conversation has a verifier");
        let challenge = S256Challenge::of_verifier(verifier).as_str().to_owned();
        // The same server, as clients write it that do not keep the spelling (INT-55).
        let shouted = format!("{}/mcp/", origin.replacen("http", "HTTP", 1));
        let known = [
            ("issuer", broker.issuer.clone()),
            ("mcp", mcp),
            ("mcp_origin", origin),
            ("mcp_shouted", shouted),
        ];
        values.insert("challenge".into(), challenge);
        values.extend(known.map(|(name, value)| (name.to_owned(), value)));
        let key = TestKey::rs256("of-the-client");
        let mut player = Self { broker, headers: conversation.headers.clone(), values, host, key };
        if let Some(document) = &conversation.document {
            player.publish(document);
        }
        player
    }

    fn publish(&mut self, document: &Document) {
        if document.signs {
            self.host.answers("/jwks.json", Published::json(&json!({ "keys": [self.key.jwk()] })));
            self.values.insert("jwks_uri".into(), self.host.url("/jwks.json"));
        }
        let real = url::Url::parse(&document.published_at).expect("a URL");
        let client_id = self.host.publishes(real.path(), &self.filled_in(&document.members));
        self.values.insert("client_id".into(), client_id);
    }

    /// A proof by the client's key, good for one request (RFC 7523).
    fn assertion(&self) -> String {
        let (client, now) = (&self.values["client_id"], self.broker.clock.now().as_unix());
        let claims = json!({ "iss": client, "sub": client, "aud": self.broker.issuer, "iat": now, "exp": now + 60,
            "jti": random::id() });
        self.key.sign(&self.key.header("JWT"), &object(claims))
    }

    /// A text with every `{{name}}` replaced.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").expect("a name ends");
            filled.push_str(before);
            match self.values.get(name) {
                Some(value) => filled.push_str(value),
                None if name == "assertion" => filled.push_str(&self.assertion()),
                None => panic!("nothing stands for {name} yet"),
            }
            rest = after;
        }
        filled + rest
    }

    /// The same in every text of a value.
    fn filled_in(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.filled(text)),
            Value::Array(items) => items.iter().map(|item| self.filled_in(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, member)| (name.clone(), self.filled_in(member))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn pairs(&self, pairs: &[[String; 2]]) -> Vec<(String, String)> {
        pairs.iter().map(|[name, value]| (name.clone(), self.filled(value))).collect()
    }

    async fn send(&mut self, request: &Request, place: &str) {
        let (method, url) = request.ask.split_once(' ').expect("a method and a URL");
        let url = with_query(&self.filled(url), &self.pairs(&request.query));
        let browser = Browser::new();
        let mut asked = browser.http().request(method.parse().expect("a method"), &url);
        for (name, value) in self.headers.iter().chain(&request.headers) {
            asked = asked.header(name, self.filled(value));
        }
        if let Some([user, password]) = &request.basic {
            asked = asked.basic_auth(self.filled(user), Some(self.filled(password)));
        }
        if let Some(form) = &request.form {
            asked = asked.form(&self.pairs(form));
        }
        let sent = request.json.as_ref().map(|json| self.filled_in(json));
        if let Some(json) = &sent {
            asked = asked.json(json);
        }
        let page = Page::of(&url, asked.send().await.expect("an answer")).await;
        let place = format!("{place}: {}\n{} {}", request.ask, page.status, page.body);
        let fill = |value: &Value| self.filled_in(value);
        demands::check(&request.answer, &page, &fill, &place);
        if let Some(kind) = request.answer.kind {
            let issuer = self.values["issuer"].clone();
            self.values.extend(demands::check_kind(kind, &page, (&issuer, sent.as_ref()), &place));
        }
        for (name, pointer) in &request.answer.keep {
            let json = page.json();
            let value = json.pointer(pointer).and_then(Value::as_str);
            let value = value.unwrap_or_else(|| panic!("{place}\nthere is no {pointer}"));
            self.values.insert(name.clone(), value.to_owned());
        }
    }

    /// The person's part: our page, the provider, and back to the client.
    async fn visit(&mut self, visit: &Visit, place: &str) {
        let sent = self.pairs(&visit.query);
        let one = |name: &str| sent.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let redirect = one("redirect_uri").expect("every client sends it").to_owned();
        let browser = Browser::new();
        let consent = browser.get(&with_query(&self.filled(&visit.open), &sent)).await;
        assert_eq!(consent.status, 200, "{place}: {}", consent.body);
        let away = browser.press(&consent, "upstream", "idp").await;
        assert_eq!(away.status, 303, "{place}: {}", away.body);
        let back = browser.follow(away, &redirect).await;
        let location = back.location().unwrap_or_else(|| panic!("{place}: no redirect: {}", back.body));
        let rest = location.strip_prefix(&redirect).unwrap_or_default();
        assert!(rest.starts_with(['?', '&']), "{place}: {location} is not {redirect}, port and all");
        let mut answer = query(&location);
        // INT-46, INT-48: always there; and back as it came.
        assert_eq!(answer.get("iss"), self.values.get("issuer"), "{place}: {location}");
        assert_eq!(answer.get("state").map(String::as_str), one("state"), "{place}: {location}");
        let code = answer.remove("code").unwrap_or_else(|| panic!("{place}: no code: {location}"));
        // INT-49: VS Code does not decode it.
        let raw = rest.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="));
        assert_eq!(raw, Some(code.as_str()), "{place}: the code reads the same undecoded");
        self.values.insert("code".into(), code);
    }
}

fn with_query(url: &str, pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return url.to_owned();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{url}?{query}")
}
