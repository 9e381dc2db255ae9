//! Distributions that a model predicts: its margins are their inner parameters (`NGBoost`).

use super::Model;
use crate::error::{Error, Result};
use crate::limits;

/// A kind of distribution. What its inner parameters `p0`, `p1`, ... mean is said beside it, its columns are [`Family::columns`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Family {
    /// `loc = p0`, `scale = exp(p1)`.
    Normal,
    /// `loc = p0`, scale 1.
    NormalFixedVariance,
    /// Mean 0, `scale = exp(p0)`.
    NormalFixedMean,
    /// `s = exp(p1)`, `scale = exp(p0)`, listed in this order.
    LogNormal,
    /// `scale = exp(p0)`.
    Exponential,
    /// `loc = p0`, `scale = exp(p1)`.
    Laplace,
    /// `mu = exp(p0)`.
    Poisson,
    /// `loc = p0`, `scale = exp(p1)`; degrees of freedom `exp(p2)`, which are not listed.
    StudentT,
    /// The same with these degrees of freedom.
    StudentTFixed(f64),
    /// `loc = p0`, scale 1, these degrees of freedom.
    StudentTFixedScale(f64),
    /// `alpha = exp(p0)`, `beta = exp(p1)`, a rate.
    Gamma,
    /// `scale = exp(p0)`; loc 0 is listed first.
    HalfNormal,
    /// `shape = exp(p0)`, `scale = exp(p1)`.
    Weibull,
    /// Made by [`Family::normal_of`]. So many dimensions: the means, then row by row the lower triangle of L, the logarithm of its diagonal; the precision matrix is
    /// `L L'`. Listed are the means and the covariance matrix.
    MultivariateNormal(usize),
    /// Made by [`Family::categorical`]. So many classes: logits of all but the first, whose logit is 0. Listed are the probabilities.
    Categorical(usize),
}

impl Family {
    /// How many inner parameters it has.
    #[must_use]
    pub fn inner(self) -> usize {
        match self {
            Family::NormalFixedVariance
            | Family::NormalFixedMean
            | Family::Exponential
            | Family::Poisson
            | Family::StudentTFixedScale(_)
            | Family::HalfNormal => 1,
            Family::Normal
            | Family::LogNormal
            | Family::Laplace
            | Family::StudentTFixed(_)
            | Family::Gamma
            | Family::Weibull => 2,
            Family::StudentT => 3,
            Family::MultivariateNormal(size) => size * (size + 3) / 2,
            Family::Categorical(classes) => classes - 1,
        }
    }

    /// Columns of the parameters that the library lists.
    #[must_use]
    pub fn columns(self) -> usize {
        match self {
            Family::Exponential | Family::Poisson => 1,
            Family::MultivariateNormal(size) => size * (size + 1),
            Family::Categorical(classes) => classes,
            _ => 2,
        }
    }

    /// Names of those columns.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        let names: &[&str] = match self {
            Family::LogNormal => &["s", "scale"],
            Family::Exponential => &["scale"],
            Family::Poisson => &["mu"],
            Family::Gamma => &["alpha", "beta"],
            Family::Weibull => &["shape", "scale"],
            Family::MultivariateNormal(size) => {
                let means = (0..size).map(|row| format!("loc{row}"));
                let places = (0..size * size).map(|place| format!("scale{}_{}", place / size, place % size));
                return means.chain(places).collect();
            }
            Family::Categorical(classes) => return (0..classes).map(|class| format!("p{class}")).collect(),
            _ => &["loc", "scale"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// How many classes there are, when it is a distribution over classes.
    #[must_use]
    pub fn classes(self) -> Option<usize> {
        match self {
            Family::Categorical(classes) => Some(classes),
            _ => None,
        }
    }

    /// Columns of a value: the mean, or the probability of the second of two classes, or of all.
    #[must_use]
    pub fn outputs(self) -> usize {
        match self {
            Family::MultivariateNormal(size) => size,
            Family::Categorical(classes) if classes > 2 => classes,
            _ => 1,
        }
    }

    /// A normal distribution of so many dimensions.
    ///
    /// # Errors
    /// `MI_MALFORMED` for none, `MI_LIMIT_EXCEEDED` for too many.
    pub fn normal_of(size: usize) -> Result<Self> {
        if size == 0 {
            return Err(Error::malformed("a distribution of no dimension"));
        }
        limits::check("dimensions of a distribution", size, limits::DIMENSIONS)?;
        Ok(Family::MultivariateNormal(size))
    }

    /// A distribution over so many classes.
    ///
    /// # Errors
    /// `MI_MALFORMED` for less than two, `MI_LIMIT_EXCEEDED` for too many.
    pub fn categorical(classes: usize) -> Result<Self> {
        if classes < 2 {
            return Err(Error::malformed("a distribution over less than two classes"));
        }
        limits::check("classes", classes, limits::OUTPUTS)?;
        Ok(Family::Categorical(classes))
    }
}

/// A distribution whose inner parameters are the margins of a model.
#[derive(Debug, Clone)]
pub struct Distribution {
    family: Family,
    model: Box<Model>,
}

impl Distribution {
    /// A distribution behind a model.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the model has another number of margins.
    pub fn new(family: Family, model: Model) -> Result<Self> {
        if model.body.outputs() != family.inner() {
            return Err(Error::malformed(format!(
                "{} margins for a distribution of {} inner parameters",
                model.body.outputs(),
                family.inner()
            )));
        }
        Ok(Self { family, model: Box::new(model) })
    }

    /// Which one.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// The model of its inner parameters.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }
}
