//! Which scopes imply which.

use std::collections::BTreeMap;

use crate::protocol::{Scope, ScopeSet};

/// Which scopes each scope implies.
#[derive(Debug, Clone, Default)]
pub struct Hierarchy(BTreeMap<Scope, ScopeSet>);

impl Hierarchy {
    /// A hierarchy of these steps; steps of one step are found here.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = (Scope, ScopeSet)>) -> Self {
        Self(steps.into_iter().collect())
    }

    /// The scopes and everything that they imply.
    #[must_use]
    pub fn closure(&self, scopes: &ScopeSet) -> ScopeSet {
        let mut all = scopes.clone();
        loop {
            let implied = all.iter().filter_map(|scope| self.0.get(scope));
            let wider = implied.fold(all.clone(), |all, implied| all.union(implied));
            if wider == all {
                return all;
            }
            all = wider;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closure(steps: &[(&str, &str)], scopes: &str) -> String {
        let steps = steps.iter().map(|(from, to)| (from.parse().unwrap(), ScopeSet::parse_lenient(to)));
        Hierarchy::new(steps).closure(&ScopeSet::parse_lenient(scopes)).to_string()
    }

    #[test]
    fn what_a_scope_implies_goes_all_the_way_down() {
        let steps = [("admin", "write audit"), ("write", "read")];
        assert_eq!(closure(&steps, "admin"), "admin audit read write");
        assert_eq!(closure(&steps, "write other"), "other read write");
        assert_eq!(closure(&steps, "read"), "read");
        assert_eq!(closure(&[], "admin"), "admin");
        assert_eq!(closure(&[("a", "b"), ("b", "a")], "a"), "a b", "it ends");
    }
}
