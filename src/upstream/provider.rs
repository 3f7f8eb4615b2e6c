//! One identity provider, whole.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::domain::{DomainName, Identity, PersonId, UpstreamCredential, UpstreamId, UpstreamToken};
use crate::outbound::Outbound;
use crate::protocol::{Jws, Members};
use crate::secret::{Digest, Secret};

use super::api::{Api, ApiFault};
use super::discovery::{Discovery, Known, SeekerOfKeys};
use super::exchange::{self, Endpoints, ExchangeError, Request, Tokens};
use super::facts::{Documents, GroupList};
use super::id_token::{Expected, Nonce, UnverifiedIdToken, VerifiedIdToken};
use super::logout_token::{self, LoggedOut};
use super::renewal::Rest;
use super::settings::{UpstreamSettings, issuers_of};
use super::{Protocol, UpstreamError, github, graph};

pub use super::exchange::Hints;

/// How long all calls of one sign-in may take together: whoever waits is told within 10 s (INT-67).
pub(super) const ALL_HOPS: Duration = Duration::from_secs(9);

/// What a sign-in brought.
#[derive(Debug)]
pub struct SignedIn {
    /// Who it is.
    pub identity: Identity,
    /// The ID token as it came, where there is one: the provider's sign-out page wants it back.
    pub id_token: Option<Secret>,
    /// What the provider can be asked again with, where that is wanted and was given.
    pub credential: Option<UpstreamCredential>,
}

/// An identity provider.
#[derive(Debug)]
pub struct Upstream {
    pub(super) settings: UpstreamSettings,
    pub(super) outbound: Outbound,
    /// Not asked where the protocol has none.
    discovery: Discovery,
    pub(super) rest: Rest,
}

impl Upstream {
    /// A provider; nothing is fetched before it is needed, so that one that is down at start
    /// hurts nobody else.
    #[must_use]
    pub fn new(settings: UpstreamSettings, outbound: Outbound) -> Self {
        let discovery = Discovery::new(&settings, outbound.clone());
        Self { settings, outbound, discovery, rest: Rest::default() }
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

    /// What the operator says of it.
    #[must_use]
    pub fn settings(&self) -> &UpstreamSettings {
        &self.settings
    }

    /// Where a browser is sent to sign in.
    pub async fn authorization_url(
        &self,
        state: &str,
        (nonce, verifier): (&str, &str),
        hints: Hints<'_>,
        now: Timestamp,
    ) -> Result<String, UpstreamError> {
        let endpoints = self.endpoints(now).await?;
        let request = Request { state, nonce, verifier, hints };
        exchange::authorization_url(&self.settings, &endpoints, request)
            .map_err(|cause| self.unavailable(cause))
    }

    /// Where a browser is sent to sign out, if there is such a place (OpenID Connect RP-Initiated
    /// Logout 1.0 section 2). It comes back to `back` with `state`.
    pub async fn sign_out_url(
        &self,
        id_token: Option<&Secret>,
        (back, state): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<String>, UpstreamError> {
        if self.settings.preset.protocol != Protocol::OpenIdConnect {
            return Ok(None);
        }
        let known = self.known(now).await?;
        let Some(endpoint) = known.end_session_endpoint() else { return Ok(None) };
        let url = exchange::sign_out_url(&self.settings, endpoint, id_token, (back, state));
        url.map(Some).map_err(|cause| self.unavailable(cause))
    }

    /// Is this answer really from this provider (RFC 9207 section 2.4, SEC-045)? A provider that
    /// says it names itself must, and nobody may name another.
    pub async fn check_response_issuer(
        &self,
        iss: Option<&str>,
        now: Timestamp,
    ) -> Result<(), UpstreamError> {
        let names_itself = match self.settings.preset.protocol {
            Protocol::OpenIdConnect => self.known(now).await?.names_itself(),
            Protocol::GitHub => false,
        };
        match iss {
            Some(iss) if self.settings.may_be_called(iss) => Ok(()),
            Some(_) => Err(self.refused("the answer's iss is another issuer")),
            None if names_itself => {
                Err(self.refused("the answer has no iss, though the provider announces it"))
            }
            None => Ok(()),
        }
    }

    /// Exchanges the code, verifies what comes back, and keeps what may decide. All hops together
    /// take at most 9 s (INT-67).
    pub async fn sign_in(
        &self,
        code: &str,
        proofs: (&str, &str),
        now: Timestamp,
    ) -> Result<SignedIn, UpstreamError> {
        let whole = tokio::time::timeout(ALL_HOPS, self.sign_in_unbounded(code, proofs, now));
        whole.await.unwrap_or_else(|_| Err(self.unavailable("it did not answer in time")))
    }

    async fn sign_in_unbounded(
        &self,
        code: &str,
        (nonce, verifier): (&str, &str),
        now: Timestamp,
    ) -> Result<SignedIn, UpstreamError> {
        let endpoints = self.endpoints(now).await?;
        let exchanged = exchange::exchange(&self.settings, &endpoints, &self.outbound, code, verifier).await;
        let tokens = exchanged.map_err(|error| match error {
            ExchangeError::Unavailable(cause) => self.unavailable(cause),
            ExchangeError::Refused(cause) => self.refused(cause),
        })?;
        let identity = match (self.settings.preset.protocol, &tokens.id_token) {
            (Protocol::OpenIdConnect, Some(id_token)) => {
                let nonce = Nonce::Is(nonce);
                let verified = self.verify(id_token, nonce, &tokens.access_token, now).await?;
                self.identity(&verified, &tokens.access_token, now).await?
            }
            (Protocol::OpenIdConnect, None) => {
                return Err(
                    self.refused("its answer has no id_token; is the scope `openid` granted to this client?")
                );
            }
            (Protocol::GitHub, _) => {
                let asked = self.github_identity(&tokens.access_token, now).await;
                asked.map_err(|fault| self.unavailable(fault.text()))?
            }
        };
        let credential = self.credential(&tokens, nonce);
        Ok(SignedIn { identity, id_token: tokens.id_token.map(UnverifiedIdToken::into_text), credential })
    }

    /// A refresh token; GitHub's access token serves as well, where it does not expire.
    fn credential(&self, tokens: &Tokens, nonce: &str) -> Option<UpstreamCredential> {
        self.settings.recheck?;
        let refresh = tokens.refresh_token.clone().map(UpstreamToken::Refresh);
        match self.settings.preset.protocol {
            Protocol::OpenIdConnect => {
                refresh.map(|token| UpstreamCredential { token, nonce: Some(Digest::of(nonce)) })
            }
            Protocol::GitHub => {
                let token = refresh.unwrap_or_else(|| UpstreamToken::Access(tokens.access_token.clone()));
                Some(UpstreamCredential { token, nonce: None })
            }
        }
    }

    pub(super) async fn verify(
        &self,
        id_token: &UnverifiedIdToken,
        nonce: Nonce<'_>,
        access_token: &Secret,
        now: Timestamp,
    ) -> Result<VerifiedIdToken, UpstreamError> {
        let kid = id_token.key_id().map_err(|error| self.refused(error))?;
        let keys = self.discovery.keys_knowing(kid.as_deref(), SeekerOfKeys::SignIn, now).await;
        let keys = keys.map_err(|cause| self.unavailable(cause))?;
        let expected = Expected { settings: &self.settings, nonce, access_token: access_token.expose() };
        id_token.verify(&keys, expected, now).map_err(|error| self.refused(error))
    }

    /// What may decide, from the ID token and, where it lacks something, from further documents.
    pub(super) async fn identity(
        &self,
        verified: &VerifiedIdToken,
        access_token: &Secret,
        now: Timestamp,
    ) -> Result<Identity, UpstreamError> {
        let known = self.known(now).await?;
        let mut documents = Documents::of(verified.claims());
        let userinfo = match known.metadata.userinfo_endpoint() {
            Some(url) if self.settings.is_thin(verified.claims()) => {
                Some(self.userinfo(url.as_str(), access_token, verified.subject()).await?)
            }
            _ => None,
        };
        documents.userinfo = userinfo.as_ref();
        if self.settings.groups_matter && self.settings.is_overage(verified.claims()) {
            documents.groups = Some(self.fetched_groups(access_token).await?);
        }
        Ok(self.settings.identity((verified.issuer(), verified.account()), &documents, now))
    }

    /// The groups that did not fit into the token. A refusal is not an empty list: policy is told
    /// that the list is not whole, the operator what is missing.
    async fn fetched_groups(&self, token: &Secret) -> Result<GroupList, UpstreamError> {
        let api = Api { outbound: &self.outbound, token };
        match graph::groups(api, self.settings.api()).await {
            Ok(groups) => Ok(groups),
            Err(ApiFault::Unknown(cause) | ApiFault::Forbidden(cause)) => {
                tracing::warn!(upstream = %self.settings.id, cause, "the person's groups could not be read; grant the scope User.Read, or use app roles");
                Ok(GroupList { names: BTreeSet::new(), is_whole: false })
            }
            Err(ApiFault::Unavailable(cause)) => Err(self.unavailable(cause)),
        }
    }

    pub(super) async fn github_identity(&self, token: &Secret, now: Timestamp) -> Result<Identity, ApiFault> {
        let api = Api { outbound: &self.outbound, token };
        let asked = github::profile(api, self.settings.api(), &self.settings.organizations).await;
        let github::Profile { id, document, groups } = asked?;
        let documents = Documents { groups: Some(groups), ..Documents::of(&document) };
        Ok(self.settings.identity((&self.settings.issuer, &id), &documents, now))
    }

    /// Whom these claims of an ID token make a person: the trust rule alone, for an operator who
    /// asks what a sign-in would lead to.
    pub fn identity_of(&self, claims: &Members, now: Timestamp) -> Result<Identity, UpstreamError> {
        let text = |name| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let preset = self.settings.preset;
        let tenant = preset.tenancy.and_then(|tenancy| text(tenancy.claim));
        let issuer = self.settings.token_issuer(tenant);
        let issuer = issuer.ok_or_else(|| self.refused("the claims name no tenant of this issuer"))?;
        match text("iss") {
            Some(iss) if iss != issuer && !preset.issuer_aliases.contains(&iss) => {
                return Err(self.refused(format!("iss is {iss}, and the provider's issuer is {issuer}")));
            }
            _ => {}
        }
        let account = text(preset.account);
        let account =
            account.ok_or_else(|| self.refused(format!("the claims have no {}", preset.account)))?;
        Ok(self.settings.identity((&issuer, account), &Documents::of(claims), now))
    }

    /// Whom this provider's logout token is about.
    pub async fn logged_out(&self, token: &str, now: Timestamp) -> Result<LoggedOut, UpstreamError> {
        let UpstreamSettings { preset, issuer, tenants, client_id, .. } = &self.settings;
        if preset.protocol != Protocol::OpenIdConnect {
            return Err(self.refused("it sends no logout tokens"));
        }
        let kid = Jws::parse(token).map_err(|error| self.refused(error))?.header("kid").map(str::to_owned);
        let keys = self.discovery.keys_knowing(kid.as_deref(), SeekerOfKeys::Logout, now).await;
        let keys = keys.map_err(|cause| self.unavailable(cause))?;
        let own = issuers_of(preset, issuer, tenants);
        let issuers: Vec<&str> =
            own.iter().map(String::as_str).chain(preset.issuer_aliases.iter().copied()).collect();
        let verified = logout_token::verify(token, &keys, (&issuers, client_id), now);
        let logged_out = verified.map_err(|error| self.refused(error))?;
        // Where the account is another claim, `sub` names nobody of ours; the session does.
        let subject = logged_out.subject.filter(|_| preset.account == "sub");
        Ok(LoggedOut { subject, ..logged_out })
    }

    /// The account key of somebody whom this provider calls `subject`.
    #[must_use]
    pub fn person(&self, subject: &str) -> PersonId {
        PersonId::of(&self.settings.issuer, subject)
    }

    /// The profile, for providers that keep the ID token small. Its `sub` must be the ID token's
    /// (OpenID Connect Core section 5.3.2, SEC-051).
    pub(super) async fn userinfo(
        &self,
        url: &str,
        token: &Secret,
        subject: &str,
    ) -> Result<Members, UpstreamError> {
        let api = Api { outbound: &self.outbound, token };
        let asked = api.get(url, "its userinfo endpoint").await;
        let answer = asked.map_err(|fault| self.unavailable(fault.text()))?;
        let profile: Members = serde_json::from_value(answer)
            .map_err(|_| self.unavailable("its userinfo answer is not a JSON object"))?;
        if profile.get("sub").and_then(Value::as_str) != Some(subject) {
            return Err(self.refused("userinfo is about another subject than the ID token"));
        }
        Ok(profile)
    }

    pub(super) async fn known(&self, now: Timestamp) -> Result<Known, UpstreamError> {
        self.discovery.known(now).await.map_err(|cause| self.unavailable(cause))
    }

    pub(super) async fn endpoints(&self, now: Timestamp) -> Result<Endpoints, UpstreamError> {
        let endpoints = match self.settings.preset.protocol {
            Protocol::OpenIdConnect => Endpoints::of(&self.known(now).await?.metadata),
            Protocol::GitHub => Endpoints::github(&self.settings.issuer),
        };
        endpoints.map_err(|cause| self.unavailable(cause))
    }

    #[expect(clippy::needless_pass_by_value, reason = "causes are made on the spot")]
    pub(super) fn unavailable(&self, cause: impl ToString) -> UpstreamError {
        UpstreamError::Unavailable { upstream: self.settings.id.to_string(), cause: cause.to_string() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "causes are made on the spot")]
    pub(super) fn refused(&self, cause: impl ToString) -> UpstreamError {
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

    /// The provider whose people have addresses of this domain (home-realm discovery).
    #[must_use]
    pub fn of_domain(&self, domain: &DomainName) -> Option<&Arc<Upstream>> {
        self.0.iter().find(|upstream| upstream.settings.allowed_domains.contains(domain))
    }

    /// Can an address tell where to sign in? Not with a single provider: there is nothing to find.
    #[must_use]
    pub fn can_be_found(&self) -> bool {
        self.0.len() > 1 && self.0.iter().any(|upstream| !upstream.settings.allowed_domains.is_empty())
    }

    /// Every provider.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.0.iter()
    }
}
