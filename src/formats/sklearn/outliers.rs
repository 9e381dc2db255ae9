//! Outliers by their distance from a centre.

use super::preprocessing::numbers;
use super::{Context, Entry, Reader, estimator, matrix};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::blend::{Blend, Rule, Way};
use crate::ir::pipeline::Transform;
use crate::ir::transform::{Each, Whole};
use crate::ir::{Classes, Estimator, Model, Output, Task};

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[Entry {
    class: "EllipticEnvelope",
    reader: Reader::Model(envelope),
    outputs: "value and label (1 or -1), raw = decision_function",
    refused: "store_precision=False; files of versions before 0.20",
}];

/// Minus the squared distance measured by the inverse covariance, less an offset; inliers from 0 on.
fn envelope(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let Some(precision) = object.attr_some("precision_")? else {
        return Err(object.unsupported("it was trained with store_precision=False; train it again without"));
    };
    let Some(offset) = object.attr_some("offset_")? else {
        return Err(object.unsupported("a file of scikit-learn before 0.20 is not read; train it again"));
    };
    let centre = numbers(object, "location_")?;
    let ([features, _], precision) = matrix(precision)?;
    let offset = offset.as_f64()?;
    // The distance plus the offset is minus the decision: positive for an outlier.
    let outlying = || {
        let steps = vec![
            Transform::each(features, vec![Each::Complete, Each::Subtract(centre)])?,
            Transform::whole(features, Whole::Quadratic(precision))?,
            Transform::each(1, vec![Each::Add(vec![offset])])?,
        ];
        Transform::chain(features, steps)
    };
    let outlying = outlying().within(|| object.path())?;
    let turned = vec![outlying.clone(), Transform::each(1, vec![Each::Multiply(vec![-1.0])])?];
    let decision = Transform::chain(features, turned).within(|| object.path())?;
    let rule = Rule::Above(0.0, Classes::Numbers(vec![1.0, -1.0]));
    let way = |output, path, rule: &Rule| Way { output, path, rule: rule.clone() };
    let ways = vec![way(Output::Value, 0, &rule), way(Output::Label, 0, &rule), way(Output::Raw, 1, &Rule::Same)];
    let blend = Blend::new(vec![outlying, decision], ways).within(|| object.path())?;
    estimator(object, Estimator::Blend(blend), Task::Regression, Classes::Index)
}
