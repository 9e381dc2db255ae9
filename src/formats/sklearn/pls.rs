//! Partial least squares and canonical correlation.

use super::linear::affine;
use super::{Context, Entry, Reader, matrix, meta, transposed, version};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::Model;
use crate::ir::pipeline::Transform;
use crate::ir::transform::Each;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("PLSRegression", Reader::Either(regression, scores)),
    entry("PLSCanonical", Reader::Either(regression, scores)),
    entry("CCA", Reader::Either(regression, scores)),
    Entry { class: "PLSSVD", reader: Reader::Transform(scores), outputs: "value", refused: "" },
];

const fn entry(class: &'static str, reader: Reader) -> Entry {
    Entry {
        class,
        reader,
        outputs: "value, raw; before other steps of a pipeline the scores that transform() gives",
        refused: "",
    }
}

/// An attribute that became private in 0.24.
fn hidden(object: Ref<'_>, private: &str, public: &str) -> Result<Vec<f64>> {
    let place = match object.attr_some(private)? {
        Some(place) => place,
        None => object.attr(public)?,
    };
    Ok(place.array_f64()?.data)
}

/// The row less the mean, divided by the deviation, then a matrix of shape (outputs, features).
fn path(object: Ref<'_>, scaled: bool, weights: Vec<f64>, intercept: Vec<f64>) -> Result<Transform> {
    let mean = hidden(object, "_x_mean", "x_mean_")?;
    let features = mean.len();
    let mut things = vec![Each::Complete, Each::Subtract(mean)];
    if scaled {
        things.push(Each::Divide(hidden(object, "_x_std", "x_std_")?));
    }
    let last = Transform::Linear(affine(object, features, weights, intercept)?);
    let made = || Transform::chain(features, vec![Transform::each(features, things)?, last]);
    made().within(|| object.path())
}

/// The coefficients were turned round in 1.1, under another name until 1.3, and scaled by the deviations in 1.5.
fn regression(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let version = version(object)?;
    let before = |release| version.is_some_and(|version| version < release);
    let place = match object.attr_some("_coef_")? {
        Some(place) => place,
        None => object.attr("coef_")?,
    };
    let (shape, numbers) = matrix(place)?;
    let weights = if before((1, 1)) { transposed(shape, &numbers) } else { numbers };
    let intercept = match object.attr_some("intercept_")? {
        Some(intercept) => intercept.array_f64()?.data,
        None => hidden(object, "_y_mean", "y_mean_")?,
    };
    meta::numbers(object, path(object, before((1, 5)), weights, intercept)?)
}

fn scores(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let rotations = match object.attr_some("x_rotations_")? {
        Some(rotations) => rotations,
        None => object.attr("x_weights_")?,
    };
    let (shape, numbers) = matrix(rotations)?;
    path(object, true, transposed(shape, &numbers), vec![0.0; shape[1]])
}
