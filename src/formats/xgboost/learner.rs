//! A learner: what every format of the library says about a model, and the model that it means.
//!
//! Sources: `XGBoost` `src/learner.cc`, `src/gbm/gbtree.cc`, `src/gbm/gblinear.cc`, `src/predictor/cpu_predictor.cc` of the releases
//! that are named below.

use super::ReadOptions;
use super::categories;
use super::document::CategoryColumn;
use super::facts;
use super::objective::Objective;
use super::sapling::Sapling;
use crate::error::{Error, Result, Within};
use crate::ir::forest::{CategoryRule, Compare, Finish, Layout, Tree, rounds};
use crate::ir::linear::LinearOrder;
use crate::ir::{Body, Decision, Forest, Importance, Linear, Model, Precision, Source};
use crate::limits;
use std::ops::Range;
use std::sync::Arc;

/// A release of the library, major and minor; the binary format does not tell releases before 1.0 apart, they are 0.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release(pub u32, pub u32);

impl Release {
    /// For a document that does not say who wrote it.
    pub const NEWEST: Release = Release(u32::MAX, 0);
}

/// The base score as the file holds it.
#[derive(Debug)]
pub(super) enum Base {
    /// In the space of the answers, one or one per margin: it goes through the objective's inverse link.
    Value(Vec<f32>),
    /// A margin already (before 1.0).
    Margin(f32),
}

/// The booster inside.
pub(super) enum Booster {
    /// Trees, with or without weights.
    Trees(TreeBooster),
    /// A weight per column and margin, margins next to each other, then the biases.
    Linear(Vec<f32>),
}

/// A tree booster.
#[derive(Default)]
pub(super) struct TreeBooster {
    /// The trees, in the order of the sum.
    pub trees: Vec<Sapling>,
    /// The margin that each tree adds to.
    pub groups: Vec<i32>,
    /// Weights of the first trees (dart); the others count fully.
    pub weights: Vec<f32>,
    /// Trees of a round and margin, when the file says so.
    pub parallel: Option<usize>,
    /// Where each round begins, and the end of the last, when the file says so.
    pub boundaries: Option<Vec<i32>>,
    /// Categories that the codes of the columns stand for.
    pub categories: Vec<CategoryColumn>,
}

/// What a file says.
pub(super) struct Learner {
    /// How the file is written.
    pub format: &'static str,
    /// Bytes of the file; they bound what the model may take.
    pub bytes: usize,
    /// The version that wrote it, as text.
    pub version: Option<String>,
    /// The same, to compare.
    pub release: Release,
    /// Name of the objective.
    pub objective: String,
    /// Name of the booster.
    pub booster_name: String,
    /// Columns of a row; 0 when the file does not know.
    pub features: usize,
    /// Margins per row.
    pub outputs: usize,
    /// The base score.
    pub base: Base,
    /// Attributes that the user or a wrapper set.
    pub attributes: Vec<(String, String)>,
    /// Names of the columns, or nothing.
    pub feature_names: Vec<String>,
    /// Types of the columns, or nothing.
    pub feature_types: Vec<String>,
    /// Quantiles or expectiles that the margins are for, as the file spells them.
    pub alpha: Option<String>,
    /// The booster.
    pub booster: Booster,
    /// What a careful reader should know.
    pub warnings: Vec<String>,
}

/// The rounds that are used, why, and of how many.
pub(super) struct Used {
    pub rounds: Range<usize>,
    pub rule: &'static str,
    pub available: usize,
}

impl Learner {
    /// The model that the file means, for the rounds that the caller or the file asks for.
    ///
    /// # Errors
    /// `MI_UNSUPPORTED` for an unknown objective, `MI_MALFORMED` naming what disagrees, `MI_LIMIT_EXCEEDED` past the caps,
    /// `MI_INVALID_ARGUMENT` for rounds that do not exist.
    pub fn model(mut self, options: &ReadOptions) -> Result<Model> {
        limits::check("features", self.features, limits::FEATURES)?;
        limits::check("outputs", self.outputs, limits::OUTPUTS)?;
        let objective = Objective::named(&self.objective, self.release, self.outputs)?;
        let base = self.margins(objective)?;
        let estimator = facts::Estimator::of(&self.attributes, &mut self.warnings);
        let mut details = facts::details(&self, &base);
        let mut texts = None;
        let (body, importance) = match std::mem::replace(&mut self.booster, Booster::Linear(Vec::new())) {
            Booster::Trees(mut booster) => {
                details.extend(categories::details(
                    &booster.categories,
                    &self.feature_names,
                    self.release,
                    &mut self.warnings,
                ));
                let lists = std::mem::take(&mut booster.categories);
                let (forest, importance, used) = self.forest(booster, base, &estimator, options)?;
                texts = categories::texts(&lists, forest.features(), self.release).within(|| "cats")?;
                details.insert("iterations".to_owned(), facts::iterations(&used));
                (Body::Forest(forest), importance)
            }
            Booster::Linear(weights) => {
                if options.iteration_begin != 0 {
                    return Err(Error::invalid(
                        "a linear booster has no iterations to begin at; leave iteration_begin 0",
                    ));
                }
                let linear = self.linear(&weights, &base)?;
                let importance = linear.importance();
                (Body::Linear(linear), importance)
            }
        };
        let classes = estimator.classes(objective.task, &mut self.warnings);
        let model = Model {
            body,
            average: None,
            link: objective.link,
            precision: Precision::F32,
            task: objective.task,
            classes,
            decision: Decision::default(),
            feature_names: (!self.feature_names.is_empty()).then_some(self.feature_names),
            texts: texts.map(Arc::new),
            importance,
            source: Source {
                library: "xgboost",
                version: self.version,
                format: self.format,
                objective: Some(self.objective),
                warnings: self.warnings,
                details,
            },
        };
        model.validated()
    }

    /// One base margin per margin.
    fn margins(&self, objective: Objective) -> Result<Vec<f32>> {
        let mut base = match &self.base {
            // The inverse link runs over all of them together: it may look at neighbours.
            Base::Value(values) if values.len() == 1 && self.outputs > 1 => {
                objective.margins(&vec![values[0]; self.outputs])?
            }
            Base::Value(values) => objective.margins(values)?,
            Base::Margin(margin) => vec![*margin],
        };
        if base.len() == 1 {
            base.resize(self.outputs, base[0]);
        }
        if base.len() != self.outputs {
            return Err(Error::malformed(format!(
                "base_score has {} numbers for {} margins",
                base.len(),
                self.outputs
            )));
        }
        if matches!(self.booster, Booster::Linear(_)) {
            // The linear booster adds the first of them to every margin.
            if let Some(&first) = base.first() {
                base.fill(first);
            }
        }
        Ok(base)
    }

    fn forest(
        &mut self,
        booster: TreeBooster,
        base: Vec<f32>,
        estimator: &facts::Estimator,
        options: &ReadOptions,
    ) -> Result<(Forest, Importance, Used)> {
        if self.features == 0 {
            self.features = booster.trees.iter().map(Sapling::features).max().unwrap_or(0);
            self.features = self.features.max(self.feature_names.len());
            limits::check("features", self.features, limits::FEATURES)?;
            self.warnings.push(format!(
                "num_feature is 0 in the file; the trees look at the first {} columns, so the rows must have exactly these",
                self.features
            ));
        }
        let importance = self.importance(&booster.trees)?;
        booster.check(self.outputs)?;
        let boundaries = booster.boundaries(estimator)?;
        let used = used(&boundaries, estimator, options)?;
        let (first, last) = (boundaries[used.rounds.start], boundaries[used.rounds.end]);
        let trees_per_round = per_round(&boundaries[used.rounds.start..=used.rounds.end]);
        let trees = self.trees(booster, first..last)?;

        // Sums begin at the base score since 1.3, dart's since 1.4; before, it was added to the finished sum.
        let base_first = if self.booster_name == "dart" { Release(1, 4) } else { Release(1, 3) };
        let base: Vec<f64> = base.into_iter().map(f64::from).collect();
        let (base, finish) =
            if self.release < base_first { (vec![0.0; base.len()], Finish::Base(base)) } else { (base, Finish::Sum) };
        let layout = Layout {
            features: self.features,
            input: Precision::F32,
            snap_zero: false,
            compare: Compare::Less,
            // Releases before and after 1.6 send categories that a split does not know left.
            category: if (Release(1, 6)..Release(1, 7)).contains(&self.release) {
                CategoryRule::NonNegativeOrMissing
            } else {
                CategoryRule::NonNegative
            },
            accepts_nan: true,
            sum: Precision::F32,
            base,
            finish,
            trees_per_round,
        };
        Ok((Forest::new(layout, trees)?, importance, used))
    }

    /// The trees of this range, each with its margin and its weight.
    fn trees(&self, booster: TreeBooster, range: Range<usize>) -> Result<Vec<Tree>> {
        // Category sets are bits up to the largest category: 64 MiB and four times the file are more than any real model takes.
        let mut words = (64 << 20) / 4 + self.bytes;
        let mut trees = limits::vec("trees", range.len())?;
        let weighted = !booster.weights.is_empty();
        for (index, sapling) in booster.trees.into_iter().enumerate().take(range.end).skip(range.start) {
            let group = u32::try_from(booster.groups[index]).unwrap_or(0);
            if sapling.width != 0 && sapling.width != self.outputs {
                return Err(Error::malformed(format!(
                    "tree {index}: size_leaf_vector is {} for {} margins",
                    sapling.width, self.outputs
                )));
            }
            let weight = weighted.then(|| booster.weights.get(index).copied().unwrap_or(1.0));
            trees.push(sapling.transplant(group, weight, &mut words).within(|| format!("tree {index}"))?);
        }
        Ok(trees)
    }

    /// Splits and total gain of each column over all trees of the file, summed in float32 as the library does.
    fn importance(&self, trees: &[Sapling]) -> Result<Importance> {
        let mut splits = limits::vec("splits", self.features)?;
        splits.resize(self.features, 0.0);
        let mut gains = limits::vec("gains", self.features)?;
        gains.resize(self.features, 0.0_f32);
        for tree in trees {
            tree.count(&mut splits, &mut gains);
        }
        let gain = trees.iter().all(Sapling::has_gains).then(|| gains.into_iter().map(f64::from).collect());
        Ok(Importance { split: Some(splits), gain, coefficient: None })
    }

    fn linear(&self, weights: &[f32], base: &[f32]) -> Result<Linear> {
        let (features, outputs) = (self.features, self.outputs);
        let expected = features.checked_add(1).and_then(|rows| rows.checked_mul(outputs));
        if expected != Some(weights.len()) {
            return Err(Error::malformed(format!(
                "weights has {} numbers; {features} features and a bias for {outputs} margins were expected",
                weights.len()
            )));
        }
        let mut coefficients = limits::vec("coefficients", features * outputs)?;
        for output in 0..outputs {
            coefficients.extend((0..features).map(|feature| f64::from(weights[feature * outputs + output])));
        }
        let biases = &weights[features * outputs..];
        let intercept = biases.iter().zip(base).map(|(bias, base)| f64::from(bias + base)).collect();
        Linear::new(features, coefficients, intercept, Precision::F32, LinearOrder::InterceptFirst, true)
    }
}

impl TreeBooster {
    /// Every tree adds to a margin that exists.
    fn check(&self, outputs: usize) -> Result<()> {
        let count = self.trees.len();
        if self.groups.len() != count {
            return Err(Error::malformed(format!("tree_info has {} entries for {count} trees", self.groups.len())));
        }
        if self.weights.len() > count {
            return Err(Error::malformed(format!("weight_drop has {} entries for {count} trees", self.weights.len())));
        }
        let exists = |group: i32| usize::try_from(group).is_ok_and(|group| group < outputs);
        match self.groups.iter().position(|&group| !exists(group)) {
            Some(tree) => Err(Error::malformed(format!(
                "tree_info of tree {tree} is {}, there are {outputs} margins",
                self.groups[tree]
            ))),
            None => Ok(()),
        }
    }

    /// The first tree of every round, and the number of trees.
    fn boundaries(&self, estimator: &facts::Estimator) -> Result<Vec<usize>> {
        let count = self.trees.len();
        if let Some(boundaries) = &self.boundaries {
            let rising = boundaries.windows(2).all(|pair| pair[0] <= pair[1]);
            let boundaries: Vec<usize> = boundaries.iter().filter_map(|&tree| usize::try_from(tree).ok()).collect();
            if !rising || boundaries.first() != Some(&0) || boundaries.last() != Some(&count) {
                return Err(Error::malformed(format!(
                    "iteration_indptr does not rise from 0 to {count}, the number of trees"
                )));
            }
            return Ok(boundaries);
        }
        // Files before 2.0 do not say where rounds begin, those before 1.5 not even how many trees run in parallel.
        let groups = self.groups.iter().max().map_or(0, |&group| i64::from(group) + 1);
        let groups = usize::try_from(groups).unwrap_or(0).max(1);
        let parallel = self.parallel.or(estimator.parallel_trees).unwrap_or(1).max(1);
        Ok(match groups.checked_mul(parallel) {
            Some(trees) if count.is_multiple_of(trees) => (0..=count).step_by(trees).collect(),
            // Trained on with another number of parallel trees: where rounds begin is lost.
            _ => vec![0, count],
        })
    }
}

/// The rounds that a caller asked for, else those of the estimator that wrote the file, else all.
fn used(boundaries: &[usize], estimator: &facts::Estimator, options: &ReadOptions) -> Result<Used> {
    let available = boundaries.len() - 1;
    let (begin, end) = (options.iteration_begin, options.iteration_end);
    let (rule, own) = match estimator.rounds {
        Some(rounds) if rounds <= available => ("best_iteration of the estimator", rounds),
        _ => ("all", available),
    };
    let rule = if (begin, end) == (0, 0) { rule } else { "the caller's" };
    Ok(Used { rounds: rounds(begin, end, available, 0..own)?, rule, available })
}

/// Trees of a round when all rounds are alike, else all trees as one round.
fn per_round(boundaries: &[usize]) -> usize {
    let count = boundaries[boundaries.len() - 1] - boundaries[0];
    let first = boundaries.get(1).map_or(count, |second| second - boundaries[0]);
    let alike = boundaries.windows(2).all(|pair| pair[1] - pair[0] == first);
    if alike { first.max(1) } else { count.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_may_differ_in_size() {
        assert_eq!(per_round(&[0]), 1);
        assert_eq!(per_round(&[6, 9, 12]), 3);
        assert_eq!(per_round(&[0, 1, 3]), 3);
    }
}
