//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Fault;
use crate::contestant::{Contestant, Product, Store};
use crate::load::Limits;
use crate::rounds::Extent;
use crate::work::Work;
use crate::{peer, redis};

/// Measures what requests cost the server in CPU time.
#[derive(Debug, clap::Parser)]
#[command(name = "./dev bench")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Options {
    /// A short run that shows that everything still works, and no figures.
    #[arg(long)]
    quick: bool,
    /// Print the result as Markdown.
    #[arg(long)]
    markdown: bool,
    /// Measure another product on the same work in the same run, and print the ratios.
    /// May be given more than once.
    #[arg(long, value_name = "NAME")]
    peer: Vec<Peer>,
    /// Measure another build of gatelodge in the same run, and print the ratios.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Measure this build of gatelodge, and not the one that was just made.
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_gatelodge"), hide_default_value = true)]
    build: PathBuf,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=99))]
    rounds: u16,
    /// Seconds that each kind of work is asked for in a round.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=60))]
    seconds: u16,
    /// Callers that ask at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=256))]
    callers: u16,
    /// Only this kind of work; may be given more than once.
    #[arg(long, value_name = "KIND")]
    work: Vec<Work>,
    /// Only on this store.
    #[arg(long)]
    store: Option<Store>,
    /// Instead: fill a Redis with this many sessions, and print what they take.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    sessions: Option<u32>,
    /// Instead: what the gateway adds to a call, and what silent streams take.
    #[arg(long)]
    gateway: bool,
    /// Instead: be a server that does nothing.
    #[arg(long, value_name = "PORT", hide = true)]
    bare: Option<u16>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Peer {
    /// node-oidc-provider
    OidcProvider,
    /// A server that does nothing: what any answer costs here.
    Axum,
}

impl Options {
    /// Who is measured: this build first, the others after it.
    pub(crate) fn contestants(&self) -> Result<Vec<Contestant>, Fault> {
        let mut products = vec![Product::Gatelodge { binary: self.build.clone(), label: "Gatelodge" }];
        if let Some(other) = &self.against {
            products.push(Product::Gatelodge { binary: other.clone(), label: "other build" });
        }
        if self.peer.contains(&Peer::OidcProvider) {
            peer::check()?;
            products.push(Product::OidcProvider);
        }
        if self.peer.contains(&Peer::Axum) {
            products.push(Product::Axum);
        }
        let mut stores = vec![Store::Local];
        if redis::is_installed()? {
            stores.push(Store::Redis);
        }
        stores.retain(|store| self.store.is_none_or(|wanted| wanted == *store));
        let on = |store: &Store| {
            let keeps = |product: &&Product| *store == Store::Local || !matches!(product, Product::Axum);
            products.iter().filter(keeps).map(|product| Contestant::new(product, *store)).collect()
        };
        Ok(stores.iter().flat_map(|store| -> Vec<_> { on(store) }).collect())
    }

    /// How much is asked.
    pub(crate) fn extent(&self) -> Extent {
        let work = if self.work.is_empty() { Work::ALL.to_vec() } else { self.work.clone() };
        if self.quick {
            let limits = Limits { time: Duration::from_millis(250), count: 500 };
            return Extent { work, rounds: 1, warm_up: None, starts: 1, callers: 4, limits };
        }
        let time = Duration::from_secs(self.seconds.into());
        Extent {
            work,
            rounds: self.rounds.into(),
            warm_up: Some(Limits { time: time / 2, count: 20_000 }),
            starts: 5,
            callers: self.callers.into(),
            limits: Limits { time, count: 200_000 },
        }
    }

    /// How many sessions to fill a Redis with, where that is what is measured.
    pub(crate) fn sessions(&self) -> Option<usize> {
        self.sessions.and_then(|sessions| usize::try_from(sessions).ok())
    }

    /// Which build's gateway to measure, with how many callers, in how many rounds.
    pub(crate) fn gateway(&self) -> Option<(&Path, usize, usize)> {
        self.gateway.then_some((self.build.as_path(), self.callers.into(), self.rounds.into()))
    }

    /// Where to serve as one that does nothing.
    pub(crate) fn bare(&self) -> Option<u16> {
        self.bare
    }

    /// Too short for figures?
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// Is the result to be put into a document?
    pub(crate) fn markdown(&self) -> bool {
        self.markdown
    }
}
