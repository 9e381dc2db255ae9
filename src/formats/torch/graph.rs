//! A program of PyTorch on its way to a network: tensors that are known stay numbers, the others become nodes.

use super::number::Kind;
use super::value::{Size, Source, Tensor, Value};
use crate::error::{Error, Result};
use crate::ir::Precision;
use crate::ir::network::{Array, Binary, Builder, Dim, Function, NodeId, Op, Reduction, Shape};
use crate::limits;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A network under construction.
pub(super) struct Graph {
    pub(super) builder: Builder,
    /// The only batch that the program takes, when it was exported for one: its sizes are then numbers like others.
    batch: Option<i64>,
    /// Where a transposed tensor comes from, and in which order its axes are: two transpositions often undo each other.
    transposed: HashMap<NodeId, (NodeId, Vec<usize>)>,
    /// Nodes that are 0 everywhere.
    zeros: HashSet<NodeId>,
    /// Elements of constants so far.
    elements: usize,
}

/// A size that a tensor is asked to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Fixed(usize),
    Batches(usize),
    /// What is left.
    Rest,
}

impl Graph {
    pub(super) fn new(precision: Precision, batch: Option<i64>) -> Self {
        Self { builder: Builder::new(precision), batch, transposed: HashMap::new(), zeros: HashSet::new(), elements: 0 }
    }

    pub(super) fn precision(&self) -> Precision {
        self.builder.precision()
    }

    /// A tensor whose numbers are known.
    pub(super) fn constant(&mut self, kind: Kind, array: Array) -> Result<Tensor> {
        self.elements = self.elements.saturating_add(array.len());
        limits::check("elements of constants", self.elements, limits::NETWORK_ELEMENTS)?;
        Ok(Tensor { source: Source::Constant(Arc::new(array)), kind })
    }

    pub(super) fn numbers(&mut self, kind: Kind, shape: &[usize], numbers: Vec<f64>) -> Result<Tensor> {
        let array = Array::rounded(self.precision(), shape, numbers)?;
        self.constant(kind, array)
    }

    pub(super) fn scalar(&mut self, kind: Kind, number: f64) -> Result<Tensor> {
        self.numbers(kind, &[], vec![number])
    }

    pub(super) fn shape(&self, tensor: &Tensor) -> Result<Shape> {
        match &tensor.source {
            Source::Constant(array) => Shape::fixed(array.shape()),
            Source::Node(node) => Ok(self.builder.shape(*node).clone()),
        }
    }

    pub(super) fn rank(&self, tensor: &Tensor) -> usize {
        match &tensor.source {
            Source::Constant(array) => array.shape().len(),
            Source::Node(node) => self.builder.shape(*node).rank(),
        }
    }

    /// The node that gives a tensor.
    pub(super) fn node(&mut self, tensor: &Tensor) -> Result<NodeId> {
        match &tensor.source {
            Source::Node(node) => Ok(*node),
            Source::Constant(array) => {
                let node = self.builder.add(Op::Constant(Arc::clone(array)), &[])?;
                if array.values().all(|number| number == 0.0) {
                    self.zeros.insert(node);
                }
                Ok(node)
            }
        }
    }

    /// The numbers of a tensor that must be known, such as weights.
    pub(super) fn known(tensor: &Tensor, what: &str) -> Result<Arc<Array>> {
        match &tensor.source {
            Source::Constant(array) => Ok(Arc::clone(array)),
            Source::Node(_) => Err(Error::unsupported(format!(
                "the {what} are computed from the rows, where fixed ones are expected; export the model to ONNX"
            ))),
        }
    }

    /// Whether a tensor is 0 everywhere, as far as is known.
    pub(super) fn is_zero(&self, tensor: &Tensor) -> bool {
        match &tensor.source {
            Source::Constant(array) => array.values().all(|number| number == 0.0),
            Source::Node(node) => self.zeros.contains(node),
        }
    }

    #[allow(clippy::unused_self)] // asked as its neighbours are
    pub(super) fn of_node(&self, node: NodeId, kind: Kind) -> Tensor {
        Tensor { source: Source::Node(node), kind }
    }

    pub(super) fn float(&self, node: NodeId) -> Value {
        Value::Tensor(self.of_node(node, Kind::Float))
    }

    /// The axis that Python calls `axis`.
    pub(super) fn axis(&self, tensor: &Tensor, axis: i64) -> Result<usize> {
        self.shape(tensor)?.axis(axis)
    }

    /// A place for a new axis: one more than there are axes.
    pub(super) fn new_axis(&self, tensor: &Tensor, axis: i64) -> Result<usize> {
        let rank = i64::try_from(self.rank(tensor)).unwrap_or(i64::MAX);
        let place = if axis < 0 { axis.checked_add(rank + 1) } else { Some(axis) };
        let place = place.and_then(|place| usize::try_from(place).ok()).filter(|&place| place <= self.rank(tensor));
        place.ok_or_else(|| Error::malformed(format!("no place {axis} for a new axis among {rank}")))
    }

    /// The size of an axis.
    pub(super) fn size(&self, tensor: &Tensor, axis: usize) -> Result<Size> {
        let shape = self.shape(tensor)?;
        let size = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        match shape.dims().get(axis) {
            Some(Dim::Fixed(fixed)) => Ok(Size::Fixed(size(*fixed))),
            Some(Dim::Batch { outer, inner }) => {
                let times = size(outer.saturating_mul(*inner));
                Ok(match self.batch {
                    Some(batch) => Size::Fixed(times.saturating_mul(batch)),
                    None => Size::Batches(times),
                })
            }
            None => Err(Error::malformed(format!("{shape} has no axis {axis}"))),
        }
    }

    /// A number or tensor as a tensor.
    pub(super) fn operand(&mut self, value: &Value) -> Result<Tensor> {
        match value {
            Value::Tensor(tensor) => Ok(tensor.clone()),
            Value::Bool(truth) => self.scalar(Kind::Boolean, f64::from(u8::from(*truth))),
            Value::Size(_) => {
                let number = value.as_float()?;
                self.scalar(Kind::Integer, number)
            }
            _ => {
                let number = value.as_float()?;
                self.scalar(Kind::Float, number)
            }
        }
    }

    /// A function of every element.
    pub(super) fn map(&mut self, function: Function, x: &Tensor) -> Result<Tensor> {
        if let Source::Constant(array) = &x.source
            && let Some(known) = of_known(function)
        {
            let (shape, numbers) = (array.shape().to_vec(), array.values().map(known).collect());
            return self.numbers(x.kind, &shape, numbers);
        }
        let node = self.node(x)?;
        let node = self.builder.map(function, node)?;
        Ok(self.of_node(node, x.kind))
    }

    /// A function of two elements.
    pub(super) fn binary(&mut self, function: Binary, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        let compares = !matches!(
            function,
            Binary::Add
                | Binary::Subtract
                | Binary::Multiply
                | Binary::Divide
                | Binary::Maximum
                | Binary::Minimum
                | Binary::Power
        );
        let kind = match (left.kind, right.kind) {
            _ if compares => Kind::Boolean,
            (Kind::Float, _) | (_, Kind::Float) => Kind::Float,
            _ if function == Binary::Divide => Kind::Float,
            (Kind::Boolean, Kind::Boolean) => Kind::Boolean,
            _ => Kind::Integer,
        };
        if let (Source::Constant(a), Source::Constant(b)) = (&left.source, &right.source)
            && let Some(known) = of_two_known(function)
        {
            let shape = Shape::fixed(a.shape())?.broadcast(&Shape::fixed(b.shape())?)?.per_row();
            let (a, b) = (expanded(a, &shape)?, expanded(b, &shape)?);
            let numbers = a.iter().zip(&b).map(|(&a, &b)| known(a, b)).collect();
            return self.numbers(kind, &shape, numbers);
        }
        let (left, right) = (self.node(left)?, self.node(right)?);
        let node = self.builder.binary(function, left, right)?;
        Ok(self.of_node(node, kind))
    }

    pub(super) fn with_number(&mut self, function: Binary, x: &Tensor, number: f64) -> Result<Tensor> {
        let kind = if number.fract() == 0.0 { x.kind } else { Kind::Float };
        let number = self.scalar(kind, number)?;
        self.binary(function, x, &number)
    }

    pub(super) fn choose(&mut self, condition: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
        let kind = if yes.kind == Kind::Float || no.kind == Kind::Float { Kind::Float } else { yes.kind };
        let operands = [self.node(condition)?, self.node(yes)?, self.node(no)?];
        let node = self.builder.add(Op::Choose, &operands)?;
        Ok(self.of_node(node, kind))
    }

    /// A sum, mean or the like over axes as Python names them; none named: all of them.
    pub(super) fn reduce(&mut self, how: Reduction, x: &Tensor, axes: &[i64], keep: bool) -> Result<Tensor> {
        let mut axes = axes.iter().map(|&axis| self.axis(x, axis)).collect::<Result<Vec<_>>>()?;
        if axes.is_empty() {
            axes = (0..self.rank(x)).collect();
        }
        axes.sort_unstable();
        axes.dedup();
        let node = self.node(x)?;
        let node = self.builder.add(Op::Reduce { how, axes, keep }, &[node])?;
        let kind = if how == Reduction::Mean || x.kind != Kind::Boolean { x.kind } else { Kind::Integer };
        Ok(self.of_node(node, kind))
    }

    /// Another type of the elements.
    pub(super) fn convert(&mut self, x: &Tensor, kind: Kind) -> Result<Tensor> {
        match (x.kind, kind) {
            (Kind::Float, Kind::Integer) => Ok(Tensor { kind, ..self.map(Function::Truncate, x)? }),
            (Kind::Float | Kind::Integer, Kind::Boolean) => self.with_number(Binary::NotEqual, x, 0.0),
            _ => Ok(Tensor { kind, ..x.clone() }),
        }
    }

    /// The axes in another order.
    pub(super) fn permute(&mut self, x: &Tensor, order: &[usize]) -> Result<Tensor> {
        let node = match &x.source {
            Source::Constant(array) => {
                let array = transposed(array, order)?;
                return self.constant(x.kind, array);
            }
            Source::Node(node) => *node,
        };
        let (from, order) = match self.transposed.get(&node) {
            Some((from, before)) if order.iter().all(|&axis| axis < before.len()) => {
                (*from, order.iter().map(|&axis| before[axis]).collect())
            }
            _ => (node, order.to_vec()),
        };
        let to = self.builder.transpose(from, &order)?;
        if to != from {
            self.transposed.insert(to, (from, order));
        }
        if self.zeros.contains(&from) {
            self.zeros.insert(to);
        }
        Ok(self.of_node(to, x.kind))
    }

    pub(super) fn swap(&mut self, x: &Tensor, first: usize, second: usize) -> Result<Tensor> {
        let mut order: Vec<usize> = (0..self.rank(x)).collect();
        if first >= order.len() || second >= order.len() {
            return Err(Error::malformed(format!("no axes {first} and {second} among {}", order.len())));
        }
        order.swap(first, second);
        self.permute(x, &order)
    }

    /// The same elements in another shape, which must hold the batch at the same place among them.
    fn reshape_to(&mut self, x: &Tensor, shape: &Shape) -> Result<Tensor> {
        match &x.source {
            Source::Constant(array) => {
                let array = Array::new(shape.per_row(), array.data().clone())?;
                self.constant(x.kind, array)
            }
            Source::Node(node) if self.builder.shape(*node) == shape => Ok(x.clone()),
            Source::Node(node) => {
                let (node, zero) = (*node, self.zeros.contains(node));
                let node = self.builder.add(Op::Reshape(shape.clone()), &[node])?;
                if zero {
                    self.zeros.insert(node);
                }
                Ok(self.of_node(node, x.kind))
            }
        }
    }

    /// The same elements with these sizes; one of them may be -1.
    pub(super) fn reshape(&mut self, x: &Tensor, sizes: &[Size]) -> Result<Tensor> {
        let shape = self.shape(x)?;
        let wanted = sizes.iter().map(|&size| wanted(size)).collect::<Result<Vec<_>>>()?;
        let to = match (shape.batch_axis(), self.batch) {
            (Some(_), Some(batch)) => literal(&shape, &wanted, usize::try_from(batch).unwrap_or(1))?,
            _ => symbolic(&shape, &wanted)?,
        };
        self.reshape_to(x, &to)
    }

    /// With an axis of one element in front of `axis`.
    pub(super) fn unsqueeze(&mut self, x: &Tensor, axis: usize) -> Result<Tensor> {
        let mut dims = self.shape(x)?.dims().to_vec();
        dims.insert(axis.min(dims.len()), Dim::Fixed(1));
        self.reshape_to(x, &Shape::new(dims)?)
    }

    /// Without an axis, if it has one element.
    pub(super) fn squeeze(&mut self, x: &Tensor, axis: usize) -> Result<Tensor> {
        let mut dims = self.shape(x)?.dims().to_vec();
        if dims.get(axis) != Some(&Dim::Fixed(1)) {
            return Ok(x.clone());
        }
        dims.remove(axis);
        self.reshape_to(x, &Shape::new(dims)?)
    }

    /// The axes from `first` to `last` as one.
    pub(super) fn flatten(&mut self, x: &Tensor, first: usize, last: usize) -> Result<Tensor> {
        let shape = self.shape(x)?;
        let dims = shape.dims();
        if first > last || last >= dims.len() {
            return Err(Error::malformed(format!("axes {first} to {last} of {shape} cannot be flattened")));
        }
        let product = |dims: &[Dim]| dims.iter().map(|dim| dim.per_row()).product::<usize>();
        let merged = match (first..=last).find(|&axis| dims[axis].is_batch()) {
            Some(axis) => match dims[axis] {
                Dim::Batch { outer, inner } => Dim::Batch {
                    outer: outer.saturating_mul(product(&dims[first..axis])),
                    inner: inner.saturating_mul(product(&dims[axis + 1..=last])),
                },
                fixed @ Dim::Fixed(_) => fixed,
            },
            None => Dim::Fixed(product(&dims[first..=last])),
        };
        let to = dims[..first].iter().copied().chain([merged]).chain(dims[last + 1..].iter().copied()).collect();
        self.reshape_to(x, &Shape::new(to)?)
    }

    /// One axis as several, of these sizes; one of them may be -1.
    pub(super) fn unflatten(&mut self, x: &Tensor, axis: usize, sizes: &[Size]) -> Result<Tensor> {
        let rank = self.rank(x);
        let mut all = (0..rank).map(|axis| self.size(x, axis)).collect::<Result<Vec<_>>>()?;
        all.splice(axis..=axis, sizes.iter().copied());
        self.reshape(x, &all)
    }

    /// `count` indices of an axis from `start` on, `step` apart.
    pub(super) fn slice(&mut self, x: &Tensor, axis: usize, start: usize, step: isize, count: usize) -> Result<Tensor> {
        let shape = self.shape(x)?;
        if start == 0 && step == 1 && shape.dims().get(axis).copied() == Some(Dim::Fixed(count)) {
            return Ok(x.clone());
        }
        if let Source::Constant(array) = &x.source {
            let indices: Option<Vec<usize>> = (0..isize::try_from(count).unwrap_or(0))
                .map(|index| start.checked_add_signed(index.checked_mul(step)?))
                .collect();
            let array = taken(array, axis, &indices.unwrap_or_default())?;
            return self.constant(x.kind, array);
        }
        let node = self.node(x)?;
        let node = self.builder.add(Op::Slice { axis, start, step, count }, &[node])?;
        Ok(self.of_node(node, x.kind))
    }

    /// The given indices of an axis.
    pub(super) fn take(&mut self, x: &Tensor, axis: usize, indices: &[usize]) -> Result<Tensor> {
        if let Source::Constant(array) = &x.source {
            let array = taken(array, axis, indices)?;
            return self.constant(x.kind, array);
        }
        let node = self.node(x)?;
        let node = self.builder.add(Op::Take { axis, indices: indices.into() }, &[node])?;
        Ok(self.of_node(node, x.kind))
    }

    /// One index of an axis, without the axis.
    pub(super) fn select(&mut self, x: &Tensor, axis: usize, index: i64) -> Result<Tensor> {
        let size = self.shape(x)?.size(axis)?;
        let index =
            within(index, size).ok_or_else(|| Error::malformed(format!("index {index} of an axis of {size}")))?;
        let one = self.slice(x, axis, index, 1, 1)?;
        self.squeeze(&one, axis)
    }

    /// The shape of these sizes.
    #[allow(clippy::unused_self)] // asked as its neighbours are
    pub(super) fn target(&self, sizes: &[Size]) -> Result<Shape> {
        let dims = sizes.iter().map(|&size| match wanted(size)? {
            Wanted::Fixed(size) => Ok(Dim::Fixed(size)),
            Wanted::Batches(times) => Ok(Dim::Batch { outer: 1, inner: times }),
            Wanted::Rest => Err(Error::malformed("a size of -1")),
        });
        Shape::new(dims.collect::<Result<_>>()?)
    }

    /// Stretched to a shape.
    pub(super) fn expand(&mut self, x: &Tensor, shape: &Shape) -> Result<Tensor> {
        if self.shape(x)? == *shape {
            return Ok(x.clone());
        }
        if let Source::Constant(array) = &x.source
            && shape.batch_axis().is_none()
        {
            let sizes = shape.per_row();
            let numbers = expanded(array, &sizes)?;
            return self.numbers(x.kind, &sizes, numbers);
        }
        let zero = self.is_zero(x);
        let node = self.node(x)?;
        let node = self.builder.add(Op::Expand(shape.clone()), &[node])?;
        if zero {
            self.zeros.insert(node);
        }
        Ok(self.of_node(node, x.kind))
    }

    /// A tensor of one number everywhere.
    pub(super) fn filled(&mut self, kind: Kind, shape: &Shape, number: f64) -> Result<Tensor> {
        let ones = vec![1; shape.rank()];
        let one = self.numbers(kind, &ones, vec![number])?;
        self.expand(&one, shape)
    }

    /// Tensors behind each other along an axis; one that does not depend on the rows is repeated for each of them.
    pub(super) fn concat(&mut self, tensors: &[Tensor], axis: usize) -> Result<Tensor> {
        let shapes = tensors.iter().map(|tensor| self.shape(tensor)).collect::<Result<Vec<_>>>()?;
        let place = shapes.iter().find_map(|shape| Some((shape.batch_axis()?, shape.clone())));
        let mut nodes = Vec::with_capacity(tensors.len());
        for (tensor, shape) in tensors.iter().zip(&shapes) {
            let mut tensor = tensor.clone();
            if let Some((batch, like)) = &place
                && shape.batch_axis().is_none()
                && shape.rank() == like.rank()
                && *batch != axis
            {
                let mut dims = shape.dims().to_vec();
                let same = self.batch.and_then(|size| usize::try_from(size).ok()).map(Dim::Fixed);
                if dims[*batch] == Dim::Fixed(1) || (Some(dims[*batch]) == same && self.is_zero(&tensor)) {
                    if dims[*batch] != Dim::Fixed(1) {
                        tensor = self.slice(&tensor, *batch, 0, 1, 1)?;
                    }
                    dims[*batch] = like.dims()[*batch];
                    tensor = self.expand(&tensor, &Shape::new(dims)?)?;
                }
            }
            nodes.push(self.node(&tensor)?);
        }
        let kind = if tensors.iter().any(|tensor| tensor.kind == Kind::Float) { Kind::Float } else { Kind::Integer };
        let node = match nodes[..] {
            [] => return Err(Error::malformed("a concatenation of nothing")),
            [only] => only,
            _ => self.builder.add(Op::Concat { axis }, &nodes)?,
        };
        Ok(self.of_node(node, kind))
    }
}

/// An index that may count from the end.
pub(super) fn within(index: i64, size: usize) -> Option<usize> {
    let size = i64::try_from(size).ok()?;
    let index = if index < 0 { index.checked_add(size)? } else { index };
    usize::try_from(index).ok().filter(|_| index < size)
}

fn wanted(size: Size) -> Result<Wanted> {
    let positive = |number: i64| {
        usize::try_from(number)
            .ok()
            .filter(|&number| number > 0)
            .ok_or_else(|| Error::malformed(format!("a tensor is asked to have {number} elements along an axis")))
    };
    match size {
        Size::Fixed(-1) => Ok(Wanted::Rest),
        Size::Fixed(number) => positive(number).map(Wanted::Fixed),
        Size::Batches(times) => positive(times).map(Wanted::Batches),
    }
}

/// The shape with these sizes, the batch being a symbol.
fn symbolic(shape: &Shape, wanted: &[Wanted]) -> Result<Shape> {
    let batches = wanted.iter().position(|size| matches!(size, Wanted::Batches(_)));
    let product = wanted.iter().fold(1usize, |product, size| match size {
        Wanted::Fixed(size) | Wanted::Batches(size) => product.saturating_mul(*size),
        Wanted::Rest => product,
    });
    let sizes: Vec<Option<usize>> = wanted
        .iter()
        .enumerate()
        .map(|(axis, size)| match *size {
            Wanted::Fixed(size) => Some(size),
            Wanted::Rest if batches.is_some() => Some((shape.elements() / product).max(1)),
            Wanted::Batches(_) if Some(axis) != batches => Some(usize::MAX),
            Wanted::Batches(_) | Wanted::Rest => None,
        })
        .collect();
    shape.reshape(&sizes)
}

/// The shape with these sizes, one of which holds the batch: in the program it is a number like others.
///
/// The batch lies behind a known number of elements of each row. Several axes may be said to hold it when it is 1; the one that begins
/// with it is taken, but for a last axis that would mix it with the features.
fn literal(shape: &Shape, wanted: &[Wanted], batch: usize) -> Result<Shape> {
    let all = shape.elements().saturating_mul(batch);
    let product = |sizes: &[Wanted]| {
        sizes.iter().fold(1usize, |product, size| match size {
            Wanted::Fixed(size) | Wanted::Batches(size) => product.saturating_mul(*size),
            Wanted::Rest => product,
        })
    };
    let rest = all / product(wanted).max(1);
    let sizes: Vec<usize> = wanted
        .iter()
        .map(|size| match *size {
            Wanted::Fixed(size) | Wanted::Batches(size) => size,
            Wanted::Rest => rest,
        })
        .collect();
    let in_front = |sizes: &[usize]| sizes.iter().fold(1usize, |product, &size| product.saturating_mul(size));
    let axis = shape.batch_axis().unwrap_or(0);
    let front = match shape.dims()[axis] {
        Dim::Batch { outer, .. } => in_front(&shape.per_row()[..axis]).saturating_mul(outer),
        Dim::Fixed(_) => 1,
    };
    let holds = |axis: usize| {
        let (before, through) = (in_front(&sizes[..axis]), in_front(&sizes[..=axis]));
        front.is_multiple_of(before) && through.is_multiple_of(front.saturating_mul(batch))
    };
    let begins = |axis: usize| in_front(&sizes[..axis]) == front;
    let last = sizes.len().saturating_sub(1);
    let candidates: Vec<usize> = (0..sizes.len()).filter(|&axis| holds(axis)).collect();
    let chosen = candidates
        .iter()
        .copied()
        .find(|&axis| begins(axis) && sizes[axis] == batch)
        .or_else(|| candidates.iter().copied().find(|&axis| begins(axis) && axis != last))
        .or_else(|| candidates.first().copied())
        .ok_or_else(|| Error::malformed(format!("{shape} cannot be read as {sizes:?} for a batch of {batch}")))?;
    let open: Vec<Option<usize>> =
        sizes.iter().enumerate().map(|(axis, &size)| (axis != chosen).then_some(size)).collect();
    shape.reshape(&open)
}

/// Functions that are worth computing once.
fn of_known(function: Function) -> Option<fn(f64) -> f64> {
    Some(match function {
        Function::Negate => |x| -x,
        Function::Abs => f64::abs,
        Function::Exp => f64::exp,
        Function::Sqrt => f64::sqrt,
        Function::ReciprocalSqrt => |x| 1.0 / x.sqrt(),
        Function::Reciprocal => f64::recip,
        Function::Square => |x| x * x,
        Function::Truncate => f64::trunc,
        Function::Floor => f64::floor,
        Function::Not => |x| f64::from(u8::from(x == 0.0)),
        Function::Sin => f64::sin,
        Function::Cos => f64::cos,
        _ => return None,
    })
}

fn of_two_known(function: Binary) -> Option<fn(f64, f64) -> f64> {
    fn truth(value: bool) -> f64 {
        f64::from(u8::from(value))
    }
    Some(match function {
        Binary::Add => |a, b| a + b,
        Binary::Subtract => |a, b| a - b,
        Binary::Multiply => |a, b| a * b,
        Binary::Divide => |a, b| a / b,
        Binary::Power => f64::powf,
        Binary::Greater => |a, b| truth(a > b),
        Binary::GreaterOrEqual => |a, b| truth(a >= b),
        Binary::Less => |a, b| truth(a < b),
        Binary::LessOrEqual => |a, b| truth(a <= b),
        Binary::Equal => |a, b| truth(a == b),
        Binary::NotEqual => |a, b| truth(a != b),
        Binary::Maximum | Binary::Minimum => return None,
    })
}

/// Walks over the elements of a shape in row-major order; `strides` say how far each axis moves in the data.
fn gather(array: &Array, sizes: &[usize], strides: &[usize], first: usize) -> Result<Vec<f64>> {
    let count = sizes.iter().fold(1usize, |count, &size| count.saturating_mul(size));
    limits::check("elements of a tensor", count, limits::TENSOR_ELEMENTS)?;
    let data: Vec<f64> = array.values().collect();
    let mut numbers = limits::vec("elements of a tensor", count)?;
    let mut place = vec![0; sizes.len()];
    let mut at = first;
    for _ in 0..count {
        numbers.push(data[at]);
        for axis in (0..place.len()).rev() {
            place[axis] += 1;
            at += strides[axis];
            if place[axis] < sizes[axis] {
                break;
            }
            at -= strides[axis] * sizes[axis];
            place[axis] = 0;
        }
    }
    Ok(numbers)
}

fn strides(sizes: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; sizes.len()];
    for axis in (1..sizes.len()).rev() {
        strides[axis - 1] = strides[axis] * sizes[axis];
    }
    strides
}

/// The elements of an array broadcast to these sizes.
fn expanded(array: &Array, sizes: &[usize]) -> Result<Vec<f64>> {
    let shape = Shape::fixed(array.shape())?.broadcast(&Shape::fixed(sizes)?)?;
    if shape.per_row() != sizes {
        return Err(Error::malformed(format!("{:?} cannot be broadcast to {sizes:?}", array.shape())));
    }
    let own = strides(array.shape());
    let missing = sizes.len() - array.shape().len();
    let moves: Vec<usize> = (0..sizes.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(mine) if array.shape()[mine] > 1 => own[mine],
            _ => 0,
        })
        .collect();
    gather(array, sizes, &moves, 0)
}

/// An array with its axes in another order.
pub(super) fn transposed(array: &Array, order: &[usize]) -> Result<Array> {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if sorted != (0..array.shape().len()).collect::<Vec<_>>() {
        return Err(Error::malformed(format!("axes in the order {order:?} of {:?}", array.shape())));
    }
    let own = strides(array.shape());
    let sizes: Vec<usize> = order.iter().map(|&axis| array.shape()[axis]).collect();
    let moves: Vec<usize> = order.iter().map(|&axis| own[axis]).collect();
    Array::rounded(array.precision(), &sizes, gather(array, &sizes, &moves, 0)?)
}

/// Some indices of an axis of an array.
fn taken(array: &Array, axis: usize, indices: &[usize]) -> Result<Array> {
    let refuse = || Error::malformed(format!("indices {indices:?} of axis {axis} of {:?}", array.shape()));
    let size = *array.shape().get(axis).ok_or_else(refuse)?;
    if indices.is_empty() || indices.iter().any(|&index| index >= size) {
        return Err(refuse());
    }
    let own = strides(array.shape());
    let mut sizes = array.shape().to_vec();
    sizes[axis] = 1;
    let parts =
        indices.iter().map(|&index| gather(array, &sizes, &own, index * own[axis])).collect::<Result<Vec<_>>>()?;
    let inner: usize = array.shape()[axis + 1..].iter().product();
    let outer: usize = array.shape()[..axis].iter().product();
    let mut numbers = limits::vec("elements of a tensor", outer * indices.len() * inner)?;
    for row in 0..outer {
        for part in &parts {
            numbers.extend_from_slice(&part[row * inner..][..inner]);
        }
    }
    sizes[axis] = indices.len();
    Array::rounded(array.precision(), &sizes, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_is_a_number_is_found_again() {
        let rows = |sizes: &[Wanted], shape: &Shape, batch| literal(shape, sizes, batch).map(|shape| shape.to_string());
        let time_first = Shape::new(vec![Dim::Fixed(10), Dim::BATCH, Dim::Fixed(8)]).unwrap();
        let fixed = |sizes: &[usize]| sizes.iter().map(|&size| Wanted::Fixed(size)).collect::<Vec<_>>();
        for batch in [1, 3] {
            assert_eq!(rows(&fixed(&[10, 2 * batch, 4]), &time_first, batch).unwrap(), "(10, batch*2, 4)");
            assert_eq!(rows(&fixed(&[10 * batch, 8]), &time_first, batch).unwrap(), "(10*batch, 8)");
            assert_eq!(rows(&fixed(&[10, batch, 2, 4]), &time_first, batch).unwrap(), "(10, batch, 2, 4)");
        }
        assert!(rows(&fixed(&[8, 31]), &time_first, 3).is_err());
        assert_eq!(rows(&[Wanted::Fixed(3), Wanted::Rest], &Shape::rows(&[5, 4]).unwrap(), 3).unwrap(), "(batch, 20)");
    }

    #[test]
    fn arrays_are_moved_as_numpy_moves_them() {
        let array = Array::f32(&[2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let numbers = |array: &Array| array.values().collect::<Vec<_>>();
        assert_eq!(numbers(&transposed(&array, &[1, 0]).unwrap()), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(numbers(&taken(&array, 1, &[2, 0]).unwrap()), [2.0, 0.0, 5.0, 3.0]);
        assert_eq!(numbers(&taken(&array, 0, &[1]).unwrap()), [3.0, 4.0, 5.0]);
        let row = Array::f32(&[1, 2], vec![7.0, 8.0]).unwrap();
        assert_eq!(expanded(&row, &[2, 2, 2]).unwrap(), [7.0, 8.0, 7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
        assert!(
            expanded(&row, &[2]).is_err() && transposed(&array, &[0, 0]).is_err() && taken(&array, 1, &[3]).is_err()
        );
    }
}
