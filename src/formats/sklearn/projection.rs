//! Projections onto fewer columns.

use super::linear::affine;
use super::{Context, Entry, Reader, matrix, version};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::pipeline::Transform;
use crate::ir::transform::Each;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    Entry { class: "PCA", reader: Reader::Transform(pca), outputs: "value", refused: "" },
    Entry { class: "IncrementalPCA", reader: Reader::Transform(pca), outputs: "value", refused: "" },
    Entry { class: "TruncatedSVD", reader: Reader::Transform(svd), outputs: "value", refused: "" },
];

/// The components, one after another, and their number.
fn components(object: Ref<'_>) -> Result<(Vec<f64>, usize, usize)> {
    let ([count, columns], components) = matrix(object.attr("components_")?)?;
    Ok((components, count, columns))
}

fn linear(object: Ref<'_>, columns: usize, coefficients: Vec<f64>, intercept: Vec<f64>) -> Result<Transform> {
    affine(object, columns, coefficients, intercept).map(Transform::Linear)
}

fn svd(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let (components, count, columns) = components(object)?;
    linear(object, columns, components, vec![0.0; count])
}

fn pca(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let (components, count, columns) = components(object)?;
    let mean = object.attr_some("mean_")?.map(Ref::array_f64).transpose()?.map(|mean| mean.data);
    if let Some(mean) = &mean
        && mean.len() != columns
    {
        return Err(object.malformed(format!("{} means for {columns} columns", mean.len())));
    }
    let scale = if object.attr("whiten")?.as_bool()? {
        Some(object.attr("explained_variance_")?.array_f64()?.data)
    } else {
        None
    };
    let after = version(object)?.unwrap_or_default() >= (1, 5);
    let mut steps = Vec::new();
    let mut intercept = vec![0.0; count];
    match mean {
        // Centred after the projection since 1.5, before it until then.
        Some(mean) if after => {
            for (intercept, component) in intercept.iter_mut().zip(components.chunks_exact(columns)) {
                *intercept = -mean.iter().zip(component).map(|(mean, part)| mean * part).sum::<f64>();
            }
        }
        Some(mean) => steps.push(Transform::each(columns, vec![Each::Complete, Each::Subtract(mean)])?),
        None => {}
    }
    steps.push(linear(object, columns, components, intercept)?);
    if let Some(variances) = scale {
        let least = if after { f64::EPSILON } else { 0.0 };
        let roots = variances.iter().map(|variance| variance.sqrt().max(least)).collect();
        steps.push(Transform::each(count, vec![Each::Divide(roots)]).within(|| object.path())?);
    }
    Transform::chain(columns, steps).within(|| object.path())
}
