//! The resource half: a credential and a resource go in, a decision comes out.
//!
//! - [`Guard`]: the decision about a request to a server that we stand in front of.
//! - [`Carried`]: where a request may carry its credential beside a header.
//! - [`Target`]: which server it goes to; [`NoTenant`]: why to none of its tenants.
//! - [`identify`]: how a server behind is told of the caller.
//! - What a server can accept: [`AccessTokens`] (ours), [`ApiKeys`], [`StaticToken`], [`Foreign`] (what others
//!   vouch for), [`Nobody`] (nothing, in development).
//! - [`ApiKeyBook`]: making, listing and revoking API keys; [`admin_api`]: the same over HTTP.
//! - [`Owners`]: what the person behind an API key may do.
//! - [`Introspection`]: what a protected server is told of a token.
//! - [`Limits`]: how many requests may come; [`LimitStates`]: how that stands, in headers.
//! - [`Liveness`]: does a token that verified still count?
//!
//! What goes in and comes out is in [`bearer`](mod@crate::bearer).

mod access_tokens;
pub mod admin_api;
mod api_key_book;
mod api_keys;
mod carried;
pub mod foreign;
mod guard;
mod identity_headers;
mod introspection;
mod limits;
mod liveness;
mod nobody;
mod owners;
mod standing;
mod static_tokens;
mod target;
mod tenancy;

pub use crate::bearer::{
    ApiKeyForms, Caller, Challenge, Guarded, Presented, TwoMethods, X_API_KEY, X_API_SECRET, bearer,
    metadata_url, require,
};
pub use access_tokens::AccessTokens;
pub use api_key_book::{ApiKeyBook, ApiKeyError, ChangedBy, WantedApiKey};
pub use api_keys::ApiKeys;
pub use carried::Carried;
pub use foreign::Foreign;
pub use guard::{Addressed, CannotDecide, Decision, Guard, Named, Passage};
pub use identity_headers::{identify, is_about_the_request, is_disguised};
pub use introspection::{Introspected, Introspection};
pub use limits::{Limit, LimitState, LimitStates, Limits};
pub use liveness::Liveness;
pub use nobody::Nobody;
pub use owners::Owners;
pub use static_tokens::StaticToken;
pub use target::{BadTarget, Target};
pub use tenancy::NoTenant;
