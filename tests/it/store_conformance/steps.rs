//! The random operations of the model.

use std::time::Duration;

use gatelodge::clock::Timestamp;
use gatelodge::domain::{LAST_GENERATION, RotationRules};
use proptest::prelude::*;

use crate::harness::sample::{earlier, later};

/// Sign-ins under way.
const LOGINS: usize = 2;

/// So many of the newest clients something happens to.
const CLIENTS: usize = 5;

/// One thing that can happen, at some second. What it is about is named by its number; of the clients, which
/// become more, the newest is 0.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Redeem { grant: usize, idle: Duration },
    Rotate { grant: usize, presented: Presented, rules: RotationRules },
    EndGrant { grant: usize },
    Revoke { what: Subject, moment: Timestamp, keep: Timestamp },
    BeginLogin { login: usize },
    AdvanceLogin { login: usize, from: u8, upstream: Option<&'static str> },
    TakeLogin { login: usize },
    RegisterClient { client: usize, places: usize },
    RememberClient { client: usize },
    KeepClient { client: usize, until: Timestamp },
    UpdateClient { client: usize, name: &'static str },
    ForgetClient { client: usize, only_unused: bool },
    Look,
}

/// What is revoked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    Everything,
    Person(&'static str),
    Client(&'static str),
}

/// A generation, mostly near the current one.
#[derive(Debug, Clone)]
pub(super) enum Presented {
    Near(i64),
    Exactly(u64),
}

impl Presented {
    /// As a number, given the family's generation.
    pub(super) fn against(&self, current: Option<u64>) -> u64 {
        match self {
            Self::Exactly(generation) => *generation,
            Self::Near(by) => current.unwrap_or(1).saturating_add_signed(*by),
        }
    }
}

/// What is there before the first step: the ends of each record.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    /// The absolute end and the code's end.
    pub(super) grants: Vec<(Timestamp, Timestamp)>,
    pub(super) logins: Vec<Timestamp>,
    pub(super) clients: Vec<Option<Timestamp>>,
}

/// Ends that lie in all orders, and sometimes beyond any date.
pub(super) fn begun(grants: usize) -> impl Strategy<Value = Begun> {
    let ends_at = prop_oneof![
        6 => (0_u64..24).prop_map(later),
        2 => Just(Timestamp::from_unix(LAST_GENERATION)),
        1 => (1_u64..3).prop_map(earlier),
    ];
    let grants = prop::collection::vec((ends_at, (1_u64..12).prop_map(later)), grants);
    let logins = prop::collection::vec((1_u64..14).prop_map(later), LOGINS);
    let clients = prop::collection::vec(prop::option::weighted(0.8, (1_u64..14).prop_map(later)), 2);
    (grants, logins, clients).prop_map(|(grants, logins, clients)| Begun { grants, logins, clients })
}

/// Few different seconds, so that boundaries are met often. Clocks of replicas differ, so time does
/// not only go forward.
pub(super) fn steps(
    people: [&'static str; 2],
    clients: [&'static str; 2],
) -> impl Strategy<Value = Vec<(u64, Step)>> {
    let grants = people.len() * clients.len();
    let idle = (0_u64..12).prop_map(Duration::from_secs);
    // In halves of a second.
    let grace = (0_u64..8).prop_map(|halves| Duration::from_millis(500 * halves));
    let rules = (grace, idle.clone()).prop_map(|(grace, idle)| RotationRules { grace, idle });
    let presented = prop_oneof![
        12 => (-2_i64..=1).prop_map(Presented::Near),
        1 => prop_oneof![Just(u64::MAX), Just(1 << 53), Just((1 << 53) + 1), 0_u64..12]
            .prop_map(Presented::Exactly),
    ];
    let what = prop_oneof![
        1 => Just(Subject::Everything),
        2 => prop::sample::select(people.map(Subject::Person).to_vec()),
        2 => prop::sample::select(clients.map(Subject::Client).to_vec()),
    ];
    let upstream = prop_oneof![Just(None), Just(Some("okta")), Just(Some("google"))];
    let soon = || (0_u64..14).prop_map(later);
    let step = prop_oneof![
        3 => (0..grants, idle).prop_map(|(grant, idle)| Step::Redeem { grant, idle }),
        10 => (0..grants, presented, rules)
            .prop_map(|(grant, presented, rules)| Step::Rotate { grant, presented, rules }),
        1 => (0..grants).prop_map(|grant| Step::EndGrant { grant }),
        3 => (what, soon(), soon()).prop_map(|(what, moment, keep)| Step::Revoke { what, moment, keep }),
        1 => (0..LOGINS).prop_map(|login| Step::BeginLogin { login }),
        4 => (0..LOGINS, 0_u8..2, upstream)
            .prop_map(|(login, from, upstream)| Step::AdvanceLogin { login, from, upstream }),
        2 => (0..LOGINS).prop_map(|login| Step::TakeLogin { login }),
        4 => (0..CLIENTS, 1_usize..4)
            .prop_map(|(client, places)| Step::RegisterClient { client, places }),
        1 => (0..CLIENTS).prop_map(|client| Step::RememberClient { client }),
        2 => (0..CLIENTS, prop_oneof![Just("before"), Just("after")])
            .prop_map(|(client, name)| Step::UpdateClient { client, name }),
        2 => (0..CLIENTS, any::<bool>())
            .prop_map(|(client, only_unused)| Step::ForgetClient { client, only_unused }),
        3 => (0..CLIENTS, soon()).prop_map(|(client, until)| Step::KeepClient { client, until }),
        1 => Just(Step::Look),
    ];
    let steps = prop::collection::vec((0_u64..12, step), 1..40);
    let redeemed = move |grant| (0, Step::Redeem { grant, idle: Duration::from_secs(12) });
    (0..=grants, steps).prop_map(move |(begin_redeemed, steps)| {
        (0..begin_redeemed).map(redeemed).chain(steps).collect::<Vec<_>>()
    })
}
