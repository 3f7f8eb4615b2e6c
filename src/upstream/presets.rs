//! Which provider does what oddly, as data. What each line is good for stands in
//! `docs/providers/`.

/// How a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OpenID Connect: discovery, keys, ID tokens.
    OpenIdConnect,
    /// Plain OAuth 2 and GitHub's API: no discovery, no ID token.
    GitHub,
}

/// Where a person's organisation domain may be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainRule {
    /// From Google's `hd` claim, and only with a verified email. The email's own domain proves
    /// nothing at Google: anyone can make an account on an address of another domain. The
    /// exceptions are the provider's own domains and everything below them.
    HostedDomain {
        /// Domains that the provider itself hands addresses out for.
        own: &'static [&'static str],
    },
    /// From the domain of an email address that the provider says it has verified.
    VerifiedEmail,
    /// From nowhere: the provider is the authority for nobody's domain.
    Nowhere,
}

/// When userinfo is asked beside the ID token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Userinfo {
    /// When the ID token lacks what may decide something.
    WhereThin,
    /// Never: what it says may decide nothing.
    Never,
}

/// Which group list is not the whole list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupsRule {
    /// Every list is whole.
    Whole,
    /// Sign-in tells no groups.
    Untold,
    /// A list of so many may have been cut.
    CutAt(usize),
    /// The claim is replaced by a reference when there are many; Microsoft Graph has the list.
    Graph,
}

/// Several organisations behind one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenancy {
    /// The claim that names the tenant.
    pub claim: &'static str,
    /// Path segments of the configured issuer that stand for many tenants.
    pub shared: &'static [&'static str],
    /// What stands in their place in the metadata's issuer.
    pub placeholder: &'static str,
}

/// What else is asked for when the provider's refresh token is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offline {
    /// Parameters; they take the place of [`Preset::parameters`] of the same name.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Scopes.
    pub scopes: &'static [&'static str],
}

/// What differs from a plain OpenID provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The name in the configuration.
    pub name: &'static str,
    /// How it speaks.
    pub protocol: Protocol,
    /// The claim that, with the issuer, is the account (SEC-054).
    pub account: &'static str,
    /// Issuers that differ by tenant.
    pub tenancy: Option<Tenancy>,
    /// Spellings of the issuer that an ID token may carry besides the configured one.
    pub issuer_aliases: &'static [&'static str],
    /// The trust rule.
    pub domain: DomainRule,
    /// The claim that must be `true` for the email to count.
    pub verified_by: &'static str,
    /// When userinfo is asked.
    pub userinfo: Userinfo,
    /// What a group list is worth.
    pub groups: GroupsRule,
    /// Where roles stand. `*` is any one member; its name then goes before the role, as in
    /// `client/role`: two clients may have roles of one name.
    pub roles: &'static [&'static str],
    /// The base of its API, where one is asked, unless the settings name another.
    pub api: &'static str,
    /// The claim with the organisations that `organizations` admits.
    pub organization: Option<&'static str>,
    /// The parameter that asks for the only admitted organisation.
    pub organization_parameter: Option<&'static str>,
    /// The parameter that carries whom the client expects.
    pub login_hint: Option<&'static str>,
    /// The parameter that carries the domain of the person who is expected. Proves nothing.
    pub domain_hint: Option<&'static str>,
    /// The parameter that carries `idp_hint`. Proves nothing.
    pub idp_hint: Option<&'static str>,
    /// Parameters that the authorization request carries besides the standard ones.
    pub parameters: &'static [(&'static str, &'static str)],
    /// The `prompt` that makes it ask who signs in, also where somebody is signed in there.
    pub another_account: &'static str,
    /// What a refresh token takes.
    pub offline: Offline,
}

/// The person chooses among the accounts that are signed in, or signs in with another.
const SELECT_ACCOUNT: &str = "select_account";
/// The person signs in once more: for providers that have one account at a time.
const LOGIN: &str = "login";
const OFFLINE_ACCESS: Offline = Offline { parameters: &[], scopes: &["offline_access"] };
const NO_OFFLINE: Offline = Offline { parameters: &[], scopes: &[] };

impl Preset {
    /// Any provider that follows OpenID Connect.
    pub const OIDC: Self = Self {
        name: "oidc",
        protocol: Protocol::OpenIdConnect,
        account: "sub",
        tenancy: None,
        issuer_aliases: &[],
        domain: DomainRule::VerifiedEmail,
        verified_by: "email_verified",
        userinfo: Userinfo::WhereThin,
        groups: GroupsRule::Whole,
        roles: &["roles"],
        api: "",
        organization: None,
        organization_parameter: None,
        login_hint: Some("login_hint"),
        domain_hint: None,
        idp_hint: None,
        parameters: &[],
        another_account: SELECT_ACCOUNT,
        offline: OFFLINE_ACCESS,
    };

    /// Google: `hd` decides; ID tokens may name the issuer without its scheme.
    pub const GOOGLE: Self = Self {
        name: "google",
        issuer_aliases: &["accounts.google.com"],
        domain: DomainRule::HostedDomain { own: &["gmail.com", "gserviceaccount.com"] },
        groups: GroupsRule::Untold,
        roles: &[],
        domain_hint: Some("hd"),
        parameters: &[("prompt", "select_account")],
        offline: Offline {
            parameters: &[("access_type", "offline"), ("prompt", "select_account consent")],
            scopes: &[],
        },
        ..Self::OIDC
    };

    /// Okta: the organisation's server or a custom one; it cuts a long list of groups silently.
    pub const OKTA: Self =
        Self { name: "okta", groups: GroupsRule::CutAt(100), another_account: LOGIN, ..Self::OIDC };

    /// Keycloak: one realm.
    pub const KEYCLOAK: Self = Self {
        name: "keycloak",
        roles: &["realm_access.roles", "resource_access.*.roles"],
        idp_hint: Some("kc_idp_hint"),
        another_account: LOGIN,
        ..Self::OIDC
    };

    /// Clerk: one instance.
    pub const CLERK: Self =
        Self { name: "clerk", organization: Some("org_id"), another_account: LOGIN, ..Self::OIDC };

    /// Microsoft Entra: `sub` is another one for each application, so the account is tenant and
    /// object; addresses are whatever an administrator somewhere wrote, unless `xms_edov` says
    /// that the tenant owns the domain.
    pub const ENTRA: Self = Self {
        name: "entra",
        account: "oid",
        tenancy: Some(Tenancy {
            claim: "tid",
            shared: &["common", "organizations"],
            placeholder: "{tenantid}",
        }),
        verified_by: "xms_edov",
        userinfo: Userinfo::Never,
        groups: GroupsRule::Graph,
        api: "https://graph.microsoft.com/v1.0",
        domain_hint: Some("domain_hint"),
        ..Self::OIDC
    };

    /// Auth0: one tenant.
    pub const AUTH0: Self = Self {
        name: "auth0",
        organization: Some("org_id"),
        organization_parameter: Some("organization"),
        idp_hint: Some("connection"),
        another_account: LOGIN,
        ..Self::OIDC
    };

    /// GitHub: its API's answers are put together to one document, which the same rules read.
    pub const GITHUB: Self = Self {
        name: "github",
        protocol: Protocol::GitHub,
        issuer_aliases: &["https://github.com/login/oauth"],
        domain: DomainRule::Nowhere,
        userinfo: Userinfo::Never,
        roles: &[],
        api: "https://api.github.com",
        organization: Some("organizations"),
        // It takes account names alone.
        login_hint: None,
        offline: NO_OFFLINE,
        ..Self::OIDC
    };
}
