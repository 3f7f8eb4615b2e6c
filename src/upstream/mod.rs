//! Talking to identity providers. To them the broker is one ordinary OpenID Connect client.
//!
//! - `presets`: what each provider does differently, as data; its trust rule.
//! - `settings`: what the operator says of a provider; which issuers it may have.
//! - `discovery`: the provider's metadata and keys, cached with the last good answer.
//! - `exchange`: the authorization URL, and a code for tokens. Here the upstream is called.
//! - `id_token`: [`UnverifiedIdToken`] becomes [`VerifiedIdToken`].
//! - `api`: documents that an access token opens: userinfo, and what stands in `github` and `graph`.
//! - `logout_token`: who has signed out at the upstream.
//! - `renewal`: facts once more, without the person.
//! - `facts`: what a verified token may decide: the domain's `Identity`.
//! - `provider`: [`Upstream`], all of it for one provider; [`Upstreams`], all of them.
//!
//! An error says whose fault it is: [`UpstreamError::Unavailable`] is a fault on the way,
//! [`UpstreamError::Refused`] an answer that must not be believed.

mod api;
mod discovery;
mod exchange;
mod facts;
mod github;
mod graph;
mod id_token;
mod logout_token;
mod presets;
mod provider;
mod renewal;
mod settings;

pub use facts::{Documents, GroupList};
pub use id_token::{UnverifiedIdToken, VerifiedIdToken};
pub use logout_token::LoggedOut;
pub use presets::{DomainRule, GroupsRule, Preset, Protocol};
pub use provider::{Hints, SignedIn, Upstream, Upstreams};
pub use renewal::{REST, Renewal};
pub use settings::{Recheck, UpstreamSettings, issuers_of};

/// Why a sign-in at an identity provider did not succeed. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The provider could not be asked, or had a fault of its own.
    #[error("identity provider {upstream} is unavailable: {cause}")]
    Unavailable {
        /// Which one.
        upstream: String,
        /// What happened.
        cause: String,
    },
    /// The provider's answer does not hold.
    #[error("identity provider {upstream} gave an answer that is refused: {cause}")]
    Refused {
        /// Which one.
        upstream: String,
        /// What is wrong with it.
        cause: String,
    },
}
