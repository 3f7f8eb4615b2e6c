//! What sessions take in Redis, and what one person's cost to list: `--sessions N`.
//!
//! Sessions as they are after a sign-in, of people with names and groups, put there through the
//! broker's own store. The bytes are Redis's `used_memory` before and after, by the session.

use std::fmt::Write as _;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use gatelodge::clock::{Clock as _, SystemClock, Timestamp};
use gatelodge::domain::{ClientId, Grant, GrantId, GrantState, Identity, PersonId, UpstreamId};
use gatelodge::protocol::{ResourceUri, ScopeSet};
use gatelodge::secret::{MasterSecret, Secret, random};
use gatelodge::store::redis::{DEFAULT_PREFIX, Servers};
use gatelodge::store::{RedisStore, Store as _};

use crate::Fault;
use crate::redis::Redis;
use crate::rounds::micros;

/// An idle time as it is by default: it makes Redis keep an expiry for each record.
const IDLE: Duration = Duration::from_secs(14 * 86_400);
/// How many are put at the same time.
const AT_ONCE: usize = 64;
/// How many people are listed.
const LISTED: u32 = 200;

/// Measures each layout of `sessions` over people, and prints a table.
pub(crate) async fn measure(sessions: usize) -> Result<String, Fault> {
    let mut table = String::from(
        "| sessions | of one person | bytes a session | listing one person |\n|---|---|---|---|\n",
    );
    for each in [1, 10] {
        // A tenth first: if listing took time for everybody's sessions, it would show.
        for count in [sessions / 10, sessions] {
            let (bytes, listing) = fill(count, each).await?;
            writeln!(table, "| {count} | {each} | {bytes} | {:.0} µs |", micros(listing))?;
        }
    }
    Ok(table)
}

async fn fill(sessions: usize, each: usize) -> Result<(usize, Duration), Fault> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let redis = Redis::start(folder.path()).await?;
    let servers = Servers::single(Secret::new(redis.url.clone()));
    let store = RedisStore::connect(&servers, DEFAULT_PREFIX, MasterSecret::generate().sealer()).await?;
    let now = SystemClock.now();
    let before = used(&redis.url)?;
    let people = sessions / each;
    stream::iter(0..people)
        .map(|number| {
            let store = &store;
            async move {
                for _ in 0..each {
                    let grant = session(number, now);
                    store.open_grant(&grant, now).await?;
                    store.redeem_code(&grant.id, now, IDLE).await?;
                }
                Ok::<_, Fault>(())
            }
        })
        .buffer_unordered(AT_ONCE)
        .fold(Ok(()), |all, one| async { all.and(one) })
        .await?;
    let bytes = (used(&redis.url)? - before) / (people * each);
    let begun = tokio::time::Instant::now();
    for number in 0..LISTED {
        let person = session(usize::try_from(number)? % people, now).identity.person();
        let found = store.grants_of(&person, now).await?.len();
        if found != each {
            return Err(format!("{found} sessions of one person were listed, and not {each}").into());
        }
    }
    Ok((bytes, begun.elapsed() / LISTED))
}

/// A session of the person of that number.
fn session(number: usize, now: Timestamp) -> Grant {
    let (issuer, subject) = ("https://acme.okta.com", format!("00u{number:017}"));
    Grant {
        id: GrantId::generate(&PersonId::of(issuer, &subject)),
        client_id: ClientId::new(random::id()),
        resource: resource(),
        scopes: ScopeSet::parse_lenient("mcp:read mcp:write"),
        identity: Identity {
            upstream: upstream(),
            issuer: issuer.to_owned(),
            subject,
            email: format!("person{number}@example.com").parse().ok(),
            domain: "example.com".parse().ok(),
            groups: ["everyone", "platform"].map(str::to_owned).into(),
            roles: [].into(),
            claims: [].into(),
            name: Some(format!("Person {number}")),
            session: None,
            authenticated_at: now,
        },
        created_at: now,
        ends_at: now.plus(Duration::from_secs(90 * 86_400)),
        expires_at: now.plus(Duration::from_secs(60)),
        state: GrantState::AwaitingCode,
    }
}

#[expect(clippy::expect_used, reason = "these are constants")]
fn resource() -> ResourceUri {
    ResourceUri::parse("https://mcp.example.com/mcp").expect("the resource is a URL")
}

#[expect(clippy::expect_used, reason = "these are constants")]
fn upstream() -> UpstreamId {
    UpstreamId::parse("okta").expect("a good name")
}

fn used(url: &str) -> Result<usize, Fault> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let info: String = redis::Cmd::new().arg("INFO").arg("memory").query(&mut connection)?;
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(line.ok_or("Redis does not say what it uses")?.trim().parse()?)
}
