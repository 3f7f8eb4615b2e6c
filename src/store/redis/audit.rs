//! The audit stream, which Redis keeps nearly capped.

use crate::domain::AuditEvent;
use crate::store::{StoreError, audit, codec};

use super::RedisStore;
use super::connections::Request;

impl RedisStore {
    pub(super) async fn put_events(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let mut script = self.scripts.append_audit.call(self.keys.audit());
        script.arg(audit::KEPT);
        for event in events {
            script.arg(codec::encode("audit", event)?);
        }
        self.run(&script).await
    }

    pub(super) async fn newest_events(&self, at_most: usize) -> Result<Vec<AuditEvent>, StoreError> {
        let at_most = at_most.min(audit::KEPT);
        if at_most == 0 {
            return Ok(Vec::new());
        }
        let mut request = Request::new("XREVRANGE", self.keys.audit());
        request.arg("+").arg("-").arg("COUNT").arg(at_most);
        let entries: Vec<(String, Vec<Vec<u8>>)> = self.run(&request).await?;
        let value = |fields: &Vec<Vec<u8>>| fields.get(1).cloned().unwrap_or_default();
        entries.iter().map(|(_, fields)| codec::decode("audit", &value(fields))).collect()
    }
}
