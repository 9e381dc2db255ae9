//! Layers in which tensors meet.

use super::normalization::to_unit_length;
use crate::error::{Error, Result};
use crate::formats::keras::config::index;
use crate::formats::keras::layer::{Call, Outputs};
use crate::formats::keras::table::{Entry, none};
use crate::ir::network::{Binary, Builder, NodeId, Op};
use serde_json::Value;

pub(in crate::formats::keras) const ENTRIES: &[Entry] = &[
    Entry { class: "Concatenate", read: concatenate, weights: none, what: "along any axis but the rows", refused: "" },
    Entry { class: "Add", read: |call| fold(call, Binary::Add), weights: none, what: "", refused: "" },
    Entry { class: "Subtract", read: |call| fold(call, Binary::Subtract), weights: none, what: "", refused: "" },
    Entry { class: "Multiply", read: |call| fold(call, Binary::Multiply), weights: none, what: "", refused: "" },
    Entry { class: "Maximum", read: |call| fold(call, Binary::Maximum), weights: none, what: "", refused: "" },
    Entry { class: "Minimum", read: |call| fold(call, Binary::Minimum), weights: none, what: "", refused: "" },
    Entry { class: "Average", read: average, weights: none, what: "", refused: "" },
    Entry { class: "Dot", read: dot, weights: none, what: "along one axis each, also of unit length", refused: "" },
];

/// The tensors, those with fewer axes given more behind the rows, as Keras does.
fn aligned(call: &mut Call<'_, '_>) -> Result<Vec<NodeId>> {
    let tensors = call.tensors();
    let builder = call.builder();
    let rank = tensors.iter().map(|&x| builder.shape(x).rank()).max().unwrap_or(0);
    let grow = |mut x: NodeId| {
        while builder.shape(x).rank() < rank {
            x = builder.unsqueeze(x, 1)?;
        }
        Ok(x)
    };
    let tensors = tensors.into_iter().map(grow).collect::<Result<Vec<_>>>()?;
    if tensors.is_empty() { Err(Error::malformed("it is called without a tensor")) } else { Ok(tensors) }
}

fn fold(call: &mut Call<'_, '_>, function: Binary) -> Result<Outputs> {
    let tensors = aligned(call)?;
    let builder = call.builder();
    let mut x = tensors[0];
    for &next in &tensors[1..] {
        x = builder.binary(function, x, next)?;
    }
    Ok(vec![x])
}

fn average(call: &mut Call<'_, '_>) -> Result<Outputs> {
    #[allow(clippy::cast_precision_loss)] // the nodes of a network at most
    let count = call.tensors().len() as f64;
    let sum = fold(call, Binary::Add)?[0];
    Ok(vec![call.builder().with_scalar(Binary::Divide, sum, count)?])
}

fn concatenate(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let tensors = call.tensors();
    let x = call.x()?;
    let axis = call.config().get("axis").map_or(Ok(-1), index)?;
    let axis = call.axis(x, axis)?;
    Ok(vec![call.builder().add(Op::Concat { axis }, &tensors)?])
}

/// Sums of products along one axis of each: the other axes stand beside each other.
fn dot(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let [left, right] = call.two()?;
    let axes = match call.config().need("axes")? {
        Value::Array(two) => match &two[..] {
            [left, right] => [index(left)?, index(right)?],
            _ => return Err(Error::malformed("axes: two are expected")),
        },
        both => [index(both)?; 2],
    };
    let normalize = call.config().flag("normalize", false)?;
    let (first, second) = (call.axis(left, axes[0])?, call.axis(right, axes[1])?);
    let builder = call.builder();
    let (left, right) = if normalize {
        (to_unit_length(builder, left, first)?, to_unit_length(builder, right, second)?)
    } else {
        (left, right)
    };
    let (left, rows) = last(builder, left, first)?;
    let (right, columns) = last(builder, right, second)?;
    let mut y = builder.add(Op::MatMul { transposed: true }, &[left, right])?;
    // (batch, rows, columns), of which axes that were not there go; two vectors leave one number.
    if !columns {
        y = builder.squeeze(y, 2)?;
    }
    if !rows && columns {
        y = builder.squeeze(y, 1)?;
    }
    Ok(vec![y])
}

/// A tensor as (batch, others, axis), and whether it had others.
fn last(builder: &mut Builder, x: NodeId, axis: usize) -> Result<(NodeId, bool)> {
    match (builder.shape(x).rank(), axis) {
        (2, 1) => Ok((builder.unsqueeze(x, 1)?, false)),
        (3, 2) => Ok((x, true)),
        (3, 1) => Ok((builder.swap(x, 1, 2)?, true)),
        (rank, axis) => Err(Error::unsupported(format!("products along axis {axis} of {rank} axes are not read"))),
    }
}
