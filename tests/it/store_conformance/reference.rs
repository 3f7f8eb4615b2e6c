//! What every store must answer: a few maps, and the pure transitions of the domain.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use gatelodge::clock::Timestamp;
use gatelodge::domain::{
    Client, ClientId, Grant, GrantId, GrantState, LoginId, PendingLogin, PersonId, Redemption, Revoked,
    Rotation, RotationRules, alive_of,
};

/// A store without a store.
#[derive(Default)]
pub(super) struct Reference {
    clients: HashMap<ClientId, Client>,
    /// Which of them nobody has used, the oldest first.
    unused: Vec<ClientId>,
    logins: HashMap<LoginId, PendingLogin>,
    grants: HashMap<GrantId, Grant>,
    /// Moment and end of keeping, by [`Revoked::name`].
    revoked: BTreeMap<String, (Timestamp, Timestamp)>,
}

impl Reference {
    /// The newest of those that nobody has used; the oldest make room.
    pub(super) fn register_client(&mut self, client: &Client, most_unused: usize) {
        self.remember_client(client);
        self.unused.push(client.id.clone());
        while self.unused.len() > most_unused {
            let oldest = self.unused.remove(0);
            self.clients.remove(&oldest);
        }
    }

    pub(super) fn remember_client(&mut self, client: &Client) {
        self.clients.insert(client.id.clone(), client.clone());
        self.unused.retain(|id| *id != client.id);
    }

    /// What it says is new, its end is not.
    pub(super) fn update_client(&mut self, client: &Client) -> bool {
        let known = self.clients.get_mut(&client.id);
        known.map(|known| *known = Client { expires_at: known.expires_at, ..client.clone() }).is_some()
    }

    pub(super) fn forget_client(&mut self, id: &ClientId, only_unused: bool) -> bool {
        if only_unused && !self.unused.contains(id) {
            return false;
        }
        self.unused.retain(|unused| unused != id);
        self.clients.remove(id).is_some()
    }

    pub(super) fn client(&self, id: &ClientId, now: Timestamp) -> Option<Client> {
        self.clients.get(id).filter(|client| client.expires_at.is_none_or(|end| now < end)).cloned()
    }

    pub(super) fn keep_client(&mut self, id: &ClientId, until: Timestamp) -> bool {
        self.unused.retain(|unused| unused != id);
        if let Some(end) = self.clients.get_mut(id).and_then(|client| client.expires_at.as_mut()) {
            *end = until.max(*end);
        }
        self.clients.contains_key(id)
    }

    pub(super) fn begin_login(&mut self, login: &PendingLogin) {
        self.logins.insert(login.id.clone(), login.clone());
    }

    pub(super) fn login(&self, id: &LoginId, now: Timestamp) -> Option<PendingLogin> {
        self.logins.get(id).filter(|login| !login.is_expired(now)).cloned()
    }

    pub(super) fn advance_login(&mut self, login: &PendingLogin, from: u8, now: Timestamp) -> bool {
        let at_from = self.login(&login.id, now).is_some_and(|kept| kept.step.ordinal() == from);
        if at_from {
            self.begin_login(login);
        }
        at_from
    }

    pub(super) fn take_login(&mut self, id: &LoginId, now: Timestamp) -> Option<PendingLogin> {
        self.logins.remove(id).filter(|login| !login.is_expired(now))
    }

    pub(super) fn open_grant(&mut self, grant: &Grant) {
        self.grants.insert(grant.id, grant.clone());
    }

    pub(super) fn grants_of(&self, person: &PersonId, now: Timestamp) -> Vec<Grant> {
        alive_of(self.grants.values().cloned().collect(), person, now)
    }

    pub(super) fn grant(&self, id: &GrantId, now: Timestamp) -> Option<Grant> {
        self.grants.get(id).filter(|grant| !grant.is_expired(now)).cloned()
    }

    /// The generation that the family is at, if it has begun.
    pub(super) fn generation(&self, id: &GrantId) -> Option<u64> {
        match self.grants.get(id)?.state {
            GrantState::Active { generation, .. } => Some(generation),
            GrantState::AwaitingCode => None,
        }
    }

    pub(super) fn redeem(&mut self, id: &GrantId, now: Timestamp, idle: Duration) -> Redemption {
        self.grants.get_mut(id).map_or(Redemption::Gone, |grant| grant.redeem(now, idle))
    }

    pub(super) fn rotate(
        &mut self,
        id: &GrantId,
        presented: u64,
        now: Timestamp,
        rules: RotationRules,
    ) -> Rotation {
        let rotation =
            self.grants.get_mut(id).map_or(Rotation::Gone, |grant| grant.rotate(presented, now, rules));
        if rotation == Rotation::Reused {
            self.grants.remove(id);
        }
        rotation
    }

    pub(super) fn end_grant(&mut self, id: &GrantId) -> bool {
        self.grants.remove(id).is_some()
    }

    /// A moment never moves back; what is kept no longer is forgotten when the next one comes.
    pub(super) fn revoke(
        &mut self,
        what: &Revoked,
        moment: Timestamp,
        keep_until: Timestamp,
        now: Timestamp,
    ) {
        let (old_moment, old_keep) = self.revoked.get(&what.name()).copied().unwrap_or((moment, keep_until));
        self.revoked.retain(|_, (_, keep_until)| *keep_until >= now);
        self.revoked.insert(what.name(), (moment.max(old_moment), keep_until.max(old_keep)));
    }

    /// The moment up to which grants of that name are revoked.
    pub(super) fn revoked_up_to(&self, what: &Revoked) -> Option<Timestamp> {
        self.revoked.get(&what.name()).map(|(moment, _)| *moment)
    }
}
