//! The result: what everybody took, and the others' share of what we took.

use std::fmt::Write as _;

use comfy_table::{Table, presets};

use crate::contestant::{Contestant, Cpu};
use crate::rounds::{Outcome, micros};
use crate::work::Work;

/// For a terminal, or as Markdown.
pub(crate) fn render(
    contestants: &[Contestant],
    (works, outcomes): (&[Work], &[Outcome]),
    markdown: bool,
) -> String {
    let preset = if markdown { presets::ASCII_MARKDOWN } else { presets::UTF8_FULL_CONDENSED };
    let mut figures = Table::new();
    let names = contestants.iter().map(Contestant::name);
    figures.load_preset(preset).set_header([String::new()].into_iter().chain(names));
    for (at, work) in works.iter().enumerate() {
        let cells = outcomes.iter().map(|outcome| outcome.cost.get(at).map(cost).unwrap_or_default());
        figures.add_row([work.to_string()].into_iter().chain(cells));
    }
    let mut more = |name: &str, cell: &dyn Fn(&Outcome) -> String| {
        figures.add_row([name.to_owned()].into_iter().chain(outcomes.iter().map(cell)));
    };
    more("start to first 200", &|outcome| format!("{:.0} ms", micros(outcome.start) / 1000.0));
    more("memory idle", &|outcome| mebibytes(outcome.idle));
    more("memory at most", &|outcome| mebibytes(outcome.most));
    let mut text =
        format!("CPU time per request, of the server + of Redis, and the rate per core\n\n{figures}");
    if let Some(ratios) = ratios(contestants, works, outcomes) {
        let mut table = Table::new();
        table.load_preset(preset).set_header(ratios.header).add_rows(ratios.rows);
        let _ = write!(text, "\n\nTimes what the first takes, on the same kind of store\n\n{table}");
    }
    text
}

fn cost(cost: &Cpu) -> String {
    if cost.server.is_zero() {
        return "–".to_owned();
    }
    let (server, redis) = (micros(cost.server), micros(cost.redis));
    let rate = 1e6 / (server + redis);
    let rate = if rate < 10_000.0 { format!("{rate:.0}/s") } else { format!("{:.1}k/s", rate / 1000.0) };
    if cost.redis.is_zero() {
        format!("{server:.1} µs · {rate}")
    } else {
        format!("{server:.1} + {redis:.1} µs · {rate}")
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52")]
fn mebibytes(kibibytes: u64) -> String {
    format!("{:.1} MiB", kibibytes as f64 / 1024.0)
}

struct Ratios {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Everybody against the first contestant that has the same kind of store.
fn ratios(contestants: &[Contestant], works: &[Work], outcomes: &[Outcome]) -> Option<Ratios> {
    let pairs: Vec<_> = contestants.iter().zip(outcomes).collect();
    let first = |of: &Contestant| pairs.iter().position(|(other, _)| other.store == of.store);
    let compared = pairs.iter().enumerate().filter_map(|(at, (contestant, outcome))| {
        let first = first(contestant).filter(|first| *first != at)?;
        Some((contestant.name(), *outcome, pairs.get(first)?.1))
    });
    let compared: Vec<_> = compared.collect();
    if compared.is_empty() {
        return None;
    }
    let total = |outcome: &Outcome, at: usize| {
        outcome.cost.get(at).map_or(0.0, |cost| micros(cost.server) + micros(cost.redis))
    };
    let row = |at: usize, work: &Work| {
        let ratio = |(_, outcome, first): &(String, &Outcome, &Outcome)| {
            let theirs = total(outcome, at);
            if theirs > 0.0 { format!("{:.2}", theirs / total(first, at)) } else { "–".to_owned() }
        };
        [work.to_string()].into_iter().chain(compared.iter().map(ratio)).collect()
    };
    let rows = works.iter().enumerate().map(|(at, work)| row(at, work)).collect();
    let names = compared.iter().map(|(name, ..)| name.clone());
    Some(Ratios { header: [String::new()].into_iter().chain(names).collect(), rows })
}
