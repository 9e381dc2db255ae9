//! Pickled Python objects: which reader knows their class, and what objects of unknown classes mean.
//!
//! The only reader that knows other readers: a scikit-learn pipeline may hold a `LightGBM` estimator, an object of any class may hold
//! either.

mod boosters;
mod collection;
mod object;
mod refused;
mod regimes;
mod text;

pub use boosters::TABLE as BOOSTERS;
pub use object::PARTS;
pub use refused::TABLE as REFUSED;

use super::{Context, ReadOptions, ngboost, sklearn};
use crate::codec::pickle::{self, Graph, Ref};
use crate::error::{Error, Result, Within};
use crate::ir::Model;
use crate::ir::pipeline::Transform;
use crate::ir::text::Vocabulary;
use crate::limits;
use serde_json::{Value, json};
use std::cell::RefCell;

/// Reads a pickle or joblib file that holds a model.
///
/// # Errors
/// Those of [`pickle::decode`]; `MI_UNSUPPORTED` for an object that no reader knows, naming its class and its place in the file.
pub(super) fn read(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    let graph = pickle::decode(bytes)?;
    let words = RefCell::new(Vocabulary::default());
    let model = model(graph.root(), &Context { options, words: &words, model: inner, step, width: None })?;
    let mut model = text::whole(model, words)?;
    if let Some(versions) = versions(&graph) {
        model.source.details.entry("scikit_learn_versions").or_insert(versions);
    }
    Ok(model)
}

/// Reads a pickle or joblib file that holds a transformer and puts it in front of a model; `None` in the file is no step.
///
/// # Errors
/// As [`read`]; `MI_MALFORMED` when the rows that it gives are not those that the model takes.
pub(super) fn read_step(bytes: &[u8], model: Model) -> Result<Model> {
    let options = ReadOptions::default();
    let graph = pickle::decode(bytes)?;
    if graph.root().is_none() {
        return Ok(model);
    }
    let words = RefCell::new(Vocabulary::default());
    let context = Context { options: &options, words: &words, model: inner, step, width: None };
    let model = text::inside(model, &context)?;
    let step = step(graph.root(), Some(model.body.features()), &context)?;
    let (gives, takes) = (step.outputs(), model.body.features());
    if gives != takes {
        return Err(graph.root().malformed(format!(
            "it gives rows of {gives} columns and what comes behind it takes {takes}; it is not the one that the model was trained with"
        )));
    }
    text::whole(model.behind(vec![step])?, words)
}

/// The releases of scikit-learn that wrote objects of a file.
fn versions(graph: &Graph<'_>) -> Option<Value> {
    let versions = graph.texts_of("_sklearn_version");
    (!versions.is_empty()).then(|| json!(versions))
}

/// Reads an object of any class.
fn model(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    object.charge(limits::MODEL_MEMORY)?;
    let Some((module, name)) = object.class() else { return collection::read(object, context) };
    let known = match module.split('.').next().unwrap_or_default() {
        "sklearn" => sklearn::read(object, name, context),
        "lightgbm" => boosters::lightgbm(object, name, context),
        "xgboost" => boosters::xgboost(object, name, context),
        "catboost" => boosters::catboost(object, context),
        "ngboost" => ngboost::read(object, context),
        _ => return object::read(object, context),
    };
    object::attached(object, known?, context)
}

/// Reads an object inside of another one.
fn inner(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    text::inside(model(object, context)?, context)
}

/// Reads an object of any class as a step before a model; `width` is the number of its columns, where something else tells it.
fn step(object: Ref<'_>, width: Option<usize>, context: &Context<'_>) -> Result<Transform> {
    match object.class() {
        Some((module, _)) if module.starts_with("sklearn.") => sklearn::transform(object, &context.of(width)),
        _ => object::step(object, width, context),
    }
}

/// What no reader makes a model of.
fn unknown(object: Ref<'_>) -> Error {
    match object.class() {
        Some((module, name)) => refused::error(object, module, name),
        None => Error::unsupported(format!(
            "{}: {} is not a model; save the model itself, or a dict with the keys model, imputer, scaler, feature_names",
            object.path(),
            object.describe()
        )),
    }
}

/// A model that something was made of, with its place in the file leading its errors.
fn made(object: Ref<'_>, model: Result<Model>) -> Result<Model> {
    model.and_then(Model::validated).within(|| object.path())
}
