//! Clusters: a row belongs to the nearest of the centres.

use super::linear::affine;
use super::preprocessing::numbers;
use super::{Context, Entry, Reader, estimator, matrix};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::blend::{Blend, Rule, Way};
use crate::ir::pipeline::Transform;
use crate::ir::similarity::{Likeness, Similarities};
use crate::ir::transform::{Each, Side, Whole};
use crate::ir::{Classes, Estimator, Model, Output, Task};
use std::sync::Arc;

const BOTH: &str = "value and label (the cluster); before other steps of a pipeline the distance of each centre";

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("KMeans", Reader::Either(nearest, distances), BOTH),
    entry("MiniBatchKMeans", Reader::Either(nearest, distances), BOTH),
    entry("BisectingKMeans", Reader::Either(bisecting, distances), BOTH),
    entry("Birch", Reader::Either(birch, birch_distances), BOTH),
    entry("MeanShift", Reader::Model(nearest), "value and label (the cluster)"),
    entry("AffinityPropagation", Reader::Model(nearest), "value and label (the cluster)"),
];

const fn entry(class: &'static str, reader: Reader, outputs: &'static str) -> Entry {
    Entry { class, reader, outputs, refused: "" }
}

/// A cluster is chosen by what a path gives.
fn chosen(object: Ref<'_>, path: Transform, rule: &Rule) -> Result<Model> {
    let way = |output| Way { output, path: 0, rule: rule.clone() };
    let blend = Blend::new(vec![path], vec![way(Output::Value), way(Output::Label)]).within(|| object.path())?;
    estimator(object, Estimator::Blend(blend), Task::Clustering, Classes::Index)
}

/// `2 x . c - |c|^2` for each centre: largest where the distance is least, and exact far away, where distances are all alike.
pub(super) fn nearness(object: Ref<'_>, features: usize, centres: &[f64]) -> Result<Transform> {
    let squares = centres.chunks_exact(features.max(1)).map(|centre| -centre.iter().map(|c| c * c).sum::<f64>());
    let squares = squares.collect();
    let twice = centres.iter().map(|c| 2.0 * c).collect();
    affine(object, features, twice, squares).map(Transform::Linear)
}

fn nearest(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let ([count, features], centres) = matrix(object.attr("cluster_centers_")?)?;
    if count == 0 {
        // Where affinity propagation does not converge, there are no clusters.
        let nothing = Transform::whole(features, Whole::Constant(vec![-1.0])).within(|| object.path())?;
        return chosen(object, nothing, &Rule::Same);
    }
    chosen(object, nearness(object, features, &centres)?, &Rule::Largest(Classes::Index))
}

fn away(object: Ref<'_>, centres: Ref<'_>) -> Result<Transform> {
    let (shape, centres) = matrix(centres)?;
    let made = || {
        let kept = Similarities::new(shape, centres, Likeness::Distance)?;
        let steps = vec![
            Transform::each(shape[1], vec![Each::Complete])?,
            Transform::whole(shape[1], Whole::Similarities(Arc::new(kept)))?,
        ];
        Transform::chain(shape[1], steps)
    };
    made().within(|| object.path())
}

fn distances(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    away(object, object.attr("cluster_centers_")?)
}

fn birch_distances(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    away(object, object.attr("subcluster_centers_")?)
}

fn birch(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let ([_, features], centres) = matrix(object.attr("subcluster_centers_")?)?;
    let labels = Classes::Numbers(numbers(object, "subcluster_labels_")?);
    chosen(object, nearness(object, features, &centres)?, &Rule::Largest(labels))
}

/// A tree of clusters that were divided in two: at each branch the nearer of two centres.
fn bisecting(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let root = object.attr("_bisecting_tree")?;
    if root.attr_some("left")?.is_none() {
        return nearest(object, context);
    }
    let mean = object.attr_some("_X_mean")?.map(Ref::array_f64).transpose()?.map(|mean| mean.data);
    let mut tree = Tree { mean, features: None, centres: Vec::new(), branches: Vec::new() };
    tree.divide(root)?;
    let Tree { features, centres, branches, .. } = tree;
    let features = features.unwrap_or(0);
    let scores = nearness(object, features, &centres)?;
    let width = scores.outputs();
    let made = || Transform::chain(features, vec![scores, Transform::whole(width, Whole::Descend(branches))?]);
    chosen(object, made().within(|| object.path())?, &Rule::Same)
}

/// Two centres for each branch, in the order of the branches.
struct Tree {
    mean: Option<Vec<f64>>,
    features: Option<usize>,
    centres: Vec<f64>,
    branches: Vec<[Side; 2]>,
}

impl Tree {
    /// Appends a branch and everything below it.
    fn divide(&mut self, node: Ref<'_>) -> Result<()> {
        let at = self.branches.len();
        self.branches.push([Side::Answer(0.0); 2]);
        let children = [node.attr("left")?, node.attr("right")?];
        for child in children {
            let place = child.attr("center")?;
            let mut centre = place.array_f64()?.data;
            let features = *self.features.get_or_insert(centre.len());
            if centre.len() != features {
                return Err(place.malformed(format!("{} numbers, another centre has {features}", centre.len())));
            }
            if let Some(mean) = &self.mean {
                if mean.len() != centre.len() {
                    return Err(place.malformed(format!("{} numbers, the mean has {}", centre.len(), mean.len())));
                }
                centre.iter_mut().zip(mean).for_each(|(c, mean)| *c += mean);
            }
            self.centres.extend(centre);
        }
        for (side, child) in children.into_iter().enumerate() {
            self.branches[at][side] = if child.attr_some("left")?.is_some() {
                let below = self.branches.len();
                self.divide(child)?;
                Side::Branch(below)
            } else {
                Side::Answer(child.attr("label")?.as_f64()?)
            };
        }
        Ok(())
    }
}
