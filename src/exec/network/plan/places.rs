//! How the elements of an operand move, axis by axis of the result.

use super::super::moves::{Axis, Moves, strides};
use crate::ir::network::Op;

pub(super) fn transposition(sizes: &[usize], order: &[usize]) -> Vec<Axis> {
    let strides = strides(sizes);
    order.iter().map(|&axis| (0..sizes[axis]).map(|index| Some(index * strides[axis])).collect()).collect()
}

pub(super) fn expansion(sizes: &[usize], to: &[usize]) -> Vec<Axis> {
    let missing = to.len() - sizes.len();
    let strides = strides(sizes);
    let axis = |axis: usize| -> Axis {
        let stride = if axis < missing || sizes[axis - missing] == 1 { 0 } else { strides[axis - missing] };
        (0..to[axis]).map(|index| Some(index * stride)).collect()
    };
    (0..to.len()).map(axis).collect()
}

/// How the elements of an operand move.
pub(super) fn moves(op: &Op, from: &[usize], to: &[usize]) -> Moves {
    let strides = strides(from);
    let identity: Vec<usize> = (0..from.len()).collect();
    // One axis changes, the others stay.
    let changed = |axis: usize, indices: Axis| {
        let mut axes = transposition(from, &identity);
        axes[axis] = indices.into_iter().map(|index| index.map(|index| index * strides[axis])).collect();
        axes
    };
    match op {
        Op::Transpose(order) => Moves::new(transposition(from, order), 0.0),
        Op::Slice { axis, start, step, count } => {
            let index =
                |at: usize| isize::try_from(at).ok().and_then(|at| start.checked_add_signed(at * step)).unwrap_or(0);
            Moves::new(changed(*axis, (0..*count).map(|at| Some(index(at))).collect()), 0.0)
        }
        Op::Take { axis, indices } => Moves::new(changed(*axis, indices.iter().copied().map(Some).collect()), 0.0),
        Op::Pad { axis, before, after, value } => {
            let inside = (0..from[*axis]).map(Some);
            let indices = std::iter::repeat_n(None, *before).chain(inside).chain(std::iter::repeat_n(None, *after));
            Moves::new(changed(*axis, indices.collect()), *value)
        }
        _ => Moves::new(expansion(from, to), 0.0),
    }
}
