//! Which provider does what oddly, as data.

/// Where a person's organisation domain may be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainRule {
    /// From Google's `hd` claim, and only with a verified email. The email's own domain proves
    /// nothing at Google: anyone can make an account on an address of another domain.
    HostedDomain,
    /// From the domain of an email address that the provider says it has verified.
    VerifiedEmail,
}

/// What differs from a plain OpenID provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The name in the configuration.
    pub name: &'static str,
    /// The trust rule.
    pub domain: DomainRule,
    /// Parameters that the authorization request carries besides the standard ones.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Spellings of the issuer that an ID token may carry besides the configured one.
    pub issuer_aliases: &'static [&'static str],
}

impl Preset {
    /// Any provider that follows OpenID Connect.
    pub const OIDC: Self =
        Self { name: "oidc", domain: DomainRule::VerifiedEmail, parameters: &[], issuer_aliases: &[] };

    /// Google: `hd` decides; ID tokens may name the issuer without its scheme.
    pub const GOOGLE: Self = Self {
        name: "google",
        domain: DomainRule::HostedDomain,
        parameters: &[("prompt", "select_account")],
        issuer_aliases: &["accounts.google.com"],
    };

    /// Okta: the organisation's server or a custom one.
    pub const OKTA: Self = Self { name: "okta", ..Self::OIDC };

    /// Keycloak: one realm.
    pub const KEYCLOAK: Self = Self { name: "keycloak", ..Self::OIDC };

    /// Clerk: one instance.
    pub const CLERK: Self = Self { name: "clerk", ..Self::OIDC };
}
