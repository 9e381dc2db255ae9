//! A program of PyTorch on its way to a network: tensors that are known stay numbers, the others become nodes.

use super::known::{expanded, of_known, of_two_known, taken, transposed};
use super::number::Kind;
use super::sizes::{Wanted, literal, symbolic, wanted};
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
