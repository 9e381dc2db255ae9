//! From margins to values.

/// The function between the margin of a model and the value its library returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link {
    /// The margin itself.
    Identity,
    /// `1 / (1 + exp(-scale * x))` for each margin. In float32 `XGBoost`'s form: `1 / (exp(min(-x, 88.7)) + 1 + 1e-16)`.
    Sigmoid {
        /// Factor of the margin (`sigmoid` of `LightGBM`), 1 elsewhere.
        scale: f64,
    },
    /// `exp(x - max) / sum`, over the margins of a row.
    Softmax,
    /// `exp(x)` for each margin.
    Exp,
    /// `ln(1 + exp(x))` for each margin (`LightGBM` `cross_entropy_lambda`).
    LogOnePlusExp,
    /// The same with the sum rounded before the logarithm (`LightGBM` before 3.3).
    RoundedLogOnePlusExp,
    /// `sign(x) * x^2` for each margin (`LightGBM` `reg_sqrt`).
    SignedSquare,
    /// `exp(x)` for each margin, by a table of 2048 powers of two (`CatBoost`).
    TableExp,
    /// `exp(x - max) / sum` by the same table (`CatBoost`).
    TableSoftmax,
    /// Two margins, a mean and the logarithm of a deviation, become the mean and the variance (`CatBoost` `RMSEWithUncertainty`).
    MeanVariance,
    /// `x / sum`, over the margins of a row, the sum being numpy's; a sum of 0 leaves them as they are (scikit-learn's trees before
    /// 1.4, whose margins are weights of classes).
    Shares,
    /// 1 for a positive margin, else 0 (`XGBoost` `binary:hinge`).
    Step,
    /// The margins of a row in ascending order (`XGBoost` `reg:quantileerror` since 3.4: quantiles that never cross).
    Ascending,
    /// The first margin, then each `previous + 1e-6 + ln(1 + exp(x))` (`XGBoost` `reg:expectileerror`).
    CumulativeSoftplus,
}

impl Link {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Link::Identity => "identity",
            Link::Sigmoid { .. } => "sigmoid",
            Link::Softmax | Link::TableSoftmax => "softmax",
            Link::Exp | Link::TableExp => "exp",
            Link::MeanVariance => "mean_variance",
            Link::LogOnePlusExp | Link::RoundedLogOnePlusExp => "log1p_exp",
            Link::SignedSquare => "signed_square",
            Link::Shares => "shares",
            Link::Step => "step",
            Link::Ascending => "ascending",
            Link::CumulativeSoftplus => "cumulative_softplus",
        }
    }
}
