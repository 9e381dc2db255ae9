//! Projections onto fewer columns.

use super::linear::affine;
use super::preprocessing::numbers;
use super::solve::solve;
use super::{Context, Entry, Reader, function, matrix, version};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::pipeline::Transform;
use crate::ir::transform::{Each, Function};
use crate::limits;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("PCA", pca, ""),
    entry("IncrementalPCA", pca, ""),
    entry("TruncatedSVD", svd, ""),
    entry("NeighborhoodComponentsAnalysis", svd, ""),
    entry("GaussianRandomProjection", svd, ""),
    entry("SparseRandomProjection", sparse, ""),
    entry("FastICA", independent, ""),
    entry("FactorAnalysis", factors, ""),
    entry("SparsePCA", ridge, "files of versions before 0.22 without normalize_components"),
    entry("MiniBatchSparsePCA", ridge, "files of versions before 0.22 without normalize_components"),
    entry("BernoulliRBM", hidden, ""),
    entry("FeatureAgglomeration", pooled, "pooling functions but numpy.mean"),
];

const fn entry(
    class: &'static str,
    read: fn(Ref<'_>, &Context<'_>) -> Result<Transform>,
    refused: &'static str,
) -> Entry {
    Entry { class, reader: Reader::Transform(read), outputs: "value", refused }
}

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

/// Components in a sparse matrix by rows.
fn sparse(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let place = object.attr("components_")?;
    match place.class() {
        Some((_, "csr_matrix" | "csr_array")) => {}
        Some((module, _)) if module.starts_with("scipy.sparse") => {
            return Err(
                place.unsupported("a sparse matrix that is not in rows is not read; use GaussianRandomProjection")
            );
        }
        _ => return svd(object, context),
    }
    let shape = place.attr("_shape")?.list()?;
    let &[count, columns] = &*shape else { return Err(place.expected("a matrix")) };
    let (count, columns) = (count.as_usize()?, columns.as_usize()?);
    limits::check("numbers of a sparse matrix", count.saturating_mul(columns), limits::DENSE)?;
    // As it is read, and as it runs.
    place.charge(2 * size_of::<f64>() * count * columns)?;
    let part = |name: &str| Ok::<_, crate::Error>(place.attr(name)?.array_i64()?.data);
    let (indices, ends, data) = (part("indices")?, part("indptr")?, place.attr("data")?.array_f64()?.data);
    let mut dense = limits::vec("numbers", count * columns)?;
    dense.resize(count * columns, 0.0);
    if ends.len() != count + 1 || indices.len() != data.len() {
        return Err(place.malformed(format!("{} ends of {count} rows, {} indices", ends.len(), indices.len())));
    }
    for (row, pair) in ends.windows(2).enumerate() {
        let bounds = usize::try_from(pair[0]).ok().zip(usize::try_from(pair[1]).ok());
        let entries = bounds.and_then(|(from, to)| indices.get(from..to).zip(data.get(from..to)));
        let Some((indices, data)) = entries else { return Err(place.malformed(format!("row {row} has no end"))) };
        for (index, number) in indices.iter().zip(data) {
            let column = usize::try_from(*index).ok().filter(|&column| column < columns);
            let column = column.ok_or_else(|| place.malformed(format!("column {index} of {columns}")))?;
            dense[row * columns + column] += number;
        }
    }
    linear(object, columns, dense, vec![0.0; count])
}

/// The row less a mean, then a matrix of shape (outputs, columns).
fn centred(object: Ref<'_>, mean: Option<Vec<f64>>, columns: usize, coefficients: Vec<f64>) -> Result<Transform> {
    let outputs = coefficients.len() / columns.max(1);
    let last = linear(object, columns, coefficients, vec![0.0; outputs])?;
    let Some(mean) = mean else { return Ok(last) };
    let made = || {
        let first = Transform::each(columns, vec![Each::Complete, Each::Subtract(mean)])?;
        Transform::chain(columns, vec![first, last])
    };
    made().within(|| object.path())
}

fn independent(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let (components, _, columns) = components(object)?;
    // `whiten` was a bool, then also a name.
    let whiten = object.attr("whiten")?;
    let mean = if whiten.is_str() || whiten.as_bool()? { Some(numbers(object, "mean_")?) } else { None };
    centred(object, mean, columns, components)
}

/// With `W = C / noise`: `(x - m) W' (1 + W C')^-1`.
fn factors(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let (components, count, columns) = components(object)?;
    let noise = numbers(object, "noise_variance_")?;
    if noise.len() != columns {
        return Err(object.malformed(format!("{} variances for {columns} columns", noise.len())));
    }
    let mut scaled = components.clone();
    for row in scaled.chunks_exact_mut(columns) {
        row.iter_mut().zip(&noise).for_each(|(weight, noise)| *weight /= noise);
    }
    let inverse = products(&scaled, &components, count, columns, 1.0).within(|| object.path())?;
    let coefficients = solve(count, inverse, scaled).within(|| object.path())?;
    centred(object, Some(numbers(object, "mean_")?), columns, coefficients)
}

/// `A B' + diagonal`, of shape (count, count), for `A` and `B` of shape (count, columns).
fn products(a: &[f64], b: &[f64], count: usize, columns: usize, diagonal: f64) -> Result<Vec<f64>> {
    let work = count.saturating_mul(count).saturating_mul(columns);
    limits::check("multiplications", work, limits::SOLVING)?;
    let mut products = limits::vec("numbers", count * count)?;
    for (row, a) in a.chunks_exact(columns).enumerate() {
        for (column, b) in b.chunks_exact(columns).enumerate() {
            let sum: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            products.push(if row == column { sum + diagonal } else { sum });
        }
    }
    Ok(products)
}

/// Ridge regression of the row on the components: `(x - m) C' (C C' + alpha)^-1`.
fn ridge(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    if version(object)?.is_some_and(|version| version < (0, 22)) {
        let normal = object.attr_some("normalize_components")?.map_or(Ok(false), Ref::as_bool)?;
        if !normal {
            return Err(object.unsupported(
                "without normalize_components the answer to a row depends on the rows beside it; train again with it",
            ));
        }
    }
    let (components, count, columns) = components(object)?;
    let alpha = object.attr("ridge_alpha")?.as_f64()?;
    let inverse = products(&components, &components, count, columns, alpha).within(|| object.path())?;
    let coefficients = solve(count, inverse, components).within(|| object.path())?;
    centred(object, Some(numbers(object, "mean_")?), columns, coefficients)
}

fn hidden(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let (components, count, columns) = components(object)?;
    let first = linear(object, columns, components, numbers(object, "intercept_hidden_")?)?;
    let made = || {
        let last = Transform::each(count, vec![Each::Apply(Function::Expit)])?;
        Transform::chain(columns, vec![first, last])
    };
    made().within(|| object.path())
}

/// The means of groups of columns.
fn pooled(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let function = object.attr("pooling_func")?;
    if function::name(function)?.as_deref() != Some("mean") {
        return Err(function.unsupported(format!("{} is not read; pool by numpy.mean", function.describe())));
    }
    let place = object.attr("labels_")?;
    let labels = place.array_i64()?.data;
    let columns = labels.len();
    let mut groups = Vec::new();
    for label in labels {
        match usize::try_from(label) {
            Ok(group) if group < columns => groups.push(group),
            _ => return Err(place.malformed(format!("group {label} of {columns} columns"))),
        }
    }
    let count = groups.iter().max().map_or(0, |most| most + 1);
    limits::check("numbers of groups", count.saturating_mul(columns), limits::DENSE)?;
    // As it is read, and as it runs.
    place.charge(2 * size_of::<f64>() * count * columns)?;
    let mut sums = vec![0.0; count * columns];
    let mut sizes = vec![0.0; count];
    for (column, group) in groups.into_iter().enumerate() {
        sums[group * columns + column] = 1.0;
        sizes[group] += 1.0;
    }
    let first = linear(object, columns, sums, vec![0.0; count])?;
    let made = || Transform::chain(columns, vec![first, Transform::each(count, vec![Each::Divide(sizes)])?]);
    made().within(|| object.path())
}
