//! How many sign-ins may be begun.

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::RawSignIns;
use super::super::settings::SignInConfig;
use super::Checked;
use super::values::Checker;

/// More than any limit means anything at.
const MOST: u32 = 1_000_000;

impl Checker<'_> {
    pub(super) fn sign_ins(&mut self, raw: &RawSignIns) -> Checked<SignInConfig> {
        let place = Place::root().key("sign_ins", Place::root().spot);
        let per_address = (defaults::SIGN_INS_PER_ADDRESS, MOST);
        let per_address = self.count(&place, "per_address", raw.per_address.as_ref(), per_address);
        let most_pending = (defaults::MOST_PENDING, MOST);
        let most_pending = self.count(&place, "most_pending", raw.most_pending.as_ref(), most_pending);
        Ok(SignInConfig { per_address: per_address?, most_pending: most_pending? })
    }
}
