//! Classes by the nearest of their centroids.

use super::{Classes, neighbors::Metric};
use crate::error::{Error, Result};
use crate::limits;

/// Scores of the classes: `2 ln(prior) - d^2`, d the distance of row and centroid, both divided by `deviations`.
#[derive(Debug, Clone, PartialEq)]
pub struct Discriminant {
    /// One divisor per column, none of them 0.
    pub deviations: Vec<f64>,
    /// One logarithm of a prior per class.
    pub log_priors: Vec<f64>,
    /// Whether the label is the class of the largest score; else that of the nearest centroid.
    pub decides: bool,
    /// Whether scores and probabilities are answers.
    pub shown: bool,
}

/// One centroid per class.
#[derive(Debug, Clone)]
pub struct Centroids {
    features: usize,
    centres: Vec<f64>,
    metric: Metric,
    classes: Classes,
    count: usize,
    discriminant: Option<Discriminant>,
}

impl Centroids {
    /// `centroids` of shape (classes, features).
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shapes disagree, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new(
        [count, features]: [usize; 2],
        centroids: Vec<f64>,
        metric: Metric,
        classes: Classes,
        discriminant: Option<Discriminant>,
    ) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        limits::check("classes", count, limits::OUTPUTS)?;
        if count < 2 || count.checked_mul(features) != Some(centroids.len()) {
            return Err(Error::malformed(format!("{} numbers for {count} centroids of {features}", centroids.len())));
        }
        if classes.count().is_some_and(|known| known != count) {
            return Err(Error::malformed(format!("{count} centroids, and labels of other classes")));
        }
        if let Some(found) = &discriminant
            && (found.deviations.len() != features || found.log_priors.len() != count)
        {
            return Err(Error::malformed(format!(
                "{} deviations and {} priors for {features} features and {count} classes",
                found.deviations.len(),
                found.log_priors.len()
            )));
        }
        Ok(Self { features, centres: centroids, metric, classes, count, discriminant })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// How many classes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The centroid of a class.
    #[must_use]
    pub fn centroid(&self, class: usize) -> &[f64] {
        &self.centres[class * self.features..][..self.features]
    }

    /// How distance is measured.
    #[must_use]
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// Labels of the classes.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Scores of the classes, where the library has them.
    #[must_use]
    pub fn discriminant(&self) -> Option<&Discriminant> {
        self.discriminant.as_ref()
    }

    /// The scores, where they are answers.
    #[must_use]
    pub fn shown(&self) -> Option<&Discriminant> {
        self.discriminant.as_ref().filter(|discriminant| discriminant.shown)
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        if self.shown().is_some() && self.count > 2 { self.count } else { 1 }
    }
}
