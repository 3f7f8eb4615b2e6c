//! Two replicas that are restarted one after the other, while people refresh all the time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::harness::browser::Browser;
use crate::harness::client::{Reached as _, TestClient, Tokens};
use crate::harness::eventually::{Stopwatch, eventually, eventually_async};
use crate::harness::extent::{extent, figure};
use crate::harness::fleet::{Fleet, Replica};
use crate::harness::redis_server::installed;

const CALLERS: usize = 8;
const BOUND: Duration = Duration::from_secs(20);

/// People who refresh, each as soon as the last answer is there, each time over a connection of its
/// own: one that lies idle may be closed by either side at any time.
struct Crowd {
    answered: Arc<Vec<AtomicUsize>>,
    over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<()>>,
}

impl Crowd {
    async fn gather(fleet: &Arc<Fleet>, client: &TestClient) -> Self {
        let answered: Arc<Vec<_>> = Arc::new((0..CALLERS).map(|_| AtomicUsize::new(0)).collect());
        let over = Arc::new(AtomicBool::new(false));
        let mut callers = Vec::new();
        for number in 0..CALLERS {
            let (answered, over) = (Arc::clone(&answered), Arc::clone(&over));
            let (url, id) = (fleet.url("/oauth/token"), client.id.clone());
            let mut token = client.tokens(fleet).await.refresh;
            callers.push(tokio::spawn(async move {
                let browser = Browser::new();
                while !over.load(Ordering::SeqCst) {
                    let form =
                        [("grant_type", "refresh_token"), ("refresh_token", &token), ("client_id", &id)];
                    let request = browser.http().post(&url).header("connection", "close").form(&form);
                    let answer = request.send().await.expect("no connection is reset");
                    let page = crate::harness::browser::Page::of(&url, answer).await;
                    token = Tokens::of(&page).refresh;
                    answered[number].fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
        Self { answered, over, callers }
    }

    fn counts(&self) -> Vec<usize> {
        self.answered.iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }

    /// Waits until everybody has been answered so many times more.
    async fn answered(&self, more: usize) {
        let before = self.counts();
        eventually_async("everybody is answered", BOUND, async || {
            assert!(self.callers.iter().all(|caller| !caller.is_finished()), "a caller's request failed");
            let after = self.counts();
            before.iter().zip(&after).all(|(before, after)| *after >= *before + more)
        })
        .await;
    }

    /// Lets everybody finish; how many answers that were, all of them good.
    async fn disperse(self) -> usize {
        self.over.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.await.expect("every request is answered with 200");
        }
        self.answered.iter().map(|count| count.load(Ordering::SeqCst)).sum()
    }
}

/// A refresh whose head the broker has read, and whose body has not been sent.
struct Halfway {
    stream: TcpStream,
    body: String,
}

impl Halfway {
    fn begin(fleet: &Fleet, client: &TestClient, token: &str) -> Self {
        let body = format!("grant_type=refresh_token&client_id={}&refresh_token={token}", client.id);
        let head = format!(
            "POST /oauth/token HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nexpect: 100-continue\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
            fleet.front.port,
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", fleet.front.port)).expect("the front is there");
        stream.set_read_timeout(Some(BOUND)).expect("a socket");
        stream.write_all(head.as_bytes()).expect("it is sent");
        let asked = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut answer = vec![0; asked.len()];
        stream.read_exact(&mut answer).expect("the broker asks for the body");
        assert_eq!(answer, asked);
        Self { stream, body }
    }

    /// Sends the rest; gives back the successor.
    fn finish(mut self) -> String {
        self.stream.write_all(self.body.as_bytes()).expect("the connection is there");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).expect("the answer is whole");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        body["refresh_token"].as_str().expect("a successor").to_owned()
    }
}

/// REL-21: each of two replicas is taken off the front, gets SIGTERM in the middle of requests,
/// finishes them, ends, and is started again. No request fails, no connection is reset, nobody is
/// signed out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_21_a_rolling_restart_of_two_replicas_loses_nothing() {
    if !installed() {
        return;
    }
    let fleet = Arc::new(Fleet::start());
    let mut replicas = [fleet.launch(), fleet.launch()];
    fleet.to(&[&replicas[0], &replicas[1]]);
    let client = TestClient::register(&fleet).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(client.tokens(&fleet).await.refresh);
    }
    let crowd = Crowd::gather(&fleet, &client).await;
    let (mut restarts, mut slowest) = (0, Duration::ZERO);
    for _ in 0..extent(1, 10) {
        for leaving in 0..2 {
            let drained = restart((&fleet, &client, &crowd), &mut replicas, leaving, &mut tokens).await;
            slowest = slowest.max(drained);
            restarts += 1;
        }
    }
    crowd.answered(2).await;
    let answers = crowd.disperse().await;
    let seen = format!(
        "{restarts} restarts: {answers} refreshes by {CALLERS} people, 0 failed, 0 reset; ended {slowest:.1?} after \
         SIGTERM"
    );
    figure("REL-21", "two replicas are restarted one after the other", &seen);
}

/// How long the replica took from SIGTERM to its end.
async fn restart(
    (fleet, client, crowd): (&Fleet, &TestClient, &Crowd),
    replicas: &mut [Replica; 2],
    leaving: usize,
    tokens: &mut [String],
) -> Duration {
    fleet.to(&[&replicas[leaving]]);
    let halfway: Vec<_> = tokens.iter().map(|token| Halfway::begin(fleet, client, token)).collect();
    fleet.to(&[&replicas[1 - leaving]]);
    // Nobody is on the way to the one that leaves any more.
    crowd.answered(1).await;

    let serving = &mut replicas[leaving].serving;
    let port = serving.port();
    serving.terminate();
    let begin = Stopwatch::start();
    eventually("nobody new is let in", BOUND, || TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(serving.is_running(), "requests are not answered yet");
    for (token, halfway) in tokens.iter_mut().zip(halfway) {
        *token = halfway.finish();
    }
    assert!(serving.wait().success());
    let drained = begin.elapsed();
    assert!(drained <= Duration::from_secs(30), "{drained:?}");

    replicas[leaving] = fleet.launch();
    fleet.to(&[&replicas[0], &replicas[1]]);
    crowd.answered(1).await;
    drained
}
