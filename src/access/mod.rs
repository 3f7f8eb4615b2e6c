//! The resource half: a credential and a resource go in, a decision comes out.
//!
//! - [`Guard`]: the decision about a request to a server that we stand in front of.
//! - [`Target`]: which server it goes to.
//! - What a server can accept: [`AccessTokens`] (ours), [`ApiKeys`], [`StaticToken`].
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
mod guard;
mod introspection;
mod limits;
mod liveness;
mod owners;
mod static_tokens;
mod target;

pub use crate::bearer::{
    ApiKeyForms, Caller, Challenge, Guarded, Presented, TwoMethods, X_API_KEY, X_API_SECRET, bearer,
    metadata_url, require,
};
pub use access_tokens::AccessTokens;
pub use api_key_book::{ApiKeyBook, ApiKeyError, ChangedBy, WantedApiKey};
pub use api_keys::ApiKeys;
pub use guard::{Addressed, CannotDecide, Decision, Guard, Named, Passage};
pub use introspection::{Introspected, Introspection};
pub use limits::{Limit, LimitState, LimitStates, Limits};
pub use liveness::Liveness;
pub use owners::Owners;
pub use static_tokens::StaticToken;
pub use target::{BadTarget, Target};
