//! The Python library (arroba 3.1) and this one on the same work: CPU and wall time of one operation of either, and their ratio, on a
//! store in memory and on the Datastore emulator, where calls to Datastore are counted too. Both sides must come to the same trees,
//! else nothing is printed and the exit code tells it.
//!
//! `bench/python/run` finds or installs what it needs; `README.md` says what each line is.

mod clock;
mod database;
mod figures;
mod op;
mod ours;
mod plan;
mod python;
mod race;
mod table;
mod workload;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};

use crate::database::Emulated;
use crate::plan::Sizes;
use crate::race::Race;
use crate::workload::Workload;

/// Runs the Python library (arroba 3.1) and this one on the same work and prints what an operation costs either.
#[derive(Debug, Parser)]
struct Options {
    /// A Python interpreter that has arroba 3.1; `e2e/datastore/setup` makes one.
    #[arg(long, env = "ARROBA_PYTHON")]
    python: PathBuf,
    /// Where the repos are: both unless said. `datastore` needs the feature of that name, and the emulator in
    /// `ARROBA_DATASTORE_EMULATOR` or on the path.
    #[arg(long, value_delimiter = ',', default_values_t = [Place::Memory, Place::Datastore])]
    only: Vec<Place>,
    /// A few seconds: shows that both sides compute the same, its figures mean nothing.
    #[arg(long, conflicts_with = "full")]
    smoke: bool,
    /// Ten thousand records instead of one thousand: many minutes.
    #[arg(long)]
    full: bool,
    /// What keys and records are made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds of each line, of which the median is printed with the least and the most.
    #[arg(long)]
    rounds: Option<usize>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Place {
    Memory,
    Datastore,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Datastore => "datastore",
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    ensure!(
        options.python.is_file(),
        "{}: no such Python; e2e/datastore/setup makes one",
        options.python.display()
    );
    let mut sizes = match (options.smoke, options.full) {
        (true, _) => Sizes::SMOKE,
        (_, true) => Sizes::FULL,
        _ => Sizes::SMALL,
    };
    sizes.rounds = options.rounds.unwrap_or(sizes.rounds);
    ensure!(
        sizes.rounds > 0 && sizes.records.is_multiple_of(sizes.rounds),
        "--rounds must divide {} records",
        sizes.records
    );
    // Before anything is measured: what is missing is said at once.
    let emulated = match options.only.contains(&Place::Datastore) {
        true => Some(Emulated::start().await?),
        false => None,
    };
    let workload = Workload::new(options.seed, sizes.all_records())?;
    for place in &options.only {
        let database = match place {
            Place::Memory => None,
            Place::Datastore => {
                Some(emulated.as_ref().context("the emulator was not started")?.database().await?)
            }
        };
        let mut race = Race::start(place.name(), &options.python, &workload, database).await?;
        plan::run(&mut race, &workload, &sizes).await?;
        let done = race.finish().await?;
        table::print(&done, options.seed, &sizes);
    }
    Ok(())
}
