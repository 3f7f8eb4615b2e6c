//! What every store must answer: a few maps, and the pure transitions of the domain.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use gatelodge::clock::Timestamp;
use gatelodge::domain::{
    Client, ClientId, Grant, GrantId, GrantState, LoginId, PendingLogin, PersonId, Place, Redemption,
    Revoked, Rotation, RotationRules, alive_of,
};

/// A store without a store.
#[derive(Default)]
pub(super) struct Reference {
    /// Those that are used.
    clients: HashMap<ClientId, Client>,
    /// Those that nobody has used, by place.
    newcomers: HashMap<Place, Client>,
    /// How many places were given out.
    places: u64,
    logins: HashMap<LoginId, PendingLogin>,
    grants: HashMap<GrantId, Grant>,
    /// Moment and end of keeping, by [`Revoked::name`].
    revoked: BTreeMap<String, (Timestamp, Timestamp)>,
}

impl Reference {
    pub(super) fn next_place(&mut self, places: usize) -> Place {
        self.places += 1;
        Place::in_turn(self.places - 1, places)
    }

    /// Whoever stands there makes room.
    pub(super) fn register_client(&mut self, client: &Client) {
        self.newcomers.insert(client.id.place().unwrap(), client.clone());
    }

    pub(super) fn remember_client(&mut self, client: &Client) {
        self.take_newcomer(&client.id);
        self.clients.insert(client.id.clone(), client.clone());
    }

    fn newcomer(&mut self, id: &ClientId) -> Option<&mut Client> {
        self.newcomers.values_mut().find(|client| client.id == *id)
    }

    fn take_newcomer(&mut self, id: &ClientId) -> Option<Client> {
        let place = self.newcomer(id)?.id.place()?;
        self.newcomers.remove(&place)
    }

    /// What it says is new, its end is not.
    pub(super) fn update_client(&mut self, client: &Client) -> bool {
        let changed = |known: &mut Client| *known = Client { expires_at: known.expires_at, ..client.clone() };
        let is_used = self.clients.get_mut(&client.id).map(changed).is_some();
        is_used || self.newcomer(&client.id).map(changed).is_some()
    }

    pub(super) fn forget_client(&mut self, id: &ClientId, only_unused: bool) -> bool {
        let was_new = self.take_newcomer(id).is_some();
        was_new || !only_unused && self.clients.remove(id).is_some()
    }

    pub(super) fn client(&self, id: &ClientId, now: Timestamp) -> Option<Client> {
        let newcomer = || self.newcomers.values().find(|client| client.id == *id);
        let known = self.clients.get(id).or_else(newcomer);
        known.filter(|client| client.expires_at.is_none_or(|end| now < end)).cloned()
    }

    pub(super) fn keep_client(&mut self, id: &ClientId, until: Timestamp) -> bool {
        if let Some(newcomer) = self.take_newcomer(id) {
            self.clients.insert(id.clone(), newcomer);
        }
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
