//! The steps against an oracle.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // numbers of a test

mod oracle;
mod shared;

use super::level::Level;
use super::memory::{Memory, View};
use super::plan::Plan;
use super::real::Real;
use crate::ir::Precision;
use crate::ir::network::{
    Array, Attention, Binary, Builder, Cell, Convolution, Function, Merge, Network, NodeId, Norm, Normalize, Op,
    Padding, Pool, Pooling, Recurrent, Reduction, Returns, Shape,
};
use oracle::oracle;
use std::sync::Arc;

/// Small numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((self.0 >> 40) as u32) / f64::from(1u32 << 23) - 1.0
    }

    fn array(&mut self, precision: Precision, shape: &[usize]) -> Arc<Array> {
        let data = (0..shape.iter().product()).map(|_| self.next()).collect();
        Arc::new(Array::rounded(precision, shape, data).unwrap())
    }
}

fn run<T: Real>(network: &Network, level: Level, rows: &[T], count: usize) -> Vec<T> {
    let value = network.outputs()[0].node;
    let plan = Plan::new(network, value, level);
    let mut memory = Memory::new();
    let width = rows.len() / count;
    let mut out = Vec::new();
    // Twice, over what the first time left behind.
    for _ in 0..2 {
        out.clear();
        for first in (0..count).step_by(plan.block()) {
            let block = plan.block().min(count - first);
            let x = View::new(&rows[first * width..], width, 0);
            plan.run(x, block, &mut memory, |value| (0..block).for_each(|row| out.extend_from_slice(value.row(row))))
                .unwrap();
        }
    }
    out
}

/// Compares a network in both precisions, at every level, in blocks and row by row, with the oracle.
fn check(what: &str, sizes: &[usize], build: impl Fn(&mut Builder, &mut Numbers, NodeId) -> crate::Result<NodeId>) {
    check_rows(what, sizes, Numbers::next, build);
}

fn check_rows(
    what: &str,
    sizes: &[usize],
    number: impl Fn(&mut Numbers) -> f64,
    build: impl Fn(&mut Builder, &mut Numbers, NodeId) -> crate::Result<NodeId>,
) {
    let make = |precision: Precision| {
        let mut numbers = Numbers(what.len() as u64);
        let mut builder = Builder::new(precision);
        let x = builder.input("x", Shape::rows(sizes).unwrap()).unwrap();
        let y = build(&mut builder, &mut numbers, x).unwrap_or_else(|error| panic!("{what}: {error}"));
        builder.finish(&[("y", y)]).unwrap()
    };
    let count = 9;
    let width: usize = sizes.iter().product();
    let mut numbers = Numbers(1);
    let rows: Vec<f32> = (0..count * width).map(|_| number(&mut numbers) as f32).collect();
    let wide: Vec<f64> = rows.iter().map(|&x| f64::from(x)).collect();
    let (single, double) = (make(Precision::F32), make(Precision::F64));
    let expected =
        |network: &Network| wide.chunks_exact(width).flat_map(|row| oracle(network, row)).collect::<Vec<f64>>();
    let (of_single, of_double) = (expected(&single), expected(&double));
    for level in Level::all() {
        let found = run(&single, level, &rows, count);
        assert_eq!(found.len(), of_single.len(), "{what}");
        for (at, (found, expected)) in found.iter().zip(&of_single).enumerate() {
            let off = (f64::from(*found) - expected).abs();
            assert!(off <= 2e-6 + 5e-6 * expected.abs(), "{what} {level:?} {at}: {found} is not {expected}");
        }
        for (row, alone) in rows.chunks_exact(width).zip(found.chunks_exact(found.len() / count)) {
            let once = run(&single, level, row, 1);
            assert!(
                once.iter().zip(alone).all(|(a, b)| a.to_bits() == b.to_bits()),
                "{what} {level:?}: a row alone differs"
            );
        }
        for (at, (found, expected)) in run(&double, level, &wide, count).iter().zip(&of_double).enumerate() {
            assert!(
                (found - expected).abs() <= 1e-13 + 1e-13 * expected.abs(),
                "{what} {level:?} {at}: {found} is not {expected}"
            );
        }
    }
}

fn dense(builder: &mut Builder, numbers: &mut Numbers, x: NodeId, outputs: usize) -> crate::Result<NodeId> {
    let precision = builder.precision();
    let inputs = builder.shape(x).last()?;
    let (weights, bias) = (numbers.array(precision, &[inputs, outputs]), numbers.array(precision, &[outputs]));
    builder.dense(x, weights, Some(bias))
}

#[test]
fn functions() {
    for function in shared::FUNCTIONS {
        check_rows(
            &format!("{function:?}"),
            &[37],
            |numbers| 8.0 * numbers.next(),
            |builder, _, x| builder.add(Op::Map(function), &[x]),
        );
    }
    for function in shared::FUNCTIONS_OF_POSITIVE {
        check_rows(
            &format!("{function:?}"),
            &[37],
            |numbers| 1.5 + numbers.next(),
            |builder, _, x| builder.add(Op::Map(function), &[x]),
        );
    }
}

#[test]
fn pairs_and_choices() {
    let all = [
        Binary::Add,
        Binary::Subtract,
        Binary::Multiply,
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
        for shape in [&[][..], &[5], &[3, 1], &[3, 5], &[1, 1], &[2, 1, 5]] {
            check(&format!("{function:?} with {shape:?}"), &[3, 5], |builder, numbers, x| {
                let other = builder.add(Op::Constant(numbers.array(builder.precision(), shape)), &[])?;
                let x = if shape.len() == 3 { builder.unsqueeze(x, 1)? } else { x };
                let right = builder.binary(function, x, other)?;
                let left = builder.binary(function, other, right)?;
                builder.map(Function::Tanh, left)
            });
        }
        check(&format!("{function:?} of halves"), &[4, 6], |builder, _, x| {
            let first = builder.slice(x, 2, 0, 3)?;
            let second = builder.slice(x, 1, 1, 2)?;
            let second = builder.slice(second, 2, 3, 3)?;
            let second = builder.tile(second, 1, 2)?;
            let sum = builder.binary(function, first, second)?;
            builder.binary(function, sum, first)
        });
    }
    check_rows(
        "powers",
        &[7],
        |numbers| 1.5 + numbers.next(),
        |builder, _, x| {
            let x = builder.with_scalar(Binary::Power, x, 1.5)?;
            builder.with_scalar(Binary::Divide, x, 3.0)
        },
    );
    check("choices", &[4, 3], |builder, numbers, x| {
        let condition = builder.with_scalar(Binary::Greater, x, 0.0)?;
        let other = builder.add(Op::Constant(numbers.array(builder.precision(), &[3])), &[])?;
        builder.add(Op::Choose, &[condition, x, other])
    });
}

#[test]
fn dense_networks() {
    for (inputs, hidden) in [(7, 5), (200, 64), (33, 17), (64, 100)] {
        check(&format!("perceptron {inputs} {hidden}"), &[inputs], |builder, numbers, x| {
            let x = builder.with_scalar(Binary::Multiply, x, 0.1)?;
            let y = dense(builder, numbers, x, hidden)?;
            let (scale, shift) =
                (numbers.array(builder.precision(), &[hidden]), numbers.array(builder.precision(), &[hidden]));
            let y = builder.add(Op::Affine { axis: 1, scale, shift }, &[y])?;
            let y = builder.map(Function::Relu, y)?;
            let z = dense(builder, numbers, y, hidden)?;
            let z = builder.map(Function::Silu, z)?;
            let sum = builder.binary(Binary::Add, y, z)?;
            let sum = builder.with_scalar(Binary::Multiply, sum, 0.03)?;
            let beside = builder.add(Op::Concat { axis: 1 }, &[sum, x])?;
            let norm = Normalize {
                norm: Norm::Layer { epsilon: 1e-3 },
                axes: 1,
                scale: Some(numbers.array(builder.precision(), &[hidden + inputs])),
                shift: Some(numbers.array(builder.precision(), &[hidden + inputs])),
            };
            let y = builder.add(Op::Normalize(norm), &[beside])?;
            let y = builder.with_scalar(Binary::Multiply, y, 0.1)?;
            dense(builder, numbers, y, 1)
        });
    }
    check("dense over steps that lie apart", &[6, 5], |builder, numbers, x| {
        let x = builder.slice(x, 1, 2, 3)?;
        dense(builder, numbers, x, 4)
    });
}

#[test]
fn norms_and_softmax() {
    for norm in [Norm::Layer { epsilon: 1e-5 }, Norm::Rms { epsilon: 1e-6 }, Norm::Unit { least: 1e-12 }] {
        for axes in [1, 2] {
            check(&format!("{norm:?} over {axes}"), &[4, 19], |builder, numbers, x| {
                let shape = if axes == 1 { vec![19] } else { vec![4, 19] };
                let scale = Some(numbers.array(builder.precision(), &shape));
                builder.add(Op::Normalize(Normalize { norm, axes, scale, shift: None }), &[x])
            });
        }
    }
    for axis in [1, 2, 3] {
        for log in [false, true] {
            check(&format!("softmax {axis} {log}"), &[3, 5, 18], |builder, _, x| {
                let x = builder.with_scalar(Binary::Multiply, x, 5.0)?;
                builder.add(Op::Softmax { axis, log }, &[x])
            });
        }
    }
    for axis in [1, 2] {
        check(&format!("affine {axis}"), &[4, 6], |builder, numbers, x| {
            let size = builder.shape(x).size(axis)?;
            let (scale, shift) =
                (numbers.array(builder.precision(), &[size]), numbers.array(builder.precision(), &[size]));
            builder.add(Op::Affine { axis, scale, shift }, &[x])
        });
    }
    for shape in [&[1][..], &[6], &[4, 1], &[4, 6]] {
        check(&format!("prelu {shape:?}"), &[4, 6], |builder, numbers, x| {
            builder.add(Op::Prelu(numbers.array(builder.precision(), shape)), &[x])
        });
    }
}

#[test]
fn reductions_and_moves() {
    for how in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min, Reduction::Product] {
        for axes in [vec![1], vec![2], vec![3], vec![1, 2], vec![1, 3], vec![1, 2, 3]] {
            check(&format!("{how:?} over {axes:?}"), &[3, 4, 21], |builder, _, x| {
                let x = builder.map(Function::Sin, x)?;
                builder.add(Op::Reduce { how, axes: axes.clone(), keep: how == Reduction::Sum }, &[x])
            });
        }
    }
    check("moves", &[4, 3, 5], |builder, _, x| shared::moves(builder, x));
    check_rows(
        "embedding",
        &[3],
        |numbers| (3.5 + 3.4 * numbers.next()).floor(),
        |builder, numbers, x| builder.add(Op::Embedding(numbers.array(builder.precision(), &[7, 4])), &[x]),
    );
}

#[test]
fn convolutions_and_pools() {
    for (channels, filters, groups) in [(3, 8, 1), (4, 4, 4), (3, 6, 3), (4, 6, 2), (16, 32, 1)] {
        for (taps, stride, dilation, padding) in
            [(1, 1, 1, Padding::Valid), (3, 1, 1, Padding::Same), (3, 2, 1, Padding::Same), (3, 1, 2, Padding::Causal)]
        {
            check(
                &format!("convolution {channels} {filters} {groups} {taps} {stride}"),
                &[13, channels],
                |builder, numbers, x| {
                    let (before, after) = padding.places(13, taps, stride, dilation);
                    let kernel = numbers.array(builder.precision(), &[taps, channels / groups, filters]);
                    let bias = Some(numbers.array(builder.precision(), &[filters]));
                    let layer = Convolution { kernel, bias, stride, dilation, groups, before, after };
                    let y = builder.add(Op::Convolution(layer), &[x])?;
                    let (scale, shift) = (
                        numbers.array(builder.precision(), &[filters]),
                        numbers.array(builder.precision(), &[filters]),
                    );
                    let y = builder.add(Op::Affine { axis: 2, scale, shift }, &[y])?;
                    builder.map(Function::BentRelu { slope: 0.3, threshold: 0.0, max: f64::INFINITY }, y)
                },
            );
        }
    }
    for how in [Pooling::Max, Pooling::Mean, Pooling::MeanOfAll] {
        for (size, stride, before, after) in [(2, 2, 0, 0), (3, 2, 1, 1), (3, 1, 1, 1), (4, 3, 0, 2)] {
            check(&format!("{how:?} {size} {stride}"), &[11, 5], |builder, _, x| {
                builder.add(Op::Pool(Pool { how, size, stride, dilation: 1, before, after }), &[x])
            });
        }
        check(&format!("adaptive {how:?}"), &[11, 5], |builder, _, x| builder.adaptive_pool(x, how, 4));
    }
}

#[test]
fn recurrent_layers() {
    let sigmoid = Function::HardSigmoid { slope: 0.2, offset: 0.5 };
    let cells = [
        Cell::Simple { activation: Function::Tanh },
        Cell::Lstm { activation: Function::Tanh, gate: Function::Sigmoid },
        Cell::Lstm { activation: Function::Softsign, gate: sigmoid },
        Cell::Gru { activation: Function::Tanh, gate: Function::Sigmoid, reset_after: true },
        Cell::Gru { activation: Function::Tanh, gate: Function::Sigmoid, reset_after: false },
        Cell::Gru { activation: Function::Relu, gate: sigmoid, reset_after: true },
    ];
    for cell in cells {
        for (returns, reverse, states) in [
            (Returns::Sequence, false, 0),
            (Returns::Last, true, 1),
            (Returns::Sequence, true, 1),
            (Returns::Memory, false, 2),
        ] {
            if returns == Returns::Memory && !matches!(cell, Cell::Lstm { .. }) {
                continue;
            }
            check(&format!("{cell:?} {returns:?}"), &[7, 3], |builder, numbers, x| {
                let (units, precision) = (5, builder.precision());
                let wide = cell.gates() * units;
                let half = |array: Arc<Array>| {
                    let values = array.values().map(|value| value / 2.0).collect();
                    Arc::new(Array::rounded(precision, array.shape(), values).unwrap())
                };
                let layer = Recurrent {
                    cell,
                    kernel: numbers.array(precision, &[3, wide]),
                    recurrent: half(numbers.array(precision, &[units, wide])),
                    bias: Some(numbers.array(precision, &[wide])),
                    recurrent_bias: Some(numbers.array(precision, &[wide])),
                    reverse,
                    returns,
                };
                let first = builder.select(x, 1, 2)?;
                let first = dense(builder, numbers, first, units)?;
                let second = builder.map(Function::Tanh, first)?;
                let operands = [x, first, second];
                builder.add(Op::Recurrent(Box::new(layer)), &operands[..=states])
            });
        }
    }
    check("bidirectional", &[9, 20], |builder, numbers, x| {
        let precision = builder.precision();
        let mut layer = || Recurrent {
            cell: Cell::Lstm { activation: Function::Tanh, gate: Function::Sigmoid },
            kernel: numbers.array(precision, &[20, 64]),
            recurrent: numbers.array(precision, &[16, 64]),
            bias: None,
            recurrent_bias: None,
            reverse: false,
            returns: Returns::Sequence,
        };
        let (forward, backward) = (layer(), layer());
        builder.bidirectional(x, forward, backward, Merge::Average)
    });
}

#[test]
fn attention() {
    for causal in [false, true] {
        check(&format!("attention {causal}"), &[11, 12], |builder, numbers, x| {
            let heads = |builder: &mut Builder, numbers: &mut Numbers| {
                let y = dense(builder, numbers, x, 12)?;
                let y = builder.reshape(y, &[None, Some(11), Some(3), Some(4)])?;
                builder.swap(y, 1, 2)
            };
            let (q, k, v) = (heads(builder, numbers)?, heads(builder, numbers)?, heads(builder, numbers)?);
            let mask = builder.add(Op::Constant(numbers.array(builder.precision(), &[11, 11])), &[])?;
            let how = Attention { scale: 0.5, causal, mask: (!causal).then_some(mask) };
            let y = builder.attention(q, k, v, how)?;
            let y = builder.swap(y, 1, 2)?;
            let y = builder.reshape(y, &[None, Some(11), Some(12)])?;
            builder.binary(Binary::Add, x, y)
        });
    }
    check("matrices of which one is constant or shared", &[3, 4, 5], |builder, numbers, x| {
        let constant = builder.add(Op::Constant(numbers.array(builder.precision(), &[5, 6])), &[])?;
        let y = builder.add(Op::MatMul { transposed: false }, &[x, constant])?;
        let one = builder.slice(x, 1, 1, 1)?;
        let left = builder.swap(one, 2, 3)?;
        builder.add(Op::MatMul { transposed: false }, &[left, y])
    });
    check("a batch that is moved and merged", &[6, 8], |builder, numbers, x| {
        let y = builder.swap(x, 0, 1)?;
        let y = builder.reshape(y, &[Some(6), None, Some(4)])?;
        let y = builder.swap(y, 0, 1)?;
        let y = builder.attention(y, y, y, Attention { scale: 1.0, causal: false, mask: None })?;
        let y = builder.swap(y, 0, 1)?;
        let y = builder.reshape(y, &[None, Some(8)])?;
        let y = dense(builder, numbers, y, 3)?;
        let y = builder.reshape(y, &[Some(6), None, Some(3)])?;
        builder.swap(y, 0, 1)
    });
}

#[test]
fn what_does_not_depend_on_rows_is_computed_once() {
    check("constants", &[4], |builder, numbers, x| {
        let first = builder.add(Op::Constant(numbers.array(builder.precision(), &[3, 4])), &[])?;
        let second = builder.swap(first, 0, 1)?;
        let second = builder.map(Function::Tanh, second)?;
        let product = builder.add(Op::MatMul { transposed: false }, &[second, first])?;
        let sum = builder.add(Op::Reduce { how: Reduction::Mean, axes: vec![0], keep: false }, &[product])?;
        builder.binary(Binary::Add, x, sum)
    });
}

#[test]
fn the_input_itself_may_be_the_value() {
    check("identity", &[4], |_, _, x| Ok(x));
    check("a view of the input", &[4, 3], |builder, _, x| builder.select(x, 1, 2));
}

#[test]
fn an_index_beyond_a_table_is_refused() {
    let mut builder = Builder::new(Precision::F32);
    let x = builder.input("x", Shape::rows(&[1]).unwrap()).unwrap();
    let table = Arc::new(Array::f32(&[2, 1], vec![5.0, 6.0]).unwrap());
    let y = builder.add(Op::Embedding(table), &[x]).unwrap();
    let network = builder.finish(&[("y", y)]).unwrap();
    let plan = Plan::<f32>::new(&network, y, Level::detect());
    let mut memory = Memory::new();
    let mut ask = |x: f32| plan.run(View::new(&[x], 1, 0), 1, &mut memory, |value| value.row(0)[0]);
    assert_eq!(ask(1.9).unwrap(), 6.0);
    for wrong in [2.0, -1.0, f32::NAN, f32::INFINITY, -1e30] {
        assert!(ask(wrong).unwrap_err().message().contains("no index"), "{wrong}");
    }
}
