//! A broker that is killed in the middle of a request: the real program, a real Redis, `kill -9`.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use gatelodge::secret::{MasterSecret, Secret};
use gatelodge::tokens::RefreshTokens;

use crate::harness::broker::Setup;
use crate::harness::browser::Page;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::eventually::eventually;
use crate::harness::extent::{extent, figure};
use crate::harness::fleet::{Fleet, Replica};
use crate::harness::redis_server::installed;

/// Does this command change anything that decides? The journal is written beside the requests.
fn writes(command: &[u8]) -> bool {
    let text = String::from_utf8_lossy(command);
    let changes = ["EVAL", "UNLINK", "HSET"].iter().any(|word| text.contains(word));
    changes && !text.contains(AUDIT)
}

/// The key of the journal.
const AUDIT: &str = "gl:1:audit";

/// Where a broker is killed: at its `nth` write, which Redis has executed or has never heard of.
#[derive(Debug, Clone, Copy)]
struct Point {
    nth: usize,
    executed: bool,
}

impl Point {
    /// Every point in turn: before the first write, after it, before the second, and so on.
    fn all() -> impl Iterator<Item = Self> {
        (1..).flat_map(|nth| [false, true].map(|executed| Self { nth, executed }))
    }
}

struct Scene {
    fleet: Arc<Fleet>,
    broker: Option<Replica>,
    kills: usize,
}

impl Scene {
    /// A broker whose scripts are known to Redis, so that each write is one command.
    async fn start() -> (Self, TestClient) {
        let mut scene = Self { fleet: Arc::new(Fleet::start()), broker: None, kills: 0 };
        scene.start_another();
        let client = TestClient::register(&scene.fleet).await;
        let tokens = client.tokens(&scene.fleet).await;
        let next = Tokens::of(&client.refresh(&scene.fleet, &tokens.refresh).await);
        assert_eq!(client.revoke(&scene.fleet, &next.refresh).await.status, 200);
        (scene, client)
    }

    fn start_another(&mut self) {
        let broker = self.fleet.launch();
        self.fleet.to(&[&broker]);
        self.broker = Some(broker);
    }

    /// Sends a request, kills the broker at that point, and starts another on the same store. An
    /// answer comes back only if the request has no such point.
    async fn kill(&mut self, at: Point, request: impl Future<Output = Page>) -> Option<Page> {
        let wire = &self.fleet.wire;
        let mut held =
            if at.executed { wire.hold_reply(at.nth, writes) } else { wire.hold_request(at.nth, writes) };
        tokio::select! {
            page = request => return Some(page),
            () = held.reached() => {}
        }
        self.broker.take().expect("it serves").serving.kill();
        drop(held);
        self.kills += 1;
        self.start_another();
        None
    }

    /// Waits until nothing but the next request will be said on the way to Redis: what has happened
    /// stands in the journal.
    fn settle(&self, happened: impl Fn(&Self) -> bool) {
        eventually("the journal is written", Duration::from_secs(5), || happened(self));
    }

    /// Was this the last thing that happened?
    fn ended_with(&self, kind: &str) -> bool {
        let newest: Vec<(String, Vec<String>)> =
            self.fleet.redis.ask(&format!("XREVRANGE {AUDIT} + - COUNT 1"));
        newest.iter().flat_map(|(_, fields)| fields).any(|field| field.contains(kind))
    }

    /// How many records there are.
    fn records(&self) -> u64 {
        self.fleet.redis.ask("DBSIZE")
    }
}

/// REL-09, SEC-165: killed at each write from redeeming to answering. Until Redis has redeemed the
/// code, it is as good as ever; from then on it is worth nothing, and nothing is left that could be
/// used. Which of the two is decided by one command alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_09_a_kill_while_redeeming_leaves_a_good_code_or_none() {
    if !installed() {
        return;
    }
    let (mut scene, client) = Scene::start().await;
    let nothing = scene.records();
    for _ in 0..extent(1, 20) {
        let mut answers = Vec::new();
        for point in Point::all() {
            let fleet = Arc::clone(&scene.fleet);
            let code = client.code(&fleet).await;
            scene.settle(|scene| scene.ended_with("signed_in"));
            let answer = scene.kill(point, client.redeem(&fleet, &code)).await;
            let whole = answer.is_some();
            let page = match answer {
                Some(page) => page,
                None => client.redeem(&scene.fleet, &code).await,
            };
            if page.status == 200 {
                assert!(scene.records() > nothing);
                let next = Tokens::of(&client.refresh(&scene.fleet, &Tokens::of(&page).refresh).await);
                assert_eq!(client.revoke(&scene.fleet, &next.refresh).await.status, 200);
            } else {
                assert_eq!((page.status, page.error().as_str()), (400, "invalid_grant"), "{point:?}");
            }
            assert_eq!(scene.records(), nothing, "{point:?}: nothing is left of it");
            if whole {
                break;
            }
            answers.push(page.status);
        }
        let good = answers.iter().take_while(|status| **status == 200).count();
        assert!(answers[good..].iter().all(|status| *status == 400), "{answers:?}");
        assert!(good > 0 && good < answers.len(), "both halves are seen: {answers:?}");
        assert_eq!(good % 2, 1, "the same command, unheard and executed: {answers:?}");
    }
    let seen = format!("{} kills: a good code or invalid_grant, and no record left over", scene.kills);
    figure("REL-09", "kill -9 at each write of a redemption", &seen);
}

/// REL-09: killed at each write of a refresh. Whoever comes again with the same token gets the one
/// successor, whether the dead broker had made it or not, and so does everybody else with that token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_09_a_kill_while_refreshing_has_one_successor() {
    if !installed() {
        return;
    }
    let (mut scene, client) = Scene::start().await;
    let secret = MasterSecret::new(Secret::new(Setup::default().secret)).unwrap();
    let tokens = RefreshTokens::new(&secret);
    let generation = |token: &str| tokens.read(token).expect("a token of ours").generation();
    let mut current = client.tokens(&scene.fleet).await.refresh;
    scene.settle(|scene| scene.ended_with("token_issued"));
    for _ in 0..extent(1, 20) {
        let kills = scene.kills;
        for point in Point::all() {
            let fleet = Arc::clone(&scene.fleet);
            // A refresh stands in the log alone: nothing but itself is said on the way to Redis.
            let answer = scene.kill(point, client.refresh(&fleet, &current)).await;
            let whole = answer.is_some();
            let again = join_all((0..3).map(|_| client.refresh(&scene.fleet, &current))).await;
            let all = again.iter().chain(&answer);
            let successors: BTreeSet<String> = all.map(|page| Tokens::of(page).refresh).collect();
            assert_eq!(successors.len(), 1, "{point:?}");
            let successor = successors.into_iter().next().unwrap();
            assert_eq!(generation(&successor), generation(&current) + 1, "{point:?}");
            current = successor;
            if whole {
                break;
            }
        }
        assert_eq!(scene.kills - kills, 2, "one command rotates: it was unheard, and executed");
    }
    let seen = format!("{} kills: one successor each time, and the family lives", scene.kills);
    figure("REL-09", "kill -9 at each write of a refresh", &seen);
}

/// REL-09, PRIN-4: an answer that is held up on its way back from Redis is no other answer. Whoever
/// comes again meanwhile, at another broker, gets the same successor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_09_an_answer_that_is_held_up_is_the_same_answer() {
    if !installed() {
        return;
    }
    let (scene, client) = Scene::start().await;
    let first = client.tokens(&scene.fleet).await;
    let mut held = scene.fleet.wire.hold_reply(1, writes);
    let late = client.refresh(&scene.fleet, &first.refresh);
    let meanwhile = async {
        held.reached().await;
        let other = scene.fleet.launch();
        scene.fleet.to(&[&other]);
        let page = client.refresh(&scene.fleet, &first.refresh).await;
        held.release();
        page
    };
    let (late, meanwhile) = tokio::join!(late, meanwhile);
    assert_eq!(Tokens::of(&late).refresh, Tokens::of(&meanwhile).refresh);
}
