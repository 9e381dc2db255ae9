//! Sums and extremes over an axis, and what is built on them: normalisation and softmax.
//!
//! A sum runs in as many lanes as a vector has, then over the lanes in order: the same for every row.

use super::level::Kernel;
use super::map::apply;
use super::real::Real;
use super::simd::Isa;
use crate::ir::network::{Function, Norm, Reduction};

#[inline(always)]
fn fold<T: Real, const L: usize>(x: &[T], start: T, both: impl Fn(T, T) -> T) -> T {
    let mut lanes = [start; L];
    let (whole, rest) = x.as_chunks::<L>();
    for x in whole {
        for l in 0..L {
            lanes[l] = both(lanes[l], x[l]);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = both(*lane, *x);
    }
    let mut half = L / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] = both(lanes[l], lanes[l + half]);
        }
        half /= 2;
    }
    lanes[0]
}

#[allow(clippy::cast_precision_loss)]
fn count<T: Real>(count: usize) -> T {
    T::of(count as f64)
}

/// Reduces the middle axis of `x`, of shape (outer, `size`, `inner`), into `out`, of shape (outer, `inner`).
pub(super) struct Reduce<'a, T> {
    pub(super) how: Reduction,
    pub(super) x: &'a [T],
    pub(super) size: usize,
    pub(super) inner: usize,
    pub(super) out: &'a mut [T],
}

impl<T: Real> Kernel for Reduce<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(mut self, _: I) {
        let zero = T::default();
        match self.how {
            Reduction::Sum => self.each::<L>(zero, |a, b| a + b),
            Reduction::Mean => {
                self.each::<L>(zero, |a, b| a + b);
                let size = count::<T>(self.size);
                self.out.iter_mut().for_each(|out| *out = *out / size);
            }
            Reduction::Max => self.each::<L>(-T::INFINITY, T::larger),
            Reduction::Min => self.each::<L>(T::INFINITY, T::smaller),
            Reduction::Product => self.each::<L>(T::ONE, |a, b| a * b),
        }
    }
}

impl<T: Real> Reduce<'_, T> {
    #[inline(always)]
    fn each<const L: usize>(&mut self, start: T, both: impl Fn(T, T) -> T + Copy) {
        if self.inner == 1 {
            for (x, out) in self.x.chunks_exact(self.size).zip(&mut *self.out) {
                *out = fold::<T, L>(x, start, both);
            }
            return;
        }
        let rows = self.x.chunks_exact(self.size * self.inner).zip(self.out.chunks_exact_mut(self.inner));
        for (x, out) in rows {
            out.fill(start);
            for x in x.chunks_exact(self.inner) {
                for (out, x) in out.iter_mut().zip(x) {
                    *out = both(*out, *x);
                }
            }
        }
    }
}

/// Replaces each run of `size` numbers by its softmax or the logarithm of that.
pub(super) struct Softmax<'a, T> {
    pub(super) x: &'a mut [T],
    pub(super) size: usize,
    pub(super) log: bool,
}

impl<T: Real> Kernel for Softmax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
        for x in self.x.chunks_exact_mut(self.size) {
            let largest = fold::<T, L>(x, -T::INFINITY, T::larger);
            if self.log {
                let mut lanes = [T::default(); L];
                for (index, x) in x.iter().enumerate() {
                    lanes[index % L] = lanes[index % L] + (*x - largest).exp::<FUSED>();
                }
                let sum = fold::<T, L>(&lanes, T::default(), |a, b| a + b);
                // Two differences: `largest + ln(sum)` would round the logarithm away where the largest is large.
                let shift = sum.ln();
                x.iter_mut().for_each(|x| *x = *x - largest - shift);
                continue;
            }
            x.iter_mut().for_each(|x| *x = *x - largest);
            apply::<T, FUSED>(Function::Exp, x);
            let share = T::ONE / fold::<T, L>(x, T::default(), |a, b| a + b);
            x.iter_mut().for_each(|x| *x = *x * share);
        }
    }
}

/// Normalises each run of `size` numbers.
pub(super) struct Normalise<'a, T> {
    pub(super) norm: Norm,
    pub(super) x: &'a mut [T],
    pub(super) size: usize,
    pub(super) scale: Option<&'a [T]>,
    pub(super) shift: Option<&'a [T]>,
}

impl<T: Real> Kernel for Normalise<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
        let size = count::<T>(self.size);
        for x in self.x.chunks_exact_mut(self.size) {
            let squares = |x: &[T]| {
                let zero = T::default();
                let mut lanes = [zero; L];
                let (whole, rest) = x.as_chunks::<L>();
                for x in whole {
                    for l in 0..L {
                        lanes[l] = x[l].fma::<FUSED>(x[l], lanes[l]);
                    }
                }
                for (lane, x) in lanes.iter_mut().zip(rest) {
                    *lane = x.fma::<FUSED>(*x, *lane);
                }
                fold::<T, L>(&lanes, zero, |a, b| a + b)
            };
            let divisor = match self.norm {
                Norm::Layer { epsilon } => {
                    let mean = fold::<T, L>(x, T::default(), |a, b| a + b) / size;
                    x.iter_mut().for_each(|x| *x = *x - mean);
                    (squares(x) / size + T::of(epsilon)).sqrt()
                }
                Norm::Rms { epsilon } => (squares(x) / size + T::of(epsilon)).sqrt(),
                Norm::Unit { least } => squares(x).at_least(T::of(least)).sqrt(),
            };
            let factor = T::ONE / divisor;
            x.iter_mut().for_each(|x| *x = *x * factor);
            if let Some(scale) = self.scale {
                x.iter_mut().zip(scale).for_each(|(x, scale)| *x = *x * *scale);
            }
            if let Some(shift) = self.shift {
                x.iter_mut().zip(shift).for_each(|(x, shift)| *x = *x + *shift);
            }
        }
    }
}
