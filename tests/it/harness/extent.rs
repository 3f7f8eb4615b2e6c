//! How much of a fault test runs: a short form with every other test, the long form of
//! `./dev faults`. Both say the same; the long one says it more often, and prints the same figures.

/// `short`, or `long` where the long form was asked for.
pub(crate) fn extent(short: usize, long: usize) -> usize {
    if std::env::var_os("GATELODGE_FAULTS").is_some_and(|form| form == "long") { long } else { short }
}

/// Prints the figure of one row of the fault matrix, as a line that `./dev faults` collects.
#[expect(clippy::print_stdout, reason = "the figures of a run")]
pub(crate) fn figure(row: &str, fault: &str, seen: &str) {
    println!("figure | {row} | {fault} | {seen} |");
}
