//! Networks of Keras, without TensorFlow: `.keras` archives, `.h5` files of Keras 2 and 3, weights with their configuration beside them.
//!
//! The configuration says which layers there are and how they are called; the weights lie in HDF5. [`table`] lists the layers, `layers` and
//! `operations` lower each to the operations of [`crate::ir::network`].

mod arguments;
mod config;
mod layer;
mod layers;
mod operations;
mod reader;
mod table;
mod weights;

use super::{Files, ReadOptions};
use crate::codec::archive::Archive;
use crate::codec::hdf5::{File, Object};
use crate::codec::json;
use crate::error::{Error, Result, Within};
use crate::ir::network::{Answer, Function, Network, NodeId, Op, Predictor};
use crate::ir::{Body, Classes, Estimator, Model, Precision, Source, Task};
use crate::limits;
use reader::Reader;
use serde_json::{Value, json};
use std::sync::Arc;
use weights::{Form, Store, parted};

/// Entries of a `.keras` archive.
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.weights.h5";
const METADATA: &str = "metadata.json";
/// Where a configuration may lie beside a file of weights alone.
const BESIDE: [&str; 4] = ["config.json", "model.json", "architecture.json", "model_config.json"];

/// Whether an archive is one of Keras.
pub(super) fn is_archive(archive: &Archive<'_>) -> bool {
    archive.contains(CONFIG) && (archive.contains(WEIGHTS) || archive.contains(METADATA))
}

/// Reads a `.keras` archive.
///
/// # Errors
/// `MI_UNSUPPORTED` for a layer that is not read, naming it; `MI_MALFORMED` and `MI_LIMIT_EXCEEDED` for a broken file.
pub(super) fn read_archive(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    let mut archive = Archive::open(bytes)?;
    let config = json::parse(&archive.read(CONFIG)?).within(|| CONFIG)?;
    let metadata = if archive.contains(METADATA) { archive.read(METADATA)? } else { b"{}".to_vec() };
    let metadata = json::parse(&metadata).within(|| METADATA)?;
    if !archive.contains(WEIGHTS) {
        let names: Vec<String> = archive.names().filter(|name| name.contains("weights")).take(3).collect();
        return Err(Error::unsupported(format!(
            "the archive has no {WEIGHTS}{}; save the model again with model.save('model.keras')",
            if names.is_empty() { String::new() } else { format!(" but {}", names.join(", ")) }
        )));
    }
    let weights = archive.read(WEIGHTS)?;
    let version = metadata.get("keras_version").and_then(Value::as_str);
    let file = File::open(&weights).within(|| WEIGHTS)?;
    let store = Store::new(file.root()?, Form::Tree);
    let loss = config.get("compile_config").and_then(|compiled| compiled.get("loss"));
    lower(&config, &store, &Facts { version, format: "keras archive", loss }, options)
}

/// Reads an HDF5 file: a whole model, or weights with a configuration beside them.
///
/// # Errors
/// As [`read_archive`], and those of `files`.
pub(super) fn read_hdf5(bytes: &[u8], options: &ReadOptions, files: &dyn Files) -> Result<Model> {
    let file = File::open(bytes)?;
    let root = file.root()?;
    let version = root.string("keras_version")?;
    let Some(config) = whole(&root, "model_config")? else { return beside(root, options, files) };
    let config = json::parse(config.as_bytes()).within(|| "model_config")?;
    let training = whole(&root, "training_config")?.and_then(|text| json::parse(text.as_bytes()).ok());
    let Some(group) = root.child("model_weights")? else {
        return Err(Error::malformed(
            "it has a configuration and no weights; save the model again with model.save('model.h5')",
        ));
    };
    let store = Store::new(group, Form::Lists);
    let loss = training.as_ref().and_then(|training| training.get("loss"));
    lower(&config, &store, &Facts { version: version.as_deref(), format: "keras hdf5", loss }, options)
}

/// A long text, which may be cut into several attributes.
fn whole(root: &Object<'_>, name: &str) -> Result<Option<String>> {
    Ok(parted(root, name)?.map(|parts| parts.concat()))
}

/// Weights whose configuration lies beside them.
fn beside(root: Object<'_>, options: &ReadOptions, files: &dyn Files) -> Result<Model> {
    let form = if parted(&root, "layer_names")?.is_some() {
        Form::Lists
    } else if root.child("layers")?.is_some() || root.child("_layer_checkpoint_dependencies")?.is_some() {
        Form::Tree
    } else {
        return Err(Error::unsupported("this HDF5 file holds no model of Keras"));
    };
    let mut found = None;
    for name in BESIDE {
        match files.read(name) {
            Ok(bytes) => {
                found = Some((name, bytes));
                break;
            }
            Err(error)
                if matches!(error.status(), crate::error::Status::NotFound | crate::error::Status::Unsupported) => {}
            Err(error) => return Err(error),
        }
    }
    let Some((name, text)) = found else {
        return Err(Error::unsupported(format!(
            "these are weights without the layers that they belong to; save the whole model with model.save('model.keras'), or put the text of \
             model.to_json() beside them as {} and open the file by its path",
            BESIDE[0]
        )));
    };
    limits::check(
        "bytes of a configuration",
        text.len(),
        usize::try_from(limits::METADATA_BYTES).unwrap_or(usize::MAX),
    )?;
    let config = json::parse(&text).within(|| name)?;
    let version = config.get("keras_version").and_then(Value::as_str).map(str::to_owned);
    let version = match version {
        None => root.string("keras_version")?,
        known => known,
    };
    let format = if form == Form::Tree { "keras weights" } else { "keras hdf5 weights" };
    let store = Store::new(root, form);
    lower(&config, &store, &Facts { version: version.as_deref(), format, loss: None }, options)
}

/// What a file says about the model beside its layers.
struct Facts<'a> {
    version: Option<&'a str>,
    format: &'static str,
    loss: Option<&'a Value>,
}

fn lower<'a>(config: &'a Value, store: &'a Store<'a>, facts: &Facts<'_>, options: &ReadOptions) -> Result<Model> {
    let model = reader::outermost(config)?;
    let major = facts.version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    // A file that does not say its version: only Keras 3 writes modules of its own sources.
    let third = major.map_or(store.form() == Form::Tree, |major| major >= 3);
    let mut reader = Reader::new(third, options.sequence_length);
    let outputs = reader.model(model, store)?;
    let named: Vec<(&str, NodeId)> = outputs.iter().map(|(name, node)| (name.as_str(), *node)).collect();
    let network = reader.builder.finish(&named)?;
    let value = chosen(&network, options)?;
    let loss = facts.loss.and_then(loss_name);
    let (task, answer) = meaning(&network, value, loss.as_deref());
    let mut source = Source {
        library: "keras",
        version: facts.version.map(str::to_owned),
        format: facts.format,
        objective: loss,
        ..Source::default()
    };
    let shapes = |list: Vec<(&str, String)>| -> Value {
        list.into_iter().map(|(name, shape)| json!({"name": name, "shape": shape})).collect()
    };
    source.details.insert("layers".into(), json!(reader::layers(model)?.len()));
    source.details.insert("multiplications".into(), json!(network.work()));
    source.details.insert(
        "network_inputs".into(),
        shapes(network.inputs().iter().map(|input| (input.name.as_str(), input.shape.to_string())).collect()),
    );
    source.details.insert(
        "network_outputs".into(),
        shapes(network.outputs().iter().map(|output| (output.name.as_str(), output.shape.to_string())).collect()),
    );
    if network.outputs().len() > 1 {
        source.details.insert("value_from".into(), json!(network.outputs()[value].name));
    }
    let predictor = Predictor::new(Arc::new(network), value, answer)?;
    let body = Body::Estimator(Arc::new(Estimator::Network(predictor)));
    Model { precision: Precision::F32, source, ..Model::plain(body, task) }.validated()
}

/// Which output is the value: the one that the caller names; the only one; the one that is called a target; of an autoencoder the one behind
/// its reconstruction; the first.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` when there is no output that is called as the caller says.
fn chosen(network: &Network, options: &ReadOptions) -> Result<usize> {
    let outputs = network.outputs();
    if let Some(wanted) = &options.output {
        let named = outputs.iter().position(|output| output.name == *wanted);
        let numbered = || wanted.parse::<usize>().ok().filter(|&number| number < outputs.len());
        return named.or_else(numbered).ok_or_else(|| {
            let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
            Error::invalid(format!(
                "there is no output '{}'; there are {}",
                wanted.escape_debug(),
                names.join(", ").escape_debug()
            ))
        });
    }
    let called = |word: &str| outputs.iter().position(|output| output.name.to_ascii_lowercase().contains(word));
    if let Some(target) = called("target").filter(|_| outputs.len() > 1) {
        return Ok(target);
    }
    let family = options.family.as_deref().unwrap_or_default().to_ascii_lowercase();
    let as_large =
        outputs.len() == 2 && outputs[0].shape.elements() == network.row() && outputs[1].shape != outputs[0].shape;
    let reconstructs = called("recon").or_else(|| called("decod")) == Some(0) || as_large;
    Ok(usize::from(outputs.len() == 2 && (family.contains("vae") || reconstructs)))
}

/// The name of a loss.
fn loss_name(loss: &Value) -> Option<String> {
    match loss {
        Value::String(name) => Some(name.clone()),
        Value::Object(map) => {
            let named = map.get("config").and_then(|config| config.get("name")).or_else(|| map.get("class_name"));
            named.and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    }
}

/// What the numbers of an output are, by the function that gives them; a loss of regression makes them numbers.
fn meaning(network: &Network, value: usize, loss: Option<&str>) -> (Task, Answer) {
    let output = &network.outputs()[value];
    let size = output.shape.elements();
    let numbers = (Task::Regression, Answer::Values);
    let loss = loss.unwrap_or_default().to_ascii_lowercase();
    if output.shape.rank() != 2
        || ["mean", "mse", "mae", "huber", "cosh", "quantile"].iter().any(|word| loss.contains(word))
    {
        return numbers;
    }
    match network.node(output.node).op() {
        Op::Softmax { log: false, .. } if size > 1 => (Task::Multiclass(size), Answer::Classes(Classes::Index)),
        Op::Map(Function::Sigmoid) if size == 1 => (Task::Binary, Answer::Classes(Classes::Index)),
        Op::Map(Function::Sigmoid) => (Task::Multilabel, Answer::Each),
        _ => numbers,
    }
}

/// Every class of layers that is read: name, what of it, what is refused; sorted by name.
pub(super) fn classes() -> Vec<(&'static str, &'static str, &'static str)> {
    let entries = table::TABLE.iter().flat_map(|entries| entries.iter());
    let mut classes: Vec<_> = entries.map(|entry| (entry.class, entry.what, entry.refused)).collect();
    classes.sort_unstable();
    classes
}

/// Operations that are read.
pub(super) fn operations() -> &'static [&'static str] {
    operations::NAMES
}
