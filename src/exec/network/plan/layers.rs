//! Layers with weights: packed, with what follows taken into them.

use super::super::dense::{Dense, MatMul};
use super::super::level::Level;
use super::super::matrix::Packed;
use super::super::moves::Spread;
use super::super::real::Real;
use super::super::recurrent::Recurrent;
use super::super::step::{Operand, Work};
use super::super::window::{Convolution, Kernels};
use super::Compiler;
use crate::ir::network::{self, Array, Cell, Op};
use std::sync::Arc;

impl<'a, T: Real> Compiler<'a, T> {
    /// The affine map over the last axis that alone reads a node, to be taken into its weights.
    fn affine_behind(&self, index: usize) -> Option<(usize, &'a Array, &'a Array)> {
        let next = self.only_reader(index)?;
        match self.network.nodes()[next].op() {
            Op::Affine { axis, scale, shift } if axis + 1 == self.network.nodes()[next].shape().rank() => {
                Some((next, scale, shift))
            }
            _ => None,
        }
    }

    /// Weights and bias, with the affine map behind them; and the last node that they stand for.
    fn weights(&self, index: usize, weights: &Array, bias: Option<&Array>) -> (Vec<T>, Option<Vec<T>>, usize) {
        let Some((last, scale, shift)) = self.affine_behind(index) else {
            return (T::numbers(weights).to_vec(), bias.map(|bias| T::numbers(bias).to_vec()), index);
        };
        let scales: Vec<f64> = scale.values().collect();
        let product = |(value, scale): (f64, &f64)| value * scale;
        let folded = weights.values().zip(scales.iter().cycle()).map(|pair| T::of(product(pair))).collect();
        let biases = bias.map_or_else(|| vec![0.0; scales.len()], |bias| bias.values().collect());
        let bias =
            biases.into_iter().zip(&scales).zip(shift.values()).map(|(pair, shift)| T::of(product(pair) + shift));
        (folded, Some(bias.collect()), last)
    }

    /// Lays out the step of `index` as that of the node `last`, which it stands for as well.
    fn make_through(&mut self, index: usize, last: usize, operands: Vec<Operand>, work: Work<T>) {
        self.make(last, operands, work);
        self.places[index] = self.places[last];
    }

    pub(super) fn dense(&mut self, index: usize, dense: &network::Dense) {
        let x = self.operand(self.network.nodes()[index].operands()[0].index());
        let [inner, columns] = *dense.weights.shape() else { return };
        let (weights, bias, last) = self.weights(index, &dense.weights, dense.bias.as_deref());
        let weights = Packed::new(self.level, &weights, inner, columns);
        self.make_through(index, last, vec![x], Work::Dense(Dense { weights, bias }));
    }

    pub(super) fn convolution(&mut self, index: usize, layer: &network::Convolution) {
        let first = self.network.nodes()[index].operands()[0].index();
        let (from, to) = (self.sizes(first), self.sizes(index));
        let [taps, inside, filters] = *layer.kernel.shape() else { return };
        let (weights, bias, last) = self.weights(index, &layer.kernel, layer.bias.as_deref());
        let groups = layer.groups;
        let kernel = if inside == 1 && groups > 1 {
            Kernels::Depthwise(weights)
        } else {
            let each = filters / groups;
            let group = |group: usize| {
                let mut packed = Packed::empty();
                packed.fill(self.level, taps * inside, each, |row, column| {
                    weights[row * filters + group * each + column]
                });
                packed
            };
            Kernels::Groups((0..groups).map(group).collect())
        };
        let work = Work::Convolution(Box::new(Convolution {
            steps: from[from.len() - 2],
            channels: from[from.len() - 1],
            filters,
            taps,
            stride: layer.stride,
            dilation: layer.dilation,
            before: layer.before,
            after: layer.after,
            windows: to[to.len() - 2],
            bias,
            kernel,
        }));
        let operands = vec![self.operand(first)];
        self.make_through(index, last, operands, work);
    }

    pub(super) fn matmul(&mut self, index: usize, transposed: bool) {
        let [left, right] = *self.network.nodes()[index].operands() else { return };
        let (left, right, to) = (left.index(), right.index(), self.sizes(index));
        let (left_sizes, right_sizes) = (self.sizes(left), self.sizes(right));
        let front = |sizes: &[usize]| sizes[..sizes.len() - 2].to_vec();
        let work = Work::MatMul(MatMul {
            sizes: [to[to.len() - 2], left_sizes[left_sizes.len() - 1], to[to.len() - 1]],
            transposed,
            left: Spread::new(&front(&left_sizes), &front(&to)),
            right: Spread::new(&front(&right_sizes), &front(&to)),
        });
        let operands = vec![self.operand(left), self.operand(right)];
        self.make(index, operands, work);
    }
}

/// A recurrent layer.
pub(super) fn recurrent<T: Real>(layer: &network::Recurrent, steps: usize, level: Level) -> Recurrent<T> {
    let units = layer.units();
    let wide = units * layer.cell.gates();
    let features = layer.kernel.shape()[0];
    let recurrent = T::numbers(&layer.recurrent);
    let numbers = |bias: &Option<Arc<Array>>| bias.as_deref().map(|bias| bias.values().collect::<Vec<f64>>());
    let narrow = |bias: Vec<f64>| bias.into_iter().map(T::of).collect::<Vec<T>>();
    let (bias, other) = (numbers(&layer.bias), numbers(&layer.recurrent_bias));
    let after = matches!(layer.cell, Cell::Gru { reset_after: true, .. });
    let before = matches!(layer.cell, Cell::Gru { reset_after: false, .. });
    let (bias, state_bias) = match (bias, other) {
        (bias, other) if after => (bias, other),
        (Some(bias), Some(other)) => (Some(bias.iter().zip(&other).map(|(a, b)| a + b).collect()), None),
        (bias, other) => (bias.or(other), None),
    };
    let part = |first: usize, columns: usize| {
        let mut packed = Packed::empty();
        packed.fill(level, units, columns, |row, column| recurrent[row * wide + first + column]);
        packed
    };
    Recurrent {
        cell: layer.cell,
        steps,
        units,
        kernel: Packed::new(level, T::numbers(&layer.kernel), features, wide),
        states: if before { part(0, 2 * units) } else { part(0, wide) },
        candidate: before.then(|| part(2 * units, units)),
        bias: bias.map(narrow),
        state_bias: state_bias.map(narrow),
        reverse: layer.reverse,
        returns: layer.returns,
    }
}
