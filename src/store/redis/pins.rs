//! To whom the addresses of admins are pinned. A pin stays until the operator takes it out.

use crate::domain::{EmailAddress, PersonId};
use crate::store::StoreError;

use super::connections::Request;
use super::{RedisStore, unreadable};

impl RedisStore {
    pub(super) async fn keep_pin(
        &self,
        email: &EmailAddress,
        person: &PersonId,
    ) -> Result<PersonId, StoreError> {
        let key = self.keys.admin(email);
        let mut script = self.scripts.pin_admin.call(&key);
        script.arg(person.as_str());
        let pinned: String = self.run(&script).await?;
        PersonId::parse(&pinned).ok_or_else(|| unreadable(&key))
    }

    pub(super) async fn pin(&self, email: &EmailAddress) -> Result<Option<PersonId>, StoreError> {
        let key = self.keys.admin(email);
        let pinned: Option<String> = self.run(&Request::new("GET", key.clone())).await?;
        pinned.map(|text| PersonId::parse(&text).ok_or_else(|| unreadable(&key))).transpose()
    }

    pub(super) async fn forget_pin(&self, email: &EmailAddress) -> Result<bool, StoreError> {
        let gone: u64 = self.run(&Request::new("DEL", self.keys.admin(email))).await?;
        Ok(gone > 0)
    }
}
