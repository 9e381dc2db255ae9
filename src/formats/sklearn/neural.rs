//! Multi-layer perceptrons.

use super::{Entry, Reader, classes, estimator, matrix};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::formats::Context;
use crate::ir::network::{Activation, Answer, Layer, Network};
use crate::ir::{Classes, Estimator, Model, Task};
use crate::limits;

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

fn activation(object: Ref<'_>, name: &str) -> Result<Activation> {
    let place = object.attr(name)?;
    match &*place.as_str()? {
        "identity" => Ok(Activation::Identity),
        "logistic" => Ok(Activation::Logistic),
        "tanh" => Ok(Activation::Tanh),
        "relu" => Ok(Activation::Relu),
        "softmax" => Ok(Activation::Softmax),
        "exp" => Ok(Activation::Exp),
        unknown => Err(place.unsupported(format!(
            "activation '{unknown}' is not read; use identity, logistic, tanh or relu, or export the model to ONNX"
        ))),
    }
}

fn layers(object: Ref<'_>) -> Result<Vec<Layer>> {
    let (hidden, last) = (activation(object, "activation")?, activation(object, "out_activation_")?);
    let weights = object.attr("coefs_")?.list()?;
    let bias = object.attr("intercepts_")?.list()?;
    if weights.len() != bias.len() {
        return Err(object.malformed(format!(
            "{} matrices of weights and {} of intercepts",
            weights.len(),
            bias.len()
        )));
    }
    let count = weights.len();
    let mut layers = limits::vec("layers", count)?;
    for (index, (weights, bias)) in weights.into_iter().zip(bias).enumerate() {
        let ([inputs, _], numbers) = matrix(weights)?;
        let activation = if index + 1 == count { last } else { hidden };
        let layer = Layer::new(inputs, numbers, bias.array_f64()?.data, activation).within(|| weights.path())?;
        layers.push(layer);
    }
    Ok(layers)
}

fn read(object: Ref<'_>, answer: Answer, classes: Classes) -> Result<Model> {
    let network = Network::new(layers(object)?, answer).within(|| object.path())?;
    let task = match (network.answer(), network.outputs()) {
        (Answer::Values, _) => Task::Regression,
        (Answer::Each, _) => Task::Multilabel,
        (Answer::Classes(_), 1) => Task::Binary,
        (Answer::Classes(_), classes) => Task::Multiclass(classes),
    };
    let widths: Vec<usize> = network.layers().iter().map(Layer::outputs).collect();
    let mut model = estimator(object, Estimator::Network(network), task, classes)?;
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
