//! The operator's secret, and those that are on their way in or out.

use super::super::fault::Place;
use super::super::raw::RawConfig;
use super::super::settings::{SecretSource, StoreConfig};
use super::Checked;
use super::values::Checker;
use crate::secret::{MasterSecret, Secret};

impl Checker<'_> {
    pub(super) fn operator_secret(
        &mut self,
        raw: &RawConfig,
        store: Option<&StoreConfig>,
    ) -> Checked<SecretSource> {
        let root = Place::root();
        let given = self.secret(&root, "secret", raw.secret.as_ref(), raw.secret_file.as_ref())?;
        match (given, store) {
            (Some((secret, place)), _) => Ok(SecretSource::Given(self.strong(secret, &place)?)),
            (None, Some(StoreConfig::Embedded { path })) => {
                let mut beside = path.clone().into_os_string();
                beside.push(".secret");
                Ok(SecretSource::KeptBeside(beside.into()))
            }
            (None, Some(StoreConfig::Redis { .. })) => {
                let place = root.key("secret", root.spot);
                let problem = "is missing: with Redis every replica needs the same secret";
                let instead =
                    "write `secret: ${GATELODGE_SECRET}` or `secret_file`; make one with: gatelodge secret";
                Err(self.report(&place, problem, instead))
            }
            // Without a store a fault has been recorded already.
            (None, Some(StoreConfig::Memory) | None) => Ok(SecretSource::Ephemeral),
        }
    }

    /// The secrets that still open, or open already. `current` is the secret, if it is known.
    pub(super) fn previous_secrets(
        &mut self,
        raw: &RawConfig,
        current: Option<&SecretSource>,
    ) -> Checked<Vec<MasterSecret>> {
        let root = Place::root();
        let listed = self.list(&root, "previous_secrets", raw.previous_secrets.as_ref(), |_, value| {
            Ok((Secret::new(value.text.clone()), value.place.clone()))
        });
        let file = self.optional(&root, "previous_secrets_file", raw.previous_secrets_file.as_ref())?;
        let mut listed = listed?;
        if let Some(file) = file {
            if !listed.is_empty() {
                let problem = "`previous_secrets` and `previous_secrets_file` are both given";
                return Err(self.report(&file.place, problem, "keep one of them"));
            }
            let text = Secret::new(self.file(&file)?);
            let lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty());
            listed = lines.map(|line| (Secret::new(line.to_owned()), file.place.clone())).collect();
            if listed.is_empty() {
                let problem = format!("the file {} is empty", file.quoted());
                return Err(self.report(&file.place, problem, "write one secret a line, or remove the key"));
            }
        }
        let mut previous = Vec::with_capacity(listed.len());
        for (secret, place) in listed {
            let is_current =
                matches!(current, Some(SecretSource::Given(current)) if current.expose() == secret.expose());
            if is_current {
                return Err(self.report(&place, "is the current secret", "remove it here"));
            }
            if matches!(current, Some(SecretSource::Ephemeral)) {
                let problem = "has no effect: without `secret`, nothing outlives the process in memory";
                return Err(self.report(&place, problem, "remove it"));
            }
            previous.push(self.strong(secret, &place)?);
        }
        Ok(previous)
    }

    fn strong(&mut self, secret: Secret, place: &Place) -> Checked<MasterSecret> {
        MasterSecret::new(secret).map_err(|weak| self.report(place, weak.to_string(), ""))
    }
}
