//! Dense layers, and products of two computed matrices.

use super::level::Level;
use super::matrix::{Init, Packed, Product};
use super::memory::{Spare, View};
use super::moves::Spread;
use super::real::Real;

/// `x * weights + bias` over the last axis.
#[derive(Debug)]
pub(super) struct Dense<T> {
    pub(super) weights: Packed<T>,
    pub(super) bias: Option<Vec<T>>,
}

impl<T: Real> Dense<T> {
    /// Runs over a block of `rows` rows.
    pub(super) fn run(&self, level: Level, x: View<'_, T>, rows: usize, out: &mut [T]) {
        let (inner, columns) = (self.weights.inner(), self.weights.columns());
        let init = self.bias.as_deref().map_or(Init::Zero, Init::Bias);
        let lines = out.len() / columns / rows;
        let product = |x: &[T], rows: usize, stride: usize, out: &mut [T]| {
            level.call(Product { x, rows, stride, weights: &self.weights, init, out, out_stride: columns });
        };
        if lines == 1 {
            product(x.data(), rows, x.stride(), out);
        } else if x.stride() == lines * inner {
            product(x.data(), rows * lines, inner, out);
        } else {
            for (row, out) in out.chunks_exact_mut(lines * columns).enumerate() {
                product(x.row(row), lines, inner, out);
            }
        }
    }
}

/// The product of two tensors over their last two axes.
#[derive(Debug)]
pub(super) struct MatMul {
    /// Rows of a left matrix, columns of it, columns of a right one.
    pub(super) sizes: [usize; 3],
    /// Whether right matrices are given with their axes swapped.
    pub(super) transposed: bool,
    /// Which left and which right matrix belongs to each one of the result.
    pub(super) left: Spread,
    pub(super) right: Spread,
}

impl MatMul {
    /// Runs over one row.
    pub(super) fn run<T: Real>(&self, level: Level, left: &[T], right: &[T], out: &mut [T], spare: &mut Spare<T>) {
        let [m, k, n] = self.sizes;
        let mut packed = None;
        for (index, out) in out.chunks_exact_mut(m * n).enumerate() {
            let matrix = matrix(&self.right, index);
            if packed != Some(matrix) {
                let right = &right[matrix * k * n..][..k * n];
                if self.transposed {
                    spare.packed.fill(level, k, n, |row, column| right[column * k + row]);
                } else {
                    spare.packed.fill(level, k, n, |row, column| right[row * n + column]);
                }
                packed = Some(matrix);
            }
            let x = &left[self::matrix(&self.left, index) * m * k..][..m * k];
            let (weights, init) = (&spare.packed, Init::Zero);
            level.call(Product { x, rows: m, stride: k, weights, init, out, out_stride: n });
        }
    }
}

/// The matrix of an operand that belongs to one of the result.
fn matrix(spread: &Spread, index: usize) -> usize {
    let start = spread.starts[index / spread.run] as usize;
    if spread.each { start + index % spread.run } else { start }
}
