//! The `arroba` command: run a Personal Data Server and look after it.

mod api;
mod cli;
mod commands;
mod configuration;
mod listener;
mod logging;
mod output;
mod resolver;

use anyhow::Context;
use clap::Parser;
use rand::TryRng;
use std::process::ExitCode;

/// The system's allocator keeps what short-lived large pieces leave behind, in an arena for each thread: hashing two passwords
/// would cost 40 MB for good.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Blinds the arithmetic with secret keys, once, before the first key is used.
fn blind() -> anyhow::Result<()> {
    let mut seed = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut seed).context("the system gave no randomness")?;
    arroba_core::crypto::blind(&seed);
    Ok(())
}

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match blind().and_then(|()| run(cli)) {
        Ok(code) => code,
        Err(error) => {
            output::report(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(Box::pin(commands::run(cli)))
}
