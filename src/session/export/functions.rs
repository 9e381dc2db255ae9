//! Functions as operators of ONNX; those that it has not are made of others.

use super::writer::{Attribute, Graph, Name};
use crate::ir::network::{Binary, Function, Reduction};

/// A function of every element.
pub(super) fn map(graph: &mut Graph, function: Function, x: Name) -> Name {
    let float = |value: f64| Attribute::Float(value);
    match function {
        Function::Identity => graph.node("Identity", &[x], &[]),
        Function::Relu => graph.node("Relu", &[x], &[]),
        Function::BentRelu { slope, threshold: 0.0, max: f64::INFINITY } => {
            graph.node("LeakyRelu", &[x], &[("alpha", float(slope))])
        }
        Function::BentRelu { slope, threshold, max } => {
            let below = with(graph, "Sub", x, threshold);
            let below = with(graph, "Mul", below, slope);
            let bent = choose(graph, "GreaterOrEqual", x, threshold, x, below);
            let max_name = graph.scalar(max);
            choose(graph, "GreaterOrEqual", x, max, max_name, bent)
        }
        Function::Elu { alpha } => graph.node("Elu", &[x], &[("alpha", float(alpha))]),
        Function::Celu { alpha } => graph.node("Celu", &[x], &[("alpha", float(alpha))]),
        Function::Selu => graph.node("Selu", &[x], &[]),
        Function::Gelu => graph.node("Gelu", &[x], &[]),
        Function::GeluTanh => graph.node("Gelu", &[x], &[("approximate", Attribute::Text("tanh"))]),
        Function::Silu => {
            let gate = graph.node("Sigmoid", &[x], &[]);
            graph.node("Mul", &[x, gate], &[])
        }
        Function::Mish => graph.node("Mish", &[x], &[]),
        Function::Softplus => graph.node("Softplus", &[x], &[]),
        Function::Softsign => graph.node("Softsign", &[x], &[]),
        Function::Tanh => graph.node("Tanh", &[x], &[]),
        Function::Sigmoid => graph.node("Sigmoid", &[x], &[]),
        Function::LogSigmoid => {
            let negated = graph.node("Neg", &[x], &[]);
            let softplus = graph.node("Softplus", &[negated], &[]);
            graph.node("Neg", &[softplus], &[])
        }
        Function::HardSigmoid { slope, offset } => {
            graph.node("HardSigmoid", &[x], &[("alpha", float(slope)), ("beta", float(offset))])
        }
        Function::HardSwish => graph.node("HardSwish", &[x], &[]),
        Function::Clip { min, max } => {
            let (min, max) = (graph.scalar(min), graph.scalar(max));
            graph.node("Clip", &[x, min, max], &[])
        }
        Function::Threshold { threshold, value } => {
            let value = graph.scalar(value);
            choose(graph, "Greater", x, threshold, x, value)
        }
        Function::SoftShrink { lambda } => {
            graph.node("Shrink", &[x], &[("lambd", float(lambda)), ("bias", float(lambda))])
        }
        Function::HardShrink { lambda } => graph.node("Shrink", &[x], &[("lambd", float(lambda))]),
        Function::TanhShrink => {
            let tanh = graph.node("Tanh", &[x], &[]);
            graph.node("Sub", &[x, tanh], &[])
        }
        Function::Squareplus { b } => {
            let square = graph.node("Mul", &[x, x], &[]);
            let shifted = with(graph, "Add", square, b);
            let root = graph.node("Sqrt", &[shifted], &[]);
            let sum = graph.node("Add", &[x, root], &[]);
            with(graph, "Mul", sum, 0.5)
        }
        Function::Exp => graph.node("Exp", &[x], &[]),
        Function::ExpMinusOne => {
            let exp = graph.node("Exp", &[x], &[]);
            with(graph, "Sub", exp, 1.0)
        }
        Function::Log => graph.node("Log", &[x], &[]),
        Function::LogOnePlus => {
            let sum = with(graph, "Add", x, 1.0);
            graph.node("Log", &[sum], &[])
        }
        Function::Sqrt => graph.node("Sqrt", &[x], &[]),
        Function::ReciprocalSqrt => {
            let root = graph.node("Sqrt", &[x], &[]);
            graph.node("Reciprocal", &[root], &[])
        }
        Function::Reciprocal => graph.node("Reciprocal", &[x], &[]),
        Function::Square => graph.node("Mul", &[x, x], &[]),
        Function::Abs => graph.node("Abs", &[x], &[]),
        Function::Negate => graph.node("Neg", &[x], &[]),
        Function::Sign => graph.node("Sign", &[x], &[]),
        Function::Sin => graph.node("Sin", &[x], &[]),
        Function::Cos => graph.node("Cos", &[x], &[]),
        Function::Erf => graph.node("Erf", &[x], &[]),
        Function::Floor => graph.node("Floor", &[x], &[]),
        Function::Ceil => graph.node("Ceil", &[x], &[]),
        Function::Round => graph.node("Round", &[x], &[]),
        Function::Truncate => {
            let (size, sign) = (graph.node("Abs", &[x], &[]), graph.node("Sign", &[x], &[]));
            let whole = graph.node("Floor", &[size], &[]);
            graph.node("Mul", &[whole, sign], &[])
        }
        Function::Not => {
            let zero = graph.scalar(0.0);
            let equal = graph.node("Equal", &[x, zero], &[]);
            graph.as_float(equal)
        }
    }
}

/// An operator of a tensor and a number.
fn with(graph: &mut Graph, op: &str, x: Name, number: f64) -> Name {
    let number = graph.scalar(number);
    graph.node(op, &[x, number], &[])
}

/// `yes` where a comparison of `x` with a number holds, else `no`.
fn choose(graph: &mut Graph, comparison: &str, x: Name, number: f64, yes: Name, no: Name) -> Name {
    let condition = with(graph, comparison, x, number);
    graph.node("Where", &[condition, yes, no], &[])
}

/// A function of two tensors.
pub(super) fn binary(graph: &mut Graph, function: Binary, operands: &[Name]) -> Name {
    let (op, comparison) = match function {
        Binary::Add => ("Add", false),
        Binary::Subtract => ("Sub", false),
        Binary::Multiply => ("Mul", false),
        Binary::Divide => ("Div", false),
        Binary::Maximum => ("Max", false),
        Binary::Minimum => ("Min", false),
        Binary::Power => ("Pow", false),
        Binary::Greater => ("Greater", true),
        Binary::GreaterOrEqual => ("GreaterOrEqual", true),
        Binary::Less => ("Less", true),
        Binary::LessOrEqual => ("LessOrEqual", true),
        Binary::Equal | Binary::NotEqual => ("Equal", true),
    };
    let result = graph.node(op, operands, &[]);
    let result = if function == Binary::NotEqual { graph.node("Not", &[result], &[]) } else { result };
    if comparison { graph.as_float(result) } else { result }
}

/// A reduction over axes.
pub(super) fn reduce(graph: &mut Graph, how: Reduction, x: Name, axes: &[i64], keep: bool) -> Name {
    let op = match how {
        Reduction::Sum => "ReduceSum",
        Reduction::Mean => "ReduceMean",
        Reduction::Max => "ReduceMax",
        Reduction::Min => "ReduceMin",
        Reduction::Product => "ReduceProd",
    };
    let axes = graph.ints(axes);
    let (keep, nothing) = (Attribute::Int(keep.into()), Attribute::Int(1));
    graph.node(op, &[x, axes], &[("keepdims", keep), ("noop_with_empty_axes", nothing)])
}
