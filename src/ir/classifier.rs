//! Classifiers that decide by linear scores.

use super::{Classes, Linear};
use crate::error::{Error, Result};

/// What scores decide.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// One class: with a single score the second of two when it is positive, else the class of the largest score, the first one
    /// among equals.
    Classes(Classes),
    /// One independent yes or no for each score, yes when it is positive.
    Each,
    /// 1 for a score of at least 0, else -1: inliers and outliers.
    Outlier,
}

/// How scores become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probabilities {
    /// There are none.
    Absent,
    /// `1 / (1 + exp(-s))` of each score. One score: that of the second class. Several: divided by their sum.
    OneVsRest,
    /// `exp(s - max) / sum`. One score `s`: that of `-s` and `s`.
    Softmax,
    /// `(clip(s, -1, 1) + 1) / 2` of each score. One score: that of the second class. Several: divided by their sum, all equal
    /// when that is 0.
    ModifiedHuber,
}

/// Linear scores and what they decide.
#[derive(Debug, Clone)]
pub struct LinearClassifier {
    scores: Linear,
    decision: Decision,
    probabilities: Probabilities,
}

impl LinearClassifier {
    /// A classifier behind linear scores.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the number of scores does not fit the classes, or a decision that is none between classes has
    /// probabilities.
    pub fn new(scores: Linear, decision: Decision, probabilities: Probabilities) -> Result<Self> {
        let outputs = scores.outputs();
        match &decision {
            Decision::Classes(classes) => {
                let expected = if outputs == 1 { 2 } else { outputs };
                if let Some(count) = classes.count()
                    && count != expected
                {
                    return Err(Error::malformed(format!("{outputs} rows of coefficients for {count} classes")));
                }
            }
            Decision::Each | Decision::Outlier if probabilities != Probabilities::Absent => {
                return Err(Error::malformed("probabilities of a decision that is not between classes"));
            }
            Decision::Outlier if outputs != 1 => {
                return Err(Error::malformed(format!(
                    "{outputs} scores for one decision between inliers and outliers"
                )));
            }
            Decision::Each | Decision::Outlier => {}
        }
        Ok(Self { scores, decision, probabilities })
    }

    /// The linear map from a row to scores.
    #[must_use]
    pub fn scores(&self) -> &Linear {
        &self.scores
    }

    /// What the scores decide.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// How the scores become probabilities.
    #[must_use]
    pub fn probabilities(&self) -> Probabilities {
        self.probabilities
    }

    /// Columns of the probabilities, if there are any.
    #[must_use]
    pub fn probability_columns(&self) -> Option<usize> {
        (self.probabilities != Probabilities::Absent).then(|| self.scores.outputs().max(2))
    }

    /// Columns of the label.
    #[must_use]
    pub fn label_columns(&self) -> usize {
        if self.decision == Decision::Each { self.scores.outputs() } else { 1 }
    }

    /// Columns of a value: the probability of the second of two classes, those of all, or the label where there are none.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self.probability_columns() {
            Some(2) => 1,
            Some(columns) => columns,
            None => self.label_columns(),
        }
    }
}
