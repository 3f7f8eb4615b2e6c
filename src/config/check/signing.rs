//! How tokens are signed.

use std::path::PathBuf;
use std::time::Duration;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::RawSigning;
use super::super::settings::{SigningAlgorithm, SigningConfig};
use super::Checked;
use super::values::{Checker, Value, duration};
use crate::secret::Secret;

/// A key is published a day before it signs, so it signs for two at least.
const ROTATE: (&str, &str) = ("2d", "3650d");

impl Checker<'_> {
    pub(super) fn signing(&mut self, raw: &RawSigning) -> Checked<SigningConfig> {
        let place = Place::root().key("signing", Place::root().spot);
        let algorithm = self
            .or_default(&place, "algorithm", raw.algorithm.as_ref(), defaults::ALGORITHM)
            .and_then(|value| self.word(&value, &SigningAlgorithm::ALL.map(|one| (one.as_str(), one))));
        let key_files = self.list(&place, "key_file", raw.key_file.as_ref(), Self::private_key_file);
        let rotate_every = self
            .or_default(&place, "rotate_every", raw.rotate_every.as_ref(), defaults::ROTATE_EVERY)
            .and_then(|value| self.rotation(&value));
        let (key_files, rotate_every) = (key_files?, rotate_every?);
        if let (false, Some(given)) = (key_files.is_empty(), &raw.rotate_every) {
            let problem = "has no effect: `key_file` brings the keys";
            let instead = "remove it; key_file may be a list, whose first key signs";
            return Err(self.report(&place.key("rotate_every", given.spot), problem, instead));
        }
        Ok(SigningConfig { algorithm: algorithm?, key_files, rotate_every })
    }

    fn private_key_file(&mut self, path: &Value) -> Checked<PathBuf> {
        let text = Secret::new(self.file(path)?);
        if text.expose().contains("PRIVATE KEY-----") {
            return Ok(path.text.clone().into());
        }
        let problem = format!("the file {} holds no private key", path.quoted());
        let instead = "name a PEM file that begins with -----BEGIN PRIVATE KEY-----";
        Err(self.report(&path.place, problem, instead))
    }

    fn rotation(&mut self, value: &Value) -> Checked<Option<Duration>> {
        if value.text == "never" {
            return Ok(None);
        }
        let (least, most) = ROTATE;
        let within = |every: &Duration| {
            duration(least).is_some_and(|least| *every >= least)
                && duration(most).is_some_and(|most| *every <= most)
        };
        if let Some(every) = duration(&value.text).filter(within) {
            return Ok(Some(every));
        }
        let problem = format!("{} is not a time to sign for", value.quoted());
        Err(self.report(&value.place, problem, format!("write {least} to {most}, such as 90d, or never")))
    }
}
