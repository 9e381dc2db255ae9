//! What happens to the columns of a row, each by itself, and to a row as a whole.

use super::part::{Scratch, refuse_missing};
use super::{donors, link, normal, similarity, splines};
use crate::error::{Error, Result};
use crate::ir::text::is_word;
use crate::ir::transform::{Codes, Curve, Each, Function, Norm, Quantiles, Side, Whole};
use crate::ir::{Link, Precision};

/// Changes every column by itself, in place.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` for a number that there is no rule for, naming its column.
pub(super) fn each(thing: &Each, row: &mut [f64]) -> Result<()> {
    match thing {
        Each::Complete => return refuse_missing(row),
        Each::Add(n) => pairs(row, n, |x, n| x + n),
        Each::Subtract(n) => pairs(row, n, |x, n| x - n),
        Each::Multiply(n) => pairs(row, n, |x, n| x * n),
        Each::Divide(n) => pairs(row, n, |x, n| x / n),
        Each::Clip(low, high) => row.iter_mut().for_each(|x| *x = x.clamp(*low, *high)),
        Each::Above(border) => row.iter_mut().for_each(|x| *x = f64::from(u8::from(*x > *border))),
        Each::Apply(function) => row.iter_mut().for_each(|x| *x = apply(*function, *x)),
        Each::YeoJohnson(n) => pairs(row, n, yeo_johnson),
        Each::YeoJohnsonInverse(n) => pairs(row, n, yeo_johnson_inverse),
        Each::BoxCox(n) => {
            if let Some(column) = row.iter().position(|x| *x <= 0.0) {
                return Err(Error::invalid(format!(
                    "column {column} is {}, and Box-Cox takes positive numbers only",
                    row[column]
                )));
            }
            pairs(row, n, |x, n| if n == 0.0 { x.ln() } else { (n * x.ln()).exp_m1() / n });
        }
        Each::BoxCoxInverse(n) => pairs(row, n, |x, n| if n == 0.0 { x.exp() } else { ((n * x).ln_1p() / n).exp() }),
        Each::Quantiles(quantiles) => {
            for (x, values) in row.iter_mut().zip(&quantiles.values) {
                *x =
                    if quantiles.inverse { from_share(*x, quantiles, values) } else { to_share(*x, quantiles, values) };
            }
        }
        Each::Bins(edges) => {
            for (x, edges) in row.iter_mut().zip(edges) {
                *x = count(edges.partition_point(|edge| edge <= x));
            }
        }
        Each::Replace(missing, by) => pairs(row, by, |x, by| if same(x, *missing) { by } else { x }),
        Each::Is(missing) => row.iter_mut().for_each(|x| *x = f64::from(u8::from(same(*x, *missing)))),
        Each::Refuse(missing, marks) => {
            if let Some(column) = row.iter().zip(marks).position(|(x, mark)| *mark && same(*x, *missing)) {
                return Err(Error::invalid(format!(
                    "column {column} is missing, and had no missing values when the model was trained"
                )));
            }
        }
        Each::Encode(codes) => {
            for (column, (x, codes)) in row.iter_mut().zip(codes).enumerate() {
                *x = code(codes, column, *x)?;
            }
        }
        Each::Within(low, high) => {
            row.iter_mut().filter(|x| **x < *low || **x > *high).for_each(|x| *x = f64::NAN);
        }
        Each::RefuseOutside(low, high) => {
            if let Some(column) = row.iter().position(|x| *x < *low || *x > *high) {
                return Err(Error::invalid(format!(
                    "column {column} is {}, and this model answers between {low} and {high} only",
                    row[column]
                )));
            }
        }
        Each::Single => row.iter_mut().for_each(|x| *x = Precision::F32.round(*x)),
        Each::Curves(curves) => {
            for (x, curve) in row.iter_mut().zip(curves) {
                *x = match curve {
                    Curve::Sigmoid { slope, offset } => expit(-(slope * *x + offset)),
                    Curve::Isotonic { x: scores, y } => interpolate(*x, scores.len(), |i| scores[i], |i| y[i]),
                };
            }
        }
    }
    Ok(())
}

/// The code of a number.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` when it has none.
pub(super) fn code(codes: &Codes, column: usize, number: f64) -> Result<f64> {
    codes.get(number).ok_or_else(|| {
        let what = match number {
            missing if missing.is_nan() => "missing".to_owned(),
            word if is_word(word) => "text".to_owned(),
            number => number.to_string(),
        };
        Error::invalid(format!("column {column} is {what}, a category that the model does not know"))
    })
}

fn pairs(row: &mut [f64], numbers: &[f64], change: impl Fn(f64, f64) -> f64) {
    for (x, number) in row.iter_mut().zip(numbers) {
        *x = change(*x, *number);
    }
}

#[allow(clippy::float_cmp)] // the number that stands for a missing one is that very number
/// Whether a number is the one that stands for a missing one; NaN stands for any NaN.
pub(super) fn same(x: f64, missing: f64) -> bool {
    x == missing || (x.is_nan() && missing.is_nan())
}

#[allow(clippy::cast_precision_loss)] // counts of columns and edges are far below 2^52
fn count(number: usize) -> f64 {
    number as f64
}

fn expit(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn apply(function: Function, x: f64) -> f64 {
    match function {
        Function::Same => x,
        Function::LogOnePlus => x.ln_1p(),
        Function::ExpMinusOne => x.exp_m1(),
        Function::Log => x.ln(),
        Function::Log2 => x.log2(),
        Function::Log10 => x.log10(),
        Function::Exp => x.exp(),
        Function::Sqrt => x.sqrt(),
        Function::Cbrt => x.cbrt(),
        Function::Square => x * x,
        Function::Abs => x.abs(),
        Function::Negative => -x,
        Function::Reciprocal => 1.0 / x,
        Function::Sign if x == 0.0 => 0.0,
        Function::Sign if x.is_nan() => x,
        Function::Sign => x.signum(),
        Function::Sin => x.sin(),
        Function::Cos => x.cos(),
        Function::Tanh => x.tanh(),
        Function::Arcsinh => libm::asinh(x),
        Function::Sinh => x.sinh(),
        Function::Arctan => x.atan(),
        Function::Expit => expit(x),
        Function::Logit => (x / (1.0 - x)).ln(),
        Function::Loosen => x + (1e-8 + 1e-5 * x.abs()),
    }
}

fn yeo_johnson(x: f64, power: f64) -> f64 {
    if x >= 0.0 {
        if power.abs() < f64::EPSILON { x.ln_1p() } else { (power * x.ln_1p()).exp_m1() / power }
    } else if (power - 2.0).abs() > f64::EPSILON {
        -((2.0 - power) * (-x).ln_1p()).exp_m1() / (2.0 - power)
    } else {
        -(-x).ln_1p()
    }
}

fn yeo_johnson_inverse(x: f64, power: f64) -> f64 {
    if x >= 0.0 {
        if power.abs() < f64::EPSILON { x.exp_m1() } else { ((x * power).ln_1p() / power).exp_m1() }
    } else if (power - 2.0).abs() > f64::EPSILON {
        -((-(2.0 - power) * x).ln_1p() / (2.0 - power)).exp_m1()
    } else {
        -(-x).exp_m1()
    }
}

/// How near to the ends of the distribution the target is cut.
const EDGE: f64 = 1e-7;

/// The place of a number among the quantiles. Equal quantiles: the middle of their places, found from both sides.
#[allow(clippy::float_cmp)] // the ends of a uniform target are the first and the last quantile themselves
fn to_share(x: f64, quantiles: &Quantiles, values: &[f64]) -> f64 {
    let (references, last) = (&quantiles.references, values.len() - 1);
    if x.is_nan() {
        return x;
    }
    let up = interpolate(x, values.len(), |i| values[i], |i| references[i]);
    let down = interpolate(-x, values.len(), |i| -values[last - i], |i| -references[last - i]);
    let mut share = 0.5 * (up - down);
    let (low, high) = if quantiles.cut {
        (x - EDGE < values[0], x + EDGE > values[last])
    } else {
        (x == values[0], x == values[last])
    };
    if high {
        share = 1.0;
    }
    if low {
        share = 0.0;
    }
    if !quantiles.cut {
        return share;
    }
    let edge = EDGE - f64::EPSILON;
    if !quantiles.normal {
        return share.clamp(edge, 1.0 - edge);
    }
    normal::quantile(share).clamp(normal::quantile(edge), normal::quantile(1.0 - edge))
}

#[allow(clippy::float_cmp)] // the ends of a uniform target are 0 and 1 themselves
fn from_share(x: f64, quantiles: &Quantiles, values: &[f64]) -> f64 {
    let last = values.len() - 1;
    if x.is_nan() {
        return x;
    }
    let share = if quantiles.normal { normal::share(x) } else { x };
    let (low, high) =
        if quantiles.cut { (share - EDGE < 0.0, share + EDGE > 1.0) } else { (share == 0.0, share == 1.0) };
    match (low, high) {
        (true, _) => values[0],
        (_, true) => values[last],
        _ => interpolate(share, values.len(), |i| quantiles.references[i], |i| values[i]),
    }
}

/// `numpy.interp` over `len` points, of which there is at least one.
fn interpolate(x: f64, len: usize, at: impl Fn(usize) -> f64, value: impl Fn(usize) -> f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        if at(middle) <= x {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let Some(before) = low.checked_sub(1) else { return value(0) };
    if before + 1 >= len {
        return value(len - 1);
    }
    #[allow(clippy::float_cmp)] // a point itself gives its own value, also beside an infinite one
    if at(before) == x {
        return value(before);
    }
    let slope = (value(before + 1) - value(before)) / (at(before + 1) - at(before));
    slope * (x - at(before)) + value(before)
}

/// Changes the row as a whole; `out` has the width that it gives.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` for a number that is no class.
pub(super) fn whole(whole: &Whole, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
    match whole {
        Whole::Divide { norm, least } => {
            let size: f64 = match norm {
                Norm::One => row.iter().map(|x| x.abs()).sum(),
                Norm::Two => row.iter().map(|x| x * x).sum::<f64>().sqrt(),
                Norm::Max => row.iter().fold(0.0, |most, x| x.abs().max(most)),
            };
            divide(row, if size < *least { 1.0 } else { size }, out);
        }
        Whole::Products(terms) => {
            for (out, term) in out.iter_mut().zip(terms) {
                *out = term.iter().rev().fold(1.0, |product, &column| product * row[column as usize]);
            }
        }
        Whole::OneHot(widths) => {
            out.fill(0.0);
            let mut rest = &mut *out;
            for (code, width) in row.iter().zip(widths) {
                let (own, others) = rest.split_at_mut(*width);
                if let Some(out) = index(*code).and_then(|code| own.get_mut(code)) {
                    *out = 1.0;
                }
                rest = others;
            }
        }
        Whole::Mean { width, weights } => {
            let total: f64 = weights.iter().sum();
            for (column, out) in out.iter_mut().enumerate() {
                let columns = row.iter().skip(column).step_by(*width);
                *out = columns.zip(weights).map(|(x, weight)| x * weight).sum::<f64>() / total;
            }
        }
        Whole::Sum(weights) => out[0] = row.iter().zip(weights).map(|(x, weight)| weight * x).sum(),
        Whole::Dot => {
            let (left, right) = row.split_at(row.len() / 2);
            out[0] = left.iter().zip(right).map(|(a, b)| a * b).sum();
        }
        Whole::Votes { weights, .. } => {
            out.fill(0.0);
            for (class, weight) in row.iter().zip(weights) {
                *vote(out, *class)? += weight;
            }
        }
        Whole::Shares => {
            let sum: f64 = row.iter().sum();
            if sum == 0.0 {
                out.fill(1.0 / count(row.len()));
            } else {
                divide(row, sum, out);
            }
        }
        Whole::Ratio => {
            let sum: f64 = row.iter().sum();
            out.iter_mut().zip(row).for_each(|(out, x)| *out = x / sum);
        }
        Whole::Complement => out.copy_from_slice(&[1.0 - row[0], row[0]]),
        Whole::Softmax => {
            out.copy_from_slice(row);
            link::apply(Link::Softmax, Precision::F64, out);
        }
        Whole::Pairs { classes } => pairwise(*classes, row, out)?,
        Whole::Constant(numbers) => out.copy_from_slice(numbers),
        Whole::Tables { tables, last } => {
            out.fill(0.0);
            for (column, (x, table)) in row.iter().zip(tables).enumerate() {
                let category = index(x.trunc()).and_then(|at| table.chunks_exact(out.len()).nth(at));
                let Some(terms) = category else {
                    return Err(Error::invalid(format!(
                        "column {column} is {x}, and the categories that the model knows there are 0 to {}",
                        (table.len() / out.len()).saturating_sub(1)
                    )));
                };
                out.iter_mut().zip(terms).for_each(|(out, term)| *out += term);
            }
            out.iter_mut().zip(last).for_each(|(out, term)| *out += term);
        }
        Whole::Quadratic(matrix) => {
            let product = |row: &[f64], numbers: &[f64]| row.iter().zip(numbers).map(|(x, m)| x * m).sum::<f64>();
            out[0] = row.iter().zip(matrix.chunks_exact(row.len())).map(|(x, line)| x * product(row, line)).sum();
        }
        Whole::Similarities(kept) => similarity::similarities(kept, row, out),
        Whole::Splines(basis) => splines::splines(basis, row, out, scratch)?,
        Whole::Fill(donors) => donors::fill(donors, row, out, scratch)?,
        Whole::Descend(branches) => {
            let mut at = 0;
            out[0] = loop {
                let second = row[2 * at + 1] > row[2 * at];
                match branches[at][usize::from(second)] {
                    Side::Branch(next) => at = next,
                    Side::Answer(answer) => break answer,
                }
            };
        }
    }
    Ok(())
}

fn divide(row: &[f64], by: f64, out: &mut [f64]) {
    let by = if by == 0.0 { 1.0 } else { by };
    for (out, x) in out.iter_mut().zip(row) {
        *out = x / by;
    }
}

/// A number as an index, when it is one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole numbers from 0 to 2^32 only
pub(super) fn index(number: f64) -> Option<usize> {
    (number.fract() == 0.0 && (0.0..4_294_967_296.0).contains(&number)).then_some(number as usize)
}

fn vote(out: &mut [f64], class: f64) -> Result<&mut f64> {
    let classes = out.len();
    index(class)
        .and_then(|class| out.get_mut(class))
        .ok_or_else(|| Error::malformed(format!("a member chose class {class} of {classes}")))
}

/// Votes and confidences of one class against one: votes plus `s / (3 * (|s| + 1))`, s the sum of a class's confidences.
fn pairwise(classes: usize, row: &[f64], out: &mut [f64]) -> Result<()> {
    let (labels, confidences) = row.split_at(row.len() / 2);
    out.fill(0.0);
    let mut pair = 0;
    for first in 0..classes {
        for second in first + 1..classes {
            out[first] -= confidences[pair];
            out[second] += confidences[pair];
            pair += 1;
        }
    }
    for sum in &mut *out {
        *sum /= 3.0 * (sum.abs() + 1.0);
    }
    let mut pair = 0;
    for first in 0..classes {
        for second in first + 1..classes {
            match index(labels[pair]) {
                Some(0) => out[first] += 1.0,
                Some(1) => out[second] += 1.0,
                _ => return Err(Error::malformed(format!("a member chose class {} of 2", labels[pair]))),
            }
            pair += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_is_that_of_numpy() {
        let (x, y) = ([0.0, 1.0, 1.0, 2.0], [0.0, 1.0, 3.0, 4.0]);
        let at = |number| interpolate(number, 4, |i| x[i], |i| y[i]);
        assert_eq!([-1.0, 0.5, 1.0, 1.5, 2.0, 9.0].map(at), [0.0, 0.5, 3.0, 3.5, 4.0, 4.0]);
        assert!(at(f64::NAN).is_nan());
    }
}
