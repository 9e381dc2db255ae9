//! Trees and ensembles of trees.

mod boosting;
mod ensemble;
mod forest;
mod histogram;
mod importance;
mod isolation;
mod nodes;

use super::{Entry, Reader};
use crate::codec::pickle::Ref;
use crate::error::Result;
use crate::ir::forest::rounds;
use crate::limits;
use std::ops::Range;

const REGRESSOR: &str = "value, raw, leaf; importance: splits, share of the decrease of impurity";
const CLASSIFIER: &str = "value, probability, label, leaf; importance: splits, share of the decrease of impurity";

const fn model(class: &'static str, reader: ModelReader, outputs: &'static str, refused: &'static str) -> Entry {
    Entry { class, reader: Reader::Model(reader), outputs, refused }
}

type ModelReader = fn(Ref<'_>, &super::Context<'_>) -> Result<crate::ir::Model>;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    model("DecisionTreeRegressor", forest::tree_regressor, REGRESSOR, ""),
    model("DecisionTreeClassifier", forest::tree_classifier, CLASSIFIER, ""),
    model("ExtraTreeRegressor", forest::tree_regressor, REGRESSOR, ""),
    model("ExtraTreeClassifier", forest::tree_classifier, CLASSIFIER, ""),
    model("RandomForestRegressor", forest::regressor, REGRESSOR, ""),
    model("RandomForestClassifier", forest::classifier, CLASSIFIER, ""),
    model("ExtraTreesRegressor", forest::regressor, REGRESSOR, ""),
    model("ExtraTreesClassifier", forest::classifier, CLASSIFIER, ""),
    Entry {
        class: "RandomTreesEmbedding",
        reader: Reader::Transform(forest::embedding),
        outputs: "value: one column for each leaf, 1 where the row is",
        refused: "files of versions before 0.20",
    },
    model("GradientBoostingRegressor", boosting::regressor, REGRESSOR, "an init of one's own in versions before 0.21"),
    model(
        "GradientBoostingClassifier",
        boosting::classifier,
        "value, raw, probability, label, leaf; importance: splits, share of the decrease of impurity",
        "an init of one's own in versions before 0.21",
    ),
    model(
        "HistGradientBoostingRegressor",
        histogram::regressor,
        "value, raw, leaf; importance: splits, sum of gains",
        "",
    ),
    model(
        "HistGradientBoostingClassifier",
        histogram::classifier,
        "value, raw, probability, label, leaf; importance: splits, sum of gains",
        "",
    ),
    model("IsolationForest", isolation::read, "value = label (1 or -1), raw = decision_function", ""),
    model("BaggingRegressor", ensemble::bagging_regressor, "value, raw", ""),
    model(
        "BaggingClassifier",
        ensemble::bagging_classifier,
        "value, probability, label; raw when its members have it",
        "",
    ),
    model("AdaBoostRegressor", ensemble::boosting_regressor, "value, raw", ""),
    model("AdaBoostClassifier", ensemble::boosting_classifier, "value, raw, probability, label", "a single class"),
];

/// The release that trained an object, where layouts and formulas depend on it; objects from before 0.18 do not tell.
fn version(object: Ref<'_>) -> Result<(u32, u32)> {
    Ok(super::version(object)?.unwrap_or((0, 17)))
}

/// The trees of a forest or the members of an ensemble, at least one.
fn members(object: Ref<'_>) -> Result<Vec<Ref<'_>>> {
    let list = object.attr("estimators_")?;
    let members = list.list()?;
    if members.is_empty() {
        return Err(list.malformed("no estimators; the ensemble is not trained"));
    }
    limits::check("trees", members.len(), limits::TREES).map_err(|error| error.within(list.path()))?;
    Ok(members)
}

/// Columns of a row: `n_features_in_`, before 0.24 `n_features_`.
fn features(object: Ref<'_>) -> Result<usize> {
    let count = match object.attr_some("n_features_in_")? {
        Some(count) => count,
        None => object.attr("n_features_")?,
    };
    super::column_count(count)
}

/// The rounds of boosting that a caller asked for, of those in the file.
fn chosen(context: &super::Context<'_>, available: usize) -> Result<Range<usize>> {
    rounds(context.options.iteration_begin, context.options.iteration_end, available, 0..available)
}
