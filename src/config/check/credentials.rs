//! What requests to protected servers may carry.

use std::net::SocketAddr;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw_credentials::{ACCESS_TOKEN, API_KEY, CREDENTIAL_TYPES, RawApiKeys, RawCredential};
use super::super::settings::{ResourceConfig, UpstreamConfig};
use super::super::settings_credentials::{CredentialConfig, CredentialKind};
use super::super::text::{Located, Texts};
use super::values::Checker;
use super::{Checked, Partly};
use crate::domain::{Accepted, UpstreamId};
use crate::protocol::{Issuer, ScopeSet};
use crate::secret::{Digest, MasterSecret};

/// Schemes that other credentials come under.
const TAKEN_SCHEMES: [&str; 3] = ["Bearer", "Basic", "DPoP"];

/// What a credential is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Static,
    Jwt,
    Introspection,
    Remote,
    Clerk,
    Nobody,
}

impl Type {
    /// In the order of the words.
    const ALL: [Self; 6] =
        [Self::Static, Self::Jwt, Self::Introspection, Self::Remote, Self::Clerk, Self::Nobody];

    /// The words that `type` takes, with what they mean.
    fn words() -> [(&'static str, Self); 6] {
        let mut types = Self::ALL.into_iter();
        CREDENTIAL_TYPES.map(|word| (word, types.next().unwrap_or(Self::Static)))
    }
}

/// What a credential may be compared with.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) upstreams: &'a Partly<UpstreamConfig>,
    /// Our own name, and is it on loopback as all addresses that we listen on?
    pub(super) issuer: Option<&'a Issuer>,
    pub(super) listen: Option<SocketAddr>,
}

impl Checker<'_> {
    pub(super) fn credentials(
        &mut self,
        raw: Option<&[Located<RawCredential>]>,
        around: Around<'_>,
    ) -> Partly<CredentialConfig> {
        let list = Place::root().key("credentials", Place::root().spot);
        let mut credentials: Vec<CredentialConfig> = Vec::new();
        let mut complete = true;
        for (i, raw) in raw.unwrap_or_default().iter().enumerate() {
            let place = list.item(i, raw.spot);
            let Ok(credential) = self.credential(&raw.inner, &place, around) else {
                complete = false;
                continue;
            };
            let has_its_id = |other: &UpstreamId| *other == credential.id;
            if credentials.iter().any(|other| has_its_id(&other.id))
                || around.upstreams.good.iter().any(|upstream| has_its_id(&upstream.id))
            {
                let spot = raw.inner.id.as_ref().map_or(raw.spot, |id| id.spot);
                let problem = format!("another credential or upstream is called {}", credential.id);
                self.report(&place.key("id", spot), problem, "give each a name of its own");
                complete = false;
            }
            complete &= self.keeps_accounts_apart(&credential, around, (&raw.inner, &place)).is_ok();
            credentials.push(credential);
        }
        Partly { good: credentials, complete }
    }

    /// Accounts of an issuer that people sign in with are known by `sub`: by another claim, one could be taken
    /// for somebody else's (SEC-054).
    fn keeps_accounts_apart(
        &mut self,
        credential: &CredentialConfig,
        around: Around<'_>,
        (raw, place): (&RawCredential, &Place),
    ) -> Checked<()> {
        let CredentialKind::Foreign(foreign) = &credential.kind else { return Ok(()) };
        let is_theirs = around.upstreams.good.iter().any(|upstream| upstream.issuer == foreign.issuer);
        if !is_theirs || foreign.subject_claim == defaults::SUBJECT_CLAIM {
            return Ok(());
        }
        let spot = raw.subject_claim.as_ref().map_or(place.spot, |claim| claim.spot);
        let problem = "people sign in with this issuer, whose accounts are known by `sub`";
        Err(self.report(&place.key("subject_claim", spot), problem, "remove the key"))
    }

    fn credential(
        &mut self,
        raw: &RawCredential,
        place: &Place,
        around: Around<'_>,
    ) -> Checked<CredentialConfig> {
        let id = self.required(place, "id", raw.id.as_ref(), "give it a name, such as ci");
        let id = id.and_then(|value| {
            let instead = "use 1 to 40 of a-z, 0-9 and -";
            UpstreamId::parse(&value.text)
                .filter(|_| value.text != ACCESS_TOKEN && value.text != API_KEY)
                .ok_or_else(|| {
                    self.report(&value.place, format!("{} is no such name", value.quoted()), instead)
                })
        });
        let instead = "write what it is, such as static";
        let kind = self.required(place, "type", raw.r#type.as_ref(), instead);
        let kind = kind.and_then(|value| self.word(&value, &Type::words()))?;
        let suits = self.suits_type(raw, kind, place);
        let kind = match kind {
            Type::Static => self.static_token(raw, place),
            Type::Nobody => self.nobody_at_all(raw, place, around),
            Type::Jwt | Type::Introspection | Type::Remote | Type::Clerk => {
                let foreign = self.foreign(raw, kind, (place, around.issuer));
                foreign.map(|foreign| CredentialKind::Foreign(Box::new(foreign)))
            }
        };
        suits?;
        Ok(CredentialConfig { id: id?, kind: kind? })
    }

    /// Whoever guesses it is in: it has to be as strong as the operator's own secret (SEC-168).
    fn static_token(&mut self, raw: &RawCredential, place: &Place) -> Checked<CredentialKind> {
        let token = self.secret(place, "token", raw.token.as_ref(), raw.token_file.as_ref());
        let token = token.and_then(|token| {
            let Some((token, at)) = token else {
                return Err(self.report(place, "there is no token", "add `token` or `token_file`"));
            };
            let digest = Digest::of(token.expose());
            MasterSecret::new(token).map(|_| digest).map_err(|weak| self.report(&at, weak.to_string(), ""))
        });
        let instead = "write whom it stands for, such as nightly-report";
        let subject = self.required(place, "subject", raw.subject.as_ref(), instead).and_then(|value| {
            // A server that is told in a header would be told nothing (SEC-156).
            if value.text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
                return Ok(value);
            }
            Err(self.report(
                &value.place,
                format!("{} fits in no header", value.quoted()),
                "write plain ASCII",
            ))
        });
        let scopes = self.allowed_scopes(raw, place);
        Ok(CredentialKind::Static { token: token?, subject: subject?.text, scopes: scopes? })
    }

    fn allowed_scopes(&mut self, raw: &RawCredential, place: &Place) -> Checked<ScopeSet> {
        match self.distinct(place, "scopes", raw.scopes.as_ref(), Self::scope)? {
            scopes if scopes.is_empty() => Err(self.report(place, "it allows nothing", "add `scopes`")),
            scopes => Ok(scopes.into_iter().collect()),
        }
    }

    /// Whoever reaches us is in: so nobody but this machine may.
    fn nobody_at_all(
        &mut self,
        raw: &RawCredential,
        place: &Place,
        around: Around<'_>,
    ) -> Checked<CredentialKind> {
        let scopes = self.allowed_scopes(raw, place);
        let at = place.key("type", raw.r#type.as_ref().map_or(place.spot, |word| word.spot));
        let is_elsewhere = [
            around.issuer.is_some_and(|issuer| !issuer.is_loopback_http()).then_some("issuer"),
            around.listen.is_some_and(|listen| !listen.ip().to_canonical().is_loopback()).then_some("listen"),
        ];
        if let Some(which) = is_elsewhere.into_iter().flatten().next() {
            let problem = format!("`none` is for development: `{which}` is not on loopback");
            return Err(self.report(&at, problem, "remove it, or write loopback addresses"));
        }
        Ok(CredentialKind::Nobody { scopes: scopes? })
    }

    /// What a server accepts: our tokens, and credentials that there are.
    pub(super) fn accepted(
        &mut self,
        place: &Place,
        raw: Option<&Texts>,
        credentials: &Partly<CredentialConfig>,
    ) -> Checked<Vec<Accepted>> {
        if raw.is_none() {
            return Ok(vec![Accepted::AccessToken]);
        }
        self.distinct(place, "accepts", raw, |checker, value| {
            if value.text == ACCESS_TOKEN {
                return Ok(Accepted::AccessToken);
            }
            if value.text == API_KEY {
                return Ok(Accepted::ApiKey);
            }
            let named = |id: &UpstreamId| credentials.good.iter().any(|credential| credential.id == *id);
            // While one has a fault of its own, it may be the one that is meant.
            let id = UpstreamId::parse(&value.text).filter(|id| !credentials.complete || named(id));
            id.map(Accepted::Named).ok_or_else(|| {
                let problem = format!("{} names no credential", value.quoted());
                checker.report(
                    &value.place,
                    problem,
                    "write access_token, api_key, or the id of one of `credentials`",
                )
            })
        })
    }

    /// A token of RFC 9110 that means nothing else yet.
    pub(super) fn api_key_scheme(
        &mut self,
        raw: &RawApiKeys,
        resources: &Partly<ResourceConfig>,
    ) -> Checked<Option<String>> {
        let place = Place::root().key("api_keys", Place::root().spot);
        let Some(value) = self.optional(&place, "scheme", raw.scheme.as_ref())? else { return Ok(None) };
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !value.text.bytes().all(is_token) {
            let problem = format!("{} is no name of a scheme", value.quoted());
            return Err(self.report(&value.place, problem, "write one word, such as trustgrid-token"));
        }
        if TAKEN_SCHEMES.iter().any(|taken| value.text.eq_ignore_ascii_case(taken)) {
            let problem = format!("{} has a meaning of its own", value.quoted());
            return Err(self.report(&value.place, problem, "choose another word, such as trustgrid-token"));
        }
        let takes_keys = |resource: &ResourceConfig| resource.accepts.contains(&Accepted::ApiKey);
        if resources.complete && !resources.good.iter().any(takes_keys) {
            let instead = "name api_key under `accepts` of a resource, or remove it";
            return Err(self.report(&value.place, "no resource accepts API keys", instead));
        }
        Ok(Some(value.text))
    }

    /// A credential that no server accepts has no effect.
    pub(super) fn accepted_somewhere(
        &mut self,
        raw: Option<&[Located<RawCredential>]>,
        resources: &Partly<ResourceConfig>,
    ) -> Checked<()> {
        let accepts = |text: &str| {
            let is = |one: &Accepted| matches!(one, Accepted::Named(id) if id.as_str() == text);
            resources.good.iter().any(|resource| resource.accepts.iter().any(is))
        };
        let list = Place::root().key("credentials", Place::root().spot);
        let mut checked = Ok(());
        for (i, raw) in raw.unwrap_or_default().iter().enumerate() {
            let id = raw.inner.id.as_ref().map_or("", |id| id.written.as_str());
            if resources.complete && !id.contains('$') && !accepts(id) {
                let problem = "no resource accepts it";
                let instead = "name it under `accepts` of a resource, or remove it";
                checked = Err(self.report(&list.item(i, raw.spot), problem, instead));
            }
        }
        checked
    }
}
