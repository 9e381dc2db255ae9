//! Modules of `torch.nn` in a row: pickled ones, and declared ones whose weights a state dict holds.

use super::aten;
use super::graph::Graph;
use super::number::Kind;
use super::value::{Args, Tensor, Value};
use crate::error::{Error, Result, Within};
use crate::limits;
use std::collections::HashMap;

/// A module: its class, what was set, and its own tensors.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) class: String,
    pub(super) settings: HashMap<String, Value>,
    pub(super) tensors: HashMap<String, Tensor>,
    pub(super) layers: Vec<(String, Layer)>,
}

/// How a class becomes a call of an operation.
enum Call {
    /// Settings of the module by the names of the operation's operands.
    Settings(&'static str, &'static [(&'static str, &'static str)]),
    /// A function of the module.
    Own(fn(&mut Graph, &Layer, &Tensor) -> Result<Value>),
}

/// Every class that is read.
pub(super) const CLASSES: &[&str] = &[
    "AdaptiveAvgPool1d",
    "AdaptiveMaxPool1d",
    "AlphaDropout",
    "AvgPool1d",
    "BatchNorm1d",
    "CELU",
    "Conv1d",
    "ConvTranspose1d",
    "Dropout",
    "Dropout1d",
    "ELU",
    "Embedding",
    "FeatureAlphaDropout",
    "Flatten",
    "GELU",
    "GLU",
    "GRU",
    "GroupNorm",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LSTM",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MaxPool1d",
    "Mish",
    "PReLU",
    "RMSNorm",
    "RNN",
    "ReLU",
    "ReLU6",
    "SELU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "Unflatten",
];

fn call(class: &str) -> Option<Call> {
    use Call::{Own, Settings};
    Some(match class {
        "Identity" | "Dropout" | "Dropout1d" | "AlphaDropout" | "FeatureAlphaDropout" => {
            Own(|_, _, x| Ok(Value::Tensor(x.clone())))
        }
        "ReLU" => Settings("relu", &[]),
        "ReLU6" => Settings("relu6", &[]),
        "Sigmoid" => Settings("sigmoid", &[]),
        "Tanh" => Settings("tanh", &[]),
        "SiLU" => Settings("silu", &[]),
        "Mish" => Settings("mish", &[]),
        "SELU" => Settings("selu", &[]),
        "Hardsigmoid" => Settings("hardsigmoid", &[]),
        "Hardswish" => Settings("hardswish", &[]),
        "Softsign" => Settings("softsign", &[]),
        "LogSigmoid" => Settings("log_sigmoid", &[]),
        "Tanhshrink" => Settings("tanhshrink", &[]),
        "GELU" => Settings("gelu", &[("approximate", "approximate")]),
        "ELU" => Settings("elu", &[("alpha", "alpha")]),
        "CELU" => Settings("celu", &[("alpha", "alpha")]),
        "LeakyReLU" => Settings("leaky_relu", &[("negative_slope", "negative_slope")]),
        "Hardtanh" => Settings("hardtanh", &[("min_val", "min_val"), ("max_val", "max_val")]),
        "Threshold" => Settings("threshold", &[("threshold", "threshold"), ("value", "value")]),
        "Softshrink" => Settings("softshrink", &[("lambd", "lambd")]),
        "Hardshrink" => Settings("hardshrink", &[("lambd", "lambd")]),
        "Softplus" => Settings("softplus", &[("beta", "beta"), ("threshold", "threshold")]),
        "GLU" => Settings("glu", &[("dim", "dim")]),
        "PReLU" => Settings("prelu", &[]),
        "Softmax" | "LogSoftmax" | "Softmin" => Own(softmax),
        "Linear" => Settings("linear", &[]),
        "Embedding" => Own(embedding),
        "LayerNorm" => Own(|graph, layer, x| normalized(graph, layer, x, "layer_norm")),
        "RMSNorm" => Own(|graph, layer, x| normalized(graph, layer, x, "rms_norm")),
        "GroupNorm" => Settings("group_norm", &[("num_groups", "num_groups"), ("eps", "eps")]),
        "BatchNorm1d" => Own(batch_norm),
        "Conv1d" => Own(convolution),
        "ConvTranspose1d" => Settings(
            "conv_transpose1d",
            &[
                ("stride", "stride"),
                ("padding", "padding"),
                ("output_padding", "output_padding"),
                ("groups", "groups"),
                ("dilation", "dilation"),
            ],
        ),
        "MaxPool1d" => Settings(
            "max_pool1d",
            &[
                ("kernel_size", "kernel_size"),
                ("stride", "stride"),
                ("padding", "padding"),
                ("dilation", "dilation"),
                ("ceil_mode", "ceil_mode"),
            ],
        ),
        "AvgPool1d" => Settings(
            "avg_pool1d",
            &[
                ("kernel_size", "kernel_size"),
                ("stride", "stride"),
                ("padding", "padding"),
                ("ceil_mode", "ceil_mode"),
                ("count_include_pad", "count_include_pad"),
            ],
        ),
        "AdaptiveAvgPool1d" => Settings("adaptive_avg_pool1d", &[("output_size", "output_size")]),
        "AdaptiveMaxPool1d" => Settings("adaptive_max_pool1d", &[("output_size", "output_size")]),
        "Flatten" => Own(flatten),
        "Unflatten" => Settings("unflatten", &[("dim", "dim"), ("unflattened_size", "sizes")]),
        "LSTM" | "GRU" | "RNN" => Own(recurrent),
        "Sequential" => Own(|graph, layer, x| run(graph, layer, x).map(Value::Tensor)),
        _ => return None,
    })
}

/// Runs a row of modules.
///
/// # Errors
/// `MI_UNSUPPORTED` for a class that is not read, naming it and its place.
pub(super) fn run(graph: &mut Graph, sequence: &Layer, x: &Tensor) -> Result<Tensor> {
    let mut x = x.clone();
    for (name, layer) in &sequence.layers {
        let within = || format!("layer '{}' ({})", name.escape_default(), layer.class.escape_default());
        let result = one(graph, layer, &x).within(within)?;
        x = match &result {
            // Values in front of the places where they were found.
            Value::List(items) => items.first().unwrap_or(&Value::None).tensor().within(within)?.clone(),
            value => value.tensor().within(within)?.clone(),
        };
    }
    Ok(x)
}

fn one(graph: &mut Graph, layer: &Layer, x: &Tensor) -> Result<Value> {
    match call(&layer.class) {
        Some(Call::Own(own)) => own(graph, layer, x),
        Some(Call::Settings(name, settings)) => {
            let mut args = Args::of([Value::Tensor(x.clone())]);
            for tensor in ["weight", "bias"] {
                if let Some(value) = layer.tensors.get(tensor) {
                    args.named.push((tensor.to_owned(), Value::Tensor(value.clone())));
                }
            }
            for (setting, operand) in settings {
                if let Some(value) = layer.settings.get(*setting) {
                    args.named.push(((*operand).to_owned(), value.clone()));
                }
            }
            aten::call(graph, name, &args)
        }
        None => Err(Error::unsupported("this class is not read; export the model with torch.export or to ONNX")),
    }
}

impl Layer {
    /// A tensor of its own.
    fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| Error::malformed(format!("it has no '{name}'")))
    }

    fn opt_tensor(&self, name: &str) -> Value {
        self.tensors.get(name).map_or(Value::None, |tensor| Value::Tensor(tensor.clone()))
    }

    fn setting(&self, name: &str) -> Value {
        self.settings.get(name).cloned().unwrap_or(Value::None)
    }

    /// Columns that it takes, when its weights tell.
    pub(super) fn inputs(&self) -> Option<usize> {
        let size = |name: &str, axis: usize| {
            let known = Graph::known(self.tensors.get(name)?, name).ok()?;
            known.shape().get(axis).copied()
        };
        match self.class.as_str() {
            "Sequential" => self.layers.iter().find_map(|(_, layer)| layer.inputs()),
            "Linear" => size("weight", 1),
            "BatchNorm1d" => size("running_mean", 0),
            "LayerNorm" | "RMSNorm" => size("weight", 0),
            _ => None,
        }
    }

    /// Whether something in it asks for more axes than (rows, columns) before its weights tell how many columns there are.
    pub(super) fn takes_rows(&self) -> bool {
        let first = |layer: &Layer| layer.inputs().is_some();
        match self.class.as_str() {
            "Sequential" => {
                let place = self.layers.iter().position(|(_, layer)| first(layer));
                place.is_some_and(|place| {
                    self.layers[..place].iter().all(|(_, layer)| {
                        !matches!(layer.class.as_str(), "Flatten" | "Unflatten" | "Embedding" | "LSTM" | "GRU" | "RNN")
                            && !layer.class.ends_with("1d")
                    }) && self.layers[place].1.takes_rows()
                })
            }
            _ => first(self),
        }
    }
}

fn softmax(graph: &mut Graph, layer: &Layer, x: &Tensor) -> Result<Value> {
    // Without an axis, PyTorch takes the first for 0, 1 and 3 axes and the second for the others.
    let axis = match layer.setting("dim") {
        Value::None => Value::int(i64::from(!matches!(graph.rank(x), 0 | 1 | 3))),
        axis => axis,
    };
    let x = if layer.class == "Softmin" { graph.map(crate::ir::network::Function::Negate, x)? } else { x.clone() };
    let name = if layer.class == "LogSoftmax" { "log_softmax" } else { "softmax" };
    aten::call(graph, name, &Args::of([Value::Tensor(x), axis]))
}

fn embedding(graph: &mut Graph, layer: &Layer, x: &Tensor) -> Result<Value> {
    let codes = graph.convert(x, Kind::Integer)?;
    aten::call(graph, "embedding", &Args::of([Value::Tensor(layer.tensor("weight")?.clone()), Value::Tensor(codes)]))
}

fn normalized(graph: &mut Graph, layer: &Layer, x: &Tensor, name: &str) -> Result<Value> {
    let shape = match layer.setting("normalized_shape") {
        Value::None => {
            let weight = layer.tensor("weight").within(|| "without normalized_shape")?;
            let sizes = (0..graph.rank(weight)).map(|axis| graph.size(weight, axis).map(Value::Size));
            Value::List(sizes.collect::<Result<_>>()?)
        }
        shape => shape,
    };
    let mut args = Args::of([Value::Tensor(x.clone()), shape]);
    for (name, value) in
        [("weight", layer.opt_tensor("weight")), ("bias", layer.opt_tensor("bias")), ("eps", layer.setting("eps"))]
    {
        args.named.push((name.to_owned(), value));
    }
    aten::call(graph, name, &args)
}

fn batch_norm(graph: &mut Graph, layer: &Layer, x: &Tensor) -> Result<Value> {
    let mut args = Args::of([Value::Tensor(x.clone())]);
    for name in ["weight", "bias", "running_mean", "running_var"] {
        args.named.push((name.to_owned(), layer.opt_tensor(name)));
    }
    args.named.push(("eps".to_owned(), layer.setting("eps")));
    aten::call(graph, "batch_norm", &args)
}

fn convolution(graph: &mut Graph, layer: &Layer, x: &Tensor) -> Result<Value> {
    let mut args = Args::of([Value::Tensor(x.clone())]);
    for name in ["weight", "bias"] {
        args.named.push((name.to_owned(), layer.opt_tensor(name)));
    }
    for name in ["stride", "padding", "dilation", "groups"] {
        args.named.push((name.to_owned(), layer.setting(name)));
    }
    let mode = match layer.setting("padding_mode") {
        Value::Text(mode) => mode,
        _ => "zeros".to_owned(),
    };
    if mode != "zeros" {
        return Err(Error::unsupported(format!(
            "padding_mode='{}' is not read; export the model with torch.export or to ONNX",
            mode.escape_default()
        )));
    }
    aten::call(graph, "conv1d", &args)
}

fn flatten(graph: &mut Graph, layer: &Layer, x: &Tensor) -> Result<Value> {
    let first = match layer.setting("start_dim") {
        Value::None => Value::int(1),
        first => first,
    };
    aten::call(graph, "flatten", &Args::of([Value::Tensor(x.clone()), first, layer.setting("end_dim")]))
}

/// A recurrent layer over (rows, steps, features), and what is taken of it: `last` (the last step; the default), `sequence`, `hidden` (the
/// last state of the last layer).
fn recurrent(graph: &mut Graph, layer: &Layer, x: &Tensor) -> Result<Value> {
    let both = layer.tensors.contains_key("weight_ih_l0_reverse");
    let biased = layer.tensors.contains_key("bias_ih_l0");
    let mut params = Vec::new();
    let mut layers = 0;
    while layer.tensors.contains_key(&format!("weight_ih_l{layers}")) {
        for suffix in if both { &["", "_reverse"][..] } else { &[""] } {
            for name in
                if biased { &["weight_ih", "weight_hh", "bias_ih", "bias_hh"][..] } else { &["weight_ih", "weight_hh"] }
            {
                params.push(Value::Tensor(layer.tensor(&format!("{name}_l{layers}{suffix}"))?.clone()));
            }
            if layer.tensors.contains_key(&format!("weight_hr_l{layers}{suffix}")) {
                return Err(Error::unsupported("an LSTM with proj_size is not read; export the model to ONNX"));
            }
        }
        layers += 1;
        limits::check("recurrent layers", layers, limits::DEPTH)?;
    }
    if matches!(layer.setting("batch_first"), Value::Bool(false)) {
        return Err(Error::unsupported("batch_first=False: declare the layer over (rows, steps, features)"));
    }
    let name = match layer.class.as_str() {
        "LSTM" => "lstm",
        "GRU" => "gru",
        _ => match layer.setting("nonlinearity") {
            Value::Text(function) if function == "relu" => "rnn_relu",
            _ => "rnn_tanh",
        },
    };
    let zero = graph.scalar(Kind::Float, 0.0)?;
    let layers = i64::try_from(layers).unwrap_or(0);
    let args = Args::of([
        Value::Tensor(x.clone()),
        Value::List(vec![Value::Tensor(zero)]),
        Value::List(params),
        Value::Bool(biased),
        Value::int(layers),
        Value::Float(0.0),
        Value::Bool(false),
        Value::Bool(both),
        Value::Bool(true),
    ]);
    let results = aten::call(graph, name, &args)?;
    let taken = match layer.setting("take") {
        Value::Text(word) => word,
        _ => "last".to_owned(),
    };
    let result = |index: usize| results.items().get(index).unwrap_or(&Value::None).tensor();
    match taken.as_str() {
        "sequence" => Ok(Value::Tensor(result(0)?.clone())),
        "last" => graph.select(result(0)?, 1, -1).map(Value::Tensor),
        "hidden" => graph.select(result(1)?, 0, -1).map(Value::Tensor),
        other => Err(Error::malformed(format!(
            "take '{}': 'last', 'sequence' or 'hidden' is expected",
            other.escape_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_classes_is_that_of_the_calls() {
        assert!(CLASSES.is_sorted());
        for class in CLASSES {
            assert!(call(class).is_some(), "{class}");
        }
    }
}
