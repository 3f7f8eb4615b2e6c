//! Several tenants behind one protected server.

use http::HeaderName;
use url::Url;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw_resources::{RawResource, RawTenant};
use super::super::text::Located;
use super::Checked;
use super::values::{Checker, Value};
use crate::domain::{Tenant, TenantName, Tenants};
use crate::protocol::{Scope, ScopeSet};

/// Names of headers that mean something else on the way, whatever `X-` is in front of them.
const TAKEN: [&str; 14] = [
    "x-accel-",
    "x-api-key",
    "x-api-secret",
    "x-auth-",
    "x-client-ip",
    "x-forwarded-",
    "x-http-method",
    "x-method-override",
    "x-original-",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-",
    "mcp-",
    "access-control-",
];

impl Checker<'_> {
    /// None where every request goes to one server.
    pub(super) fn tenants_of_server(
        &mut self,
        raw: &RawResource,
        place: &Place,
        known: Option<&[(Scope, String)]>,
    ) -> Checked<Option<Tenants>> {
        let written = raw.tenant_header.as_ref();
        let Some(list) = &raw.tenants else {
            let Some(header) = written else { return Ok(None) };
            let at = place.key("tenant_header", header.spot);
            return Err(self.report(
                &at,
                "has an effect only with tenants",
                "add `tenants`, or remove the key",
            ));
        };
        let header = self
            .or_default(place, "tenant_header", written, defaults::TENANT_HEADER)
            .and_then(|value| self.header_of_tenants(&value));
        let place = place.key("tenants", list.spot);
        if list.inner.0.is_empty() {
            let instead =
                "name each with its server and what it needs: `acme: { upstream_url, required_scopes }`";
            return Err(self.report(&place, "names no tenant", instead));
        }
        let mut all: Vec<Tenant> = Vec::new();
        let mut failed = None;
        for (key, raw) in &list.inner.0 {
            let name = self.value(place.key(&key.written, key.spot), key);
            let name = name.and_then(|value| self.name_of_tenant(&value, &all));
            let at = place.key(&key.written, raw.spot);
            match (name, self.tenant_of_server(raw, &at, known)) {
                (Ok(name), Ok((to, needed))) => all.push(Tenant { name, needed, to }),
                (Err(reported), _) | (_, Err(reported)) => failed = Some(reported),
            }
        }
        let (header, is_optional) = (header?, raw.upstream_url.is_some());
        failed.map_or_else(|| Ok(Some(Tenants::new(header, is_optional, all))), Err)
    }

    /// A header that nobody reads as something else.
    fn header_of_tenants(&mut self, value: &Value) -> Checked<HeaderName> {
        let is_free = |name: &HeaderName| {
            let text = name.as_str();
            let is_own = text.starts_with("x-") || text.contains("tenant");
            let is_taken = TAKEN.iter().any(|taken| text.starts_with(taken)) || text.contains('_');
            let is_the_browsers = text.starts_with("sec-") || text.starts_with("proxy-");
            is_own && !is_taken && !is_the_browsers
        };
        HeaderName::try_from(&value.text).ok().filter(is_free).ok_or_else(|| {
            let problem = format!("{} is no header for this", value.quoted());
            let instead = "write a name that begins with X- and means nothing else, such as X-Tenant-ID";
            self.report(&value.place, problem, instead)
        })
    }

    fn name_of_tenant(&mut self, value: &Value, others: &[Tenant]) -> Checked<TenantName> {
        let Some(name) = TenantName::parse(&value.text) else {
            let problem = format!("{} cannot be a tenant's name", value.quoted());
            let instead = "write 1 to 64 of letters, digits, `.`, `_`, `-`, a letter or a digit first";
            return Err(self.report(&value.place, problem, instead));
        };
        // Whoever reads the one for the other, a person or a server, is in the wrong place.
        if others.iter().any(|other| other.name.as_str().eq_ignore_ascii_case(name.as_str())) {
            let problem = format!("{} is given twice, or differs in capitals only", value.quoted());
            return Err(self.report(&value.place, problem, "keep one of them"));
        }
        Ok(name)
    }

    fn tenant_of_server(
        &mut self,
        raw: &Located<RawTenant>,
        place: &Place,
        known: Option<&[(Scope, String)]>,
    ) -> Checked<(Url, ScopeSet)> {
        let instead = "write the address of this tenant's server; several tenants may have the same";
        let to = self.required(place, "upstream_url", raw.inner.upstream_url.as_ref(), instead);
        let to = to.and_then(|value| self.server_url(&value));
        let written = raw.inner.required_scopes.as_ref();
        let needed = self.scopes_of_server(place, "required_scopes", written, known).and_then(|needed| {
            if !needed.is_empty() {
                return Ok(needed);
            }
            let at = place.key("required_scopes", place.spot);
            let instead =
                "name a scope that only its people get, such as tenant:acme: else anybody could choose it";
            Err(self.report(&at, "is missing", instead))
        });
        Ok((to?, needed?))
    }
}
