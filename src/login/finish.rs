//! The last step: policy, then a grant and its code.

use crate::domain::{AuditEvent, AuditKind, Grant, GrantId, GrantState, Identity, Resource};
use crate::policy::{Asked, Verdict};
use crate::protocol::{ErrorCode, OAuthError, ScopeSet};
use crate::upstream::SignedIn;

use super::upstream_return::Arrival;
use super::{ClientReturn, Login, NoAccess, NoAccessReason, PageError, Step};

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
    /// What was asked and what policy grants become a grant. Nothing in common: the person sees
    /// why, and the client gets nothing.
    pub(super) async fn finish(&self, arrival: &Arrival<'_>, signed_in: SignedIn) -> Result<Step, PageError> {
        let identity = signed_in.identity.clone();
        let Arrival { login, to, now, .. } = *arrival;
        let request = &login.request;
        let Some(resource) = self.resources.find(&request.resource) else {
            let denied = Denied {
                identity,
                resource: request.resource.to_string(),
                reason: NoAccessReason::Nothing("this server is no longer protected here".into()),
                for_the_log: "the resource is not configured any more".into(),
                rules: String::new(),
            };
            return Ok(self.no_access(arrival, denied).await);
        };
        let verdict = self.verdict(Asked::new(&identity, &request.client_id, resource), now).await?;
        let scopes = verdict.narrow(&request.scopes);
        if scopes.is_empty() {
            let denied = Denied::by(&verdict, identity, resource, &request.scopes);
            return Ok(self.no_access(arrival, denied).await);
        }
        let id = GrantId::generate(&identity.person());
        let ends_at = now.plus(verdict.life(self.rules.grant));
        let rules = verdict.applied();
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
        // For a provider that names only its session when somebody signs out.
        if let Some(session) = grant.identity.session {
            self.store.remember_upstream_session(session, &grant.identity.person(), ends_at, now).await?;
        }
        // Before the grant: none stands on facts that are not kept.
        self.people.arrived(&signed_in, ends_at, now).await?;
        self.store.open_grant(&grant, now).await?;
        let event = AuditEvent::new(AuditKind::SignedIn, now).grant(&grant).by_rules(rules);
        self.journal.record(event);
        let code = self.codes.issue(&id, &request.challenge, &request.redirect_uri);
        let parameters = vec![("code", code.expose().to_owned())];
        let state = request.state.as_deref();
        Ok(Step::ReturnToClient(ClientReturn::new(to.clone(), &self.issuer, state, parameters)))
    }

    async fn no_access(&self, arrival: &Arrival<'_>, denied: Denied) -> Step {
        let Arrival { login, to, upstream, now } = *arrival;
        let mut event = AuditEvent::new(AuditKind::SignInDenied, now)
            .client(&login.request.client_id)
            .person(denied.identity.person())
            .upstream(upstream.id())
            .by_rules(denied.rules)
            .because(denied.for_the_log);
        event.resource = Some(login.request.resource.to_string());
        self.journal.record(event);
        let client = self.clients.find(&login.request.client_id, now).await.ok().flatten();
        let state = login.request.state.as_deref();
        let said = "the organisation's policy grants this person nothing of what was asked";
        let error = OAuthError::new(ErrorCode::AccessDenied, said);
        Step::ShowNoAccess(Box::new(NoAccess {
            person: denied.identity.label(),
            upstream: upstream.label().to_owned(),
            resource: denied.resource,
            resource_url: login.request.resource.clone(),
            reason: denied.reason,
            return_to: ClientReturn::error(to.clone(), &self.issuer, state, &error),
            client_name: client.and_then(|client| client.name),
        }))
    }
}
