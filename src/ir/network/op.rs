//! What a node computes. Axes are counted from the front; "the last axis" and the like say which ones an operation works on.

use super::array::Array;
use super::function::{Binary, Function, Reduction};
use super::shape::Shape;
use std::sync::Arc;

/// An operation with its parameters. Every one gives one tensor.
#[derive(Debug, Clone)]
pub enum Op {
    /// The input of this index of the network. No operands.
    Input(usize),
    /// A tensor that does not depend on the rows. No operands.
    Constant(Arc<Array>),
    /// `x * weights + bias` over the last axis. One operand.
    Dense(Dense),
    /// The matrix product over the last two axes, the others broadcast. Two operands: (.., m, k) and (.., k, n).
    MatMul {
        /// The second operand is given as (.., n, k).
        transposed: bool,
    },
    /// A convolution along the steps of (.., steps, channels). One operand.
    Convolution(Convolution),
    /// `x * scale + shift` with one number for each index of one axis: a batch normalisation at inference. One operand.
    Affine {
        /// The axis.
        axis: usize,
        /// Factors, of shape (size of the axis).
        scale: Arc<Array>,
        /// Summands, of shape (size of the axis).
        shift: Arc<Array>,
    },
    /// A normalisation by statistics of the row itself. One operand.
    Normalize(Normalize),
    /// A function of every element. One operand.
    Map(Function),
    /// `x` when `x > 0`, else `slopes * x`; `slopes` is broadcast to the operand. One operand.
    Prelu(Arc<Array>),
    /// `exp(x - max)` over its sum along one axis, or the logarithm of that. One operand.
    Softmax {
        /// The axis.
        axis: usize,
        /// Whether the logarithm is wanted.
        log: bool,
    },
    /// A function of two elements. Two operands, broadcast to each other.
    Binary(Binary),
    /// The second operand where the first is not 0, else the third. Three operands, broadcast to each other.
    Choose,
    /// A sum, mean or the like over some axes. One operand.
    Reduce {
        /// What becomes of the elements.
        how: Reduction,
        /// The axes, in ascending order.
        axes: Vec<usize>,
        /// Whether these axes stay, with one element each.
        keep: bool,
    },
    /// Tensors behind each other along an axis. One operand or more.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// The same elements in the same order as another shape. One operand.
    Reshape(Shape),
    /// The operand broadcast to this shape. One operand.
    Expand(Shape),
    /// The axes in another order: axis `i` of the result is axis `order[i]` of the operand. One operand.
    Transpose(Vec<usize>),
    /// Every `step`-th index of an axis, `count` of them from `start` on. One operand.
    Slice {
        /// The axis.
        axis: usize,
        /// The first index.
        start: usize,
        /// From one index to the next; negative: backwards; not 0.
        step: isize,
        /// How many indices.
        count: usize,
    },
    /// The given indices of an axis, in the given order. One operand.
    Take {
        /// The axis.
        axis: usize,
        /// The indices.
        indices: Arc<[usize]>,
    },
    /// More elements at the ends of an axis. One operand.
    Pad {
        /// The axis.
        axis: usize,
        /// Elements in front.
        before: usize,
        /// Elements behind.
        after: usize,
        /// What they are.
        value: f64,
    },
    /// The maximum or mean of windows along the steps of (.., steps, channels). One operand.
    Pool(Pool),
    /// The rows of a table that the elements number; they become a new last axis. An element is truncated to an integer; one that
    /// numbers no row is refused when the network runs. One operand.
    Embedding(Arc<Array>),
    /// A recurrent layer over (.., steps, features). One operand, and the initial state as a second one of shape (.., units), and
    /// for an LSTM its memory as a third.
    Recurrent(Box<Recurrent>),
}

/// `x * weights + bias`.
#[derive(Debug, Clone)]
pub struct Dense {
    /// Of shape (inputs, outputs).
    pub weights: Arc<Array>,
    /// Of shape (outputs).
    pub bias: Option<Arc<Array>>,
}

/// A convolution: the result at step `t` and filter `f` is the sum over taps `k` and channels `c` of
/// `x[t * stride + k * dilation - before, c] * kernel[k, c, f]`, elements beyond the ends being 0.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// Of shape (taps, channels / groups, filters).
    pub kernel: Arc<Array>,
    /// Of shape (filters).
    pub bias: Option<Arc<Array>>,
    /// Steps from one window to the next.
    pub stride: usize,
    /// Steps from one tap to the next.
    pub dilation: usize,
    /// Channels and filters fall into this many groups of the same size that do not see each other.
    pub groups: usize,
    /// Zeros in front of the first step.
    pub before: usize,
    /// Zeros behind the last step.
    pub after: usize,
}

/// A normalisation over the last axes, then optionally `* scale + shift`.
#[derive(Debug, Clone)]
pub struct Normalize {
    /// By what.
    pub norm: Norm,
    /// How many of the last axes belong together.
    pub axes: usize,
    /// Factors, of the shape of these axes.
    pub scale: Option<Arc<Array>>,
    /// Summands, of the shape of these axes.
    pub shift: Option<Arc<Array>>,
}

/// What elements are divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Norm {
    /// Layer normalisation: `(x - mean) / sqrt(variance + epsilon)`, the variance being that of the population.
    Layer {
        /// Keeps the divisor from 0.
        epsilon: f64,
    },
    /// `x / sqrt(mean(x^2) + epsilon)`.
    Rms {
        /// Keeps the divisor from 0.
        epsilon: f64,
    },
    /// `x / sqrt(max(sum(x^2), least))`.
    Unit {
        /// Keeps the divisor from 0.
        least: f64,
    },
}

/// Windows along the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// What becomes of a window.
    pub how: Pooling,
    /// Steps of a window.
    pub size: usize,
    /// Steps from one window to the next.
    pub stride: usize,
    /// Steps from one element of a window to the next.
    pub dilation: usize,
    /// Places in front of the first step that windows may cover.
    pub before: usize,
    /// Places behind the last step.
    pub after: usize,
}

/// What becomes of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The largest element that is there.
    Max,
    /// The mean of the elements that are there.
    Mean,
    /// The sum of the elements that are there, divided by the size of the window.
    MeanOfAll,
}

/// A recurrent layer. `g` is the number of its gates: 1, 3 for a GRU, 4 for an LSTM; gates lie beside each other.
#[derive(Debug, Clone)]
pub struct Recurrent {
    /// The formulas.
    pub cell: Cell,
    /// Weights of the features, of shape (features, g * units).
    pub kernel: Arc<Array>,
    /// Weights of the state, of shape (units, g * units).
    pub recurrent: Arc<Array>,
    /// Added to the product of the features, of shape (g * units).
    pub bias: Option<Arc<Array>>,
    /// Added to the product of the state, of shape (g * units).
    pub recurrent_bias: Option<Arc<Array>>,
    /// From the last step to the first. What belongs to a step stays at its place.
    pub reverse: bool,
    /// What the layer gives.
    pub returns: Returns,
}

impl Recurrent {
    /// Numbers of a state.
    #[must_use]
    pub fn units(&self) -> usize {
        self.recurrent.shape().first().copied().unwrap_or(0)
    }
}

/// The formulas of a step. `x` is the product of the features plus bias, `u` that of the state `h` plus recurrent bias; a suffix
/// names the gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell {
    /// `h = activation(x + u)`.
    Simple {
        /// Of the state.
        activation: Function,
    },
    /// Gates update `z`, reset `r`, candidate `n`. `z = gate(x_z + u_z)`, `r = gate(x_r + u_r)`, `h = z * h + (1 - z) * n`, and
    /// `n = activation(x_n + r * u_n)` when the reset comes after the product, else `n = activation(x_n + (r * h) * recurrent_n)`.
    Gru {
        /// Of the candidate.
        activation: Function,
        /// Of the gates.
        gate: Function,
        /// Whether the reset comes after the product.
        reset_after: bool,
    },
    /// Gates input `i`, forget `f`, candidate `n`, output `o`. `c = gate(x_f + u_f) * c + gate(x_i + u_i) * activation(x_n + u_n)`,
    /// `h = gate(x_o + u_o) * activation(c)`.
    Lstm {
        /// Of candidate and memory.
        activation: Function,
        /// Of the gates.
        gate: Function,
    },
}

impl Cell {
    /// How many gates lie beside each other.
    #[must_use]
    pub fn gates(self) -> usize {
        match self {
            Cell::Simple { .. } => 1,
            Cell::Gru { .. } => 3,
            Cell::Lstm { .. } => 4,
        }
    }
}

/// What a recurrent layer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// The state after each step: (.., steps, units).
    Sequence,
    /// The state after the last step that is taken: (.., units).
    Last,
    /// The memory of an LSTM after that step: (.., units).
    Memory,
}

impl Op {
    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input(_) => "input",
            Op::Constant(_) => "constant",
            Op::Dense(_) => "dense",
            Op::MatMul { .. } => "matrix product",
            Op::Convolution(_) => "convolution",
            Op::Affine { .. } => "affine",
            Op::Normalize(_) => "normalisation",
            Op::Map(_) => "function",
            Op::Prelu(_) => "prelu",
            Op::Softmax { .. } => "softmax",
            Op::Binary(_) => "function of two",
            Op::Choose => "choice",
            Op::Reduce { .. } => "reduction",
            Op::Concat { .. } => "concatenation",
            Op::Reshape(_) => "reshape",
            Op::Expand(_) => "expansion",
            Op::Transpose(_) => "transposition",
            Op::Slice { .. } => "slice",
            Op::Take { .. } => "selection",
            Op::Pad { .. } => "padding",
            Op::Pool(_) => "pooling",
            Op::Embedding(_) => "embedding",
            Op::Recurrent(_) => "recurrent layer",
        }
    }
}
