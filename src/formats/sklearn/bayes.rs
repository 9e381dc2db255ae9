//! Naive Bayes.

use super::linear::{affine, classifier};
use super::preprocessing::numbers;
use super::{Context, Entry, Reader, classes, estimator, matrix, transposed};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::blend::{Blend, Rule, Way};
use crate::ir::classifier::{Decision, Probabilities};
use crate::ir::mixture::{Answer, Mixture, Order, Precisions};
use crate::ir::pipeline::{Pipeline, Transform};
use crate::ir::transform::{Each, Whole};
use crate::ir::{Classes, Estimator, Model, Output, Task};
use std::f64::consts::TAU;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("GaussianNB", gaussian),
    entry("BernoulliNB", bernoulli),
    entry("MultinomialNB", multinomial),
    entry("ComplementNB", complement),
    entry("CategoricalNB", categorical),
];

const fn entry(class: &'static str, read: fn(Ref<'_>, &Context<'_>) -> Result<Model>) -> Entry {
    let refused = if matches!(class.as_bytes(), b"GaussianNB") { "" } else { "a single class" };
    Entry {
        class,
        reader: Reader::Model(read),
        outputs: "value, probability, label, raw (the joint logarithm of each class)",
        refused,
    }
}

/// Labels, of at least two classes.
fn labels(object: Ref<'_>) -> Result<Classes> {
    let place = object.attr("classes_")?;
    let labels = classes(place)?;
    if labels.count().is_some_and(|count| count < 2) {
        return Err(place.unsupported("it saw a single class in training, which is its answer to every row"));
    }
    Ok(labels)
}

/// `ln(prior) - sum(ln(2 pi v)) / 2 - sum((x - m)^2 / v) / 2` for each class.
fn gaussian(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let ([_, features], means) = matrix(object.attr("theta_")?)?;
    // Called `sigma_` before 1.0.
    let variances = match object.attr_some("var_")? {
        Some(variances) => variances,
        None => object.attr("sigma_")?,
    };
    let variances = variances.array_f64()?.data;
    let sums = variances.chunks_exact(features.max(1)).map(|row| row.iter().map(|v| (TAU * v).ln()).sum::<f64>());
    let priors = numbers(object, "class_prior_")?;
    let constants = priors.iter().zip(sums).map(|(prior, sum)| prior.ln() - 0.5 * sum).collect();
    let precisions = Precisions::Diagonal(variances.iter().map(|variance| 1.0 / variance).collect());
    let classes = classes(object.attr("classes_")?)?;
    let answer = Answer::Classes { classes: classes.clone(), difference: false };
    let mixture = Mixture::new(features, means, constants, precisions, Order::Centred, answer);
    let mixture = mixture.within(|| object.path())?;
    let task = Task::ClassProbabilities(mixture.count());
    estimator(object, Estimator::Mixture(mixture), task, classes)
}

/// Scores that are linear in the row: `x * weights + intercept`, one for each class.
fn by_weights(object: Ref<'_>, features: usize, weights: Vec<f64>, intercept: Vec<f64>) -> Result<Model> {
    let scores = affine(object, features, weights, intercept)?;
    classifier(object, &scores, Decision::Classes(labels(object)?), Probabilities::Softmax)
}

fn multinomial(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let ([_, features], weights) = matrix(object.attr("feature_log_prob_")?)?;
    by_weights(object, features, weights, numbers(object, "class_log_prior_")?)
}

fn complement(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let ([count, features], weights) = matrix(object.attr("feature_log_prob_")?)?;
    crate::limits::check("classes", count, crate::limits::OUTPUTS)?;
    by_weights(object, features, weights, vec![0.0; count])
}

/// With `q = ln(1 - exp(p))` for the logarithm `p` of a probability: the sum of all `q`, and `p - q` for each column that is 1.
fn bernoulli(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let ([_, features], mut weights) = matrix(object.attr("feature_log_prob_")?)?;
    let mut intercept = numbers(object, "class_log_prior_")?;
    for (row, intercept) in weights.chunks_exact_mut(features.max(1)).zip(&mut intercept) {
        let mut sum = 0.0;
        for weight in row {
            let other = (1.0 - weight.exp()).ln();
            sum += other;
            *weight -= other;
        }
        *intercept += sum;
    }
    let model = by_weights(object, features, weights, intercept)?;
    let Some(border) = object.attr_some("binarize")? else { return Ok(model) };
    let step = Transform::each(features, vec![Each::Complete, Each::Above(border.as_f64()?)])?;
    let (task, classes) = (model.task, model.classes.clone());
    let pipeline = Pipeline::new(vec![step], Some(Box::new(model))).within(|| object.path())?;
    estimator(object, Estimator::Pipeline(pipeline), task, classes)
}

/// Each column is a category; what it adds to each class is looked up.
fn categorical(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let priors = numbers(object, "class_log_prior_")?;
    let labels = labels(object)?;
    let count = priors.len();
    let mut tables = Vec::new();
    for place in object.attr("feature_log_prob_")?.list()? {
        let ([rows, categories], numbers) = matrix(place)?;
        if rows != count {
            return Err(place.malformed(format!("probabilities of {rows} classes, there are {count}")));
        }
        // Both ways through the model hold them, once as they are read and once as they run.
        place.charge(4 * (size_of::<Vec<f64>>() + size_of_val(&*numbers)))?;
        tables.push(transposed([rows, categories], &numbers));
    }
    let features = tables.len();
    let scores = || {
        let steps = vec![
            Transform::each(features, vec![Each::Complete])?,
            Transform::whole(features, Whole::Tables { tables, last: priors })?,
        ];
        Transform::chain(features, steps)
    };
    let scores = scores().within(|| object.path())?;
    let shares = vec![scores.clone(), Transform::whole(count, Whole::Softmax)?];
    let shares = Transform::chain(features, shares).within(|| object.path())?;
    let way = |output, path, rule| Way { output, path, rule };
    let ways = vec![
        way(Output::Raw, 0, Rule::Same),
        way(Output::Label, 0, Rule::Largest(labels.clone())),
        way(Output::Value, 1, if count == 2 { Rule::Second } else { Rule::Same }),
        way(Output::Probability, 1, Rule::Same),
    ];
    let blend = Blend::new(vec![scores, shares], ways).within(|| object.path())?;
    estimator(object, Estimator::Blend(blend), Task::ClassProbabilities(count), labels)
}
