//! Classifiers that decide in their own way about what other models say.

use super::clusters::nearness;
use super::meta::{blend, labels, members, side, way};
use super::methods::{decides, has_probabilities};
use super::{Context, Entry, Reader, matrix};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::blend::Rule;
use crate::ir::pipeline::Transform;
use crate::ir::transform::Each;
use crate::ir::{Classes, Model, Output, Task};
use std::sync::Arc;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("FixedThresholdClassifier", fixed, "those of its estimator, another label"),
    entry("TunedThresholdClassifierCV", tuned, "those of its estimator, another label"),
    entry("SelfTrainingClassifier", self_trained, "those of its estimator"),
    entry("OutputCodeClassifier", codes, "value and label"),
];

const fn entry(class: &'static str, read: fn(Ref<'_>, &Context<'_>) -> Result<Model>, outputs: &'static str) -> Entry {
    Entry { class, reader: Reader::Model(read), outputs, refused: "" }
}

fn self_trained(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let inner = match object.attr_some("estimator_")? {
        Some(inner) => inner,
        None => object.attr("base_estimator_")?,
    };
    (context.model)(inner, context)
}

fn fixed(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let threshold = object.attr("threshold")?;
    let threshold = if threshold.is_str() { None } else { Some(threshold.as_f64()?) };
    let positive = object.attr_some("pos_label")?.map_or(Positive::Second, Positive::Label);
    decided(object, context, threshold, positive)
}

/// The positive class is that of the score that the threshold was tuned by.
fn tuned(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let threshold = object.attr("best_threshold_")?.as_f64()?;
    let Some(scorer) = object.attr_some("_curve_scorer")? else {
        return decided(object, context, Some(threshold), Positive::Second);
    };
    let positive = match scorer.attr("_kwargs")?.dict_get_opt("pos_label")? {
        Some(label) if label.is_none() => Positive::Second,
        Some(label) => Positive::Label(label),
        None => match scorer.attr("_score_func")?.global() {
            Some((_, name)) if ONE_IS_POSITIVE.contains(&name) => Positive::One,
            _ => Positive::Second,
        },
    };
    decided(object, context, Some(threshold), positive)
}

/// Scores of scikit-learn to which the class 1 is the positive one when nothing is said.
const ONE_IS_POSITIVE: &[&str] =
    &["average_precision_score", "f1_score", "fbeta_score", "jaccard_score", "precision_score", "recall_score"];

/// Which class is positive.
enum Positive<'g> {
    /// The second.
    Second,
    /// That of the label 1.
    One,
    /// That of this label.
    Label(Ref<'g>),
}

/// The positive class from a threshold on.
fn decided(object: Ref<'_>, context: &Context<'_>, threshold: Option<f64>, positive: Positive<'_>) -> Result<Model> {
    let inner = match object.attr_some("estimator_")? {
        Some(inner) => inner,
        None => object.attr("estimator")?,
    };
    let model = Arc::new((context.model)(inner, context)?);
    let classes = model.classes.clone();
    if model.task.classes() != Some(2) {
        return Err(inner.unsupported("a threshold decides between two classes only"));
    }
    let positive = match (positive, &classes) {
        (Positive::Label(label), _) => index(label, &classes)?,
        (Positive::One, Classes::Numbers(numbers)) => numbers.iter().position(|number| *number == 1.0).unwrap_or(1),
        _ => 1,
    };
    let (scored, sure) = (decides(inner)?, has_probabilities(inner)?);
    let method = object.attr("response_method")?;
    let shares = match &*method.as_str()? {
        "auto" => sure,
        "predict_proba" => true,
        "decision_function" => false,
        other => return Err(method.unsupported(format!("response_method='{other}' is not known"))),
    };
    let raw = || Transform::answer(&model, Output::Raw, 0, 1);
    let share = || Transform::answer(&model, Output::Probability, 0, 2);
    let features = model.body.features();
    let score = || match (shares, positive) {
        (true, positive) => Transform::chain(features, vec![share(), Transform::select(2, vec![positive])?]),
        (false, 1) => Ok(raw()),
        (false, _) => Transform::chain(features, vec![raw(), Transform::each(1, vec![Each::Multiply(vec![-1.0])])?]),
    };
    let least = threshold.unwrap_or(if shares { 0.5 } else { 0.0 });
    // From the threshold on is above the number before it.
    let labels = if positive == 1 { classes.clone() } else { reversed(&classes) };
    let label = Rule::Above(least.next_down(), labels);
    let mut paths = vec![score().within(|| object.path())?];
    let mut ways = vec![way(Output::Label, 0, label.clone())];
    if sure {
        ways.push(way(Output::Value, paths.len(), Rule::Second));
        ways.push(way(Output::Probability, paths.len(), Rule::Same));
        paths.push(share());
    } else {
        ways.push(way(Output::Value, 0, label));
    }
    if scored {
        ways.push(way(Output::Raw, paths.len(), Rule::Same));
        paths.push(raw());
    }
    blend(object, paths, ways, Task::ClassProbabilities(2), classes)
}

/// The place of a label among the classes.
fn index(label: Ref<'_>, classes: &Classes) -> Result<usize> {
    let found = match classes {
        Classes::Numbers(numbers) => {
            let label = label.as_f64()?;
            numbers.iter().position(|number| *number == label)
        }
        Classes::Strings(strings) => {
            let label = label.as_str()?;
            strings.iter().position(|string| *string == label)
        }
        Classes::Index => None,
    };
    found.ok_or_else(|| label.malformed("it is none of the classes"))
}

/// Labels of two classes, the second one first.
fn reversed(classes: &Classes) -> Classes {
    match classes {
        Classes::Numbers(numbers) => Classes::Numbers(numbers.iter().rev().copied().collect()),
        // The label of a class that is text is its index.
        Classes::Strings(_) | Classes::Index => Classes::Numbers(vec![1.0, 0.0]),
    }
}

/// Members answer yes or no; the class is that of the nearest row of the code book.
fn codes(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let (classes, count) = labels(object)?;
    let mut answers = Vec::new();
    for (member, model) in members(object, context)? {
        answers.push(if model.task.classes().is_none() {
            Transform::answer(&model, Output::Value, 0, 1)
        } else if decides(member)? {
            Transform::answer(&model, Output::Raw, 0, 1)
        } else {
            Transform::answer(&model, Output::Probability, 1, 1)
        });
    }
    let width = answers.len();
    let ([rows, columns], book) = matrix(object.attr("code_book_")?)?;
    if rows != count || columns != width {
        return Err(
            object.malformed(format!("a code book of {rows} by {columns} for {count} classes and {width} members"))
        );
    }
    let made = || {
        let said = side(answers)?;
        Transform::chain(said.features(), vec![said, nearness(object, width, &book)?])
    };
    let label = Rule::Largest(classes.clone());
    let ways = vec![way(Output::Value, 0, label.clone()), way(Output::Label, 0, label)];
    blend(object, vec![made().within(|| object.path())?], ways, Task::ClassProbabilities(count), classes)
}
