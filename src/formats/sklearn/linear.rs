//! Linear models.

use super::{Entry, Reader, classes, estimator, model, version};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::formats::Context;
use crate::ir::classifier::{Decision, Probabilities};
use crate::ir::linear::LinearOrder;
use crate::ir::{Body, Classes, Estimator, Linear, LinearClassifier, Link, Model, Precision, Task};
use serde_json::json;

/// Coefficients are shown in the JSON of a model up to this many.
const SHOWN: usize = 4096;

/// A regressor whose value is the margin.
const fn regressor(class: &'static str) -> Entry {
    Entry { class, reader: Reader::Model(regression), outputs: "value, raw", refused: "" }
}

/// A regressor with a logarithmic link.
const fn logarithmic(class: &'static str) -> Entry {
    Entry { class, reader: Reader::Model(log_link), outputs: "value, raw (the margin before exp)", refused: "" }
}

/// A classifier with scores and no probabilities.
const fn scorer(class: &'static str) -> Entry {
    Entry { class, reader: Reader::Model(score), outputs: "value (the label), raw, label", refused: "" }
}

const fn other(class: &'static str, read: fn(Ref<'_>, &Context<'_>) -> Result<Model>, outputs: &'static str) -> Entry {
    Entry { class, reader: Reader::Model(read), outputs, refused: "" }
}

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    regressor("LinearRegression"),
    regressor("Ridge"),
    regressor("RidgeCV"),
    regressor("Lasso"),
    regressor("LassoCV"),
    regressor("ElasticNet"),
    regressor("ElasticNetCV"),
    regressor("MultiTaskLasso"),
    regressor("MultiTaskLassoCV"),
    regressor("MultiTaskElasticNet"),
    regressor("MultiTaskElasticNetCV"),
    regressor("HuberRegressor"),
    regressor("BayesianRidge"),
    regressor("ARDRegression"),
    regressor("TheilSenRegressor"),
    regressor("Lars"),
    regressor("LarsCV"),
    regressor("LassoLars"),
    regressor("LassoLarsCV"),
    regressor("LassoLarsIC"),
    regressor("OrthogonalMatchingPursuit"),
    regressor("OrthogonalMatchingPursuitCV"),
    regressor("SGDRegressor"),
    regressor("PassiveAggressiveRegressor"),
    other("QuantileRegressor", quantile, "value, raw, distribution (the quantile)"),
    regressor("LinearSVR"),
    logarithmic("PoissonRegressor"),
    logarithmic("GammaRegressor"),
    other("TweedieRegressor", tweedie, "value, raw (the margin before the link)"),
    Entry {
        class: "RANSACRegressor",
        reader: Reader::Model(consensus),
        outputs: "those of its `estimator_`",
        refused: "an `estimator_` that is not read",
    },
    scorer("Perceptron"),
    scorer("PassiveAggressiveClassifier"),
    scorer("LinearSVC"),
    other("RidgeClassifier", ridge_classifier, "value (the label), raw, label"),
    other("RidgeClassifierCV", ridge_classifier, "value (the label), raw, label"),
    other("SGDClassifier", sgd_classifier, "value, raw, label; probability with log and modified_huber"),
    other("LogisticRegression", logistic, "value, raw, probability, label"),
    other("LogisticRegressionCV", logistic, "value, raw, probability, label"),
    other("SGDOneClassSVM", one_class, "value and label (1 or -1), raw"),
];

/// `coef_` and the intercept as one map.
pub(super) fn linear(object: Ref<'_>, intercept: Option<Vec<f64>>) -> Result<Linear> {
    let place = object.attr("coef_")?;
    let coefficients = match place.class() {
        Some((module, _)) if module.starts_with("scipy.sparse") => {
            return Err(place.unsupported("sparse coefficients are not read; call densify() before the model is saved"));
        }
        _ => place.array_f64()?,
    };
    let (outputs, features) = match *coefficients.shape {
        [features] => (1, features),
        [outputs, features] => (outputs, features),
        _ => return Err(place.malformed(format!("one or two axes are expected, not {:?}", coefficients.shape))),
    };
    let mut intercept = match intercept {
        Some(intercept) => intercept,
        None => numbers(object.attr("intercept_")?)?,
    };
    // Without an intercept it is the number 0 whatever the number of outputs.
    if let [same] = *intercept
        && outputs > 1
    {
        crate::limits::check("outputs", outputs, crate::limits::OUTPUTS)?;
        intercept = vec![same; outputs];
    }
    if intercept.len() != outputs {
        return Err(object.malformed(format!("{} intercepts for {outputs} rows of coefficients", intercept.len())));
    }
    affine(object, features, coefficients.data, intercept)
}

/// `coefficients` of shape (outputs, features) times the row, plus the intercept.
pub(super) fn affine(object: Ref<'_>, features: usize, coefficients: Vec<f64>, intercept: Vec<f64>) -> Result<Linear> {
    Linear::new(features, coefficients, intercept, Precision::F64, LinearOrder::InterceptLast, false)
        .within(|| object.path())
}

/// A number or an array of numbers.
fn numbers(place: Ref<'_>) -> Result<Vec<f64>> {
    if place.is_array() { Ok(place.array_f64()?.data) } else { Ok(vec![place.as_f64()?]) }
}

/// Adds the coefficients to the facts of a model.
fn shown(mut model: Model, linear: &Linear) -> Model {
    model.importance = linear.importance();
    if linear.features() * linear.outputs() <= SHOWN {
        let rows: Vec<_> = (0..linear.outputs()).map(|output| linear.coefficients(output)).collect();
        let coefficients = if rows.len() == 1 { json!(rows[0]) } else { json!(rows) };
        model.source.details.insert("coefficients".to_owned(), coefficients);
        model.source.details.insert("intercept".to_owned(), json!(linear.intercept()));
    }
    model
}

fn linked(object: Ref<'_>, link: Link) -> Result<Model> {
    let linear = linear(object, None)?;
    let model = model(object, Body::Linear(linear.clone()), link, Task::Regression, Classes::Index)?;
    Ok(shown(model, &linear))
}

fn regression(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    linked(object, Link::Identity)
}

fn quantile(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let mut model = linked(object, Link::Identity)?;
    super::is_quantile(&mut model, object.attr("quantile")?)?;
    Ok(model)
}

fn log_link(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    linked(object, Link::Exp)
}

fn tweedie(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let place = object.attr("link")?;
    let link = match &*place.as_str()? {
        "identity" => Link::Identity,
        // Only a normal distribution may have answers below zero.
        "auto" if object.attr("power")?.as_f64()? <= 0.0 => Link::Identity,
        "log" | "auto" => Link::Exp,
        link => return Err(place.unsupported(format!("link '{link}' is not read; use 'identity' or 'log'"))),
    };
    linked(object, link)
}

fn consensus(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let mut model = (context.model)(object.attr("estimator_")?, context)?;
    if let Some(names) = object.attr_some("feature_names_in_")? {
        model.feature_names = Some(names.array_strings()?.data);
    }
    let class = object.class().map(|(module, name)| format!("{module}.{name}"));
    if let Some(inner) = model.source.details.insert("class".to_owned(), class.into()) {
        model.source.details.insert("estimator".to_owned(), inner);
    }
    model.validated().within(|| object.path())
}

/// A classifier behind linear scores.
pub(super) fn classifier(object: Ref<'_>, linear: &Linear, decision: Decision, rule: Probabilities) -> Result<Model> {
    let (task, labels) = match &decision {
        Decision::Classes(labels) => {
            let task = match linear.outputs() {
                1 if rule == Probabilities::Absent => Task::BinaryScore,
                1 => Task::Binary,
                classes => Task::Multiclass(classes),
            };
            (task, labels.clone())
        }
        Decision::Each => (Task::Multilabel, Classes::Index),
        Decision::Outlier => (Task::Regression, Classes::Index),
    };
    let classifier = LinearClassifier::new(linear.clone(), decision, rule).within(|| object.path())?;
    let model = estimator(object, Estimator::LinearClassifier(classifier), task, labels)?;
    Ok(shown(model, linear))
}

/// A classifier between the classes in `classes_`.
fn between(object: Ref<'_>, rule: Probabilities) -> Result<Model> {
    let decision = Decision::Classes(classes(object.attr("classes_")?)?);
    classifier(object, &linear(object, None)?, decision, rule)
}

fn score(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    between(object, Probabilities::Absent)
}

fn ridge_classifier(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let binarizer = object.attr("_label_binarizer")?;
    let decision = if binarizer.attr("y_type_")?.as_str()?.starts_with("multilabel") {
        if version(object)?.is_some_and(|version| version < (1, 0)) {
            return Err(
                object.unsupported("scikit-learn before 1.0 predicts no labels of several outputs; train it again")
            );
        }
        Decision::Each
    } else {
        Decision::Classes(classes(binarizer.attr("classes_")?)?)
    };
    classifier(object, &linear(object, None)?, decision, Probabilities::Absent)
}

fn sgd_classifier(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let rule = match &*object.attr("loss")?.as_str()? {
        "log" | "log_loss" => Probabilities::OneVsRest,
        "modified_huber" => Probabilities::ModifiedHuber,
        _ => Probabilities::Absent,
    };
    between(object, rule)
}

/// `predict_proba` of all versions: `multi_class` decides, which was renamed, deprecated in 1.5 and then taken away.
fn logistic(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let linear = linear(object, None)?;
    let binary = linear.outputs() == 1;
    let version = version(object)?;
    let before = |release| version.is_some_and(|version| version < release);
    let said = match object.attr_some("multi_class")? {
        Some(place) => place.as_str()?.into_owned(),
        None => "auto".to_owned(),
    };
    let solver = object.attr("solver")?.as_str()?;
    let rule = match said.as_str() {
        "ovr" | "warn" => Probabilities::OneVsRest,
        "multinomial" if binary && before((0, 20)) => Probabilities::OneVsRest,
        "multinomial" => Probabilities::Softmax,
        _ if binary || solver == "liblinear" => Probabilities::OneVsRest,
        _ if solver == "newton-cholesky" && before((1, 6)) => Probabilities::OneVsRest,
        _ => Probabilities::Softmax,
    };
    let decision = Decision::Classes(classes(object.attr("classes_")?)?);
    classifier(object, &linear, decision, rule)
}

fn one_class(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let offset = numbers(object.attr("offset_")?)?;
    let linear = linear(object, Some(offset.into_iter().map(|offset| -offset).collect()))?;
    classifier(object, &linear, Decision::Outlier, Probabilities::Absent)
}
