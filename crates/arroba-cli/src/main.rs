//! The `arroba` command: run a Personal Data Server and look after it.

mod api;
mod cli;
mod commands;
mod configuration;
mod listener;
mod logging;
mod output;
mod resolver;

use anyhow::{Context, ensure};
use clap::Parser;
use rand::TryRng;
use std::process::ExitCode;

/// The system's allocator keeps what short-lived large pieces leave behind, in an arena for each thread: hashing two passwords
/// would cost 40 MB for good.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The arithmetic with secret keys is blinded. Only [`blind`] makes one.
struct Blinded(());

/// Blinds the arithmetic with secret keys, once, before the first key is used.
fn blind() -> anyhow::Result<Blinded> {
    let mut seed = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut seed).context("the system gave no randomness")?;
    ensure!(arroba_core::crypto::blind(&seed), "a key was used before the arithmetic was blinded");
    Ok(Blinded(()))
}

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match blind().and_then(|blinded| run(cli, blinded)) {
        Ok(code) => code,
        Err(error) => {
            output::report(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: cli::Cli, Blinded(()): Blinded) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(Box::pin(commands::run(cli)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arroba_core::crypto::{self, Curve, PrivateKey, Signer as _};
    use std::process::Command;

    /// Blinding is of the process, and other tests use keys: so it is tried in a process of its own.
    #[test]
    fn arithmetic_is_blinded_before_the_first_key() {
        const TRIAL: &str = "ARROBA_TEST_BLINDING";
        const NAME: &str = "tests::arithmetic_is_blinded_before_the_first_key";
        if std::env::var_os(TRIAL).is_some() {
            blind().unwrap();
            assert!(!crypto::blind(&[1; 32]), "nothing was blinded");
            // Too late, and said so.
            assert!(blind().is_err());
            let key = PrivateKey::from_bytes(Curve::K256, &[7; 32]).unwrap();
            key.public_key().verify(b"message", &key.sign(b"message")).unwrap();
            println!("blinded");
            return;
        }
        let trial = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(TRIAL, "1")
            .output()
            .unwrap();
        assert!(trial.status.success(), "{}", String::from_utf8_lossy(&trial.stderr));
        assert!(String::from_utf8_lossy(&trial.stdout).contains("blinded"), "no trial");
    }
}
