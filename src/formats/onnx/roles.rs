//! What the outputs of a graph are to a caller: numbers, probabilities, labels.
//!
//! Converters of scikit-learn and of boosters give a classifier two outputs, the label and the probabilities; the latter as a list of
//! dictionaries, made by a node `ZipMap`, which is passed over: its input is the matrix.

use super::document::{Document, Kind, Node, Value};
use super::shape::element;
use crate::error::{Error, Result};
use crate::ir::Classes;
use crate::ir::graph::{Element, ValueOf};

/// A tensor that answers, by its place among the outputs of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers<'a> {
    /// Numbers: the value. Nothing else is then set.
    pub values: Option<Value<'a>>,
    pub probabilities: Option<Value<'a>>,
    pub scores: Option<Value<'a>>,
    pub label: Option<Value<'a>>,
    pub classes: Classes,
    pub value: ValueOf,
}

impl<'a> Answers<'a> {
    fn numbers(value: Value<'a>) -> Self {
        Self {
            values: Some(value),
            probabilities: None,
            scores: None,
            label: None,
            classes: Classes::Index,
            value: ValueOf::Nothing,
        }
    }
}

/// An output as it can be read: a dictionary's matrix instead of the dictionary.
fn readable<'a>(document: &Document<'a>, output: &Value<'a>) -> Option<Value<'a>> {
    match &output.kind {
        Kind::Tensor(..) => Some(output.clone()),
        Kind::Other => {
            let node = document.producer_of(output.name).filter(|node| node.op == "ZipMap")?;
            Some(Value { name: node.inputs.first()?, kind: Kind::Tensor(1, None) })
        }
    }
}

fn element_of(value: &Value<'_>) -> Option<Element> {
    match value.kind {
        Kind::Tensor(kind, _) => element(kind),
        Kind::Other => None,
    }
}

/// The node whose result this is, past nodes that only change its form.
fn origin<'d, 'a>(document: &'d Document<'a>, name: &str) -> Option<&'d Node<'a>> {
    let mut node = document.producer_of(name)?;
    for _ in 0..16 {
        if !matches!(node.op, "Cast" | "Reshape" | "Identity" | "Squeeze" | "Unsqueeze" | "Flatten") {
            break;
        }
        match node.inputs.first().and_then(|name| document.producer_of(name)) {
            Some(before) => node = before,
            None => break,
        }
    }
    Some(node)
}

/// What the numbers of a classifier are, as far as the nodes before them tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Probability,
    Margin,
}

/// Nodes that are looked at before [`scale`] gives up: what makes the numbers is near the output.
const NEAR: usize = 64;

/// The nearest node that makes probabilities or margins, past those that only move, mirror or average them.
fn scale(document: &Document<'_>, name: &str) -> Result<Option<Scale>> {
    let mut names = vec![name];
    let mut at = 0;
    while at < names.len().min(NEAR) {
        if let Some(node) = document.producer_of(names[at]) {
            match node.op {
                "Softmax" | "Sigmoid" | "Exp" | "Normalizer" | "TreeEnsembleClassifier" => {
                    return Ok(Some(Scale::Probability));
                }
                "LinearClassifier" | "SVMClassifier" => {
                    let function = node.texts("post_transform")?;
                    let plain = function.first().is_none_or(|function| function == "NONE");
                    let margin = plain && node.attribute("prob_a").is_none();
                    return Ok(Some(if margin { Scale::Margin } else { Scale::Probability }));
                }
                "MatMul" | "Gemm" => return Ok(Some(Scale::Margin)),
                "Cast"
                | "Reshape"
                | "Identity"
                | "Squeeze"
                | "Unsqueeze"
                | "Flatten"
                | "Concat"
                | "Mul"
                | "Sub"
                | "Add"
                | "Sum"
                | "Div"
                | "Neg"
                | "Slice"
                | "Split"
                | "Gather"
                | "Transpose"
                | "ArrayFeatureExtractor"
                | "ZipMap" => {
                    names.extend(node.inputs.iter().take(NEAR));
                }
                _ => {}
            }
        }
        at += 1;
    }
    Ok(None)
}

/// Which outputs answer. `wanted` is the name or the number of the one that the caller asks for; `second`: the value of several outputs is
/// the second.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` when there is no output `wanted`; `MI_UNSUPPORTED` when nothing can be read.
pub fn roles<'a>(document: &Document<'a>, wanted: Option<&str>, second: bool) -> Result<Answers<'a>> {
    if let Some(wanted) = wanted {
        return chosen(document, wanted).map(Answers::numbers);
    }
    let outputs: Vec<Value<'a>> = document.outputs.iter().filter_map(|output| readable(document, output)).collect();
    let is_float = |value: &&Value<'a>| element_of(value).is_some_and(Element::is_float);
    let label = outputs.iter().find(|value| element_of(value).is_some_and(|element| !element.is_float()));
    let mut floats = outputs.iter().filter(is_float);
    match (label, floats.next()) {
        (None, None) => Err(Error::unsupported(format!(
            "none of the {} outputs is a tensor that can be read; export the model with tensors as outputs",
            document.outputs.len()
        ))),
        (None, Some(first)) => {
            let value = if second { floats.next().unwrap_or(first) } else { first };
            let mut answers = Answers::numbers(value.clone());
            if document.producer_of(value.name).is_some_and(|node| node.op == "Softmax") {
                answers.probabilities = answers.values.take();
                answers.value = ValueOf::Probabilities;
            }
            Ok(answers)
        }
        (Some(label), first) => choosing(document, label, first),
    }
}

fn chosen<'a>(document: &Document<'a>, wanted: &str) -> Result<Value<'a>> {
    let by_name = document.outputs.iter().find(|output| output.name == wanted);
    let by_number = || wanted.parse().ok().and_then(|number: usize| document.outputs.get(number));
    let output = by_name.or_else(by_number).ok_or_else(|| {
        let names: Vec<&str> = document.outputs.iter().map(|output| output.name).collect();
        Error::invalid(format!("there is no output '{wanted}'; there are {}", names.join(", ")))
    })?;
    readable(document, output).filter(|value| element_of(value) != Some(Element::String)).ok_or_else(|| {
        Error::unsupported(format!(
            "output '{}' does not hold numbers; choose another one",
            output.name.escape_default()
        ))
    })
}

/// A model that chooses a label, with the numbers that it chooses by.
fn choosing<'a>(document: &Document<'a>, label: &Value<'a>, numbers: Option<&Value<'a>>) -> Result<Answers<'a>> {
    let classes = classes(document, label, numbers)?;
    let scale = match numbers {
        Some(value) => scale(document, value.name)?.unwrap_or_else(|| {
            let zipped =
                document.nodes.iter().any(|node| node.op == "ZipMap" && node.inputs.first() == Some(&value.name));
            let named = value.name.to_ascii_lowercase().contains("prob");
            if zipped || named { Scale::Probability } else { Scale::Margin }
        }),
        None => Scale::Margin,
    };
    let value = match scale {
        Scale::Probability => ValueOf::Second,
        Scale::Margin if classes.count().is_some() => ValueOf::Nothing,
        // Clusters and outliers: what `predict` gives is the label.
        Scale::Margin => ValueOf::Label,
    };
    let numbers = numbers.cloned();
    let (probabilities, scores) = if scale == Scale::Margin { (None, numbers) } else { (numbers, None) };
    Ok(Answers { values: None, probabilities, scores, label: Some(label.clone()), classes, value })
}

/// Labels of the classes in the order of the probabilities, as far as the graph lists them.
fn classes<'a>(document: &Document<'a>, label: &Value<'a>, numbers: Option<&Value<'a>>) -> Result<Classes> {
    let zipped = numbers.and_then(|value| {
        document.nodes.iter().find(|node| node.op == "ZipMap" && node.inputs.first() == Some(&value.name))
    });
    if let Some(node) = zipped
        && let Some(classes) = listed(node)?
    {
        return Ok(classes);
    }
    let Some(node) = origin(document, label.name) else { return Ok(Classes::Index) };
    if let Some(classes) = listed(node)? {
        return Ok(classes);
    }
    // The label is one of a constant list.
    let constant = node.inputs.iter().find_map(|name| document.lists.iter().find(|list| list.name == *name));
    Ok(match constant.filter(|_| matches!(node.op, "ArrayFeatureExtractor" | "Gather" | "GatherElements")) {
        Some(list) if !list.texts.is_empty() => {
            Classes::Strings(list.texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect())
        }
        Some(list) => numbers_of(&list.ints),
        None => Classes::Index,
    })
}

/// The classes that a node lists in its attributes.
fn listed(node: &Node<'_>) -> Result<Option<Classes>> {
    for name in ["classlabels_strings", "values_strings"] {
        let texts = node.texts(name)?;
        if !texts.is_empty() {
            return Ok(Some(Classes::Strings(texts)));
        }
    }
    for name in ["classlabels_int64s", "classlabels_ints", "values_int64s"] {
        let ints = node.ints(name)?;
        if !ints.is_empty() {
            return Ok(Some(numbers_of(&ints)));
        }
    }
    Ok(None)
}

#[allow(clippy::cast_precision_loss)] // labels are small
fn numbers_of(labels: &[i64]) -> Classes {
    Classes::Numbers(labels.iter().map(|&label| label as f64).collect())
}
