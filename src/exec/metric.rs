//! Distances between rows.

use crate::ir::neighbors::Metric;

/// A number in the same order as the distance, cheaper where a root can be left out.
pub(super) fn reduced(metric: &Metric, x: &[f64], y: &[f64]) -> f64 {
    let pairs = x.iter().zip(y);
    match metric {
        Metric::Euclidean | Metric::SquaredEuclidean => pairs.map(|(x, y)| (x - y) * (x - y)).sum(),
        Metric::Manhattan => pairs.map(|(x, y)| (x - y).abs()).sum(),
        Metric::Chebyshev => pairs.fold(0.0, |largest, (x, y)| largest.max((x - y).abs())),
        Metric::Minkowski(p) => pairs.map(|(x, y)| (x - y).abs().powf(*p)).sum(),
        Metric::StandardEuclidean(variances) => {
            pairs.zip(variances).map(|((x, y), variance)| (x - y) * (x - y) / variance).sum()
        }
        Metric::Canberra => pairs
            .map(|(x, y)| {
                let both = x.abs() + y.abs();
                if both > 0.0 { (x - y).abs() / both } else { 0.0 }
            })
            .sum(),
        #[allow(clippy::cast_precision_loss)]
        Metric::Hamming => pairs.filter(|(x, y)| x != y).count() as f64 / x.len() as f64,
        Metric::Cosine => {
            let dot = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| x * y).sum() };
            let length = |x: &[f64]| {
                let length = dot(x, x).sqrt();
                if length == 0.0 { 1.0 } else { length }
            };
            (1.0 - dot(x, y) / (length(x) * length(y))).clamp(0.0, 2.0)
        }
    }
}

/// The distance of which this is the [`reduced`] number.
pub(super) fn distance(metric: &Metric, reduced: f64) -> f64 {
    match metric {
        Metric::Euclidean | Metric::StandardEuclidean(_) => reduced.sqrt(),
        Metric::Minkowski(p) => reduced.powf(1.0 / p),
        _ => reduced,
    }
}

/// The [`reduced`] number of a distance.
pub(super) fn reduce(metric: &Metric, distance: f64) -> f64 {
    match metric {
        Metric::Euclidean | Metric::StandardEuclidean(_) => distance * distance,
        Metric::Minkowski(p) => distance.powf(*p),
        _ => distance,
    }
}
