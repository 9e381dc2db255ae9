//! What work costs: the most memory a thread held, and the time it ran.

#[path = "../common/counting.rs"]
mod counting;

pub use counting::{allocations, peak};
use std::time::{Duration, Instant};

/// How long this thread has run: where the system tells, time that other threads took does not count.
fn clock() -> Duration {
    thread_local! {
        static START: Instant = Instant::now();
    }
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    ran.map_or_else(|| START.with(Instant::elapsed), Duration::from_nanos)
}

/// The time that `work` takes. When it seems to pass `limit` it runs once more by the thread's own clock, because other processes
/// may have had the processor.
pub fn time<T>(limit: Duration, work: impl Fn() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    if took < limit {
        return (result, took);
    }
    drop(result);
    let start = clock();
    let result = work();
    (result, clock().saturating_sub(start))
}
