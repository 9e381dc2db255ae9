//! Filling in what is missing from the rows that are nearest.
//!
//! Of rows at the same distance the first ones are asked. The library leaves that to numpy's `argpartition`, whose choice depends on
//! the processor.

use super::nearest::Heap;
use super::part::Scratch;
use super::transform::same;
use crate::error::{Error, Result};
use crate::ir::donors::Donors;
use crate::ir::neighbors::Weights;

/// Fills the missing numbers of a row; columns that no training row has become 0.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` for a NaN where another number means missing.
pub(super) fn fill(donors: &Donors, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
    let missing = donors.asked().missing;
    if !missing.is_nan()
        && let Some(column) = row.iter().position(|x| x.is_nan())
    {
        return Err(Error::invalid(format!(
            "column {column} is NaN, and {missing} is what means missing to this model"
        )));
    }
    for (out, x) in out.iter_mut().zip(row) {
        *out = if same(*x, missing) { f64::NAN } else { *x };
    }
    let complete = |(column, x): (usize, &f64)| !x.is_nan() || donors.is_empty(column);
    if out.iter().enumerate().all(complete) {
        let empty = out.iter_mut().enumerate().filter(|(column, _)| donors.is_empty(*column));
        empty.for_each(|(_, x)| *x = 0.0);
        return Ok(());
    }
    scratch.lend(donors.count(), |apart, scratch| {
        for (index, apart) in apart.iter_mut().enumerate() {
            *apart = distance(out, donors.row(index));
        }
        scratch.lend(row.len(), |filled, scratch| {
            for (column, (filled, x)) in filled.iter_mut().zip(&*out).enumerate() {
                *filled = match x {
                    _ if donors.is_empty(column) => 0.0,
                    x if x.is_nan() => lent(donors, column, apart, scratch),
                    x => *x,
                };
            }
            out.copy_from_slice(filled);
        });
    });
    Ok(())
}

/// NaN when there is no column that both have.
#[allow(clippy::cast_precision_loss)] // counts of columns are far below 2^52
fn distance(x: &[f64], y: &[f64]) -> f64 {
    let (mut sum, mut both) = (0.0, 0usize);
    for (x, y) in x.iter().zip(y) {
        let apart = x - y;
        if !apart.is_nan() {
            sum += apart * apart;
            both += 1;
        }
    }
    if both == 0 { f64::NAN } else { (sum / both as f64 * x.len() as f64).sqrt() }
}

/// What the nearest rows that have a column say.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // indices kept as doubles
fn lent(donors: &Donors, column: usize, apart: &[f64], scratch: &mut Scratch) -> f64 {
    let has = || apart.iter().enumerate().filter(|(index, _)| !donors.row(*index)[column].is_nan());
    let (nearest, asked) = (donors.nearest(column), donors.asked());
    if !has().any(|(_, apart)| !apart.is_nan()) {
        return donors.mean(column);
    }
    scratch.lend(nearest, |distances, scratch| {
        scratch.lend(nearest, |indices, _| {
            let mut heap = Heap::new(distances, indices);
            for (index, apart) in has().filter(|(_, apart)| !apart.is_nan()) {
                heap.push(*apart, index);
            }
            let exact = asked.weights == Weights::Distance && distances.contains(&0.0);
            let (mut sum, mut total, mut found) = (0.0, 0.0, 0usize);
            for (apart, index) in distances.iter().zip(&*indices).filter(|(apart, _)| apart.is_finite()) {
                let weight = match asked.weights {
                    Weights::Uniform => 1.0,
                    Weights::Distance if exact => f64::from(u8::from(*apart == 0.0)),
                    Weights::Distance => 1.0 / apart,
                };
                sum += weight * donors.row(*index as usize)[column];
                total += weight;
                found += 1;
            }
            if asked.strangers && asked.weights == Weights::Uniform {
                for (index, _) in has().filter(|(_, apart)| apart.is_nan()).take(nearest - found) {
                    sum += donors.row(index)[column];
                    total += 1.0;
                }
            }
            sum / total
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::donors::Asked;

    #[test]
    fn the_nearest_lend() {
        let rows = vec![0.0, 10.0, 1.0, 20.0, 5.0, 30.0, f64::NAN, 99.0];
        let filled = |weights, x: f64| {
            let asked = Asked { nearest: 2, weights, missing: f64::NAN, strangers: false };
            let donors = Donors::new([4, 2], rows.clone(), asked).unwrap();
            let mut out = [0.0; 2];
            fill(&donors, &[x, f64::NAN], &mut out, &mut Scratch::new()).unwrap();
            out
        };
        assert_eq!(filled(Weights::Uniform, 0.5), [0.5, 15.0]);
        assert_eq!(filled(Weights::Distance, 1.0), [1.0, 20.0]);
        // Nothing to compare: the means of both columns.
        assert_eq!(filled(Weights::Uniform, f64::NAN), [2.0, 39.75]);
    }
}
