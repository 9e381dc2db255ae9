//! Each operation written down once more, number after number, in float64.

use crate::ir::network::{Array, Binary, Cell, Function, Network, Norm, Op, Pooling, Recurrent, Reduction, Returns};
use std::sync::Arc;

/// A tensor of one row.
#[derive(Clone)]
struct Tensor {
    sizes: Vec<usize>,
    data: Vec<f64>,
}

impl Tensor {
    fn of(array: &Array) -> Self {
        Self { sizes: array.shape().to_vec(), data: array.values().collect() }
    }

    /// A tensor of these sizes, each element from its indices.
    fn make(sizes: &[usize], mut at: impl FnMut(&[usize]) -> f64) -> Self {
        let count: usize = sizes.iter().product();
        let data = (0..count).map(|index| at(&indices(index, sizes))).collect();
        Self { sizes: sizes.to_vec(), data }
    }

    fn at(&self, index: &[usize]) -> f64 {
        self.data[index.iter().zip(&self.sizes).fold(0, |place, (index, size)| place * size + index)]
    }

    /// The element that broadcasting brings to these indices of a larger tensor.
    fn broadcast(&self, index: &[usize]) -> f64 {
        let own = &index[index.len() - self.sizes.len()..];
        let own: Vec<usize> =
            own.iter().zip(&self.sizes).map(|(&index, &size)| if size == 1 { 0 } else { index }).collect();
        self.at(&own)
    }
}

fn indices(mut place: usize, sizes: &[usize]) -> Vec<usize> {
    let mut index = vec![0; sizes.len()];
    for axis in (0..sizes.len()).rev() {
        index[axis] = place % sizes[axis];
        place /= sizes[axis];
    }
    index
}

fn with(index: &[usize], axis: usize, value: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index[axis] = value;
    index
}

fn function(function: Function, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    match function {
        Function::Identity => x,
        Function::Relu => x.max(0.0),
        Function::BentRelu { max, .. } if x >= max => max,
        Function::BentRelu { threshold, .. } if x >= threshold => x,
        Function::BentRelu { slope, threshold, .. } => slope * (x - threshold),
        Function::Elu { alpha } => {
            if x > 0.0 {
                x
            } else {
                alpha * x.exp_m1()
            }
        }
        Function::Celu { alpha } => {
            if x > 0.0 {
                x
            } else {
                alpha * (x / alpha).exp_m1()
            }
        }
        Function::Selu => 1.050_700_987_355_480_5 * if x > 0.0 { x } else { 1.673_263_242_354_377_2 * x.exp_m1() },
        Function::Gelu => x * (1.0 + libm::erf(x / 2f64.sqrt())) / 2.0,
        Function::GeluTanh => {
            x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh()) / 2.0
        }
        Function::Silu => x * sigmoid(x),
        Function::Mish => x * softplus(x).tanh(),
        Function::Softplus => softplus(x),
        Function::LogSigmoid => -softplus(-x),
        Function::Softsign => x / (1.0 + x.abs()),
        Function::Tanh => x.tanh(),
        Function::Sigmoid => sigmoid(x),
        Function::HardSigmoid { slope, offset } => (slope * x + offset).clamp(0.0, 1.0),
        Function::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        Function::Clip { min, max } => x.clamp(min, max),
        Function::Threshold { threshold, value } => {
            if x > threshold {
                x
            } else {
                value
            }
        }
        Function::SoftShrink { lambda } => x.signum() * (x.abs() - lambda).max(0.0),
        Function::HardShrink { lambda } => {
            if x.abs() > lambda {
                x
            } else {
                0.0
            }
        }
        Function::TanhShrink => x - x.tanh(),
        Function::Squareplus { b } => f64::midpoint(x, (x * x + b).sqrt()),
        Function::Exp => x.exp(),
        Function::ExpMinusOne => x.exp_m1(),
        Function::Log => x.ln(),
        Function::LogOnePlus => x.ln_1p(),
        Function::Sqrt => x.sqrt(),
        Function::ReciprocalSqrt => 1.0 / x.sqrt(),
        Function::Reciprocal => 1.0 / x,
        Function::Square => x * x,
        Function::Abs => x.abs(),
        Function::Negate => -x,
        Function::Sign => {
            if x == 0.0 {
                0.0
            } else {
                x.signum()
            }
        }
        Function::Sin => x.sin(),
        Function::Cos => x.cos(),
        Function::Erf => libm::erf(x),
        Function::Floor => x.floor(),
        Function::Ceil => x.ceil(),
        Function::Round => x.round_ties_even(),
        Function::Truncate => x.trunc(),
        Function::Not => f64::from(u8::from(x == 0.0)),
    }
}

fn binary(function: Binary, a: f64, b: f64) -> f64 {
    let truth = |truth: bool| f64::from(u8::from(truth));
    match function {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::Maximum => a.max(b),
        Binary::Minimum => a.min(b),
        Binary::Power => a.powf(b),
        Binary::Greater => truth(a > b),
        Binary::GreaterOrEqual => truth(a >= b),
        Binary::Less => truth(a < b),
        Binary::LessOrEqual => truth(a <= b),
        Binary::Equal => truth(a == b),
        Binary::NotEqual => truth(a != b),
    }
}

fn reduction(how: Reduction, x: &[f64]) -> f64 {
    match how {
        Reduction::Sum => x.iter().sum(),
        Reduction::Mean => x.iter().sum::<f64>() / x.len() as f64,
        Reduction::Max => x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Reduction::Min => x.iter().copied().fold(f64::INFINITY, f64::min),
        Reduction::Product => x.iter().product(),
    }
}

fn recurrent(layer: &Recurrent, sizes: &[usize], operands: &[&Tensor]) -> Tensor {
    let x = operands[0];
    let units = layer.units();
    let (kernel, weights) = (Tensor::of(&layer.kernel), Tensor::of(&layer.recurrent));
    let bias = |bias: &Option<Arc<Array>>, at: usize| bias.as_ref().map_or(0.0, |bias| Tensor::of(bias).at(&[at]));
    let (steps, features) = (x.sizes[x.sizes.len() - 2], x.sizes[x.sizes.len() - 1]);
    let mut out = Tensor::make(sizes, |_| 0.0);
    for sequence in 0..x.data.len() / steps / features {
        let state = |which: usize| match operands.get(which) {
            Some(state) => state.data[sequence * units..][..units].to_vec(),
            None => vec![0.0; units],
        };
        let (mut h, mut c) = (state(1), state(2));
        for index in 0..steps {
            let step = if layer.reverse { steps - 1 - index } else { index };
            let input = &x.data[(sequence * steps + step) * features..][..features];
            let of_x = |gate: usize, unit: usize| {
                let at = gate * units + unit;
                (0..features).map(|f| input[f] * kernel.at(&[f, at])).sum::<f64>() + bias(&layer.bias, at)
            };
            let of_h = |h: &[f64], gate: usize, unit: usize| {
                let at = gate * units + unit;
                (0..units).map(|u| h[u] * weights.at(&[u, at])).sum::<f64>() + bias(&layer.recurrent_bias, at)
            };
            let both = |gate: usize, unit: usize| of_x(gate, unit) + of_h(&h, gate, unit);
            let next: Vec<(f64, f64)> = (0..units)
                .map(|unit| match layer.cell {
                    Cell::Simple { activation } => (function(activation, both(0, unit)), 0.0),
                    Cell::Lstm { activation, gate } => {
                        let kept = function(gate, both(1, unit)) * c[unit];
                        let new = kept + function(gate, both(0, unit)) * function(activation, both(2, unit));
                        (function(gate, both(3, unit)) * function(activation, new), new)
                    }
                    Cell::Gru { activation, gate, reset_after } => {
                        let update = function(gate, both(0, unit));
                        let candidate = if reset_after {
                            of_x(2, unit) + function(gate, both(1, unit)) * of_h(&h, 2, unit)
                        } else {
                            let reset: Vec<f64> = (0..units).map(|u| function(gate, both(1, u)) * h[u]).collect();
                            of_x(2, unit) + of_h(&reset, 2, unit)
                        };
                        (update * h[unit] + (1.0 - update) * function(activation, candidate), 0.0)
                    }
                })
                .collect();
            (h, c) = next.into_iter().unzip();
            if layer.returns == Returns::Sequence {
                out.data[(sequence * steps + step) * units..][..units].copy_from_slice(&h);
            }
        }
        match layer.returns {
            Returns::Sequence => {}
            Returns::Last => out.data[sequence * units..][..units].copy_from_slice(&h),
            Returns::Memory => out.data[sequence * units..][..units].copy_from_slice(&c),
        }
    }
    out
}

/// What an operation gives.
#[allow(clippy::too_many_lines)] // one arm per operation
fn evaluate(op: &Op, sizes: &[usize], operands: &[&Tensor]) -> Tensor {
    let x = operands.first().copied();
    let x = || x.unwrap();
    let rank = sizes.len();
    match op {
        Op::Input(_) => unreachable!(),
        Op::Constant(array) => Tensor::of(array),
        Op::Dense(dense) => {
            let weights = Tensor::of(&dense.weights);
            Tensor::make(sizes, |index| {
                let at = index[rank - 1];
                let sum: f64 =
                    (0..weights.sizes[0]).map(|k| x().at(&with(index, rank - 1, k)) * weights.at(&[k, at])).sum();
                sum + dense.bias.as_ref().map_or(0.0, |bias| Tensor::of(bias).at(&[at]))
            })
        }
        Op::MatMul { transposed } => Tensor::make(sizes, |index| {
            let inner = x().sizes[x().sizes.len() - 1];
            let product = |k: usize| {
                let right = with(index, rank - 2, k);
                let right =
                    if *transposed { with(&with(index, rank - 2, index[rank - 1]), rank - 1, k) } else { right };
                // Axes in front are broadcast; the last two are as they are.
                x().broadcast(&with(index, rank - 1, k)) * operands[1].broadcast(&right)
            };
            (0..inner).map(product).sum()
        }),
        Op::Convolution(layer) => {
            let kernel = Tensor::of(&layer.kernel);
            let [taps, inside, filters] = kernel.sizes[..] else { panic!() };
            Tensor::make(sizes, |index| {
                let (window, filter) = (index[rank - 2], index[rank - 1]);
                let group = filter / (filters / layer.groups);
                let mut sum = layer.bias.as_ref().map_or(0.0, |bias| Tensor::of(bias).at(&[filter]));
                for tap in 0..taps {
                    let place = (window * layer.stride + tap * layer.dilation).checked_sub(layer.before);
                    let Some(place) = place.filter(|&place| place < x().sizes[rank - 2]) else { continue };
                    for channel in 0..inside {
                        let at = with(&with(index, rank - 2, place), rank - 1, group * inside + channel);
                        sum += x().at(&at) * kernel.at(&[tap, channel, filter]);
                    }
                }
                sum
            })
        }
        Op::Affine { axis, scale, shift } => Tensor::make(sizes, |index| {
            x().at(index) * Tensor::of(scale).at(&[index[*axis]]) + Tensor::of(shift).at(&[index[*axis]])
        }),
        Op::Normalize(normalize) => {
            let run: usize = sizes[rank - normalize.axes..].iter().product();
            let numbers = |array: &Option<Arc<Array>>, otherwise: f64| {
                array.as_ref().map_or(vec![otherwise; run], |array| array.values().collect())
            };
            let (scale, shift) = (numbers(&normalize.scale, 1.0), numbers(&normalize.shift, 0.0));
            let mut out = x().clone();
            for x in out.data.chunks_exact_mut(run) {
                let mean = x.iter().sum::<f64>() / run as f64;
                let squares = |shift: f64| x.iter().map(|x| (x - shift) * (x - shift)).sum::<f64>();
                let (center, divisor) = match normalize.norm {
                    Norm::Layer { epsilon } => (mean, (squares(mean) / run as f64 + epsilon).sqrt()),
                    Norm::Rms { epsilon } => (0.0, (squares(0.0) / run as f64 + epsilon).sqrt()),
                    Norm::Unit { least } => (0.0, squares(0.0).max(least).sqrt()),
                };
                for (x, (scale, shift)) in x.iter_mut().zip(scale.iter().zip(&shift)) {
                    *x = (*x - center) / divisor * scale + shift;
                }
            }
            out
        }
        Op::Map(map) => Tensor::make(sizes, |index| function(*map, x().at(index))),
        Op::Prelu(slopes) => Tensor::make(sizes, |index| {
            let value = x().at(index);
            if value > 0.0 { value } else { value * Tensor::of(slopes).broadcast(index) }
        }),
        Op::Softmax { axis, log } => Tensor::make(sizes, |index| {
            let all: Vec<f64> = (0..sizes[*axis]).map(|at| x().at(&with(index, *axis, at))).collect();
            let sum: f64 = all.iter().map(|other| (other - x().at(index)).exp()).sum();
            if *log { -sum.ln() } else { 1.0 / sum }
        }),
        Op::Binary(pair) => {
            Tensor::make(sizes, |index| binary(*pair, x().broadcast(index), operands[1].broadcast(index)))
        }
        Op::Choose => {
            Tensor::make(sizes, |index| operands[if x().broadcast(index) == 0.0 { 2 } else { 1 }].broadcast(index))
        }
        Op::Reduce { how, axes, keep } => Tensor::make(sizes, |index| {
            let mut whole = index.to_vec();
            if !keep {
                axes.iter().for_each(|&axis| whole.insert(axis, 0));
            }
            let over: Vec<usize> = axes.iter().map(|&axis| x().sizes[axis]).collect();
            let all: Vec<f64> = (0..over.iter().product())
                .map(|place| {
                    let mut at = whole.clone();
                    indices(place, &over).iter().zip(axes).for_each(|(index, &axis)| at[axis] = *index);
                    x().at(&at)
                })
                .collect();
            reduction(*how, &all)
        }),
        Op::Concat { axis } => Tensor::make(sizes, |index| {
            let mut at = index[*axis];
            for operand in operands {
                if at < operand.sizes[*axis] {
                    return operand.at(&with(index, *axis, at));
                }
                at -= operand.sizes[*axis];
            }
            unreachable!()
        }),
        Op::Reshape(_) => Tensor { sizes: sizes.to_vec(), data: x().data.clone() },
        Op::Expand(_) => Tensor::make(sizes, |index| x().broadcast(index)),
        Op::Transpose(order) => Tensor::make(sizes, |index| {
            let mut from = vec![0; rank];
            order.iter().zip(index).for_each(|(&axis, &index)| from[axis] = index);
            x().at(&from)
        }),
        Op::Slice { axis, start, step, .. } => Tensor::make(sizes, |index| {
            let at = start.checked_add_signed(index[*axis].cast_signed() * step).unwrap();
            x().at(&with(index, *axis, at))
        }),
        Op::Take { axis, indices } => Tensor::make(sizes, |index| x().at(&with(index, *axis, indices[index[*axis]]))),
        Op::Pad { axis, before, value, .. } => Tensor::make(sizes, |index| {
            let at = index[*axis].checked_sub(*before).filter(|&at| at < x().sizes[*axis]);
            at.map_or(*value, |at| x().at(&with(index, *axis, at)))
        }),
        Op::Pool(pool) => Tensor::make(sizes, |index| {
            let places = (0..pool.size).map(|tap| index[rank - 2] * pool.stride + tap * pool.dilation);
            let there =
                places.filter_map(|place| place.checked_sub(pool.before)).filter(|&at| at < x().sizes[rank - 2]);
            let all: Vec<f64> = there.map(|at| x().at(&with(index, rank - 2, at))).collect();
            match pool.how {
                Pooling::Max => reduction(Reduction::Max, &all),
                Pooling::Mean => reduction(Reduction::Mean, &all),
                Pooling::MeanOfAll => reduction(Reduction::Sum, &all) / pool.size as f64,
            }
        }),
        Op::Embedding(table) => Tensor::make(sizes, |index| {
            let at = x().at(&index[..rank - 1]).trunc() as usize;
            Tensor::of(table).at(&[at, index[rank - 1]])
        }),
        Op::Recurrent(layer) => recurrent(layer, sizes, operands),
    }
}

/// What the oracle says of the last output of a network.
pub fn oracle(network: &Network, row: &[f64]) -> Vec<f64> {
    let mut results: Vec<Tensor> = Vec::new();
    let mut column = 0;
    for node in network.nodes() {
        let sizes = node.shape().per_row();
        let operands: Vec<&Tensor> = node.operands().iter().map(|operand| &results[operand.index()]).collect();
        let result = if let Op::Input(_) = node.op() {
            let count: usize = sizes.iter().product();
            column += count;
            Tensor { data: row[column - count..column].to_vec(), sizes }
        } else {
            evaluate(node.op(), &sizes, &operands)
        };
        results.push(result);
    }
    results[network.outputs()[0].node.index()].data.clone()
}
