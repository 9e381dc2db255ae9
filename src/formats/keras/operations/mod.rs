//! Operations on tensors outside of layers: those of `keras.ops`, and those of TensorFlow in files of Keras 2.
//!
//! Both have an operation by name, tensors and numbers by place or by name, and settings by name. A name is taken without its module,
//! underscores and capitals: `keras.ops.expand_dims`, class `ExpandDims`, and `tf.expand_dims` are one.

mod moves;
mod numbers;

use super::config::{index, short};
use super::layer::{Arg, Call, Outputs};
use super::layers::activation::Activation;
use super::table::{Entry, none};
use crate::error::{Error, Result};
use crate::ir::Precision;
use crate::ir::network::{Array, Binary, Function, NodeId, Reduction};
use serde_json::Value;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        class: "TFOpLambda",
        read: second,
        weights: none,
        what: "operations of TensorFlow on tensors: see below",
        refused: "",
    },
    Entry {
        class: "SlicingOpLambda",
        read: second,
        weights: none,
        what: "indices and slices of tensors",
        refused: "slices of the rows",
    },
];

/// Operations that are read, for the documentation.
pub(super) const NAMES: &[&str] = &[
    "abs",
    "add",
    "cast",
    "ceil",
    "clip",
    "concatenate",
    "cos",
    "divide",
    "equal",
    "erf",
    "exp",
    "expand_dims",
    "expm1",
    "flip",
    "floor",
    "gather",
    "greater",
    "less",
    "log",
    "log1p",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "normalize",
    "power",
    "prod",
    "reciprocal",
    "repeat",
    "reshape",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "slices",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "tile",
    "transpose",
    "unstack",
    "var",
    "where",
    "and the activations that Keras names",
];

/// An operation of Keras 3, whose class is its name.
pub(super) fn third(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let name = call.layer.class;
    operation(call, name)
}

/// An operation of TensorFlow, whose name is a setting.
fn second(call: &mut Call<'_, '_>) -> Result<Outputs> {
    let name = call.config().text("function", "")?;
    operation(call, name.rsplit('.').next().unwrap_or_default())
}

fn operation(call: &mut Call<'_, '_>, name: &str) -> Result<Outputs> {
    let plain: String = name.chars().filter(|letter| *letter != '_').flat_map(char::to_lowercase).collect();
    let plain = plain.strip_prefix("reduce").filter(|rest| !rest.is_empty()).unwrap_or(&plain);
    if let Some(function) = function(plain) {
        let x = operand(call, 0, &["x", "input", "features", "inputs"])?;
        return Ok(vec![call.builder().map(function, x)?]);
    }
    if let Some(function) = binary(plain) {
        let left = operand(call, 0, &["x", "x1", "a"])?;
        let right = operand(call, 1, &["y", "x2", "b"])?;
        return Ok(vec![call.builder().binary(function, left, right)?]);
    }
    if let Some(how) = reduction(plain) {
        return numbers::reduce(call, how);
    }
    if let Some(read) = numbers::reader(plain).or_else(|| moves::reader(plain)) {
        return read(call);
    }
    // Activations as functions: `relu`, `softmax`, `LeakyRelu`.
    numbers::activation(call, plain)?.ok_or_else(|| {
        Error::unsupported(format!(
            "the operation '{}' is not read; docs/keras.md lists those that are; export the model to ONNX",
            name.escape_debug()
        ))
    })
}

fn function(name: &str) -> Option<Function> {
    Some(match name {
        "abs" | "absolute" => Function::Abs,
        "exp" => Function::Exp,
        "expm1" => Function::ExpMinusOne,
        "log" => Function::Log,
        "log1p" => Function::LogOnePlus,
        "sqrt" => Function::Sqrt,
        "rsqrt" => Function::ReciprocalSqrt,
        "reciprocal" => Function::Reciprocal,
        "square" => Function::Square,
        "negative" | "neg" => Function::Negate,
        "sign" => Function::Sign,
        "sin" => Function::Sin,
        "cos" => Function::Cos,
        "erf" => Function::Erf,
        "floor" => Function::Floor,
        "ceil" => Function::Ceil,
        "round" | "rint" => Function::Round,
        "logicalnot" => Function::Not,
        // What keeps values as they are.
        "identity" | "stopgradient" | "converttotensor" | "copy" => Function::Identity,
        _ => return None,
    })
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        "add" | "addv2" => Binary::Add,
        "subtract" | "sub" => Binary::Subtract,
        "multiply" | "mul" => Binary::Multiply,
        "divide" | "truedivide" | "truediv" | "div" | "realdiv" => Binary::Divide,
        "maximum" => Binary::Maximum,
        "minimum" => Binary::Minimum,
        "pow" | "power" => Binary::Power,
        "greater" => Binary::Greater,
        "greaterequal" => Binary::GreaterOrEqual,
        "less" => Binary::Less,
        "lessequal" => Binary::LessOrEqual,
        "equal" => Binary::Equal,
        "notequal" => Binary::NotEqual,
        _ => return None,
    })
}

fn reduction(name: &str) -> Option<Reduction> {
    Some(match name {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        "max" | "amax" => Reduction::Max,
        "min" | "amin" => Reduction::Min,
        "prod" => Reduction::Product,
        _ => return None,
    })
}

/// An argument by place or by one of its names.
fn given<'c, 'a>(call: &'c Call<'a, '_>, place: usize, names: &[&str]) -> Option<&'c Arg<'a>> {
    let named = names.iter().find_map(|name| call.arg(usize::MAX, name));
    named.or_else(|| call.arg(place, ""))
}

/// A tensor, or numbers as a tensor of constants.
fn operand(call: &mut Call<'_, '_>, place: usize, names: &[&str]) -> Result<NodeId> {
    let arg = given(call, place, names).cloned();
    match arg {
        None => Err(Error::malformed(format!("it is called without argument {place}"))),
        Some(Arg::Tensor(node)) => Ok(node),
        // A list of one tensor stands for it.
        Some(Arg::List(list)) if matches!(list[..], [Arg::Tensor(_)]) => match list[..] {
            [Arg::Tensor(node)] => Ok(node),
            _ => Err(Error::internal("a list of one tensor")),
        },
        Some(arg) => {
            let (shape, numbers) = constant(&arg)?;
            call.builder().constant(Array::rounded(Precision::F32, &shape, numbers)?)
        }
    }
}

/// Numbers of an argument, and their shape.
fn constant(arg: &Arg<'_>) -> Result<(Vec<usize>, Vec<f64>)> {
    let mut numbers = Vec::new();
    let shape = match arg {
        Arg::Tensor(_) => return Err(Error::unsupported("tensors and numbers in one list are not read; stack them")),
        Arg::Json(value) => gather(value, &mut numbers)?,
        Arg::List(list) => {
            let mut inner: Option<Vec<usize>> = None;
            for arg in list {
                let (shape, more) = constant(arg)?;
                if inner.as_ref().is_some_and(|inner| *inner != shape) {
                    return Err(Error::malformed("lists of different lengths"));
                }
                inner = Some(shape);
                numbers.extend(more);
            }
            let inner = inner.ok_or_else(|| Error::malformed("an empty list of numbers"))?;
            std::iter::once(list.len()).chain(inner).collect()
        }
    };
    Ok((shape, numbers))
}

fn gather(value: &Value, numbers: &mut Vec<f64>) -> Result<Vec<usize>> {
    match value {
        Value::Array(list) => {
            let mut inner: Option<Vec<usize>> = None;
            for item in list {
                let shape = gather(item, numbers)?;
                if inner.as_ref().is_some_and(|inner| *inner != shape) {
                    return Err(Error::malformed("lists of different lengths"));
                }
                inner = Some(shape);
            }
            let inner = inner.ok_or_else(|| Error::malformed("an empty list of numbers"))?;
            Ok(std::iter::once(list.len()).chain(inner).collect())
        }
        // Arrays of Keras 3.
        Value::Object(map) => match map.get("value").or_else(|| map.get("config")?.get("value")) {
            Some(inner) if !inner.is_object() => gather(inner, numbers),
            _ => Err(Error::unsupported(format!("{} is there, numbers are expected", short(value)))),
        },
        one => {
            numbers.push(super::config::number(one)?);
            Ok(Vec::new())
        }
    }
}

/// A setting: an argument by name, what the configuration says, or an argument by place.
fn setting<'a>(call: &Call<'a, '_>, place: usize, names: &[&'a str]) -> Option<Arg<'a>> {
    for name in names {
        if let Some(arg) = call.arg(usize::MAX, name) {
            return Some(arg.clone());
        }
        if let Some(value) = call.config().get(name).filter(|_| *name != "name" && *name != "dtype") {
            return Some(Arg::Json(value));
        }
    }
    call.arg(place, "").cloned()
}

/// Whole numbers of a setting: one, or a list.
fn indices(arg: &Arg<'_>) -> Result<Vec<i64>> {
    match arg {
        Arg::Json(value) => super::config::axes(value),
        Arg::List(list) => {
            let mut all = Vec::with_capacity(list.len());
            for arg in list {
                all.extend(indices(arg)?);
            }
            Ok(all)
        }
        Arg::Tensor(_) => Err(Error::unsupported("a tensor as a setting is not read; export the model to ONNX")),
    }
}

/// The axis of a setting.
fn axis(call: &mut Call<'_, '_>, x: NodeId, place: usize, default: i64) -> Result<usize> {
    let axis = match setting(call, place, &["axis", "dim"]) {
        None => default,
        Some(Arg::Json(value)) => index(value)?,
        Some(_) => return Err(Error::malformed("axis is no number")),
    };
    call.axis(x, axis)
}

/// A flag of a setting.
fn flag(call: &Call<'_, '_>, names: &[&'static str]) -> Result<bool> {
    match setting(call, usize::MAX, names) {
        None => Ok(false),
        Some(Arg::Json(Value::Bool(yes))) => Ok(*yes),
        Some(_) => Err(Error::malformed(format!("{} is no flag", names[0]))),
    }
}

/// A number of a setting.
fn number(call: &Call<'_, '_>, place: usize, names: &[&'static str]) -> Result<Option<f64>> {
    match setting(call, place, names) {
        None => Ok(None),
        Some(Arg::Json(value)) => super::config::number(value).map(Some),
        Some(_) => Err(Error::malformed(format!("{} is no number", names[0]))),
    }
}
