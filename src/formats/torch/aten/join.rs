//! Tensors joined to one, and one cut into several.

use super::super::graph::Graph;
use super::super::value::{Args, Tensor, Value};
use super::{Lower, positive, tensor, tensors};
use crate::error::{Error, Result};
use crate::limits;

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("cat", concat),
    ("concat", concat),
    ("concatenate", concat),
    ("stack", stack),
    ("hstack", |g, a| {
        let parts = a.tensors(0, "tensors")?;
        let axis = usize::from(parts.first().is_some_and(|first| g.rank(first) > 1));
        tensor(g.concat(&parts, axis)?)
    }),
    ("chunk", chunk),
    ("split", split),
    ("split_with_sizes", split),
    ("unbind", unbind),
];

fn concat(graph: &mut Graph, args: &Args) -> Result<Value> {
    let parts = args.tensors(0, "tensors")?;
    let first = parts.first().ok_or_else(|| Error::malformed("a concatenation of nothing"))?;
    let axis = graph.axis(first, args.int_or(1, "dim", 0)?)?;
    tensor(graph.concat(&parts, axis)?)
}

fn stack(graph: &mut Graph, args: &Args) -> Result<Value> {
    let parts = args.tensors(0, "tensors")?;
    let first = parts.first().ok_or_else(|| Error::malformed("a stack of nothing"))?;
    let axis = graph.new_axis(first, args.int_or(1, "dim", 0)?)?;
    let parts = parts.iter().map(|part| graph.unsqueeze(part, axis)).collect::<Result<Vec<_>>>()?;
    tensor(graph.concat(&parts, axis)?)
}

/// Parts of these sizes along an axis.
fn parts(graph: &mut Graph, x: &Tensor, axis: usize, sizes: &[usize]) -> Result<Value> {
    limits::check("parts of a tensor", sizes.len(), limits::OUTPUTS)?;
    let mut start = 0;
    let mut parts = Vec::with_capacity(sizes.len());
    for &size in sizes {
        parts.push(graph.slice(x, axis, start, 1, size)?);
        start += size;
    }
    tensors(parts)
}

fn even(size: usize, part: usize) -> Vec<usize> {
    (0..size).step_by(part.max(1)).map(|start| part.min(size - start)).collect()
}

fn chunk(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let (chunks, axis) = (positive(args.int(1, "chunks")?, "chunks")?, graph.axis(&x, args.int_or(2, "dim", 0)?)?);
    let size = graph.shape(&x)?.size(axis)?;
    parts(graph, &x, axis, &even(size, size.div_ceil(chunks)))
}

fn split(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let axis = graph.axis(&x, args.int_or(2, "dim", 0)?)?;
    let given = args.opt(1, "split_size").or_else(|| args.opt(1, "split_sizes"));
    let given = given.ok_or_else(|| Error::malformed("no sizes of the parts"))?;
    let sizes = match given {
        Value::List(sizes) => {
            sizes.iter().map(|size| positive(size.as_int()?, "a part")).collect::<Result<Vec<_>>>()?
        }
        size => even(graph.shape(&x)?.size(axis)?, positive(size.as_int()?, "a part")?),
    };
    parts(graph, &x, axis, &sizes)
}

fn unbind(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let axis = graph.axis(&x, args.int_or(1, "dim", 0)?)?;
    let size = graph.shape(&x)?.size(axis)?;
    limits::check("parts of a tensor", size, limits::OUTPUTS)?;
    let places = 0..i64::try_from(size).unwrap_or(0);
    tensors(places.map(|index| graph.select(&x, axis, index)).collect::<Result<_>>()?)
}
