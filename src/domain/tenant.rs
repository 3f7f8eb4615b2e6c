//! Several tenants behind one protected server: a header of the request names one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use url::Url;

use crate::protocol::ScopeSet;

/// What a tenant is called in the header: 1 to 64 of letters, digits, `.`, `_` and `-`, of which a letter or a
/// digit comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantName(Arc<str>);

/// Longest name.
const LONGEST: usize = 64;

impl TenantName {
    /// The name, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        (begins && text.len() <= LONGEST && text.bytes().all(inner)).then(|| Self(text.into()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// What its requests need besides what every request to the server needs; never empty, or anybody could
    /// choose it.
    pub needed: ScopeSet,
    /// Where its requests go.
    pub to: Url,
}

/// The tenants of a server.
#[derive(Debug, Clone)]
pub struct Tenants {
    /// The header that names one.
    pub header: HeaderName,
    /// May a request name none?
    pub is_optional: bool,
    all: BTreeMap<TenantName, Arc<Tenant>>,
}

impl Tenants {
    /// These tenants.
    #[must_use]
    pub fn new(header: HeaderName, is_optional: bool, all: impl IntoIterator<Item = Tenant>) -> Self {
        let all = all.into_iter().map(|tenant| (tenant.name.clone(), Arc::new(tenant))).collect();
        Self { header, is_optional, all }
    }

    /// The one of this name, in exactly this spelling.
    #[must_use]
    pub fn find(&self, name: &TenantName) -> Option<&Arc<Tenant>> {
        self.all.get(name)
    }

    /// Every one, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.all.values()
    }

    /// What any of them needs.
    #[must_use]
    pub fn scope_set(&self) -> ScopeSet {
        self.iter().fold(ScopeSet::default(), |all, tenant| all.union(&tenant.needed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain() {
        for good in ["acme", "ACME-01", "7", "a.b_c-d", &"x".repeat(64)] {
            assert!(TenantName::parse(good).is_some(), "{good}");
        }
        let bad = ["", " ", ".", "..", "-a", "_a", "a b", "a,b", "a/b", "a%20b", "a\0", "é", "a\"", "*"];
        for bad in bad.into_iter().chain([&*"x".repeat(65)]) {
            assert!(TenantName::parse(bad).is_none(), "{bad}");
        }
    }
}
