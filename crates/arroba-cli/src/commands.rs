//! One module a command.

mod account;
mod connection;
mod dev;
mod firehose;
mod identity;
mod import;
mod key;
mod relay;
mod repo;
mod serve;

use crate::cli::{Cli, Command};
use std::process::ExitCode;

/// Runs what the command line asks for.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Dev(options) => dev::run(&options).await,
        Command::Serve(options) => serve::run(&options).await,
        Command::Account(command) => account::run(command).await,
        Command::Repo(command) => repo::run(command).await,
        Command::Firehose(command) => firehose::run(command).await,
        Command::Identity(command) => identity::run(&command).await,
        Command::Relay(command) => relay::run(command).await,
        Command::Key(command) => key::run(&command),
    }
}
