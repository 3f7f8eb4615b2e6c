//! The resource half: a credential and a resource go in, a decision comes out.
//!
//! - [`Guard`]: the decision about a request to a server that we stand in front of.
//! - [`Presented`]: which credential the request carries, if it carries one.
//! - [`Target`]: which server it goes to.
//! - [`Caller`]: who may pass, whatever was shown; [`require`]: and is it enough?
//! - [`identify`]: how a server behind is told of the caller.
//! - [`Challenge`]: the answer to a request that may not pass.
//! - What a server can accept: [`AccessTokens`] (ours), [`ApiKeys`], [`StaticToken`].
//! - [`ApiKeyBook`]: making, listing and revoking API keys; [`admin_api`]: the same over HTTP.
//! - [`Owners`]: what the person behind an API key may do.
//! - [`Introspection`]: what a protected server is told of a token.
//! - [`Limits`]: how many requests may come; [`LimitStates`]: how that stands, in headers.
//! - [`Liveness`]: does a token that verified still count?

mod access_tokens;
pub mod admin_api;
mod api_key_book;
mod api_keys;
mod caller;
mod challenge;
mod guard;
mod identity_headers;
mod introspection;
mod limits;
mod liveness;
mod owners;
mod presented;
mod static_tokens;
mod target;

pub use access_tokens::AccessTokens;
pub use api_key_book::{ApiKeyBook, ApiKeyError, ChangedBy, WantedApiKey};
pub use api_keys::ApiKeys;
pub use caller::Caller;
pub use challenge::{Challenge, Guarded, metadata_url};
pub use guard::{Addressed, CannotDecide, Decision, Guard, Named, Passage, require};
pub use identity_headers::{identify, is_about_the_request, is_disguised};
pub use introspection::{Introspected, Introspection};
pub use limits::{Limit, LimitState, LimitStates, Limits};
pub use liveness::Liveness;
pub use owners::Owners;
pub use presented::{ApiKeyForms, Presented, TwoMethods, X_API_KEY, X_API_SECRET, bearer};
pub use static_tokens::StaticToken;
pub use target::{BadTarget, Target};
