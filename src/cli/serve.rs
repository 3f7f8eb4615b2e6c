//! `gatelodge serve`.

use std::process::ExitCode;

use crate::app;
use crate::config::{Config, LogFormat};
use crate::telemetry::{self, LogStyle};

use super::ConfigFile;

pub(super) fn run(file: &ConfigFile) -> ExitCode {
    let config = match file.load() {
        Ok(config) => config,
        Err(code) => return code,
    };
    match start(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("gatelodge cannot serve: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn start(config: &Config) -> Result<(), Box<dyn std::error::Error>> {
    let style = match config.logs.format {
        LogFormat::Json => LogStyle::Json,
        LogFormat::Text => LogStyle::Text,
    };
    telemetry::init(style, &config.logs.level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(app::serve(config))?;
    Ok(())
}
