//! `gatelodge demo --check`: the whole flow, step by step, as an MCP client and a browser would
//! go it. Each step says what it saw, or what it should have seen.
//!
//! - this file: the walk.
//! - `visitor`: requests, cookies and forms.

mod visitor;

use http::StatusCode;
use serde_json::{Value, json};

use crate::outbound::Outbound;
use crate::protocol::S256Challenge;
use crate::secret::random;

use super::stage::Addresses;
use visitor::{Visitor, parameter};

/// Where the walk's answers go; nothing listens there, the walk reads the redirect itself.
const REDIRECT: &str = "http://127.0.0.1:33418/callback";

/// What was seen instead of what should have been.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {fault}")]
pub struct CheckFailed {
    step: &'static str,
    fault: String,
}

/// Where a walk reports its steps.
pub type Report<'a> = &'a mut (dyn FnMut(&str) + Send);

/// Walks the whole flow; every step that succeeded is reported.
pub async fn walk(at: &Addresses, outbound: Outbound, report: Report<'_>) -> Result<(), CheckFailed> {
    let mut walk = Walk { at, visitor: Visitor::new(outbound), report };
    walk.challenge().await?;
    let metadata = walk.discover().await?;
    let client_id = walk.register(&metadata).await?;
    let (code, verifier) = walk.sign_in(&metadata, &client_id).await?;
    let tokens = walk.redeem(&metadata, &client_id, &code, &verifier).await?;
    walk.call_tool(&tokens).await?;
    let tokens = walk.refresh(&metadata, &client_id, &tokens).await?;
    walk.revoke(&metadata, &client_id, &tokens).await
}

struct Walk<'a> {
    at: &'a Addresses,
    visitor: Visitor,
    report: Report<'a>,
}

/// Fails a step unless what is needed is there.
fn need<T>(step: &'static str, found: Option<T>, otherwise: impl Into<String>) -> Result<T, CheckFailed> {
    found.ok_or_else(|| CheckFailed { step, fault: otherwise.into() })
}

fn text<'v>(step: &'static str, document: &'v Value, name: &str) -> Result<&'v str, CheckFailed> {
    need(step, document.get(name).and_then(Value::as_str), format!("`{name}` is missing from {document}"))
}

impl Walk<'_> {
    fn say(&mut self, line: &str) {
        (self.report)(line);
    }

    async fn challenge(&mut self) -> Result<(), CheckFailed> {
        let step = "the MCP server's challenge";
        let answer = self.visitor.get(step, &self.at.mcp).await?;
        let challenge = answer.header("www-authenticate");
        let due =
            answer.status == StatusCode::UNAUTHORIZED && challenge.starts_with("Bearer resource_metadata=");
        need(step, due.then_some(()), format!("{} {challenge}", answer.status))?;
        self.say(&format!("{} answers 401\n     WWW-Authenticate: {challenge}", self.at.mcp));
        Ok(())
    }

    async fn discover(&mut self) -> Result<Value, CheckFailed> {
        let step = "metadata";
        let origin = self.at.mcp.trim_end_matches("/mcp");
        let url = format!("{origin}/.well-known/oauth-protected-resource/mcp");
        let resource = self.visitor.get(step, &url).await?.json(step)?;
        let issuer = resource.pointer("/authorization_servers/0").and_then(Value::as_str);
        let issuer = need(step, issuer, format!("no authorization server in {resource}"))?;
        let url = format!("{issuer}/.well-known/oauth-authorization-server");
        let metadata = self.visitor.get(step, &url).await?.json(step)?;
        let same = text(step, &metadata, "issuer")? == issuer;
        need(step, same.then_some(()), "the issuers differ")?;
        self.say(&format!("protected resource metadata names {issuer}; its own metadata agrees"));
        Ok(metadata)
    }

    async fn register(&mut self, metadata: &Value) -> Result<String, CheckFailed> {
        let step = "registration";
        let endpoint = text(step, metadata, "registration_endpoint")?;
        let request = json!({ "client_name": "gatelodge demo --check", "redirect_uris": [REDIRECT] });
        let answer = self.visitor.post_json(step, endpoint, &request, None).await?;
        need(step, (answer.status == StatusCode::CREATED).then_some(()), answer.summary())?;
        let registered = answer.json(step)?;
        let id = text(step, &registered, "client_id")?.to_owned();
        self.say(&format!("registered as {id}"));
        Ok(id)
    }

    async fn sign_in(&mut self, metadata: &Value, client_id: &str) -> Result<(String, String), CheckFailed> {
        let step = "the consent page";
        let (verifier, state) = (random::token(), random::token());
        let challenge = S256Challenge::of_verifier(&verifier);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", client_id),
                ("redirect_uri", REDIRECT),
                ("state", &state),
                ("code_challenge", challenge.as_str()),
                ("code_challenge_method", "S256"),
                ("resource", &self.at.mcp),
                ("scope", "mcp:read mcp:write"),
            ])
            .finish();
        let endpoint = text(step, metadata, "authorization_endpoint")?;
        let consent = self.visitor.get(step, &format!("{endpoint}?{query}")).await?;
        need(step, (consent.status == StatusCode::OK).then_some(()), consent.summary())?;
        self.say("the consent page names the client, where the answer goes, the server and the scopes");

        let step = "sign-in at the identity provider";
        let away = self.visitor.press(step, &consent, ("upstream", "demo")).await?;
        let people = self.visitor.follow(step, away).await?;
        let here = people.url.starts_with(&self.at.provider);
        need(step, (here && people.status == StatusCode::OK).then_some(()), people.summary())?;
        self.say(&format!("approved; {} asks who is there: Bob signs in", self.at.provider));

        let step = "the callback";
        let back = self.visitor.press(step, &people, ("person", "bob")).await?;
        let back = self.visitor.follow_until(step, back, REDIRECT).await?;
        let location = need(step, back.location(), back.summary())?;
        let is = |name, wanted: &str| parameter(&location, name).is_some_and(|value| value == wanted);
        need(step, is("state", &state).then_some(()), "another state came back")?;
        need(step, is("iss", &self.at.broker).then_some(()), "iss is not the broker")?;
        let code = need(step, parameter(&location, "code"), "no code came back")?;
        self.say("the callback brings a code, our state, and iss");
        Ok((code, verifier))
    }

    async fn redeem(
        &mut self,
        metadata: &Value,
        client_id: &str,
        code: &str,
        verifier: &str,
    ) -> Result<Value, CheckFailed> {
        let step = "the token";
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("code", code),
            ("code_verifier", verifier),
            ("redirect_uri", REDIRECT),
        ];
        let tokens = self.token(step, metadata, &form).await?;
        let claims = visitor::claims(text(step, &tokens, "access_token")?);
        let claims = need(step, claims, "the access token is no JWT")?;
        let for_us = claims.get("aud").and_then(Value::as_str) == Some(&self.at.mcp);
        need(step, for_us.then_some(()), format!("the token is for {claims}"))?;
        let shown = serde_json::to_string_pretty(&claims).unwrap_or_default().replace('\n', "\n     ");
        self.say(&format!("an access token for one server:\n     {shown}"));
        Ok(tokens)
    }

    async fn call_tool(&mut self, tokens: &Value) -> Result<(), CheckFailed> {
        let step = "tools/call";
        let token = text(step, tokens, "access_token")?;
        let call = |tool: &str, arguments: Value| {
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                    "params": { "name": tool, "arguments": arguments } })
        };
        let answer =
            self.visitor.post_json(step, &self.at.mcp, &call("whoami", json!({})), Some(token)).await?;
        let spoken = answer.json(step)?.pointer("/result/content/0/text").map(ToString::to_string);
        let spoken = need(step, spoken.filter(|text| text.contains("bob@example.com")), answer.summary())?;
        self.say(&format!("tools/call whoami: {spoken}"));

        let refused = call("reset_notes", json!({}));
        let answer = self.visitor.post_json(step, &self.at.mcp, &refused, Some(token)).await?;
        let challenge = answer.header("www-authenticate");
        let due = answer.status == StatusCode::FORBIDDEN && challenge.contains("insufficient_scope");
        need(step, due.then_some(()), answer.summary())?;
        self.say("tools/call reset_notes needs mcp:admin, which Bob has not: 403 insufficient_scope");
        Ok(())
    }

    async fn refresh(
        &mut self,
        metadata: &Value,
        client_id: &str,
        tokens: &Value,
    ) -> Result<Value, CheckFailed> {
        let step = "refresh";
        let old = text(step, tokens, "refresh_token")?;
        let form = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", old)];
        let fresh = self.token(step, metadata, &form).await?;
        let rotated = text(step, &fresh, "refresh_token")? != old;
        need(step, rotated.then_some(()), "the refresh token was not rotated")?;
        self.say("refreshed: a new access token, and the refresh token was rotated");
        Ok(fresh)
    }

    async fn revoke(&mut self, metadata: &Value, client_id: &str, tokens: &Value) -> Result<(), CheckFailed> {
        let step = "revoke";
        let token = text(step, tokens, "refresh_token")?;
        let endpoint = text(step, metadata, "revocation_endpoint")?;
        let form = [("client_id", client_id), ("token", token)];
        let answer = self.visitor.post_form(step, endpoint, &form).await?;
        need(step, (answer.status == StatusCode::OK).then_some(()), answer.summary())?;
        let form = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)];
        let endpoint = text(step, metadata, "token_endpoint")?;
        let dead = self.visitor.post_form(step, endpoint, &form).await?;
        let ended = dead.json(step)?.get("error").and_then(Value::as_str) == Some("invalid_grant");
        need(step, ended.then_some(()), dead.summary())?;
        self.say("revoked: the refresh token is dead");
        Ok(())
    }

    async fn token(
        &mut self,
        step: &'static str,
        metadata: &Value,
        form: &[(&str, &str)],
    ) -> Result<Value, CheckFailed> {
        let endpoint = text(step, metadata, "token_endpoint")?;
        let answer = self.visitor.post_form(step, endpoint, form).await?;
        need(step, (answer.status == StatusCode::OK).then_some(()), answer.summary())?;
        answer.json(step)
    }
}
