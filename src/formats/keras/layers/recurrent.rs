//! Recurrent layers, and layers that hold cells.

use super::activation::Activation;
use super::reshaped;
use crate::error::{Error, Result};
use crate::formats::keras::config::Config;
use crate::formats::keras::layer::{Call, Layer, Outputs};
use crate::formats::keras::table::Entry;
use crate::formats::keras::weights::Weights;
use crate::ir::network::{Builder, Cell, NodeId, Op, Recurrent, Returns};
use serde_json::Value;

const REFUSED: &str = "stateful, time_major, masks, functions of more than one element";

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry {
        class: "LSTM",
        read: plain,
        weights: cell_weights,
        what: "sequences, states in and out, backwards",
        refused: REFUSED,
    },
    Entry {
        class: "GRU",
        read: plain,
        weights: cell_weights,
        what: "the same, with both ways to reset",
        refused: REFUSED,
    },
    Entry { class: "SimpleRNN", read: plain, weights: cell_weights, what: "the same", refused: REFUSED },
    Entry {
        class: "RNN",
        read: cells,
        weights: |_| Ok((0, 0)),
        what: "with LSTMCell, GRUCell, SimpleRNNCell, and several of them",
        refused: "cells of one's own, states out of several cells",
    },
    Entry { class: "LSTMCell", read: alone, weights: cell_weights, what: "in an RNN", refused: "" },
    Entry { class: "GRUCell", read: alone, weights: cell_weights, what: "in an RNN", refused: "" },
    Entry { class: "SimpleRNNCell", read: alone, weights: cell_weights, what: "in an RNN", refused: "" },
    Entry { class: "StackedRNNCells", read: alone, weights: |_| Ok((0, 0)), what: "in an RNN", refused: "" },
];

fn cell_weights(layer: Layer<'_>) -> Result<(usize, usize)> {
    Ok((2 + usize::from(layer.config.flag("use_bias", true)?), 0))
}

fn alone(_: &mut Call<'_, '_>) -> Result<Outputs> {
    Err(Error::unsupported("a cell outside of an RNN layer is not read; put it into one"))
}

/// How a layer goes over the steps.
#[derive(Debug, Clone, Copy)]
struct Way {
    sequences: bool,
    states: bool,
    backwards: bool,
}

impl Way {
    fn of(layer: Layer<'_>) -> Result<Self> {
        let config = layer.config;
        if config.flag("stateful", false)? {
            return Err(Error::unsupported(
                "it is stateful, and predictions do not remember each other here; build the model without it, with the whole sequence as input",
            ));
        }
        if config.flag("time_major", false)? {
            return Err(Error::unsupported("time_major is set; put the rows in front of the steps"));
        }
        Ok(Self {
            sequences: config.flag("return_sequences", false)?,
            states: config.flag("return_state", false)?,
            backwards: config.flag("go_backwards", false)? != layer.turned,
        })
    }
}

/// The tensors of a call: the sequence, then the states that it begins with.
fn given(call: &Call<'_, '_>) -> Result<Vec<NodeId>> {
    let mut tensors = Vec::new();
    if let Some(arg) = call.arg(0, "sequences") {
        arg.tensors(&mut tensors);
    }
    if let Some(arg) = call.arg(1, "initial_state") {
        arg.tensors(&mut tensors);
    }
    call.refuse("constants", "constants of cells are not read")?;
    if tensors.is_empty() { Err(Error::malformed("it is called without a tensor")) } else { Ok(tensors) }
}

fn plain(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (way, tensors) = (Way::of(call.layer)?, given(call)?);
    let class = call.layer.class;
    let weights = call.weights.part(&["cell"], cell_weights(call.layer)?.0)?;
    let layer = cell(call.config(), class, weights, call.reader.third)?;
    run(call.builder(), layer, way, &tensors)
}

fn cells(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (way, tensors) = (Way::of(call.layer)?, given(call)?);
    let (cell_layer, mut weights) = call.part("cell", &["cell"])?;
    let third = call.reader.third;
    let one = |layer: Layer<'_>, weights: Weights<'_>| {
        let class = layer.class.strip_suffix("Cell").filter(|class| matches!(*class, "LSTM" | "GRU" | "SimpleRNN"));
        let class = class.filter(|_| !layer.is_custom()).ok_or_else(|| {
            Error::unsupported(format!(
                "cells of the class '{}' are not read; export the model to ONNX",
                layer.class.escape_debug()
            ))
        })?;
        layer.check_policy()?;
        cell(layer.config, class, weights, third)
    };
    if cell_layer.class != "StackedRNNCells" {
        let layer = one(cell_layer, weights)?;
        return run(call.builder(), layer, way, &tensors);
    }
    let inside = inner(cell_layer)?;
    if way.states || tensors.len() > 1 {
        return Err(Error::unsupported("states of several cells are not read; use a layer for each"));
    }
    let mut numbers: Vec<(String, usize)> = Vec::new();
    let mut x = tensors;
    let count = inside.len();
    for (index, layer) in inside.into_iter().enumerate() {
        let class = match layer.class {
            "LSTMCell" => "lstm_cell",
            "GRUCell" => "gru_cell",
            _ => "simple_rnn_cell",
        };
        let earlier = numbers.iter().filter(|(known, _)| known == class).count();
        let name = if earlier == 0 { format!("cells/{class}") } else { format!("cells/{class}_{earlier}") };
        numbers.push((class.to_owned(), index));
        let weights = weights.part(&[&name], cell_weights(layer)?.0)?;
        let layer = one(layer, weights)?;
        // The first one turns the sequence, the last one may keep its end alone.
        let way = Way {
            sequences: way.sequences || index + 1 < count,
            states: false,
            backwards: way.backwards && index == 0,
        };
        x = run(call.builder(), layer, way, &x)?;
    }
    Ok(x)
}

/// The cells of a stack.
pub(super) fn inner(layer: Layer<'_>) -> Result<Vec<Layer<'_>>> {
    match layer.config.need("cells")? {
        Value::Array(cells) if !cells.is_empty() => cells.iter().map(Layer::new).collect(),
        _ => Err(Error::malformed("its cells are no list")),
    }
}

/// The formulas and weights of a cell.
fn cell(config: Config<'_>, class: &str, mut weights: Weights<'_>, third: bool) -> Result<Recurrent> {
    let function = |key: &str, default: &str| {
        let named = Value::String(default.to_owned());
        let value = config.get(key).unwrap_or(&named);
        Activation::parse(value, third).and_then(Activation::each).map_err(|error| error.within(key))
    };
    let activation = function("activation", "tanh")?;
    let (kernel, recurrent) = (weights.take("kernel")?, weights.take("recurrent_kernel")?);
    let mut bias = weights.maybe(config.flag("use_bias", true)?, "bias")?;
    let mut recurrent_bias = None;
    let cell = match class {
        "LSTM" => Cell::Lstm { activation, gate: function("recurrent_activation", "sigmoid")? },
        "GRU" => {
            let reset_after = config.flag("reset_after", false)?;
            if let (true, Some(both)) = (reset_after, &bias) {
                let [2, wide] = *both.shape() else {
                    return Err(Error::malformed(format!(
                        "a bias of shape {:?}, (2, gates) is expected",
                        both.shape()
                    )));
                };
                let both = super::floats(both)?;
                let half = |numbers: &[f32]| {
                    crate::ir::network::Array::f32(&[wide], numbers.to_vec()).map(std::sync::Arc::new)
                };
                (bias, recurrent_bias) = (Some(half(&both[..wide])?), Some(half(&both[wide..])?));
            }
            Cell::Gru { activation, gate: function("recurrent_activation", "sigmoid")?, reset_after }
        }
        _ => Cell::Simple { activation },
    };
    if let Some(flat) = bias.as_ref().filter(|bias| bias.shape().len() > 1) {
        bias = Some(reshaped(flat, &[flat.len()])?);
    }
    Ok(Recurrent { cell, kernel, recurrent, bias, recurrent_bias, reverse: false, returns: Returns::Last })
}

/// The outputs of a layer as Keras has them: a sequence in the order of the walk or its end, then the states.
fn run(builder: &mut Builder, layer: Recurrent, way: Way, tensors: &[NodeId]) -> Result<Outputs> {
    let layer = Recurrent { reverse: way.backwards, ..layer };
    let with = |returns| Op::Recurrent(Box::new(Recurrent { returns, ..layer.clone() }));
    let mut outputs = Vec::new();
    let last = if way.sequences {
        let sequence = builder.add(with(Returns::Sequence), tensors)?;
        let axis = builder.shape(sequence).axis(-2)?;
        let steps = builder.shape(sequence).size(axis)?;
        outputs.push(if way.backwards { builder.reverse(sequence, axis)? } else { sequence });
        if way.states { Some(builder.select(sequence, axis, if way.backwards { 0 } else { steps - 1 })?) } else { None }
    } else {
        let last = builder.add(with(Returns::Last), tensors)?;
        outputs.push(last);
        Some(last)
    };
    if way.states {
        outputs.extend(last);
        if matches!(layer.cell, Cell::Lstm { .. }) {
            outputs.push(builder.add(with(Returns::Memory), tensors)?);
        }
    }
    Ok(outputs)
}
