//! Operations that compute.

use super::{Activation, axis, flag, given, indices, number, operand, setting};
use crate::error::{Error, Result};
use crate::formats::keras::layer::{Arg, Call, Outputs};
use crate::formats::keras::layers::normalization::to_unit_length;
use crate::ir::network::{Binary, Function, NodeId, Op, Reduction};
use serde_json::Value;

type Read = fn(&mut Call<'_, '_>) -> Result<Outputs>;

pub(super) fn reader(name: &str) -> Option<Read> {
    Some(match name {
        "clip" | "clipbyvalue" => clip,
        "matmul" => matmul,
        "where" | "select" => choose,
        "var" | "variance" => |call| spread(call, false),
        "std" => |call| spread(call, true),
        "l2normalize" | "normalize" => unit,
        "cast" => cast,
        "squareddifference" => difference,
        "leakyrelu" => leaky,
        _ => return None,
    })
}

/// Axes that are reduced over: all but the rows unless some are named.
fn axes(call: &mut Call<'_, '_>, x: NodeId) -> Result<Vec<usize>> {
    let named = match setting(call, 1, &["axis"]) {
        None => {
            return Err(Error::unsupported("a reduction over all axes mixes the rows; name the axes behind the first"));
        }
        Some(arg) => indices(&arg)?,
    };
    let mut axes = Vec::with_capacity(named.len());
    for axis in named {
        axes.push(call.axis(x, axis)?);
    }
    axes.sort_unstable();
    axes.dedup();
    Ok(axes)
}

pub(super) fn reduce(call: &mut Call<'_, '_>, how: Reduction) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "input_tensor"])?;
    let axes = axes(call, x)?;
    let keep = flag(call, &["keepdims", "keep_dims"])?;
    Ok(vec![call.builder().add(Op::Reduce { how, axes, keep }, &[x])?])
}

/// The variance of the population, or its root.
fn spread(call: &mut Call<'_, '_>, root: bool) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "input_tensor"])?;
    let axes = axes(call, x)?;
    let keep = flag(call, &["keepdims"])?;
    let builder = call.builder();
    let mean = builder.add(Op::Reduce { how: Reduction::Mean, axes: axes.clone(), keep: true }, &[x])?;
    let off = builder.binary(Binary::Subtract, x, mean)?;
    let square = builder.map(Function::Square, off)?;
    let y = builder.add(Op::Reduce { how: Reduction::Mean, axes, keep }, &[square])?;
    Ok(vec![if root { builder.map(Function::Sqrt, y)? } else { y }])
}

fn clip(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "t"])?;
    let min = number(call, 1, &["x_min", "clip_value_min"])?.unwrap_or(f64::NEG_INFINITY);
    let max = number(call, 2, &["x_max", "clip_value_max"])?.unwrap_or(f64::INFINITY);
    Ok(vec![call.builder().map(Function::Clip { min, max }, x)?])
}

fn matmul(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (mut left, right) = (operand(call, 0, &["a", "x1"])?, operand(call, 1, &["b", "x2"])?);
    if flag(call, &["transpose_a"])? {
        let rank = call.rank(left);
        left = call.builder().swap(left, rank.saturating_sub(2), rank.saturating_sub(1))?;
    }
    let transposed = flag(call, &["transpose_b"])?;
    Ok(vec![call.builder().add(Op::MatMul { transposed }, &[left, right])?])
}

fn choose(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let condition = operand(call, 0, &["condition"])?;
    let (yes, no) = (operand(call, 1, &["x", "x1"])?, operand(call, 2, &["y", "x2"])?);
    Ok(vec![call.builder().add(Op::Choose, &[condition, yes, no])?])
}

fn unit(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x"])?;
    if number(call, usize::MAX, &["order"])?.is_some_and(|order| order != 2.0) {
        return Err(Error::unsupported("a normalisation of another order than 2 is not read"));
    }
    let axis = axis(call, x, 1, -1)?;
    Ok(vec![to_unit_length(call.builder(), x, axis)?])
}

fn cast(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x"])?;
    match setting(call, 1, &["dtype"]).or_else(|| call.config().get("dtype").map(Arg::Json)) {
        Some(Arg::Json(Value::String(to))) if to.contains("float32") => Ok(vec![x]),
        Some(Arg::Json(Value::String(to))) if to.contains("int") => {
            Ok(vec![call.builder().map(Function::Truncate, x)?])
        }
        _ => Err(Error::unsupported("a cast to another type than float32 or an integer is not read")),
    }
}

fn difference(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (left, right) = (operand(call, 0, &["x"])?, operand(call, 1, &["y"])?);
    let builder = call.builder();
    let off = builder.binary(Binary::Subtract, left, right)?;
    Ok(vec![builder.map(Function::Square, off)?])
}

fn leaky(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = operand(call, 0, &["x", "features"])?;
    let slope = number(call, 1, &["negative_slope", "alpha"])?.unwrap_or(0.2);
    Ok(vec![call.builder().map(Function::BentRelu { slope, threshold: 0.0, max: f64::INFINITY }, x)?])
}

/// An activation that is called as a function; `None` when there is none of this name.
pub(super) fn activation(call: &mut Call<'_, '_>, name: &str) -> Result<Option<Outputs>> {
    const NAMES: [&str; 28] = [
        "relu",
        "relu6",
        "elu",
        "celu",
        "selu",
        "gelu",
        "silu",
        "swish",
        "hard_silu",
        "hard_swish",
        "mish",
        "softplus",
        "softsign",
        "tanh",
        "sigmoid",
        "log_sigmoid",
        "hard_sigmoid",
        "hard_tanh",
        "squareplus",
        "tanh_shrink",
        "soft_shrink",
        "hard_shrink",
        "sparse_sigmoid",
        "sparse_plus",
        "softmax",
        "log_softmax",
        "glu",
        "leaky_relu",
    ];
    let Some(known) = NAMES.iter().find(|known| known.chars().filter(|letter| *letter != '_').eq(name.chars())) else {
        return Ok(None);
    };
    let x = operand(call, 0, &["x", "input", "features", "logits"])?;
    if matches!(*known, "softmax" | "log_softmax") {
        let axis = axis(call, x, 1, -1)?;
        return Ok(Some(vec![call.builder().add(Op::Softmax { axis, log: *known == "log_softmax" }, &[x])?]));
    }
    for (key, usual) in [("alpha", 1.0), ("threshold", 0.5), ("b", 4.0)] {
        if number(call, usize::MAX, &[key])?.is_some_and(|given| given != usual) {
            return Err(Error::unsupported(format!(
                "{known} with '{key}' other than {usual} is not read; use the layer"
            )));
        }
    }
    if *known == "gelu" && given(call, usize::MAX, &["approximate"]).is_some() || flag(call, &["approximate"])? {
        let exact = !flag(call, &["approximate"])?;
        let function = if exact { Function::Gelu } else { Function::GeluTanh };
        return Ok(Some(vec![call.builder().map(function, x)?]));
    }
    let third = call.reader.third;
    let name = Value::String((*known).to_owned());
    let function = Activation::parse(&name, third)?;
    let each = match function {
        Activation::Each(function) => Activation::Each(function),
        Activation::Softmax { log } => Activation::Softmax { log },
        Activation::Gated => Activation::Gated,
        Activation::SparsePlus => Activation::SparsePlus,
        Activation::Layer(_) => return Ok(None),
    };
    each.apply(call, x).map(Some)
}
