//! Pipelines, unions and column transformers.

use super::{Context, Entry, Reader, alike, column_count, estimator, width};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::pipeline::{Pipeline, Transform, UnionPart};
use crate::ir::{Estimator, Model};
use crate::limits;
use std::collections::HashMap;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        class: "Pipeline",
        reader: Reader::Either(pipeline, chain),
        outputs: "those of the last step",
        refused: "steps that are not read",
    },
    Entry { class: "FeatureUnion", reader: Reader::Transform(union), outputs: "value", refused: "" },
    Entry { class: "ColumnTransformer", reader: Reader::Transform(columns), outputs: "value", refused: "" },
];

/// Name and object of a step.
pub(super) fn pair<'g>(step: Ref<'g>) -> Result<[Ref<'g>; 2]> {
    <[Ref<'g>; 2]>::try_from(step.list()?).map_err(|_| step.expected("a name and an object"))
}

/// Whether a step lets everything pass.
pub(super) fn passes(step: Ref<'_>) -> Result<bool> {
    Ok(step.is_none() || (step.is_str() && step.as_str()? == "passthrough"))
}

/// The steps that do something.
fn steps(object: Ref<'_>) -> Result<Vec<Ref<'_>>> {
    let mut steps = Vec::new();
    for step in object.attr("steps")?.list()? {
        let [_, step] = pair(step)?;
        if !passes(step)? {
            steps.push(step);
        }
    }
    Ok(steps)
}

fn pipeline(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let mut steps = steps(object)?;
    let last = steps.pop().ok_or_else(|| object.unsupported("a pipeline without a step that does something"))?;
    if super::transforms(last) {
        let mut model = super::alone(object, chain(object, context)?)?;
        if model.feature_names.is_none() {
            model.feature_names = first_names(object)?.filter(|names| names.len() == model.body.features());
        }
        return model.validated();
    }
    let kinds: Vec<String> = steps.iter().map(|step| step.class_name()).collect();
    // The model may know the width of its row, or the steps before it.
    let first = (context.model)(last, &context.of(context.width.filter(|_| steps.is_empty())));
    let takes = first.as_ref().ok().map(|model| model.body.features());
    let before = read_steps(steps, takes, context)?;
    let model = match (first, before.last()) {
        (Err(_), Some(step)) => (context.model)(last, &context.of(Some(step.outputs())))?,
        (first, _) => first?,
    };
    let (task, classes) = (model.task, model.classes.clone());
    // A booster may be the only one that knows the names.
    let last_names = if before.is_empty() { model.feature_names.clone() } else { None };
    let last = about(&model);
    let pipeline = Pipeline::new(before, Some(Box::new(model))).within(|| object.path())?;
    let importance = pipeline.importance();
    let mut whole = estimator(object, Estimator::Pipeline(pipeline), task, classes)?;
    whole.importance = importance;
    whole.source.details.insert("model".to_owned(), last);
    whole.source.details.insert("steps".to_owned(), kinds.into());
    if whole.feature_names.is_none() {
        whole.feature_names = first_names(object)?.or(last_names).filter(|names| names.len() == whole.body.features());
    }
    whole.validated()
}

/// What is known of the last model of a pipeline.
fn about(model: &Model) -> serde_json::Value {
    let source = &model.source;
    let mut facts = source.details.clone();
    for (key, value) in [
        ("library", Some(source.library)),
        ("library_version", source.version.as_deref()),
        ("objective", source.objective.as_deref()),
    ] {
        if let Some(value) = value {
            facts.insert(key.to_owned(), value.into());
        }
    }
    facts.into()
}

/// Steps behind each other, of any class. First ones that do not say how many columns they take change none of them: they take as
/// many as the first that says it, or the model behind them.
fn read_steps(steps: Vec<Ref<'_>>, behind: Option<usize>, context: &Context<'_>) -> Result<Vec<Transform>> {
    let (mut read, mut unknown, mut failed): (Vec<Transform>, _, _) = (Vec::new(), Vec::new(), None);
    for step in steps {
        let width = read.last().map(Transform::outputs).or(context.width);
        match (context.step)(step, width, context) {
            Err(error) if width.is_none() => {
                failed.get_or_insert(error);
                unknown.push(step);
            }
            made => read.push(made?),
        }
    }
    let width = read.first().map(Transform::features).or(behind);
    match (failed, width) {
        (None, _) => return Ok(read),
        (Some(error), None) => return Err(error),
        (Some(_), Some(_)) => {}
    }
    let mut all = Vec::new();
    for step in unknown {
        all.push((context.step)(step, width, context)?);
    }
    all.append(&mut read);
    Ok(all)
}

/// The names that the first step which does something was trained with.
fn first_names(object: Ref<'_>) -> Result<Option<Vec<String>>> {
    let mut object = object;
    loop {
        if let Some(names) = feature_names(object)? {
            return Ok(Some(names));
        }
        let steps = match object.class() {
            Some((_, "Pipeline")) => steps(object)?,
            _ => return Ok(None),
        };
        let Some(&first) = steps.first() else { return Ok(None) };
        object = first;
    }
}

/// Names of columns; the column transformer of 0.24 had an attribute of its own for them.
fn feature_names(object: Ref<'_>) -> Result<Option<Vec<String>>> {
    if object.class().is_none() {
        return Ok(None);
    }
    for attribute in ["feature_names_in_", "_feature_names_in"] {
        if let Some(names) = object.attr_some(attribute)? {
            return Ok(Some(names.array_strings()?.data));
        }
    }
    Ok(None)
}

/// A pipeline of transformers only.
fn chain(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let read = read_steps(steps(object)?, None, context)?;
    let features = read.first().map_or_else(|| width(object, context), |step| Ok(step.features()))?;
    Transform::chain(features, read).within(|| object.path())
}

/// The factor of a part.
fn weight(object: Ref<'_>, name: Ref<'_>) -> Result<Option<f64>> {
    match object.attr_some("transformer_weights")? {
        Some(weights) => weights.dict_get_opt(&name.as_str()?)?.map(Ref::as_f64).transpose(),
        None => Ok(None),
    }
}

fn is_dropped(step: Ref<'_>) -> Result<bool> {
    Ok(step.is_str() && step.as_str()? == "drop")
}

fn union(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let (mut entries, mut passing) = (Vec::new(), Vec::new());
    for entry in object.attr("transformer_list")?.list()? {
        entry.charge(limits::STEP_MEMORY)?;
        let [name, step] = pair(entry)?;
        if is_dropped(step)? || step.is_none() {
            continue;
        }
        passing.push((passes(step)?, weight(object, name)?));
        entries.push(step);
    }
    let doing: Vec<Ref<'_>> =
        entries.into_iter().zip(&passing).filter(|(_, (passes, _))| !passes).map(|(step, _)| step).collect();
    let read = |step, context: &Context<'_>| (context.step)(step, context.width, context);
    let mut steps = alike(&doing, context, read, Transform::features)?.into_iter();
    let features = steps.as_slice().first().map_or_else(|| width(object, context), |step| Ok(step.features()))?;
    let mut parts = Vec::new();
    for (passes, weight) in passing {
        let step = if passes { None } else { steps.next() };
        let step = step.unwrap_or_else(|| Transform::Chain(features, Vec::new()));
        parts.push(UnionPart { columns: None, step, weight });
    }
    Transform::union(features, parts).within(|| object.path())
}

fn columns(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let features = match object.attr_some("_n_features")? {
        Some(count) => column_count(count)?,
        None => width(object, context)?,
    };
    let names = feature_names(object)?;
    let names = names.as_deref().map(places);
    let resolved = object.attr_some("_transformer_to_input_indices")?;
    let mut parts = Vec::new();
    for entry in object.attr("transformers_")?.list()? {
        entry.charge(limits::STEP_MEMORY)?;
        let items = entry.list()?;
        let &[name, step, columns] = &*items else { return Err(entry.expected("a name, an object and columns")) };
        if is_dropped(step)? {
            continue;
        }
        let known = match resolved {
            Some(indices) => indices.dict_get_opt(&name.as_str()?)?,
            None => None,
        };
        let columns = chosen(known.unwrap_or(columns), features, names.as_ref())?;
        if columns.is_empty() {
            continue;
        }
        let weight = weight(object, name)?;
        let step = if passes(step)? {
            Transform::Chain(columns.len(), Vec::new())
        } else {
            (context.step)(step, Some(columns.len()), context)?
        };
        parts.push(UnionPart { columns: Some(columns), step, weight });
    }
    Transform::union(features, parts).within(|| object.path())
}

/// The column of each name; of two columns of the same name the first one is meant.
pub(in crate::formats) fn places(names: &[String]) -> HashMap<&str, usize> {
    names.iter().enumerate().rev().map(|(place, name)| (&**name, place)).collect()
}

/// Columns by number, name, mask or slice.
pub(in crate::formats) fn chosen(
    columns: Ref<'_>,
    features: usize,
    names: Option<&HashMap<&str, usize>>,
) -> Result<Vec<usize>> {
    let by_number = |number: i64| {
        let index =
            if number < 0 { number.checked_add(i64::try_from(features).unwrap_or(i64::MAX)) } else { Some(number) };
        index
            .and_then(|index| usize::try_from(index).ok())
            .filter(|&index| index < features)
            .ok_or_else(|| columns.malformed(format!("column {number} of {features}")))
    };
    let by_name = |name: &str| {
        names.and_then(|names| names.get(name).copied()).ok_or_else(|| {
            columns.unsupported(format!("the column '{name}' is not among the names that the file holds"))
        })
    };
    if let Ok([start, stop, step]) = columns.slice() {
        let bound = |bound: Ref<'_>, none: usize, past: usize| -> Result<usize> {
            if bound.is_none() {
                return Ok(none);
            }
            if bound.is_str() {
                return Ok(by_name(&bound.as_str()?)? + past);
            }
            let number = bound.as_i64()?;
            let width = i64::try_from(features).unwrap_or(i64::MAX);
            let number = if number < 0 { number.saturating_add(width) } else { number };
            Ok(usize::try_from(number.clamp(0, width)).unwrap_or(0))
        };
        let (start, stop) = (bound(start, 0, 0)?, bound(stop, features, 1)?);
        let by = if step.is_none() { 1 } else { step.as_usize()? };
        if by == 0 {
            return Err(step.expected("a step above 0"));
        }
        let chosen = (start..stop).step_by(by);
        columns.charge(size_of::<usize>() * chosen.len())?;
        return Ok(chosen.collect());
    }
    if columns.is_str() {
        return Ok(vec![by_name(&columns.as_str()?)?]);
    }
    // The columns of the remainder are a list of their own kind.
    let columns = match columns.class() {
        Some((_, "_RemainderColsList")) => columns.attr("data")?,
        _ => columns,
    };
    if let Ok(list) = columns.list()
        && list.first().is_some_and(|first| first.is_str())
    {
        return list.iter().map(|name| by_name(&name.as_str()?)).collect();
    }
    let is_mask = match columns.raw_array()? {
        Some(array) => array.bools().is_ok(),
        None => columns.list().is_ok_and(|list| list.first().is_some_and(|first| first.describe() == "a bool")),
    };
    if is_mask {
        let mask = columns.array_bool()?.data;
        if mask.len() != features {
            return Err(columns.malformed(format!("a mask of {} for {features} columns", mask.len())));
        }
        return Ok((0..features).filter(|&column| mask[column]).collect());
    }
    if let Ok(number) = columns.as_i64() {
        return Ok(vec![by_number(number)?]);
    }
    if columns.is_array() && columns.array_i64().is_err() {
        return columns.array_strings()?.data.iter().map(|name| by_name(name)).collect();
    }
    columns.array_i64()?.data.into_iter().map(by_number).collect()
}
