//! Which clients there may be beside the operator's own.

use super::super::defaults;
use super::super::fault::Place;
use super::super::list_or::ListOr;
use super::super::raw_clients::RawClients;
use super::super::settings_clients::ClientPolicyConfig;
use super::Checked;
use super::values::Checker;
use crate::domain::KnownClient;

impl Checker<'_> {
    pub(super) fn client_policy(&mut self, raw: Option<&RawClients>) -> Checked<ClientPolicyConfig> {
        let Some(ListOr::Mapping(raw, spot)) = raw else { return Ok(ClientPolicyConfig::default()) };
        let place = Place::root().key("clients", *spot);
        let words: Vec<_> = KnownClient::ALL.iter().map(|known| (known.name, known)).collect();
        let allow =
            self.distinct(&place, "allow", raw.allow.as_ref(), |checker, value| checker.word(value, &words));
        let require_approval = self
            .or_default(&place, "require_approval", raw.require_approval.as_ref(), defaults::REQUIRE_APPROVAL)
            .and_then(|value| self.flag(&value));
        Ok(ClientPolicyConfig {
            allow: Some(allow?).filter(|_| raw.allow.is_some()),
            require_approval: require_approval?,
        })
    }
}
