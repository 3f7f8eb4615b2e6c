//! The last step: policy, then a grant and its code; by a sign-in at an upstream, or by the browser's
//! session.

use std::time::Duration;

use url::form_urlencoded;

use crate::clock::Timestamp;
use crate::domain::{
    AuditEvent, AuditKind, AuthorizationRequest, Client, Grant, GrantId, GrantState, Identity, Resource,
    TrustedReturn,
};
use crate::policy::{Asked, Verdict};
use crate::protocol::{ErrorCode, OAuthError, ScopeSet};
use crate::store::StoreError;
use crate::upstream::SignedIn;

use super::session::Live;
use super::upstream_return::Arrival;
use super::{ClientReturn, Login, NoAccess, NoAccessReason, PageError, Step};

/// A request whose client and way back have been checked.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) request: &'a AuthorizationRequest,
    pub(super) client: &'a Client,
    pub(super) to: &'a TrustedReturn,
    pub(super) now: Timestamp,
}

/// What policy says of one person and one request.
pub(super) enum Decision {
    Approved(Box<Approved>),
    Denied(Box<NoAccess>),
}

/// Somebody may have some of what was asked.
pub(super) struct Approved {
    identity: Identity,
    scopes: ScopeSet,
    rules: String,
    /// The longest time from sign-in to the end, where a rule names one.
    session: Option<Duration>,
}

/// A grant, and its code on its way.
pub(super) struct Opened {
    pub(super) back: ClientReturn,
    pub(super) event: AuditEvent,
}

/// What became of a request by the browser's session.
pub(super) enum BySession {
    Opened(Box<Opened>),
    Denied(Box<NoAccess>),
    /// A rule wants a newer sign-in, or the upstream no longer vouches for the person.
    SignInAgain,
}

/// Who gets nothing, where, and why.
struct Denied {
    identity: Identity,
    resource: String,
    reason: NoAccessReason,
    for_the_log: String,
    rules: String,
}

impl Denied {
    fn by(verdict: &Verdict<'_>, identity: Identity, resource: &Resource, asked: &ScopeSet) -> Self {
        let (granted, rules) = (verdict.scopes.clone(), verdict.applied());
        let (reason, for_the_log) = if granted.is_empty() {
            (NoAccessReason::Nothing(verdict.refusal_for_person()), verdict.refusals())
        } else {
            let text = format!("asked for {asked}, policy grants {granted}");
            (NoAccessReason::NotWhatWasAsked { asked: asked.clone(), granted }, text)
        };
        Self { identity, resource: resource.name.clone(), reason, for_the_log, rules }
    }
}

impl Login {
    /// After a sign-in at an upstream: a grant, and a new session of this browser. Whom policy denies
    /// gets neither.
    pub(super) async fn finish(&self, arrival: &Arrival<'_>, signed_in: SignedIn) -> Result<Step, PageError> {
        let Arrival { asking, old_session, .. } = *arrival;
        let now = asking.now;
        let approved = match self.decide(asking, signed_in.identity.clone()).await? {
            Decision::Approved(approved) => approved,
            Decision::Denied(no_access) => return Ok(Step::ShowNoAccess(no_access)),
        };
        // Before the grant: none stands on facts that are not kept.
        self.people.arrived(&signed_in, self.last_end(now), now).await?;
        let SignedIn { identity, id_token, .. } = signed_in;
        let (longest, person) = (approved.session, identity.person());
        let opened = self.open(asking, approved, (GrantId::generate(&person), now)).await?;
        self.journal.record(AuditEvent { kind: AuditKind::SignedIn, ..opened.event });
        self.remember(asking, &person).await?;
        let session = self.begin_session((identity, id_token), longest, old_session, now).await?;
        Ok(Step::ReturnToClient { back: opened.back, session })
    }

    /// Without an upstream: who is signed in here gets the grant of this name, or what is there of it
    /// already.
    pub(super) async fn finish_by_session(
        &self,
        asking: Asking<'_>,
        live: &Live,
        grant: GrantId,
    ) -> Result<BySession, PageError> {
        let Some(identity) = self.person_of(live, asking.now).await? else {
            return Ok(BySession::SignInAgain);
        };
        let approved = match self.decide(asking, identity).await? {
            Decision::Approved(approved) => approved,
            Decision::Denied(no_access) => return Ok(BySession::Denied(no_access)),
        };
        let since = live.session.signed_in_at;
        if approved.session.is_some_and(|longest| asking.now >= since.plus(longest)) {
            return Ok(BySession::SignInAgain);
        }
        let opened = self.open(asking, approved, (grant, since)).await?;
        // Whoever signed out in the meantime has ended the grants that there were.
        if self.store.browser_session(&live.id, asking.now).await?.is_none() {
            self.store.end_grant(&grant).await?;
            return Ok(BySession::SignInAgain);
        }
        self.keep_session(live, asking.now).await?;
        Ok(BySession::Opened(Box::new(opened)))
    }

    /// When nothing is left that a sign-in at `now` leads to: the last grant that the browser's session
    /// can open is over.
    fn last_end(&self, now: Timestamp) -> Timestamp {
        let session = self.rules.session.map_or(Duration::ZERO, |session| session.absolute);
        now.plus(session).plus(self.rules.grant)
    }

    /// Asks policy what it grants of what was asked.
    async fn decide(&self, asking: Asking<'_>, identity: Identity) -> Result<Decision, StoreError> {
        let Asking { request, now, .. } = asking;
        let Some(resource) = self.resources.find(&request.resource) else {
            let denied = Denied {
                identity,
                resource: request.resource.to_string(),
                reason: NoAccessReason::Nothing("this server is no longer protected here".into()),
                for_the_log: "the resource is not configured any more".into(),
                rules: String::new(),
            };
            return Ok(Decision::Denied(self.no_access(asking, denied)));
        };
        let verdict = self.verdict(Asked::new(&identity, &request.client_id, resource), now).await?;
        let scopes = verdict.narrow(&request.scopes);
        let (rules, session) = (verdict.applied(), verdict.session);
        if scopes.is_empty() {
            let denied = Denied::by(&verdict, identity.clone(), resource, &request.scopes);
            return Ok(Decision::Denied(self.no_access(asking, denied)));
        }
        Ok(Decision::Approved(Box::new(Approved { identity, scopes, rules, session })))
    }

    /// Opens the grant of this name, of somebody who has been signed in `since` then.
    async fn open(
        &self,
        asking: Asking<'_>,
        approved: Box<Approved>,
        (id, since): (GrantId, Timestamp),
    ) -> Result<Opened, StoreError> {
        let Asking { request, to, now, .. } = asking;
        let Approved { identity, scopes, rules, session } = *approved;
        let longest = now.plus(self.rules.grant);
        let ends_at = session.map_or(longest, |session| since.plus(session).min(longest));
        // For a provider that names only its session when somebody signs out. No grant of it and no
        // session of the browser is there for longer.
        if let Some(session) = identity.session {
            let browser = self.rules.session.map(|rules| now.plus(rules.absolute));
            let until = browser.map_or(longest, |end| end.max(longest));
            self.store.remember_upstream_session(session, &identity.person(), until, now).await?;
        }
        let grant = Grant {
            id,
            client_id: request.client_id.clone(),
            resource: request.resource.clone(),
            scopes,
            identity,
            created_at: now,
            ends_at,
            expires_at: now.plus(self.rules.code).min(ends_at),
            state: GrantState::AwaitingCode,
        };
        self.store.open_grant(&grant, now).await?;
        let event = AuditEvent::new(AuditKind::SignedInBySession, now).grant(&grant).by_rules(rules);
        Ok(Opened { back: self.code_of(&id, request, to), event })
    }

    /// The answer with the one code of a grant.
    pub(super) fn code_of(
        &self,
        grant: &GrantId,
        request: &AuthorizationRequest,
        to: &TrustedReturn,
    ) -> ClientReturn {
        let code = self.codes.issue(grant, &request.challenge, &request.redirect_uri);
        let parameters = vec![("code", code.expose().to_owned())];
        ClientReturn::new(to.clone(), &self.issuer, request.state.as_deref(), parameters)
    }

    fn no_access(&self, asking: Asking<'_>, denied: Denied) -> Box<NoAccess> {
        let Asking { request, client, to, now } = asking;
        let upstream = self.upstreams.find(denied.identity.upstream.as_str());
        let upstream = upstream.map_or(denied.identity.upstream.as_str(), |upstream| upstream.label());
        let mut event = AuditEvent::new(AuditKind::SignInDenied, now)
            .client(&request.client_id)
            .person(denied.identity.person())
            .upstream(&denied.identity.upstream)
            .by_rules(denied.rules)
            .because(denied.for_the_log);
        event.resource = Some(request.resource.to_string());
        self.journal.record(event);
        let state = request.state.as_deref();
        let said = "the organisation's policy grants this person nothing of what was asked";
        let error = OAuthError::new(ErrorCode::AccessDenied, said);
        Box::new(NoAccess {
            person: denied.identity.label(),
            upstream: upstream.to_owned(),
            resource: denied.resource,
            resource_url: request.resource.clone(),
            reason: denied.reason,
            return_to: ClientReturn::error(to.clone(), &self.issuer, state, &error),
            client_name: client.name.clone(),
            another_account: self.another_account_url(request),
        })
    }

    /// The same request, to be answered by somebody else.
    fn another_account_url(&self, request: &AuthorizationRequest) -> String {
        let scopes = request.scopes.to_string();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", request.client_id.as_str()),
            ("redirect_uri", request.redirect_uri.as_str()),
            ("code_challenge", request.challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("resource", request.resource.as_str()),
            ("scope", &scopes),
            ("prompt", "select_account"),
        ]);
        query.extend_pairs(request.state.as_deref().map(|state| ("state", state)));
        format!("{}?{}", self.issuer.url("/oauth/authorize"), query.finish())
    }
}
