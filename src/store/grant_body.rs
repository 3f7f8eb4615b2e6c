//! What never changes in a grant, as few bytes: a version, and `MessagePack` without names, sealed.
//!
//! A release may put further objects behind the first without a new version; an older one reads
//! past them. The body is never written anew, so they survive it (REL-19).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::clock::Timestamp;
use crate::domain::{
    ClientId, DomainName, EmailAddress, Grant, GrantId, GrantState, Identity, UpstreamId, UpstreamSession,
};
use crate::protocol::{ResourceUri, ScopeSet};
use crate::secret::Sealer;

use super::StoreError;

/// The version that this release writes, and the only one that it reads.
const VERSION: u8 = 1;

/// In the order in which they stand.
#[derive(Serialize, Deserialize)]
struct Body {
    client: ClientId,
    resource: ResourceUri,
    scopes: ScopeSet,
    upstream: UpstreamId,
    issuer: String,
    subject: String,
    email: Option<EmailAddress>,
    /// Empty: the email's own.
    domain: Option<String>,
    groups: BTreeSet<String>,
    roles: BTreeSet<String>,
    claims: BTreeMap<String, BTreeSet<String>>,
    name: Option<String>,
    session: Option<ByteBuf>,
    created: Timestamp,
    /// Seconds from then until it was created: a small number is one byte.
    ago: i64,
}

/// The part of a grant that its transitions change. The generation is 0 until the code is redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) expires_at: Timestamp,
    pub(super) ends_at: Timestamp,
    pub(super) generation: u64,
    pub(super) rotated_at: Timestamp,
}

impl Standing {
    /// How a grant stands.
    pub(super) fn of(grant: &Grant) -> Self {
        let (generation, rotated_at) = match grant.state {
            GrantState::AwaitingCode => (0, Timestamp::from_unix(0)),
            GrantState::Active { generation, rotated_at } => (generation, rotated_at),
        };
        Self { expires_at: grant.expires_at, ends_at: grant.ends_at, generation, rotated_at }
    }

    fn state(self) -> GrantState {
        match self.generation {
            0 => GrantState::AwaitingCode,
            generation => GrantState::Active { generation, rotated_at: self.rotated_at },
        }
    }
}

/// A grant as it was found.
pub(super) struct Found {
    pub(super) grant: Grant,
    /// The body under the current secret, where a previous one had sealed it.
    pub(super) sealed_anew: Option<Vec<u8>>,
}

/// Seals a grant's body under the grant's name.
pub(super) fn seal(sealer: &Sealer, name: &str, grant: &Grant) -> Result<Vec<u8>, StoreError> {
    let identity = grant.identity.clone();
    let is_of_email = identity.email.as_ref().map(EmailAddress::domain) == identity.domain.as_ref();
    let shorter = |domain: DomainName| if is_of_email { String::new() } else { String::from(domain) };
    let body = Body {
        client: grant.client_id.clone(),
        resource: grant.resource.clone(),
        scopes: grant.scopes.clone(),
        upstream: identity.upstream,
        issuer: identity.issuer,
        subject: identity.subject,
        domain: identity.domain.map(shorter),
        email: identity.email,
        groups: identity.groups,
        roles: identity.roles,
        claims: identity.claims,
        name: identity.name,
        session: identity.session.map(|session| ByteBuf::from(session.as_bytes().as_slice())),
        created: grant.created_at,
        ago: grant.created_at.as_unix().wrapping_sub(identity.authenticated_at.as_unix()).cast_signed(),
    };
    let mut plain = vec![VERSION];
    rmp_serde::encode::write(&mut plain, &body).map_err(|_| unreadable(name, "cannot be written"))?;
    Ok(sealer.seal(name, &plain))
}

/// Opens what [`seal`] made.
pub(super) fn open(
    sealer: &Sealer,
    name: &str,
    (id, standing): (GrantId, Standing),
    sealed: &[u8],
) -> Result<Found, StoreError> {
    let opened =
        sealer.open(name, sealed).map_err(|error| StoreError::Unreadable(format!("{name}: {error}")))?;
    let body: Body = match opened.plain.split_first() {
        Some((&VERSION, body)) => rmp_serde::from_slice(body)
            .map_err(|_| unreadable(name, "does not hold what its version says"))?,
        Some((other, _)) => {
            let what = format!("has schema version {other}; this release reads version {VERSION}");
            return Err(unreadable(name, &what));
        }
        None => return Err(unreadable(name, "is not a record of ours")),
    };
    let domain = match body.domain.as_deref() {
        None => None,
        Some("") => body.email.as_ref().map(|email| email.domain().clone()),
        Some(other) => Some(other.parse().map_err(|_| unreadable(name, "has no domain"))?),
    };
    let session = body.session.map(|session| session.into_vec().try_into());
    let session = session.transpose().map_err(|_| unreadable(name, "names no session"))?;
    let grant = Grant {
        id,
        client_id: body.client,
        resource: body.resource,
        scopes: body.scopes,
        identity: Identity {
            upstream: body.upstream,
            issuer: body.issuer,
            subject: body.subject,
            email: body.email,
            domain,
            groups: body.groups,
            roles: body.roles,
            claims: body.claims,
            name: body.name,
            session: session.map(UpstreamSession::from_bytes),
            authenticated_at: Timestamp::from_unix(
                body.created.as_unix().wrapping_sub(body.ago.cast_unsigned()),
            ),
        },
        created_at: body.created,
        ends_at: standing.ends_at,
        expires_at: standing.expires_at,
        state: standing.state(),
    };
    let sealed_anew = opened.is_stale.then(|| sealer.seal(name, &opened.plain));
    Ok(Found { grant, sealed_anew })
}

fn unreadable(name: &str, what: &str) -> StoreError {
    StoreError::Unreadable(format!("{name}: {what}"))
}
