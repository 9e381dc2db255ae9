//! Functions and networks that are compared with an oracle here, and with the runtime in `tests/session`.

use mi::Result;
use mi::ir::network::{Builder, Function, NodeId, Op};

/// Every function of any number.
pub const FUNCTIONS: [Function; 38] = [
    Function::Identity,
    Function::Relu,
    Function::BentRelu { slope: 0.1, threshold: 0.25, max: 0.75 },
    Function::BentRelu { slope: 0.3, threshold: 0.0, max: f64::INFINITY },
    Function::Elu { alpha: 0.5 },
    Function::Celu { alpha: 0.5 },
    Function::Selu,
    Function::Gelu,
    Function::GeluTanh,
    Function::Silu,
    Function::Mish,
    Function::Softplus,
    Function::LogSigmoid,
    Function::Softsign,
    Function::Tanh,
    Function::Sigmoid,
    Function::HardSigmoid { slope: 0.2, offset: 0.5 },
    Function::HardSwish,
    Function::Clip { min: -0.25, max: 0.5 },
    Function::Threshold { threshold: 0.1, value: 7.0 },
    Function::SoftShrink { lambda: 0.25 },
    Function::HardShrink { lambda: 0.25 },
    Function::TanhShrink,
    Function::Squareplus { b: 4.0 },
    Function::Exp,
    Function::ExpMinusOne,
    Function::Square,
    Function::Abs,
    Function::Negate,
    Function::Sign,
    Function::Sin,
    Function::Cos,
    Function::Erf,
    Function::Floor,
    Function::Ceil,
    Function::Round,
    Function::Truncate,
    Function::Not,
];

/// Every function of positive numbers.
pub const FUNCTIONS_OF_POSITIVE: [Function; 5] =
    [Function::Log, Function::LogOnePlus, Function::Sqrt, Function::ReciprocalSqrt, Function::Reciprocal];

/// Every way to move elements, of an input of shape (4, 3, 5).
pub fn moves(builder: &mut Builder, x: NodeId) -> Result<NodeId> {
    let y = builder.transpose(x, &[0, 2, 3, 1])?;
    let y = builder.reverse(y, 2)?;
    let y = builder.add(Op::Slice { axis: 1, start: 2, step: -2, count: 2 }, &[y])?;
    let y = builder.add(Op::Take { axis: 3, indices: [3, 0, 0, 1, 2].into() }, &[y])?;
    let y = builder.add(Op::Pad { axis: 2, before: 1, after: 2, value: 0.5 }, &[y])?;
    let y = builder.repeat(y, 1, 2)?;
    let y = builder.tile(y, 3, 2)?;
    let z = builder.spread(y, 2, 1)?;
    let z = builder.select(z, 2, 4)?;
    let y = builder.select(y, 2, 1)?;
    builder.add(Op::Concat { axis: 2 }, &[y, z, y])
}
