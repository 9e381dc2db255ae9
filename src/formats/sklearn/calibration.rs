//! `CalibratedClassifierCV`.

use super::meta::{labels, mean, probabilities};
use super::methods::decides;
use super::{Context, Entry, Reader};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::blend::Rule;
use crate::ir::pipeline::Transform;
use crate::ir::transform::{Curve, Each, Whole};
use crate::ir::{Model, Output};
use std::sync::Arc;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[Entry {
    class: "CalibratedClassifierCV",
    reader: Reader::Model(calibrated),
    outputs: "value, probability, label",
    refused: "method='temperature'",
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
    let mut curves = Vec::new();
    for calibrator in calibrators.list()? {
        curves.push(curve(calibrator)?);
    }
    let width = if count == 2 { 1 } else { count };
    if curves.len() != width {
        return Err(calibrators.unsupported(format!(
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

fn curve(calibrator: Ref<'_>) -> Result<Curve> {
    match calibrator.class().map(|(_, name)| name) {
        Some("_SigmoidCalibration") => {
            Ok(Curve::Sigmoid { slope: calibrator.attr("a_")?.as_f64()?, offset: calibrator.attr("b_")?.as_f64()? })
        }
        Some("IsotonicRegression") => {
            for names in [["X_thresholds_", "y_thresholds_"], ["_necessary_X_", "_necessary_y_"]] {
                if let (Some(x), Some(y)) = (calibrator.attr_some(names[0])?, calibrator.attr_some(names[1])?) {
                    return Ok(Curve::Isotonic { x: x.array_f64()?.data, y: y.array_f64()?.data });
                }
            }
            Err(calibrator.malformed("it has no thresholds; it is not trained, or of another version"))
        }
        _ => Err(calibrator.unsupported(format!(
            "calibration by {} is not read; use method='sigmoid' or 'isotonic'",
            calibrator.describe()
        ))),
    }
}
