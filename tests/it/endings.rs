//! How the program ends: asked to, and suddenly.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::eventually::Stopwatch;
use crate::harness::extent::{extent, figure};
use crate::harness::program::{GOOD, HOST, Serving};
use crate::harness::temp_dir::TempDir;

/// Requests that are open when the end is asked for.
const OPEN: usize = 5;

fn body(name: &str) -> String {
    json!({ "client_name": name, "redirect_uris": ["http://127.0.0.1/cb"] }).to_string()
}

/// REL-21: who is being answered when the end is asked for gets the whole answer; nobody new is
/// let in; the end is a success, and comes within 30 s.
#[test]
fn rel_21_open_requests_are_finished_before_the_end() {
    let drains = extent(1, 100);
    let folder = TempDir::new();
    let longest = (0..drains).map(|_| drain(folder.path())).max().expect("a drain");
    assert!(longest <= Duration::from_secs(30), "{longest:?}");
    let open = drains * OPEN;
    let seen = format!("{drains} times: none of {open} open requests cut; ended within {longest:.1?}");
    figure("REL-21", "`SIGTERM` while requests are open", &seen);
}

/// One life of the program: how long its end took, from being asked for.
fn drain(folder: &Path) -> Duration {
    let mut serving = Serving::start(folder);
    let body = body("slow");
    let (first, rest) = body.split_at(10);
    let mut open: Vec<TcpStream> = (0..OPEN)
        .map(|_| {
            let mut stream = TcpStream::connect(&serving.address).expect("a connection");
            write!(
                stream,
                "POST /oauth/register HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\nexpect: 100-continue\r\n\r\n",
                body.len()
            )
            .expect("a head");
            // The server asks for the body: it has begun with this request.
            let mut asked = [0; 25];
            stream.read_exact(&mut asked).expect("an interim answer");
            assert!(asked.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&asked));
            stream.write_all(first.as_bytes()).expect("half a body");
            stream
        })
        .collect();
    let asked = Stopwatch::start();
    serving.terminate();
    while TcpStream::connect(&serving.address).is_ok() {
        std::thread::yield_now();
    }
    for stream in &mut open {
        stream.write_all(rest.as_bytes()).expect("the other half");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a bound");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("no reset");
        assert!(answer.starts_with("HTTP/1.1 201") && answer.contains("client_id"), "{answer}");
    }
    assert!(serving.wait().success());
    asked.elapsed()
}

/// REL-17: whoever was told "201" before the process was killed is known after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_17_what_was_acknowledged_survives_a_kill() {
    let folder = TempDir::new();
    let mut acknowledged: Vec<String> = Vec::new();
    let kills = extent(5, 100);
    let config = format!("{GOOD}registration: {{ per_address: 1000000 }}\n");
    for round in 0..kills {
        let serving = Serving::with(folder.path(), &config);
        let url = format!("http://{}/oauth/register", serving.address);
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (url, told) = (url.clone(), told.clone());
                tokio::spawn(async move {
                    let browser = Browser::new();
                    loop {
                        let request = browser.http().post(&url).header("host", HOST);
                        let request = request.header("content-type", "application/json").body(body("c"));
                        // The kill cuts the last ones off.
                        let Ok(answer) = request.send().await else { return };
                        let Ok(client) = answer.json::<Value>().await else { return };
                        drop(told.send(client["client_id"].as_str().expect("an id").to_owned()));
                    }
                })
            })
            .collect();
        drop(told);
        // In the middle of the work, after a different number of answers each time.
        for _ in 0..30 + 7 * round % 40 {
            acknowledged.push(heard.recv().await.expect("the writers go on"));
        }
        serving.kill();
        for writer in writers {
            writer.await.expect("a writer");
        }
        while let Some(client) = heard.recv().await {
            acknowledged.push(client);
        }
    }
    let serving = Serving::start(folder.path());
    let browser = Browser::new();
    let known = async |client: &str| {
        // An unknown client gets 400; one that is known gets further and is told what is missing.
        let url = format!("http://{}/oauth/authorize?client_id={client}", serving.address);
        let answer = browser.http().get(&url).header("host", HOST).send().await.expect("an answer");
        answer.status().as_u16() == 200
    };
    assert!(!known("glc_nobody").await);
    for client in &acknowledged {
        assert!(known(client).await, "{client} was acknowledged and is lost");
    }
    let seen = format!("{kills} kills: none of {} registrations lost", acknowledged.len());
    figure("REL-17", "`kill -9` of the program with its file, under load of registrations", &seen);
}
