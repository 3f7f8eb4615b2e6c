//! `access`, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::defaults;
use super::raw::{duration, flag};
use super::text::{Located, Pairs, Text, Texts};

/// Who may do what.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawAccess {
    /// What everyone who may sign in gets.
    pub(super) default_scopes: Option<Texts>,
    /// The people who get `admin_scopes`: email addresses, each pinned to the account that signs in
    /// with it first, or accounts as `issuer|subject`.
    pub(super) admin_users: Option<Texts>,
    /// What they get.
    pub(super) admin_scopes: Option<Texts>,
    /// What others get, and when.
    pub(super) rules: Option<Vec<Located<RawRule>>>,
    /// Which scopes each scope implies, in steps. `{}`: none does.
    #[schemars(extend("default" = defaults::scope_hierarchy()))]
    pub(super) scope_hierarchy: Option<Located<Pairs<Texts>>>,
    /// Whom to ask for access: an email address, a URL or a text, shown to a person who has none.
    pub(super) contact: Option<Text>,
}

/// A rule: when every condition that it has holds, its scopes are granted, or the person is denied.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawRule {
    /// Signed in at one of these upstreams, by id.
    pub(super) upstreams: Option<Texts>,
    /// Of one of these organisations.
    pub(super) domains: Option<Texts>,
    /// With one of these verified addresses, of whose domain the provider is the authority.
    pub(super) emails: Option<Texts>,
    /// One of these accounts, as `issuer|subject`.
    pub(super) subjects: Option<Texts>,
    /// In one of these groups, as the provider spells them.
    pub(super) groups: Option<Texts>,
    /// In one of these roles, as the provider spells them.
    pub(super) roles: Option<Texts>,
    /// Claims with one of these values; dots reach into objects, as in `org.unit`.
    pub(super) claims: Option<Located<Pairs<Texts>>>,
    /// Through one of these clients, by client id.
    pub(super) clients: Option<Texts>,
    /// At one of these servers, by URL.
    pub(super) resources: Option<Texts>,
    /// What is granted.
    pub(super) scopes: Option<Texts>,
    /// The longest life of a grant that this rule has a part in; at most `refresh_absolute`.
    #[serde(default)]
    #[schemars(schema_with = "duration")]
    pub(super) session: Option<Text>,
    /// Denies everything instead, whatever other rules grant.
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = false))]
    pub(super) deny: Option<Text>,
    /// Why it denies, shown to the person.
    pub(super) reason: Option<Text>,
}
