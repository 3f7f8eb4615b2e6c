//! Asking an endpoint of the operator's own: `POST {"token": …}`, answered with
//! `{"valid", "subject", "scopes", "claims", "metadata"}`.

use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::outbound::Outbound;
use crate::protocol::Members;
use crate::secret::Secret;

use super::vouched::{self, Refused, Times, Vouched};

/// How to ask.
#[derive(Debug, Clone)]
pub struct RemoteRules {
    /// The endpoint.
    pub url: String,
    /// What `Authorization` carries.
    pub authorization: Option<Secret>,
    /// The times of what it says, where it says any.
    pub times: Times,
}

/// Its answer. What it calls `metadata` decides nothing.
#[derive(Deserialize)]
struct Said {
    valid: bool,
    subject: Option<String>,
    scopes: Option<Vec<String>>,
    claims: Option<Members>,
}

impl Said {
    fn subject(&self) -> Option<String> {
        self.subject.clone().filter(|subject| !subject.is_empty() && subject.len() <= 255)
    }
}

impl RemoteRules {
    /// What is said of the token: only 200 and an answer of the agreed form is a verdict.
    pub(super) async fn ask(
        &self,
        outbound: &Outbound,
        token: &str,
        now: Timestamp,
    ) -> Result<Result<Vouched, Refused>, String> {
        let answer = outbound.send(self.request(token)?).await.map_err(|error| error.to_string())?;
        if answer.status().as_u16() != 200 {
            return Err(format!("it answered with status {}", answer.status().as_u16()));
        }
        // The parser's own words could repeat what stands there.
        let said: Said = serde_json::from_slice(answer.body())
            .map_err(|_| "its answer is not of the agreed form: valid, subject, scopes, claims")?;
        if !said.valid {
            return Ok(Err(Refused::NotActive));
        }
        let subject = said.subject().ok_or("it calls a token valid and names no subject")?;
        Ok(self.vouched(subject, said.scopes.unwrap_or_default(), said.claims.unwrap_or_default(), now))
    }

    /// The same of an answer that might be.
    pub(super) fn supposed(said: &Members) -> Result<Vouched, Refused> {
        let said: Said = serde_json::from_value(Value::Object(said.clone().into_iter().collect()))
            .map_err(|_| Refused::Claim("valid, subject, scopes or claims"))?;
        if !said.valid {
            return Err(Refused::NotActive);
        }
        let subject = said.subject().ok_or(Refused::Claim("subject"))?;
        let claims = said.claims.unwrap_or_default();
        vouched::is_unbound(&claims)?;
        let scopes = said.scopes.unwrap_or_default().into_iter().collect();
        Ok(Vouched { subject, claims, scopes, began: None, until: None })
    }

    fn vouched(
        &self,
        subject: String,
        scopes: Vec<String>,
        claims: Members,
        now: Timestamp,
    ) -> Result<Vouched, Refused> {
        vouched::is_unbound(&claims)?;
        let until = self.times.until_asked_again(&claims, now)?;
        let began = vouched::time(&claims, "iat")?;
        Ok(Vouched { subject, scopes: scopes.into_iter().collect(), began, until, claims })
    }

    fn request(&self, token: &str) -> Result<Request<Vec<u8>>, String> {
        let mut request = Request::post(&self.url)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json");
        if let Some(secret) = &self.authorization {
            let value = HeaderValue::from_str(secret.expose());
            let mut value = value.map_err(|_| "`authorization` holds what no header can")?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let body = json!({ "token": token }).to_string().into_bytes();
        request.body(body).map_err(|_| "its address is no URL".to_owned())
    }
}
