//! `Bagging*` and `AdaBoost*`: members of any class.

use super::super::{Context, classes, estimator, model};
use super::isolation::columns;
use super::{features, members, version};
use crate::codec::ndarray::sum;
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::ensemble::{Combine, Ensemble, Member, Scores, Shares};
use crate::ir::forest::{Finish, Layout, Tree};
use crate::ir::{Body, Classes, Estimator, Forest, Importance, Link, Model, Task};
use crate::limits;
use std::collections::HashMap;

/// `BaggingRegressor`.
pub(super) fn bagging_regressor(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    bagging(object, context, Task::Regression, Classes::Index)
}

/// `BaggingClassifier`.
pub(super) fn bagging_classifier(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let classes = classes(object.attr("classes_")?)?;
    bagging(object, context, task(&classes), classes)
}

fn task(classes: &Classes) -> Task {
    Task::ClassProbabilities(classes.count().unwrap_or(0))
}

fn bagging(object: Ref<'_>, context: &Context<'_>, task: Task, classes: Classes) -> Result<Model> {
    let features = features(object)?;
    let drawn = object.attr("estimators_features_")?;
    let lists = drawn.list()?;
    let objects = members(object)?;
    if lists.len() != objects.len() {
        return Err(drawn.malformed(format!("features of {} members for {} members", lists.len(), objects.len())));
    }
    let mut members = limits::vec("members", objects.len())?;
    for (member, list) in objects.into_iter().zip(lists) {
        // The library has no importance of a bag.
        let model = Model { importance: Importance::default(), ..(context.model)(member, context)? };
        // Members are trained on the numbers of the classes.
        let labels = match classes.count() {
            Some(count) => labels(member, &model, count, |label, _| number_of_class(label, count))?,
            None => Vec::new(),
        };
        members.push(Member { model, columns: Some(columns(list, features)?), labels });
    }
    if let Some(forest) = merged(features, &members, &classes)? {
        return model(object, Body::Forest(forest), Link::Identity, task, classes);
    }
    let combine = if classes.count().is_some() { Combine::Vote } else { Combine::Mean };
    let ensemble = Ensemble::new(features, members, combine, classes.clone(), true);
    estimator(object, Estimator::Ensemble(ensemble.within(|| object.path())?), task, classes)
}

/// Members that are a plain tree each, of one and the same kind, are a forest.
#[allow(clippy::cast_precision_loss)] // a number of trees
fn merged(features: usize, members: &[Member], classes: &Classes) -> Result<Option<Forest>> {
    let mut layout: Option<Layout> = None;
    let mut trees: Vec<Tree> = limits::vec("trees", members.len())?;
    for member in members {
        let (Body::Forest(forest), Some(columns)) = (&member.model.body, &member.columns) else { return Ok(None) };
        let whole = classes.count().is_none_or(|count| {
            member.model.task == Task::ClassProbabilities(count)
                && member.labels.iter().enumerate().all(|(index, &(_, class))| index == class)
        });
        let plain = member.model.link == Link::Identity && member.model.average.is_none();
        let own = forest.layout();
        let fresh = own.finish == Finish::Sum && own.base.iter().all(|&base| base == 0.0);
        let ([tree], true) = (forest.trees(), whole && plain && fresh && columns.len() == own.features) else {
            return Ok(None);
        };
        let shared = Layout {
            features,
            base: vec![0.0; own.base.len()],
            finish: Finish::Divide(members.len() as f64),
            ..own.clone()
        };
        if layout.get_or_insert_with(|| shared.clone()) != &shared {
            return Ok(None);
        }
        trees.push(tree.over(columns));
    }
    layout.map(|layout| Forest::new(layout, trees)).transpose()
}

/// For each class of a member: the number that its label is, and the class of the ensemble, which `find` knows by the number and
/// by the member's own index.
fn labels(
    object: Ref<'_>,
    member: &Model,
    limit: usize,
    find: impl Fn(f64, usize) -> Option<usize>,
) -> Result<Vec<(f64, usize)>> {
    let count = member.classes.count().or(member.task.classes()).filter(|&count| count > 0 && count <= limit);
    let count = count.ok_or_else(|| object.malformed("a classifier with classes of the ensemble is expected"))?;
    (0..count)
        .map(|index| {
            let label = member.classes.number(index);
            let class = find(label, index);
            class
                .map(|class| (label, class))
                .ok_or_else(|| object.malformed(format!("its class {index} is not one of the ensemble's")))
        })
        .collect()
}

/// A class by its number.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
fn number_of_class(label: f64, count: usize) -> Option<usize> {
    (label >= 0.0 && label < count as f64 && label.fract() == 0.0).then_some(label as usize)
}

/// A label as a key; the two zeros are one.
fn bits(label: f64) -> u64 {
    (label + 0.0).to_bits()
}

/// The weights of the members, and the sum of all weights in the file.
fn weights(object: Ref<'_>, members: usize) -> Result<(Vec<f64>, f64)> {
    let list = object.attr("estimator_weights_")?;
    let mut weights = list.array_f64()?.data;
    let total = sum(&weights);
    if weights.len() < members {
        return Err(list.malformed(format!("{} weights for {members} members", weights.len())));
    }
    weights.truncate(members);
    Ok((weights, total))
}

/// `AdaBoostRegressor` (R2): the weighted median.
pub(super) fn boosting_regressor(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let objects = members(object)?;
    let (weights, total) = weights(object, objects.len())?;
    let mut gathered = Gathered::default();
    let mut members = limits::vec("members", objects.len())?;
    for (member, weight) in objects.into_iter().zip(&weights) {
        let mut model = (context.model)(member, context)?;
        gathered.add(&mut model, *weight);
        members.push(Member { model, columns: None, labels: Vec::new() });
    }
    let features = members[0].model.body.features();
    let ensemble = Ensemble::new(features, members, Combine::Median { weights }, Classes::Index, false);
    let made =
        estimator(object, Estimator::Ensemble(ensemble.within(|| object.path())?), Task::Regression, Classes::Index)?;
    Model { importance: gathered.over(total), ..made }.validated()
}

/// `AdaBoostClassifier` (`SAMME`, before 1.6 also `SAMME.R`).
pub(super) fn boosting_classifier(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let version = version(object)?;
    let list = object.attr("classes_")?;
    let classes = classes(list)?;
    let count = classes.count().unwrap_or(0);
    if count < 2 {
        return Err(list.unsupported("a model of a single class has nothing to decide; train it with two at least"));
    }
    let (mut numbers, mut texts) = (HashMap::new(), HashMap::new());
    match &classes {
        Classes::Numbers(labels) => numbers.extend(labels.iter().map(|&label| bits(label)).zip(0..)),
        Classes::Strings(labels) => texts.extend(labels.iter().map(String::as_str).zip(0..)),
        Classes::Index => {}
    }
    let objects = members(object)?;
    let (weights, total) = weights(object, objects.len())?;
    let mut gathered = Gathered::default();
    let mut members: Vec<Member> = limits::vec("members", objects.len())?;
    for (member, weight) in objects.into_iter().zip(&weights) {
        let mut model = (context.model)(member, context)?;
        gathered.add(&mut model, *weight);
        let labels = labels(member, &model, count, |label, index| match &model.classes {
            Classes::Numbers(_) => numbers.get(&bits(label)).copied(),
            Classes::Strings(own) => texts.get(own[index].as_str()).copied(),
            Classes::Index => Some(index),
        })?;
        members.push(Member { model, columns: None, labels });
    }
    let algorithm = object.attr_some("algorithm")?;
    let real = match algorithm {
        Some(name) if version < (1, 6) => name.as_str()? == "SAMME.R",
        _ => false,
    };
    let combine = Combine::Boost {
        weights,
        total,
        scores: match (real, version) {
            (true, _) => Scores::LogProbability,
            (false, (1, 3..) | (2.., _)) => Scores::HitsAndMisses,
            _ => Scores::Hits,
        },
        shares: if version < (0, 22) { Shares::Exponential } else { Shares::Softmax },
    };
    let features = members[0].model.body.features();
    let ensemble = Ensemble::new(features, members, combine, classes.clone(), false);
    let task = task(&classes);
    let made = estimator(object, Estimator::Ensemble(ensemble.within(|| object.path())?), task, classes)?;
    Model { importance: gathered.over(total), ..made }.validated()
}

/// The weighted mean of the members' `feature_importances_`, when all of them have it. It is taken from the members, which need it
/// no longer.
#[derive(Default)]
struct Gathered {
    sums: Importance,
    missing: bool,
}

impl Gathered {
    fn add(&mut self, model: &mut Model, weight: f64) {
        let own = std::mem::take(&mut model.importance);
        let class = model.source.details.get("class").and_then(|class| class.as_str()).unwrap_or_default();
        let ours = class.starts_with("sklearn.") && !class.contains("Hist");
        let (Some(shares), Some(splits), true) = (own.gain, own.split, ours) else {
            self.missing = true;
            return;
        };
        let sums = self.sums.gain.get_or_insert_with(|| vec![0.0; shares.len()]);
        for (sum, share) in sums.iter_mut().zip(&shares) {
            *sum += weight * share;
        }
        let sums = self.sums.split.get_or_insert_with(|| vec![0.0; splits.len()]);
        for (sum, count) in sums.iter_mut().zip(&splits) {
            *sum += count;
        }
    }

    fn over(mut self, total: f64) -> Importance {
        if self.missing {
            return Importance::default();
        }
        self.sums.gain.iter_mut().flatten().for_each(|share| *share /= total);
        self.sums
    }
}
