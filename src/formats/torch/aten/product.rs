//! Matrix products.

use super::super::graph::Graph;
use super::super::known::transposed;
use super::super::value::{Args, Size, Tensor, Value};
use super::{Lower, tensor};
use crate::error::{Error, Result};
use crate::ir::network::{Array, Binary, Dense, Op, Reduction};
use std::sync::Arc;

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("linear", linear),
    ("addmm", addmm),
    ("matmul", |g, a| two(g, a, 1, "other")),
    ("mm", |g, a| two(g, a, 1, "mat2")),
    ("bmm", |g, a| two(g, a, 1, "mat2")),
    ("mv", |g, a| two(g, a, 1, "vec")),
    ("__matmul__", |g, a| two(g, a, 1, "other")),
    ("baddbmm", baddbmm),
    ("bilinear", bilinear),
    ("einsum", einsum),
];

/// `x * weights + bias` with known weights of shape (inputs, outputs).
pub(super) fn dense(graph: &mut Graph, x: &Tensor, weights: Array, bias: Option<&Tensor>) -> Result<Tensor> {
    let outputs = weights.shape()[1];
    let known = match bias.map(|bias| Graph::known(bias, "bias")) {
        Some(Ok(bias)) if bias.shape() == [outputs] => Some(bias),
        _ => None,
    };
    let node = graph.node(x)?;
    let later = bias.filter(|_| known.is_none());
    let node = graph.builder.add(Op::Dense(Dense { weights: Arc::new(weights), bias: known }), &[node])?;
    let product = graph.of_node(node, x.kind);
    match later {
        Some(bias) => graph.binary(Binary::Add, &product, bias),
        None => Ok(product),
    }
}

fn linear(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (x, weight) = (args.tensor(0, "input")?.clone(), args.tensor(1, "weight")?.clone());
    let bias = args.opt_tensor(2, "bias")?.cloned();
    tensor(through(graph, &x, &weight, bias.as_ref())?)
}

/// `x * weight^T + bias`, weights being (outputs, inputs).
pub(super) fn through(graph: &mut Graph, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if let Ok(known) = Graph::known(weight, "weights")
        && known.shape().len() == 2
    {
        return dense(graph, x, transposed(&known, &[1, 0])?, bias);
    }
    let weight = graph.swap(weight, 0, 1)?;
    let product = multiply(graph, x, &weight)?;
    match bias {
        Some(bias) => graph.binary(Binary::Add, &product, bias),
        None => Ok(product),
    }
}

/// `beta * self + alpha * (mat1 @ mat2)`.
fn addmm(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (bias, left, right) =
        (args.tensor(0, "self")?.clone(), args.tensor(1, "mat1")?.clone(), args.tensor(2, "mat2")?.clone());
    scaled_sum(graph, args, &bias, &left, &right)
}

fn baddbmm(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (bias, left, right) =
        (args.tensor(0, "self")?.clone(), args.tensor(1, "batch1")?.clone(), args.tensor(2, "batch2")?.clone());
    scaled_sum(graph, args, &bias, &left, &right)
}

fn scaled_sum(graph: &mut Graph, args: &Args, bias: &Tensor, left: &Tensor, right: &Tensor) -> Result<Value> {
    let (beta, alpha) = (args.float_or(3, "beta", 1.0)?, args.float_or(4, "alpha", 1.0)?);
    let is_one = |number: f64| number.to_bits() == 1f64.to_bits();
    if is_one(beta)
        && is_one(alpha)
        && let Ok(known) = Graph::known(right, "weights")
        && known.shape().len() == 2
    {
        return tensor(dense(graph, left, (*known).clone(), Some(bias))?);
    }
    let mut product = multiply(graph, left, right)?;
    if !is_one(alpha) {
        product = graph.with_number(Binary::Multiply, &product, alpha)?;
    }
    if beta == 0.0 {
        return tensor(product);
    }
    let bias = if is_one(beta) { bias.clone() } else { graph.with_number(Binary::Multiply, bias, beta)? };
    tensor(graph.binary(Binary::Add, &product, &bias)?)
}

fn two(graph: &mut Graph, args: &Args, place: usize, name: &str) -> Result<Value> {
    let (left, right) = (args.tensor(0, "self")?.clone(), args.tensor(place, name)?.clone());
    tensor(multiply(graph, &left, &right)?)
}

/// The product of two tensors as `torch.matmul` has it: vectors are rows on the left and columns on the right.
pub(super) fn multiply(graph: &mut Graph, left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let (left_rank, right_rank) = (graph.rank(left), graph.rank(right));
    if left_rank == 0 || right_rank == 0 {
        return Err(Error::malformed("a matrix product with a number"));
    }
    if right_rank == 1 {
        let column = graph.unsqueeze(right, 1)?;
        let product = multiply(graph, left, &column)?;
        let last = graph.rank(&product) - 1;
        return graph.squeeze(&product, last);
    }
    if left_rank == 1 {
        let row = graph.unsqueeze(left, 0)?;
        let product = multiply(graph, &row, right)?;
        let axis = graph.rank(&product) - 2;
        return graph.squeeze(&product, axis);
    }
    if right_rank == 2
        && let Ok(known) = Graph::known(right, "weights")
    {
        return dense(graph, left, (*known).clone(), None);
    }
    let nodes = [graph.node(left)?, graph.node(right)?];
    let node = graph.builder.add(Op::MatMul { transposed: false }, &nodes)?;
    Ok(graph.of_node(node, left.kind))
}

/// `y[o] = sum over i, j of left[i] * weight[o, i, j] * right[j] + bias[o]`.
fn bilinear(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (left, right) = (args.tensor(0, "input1")?.clone(), args.tensor(1, "input2")?.clone());
    let weight = Graph::known(args.tensor(2, "weight")?, "weights")?;
    let bias = args.opt_tensor(3, "bias")?.cloned();
    let [outputs, inputs, others] = *weight.shape() else {
        return Err(Error::malformed(format!("weights of shape {:?}, three axes are expected", weight.shape())));
    };
    let weights = transposed(&weight, &[1, 0, 2])?;
    let weights = Array::new(vec![inputs, outputs * others], weights.data().clone())?;
    let product = dense(graph, &left, weights, None)?;
    let last = graph.rank(&product) - 1;
    let size = |size: usize| Size::Fixed(i64::try_from(size).unwrap_or(i64::MAX));
    let product = graph.unflatten(&product, last, &[size(outputs), size(others)])?;
    let right = graph.unsqueeze(&right, last)?;
    let product = graph.binary(Binary::Multiply, &product, &right)?;
    let sum = graph.reduce(Reduction::Sum, &product, &[-1], false)?;
    tensor(match bias {
        Some(bias) => graph.binary(Binary::Add, &sum, &bias)?,
        None => sum,
    })
}

/// Einstein's sums of one or two tensors, each index at most once in each of them.
fn einsum(graph: &mut Graph, args: &Args) -> Result<Value> {
    let equation = args.get(0, "equation")?.as_text()?.replace(' ', "");
    let mut operands = args.tensors(1, "tensors")?;
    let refuse = || {
        Error::unsupported(format!("einsum '{}' is not read; write it as a matrix product", equation.escape_default()))
    };
    let (inputs, output) = equation.split_once("->").ok_or_else(refuse)?;
    let mut labels: Vec<Vec<char>> = inputs.split(',').map(|part| part.chars().collect()).collect();
    let output: Vec<char> = output.chars().collect();
    let sound = |labels: &[char]| {
        labels.iter().all(char::is_ascii_alphabetic)
            && labels.iter().enumerate().all(|(place, label)| !labels[..place].contains(label))
    };
    if labels.len() != operands.len()
        || !(1..=2).contains(&labels.len())
        || !labels.iter().chain([&output]).all(|part| sound(part))
    {
        return Err(refuse());
    }
    for (operand, labels) in operands.iter().zip(&labels) {
        if graph.rank(operand) != labels.len() {
            return Err(refuse());
        }
    }
    // An index that only one of them has and the result has not is summed first.
    for side in 0..labels.len() {
        let others: Vec<char> =
            labels.iter().enumerate().filter(|(other, _)| *other != side).flat_map(|(_, l)| l.clone()).collect();
        for place in (0..labels[side].len()).rev() {
            let label = labels[side][place];
            if !output.contains(&label) && !others.contains(&label) {
                let axis = i64::try_from(place).unwrap_or(0);
                operands[side] = graph.reduce(Reduction::Sum, &operands[side], &[axis], false)?;
                labels[side].remove(place);
            }
        }
    }
    let order = |labels: &[char], wanted: &[char]| -> Option<Vec<usize>> {
        wanted.iter().map(|label| labels.iter().position(|known| known == label)).collect()
    };
    if let [only] = &operands[..] {
        let order = order(&labels[0], &output).ok_or_else(refuse)?;
        return tensor(graph.permute(only, &order)?);
    }
    let pick =
        |from: &[char], keep: &dyn Fn(&char) -> bool| from.iter().copied().filter(|l| keep(l)).collect::<Vec<_>>();
    let both = pick(&labels[0], &|label| labels[1].contains(label) && output.contains(label));
    let summed = pick(&labels[0], &|label| labels[1].contains(label) && !output.contains(label));
    let left = pick(&labels[0], &|label| !labels[1].contains(label));
    let right = pick(&labels[1], &|label| !labels[0].contains(label));
    let groups = |a: &[char], b: &[char]| [&both[..], a, b].concat();
    let mut sides = Vec::new();
    for (side, (first, second)) in [(&left, &summed), (&summed, &right)].into_iter().enumerate() {
        let order = order(&labels[side], &groups(first, second)).ok_or_else(refuse)?;
        let x = graph.permute(&operands[side], &order)?;
        sides.push(matrix(graph, &x, both.len(), first.len(), second.len())?);
    }
    let sizes = |graph: &Graph, side: usize, wanted: &[char]| -> Result<Vec<Size>> {
        wanted
            .iter()
            .map(|label| {
                let axis = labels[side].iter().position(|known| known == label).ok_or_else(refuse)?;
                graph.size(&operands[side], axis)
            })
            .collect()
    };
    let product = multiply(graph, &sides[0], &sides[1])?;
    let all = [sizes(graph, 0, &both)?, sizes(graph, 0, &left)?, sizes(graph, 1, &right)?].concat();
    let product = graph.reshape(&product, &all)?;
    let order = order(&groups(&left, &right), &output).ok_or_else(refuse)?;
    tensor(graph.permute(&product, &order)?)
}

/// Axes behind the first ones as two: a matrix.
fn matrix(graph: &mut Graph, x: &Tensor, front: usize, rows: usize, columns: usize) -> Result<Tensor> {
    let mut x = match columns {
        0 => {
            let rank = graph.rank(x);
            graph.unsqueeze(x, rank)?
        }
        _ => graph.flatten(x, front + rows, front + rows + columns - 1)?,
    };
    x = match rows {
        0 => graph.unsqueeze(&x, front)?,
        _ => graph.flatten(&x, front, front + rows - 1)?,
    };
    Ok(x)
}
