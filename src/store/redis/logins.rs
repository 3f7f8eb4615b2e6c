//! Sign-ins under way: each is moved on from the step that was read, and taken out once.

use crate::clock::Timestamp;
use crate::domain::{LoginId, PendingLogin};
use crate::store::{StoreError, codec};

use super::RedisStore;
use super::operations::decimal;

impl RedisStore {
    pub(super) async fn put_login(&self, login: &PendingLogin, now: Timestamp) -> Result<(), StoreError> {
        let key = self.keys.login(&login.id);
        let body = codec::seal(&self.sealer, &key, login)?;
        let ends = decimal(login.expires_at);
        let mut script = self.scripts.put.call(key);
        script.arg(decimal(now)).arg(&ends).arg("exp").arg(&ends);
        script.arg("step").arg(login.step.ordinal()).arg("body").arg(body);
        self.run(&script).await
    }

    pub(super) async fn read_login(
        &self,
        id: &LoginId,
        now: Timestamp,
    ) -> Result<Option<PendingLogin>, StoreError> {
        let key = self.keys.login(id);
        let [body] = self.fields(&key, ["body"]).await?;
        self.opened_login(&key, body, now)
    }

    pub(super) async fn move_login(
        &self,
        login: &PendingLogin,
        from: u8,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = self.keys.login(&login.id);
        let [Some(stored)] = self.fields(&key, ["body"]).await? else { return Ok(false) };
        // Whoever moves it on in between wins: the script looks at the step.
        let body = codec::seal_over(&self.sealer, &key, login, &stored)?;
        let mut script = self.scripts.advance_login.call(key);
        script.arg(decimal(now)).arg(from).arg(login.step.ordinal());
        script.arg(decimal(login.expires_at)).arg(body);
        self.run(&script).await
    }

    pub(super) async fn remove_login(
        &self,
        id: &LoginId,
        now: Timestamp,
    ) -> Result<Option<PendingLogin>, StoreError> {
        let key = self.keys.login(id);
        let body = self.run(&self.scripts.take_login.call(&key)).await?;
        self.opened_login(&key, body, now)
    }

    fn opened_login(
        &self,
        key: &str,
        body: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Option<PendingLogin>, StoreError> {
        let Some(body) = body else { return Ok(None) };
        let login: PendingLogin = codec::unseal(&self.sealer, key, &body)?;
        Ok(Some(login).filter(|login| !login.is_expired(now)))
    }
}
