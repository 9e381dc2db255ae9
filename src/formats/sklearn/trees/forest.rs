//! Single trees and forests that average them.
//!
//! A forest adds up its trees' answers in their order and divides once. Since 1.3 the leaves of a classifier hold shares of the
//! classes, before that weights; until 1.3 `predict_proba` divides them by their sum all the same.

use super::super::{Context, classes, estimator, model};
use super::importance::{of_forest, of_tree};
use super::nodes::{Nodes, layout};
use super::{features, members, version};
use crate::codec::ndarray::sum;
use crate::codec::pickle::Ref;
use crate::error::Result;
use crate::ir::beside::Beside;
use crate::ir::forest::{Finish, Target, Tree};
use crate::ir::pipeline::Transform;
use crate::ir::{Body, Classes, Decision, Estimator, Forest, Importance, Link, Model, Task};
use crate::limits;
use std::collections::HashMap;

/// Whether a tree takes missing values when it predicts, which its class and its parameters decide.
fn takes_nan(tree: Ref<'_>, version: (u32, u32)) -> Result<bool> {
    if version < (1, 3) {
        return Ok(false);
    }
    let random = tree.class().is_some_and(|(_, name)| name.starts_with("Extra"));
    let text = |name: &str| -> Result<String> {
        let value = tree.attr(name)?;
        Ok(if value.is_str() { value.as_str()?.into_owned() } else { String::new() })
    };
    let splitter = text("splitter")?;
    if version >= (1, 9) {
        return Ok(!random || splitter == "random");
    }
    let splits = match &*splitter {
        "best" => !random,
        "random" => version >= (1, 6),
        _ => false,
    };
    let criteria = ["gini", "log_loss", "entropy", "squared_error", "friedman_mse", "poisson"];
    let free = version < (1, 4) || tree.attr_some("monotonic_cst")?.is_none();
    Ok(splits && free && criteria.contains(&&*text("criterion")?))
}

/// `DecisionTreeRegressor`, `ExtraTreeRegressor`.
pub(super) fn tree_regressor(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let nodes = Nodes::of(object)?;
    let tree = numbers(&nodes)?;
    let mut layout = layout(nodes.features, nodes.outputs, takes_nan(object, version(object)?)?, Finish::Sum);
    // The answer is the leaf's value and no sum: -0.0 stays what it is.
    layout.base.fill(-0.0);
    let forest = Forest::new(layout, vec![tree])?;
    let made = model(object, Body::Forest(forest), Link::Identity, Task::Regression, Classes::Index)?;
    with_importance(made, of_tree(nodes)?)
}

/// `DecisionTreeClassifier`, `ExtraTreeClassifier`.
pub(super) fn tree_classifier(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let version = version(object)?;
    let nodes = Nodes::of(object)?;
    let accepts_nan = takes_nan(object, version)?;
    let made = outputs(object, &nodes, |output, classes, count| {
        let tree = shares(&nodes, output, count, false)?;
        let forest = Forest::new(layout(nodes.features, count, accepts_nan, Finish::Sum), vec![tree])?;
        let link = if version < (1, 4) { Link::Shares } else { Link::Identity };
        let made = model(object, Body::Forest(forest), link, Task::ClassProbabilities(count), classes)?;
        // The class is the one of the largest weight, before anything is divided.
        Ok(Model { decision: Decision::Margin(0.0), ..made })
    })?;
    with_importance(made, of_tree(nodes)?)
}

/// `RandomForestRegressor`, `ExtraTreesRegressor`.
pub(super) fn regressor(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let read = Read::of(object)?;
    let trees = read.trees.iter().map(numbers).collect::<Result<_>>()?;
    let forest = Forest::new(read.layout(read.trees[0].outputs), trees)?;
    let made = model(object, Body::Forest(forest), Link::Identity, Task::Regression, Classes::Index)?;
    with_importance(made, of_forest(&read.trees, read.features, read.version)?)
}

/// `RandomForestClassifier`, `ExtraTreesClassifier`.
pub(super) fn classifier(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let read = Read::of(object)?;
    let divide = read.version < (1, 4);
    let made = outputs(object, &read.trees[0], |output, classes, count| {
        let trees = read.trees.iter().map(|nodes| shares(nodes, output, count, divide)).collect::<Result<_>>()?;
        let forest = Forest::new(read.layout(count), trees)?;
        model(object, Body::Forest(forest), Link::Identity, Task::ClassProbabilities(count), classes)
    })?;
    with_importance(made, of_forest(&read.trees, read.features, read.version)?)
}

/// `RandomTreesEmbedding`: a column for each leaf that a training row reached.
pub(super) fn embedding(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let read = Read::of(object)?;
    let encoder = object.attr("one_hot_encoder_")?;
    if encoder.attr_some("categories_")?.is_none() {
        return Err(encoder.unsupported(
            "the leaves of versions before 0.20 are not read; train it again with a later one, or export it to ONNX",
        ));
    }
    let lists = encoder.attr("categories_")?.list()?;
    if lists.len() != read.trees.len() {
        return Err(encoder.malformed(format!("leaves of {} trees for {} trees", lists.len(), read.trees.len())));
    }
    let mut trees = limits::vec("trees", lists.len())?;
    let mut columns = 0usize;
    for (nodes, list) in read.trees.iter().zip(lists) {
        let mut tree = nodes.tree(None, Target::One(0), |_, values| values.push(0.0))?;
        let known = list.array_i64()?.data;
        let places: HashMap<i64, usize> = known.iter().copied().zip(columns..).collect();
        for id in &mut tree.leaf_ids {
            let column = places.get(&i64::from(*id)).and_then(|&column| u32::try_from(column).ok());
            *id = column.unwrap_or(u32::MAX);
        }
        columns += known.len();
        limits::check("columns", columns, limits::FEATURES).map_err(|error| error.within(list.path()))?;
        trees.push(tree);
    }
    Ok(Transform::Leaves { columns, forest: Forest::new(read.layout(1), trees)? })
}

/// What all forests have.
struct Read<'g> {
    trees: Vec<Nodes<'g>>,
    features: usize,
    version: (u32, u32),
    accepts_nan: bool,
}

impl<'g> Read<'g> {
    fn of(object: Ref<'g>) -> Result<Self> {
        let version = version(object)?;
        let members = members(object)?;
        let accepts_nan = version >= (1, 4) && takes_nan(members[0], version)?;
        let trees: Vec<Nodes<'_>> = members.iter().map(|&tree| Nodes::of(tree)).collect::<Result<_>>()?;
        let features = features(object)?;
        let first = &trees[0];
        for (nodes, tree) in trees.iter().zip(&members) {
            if nodes.features != features || nodes.outputs != first.outputs || nodes.width != first.width {
                return Err(tree.malformed(format!(
                    "{} features, {} outputs and {} values, the forest has {features}, {} and {}",
                    nodes.features, nodes.outputs, nodes.width, first.outputs, first.width
                )));
            }
        }
        Ok(Self { trees, features, version, accepts_nan })
    }

    #[allow(clippy::cast_precision_loss)] // a number of trees
    fn layout(&self, outputs: usize) -> crate::ir::forest::Layout {
        layout(self.features, outputs, self.accepts_nan, Finish::Divide(self.trees.len() as f64))
    }
}

/// A tree whose leaves hold a number for each output.
fn numbers(nodes: &Nodes<'_>) -> Result<Tree> {
    let target = if nodes.outputs == 1 { Target::One(0) } else { Target::All };
    nodes.tree(None, target, |leaf, values| {
        values.extend((0..nodes.outputs).filter_map(|output| nodes.value(leaf, output).first()));
    })
}

/// A tree whose leaves hold a number for each class of an output, divided by their sum when that is asked for.
fn shares(nodes: &Nodes<'_>, output: usize, count: usize, divide: bool) -> Result<Tree> {
    let target = if count == 1 { Target::One(0) } else { Target::All };
    nodes.tree(None, target, |leaf, values| {
        let weights = &nodes.value(leaf, output)[..count];
        let sum = if divide { sum(weights) } else { 1.0 };
        let sum = if sum == 0.0 { 1.0 } else { sum };
        values.extend(weights.iter().map(|weight| weight / sum));
    })
}

/// A model of one output, or of several side by side; `one` is given the output, its classes and how many they are.
fn outputs(object: Ref<'_>, nodes: &Nodes<'_>, one: impl Fn(usize, Classes, usize) -> Result<Model>) -> Result<Model> {
    let labels = object.attr("classes_")?;
    let make = |output: usize, labels: Ref<'_>| {
        let read = classes(labels)?;
        match read.count() {
            Some(count @ 1..) if count <= nodes.width => one(output, read, count),
            _ => Err(labels.malformed(format!("labels for the {} classes that the trees have", nodes.width))),
        }
    };
    if nodes.outputs == 1 {
        return make(0, labels);
    }
    let lists = labels.list()?;
    if lists.len() != nodes.outputs {
        return Err(labels.malformed(format!("classes of {} outputs, the trees have {}", lists.len(), nodes.outputs)));
    }
    let models = lists.into_iter().enumerate().map(|(output, labels)| make(output, labels)).collect::<Result<_>>()?;
    estimator(object, Estimator::Beside(Beside::new(models, true)?), Task::Multilabel, Classes::Index)
}

fn with_importance(model: Model, importance: Importance) -> Result<Model> {
    Model { importance, ..model }.validated()
}
