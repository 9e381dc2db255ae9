//! Nearest neighbours and nearest centroids.

use super::first_largest;
use super::metric::{distance, reduce, reduced};
use super::nearest::{Heap, search};
use super::part::{Part, Scratch, refuse_missing};
use crate::error::{Error, Result};
use crate::ir::centroids::{Centroids, Discriminant};
use crate::ir::neighbors::{Alone, Neighbors, Reach, Said, Weights};
use crate::ir::{Classes, Output, Precision};

/// Nearest neighbours ready to run.
#[derive(Debug)]
pub(super) struct NeighborsPart(Neighbors);

impl NeighborsPart {
    pub(super) fn new(neighbors: &Neighbors) -> Self {
        Self(neighbors.clone())
    }

    /// Calls `body` with indices and distances of the training rows that answer.
    fn answering<T>(
        &self,
        row: &[f64],
        scratch: &mut Scratch,
        body: impl FnOnce(&[f64], &mut [f64], &mut Scratch) -> T,
    ) -> T {
        let size = match self.0.reach() {
            Reach::Nearest(nearest) => nearest,
            Reach::Radius(_) => self.0.count(),
        };
        scratch.lend(size, |distances, scratch| {
            scratch.lend(size, |indices, scratch| {
                let found = match self.0.reach() {
                    Reach::Nearest(_) => {
                        search(&self.0, row, &mut Heap::new(distances, indices));
                        size
                    }
                    Reach::Radius(radius) => self.within(radius, row, distances, indices),
                };
                body(&indices[..found], &mut distances[..found], scratch)
            })
        })
    }

    /// All training rows within a radius, in their order; returns how many.
    #[allow(clippy::cast_precision_loss)] // no file holds 2^53 rows
    fn within(&self, radius: f64, row: &[f64], distances: &mut [f64], indices: &mut [f64]) -> usize {
        let metric = self.0.metric();
        let bound = reduce(metric, radius);
        let mut found = 0;
        for index in 0..self.0.count() {
            let apart = reduced(metric, row, self.0.row(index));
            if apart <= bound {
                distances[found] = distance(metric, apart);
                indices[found] = index as f64;
                found += 1;
            }
        }
        found
    }

    /// The mean of what the training rows say; NaN when there are none.
    fn mean(&self, values: &[f64], precision: Precision, indices: &[f64], weights: &[f64], out: &mut [f64]) {
        let width = out.len();
        out.fill(0.0);
        if self.0.weights() == Weights::Uniform {
            for &index in indices {
                for (out, value) in out.iter_mut().zip(&values[place(index) * width..]) {
                    *out = precision.round(*out + value);
                }
            }
            #[allow(clippy::cast_precision_loss)]
            out.iter_mut().for_each(|sum| *sum = precision.round(*sum / indices.len() as f64));
            return;
        }
        for (&index, weight) in indices.iter().zip(weights) {
            for (out, value) in out.iter_mut().zip(&values[place(index) * width..]) {
                *out += value * weight;
            }
        }
        let total: f64 = weights.iter().sum();
        out.iter_mut().for_each(|sum| *sum /= total);
    }
}

/// The sum of the weights of each class, output by output.
fn votes(
    codes: &[usize],
    counts: &[usize],
    indices: &[f64],
    weights: &[f64],
    body: &mut dyn FnMut(usize, &mut [f64]),
    scratch: &mut Scratch,
) {
    for (output, &count) in counts.iter().enumerate() {
        scratch.lend(count, |votes, _| {
            for (&index, weight) in indices.iter().zip(weights) {
                votes[codes[place(index) * counts.len() + output]] += weight;
            }
            body(output, votes);
        });
    }
}

/// An index that was kept as a double.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn place(index: f64) -> usize {
    index as usize
}

/// Turns distances into weights.
fn weigh(weights: Weights, distances: &mut [f64]) {
    match weights {
        Weights::Uniform => distances.fill(1.0),
        Weights::Distance if distances.contains(&0.0) => {
            distances.iter_mut().for_each(|distance| *distance = f64::from(u8::from(*distance == 0.0)));
        }
        Weights::Distance => distances.iter_mut().for_each(|distance| *distance = 1.0 / *distance),
    }
}

/// Votes become probabilities.
fn share(votes: &mut [f64]) {
    let total: f64 = votes.iter().sum();
    let total = if total == 0.0 { 1.0 } else { total };
    for vote in votes {
        *vote /= total;
    }
}

impl Part for NeighborsPart {
    fn columns(&self, output: Output) -> Option<usize> {
        match (output, self.0.said()) {
            (Output::Value, _) | (Output::Raw, Said::Values { .. }) => Some(self.0.outputs()),
            (Output::Probability, _) => self.0.probability_columns(),
            (Output::Label, Said::Classes { labels, .. }) => Some(labels.len()),
            _ => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        refuse_missing(row)?;
        self.answering(row, scratch, |indices, weights, scratch| {
            weigh(self.0.weights(), weights);
            let Said::Classes { labels, counts, codes, alone } = self.0.said() else {
                if let Said::Values { values, precision, .. } = self.0.said() {
                    self.mean(values, *precision, indices, weights, out);
                }
                return Ok(());
            };
            let alone = if indices.is_empty() {
                Some(alone.as_deref().ok_or_else(|| {
                    Error::invalid("it has no neighbour within the radius, and the model no `outlier_label` for it")
                })?)
            } else {
                None
            };
            let mut column = 0;
            let mut answer = |index: usize, votes: &mut [f64]| {
                if let Some(Alone { class: Some(class), .. }) = alone.map(|alone| alone[index]) {
                    votes[class] = 1.0;
                }
                match (output, alone.map(|alone| alone[index])) {
                    (Output::Label, Some(Alone { class: None, label })) => out[index] = label,
                    (Output::Label, _) => out[index] = labels[index].number(first_largest(votes)),
                    (Output::Value, _) if *counts == [2] => {
                        share(votes);
                        out[0] = votes[1];
                    }
                    _ => {
                        share(votes);
                        out[column..][..votes.len()].copy_from_slice(votes);
                        column += votes.len();
                    }
                }
            };
            votes(codes, counts, indices, weights, &mut answer, scratch);
            Ok(())
        })
    }
}

/// Nearest centroids ready to run.
#[derive(Debug)]
pub(super) struct CentroidsPart(Centroids);

impl CentroidsPart {
    pub(super) fn new(centroids: &Centroids) -> Self {
        Self(centroids.clone())
    }

    /// The score of every class.
    fn scores(&self, discriminant: &Discriminant, row: &[f64], out: &mut [f64], scratch: &mut Scratch) {
        let divide = |from: &[f64], out: &mut [f64]| {
            for ((out, value), deviation) in out.iter_mut().zip(from).zip(&discriminant.deviations) {
                *out = value / deviation;
            }
        };
        scratch.lend(row.len(), |scaled, scratch| {
            divide(row, scaled);
            scratch.lend(row.len(), |centroid, _| {
                for (class, out) in out.iter_mut().enumerate() {
                    divide(self.0.centroid(class), centroid);
                    let apart = distance(self.0.metric(), reduced(self.0.metric(), scaled, centroid));
                    *out = 2.0 * discriminant.log_priors[class] - apart * apart;
                }
            });
        });
    }

    fn label(&self, row: &[f64], scratch: &mut Scratch) -> f64 {
        let classes: &Classes = self.0.classes();
        scratch.lend(self.0.count(), |scores, scratch| {
            match self.0.discriminant() {
                Some(discriminant) if discriminant.decides => self.scores(discriminant, row, scores, scratch),
                _ => {
                    for (class, score) in scores.iter_mut().enumerate() {
                        *score = -reduced(self.0.metric(), row, self.0.centroid(class));
                    }
                }
            }
            classes.number(first_largest(scores))
        })
    }
}

impl Part for CentroidsPart {
    fn columns(&self, output: Output) -> Option<usize> {
        let count = self.0.count();
        match (output, self.0.shown()) {
            (Output::Value, _) => Some(self.0.outputs()),
            (Output::Label, _) => Some(1),
            (Output::Raw, Some(_)) => Some(if count == 2 { 1 } else { count }),
            (Output::Probability, Some(_)) => Some(count),
            _ => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        refuse_missing(row)?;
        let (Output::Value | Output::Raw | Output::Probability, Some(discriminant)) = (output, self.0.shown()) else {
            out[0] = self.label(row, scratch);
            return Ok(());
        };
        scratch.lend(self.0.count(), |scores, scratch| {
            self.scores(discriminant, row, scores, scratch);
            if output != Output::Raw {
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
                let shift = largest + sum.ln();
                scores.iter_mut().for_each(|score| *score = (*score - shift).exp());
            }
            match (output, &*scores) {
                (Output::Raw, [first, second]) => out[0] = second - first,
                (Output::Value, [_, second]) => out[0] = *second,
                _ => out.copy_from_slice(scores),
            }
        });
        Ok(())
    }
}
