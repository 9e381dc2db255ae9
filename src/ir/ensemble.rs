//! Members that each predict, and what is made of their answers.

use super::{Classes, Model, Precision};
use crate::error::{Error, Result};
use crate::limits;

/// One model of an ensemble.
#[derive(Debug, Clone)]
pub struct Member {
    /// The model.
    pub model: Model,
    /// The columns of the ensemble's row that it takes, in its own order; `None`: the whole row.
    pub columns: Option<Vec<usize>>,
    /// For each class of the member: the number that its label is, and the class of the ensemble that this is. Empty: it predicts
    /// no classes.
    pub labels: Vec<(f64, usize)>,
}

/// What a member of `AdaBoostClassifier` adds to the score of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    /// Its weight for the class that it chose, 0 for the others (`SAMME` before 1.3).
    Hits,
    /// Its weight for the class that it chose, `-weight / (classes - 1)` for the others (`SAMME`).
    HitsAndMisses,
    /// `(classes - 1) * (ln p - mean(ln p))`, of probabilities that are at least one epsilon (`SAMME.R`).
    LogProbability,
}

/// How `AdaBoostClassifier` makes probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shares {
    /// The softmax of the scores over `classes - 1`; of two classes, of the negated and the plain half of their difference.
    Softmax,
    /// `exp(x / (classes - 1))` over their sum (before 0.22), where x is the score (`SAMME.R`) or the weighted mean of the members'
    /// probabilities (`SAMME`).
    Exponential,
}

/// What is made of the answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Combine {
    /// The mean of the values.
    Mean,
    /// The mean of the probabilities; a member without probabilities gives 1 to the class that it chooses. The margin is the mean
    /// of the members' margins, when all of them have one.
    Vote,
    /// The median of the values by these weights: the smallest value at which half of the weight is reached (`AdaBoost.R2`).
    Median {
        /// One per member.
        weights: Vec<f64>,
    },
    /// `AdaBoostClassifier`.
    Boost {
        /// One per member.
        weights: Vec<f64>,
        /// Sum of the weights, as the library adds them up.
        total: f64,
        /// What a member adds.
        scores: Scores,
        /// How probabilities are made.
        shares: Shares,
    },
    /// Steps of gradient descent: margins start at `base`; the value of each member, times `rate`, times the factor of its step, is
    /// taken from one of them (`NGBoost`).
    Descend {
        /// One per margin.
        base: Vec<f64>,
        /// Factor of all steps.
        rate: f64,
        /// One per member.
        steps: Vec<Step>,
    },
}

/// One step of gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The margin that it changes.
    pub output: usize,
    /// Factor of the member's value.
    pub factor: f64,
    /// Type of the products; the subtraction is in float64.
    pub precision: Precision,
}

/// A validated ensemble.
#[derive(Debug, Clone)]
pub struct Ensemble {
    features: usize,
    outputs: usize,
    members: Vec<Member>,
    combine: Combine,
    classes: Classes,
    accepts_nan: bool,
}

impl Ensemble {
    /// Members over rows of `features` columns; `classes` are those of the ensemble, [`Classes::Index`] when it predicts numbers.
    /// With `accepts_nan` the members decide about missing values, without it they are refused.
    ///
    /// # Errors
    /// `MI_MALFORMED` when a member's width, columns or classes disagree with the ensemble.
    pub fn new(
        features: usize,
        members: Vec<Member>,
        combine: Combine,
        classes: Classes,
        accepts_nan: bool,
    ) -> Result<Self> {
        limits::check("members", members.len(), limits::TREES)?;
        let first = members.first().ok_or_else(|| Error::malformed("an ensemble without members"))?;
        let count = classes.count();
        let outputs = match (&combine, count) {
            (Combine::Mean, _) => first.model.body.outputs(),
            (Combine::Descend { base, .. }, _) => base.len(),
            (Combine::Median { .. }, _) | (Combine::Vote | Combine::Boost { .. }, Some(2)) => 1,
            (Combine::Vote | Combine::Boost { .. }, count) => {
                count.ok_or_else(|| Error::malformed("an ensemble of classifiers without classes"))?
            }
        };
        limits::check("outputs", outputs, limits::OUTPUTS)?;
        for (index, member) in members.iter().enumerate() {
            member
                .check(features, &combine, outputs, count.unwrap_or(0))
                .map_err(|error| error.within(format!("member {index}")))?;
        }
        match &combine {
            Combine::Median { weights } | Combine::Boost { weights, .. } if weights.len() != members.len() => {
                return Err(Error::malformed(format!("{} weights for {} members", weights.len(), members.len())));
            }
            Combine::Descend { steps, .. } if steps.len() != members.len() => {
                return Err(Error::malformed(format!("{} steps for {} members", steps.len(), members.len())));
            }
            Combine::Descend { steps, .. } if steps.iter().any(|step| step.output >= outputs) => {
                return Err(Error::malformed(format!("a step changes a margin that is none of {outputs}")));
            }
            _ => {}
        }
        Ok(Self { features, outputs, members, combine, classes, accepts_nan })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The members, in the order of the sums.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What is made of their answers.
    #[must_use]
    pub fn combine(&self) -> &Combine {
        &self.combine
    }

    /// Whether missing values are passed on to the members.
    #[must_use]
    pub fn accepts_nan(&self) -> bool {
        self.accepts_nan
    }

    /// Labels of the classes.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.classes
    }
}

impl Member {
    fn check(&self, features: usize, combine: &Combine, outputs: usize, classes: usize) -> Result<()> {
        let takes = self.model.body.features();
        let given = self.columns.as_ref().map_or(features, Vec::len);
        if takes != given {
            return Err(Error::malformed(format!("takes {takes} columns and is given {given}")));
        }
        if let Some(column) = self.columns.iter().flatten().find(|&&column| column >= features) {
            return Err(Error::malformed(format!("takes column {column} of {features}")));
        }
        match combine {
            Combine::Mean | Combine::Median { .. } => {
                if self.model.body.outputs() != outputs || self.model.task.classes().is_some() {
                    return Err(Error::malformed("a regressor as wide as the first member is expected"));
                }
            }
            Combine::Descend { .. } => {
                if self.model.body.outputs() != 1 || self.model.task.classes().is_some() {
                    return Err(Error::malformed("a regressor of one number is expected"));
                }
            }
            Combine::Vote | Combine::Boost { .. } => {
                if self.labels.is_empty() || self.labels.iter().any(|&(_, class)| class >= classes) {
                    return Err(Error::malformed("its classes are not those of the ensemble"));
                }
            }
        }
        Ok(())
    }
}
