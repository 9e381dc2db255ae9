//! Normal distributions side by side: mixtures of them, and classifiers that have one for each class.
//!
//! The score of component `k` is `constant_k - q_k / 2`, the logarithm of its weight times its density, where `q_k` is the squared
//! distance of the row from its mean, measured by its precisions.

use super::Classes;
use crate::error::{Error, Result};
use crate::limits;

/// A matrix of shape (features, width), row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// Columns.
    pub width: usize,
    /// The numbers.
    pub numbers: Vec<f64>,
}

/// The precisions of the components: how `q` is measured. `x` is the row, `m` the mean of the component.
#[derive(Debug, Clone, PartialEq)]
pub enum Precisions {
    /// A factor `F` for each: `q = |x F - m F|^2`.
    Full(Vec<Factor>),
    /// One factor for all.
    Tied(Factor),
    /// A number `p` for each column, of shape (components, features): `q = sum(p (x - m)^2)`.
    Diagonal(Vec<f64>),
    /// One number for each.
    Spherical(Vec<f64>),
}

/// In which order the library computes `q`; it decides the last digits, and many of them far away from the means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The mean is taken away from the row first.
    Centred,
    /// The terms of the square one by one: `m` against `m`, `x` against `m`, `x` against `x`.
    Expanded,
}

/// What the scores say.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Value and label: the component of the largest score. Probabilities: how much each is responsible. Raw: the logarithm of the
    /// density of the mixture.
    Components,
    /// A class for each component.
    Classes {
        /// Their labels.
        classes: Classes,
        /// Whether the margin of two classes is one number, the second score less the first; else all scores are margins.
        difference: bool,
    },
}

/// Validated components.
#[derive(Debug, Clone)]
pub struct Mixture {
    features: usize,
    means: Vec<f64>,
    constants: Vec<f64>,
    precisions: Precisions,
    order: Order,
    answer: Answer,
}

impl Mixture {
    /// Components with `means` of shape (components, features) and one constant for each.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shapes disagree, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new(
        features: usize,
        means: Vec<f64>,
        constants: Vec<f64>,
        precisions: Precisions,
        order: Order,
        answer: Answer,
    ) -> Result<Self> {
        let count = constants.len();
        limits::check("features", features, limits::FEATURES)?;
        limits::check("components", count, limits::OUTPUTS)?;
        if count == 0 || count.checked_mul(features) != Some(means.len()) {
            return Err(Error::malformed(format!(
                "{} numbers for the means of {count} components of {features} features",
                means.len()
            )));
        }
        let factor = |factor: &Factor| features.checked_mul(factor.width) == Some(factor.numbers.len());
        let fits = match &precisions {
            Precisions::Full(factors) => factors.len() == count && factors.iter().all(factor),
            Precisions::Tied(shared) => factor(shared),
            Precisions::Diagonal(numbers) => numbers.len() == means.len(),
            Precisions::Spherical(numbers) => numbers.len() == count,
        };
        if !fits {
            return Err(Error::malformed(format!(
                "the precisions are not those of {count} components of {features} features"
            )));
        }
        if let Answer::Classes { classes, .. } = &answer
            && classes.count().is_some_and(|known| known != count)
        {
            return Err(Error::malformed(format!("{count} components, and labels of other classes")));
        }
        Ok(Self { features, means, constants, precisions, order, answer })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// How many components there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.constants.len()
    }

    /// The mean of a component.
    #[must_use]
    pub fn mean(&self, component: usize) -> &[f64] {
        &self.means[component * self.features..][..self.features]
    }

    /// The constants, one per component.
    #[must_use]
    pub fn constants(&self) -> &[f64] {
        &self.constants
    }

    /// The precisions of all components.
    #[must_use]
    pub fn precisions(&self) -> &Precisions {
        &self.precisions
    }

    /// In which order the library computes.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// What the scores say.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Columns of a value: the component, the probability of the second of two classes, or that of each.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match (&self.answer, self.count()) {
            (Answer::Components, _) | (Answer::Classes { .. }, 2) => 1,
            (Answer::Classes { .. }, count) => count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_checked() {
        let made = |means: usize, precisions| {
            Mixture::new(2, vec![0.0; means], vec![0.0; 3], precisions, Order::Centred, Answer::Components)
        };
        let factor = |numbers: usize| Factor { width: 2, numbers: vec![1.0; numbers] };
        assert!(made(6, Precisions::Tied(factor(4))).is_ok());
        assert!(made(5, Precisions::Tied(factor(4))).is_err());
        assert!(made(6, Precisions::Tied(factor(3))).is_err());
        assert!(made(6, Precisions::Full(vec![factor(4); 2])).is_err());
        assert!(made(6, Precisions::Diagonal(vec![1.0; 3])).is_err());
        assert!(made(6, Precisions::Spherical(vec![1.0; 6])).is_err());
    }
}
