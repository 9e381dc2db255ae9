//! Operations of PyTorch, by the names that programs call them: `aten.linear` in exported ones, `torch.linear` in TorchScript.
//!
//! Operands are those of the library's own schemas, by place or by name. The table in the documentation is made from [`TABLE`].

mod attention;
mod elementwise;
mod join;
mod layer;
mod make;
mod product;
mod recurrent;
mod reduction;
mod shape;
mod window;

use super::graph::Graph;
use super::value::{Args, Tensor, Value};
use crate::error::{Error, Result, Within};

/// What lowers an operation.
pub(super) type Lower = fn(&mut Graph, &Args) -> Result<Value>;

/// Every operation that is read, by subject.
pub(super) const TABLE: &[(&str, &[(&str, Lower)])] = &[
    ("functions of an element", elementwise::OPS),
    ("reductions", reduction::OPS),
    ("shapes", shape::OPS),
    ("joins and cuts", join::OPS),
    ("new tensors", make::OPS),
    ("matrix products", product::OPS),
    ("layers", layer::OPS),
    ("windows", window::OPS),
    ("recurrent layers", recurrent::OPS),
    ("attention", attention::OPS),
];

/// Lowers a call of an operation by its name without an overload.
///
/// # Errors
/// `MI_UNSUPPORTED` for an operation that is not read, naming it; those of the operation.
pub(super) fn call(graph: &mut Graph, name: &str, args: &Args) -> Result<Value> {
    // A name that ends in one underscore writes its result over its operand; programs are in the order in which that is no difference.
    let plain = name.strip_suffix('_').filter(|plain| !plain.ends_with('_')).unwrap_or(name);
    let known =
        TABLE.iter().flat_map(|(_, entries)| entries.iter()).find(|(known, _)| *known == plain || *known == name);
    let Some((_, lower)) = known else {
        return Err(Error::unsupported(format!(
            "operation '{}' of PyTorch is not read; export the model to ONNX",
            name.escape_default()
        )));
    };
    lower(graph, args).within(|| format!("operation '{plain}'"))
}

#[allow(clippy::unnecessary_wraps)] // what a [`Lower`] answers
fn tensor(tensor: Tensor) -> Result<Value> {
    Ok(Value::Tensor(tensor))
}

#[allow(clippy::unnecessary_wraps)] // what a [`Lower`] answers
fn tensors(tensors: Vec<Tensor>) -> Result<Value> {
    Ok(Value::List(tensors.into_iter().map(Value::Tensor).collect()))
}

/// A float as PyTorch's schemas write integers in its place.
#[allow(clippy::cast_precision_loss)] // sizes of tensors stay far below 2^52
fn number(size: usize) -> f64 {
    size as f64
}

fn positive(number: i64, what: &str) -> Result<usize> {
    usize::try_from(number)
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| Error::malformed(format!("{what} is {number}, a positive number is expected")))
}

fn natural(number: i64, what: &str) -> Result<usize> {
    usize::try_from(number).map_err(|_| Error::malformed(format!("{what} is {number}, which is negative")))
}
