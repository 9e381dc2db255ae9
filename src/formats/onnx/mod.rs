//! ONNX models: read as far as needed to know what goes in and what comes out, checked throughout, and handed on as bytes.
//!
//! Source of the field numbers: `onnx.proto` of ONNX 1.19 (`ModelProto`, `GraphProto`, ...). What a runtime would have to believe is
//! checked here first: that tensors hold what their shapes say, and that files beside the model are where it says.

mod document;
mod rewrite;
mod roles;
mod shape;
mod tensor;

use super::{Files, ReadOptions};
use crate::codec::protobuf::Reader;
use crate::error::{Error, Result};
use crate::ir::graph::{Answer, Axis, Classifier, Graph, Parts};
use crate::ir::{Body, Classes, Decision, Estimator, Importance, Link, Model, Precision, Source, Task};
use crate::limits;
use document::{Dim, Document, Kind, Value};
use roles::Answers;
use serde_json::{Map, Value as Json, json};
use shape::{Filling, Hints};
use std::sync::Arc;

/// Whether these bytes begin as a model does: with its version, and then with a field that follows it.
#[must_use]
pub fn looks_like(bytes: &[u8]) -> bool {
    let [0x08, version @ 1..=0x40, rest @ ..] = bytes else {
        return is_whole(bytes);
    };
    let follows = |tag: u8| matches!(tag, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72 | 0xa2 | 0xca);
    *version > 0 && rest.first().is_some_and(|&tag| follows(tag))
}

/// Whether all of these bytes are fields of a model, in whatever order.
fn is_whole(bytes: &[u8]) -> bool {
    let (mut version, mut graph, mut opset) = (false, false, false);
    let mut reader = Reader::new(bytes);
    loop {
        match reader.next() {
            Ok(Some(field)) => match field.number {
                1 => version = field.int().is_ok_and(|version| (1..1 << 16).contains(&version)),
                7 => graph = field.bytes().is_ok(),
                8 => opset = field.bytes().is_ok(),
                2..=6 | 14 | 20 | 25 | 26 => {}
                _ => return false,
            },
            Ok(None) => return version && graph && opset,
            Err(_) => return false,
        }
    }
}

/// Reads a model.
///
/// # Errors
/// `MI_MALFORMED` for a broken one, `MI_UNSUPPORTED` for inputs or outputs that are no rows of numbers, `MI_LIMIT_EXCEEDED` beyond the
/// caps, those of `files`.
pub fn read(bytes: &[u8], options: &ReadOptions, files: &dyn Files) -> Result<Model> {
    let document = Document::read(bytes)?;
    if document.ir_version < 1 {
        return Err(Error::malformed("an ONNX model without `ir_version`"));
    }
    let files = beside(&document, files)?;
    let hints = hints(&document, options);
    let filling = shape::filling(&document.inputs, hints)?;
    let family = options.family.as_deref().map(str::to_ascii_lowercase);
    let answers = roles::roles(&document, options.output.as_deref(), family.as_deref() == Some("vae"))?;
    let feature_names = feature_names(&document, &filling);
    let source = source(&document, &files);
    let (outputs, answer) = tensors(&answers, &filling)?;
    let rewritten = rewrite::without_dictionaries(bytes, &document)?;
    let graph = Graph::new(Parts {
        bytes: rewritten.map_or_else(|| Arc::from(bytes), Arc::from),
        files,
        batch: filling.batch,
        takes: filling.takes,
        inputs: filling.inputs,
        outputs,
        accepts_nan: document.accepts_nan,
        answer,
    })?;
    let classes = match &graph.parts().answer {
        Answer::Classes(classifier) => classifier.classes.clone(),
        _ => Classes::Index,
    };
    let names = feature_names.filter(|names| names.len() == graph.features());
    Model {
        task: task(&graph, &classes),
        body: Body::Estimator(Arc::new(Estimator::Graph(graph))),
        average: None,
        link: Link::Identity,
        precision: Precision::F32,
        decision: Decision::default(),
        feature_names: names,
        texts: None,
        importance: Importance::default(),
        classes,
        source,
    }
    .validated()
}

fn task(graph: &Graph, classes: &Classes) -> Task {
    let Answer::Classes(classifier) = &graph.parts().answer else { return Task::Regression };
    let columns = classifier.probabilities.and_then(|tensor| graph.parts().outputs[tensor].numbers(graph.steps()));
    match classes.count().or(columns.map(|columns| columns.max(2))) {
        Some(count) => Task::ClassProbabilities(count),
        None => Task::Regression,
    }
}

/// The files that hold weights, each read once and long enough for what is said to be in it.
fn beside(document: &Document<'_>, files: &dyn Files) -> Result<Vec<(String, Arc<[u8]>)>> {
    let mut found: Vec<(String, Arc<[u8]>)> = Vec::new();
    let mut bytes = 0u64;
    let mut externals: Vec<_> = document.externals.iter().collect();
    externals.sort_by_key(|external| external.location);
    for external in externals {
        if found.last().is_none_or(|(name, _)| name != external.location) {
            let content = files.read(external.location)?;
            bytes = bytes.saturating_add(content.len() as u64);
            if bytes > limits::WEIGHT_BYTES {
                return Err(Error::limit(format!(
                    "the files beside the model pass the cap of {} bytes",
                    limits::WEIGHT_BYTES
                )));
            }
            found.push((external.location.to_owned(), content));
        }
        if let Some((_, content)) = found.last() {
            external.check(content)?;
        }
    }
    Ok(found)
}

/// What the caller knows, or else what the model's own metadata says.
fn hints(document: &Document<'_>, options: &ReadOptions) -> Hints {
    let said = |keys: &[&str]| {
        let value = document.metadata.iter().find(|(key, _)| keys.contains(key)).map(|(_, value)| *value);
        value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    Hints {
        columns: if options.feature_count > 0 { options.feature_count } else { said(&["feature_count", "n_features"]) },
        steps: if options.sequence_length > 0 { options.sequence_length } else { said(&["sequence_length"]) },
    }
}

/// The tensors that are asked for, and what each of them is.
fn tensors(answers: &Answers<'_>, filling: &Filling<'_>) -> Result<(Vec<crate::ir::graph::Output>, Answer)> {
    let mut outputs = Vec::new();
    let mut place = |value: &Option<Value<'_>>| -> Result<Option<usize>> {
        let Some(value) = value else { return Ok(None) };
        outputs.push(shape::output(value, filling)?);
        Ok(Some(outputs.len() - 1))
    };
    let values = place(&answers.values)?;
    let (probabilities, scores, label) =
        (place(&answers.probabilities)?, place(&answers.scores)?, place(&answers.label)?);
    // The matrix behind a dictionary has no shape in the file, but one number for each class.
    let rows_first = filling.inputs.iter().all(|input| input.axes.first() == Some(&Axis::Rows));
    if let (Some(tensor), Some(count), true) = (probabilities, answers.classes.count(), rows_first)
        && outputs[tensor].axes.is_none()
        && matches!(answers.probabilities, Some(Value { kind: Kind::Tensor(_, None), .. }))
    {
        outputs[tensor].axes = Some(vec![Axis::Rows, Axis::Fixed(count)]);
    }
    let answer = match values {
        Some(tensor) => Answer::Values(tensor),
        None => Answer::Classes(Classifier {
            probabilities,
            scores,
            label,
            classes: answers.classes.clone(),
            value: answers.value,
        }),
    };
    Ok((outputs, answer))
}

/// Names of the columns: those of the inputs, when each takes one, or what the model's own metadata says.
fn feature_names(document: &Document<'_>, filling: &Filling<'_>) -> Option<Vec<String>> {
    if filling.inputs.len() > 1 {
        let single = filling.inputs.iter().all(|input| input.numbers(1) == 1);
        return single.then(|| filling.inputs.iter().map(|input| input.name.clone()).collect());
    }
    let known = ["feature_names", "features", "feature_list"];
    let (_, text) = document.metadata.iter().find(|(key, _)| known.contains(key))?;
    serde_json::from_str(text).ok()
}

fn source(document: &Document<'_>, files: &[(String, Arc<[u8]>)]) -> Source {
    let value = |value: &Value<'_>| match &value.kind {
        Kind::Other => json!({"name": value.name, "type": "no tensor"}),
        Kind::Tensor(kind, shape) => json!({
            "name": value.name,
            "type": shape::element(*kind).map_or("unknown", crate::ir::graph::Element::name),
            "shape": shape.as_ref().map(|shape| shape.iter().map(|dim| match dim {
                Dim::Fixed(size) => json!(size),
                Dim::Open(name) => json!(name),
            }).collect::<Vec<_>>()),
        }),
    };
    let graph = json!({
        "ir_version": document.ir_version,
        "opsets": document.opsets.iter().map(|(domain, version)| (domain_name(domain).to_owned(), json!(version))).collect::<Map<_, _>>(),
        "producer": document.producer,
        "producer_version": document.producer_version,
        "inputs": document.inputs.iter().map(value).collect::<Vec<_>>(),
        "outputs": document.outputs.iter().map(value).collect::<Vec<_>>(),
        "operators": document.operators,
        "files": files.iter().map(|(name, _)| name).collect::<Vec<_>>(),
    });
    let metadata: Map<String, Json> =
        document.metadata.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let mut details = Map::from_iter([("graph".to_owned(), graph)]);
    if !metadata.is_empty() {
        details.insert("metadata_props".to_owned(), Json::Object(metadata));
    }
    Source { library: "onnx", version: None, format: "onnx", objective: None, warnings: Vec::new(), details }
}

fn domain_name(domain: &str) -> &str {
    if domain.is_empty() { "ai.onnx" } else { domain }
}
