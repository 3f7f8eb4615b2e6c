//! The kinds of request, and a caller that makes them.

use std::fmt;
use std::sync::Arc;

use gatelodge::outbound::Outbound;
use gatelodge::protocol::S256Challenge;
use gatelodge::secret::random;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::mint::Mint;
use crate::{Fault, flow};

/// The protected server that tokens are for; nothing listens there.
pub(crate) const RESOURCE: &str = "http://127.0.0.1:9/mcp";

/// Where the client gets its answers; nothing listens there.
const REDIRECT: &str = "http://127.0.0.1:9/callback";

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Work {
    /// One refresh, and the token rotates.
    Refresh,
    /// Authorization page, consent, sign-in, callback, token.
    CodeFlow,
    /// The authorization server's metadata.
    Metadata,
    /// One dynamic registration.
    Registration,
    /// One question of a proxy about a request, with a token that was seen before.
    ForwardAuth,
    /// The same with a token that nobody has seen before.
    ForwardAuthCold,
}

impl Work {
    pub(crate) const ALL: [Self; 6] = [
        Self::Refresh,
        Self::CodeFlow,
        Self::Metadata,
        Self::Registration,
        Self::ForwardAuth,
        Self::ForwardAuthCold,
    ];
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refresh => "refresh with rotation",
            Self::CodeFlow => "whole code flow",
            Self::Metadata => "metadata",
            Self::Registration => "dynamic registration",
            Self::ForwardAuth => "forward-auth, token known",
            Self::ForwardAuthCold => "forward-auth, token new",
        })
    }
}

/// Where a server's endpoints are.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    metadata: String,
    registration: String,
    authorization: String,
    token: String,
    verify: String,
    /// What it signs with, if that is known.
    signing_key: String,
    /// What is there at all.
    offered: &'static [Work],
}

impl Endpoints {
    /// Is this kind of work there at all?
    pub(crate) fn offer(&self, work: Work) -> bool {
        self.offered.contains(&work)
    }

    /// A server that does nothing answers anything.
    pub(crate) fn of_nothing(origin: &str) -> Self {
        let all = || format!("{origin}/");
        Self {
            metadata: all(),
            registration: all(),
            authorization: all(),
            token: all(),
            verify: all(),
            signing_key: String::new(),
            offered: &[Work::Metadata],
        }
    }

    pub(crate) fn of_the_broker(origin: &str, signing_key: &str) -> Self {
        Self {
            metadata: format!("{origin}/.well-known/oauth-authorization-server"),
            registration: format!("{origin}/oauth/register"),
            authorization: format!("{origin}/oauth/authorize"),
            token: format!("{origin}/oauth/token"),
            verify: format!("{origin}/verify"),
            signing_key: signing_key.to_owned(),
            offered: &Work::ALL,
        }
    }

    pub(crate) fn of_the_peer(origin: &str) -> Self {
        Self {
            metadata: format!("{origin}/.well-known/openid-configuration"),
            registration: format!("{origin}/reg"),
            authorization: format!("{origin}/auth"),
            token: format!("{origin}/token"),
            verify: String::new(),
            signing_key: String::new(),
            offered: &[Work::Refresh, Work::CodeFlow, Work::Metadata, Work::Registration],
        }
    }
}

/// One of those who ask: a registered client with a session of its own.
#[derive(Debug)]
pub(crate) struct Caller {
    at: Arc<Endpoints>,
    outbound: Outbound,
    client_id: String,
    refresh_token: String,
    access_token: String,
    mint: Option<Mint>,
}

impl Caller {
    /// Registers and signs in.
    pub(crate) async fn new(at: Arc<Endpoints>, outbound: Outbound) -> Result<Self, Fault> {
        let (client_id, refresh_token, access_token) = Default::default();
        let mut caller = Self { at, outbound, client_id, refresh_token, access_token, mint: None };
        if caller.at.offer(Work::CodeFlow) {
            caller.client_id = caller.register().await?;
            (caller.refresh_token, caller.access_token) = caller.sign_in().await?;
        }
        if caller.at.offer(Work::ForwardAuthCold) {
            caller.mint = Some(Mint::like(&caller.access_token, &caller.at.signing_key)?);
        }
        Ok(caller)
    }

    /// Does one piece of work.
    pub(crate) async fn work(&mut self, work: Work) -> Result<(), Fault> {
        match work {
            Work::Refresh => self.refresh().await,
            Work::CodeFlow => self.sign_in().await.map(drop),
            Work::Metadata => Ok(self.outbound.get(&self.at.metadata).await.map(drop)?),
            Work::Registration => self.register().await.map(drop),
            Work::ForwardAuth => self.verify(&self.access_token).await,
            Work::ForwardAuthCold => {
                let token = self.mint.as_mut().ok_or("there is no key")?.next()?;
                self.verify(&token).await
            }
        }
    }

    /// An access token for another server of the same broker.
    pub(crate) fn token_for(&self, resource: &str) -> Result<String, Fault> {
        Mint::like(&self.access_token, &self.at.signing_key)?.for_resource(resource).next()
    }

    async fn register(&self) -> Result<String, Fault> {
        let client = json!({ "client_name": "bench", "redirect_uris": [REDIRECT] });
        let request = Request::post(&self.at.registration).header("content-type", "application/json");
        let answer = self.send(request.body(client.to_string().into_bytes())?, StatusCode::CREATED).await?;
        text(&answer, "client_id")
    }

    /// The whole code flow; gives back the refresh token and the access token.
    async fn sign_in(&self) -> Result<(String, String), Fault> {
        let verifier = random::token();
        let challenge = S256Challenge::of_verifier(&verifier);
        let query = encode(&[
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", REDIRECT),
            ("state", "state"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("resource", RESOURCE),
            ("scope", "mcp:read mcp:write"),
        ]);
        let start = format!("{}?{query}", self.at.authorization);
        let code = flow::code(&self.outbound, &start, REDIRECT).await?;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("code", &code),
            ("code_verifier", &verifier),
            ("redirect_uri", REDIRECT),
            ("resource", RESOURCE),
        ];
        let answer = self.token(&form).await?;
        Ok((text(&answer, "refresh_token")?, text(&answer, "access_token")?))
    }

    async fn verify(&self, token: &str) -> Result<(), Fault> {
        let (origin, path) = RESOURCE.split_at(RESOURCE.len() - "/mcp".len());
        let request = Request::get(&self.at.verify)
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-host", origin.trim_start_matches("http://"))
            .header("x-forwarded-uri", path)
            .header("authorization", format!("Bearer {token}"));
        let answer = self.outbound.send(request.body(Vec::new())?).await?;
        match answer.status() {
            StatusCode::OK if !answer.headers()["x-auth-user"].is_empty() => Ok(()),
            other => Err(format!("forward-auth answered {other}").into()),
        }
    }

    async fn refresh(&mut self) -> Result<(), Fault> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("refresh_token", &self.refresh_token),
            ("resource", RESOURCE),
        ];
        let fresh = text(&self.token(&form).await?, "refresh_token")?;
        if fresh == self.refresh_token {
            return Err("the refresh token was not rotated".into());
        }
        self.refresh_token = fresh;
        Ok(())
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Value, Fault> {
        let request = Request::post(&self.at.token).header("content-type", flow::FORM);
        self.send(request.body(encode(form).into_bytes())?, StatusCode::OK).await
    }

    async fn send(&self, request: Request<Vec<u8>>, wanted: StatusCode) -> Result<Value, Fault> {
        let answer = self.outbound.send(request).await?;
        if answer.status() == wanted {
            return Ok(serde_json::from_slice(answer.body())?);
        }
        let said = String::from_utf8_lossy(answer.body());
        Err(format!("answered {}, not {wanted}: {said}", answer.status()).into())
    }
}

fn encode(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

fn text(answer: &Value, name: &str) -> Result<String, Fault> {
    let found = answer.get(name).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| format!("the answer has no {name}").into())
}
