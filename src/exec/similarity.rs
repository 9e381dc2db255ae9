//! Comparing a row with rows that a model keeps.

use super::kernel::{dot, likeness};
use crate::ir::similarity::{Covariance, Likeness, Similarities, Smoothness};

/// How much a row is like each row that is kept.
pub(super) fn similarities(kept: &Similarities, row: &[f64], out: &mut [f64]) {
    for (index, out) in out.iter_mut().enumerate() {
        *out = compare(kept.likeness(), row, kept.row(index));
    }
}

fn compare(how: &Likeness, x: &[f64], y: &[f64]) -> f64 {
    match how {
        Likeness::Distance => squares(x, y).sqrt(),
        Likeness::Kernel(kernel) => likeness(*kernel, x, y),
        Likeness::Laplacian { gamma } => (-gamma * x.iter().zip(y).map(|(x, y)| (x - y).abs()).sum::<f64>()).exp(),
        Likeness::Cosine => {
            let length = |x: &[f64]| {
                let length = dot(x, x).sqrt();
                if length == 0.0 { 1.0 } else { length }
            };
            let (long, wide) = (length(x), length(y));
            x.iter().zip(y).map(|(x, y)| (x / long) * (y / wide)).sum()
        }
        Likeness::Covariance(covariance) => covary(covariance, x, y),
    }
}

fn squares(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// The squared distance, each column divided by its length, or all by the only one.
fn scaled(lengths: &[f64], x: &[f64], y: &[f64]) -> f64 {
    let apart = |(x, y): (&f64, &f64), length: f64| {
        let apart = x / length - y / length;
        apart * apart
    };
    match lengths {
        [length] => x.iter().zip(y).map(|pair| apart(pair, *length)).sum(),
        _ => x.iter().zip(y).zip(lengths).map(|(pair, length)| apart(pair, *length)).sum(),
    }
}

/// The covariance of a row with itself.
pub(super) fn variance(covariance: &Covariance, x: &[f64]) -> f64 {
    match covariance {
        Covariance::Noise(noise) => *noise,
        Covariance::Sum(a, b) => variance(a, x) + variance(b, x),
        Covariance::Product(a, b) => variance(a, x) * variance(b, x),
        Covariance::Power(inner, power) => variance(inner, x).powf(*power),
        other => covary(other, x, x),
    }
}

/// The covariance of two rows.
pub(super) fn covary(covariance: &Covariance, x: &[f64], y: &[f64]) -> f64 {
    match covariance {
        Covariance::Constant(number) => *number,
        Covariance::SquaredExponential(lengths) | Covariance::Matern(lengths, Smoothness::Infinite) => {
            (-0.5 * scaled(lengths, x, y)).exp()
        }
        Covariance::Matern(lengths, order) => {
            let apart = scaled(lengths, x, y).sqrt();
            match order {
                Smoothness::Half => (-apart).exp(),
                Smoothness::ThreeHalves => {
                    let k = apart * 3.0f64.sqrt();
                    (1.0 + k) * (-k).exp()
                }
                Smoothness::FiveHalves | Smoothness::Infinite => {
                    let k = apart * 5.0f64.sqrt();
                    (1.0 + k + k * k / 3.0) * (-k).exp()
                }
            }
        }
        Covariance::RationalQuadratic { length, mixture } => {
            (1.0 + squares(x, y) / (2.0 * mixture * length * length)).powf(-mixture)
        }
        Covariance::Periodic { length, period } => {
            let wave = (std::f64::consts::PI / period * squares(x, y).sqrt()).sin() / length;
            (-2.0 * (wave * wave)).exp()
        }
        Covariance::DotProduct(sigma) => dot(x, y) + sigma * sigma,
        Covariance::Noise(_) => 0.0,
        Covariance::Kernel(kernel) => likeness(*kernel, x, y),
        Covariance::Sum(a, b) => covary(a, x, y) + covary(b, x, y),
        Covariance::Product(a, b) => covary(a, x, y) * covary(b, x, y),
        Covariance::Power(inner, power) => covary(inner, x, y).powf(*power),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_length_serves_all_columns() {
        let (x, y) = ([1.0, 2.0], [3.0, -1.0]);
        let one = covary(&Covariance::SquaredExponential(vec![2.0]), &x, &y);
        let each = covary(&Covariance::SquaredExponential(vec![2.0, 2.0]), &x, &y);
        assert!(one == each && (one - (-13.0f64 / 8.0).exp()).abs() < 1e-16);
    }

    #[test]
    fn a_row_of_zeros_is_like_nothing() {
        assert_eq!(compare(&Likeness::Cosine, &[0.0, 0.0], &[1.0, 1.0]), 0.0);
    }
}
