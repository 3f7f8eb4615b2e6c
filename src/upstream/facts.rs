//! What a verified token may decide. Only facts that the preset's trust rule lets through
//! become part of an [`Identity`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clock::Timestamp;
use crate::domain::{DomainName, EmailAddress, Identity, UpstreamSession};
use crate::protocol::Members;
use crate::protocol::claims::{self, MOST};

use super::presets::{DomainRule, GroupsRule, Userinfo};
use super::settings::UpstreamSettings;

/// Groups that were fetched elsewhere than in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupList {
    /// Their names.
    pub names: BTreeSet<String>,
    /// Are these all?
    pub is_whole: bool,
}

/// What a provider said of one person; each document verified to be about the same one.
#[derive(Debug, Clone)]
pub struct Documents<'a> {
    /// The ID token's claims.
    pub id_token: &'a Members,
    /// Userinfo, if it was asked.
    pub userinfo: Option<&'a Members>,
    /// Groups from an API, if it was asked.
    pub groups: Option<GroupList>,
}

impl<'a> Documents<'a> {
    /// One document alone.
    #[must_use]
    pub fn of(id_token: &'a Members) -> Self {
        Self { id_token, userinfo: None, groups: None }
    }

    /// The one document that email and its verification are read from together (SEC-053).
    fn profile(&self) -> &'a Members {
        match self.userinfo {
            Some(userinfo) if !self.id_token.contains_key("email") => userinfo,
            _ => self.id_token,
        }
    }

    /// What the first document that knows it says.
    fn first<T>(&self, read: impl Fn(&'a Members) -> Option<T>) -> Option<T> {
        read(self.id_token).or_else(|| read(self.userinfo?))
    }
}

impl UpstreamSettings {
    /// The identity of an account.
    #[must_use]
    pub fn identity(
        &self,
        (issuer, account): (&str, &str),
        documents: &Documents<'_>,
        now: Timestamp,
    ) -> Identity {
        let profile = documents.profile();
        let email = self.verified_email(profile);
        let domain = match self.preset.domain {
            DomainRule::VerifiedEmail => email.as_ref().map(|email| email.domain().clone()),
            DomainRule::HostedDomain { own } => email.as_ref().and_then(|email| hosted(profile, email, own)),
            DomainRule::Nowhere => None,
        };
        let GroupList { names: groups, is_whole } = self.groups(documents);
        let name = profile.get("name").and_then(Value::as_str);
        let session = documents.id_token.get("sid").and_then(Value::as_str);
        let mut identity = Identity {
            upstream: self.id.clone(),
            issuer: issuer.to_owned(),
            subject: account.to_owned(),
            email,
            domain,
            groups,
            roles: self.roles(documents),
            claims: self.asked_claims(documents),
            name: name.map(|name| name.chars().take(200).collect()),
            session: session.map(|sid| UpstreamSession::of(&self.id, sid)),
            authenticated_at: now,
        };
        if !is_whole {
            identity.mark_groups_incomplete();
        }
        identity
    }

    /// Should userinfo be asked: does the ID token lack what may decide?
    pub(super) fn is_thin(&self, id_token: &Members) -> bool {
        if self.preset.userinfo == Userinfo::Never {
            return false;
        }
        let lacks = |path: &str| claims::at(id_token, path).is_none();
        let groups = self.groups_matter && self.preset.groups != GroupsRule::Untold;
        lacks("email")
            || (groups && lacks(&self.groups_claim))
            || self.roles_claim.as_deref().is_some_and(lacks)
            || self.paths().any(lacks)
    }

    /// Should the groups be fetched: does the ID token only say that there are too many?
    pub(super) fn is_overage(&self, id_token: &Members) -> bool {
        if self.preset.groups != GroupsRule::Graph {
            return false;
        }
        let elsewhere = id_token.get("_claim_names").and_then(|names| names.get("groups")).is_some();
        let flagged = id_token.get("hasgroups").is_some_and(|flag| *flag != Value::Bool(false));
        elsewhere || flagged
    }

    /// The claims whose values the identity carries: those that rules ask for, and the one that
    /// admits an organisation.
    fn paths(&self) -> impl Iterator<Item = &str> {
        let organization = self.preset.organization.filter(|_| !self.organizations.is_empty());
        self.claim_paths.iter().map(String::as_str).chain(organization)
    }

    /// The address, if the provider says `true` (not 1, and `"true"` only where the operator lets it
    /// count) to having verified it.
    fn verified_email(&self, profile: &Members) -> Option<EmailAddress> {
        let said = profile.get(self.preset.verified_by)?;
        let verified = *said == Value::Bool(true) || (self.email_verified_as_text && *said == "true");
        let email = profile.get("email").and_then(Value::as_str)?;
        email.parse().ok().filter(|_| verified)
    }

    fn groups(&self, documents: &Documents<'_>) -> GroupList {
        if let Some(fetched) = &documents.groups {
            return fetched.clone();
        }
        let found = documents.first(|claims| claims::at(claims, &self.groups_claim)?.as_array());
        let found = found.filter(|_| self.preset.groups != GroupsRule::Untold);
        let told = found.map_or(0, Vec::len);
        let is_whole = match self.preset.groups {
            GroupsRule::CutAt(limit) => told < limit,
            GroupsRule::Graph => !self.is_overage(documents.id_token),
            GroupsRule::Whole | GroupsRule::Untold => true,
        };
        let names = found.map(|list| list.iter().filter_map(Value::as_str).take(MOST));
        let names = names.into_iter().flatten().map(str::to_owned).collect();
        GroupList { names, is_whole: is_whole && told <= MOST }
    }

    fn roles(&self, documents: &Documents<'_>) -> BTreeSet<String> {
        let configured = self.roles_claim.as_deref().map(|path| vec![path]);
        let paths = configured.unwrap_or_else(|| self.preset.roles.to_vec());
        let found = paths
            .iter()
            .filter_map(|path| documents.first(|document| claims::qualified_names(document, path)));
        found.flatten().take(MOST).collect()
    }

    fn asked_claims(&self, documents: &Documents<'_>) -> BTreeMap<String, BTreeSet<String>> {
        let found = self.paths().filter_map(|path| {
            let values = documents.first(|document| claims::at(document, path).map(claims::texts))?;
            Some((path.to_owned(), values))
        });
        found.collect()
    }
}

/// `hd`; without it the address's own domain, where that is one of the provider's.
fn hosted(profile: &Members, email: &EmailAddress, own: &[&str]) -> Option<DomainName> {
    if let Some(hd) = profile.get("hd") {
        return hd.as_str()?.parse().ok();
    }
    let domain = email.domain().as_str();
    let is_own =
        |own: &&str| domain.strip_suffix(*own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    own.iter().any(is_own).then(|| email.domain().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UpstreamId;
    use crate::upstream::Preset;
    use serde_json::json;
    use std::time::Duration;

    fn settings(preset: &'static Preset) -> UpstreamSettings {
        UpstreamSettings {
            id: UpstreamId::parse("idp").unwrap(),
            label: "IDP".into(),
            preset,
            issuer: "https://idp.example".into(),
            client_id: "us".into(),
            client_secret: None,
            redirect_uri: "https://auth.example/cb".into(),
            scopes: vec!["openid".into()],
            allowed_domains: vec![],
            organizations: vec![],
            tenants: vec![],
            groups_claim: "groups".into(),
            roles_claim: None,
            groups_matter: true,
            claim_paths: vec![],
            api_url: None,
            idp_hint: None,
            email_verified_as_text: false,
            recheck: None,
        }
    }

    fn identity(preset: &'static Preset, claims: Value) -> Identity {
        let claims: Members = serde_json::from_value(claims).unwrap();
        let from = ("https://idp.example", "1");
        settings(preset).identity(from, &Documents::of(&claims), Timestamp::from_unix(0))
    }

    fn domain(preset: &'static Preset, claims: Value) -> Option<String> {
        identity(preset, claims).domain.map(|domain| domain.to_string())
    }

    #[test]
    fn sec_053_only_the_boolean_true_verifies_an_email() {
        let with = |verified: Value| {
            identity(&Preset::OIDC, json!({"email": "a@example.com", "email_verified": verified})).email
        };
        assert!(with(json!(true)).is_some());
        for not in [json!("true"), json!("false"), json!(1), json!(null), json!(false), json!([true])] {
            assert!(with(not.clone()).is_none(), "{not}");
        }
        assert!(identity(&Preset::OIDC, json!({"email": "a@example.com"})).email.is_none());
    }

    /// IDP-google: the email's domain proves nothing; `hd` does, with a verified email; and Google
    /// hands out the addresses of its own domains itself.
    #[test]
    fn idp_google_only_hd_decides_the_domain() {
        let consumer = json!({"email": "a@example.com", "email_verified": true});
        assert_eq!(domain(&Preset::GOOGLE, consumer), None);
        let unverified = json!({"email": "a@example.com", "email_verified": false, "hd": "example.com"});
        assert_eq!(domain(&Preset::GOOGLE, unverified), None);
        let workspace = json!({"email": "a@sub.example.com", "email_verified": true, "hd": "example.com"});
        assert_eq!(domain(&Preset::GOOGLE, workspace), Some("example.com".into()));
        for (email, expected) in [
            ("a@gmail.com", true),
            ("bot@project.iam.gserviceaccount.com", true),
            ("a@evilgmail.com", false),
            ("a@gmail.com.evil.example", false),
        ] {
            let own = domain(&Preset::GOOGLE, json!({"email": email, "email_verified": true}));
            assert_eq!(own.is_some(), expected, "{email}");
        }
        let odd = json!({"email": "a@gmail.com", "email_verified": true, "hd": ["example.com"]});
        assert_eq!(domain(&Preset::GOOGLE, odd), None);
        let plain = json!({"email": "a@example.com", "email_verified": true, "hd": "other.example"});
        assert_eq!(domain(&Preset::OIDC, plain), Some("example.com".into()));
    }

    /// IDP-okta: a list of a hundred groups may have been cut.
    #[test]
    fn idp_okta_a_hundred_groups_are_not_known_to_be_all() {
        let with = |count: usize| {
            let groups: Vec<_> = (0..count).map(|n| format!("g{n}")).collect();
            identity(&Preset::OKTA, json!({"groups": groups}))
        };
        assert!(!with(99).groups_are_incomplete());
        assert!(with(100).groups_are_incomplete());
        assert_eq!(with(100).groups.len(), 100);
    }

    /// IDP-entra: too many groups are never "no groups".
    #[test]
    fn idp_entra_an_overage_is_not_an_empty_list() {
        for claims in [
            json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://evil.example"}}}),
            json!({"hasgroups": true}),
            json!({"hasgroups": "true"}),
        ] {
            let person = identity(&Preset::ENTRA, claims.clone());
            assert!(person.groups_are_incomplete() && person.groups.is_empty(), "{claims}");
        }
        for claims in [json!({}), json!({"groups": ["g"], "hasgroups": false})] {
            assert!(!identity(&Preset::ENTRA, claims.clone()).groups_are_incomplete(), "{claims}");
        }
    }
    /// IDP-keycloak: a client's role is not one of the realm; and the values of the claims that rules
    /// ask for are kept, from either document, and no others.
    #[test]
    fn idp_keycloak_roles_and_the_claims_that_rules_ask_for() {
        let members = |claims: Value| -> Members { serde_json::from_value(claims).unwrap() };
        let id_token = members(json!({
            "realm_access": {"roles": ["editor"]}, "resource_access": {"app": {"roles": ["editor"]}},
            "acct": 1, "department": {"code": ["a", "b"]}, "secret": "s"
        }));
        let userinfo = members(json!({"locale": "de", "acct": 0}));
        let paths = ["acct", "department.code", "locale", "nothing"].map(str::to_owned).to_vec();
        let asked = UpstreamSettings { claim_paths: paths, ..settings(&Preset::KEYCLOAK) };
        assert!(asked.is_thin(&id_token));
        let documents = Documents { userinfo: Some(&userinfo), ..Documents::of(&id_token) };
        let identity = asked.identity(("https://idp.example", "1"), &documents, Timestamp::from_unix(0));
        let set = |list: &[&str]| list.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!(identity.roles, set(&["app/editor", "editor"]));
        let told = [("acct", &["1"][..]), ("department.code", &["a", "b"]), ("locale", &["de"])];
        assert_eq!(identity.claims, told.map(|(path, values)| (path.to_owned(), set(values))).into());
        let elsewhere = UpstreamSettings { roles_claim: Some("department.code".into()), ..asked };
        let identity = elsewhere.identity(("https://idp.example", "1"), &documents, Timestamp::from_unix(0));
        assert_eq!(identity.roles, set(&["a", "b"]));
    }

    /// IDP-google: what a refresh token takes stands in the place of the usual `prompt`.
    #[test]
    fn idp_google_what_a_refresh_token_takes() {
        use crate::upstream::exchange::{Hints, parameters};
        let recheck =
            Some(crate::upstream::Recheck { after: Duration::ZERO, outage_tolerance: Duration::ZERO });
        let google = UpstreamSettings { recheck, ..settings(&Preset::GOOGLE) };
        let sent = parameters(&google, Hints { login: Some("a@example.com"), ..Hints::default() });
        let sent: Vec<_> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(
            sent,
            [
                ("access_type", "offline"),
                ("prompt", "select_account consent"),
                ("login_hint", "a@example.com"),
                ("hd", "example.com")
            ]
        );
        let other = Hints { another_account: true, ..Hints::default() };
        let prompt = |settings: &UpstreamSettings| {
            let sent = parameters(settings, other);
            sent.into_iter().filter(|(name, _)| *name == "prompt").map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(prompt(&google), ["select_account consent"], "once");
        assert_eq!(prompt(&settings(&Preset::GOOGLE)), ["select_account"]);
        assert_eq!(prompt(&settings(&Preset::AUTH0)), ["login"]);
        assert_eq!(prompt(&settings(&Preset::GITHUB)), ["select_account"]);
        let domain = "other.example".parse().unwrap();
        let usual = UpstreamSettings { allowed_domains: vec![domain], ..settings(&Preset::GOOGLE) };
        let sent = parameters(&usual, Hints { login: Some("a@example.com"), ..Hints::default() });
        assert_eq!(
            sent,
            [("prompt", "select_account".to_owned()), ("login_hint", "a@example.com".to_owned())]
        );
    }
}
