//! Trees on top of another model's answer, and trees whose depth is the answer (scikit-learn).

use super::{Body, Forest, Model};
use crate::error::{Error, Result};

/// How the answer of the first model becomes the margins that the trees add to. `floor` keeps probabilities off 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// Its value.
    Value,
    /// `scale * ln(p / (1 - p))` of the second class.
    LogOdds {
        /// The smallest probability; 1 minus it is the largest.
        floor: f64,
        /// 1, or 1/2 for the exponential loss.
        scale: f64,
    },
    /// `ln p` of every class.
    Log {
        /// The smallest probability.
        floor: f64,
    },
    /// `ln(p / g)` of every class, g being their geometric mean.
    CenteredLog {
        /// The smallest probability.
        floor: f64,
    },
}

impl Start {
    /// Numbers that the first model answers for so many margins.
    #[must_use]
    pub fn answers(self, margins: usize) -> usize {
        if let Start::LogOdds { .. } = self { 2 } else { margins }
    }

    /// From an answer of the first model (its value, or its probabilities), of as many numbers as [`Start::answers`] says, to margins.
    #[allow(clippy::cast_precision_loss)] // a number of classes
    pub fn margins(self, answer: &[f64], margins: &mut [f64]) {
        match (self, answer) {
            (Start::LogOdds { floor, scale }, &[_, share]) => {
                let share = share.clamp(floor, 1.0 - floor);
                margins[0] = scale * (share / (1.0 - share)).ln();
            }
            (Start::Log { floor }, _) => {
                for (margin, share) in margins.iter_mut().zip(answer) {
                    *margin = share.clamp(floor, 1.0 - floor).ln();
                }
            }
            (Start::CenteredLog { floor }, _) => {
                let shares = answer.iter().map(|share| share.clamp(floor, 1.0 - floor));
                let logarithms: f64 = shares.clone().map(f64::ln).sum();
                let middle = (logarithms / answer.len() as f64).exp();
                for (margin, share) in margins.iter_mut().zip(shares) {
                    *margin = (share / middle).ln();
                }
            }
            _ => margins.copy_from_slice(answer),
        }
    }
}

/// A boosted forest that starts from the answer of another model (`GradientBoosting` with an `init` of its own).
#[derive(Debug, Clone)]
pub struct Boosted {
    first: Box<Model>,
    start: Start,
    model: Box<Model>,
}

impl Boosted {
    /// `model` is a forest whose base is 0, with the link and the classes of the whole; `first` takes the same rows, rounded to
    /// the type that the forest rounds them to.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the two disagree about the width of a row.
    pub fn new(first: Model, start: Start, model: Model) -> Result<Self> {
        if !matches!(model.body, Body::Forest(_)) {
            return Err(Error::malformed("a forest is expected"));
        }
        let (takes, given) = (first.body.features(), model.body.features());
        if takes != given {
            return Err(Error::malformed(format!("the first model takes {takes} columns, the trees {given}")));
        }
        let outputs = model.body.outputs();
        let fits = match start {
            Start::Value => first.task.classes().is_none() && first.body.outputs() == outputs,
            Start::LogOdds { .. } => outputs == 1 && first.task.classes() == Some(2),
            Start::Log { .. } | Start::CenteredLog { .. } => first.task.classes() == Some(outputs),
        };
        if !fits {
            return Err(Error::malformed(format!("the first model does not answer with {outputs} margins")));
        }
        Ok(Self { first: Box::new(first), start, model: Box::new(model) })
    }

    /// The model whose answer comes first.
    #[must_use]
    pub fn first(&self) -> &Model {
        &self.first
    }

    /// What is made of that answer.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start
    }

    /// The forest with everything behind it.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }
}

/// An isolation forest: the deeper a row falls, the less it is an outlier.
#[derive(Debug, Clone)]
pub struct Isolation {
    /// One margin: the sum (or the mean) of the depths.
    pub forest: Forest,
    /// The depth that counts as 1; `None`: every depth counts as 1.
    pub unit: Option<f64>,
    /// The score of a row is `-2^(-depth / unit)`; this is taken from it to give the margin.
    pub offset: f64,
    /// Rows below this margin are outliers.
    pub threshold: f64,
    /// Rows at the threshold are outliers too (before 0.20).
    pub inclusive: bool,
}

impl Isolation {
    /// The same, checked.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the forest has more than one margin.
    pub fn validated(self) -> Result<Self> {
        if self.forest.outputs() != 1 {
            return Err(Error::malformed("an isolation forest has one margin"));
        }
        Ok(self)
    }
}
