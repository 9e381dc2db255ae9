//! Layers with weights: normalisations, embeddings.

use super::super::graph::Graph;
use super::super::value::{Args, Size, Tensor, Value};
use super::{Lower, positive, tensor};
use crate::error::{Error, Result};
use crate::ir::network::{Array, Norm, Normalize, Op};
use std::sync::Arc;

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("batch_norm", |g, a| batch_norm(g, a, 7, Some(5))),
    ("_native_batch_norm_legit_no_training", |g, a| Ok(with_statistics(batch_norm(g, a, 6, None)?))),
    ("native_batch_norm", |g, a| Ok(with_statistics(batch_norm(g, a, 7, Some(5))?))),
    ("layer_norm", layer_norm),
    ("native_layer_norm", |g, a| Ok(with_statistics(layer_norm(g, a)?))),
    ("rms_norm", rms_norm),
    ("group_norm", group_norm),
    ("instance_norm", instance_norm),
    ("embedding", embedding),
    ("_assert_tensor_metadata", |_, _| Ok(Value::None)),
    ("sym_constrain_range_for_size", |_, _| Ok(Value::None)),
    ("_assert_async", |_, _| Ok(Value::None)),
];

/// A result in front of statistics that only training needs.
fn with_statistics(value: Value) -> Value {
    Value::List(vec![value, Value::Absent("a statistic of the rows"), Value::Absent("a statistic of the rows")])
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` with the statistics of training, one of each for a channel of axis 1.
fn batch_norm(graph: &mut Graph, args: &Args, epsilon: usize, training: Option<usize>) -> Result<Value> {
    let x = args.tensor(0, "input")?.clone();
    if let Some(place) = training
        && args.bool_or(place, "training", false)?
    {
        return Err(Error::unsupported("the model was exported while training; call eval() before it is exported"));
    }
    let epsilon = args.float_or(epsilon, "eps", 1e-5)?;
    let known = |place, name: &str| match args.opt_tensor(place, name)? {
        Some(tensor) => Graph::known(tensor, name).map(Some),
        None => Ok(None),
    };
    let (Some(mean), Some(variance)) = (known(3, "running_mean")?, known(4, "running_var")?) else {
        return Err(Error::unsupported(
            "a batch normalisation without running statistics mixes the rows; train it with them",
        ));
    };
    let (weight, bias) = (known(1, "weight")?, known(2, "bias")?);
    let count = mean.len();
    let of = |array: &Option<Arc<Array>>, index: usize, default: f64| {
        array.as_ref().map_or(Some(default), |array| array.values().nth(index))
    };
    let mut scale = Vec::with_capacity(count);
    let mut shift = Vec::with_capacity(count);
    for (index, (mean, variance)) in mean.values().zip(variance.values()).enumerate() {
        let (Some(weight), Some(bias)) = (of(&weight, index, 1.0), of(&bias, index, 0.0)) else {
            return Err(Error::malformed("weights and statistics are of different lengths"));
        };
        let factor = weight / (variance + epsilon).sqrt();
        scale.push(factor);
        shift.push(mean.mul_add(-factor, bias));
    }
    let (scale, shift) = (along(graph, scale)?, along(graph, shift)?);
    let node = graph.node(&x)?;
    let node = graph.builder.add(Op::Affine { axis: 1, scale, shift }, &[node])?;
    Ok(graph.float(node))
}

fn along(graph: &Graph, numbers: Vec<f64>) -> Result<Arc<Array>> {
    Ok(Arc::new(Array::rounded(graph.precision(), &[numbers.len()], numbers)?))
}

fn normalized(graph: &mut Graph, args: &Args, norm: Norm, bias: Option<usize>) -> Result<Value> {
    let x = args.tensor(0, "input")?.clone();
    let axes = args.ints(1, "normalized_shape")?.len();
    let known = |place, name: &str| args.opt_tensor(place, name)?.map(|tensor| Graph::known(tensor, name)).transpose();
    let scale = known(2, "weight")?;
    let shift = bias.map(|place| known(place, "bias")).transpose()?.flatten();
    let node = graph.node(&x)?;
    let node = graph.builder.add(Op::Normalize(Normalize { norm, axes, scale, shift }), &[node])?;
    Ok(graph.float(node))
}

fn layer_norm(graph: &mut Graph, args: &Args) -> Result<Value> {
    let epsilon = args.float_or(4, "eps", 1e-5)?;
    normalized(graph, args, Norm::Layer { epsilon }, Some(3))
}

fn rms_norm(graph: &mut Graph, args: &Args) -> Result<Value> {
    let epsilon = args.float_or(3, "eps", f64::from(f32::EPSILON))?;
    normalized(graph, args, Norm::Rms { epsilon }, None)
}

/// Statistics over the channels of a group and all that lies behind them.
fn grouped(graph: &mut Graph, x: &Tensor, groups: usize, epsilon: f64, weights: [Option<&Tensor>; 2]) -> Result<Value> {
    let shape = graph.shape(x)?;
    let channels = shape.size(1)?;
    if groups == 0 || !channels.is_multiple_of(groups) {
        return Err(Error::malformed(format!("{channels} channels in {groups} groups")));
    }
    let sizes = (0..shape.rank()).map(|axis| graph.size(x, axis)).collect::<Result<Vec<_>>>()?;
    let number = |number: usize| Size::Fixed(i64::try_from(number).unwrap_or(i64::MAX));
    let split = graph.reshape(x, &[sizes[0], number(groups), number(shape.elements() / groups)])?;
    let node = graph.node(&split)?;
    let normalize = Normalize { norm: Norm::Layer { epsilon }, axes: 1, scale: None, shift: None };
    let node = graph.builder.add(Op::Normalize(normalize), &[node])?;
    let normal = graph.of_node(node, x.kind);
    let normal = graph.reshape(&normal, &sizes)?;
    let [weight, bias] = weights;
    if weight.is_none() && bias.is_none() {
        return tensor(normal);
    }
    let known = |tensor: Option<&Tensor>, default: f64| match tensor {
        Some(tensor) => Graph::known(tensor, "weights"),
        None => along(graph, vec![default; channels]),
    };
    let (scale, shift) = (known(weight, 1.0)?, known(bias, 0.0)?);
    let node = graph.node(&normal)?;
    let node = graph.builder.add(Op::Affine { axis: 1, scale, shift }, &[node])?;
    Ok(graph.float(node))
}

fn group_norm(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "input")?.clone();
    let groups = positive(args.int(1, "num_groups")?, "num_groups")?;
    let weights = [args.opt_tensor(2, "weight")?, args.opt_tensor(3, "bias")?];
    grouped(graph, &x, groups, args.float_or(4, "eps", 1e-5)?, weights)
}

fn instance_norm(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "input")?.clone();
    if !args.bool_or(5, "use_input_stats", true)? {
        return batch_norm(graph, args, 7, None);
    }
    let groups = graph.shape(&x)?.size(1)?;
    let weights = [args.opt_tensor(1, "weight")?, args.opt_tensor(2, "bias")?];
    grouped(graph, &x, groups, args.float_or(7, "eps", 1e-5)?, weights)
}

fn embedding(graph: &mut Graph, args: &Args) -> Result<Value> {
    let table = Graph::known(args.tensor(0, "weight")?, "rows of an embedding")?;
    let codes = args.tensor(1, "indices")?.clone();
    let node = graph.node(&codes)?;
    let node = graph.builder.add(Op::Embedding(table), &[node])?;
    Ok(graph.float(node))
}
