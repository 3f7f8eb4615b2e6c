//! Signed tokens of another issuer: access tokens (RFC 9068 and what came before), and the session tokens of
//! Clerk.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::outbound::Outbound;
use crate::protocol::{Jws, Members};
use crate::secret::Digest;

use super::keys::{IssuerKeys, KeysAt};
use super::vouched::{self, Refused, Times, Vouched};

/// The types that an access token may call itself (RFC 9068 section 2.1, RFC 7519 section 5.1).
const TYPES: [&str; 3] = ["at+jwt", "application/at+jwt", "jwt"];

/// What stands in ID tokens and in no access token, but in those of old Keycloaks, which say what they are.
const OF_ID_TOKENS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];

/// What the operator says of an issuer's tokens.
#[derive(Debug, Clone)]
pub struct JwtRules {
    /// Where its keys are, and how long they are used before they are asked for again.
    pub keys: (KeysAt, std::time::Duration),
    /// Which algorithms may sign them.
    pub algorithms: Vec<String>,
    /// Their times.
    pub times: Times,
    /// Are they Clerk's session tokens? Then of these applications (`azp`).
    pub parties: Option<Vec<String>>,
}

impl JwtRules {
    /// Is what says this of itself such a token, as far as its payload tells?
    pub(super) fn is_of_the_kind(&self, claims: &Members) -> Result<(), Refused> {
        match &self.parties {
            Some(parties) => session_token(claims, parties),
            None => access_token(claims, true),
        }
    }
}

/// An issuer's signed tokens.
#[derive(Debug)]
pub(super) struct JwtIssuer {
    issuer: String,
    subject_claim: String,
    rules: JwtRules,
    keys: IssuerKeys,
}

/// A token that holds, and with which keys.
pub(super) struct Verified {
    pub(super) vouched: Vouched,
    pub(super) keys: Digest,
}

impl JwtIssuer {
    pub(super) fn new(issuer: &str, subject_claim: &str, rules: JwtRules, outbound: Outbound) -> Self {
        let (at, fresh) = rules.keys.clone();
        let keys = IssuerKeys::new(issuer, at, fresh, outbound);
        Self { issuer: issuer.to_owned(), subject_claim: subject_claim.to_owned(), rules, keys }
    }

    /// Does a cookie carry them?
    pub(super) fn in_a_cookie(&self) -> bool {
        self.rules.parties.is_some()
    }

    /// Are these still the keys?
    pub(super) async fn are_keys(
        &self,
        version: &Digest,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, String> {
        Ok(self.keys.knowing(kid, now).await?.version == *version)
    }

    /// What the token says, if it holds. A fault says nothing of the token.
    pub(super) async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Result<Verified, Refused>, String> {
        let Ok(jws) = Jws::parse(token) else {
            return Ok(Err(crate::protocol::InvalidJws::Malformed.into()));
        };
        // Whoever says that another issued it, or that it is something else, is believed: nobody is asked.
        if jws.unverified_issuer().as_deref() != Some(self.issuer.as_str()) {
            return Ok(Err(Refused::Claim("iss")));
        }
        if jws.header("typ").is_some_and(|typ| !TYPES.iter().any(|own| typ.eq_ignore_ascii_case(own))) {
            return Ok(Err(Refused::NoAccessToken("typ")));
        }
        if !jws.header("alg").is_some_and(|alg| self.rules.algorithms.iter().any(|own| own == alg)) {
            return Ok(Err(Refused::Algorithm));
        }
        let published = self.keys.knowing(jws.header("kid"), now).await?;
        let claims = match jws.verify(&published.keys) {
            Ok(claims) => claims,
            Err(invalid) => return Ok(Err(invalid.into())),
        };
        let is_typed = jws.header("typ").is_some_and(|typ| !typ.eq_ignore_ascii_case("jwt"));
        let vouched = self.vouched(claims, is_typed, now);
        Ok(vouched.map(|vouched| Verified { vouched, keys: published.version.clone() }))
    }

    fn vouched(&self, claims: Members, is_typed: bool, now: Timestamp) -> Result<Vouched, Refused> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(self.issuer.as_str()) {
            return Err(Refused::Claim("iss"));
        }
        match &self.rules.parties {
            Some(parties) => session_token(&claims, parties)?,
            None => access_token(&claims, is_typed)?,
        }
        vouched::is_unbound(&claims)?;
        let until = self.rules.times.until(&claims, now)?;
        // Nobody asks its issuer again, so one without a date began before every revocation.
        let began = vouched::time(&claims, "iat")?.unwrap_or(Timestamp::from_unix(0));
        let subject = vouched::subject(&claims, &self.subject_claim)?;
        let scopes = vouched::scopes(&claims);
        Ok(Vouched { subject, scopes, began: Some(began), until, claims })
    }
}

/// An ID token says who somebody is to an application, a logout token who is gone: whoever gets hold of one
/// may do nothing with it. Where a token does not say what it is, the audience has to tell.
fn access_token(claims: &Members, is_typed: bool) -> Result<(), Refused> {
    let no = |why| Err(Refused::NoAccessToken(why));
    if claims.contains_key("events") {
        return no("events");
    }
    // Cognito's word.
    if claims.get("token_use").is_some_and(|kind| kind != "access") {
        return no("token_use");
    }
    // Keycloak's word.
    match claims.get("typ").and_then(Value::as_str) {
        Some(kind) if !kind.eq_ignore_ascii_case("bearer") => return no("typ"),
        Some(_) => return Ok(()),
        None => {}
    }
    if !is_typed && OF_ID_TOKENS.iter().any(|name| claims.contains_key(*name)) {
        return no("nonce or at_hash");
    }
    Ok(())
}

/// A session token of Clerk: of a session, that is not waiting for something, and of a known application.
fn session_token(claims: &Members, parties: &[String]) -> Result<(), Refused> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let azp = text("azp").ok_or(Refused::Claim("azp"))?;
    if !parties.iter().any(|own| own == azp) {
        return Err(Refused::Claim("azp"));
    }
    if text("sid").is_none() || OF_ID_TOKENS.iter().any(|name| claims.contains_key(*name)) {
        return Err(Refused::NoAccessToken("sid"));
    }
    match claims.get("sts") {
        Some(state) if state != "active" => Err(Refused::Claim("sts")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Members {
        serde_json::from_value(value).unwrap()
    }

    /// SEC-141: what is no access token, as far as tokens tell.
    #[test]
    fn sec_141_what_tells_an_access_token() {
        let is_one = |claims: Value, typed| access_token(&members(claims), typed).is_ok();
        assert!(is_one(json!({"sub": "a"}), false));
        assert!(is_one(json!({"typ": "Bearer", "nonce": "n"}), false), "an old Keycloak's");
        assert!(is_one(json!({"nonce": "n"}), true), "at+jwt");
        for (claims, typed) in [
            (json!({"nonce": "n"}), false),
            (json!({"at_hash": "h"}), false),
            (json!({"typ": "ID"}), false),
            (json!({"typ": "Logout"}), false),
            (json!({"typ": "DPoP"}), true),
            (json!({"token_use": "id"}), false),
            (json!({"events": {}}), true),
        ] {
            assert!(!is_one(claims.clone(), typed), "{claims}");
        }
    }
}
