//! Transformers that fill in missing values, or mark them.

use super::categories::{Category, categories, category};
use super::{Context, Entry, Reader, column_count, matrix, version, width};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::donors::{Asked, Donors};
use crate::ir::neighbors::Weights;
use crate::ir::pipeline::{Transform, UnionPart};
use crate::ir::refine::{Question, Refine};
use crate::ir::transform::{Each, Whole};
use std::sync::Arc;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    Entry { class: "SimpleImputer", reader: Reader::Transform(simple), outputs: "value", refused: "" },
    Entry { class: "Imputer", reader: Reader::Transform(simple), outputs: "value", refused: "axis=1" },
    Entry {
        class: "KNNImputer",
        reader: Reader::Transform(nearest),
        outputs: "value",
        refused: "metrics and weights that are Python code",
    },
    Entry {
        class: "IterativeImputer",
        reader: Reader::Transform(iterative),
        outputs: "value",
        refused: "sample_posterior=True; keep_empty_features=True before 1.6",
    },
    Entry { class: "MissingIndicator", reader: Reader::Transform(indicator), outputs: "value", refused: "" },
];

/// The number or word that stands for a missing one.
fn missing(object: Ref<'_>, context: &Context<'_>) -> Result<f64> {
    let value = object.attr("missing_values")?;
    // The imputer before 0.20 had a word for it.
    if object.class().is_some_and(|(_, name)| name == "Imputer") && value.is_str() && value.as_str()? == "NaN" {
        return Ok(f64::NAN);
    }
    Ok(category(value, context)?.number())
}

fn simple(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    if let Some(axis) = object.attr_some("axis")?
        && axis.as_i64()? != 0
    {
        return Err(axis.unsupported("means of rows are not read; fill columns instead"));
    }
    let statistics = object.attr("statistics_")?;
    let statistics: Vec<f64> = categories(statistics, context)?.into_iter().map(Category::number).collect();
    let features = statistics.len();
    let missing = missing(object, context)?;
    let constant = object.attr("strategy")?.as_str()? == "constant";
    let keeps = constant || object.attr_some("keep_empty_features")?.map_or(Ok(false), Ref::as_bool)?;
    let kept: Vec<usize> = (0..features).filter(|&column| keeps || !statistics[column].is_nan()).collect();
    let filled: Vec<f64> = kept.iter().map(|&column| statistics[column]).collect();
    let mut things = vec![Each::Replace(missing, filled)];
    if !missing.is_nan() {
        things.insert(0, Each::Complete);
    }
    let fill = || {
        let each = Transform::each(kept.len(), things)?;
        if kept.len() == features {
            return Ok(each);
        }
        Transform::chain(features, vec![Transform::select(features, kept)?, each])
    };
    beside_marks(object, fill().within(|| object.path())?, context)
}

fn nearest(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let metric = object.attr("metric")?;
    if !metric.is_str() || metric.as_str()? != "nan_euclidean" {
        return Err(metric.unsupported("only metric='nan_euclidean' is read; train with it"));
    }
    let weights = object.attr("weights")?;
    let weights = match weights.as_str() {
        Ok(name) if name == "uniform" => Weights::Uniform,
        Ok(name) if name == "distance" => Weights::Distance,
        _ => return Err(weights.unsupported("only weights='uniform' and 'distance' are read; train with one of them")),
    };
    let place = object.attr("_fit_X")?;
    let (shape, mut rows) = matrix(place)?;
    let mask = object.attr("_mask_fit_X")?.array_bool()?.data;
    if mask.len() != rows.len() {
        return Err(place.malformed(format!("{} marks for {} numbers", mask.len(), rows.len())));
    }
    rows.iter_mut().zip(&mask).filter(|(_, marked)| **marked).for_each(|(x, _)| *x = f64::NAN);
    let asked = Asked {
        nearest: object.attr("n_neighbors")?.as_usize()?,
        weights,
        missing: missing(object, context)?,
        // Before 1.6.
        strangers: version(object)?.is_some_and(|version| version < (1, 6)),
    };
    let keeps = object.attr_some("keep_empty_features")?.map_or(Ok(false), Ref::as_bool)?;
    let fill = || {
        let donors = Donors::new(shape, rows, asked)?;
        let features = donors.features();
        let kept: Vec<usize> = (0..features).filter(|&column| keeps || !donors.is_empty(column)).collect();
        let all = kept.len() == features;
        let fill = Transform::whole(features, Whole::Fill(Arc::new(donors)))?;
        let steps = if all { vec![fill] } else { vec![fill, Transform::select(features, kept)?] };
        Transform::chain(features, steps)
    };
    beside_marks(object, fill().within(|| object.path())?, context)
}

/// A first filling, then a model of each column that had missing values, round after round.
fn iterative(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let sampled = object.attr("sample_posterior")?;
    if sampled.as_bool()? {
        return Err(sampled.unsupported("it fills at random; train without sample_posterior"));
    }
    let first = object.attr("initial_imputer_")?;
    let keeps = object.attr_some("keep_empty_features")?.map_or(Ok(false), Ref::as_bool)?;
    if keeps && version(object)?.is_some_and(|version| version < (1, 6)) {
        return Err(object.unsupported("keep_empty_features before 1.6 replaces all columns; train again without it"));
    }
    // Columns that are empty were dropped by the first filling, or stay as it fills them.
    let empty: Vec<bool> = match object.attr_some("_is_empty_feature")? {
        Some(marks) => marks.array_bool()?.data,
        None => first.attr("statistics_")?.array_f64()?.data.into_iter().map(f64::is_nan).collect(),
    };
    let columns: Vec<usize> = (0..empty.len()).filter(|&column| keeps || !empty[column]).collect();
    let mut filled = simple(first, context)?;
    // A constant fills empty columns too, which are dropped nevertheless.
    if filled.outputs() == empty.len() && columns.len() < empty.len() {
        let select = Transform::select(empty.len(), columns.clone());
        let drop = || Transform::chain(empty.len(), vec![filled, select?]);
        filled = drop().within(|| object.path())?;
    }
    let mut questions = Vec::new();
    if object.attr("n_iter_")?.as_i64()? != 0 {
        let bounds = [object.attr("_min_value")?.array_f64()?.data, object.attr("_max_value")?.array_f64()?.data];
        for place in object.attr("imputation_sequence_")?.list()? {
            questions.push(question(place, context, &bounds)?);
        }
    }
    let made = || Refine::new(filled, columns, missing(object, context)?, questions);
    let refine = made().within(|| object.path())?;
    beside_marks(object, Transform::Refine(Arc::new(refine)), context)
}

/// A named tuple of column, neighbours and estimator.
fn question(place: Ref<'_>, context: &Context<'_>, [low, high]: &[Vec<f64>; 2]) -> Result<Question> {
    let parts = match place.list() {
        Ok(parts) => parts,
        Err(_) => place.args()?,
    };
    let &[column, neighbours, estimator] = &*parts else { return Err(place.expected("a column, others, and a model")) };
    let column = column.as_usize()?;
    let mut others = Vec::new();
    for index in neighbours.array_i64()?.data {
        others.push(usize::try_from(index).map_err(|_| neighbours.malformed(format!("{index} is no column")))?);
    }
    let (Some(low), Some(high)) = (low.get(column), high.get(column)) else {
        return Err(place.malformed(format!("no bounds of column {column}")));
    };
    let model = Arc::new((context.model)(estimator, &context.of(Some(others.len())))?);
    Ok(Question { column, neighbours: others, model, bounds: (*low, *high) })
}

/// What an imputer gives, and behind it the marks that it adds.
fn beside_marks(object: Ref<'_>, fill: Transform, context: &Context<'_>) -> Result<Transform> {
    let features = fill.features();
    match object.attr_some("indicator_")? {
        Some(marks) => {
            let marks = indicators(marks, &context.of(Some(features)))?;
            let part = |step| UnionPart { columns: None, step, weight: None };
            Transform::union(features, vec![part(fill), part(marks)]).within(|| object.path())
        }
        None => Ok(fill),
    }
}

fn indicator(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    indicators(object, context)
}

fn indicators(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let features = match object.attr_some("_n_features")? {
        Some(count) => column_count(count)?,
        None => width(object, context)?,
    };
    let list = object.attr("features_")?;
    let mut columns = Vec::new();
    for index in list.array_i64()?.data {
        columns.push(usize::try_from(index).map_err(|_| list.malformed(format!("{index} is not a column")))?);
    }
    let missing = missing(object, context)?;
    let strict = object.attr("features")?.as_str()? == "missing-only"
        && object.attr_some("error_on_new")?.map_or(Ok(false), Ref::as_bool)?;
    let made = || {
        let select = Transform::select(features, columns.clone())?;
        let mut steps = Vec::new();
        if strict {
            let mut marks = vec![true; features];
            for &column in &columns {
                marks[column] = false;
            }
            steps.push(Transform::each(features, vec![Each::Refuse(missing, marks)])?);
        }
        steps.push(select);
        steps.push(Transform::each(columns.len(), vec![Each::Is(missing)])?);
        Transform::chain(features, steps)
    };
    made().within(|| object.path())
}
