//! How readers make a network: node by node, each checked when it is added.

use super::array::Array;
use super::op::Op;
use super::shape::Shape;
use super::{Input, Network, Node, NodeId, Output, infer};
use crate::error::{Error, Result, Within};
use crate::ir::Precision;
use crate::limits;
use std::sync::Arc;

/// A network under construction.
///
/// ```
/// use mi::ir::Precision;
/// use mi::ir::network::{Array, Builder, Dense, Function, Op, Shape};
/// use std::sync::Arc;
///
/// let mut builder = Builder::new(Precision::F32);
/// let x = builder.input("x", Shape::rows(&[2])?)?;
/// let weights = Arc::new(Array::f32(&[2, 1], vec![0.5, -1.0])?);
/// let y = builder.add(Op::Dense(Dense { weights, bias: None }), &[x])?;
/// let y = builder.map(Function::Relu, y)?;
/// let network = builder.finish(&[("y", y)])?;
/// assert_eq!(network.outputs()[0].shape.to_string(), "(batch, 1)");
/// # Ok::<(), mi::Error>(())
/// ```
#[derive(Debug)]
pub struct Builder {
    precision: Precision,
    inputs: Vec<Input>,
    shapes: Vec<Shape>,
    nodes: Vec<Node>,
    elements: usize,
    work: usize,
}

impl Builder {
    /// No nodes yet. All arrays must be of this precision.
    #[must_use]
    pub fn new(precision: Precision) -> Self {
        Self { precision, inputs: Vec::new(), shapes: Vec::new(), nodes: Vec::new(), elements: 0, work: 0 }
    }

    /// The arithmetic of the network.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// One more input. Rows of a caller hold the inputs behind each other, in the order in which they were added.
    ///
    /// # Errors
    /// `MI_MALFORMED` for an input that does not grow with the batch, `MI_LIMIT_EXCEEDED` for too large or too many ones.
    pub fn input(&mut self, name: &str, shape: Shape) -> Result<NodeId> {
        if shape.batch_axis().is_none() {
            return Err(Error::malformed(format!("input '{name}' of shape {shape} has no axis for the batch")));
        }
        self.inputs.push(Input { name: name.to_owned(), shape: shape.clone() });
        self.shapes.push(shape);
        self.add(Op::Input(self.inputs.len() - 1), &[])
    }

    /// A tensor that does not depend on the rows.
    ///
    /// # Errors
    /// Those of [`Builder::add`].
    pub fn constant(&mut self, array: Array) -> Result<NodeId> {
        self.add(Op::Constant(Arc::new(array)), &[])
    }

    /// One number, of no axes.
    ///
    /// # Errors
    /// Those of [`Builder::add`].
    pub fn scalar(&mut self, value: f64) -> Result<NodeId> {
        self.constant(Array::rounded(self.precision, &[], vec![value])?)
    }

    /// One more node; its operands come before it.
    ///
    /// # Errors
    /// `MI_MALFORMED`, naming the node, when operands and parameters do not fit each other; `MI_LIMIT_EXCEEDED` when the network
    /// has become too large.
    pub fn add(&mut self, op: Op, operands: &[NodeId]) -> Result<NodeId> {
        let index = self.nodes.len();
        limits::check("nodes of a network", index + 1, limits::NETWORK_NODES)?;
        let shapes: Vec<&Shape> = operands.iter().map(|operand| self.shape(*operand)).collect();
        let shape = infer::shape(&op, self.precision, &self.shapes, &shapes)
            .within(|| format!("node {index} ({})", op.name()))?;
        let work = infer::work(&op, &shapes, &shape);
        self.elements = self.elements.saturating_add(shape.elements());
        self.work = self.work.saturating_add(work);
        limits::check("elements per row in all tensors of a network", self.elements, limits::NETWORK_ELEMENTS)?;
        limits::check("multiplications per row of a network", self.work, limits::NETWORK_WORK)?;
        self.nodes.push(Node { op, operands: operands.to_vec(), shape });
        Ok(NodeId(index))
    }

    /// The shape of a node.
    #[must_use]
    pub fn shape(&self, node: NodeId) -> &Shape {
        &self.nodes[node.0].shape
    }

    /// The network with these outputs. Nodes that none of them needs are left out; inputs stay, since rows hold them.
    ///
    /// # Errors
    /// `MI_MALFORMED` without inputs or outputs, or for an output that does not grow with the batch.
    pub fn finish(mut self, outputs: &[(&str, NodeId)]) -> Result<Network> {
        if self.inputs.is_empty() || outputs.is_empty() {
            return Err(Error::malformed("a network needs an input and an output"));
        }
        limits::check("outputs of a network", outputs.len(), limits::OUTPUTS)?;
        let places = self.keep_needed(outputs.iter().map(|(_, node)| *node));
        let outputs = outputs
            .iter()
            .map(|&(name, node)| {
                let node = places[node.0];
                let shape = self.shape(node).clone();
                if shape.batch_axis().is_none() {
                    return Err(Error::malformed(format!("output '{name}' does not depend on the rows")));
                }
                limits::check("numbers in an output", shape.elements(), limits::FEATURES)?;
                Ok(Output { name: name.to_owned(), node, shape })
            })
            .collect::<Result<Vec<_>>>()?;
        let features = self.inputs.iter().map(|input| input.shape.elements()).sum();
        limits::check("numbers in the inputs of a network", features, limits::FEATURES)?;
        Ok(Network { precision: self.precision, inputs: self.inputs, nodes: self.nodes, outputs, work: self.work })
    }

    /// Drops the nodes that no output needs; returns where each of the others stands now.
    fn keep_needed(&mut self, outputs: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
        let mut needed: Vec<bool> = self.nodes.iter().map(|node| matches!(node.op, Op::Input(_))).collect();
        outputs.for_each(|output| needed[output.0] = true);
        // Operands come before their users: whoever needs a node has been seen when its turn comes.
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if needed[index] {
                node.operands.iter().for_each(|operand| needed[operand.0] = true);
            }
        }
        let (mut places, mut kept) = (Vec::with_capacity(self.nodes.len()), Vec::<Node>::new());
        for (node, needed) in std::mem::take(&mut self.nodes).into_iter().zip(needed) {
            places.push(NodeId(kept.len()));
            if needed {
                kept.push(node);
            }
        }
        for node in &mut kept {
            node.operands.iter_mut().for_each(|operand| *operand = places[operand.0]);
        }
        self.work = 0;
        for node in &kept {
            let shapes: Vec<&Shape> = node.operands.iter().map(|operand| &kept[operand.0].shape).collect();
            self.work = self.work.saturating_add(infer::work(&node.op, &shapes, &node.shape));
        }
        self.nodes = kept;
        places
    }
}
