//! PyTorch without libtorch: programs of `torch.export`, TorchScript, pickled modules and state dicts. Nothing in them is executed.

mod aten;
mod graph;
mod known;
mod layers;
mod module;
mod number;
mod program;
mod script;
mod sizes;
mod stored;
mod value;

use super::{Files, ReadOptions};
use crate::codec::archive::Archive;
use crate::codec::pickle;
use crate::error::{Error, Result, Within};
use crate::ir::network::{Answer, Network, Predictor};
use crate::ir::{Body, Classes, Decision, Estimator, Importance, Link, Model, Source, Task};
use program::Layout;
use std::sync::Arc;
use stored::Storages;

/// Whether an archive holds a model of PyTorch.
pub(super) fn is_archive(archive: &Archive<'_>) -> bool {
    let pickled = archive.names().any(|name| name.ends_with("/data.pkl") || name == "data.pkl");
    pickled || matches!(Layout::of(archive), Ok(Some(_)) | Err(_))
}

/// Whether bytes begin as the older serialisation does.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(stored::LEGACY)
}

/// Every operation that is read, by subject; then every module.
pub(super) fn tables() -> (Vec<(&'static str, Vec<&'static str>)>, &'static [&'static str]) {
    let names = |entries: &[(&'static str, aten::Lower)]| entries.iter().map(|(name, _)| *name).collect();
    (aten::TABLE.iter().map(|(subject, entries)| (*subject, names(entries))).collect(), layers::CLASSES)
}

/// Reads a model of PyTorch in any of its forms.
///
/// # Errors
/// `MI_UNSUPPORTED` for operations that are not read and for files that do not say what their model computes, with what to do instead;
/// `MI_MALFORMED` and `MI_LIMIT_EXCEEDED` for a broken file.
pub(super) fn read(bytes: &[u8], options: &ReadOptions, files: &dyn Files) -> Result<Model> {
    if is_legacy(bytes) {
        let legacy = stored::legacy(bytes)?;
        let graph = pickle::decode(legacy.pickle)?;
        let read = module::read(graph.root(), &mut Storages::Behind(legacy.storages), files)?;
        return model(read.network, read.form, None, options);
    }
    let mut archive = Archive::open(bytes)?;
    if let Some(layout) = Layout::of(&archive)? {
        let program = program::read(&mut archive, &layout)?;
        return model(program.network, "torch.export program", program.version, options);
    }
    if let Some(folder) = script::folder(&archive) {
        let network = script::read(&mut archive, &folder, files)?;
        return model(network, "torchscript", None, options);
    }
    let (data, mut storages) = Storages::of_archive(&mut archive)?;
    let graph = pickle::decode(&data).within(|| "data.pkl")?;
    let read = module::read(graph.root(), &mut storages, files)?;
    model(read.network, read.form, None, options)
}

/// The value is the first output; of a `vae`, whose first is the reconstruction, the second.
fn model(network: Network, format: &'static str, version: Option<String>, options: &ReadOptions) -> Result<Model> {
    let outputs = network.outputs().len();
    let value = usize::from(options.family.as_deref() == Some("vae") && outputs > 1);
    let precision = network.precision();
    let mut details = serde_json::Map::new();
    let shapes: Vec<serde_json::Value> = network.inputs().iter().map(|input| input.shape.to_string().into()).collect();
    details.insert("inputs".to_owned(), shapes.into());
    let shapes: Vec<serde_json::Value> =
        network.outputs().iter().map(|output| output.shape.to_string().into()).collect();
    details.insert("network_outputs".to_owned(), shapes.into());
    details.insert("value_output".to_owned(), value.into());
    let predictor = Predictor::new(Arc::new(network), value, Answer::Values)?;
    if predictor.outputs() == 0 {
        return Err(Error::malformed("the network gives no numbers"));
    }
    Model {
        body: Body::Estimator(Arc::new(Estimator::Network(predictor))),
        average: None,
        link: Link::Identity,
        precision,
        task: Task::Regression,
        classes: Classes::Index,
        decision: Decision::default(),
        feature_names: None,
        importance: Importance::default(),
        source: Source { library: "torch", version, format, details, ..Source::default() },
        texts: None,
    }
    .validated()
}
