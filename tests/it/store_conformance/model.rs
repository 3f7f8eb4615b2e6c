//! Random operations: every store answers as the pure transitions of the domain do.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::clock::Timestamp;
use gatelodge::domain::{Grant, LAST_GENERATION, Redemption, Rotation, RotationRules};
use gatelodge::store::Store;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::harness::sample::{NOW, earlier, grant, later};

use super::backend::Backend;

/// One thing that can happen to a grant, at some second.
#[derive(Debug, Clone)]
enum Step {
    Redeem { idle: Duration },
    Rotate { presented: Presented, rules: RotationRules },
    Look,
    End,
}

/// A generation, mostly near the current one.
#[derive(Debug, Clone)]
enum Presented {
    Near(i64),
    Exactly(u64),
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    // Few different seconds, so that boundaries are met often; grace in halves of one.
    let idle = (0_u64..12).prop_map(Duration::from_secs);
    let grace = (0_u64..8).prop_map(|halves| Duration::from_millis(500 * halves));
    let rules = (grace, idle.clone()).prop_map(|(grace, idle)| RotationRules { grace, idle });
    let presented = prop_oneof![
        12 => (-2_i64..=1).prop_map(Presented::Near),
        1 => prop_oneof![Just(u64::MAX), Just(1 << 53), Just((1 << 53) + 1), 0_u64..12]
            .prop_map(Presented::Exactly),
    ];
    let step = prop_oneof![
        3 => idle.prop_map(|idle| Step::Redeem { idle }),
        10 => (presented, rules).prop_map(|(presented, rules)| Step::Rotate { presented, rules }),
        2 => Just(Step::Look),
        1 => Just(Step::End),
    ];
    // Clocks of replicas differ, so time does not only go forward.
    let steps = prop::collection::vec((0_u64..12, step), 1..24);
    let redeemed = Step::Redeem { idle: Duration::from_secs(12) };
    (prop::bool::weighted(0.7), steps).prop_map(move |(begin_redeemed, mut steps)| {
        if begin_redeemed {
            steps.insert(0, (0, redeemed.clone()));
        }
        steps
    })
}

/// A grant whose ends lie in all orders, and sometimes beyond any date.
fn grants() -> impl Strategy<Value = Grant> {
    let ends_at = prop_oneof![
        6 => (0_u64..24).prop_map(later),
        2 => Just(Timestamp::from_unix(LAST_GENERATION)),
        1 => (1_u64..3).prop_map(earlier),
    ];
    (ends_at, 1_u64..12).prop_map(|(ends_at, code)| Grant { ends_at, expires_at: later(code), ..grant() })
}

/// Applies the steps to the store and to the model, and compares every answer.
async fn compare(store: Arc<dyn Store>, opened: Grant, steps: Vec<(u64, Step)>) -> Result<(), TestCaseError> {
    // A failing case is shrunk by running it again: each run is a grant of its own.
    let opened = Grant { id: grant().id, ..opened };
    let (id, mut model) = (opened.id, Some(opened.clone()));
    store.open_grant(&opened, NOW).await.unwrap();
    for (at, step) in steps {
        let now = later(at);
        match step {
            Step::Redeem { idle } => {
                let expected = model.as_mut().map_or(Redemption::Gone, |m| m.redeem(now, idle));
                prop_assert_eq!(store.redeem_code(&id, now, idle).await.unwrap(), expected);
            }
            Step::Rotate { presented, rules } => {
                let presented = presented.against(model.as_ref());
                let expected = model.as_mut().map_or(Rotation::Gone, |m| m.rotate(presented, now, rules));
                if expected == Rotation::Reused {
                    model = None;
                }
                prop_assert_eq!(store.rotate_refresh(&id, presented, now, rules).await.unwrap(), expected);
            }
            Step::Look => {}
            Step::End => {
                prop_assert_eq!(store.end_grant(&id).await.unwrap(), model.take().is_some());
            }
        }
        let expected = model.clone().filter(|grant| !grant.is_expired(now));
        prop_assert_eq!(store.grant(&id, now).await.unwrap(), expected);
    }
    Ok(())
}

impl Presented {
    fn against(&self, model: Option<&Grant>) -> u64 {
        use gatelodge::domain::GrantState;
        match (self, model.map(|grant| &grant.state)) {
            (Self::Exactly(generation), _) => *generation,
            (Self::Near(by), Some(GrantState::Active { generation, .. })) => {
                generation.saturating_add_signed(*by)
            }
            (Self::Near(by), _) => 1_u64.saturating_add_signed(*by),
        }
    }
}

/// Runs the same cases at every run: a failure is a fact and not a matter of luck.
fn check(cases: u32, store: &Arc<dyn Store>, runtime: &tokio::runtime::Runtime) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng)
        .run(&(grants(), steps()), |(grant, steps)| {
            runtime.block_on(compare(Arc::clone(store), grant, steps))
        })
        .unwrap();
}

/// SEC-084, SEC-085, SEC-086, SEC-089: the embedded store is the domain's transitions.
#[test]
fn memory_answers_as_the_domain_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    check(200, &runtime.block_on(Backend::memory()).unwrap().store(), &runtime);
}

/// SEC-084, SEC-085, SEC-086, SEC-089: the scripts say the same.
#[test]
fn redis_answers_as_the_domain_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(backend) = runtime.block_on(Backend::redis()) {
        check(200, &backend.store(), &runtime);
    }
}
