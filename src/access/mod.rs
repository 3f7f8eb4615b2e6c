//! The resource half: a credential and a resource go in, a decision comes out.
//!
//! - [`Guard`]: the decision about a request to a server that we stand in front of.
//! - [`Target`]: which server it goes to.
//! - What a server can accept: [`AccessTokens`] (ours), [`StaticToken`].
//! - [`Introspection`]: what a protected server is told of a token.
//! - [`Limits`]: how many requests may come; [`LimitStates`]: how that stands, in headers.
//! - [`Liveness`]: does a token that verified still count?
//!
//! What goes in and comes out is in [`bearer`](mod@crate::bearer).

mod access_tokens;
mod guard;
mod introspection;
mod limits;
mod liveness;
mod static_tokens;
mod target;

pub use crate::bearer::{Caller, Challenge, Guarded, Presented, TwoMethods, bearer, metadata_url, require};
pub use access_tokens::AccessTokens;
pub use guard::{Addressed, CannotDecide, Decision, Guard, Named, Passage};
pub use introspection::{Introspected, Introspection};
pub use limits::{Limit, LimitState, LimitStates, Limits};
pub use liveness::Liveness;
pub use static_tokens::StaticToken;
pub use target::{BadTarget, Target};
