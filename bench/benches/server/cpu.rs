//! The CPU time of a process, as the kernel counts it: what survives a noisy machine.

use std::time::Duration;

use anyhow::Context as _;

/// User and system time of a process and all its threads so far, those that have ended included.
///
/// # Errors
/// If there is no such process, or no `/proc`.
pub(crate) fn of(process: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("no {path}: CPU time needs Linux"))?;
    // The name may contain anything, so fields are counted from its closing bracket: utime and stime are 14 and 15.
    let (_, fields) = stat.rsplit_once(')').context("malformed stat")?;
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // Linux shows 100 ticks a second everywhere, whatever it counts with.
    Ok(Duration::from_millis(10 * ticks))
}

/// The greatest resident memory of a process so far, in MiB.
pub(crate) fn peak_mib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}
