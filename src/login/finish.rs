//! The last step: policy, then a grant and its code.

use crate::clock::Timestamp;
use crate::domain::{
    AuditEvent, AuditKind, Grant, GrantId, GrantState, Identity, PendingLogin, TrustedReturn,
};
use crate::protocol::{ErrorCode, OAuthError, ScopeSet};
use crate::store::audit;
use crate::tokens::AuthorizationCode;
use crate::upstream::Upstream;

use super::{ClientReturn, Login, NoAccess, NoAccessReason, PageError, Step};

impl Login {
    /// What was asked and what policy grants become a grant. Nothing in common: the person sees
    /// why, and the client gets nothing.
    pub(super) async fn finish(
        &self,
        login: &PendingLogin,
        to: &TrustedReturn,
        upstream: &Upstream,
        identity: Identity,
        now: Timestamp,
    ) -> Result<Step, PageError> {
        let request = &login.request;
        let verdict = self.resources.find(&request.resource).map(|resource| {
            let name = resource.name.clone();
            (name, self.policy.decide(&identity, resource))
        });
        let (name, granted, refusals) = match verdict {
            Some((name, verdict)) => (name, verdict.scopes.clone(), verdict.refusals()),
            None => {
                let gone = "this server is no longer protected here".to_owned();
                (request.resource.to_string(), ScopeSet::default(), vec![gone])
            }
        };
        let scopes = granted.intersect(&request.scopes);
        if scopes.is_empty() {
            let reason = if granted.is_empty() {
                NoAccessReason::Nothing(refusals)
            } else {
                NoAccessReason::NotWhatWasAsked { asked: request.scopes.clone(), granted }
            };
            return Ok(self.no_access(login, to, upstream, (identity, name, reason), now).await);
        }
        let id = GrantId::generate();
        let (code, digest) = AuthorizationCode::generate(id);
        let ends_at = now.plus(self.rules.grant);
        let grant = Grant {
            id,
            client_id: request.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            code: digest,
            resource: request.resource.clone(),
            scopes,
            identity,
            created_at: now,
            ends_at,
            expires_at: now.plus(self.rules.code).min(ends_at),
            state: GrantState::AwaitingCode,
        };
        self.store.open_grant(&grant, now).await?;
        let event = AuditEvent::new(AuditKind::SignedIn, now).grant(&grant);
        audit::record(self.store.as_ref(), event).await;
        let parameters = vec![("code", code.expose().to_owned())];
        let state = request.state.as_deref();
        Ok(Step::ReturnToClient(ClientReturn::new(to.clone(), &self.issuer, state, parameters)))
    }

    async fn no_access(
        &self,
        login: &PendingLogin,
        to: &TrustedReturn,
        upstream: &Upstream,
        (identity, resource, reason): (Identity, String, NoAccessReason),
        now: Timestamp,
    ) -> Step {
        let mut event = AuditEvent::new(AuditKind::SignInDenied, now)
            .client(&login.request.client_id)
            .person(identity.person())
            .upstream(upstream.id());
        event.resource = Some(login.request.resource.to_string());
        event.reason = Some(match &reason {
            NoAccessReason::Nothing(refusals) => refusals.join("; "),
            NoAccessReason::NotWhatWasAsked { asked, granted } => {
                format!("asked for {asked}, policy grants {granted}")
            }
        });
        audit::record(self.store.as_ref(), event).await;
        let client = self.clients.find(&login.request.client_id, now).await.ok().flatten();
        let state = login.request.state.as_deref();
        let said = "the organisation's policy grants this person nothing of what was asked";
        let denied = OAuthError::new(ErrorCode::AccessDenied, said);
        Step::ShowNoAccess(Box::new(NoAccess {
            person: identity.label(),
            upstream: upstream.label().to_owned(),
            resource,
            resource_url: login.request.resource.clone(),
            reason,
            return_to: ClientReturn::error(to.clone(), &self.issuer, state, &denied),
            client_name: client.and_then(|client| client.name),
        }))
    }
}
