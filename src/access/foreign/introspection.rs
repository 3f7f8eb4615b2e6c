//! Asking an authorization server about its tokens (RFC 7662).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;
use url::form_urlencoded;

use crate::clock::Timestamp;
use crate::outbound::Outbound;
use crate::protocol::Members;
use crate::secret::Secret;

use super::metadata::Metadata;
use super::vouched::{self, Refused, Times, Vouched};

/// How long the endpoint that the metadata names is used before it is asked for again, and how long it
/// serves while it cannot be.
const FRESH: Duration = Duration::from_secs(3600);
const LAST_GOOD: Duration = Duration::from_secs(24 * 3600);

/// Where an issuer's metadata says that it is asked.
#[derive(Debug, Default)]
pub(super) struct Endpoint(Mutex<Option<(String, Timestamp)>>);

impl Endpoint {
    async fn url(&self, outbound: &Outbound, issuer: &str, now: Timestamp) -> Result<String, String> {
        let within = |life: Duration| move |(_, at): &(String, Timestamp)| now.since(*at) < life;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((url, _)) = known.clone().filter(within(FRESH)) {
            return Ok(url);
        }
        match Metadata::fetch(outbound, issuer).await {
            Ok(metadata) => {
                let url = metadata.introspection_endpoint;
                let url = url.ok_or("its metadata names no introspection_endpoint")?;
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((url.clone(), now));
                Ok(url)
            }
            Err(fault) => known.filter(within(LAST_GOOD)).map(|(url, _)| url).ok_or(fault),
        }
    }
}

/// How to ask.
#[derive(Debug, Clone)]
pub struct IntrospectionRules {
    /// The endpoint; none: the issuer's metadata names it.
    pub url: Option<String>,
    /// Our client there.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Does the secret go into the body (`client_secret_post`)?
    pub in_the_body: bool,
    /// Their times.
    pub times: Times,
}

impl IntrospectionRules {
    /// What is said of the token: only 200 and a JSON object with a true or false `active` is a verdict.
    pub(super) async fn ask(
        &self,
        (outbound, endpoint): (&Outbound, &Endpoint),
        (issuer, subject_claim): (&str, &str),
        token: &str,
        now: Timestamp,
    ) -> Result<Result<Vouched, Refused>, String> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => endpoint.url(outbound, issuer, now).await?,
        };
        let answer = outbound.send(self.request(&url, token)?).await.map_err(|error| error.to_string())?;
        if answer.status().as_u16() != 200 {
            return Err(format!("it answered the introspection with status {}", answer.status().as_u16()));
        }
        let unread = "its introspection answer is not a JSON object with `active`";
        let claims: Members = serde_json::from_slice(answer.body()).map_err(|_| unread)?;
        match claims.get("active") {
            Some(Value::Bool(true)) => Ok(self.vouched((issuer, subject_claim), claims, now)),
            Some(Value::Bool(false)) => Ok(Err(Refused::NotActive)),
            _ => Err(unread.to_owned()),
        }
    }

    fn request(&self, url: &str, token: &str) -> Result<Request<Vec<u8>>, String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token).append_pair("token_type_hint", "access_token");
        let request = Request::post(url)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let secret = self.client_secret.expose();
        let request = if self.in_the_body {
            form.append_pair("client_id", &self.client_id).append_pair("client_secret", secret);
            request
        } else {
            // Each half is encoded as in a form (RFC 6749 section 2.3.1).
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&self.client_id), encoded(secret));
            request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)))
        };
        request
            .body(form.finish().into_bytes())
            .map_err(|_| "its introspection endpoint is no URL".to_owned())
    }

    /// The members mean what the claims of a JWT mean (RFC 7662 section 2.2). A date of the end may be
    /// missing: the server said that it counts now.
    fn vouched(
        &self,
        (issuer, subject_claim): (&str, &str),
        claims: Members,
        now: Timestamp,
    ) -> Result<Vouched, Refused> {
        if claims.get("iss").is_some_and(|iss| iss != issuer) {
            return Err(Refused::Claim("iss"));
        }
        let is = |name: &str, word: &str| {
            let told = claims.get(name);
            told.is_none_or(|told| told.as_str().is_some_and(|told| told.eq_ignore_ascii_case(word)))
        };
        // Some answer for refresh tokens, too.
        if !is("token_type", "bearer") || !is("token_use", "access_token") || !is("typ", "bearer") {
            return Err(Refused::NoAccessToken("token_type, token_use or typ"));
        }
        vouched::is_unbound(&claims)?;
        let until = self.times.until_asked_again(&claims, now)?;
        let began = vouched::time(&claims, "iat")?;
        let subject = vouched::subject(&claims, subject_claim)?;
        let scopes = vouched::scopes(&claims);
        Ok(Vouched { subject, claims, scopes, began, until })
    }
}
