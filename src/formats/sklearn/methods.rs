//! Which methods a classifier has: what asks it depends on that.

use super::compose::pair;
use crate::codec::pickle::Ref;
use crate::error::Result;

/// Whether a classifier has `decision_function`.
pub(super) fn decides(object: Ref<'_>) -> Result<bool> {
    let Some((module, name)) = object.class() else { return Ok(false) };
    if !module.starts_with("sklearn.") {
        return Ok(false);
    }
    Ok(match name {
        "Pipeline" => match object.attr("steps")?.list()?.last() {
            Some(last) => decides(pair(*last)?[1])?,
            None => false,
        },
        "GridSearchCV" | "RandomizedSearchCV" | "HalvingGridSearchCV" | "HalvingRandomSearchCV" => {
            decides(object.attr("best_estimator_")?)?
        }
        "FrozenEstimator" => decides(object.attr("estimator")?)?,
        "RFE" | "RFECV" => decides(object.attr("estimator_")?)?,
        "StackingClassifier" => decides(object.attr("final_estimator_")?)?,
        "OneVsRestClassifier" | "BaggingClassifier" => match object.attr("estimators_")?.list()?.first() {
            Some(first) => decides(*first)?,
            None => false,
        },
        _ => DECIDE.contains(&name),
    })
}

const DECIDE: &[&str] = &[
    "_ConstantPredictor",
    "AdaBoostClassifier",
    "GradientBoostingClassifier",
    "HistGradientBoostingClassifier",
    "LinearDiscriminantAnalysis",
    "LinearSVC",
    "LogisticRegression",
    "LogisticRegressionCV",
    "NuSVC",
    "OneVsOneClassifier",
    "PassiveAggressiveClassifier",
    "Perceptron",
    "QuadraticDiscriminantAnalysis",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "SGDClassifier",
    "SVC",
];

/// Whether a classifier has `predict_proba`.
pub(super) fn has_probabilities(object: Ref<'_>) -> Result<bool> {
    let Some((module, name)) = object.class() else { return Ok(false) };
    if !module.starts_with("sklearn.") {
        return Ok(true);
    }
    Ok(match name {
        "Pipeline" => match object.attr("steps")?.list()?.last() {
            Some(last) => has_probabilities(pair(*last)?[1])?,
            None => false,
        },
        "GridSearchCV" | "RandomizedSearchCV" | "HalvingGridSearchCV" | "HalvingRandomSearchCV" => {
            has_probabilities(object.attr("best_estimator_")?)?
        }
        "FrozenEstimator" => has_probabilities(object.attr("estimator")?)?,
        "RFE" | "RFECV" => has_probabilities(object.attr("estimator_")?)?,
        "StackingClassifier" => has_probabilities(object.attr("final_estimator_")?)?,
        "OneVsRestClassifier" => match object.attr("estimators_")?.list()?.first() {
            Some(first) => has_probabilities(*first)?,
            None => false,
        },
        "VotingClassifier" => object.attr("voting")?.as_str()? == "soft",
        "SVC" | "NuSVC" => match object.attr("probability")?.as_i64() {
            Ok(yes) => yes != 0,
            Err(_) => false,
        },
        "SGDClassifier" => matches!(&*object.attr("loss")?.as_str()?, "log" | "log_loss" | "modified_huber"),
        "LinearSVC"
        | "NearestCentroid"
        | "OneVsOneClassifier"
        | "PassiveAggressiveClassifier"
        | "Perceptron"
        | "RidgeClassifier"
        | "RidgeClassifierCV" => false,
        _ => true,
    })
}
