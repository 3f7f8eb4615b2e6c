//! How requests are passed on to a protected server.

use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;
use url::Url;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw_resources::{IDENTITIES, RawResource};
use super::super::settings::ResourceConfig;
use super::super::text::{Located, Pairs, Text, Texts};
use super::values::{Checker, Limits, Value};
use super::{Checked, Partly};
use crate::domain::{Forwarding, IdentityForm, Tenant, Tenants, ToolPattern, ToolRules};
use crate::protocol::{Issuer, Scope, ScopeSet};

const TIMEOUT: Limits = Limits { default: defaults::UPSTREAM_TIMEOUT, least: "1s", most: "1h" };
const IDLE: Limits = Limits { default: defaults::STREAM_IDLE, least: "10s", most: "30d" };
/// More than any limit means anything at.
const MOST_STREAMS: u32 = 1_000_000;
const KIB: usize = 1024;
const LARGEST: usize = 64 * KIB * KIB;

/// What paths of the broker's own begin with.
const OURS: [&str; 13] = [
    ".well-known",
    "account",
    "admin",
    "assets",
    "authorize",
    "device",
    "healthz",
    "metrics",
    "oauth",
    "readyz",
    "register",
    "token",
    "verify",
];

impl Checker<'_> {
    /// None where requests do not come to us.
    pub(super) fn forwarding(
        &mut self,
        raw: &RawResource,
        place: &Place,
        known: Option<&[(Scope, String)]>,
    ) -> Checked<Option<Forwarding>> {
        if raw.upstream_url.is_none() && raw.tenants.is_none() {
            return self.nothing_is_forwarded(raw, place);
        }
        let to = self.optional(place, "upstream_url", raw.upstream_url.as_ref());
        let to = to.and_then(|to| to.map(|to| self.server_url(&to)).transpose());
        let tenants = self.tenants_of_server(raw, place, known);
        let timeout = self.lifetime(place, "upstream_timeout", raw.upstream_timeout.as_ref(), TIMEOUT);
        let idle = self.lifetime(place, "stream_idle", raw.stream_idle.as_ref(), IDLE);
        let streams = self.count(place, "streams", raw.streams.as_ref(), (defaults::STREAMS, MOST_STREAMS));
        let body_limit = self
            .or_default(place, "body_limit", raw.body_limit.as_ref(), defaults::BODY_LIMIT)
            .and_then(|value| self.size(&value));
        let forward_credential = self
            .or_default(place, "forward_credential", raw.forward_credential.as_ref(), "false")
            .and_then(|value| self.flag(&value));
        let identity = self.identity(raw, place, forward_credential.as_ref().copied().unwrap_or(false));
        let tools = self.tools(place, raw.tools.as_ref(), known);
        if let (Ok(IdentityForm::Jwt(name)), Ok(Some(tenants))) = (&identity, &tenants)
            && name == tenants.header
        {
            let at = raw.tenant_header.as_ref().map_or(place.spot, |text| text.spot);
            let at = place.key("tenant_header", at);
            return Err(self.report(&at, "who asks is told there", "choose another header"));
        }
        Ok(Some(Forwarding {
            to: to?,
            tenants: tenants?,
            timeout: timeout?.0,
            stream_idle: idle?.0,
            streams: streams?,
            body_limit: body_limit?,
            forward_credential: forward_credential?,
            identity: identity?,
            tools: tools?,
        }))
    }

    /// No setting is silently ignored.
    fn nothing_is_forwarded(&mut self, raw: &RawResource, place: &Place) -> Checked<Option<Forwarding>> {
        let spot = |text: &Option<Text>| text.as_ref().map(|text| text.spot);
        let keys = [
            ("upstream_timeout", spot(&raw.upstream_timeout)),
            ("stream_idle", spot(&raw.stream_idle)),
            ("streams", spot(&raw.streams)),
            ("body_limit", spot(&raw.body_limit)),
            ("forward_credential", spot(&raw.forward_credential)),
            ("identity", spot(&raw.identity)),
            ("identity_header", spot(&raw.identity_header)),
            ("tools", raw.tools.as_ref().map(|tools| tools.spot)),
            ("tenant_header", spot(&raw.tenant_header)),
        ];
        let mut checked = Ok(None);
        for (key, spot) in keys {
            if let Some(spot) = spot {
                let instead = "add `upstream_url`, or remove the key";
                let problem = "has an effect only where requests are passed on";
                checked = Err(self.report(&place.key(key, spot), problem, instead));
            }
        }
        checked
    }

    pub(super) fn server_url(&mut self, value: &Value) -> Checked<Url> {
        let plain = |url: &Url| {
            let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            matches!(url.scheme(), "http" | "https") && url.has_host() && bare && url.password().is_none()
        };
        Url::parse(&value.text).ok().filter(plain).ok_or_else(|| {
            let problem = format!("{} is no URL of a server", value.quoted());
            let instead = "write for example http://127.0.0.1:9000/mcp, without query or password";
            self.report(&value.place, problem, instead)
        })
    }

    /// `64KiB`, `4MiB`.
    fn size(&mut self, value: &Value) -> Checked<usize> {
        let size = [("KiB", KIB), ("MiB", KIB * KIB)].into_iter().find_map(|(unit, bytes)| {
            let number = value.text.strip_suffix(unit)?;
            number.parse::<usize>().ok()?.checked_mul(bytes)
        });
        size.filter(|size| (KIB..=LARGEST).contains(size)).ok_or_else(|| {
            let problem = format!("{} is no size from 1KiB to 64MiB", value.quoted());
            self.report(&value.place, problem, format!("write for example {}", defaults::BODY_LIMIT))
        })
    }

    fn identity(&mut self, raw: &RawResource, place: &Place, credential: bool) -> Checked<IdentityForm> {
        #[derive(Clone, Copy)]
        enum Word {
            Headers,
            Jwt,
            None,
        }
        let [headers, jwt, none] = IDENTITIES;
        let words = [(headers, Word::Headers), (jwt, Word::Jwt), (none, Word::None)];
        let word = self
            .or_default(place, "identity", raw.identity.as_ref(), defaults::IDENTITY)
            .and_then(|value| self.word(&value, &words));
        let written = raw.identity_header.as_ref();
        let header = self.or_default(place, "identity_header", written, defaults::IDENTITY_HEADER)?;
        let named = HeaderName::try_from(&header.text).ok();
        // Nothing that means something to a server, and nothing that we write anyway.
        let free = |name: &HeaderName| {
            let text = name.as_str();
            let taken = text.starts_with("x-auth-") || text.starts_with("x-forwarded-") || text.contains('_');
            *name == AUTHORIZATION || (text.starts_with("x-") && !taken)
        };
        let Some(name) = named.filter(free) else {
            let problem = format!("{} is no header for this", header.quoted());
            return Err(self.report(
                &header.place,
                problem,
                "write Authorization, or a name that begins with X-",
            ));
        };
        let form = match word? {
            Word::Headers => IdentityForm::Headers,
            Word::None => IdentityForm::None,
            Word::Jwt if name == AUTHORIZATION && credential => {
                let instead = "choose another header, or do not pass the credential on";
                return Err(self.report(&header.place, "the client's credential goes there", instead));
            }
            Word::Jwt => IdentityForm::Jwt(name),
        };
        if written.is_some() && !matches!(form, IdentityForm::Jwt(_)) {
            return Err(self.report(&header.place, "has an effect only with a jwt", "write `identity: jwt`"));
        }
        Ok(form)
    }

    fn tools(
        &mut self,
        parent: &Place,
        raw: Option<&Located<Pairs<Texts>>>,
        known: Option<&[(Scope, String)]>,
    ) -> Checked<ToolRules> {
        let Some(raw) = raw else { return Ok(ToolRules::default()) };
        let place = parent.key("tools", raw.spot);
        if raw.inner.0.is_empty() {
            let instead = "name at least one tool with what it needs: `delete_*: mcp:admin`";
            return Err(self.report(&place, "names no tool", instead));
        }
        let mut rules: Vec<(ToolPattern, ScopeSet)> = Vec::new();
        let mut failed = None;
        for (key, list) in &raw.inner.0 {
            let pattern = self.value(place.key(&key.written, key.spot), key).and_then(|value| {
                let pattern = ToolPattern::new(value.text.clone());
                if rules.iter().any(|(other, _)| *other == pattern) {
                    let problem = format!("{} is given twice", value.quoted());
                    return Err(self.report(&value.place, problem, "keep one of them"));
                }
                Ok(pattern)
            });
            let scopes = self.scopes_of_server(&place, &key.written, Some(list), known);
            let scopes = match scopes {
                Ok(scopes) if scopes.is_empty() => {
                    Err(self.report(&place.key(&key.written, key.spot), "needs nothing", "name a scope"))
                }
                scopes => scopes,
            };
            match (pattern, scopes) {
                (Ok(pattern), Ok(scopes)) => rules.push((pattern, scopes)),
                (Err(reported), _) | (_, Err(reported)) => failed = Some(reported),
            }
        }
        failed.map_or_else(|| Ok(ToolRules::new(rules)), Err)
    }

    /// A server that we stand in front of takes nothing of the broker's own place, and is somewhere else.
    pub(super) fn apart(
        &mut self,
        raw: Option<&[Located<RawResource>]>,
        resources: &Partly<ResourceConfig>,
        issuer: Option<&Issuer>,
    ) -> Checked<()> {
        let list = Place::root().key("resources", Place::root().spot);
        let mut checked = Ok(());
        let Some(issuer) = issuer.filter(|_| resources.complete) else { return checked };
        for (i, (raw, resource)) in raw.unwrap_or_default().iter().zip(&resources.good).enumerate() {
            let Some(forwarding) = &resource.forwarding else { continue };
            let place = list.item(i, raw.spot);
            for (at, to) in written(forwarding, raw, &place) {
                let origin = to.origin().ascii_serialization();
                if origin == issuer.origin() || origin == resource.url.origin() {
                    let instead = "write the server's own address, where the broker reaches it";
                    checked = Err(self.report(&at, "leads back here", instead));
                }
                let below = |other: &&ResourceConfig| {
                    let mut all = other.forwarding.iter().flat_map(Forwarding::addresses);
                    all.any(|other| leads_below(to, other))
                };
                if let Some(other) = resources.good.iter().find(below) {
                    let problem =
                        format!("requests would also reach a server of {}, past its rules", other.url);
                    let instead = "give each server an address that is not below another's";
                    checked = Err(self.report(&at, problem, instead));
                }
            }
            let path = resource.url.path();
            let at = place.key("url", raw.inner.url.as_ref().map_or(raw.spot, |url| url.spot));
            if path.contains('?') {
                checked =
                    Err(self.report(&at, "a server with a query cannot be passed requests", "remove it"));
            }
            if resource.url.origin() == issuer.origin() && is_ours(path, issuer.path()) {
                let instead = "give it a path of its own, such as /mcp, or a host of its own";
                checked = Err(self.report(&at, "the broker itself answers there", instead));
            }
        }
        checked
    }
}

/// Every address that requests go to, and where it stands.
fn written<'f>(
    forwarding: &'f Forwarding,
    raw: &Located<RawResource>,
    place: &Place,
) -> impl Iterator<Item = (Place, &'f Url)> {
    let own = place.key("upstream_url", raw.inner.upstream_url.as_ref().map_or(raw.spot, |text| text.spot));
    let list = raw.inner.tenants.as_ref();
    let tenants = place.key("tenants", list.map_or(raw.spot, |list| list.spot));
    let spot = move |name: &str| {
        let mut pairs = list.into_iter().flat_map(|list| &list.inner.0);
        let one = pairs.find(|(key, _)| key.written == name);
        one.and_then(|(_, raw)| raw.inner.upstream_url.as_ref()).map_or(tenants.spot, |text| text.spot)
    };
    let of_one = move |tenant: &'f Arc<Tenant>| {
        let name = tenant.name.as_str();
        (tenants.key(name, spot(name)).key("upstream_url", spot(name)), &tenant.to)
    };
    let all = forwarding.tenants.iter().flat_map(Tenants::iter).map(of_one);
    forwarding.to.as_ref().map(|to| (own, to)).into_iter().chain(all)
}

/// Is this address below that one, so that what is appended to that one can lead there?
fn leads_below(to: &Url, other: &Url) -> bool {
    let base = |url: &Url| url.path().trim_end_matches('/').to_owned();
    to.origin() == other.origin()
        && base(other).strip_prefix(&base(to)).is_some_and(|rest| rest.starts_with('/'))
}

/// Would a server at this path get requests that are for the broker?
fn is_ours(path: &str, base: &str) -> bool {
    let begins = |path: &str| {
        let first = path.strip_prefix('/').and_then(|rest| rest.split('/').next());
        first.is_none_or(|first| OURS.contains(&first))
    };
    let below = path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let above = base.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    begins(path) || below.is_some_and(begins) || above
}
