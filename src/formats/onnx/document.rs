//! A model as its bytes describe it: enough to know its inputs, outputs and operators, checked throughout.

use super::tensor::{External, Tensor, check_sparse, entry};
use crate::codec::protobuf::{Field, Reader};
use crate::error::{Error, Result, Within};
use crate::limits;
use std::collections::{BTreeMap, HashSet};

/// A size of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim<'a> {
    /// Always this many.
    Fixed(usize),
    /// As many as there are; the name may be empty.
    Open(&'a str),
}

/// What a value of the graph is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind<'a> {
    /// A tensor: the number of its element type, and its shape when the file tells it.
    Tensor(i64, Option<Vec<Dim<'a>>>),
    /// A sequence, map, optional or sparse value.
    Other,
}

/// An input or output of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Value<'a> {
    pub name: &'a str,
    pub kind: Kind<'a>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'a> {
    pub op: &'a str,
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    /// Its attributes by name, still bytes.
    pub attributes: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Node<'a> {
    /// An attribute by its name.
    pub fn attribute(&self, name: &str) -> Option<&'a [u8]> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
    }

    /// Integers of an attribute.
    ///
    /// # Errors
    /// `MI_MALFORMED` for another type.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>> {
        let mut ints = Vec::new();
        self.repeated(name, |field| match field.number {
            3 | 8 => field.ints(|value| ints.push(value)),
            _ => Ok(()),
        })?;
        Ok(ints)
    }

    /// Texts of an attribute.
    ///
    /// # Errors
    /// `MI_MALFORMED` for another type.
    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        self.repeated(name, |field| {
            if matches!(field.number, 4 | 9) {
                texts.push(String::from_utf8_lossy(field.bytes()?).into_owned());
            }
            Ok(())
        })?;
        Ok(texts)
    }

    fn repeated(&self, name: &str, mut each: impl FnMut(&Field<'a>) -> Result<()>) -> Result<()> {
        let mut reader = Reader::new(self.attribute(name).unwrap_or_default());
        while let Some(field) = reader.next()? {
            each(&field).within(|| format!("attribute '{name}' of {}", self.op))?;
        }
        Ok(())
    }
}

/// A model.
#[derive(Debug, Default)]
pub struct Document<'a> {
    pub ir_version: i64,
    pub producer: &'a str,
    pub producer_version: &'a str,
    /// Versions of the sets of operators, by their domain.
    pub opsets: Vec<(&'a str, i64)>,
    pub metadata: Vec<(&'a str, &'a str)>,
    /// Inputs that are not constants of the graph.
    pub inputs: Vec<Value<'a>>,
    pub outputs: Vec<Value<'a>>,
    pub nodes: Vec<Node<'a>>,
    /// Constants that may be lists of classes: text, or a few integers.
    pub lists: Vec<Tensor<'a>>,
    /// What lies in files beside the model.
    pub externals: Vec<External<'a>>,
    /// How often each operator is used, in subgraphs and functions too.
    pub operators: BTreeMap<&'a str, usize>,
    /// Whether some operator has a rule for missing values.
    pub accepts_nan: bool,
    constants: HashSet<&'a str>,
    /// Nodes seen so far, those of subgraphs and functions too.
    seen: usize,
}

impl<'a> Document<'a> {
    /// Reads a `ModelProto`.
    ///
    /// # Errors
    /// `MI_MALFORMED` for bytes that are none, or whose sizes disagree; `MI_LIMIT_EXCEEDED` beyond the caps.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut this = Self::default();
        let mut graphs = 0;
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next()? {
            match field.number {
                1 => this.ir_version = field.int()?,
                2 => this.producer = field.text()?,
                3 => this.producer_version = field.text()?,
                7 => {
                    graphs += 1;
                    this.graph(field.bytes()?, 0).within(|| "graph")?;
                }
                8 => this.opsets.push(opset(field.bytes()?)?),
                14 => this.metadata.push(entry(field.bytes()?)?),
                25 => this.function(field.bytes()?).within(|| "function")?,
                _ => {}
            }
            limits::check("sets of operators", this.opsets.len(), limits::ATTRIBUTES)?;
            limits::check("entries of metadata", this.metadata.len(), limits::ATTRIBUTES)?;
        }
        if graphs != 1 {
            return Err(Error::malformed(format!("a model holds one graph, this one holds {graphs}")));
        }
        let constants = &this.constants;
        this.inputs.retain(|input| !constants.contains(input.name));
        Ok(this)
    }

    fn graph(&mut self, bytes: &'a [u8], depth: usize) -> Result<()> {
        limits::check("graphs inside of each other", depth, limits::DEPTH)?;
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next()? {
            match field.number {
                1 => {
                    let node = self.node(field.bytes()?, depth)?;
                    if depth == 0 {
                        self.nodes.push(node);
                    }
                }
                5 => {
                    let tensor = Tensor::read(field.bytes()?)?;
                    self.tensor(tensor, depth)?;
                }
                11 if depth == 0 => self.inputs.push(value(field.bytes()?).within(|| "input")?),
                12 if depth == 0 => self.outputs.push(value(field.bytes()?).within(|| "output")?),
                15 => check_sparse(field.bytes()?).within(|| "sparse tensor")?,
                _ => {}
            }
            limits::check("inputs", self.inputs.len(), limits::FEATURES)?;
            limits::check("outputs", self.outputs.len(), limits::OUTPUTS)?;
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: Tensor<'a>, depth: usize) -> Result<()> {
        self.externals.extend(tensor.external);
        limits::check("tensors in files", self.externals.len(), limits::GRAPH_NODES)?;
        if depth == 0 {
            self.constants.insert(tensor.name);
            if tensor.external.is_none() && (!tensor.texts.is_empty() || !tensor.ints.is_empty()) {
                self.lists.push(tensor);
            }
        }
        Ok(())
    }

    /// A function of the model: its nodes, as in a graph.
    fn function(&mut self, bytes: &'a [u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next()? {
            if field.number == 7 {
                self.node(field.bytes()?, 1)?;
            }
        }
        Ok(())
    }

    fn node(&mut self, bytes: &'a [u8], depth: usize) -> Result<Node<'a>> {
        let mut node = Node { op: "", inputs: Vec::new(), outputs: Vec::new(), attributes: Vec::new() };
        let mut name = "";
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next()? {
            match field.number {
                1 => node.inputs.push(field.text()?),
                2 => node.outputs.push(field.text()?),
                3 => name = field.text()?,
                4 => node.op = field.text()?,
                5 => node.attributes.push((attribute_name(field.bytes()?)?, field.bytes()?)),
                _ => {}
            }
            let count = node.inputs.len() + node.outputs.len() + node.attributes.len();
            limits::check("inputs and outputs of a node", count, limits::FEATURES)?;
        }
        for (_, attribute) in &node.attributes {
            self.attribute(attribute, depth)
                .within(|| format!("node '{}' ({})", name.escape_default(), node.op.escape_default()))?;
        }
        *self.operators.entry(node.op).or_default() += 1;
        self.seen += 1;
        limits::check("nodes", self.seen, limits::GRAPH_NODES)?;
        self.accepts_nan |= match node.op {
            "Imputer" | "IsNaN" => true,
            "TreeEnsembleRegressor" | "TreeEnsembleClassifier" | "TreeEnsemble" => {
                node.ints("nodes_missing_value_tracks_true")?.iter().any(|&tracks| tracks != 0)
            }
            _ => false,
        };
        Ok(node)
    }

    /// Tensors and graphs inside of an attribute.
    fn attribute(&mut self, bytes: &'a [u8], depth: usize) -> Result<()> {
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next()? {
            match field.number {
                5 | 10 => {
                    let tensor = Tensor::read(field.bytes()?)?;
                    self.tensor(tensor, depth + 1)?;
                }
                6 | 11 => self.graph(field.bytes()?, depth + 1)?,
                22 | 23 => check_sparse(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The node that gives this value.
    pub fn producer_of(&self, name: &str) -> Option<&Node<'a>> {
        self.nodes.iter().find(|node| node.outputs.contains(&name))
    }
}

fn attribute_name(bytes: &[u8]) -> Result<&str> {
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        if field.number == 1 {
            return field.text();
        }
    }
    Ok("")
}

fn opset(bytes: &[u8]) -> Result<(&str, i64)> {
    let (mut domain, mut version) = ("", 0);
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => domain = field.text()?,
            2 => version = field.int()?,
            _ => {}
        }
    }
    Ok((domain, version))
}

/// A `ValueInfoProto`.
fn value(bytes: &[u8]) -> Result<Value<'_>> {
    let mut value = Value { name: "", kind: Kind::Other };
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => value.name = field.text()?,
            2 => value.kind = kind(field.bytes()?)?,
            _ => {}
        }
    }
    Ok(value)
}

/// A `TypeProto`.
fn kind(bytes: &[u8]) -> Result<Kind<'_>> {
    let mut kind = Kind::Other;
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        if field.number != 1 {
            continue;
        }
        let (mut element, mut shape) = (0, None);
        let mut tensor = Reader::new(field.bytes()?);
        while let Some(field) = tensor.next()? {
            match field.number {
                1 => element = field.int()?,
                2 => shape = Some(dims(field.bytes()?)?),
                _ => {}
            }
        }
        kind = Kind::Tensor(element, shape);
    }
    Ok(kind)
}

/// A `TensorShapeProto`.
fn dims(bytes: &[u8]) -> Result<Vec<Dim<'_>>> {
    let mut dims = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        if field.number != 1 {
            continue;
        }
        let mut dim = Dim::Open("");
        let mut size = Reader::new(field.bytes()?);
        while let Some(field) = size.next()? {
            match field.number {
                // Some exporters write -1 or 0 for a size that is open.
                1 => {
                    if let Some(count) = usize::try_from(field.int()?).ok().filter(|&count| count > 0) {
                        dim = Dim::Fixed(count);
                    }
                }
                2 => dim = Dim::Open(field.text()?),
                _ => {}
            }
        }
        dims.push(dim);
        limits::check("axes of a tensor", dims.len(), limits::ARRAY_AXES)?;
    }
    Ok(dims)
}
