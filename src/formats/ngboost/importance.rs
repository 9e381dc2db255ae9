//! `feature_importances_`: for each inner parameter the mean of its trees' shares, weighted by the factors of the rounds.

use crate::codec::ndarray;
use crate::codec::pickle::Ref;
use crate::error::Result;
use crate::ir::Importance;
use crate::limits;

/// Sums over rounds.
pub(super) struct Shares {
    /// Empty when there is none: base learners that are no trees, or too many columns.
    gain: Vec<Vec<f64>>,
    split: Vec<f64>,
}

/// What comes out.
pub(super) struct Done {
    /// For each inner parameter a number for each column, which add up to 1; empty when there are none.
    pub gain: Vec<Vec<f64>>,
    /// How many splits of all trees use a column.
    pub split: Option<Vec<f64>>,
}

impl Shares {
    pub fn new(parameters: usize, features: usize) -> Result<Self> {
        let fits = parameters.saturating_mul(features) <= limits::IMPORTANCE_FEATURES;
        let mut gain = limits::vec("parameters", parameters)?;
        if fits {
            gain.resize(parameters, vec![0.0; features]);
        }
        Ok(Self { gain, split: vec![0.0; if fits { features } else { 0 }] })
    }

    /// Adds a base learner that was trained on these columns.
    pub fn add(
        &mut self,
        learner: Ref<'_>,
        parameter: usize,
        importance: Importance,
        columns: Option<&[usize]>,
        factor: f64,
    ) -> Result<()> {
        let Some(row) = self.gain.get_mut(parameter) else { return Ok(()) };
        // The library asks for this class and its own subclass.
        let is_tree =
            learner.class().is_some_and(|(_, name)| ["DecisionTreeRegressor", "ExtraTreeRegressor"].contains(&name));
        let (true, Some(gain), Some(split)) = (is_tree, importance.gain, importance.split) else {
            self.gain.clear();
            return Ok(());
        };
        for (at, (gain, split)) in gain.iter().zip(split).enumerate() {
            let column = columns.map_or(Some(at), |columns| columns.get(at).copied());
            let Some((sum, splits)) = column.and_then(|column| row.get_mut(column).zip(self.split.get_mut(column)))
            else {
                return Err(learner.malformed(format!("column {at} of it is none of the model's")));
            };
            *sum += gain * factor;
            *splits += split;
        }
        Ok(())
    }

    /// The means, made to add up to 1 as the library does.
    pub fn importance(mut self, factors: &[f64]) -> Done {
        let total = ndarray::sum(factors);
        for row in &mut self.gain {
            for share in &mut *row {
                *share /= total;
            }
            let sum = ndarray::sum(row);
            for share in row {
                *share /= sum;
            }
        }
        let split = (!self.gain.is_empty()).then_some(self.split);
        Done { gain: self.gain, split }
    }
}
