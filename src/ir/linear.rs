//! Linear models: margins = intercept + coefficients * row.

use super::{Importance, Precision};
use crate::error::{Error, Result};
use crate::limits;

/// The order in which a library adds up a linear model; it decides the last bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinearOrder {
    /// The accumulator starts at the intercept and takes the products in the order of the columns (`XGBoost` `gblinear`).
    InterceptFirst,
    /// The products are added up from zero in the order of the columns, the intercept comes last.
    InterceptLast,
}

/// A linear map from a row to margins.
#[derive(Debug, Clone)]
pub struct Linear {
    features: usize,
    outputs: usize,
    coefficients: Vec<f64>,
    intercept: Vec<f64>,
    precision: Precision,
    order: LinearOrder,
    skip_missing: bool,
}

impl Linear {
    /// A linear map with `coefficients` of shape (outputs, features) in row-major order and one intercept per output.
    ///
    /// `precision` is the type of the features, the products and the sum. With `skip_missing` a NaN feature adds nothing
    /// (`XGBoost`); without it a NaN is refused when a row is predicted.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shapes disagree, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new(
        features: usize,
        coefficients: Vec<f64>,
        intercept: Vec<f64>,
        precision: Precision,
        order: LinearOrder,
        skip_missing: bool,
    ) -> Result<Self> {
        let outputs = intercept.len();
        limits::check("features", features, limits::FEATURES)?;
        limits::check("outputs", outputs, limits::OUTPUTS)?;
        if outputs == 0 || features.checked_mul(outputs) != Some(coefficients.len()) {
            return Err(Error::malformed(format!(
                "{} coefficients for {features} features and {outputs} outputs",
                coefficients.len()
            )));
        }
        Ok(Self { features, outputs, coefficients, intercept, precision, order, skip_missing })
    }

    /// What it says of its columns.
    #[must_use]
    pub fn importance(&self) -> Importance {
        let mut sizes = vec![0.0; self.features];
        for row in self.coefficients.chunks_exact(self.features.max(1)) {
            for (size, coefficient) in sizes.iter_mut().zip(row) {
                *size += coefficient.abs();
            }
        }
        let coefficient = (self.outputs == 1).then(|| self.coefficients.clone());
        Importance { split: None, gain: Some(sizes), coefficient }
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Margins per row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Coefficients of one output, one per column.
    #[must_use]
    pub fn coefficients(&self, output: usize) -> &[f64] {
        &self.coefficients[output * self.features..][..self.features]
    }

    /// Intercepts, one per output.
    #[must_use]
    pub fn intercept(&self) -> &[f64] {
        &self.intercept
    }

    /// Type of features, products and sums.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Order of the sum.
    #[must_use]
    pub fn order(&self) -> LinearOrder {
        self.order
    }

    /// Whether a NaN adds nothing; else it is refused.
    #[must_use]
    pub fn skips_missing(&self) -> bool {
        self.skip_missing
    }
}
