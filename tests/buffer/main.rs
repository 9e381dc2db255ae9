//! Rolling windows.

#[path = "../common/mod.rs"]
mod common;

#[path = "../common/counting.rs"]
mod counting;
mod files;
mod model;
mod normalization;
mod windows;

use mi::buffer::{Buffer, Options};
use mi::{Result, Status};

/// Any moment, in nanoseconds.
const NOON: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A buffer with default options but for what `change` sets.
fn buffer_with(steps: usize, width: usize, change: impl FnOnce(&mut Options)) -> Buffer {
    let mut options = Options::default();
    change(&mut options);
    Buffer::new(steps, width, &options).unwrap()
}

fn buffer(steps: usize, width: usize) -> Buffer {
    buffer_with(steps, width, |_| {})
}

/// The window of a symbol at a time.
fn sequence(buffer: &Buffer, symbol: &str, now_ns: i64) -> Result<Vec<f32>> {
    let mut out = vec![-7.0; buffer.sequence_length() * buffer.feature_count()];
    let result = buffer.sequence(symbol, now_ns, &mut out);
    assert!(result.is_ok() || out.iter().all(|&value| value == -7.0), "a failure wrote to the output");
    result.map(|()| out)
}

/// Fails unless the result is an error of this status whose sentence holds all of these words.
#[track_caller]
fn refused<T>(result: Result<T>, status: Status, words: &[&str]) {
    let Err(error) = result else { panic!("{status:?} was expected") };
    assert_eq!(error.status(), status, "{error}");
    for word in words {
        assert!(error.message().contains(word), "'{word}' is not in: {error}");
    }
}

/// A small generator of random numbers (SplitMix64), so that every run does the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// A finite float of any size and sign.
    #[allow(clippy::cast_possible_truncation)]
    fn float(&mut self) -> f32 {
        let value = f32::from_bits(self.next() as u32);
        if value.is_finite() { value } else { 1.5 }
    }
}
