//! Nearest neighbours.

use super::{Entry, Reader, classes, estimator, matrix, version};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::formats::Context;
use crate::ir::centroids::{Centroids, Discriminant};
use crate::ir::neighbors::{Alone, Bounds, Metric, Neighbors, Node, Reach, Said, Tree, Weights};
use crate::ir::{Classes, Estimator, Model, Precision, Task};
use crate::limits;

const REFUSED: &str = "weights and metrics that are Python code; metrics other than euclidean, sqeuclidean, manhattan, chebyshev, \
                       minkowski without weights, cosine, canberra, hamming, seuclidean; sparse training rows";

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        class: "KNeighborsRegressor",
        reader: Reader::Model(nearest_regressor),
        outputs: "value, raw",
        refused: REFUSED,
    },
    Entry {
        class: "KNeighborsClassifier",
        reader: Reader::Model(nearest_classifier),
        outputs: "value, probability, label; several outputs side by side",
        refused: REFUSED,
    },
    Entry {
        class: "RadiusNeighborsRegressor",
        reader: Reader::Model(radius_regressor),
        outputs: "value, raw (NaN without neighbours)",
        refused: REFUSED,
    },
    Entry {
        class: "RadiusNeighborsClassifier",
        reader: Reader::Model(radius_classifier),
        outputs: "value, probability, label; several outputs side by side",
        refused: REFUSED,
    },
    Entry {
        class: "NearestCentroid",
        reader: Reader::Model(centroid),
        outputs: "value, label; raw and probability since 1.6 with metric euclidean",
        refused: "metrics other than euclidean and manhattan",
    },
];

/// The name of a setting that may be Python code.
fn name(place: Ref<'_>, what: &str, remedy: &str) -> Result<String> {
    match place.as_str() {
        Ok(name) => Ok(name.into_owned()),
        Err(_) => Err(place.unsupported(format!(
            "the {what} is {}, which is Python code and not in the file; {remedy}",
            place.describe()
        ))),
    }
}

fn metric(object: Ref<'_>) -> Result<Metric> {
    let place = object.attr("effective_metric_")?;
    let name = name(place, "metric", "train with a named metric, for example 'minkowski'")?;
    let parameters = object.attr_some("effective_metric_params_")?;
    let parameter = |key: &str| match parameters {
        Some(parameters) => Ok(parameters.dict_get_opt(key)?.filter(|value| !value.is_none())),
        None => Ok(None),
    };
    if parameter("w")?.is_some() {
        return Err(place.unsupported("weights of columns are not read; multiply the columns before the model instead"));
    }
    Ok(match name.as_str() {
        "euclidean" | "l2" => Metric::Euclidean,
        "sqeuclidean" => Metric::SquaredEuclidean,
        "manhattan" | "l1" | "cityblock" => Metric::Manhattan,
        "chebyshev" | "infinity" => Metric::Chebyshev,
        "cosine" => Metric::Cosine,
        "canberra" => Metric::Canberra,
        "hamming" => Metric::Hamming,
        "minkowski" | "p" => match parameter("p")? {
            Some(p) => Metric::Minkowski(p.as_f64()?),
            None => Metric::Euclidean,
        },
        "seuclidean" => match parameter("V")? {
            Some(variances) => Metric::StandardEuclidean(variances.array_f64()?.data),
            None => return Err(place.unsupported("'seuclidean' without `V` depends on the rows that are asked about")),
        },
        name => {
            return Err(place.unsupported(format!(
                "metric '{name}' is not read; train with 'minkowski', 'chebyshev', 'cosine' or 'canberra', for example"
            )));
        }
    })
}

fn weights(object: Ref<'_>) -> Result<Weights> {
    let Some(place) = object.attr_some("weights")? else { return Ok(Weights::Uniform) };
    match name(place, "weight", "train with 'uniform' or 'distance'")?.as_str() {
        "uniform" => Ok(Weights::Uniform),
        "distance" => Ok(Weights::Distance),
        unknown => Err(place.malformed(format!("weights '{unknown}'; 'uniform' or 'distance' is expected"))),
    }
}

/// Integers that are indices.
fn indices(place: Ref<'_>, numbers: Vec<i64>) -> Result<Vec<usize>> {
    let mut indices = limits::vec("indices", numbers.len())?;
    for number in numbers {
        indices.push(usize::try_from(number).map_err(|_| place.malformed(format!("{number} is not an index")))?);
    }
    Ok(indices)
}

/// The tree that was built over the training rows; none when all of them are compared.
fn tree(object: Ref<'_>) -> Result<Option<Tree>> {
    let kind = match &*object.attr("_fit_method")?.as_str()? {
        "kd_tree" => Bounds::Box,
        "ball_tree" => Bounds::Ball,
        _ => return Ok(None),
    };
    let place = object.attr("_tree")?;
    let state = place.state().ok_or_else(|| place.expected("a tree with a state"))?.list()?;
    let [_, order, nodes, bounds, ..] = *state else {
        return Err(place.malformed(format!("a tree of {} parts", state.len())));
    };
    let records = nodes.structured()?;
    let start = indices(nodes, records.i64("idx_start")?)?;
    let end = indices(nodes, records.i64("idx_end")?)?;
    let (leaf, radius) = (records.i64("is_leaf")?, records.f64("radius")?);
    let mut read = limits::vec("nodes", start.len())?;
    for (((start, end), leaf), radius) in start.into_iter().zip(end).zip(leaf).zip(radius) {
        read.push(Node { start, end, leaf: leaf != 0, radius });
    }
    let order = indices(order, order.array_i64()?.data)?;
    Ok(Some(Tree { kind, order, nodes: read, bounds: bounds.array_f64()?.data }))
}

fn neighbors(object: Ref<'_>, reach: Reach, said: Said) -> Result<Neighbors> {
    let metric = metric(object)?;
    let place = object.attr("_fit_X")?;
    if !place.is_array() {
        return Err(place.unsupported(format!("the training rows are {}; train on a dense matrix", place.describe())));
    }
    let (shape, rows) = matrix(place)?;
    let tree = tree(object)?;
    Neighbors::new(shape, rows, metric, reach, weights(object)?, said, tree).within(|| object.path())
}

fn nearest(object: Ref<'_>) -> Result<Reach> {
    object.attr("n_neighbors")?.as_usize().map(Reach::Nearest)
}

fn read(object: Ref<'_>, neighbors: Neighbors, task: Task, classes: Classes) -> Result<Model> {
    let count = neighbors.count();
    let mut model = estimator(object, Estimator::Neighbors(neighbors), task, classes)?;
    model.source.details.insert("training_rows".to_owned(), count.into());
    Ok(model)
}

fn regressor(object: Ref<'_>, reach: Reach) -> Result<Model> {
    let place = object.attr("_y")?;
    let values = place.array_f64()?;
    let width = match *values.shape {
        [_] => 1,
        [_, width] => width,
        _ => return Err(place.malformed(format!("one or two axes are expected, not {:?}", values.shape))),
    };
    let single = place.dtype()?.kind == crate::codec::pickle::Kind::Float && place.dtype()?.size == 4;
    let precision = if single { Precision::F32 } else { Precision::F64 };
    let said = Said::Values { width, values: values.data, precision };
    read(object, neighbors(object, reach, said)?, Task::Regression, Classes::Index)
}

fn nearest_regressor(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    regressor(object, nearest(object)?)
}

fn radius_regressor(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    regressor(object, Reach::Radius(object.attr("radius")?.as_f64()?))
}

/// How many classes the labels name.
fn count(labels: &Classes) -> usize {
    labels.count().unwrap_or(0)
}

#[allow(clippy::cast_precision_loss)] // classes are far fewer than 2^52
fn number(class: usize) -> f64 {
    class as f64
}

fn nearest_classifier(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    classifier(object, nearest(object)?)
}

fn radius_classifier(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    classifier(object, Reach::Radius(object.attr("radius")?.as_f64()?))
}

fn classifier(object: Ref<'_>, reach: Reach) -> Result<Model> {
    let place = object.attr("classes_")?;
    let labels = if object.attr("outputs_2d_")?.as_bool()? {
        place.list()?.into_iter().map(classes).collect::<Result<Vec<_>>>()?
    } else {
        vec![classes(place)?]
    };
    let counts: Vec<usize> = labels.iter().map(count).collect();
    let (task, known) = match (&*counts, &*labels) {
        ([2], [labels]) => (Task::Binary, labels.clone()),
        (&[count], [labels]) => (Task::Multiclass(count), labels.clone()),
        _ => (Task::Multilabel, Classes::Index),
    };
    let place = object.attr("_y")?;
    let codes = indices(place, place.array_i64()?.data)?;
    let alone = match reach {
        Reach::Radius(_) => alone(object, &labels)?,
        Reach::Nearest(_) => None,
    };
    let neighbors = neighbors(object, reach, Said::Classes { labels, counts, codes, alone })?;
    read(object, neighbors, task, known)
}

/// What rows without neighbours are, one for each output; `None`: they are refused.
fn alone(object: Ref<'_>, labels: &[Classes]) -> Result<Option<Vec<Alone>>> {
    let version = version(object)?;
    // Before 0.22 what the user said is all there is; since then it is settled in training, output by output.
    let settled = match object.attr_opt("outlier_label_")? {
        Some(settled) if settled.is_none() => return Ok(None),
        Some(settled) => settled.list()?,
        None => match object.attr_some("outlier_label")? {
            Some(said) => vec![said; labels.len()],
            None => return Ok(None),
        },
    };
    if settled.len() != labels.len() {
        return Err(object.malformed(format!("{} labels of outliers for {} outputs", settled.len(), labels.len())));
    }
    let mut alone = limits::vec("labels of outliers", labels.len())?;
    for (place, labels) in settled.into_iter().zip(labels) {
        let (class, label) = match labels {
            Classes::Numbers(numbers) => {
                let label = place.as_f64()?;
                (numbers.iter().position(|number| *number == label), label)
            }
            Classes::Strings(_) | Classes::Index => {
                let text = place.as_str()?;
                let Classes::Strings(known) = labels else { return Err(place.expected("a class")) };
                let class = known.iter().position(|known| *known == text).ok_or_else(|| {
                    place.unsupported(format!("outlier_label '{text}' is not one of the classes, so it has no number"))
                })?;
                (Some(class), number(class))
            }
        };
        alone.push(Alone { class, label });
    }
    // Since 1.4 a faster search compares what the user said with the classes, and since 1.9 with their indices.
    if by_rows(object)? && labels.len() == 1 {
        let said = object.attr("outlier_label")?.as_f64().ok();
        let index = said.and_then(|said| (0..count(&labels[0])).find(|&class| number(class) == said));
        match version {
            Some(version) if version < (1, 4) => {}
            Some(version) if version < (1, 9) && said.is_none() => alone[0].class = None,
            Some(version) if version < (1, 9) => {}
            _ => alone[0].class = index,
        }
    }
    Ok(Some(alone))
}

/// Whether the library compares all rows and counts the classes of those that are near in one go.
fn by_rows(object: Ref<'_>) -> Result<bool> {
    // Others have no such search, or a faster one of their own.
    let usable =
        !matches!(metric(object)?, Metric::Euclidean | Metric::SquaredEuclidean | Metric::Cosine | Metric::Hamming);
    Ok(usable && weights(object)? == Weights::Uniform && object.attr("_fit_method")?.as_str()? == "brute")
}

fn centroid(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let place = object.attr("metric")?;
    let metric = match name(place, "metric", "train with 'euclidean' or 'manhattan'")?.as_str() {
        "euclidean" => Metric::Euclidean,
        "manhattan" => Metric::Manhattan,
        unknown => {
            let message =
                format!("centroids by metric '{unknown}' are not read; train with 'euclidean' or 'manhattan'");
            return Err(place.unsupported(message));
        }
    };
    let labels = classes(object.attr("classes_")?)?;
    let ([count, features], centroids) = matrix(object.attr("centroids_")?)?;
    let discriminant = match object.attr_some("class_prior_")? {
        Some(priors) => Some(discriminant(object, &priors.array_f64()?.data, metric == Metric::Euclidean)?),
        None => None,
    };
    let task = match (count, &discriminant) {
        (2, Some(discriminant)) if discriminant.shown => Task::Binary,
        (2, _) => Task::BinaryScore,
        _ => Task::Multiclass(count),
    };
    let centroids =
        Centroids::new([count, features], centroids, metric, labels.clone(), discriminant).within(|| object.path())?;
    estimator(object, Estimator::Centroids(centroids), task, labels)
}

/// Since 1.6: with equal priors the nearest centroid decides, with others the score.
#[allow(clippy::cast_precision_loss)]
fn discriminant(object: Ref<'_>, priors: &[f64], shown: bool) -> Result<Discriminant> {
    // Columns that never vary within a class are not scaled.
    let one_for_zero = |deviation: f64| if deviation == 0.0 { 1.0 } else { deviation };
    let deviations = object.attr("within_class_std_dev_")?.array_f64()?.data;
    let even = 1.0 / priors.len() as f64;
    Ok(Discriminant {
        deviations: deviations.into_iter().map(one_for_zero).collect(),
        log_priors: priors.iter().map(|prior| prior.ln()).collect(),
        decides: priors.iter().any(|prior| (prior - even).abs() > 1e-8 + 1e-5 * even),
        shown,
    })
}
