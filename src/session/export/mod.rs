//! Networks as ONNX files in memory, for a runtime that is asked to run what is usually run here.

mod functions;
mod layers;
mod writer;

use crate::error::{Error, Result, Within};
use crate::ir::graph::{self, Axis, Classifier, Element};
use crate::ir::network::{Answer, Network, NodeId, Op, Predictor, Shape};
use crate::ir::{self, Precision};
use writer::{Attribute, Graph, Name, int};

/// A model whose network is written as ONNX.
///
/// # Errors
/// Those of [`onnx`], and of [`ir::Graph::new`].
pub fn graph(model: &Predictor) -> Result<ir::Graph> {
    let network = model.network();
    let output = &network.outputs()[model.value()];
    let with_rows = |sizes: Vec<usize>| std::iter::once(Axis::Rows).chain(sizes.into_iter().map(Axis::Fixed)).collect();
    let inputs = network.inputs().iter().enumerate().map(|(index, input)| graph::Input {
        name: Name::numbered(index).text(),
        element: Element::F32,
        axes: with_rows(outside(&input.shape)),
    });
    let file = onnx(network, output.node)?;
    let answer = match model.answer() {
        Answer::Values => graph::Answer::Values(0),
        Answer::Each => graph::Answer::Each(0),
        Answer::Classes(classes) => graph::Answer::Classes(Classifier {
            probabilities: Some(0),
            scores: None,
            label: None,
            classes: classes.clone(),
            value: graph::ValueOf::Probabilities,
        }),
    };
    ir::Graph::new(graph::Parts {
        bytes: file.bytes.into(),
        files: Vec::new(),
        inputs: inputs.collect(),
        batch: None,
        takes: model.takes(),
        outputs: vec![graph::Output {
            name: file.output,
            element: Element::F32,
            axes: Some(with_rows(vec![model.outputs()])),
        }],
        answer,
        accepts_nan: false,
    })
}

/// An ONNX file.
#[derive(Debug)]
pub struct File {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The name of its only output, of shape (batch, numbers).
    pub output: String,
}

/// The network up to one of its outputs as an ONNX file of opset 20. Its inputs are those of the network in their order.
///
/// # Errors
/// `MI_UNSUPPORTED` for a network in float64, or a function that ONNX has not, naming the node.
pub fn onnx(network: &Network, value: NodeId) -> Result<File> {
    if network.precision() != Precision::F32 {
        return Err(Error::unsupported("a network in float64 is run natively; it is not exported to ONNX"));
    }
    let mut needed = vec![false; network.nodes().len()];
    needed[value.index()] = true;
    for index in (0..needed.len()).rev().filter(|&index| index <= value.index()) {
        if needed[index] {
            network.nodes()[index].operands().iter().for_each(|operand| needed[operand.index()] = true);
        }
    }
    let mut exporter = Exporter { network, graph: Graph::default(), names: vec![Name::NONE; needed.len()] };
    // All inputs come first, whether they matter or not: they are numbered in their order.
    let inputs: Vec<Name> = network.inputs().iter().map(|input| exporter.graph.input(&outside(&input.shape))).collect();
    for index in (0..needed.len()).filter(|&index| needed[index]) {
        let op = network.nodes()[index].op();
        let name = match op {
            Op::Input(input) => exporter.turned_in(inputs[*input], &network.inputs()[*input].shape),
            _ => exporter.node(index).within(|| format!("node {index} ({})", op.name()))?,
        };
        exporter.names[index] = name;
    }
    let shape = network.node(value).shape();
    let name = exporter.turned_out(exporter.names[value.index()], shape);
    exporter.graph.output(name, &[shape.elements()]);
    Ok(File { bytes: exporter.graph.finish(), output: name.text() })
}

/// Sizes behind the batch, of an input as the runtime gets it.
fn outside(shape: &Shape) -> Vec<usize> {
    if shape.batch_axis() == Some(0) { shape.per_row()[1..].to_vec() } else { vec![shape.elements()] }
}

struct Exporter<'a> {
    network: &'a Network,
    graph: Graph,
    names: Vec<Name>,
}

impl<'a> Exporter<'a> {
    fn operands(&self, index: usize) -> Vec<Name> {
        self.network.nodes()[index].operands().iter().map(|operand| self.names[operand.index()]).collect()
    }

    /// The shape of an operand.
    fn from(&self, index: usize, operand: usize) -> &'a Shape {
        self.network.node(self.network.nodes()[index].operands()[operand]).shape()
    }

    /// An input as the network sees it: its elements in front of the batch go there.
    fn turned_in(&mut self, x: Name, shape: &Shape) -> Name {
        let (outer, inner) = around(shape);
        if outer == 1 {
            return if shape.batch_axis() == Some(0) { x } else { self.graph.reshape_to(x, shape) };
        }
        let x = self.graph.reshape(x, &[-1, int(outer), int(inner)]);
        let x = self.graph.transpose(x, &[1, 0, 2]);
        self.graph.reshape_to(x, shape)
    }

    /// An output as (batch, numbers).
    fn turned_out(&mut self, x: Name, shape: &Shape) -> Name {
        let (outer, inner) = around(shape);
        if outer == 1 {
            return self.graph.reshape(x, &[-1, int(inner)]);
        }
        let x = self.graph.reshape(x, &[int(outer), -1, int(inner)]);
        let x = self.graph.transpose(x, &[1, 0, 2]);
        self.graph.reshape(x, &[-1, int(outer * inner)])
    }

    fn node(&mut self, index: usize) -> Result<Name> {
        let network = self.network;
        let node = &network.nodes()[index];
        let operands = self.operands(index);
        let graph = &mut self.graph;
        Ok(match node.op() {
            Op::Input(_) => return Err(Error::internal("an input has no operation")),
            Op::Constant(array) => graph.floats(array.shape(), layers::numbers(array)),
            Op::Dense(dense) => self.dense(index, dense),
            Op::MatMul { transposed } => {
                let mut right = operands[1];
                if *transposed {
                    let rank = self.from(index, 1).rank();
                    let mut order: Vec<usize> = (0..rank).collect();
                    order.swap(rank - 1, rank - 2);
                    right = self.graph.transpose(right, &order);
                }
                self.graph.node("MatMul", &[operands[0], right], &[])
            }
            Op::Convolution(layer) => self.convolution(index, layer),
            Op::Affine { axis, scale, shift } => {
                let mut shape = vec![1; node.shape().rank() - axis];
                shape[0] = scale.len();
                let scale = graph.floats(&shape, layers::numbers(scale));
                let shift = graph.floats(&shape, layers::numbers(shift));
                let product = graph.node("Mul", &[operands[0], scale], &[]);
                graph.node("Add", &[product, shift], &[])
            }
            Op::Normalize(normalize) => self.normalize(index, normalize),
            Op::Map(function) => functions::map(graph, *function, operands[0]),
            Op::Prelu(slopes) => {
                let slopes = graph.floats(slopes.shape(), layers::numbers(slopes));
                graph.node("PRelu", &[operands[0], slopes], &[])
            }
            Op::Softmax { axis, log } => {
                let op = if *log { "LogSoftmax" } else { "Softmax" };
                graph.node(op, &operands, &[("axis", Attribute::Int(int(*axis)))])
            }
            Op::Binary(function) => functions::binary(graph, *function, &operands),
            Op::Choose => {
                let condition = graph.as_bool(operands[0]);
                graph.node("Where", &[condition, operands[1], operands[2]], &[])
            }
            Op::Reduce { how, axes, keep } => {
                let axes: Vec<i64> = axes.iter().map(|&axis| int(axis)).collect();
                functions::reduce(graph, *how, operands[0], &axes, *keep)
            }
            Op::Concat { axis } => graph.node("Concat", &operands, &[("axis", Attribute::Int(int(*axis)))]),
            Op::Reshape(shape) => graph.reshape_to(operands[0], shape),
            Op::Expand(shape) => {
                let shape = graph.shape(shape);
                graph.node("Expand", &[operands[0], shape], &[])
            }
            Op::Transpose(order) => graph.transpose(operands[0], order),
            Op::Slice { axis, start, step, count } => {
                let step = i64::try_from(*step).unwrap_or(1);
                let end = int(*start) + step * int(*count);
                // A negative end would count from the back; this one lies in front of all.
                let end = if end < 0 { i64::MIN } else { end };
                let lists = [int(*start), end, int(*axis), step].map(|number| graph.ints(&[number]));
                let [start, end, axis, step] = lists;
                graph.node("Slice", &[operands[0], start, end, axis, step], &[])
            }
            Op::Take { axis, indices } => {
                let indices: Vec<i64> = indices.iter().map(|&index| int(index)).collect();
                let indices = graph.ints(&indices);
                graph.node("Gather", &[operands[0], indices], &[("axis", Attribute::Int(int(*axis)))])
            }
            Op::Pad { axis, before, after, value } => {
                let pads = graph.ints(&[int(*before), int(*after)]);
                let (value, axes) = (graph.scalar(*value), graph.ints(&[int(*axis)]));
                graph.node("Pad", &[operands[0], pads, value, axes], &[])
            }
            Op::Pool(pool) => self.pool(index, *pool),
            Op::Embedding(table) => {
                let table = graph.floats(table.shape(), layers::numbers(table));
                let indices = graph.as_int(operands[0]);
                graph.node("Gather", &[table, indices], &[("axis", Attribute::Int(0))])
            }
            Op::Recurrent(layer) => self.recurrent(index, layer)?,
        })
    }
}

/// Elements in front of the batch and behind it, per row.
fn around(shape: &Shape) -> (usize, usize) {
    let axis = shape.batch_axis().unwrap_or(0);
    let crate::ir::network::Dim::Batch { outer, inner } = shape.dims()[axis] else { return (1, shape.elements()) };
    let sizes = shape.per_row();
    let front: usize = sizes[..axis].iter().product();
    let behind: usize = sizes[axis + 1..].iter().product();
    (front * outer, inner * behind)
}
