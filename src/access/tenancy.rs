//! Which tenant of a server a request is for, and may this caller act for it?
//!
//! Nobody is told anything of tenants whom the server does not let in at all: this is asked last. Of what a
//! tenant needs only a challenge to such a caller speaks.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use crate::domain::{Tenant, TenantName};

use super::{Addressed, Caller, Challenge};

/// Why a request is for no tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTenant {
    /// None is named, and the server has nothing for such requests.
    #[error("the header {0} must name a tenant")]
    Unnamed(HeaderName),
    /// What stands there can be no tenant's name, or there is more than one.
    #[error("the header {0} must name one tenant, once")]
    Malformed(HeaderName),
    /// There is none of this name.
    #[error("this credential is good for no such tenant")]
    Unknown,
    /// The caller may not act for it, and how it could.
    #[error("this credential is not good for the tenant")]
    Lacking(Challenge),
}

/// The tenant of a request whose caller the server lets in; none where the server has none, or where the request
/// may leave it out and does.
pub(super) fn tenant(
    headers: &HeaderMap,
    addressed: &Addressed<'_>,
    caller: &Caller,
) -> Result<Option<Arc<Tenant>>, NoTenant> {
    let Some(tenants) = &addressed.resource.tenants else { return Ok(None) };
    let mut said = headers.get_all(&tenants.header).iter();
    let (first, second) = (said.next(), said.next());
    let Some(first) = first else {
        return if tenants.is_optional { Ok(None) } else { Err(NoTenant::Unnamed(tenants.header.clone())) };
    };
    let name = first.to_str().ok().filter(|_| second.is_none()).and_then(TenantName::parse);
    let name = name.ok_or_else(|| NoTenant::Malformed(tenants.header.clone()))?;
    let found = tenants.find(&name).ok_or(NoTenant::Unknown);
    let tenant = found.inspect_err(|_| {
        tracing::debug!(resource = %addressed.resource.url, tenant = %name, "there is no such tenant");
    })?;
    let needed = addressed.resource.required.union(&tenant.needed);
    if caller.may(&needed) {
        return Ok(Some(Arc::clone(tenant)));
    }
    Err(NoTenant::Lacking(Challenge::lacking(caller, &addressed.guarded(), &needed)))
}
