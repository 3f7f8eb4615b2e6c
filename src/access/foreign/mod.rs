//! Credentials that somebody else vouches for: what they say becomes an identity, and policy decides about it
//! as about a person who signs in.
//!
//! - `jwt`: signed tokens; `keys`: what they are verified with; `metadata`: where these are.
//! - `elsewhere`: tokens that are sent to whoever can read them: `introspection`, `remote`.
//! - `vouched`: what was said, read strictly, whatever the way.
//! - `account`: who that is, and what of it may decide.
//!
//! A fault on the way says nothing of a token, so it is never a refusal.

mod account;
mod elsewhere;
mod introspection;
mod jwt;
mod keys;
mod metadata;
mod remote;
mod vouched;

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::clock::{Clock, Timestamp};
use crate::domain::{Identity, PersonId, Resource};
use crate::outbound::Outbound;
use crate::policy::Policy;
use crate::protocol::Jws;
use crate::secret::{Digest, Fingerprint};
use crate::store::revocations::Revocations;
use crate::tokens::API_KEY_PREFIX;

use super::{Caller, CannotDecide};

use elsewhere::{Elsewhere, REFUSED_FOR};
use jwt::JwtIssuer;
use vouched::{Refused, Vouched};

pub use account::{Audience, ForeignSettings, SupposedAccount, asked_by};
pub use elsewhere::{AskRules, Whom};
pub use introspection::IntrospectionRules;
pub use jwt::JwtRules;
pub use keys::KeysAt;
pub use remote::RemoteRules;
pub use vouched::Times;

/// Tokens that are remembered, of one credential; the least used make room.
const MOST_KNOWN: usize = 10_000;

/// In which way it is vouched for.
#[derive(Debug)]
pub enum Way {
    /// It is signed.
    Jwt(JwtRules),
    /// Somebody is asked.
    Elsewhere(Whom, AskRules),
}

/// What a foreign credential hangs on beside its settings.
#[derive(Debug, Clone)]
pub struct ForeignParts {
    /// Our own issuer: its tokens are sent to nobody.
    pub own_issuer: String,
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Who may no longer.
    pub revocations: Arc<Revocations>,
    /// What calls.
    pub outbound: Outbound,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

/// A credential that somebody else vouches for.
pub struct Foreign {
    settings: ForeignSettings,
    checked: Checked,
    parts: ForeignParts,
    /// What is known of a token at a server (SEC-157).
    known: Cache<Fingerprint, Arc<Known>>,
    /// What somebody was asked about and is no good at a server, and until when that is remembered.
    refused: Cache<Fingerprint, Timestamp>,
}

#[derive(Debug)]
enum Checked {
    Here(Box<JwtIssuer>),
    There(Elsewhere),
}

struct Known {
    caller: Arc<Caller>,
    person: PersonId,
    began: Option<Timestamp>,
    /// Until when it is believed without a new look; none: for ever.
    until: Option<Timestamp>,
    /// The keys that it was verified with, and which of them it names.
    keys: Option<(Digest, Option<String>)>,
}

impl Foreign {
    /// A credential of which nothing is known yet.
    #[must_use]
    pub fn new(settings: ForeignSettings, way: Way, parts: ForeignParts) -> Self {
        let (issuer, subject_claim) = (&settings.issuer, &settings.subject_claim);
        let outbound = parts.outbound.clone();
        let checked = match way {
            Way::Jwt(rules) => {
                Checked::Here(Box::new(JwtIssuer::new(issuer, subject_claim, rules, outbound)))
            }
            Way::Elsewhere(whom, rules) => {
                let clock = Arc::clone(&parts.clock);
                Checked::There(Elsewhere::new((issuer, subject_claim), whom, rules, outbound, clock))
            }
        };
        Self { settings, checked, parts, known: Cache::new(MOST_KNOWN), refused: Cache::new(MOST_KNOWN) }
    }

    /// Would the token be sent to somebody? Then it is tried last: what can be told here is sent nowhere.
    pub(super) fn asks_elsewhere(&self) -> bool {
        matches!(self.checked, Checked::There(_))
    }

    /// May a cookie carry it?
    pub(super) fn in_a_cookie(&self) -> bool {
        matches!(&self.checked, Checked::Here(issuer) if issuer.in_a_cookie())
    }

    /// Who shows this token at a server, if it is good and still counts.
    pub(super) async fn caller(
        &self,
        token: &str,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<Option<Arc<Caller>>, CannotDecide> {
        if self.is_of_another(token) {
            return Ok(None);
        }
        let name = Fingerprint::of(resource.url.canonical(), token);
        if self.refused.get(&name).is_some_and(|until| now < until) {
            return Ok(None);
        }
        let known = self.known.get(&name);
        let believed = match &known {
            Some(known) => self.is_believed(known, now).await?,
            None => false,
        };
        let known = match known.clone().filter(|_| believed) {
            Some(known) => known,
            None => match self.looked_at(token, known.is_some(), resource, now).await? {
                Ok(new) => {
                    let new = Arc::new(new);
                    self.known.insert(name, Arc::clone(&new));
                    new
                }
                Err(reason) => {
                    self.known.remove(&name);
                    if self.asks_elsewhere() {
                        self.refused.insert(name, now.plus(REFUSED_FOR));
                    }
                    tracing::debug!(credential = %self.settings.id, %reason, resource = %resource.url, "a token is refused");
                    return Ok(None);
                }
            },
        };
        if self.is_revoked(&known, now).await? {
            tracing::debug!(credential = %self.settings.id, person = %known.person, "a token of somebody who was revoked is refused");
            return Ok(None);
        }
        Ok(Some(Arc::clone(&known.caller)))
    }

    /// Does the token itself say that it is not for whom we would ask about it? It proves nothing, so it only
    /// ever keeps a token from being looked at.
    fn is_of_another(&self, token: &str) -> bool {
        let Checked::There(whom) = &self.checked else { return false };
        if token.starts_with(API_KEY_PREFIX) {
            return true;
        }
        let issuer = Jws::parse(token).ok().and_then(|jws| jws.unverified_issuer());
        issuer.is_some_and(|issuer| !whom.may_see(&issuer, &self.parts.own_issuer))
    }

    async fn is_believed(&self, known: &Known, now: Timestamp) -> Result<bool, CannotDecide> {
        if known.until.is_some_and(|until| now >= until) {
            return Ok(false);
        }
        match (&self.checked, &known.keys) {
            (Checked::Here(issuer), Some((version, kid))) => {
                issuer.are_keys(version, kid.as_deref(), now).await.map_err(|cause| self.fault(cause))
            }
            _ => Ok(true),
        }
    }

    async fn looked_at(
        &self,
        token: &str,
        was_good: bool,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<Result<Known, Refused>, CannotDecide> {
        let (vouched, keys, until) = match &self.checked {
            Checked::Here(issuer) => {
                match issuer.verify(token, now).await.map_err(|cause| self.fault(cause))? {
                    Ok(verified) => {
                        let kid = Jws::parse(token).ok().and_then(|jws| jws.header("kid").map(str::to_owned));
                        let until = verified.vouched.until;
                        (verified.vouched, Some((verified.keys, kid)), until)
                    }
                    Err(refused) => return Ok(Err(refused)),
                }
            }
            Checked::There(whom) => {
                match whom.ask(token, was_good, now).await.map_err(|cause| self.fault(cause))? {
                    Ok(vouched) => {
                        let until = [vouched.until, Some(now.plus(whom.cache))].into_iter().flatten().min();
                        (vouched, None, until)
                    }
                    Err(refused) => return Ok(Err(refused)),
                }
            }
        };
        if let Err(refused) = self.settings.admits(&vouched, &resource.url) {
            return Ok(Err(refused));
        }
        let (began, identity) = (vouched.began, self.settings.identity(&vouched, now));
        let caller = Arc::new(self.decided(&identity, &vouched, resource));
        Ok(Ok(Known { caller, person: identity.person(), began, until, keys }))
    }

    /// What policy gives. No address is pinned by a token: whoever is an admin by address signs in here once.
    fn decided(&self, identity: &Identity, vouched: &Vouched, resource: &Resource) -> Caller {
        let verdict = self.parts.policy.decide(asked_by(identity, resource));
        let named = self.settings.named_by(vouched);
        let scopes = named.map_or_else(|| verdict.scopes.clone(), |named| verdict.narrow(&named));
        let person = identity.person();
        if scopes.is_empty() {
            let reasons = verdict.refusals();
            tracing::info!(credential = %self.settings.id, %person, resource = %resource.url, reasons, "a token is genuine and may do nothing");
        }
        Caller {
            credential: format!("{}:{person}", self.settings.id).into(),
            subject: person.to_string(),
            email: identity.email.as_ref().map(ToString::to_string),
            name: identity.name.clone(),
            client: None,
            scopes,
        }
    }

    /// Has the operator ended what this person had? Not where the token has no date: whoever is asked about
    /// it every few seconds has to end it.
    async fn is_revoked(&self, known: &Known, now: Timestamp) -> Result<bool, CannotDecide> {
        let Some(began) = known.began else { return Ok(false) };
        Ok(self.parts.revocations.current(now).await?.revokes_person(&known.person, began))
    }

    fn fault(&self, cause: String) -> CannotDecide {
        CannotDecide::Foreign { credential: self.settings.id.to_string(), cause }
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign")
            .field("id", &self.settings.id)
            .field("checked", &self.checked)
            .finish_non_exhaustive()
    }
}
