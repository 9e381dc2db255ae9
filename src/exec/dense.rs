//! Dense networks in float64.

use super::part::{Part, Scratch, refuse_missing};
use super::{first_largest, link};
use crate::error::{Error, Result};
use crate::ir::network::{Answer, Array, Data, Dense, Function, Op, Predictor};
use crate::ir::{Link, Output, Precision};

/// A network ready to run.
#[derive(Debug)]
pub(super) struct NetworkPart {
    model: Predictor,
    /// Where the result of each node begins.
    places: Vec<usize>,
    /// Numbers of all results.
    numbers: usize,
}

impl NetworkPart {
    pub(super) fn new(model: &Predictor) -> Self {
        let mut numbers = 0;
        let place = |node: &crate::ir::network::Node| {
            let place = numbers;
            numbers += node.shape().elements();
            place
        };
        let places = model.network().nodes().iter().map(place).collect();
        Self { model: model.clone(), places, numbers }
    }

    /// Runs the nodes over a row; `results` has room for what all of them give.
    fn run(&self, row: &[f64], results: &mut [f64]) -> Result<()> {
        for (node, &place) in self.model.network().nodes().iter().zip(&self.places) {
            let (before, here) = results.split_at_mut(place);
            let out = &mut here[..node.shape().elements()];
            let operand = node.operands().first().map_or(row, |&operand| {
                let elements = self.model.network().node(operand).shape().elements();
                &before[self.places[operand.index()]..][..elements]
            });
            match node.op() {
                Op::Input(_) => out.copy_from_slice(operand),
                Op::Dense(dense) => forward(dense, operand, out),
                Op::Map(function) => {
                    out.copy_from_slice(operand);
                    apply(*function, out)?;
                }
                Op::Softmax { .. } => {
                    out.copy_from_slice(operand);
                    link::apply(Link::Softmax, Precision::F64, out);
                }
                other => return Err(Error::internal(format!("a {} in a perceptron", other.name()))),
            }
        }
        Ok(())
    }
}

impl Part for NetworkPart {
    fn columns(&self, output: Output) -> Option<usize> {
        let outputs = self.model.outputs();
        match (output, self.model.answer()) {
            (Output::Value, _)
            | (Output::Raw, Answer::Values)
            | (Output::Probability | Output::Label, Answer::Each) => Some(outputs),
            (Output::Probability, Answer::Classes(_)) => Some(outputs.max(2)),
            (Output::Label, Answer::Classes(_)) => Some(1),
            _ => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        refuse_missing(row)?;
        scratch.lend(self.numbers, |results, _| {
            self.run(row, results)?;
            let place = self.places[self.model.network().outputs()[self.model.value()].node.index()];
            let last = &results[place..][..self.model.outputs()];
            match (output, self.model.answer(), last) {
                (Output::Label, Answer::Classes(classes), [second]) => {
                    out[0] = classes.number(usize::from(*second > 0.5));
                }
                (Output::Label, Answer::Classes(classes), _) => out[0] = classes.number(first_largest(last)),
                (Output::Label, Answer::Each, _) => {
                    for (out, probability) in out.iter_mut().zip(last) {
                        *out = f64::from(u8::from(*probability > 0.5));
                    }
                }
                (Output::Probability, Answer::Classes(_), [second]) => out.copy_from_slice(&[1.0 - second, *second]),
                _ => out.copy_from_slice(last),
            }
            Ok(())
        })
    }
}

fn numbers(array: &Array) -> &[f64] {
    match array.data() {
        Data::F64(numbers) => numbers,
        Data::F32(_) => &[],
    }
}

/// One layer: the products in the order of the inputs, then the bias.
fn forward(dense: &Dense, input: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    for (value, weights) in input.iter().zip(numbers(&dense.weights).chunks_exact(out.len())) {
        for (out, weight) in out.iter_mut().zip(weights) {
            *out += value * weight;
        }
    }
    for (out, bias) in out.iter_mut().zip(dense.bias.as_deref().map_or(&[][..], numbers)) {
        *out += bias;
    }
}

fn apply(function: Function, out: &mut [f64]) -> Result<()> {
    let each = |out: &mut [f64], function: fn(f64) -> f64| out.iter_mut().for_each(|value| *value = function(*value));
    match function {
        Function::Sigmoid => each(out, |x| 1.0 / (1.0 + (-x).exp())),
        Function::Tanh => each(out, f64::tanh),
        // Not `max`: numpy's maximum keeps a NaN, that of infinities that cancel each other.
        Function::Relu => each(out, |x| if x < 0.0 { 0.0 } else { x }),
        Function::Exp => each(out, f64::exp),
        other => return Err(Error::internal(format!("{other:?} in a perceptron"))),
    }
    Ok(())
}
