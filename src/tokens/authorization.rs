//! The proof that a token may be minted.

use crate::domain::{Grant, Redemption, Rotation};
use crate::protocol::ScopeSet;

/// A grant that the store has just redeemed or rotated, and the scopes of the access token.
/// Its constructors take the store's word; nothing else makes one.
#[derive(Debug, Clone)]
pub struct Authorization {
    grant: Grant,
    scopes: ScopeSet,
    generation: u64,
}

impl Authorization {
    /// After [`Redemption::Redeemed`]: what is held, within what was granted.
    #[must_use]
    pub fn redeemed(grant: Grant, outcome: Redemption, scopes: &ScopeSet) -> Option<Self> {
        let scopes = grant.scopes.intersect(scopes);
        (outcome == Redemption::Redeemed && !scopes.is_empty()).then_some(Self {
            grant,
            scopes,
            generation: 1,
        })
    }

    /// After [`Rotation::Successor`]: what is asked, within what was granted (SEC-087).
    #[must_use]
    pub fn rotated(grant: Grant, outcome: Rotation, scopes: &ScopeSet) -> Option<Self> {
        let Rotation::Successor { generation, .. } = outcome else { return None };
        let scopes = grant.scopes.intersect(scopes);
        (!scopes.is_empty()).then_some(Self { grant, scopes, generation })
    }

    /// The grant behind it.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The scopes of the access token.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The generation of the refresh token that goes with it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }
}
