//! The networks that are measured, of the usual sizes, with weights that mean nothing.

use mi::Result;
use mi::ir::network::{
    Answer, Array, Attention, Binary, Builder, Cell, Convolution, Function, NodeId, Norm, Normalize, Op, Padding,
    Predictor, Recurrent, Reduction, Returns, Shape,
};
use mi::ir::{Body, Classes, Decision, Estimator, Importance, Link, Model, Precision, Source, Task};
use std::sync::Arc;

/// Widths of the perceptrons.
pub const PERCEPTRONS: [[usize; 4]; 2] = [[200, 64, 32, 1], [328, 256, 128, 1]];
/// Steps, features and units of the sequence models.
const STEPS: usize = 60;
const FEATURES: usize = 32;
const UNITS: usize = 64;

/// Small numbers of both signs.
#[allow(clippy::cast_precision_loss)] // below 2003
pub fn numbers(seed: usize, count: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7919 + seed * 104_729) % 2003) as f32 / 2003.0 - 0.5).collect()
}

/// Such numbers as an array.
pub fn array(shape: &[usize], scale: f32) -> Arc<Array> {
    let data = numbers(shape.len(), shape.iter().product()).into_iter().map(|number| number * scale).collect();
    Arc::new(Array::f32(shape, data).expect("an array"))
}

fn dense(builder: &mut Builder, x: NodeId, outputs: usize) -> Result<NodeId> {
    let inputs = builder.shape(x).last()?;
    builder.dense(x, array(&[inputs, outputs], 0.2), Some(array(&[outputs], 0.1)))
}

/// A model of one input of this shape.
pub fn model(shape: &[usize], build: impl FnOnce(&mut Builder, NodeId) -> Result<NodeId>) -> Model {
    let mut builder = Builder::new(Precision::F32);
    let x = builder.input("x", Shape::rows(shape).expect("a shape")).expect("an input");
    let y = build(&mut builder, x).expect("a network");
    finished(builder, y)
}

/// A network as a model whose value is `y`.
pub fn finished(builder: Builder, y: NodeId) -> Model {
    let network = builder.finish(&[("y", y)]).expect("a network");
    let predictor = Predictor::new(Arc::new(network), 0, Answer::Values).expect("a model");
    Model {
        body: Body::Estimator(Arc::new(Estimator::Network(predictor))),
        average: None,
        link: Link::Identity,
        precision: Precision::F32,
        task: Task::Regression,
        classes: Classes::Index,
        decision: Decision::default(),
        feature_names: None,
        texts: None,
        importance: Importance::default(),
        source: Source::default(),
    }
}

/// A perceptron of these widths.
fn perceptron(widths: &[usize]) -> Model {
    model(&widths[..1], |builder, mut x| {
        for (index, &width) in widths[1..].iter().enumerate() {
            x = dense(builder, x, width)?;
            if index + 2 < widths.len() {
                x = builder.map(Function::Relu, x)?;
            }
        }
        Ok(x)
    })
}

/// Layers of so many units each, one on top of the other.
fn recurrent(cell: Cell, layers: &[usize]) -> Model {
    model(&[STEPS, FEATURES], |builder, mut x| {
        for (index, &units) in layers.iter().enumerate() {
            let features = builder.shape(x).last()?;
            let wide = cell.gates() * units;
            let bias = || Some(array(&[wide], 0.1));
            let layer = Recurrent {
                cell,
                kernel: array(&[features, wide], 0.2),
                recurrent: array(&[units, wide], 0.2),
                bias: bias(),
                recurrent_bias: matches!(cell, Cell::Gru { .. }).then(bias).flatten(),
                reverse: false,
                returns: if index + 1 == layers.len() { Returns::Last } else { Returns::Sequence },
            };
            x = builder.add(Op::Recurrent(Box::new(layer)), &[x])?;
        }
        dense(builder, x, 1)
    })
}

/// Causal convolutions of so many filters each.
fn convolutions(layers: &[usize]) -> Model {
    model(&[STEPS, FEATURES], |builder, mut x| {
        for &filters in layers {
            let (before, after) = Padding::Causal.places(STEPS, 3, 1, 1);
            let channels = builder.shape(x).last()?;
            let layer = Convolution {
                kernel: array(&[3, channels, filters], 0.2),
                bias: Some(array(&[filters], 0.1)),
                stride: 1,
                dilation: 1,
                groups: 1,
                before,
                after,
            };
            x = builder.add(Op::Convolution(layer), &[x])?;
            x = builder.map(Function::Relu, x)?;
        }
        let x = builder.add(Op::Reduce { how: Reduction::Mean, axes: vec![1], keep: false }, &[x])?;
        dense(builder, x, 1)
    })
}

fn normal(builder: &mut Builder, x: NodeId) -> Result<NodeId> {
    let width = builder.shape(x).last()?;
    let (scale, shift) = (Some(array(&[width], 1.0)), Some(array(&[width], 0.1)));
    builder.add(Op::Normalize(Normalize { norm: Norm::Layer { epsilon: 1e-5 }, axes: 1, scale, shift }), &[x])
}

/// Two blocks of width 64 with 4 heads and a feed-forward of 128.
fn transformer() -> Model {
    model(&[STEPS, FEATURES], |builder, x| {
        let mut x = dense(builder, x, UNITS)?;
        for _ in 0..2 {
            let heads = |builder: &mut Builder| {
                let y = dense(builder, x, UNITS)?;
                let y = builder.reshape(y, &[None, Some(STEPS), Some(4), Some(UNITS / 4)])?;
                builder.swap(y, 1, 2)
            };
            let (q, k, v) = (heads(builder)?, heads(builder)?, heads(builder)?);
            let y = builder.attention(q, k, v, Attention { scale: 0.25, causal: false, mask: None })?;
            let y = builder.swap(y, 1, 2)?;
            let y = builder.reshape(y, &[None, Some(STEPS), Some(UNITS)])?;
            let y = dense(builder, y, UNITS)?;
            let y = builder.binary(Binary::Add, x, y)?;
            x = normal(builder, y)?;
            let y = dense(builder, x, 128)?;
            let y = builder.map(Function::Gelu, y)?;
            let y = dense(builder, y, UNITS)?;
            let y = builder.binary(Binary::Add, x, y)?;
            x = normal(builder, y)?;
        }
        let x = builder.add(Op::Reduce { how: Reduction::Mean, axes: vec![1], keep: false }, &[x])?;
        dense(builder, x, 1)
    })
}

/// Every network with its name.
pub fn all() -> Vec<(&'static str, Model)> {
    let (activation, gate) = (Function::Tanh, Function::Sigmoid);
    let (lstm, gru) = (Cell::Lstm { activation, gate }, Cell::Gru { activation, gate, reset_after: true });
    vec![
        ("mlp_200_64_32_1", perceptron(&PERCEPTRONS[0])),
        ("mlp_328_256_128_1", perceptron(&PERCEPTRONS[1])),
        ("cnn1d", convolutions(&[UNITS, UNITS])),
        ("cnn1d_256", convolutions(&[256, 256])),
        ("lstm", recurrent(lstm, &[UNITS])),
        ("lstm_128_128", recurrent(lstm, &[128, 128])),
        ("gru", recurrent(gru, &[UNITS])),
        ("gru_256", recurrent(gru, &[256])),
        ("transformer", transformer()),
    ]
}
