//! Pickled Python objects: which reader knows their class.
//!
//! The only reader that knows other readers: a scikit-learn pipeline may hold a LightGBM estimator. A booster inside of a pickle is
//! its own file format once more (LightGBM's text, XGBoost's UBJSON, CatBoost's `.cbm`), read by the same reader, with the rules
//! that the estimator around it adds: where it stops, what counts as missing, the names of its classes.

use super::detect::{self, Format};
use super::{Context, ReadOptions, sklearn};
use crate::codec::pickle::{self, Ref};
use crate::error::{Error, Result, Within};
use crate::ir::pipeline::{Pipeline, Transform};
use crate::ir::text::{Numbers, Vocabulary};
use crate::ir::transform::Codes;
use crate::ir::{Body, Decision, Estimator, Link, Model, flow};
use crate::limits;
use std::cell::RefCell;
use std::sync::Arc;

/// Reads a pickle or joblib file that holds a model.
///
/// # Errors
/// Those of [`pickle::decode`]; `MI_UNSUPPORTED` for an object that no reader knows, naming its class and its place in the file.
pub(super) fn read(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    let graph = pickle::decode(bytes)?;
    let words = RefCell::new(Vocabulary::default());
    let mut model = model(graph.root(), &Context { options, words: &words, model: inner })?;
    if model.texts.is_none() {
        let words = words.into_inner();
        match flow::text_columns(&model, &words) {
            Ok(texts) => model.texts = Some(Arc::new(texts)),
            // A model without text needs to know nothing.
            Err(_) if words.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(model)
}

/// Reads an object inside of another one. Its columns of text become a step that takes the words of the whole model.
fn inner(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let mut model = model(object, context)?;
    let Some(texts) = model.texts.take() else { return Ok(model) };
    let mut words = context.words.borrow_mut();
    let mut columns = Vec::new();
    for column in texts.columns().iter().filter(|column| column.numbers() == Numbers::Codes) {
        let mut pairs = limits::vec("categories", column.known().len())?;
        for (text, code) in column.known() {
            pairs.push((words.word(text)?, code));
        }
        if let Some(cut) = column.cut() {
            pairs.push((words.cut(cut)?, cut.number));
        }
        let unknown = if column.may_refuse() { None } else { Some(f64::NAN) };
        columns.push((column.column() as usize, Codes::of_words(pairs, unknown)));
    }
    if columns.is_empty() {
        return Ok(model);
    }
    let step = Transform::codes(model.body.features(), columns)?;
    behind(step, model)
}

/// Reads an object of any class that is known.
fn model(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    if let Some((module, name)) = object.class() {
        match module.split('.').next().unwrap_or_default() {
            "sklearn" => return sklearn::read(object, name, context),
            "lightgbm" => return lightgbm(object, name, context),
            "xgboost" => return xgboost(object, name, context),
            "catboost" => return catboost(object, context),
            _ => {}
        }
    }
    Err(Error::unsupported(format!(
        "{}: {} is not a model that is known; save the model inside of it alone, or export it to ONNX",
        object.path(),
        object.describe()
    )))
}

fn not_trained(object: Ref<'_>) -> Error {
    object.malformed("not trained: it holds no booster; fit it before it is saved")
}

/// The bytes of a booster in its own format. A pickle inside of them would be a file that was made to go round in circles.
fn booster(object: Ref<'_>, bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    match detect::detect(bytes)? {
        Format::Pickle => Err(object.malformed("a booster was expected in these bytes, they are a pickle")),
        _ => super::read(bytes, options),
    }
    .within(|| object.path())
    .map(|mut model| {
        let class = object.class().map(|(module, name)| format!("{module}.{name}"));
        model.source.details.insert("class".to_owned(), class.into());
        model
    })
}

/// What the caller said, or else all rounds up to the best one.
fn until(best: Option<i64>, options: &ReadOptions) -> ReadOptions {
    let mut options = options.clone();
    if let (0, 0, Some(best)) = (options.iteration_begin, options.iteration_end, best) {
        options.iteration_end = u32::try_from(best).unwrap_or(0);
    }
    options
}

/// A positive number of rounds in this attribute.
fn rounds(object: Ref<'_>, attribute: &str) -> Result<Option<i64>> {
    match object.attr_some(attribute)? {
        Some(best) => Ok(Some(best.as_i64()?).filter(|&best| best > 0)),
        None => Ok(None),
    }
}

/// `LGBMRegressor`, `LGBMClassifier`, `LGBMRanker` and `Booster`: the text in `_handle` (4.x) or `handle` (3.x). `predict` stops at
/// `best_iteration` when it is positive.
fn lightgbm(object: Ref<'_>, name: &str, context: &Context<'_>) -> Result<Model> {
    if name != "Booster" {
        let inner = object.attr_some("_Booster")?.ok_or_else(|| not_trained(object))?;
        let best = match rounds(object, "_best_iteration")? {
            Some(best) => Some(best),
            None => rounds(inner, "best_iteration")?,
        };
        let mut model = lightgbm_text(inner, best, context)?;
        if let Some(labels) = object.attr_some("_classes")?
            && model.task.classes().is_some()
        {
            model.classes = sklearn::classes(labels)?;
        }
        return model.validated();
    }
    lightgbm_text(object, rounds(object, "best_iteration")?, context)
}

fn lightgbm_text(object: Ref<'_>, best: Option<i64>, context: &Context<'_>) -> Result<Model> {
    let handle = match object.attr_some("_handle")? {
        Some(handle) => Some(handle),
        None => object.attr_some("handle")?,
    };
    let handle = handle.ok_or_else(|| not_trained(object))?;
    booster(object, handle.as_str()?.as_bytes(), &until(best, context.options))
}

/// `XGBRegressor`, `XGBClassifier`, `XGBRanker`, `XGBRF*` and `Booster`: the bytes in `handle`. An estimator stops at
/// `best_iteration`, a bare booster does not; an estimator's `missing` is one more number that means missing.
fn xgboost(object: Ref<'_>, name: &str, context: &Context<'_>) -> Result<Model> {
    if name == "Booster" {
        let handle = object.attr_some("handle")?.ok_or_else(|| not_trained(object))?;
        return booster(object, &handle.bytes()?, context.options);
    }
    let inner = object.attr_some("_Booster")?.ok_or_else(|| not_trained(object))?;
    let handle = inner.attr_some("handle")?.ok_or_else(|| not_trained(inner))?;
    let bytes = handle.bytes()?;
    let mut model = booster(object, &bytes, context.options)?;
    let best = model.source.details.get("best_iteration").and_then(serde_json::Value::as_i64);
    if best.is_some() && context.options.iteration_begin == 0 && context.options.iteration_end == 0 {
        model = booster(object, &bytes, &until(best.and_then(|best| best.checked_add(1)), context.options))?;
    }
    let encoder = match object.attr_some("_le")? {
        Some(encoder) => encoder.attr_some("classes_")?,
        None => None,
    };
    if let Some(labels) = encoder
        && model.task.classes().is_some()
    {
        model.classes = sklearn::classes(labels)?;
    }
    let missing = match object.attr_some("missing")? {
        Some(missing) => missing.as_f64()?,
        None => f64::NAN,
    };
    if missing.is_nan() { model.validated() } else { reading_as_missing(missing, model.validated()?) }
}

/// The model behind a step that turns one number into NaN. The library compares in float32.
fn reading_as_missing(missing: f64, model: Model) -> Result<Model> {
    behind(Transform::Missing { features: model.body.features(), number: missing }, model)
}

/// The model behind a step that keeps the columns as they are.
fn behind(step: Transform, mut model: Model) -> Result<Model> {
    let texts = model.texts.take();
    let (task, classes) = (model.task, model.classes.clone());
    let (feature_names, importance, source) =
        (model.feature_names.clone(), model.importance.clone(), model.source.clone());
    let precision = model.precision;
    Model {
        body: Body::Estimator(Arc::new(Estimator::Pipeline(Pipeline::new(vec![step], Some(Box::new(model)))?))),
        average: None,
        link: Link::Identity,
        decision: Decision::default(),
        precision,
        task,
        classes,
        feature_names,
        texts,
        importance,
        source,
    }
    .validated()
}

/// `CatBoost`, `CatBoostRegressor`, `CatBoostClassifier`, `CatBoostRanker`: the bytes in `__model`, which say everything.
fn catboost(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let bytes = object.attr_some("__model")?.ok_or_else(|| not_trained(object))?;
    booster(object, &bytes.bytes()?, context.options)
}
