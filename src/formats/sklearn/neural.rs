//! Multi-layer perceptrons.

use super::{Entry, Reader, classes, estimator, matrix};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::formats::Context;
use crate::ir::network::{Answer, Array, Builder, Function, Network, NodeId, Op, Predictor, Shape};
use crate::ir::{Classes, Estimator, Model, Precision, Task};
use crate::limits;
use std::sync::Arc;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    Entry { class: "MLPRegressor", reader: Reader::Model(regressor), outputs: "value, raw", refused: "" },
    Entry {
        class: "MLPClassifier",
        reader: Reader::Model(classifier),
        outputs: "value, probability, label; several labels at once",
        refused: "",
    },
];

/// The function behind a layer.
enum Activation {
    Each(Function),
    Softmax,
}

fn activation(object: Ref<'_>, name: &str) -> Result<Activation> {
    let place = object.attr(name)?;
    Ok(Activation::Each(match &*place.as_str()? {
        "identity" => Function::Identity,
        "logistic" => Function::Sigmoid,
        "tanh" => Function::Tanh,
        "relu" => Function::Relu,
        "exp" => Function::Exp,
        "softmax" => return Ok(Activation::Softmax),
        unknown => {
            return Err(place.unsupported(format!(
                "activation '{unknown}' is not read; use identity, logistic, tanh or relu, or export the model to ONNX"
            )));
        }
    }))
}

/// The layers as a network, and their widths.
fn layers(object: Ref<'_>) -> Result<(Network, Vec<usize>)> {
    let (hidden, last) = (activation(object, "activation")?, activation(object, "out_activation_")?);
    let weights = object.attr("coefs_")?.list()?;
    let bias = object.attr("intercepts_")?.list()?;
    if weights.len() != bias.len() || weights.is_empty() {
        return Err(object.malformed(format!(
            "{} matrices of weights and {} of intercepts",
            weights.len(),
            bias.len()
        )));
    }
    let mut builder = Builder::new(Precision::F64);
    let mut widths = limits::vec("layers", weights.len())?;
    let mut x = None;
    let count = weights.len();
    for (index, (weights, bias)) in weights.into_iter().zip(bias).enumerate() {
        let ([inputs, outputs], numbers) = matrix(weights)?;
        let add = |builder: &mut Builder, bias: Vec<f64>| -> Result<NodeId> {
            let x = match x {
                Some(x) => x,
                None => builder.input("x", Shape::rows(&[inputs])?)?,
            };
            let weights = Array::f64(&[inputs, outputs], numbers)?;
            let x = builder.dense(x, Arc::new(weights), Some(Arc::new(Array::f64(&[outputs], bias)?)))?;
            match if index + 1 == count { &last } else { &hidden } {
                Activation::Each(function) => builder.map(*function, x),
                Activation::Softmax => builder.add(Op::Softmax { axis: 1, log: false }, &[x]),
            }
        };
        x = Some(add(&mut builder, bias.array_f64()?.data).within(|| weights.path())?);
        widths.push(outputs);
    }
    let outputs: Vec<(&str, NodeId)> = x.into_iter().map(|x| ("y", x)).collect();
    Ok((builder.finish(&outputs).within(|| object.path())?, widths))
}

fn read(object: Ref<'_>, answer: Answer, classes: Classes) -> Result<Model> {
    let (network, widths) = layers(object)?;
    let model = Predictor::new(Arc::new(network), 0, answer).within(|| object.path())?;
    let task = match (model.answer(), model.outputs()) {
        (Answer::Values, _) => Task::Regression,
        (Answer::Each, _) => Task::Multilabel,
        (Answer::Classes(_), 1) => Task::Binary,
        (Answer::Classes(_), classes) => Task::Multiclass(classes),
    };
    let mut model = estimator(object, Estimator::Network(model), task, classes)?;
    model.source.details.insert("layers".to_owned(), widths.into());
    Ok(model)
}

fn regressor(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    read(object, Answer::Values, Classes::Index)
}

fn classifier(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let binarizer = object.attr("_label_binarizer")?;
    if binarizer.attr("y_type_")?.as_str()?.starts_with("multilabel") {
        return read(object, Answer::Each, Classes::Index);
    }
    let labels = classes(object.attr("classes_")?)?;
    read(object, Answer::Classes(labels.clone()), labels)
}
