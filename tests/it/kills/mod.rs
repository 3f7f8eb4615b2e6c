//! The program is killed in the middle of its work, with the embedded file: what it has answered is
//! on the disk. After each kill the file is looked at as it was left, and serves on.
//!
//! - this file: [`Rig`], the program with its people, and what it acknowledged.
//! - `writers`: the people: who refresh all the time, and who end grants.
//! - `sudden`: kills (REL-17); `full`: kills and a full disk (REL-16).

mod full;
mod sudden;
mod writers;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::join_all;
use gatelodge::clock::{Clock as _, SystemClock, Timestamp};
use gatelodge::domain::{Grant, GrantId, GrantState, Identity, UpstreamId};
use gatelodge::secret::{MasterSecret, Secret};
use gatelodge::store::{EmbeddedStore, Store as _};
use gatelodge::tokens::RefreshTokens;

use crate::harness::program::{GOOD, Serving};
use crate::harness::sample::grant;
use crate::harness::temp_dir::TempDir;
use writers::{Answer, Writers};

const SECRET: &str = "Zq8vXw3nT5yKb2Lr9sJd4Hf7Gc1Pm6Ea0Uo";
/// Who refresh all the time.
const PEOPLE: usize = 6;
/// Grants that are ended in one life of the program.
const TO_END: usize = 8;
/// For how many lives grants are laid in at once.
const LIVES: usize = 25;
const MONTH: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// A file with people in it, and what a program that serves it has acknowledged.
struct Rig {
    folder: PathBuf,
    secret: MasterSecret,
    people: Vec<GrantId>,
    to_end: VecDeque<GrantId>,
    /// The generation that each family was told of last.
    told: HashMap<GrantId, u64>,
    ended: Vec<GrantId>,
    rotations: usize,
    revocations: usize,
}

impl Rig {
    async fn new(folder: &Path) -> Self {
        let secret = MasterSecret::new(Secret::new(SECRET.to_owned())).expect("a secret");
        let mut rig = Self {
            folder: folder.to_owned(),
            secret,
            people: Vec::new(),
            to_end: VecDeque::new(),
            told: HashMap::new(),
            ended: Vec::new(),
            rotations: 0,
            revocations: 0,
        };
        rig.people = rig.lay_in(PEOPLE).await;
        rig
    }

    /// Opens grants behind the program's back, while none runs.
    async fn lay_in(&self, count: usize) -> Vec<GrantId> {
        let now = SystemClock.now();
        let grants: Vec<Grant> = (0..count).map(|_| active(now)).collect();
        let store = self.open(&self.folder);
        join_all(grants.iter().map(|grant| store.open_grant(grant, now)))
            .await
            .into_iter()
            .collect::<Result<Vec<()>, _>>()
            .expect("the grants are opened");
        grants.into_iter().map(|grant| grant.id).collect()
    }

    fn open(&self, folder: &Path) -> EmbeddedStore {
        EmbeddedStore::open(&folder.join("gatelodge.db"), self.secret.sealer()).expect("the file opens")
    }

    /// One life of the program, which serves everybody from now on.
    async fn serve(&mut self) -> (Serving, Writers) {
        if self.to_end.len() < TO_END {
            self.to_end.extend(self.lay_in(TO_END * LIVES).await);
        }
        let mut config = GOOD.to_owned();
        write!(
            config,
            "secret: {SECRET}\ntokens: {{ refresh_grace: 1h }}\nclients:\n  \
             - {{ id: c, name: C, redirect_uris: [\"http://127.0.0.1:9000/cb\"] }}\n"
        )
        .expect("writing to text");
        let serving = Serving::with(&self.folder, &config);
        let tokens = Arc::new(RefreshTokens::new(&self.secret));
        let people = self.people.iter().map(|id| (*id, self.told.get(id).copied().unwrap_or(1)));
        let to_end = self.to_end.drain(..TO_END).collect();
        let writers = Writers::start(&serving.address, &tokens, people, to_end);
        (serving, writers)
    }

    /// Remembers what was acknowledged.
    fn note(&mut self, answer: &Answer) {
        match answer {
            Answer::Rotated(id, generation) => {
                self.told.insert(*id, *generation);
                self.rotations += 1;
            }
            Answer::Ended(id) => {
                self.ended.push(*id);
                self.revocations += 1;
            }
            Answer::Refused => {}
        }
    }

    /// Looks at a copy of the file as the kill left it: the program meets the file itself.
    async fn assert_durable(&mut self, life: usize) {
        let copy = TempDir::new();
        let of = |folder: &Path| folder.join("gatelodge.db");
        std::fs::copy(of(&self.folder), of(copy.path())).expect("a copy");
        let (store, now) = (self.open(copy.path()), SystemClock.now());
        for (id, told) in &self.told {
            let grant = store.grant(id, now).await.expect("a look").expect("nobody was signed out");
            let GrantState::Active { generation, .. } = grant.state else { panic!("{:?}", grant.state) };
            assert!(generation >= *told, "life {life}: told of {told}, kept {generation}");
        }
        for id in self.ended.drain(..) {
            let kept = store.grant(&id, now).await.expect("a look");
            assert_eq!(kept, None, "life {life}: an acknowledged revocation is lost");
        }
    }
}

/// A grant that has been redeemed, of somebody whom the configuration lets in.
fn active(now: Timestamp) -> Grant {
    let usual = grant();
    let upstream = UpstreamId::parse("idp").expect("a name");
    let issuer = "https://idp.example".into();
    Grant {
        identity: Identity { upstream, issuer, authenticated_at: now, ..usual.identity },
        created_at: now,
        ends_at: now.plus(MONTH),
        expires_at: now.plus(MONTH),
        state: GrantState::Active { generation: 1, rotated_at: now },
        ..usual
    }
}
