//! Pickled modules and state dicts.
//!
//! A pickled module says of which modules it is made, but not what its `forward` does with them: only `nn.Sequential` is known to run
//! them in a row. A state dict says nothing but names and numbers: `architecture.json` beside the file declares the layers.

use super::graph::Graph;
use super::layers::{self, Layer};
use super::stored::{self, Storages};
use super::value::{Tensor, Value};
use crate::codec::json;
use crate::codec::pickle::Ref;
use crate::error::{Error, Result, Status, Within};
use crate::formats::Files;
use crate::ir::Precision;
use crate::ir::network::{Network, Shape};
use crate::limits;
use serde_json::Value as Json;
use std::collections::HashMap;

/// The file beside a model that declares what the model does not say.
pub(super) const DECLARATION: &str = "architecture.json";

/// A network, and what the file was.
pub(super) struct Module {
    pub(super) network: Network,
    pub(super) form: &'static str,
}

/// Entries of checkpoints that hold the state dict.
const STATES: &[&str] = &["state_dict", "model_state_dict", "model"];

/// Reads what a file of `torch.save` holds.
///
/// # Errors
/// `MI_UNSUPPORTED` for modules whose `forward` is not known and for state dicts without a declaration.
pub(super) fn read(root: Ref<'_>, storages: &mut Storages<'_, '_>, files: &dyn Files) -> Result<Module> {
    let declared = declaration(files)?;
    if let Some((module, name)) = root.class()
        && !(module == "collections" && name == "OrderedDict")
    {
        // What an object of another class does with its parts, the file does not say.
        if !(module.starts_with("torch.nn.") && name == "Sequential") {
            let what = match root.attr_some("_modules") {
                Ok(Some(_)) => {
                    "the file does not say what its forward() does; save the module with torch.export.save, or export it to ONNX"
                }
                _ => "it is no module; save the module with torch.export.save",
            };
            return Err(root.unsupported(format!("{module}.{name}: {what}")));
        }
        let mut graph = Graph::new(Precision::F32, None);
        let layer = pickled(&mut graph, root, storages)?;
        let input = match declared.as_ref().and_then(|declared| declared.get("input")) {
            Some(sizes) => shape(sizes)?,
            None => match layer.inputs() {
                Some(columns) if layer.takes_rows() => Shape::rows(&[columns])?,
                _ => {
                    return Err(root.unsupported(format!(
                        "the first layers do not say of which shape a row is; put {DECLARATION} with {{\"input\": [steps, features]}} \
                         beside the file"
                    )));
                }
            },
        };
        return Ok(Module { network: finish(graph, &layer, input)?, form: "torch module" });
    }
    let Some(declared) = declared else {
        return Err(root.unsupported(format!(
            "a state dict holds weights and no architecture; declare it in {DECLARATION} beside the file, or save the model with \
             torch.export.save"
        )));
    };
    let mut graph = Graph::new(Precision::F32, None);
    let state = state(root)?;
    let tensors = tensors(&mut graph, state, storages)?;
    let prefix = declared.get("prefix").and_then(Json::as_str).unwrap_or_default();
    let layer = Layer {
        class: "Sequential".to_owned(),
        layers: children(declared.get("layers"), prefix, &tensors, 0).within(|| DECLARATION)?,
        ..Layer::default()
    };
    let input = declared
        .get("input")
        .ok_or_else(|| Error::malformed("`input` is not there"))
        .and_then(shape)
        .within(|| DECLARATION)?;
    Ok(Module { network: finish(graph, &layer, input)?, form: "torch state dict" })
}

fn finish(mut graph: Graph, layer: &Layer, input: Shape) -> Result<Network> {
    let x = graph.builder.input("input", input)?;
    let x = graph.of_node(x, super::number::Kind::Float);
    let y = layers::run(&mut graph, layer, &x)?;
    let y = graph.node(&y)?;
    graph.builder.finish(&[("output", y)])
}

/// The declaration beside the model, if there is one.
fn declaration(files: &dyn Files) -> Result<Option<Json>> {
    match files.read(DECLARATION) {
        Ok(bytes) => {
            limits::check("bytes of a declaration", bytes.len(), limits::DECLARATION_BYTES)?;
            json::parse(&bytes).within(|| DECLARATION).map(Some)
        }
        Err(error) if matches!(error.status(), Status::NotFound | Status::Unsupported) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The shape of a row by the declaration.
pub(super) fn shape(sizes: &Json) -> Result<Shape> {
    let sizes: Option<Vec<usize>> = sizes
        .as_array()
        .and_then(|sizes| sizes.iter().map(|size| size.as_u64().and_then(|size| usize::try_from(size).ok())).collect());
    Shape::rows(&sizes.ok_or_else(|| Error::malformed("`input` is no list of sizes"))?)
}

/// The dictionary of tensors: the object itself, or an entry of a checkpoint.
fn state(root: Ref<'_>) -> Result<Ref<'_>> {
    let items = root.items().map_err(|_| root.unsupported(format!("{} is no state dict", root.describe())))?;
    if items.iter().any(|(_, value)| matches!(stored::tensor(*value), Ok(Some(_)))) {
        return Ok(root);
    }
    for name in STATES {
        if let Some(inner) = root.dict_get_opt(name)? {
            return Ok(inner);
        }
    }
    Err(root.unsupported(format!("no entry of it is a tensor, and none is called {}", STATES.join(", "))))
}

fn tensors(graph: &mut Graph, state: Ref<'_>, storages: &mut Storages<'_, '_>) -> Result<HashMap<String, Tensor>> {
    let mut tensors = HashMap::new();
    for (name, value) in state.items()? {
        if let Some(noted) = stored::tensor(value)? {
            let (kind, array) = noted.read(storages, graph.precision()).within(|| value.path())?;
            tensors.insert(name.as_str()?.into_owned(), graph.constant(kind, array)?);
        }
    }
    Ok(tensors)
}

/// The declared layers; one without a name is called after its place, as nn.Sequential does it.
fn children(
    layers: Option<&Json>,
    prefix: &str,
    tensors: &HashMap<String, Tensor>,
    depth: usize,
) -> Result<Vec<(String, Layer)>> {
    limits::check("nested layers", depth, limits::DEPTH)?;
    let layers = layers.and_then(Json::as_array).ok_or_else(|| Error::malformed("`layers` is no list"))?;
    let mut found = Vec::with_capacity(layers.len());
    for (index, layer) in layers.iter().enumerate() {
        let settings = layer.as_object().ok_or_else(|| Error::malformed(format!("layer {index} is no object")))?;
        let class = settings.get("layer").and_then(Json::as_str);
        let class = class.ok_or_else(|| Error::malformed(format!("layer {index} does not say which `layer` it is")))?;
        let name = settings.get("name").and_then(Json::as_str).map_or_else(|| index.to_string(), str::to_owned);
        let own = format!("{prefix}{name}.");
        let inner = match class {
            "Sequential" => children(settings.get("layers"), &own, tensors, depth + 1)?,
            _ => Vec::new(),
        };
        let settings =
            settings.iter().map(|(name, value)| Ok((name.clone(), of_json(value)?))).collect::<Result<_>>()?;
        let own_tensors = tensors.iter().filter_map(|(name, tensor)| {
            let rest = name.strip_prefix(&own)?;
            (!rest.contains('.')).then(|| (rest.to_owned(), tensor.clone()))
        });
        let layer = Layer { class: class.to_owned(), settings, tensors: own_tensors.collect(), layers: inner };
        found.push((format!("{prefix}{name}"), layer));
    }
    Ok(found)
}

fn of_json(value: &Json) -> Result<Value> {
    Ok(match value {
        Json::Null | Json::Object(_) => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().take(limits::TENSOR_AXES).map(of_json).collect::<Result<_>>()?),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::int(number),
            (None, Some(number)) => Value::Float(number),
            _ => return Err(Error::malformed(format!("{number} is no number of 64 bits"))),
        },
    })
}

/// A pickled module with its children.
fn pickled(graph: &mut Graph, module: Ref<'_>, storages: &mut Storages<'_, '_>) -> Result<Layer> {
    let (place, class) = module.class().ok_or_else(|| module.expected("a module"))?;
    if !place.starts_with("torch.nn.") {
        return Err(module.unsupported(format!(
            "{place}.{class}: the file does not say what its forward() does; save the model with torch.export.save, or export it to ONNX"
        )));
    }
    let mut layer = Layer { class: class.to_owned(), ..Layer::default() };
    if let Some(training) = module.attr_some("training")?
        && training.as_i64().is_ok_and(|training| training != 0)
        && matches!(class, "BatchNorm1d")
    {
        return Err(module.unsupported("it was saved while training; call eval() before it is saved"));
    }
    for group in ["_parameters", "_buffers"] {
        if let Some(entries) = module.attr_some(group)? {
            for (name, value) in entries.items()? {
                if let Some(noted) = stored::tensor(value)? {
                    let (kind, array) = noted.read(storages, graph.precision()).within(|| value.path())?;
                    layer.tensors.insert(name.as_str()?.into_owned(), graph.constant(kind, array)?);
                }
            }
        }
    }
    if let Some(modules) = module.attr_some("_modules")? {
        for (name, child) in modules.items()? {
            layer.layers.push((name.as_str()?.into_owned(), pickled(graph, child, storages)?));
        }
    }
    for name in SETTINGS {
        if let Some(value) = module.attr_some(name)?
            && let Some(value) = of_pickle(value)?
        {
            layer.settings.insert((*name).to_owned(), value);
        }
    }
    Ok(layer)
}

/// Attributes of modules that change what they compute.
const SETTINGS: &[&str] = &[
    "alpha",
    "approximate",
    "batch_first",
    "beta",
    "ceil_mode",
    "count_include_pad",
    "dilation",
    "dim",
    "end_dim",
    "eps",
    "groups",
    "kernel_size",
    "lambd",
    "max_val",
    "min_val",
    "negative_slope",
    "nonlinearity",
    "normalized_shape",
    "num_groups",
    "output_padding",
    "output_size",
    "padding",
    "padding_mode",
    "start_dim",
    "stride",
    "threshold",
    "unflattened_size",
    "value",
];

fn of_pickle(value: Ref<'_>) -> Result<Option<Value>> {
    if value.is_none() {
        return Ok(None);
    }
    if let Ok(text) = value.as_str() {
        return Ok(Some(Value::Text(text.into_owned())));
    }
    if let Ok(items) = value.list() {
        let items = items.into_iter().take(limits::TENSOR_AXES).map(of_pickle);
        return Ok(Some(Value::List(items.map(|item| Ok(item?.unwrap_or(Value::None))).collect::<Result<_>>()?)));
    }
    Ok(match (value.as_i64(), value.as_f64()) {
        (Ok(number), _) => Some(Value::int(number)),
        (Err(_), Ok(number)) => Some(Value::Float(number)),
        _ => None,
    })
}
