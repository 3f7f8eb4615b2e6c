//! Client authentication (RFC 6749 section 2.3). The registered method is enforced, and an
//! unknown client gets the same answer as a wrong secret (SEC-071).

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::clock::{Clock, Timestamp};
use crate::domain::{Client, ClientAuthMethod, ClientId, SecretPlace};
use crate::protocol::client_document::ClientKeys;
use crate::protocol::{ErrorCode, Issuer, OAuthError, Params};
use crate::rate::RateLimit;
use crate::secret::{Digest, Secret, random};
use crate::store::Store;

use super::assertion::{HoldingAssertion, InvalidAssertion};
use super::operator_secret::OperatorSecrets;
use super::{Clients, assertion};

/// Failed attempts at one client in a minute before the answer is 429 (SEC-069).
const FAILURES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).expect("20 is not zero");

/// How long an answer waits until the use of an assertion is taken back: 503 is said in time (REL-05).
const RELEASE: Duration = Duration::from_millis(500);

/// What a request brings to prove who it comes from.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    address: Option<IpAddr>,
    basic: Option<(String, Option<Secret>)>,
    body_id: Option<String>,
    body_secret: Option<Secret>,
    assertion: Option<Secret>,
}

impl Credentials {
    /// Reads the `Authorization` header and the form of a request from this address. An empty password or
    /// `client_secret=` counts as none (INT-53).
    pub fn read(
        address: Option<IpAddr>,
        authorization: Option<&str>,
        form: &Params,
    ) -> Result<Self, OAuthError> {
        let invalid = || {
            OAuthError::new(
                ErrorCode::InvalidClient,
                "the Authorization header is not a valid Basic credential",
            )
        };
        let basic = match authorization {
            None => None,
            Some(header) => Some(read_basic(header).ok_or_else(invalid)?),
        };
        let assertion = form.one("client_assertion")?.map(|assertion| Secret::new(assertion.to_owned()));
        let kind = form.one("client_assertion_type")?;
        if kind != assertion.as_ref().map(|_| assertion::ASSERTION_TYPE) {
            let text = format!(
                "client_assertion and client_assertion_type ({}) belong together",
                assertion::ASSERTION_TYPE
            );
            return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
        }
        Ok(Self {
            address,
            basic,
            body_id: form.one("client_id")?.map(str::to_owned),
            body_secret: form.one("client_secret")?.map(|secret| Secret::new(secret.to_owned())),
            assertion,
        })
    }

    fn client_id(&self) -> Result<ClientId, OAuthError> {
        match (&self.basic, &self.body_id) {
            (Some((basic, _)), Some(body)) if basic != body => Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                "the header and the body name different clients",
            )),
            (Some((id, _)), _) | (None, Some(id)) => Ok(ClientId::new(id)),
            // RFC 7521 section 4.2: an assertion may stand alone.
            (None, None) => self
                .assertion
                .as_ref()
                .and_then(|assertion| assertion::named_client(assertion.expose()))
                .ok_or_else(|| OAuthError::new(ErrorCode::InvalidClient, "client_id is missing")),
        }
    }

    fn methods(&self) -> usize {
        let header = self.basic.as_ref().is_some_and(|(_, secret)| secret.is_some());
        [header, self.body_secret.is_some(), self.assertion.is_some()]
            .into_iter()
            .filter(|sent| *sent)
            .count()
    }
}

/// `Basic base64(form-encoded id ":" form-encoded secret)` (RFC 6749 section 2.3.1, SEC-067).
fn read_basic(header: &str) -> Option<(String, Option<Secret>)> {
    let (scheme, value) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let secret = Some(form_decode(secret)).filter(|secret| !secret.is_empty());
    Some((form_decode(id), secret.map(Secret::new)))
}

fn form_decode(text: &str) -> String {
    let pair = format!("x={}", text.replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// A client that proved who it is, as far as its registered method can.
#[derive(Debug)]
pub struct AuthenticatedClient {
    client: Client,
    spent: Option<SpentAssertion>,
}

impl AuthenticatedClient {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What became of the client's request. Where it failed by our fault, it will come once more as it
    /// was, and must not be told that its assertion is used (PRIN-5): so the use is taken back. Nobody
    /// got anything for it, and whoever else has the request still needs a code or a refresh token that
    /// is good once. If it cannot be taken back, the assertion stays used.
    pub async fn settled<T>(self, outcome: Result<T, OAuthError>) -> Result<T, OAuthError> {
        let is_ours = |fault: &OAuthError| {
            matches!(fault.code(), ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError)
        };
        match (self.spent, outcome.as_ref().err()) {
            (Some(spent), Some(fault)) if is_ours(fault) => spent.release().await,
            (Some(spent), _) => spent.keep(),
            (None, _) => {}
        }
        outcome
    }
}

/// An assertion, and the request that has used it. Where that ends without an outcome, as it does when the
/// caller hangs up, the use is taken back.
#[derive(Debug)]
struct SpentAssertion {
    name: Digest,
    request: String,
    store: Arc<dyn Store>,
    is_settled: bool,
}

impl SpentAssertion {
    /// It stays used.
    fn keep(mut self) {
        self.is_settled = true;
    }

    /// Takes the use back, also if nobody waits for it.
    async fn release(mut self) {
        if let Some(released) = self.begin_release() {
            // If that takes longer, it goes on by itself.
            let _ = tokio::time::timeout(RELEASE, released).await;
        }
    }

    fn begin_release(&mut self) -> Option<JoinHandle<()>> {
        self.is_settled = true;
        // There is none only while the process ends.
        let runtime = Handle::try_current().ok()?;
        let (store, name, request) = (Arc::clone(&self.store), self.name.clone(), self.request.clone());
        Some(runtime.spawn(async move {
            if let Err(fault) = store.release_assertion(&name, &request).await {
                tracing::warn!(%fault, "the use of a client assertion could not be taken back");
            }
        }))
    }
}

impl Drop for SpentAssertion {
    fn drop(&mut self) {
        if !self.is_settled {
            self.begin_release();
        }
    }
}

/// Authenticates clients and slows down guessing.
#[derive(Debug)]
pub struct Authenticator {
    issuer: Issuer,
    clients: Clients,
    store: Arc<dyn Store>,
    secrets: OperatorSecrets,
    failures: RateLimit<ClientId>,
}

impl Authenticator {
    /// Authenticates against this directory.
    #[must_use]
    pub fn new(
        issuer: Issuer,
        clients: Clients,
        (store, secrets): (Arc<dyn Store>, OperatorSecrets),
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { issuer, clients, store, secrets, failures: RateLimit::per_minute(FAILURES_PER_MINUTE, clock) }
    }

    /// Authenticates. Only failures are counted and slowed down: whoever holds the secret is
    /// never locked out by somebody who does not (SEC-069).
    pub async fn authenticate(
        &self,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let id = credentials.client_id()?;
        let found = self.clients.find(&id, credentials.address, now).await?;
        let refused =
            OAuthError::new(ErrorCode::InvalidClient, "unknown client, or wrong client credentials");
        let Some(client) = found else { return Err(refused) };
        let in_header = credentials.basic.as_ref().and_then(|(_, secret)| secret.as_ref());
        let in_body = credentials.body_secret.as_ref();
        if credentials.methods() > 1 {
            let text = "use one method of client authentication, not two";
            return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
        }
        let mut spent = None;
        let proven = match &client.auth {
            ClientAuthMethod::None => credentials.methods() == 0,
            ClientAuthMethod::ClientSecretBasic(digest) => proves(in_header, digest),
            ClientAuthMethod::ClientSecretPost(digest) => proves(in_body, digest),
            ClientAuthMethod::KeyedSecret { sent, held } => {
                let sent = match sent {
                    SecretPlace::Header => in_header,
                    SecretPlace::Body => in_body,
                };
                match sent {
                    Some(sent) => self.secrets.holds((&id, held), sent, self.store.as_ref(), now).await,
                    None => false,
                }
            }
            ClientAuthMethod::PrivateKeyJwt { keys, required } => match &credentials.assertion {
                Some(assertion) => {
                    let client = (&client, credentials.address);
                    spent = self.holds(assertion, client, keys, now).await?;
                    spent.is_some()
                }
                None => !required && credentials.methods() == 0,
            },
        };
        if proven {
            return Ok(AuthenticatedClient { client, spent });
        }
        if self.failures.allows(&id) {
            return Err(refused);
        }
        Err(OAuthError::new(ErrorCode::SlowDown, "too many failed attempts; try again in a minute"))
    }

    /// Is this the client's assertion, for us, in time and for the first time (SEC-068)?
    async fn holds(
        &self,
        assertion: &Secret,
        (client, address): (&Client, Option<IpAddr>),
        keys: &ClientKeys,
        now: Timestamp,
    ) -> Result<Option<SpentAssertion>, OAuthError> {
        let kid = assertion::key_id(assertion.expose());
        let documents = self.clients.documents();
        let keys = documents.keys_knowing((client, address), keys, kid.as_deref(), now).await?;
        let verified = assertion::verify(assertion.expose(), &keys, (&client.id, &self.issuer), now);
        let fault = match verified {
            Ok(HoldingAssertion { name, until }) => {
                let (store, request) = (Arc::clone(&self.store), random::id());
                let spent = SpentAssertion { name, request, store, is_settled: false };
                match self.store.use_assertion((&spent.name, &spent.request), until, now).await {
                    Ok(true) => return Ok(Some(spent)),
                    Ok(false) => {
                        spent.keep();
                        InvalidAssertion::Used
                    }
                    Err(fault) => {
                        // It may have been written all the same.
                        spent.release().await;
                        return Err(OAuthError::unavailable(fault));
                    }
                }
            }
            Err(fault) => fault,
        };
        tracing::info!(client = %client.id, %fault, "a client could not prove itself");
        Ok(None)
    }

    /// Forgets the counters of clients that had no failure lately.
    pub fn collect_garbage(&self) {
        self.failures.collect_garbage();
        self.clients.documents().collect_garbage();
    }
}

fn proves(sent: Option<&Secret>, digest: &Digest) -> bool {
    sent.is_some_and(|secret| digest.is_of(secret.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> Option<(String, Option<Secret>)> {
        read_basic(&format!("Basic {}", STANDARD.encode(text)))
    }

    /// OAuth 2.1 section 2.4.1: both parts are form-encoded inside Basic.
    #[test]
    fn sec_067_basic_credentials_are_form_decoded() {
        let (id, secret) = basic("a%3Ab:p%2Bq+r%C3%A9&x=1").unwrap();
        assert_eq!((id.as_str(), secret.unwrap().expose()), ("a:b", "p+q ré&x=1"));
        assert!(read_basic("bAsIc YTpi").is_some());
        assert!(read_basic("Bearer YTpi").is_none());
        assert!(read_basic("Basic !").is_none());
    }

    #[test]
    fn int_53_an_empty_password_is_none() {
        assert_eq!(basic("a:").unwrap().1, None);
    }
}
