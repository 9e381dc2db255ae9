//! Recurrent layers: the products of all steps at once, then step by step.

use super::cell::{GruAfter, Lstm, mix};
use super::level::Level;
use super::map::Map;
use super::matrix::{Init, Packed, Product};
use super::memory::{Spare, View, room};
use super::real::Real;
use crate::ir::network::{Cell, Returns};

/// A prepared layer over (steps, features).
#[derive(Debug)]
pub(super) struct Recurrent<T> {
    pub(super) cell: Cell,
    pub(super) steps: usize,
    pub(super) units: usize,
    /// (features, gates * units).
    pub(super) kernel: Packed<T>,
    /// Of the gates that see the state as it is: (units, gates * units), or the first two of a GRU that resets before the product.
    pub(super) states: Packed<T>,
    /// Of the candidate of such a GRU: (units, units).
    pub(super) candidate: Option<Packed<T>>,
    /// Of all gates; for a GRU that resets after the product, of the features alone.
    pub(super) bias: Option<Vec<T>>,
    /// Of the state, for such a GRU: gates * units.
    pub(super) state_bias: Option<Vec<T>>,
    pub(super) reverse: bool,
    pub(super) returns: Returns,
}

/// What a step works on: sums of all gates and the states of a block of rows.
struct Block<'a, T> {
    /// (rows, steps, gates * units).
    sums: &'a mut [T],
    /// (rows, units), each.
    state: &'a mut [T],
    memory: &'a mut [T],
    /// (rows, gates * units).
    other: &'a mut [T],
    /// Where the result goes, of shape (rows, steps, units) or (rows, units).
    out: &'a mut [T],
}

impl<T: Real> Recurrent<T> {
    /// Runs over a block of rows.
    pub(super) fn run(
        &self,
        level: Level,
        x: View<'_, T>,
        states: [Option<View<'_, T>>; 2],
        rows: usize,
        out: &mut [T],
        spare: &mut Spare<T>,
    ) {
        let (units, wide) = (self.units, self.kernel.columns());
        let sums = room(&mut spare.first, rows * self.steps * wide);
        let init = self.bias.as_deref().map_or(Init::Zero, Init::Bias);
        let weights = &self.kernel;
        let features = weights.inner();
        if x.stride() == self.steps * features {
            let rows = rows * self.steps;
            let out = &mut *sums;
            level.call(Product { x: x.data(), rows, stride: features, weights, init, out, out_stride: wide });
        } else {
            for (row, out) in sums.chunks_exact_mut(self.steps * wide).enumerate() {
                let rows = self.steps;
                level.call(Product { x: x.row(row), rows, stride: features, weights, init, out, out_stride: wide });
            }
        }
        let states_room = room(&mut spare.second, 2 * rows * units);
        let (state, memory) = states_room.split_at_mut(rows * units);
        for (to, from) in [&mut *state, &mut *memory].into_iter().zip(states) {
            for (row, to) in to.chunks_exact_mut(units).enumerate() {
                match from {
                    Some(from) => to.copy_from_slice(from.row(row)),
                    None => to.fill(T::default()),
                }
            }
        }
        let other = room(&mut spare.third, rows * wide);
        let mut block = Block { sums, state, memory, other, out };
        for index in 0..self.steps {
            let step = if self.reverse { self.steps - 1 - index } else { index };
            self.step(level, step, rows, &mut block);
        }
        match self.returns {
            Returns::Sequence => {}
            Returns::Last => block.out.copy_from_slice(block.state),
            Returns::Memory => block.out.copy_from_slice(block.memory),
        }
    }

    fn step(&self, level: Level, step: usize, rows: usize, block: &mut Block<'_, T>) {
        let (units, wide) = (self.units, self.kernel.columns());
        let all = self.steps * wide;
        let sums = &mut block.sums[step * wide..];
        let product = |x: &[T], weights: &Packed<T>, init: Init<'_, T>, out: &mut [T], out_stride: usize| {
            level.call(Product { x, rows, stride: units, weights, init, out, out_stride });
        };
        match self.cell {
            Cell::Simple { activation } => {
                product(block.state, &self.states, Init::Out, sums, all);
                for (row, state) in block.state.chunks_exact_mut(units).enumerate() {
                    state.copy_from_slice(&sums[row * all..][..units]);
                    level.call(Map(activation, state));
                }
            }
            Cell::Lstm { activation, gate } => {
                product(block.state, &self.states, Init::Out, sums, all);
                let states = block.state.chunks_exact_mut(units).zip(block.memory.chunks_exact_mut(units));
                for (row, (state, memory)) in states.enumerate() {
                    let sums = &mut sums[row * all..][..wide];
                    Lstm { sums, state, memory }.run(level, activation, gate);
                }
            }
            Cell::Gru { activation, gate, reset_after: true } => {
                let init = self.state_bias.as_deref().map_or(Init::Zero, Init::Bias);
                product(block.state, &self.states, init, block.other, wide);
                let states = block.state.chunks_exact_mut(units).zip(block.other.chunks_exact(wide));
                for (row, (state, other)) in states.enumerate() {
                    let sums = &mut sums[row * all..][..wide];
                    GruAfter { sums, other, state }.run(level, activation, gate);
                }
            }
            Cell::Gru { activation, gate, reset_after: false } => {
                product(block.state, &self.states, Init::Out, sums, all);
                let reset = &mut block.other[..rows * units];
                for (row, reset) in reset.chunks_exact_mut(units).enumerate() {
                    let gates = &mut sums[row * all..][..2 * units];
                    level.call(Map(gate, gates));
                    let states = block.state[row * units..].iter().zip(&gates[units..]);
                    reset.iter_mut().zip(states).for_each(|(out, (state, gate))| *out = *state * *gate);
                }
                if let Some(candidate) = &self.candidate {
                    product(reset, candidate, Init::Out, &mut sums[2 * units..], all);
                }
                for (row, state) in block.state.chunks_exact_mut(units).enumerate() {
                    let (updates, rest) = sums[row * all..][..wide].split_at_mut(units);
                    let candidates = &mut rest[units..];
                    level.call(Map(activation, candidates));
                    mix(state, updates, candidates);
                }
            }
        }
        if self.returns == Returns::Sequence {
            for (row, state) in block.state.chunks_exact(units).enumerate() {
                block.out[(row * self.steps + step) * units..][..units].copy_from_slice(state);
            }
        }
    }
}
