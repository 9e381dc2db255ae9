//! Functions behind layers, and layers that are functions.

use crate::error::{Error, Result};
use crate::formats::keras::config::{number, short};
use crate::formats::keras::layer::{Arg, Call, Layer, Outputs};
use crate::formats::keras::table::{Entry, none};
use crate::ir::network::{Binary, Builder, Function, NodeId, Op};
use serde_json::Value;

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry {
        class: "Activation",
        read: activation,
        weights: none,
        what: "the functions that Keras names",
        refused: "sparsemax, functions of one's own",
    },
    Entry {
        class: "ReLU",
        read: relu,
        weights: none,
        what: "with max_value, negative_slope and threshold",
        refused: "",
    },
    Entry { class: "LeakyReLU", read: leaky, weights: none, what: "", refused: "" },
    Entry { class: "ThresholdedReLU", read: thresholded, weights: none, what: "", refused: "" },
    Entry { class: "ELU", read: elu, weights: none, what: "", refused: "" },
    Entry { class: "PReLU", read: prelu, weights: |_| Ok((1, 0)), what: "with shared_axes", refused: "" },
    Entry { class: "Softmax", read: softmax, weights: none, what: "over one axis", refused: "several axes, masks" },
];

/// What is applied behind a layer.
pub(in crate::formats::keras) enum Activation<'a> {
    /// A function of every element.
    Each(Function),
    /// The exponential over its sum along the last axis, or its logarithm.
    Softmax { log: bool },
    /// `a * sigmoid(b)` of the two halves of the last axis.
    Gated,
    /// `max(x, (clip(x, -1, 1) + 1)^2 / 4)`.
    SparsePlus,
    /// A layer.
    Layer(Layer<'a>),
}

impl<'a> Activation<'a> {
    /// The function that a setting names.
    pub fn of(call: &Call<'a, '_>, key: &str) -> Result<Self> {
        match call.config().get(key) {
            None => Ok(Activation::Each(Function::Identity)),
            Some(value) => Self::parse(value, call.reader.third).map_err(|error| error.within(key)),
        }
    }

    /// The function of a value: a name, or an object with settings. Keras 3 has changed some of them.
    pub fn parse(value: &'a Value, third: bool) -> Result<Self> {
        let name = match value {
            Value::String(name) => name.as_str(),
            Value::Object(map) => match map.get("config") {
                // A function by its name: of Keras, or of somebody's own.
                Some(Value::String(name)) if map.get("registered_name").and_then(Value::as_str) != Some(name) => name,
                Some(Value::Object(_)) => return Ok(Activation::Layer(Layer::new(value)?)),
                _ => return Err(unknown(&short(value))),
            },
            other => return Err(unknown(&short(other))),
        };
        named(name, third).ok_or_else(|| unknown(&format!("'{}'", name.escape_debug())))
    }

    /// What it makes of a tensor.
    pub fn apply(self, call: &mut Call<'a, '_>, x: NodeId) -> Result<Outputs> {
        let builder = call.builder();
        let y = match self {
            Activation::Each(function) => builder.map(function, x)?,
            Activation::Softmax { log } => {
                let axis = builder.shape(x).axis(-1)?;
                builder.add(Op::Softmax { axis, log }, &[x])?
            }
            Activation::Gated => {
                let axis = builder.shape(x).axis(-1)?;
                let size = builder.shape(x).size(axis)?;
                let (left, right) =
                    (builder.slice(x, axis, 0, size / 2)?, builder.slice(x, axis, size / 2, size - size / 2)?);
                let gate = builder.map(Function::Sigmoid, right)?;
                builder.binary(Binary::Multiply, left, gate)?
            }
            Activation::SparsePlus => sparse_plus(builder, x)?,
            Activation::Layer(layer) => {
                let weights = call.weights.part(&["activation"], 0)?;
                return call.inner(layer, weights, vec![Arg::Tensor(x)]);
            }
        };
        Ok(vec![y])
    }

    /// The function of every element that it is; others are refused.
    pub fn each(self) -> Result<Function> {
        match self {
            Activation::Each(function) => Ok(function),
            _ => Err(Error::unsupported(
                "a function of more than one element inside of a cell is not read; export the model to ONNX",
            )),
        }
    }
}

fn unknown(what: &str) -> Error {
    Error::unsupported(format!(
        "the activation {what} is not read; use one that Keras names, or export the model to ONNX"
    ))
}

fn named<'a>(name: &str, third: bool) -> Option<Activation<'a>> {
    let bent = |slope, max| Function::BentRelu { slope, threshold: 0.0, max };
    Some(Activation::Each(match name {
        "linear" => Function::Identity,
        "relu" => Function::Relu,
        "relu6" => bent(0.0, 6.0),
        "leaky_relu" => bent(0.2, f64::INFINITY),
        "elu" => Function::Elu { alpha: 1.0 },
        "celu" => Function::Celu { alpha: 1.0 },
        "selu" => Function::Selu,
        "gelu" => Function::Gelu,
        "silu" | "swish" => Function::Silu,
        "hard_silu" | "hard_swish" => Function::HardSwish,
        "mish" => Function::Mish,
        "softplus" => Function::Softplus,
        "softsign" => Function::Softsign,
        "tanh" => Function::Tanh,
        "sigmoid" => Function::Sigmoid,
        "log_sigmoid" => Function::LogSigmoid,
        "hard_sigmoid" if third => Function::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 },
        "hard_sigmoid" => Function::HardSigmoid { slope: 0.2, offset: 0.5 },
        "exponential" | "exp" => Function::Exp,
        "hard_tanh" => Function::Clip { min: -1.0, max: 1.0 },
        "squareplus" => Function::Squareplus { b: 4.0 },
        "tanh_shrink" => Function::TanhShrink,
        "soft_shrink" => Function::SoftShrink { lambda: 0.5 },
        "hard_shrink" => Function::HardShrink { lambda: 0.5 },
        "sparse_sigmoid" => Function::HardSigmoid { slope: 0.5, offset: 0.5 },
        "sparse_plus" => return Some(Activation::SparsePlus),
        "softmax" => return Some(Activation::Softmax { log: false }),
        "log_softmax" => return Some(Activation::Softmax { log: true }),
        "glu" => return Some(Activation::Gated),
        _ => return None,
    }))
}

/// 0 below -1, `x` above 1, `(x + 1)^2 / 4` between: the parabola is nowhere below the line.
fn sparse_plus(builder: &mut Builder, x: NodeId) -> Result<NodeId> {
    let cut = builder.map(Function::Clip { min: -1.0, max: 1.0 }, x)?;
    let shifted = builder.with_scalar(Binary::Add, cut, 1.0)?;
    let square = builder.map(Function::Square, shifted)?;
    let parabola = builder.with_scalar(Binary::Multiply, square, 0.25)?;
    builder.binary(Binary::Maximum, x, parabola)
}

fn activation(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    Activation::of(call, "activation")?.apply(call, x)
}

fn each(call: &mut Call<'_, '_>, function: Function) -> Result<Outputs> {
    let x = call.x()?;
    Ok(vec![call.builder().map(function, x)?])
}

fn relu(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let config = call.config();
    let (slope, threshold) = (config.number_or("negative_slope", 0.0)?, config.number_or("threshold", 0.0)?);
    let max = config.number_or("max_value", f64::INFINITY)?;
    if slope == 0.0 && threshold == 0.0 && max == f64::INFINITY {
        return each(call, Function::Relu);
    }
    each(call, Function::BentRelu { slope, threshold, max })
}

fn leaky(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let config = call.config();
    // Keras 2 called it `alpha`.
    let slope = config.get("negative_slope").or_else(|| config.get("alpha")).map_or(Ok(0.3), number)?;
    each(call, Function::BentRelu { slope, threshold: 0.0, max: f64::INFINITY })
}

fn thresholded(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let threshold = call.config().number_or("theta", 1.0)?;
    each(call, Function::Threshold { threshold, value: 0.0 })
}

fn elu(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let alpha = call.config().number_or("alpha", 1.0)?;
    each(call, Function::Elu { alpha })
}

fn prelu(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let slopes = call.weights.take("alpha")?;
    let x = call.x()?;
    Ok(vec![call.builder().add(Op::Prelu(slopes), &[x])?])
}

fn softmax(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let axes = call.config().axes("axis")?.unwrap_or_else(|| vec![-1]);
    let [axis] = axes[..] else {
        return Err(Error::unsupported("a softmax over several axes is not read; flatten them first"));
    };
    if call.tensors().len() > 1 {
        return Err(Error::unsupported("masks are not read; add large negative numbers to the scores"));
    }
    let x = call.x()?;
    let axis = call.axis(x, axis)?;
    Ok(vec![call.builder().add(Op::Softmax { axis, log: false }, &[x])?])
}
