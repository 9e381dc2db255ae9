//! Networks that this library runs, run by the runtime: what one gives, the other gives.

#[allow(dead_code)] // a benchmark uses the rest of it
#[path = "../../benches/networks/models.rs"]
mod models;
/// What this library's own tests compare with an oracle.
#[path = "../../src/exec/network/tests/shared.rs"]
mod shared;

use mi::exec::{Processor, Rows};
use mi::ir::network::{
    Array, Attention, Binary, Builder, Cell, Convolution, Function, NodeId, Norm, Normalize, Op, Padding, Pool,
    Pooling, Recurrent, Reduction, Returns, Shape,
};
use mi::ir::{Model as Meaning, Output, Precision};
use mi::session::{Networks, Settings};
use mi::{Model, Result};
use std::sync::Arc;

fn answers(meaning: &Meaning, networks: Networks, x: &[f32], rows: usize) -> Vec<f64> {
    let settings = Settings { networks, ..Settings::default() };
    let model = Model::new(meaning.clone(), Processor::here(), &settings).unwrap_or_else(|error| panic!("{error}"));
    let has_session = model.facts().contains_key("runtime");
    assert_eq!(has_session, networks == Networks::Runtime, "{:?}", model.facts());
    let mut out = vec![f64::NAN; rows * model.columns(Output::Value).unwrap()];
    let x = Rows::new(x, rows, x.len() / rows).unwrap();
    match model.sequence_length() {
        0 => model.predict(Output::Value, x, &mut out).unwrap(),
        steps => model.predict_sequence(Output::Value, x, steps, &mut out).unwrap(),
    }
    out
}

/// Compares both for several rows, of the numbers that `number` makes of small ones.
fn compare(name: &str, meaning: &Meaning, number: impl Fn(f32) -> f32) {
    let rows = 5;
    let width = meaning.body.features() * meaning.body.takes().sequence_length().max(1);
    let x: Vec<f32> = models::numbers(3, rows * width).into_iter().map(number).collect();
    let native = answers(meaning, Networks::Native, &x, rows);
    let foreign = answers(meaning, Networks::Runtime, &x, rows);
    assert_eq!(native.len(), foreign.len(), "{name}");
    for (at, (native, foreign)) in native.iter().zip(&foreign).enumerate() {
        let off = (native - foreign).abs();
        assert!(off <= 2e-6 + 1e-5 * foreign.abs(), "{name} {at}: {native}, the runtime says {foreign}");
    }
}

fn check(name: &str, sizes: &[usize], build: impl FnOnce(&mut Builder, NodeId) -> Result<NodeId>) {
    compare(name, &models::model(sizes, build), |x| 2.0 * x);
}

fn map(function: Function) -> impl FnOnce(&mut Builder, NodeId) -> Result<NodeId> {
    move |builder, x| builder.add(Op::Map(function), &[x])
}

#[test]
fn the_usual_networks() {
    for (name, meaning) in models::all() {
        compare(name, &meaning, |x| x);
    }
}

#[test]
fn functions() {
    for function in shared::FUNCTIONS {
        compare(&format!("{function:?}"), &models::model(&[37], map(function)), |x| 8.0 * x);
    }
    for function in shared::FUNCTIONS_OF_POSITIVE {
        compare(&format!("{function:?}"), &models::model(&[37], map(function)), |x| 1.0 + x);
    }
}

#[test]
fn pairs() {
    let all = [
        Binary::Add,
        Binary::Subtract,
        Binary::Multiply,
        Binary::Divide,
        Binary::Maximum,
        Binary::Minimum,
        Binary::Greater,
        Binary::GreaterOrEqual,
        Binary::Less,
        Binary::LessOrEqual,
        Binary::Equal,
        Binary::NotEqual,
    ];
    for function in all {
        check(&format!("{function:?}"), &[4, 6], |builder, x| {
            let other = builder.add(Op::Constant(models::array(&[4, 1], 1.0)), &[])?;
            let y = builder.binary(function, x, other)?;
            let z = builder.with_scalar(Binary::Add, y, 3.0)?;
            builder.binary(function, other, z)
        });
    }
    check("powers and choices", &[7], |builder, x| {
        let x = builder.map(Function::Exp, x)?;
        let y = builder.with_scalar(Binary::Power, x, 1.5)?;
        let condition = builder.with_scalar(Binary::Greater, y, 1.0)?;
        builder.add(Op::Choose, &[condition, x, y])
    });
}

#[test]
fn norms_and_reductions() {
    for norm in [Norm::Layer { epsilon: 1e-5 }, Norm::Rms { epsilon: 1e-6 }, Norm::Unit { least: 1e-12 }] {
        for axes in [1, 2] {
            check(&format!("{norm:?} over {axes}"), &[4, 9], |builder, x| {
                let shape = if axes == 1 { vec![9] } else { vec![4, 9] };
                let (scale, shift) =
                    (Some(models::array(&shape, 2.0)), (axes == 1).then(|| models::array(&shape, 1.0)));
                builder.add(Op::Normalize(Normalize { norm, axes, scale, shift }), &[x])
            });
        }
    }
    for how in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min, Reduction::Product] {
        for axes in [vec![1], vec![3], vec![1, 3], vec![1, 2, 3]] {
            check(&format!("{how:?} over {axes:?}"), &[3, 4, 5], |builder, x| {
                builder.add(Op::Reduce { how, axes, keep: how == Reduction::Sum }, &[x])
            });
        }
    }
    for log in [false, true] {
        check("softmax", &[3, 5], |builder, x| builder.add(Op::Softmax { axis: 1, log }, &[x]));
    }
    check("affine and prelu", &[3, 5], |builder, x| {
        let (scale, shift) = (models::array(&[3], 2.0), models::array(&[3], 1.0));
        let x = builder.add(Op::Affine { axis: 1, scale, shift }, &[x])?;
        builder.add(Op::Prelu(models::array(&[3, 1], 0.5)), &[x])
    });
}

#[test]
fn moves() {
    check("moves", &[4, 3, 5], shared::moves);
    check("a constant for every row", &[3, 4], |builder, x| {
        let token = builder.add(Op::Constant(models::array(&[1, 1, 4], 1.0)), &[])?;
        let tokens = builder.add(Op::Expand(Shape::rows(&[1, 4])?), &[token])?;
        builder.add(Op::Concat { axis: 1 }, &[tokens, x])
    });
    let table = |builder: &mut Builder, x: NodeId| builder.add(Op::Embedding(models::array(&[7, 4], 1.0)), &[x]);
    compare("embedding", &models::model(&[3], table), |x| (7.0 * (x + 0.5)).floor().min(6.0));
}

#[test]
fn windows() {
    for (channels, filters, groups) in [(4, 6, 1), (4, 4, 4), (4, 8, 4), (4, 6, 2)] {
        for (stride, dilation, padding) in [(1, 1, Padding::Valid), (2, 1, Padding::Same), (1, 2, Padding::Causal)] {
            check(&format!("convolution {filters} {groups} {stride}"), &[13, channels], |builder, x| {
                let (before, after) = padding.places(13, 3, stride, dilation);
                let (kernel, bias) =
                    (models::array(&[3, channels / groups, filters], 1.0), Some(models::array(&[filters], 1.0)));
                let layer = Convolution { kernel, bias, stride, dilation, groups, before, after };
                builder.add(Op::Convolution(layer), &[x])
            });
        }
    }
    for how in [Pooling::Max, Pooling::Mean, Pooling::MeanOfAll] {
        for (size, stride, before, after) in [(2, 2, 0, 0), (3, 2, 1, 1)] {
            check(&format!("{how:?} {size}"), &[2, 11, 3], |builder, x| {
                builder.add(Op::Pool(Pool { how, size, stride, dilation: 1, before, after }), &[x])
            });
        }
    }
}

#[test]
fn recurrent_layers() {
    let sigmoid = Function::HardSigmoid { slope: 0.2, offset: 0.5 };
    let cells = [
        Cell::Simple { activation: Function::Tanh },
        Cell::Simple { activation: Function::Relu },
        Cell::Lstm { activation: Function::Tanh, gate: Function::Sigmoid },
        Cell::Lstm { activation: Function::Softsign, gate: sigmoid },
        Cell::Gru { activation: Function::Tanh, gate: Function::Sigmoid, reset_after: true },
        Cell::Gru { activation: Function::Elu { alpha: 1.0 }, gate: sigmoid, reset_after: false },
    ];
    for cell in cells {
        for (returns, reverse, states) in
            [(Returns::Sequence, true, 0), (Returns::Last, false, 1), (Returns::Memory, false, 2)]
        {
            if returns == Returns::Memory && !matches!(cell, Cell::Lstm { .. }) {
                continue;
            }
            check(&format!("{cell:?} {returns:?}"), &[7, 3], |builder, x| {
                let (units, wide) = (5, 5 * cell.gates());
                let layer = Recurrent {
                    cell,
                    kernel: models::array(&[3, wide], 1.0),
                    recurrent: models::array(&[units, wide], 0.7),
                    bias: Some(models::array(&[wide], 1.0)),
                    recurrent_bias: Some(models::array(&[wide], 0.5)),
                    reverse,
                    returns,
                };
                let state = builder.select(x, 1, 0)?;
                let state = builder.dense(state, models::array(&[3, units], 1.0), None)?;
                let operands = [x, state, state];
                builder.add(Op::Recurrent(Box::new(layer)), &operands[..=states])
            });
        }
    }
}

#[test]
fn a_batch_that_is_moved_and_merged() {
    check("PyTorch's attention", &[6, 8], |builder, x| {
        let y = builder.swap(x, 0, 1)?;
        let y = builder.reshape(y, &[Some(6), None, Some(4)])?;
        let y = builder.swap(y, 0, 1)?;
        let y = builder.attention(y, y, y, Attention { scale: 0.5, causal: true, mask: None })?;
        let y = builder.swap(y, 0, 1)?;
        let y = builder.reshape(y, &[None, Some(8)])?;
        let y = builder.dense(y, models::array(&[8, 3], 1.0), None)?;
        builder.reshape(y, &[Some(6), None, Some(3)])
    });
    let mut builder = Builder::new(Precision::F32);
    let dims = [mi::ir::network::Dim::Fixed(4), mi::ir::network::Dim::BATCH, mi::ir::network::Dim::Fixed(3)];
    let x = builder.input("steps first", Shape::new(dims.to_vec()).unwrap()).unwrap();
    let y = builder.add(Op::Reduce { how: Reduction::Max, axes: vec![0], keep: false }, &[x]).unwrap();
    compare("steps first", &models::finished(builder, y), |x| x);
}

#[test]
fn several_inputs() {
    let mut builder = Builder::new(Precision::F32);
    let first = builder.input("first", Shape::rows(&[3]).unwrap()).unwrap();
    builder.input("never used", Shape::rows(&[2]).unwrap()).unwrap();
    let second = builder.input("second", Shape::rows(&[2, 3]).unwrap()).unwrap();
    let second = builder.select(second, 1, 1).unwrap();
    let y = builder.binary(Binary::Subtract, first, second).unwrap();
    compare("several inputs", &models::finished(builder, y), |x| x);
}

#[test]
fn float64_stays_here() {
    let mut builder = Builder::new(Precision::F64);
    let x = builder.input("x", Shape::rows(&[2]).unwrap()).unwrap();
    let weights = Arc::new(Array::f64(&[2, 1], vec![0.1, 0.2]).unwrap());
    let y = builder.dense(x, weights, None).unwrap();
    let settings = Settings { networks: Networks::Runtime, ..Settings::default() };
    let model = Model::new(models::finished(builder, y), Processor::here(), &settings).unwrap();
    let mut out = [0.0];
    model.predict(Output::Value, Rows::new(&[1.0, 1.0], 1, 2).unwrap(), &mut out).unwrap();
    assert!((out[0] - 0.3).abs() < 1e-15);
}

/// Every network of Keras in the runtime: the numbers that Keras printed, as natively.
#[test]
fn networks_of_keras() {
    let settings = Settings { networks: Networks::Runtime, ..Settings::default() };
    let mut compared = 0;
    for case in crate::common::cases("keras").into_iter().filter(|case| !case.json["refuse"].is_object()) {
        let name = case.name();
        let model = Model::open_with(&case.model(), &case.options(), &settings)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(model.facts()["runs"], "runtime", "{name}");
        let rows = case.matrix(&case.json["input"]);
        #[allow(clippy::cast_possible_truncation)]
        let single: Vec<f32> = rows.data.iter().map(|&number| number as f32).collect();
        let batch = Rows::new(&single, rows.rows, rows.columns).unwrap();
        let mut out = vec![f64::NAN; rows.rows * model.columns(Output::Value).unwrap()];
        match model.sequence_length() {
            0 => model.predict(Output::Value, batch, &mut out).unwrap(),
            steps => model.predict_sequence(Output::Value, batch, steps, &mut out).unwrap(),
        }
        let expected = case.matrix(&case.json["expect"][0]["file"]);
        assert_eq!(out.len(), expected.data.len(), "{name}");
        for (found, expected) in out.iter().zip(&expected.data) {
            assert!((found - expected).abs() <= 1e-6 + 1e-5 * expected.abs(), "{name}: {found}, Keras says {expected}");
        }
        compared += out.len();
    }
    assert!(compared > 2_000, "only {compared} numbers were compared");
}
