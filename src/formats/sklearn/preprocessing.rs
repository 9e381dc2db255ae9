//! Transformers that scale columns or make new ones of them.

use super::{Context, Entry, Reader, column_count, function, version, width};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::pipeline::Transform;
use crate::ir::transform::{Each, Norm, Quantiles, Whole};
use crate::limits;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("StandardScaler", standard),
    entry("MinMaxScaler", min_max),
    entry("MaxAbsScaler", max_abs),
    entry("RobustScaler", robust),
    entry("Normalizer", normalizer),
    entry("Binarizer", binarizer),
    entry("PolynomialFeatures", polynomial),
    entry("PowerTransformer", power),
    entry("QuantileTransformer", quantile),
    entry("FunctionTransformer", function::read),
];

const fn entry(class: &'static str, read: fn(Ref<'_>, &Context<'_>) -> Result<Transform>) -> Entry {
    let refused =
        if matches!(class.as_bytes(), b"FunctionTransformer") { "functions that numpy does not name" } else { "" };
    Entry { class, reader: Reader::Transform(read), outputs: "value", refused }
}

/// The inverse of a transformer, for a target that was transformed.
///
/// # Errors
/// `MI_UNSUPPORTED` for a class whose inverse is not known.
pub(super) fn inverse(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let things = match object.class().map(|(_, name)| name) {
        Some("StandardScaler") => {
            let (mean, scale) = moments(object)?;
            scale.map(Each::Multiply).into_iter().chain(mean.map(Each::Add)).collect()
        }
        Some("MinMaxScaler") => {
            vec![Each::Subtract(numbers(object, "min_")?), Each::Divide(numbers(object, "scale_")?)]
        }
        Some("MaxAbsScaler") => vec![Each::Multiply(numbers(object, "scale_")?)],
        Some("RobustScaler") => {
            let (center, scale) = spread(object)?;
            scale.map(Each::Multiply).into_iter().chain(center.map(Each::Add)).collect()
        }
        Some("PowerTransformer") => {
            let mut things = Vec::new();
            if object.attr("standardize")?.as_bool()? {
                let (mean, scale) = moments(object.attr("_scaler")?)?;
                things.extend(scale.map(Each::Multiply));
                things.extend(mean.map(Each::Add));
            }
            let lambdas = numbers(object, "lambdas_")?;
            things.push(if is_box_cox(object)? {
                Each::BoxCoxInverse(lambdas)
            } else {
                Each::YeoJohnsonInverse(lambdas)
            });
            things
        }
        Some("QuantileTransformer") => vec![Each::Quantiles(quantiles(object, true)?)],
        Some("FunctionTransformer") => return function::inverse(object),
        Some("Pipeline") => {
            let mut steps = Vec::new();
            for step in object.attr("steps")?.list()?.into_iter().rev() {
                let [_, step] = super::compose::pair(step)?;
                if !super::compose::passes(step)? {
                    steps.push(inverse(step, context)?);
                }
            }
            let features = steps.first().map_or(1, Transform::features);
            return Transform::chain(features, steps).within(|| object.path());
        }
        _ => {
            return Err(object.unsupported(format!(
                "the inverse of {} is not known; train without it, or export the model to ONNX",
                object.describe()
            )));
        }
    };
    each(object, context, things)
}

/// What happens to each column; the width is that of the first vector, or what is known of the object.
fn each(object: Ref<'_>, context: &Context<'_>, things: Vec<Each>) -> Result<Transform> {
    let columns = things.iter().find_map(|thing| match thing {
        Each::Add(n)
        | Each::Subtract(n)
        | Each::Multiply(n)
        | Each::Divide(n)
        | Each::YeoJohnson(n)
        | Each::YeoJohnsonInverse(n)
        | Each::BoxCox(n)
        | Each::BoxCoxInverse(n) => Some(n.len()),
        Each::Quantiles(quantiles) => Some(quantiles.values.len()),
        _ => None,
    });
    let columns = columns.map_or_else(|| width(object, context), Ok)?;
    Transform::each(columns, things).within(|| object.path())
}

pub(super) fn numbers(object: Ref<'_>, name: &str) -> Result<Vec<f64>> {
    Ok(object.attr(name)?.array_f64()?.data)
}

/// What is taken away from a column and what it is divided by, each where it is used.
type Moments = (Option<Vec<f64>>, Option<Vec<f64>>);

/// An attribute, where a flag says that it is used.
fn used(object: Ref<'_>, flag: &str, name: &str) -> Result<Option<Vec<f64>>> {
    if object.attr(flag)?.as_bool()? { numbers(object, name).map(Some) } else { Ok(None) }
}

fn moments(object: Ref<'_>) -> Result<Moments> {
    Ok((used(object, "with_mean", "mean_")?, used(object, "with_std", "scale_")?))
}

fn spread(object: Ref<'_>) -> Result<Moments> {
    Ok((used(object, "with_centering", "center_")?, used(object, "with_scaling", "scale_")?))
}

fn standard(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let (mean, scale) = moments(object)?;
    each(object, context, mean.map(Each::Subtract).into_iter().chain(scale.map(Each::Divide)).collect())
}

fn min_max(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let mut things = vec![Each::Multiply(numbers(object, "scale_")?), Each::Add(numbers(object, "min_")?)];
    if object.attr_some("clip")?.map_or(Ok(false), Ref::as_bool)? {
        let range = object.attr("feature_range")?;
        match *range.array_f64()?.data {
            [low, high] => things.push(Each::Clip(low, high)),
            _ => return Err(range.expected("two numbers")),
        }
    }
    each(object, context, things)
}

fn max_abs(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let mut things = vec![Each::Divide(numbers(object, "scale_")?)];
    if object.attr_some("clip")?.map_or(Ok(false), Ref::as_bool)? {
        things.push(Each::Clip(-1.0, 1.0));
    }
    each(object, context, things)
}

fn robust(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let (center, scale) = spread(object)?;
    each(object, context, center.map(Each::Subtract).into_iter().chain(scale.map(Each::Divide)).collect())
}

fn normalizer(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let norm = object.attr("norm")?;
    let kind = match &*norm.as_str()? {
        "l1" => Norm::One,
        "l2" => Norm::Two,
        "max" => Norm::Max,
        other => return Err(norm.unsupported(format!("norm '{other}' is not known"))),
    };
    // Since 1.0 a norm that is only rounding counts as 0.
    let least = if version(object)?.is_some_and(|version| version < (1, 0)) { 0.0 } else { 10.0 * f64::EPSILON };
    complete(object, width(object, context)?, Whole::Divide { norm: kind, least })
}

/// A row without missing values, changed as a whole.
fn complete(object: Ref<'_>, features: usize, whole: Whole) -> Result<Transform> {
    let steps = || {
        let steps = vec![Transform::each(features, vec![Each::Complete])?, Transform::whole(features, whole)?];
        Transform::chain(features, steps)
    };
    steps().within(|| object.path())
}

fn binarizer(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    each(object, context, vec![Each::Complete, Each::Above(object.attr("threshold")?.as_f64()?)])
}

fn polynomial(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let features = match object.attr_some("n_input_features_")? {
        Some(count) => column_count(count)?,
        None => width(object, context)?,
    };
    let degree = object.attr("degree")?;
    let (low, high) = match degree.list() {
        Ok(pair) => match *pair {
            [low, high] => (low.as_usize()?, high.as_usize()?),
            _ => return Err(degree.expected("a number or two")),
        },
        Err(_) => (0, degree.as_usize()?),
    };
    let interactions = object.attr("interaction_only")?.as_bool()?;
    if features == 0 {
        return Err(object.malformed("a polynomial of no columns"));
    }
    let mut terms = Vec::new();
    if object.attr("include_bias")?.as_bool()? {
        terms.push(Vec::new());
    }
    let mut size = 0usize;
    for degree in low.max(1)..=high {
        if interactions && degree > features {
            break;
        }
        limits::check("degrees of a polynomial", degree, limits::DEPTH)?;
        let step = usize::from(interactions);
        let mut term: Vec<usize> = (0..degree).map(|place| place * step).collect();
        loop {
            size = size.saturating_add(degree + 3);
            limits::check("factors of a polynomial", size, limits::FEATURES)?;
            object.charge(2 * size_of::<Vec<u32>>() + 8 * (degree + 4))?;
            terms.push(term.iter().map(|&column| u32::try_from(column).unwrap_or(u32::MAX)).collect());
            // The last place that can still move, then everything behind it as small as it may be.
            let top = |place: usize| features - 1 - (degree - 1 - place) * step;
            let Some(place) = (0..degree).rev().find(|&place| term[place] < top(place)) else { break };
            let from = term[place] + 1;
            for (offset, column) in term[place..].iter_mut().enumerate() {
                *column = from + offset * step;
            }
        }
    }
    if let Some(outputs) = object.attr_some("n_output_features_")?
        && outputs.as_usize()? != terms.len()
    {
        return Err(outputs.malformed(format!("the degrees make {} columns", terms.len())));
    }
    complete(object, features, Whole::Products(terms))
}

fn is_box_cox(object: Ref<'_>) -> Result<bool> {
    let method = object.attr("method")?;
    match &*method.as_str()? {
        "box-cox" => Ok(true),
        "yeo-johnson" => Ok(false),
        other => Err(method.unsupported(format!("method '{other}' is not known"))),
    }
}

fn power(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    let lambdas = numbers(object, "lambdas_")?;
    let mut things = vec![if is_box_cox(object)? { Each::BoxCox(lambdas) } else { Each::YeoJohnson(lambdas) }];
    if object.attr("standardize")?.as_bool()? {
        let (mean, scale) = moments(object.attr("_scaler")?)?;
        things.extend(mean.map(Each::Subtract));
        things.extend(scale.map(Each::Divide));
    }
    each(object, context, things)
}

fn quantiles(object: Ref<'_>, inverse: bool) -> Result<Quantiles> {
    let references = numbers(object, "references_")?;
    let table = object.attr("quantiles_")?;
    let array = table.array_f64()?;
    let &[steps, columns] = &*array.shape else { return Err(table.expected("an array of two axes")) };
    if columns == 0 || steps == 0 {
        return Err(table.expected("an array that is not empty"));
    }
    let values =
        (0..columns).map(|column| array.data.iter().skip(column).step_by(columns).copied().collect()).collect();
    let target = object.attr("output_distribution")?;
    let normal = match &*target.as_str()? {
        "normal" => true,
        "uniform" => false,
        other => return Err(target.unsupported(format!("distribution '{other}' is not known"))),
    };
    let cut = normal || version(object)?.is_some_and(|version| version < (0, 21));
    Ok(Quantiles { references, values, normal, cut, inverse })
}

fn quantile(object: Ref<'_>, context: &Context<'_>) -> Result<Transform> {
    each(object, context, vec![Each::Quantiles(quantiles(object, false)?)])
}
