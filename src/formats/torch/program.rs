//! Programs of `torch.export`: a graph of operations as JSON, weights as raw storages.
//!
//! Source: the schema that PyTorch keeps in `torch/_export/serde/schema.py`, versions 7 and 8. Torch 2.5 to 2.7 write one JSON document and
//! pickled weights; 2.8 an archive of models with pickled weights and constants, later ones with raw ones.

use super::aten;
use super::graph::Graph;
use super::number::{Type, View};
use super::stored::{self, Storages};
use super::value::{Args, Tensor, Value};
use crate::codec::archive::Archive;
use crate::codec::{json, pickle};
use crate::error::{Error, Result, Within};
use crate::ir::Precision;
use crate::ir::network::{Dim, Network, NodeId, Shape};
use crate::limits;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::path::Path;

/// A program and what its file says of itself.
pub(super) struct Program {
    pub(super) network: Network,
    pub(super) version: Option<String>,
}

/// Where the parts of a program lie in its archive.
pub(super) enum Layout {
    /// `<name>/models/<model>.json`.
    Archive { prefix: String, model: String },
    /// `serialized_exported_program.json` and pickles.
    Document { prefix: String },
}

const DOCUMENT: &str = "serialized_exported_program.json";
/// What `torch.export.save` calls the program in its archive.
const MODEL: &str = "model";

impl Layout {
    /// The layout of an archive, if it holds a program.
    ///
    /// # Errors
    /// `MI_UNSUPPORTED` for several programs in one archive.
    pub(super) fn of(archive: &Archive<'_>) -> Result<Option<Self>> {
        let mut models: Vec<String> = archive
            .names()
            .filter(|name| name.contains("models/") && Path::new(name).extension() == Some("json".as_ref()))
            .collect();
        models.sort_unstable();
        if let Some(first) = models.first() {
            if models.len() > 1 {
                return Err(Error::unsupported(format!(
                    "the archive holds {} programs; save each to a file of its own",
                    models.len()
                )));
            }
            let prefix = first.split("models/").next().unwrap_or_default().to_owned();
            return Ok(Some(Layout::Archive { prefix, model: first.clone() }));
        }
        let document = archive.names().find(|name| name.ends_with(DOCUMENT));
        Ok(document.map(|name| Layout::Document { prefix: name[..name.len() - DOCUMENT.len()].to_owned() }))
    }
}

/// Reads a program.
///
/// # Errors
/// `MI_UNSUPPORTED` for operations and types that are not read, `MI_MALFORMED` for a broken program.
pub(super) fn read(archive: &mut Archive<'_>, layout: &Layout) -> Result<Program> {
    let (name, prefix) = match layout {
        Layout::Archive { prefix, model } => (model.clone(), prefix),
        Layout::Document { prefix } => (format!("{prefix}{DOCUMENT}"), prefix),
    };
    let text = archive.read(&name)?;
    limits::check("bytes of a program", text.len(), limits::PROGRAM_BYTES)?;
    let document = json::parse(&text).within(|| name.clone())?;
    drop(text);
    let graph = field(field(&document, "graph_module")?, "graph")?;
    let signature = field(field(&document, "graph_module")?, "signature")?;
    let mut reader = Reader::new(graph, signature).within(|| name.clone())?;
    match layout {
        Layout::Archive { .. } => {
            for kind in ["weights", "constants"] {
                let folder = format!("{prefix}data/{kind}/");
                let pickled = format!("{folder}{MODEL}.pt");
                if archive.contains(&pickled) {
                    let bytes = archive.read(&pickled)?;
                    reader.pickled(&bytes).within(|| pickled.clone())?;
                } else {
                    reader.weights(archive, &folder, &format!("{MODEL}_{kind}_config.json"))?;
                }
            }
        }
        Layout::Document { .. } => {
            for file in ["serialized_state_dict", "serialized_constants"] {
                let place = [".pt", ".json"].map(|ending| format!("{prefix}{file}{ending}"));
                if let Some(place) = place.iter().find(|place| archive.contains(place)) {
                    let bytes = archive.read(place)?;
                    reader.pickled(&bytes).within(|| place.clone())?;
                }
            }
        }
    }
    let network = reader.run().within(|| name.clone())?;
    let version = document.get("torch_version").and_then(Json::as_str).map(str::to_owned);
    Ok(Program { network, version })
}

fn field<'j>(object: &'j Json, name: &str) -> Result<&'j Json> {
    object.get(name).ok_or_else(|| Error::malformed(format!("`{name}` is not there")))
}

fn text<'j>(object: &'j Json, name: &str) -> Result<&'j str> {
    field(object, name)?.as_str().ok_or_else(|| Error::malformed(format!("`{name}` is no text")))
}

fn list<'j>(object: &'j Json, name: &str) -> Result<&'j [Json]> {
    field(object, name)?.as_array().map(Vec::as_slice).ok_or_else(|| Error::malformed(format!("`{name}` is no list")))
}

/// The only entry of an object: a tagged union.
fn tagged(object: &Json) -> Result<(&str, &Json)> {
    let entry = object.as_object().and_then(|object| object.iter().next());
    entry.map(|(tag, value)| (tag.as_str(), value)).ok_or_else(|| Error::malformed("a union without a tag"))
}

struct Reader<'j> {
    nodes: &'j [Json],
    outputs: &'j [Json],
    signature: &'j Json,
    tensors: &'j Json,
    symbols: &'j Json,
    precision: Precision,
    graph: Graph,
    /// Parameters, buffers and constants by their names in the module.
    stored: HashMap<String, Tensor>,
    /// Values by their names in the graph.
    values: HashMap<String, Value>,
}

impl<'j> Reader<'j> {
    fn new(graph: &'j Json, signature: &'j Json) -> Result<Self> {
        let tensors = field(graph, "tensor_values")?;
        let symbols = field(graph, "sym_int_values")?;
        let inputs = user_inputs(signature)?;
        let (mut precision, mut batch) = (None, None);
        for name in &inputs {
            let meta = field(tensors, name).within(|| "tensor_values")?;
            let kind = Type::of_schema(field(meta, "dtype")?.as_i64().unwrap_or(0))?;
            match kind {
                Type::F32 if precision != Some(Precision::F64) => precision = Some(Precision::F32),
                Type::F64 if precision != Some(Precision::F32) => precision = Some(Precision::F64),
                _ => {
                    return Err(Error::unsupported(format!(
                        "input '{}' is of type {kind:?}; export the model with inputs of one float type, 32 or 64 bits",
                        name.escape_default()
                    )));
                }
            }
            if let Some(Json::Object(first)) = list(meta, "sizes")?.first()
                && let Some(size) = first.get("as_int").and_then(Json::as_i64)
            {
                batch = Some(size);
            }
        }
        let precision = precision.ok_or_else(|| Error::malformed("no input is a tensor"))?;
        Ok(Self {
            nodes: list(graph, "nodes")?,
            outputs: list(signature, "output_specs")?,
            signature,
            tensors,
            symbols,
            precision,
            graph: Graph::new(precision, batch),
            stored: HashMap::new(),
            values: HashMap::new(),
        })
    }

    /// Reads the storages that a list beside them describes.
    fn weights(&mut self, archive: &mut Archive<'_>, folder: &str, file: &str) -> Result<()> {
        let place = format!("{folder}{file}");
        if !archive.contains(&place) {
            return Ok(());
        }
        let config = json::parse(&archive.read(&place)?).within(|| place.clone())?;
        let entries = field(&config, "config")?.as_object().cloned().unwrap_or_default();
        let mut storages: HashMap<String, Vec<u8>> = HashMap::new();
        for (name, entry) in entries {
            let within = || format!("{place}: '{}'", name.escape_default());
            if entry.get("use_pickle").and_then(Json::as_bool) == Some(true) {
                return Err(Error::unsupported(
                    "a weight that is a pickled object; export the model with plain tensors",
                )
                .within(within()));
            }
            let storage = format!("{folder}{}", text(&entry, "path_name").within(within)?);
            let view = view(field(&entry, "tensor_meta").within(within)?).within(within)?;
            if !storages.contains_key(&storage) {
                let bytes = archive.read(&storage)?;
                storages.insert(storage.clone(), bytes);
            }
            let array = view.array(&storages[&storage], self.precision).within(within)?;
            let tensor = self.graph.constant(view.kind.kind(), array)?;
            self.stored.insert(name, tensor);
        }
        Ok(())
    }

    /// Reads a pickled dictionary of tensors.
    fn pickled(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut inner = Archive::open(bytes)?;
        let (data, mut storages) = Storages::of_archive(&mut inner)?;
        let decoded = pickle::decode(&data)?;
        for (name, value) in decoded.root().items()? {
            let name = name.as_str()?.into_owned();
            if let Some(view) = stored::tensor(value)? {
                let (kind, array) = view.read(&mut storages, self.precision).within(|| name.clone())?;
                let tensor = self.graph.constant(kind, array)?;
                self.stored.insert(name, tensor);
            }
        }
        Ok(())
    }

    fn run(mut self) -> Result<Network> {
        self.inputs()?;
        for (index, node) in self.nodes.iter().enumerate() {
            self.node(node).within(|| format!("node {index}"))?;
        }
        let mut outputs: Vec<(String, NodeId)> = Vec::new();
        for spec in self.outputs {
            let (tag, spec) = tagged(spec)?;
            if tag != "user_output" {
                return Err(Error::unsupported(format!(
                    "the program gives a {}; call eval() before it is exported",
                    tag.escape_default()
                )));
            }
            let value = self.argument(field(spec, "arg")?)?;
            if let Value::Tensor(tensor) = value {
                let node = self.graph.node(&tensor)?;
                outputs.push((format!("output_{}", outputs.len()), node));
            }
        }
        let outputs: Vec<(&str, NodeId)> = outputs.iter().map(|(name, node)| (name.as_str(), *node)).collect();
        self.graph.builder.finish(&outputs)
    }

    fn inputs(&mut self) -> Result<()> {
        for spec in list(self.signature, "input_specs")? {
            let (tag, spec) = tagged(spec)?;
            let stored = match tag {
                "parameter" => text(spec, "parameter_name")?,
                "buffer" => text(spec, "buffer_name")?,
                "tensor_constant" => text(spec, "tensor_constant_name")?,
                "user_input" => {
                    let (tag, argument) = tagged(field(spec, "arg")?)?;
                    if tag == "as_tensor" {
                        self.user_input(text(argument, "name")?)?;
                    }
                    continue;
                }
                "constant_input" => {
                    let value = self.argument(field(spec, "value")?)?;
                    self.values.insert(text(spec, "name")?.to_owned(), value);
                    continue;
                }
                other => {
                    return Err(Error::unsupported(format!(
                        "an input that is a {}; export the model to ONNX",
                        other.escape_default()
                    )));
                }
            };
            let name = text(field(spec, "arg")?, "name")?.to_owned();
            // Numbers that nothing uses, such as the counter of a batch normalisation, may be left out.
            if let Some(tensor) = self.stored.get(stored) {
                self.values.insert(name, Value::Tensor(tensor.clone()));
            }
        }
        Ok(())
    }

    fn user_input(&mut self, name: &str) -> Result<()> {
        let sizes = list(field(self.tensors, name)?, "sizes")?;
        let mut dims = Vec::with_capacity(sizes.len());
        for (axis, size) in sizes.iter().enumerate() {
            dims.push(match tagged(size)? {
                _ if axis == 0 => Dim::BATCH,
                ("as_int", size) => Dim::Fixed(size.as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(0)),
                _ => {
                    return Err(Error::unsupported(format!(
                        "axis {axis} of input '{}' may be of any size; only the first, the number of rows, may",
                        name.escape_default()
                    )));
                }
            });
        }
        let node = self.graph.builder.input(name, Shape::new(dims)?)?;
        let value = self.graph.float(node);
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    fn node(&mut self, node: &Json) -> Result<()> {
        let target = text(node, "target")?;
        let mut args = Args::default();
        for input in list(node, "inputs")? {
            let value = self.argument(field(input, "arg")?).within(|| target.to_owned())?;
            match input.get("name").and_then(Json::as_str) {
                Some(name) if !name.is_empty() => args.named.push((name.to_owned(), value)),
                _ => args.placed.push(value),
            }
        }
        let name = match target.strip_prefix("torch.ops.") {
            Some(operation) => match operation.split('.').collect::<Vec<_>>()[..] {
                ["aten" | "prims", name, ..] => name,
                _ => operation,
            },
            None => target.strip_prefix("_operator.").unwrap_or(target),
        };
        let result = if name == "getitem" {
            let index = args.get(1, "b")?.as_int()?;
            let items = args.get(0, "a")?.items();
            let item = usize::try_from(index).ok().and_then(|index| items.get(index));
            item.cloned().ok_or_else(|| Error::malformed(format!("item {index} of {}", items.len())))?
        } else {
            aten::call(&mut self.graph, name, &args)?
        };
        let outputs = list(node, "outputs")?;
        if let [only] = outputs
            && let ("as_tensors", names) = tagged(only)?
        {
            let names = names.as_array().map(Vec::as_slice).unwrap_or_default();
            for (name, value) in names.iter().zip(result.items()) {
                self.values.insert(text(name, "name")?.to_owned(), value.clone());
            }
            return Ok(());
        }
        for (index, output) in outputs.iter().enumerate() {
            let value = match &result {
                Value::List(items) => items.get(index).cloned().unwrap_or(Value::None),
                value if index == 0 => value.clone(),
                _ => Value::None,
            };
            let (tag, output) = tagged(output)?;
            let name = match tag {
                "as_tensor" => text(output, "name")?,
                "as_sym_int" => text(output, "as_name")?,
                _ => continue,
            };
            self.values.insert(name.to_owned(), value);
        }
        Ok(())
    }

    fn named(&self, name: &str) -> Result<Value> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let known = self.symbols.get(name).and_then(|value| value.get("as_int")).and_then(Json::as_i64);
        known
            .map(Value::int)
            .ok_or_else(|| Error::malformed(format!("'{}' is used before it is made", name.escape_default())))
    }

    fn argument(&self, argument: &Json) -> Result<Value> {
        let (tag, value) = tagged(argument)?;
        let refuse = || Error::malformed(format!("an argument {} of {value}", tag.escape_default()));
        let items = || value.as_array().ok_or_else(refuse);
        let number = |value: &Json| match value {
            Json::String(word) => match word.as_str() {
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                "NaN" => Ok(f64::NAN),
                _ => Err(refuse()),
            },
            value => value.as_f64().ok_or_else(refuse),
        };
        let symbol = |value: &Json| match tagged(value)? {
            ("as_int", number) => number.as_i64().map(Value::int).ok_or_else(refuse),
            ("as_name", name) => self.named(name.as_str().ok_or_else(refuse)?),
            _ => Err(refuse()),
        };
        let tensor = |value: &Json| self.named(text(value, "name")?);
        Ok(match tag {
            "as_none" => Value::None,
            "as_tensor" => tensor(value)?,
            "as_tensors" | "as_nested_tensors" => Value::List(items()?.iter().map(tensor).collect::<Result<_>>()?),
            "as_optional_tensor" => self.argument(value)?,
            "as_optional_tensors" => {
                Value::List(items()?.iter().map(|item| self.argument(item)).collect::<Result<_>>()?)
            }
            "as_int" => Value::int(value.as_i64().ok_or_else(refuse)?),
            "as_ints" => Value::List(
                items()?.iter().map(|item| item.as_i64().map(Value::int).ok_or_else(refuse)).collect::<Result<_>>()?,
            ),
            "as_float" => Value::Float(number(value)?),
            "as_floats" => {
                Value::List(items()?.iter().map(|item| number(item).map(Value::Float)).collect::<Result<_>>()?)
            }
            "as_string" => Value::Text(value.as_str().ok_or_else(refuse)?.to_owned()),
            "as_sym_int" => symbol(value)?,
            "as_sym_ints" => Value::List(items()?.iter().map(symbol).collect::<Result<_>>()?),
            "as_bool" => Value::Bool(value.as_bool().ok_or_else(refuse)?),
            "as_sym_bool" => match tagged(value)? {
                ("as_bool", value) => Value::Bool(value.as_bool().ok_or_else(refuse)?),
                _ => return Err(Error::unsupported("a condition that depends on the rows; export the model to ONNX")),
            },
            "as_scalar_type" => Value::Type(Type::of_schema(value.as_i64().ok_or_else(refuse)?)?),
            "as_memory_format" | "as_layout" | "as_device" | "as_strings" | "as_bools" => Value::None,
            _ => {
                return Err(Error::unsupported(format!(
                    "an argument {}; export the model to ONNX",
                    tag.escape_default()
                )));
            }
        })
    }
}

/// Names of the tensors that a caller hands in.
fn user_inputs(signature: &Json) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for spec in list(signature, "input_specs")? {
        if let ("user_input", spec) = tagged(spec)?
            && let ("as_tensor", argument) = tagged(field(spec, "arg")?)?
        {
            names.push(text(argument, "name")?.to_owned());
        }
    }
    Ok(names)
}

/// How a tensor lies in its storage.
fn view(meta: &Json) -> Result<View> {
    let number = |value: &Json| {
        let number = value.get("as_int").and_then(Json::as_u64).and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| Error::malformed(format!("a size of {value}")))
    };
    let numbers = |name| list(meta, name)?.iter().map(number).collect::<Result<Vec<_>>>();
    Ok(View {
        kind: Type::of_schema(field(meta, "dtype")?.as_i64().unwrap_or(0))?,
        sizes: numbers("sizes")?,
        strides: numbers("strides")?,
        offset: number(field(meta, "storage_offset")?)?,
    })
}
