//! Where requests to a server go, and what its own addresses are called outside.

use std::sync::Arc;

use http::{HeaderName, Uri};
use url::Url;

use crate::domain::{Forwarding, Tenant, TenantName, Tenants};
use crate::protocol::ResourceUri;

use super::places::Places;

/// A server that requests are passed on to.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) forwarding: Arc<Forwarding>,
    /// Its own address.
    to: Url,
    /// Whose it is.
    tenant: Option<Arc<Tenant>>,
    /// For the callers of all servers of the resource.
    pub(super) places: Arc<Places>,
    /// The resource, as people type it.
    pub(super) audience: String,
    /// Its origin, its scheme, its host and port, and its path.
    origin: String,
    path: String,
    /// Is it on the broker's own origin?
    pub(super) is_beside_us: bool,
    name: String,
}

impl Route {
    /// All servers of a resource: its own, and one for each tenant.
    pub(super) fn all(resource: &ResourceUri, forwarding: Forwarding, is_beside_us: bool) -> Vec<Self> {
        let places = Arc::new(Places::new(forwarding.streams));
        let forwarding = Arc::new(forwarding);
        let route = |tenant: Option<&Arc<Tenant>>, to: &Url| Self {
            forwarding: Arc::clone(&forwarding),
            to: to.clone(),
            tenant: tenant.cloned(),
            places: Arc::clone(&places),
            audience: resource.as_str().to_owned(),
            origin: resource.origin().to_owned(),
            path: resource.path().to_owned(),
            is_beside_us,
            name: to.origin().ascii_serialization(),
        };
        let tenants = forwarding.tenants.iter().flat_map(Tenants::iter);
        let own = forwarding.to.as_ref().map(|to| route(None, to));
        own.into_iter().chain(tenants.map(|tenant| route(Some(tenant), &tenant.to))).collect()
    }

    /// Whose server it is.
    pub(super) fn tenant(&self) -> Option<&TenantName> {
        self.tenant.as_ref().map(|tenant| &tenant.name)
    }

    /// The header that names tenants, and so is ours to write.
    pub(super) fn tenant_header(&self) -> Option<&HeaderName> {
        self.forwarding.tenants.as_ref().map(|tenants| &tenants.header)
    }

    /// The server, for logs.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// `https` or `http`, and host and port: what people call it.
    pub(super) fn public(&self) -> (&str, &str) {
        self.origin.split_once("://").unwrap_or_default()
    }

    /// Where a request goes. The path below the resource's is appended; the resource itself, with a trailing
    /// slash or without, is the server's own address exactly as configured.
    pub(super) fn url(&self, asked: &Uri) -> Option<Url> {
        let below = asked.path().strip_prefix(self.path.as_str())?;
        let mut url = self.to.clone();
        if !matches!(below, "" | "/") {
            url.set_path(&format!("{}{below}", self.base()));
        }
        url.set_query(asked.query());
        Some(url)
    }

    /// What an address that the server names is called outside; none if it is not below its own. `asked` is
    /// the server's address that the request went to.
    pub(super) fn outside(&self, named: &str, asked: &Url) -> Option<String> {
        let url = asked.join(named).ok().filter(|url| url.origin() == self.to.origin())?;
        let below = url.path().strip_prefix(self.base())?;
        if !(below.is_empty() || below.starts_with('/')) {
            return None;
        }
        let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
        Some(format!("{}{below}{query}", self.path))
    }

    /// The same with the origin.
    pub(super) fn outside_url(&self, named: &str, asked: &Url) -> Option<String> {
        self.outside(named, asked).map(|path| format!("{}{path}", self.origin))
    }

    fn base(&self) -> &str {
        self.to.path().trim_end_matches('/')
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use crate::domain::{IdentityForm, ToolRules};

    use super::*;

    fn route(resource: &str, to: &str) -> Route {
        let forwarding = Forwarding {
            to: Some(Url::parse(to).unwrap()),
            tenants: None,
            timeout: Duration::ZERO,
            stream_idle: Duration::ZERO,
            streams: NonZeroU32::MIN,
            body_limit: 0,
            forward_credential: false,
            identity: IdentityForm::None,
            tools: ToolRules::default(),
        };
        Route::all(&ResourceUri::parse(resource).unwrap(), forwarding, false).remove(0)
    }

    #[test]
    fn the_resource_s_path_is_replaced_and_what_is_below_is_appended() {
        for (resource, to, asked, goes) in [
            ("https://a.example/mcp", "http://s:9/mcp", "/mcp", "http://s:9/mcp"),
            ("https://a.example/mcp", "http://s:9/mcp", "/mcp/", "http://s:9/mcp"),
            ("https://a.example/mcp", "http://s:9/api/", "/mcp", "http://s:9/api/"),
            ("https://a.example/mcp", "http://s:9/api/", "/mcp/x/y?z=1", "http://s:9/api/x/y?z=1"),
            ("https://a.example/mcp", "http://s:9", "/mcp/sse", "http://s:9/sse"),
            ("https://a.example", "http://s:9/mcp", "/", "http://s:9/mcp"),
            ("https://a.example", "http://s:9/mcp", "/x%20y", "http://s:9/mcp/x%20y"),
        ] {
            let route = route(resource, to);
            assert_eq!(route.url(&asked.parse().unwrap()).unwrap().as_str(), goes, "{resource} {asked}");
        }
    }

    #[test]
    fn what_the_server_names_is_called_by_its_name_outside() {
        let route = route("https://a.example/notes", "http://s:9/mcp");
        let asked = Url::parse("http://s:9/mcp/sse").unwrap();
        let outside = |named| route.outside(named, &asked);
        assert_eq!(outside("/mcp/messages?id=1").as_deref(), Some("/notes/messages?id=1"));
        assert_eq!(outside("messages/").as_deref(), Some("/notes/messages/"));
        assert_eq!(outside("http://s:9/mcp").as_deref(), Some("/notes"));
        for elsewhere in ["/messages", "/mcpx", "http://t:9/mcp/x", "https://s:9/mcp/x", "http://["] {
            assert_eq!(outside(elsewhere), None, "{elsewhere}");
        }
        assert_eq!(route.outside_url("/mcp/x", &asked).as_deref(), Some("https://a.example/notes/x"));
    }
}
