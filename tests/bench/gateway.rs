//! What the gateway adds to a call, and what open streams take: `--gateway`.
//!
//! The server behind it is in this process. It is called directly and through the gateway, in turn, by as many
//! callers; what is counted is the gateway's CPU time, and by how much later answers come. Then streams are
//! opened that say one thing and are silent; the gateway's memory is read before and while they are open, and
//! at the end each of them has to bring what the server says to all.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::sse::{Event, Sse};
use axum::routing::post;
use futures::stream::{self, Stream, StreamExt as _};
use gatelodge::outbound::Outbound;
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::contestant::{Contestant, Product, Running, Store};
use crate::rounds::micros;
use crate::work::Caller;
use crate::{Fault, contestant};

/// How many streams are open at once, and how many are opened at the same time.
const STREAMS: usize = 5_000;
const AT_ONCE: usize = 50;

/// A call of a tool, and its answer.
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":"quarterly figures"}}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Three documents: the plan, the figures, and the minutes of the meeting in June."}],"isError":false}}"#;

/// Measures, and gives back a table.
pub(crate) async fn measure(binary: &Path, callers: usize, rounds: usize) -> Result<String, Fault> {
    let (tell, told) = watch::channel(false);
    let server = serve(told).await?;
    let direct = format!("{server}/mcp");
    let product = Product::Gatelodge { binary: binary.to_owned(), label: "Gatelodge" };
    let running = Contestant::new(&product, Store::Local).start_before(&direct).await?;
    let through = format!("{}{}", running.origin, contestant::GATE);
    let outbound = Outbound::new()?;
    let caller = Caller::new(Arc::new(running.endpoints.clone()), outbound.clone()).await?;
    let token = caller.token_for(&through)?;
    let calls = Calls { outbound, token, callers };
    let mut costs = Vec::new();
    let (mut behind, mut added) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let alone = calls.of(&direct).await?;
        let before = running.cpu()?.server;
        let gated = calls.of(&through).await?;
        let cpu = running.cpu()?.server.saturating_sub(before) / u32::try_from(gated.len())?.max(1);
        eprintln!("round {round} of {rounds}  {:.1} µs a call", micros(cpu));
        // The first one warms up.
        if round > 0 {
            costs.push(cpu);
            behind.extend(alone);
            added.extend(gated);
        }
    }
    costs.sort();
    let cpu = costs.get(costs.len() / 2).copied().unwrap_or_default();
    let (bytes, delivered) = streams(&running, &through, &calls.token, &tell).await?;
    let row = |name: &str, of: &mut [Duration]| {
        let (half, most) = (percentile(of, 50), percentile(of, 99));
        format!("| {name} | {:.0} µs | {:.0} µs |\n", micros(half), micros(most))
    };
    Ok(format!(
        "CPU time of the gateway for a call: {:.1} µs, {:.0} a second and core\n\n| {callers} callers | p50 | p99 |\n|---|---|---|\n{}{}\n\
         {STREAMS} silent streams: {:.1} KiB each; all brought the next event: {delivered}",
        micros(cpu),
        1e6 / micros(cpu).max(0.001),
        row("the server alone", &mut behind),
        row("through the gateway", &mut added),
        bytes / 1024.0,
    ))
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Callers that ask again as soon as they were answered.
struct Calls {
    outbound: Outbound,
    token: String,
    callers: usize,
}

impl Calls {
    /// How long each call took, for two seconds.
    async fn of(&self, url: &str) -> Result<Vec<Duration>, Fault> {
        let end = Instant::now() + Duration::from_secs(2);
        let one = async || -> Result<Vec<Duration>, Fault> {
            let mut took = Vec::new();
            while Instant::now() < end {
                let request = Request::post(url)
                    .header("content-type", "application/json")
                    .header("accept", "application/json, text/event-stream")
                    .header("authorization", format!("Bearer {}", self.token));
                let begun = Instant::now();
                let answer = self.outbound.send(request.body(CALL.as_bytes().to_vec())?).await?;
                if answer.body().as_slice() != ANSWER.as_bytes() {
                    return Err(format!("{url} answered {}", answer.status()).into());
                }
                took.push(begun.elapsed());
            }
            Ok(took)
        };
        let all = futures::future::try_join_all((0..self.callers).map(|_| one())).await?;
        Ok(all.into_iter().flatten().collect())
    }
}

/// What a silent stream takes, in bytes, and how many of them still brought the next event.
async fn streams(
    running: &Running,
    url: &str,
    token: &str,
    tell: &watch::Sender<bool>,
) -> Result<(f64, usize), Fault> {
    let before = running.memory()?.now;
    let opened = stream::iter(0..STREAMS).map(|_| open(url, token)).buffer_unordered(AT_ONCE);
    let opened: Vec<Result<TcpStream, Fault>> = opened.collect().await;
    let mut opened = opened.into_iter().collect::<Result<Vec<_>, _>>()?;
    let kibibytes = running.memory()?.now.saturating_sub(before);
    tell.send_replace(true);
    let mut delivered = 0;
    for stream in &mut opened {
        let heard = tokio::time::timeout(Duration::from_secs(30), heard(stream, "data: now")).await;
        delivered += usize::from(matches!(heard, Ok(Ok(()))));
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = kibibytes as f64 * 1024.0 / STREAMS as f64;
    Ok((each, delivered))
}

/// Opens a stream and waits for what it says first.
async fn open(url: &str, token: &str) -> Result<TcpStream, Fault> {
    let rest = url.strip_prefix("http://").ok_or("the gateway speaks http here")?;
    let (authority, path) = rest.split_once('/').ok_or("there is no path")?;
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    heard(&mut stream, "data: here").await?;
    Ok(stream)
}

async fn heard(stream: &mut TcpStream, wanted: &str) -> Result<(), Fault> {
    let mut all = Vec::new();
    let mut piece = [0; 1024];
    while !String::from_utf8_lossy(&all).contains(wanted) {
        match stream.read(&mut piece).await? {
            0 => return Err(format!("a stream ended: {}", String::from_utf8_lossy(&all)).into()),
            some => all.extend_from_slice(piece.get(..some).unwrap_or_default()),
        }
    }
    Ok(())
}

/// A server that answers every call, and whose streams say `here` first and `now` when all are told.
async fn serve(told: watch::Receiver<bool>) -> Result<String, Fault> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let call = || async { ([("content-type", "application/json")], ANSWER) };
    let listen = move || async move { Sse::new(events(told.clone())) };
    let router = Router::new().route("/mcp", post(call).get(listen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(origin)
}

fn events(mut told: watch::Receiver<bool>) -> impl Stream<Item = Result<Event, Infallible>> {
    let first = stream::once(async { Ok(Event::default().data("here")) });
    let second = stream::once(async move {
        // The sender outlives the streams.
        drop(told.wait_for(|all| *all).await);
        Ok(Event::default().data("now"))
    });
    first.chain(second).chain(stream::pending())
}
