//! Convolutions and pooling along the steps. PyTorch has channels before steps; the network has them behind.

use super::super::graph::Graph;
use super::super::known::transposed;
use super::super::value::{Args, Tensor, Value};
use super::{Lower, natural, positive, tensor};
use crate::error::{Error, Result};
use crate::ir::network::{Array, Convolution, NodeId, Op, Pool, Pooling};
use std::sync::Arc;

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("conv1d", conv1d),
    ("_convolution_mode", conv1d),
    ("convolution", convolution),
    ("_convolution", convolution),
    ("conv_transpose1d", conv_transpose1d),
    ("max_pool1d", |g, a| pool(g, a, Pooling::Max)),
    ("max_pool1d_with_indices", |g, a| Ok(with_places(pool(g, a, Pooling::Max)?))),
    ("max_pool2d", |g, a| pool(g, a, Pooling::Max)),
    ("max_pool2d_with_indices", |g, a| Ok(with_places(pool(g, a, Pooling::Max)?))),
    ("avg_pool1d", |g, a| pool(g, a, Pooling::Mean)),
    ("avg_pool2d", |g, a| pool(g, a, Pooling::Mean)),
    ("adaptive_avg_pool1d", |g, a| adaptive(g, a, Pooling::Mean)),
    ("_adaptive_avg_pool2d", |g, a| adaptive(g, a, Pooling::Mean)),
    ("adaptive_avg_pool2d", |g, a| adaptive(g, a, Pooling::Mean)),
    ("adaptive_max_pool1d", |g, a| Ok(with_places(adaptive(g, a, Pooling::Max)?))),
    ("adaptive_max_pool2d", |g, a| Ok(with_places(adaptive(g, a, Pooling::Max)?))),
];

/// Values in front of the places where they were found.
fn with_places(value: Value) -> Value {
    Value::List(vec![value, Value::Absent("the place of a maximum")])
}

/// How windows lie; a list for two axes must be that of one window along the first of them.
struct Windows {
    size: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
}

/// The number for the steps out of a list for one axis or two.
fn of_steps(numbers: &[i64], flat: i64, what: &str) -> Result<i64> {
    match *numbers {
        [steps] => Ok(steps),
        [rows, steps] if rows == flat => Ok(steps),
        _ => Err(Error::unsupported(format!("{what} of {numbers:?}: images are not read; export the model to ONNX"))),
    }
}

/// Runs a function over (.., steps, channels); of four axes the third must be one element.
fn along(graph: &mut Graph, x: &Tensor, run: impl FnOnce(&mut Graph, NodeId) -> Result<NodeId>) -> Result<Value> {
    let rank = graph.rank(x);
    if rank == 4 && graph.shape(x)?.size(2)? != 1 {
        return Err(Error::unsupported("images are not read; export the model to ONNX"));
    }
    let steps = if rank == 4 { graph.squeeze(x, 2)? } else { x.clone() };
    if graph.rank(&steps) != 3 {
        return Err(Error::unsupported(format!("a tensor of {rank} axes, (rows, channels, steps) is expected")));
    }
    let moved = graph.swap(&steps, 1, 2)?;
    let node = graph.node(&moved)?;
    let node = run(graph, node)?;
    let moved = graph.of_node(node, x.kind);
    let result = graph.swap(&moved, 1, 2)?;
    tensor(if rank == 4 { graph.unsqueeze(&result, 2)? } else { result })
}

/// Kernels of PyTorch are (filters, channels, taps).
fn kernel(weight: &Tensor) -> Result<Arc<Array>> {
    let known = Graph::known(weight, "weights of a convolution")?;
    match *known.shape() {
        [_, _, _] => Ok(Arc::new(transposed(&known, &[2, 1, 0])?)),
        [filters, channels, 1, taps] => {
            let flat = Array::new(vec![filters, channels, taps], known.data().clone())?;
            Ok(Arc::new(transposed(&flat, &[2, 1, 0])?))
        }
        _ => Err(Error::unsupported(format!("weights of shape {:?}: images are not read", known.shape()))),
    }
}

fn one(numbers: &[i64], default: i64, flat: i64, what: &str) -> Result<i64> {
    if numbers.is_empty() { Ok(default) } else { of_steps(numbers, flat, what) }
}

fn conv1d(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "input")?.clone();
    let kernel = kernel(args.tensor(1, "weight")?)?;
    let bias = args.opt_tensor(2, "bias")?.map(|bias| Graph::known(bias, "bias")).transpose()?;
    let stride = positive(one(&args.ints(3, "stride")?, 1, 1, "a stride")?, "stride")?;
    let dilation = positive(one(&args.ints(5, "dilation")?, 1, 1, "a dilation")?, "dilation")?;
    let groups = positive(args.int_or(6, "groups", 1)?, "groups")?;
    let (before, after) = match args.opt(4, "padding") {
        Some(Value::Text(mode)) if mode == "same" => {
            let all = (kernel.shape()[0] - 1).saturating_mul(dilation);
            (all / 2, all - all / 2)
        }
        Some(Value::Text(mode)) if mode == "valid" => (0, 0),
        _ => {
            let places = natural(one(&args.ints(4, "padding")?, 0, 0, "a padding")?, "padding")?;
            (places, places)
        }
    };
    let convolution = Convolution { kernel, bias, stride, dilation, groups, before, after };
    along(graph, &x, |graph, node| graph.builder.add(Op::Convolution(convolution), &[node]))
}

/// `convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)`.
fn convolution(graph: &mut Graph, args: &Args) -> Result<Value> {
    let pick = |places: &[(usize, &str, &str)]| {
        let named =
            places.iter().filter_map(|&(place, name, to)| Some((to.to_owned(), args.opt(place, name)?.clone())));
        Args { placed: Vec::new(), named: named.collect() }
    };
    let common = [
        (0, "input", "input"),
        (1, "weight", "weight"),
        (2, "bias", "bias"),
        (3, "stride", "stride"),
        (4, "padding", "padding"),
        (5, "dilation", "dilation"),
        (8, "groups", "groups"),
    ];
    if args.bool_or(6, "transposed", false)? {
        let mut all = common.to_vec();
        all.push((7, "output_padding", "output_padding"));
        return conv_transpose1d(graph, &pick(&all));
    }
    conv1d(graph, &pick(&common))
}

/// A convolution whose steps are spread by zeros; weights are (channels, filters / groups, taps).
fn conv_transpose1d(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "input")?.clone();
    let weight = Graph::known(args.tensor(1, "weight")?, "weights of a convolution")?;
    let bias = args.opt_tensor(2, "bias")?.map(|bias| Graph::known(bias, "bias")).transpose()?;
    let stride = positive(one(&args.ints(3, "stride")?, 1, 1, "a stride")?, "stride")?;
    let padding = natural(one(&args.ints(4, "padding")?, 0, 0, "a padding")?, "padding")?;
    let extra = natural(one(&args.ints(5, "output_padding")?, 0, 0, "an output_padding")?, "output_padding")?;
    let groups = positive(args.int_or(6, "groups", 1)?, "groups")?;
    let dilation = positive(one(&args.ints(7, "dilation")?, 1, 1, "a dilation")?, "dilation")?;
    let [channels, filters, taps] = *weight.shape() else {
        return Err(Error::unsupported(format!("weights of shape {:?}: images are not read", weight.shape())));
    };
    if !channels.is_multiple_of(groups) {
        return Err(Error::malformed(format!("{channels} channels in {groups} groups")));
    }
    let inside = channels / groups;
    // Taps run backwards, and every group's channels and filters change sides.
    let data: Vec<f64> = weight.values().collect();
    let mut numbers = Vec::with_capacity(data.len());
    for tap in (0..taps).rev() {
        for channel in 0..inside {
            for group in 0..groups {
                for filter in 0..filters {
                    numbers.push(data[((group * inside + channel) * filters + filter) * taps + tap]);
                }
            }
        }
    }
    let kernel = Arc::new(Array::rounded(graph.precision(), &[taps, inside, groups * filters], numbers)?);
    let reach = (taps - 1).saturating_mul(dilation);
    let (Some(before), Some(after)) = (reach.checked_sub(padding), reach.saturating_add(extra).checked_sub(padding))
    else {
        return Err(Error::unsupported(
            "a transposed convolution that cuts more than it adds; export the model to ONNX",
        ));
    };
    let convolution = Convolution { kernel, bias, stride: 1, dilation, groups, before, after };
    along(graph, &x, |graph, node| {
        let axis = graph.builder.shape(node).rank() - 2;
        let spread = graph.builder.spread(node, axis, stride - 1)?;
        graph.builder.add(Op::Convolution(convolution), &[spread])
    })
}

fn windows(args: &Args, dilated: bool) -> Result<Windows> {
    let size = one(&args.ints(1, "kernel_size")?, 0, 1, "a kernel")?;
    let stride = one(&args.ints(2, "stride")?, size, 1, "a stride")?;
    let padding = one(&args.ints(3, "padding")?, 0, 0, "a padding")?;
    let dilation = if dilated { one(&args.ints(4, "dilation")?, 1, 1, "a dilation")? } else { 1 };
    Ok(Windows {
        size: positive(size, "kernel_size")?,
        stride: positive(stride, "stride")?,
        padding: natural(padding, "padding")?,
        dilation: positive(dilation, "dilation")?,
    })
}

fn pool(graph: &mut Graph, args: &Args, how: Pooling) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let Windows { size, stride, padding, dilation } = windows(args, how == Pooling::Max)?;
    let (ceil, how) = if how == Pooling::Max {
        (args.bool_or(5, "ceil_mode", false)?, how)
    } else {
        let counted = args.bool_or(5, "count_include_pad", true)?;
        (args.bool_or(4, "ceil_mode", false)?, if counted && padding > 0 { Pooling::MeanOfAll } else { Pooling::Mean })
    };
    let steps = graph.shape(&x)?.last()?;
    let reach = (size - 1).saturating_mul(dilation).saturating_add(1);
    let mut after = padding;
    if ceil {
        let whole = steps + 2 * padding;
        let rest = whole.saturating_sub(reach) % stride;
        // The last window may reach beyond the end, but must begin before it.
        if whole >= reach && rest != 0 && whole - rest - reach + stride < steps + padding {
            after += stride - rest;
            if how == Pooling::MeanOfAll {
                return Err(Error::unsupported(
                    "ceil_mode with padding that is counted is not read; export the model to ONNX",
                ));
            }
        }
    }
    let pool = Pool { how, size, stride, dilation, before: padding, after };
    along(graph, &x, |graph, node| graph.builder.add(Op::Pool(pool), &[node]))
}

fn adaptive(graph: &mut Graph, args: &Args, how: Pooling) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let count = positive(of_steps(&args.ints(1, "output_size")?, 1, "windows")?, "output_size")?;
    along(graph, &x, |graph, node| graph.builder.adaptive_pool(node, how, count))
}
