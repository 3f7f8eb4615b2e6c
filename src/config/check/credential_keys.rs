//! Which keys each type of credential takes: no setting is ignored in silence.

use super::super::fault::Place;
use super::super::raw_credentials::RawCredential;
use super::super::text::{Spot, Text, Texts};
use super::Checked;
use super::credentials::Type;
use super::values::Checker;

/// What every credential takes that somebody else vouches for, beside what its type does.
const FOREIGN: [&str; 12] = [
    "issuer",
    "required_scopes",
    "scopes_from",
    "subject_claim",
    "email_claim",
    "trust_email",
    "groups_claim",
    "roles_claim",
    "allowed_domains",
    "clock_skew",
    "max_age",
    "timeout",
];

impl Type {
    /// The word in the configuration.
    const fn word(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Jwt => "jwt",
            Self::Introspection => "introspection",
            Self::Remote => "remote",
            Self::Clerk => "clerk",
            Self::Nobody => "none",
        }
    }

    fn takes(self, key: &str) -> bool {
        let own: &[&str] = match self {
            Self::Static => return ["token", "token_file", "subject", "scopes"].contains(&key),
            Self::Nobody => return key == "scopes",
            Self::Jwt => &["jwks_url", "audience", "algorithms", "require_expiry", "jwks_refresh"],
            // Sessions name no scopes.
            Self::Clerk if key == "scopes_from" => return false,
            Self::Clerk => &["jwks_url", "audience", "algorithms", "jwks_refresh", "authorized_parties"],
            Self::Introspection => &[
                "url",
                "audience",
                "client_id",
                "client_secret",
                "client_secret_file",
                "auth",
                "cache",
                "most_calls",
            ],
            // It names the account itself.
            Self::Remote if key == "subject_claim" => return false,
            Self::Remote => &["url", "authorization", "authorization_file", "cache", "most_calls"],
        };
        own.contains(&key) || FOREIGN.contains(&key)
    }
}

impl Checker<'_> {
    /// Nothing that the type does not take.
    pub(super) fn suits_type(&mut self, raw: &RawCredential, kind: Type, place: &Place) -> Checked<()> {
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.spot);
        let list = |texts: &Option<Texts>| texts.as_ref().map(|texts| texts.spot);
        let given: [(&str, Option<Spot>); 31] = [
            ("token", text(&raw.token)),
            ("token_file", text(&raw.token_file)),
            ("subject", text(&raw.subject)),
            ("scopes", list(&raw.scopes)),
            ("issuer", text(&raw.issuer)),
            ("jwks_url", text(&raw.jwks_url)),
            ("audience", list(&raw.audience)),
            ("required_scopes", list(&raw.required_scopes)),
            ("scopes_from", text(&raw.scopes_from)),
            ("subject_claim", text(&raw.subject_claim)),
            ("email_claim", text(&raw.email_claim)),
            ("trust_email", text(&raw.trust_email)),
            ("groups_claim", text(&raw.groups_claim)),
            ("roles_claim", text(&raw.roles_claim)),
            ("allowed_domains", list(&raw.allowed_domains)),
            ("algorithms", list(&raw.algorithms)),
            ("clock_skew", text(&raw.clock_skew)),
            ("max_age", text(&raw.max_age)),
            ("require_expiry", text(&raw.require_expiry)),
            ("jwks_refresh", text(&raw.jwks_refresh)),
            ("timeout", text(&raw.timeout)),
            ("url", text(&raw.url)),
            ("client_id", text(&raw.client_id)),
            ("client_secret", text(&raw.client_secret)),
            ("client_secret_file", text(&raw.client_secret_file)),
            ("auth", text(&raw.auth)),
            ("authorization", text(&raw.authorization)),
            ("authorization_file", text(&raw.authorization_file)),
            ("cache", text(&raw.cache)),
            ("most_calls", text(&raw.most_calls)),
            ("authorized_parties", list(&raw.authorized_parties)),
        ];
        let mut suits = Ok(());
        for (key, spot) in given {
            if let Some(spot) = spot.filter(|_| !kind.takes(key)) {
                let problem = format!("means nothing where `type` is {}", kind.word());
                suits = Err(self.report(&place.key(key, spot), problem, "remove it"));
            }
        }
        suits
    }
}
