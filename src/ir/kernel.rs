//! Support vector machines: sums of a kernel over training rows.

use super::Classes;
use crate::error::{Error, Result};
use crate::limits;

/// How alike two rows are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// `x . y`.
    Linear,
    /// `(gamma * x . y + constant) ^ degree`.
    Polynomial {
        /// Factor of the product.
        gamma: f64,
        /// What is added to it.
        constant: f64,
        /// The power, from 0 on.
        degree: f64,
    },
    /// `exp(-gamma * |x - y|^2)`.
    Rbf {
        /// Factor of the squared distance.
        gamma: f64,
    },
    /// `tanh(gamma * x . y + constant)`.
    Sigmoid {
        /// Factor of the product.
        gamma: f64,
        /// What is added to it.
        constant: f64,
    },
}

/// The columns of a classifier's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One for each pair of classes.
    Pairs,
    /// One for each class: its votes, and its confidence squeezed to less than a third of a vote.
    Classes,
    /// The same with the confidences of a row divided by twice the largest of them (scikit-learn before 0.21, which divided by the
    /// largest of all rows that it was asked about at once).
    ClassesScaled,
}

/// What the sums decide.
#[derive(Debug, Clone, PartialEq)]
pub enum Machine {
    /// A number: the sum itself.
    Regression,
    /// 1 when the sum is positive, else -1.
    OneClass,
    /// One of several classes, by a vote of all pairs.
    Classes {
        /// Their labels; two or more.
        classes: Classes,
        /// Support vectors of each class; they lie class by class.
        support: Vec<usize>,
        /// The columns of the decision of more than two classes.
        shape: Shape,
        /// Whether the largest decision is the label, instead of the most votes.
        break_ties: bool,
        /// Slope and offset of the sigmoid of each pair, when there are probabilities.
        sigmoids: Vec<(f64, f64)>,
    },
}

/// A validated support vector machine.
#[derive(Debug, Clone)]
pub struct KernelMachine {
    kernel: Kernel,
    features: usize,
    vectors: Vec<f64>,
    count: usize,
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
    machine: Machine,
}

impl KernelMachine {
    /// A machine with `vectors` of shape (count, features). For classes, `coefficients` has the shape (classes - 1, count) and there
    /// is an intercept for each pair of classes, in the order (0, 1), (0, 2), ..., (1, 2), ...; else (1, count) and one intercept.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shapes disagree, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new(
        kernel: Kernel,
        [count, features]: [usize; 2],
        vectors: Vec<f64>,
        coefficients: Vec<f64>,
        intercepts: Vec<f64>,
        machine: Machine,
    ) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        if count.checked_mul(features) != Some(vectors.len()) {
            return Err(Error::malformed(format!(
                "{} numbers for {count} support vectors of {features}",
                vectors.len()
            )));
        }
        if matches!(kernel, Kernel::Polynomial { degree, .. } if degree.is_nan() || degree < 0.0) {
            return Err(Error::malformed("a polynomial kernel of negative degree"));
        }
        let (rows, pairs) = match &machine {
            Machine::Regression | Machine::OneClass => (1, 1),
            Machine::Classes { classes, support, sigmoids, .. } => {
                let number = support.len();
                limits::check("classes", number, limits::OUTPUTS)?;
                if number < 2 || classes.count().is_some_and(|count| count != number) {
                    return Err(Error::malformed(format!("support vectors of {number} classes")));
                }
                let pairs = number * (number - 1) / 2;
                let total = support.iter().try_fold(0usize, |total, &count| total.checked_add(count));
                if total != Some(count) {
                    return Err(Error::malformed(format!("the classes do not share {count} support vectors")));
                }
                if !sigmoids.is_empty() && sigmoids.len() != pairs {
                    return Err(Error::malformed(format!("{} sigmoids for {pairs} pairs of classes", sigmoids.len())));
                }
                (number - 1, pairs)
            }
        };
        if rows.checked_mul(count) != Some(coefficients.len()) || intercepts.len() != pairs {
            return Err(Error::malformed(format!(
                "{} coefficients and {} intercepts for {count} support vectors; {rows} rows and {pairs} are expected",
                coefficients.len(),
                intercepts.len()
            )));
        }
        Ok(Self { kernel, features, vectors, count, coefficients, intercepts, machine })
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// How many support vectors there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The support vector of this index.
    #[must_use]
    pub fn vector(&self, index: usize) -> &[f64] {
        &self.vectors[index * self.features..][..self.features]
    }

    /// Coefficients of this row, one per support vector.
    #[must_use]
    pub fn coefficients(&self, row: usize) -> &[f64] {
        &self.coefficients[row * self.count..][..self.count]
    }

    /// Intercepts, one per pair.
    #[must_use]
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// What the sums decide.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match &self.machine {
            Machine::Classes { support, sigmoids, .. } if support.len() > 2 && !sigmoids.is_empty() => support.len(),
            _ => 1,
        }
    }
}
