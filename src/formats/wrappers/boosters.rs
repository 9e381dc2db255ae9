//! Boosters inside of pickles: each is its library's own file format once more (`LightGBM`'s text, `XGBoost`'s UBJSON, `CatBoost`'s
//! `.cbm`), read by the same reader, with the rules that the estimator around it adds: where it stops, what counts as missing, the
//! names of its classes.

use super::super::detect::{self, Format};
use super::super::{Context, ReadOptions, sklearn};
use crate::codec::pickle::Ref;
use crate::error::{Error, Result, Within};
use crate::ir::pipeline::Transform;
use crate::ir::{Classes, Model};

/// One kind of booster that is read from pickles, as the documentation says it: its classes, its outputs, its own rules.
pub type Kind = [&'static str; 3];

/// Every kind of booster that is read from pickles.
pub const TABLE: &[Kind] = &[
    [
        "lightgbm: Booster, LGBMModel, LGBMRegressor, LGBMClassifier, LGBMRanker (3.x, 4.x)",
        "those of the text file; labels are those of the estimator",
        "rounds up to `best_iteration` when that is positive",
    ],
    [
        "xgboost: Booster, XGBModel, XGBRegressor, XGBClassifier, XGBRanker, XGBRFRegressor, XGBRFClassifier (1.7 to 3.x)",
        "those of the model file; labels are those of the estimator",
        "an estimator: rounds up to `best_iteration`, and its `missing` is one more number that means missing; a Booster: all rounds",
    ],
    [
        "catboost: CatBoost, CatBoostRegressor, CatBoostClassifier, CatBoostRanker (1.0 to 1.2)",
        "those of the `.cbm` file",
        "what the file inside says",
    ],
];

fn not_trained(object: Ref<'_>) -> Error {
    object.malformed("not trained: it holds no booster; fit it before it is saved")
}

/// A model in its own format inside of a pickle. A pickle inside of it would be a file that was made to go round in circles.
pub(super) fn booster(object: Ref<'_>, bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    match detect::detect(bytes)? {
        Format::Pickle => {
            Err(object.malformed("a model in its library's own format is expected in these bytes, they are a pickle"))
        }
        _ => super::super::read(bytes, options),
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
pub(super) fn lightgbm(object: Ref<'_>, name: &str, context: &Context<'_>) -> Result<Model> {
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
pub(super) fn xgboost(object: Ref<'_>, name: &str, context: &Context<'_>) -> Result<Model> {
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
    model.classes = match (encoder, model.task.classes()) {
        (Some(labels), Some(_)) => sklearn::classes(labels)?,
        // Without an encoder the labels were the numbers from 0 on.
        (None, Some(count)) if name.ends_with("Classifier") => Classes::numbered(count),
        _ => model.classes,
    };
    let missing = match object.attr_some("missing")? {
        Some(missing) => missing.as_f64()?,
        None => f64::NAN,
    };
    if missing.is_nan() { model.validated() } else { reading_as_missing(missing, model.validated()?) }
}

/// The model behind a step that turns one number into NaN. The library compares in float32.
fn reading_as_missing(missing: f64, model: Model) -> Result<Model> {
    let step = Transform::Missing { features: model.body.features(), number: missing };
    model.behind(vec![step])
}

/// `CatBoost`, `CatBoostRegressor`, `CatBoostClassifier`, `CatBoostRanker`: the bytes in `__model`, which say everything.
pub(super) fn catboost(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let bytes = object.attr_some("__model")?.ok_or_else(|| not_trained(object))?;
    booster(object, &bytes.bytes()?, context.options)
}
