//! Credentials that somebody else vouches for.

use std::time::Duration;

use url::Url;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw_credentials::{INTROSPECTION_AUTHS, RawCredential, SCOPE_SOURCES};
use super::super::settings_credentials::{AskingConfig, ForeignConfig, ForeignWay};
use super::super::text::Text;
use super::Checked;
use super::credentials::Type;
use super::values::{Checker, Limits, Value};
use crate::protocol::{Issuer, KeySet, is_loopback_host};

const SKEW: Limits = Limits { default: defaults::CLOCK_SKEW, least: "0s", most: "5m" };
const MAX_AGE: Limits = Limits { default: "1h", least: "1s", most: "90d" };
const REFRESH: Limits = Limits { default: defaults::JWKS_REFRESH, least: "1m", most: "24h" };
const TIMEOUT: Limits = Limits { default: defaults::CREDENTIAL_TIMEOUT, least: "1s", most: "10s" };
const CACHE: Limits = Limits { default: defaults::ANSWER_CACHE, least: "0s", most: "60s" };

/// Most calls in a minute that can be allowed.
const MOST_CALLS: u32 = 100_000;

impl Checker<'_> {
    pub(super) fn foreign(
        &mut self,
        raw: &RawCredential,
        kind: Type,
        (place, own): (&Place, Option<&Issuer>),
    ) -> Checked<ForeignConfig> {
        let url = self.optional(place, "url", raw.url.as_ref()).and_then(|url| self.callable(url));
        let issuer = self.foreign_issuer(raw, kind, (place, own));
        // Left out, a token must be made out to the server at which it is shown (SEC-143).
        let audience =
            self.distinct(place, "audience", raw.audience.as_ref(), |_, value| Ok(value.text.clone()));
        let required_scopes =
            self.distinct(place, "required_scopes", raw.required_scopes.as_ref(), Self::scope);
        let source = self.or_default(place, "scopes_from", raw.scopes_from.as_ref(), defaults::SCOPES_FROM);
        let [policy, token] = SCOPE_SOURCES;
        let only_its_scopes = source.and_then(|value| self.word(&value, &[(policy, false), (token, true)]));
        let mut claim = |key: &str, text: Option<&Text>, usual: &str| {
            let value = self.or_default(place, key, text, usual)?;
            self.place_of_claim(value)
        };
        let subject_claim = claim("subject_claim", raw.subject_claim.as_ref(), defaults::SUBJECT_CLAIM);
        let email_claim = claim("email_claim", raw.email_claim.as_ref(), defaults::EMAIL_CLAIM);
        let groups_claim = claim("groups_claim", raw.groups_claim.as_ref(), defaults::GROUPS_CLAIM);
        let roles_claim = claim("roles_claim", raw.roles_claim.as_ref(), defaults::ROLES_CLAIM);
        let trust_email = self.or_default(place, "trust_email", raw.trust_email.as_ref(), "false");
        let trust_email = trust_email.and_then(|value| self.flag(&value));
        let allowed_domains = self.domains(place, "allowed_domains", raw.allowed_domains.as_ref());
        let clock_skew = self.lifetime(place, "clock_skew", raw.clock_skew.as_ref(), SKEW);
        let max_age = raw.max_age.as_ref().map(|age| self.lifetime(place, "max_age", Some(age), MAX_AGE));
        let max_age = max_age.transpose().map(|age| age.map(|(age, _)| age));
        let timeout = self.lifetime(place, "timeout", raw.timeout.as_ref(), TIMEOUT);
        let url = url?;
        let way = match kind {
            Type::Introspection => self.introspection(raw, place, url.clone()),
            Type::Remote => self.remote(raw, place, url.clone()),
            Type::Clerk => self.clerk(raw, place),
            Type::Jwt | Type::Static | Type::Nobody => self.jwt(raw, place, max_age.ok().flatten()),
        };
        Ok(ForeignConfig {
            issuer: issuer?.or(url).unwrap_or_default(),
            allowed_domains: allowed_domains?,
            audience: audience?,
            required_scopes: required_scopes?.iter().map(ToString::to_string).collect(),
            only_its_scopes: only_its_scopes?,
            subject_claim: subject_claim?,
            email_claim: email_claim?,
            trust_email: trust_email?,
            groups_claim: groups_claim?,
            roles_claim: roles_claim?,
            clock_skew: clock_skew?.0,
            max_age: max_age?,
            timeout: timeout?.0,
            way: way?,
        })
    }

    /// Whose accounts it speaks of; a remote endpoint may speak of accounts of its own.
    fn foreign_issuer(
        &mut self,
        raw: &RawCredential,
        kind: Type,
        (place, own): (&Place, Option<&Issuer>),
    ) -> Checked<Option<String>> {
        let value = if kind == Type::Remote {
            self.optional(place, "issuer", raw.issuer.as_ref())?
        } else {
            let instead = "write the issuer exactly as the tokens carry it in `iss`";
            Some(self.required(place, "issuer", raw.issuer.as_ref(), instead)?)
        };
        let Some(value) = value else { return Ok(None) };
        if own.is_some_and(|own| own.as_str() == value.text.trim_end_matches('/')) {
            let instead = "write access_token under `accepts`, which is our own tokens";
            return Err(self.report(&value.place, "is the broker itself", instead));
        }
        let at = value.place.clone();
        let issuer = self.callable(Some(value))?;
        if issuer.as_deref().is_some_and(|issuer| issuer.contains('?')) {
            return Err(self.report(&at, "has a query, which no issuer has", "write the issuer alone"));
        }
        Ok(issuer)
    }

    /// An address that may be called: https, or http on loopback.
    fn callable(&mut self, value: Option<Value>) -> Checked<Option<String>> {
        let Some(value) = value else { return Ok(None) };
        let url = Url::parse(&value.text).ok().filter(|url| {
            let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
            let loopback = url.host().is_some_and(|host| is_loopback_host(&host));
            let is_safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
            plain && is_safe && url.has_host() && value.text.bytes().all(|b| b.is_ascii_graphic())
        });
        if url.is_none() {
            let problem = format!("{} is not an https URL", value.quoted());
            let instead = "write an https URL without user name and fragment; plain http only on loopback";
            return Err(self.report(&value.place, problem, instead));
        }
        Ok(Some(value.text))
    }

    fn jwt(&mut self, raw: &RawCredential, place: &Place, max_age: Option<Duration>) -> Checked<ForeignWay> {
        let require = self.optional(place, "require_expiry", raw.require_expiry.as_ref());
        let require_expiry = require.and_then(|value| {
            let Some(value) = value else { return Ok(true) };
            let is_required = self.flag(&value)?;
            if !is_required && max_age.is_none() {
                let problem = "is false, and nothing else ends a token";
                return Err(self.report(&value.place, problem, "add `max_age`, or remove it"));
            }
            Ok(is_required)
        });
        self.signed(raw, place, (require_expiry?, None))
    }

    /// Clerk's session tokens have no audience: the application that they were made for stands in its place.
    fn clerk(&mut self, raw: &RawCredential, place: &Place) -> Checked<ForeignWay> {
        let parties =
            self.distinct(place, "authorized_parties", raw.authorized_parties.as_ref(), Self::origin)?;
        if parties.is_empty() {
            let at = place.key("authorized_parties", place.spot);
            let problem = "is missing: sessions of any other application would count here";
            return Err(self.report(
                &at,
                problem,
                "list your applications' origins: https://app.example.com",
            ));
        }
        self.signed(raw, place, (true, Some(parties)))
    }

    fn origin(&mut self, value: &Value) -> Checked<String> {
        let url = Url::parse(&value.text).ok();
        if url.is_some_and(|url| url.origin().ascii_serialization() == value.text) {
            return Ok(value.text.clone());
        }
        let problem = format!("{} is not an origin", value.quoted());
        Err(self.report(&value.place, problem, "write for example https://app.example.com, without a path"))
    }

    fn signed(
        &mut self,
        raw: &RawCredential,
        place: &Place,
        (require_expiry, parties): (bool, Option<Vec<String>>),
    ) -> Checked<ForeignWay> {
        let jwks_url = self.optional(place, "jwks_url", raw.jwks_url.as_ref());
        let jwks_url = jwks_url.and_then(|value| self.callable(value));
        let jwks_refresh = self.lifetime(place, "jwks_refresh", raw.jwks_refresh.as_ref(), REFRESH);
        let words = KeySet::ALGORITHMS.map(|word| (word, word));
        let algorithms = self.distinct(place, "algorithms", raw.algorithms.as_ref(), |checker, value| {
            checker.word(value, &words).map(str::to_owned)
        });
        let mut algorithms = algorithms?;
        if algorithms.is_empty() {
            algorithms = KeySet::ALGORITHMS.map(str::to_owned).to_vec();
        }
        let (jwks_url, jwks_refresh) = (jwks_url?, jwks_refresh?.0);
        Ok(ForeignWay::Jwt { jwks_url, jwks_refresh, algorithms, require_expiry, parties })
    }

    fn introspection(
        &mut self,
        raw: &RawCredential,
        place: &Place,
        url: Option<String>,
    ) -> Checked<ForeignWay> {
        let instead = "write the client id that the authorization server knows us by";
        let client_id = self.required(place, "client_id", raw.client_id.as_ref(), instead);
        let file = raw.client_secret_file.as_ref();
        let client_secret = self.secret(place, "client_secret", raw.client_secret.as_ref(), file);
        let client_secret = client_secret.and_then(|secret| {
            let at = place.key("client_secret", place.spot);
            let instead = "add `client_secret` or `client_secret_file`";
            secret.map(|(secret, _)| secret).ok_or_else(|| self.report(&at, "is missing", instead))
        });
        let [basic, post] = INTROSPECTION_AUTHS;
        let auth = self.or_default(place, "auth", raw.auth.as_ref(), basic);
        let auth = auth.and_then(|value| self.word(&value, &[(basic, false), (post, true)]));
        let asking = self.asking(raw, place);
        Ok(ForeignWay::Introspection {
            url,
            client_id: client_id?.text,
            client_secret: client_secret?,
            in_the_body: auth?,
            asking: asking?,
        })
    }

    fn remote(&mut self, raw: &RawCredential, place: &Place, url: Option<String>) -> Checked<ForeignWay> {
        let url = url.ok_or_else(|| {
            let at = place.key("url", place.spot);
            self.report(&at, "is missing", "write where tokens are checked")
        });
        let file = raw.authorization_file.as_ref();
        let authorization = self.secret(place, "authorization", raw.authorization.as_ref(), file);
        let authorization = authorization.and_then(|given| match given {
            Some((secret, at)) if http::HeaderValue::from_str(secret.expose()).is_err() => {
                Err(self.report(&at, "holds what no header can", "write it on one line, in plain characters"))
            }
            given => Ok(given.map(|(secret, _)| secret)),
        });
        let asking = self.asking(raw, place);
        Ok(ForeignWay::Remote { url: url?, authorization: authorization?, asking: asking? })
    }

    fn asking(&mut self, raw: &RawCredential, place: &Place) -> Checked<AskingConfig> {
        let cache = self.lifetime(place, "cache", raw.cache.as_ref(), CACHE);
        let usual = (defaults::MOST_CALLS, MOST_CALLS);
        let most_calls = self.count(place, "most_calls", raw.most_calls.as_ref(), usual);
        Ok(AskingConfig { cache: cache?.0, most_calls: most_calls? })
    }
}
