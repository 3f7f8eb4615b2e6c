//! `./dev bench`: what a request costs the server, in CPU time.
//!
//! Wall-clock rates on a shared machine are noise, so what is counted is the CPU time of the
//! server process (all threads, user and system, from `/proc`), and that of Redis beside it. A
//! closed loop of a fixed number of callers asks; rounds of all contestants are interleaved, and
//! the median round counts. Callers, browser and identity provider live in this process, whose
//! time is not counted.
//!
//! - `options`: the command line.
//! - `contestant`: who is measured: a build of the broker, or a peer, on a store.
//! - [`broker`], [`peer`], [`bare`], [`redis`], [`provider`]: how each of them is started.
//! - [`process`]: a server process: its CPU time and its memory.
//! - [`work`]: the kinds of request. [`flow`]: a browser that signs in.
//! - [`mint`]: tokens that nobody has seen before.
//! - [`load`]: the closed loop.
//! - [`calibration`]: how fast this machine is.
//! - [`rounds`]: the interleaved rounds, and their medians.
//! - [`sessions`]: what sessions take in Redis. [`gateway`]: what the gateway adds to a call.
//! - [`table`]: the result.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod bare;
mod broker;
mod calibration;
mod contestant;
mod flow;
mod gateway;
mod load;
mod mint;
mod options;
mod peer;
mod process;
mod provider;
mod redis;
mod rounds;
mod sessions;
mod table;
mod work;

use std::process::ExitCode;

use clap::Parser as _;

use options::Options;

/// Whatever goes wrong ends the run and is shown.
type Fault = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let options = Options::parse();
    gatelodge::app::install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let measured = runtime.map_err(Fault::from).and_then(|runtime| runtime.block_on(run(&options)));
    match measured {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<String, Fault> {
    if let Some(port) = options.bare() {
        return bare::serve(port).await;
    }
    if let Some(sessions) = options.sessions() {
        return sessions::measure(sessions).await;
    }
    if let Some((binary, callers, rounds)) = options.gateway() {
        return gateway::measure(binary, callers, rounds).await;
    }
    let contestants = options.contestants()?;
    let extent = options.extent();
    let results = rounds::measure(&contestants, &extent).await?;
    let table = table::render(&contestants, (&extent.work, &results), options.markdown());
    let signs = calibration::signatures_a_second()? / 1000.0;
    let table = format!("{table}\n\nOne core of this machine makes {signs:.1}k ES256 signatures a second");
    let nothing = "bench: everything works; a quick run measures nothing";
    Ok(if options.is_quick() { nothing.into() } else { table })
}
