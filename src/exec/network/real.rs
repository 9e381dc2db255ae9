//! The two types that networks compute in, and their functions.
//!
//! Functions of float32 are straight-line code, so that the compiler turns loops over them into vector instructions. Their
//! polynomials were fitted by weighted minimax (Lawson's iteration) in 40 digits; the errors named are those of the polynomials,
//! to which the roundings of float32 come. Functions of float64 are the platform's.

use super::matrix::Product;
use super::simd::{Isa, Simd};
use crate::exec::rows::Number;
use crate::ir::network::{Array, Data};
use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// `f32` or `f64`. `FUSED`: whether the processor rounds a product and a sum once.
pub(super) trait Real:
    Number
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    const ONE: Self;
    const INFINITY: Self;

    fn of(value: f64) -> Self;
    /// The numbers of an array of this type; nothing for the other type, which a validated network does not have.
    fn numbers(array: &Array) -> &[Self];
    /// Numbers of a caller that are of this type.
    fn same<N: Number>(numbers: &[N]) -> Option<&[Self]>;
    /// Numbers in a vector, and vectors in a panel of weights.
    fn panel<I: Isa>() -> (usize, usize);
    /// Runs a product with the vectors of this type.
    fn multiply<I: Isa>(isa: I, product: Product<'_, Self>);
    /// `self * factor + summand`.
    fn fma<const FUSED: bool>(self, factor: Self, summand: Self) -> Self;
    fn exp<const FUSED: bool>(self) -> Self;
    fn exp_minus_one<const FUSED: bool>(self) -> Self;
    /// `log(1 + x)` for `x` from 0 to 1.
    fn log_one_plus_share<const FUSED: bool>(self) -> Self;
    fn tanh<const FUSED: bool>(self) -> Self;
    fn erf<const FUSED: bool>(self) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn pow(self, exponent: Self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn round(self) -> Self;
    fn trunc(self) -> Self;

    /// `1 / (1 + exp(-x))`.
    #[inline(always)]
    fn sigmoid<const FUSED: bool>(self) -> Self {
        Self::ONE / (Self::ONE + (-self).exp::<FUSED>())
    }

    /// The larger one; a NaN on the left stays.
    #[inline(always)]
    fn at_least(self, bound: Self) -> Self {
        if self < bound { bound } else { self }
    }

    /// The smaller one; a NaN on the left stays.
    #[inline(always)]
    fn at_most(self, bound: Self) -> Self {
        if self > bound { bound } else { self }
    }

    /// The larger one, or NaN when one of them is.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if other.is_missing() { other } else { self.at_least(other) }
    }

    /// The smaller one, or NaN when one of them is.
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        if other.is_missing() { other } else { self.at_most(other) }
    }
}

/// The value of a polynomial, its coefficients from the highest power down.
#[inline(always)]
fn polynomial<const FUSED: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut value = coefficients[0];
    for coefficient in &coefficients[1..] {
        value = value.fma::<FUSED>(x, *coefficient);
    }
    value
}

/// What the two types have in common: their name is all that differs.
macro_rules! alike {
    ($type:ident, $variant:ident, $as_same:ident) => {
        const ONE: Self = 1.0;
        const INFINITY: Self = $type::INFINITY;

        #[inline(always)]
        #[allow(clippy::cast_possible_truncation)]
        fn of(value: f64) -> Self {
            value as $type
        }

        fn numbers(array: &Array) -> &[Self] {
            if let Data::$variant(numbers) = array.data() { numbers } else { &[] }
        }

        fn same<N: Number>(numbers: &[N]) -> Option<&[Self]> {
            N::$as_same(numbers)
        }

        #[inline(always)]
        fn panel<I: Isa>() -> (usize, usize) {
            (<I as Simd<$type>>::LANES, <I as Simd<$type>>::PANEL)
        }

        #[inline(always)]
        fn multiply<I: Isa>(isa: I, product: Product<'_, Self>) {
            product.multiply::<I>(isa);
        }

        #[inline(always)]
        fn fma<const FUSED: bool>(self, factor: Self, summand: Self) -> Self {
            if FUSED { self.mul_add(factor, summand) } else { self * factor + summand }
        }

        #[inline(always)]
        fn abs(self) -> Self {
            $type::abs(self)
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            $type::sqrt(self)
        }

        fn sin(self) -> Self {
            $type::sin(self)
        }

        fn cos(self) -> Self {
            $type::cos(self)
        }

        fn ln(self) -> Self {
            $type::ln(self)
        }

        fn ln_1p(self) -> Self {
            $type::ln_1p(self)
        }

        fn pow(self, exponent: Self) -> Self {
            self.powf(exponent)
        }

        #[inline(always)]
        fn floor(self) -> Self {
            $type::floor(self)
        }

        #[inline(always)]
        fn ceil(self) -> Self {
            $type::ceil(self)
        }

        #[inline(always)]
        fn round(self) -> Self {
            self.round_ties_even()
        }

        #[inline(always)]
        fn trunc(self) -> Self {
            $type::trunc(self)
        }
    };
}

impl Real for f32 {
    alike!(f32, F32, as_f32);

    /// `2^n * exp(r)` with `|r| <= log(2) / 2`; the polynomial is off by 3.1e-9.
    #[inline(always)]
    fn exp<const FUSED: bool>(self) -> Self {
        const LOG2_E: f32 = std::f32::consts::LOG2_E;
        // log(2) in two parts, the first of which has zeros at its end, so that its product with `n` is exact.
        const LN_2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];
        // Adding it leaves an integer in the lowest bits.
        const ROUND: f32 = 12_582_912.0;
        // Above, the result is infinite; below, it would be no normal number any more and is 0 but for 1e-38.
        let x = self.at_most(88.722_84).at_least(-87.336_54);
        let shifted = x.fma::<FUSED>(LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = n.fma::<FUSED>(-LN_2[1], n.fma::<FUSED>(-LN_2[0], x));
        let tail =
            polynomial::<FUSED, 5>(r, [1.381_459_8e-3, 8.368_717e-3, 4.166_839e-2, 1.666_652_1e-1, 4.999_999_4e-1]);
        let value = (r * r).fma::<FUSED>(tail, r) + 1.0;
        // Also for n = 128: the value is below 1 then.
        let value = f32::from_bits(value.to_bits().wrapping_add(shifted.to_bits() << 23));
        if self > 88.722_84 { f32::INFINITY } else { value }
    }

    /// Near 0 a polynomial that is off by 3.2e-9 of the result, else `exp(x) - 1`.
    #[inline(always)]
    fn exp_minus_one<const FUSED: bool>(self) -> Self {
        let tail = polynomial::<FUSED, 6>(
            self,
            [1.984_981e-4, 1.399_617_6e-3, 8.333_579e-3, 4.166_536e-2, 1.666_666_4e-1, 5.000_000_6e-1],
        );
        let near = (self * self).fma::<FUSED>(tail, self);
        let far = Real::exp::<FUSED>(self) - 1.0;
        if self.abs() < 0.5 { near } else { far }
    }

    /// `2 * atanh(x / (2 + x))`; the polynomial is off by 4.6e-9 of the result.
    #[inline(always)]
    fn log_one_plus_share<const FUSED: bool>(self) -> Self {
        let s = self / (2.0 + self);
        let square = s * s;
        let tail = polynomial::<FUSED, 4>(square, [1.401_214_3e-1, 1.399_958_9e-1, 2.001_085e-1, 3.333_320_6e-1]);
        2.0 * (s * square).fma::<FUSED>(tail, s)
    }

    /// `x * p(x^2) / q(x^2)` up to 9, where it is 1; off by 2.1e-8 of the result.
    #[inline(always)]
    fn tanh<const FUSED: bool>(self) -> Self {
        let x = self.at_most(9.0).at_least(-9.0);
        let square = x * x;
        let above = polynomial::<FUSED, 5>(
            square,
            [1.335_437_8e-8, 2.060_887_3e-5, 3.495_575_4e-3, 1.338_101_5e-1, 9.999_999_8e-1],
        );
        let below = polynomial::<FUSED, 5>(square, [7.776_440_5e-7, 3.285_614e-4, 2.587_693_4e-2, 4.671_433e-1, 1.0]);
        // Roundings must not carry it above 1.
        (x * above / below).at_most(1.0).at_least(-1.0)
    }

    /// `1 - exp(-x * p(x))`, the sign put back; off by 4.1e-9 of the result.
    #[inline(always)]
    #[allow(clippy::approx_constant)] // it is near one, and fitted with the others
    fn erf<const FUSED: bool>(self) -> Self {
        let x = self.abs().at_most(4.0);
        let tail = polynomial::<FUSED, 9>(
            x,
            [
                -9.256_114e-6,
                1.176_401_4e-4,
                -6.328_333e-4,
                1.667_021_3e-3,
                -1.603_896_1e-4,
                -1.915_306_8e-2,
                1.027_778_3e-1,
                6.366_194e-1,
                1.128_379_2,
            ],
        );
        let value = -(-x * tail).exp_minus_one::<FUSED>();
        value.copysign(self)
    }
}

impl Real for f64 {
    alike!(f64, F64, as_f64);

    fn exp<const FUSED: bool>(self) -> Self {
        f64::exp(self)
    }

    fn exp_minus_one<const FUSED: bool>(self) -> Self {
        self.exp_m1()
    }

    fn log_one_plus_share<const FUSED: bool>(self) -> Self {
        f64::ln_1p(self)
    }

    fn tanh<const FUSED: bool>(self) -> Self {
        f64::tanh(self)
    }

    fn erf<const FUSED: bool>(self) -> Self {
        libm::erf(self)
    }
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // numbers of a test
mod tests {
    use super::super::level::{Kernel, Level};
    use super::super::simd::Isa;
    use super::*;

    /// A function over a slice, compiled for a level.
    struct Each<'a, F>(&'a mut [f32], F);

    /// A function in both ways of rounding.
    trait Both {
        fn call<const FUSED: bool>(&self, x: f32) -> f32;
    }

    impl<F: Both> Kernel for Each<'_, F> {
        type Output = ();
        #[inline(always)]
        fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
            for x in self.0 {
                *x = self.1.call::<FUSED>(*x);
            }
        }
    }

    /// Compares with float64 from `from` to `to`, in units of the last place of the result or absolutely.
    fn check(name: &str, function: impl Both + Copy, exact: fn(f64) -> f64, (from, to): (f32, f32), ulps: f64) {
        let count = 65_000u16;
        let xs: Vec<f32> = (0..=u32::from(count))
            .map(|i| from + (to - from) * (i as f32 / f32::from(count)))
            .chain([0.0, -0.0])
            .collect();
        let tiny = [1e-3f32, 1e-5, 1e-10, 1e-20, -1e-3, -1e-5, -1e-10];
        let xs: Vec<f32> = xs.into_iter().chain(tiny.into_iter().filter(|x| (from..=to).contains(x))).collect();
        for level in Level::all() {
            let mut found = xs.clone();
            level.call(Each(&mut found, function));
            let mut worst = (0.0f64, 0.0f32);
            for (x, found) in xs.iter().zip(&found) {
                let exact = exact(f64::from(*x));
                let ulp = f64::from((exact.abs() as f32).next_up() - exact.abs() as f32).max(1e-38);
                let off = (f64::from(*found) - exact).abs() / ulp;
                worst = if off > worst.0 { (off, *x) } else { worst };
            }
            println!("{name} {level:?}: {} ulp at {}", worst.0, worst.1);
            assert!(worst.0 <= ulps, "{name} {level:?}: {} ulp at {}", worst.0, worst.1);
        }
    }

    macro_rules! both {
        ($name:ident, $method:ident) => {
            #[derive(Clone, Copy)]
            struct $name;
            impl Both for $name {
                #[inline(always)]
                fn call<const FUSED: bool>(&self, x: f32) -> f32 {
                    Real::$method::<FUSED>(x)
                }
            }
        };
    }
    both!(Exp, exp);
    both!(ExpMinusOne, exp_minus_one);
    both!(LogOnePlus, log_one_plus_share);
    both!(Tanh, tanh);
    both!(Erf, erf);
    both!(Sigmoid, sigmoid);

    #[test]
    fn functions_are_near_the_platforms() {
        check("exp", Exp, f64::exp, (-87.0, 88.7), 2.0);
        check("exp_minus_one", ExpMinusOne, f64::exp_m1, (-20.0, 20.0), 4.0);
        check("log_one_plus_share", LogOnePlus, f64::ln_1p, (0.0, 1.0), 4.0);
        check("tanh", Tanh, f64::tanh, (-12.0, 12.0), 6.0);
        check("erf", Erf, libm::erf, (-6.0, 6.0), 6.0);
        check("sigmoid", Sigmoid, |x| 1.0 / (1.0 + (-x).exp()), (-80.0, 80.0), 4.0);
    }

    #[test]
    fn the_ends_are_those_of_the_functions() {
        let exp = |x: f32| Real::exp::<true>(x);
        assert_eq!((exp(89.0), exp(f32::INFINITY), exp(0.0)), (f32::INFINITY, f32::INFINITY, 1.0));
        assert!(exp(-200.0) < 1.3e-38 && exp(f32::NEG_INFINITY) < 1.3e-38 && exp(f32::NAN).is_nan());
        let tanh = |x: f32| Real::tanh::<true>(x);
        assert_eq!((tanh(f32::INFINITY), tanh(-50.0), tanh(0.0)), (1.0, -1.0, 0.0));
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!((Real::erf::<true>(9.0f32), Real::erf::<true>(-0.0f32)), (1.0, 0.0));
        let sigmoid = |x: f32| Real::sigmoid::<true>(x);
        assert_eq!((sigmoid(0.0), sigmoid(100.0)), (0.5, 1.0));
    }
}
