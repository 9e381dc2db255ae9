//! Gaussian processes.

use super::preprocessing::numbers;
use super::{Context, Entry, Reader, classes, estimator, matrix, outputs_first};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::kernel::Kernel;
use crate::ir::process::{Answer, Process};
use crate::ir::similarity::{Covariance, Smoothness};
use crate::ir::{Classes, Estimator, Model, Task};

const REFUSED: &str = "Matern of another order than 0.5, 1.5, 2.5 and infinity; kernels of one's own";

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        class: "GaussianProcessRegressor",
        reader: Reader::Model(regressor),
        outputs: "value, raw, distribution (mean, then standard deviation)",
        refused: REFUSED,
    },
    Entry {
        class: "GaussianProcessClassifier",
        reader: Reader::Model(classifier),
        outputs: "value, probability, label; raw (the latent mean) of two classes",
        refused: REFUSED,
    },
    Entry {
        class: "_BinaryGaussianProcessClassifierLaplace",
        reader: Reader::Model(binary),
        outputs: "value, probability, label, raw",
        refused: REFUSED,
    },
];

/// A kernel object and those inside of it.
fn covariance(kernel: Ref<'_>) -> Result<Covariance> {
    let unknown = || {
        kernel.unsupported(format!(
            "the kernel {} is not read; train with kernels of scikit-learn, or export the model to ONNX",
            kernel.describe()
        ))
    };
    let Some((module, name)) = kernel.class() else { return Err(unknown()) };
    if !module.starts_with("sklearn.") {
        return Err(unknown());
    }
    let number = |name: &str| kernel.attr(name)?.as_f64();
    let both = || {
        Ok::<_, crate::Error>((Box::new(covariance(kernel.attr("k1")?)?), Box::new(covariance(kernel.attr("k2")?)?)))
    };
    let lengths = || {
        let place = kernel.attr("length_scale")?;
        if let Ok(single) = place.as_f64() { Ok(vec![single]) } else { Ok(place.array_f64()?.data) }
    };
    Ok(match name {
        "ConstantKernel" => Covariance::Constant(number("constant_value")?),
        "WhiteKernel" => Covariance::Noise(number("noise_level")?),
        "RBF" => Covariance::SquaredExponential(lengths()?),
        "Matern" => {
            let order = kernel.attr("nu")?;
            let nu = order.as_f64()?;
            let smoothness = match nu {
                0.5 => Smoothness::Half,
                1.5 => Smoothness::ThreeHalves,
                2.5 => Smoothness::FiveHalves,
                f64::INFINITY => Smoothness::Infinite,
                _ => {
                    return Err(order.unsupported(format!(
                        "Matern of order {nu} is not read; train with 0.5, 1.5, 2.5 or infinity"
                    )));
                }
            };
            Covariance::Matern(lengths()?, smoothness)
        }
        "RationalQuadratic" => {
            Covariance::RationalQuadratic { length: number("length_scale")?, mixture: number("alpha")? }
        }
        "ExpSineSquared" => Covariance::Periodic { length: number("length_scale")?, period: number("periodicity")? },
        "DotProduct" => Covariance::DotProduct(number("sigma_0")?),
        "PairwiseKernel" => Covariance::Kernel(pairwise(kernel)?),
        "Sum" => {
            let (a, b) = both()?;
            Covariance::Sum(a, b)
        }
        "Product" => {
            let (a, b) = both()?;
            Covariance::Product(a, b)
        }
        "Exponentiation" => Covariance::Power(Box::new(covariance(kernel.attr("kernel")?)?), number("exponent")?),
        _ => return Err(unknown()),
    })
}

fn pairwise(kernel: Ref<'_>) -> Result<Kernel> {
    let more = kernel.attr_some("pairwise_kernels_kwargs")?;
    let parameter = |name: &str, default: f64| match more.map(|more| more.dict_get_opt(name)).transpose()?.flatten() {
        Some(found) => found.as_f64(),
        None => Ok(default),
    };
    let gamma = kernel.attr("gamma")?.as_f64()?;
    let metric = kernel.attr("metric")?;
    let name = metric.as_str().map(std::borrow::Cow::into_owned).unwrap_or_default();
    Ok(match &*name {
        "linear" => Kernel::Linear,
        "rbf" => Kernel::Rbf { gamma },
        "poly" | "polynomial" => {
            Kernel::Polynomial { gamma, constant: parameter("coef0", 1.0)?, degree: parameter("degree", 3.0)? }
        }
        "sigmoid" => Kernel::Sigmoid { gamma, constant: parameter("coef0", 1.0)? },
        _ => {
            return Err(metric.unsupported(format!(
                "the kernel by metric {name} is not read; train with 'rbf', 'poly', 'sigmoid' or 'linear'"
            )));
        }
    })
}

/// What both kinds keep: training rows, their covariance, and the triangle.
fn process(object: Ref<'_>, weights: Vec<f64>, scale: Option<Vec<f64>>, answer: Answer) -> Result<Process> {
    let rows = object.attr("X_train_")?;
    let (shape, rows) = matrix(rows)?;
    let (_, factor) = matrix(object.attr("L_")?)?;
    let scale = scale.unwrap_or_else(|| vec![1.0; shape[0]]);
    let covariance = covariance(object.attr("kernel_")?)?;
    Process::new(shape, rows, covariance, weights, scale, factor, answer).within(|| object.path())
}

fn read(object: Ref<'_>, process: Process, task: Task, classes: Classes) -> Result<Model> {
    let count = process.kept().count();
    let mut model = estimator(object, Estimator::Process(process), task, classes)?;
    model.source.details.insert("training_rows".to_owned(), count.into());
    Ok(model)
}

fn regressor(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let place = object.attr("alpha_")?;
    let (weights, outputs) = outputs_first(place)?;
    crate::limits::check("outputs", outputs, crate::limits::OUTPUTS)?;
    // One number for all outputs, or one for each; deviations are there since 0.23.
    let each = |name: &str, default: f64| -> Result<Vec<f64>> {
        let Some(place) = object.attr_some(name)? else { return Ok(vec![default; outputs]) };
        let numbers = if place.is_array() { place.array_f64()?.data } else { vec![place.as_f64()?] };
        Ok(if let [same] = *numbers { vec![same; outputs] } else { numbers })
    };
    let answer = Answer::Numbers { scale: each("_y_train_std", 1.0)?, shift: each("_y_train_mean", 0.0)? };
    read(object, process(object, weights, None, answer)?, Task::Regression, Classes::Index)
}

/// One process, or one for each class or pair of classes.
fn classifier(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    (context.model)(object.attr("base_estimator_")?, context)
}

fn binary(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let labels = classes(object.attr("classes_")?)?;
    let (mut weights, shares) = (numbers(object, "y_train_")?, numbers(object, "pi_")?);
    if weights.len() != shares.len() {
        return Err(object.malformed(format!("{} labels and {} shares", weights.len(), shares.len())));
    }
    weights.iter_mut().zip(shares).for_each(|(label, share)| *label -= share);
    let scale = numbers(object, "W_sr_")?;
    let process = process(object, weights, Some(scale), Answer::Classes(labels.clone()))?;
    read(object, process, Task::Binary, labels)
}
