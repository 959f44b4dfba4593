//! What a piece of work took.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// CPU time (user and system, all threads of this process) and wall time, in sum over pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stopwatch {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Stopwatch {
    /// Does the work and adds what it took.
    pub(crate) async fn time<T>(&mut self, work: impl Future<Output = T>) -> T {
        let (cpu, wall) = (process_cpu(), Instant::now());
        let done = work.await;
        self.cpu += process_cpu().saturating_sub(cpu);
        self.wall += wall.elapsed();
        done
    }
}

fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}
