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
use std::process::ExitCode;

/// The system's allocator keeps what short-lived large pieces leave behind, in an arena for each thread: hashing two passwords
/// would cost 40 MB for good.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime");
    match runtime.and_then(|runtime| runtime.block_on(Box::pin(commands::run(cli)))) {
        Ok(code) => code,
        Err(error) => {
            output::report(&error);
            ExitCode::FAILURE
        }
    }
}
