//! Every route on one screen.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get, post};

use crate::broker::Broker;
use crate::domain::ADMIN_API_PATH;

use super::{
    admin_api, answer, authorize, backchannel_logout, cors, discovery, door, introspect, logout, register,
    revoke, site, token, verify,
};

const AS_METADATA: &str = "/.well-known/oauth-authorization-server";
const OIDC_METADATA: &str = "/.well-known/openid-configuration";
pub(super) const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
pub(super) const VERIFY: &str = "/verify";

/// The broker's routes. An issuer with a path is served below that path, and at the root too:
/// some proxies strip the prefix, and some clients look at the root only (INT-04).
pub fn router(broker: Arc<Broker>) -> Router {
    let mut routes = endpoints(&broker);
    let base = broker.issuer.path();
    if !base.is_empty() {
        routes = routes.nest(base, endpoints(&broker));
    }
    routes
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&broker), door::pass))
        .with_state(broker)
}

fn endpoints(broker: &Broker) -> Router<Arc<Broker>> {
    // For identity providers: neither a browser nor another origin has a reason to come.
    let logout = post(backchannel_logout::backchannel_logout);
    Router::new()
        .merge(machine_endpoints(broker))
        .merge(browser_endpoints())
        .merge(proxy_endpoints(broker))
        .route("/oauth/backchannel-logout/{upstream}", logout)
}

/// For reverse proxies, whatever the method of the request that they ask about: no preflight is answered
/// here, since a 204 would let it pass. What a proxy of ours asks at the root is answered at the door.
fn proxy_endpoints(broker: &Broker) -> Router<Arc<Broker>> {
    // What is not configured is not there (SEC-137).
    if !broker.forward_auth {
        return Router::new();
    }
    Router::new()
        .route(VERIFY, any(verify::verify))
        .route(&format!("{VERIFY}/"), any(verify::verify))
        .route(&format!("{VERIFY}/{{*target}}"), any(verify::verify))
}

/// For programs: any origin, no credentials, preflight 204, errors in JSON (INT-68 to INT-70).
/// Forms and JSON are capped at 64 KiB (SEC-072). Discovery has no limit of rate (INT-08).
fn machine_endpoints(broker: &Broker) -> Router<Arc<Broker>> {
    let management = get(register::look).put(register::update).delete(register::delete);
    let mut routes = Router::new()
        .route(AS_METADATA, get(discovery::authorization_server))
        .route(&format!("{AS_METADATA}/{{*path}}"), get(discovery::authorization_server_at))
        // Served only while it is OpenID-complete, which it is not (INT-06).
        .route(OIDC_METADATA, get(answer::not_found))
        .route(RESOURCE_METADATA, get(discovery::resource_default))
        .route(&format!("{RESOURCE_METADATA}/{{*path}}"), get(discovery::resource_at))
        .route("/.well-known/jwks.json", get(discovery::jwks))
        .route("/oauth/jwks", get(discovery::jwks))
        .route("/oauth/token", post(token::token))
        .route("/token", post(token::token))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/oauth/register", post(register::register))
        .route("/oauth/register/{client_id}", management)
        .route("/oauth/clients/register", post(register::register))
        .route("/register", post(register::register));
    // What is not configured is not there (SEC-137).
    if !broker.introspection.servers.is_empty() {
        routes = routes.route("/oauth/introspect", post(introspect::introspect));
    }
    if broker.admin_api.is_some() {
        let one = get(admin_api::look).delete(admin_api::revoke);
        routes = routes
            .route(&format!("{ADMIN_API_PATH}/openapi.json"), get(admin_api::description))
            .route(&format!("{ADMIN_API_PATH}/api-keys"), get(admin_api::list).post(admin_api::create))
            .route(&format!("{ADMIN_API_PATH}/api-keys/{{id}}"), one);
    }
    let paths = broker.resources.iter().map(|resource| resource.url.path());
    let mut paths: Vec<&str> = paths.filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        routes = routes.route(&format!("{path}{RESOURCE_METADATA}"), get(discovery::resource_appended));
    }
    // Before the layer, so that preflights and wrong methods pass through it, too.
    routes.method_not_allowed_fallback(answer::method_not_allowed).layer(from_fn(cors::allow_any_origin))
}

/// For people: no CORS (SEC-021), errors as pages.
fn browser_endpoints() -> Router<Arc<Broker>> {
    // HEAD must not begin a login (SEC-026).
    let authorize = get(authorize::authorize).head(authorize::head);
    Router::new()
        .route("/oauth/authorize", authorize.clone())
        .route("/authorize", authorize)
        .route("/oauth/consent", post(authorize::consent))
        .route("/oauth/callback/{upstream}", get(authorize::callback).head(authorize::head))
        .route("/oauth/logout", get(logout::ask).post(logout::sign_out))
        .route("/oauth/logout/done", get(logout::done))
        .route("/", get(site::index))
        .route("/assets/{file}", get(site::asset))
        .route("/healthz", get(site::healthz))
        .route("/readyz", get(site::readyz))
}
