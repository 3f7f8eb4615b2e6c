//! What a verified token may decide. Only facts that the preset's trust rule lets through
//! become part of an [`Identity`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clock::Timestamp;
use crate::domain::{DomainName, EmailAddress, Identity, UpstreamId, UpstreamSession};
use crate::protocol::Members;

use super::{DomainRule, Preset};

/// Most groups that are kept, and longest name: a token is hostile in size, too.
const MOST_GROUPS: usize = 1000;

/// Where facts come from.
pub(super) struct Source<'a> {
    pub(super) upstream: &'a UpstreamId,
    pub(super) issuer: &'a str,
    pub(super) preset: Preset,
    pub(super) groups_claim: &'a str,
}

impl Source<'_> {
    /// The identity of `subject`. `profile` is the one document that email and its verification
    /// are read from together (SEC-053); groups come from either document.
    pub(super) fn identity(
        &self,
        subject: &str,
        id_token: &Members,
        profile: &Members,
        now: Timestamp,
    ) -> Identity {
        let email = verified_email(profile);
        let domain = match self.preset.domain {
            DomainRule::VerifiedEmail => email.as_ref().map(|email| email.domain().clone()),
            DomainRule::HostedDomain => hosted_domain(profile).filter(|_| email.is_some()),
        };
        let groups = [id_token, profile].into_iter().find_map(|claims| groups(claims, self.groups_claim));
        Identity {
            upstream: self.upstream.clone(),
            issuer: self.issuer.to_owned(),
            subject: subject.to_owned(),
            email,
            domain,
            groups: groups.unwrap_or_default(),
            roles: BTreeSet::new(),
            claims: BTreeMap::new(),
            name: profile.get("name").and_then(Value::as_str).map(|name| name.chars().take(200).collect()),
            session: id_token
                .get("sid")
                .and_then(Value::as_str)
                .map(|sid| UpstreamSession::of(self.upstream, sid)),
            authenticated_at: now,
        }
    }
}

/// The address, if the provider says `true` — not `"true"`, not 1 — to having verified it.
fn verified_email(profile: &Members) -> Option<EmailAddress> {
    let verified = profile.get("email_verified") == Some(&Value::Bool(true));
    let email = profile.get("email").and_then(Value::as_str)?;
    email.parse().ok().filter(|_| verified)
}

fn hosted_domain(profile: &Members) -> Option<DomainName> {
    profile.get("hd").and_then(Value::as_str)?.parse().ok()
}

/// The strings at a dotted path such as `realm_access.roles`. A claim of that very name comes
/// first: namespaced claims hold dots themselves.
fn groups(claims: &Members, path: &str) -> Option<BTreeSet<String>> {
    let found = claims.get(path).or_else(|| {
        let mut steps = path.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    })?;
    let texts = found.as_array()?.iter().filter_map(Value::as_str);
    Some(texts.take(MOST_GROUPS).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn identity(preset: Preset, claims: Value) -> Identity {
        let claims: Members = serde_json::from_value(claims).unwrap();
        let upstream = UpstreamId::parse("idp").unwrap();
        let source =
            Source { upstream: &upstream, issuer: "https://idp.example", preset, groups_claim: "groups" };
        source.identity("1", &claims, &claims, Timestamp::from_unix(0))
    }

    fn domain(preset: Preset, claims: Value) -> Option<String> {
        identity(preset, claims).domain.map(|domain| domain.to_string())
    }

    #[test]
    fn sec_053_only_the_boolean_true_verifies_an_email() {
        let with = |verified: Value| {
            identity(Preset::OIDC, json!({"email": "a@example.com", "email_verified": verified})).email
        };
        assert!(with(json!(true)).is_some());
        for not in [json!("true"), json!("false"), json!(1), json!(null), json!(false), json!([true])] {
            assert!(with(not.clone()).is_none(), "{not}");
        }
        assert!(identity(Preset::OIDC, json!({"email": "a@example.com"})).email.is_none());
    }

    /// IDP-google: the email's domain proves nothing; `hd` does, with a verified email.
    #[test]
    fn idp_google_only_hd_decides_the_domain() {
        let consumer = json!({"email": "a@example.com", "email_verified": true});
        assert_eq!(domain(Preset::GOOGLE, consumer), None);
        let unverified = json!({"email": "a@example.com", "email_verified": false, "hd": "example.com"});
        assert_eq!(domain(Preset::GOOGLE, unverified), None);
        let workspace = json!({"email": "a@sub.example.com", "email_verified": true, "hd": "example.com"});
        assert_eq!(domain(Preset::GOOGLE, workspace), Some("example.com".into()));
        let plain = json!({"email": "a@example.com", "email_verified": true, "hd": "other.example"});
        assert_eq!(domain(Preset::OIDC, plain), Some("example.com".into()));
    }

    /// IDP-keycloak: group paths and roles are compared as they are.
    #[test]
    fn idp_keycloak_groups_by_path() {
        let claims: Members =
            serde_json::from_value(json!({"realm_access": {"roles": ["a", 1, "/a/admin"]}, "x.y": ["z"]}))
                .unwrap();
        assert_eq!(
            groups(&claims, "realm_access.roles").unwrap(),
            ["/a/admin".to_owned(), "a".to_owned()].into()
        );
        assert_eq!(groups(&claims, "x.y").unwrap(), ["z".to_owned()].into());
        assert!(groups(&claims, "realm_access.none").is_none());
        assert!(groups(&claims, "groups").is_none());
    }
}
