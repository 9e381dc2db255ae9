//! Small ONNX graphs, written field by field (the numbers are those of `onnx.proto`).

use mi::codec::protobuf::Writer;

pub const FLOAT: i64 = 1;

/// A size: fixed, or a name.
#[derive(Clone, Copy)]
pub enum Dim {
    Fixed(i64),
    Open(&'static str),
}

fn value(graph: &mut Writer, number: u32, name: &str, element: i64, shape: &[Dim]) {
    graph.message(number, |value| {
        value.bytes(1, name.as_bytes());
        value.message(2, |kind| {
            kind.message(1, |tensor| {
                tensor.int(1, element);
                tensor.message(2, |dims| {
                    for dim in shape {
                        dims.message(1, |size| match dim {
                            Dim::Fixed(count) => size.int(1, *count),
                            Dim::Open(name) => size.bytes(2, name.as_bytes()),
                        });
                    }
                });
            });
        });
    });
}

/// A graph that is put together.
pub struct Model(pub Writer);

impl Model {
    /// What `body` writes into the graph, as a model of opset 17.
    pub fn bytes(body: impl FnOnce(&mut Model)) -> Vec<u8> {
        let mut model = Writer::new();
        model.int(1, 8);
        model.bytes(2, b"by hand");
        model.message(7, |graph| {
            let mut inner = Model(std::mem::take(graph));
            inner.0.bytes(2, b"graph");
            body(&mut inner);
            *graph = inner.0;
        });
        model.message(8, |opset| opset.int(2, 17));
        model.into_bytes()
    }

    pub fn input(&mut self, name: &str, element: i64, shape: &[Dim]) {
        value(&mut self.0, 11, name, element, shape);
    }

    pub fn output(&mut self, name: &str, element: i64, shape: &[Dim]) {
        value(&mut self.0, 12, name, element, shape);
    }

    pub fn node(&mut self, kind: &str, inputs: &[&str], outputs: &[&str], attributes: impl FnOnce(&mut Writer)) {
        self.0.message(1, |node| {
            inputs.iter().for_each(|name| node.bytes(1, name.as_bytes()));
            outputs.iter().for_each(|name| node.bytes(2, name.as_bytes()));
            node.bytes(4, kind.as_bytes());
            attributes(node);
        });
    }

    pub fn floats(&mut self, name: &str, shape: &[i64], numbers: &[f32]) {
        self.0.message(5, |tensor| {
            tensor.ints(1, shape.iter().copied());
            tensor.int(2, FLOAT);
            tensor.bytes(8, name.as_bytes());
            tensor.bytes(9, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
        });
    }
}

/// `y = x * [[1, 10], [2, 20], [3, 30]] + [0.5, -0.5]`
pub fn linear(batch: Dim) -> Vec<u8> {
    Model::bytes(|graph| {
        graph.input("x", FLOAT, &[batch, Dim::Fixed(3)]);
        graph.output("y", FLOAT, &[batch, Dim::Fixed(2)]);
        graph.floats("w", &[3, 2], &[1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
        graph.floats("b", &[2], &[0.5, -0.5]);
        graph.node("Gemm", &["x", "w", "b"], &["y"], |_| {});
    })
}
