//! From a configuration to a network: models, layer after layer.

use super::arguments::{self, History};
use super::config::{short, text};
use super::layer::{Arg, Call, Layer, Outputs};
use super::table;
use super::weights::{Form, Store, Weights};
use crate::error::{Error, Result, Within};
use crate::ir::Precision;
use crate::ir::network::{Builder, NodeId, Shape};
use crate::limits;
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};

/// A network under construction, and what of the file decides how layers are read.
pub(super) struct Reader {
    pub builder: Builder,
    /// Whether Keras 3 or newer wrote the file: some functions have changed with it.
    pub third: bool,
    /// Steps of a sequence where the file leaves them open; 0: not known.
    steps: usize,
    calls: usize,
}

impl Reader {
    pub fn new(third: bool, steps: usize) -> Self {
        Self { builder: Builder::new(Precision::F32), third, steps, calls: 0 }
    }

    /// The whole network of a model, with the names of its outputs.
    pub fn model<'a>(&mut self, model: Layer<'a>, store: &'a Store<'a>) -> Result<Vec<(String, NodeId)>> {
        let weights = match store.form() {
            Form::Tree => Held::Model(store.tree()),
            Form::Lists => Held::Lists(store),
        };
        if is_sequential(model) { self.sequential(model, weights, None) } else { self.functional(model, weights, None) }
    }

    /// Calls a layer.
    pub fn call<'a>(
        &mut self,
        layer: Layer<'a>,
        weights: Weights<'a>,
        args: Vec<Arg<'a>>,
        named: Vec<(&'a str, Arg<'a>)>,
    ) -> Result<Outputs> {
        self.calls += 1;
        limits::check("calls of layers", self.calls, limits::NETWORK_NODES)?;
        let place = || format!("layer '{}' ({})", layer.name.escape_debug(), layer.class.escape_debug());
        let run = || {
            layer.check_policy()?;
            if is_model(layer) {
                let mut inputs = Vec::new();
                args.iter().chain(named.iter().map(|(_, arg)| arg)).for_each(|arg| arg.tensors(&mut inputs));
                let outputs = if is_sequential(layer) {
                    self.sequential(layer, Held::Model(weights), Some(inputs))
                } else {
                    self.functional(layer, Held::Model(weights), Some(&inputs))
                }?;
                return Ok(outputs.into_iter().map(|(_, node)| node).collect());
            }
            let read = table::reader(layer)?;
            let mut call = Call { reader: self, layer, weights, args, named };
            call.refuse("training", "it then behaves as in training; build the model without it")?;
            call.refuse("mask", "masks are not read; fill the steps that are missing")?;
            read(&mut call)
        };
        run().within(place)
    }

    /// Layers behind each other.
    fn sequential<'a>(
        &mut self,
        model: Layer<'a>,
        weights: Held<'a>,
        inputs: Option<Vec<NodeId>>,
    ) -> Result<Vec<(String, NodeId)>> {
        let layers = layers(model)?;
        let mut weights = weights.of(&layers).into_iter();
        let mut x = match inputs {
            Some(inputs) => inputs,
            None => vec![self.first(model, &layers)?],
        };
        let mut name = "output";
        for layer in layers {
            let weights = weights.next().unwrap_or_else(|| Err(Error::internal("a layer without weights")));
            if layer.class == "InputLayer" {
                continue;
            }
            name = layer.name;
            let arg = match &x[..] {
                [only] => Arg::Tensor(*only),
                several => Arg::List(several.iter().copied().map(Arg::Tensor).collect()),
            };
            x = self.call(layer, weights?, vec![arg], Vec::new())?;
        }
        Ok(x.into_iter().map(|node| (name.to_owned(), node)).collect())
    }

    /// The input of the outermost model, whose first layer says its shape.
    fn first<'a>(&mut self, model: Layer<'a>, layers: &[Layer<'a>]) -> Result<NodeId> {
        let mut found = layers.first().copied();
        let mut name = "input";
        while let Some(layer) = found {
            if let Some(shape) = shape_of(layer) {
                name = if layer.class == "InputLayer" { layer.name } else { name };
                return self.input(name, shape);
            }
            found = if is_model(layer) { self::layers(layer)?.first().copied() } else { None };
        }
        let built = ["build_input_shape", "batch_input_shape"].iter().find_map(|key| model.config.get(key));
        let built =
            built.or_else(|| model.entry.get("build_config")?.get("input_shape")).filter(|shape| !shape.is_null());
        match built {
            Some(shape) => self.input(name, shape),
            None => Err(Error::unsupported(
                "the shape of its input is not in the file; begin the model with keras.Input(shape) and save it again",
            )),
        }
    }

    /// One more input of the network.
    fn input(&mut self, name: &str, shape: &Value) -> Result<NodeId> {
        let place = || format!("input '{}'", name.escape_debug());
        let Value::Array(sizes) = shape else {
            return Err(Error::malformed(format!("{} is there, a shape is expected", short(shape)))).within(place);
        };
        let mut rest = Vec::with_capacity(sizes.len());
        for (axis, size) in sizes.iter().enumerate().skip(1) {
            rest.push(match size {
                // The first axis behind the rows is that of the steps.
                Value::Null if axis == 1 && sizes.len() == 3 && self.steps > 0 => self.steps,
                Value::Null => {
                    return Err(Error::unsupported(
                        "a size of it is open (None), and a network is read for one length of a sequence; say it with the option \
                         sequence_length, or build the model with keras.Input of that length, load these weights into it and save that",
                    ))
                    .within(place);
                }
                size => super::config::count(size).within(place)?,
            });
        }
        let shape = Shape::rows(&rest).within(place)?;
        self.builder.input(name, shape).within(place)
    }

    /// Layers as a graph.
    fn functional<'a>(
        &mut self,
        model: Layer<'a>,
        weights: Held<'a>,
        inputs: Option<&[NodeId]>,
    ) -> Result<Vec<(String, NodeId)>> {
        let layers = layers(model)?;
        let weights = weights.of(&layers);
        let mut tensors: HashMap<(usize, usize), Outputs> = HashMap::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (index, layer) in layers.iter().enumerate() {
            if places.insert(layer.name, index).is_some() {
                return Err(Error::malformed(format!("two layers are called '{}'", layer.name.escape_debug())));
            }
        }
        let entries = arguments::histories(model.config.need("input_layers")?).within(|| "input_layers")?;
        let given = inputs.map_or(entries.len(), <[NodeId]>::len);
        if given != entries.len() {
            return Err(Error::malformed(format!("{given} tensors are given to a model of {} inputs", entries.len())));
        }
        let find = |history: &History<'a>| -> Result<usize> {
            let place = places.get(history.layer).copied();
            place.ok_or_else(|| Error::malformed(format!("there is no layer '{}'", history.layer.escape_debug())))
        };
        for (at, entry) in entries.iter().enumerate() {
            let place = find(entry)?;
            let node = if let Some(inputs) = inputs {
                inputs[at]
            } else {
                let layer = layers[place];
                let shape = shape_of(layer)
                    .ok_or_else(|| Error::malformed("its shape is missing"))
                    .within(|| format!("input '{}'", layer.name.escape_debug()))?;
                self.input(layer.name, shape)?
            };
            tensors.insert((place, entry.node), vec![node]);
        }
        let outputs = arguments::histories(model.config.need("output_layers")?).within(|| "output_layers")?;
        self.run(&layers, &weights, &find, &outputs, &mut tensors)?;
        let mut named = Vec::with_capacity(outputs.len());
        for output in &outputs {
            named.push((output.layer.to_owned(), tensor(&tensors, find(output)?, output)?));
        }
        Ok(named)
    }

    /// Every call of a graph, each when its tensors are there.
    fn run<'a>(
        &mut self,
        layers: &[Layer<'a>],
        weights: &[Result<Weights<'a>>],
        find: &dyn Fn(&History<'a>) -> Result<usize>,
        outputs: &[History<'a>],
        tensors: &mut HashMap<(usize, usize), Outputs>,
    ) -> Result<()> {
        let mut calls = Vec::new();
        for (place, layer) in layers.iter().enumerate() {
            let nodes = layer.entry.get("inbound_nodes").and_then(Value::as_array);
            for (number, node) in nodes.into_iter().flatten().enumerate().filter(|_| layer.class != "InputLayer") {
                limits::check("calls of layers", calls.len() + 1, limits::NETWORK_NODES)?;
                let call = arguments::call(node).within(|| format!("layer '{}'", layer.name.escape_debug()))?;
                calls.push((place, number, call));
            }
        }
        // Who asks for which call of which layer.
        let mut waiting: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
        let mut missing = vec![0; calls.len()];
        let mut firsts: HashSet<usize> = HashSet::new();
        for (index, (place, _, call)) in calls.iter().enumerate() {
            let mut needs: Vec<(usize, usize)> = Vec::new();
            for history in call.histories() {
                let need = find(history).within(|| format!("layer '{}'", layers[*place].name.escape_debug()))?;
                let need = (need, history.node);
                if !tensors.contains_key(&need) && !needs.contains(&need) {
                    needs.push(need);
                }
            }
            missing[index] = needs.len();
            for need in needs {
                firsts.extend((need.1 == 0).then_some(need.0));
                waiting.entry(need).or_default().push(index);
            }
        }
        for output in outputs.iter().filter(|output| output.node == 0) {
            firsts.insert(find(output)?);
        }
        // Keras 2 counts the making of a model inside of another one as its call 0, and does not write it down.
        for (place, number, _) in &mut calls {
            *number += usize::from(!self.third && is_model(layers[*place]) && !firsts.contains(place));
        }
        let mut ready: VecDeque<usize> = (0..calls.len()).filter(|&call| missing[call] == 0).collect();
        let mut done = 0;
        while let Some(index) = ready.pop_front() {
            let (place, number, call) = &calls[index];
            let layer = layers[*place];
            let known = |history: &History<'a>| tensor(tensors, find(history)?, history);
            let (args, named) = call.resolve(&known).within(|| format!("layer '{}'", layer.name.escape_debug()))?;
            let weights = weights[*place].clone()?;
            let outputs = self.call(layer, weights, args, named)?;
            tensors.insert((*place, *number), outputs);
            done += 1;
            for &next in waiting.get(&(*place, *number)).into_iter().flatten() {
                missing[next] -= 1;
                if missing[next] == 0 {
                    ready.push_back(next);
                }
            }
        }
        if done < calls.len() {
            let open = (0..calls.len()).find(|&call| missing[call] > 0).map_or("", |call| layers[calls[call].0].name);
            return Err(Error::malformed(format!(
                "layer '{}' waits for tensors that nothing gives",
                open.escape_debug()
            )));
        }
        Ok(())
    }
}

/// The tensor that a history leads to.
fn tensor(tensors: &HashMap<(usize, usize), Outputs>, place: usize, history: &History<'_>) -> Result<NodeId> {
    let outputs = tensors.get(&(place, history.node));
    outputs.and_then(|outputs| outputs.get(history.tensor).copied()).ok_or_else(|| {
        Error::malformed(format!(
            "layer '{}' gives no tensor {} in its call {}",
            history.layer.escape_debug(),
            history.tensor,
            history.node
        ))
    })
}

/// Where the weights of the layers of a model are.
enum Held<'a> {
    /// Below those of the model.
    Model(Weights<'a>),
    /// In a list for each layer of the outermost model.
    Lists(&'a Store<'a>),
}

impl<'a> Held<'a> {
    /// The weights of each layer; what is wrong with them matters when the layer is called.
    fn of(self, layers: &[Layer<'a>]) -> Vec<Result<Weights<'a>>> {
        match self {
            Held::Lists(store) => layers.iter().map(|layer| listed(store, *layer)).collect(),
            Held::Model(mut weights) => {
                // How many objects of a class there are so far; before Keras 2.14, which had another name for the list of layers,
                // layers with weights were in it twice.
                let mut numbers: HashMap<String, (usize, usize)> = HashMap::new();
                let mut all = Vec::with_capacity(layers.len());
                for layer in layers {
                    if layer.is_operation() {
                        all.push(Ok(weights.clone()));
                        continue;
                    }
                    let class = snake_case(layer.class);
                    let count = table::variables(*layer).map(|flags| flags.len());
                    let (new, old) = numbers.entry(class.clone()).or_default();
                    let name = |list: &str, number: usize| match number {
                        0 => format!("{list}/{class}"),
                        number => format!("{list}/{class}_{number}"),
                    };
                    let names = [name("layers", *new), name("_layer_checkpoint_dependencies", *old)];
                    *new += 1;
                    *old += if count.as_ref().is_ok_and(|&count| count > 0) { 2 } else { 1 };
                    all.push(count.and_then(|count| weights.part(&[&names[0], &names[1]], count)));
                }
                all
            }
        }
    }
}

/// Weights of a layer of the outermost model in the order in which they were made, from lists in which trained ones come first.
fn listed<'a>(store: &'a Store<'a>, layer: Layer<'a>) -> Result<Weights<'a>> {
    let place = || format!("layer '{}' ({})", layer.name.escape_debug(), layer.class.escape_debug());
    if layer.class == "InputLayer" || layer.is_operation() {
        return Ok(Weights::listed(store, Vec::new()));
    }
    let flags = table::variables(layer).within(place)?;
    // Layers without weights are not in all files.
    let paths = if flags.is_empty() {
        store.list(layer.name).unwrap_or_default()
    } else {
        store.list(layer.name).within(place)?
    };
    if flags.len() != paths.len() {
        return Ok(Weights::listed(store, paths));
    }
    let (mut trained, mut rest) = (0, flags.iter().filter(|&&trained| trained).count());
    let made = flags.iter().map(|&flag| {
        let next = if flag { &mut trained } else { &mut rest };
        *next += 1;
        paths[*next - 1].clone()
    });
    Ok(Weights::listed(store, made.collect()))
}

/// `MaxPooling1D` as `max_pooling1d`: what Keras calls objects of a class.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let mut name = String::with_capacity(class.len() + 8);
    for (at, &letter) in letters.iter().enumerate() {
        let (before, after) = (at.checked_sub(1).map(|at| letters[at]), letters.get(at + 1));
        // A word begins at a capital behind a small letter, and at one in front of a small letter, as `(.)([A-Z][a-z]+)` finds it.
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|before| before.is_ascii_lowercase() || after.is_some_and(char::is_ascii_lowercase));
        if begins && before != Some('_') {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// Whether a class is a model, made of layers.
pub(super) fn is_model(layer: Layer<'_>) -> bool {
    matches!(layer.class, "Sequential" | "Functional" | "Model")
        && !layer.is_custom()
        && layer.config.get("layers").is_some()
}

fn is_sequential(layer: Layer<'_>) -> bool {
    layer.class == "Sequential"
}

/// The layers of a model.
pub(super) fn layers(model: Layer<'_>) -> Result<Vec<Layer<'_>>> {
    let Value::Array(list) = model.config.need("layers")? else {
        return Err(Error::malformed("its layers are no list"));
    };
    limits::check("layers of a model", list.len(), limits::NETWORK_NODES)?;
    list.iter().enumerate().map(|(index, layer)| Layer::new(layer).within(|| format!("layer {index}"))).collect()
}

/// The shape that a layer says its input has.
fn shape_of(layer: Layer<'_>) -> Option<&Value> {
    ["batch_shape", "batch_input_shape"].iter().find_map(|key| layer.config.get(key))
}

/// The model of a configuration. The oldest files have the layers of a sequence alone.
pub(super) fn outermost(value: &Value) -> Result<Layer<'_>> {
    let model = Layer::new(value)?;
    if is_model(model) {
        return Ok(model);
    }
    Err(Error::unsupported(format!(
        "the model is of the class '{}', whose code is not in the file; save a Sequential or functional model of its layers, or export it to ONNX \
         (model.export('model.onnx', format='onnx'))",
        text(value.get("class_name").unwrap_or(&Value::Null))?.escape_debug()
    )))
}
