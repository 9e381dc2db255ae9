//! Products of matrices: rows of numbers times weights that were packed for them.
//!
//! Weights lie in panels of a few vectors of columns, row after row of the weights, so that a tile of the result stays in registers
//! while a panel streams by. The inner dimension is cut into segments that are summed apart and then added up: with one row and few
//! columns that keeps enough independent sums going. How it is cut depends on the weights alone, and a row is summed in the same
//! order whatever rows stand beside it: the bits of a row do not depend on its batch.

use super::level::{Kernel, Level};
use super::real::Real;
use super::simd::{Isa, Simd};
use std::marker::PhantomData;

/// Rows of a tile.
const TILE: usize = 6;
/// Sums that run beside each other: two per cycle, four cycles each.
const CHAINS: usize = 8;
/// Products of a segment below which cutting does not pay.
const SEGMENT: usize = 16;
/// Bytes to which panels are aligned.
const LINE: usize = 64;

/// Weights of shape (inner, columns), packed for a level.
#[derive(Debug)]
pub(super) struct Packed<T> {
    inner: usize,
    columns: usize,
    numbers: Vec<T>,
    /// Where the first panel begins, so that it is aligned.
    start: usize,
}

impl<T: Real> Packed<T> {
    /// No weights yet.
    pub(super) const fn empty() -> Self {
        Self { inner: 0, columns: 0, numbers: Vec::new(), start: 0 }
    }

    /// Packs `weights`, of shape (inner, columns) in row-major order.
    pub(super) fn new(level: Level, weights: &[T], inner: usize, columns: usize) -> Self {
        let mut packed = Self::empty();
        packed.fill(level, inner, columns, |row, column| weights[row * columns + column]);
        packed
    }

    /// Packs what `at` says stands in a row and column, over what was there before.
    #[inline]
    pub(super) fn fill(&mut self, level: Level, inner: usize, columns: usize, at: impl Fn(usize, usize) -> T) {
        let (lanes, vectors) = level.call(Panel(PhantomData::<T>));
        let panel = lanes * vectors;
        let padding = LINE / size_of::<T>();
        let needed = inner * columns.next_multiple_of(lanes) + padding;
        if self.numbers.len() < needed {
            self.numbers.resize(needed, T::default());
            self.start = self.numbers.as_ptr().align_offset(LINE).min(padding);
        }
        self.inner = inner;
        self.columns = columns;
        let mut rest = &mut self.numbers[self.start..];
        for first in (0..columns).step_by(panel) {
            let width = panel.min((columns - first).next_multiple_of(lanes));
            let there = width.min(columns - first);
            let (panel, behind) = rest.split_at_mut(inner * width);
            for (row, line) in panel.chunks_exact_mut(width).enumerate() {
                let (numbers, padding) = line.split_at_mut(there);
                for (column, number) in numbers.iter_mut().enumerate() {
                    *number = at(row, first + column);
                }
                padding.fill(T::default());
            }
            rest = behind;
        }
    }

    /// Rows of the weights.
    pub(super) fn inner(&self) -> usize {
        self.inner
    }

    /// Columns of the weights.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }
}

/// The statements once for each number below `$count`, which is at most 8. Loops around more than a few instructions are not
/// unrolled, and sums that are reached through a variable do not stay in registers.
macro_rules! unrolled {
    ($index:ident < $count:expr, $body:block) => {
        unrolled!(@ $index $count, $body, 0 1 2 3 4 5 6 7)
    };
    (@ $index:ident $count:expr, $body:block, $($number:literal)*) => {
        $(if $number < $count {
            let $index = $number;
            $body
        })*
    };
}

/// Numbers in a vector, and vectors in a panel.
struct Panel<T>(PhantomData<T>);

impl<T: Real> Kernel for Panel<T> {
    type Output = (usize, usize);

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) -> (usize, usize) {
        T::panel::<I>()
    }
}

/// What sums begin with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Init<'a, T> {
    /// Nothing.
    Zero,
    /// One number for each column.
    Bias(&'a [T]),
    /// What `out` holds.
    Out,
}

/// `out = init + x * weights`, for `rows` rows of `x` that begin `stride` numbers apart, and those of `out` `out_stride`.
pub(super) struct Product<'a, T> {
    pub(super) x: &'a [T],
    pub(super) rows: usize,
    pub(super) stride: usize,
    pub(super) weights: &'a Packed<T>,
    pub(super) init: Init<'a, T>,
    pub(super) out: &'a mut [T],
    pub(super) out_stride: usize,
}

impl<T: Real> Kernel for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, isa: I) {
        T::multiply(isa, self);
    }
}

impl<T: Real> Product<'_, T> {
    /// The product, by the vectors of `T`.
    #[inline(always)]
    pub(super) fn multiply<I: Simd<T>>(mut self, isa: I) {
        let columns = self.weights.columns;
        let mut start = self.weights.start;
        for first in (0..columns).step_by(I::LANES * I::PANEL) {
            let vectors = (columns - first).div_ceil(I::LANES).min(I::PANEL);
            match vectors {
                1 => self.panel::<I, 1>(isa, first, start),
                2 => self.panel::<I, 2>(isa, first, start),
                3 if I::PANEL > 2 => self.panel::<I, 3>(isa, first, start),
                _ if I::PANEL > 2 => self.panel::<I, 4>(isa, first, start),
                _ => {}
            }
            start += self.weights.inner * vectors * I::LANES;
        }
    }

    /// All rows of the `N` vectors of columns from `first` on, whose weights begin at `start`.
    #[inline(always)]
    fn panel<I: Simd<T>, const N: usize>(&mut self, isa: I, first: usize, start: usize) {
        let weights = self.weights;
        let panel = &weights.numbers[start..][..weights.inner * N * I::LANES];
        // A power of two, so that there are few kinds.
        let segments = match (CHAINS / N).min(weights.inner / SEGMENT) {
            8.. => 8,
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        let mut row = 0;
        while row + TILE <= self.rows {
            self.tile::<I, N, TILE>(isa, row, first, panel, segments);
            row += TILE;
        }
        if row + TILE / 2 <= self.rows {
            self.tile::<I, N, { TILE / 2 }>(isa, row, first, panel, segments);
            row += TILE / 2;
        }
        for row in row..self.rows {
            match segments {
                1 => self.tile::<I, N, 1>(isa, row, first, panel, 1),
                2 => self.single::<I, N, 2>(isa, row, first, panel),
                4 => self.single::<I, N, 4>(isa, row, first, panel),
                _ => self.single::<I, N, 8>(isa, row, first, panel),
            }
        }
    }

    /// `R` rows, segment after segment.
    #[inline(always)]
    fn tile<I: Simd<T>, const N: usize, const R: usize>(
        &mut self,
        isa: I,
        row: usize,
        first: usize,
        panel: &[T],
        segments: usize,
    ) {
        let (inner, wide) = (self.weights.inner, N * I::LANES);
        let length = inner / segments;
        for segment in 0..segments {
            let begin = segment * length;
            let end = if segment + 1 == segments { inner } else { begin + length };
            let mut x: [&[T]; R] = [&[]; R];
            let mut sums = [[isa.splat(T::default()); N]; R];
            unrolled!(r < R, {
                x[r] = &self.x[(row + r) * self.stride + begin..][..end - begin];
                if segment == 0 {
                    sums[r] = self.begin(isa, row + r, first);
                }
            });
            for (k, weights) in panel[begin * wide..end * wide].chunks_exact(wide).enumerate() {
                let mut vectors = [isa.splat(T::default()); N];
                for n in 0..N {
                    vectors[n] = isa.load(&weights[n * I::LANES..]);
                }
                for r in 0..R {
                    let value = isa.splat(x[r][k]);
                    for n in 0..N {
                        sums[r][n] = isa.fma(value, vectors[n], sums[r][n]);
                    }
                }
            }
            unrolled!(r < R, {
                self.end(isa, row + r, first, sums[r], segment > 0);
            });
        }
    }

    /// One row, `S` segments beside each other: the sums of [`Product::tile`].
    #[inline(always)]
    fn single<I: Simd<T>, const N: usize, const S: usize>(&mut self, isa: I, row: usize, first: usize, panel: &[T]) {
        let (inner, wide) = (self.weights.inner, N * I::LANES);
        let length = inner / S;
        let x = &self.x[row * self.stride..][..inner];
        let mut sums = [[isa.splat(T::default()); N]; S];
        sums[0] = self.begin(isa, row, first);
        let mut parts: [(&[T], &[T]); S] = [(&[], &[]); S];
        for s in 0..S {
            parts[s] = (&x[s * length..][..length], &panel[s * length * wide..][..length * wide]);
        }
        for k in 0..length {
            for s in 0..S {
                let (value, weights) = (isa.splat(parts[s].0[k]), &parts[s].1[k * wide..][..wide]);
                for n in 0..N {
                    sums[s][n] = isa.fma(value, isa.load(&weights[n * I::LANES..]), sums[s][n]);
                }
            }
        }
        for k in S * length..inner {
            let (value, weights) = (isa.splat(x[k]), &panel[k * wide..][..wide]);
            for n in 0..N {
                sums[S - 1][n] = isa.fma(value, isa.load(&weights[n * I::LANES..]), sums[S - 1][n]);
            }
        }
        let mut all = sums[0];
        for sums in &sums[1..] {
            for n in 0..N {
                all[n] = isa.add(all[n], sums[n]);
            }
        }
        self.end(isa, row, first, all, false);
    }

    /// What the sums of a row begin with.
    #[inline(always)]
    fn begin<I: Simd<T>, const N: usize>(&self, isa: I, row: usize, first: usize) -> [I::Vector; N] {
        let mut vectors = [isa.splat(T::default()); N];
        let init = match self.init {
            Init::Zero => return vectors,
            Init::Bias(bias) => &bias[first..],
            Init::Out => &self.out[row * self.out_stride + first..],
        };
        let there = self.weights.columns - first;
        unrolled!(n < N, {
            vectors[n] = if there >= (n + 1) * I::LANES {
                isa.load(&init[n * I::LANES..])
            } else {
                isa.load_some(&init[n * I::LANES..there])
            };
        });
        vectors
    }

    /// Writes the sums of a row, or adds them to what is there.
    #[inline(always)]
    fn end<I: Simd<T>, const N: usize>(&mut self, isa: I, row: usize, first: usize, sums: [I::Vector; N], add: bool) {
        let there = self.weights.columns - first;
        let out = &mut self.out[row * self.out_stride + first..];
        unrolled!(n < N, {
            if there >= (n + 1) * I::LANES {
                let out = &mut out[n * I::LANES..];
                let sum = if add { isa.add(isa.load(out), sums[n]) } else { sums[n] };
                isa.store(sum, out);
            } else {
                let out = &mut out[n * I::LANES..there];
                let sum = if add { isa.add(isa.load_some(out), sums[n]) } else { sums[n] };
                isa.store_some(sum, out);
            }
        });
    }
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss)] // numbers of a test
mod tests {
    use super::*;

    /// The product in float64, number after number.
    fn plain(x: &[f32], weights: &[f32], bias: &[f32], inner: usize) -> Vec<f64> {
        let columns = bias.len();
        let row = |x: &[f32]| -> Vec<f64> {
            (0..columns)
                .map(|column| {
                    let products = (0..inner).map(|k| f64::from(x[k]) * f64::from(weights[k * columns + column]));
                    products.sum::<f64>() + f64::from(bias[column])
                })
                .collect()
        };
        x.chunks_exact(inner).flat_map(row).collect()
    }

    #[test]
    fn every_shape_and_level_is_right_and_rows_do_not_depend_on_their_batch() {
        let number = |index: usize| ((index * 7919) % 251) as f32 / 100.0 - 1.25;
        for level in Level::all() {
            for (inner, columns) in
                [(1, 1), (3, 5), (16, 1), (17, 16), (64, 33), (65, 48), (200, 64), (100, 65), (31, 130), (128, 2)]
            {
                let rows = 23;
                let x: Vec<f32> = (0..rows * inner).map(number).collect();
                let weights: Vec<f32> = (0..inner * columns).map(|index| number(index + 5)).collect();
                let bias: Vec<f32> = (0..columns).map(|index| number(index + 11)).collect();
                let expected = plain(&x, &weights, &bias, inner);
                let packed = Packed::new(level, &weights, inner, columns);
                let run = |first: usize, rows: usize| {
                    let mut out = vec![f32::NAN; rows * columns];
                    let (x, init) = (&x[first * inner..], Init::Bias(&bias));
                    let product =
                        Product { x, rows, stride: inner, weights: &packed, init, out: &mut out, out_stride: columns };
                    level.call(product);
                    out
                };
                let all = run(0, rows);
                for (found, expected) in all.iter().zip(&expected) {
                    let scale = 2.0 * inner as f64;
                    assert!(
                        (f64::from(*found) - expected).abs() < 1e-6 * scale,
                        "{inner} x {columns}: {found} {expected}"
                    );
                }
                for count in 1..=8 {
                    assert_eq!(run(3, count), all[3 * columns..][..count * columns], "{level:?} {inner} x {columns}");
                }
            }
        }
    }

    #[test]
    fn sums_begin_with_what_is_there() {
        let level = Level::detect();
        let packed = Packed::new(level, &[1.0f64, 2.0, 3.0, 4.0], 2, 2);
        let mut out = [10.0, 20.0, -1.0, 30.0, 40.0, -1.0];
        let x = &[1.0, 1.0, 0.5, 0.5][..];
        level.call(Product { x, rows: 2, stride: 2, weights: &packed, init: Init::Out, out: &mut out, out_stride: 3 });
        assert_eq!(out, [14.0, 26.0, -1.0, 32.0, 43.0, -1.0]);
    }
}
