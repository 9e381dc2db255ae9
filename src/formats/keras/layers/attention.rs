//! Attention.

use super::{floats, product, reshaped};
use crate::error::{Error, Result};
use crate::formats::keras::config::Config;
use crate::formats::keras::layer::{Arg, Call, Layer, Outputs};
use crate::formats::keras::table::Entry;
use crate::formats::keras::weights::Weights;
use crate::ir::network::{Array, Attention, Binary, Function, NodeId, Op, Reduction};
use serde_json::Value;
use std::sync::Arc;

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry {
        class: "MultiHeadAttention",
        read: heads,
        weights: head_weights,
        what: "also causal, over another sequence, with scores as second output",
        refused: "attention_axes other than the steps, masks",
    },
    Entry { class: "Attention", read: plain, weights: plain_weights, what: "both score_modes", refused: "masks" },
    Entry {
        class: "AdditiveAttention",
        read: additive,
        weights: |layer| scale(layer).map(|there| (usize::from(there), 0)),
        what: "",
        refused: "masks",
    },
];

fn head_weights(layer: Layer<'_>) -> Result<(usize, usize)> {
    Ok((4 * (1 + usize::from(layer.config.flag("use_bias", true)?)), 0))
}

fn scale(layer: Layer<'_>) -> Result<bool> {
    // The older class of additive attention has a scale unless it says otherwise.
    layer.config.flag("use_scale", layer.class == "AdditiveAttention")
}

fn plain_weights(layer: Layer<'_>) -> Result<(usize, usize)> {
    let concat = layer.config.text("score_mode", "dot")? == "concat";
    Ok((usize::from(scale(layer)?) + usize::from(concat), 0))
}

/// Whether the call or the layer wants queries to see no keys behind them.
fn causal(call: &Call<'_, '_>) -> Result<bool> {
    let called = match call.arg(usize::MAX, "use_causal_mask") {
        Some(Arg::Json(Value::Bool(yes))) => *yes,
        Some(_) => return Err(Error::malformed("use_causal_mask is no flag")),
        None => false,
    };
    Ok(called || call.config().flag("causal", false)?)
}

fn wants_scores(call: &Call<'_, '_>) -> bool {
    matches!(call.arg(usize::MAX, "return_attention_scores"), Some(Arg::Json(Value::Bool(true))))
}

/// A dense layer whose kernel has several axes on one side: `inside` axes are summed over.
struct Side {
    kernel: Arc<Array>,
    bias: Option<Arc<Array>>,
}

impl Side {
    fn take(weights: &mut Weights<'_>, names: &[&str], bias: bool, inside: usize) -> Result<(Self, Vec<usize>)> {
        let mut weights = weights.part(names, 1 + usize::from(bias))?;
        let (kernel, bias) = (weights.take("kernel")?, weights.maybe(bias, "bias")?);
        let shape = kernel.shape().to_vec();
        let Some((from, to)) = shape.split_at_checked(inside).filter(|(_, to)| !to.is_empty()) else {
            return Err(Error::malformed(format!("a kernel of shape {shape:?}")));
        };
        let (rows, columns) = (product(from)?, product(to)?);
        let kernel = reshaped(&kernel, &[rows, columns])?;
        let bias = bias.map(|bias| reshaped(&bias, &[columns])).transpose()?;
        Ok((Self { kernel, bias }, shape))
    }
}

fn heads(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let config = call.config();
    axes(config)?;
    call.refuse("attention_mask", "masks are not read; leave out what is masked")?;
    for mask in ["query_mask", "value_mask", "key_mask"] {
        call.refuse(mask, "masks are not read; leave out what is masked")?;
    }
    let causal = causal(call)?;
    let scores = wants_scores(call);
    let mut all = Vec::new();
    for (place, name) in [(0, "query"), (1, "value"), (2, "key")] {
        if let Some(arg) = call.arg(place, name) {
            arg.tensors(&mut all);
        }
    }
    let (query, value, key) = match all[..] {
        [query, value] => (query, value, value),
        [query, value, key] => (query, value, key),
        _ => {
            return Err(Error::malformed(format!("{} tensors are given, a query and a value are expected", all.len())));
        }
    };
    let bias = config.flag("use_bias", true)?;
    let weights = &mut call.weights;
    let (to_query, shape) = Side::take(weights, &["query_dense", "_query_dense"], bias, 1)?;
    let (to_key, _) = Side::take(weights, &["key_dense", "_key_dense"], bias, 1)?;
    let (to_value, wide) = Side::take(weights, &["value_dense", "_value_dense"], bias, 1)?;
    let ([_, count, width], [_, _, deep]) = (&shape[..], &wide[..]) else {
        return Err(Error::malformed(format!("kernels of shape {shape:?} and {wide:?}, three axes are expected")));
    };
    let (count, width, deep) = (*count, *width, *deep);
    let (out, result) = Side::take(weights, &["output_dense", "_output_dense"], bias, 2)?;
    if result.len() != 3 {
        return Err(Error::unsupported("an output_shape of several axes is not read; reshape behind the layer"));
    }
    let (query, key, value) = (
        split(call, query, to_query, count, width)?,
        split(call, key, to_key, count, width)?,
        split(call, value, to_value, count, deep)?,
    );
    let builder = call.builder();
    #[allow(clippy::cast_precision_loss)] // the width of a row at most
    let how = Attention { scale: 1.0 / (width as f64).sqrt(), causal, mask: None };
    let shares = builder.attention_shares(query, key, how)?;
    let y = builder.add(Op::MatMul { transposed: false }, &[shares, value])?;
    let y = builder.swap(y, 1, 2)?;
    let steps = builder.shape(y).size(1)?;
    let y = builder.reshape(y, &[None, Some(steps), Some(count * deep)])?;
    let y = builder.dense(y, out.kernel, out.bias)?;
    Ok(if scores { vec![y, shares] } else { vec![y] })
}

/// Attention along the steps of (batch, steps, features) is read.
fn axes(config: Config<'_>) -> Result<()> {
    match config.axes("attention_axes")?.as_deref() {
        None | Some([1 | -2]) => Ok(()),
        Some(other) => {
            Err(Error::unsupported(format!("attention over the axes {other:?} is not read, only over the steps")))
        }
    }
}

/// (batch, steps, features) as (batch, heads, steps, width).
fn split(call: &mut Call<'_, '_>, x: NodeId, side: Side, count: usize, width: usize) -> Result<NodeId> {
    let builder = call.builder();
    if builder.shape(x).rank() != 3 {
        return Err(Error::unsupported(format!(
            "attention over a tensor of shape {}, (batch, steps, features) is read",
            builder.shape(x)
        )));
    }
    let steps = builder.shape(x).size(1)?;
    let y = builder.dense(x, side.kernel, side.bias)?;
    let y = builder.reshape(y, &[None, Some(steps), Some(count), Some(width)])?;
    builder.swap(y, 1, 2)
}

/// Query, value and key of a layer that takes them as a list; the key is the value unless there is one.
fn three(call: &Call<'_, '_>) -> Result<[NodeId; 3]> {
    match call.tensors()[..] {
        [query, value] => Ok([query, value, value]),
        [query, value, key] => Ok([query, value, key]),
        ref other => {
            Err(Error::malformed(format!("{} tensors are given, a query and a value are expected", other.len())))
        }
    }
}

fn plain(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let [query, value, key] = three(call)?;
    let (causal, scores) = (causal(call)?, wants_scores(call));
    let there = scale(call.layer)?;
    let number = |array: Arc<Array>| floats(&array).map(|numbers| f64::from(numbers[0]));
    let factor = call.weights.maybe(there, "scale")?.map(number).transpose()?.unwrap_or(1.0);
    if call.config().text("score_mode", "dot")? == "concat" {
        let share = call.weights.take("concat_score_weight").and_then(number)?;
        let met = met(call, query, key)?;
        let builder = call.builder();
        let met = if there { builder.with_scalar(Binary::Multiply, met, factor)? } else { met };
        let met = builder.map(Function::Tanh, met)?;
        let met = builder.with_scalar(Binary::Multiply, met, share)?;
        return summed(call, met, value, causal, scores);
    }
    let builder = call.builder();
    let shares = builder.attention_shares(query, key, Attention { scale: factor, causal, mask: None })?;
    let y = builder.add(Op::MatMul { transposed: false }, &[shares, value])?;
    Ok(if scores { vec![y, shares] } else { vec![y] })
}

fn additive(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let [query, value, key] = three(call)?;
    let (causal, scores) = (causal(call)?, wants_scores(call));
    let there = scale(call.layer)?;
    let factors = call.weights.maybe(there, "scale")?;
    let met = met(call, query, key)?;
    let builder = call.builder();
    let mut met = builder.map(Function::Tanh, met)?;
    if let Some(factors) = factors {
        let factors = builder.constant((*factors).clone())?;
        met = builder.binary(Binary::Multiply, met, factors)?;
    }
    summed(call, met, value, causal, scores)
}

/// `query + key` for each pair of them: (batch, queries, keys, width).
fn met(call: &mut Call<'_, '_>, query: NodeId, key: NodeId) -> Result<NodeId> {
    let builder = call.builder();
    let (query, key) = (builder.unsqueeze(query, 2)?, builder.unsqueeze(key, 1)?);
    builder.binary(Binary::Add, query, key)
}

/// Scores that are sums over the last axis, and what they make of the values.
fn summed(call: &mut Call<'_, '_>, met: NodeId, value: NodeId, causal: bool, wanted: bool) -> Result<Outputs> {
    let builder = call.builder();
    let axis = builder.shape(met).axis(-1)?;
    let mut scores = builder.add(Op::Reduce { how: Reduction::Sum, axes: vec![axis], keep: false }, &[met])?;
    if causal {
        let mask = builder.causal_mask(scores)?;
        scores = builder.binary(Binary::Add, scores, mask)?;
    }
    let axis = builder.shape(scores).axis(-1)?;
    let shares = builder.add(Op::Softmax { axis, log: false }, &[scores])?;
    let y = builder.add(Op::MatMul { transposed: false }, &[shares, value])?;
    Ok(if wanted { vec![y, shares] } else { vec![y] })
}
