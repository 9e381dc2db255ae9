//! Functions of many elements.

use super::super::graph::Graph;
use super::super::number::Kind;
use super::super::value::{Args, Tensor, Value};
use super::{Lower, number, tensor};
use crate::error::{Error, Result};
use crate::ir::network::{Array, Binary, Dense, Function, Op, Reduction};
use std::sync::Arc;

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("sum", |g, a| reduce(g, a, Reduction::Sum)),
    ("mean", |g, a| reduce(g, a, Reduction::Mean)),
    ("prod", |g, a| reduce(g, a, Reduction::Product)),
    ("amax", |g, a| reduce(g, a, Reduction::Max)),
    ("amin", |g, a| reduce(g, a, Reduction::Min)),
    ("max", |g, a| extreme(g, a, Reduction::Max, Binary::Maximum)),
    ("min", |g, a| extreme(g, a, Reduction::Min, Binary::Minimum)),
    ("any", |g, a| logical(g, a, Reduction::Max)),
    ("all", |g, a| logical(g, a, Reduction::Min)),
    ("var", |g, a| spread(g, a, false)),
    ("std", |g, a| spread(g, a, true)),
    ("logsumexp", logsumexp),
    ("norm", |g, a| norm(g, a, 1, "p")),
    ("linalg_vector_norm", |g, a| norm(g, a, 1, "ord")),
    ("argmax", |g, a| place(g, a, Reduction::Max)),
    ("argmin", |g, a| place(g, a, Reduction::Min)),
    ("cumsum", cumsum),
];

fn reduce(graph: &mut Graph, args: &Args, how: Reduction) -> Result<Value> {
    tensor(graph.reduce(how, args.tensor(0, "self")?, &args.ints(1, "dim")?, args.bool_or(2, "keepdim", false)?)?)
}

/// The extreme along an axis with its place; or the larger of two tensors.
fn extreme(graph: &mut Graph, args: &Args, how: Reduction, function: Binary) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    if let Some(Value::Tensor(other)) = args.opt(1, "other") {
        return tensor(graph.binary(function, &x, &other.clone())?);
    }
    let values = reduce(graph, args, how)?;
    Ok(match args.opt(1, "dim") {
        Some(_) => Value::List(vec![values, Value::Absent("the place of a maximum or minimum")]),
        None => values,
    })
}

fn logical(graph: &mut Graph, args: &Args, how: Reduction) -> Result<Value> {
    let truth = graph.convert(args.tensor(0, "self")?, Kind::Boolean)?;
    let all = graph.reduce(how, &truth, &args.ints(1, "dim")?, args.bool_or(2, "keepdim", false)?)?;
    tensor(Tensor { kind: Kind::Boolean, ..all })
}

/// How many elements meet in a reduction over these axes.
fn met(graph: &Graph, x: &Tensor, axes: &[i64]) -> Result<usize> {
    let shape = graph.shape(x)?;
    let mut product = 1;
    for &axis in axes {
        product *= shape.size(shape.axis(axis)?)?;
    }
    Ok(if axes.is_empty() { shape.elements() } else { product })
}

/// Variance and deviation: `sum((x - mean)^2) / (n - correction)`.
fn spread(graph: &mut Graph, args: &Args, root: bool) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    // var(self, unbiased), var(self, dim, unbiased, keepdim), var(self, dim, *, correction, keepdim)
    let (axes, unbiased) = match args.opt(1, "dim") {
        Some(Value::Bool(unbiased)) => (Vec::new(), *unbiased),
        _ => (args.ints(1, "dim")?, args.bool_or(2, "unbiased", true)?),
    };
    let correction = args.named.iter().find(|(name, _)| name == "correction").map(|(_, value)| value);
    let correction = match correction {
        Some(Value::None) | None => f64::from(u8::from(unbiased)),
        Some(value) => value.as_float()?,
    };
    let keep = args.bool_or(3, "keepdim", false)?;
    let count = number(met(graph, &x, &axes)?);
    let mean = graph.reduce(Reduction::Mean, &x, &axes, true)?;
    let off = graph.binary(Binary::Subtract, &x, &mean)?;
    let squares = graph.map(Function::Square, &off)?;
    let sum = graph.reduce(Reduction::Sum, &squares, &axes, keep)?;
    let variance = graph.with_number(Binary::Divide, &sum, (count - correction).max(0.0))?;
    tensor(if root { graph.map(Function::Sqrt, &variance)? } else { variance })
}

fn logsumexp(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let (axes, keep) = (args.ints(1, "dim")?, args.bool_or(2, "keepdim", false)?);
    let largest = graph.reduce(Reduction::Max, &x, &axes, true)?;
    let below = graph.binary(Binary::Subtract, &x, &largest)?;
    let powers = graph.map(Function::Exp, &below)?;
    let sum = graph.reduce(Reduction::Sum, &powers, &axes, keep)?;
    let log = graph.map(Function::Log, &sum)?;
    let largest = graph.reduce(Reduction::Max, &x, &axes, keep)?;
    tensor(graph.binary(Binary::Add, &log, &largest)?)
}

fn norm(graph: &mut Graph, args: &Args, place: usize, name: &str) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let (order, axes, keep) =
        (args.float_or(place, name, 2.0)?, args.ints(2, "dim")?, args.bool_or(3, "keepdim", false)?);
    let sizes = graph.map(Function::Abs, &x)?;
    if order.is_infinite() {
        let how = if order > 0.0 { Reduction::Max } else { Reduction::Min };
        return tensor(graph.reduce(how, &sizes, &axes, keep)?);
    }
    if order.to_bits() == 2f64.to_bits() {
        let squares = graph.map(Function::Square, &x)?;
        let sum = graph.reduce(Reduction::Sum, &squares, &axes, keep)?;
        return tensor(graph.map(Function::Sqrt, &sum)?);
    }
    if order <= 0.0 {
        return Err(Error::unsupported(format!("a norm of order {order} is not read; export the model to ONNX")));
    }
    let powers = graph.with_number(Binary::Power, &sizes, order)?;
    let sum = graph.reduce(Reduction::Sum, &powers, &axes, keep)?;
    tensor(graph.with_number(Binary::Power, &sum, 1.0 / order)?)
}

/// The first place of an extreme along an axis: the largest of the distances to the end among those that are equal to it.
fn place(graph: &mut Graph, args: &Args, how: Reduction) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let axis = args
        .opt(1, "dim")
        .ok_or_else(|| Error::unsupported("the place among all elements is not read; give it an axis"))?;
    let (axis, keep) = (axis.as_int()?, args.bool_or(2, "keepdim", false)?);
    let index = graph.axis(&x, axis)?;
    let size = graph.shape(&x)?.size(index)?;
    let mut shape = vec![1; graph.rank(&x)];
    shape[index] = size;
    let left = graph.numbers(Kind::Integer, &shape, (0..size).map(|place| number(size - place)).collect())?;
    let extreme = graph.reduce(how, &x, &[axis], true)?;
    let equal = graph.binary(Binary::Equal, &x, &extreme)?;
    let marks = graph.binary(Binary::Multiply, &equal, &left)?;
    let first = graph.reduce(Reduction::Max, &marks, &[axis], keep)?;
    let end = graph.scalar(Kind::Integer, number(size))?;
    let place = graph.binary(Binary::Subtract, &end, &first)?;
    tensor(Tensor { kind: Kind::Integer, ..place })
}

/// Running sums: a product with a triangle of ones.
fn cumsum(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let axis = graph.axis(&x, args.int(1, "dim")?)?;
    let size = graph.shape(&x)?.size(axis)?;
    let last = graph.rank(&x) - 1;
    let ones = (0..size).flat_map(|from| (0..size).map(move |to| f64::from(u8::from(from <= to)))).collect();
    let weights = Arc::new(Array::rounded(graph.precision(), &[size, size], ones)?);
    let moved = graph.swap(&x, axis, last)?;
    let node = graph.node(&moved)?;
    let node = graph.builder.add(Op::Dense(Dense { weights, bias: None }), &[node])?;
    let sums = graph.of_node(node, x.kind);
    tensor(graph.swap(&sums, axis, last)?)
}
