//! What requests to protected servers may carry beside our access tokens, checked.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::domain::{DomainName, UpstreamId};
use crate::protocol::ScopeSet;
use crate::secret::{Digest, Secret};

/// One of `credentials`.
#[derive(Debug, Clone)]
pub struct CredentialConfig {
    /// Its name, which no upstream has.
    pub id: UpstreamId,
    /// What it is.
    pub kind: CredentialKind,
}

/// What a credential is.
#[derive(Debug, Clone)]
pub enum CredentialKind {
    /// A bearer token that stands in the configuration.
    Static {
        /// Its digest.
        token: Digest,
        /// Whom it stands for.
        subject: String,
        /// What it allows.
        scopes: ScopeSet,
    },
    /// What somebody else vouches for.
    Foreign(Box<ForeignConfig>),
    /// Nothing: everything is on loopback.
    Nobody {
        /// What it allows.
        scopes: ScopeSet,
    },
}

/// A credential that somebody else vouches for.
#[derive(Debug, Clone)]
pub struct ForeignConfig {
    /// Who does, byte for byte.
    pub issuer: String,
    /// Only people of these domains; empty: every account, and none's domain is known.
    pub allowed_domains: Vec<DomainName>,
    /// Whom it must be made out to. Empty: the server at which it is shown; for Clerk, anybody; so for a remote
    /// endpoint always.
    pub audience: Vec<String>,
    /// Which scopes it must carry.
    pub required_scopes: Vec<String>,
    /// Does it allow nothing that it does not name itself?
    pub only_its_scopes: bool,
    /// Where the account's name stands.
    pub subject_claim: String,
    /// Where the email address stands.
    pub email_claim: String,
    /// Does the address count though nothing says that it is verified?
    pub trust_email: bool,
    /// Where groups stand.
    pub groups_claim: String,
    /// Where roles stand.
    pub roles_claim: String,
    /// How far the issuer's clock may be off.
    pub clock_skew: Duration,
    /// How old a token may be.
    pub max_age: Option<Duration>,
    /// How long a call may take.
    pub timeout: Duration,
    /// In which way it is checked.
    pub way: ForeignWay,
}

/// In which way a foreign credential is checked.
#[derive(Debug, Clone)]
pub enum ForeignWay {
    /// By its signature.
    Jwt {
        /// Where the keys are, if not where the issuer's metadata says.
        jwks_url: Option<String>,
        /// How long they are used before they are asked for again.
        jwks_refresh: Duration,
        /// Which algorithms may sign.
        algorithms: Vec<String>,
        /// Must it say when it ends?
        require_expiry: bool,
        /// The applications whose sessions count, if it is Clerk's.
        parties: Option<Vec<String>>,
    },
    /// By asking its authorization server.
    Introspection {
        /// Where, if not where the issuer's metadata says.
        url: Option<String>,
        /// Our client there.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// Does the secret go into the body?
        in_the_body: bool,
        /// How much is asked.
        asking: AskingConfig,
    },
    /// By asking an endpoint of the operator's own.
    Remote {
        /// Where.
        url: String,
        /// What `Authorization` carries.
        authorization: Option<Secret>,
        /// How much is asked.
        asking: AskingConfig,
    },
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskingConfig {
    /// How long an answer is believed.
    pub cache: Duration,
    /// Tokens that are not known to be good, in a minute.
    pub most_calls: NonZeroU32,
}
