//! Networks: a directed graph of typed operations over tensors whose shapes are known.
//!
//! Every reader of networks lowers its file to this graph, and everything that runs one starts from it. A [`Builder`] checks each
//! node when it is added, so whoever runs a [`Network`] trusts what it finds: operands come before the nodes that use them, shapes
//! fit, indices lie inside, and no operation mixes the rows of a batch.
//!
//! # Conventions
//! - Sequences are (batch, steps, features): channels last, also in convolutions and pooling. PyTorch's order is a transposition.
//! - Weights are (inputs, outputs), kernels (taps, channels, filters), gates beside each other. [`op`] says it for each operation.
//! - All tensors are of the network's one [`Precision`]; indices of embeddings and masks are numbers like others.
//! - The batch may be any axis, or be merged with its neighbours: see [`Dim`]. A batch of one row has a fixed shape throughout.
//!
//! What has no operation of its own is made of several, by the methods of [`Builder`] in `compose`: attention, bidirectional layers,
//! squeezes, repetitions, separable and transposed convolutions.

mod array;
mod builder;
mod compose;
pub mod function;
mod infer;
pub mod op;
mod predictor;
mod shape;
#[cfg(test)]
mod tests;

pub use array::{Array, Data};
pub use builder::Builder;
pub use compose::{Attention, Merge, Padding};
pub use function::{Binary, Function, Reduction};
pub use op::{Cell, Convolution, Dense, Norm, Normalize, Op, Pool, Pooling, Recurrent, Returns};
pub use predictor::{Answer, Predictor};
pub use shape::{Dim, Shape};

use super::Precision;

/// A node of a network under construction or of the finished one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(usize);

impl NodeId {
    /// Its place among the nodes.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// An input.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name in the file.
    pub name: String,
    /// Its shape, with a batch axis.
    pub shape: Shape,
}

/// An operation, where its operands come from, and the shape that it gives.
#[derive(Debug, Clone)]
pub struct Node {
    op: Op,
    operands: Vec<NodeId>,
    shape: Shape,
}

impl Node {
    /// What it computes.
    #[must_use]
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// Nodes in front of this one.
    #[must_use]
    pub fn operands(&self) -> &[NodeId] {
        &self.operands
    }

    /// The shape of its result.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// An output.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name in the file.
    pub name: String,
    /// Where it comes from.
    pub node: NodeId,
    /// Its shape.
    pub shape: Shape,
}

/// A validated network.
#[derive(Debug, Clone)]
pub struct Network {
    precision: Precision,
    inputs: Vec<Input>,
    nodes: Vec<Node>,
    outputs: Vec<Output>,
    work: usize,
}

impl Network {
    /// The arithmetic of all of its tensors.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The inputs, in the order in which a row holds them; at least one.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The nodes, operands before their users.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of this id.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The outputs, in the order of the file; at least one.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Multiply-adds for a row, about.
    #[must_use]
    pub fn work(&self) -> usize {
        self.work
    }

    /// Numbers in a row: those of all inputs.
    #[must_use]
    pub fn row(&self) -> usize {
        self.inputs.iter().map(|input| input.shape.elements()).sum()
    }
}
