//! Dense networks in float64.

use super::part::{Part, Scratch, refuse_missing};
use super::{first_largest, link};
use crate::error::Result;
use crate::ir::network::{Activation, Answer, Layer, Network};
use crate::ir::{Link, Output, Precision};

/// A network ready to run.
#[derive(Debug)]
pub(super) struct NetworkPart(Network);

impl NetworkPart {
    pub(super) fn new(network: &Network) -> Self {
        Self(network.clone())
    }

    /// Runs the layers from `at` on, over `input`; `spare` has room for the widest of them. What the last one gives lies at the
    /// beginning of `out`.
    fn run(&self, input: &[f64], out: &mut [f64], spare: &mut [f64]) {
        // The last layer must end in `out`: with an even number of layers behind it, the first one starts there too.
        let (mut next, mut other) = if self.0.layers().len() % 2 == 1 { (out, spare) } else { (spare, out) };
        for (index, layer) in self.0.layers().iter().enumerate() {
            let from = if index == 0 { input } else { &other[..layer.inputs()] };
            forward(layer, from, &mut next[..layer.outputs()]);
            std::mem::swap(&mut next, &mut other);
        }
    }
}

impl Part for NetworkPart {
    fn columns(&self, output: Output) -> Option<usize> {
        let outputs = self.0.outputs();
        match (output, self.0.answer()) {
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
        let widest = self.0.widest();
        scratch.lend(widest, |last, scratch| {
            scratch.lend(widest, |spare, _| self.run(row, last, spare));
            let last = &last[..self.0.outputs()];
            match (output, self.0.answer(), last) {
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
        });
        Ok(())
    }
}

/// One layer: the products in the order of the inputs, then the bias, then the function.
fn forward(layer: &Layer, input: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    for (index, value) in input.iter().enumerate() {
        for (out, weight) in out.iter_mut().zip(layer.weights(index)) {
            *out += value * weight;
        }
    }
    for (out, bias) in out.iter_mut().zip(layer.bias()) {
        *out += bias;
    }
    let each = |out: &mut [f64], function: fn(f64) -> f64| out.iter_mut().for_each(|value| *value = function(*value));
    match layer.activation() {
        Activation::Identity => {}
        Activation::Logistic => each(out, |x| 1.0 / (1.0 + (-x).exp())),
        Activation::Tanh => each(out, f64::tanh),
        // Not `max`: numpy's maximum keeps a NaN, that of infinities that cancel each other.
        Activation::Relu => each(out, |x| if x < 0.0 { 0.0 } else { x }),
        Activation::Exp => each(out, f64::exp),
        Activation::Softmax => link::apply(Link::Softmax, Precision::F64, out),
    }
}
