//! The token half: the token endpoint and revocation.
//!
//! [`TokenEndpoint::token`] owns the phases that every grant shares; one file per grant fills in
//! only its own part:
//!
//! 1. authenticate the client (before anything is consumed: INT-52)
//! 2. find what the request redeems — `authorization_code`, `refresh_token`
//! 3. it is this client's, and for this resource
//! 4. ask policy again, and narrow the scopes
//! 5. one atomic write: redeem or rotate
//! 6. mint from the [`Authorization`] that the write proved
//! 7. audit, answer
//!
//! `revocation` ends a grant (RFC 7009).

mod authorization_code;
mod refresh_token;
mod revocation;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clients::{AuthenticatedClient, Authenticator, Credentials};
use crate::clock::{Clock, Timestamp};
use crate::domain::{AuditEvent, AuditKind, Grant, Resources, RotationRules};
use crate::policy::Policy;
use crate::protocol::{ErrorCode, OAuthError, Params, ResourceUri, ScopeSet};
use crate::secret::Digest;
use crate::store::revocations::Revocations;
use crate::store::{Store, audit};
use crate::tokens::{Authorization, Minter, RefreshTokens};

/// The durations that the token endpoint obeys.
#[derive(Debug, Clone, Copy)]
pub struct GrantRules {
    /// Idle time and grace of refresh tokens.
    pub rotation: RotationRules,
    /// How long a used client is remembered after its newest grant began (INT-36).
    pub keep_client: Duration,
}

/// Everything that the token endpoint asks.
#[derive(Debug)]
pub struct TokenEndpoint {
    /// Who is calling.
    pub authenticator: Arc<Authenticator>,
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// What has been revoked.
    pub revocations: Arc<Revocations>,
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// For which servers.
    pub resources: Arc<Resources>,
    /// Makes access tokens.
    pub minter: Minter,
    /// Makes and reads refresh tokens.
    pub refresh_tokens: RefreshTokens,
    /// For how long.
    pub rules: GrantRules,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

/// A successful answer (RFC 6749 section 5.1, INT-58).
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// What a request redeems: filled in by each grant's own file.
struct Redeemable {
    grant: Grant,
    transition: Transition,
    asked: Option<ScopeSet>,
}

/// The one write that the request leads to.
enum Transition {
    Redeem(Digest),
    Rotate(u64),
}

/// A dead, unknown or foreign code or refresh token: one answer for all, so that nothing can be
/// learnt from it.
fn invalid_grant() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, "the code or refresh token is not valid, or no longer")
}

impl TokenEndpoint {
    /// Answers a token request.
    pub async fn token(&self, credentials: &Credentials, form: &Params) -> Result<TokenResponse, OAuthError> {
        form.check_repeats()?;
        let now = self.clock.now();
        let (client, family) =
            tokio::join!(self.authenticator.authenticate(credentials, now), self.read_family(form, now));
        let client = client?;
        let redeemable = match form.one("grant_type")? {
            Some("authorization_code") => self.find_code(&client, form, now).await?,
            Some("refresh_token") => self.find_refresh_token(&client, form, family, now).await?,
            Some(_) => {
                let text = "grant_type must be authorization_code or refresh_token";
                return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, text));
            }
            None => return Err(OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing")),
        };
        check_resource(&redeemable.grant, form)?;
        let scopes = self.scopes_now(&redeemable, now).await?;
        let authorization = self.commit(redeemable, &scopes, now).await?;
        self.answer(&client, &authorization, now)
    }

    /// The grant of this name, if it is this client's (SEC-073, SEC-083) and not revoked with
    /// its person, its client or everything (SEC-132).
    async fn grant_of(
        &self,
        client: &AuthenticatedClient,
        id: &crate::domain::GrantId,
        now: Timestamp,
    ) -> Result<Grant, OAuthError> {
        let found = self.store.grant(id, now).await.map_err(OAuthError::unavailable)?;
        self.own(client, found, now).await
    }

    async fn own(
        &self,
        client: &AuthenticatedClient,
        found: Option<Grant>,
        now: Timestamp,
    ) -> Result<Grant, OAuthError> {
        let own = found.filter(|grant| grant.client_id == client.client().id);
        let grant = own.ok_or_else(invalid_grant)?;
        if self.revocations.has_ended(&grant, now).await.map_err(OAuthError::unavailable)? {
            let event = AuditEvent::new(AuditKind::RefreshDenied, now).grant(&grant);
            audit::record(self.store.as_ref(), event.because("revoked by the operator")).await;
            return Err(invalid_grant());
        }
        Ok(grant)
    }

    /// Policy is asked every time (SEC-090); then what is asked is cut out of what is held.
    async fn scopes_now(&self, redeemable: &Redeemable, now: Timestamp) -> Result<ScopeSet, OAuthError> {
        let grant = &redeemable.grant;
        let held = match self.resources.find(&grant.resource) {
            Some(resource) => self.policy.decide(&grant.identity, resource).narrow(&grant.scopes),
            None => ScopeSet::default(),
        };
        if held.is_empty() {
            let event = AuditEvent::new(AuditKind::RefreshDenied, now).grant(grant);
            audit::record(self.store.as_ref(), event.because("policy grants nothing any more")).await;
            return Err(invalid_grant());
        }
        let scopes = match &redeemable.asked {
            None => held,
            Some(asked) => held.intersect(asked),
        };
        if scopes.is_empty() {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "none of these scopes was granted"));
        }
        Ok(scopes)
    }

    async fn commit(
        &self,
        redeemable: Redeemable,
        scopes: &ScopeSet,
        now: Timestamp,
    ) -> Result<Authorization, OAuthError> {
        match redeemable.transition {
            Transition::Redeem(code) => self.redeem(redeemable.grant, &code, scopes, now).await,
            Transition::Rotate(presented) => self.rotate(redeemable.grant, presented, scopes, now).await,
        }
    }

    fn answer(
        &self,
        client: &AuthenticatedClient,
        authorization: &Authorization,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let minted = self.minter.mint(authorization, now).map_err(|cause| {
            OAuthError::new(ErrorCode::ServerError, "the token could not be signed").caused_by(cause)
        })?;
        let refresh_token = client.client().may_refresh.then(|| {
            let token = self.refresh_tokens.issue(&authorization.grant().id, authorization.generation());
            token.expose().to_owned()
        });
        Ok(TokenResponse {
            access_token: minted.token.expose().to_owned(),
            token_type: "Bearer",
            expires_in: minted.lifetime.as_secs(),
            scope: authorization.scopes().to_string(),
            refresh_token,
        })
    }

    async fn record(&self, kind: AuditKind, grant: &Grant, now: Timestamp) {
        audit::record(self.store.as_ref(), AuditEvent::new(kind, now).grant(grant)).await;
    }
}

/// A resource that is named must be the grant's own (SEC-080, SEC-088); not named means the
/// grant's own (INT-56).
fn check_resource(grant: &Grant, form: &Params) -> Result<(), OAuthError> {
    let foreign = |text: &str| ResourceUri::parse(text).map_or(true, |named| named != grant.resource);
    if form.all("resource").any(foreign) {
        let text = "resource is not the one that was granted";
        return Err(OAuthError::new(ErrorCode::InvalidTarget, text));
    }
    Ok(())
}
