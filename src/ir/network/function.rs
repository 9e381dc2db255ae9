//! Functions of one number, of two, and of many.

/// A function applied to every element. Formulas are those of the libraries; `x` is the element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `x`.
    Identity,
    /// `max(x, 0)`; a NaN stays one.
    Relu,
    /// `max` when `x >= max`, `x` when `x >= threshold`, else `slope * (x - threshold)`: Keras' `relu` with all of its arguments.
    BentRelu {
        /// Slope below the threshold.
        slope: f64,
        /// Where the bend is.
        threshold: f64,
        /// The largest value; `f64::INFINITY` when there is none.
        max: f64,
    },
    /// `x` when `x > 0`, else `alpha * (exp(x) - 1)`.
    Elu {
        /// What the values for negative numbers tend to, negated.
        alpha: f64,
    },
    /// `x` when `x > 0`, else `alpha * (exp(x / alpha) - 1)`.
    Celu {
        /// As for [`Function::Elu`].
        alpha: f64,
    },
    /// `scale * elu(x)` with the constants of Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    Selu,
    /// `x * (1 + erf(x / sqrt(2))) / 2`.
    Gelu,
    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`.
    GeluTanh,
    /// `x * sigmoid(x)`; also called swish.
    Silu,
    /// `x * tanh(log(1 + exp(x)))`.
    Mish,
    /// `log(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `tanh(x)`.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `-log(1 + exp(-x))`.
    LogSigmoid,
    /// `slope * x + offset`, cut to 0 and 1: slope 1/6 and offset 1/2 in Keras 3 and PyTorch, 1/5 and 1/2 in Keras 2.
    HardSigmoid {
        /// The slope between the cuts.
        slope: f64,
        /// The value at 0.
        offset: f64,
    },
    /// `x * hard_sigmoid(x)` with slope 1/6 and offset 1/2.
    HardSwish,
    /// `x` cut to a range.
    Clip {
        /// The smallest value.
        min: f64,
        /// The largest value.
        max: f64,
    },
    /// `x` when `x > threshold`, else `value`.
    Threshold {
        /// Above it, numbers stay.
        threshold: f64,
        /// What the others become.
        value: f64,
    },
    /// `x - lambda` above `lambda`, `x + lambda` below `-lambda`, 0 between.
    SoftShrink {
        /// Half the width of the gap.
        lambda: f64,
    },
    /// `x` when `|x| > lambda`, else 0.
    HardShrink {
        /// Half the width of the gap.
        lambda: f64,
    },
    /// `x - tanh(x)`.
    TanhShrink,
    /// `(x + sqrt(x^2 + b)) / 2`.
    Squareplus {
        /// How round the bend is.
        b: f64,
    },
    /// `exp(x)`.
    Exp,
    /// `exp(x) - 1`.
    ExpMinusOne,
    /// `log(x)`.
    Log,
    /// `log(1 + x)`.
    LogOnePlus,
    /// `sqrt(x)`.
    Sqrt,
    /// `1 / sqrt(x)`.
    ReciprocalSqrt,
    /// `1 / x`.
    Reciprocal,
    /// `x * x`.
    Square,
    /// `|x|`.
    Abs,
    /// `-x`.
    Negate,
    /// -1, 0 or 1.
    Sign,
    /// `sin(x)`.
    Sin,
    /// `cos(x)`.
    Cos,
    /// The error function.
    Erf,
    /// The largest integer that is not above `x`.
    Floor,
    /// The smallest integer that is not below `x`.
    Ceil,
    /// The nearest integer, the even one of two.
    Round,
    /// `x` without its fraction, as a conversion to an integer leaves it.
    Truncate,
    /// 1 when `x` is 0, else 0.
    Not,
}

/// A function of two elements, of two tensors that are broadcast to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// `a / b`.
    Divide,
    /// The larger one; NaN when one of them is.
    Maximum,
    /// The smaller one; NaN when one of them is.
    Minimum,
    /// `a` to the power of `b`.
    Power,
    /// 1 when `a > b`, else 0; this and the others below serve masks.
    Greater,
    /// 1 when `a >= b`, else 0.
    GreaterOrEqual,
    /// 1 when `a < b`, else 0.
    Less,
    /// 1 when `a <= b`, else 0.
    LessOrEqual,
    /// 1 when `a == b`, else 0.
    Equal,
    /// 1 when `a != b`, else 0.
    NotEqual,
}

/// What becomes of many elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The largest one.
    Max,
    /// The smallest one.
    Min,
    /// Their product.
    Product,
}
