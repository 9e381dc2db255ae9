//! Classifiers that decide by linear scores.

use super::part::{Part, Scratch, refuse_missing};
use super::{Rows, first_largest, link, reference};
use crate::error::Result;
use crate::ir::classifier::{Decision, LinearClassifier, Probabilities};
use crate::ir::{Link, Output, Precision};

/// A classifier ready to run.
#[derive(Debug)]
pub(super) struct LinearClassifierPart(LinearClassifier);

impl LinearClassifierPart {
    pub(super) fn new(classifier: &LinearClassifier) -> Self {
        Self(classifier.clone())
    }

    fn label(&self, scores: &[f64], out: &mut [f64]) {
        match self.0.decision() {
            Decision::Classes(classes) => {
                let index = match scores {
                    [score] => usize::from(*score > 0.0),
                    _ => first_largest(scores),
                };
                out[0] = classes.number(index);
            }
            Decision::Each => {
                for (out, score) in out.iter_mut().zip(scores) {
                    *out = f64::from(u8::from(*score > 0.0));
                }
            }
            Decision::Outlier => out[0] = if scores[0] >= 0.0 { 1.0 } else { -1.0 },
        }
    }
}

impl Part for LinearClassifierPart {
    fn columns(&self, output: Output) -> Option<usize> {
        match output {
            Output::Value => Some(self.0.outputs()),
            Output::Raw => Some(self.0.scores().outputs()),
            Output::Probability => self.0.probability_columns(),
            Output::Label => Some(self.0.label_columns()),
            _ => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        refuse_missing(row)?;
        let linear = self.0.scores();
        let width = linear.outputs();
        scratch.lend(width, |scores, scratch| {
            reference::linear(linear, Rows::new(row, 1, row.len())?, scores, width);
            match (output, self.0.probability_columns()) {
                (Output::Raw, _) => out.copy_from_slice(scores),
                (Output::Label, _) | (_, None) => self.label(scores, out),
                (Output::Value, Some(2)) => scratch.lend(2, |both, _| {
                    probabilities(self.0.probabilities(), scores, both);
                    out[0] = both[1];
                }),
                _ => probabilities(self.0.probabilities(), scores, out),
            }
            Ok(())
        })
    }
}

/// Probabilities of all classes; `out` has two places for one score.
fn probabilities(rule: Probabilities, scores: &[f64], out: &mut [f64]) {
    match (rule, scores) {
        (Probabilities::Absent, _) => {}
        (Probabilities::Softmax, _) => {
            match scores {
                [score] => out.copy_from_slice(&[-score, *score]),
                _ => out.copy_from_slice(scores),
            }
            link::apply(Link::Softmax, Precision::F64, out);
        }
        (_, [score]) => {
            let second = independent(rule, *score);
            out.copy_from_slice(&[1.0 - second, second]);
        }
        _ => {
            let mut sum = 0.0;
            for (out, score) in out.iter_mut().zip(scores) {
                *out = independent(rule, *score);
                sum += *out;
            }
            if rule == Probabilities::ModifiedHuber && sum == 0.0 {
                #[allow(clippy::cast_precision_loss)]
                out.fill(1.0 / scores.len() as f64);
            } else {
                for probability in out {
                    *probability /= sum;
                }
            }
        }
    }
}

/// The probability of one class by its own score alone.
fn independent(rule: Probabilities, score: f64) -> f64 {
    match rule {
        Probabilities::ModifiedHuber => f64::midpoint(score.clamp(-1.0, 1.0), 1.0),
        _ => 1.0 / (1.0 + (-score).exp()),
    }
}
