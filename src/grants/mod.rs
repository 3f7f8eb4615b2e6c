//! The token half: the token endpoint and revocation.
//!
//! [`TokenEndpoint::token`] owns the phases that every grant shares; one file per grant fills in
//! only its own part:
//!
//! 1. read what the request presents: `authorization_code`, `refresh_token`; its MAC tells the grant
//! 2. authenticate the client (before anything is consumed: INT-52), and look the grant up
//! 3. it is this client's, which may still be used here, and for this resource
//! 4. at a refresh: ask the upstream again; ask policy again, and narrow the scopes to what the client
//!    may have
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

use crate::clients::{Admission, AuthenticatedClient, Authenticator, Clients, Credentials};
use crate::clock::{Clock, Timestamp};
use crate::domain::{
    AuditEvent, AuditKind, ClientLimits, Grant, GrantId, NotBefore, Resources, RotationRules, UpstreamGrant,
};
use crate::people::People;
use crate::policy::{Asked, Policy, Verdict};
use crate::protocol::{ErrorCode, OAuthError, Params, ResourceUri, ScopeSet};
use crate::store::audit::Journal;
use crate::store::revocations::Revocations;
use crate::store::{Store, StoreError};
use crate::tokens::{Authorization, AuthorizationCodes, Minter, RefreshTokens};

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
    /// Which clients may be used at all.
    pub clients: Clients,
    /// What upstreams say of people.
    pub people: People,
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// What happened.
    pub journal: Journal,
    /// What has been revoked.
    pub revocations: Arc<Revocations>,
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// For which servers.
    pub resources: Arc<Resources>,
    /// Makes access tokens.
    pub minter: Minter,
    /// Reads codes.
    pub codes: AuthorizationCodes,
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

/// What a request presents, proved by its MAC: filled in by each grant's own file.
struct Presented {
    grant: GrantId,
    transition: Transition,
    asked: Option<ScopeSet>,
}

/// The one write that the request leads to.
enum Transition {
    Redeem,
    Rotate(u64),
}

/// What the store has of the grant, of revocations, and of what upstreams said of the person.
type Found = (Option<Grant>, Arc<NotBefore>, Vec<UpstreamGrant>);

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
        let presented = self.presented(form);
        // Asked for together, in one round trip (REL-05); the client's fault is told first.
        let found = async {
            match &presented {
                Ok(presented) => self.store.grant(&presented.grant, now).await,
                Err(_) => Ok(None),
            }
        };
        let known = self.known(presented.as_ref().ok(), now);
        let client = self.authenticator.authenticate(credentials, now);
        let revoked = self.revocations.current(now);
        let (client, found, revoked, known) = tokio::join!(client, found, revoked, known);
        let client = client?;
        let found = (|| Ok((found?, revoked?, known?)))();
        let outcome = match presented {
            Ok(presented) => self.granted(&client, presented, found, (form, now)).await,
            Err(fault) => Err(fault),
        };
        client.settled(outcome).await
    }

    /// The phases after authentication, with what was looked up beside it.
    async fn granted(
        &self,
        client: &AuthenticatedClient,
        presented: Presented,
        found: Result<Found, StoreError>,
        (form, now): (&Params, Timestamp),
    ) -> Result<TokenResponse, OAuthError> {
        let (found, revoked, known) = found.map_err(OAuthError::unavailable)?;
        let mut grant = self.own_grant(client, found, &revoked, now)?;
        check_resource(&grant, form)?;
        self.check_client(client, (&grant, &presented.transition), now).await?;
        if let Transition::Rotate(_) = presented.transition {
            grant = self.with_current_facts(grant, known, now).await?;
        }
        let limits = &client.client().limits;
        let scopes = self.scopes_now(&grant, (presented.asked.as_ref(), limits), now)?;
        let authorization = match presented.transition {
            // Apart, because it is rarer and larger.
            Transition::Redeem => Box::pin(self.redeem(client, grant, &scopes, now)).await?,
            Transition::Rotate(generation) => self.rotate(grant, generation, &scopes, now).await?,
        };
        self.answer(client, &authorization, now)
    }

    fn presented(&self, form: &Params) -> Result<Presented, OAuthError> {
        match form.one("grant_type")? {
            Some("authorization_code") => self.read_code(form),
            Some("refresh_token") => self.read_refresh_token(form),
            Some(_) => {
                let text = "grant_type must be authorization_code or refresh_token";
                Err(OAuthError::new(ErrorCode::UnsupportedGrantType, text))
            }
            None => Err(OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing")),
        }
    }

    /// The grant that was found, if it is this client's (SEC-073, SEC-083) and not revoked with its
    /// person, its client or everything (SEC-132).
    fn own_grant(
        &self,
        client: &AuthenticatedClient,
        found: Option<Grant>,
        revoked: &NotBefore,
        now: Timestamp,
    ) -> Result<Grant, OAuthError> {
        let own = found.filter(|grant| grant.client_id == client.client().id);
        let grant = own.ok_or_else(invalid_grant)?;
        if revoked.revokes_grant(&grant) {
            let event = AuditEvent::new(AuditKind::RefreshDenied, now).grant(&grant);
            self.journal.record(event.because("revoked by the operator"));
            return Err(invalid_grant());
        }
        Ok(grant)
    }

    /// What the operator has taken from a client since the sign-in. The answer is that of a grant that is
    /// over: the client keeps its registration and sends the person to sign in, where our page says what
    /// is the matter. At `invalid_client` it would register anew, in vain.
    async fn check_client(
        &self,
        client: &AuthenticatedClient,
        (grant, transition): (&Grant, &Transition),
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        let client = client.client();
        let admission = self.clients.admission(client, now).await.map_err(OAuthError::unavailable)?;
        let may_refresh = client.may_refresh || matches!(transition, Transition::Redeem);
        let why = match (admission, may_refresh) {
            (Admission::Admitted, true) => return Ok(()),
            (Admission::Admitted, false) => "the client may not refresh",
            (Admission::Refused | Admission::Waits(_), _) => "the client is not admitted",
        };
        self.journal.record(AuditEvent::new(AuditKind::RefreshDenied, now).grant(grant).because(why));
        Err(invalid_grant())
    }

    /// Policy is asked every time (SEC-090); then what is asked is cut out of what is held.
    fn scopes_now(
        &self,
        grant: &Grant,
        (asked, limits): (Option<&ScopeSet>, &ClientLimits),
        now: Timestamp,
    ) -> Result<ScopeSet, OAuthError> {
        let held = match self.resources.find(&grant.resource) {
            Some(resource) => {
                let asked = Asked::new(&grant.identity, &grant.client_id, resource);
                held(grant, &self.policy.decide(asked), now)
            }
            None => Err("the resource is not configured any more".to_owned()),
        };
        let held = held.map_err(|why| format!("policy grants nothing any more: {why}"));
        let held =
            held.and_then(|held| limits.narrow(&grant.resource, &held).map_err(|beyond| beyond.to_string()));
        let held = held.map_err(|why| {
            let event = AuditEvent::new(AuditKind::RefreshDenied, now).grant(grant);
            self.journal.record(event.because(why));
            invalid_grant()
        })?;
        let scopes = match asked {
            None => held,
            Some(asked) => held.intersect(asked),
        };
        if scopes.is_empty() {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "none of these scopes was granted"));
        }
        Ok(scopes)
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

    fn record(&self, kind: AuditKind, grant: &Grant, now: Timestamp) {
        self.journal.record(AuditEvent::new(kind, now).grant(grant));
    }
}

/// What a grant still holds, or why nothing: a session that a rule has shortened ends older
/// grants, too. An admin's pin is not asked again, since the grant has only what it got by it.
fn held(grant: &Grant, verdict: &Verdict<'_>, now: Timestamp) -> Result<ScopeSet, String> {
    let held = verdict.narrow(&grant.scopes);
    if held.is_empty() {
        return Err(verdict.refusals());
    }
    match verdict.session {
        Some(session) if now >= grant.identity.authenticated_at.plus(session) => {
            Err(format!("a session lasts {} s", session.as_secs()))
        }
        _ => Ok(held),
    }
}

/// A resource that is named must be the grant's own (SEC-080, SEC-088); not named means the
/// grant's own (INT-56).
fn check_resource(grant: &Grant, form: &Params) -> Result<(), OAuthError> {
    // Nearly always it is written as it was granted.
    let foreign = |text: &str| {
        text != grant.resource.as_str()
            && ResourceUri::parse(text).map_or(true, |named| named != grant.resource)
    };
    if form.all("resource").any(foreign) {
        let text = "resource is not the one that was granted";
        return Err(OAuthError::new(ErrorCode::InvalidTarget, text));
    }
    Ok(())
}
