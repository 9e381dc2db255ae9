//! What has no operation of its own: made of several.

use super::NodeId;
use super::array::Array;
use super::builder::Builder;
use super::function::{Binary, Function, Reduction};
use super::op::{Convolution, Dense, Op, Pool, Pooling, Recurrent};
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::limits;
use std::sync::Arc;

/// What stands where scores are masked: exponentials of it are 0, and no sum of two of them is infinite.
const MASKED: f64 = -1e38;

/// How queries attend to keys.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Factor of the scores.
    pub scale: f64,
    /// Whether query `i` sees only the keys up to `i`.
    pub causal: bool,
    /// Added to the scores: (.., queries, keys), broadcast.
    pub mask: Option<NodeId>,
}

/// How the two directions of a bidirectional layer come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Beside each other, forward first.
    Concat,
    /// Their sum.
    Sum,
    /// Their product.
    Multiply,
    /// Their mean.
    Average,
}

/// Places around the steps, as libraries name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// None: windows lie inside.
    Valid,
    /// As many that `ceil(steps / stride)` windows fit, the odd one behind.
    Same,
    /// All in front, so that no window looks ahead.
    Causal,
}

impl Padding {
    /// Places in front and behind, for windows of `size` places that are `dilation` steps apart.
    #[must_use]
    pub fn places(self, steps: usize, size: usize, stride: usize, dilation: usize) -> (usize, usize) {
        let reach = size.saturating_sub(1).saturating_mul(dilation);
        match self {
            Padding::Valid => (0, 0),
            Padding::Causal => (reach, 0),
            Padding::Same => {
                let windows = steps.div_ceil(stride.max(1));
                let needed = windows.saturating_sub(1).saturating_mul(stride).saturating_add(reach + 1);
                let all = needed.saturating_sub(steps);
                (all / 2, all - all / 2)
            }
        }
    }
}

impl Builder {
    /// A function of every element.
    ///
    /// # Errors
    /// Those of [`Builder::add`], as for all methods here.
    pub fn map(&mut self, function: Function, x: NodeId) -> Result<NodeId> {
        if function == Function::Identity { Ok(x) } else { self.add(Op::Map(function), &[x]) }
    }

    /// A function of two elements.
    ///
    /// # Errors
    /// When the shapes do not fit each other.
    pub fn binary(&mut self, function: Binary, left: NodeId, right: NodeId) -> Result<NodeId> {
        self.add(Op::Binary(function), &[left, right])
    }

    /// A function of every element and one number.
    ///
    /// # Errors
    /// Those of [`Builder::add`].
    pub fn with_scalar(&mut self, function: Binary, x: NodeId, number: f64) -> Result<NodeId> {
        let number = self.scalar(number)?;
        self.binary(function, x, number)
    }

    /// `x * weights + bias` over the last axis.
    ///
    /// # Errors
    /// When the shapes do not fit each other.
    pub fn dense(&mut self, x: NodeId, weights: Arc<Array>, bias: Option<Arc<Array>>) -> Result<NodeId> {
        self.add(Op::Dense(Dense { weights, bias }), &[x])
    }

    /// The same elements along other axes; `None` stands for the axis that holds the batch, see [`Shape::reshape`].
    ///
    /// # Errors
    /// When they do not come out even, or rows would be torn.
    pub fn reshape(&mut self, x: NodeId, sizes: &[Option<usize>]) -> Result<NodeId> {
        let to = self.shape(x).reshape(sizes)?;
        self.reshape_to(x, to)
    }

    fn reshape_to(&mut self, x: NodeId, to: Shape) -> Result<NodeId> {
        if *self.shape(x) == to { Ok(x) } else { self.add(Op::Reshape(to), &[x]) }
    }

    /// Without an axis of one element.
    ///
    /// # Errors
    /// When the axis has more of them.
    pub fn squeeze(&mut self, x: NodeId, axis: usize) -> Result<NodeId> {
        let shape = self.shape(x);
        if shape.size(axis)? != 1 {
            return Err(Error::malformed(format!("axis {axis} of {shape} has more than one element")));
        }
        let mut dims = shape.dims().to_vec();
        dims.remove(axis);
        self.reshape_to(x, Shape::new(dims)?)
    }

    /// With a new axis of one element in front of `axis`.
    ///
    /// # Errors
    /// When there are not as many axes.
    pub fn unsqueeze(&mut self, x: NodeId, axis: usize) -> Result<NodeId> {
        let mut dims = self.shape(x).dims().to_vec();
        if axis > dims.len() {
            return Err(Error::malformed(format!("no place {axis} among the axes of {}", self.shape(x))));
        }
        dims.insert(axis, super::Dim::Fixed(1));
        self.reshape_to(x, Shape::new(dims)?)
    }

    /// With the axes in another order.
    ///
    /// # Errors
    /// When `order` is none.
    pub fn transpose(&mut self, x: NodeId, order: &[usize]) -> Result<NodeId> {
        if order.iter().copied().eq(0..self.shape(x).rank()) {
            return Ok(x);
        }
        self.add(Op::Transpose(order.to_vec()), &[x])
    }

    /// With two axes swapped.
    ///
    /// # Errors
    /// When there are no such axes.
    pub fn swap(&mut self, x: NodeId, first: usize, second: usize) -> Result<NodeId> {
        let rank = self.shape(x).rank();
        if first >= rank || second >= rank {
            return Err(Error::malformed(format!("{} has no axes {first} and {second}", self.shape(x))));
        }
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(first, second);
        self.transpose(x, &order)
    }

    /// The elements of one index of an axis, without that axis.
    ///
    /// # Errors
    /// When there is no such index.
    pub fn select(&mut self, x: NodeId, axis: usize, index: usize) -> Result<NodeId> {
        let x = self.slice(x, axis, index, 1)?;
        self.squeeze(x, axis)
    }

    /// `count` indices of an axis from `start` on.
    ///
    /// # Errors
    /// When they do not lie inside.
    pub fn slice(&mut self, x: NodeId, axis: usize, start: usize, count: usize) -> Result<NodeId> {
        if start == 0 && count == self.shape(x).size(axis)? {
            return Ok(x);
        }
        self.add(Op::Slice { axis, start, step: 1, count }, &[x])
    }

    /// With the indices of an axis backwards.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn reverse(&mut self, x: NodeId, axis: usize) -> Result<NodeId> {
        let count = self.shape(x).size(axis)?;
        self.add(Op::Slice { axis, start: count - 1, step: -1, count }, &[x])
    }

    /// The whole tensor this many times behind itself along an axis.
    ///
    /// # Errors
    /// When it grows too large.
    pub fn tile(&mut self, x: NodeId, axis: usize, times: usize) -> Result<NodeId> {
        if times == 1 {
            return Ok(x);
        }
        let mut x = self.unsqueeze(x, axis)?;
        let mut dims = self.shape(x).dims().to_vec();
        dims[axis] = super::Dim::Fixed(times);
        x = self.add(Op::Expand(Shape::new(dims)?), &[x])?;
        self.merge(x, axis)
    }

    /// Each index of an axis this many times behind itself.
    ///
    /// # Errors
    /// When it grows too large.
    pub fn repeat(&mut self, x: NodeId, axis: usize, times: usize) -> Result<NodeId> {
        if times == 1 {
            return Ok(x);
        }
        let mut x = self.unsqueeze(x, axis + 1)?;
        let mut dims = self.shape(x).dims().to_vec();
        dims[axis + 1] = super::Dim::Fixed(times);
        x = self.add(Op::Expand(Shape::new(dims)?), &[x])?;
        self.merge(x, axis)
    }

    /// An axis and the next one as one axis.
    fn merge(&mut self, x: NodeId, axis: usize) -> Result<NodeId> {
        use super::Dim::{Batch, Fixed};
        let mut dims = self.shape(x).dims().to_vec();
        let behind = dims.remove(axis + 1);
        dims[axis] = match (dims[axis], behind) {
            (Fixed(front), Fixed(behind)) => Fixed(front.saturating_mul(behind)),
            (Batch { outer, inner }, Fixed(behind)) => Batch { outer, inner: inner.saturating_mul(behind) },
            (Fixed(front), Batch { outer, inner }) => Batch { outer: outer.saturating_mul(front), inner },
            (Batch { .. }, Batch { .. }) => return Err(Error::malformed("two axes of the batch")),
        };
        self.reshape_to(x, Shape::new(dims)?)
    }

    /// With this many zeros between the indices of an axis: what a transposed convolution sees.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn spread(&mut self, x: NodeId, axis: usize, zeros: usize) -> Result<NodeId> {
        let size = self.shape(x).size(axis)?;
        if zeros == 0 || size == 1 {
            return Ok(x);
        }
        let x = self.unsqueeze(x, axis + 1)?;
        let x = self.add(Op::Pad { axis: axis + 1, before: 0, after: zeros, value: 0.0 }, &[x])?;
        let x = self.merge(x, axis)?;
        self.slice(x, axis, 0, size + (size - 1) * zeros)
    }

    /// A convolution in which every channel has filters of its own; the kernel is (taps, channels, filters per channel).
    ///
    /// # Errors
    /// When the shapes do not fit each other.
    pub fn depthwise(&mut self, x: NodeId, kernel: &Array, rest: Convolution) -> Result<NodeId> {
        let [taps, channels, filters] = *kernel.shape() else {
            return Err(Error::malformed(format!("a kernel of shape {:?}, three axes are expected", kernel.shape())));
        };
        // Filters of one channel lie beside each other, as those of one group do.
        let kernel = Array::new(vec![taps, 1, channels * filters], kernel.data().clone())?;
        self.add(Op::Convolution(Convolution { kernel: Arc::new(kernel), groups: channels, ..rest }), &[x])
    }

    /// Means or maxima of `count` windows along the steps that share them out, overlapping where they do not come out even:
    /// window `i` reaches from `floor(i * steps / count)` to `ceil((i + 1) * steps / count)`.
    ///
    /// # Errors
    /// When there are no windows or no steps.
    pub fn adaptive_pool(&mut self, x: NodeId, how: Pooling, count: usize) -> Result<NodeId> {
        let shape = self.shape(x);
        let axis = shape.rank().wrapping_sub(2);
        let steps = shape.size(axis)?;
        if count == 0 || steps == 0 {
            return Err(Error::malformed(format!("{count} windows share {steps} steps out")));
        }
        limits::check("windows that share steps out", count, limits::NETWORK_NODES)?;
        if steps.is_multiple_of(count) {
            let size = steps / count;
            return self.add(Op::Pool(Pool { how, size, stride: size, dilation: 1, before: 0, after: 0 }), &[x]);
        }
        let how = if how == Pooling::Max { Reduction::Max } else { Reduction::Mean };
        let mut windows = Vec::with_capacity(count);
        for index in 0..count {
            let (start, end) = (index * steps / count, ((index + 1) * steps).div_ceil(count));
            let window = self.slice(x, axis, start, end - start)?;
            windows.push(self.add(Op::Reduce { how, axes: vec![axis], keep: true }, &[window])?);
        }
        self.add(Op::Concat { axis }, &windows)
    }

    /// `softmax(queries * keys^T * scale + mask) * values`, over the last two axes: (.., m, d), (.., n, d) and (.., n, e) give
    /// (.., m, e).
    ///
    /// # Errors
    /// When the shapes do not fit each other.
    pub fn attention(&mut self, queries: NodeId, keys: NodeId, values: NodeId, how: Attention) -> Result<NodeId> {
        let shares = self.attention_shares(queries, keys, how)?;
        self.add(Op::MatMul { transposed: false }, &[shares, values])
    }

    /// What [`Builder::attention`] multiplies the values with: (.., m, n), whose last axis sums to 1.
    ///
    /// # Errors
    /// When the shapes do not fit each other.
    pub fn attention_shares(&mut self, queries: NodeId, keys: NodeId, how: Attention) -> Result<NodeId> {
        let scaled = match how.scale {
            1.0 => queries,
            scale => self.with_scalar(Binary::Multiply, queries, scale)?,
        };
        let mut scores = self.add(Op::MatMul { transposed: true }, &[scaled, keys])?;
        if how.causal {
            let mask = self.causal_mask(scores)?;
            scores = self.binary(Binary::Add, scores, mask)?;
        }
        if let Some(mask) = how.mask {
            scores = self.binary(Binary::Add, scores, mask)?;
        }
        let axis = self.shape(scores).rank() - 1;
        self.add(Op::Softmax { axis, log: false }, &[scores])
    }

    /// What is added to scores of shape (.., m, n) so that query `i` sees the keys up to `i`: (m, n).
    ///
    /// # Errors
    /// When there are no such axes.
    pub fn causal_mask(&mut self, scores: NodeId) -> Result<NodeId> {
        let shape = self.shape(scores);
        let (queries, keys) = (shape.size(shape.rank().wrapping_sub(2))?, shape.last()?);
        let mask = (0..queries).flat_map(|query| (0..keys).map(move |key| if key > query { MASKED } else { 0.0 }));
        let mask = Array::rounded(self.precision(), &[queries, keys], mask.collect())?;
        self.constant(mask)
    }

    /// Two recurrent layers over the same sequence, the second of which runs backwards.
    ///
    /// # Errors
    /// When the shapes do not fit each other.
    pub fn bidirectional(
        &mut self,
        x: NodeId,
        forward: Recurrent,
        backward: Recurrent,
        merge: Merge,
    ) -> Result<NodeId> {
        let forward = self.add(Op::Recurrent(Box::new(forward)), &[x])?;
        let backward = self.add(Op::Recurrent(Box::new(Recurrent { reverse: true, ..backward })), &[x])?;
        self.merged(forward, backward, merge)
    }

    /// Two tensors of the same shape brought together.
    ///
    /// # Errors
    /// When the shapes do not fit each other.
    pub fn merged(&mut self, first: NodeId, second: NodeId, merge: Merge) -> Result<NodeId> {
        match merge {
            Merge::Concat => {
                let axis = self.shape(first).rank().saturating_sub(1);
                self.add(Op::Concat { axis }, &[first, second])
            }
            Merge::Sum => self.binary(Binary::Add, first, second),
            Merge::Multiply => self.binary(Binary::Multiply, first, second),
            Merge::Average => {
                let sum = self.binary(Binary::Add, first, second)?;
                self.with_scalar(Binary::Multiply, sum, 0.5)
            }
        }
    }
}
