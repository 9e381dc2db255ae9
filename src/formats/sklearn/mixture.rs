//! Mixtures of normal distributions.

use super::preprocessing::numbers;
use super::{Context, Entry, Reader, estimator, matrix};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::mixture::{Answer, Factor, Mixture, Order, Precisions};
use crate::ir::{Classes, Estimator, Model, Task};
use crate::limits;
use std::f64::consts::{LN_2, TAU};

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] =
    &[mixture("GaussianMixture", gaussian), mixture("BayesianGaussianMixture", bayesian)];

const fn mixture(class: &'static str, read: fn(Ref<'_>, &Context<'_>) -> Result<Model>) -> Entry {
    Entry {
        class,
        reader: Reader::Model(read),
        outputs: "value and label (the component), probability (responsibilities), raw = score_samples",
        refused: "",
    }
}

/// What the components share, and the constant of each without its weight: the logarithm of a density at the mean.
struct Components {
    features: usize,
    means: Vec<f64>,
    precisions: Precisions,
    constants: Vec<f64>,
}

#[allow(clippy::cast_precision_loss)] // counts of columns are far below 2^52
fn components(object: Ref<'_>) -> Result<Components> {
    let ([count, features], means) = matrix(object.attr("means_")?)?;
    limits::check("features", features, limits::FEATURES)?;
    limits::check("components", count, limits::OUTPUTS)?;
    let place = object.attr("precisions_cholesky_")?;
    let numbers = place.array_f64()?;
    let kind = object.attr("covariance_type")?;
    let kind = kind.as_str()?;
    let expected = match &*kind {
        "full" => vec![count, features, features],
        "tied" => vec![features, features],
        "diag" => vec![count, features],
        "spherical" => vec![count],
        other => return Err(place.unsupported(format!("covariance_type '{other}' is not known"))),
    };
    if *numbers.shape != *expected {
        return Err(place.malformed(format!("the shape {expected:?} is expected, not {:?}", numbers.shape)));
    }
    let data = numbers.data;
    let diagonal = |matrix: &[f64]| matrix.iter().step_by(features + 1).map(|x| x.ln()).sum::<f64>();
    let columns = features as f64;
    let squares = |data: &[f64]| data.iter().map(|x| x * x).collect::<Vec<f64>>();
    let factor = |numbers: &[f64]| Factor { width: features, numbers: numbers.to_vec() };
    let (precisions, roots): (_, Vec<f64>) = match &*kind {
        "full" => {
            let matrices = || data.chunks_exact((features * features).max(1));
            (Precisions::Full(matrices().map(factor).collect()), matrices().map(diagonal).collect())
        }
        "tied" => (Precisions::Tied(factor(&data)), vec![diagonal(&data); count]),
        "diag" => {
            let logs = data.chunks_exact(features.max(1)).map(|row| row.iter().map(|x| x.ln()).sum()).collect();
            (Precisions::Diagonal(squares(&data)), logs)
        }
        _ => (Precisions::Spherical(squares(&data)), data.iter().map(|x| columns * x.ln()).collect()),
    };
    let constants = roots.into_iter().map(|root| root - 0.5 * columns * TAU.ln()).collect();
    Ok(Components { features, means, precisions, constants })
}

fn read(object: Ref<'_>, components: Components, log_weights: &[f64]) -> Result<Model> {
    let Components { features, means, precisions, mut constants } = components;
    if log_weights.len() != constants.len() {
        return Err(object.malformed(format!("{} weights for {} components", log_weights.len(), constants.len())));
    }
    constants.iter_mut().zip(log_weights).for_each(|(constant, weight)| *constant += weight);
    let count = constants.len();
    let mixture = Mixture::new(features, means, constants, precisions, Order::Expanded, Answer::Components)
        .within(|| object.path())?;
    let mut model = estimator(object, Estimator::Mixture(mixture), Task::Clustering, Classes::Index)?;
    model.source.details.insert("components".to_owned(), count.into());
    Ok(model)
}

fn gaussian(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let weights = numbers(object, "weights_")?;
    let logs: Vec<f64> = weights.into_iter().map(f64::ln).collect();
    read(object, components(object)?, &logs)
}

/// The weights and precisions of a variational mixture are distributions themselves; the scores are expectations over them.
/// Bishop, Pattern Recognition and Machine Learning, 10.64 to 10.66, and Blei and Jordan, 2006, for the Dirichlet process.
#[allow(clippy::cast_precision_loss)]
fn bayesian(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let mut components = components(object)?;
    let place = object.attr("degrees_of_freedom_")?;
    // One for all where they share their precisions.
    let freedom = match place.as_f64() {
        Ok(shared) => vec![shared; components.constants.len()],
        Err(_) => place.array_f64()?.data,
    };
    let certainty = numbers(object, "mean_precision_")?;
    if freedom.len() != components.constants.len() || certainty.len() != freedom.len() {
        return Err(object.malformed("degrees of freedom and precisions of means are not those of its components"));
    }
    let features = components.features as f64;
    for (constant, (freedom, certainty)) in components.constants.iter_mut().zip(freedom.iter().zip(&certainty)) {
        let spread: f64 = (0..components.features).map(|column| digamma(0.5 * (freedom - column as f64))).sum();
        *constant += 0.5 * (features * LN_2 + spread - features / certainty) - 0.5 * features * freedom.ln();
    }
    let place = object.attr("weight_concentration_")?;
    let kind = object.attr("weight_concentration_prior_type")?;
    let logs = match &*kind.as_str()? {
        "dirichlet_process" => {
            let items = place.list()?;
            let &[first, second] = &*items else { return Err(place.expected("two arrays")) };
            let (first, second) = (first.array_f64()?.data, second.array_f64()?.data);
            let mut left = 0.0;
            let stick = |(a, b): (&f64, &f64)| {
                let whole = digamma(a + b);
                let log = digamma(*a) - whole + left;
                left += digamma(*b) - whole;
                log
            };
            first.iter().zip(&second).map(stick).collect()
        }
        "dirichlet_distribution" => {
            let shares = place.array_f64()?.data;
            let whole = digamma(shares.iter().sum());
            shares.into_iter().map(|share| digamma(share) - whole).collect::<Vec<f64>>()
        }
        other => return Err(kind.unsupported(format!("weight_concentration_prior_type '{other}' is not known"))),
    };
    read(object, components, &logs)
}

/// Bernoulli numbers of even order, each divided by its order.
const SERIES: [f64; 7] =
    [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0];

/// The derivative of the logarithm of the gamma function: `psi(x) = psi(x + 1) - 1 / x` up to 10, and its asymptotic series from
/// there on (Abramowitz and Stegun, 6.3.5 and 6.3.18). NaN at and below 0, where no model has a parameter.
fn digamma(mut x: f64) -> f64 {
    if x <= 0.0 {
        return f64::NAN;
    }
    let mut below = 0.0;
    while x < 10.0 {
        below += 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let tail = SERIES.iter().rev().fold(0.0, |sum, term| (sum + term) * square);
    x.ln() - 0.5 / x - tail - below
}

#[cfg(test)]
mod tests {
    use super::digamma;

    /// Numbers of `scipy.special.digamma` 1.18.
    #[test]
    fn digamma_is_that_of_scipy() {
        for (x, expected) in SCIPY {
            assert!((digamma(x) - expected).abs() <= 1e-15 + 4e-15 * expected.abs(), "{x}: {}", digamma(x));
        }
        assert!(digamma(0.0).is_nan() && digamma(-1.5).is_nan() && digamma(f64::NAN).is_nan());
    }

    const SCIPY: [(f64, f64); 10] = [
        (1e-8, -100_000_000.577_215_64),
        (0.1, -10.423_754_940_411_076),
        (0.5, -1.963_510_026_021_423_5),
        (1.0, -0.577_215_664_901_532_9),
        (1.5, 0.036_489_973_978_576_52),
        (2.0, 0.422_784_335_098_467_13),
        (9.999, 2.251_647_417_205_735),
        (10.0, 2.251_752_589_066_721),
        (37.25, 3.604_169_073_005_627),
        (1_000_000.0, 13.815_510_057_964_19),
    ];
}
