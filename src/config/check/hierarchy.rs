//! Which scopes imply which: without circles, and with an effect.

use super::super::defaults;
use super::super::fault::Place;
use super::super::settings::ResourceConfig;
use super::super::text::{Located, Pairs, Texts};
use super::Checked;
use super::access::Known;
use super::values::Checker;
use crate::protocol::{Scope, ScopeSet};

type Steps = Vec<(Scope, ScopeSet)>;

impl Checker<'_> {
    pub(super) fn scope_hierarchy(
        &mut self,
        access: &Place,
        raw: Option<&Located<Pairs<Texts>>>,
        known: Known<'_>,
    ) -> Checked<Steps> {
        let Some(raw) = raw else { return Ok(usual()) };
        let place = access.key("scope_hierarchy", raw.spot);
        let mut steps: Steps = Vec::new();
        let mut places = Vec::new();
        let mut failed = None;
        for (key, list) in &raw.inner.0 {
            let scope = self.value(place.key(&key.written, key.spot), key).and_then(|value| {
                let scope = self.known_scope(&value, &[], known)?;
                if steps.iter().any(|(other, _)| *other == scope) {
                    let problem = format!("{} is given twice", value.quoted());
                    return Err(self.report(&value.place, problem, "keep one of them"));
                }
                Ok((scope, value.place))
            });
            let implied = self.scopes((&place, &key.written), Some(list), &[], known);
            match (scope, implied) {
                (Ok((scope, at)), Ok(implied)) => {
                    steps.push((scope, implied));
                    places.push(at);
                }
                (Err(reported), _) | (_, Err(reported)) => failed = Some(reported),
            }
        }
        if let Some(reported) = failed {
            return Err(reported);
        }
        for ((scope, implied), at) in steps.iter().zip(&places) {
            // One circle has several beginnings; the first is told.
            if reached(&steps, implied).contains(scope) {
                let problem = format!("`{scope}` would imply itself, by way of {implied}");
                return Err(self.report(at, problem, "remove one of the steps"));
            }
        }
        for ((scope, implied), at) in steps.iter().zip(&places) {
            for to in implied.iter() {
                let reached = reached(&steps, &std::iter::once(to.clone()).collect());
                let matters = |resource: &ResourceConfig| {
                    let has = |wanted: &Scope| resource.scopes.iter().any(|(own, _)| own == wanted);
                    has(scope) && reached.iter().any(has)
                };
                if known.resources.complete && !known.resources.good.iter().any(matters) {
                    let problem = format!("has no effect: no resource has both `{scope}` and `{to}`");
                    failed = Some(self.report(at, problem, "remove it, or add the scope to a resource"));
                }
            }
        }
        failed.map_or(Ok(steps), Err)
    }
}

/// What holds where the file says nothing.
fn usual() -> Steps {
    let parsed = defaults::SCOPE_HIERARCHY.map(|(scope, implied)| (scope.parse(), implied));
    let steps = parsed.into_iter().filter_map(|(scope, implied)| Some((scope.ok()?, implied)));
    steps.map(|(scope, implied)| (scope, ScopeSet::parse_lenient(implied))).collect()
}

/// These scopes, and everything that they imply.
fn reached(steps: &Steps, from: &ScopeSet) -> ScopeSet {
    let mut all = from.clone();
    loop {
        let next = steps.iter().filter(|(scope, _)| all.contains(scope));
        let wider = next.fold(all.clone(), |all, (_, implied)| all.union(implied));
        if wider == all {
            return all;
        }
        all = wider;
    }
}
