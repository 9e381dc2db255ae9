//! A step of a recurrent cell, for one row: from the sums of its gates to its next state.
//!
//! The usual functions have kernels of their own, in which all gates of a unit are in registers at once.

use super::level::{Kernel, Level};
use super::map::Map;
use super::real::Real;
use super::simd::Isa;
use crate::ir::network::Function;

/// Whether these are the functions that nearly every layer has.
fn usual(activation: Function, gate: Function) -> bool {
    activation == Function::Tanh && gate == Function::Sigmoid
}

/// `state = update * state + (1 - update) * candidate`.
pub(super) fn mix<T: Real>(state: &mut [T], updates: &[T], candidates: &[T]) {
    for ((state, update), candidate) in state.iter_mut().zip(updates).zip(candidates) {
        *state = *update * *state + (T::ONE - *update) * *candidate;
    }
}

/// An LSTM: the sums of the gates input, forget, candidate and output beside each other.
pub(super) struct Lstm<'a, T> {
    pub(super) sums: &'a mut [T],
    pub(super) state: &'a mut [T],
    pub(super) memory: &'a mut [T],
}

impl<T: Real> Lstm<'_, T> {
    pub(super) fn run(self, level: Level, activation: Function, gate: Function) {
        if usual(activation, gate) {
            return level.call(self);
        }
        let units = self.state.len();
        let (gates, rest) = self.sums.split_at_mut(2 * units);
        let (candidates, outputs) = rest.split_at_mut(units);
        level.call(Map(gate, gates));
        level.call(Map(activation, candidates));
        level.call(Map(gate, outputs));
        let (inputs, forgets) = gates.split_at(units);
        let both = inputs.iter().zip(forgets).zip(&mut *candidates);
        for (((input, forget), candidate), memory) in both.zip(self.memory) {
            *memory = *forget * *memory + *input * *candidate;
            *candidate = *memory;
        }
        level.call(Map(activation, candidates));
        for ((state, output), memory) in self.state.iter_mut().zip(outputs).zip(candidates) {
            *state = *output * *memory;
        }
    }
}

impl<T: Real> Kernel for Lstm<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
        let units = self.state.len();
        let (inputs, rest) = self.sums.split_at(units);
        let (forgets, rest) = rest.split_at(units);
        let (candidates, outputs) = rest.split_at(units);
        let gates = inputs.iter().zip(forgets).zip(candidates).zip(outputs);
        for ((((input, forget), candidate), output), (memory, state)) in
            gates.zip(self.memory.iter_mut().zip(self.state))
        {
            let kept = forget.sigmoid::<FUSED>() * *memory;
            *memory = input.sigmoid::<FUSED>().fma::<FUSED>(candidate.tanh::<FUSED>(), kept);
            *state = output.sigmoid::<FUSED>() * memory.tanh::<FUSED>();
        }
    }
}

/// A GRU that resets after the product: the sums of the gates update, reset and candidate beside each other, those of the features
/// and those of the state.
pub(super) struct GruAfter<'a, T> {
    pub(super) sums: &'a mut [T],
    pub(super) other: &'a [T],
    pub(super) state: &'a mut [T],
}

impl<T: Real> GruAfter<'_, T> {
    pub(super) fn run(self, level: Level, activation: Function, gate: Function) {
        if usual(activation, gate) {
            return level.call(self);
        }
        let units = self.state.len();
        let (gates, candidates) = self.sums.split_at_mut(2 * units);
        let (others, other_candidates) = self.other.split_at(2 * units);
        gates.iter_mut().zip(others).for_each(|(gate, other)| *gate = *gate + *other);
        level.call(Map(gate, gates));
        let (updates, resets) = gates.split_at(units);
        for ((candidate, reset), other) in candidates.iter_mut().zip(resets).zip(other_candidates) {
            *candidate = *candidate + *reset * *other;
        }
        level.call(Map(activation, candidates));
        mix(self.state, updates, candidates);
    }
}

impl<T: Real> Kernel for GruAfter<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, _: I) {
        let units = self.state.len();
        let (updates, rest) = self.sums.split_at(units);
        let (resets, candidates) = rest.split_at(units);
        let (other_updates, rest) = self.other.split_at(units);
        let (other_resets, other_candidates) = rest.split_at(units);
        let features = updates.iter().zip(resets).zip(candidates);
        let others = other_updates.iter().zip(other_resets).zip(other_candidates);
        for ((((update, reset), candidate), ((ou, or), oc)), state) in features.zip(others).zip(self.state) {
            let update = (*update + *ou).sigmoid::<FUSED>();
            let reset = (*reset + *or).sigmoid::<FUSED>();
            let candidate = reset.fma::<FUSED>(*oc, *candidate).tanh::<FUSED>();
            *state = update.fma::<FUSED>(*state - candidate, candidate);
        }
    }
}
