//! `CalibratedClassifierCV`.

use super::meta::{labels, mean, probabilities};
use super::methods::decides;
use super::{Context, Entry, Reader, isotonic};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::blend::Rule;
use crate::ir::linear::LinearOrder;
use crate::ir::pipeline::Transform;
use crate::ir::transform::{Curve, Each, Function, Whole};
use crate::ir::{Linear, Model, Output, Precision};
use std::sync::Arc;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[Entry {
    class: "CalibratedClassifierCV",
    reader: Reader::Model(calibrated),
    outputs: "value, probability, label",
    refused: "",
}];

fn calibrated(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let (classes, count) = labels(object)?;
    let mut paths = Vec::new();
    for fold in object.attr("calibrated_classifiers_")?.list()? {
        paths.push(fold_of(fold, context, count)?);
    }
    let folds = vec![1.0; paths.len()];
    let path = mean(paths, folds).within(|| object.path())?;
    probabilities(object, path, Rule::Largest(classes.clone()), classes, count)
}

/// One classifier and its calibrators: calibrated probabilities.
fn fold_of(fold: Ref<'_>, context: &Context<'_>, count: usize) -> Result<Transform> {
    let member = match fold.attr_some("estimator")? {
        Some(member) => member,
        None => fold.attr("base_estimator")?,
    };
    let calibrators = match fold.attr_some("calibrators")? {
        Some(calibrators) => calibrators,
        None => fold.attr("calibrators_")?,
    };
    let width = if count == 2 { 1 } else { count };
    let calibrators = calibrators.list()?;
    if let Some(first) = calibrators.first()
        && first.class().is_some_and(|(_, name)| name == "_TemperatureScaling")
    {
        return tempered(member, context, first.attr("beta_")?.as_f64()?, count).within(|| fold.path());
    }
    let mut curves = Vec::new();
    for calibrator in calibrators {
        curves.push(curve(calibrator)?);
    }
    if curves.len() != width {
        return Err(fold.unsupported(format!(
            "{} calibrators for {count} classes: a fold of the training did not see every class",
            curves.len()
        )));
    }
    let model = Arc::new((context.model)(member, context)?);
    let answer = match (decides(member)?, count) {
        (true, _) => Transform::answer(&model, Output::Raw, 0, width),
        (false, 2) => Transform::answer(&model, Output::Probability, 1, 1),
        (false, _) => Transform::answer(&model, Output::Probability, 0, count),
    };
    let made = || {
        let steps = vec![
            answer,
            Transform::each(width, vec![Each::Curves(curves)])?,
            Transform::whole(width, if count == 2 { Whole::Complement } else { Whole::Shares })?,
        ];
        Transform::chain(steps[0].features(), steps)
    };
    made().within(|| fold.path())
}

/// The softmax of `beta` times the decision, `-d` and `d` for two classes, or times the logarithm of a probability.
fn tempered(member: Ref<'_>, context: &Context<'_>, beta: f64, count: usize) -> Result<Transform> {
    /// Keeps the logarithm of a probability finite.
    const LEAST: f64 = 1e-12;
    let model = Arc::new((context.model)(member, context)?);
    let scale = Each::Multiply(vec![beta; count]);
    let mut steps = Vec::new();
    match (decides(member)?, count) {
        (true, 2) => {
            steps.push(Transform::answer(&model, Output::Raw, 0, 1));
            let sides =
                Linear::new(1, vec![-1.0, 1.0], vec![0.0; 2], Precision::F64, LinearOrder::InterceptLast, false);
            steps.push(Transform::Linear(sides?));
            steps.push(Transform::each(count, vec![scale])?);
        }
        (true, _) => {
            steps.push(Transform::answer(&model, Output::Raw, 0, count));
            steps.push(Transform::each(count, vec![scale])?);
        }
        (false, _) => {
            steps.push(Transform::answer(&model, Output::Probability, 0, count));
            let log = [Each::Add(vec![LEAST; count]), Each::Apply(Function::Log), scale];
            steps.push(Transform::each(count, log.into())?);
        }
    }
    steps.push(Transform::whole(count, Whole::Softmax)?);
    Transform::chain(steps[0].features(), steps)
}

fn curve(calibrator: Ref<'_>) -> Result<Curve> {
    match calibrator.class().map(|(_, name)| name) {
        Some("_SigmoidCalibration") => {
            Ok(Curve::Sigmoid { slope: calibrator.attr("a_")?.as_f64()?, offset: calibrator.attr("b_")?.as_f64()? })
        }
        Some("IsotonicRegression") => isotonic::curve(calibrator),
        _ => Err(calibrator.unsupported(format!(
            "calibration by {} is not read; use method='sigmoid', 'isotonic' or 'temperature'",
            calibrator.describe()
        ))),
    }
}
