//! Time in nanoseconds, finely enough for calls of a hundred of them.

use std::sync::OnceLock;
use std::time::Instant;

/// A moment, in ticks.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn now() -> u64 {
    use std::arch::x86_64::{__rdtscp, _mm_lfence};
    let mut processor = 0;
    // SAFETY: every x86-64 that runs these benchmarks has `rdtscp`; it only reads a counter.
    unsafe {
        let ticks = __rdtscp(&raw mut processor);
        _mm_lfence();
        ticks
    }
}

/// A moment, in ticks.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

struct Scale {
    nanoseconds: f64,
    empty: u64,
}

fn scale() -> &'static Scale {
    static SCALE: OnceLock<Scale> = OnceLock::new();
    SCALE.get_or_init(|| {
        let (start, ticks) = (Instant::now(), now());
        while start.elapsed().as_millis() < 100 {}
        #[allow(clippy::cast_precision_loss)]
        let nanoseconds = start.elapsed().as_nanos() as f64 / (now() - ticks) as f64;
        let mut empty: Vec<u64> = (0..10_000)
            .map(|_| {
                let start = now();
                now() - start
            })
            .collect();
        empty.sort_unstable();
        Scale { nanoseconds, empty: empty[empty.len() / 2] }
    })
}

/// Nanoseconds between two moments, without what looking at the clock costs.
#[allow(clippy::cast_precision_loss)]
pub fn between(start: u64, end: u64) -> f64 {
    let scale = scale();
    (end - start).saturating_sub(scale.empty) as f64 * scale.nanoseconds
}
