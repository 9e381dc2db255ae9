//! Link functions in the arithmetic of the library that trained the model.
//!
//! Sources: `LightGBM` `src/objective/*.hpp` (`ConvertOutput`), `XGBoost` `src/common/math.h`. The transcendental functions are
//! those of the platform; a library built against another libm may differ from it by 1 ulp.

use super::table_exp;
use crate::codec::ndarray::sum;
use crate::ir::{Link, Precision};

/// Replaces the margins of one row by its values.
pub fn apply(link: Link, precision: Precision, margins: &mut [f64]) {
    match (link, precision) {
        (Link::Identity, _) => {}
        (Link::SignedSquare, _) => each(margins, |x| {
            let sign = f64::from(i8::from(x > 0.0)) - f64::from(i8::from(x < 0.0));
            sign * x * x
        }),
        (Link::Shares, _) => {
            let sum = match sum(margins) {
                0.0 => 1.0,
                sum => sum,
            };
            each(margins, |x| x / sum);
        }
        (Link::Step, _) => each(margins, |x| f64::from(u8::from(x > 0.0))),
        (Link::Ascending, _) => margins.sort_by(f64::total_cmp),
        (Link::CumulativeSoftplus, _) => cumulative_softplus(margins),
        (Link::LogOnePlusExp, _) => each(margins, |x| x.exp().ln_1p()),
        (Link::RoundedLogOnePlusExp, _) => each(margins, |x| (1.0 + x.exp()).ln()),
        (Link::Sigmoid { scale }, Precision::F64) => {
            each(margins, |x| 1.0 / (1.0 + (-scale * x).exp()));
        }
        (Link::Sigmoid { .. }, Precision::F32) => each_f32(margins, sigmoid_f32),
        (Link::Exp, Precision::F64) => each(margins, f64::exp),
        (Link::Exp, Precision::F32) => each_f32(margins, f32::exp),
        (Link::TableExp, _) => each(margins, table_exp::single),
        (Link::TableSoftmax, _) => table_exp::softmax(margins),
        (Link::MeanVariance, _) => margins[1] = table_exp::single(2.0 * margins[1]),
        (Link::Softmax, Precision::F64) => softmax_f64(margins),
        (Link::Softmax, Precision::F32) => softmax_f32(margins),
    }
}

fn each(margins: &mut [f64], function: impl Fn(f64) -> f64) {
    for margin in margins {
        *margin = function(*margin);
    }
}

#[allow(clippy::cast_possible_truncation)]
fn each_f32(margins: &mut [f64], function: impl Fn(f32) -> f32) {
    for margin in margins {
        *margin = f64::from(function(*margin as f32));
    }
}

fn sigmoid_f32(x: f32) -> f32 {
    // C++'s std::min(-x, 88.7f) keeps its first argument when the comparison with a NaN fails.
    let negated = if 88.7 < -x { 88.7 } else { -x };
    1.0 / (negated.exp() + 1.0 + 1e-16)
}

fn softmax_f64(margins: &mut [f64]) {
    let Some(&first) = margins.first() else { return };
    let largest = margins.iter().fold(first, |largest, &x| if largest < x { x } else { largest });
    let mut sum = 0.0;
    for margin in &mut *margins {
        *margin = (*margin - largest).exp();
        sum += *margin;
    }
    each(margins, |x| x / sum);
}

/// `XGBoost` adds the float32 terms up in float64 and rounds the sum once.
#[allow(clippy::cast_possible_truncation)]
fn softmax_f32(margins: &mut [f64]) {
    let largest = margins.iter().fold(f32::NEG_INFINITY, |largest, &x| largest.max(x as f32));
    let mut sum = 0.0;
    for margin in &mut *margins {
        *margin = f64::from((*margin as f32 - largest).exp());
        sum += *margin;
    }
    let sum = sum as f32;
    each_f32(margins, |x| x / sum);
}

/// In float32, the type of the only library that has it.
#[allow(clippy::cast_possible_truncation)]
fn cumulative_softplus(margins: &mut [f64]) {
    let Some((first, others)) = margins.split_first_mut() else { return };
    let mut value = *first as f32;
    for margin in others {
        let x = *margin as f32;
        let softplus = if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() };
        value += 1e-6 + softplus;
        *margin = f64::from(value);
    }
}
