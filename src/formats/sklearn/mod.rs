//! Estimators of scikit-learn, 0.19 to 1.9, by their attributes.
//!
//! [`TABLE`] says class by class who reads it; the table in the documentation is made from it. Attributes are read by name and
//! arrays by field name, so that the layouts of all versions work.

mod bayes;
mod calibration;
mod categories;
mod clusters;
mod compose;
mod decisions;
mod discriminant;
mod dummy;
mod encode;
mod function;
mod impute;
mod isotonic;
mod kernels;
mod linear;
mod meta;
mod methods;
mod mixture;
mod neighbors;
mod neural;
mod outliers;
mod pls;
mod preprocessing;
mod process;
mod projection;
mod refused;
mod select;
mod similarity;
mod solve;
mod splines;
mod trees;

pub(super) use compose::{chosen, places};

use super::Context;
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::pipeline::{Pipeline, Transform};
use crate::ir::{Body, Classes, Decision, Estimator, Importance, Link, Model, Precision, Source, Task};
use crate::limits;
use std::sync::Arc;

/// What reads a class.
#[derive(Clone, Copy)]
pub enum Reader {
    /// A predictor becomes a model.
    Model(fn(Ref<'_>, &Context<'_>) -> Result<Model>),
    /// A transformer becomes a step of a pipeline.
    Transform(fn(Ref<'_>, &Context<'_>) -> Result<Transform>),
    /// A model when it stands alone or last, a step when it stands before others.
    Either(fn(Ref<'_>, &Context<'_>) -> Result<Model>, fn(Ref<'_>, &Context<'_>) -> Result<Transform>),
}

/// One class that is read.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Name of the class; the module moved between versions and does not matter.
    pub class: &'static str,
    /// Who reads it.
    pub reader: Reader,
    /// The outputs it has, as the documentation says them.
    pub outputs: &'static str,
    /// What of it is refused, or "".
    pub refused: &'static str,
}

/// Every class of scikit-learn that is read, by subject.
pub const TABLE: &[&[Entry]] = &[
    trees::ENTRIES,
    linear::ENTRIES,
    kernels::ENTRIES,
    neural::ENTRIES,
    neighbors::ENTRIES,
    bayes::ENTRIES,
    discriminant::ENTRIES,
    mixture::ENTRIES,
    clusters::ENTRIES,
    isotonic::ENTRIES,
    projection::ENTRIES,
    pls::ENTRIES,
    similarity::ENTRIES,
    process::ENTRIES,
    outliers::ENTRIES,
    dummy::ENTRIES,
    preprocessing::ENTRIES,
    impute::ENTRIES,
    encode::ENTRIES,
    splines::ENTRIES,
    select::ENTRIES,
    compose::ENTRIES,
    meta::ENTRIES,
    calibration::ENTRIES,
    decisions::ENTRIES,
];

/// The entry of a class.
fn entry(name: &str) -> Option<&'static Entry> {
    TABLE.iter().flat_map(|entries| entries.iter()).find(|entry| entry.class == name)
}

/// Reads an object of a class of scikit-learn; a transformer alone becomes a model whose value is the row it gives.
///
/// # Errors
/// `MI_UNSUPPORTED` for a class that is not in [`TABLE`]; those of its reader.
pub(super) fn read(object: Ref<'_>, name: &str, context: &Context<'_>) -> Result<Model> {
    match entry(name).map(|entry| entry.reader) {
        Some(Reader::Model(read) | Reader::Either(read, _)) => read(object, context),
        Some(Reader::Transform(read)) => alone(object, read(object, context)?),
        None => Err(object.unsupported(format!("scikit-learn's {name} is not read: {}", refused::reason(name)))),
    }
}

/// Reads a transformer of scikit-learn, as a step of a pipeline.
///
/// # Errors
/// `MI_UNSUPPORTED` for a class that is not in [`TABLE`] or predicts; those of its reader.
pub(super) fn transform(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    object.charge(limits::STEP_MEMORY)?;
    let name = object.class().filter(|(module, _)| module.starts_with("sklearn.")).map(|(_, name)| name);
    match name.and_then(entry).map(|entry| entry.reader) {
        Some(Reader::Transform(read) | Reader::Either(_, read)) => read(object, context),
        _ => Err(object.unsupported(format!(
            "{} is not a transformer that is read: {}",
            object.describe(),
            refused::reason(name.unwrap_or_default())
        ))),
    }
}

/// Whether an object is a transformer and nothing else.
pub(super) fn transforms(object: Ref<'_>) -> bool {
    let name = object.class().filter(|(module, _)| module.starts_with("sklearn.")).map(|(_, name)| name);
    matches!(name.and_then(entry).map(|entry| entry.reader), Some(Reader::Transform(_)))
}

/// Whether an object is one that predicts or changes rows.
pub(super) fn acts(object: Ref<'_>) -> bool {
    let name = object.class().filter(|(module, _)| module.starts_with("sklearn.")).map(|(_, name)| name);
    name.is_some_and(|name| entry(name).is_some())
}

/// Columns that an object was trained on, or that what is around it says.
fn width(object: Ref<'_>, context: &Context<'_>) -> Result<usize> {
    match (object.attr_some("n_features_in_")?, context.width) {
        (Some(width), _) => column_count(width),
        (None, Some(width)) => object.charge(width / 8).map(|()| width),
        (None, None) => Err(object.unsupported(
            "neither it nor anything around it says how many columns it takes: it is not trained, or written by a version of \
             scikit-learn that does not keep the number; train it again, or put it into a pipeline with a scaler",
        )),
    }
}

/// A number of columns. Readers make room for each of them, and nothing in the file has their size.
///
/// # Errors
/// `MI_LIMIT_EXCEEDED` for more than [`limits::FEATURES`].
fn column_count(count: Ref<'_>) -> Result<usize> {
    let columns = count.as_usize()?;
    limits::check("features", columns, limits::FEATURES).within(|| count.path())?;
    count.charge(columns / 8)?;
    Ok(columns)
}

/// Reads objects that take the same row. One that does not say how many columns that has takes as many as the first that does.
fn alike<'g, T>(
    objects: &[Ref<'g>],
    context: &Context<'_>,
    read: impl Fn(Ref<'g>, &Context<'_>) -> Result<T>,
    features: impl Fn(&T) -> usize,
) -> Result<Vec<T>> {
    let mut width = context.width;
    let (mut found, mut failed) = (Vec::new(), None);
    for object in objects {
        match read(*object, &context.of(width)) {
            Ok(made) => {
                width.get_or_insert(features(&made));
                found.push(Some(made));
            }
            Err(error) if width.is_none() => {
                failed.get_or_insert(error);
                found.push(None);
            }
            Err(error) => return Err(error),
        }
    }
    if let (Some(error), None) = (failed, width) {
        return Err(error);
    }
    let context = context.of(width);
    found.into_iter().zip(objects).map(|(made, object)| made.map_or_else(|| read(*object, &context), Ok)).collect()
}

/// A transformer as a model whose value is the row it gives.
fn alone(object: Ref<'_>, step: Transform) -> Result<Model> {
    estimator(object, Estimator::Pipeline(Pipeline::new(vec![step], None)?), Task::Regression, Classes::Index)
}

/// A model of scikit-learn around an estimator.
fn estimator(object: Ref<'_>, estimator: Estimator, task: Task, classes: Classes) -> Result<Model> {
    model(object, Body::Estimator(Arc::new(estimator)), Link::Identity, task, classes)
}

/// A model of scikit-learn, with what every object of it says of itself.
fn model(object: Ref<'_>, body: Body, link: Link, task: Task, classes: Classes) -> Result<Model> {
    let version = match object.attr_some("_sklearn_version")? {
        Some(version) => Some(version.as_str()?.into_owned()),
        None => None,
    };
    let feature_names = match object.attr_some("feature_names_in_")? {
        Some(names) => Some(names.array_strings()?.data),
        None => None,
    };
    let mut details = serde_json::Map::new();
    details.insert("class".to_owned(), object.class().map(|(module, name)| format!("{module}.{name}")).into());
    if task == Task::Multilabel
        && let Some(labels) = labels_of_several(object)?
    {
        details.insert("classes".to_owned(), labels.json()?);
    }
    Model {
        body,
        average: None,
        link,
        precision: Precision::F64,
        task,
        classes,
        decision: Decision::default(),
        feature_names,
        texts: None,
        importance: Importance::default(),
        source: Source { library: "scikit-learn", version, format: "python pickle", details, ..Source::default() },
    }
    .validated()
    .map_err(|error| error.within(object.path()))
}

/// The labels of a classifier of several outputs: a list for each of them, or one of their names.
fn labels_of_several(object: Ref<'_>) -> Result<Option<Ref<'_>>> {
    match (object.attr_some("classes_")?, object.attr_some("_label_binarizer")?) {
        (None, Some(binarizer)) => binarizer.attr_some("classes_"),
        (labels, _) => Ok(labels),
    }
}

/// Makes a regressor one that predicts this quantile: its value is a distribution of one column.
fn is_quantile(model: &mut Model, quantile: Ref<'_>) -> Result<()> {
    model.task = Task::Distribution;
    model.source.details.insert("quantiles".to_owned(), serde_json::json!([quantile.as_f64()?]));
    Ok(())
}

/// The release that trained an object, `(1, 5)` for 1.5.2, as far as the file tells.
fn version(object: Ref<'_>) -> Result<Option<(u32, u32)>> {
    let Some(text) = object.attr_some("_sklearn_version")? else { return Ok(None) };
    let text = text.as_str()?;
    let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
    Ok(parts.next().flatten().zip(parts.next().flatten()))
}

/// The shape and the numbers of an array of two axes, with at least one column.
fn matrix(place: Ref<'_>) -> Result<([usize; 2], Vec<f64>)> {
    let array = place.array_f64()?;
    match *array.shape {
        [_, 0] => Err(place.malformed("an array without columns")),
        [rows, columns] => {
            limits::check("columns of an array", columns, limits::FEATURES).within(|| place.path())?;
            Ok(([rows, columns], array.data))
        }
        _ => Err(place.malformed(format!("two axes are expected, not {:?}", array.shape))),
    }
}

/// Rows and columns change places.
fn transposed([rows, columns]: [usize; 2], numbers: &[f64]) -> Vec<f64> {
    (0..columns).flat_map(|column| numbers.iter().skip(column).step_by(columns).take(rows)).copied().collect()
}

/// Numbers of one output along one axis, or of several in columns: one output after another, and how many there are.
fn outputs_first(place: Ref<'_>) -> Result<(Vec<f64>, usize)> {
    if place.shape()?.len() == 1 {
        return Ok((place.array_f64()?.data, 1));
    }
    let (shape, numbers) = matrix(place)?;
    Ok((transposed(shape, &numbers), shape[1]))
}

/// Class labels, from `classes_`.
pub(super) fn classes(labels: Ref<'_>) -> Result<Classes> {
    match labels.array_f64() {
        Ok(numbers) => Ok(Classes::Numbers(numbers.data)),
        Err(_) => Ok(Classes::Strings(labels.array_strings()?.data)),
    }
}
