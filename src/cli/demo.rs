//! `gatelodge demo`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use crate::app;
use crate::demo::check;
use crate::demo::mcp_server::ServeAlone;
use crate::demo::stage::{Addresses, Stage};
use crate::outbound::Outbound;
use crate::telemetry::{self, LogStyle};

/// The usual first port.
const FIRST_PORT: u16 = 9400;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Demo {
    #[command(subcommand)]
    part: Option<Part>,
    /// The first of three ports: broker, identity provider, MCP server. Usually 9400; with
    /// --check any three that are free.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=65533))]
    port: Option<u16>,
    /// Walk the whole flow as a client and a browser would, print each step, and end.
    #[arg(long)]
    check: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// The protected MCP server alone, beside a broker that runs elsewhere.
    McpServer {
        /// Address and port to listen on.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9402")]
        listen: SocketAddr,
        /// The MCP server's URL, as people type it.
        #[arg(long, value_name = "URL")]
        url: String,
        /// The broker's issuer.
        #[arg(long, value_name = "URL")]
        issuer: String,
    },
}

pub(super) fn run(demo: &Demo) -> ExitCode {
    match start(demo) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("gatelodge demo: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn start(demo: &Demo) -> Result<(), Box<dyn std::error::Error>> {
    let filter = if demo.check { "warn" } else { "warn,audit=info,request=info" };
    telemetry::init(LogStyle::Text, filter)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if let Some(Part::McpServer { listen, url, issuer }) = &demo.part {
            let server = ServeAlone { listen: *listen, url: url.clone(), issuer: issuer.clone() };
            let add = add_to_clients(url);
            let ready = |at| say(&format!("MCP server {url} on {at}, tokens of {issuer}\n{add}ready\n"));
            Ok(server.serve(ready, app::end_asked()).await?)
        } else if demo.check {
            let stage = Stage::bind(demo.port.unwrap_or(0)).await?;
            walk(stage).await
        } else {
            let stage = Stage::bind(demo.port.unwrap_or(FIRST_PORT)).await?;
            // The ports are bound: whoever connects from here on is answered.
            say(&welcome(stage.addresses()));
            stage.serve(app::end_asked()).await?;
            Ok(())
        }
    })
}

async fn walk(stage: Stage) -> Result<(), Box<dyn std::error::Error>> {
    let addresses = stage.addresses().clone();
    let outbound = Outbound::new()?;
    let mut report = |line: &str| println!("ok   {line}");
    tokio::select! {
        served = stage.serve(std::future::pending()) => served?,
        walked = check::walk(&addresses, outbound, &mut report) => walked?,
    }
    println!("The whole flow works.");
    Ok(())
}

/// Somebody who stopped listening is no reason to stop serving.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}

fn welcome(at: &Addresses) -> String {
    let Addresses { broker, provider, mcp } = at;
    let add = add_to_clients(mcp);
    format!(
        "\
Gatelodge demo: a protected MCP server on this machine, behind corporate sign-in.

  MCP server         {mcp}
  Broker             {broker}
  Identity provider  {provider}

{add}
Who can sign in (no passwords):
  Alice  alice@example.com  administrator: mcp:read mcp:write mcp:admin
  Bob    bob@example.com    colleague:     mcp:read mcp:write
  Eve    eve@other.example  outsider:      nothing, and a page that says why

Everything is kept in memory and forgotten at the end. Ctrl-C ends it.
ready
"
    )
}

fn add_to_clients(mcp: &str) -> String {
    format!(
        "\
Add the MCP server to a client:
  Claude Code  claude mcp add --transport http gatelodge-demo {mcp}
  VS Code      code --add-mcp '{{\"name\":\"gatelodge-demo\",\"type\":\"http\",\"url\":\"{mcp}\"}}'
  Inspector    npx @modelcontextprotocol/inspector    (Streamable HTTP, {mcp})
"
    )
}
