//! How much a row is like each of the rows that a model keeps.

use super::kernel::Kernel;
use crate::error::{Error, Result};
use crate::limits;

/// A covariance function of Gaussian processes. `d` is the distance of two rows, each column divided by its length.
///
/// Rasmussen and Williams, Gaussian Processes for Machine Learning, chapter 4.
#[derive(Debug, Clone, PartialEq)]
pub enum Covariance {
    /// This number.
    Constant(f64),
    /// `exp(-d^2 / 2)`; one length, or one for each column.
    SquaredExponential(Vec<f64>),
    /// Matern's function of this order.
    Matern(Vec<f64>, Smoothness),
    /// `(1 + d^2 / (2 a l^2))^-a`, `d` not divided.
    RationalQuadratic {
        /// `l`.
        length: f64,
        /// `a`.
        mixture: f64,
    },
    /// `exp(-2 (sin(pi d / p) / l)^2)`, `d` not divided.
    Periodic {
        /// `l`.
        length: f64,
        /// `p`.
        period: f64,
    },
    /// `s^2 + x . y`.
    DotProduct(f64),
    /// Nothing between two rows, this number of a row with itself.
    Noise(f64),
    /// A kernel.
    Kernel(Kernel),
    /// The sum of both.
    Sum(Box<Covariance>, Box<Covariance>),
    /// Their product.
    Product(Box<Covariance>, Box<Covariance>),
    /// To this power.
    Power(Box<Covariance>, f64),
}

/// Order of Matern's function, where it has a closed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Smoothness {
    /// 1/2: `exp(-d)`.
    Half,
    /// 3/2: `(1 + k) exp(-k)`, `k = d sqrt(3)`.
    ThreeHalves,
    /// 5/2: `(1 + k + k^2 / 3) exp(-k)`, `k = d sqrt(5)`.
    FiveHalves,
    /// Infinity: `exp(-d^2 / 2)`.
    Infinite,
}

impl Covariance {
    /// Checks the numbers of lengths against the columns.
    fn check(&self, features: usize) -> Result<()> {
        match self {
            Covariance::SquaredExponential(lengths) | Covariance::Matern(lengths, _) => {
                if lengths.len() != 1 && lengths.len() != features {
                    return Err(Error::malformed(format!("{} lengths for {features} features", lengths.len())));
                }
                Ok(())
            }
            Covariance::Sum(a, b) | Covariance::Product(a, b) => {
                a.check(features)?;
                b.check(features)
            }
            Covariance::Power(inner, _) => inner.check(features),
            Covariance::Constant(_)
            | Covariance::RationalQuadratic { .. }
            | Covariance::Periodic { .. }
            | Covariance::DotProduct(_)
            | Covariance::Noise(_)
            | Covariance::Kernel(_) => Ok(()),
        }
    }
}

/// How alike two rows are.
#[derive(Debug, Clone, PartialEq)]
pub enum Likeness {
    /// Their Euclidean distance.
    Distance,
    /// A kernel.
    Kernel(Kernel),
    /// `exp(-gamma * sum(|x - y|))`.
    Laplacian {
        /// Factor of the sum.
        gamma: f64,
    },
    /// The cosine of the angle between them; 0 for a row of zeros.
    Cosine,
    /// A covariance function.
    Covariance(Covariance),
}

/// Rows, and how a row is compared with each of them.
#[derive(Debug, Clone)]
pub struct Similarities {
    features: usize,
    rows: Vec<f64>,
    count: usize,
    likeness: Likeness,
}

impl Similarities {
    /// `rows` of shape (count, features).
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shapes disagree, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new([count, features]: [usize; 2], rows: Vec<f64>, likeness: Likeness) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        limits::check("rows to compare with", count, limits::FEATURES)?;
        if count == 0 || count.checked_mul(features) != Some(rows.len()) {
            return Err(Error::malformed(format!("{} numbers for {count} rows of {features} features", rows.len())));
        }
        if let Likeness::Covariance(covariance) = &likeness {
            covariance.check(features)?;
        }
        Ok(Self { features, rows, count, likeness })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// How many rows are kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// A kept row.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f64] {
        &self.rows[index * self.features..][..self.features]
    }

    /// How two rows are compared.
    #[must_use]
    pub fn likeness(&self) -> &Likeness {
        &self.likeness
    }
}
