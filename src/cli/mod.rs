//! The command line, one file per command.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod admins;
mod api_keys;
mod check;
mod clients;
mod demo;
mod explain;
mod health;
mod keys;
mod new_client;
mod revoke;
mod schema;
mod secret;
mod serve;
mod sessions;
mod whose;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};

/// Gatelodge: a federated OAuth broker for MCP. Corporate sign-in for every MCP server.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the broker until SIGTERM or Ctrl-C.
    Serve(ConfigFile),
    /// Run broker, identity provider and MCP server on this machine, to try everything out.
    Demo(demo::Demo),
    /// Check a configuration file and report every fault at once.
    Check(ConfigFile),
    /// Say what policy grants to a person with these claims, and why: every rule, and what became of it.
    Explain(explain::Explain),
    /// Ask the broker that serves this configuration whether it answers: 0 yes, 1 no.
    Health(health::Health),
    /// List or rotate the keys that tokens are signed with.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// End every grant of a person, of a client, or of everybody.
    Revoke(revoke::Revoke),
    /// List what a person has granted, or end one of these grants.
    #[command(subcommand)]
    Sessions(sessions::Sessions),
    /// Add, list and remove clients, and decide about those that wait for approval.
    #[command(subcommand)]
    Clients(clients::Clients),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    ApiKeys(api_keys::ApiKeys),
    /// List or take out the pins of admins' addresses.
    #[command(subcommand)]
    Admins(admins::Admins),
    /// Make the operator's secret: print one, or keep one in a file.
    Secret(secret::NewSecret),
    /// Print the JSON schema of the configuration file.
    Schema,
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file (YAML).
    #[arg(long, short, env = "GATELODGE_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

impl ConfigFile {
    /// The checked configuration; faults go to standard error.
    fn load(&self) -> Result<Config, ExitCode> {
        config::load(&self.config, &|name| std::env::var(name).ok()).map_err(|faults| {
            eprintln!("{faults}");
            ExitCode::from(2)
        })
    }
}

/// Runs a command that works on a checked configuration and answers with text, `name` before its
/// faults.
fn answered<F>(name: &str, file: &ConfigFile, work: impl FnOnce(Config) -> F) -> ExitCode
where
    F: Future<Output = Result<String, Box<dyn std::error::Error>>>,
{
    let config = match file.load() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(work(config))) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("gatelodge {name}: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command line.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    crate::app::install_crypto();
    match &cli.command {
        Command::Serve(file) => serve::run(file),
        Command::Demo(options) => demo::run(options),
        Command::Admins(command) => admins::run(command),
        Command::ApiKeys(command) => api_keys::run(command),
        Command::Clients(command) => clients::run(command),
        Command::Check(file) => check::run(file),
        Command::Explain(question) => explain::run(question),
        Command::Health(probe) => health::run(probe),
        Command::Keys(command) => keys::run(command),
        Command::Revoke(revoke) => revoke::run(revoke),
        Command::Sessions(command) => sessions::run(command),
        Command::Secret(wanted) => secret::run(wanted),
        Command::Schema => schema::run(),
    }
}
