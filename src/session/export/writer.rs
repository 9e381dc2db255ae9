//! The bytes of an ONNX graph while it is written.
//!
//! Source: `onnx.proto3` of ONNX 1.16 for the numbers of fields, `Operators.md` for operators of opset 20.

use crate::codec::protobuf::Writer;
use crate::ir::network::{Dim, Shape};

/// Opset 20 brought Gelu; runtimes read it since ONNX Runtime 1.17.
const OPSET: i64 = 20;
const IR_VERSION: i64 = 9;
/// `TensorProto.DataType`.
const FLOAT: i64 = 1;
const INT64: i64 = 7;
const BOOL: i64 = 9;

/// An attribute of a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attribute<'a> {
    Int(i64),
    Float(f64),
    Ints(&'a [i64]),
    Floats(&'a [f64]),
    Text(&'a str),
    Texts(&'a [&'a str]),
}

/// A tensor of the graph, by its number; [`Name::NONE`] leaves an operand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name(usize);

impl Name {
    pub(super) const NONE: Name = Name(usize::MAX);

    /// The tensor of this number.
    pub(super) fn numbered(number: usize) -> Self {
        Self(number)
    }

    pub(super) fn text(self) -> String {
        if self == Self::NONE { String::new() } else { format!("t{}", self.0) }
    }
}

/// A graph under construction.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Writer,
    initializers: Writer,
    inputs: Writer,
    outputs: Writer,
    names: usize,
    batch: Option<Name>,
    first_input: Option<Name>,
}

impl Graph {
    fn name(&mut self) -> Name {
        self.names += 1;
        Name(self.names - 1)
    }

    /// An input of shape (batch, sizes).
    pub(super) fn input(&mut self, sizes: &[usize]) -> Name {
        let name = self.name();
        self.first_input.get_or_insert(name);
        value_info(&mut self.inputs, 11, &name.text(), sizes);
        name
    }

    /// Says that a tensor of shape (batch, sizes) is an output.
    pub(super) fn output(&mut self, name: Name, sizes: &[usize]) {
        value_info(&mut self.outputs, 12, &name.text(), sizes);
    }

    /// A node with one output.
    pub(super) fn node(&mut self, op: &str, operands: &[Name], attributes: &[(&str, Attribute<'_>)]) -> Name {
        self.node_output(op, operands, attributes, 0)
    }

    /// A node of whose outputs the one of this index is wanted.
    pub(super) fn node_output(
        &mut self,
        op: &str,
        operands: &[Name],
        attributes: &[(&str, Attribute<'_>)],
        wanted: usize,
    ) -> Name {
        let name = self.name();
        // An operand that is left out at the end is not there at all: some runtimes take the empty name for a tensor.
        let count = operands.iter().rposition(|operand| *operand != Name::NONE).map_or(0, |last| last + 1);
        self.nodes.message(1, |node| {
            for operand in &operands[..count] {
                node.bytes(1, operand.text().as_bytes());
            }
            for _ in 0..wanted {
                node.bytes(2, b"");
            }
            node.bytes(2, name.text().as_bytes());
            node.bytes(4, op.as_bytes());
            for (key, attribute) in attributes {
                node.message(5, |message| write_attribute(message, key, *attribute));
            }
        });
        name
    }

    /// A constant of float32.
    pub(super) fn floats(&mut self, shape: &[usize], values: impl IntoIterator<Item = f32>) -> Name {
        let name = self.name();
        self.initializers.message(5, |tensor| {
            tensor.ints(1, shape.iter().map(|&size| int(size)));
            tensor.int(2, FLOAT);
            tensor.floats(4, values);
            tensor.bytes(8, name.text().as_bytes());
        });
        name
    }

    /// A number without axes.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn scalar(&mut self, value: f64) -> Name {
        self.floats(&[], [value as f32])
    }

    /// A list of integers.
    pub(super) fn ints(&mut self, values: &[i64]) -> Name {
        let name = self.name();
        self.initializers.message(5, |tensor| {
            tensor.ints(1, [int(values.len())]);
            tensor.int(2, INT64);
            tensor.ints(7, values.iter().copied());
            tensor.bytes(8, name.text().as_bytes());
        });
        name
    }

    pub(super) fn as_bool(&mut self, x: Name) -> Name {
        self.node("Cast", &[x], &[("to", Attribute::Int(BOOL))])
    }

    pub(super) fn as_float(&mut self, x: Name) -> Name {
        self.node("Cast", &[x], &[("to", Attribute::Int(FLOAT))])
    }

    pub(super) fn as_int(&mut self, x: Name) -> Name {
        self.node("Cast", &[x], &[("to", Attribute::Int(INT64))])
    }

    /// The same elements along these axes; -1 takes what is left.
    pub(super) fn reshape(&mut self, x: Name, sizes: &[i64]) -> Name {
        let sizes = self.ints(sizes);
        self.node("Reshape", &[x, sizes], &[])
    }

    /// The same elements in a shape of the network.
    pub(super) fn reshape_to(&mut self, x: Name, shape: &Shape) -> Name {
        let sizes: Vec<i64> =
            shape.dims().iter().map(|dim| if dim.is_batch() { -1 } else { int(dim.per_row()) }).collect();
        self.reshape(x, &sizes)
    }

    pub(super) fn transpose(&mut self, x: Name, order: &[usize]) -> Name {
        let order: Vec<i64> = order.iter().map(|&axis| int(axis)).collect();
        self.node("Transpose", &[x], &[("perm", Attribute::Ints(&order))])
    }

    /// A shape of the network as a tensor of integers.
    pub(super) fn shape(&mut self, shape: &Shape) -> Name {
        let Some(axis) = shape.batch_axis() else {
            let sizes: Vec<i64> = shape.per_row().iter().map(|&size| int(size)).collect();
            return self.ints(&sizes);
        };
        let batch = self.batch();
        let factor = match shape.dims()[axis] {
            Dim::Batch { outer, inner } => int(outer * inner),
            Dim::Fixed(_) => 1,
        };
        let factor = self.ints(&[factor]);
        let size = self.node("Mul", &[batch, factor], &[]);
        let parts: Vec<Name> = (0..shape.rank())
            .map(|at| if at == axis { size } else { self.ints(&[int(shape.dims()[at].per_row())]) })
            .collect();
        self.node("Concat", &parts, &[("axis", Attribute::Int(0))])
    }

    /// The rows of the batch, as a list of one integer.
    fn batch(&mut self) -> Name {
        if let Some(batch) = self.batch {
            return batch;
        }
        let input = self.first_input.unwrap_or(Name::NONE);
        let batch = self.node("Shape", &[input], &[("start", Attribute::Int(0)), ("end", Attribute::Int(1))]);
        self.batch = Some(batch);
        batch
    }

    /// The whole file.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut model = Writer::new();
        model.int(1, IR_VERSION);
        model.bytes(2, b"libmi");
        model.message(8, |opset| opset.int(2, OPSET));
        let mut graph = self.nodes.into_bytes();
        graph.extend(b"\x12\x05libmi"); // its name
        for part in [self.initializers, self.inputs, self.outputs] {
            graph.extend(part.into_bytes());
        }
        model.bytes(7, &graph);
        model.into_bytes()
    }
}

/// A size as ONNX has it; networks are far smaller than what would not fit.
pub(super) fn int(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// `ValueInfoProto` of a float tensor (batch, sizes).
fn value_info(to: &mut Writer, field: u32, name: &str, sizes: &[usize]) {
    to.message(field, |info| {
        info.bytes(1, name.as_bytes());
        info.message(2, |kind| {
            kind.message(1, |tensor| {
                tensor.int(1, FLOAT);
                tensor.message(2, |shape| {
                    shape.message(1, |dim| dim.bytes(2, b"batch"));
                    for &size in sizes {
                        shape.message(1, |dim| dim.int(1, int(size)));
                    }
                });
            });
        });
    });
}

#[allow(clippy::cast_possible_truncation)]
fn write_attribute(message: &mut Writer, key: &str, attribute: Attribute<'_>) {
    message.bytes(1, key.as_bytes());
    // The last number is `AttributeProto.AttributeType`.
    let kind = match attribute {
        Attribute::Float(value) => {
            message.float(2, value as f32);
            1
        }
        Attribute::Int(value) => {
            message.int(3, value);
            2
        }
        Attribute::Text(text) => {
            message.bytes(4, text.as_bytes());
            3
        }
        Attribute::Floats(values) => {
            message.floats(7, values.iter().map(|&value| value as f32));
            6
        }
        Attribute::Ints(values) => {
            message.ints(8, values.iter().copied());
            7
        }
        Attribute::Texts(texts) => {
            texts.iter().for_each(|text| message.bytes(9, text.as_bytes()));
            8
        }
    };
    message.int(20, kind);
}
