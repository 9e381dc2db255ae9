//! What an objective means: from margins to values, and what was learnt.
//!
//! Sources: `LightGBM` `src/objective/*.hpp` (`ConvertOutput`, `ToString`), `config.h` (aliases of names).

use super::text::{rough_float, shorten};
use crate::error::{Error, Result};
use crate::ir::{Link, Task};

/// When a file was written, as far as a prediction depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Era {
    /// Up to 2.0.6 `poisson` gave its margins as they were.
    pub(super) before_exp: bool,
    /// Before 3.3 `cross_entropy_lambda` was `ln(1 + exp(x))` with the sum rounded before the logarithm.
    pub(super) before_log1p: bool,
    /// 2.0.0 kept the sigmoid outside of the objective: greater than 0 turns every margin into a probability.
    pub(super) header_sigmoid: Option<f64>,
}

/// The link and the task of an objective line such as `binary sigmoid:1`; none is the identity.
///
/// # Errors
/// `MI_UNSUPPORTED` for an objective that is not known, `MI_MALFORMED` for parameters that do not fit.
pub(super) fn objective(line: &str, outputs: usize, era: Era) -> Result<(Link, Task)> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next().unwrap_or("custom");
    let parameters = Parameters { line, outputs };
    if let Some(scale) = era.header_sigmoid {
        return Ok((first_links(scale, outputs), task(name, outputs)));
    }
    let identity_or_square = if words.clone().any(|word| word == "sqrt") { Link::SignedSquare } else { Link::Identity };
    let link = match name {
        "regression"
        | "regression_l2"
        | "mean_squared_error"
        | "mse"
        | "l2"
        | "l2_root"
        | "root_mean_squared_error"
        | "rmse"
        | "regression_l1"
        | "mean_absolute_error"
        | "l1"
        | "mae"
        | "huber"
        | "fair"
        | "quantile"
        | "quantile_l2"
        | "mape"
        | "mean_absolute_percentage_error" => identity_or_square,
        "poisson" if era.before_exp => Link::Identity,
        "poisson" | "gamma" | "tweedie" if identity_or_square == Link::Identity => Link::Exp,
        "binary" => Link::Sigmoid { scale: parameters.sigmoid()? },
        "multiclass" | "softmax" => {
            parameters.check_classes()?;
            Link::Softmax
        }
        "multiclassova" | "multiclass_ova" | "ova" | "ovr" => {
            parameters.check_classes()?;
            Link::Sigmoid { scale: parameters.sigmoid()? }
        }
        "cross_entropy" | "xentropy" => Link::Sigmoid { scale: 1.0 },
        "xentlambda" => Link::RoundedLogOnePlusExp,
        "cross_entropy_lambda" if era.before_log1p => Link::RoundedLogOnePlusExp,
        "cross_entropy_lambda" => Link::LogOnePlusExp,
        "lambdarank" | "rank_xendcg" | "xendcg" | "xe_ndcg" | "xe_ndcg_mart" | "xendcg_mart" | "custom" | "none"
        | "null" | "na" => Link::Identity,
        _ => {
            return Err(Error::unsupported(format!(
                "the objective '{}' is not known, so its values cannot be told from its margins; remove the objective line \
                 to read the margins",
                shorten(line)
            )));
        }
    };
    // One margin per row has one link; the library would leave the other margins as they are.
    if outputs > 1 && link != Link::Identity && !is_multiclass(name) {
        return Err(Error::unsupported(format!(
            "the objective '{}' is for one tree per iteration, there are {outputs}",
            shorten(line)
        )));
    }
    Ok((link, task(name, outputs)))
}

/// The links of 2.0.0, which knew the sigmoid and otherwise the number of classes.
fn first_links(scale: f64, outputs: usize) -> Link {
    if scale > 0.0 {
        Link::Sigmoid { scale }
    } else if outputs > 1 {
        Link::Softmax
    } else {
        Link::Identity
    }
}

fn is_multiclass(name: &str) -> bool {
    matches!(name, "multiclass" | "softmax" | "multiclassova" | "multiclass_ova" | "ova" | "ovr")
}

fn task(name: &str, outputs: usize) -> Task {
    match name {
        // A cross entropy gives the probability of the second class as well; a classifier trained with it has two columns.
        "binary" | "cross_entropy" | "xentropy" if outputs == 1 => Task::Binary,
        "lambdarank" | "rank_xendcg" | "xendcg" | "xe_ndcg" | "xe_ndcg_mart" | "xendcg_mart" => Task::Ranking,
        _ if is_multiclass(name) => Task::Multiclass(outputs),
        "quantile" => Task::Distribution,
        _ => Task::Regression,
    }
}

/// The `key:value` words of an objective line.
struct Parameters<'a> {
    line: &'a str,
    outputs: usize,
}

impl Parameters<'_> {
    fn get(&self, key: &str) -> Result<&str> {
        self.line
            .split_ascii_whitespace()
            .skip(1)
            .find_map(|word| word.strip_prefix(key)?.strip_prefix(':'))
            .ok_or_else(|| Error::malformed(format!("the objective '{}' has no {key}", shorten(self.line))))
    }

    fn sigmoid(&self) -> Result<f64> {
        let text = self.get("sigmoid")?;
        match rough_float(text) {
            Some(scale) if scale > 0.0 => Ok(scale),
            _ => Err(Error::malformed(format!("sigmoid:{} is not a number greater than 0", shorten(text)))),
        }
    }

    fn check_classes(&self) -> Result<()> {
        let text = self.get("num_class")?;
        if text.parse() == Ok(self.outputs) {
            return Ok(());
        }
        let found = shorten(text);
        Err(Error::malformed(format!(
            "num_class:{found} of the objective, there are {} trees per iteration",
            self.outputs
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(line: &str, outputs: usize) -> Result<Link> {
        objective(line, outputs, Era::default()).map(|(link, _)| link)
    }

    #[test]
    fn objectives_have_links() {
        for (line, outputs, expected) in [
            ("", 1, Link::Identity),
            ("", 3, Link::Identity),
            ("regression", 1, Link::Identity),
            ("regression sqrt", 1, Link::SignedSquare),
            ("quantile", 1, Link::Identity),
            ("tweedie tweedie_variance_power:1.5", 1, Link::Exp),
            ("binary sigmoid:0.7", 1, Link::Sigmoid { scale: 0.7 }),
            ("multiclass num_class:3", 3, Link::Softmax),
            ("multiclassova num_class:3 sigmoid:2", 3, Link::Sigmoid { scale: 2.0 }),
            ("cross_entropy", 1, Link::Sigmoid { scale: 1.0 }),
            ("xentlambda", 1, Link::RoundedLogOnePlusExp),
            ("cross_entropy_lambda", 1, Link::LogOnePlusExp),
            ("lambdarank", 1, Link::Identity),
        ] {
            assert_eq!(link(line, outputs).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn tasks_follow_the_objective() {
        let task = |line, outputs| objective(line, outputs, Era::default()).unwrap().1;
        assert_eq!(task("binary sigmoid:1", 1), Task::Binary);
        assert_eq!(task("multiclass num_class:4", 4), Task::Multiclass(4));
        assert_eq!(task("rank_xendcg", 1), Task::Ranking);
        assert_eq!(task("cross_entropy", 1), Task::Binary);
        assert_eq!(task("cross_entropy_lambda", 1), Task::Regression);
        assert_eq!(task("custom", 3), Task::Regression);
        assert_eq!(task("quantile", 1), Task::Distribution);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (line, outputs, words) in [
            ("hinge", 1, "'hinge'"),
            ("binary", 1, "sigmoid"),
            ("binary sigmoid:-1", 1, "greater than 0"),
            ("multiclass num_class:3", 2, "2 trees"),
            ("poisson sqrt", 1, "poisson sqrt"),
            ("poisson", 2, "one tree"),
        ] {
            let message = link(line, outputs).unwrap_err().message().to_owned();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn the_first_version_kept_its_sigmoid_in_the_header() {
        let era = |scale| Era { header_sigmoid: Some(scale), ..Era::default() };
        assert_eq!(objective("binary", 1, era(1.0)).unwrap(), (Link::Sigmoid { scale: 1.0 }, Task::Binary));
        assert_eq!(objective("multiclass", 3, era(-1.0)).unwrap(), (Link::Softmax, Task::Multiclass(3)));
        assert_eq!(objective("poisson", 1, era(-1.0)).unwrap(), (Link::Identity, Task::Regression));
    }
}
