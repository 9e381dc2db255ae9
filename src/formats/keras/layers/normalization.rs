//! Normalisations.

use super::{floats, reshaped};
use crate::error::{Error, Result};
use crate::formats::keras::config::{Config, number, short};
use crate::formats::keras::layer::{Call, Layer, Outputs};
use crate::formats::keras::table::{Entry, none};
use crate::ir::Precision;
use crate::ir::network::{Array, Binary, Builder, NodeId, Norm, Normalize, Op};
use serde_json::Value;
use std::sync::Arc;

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry {
        class: "BatchNormalization",
        read: batch,
        weights: |layer| Ok((scale_and_center(layer)?.0, 2)),
        what: "with the statistics of training, over any axis",
        refused: "",
    },
    Entry {
        class: "LayerNormalization",
        read: layer,
        weights: scale_and_center,
        what: "over any axes",
        refused: "rms_scaling",
    },
    Entry {
        class: "GroupNormalization",
        read: group,
        weights: scale_and_center,
        what: "over the last axis",
        refused: "other axes",
    },
    Entry {
        class: "RMSNormalization",
        read: root,
        weights: |_| Ok((1, 0)),
        what: "over the last axis",
        refused: "other axes",
    },
    Entry { class: "UnitNormalization", read: unit, weights: none, what: "over one axis", refused: "several axes" },
    Entry {
        class: "Normalization",
        read: fixed,
        weights: statistics,
        what: "with statistics of the data or given ones, also inverted",
        refused: "",
    },
    Entry { class: "Rescaling", read: rescaling, weights: none, what: "", refused: "" },
];

fn scale_and_center(layer: Layer<'_>) -> Result<(usize, usize)> {
    let (scale, center) = flags(layer.config)?;
    Ok((usize::from(scale) + usize::from(center), 0))
}

fn flags(config: Config<'_>) -> Result<(bool, bool)> {
    Ok((config.flag("scale", true)?, config.flag("center", true)?))
}

#[allow(clippy::unnecessary_wraps)] // as the table has it
fn statistics(layer: Layer<'_>) -> Result<(usize, usize)> {
    Ok((0, if layer.config.get("mean").is_some() { 0 } else { 3 }))
}

/// The only axis of a layer.
fn one_axis(call: &mut Call<'_, '_>, x: NodeId) -> Result<usize> {
    match call.config().axes("axis")?.unwrap_or_else(|| vec![-1])[..] {
        [axis] => call.axis(x, axis),
        ref axes => Err(Error::unsupported(format!("{} axes are not read here, only one", axes.len()))),
    }
}

fn batch(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let axis = one_axis(call, x)?;
    let epsilon = call.config().number_or("epsilon", 1e-3)?;
    let (scale, center) = flags(call.config())?;
    let (gamma, beta) = (call.weights.maybe(scale, "gamma")?, call.weights.maybe(center, "beta")?);
    let (mean, variance) = (call.weights.take("moving_mean")?, call.weights.take("moving_variance")?);
    let (mean, variance) = (floats(&mean)?, floats(&variance)?);
    let gamma = gamma.as_deref().map(floats).transpose()?;
    let beta = beta.as_deref().map(floats).transpose()?;
    let size = mean.len();
    if variance.len() != size
        || gamma.is_some_and(|gamma| gamma.len() != size)
        || beta.is_some_and(|beta| beta.len() != size)
    {
        return Err(Error::malformed("its weights are not of one length"));
    }
    let (mut factors, mut summands) = (Vec::with_capacity(size), Vec::with_capacity(size));
    for at in 0..size {
        let factor = gamma.map_or(1.0, |gamma| f64::from(gamma[at])) / (f64::from(variance[at]) + epsilon).sqrt();
        factors.push(factor);
        summands.push(beta.map_or(0.0, |beta| f64::from(beta[at])) - f64::from(mean[at]) * factor);
    }
    let array = |numbers| Array::rounded(Precision::F32, &[size], numbers).map(Arc::new);
    let (scale, shift) = (array(factors)?, array(summands)?);
    Ok(vec![call.builder().add(Op::Affine { axis, scale, shift }, &[x])?])
}

/// A normalisation over some axes, which come last for it and go back.
fn over(builder: &mut Builder, x: NodeId, axes: &[usize], normalize: Normalize) -> Result<NodeId> {
    let rank = builder.shape(x).rank();
    let mut order: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    order.extend(axes);
    let mut back = vec![0; rank];
    order.iter().enumerate().for_each(|(place, &axis)| back[axis] = place);
    let y = builder.transpose(x, &order)?;
    let y = builder.add(Op::Normalize(normalize), &[y])?;
    builder.transpose(y, &back)
}

fn layer(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (config, x) = (call.config(), call.x()?);
    if config.flag("rms_scaling", false)? {
        return Err(Error::unsupported("rms_scaling is not read; use RMSNormalization"));
    }
    let mut axes = Vec::new();
    for axis in config.axes("axis")?.unwrap_or_else(|| vec![-1]) {
        axes.push(call.axis(x, axis)?);
    }
    axes.sort_unstable();
    axes.dedup();
    let norm = Norm::Layer { epsilon: config.number_or("epsilon", 1e-3)? };
    let (scale, center) = flags(config)?;
    let (scale, shift) = (call.weights.maybe(scale, "gamma")?, call.weights.maybe(center, "beta")?);
    let normalize = Normalize { norm, axes: axes.len(), scale, shift };
    Ok(vec![over(call.builder(), x, &axes, normalize)?])
}

/// Every group of channels is normalised over itself and all steps.
fn group(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (config, x) = (call.config(), call.x()?);
    let axis = one_axis(call, x)?;
    let builder = call.builder();
    let shape = builder.shape(x).clone();
    if axis + 1 != shape.rank() || axis == 0 {
        return Err(Error::unsupported("groups along another axis than the last are not read; move it there"));
    }
    let channels = shape.last()?;
    let groups = match config.get("groups") {
        Some(Value::Number(number)) if number.as_i64() == Some(-1) => channels,
        _ => config.count_or("groups", 32)?,
    };
    if groups == 0 || !channels.is_multiple_of(groups) {
        return Err(Error::malformed(format!("{channels} channels do not fall into {groups} groups")));
    }
    let steps: usize = shape.dims()[1..axis].iter().map(|dim| dim.per_row()).product();
    let (scale, center) = flags(config)?;
    let (gamma, beta) = (call.weights.maybe(scale, "gamma")?, call.weights.maybe(center, "beta")?);
    let norm = Norm::Layer { epsilon: config.number_or("epsilon", 1e-3)? };
    let builder = call.builder();
    let y = builder.reshape(x, &[None, Some(steps), Some(groups), Some(channels / groups)])?;
    let y = builder.swap(y, 1, 2)?;
    let y = builder.add(Op::Normalize(Normalize { norm, axes: 2, scale: None, shift: None }), &[y])?;
    let y = builder.swap(y, 1, 2)?;
    let sizes: Vec<Option<usize>> =
        std::iter::once(None).chain(shape.dims()[1..].iter().map(|dim| Some(dim.per_row()))).collect();
    let mut y = builder.reshape(y, &sizes)?;
    for (function, weights) in [(Binary::Multiply, gamma), (Binary::Add, beta)] {
        if let Some(weights) = weights {
            let weights = builder.add(Op::Constant(weights), &[])?;
            y = builder.binary(function, y, weights)?;
        }
    }
    Ok(vec![y])
}

fn root(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let axis = one_axis(call, x)?;
    if axis + 1 != call.rank(x) {
        return Err(Error::unsupported("an axis other than the last is not read; move it there"));
    }
    let norm = Norm::Rms { epsilon: call.config().number_or("epsilon", 1e-6)? };
    let scale = call.weights.take("scale")?;
    let normalize = Normalize { norm, axes: 1, scale: Some(scale), shift: None };
    Ok(vec![call.builder().add(Op::Normalize(normalize), &[x])?])
}

fn unit(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let x = call.x()?;
    let axis = one_axis(call, x)?;
    Ok(vec![to_unit_length(call.builder(), x, axis)?])
}

/// `x / sqrt(max(sum(x^2), 1e-12))` along an axis.
pub(in crate::formats::keras) fn to_unit_length(builder: &mut Builder, x: NodeId, axis: usize) -> Result<NodeId> {
    let normalize = Normalize { norm: Norm::Unit { least: 1e-12 }, axes: 1, scale: None, shift: None };
    over(builder, x, &[axis], normalize)
}

/// `(x - mean) / max(sqrt(variance), 1e-7)`.
fn fixed(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (config, x) = (call.config(), call.x()?);
    let rank = call.rank(x);
    let given = |key: &str| -> Result<Arc<Array>> {
        let numbers = numbers(config.need(key)?).map_err(|error| error.within(key))?;
        let size = numbers.len();
        Array::rounded(Precision::F32, if size == 1 { &[] } else { std::slice::from_ref(&size) }, numbers).map(Arc::new)
    };
    let (mean, variance) = if config.get("mean").is_some() {
        (given("mean")?, given("variance")?)
    } else {
        (call.weights.take("mean")?, call.weights.take("variance")?)
    };
    let mut axes = Vec::new();
    for axis in config.axes("axis")?.unwrap_or_default() {
        axes.push(call.axis(x, axis)?);
    }
    axes.sort_unstable();
    // Each number stands for an index of these axes.
    let mut sizes = vec![1; rank.saturating_sub(1)];
    for &axis in &axes {
        let size = call.builder().shape(x).size(axis)?;
        if let Some(place) = axis.checked_sub(1) {
            sizes[place] = size;
        }
    }
    if mean.len() == 1 {
        sizes.fill(1);
    }
    let deviation = floats(&variance)?.iter().map(|variance| variance.sqrt().max(1e-7)).collect();
    let deviation = Array::f32(variance.shape(), deviation)?;
    let builder = call.builder();
    let mean = builder.add(Op::Constant(reshaped(&mean, &sizes)?), &[])?;
    let deviation = builder.add(Op::Constant(reshaped(&deviation, &sizes)?), &[])?;
    let y = if config.flag("invert", false)? {
        let y = builder.binary(Binary::Multiply, x, deviation)?;
        builder.binary(Binary::Add, y, mean)?
    } else {
        let y = builder.binary(Binary::Subtract, x, mean)?;
        builder.binary(Binary::Divide, y, deviation)?
    };
    Ok(vec![y])
}

/// Numbers of a setting: one, a list, or a list of lists with one of them.
fn numbers(value: &Value) -> Result<Vec<f64>> {
    match value {
        Value::Array(list) => match &list[..] {
            [inner @ Value::Array(_)] => numbers(inner),
            _ => list.iter().map(number).collect(),
        },
        Value::Object(map) => match map.get("value").or_else(|| map.get("config")?.get("value")) {
            Some(inner) if !inner.is_object() => numbers(inner),
            _ => Err(Error::malformed(format!("{} is there, numbers are expected", short(value)))),
        },
        one => number(one).map(|one| vec![one]),
    }
}

fn rescaling(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let (config, mut y) = (call.config(), call.x()?);
    for (function, key, nothing) in [(Binary::Multiply, "scale", 1.0), (Binary::Add, "offset", 0.0)] {
        let numbers = config.get(key).map_or(Ok(vec![nothing]), numbers).map_err(|error| error.within(key))?;
        let builder = call.builder();
        y = if let [one] = numbers[..] {
            builder.with_scalar(function, y, one)?
        } else {
            let array = builder.constant(Array::rounded(Precision::F32, &[numbers.len()], numbers)?)?;
            builder.binary(function, y, array)?
        };
    }
    Ok(vec![y])
}
