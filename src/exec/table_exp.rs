//! The exponential function of `CatBoost` on x86-64, to the bit.
//!
//! `exp(x) = 2^(k / 2048) * exp(-t)` with the integer `k` nearest to `x * 2048 / ln 2` and a small rest `t`; the power comes from a
//! table and the rest from a polynomial of degree 3 (the `expd` of fmath). Several numbers at once are taken four by four; what is
//! left over goes through a scalar form, whose last product and difference are one fused operation.

use std::sync::OnceLock;

const STEPS: u32 = 2048;
/// Adding this number rounds another one to an integer, which then stands in the low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const CUBIC: f64 = 0.166_666_666_852_278_35;
const QUADRATIC: f64 = 3.000_000_002_795_539_4;
const LOWEST: f64 = -708.396_418_532_264_1;
const HIGHEST: f64 = 709.782_712_893_384;
const FRACTION: u64 = (1 << 52) - 1;

/// The fraction bits of `2^(i / 2048)`.
fn powers() -> &'static [u64] {
    static POWERS: OnceLock<Vec<u64>> = OnceLock::new();
    POWERS.get_or_init(|| (0..STEPS).map(|i| (f64::from(i) / f64::from(STEPS)).exp2().to_bits() & FRACTION).collect())
}

/// Computes the table, so that no later call allocates.
pub fn prepare() {
    powers();
}

/// Where four numbers are taken at once, or where one is left over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Four,
    One,
}

fn exp(x: f64, form: Form) -> f64 {
    let scale = f64::from(STEPS) / std::f64::consts::LN_2;
    let step = std::f64::consts::LN_2 / f64::from(STEPS);
    let shifted = x * scale + ROUNDER;
    let bits = shifted.to_bits();
    let rest = (shifted - ROUNDER) * step - x;
    let curve = (QUADRATIC - rest) * (rest * rest);
    let curve = match form {
        Form::Four => curve * CUBIC - rest,
        Form::One => curve.mul_add(CUBIC, -rest),
    };
    let exponent = ((bits & 0x007f_f800) << 41).wrapping_add(0x3ff0_0000_0000_0000);
    let power = powers()[usize::try_from(bits % u64::from(STEPS)).unwrap_or(0)];
    (curve + 1.0) * f64::from_bits(exponent | power)
}

/// `exp` of a number that stands alone.
pub fn single(x: f64) -> f64 {
    if x <= LOWEST {
        0.0
    } else if x >= HIGHEST {
        f64::INFINITY
    } else {
        exp(x, Form::One)
    }
}

/// `exp` of numbers that stand together.
pub fn in_place(numbers: &mut [f64]) {
    let (fours, rest) = numbers.as_chunks_mut::<4>();
    for number in fours.iter_mut().flatten() {
        // As the processor's minimum and maximum do, a NaN gives way to the bound.
        let below = if *number < HIGHEST { *number } else { HIGHEST };
        *number = exp(if below > LOWEST { below } else { LOWEST }, Form::Four);
    }
    for number in rest {
        *number = single(*number);
    }
}

/// `exp(x - max) / sum`.
pub fn softmax(margins: &mut [f64]) {
    let Some(&first) = margins.first() else { return };
    let largest = margins.iter().fold(first, |largest, &x| if largest < x { x } else { largest });
    for margin in &mut *margins {
        *margin -= largest;
    }
    in_place(margins);
    let sum = margins.iter().fold(0.0, |sum, x| sum + x);
    for margin in margins {
        *margin /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_near_the_exponential() {
        for i in -7000..7000 {
            let x = f64::from(i) / 10.0;
            let near = x.exp();
            // The rest is a difference of numbers as large as x.
            let close = |found: f64| (found - near).abs() <= (4e-16 + 2e-16 * x.abs()) * near;
            assert!(close(single(x)), "{x}: {} {near}", single(x));
            let mut four = [x; 5];
            in_place(&mut four);
            assert!(close(four[0]) && four[4] == single(x));
        }
    }

    #[test]
    fn numbers_out_of_range_are_cut_off() {
        assert_eq!((single(-1e9), single(1e9)), (0.0, f64::INFINITY));
        let mut numbers = [f64::NEG_INFINITY; 5];
        in_place(&mut numbers);
        assert!(numbers[0] > 0.0 && numbers[4] == 0.0);
    }
}
