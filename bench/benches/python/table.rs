//! What is printed.

use crate::figures::{Line, Rounds, Spread};
use crate::plan::Sizes;
use crate::race::Done;

/// Prints the figures of one place.
pub(crate) fn print(done: &Done, seed: u64, sizes: &Sizes) {
    let Done { place, versions, lines, has_calls } = done;
    let built =
        if cfg!(debug_assertions) { "development build, no figures to quote" } else { "release build" };
    println!(
        "\n{place}: arroba {} on Python {} beside this library ({built}); seed {seed}, {} rounds, {} records{}",
        versions.library,
        versions.python,
        sizes.rounds,
        sizes.records,
        load_average().map_or_else(String::new, |load| format!(", load average {load}")),
    );
    println!(
        "\n{:<30} {:>33} {:>33} {:>7} {:>11} {:>11} {:>7}",
        "an operation",
        "Python CPU (least to most)",
        "ours CPU (least to most)",
        "ratio",
        "Python wall",
        "ours wall",
        "ratio"
    );
    for Line { name, python, ours } in lines {
        let (cpu, wall) = ((python.cpu(), ours.cpu()), (python.wall(), ours.wall()));
        println!(
            "{name:<30} {:>33} {:>33} {:>7} {:>11} {:>11} {:>7}",
            spread(cpu.0),
            spread(cpu.1),
            ratio(cpu.0, cpu.1),
            time(wall.0.median),
            time(wall.1.median),
            ratio(wall.0, wall.1),
        );
    }
    if *has_calls {
        println!(
            "\n{:<30} calls to Datastore, mean: all (lookups of keys, queries, begins, commits)",
            "an operation"
        );
        for Line { name, python, ours } in lines.iter().filter(|line| line.python.calls().total() > 0) {
            println!("{name:<30} Python {}", calls(python));
            println!("{:<30} ours   {}", "", calls(ours));
        }
    }
}

fn spread(Spread { least, median, most }: Spread) -> String {
    format!("{} ({} to {})", time(median), time(least), time(most))
}

fn ratio(python: Spread, ours: Spread) -> String {
    match python.median / ours.median {
        ratio if ratio < 10.0 => format!("{ratio:.1}x"),
        ratio => format!("{ratio:.0}x"),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        ..1e-3 => format!("{:.1} us", seconds * 1e6),
        1e-3..1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

fn calls(rounds: &Rounds) -> String {
    let calls = rounds.calls();
    let mean = |count: u64| count as f64 / rounds.operations() as f64;
    format!(
        "{:>8.1} ({:.1} of {:.1}, {:.1}, {:.1}, {:.1}{})",
        mean(calls.total()),
        mean(calls.lookups),
        mean(calls.keys),
        mean(calls.queries),
        mean(calls.begins),
        mean(calls.commits),
        if calls.rollbacks > 0 { format!(", {:.1} rollbacks", mean(calls.rollbacks)) } else { String::new() },
    )
}

fn load_average() -> Option<String> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next().map(str::to_owned)
}
