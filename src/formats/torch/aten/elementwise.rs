//! Functions of one element, of two, and of three.

use super::super::graph::Graph;
use super::super::number::{Kind, Type};
use super::super::value::{Args, Size, Tensor, Value};
use super::{Lower, tensor};
use crate::error::{Error, Result};
use crate::ir::network::{Binary, Function, Op};
use std::sync::Arc;

/// What is lowered here.
pub(super) const OPS: &[(&str, Lower)] = &[
    ("relu", |g, a| map(g, a, Function::Relu)),
    ("relu6", |g, a| map(g, a, Function::Clip { min: 0.0, max: 6.0 })),
    ("sigmoid", |g, a| map(g, a, Function::Sigmoid)),
    ("tanh", |g, a| map(g, a, Function::Tanh)),
    ("silu", |g, a| map(g, a, Function::Silu)),
    ("mish", |g, a| map(g, a, Function::Mish)),
    ("selu", |g, a| map(g, a, Function::Selu)),
    ("hardsigmoid", |g, a| map(g, a, Function::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 })),
    ("hardswish", |g, a| map(g, a, Function::HardSwish)),
    ("softsign", |g, a| map(g, a, Function::Softsign)),
    ("log_sigmoid", |g, a| map(g, a, Function::LogSigmoid)),
    ("tanhshrink", |g, a| map(g, a, Function::TanhShrink)),
    ("exp", |g, a| map(g, a, Function::Exp)),
    ("expm1", |g, a| map(g, a, Function::ExpMinusOne)),
    ("log", |g, a| map(g, a, Function::Log)),
    ("log1p", |g, a| map(g, a, Function::LogOnePlus)),
    ("sqrt", |g, a| map(g, a, Function::Sqrt)),
    ("rsqrt", |g, a| map(g, a, Function::ReciprocalSqrt)),
    ("reciprocal", |g, a| map(g, a, Function::Reciprocal)),
    ("square", |g, a| map(g, a, Function::Square)),
    ("abs", |g, a| map(g, a, Function::Abs)),
    ("neg", |g, a| map(g, a, Function::Negate)),
    ("sign", |g, a| map(g, a, Function::Sign)),
    ("sin", |g, a| map(g, a, Function::Sin)),
    ("cos", |g, a| map(g, a, Function::Cos)),
    ("erf", |g, a| map(g, a, Function::Erf)),
    ("floor", |g, a| map(g, a, Function::Floor)),
    ("ceil", |g, a| map(g, a, Function::Ceil)),
    ("round", |g, a| map(g, a, Function::Round)),
    ("trunc", |g, a| map(g, a, Function::Truncate)),
    ("logical_not", |g, a| truth(g, a, Function::Not)),
    ("bitwise_not", bitwise_not),
    ("gelu", gelu),
    ("elu", elu),
    ("celu", |g, a| {
        let alpha = a.float_or(1, "alpha", 1.0)?;
        map(g, a, Function::Celu { alpha })
    }),
    ("leaky_relu", |g, a| {
        let slope = a.float_or(1, "negative_slope", 0.01)?;
        map(g, a, Function::BentRelu { slope, threshold: 0.0, max: f64::INFINITY })
    }),
    ("hardtanh", |g, a| {
        let (min, max) = (a.float_or(1, "min_val", -1.0)?, a.float_or(2, "max_val", 1.0)?);
        map(g, a, Function::Clip { min, max })
    }),
    ("threshold", |g, a| {
        let (threshold, value) = (a.get(1, "threshold")?.as_float()?, a.get(2, "value")?.as_float()?);
        map(g, a, Function::Threshold { threshold, value })
    }),
    ("softshrink", |g, a| {
        let lambda = a.float_or(1, "lambd", 0.5)?;
        map(g, a, Function::SoftShrink { lambda })
    }),
    ("hardshrink", |g, a| {
        let lambda = a.float_or(1, "lambd", 0.5)?;
        map(g, a, Function::HardShrink { lambda })
    }),
    ("softplus", softplus),
    ("prelu", prelu),
    ("_prelu_kernel", prelu),
    ("glu", glu),
    ("clamp", clamp),
    ("clip", clamp),
    ("clamp_min", |g, a| bounded(g, a, a.opt(1, "min"), None)),
    ("clamp_max", |g, a| bounded(g, a, None, a.opt(1, "max"))),
    ("add", |g, a| sum(g, a, Binary::Add)),
    ("sub", |g, a| sum(g, a, Binary::Subtract)),
    ("rsub", rsub),
    ("mul", |g, a| two(g, a, Binary::Multiply)),
    ("div", div),
    ("true_divide", |g, a| two(g, a, Binary::Divide)),
    ("floor_divide", floor_divide),
    ("floordiv", floor_divide),
    ("remainder", |g, a| modulo(g, a, Function::Floor)),
    ("fmod", |g, a| modulo(g, a, Function::Truncate)),
    ("pow", |g, a| power(g, a)),
    ("maximum", |g, a| two(g, a, Binary::Maximum)),
    ("minimum", |g, a| two(g, a, Binary::Minimum)),
    ("gt", |g, a| two(g, a, Binary::Greater)),
    ("ge", |g, a| two(g, a, Binary::GreaterOrEqual)),
    ("lt", |g, a| two(g, a, Binary::Less)),
    ("le", |g, a| two(g, a, Binary::LessOrEqual)),
    ("eq", |g, a| two(g, a, Binary::Equal)),
    ("ne", |g, a| two(g, a, Binary::NotEqual)),
    ("logical_and", |g, a| both(g, a, Binary::Multiply)),
    ("logical_or", |g, a| both(g, a, Binary::Maximum)),
    ("logical_xor", |g, a| both(g, a, Binary::NotEqual)),
    ("bitwise_and", |g, a| both(g, a, Binary::Multiply)),
    ("bitwise_or", |g, a| both(g, a, Binary::Maximum)),
    ("__and__", |g, a| both(g, a, Binary::Multiply)),
    ("__or__", |g, a| both(g, a, Binary::Maximum)),
    ("isnan", |g, a| {
        let x = a.tensor(0, "self")?.clone();
        tensor(g.binary(Binary::NotEqual, &x, &x)?)
    }),
    ("nan_to_num", nan_to_num),
    ("where", choose),
    ("masked_fill", masked_fill),
    ("lerp", lerp),
    ("addcmul", |g, a| added(g, a, Binary::Multiply)),
    ("addcdiv", |g, a| added(g, a, Binary::Divide)),
    ("softmax", |g, a| softmax(g, a, false)),
    ("_softmax", |g, a| softmax(g, a, false)),
    ("log_softmax", |g, a| softmax(g, a, true)),
    ("_log_softmax", |g, a| softmax(g, a, true)),
    ("to", convert),
    ("_to_copy", convert),
    ("type_as", |g, a| {
        let kind = a.tensor(1, "other")?.kind;
        tensor(g.convert(a.tensor(0, "self")?, kind)?)
    }),
    ("float", |g, a| tensor(g.convert(a.tensor(0, "self")?, Kind::Float)?)),
    ("long", |g, a| tensor(g.convert(a.tensor(0, "self")?, Kind::Integer)?)),
];

fn map(graph: &mut Graph, args: &Args, function: Function) -> Result<Value> {
    tensor(graph.map(function, args.tensor(0, "self")?)?)
}

fn truth(graph: &mut Graph, args: &Args, function: Function) -> Result<Value> {
    let mapped = graph.map(function, args.tensor(0, "self")?)?;
    tensor(Tensor { kind: Kind::Boolean, ..mapped })
}

fn bitwise_not(graph: &mut Graph, args: &Args) -> Result<Value> {
    if args.tensor(0, "self")?.kind != Kind::Boolean {
        return Err(Error::unsupported("the bits of integers are not read; export the model to ONNX"));
    }
    truth(graph, args, Function::Not)
}

fn gelu(graph: &mut Graph, args: &Args) -> Result<Value> {
    match args.text(1, "approximate")? {
        None | Some("none") => map(graph, args, Function::Gelu),
        Some("tanh") => map(graph, args, Function::GeluTanh),
        Some(other) => {
            Err(Error::malformed(format!("approximate='{}', 'none' or 'tanh' is expected", other.escape_default())))
        }
    }
}

fn elu(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (alpha, scale, inside) =
        (args.float_or(1, "alpha", 1.0)?, args.float_or(2, "scale", 1.0)?, args.float_or(3, "input_scale", 1.0)?);
    if inside.to_bits() != 1f64.to_bits() {
        return Err(Error::unsupported(format!("input_scale={inside} is not read; export the model to ONNX")));
    }
    let x = graph.map(Function::Elu { alpha }, args.tensor(0, "self")?)?;
    tensor(if scale.to_bits() == 1f64.to_bits() { x } else { graph.with_number(Binary::Multiply, &x, scale)? })
}

/// `log(1 + exp(beta * x)) / beta`, and `x` itself where `beta * x` passes the threshold.
fn softplus(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let (beta, threshold) = (args.float_or(1, "beta", 1.0)?, args.float_or(2, "threshold", 20.0)?);
    let scaled = graph.with_number(Binary::Multiply, &x, beta)?;
    let soft = graph.map(Function::Softplus, &scaled)?;
    let soft = graph.with_number(Binary::Divide, &soft, beta)?;
    // Beyond 20 both are the same number.
    if threshold >= 20.0 {
        return tensor(soft);
    }
    let beyond = graph.with_number(Binary::Greater, &scaled, threshold)?;
    tensor(graph.choose(&beyond, &x, &soft)?)
}

fn prelu(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let slopes = args.tensor(1, "weight")?.clone();
    let known = Graph::known(&slopes, "slopes of prelu")?;
    let rank = graph.rank(&x);
    let slopes = if rank > 2 && known.len() > 1 && known.shape().len() == 1 {
        let sizes: Vec<Size> = std::iter::once(known.len())
            .chain(std::iter::repeat_n(1, rank - 2))
            .map(|size| Size::Fixed(i64::try_from(size).unwrap_or(i64::MAX)))
            .collect();
        let shaped = graph.reshape(&slopes, &sizes)?;
        Graph::known(&shaped, "slopes of prelu")?
    } else {
        known
    };
    let node = graph.node(&x)?;
    let node = graph.builder.add(Op::Prelu(Arc::clone(&slopes)), &[node])?;
    Ok(graph.float(node))
}

fn glu(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let axis = graph.axis(&x, args.int_or(1, "dim", -1)?)?;
    let half = graph.shape(&x)?.size(axis)? / 2;
    let value = graph.slice(&x, axis, 0, 1, half)?;
    let gate = graph.slice(&x, axis, half, 1, half)?;
    let gate = graph.map(Function::Sigmoid, &gate)?;
    tensor(graph.binary(Binary::Multiply, &value, &gate)?)
}

fn clamp(graph: &mut Graph, args: &Args) -> Result<Value> {
    bounded(graph, args, args.opt(1, "min"), args.opt(2, "max"))
}

fn bounded(graph: &mut Graph, args: &Args, min: Option<&Value>, max: Option<&Value>) -> Result<Value> {
    let mut x = args.tensor(0, "self")?.clone();
    let bound = |value: Option<&Value>, open: f64| value.map_or(Ok(open), Value::as_float);
    if let (Ok(min), Ok(max)) = (bound(min, f64::NEG_INFINITY), bound(max, f64::INFINITY)) {
        let kind = if min.is_finite() && min.fract() != 0.0 || max.is_finite() && max.fract() != 0.0 {
            Kind::Float
        } else {
            x.kind
        };
        let clipped = graph.map(Function::Clip { min, max }, &x)?;
        return tensor(Tensor { kind, ..clipped });
    }
    for (bound, function) in [(min, Binary::Maximum), (max, Binary::Minimum)] {
        if let Some(bound) = bound {
            let bound = graph.operand(bound)?;
            x = graph.binary(function, &x, &bound)?;
        }
    }
    tensor(x)
}

/// Sizes are computed as such; everything else as tensors.
fn sizes(args: &Args) -> Option<(Size, Size)> {
    // Tracing keeps the numbers that sizes are multiplied with as tensors of one element.
    let side = |place, first, second| {
        let value = args.opt(place, first).or_else(|| args.opt(place, second))?;
        match value {
            Value::Size(size) => Some((*size, true)),
            Value::Tensor(Tensor { kind: Kind::Integer, .. }) => {
                #[allow(clippy::cast_possible_truncation)]
                let number = value.as_float().ok()? as i64;
                Some((Size::Fixed(number), false))
            }
            _ => None,
        }
    };
    let ((left, sure), (right, also)) = (side(0, "self", "a")?, side(1, "other", "b")?);
    (sure || also).then_some((left, right))
}

fn sides(graph: &mut Graph, args: &Args) -> Result<(Tensor, Tensor)> {
    let side = |place, first, second| match args.opt(place, first) {
        Some(value) => Ok(value),
        None => args.get(place, second),
    };
    let (left, right) = (side(0, "self", "a")?.clone(), side(1, "other", "b")?.clone());
    Ok((graph.operand(&left)?, graph.operand(&right)?))
}

fn two(graph: &mut Graph, args: &Args, function: Binary) -> Result<Value> {
    if let Some((left, right)) = sizes(args) {
        match (function, left, right) {
            (Binary::Multiply, ..) => return left.multiply(right).map(Value::Size),
            (Binary::Equal, Size::Fixed(left), Size::Fixed(right)) => return Ok(Value::Bool(left == right)),
            (Binary::NotEqual, Size::Fixed(left), Size::Fixed(right)) => return Ok(Value::Bool(left != right)),
            (Binary::Greater, Size::Fixed(left), Size::Fixed(right)) => return Ok(Value::Bool(left > right)),
            (Binary::GreaterOrEqual, Size::Fixed(left), Size::Fixed(right)) => return Ok(Value::Bool(left >= right)),
            (Binary::Less, Size::Fixed(left), Size::Fixed(right)) => return Ok(Value::Bool(left < right)),
            (Binary::LessOrEqual, Size::Fixed(left), Size::Fixed(right)) => return Ok(Value::Bool(left <= right)),
            _ => {}
        }
    }
    let (left, right) = sides(graph, args)?;
    tensor(graph.binary(function, &left, &right)?)
}

/// `self + alpha * other` and its difference.
fn sum(graph: &mut Graph, args: &Args, function: Binary) -> Result<Value> {
    if let Some((left, right)) = sizes(args) {
        return left.add(if function == Binary::Add { right } else { right.negate() }).map(Value::Size);
    }
    let (left, mut right) = sides(graph, args)?;
    let alpha = args.float_or(2, "alpha", 1.0)?;
    if alpha.to_bits() != 1f64.to_bits() {
        right = graph.with_number(Binary::Multiply, &right, alpha)?;
    }
    tensor(graph.binary(function, &left, &right)?)
}

fn rsub(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (mut left, right) = sides(graph, args)?;
    let alpha = args.float_or(2, "alpha", 1.0)?;
    if alpha.to_bits() != 1f64.to_bits() {
        left = graph.with_number(Binary::Multiply, &left, alpha)?;
    }
    tensor(graph.binary(Binary::Subtract, &right, &left)?)
}

fn div(graph: &mut Graph, args: &Args) -> Result<Value> {
    let rounding = match args.text(2, "rounding_mode")? {
        None => None,
        Some("floor") => Some(Function::Floor),
        Some("trunc") => Some(Function::Truncate),
        Some(other) => return Err(Error::malformed(format!("rounding_mode='{}'", other.escape_default()))),
    };
    if rounding == Some(Function::Floor)
        && let Some((left, right)) = sizes(args)
    {
        return left.divide(right).map(Value::Size);
    }
    let (left, right) = sides(graph, args)?;
    let quotient = graph.binary(Binary::Divide, &left, &right)?;
    tensor(match rounding {
        Some(function) => graph.map(function, &quotient)?,
        None => quotient,
    })
}

fn floor_divide(graph: &mut Graph, args: &Args) -> Result<Value> {
    if let Some((left, right)) = sizes(args) {
        return left.divide(right).map(Value::Size);
    }
    let (left, right) = sides(graph, args)?;
    let quotient = graph.binary(Binary::Divide, &left, &right)?;
    tensor(graph.map(Function::Floor, &quotient)?)
}

/// `a - round(a / b) * b`.
fn modulo(graph: &mut Graph, args: &Args, round: Function) -> Result<Value> {
    let (left, right) = sides(graph, args)?;
    let quotient = graph.binary(Binary::Divide, &left, &right)?;
    let whole = graph.map(round, &quotient)?;
    let product = graph.binary(Binary::Multiply, &whole, &right)?;
    tensor(graph.binary(Binary::Subtract, &left, &product)?)
}

fn power(graph: &mut Graph, args: &Args) -> Result<Value> {
    let base = args.get(0, "self")?.clone();
    let exponent = args.get(1, "exponent")?.clone();
    let base = graph.operand(&base)?;
    if let Ok(number) = exponent.as_float() {
        for (known, function) in [
            (2.0, Function::Square),
            (0.5, Function::Sqrt),
            (-0.5, Function::ReciprocalSqrt),
            (-1.0, Function::Reciprocal),
        ] {
            if number.to_bits() == f64::to_bits(known) {
                return tensor(graph.map(function, &base)?);
            }
        }
    }
    let exponent = graph.operand(&exponent)?;
    tensor(graph.binary(Binary::Power, &base, &exponent)?)
}

fn both(graph: &mut Graph, args: &Args, function: Binary) -> Result<Value> {
    let (left, right) = sides(graph, args)?;
    if left.kind == Kind::Integer || right.kind == Kind::Integer {
        return Err(Error::unsupported("the bits of integers are not read; export the model to ONNX"));
    }
    let (left, right) = (graph.convert(&left, Kind::Boolean)?, graph.convert(&right, Kind::Boolean)?);
    let both = graph.binary(function, &left, &right)?;
    tensor(Tensor { kind: Kind::Boolean, ..both })
}

fn nan_to_num(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let largest = f64::from(f32::MAX);
    let (nan, above, below) =
        (args.float_or(1, "nan", 0.0)?, args.float_or(2, "posinf", largest)?, args.float_or(3, "neginf", -largest)?);
    let is_nan = graph.binary(Binary::NotEqual, &x, &x)?;
    let nan = graph.scalar(Kind::Float, nan)?;
    let mut y = graph.choose(&is_nan, &nan, &x)?;
    for (infinity, by) in [(f64::INFINITY, above), (f64::NEG_INFINITY, below)] {
        let infinite = graph.with_number(Binary::Equal, &y, infinity)?;
        let by = graph.scalar(Kind::Float, by)?;
        y = graph.choose(&infinite, &by, &y)?;
    }
    tensor(y)
}

fn choose(graph: &mut Graph, args: &Args) -> Result<Value> {
    let condition = args.tensor(0, "condition")?.clone();
    let (yes, no) = (args.get(1, "self")?.clone(), args.get(2, "other")?.clone());
    let (yes, no) = (graph.operand(&yes)?, graph.operand(&no)?);
    tensor(graph.choose(&condition, &yes, &no)?)
}

fn masked_fill(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (x, mask, value) =
        (args.tensor(0, "self")?.clone(), args.tensor(1, "mask")?.clone(), args.get(2, "value")?.clone());
    let value = graph.operand(&value)?;
    let filled = graph.choose(&mask, &value, &x)?;
    tensor(Tensor { kind: x.kind, ..filled })
}

fn lerp(graph: &mut Graph, args: &Args) -> Result<Value> {
    let (start, end, weight) =
        (args.tensor(0, "self")?.clone(), args.tensor(1, "end")?.clone(), args.get(2, "weight")?.clone());
    let weight = graph.operand(&weight)?;
    let way = graph.binary(Binary::Subtract, &end, &start)?;
    let part = graph.binary(Binary::Multiply, &way, &weight)?;
    tensor(graph.binary(Binary::Add, &start, &part)?)
}

fn added(graph: &mut Graph, args: &Args, function: Binary) -> Result<Value> {
    let (x, first, second) =
        (args.tensor(0, "self")?.clone(), args.tensor(1, "tensor1")?.clone(), args.tensor(2, "tensor2")?.clone());
    let factor = args.float_or(3, "value", 1.0)?;
    let mut both = graph.binary(function, &first, &second)?;
    if factor.to_bits() != 1f64.to_bits() {
        both = graph.with_number(Binary::Multiply, &both, factor)?;
    }
    tensor(graph.binary(Binary::Add, &x, &both)?)
}

fn softmax(graph: &mut Graph, args: &Args, log: bool) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let axis = graph.axis(&x, args.int(1, "dim")?)?;
    let node = graph.node(&x)?;
    let node = graph.builder.add(Op::Softmax { axis, log }, &[node])?;
    Ok(graph.float(node))
}

/// `to` in all of its forms: the first type among the operands counts; devices and layouts do not.
fn convert(graph: &mut Graph, args: &Args) -> Result<Value> {
    let x = args.tensor(0, "self")?.clone();
    let given = args.named.iter().filter(|(name, _)| name == "dtype").map(|(_, value)| value);
    let kind = given
        .chain(args.placed.iter().skip(1))
        .find_map(|value| match value {
            Value::Type(kind) => Some(Ok(*kind)),
            Value::Size(Size::Fixed(code)) => Some(Type::of_script(*code)),
            _ => None,
        })
        .transpose()?;
    let other = args.opt(1, "other").and_then(|other| other.tensor().ok()).map(|other| other.kind);
    match (kind, other) {
        (Some(Type::F16 | Type::Bf16), _) => {
            Err(Error::unsupported("numbers are rounded to 16 bits inside of the model; export it in float32"))
        }
        (Some(kind), _) => tensor(graph.convert(&x, kind.kind())?),
        (None, Some(kind)) => tensor(graph.convert(&x, kind)?),
        (None, None) => tensor(x),
    }
}
