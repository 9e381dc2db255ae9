//! Tensors that are made of numbers in a program: of one number, of a row of them, of codes.

use super::super::graph::Graph;
use super::super::number::{Kind, Type};
use super::super::value::{Args, Size, Tensor, Value};
use super::{Lower, number, positive, tensor};
use crate::error::{Error, Result};
use crate::ir::network::Binary;
use crate::limits;

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("zeros", |g, a| filled(g, a, 0.0)),
    ("ones", |g, a| filled(g, a, 1.0)),
    ("empty", |g, a| filled(g, a, 0.0)),
    ("full", |g, a| {
        let value = a.get(1, "fill_value")?.as_float()?;
        filled(g, a, value)
    }),
    ("new_zeros", |g, a| new_filled(g, a, 0.0)),
    ("new_ones", |g, a| new_filled(g, a, 1.0)),
    ("new_full", |g, a| {
        let value = a.get(2, "fill_value")?.as_float()?;
        new_filled(g, a, value)
    }),
    ("zeros_like", |g, a| filled_like(g, a, 0.0)),
    ("ones_like", |g, a| filled_like(g, a, 1.0)),
    ("full_like", |g, a| {
        let value = a.get(1, "fill_value")?.as_float()?;
        filled_like(g, a, value)
    }),
    ("arange", arange),
    ("scalar_tensor", |g, a| {
        let value = a.get(0, "s")?.clone();
        let made = g.operand(&value)?;
        tensor(Tensor { kind: kind_of(a)?.unwrap_or(made.kind), ..made })
    }),
    ("one_hot", one_hot),
];

/// The type that a tensor is asked to be made of.
fn kind_of(args: &Args) -> Result<Option<Kind>> {
    match args.named.iter().find(|(name, _)| name == "dtype").map(|(_, value)| value) {
        Some(Value::Type(kind)) => Ok(Some(kind.kind())),
        Some(Value::Size(Size::Fixed(code))) => Ok(Some(Type::of_script(*code)?.kind())),
        _ => Ok(None),
    }
}

fn filled(graph: &mut Graph, args: &Args, value: f64) -> Result<Value> {
    let shape = graph.target(&args.sizes(0, "size")?)?;
    let kind = kind_of(args)?.unwrap_or(Kind::Float);
    tensor(graph.filled(kind, &shape, value)?)
}

fn new_filled(graph: &mut Graph, args: &Args, value: f64) -> Result<Value> {
    let shape = graph.target(&args.sizes(1, "size")?)?;
    let kind = kind_of(args)?.unwrap_or(args.tensor(0, "self")?.kind);
    tensor(graph.filled(kind, &shape, value)?)
}

fn filled_like(graph: &mut Graph, args: &Args, value: f64) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let shape = graph.shape(&x)?;
    let kind = kind_of(args)?.unwrap_or(x.kind);
    tensor(graph.filled(kind, &shape, value)?)
}

/// `arange(end)`, `arange(start, end)`, `arange(start, end, step)`.
fn arange(graph: &mut Graph, args: &Args) -> Result<Value> {
    let numbers = args.placed.iter().take(3).map(Value::as_float).collect::<Result<Vec<_>>>();
    let named =
        |name: &str| args.named.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_float()).transpose();
    let (start, end, step) = match (&numbers?[..], named("end")?) {
        ([], Some(end)) => (named("start")?.unwrap_or(0.0), end, named("step")?.unwrap_or(1.0)),
        ([end], _) => (0.0, *end, 1.0),
        ([start, end], _) => (*start, *end, named("step")?.unwrap_or(1.0)),
        ([start, end, step], _) => (*start, *end, *step),
        _ => return Err(Error::malformed("no end is given")),
    };
    let count = ((end - start) / step).ceil();
    if !(count >= 1.0 && count <= number(limits::TENSOR_ELEMENTS)) {
        return Err(Error::malformed(format!("numbers from {start} to {end} in steps of {step}")));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let count = count as usize;
    let whole = [start, end, step].iter().all(|number| number.fract() == 0.0);
    let kind = kind_of(args)?.unwrap_or(if whole { Kind::Integer } else { Kind::Float });
    tensor(graph.numbers(kind, &[count], (0..count).map(|place| number(place).mul_add(step, start)).collect())?)
}

fn one_hot(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let classes = positive(args.int_or(1, "num_classes", -1)?, "num_classes")?;
    let rank = graph.rank(&x);
    let codes = graph.unsqueeze(&x, rank)?;
    let all = graph.numbers(Kind::Integer, &[classes], (0..classes).map(number).collect())?;
    let equal = graph.binary(Binary::Equal, &codes, &all)?;
    tensor(Tensor { kind: Kind::Integer, ..equal })
}
