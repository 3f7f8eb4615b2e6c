//! What the operator says about clients: three hashes, one field for each record, since a cluster can
//! list nothing else.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::domain::{
    APPLICATION_LIFETIME, Application, ClientId, Decision, MOST_APPLICATIONS, OperatorClient,
};
use crate::secret::Digest;
use crate::store::client_book::ClientBook;
use crate::store::{StoreError, codec};

use super::connections::Request;
use super::operations::decimal;
use super::{RedisStore, unreadable};

/// Client ids come from outside (SEC-167).
fn name(id: &ClientId) -> String {
    Digest::of(id.as_str()).as_str().to_owned()
}

/// A value is a number that the scripts decide by, a space, and the record.
fn record(key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    let at = value.iter().position(|byte| *byte == b' ').ok_or_else(|| unreadable(key))?;
    value.get(at + 1..).map(<[u8]>::to_vec).ok_or_else(|| unreadable(key))
}

#[async_trait]
impl ClientBook for RedisStore {
    async fn operator_clients(&self) -> Result<Vec<OperatorClient>, StoreError> {
        let mut all: Vec<OperatorClient> = self.all_records(&self.keys.operator_clients()).await?;
        all.sort_by(|a, b| a.client.id.as_str().cmp(b.client.id.as_str()));
        Ok(all)
    }

    async fn operator_client(&self, id: &ClientId) -> Result<Option<OperatorClient>, StoreError> {
        self.one_record(&self.keys.operator_clients(), &name(id)).await
    }

    async fn replace_operator_client(&self, client: &OperatorClient, from: u64) -> Result<bool, StoreError> {
        let (key, name) = (self.keys.operator_clients(), name(&client.client.id));
        let [stored] = self.fields(&key, [&name]).await?;
        // Whoever changes it in between wins: the script looks at the version.
        let body = match stored {
            Some(stored) => codec::encode_over(&key, client, &record(&key, &stored)?)?,
            None => codec::encode(&key, client)?,
        };
        let mut script = self.scripts.replace_record.call(key);
        script.arg(name).arg(from.to_string()).arg(client.version.to_string()).arg(body);
        self.connections.send_replicated(&script).await
    }

    async fn remove_operator_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        let mut request = Request::new("HDEL", self.keys.operator_clients());
        request.arg(name(id));
        // A failover must not bring back whom the operator has put out (PRIN-6).
        let gone: u64 = self.connections.send_replicated(&request).await?;
        Ok(gone > 0)
    }

    async fn await_approval(&self, application: &Application, now: Timestamp) -> Result<bool, StoreError> {
        let key = self.keys.applications();
        let body = codec::encode(&key, application)?;
        let mut script = self.scripts.await_approval.call(key);
        script.arg(decimal(now)).arg(APPLICATION_LIFETIME.as_secs().to_string()).arg(MOST_APPLICATIONS);
        script.arg(application.key.as_str()).arg(decimal(application.asked_at)).arg(body);
        self.run(&script).await
    }

    async fn applications(&self, now: Timestamp) -> Result<Vec<Application>, StoreError> {
        let mut all: Vec<Application> = self.all_records(&self.keys.applications()).await?;
        all.retain(|application| !application.is_over(now));
        all.sort_by(|a, b| (a.asked_at, a.key.as_str()).cmp(&(b.asked_at, b.key.as_str())));
        Ok(all)
    }

    async fn decide(&self, decision: &Decision) -> Result<(), StoreError> {
        let (key, name) = (self.keys.decisions(), decision.application.key.as_str());
        let mut value = format!("{} ", decimal(decision.decided_at)).into_bytes();
        value.extend(codec::encode(&key, decision)?);
        let mut put = Request::new("HSET", key);
        put.arg(name).arg(value);
        // As with a removal. The decision goes first: it counts whatever waits.
        self.connections.send_replicated::<u64>(&put).await?;
        let mut done = Request::new("HDEL", self.keys.applications());
        done.arg(name);
        self.run::<u64>(&done).await.map(drop)
    }

    async fn decision(&self, key: &Digest) -> Result<Option<Decision>, StoreError> {
        self.one_record(&self.keys.decisions(), key.as_str()).await
    }

    async fn decisions(&self) -> Result<Vec<Decision>, StoreError> {
        let mut all: Vec<Decision> = self.all_records(&self.keys.decisions()).await?;
        all.sort_by_key(|decision| decision.decided_at);
        Ok(all)
    }
}

impl RedisStore {
    async fn one_record<T: DeserializeOwned>(&self, key: &str, name: &str) -> Result<Option<T>, StoreError> {
        let [found] = self.fields(key, [name]).await?;
        found.map(|value| codec::decode(key, &record(key, &value)?)).transpose()
    }

    async fn all_records<T: DeserializeOwned>(&self, key: &str) -> Result<Vec<T>, StoreError> {
        let fields: HashMap<String, Vec<u8>> = self.run(&Request::new("HGETALL", key.to_owned())).await?;
        fields.values().map(|value| codec::decode(key, &record(key, value)?)).collect()
    }
}
