//! Dicts, tuples and lists that hold models.

use super::object::{self, Fields, archive, holds_model};
use super::{boosters, made, regimes, unknown};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::formats::{Context, sklearn};
use crate::ir::blend::{Blend, Rule, Way};
use crate::ir::pipeline::{Transform, UnionPart};
use crate::ir::transform::Whole;
use crate::ir::{Body, Estimator, Model, Output, Task};
use serde_json::json;
use std::sync::Arc;

/// Reads what has no class of its own.
pub(super) fn read(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    if object.is_none() {
        return Err(object.malformed("not trained: None stands where a model is expected"));
    }
    if object.is_list() {
        return pieces(object, object.list()?, context);
    }
    if object.is_dict() {
        if holds_model(object)? || Fields(object).any(object::MEMBERS.names)?.is_some() {
            return object::read(object, context);
        }
        let pairs = object.items()?;
        if let Some(quantiles) = quantiles(&pairs) {
            return side_by_side(object, &quantiles, context);
        }
        return pieces(object, pairs.into_iter().map(|(_, value)| value).collect(), context);
    }
    match archive(object)? {
        Some(bytes) => boosters::booster(object, &bytes, context.options),
        None => Err(unknown(object)),
    }
}

/// What an item of a tuple is.
enum Piece<'g> {
    Model(Ref<'g>),
    Several(Vec<Ref<'g>>),
    Step(Ref<'g>),
    Other,
}

fn piece(item: Ref<'_>) -> Result<Piece<'_>> {
    if item.class().is_some() {
        return of_object(item);
    }
    if item.is_dict() {
        return Ok(if holds_model(item)? { Piece::Model(item) } else { Piece::Other });
    }
    if !item.is_list() {
        return Ok(Piece::Other);
    }
    let items = item.list()?;
    for inner in &items {
        if !matches!(of_object(*inner)?, Piece::Model(_)) {
            return Ok(Piece::Other);
        }
    }
    Ok(if items.is_empty() { Piece::Other } else { Piece::Several(items) })
}

fn of_object(item: Ref<'_>) -> Result<Piece<'_>> {
    let Some((module, _)) = item.class() else { return Ok(Piece::Other) };
    Ok(match module.split('.').next().unwrap_or_default() {
        "lightgbm" | "xgboost" | "catboost" | "ngboost" => Piece::Model(item),
        "sklearn" if sklearn::transforms(item) => Piece::Step(item),
        "sklearn" if sklearn::acts(item) => Piece::Model(item),
        "numpy" => Piece::Other,
        _ if holds_model(item)? => Piece::Model(item),
        _ => Piece::Other,
    })
}

/// Reads one model with the steps in front of it, or several models whose mean is meant, among other things.
pub(super) fn pieces(object: Ref<'_>, items: Vec<Ref<'_>>, context: &Context<'_>) -> Result<Model> {
    if let Some((mixture, regressors)) = regimes::in_list(object)? {
        return regime(object, &items, mixture, &regressors, context);
    }
    let (mut models, mut lists, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        match piece(item)? {
            Piece::Model(model) => models.push(model),
            Piece::Several(list) => lists.push(list),
            Piece::Step(step) => steps.push(step),
            Piece::Other => {}
        }
    }
    let model = match (&*models, &mut *lists) {
        ([], []) => match *steps {
            // A scaler alone is a model whose value is the row it gives.
            [only] => return (context.model)(only, context),
            _ => return Err(unknown(object)),
        },
        ([model], []) => (context.model)(*model, context)?,
        (several, []) => mean(object, several, context)?,
        ([], [list]) => mean(object, list, context)?,
        _ => {
            return Err(object.unsupported(format!(
                "it holds {} models and {} lists of models, and nothing says which is meant; save the one that is",
                models.len(),
                lists.len()
            )));
        }
    };
    let mut before: Vec<Transform> = Vec::new();
    for step in steps {
        before.push((context.step)(step, before.last().map(Transform::outputs), context)?);
    }
    made(object, model.behind(before))
}

/// A mixture and its regressors, with the steps in front of the mixture: in a tuple they have no names, but a place.
fn regime(
    object: Ref<'_>,
    items: &[Ref<'_>],
    mixture: Ref<'_>,
    regressors: &[Ref<'_>],
    context: &Context<'_>,
) -> Result<Model> {
    let steps: Vec<Ref<'_>> = items.iter().copied().filter(|item| sklearn::transforms(*item)).collect();
    let (scaler, pca) = match *steps {
        [] => (None, None),
        [one] => (Some(one), None),
        [scaler, pca] => (Some(scaler), Some(pca)),
        _ => {
            return Err(
                object.unsupported("a scaler and a PCA are expected beside a mixture; nothing says what the others do")
            );
        }
    };
    let model = regimes::read(object, mixture, regressors, scaler, pca, context)?;
    let mask = items.iter().find(|item| item.class() == Some(("numpy", "ndarray")) && item.array_bool().is_ok());
    let Some(mask) = mask else { return Ok(model) };
    let columns = sklearn::chosen(*mask, mask.array_bool()?.data.len(), None)?;
    let select = Transform::select(mask.array_bool()?.data.len(), columns).within(|| mask.path())?;
    made(object, model.behind(vec![select]))
}

/// Whether the caller said that the family is one of these.
fn is_family(context: &Context<'_>, families: &[&str]) -> bool {
    let Some(family) = &context.options.family else { return false };
    let plain: String = family.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    families.contains(&&*plain)
}

/// The mean of members: linear ones are the regimes of a change point model, others must be said to be an ensemble.
fn mean(object: Ref<'_>, list: &[Ref<'_>], context: &Context<'_>) -> Result<Model> {
    let models: Vec<Model> = list.iter().map(|member| (context.model)(*member, context)).collect::<Result<_>>()?;
    let linear = models.iter().all(|model| matches!(model.body, Body::Linear(_)));
    match <[Model; 1]>::try_from(models) {
        Ok([only]) => Ok(only),
        Err(models) if linear || is_family(context, &["changepoint", "ensemble"]) => {
            let weights = vec![1.0; models.len()];
            combined(object, models, |width| Whole::Mean { width, weights })
        }
        Err(models) => Err(object.unsupported(format!(
            "it holds {} models and nothing says what is made of them; save the one that is meant, or a VotingRegressor of them; if \
             their mean is meant, open it with the family 'ensemble'",
            models.len()
        ))),
    }
}

/// Reads members by name or in a list, and their weights.
pub(super) fn members(
    object: Ref<'_>,
    members: Ref<'_>,
    weights: Option<Ref<'_>>,
    context: &Context<'_>,
) -> Result<Model> {
    let named = members.is_dict();
    let pairs: Vec<(Option<String>, Ref<'_>)> = if named {
        let name = |name: Ref<'_>| name.as_str().ok().map(std::borrow::Cow::into_owned);
        members.items()?.into_iter().map(|(key, value)| (name(key), value)).collect()
    } else {
        members.list()?.into_iter().map(named_pair).collect()
    };
    let Some(weights) = weights else {
        if let (true, Some(quantiles)) = (named, quantiles(&members.items()?)) {
            return side_by_side(object, &quantiles, context);
        }
        return match *pairs {
            [(_, only)] => (context.model)(only, context),
            _ if named => Err(members.unsupported(format!(
                "models for {} and no weights, so that nothing says which is meant; save that one alone",
                pairs.iter().filter_map(|(name, _)| name.as_deref()).take(8).collect::<Vec<_>>().join(", ")
            ))),
            _ => mean(object, &pairs.into_iter().map(|(_, member)| member).collect::<Vec<_>>(), context),
        };
    };
    let (mut models, mut factors) = (Vec::new(), Vec::new());
    let list = if weights.is_dict() { None } else { Some(numbers(weights)?) };
    if let Some(list) = &list
        && list.len() != pairs.len()
    {
        return Err(weights.malformed(format!("{} weights for {} members", list.len(), pairs.len())));
    }
    for (at, (name, member)) in pairs.iter().enumerate() {
        let factor = match (&list, name) {
            (Some(list), _) => list[at],
            (None, Some(name)) => weights.dict_get(name)?.as_f64()?,
            (None, None) => return Err(weights.unsupported("weights by name for members without names")),
        };
        models.push((context.model)(*member, context)?);
        factors.push(factor);
    }
    let shown = json!(factors);
    let mut model = combined(object, models, |_| Whole::Sum(factors))?;
    model.source.details.insert("weights".to_owned(), shown);
    Ok(model)
}

fn numbers(list: Ref<'_>) -> Result<Vec<f64>> {
    if list.is_array() { Ok(list.array_f64()?.data) } else { list.list()?.into_iter().map(Ref::as_f64).collect() }
}

/// A member in a list, which may stand behind its name.
fn named_pair(item: Ref<'_>) -> (Option<String>, Ref<'_>) {
    if item.is_list()
        && let Ok(&[name, member]) = item.list().as_deref()
        && let Ok(name) = name.as_str()
    {
        return (Some(name.into_owned()), member);
    }
    (None, item)
}

/// Regressors whose answers become one.
fn combined(object: Ref<'_>, models: Vec<Model>, rule: impl FnOnce(usize) -> Whole) -> Result<Model> {
    let width = models.first().map_or(0, |model| model.body.outputs());
    if let Some(at) = models.iter().position(|model| model.task.classes().is_some() || model.body.outputs() != width) {
        return Err(object.unsupported(format!("member {at} is no regressor of {width} numbers like the first")));
    }
    let source = models.first().map(|model| model.source.clone()).unwrap_or_default();
    let features = models.first().map_or(0, |model| model.body.features());
    let count = models.len();
    let names = models.first().and_then(|model| model.feature_names.clone());
    let part = |model: Model| {
        let step = Transform::answer(&Arc::new(model), Output::Value, 0, width);
        UnionPart { columns: None, step, weight: None }
    };
    let made_of = || {
        let side = Transform::union(features, models.into_iter().map(part).collect())?;
        let columns = side.outputs();
        let path = Transform::chain(features, vec![side, Transform::whole(columns, rule(width))?])?;
        let way = |output| Way { output, path: 0, rule: Rule::Same };
        Blend::new(vec![path], vec![way(Output::Value), way(Output::Raw)])
    };
    let blend = made_of().within(|| object.path())?;
    let mut model = Model::plain(Body::Estimator(Arc::new(Estimator::Blend(blend))), Task::Regression);
    model.source = source;
    model.source.details.clear();
    model.source.details.insert("members".to_owned(), count.into());
    model.feature_names = names;
    made(object, Ok(model))
}

/// Models by the quantile that each was trained for, in ascending order, when every key is a share between 0 and 1.
fn quantiles<'g>(pairs: &[(Ref<'g>, Ref<'g>)]) -> Option<Vec<(f64, Ref<'g>)>> {
    let share = |key: Ref<'_>| match key.as_str() {
        Ok(text) => text.parse::<f64>().ok(),
        Err(_) => key.as_f64().ok(),
    };
    let inside = |key: Ref<'_>| share(key).filter(|share| *share > 0.0 && *share < 1.0);
    let mut found: Vec<(f64, Ref<'g>)> =
        pairs.iter().map(|(key, value)| Some((inside(*key)?, *value))).collect::<Option<_>>()?;
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    (!found.is_empty()).then_some(found)
}

/// One model for each quantile: the distribution has a column for each, the value is that of the median.
fn side_by_side(object: Ref<'_>, quantiles: &[(f64, Ref<'_>)], context: &Context<'_>) -> Result<Model> {
    let shares: Vec<f64> = quantiles.iter().map(|(share, _)| *share).collect();
    let median = shares.iter().position(|share| (share - 0.5).abs() < 1e-9);
    let models: Vec<Arc<Model>> =
        quantiles.iter().map(|(_, model)| (context.model)(*model, context).map(Arc::new)).collect::<Result<_>>()?;
    if let Some(at) = models.iter().position(|model| model.task.classes().is_some() || model.body.outputs() != 1) {
        return Err(object.unsupported(format!("the model of quantile {} is no regressor of one number", shares[at])));
    }
    let features = models.first().map_or(0, |model| model.body.features());
    let answer = |model: &Arc<Model>| Transform::answer(model, Output::Value, 0, 1);
    let parts = models.iter().map(|model| UnionPart { columns: None, step: answer(model), weight: None }).collect();
    let all = Transform::union(features, parts).within(|| object.path())?;
    let way = |output, path| Way { output, path, rule: Rule::Same };
    let (paths, ways) = match median {
        Some(at) => (
            vec![answer(&models[at]), all],
            vec![way(Output::Value, 0), way(Output::Raw, 0), way(Output::Distribution, 1)],
        ),
        None => (vec![all], vec![way(Output::Value, 0), way(Output::Raw, 0), way(Output::Distribution, 0)]),
    };
    let blend = Blend::new(paths, ways).within(|| object.path())?;
    let mut model = Model::plain(Body::Estimator(Arc::new(Estimator::Blend(blend))), Task::Distribution);
    if let Some(first) = models.first() {
        model.source = first.source.clone();
        model.feature_names.clone_from(&first.feature_names);
    }
    model.source.details.insert("quantiles".to_owned(), json!(shares));
    made(object, Ok(model))
}
