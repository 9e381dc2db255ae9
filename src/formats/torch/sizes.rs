//! The shape that a tensor is asked to have, where one of the sizes may be the batch.

use super::value::Size;
use crate::error::{Error, Result};
use crate::ir::network::{Dim, Shape};

/// A size that a tensor is asked to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Fixed(usize),
    Batches(usize),
    /// What is left.
    Rest,
}

pub(super) fn wanted(size: Size) -> Result<Wanted> {
    let positive = |number: i64| {
        usize::try_from(number)
            .ok()
            .filter(|&number| number > 0)
            .ok_or_else(|| Error::malformed(format!("a tensor is asked to have {number} elements along an axis")))
    };
    match size {
        Size::Fixed(-1) => Ok(Wanted::Rest),
        Size::Fixed(number) => positive(number).map(Wanted::Fixed),
        Size::Batches(times) => positive(times).map(Wanted::Batches),
    }
}

/// The shape with these sizes, the batch being a symbol.
pub(super) fn symbolic(shape: &Shape, wanted: &[Wanted]) -> Result<Shape> {
    let batches = wanted.iter().position(|size| matches!(size, Wanted::Batches(_)));
    let product = wanted.iter().fold(1usize, |product, size| match size {
        Wanted::Fixed(size) | Wanted::Batches(size) => product.saturating_mul(*size),
        Wanted::Rest => product,
    });
    let sizes: Vec<Option<usize>> = wanted
        .iter()
        .enumerate()
        .map(|(axis, size)| match *size {
            Wanted::Fixed(size) => Some(size),
            Wanted::Rest if batches.is_some() => Some((shape.elements() / product).max(1)),
            Wanted::Batches(_) if Some(axis) != batches => Some(usize::MAX),
            Wanted::Batches(_) | Wanted::Rest => None,
        })
        .collect();
    shape.reshape(&sizes)
}

/// The shape with these sizes, one of which holds the batch: in the program it is a number like others.
///
/// The batch lies behind a known number of elements of each row. Several axes may be said to hold it when it is 1; the one that begins
/// with it is taken, but for a last axis that would mix it with the features.
pub(super) fn literal(shape: &Shape, wanted: &[Wanted], batch: usize) -> Result<Shape> {
    let all = shape.elements().saturating_mul(batch);
    let product = |sizes: &[Wanted]| {
        sizes.iter().fold(1usize, |product, size| match size {
            Wanted::Fixed(size) | Wanted::Batches(size) => product.saturating_mul(*size),
            Wanted::Rest => product,
        })
    };
    let rest = all / product(wanted).max(1);
    let sizes: Vec<usize> = wanted
        .iter()
        .map(|size| match *size {
            Wanted::Fixed(size) | Wanted::Batches(size) => size,
            Wanted::Rest => rest,
        })
        .collect();
    let in_front = |sizes: &[usize]| sizes.iter().fold(1usize, |product, &size| product.saturating_mul(size));
    let axis = shape.batch_axis().unwrap_or(0);
    let front = match shape.dims()[axis] {
        Dim::Batch { outer, .. } => in_front(&shape.per_row()[..axis]).saturating_mul(outer),
        Dim::Fixed(_) => 1,
    };
    let holds = |axis: usize| {
        let (before, through) = (in_front(&sizes[..axis]), in_front(&sizes[..=axis]));
        front.is_multiple_of(before) && through.is_multiple_of(front.saturating_mul(batch))
    };
    let begins = |axis: usize| in_front(&sizes[..axis]) == front;
    let last = sizes.len().saturating_sub(1);
    let candidates: Vec<usize> = (0..sizes.len()).filter(|&axis| holds(axis)).collect();
    let chosen = candidates
        .iter()
        .copied()
        .find(|&axis| begins(axis) && sizes[axis] == batch)
        .or_else(|| candidates.iter().copied().find(|&axis| begins(axis) && axis != last))
        .or_else(|| candidates.first().copied())
        .ok_or_else(|| Error::malformed(format!("{shape} cannot be read as {sizes:?} for a batch of {batch}")))?;
    let open: Vec<Option<usize>> =
        sizes.iter().enumerate().map(|(axis, &size)| (axis != chosen).then_some(size)).collect();
    shape.reshape(&open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_is_a_number_is_found_again() {
        let rows = |sizes: &[Wanted], shape: &Shape, batch| literal(shape, sizes, batch).map(|shape| shape.to_string());
        let time_first = Shape::new(vec![Dim::Fixed(10), Dim::BATCH, Dim::Fixed(8)]).unwrap();
        let fixed = |sizes: &[usize]| sizes.iter().map(|&size| Wanted::Fixed(size)).collect::<Vec<_>>();
        for batch in [1, 3] {
            assert_eq!(rows(&fixed(&[10, 2 * batch, 4]), &time_first, batch).unwrap(), "(10, batch*2, 4)");
            assert_eq!(rows(&fixed(&[10 * batch, 8]), &time_first, batch).unwrap(), "(10*batch, 8)");
            assert_eq!(rows(&fixed(&[10, batch, 2, 4]), &time_first, batch).unwrap(), "(10, batch, 2, 4)");
        }
        assert!(rows(&fixed(&[8, 31]), &time_first, 3).is_err());
        assert_eq!(rows(&[Wanted::Fixed(3), Wanted::Rest], &Shape::rows(&[5, 4]).unwrap(), 3).unwrap(), "(batch, 20)");
    }
}
