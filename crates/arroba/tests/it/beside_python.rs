//! The Python library and this one side by side on one Datastore emulator.
//!
//! `ARROBA_DATASTORE_EMULATOR` is the emulator, `ARROBA_PYTHON` a Python interpreter that has the library (`e2e/datastore/setup` makes
//! one), `ARROBA_RELAY` the production relay (`e2e/setup relay`). Without one of them its tests say so and do nothing; where `CI` is set,
//! they fail. `ARROBA_SIDE_SECONDS` (5) is how long both write at once, and `ARROBA_SIDE_COMMITS` (0) how many commits each has to make
//! before it stops. `./check side` runs all of them one after the other, because the Python library needs a core for itself.

mod accounts;
mod at_once;
mod crash;
mod follower;
mod in_turn;
mod memcached;
mod python;
mod python_alone;
mod relay;
mod remote_blobs;
mod shapes;
mod side;

use std::path::PathBuf;

/// The interpreter that has the Python library.
fn interpreter() -> Option<PathBuf> {
    program("ARROBA_PYTHON", "e2e/datastore/setup")
}

/// A program that a variable names, and what installs it.
fn program(variable: &str, setup: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    match &named {
        Some(path) => assert!(path.is_file(), "{variable}: there is no {}", path.display()),
        None => {
            assert!(std::env::var_os("CI").is_none(), "no {variable}: run {setup}");
            eprintln!(
                "SKIPPED: {variable} names no program ({setup} installs it); nothing was tested with it"
            );
        }
    }
    named
}
