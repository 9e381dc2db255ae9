//! What programs of PyTorch compute with: tensors, sizes, numbers, lists.

use super::number::{Kind, Type};
use crate::error::{Error, Result};
use crate::ir::network::{Array, NodeId};
use std::sync::Arc;

/// A whole number that may be a multiple of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Fixed(i64),
    /// This many times the batch.
    Batches(i64),
}

/// Where the numbers of a tensor come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// They are known, whatever the rows.
    Constant(Arc<Array>),
    /// A node of the network gives them.
    Node(NodeId),
}

/// A tensor.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub(super) source: Source,
    pub(super) kind: Kind,
}

/// A value of a program.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Tensor(Tensor),
    Size(Size),
    Float(f64),
    Bool(bool),
    Text(String),
    Type(Type),
    List(Vec<Value>),
    /// An object of TorchScript: its place in the table of the reader.
    Object(usize),
    /// A result that libmi does not compute; the words say what it is.
    Absent(&'static str),
}

impl Value {
    pub(super) fn int(number: i64) -> Self {
        Value::Size(Size::Fixed(number))
    }

    /// What messages call it.
    pub(super) fn describe(&self) -> String {
        match self {
            Value::None => "None".to_owned(),
            Value::Tensor(_) => "a tensor".to_owned(),
            Value::Size(Size::Fixed(number)) => number.to_string(),
            Value::Size(Size::Batches(times)) => format!("{times} * batch"),
            Value::Float(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Text(text) => format!("'{}'", text.escape_default()),
            Value::Type(kind) => format!("the type {kind:?}"),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Object(_) => "an object".to_owned(),
            Value::Absent(what) => (*what).to_owned(),
        }
    }

    fn expected(&self, what: &str) -> Error {
        match self {
            Value::Absent(absent) => Error::unsupported(format!("{absent} is not computed; export the model to ONNX")),
            _ => Error::malformed(format!("{what} is expected, found {}", self.describe())),
        }
    }

    pub(super) fn tensor(&self) -> Result<&Tensor> {
        match self {
            Value::Tensor(tensor) => Ok(tensor),
            _ => Err(self.expected("a tensor")),
        }
    }

    pub(super) fn size(&self) -> Result<Size> {
        match self {
            Value::Size(size) => Ok(*size),
            Value::Bool(value) => Ok(Size::Fixed(i64::from(*value))),
            _ => Err(self.expected("a whole number")),
        }
    }

    pub(super) fn as_int(&self) -> Result<i64> {
        match self.size()? {
            Size::Fixed(number) => Ok(number),
            Size::Batches(_) => Err(Error::unsupported(
                "a number that depends on the batch is needed where each row must be computed alone; export the model to ONNX",
            )),
        }
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn as_float(&self) -> Result<f64> {
        match self {
            Value::Float(number) => Ok(*number),
            Value::Tensor(Tensor { source: Source::Constant(array), .. }) if array.len() == 1 => {
                Ok(array.values().next().unwrap_or(f64::NAN))
            }
            _ => Ok(self.as_int().map_err(|_| self.expected("a number"))? as f64),
        }
    }

    pub(super) fn as_bool(&self) -> Result<bool> {
        match self {
            Value::Bool(value) => Ok(*value),
            Value::Size(Size::Fixed(number)) => Ok(*number != 0),
            _ => Err(self.expected("True or False")),
        }
    }

    pub(super) fn as_text(&self) -> Result<&str> {
        match self {
            Value::Text(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    /// The items of a list; one value alone counts as a list of it.
    pub(super) fn items(&self) -> &[Value] {
        match self {
            Value::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }
}

impl Size {
    fn refuse() -> Error {
        Error::unsupported("arithmetic with the number of rows mixes them; export the model to ONNX")
    }

    /// Both numbers when neither depends on the batch.
    fn fixed(self, other: Size) -> Result<(i64, i64)> {
        match (self, other) {
            (Size::Fixed(left), Size::Fixed(right)) => Ok((left, right)),
            _ => Err(Self::refuse()),
        }
    }

    pub(super) fn multiply(self, other: Size) -> Result<Size> {
        let product = |left: i64, right: i64| left.checked_mul(right).ok_or_else(Self::refuse);
        match (self, other) {
            (Size::Fixed(left), Size::Fixed(right)) => product(left, right).map(Size::Fixed),
            (Size::Batches(times), Size::Fixed(factor)) | (Size::Fixed(factor), Size::Batches(times)) => {
                product(times, factor).map(Size::Batches)
            }
            (Size::Batches(_), Size::Batches(_)) => Err(Self::refuse()),
        }
    }

    /// The quotient rounded down.
    pub(super) fn divide(self, other: Size) -> Result<Size> {
        match (self, other) {
            (_, Size::Fixed(0)) => Err(Error::malformed("a division by 0")),
            (Size::Fixed(left), Size::Fixed(right)) => Ok(Size::Fixed(left.wrapping_div_euclid(right))),
            (Size::Batches(times), Size::Fixed(by)) if times % by == 0 => Ok(Size::Batches(times / by)),
            (Size::Batches(times), Size::Batches(others)) if others != 0 && times % others == 0 => {
                Ok(Size::Fixed(times / others))
            }
            _ => Err(Self::refuse()),
        }
    }

    pub(super) fn add(self, other: Size) -> Result<Size> {
        match (self, other) {
            (Size::Batches(times), Size::Batches(others)) => {
                times.checked_add(others).map(Size::Batches).ok_or_else(Self::refuse)
            }
            (size, Size::Fixed(0)) | (Size::Fixed(0), size) => Ok(size),
            _ => {
                let (left, right) = self.fixed(other)?;
                left.checked_add(right).map(Size::Fixed).ok_or_else(Self::refuse)
            }
        }
    }

    pub(super) fn negate(self) -> Size {
        match self {
            Size::Fixed(number) => Size::Fixed(number.wrapping_neg()),
            Size::Batches(times) => Size::Batches(times.wrapping_neg()),
        }
    }
}

/// The operands of a call, by place or by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Args {
    pub(super) placed: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

impl Args {
    pub(super) fn of(placed: impl IntoIterator<Item = Value>) -> Self {
        Self { placed: placed.into_iter().collect(), named: Vec::new() }
    }

    /// The operand of this place or name; `None` when it is not given, or given as None.
    pub(super) fn opt(&self, place: usize, name: &str) -> Option<&Value> {
        let named = self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        named.or_else(|| self.placed.get(place)).filter(|value| !matches!(value, Value::None))
    }

    pub(super) fn get(&self, place: usize, name: &str) -> Result<&Value> {
        self.opt(place, name).ok_or_else(|| Error::malformed(format!("its operand '{name}' is not given")))
    }

    pub(super) fn tensor(&self, place: usize, name: &str) -> Result<&Tensor> {
        self.get(place, name)?.tensor()
    }

    pub(super) fn opt_tensor(&self, place: usize, name: &str) -> Result<Option<&Tensor>> {
        self.opt(place, name).map(Value::tensor).transpose()
    }

    pub(super) fn int(&self, place: usize, name: &str) -> Result<i64> {
        self.get(place, name)?.as_int()
    }

    pub(super) fn int_or(&self, place: usize, name: &str, default: i64) -> Result<i64> {
        self.opt(place, name).map_or(Ok(default), Value::as_int)
    }

    pub(super) fn float_or(&self, place: usize, name: &str, default: f64) -> Result<f64> {
        self.opt(place, name).map_or(Ok(default), Value::as_float)
    }

    pub(super) fn bool_or(&self, place: usize, name: &str, default: bool) -> Result<bool> {
        self.opt(place, name).map_or(Ok(default), Value::as_bool)
    }

    pub(super) fn text(&self, place: usize, name: &str) -> Result<Option<&str>> {
        self.opt(place, name).map(Value::as_text).transpose()
    }

    /// Whole numbers that are known; one alone counts as a list of it, none given as an empty list.
    pub(super) fn ints(&self, place: usize, name: &str) -> Result<Vec<i64>> {
        self.opt(place, name).map_or(Ok(Vec::new()), |value| value.items().iter().map(Value::as_int).collect())
    }

    pub(super) fn sizes(&self, place: usize, name: &str) -> Result<Vec<Size>> {
        self.get(place, name)?.items().iter().map(Value::size).collect()
    }

    pub(super) fn tensors(&self, place: usize, name: &str) -> Result<Vec<Tensor>> {
        self.get(place, name)?.items().iter().map(|item| item.tensor().cloned()).collect()
    }
}
