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
///
/// What counts is the time that the process has had on a processor, so that a busy machine is not taken for a hang.
#[derive(Debug)]
pub struct Watchdog {
    /// Which input is running; odd while one is.
    input: AtomicU64,
    bytes: Mutex<(&'static str, Vec<u8>)>,
}

impl Watchdog {
    /// Starts one.
    pub fn start(patience: Duration) -> Arc<Self> {
        let watchdog = Arc::new(Self { input: AtomicU64::new(0), bytes: Mutex::new(("", Vec::new())) });
        let watching = Arc::clone(&watchdog);
        std::thread::spawn(move || watching.watch(patience));
        watchdog
    }

    fn watch(&self, patience: Duration) {
        let start = Instant::now();
        let (mut seen, mut since) = (0, Duration::ZERO);
        loop {
            std::thread::sleep(patience / 10);
            let used = processor_time().unwrap_or_else(|| start.elapsed());
            let input = self.input.load(Ordering::Acquire);
            if input != seen {
                (seen, since) = (input, used);
            } else if input % 2 == 1 && used - since > patience {
                if let Ok(bytes) = self.bytes.lock() {
                    let _ = writeln!(std::io::stderr(), "{}: still running on {}", bytes.0, hex(&bytes.1));
                }
                std::process::exit(1);
            }
        }
    }

    fn begin(&self, target: &'static str, input: &[u8]) {
        if let Ok(mut bytes) = self.bytes.lock() {
            *bytes = (target, input.to_vec());
        }
        self.input.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        self.input.fetch_add(1, Ordering::AcqRel);
    }
}

/// The time that this process has had on a processor, where the system tells.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name of the program, which stands in parentheses, the 12th and 13th fields: user and system time.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11..13)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
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
    watchdog.begin(target.name, &input);
    let start = Instant::now();
    let result = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
    watchdog.end();
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
