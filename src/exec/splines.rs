//! B-splines, by the recursion of de Boor and Cox.

use super::part::{Scratch, refuse_missing};
use crate::error::{Error, Result};
use crate::ir::splines::{Beyond, Knots, Splines};

/// The basis functions of every column; `out` has [`Splines::kept`] places for each.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` for a NaN or a number beyond the knots, where that is refused.
pub(super) fn splines(splines: &Splines, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
    if !splines.missing() {
        refuse_missing(row)?;
    }
    scratch.lend(splines.functions(), |values, scratch| {
        scratch.lend(splines.functions(), |slopes, scratch| {
            scratch.lend(2 * (splines.degree() + 1), |work, _| {
                let columns = row.iter().zip(splines.columns()).zip(out.chunks_exact_mut(splines.kept().max(1)));
                for (column, ((x, knots), out)) in columns.enumerate() {
                    values.fill(0.0);
                    if !x.is_nan() {
                        of_column(splines, knots, *x, values, slopes, work).map_err(|()| {
                            Error::invalid(format!("column {column} is {x}, beyond the knots of its splines"))
                        })?;
                    }
                    out.copy_from_slice(&values[..out.len()]);
                }
                Ok(())
            })
        })
    })
}

/// Values of the functions of one column, into zeros.
fn of_column(
    splines: &Splines,
    knots: &Knots,
    x: f64,
    values: &mut [f64],
    slopes: &mut [f64],
    work: &mut [f64],
) -> std::result::Result<(), ()> {
    let (degree, places) = (splines.degree(), &knots.places);
    let last = places.len() - 1;
    match splines.beyond() {
        Beyond::Continue => basis(degree, places, x, false, values, work),
        Beyond::Periodic => {
            let (low, high) = (places[degree], places[last - degree]);
            let period = high - low;
            let x = if period > 0.0 { low + remainder(x - low, period) } else { 0.0 };
            basis(degree, places, x, false, values, work);
        }
        Beyond::Refused => {
            if x < places[degree] || x > places[last - degree] {
                return Err(());
            }
            basis(degree, places, x, false, values, work);
        }
        beyond => {
            let (low, high) = (places[knots.margin], places[last - knots.margin]);
            let edge = if x < low {
                low
            } else if x > high {
                high
            } else {
                basis(degree, places, x, false, values, work);
                return Ok(());
            };
            basis(degree, places, edge, false, values, work);
            let moved = if beyond == Beyond::Linear { knots.sloped } else { degree };
            if beyond == Beyond::Linear {
                slopes.fill(0.0);
                basis(degree, places, edge, true, slopes, work);
                values.iter_mut().zip(&*slopes).for_each(|(value, slope)| *value += (x - edge) * slope);
            }
            // Those further inside are not what they are at the boundary, but zero.
            let inside = if x < low { moved..values.len() } else { 0..values.len() - moved };
            values[inside].fill(0.0);
        }
    }
    Ok(())
}

/// `x % period` with the sign of the period, as numpy has it.
fn remainder(x: f64, period: f64) -> f64 {
    let rest = x % period;
    if rest != 0.0 && rest < 0.0 { rest + period } else { rest }
}

/// Adds the basis functions at `x`, or their slopes; what lies behind the last of `out` begins at its front again. `work` has two
/// places for each function that is not zero.
fn basis(degree: usize, places: &[f64], x: f64, slopes: bool, out: &mut [f64], work: &mut [f64]) {
    let functions = places.len() - degree - 1;
    let mut interval = degree;
    while interval + 1 < functions && x >= places[interval + 1] {
        interval += 1;
    }
    let (current, before) = work.split_at_mut(degree + 1);
    current[0] = 1.0;
    for order in 1..=degree {
        before[..order].copy_from_slice(&current[..order]);
        current[0] = 0.0;
        let sloped = slopes && order == degree;
        for n in 1..=order {
            let (right, left) = (places[interval + n], places[interval + n - order]);
            if right == left {
                current[n] = 0.0;
                continue;
            }
            let share = before[n - 1] / (right - left);
            #[allow(clippy::cast_precision_loss)] // degrees are small
            if sloped {
                let share = order as f64 * share;
                current[n - 1] -= share;
                current[n] = share;
            } else {
                current[n - 1] += share * (right - x);
                current[n] = share * (x - left);
            }
        }
    }
    if slopes && degree == 0 {
        return;
    }
    for (offset, value) in current.iter().enumerate() {
        out[(interval - degree + offset) % out.len()] += value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basis_functions_sum_to_one() {
        let places: Vec<f64> = (0..9).map(f64::from).collect();
        for x in [2.0, 2.5, 3.0, 4.25, 6.0] {
            let (mut values, mut slopes) = ([0.0; 6], [0.0; 6]);
            basis(2, &places, x, false, &mut values, &mut [0.0; 6]);
            basis(2, &places, x, true, &mut slopes, &mut [0.0; 6]);
            assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-15, "{x}: {values:?}");
            assert!(slopes.iter().sum::<f64>().abs() < 1e-15, "{x}: {slopes:?}");
        }
    }
}
