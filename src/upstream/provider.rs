//! One identity provider, whole.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::domain::{Identity, PersonId, UpstreamId};
use crate::outbound::Outbound;
use crate::protocol::{Jws, Members};
use crate::secret::Secret;

use super::discovery::Discovery;
use super::exchange::{self, ExchangeError, Request};
use super::facts::Source;
use super::id_token::Expected;
use super::logout_token::{self, LoggedOut};
use super::{Preset, UpstreamError};

/// How long all calls of one sign-in may take together: whoever waits is told within 10 s (INT-67).
pub(super) const ALL_HOPS: Duration = Duration::from_secs(9);

/// What the operator says of a provider.
#[derive(Debug, Clone)]
pub struct UpstreamSettings {
    /// Its name in URLs and rules.
    pub id: UpstreamId,
    /// Its name on the button.
    pub label: String,
    /// What it does differently.
    pub preset: Preset,
    /// Its issuer identifier, byte for byte.
    pub issuer: String,
    /// Our client there.
    pub client_id: String,
    /// Our client's secret there.
    pub client_secret: Option<Secret>,
    /// Our callback for this provider, and for no other (SEC-045).
    pub redirect_uri: String,
    /// What we ask for.
    pub scopes: Vec<String>,
    /// Where group names stand.
    pub groups_claim: String,
}

/// An identity provider.
#[derive(Debug)]
pub struct Upstream {
    settings: UpstreamSettings,
    outbound: Outbound,
    discovery: Discovery,
}

impl Upstream {
    /// A provider; nothing is fetched before it is needed, so that one that is down at start
    /// hurts nobody else.
    #[must_use]
    pub fn new(settings: UpstreamSettings, outbound: Outbound) -> Self {
        let discovery = Discovery::new(settings.issuer.clone(), outbound.clone());
        Self { settings, outbound, discovery }
    }

    /// Its name in URLs and rules.
    #[must_use]
    pub fn id(&self) -> &UpstreamId {
        &self.settings.id
    }

    /// Its name on the button.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.settings.label
    }

    /// Where a browser is sent to sign in.
    pub async fn authorization_url(
        &self,
        state: &str,
        (nonce, verifier): (&str, &str),
        login_hint: Option<&str>,
        now: Timestamp,
    ) -> Result<String, UpstreamError> {
        let known = self.discovery.known(now).await.map_err(|cause| self.unavailable(cause))?;
        let request = Request { state, nonce, verifier, login_hint };
        exchange::authorization_url(&self.settings, &known.metadata, request)
            .map_err(|cause| self.unavailable(cause))
    }

    /// Is this answer really from this provider (RFC 9207 section 2.4, SEC-045)? A provider that
    /// says it names itself must, and nobody may name another.
    pub async fn check_response_issuer(
        &self,
        iss: Option<&str>,
        now: Timestamp,
    ) -> Result<(), UpstreamError> {
        let known = self.discovery.known(now).await.map_err(|cause| self.unavailable(cause))?;
        match iss {
            Some(iss) if iss == self.settings.issuer => Ok(()),
            Some(_) => Err(self.refused("the answer's iss is another issuer")),
            None if known.names_itself() => {
                Err(self.refused("the answer has no iss, though the provider announces it"))
            }
            None => Ok(()),
        }
    }

    /// Exchanges the code, verifies the ID token, and keeps what may decide. All hops together
    /// take at most [`ALL_HOPS`].
    pub async fn sign_in(
        &self,
        code: &str,
        proofs: (&str, &str),
        now: Timestamp,
    ) -> Result<Identity, UpstreamError> {
        let whole = tokio::time::timeout(ALL_HOPS, self.sign_in_unbounded(code, proofs, now));
        whole.await.unwrap_or_else(|_| Err(self.unavailable("it did not answer in time")))
    }

    async fn sign_in_unbounded(
        &self,
        code: &str,
        (nonce, verifier): (&str, &str),
        now: Timestamp,
    ) -> Result<Identity, UpstreamError> {
        let known = self.discovery.known(now).await.map_err(|cause| self.unavailable(cause))?;
        let exchanged =
            exchange::exchange(&self.settings, &known.metadata, &self.outbound, code, verifier).await;
        let tokens = exchanged.map_err(|error| match error {
            ExchangeError::Unavailable(cause) => self.unavailable(cause),
            ExchangeError::Refused(cause) => self.refused(cause),
        })?;
        let kid = tokens.id_token.key_id().map_err(|error| self.refused(error))?;
        let keys = self.discovery.keys_knowing(kid.as_deref(), now).await;
        let keys = keys.map_err(|cause| self.unavailable(cause))?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            issuer_aliases: self.settings.preset.issuer_aliases,
            client_id: &self.settings.client_id,
            nonce,
            access_token: tokens.access_token.expose(),
        };
        let verified = tokens.id_token.verify(&keys, expected, now).map_err(|error| self.refused(error))?;
        let endpoint = known.metadata.userinfo_endpoint().map(|url| url.as_str());
        let profile = match endpoint {
            Some(url) if !verified.claims().contains_key("email") => {
                Some(self.userinfo(url, &tokens.access_token, verified.subject()).await?)
            }
            _ => None,
        };
        let profile = profile.as_ref().unwrap_or(verified.claims());
        Ok(self.source().identity(verified.subject(), verified.claims(), profile, now))
    }

    /// Whom these claims of an ID token make a person: the trust rule alone, for an operator who
    /// asks what a sign-in would lead to.
    pub fn identity_of(&self, claims: &Members, now: Timestamp) -> Result<Identity, UpstreamError> {
        let text = |name| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let Preset { issuer_aliases, .. } = self.settings.preset;
        match text("iss") {
            Some(iss) if iss != self.settings.issuer && !issuer_aliases.contains(&iss) => {
                let ours = &self.settings.issuer;
                return Err(self.refused(format!("iss is {iss}, and the provider's issuer is {ours}")));
            }
            _ => {}
        }
        let subject = text("sub").ok_or_else(|| self.refused("the claims have no sub"))?;
        Ok(self.source().identity(subject, claims, claims, now))
    }

    fn source(&self) -> Source<'_> {
        Source {
            upstream: &self.settings.id,
            issuer: &self.settings.issuer,
            preset: self.settings.preset,
            groups_claim: &self.settings.groups_claim,
        }
    }

    /// Whom this provider's logout token is about.
    pub async fn logged_out(&self, token: &str, now: Timestamp) -> Result<LoggedOut, UpstreamError> {
        let kid = Jws::parse(token).map_err(|error| self.refused(error))?.header("kid").map(str::to_owned);
        let keys = self.discovery.keys_knowing(kid.as_deref(), now).await;
        let keys = keys.map_err(|cause| self.unavailable(cause))?;
        let mut issuers = vec![self.settings.issuer.as_str()];
        issuers.extend(self.settings.preset.issuer_aliases);
        let verified = logout_token::verify(token, &keys, (&issuers, &self.settings.client_id), now);
        verified.map_err(|error| self.refused(error))
    }

    /// The account key of somebody whom this provider calls `subject`.
    #[must_use]
    pub fn person(&self, subject: &str) -> PersonId {
        PersonId::of(&self.settings.issuer, subject)
    }

    /// The profile, for providers that keep the ID token small. Its `sub` must be the ID token's
    /// (OpenID Connect Core section 5.3.2, SEC-051).
    async fn userinfo(&self, url: &str, token: &Secret, subject: &str) -> Result<Members, UpstreamError> {
        let request = http::Request::get(url)
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", token.expose()))
            .body(Vec::new())
            .map_err(|error| self.unavailable(error))?;
        let answer = self.outbound.send(request).await.map_err(|error| self.unavailable(error))?;
        if answer.status() != http::StatusCode::OK {
            return Err(self.unavailable(format!("its userinfo endpoint answered {}", answer.status())));
        }
        let profile: Members = serde_json::from_slice(answer.body())
            .map_err(|_| self.unavailable("its userinfo answer is not a JSON object"))?;
        if profile.get("sub").and_then(Value::as_str) != Some(subject) {
            return Err(self.refused("userinfo is about another subject than the ID token"));
        }
        Ok(profile)
    }

    #[expect(clippy::needless_pass_by_value, reason = "causes are made on the spot")]
    fn unavailable(&self, cause: impl ToString) -> UpstreamError {
        UpstreamError::Unavailable { upstream: self.settings.id.to_string(), cause: cause.to_string() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "causes are made on the spot")]
    fn refused(&self, cause: impl ToString) -> UpstreamError {
        UpstreamError::Refused { upstream: self.settings.id.to_string(), cause: cause.to_string() }
    }
}

/// Every configured provider, in the order of the page.
#[derive(Debug, Clone)]
pub struct Upstreams(Vec<Arc<Upstream>>);

impl Upstreams {
    /// The providers in order.
    #[must_use]
    pub fn new(all: Vec<Upstream>) -> Self {
        Self(all.into_iter().map(Arc::new).collect())
    }

    /// The provider of this name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Arc<Upstream>> {
        self.0.iter().find(|upstream| upstream.id().as_str() == id)
    }

    /// Every provider.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.0.iter()
    }
}
