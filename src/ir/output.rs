//! What can be asked of a model.

use crate::error::{Error, Result};

/// The answer that is wanted. The numbers are those of the C API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Output {
    /// What the source library's `predict` returns; for a classifier its probabilities.
    Value = 0,
    /// The margin before the link.
    Raw = 1,
    /// One column per class.
    Probability = 2,
    /// The predicted class label.
    Label = 3,
    /// The leaf of every tree.
    Leaf = 4,
    /// SHAP values per feature and a bias.
    Contribution = 5,
    /// Parameters of a distribution, or one column per quantile.
    Distribution = 6,
}

impl Output {
    /// Every output, at the place of its number.
    pub const ALL: [Output; 7] = [
        Output::Value,
        Output::Raw,
        Output::Probability,
        Output::Label,
        Output::Leaf,
        Output::Contribution,
        Output::Distribution,
    ];

    /// The name in lower case, as fixtures, the command line and JSON spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Output::Value => "value",
            Output::Raw => "raw",
            Output::Probability => "probability",
            Output::Label => "label",
            Output::Leaf => "leaf",
            Output::Contribution => "contribution",
            Output::Distribution => "distribution",
        }
    }

    /// The output of this number.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a number that names no output.
    #[inline]
    pub fn from_number(number: i32) -> Result<Self> {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        Self::ALL.get(place).copied().ok_or_else(|| unknown(number))
    }
}

// An output is looked up by its number.
const _: () = {
    let mut place = 0;
    while place < Output::ALL.len() {
        assert!(Output::ALL[place] as usize == place);
        place += 1;
    }
};

#[cold]
fn unknown(number: i32) -> Error {
    Error::invalid(format!("output {number} does not exist; use MI_VALUE (0) to MI_DISTRIBUTION (6)"))
}

impl std::str::FromStr for Output {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|output| output.name() == name).ok_or_else(|| {
            Error::invalid(format!(
                "output '{name}' does not exist; use one of value, raw, probability, label, leaf, contribution, distribution"
            ))
        })
    }
}

/// What was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Numbers: regression, counts, quantiles, survival.
    Regression,
    /// Two classes, one margin: the log-odds (or score) of the second.
    Binary,
    /// Two classes, one score, and no probability: hinge losses.
    BinaryScore,
    /// This many classes, one margin each.
    Multiclass(usize),
    /// This many classes, two of them included, of which the margins are the shares: one margin each.
    ClassProbabilities(usize),
    /// One independent yes or no per margin.
    Multilabel,
    /// Scores whose order matters.
    Ranking,
    /// Parameters of a distribution, or quantiles: one margin each.
    Distribution,
    /// Groups that nobody named.
    Clustering,
}

impl Task {
    /// Number of classes, when the task is to choose one of them.
    #[must_use]
    pub fn classes(self) -> Option<usize> {
        match self {
            Task::Binary | Task::BinaryScore => Some(2),
            Task::Multiclass(classes) | Task::ClassProbabilities(classes) => Some(classes),
            Task::Regression | Task::Multilabel | Task::Ranking | Task::Distribution | Task::Clustering => None,
        }
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Task::Regression | Task::Distribution => "regression",
            Task::Binary | Task::BinaryScore | Task::ClassProbabilities(2) => "binary_classification",
            Task::Multiclass(_) | Task::ClassProbabilities(_) => "multiclass_classification",
            Task::Multilabel => "multilabel_classification",
            Task::Ranking => "ranking",
            Task::Clustering => "clustering",
        }
    }
}

/// Labels of the classes, in the order of the probability columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Classes {
    /// The file names none: the label is the index of the class.
    #[default]
    Index,
    /// Labels that were numbers (or booleans) when the model was trained.
    Numbers(Vec<f64>),
    /// Labels that were strings: `MI_LABEL` gives the index, the JSON the strings.
    Strings(Vec<String>),
}

impl Classes {
    /// The numbers from 0 on.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // numbers of classes
    pub fn numbered(count: usize) -> Self {
        Classes::Numbers((0..count).map(|class| class as f64).collect())
    }

    /// How many labels there are, when the file names them.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        match self {
            Classes::Index => None,
            Classes::Numbers(labels) => Some(labels.len()),
            Classes::Strings(labels) => Some(labels.len()),
        }
    }

    /// The number that `MI_LABEL` gives for the class of this index.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn number(&self, index: usize) -> f64 {
        match self {
            Classes::Numbers(labels) => labels[index],
            Classes::Index | Classes::Strings(_) => index as f64,
        }
    }
}

/// How a class is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Decision {
    /// By values: the positive class above 0.5, the first of the largest among several.
    #[default]
    Value,
    /// By margins: the positive class above this number, the first of the largest among several (`CatBoost`).
    Margin(f64),
}
