//! What the builder accepts and what it refuses.

use super::*;
use crate::ir::{Precision, Takes};
use std::sync::Arc;

fn ones(shape: &[usize]) -> Arc<Array> {
    Arc::new(Array::f32(shape, vec![1.0; shape.iter().product()]).unwrap())
}

fn start(sizes: &[usize]) -> (Builder, NodeId) {
    let mut builder = Builder::new(Precision::F32);
    let x = builder.input("x", Shape::rows(sizes).unwrap()).unwrap();
    (builder, x)
}

fn text(builder: &Builder, node: NodeId) -> String {
    builder.shape(node).to_string()
}

fn lstm(features: usize, units: usize, returns: Returns) -> Recurrent {
    Recurrent {
        cell: Cell::Lstm { activation: Function::Tanh, gate: Function::Sigmoid },
        kernel: ones(&[features, 4 * units]),
        recurrent: ones(&[units, 4 * units]),
        bias: Some(ones(&[4 * units])),
        recurrent_bias: None,
        reverse: false,
        returns,
    }
}

fn convolution(kernel: &[usize]) -> Convolution {
    Convolution { kernel: ones(kernel), bias: None, stride: 1, dilation: 1, groups: 1, before: 0, after: 0 }
}

#[test]
fn attention_as_pytorch_writes_it() {
    let (mut builder, x) = start(&[60, 64]);
    // (batch, steps, features) to (steps, batch * heads, width), and back again behind the product.
    let time_first = builder.swap(x, 0, 1).unwrap();
    let heads = builder.reshape(time_first, &[Some(60), None, Some(16)]).unwrap();
    assert_eq!(text(&builder, heads), "(60, batch*4, 16)");
    let heads = builder.swap(heads, 0, 1).unwrap();
    let how = Attention { scale: 0.25, causal: true, mask: None };
    let mixed = builder.attention(heads, heads, heads, how).unwrap();
    assert_eq!(text(&builder, mixed), "(batch*4, 60, 16)");
    let mixed = builder.swap(mixed, 0, 1).unwrap();
    let flat = builder.reshape(mixed, &[None, Some(64)]).unwrap();
    assert_eq!(text(&builder, flat), "(60*batch, 64)");
    let out = builder.dense(flat, ones(&[64, 8]), Some(ones(&[8]))).unwrap();
    let out = builder.reshape(out, &[Some(60), None, Some(8)]).unwrap();
    let out = builder.swap(out, 0, 1).unwrap();
    let network = builder.finish(&[("y", out)]).unwrap();
    assert_eq!(network.outputs()[0].shape.to_string(), "(batch, 60, 8)");
    assert!(network.work() > 60 * 60 * 64);
}

#[test]
fn rows_never_mix() {
    let (mut builder, x) = start(&[4, 3]);
    let mut refused = |op: Op, operands: &[NodeId]| builder.add(op, operands).unwrap_err().message().to_owned();
    let sum = Op::Reduce { how: Reduction::Sum, axes: vec![0], keep: false };
    assert!(refused(sum, &[x]).contains("rows would mix"));
    assert!(refused(Op::Softmax { axis: 0, log: false }, &[x]).contains("rows would mix"));
    assert!(refused(Op::Slice { axis: 0, start: 0, step: 1, count: 1 }, &[x]).contains("rows would mix"));
    assert!(refused(Op::Concat { axis: 0 }, &[x, x]).contains("rows would mix"));
    let other = builder.swap(x, 0, 1).unwrap();
    assert!(builder.binary(Binary::Add, x, other).is_err());
}

#[test]
fn shapes_of_layers() {
    let (mut builder, x) = start(&[60, 8]);
    let same = Padding::Same.places(60, 4, 2, 1);
    assert_eq!(same, (1, 1));
    let convolution = Convolution { stride: 2, before: same.0, after: same.1, ..convolution(&[4, 8, 6]) };
    let y = builder.add(Op::Convolution(convolution), &[x]).unwrap();
    assert_eq!(text(&builder, y), "(batch, 30, 6)");
    let pool = Pool { how: Pooling::Max, size: 3, stride: 3, dilation: 1, before: 0, after: 0 };
    let y = builder.add(Op::Pool(pool), &[y]).unwrap();
    assert_eq!(text(&builder, y), "(batch, 10, 6)");
    let y = builder.bidirectional(y, lstm(6, 5, Returns::Sequence), lstm(6, 5, Returns::Sequence), Merge::Concat);
    let y = y.unwrap();
    assert_eq!(text(&builder, y), "(batch, 10, 10)");
    let last = builder.add(Op::Recurrent(Box::new(lstm(10, 3, Returns::Last))), &[y]).unwrap();
    assert_eq!(text(&builder, last), "(batch, 3)");
    let windows = builder.adaptive_pool(y, Pooling::Mean, 4).unwrap();
    assert_eq!(text(&builder, windows), "(batch, 4, 10)");
    let twice = builder.repeat(windows, 1, 2).unwrap();
    let twice = builder.tile(twice, 2, 3).unwrap();
    assert_eq!(text(&builder, twice), "(batch, 8, 30)");
    let apart = builder.spread(windows, 1, 2).unwrap();
    assert_eq!(text(&builder, apart), "(batch, 10, 10)");
    let back = builder.reverse(apart, 1).unwrap();
    let one = builder.select(back, 1, 0).unwrap();
    assert_eq!(text(&builder, one), "(batch, 10)");
    let table = builder.add(Op::Embedding(ones(&[7, 2])), &[one]).unwrap();
    assert_eq!(text(&builder, table), "(batch, 10, 2)");
}

#[test]
fn what_does_not_fit_is_refused() {
    let (mut builder, x) = start(&[6, 8]);
    let wide = Arc::new(Array::f64(&[8, 2], vec![0.0; 16]).unwrap());
    let pool = Pool { how: Pooling::Mean, size: 2, stride: 4, dilation: 1, before: 0, after: 4 };
    let refused = [
        builder.dense(x, ones(&[7, 2]), None),
        builder.dense(x, wide, None),
        builder.dense(x, ones(&[8, 2]), Some(ones(&[3]))),
        builder.add(Op::Convolution(convolution(&[7, 8, 1])), &[x]),
        builder.add(Op::Convolution(Convolution { groups: 3, ..convolution(&[1, 8, 3]) }), &[x]),
        builder.add(Op::Convolution(Convolution { stride: 0, ..convolution(&[1, 8, 3]) }), &[x]),
        builder.add(Op::Pool(pool), &[x]),
        builder.add(Op::Recurrent(Box::new(lstm(7, 2, Returns::Last))), &[x]),
        builder.add(Op::Recurrent(Box::new(lstm(8, 2, Returns::Last))), &[x, x]),
        builder.add(Op::Slice { axis: 1, start: 0, step: 2, count: 4 }, &[x]),
        builder.add(Op::Slice { axis: 1, start: 5, step: -1, count: 7 }, &[x]),
        builder.add(Op::Transpose(vec![0, 1, 1]), &[x]),
        builder.add(Op::Take { axis: 1, indices: [6].into() }, &[x]),
        builder.add(Op::Map(Function::Relu), &[]),
        builder.add(Op::Input(1), &[]),
        builder.reshape(x, &[None, Some(7)]),
        builder.squeeze(x, 1),
    ];
    for (index, result) in refused.into_iter().enumerate() {
        assert!(result.is_err(), "{index}");
    }
    let constant = builder.scalar(1.0).unwrap();
    assert!(builder.finish(&[("y", constant)]).is_err());
}

#[test]
fn networks_are_bounded() {
    let (mut builder, x) = start(&[1 << 12, 1 << 11]);
    let again = (0..64).try_fold(x, |x, _| builder.map(Function::Relu, x));
    assert!(again.unwrap_err().message().contains("cap"));
    let (mut builder, x) = start(&[1 << 12, 1 << 12]);
    assert!(builder.tile(x, 1, 2).is_err());
}

#[test]
fn models_take_rows_or_sequences() {
    let model = |sizes: &[usize]| {
        let (builder, x) = start(sizes);
        let network = Arc::new(builder.finish(&[("y", x)]).unwrap());
        let model = Predictor::new(network, 0, Answer::Values).unwrap();
        (model.takes(), model.features(), model.outputs())
    };
    assert_eq!(model(&[5]), (Takes::Rows, 5, 5));
    assert_eq!(model(&[5, 1]), (Takes::Columns, 5, 5));
    assert_eq!(model(&[60, 5]), (Takes::Steps(60), 5, 300));
}
