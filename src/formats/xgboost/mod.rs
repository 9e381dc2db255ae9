//! `XGBoost`'s formats: JSON (1.0 and later), UBJSON (1.6 and later) and the deprecated binary one (0.4 to 3.0).
//!
//! A file becomes a [`learner::Learner`], whatever it is written in, and that becomes a model.

mod binary;
mod categories;
mod document;
mod envelope;
mod facts;
mod learner;
mod numbers;
mod objective;
mod sapling;
mod tree;

use super::ReadOptions;
use crate::codec::{json, ubjson};
use crate::error::{Error, Result, Within};
use crate::ir::Model;
use document::{BoosterObject, LearnerObject, ModelRoot, Root, required};
use learner::{Base, Booster, Learner, Release, TreeBooster};
use numbers::{Numbers, Text};

pub(super) use binary::is_binary;

/// Reads a model, or a booster's memory, that is written as JSON.
///
/// # Errors
/// `MI_MALFORMED` naming the place, `MI_UNSUPPORTED` for an unknown objective or booster, `MI_LIMIT_EXCEEDED` past the caps.
pub(super) fn read_json(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    let text = json::quote_bare_words(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let root: Root = serde_json::from_slice(&text).map_err(|cause| {
        let advice = if json::is_cut_off(&text) { "; the file is cut off, copy it again" } else { "" };
        Error::malformed(format!("not an XGBoost JSON model: {cause}{advice}"))
    })?;
    learner(root, "xgboost json", bytes.len())?.model(options)
}

/// Reads a model, or a booster's memory, that is written as UBJSON.
///
/// # Errors
/// Those of [`read_json`].
pub(super) fn read_ubjson(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    learner(ubjson::from_slice(bytes)?, "xgboost ubjson", bytes.len())?.model(options)
}

/// Reads a model in the binary format, in whatever envelope it lies.
///
/// # Errors
/// Those of [`read_json`].
pub(super) fn read_binary(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    binary::learner(bytes)?.model(options)
}

fn learner(root: Root, format: &'static str, bytes: usize) -> Result<Learner> {
    let ModelRoot { version, learner } = match root.model {
        Some(inner) => inner,
        None => ModelRoot { version: root.version, learner: root.learner },
    };
    let learner = learner.ok_or_else(|| {
        Error::malformed("'learner' is missing; an XGBoost model that Booster.save_model wrote was expected")
    })?;
    let (version, release) = released(version.as_ref());
    assemble(learner, format, bytes, version, release).within(|| "learner")
}

fn released(version: Option<&Numbers<i32>>) -> (Option<String>, Release) {
    let Some(Numbers(version)) = version else { return (None, Release::NEWEST) };
    let text = version.iter().map(i32::to_string).collect::<Vec<_>>().join(".");
    let part = |index: usize| version.get(index).and_then(|&part| u32::try_from(part).ok());
    // Development builds wrote -1 for an unknown version.
    let release = part(0).map_or(Release::NEWEST, |major| Release(major, part(1).unwrap_or(0)));
    (Some(text), release)
}

fn assemble(
    learner: LearnerObject,
    format: &'static str,
    bytes: usize,
    version: Option<String>,
    release: Release,
) -> Result<Learner> {
    let objective = required(learner.objective, "objective")?;
    let parameters = required(learner.parameters, "learner_model_param")?;
    let booster = required(learner.booster, "gradient_booster")?;
    let softmax = objective.softmax.and_then(|softmax| softmax.num_class);
    let count = |text: &Option<Text>, name: &str| text.as_ref().map_or(Ok(0), |text| whole(&text.0, name));
    let classes = count(&parameters.num_class, "num_class")?.max(count(&softmax, "num_class")?);
    let outputs = classes.max(count(&parameters.num_target, "num_target")?).max(1);
    let base = required(parameters.base_score, "base_score")?.0;
    let base = numbers_in(&base).within(|| "base_score")?;
    let alpha = objective.quantiles.and_then(|parameters| parameters.alpha);
    let alpha = alpha.or(objective.expectiles.and_then(|parameters| parameters.alpha));
    let (booster_name, booster) = boosted(booster).within(|| "gradient_booster")?;
    Ok(Learner {
        format,
        bytes,
        version,
        release,
        objective: required(objective.name, "objective.name")?.0,
        booster_name,
        features: count(&parameters.num_feature, "num_feature")?,
        outputs,
        base: Base::Value(base),
        attributes: learner.attributes.map_or(Ok(Vec::new()), |attributes| attributes.0)?,
        feature_names: learner.feature_names.map_or(Ok(Vec::new()), |names| names.0).within(|| "feature_names")?,
        feature_types: learner.feature_types.map_or(Ok(Vec::new()), |types| types.0).within(|| "feature_types")?,
        alpha: alpha.map(|alpha| alpha.0),
        booster,
        warnings: Vec::new(),
    })
}

/// The booster. Weights of a dart booster lie beside the trees, beside the tree booster that holds them (until 3.3), or both.
fn boosted(object: BoosterObject) -> Result<(String, Booster)> {
    let name = required(object.name, "name")?.0;
    let model = match object.gbtree {
        Some(inner) if name == "dart" => inner.model,
        _ => object.model,
    };
    let model = required(model, "model")?;
    let booster = match name.as_str() {
        "gbtree" | "dart" => {
            let weights = object.weight_drop.or(model.weight_drop).map_or_else(Vec::new, |weights| weights.0);
            let parameters = model.parameters.unwrap_or_default();
            let trees = required(model.trees, "trees")?.0?;
            if let Some(Text(count)) = &parameters.num_trees
                && whole(count, "num_trees")? != trees.len()
            {
                return Err(Error::malformed(format!("num_trees is {count}, there are {} trees", trees.len())));
            }
            let parallel =
                parameters.num_parallel_tree.map(|count| whole(&count.0, "num_parallel_tree")).transpose()?;
            let categories = model.cats.and_then(|cats| cats.columns);
            Booster::Trees(TreeBooster {
                trees,
                groups: required(model.tree_info, "tree_info")?.0,
                weights,
                parallel,
                boundaries: model.iteration_indptr.map(|boundaries| boundaries.0),
                categories: categories.map_or(Ok(Vec::new()), |columns| columns.0).within(|| "cats")?,
            })
        }
        "gblinear" => Booster::Linear(required(model.weights, "weights")?.0),
        _ => {
            return Err(Error::unsupported(format!("the booster is '{name}'; gbtree, dart and gblinear are read")));
        }
    };
    let name = if name == "gbtree" && matches!(&booster, Booster::Trees(trees) if !trees.weights.is_empty()) {
        "dart".to_owned()
    } else {
        name
    };
    Ok((name, booster))
}

fn whole(text: &str, name: &str) -> Result<usize> {
    text.trim().parse().map_err(|_| Error::malformed(format!("{name} is '{text}', a whole number was expected")))
}

/// The numbers of a parameter: one alone, or several in brackets or parentheses.
fn numbers_in(text: &str) -> Result<Vec<f32>> {
    let trimmed = text.trim();
    let inner = trimmed.strip_prefix(['[', '(']).and_then(|inner| inner.strip_suffix([']', ')']));
    let numbers: std::result::Result<Vec<f32>, _> =
        inner.unwrap_or(trimmed).split(',').map(|item| item.trim().parse()).collect();
    crate::limits::check("numbers of a parameter", trimmed.matches(',').count() + 1, crate::limits::OUTPUTS)?;
    numbers.map_err(|_| {
        let shown: String = trimmed.chars().take(40).collect();
        Error::malformed(format!("'{shown}' is neither a number nor a list of numbers"))
    })
}

#[cfg(test)]
mod tests;
