//! Random operations on several grants, sign-ins, clients and revocations at once: every store
//! answers as the [`Reference`] does.

use std::cell::Cell;
use std::sync::Arc;

use gatelodge::clock::Timestamp;
use gatelodge::domain::{Client, ClientId, Grant, NotBefore, PendingLogin, PersonId, Revoked};
use gatelodge::store::Store;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::Runtime;

use crate::harness::extent::{extent, figure};
use crate::harness::sample::{NOW, at_upstream, client, grant_of, later, login};

use super::backend::Backend;
use super::reference::Reference;
use super::steps::{Begun, Step, Subject, begun, steps};

/// Of each two: whose grants they are, and at which client.
const PEOPLE: [&str; 2] = ["alice", "bob"];
const CLIENTS: [&str; 2] = ["one", "two"];

/// A store beside the reference, with what the operations are about.
struct Side<'a> {
    store: &'a dyn Store,
    reference: Reference,
    grants: Vec<Grant>,
    logins: Vec<PendingLogin>,
    clients: Vec<Client>,
    known: NotBefore,
}

type Checked = Result<(), TestCaseError>;

impl<'a> Side<'a> {
    async fn begin(store: &'a dyn Store, begun: &Begun) -> Result<Side<'a>, TestCaseError> {
        // Each person has a grant at each client.
        let grants = begun.grants.iter().enumerate().map(|(number, (ends_at, expires_at))| Grant {
            client_id: ClientId::new(CLIENTS[number / 2]),
            ends_at: *ends_at,
            expires_at: *expires_at,
            ..grant_of(PEOPLE[number % 2])
        });
        let logins =
            begun.logins.iter().map(|expires_at| PendingLogin { expires_at: *expires_at, ..login() });
        let clients = begun.clients.iter().zip(CLIENTS);
        let clients = clients.map(|(expires_at, id)| Client { expires_at: *expires_at, ..client(id) });
        let mut side = Self {
            store,
            reference: Reference::default(),
            grants: grants.collect(),
            logins: logins.collect(),
            clients: clients.collect(),
            known: NotBefore::default(),
        };
        for grant in &side.grants {
            store.open_grant(grant, NOW).await.unwrap();
            side.reference.open_grant(grant);
        }
        for login in &side.logins {
            store.begin_login(login, NOW).await.unwrap();
            side.reference.begin_login(login);
        }
        for client in &side.clients {
            store.remember_client(client).await.unwrap();
            side.reference.remember_client(client);
        }
        prop_assert_eq!(store.not_before("").await.unwrap(), None, "a fresh store has revoked nothing");
        Ok(side)
    }

    /// One operation on both; the answers have to be the same.
    async fn step(&mut self, step: &Step, now: Timestamp) -> Checked {
        let (store, reference) = (self.store, &mut self.reference);
        match step {
            Step::Redeem { grant, idle } => {
                let id = self.grants[*grant].id;
                let expected = reference.redeem(&id, now, *idle);
                prop_assert_eq!(store.redeem_code(&id, now, *idle).await.unwrap(), expected);
            }
            Step::Rotate { grant, presented, rules } => {
                let id = self.grants[*grant].id;
                let presented = presented.against(reference.generation(&id));
                let expected = reference.rotate(&id, presented, now, *rules);
                prop_assert_eq!(store.rotate_refresh(&id, presented, now, *rules).await.unwrap(), expected);
            }
            Step::EndGrant { grant } => {
                let id = self.grants[*grant].id;
                prop_assert_eq!(store.end_grant(&id).await.unwrap(), reference.end_grant(&id));
            }
            Step::Revoke { what, moment, keep } => {
                let what = subject(*what);
                store.revoke(&what, *moment, *keep, now).await.unwrap();
                reference.revoke(&what, *moment, *keep, now);
            }
            Step::BeginLogin { login } => {
                let begun = &self.logins[*login];
                store.begin_login(begun, now).await.unwrap();
                reference.begin_login(begun);
            }
            Step::AdvanceLogin { login, from, upstream } => {
                let begun = &self.logins[*login];
                let next = upstream.map_or_else(|| begun.clone(), |name| at_upstream(begun, name));
                let expected = reference.advance_login(&next, *from, now);
                prop_assert_eq!(store.advance_login(&next, *from, now).await.unwrap(), expected);
            }
            Step::TakeLogin { login } => {
                let id = &self.logins[*login].id;
                prop_assert_eq!(store.take_login(id, now).await.unwrap(), reference.take_login(id, now));
            }
            Step::RegisterClient { client, places } => {
                let place = store.next_place(*places).await.unwrap();
                prop_assert_eq!(place, reference.next_place(*places));
                // Each is a new one.
                let client = Client { id: ClientId::at(place), ..newest(&self.clients, *client).clone() };
                store.register_client(&client).await.unwrap();
                reference.register_client(&client);
                self.clients.push(client);
            }
            Step::RememberClient { client } => {
                let client = newest(&self.clients, *client);
                store.remember_client(client).await.unwrap();
                reference.remember_client(client);
            }
            Step::KeepClient { client, until } => {
                let id = &newest(&self.clients, *client).id;
                prop_assert_eq!(
                    store.keep_client(id, *until).await.unwrap(),
                    reference.keep_client(id, *until)
                );
            }
            Step::UpdateClient { client, name } => {
                let name = Some((*name).to_owned());
                let client = Client { name, expires_at: None, ..newest(&self.clients, *client).clone() };
                let expected = reference.update_client(&client);
                prop_assert_eq!(store.update_client(&client).await.unwrap(), expected);
            }
            Step::ForgetClient { client, only_unused } => {
                let id = &newest(&self.clients, *client).id;
                let forgotten = match only_unused {
                    true => store.forget_unused_client(id).await.unwrap(),
                    false => store.forget_client(id).await.unwrap(),
                };
                prop_assert_eq!(forgotten, reference.forget_client(id, *only_unused));
            }
            Step::Look => {}
        }
        Ok(())
    }

    /// Whatever the operation was about, everything else is as it was.
    async fn look(&mut self, now: Timestamp) -> Checked {
        for Grant { id, .. } in &self.grants {
            prop_assert_eq!(self.store.grant(id, now).await.unwrap(), self.reference.grant(id, now));
        }
        for person in PEOPLE.map(person_of) {
            let kept = self.store.grants_of(&person, now).await.unwrap();
            prop_assert_eq!(kept, self.reference.grants_of(&person, now));
        }
        for PendingLogin { id, .. } in &self.logins {
            prop_assert_eq!(self.store.login(id, now).await.unwrap(), self.reference.login(id, now));
        }
        for Client { id, .. } in &self.clients {
            prop_assert_eq!(self.store.client(id, now).await.unwrap(), self.reference.client(id, now));
        }
        if let Some(newer) = self.store.not_before(self.known.version()).await.unwrap() {
            self.known = newer;
            let again = self.store.not_before(self.known.version()).await.unwrap();
            prop_assert_eq!(again, None, "nothing is newer than the newest");
        }
        for (person, client) in PEOPLE.into_iter().flat_map(|person| CLIENTS.map(|client| (person, client))) {
            let subjects = [Subject::Everything, Subject::Person(person), Subject::Client(client)];
            let up_to = subjects.map(|what| self.reference.revoked_up_to(&subject(what))).into_iter().max();
            let (owner, id) = (person_of(person), ClientId::new(client));
            for at in 0..14 {
                let expected = up_to.flatten().is_some_and(|moment| later(at) <= moment);
                let revoked = self.known.revokes(&owner, &id, later(at));
                prop_assert_eq!(revoked, expected, "{} at {}, opened at {}", person, client, at);
            }
        }
        Ok(())
    }
}

/// Counted from the newest.
fn newest(clients: &[Client], number: usize) -> &Client {
    &clients[clients.len() - 1 - number % clients.len()]
}

fn person_of(subject: &str) -> PersonId {
    PersonId::of("https://idp.example.com", subject)
}

fn subject(what: Subject) -> Revoked {
    match what {
        Subject::Everything => Revoked::Everything,
        Subject::Person(subject) => Revoked::Person(person_of(subject)),
        Subject::Client(id) => Revoked::Client(ClientId::new(id)),
    }
}

async fn compare(store: Arc<dyn Store>, begun: &Begun, steps: &[(u64, Step)]) -> Checked {
    let mut side = Side::begin(&*store, begun).await?;
    for (at, step) in steps {
        side.step(step, later(*at)).await?;
        side.look(later(*at)).await?;
    }
    Ok(())
}

/// Runs the same cases at every run, each on a fresh store: a failure is a fact and not a matter of
/// luck.
fn check(name: &str, cases: usize, fresh: impl AsyncFn() -> Option<Backend>) {
    let runtime = Runtime::new().unwrap();
    if runtime.block_on(fresh()).is_none() {
        return;
    }
    let operations = Cell::new(0);
    let cases = u32::try_from(cases).unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng)
        .run(&(begun(PEOPLE.len() * CLIENTS.len()), steps(PEOPLE, CLIENTS)), |(begun, steps)| {
            operations.set(operations.get() + steps.len());
            runtime.block_on(async {
                let backend = fresh().await.expect("it was there before");
                compare(backend.store(), &begun, &steps).await
            })
        })
        .unwrap();
    let seen =
        format!("{cases} sequences of {} operations in all: every answer as expected", operations.get());
    figure("REL-00", &format!("random operations on every record: {name}"), &seen);
}

/// REL-00, SEC-084, SEC-085, SEC-086, SEC-089, SEC-132: the embedded store says what the domain does.
#[test]
fn rel_00_memory_answers_as_the_reference_does() {
    check("embedded, in memory", extent(100, 3000), Backend::memory);
}

/// The same in a file.
#[test]
fn rel_00_a_file_answers_as_the_reference_does() {
    check("embedded, in a file", extent(10, 500), Backend::file);
}

/// REL-00, SEC-084, SEC-085, SEC-086, SEC-089, SEC-132: the scripts say the same.
#[test]
fn rel_00_redis_answers_as_the_reference_does() {
    check("Redis", extent(60, 3000), Backend::redis);
}

/// The same at the primary that sentinels name, where revocations wait for replicas.
#[test]
fn rel_00_sentinels_answer_as_the_reference_does() {
    check("Redis behind sentinels", extent(8, 500), Backend::redis_sentinel);
}

/// The same where each record has a node of its own.
#[test]
fn rel_00_a_cluster_answers_as_the_reference_does() {
    check("Redis Cluster", extent(8, 500), Backend::redis_cluster);
}
