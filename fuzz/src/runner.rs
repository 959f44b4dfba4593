//! Runs targets for a while.

use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::mutate::{Random, mutate};
use crate::targets::Target;

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// For how long each target runs.
    pub time: Duration,
    /// Where the random numbers begin.
    pub seed: u64,
    /// The most bytes in an input.
    pub max_bytes: usize,
    /// The longest that one input may take.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { time: Duration::from_secs(3), seed: 1, max_bytes: 64 << 10, patience: Duration::from_secs(10) }
    }
}

/// An input that a target failed on.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The target's name.
    pub target: &'static str,
    /// The input.
    pub input: Vec<u8>,
    /// The message of the panic.
    pub message: String,
}

/// What a target did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The number of seeds.
    pub seeds: usize,
    /// The number of inputs, seeds included.
    pub executions: u64,
    /// The longest time that one input took.
    pub slowest: Duration,
}

/// Ends the process when an input takes too long, as nothing else can.
#[derive(Debug)]
pub struct Watchdog {
    /// When the present input began, in milliseconds since the start and one; zero for none.
    began: AtomicU64,
    start: Instant,
    input: Mutex<(&'static str, Vec<u8>)>,
}

impl Watchdog {
    /// Starts one.
    pub fn start(patience: Duration) -> Arc<Self> {
        let watchdog = Arc::new(Self {
            began: AtomicU64::new(0),
            start: Instant::now(),
            input: Mutex::new(("", Vec::new())),
        });
        let watching = Arc::clone(&watchdog);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(patience / 10);
                let began = watching.began.load(Ordering::Acquire);
                if began > 0 && watching.now() - began > patience.as_millis() as u64 {
                    if let Ok(input) = watching.input.lock() {
                        let _ =
                            writeln!(std::io::stderr(), "{}: still running on {}", input.0, hex(&input.1));
                    }
                    std::process::exit(1);
                }
            }
        });
        watchdog
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64 + 1
    }
}

/// Runs a target on its seeds, and then on mutations of them until the time is up.
///
/// # Errors
/// The first input on which it panics.
pub fn run(target: &Target, options: &Options, watchdog: &Watchdog) -> Result<Run, Failure> {
    let seeds = (target.seeds)();
    let mut random = Random::new(options.seed);
    let mut run = Run { seeds: seeds.len(), executions: 0, slowest: Duration::ZERO };
    let start = Instant::now();
    for seed in &seeds {
        one(target, seed.clone(), watchdog, &mut run)?;
    }
    let empty = Vec::new();
    while start.elapsed() < options.time {
        let pick = |random: &mut Random| seeds.get(random.below(seeds.len())).unwrap_or(&empty);
        let (input, other) = (pick(&mut random), pick(&mut random));
        one(target, mutate(input, other, options.max_bytes, &mut random), watchdog, &mut run)?;
    }
    Ok(run)
}

fn one(target: &Target, input: Vec<u8>, watchdog: &Watchdog, run: &mut Run) -> Result<(), Failure> {
    if let Ok(mut watched) = watchdog.input.lock() {
        *watched = (target.name, input.clone());
    }
    watchdog.began.store(watchdog.now(), Ordering::Release);
    let start = Instant::now();
    let result = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
    watchdog.began.store(0, Ordering::Release);
    run.executions += 1;
    run.slowest = run.slowest.max(start.elapsed());
    result.map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let message = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Failure { target: target.name, input, message: message.unwrap_or_default() }
    })
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
