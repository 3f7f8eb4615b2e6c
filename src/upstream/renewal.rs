//! Facts once more, without the person: what a refresh token gets, or GitHub's API says, is read and
//! believed like a sign-in (OpenID Connect Core section 12).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::Timestamp;
use crate::domain::{Identity, UpstreamCredential, UpstreamToken};
use crate::secret::Secret;

use super::api::ApiFault;
use super::exchange::{self, ExchangeError, Tokens};
use super::facts::Documents;
use super::id_token::Nonce;
use super::presets::Userinfo;
use super::provider::ALL_HOPS;
use super::{Protocol, Upstream, UpstreamError, issuers_of};

/// How long a provider that did not answer is left alone.
pub const REST: Duration = Duration::from_secs(30);

/// What asking again brought.
#[derive(Debug)]
pub enum Renewal {
    /// Facts, and what to ask with the next time.
    Facts(Box<Identity>, UpstreamCredential),
    /// Nothing that can be believed, which says nothing of the person.
    /// What to ask with the next time may have come all the same.
    NoAnswer(UpstreamError, UpstreamCredential),
    /// The provider refuses the person, for this reason.
    Refused(String),
}

/// Until when a provider is left alone, in this process.
#[derive(Debug, Default)]
pub(super) struct Rest(AtomicU64);

impl Upstream {
    /// Is it this provider, as it is configured now, that knows this account? One that was pointed
    /// elsewhere gets no token of the old one's.
    #[must_use]
    pub fn vouches_for(&self, identity: &Identity) -> bool {
        let settings = &self.settings;
        let issuers = || issuers_of(settings.preset, &settings.issuer, &settings.tenants);
        *self.id() == identity.upstream && issuers().contains(&identity.issuer)
    }

    /// Did it fail to answer a moment ago?
    #[must_use]
    pub fn is_resting(&self, now: Timestamp) -> bool {
        now.as_unix() < self.rest.0.load(Ordering::Relaxed)
    }

    /// Leaves it alone for a while, so that nobody queues behind a provider that is down.
    pub fn let_rest(&self, now: Timestamp) {
        self.rest.0.store(now.plus(REST).as_unix(), Ordering::Relaxed);
    }

    /// Asks for the facts of a person who is known. As at a sign-in, all hops together take at most 9 s.
    pub async fn renew(&self, credential: &UpstreamCredential, known: &Identity, now: Timestamp) -> Renewal {
        // What a token was exchanged for is not lost with a later hop.
        let mut next = credential.clone();
        let asked = async {
            let facts = match &credential.token {
                UpstreamToken::Access(token) => self.github_facts(token, now).await?,
                UpstreamToken::Refresh(token) => {
                    let tokens = self.exchange_again(token, now).await?;
                    if let Some(token) = &tokens.refresh_token {
                        next.token = UpstreamToken::Refresh(token.clone());
                    }
                    self.facts_again(&tokens, credential, (known, now)).await?
                }
            };
            let is_same = facts.issuer == known.issuer && facts.subject == known.subject;
            let other = || Denied::NoAnswer(self.refused("its answer is about another account"));
            is_same.then_some(facts).ok_or_else(other)
        };
        let late = |_| Err(Denied::NoAnswer(self.unavailable("it did not answer in time")));
        let facts = timeout(ALL_HOPS, asked).await.unwrap_or_else(late);
        match facts {
            Ok(facts) => {
                self.rest.0.store(0, Ordering::Relaxed);
                Renewal::Facts(Box::new(facts), next)
            }
            Err(Denied::Refused(why)) => Renewal::Refused(why),
            Err(Denied::NoAnswer(fault)) => {
                // What is wrong with one person's answer says nothing of the others'.
                if matches!(fault, UpstreamError::Unavailable { .. }) {
                    self.let_rest(now);
                }
                Renewal::NoAnswer(fault, next)
            }
        }
    }

    async fn exchange_again(&self, token: &Secret, now: Timestamp) -> Result<Tokens, Denied> {
        let endpoints = self.endpoints(now).await?;
        let exchanged = exchange::refresh(&self.settings, &endpoints, &self.outbound, token).await;
        exchanged.map_err(|error| match error {
            ExchangeError::Unavailable(cause) => Denied::NoAnswer(self.unavailable(cause)),
            ExchangeError::Refused(cause) => Denied::Refused(cause),
        })
    }

    /// What the new tokens say. Without an ID token, which is not owed here, userinfo says it; where
    /// that may decide nothing, the provider has still accepted the person's token.
    async fn facts_again(
        &self,
        tokens: &Tokens,
        credential: &UpstreamCredential,
        (known, now): (&Identity, Timestamp),
    ) -> Result<Identity, Denied> {
        let access_token = &tokens.access_token;
        if self.settings.preset.protocol == Protocol::GitHub {
            return self.github_facts(access_token, now).await;
        }
        if let Some(id_token) = &tokens.id_token {
            let nonce = Nonce::IsNoneBut(credential.nonce.as_ref());
            let verified = self.verify(id_token, nonce, access_token, now).await?;
            return Ok(self.identity(&verified, access_token, now).await?);
        }
        let metadata = self.known(now).await?.metadata;
        let endpoint = metadata.userinfo_endpoint();
        match endpoint.filter(|_| self.settings.preset.userinfo == Userinfo::WhereThin) {
            Some(url) => {
                let profile = self.userinfo(url.as_str(), access_token, &known.subject).await?;
                let account = (known.issuer.as_str(), known.subject.as_str());
                Ok(self.settings.identity(account, &Documents::of(&profile), now))
            }
            None => Ok(known.clone()),
        }
    }

    async fn github_facts(&self, token: &Secret, now: Timestamp) -> Result<Identity, Denied> {
        let asked = self.github_identity(token, now).await;
        asked.map_err(|fault| match fault {
            // The person, or an administrator, has taken the token back; or the account is gone.
            ApiFault::Unknown(cause) => Denied::Refused(cause),
            // Also the limit of one person's calls.
            ApiFault::Forbidden(cause) => Denied::NoAnswer(self.refused(cause)),
            ApiFault::Unavailable(cause) => Denied::NoAnswer(self.unavailable(cause)),
        })
    }
}

/// Why there are no facts.
enum Denied {
    Refused(String),
    NoAnswer(UpstreamError),
}

impl From<UpstreamError> for Denied {
    fn from(fault: UpstreamError) -> Self {
        Self::NoAnswer(fault)
    }
}
