//! Numbers as integers of the same order, so that one kind of comparison serves every library.
//!
//! The key of a float is its bits, with the magnitude of negative numbers turned round: `a < b` is `key(a) < key(b)` for all
//! numbers but the two zeros, whose keys are 0 and -1. A threshold becomes a *bound*, the largest key that passes, and the bound of a
//! zero keeps both zeros on the same side. Integers compare alike whatever the caller's thread does to denormal numbers.

use crate::ir::Precision;
use crate::ir::forest::{Compare, Layout, ZERO_BAND};

/// The key of every NaN. No other number has it, nor the one below it.
pub const MISSING: i64 = i64::MAX;

/// A key above every bound that is not that of a missing value.
pub fn above(input: Precision) -> i64 {
    match input {
        Precision::F32 => 0x7fc0_0000,
        Precision::F64 => 0x7ff8_0000_0000_0000,
    }
}

/// The key of a float32.
#[inline(always)]
pub fn key32(value: f32) -> i32 {
    let bits = value.to_bits().cast_signed();
    let key = bits ^ ((bits >> 31) & 0x7fff_ffff);
    if value.is_nan() { i32::MAX } else { key }
}

/// The key of a float64.
#[inline(always)]
pub fn key64(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    let key = bits ^ ((bits >> 63) & i64::MAX);
    if value.is_nan() { i64::MAX } else { key }
}

/// The key of a number in the type that a forest reads its features in; that of a float32 is widened.
#[inline]
#[allow(clippy::cast_possible_truncation)] // rounding is what is asked for
pub fn key(input: Precision, value: f64) -> i64 {
    match input {
        Precision::F32 if value.is_nan() => MISSING,
        Precision::F32 => i64::from(key32(value as f32)),
        Precision::F64 => key64(value),
    }
}

/// The keys of the numbers that `LightGBM` takes for zero.
pub fn zero_band(input: Precision) -> (i64, i64) {
    (key(input, -ZERO_BAND), key(input, ZERO_BAND))
}

/// The largest key that passes a threshold; `None`: no number passes.
pub fn bound(layout: &Layout, threshold: f64) -> Option<i64> {
    if threshold.is_nan() {
        return None;
    }
    let (low, high) = zero_band(layout.input);
    if layout.snap_zero && (-ZERO_BAND..=ZERO_BAND).contains(&threshold) {
        // All numbers of the band are read as 0: they pass together or not at all.
        let passes = match layout.compare {
            Compare::LessEqual => threshold >= 0.0,
            Compare::Less => threshold > 0.0,
        };
        return Some(if passes { high } else { low - 1 });
    }
    Some(bound_of(layout, threshold))
}

fn bound_of(layout: &Layout, threshold: f64) -> i64 {
    let threshold = match layout.input {
        Precision::F64 => threshold,
        Precision::F32 => toward(layout.compare, threshold),
    };
    let exact = key(layout.input, threshold);
    match layout.compare {
        Compare::LessEqual => exact.max(if threshold == 0.0 { 0 } else { i64::MIN }),
        Compare::Less if threshold == 0.0 => -2,
        Compare::Less => exact - 1,
    }
}

/// The float32 that splits float32 numbers as this float64 does: the nearest one below it (or above it, where equality fails).
#[allow(clippy::cast_possible_truncation)]
fn toward(compare: Compare, threshold: f64) -> f64 {
    let nearest = threshold as f32;
    f64::from(match compare {
        Compare::LessEqual if f64::from(nearest) > threshold => nearest.next_down(),
        Compare::Less if f64::from(nearest) < threshold => nearest.next_up(),
        _ => nearest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::forest::{CategoryRule, Finish};

    fn layout(input: Precision, compare: Compare, snap_zero: bool) -> Layout {
        Layout {
            features: 1,
            input,
            snap_zero,
            compare,
            category: CategoryRule::Truncate,
            accepts_nan: true,
            sum: Precision::F64,
            base: vec![0.0],
            finish: Finish::Sum,
            trees_per_round: 1,
        }
    }

    /// Numbers where something happens, and their neighbours.
    fn numbers() -> Vec<f64> {
        let mut numbers = vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN];
        for middle in [
            ZERO_BAND,
            1.0,
            0.1,
            f64::from(0.1f32),
            1e300,
            3.5,
            f64::MIN_POSITIVE,
            f64::from(f32::MIN_POSITIVE),
            5e-324,
            1e-45,
            1e-300,
            f64::from(f32::MAX),
        ] {
            for value in [middle, middle.next_up(), middle.next_down()] {
                numbers.extend([value, -value]);
            }
            #[allow(clippy::cast_possible_truncation)]
            let single = middle as f32;
            for value in [single, single.next_up(), single.next_down()] {
                numbers.extend([f64::from(value), -f64::from(value)]);
            }
        }
        numbers
    }

    #[test]
    fn bounds_split_as_thresholds_do() {
        for input in [Precision::F32, Precision::F64] {
            for compare in [Compare::Less, Compare::LessEqual] {
                for snap in [false, true] {
                    let layout = layout(input, compare, snap);
                    for threshold in numbers().into_iter().chain([f64::NAN]) {
                        let bound = bound(&layout, threshold);
                        for value in numbers() {
                            let read = input.round(value);
                            let read = if snap && read.abs() <= ZERO_BAND { 0.0 } else { read };
                            let passes = match compare {
                                Compare::LessEqual => read <= threshold,
                                Compare::Less => read < threshold,
                            };
                            let found = bound.is_some_and(|bound| key(input, value) <= bound);
                            assert_eq!(found, passes, "{input:?} {compare:?} {snap}: {value:e} against {threshold:e}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_missing_value_is_above_everything() {
        for nan in [f64::NAN, -f64::NAN, f64::from_bits(0xfff0_0000_0000_0001)] {
            assert_eq!((key64(nan), key(Precision::F32, nan)), (MISSING, MISSING));
        }
        assert_eq!(key32(f32::from_bits(0xffc0_0000)), i32::MAX);
        assert!(key64(f64::INFINITY) < MISSING - 1 && key32(f32::INFINITY) < i32::MAX - 1);
        let (low, high) = zero_band(Precision::F64);
        for value in [0.0, -0.0, ZERO_BAND, -ZERO_BAND, 5e-324] {
            assert!((low..=high).contains(&key64(value)));
        }
        assert!(key64(ZERO_BAND.next_up()) > high && key64((-ZERO_BAND).next_down()) < low);
    }
}
