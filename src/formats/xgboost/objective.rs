//! Objectives: what was learnt, how a margin becomes a value, and how the base score in the file becomes a margin.
//!
//! Sources: `XGBoost` `src/objective` of the versions named below (`PredTransform`, `ProbToMargin`), `src/common/math.h`.

use super::learner::Release;
use crate::error::{Error, Result};
use crate::ir::{Link, Task};

/// The smallest distance that the library keeps from 0 and 1.
const EPSILON: f32 = 1e-6;

/// What an objective means for prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Objective {
    /// From margins to values.
    pub link: Link,
    /// What was learnt.
    pub task: Task,
    inverse: Inverse,
}

/// From the base score in the file to margins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Inverse {
    Identity,
    Logit {
        clipped: bool,
    },
    Log,
    /// Distances between neighbours, through the inverse of softplus.
    Gaps,
}

impl Objective {
    /// The objective of this name, as the release that wrote the file has it, for so many margins.
    ///
    /// # Errors
    /// `MI_UNSUPPORTED` for a name that no release knows.
    pub fn named(name: &str, release: Release, outputs: usize) -> Result<Self> {
        let is = |link, inverse, task| Ok(Self { link, task, inverse });
        let sigmoid = Link::Sigmoid { scale: 1.0 };
        // Releases before 3.2 refuse a base score outside of (0, 1); later ones move it inside.
        let logit = Inverse::Logit { clipped: release >= Release(3, 2) };
        // `gpu:` objectives existed until 0.90.
        match name.strip_prefix("gpu:").unwrap_or(name) {
            // Since 3.4 the quantiles of a row are sorted, so that they never cross.
            "reg:quantileerror" if release >= Release(3, 4) => {
                is(Link::Ascending, Inverse::Identity, Task::Distribution)
            }
            "reg:quantileerror" => is(Link::Identity, Inverse::Identity, Task::Distribution),
            "reg:squarederror"
            | "reg:linear"
            | "reg:squaredlogerror"
            | "reg:pseudohubererror"
            | "reg:absoluteerror" => is(Link::Identity, Inverse::Identity, Task::Regression),
            "reg:expectileerror" => is(Link::CumulativeSoftplus, Inverse::Gaps, Task::Regression),
            "reg:logistic" => is(sigmoid, logit, Task::Regression),
            "binary:logistic" if outputs > 1 => is(sigmoid, logit, Task::Multilabel),
            "binary:logistic" => is(sigmoid, logit, Task::Binary),
            // The base score of raw logits was a probability until 1.3.0; since 1.3.1 it is a logit. The binary format tells no
            // patch level: all of 1.3 is taken as the releases that replaced 1.3.0.
            "binary:logitraw" => {
                let inverse = if release < Release(1, 3) { logit } else { Inverse::Identity };
                is(Link::Identity, inverse, score(outputs))
            }
            "binary:hinge" => is(Link::Step, Inverse::Identity, score(outputs)),
            "multi:softprob" | "multi:softmax" => is(Link::Softmax, Inverse::Identity, Task::Multiclass(outputs)),
            "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => {
                is(Link::Exp, Inverse::Log, Task::Regression)
            }
            "rank:pairwise" | "rank:ndcg" | "rank:map" => is(Link::Identity, Inverse::Identity, Task::Ranking),
            _ => Err(Error::unsupported(format!(
                "the objective is '{name}', which XGBoost itself does not know; train with a custom objective through the \
                 'obj' argument, so that the file names a built-in one"
            ))),
        }
    }

    /// Margins of the base scores of a file that holds them as values.
    ///
    /// # Errors
    /// `MI_MALFORMED` for a base score that the objective cannot have.
    pub fn margins(&self, base: &[f32]) -> Result<Vec<f32>> {
        let inside = |fits: fn(f32) -> bool, range: &str| match base.iter().find(|&&value| !fits(value)) {
            Some(value) => Err(Error::malformed(format!("base_score is {value}, this objective needs {range}"))),
            None => Ok(()),
        };
        match self.inverse {
            Inverse::Identity => {
                inside(f32::is_finite, "a finite number")?;
                Ok(base.to_vec())
            }
            Inverse::Logit { clipped: true } => {
                inside(|value| (0.0..=1.0).contains(&value), "a number from 0 to 1")?;
                Ok(base.iter().map(|value| logit(value.clamp(EPSILON, 1.0 - EPSILON))).collect())
            }
            Inverse::Logit { clipped: false } => {
                inside(|value| value > 0.0 && value < 1.0, "a number between 0 and 1")?;
                Ok(base.iter().map(|&value| logit(value)).collect())
            }
            Inverse::Log => {
                inside(|value| value >= 0.0 && value.is_finite(), "a number that is not negative")?;
                Ok(base.iter().map(|value| value.ln()).collect())
            }
            Inverse::Gaps => {
                inside(f32::is_finite, "finite numbers")?;
                let gaps = base.windows(2).map(|pair| softplus_inverse(pair[1] - pair[0] - EPSILON));
                Ok(base.first().copied().into_iter().chain(gaps).collect())
            }
        }
    }
}

/// Two classes by the sign of one score; several scores at once have no labels.
fn score(outputs: usize) -> Task {
    if outputs > 1 { Task::Regression } else { Task::BinaryScore }
}

fn logit(value: f32) -> f32 {
    -(1.0 / value - 1.0).ln()
}

fn softplus_inverse(value: f32) -> f32 {
    let value = if value < EPSILON { EPSILON } else { value };
    value + (-(-value).exp_m1()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, release: Release) -> Objective {
        Objective::named(name, release, 1).unwrap()
    }

    #[test]
    fn releases_differ() {
        let quantile = |release| named("reg:quantileerror", release).link;
        assert_eq!((quantile(Release(3, 3)), quantile(Release(3, 4))), (Link::Identity, Link::Ascending));
        let raw = |release| named("binary:logitraw", release).margins(&[0.5]).unwrap()[0];
        assert_eq!((raw(Release(1, 2)), raw(Release(1, 3))), (0.0, 0.5));
        assert!(named("binary:logistic", Release(3, 1)).margins(&[0.0]).is_err());
        assert!(named("binary:logistic", Release(3, 2)).margins(&[0.0]).unwrap()[0] < -13.0);
    }

    #[test]
    fn impossible_base_scores_are_refused() {
        for (name, value) in [
            ("reg:squarederror", f32::NAN),
            ("binary:logistic", 1.5),
            ("count:poisson", -1.0),
            ("reg:gamma", f32::INFINITY),
            ("reg:expectileerror", f32::NAN),
        ] {
            let error = named(name, Release::NEWEST).margins(&[value]).unwrap_err();
            assert!(error.message().contains("base_score"), "{error}");
        }
    }

    #[test]
    fn unknown_names_are_told() {
        let error = Objective::named("my:loss", Release::NEWEST, 1).unwrap_err();
        assert_eq!(error.status(), crate::Status::Unsupported);
        assert!(error.message().contains("my:loss"));
    }
}
