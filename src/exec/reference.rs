//! Slow, obvious, and right: linear models, and the rules of forests that all kernels share. The oracle of forests is made of them; every
//! kernel is tested equal to it.

#[cfg(test)]
pub mod oracle;

use super::{Number, Rows};
use crate::ir::Linear;
use crate::ir::forest::{CategoryRule, CategorySet, Finish, Layout, LinearLeaf, Missing, Side, ZERO_BAND, category};
use crate::ir::linear::LinearOrder;

/// Margins of a linear model.
pub fn linear<T: Number>(linear: &Linear, rows: Rows<'_, T>, out: &mut [f64], stride: usize) {
    let precision = linear.precision();
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(stride)) {
        for (output, out) in out[..linear.outputs()].iter_mut().enumerate() {
            let intercept = linear.intercept()[output];
            let mut sum = match linear.order() {
                LinearOrder::InterceptFirst => intercept,
                LinearOrder::InterceptLast => 0.0,
            };
            for (value, coefficient) in row.iter().zip(linear.coefficients(output)) {
                let value = precision.round(value.widen());
                if !value.is_nan() {
                    sum = precision.round(sum + precision.round(value * coefficient));
                }
            }
            *out = match linear.order() {
                LinearOrder::InterceptFirst => sum,
                LinearOrder::InterceptLast => precision.round(sum + intercept),
            };
        }
    }
}

/// The value of a function in a leaf; `plain` where a feature of it is missing.
pub fn linear_leaf<T: Number>(layout: &Layout, linear: &LinearLeaf, plain: f64, row: &[T]) -> f64 {
    let mut sum = linear.constant;
    for &(column, coefficient) in &linear.terms {
        let value = feature(layout, row, column);
        if value.is_nan() {
            return plain;
        }
        sum += coefficient * value;
    }
    sum
}

/// Where a value goes at a split by categories; it has been read as [`read`] says.
pub fn category_side(layout: &Layout, set: &CategorySet, member: Side, missing: Missing, value: f64) -> Side {
    let known = category(layout.category, value);
    // What is no category that the split knows counts as missing, in some versions.
    let unknown = layout.category == CategoryRule::NonNegativeOrMissing
        && known.is_none_or(|category| category as usize / 32 >= set.words().len());
    side(missing, if unknown { f64::NAN } else { value }, |value| {
        let inside = category(layout.category, value).is_some_and(|category| set.contains(category));
        Side::left_if(inside == (member == Side::Left))
    })
}

/// What a missing value does, or where the test sends a number.
pub fn side(missing: Missing, value: f64, test: impl Fn(f64) -> Side) -> Side {
    match missing {
        Missing::Nan(side) if value.is_nan() => side,
        Missing::ZeroOrNan(side) if value.is_nan() || value.abs() <= ZERO_BAND => side,
        Missing::AsZero if value.is_nan() => test(0.0),
        _ => test(value),
    }
}

/// The feature as the library's comparison sees it.
#[inline]
pub fn feature<T: Number>(layout: &Layout, row: &[T], column: u32) -> f64 {
    read(layout, row[column as usize].widen())
}

/// A value as the forest reads it.
#[inline]
pub fn read(layout: &Layout, value: f64) -> f64 {
    let value = layout.input.round(value);
    if layout.snap_zero && value.abs() <= ZERO_BAND { 0.0 } else { value }
}

/// Margins after the last tree.
pub fn finish(layout: &Layout, sums: &mut [f64]) {
    match &layout.finish {
        Finish::Sum => {}
        Finish::Divide(divisor) => sums.iter_mut().for_each(|sum| *sum /= divisor),
        Finish::Base(base) => {
            for (sum, base) in sums.iter_mut().zip(base) {
                *sum = layout.sum.round(*sum + base);
            }
        }
        Finish::ScaleBias { scale, bias } => {
            for (sum, bias) in sums.iter_mut().zip(bias) {
                *sum = *sum * scale + bias;
            }
        }
    }
}
