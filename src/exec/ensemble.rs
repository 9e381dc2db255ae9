//! Members that each predict, and what is made of their answers.
//!
//! Sources: `BaggingClassifier`, `BaggingRegressor`, `AdaBoostClassifier` and `AdaBoostRegressor` of scikit-learn, `pred_param` of
//! `NGBoost`; their order of sums is kept.

use super::part::{Part, Scratch, refuse_missing, refuse_missing_among};
use super::{Host, Program, first_largest};
use crate::error::{Error, Result};
use crate::ir::ensemble::{Combine, Ensemble, Member, Scores, Shares, Step};
use crate::ir::{Classes, Output};

/// A member ready to run.
#[derive(Debug)]
struct Runner {
    program: Program,
    columns: Option<Vec<usize>>,
    labels: Vec<(f64, usize)>,
    /// Whether it has a probability for each of its classes.
    probabilities: bool,
}

impl Runner {
    fn new(member: &Member, host: &dyn Host) -> Result<Self> {
        let program = Program::new(&member.model, host)?;
        let probabilities = program.columns(Output::Probability).is_ok_and(|columns| columns == member.labels.len());
        Ok(Self { program, columns: member.columns.clone(), labels: member.labels.clone(), probabilities })
    }

    fn ask(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        if !self.program.accepts_nan() {
            match &self.columns {
                Some(columns) => refuse_missing_among(row, columns.iter().copied())?,
                None => refuse_missing(row)?,
            }
        }
        let Some(columns) = &self.columns else {
            return self.program.predict_row(output, row, out, scratch);
        };
        scratch.lend(columns.len(), |own, scratch| {
            for (own, &column) in own.iter_mut().zip(columns) {
                *own = row[column];
            }
            self.program.predict_row(output, own, out, scratch)
        })
    }

    /// The class of the ensemble that it chooses.
    fn choice(&self, row: &[f64], scratch: &mut Scratch) -> Result<usize> {
        let mut label = [0.0];
        self.ask(Output::Label, row, &mut label, scratch)?;
        let known = self.labels.iter().find(|(number, _)| *number == label[0]);
        known.map(|&(_, class)| class).ok_or_else(|| {
            Error::internal(format!("a member of an ensemble chose the class {}, which it does not have", label[0]))
        })
    }

    /// Adds `weight` times its probabilities, or `weight` for the class that it chooses.
    fn vote(&self, row: &[f64], weight: f64, sums: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        if !self.probabilities {
            sums[self.choice(row, scratch)?] += weight;
            return Ok(());
        }
        scratch.lend(self.labels.len(), |shares, scratch| {
            self.ask(Output::Probability, row, shares, scratch)?;
            for (share, &(_, class)) in shares.iter().zip(&self.labels) {
                sums[class] += share * weight;
            }
            Ok(())
        })
    }
}

/// An ensemble ready to run.
#[derive(Debug)]
pub(super) struct EnsemblePart {
    runners: Vec<Runner>,
    combine: Combine,
    outputs: usize,
    /// Columns of the margin; `None` when there is none.
    raw: Option<usize>,
    /// Whether there are probabilities.
    shares: bool,
    classes: Classes,
    accepts_nan: bool,
}

impl EnsemblePart {
    pub(super) fn new(ensemble: &Ensemble, host: &dyn Host) -> Result<Self> {
        let members = ensemble.members().iter();
        let runners: Vec<Runner> = members.map(|member| Runner::new(member, host)).collect::<Result<_>>()?;
        let margin = |runner: &Runner| runner.program.columns(Output::Raw).ok();
        let common = runners
            .first()
            .and_then(margin)
            .filter(|_| runners.windows(2).all(|pair| margin(&pair[0]) == margin(&pair[1])));
        let all = runners.iter().all(|runner| runner.probabilities);
        let (raw, shares) = match ensemble.combine() {
            Combine::Mean | Combine::Median { .. } | Combine::Descend { .. } => (Some(ensemble.outputs()), false),
            Combine::Vote => (common, true),
            Combine::Boost { scores: Scores::LogProbability, .. } => (all.then_some(ensemble.outputs()), all),
            Combine::Boost { shares, .. } => (Some(ensemble.outputs()), all || *shares == Shares::Softmax),
        };
        Ok(Self {
            runners,
            combine: ensemble.combine().clone(),
            outputs: ensemble.outputs(),
            raw,
            shares,
            classes: ensemble.classes().clone(),
            accepts_nan: ensemble.accepts_nan(),
        })
    }

    fn count(&self) -> usize {
        self.classes.count().unwrap_or(0)
    }

    /// The mean of an answer that all members have.
    fn mean(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        out.fill(0.0);
        scratch.lend(out.len(), |answer, scratch| {
            for runner in &self.runners {
                runner.ask(output, row, answer, scratch)?;
                for (sum, number) in out.iter_mut().zip(&*answer) {
                    *sum += number;
                }
            }
            Ok::<(), Error>(())
        })?;
        divide(out, self.runners.len());
        Ok(())
    }

    fn descend(
        &self,
        base: &[f64],
        rate: f64,
        steps: &[Step],
        row: &[f64],
        out: &mut [f64],
        scratch: &mut Scratch,
    ) -> Result<()> {
        out.copy_from_slice(base);
        for (runner, step) in self.runners.iter().zip(steps) {
            let mut value = [0.0];
            runner.ask(Output::Value, row, &mut value, scratch)?;
            let round = |number| step.precision.round(number);
            out[step.output] -= round(round(round(rate) * value[0]) * round(step.factor));
        }
        Ok(())
    }

    fn median(&self, weights: &[f64], row: &[f64], scratch: &mut Scratch) -> Result<f64> {
        scratch.lend(2 * weights.len(), |numbers, scratch| {
            let (values, order) = numbers.split_at_mut(weights.len());
            for (runner, value) in self.runners.iter().zip(&mut *values) {
                runner.ask(Output::Value, row, std::slice::from_mut(value), scratch)?;
            }
            for (index, place) in order.iter_mut().enumerate() {
                *place = as_number(index);
            }
            let at = |place: f64| as_index(place);
            // Equal values stay in the order of the members; a NaN comes last.
            order.sort_unstable_by(|&a, &b| {
                let by_value = rank(values[at(a)]).total_cmp(&rank(values[at(b)]));
                by_value.then(a.total_cmp(&b))
            });
            let total = order.iter().fold(0.0, |sum, &place| sum + weights[at(place)]);
            let mut reached = 0.0;
            for &place in &*order {
                reached += weights[at(place)];
                if reached >= 0.5 * total {
                    return Ok(values[at(place)]);
                }
            }
            Ok(values[at(order[0])])
        })
    }

    /// The scores of `AdaBoostClassifier`, one per class.
    fn scores(
        &self,
        kind: Scores,
        weights: &[f64],
        total: f64,
        row: &[f64],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let classes = as_number(sums.len());
        sums.fill(0.0);
        for (runner, weight) in self.runners.iter().zip(weights) {
            if kind == Scores::LogProbability {
                scratch.lend(sums.len(), |shares, scratch| {
                    runner.vote(row, 1.0, shares, scratch)?;
                    for share in shares.iter_mut() {
                        *share = share.max(f64::EPSILON).ln();
                    }
                    let mean = 1.0 / classes * shares.iter().fold(0.0, |sum, share| sum + share);
                    for (sum, share) in sums.iter_mut().zip(&*shares) {
                        *sum += (classes - 1.0) * (share - mean);
                    }
                    Ok::<(), Error>(())
                })?;
                continue;
            }
            let choice = runner.choice(row, scratch)?;
            let miss = if kind == Scores::Hits { 0.0 } else { -1.0 / (classes - 1.0) * weight };
            for (class, sum) in sums.iter_mut().enumerate() {
                *sum += if class == choice { *weight } else { miss };
            }
        }
        for sum in sums.iter_mut() {
            *sum /= total;
        }
        Ok(())
    }

    /// Probabilities of `AdaBoostClassifier`.
    fn shares(
        &self,
        (kind, shares): (Scores, Shares),
        weights: &[f64],
        total: f64,
        row: &[f64],
        out: &mut [f64],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let factor = as_number(out.len()) - 1.0;
        if shares == Shares::Exponential && kind != Scores::LogProbability {
            out.fill(0.0);
            for (runner, weight) in self.runners.iter().zip(weights) {
                runner.vote(row, *weight, out, scratch)?;
            }
            for sum in out.iter_mut() {
                *sum /= total;
            }
        } else {
            self.scores(kind, weights, total, row, out, scratch)?;
        }
        if shares == Shares::Exponential {
            for sum in out.iter_mut() {
                *sum = (1.0 / factor * *sum).exp();
            }
        } else {
            if let [first, second] = out {
                let margin = -*first + *second;
                (*first, *second) = (-margin / 2.0, margin / 2.0);
            } else {
                for score in out.iter_mut() {
                    *score /= factor;
                }
            }
            let largest = out.iter().fold(f64::NEG_INFINITY, |largest, &score| largest.max(score));
            for score in out.iter_mut() {
                *score = (*score - largest).exp();
            }
        }
        let sum = out.iter().fold(0.0, |sum, share| sum + share);
        if sum != 0.0 {
            for share in out.iter_mut() {
                *share /= sum;
            }
        }
        Ok(())
    }

    /// Probabilities of every class.
    fn probabilities(&self, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        if let Combine::Boost { weights, total, scores, shares } = &self.combine {
            return self.shares((*scores, *shares), weights, *total, row, out, scratch);
        }
        out.fill(0.0);
        for runner in &self.runners {
            runner.vote(row, 1.0, out, scratch)?;
        }
        divide(out, self.runners.len());
        Ok(())
    }

    /// The answer of an ensemble of classifiers.
    fn classify(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        match (&self.combine, output) {
            (Combine::Vote, Output::Raw) => self.mean(Output::Raw, row, out, scratch),
            (Combine::Boost { weights, total, scores, .. }, Output::Raw | Output::Label) => {
                scratch.lend(self.count(), |sums, scratch| {
                    self.scores(*scores, weights, *total, row, sums, scratch)?;
                    let margin = if let [first, second] = *sums { Some(-first + second) } else { None };
                    match (margin, output) {
                        (Some(margin), Output::Raw) => out[0] = margin,
                        (Some(margin), _) => out[0] = self.classes.number(usize::from(margin > 0.0)),
                        (None, Output::Raw) => out.copy_from_slice(sums),
                        (None, _) => out[0] = self.classes.number(first_largest(sums)),
                    }
                    Ok(())
                })
            }
            (_, Output::Label) => scratch.lend(self.count(), |shares, scratch| {
                self.probabilities(row, shares, scratch)?;
                out[0] = self.classes.number(first_largest(shares));
                Ok(())
            }),
            (_, Output::Value) if self.count() == 2 => scratch.lend(2, |shares, scratch| {
                self.probabilities(row, shares, scratch)?;
                out[0] = shares[1];
                Ok(())
            }),
            _ => self.probabilities(row, out, scratch),
        }
    }
}

impl Part for EnsemblePart {
    fn columns(&self, output: Output) -> Option<usize> {
        let classifies = matches!(self.combine, Combine::Vote | Combine::Boost { .. });
        match output {
            Output::Value => (self.shares || !classifies).then_some(self.outputs),
            Output::Probability => self.shares.then_some(self.count()),
            Output::Raw => self.raw,
            Output::Label => (classifies && self.raw.or(self.shares.then_some(1)).is_some()).then_some(1),
            _ => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        if !self.accepts_nan {
            refuse_missing(row)?;
        }
        match &self.combine {
            Combine::Mean => self.mean(Output::Value, row, out, scratch),
            Combine::Median { weights } => {
                out[0] = self.median(weights, row, scratch)?;
                Ok(())
            }
            Combine::Descend { base, rate, steps } => self.descend(base, *rate, steps, row, out, scratch),
            _ => self.classify(output, row, out, scratch),
        }
    }
}

fn divide(sums: &mut [f64], members: usize) {
    for sum in sums.iter_mut() {
        *sum /= as_number(members);
    }
}

/// A value by which NaN sorts last and the two zeros are equal.
fn rank(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

#[allow(clippy::cast_precision_loss)] // counts of members and classes stay far below 2^52
fn as_number(count: usize) -> f64 {
    count as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // made by `as_number`
fn as_index(number: f64) -> usize {
    number as usize
}
