//! `cargo run -p arroba-fuzz -- --seconds 60 [--target NAME] [--seed N] [--replay FILE]`

use std::process::ExitCode;
use std::time::Duration;

use arroba_fuzz::runner::{self, Options, Watchdog};
use arroba_fuzz::targets::{self, Target};

const USAGE: &str = "usage: arroba-fuzz [--seconds N] [--target NAME] [--seed N] [--replay FILE]

Mutates the seeds of every target for N seconds in all (51 by default) and fails on the first panic or hang.
--replay runs a target (all without --target) on the bytes of a file.";

/// The most memory that the process may have used, in KiB: inputs are small, so are all allocations.
const MEMORY_KIB: u64 = 1 << 20;

fn main() -> ExitCode {
    let mut seconds = 51;
    let mut options = Options::default();
    let (mut name, mut replay) = (None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next();
        let number = value.as_deref().and_then(|value| value.parse::<u64>().ok());
        match (argument.as_str(), number, value) {
            ("--seconds", Some(number), _) => seconds = number,
            ("--seed", Some(number), _) => options.seed = number,
            ("--target", _, Some(value)) => name = Some(value),
            ("--replay", _, Some(value)) => replay = Some(value),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let chosen: Vec<&Target> =
        targets::ALL.iter().filter(|target| name.as_ref().is_none_or(|name| name == target.name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = targets::ALL.iter().map(|target| target.name).collect();
        eprintln!("no such target; there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    if let Some(file) = replay {
        return match std::fs::read(&file) {
            Ok(input) => {
                chosen.iter().for_each(|target| (target.run)(&input));
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{file}: {error}");
                ExitCode::from(2)
            }
        };
    }
    if !arroba_fuzz::fixtures::present() {
        println!("skipped: seeds from the shared vectors, which are not there");
    }
    options.time = Duration::from_secs(seconds) / u32::try_from(chosen.len()).unwrap_or(1);
    run(&chosen, &options)
}

fn run(chosen: &[&Target], options: &Options) -> ExitCode {
    std::panic::set_hook(Box::new(|_| ()));
    let watchdog = Watchdog::start(options.patience);
    let mut failed = false;
    for target in chosen {
        match runner::run(target, options, &watchdog) {
            Ok(run) => println!(
                "fuzz: {:<16} {:>9} executions from {:>4} seeds, slowest {:>4} ms",
                target.name,
                run.executions,
                run.seeds,
                run.slowest.as_millis()
            ),
            Err(failure) => {
                failed = true;
                println!("fuzz: {} FAILED: {}", failure.target, failure.message);
                println!("fuzz: {} input: {}", failure.target, runner::hex(&failure.input));
            }
        }
    }
    if let Some(used) = peak_kib() {
        println!("fuzz: peak memory {} MiB", used >> 10);
        failed |= used > MEMORY_KIB;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The most memory that this process has had, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}
