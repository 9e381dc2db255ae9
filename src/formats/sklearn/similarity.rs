//! Models and transformers that compare a row with rows they keep, or with random directions that stand for them.

use super::linear::affine;
use super::preprocessing::numbers;
use super::{Context, Entry, Reader, matrix, meta, outputs_first, transposed};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::Model;
use crate::ir::blend::Rule;
use crate::ir::kernel::Kernel;
use crate::ir::pipeline::Transform;
use crate::ir::similarity::{Likeness, Similarities};
use crate::ir::transform::{Each, Function, Whole};
use std::sync::Arc;

const REFUSED: &str = "kernels but linear, poly, rbf, sigmoid, laplacian and cosine";

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    Entry { class: "KernelRidge", reader: Reader::Model(ridge), outputs: "value, raw", refused: REFUSED },
    Entry { class: "KernelPCA", reader: Reader::Transform(components), outputs: "value", refused: REFUSED },
    Entry { class: "Nystroem", reader: Reader::Transform(nystroem), outputs: "value", refused: REFUSED },
    propagation("LabelPropagation"),
    propagation("LabelSpreading"),
    Entry { class: "RBFSampler", reader: Reader::Transform(waves), outputs: "value", refused: "" },
    Entry { class: "SkewedChi2Sampler", reader: Reader::Transform(skewed), outputs: "value", refused: "" },
];

const fn propagation(class: &'static str) -> Entry {
    Entry { class, reader: Reader::Model(propagated), outputs: "value, probability, label", refused: "kernels but rbf" }
}

/// The kernel of rows of `features` columns. A parameter that is not given has the value that the library gives it.
fn likeness(object: Ref<'_>, features: usize) -> Result<Likeness> {
    let place = object.attr("kernel")?;
    let Ok(name) = place.as_str() else {
        return Err(place.unsupported(format!(
            "the kernel is {}, which is Python code and not in the file; train with 'rbf', 'poly', 'sigmoid' or 'linear'",
            place.describe()
        )));
    };
    // `kernel_params` count where the parameter itself is not given.
    let more = object.attr_some("kernel_params")?;
    let parameter = |names: &[&str], default: f64| -> Result<f64> {
        for name in names {
            if let Some(found) = object.attr_some(name)? {
                return found.as_f64();
            }
        }
        match more.map(|more| more.dict_get_opt(names[0])).transpose()?.flatten() {
            Some(found) if !found.is_none() => found.as_f64(),
            _ => Ok(default),
        }
    };
    #[allow(clippy::cast_precision_loss)] // columns are far fewer than 2^53
    let gamma = || parameter(&["gamma", "gamma_"], 1.0 / features as f64);
    let constant = || parameter(&["coef0"], 1.0);
    Ok(match &*name {
        "linear" => Likeness::Kernel(Kernel::Linear),
        "rbf" => Likeness::Kernel(Kernel::Rbf { gamma: gamma()? }),
        "sigmoid" => Likeness::Kernel(Kernel::Sigmoid { gamma: gamma()?, constant: constant()? }),
        "poly" | "polynomial" => {
            let degree = parameter(&["degree"], 3.0)?;
            Likeness::Kernel(Kernel::Polynomial { gamma: gamma()?, constant: constant()?, degree })
        }
        "laplacian" => Likeness::Laplacian { gamma: gamma()? },
        "cosine" => Likeness::Cosine,
        name => {
            return Err(place.unsupported(format!(
                "kernel '{name}' is not read; train with 'rbf', 'poly', 'sigmoid', 'linear', 'laplacian' or 'cosine'"
            )));
        }
    })
}

/// How much a row is like the rows of an attribute, then a matrix of shape (outputs, rows) and an intercept.
fn weighted(object: Ref<'_>, rows: Ref<'_>, weights: Vec<f64>, intercept: Vec<f64>) -> Result<Transform> {
    if !rows.is_array() {
        return Err(rows.unsupported(format!("the training rows are {}; train on a dense matrix", rows.describe())));
    }
    let (shape, kept) = matrix(rows)?;
    let [count, features] = shape;
    let likeness = likeness(object, features)?;
    let last = Transform::Linear(affine(object, count, weights, intercept)?);
    let made = || {
        let kept = Arc::new(Similarities::new(shape, kept, likeness)?);
        let complete = Transform::each(features, vec![Each::Complete])?;
        Transform::chain(features, vec![complete, Transform::whole(features, Whole::Similarities(kept))?, last])
    };
    made().within(|| object.path())
}

fn ridge(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let place = object.attr("dual_coef_")?;
    let (weights, outputs) = outputs_first(place)?;
    meta::numbers(object, weighted(object, object.attr("X_fit_")?, weights, vec![0.0; outputs])?)
}

fn nystroem(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let ([outputs, columns], weights) = matrix(object.attr("normalization_")?)?;
    if outputs != columns {
        return Err(object.malformed(format!("a normalization of {outputs} by {columns}")));
    }
    weighted(object, object.attr("components_")?, weights, vec![0.0; outputs])
}

/// With the matrix `A` of eigenvectors, each divided by the root of its value, and likenesses `k` less the means of their columns
/// and of the row: `(k - rows - mean(k) + all) A`, which is `k (A - mean(A)) + (all * sum(A) - rows A)`.
#[allow(clippy::cast_precision_loss)] // rows are far fewer than 2^53
fn components(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    // Called `alphas_` and `lambdas_` before 1.0.
    let either = |new: &str, old: &str| match object.attr_some(new) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => object.attr(old),
        Err(error) => Err(error),
    };
    let (shape, vectors) = matrix(either("eigenvectors_", "alphas_")?)?;
    let values = either("eigenvalues_", "lambdas_")?.array_f64()?.data;
    let [count, outputs] = shape;
    let centre = object.attr("_centerer")?;
    let rows = numbers(centre, "K_fit_rows_")?;
    let all = centre.attr("K_fit_all_")?.as_f64()?;
    if values.len() != outputs || rows.len() != count {
        return Err(object.malformed(format!(
            "{} values for {outputs} vectors, {} means for {count} rows",
            values.len(),
            rows.len()
        )));
    }
    let mut weights = transposed(shape, &vectors);
    let mut intercept = crate::limits::vec("components", outputs)?;
    for (weights, value) in weights.chunks_exact_mut(count.max(1)).zip(&values) {
        // A direction without extent gives zeros.
        weights.iter_mut().for_each(|weight| *weight = if *value == 0.0 { 0.0 } else { *weight / value.sqrt() });
        let sum: f64 = weights.iter().sum();
        intercept.push(all * sum - rows.iter().zip(&*weights).map(|(row, weight)| row * weight).sum::<f64>());
        weights.iter_mut().for_each(|weight| *weight -= sum / count as f64);
    }
    weighted(object, object.attr("X_fit_")?, weights, intercept)
}

/// The cosine of random directions, by `sqrt(2 / components)`.
fn cosines(object: Ref<'_>, first: Vec<Each>) -> Result<Transform> {
    let (shape, numbers) = matrix(object.attr("random_weights_")?)?;
    let [features, outputs] = shape;
    let offsets = super::preprocessing::numbers(object, "random_offset_")?;
    let count = object.attr("n_components")?.as_f64()?;
    let linear = Transform::Linear(affine(object, features, transposed(shape, &numbers), offsets)?);
    let made = || {
        let last = vec![Each::Apply(Function::Cos), Each::Multiply(vec![(2.0 / count).sqrt(); outputs])];
        let steps = vec![Transform::each(features, first)?, linear, Transform::each(outputs, last)?];
        Transform::chain(features, steps)
    };
    made().within(|| object.path())
}

fn waves(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    cosines(object, vec![Each::Complete])
}

/// Of the logarithm of a number plus `skewedness`, which must be positive.
fn skewed(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let by = object.attr("skewedness")?.as_f64()?;
    let features = object.attr("random_weights_")?.shape()?.first().copied().unwrap_or(0);
    crate::limits::check("features", features, crate::limits::FEATURES)?;
    let least = (-by).next_up();
    let first = vec![
        Each::Complete,
        Each::RefuseOutside(least, f64::INFINITY),
        Each::Add(vec![by; features]),
        Each::Apply(Function::Log),
    ];
    cosines(object, first)
}

/// Each class has the sum of the likenesses of the training rows, by their shares of it.
fn propagated(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let kernel = object.attr("kernel")?;
    if !kernel.is_str() || kernel.as_str()? != "rbf" {
        return Err(kernel.unsupported("only kernel='rbf' is read; train with it"));
    }
    let (classes, count) = meta::labels(object)?;
    let (shape, shares) = matrix(object.attr("label_distributions_")?)?;
    if shape[1] != count {
        return Err(object.malformed(format!("shares of {} classes, there are {count}", shape[1])));
    }
    let said = weighted(object, object.attr("X_")?, transposed(shape, &shares), vec![0.0; count])?;
    let features = said.features();
    let made = || Transform::chain(features, vec![said, Transform::whole(count, Whole::Ratio)?]);
    let path = made().within(|| object.path())?;
    meta::probabilities(object, path, Rule::Largest(classes.clone()), classes, count)
}
