//! Extract, call, map. Decides nothing.
//!
//! - `router`: every route with its CORS and limits, on one screen.
//! - `admin_api`, `authorize`, `backchannel_logout`, `token`, `register`, `revoke`, `introspect`, `logout`, `discovery`, `site`: the handlers.
//! - `verify`, `proxied`: requests to protected servers: a proxy asks about one, or it comes to us;
//!   `watched`: streams that somebody listens to.
//! - `params`: queries and forms; `cookies`: those of a sign-in and of the session.
//! - `address`: where a request comes from.
//! - `answer`: errors by kind: page, redirect, JSON.
//! - `door`: what holds for every request: `request_log`, `headers`, `body`, `host`. `cors`: for
//!   programs in a browser.

mod address;
mod admin_api;
mod answer;
mod asking;
mod authorize;
mod backchannel_logout;
pub mod body;
mod cookies;
mod cors;
mod discovery;
mod door;
mod headers;
mod host;
mod introspect;
mod logout;
mod params;
mod proxied;
mod register;
mod request_log;
mod revoke;
mod router;
mod site;
mod token;
mod verify;
mod watched;

pub use request_log::RequestId;
pub use router::router;
