//! `gatelodge keys`: the signing keys, and their rotation by hand.

use std::process::ExitCode;

use crate::app;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::config::Config;
use crate::domain::{Haste, KeyRing, KeyState, RingKey};

use super::ConfigFile;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Keys {
    /// List the signing keys: which one signs, which are published, since when and until when.
    List(ConfigFile),
    /// Publish a new key, which signs a day later; until then servers have learnt of it.
    Rotate(Rotate),
}

#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    file: ConfigFile,
    /// Let the new key sign in half a minute. A server that keeps the keys and does not ask again
    /// refuses tokens until it does.
    #[arg(long)]
    now: bool,
    /// The old keys are in somebody's hands: as --now, and they are published no longer. Tokens
    /// that they signed end; clients refresh.
    #[arg(long, conflicts_with = "now")]
    leaked: bool,
}

pub(super) fn run(command: &Keys) -> ExitCode {
    let (Keys::List(file) | Keys::Rotate(Rotate { file, .. })) = command;
    super::answered("keys", file, async |config| answer(&config, command).await)
}

async fn answer(config: &Config, command: &Keys) -> Result<String, Box<dyn std::error::Error>> {
    match command {
        Keys::List(_) => Ok(table(&app::signing_keys(config).await?, SystemClock.now())),
        Keys::Rotate(rotate) => {
            let haste = match (rotate.now, rotate.leaked) {
                (_, true) => Haste::Leaked,
                (true, false) => Haste::Now,
                (false, false) => Haste::Usual,
            };
            let (ring, rotated) = app::rotate_signing_keys(config, haste).await?;
            let now = SystemClock.now();
            let said = if rotated { "" } else { "A rotation is under way already.\n" };
            Ok(format!("{said}{}{}", next(&ring, now), table(&ring, now)))
        }
    }
}

fn next(ring: &KeyRing, now: Timestamp) -> String {
    ring.next_key(now).map_or_else(String::new, |key| {
        format!("{} is published and signs from {}.\n\n", key.kid, key.active_from)
    })
}

/// One line for each key, the one that signs first.
fn table(ring: &KeyRing, now: Timestamp) -> String {
    let mut text = line(["KEY", "ALGORITHM", "STATE", "SINCE", "UNTIL"]);
    for key in ring.at(now).map(|keys| keys.published).unwrap_or_default() {
        // The operator's own files have no dates.
        let dates = if ring.version == 0 { [None, None] } else { dates(key, now) };
        let [since, until] = dates.map(|date| date.map_or_else(|| "-".to_owned(), |date| date.to_string()));
        let state = match key.state(now) {
            KeyState::Next => "next",
            KeyState::Signing => "signs",
            KeyState::Retired => "retired",
            KeyState::Removed => "removed",
        };
        text.push_str(&line([key.kid.as_str(), key.algorithm.as_str(), state, &since, &until]));
    }
    text
}

fn dates(key: &RingKey, now: Timestamp) -> [Option<Timestamp>; 2] {
    match key.state(now) {
        KeyState::Next => [Some(key.published_at), Some(key.active_from)],
        KeyState::Signing => [Some(key.active_from), key.retired_at],
        KeyState::Retired | KeyState::Removed => [key.retired_at, key.removed_at],
    }
}

fn line([kid, algorithm, state, since, until]: [&str; 5]) -> String {
    format!("{kid:<43}  {algorithm:<9}  {state:<7}  {since:<20}  {until}\n")
}
