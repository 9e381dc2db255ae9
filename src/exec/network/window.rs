//! Convolutions and pooling: windows along the steps.

use super::level::{Kernel, Level};
use super::matrix::{Init, Packed, Product};
use super::memory::{Spare, room};
use super::real::Real;
use super::simd::Isa;
use crate::ir::network::{Pool, Pooling};

/// A convolution along the steps of (.., steps, channels).
#[derive(Debug)]
pub(super) struct Convolution<T> {
    pub(super) steps: usize,
    pub(super) channels: usize,
    pub(super) filters: usize,
    pub(super) taps: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) windows: usize,
    pub(super) bias: Option<Vec<T>>,
    pub(super) kernel: Kernels<T>,
}

/// The weights of a convolution.
#[derive(Debug)]
pub(super) enum Kernels<T> {
    /// One matrix (taps * channels, filters) for each group.
    Groups(Vec<Packed<T>>),
    /// Every filter sees one channel: (taps, filters).
    Depthwise(Vec<T>),
}

impl<T: Real> Convolution<T> {
    /// Runs over one sequence.
    pub(super) fn run(&self, level: Level, x: &[T], out: &mut [T], spare: &mut Spare<T>) {
        let channels = self.channels;
        let x = if self.before == 0 && self.after == 0 {
            x
        } else {
            let padded = room(&mut spare.first, (self.before + self.steps + self.after) * channels);
            let (before, rest) = padded.split_at_mut(self.before * channels);
            let (middle, after) = rest.split_at_mut(self.steps * channels);
            before.fill(T::default());
            middle.copy_from_slice(x);
            after.fill(T::default());
            &*padded
        };
        match &self.kernel {
            Kernels::Depthwise(kernel) => level.call(Depthwise { layer: self, kernel, x, out }),
            Kernels::Groups(groups) => {
                let filters = self.filters / groups.len();
                for (group, weights) in groups.iter().enumerate() {
                    let init = match &self.bias {
                        Some(bias) => Init::Bias(&bias[group * filters..][..filters]),
                        None => Init::Zero,
                    };
                    let (x, stride) = if groups.len() == 1 && self.dilation == 1 {
                        (x, self.stride * channels)
                    } else {
                        (self.gather(x, group, groups.len(), &mut spare.second), weights.inner())
                    };
                    let out = &mut out[group * filters..];
                    let (rows, out_stride) = (self.windows, self.filters);
                    level.call(Product { x, rows, stride, weights, init, out, out_stride });
                }
            }
        }
    }

    /// The windows of a group behind each other.
    fn gather<'a>(&self, x: &[T], group: usize, groups: usize, to: &'a mut Vec<T>) -> &'a [T] {
        let channels = self.channels / groups;
        let to = room(to, self.windows * self.taps * channels);
        for (index, to) in to.chunks_exact_mut(channels).enumerate() {
            let (window, tap) = (index / self.taps, index % self.taps);
            let step = window * self.stride + tap * self.dilation;
            to.copy_from_slice(&x[step * self.channels + group * channels..][..channels]);
        }
        to
    }
}

/// A depthwise convolution over padded steps.
struct Depthwise<'a, T> {
    layer: &'a Convolution<T>,
    kernel: &'a [T],
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Kernel for Depthwise<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
        let layer = self.layer;
        let each = layer.filters / layer.channels;
        for (window, out) in self.out.chunks_exact_mut(layer.filters).enumerate() {
            match &layer.bias {
                Some(bias) => out.copy_from_slice(bias),
                None => out.fill(T::default()),
            }
            for (tap, kernel) in self.kernel.chunks_exact(layer.filters).enumerate() {
                let step = window * layer.stride + tap * layer.dilation;
                let x = &self.x[step * layer.channels..][..layer.channels];
                if each == 1 {
                    for ((out, x), kernel) in out.iter_mut().zip(x).zip(kernel) {
                        *out = x.fma::<FUSED>(*kernel, *out);
                    }
                } else {
                    let filters = out.chunks_exact_mut(each).zip(kernel.chunks_exact(each));
                    for ((out, kernel), x) in filters.zip(x) {
                        for (out, kernel) in out.iter_mut().zip(kernel) {
                            *out = x.fma::<FUSED>(*kernel, *out);
                        }
                    }
                }
            }
        }
    }
}

/// Pooling along the steps of (steps, channels).
pub(super) struct PoolKernel<'a, T> {
    pub(super) pool: Pool,
    pub(super) channels: usize,
    pub(super) x: &'a [T],
    pub(super) out: &'a mut [T],
}

impl<T: Real> Kernel for PoolKernel<'_, T> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::cast_precision_loss)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
        let Pool { how, size, stride, dilation, before, .. } = self.pool;
        let steps = self.x.len() / self.channels;
        for (window, out) in self.out.chunks_exact_mut(self.channels).enumerate() {
            let start = if how == Pooling::Max { -T::INFINITY } else { T::default() };
            out.fill(start);
            let mut there = 0usize;
            for tap in 0..size {
                let place = window * stride + tap * dilation;
                if place < before || place - before >= steps {
                    continue;
                }
                there += 1;
                let x = &self.x[(place - before) * self.channels..][..self.channels];
                if how == Pooling::Max {
                    out.iter_mut().zip(x).for_each(|(out, x)| *out = out.larger(*x));
                } else {
                    out.iter_mut().zip(x).for_each(|(out, x)| *out = *out + *x);
                }
            }
            let count = match how {
                Pooling::Max => continue,
                Pooling::Mean => there,
                Pooling::MeanOfAll => size,
            };
            let count = T::of(count as f64);
            out.iter_mut().for_each(|out| *out = *out / count);
        }
    }
}
