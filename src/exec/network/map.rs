//! Functions of every element, and of pairs of elements.

use super::level::Kernel;
use super::real::Real;
use super::simd::Isa;
use crate::ir::network::{Binary, Function};

/// Replaces every element by a function of it.
pub(super) struct Map<'a, T>(pub(super) Function, pub(super) &'a mut [T]);

impl<T: Real> Kernel for Map<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
        apply::<T, FUSED>(self.0, self.1);
    }
}

#[inline(always)]
fn each<T: Real>(x: &mut [T], function: impl Fn(T) -> T) {
    for x in x {
        *x = function(*x);
    }
}

/// Replaces every element by a function of it.
#[allow(clippy::too_many_lines)]
#[inline(always)]
pub(super) fn apply<T: Real, const FUSED: bool>(function: Function, x: &mut [T]) {
    let (zero, one, half) = (T::default(), T::ONE, T::of(0.5));
    match function {
        Function::Identity => {}
        // Not a maximum: that of the platform forgets a NaN.
        Function::Relu => each(x, |x| x.at_least(zero)),
        Function::BentRelu { slope, threshold, max } => {
            let (slope, threshold, max) = (T::of(slope), T::of(threshold), T::of(max));
            each(x, |x| {
                let above = if x >= max { max } else { x };
                if x < threshold { slope * (x - threshold) } else { above }
            });
        }
        Function::Elu { alpha } => {
            let alpha = T::of(alpha);
            each(x, |x| if x > zero { x } else { alpha * x.exp_minus_one::<FUSED>() });
        }
        Function::Celu { alpha } => {
            let alpha = T::of(alpha);
            each(x, |x| if x > zero { x } else { alpha * (x / alpha).exp_minus_one::<FUSED>() });
        }
        Function::Selu => {
            let scale = T::of(1.050_700_987_355_480_5);
            let alpha = T::of(1.050_700_987_355_480_5 * 1.673_263_242_354_377_2);
            each(x, |x| if x > zero { scale * x } else { alpha * x.exp_minus_one::<FUSED>() });
        }
        Function::Gelu => {
            let root = T::of(std::f64::consts::FRAC_1_SQRT_2);
            each(x, |x| half * x * (one + (x * root).erf::<FUSED>()));
        }
        Function::GeluTanh => {
            let (root, cube) = (T::of((2.0 / std::f64::consts::PI).sqrt()), T::of(0.044_715));
            each(x, |x| half * x * (one + (root * (x * x * x).fma::<FUSED>(cube, x)).tanh::<FUSED>()));
        }
        Function::Silu => each(x, |x| x * x.sigmoid::<FUSED>()),
        Function::Mish => each(x, |x| {
            // tanh(log(1 + e)) = (e^2 + 2e) / (e^2 + 2e + 2); beyond 20 it is 1, and e^2 would become infinite.
            let e = x.at_most(T::of(20.0)).exp::<FUSED>();
            let share = e * (e + T::of(2.0));
            x * (share / (share + T::of(2.0)))
        }),
        Function::Softplus => each(x, softplus::<T, FUSED>),
        Function::LogSigmoid => each(x, |x| -softplus::<T, FUSED>(-x)),
        Function::Softsign => each(x, |x| x / (one + x.abs())),
        Function::Tanh => each(x, T::tanh::<FUSED>),
        Function::Sigmoid => each(x, T::sigmoid::<FUSED>),
        Function::HardSigmoid { slope, offset } => {
            let (slope, offset) = (T::of(slope), T::of(offset));
            each(x, |x| x.fma::<FUSED>(slope, offset).at_most(one).at_least(zero));
        }
        Function::HardSwish => {
            let slope = T::of(1.0 / 6.0);
            each(x, |x| x * x.fma::<FUSED>(slope, half).at_most(one).at_least(zero));
        }
        Function::Clip { min, max } => {
            let (min, max) = (T::of(min), T::of(max));
            each(x, |x| x.at_least(min).at_most(max));
        }
        Function::Threshold { threshold, value } => {
            let (threshold, value) = (T::of(threshold), T::of(value));
            each(x, |x| if x <= threshold { value } else { x });
        }
        Function::SoftShrink { lambda } => {
            let lambda = T::of(lambda);
            each(x, |x| {
                let below = if x < -lambda { x + lambda } else { zero };
                if x > lambda { x - lambda } else { below }
            });
        }
        Function::HardShrink { lambda } => {
            let lambda = T::of(lambda);
            each(x, |x| if x.abs() <= lambda { zero } else { x });
        }
        Function::TanhShrink => each(x, |x| x - x.tanh::<FUSED>()),
        Function::Squareplus { b } => {
            let b = T::of(b);
            each(x, |x| half * (x + (x * x + b).sqrt()));
        }
        Function::Exp => each(x, T::exp::<FUSED>),
        Function::ExpMinusOne => each(x, T::exp_minus_one::<FUSED>),
        Function::Log => each(x, T::ln),
        Function::LogOnePlus => each(x, T::ln_1p),
        Function::Sqrt => each(x, T::sqrt),
        Function::ReciprocalSqrt => each(x, |x| one / x.sqrt()),
        Function::Reciprocal => each(x, |x| one / x),
        Function::Square => each(x, |x| x * x),
        Function::Abs => each(x, T::abs),
        Function::Negate => each(x, |x| -x),
        Function::Sign => each(x, |x| {
            let below = if x < zero { -one } else { x };
            if x > zero { one } else { below }
        }),
        Function::Sin => each(x, T::sin),
        Function::Cos => each(x, T::cos),
        Function::Erf => each(x, T::erf::<FUSED>),
        Function::Floor => each(x, T::floor),
        Function::Ceil => each(x, T::ceil),
        Function::Round => each(x, T::round),
        Function::Truncate => each(x, T::trunc),
        Function::Not => each(x, |x| if x == zero { one } else { zero }),
    }
}

/// `log(1 + exp(x))`, without the exponential of a large number.
#[inline(always)]
fn softplus<T: Real, const FUSED: bool>(x: T) -> T {
    x.at_least(T::default()) + (-x.abs()).exp::<FUSED>().log_one_plus_share::<FUSED>()
}

/// The right operands of a run of left ones.
#[derive(Clone, Copy)]
pub(super) enum Right<'a, T> {
    /// One for each.
    Each(&'a [T]),
    /// The same for all of them.
    Same(T),
}

/// Replaces every element of a run by a function of it and a right operand.
pub(super) struct Pairs<'a, T> {
    pub(super) function: Binary,
    pub(super) left: &'a mut [T],
    pub(super) right: Right<'a, T>,
    /// Whether left and right change places.
    pub(super) swapped: bool,
}

impl<T: Real> Kernel for Pairs<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
        let truth = |truth: bool| if truth { T::ONE } else { T::default() };
        match self.function {
            Binary::Add => self.each(|a, b| a + b),
            Binary::Subtract => self.each(|a, b| a - b),
            Binary::Multiply => self.each(|a, b| a * b),
            Binary::Divide => self.each(|a, b| a / b),
            Binary::Maximum => self.each(T::larger),
            Binary::Minimum => self.each(T::smaller),
            Binary::Power => self.each(T::pow),
            Binary::Greater => self.each(|a, b| truth(a > b)),
            Binary::GreaterOrEqual => self.each(|a, b| truth(a >= b)),
            Binary::Less => self.each(|a, b| truth(a < b)),
            Binary::LessOrEqual => self.each(|a, b| truth(a <= b)),
            Binary::Equal => self.each(|a, b| truth(a == b)),
            Binary::NotEqual => self.each(|a, b| truth(a != b)),
        }
    }
}

impl<T: Real> Pairs<'_, T> {
    #[inline(always)]
    fn each(self, function: impl Fn(T, T) -> T) {
        match (self.right, self.swapped) {
            (Right::Each(right), false) => {
                self.left.iter_mut().zip(right).for_each(|(left, right)| *left = function(*left, *right));
            }
            (Right::Each(right), true) => {
                self.left.iter_mut().zip(right).for_each(|(left, right)| *left = function(*right, *left));
            }
            (Right::Same(right), false) => self.left.iter_mut().for_each(|left| *left = function(*left, right)),
            (Right::Same(right), true) => self.left.iter_mut().for_each(|left| *left = function(right, *left)),
        }
    }
}

/// Replaces runs of a row by `x * scale + shift`: each run of `run` numbers belongs to one index of the axis, or, with runs of one
/// number, the axis is the last one.
pub(super) struct Scale<'a, T> {
    pub(super) x: &'a mut [T],
    pub(super) run: usize,
    pub(super) factors: &'a [T],
    pub(super) summands: &'a [T],
}

impl<T: Real> Kernel for Scale<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
        let both = || self.factors.iter().zip(self.summands);
        if self.run == 1 {
            for x in self.x.chunks_exact_mut(self.factors.len()) {
                for (x, (scale, shift)) in x.iter_mut().zip(both()) {
                    *x = x.fma::<FUSED>(*scale, *shift);
                }
            }
        } else {
            for (x, (scale, shift)) in self.x.chunks_exact_mut(self.run).zip(both().cycle()) {
                for x in x {
                    *x = x.fma::<FUSED>(*scale, *shift);
                }
            }
        }
    }
}
