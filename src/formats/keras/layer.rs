//! A layer of a configuration, and a call of it.

use super::config::{Config, short, text};
use super::reader::Reader;
use super::table;
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::ir::network::{Builder, NodeId};
use serde_json::{Map, Value};

/// What a configuration says about a layer or an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    /// Where its class comes from; empty in older files.
    pub module: &'a str,
    /// Its class.
    pub class: &'a str,
    /// Its name in the model.
    pub name: &'a str,
    /// Its settings.
    pub config: Config<'a>,
    /// All of its entry, with what is said about it beside the settings.
    pub entry: &'a Map<String, Value>,
    /// Whether it walks the other way than its settings say.
    pub turned: bool,
}

impl<'a> Layer<'a> {
    /// A layer of an entry of a configuration.
    pub fn new(value: &'a Value) -> Result<Self> {
        let Value::Object(entry) = value else {
            return Err(Error::malformed(format!("{} is there, a layer is expected", short(value))));
        };
        let Some(Value::Object(config)) = entry.get("config") else {
            return Err(Error::malformed(format!("{} has no configuration", short(value))));
        };
        let class = text(entry.get("class_name").unwrap_or(&Value::Null))?;
        let module = entry.get("module").and_then(Value::as_str).unwrap_or_default();
        let name = entry.get("name").or_else(|| config.get("name")).and_then(Value::as_str).unwrap_or_default();
        Ok(Self { module, class, name, config: Config(config), entry, turned: false })
    }

    /// Whether its class is one of somebody's own.
    pub fn is_custom(&self) -> bool {
        let registered = self.entry.get("registered_name").and_then(Value::as_str).unwrap_or_default();
        !self.module.is_empty() && !is_keras(self.module) || registered.contains('>')
    }

    /// Whether it is an operation on tensors, which Keras keeps no weights for.
    pub fn is_operation(&self) -> bool {
        self.module.starts_with("keras.src.ops") || self.module.starts_with("keras.ops")
    }

    /// Refuses arithmetic in other types than float32.
    pub fn check_policy(&self) -> Result<()> {
        let Some(policy) = self.config.get("dtype") else { return Ok(()) };
        let name = match policy {
            Value::Object(map) => {
                map.get("config").and_then(|config| config.get("name")).and_then(Value::as_str).unwrap_or_default()
            }
            other => text(other)?,
        };
        // The type of an input or of indices is no arithmetic.
        let indices = matches!(self.class, "InputLayer" | "Embedding" | "TFOpLambda" | "SlicingOpLambda");
        if name == "float32" || name.is_empty() || indices && (name.contains("int") || name == "bool") {
            return Ok(());
        }
        Err(Error::unsupported(format!(
            "its policy is '{}', which computes in other types than float32; build the model with the policy float32, load these weights \
             into it and save that",
            name.escape_debug()
        )))
    }
}

fn is_keras(module: &str) -> bool {
    module.split('.').next().is_some_and(|first| matches!(first, "keras" | "tensorflow" | "tf_keras" | "builtins"))
}

/// An argument of a call.
#[derive(Debug, Clone)]
pub(super) enum Arg<'a> {
    /// A tensor.
    Tensor(NodeId),
    /// Several arguments.
    List(Vec<Arg<'a>>),
    /// A number, text, or something else that the configuration says.
    Json(&'a Value),
}

impl Arg<'_> {
    /// All tensors in it, in their order.
    pub fn tensors(&self, found: &mut Vec<NodeId>) {
        match self {
            Arg::Tensor(node) => found.push(*node),
            Arg::List(list) => list.iter().for_each(|arg| arg.tensors(found)),
            Arg::Json(_) => {}
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Arg::Json(Value::Null))
    }
}

/// A call of a layer: with which arguments, and on what it builds.
pub(super) struct Call<'a, 'r> {
    /// The network under construction.
    pub reader: &'r mut Reader,
    /// The layer.
    pub layer: Layer<'a>,
    /// Its weights, none taken.
    pub weights: Weights<'a>,
    /// Arguments by position.
    pub args: Vec<Arg<'a>>,
    /// Arguments by name.
    pub named: Vec<(&'a str, Arg<'a>)>,
}

/// Arguments by place and by name.
pub(super) type Args<'a> = (Vec<Arg<'a>>, Vec<(&'a str, Arg<'a>)>);

/// What a call gives: one tensor, or several in their order.
pub(super) type Outputs = Vec<NodeId>;

impl<'a> Call<'a, '_> {
    /// The settings of the layer.
    pub fn config(&self) -> Config<'a> {
        self.layer.config
    }

    /// The network under construction.
    pub fn builder(&mut self) -> &mut Builder {
        &mut self.reader.builder
    }

    /// The argument of this name, or at this place; null counts as none.
    pub fn arg(&self, place: usize, name: &str) -> Option<&Arg<'a>> {
        let named = self.named.iter().find(|(known, _)| *known == name).map(|(_, arg)| arg);
        named.or_else(|| self.args.get(place)).filter(|arg| !arg.is_null())
    }

    /// An argument that must not be there: a mask, say.
    pub fn refuse(&self, name: &str, why: &str) -> Result<()> {
        match self.named.iter().find(|(known, arg)| *known == name && !arg.is_null()) {
            Some((_, Arg::Json(Value::Bool(false)))) | None => Ok(()),
            Some(_) => Err(Error::unsupported(format!("it is called with '{name}': {why}"))),
        }
    }

    /// All tensors among the arguments by position.
    pub fn tensors(&self) -> Vec<NodeId> {
        let mut found = Vec::new();
        self.args.iter().for_each(|arg| arg.tensors(&mut found));
        if found.is_empty() {
            self.named.iter().for_each(|(_, arg)| arg.tensors(&mut found));
        }
        found
    }

    /// The only tensor, or the first of several.
    pub fn x(&self) -> Result<NodeId> {
        self.tensors().first().copied().ok_or_else(|| Error::malformed("it is called without a tensor"))
    }

    /// Two tensors.
    pub fn two(&self) -> Result<[NodeId; 2]> {
        let all = self.tensors();
        <[NodeId; 2]>::try_from(all)
            .map_err(|all| Error::malformed(format!("{} tensors are given, two are expected", all.len())))
    }

    /// Axes of the tensor.
    pub fn rank(&mut self, x: NodeId) -> usize {
        self.builder().shape(x).rank()
    }

    /// The axis of a tensor that Python calls so.
    pub fn axis(&mut self, x: NodeId, axis: i64) -> Result<usize> {
        self.builder().shape(x).axis(axis)
    }

    /// Calls a layer inside of this one.
    pub fn inner(&mut self, layer: Layer<'a>, weights: Weights<'a>, args: Vec<Arg<'a>>) -> Result<Outputs> {
        self.reader.call(layer, weights, args, Vec::new())
    }

    /// A layer inside of this one, by the name of the setting that holds it, and its weights, which lie under one of these names.
    pub fn part(&mut self, key: &str, names: &[&str]) -> Result<(Layer<'a>, Weights<'a>)> {
        let layer = Layer::new(self.config().need(key)?)?;
        let weights = self.weights.part(names, table::variables(layer)?.len())?;
        Ok((layer, weights))
    }
}
