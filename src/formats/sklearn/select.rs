//! Transformers that keep some of the columns.

use super::preprocessing::numbers;
use super::{Context, Entry, Reader};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::pipeline::{Pipeline, Transform};
use crate::ir::{Estimator, Model};

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("VarianceThreshold", variance),
    entry("SelectKBest", best),
    entry("SelectPercentile", percentile),
    entry("SelectFpr", by_false_positives),
    entry("SelectFdr", by_false_discoveries),
    entry("SelectFwe", by_any_false),
    entry("GenericUnivariateSelect", by_mode),
    entry("SelectFromModel", from_model),
    eliminated("RFE"),
    eliminated("RFECV"),
    entry("SequentialFeatureSelector", support),
];

const fn entry(class: &'static str, read: fn(Ref<'_>, &Context<'_>) -> Result<Transform>) -> Entry {
    let refused = if matches!(class.as_bytes(), b"SelectFromModel") {
        "estimators without coef_ or feature_importances_"
    } else {
        ""
    };
    Entry { class, reader: Reader::Transform(read), outputs: "value", refused }
}

const fn eliminated(class: &'static str) -> Entry {
    Entry { class, reader: Reader::Either(behind, support), outputs: "those of its estimator", refused: "" }
}

/// The estimator behind the columns that it chose.
fn behind(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let support = support(object, context)?;
    let model = (context.model)(object.attr("estimator_")?, &context.of(Some(support.outputs())))?;
    let (task, classes) = (model.task, model.classes.clone());
    let pipeline = Pipeline::new(vec![support], Some(Box::new(model))).within(|| object.path())?;
    super::estimator(object, Estimator::Pipeline(pipeline), task, classes)
}

/// The columns that are marked.
fn marked(object: Ref<'_>, mask: &[bool]) -> Result<Transform> {
    let columns = (0..mask.len()).filter(|&column| mask[column]).collect();
    Transform::select(mask.len(), columns).within(|| object.path())
}

fn support(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    marked(object, &object.attr("support_")?.array_bool()?.data)
}

fn variance(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let threshold = object.attr("threshold")?.as_f64()?;
    let mask: Vec<bool> = numbers(object, "variances_")?.iter().map(|variance| *variance > threshold).collect();
    marked(object, &mask)
}

/// Scores; a NaN is worse than every number.
fn scores(object: Ref<'_>) -> Result<Vec<f64>> {
    let mut scores = numbers(object, "scores_")?;
    scores.iter_mut().filter(|score| score.is_nan()).for_each(|score| *score = f64::MIN);
    Ok(scores)
}

fn best(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    of_best(object, object.attr("k")?)
}

fn of_best(object: Ref<'_>, k: Ref<'_>) -> Result<Transform> {
    let scores = scores(object)?;
    let count = if k.is_str() { scores.len() } else { k.as_usize()?.min(scores.len()) };
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let mut mask = vec![false; scores.len()];
    order[scores.len() - count..].iter().for_each(|&column| mask[column] = true);
    marked(object, &mask)
}

fn by_false_positives(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    of_doubts(object, |share, _| share, object.attr("alpha")?)
}

fn by_any_false(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    of_doubts(object, |share, count| share / count, object.attr("alpha")?)
}

/// Columns whose p value is below a threshold, made of a number and the count of columns.
#[allow(clippy::cast_precision_loss)] // columns are far fewer than 2^52
fn of_doubts(object: Ref<'_>, threshold: fn(f64, f64) -> f64, share: Ref<'_>) -> Result<Transform> {
    let doubts = numbers(object, "pvalues_")?;
    let threshold = threshold(share.as_f64()?, doubts.len() as f64);
    marked(object, &doubts.iter().map(|doubt| *doubt < threshold).collect::<Vec<bool>>())
}

fn by_false_discoveries(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    of_discoveries(object, object.attr("alpha")?)
}

/// Benjamini and Hochberg, 1995: up to the largest p value that is at most its share of the columns.
#[allow(clippy::cast_precision_loss)]
fn of_discoveries(object: Ref<'_>, share: Ref<'_>) -> Result<Transform> {
    let doubts = numbers(object, "pvalues_")?;
    let mut sorted = doubts.clone();
    sorted.sort_by(f64::total_cmp);
    let each = share.as_f64()? / sorted.len() as f64;
    let within = |(place, doubt): &(usize, f64)| *doubt <= each * (*place as f64 + 1.0);
    let largest = sorted.into_iter().enumerate().filter(within).map(|(_, doubt)| doubt).reduce(f64::max);
    let mask: Vec<bool> = doubts.iter().map(|doubt| largest.is_some_and(|largest| *doubt <= largest)).collect();
    marked(object, &mask)
}

fn by_mode(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let (mode, number) = (object.attr("mode")?, object.attr("param")?);
    match &*mode.as_str()? {
        "k_best" => of_best(object, number),
        "percentile" => of_percentile(object, number),
        "fpr" => of_doubts(object, |share, _| share, number),
        "fwe" => of_doubts(object, |share, count| share / count, number),
        "fdr" => of_discoveries(object, number),
        other => Err(mode.unsupported(format!("mode '{other}' is not known"))),
    }
}

fn percentile(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    of_percentile(object, object.attr("percentile")?)
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::float_cmp)]
fn of_percentile(object: Ref<'_>, share: Ref<'_>) -> Result<Transform> {
    let scores = scores(object)?;
    let percent = share.as_f64()?;
    if !(0.0..=100.0).contains(&percent) || scores.is_empty() {
        return Err(share.malformed(format!("{percent} percent of {} columns", scores.len())));
    }
    let mut mask = vec![percent == 100.0; scores.len()];
    if percent > 0.0 && percent < 100.0 {
        let mut sorted = scores.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (sorted.len() - 1) as f64 * ((100.0 - percent) / 100.0);
        let (low, part) = (place.floor() as usize, place.fract());
        let (a, b) = (sorted[low], sorted[(low + 1).min(sorted.len() - 1)]);
        let threshold = if part < 0.5 { a + (b - a) * part } else { b - (b - a) * (1.0 - part) };
        let mut left = (scores.len() as f64 * percent / 100.0) as usize;
        for (mask, score) in mask.iter_mut().zip(&scores) {
            *mask = *score > threshold;
            left = left.saturating_sub(usize::from(*mask));
        }
        for (mask, _) in mask.iter_mut().zip(&scores).filter(|(_, score)| **score == threshold).take(left) {
            *mask = true;
        }
    }
    marked(object, &mask)
}

/// The sum of the absolute coefficients of each column.
fn sizes(object: Ref<'_>, coefficients: Ref<'_>) -> Result<Vec<f64>> {
    let array = coefficients.array_f64()?;
    let columns = *array.shape.last().ok_or_else(|| coefficients.expected("an array"))?;
    if columns == 0 || (array.shape.len() > 1 && object.attr_some("norm_order")?.map_or(Ok(1.0), Ref::as_f64)? != 1.0) {
        return Err(coefficients.unsupported("only norm_order=1 is read"));
    }
    let mut importance = vec![0.0; columns];
    for row in array.data.chunks_exact(columns) {
        importance.iter_mut().zip(row).for_each(|(sum, coefficient)| *sum += coefficient.abs());
    }
    Ok(importance)
}

/// `feature_importances_` of an estimator of scikit-learn, which computes it when it is asked.
fn computed(estimator: Ref<'_>, context: &Context<'_>) -> Result<Vec<f64>> {
    let own = estimator.class().is_some_and(|(module, _)| module.starts_with("sklearn."));
    let importance = if own { (context.model)(estimator, context)?.importance.gain } else { None };
    importance.ok_or_else(|| {
        estimator.unsupported(format!(
            "columns chosen by the importance that {} computes are not read; choose them by a mask or by names instead",
            estimator.describe()
        ))
    })
}

/// By the sizes of coefficients or importances: the threshold and the order of ties are those of `SelectFromModel`.
fn from_model(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let estimator = match object.attr_some("estimator_")? {
        Some(estimator) => estimator,
        None => object.attr("estimator")?,
    };
    if let Some(getter) = object.attr_some("importance_getter")?
        && !matches!(&*getter.as_str().unwrap_or_default(), "auto" | "coef_" | "feature_importances_")
    {
        return Err(getter.unsupported("only importance_getter='auto' is read"));
    }
    let importance = match estimator.attr_some("coef_")? {
        Some(coefficients) => sizes(object, coefficients)?,
        None => computed(estimator, context)?,
    };
    let columns = importance.len();
    let threshold = threshold(object, estimator, &importance)?;
    let mut order: Vec<usize> = (0..columns).collect();
    order.sort_by(|&a, &b| importance[b].total_cmp(&importance[a]));
    if let Some(most) = object.attr_some("max_features")? {
        order.truncate(match most.as_usize() {
            Ok(most) => most,
            Err(_) => return Err(most.unsupported("max_features is a function; give a number")),
        });
    }
    let mut mask = vec![false; columns];
    order.iter().filter(|&&column| importance[column] >= threshold).for_each(|&column| mask[column] = true);
    marked(object, &mask)
}

#[allow(clippy::cast_precision_loss)] // columns are far fewer than 2^52
fn threshold(object: Ref<'_>, estimator: Ref<'_>, importance: &[f64]) -> Result<f64> {
    let statistic = |name: &str| {
        let mut sorted = importance.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match name {
            "mean" => Some(importance.iter().sum::<f64>() / importance.len() as f64),
            "median" if sorted.len() % 2 == 1 => Some(sorted[middle]),
            "median" => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
            _ => None,
        }
    };
    let Some(threshold) = object.attr_some("threshold")? else {
        let penalty = estimator.attr_some("penalty")?.and_then(|penalty| penalty.as_str().ok());
        let lasso = estimator.class().is_some_and(|(_, name)| name.contains("Lasso"));
        if !lasso && penalty.is_none() && estimator.attr_some("l1_ratio")?.is_some() {
            return Err(object.unsupported("the default threshold for ElasticNet is not read; give a threshold"));
        }
        return Ok(if lasso || penalty.as_deref() == Some("l1") { 1e-5 } else { statistic("mean").unwrap_or(0.0) });
    };
    let Ok(text) = threshold.as_str() else { return threshold.as_f64() };
    let (factor, name) = text.split_once('*').unwrap_or(("1", &text));
    match (factor.trim().parse::<f64>(), statistic(name.trim())) {
        (Ok(factor), Some(value)) => Ok(factor * value),
        _ => Err(threshold.unsupported(format!("the threshold '{text}' is not known"))),
    }
}
